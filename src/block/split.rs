//! `motif block split`: an ambassador that spreads an application's requests over several backends, or copies them.

use std::net::SocketAddr;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use clap::builder::BoolishValueParser;
use clap::{ArgAction, Parser, ValueEnum};
use hyper::header::HeaderName;

use super::admin::Readiness;
use super::catalogue::{Block, Error, Outcome};
use super::proxy::{
    self, Balance, Checking, Direction, Group, Mode, Named, Passing, Plan, Settings, Sticky, Tee, Upstream,
    keep_apart,
};
use super::{duration, listen, size};

/// Backends that one ambassador may have.
const MOST_BACKENDS: usize = 64;
/// The longest name of a backend.
const LONGEST_NAME: usize = 63;

/// What becomes of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Way {
    /// One backend gets it
    Split,
    /// The first backend gets it, each other one a copy
    Tee,
}

/// Spread HTTP requests over backends by weight, or copy them: an ambassador for experiments
///
/// The application asks this one address. With `--mode=split` a backend gets its share of the requests, and the same
/// user always gets the same backend where `--sticky` says what a user is; it is never the client's address, because
/// in a pod that is always the same. With `--mode=tee` the first backend answers, and the others get copies whose
/// answers nobody sees. The admin port's `/readyz` answers 200 while the first backend is ready: it is the one that
/// stands in for the others.
#[derive(Debug, Parser)]
#[command(name = "split", max_term_width = 100)]
pub struct Split {
    /// Address and port to listen on
    #[arg(long, env = "MOTIF_LISTEN", value_name = "ADDRESS", default_value = "127.0.0.1:8080", value_parser = listen::parse)]
    listen: SocketAddr,
    /// Backends, separated by commas, the usual one first: web=web:8080*9,new=web-next:8080*1; a name is its host where none is given, a weight 1; of new=web-next:8080*10% the others share the rest
    #[arg(long, env = "MOTIF_BACKENDS", value_name = "NAME=HOST:PORT*WEIGHT", required = true, value_delimiter = ',', action = ArgAction::Append)]
    backends: Vec<Weighted>,
    /// What becomes of a request
    #[arg(long, env = "MOTIF_MODE", value_name = "MODE", default_value = "split")]
    mode: Way,
    /// What keeps a user at a backend: none, header:NAME, cookie:NAME; a client without the cookie is given one
    #[arg(long, env = "MOTIF_STICKY", value_name = "STICKY", default_value = "none")]
    sticky: StickyBy,
    /// Whether the first backend takes the requests of one that is not ready or can't be connected to
    #[arg(long, env = "MOTIF_FALLBACK", value_name = "BOOLEAN", default_value = "true", action = ArgAction::Set, value_parser = BoolishValueParser::new())]
    fallback: bool,
    /// Whether responses name their backend, as x-motif-backend
    #[arg(long, env = "MOTIF_REVEAL", value_name = "BOOLEAN", default_value = "false", action = ArgAction::Set, value_parser = BoolishValueParser::new())]
    reveal: bool,
    /// Part of the requests that is copied, 0 to 1
    #[arg(long, env = "MOTIF_SAMPLE", value_name = "FRACTION", default_value = "1", value_parser = fraction)]
    sample: f64,
    /// Copies that wait for each backend; further ones are dropped
    #[arg(long, env = "MOTIF_SHADOW_QUEUE", value_name = "COUNT", default_value = "256", value_parser = clap::value_parser!(u32).range(1..=65_536))]
    shadow_queue: u32,
    /// Copies that each backend works on at once
    #[arg(long, env = "MOTIF_SHADOW_CONCURRENCY", value_name = "COUNT", default_value = "32", value_parser = clap::value_parser!(u32).range(1..=4_096))]
    shadow_concurrency: u32,
    /// Time that a copy is given
    #[arg(long, env = "MOTIF_SHADOW_TIMEOUT", value_name = "DURATION", default_value = "5s", value_parser = duration::parse_positive)]
    shadow_timeout: Duration,
    /// Largest body that is copied; a request with a larger one is not
    #[arg(long, env = "MOTIF_SHADOW_BODY", value_name = "SIZE", default_value = "64Ki", value_parser = size::parse)]
    shadow_body: u64,
    #[command(flatten)]
    checking: Checking,
    /// Other addresses of a backend that are tried when one fails: any request that was not sent, an idempotent one that was not answered
    #[arg(long, env = "MOTIF_RETRIES", value_name = "COUNT", default_value = "2")]
    retries: u32,
    /// Time between look-ups of the backends' names
    #[arg(long, env = "MOTIF_RESOLVE_EVERY", value_name = "DURATION", default_value = "5s", value_parser = duration::parse_positive)]
    resolve_every: Duration,
    /// Address and port of /livez, /readyz and /metrics
    #[arg(long, env = "MOTIF_ADMIN", value_name = "ADDRESS", default_value = "0.0.0.0:9910", value_parser = listen::parse)]
    admin: SocketAddr,
    #[command(flatten)]
    passing: Passing,
}

