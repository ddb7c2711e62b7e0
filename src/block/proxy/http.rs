//! Answers one request: asks a backend, another one if that fails, and passes on what it says.

use std::cell::Cell;
use std::convert::Infallible;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use hyper::body::{Body, Incoming};
use hyper::header::{
    CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, EXPECT, HOST, HeaderMap, HeaderValue, RETRY_AFTER, SET_COOKIE,
    TE, UPGRADE, VIA,
};
use hyper::upgrade::OnUpgrade;
use hyper::{Method, Request, Response, StatusCode, Uri, Version};

use super::balance;
use super::body::{BackendBody, Gate, Passing, Progress, RequestBody, ResponseBody, Streamed};
use super::exchange::Exchange;
use super::headers::{
    self, TRACEPARENT, TRACESTATE, X_FORWARDED_FOR, X_FORWARDED_HOST, X_FORWARDED_PROTO, X_MOTIF_BACKEND,
};
use super::retry::{self, Failed, Next};
use super::shadow::Copying;
use super::supervision::at_least;
use super::trace;
use super::tunnel;
use super::upstream::{Lease, Line, Peer};
use super::wire::{self, WireBody};
use super::worker::Connection;

/// The largest body that is read before it is sent on: it is then at hand, and can be sent again.
const REPLAYABLE: u64 = 64 * 1024;

/// Why the proxy answers by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Refusal {
    BadRequest(&'static str),
    ClientTimeout,
    TooLarge,
    NotSupported(&'static str),
    BadGateway(&'static str),
    NoBackend,
    GatewayTimeout,
}

impl Refusal {
    fn status(self) -> StatusCode {
        match self {
            Self::BadRequest(_) => StatusCode::BAD_REQUEST,
            Self::ClientTimeout => StatusCode::REQUEST_TIMEOUT,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::NotSupported(_) => StatusCode::NOT_IMPLEMENTED,
            Self::BadGateway(_) => StatusCode::BAD_GATEWAY,
            Self::NoBackend => StatusCode::SERVICE_UNAVAILABLE,
            Self::GatewayTimeout => StatusCode::GATEWAY_TIMEOUT,
        }
    }

    fn reason(self) -> &'static str {
        match self {
            Self::BadRequest(reason) | Self::NotSupported(reason) | Self::BadGateway(reason) => reason,
            Self::ClientTimeout => "the request did not arrive in time",
            Self::TooLarge => "the request's body is too large",
            Self::NoBackend => "no backend is ready",
            Self::GatewayTimeout => "the backend did not answer in time",
        }
    }
}

/// What is sent to a backend; may be sent again while `body` can be made again.
struct Outgoing {
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: RequestBody,
    gate: Option<Arc<Gate>>,
    /// It asks to change the protocol.
    upgrade: bool,
}

impl Outgoing {
    /// Whether it can be sent by the request's own task, and again.
    fn is_at_hand(&self) -> bool {
        !matches!(self.body, RequestBody::Stream(_)) && !self.upgrade
    }

    fn as_wire(&self) -> wire::Outgoing<'_> {
        wire::Outgoing {
            method: &self.method,
            uri: &self.uri,
            headers: &self.headers,
            body: match &self.body {
                RequestBody::Whole(bytes) => Some(bytes),
                RequestBody::Empty | RequestBody::Stream(_) => None,
            },
        }
    }

    /// A copy, where the body allows it.
    fn copy(&self) -> Option<Self> {
        let body = match &self.body {
            RequestBody::Empty => RequestBody::Empty,
            RequestBody::Whole(bytes) => RequestBody::Whole(bytes.clone()),
            RequestBody::Stream(_) => return None,
        };
        Some(Self {
            method: self.method.clone(),
            uri: self.uri.clone(),
            headers: self.headers.clone(),
            body,
            gate: None,
            upgrade: self.upgrade,
        })
    }

    fn into_request(self) -> Request<RequestBody> {
        let mut request = Request::new(self.body);
        *request.method_mut() = self.method;
        *request.uri_mut() = self.uri;
        *request.headers_mut() = self.headers;
        if let Some(gate) = self.gate {
            hyper::ext::on_informational(&mut request, move |response| {
                if response.status() == StatusCode::CONTINUE {
                    gate.open();
                }
            });
        }
        request
    }

    fn from_request(request: Request<RequestBody>, gate: Option<Arc<Gate>>, upgrade: bool) -> Self {
        let (head, body) = request.into_parts();
        Self {
            method: head.method,
            uri: head.uri,
            headers: head.headers,
            body,
            gate,
            upgrade,
        }
    }
}

