//! Turns the flags of `metrics` into settings that make sense, or into the one reason why they don't.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Parser, ValueEnum};

use super::document::Pick;
use super::exposition::{Labels, is_label, is_name};
use crate::block::catalogue::Error;
use crate::block::{duration, listen, source};

/// Where the numbers come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Source {
    /// What INFO says
    Redis,
    /// A JSON document over HTTP
    Json,
    /// What is sent to --statsd
    Statsd,
    /// What a command writes
    Command,
}

impl Source {
    /// As the label shows it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Redis => "redis",
            Self::Json => "json",
            Self::Statsd => "statsd",
            Self::Command => "command",
        }
    }
}

/// Serve metrics for Prometheus, from a source that has none
///
/// `/metrics` asks the source when it is asked itself; scrapes at the same time share one answer. `motif_source_up`
/// says whether the source answers. While it does not, its own metrics are absent: never old, never 0.
#[derive(Debug, Clone, Parser)]
#[command(name = "metrics", max_term_width = 100)]
pub struct Flags {
    /// Where the numbers come from
    #[arg(long, env = "MOTIF_SOURCE", value_name = "SOURCE")]
    pub source: Source,
    /// Host and port of redis
    #[arg(long, env = "MOTIF_ADDRESS", value_name = "HOST:PORT", default_value = "127.0.0.1:6379", value_parser = source::address)]
    pub address: String,
    /// User of redis
    #[arg(long, env = "MOTIF_USER", value_name = "NAME")]
    pub user: Option<String>,
    /// File that holds the password of redis; read at every scrape
    #[arg(long, env = "MOTIF_PASSWORD_FILE", value_name = "PATH")]
    pub password_file: Option<PathBuf>,
    /// Address of the JSON document: http://HOST:PORT/PATH
    #[arg(long, env = "MOTIF_URL", value_name = "URL")]
    pub url: Option<String>,
    /// Metrics of the JSON document, separated by commas: name=path.to.number, with :counter or :gauge behind it
    #[arg(long, env = "MOTIF_METRICS", value_name = "NAME=PATH", value_delimiter = ',', action = ArgAction::Append)]
    pub metrics: Vec<Pick>,
    /// Address and UDP port that StatsD is sent to
    #[arg(long, env = "MOTIF_STATSD", value_name = "ADDRESS", default_value = "0.0.0.0:8125", value_parser = listen::parse)]
    pub statsd: SocketAddr,
    /// Series that StatsD may make; more are dropped and counted
    #[arg(long, env = "MOTIF_SERIES", value_name = "COUNT", default_value = "10000", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub series: u32,
    /// Command that writes metrics or lines of name and value; split at spaces, no shell
    #[arg(long, env = "MOTIF_COMMAND", value_name = "COMMAND")]
    pub command: Option<String>,
    /// Time between two runs of the command
    #[arg(long, env = "MOTIF_INTERVAL", value_name = "DURATION", default_value = "15s", value_parser = duration::parse_positive)]
    pub interval: Duration,
    /// Time that the source may take to answer
    #[arg(long, env = "MOTIF_TIMEOUT", value_name = "DURATION", default_value = "2s", value_parser = duration::parse_positive)]
    pub timeout: Duration,
    /// What the names of the source's metrics begin with
    #[arg(
        long,
        env = "MOTIF_PREFIX",
        value_name = "TEXT",
        default_value = "",
        hide_default_value = true
    )]
    pub prefix: String,
    /// Labels of every metric, separated by commas: key=value
    #[arg(long, env = "MOTIF_LABELS", value_name = "KEY=VALUE", value_delimiter = ',', action = ArgAction::Append)]
    pub labels: Vec<String>,
    /// Address and port to serve /metrics on
    #[arg(long, env = "MOTIF_LISTEN", value_name = "ADDRESS", default_value = "0.0.0.0:9121", value_parser = listen::parse)]
    pub listen: SocketAddr,
    /// Address and port of the block's own /livez, /readyz and /metrics
    #[arg(long, env = "MOTIF_ADMIN", value_name = "ADDRESS", default_value = "0.0.0.0:9932", value_parser = listen::parse)]
    pub admin: SocketAddr,
    /// Time that scrapes in flight have to end after SIGTERM
    #[arg(long, env = "MOTIF_DRAIN", value_name = "DURATION", default_value = "5s", value_parser = duration::parse)]
    pub drain: Duration,
}

