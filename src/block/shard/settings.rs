//! Turns the flags of a shard ambassador into settings that make sense, or into the one reason why they don't.

use std::net::SocketAddr;
use std::str::FromStr;
use std::time::Duration;

use clap::{ArgAction, Parser, ValueEnum};
use regex_lite::Regex;

use super::ring::{Hash, MOST_WEIGHT};
use crate::block::catalogue::Error;
use crate::block::proxy::Upstream;
use crate::block::{duration, listen, runtime, size};

/// What clients and backends speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Protocol {
    /// Redis, RESP2
    Redis,
    /// Memcached, the text protocol
    Memcached,
    /// HTTP/1.1
    Http,
}

/// What the shards are to the application.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Role {
    /// A dead shard's keys answer an error until it is back
    Store,
    /// A dead shard is left out for a time: its keys go to the others
    Cache,
}

/// Spread keys over shards behind one local address: Redis, memcached, HTTP
///
/// A consistent hash of the key decides, by the shards' names and weights: every ambassador with the same backends
/// agrees, and a shard that is added takes keys without moving any other. Redis: commands with one key, and MGET, MSET,
/// DEL, UNLINK, EXISTS and TOUCH over any; what stands in braces in a key keeps keys together. `/readyz` answers 200
/// once every shard (cache: any) has answered, and as long as one does. `/shards?key=K` on the admin port says
/// who owns a key.
#[derive(Debug, Clone, Parser)]
#[command(name = "shard", max_term_width = 100)]
pub struct Flags {
    /// Address and port to listen on
    #[arg(long, env = "MOTIF_LISTEN", value_name = "ADDRESS", default_value = "127.0.0.1:6379", value_parser = listen::parse)]
    pub listen: SocketAddr,
    /// Address and port of /livez, /readyz, /metrics and /shards
    #[arg(long, env = "MOTIF_ADMIN", value_name = "ADDRESS", default_value = "0.0.0.0:9903", value_parser = listen::parse)]
    pub admin: SocketAddr,
    /// What clients and backends speak
    #[arg(
        long,
        env = "MOTIF_PROTOCOL",
        value_name = "PROTOCOL",
        default_value = "redis"
    )]
    pub protocol: Protocol,
    /// Shards, separated by commas; keys follow the name, which is HOST:PORT where none is given; *WEIGHT is *1
    #[arg(long, env = "MOTIF_BACKENDS", value_name = "[NAME=]HOST:PORT[*WEIGHT]", value_delimiter = ',', required = true, action = ArgAction::Append)]
    pub backends: Vec<Backend>,
    /// How many shards a backend with {shard} in it stands for: {shard} is 0, 1, and so on
    #[arg(long, env = "MOTIF_SHARDS", value_name = "COUNT", value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub shards: Option<u16>,
    /// What the shards are: a cache leaves a dead shard out, a store never does
    #[arg(long, env = "MOTIF_ROLE", value_name = "ROLE", default_value = "store")]
    pub role: Role,
    /// How keys are mapped to shards
    #[arg(long, env = "MOTIF_HASH", value_name = "HASH", default_value = "ketama")]
    pub hash: Hash,
    /// The key of an HTTP request: path, header:NAME, query:NAME, or pattern:REGEX on path and query, of which the first group counts
    #[arg(long, env = "MOTIF_KEY", value_name = "KEY", default_value = "path")]
    pub key: Key,
    /// Failures in a row after which a cache leaves a shard out
    #[arg(long, env = "MOTIF_FAILURES", value_name = "COUNT", default_value = "2", value_parser = clap::value_parser!(u32).range(1..))]
    pub failures: u32,
    /// Time after which a shard that was left out is tried again
    #[arg(long, env = "MOTIF_RETRY", value_name = "DURATION", default_value = "2s", value_parser = duration::parse_positive)]
    pub retry: Duration,
    /// Time for a shard to answer
    #[arg(long, env = "MOTIF_TIMEOUT", value_name = "DURATION", default_value = "2s", value_parser = duration::parse_positive)]
    pub timeout: Duration,
    /// Time to connect to a shard, its name's look-up included
    #[arg(long, env = "MOTIF_CONNECT_TIMEOUT", value_name = "DURATION", default_value = "1s", value_parser = duration::parse_positive)]
    pub connect_timeout: Duration,
    /// Connections to each shard, for each thread; HTTP has one for each request in flight
    #[arg(long, env = "MOTIF_CONNECTIONS", value_name = "COUNT", default_value = "1", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub connections: u16,
    /// Clients at once; further ones wait in the kernel
    #[arg(long, env = "MOTIF_CLIENTS", value_name = "COUNT", default_value = "10000", value_parser = clap::value_parser!(u32).range(1..))]
    pub clients: u32,
    /// Largest request, its keys and values included
    #[arg(long, env = "MOTIF_MAX_REQUEST", value_name = "SIZE", default_value = "64Mi", value_parser = size::parse)]
    pub max_request: u64,
    /// Largest sum of the requests and answers that are on their way
    #[arg(long, env = "MOTIF_MEMORY", value_name = "SIZE", default_value = "512Mi", value_parser = size::parse)]
    pub memory: u64,
    /// Threads that pass requests on; 0 is one for each core
    #[arg(long, env = "MOTIF_WORKERS", value_name = "COUNT", default_value = "1", value_parser = clap::value_parser!(u16).range(..=256))]
    pub workers: u16,
    /// Time that requests in flight have to end after SIGTERM
    #[arg(long, env = "MOTIF_DRAIN", value_name = "DURATION", default_value = "10s", value_parser = duration::parse)]
    pub drain: Duration,
}