fn fraction(text: &str) -> Result<f64, String> {
    text.parse()
        .ok()
        .filter(|number| (0.0..=1.0).contains(number))
        .ok_or_else(|| format!("`{text}` is not a number from 0 to 1"))
}

/// A backend as typed.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Weighted {
    name: String,
    upstream: Upstream,
    weight: Option<Weight>,
}

/// A backend's part of the requests as typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Weight {
    /// As large as it is among the others'.
    Parts(u32),
    /// So many of a hundred.
    Percent(u32),
}

impl Weight {
    fn parse(text: &str) -> Option<Self> {
        match text.strip_suffix('%') {
            Some(percent) => percent
                .parse()
                .ok()
                .filter(|percent| *percent <= 100)
                .map(Self::Percent),
            None => text.parse().ok().map(Self::Parts),
        }
    }
}

/// The weights as numbers: where some are percents, those that say nothing share the rest evenly.
fn weights(backends: &[Weighted]) -> Result<Vec<u32>, Error> {
    let percent = |backend: &Weighted| match backend.weight {
        Some(Weight::Percent(percent)) => Some(percent),
        _ => None,
    };
    if !backends.iter().any(|backend| percent(backend).is_some()) {
        let parts = |backend: &Weighted| match backend.weight {
            Some(Weight::Parts(parts)) => parts,
            _ => 1,
        };
        return Ok(backends.iter().map(parts).collect());
    }
    if let Some(backend) = backends
        .iter()
        .find(|backend| matches!(backend.weight, Some(Weight::Parts(_))))
    {
        return Err(Error::configuration(format!(
            "the weight of `{}` is a number and another one a percentage: write one kind",
            backend.name
        )));
    }
    let sum: u32 = backends.iter().filter_map(percent).sum();
    let others = backends.iter().filter(|backend| backend.weight.is_none()).count();
    let others = u32::try_from(others).unwrap_or(u32::MAX);
    match 100_u32.checked_sub(sum) {
        Some(rest) if rest == 0 || others > 0 => Ok(backends
            .iter()
            .map(|backend| percent(backend).map_or(rest, |percent| percent * others.max(1)))
            .collect()),
        _ => Err(Error::configuration(format!(
            "the percentages of the backends make {sum}, not 100"
        ))),
    }
}

impl FromStr for Weighted {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, rest) = match text.split_once('=') {
            Some((name, rest)) => (Some(name), rest),
            None => (None, text),
        };
        let (place, weight) = match rest.split_once('*') {
            Some((place, weight)) => {
                let weight = Weight::parse(weight).ok_or_else(|| {
                    format!(
                        "the weight of `{text}` is no whole number, like `web=web:8080*9`, and no percentage, like `*10%`"
                    )
                })?;
                (place, Some(weight))
            }
            None => (rest, None),
        };
        let upstream: Upstream = place.parse()?;
        let name = name.unwrap_or(&upstream.host).to_owned();
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b':');
        if name.is_empty() || name.len() > LONGEST_NAME || !name.bytes().all(plain) {
            return Err(format!(
                "`{name}` is no name of a backend: up to {LONGEST_NAME} letters, digits, `-`, `.` and `_`"
            ));
        }
        Ok(Self {
            name,
            upstream,
            weight,
        })
    }
}

/// What keeps a user at a backend, as typed.
#[derive(Debug, Clone, PartialEq, Eq)]
struct StickyBy(Sticky);

