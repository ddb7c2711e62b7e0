//! Turns the flags of `health` into settings that make sense, or into the one reason why they don't.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use regex_lite::Regex;

use crate::block::catalogue::Error;
use crate::block::{duration, listen, source};

/// Whose protocol is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Source {
    /// Redis and what speaks like it
    Redis,
    /// PostgreSQL
    #[value(name = "postgresql")]
    PostgreSql,
    /// MySQL and MariaDB
    #[value(name = "mysql")]
    MySql,
    /// HTTP/1.1
    Http,
}

/// Answer whether a server answers a real query
///
/// Asks again and again over one kept connection. `/` and `/readyz` answer 200 and `ok`, or 503 and why not in one
/// line; an answer is never older than --interval and --timeout together. Meant as a readiness probe: as a liveness
/// probe it would restart what only waits for its database.
#[derive(Debug, Clone, Parser)]
#[command(name = "health", max_term_width = 100)]
pub struct Flags {
    /// Whose protocol is spoken
    #[arg(long, env = "MOTIF_SOURCE", value_name = "SOURCE")]
    pub source: Source,
    /// Host and port of the server
    #[arg(long, env = "MOTIF_ADDRESS", value_name = "HOST:PORT", value_parser = source::address)]
    pub address: String,
    /// User to log in as
    #[arg(long, env = "MOTIF_USER", value_name = "NAME")]
    pub user: Option<String>,
    /// File that holds the password; a rotated one is used by the next connection
    #[arg(long, env = "MOTIF_PASSWORD_FILE", value_name = "PATH")]
    pub password_file: Option<PathBuf>,
    /// Database to use
    #[arg(long, env = "MOTIF_DATABASE", value_name = "NAME")]
    pub database: Option<String>,
    /// What is asked: SQL, a command of Redis, or a path; without it, SELECT 1, PING or /
    #[arg(long, env = "MOTIF_QUERY", value_name = "TEXT")]
    pub query: Option<String>,
    /// Regular expression that the first value of the answer has to match
    #[arg(long, env = "MOTIF_EXPECT", value_name = "REGEX")]
    pub expect: Option<String>,
    /// Time that a query may take, connecting included
    #[arg(long, env = "MOTIF_TIMEOUT", value_name = "DURATION", default_value = "1s", value_parser = duration::parse_positive)]
    pub timeout: Duration,
    /// Time between two queries
    #[arg(long, env = "MOTIF_INTERVAL", value_name = "DURATION", default_value = "1s", value_parser = duration::parse_positive)]
    pub interval: Duration,
    /// Address and port to answer on
    #[arg(long, env = "MOTIF_LISTEN", value_name = "ADDRESS", default_value = "0.0.0.0:8080", value_parser = listen::parse)]
    pub listen: SocketAddr,
    /// Address and port of /livez, /readyz and /metrics
    #[arg(long, env = "MOTIF_ADMIN", value_name = "ADDRESS", default_value = "0.0.0.0:9933", value_parser = listen::parse)]
    pub admin: SocketAddr,
    /// Time that requests in flight have to end after SIGTERM
    #[arg(long, env = "MOTIF_DRAIN", value_name = "DURATION", default_value = "2s", value_parser = duration::parse)]
    pub drain: Duration,
}

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Query {
    Redis(Vec<String>),
    PostgreSql(String),
    MySql(String),
    /// A path.
    Http(String),
}

/// What the block does.
#[derive(Debug)]
pub struct Settings {
    pub flags: Flags,
    pub query: Query,
    pub expect: Option<Regex>,
}

impl Settings {
    /// The flags, if they make sense.
    pub fn new(flags: Flags) -> Result<Self, Error> {
        listen::keep_apart(flags.listen, flags.admin)?;
        let is_sql = matches!(flags.source, Source::PostgreSql | Source::MySql);
        if is_sql && flags.user.is_none() {
            return Err(Error::configuration("`--source` logs in: give `--user`"));
        }
        if flags.source == Source::Http
            && (flags.user.is_some() || flags.password_file.is_some() || flags.database.is_some())
        {
            return Err(Error::configuration(
                "`--user`, `--password-file` and `--database` mean nothing to http",
            ));
        }
        let asked = |default: &str| flags.query.clone().unwrap_or_else(|| default.to_owned());
        let query = match flags.source {
            Source::Redis => Query::Redis(
                source::redis::words(&asked("PING"))
                    .map_err(|why| Error::configuration(format!("`--query`: {why}")))?,
            ),
            Source::PostgreSql => Query::PostgreSql(asked("SELECT 1")),
            Source::MySql => Query::MySql(asked("SELECT 1")),
            Source::Http => Query::Http(asked("/")),
        };
        match &query {
            Query::Http(path)
                if !path.starts_with('/') || !path.bytes().all(|byte| byte.is_ascii_graphic()) =>
            {
                return Err(Error::configuration(format!("`--query`: `{path}` is not a path")));
            }
            Query::PostgreSql(sql) | Query::MySql(sql) if sql.contains('\0') || sql.trim().is_empty() => {
                return Err(Error::configuration("`--query` is no SQL"));
            }
            _ => {}
        }
        let expect = flags
            .expect
            .as_deref()
            .map(Regex::new)
            .transpose()
            .map_err(|error| Error::configuration(format!("`--expect`: {error}")))?;
        Ok(Self { flags, query, expect })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(words: &[&str]) -> Result<Settings, String> {
        let words = ["health", "--address=a:1"].iter().chain(words).copied();
        let flags = Flags::try_parse_from(words).map_err(|error| error.to_string())?;
        Settings::new(flags).map_err(|error| error.to_string())
    }

    #[test]
    fn each_source_has_a_question_of_its_own() {
        let query = |words: &[&str]| settings(words).unwrap().query;
        assert_eq!(query(&["--source=redis"]), Query::Redis(vec!["PING".to_owned()]));
        assert_eq!(
            query(&["--source=postgresql", "--user=u"]),
            Query::PostgreSql("SELECT 1".to_owned())
        );
        assert_eq!(query(&["--source=http"]), Query::Http("/".to_owned()));
        assert_eq!(
            query(&["--source=redis", "--query=GET 'a b'"]),
            Query::Redis(vec!["GET".to_owned(), "a b".to_owned()])
        );
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let check = |words: &[&str], expect: &str| {
            assert_eq!(settings(words).map(|_| ()).unwrap_err(), expect, "{words:?}");
        };
        check(&["--source=mysql"], "`--source` logs in: give `--user`");
        check(&["--source=http", "--query=x"], "`--query`: `x` is not a path");
        check(
            &["--source=http", "--user=u"],
            "`--user`, `--password-file` and `--database` mean nothing to http",
        );
        check(
            &["--source=redis", "--query='"],
            "`--query`: `'` has a quote without its end",
        );
        check(
            &["--source=redis", "--listen=1", "--admin=1"],
            "`--listen` and `--admin` both want `0.0.0.0:1`",
        );
        assert!(settings(&["--source=redis", "--expect=("]).is_err());
        assert!(settings(&["--source=redis", "--password=x"]).is_err());
    }
}
