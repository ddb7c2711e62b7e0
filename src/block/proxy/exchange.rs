//! One request and its response, from the first byte to the last: counted and logged when it is dropped.

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use hyper::body::Incoming;
use hyper::header::{HOST, HeaderValue};
use hyper::{Method, Request, Uri, Version};

use super::arms::{Arm, Arms};
use super::backend::{Backend, Occupied};
use super::trace::TraceId;
use super::worker::Connection;
use crate::block::log;

/// The status of a request whose client left before the response.
const CLIENT_LEFT: u16 = 499;

/// A request on its way.
pub struct Exchange {
    connection: Rc<Connection>,
    started: Instant,
    named: Option<Named>,
    backend: Option<Occupied>,
    /// The arm that it was assigned to.
    arm: Option<usize>,
    /// The cookie that keeps the client at its arm, where it has yet to be set.
    pub cookie: Option<HeaderValue>,
    /// The response's status; 0 until there is one.
    pub status: u16,
    /// Bytes of the response's body.
    pub sent: u64,
    /// The response was passed on wholly.
    pub is_whole: bool,
    /// Backends that were asked.
    pub attempts: u32,
    /// The trace that it belongs to.
    pub trace: Option<TraceId>,
}

/// What the log says of a request; kept only when there is a log.
struct Named {
    method: Method,
    uri: Uri,
    host: Option<HeaderValue>,
    version: Version,
}

impl Exchange {
    /// A request begins.
    pub fn begin(connection: &Rc<Connection>, request: &Request<Incoming>) -> Self {
        connection.watched.begin();
        let named = connection.worker.settings().passing.access_log.then(|| Named {
            method: request.method().clone(),
            uri: request.uri().clone(),
            host: request.headers().get(HOST).cloned(),
            version: request.version(),
        });
        Self {
            connection: Rc::clone(connection),
            started: Instant::now(),
            named,
            backend: None,
            arm: None,
            cookie: None,
            status: 0,
            sent: 0,
            is_whole: false,
            attempts: 0,
            trace: None,
        }
    }

    /// It goes to an arm.
    pub fn assign(&mut self, arm: usize) {
        self.arm = Some(arm);
    }

    /// The arm that it goes to.
    pub fn arm(&self) -> Option<&Arm> {
        self.connection.worker.arms()?.get(self.arm?)
    }

    /// The group whose backends it goes to.
    pub fn group(&self) -> usize {
        self.arm.unwrap_or(self.connection.route)
    }

    /// Whether the first arm may take what this one can't.
    pub fn may_fall_back(&self) -> bool {
        let arms = self.connection.worker.arms();
        arms.is_some_and(Arms::falls_back) && self.arm.is_some_and(|arm| arm > 0)
    }

    /// Goes to the first arm instead.
    pub fn fall_back(&mut self) {
        if let Some(arm) = self.arm() {
            arm.fell_back();
        }
        self.arm = Some(0);
    }

    /// Another backend is asked.
    pub fn ask(&mut self, backend: &Arc<Backend>) {
        self.backend = Some(backend.occupy());
        self.attempts += 1;
    }

    /// The backend that is asked.
    pub fn backend(&self) -> Option<&Arc<Backend>> {
        self.backend.as_deref()
    }

    /// The connection that it came on.
    pub fn connection(&self) -> &Rc<Connection> {
        &self.connection
    }

    fn write(&self, named: &Named, status: u16, taken: Duration) {
        log::line(|line| {
            let text = |line: &mut Vec<u8>, key: &str, value: &[u8]| {
                line.extend_from_slice(b",\"");
                line.extend_from_slice(key.as_bytes());
                line.extend_from_slice(b"\":");
                log::append_bytes(line, value);
            };
            let number = |line: &mut Vec<u8>, key: &str, value: u64| {
                line.extend_from_slice(b",\"");
                line.extend_from_slice(key.as_bytes());
                line.extend_from_slice(b"\":");
                log::append_number(line, value);
            };
            line.extend_from_slice(b"{\"time\":\"");
            log::Timestamp::now().append(line);
            line.extend_from_slice(b"\",\"level\":\"info\",\"block\":\"");
            line.extend_from_slice(log::block().as_bytes());
            line.extend_from_slice(b"\",\"event\":\"request\"");
            text(line, "client", self.connection.client_name.as_bytes());
            text(line, "method", named.method.as_str().as_bytes());
            if let Some(host) = &named.host {
                text(line, "host", host.as_bytes());
            } else if let Some(authority) = named.uri.authority() {
                text(line, "host", authority.as_str().as_bytes());
            }
            text(line, "path", named.uri.path().as_bytes());
            if let Some(query) = named.uri.query() {
                text(line, "query", query.as_bytes());
            }
            let version = match named.version {
                Version::HTTP_2 => "2",
                Version::HTTP_10 => "1.0",
                _ => "1.1",
            };
            text(line, "http", version.as_bytes());
            number(line, "status", u64::from(status));
            number(line, "bytes", self.sent);
            number(
                line,
                "microseconds",
                u64::try_from(taken.as_micros()).unwrap_or(u64::MAX),
            );
            if let Some(arm) = self.arm() {
                text(line, "name", arm.name.as_bytes());
            }
            if let Some(backend) = &self.backend {
                text(line, "backend", backend.name.as_bytes());
            }
            number(line, "attempts", u64::from(self.attempts));
            if let Some(trace) = &self.trace {
                text(line, "trace", trace);
            }
            if !self.is_whole {
                line.extend_from_slice(b",\"aborted\":true");
            }
            line.extend_from_slice(b"}\n");
        });
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        let worker = &self.connection.worker;
        self.connection.watched.end(worker.clock.load(Ordering::Relaxed));
        let taken = self.started.elapsed();
        let status = if self.status == 0 {
            CLIENT_LEFT
        } else {
            self.status
        };
        worker.counts.request(status, taken);
        if let Some(arm) = self.arm() {
            arm.answered(status);
        }
        if self.attempts > 1 {
            worker
                .counts
                .retries
                .fetch_add(u64::from(self.attempts - 1), Ordering::Relaxed);
        }
        if let Some(named) = &self.named {
            self.write(named, status, taken);
        }
    }
}
