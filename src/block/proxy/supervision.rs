//! Watches every connection of a worker with one timer: who is too slow, who has been idle too long, who must end.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Poll, Waker};
use std::time::Duration;

use super::stream::Activity;

/// What a connection is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// The handshake, or the first request's head.
    Opening,
    /// Requests of HTTP/1.1, one after the other.
    Http1,
    /// Requests of HTTP/2.
    Http2,
    /// Bytes, both ways.
    Tunnel,
}

/// What a connection is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Go on.
    Continue,
    /// Take no further request.
    Finish,
    /// End now.
    Abort,
}

/// What is known of a connection, in milliseconds of its worker's clock; 0 is never.
#[derive(Debug, Clone, Copy)]
pub struct Situation {
    /// What it is doing.
    pub phase: Phase,
    /// Requests in flight.
    pub busy: u32,
    /// When it was opened, or when its last request ended.
    pub since: u32,
    /// The last byte either way.
    pub moved: u32,
    /// The first byte since the last request ended.
    pub first_read: u32,
    /// Since when the client takes nothing.
    pub blocked: u32,
    /// It only waits for the client to stop sending.
    pub lingering: bool,
}

/// The times that connections are given, in milliseconds.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    header: u32,
    idle: u32,
    tunnel: u32,
    stall: u32,
}

/// How long a kept connection may stay without a request once the process ends.
const DRAIN_IDLE: u32 = 500;
/// The deadline of a request whose deadline is over.
const OVERDUE: u32 = u32::MAX;
/// How long a client may go on sending after its answer.
const LINGER: u32 = 2_000;

impl Limits {
    /// The limits of these times; of zero for a tunnel or a body that stands still, none.
    pub fn new(header: Duration, idle: Duration, tunnel: Duration, stall: Duration) -> Self {
        Self {
            header: at_least(header),
            idle: at_least(idle),
            tunnel: if tunnel.is_zero() { 0 } else { at_least(tunnel) },
            stall: if stall.is_zero() { 0 } else { at_least(stall) },
        }
    }

    /// What a connection is told now; `draining` is since when the process ends.
    pub fn judge(self, now: u32, draining: u32, is: Situation) -> Order {
        let since = |then: u32| if then == 0 { 0 } else { now.saturating_sub(then) };
        if is.lingering && is.busy == 0 && since(is.since) > LINGER {
            return Order::Abort;
        }
        if is.phase != Phase::Tunnel && since(is.blocked) > self.idle {
            return Order::Abort;
        }
        let idle = since(is.since);
        match is.phase {
            Phase::Opening if idle > self.header => Order::Abort,
            Phase::Tunnel if self.tunnel > 0 && since(is.moved) > self.tunnel => Order::Abort,
            Phase::Http2 if draining > 0 => Order::Finish,
            Phase::Http1 | Phase::Http2 if is.busy == 0 => match is.phase {
                Phase::Http1 if since(is.first_read) > self.header => Order::Abort,
                Phase::Http1
                    if draining > 0 && is.first_read == 0 && idle.min(since(draining)) > DRAIN_IDLE =>
                {
                    Order::Finish
                }
                // What it was told before may wait for ever for a head that never ends.
                Phase::Http2 if idle > self.idle.saturating_add(self.header) => Order::Abort,
                _ if idle > self.idle => Order::Finish,
                _ => Order::Continue,
            },
            _ => Order::Continue,
        }
    }
}

/// How often connections are judged.
pub const TICK: Duration = Duration::from_millis(250);

/// A time in milliseconds of a clock that may be late by a tick, so that it is never over too early.
pub fn at_least(time: Duration) -> u32 {
    u32::try_from((time + TICK).as_millis()).unwrap_or(u32::MAX)
}

/// A connection that is watched.
#[derive(Debug)]
pub struct Watched {
    /// What its bytes do.
    pub activity: Arc<Activity>,
    phase: Cell<Phase>,
    busy: Cell<u32>,
    since: Cell<u32>,
    order: Cell<Order>,
    /// When the request in flight must have been answered; 0 is never.
    deadline: Cell<u32>,
    waker: RefCell<Option<Waker>>,
    /// The bodies that it passes on.
    flows: RefCell<Vec<Weak<Flow>>>,
}

/// How a response's body moves.
#[derive(Debug)]
pub struct Flow {
    moved: Cell<u32>,
    /// Who waits for the backend; nobody where the client takes nothing.
    waiting: RefCell<Option<Waker>>,
    overdue: Cell<bool>,
}

impl Flow {
    /// Whether it stood still for too long.
    pub fn is_overdue(&self) -> bool {
        self.overdue.get()
    }

    /// The backend is waited for.
    pub fn wait(&self, waker: &Waker) {
        let mut waiting = self.waiting.borrow_mut();
        if !waiting.as_ref().is_some_and(|known| known.will_wake(waker)) {
            *waiting = Some(waker.clone());
        }
    }

