//! Turns the proxy's flags into settings that make sense, or into the one reason why they don't.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::builder::BoolishValueParser;
use clap::{ArgAction, Args, Parser, ValueEnum};

use super::arms::Plan;
use super::balance::Balance;
use super::check::{Check, Rhythm, Spec};
use crate::block::catalogue::Error;
use crate::block::question::Question;
use crate::block::{duration, listen, runtime, size};

/// What a proxy passes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Mode {
    /// Requests of HTTP/1.1 and HTTP/2
    Http,
    /// Bytes
    Tcp,
}

/// The scheme of checks by HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Scheme {
    /// Plain
    Http,
    /// Over TLS; the certificate is not verified
    Https,
}

/// The oldest version of TLS that is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Version {
    /// TLS 1.2
    #[value(name = "1.2")]
    Tls12,
    /// TLS 1.3
    #[value(name = "1.3")]
    Tls13,
}

/// Forward HTTP or TCP to backends: TLS, balancing, readiness checks, retries
///
/// Speaks HTTP/1.1 and HTTP/2 to clients, with or without TLS, and HTTP/1.1 to backends; passes WebSocket and any
/// other upgrade on. A name that resolves to several addresses is several backends. The admin port's `/readyz`
/// answers 200 while every listener has a ready backend.
#[derive(Debug, Clone, Parser)]
#[command(name = "proxy", max_term_width = 100)]
pub struct Flags {
    /// Address and port to listen on
    #[arg(long, env = "MOTIF_LISTEN", value_name = "ADDRESS", value_parser = listen::parse)]
    pub listen: Option<SocketAddr>,
    /// Backends of --listen, separated by commas
    #[arg(long, env = "MOTIF_UPSTREAM", value_name = "HOST:PORT", value_delimiter = ',', action = ArgAction::Append)]
    pub upstream: Vec<Upstream>,
    /// Another listener and its backends: 8081=host:80,other:80 (in the environment, separated by semicolons)
    #[arg(long, env = "MOTIF_FORWARD", value_name = "ADDRESS=HOST:PORT,...", value_delimiter = ';', action = ArgAction::Append)]
    pub forward: Vec<Route>,
    /// What is passed on
    #[arg(long, env = "MOTIF_MODE", value_name = "MODE", default_value = "http")]
    pub mode: Mode,
    /// Folder of tls.crt and tls.key; given it, listeners speak TLS, and a rotated pair is taken up without a restart
    #[arg(long, env = "MOTIF_CERTIFICATE", value_name = "PATH")]
    pub certificate: Option<PathBuf>,
    /// Oldest version of TLS to speak
    #[arg(
        long,
        env = "MOTIF_TLS_MINIMUM",
        value_name = "VERSION",
        default_value = "1.2"
    )]
    pub tls_minimum: Version,
    #[command(flatten)]
    pub checking: Checking,
    /// How requests are spread over ready backends
    #[arg(
        long,
        env = "MOTIF_BALANCE",
        value_name = "BALANCE",
        default_value = "round-robin"
    )]
    pub balance: Balance,
    /// Other backends that are tried when one fails: any request that was not sent, an idempotent one that was not answered
    #[arg(long, env = "MOTIF_RETRIES", value_name = "COUNT", default_value = "2")]
    pub retries: u32,
    /// Time between look-ups of the backends' names
    #[arg(long, env = "MOTIF_RESOLVE_EVERY", value_name = "DURATION", default_value = "5s", value_parser = duration::parse_positive)]
    pub resolve_every: Duration,
    /// Address and port of /livez, /readyz and /metrics
    #[arg(long, env = "MOTIF_ADMIN", value_name = "ADDRESS", default_value = "0.0.0.0:9901", value_parser = listen::parse)]
    pub admin: SocketAddr,
    #[command(flatten)]
    pub passing: Passing,
}

