//! `motif block key-value`: keys and values in memory, over the Redis protocol. One thread serves all clients.

mod glob;
mod store;

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Context;
use bytes::{Buf, BytesMut};
use clap::Parser;
use hyper::Request;
use hyper::body::Incoming;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::Instant;

use self::store::{About, Session, Store};
use super::catalogue::{Block, Error, Outcome};
use super::signal::Termination;
use super::{admin, duration, listen, log, resp, runtime, server, size};

/// The largest request, as in Redis, where the memory allows it.
const MOST_REQUEST: u64 = 512 * 1024 * 1024;
/// Bytes that are read at once, at least.
const ROOM: usize = 16 * 1024;
/// What is smaller than this may stay, whatever others have on their way.
const SMALL: usize = 64 * 1024;
/// A buffer that is larger than this is given back when it is empty.
const KEPT: usize = 256 * 1024;
/// Answers of this size are written before the next request is carried out.
const FULL: usize = 256 * 1024;
/// How long a client that said nothing may stay once the process ends: its request may be on its way.
const DRAIN_IDLE: Duration = Duration::from_millis(500);
/// How often keys that came to their end are looked for.
const EXPIRY_TICK: Duration = Duration::from_millis(100);
/// Of them, how many are taken away at once.
const EXPIRED_AT_ONCE: usize = 10_000;
/// How long to wait after the kernel refused a connection for want of resources.
const RETRY: Duration = Duration::from_millis(50);

/// Keep keys and values in memory, over the Redis protocol: a demo backend
///
/// Speaks RESP2 with strings: GET, SET, SETEX, DEL, EXISTS, INCR, APPEND, EXPIRE, TTL, MGET, MSET, KEYS, SCAN, INFO and
/// their like. Nothing is saved. A write that would take more than the memory is answered with `-OOM`.
#[derive(Debug, Clone, Parser)]
#[command(name = "key-value", max_term_width = 100)]
pub struct KeyValue {
    /// Address and port to serve on
    #[arg(long, env = "MOTIF_LISTEN", value_name = "ADDRESS", default_value = "0.0.0.0:6379", value_parser = listen::parse)]
    listen: SocketAddr,
    /// Address and port of /livez, /readyz and /metrics
    #[arg(long, env = "MOTIF_ADMIN", value_name = "ADDRESS", default_value = "0.0.0.0:9902", value_parser = listen::parse)]
    admin: SocketAddr,
    /// What keys and values may take; requests and answers on their way may take as much again
    #[arg(long, env = "MOTIF_MEMORY", value_name = "SIZE", default_value = "64Mi", value_parser = size::parse)]
    memory: u64,
    /// Clients at once; further ones are answered with an error
    #[arg(long, env = "MOTIF_CLIENTS", value_name = "COUNT", default_value = "10000", value_parser = clap::value_parser!(u32).range(1..))]
    clients: u32,
    /// Time that requests in flight have to end after SIGTERM
    #[arg(long, env = "MOTIF_DRAIN", value_name = "DURATION", default_value = "10s", value_parser = duration::parse)]
    drain: Duration,
}

impl Block for KeyValue {
    fn run(self) -> Result<Outcome, Error> {
        listen::keep_apart(self.listen, self.admin)?;
        if self.memory < 1024 {
            return Err(Error::configuration("`--memory` is below 1Ki"));
        }
        log::start("key-value");
        let ended = runtime::single()?.block_on(run(self));
        log::flush();
        ended.map(|()| Outcome::Done)
    }
}

/// What `/metrics` shows.
#[derive(Debug, Default)]
struct Numbers {
    clients: AtomicU64,
    connections: AtomicU64,
    refused: AtomicU64,
    commands: AtomicU64,
    hits: AtomicU64,
    misses: AtomicU64,
    expired: AtomicU64,
    keys: AtomicU64,
    used: AtomicU64,
}

/// Shows the numbers.
#[derive(Debug)]
struct Metrics(Arc<Numbers>);

impl Collector for Metrics {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), std::fmt::Error> {
        let numbers = &self.0;
        for (name, help, number) in [
            (
                "motif_connections",
                "Open connections of clients",
                &numbers.clients,
            ),
            ("motif_keys", "Keys that are held", &numbers.keys),
            ("motif_memory_bytes", "What keys and values take", &numbers.used),
        ] {
            let value = i64::try_from(number.load(Ordering::Relaxed)).unwrap_or(i64::MAX);
            ConstGauge::new(value).encode(encoder.encode_descriptor(
                name,
                help,
                None,
                MetricType::Gauge,
            )?)?;
        }
        for (name, help, number) in [
            (
                "motif_connections_accepted",
                "Connections that clients opened",
                &numbers.connections,
            ),
            (
                "motif_connections_refused",
                "Connections beyond the allowed",
                &numbers.refused,
            ),
            ("motif_requests", "Commands that were answered", &numbers.commands),
            ("motif_hits", "Reads that found their key", &numbers.hits),
            (
                "motif_misses",
                "Reads that did not find their key",
                &numbers.misses,
            ),
            ("motif_expired", "Keys that came to their end", &numbers.expired),
        ] {
            let value = number.load(Ordering::Relaxed);
            ConstCounter::new(value).encode(encoder.encode_descriptor(
                name,
                help,
                None,
                MetricType::Counter,
            )?)?;
        }
        Ok(())
    }
}