    /// A piece came.
    pub fn moved(&self, now: u32) {
        self.moved.set(now);
        self.waiting.borrow_mut().take();
    }
}

/// As many bodies of a connection are watched before those that are through are looked for.
const MANY: usize = 16;

impl Watched {
    /// Watches a body from now on.
    pub fn flow(&self, now: u32) -> Rc<Flow> {
        let flow = Rc::new(Flow {
            moved: Cell::new(now),
            waiting: RefCell::new(None),
            overdue: Cell::new(false),
        });
        let mut flows = self.flows.borrow_mut();
        if flows.len() >= MANY {
            flows.retain(|flow| flow.strong_count() > 0);
        }
        flows.push(Rc::downgrade(&flow));
        flow
    }

    /// Ends bodies whose backend stands still; says whether the client takes nothing of one.
    fn check_flows(&self, limits: Limits, now: u32) -> bool {
        let mut is_stuck = false;
        for flow in self.flows.borrow().iter().filter_map(Weak::upgrade) {
            let still = now.saturating_sub(flow.moved.get());
            let waker = flow.waiting.borrow().clone();
            match waker {
                Some(waker) if limits.stall > 0 && still > limits.stall => {
                    flow.overdue.set(true);
                    waker.wake();
                }
                Some(_) => {}
                None => is_stuck |= still > limits.idle,
            }
        }
        is_stuck
    }

    /// What it is doing from now on.
    pub fn enter(&self, phase: Phase, now: u32) {
        self.phase.set(phase);
        self.since.set(now);
    }

    /// A request begins.
    pub fn begin(&self) {
        self.busy.set(self.busy.get() + 1);
    }

    /// A request ended.
    pub fn end(&self, now: u32) {
        self.busy.set(self.busy.get().saturating_sub(1));
        self.since.set(now);
        self.activity.first_read.store(0, Ordering::Relaxed);
    }

    /// Whether it was told to take no further request.
    pub fn must_finish(&self) -> bool {
        self.order.get() != Order::Continue
    }

    /// Runs a connection until it ends, or until it is told to end now.
    pub async fn supervise<T>(&self, connection: impl Future<Output = T>) -> Option<T> {
        let mut connection = std::pin::pin!(connection);
        std::future::poll_fn(|context| {
            if self.order.get() == Order::Abort {
                return Poll::Ready(None);
            }
            {
                let mut waker = self.waker.borrow_mut();
                if !waker
                    .as_ref()
                    .is_some_and(|waker| waker.will_wake(context.waker()))
                {
                    *waker = Some(context.waker().clone());
                }
            }
            connection.as_mut().poll(context).map(Some)
        })
        .await
    }

    /// Waits for the one request in flight at most until `deadline`, to the tick: with no timer of its own.
    pub async fn until<T>(&self, deadline: u32, request: impl Future<Output = T>) -> Option<T> {
        let mut request = std::pin::pin!(request);
        self.deadline.set(deadline);
        let answer = std::future::poll_fn(|context| match request.as_mut().poll(context) {
            Poll::Pending if self.deadline.get() == OVERDUE => Poll::Ready(None),
            poll => poll.map(Some),
        })
        .await;
        self.deadline.set(0);
        answer
    }

    fn check_deadline(&self, now: u32) {
        let deadline = self.deadline.get();
        if deadline != 0 && deadline != OVERDUE && now > deadline {
            self.deadline.set(OVERDUE);
            self.wake();
        }
    }

    fn wake(&self) {
        if let Some(waker) = self.waker.borrow_mut().take() {
            waker.wake();
        }
    }

    fn situation(&self) -> Situation {
        let activity = &self.activity;
        Situation {
            phase: self.phase.get(),
            busy: self.busy.get(),
            since: self.since.get(),
            moved: activity.moved.load(Ordering::Relaxed),
            first_read: activity.first_read.load(Ordering::Relaxed),
            blocked: activity.blocked.load(Ordering::Relaxed),
            lingering: activity.linger.load(Ordering::Relaxed),
        }
    }

    fn tell(&self, order: Order) {
        let known = self.order.get();
        if order == Order::Continue || order == known || known == Order::Abort {
            return;
        }
        self.order.set(order);
        self.wake();
    }
}

/// Every connection of one worker.
#[derive(Debug, Default)]
pub struct Register {
    next: Cell<u64>,
    connections: RefCell<BTreeMap<u64, Rc<Watched>>>,
}

