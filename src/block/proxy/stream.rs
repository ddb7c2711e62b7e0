//! A client's connection, plain or TLS, that notes when it moved: so no timer has to be set for each request.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

/// What a client of HTTP/2 sends first.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Bytes that a client may still send while its connection closes, so that it gets to read the answer.
const LINGER: usize = 4 * 1024 * 1024;

/// A worker's coarse clock: milliseconds since it started, never 0.
pub type Clock = Arc<AtomicU32>;

/// When a connection moved last, in its worker's clock; 0 is never.
#[derive(Debug)]
pub struct Activity {
    clock: Clock,
    /// The last byte read or written.
    pub moved: AtomicU32,
    /// The first byte read since this was last set to 0.
    pub first_read: AtomicU32,
    /// Since when the client takes nothing of what is to be written.
    pub blocked: AtomicU32,
    /// The answer was given before the request was read: wait for the client to stop sending.
    pub linger: AtomicBool,
}

impl Activity {
    /// A connection that did not move yet.
    pub fn new(clock: Clock) -> Self {
        let now = clock.load(Ordering::Relaxed);
        Self {
            clock,
            moved: AtomicU32::new(now),
            first_read: AtomicU32::new(0),
            blocked: AtomicU32::new(0),
            linger: AtomicBool::new(false),
        }
    }

    fn note_read(&self) {
        let now = self.clock.load(Ordering::Relaxed);
        self.moved.store(now, Ordering::Relaxed);
        if self.first_read.load(Ordering::Relaxed) == 0 {
            self.first_read.store(now, Ordering::Relaxed);
        }
    }

    fn note_write<T>(&self, written: &Poll<io::Result<T>>) {
        if written.is_ready() {
            if self.blocked.load(Ordering::Relaxed) != 0 {
                self.blocked.store(0, Ordering::Relaxed);
            }
            self.moved
                .store(self.clock.load(Ordering::Relaxed), Ordering::Relaxed);
        } else if self.blocked.load(Ordering::Relaxed) == 0 {
            self.blocked
                .store(self.clock.load(Ordering::Relaxed), Ordering::Relaxed);
        }
    }
}

#[derive(Debug)]
enum Transport {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// A client's connection.
#[derive(Debug)]
pub struct Stream {
    transport: Transport,
    /// Read before the protocol was known.
    sniffed: Bytes,
    activity: Arc<Activity>,
    lingered: usize,
}

impl Stream {
    /// A connection without TLS.
    pub fn plain(connection: TcpStream, activity: Arc<Activity>) -> Self {
        Self::new(Transport::Plain(connection), activity)
    }

    /// A connection whose handshake is done.
    pub fn tls(connection: TlsStream<TcpStream>, activity: Arc<Activity>) -> Self {
        Self::new(Transport::Tls(Box::new(connection)), activity)
    }

    fn new(transport: Transport, activity: Arc<Activity>) -> Self {
        Self {
            transport,
            sniffed: Bytes::new(),
            activity,
            lingered: 0,
        }
    }

    /// Reads until it is known whether the client speaks HTTP/2 from the start; what was read is read again.
    pub async fn sniff(&mut self) -> io::Result<bool> {
        let mut read = Vec::with_capacity(PREFACE.len());
        let mut room = [0; PREFACE.len()];
        while read.len() < PREFACE.len() && PREFACE.starts_with(&read) {
            let free = PREFACE.len() - read.len();
            match (*self).read(&mut room[..free]).await? {
                0 => break,
                count => read.extend_from_slice(&room[..count]),
            }
        }
        let http2 = read == PREFACE;
        self.sniffed = Bytes::from(read);
        Ok(http2)
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if !this.sniffed.is_empty() {
            let count = this.sniffed.len().min(buffer.remaining());
            buffer.put_slice(&this.sniffed[..count]);
            this.sniffed.advance(count);
            return Poll::Ready(Ok(()));
        }
        let before = buffer.filled().len();
        let read = match &mut this.transport {
            Transport::Plain(connection) => Pin::new(connection).poll_read(context, buffer),
            Transport::Tls(connection) => Pin::new(connection).poll_read(context, buffer),
        };
        if buffer.filled().len() > before {
            this.activity.note_read();
        }
        read
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = match &mut self.transport {
            Transport::Plain(connection) => Pin::new(connection).poll_write(context, bytes),
            Transport::Tls(connection) => Pin::new(connection).poll_write(context, bytes),
        };
        self.activity.note_write(&written);
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = match &mut self.transport {
            Transport::Plain(connection) => Pin::new(connection).poll_write_vectored(context, slices),
            Transport::Tls(connection) => Pin::new(connection).poll_write_vectored(context, slices),
        };
        self.activity.note_write(&written);
        written
    }

    fn is_write_vectored(&self) -> bool {
        match &self.transport {
            Transport::Plain(connection) => connection.is_write_vectored(),
            Transport::Tls(connection) => connection.is_write_vectored(),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = match &mut self.transport {
            Transport::Plain(connection) => Pin::new(connection).poll_flush(context),
            Transport::Tls(connection) => Pin::new(connection).poll_flush(context),
        };
        if flushed.is_pending() {
            self.activity.note_write(&flushed);
        }
        flushed
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        ready!(match &mut this.transport {
            Transport::Plain(connection) => Pin::new(connection).poll_shutdown(context),
            Transport::Tls(connection) => Pin::new(connection).poll_shutdown(context),
        })?;
        // Closing with unread bytes resets the connection, and the client may never see what it was answered.
        while this.activity.linger.load(Ordering::Relaxed) && this.lingered < LINGER {
            let mut room = [0; 4096];
            let mut buffer = ReadBuf::new(&mut room);
            let read = match &mut this.transport {
                Transport::Plain(connection) => Pin::new(connection).poll_read(context, &mut buffer),
                Transport::Tls(connection) => Pin::new(connection).poll_read(context, &mut buffer),
            };
            match ready!(read) {
                Ok(()) if !buffer.filled().is_empty() => this.lingered += buffer.filled().len(),
                Ok(()) | Err(_) => break,
            }
        }
        Poll::Ready(Ok(()))
    }
}