/// A shard as typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backend {
    /// What the ring knows it by.
    pub name: String,
    /// Where it is.
    pub upstream: Upstream,
    /// Its share of the keys, beside the others'.
    pub weight: u32,
    /// The text, where it stands for several shards; the rest is the first of them.
    pub series: Option<String>,
}

/// What becomes a shard's number in a backend that stands for several.
const NUMBER: &str = "{shard}";

impl FromStr for Backend {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let series = text.contains(NUMBER).then(|| text.to_owned());
        let first = text.replace(NUMBER, "0");
        let text = first.as_str();
        let (name, place) = match text.split_once('=') {
            Some((name, place)) => (Some(name), place),
            None => (None, text),
        };
        let (address, weight) = match place.split_once('*') {
            Some((address, weight)) => {
                let weight = weight.parse().ok().filter(|weight| (1..=100).contains(weight));
                (
                    address,
                    weight.ok_or_else(|| format!("`{text}`: a weight is a number from 1 to 100"))?,
                )
            }
            None => (place, 1),
        };
        let upstream = address
            .parse()
            .map_err(|_| format!("`{text}` is not `[NAME=]HOST:PORT[*WEIGHT]`"))?;
        let name = name.unwrap_or(address);
        let plain = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\' | b'`' | b'*');
        if name.is_empty() || name.len() > 255 || !name.bytes().all(plain) {
            return Err(format!("`{text}`: the name is empty, too long, or not plain"));
        }
        Ok(Self {
            name: name.to_owned(),
            upstream,
            weight,
            series,
        })
    }
}

/// Every shard that the flags mean: a backend that stands for several becomes so many.
fn shards(given: Vec<Backend>, count: Option<u16>) -> Result<Vec<Backend>, Error> {
    if count.is_some() && given.iter().all(|backend| backend.series.is_none()) {
        return Err(Error::configuration(format!(
            "`--shards` is for `--backends` with `{NUMBER}` in them"
        )));
    }
    let mut shards = Vec::new();
    for backend in given {
        let Some(series) = &backend.series else {
            shards.push(backend);
            continue;
        };
        let count = count.ok_or_else(|| {
            Error::configuration(format!(
                "`{series}` stands for several shards: say how many by `--shards`"
            ))
        })?;
        for number in 0..count {
            let text = series.replace(NUMBER, &number.to_string());
            shards.push(text.parse().map_err(Error::configuration)?);
        }
    }
    Ok(shards)
}

/// What of an HTTP request is its key.
#[derive(Debug, Clone)]
pub enum Key {
    /// Its path, without the query.
    Path,
    /// A header's value.
    Header(hyper::header::HeaderName),
    /// A parameter of the query.
    Query(String),
    /// The first group of an expression over path and query; the whole match where it has none.
    Pattern(Regex),
}

impl FromStr for Key {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not path, header:NAME, query:NAME or pattern:REGEX");
        match text.split_once(':') {
            None if text == "path" => Ok(Self::Path),
            Some(("header", name)) => name.parse().map(Self::Header).map_err(|_| wrong()),
            Some(("query", name)) if !name.is_empty() => Ok(Self::Query(name.to_owned())),
            Some(("pattern", pattern)) => {
                let regex = Regex::new(pattern);
                regex
                    .map(Self::Pattern)
                    .map_err(|error| format!("`{pattern}`: {error}"))
            }
            _ => Err(wrong()),
        }
    }
}

/// What the flags mean.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Threads that pass requests on.
    pub workers: usize,
    /// The largest request.
    pub most: usize,
    /// The rest, as it was given.
    pub flags: Flags,
}

impl Settings {
    /// Gives the flags their meaning.
    pub fn new(mut flags: Flags) -> Result<Self, Error> {
        flags.backends = shards(flags.backends, flags.shards)?;
        listen::keep_apart(flags.listen, flags.admin)?;
        for (place, backend) in flags.backends.iter().enumerate() {
            if flags.backends[..place]
                .iter()
                .any(|other| other.name == backend.name)
            {
                return Err(Error::configuration(format!(
                    "`--backends`: two shards are named `{}`",
                    backend.name
                )));
            }
        }
        let weight: u32 = flags.backends.iter().map(|backend| backend.weight).sum();
        if weight > MOST_WEIGHT {
            return Err(Error::configuration(format!(
                "`--backends`: the weights add up to {weight}; {MOST_WEIGHT} is the most"
            )));
        }
        if !matches!(flags.key, Key::Path) && flags.protocol != Protocol::Http {
            return Err(Error::configuration("`--key` is for `--protocol=http`"));
        }
        if flags.max_request < 1024 {
            return Err(Error::configuration("`--max-request` is below 1Ki"));
        }
        if flags.memory < flags.max_request {
            return Err(Error::configuration("`--memory` is below `--max-request`"));
        }
        let workers = match usize::from(flags.workers) {
            0 => runtime::cores(),
            given => given,
        };
        Ok(Self {
            workers,
            most: usize::try_from(flags.max_request).unwrap_or(usize::MAX),
            flags,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(words: &[&str]) -> Result<Settings, String> {
        let words = std::iter::once("shard").chain(words.iter().copied());
        let flags = Flags::try_parse_from(words).map_err(|error| error.to_string())?;
        Settings::new(flags).map_err(|error| error.to_string())
    }

    #[test]
    fn a_backend_has_a_name_a_place_and_a_weight() {
        let check = |text: &str, expect: Option<(&str, &str, u16, u32)>| {
            let parsed = text.parse::<Backend>().ok();
            let parsed = parsed.as_ref().map(|backend| {
                let Upstream { host, port } = &backend.upstream;
                (backend.name.as_str(), host.as_str(), *port, backend.weight)
            });
            assert_eq!(parsed, expect, "{text}");
        };
        check(
            "redis-0.redis:6379",
            Some(("redis-0.redis:6379", "redis-0.redis", 6379, 1)),
        );
        check("a=127.0.0.1:1", Some(("a", "127.0.0.1", 1, 1)));
        check("a=[::1]:1*3", Some(("a", "::1", 1, 3)));
        check("b:1*100", Some(("b:1", "b", 1, 100)));
        for wrong in [
            "", "a", "a:1*0", "a:1*101", "a:1*x", "=a:1", "a b=c:1", "a=b", "a*b=c:1",
        ] {
            check(wrong, None);
        }
    }

    #[test]
    fn a_backend_with_a_number_is_so_many_shards() {
        let settings = settings(&["--backends=a-{shard}.a:1*2,n{shard}=b:1{shard}", "--shards=2"]).unwrap();
        let place = |shard: &Backend| format!("{}:{}", shard.upstream.host, shard.upstream.port);
        let shards: Vec<_> = settings
            .flags
            .backends
            .iter()
            .map(|shard| format!("{}@{}*{}", shard.name, place(shard), shard.weight))
            .collect();
        assert_eq!(
            shards,
            ["a-0.a:1@a-0.a:1*2", "a-1.a:1@a-1.a:1*2", "n0@b:10*1", "n1@b:11*1"]
        );
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let check = |words: &[&str], expect: &str| {
            let error = settings(words).map(|_| ()).unwrap_err();
            assert!(error.contains(expect), "{words:?}: {error}");
        };
        check(&[], "--backends");
        check(&["--backends=a:1,a:1"], "two shards are named `a:1`");
        check(
            &["--backends=a=x:1", "--backends=a=y:1"],
            "two shards are named `a`",
        );
        check(&["--backends=a-{shard}:1"], "say how many by `--shards`");
        check(&["--backends=a:1", "--shards=2"], "`--shards` is for");
        check(&["--backends=a-{shard}:1", "--shards=0"], "'--shards");
        check(
            &["--backends=a={shard}:1", "--shards=2"],
            "two shards are named `a`",
        );
        check(
            &["--backends=a-{n}:1", "--shards=2"],
            "is not `[NAME=]HOST:PORT[*WEIGHT]`",
        );
        check(&["--backends=a:1", "--listen=9903"], "both want");
        check(&["--backends=a:1", "--key=header:x"], "`--key` is for");
        check(&["--backends=a:1", "--key=cookie:x"], "is not path, header:NAME");
        check(&["--backends=a:1", "--key=pattern:("], "`(`");
        check(&["--backends=a:1", "--memory=1Mi"], "`--memory` is below");
        check(&["--backends=a:1", "--max-request=1"], "is below 1Ki");
        assert!(settings(&["--backends=a:1*2,b=c:1", "--protocol=http", "--key=query:id"]).is_ok());
    }
}