// No comment for the documentation: clap would take it for the help of the block.
#[derive(Debug, Clone, Args)]
pub struct Checking {
    /// How a backend shows that it is ready: none, tcp[:PORT], http[:PORT][/PATH], https[:PORT][/PATH]; of several, all must pass
    #[arg(long, env = "MOTIF_CHECK", value_name = "CHECK", value_delimiter = ',', default_value = "tcp", action = ArgAction::Append)]
    pub check: Vec<Spec>,
    /// Path of HTTP checks that name none
    #[arg(long, env = "MOTIF_CHECK_PATH", value_name = "PATH", default_value = "/")]
    pub check_path: String,
    /// Port of checks that name none, where it isn't the backend's own
    #[arg(long, env = "MOTIF_CHECK_PORT", value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    pub check_port: Option<u16>,
    /// Scheme of the checks written as http
    #[arg(
        long,
        env = "MOTIF_CHECK_SCHEME",
        value_name = "SCHEME",
        default_value = "http"
    )]
    pub check_scheme: Scheme,
    /// Time between checks of a ready backend; one that isn't ready is asked at least twice a second
    #[arg(long, env = "MOTIF_CHECK_EVERY", value_name = "DURATION", default_value = "2s", value_parser = duration::parse_positive)]
    pub check_every: Duration,
    /// Time that a check may take
    #[arg(long, env = "MOTIF_CHECK_TIMEOUT", value_name = "DURATION", default_value = "1s", value_parser = duration::parse_positive)]
    pub check_timeout: Duration,
    /// Failed checks in a row after which a backend is not ready
    #[arg(long, env = "MOTIF_CHECK_FAILURES", value_name = "COUNT", default_value = "2", value_parser = clap::value_parser!(u32).range(1..))]
    pub check_failures: u32,
    /// Passed checks in a row after which a backend is ready
    #[arg(long, env = "MOTIF_CHECK_SUCCESSES", value_name = "COUNT", default_value = "1", value_parser = clap::value_parser!(u32).range(1..))]
    pub check_successes: u32,
    /// A readiness probe that backends have to pass too, as `motif up` writes it: JSON
    #[arg(long, env = "MOTIF_PROBE", value_name = "JSON", value_delimiter = ';', action = ArgAction::Append)]
    pub probe: Vec<Question>,
}

// The same.
#[derive(Debug, Clone, Args)]
pub struct Passing {
    /// Time to connect to a backend (502)
    #[arg(long, env = "MOTIF_CONNECT_TIMEOUT", value_name = "DURATION", default_value = "2s", value_parser = duration::parse_positive)]
    pub connect_timeout: Duration,
    /// Time from a request to the head of its response, retries included (504)
    #[arg(long, env = "MOTIF_REQUEST_TIMEOUT", value_name = "DURATION", default_value = "60s", value_parser = duration::parse_positive)]
    pub request_timeout: Duration,
    /// Time for a client to send the head of a request, or to end the TLS handshake
    #[arg(long, env = "MOTIF_HEADER_TIMEOUT", value_name = "DURATION", default_value = "10s", value_parser = duration::parse_positive)]
    pub header_timeout: Duration,
    /// Time between requests on a kept connection, and for a client to take what was written
    #[arg(long, env = "MOTIF_IDLE_TIMEOUT", value_name = "DURATION", default_value = "75s", value_parser = duration::parse_positive)]
    pub idle_timeout: Duration,
    /// Time that a backend may pause in the middle of a response's body; 0s is for ever
    #[arg(long, env = "MOTIF_STALL_TIMEOUT", value_name = "DURATION", default_value = "60s", value_parser = duration::parse)]
    pub stall_timeout: Duration,
    /// Time without a byte after which a TCP connection or an upgraded one is closed; 0s is never
    #[arg(long, env = "MOTIF_TUNNEL_TIMEOUT", value_name = "DURATION", default_value = "0s", value_parser = duration::parse)]
    pub tunnel_timeout: Duration,
    /// Largest body of a request (413)
    #[arg(long, env = "MOTIF_MAX_BODY", value_name = "SIZE", default_value = "1Gi", value_parser = size::parse)]
    pub max_body: u64,
    /// Largest head of a request (431)
    #[arg(long, env = "MOTIF_MAX_HEADER", value_name = "SIZE", default_value = "64Ki", value_parser = size::parse)]
    pub max_header: u64,
    /// Connections at once; further ones wait in the kernel
    #[arg(long, env = "MOTIF_MAX_CONNECTIONS", value_name = "COUNT", default_value = "10000", value_parser = clap::value_parser!(u32).range(1..))]
    pub max_connections: u32,
    /// Time that requests in flight have to end after SIGTERM
    #[arg(long, env = "MOTIF_DRAIN", value_name = "DURATION", default_value = "10s", value_parser = duration::parse)]
    pub drain: Duration,
    /// Whether every request is logged
    #[arg(long, env = "MOTIF_ACCESS_LOG", value_name = "BOOLEAN", default_value = "true", action = ArgAction::Set, value_parser = BoolishValueParser::new())]
    pub access_log: bool,
    /// Whether to extend a client's X-Forwarded headers instead of replacing them
    #[arg(long, env = "MOTIF_TRUST_FORWARDED", value_name = "BOOLEAN", default_value = "false", action = ArgAction::Set, value_parser = BoolishValueParser::new())]
    pub trust_forwarded: bool,
    /// Threads that pass requests on; 0 is one for each core
    #[arg(long, env = "MOTIF_WORKERS", value_name = "COUNT", default_value = "0", value_parser = clap::value_parser!(u16).range(..=256))]
    pub workers: u16,
}

