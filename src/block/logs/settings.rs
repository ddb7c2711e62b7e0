//! Turns the flags of `logs` into settings that make sense, or into the one reason why they don't.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Parser, ValueEnum};
use regex::bytes::{Regex, RegexBuilder};

use super::framing::Framing;
use super::record::{Format, Names, Shape};
use crate::block::catalogue::Error;
use crate::block::{duration, listen, size};

/// What a line looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// Anything: the line is the message
    Text,
    /// Whatever --pattern says
    Regex,
    /// key=value pairs
    Logfmt,
    /// One object per line
    Json,
    /// What container runtimes write
    Cri,
    /// nginx's combined access log
    Nginx,
}

/// Where a file is begun that has no kept position.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum From {
    /// At its first byte
    Start,
    /// After what it holds when the block starts
    End,
}

/// Turn log files into JSON lines, every record exactly once
///
/// Follows files through rotation, by rename or by copy and truncate, and writes one JSON object per record: `ts`,
/// `level`, `source`, `msg`, `file`, `id`, `offset`, `fields`. A line that can't be parsed comes out with
/// `"parsed": false` and its text as `msg`. With `--output`, a record is in that file exactly once, even if the block
/// is killed at any moment; on stdout with `--position`, a kill may repeat the last 4Ki of records, and `id` and
/// `offset` tell which. Its own events go to stderr.
#[derive(Debug, Clone, Parser)]
#[command(name = "logs", max_term_width = 100)]
pub struct Flags {
    /// Files to follow, separated by commas; `*` and `?` stand for parts of names; compressed files are left out
    #[arg(long, env = "MOTIF_FILES", value_name = "PATH", required = true, value_delimiter = ',', action = ArgAction::Append)]
    pub files: Vec<PathBuf>,
    /// What a line looks like
    #[arg(long, env = "MOTIF_FORMAT", value_name = "FORMAT", default_value = "text")]
    pub format: Kind,
    /// Regular expression of a record, for the format regex: its named groups are the fields
    #[arg(long, env = "MOTIF_PATTERN", value_name = "REGEX")]
    pub pattern: Option<String>,
    /// Regular expression of a line that begins a record: other lines belong to the record before them
    #[arg(long, env = "MOTIF_MULTILINE", value_name = "REGEX")]
    pub multiline: Option<String>,
    /// Time without another line after which a record of several lines is whole
    #[arg(long, env = "MOTIF_FLUSH", value_name = "DURATION", default_value = "1s", value_parser = duration::parse_positive)]
    pub flush: Duration,
    /// Size above which a record is cut; its pieces say "partial"
    #[arg(long, env = "MOTIF_RECORD", value_name = "SIZE", default_value = "256Ki", value_parser = size::parse)]
    pub record: u64,
    /// Field that holds the time; without it, the usual names
    #[arg(long, env = "MOTIF_TIME_FIELD", value_name = "NAME")]
    pub time_field: Option<String>,
    /// Field that holds the level; without it, the usual names
    #[arg(long, env = "MOTIF_LEVEL_FIELD", value_name = "NAME")]
    pub level_field: Option<String>,
    /// Field that holds the message; without it, the usual names
    #[arg(long, env = "MOTIF_MESSAGE_FIELD", value_name = "NAME")]
    pub message_field: Option<String>,
    /// What every record says as its source; without it, the file's name
    #[arg(long, env = "MOTIF_SOURCE", value_name = "TEXT")]
    pub source: Option<String>,
    /// File, or folder for it, that keeps the position over restarts; beside --output when that is given
    #[arg(long, env = "MOTIF_POSITION", value_name = "PATH")]
    pub position: Option<PathBuf>,
    /// File that records are appended to, instead of stdout
    #[arg(long, env = "MOTIF_OUTPUT", value_name = "PATH")]
    pub output: Option<PathBuf>,
    /// Where files are begun that are there at the first start
    #[arg(long, env = "MOTIF_FROM", value_name = "PLACE", default_value = "start")]
    pub from: From,
    /// Time between two looks at the files
    #[arg(long, env = "MOTIF_POLL", value_name = "DURATION", default_value = "200ms", value_parser = duration::parse_positive)]
    pub poll: Duration,
    /// Address and port of /livez, /readyz and /metrics
    #[arg(long, env = "MOTIF_ADMIN", value_name = "ADDRESS", default_value = "0.0.0.0:9931", value_parser = listen::parse)]
    pub admin: SocketAddr,
    /// Time to read the files to their end after SIGTERM
    #[arg(long, env = "MOTIF_DRAIN", value_name = "DURATION", default_value = "5s", value_parser = duration::parse)]
    pub drain: Duration,
}

/// What the block does.
#[derive(Debug)]
pub struct Settings {
    pub flags: Flags,
    pub framing: Framing,
    pub shape: Shape,
    /// The file that keeps the position.
    pub position: Option<PathBuf>,
}

