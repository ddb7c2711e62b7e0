//! The HTTP side: a reverse proxy that sends each request to the shard that owns its key.

use std::convert::Infallible;
use std::error::Error as _;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{Either, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::header::{CONNECTION, CONTENT_LENGTH, HOST, HeaderMap, HeaderValue, RETRY_AFTER, VIA};
use hyper::http::uri::{Authority, PathAndQuery, Scheme};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode, Uri, Version};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::control::accept;
use super::settings::{Key, Settings};
use super::shards::{Outcome, Shards};
use crate::block::http_echo;
use crate::block::proxy::headers;
use crate::block::server::text;

/// How long a client may take to send a request's head.
const HEADER_TIMEOUT: Duration = Duration::from_secs(30);
/// How long an unused connection to a shard is kept: shorter than servers do, so that seldom one closes in between.
const KEEP: Duration = Duration::from_secs(4);
/// Unused connections that are kept to one shard.
const MOST_KEPT: usize = 512;
/// How long a connection without a request may stay once the process ends: its request may be on its way.
const DRAIN_IDLE: Duration = Duration::from_millis(500);

type Answer = Response<Either<Incoming, Full<Bytes>>>;

/// Why a request is answered here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Refusal(StatusCode, &'static str);

const TOO_LARGE: Refusal = Refusal(
    StatusCode::PAYLOAD_TOO_LARGE,
    "the request's body is larger than `--max-request`",
);
const NO_KEY: Refusal = Refusal(StatusCode::BAD_REQUEST, "the request has no key");
const NO_SHARD: Refusal = Refusal(StatusCode::SERVICE_UNAVAILABLE, "no shard is left");
const UNREACHABLE: Refusal = Refusal(StatusCode::BAD_GATEWAY, "the shard can't be reached");
const BROKEN: Refusal = Refusal(StatusCode::BAD_GATEWAY, "the shard closed the connection");
const LATE: Refusal = Refusal(StatusCode::GATEWAY_TIMEOUT, "the shard did not answer in time");

struct Proxy {
    settings: Arc<Settings>,
    shards: Arc<Shards>,
    authorities: Vec<Option<Authority>>,
    client: Client<HttpConnector, Limited<Incoming>>,
}

/// Serves until it is told to stop; then accepts no more, and lets what is in flight end within the drain.
pub async fn serve(
    listener: TcpListener,
    settings: Arc<Settings>,
    shards: Arc<Shards>,
    stopping: watch::Receiver<bool>,
) {
    let flags = &settings.flags;
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    connector.set_connect_timeout(Some(flags.connect_timeout));
    let client = Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(KEEP)
        .pool_max_idle_per_host(MOST_KEPT)
        .set_host(false)
        .build(connector);
    let authority = |shard: &super::shards::Shard| {
        let (host, port) = (&shard.upstream.host, shard.upstream.port);
        let text = if host.contains(':') {
            format!("[{host}]:{port}")
        } else {
            format!("{host}:{port}")
        };
        text.parse().ok()
    };
    let (most, drain) = (usize::try_from(flags.clients).unwrap_or(usize::MAX), flags.drain);
    let proxy = Arc::new(Proxy {
        authorities: shards.list.iter().map(authority).collect(),
        client,
        settings: Arc::clone(&settings),
        shards: Arc::clone(&shards),
    });
    let graceful = GracefulShutdown::new();
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT);
    let hand_over = |stream, permit| {
        let Ok(stream) = TcpStream::from_std(stream) else {
            return;
        };
        let _ = stream.set_nodelay(true);
        shards.connections.fetch_add(1, Ordering::Relaxed);
        shards.clients.fetch_add(1, Ordering::Relaxed);
        let proxy = Arc::clone(&proxy);
        let service = service_fn(move |request| {
            let proxy = Arc::clone(&proxy);
            async move { Ok::<_, Infallible>(proxy.answer(request).await) }
        });
        let connection = graceful.watch(builder.serve_connection(TokioIo::new(stream), service));
        let shards = Arc::clone(&shards);
        tokio::spawn(async move {
            // A client that breaks off is no event.
            let _ = connection.await;
            shards.clients.fetch_sub(1, Ordering::Relaxed);
            drop(permit);
        });
    };
    accept(listener, most, stopping, hand_over).await;
    let ended = async {
        tokio::time::sleep(DRAIN_IDLE).await;
        graceful.shutdown().await;
    };
    let _ = tokio::time::timeout(drain, ended).await;
}

impl Proxy {
    async fn answer(&self, request: Request<Incoming>) -> Answer {
        let mut answer = match self.pass(request).await {
            Ok(response) => response.map(Either::Left),
            Err(Refusal(status, reason)) => {
                let reason = format!(
                    "{} {}: {reason}\n",
                    status.as_u16(),
                    status.canonical_reason().unwrap_or_default()
                );
                let mut answer = text(status, reason).map(Either::Right);
                if status == StatusCode::SERVICE_UNAVAILABLE {
                    answer
                        .headers_mut()
                        .insert(RETRY_AFTER, HeaderValue::from_static("1"));
                }
                answer
            }
        };
        if self.shards.draining.load(Ordering::Relaxed) {
            answer
                .headers_mut()
                .insert(CONNECTION, HeaderValue::from_static("close"));
        }
        answer
    }