struct Server {
    store: RefCell<Store>,
    numbers: Arc<Numbers>,
    /// Bytes of requests that are not whole yet, and of answers that are not taken yet.
    buffered: Cell<u64>,
    settings: KeyValue,
    /// When the end began.
    stopping: watch::Receiver<Option<Instant>>,
}

/// The largest request and the largest answer.
fn most(memory: u64) -> usize {
    usize::try_from(memory.min(MOST_REQUEST)).unwrap_or(usize::MAX)
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

async fn run(settings: KeyValue) -> Result<(), Error> {
    let mut termination = Termination::listen()?;
    runtime::raise_file_limit();
    let main = listen::bind(settings.listen)?;
    let side = listen::bind(settings.admin)?;
    let address = main
        .local_addr()
        .context("failed to read the listening address")?;
    let admin_address = side
        .local_addr()
        .context("failed to read the listening address")?;
    let about = About {
        port: address.port(),
        process: std::process::id(),
        started: now(),
    };
    let (stop, stopping) = watch::channel(None);
    let drain = settings.drain;
    let server = Rc::new(Server {
        store: RefCell::new(Store::new(settings.memory, about)),
        numbers: Arc::default(),
        buffered: Cell::new(0),
        settings,
        stopping,
    });
    let (end, ending) = watch::channel(false);
    let draining = Arc::new(AtomicBool::new(false));
    let side = tokio::spawn(administer(
        side,
        Arc::clone(&server.numbers),
        Arc::clone(&draining),
        ending,
    ));
    log::info(
        "listening",
        json!({ "address": address.to_string(), "admin": admin_address.to_string() }),
    );
    let accepting = tokio::task::spawn_local(accept(Rc::clone(&server), main));
    let expiring = tokio::task::spawn_local(Rc::clone(&server).expire());
    let signal = termination.wait().await;
    log::info("draining", json!({ "signal": signal }));
    draining.store(true, Ordering::Relaxed);
    let _ = stop.send(Some(Instant::now()));
    let deadline = Instant::now() + drain;
    let _ = accepting.await;
    expiring.abort();
    while server.numbers.clients.load(Ordering::Relaxed) > 0 && Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let _ = end.send(true);
    let _ = side.await;
    log::info(
        "stopped",
        json!({ "served": server.numbers.commands.load(Ordering::Relaxed) }),
    );
    Ok(())
}

async fn administer(
    listener: TcpListener,
    numbers: Arc<Numbers>,
    draining: Arc<AtomicBool>,
    mut ending: watch::Receiver<bool>,
) {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Metrics(numbers)));
    let answer = move |request: Request<Incoming>, _| {
        let reply = admin::answer(request.method(), request.uri().path(), &registry, || {
            if draining.load(Ordering::Relaxed) {
                return Err("draining".to_owned());
            }
            Ok(())
        });
        async move { reply }
    };
    let told = async move {
        // A sender that is gone means the same.
        let _ = ending.wait_for(|told| *told).await;
    };
    server::serve(listener, answer, told, Duration::ZERO).await;
}

/// Accepts clients until the end begins; then those that the kernel has already taken, too.
async fn accept(server: Rc<Server>, listener: TcpListener) {
    let mut stopping = server.stopping.clone();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stopping.wait_for(Option::is_some) => break,
        };
        match accepted {
            Ok((stream, _)) => admit(&server, stream),
            Err(error) => {
                log::warning("connection not accepted", json!({ "reason": error.to_string() }));
                tokio::time::sleep(RETRY).await;
            }
        }
    }
    let Ok(listener) = listener.into_std() else { return };
    while let Ok((stream, _)) = listener.accept() {
        if stream.set_nonblocking(true).is_ok()
            && let Ok(stream) = TcpStream::from_std(stream)
        {
            admit(&server, stream);
        }
    }
}

fn admit(server: &Rc<Server>, stream: TcpStream) {
    let numbers = &server.numbers;
    let connections = numbers.connections.fetch_add(1, Ordering::Relaxed) + 1;
    if numbers.clients.load(Ordering::Relaxed) >= u64::from(server.settings.clients) {
        numbers.refused.fetch_add(1, Ordering::Relaxed);
        // Into an empty buffer: it is taken at once, or the client is gone.
        let _ = stream.try_write(b"-ERR max number of clients reached\r\n");
        return;
    }
    numbers.clients.fetch_add(1, Ordering::Relaxed);
    let server = Rc::clone(server);
    tokio::task::spawn_local(async move {
        let session = Session {
            id: i64::try_from(connections).unwrap_or(i64::MAX),
            ..Session::default()
        };
        // A client that breaks off is no event.
        let _ = serve(&server, stream, session).await;
        server.numbers.clients.fetch_sub(1, Ordering::Relaxed);
    });
}

