//! `motif block broker`: an ambassador behind whose one address is whatever the environment says.

mod providers;
mod refusal;

use std::io::Read;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use clap::builder::BoolishValueParser;
use clap::{ArgAction, Parser};
use futures_util::future::LocalBoxFuture;
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Method, Request, StatusCode};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;
use serde_json::{Value, json};

use self::providers::{Provider, from_text, from_variables};
use self::refusal::Refusal;
use super::admin::Readiness;
use super::catalogue::{Block, Error, Outcome};
use super::proxy::{
    self, Absent, Backends, Balance, Direction, Group, Mode, Named, Passing, Settings, Stream, Upstream,
    keep_apart, look_up,
};
use super::server::{Reply, text};
use super::{duration, listen, log, runtime};

/// The part of a provider's file that is read.
const MOST_FILE: u64 = 64 * 1024;
/// How long a look-up may take.
const LOOK_UP: Duration = Duration::from_secs(5);
/// How long a backend stays whose name can't be looked up, because the resolver is away.
const HOLD: Duration = Duration::from_mins(1);
/// The longest time between two looks while there is no backend.
const EAGER: Duration = Duration::from_millis(500);
/// How long a client that is refused may take to say what it wants.
const ASKING: Duration = Duration::from_secs(10);
/// Other addresses of a name that are tried when one can't be connected to.
const RETRIES: u32 = 2;
/// What `GET` shows.
const PATH: &str = "/backend";

/// Pass TCP on to a service that the environment names: an ambassador for what differs from place to place
///
/// The application always connects to this one address. The first provider that knows a backend wins: env reads
/// `<NAME>_ADDRESS`, or `<NAME>_SERVICE_HOST` and `<NAME>_SERVICE_PORT`; file reads the first line of `--file` that is
/// no comment; dns looks up the A and AAAA records of `--dns`; service looks up the name itself, at `--port`. After the
/// backend changes, new connections reach the new one within `--refresh`. The admin port's `/readyz` answers 503 with
/// the reasons while there is no backend, and `/backend` shows the one there is.
#[derive(Debug, Parser)]
#[command(name = "broker", max_term_width = 100)]
pub struct Broker {
    /// Address and port to listen on
    #[arg(long, env = "MOTIF_LISTEN", value_name = "ADDRESS", required = true, value_parser = listen::parse)]
    listen: SocketAddr,
    /// The service's logical name, like db
    #[arg(long, env = "MOTIF_NAME", value_name = "NAME", required = true, value_parser = logical_name)]
    name: String,
    /// Who is asked for the backend, in this order, separated by commas; where none is given, env and those whose flags are
    #[arg(long, env = "MOTIF_PROVIDERS", value_name = "PROVIDER", value_delimiter = ',', action = ArgAction::Append)]
    providers: Vec<Provider>,
    /// File of the provider file
    #[arg(long, env = "MOTIF_FILE", value_name = "PATH")]
    file: Option<PathBuf>,
    /// Name and port of the provider dns
    #[arg(long, env = "MOTIF_DNS", value_name = "HOST:PORT")]
    dns: Option<Upstream>,
    /// Port of the provider service
    #[arg(long, env = "MOTIF_PORT", value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    port: Option<u16>,
    /// Time between looks at the providers
    #[arg(long, env = "MOTIF_REFRESH", value_name = "DURATION", default_value = "5s", value_parser = duration::parse_positive)]
    refresh: Duration,
    /// Whether connections to a backend that is no longer the one are closed
    #[arg(long, env = "MOTIF_CLOSE_OLD", value_name = "BOOLEAN", default_value = "false", action = ArgAction::Set, value_parser = BoolishValueParser::new())]
    close_old: bool,
    /// What a client is told while there is no backend
    #[arg(long, env = "MOTIF_REFUSAL", value_name = "PROTOCOL", default_value = "close")]
    refusal: Refusal,
    /// Address and port of /livez, /readyz, /metrics and /backend
    #[arg(long, env = "MOTIF_ADMIN", value_name = "ADDRESS", default_value = "0.0.0.0:9911", value_parser = listen::parse)]
    admin: SocketAddr,
    /// Time to connect to the backend
    #[arg(long, env = "MOTIF_CONNECT_TIMEOUT", value_name = "DURATION", default_value = "2s", value_parser = duration::parse_positive)]
    connect_timeout: Duration,
    /// Time without a byte after which a connection is closed; 0s is never
    #[arg(long, env = "MOTIF_TUNNEL_TIMEOUT", value_name = "DURATION", default_value = "0s", value_parser = duration::parse)]
    tunnel_timeout: Duration,
    /// Connections at once; further ones wait in the kernel
    #[arg(long, env = "MOTIF_MAX_CONNECTIONS", value_name = "COUNT", default_value = "10000", value_parser = clap::value_parser!(u32).range(1..))]
    max_connections: u32,
    /// Time that connections have to end after SIGTERM
    #[arg(long, env = "MOTIF_DRAIN", value_name = "DURATION", default_value = "10s", value_parser = duration::parse)]
    drain: Duration,
    /// Whether every connection is logged
    #[arg(long, env = "MOTIF_ACCESS_LOG", value_name = "BOOLEAN", default_value = "true", action = ArgAction::Set, value_parser = BoolishValueParser::new())]
    access_log: bool,
    /// Threads that pass bytes on; 0 is one for each core
    #[arg(long, env = "MOTIF_WORKERS", value_name = "COUNT", default_value = "0", value_parser = clap::value_parser!(u16).range(..=256))]
    workers: u16,
}