    async fn pass(&self, request: Request<Incoming>) -> Result<Response<Incoming>, Refusal> {
        let refuse = |refusal| {
            self.shards.refused.fetch_add(1, Ordering::Relaxed);
            refusal
        };
        check(&request).map_err(refuse)?;
        let most = self.settings.most;
        if declared(request.headers()).is_some_and(|length| length > most as u64) {
            return Err(refuse(TOO_LARGE));
        }
        let key =
            key(&self.settings.flags.key, request.uri(), request.headers()).ok_or_else(|| refuse(NO_KEY))?;
        let place = self.shards.owner(&key).ok_or_else(|| refuse(NO_SHARD))?;
        let authority = self.authorities[place].clone().ok_or(UNREACHABLE)?;
        let outgoing = outgoing(request, authority).ok_or(NO_KEY)?;
        let answer = self.client.request(outgoing.map(|body| Limited::new(body, most)));
        let shard = &self.shards.list[place];
        let answer = tokio::time::timeout(self.settings.flags.timeout, answer).await;
        let (outcome, refusal) = match answer {
            Ok(Ok(mut response)) => {
                shard.count(Outcome::Answered, 1);
                headers::strip(response.headers_mut());
                *response.version_mut() = Version::HTTP_11;
                return Ok(response);
            }
            Ok(Err(error)) if error.is_connect() => (Outcome::Failed, UNREACHABLE),
            Ok(Err(error)) if is_too_large(&error) => return Err(refuse(TOO_LARGE)),
            Ok(Err(_)) => (Outcome::Failed, BROKEN),
            Err(_) => (Outcome::TimedOut, LATE),
        };
        shard.count(outcome, 1);
        self.shards.failed(place, refusal.1);
        Err(refusal)
    }
}

/// Whether it is the client's body that was too large.
fn is_too_large(error: &hyper_util::client::legacy::Error) -> bool {
    let mut source = error.source();
    while let Some(error) = source {
        if error.is::<LengthLimitError>() {
            return true;
        }
        source = error.source();
    }
    false
}

fn declared(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Refuses what could be read in two ways.
fn check(request: &Request<Incoming>) -> Result<(), Refusal> {
    if *request.method() == Method::CONNECT {
        return Err(Refusal(StatusCode::NOT_IMPLEMENTED, "CONNECT is not supported"));
    }
    if !headers::is_framing_plain(request.headers()) {
        let reason = "only the transfer coding `chunked` is supported";
        return Err(Refusal(StatusCode::NOT_IMPLEMENTED, reason));
    }
    let host = headers::host(request.headers()).map_err(|reason| Refusal(StatusCode::BAD_REQUEST, reason))?;
    if host.is_none() && request.version() == Version::HTTP_11 {
        return Err(Refusal(StatusCode::BAD_REQUEST, "the Host header is missing"));
    }
    Ok(())
}

/// The request as the shard gets it; its `Host`, its trace and its cookies are the client's.
fn outgoing(mut request: Request<Incoming>, authority: Authority) -> Option<Request<Incoming>> {
    let named = request.uri().authority().map(ToString::to_string);
    let mut parts = std::mem::take(request.uri_mut()).into_parts();
    parts.scheme = Some(Scheme::HTTP);
    parts
        .path_and_query
        .get_or_insert_with(|| PathAndQuery::from_static("/"));
    let headers = request.headers_mut();
    headers::strip(headers);
    // A target in absolute form overrides the header (RFC 9112, 3.2.2); what has neither is meant for the shard.
    if let Some(host) = named.or_else(|| (!headers.contains_key(HOST)).then(|| authority.to_string())) {
        headers.insert(HOST, HeaderValue::from_str(&host).ok()?);
    }
    let own = HeaderValue::from_static("1.1 motif");
    let via = headers::joined(headers, &VIA, &own).unwrap_or(own);
    headers.insert(VIA, via);
    parts.authority = Some(authority);
    *request.uri_mut() = Uri::from_parts(parts).ok()?;
    *request.version_mut() = Version::HTTP_11;
    Some(request)
}

/// The key of a request; nothing where it has none.
fn key(kind: &Key, uri: &Uri, headers: &HeaderMap) -> Option<Vec<u8>> {
    let found = match kind {
        Key::Path => uri.path().as_bytes().to_vec(),
        Key::Header(name) => headers.get(name)?.as_bytes().to_vec(),
        Key::Query(name) => http_echo::query(uri.query()?).remove(name)?.into_bytes(),
        Key::Pattern(pattern) => {
            let target = uri.path_and_query().map_or("/", PathAndQuery::as_str);
            let found = pattern.captures(target)?;
            let group = if found.len() > 1 {
                found.get(1)
            } else {
                found.get(0)
            };
            group?.as_str().as_bytes().to_vec()
        }
    };
    (!found.is_empty()).then_some(found)
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderName;

    use super::*;

    #[test]
    fn a_key_is_a_part_of_the_request() {
        let check = |kind: &str, target: &str, expect: Option<&str>| {
            let kind: Key = kind.parse().unwrap();
            let uri: Uri = target.parse().unwrap();
            let headers = [("x-user", "ann"), ("x-empty", "")]
                .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
                .into_iter()
                .collect();
            let found = key(&kind, &uri, &headers).map(|key| String::from_utf8(key).unwrap());
            assert_eq!(found.as_deref(), expect, "{kind:?} {target}");
        };
        check("path", "/a/b?c", Some("/a/b"));
        check("path", "http://host/a", Some("/a"));
        check("header:X-User", "/", Some("ann"));
        check("header:x-empty", "/", None);
        check("header:x-none", "/", None);
        check("query:id", "/a?x=1&id=a%20b", Some("a b"));
        check("query:id", "/a?x=1", None);
        check("query:id", "/a", None);
        check("pattern:^/users/([0-9]+)", "/users/42/orders?x", Some("42"));
        check("pattern:^/users/([0-9]+)", "/users/ann", None);
        check("pattern:tenant=[a-z]+", "/a?tenant=b", Some("tenant=b"));
        check("pattern:/(a)?/", "/x//", None);
    }
}
