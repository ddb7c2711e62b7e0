//! What all threads know of the backends: their addresses, who is ready, who is suspect, who is busy.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;

use super::balance::{Candidate, key};
use super::check::{Checker, Spec};
use super::published::Published;
use super::settings::{Settings, Upstream};
use crate::block::log;

/// The longest time between checks of a backend that is not ready.
const EAGER: Duration = Duration::from_millis(500);
/// How long after a failed connection a backend is avoided, unless a check passes before.
const SUSPICION: Duration = Duration::from_secs(2);

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
    ready: AtomicBool,
    /// Milliseconds after `started`.
    suspect_until: AtomicU64,
    load: AtomicUsize,
    gone: AtomicBool,
}

impl Backend {
    fn new(address: SocketAddr, host: String, ready: bool) -> Self {
        let name = address.to_string();
        Self {
            key: key(name.as_bytes()),
            address,
            name,
            host,
            started: Instant::now(),
            ready: AtomicBool::new(ready),
            suspect_until: AtomicU64::new(0),
            load: AtomicUsize::new(0),
            gone: AtomicBool::new(false),
        }
    }

    /// Whether its checks pass.
    pub fn is_ready(&self) -> bool {
        self.ready.load(Ordering::Relaxed)
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
        let until = self
            .milliseconds()
            .saturating_add(u64::try_from(SUSPICION.as_millis()).unwrap_or_default());
        self.suspect_until.store(until, Ordering::Relaxed);
    }

    /// What the balance has to know.
    pub fn candidate(&self, tried: bool) -> Candidate {
        let suspect_until = self.suspect_until.load(Ordering::Relaxed);
        Candidate {
            ready: self.is_ready(),
            suspect: suspect_until != 0 && self.milliseconds() < suspect_until,
            tried,
            load: self.load(),
            key: self.key,
        }
    }

    fn milliseconds(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
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
    /// The addresses that the names led to last.
    pub current: Published<Vec<Arc<Backend>>>,
    /// Requests sent to any of them.
    pub turn: AtomicUsize,
}

impl Backends {
    /// Names that were not looked up yet.
    pub fn new(upstreams: Vec<Upstream>) -> Self {
        Self {
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
    pub async fn watch(self: Arc<Self>, settings: Arc<Settings>, checker: Checker) {
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
            self.replace(&known, &settings, &checker);
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
            let pause = settings.flags.resolve_every;
            tokio::time::sleep(if unknown { pause.min(EAGER) } else { pause }).await;
        }
    }

    /// Keeps the backends whose address stays, starts to check the new ones.
    fn replace(&self, known: &[Option<Vec<SocketAddr>>], settings: &Arc<Settings>, checker: &Checker) {
        let before = self.current.get();
        let mut seen = BTreeSet::new();
        let mut after = Vec::new();
        let mut started = Vec::new();
        for (upstream, addresses) in self.upstreams.iter().zip(known) {
            for address in addresses.iter().flatten() {
                if !seen.insert(*address) {
                    continue;
                }
                let kept = before.iter().find(|backend| backend.address == *address);
                after.push(kept.map_or_else(
                    || {
                        let backend = Arc::new(Backend::new(
                            *address,
                            upstream.host.clone(),
                            settings.checks.is_empty(),
                        ));
                        started.push(Arc::clone(&backend));
                        backend
                    },
                    Arc::clone,
                ));
            }
        }
        if started.is_empty() && after.len() == before.len() {
            return;
        }
        for backend in before.iter().filter(|backend| !seen.contains(&backend.address)) {
            backend.gone.store(true, Ordering::Relaxed);
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
            if !settings.checks.is_empty() {
                tokio::task::spawn_local(keep_checking(backend, Arc::clone(settings), checker.clone()));
            }
        }
        self.current.set(after);
    }
}

async fn look_up(upstream: &Upstream) -> std::io::Result<Vec<SocketAddr>> {
    let found = tokio::net::lookup_host((upstream.host.as_str(), upstream.port)).await?;
    // The resolver's order changes from one look-up to the next; the set counts.
    Ok(found.collect::<BTreeSet<_>>().into_iter().collect())
}

async fn keep_checking(backend: Arc<Backend>, settings: Arc<Settings>, checker: Checker) {
    let flags = &settings.flags;
    let (mut passed, mut failed) = (0_u32, 0_u32);
    let mut complaint = String::new();
    while !backend.gone.load(Ordering::Relaxed) {
        let answer = check_all(&settings.checks, &checker, &backend).await;
        let ready = backend.is_ready();
        match answer {
            Ok(()) => {
                (passed, failed) = (passed.saturating_add(1), 0);
                backend.suspect_until.store(0, Ordering::Relaxed);
                if !ready && passed >= flags.check_successes {
                    backend.ready.store(true, Ordering::Relaxed);
                    complaint.clear();
                    log::info("backend ready", json!({ "backend": backend.name }));
                }
            }
            Err(reason) => {
                (passed, failed) = (0, failed.saturating_add(1));
                if ready && failed < flags.check_failures {
                    // Once more, before it counts.
                } else if ready || reason != complaint {
                    backend.ready.store(false, Ordering::Relaxed);
                    log::warning(
                        "backend not ready",
                        json!({ "backend": backend.name, "reason": reason }),
                    );
                    complaint = reason;
                }
            }
        }
        let pause = flags.check_every;
        tokio::time::sleep(if backend.is_ready() {
            pause
        } else {
            pause.min(EAGER)
        })
        .await;
    }
}

async fn check_all(specs: &[Spec], checker: &Checker, backend: &Backend) -> Result<(), String> {
    for spec in specs {
        let answer = checker.check(spec, backend.address, &backend.host).await;
        answer.map_err(|reason| reason.to_string())?;
    }
    Ok(())
}
