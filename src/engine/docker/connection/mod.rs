//! Connects to the engine that a command is for, and learns what it can.

mod dial;
mod endpoint;
mod tls;

use std::error::Error as _;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bollard::BollardRequest;
use bytes::Bytes;
use futures_util::Stream;
use http_body_util::{Either, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::{HeaderMap, Request, Response};
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::pki_types::ServerName;

use dial::{Dialer, Way};
pub use endpoint::{ConnectionError, Endpoint};
use endpoint::{Environment, Kind};

use super::{Answer, Docker};

/// How long a ping may take. An engine under heavy load answers one within a second.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);
/// How long it may take where `ssh` has to log in first.
const SSH_PATIENCE: Duration = Duration::from_secs(30);
/// How long the head of any other answer may take: a build's upload, a stop with a long grace.
const CALL_TIMEOUT: u64 = 3600;
/// How long a connection is kept for the next call.
const IDLE: Duration = Duration::from_secs(30);
/// How many connections are kept.
const KEPT: usize = 8;

/// The body of a request, as bollard has it.
pub(super) type Body = Either<Full<Bytes>, StreamBody<Pin<Box<dyn Stream<Item = Part> + Send>>>>;
type Part = Result<Frame<Bytes>, io::Error>;

/// Calls the engine, where bollard has no call for it.
pub(super) type Caller = Client<Dialer, Body>;

/// What an engine says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Facts {
    /// Whether it is Podman.
    pub is_podman: bool,
    /// Its version of the API, as minor: 41 is 1.41.
    pub api: u32,
}

impl Facts {
    fn read(headers: &HeaderMap) -> Self {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        Self {
            is_podman: text("libpod-api-version").is_some(),
            api: text("api-version")
                .and_then(|version| version.strip_prefix("1.")?.parse().ok())
                .unwrap_or_default(),
        }
    }

    /// Whether it has BuildKit: Docker from API 1.39, 18.09, on.
    pub fn has_buildkit(&self) -> bool {
        !self.is_podman && self.api >= 39
    }
}

impl Docker {
    /// Connects to the engine that `--host`, the environment or Docker's configuration names,
    /// and makes sure that it answers.
    ///
    /// One short call. Requests carry no version, so the engine answers with its own newest, and what is used here has
    /// been stable since 1.25.
    pub async fn connect(host: Option<&str>) -> Result<Self, ConnectionError> {
        let endpoint = Box::new(endpoint::resolve(host, &Environment::read())?);
        let dialer = Dialer::new(way(&endpoint)?);
        // Another connection to a socket costs nothing; a login does.
        let kept = match endpoint.kind {
            Kind::Unix(_) | Kind::Tcp(_) => 0,
            Kind::Tls { .. } | Kind::Ssh(_) => KEPT,
        };
        let caller: Caller = Client::builder(TokioExecutor::new())
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(kept)
            .pool_timer(TokioTimer::new())
            .build(dialer);
        let transport = {
            let caller = caller.clone();
            move |request: BollardRequest| {
                let answer = caller.request(request);
                async move { Ok(answer.await?) }
            }
        };
        let client = bollard::Docker::connect_with_custom_transport(
            transport,
            Some("http://docker"),
            CALL_TIMEOUT,
            bollard::API_DEFAULT_VERSION,
        );
        let client = client.map_err(|error| refusal(&endpoint, &error))?;
        let patience = match endpoint.kind {
            Kind::Ssh(_) => SSH_PATIENCE,
            _ => PATIENCE,
        };
        let facts = match tokio::time::timeout(patience, ping(&caller)).await {
            Ok(Ok(Ok(facts))) => facts,
            Ok(Ok(Err(answer))) => return Err(ConnectionError::Strange { endpoint, answer }),
            Ok(Err(error)) => return Err(refusal(&endpoint, &error)),
            Err(_) => return Err(ConnectionError::Silent { endpoint, patience }),
        };
        Ok(Self {
            client,
            caller: Arc::new(caller),
            endpoint,
            facts,
        })
    }

    /// The engine's address.
    pub fn address(&self) -> &str {
        &self.endpoint.address
    }

    /// Whether it is on this machine.
    pub fn is_local(&self) -> bool {
        matches!(self.endpoint.kind, Kind::Unix(_))
    }

    /// Whether it still answers.
    pub async fn is_there(&self) -> bool {
        matches!(
            tokio::time::timeout(PATIENCE, ping(&self.caller)).await,
            Ok(Ok(Ok(_)))
        )
    }

    /// Makes a call that bollard doesn't have.
    pub(super) async fn call(
        &self,
        request: Request<Body>,
    ) -> Result<Response<Incoming>, bollard::errors::Error> {
        Ok(self.caller.request(request).await?)
    }
}

/// The folder of Docker's configuration.
pub(super) fn configuration() -> Option<std::path::PathBuf> {
    Environment::read().configuration()
}

/// An empty body.
pub(super) fn nothing() -> Body {
    Either::Left(Full::new(Bytes::new()))
}

fn way(endpoint: &Endpoint) -> Result<Way, ConnectionError> {
    Ok(match &endpoint.kind {
        Kind::Unix(path) => Way::Unix(path.clone()),
        Kind::Tcp(authority) => Way::Tcp(authority.clone()),
        Kind::Tls { authority, files } => Way::Tls {
            authority: authority.clone(),
            name: server_name(authority).ok_or_else(|| ConnectionError::NoName {
                endpoint: Box::new(endpoint.clone()),
            })?,
            config: Arc::new(files.read().map_err(|source| ConnectionError::Tls {
                endpoint: Box::new(endpoint.clone()),
                source: Box::new(source),
            })?),
        },
        Kind::Ssh(arguments) => Way::Ssh(arguments.clone()),
    })
}

/// The name that the certificate of `host:port` has to have.
fn server_name(authority: &str) -> Option<ServerName<'static>> {
    let (host, _) = authority.rsplit_once(':')?;
    let host = host.trim_start_matches('[').trim_end_matches(']');
    ServerName::try_from(host.to_owned()).ok()
}

/// Asks whether an engine is there; an answer that is none of an engine's comes back as text.
async fn ping(caller: &Caller) -> Result<Result<Facts, String>, bollard::errors::Error> {
    let request = Request::get("http://docker/_ping").body(nothing())?;
    let answer = caller.request(request).await?;
    let status = answer.status();
    if status.is_success() && answer.headers().contains_key("api-version") {
        return Ok(Ok(Facts::read(answer.headers())));
    }
    let said = Answer::refused(answer).await;
    Ok(Err(format!("{status}: {said}")))
}

/// Tells what can't be dialled from something that answers strangely.
fn refusal(endpoint: &Endpoint, error: &bollard::errors::Error) -> ConnectionError {
    let endpoint = Box::new(endpoint.clone());
    let mut answer = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<io::Error>() {
            let source = if error.kind() == io::ErrorKind::NotFound && matches!(endpoint.kind, Kind::Unix(_))
            {
                io::Error::new(error.kind(), "there is no such socket")
            } else {
                io::Error::new(error.kind(), error.to_string())
            };
            return ConnectionError::Unreachable { endpoint, source };
        }
        // The causes above the last only say that there was one.
        answer = error.to_string();
        cause = error.source();
    }
    ConnectionError::Strange { endpoint, answer }
}