fn logical_name(name: &str) -> Result<String, String> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    if name.is_empty() || name.len() > 253 || !name.bytes().all(plain) {
        return Err(format!("`{name}` is no name: letters, digits, `-`, `.` and `_`"));
    }
    Ok(name.to_owned())
}

impl Block for Broker {
    fn run(self) -> Result<Outcome, Error> {
        let environment = Environment::new(&self)?;
        let settings = self.settings()?;
        let brokerage = Brokerage {
            environment,
            refusal: self.refusal,
            refresh: self.refresh,
            state: Mutex::new(State::Unknown),
            changes: AtomicU64::new(0),
            refused: AtomicU64::new(0),
        };
        proxy::serve("broker", settings, Arc::new(brokerage))
    }
}

impl Broker {
    fn settings(&self) -> Result<Settings, Error> {
        keep_apart(&[self.listen], self.admin)?;
        let workers = match usize::from(self.workers) {
            0 => runtime::cores(),
            given => given,
        };
        Ok(Settings {
            listeners: vec![self.listen],
            groups: vec![Group {
                name: self.name.clone(),
                upstreams: Vec::new(),
            }],
            admin: self.admin,
            mode: Mode::Tcp,
            certificate: None,
            checks: Vec::new(),
            balance: Balance::RoundRobin,
            retries: RETRIES,
            resolve_every: self.refresh,
            workers,
            passing: Passing {
                connect_timeout: self.connect_timeout,
                header_timeout: ASKING,
                tunnel_timeout: self.tunnel_timeout,
                max_connections: self.max_connections,
                drain: self.drain,
                access_log: self.access_log,
                workers: self.workers,
                // Of requests, which there are none of.
                request_timeout: ASKING,
                idle_timeout: ASKING,
                stall_timeout: Duration::ZERO,
                max_body: 0,
                max_header: 8192,
                trust_forwarded: false,
            },
            arms: None,
            close_old: self.close_old,
        })
    }
}

/// What is asked for the backend.
#[derive(Debug)]
struct Environment {
    name: String,
    providers: Vec<Provider>,
    file: Option<PathBuf>,
    dns: Option<Upstream>,
    port: Option<u16>,
}

impl Environment {
    fn new(flags: &Broker) -> Result<Self, Error> {
        let environment = Self {
            name: flags.name.clone(),
            providers: Vec::new(),
            file: flags.file.clone(),
            dns: flags.dns.clone(),
            port: flags.port,
        };
        let mut providers = flags.providers.clone();
        if providers.is_empty() {
            let all = Provider::ALL.into_iter();
            providers = all
                .filter(|provider| environment.missing(*provider).is_none())
                .collect();
        }
        for (place, provider) in providers.iter().enumerate() {
            if providers[..place].contains(provider) {
                return Err(Error::configuration(format!(
                    "`--providers` names `{}` twice",
                    provider.name()
                )));
            }
            if let Some(flag) = environment.missing(*provider) {
                return Err(Error::configuration(format!(
                    "the provider `{}` needs `{flag}`",
                    provider.name()
                )));
            }
        }
        Ok(Self {
            providers,
            ..environment
        })
    }

