//! The bodies that pass through a proxy: a client's, with its limits, and a backend's, with what is owed at its end.

use std::cell::Cell;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use futures_util::task::AtomicWaker;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::client::conn::http1::SendRequest;
use tokio::time::Sleep;

use super::exchange::Exchange;
use super::shadow::Copying;
use super::supervision::Flow;
use super::upstream::{Line, Peer};
use super::wire::WireBody;

/// How long a backend may take to say that it wants the body, before it is sent unasked.
const EXPECTATION: Duration = Duration::from_secs(1);

/// How a client's body went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// It was not sent whole yet.
    Sending,
    /// It was sent whole.
    Sent,
    /// It is larger than allowed.
    TooLarge,
    /// The client broke off, or sent what is no body.
    Broken,
}

/// A backend's answer to `Expect: 100-continue`.
#[derive(Debug, Default)]
pub struct Gate {
    is_open: AtomicBool,
    waker: AtomicWaker,
}

impl Gate {
    /// The backend wants the body.
    pub fn open(&self) {
        self.is_open.store(true, Ordering::Release);
        self.waker.wake();
    }
}

/// What is sent to a backend as a request's body.
pub enum RequestBody {
    /// Nothing.
    Empty,
    /// All of it, at hand.
    Whole(Bytes),
    /// What the client sends, as it comes.
    Stream(Box<Streamed>),
}

/// A client's body on its way.
pub struct Streamed {
    body: Incoming,
    /// Bytes that may still come.
    allowed: u64,
    progress: Rc<Cell<Progress>>,
    gate: Option<(Arc<Gate>, Pin<Box<Sleep>>)>,
    /// Takes a copy for those who get one.
    copying: Option<Copying>,
}

impl Streamed {
    /// Passes on at most so many bytes, and says in `progress` how it went.
    pub fn new(body: Incoming, allowed: u64, progress: Rc<Cell<Progress>>) -> Self {
        Self {
            body,
            allowed,
            progress,
            gate: None,
            copying: None,
        }
    }

    /// Has a copy taken as it comes.
    pub fn copied(mut self, copying: Option<Copying>) -> Self {
        self.copying = copying;
        self
    }

    fn copy(&mut self, frame: &Frame<Bytes>) {
        if let Some(data) = frame.data_ref()
            && let Some(copying) = self.copying.take()
        {
            self.copying = copying.add(data);
        }
    }

    fn is_sent(&mut self) {
        self.progress.set(Progress::Sent);
        if let Some(copying) = self.copying.take() {
            copying.finish();
        }
    }

    /// Holds it back until the gate opens.
    pub fn behind(mut self, gate: Arc<Gate>) -> Self {
        self.gate = Some((gate, Box::pin(tokio::time::sleep(EXPECTATION))));
        self
    }

    fn poll_gate(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if let Some((gate, patience)) = &mut self.gate {
            gate.waker.register(context.waker());
            if !gate.is_open.load(Ordering::Acquire) {
                ready!(patience.as_mut().poll(context));
            }
            self.gate = None;
        }
        Poll::Ready(())
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        ready!(self.poll_gate(context));
        Poll::Ready(match ready!(Pin::new(&mut self.body).poll_frame(context)) {
            Some(Ok(frame)) => {
                let length = frame.data_ref().map_or(0, |data| data.len() as u64);
                if let Some(left) = self.allowed.checked_sub(length) {
                    self.allowed = left;
                    self.copy(&frame);
                    if self.body.is_end_stream() {
                        self.is_sent();
                    }
                    Some(Ok(frame))
                } else {
                    self.progress.set(Progress::TooLarge);
                    Some(Err(BodyError::TooLarge))
                }
            }
            Some(Err(error)) => {
                self.progress.set(Progress::Broken);
                Some(Err(BodyError::Client(error)))
            }
            None => {
                self.is_sent();
                None
            }
        })
    }
}

/// Why a body ended early.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// It is larger than allowed.
    #[error("the body is too large")]
    TooLarge,
    /// The client broke off.
    #[error(transparent)]
    Client(hyper::Error),
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match &mut *self {
            Self::Empty => Poll::Ready(None),
            Self::Whole(bytes) if bytes.is_empty() => Poll::Ready(None),
            Self::Whole(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            Self::Stream(streamed) => streamed.poll(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Whole(bytes) => bytes.is_empty(),
            Self::Stream(streamed) => streamed.body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Empty => SizeHint::with_exact(0),
            Self::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Self::Stream(streamed) => streamed.body.size_hint(),
        }
    }
}

