//! A client's connection: reads requests, has them sent to shards, and answers in the order in which they were asked.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, Waker};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWrite};
use tokio::net::TcpStream;

use super::memcached;
use super::plan::{Join, Part, Plan};
use super::redis::{self, Session};
use super::settings::Protocol;
use super::worker::Worker;
use crate::block::resp;

/// Requests of one client that are on their way at once; further ones wait.
const MOST_IN_FLIGHT: usize = 4096;
/// Answers that a client has not taken; beyond them no further request is read.
const MOST_UNTAKEN: usize = 1024 * 1024;
/// Bytes that are read at once, at least.
const ROOM: usize = 16 * 1024;
/// A request that is not whole and smaller than this may stay, whatever others have on their way.
const SMALL: usize = 64 * 1024;
/// A buffer that is larger than this is given back when it is empty.
const KEPT: usize = 256 * 1024;

/// An answer that is owed.
#[derive(Debug)]
enum Slot {
    /// It has not come.
    Waiting,
    /// It has come before one that was asked for earlier.
    Ready(Vec<u8>),
    /// It comes in parts.
    Joining(Box<Joining>),
}

#[derive(Debug)]
struct Joining {
    join: Join,
    parts: Vec<Vec<u8>>,
    missing: usize,
}

#[derive(Debug, Default)]
struct State {
    /// The number of the first of the slots.
    base: u64,
    slots: VecDeque<Slot>,
    out: BytesMut,
    /// Bytes in `out` and in slots.
    held: usize,
    /// It is gone: answers are for nobody.
    closed: bool,
}

/// What shards know of a client.
#[derive(Debug, Default)]
pub struct Client {
    state: RefCell<State>,
    waker: RefCell<Option<Waker>>,
    woken: Cell<bool>,
}

impl Client {
    /// A part of an answer has come.
    pub fn answer(&self, worker: &Worker, sequence: u64, part: u32, reply: &[u8]) {
        if !worker.hold(reply.len()) {
            worker.relieve();
        }
        let mut state = self.state.borrow_mut();
        if state.closed {
            worker.release(reply.len());
            return;
        }
        state.held += reply.len();
        let State { base, slots, out, .. } = &mut *state;
        let place = usize::try_from(sequence - *base).unwrap_or(usize::MAX);
        match slots.get_mut(place) {
            Some(Slot::Waiting) if place == 0 => {
                out.extend_from_slice(reply);
                state.advance();
            }
            Some(slot @ Slot::Waiting) => *slot = Slot::Ready(reply.to_vec()),
            Some(Slot::Joining(joining)) => {
                if let Some(part) = usize::try_from(part)
                    .ok()
                    .and_then(|part| joining.parts.get_mut(part))
                {
                    *part = reply.to_vec();
                }
                joining.missing -= 1;
                if joining.missing > 0 {
                    return;
                }
                let parts = std::mem::take(&mut joining.parts);
                let before: usize = parts.iter().map(Vec::len).sum();
                let whole = joining.join.join(parts);
                let after = whole.len();
                slots[place] = Slot::Ready(whole);
                // What is joined may be longer by a few bytes.
                worker.release(before);
                let _ = worker.hold(after);
                state.held = state.held - before + after;
                state.settle();
            }
            Some(Slot::Ready(_)) | None => {}
        }
        drop(state);
        self.wake();
    }

    /// Bytes of answers that it has not taken.
    pub fn held(&self) -> usize {
        self.state.borrow().held
    }

    /// Ends its connection: what is owed to it is for nobody.
    pub fn break_off(&self, worker: &Worker) {
        self.state.borrow_mut().close(worker);
        self.wake();
    }

    /// Whether no further request is taken for now.
    fn is_full(&self) -> bool {
        let state = self.state.borrow();
        state.slots.len() >= MOST_IN_FLIGHT || state.out.len() >= MOST_UNTAKEN
    }