/// What is asked.
#[derive(Debug, Clone, PartialEq)]
pub enum Question {
    Redis,
    /// An address and a path.
    Json(String, String),
    Statsd,
    Command(Vec<String>),
}

/// What the block does.
#[derive(Debug)]
pub struct Settings {
    pub flags: Flags,
    pub question: Question,
    pub labels: Labels,
}

impl Settings {
    /// The flags, if they make sense.
    pub fn new(flags: Flags) -> Result<Self, Error> {
        let refuse = |reason: String| Err(Error::configuration(reason));
        listen::keep_apart(flags.listen, flags.admin)?;
        if !flags.prefix.is_empty() && !is_name(&flags.prefix) {
            return refuse(format!("`--prefix`: `{}` can't begin a name", flags.prefix));
        }
        let mut labels = Labels::new();
        for text in flags.labels.iter().filter(|text| !text.is_empty()) {
            match text.split_once('=') {
                Some((key, value)) if is_label(key) && !matches!(key, "quantile" | "le") => {
                    labels.insert(key.to_owned(), value.to_owned());
                }
                _ => return refuse(format!("`--labels`: `{text}` is not `KEY=VALUE`")),
            }
        }
        let needs = |flag: &str| Error::configuration(format!("`--source` needs `{flag}`"));
        let question = match flags.source {
            Source::Redis => Question::Redis,
            Source::Statsd => Question::Statsd,
            Source::Json => {
                let url = flags.url.as_deref().ok_or_else(|| needs("--url"))?;
                let (address, path) = source::http::split(url)
                    .map_err(|why| Error::configuration(format!("`--url`: {why}")))?;
                if flags.metrics.is_empty() {
                    return Err(needs("--metrics"));
                }
                for (place, pick) in flags.metrics.iter().enumerate() {
                    if flags.metrics[..place].iter().any(|other| other.name == pick.name) {
                        return refuse(format!("`--metrics`: `{}` comes twice", pick.name));
                    }
                }
                Question::Json(address, path)
            }
            Source::Command => {
                let line = flags.command.as_deref().ok_or_else(|| needs("--command"))?;
                let words = source::redis::words(line)
                    .map_err(|why| Error::configuration(format!("`--command`: {why}")))?;
                Question::Command(words)
            }
        };
        Ok(Self {
            flags,
            question,
            labels,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(words: &[&str]) -> Result<Settings, String> {
        let flags = Flags::try_parse_from(std::iter::once(&"metrics").chain(words))
            .map_err(|error| error.to_string())?;
        Settings::new(flags).map_err(|error| error.to_string())
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let check = |words: &[&str], expect: &str| {
            assert_eq!(settings(words).map(|_| ()).unwrap_err(), expect, "{words:?}");
        };
        check(&["--source=json"], "`--source` needs `--url`");
        check(
            &["--source=json", "--url=http://a"],
            "`--source` needs `--metrics`",
        );
        check(
            &["--source=json", "--url=http://a", "--metrics=x=a,x=b"],
            "`--metrics`: `x` comes twice",
        );
        check(&["--source=command"], "`--source` needs `--command`");
        check(
            &["--source=redis", "--prefix=1"],
            "`--prefix`: `1` can't begin a name",
        );
        check(
            &["--source=redis", "--labels=a=b,c"],
            "`--labels`: `c` is not `KEY=VALUE`",
        );
        check(
            &["--source=redis", "--labels=le=b"],
            "`--labels`: `le=b` is not `KEY=VALUE`",
        );
        check(
            &["--source=redis", "--listen=9932"],
            "`--listen` and `--admin` both want `0.0.0.0:9932`",
        );
        assert!(settings(&["--source=json", "--url=http://a", "--metrics=x"]).is_err());
    }
}