/// Answers one request.
pub async fn answer(
    connection: Rc<Connection>,
    request: Request<Incoming>,
) -> Result<Response<ResponseBody>, Infallible> {
    let mut exchange = Exchange::begin(&connection, &request);
    let version = request.version();
    let mut must_close = false;
    let mut response = match pass(&mut exchange, request).await {
        Ok(Passed {
            response,
            peer,
            upgrade,
            is_unread,
        }) => {
            must_close = is_unread;
            finish(exchange, response, peer, upgrade, version)
        }
        Err(refusal) => refuse(exchange, refusal, version),
    };
    if (must_close || connection.worker.is_draining())
        && version != Version::HTTP_2
        && response.status() != StatusCode::SWITCHING_PROTOCOLS
    {
        response
            .headers_mut()
            .insert(CONNECTION, HeaderValue::from_static("close"));
    }
    Ok(response)
}

struct Passed {
    response: Response<BackendBody>,
    peer: Rc<Peer>,
    upgrade: Option<OnUpgrade>,
    /// The request's body was never asked for.
    is_unread: bool,
}

/// Whether a client waits to be told before it sends its body.
fn expects(headers: &HeaderMap) -> bool {
    headers
        .get(EXPECT)
        .is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue"))
}

async fn pass(exchange: &mut Exchange, mut request: Request<Incoming>) -> Result<Passed, Refusal> {
    let connection = Rc::clone(exchange.connection());
    let passing = &connection.worker.settings().passing;
    let version = request.version();
    let host = check(&request)?;
    if let Some(arms) = connection.worker.arms() {
        let (arm, cookie) = arms.assign(request.headers());
        exchange.assign(arm);
        exchange.cookie = cookie;
    }
    let upgrade = prepare(exchange, &mut request, host)?;
    let upgraded = upgrade.then(|| hyper::upgrade::on(&mut request));
    let declared = declared_length(&request);
    if declared.is_some_and(|length| length > passing.max_body) {
        return Err(Refusal::TooLarge);
    }
    let progress = Rc::new(Cell::new(Progress::Sending));
    let expects = expects(request.headers());
    let idempotent = retry::is_idempotent(request.method());
    let work = async {
        let copying = connection
            .worker
            .arms()
            .and_then(|arms| arms.copy(&request, declared, upgrade));
        let outgoing = outgoing(request, declared, passing.max_body, &progress, upgrade, copying).await?;
        send(exchange, &connection, outgoing, idempotent).await
    };
    let answered = if version == Version::HTTP_2 {
        // Several requests of one connection are in flight at once: each has a timer.
        tokio::time::timeout(passing.request_timeout, work).await.ok()
    } else {
        let now = connection.worker.clock.load(Ordering::Relaxed);
        let deadline = now.saturating_add(at_least(passing.request_timeout));
        connection.watched.until(deadline, work).await
    };
    let result = answered.unwrap_or(Err(Refusal::GatewayTimeout));
    match result {
        Ok((response, peer)) => {
            let switched = response.status() == StatusCode::SWITCHING_PROTOCOLS;
            if switched && upgraded.is_none() {
                return Err(Refusal::BadGateway("the backend changed the protocol unasked"));
            }
            Ok(Passed {
                response,
                peer,
                upgrade: upgraded.filter(|_| switched),
                // A client that was not told to send its body may not send it: what comes next would be taken for it.
                is_unread: expects && progress.get() == Progress::Sending,
            })
        }
        // What went wrong with the client's body explains what went wrong with the backend.
        Err(refusal) => Err(match (progress.get(), refusal) {
            (Progress::TooLarge, _) => Refusal::TooLarge,
            (Progress::Broken, _) => Refusal::BadRequest("the request's body is broken"),
            (Progress::Sending, Refusal::GatewayTimeout) if declared != Some(0) => Refusal::ClientTimeout,
            (_, refusal) => refusal,
        }),
    }
}

