//! What all threads know of the backends: their addresses, who is ready, who is suspect, who is busy.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use hyper::header::HeaderValue;
use serde_json::json;
use tokio::sync::Notify;

use super::balance::{Candidate, key};
use super::check::Check;
use super::published::Published;
use super::settings::{Settings, Upstream};
use crate::block::log;

/// The longest time between checks of a backend that is not ready.
const EAGER: Duration = Duration::from_millis(500);
/// How long after a failed connection a backend is avoided, unless a check passes before.
const SUSPICION: Duration = Duration::from_secs(2);
/// How long a check may go unanswered before its backend is avoided: a paused one answers nothing.
const LATE: Duration = Duration::from_millis(150);

/// One address that requests can be sent to.
#[derive(Debug)]
pub struct Backend {
    /// Where it is.
    pub address: SocketAddr,
    /// Its address as text.
    pub name: String,
    /// The name that led to it.
    pub host: String,
    key: u64,
    started: Instant,
    /// Checks that have not passed.
    missing: AtomicUsize,
    /// Checks whose last answer was bad, or is late.
    doubts: AtomicUsize,
    /// Milliseconds after `started`.
    suspect_until: AtomicU64,
    /// Milliseconds after `started`: until then it gets nothing new.
    out_until: AtomicU64,
    load: AtomicUsize,
    gone: AtomicBool,
    /// Told when it is gone.
    parting: Notify,
}

impl Backend {
    fn new(address: SocketAddr, host: String, checks: usize) -> Self {
        let name = address.to_string();
        Self {
            key: key(name.as_bytes()),
            address,
            name,
            host,
            started: Instant::now(),
            missing: AtomicUsize::new(checks),
            doubts: AtomicUsize::new(0),
            suspect_until: AtomicU64::new(0),
            out_until: AtomicU64::new(0),
            load: AtomicUsize::new(0),
            gone: AtomicBool::new(false),
            parting: Notify::new(),
        }
    }

    /// Whether its checks pass.
    pub fn is_ready(&self) -> bool {
        self.missing.load(Ordering::Relaxed) == 0
    }

    /// Whether it was taken out of the rotation.
    pub fn is_out(&self) -> bool {
        self.is_before(&self.out_until)
    }

    /// Takes it out of the rotation for a time; of zero, back in.
    pub fn take_out(&self, time: Duration) {
        let until = match time {
            Duration::ZERO => 0,
            time => self.after(time),
        };
        self.out_until.store(until, Ordering::Relaxed);
    }

    /// Requests and connections in flight.
    pub fn load(&self) -> usize {
        self.load.load(Ordering::Relaxed)
    }

    /// Counts a request or a connection until it is dropped.
    pub fn occupy(self: &Arc<Self>) -> Occupied {
        self.load.fetch_add(1, Ordering::Relaxed);
        Occupied(Arc::clone(self))
    }

    /// Remembers that a connection to it failed.
    pub fn suspect(&self) {
        self.suspect_until.store(self.after(SUSPICION), Ordering::Relaxed);
    }

    /// Waits until no name leads to it any more.
    pub async fn leave(&self) {
        let told = self.parting.notified();
        if !self.gone.load(Ordering::Acquire) {
            told.await;
        }
    }

    /// What the balance has to know.
    pub fn candidate(&self, tried: bool) -> Candidate {
        Candidate {
            ready: self.is_ready() && !self.is_out(),
            suspect: self.is_before(&self.suspect_until) || self.doubts.load(Ordering::Relaxed) > 0,
            tried,
            load: self.load(),
            key: self.key,
        }
    }

