//! What all threads know of the shards: who owns a key, who answers, who is left out, and what was counted.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Notify;

use super::ring::{Ring, ring};
use super::settings::{Flags, Protocol, Role};
use crate::block::proxy::Upstream;
use crate::block::{admin, log};

/// How often a shard that answers is asked whether it does.
const CALM: Duration = Duration::from_secs(2);
/// How often one that does not.
const EAGER: Duration = Duration::from_millis(250);

/// How a request to a shard ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The shard answered.
    Answered,
    /// There was no connection, or it broke.
    Failed,
    /// The answer did not come in time.
    TimedOut,
}

/// The outcomes and their names in the metrics.
pub const OUTCOMES: [(Outcome, &str); 3] = [
    (Outcome::Answered, "answered"),
    (Outcome::Failed, "failed"),
    (Outcome::TimedOut, "timed-out"),
];

/// One shard.
#[derive(Debug)]
pub struct Shard {
    /// What the ring knows it by.
    pub name: String,
    /// Where it is.
    pub upstream: Upstream,
    /// Its share of the keys.
    pub weight: u32,
    /// The last question was answered.
    is_up: AtomicBool,
    /// Any question was answered so far.
    was_up: AtomicBool,
    /// It is left out.
    is_out: AtomicBool,
    /// Failures since the last answer.
    failures: AtomicU32,
    /// How often it was left out.
    pub ejections: AtomicU64,
    ejected: Notify,
    requests: [AtomicU64; OUTCOMES.len()],
}

impl Shard {
    /// Whether the last question was answered.
    pub fn is_up(&self) -> bool {
        self.is_up.load(Ordering::Relaxed)
    }

    /// Whether it is left out.
    pub fn is_out(&self) -> bool {
        self.is_out.load(Ordering::Relaxed)
    }

    /// Requests that ended so.
    pub fn requests(&self, outcome: Outcome) -> u64 {
        self.requests[outcome as usize].load(Ordering::Relaxed)
    }

    /// Counts requests that ended so.
    pub fn count(&self, outcome: Outcome, requests: u64) {
        self.requests[outcome as usize].fetch_add(requests, Ordering::Relaxed);
        if outcome == Outcome::Answered && self.failures.load(Ordering::Relaxed) != 0 {
            self.failures.store(0, Ordering::Relaxed);
        }
    }
}

/// All of them.
#[derive(Debug)]
pub struct Shards {
    ring: Ring,
    /// In the order of the flags.
    pub list: Vec<Shard>,
    role: Role,
    /// Failures after which a cache leaves a shard out.
    most_failures: u32,
    /// Connections of clients now.
    pub clients: AtomicI64,
    /// Connections of clients so far.
    pub connections: AtomicU64,
    /// Requests that were answered here with an error.
    pub refused: AtomicU64,
    /// The process ends.
    pub draining: AtomicBool,
}

impl Shards {
    /// The shards that the flags name.
    pub fn new(flags: &Flags) -> Arc<Self> {
        let weights: Vec<_> = flags
            .backends
            .iter()
            .map(|backend| (backend.name.as_str(), backend.weight))
            .collect();
        let shard = |backend: &super::settings::Backend| Shard {
            name: backend.name.clone(),
            upstream: backend.upstream.clone(),
            weight: backend.weight,
            is_up: AtomicBool::new(false),
            was_up: AtomicBool::new(false),
            is_out: AtomicBool::new(false),
            failures: AtomicU32::new(0),
            ejections: AtomicU64::new(0),
            ejected: Notify::new(),
            requests: Default::default(),
        };
        Arc::new(Self {
            ring: ring(flags.hash, &weights),
            list: flags.backends.iter().map(shard).collect(),
            role: flags.role,
            most_failures: flags.failures,
            clients: AtomicI64::new(0),
            connections: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            draining: AtomicBool::new(false),
        })
    }

    /// The shard that owns a key; nothing where no shard is left.
    pub fn owner(&self, key: &[u8]) -> Option<usize> {
        match self.role {
            Role::Store => self.ring.owner(key, |_| true),
            Role::Cache => self.ring.owner(key, |shard| !self.list[shard].is_out()),
        }
    }