    /// The flag that a provider needs and does not have.
    fn missing(&self, provider: Provider) -> Option<&'static str> {
        match provider {
            Provider::File if self.file.is_none() => Some("--file"),
            Provider::Dns if self.dns.is_none() => Some("--dns"),
            Provider::Service if self.port.is_none() => Some("--port"),
            _ => None,
        }
    }

    /// What a provider says now, or why it says nothing.
    fn ask(&self, provider: Provider) -> Result<Upstream, String> {
        match provider {
            Provider::Env => from_variables(&self.name, |name| std::env::var(name).ok()),
            Provider::File => {
                let path = self.file.as_deref().ok_or("it has no file")?;
                let read = read(path).map_err(|error| error.to_string());
                read.and_then(|text| from_text(&text))
                    .map_err(|reason| format!("`{}`: {reason}", path.display()))
            }
            Provider::Dns => self.dns.clone().ok_or_else(|| "it has no name".to_owned()),
            Provider::Service => Ok(Upstream {
                host: self.name.clone(),
                port: self.port.ok_or("it has no port")?,
            }),
        }
    }

    /// The backend of the first provider that knows one, and why those before it know none.
    async fn choose(&self, before: Option<&Found>) -> (Option<Found>, Vec<String>) {
        let mut reasons = Vec::new();
        for provider in self.providers.iter().copied() {
            let found = match self.ask(provider) {
                Ok(place) => resolve(provider, place, before).await,
                Err(reason) => Err(reason),
            };
            match found {
                Ok(found) => return (Some(found), reasons),
                Err(reason) => reasons.push(format!("{}: {reason}", provider.name())),
            }
        }
        (None, reasons)
    }
}

fn read(path: &Path) -> std::io::Result<String> {
    let mut text = String::new();
    std::fs::File::open(path)?
        .take(MOST_FILE)
        .read_to_string(&mut text)?;
    Ok(text)
}

/// Looks a backend up. A resolver that is away for a moment takes no backend away, and brings no other provider's.
async fn resolve(provider: Provider, place: Upstream, before: Option<&Found>) -> Result<Found, String> {
    let looked = tokio::time::timeout(LOOK_UP, look_up(&place)).await;
    let (reason, is_temporary) = match looked {
        Ok(Ok(addresses)) if !addresses.is_empty() => {
            let chosen = Chosen {
                provider,
                place,
                addresses,
            };
            return Ok(Found {
                chosen,
                at: Instant::now(),
            });
        }
        Ok(Ok(_)) => (format!("`{}` has no address", place.host), false),
        Ok(Err(error)) => {
            let reason = error.to_string();
            let is_temporary = reason.contains("Temporary failure");
            (format!("`{}`: {reason}", place.host), is_temporary)
        }
        Err(_) => (format!("`{}`: no answer in time", place.host), true),
    };
    let kept = before.filter(|before| is_temporary && before.stays(provider, &place, Instant::now()));
    kept.cloned().ok_or(reason)
}

/// A backend and who said it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Chosen {
    provider: Provider,
    place: Upstream,
    addresses: Vec<SocketAddr>,
}

impl Chosen {
    fn place(&self) -> String {
        let Upstream { host, port } = &self.place;
        if host.contains(':') {
            format!("[{host}]:{port}")
        } else {
            format!("{host}:{port}")
        }
    }

    fn addresses(&self) -> Vec<String> {
        self.addresses.iter().map(ToString::to_string).collect()
    }
}

/// A backend and when its name was looked up last.
#[derive(Debug, Clone)]
struct Found {
    chosen: Chosen,
    at: Instant,
}

impl Found {
    /// Whether it is still this provider's, while the resolver is away.
    fn stays(&self, provider: Provider, place: &Upstream, now: Instant) -> bool {
        let same = self.chosen.provider == provider && self.chosen.place == *place;
        same && now.duration_since(self.at) < HOLD
    }
}

/// What is known of the backend.
#[derive(Debug)]
enum State {
    /// No provider was asked yet.
    Unknown,
    /// There is none, for these reasons.
    None { since: String, reasons: Vec<String> },
    /// There is one; the providers before its own know none, for these reasons.
    Known {
        since: String,
        chosen: Chosen,
        reasons: Vec<String>,
    },
}

/// Everything that the broker knows and counts.
#[derive(Debug)]
struct Brokerage {
    environment: Environment,
    refusal: Refusal,
    refresh: Duration,
    state: Mutex<State>,
    changes: AtomicU64,
    refused: AtomicU64,
}

impl Brokerage {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks the providers for ever.
    async fn follow(self: Arc<Self>, backends: Arc<Backends>, settings: Arc<Settings>) {
        let mut before: Option<Found> = None;
        loop {
            let (found, reasons) = self.environment.choose(before.as_ref()).await;
            let pause = if let Some(Found { chosen, .. }) = &found {
                let host = chosen.place.host.as_str();
                let addresses = chosen.addresses.iter().map(|address| (*address, host));
                backends.replace(addresses, &settings);
                self.refresh
            } else {
                backends.replace(std::iter::empty(), &settings);
                self.refresh.min(EAGER)
            };
            self.note(found.as_ref().map(|found| &found.chosen), reasons);
            before = found;
            tokio::time::sleep(pause).await;
        }
    }