impl FromStr for StickyBy {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not `none`, `header:NAME` or `cookie:NAME`");
        let sticky = match text.split_once(':') {
            None if text == "none" => Sticky::None,
            Some(("header", name)) => {
                Sticky::Header(HeaderName::from_bytes(name.as_bytes()).map_err(|_| wrong())?)
            }
            // A cookie's name is a token, as a header's is.
            Some(("cookie", name)) if HeaderName::from_bytes(name.as_bytes()).is_ok() => {
                Sticky::Cookie(name.to_owned())
            }
            _ => return Err(wrong()),
        };
        Ok(Self(sticky))
    }
}

impl Block for Split {
    fn run(self) -> Result<Outcome, Error> {
        let settings = self.settings()?;
        proxy::serve("split", settings, Arc::new(First))
    }
}

impl Split {
    /// Gives the flags their meaning.
    fn settings(self) -> Result<Settings, Error> {
        keep_apart(&[self.listen], self.admin)?;
        self.passing.check()?;
        if self.backends.len() > MOST_BACKENDS {
            return Err(Error::configuration(format!(
                "there are {} backends, and at most {MOST_BACKENDS} are possible",
                self.backends.len()
            )));
        }
        for (place, backend) in self.backends.iter().enumerate() {
            if self.backends[..place]
                .iter()
                .any(|other| other.name == backend.name)
            {
                return Err(Error::configuration(format!(
                    "two backends are named `{0}`: name them, like `{0}-2={0}:{1}`",
                    backend.name, backend.upstream.port
                )));
            }
        }
        let weights = weights(&self.backends)?;
        let tee = match self.mode {
            Way::Split if weights.iter().all(|weight| *weight == 0) => {
                return Err(Error::configuration("every backend's weight is 0"));
            }
            Way::Split => None,
            Way::Tee => Some(self.tee()?),
        };
        Ok(Settings {
            listeners: vec![self.listen],
            groups: self
                .backends
                .into_iter()
                .map(|backend| Group {
                    name: backend.name,
                    upstreams: vec![backend.upstream],
                })
                .collect(),
            admin: self.admin,
            mode: Mode::Http,
            certificate: None,
            checks: self.checking.checks()?,
            balance: Balance::RoundRobin,
            retries: self.retries,
            resolve_every: self.resolve_every,
            workers: self.passing.workers(),
            passing: self.passing,
            arms: Some(Plan {
                weights,
                sticky: self.sticky.0,
                fallback: self.fallback,
                reveal: self.reveal,
                tee,
            }),
            close_old: false,
        })
    }

    fn tee(&self) -> Result<Tee, Error> {
        if self.sticky.0 != Sticky::None {
            return Err(Error::configuration("`--sticky` means nothing with `--mode=tee`"));
        }
        if let Some(backend) = self.backends.iter().find(|backend| backend.weight.is_some()) {
            return Err(Error::configuration(format!(
                "the weight of `{}` means nothing with `--mode=tee`",
                backend.name
            )));
        }
        let number = |count: u32| usize::try_from(count).unwrap_or(usize::MAX);
        Ok(Tee {
            sample: self.sample,
            queue: number(self.shadow_queue),
            at_once: number(self.shadow_concurrency),
            timeout: self.shadow_timeout,
            body: usize::try_from(self.shadow_body).unwrap_or(usize::MAX),
            connect: self.passing.connect_timeout,
        })
    }
}

/// The first backend is the one that counts.
struct First;