    /// Does with a request what was decided. `request` is what came.
    fn carry_out(self: &Rc<Self>, worker: &Worker, number: u64, plan: Plan, request: &[u8]) {
        let size = match &plan {
            Plan::Pass(_) => request.len(),
            Plan::Silent(parts) | Plan::Spread(parts, _) => parts.iter().map(|part| part.bytes.len()).sum(),
            Plan::Nothing | Plan::Answer(_) | Plan::Close(_) => 0,
        };
        if size > 0 && !worker.hold(size) {
            worker.release(size);
            let text = worker.failure("requests on their way take more than `--memory`");
            worker.shards.refused.fetch_add(1, Ordering::Relaxed);
            self.state.borrow_mut().add(worker, &text);
            return;
        }
        match plan {
            Plan::Nothing => {}
            Plan::Answer(reply) | Plan::Close(reply) => {
                if worker.is_error(&reply) {
                    worker.shards.refused.fetch_add(1, Ordering::Relaxed);
                }
                self.state.borrow_mut().add(worker, &reply);
            }
            Plan::Pass(shard) => {
                let sequence = self.owe(Slot::Waiting);
                let ticket = worker.ticket(Some((Rc::clone(self), sequence, 0)));
                worker.link(shard, number).send(request, ticket);
            }
            Plan::Silent(parts) => {
                for Part { shard, bytes } in parts {
                    worker.link(shard, number).send(&bytes, worker.ticket(None));
                }
            }
            Plan::Spread(parts, join) => {
                let sequence = self.owe(Slot::Joining(Box::new(Joining {
                    join,
                    parts: vec![Vec::new(); parts.len()],
                    missing: parts.len(),
                })));
                for (place, Part { shard, bytes }) in (0..).zip(parts) {
                    let ticket = worker.ticket(Some((Rc::clone(self), sequence, place)));
                    worker.link(shard, number).send(&bytes, ticket);
                }
            }
        }
    }

    /// Owes an answer; says its number.
    fn owe(&self, slot: Slot) -> u64 {
        let mut state = self.state.borrow_mut();
        state.slots.push_back(slot);
        state.base + state.slots.len() as u64 - 1
    }

    /// Wakes its task, unless it was woken and did not run yet.
    pub fn wake(&self) {
        if !self.woken.replace(true)
            && let Some(waker) = &*self.waker.borrow()
        {
            waker.wake_by_ref();
        }
    }

    /// Has its task woken from now on.
    fn listen(&self, waker: &Waker) {
        self.woken.set(false);
        let mut known = self.waker.borrow_mut();
        if !known.as_ref().is_some_and(|known| known.will_wake(waker)) {
            *known = Some(waker.clone());
        }
    }
}

impl State {
    /// The first slot was answered.
    fn advance(&mut self) {
        self.slots.pop_front();
        self.base += 1;
        self.settle();
    }

    /// Writes what has come and is next.
    fn settle(&mut self) {
        while let Some(Slot::Ready(reply)) = self.slots.front() {
            self.out.extend_from_slice(reply);
            self.slots.pop_front();
            self.base += 1;
        }
    }

    /// Owes an answer that is known already.
    fn add(&mut self, worker: &Worker, reply: &[u8]) {
        // What is answered here is small: it may take the sum beyond its limit by so much.
        let _ = worker.hold(reply.len());
        self.held += reply.len();
        if self.slots.is_empty() {
            self.out.extend_from_slice(reply);
            self.base += 1;
        } else {
            self.slots.push_back(Slot::Ready(reply.to_vec()));
        }
    }

    fn close(&mut self, worker: &Worker) {
        self.closed = true;
        worker.release(self.held);
        self.held = 0;
        self.slots.clear();
        self.out = BytesMut::new();
    }
}

/// Reads requests in the protocol that is spoken.
enum Reader {
    Redis(resp::Parser, Session),
    Memcached(memcached::Parser),
}

struct Talk {
    worker: Rc<Worker>,
    client: Rc<Client>,
    stream: TcpStream,
    reader: Reader,
    number: u64,
    buffer: BytesMut,
    /// Bytes of the buffer that are counted.
    counted: usize,
    /// No further request is taken.
    closing: bool,
    /// The buffer may hold requests that there was no room for.
    held_back: bool,
    /// Something was answered since the end began.
    spoke: bool,
}

/// Serves a client until its connection ends.
pub async fn serve(worker: Rc<Worker>, stream: TcpStream, number: u64) {
    let client = Rc::new(Client::default());
    let reader = match worker.protocol() {
        Protocol::Memcached => Reader::Memcached(memcached::Parser::default()),
        Protocol::Redis | Protocol::Http => {
            let session = Session {
                id: i64::try_from(number).unwrap_or(i64::MAX),
                ..Session::default()
            };
            Reader::Redis(resp::Parser::default(), session)
        }
    };
    worker.enter(number, &client);
    let mut talk = Talk {
        client,
        stream,
        reader,
        number,
        buffer: BytesMut::new(),
        counted: 0,
        closing: false,
        held_back: false,
        spoke: false,
        worker: Rc::clone(&worker),
    };
    // A client that breaks off is no event.
    let _ = std::future::poll_fn(|context| talk.poll(context)).await;
}