    /// Remembers what the providers said, and logs it where it is new.
    fn note(&self, found: Option<&Chosen>, reasons: Vec<String>) {
        let name = &self.environment.name;
        let mut state = self.state();
        *state = match (&*state, found) {
            (State::Known { since, chosen, .. }, Some(found)) if chosen == found => State::Known {
                since: since.clone(),
                chosen: found.clone(),
                reasons,
            },
            (_, Some(chosen)) => {
                log::info(
                    "backend chosen",
                    json!({
                        "name": name, "provider": chosen.provider.name(), "backend": chosen.place(),
                        "addresses": chosen.addresses(),
                    }),
                );
                self.changes.fetch_add(1, Ordering::Relaxed);
                State::Known {
                    since: now(),
                    chosen: chosen.clone(),
                    reasons,
                }
            }
            (
                State::None {
                    since,
                    reasons: known,
                },
                None,
            ) if *known == reasons => State::None {
                since: since.clone(),
                reasons,
            },
            (_, None) => {
                log::warning(
                    "no backend",
                    json!({ "name": name, "reason": reasons.join("; ") }),
                );
                State::None {
                    since: now(),
                    reasons,
                }
            }
        };
    }

    fn shown(&self) -> (StatusCode, Value) {
        let name = &self.environment.name;
        match &*self.state() {
            State::Known { since, chosen, .. } => (
                StatusCode::OK,
                json!({
                    "name": name, "provider": chosen.provider.name(), "address": chosen.place(),
                    "addresses": chosen.addresses(), "since": since,
                }),
            ),
            State::None { since, reasons } => (
                StatusCode::SERVICE_UNAVAILABLE,
                json!({
                    "name": name, "provider": null, "address": null, "since": since, "reasons": reasons,
                }),
            ),
            State::Unknown => (
                StatusCode::SERVICE_UNAVAILABLE,
                json!({ "name": name, "provider": null, "address": null, "since": null, "reasons": [] }),
            ),
        }
    }

    /// Why a client has no backend: what each provider said, and which addresses did not answer.
    fn reasons(&self, failed: Vec<String>) -> Vec<String> {
        match &*self.state() {
            State::None { reasons, .. } => reasons.clone(),
            State::Unknown => vec!["the providers were not asked yet".to_owned()],
            State::Known { chosen, reasons, .. } => {
                let own = chosen.provider.name();
                let failed = failed.into_iter().map(|reason| format!("{own}: {reason}"));
                let mut reasons: Vec<String> = reasons.iter().cloned().chain(failed).collect();
                let providers = self.environment.providers.iter();
                for provider in providers.skip_while(|other| **other != chosen.provider).skip(1) {
                    reasons.push(format!("{}: not asked, as `{own}` comes first", provider.name()));
                }
                reasons
            }
        }
    }
}

fn now() -> String {
    let mut text = Vec::new();
    log::Timestamp::now().append(&mut text);
    String::from_utf8_lossy(&text).into_owned()
}

/// The broker's part in passing bytes on.
impl Direction for Brokerage {
    fn label(&self) -> &'static str {
        "name"
    }

    fn watch(self: Arc<Self>, groups: &[Named], settings: &Arc<Settings>) {
        for (_, backends) in groups {
            tokio::task::spawn_local(Arc::clone(&self).follow(Arc::clone(backends), Arc::clone(settings)));
        }
    }

    fn readiness(&self, _groups: &[Named]) -> Readiness {
        let name = &self.environment.name;
        match &*self.state() {
            State::Known { .. } => Ok(()),
            State::None { reasons, .. } => Err(format!("no backend for {name}: {}", reasons.join("; "))),
            State::Unknown => Err("the providers were not asked yet".to_owned()),
        }
    }

    fn answer(&self, request: &Request<Incoming>, _client: SocketAddr, _groups: &[Named]) -> Option<Reply> {
        if request.uri().path() != PATH {
            return None;
        }
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return Some(text(StatusCode::METHOD_NOT_ALLOWED, "only GET\n"));
        }
        let (status, shown) = self.shown();
        let mut reply = text(status, format!("{shown}\n"));
        reply
            .headers_mut()
            .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        Some(reply)
    }

    fn register(self: Arc<Self>, registry: &mut Registry) {
        registry.register_collector(Box::new(Counted(self)));
    }

    fn refuse<'a>(&'a self, mut client: Stream, absent: Absent<'a>) -> LocalBoxFuture<'a, ()> {
        self.refused.fetch_add(1, Ordering::Relaxed);
        let name = &self.environment.name;
        let reason = self.reasons(absent.failed).join("; ");
        log::warning(
            "refused",
            json!({ "client": absent.client, "name": name, "reason": reason }),
        );
        Box::pin(async move {
            let message = format!("motif: no backend for {name}");
            // A client that left before it was told is no event.
            let _ = self.refusal.tell(&mut client, &message).await;
        })
    }
}