/// Refuses what could be read in two ways, and says which host is meant where the URI says it.
fn check(request: &Request<Incoming>) -> Result<Option<HeaderValue>, Refusal> {
    if *request.method() == Method::CONNECT {
        return Err(Refusal::NotSupported("CONNECT is not supported"));
    }
    if !headers::is_framing_plain(request.headers()) {
        return Err(Refusal::NotSupported(
            "only the transfer coding `chunked` is supported",
        ));
    }
    let host = headers::host(request.headers()).map_err(Refusal::BadRequest)?;
    if host.is_none() && request.version() == Version::HTTP_11 {
        return Err(Refusal::BadRequest("the Host header is missing"));
    }
    let uri = request.uri();
    let is_of_the_server = uri.path() == "*" && uri.authority().is_none();
    if is_of_the_server && *request.method() != Method::OPTIONS
        || uri.authority().is_some() && uri.scheme().is_none() && request.version() != Version::HTTP_2
    {
        return Err(Refusal::BadRequest("the target is neither a path nor a URL"));
    }
    match uri.authority() {
        // A target in absolute form, or of HTTP/2, overrides the header (RFC 9112, 3.2.2).
        Some(authority) if authority.as_str().contains('@') => {
            Err(Refusal::BadRequest("the target names a user"))
        }
        Some(authority) => HeaderValue::from_str(authority.as_str())
            .map(Some)
            .map_err(|_| Refusal::BadRequest("the target's host is not a host")),
        None => Ok(None),
    }
}

/// Turns the client's headers into those that the backend gets. Says whether the client asks to change the protocol.
fn prepare(
    exchange: &mut Exchange,
    request: &mut Request<Incoming>,
    host: Option<HeaderValue>,
) -> Result<bool, Refusal> {
    let connection = Rc::clone(exchange.connection());
    let version = request.version();
    if request.uri().authority().is_some() {
        let target = request.uri().path_and_query().cloned();
        *request.uri_mut() = target.map_or_else(|| Uri::from_static("/"), Uri::from);
    }
    let headers = request.headers_mut();
    let hop = headers::strip(headers);
    if version == Version::HTTP_2 {
        headers::join_cookies(headers);
    }
    if let Some(host) = host {
        headers.insert(HOST, host);
    }
    let trusted = connection.worker.settings().passing.trust_forwarded;
    let client = if trusted {
        headers::joined(headers, &X_FORWARDED_FOR, &connection.client_value)
            .ok_or(Refusal::BadRequest("X-Forwarded-For is broken"))?
    } else {
        connection.client_value.clone()
    };
    headers.insert(&X_FORWARDED_FOR, client);
    if !(trusted && headers.contains_key(&X_FORWARDED_PROTO)) {
        let scheme = if connection.is_secure { "https" } else { "http" };
        headers.insert(&X_FORWARDED_PROTO, HeaderValue::from_static(scheme));
    }
    if !(trusted && headers.contains_key(&X_FORWARDED_HOST)) {
        match headers.get(HOST).cloned() {
            Some(host) => headers.insert(&X_FORWARDED_HOST, host),
            None => headers.remove(&X_FORWARDED_HOST),
        };
    }
    if !trusted {
        headers.remove(hyper::header::FORWARDED);
    }
    // HTTP/1.1 requires it; what older clients, and some of HTTP/2, leave out is named after the backends.
    if !headers.contains_key(HOST) {
        headers.insert(HOST, connection.worker.backends_name(exchange.group()));
    }
    let mut parents = headers.get_all(&TRACEPARENT).iter();
    exchange.trace = match (parents.next(), parents.next()) {
        (Some(parent), None) => trace::trace_id(parent.as_bytes()),
        _ => None,
    };
    if exchange.trace.is_none() {
        // What belongs to a trace that can't be read belongs to no trace.
        headers.remove(&TRACESTATE);
        let made = trace::traceparent(fastrand::u128(..), fastrand::u64(..));
        exchange.trace = trace::trace_id(&made);
        if let Ok(made) = HeaderValue::from_bytes(&made) {
            headers.insert(&TRACEPARENT, made);
        }
    }
    let own = HeaderValue::from_static(match version {
        Version::HTTP_2 => "2.0 motif",
        Version::HTTP_10 => "1.0 motif",
        _ => "1.1 motif",
    });
    let via = headers::joined(headers, &VIA, &own).unwrap_or(own);
    headers.insert(VIA, via);
    if hop.trailers {
        headers.insert(TE, HeaderValue::from_static("trailers"));
        headers.insert(CONNECTION, HeaderValue::from_static("te"));
    }
    match hop.upgrade {
        Some(protocol) if version == Version::HTTP_11 => {
            headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
            headers.insert(UPGRADE, protocol);
            Ok(true)
        }
        _ => Ok(false),
    }
}