    /// A shard failed: a cache that has seen it fail too often leaves it out.
    pub fn failed(&self, place: usize, reason: &str) {
        let shard = &self.list[place];
        let failures = shard.failures.fetch_add(1, Ordering::Relaxed) + 1;
        if failures == 1 {
            log::warning("shard failed", json!({ "shard": shard.name, "reason": reason }));
        }
        if self.role == Role::Cache
            && failures >= self.most_failures
            && !shard.is_out.swap(true, Ordering::Relaxed)
        {
            shard.ejections.fetch_add(1, Ordering::Relaxed);
            shard.ejected.notify_one();
            log::warning("shard left out", json!({ "shard": shard.name, "reason": reason }));
        }
    }

    /// Ready once every shard (of a cache: any) has answered, and as long as one does: without it, the others' keys
    /// are still served.
    pub fn readiness(&self) -> admin::Readiness {
        if self.draining.load(Ordering::Relaxed) {
            return Err("draining".to_owned());
        }
        if !self.list.iter().any(Shard::is_up) {
            return Err("no shard answers".to_owned());
        }
        let never = self
            .list
            .iter()
            .find(|shard| !shard.was_up.load(Ordering::Relaxed));
        match never {
            Some(shard) if self.role == Role::Store => {
                Err(format!("shard `{}` has not answered yet", shard.name))
            }
            _ => Ok(()),
        }
    }

    /// Asks a shard again and again whether it answers; one that was left out comes back when it does.
    pub async fn watch(self: Arc<Self>, place: usize, flags: Flags) {
        let shard = &self.list[place];
        let mut complaint = String::new();
        loop {
            let answer = ask(&shard.upstream, &flags).await;
            let was_up = shard.is_up.swap(answer.is_ok(), Ordering::Relaxed);
            match answer {
                Ok(()) => {
                    shard.was_up.store(true, Ordering::Relaxed);
                    if !was_up {
                        log::info("shard answers", json!({ "shard": shard.name }));
                    }
                    complaint.clear();
                    if shard.is_out() {
                        shard.failures.store(0, Ordering::Relaxed);
                        shard.is_out.store(false, Ordering::Relaxed);
                        log::info("shard back", json!({ "shard": shard.name }));
                    }
                }
                Err(reason) => {
                    if reason != complaint {
                        log::warning(
                            "shard does not answer",
                            json!({ "shard": shard.name, "reason": reason }),
                        );
                    }
                    complaint = reason;
                }
            }
            if shard.is_out() {
                tokio::time::sleep(flags.retry).await;
                continue;
            }
            let pause = if shard.is_up() { CALM } else { EAGER };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = shard.ejected.notified() => tokio::time::sleep(flags.retry).await,
            }
        }
    }
}

/// Asks a shard for a sign of life, in its protocol; over HTTP a connection is one.
async fn ask(upstream: &Upstream, flags: &Flags) -> Result<(), String> {
    let mut stream = connect(upstream, flags.connect_timeout).await?;
    let question: &[u8] = match flags.protocol {
        Protocol::Redis => b"*1\r\n$4\r\nPING\r\n",
        Protocol::Memcached => b"version\r\n",
        Protocol::Http => return Ok(()),
    };
    let answer = async {
        stream.write_all(question).await?;
        stream.read_u8().await
    };
    match tokio::time::timeout(flags.timeout, answer).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err("no answer in time".to_owned()),
    }
}

/// Connects to a shard within the time, its name's look-up included.
pub async fn connect(upstream: &Upstream, within: Duration) -> Result<TcpStream, String> {
    let connecting = TcpStream::connect((upstream.host.as_str(), upstream.port));
    let stream = match tokio::time::timeout(within, connecting).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return Err(error.to_string()),
        Err(_) => return Err("no connection in time".to_owned()),
    };
    stream.set_nodelay(true).map_err(|error| error.to_string())?;
    Ok(stream)
}