impl Settings {
    /// The flags, if they make sense.
    pub fn new(flags: Flags) -> Result<Self, Error> {
        let refuse = |reason: &str| Err(Error::configuration(reason));
        if flags.pattern.is_some() != (flags.format == Kind::Regex) {
            return refuse("`--pattern` and `--format=regex` go together");
        }
        if flags.multiline.is_some() && !matches!(flags.format, Kind::Text | Kind::Regex) {
            return refuse("`--multiline` goes with the formats text and regex");
        }
        if !(1024..=16 * 1024 * 1024).contains(&flags.record) {
            return refuse("`--record` is not between 1Ki and 16Mi");
        }
        let pattern = flags
            .pattern
            .as_deref()
            .map(|text| expression("--pattern", text))
            .transpose()?;
        if pattern
            .as_ref()
            .is_some_and(|pattern| pattern.capture_names().flatten().next().is_none())
        {
            return refuse("`--pattern` has no named group, like `(?<level>[A-Z]+)`");
        }
        let begin = flags
            .multiline
            .as_deref()
            .map(|text| expression("--multiline", text))
            .transpose()?;
        let format = match (flags.format, pattern) {
            (Kind::Regex, Some(pattern)) => Format::regex(pattern),
            (Kind::Logfmt, _) => Format::Logfmt,
            (Kind::Json, _) => Format::Json,
            (Kind::Cri, _) => Format::Cri,
            (Kind::Nginx, _) => Format::Nginx,
            (Kind::Text | Kind::Regex, _) => Format::Text,
        };
        let position = match (&flags.position, &flags.output) {
            (Some(path), _) if path.is_dir() => Some(path.join("position")),
            (Some(path), _) => Some(path.clone()),
            (None, Some(output)) => {
                let mut name = output.as_os_str().to_owned();
                name.push(".position");
                Some(PathBuf::from(name))
            }
            (None, None) => None,
        };
        Ok(Self {
            framing: Framing {
                record: usize::try_from(flags.record).unwrap_or(usize::MAX),
                begin,
                cri: flags.format == Kind::Cri,
            },
            shape: Shape {
                format,
                time: Names::new(
                    flags.time_field.as_deref(),
                    &["ts", "time", "timestamp", "@timestamp", "date"],
                ),
                level: Names::new(
                    flags.level_field.as_deref(),
                    &["level", "severity", "lvl", "loglevel"],
                ),
                message: Names::new(flags.message_field.as_deref(), &["msg", "message", "log"]),
            },
            position,
            flags,
        })
    }
}

/// Bytes are matched, so classes like `\w` and `\d` are ASCII.
fn expression(flag: &str, text: &str) -> Result<Regex, Error> {
    RegexBuilder::new(text)
        .unicode(false)
        .size_limit(1 << 20)
        .dfa_size_limit(1 << 20)
        .build()
        .map_err(|error| {
            let shown = error.to_string();
            let last = shown.lines().last().unwrap_or_default().trim();
            Error::configuration(format!(
                "`{flag}`: {}",
                last.strip_prefix("error: ").unwrap_or(last)
            ))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_makes_no_sense_is_refused() {
        let check = |words: &[&str], expect: &str| {
            let words = ["logs", "--files=a"].iter().chain(words).copied();
            let flags = Flags::try_parse_from(words).unwrap();
            let error = Settings::new(flags).map(|_| ()).unwrap_err();
            assert_eq!(error.to_string(), expect);
        };
        check(
            &["--format=regex"],
            "`--pattern` and `--format=regex` go together",
        );
        check(
            &["--pattern=(?<a>b)"],
            "`--pattern` and `--format=regex` go together",
        );
        check(
            &["--format=regex", "--pattern=a"],
            "`--pattern` has no named group, like `(?<level>[A-Z]+)`",
        );
        check(
            &["--format=regex", "--pattern=(?<a>"],
            "`--pattern`: unclosed group",
        );
        check(
            &["--format=json", "--multiline=a"],
            "`--multiline` goes with the formats text and regex",
        );
        check(&["--record=1"], "`--record` is not between 1Ki and 16Mi");
    }

    #[test]
    fn the_position_is_beside_the_output_unless_it_has_a_place() {
        let position = |words: &[&str]| {
            let words = ["logs", "--files=a"].iter().chain(words).copied();
            let flags = Flags::try_parse_from(words).unwrap();
            Settings::new(flags).unwrap().position
        };
        assert_eq!(position(&[]), None);
        assert_eq!(
            position(&["--output=/o/log"]),
            Some(PathBuf::from("/o/log.position"))
        );
        assert_eq!(
            position(&["--output=/o/log", "--position=/"]),
            Some(PathBuf::from("/position"))
        );
    }
}
