//! A connection to a shard that many clients share: what they ask goes out in one write, what comes back is handed out
//! in the order in which it was asked for.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWrite};
use tokio::net::TcpStream;

use super::client::Client;
use super::memcached;
use super::settings::Protocol;
use super::shards::{Outcome, connect};
use super::worker::Worker;
use crate::block::resp;

/// Bytes that are read at once, at least.
const ROOM: usize = 32 * 1024;
/// A buffer that is larger than this is given back when it is empty.
const KEPT: usize = 1024 * 1024;
/// After a failed attempt to connect, requests fail at once for so long.
const HOLD_OFF: Duration = Duration::from_millis(50);

/// Who is owed a reply.
#[derive(Debug)]
pub struct Ticket {
    /// The client, the number of its request, and which part of it; nobody where the reply is for nobody.
    pub client: Option<(Rc<Client>, u64, u32)>,
    /// When it was asked, by the worker's clock.
    pub at: u32,
}

#[derive(Debug, Default)]
struct State {
    out: BytesMut,
    tickets: VecDeque<Ticket>,
    /// The oldest reply is overdue.
    overdue: bool,
}

/// The connection.
#[derive(Debug)]
pub struct Link {
    shard: usize,
    state: RefCell<State>,
    waker: RefCell<Option<Waker>>,
    woken: Cell<bool>,
}

/// How an exchange ended.
enum End {
    /// With nothing on its way: what waits can be sent again on a new connection.
    Clean,
    /// With requests that may have been carried out, or not.
    Broken(Outcome, String),
}

impl Link {
    /// A connection that is made when it is needed.
    pub fn new(shard: usize) -> Rc<Self> {
        Rc::new(Self {
            shard,
            state: RefCell::default(),
            waker: RefCell::default(),
            woken: Cell::new(false),
        })
    }

    /// Has a request sent. Its bytes are held already.
    pub fn send(&self, request: &[u8], ticket: Ticket) {
        let mut state = self.state.borrow_mut();
        state.out.extend_from_slice(request);
        state.tickets.push_back(ticket);
        drop(state);
        self.wake();
    }

    /// Ends the exchange where the oldest reply is overdue.
    pub fn check(&self, now: u32, patience: u32) {
        let mut state = self.state.borrow_mut();
        let oldest = state.tickets.front().map_or(now, |ticket| ticket.at);
        if now.saturating_sub(oldest) > patience {
            state.overdue = true;
            drop(state);
            self.wake();
        }
    }

    fn wake(&self) {
        if !self.woken.replace(true)
            && let Some(waker) = &*self.waker.borrow()
        {
            waker.wake_by_ref();
        }
    }

    fn listen(&self, waker: &Waker) {
        self.woken.set(false);
        let mut known = self.waker.borrow_mut();
        if !known.as_ref().is_some_and(|known| known.will_wake(waker)) {
            *known = Some(waker.clone());
        }
    }

    /// Keeps the connection for ever.
    pub async fn run(self: Rc<Self>, worker: Rc<Worker>) {
        let upstream = worker.shards.list[self.shard].upstream.clone();
        let mut failed: Option<(Instant, String)> = None;
        loop {
            self.wanted().await;
            if let Some((since, reason)) = &failed
                && since.elapsed() < HOLD_OFF
            {
                self.fail(&worker, Outcome::Failed, reason);
                continue;
            }
            failed = None;
            match connect(&upstream, worker.connect_timeout()).await {
                Ok(stream) => {
                    self.restart_clocks(&worker);
                    if let End::Broken(outcome, reason) = self.exchange(&worker, stream).await {
                        worker.shards.failed(self.shard, &reason);
                        self.fail(&worker, outcome, &reason);
                    }
                }
                Err(reason) => {
                    worker.shards.failed(self.shard, &reason);
                    self.fail(&worker, Outcome::Failed, &reason);
                    failed = Some((Instant::now(), reason));
                }
            }
        }
    }

    /// Waits for a request.
    async fn wanted(&self) {
        std::future::poll_fn(|context| {
            self.listen(context.waker());
            if self.state.borrow().tickets.is_empty() {
                Poll::Pending
            } else {
                Poll::Ready(())
            }
        })
        .await;
    }

    /// The time to answer begins with the connection.
    fn restart_clocks(&self, worker: &Worker) {
        let mut state = self.state.borrow_mut();
        let now = worker.now();
        state.overdue = false;
        state.tickets.iter_mut().for_each(|ticket| ticket.at = now);
    }

    /// Answers everything that waits with an error.
    fn fail(&self, worker: &Worker, outcome: Outcome, reason: &str) {
        let tickets = {
            let mut state = self.state.borrow_mut();
            worker.release(state.out.len());
            state.out = BytesMut::new();
            state.overdue = false;
            std::mem::take(&mut state.tickets)
        };
        let shard = &worker.shards.list[self.shard];
        let text = worker.failure(&format!("shard `{}`: {reason}", shard.name));
        shard.count(outcome, tickets.len() as u64);
        worker.landed(tickets.len());
        for ticket in tickets {
            if let Some((client, sequence, part)) = ticket.client {
                client.answer(worker, sequence, part, &text);
            }
        }
    }