/// Shows in `/metrics` what the broker knows and counts.
#[derive(Debug)]
struct Counted(Arc<Brokerage>);

impl Collector for Counted {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), std::fmt::Error> {
        let brokerage = &self.0;
        for (name, help, count) in [
            (
                "motif_broker_changes",
                "Times that a backend was chosen",
                &brokerage.changes,
            ),
            (
                "motif_broker_refused",
                "Connections of clients for which there was no backend",
                &brokerage.refused,
            ),
        ] {
            ConstCounter::new(count.load(Ordering::Relaxed)).encode(encoder.encode_descriptor(
                name,
                help,
                None,
                MetricType::Counter,
            )?)?;
        }
        let mut chosen = encoder.encode_descriptor(
            "motif_broker_backend",
            "The provider whose backend is the one",
            None,
            MetricType::Gauge,
        )?;
        let own = match &*brokerage.state() {
            State::Known { chosen, .. } => Some(chosen.provider),
            State::Unknown | State::None { .. } => None,
        };
        for provider in &brokerage.environment.providers {
            let labels = [("provider", provider.name())];
            ConstGauge::new(i64::from(own == Some(*provider))).encode(chosen.encode_family(&labels)?)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(words: &[&str]) -> Result<Environment, String> {
        let words = ["broker", "--listen=1", "--name=db"].iter().chain(words);
        let flags = Broker::try_parse_from(words).map_err(|error| error.to_string())?;
        Environment::new(&flags).map_err(|error| error.to_string())
    }

    #[test]
    fn providers_are_those_that_are_named_or_have_their_flags() {
        let check = |words: &[&str], expect: &[Provider]| {
            assert_eq!(environment(words).unwrap().providers, expect, "{words:?}");
        };
        check(&[], &[Provider::Env]);
        check(
            &["--port=1", "--file=/f"],
            &[Provider::Env, Provider::File, Provider::Service],
        );
        check(
            &["--providers=dns,env", "--dns=db:1", "--port=1"],
            &[Provider::Dns, Provider::Env],
        );
        let refused = |words: &[&str], expect: &str| {
            assert_eq!(environment(words).unwrap_err(), expect);
        };
        refused(&["--providers=env,file"], "the provider `file` needs `--file`");
        refused(&["--providers=service"], "the provider `service` needs `--port`");
        refused(
            &["--providers=env", "--providers=env"],
            "`--providers` names `env` twice",
        );
    }

    #[test]
    fn a_resolver_that_is_away_brings_no_other_backend_for_a_while() {
        let at = Instant::now();
        let place: Upstream = "db:5".parse().unwrap();
        let found = Found {
            chosen: Chosen {
                provider: Provider::Dns,
                place: place.clone(),
                addresses: Vec::new(),
            },
            at,
        };
        let soon = at + HOLD / 2;
        assert!(found.stays(Provider::Dns, &place, soon));
        assert!(!found.stays(Provider::Dns, &place, at + HOLD));
        assert!(!found.stays(Provider::Service, &place, soon));
        assert!(!found.stays(Provider::Dns, &"db:6".parse().unwrap(), soon));
    }

    #[test]
    fn what_a_place_leads_to() {
        let runtime = runtime::single().unwrap();
        let resolve = |text: &str| {
            let place = text.parse().unwrap();
            runtime.block_on(resolve(Provider::File, place, None))
        };
        let known = Chosen {
            provider: Provider::File,
            place: "127.0.0.1:5".parse().unwrap(),
            addresses: vec!["127.0.0.1:5".parse().unwrap()],
        };
        assert_eq!(resolve("127.0.0.1:5").unwrap().chosen, known);
        assert_eq!(resolve("[::1]:6").unwrap().chosen.place(), "[::1]:6");
        // No such name, whatever the resolver: a label is at most 63 letters.
        let wrong = format!("{}:5", "x".repeat(70));
        assert!(resolve(&wrong).is_err());
    }
}