impl Direction for First {
    fn label(&self) -> &'static str {
        "name"
    }

    fn readiness(&self, groups: &[Named]) -> Readiness {
        match groups.first() {
            Some((name, backends)) if !backends.are_ready() => {
                Err(format!("{name}: {} is not ready", backends.names()))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(words: &[&str]) -> Result<Settings, String> {
        let words = std::iter::once("split").chain(words.iter().copied());
        let flags = Split::try_parse_from(words).map_err(|error| error.to_string())?;
        flags.settings().map_err(|error| error.to_string())
    }

    #[test]
    fn backends_have_names_and_weights() {
        let check = |text: &str, expect: Option<(&str, &str, u16, Option<Weight>)>| {
            let read = text.parse::<Weighted>().ok();
            let read = read.as_ref().map(|read| {
                let place = &read.upstream;
                (read.name.as_str(), place.host.as_str(), place.port, read.weight)
            });
            assert_eq!(read, expect, "{text}");
        };
        check("web:80", Some(("web", "web", 80, None)));
        check("a=web:80*9", Some(("a", "web", 80, Some(Weight::Parts(9)))));
        check("web:80*0", Some(("web", "web", 80, Some(Weight::Parts(0)))));
        check("[::1]:80*2", Some(("::1", "::1", 80, Some(Weight::Parts(2)))));
        check("web:80*5%", Some(("web", "web", 80, Some(Weight::Percent(5)))));
        for wrong in [
            "",
            "web",
            "=web:80",
            "a b=web:80",
            "web:80*",
            "web:80*-1",
            "web:80*1.5",
            "web:80*9*1",
            "web:80*%",
            "web:80*101%",
            "a=b=web:80",
        ] {
            check(wrong, None);
        }
    }

    #[test]
    fn a_user_is_a_header_or_a_cookie() {
        let check = |text: &str, expect: Option<Sticky>| {
            assert_eq!(text.parse::<StickyBy>().ok().map(|by| by.0), expect, "{text}");
        };
        check("none", Some(Sticky::None));
        check("cookie:user", Some(Sticky::Cookie("user".to_owned())));
        check(
            "header:X-User",
            Some(Sticky::Header(HeaderName::from_static("x-user"))),
        );
        for wrong in [
            "",
            "header",
            "header:",
            "cookie:",
            "cookie:a b",
            "cookie:a;b",
            "cookie:a=b",
            "client",
            "none:x",
        ] {
            check(wrong, None);
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let check = |words: &[&str], expect: &str| {
            let error = settings(words).map(|_| ()).unwrap_err();
            assert_eq!(error, expect, "{words:?}");
        };
        check(&["--backends=a:1*0,b:1*0"], "every backend's weight is 0");
        check(
            &["--backends=a:1,a:2"],
            "two backends are named `a`: name them, like `a-2=a:2`",
        );
        check(
            &["--backends=a:1", "--listen=127.0.0.1:9910"],
            "`--admin` and a listener both want `127.0.0.1:9910`",
        );
        check(
            &["--backends=a:1,b:2*3", "--mode=tee"],
            "the weight of `b` means nothing with `--mode=tee`",
        );
        check(
            &["--backends=a:1,b:2", "--mode=tee", "--sticky=cookie:u"],
            "`--sticky` means nothing with `--mode=tee`",
        );
        assert!(settings(&[]).is_err());
        assert!(settings(&["--backends=a:1", "--sample=1.1"]).is_err());
    }

    #[test]
    fn those_without_a_percentage_share_the_rest() {
        let check = |backends: &str, expect: Result<&[u32], &str>| {
            let read = settings(&["--backends", backends]).map(|settings| settings.arms.unwrap().weights);
            assert_eq!(read.as_deref().map_err(String::as_str), expect, "{backends}");
        };
        check("a:1,b:1*10%", Ok(&[90, 10]));
        check("a:1,b:1,c:1*10%", Ok(&[90, 90, 20]));
        check("a:1*90%,b:1*10%", Ok(&[90, 10]));
        check("a:1,b:1*0%", Ok(&[100, 0]));
        check("a:1,b:1*100%", Ok(&[0, 100]));
        check(
            "a:1*80%,b:1*10%",
            Err("the percentages of the backends make 90, not 100"),
        );
        check(
            "a:1,b:1*90%,c:1*20%",
            Err("the percentages of the backends make 110, not 100"),
        );
        check(
            "a:1*9,b:1*10%",
            Err("the weight of `a` is a number and another one a percentage: write one kind"),
        );
    }

    #[test]
    fn each_backend_is_a_group() {
        let settings = settings(&["--backends=web=web:80*9,new:81", "--backends=other:82*0"]).unwrap();
        let names: Vec<_> = settings.groups.iter().map(|group| group.name.as_str()).collect();
        assert_eq!(names, ["web", "new", "other"]);
        assert_eq!(settings.arms.unwrap().weights, [9, 1, 0]);
    }
}