/// What is sent to a client as a response's body.
pub enum ResponseBody {
    /// The proxy's own words.
    Own {
        /// What is left of them.
        text: Bytes,
        /// The request that they answer.
        exchange: Exchange,
    },
    /// What a backend sends, as it comes.
    Passed(Passing),
}

/// A backend's body on its way to a client.
pub struct Passing {
    body: BackendBody,
    /// Where its connection is kept at the end.
    peer: Rc<Peer>,
    /// The request that it answers.
    exchange: Exchange,
    /// How it moves, once somebody watches that.
    flow: Option<Rc<Flow>>,
}

impl Passing {
    /// A body that has yet to be passed on.
    pub fn new(body: BackendBody, peer: Rc<Peer>, exchange: Exchange) -> Self {
        Self {
            body,
            peer,
            exchange,
            flow: None,
        }
    }

    /// Whether nothing more comes.
    pub fn is_ended(&self) -> bool {
        self.body.is_ended()
    }

    /// Has it watched: from now on it may not stand still for too long.
    pub fn watch(&mut self) -> &Rc<Flow> {
        let exchange = &self.exchange;
        self.flow.get_or_insert_with(|| {
            let connection = exchange.connection();
            let now = connection.worker.clock.load(Ordering::Relaxed);
            connection.watched.flow(now)
        })
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BackendError>>> {
        if self.flow.as_ref().is_some_and(|flow| flow.is_overdue()) {
            return Poll::Ready(Some(Err(BackendError::Stalled)));
        }
        let frame = match self.body.poll(context) {
            Poll::Ready(frame) => frame,
            Poll::Pending => {
                self.watch().wait(context.waker());
                return Poll::Pending;
            }
        };
        if let Some(Ok(frame)) = &frame {
            self.exchange.sent += frame.data_ref().map_or(0, |data| data.len() as u64);
        }
        if !matches!(frame, Some(Err(_))) && (frame.is_none() || self.body.is_ended()) {
            self.exchange.is_whole = true;
            if let Some(line) = self.body.release() {
                self.peer.keep(line);
            }
        }
        if let Some(flow) = &self.flow {
            let worker = &self.exchange.connection().worker;
            flow.moved(worker.clock.load(Ordering::Relaxed));
        }
        Poll::Ready(frame)
    }
}

/// A backend's body, by who reads it.
pub enum BackendBody {
    /// The request's own task.
    Wire(WireBody),
    /// Hyper.
    Hyper {
        /// The body.
        body: Incoming,
        /// The connection that it comes from; gone when it was given back, or changed its protocol.
        sender: Option<SendRequest<RequestBody>>,
    },
}

/// Why a backend's body ended early.
#[derive(Debug, thiserror::Error)]
pub enum BackendError {
    /// The connection broke, or what came is no body.
    #[error(transparent)]
    Wire(std::io::Error),
    /// What hyper says.
    #[error(transparent)]
    Hyper(hyper::Error),
    /// Nothing came for too long.
    #[error("the backend's body stands still")]
    Stalled,
}

impl BackendBody {
    /// Whether nothing more comes.
    pub fn is_ended(&self) -> bool {
        match self {
            Self::Wire(body) => body.is_end_stream(),
            Self::Hyper { body, .. } => body.is_end_stream(),
        }
    }

    /// The connection, once the body has ended.
    pub fn release(&mut self) -> Option<Line> {
        match self {
            Self::Wire(body) => body.release().map(Line::Wire),
            Self::Hyper { sender, .. } => sender.take().map(Line::Hyper),
        }
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BackendError>>> {
        match self {
            Self::Wire(body) => Pin::new(body).poll_frame(context).map_err(BackendError::Wire),
            Self::Hyper { body, .. } => Pin::new(body).poll_frame(context).map_err(BackendError::Hyper),
        }
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = BackendError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BackendError>>> {
        match &mut *self {
            Self::Own { text, exchange } => {
                if text.is_empty() {
                    return Poll::Ready(None);
                }
                let text = std::mem::take(text);
                exchange.sent += text.len() as u64;
                exchange.is_whole = true;
                Poll::Ready(Some(Ok(Frame::data(text))))
            }
            Self::Passed(passing) => passing.poll(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Own { text, .. } => text.is_empty(),
            Self::Passed(passing) => passing.is_ended(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Own { text, .. } => SizeHint::with_exact(text.len() as u64),
            Self::Passed(passing) => match &passing.body {
                BackendBody::Wire(body) => body.size_hint(),
                BackendBody::Hyper { body, .. } => body.size_hint(),
            },
        }
    }
}