    fn milliseconds(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn after(&self, time: Duration) -> u64 {
        self.milliseconds()
            .saturating_add(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
    }

    /// Whether a moment is to come; 0 is none.
    fn is_before(&self, moment: &AtomicU64) -> bool {
        let moment = moment.load(Ordering::Relaxed);
        moment != 0 && self.milliseconds() < moment
    }
}

/// A backend that works on a request or a connection.
#[derive(Debug)]
pub struct Occupied(Arc<Backend>);

impl Deref for Occupied {
    type Target = Arc<Backend>;

    fn deref(&self) -> &Arc<Backend> {
        &self.0
    }
}

impl Drop for Occupied {
    fn drop(&mut self) {
        self.0.load.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The backends of one listener.
#[derive(Debug)]
pub struct Backends {
    upstreams: Vec<Upstream>,
    /// The first of the names with its port, as a `Host` header.
    pub authority: HeaderValue,
    /// The addresses that the names led to last.
    pub current: Published<Vec<Arc<Backend>>>,
    /// Requests sent to any of them.
    pub turn: AtomicUsize,
}

impl Backends {
    /// Names that were not looked up yet.
    pub fn new(upstreams: Vec<Upstream>) -> Self {
        let first = upstreams.first().map(|upstream| {
            if upstream.host.contains(':') {
                format!("[{}]:{}", upstream.host, upstream.port)
            } else {
                format!("{}:{}", upstream.host, upstream.port)
            }
        });
        Self {
            authority: first
                .and_then(|first| HeaderValue::from_str(&first).ok())
                .unwrap_or_else(|| HeaderValue::from_static("backend")),
            upstreams,
            current: Published::new(Vec::new()),
            turn: AtomicUsize::new(0),
        }
    }

    /// Whether one of them is ready.
    pub fn are_ready(&self) -> bool {
        self.current.get().iter().any(|backend| backend.is_ready())
    }

    /// The names, as given.
    pub fn names(&self) -> String {
        let names: Vec<_> = self
            .upstreams
            .iter()
            .map(|upstream| format!("{}:{}", upstream.host, upstream.port))
            .collect();
        names.join(", ")
    }

    /// Looks the names up for ever, and checks what they lead to. Runs on a local set.
    pub async fn watch(self: Arc<Self>, settings: Arc<Settings>) {
        let mut complaint = String::new();
        let mut known: Vec<Option<Vec<SocketAddr>>> = vec![None; self.upstreams.len()];
        loop {
            let mut failed = Vec::new();
            for (upstream, known) in self.upstreams.iter().zip(&mut known) {
                match look_up(upstream).await {
                    Ok(addresses) => *known = Some(addresses),
                    // What a name led to before stays in use: a resolver that is away takes no backend away.
                    Err(error) => failed.push(format!("`{}`: {error}", upstream.host)),
                }
            }
            let reason = failed.join("; ");
            if reason != complaint {
                if !reason.is_empty() {
                    log::warning("name not resolved", json!({ "reason": reason }));
                }
                complaint = reason;
            }
            let names = self.upstreams.iter().map(|upstream| upstream.host.as_str());
            let found = names.zip(&known).flat_map(|(host, addresses)| {
                addresses.iter().flatten().map(move |address| (*address, host))
            });
            self.replace(found, &settings);
            let literal = self
                .upstreams
                .iter()
                .all(|upstream| upstream.host.parse::<std::net::IpAddr>().is_ok());
            if literal {
                return;
            }
            let unknown = known
                .iter()
                .any(|addresses| addresses.as_ref().is_none_or(Vec::is_empty));
            let pause = settings.resolve_every;
            tokio::time::sleep(if unknown { pause.min(EAGER) } else { pause }).await;
        }
    }

    /// Takes these addresses for the backends, each with the name that led to it: keeps those that stay, starts to
    /// check the new ones. Runs on a local set.
    pub fn replace<'a>(&self, found: impl Iterator<Item = (SocketAddr, &'a str)>, settings: &Settings) {
        let before = self.current.get();
        let mut seen = BTreeSet::new();
        let mut after = Vec::new();
        let mut started = Vec::new();
        for (address, host) in found {
            if !seen.insert(address) {
                continue;
            }
            let kept = before.iter().find(|backend| backend.address == address);
            after.push(kept.map_or_else(
                || {
                    let backend = Arc::new(Backend::new(address, host.to_owned(), settings.checks.len()));
                    started.push(Arc::clone(&backend));
                    backend
                },
                Arc::clone,
            ));
        }
        if started.is_empty() && after.len() == before.len() {
            return;
        }
        let left: Vec<_> = before
            .iter()
            .filter(|backend| !seen.contains(&backend.address))
            .collect();
        for backend in &left {
            log::info(
                "backend left",
                json!({ "backend": backend.name, "name": backend.host }),
            );
        }
        for backend in started {
            log::info(
                "backend found",
                json!({ "backend": backend.name, "name": backend.host }),
            );
            for check in &settings.checks {
                tokio::task::spawn_local(keep_checking(Arc::clone(&backend), check.clone()));
            }
        }
        self.current.set(after);
        // Told last: whoever connects again finds the new ones.
        for backend in left {
            backend.gone.store(true, Ordering::Release);
            backend.parting.notify_waiters();
        }
    }
}

/// The addresses that a name leads to, in order.
pub async fn look_up(upstream: &Upstream) -> std::io::Result<Vec<SocketAddr>> {
    let found = tokio::net::lookup_host((upstream.host.as_str(), upstream.port)).await?;
    // The resolver's order changes from one look-up to the next; the set counts.
    Ok(found.collect::<BTreeSet<_>>().into_iter().collect())
}

/// Makes one of a backend's checks again and again.
async fn keep_checking(backend: Arc<Backend>, check: Check) {
    let (mut passed, mut failed) = (0_u32, 0_u32);
    let mut is_ready = false;
    let mut doubt = Doubt {
        backend: &backend,
        is_held: false,
    };
    let mut complaint = String::new();
    while !backend.gone.load(Ordering::Relaxed) {
        match doubt.ask(&check).await {
            Ok(()) => {
                (passed, failed) = (passed.saturating_add(1), 0);
                backend.suspect_until.store(0, Ordering::Relaxed);
                if !is_ready && passed >= check.successes {
                    is_ready = true;
                    complaint.clear();
                    if backend.missing.fetch_sub(1, Ordering::Relaxed) == 1 {
                        log::info("backend ready", json!({ "backend": backend.name }));
                    }
                }
            }
            Err(reason) => {
                (passed, failed) = (0, failed.saturating_add(1));
                if is_ready && failed < check.failures {
                    // Once more, before it counts.
                } else if is_ready || reason != complaint {
                    if is_ready {
                        backend.missing.fetch_add(1, Ordering::Relaxed);
                    }
                    is_ready = false;
                    log::warning(
                        "backend not ready",
                        json!({ "backend": backend.name, "reason": reason }),
                    );
                    complaint = reason;
                }
            }
        }
        let pause = if is_ready {
            check.every
        } else {
            check.every.min(EAGER)
        };
        tokio::time::sleep(pause).await;
    }
}

/// A check's doubt in a backend: it is avoided from when an answer is late, or bad, until a good one comes.
struct Doubt<'a> {
    backend: &'a Backend,
    is_held: bool,
}

impl Doubt<'_> {
    fn set(&mut self, is_held: bool) {
        match (self.is_held, is_held) {
            (false, true) => self.backend.doubts.fetch_add(1, Ordering::Relaxed),
            (true, false) => self.backend.doubts.fetch_sub(1, Ordering::Relaxed),
            _ => return,
        };
        self.is_held = is_held;
    }

    async fn ask(&mut self, check: &Check) -> Result<(), String> {
        let answer = check.ask(self.backend.address);
        tokio::pin!(answer);
        let answer = if let Ok(answer) = tokio::time::timeout(LATE, &mut answer).await {
            answer
        } else {
            self.set(true);
            answer.await
        };
        self.set(answer.is_err());
        answer
    }
}
