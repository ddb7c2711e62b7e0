//! `motif block probe`: turns one question to a pod into pass or fail, and a line that says what came back.

mod address;
mod grpc;
mod http;
mod listeners;

use std::fmt;
use std::io::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use anyhow::Context;
use clap::{Args, Parser, Subcommand, ValueEnum};
use hyper::header::{HeaderName, HeaderValue};
use tokio::net::TcpStream;

pub use http::configuration as any_certificate;

use super::catalogue::{Block, Error, Outcome};
use super::{duration, runtime};

/// Ask a container how it is: exit code 0 when it is well, 1 when not, with one line that says why
///
/// Like a kubelet it dials the pod's own address, not the loopback address: what listens on
/// 127.0.0.1 only is not reachable.
#[derive(Debug, Parser)]
#[command(name = "probe", max_term_width = 100)]
pub struct Probe {
    /// Ask again until it is well, at most this long
    #[arg(long, env = "MOTIF_WAIT", value_name = "DURATION", value_parser = duration::parse)]
    wait: Option<Duration>,
    #[command(subcommand)]
    kind: Kind,
}

/// What is asked.
#[derive(Debug, Clone, Subcommand)]
pub enum Kind {
    /// The status of a GET.
    Http(Http),
    /// Whether a connection opens.
    Tcp(Target),
    /// The gRPC health service.
    Grpc(Grpc),
    /// What this network namespace listens on.
    Listeners(Listeners),
}

impl Kind {
    /// Reads the words of a probe's command.
    pub fn parse(words: &[String]) -> Result<Self, String> {
        let words = std::iter::once("probe").chain(words.iter().map(String::as_str));
        Probe::try_parse_from(words)
            .map(|probe| probe.kind)
            .map_err(|error| error.to_string())
    }

    /// The same question to another address.
    #[must_use]
    pub fn at(&self, address: IpAddr, port: Option<u16>) -> Self {
        let mut kind = self.clone();
        let target = match &mut kind {
            Self::Http(probe) => &mut probe.target,
            Self::Tcp(target) => target,
            Self::Grpc(probe) => &mut probe.target,
            Self::Listeners(_) => return kind,
        };
        target.host = Some(address.to_string());
        target.port = port.unwrap_or(target.port);
        kind
    }
}

/// Where to ask, and how long to wait.
#[derive(Debug, Clone, Args)]
#[command(about = "Pass when a connection opens")]
pub struct Target {
    /// Port to dial
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    pub port: u16,
    /// Host name or address to dial [default: the pod's own address]
    #[arg(long, value_name = "HOST")]
    pub host: Option<String>,
    /// Time for all of it
    #[arg(long, value_name = "DURATION", default_value = "1s", value_parser = duration::parse_positive)]
    pub timeout: Duration,
}

/// Pass when the status of a GET is 200 to 399
#[derive(Debug, Clone, Args)]
pub struct Http {
    #[command(flatten)]
    pub target: Target,
    /// Path and query to ask for
    #[arg(long, value_name = "PATH", default_value = "/")]
    pub path: String,
    /// Scheme; of https the certificate is not checked
    #[arg(long, value_name = "SCHEME", default_value = "http")]
    pub scheme: Scheme,
    /// Header to send, `Name: value`; may be given more than once
    #[arg(long = "header", value_name = "HEADER", value_parser = header)]
    pub headers: Vec<(HeaderName, HeaderValue)>,
}

/// Pass when the gRPC health service says SERVING
#[derive(Debug, Clone, Args)]
pub struct Grpc {
    #[command(flatten)]
    pub target: Target,
    /// Service to ask about [default: the server as a whole]
    #[arg(long, value_name = "NAME", default_value = "", hide_default_value = true)]
    pub service: String,
}

/// Print the listening sockets of this network namespace as JSON
#[derive(Debug, Clone, Args)]
pub struct Listeners {}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Scheme {
    /// Plain.
    Http,
    /// Over TLS; the certificate is not checked.
    Https,
}

impl fmt::Display for Scheme {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Http => "http",
            Self::Https => "https",
        })
    }
}

fn header(text: &str) -> Result<(HeaderName, HeaderValue), String> {
    let (name, value) = text
        .split_once(':')
        .ok_or_else(|| format!("`{text}` is not a header like `Name: value`"))?;
    let name = name
        .trim()
        .parse()
        .map_err(|_| format!("`{name}` is not a header's name"))?;
    let value = value
        .trim()
        .parse()
        .map_err(|_| format!("`{value}` is not a header's value"))?;
    Ok((name, value))
}

/// What a probe found, in one line.
#[derive(Debug, PartialEq, Eq)]
pub enum Finding {
    /// It is well.
    Pass(String),
    /// It is not, and why.
    Fail(String),
}

impl Block for Probe {
    const INTERNAL: bool = true;

