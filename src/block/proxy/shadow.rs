//! Copies of requests, whose answers nobody gets: sent by a thread of their own, from queues that are never waited for.
//!
//! A copy takes its place in a queue before its body is read, so that what is kept for shadows is bounded by the
//! queue, whoever they are.

use std::cell::RefCell;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context;
use bytes::Bytes;
use hyper::body::{Body, Incoming};
use hyper::header::{EXPECT, HeaderMap, HeaderValue};
use hyper::{Method, Request, Uri};
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use rustix::process::setpriority_process;
use serde_json::json;
use tokio::sync::{Semaphore, mpsc};

use super::arms::{CLASSES, class};
use super::backend::Backends;
use super::balance::{self, Balance};
use super::headers::X_MOTIF_SHADOW;
use super::retry;
use super::settings::Group;
use super::stream::Clock;
use super::upstream::{Line, Peer};
use super::wire::{self, WireBody};
use super::worker::View;
use crate::block::{log, runtime};

/// Bytes of a shadow's response that are read; its connection is closed where there are more.
const MOST_READ: u64 = 1024 * 1024;
/// How often the thread's clock is set.
const TICK: Duration = Duration::from_millis(500);
/// How much the thread stands back behind those that answer clients.
const NICENESS: i32 = 5;

/// Who gets copies, and how much may be spent on them.
#[derive(Debug, Clone, Copy)]
pub struct Tee {
    /// The part of requests that is copied.
    pub sample: f64,
    /// Copies that wait for each shadow.
    pub queue: usize,
    /// Copies that each shadow works on at once.
    pub at_once: usize,
    /// Time that a copy is given, the connection included.
    pub timeout: Duration,
    /// The largest body that is copied.
    pub body: usize,
    /// Time to connect.
    pub connect: Duration,
}

/// Why a request was not copied to a shadow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Skipped {
    /// The queue is full.
    Queue,
    /// The body is too large.
    Body,
    /// It asks to change the protocol.
    Upgrade,
    /// Its body did not come wholly.
    Aborted,
}

const REASONS: [&str; 4] = ["queue", "body", "upgrade", "aborted"];

/// How a copy ended that no shadow answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Failure {
    /// There was no answer in time.
    Timeout,
    /// The shadow could not be connected to, or broke off.
    Failed,
    /// No check of the shadow passes.
    Unready,
}

const FAILURES: [&str; 3] = ["timeout", "failed", "unready"];

/// What became of a shadow's copies.
#[derive(Debug, Default)]
struct Counts {
    answered: [AtomicU64; CLASSES.len()],
    failed: [AtomicU64; FAILURES.len()],
    skipped: [AtomicU64; REASONS.len()],
}

impl Counts {
    fn skip(&self, reason: Skipped) {
        self.skipped[reason as usize].fetch_add(1, Ordering::Relaxed);
    }

