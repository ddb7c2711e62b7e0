//! Answers HTTP requests until it is told to stop, then finishes those under way.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use crate::config::Config;
use crate::log::{json_string, log};

/// Connections served at a time; the next one waits.
const CONNECTIONS: usize = 512;
/// Bytes of a request's line and headers.
const HEAD: u64 = 16 * 1024;
/// How long a client may be silent.
const SILENCE: Duration = Duration::from_secs(30);

/// The server's state, shared by its connections.
pub struct Service {
    config: Config,
    draining: AtomicBool,
    counts: Mutex<Counts>,
    changed: Condvar,
}

#[derive(Default)]
struct Counts {
    connections: usize,
    requests: usize,
}

/// What is answered to a request.
#[derive(Debug, PartialEq, Eq)]
pub struct Answer {
    pub status: &'static str,
    pub content_type: &'static str,
    pub body: String,
}

impl Service {
    pub fn new(config: Config) -> Arc<Self> {
        Arc::new(Self {
            config,
            draining: AtomicBool::new(false),
            counts: Mutex::default(),
            changed: Condvar::new(),
        })
    }

    /// Accepts connections, each on a thread of its own, until `drain`.
    pub fn serve(self: &Arc<Self>, listener: &TcpListener) {
        for stream in listener.incoming() {
            if self.draining.load(Ordering::SeqCst) {
                return;
            }
            let stream = match stream {
                Ok(stream) => stream,
                // A client that went away before it was accepted is not this service's failure.
                Err(_) => continue,
            };
            self.count(|counts| counts.connections += 1);
            let service = Arc::clone(self);
            thread::spawn(move || {
                let _ = service.serve_connection(stream);
                service.count(|counts| counts.connections -= 1);
            });
            let counts = self.lock();
            drop(self.changed.wait_while(counts, |counts| counts.connections >= CONNECTIONS));
        }
    }

    /// Stops accepting, then waits for the requests under way; false when the grace ran out.
    pub fn drain(&self, address: SocketAddr) -> bool {
        self.draining.store(true, Ordering::SeqCst);
        // Wakes `serve`, which is waiting for a connection.
        let _ = TcpStream::connect_timeout(&reachable(address), Duration::from_secs(1));
        let waited = self
            .changed
            .wait_timeout_while(self.lock(), self.config.shutdown_grace, |counts| counts.requests > 0);
        waited.map_or(false, |(_, timeout)| !timeout.timed_out())
    }

    /// How many requests have begun and not ended.
    pub fn requests_under_way(&self) -> usize {
        self.lock().requests
    }

    /// Decides what is answered.
    pub fn answer(&self, method: &str, target: &str) -> Answer {
        let text = |status, body: &str| Answer { status, content_type: "text/plain", body: body.to_owned() };
        if method != "GET" && method != "HEAD" {
            return text("405 Method Not Allowed", "method not allowed\n");
        }
        match target.split('?').next().unwrap_or_default() {
            "/" => Answer {
                status: "200 OK",
                content_type: "application/json",
                body: format!(
                    "{{\"greeting\":{},\"host\":{}}}\n",
                    json_string(&self.config.greeting),
                    json_string(&host_name())
                ),
            },
            "/livez" => text("200 OK", "ok\n"),
            "/readyz" if self.draining.load(Ordering::SeqCst) => text("503 Service Unavailable", "draining\n"),
            "/readyz" => text("200 OK", "ok\n"),
            _ => text("404 Not Found", "not found\n"),
        }
    }

    fn serve_connection(&self, stream: TcpStream) -> io::Result<()> {
        stream.set_read_timeout(Some(SILENCE))?;
        stream.set_write_timeout(Some(SILENCE))?;
        stream.set_nodelay(true)?;
        let mut reader = BufReader::new(stream.try_clone()?);
        let mut stream = stream;
        loop {
            // Waits for the first byte, then counts the request as under way.
            if reader.fill_buf()?.is_empty() {
                return Ok(());
            }
            self.count(|counts| counts.requests += 1);
            let again = self.serve_request(&mut reader, &mut stream);
            self.count(|counts| counts.requests -= 1);
            if !again? {
                return Ok(());
            }
        }
    }

    /// Serves one request; true when the connection can be used again.
    fn serve_request(&self, reader: &mut impl BufRead, stream: &mut TcpStream) -> io::Result<bool> {
        let started = Instant::now();
        let mut head = reader.take(HEAD);
        let mut line = String::new();
        head.read_line(&mut line)?;
        let mut words = line.split_whitespace();
        let (method, target, version) = (words.next(), words.next(), words.next());
        let mut keep_alive = version == Some("HTTP/1.1");
        loop {
            let mut header = String::new();
            if head.read_line(&mut header)? == 0 {
                return bad_request(stream);
            }
            let header = header.trim_end().to_ascii_lowercase();
            if header.is_empty() {
                break;
            }
            // A body is never read, so the connection can't be used again.
            let has_body = header.starts_with("content-length:") || header.starts_with("transfer-encoding:");
            keep_alive &= !has_body && header != "connection: close";
        }
        let (method, target) = match (method, target) {
            (Some(method), Some(target)) => (method, target),
            _ => return bad_request(stream),
        };
        keep_alive &= !self.draining.load(Ordering::SeqCst);
        let answer = self.answer(method, target);
        let body = if method == "HEAD" { "" } else { &answer.body };
        let response = format!(
            "HTTP/1.1 {}\r\nContent-Type: {}\r\nContent-Length: {}\r\nConnection: {}\r\n\r\n{body}",
            answer.status,
            answer.content_type,
            answer.body.len(),
            if keep_alive { "keep-alive" } else { "close" },
        );
        stream.write_all(response.as_bytes())?;
        if target != "/livez" && target != "/readyz" {
            log(
                "info",
                "request",
                &[
                    ("method", json_string(method)),
                    ("path", json_string(target)),
                    ("status", answer.status[..3].to_owned()),
                    ("milliseconds", format!("{:.3}", started.elapsed().as_secs_f64() * 1000.0)),
                ],
            );
        }
        Ok(keep_alive)
    }

    fn count(&self, change: impl FnOnce(&mut Counts)) {
        change(&mut self.lock());
        self.changed.notify_all();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

fn bad_request(stream: &mut TcpStream) -> io::Result<bool> {
    stream.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")?;
    Ok(false)
}

/// Where the service reaches itself: a wildcard address can be listened on, not dialled everywhere.
fn reachable(address: SocketAddr) -> SocketAddr {
    match address {
        SocketAddr::V4(v4) if v4.ip().is_unspecified() => ([127, 0, 0, 1], v4.port()).into(),
        SocketAddr::V6(v6) if v6.ip().is_unspecified() => (std::net::Ipv6Addr::LOCALHOST, v6.port()).into(),
        other => other,
    }
}

fn host_name() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname").map_or_else(|_| String::new(), |name| name.trim_end().to_owned())
}
