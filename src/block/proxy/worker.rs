//! One thread that serves connections: its own runtime, pools, counts and clock, so that requests share next to nothing.

use std::cell::{Cell, RefCell};
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use hyper::body::Incoming;
use hyper::header::HeaderValue;
use hyper::rt::Executor;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper::{Request, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::sync::{Notify, OwnedSemaphorePermit, mpsc};
use tokio_rustls::TlsAcceptor;

use super::arms::Arms;
use super::backend::Backends;
use super::balance;
use super::certificate::Pair;
use super::direction::Direction;
use super::http;
use super::metrics::Counts;
use super::published::Published;
use super::settings::{Mode, Settings};
use super::stream::{Activity, Clock, Stream};
use super::supervision::{Limits, Phase, Register, TICK, Watched};
use super::tunnel;
use super::upstream::Peer;

/// How often connections are judged while the process ends.
const LAST_TICK: Duration = Duration::from_millis(20);
/// How often unused connections to backends are looked at while there is no client.
const SLOW_TICK: Duration = Duration::from_secs(5);
/// Requests that one connection of HTTP/2 may have in flight.
const MOST_STREAMS: u32 = 256;

/// What all workers share.
pub struct Shared {
    /// What the flags say.
    pub settings: Arc<Settings>,
    /// One for each group.
    pub backends: Vec<Arc<Backends>>,
    /// How requests are assigned to groups.
    pub arms: Option<Arc<Arms>>,
    /// What the block decides by itself.
    pub direction: Arc<dyn Direction>,
    /// What TLS is spoken with.
    pub certificate: Option<Arc<Published<Pair>>>,
}

/// What a worker is told.
pub enum Message {
    /// Serve this client.
    Serve(Client),
    /// Let everything end.
    Drain,
}

/// A client that was accepted.
pub struct Client {
    /// Its connection.
    pub stream: std::net::TcpStream,
    /// Its address.
    pub address: SocketAddr,
    /// The listener that it came to.
    pub route: usize,
    /// Its place among the connections at once.
    pub permit: OwnedSemaphorePermit,
}

/// One worker's own.
pub struct Worker {
    shared: Arc<Shared>,
    /// What it counts.
    pub counts: Arc<Counts>,
    /// Milliseconds since it started, to the tick.
    pub clock: Clock,
    /// Its connections.
    pub register: Rc<Register>,
    views: RefCell<Vec<View>>,
    started: Instant,
    draining: Cell<u32>,
    busy: Notify,
    http1: http1::Builder,
    http2: http2::Builder<Local>,
}

/// The backends of a group as one thread knows them.
#[derive(Default)]
pub struct View {
    version: u64,
    peers: Vec<Rc<Peer>>,
}

impl View {
    /// The backends now, with the connections to those that stayed.
    pub fn peers(&mut self, backends: &Backends, clock: &Clock) -> &[Rc<Peer>] {
        let version = backends.current.version();
        if self.version != version {
            let known = std::mem::take(&mut self.peers);
            self.peers = backends
                .current
                .get()
                .iter()
                .map(|backend| {
                    let same = known.iter().find(|peer| Arc::ptr_eq(&peer.backend, backend));
                    same.map_or_else(|| Peer::new(Arc::clone(backend), Arc::clone(clock)), Rc::clone)
                })
                .collect();
            self.version = version;
        }
        &self.peers
    }

    /// Closes connections that were not used for long.
    pub fn sweep(&self) {
        for peer in &self.peers {
            peer.sweep();
        }
    }
}

/// A client's connection, as its requests see it.
pub struct Connection {
    /// Who serves it.
    pub worker: Rc<Worker>,
    /// Its place in the register.
    pub watched: Rc<Watched>,
    /// The listener that it came to.
    pub route: usize,
    /// The client's address and port.
    pub client_name: String,
    /// The client's address as a header's value.
    pub client_value: HeaderValue,
    /// Stands for the client's address.
    pub client_key: u64,
    /// It came over TLS.
    pub is_secure: bool,
    _permit: OwnedSemaphorePermit,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.worker.counts.open.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Runs tasks on the worker's own thread.
#[derive(Debug, Clone, Copy)]
struct Local;

impl<F: Future + 'static> Executor<F> for Local {
    fn execute(&self, task: F) {
        tokio::task::spawn_local(task);
    }
}

impl Worker {
    /// A worker without connections.
    pub fn new(shared: Arc<Shared>, counts: Arc<Counts>) -> Rc<Self> {
        let header = usize::try_from(shared.settings.passing.max_header).unwrap_or(usize::MAX);
        let mut http1 = http1::Builder::new();
        http1
            .header_read_timeout(None)
            // One plain write costs less than a vectored one, and bodies come in small pieces.
            .writev(false)
            .max_buf_size(header);
        let mut http2 = http2::Builder::new(Local);
        http2
            .timer(TokioTimer::new())
            .max_concurrent_streams(MOST_STREAMS)
            .max_header_list_size(u32::try_from(header).unwrap_or(u32::MAX));
        let views = shared.backends.iter().map(|_| View::default()).collect();
        Rc::new(Self {
            shared,
            counts,
            clock: Clock::new(1.into()),
            register: Rc::default(),
            views: RefCell::new(views),
            started: Instant::now(),
            draining: Cell::new(0),
            busy: Notify::new(),
            http1,
            http2,
        })
    }

    /// What the flags say.
    pub fn settings(&self) -> &Settings {
        &self.shared.settings
    }

    /// How requests are assigned to groups.
    pub fn arms(&self) -> Option<&Arms> {
        self.shared.arms.as_deref()
    }

    /// What the block decides by itself.
    pub fn direction(&self) -> &dyn Direction {
        &*self.shared.direction
    }

    /// Whether the process ends.
    pub fn is_draining(&self) -> bool {
        self.draining.get() != 0
    }

    /// The host that requests mean which name none: the first of the backends of their group.
    pub fn backends_name(&self, group: usize) -> HeaderValue {
        self.shared.backends[group].authority.clone()
    }

    /// A request's turn among those of its group. It has one, however often it is sent.
    pub fn turn(&self, group: usize) -> usize {
        self.shared.backends[group].turn.fetch_add(1, Ordering::Relaxed)
    }

    /// Shows the backends of a group.
    pub fn with_peers<T>(&self, group: usize, show: impl FnOnce(&[Rc<Peer>]) -> T) -> T {
        let mut views = self.views.borrow_mut();
        show(views[group].peers(&self.shared.backends[group], &self.clock))
    }

    fn tick(&self) -> u32 {
        let now = u32::try_from(self.started.elapsed().as_millis())
            .unwrap_or(u32::MAX)
            .saturating_add(1);
        self.clock.store(now, Ordering::Relaxed);
        now
    }

    /// Serves what it is sent, until it is told to drain and everything has ended or `drain` is over.
    pub async fn run(self: Rc<Self>, mut messages: mpsc::UnboundedReceiver<Message>) {
        let passing = &self.settings().passing;
        let limits = Limits::new(
            passing.header_timeout,
            passing.idle_timeout,
            passing.tunnel_timeout,
            passing.stall_timeout,
        );
        let drain = passing.drain;
        let sweeper = tokio::task::spawn_local(Rc::clone(&self).sweep(limits));
        while let Some(Message::Serve(client)) = messages.recv().await {
            self.tick();
            self.busy.notify_one();
            tokio::task::spawn_local(serve(Rc::clone(&self), client));
        }
        sweeper.abort();
        self.draining.set(self.tick());
        let deadline = Instant::now() + drain;
        while !self.register.is_empty() {
            self.register.sweep(limits, self.tick(), self.draining.get());
            tokio::time::sleep(LAST_TICK).await;
            if Instant::now() > deadline {
                self.register.abort();
                tokio::time::sleep(LAST_TICK).await;
                return;
            }
        }
    }

    async fn sweep(self: Rc<Self>, limits: Limits) {
        loop {
            if self.register.is_empty() {
                let _ = tokio::time::timeout(SLOW_TICK, self.busy.notified()).await;
            }
            tokio::time::sleep(TICK).await;
            self.register.sweep(limits, self.tick(), 0);
            for view in self.views.borrow().iter() {
                view.sweep();
            }
        }
    }
}

/// Serves one client until its connection ends.
async fn serve(worker: Rc<Worker>, client: Client) {
    let Ok(stream) = TcpStream::from_std(client.stream) else {
        worker.counts.open.fetch_sub(1, Ordering::Relaxed);
        return;
    };
    let _ = stream.set_nodelay(true);
    let now = worker.clock.load(Ordering::Relaxed);
    let activity = Arc::new(Activity::new(Arc::clone(&worker.clock)));
    let entry = worker.register.enter(Arc::clone(&activity), Phase::Opening, now);
    let address = SocketAddr::new(client.address.ip().to_canonical(), client.address.port());
    let connection = Connection {
        watched: Rc::clone(&entry.watched),
        route: client.route,
        client_name: address.to_string(),
        client_value: HeaderValue::from_str(&address.ip().to_string())
            .unwrap_or_else(|_| HeaderValue::from_static("unknown")),
        client_key: match address.ip() {
            IpAddr::V4(address) => balance::key(&address.octets()),
            IpAddr::V6(address) => balance::key(&address.octets()),
        },
        is_secure: worker.shared.certificate.is_some(),
        _permit: client.permit,
        worker,
    };
    entry
        .watched
        .supervise(open(Rc::new(connection), stream, activity))
        .await;
}

async fn open(connection: Rc<Connection>, stream: TcpStream, activity: Arc<Activity>) {
    let worker = &connection.worker;
    let mode = worker.settings().mode;
    let (stream, is_http2) = if let Some(certificate) = &worker.shared.certificate {
        let acceptor = TlsAcceptor::from(Arc::clone(&certificate.get().config));
        let Ok(stream) = acceptor.accept(stream).await else {
            worker.counts.handshakes_failed.fetch_add(1, Ordering::Relaxed);
            return;
        };
        let is_http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
        (Stream::tls(stream, activity), is_http2)
    } else {
        let mut stream = Stream::plain(stream, activity);
        let is_http2 = match mode {
            Mode::Tcp => false,
            Mode::Http => match stream.sniff().await {
                Ok(is_http2) => is_http2,
                Err(_) => return,
            },
        };
        (stream, is_http2)
    };
    match mode {
        Mode::Tcp => tunnel::pass(&connection, stream).await,
        Mode::Http if is_http2 => serve_http2(connection, stream).await,
        Mode::Http => serve_http1(connection, stream).await,
    }
}

async fn serve_http1(connection: Rc<Connection>, stream: Stream) {
    let worker = Rc::clone(&connection.worker);
    let watched = Rc::clone(&connection.watched);
    watched.enter(Phase::Http1, worker.clock.load(Ordering::Relaxed));
    let service = service_fn(move |request: Request<Incoming>| http::answer(Rc::clone(&connection), request));
    let mut served = pin!(
        worker
            .http1
            .serve_connection(TokioIo::new(stream), service)
            .with_upgrades()
    );
    let mut told = false;
    let result = std::future::poll_fn(|context| {
        if !told && watched.must_finish() {
            told = true;
            served.as_mut().graceful_shutdown();
        }
        served.as_mut().poll(context)
    })
    .await;
    // What could not be read as a request is answered by hyper; it is counted here.
    if let Err(error) = result
        && error.is_parse()
    {
        let status = if error.is_parse_too_large() {
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE
        } else {
            StatusCode::BAD_REQUEST
        };
        worker.counts.refused(status.as_u16());
    }
}

async fn serve_http2(connection: Rc<Connection>, stream: Stream) {
    let worker = Rc::clone(&connection.worker);
    let watched = Rc::clone(&connection.watched);
    watched.enter(Phase::Http2, worker.clock.load(Ordering::Relaxed));
    let service = service_fn(move |request: Request<Incoming>| http::answer(Rc::clone(&connection), request));
    let mut served = pin!(worker.http2.serve_connection(TokioIo::new(stream), service));
    let mut told = false;
    // A client that breaks off is no event.
    let _ = std::future::poll_fn(|context| {
        if !told && watched.must_finish() {
            told = true;
            served.as_mut().graceful_shutdown();
        }
        served.as_mut().poll(context)
    })
    .await;
}
