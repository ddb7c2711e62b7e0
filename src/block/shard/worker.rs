//! One thread that serves clients: its own runtime and connections to the shards, so that requests share nothing.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::net::TcpStream;
use tokio::sync::{Notify, OwnedSemaphorePermit, mpsc};

use super::client::{self, Client};
use super::link::{Link, Ticket};
use super::redis;
use super::settings::{Protocol, Settings};
use super::shards::Shards;
use crate::block::{log, resp};

/// How often replies that are overdue are looked for.
const TICK: Duration = Duration::from_millis(20);
/// How long a client that said nothing may stay once the process ends: its request may be on its way.
const DRAIN_IDLE: Duration = Duration::from_millis(500);

/// Answers of a client that are smaller than this may stay, whatever others have on their way.
const SMALL: usize = 64 * 1024;

/// What a worker is told.
pub enum Message {
    /// Serve this client.
    Serve(std::net::TcpStream, OwnedSemaphorePermit),
    /// Let everything end.
    Drain,
}

/// One worker's own.
pub struct Worker {
    settings: Arc<Settings>,
    /// What all workers share.
    pub shards: Arc<Shards>,
    /// By shard, then by number.
    links: Vec<Vec<Rc<Link>>>,
    clients: RefCell<BTreeMap<u64, Rc<Client>>>,
    /// Connections of clients that have not ended.
    serving: Cell<usize>,
    started: Instant,
    /// Milliseconds since it started, to the tick while anything is in flight.
    clock: Cell<u32>,
    /// Requests that shards have not answered.
    in_flight: Cell<usize>,
    busy: Notify,
    /// Bytes of requests and answers that are on their way.
    held: Cell<usize>,
    /// What they may be.
    limit: usize,
    draining: Cell<Option<Instant>>,
}

impl Worker {
    /// A worker without clients.
    pub fn new(settings: Arc<Settings>, shards: Arc<Shards>) -> Rc<Self> {
        let connections = usize::from(settings.flags.connections);
        let links = (0..shards.list.len()).map(|shard| (0..connections).map(|_| Link::new(shard)).collect());
        let memory = usize::try_from(settings.flags.memory).unwrap_or(usize::MAX);
        Rc::new(Self {
            links: links.collect(),
            clients: RefCell::default(),
            serving: Cell::new(0),
            started: Instant::now(),
            clock: Cell::new(0),
            in_flight: Cell::new(0),
            busy: Notify::new(),
            held: Cell::new(0),
            limit: (memory / settings.workers).max(settings.most),
            draining: Cell::new(None),
            settings,
            shards,
        })
    }

    /// What is spoken.
    pub fn protocol(&self) -> Protocol {
        self.settings.flags.protocol
    }

    /// The largest request.
    pub fn most(&self) -> usize {
        self.settings.most
    }

    /// Time to connect.
    pub fn connect_timeout(&self) -> Duration {
        self.settings.flags.connect_timeout
    }

    /// Counts bytes; says whether there is room for them. They are counted either way.
    pub fn hold(&self, bytes: usize) -> bool {
        let held = self.held.get() + bytes;
        self.held.set(held);
        held <= self.limit
    }

    /// Counts bytes no more.
    pub fn release(&self, bytes: usize) {
        self.held.set(self.held.get() - bytes);
    }

    /// Makes room: breaks off the client that has left the most of its answers untaken.
    pub fn relieve(&self) {
        let clients = self.clients.borrow();
        let greediest = clients.values().max_by_key(|client| client.held());
        if let Some(client) = greediest.filter(|client| client.held() > SMALL) {
            client.break_off(self);
            log::warning(
                "client broken off",
                json!({ "reason": "answers on their way take more than `--memory`" }),
            );
        }
    }

    /// Milliseconds since it started.
    pub fn now(&self) -> u32 {
        let now = u32::try_from(self.started.elapsed().as_millis()).unwrap_or(u32::MAX);
        self.clock.set(now);
        now
    }

    /// A request is sent to a shard.
    pub fn ticket(&self, client: Option<(Rc<Client>, u64, u32)>) -> Ticket {
        let in_flight = self.in_flight.get();
        self.in_flight.set(in_flight + 1);
        if in_flight == 0 {
            self.now();
            self.busy.notify_one();
        }
        Ticket {
            client,
            at: self.clock.get(),
        }
    }

    /// So many requests were answered.
    pub fn landed(&self, requests: usize) {
        self.in_flight.set(self.in_flight.get() - requests);
    }

    /// The connection that a client uses to a shard: always the same one, so that its requests stay in order.
    pub fn link(&self, shard: usize, client: u64) -> &Link {
        let links = &self.links[shard];
        let place = usize::try_from(client).unwrap_or_default() % links.len();
        &links[place]
    }

