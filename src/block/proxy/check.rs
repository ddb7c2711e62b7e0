//! Asks a backend whether it is ready: as the kubelet asks a pod, and as often as it has to be asked.

use std::net::SocketAddr;
use std::str::FromStr;
use std::time::Duration;

use crate::block::probe::{Finding, Http, Kind, Scheme, Target, ask};
use crate::block::question::Question;

/// One kind of check, as typed: `none`, `tcp[:PORT]`, `http[:PORT][/PATH]`, `https[:PORT][/PATH]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Spec {
    /// Every backend counts as ready.
    None,
    /// A connection can be made.
    Tcp {
        /// Where it is not the backend's own.
        port: Option<u16>,
    },
    /// A GET is answered with 200 to 399.
    Http {
        /// Whether over TLS; the certificate is not verified.
        tls: bool,
        /// Where it is not the backend's own.
        port: Option<u16>,
        /// Where it is not the flag's.
        path: Option<String>,
    },
}

impl FromStr for Spec {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong =
            || format!("`{text}` is not `none`, `tcp[:PORT]`, `http[:PORT][/PATH]` or `https[:PORT][/PATH]`");
        let (kind, path) = match text.find('/') {
            Some(slash) => (&text[..slash], Some(text[slash..].to_owned())),
            None => (text, None),
        };
        let (kind, port) = match kind.split_once(':') {
            Some((kind, port)) => (
                kind,
                Some(port.parse().ok().filter(|port| *port > 0).ok_or_else(wrong)?),
            ),
            None => (kind, None),
        };
        match (kind, path, port) {
            ("none", None, None) => Ok(Self::None),
            ("tcp", None, port) => Ok(Self::Tcp { port }),
            ("http" | "https", path, port) => {
                let printable = path
                    .iter()
                    .all(|path| path.bytes().all(|byte| byte.is_ascii_graphic()));
                let tls = kind == "https";
                printable
                    .then_some(Self::Http { tls, port, path })
                    .ok_or_else(wrong)
            }
            _ => Err(wrong()),
        }
    }
}

/// A check with its rhythm.
#[derive(Debug, Clone)]
pub struct Check {
    kind: Kind,
    /// Where it is not the backend's own.
    port: Option<u16>,
    /// Time between checks of a ready backend.
    pub every: Duration,
    /// Failed checks in a row after which a backend is not ready.
    pub failures: u32,
    /// Passed checks in a row after which a backend is ready.
    pub successes: u32,
}

/// The rhythm of checks, where they are typed.
#[derive(Debug, Clone, Copy)]
pub struct Rhythm {
    /// Time between checks of a ready backend.
    pub every: Duration,
    /// Time that one may take.
    pub timeout: Duration,
    /// Failed ones in a row after which a backend is not ready.
    pub failures: u32,
    /// Passed ones in a row after which a backend is ready.
    pub successes: u32,
}

impl Check {
    /// A check as typed; `None` where every backend counts as ready.
    pub fn typed(spec: Spec, rhythm: Rhythm) -> Option<Self> {
        let target = |port: Option<u16>| Target {
            port: port.unwrap_or_default(),
            host: None,
            timeout: rhythm.timeout,
        };
        let (kind, port) = match spec {
            Spec::None => return None,
            Spec::Tcp { port } => (Kind::Tcp(target(port)), port),
            Spec::Http { tls, port, path } => {
                let probe = Http {
                    target: target(port),
                    path: path.unwrap_or_else(|| "/".to_owned()),
                    scheme: if tls { Scheme::Https } else { Scheme::Http },
                    headers: Vec::new(),
                };
                (Kind::Http(probe), port)
            }
        };
        Some(Self {
            kind,
            port,
            every: rhythm.every,
            failures: rhythm.failures,
            successes: rhythm.successes,
        })
    }

    /// A pod's readiness probe, as the engine writes it for a container of the pod.
    ///
    /// Asked so often that a replica which fails at once is out within the probe's own period.
    pub fn probe(question: &Question) -> Result<Self, String> {
        let words = question
            .command
            .iter()
            .position(|word| word == "probe")
            .map(|place| &question.command[place + 1..])
            .ok_or("only what `motif block probe` asks can be asked from outside")?;
        let kind = Kind::parse(words)?;
        Ok(Self {
            kind,
            port: None,
            every: (question.every() / (question.failures + 1)).clamp(SOONEST, LATEST),
            failures: question.failures,
            successes: question.successes,
        })
    }

    /// Asks a backend once.
    pub async fn ask(&self, address: SocketAddr) -> Result<(), String> {
        let port = match (self.port, &self.kind) {
            (Some(port), _) => Some(port),
            (None, Kind::Tcp(target) | Kind::Http(Http { target, .. })) if target.port == 0 => {
                Some(address.port())
            }
            (None, _) => None,
        };
        match ask(&self.kind.at(address.ip(), port)).await {
            Finding::Pass(_) => Ok(()),
            Finding::Fail(reason) => Err(reason),
        }
    }
}

/// The shortest and the longest time between two checks that a probe's period is turned into.
const SOONEST: Duration = Duration::from_millis(50);
const LATEST: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn specs_are_read() {
        let check = |text: &str, expect: Option<Spec>| assert_eq!(text.parse().ok(), expect, "{text}");
        let http = |tls, port, path: Option<&str>| Spec::Http {
            tls,
            port,
            path: path.map(str::to_owned),
        };
        check("none", Some(Spec::None));
        check("tcp", Some(Spec::Tcp { port: None }));
        check("tcp:80", Some(Spec::Tcp { port: Some(80) }));
        check("http", Some(http(false, None, None)));
        check("http/readyz", Some(http(false, None, Some("/readyz"))));
        check(
            "http:8081/a/b?c=d:e",
            Some(http(false, Some(8081), Some("/a/b?c=d:e"))),
        );
        check("https:8443", Some(http(true, Some(8443), None)));
        for wrong in [
            "",
            "udp",
            "none:1",
            "tcp:0",
            "tcp:70000",
            "tcp/x",
            "http:",
            "http:x",
            "http/a b",
            "http/\r\n",
        ] {
            check(wrong, None);
        }
    }

    #[test]
    fn a_probe_fails_within_its_own_period() {
        let question = |every: u32, failures: u32, command: &str| {
            let text = format!(
                r#"{{"command":[{command}],"delay":0,"every":{every},"timeout":1000,"failures":{failures},"successes":1}}"#
            );
            text.parse::<Question>().unwrap()
        };
        let http = r#""/.motif/motif","block","probe","http","--port","80","--path","/x""#;
        let check = |every, failures| {
            Check::probe(&question(every, failures, http))
                .unwrap()
                .every
                .as_millis()
        };
        assert_eq!(check(1_000, 3), 250);
        assert_eq!(check(10_000, 3), 1_000);
        assert_eq!(check(100, 3), 50);
        let exec = Check::probe(&question(1_000, 3, r#""test","-f","/ready""#));
        assert!(exec.is_err());
    }
}