/// The length that the request says its body has; 0 where it has none; nothing where it is not known.
fn declared_length(request: &Request<Incoming>) -> Option<u64> {
    if request.body().is_end_stream() {
        return Some(0);
    }
    request.headers().get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// The request as a backend gets it: with a small body at hand where it may have to be sent again.
async fn outgoing(
    request: Request<Incoming>,
    declared: Option<u64>,
    allowed: u64,
    progress: &Rc<Cell<Progress>>,
    upgrade: bool,
    copying: Option<Copying>,
) -> Result<Outgoing, Refusal> {
    let (head, body) = request.into_parts();
    let expects = expects(&head.headers);
    let mut gate = None;
    let body = match declared {
        Some(0) => {
            progress.set(Progress::Sent);
            if let Some(copying) = copying {
                copying.send(None);
            }
            RequestBody::Empty
        }
        Some(1..=REPLAYABLE) if !expects => {
            let limit = usize::try_from(REPLAYABLE).unwrap_or(usize::MAX);
            let collected = Limited::new(body, limit).collect().await;
            let collected = collected.map_err(|_| Refusal::BadRequest("the request's body is broken"))?;
            progress.set(Progress::Sent);
            let bytes = collected.to_bytes();
            if let Some(copying) = copying {
                copying.send(Some(bytes.clone()));
            }
            RequestBody::Whole(bytes)
        }
        _ => {
            let mut streamed = Streamed::new(body, allowed, Rc::clone(progress)).copied(copying);
            if expects {
                let new = Arc::new(Gate::default());
                streamed = streamed.behind(Arc::clone(&new));
                gate = Some(new);
            }
            RequestBody::Stream(Box::new(streamed))
        }
    };
    Ok(Outgoing {
        method: head.method,
        uri: head.uri,
        headers: head.headers,
        body,
        gate,
        upgrade,
    })
}

/// Sends the request until a backend answers, as far as it may be sent again.
async fn send(
    exchange: &mut Exchange,
    connection: &Rc<Connection>,
    mut outgoing: Outgoing,
    idempotent: bool,
) -> Result<(Response<BackendBody>, Rc<Peer>), Refusal> {
    let settings = connection.worker.settings();
    let mut retries = settings.retries;
    let turn = connection.worker.turn(exchange.group());
    let mut tried = Vec::new();
    let mut same: Option<Rc<Peer>> = None;
    let replayable = !matches!(outgoing.body, RequestBody::Stream(_));
    loop {
        let kept;
        let peer = if let Some(peer) = same.take() {
            kept = None;
            peer
        } else {
            let mut chosen = choose(connection, exchange.group(), turn, &tried);
            if chosen.is_none() && exchange.may_fall_back() {
                exchange.fall_back();
                chosen = choose(connection, exchange.group(), turn, &tried);
            }
            let peer = match chosen {
                Some(peer) => peer,
                None if tried.is_empty() => return Err(Refusal::NoBackend),
                None => {
                    return Err(Refusal::BadGateway(
                        "no backend gave an answer that can be passed on",
                    ));
                }
            };
            exchange.ask(&peer.backend);
            kept = peer.kept(idempotent);
            peer
        };
        let lease = match kept {
            Some(lease) => Ok(lease),
            None => peer.connect(settings.passing.connect_timeout).await,
        };
        let attempted = match lease {
            Ok(lease) => attempt(lease, outgoing, idempotent).await,
            Err(_) => Err((Failed::Connect, Some(outgoing))),
        };
        let (failed, again) = match attempted {
            Ok(response) => return Ok((response, peer)),
            Err(failed) => failed,
        };
        if failed == Failed::Connect {
            peer.backend.suspect();
        }
        let may = retry::Request {
            idempotent,
            replayable,
            // The first arm is one more backend, whatever the retries.
            retries: retries.max(u32::from(exchange.may_fall_back())),
        };
        match (retry::next(failed, may), again) {
            (Next::SameBackend, Some(again)) => {
                outgoing = again;
                same = Some(peer);
            }
            (Next::AnotherBackend, Some(again)) => {
                outgoing = again;
                tried.push(peer.backend.address);
                match retries.checked_sub(1) {
                    Some(left) => retries = left,
                    None => exchange.fall_back(),
                }
            }
            (_, _) if failed == Failed::Connect => return Err(Refusal::BadGateway("no backend answered")),
            (_, _) => return Err(Refusal::BadGateway("the backend closed the connection")),
        }
    }
}

/// Sends the request once. What failed comes with the request, where it can be sent again.
async fn attempt(
    lease: Lease,
    outgoing: Outgoing,
    idempotent: bool,
) -> Result<Response<BackendBody>, (Failed, Option<Outgoing>)> {
    // What could not be sent on a new connection: it closed as soon as it was open, as good as none.
    let (unsent, broken) = if lease.reused {
        (Failed::Unsent, Failed::KeptClosed)
    } else {
        (Failed::Connect, Failed::Closed)
    };
    let line = match lease.line {
        Line::Wire(mut wire) if outgoing.is_at_hand() => {
            return match wire.ask(outgoing.as_wire()).await {
                Ok(head) => {
                    let mut response =
                        Response::new(BackendBody::Wire(WireBody::new(wire, head.framing, head.keep)));
                    *response.status_mut() = head.status;
                    *response.headers_mut() = head.headers;
                    Ok(response)
                }
                Err(wire::Error::Unsent(_)) => Err((unsent, Some(outgoing))),
                Err(wire::Error::Broken(_)) => Err((broken, Some(outgoing))),
            };
        }
        line => line,
    };
    let Ok(mut sender) = line.into_hyper().await else {
        return Err((unsent, Some(outgoing)));
    };
    let copy = if idempotent { outgoing.copy() } else { None };
    let (gate, upgrade) = (outgoing.gate.clone(), outgoing.upgrade);
    match sender.try_send_request(outgoing.into_request()).await {
        Ok(response) => Ok(response.map(|body| BackendBody::Hyper {
            body,
            sender: Some(sender),
        })),
        Err(mut error) => Err(match error.take_message() {
            Some(request) => (unsent, Some(Outgoing::from_request(request, gate, upgrade))),
            None => (broken, copy),
        }),
    }
}

/// The backend whose turn it is, of those that were not tried.
fn choose(
    connection: &Rc<Connection>,
    group: usize,
    turn: usize,
    tried: &[std::net::SocketAddr],
) -> Option<Rc<Peer>> {
    connection.worker.with_peers(group, |peers| {
        let candidates = peers
            .iter()
            .map(|peer| peer.backend.candidate(tried.contains(&peer.backend.address)));
        let balance = connection.worker.settings().balance;
        balance::choose(balance, candidates, turn, connection.client_key)
            .map(|place| Rc::clone(&peers[place]))
    })
}

/// Passes a backend's response on.
fn finish(
    mut exchange: Exchange,
    mut response: Response<BackendBody>,
    peer: Rc<Peer>,
    upgrade: Option<OnUpgrade>,
    version: Version,
) -> Response<ResponseBody> {
    exchange.status = response.status().as_u16();
    let switched = upgrade.is_some();
    let protocol = if switched {
        response.headers().get(UPGRADE).cloned()
    } else {
        None
    };
    headers::strip(response.headers_mut());
    if let Some(client) = upgrade {
        let backend = hyper::upgrade::on(&mut response);
        let headers = response.headers_mut();
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        if let Some(protocol) = protocol {
            headers.insert(UPGRADE, protocol);
        }
        headers.remove(CONTENT_LENGTH);
        tunnel::join(exchange.connection(), exchange.backend(), client, backend);
    }
    if let Some(cookie) = exchange.cookie.take() {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
    if let Some(name) = exchange.arm().and_then(|arm| arm.revealed.clone()) {
        response.headers_mut().insert(&X_MOTIF_BACKEND, name);
    }
    let (mut head, mut body) = response.into_parts();
    // Whatever the backend speaks, the proxy speaks HTTP/1.1 at least.
    head.version = Version::HTTP_11;
    if body.is_ended() {
        exchange.is_whole = true;
        if let Some(line) = body.release().filter(|_| !switched) {
            peer.keep(line);
        }
    }
    let mut passed = Passing::new(body, peer, exchange);
    // A client of HTTP/2 that gives no room keeps its body from ever being asked for.
    if version == Version::HTTP_2 && !passed.is_ended() {
        passed.watch();
    }
    Response::from_parts(head, ResponseBody::Passed(passed))
}

/// Answers in the backend's place.
fn refuse(mut exchange: Exchange, refusal: Refusal, version: Version) -> Response<ResponseBody> {
    let status = refusal.status();
    exchange.status = status.as_u16();
    exchange.is_whole = true;
    let unread = matches!(
        refusal,
        Refusal::BadRequest(_) | Refusal::ClientTimeout | Refusal::TooLarge | Refusal::NotSupported(_)
    );
    if unread {
        exchange
            .connection()
            .watched
            .activity
            .linger
            .store(true, Ordering::Relaxed);
    }
    let text = Bytes::from(format!(
        "{} {}: {}\n",
        status.as_u16(),
        status.canonical_reason().unwrap_or_default(),
        refusal.reason()
    ));
    let mut response = Response::new(ResponseBody::Own { text, exchange });
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static("text/plain; charset=utf-8"),
    );
    if refusal == Refusal::NoBackend {
        headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    if unread && version != Version::HTTP_2 {
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}