impl Register {
    /// Watches a connection until the entry is dropped.
    pub fn enter(self: &Rc<Self>, activity: Arc<Activity>, phase: Phase, now: u32) -> Entry {
        let number = self.next.get();
        self.next.set(number + 1);
        let watched = Rc::new(Watched {
            activity,
            phase: Cell::new(phase),
            busy: Cell::new(0),
            since: Cell::new(now),
            order: Cell::new(Order::Continue),
            deadline: Cell::new(0),
            waker: RefCell::new(None),
            flows: RefCell::default(),
        });
        self.connections.borrow_mut().insert(number, Rc::clone(&watched));
        Entry {
            register: Rc::clone(self),
            number,
            watched,
        }
    }

    /// Whether no connection is left.
    pub fn is_empty(&self) -> bool {
        self.connections.borrow().is_empty()
    }

    /// Tells every connection what the limits say.
    pub fn sweep(&self, limits: Limits, now: u32, draining: u32) {
        for watched in self.connections.borrow().values() {
            watched.check_deadline(now);
            let is_stuck = watched.check_flows(limits, now);
            watched.tell(match limits.judge(now, draining, watched.situation()) {
                _ if is_stuck => Order::Abort,
                order => order,
            });
        }
    }

    /// Ends every connection now.
    pub fn abort(&self) {
        for watched in self.connections.borrow().values() {
            watched.tell(Order::Abort);
        }
    }
}

/// A connection's place in the register.
#[derive(Debug)]
pub struct Entry {
    register: Rc<Register>,
    number: u64,
    /// The connection.
    pub watched: Rc<Watched>,
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.register.connections.borrow_mut().remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const IDLE: Situation = Situation {
        phase: Phase::Http1,
        busy: 0,
        since: 1_000,
        moved: 1_000,
        first_read: 0,
        blocked: 0,
        lingering: false,
    };

    #[track_caller]
    fn check(now: u32, draining: u32, is: Situation, expect: Order) {
        let limits = Limits {
            header: 10_000,
            idle: 60_000,
            tunnel: 30_000,
            stall: 60_000,
        };
        assert_eq!(limits.judge(now, draining, is), expect, "{is:?} at {now}");
    }

    #[test]
    fn a_kept_connection_ends_when_idle() {
        check(60_999, 0, IDLE, Order::Continue);
        check(61_001, 0, IDLE, Order::Finish);
        check(61_001, 0, Situation { busy: 1, ..IDLE }, Order::Continue);
        check(
            61_001,
            0,
            Situation {
                phase: Phase::Http2,
                ..IDLE
            },
            Order::Finish,
        );
    }

    #[test]
    fn a_slow_head_is_cut_off() {
        let slow = Situation {
            first_read: 2_000,
            ..IDLE
        };
        check(12_000, 0, slow, Order::Continue);
        check(12_001, 0, slow, Order::Abort);
        check(12_001, 0, Situation { busy: 1, ..slow }, Order::Continue);
        check(
            12_001,
            0,
            Situation {
                phase: Phase::Http2,
                ..slow
            },
            Order::Continue,
        );
        let opening = Situation {
            phase: Phase::Opening,
            ..IDLE
        };
        check(11_000, 0, opening, Order::Continue);
        check(11_001, 0, opening, Order::Abort);
    }

    #[test]
    fn a_client_that_takes_nothing_is_cut_off() {
        let blocked = Situation {
            busy: 1,
            blocked: 2_000,
            ..IDLE
        };
        check(62_000, 0, blocked, Order::Continue);
        check(62_001, 0, blocked, Order::Abort);
        check(
            62_001,
            0,
            Situation {
                phase: Phase::Tunnel,
                moved: 62_000,
                ..blocked
            },
            Order::Continue,
        );
    }

    #[test]
    fn a_tunnel_ends_when_nothing_moves() {
        let tunnel = Situation {
            phase: Phase::Tunnel,
            ..IDLE
        };
        check(31_000, 0, tunnel, Order::Continue);
        check(31_001, 0, tunnel, Order::Abort);
        let forever = Limits {
            header: 1,
            idle: 1,
            tunnel: 0,
            stall: 0,
        };
        assert_eq!(forever.judge(u32::MAX, 0, tunnel), Order::Continue);
    }

    #[test]
    fn draining_lets_requests_in_flight_and_on_their_way_end() {
        check(2_100, 2_000, IDLE, Order::Continue);
        check(2_501, 2_000, IDLE, Order::Finish);
        check(9_000, 2_000, Situation { busy: 1, ..IDLE }, Order::Continue);
        check(
            2_501,
            2_000,
            Situation {
                first_read: 2_400,
                ..IDLE
            },
            Order::Continue,
        );
        check(
            2_000,
            2_000,
            Situation {
                phase: Phase::Http2,
                busy: 1,
                ..IDLE
            },
            Order::Finish,
        );
    }

    #[test]
    fn lingering_is_short() {
        let lingering = Situation {
            lingering: true,
            ..IDLE
        };
        check(3_000, 0, lingering, Order::Continue);
        check(3_001, 0, lingering, Order::Abort);
    }
}