impl Drop for Talk {
    fn drop(&mut self) {
        self.worker.leave(self.number);
        self.worker.release(self.counted);
        self.client.state.borrow_mut().close(&self.worker);
    }
}

impl Talk {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.client.listen(context.waker());
        loop {
            self.take();
            self.write(context)?;
            let is_full = self.client.is_full();
            let (is_idle, is_closed) = {
                let state = self.client.state.borrow();
                (state.slots.is_empty() && state.out.is_empty(), state.closed)
            };
            if is_closed || (self.closing && is_idle) {
                return Pin::new(&mut self.stream).poll_shutdown(context);
            }
            if self.closing || is_full {
                return Poll::Pending;
            }
            if self.held_back {
                continue;
            }
            match self.read(context)? {
                Poll::Ready(0) => self.closing = true,
                Poll::Ready(_) => {}
                Poll::Pending if is_idle && self.worker.lets_go(self.spoke) => {
                    return Pin::new(&mut self.stream).poll_shutdown(context);
                }
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    /// Reads what the client sent.
    fn read(&mut self, context: &mut Context<'_>) -> io::Result<Poll<usize>> {
        if self.buffer.is_empty() && self.buffer.capacity() > KEPT {
            self.buffer = BytesMut::new();
        }
        self.buffer.reserve(ROOM);
        match pin!(self.stream.read_buf(&mut self.buffer)).poll(context) {
            Poll::Ready(count) => Ok(Poll::Ready(count?)),
            Poll::Pending => Ok(Poll::Pending),
        }
    }

    /// Writes answers, as far as the client takes them.
    fn write(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        let mut state = self.client.state.borrow_mut();
        while !state.out.is_empty() {
            match Pin::new(&mut self.stream).poll_write(context, &state.out) {
                Poll::Ready(Ok(0)) => return Err(io::ErrorKind::WriteZero.into()),
                Poll::Ready(Ok(count)) => {
                    self.spoke |= self.worker.is_draining();
                    state.out.advance(count);
                    state.held -= count;
                    self.worker.release(count);
                }
                Poll::Ready(Err(error)) => return Err(error),
                Poll::Pending => return Ok(()),
            }
        }
        if state.out.capacity() > KEPT {
            state.out = BytesMut::new();
        }
        Ok(())
    }

    /// Takes the whole requests that are in the buffer, while there is room for them.
    fn take(&mut self) {
        let Self {
            worker,
            client,
            reader,
            buffer,
            number,
            ..
        } = self;
        let worker: &Worker = worker;
        self.held_back = false;
        while !self.closing && !buffer.is_empty() {
            if client.is_full() {
                self.held_back = true;
                break;
            }
            let decided = match reader {
                Reader::Redis(parser, session) => parser.read(buffer, worker.most()).map(|length| {
                    length.map(|length| (length, redis::plan(parser.request(buffer), session, worker)))
                }),
                Reader::Memcached(parser) => parser.read(buffer, worker.most()).map(|length| {
                    length.map(|length| (length, memcached::plan(parser.request(buffer), worker)))
                }),
            };
            match decided {
                Ok(Some((length, plan))) => {
                    self.closing = matches!(plan, Plan::Close(_));
                    client.carry_out(worker, *number, plan, &buffer[..length]);
                    match reader {
                        Reader::Redis(parser, _) => parser.next(),
                        Reader::Memcached(parser) => parser.next(),
                    }
                    buffer.advance(length);
                }
                Ok(None) => break,
                Err(broken) => {
                    self.closing = true;
                    let mut out = Vec::new();
                    match reader {
                        Reader::Redis(..) => resp::error(&mut out, &format!("ERR {broken}")),
                        Reader::Memcached(_) => out.extend_from_slice(&memcached::refusal(broken)),
                    }
                    worker.shards.refused.fetch_add(1, Ordering::Relaxed);
                    client.state.borrow_mut().add(worker, &out);
                }
            }
        }
        if self.closing {
            buffer.clear();
        }
        worker.release(self.counted);
        self.counted = buffer.len();
        if !worker.hold(self.counted) && self.counted > SMALL {
            self.closing = true;
            let text = worker.failure("requests on their way take more than `--memory`");
            client.state.borrow_mut().add(worker, &text);
        }
    }
}