/// A backend as typed: a name or an address, and a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upstream {
    /// A name or an address.
    pub host: String,
    /// Its port.
    pub port: u16,
}

impl FromStr for Upstream {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not `HOST:PORT`");
        let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
        let port = port.parse().ok().filter(|port| *port > 0).ok_or_else(wrong)?;
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let named = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
        let valid = match bare {
            Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
            None => !host.is_empty() && host.len() <= 253 && host.bytes().all(named),
        };
        valid
            .then(|| Self {
                host: bare.unwrap_or(host).to_owned(),
                port,
            })
            .ok_or_else(wrong)
    }
}

/// A listener and its backends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// Where it listens.
    pub listen: SocketAddr,
    /// What is behind it.
    pub upstreams: Vec<Upstream>,
}

impl FromStr for Route {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (address, upstreams) = text
            .split_once('=')
            .ok_or_else(|| format!("`{text}` is not `ADDRESS=HOST:PORT,...`"))?;
        Ok(Self {
            listen: listen::parse(address)?,
            upstreams: upstreams.split(',').map(str::parse).collect::<Result<_, _>>()?,
        })
    }
}

/// The backends that requests can go to, as one whole: those of a listener, say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// What metrics call it.
    pub name: String,
    /// Where they are.
    pub upstreams: Vec<Upstream>,
}

/// What the flags mean.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where it listens. The place of a listener is that of its group, unless there are arms.
    pub listeners: Vec<SocketAddr>,
    /// What it passes on to.
    pub groups: Vec<Group>,
    /// Where the admin port is.
    pub admin: SocketAddr,
    /// What is passed on.
    pub mode: Mode,
    /// The folder of the certificate, and the oldest version of TLS.
    pub certificate: Option<(PathBuf, Version)>,
    /// Every check that a backend has to pass; none of them: every backend is ready.
    pub checks: Vec<Check>,
    /// How requests are spread over the backends of a group.
    pub balance: Balance,
    /// Other backends that are tried when one fails.
    pub retries: u32,
    /// Time between look-ups of names.
    pub resolve_every: Duration,
    /// Threads that pass requests on.
    pub workers: usize,
    /// Times and sizes, as they were given.
    pub passing: Passing,
    /// How requests are assigned to groups; `None` where each goes to the group of its listener.
    pub arms: Option<Plan>,
    /// Whether a connection ends when its backend leaves.
    pub close_old: bool,
}