    fn end(&self, result: Result<u16, Failure>) {
        let count = match result {
            Ok(status) => class(status).and_then(|class| self.answered.get(class)),
            Err(failure) => Some(&self.failed[failure as usize]),
        };
        if let Some(count) = count {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// A request, as shadows get it.
#[derive(Debug)]
struct Copied {
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Option<Bytes>,
}

#[derive(Debug)]
struct Shadow {
    name: String,
    queue: mpsc::Sender<Arc<Copied>>,
    counts: Arc<Counts>,
}

/// Everyone who gets copies.
#[derive(Debug)]
pub struct Shadows {
    tee: Tee,
    shadows: Vec<Shadow>,
}

impl Shadows {
    /// Starts the thread that sends copies to every group but the first.
    pub fn start(tee: Tee, groups: &[Group], backends: &[Arc<Backends>]) -> anyhow::Result<Self> {
        let mut shadows = Vec::new();
        let mut ends = Vec::new();
        for (group, backends) in groups.iter().zip(backends).skip(1) {
            let (queue, copies) = mpsc::channel(tee.queue);
            let counts = Arc::<Counts>::default();
            ends.push((copies, Arc::clone(backends), Arc::clone(&counts)));
            shadows.push(Shadow {
                name: group.name.clone(),
                queue,
                counts,
            });
        }
        thread::Builder::new()
            .name("shadow".to_owned())
            .spawn(move || {
                // Where the kernel does not take it, the thread is one among equals.
                let _ = setpriority_process(None, NICENESS);
                match runtime::single() {
                    Ok(runtime) => runtime.block_on(send_all(tee, ends)),
                    Err(error) => log::warning("shadows not started", json!({ "reason": error.to_string() })),
                }
            })
            .context("failed to start the shadows' thread")?;
        Ok(Self { tee, shadows })
    }

    /// The copy of a request that is in the sample; `declared` is the length of its body, where that is known.
    pub fn copy(&self, request: &Request<Incoming>, declared: Option<u64>, upgrade: bool) -> Option<Copying> {
        if fastrand::f64() >= self.tee.sample {
            return None;
        }
        let most = self.tee.body;
        let obstacle = if upgrade {
            Some(Skipped::Upgrade)
        } else if declared.is_some_and(|length| length > most as u64) {
            Some(Skipped::Body)
        } else {
            None
        };
        let mut places = Vec::new();
        for shadow in &self.shadows {
            match (obstacle, shadow.queue.clone().try_reserve_owned()) {
                (Some(obstacle), _) => shadow.counts.skip(obstacle),
                (None, Ok(permit)) => places.push(Place {
                    permit,
                    counts: Arc::clone(&shadow.counts),
                }),
                (None, Err(_)) => shadow.counts.skip(Skipped::Queue),
            }
        }
        if places.is_empty() {
            return None;
        }
        let mut headers = request.headers().clone();
        headers.remove(EXPECT);
        headers.insert(&X_MOTIF_SHADOW, HeaderValue::from_static("true"));
        Some(Copying {
            places,
            copied: Copied {
                method: request.method().clone(),
                uri: request.uri().clone(),
                headers,
                body: None,
            },
            body: Vec::new(),
            most,
        })
    }

    /// Shows in `/metrics` what became of the copies.
    pub fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), std::fmt::Error> {
        let mut requests = encoder.encode_descriptor(
            "motif_shadow_requests",
            "Copies that were sent, by what came of them",
            None,
            MetricType::Counter,
        )?;
        for shadow in &self.shadows {
            let Counts { answered, failed, .. } = &*shadow.counts;
            let outcomes = CLASSES.iter().zip(answered).chain(FAILURES.iter().zip(failed));
            for (outcome, count) in outcomes {
                let labels = [("name", shadow.name.as_str()), ("outcome", outcome)];
                ConstCounter::new(count.load(Ordering::Relaxed)).encode(requests.encode_family(&labels)?)?;
            }
        }
        let mut dropped = encoder.encode_descriptor(
            "motif_shadow_dropped",
            "Requests of the sample that were not copied, by reason",
            None,
            MetricType::Counter,
        )?;
        for shadow in &self.shadows {
            for (reason, count) in REASONS.iter().zip(&shadow.counts.skipped) {
                let labels = [("name", shadow.name.as_str()), ("reason", reason)];
                ConstCounter::new(count.load(Ordering::Relaxed)).encode(dropped.encode_family(&labels)?)?;
            }
        }
        Ok(())
    }
}

/// A copy's place in one queue.
struct Place {
    permit: mpsc::OwnedPermit<Arc<Copied>>,
    counts: Arc<Counts>,
}

/// A copy that waits for the request's body.
pub struct Copying {
    places: Vec<Place>,
    copied: Copied,
    body: Vec<u8>,
    most: usize,
}

impl Copying {
    /// Adds a piece of the body; `None` where it is too large by now.
    pub fn add(mut self, piece: &[u8]) -> Option<Self> {
        if self.body.len() + piece.len() > self.most {
            self.skip(Skipped::Body);
            return None;
        }
        self.body.extend_from_slice(piece);
        Some(self)
    }

    /// The body that was added is whole.
    pub fn finish(mut self) {
        let body = std::mem::take(&mut self.body);
        self.send(Some(Bytes::from(body)));
    }

    /// Puts it into the queues.
    pub fn send(mut self, body: Option<Bytes>) {
        if body.as_ref().is_some_and(|body| body.len() > self.most) {
            return self.skip(Skipped::Body);
        }
        let copied = Copied {
            method: std::mem::take(&mut self.copied.method),
            uri: std::mem::take(&mut self.copied.uri),
            headers: std::mem::take(&mut self.copied.headers),
            body,
        };
        let copied = Arc::new(copied);
        for place in self.places.drain(..) {
            place.permit.send(Arc::clone(&copied));
        }
    }

    fn skip(&mut self, reason: Skipped) {
        for place in self.places.drain(..) {
            place.counts.skip(reason);
        }
    }
}

impl Drop for Copying {
    fn drop(&mut self) {
        self.skip(Skipped::Aborted);
    }
}

type End = (mpsc::Receiver<Arc<Copied>>, Arc<Backends>, Arc<Counts>);

/// Sends copies for ever.
async fn send_all(tee: Tee, ends: Vec<End>) {
    let clock = Clock::new(AtomicU32::new(1));
    let started = Instant::now();
    let mut views = Vec::new();
    for end in ends {
        let view = Rc::<RefCell<View>>::default();
        views.push(Rc::clone(&view));
        tokio::task::spawn_local(send_one_s(tee, end, view, Clock::clone(&clock)));
    }
    loop {
        tokio::time::sleep(TICK).await;
        let now = u32::try_from(started.elapsed().as_millis()).unwrap_or(u32::MAX);
        clock.store(now.saturating_add(1), Ordering::Relaxed);
        for view in &views {
            view.borrow().sweep();
        }
    }
}

/// Sends one shadow's copies, as long as there is a queue.
async fn send_one_s(tee: Tee, end: End, view: Rc<RefCell<View>>, clock: Clock) {
    let (mut queue, backends, counts) = end;
    let slots = Arc::new(Semaphore::new(tee.at_once));
    // A copy leaves its queue only when it can be worked on: what waits is never more than the queue.
    while let Ok(slot) = Arc::clone(&slots).acquire_owned().await {
        let Some(copied) = queue.recv().await else { return };
        let turn = backends.turn.fetch_add(1, Ordering::Relaxed);
        let peer = {
            let mut view = view.borrow_mut();
            let peers = view.peers(&backends, &clock);
            let candidates = peers.iter().map(|peer| peer.backend.candidate(false));
            balance::choose(Balance::RoundRobin, candidates, turn, 0).map(|place| Rc::clone(&peers[place]))
        };
        let Some(peer) = peer else {
            counts.end(Err(Failure::Unready));
            continue;
        };
        let counts = Arc::clone(&counts);
        tokio::task::spawn_local(async move {
            let _busy = peer.backend.occupy();
            let asked = tokio::time::timeout(tee.timeout, ask(&peer, &copied, tee.connect)).await;
            counts.end(asked.unwrap_or(Err(Failure::Timeout)));
            drop(slot);
        });
    }
}

/// Sends a copy and reads past the answer.
async fn ask(peer: &Peer, copied: &Copied, connect: Duration) -> Result<u16, Failure> {
    let idempotent = retry::is_idempotent(&copied.method);
    let mut kept = peer.kept(idempotent);
    loop {
        let lease = match kept.take() {
            Some(lease) => lease,
            None => peer.connect(connect).await.map_err(|_| {
                peer.backend.suspect();
                Failure::Failed
            })?,
        };
        // No other kind of connection is ever kept here.
        let Line::Wire(mut wire) = lease.line else {
            return Err(Failure::Failed);
        };
        let outgoing = wire::Outgoing {
            method: &copied.method,
            uri: &copied.uri,
            headers: &copied.headers,
            body: copied.body.as_ref(),
        };
        let head = match wire.ask(outgoing).await {
            Ok(head) => head,
            // A kept connection that was closing: once more, on a new one.
            Err(wire::Error::Unsent(_)) if lease.reused => continue,
            Err(wire::Error::Broken(_)) if lease.reused && idempotent => continue,
            Err(_) => return Err(Failure::Failed),
        };
        let mut body = WireBody::new(wire, head.framing, head.keep);
        let mut read = 0;
        while read <= MOST_READ {
            match std::future::poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
                Some(Ok(frame)) => read += frame.data_ref().map_or(0, |data| data.len() as u64),
                Some(Err(_)) => return Err(Failure::Failed),
                None => break,
            }
        }
        if let Some(wire) = body.release() {
            peer.keep(Line::Wire(wire));
        }
        return Ok(head.status.as_u16());
    }
}