/// What a client has sent that was not carried out yet; counted while it lasts.
struct Pending<'a> {
    server: &'a Server,
    buffer: BytesMut,
    counted: u64,
}

impl Pending<'_> {
    /// Counts what is there, with an answer that is not taken yet; says whether it is more than is held for all clients.
    fn count(&mut self, answer: usize) -> bool {
        let length = (self.buffer.len() + answer) as u64;
        let buffered = self.server.buffered.get() - self.counted + length;
        self.counted = length;
        self.server.buffered.set(buffered);
        buffered > self.server.settings.memory
    }
}

impl Drop for Pending<'_> {
    fn drop(&mut self) {
        self.buffer.clear();
        self.count(0);
    }
}

async fn serve(server: &Server, mut stream: TcpStream, mut session: Session) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut parser = resp::Parser::default();
    let mut pending = Pending {
        server,
        buffer: BytesMut::new(),
        counted: 0,
    };
    let mut out = Vec::new();
    let mut spoke_at_the_end = false;
    loop {
        let more = server.carry_out(&mut pending.buffer, &mut parser, &mut session, &mut out);
        let crowded = pending.count(out.len());
        if crowded && pending.buffer.len().max(out.len()) > SMALL {
            out.clear();
            resp::error(
                &mut out,
                "OOM requests and answers on their way take more than the memory allows",
            );
            // Where there is no room for it, nobody would read it either.
            let _ = stream.try_write(&out);
            return Ok(());
        }
        if !out.is_empty() {
            stream.write_all(&out).await?;
            spoke_at_the_end |= server.stopping.borrow().is_some();
            out.clear();
            out.shrink_to(KEPT);
            pending.count(0);
        }
        if session.quit {
            return stream.shutdown().await;
        }
        if more {
            // Others have their turn.
            tokio::task::yield_now().await;
            continue;
        }
        if pending.buffer.is_empty() && pending.buffer.capacity() > KEPT {
            pending.buffer = BytesMut::new();
        }
        pending.buffer.reserve(ROOM);
        let count = tokio::select! {
            biased;
            count = stream.read_buf(&mut pending.buffer) => count?,
            () = server.end(spoke_at_the_end) => return stream.shutdown().await,
        };
        if count == 0 {
            return Ok(());
        }
    }
}

impl Server {
    /// Carries out the whole requests in the buffer, until the answers fill theirs; says whether that is why it ended.
    fn carry_out(
        &self,
        buffer: &mut BytesMut,
        parser: &mut resp::Parser,
        session: &mut Session,
        out: &mut Vec<u8>,
    ) -> bool {
        let most = most(self.settings.memory);
        let mut store = self.store.borrow_mut();
        let now = now();
        store.counts.clients = self.numbers.clients.load(Ordering::Relaxed);
        store.counts.connections = self.numbers.connections.load(Ordering::Relaxed);
        let mut is_full = false;
        while !session.quit {
            if out.len() >= FULL {
                is_full = true;
                break;
            }
            match parser.read(buffer, most) {
                Ok(Some(length)) => {
                    store.execute(now, session, parser.request(buffer), most, out);
                    parser.next();
                    buffer.advance(length);
                }
                Ok(None) => break,
                Err(broken) => {
                    resp::error(out, &format!("ERR {broken}"));
                    session.quit = true;
                }
            }
        }
        self.publish(&store);
        is_full
    }

    fn publish(&self, store: &Store) {
        for (number, value) in [
            (&self.numbers.commands, store.counts.commands),
            (&self.numbers.hits, store.counts.hits),
            (&self.numbers.misses, store.counts.misses),
            (&self.numbers.expired, store.counts.expired),
            (&self.numbers.keys, store.keys()),
            (&self.numbers.used, store.used()),
        ] {
            number.store(value, Ordering::Relaxed);
        }
    }

    /// Waits until a client that sends nothing is let go.
    async fn end(&self, spoke: bool) {
        let mut stopping = self.stopping.clone();
        let since = match stopping.wait_for(Option::is_some).await {
            Ok(since) => *since,
            Err(_) => None,
        };
        if let Some(since) = since.filter(|_| !spoke) {
            tokio::time::sleep_until(since + DRAIN_IDLE).await;
        }
    }

    /// Takes away keys that came to their end, asked or not.
    async fn expire(self: Rc<Self>) {
        loop {
            tokio::time::sleep(EXPIRY_TICK).await;
            let mut store = self.store.borrow_mut();
            store.expire(now(), EXPIRED_AT_ONCE);
            self.publish(&store);
        }
    }
}