impl Settings {
    /// Gives the flags their meaning.
    pub fn new(mut flags: Flags) -> Result<Self, Error> {
        let mut routes = std::mem::take(&mut flags.forward);
        let upstreams = std::mem::take(&mut flags.upstream);
        match (flags.listen, upstreams.is_empty()) {
            (Some(listen), false) => routes.insert(0, Route { listen, upstreams }),
            (Some(_), true) => {
                return Err(Error::configuration(
                    "`--listen` has no backend: give `--upstream`",
                ));
            }
            (None, false) => {
                return Err(Error::configuration(
                    "`--upstream` has no listener: give `--listen`",
                ));
            }
            (None, true) if routes.is_empty() => {
                return Err(Error::configuration(
                    "nothing to forward: give `--listen` and `--upstream`, or `--forward`",
                ));
            }
            (None, true) => {}
        }
        let listeners: Vec<_> = routes.iter().map(|route| route.listen).collect();
        keep_apart(&listeners, flags.admin)?;
        flags.passing.check()?;
        Ok(Self {
            listeners,
            groups: routes
                .into_iter()
                .map(|route| Group {
                    name: route.listen.to_string(),
                    upstreams: route.upstreams,
                })
                .collect(),
            admin: flags.admin,
            mode: flags.mode,
            certificate: flags.certificate.map(|folder| (folder, flags.tls_minimum)),
            checks: flags.checking.checks()?,
            balance: flags.balance,
            retries: flags.retries,
            resolve_every: flags.resolve_every,
            workers: flags.passing.workers(),
            passing: flags.passing,
            arms: None,
            close_old: false,
        })
    }
}

/// Refuses listeners that want the same.
pub fn keep_apart(listeners: &[SocketAddr], admin: SocketAddr) -> Result<(), Error> {
    for (place, listen) in listeners.iter().copied().enumerate() {
        if listeners[..place]
            .iter()
            .any(|other| listen::clash(*other, listen))
        {
            return Err(Error::configuration(format!("two listeners want `{listen}`")));
        }
        if listen::clash(admin, listen) {
            return Err(Error::configuration(format!(
                "`--admin` and a listener both want `{listen}`"
            )));
        }
    }
    Ok(())
}

impl Passing {
    /// Refuses what makes no sense.
    pub fn check(&self) -> Result<(), Error> {
        if self.max_header < 8192 {
            return Err(Error::configuration("`--max-header` is below 8Ki"));
        }
        Ok(())
    }

    /// Threads that pass requests on.
    pub fn workers(&self) -> usize {
        match usize::from(self.workers) {
            0 => runtime::cores(),
            given => given,
        }
    }
}

impl Checking {
    /// Every check, those that are typed first.
    pub fn checks(&self) -> Result<Vec<Check>, Error> {
        let path_is_plain =
            self.check_path.starts_with('/') && self.check_path.bytes().all(|byte| byte.is_ascii_graphic());
        if !path_is_plain {
            return Err(Error::configuration(format!(
                "`--check-path`: `{}` is not a path",
                self.check_path
            )));
        }
        if self.check.len() > 1 && self.check.contains(&Spec::None) {
            return Err(Error::configuration("`--check` is `none` and something else"));
        }
        let rhythm = Rhythm {
            every: self.check_every,
            timeout: self.check_timeout,
            failures: self.check_failures,
            successes: self.check_successes,
        };
        let typed = self.check.iter().cloned().filter_map(|spec| self.whole(spec));
        let mut checks: Vec<Check> = typed.filter_map(|spec| Check::typed(spec, rhythm)).collect();
        for question in &self.probe {
            let check = Check::probe(question);
            checks.push(check.map_err(|why| Error::configuration(format!("`--probe`: {why}")))?);
        }
        Ok(checks)
    }