    async fn exchange(&self, worker: &Worker, stream: TcpStream) -> End {
        let mut exchange = Exchange {
            link: self,
            worker,
            stream,
            scanner: match worker.protocol() {
                Protocol::Memcached => Scanner::Memcached(memcached::Scanner::default()),
                Protocol::Redis | Protocol::Http => Scanner::Redis(resp::Scanner::default()),
            },
            buffer: BytesMut::new(),
            counted: 0,
            dirty: false,
            used: false,
        };
        std::future::poll_fn(|context| exchange.poll(context)).await
    }
}

/// Finds replies in the protocol that is spoken.
enum Scanner {
    Redis(resp::Scanner),
    Memcached(memcached::Scanner),
}

struct Exchange<'a> {
    link: &'a Link,
    worker: &'a Worker,
    stream: TcpStream,
    scanner: Scanner,
    buffer: BytesMut,
    /// Bytes of the buffer that are counted.
    counted: usize,
    /// Something was sent that was not answered.
    dirty: bool,
    /// Something was answered.
    used: bool,
}

impl Drop for Exchange<'_> {
    fn drop(&mut self) {
        self.worker.release(self.counted);
    }
}

impl Exchange<'_> {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<End> {
        self.link.listen(context.waker());
        // What the shard says first: it may say that it is gone, before anything is sent in vain.
        loop {
            self.buffer.reserve(ROOM);
            match pin!(self.stream.read_buf(&mut self.buffer)).poll(context) {
                Poll::Ready(Ok(0)) => {
                    return Poll::Ready(self.broken("the connection was closed".to_owned()));
                }
                Poll::Ready(Ok(_)) => {
                    if let Err(reason) = self.hand_out() {
                        return Poll::Ready(End::Broken(Outcome::Failed, reason));
                    }
                }
                Poll::Ready(Err(error)) => return Poll::Ready(self.broken(error.to_string())),
                Poll::Pending => break,
            }
        }
        if self.link.state.borrow().overdue {
            let reason = "no answer in time".to_owned();
            return Poll::Ready(End::Broken(Outcome::TimedOut, reason));
        }
        match self.write(context) {
            Ok(()) => Poll::Pending,
            Err(reason) => Poll::Ready(self.broken(reason)),
        }
    }

    /// The end, by what is on its way.
    fn broken(&self, reason: String) -> End {
        if self.dirty || !self.used {
            End::Broken(Outcome::Failed, reason)
        } else {
            End::Clean
        }
    }

    fn write(&mut self, context: &mut Context<'_>) -> Result<(), String> {
        let mut state = self.link.state.borrow_mut();
        while !state.out.is_empty() {
            match Pin::new(&mut self.stream).poll_write(context, &state.out) {
                Poll::Ready(Ok(count)) => {
                    self.dirty |= count > 0;
                    self.worker.release(count);
                    state.out.advance(count);
                }
                Poll::Ready(Err(error)) => return Err(error.to_string()),
                Poll::Pending => return Ok(()),
            }
        }
        if state.out.capacity() > KEPT {
            state.out = BytesMut::new();
        }
        Ok(())
    }

    /// Hands out the replies that are whole.
    fn hand_out(&mut self) -> Result<(), String> {
        let mut answered = 0;
        let result = loop {
            let found = match &mut self.scanner {
                Scanner::Redis(scanner) => scanner.read(&self.buffer),
                Scanner::Memcached(scanner) => scanner.read(&self.buffer),
            };
            let length = match found {
                Ok(Some(length)) => length,
                Ok(None) => break Ok(()),
                Err(broken) => break Err(broken.to_string()),
            };
            let Some(ticket) = self.link.state.borrow_mut().tickets.pop_front() else {
                break Err("it answered what was not asked".to_owned());
            };
            if let Some((client, sequence, part)) = ticket.client {
                client.answer(self.worker, sequence, part, &self.buffer[..length]);
            }
            self.buffer.advance(length);
            answered += 1;
        };
        let shard = &self.worker.shards.list[self.link.shard];
        if answered > 0 {
            self.used = true;
            shard.count(Outcome::Answered, answered as u64);
            self.worker.landed(answered);
            let state = self.link.state.borrow();
            self.dirty &= !(state.tickets.is_empty() && state.out.is_empty());
        }
        self.worker.release(self.counted);
        self.counted = self.buffer.len();
        if !self.worker.hold(self.counted) {
            return Err("an answer takes more than `--memory`".to_owned());
        }
        if self.buffer.is_empty() && self.buffer.capacity() > KEPT {
            self.buffer = BytesMut::new();
        }
        result
    }
}