    /// An error in the protocol that is spoken.
    pub fn failure(&self, reason: &str) -> Vec<u8> {
        let mut out = Vec::new();
        match self.protocol() {
            Protocol::Memcached => {
                out.extend_from_slice(b"SERVER_ERROR motif: ");
                out.extend(reason.bytes().filter(|byte| !byte.is_ascii_control()));
                out.extend_from_slice(b"\r\n");
            }
            Protocol::Redis | Protocol::Http => resp::error(&mut out, &format!("ERR motif: {reason}")),
        }
        out
    }

    /// Whether a reply is an error in the protocol that is spoken.
    pub fn is_error(&self, reply: &[u8]) -> bool {
        match self.protocol() {
            Protocol::Memcached => {
                let known: [&[u8]; 3] = [b"ERROR", b"CLIENT_ERROR", b"SERVER_ERROR"];
                known.iter().any(|known| reply.starts_with(known))
            }
            Protocol::Redis | Protocol::Http => reply.starts_with(b"-"),
        }
    }

    /// A client has come.
    pub fn enter(&self, number: u64, client: &Rc<Client>) {
        self.clients.borrow_mut().insert(number, Rc::clone(client));
    }

    /// A client is gone.
    pub fn leave(&self, number: u64) {
        self.clients.borrow_mut().remove(&number);
    }

    /// Whether the process ends.
    pub fn is_draining(&self) -> bool {
        self.draining.get().is_some()
    }

    /// Whether a client that is owed nothing is let go: the process ends, and it had its say or its time.
    pub fn lets_go(&self, spoke: bool) -> bool {
        self.draining
            .get()
            .is_some_and(|since| spoke || since.elapsed() >= DRAIN_IDLE)
    }

    /// Serves what it is sent, until it is told to drain and everything has ended or `drain` is over.
    pub async fn run(self: Rc<Self>, mut messages: mpsc::UnboundedReceiver<Message>) {
        for link in self.links.iter().flatten() {
            tokio::task::spawn_local(Rc::clone(link).run(Rc::clone(&self)));
        }
        tokio::task::spawn_local(Rc::clone(&self).tick());
        let mut number = 0;
        while let Some(Message::Serve(stream, permit)) = messages.recv().await {
            number += 1;
            let Ok(stream) = TcpStream::from_std(stream) else {
                continue;
            };
            let worker = Rc::clone(&self);
            worker.serving.set(worker.serving.get() + 1);
            worker.shards.clients.fetch_add(1, Ordering::Relaxed);
            tokio::task::spawn_local(async move {
                let _ = stream.set_nodelay(true);
                client::serve(Rc::clone(&worker), stream, number).await;
                worker.shards.clients.fetch_sub(1, Ordering::Relaxed);
                worker.serving.set(worker.serving.get() - 1);
                drop(permit);
            });
        }
        let since = Instant::now();
        self.draining.set(Some(since));
        self.wake();
        while self.serving.get() > 0 && since.elapsed() < self.settings.flags.drain {
            tokio::time::sleep(TICK).await;
            if since.elapsed() >= DRAIN_IDLE {
                self.wake();
            }
        }
    }

    fn wake(&self) {
        for client in self.clients.borrow().values() {
            client.wake();
        }
    }

    async fn tick(self: Rc<Self>) {
        let patience = self.settings.flags.timeout + TICK;
        let patience = u32::try_from(patience.as_millis()).unwrap_or(u32::MAX);
        loop {
            if self.in_flight.get() == 0 {
                self.busy.notified().await;
            }
            tokio::time::sleep(TICK).await;
            let now = self.now();
            for link in self.links.iter().flatten() {
                link.check(now, patience);
            }
        }
    }
}

impl redis::Shards for Worker {
    fn owner(&self, key: &[u8]) -> Option<usize> {
        self.shards.owner(key)
    }

    fn count(&self) -> usize {
        self.shards.list.len()
    }

    fn is_out(&self, shard: usize) -> bool {
        self.shards.list[shard].is_out()
    }

    fn info(&self) -> String {
        let shards = &self.shards;
        let mut text = format!(
            "# Server\r\nredis_version:7.0.0\r\nredis_mode:standalone\r\nmotif_version:{}\r\nprocess_id:{}\r\n\
             uptime_in_seconds:{}\r\n\r\n# Clients\r\nconnected_clients:{}\r\n\r\n# Shards\r\n",
            env!("CARGO_PKG_VERSION"),
            std::process::id(),
            self.started.elapsed().as_secs(),
            shards.clients.load(Ordering::Relaxed),
        );
        for (place, shard) in shards.list.iter().enumerate() {
            let (name, weight) = (&shard.name, shard.weight);
            let (up, out) = (u8::from(shard.is_up()), u8::from(shard.is_out()));
            text.push_str(&format!(
                "shard{place}:name={name},weight={weight},up={up},left_out={out}\r\n"
            ));
        }
        text
    }
}