    /// A check with what other flags say about it.
    fn whole(&self, spec: Spec) -> Option<Spec> {
        match spec {
            Spec::None => None,
            Spec::Tcp { port } => Some(Spec::Tcp {
                port: port.or(self.check_port),
            }),
            Spec::Http { tls, port, path } => Some(Spec::Http {
                tls: tls || self.check_scheme == Scheme::Https,
                port: port.or(self.check_port),
                path: path.or_else(|| Some(self.check_path.clone())),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(words: &[&str]) -> Result<Settings, String> {
        let words = std::iter::once("proxy").chain(words.iter().copied());
        let flags = Flags::try_parse_from(words).map_err(|error| error.to_string())?;
        Settings::new(flags).map_err(|error| error.to_string())
    }

    #[test]
    fn upstreams_are_hosts_and_ports() {
        let check = |text: &str, expect: Option<(&str, u16)>| {
            let expect = expect.map(|(host, port)| Upstream {
                host: host.to_owned(),
                port,
            });
            assert_eq!(text.parse().ok(), expect, "{text}");
        };
        check("127.0.0.1:80", Some(("127.0.0.1", 80)));
        check("web-0.web:8080", Some(("web-0.web", 8080)));
        check("[::1]:80", Some(("::1", 80)));
        for wrong in [
            "",
            "web",
            ":80",
            "web:0",
            "web:x",
            "::1:80",
            "http://web:80",
            "a b:80",
            "[x]:80",
        ] {
            check(wrong, None);
        }
    }

    #[test]
    fn checks_take_what_they_do_not_name_from_the_flags() {
        let checks = |words: &[&str]| {
            let words: Vec<&str> = ["proxy", "--listen=1", "--upstream=a:1"]
                .iter()
                .chain(words)
                .copied()
                .collect();
            let checking = Flags::try_parse_from(words).unwrap().checking;
            let specs = checking.check.iter().cloned();
            specs.filter_map(|spec| checking.whole(spec)).collect::<Vec<_>>()
        };
        assert_eq!(checks(&[]), [Spec::Tcp { port: None }]);
        assert_eq!(checks(&["--check=none"]), []);
        assert_eq!(
            checks(&[
                "--check=http",
                "--check-port=9",
                "--check-path=/r",
                "--check-scheme=https"
            ]),
            [Spec::Http {
                tls: true,
                port: Some(9),
                path: Some("/r".to_owned())
            }],
        );
        assert_eq!(
            checks(&["--check=http:8081/readyz", "--check=tcp:8080"]),
            [
                Spec::Http {
                    tls: false,
                    port: Some(8081),
                    path: Some("/readyz".to_owned())
                },
                Spec::Tcp { port: Some(8080) },
            ],
        );
        let settings = |words: &[&str]| settings(words).map(|settings| settings.checks.len());
        assert!(settings(&["--forward=80=a:80", "--check=none,tcp"]).is_err());
        let probe = r#"--probe={"command":["motif","block","probe","grpc","--port","9"],"delay":0,"every":9,"timeout":9,"failures":1,"successes":1}"#;
        assert_eq!(
            settings(&["--forward=80=a:80", "--check=none", probe, probe]),
            Ok(2)
        );
        let exec = probe.replace("\"probe\"", "\"other\"");
        assert_eq!(
            settings(&["--forward=80=a:80", &exec]),
            Err("`--probe`: only what `motif block probe` asks can be asked from outside".to_owned())
        );
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let check = |words: &[&str], expect: &str| {
            let error = settings(words).map(|_| ()).unwrap_err();
            assert_eq!(error, expect, "{words:?}");
        };
        check(
            &[],
            "nothing to forward: give `--listen` and `--upstream`, or `--forward`",
        );
        check(&["--listen=80"], "`--listen` has no backend: give `--upstream`");
        check(
            &["--upstream=a:80"],
            "`--upstream` has no listener: give `--listen`",
        );
        check(
            &["--forward=80=a:80", "--forward=127.0.0.1:80=b:80"],
            "two listeners want `127.0.0.1:80`",
        );
        check(
            &["--forward=9901=a:80"],
            "`--admin` and a listener both want `0.0.0.0:9901`",
        );
        check(
            &["--forward=80=a:80", "--check-path=x"],
            "`--check-path`: `x` is not a path",
        );
        check(
            &["--forward=80=a:80", "--max-header=1Ki"],
            "`--max-header` is below 8Ki",
        );
    }

    #[test]
    fn several_listeners() {
        let settings = settings(&[
            "--forward=8081=a:1,b:2",
            "--listen=127.0.0.1:8080",
            "--upstream=c:3,d:4",
        ])
        .unwrap();
        let shown: Vec<_> = settings
            .groups
            .iter()
            .map(|group| (group.name.clone(), group.upstreams.len()))
            .collect();
        assert_eq!(
            shown,
            [("127.0.0.1:8080".to_owned(), 2), ("0.0.0.0:8081".to_owned(), 2)]
        );
    }
}