    fn run(self) -> Result<Outcome, Error> {
        if let Kind::Listeners(_) = self.kind {
            let listeners = listeners::read()?;
            say(&serde_json::to_string(&listeners).context("failed to write JSON")?)?;
            return Ok(Outcome::Done);
        }
        let finding = runtime::single()?.block_on(async {
            match self.wait {
                None => ask(&self.kind).await,
                Some(wait) => wait_for(&self.kind, wait).await,
            }
        });
        match finding {
            Finding::Pass(line) => say(&line).map(|()| Outcome::Done),
            Finding::Fail(line) => say(&line).map(|()| Outcome::Failed),
        }
    }
}

/// Writes the line. The engine keeps it with the result of a health check.
fn say(line: &str) -> Result<(), Error> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")
        .and_then(|()| out.flush())
        .context("failed to write to stdout")?;
    Ok(())
}

/// The pause between two questions of one who waits.
const AGAIN: Duration = Duration::from_millis(200);

/// Asks until it passes, or the time is over.
async fn wait_for(kind: &Kind, wait: Duration) -> Finding {
    let end = tokio::time::Instant::now() + wait;
    loop {
        let finding = ask(kind).await;
        if matches!(finding, Finding::Pass(_)) || tokio::time::Instant::now() >= end {
            return finding;
        }
        tokio::time::sleep(AGAIN).await;
    }
}

/// Asks once.
pub async fn ask(kind: &Kind) -> Finding {
    let (target, what) = match kind {
        Kind::Http(probe) => (&probe.target, http::describe(probe)),
        Kind::Grpc(probe) => (&probe.target, grpc::describe(probe)),
        Kind::Tcp(target) => (target, format!("tcp {}", target.authority())),
        Kind::Listeners(_) => return Finding::Pass(String::new()),
    };
    let timeout = target.timeout;
    let asked = async {
        match kind {
            Kind::Http(probe) => http::ask(probe, &what).await,
            Kind::Grpc(probe) => grpc::ask(probe, &what).await,
            Kind::Tcp(target) => match target.dial().await {
                Ok(_) => Finding::Pass(format!("{what}: open")),
                Err(reason) => Finding::Fail(format!("{what}: {reason}")),
            },
            Kind::Listeners(_) => Finding::Pass(String::new()),
        }
    };
    match tokio::time::timeout(timeout, asked).await {
        Ok(finding) => finding,
        Err(_) => Finding::Fail(format!("{what}: no answer within {timeout:?}")),
    }
}

impl Target {
    /// The host that is dialled: the given one, or the pod's own address.
    fn host(&self) -> String {
        match &self.host {
            Some(host) => host.trim_start_matches('[').trim_end_matches(']').to_owned(),
            None => address::own().to_string(),
        }
    }

    /// `host:port`, as in a URL.
    fn authority(&self) -> String {
        let host = self.host();
        match host.parse::<IpAddr>() {
            Ok(address) => SocketAddr::new(address, self.port).to_string(),
            Err(_) => format!("{host}:{}", self.port),
        }
    }

    async fn dial(&self) -> Result<TcpStream, String> {
        let stream = TcpStream::connect((self.host(), self.port))
            .await
            .map_err(|error| reason(&error))?;
        // A request is one small packet, which should not wait for another.
        let _ = stream.set_nodelay(true);
        Ok(stream)
    }
}

/// An error and its causes in one line.
pub fn reason(error: &(dyn std::error::Error + 'static)) -> String {
    let mut line = match error.downcast_ref::<std::io::Error>() {
        Some(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => {
            "connection refused".to_owned()
        }
        _ => error.to_string(),
    };
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        if !line.contains(&text) {
            line = format!("{line}: {text}");
        }
        cause = error.source();
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_may_be_a_name_or_an_address_of_both_families() {
        let authority = |host: &str| {
            Target {
                port: 80,
                host: Some(host.to_owned()),
                timeout: Duration::from_secs(1),
            }
            .authority()
        };
        assert_eq!(authority("web"), "web:80");
        assert_eq!(authority("10.0.0.1"), "10.0.0.1:80");
        assert_eq!(authority("::1"), "[::1]:80");
        assert_eq!(authority("[::1]"), "[::1]:80");
    }

    #[test]
    fn a_header_has_a_name_and_a_value() {
        let (name, value) = header("X-Probe:  a: b ").unwrap();
        assert_eq!((name.as_str(), value.as_bytes()), ("x-probe", &b"a: b"[..]));
        assert_eq!(header("x").unwrap_err(), "`x` is not a header like `Name: value`");
        assert_eq!(header("a b: c").unwrap_err(), "`a b` is not a header's name");
        assert_eq!(header("a: b\nc").unwrap_err(), "` b\nc` is not a header's value");
    }
}
