//! Connections to backends: a pool for each worker and backend, so that taking one needs no lock.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use hyper::client::conn::http1::{Builder, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::backend::Backend;
use super::body::RequestBody;
use super::stream::Clock;
use super::wire::Wire;

/// How long an unused connection is kept, in milliseconds. Most servers keep theirs for longer; the race is lost by few.
const KEEP: u32 = 30_000;
/// How old, in milliseconds, a kept connection may be for a request that can't be repeated when the backend is closing it just now.
const FRESH: u32 = 1_000;
/// Unused connections that are kept for one backend and worker.
const MOST: usize = 512;

/// A backend, and this worker's connections to it.
#[derive(Debug)]
pub struct Peer {
    /// What all workers know of it.
    pub backend: Arc<Backend>,
    idle: RefCell<Vec<Idle>>,
    clock: Clock,
}

#[derive(Debug)]
struct Idle {
    line: Line,
    since: u32,
}

/// A connection, by who speaks HTTP on it.
#[derive(Debug)]
pub enum Line {
    /// The request's own task.
    Wire(Wire),
    /// Hyper, in a task of the connection.
    Hyper(SendRequest<RequestBody>),
}

impl Line {
    fn is_ready(&self) -> bool {
        match self {
            Self::Wire(wire) => wire.is_ready(),
            Self::Hyper(sender) => sender.is_ready(),
        }
    }

    fn is_closed(&self) -> bool {
        match self {
            Self::Wire(wire) => !wire.is_ready(),
            Self::Hyper(sender) => sender.is_closed(),
        }
    }

    /// Lets hyper speak from now on.
    pub async fn into_hyper(self) -> io::Result<SendRequest<RequestBody>> {
        let stream = match self {
            Self::Wire(wire) => wire.into_stream(),
            Self::Hyper(sender) => return Ok(sender),
        };
        let (sender, connection) = Builder::new()
            .writev(false)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(io::Error::other)?;
        // Its errors reach whoever waits for the response.
        tokio::task::spawn_local(connection.with_upgrades());
        Ok(sender)
    }
}

/// A connection that is in use.
#[derive(Debug)]
pub struct Lease {
    /// The connection.
    pub line: Line,
    /// It was used before.
    pub reused: bool,
}

impl Peer {
    /// A backend without connections.
    pub fn new(backend: Arc<Backend>, clock: Clock) -> Rc<Self> {
        Rc::new(Self {
            backend,
            idle: RefCell::default(),
            clock,
        })
    }

    /// A kept connection, if there is one that is ready.
    pub fn kept(&self, repeatable: bool) -> Option<Lease> {
        let mut idle = self.idle.borrow_mut();
        let place = idle.iter().rposition(|idle| idle.line.is_ready())?;
        if !repeatable && self.age(idle[place].since) > FRESH {
            return None;
        }
        let Idle { line, .. } = idle.remove(place);
        Some(Lease { line, reused: true })
    }

    /// A new connection.
    pub async fn connect(&self, timeout: Duration) -> io::Result<Lease> {
        let stream = connect(&self.backend, timeout).await?;
        Ok(Lease {
            line: Line::Wire(Wire::new(stream)),
            reused: false,
        })
    }

    /// Keeps a connection for the next request.
    pub fn keep(&self, line: Line) {
        let mut idle = self.idle.borrow_mut();
        if idle.len() < MOST {
            let since = self.clock.load(Ordering::Relaxed);
            idle.push(Idle { line, since });
        }
    }

    fn age(&self, since: u32) -> u32 {
        self.clock.load(Ordering::Relaxed).saturating_sub(since)
    }

    /// Closes what was not used for long.
    pub fn sweep(&self) {
        self.idle
            .borrow_mut()
            .retain(|idle| !idle.line.is_closed() && self.age(idle.since) < KEEP);
    }
}

/// Connects to a backend within the time.
pub async fn connect(backend: &Backend, timeout: Duration) -> io::Result<TcpStream> {
    let stream = tokio::time::timeout(timeout, TcpStream::connect(backend.address))
        .await
        .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
    stream.set_nodelay(true)?;
    Ok(stream)
}
