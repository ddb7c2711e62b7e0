//! HTTP/1.1 as a client speaks it, on the way that most requests go: those whose body is at hand, if they have one.
//!
//! Hyper's client gives each connection a task and takes the request's headers with it. Here the request's own task
//! writes and reads, and the headers stay: no task is woken, and nothing is copied for a retry that seldom comes.
//! Bodies on their way and upgrades go through hyper.

use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes, BytesMut};
use hyper::body::{Body, Frame, SizeHint};
use hyper::header::{CONNECTION, CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue, TRANSFER_ENCODING};
use hyper::{Method, StatusCode, Uri};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// The largest head of a response.
const MOST_HEAD: usize = 256 * 1024;
/// Headers that a response may have.
const MOST_HEADERS: usize = 128;
/// The largest size line or trailer section of a chunked body.
const MOST_LINE: usize = 16 * 1024;
/// Bytes that are read at once of a head, and of a body that comes with it.
const SMALL_ROOM: usize = 8 * 1024;
/// Bytes that are read at once of a body.
const ROOM: usize = 32 * 1024;
/// Up to here a copy costs less than to share the buffer.
const SMALL: usize = 2 * 1024;

/// A connection to a backend.
#[derive(Debug)]
pub struct Wire {
    stream: TcpStream,
    /// What was read and not used yet.
    read: BytesMut,
    /// Where heads are written before they are sent.
    head: Vec<u8>,
}

/// What is sent.
#[derive(Debug, Clone, Copy)]
pub struct Outgoing<'a> {
    /// The method.
    pub method: &'a Method,
    /// The target, in origin form.
    pub uri: &'a Uri,
    /// The headers; `Content-Length` is written as the body has it.
    pub headers: &'a HeaderMap,
    /// The whole body; nothing where there is none.
    pub body: Option<&'a Bytes>,
}

/// What came back: the head, and how the body ends.
#[derive(Debug)]
pub struct Head {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body's end.
    pub framing: Framing,
    /// The connection can be used again after the body.
    pub keep: bool,
}

/// How a body ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// There is none left.
    Ended,
    /// After so many bytes.
    Length(u64),
    /// After the last chunk.
    Chunked(Chunk),
    /// With the connection.
    Close,
}

/// A place in a chunked body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Chunk {
    /// Before a size line.
    Size,
    /// Before so many bytes of data.
    Data(u64),
    /// Before the line end after the data.
    End,
    /// Before the trailers.
    Trailers,
}

/// Why there is no response.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nothing was sent.
    #[error("nothing could be sent: {0}")]
    Unsent(io::Error),
    /// It was sent, and no whole head came back.
    #[error("no response: {0}")]
    Broken(io::Error),
}

fn invalid(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

impl Wire {
    /// A new connection.
    pub fn new(stream: TcpStream) -> Self {
        Self {
            stream,
            read: BytesMut::new(),
            head: Vec::new(),
        }
    }

    /// Whether a request can be sent: the backend did not close it, and says nothing unasked.
    pub fn is_ready(&self) -> bool {
        let nothing_to_read = self.stream.try_read(&mut [0]);
        self.read.is_empty()
            && matches!(nothing_to_read, Err(error) if error.kind() == io::ErrorKind::WouldBlock)
    }

    /// The connection itself, between two requests.
    pub fn into_stream(self) -> TcpStream {
        self.stream
    }

    /// Sends a request and reads the head of its response.
    pub async fn ask(&mut self, request: Outgoing<'_>) -> Result<Head, Error> {
        self.head.clear();
        write_head(&mut self.head, request);
        if let Some(body) = request.body {
            self.head.extend_from_slice(body);
        }
        let mut sent = 0;
        while sent < self.head.len() {
            match self.stream.write(&self.head[sent..]).await {
                Ok(count @ 1..) => sent += count,
                Ok(_) => return Err(Error::Broken(io::ErrorKind::WriteZero.into())),
                Err(error) if sent == 0 => return Err(Error::Unsent(error)),
                Err(error) => return Err(Error::Broken(error)),
            }
        }
        // A large body is rare; its room is not kept.
        self.head.shrink_to(SMALL_ROOM);
        let is_head = *request.method == Method::HEAD;
        std::future::poll_fn(|context| self.poll_head(context, is_head))
            .await
            .map_err(Error::Broken)
    }

    fn poll_head(&mut self, context: &mut Context<'_>, is_head: bool) -> Poll<io::Result<Head>> {
        loop {
            if !self.read.is_empty()
                && let Some((head, length)) = parse(&self.read, is_head)?
            {
                self.read.advance(length);
                // Other informational responses are for the proxy alone.
                if !head.status.is_informational() {
                    return Poll::Ready(Ok(head));
                }
                if head.status == StatusCode::SWITCHING_PROTOCOLS {
                    return Poll::Ready(Err(invalid("the protocol was changed unasked")));
                }
                continue;
            }
            if self.read.len() > MOST_HEAD {
                return Poll::Ready(Err(invalid("the head is too large")));
            }
            if ready!(self.poll_fill(context, SMALL_ROOM))? == 0 {
                return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
            }
        }
    }

    /// Reads what there is; 0 at the end.
    fn poll_fill(&mut self, context: &mut Context<'_>, room: usize) -> Poll<io::Result<usize>> {
        self.read.reserve(room);
        std::pin::pin!(self.stream.read_buf(&mut self.read)).poll(context)
    }

    /// Takes at most so many bytes of what was read.
    fn take(&mut self, most: u64) -> Bytes {
        let count = usize::try_from(most).unwrap_or(usize::MAX).min(self.read.len());
        if count <= SMALL {
            let taken = Bytes::copy_from_slice(&self.read[..count]);
            self.read.advance(count);
            taken
        } else {
            self.read.split_to(count).freeze()
        }
    }

    /// Reads the next piece of a body; nothing at its end.
    fn poll_piece(
        &mut self,
        context: &mut Context<'_>,
        framing: &mut Framing,
    ) -> Poll<io::Result<Option<Frame<Bytes>>>> {
        loop {
            if !self.read.is_empty() || matches!(framing, Framing::Ended | Framing::Length(0)) {
                match self.piece(framing)? {
                    Piece::Frame(frame) => return Poll::Ready(Ok(Some(frame))),
                    Piece::Last(frame) => {
                        *framing = Framing::Ended;
                        return Poll::Ready(Ok(frame));
                    }
                    Piece::More => {}
                }
            }
            if ready!(self.poll_fill(context, ROOM))? == 0 {
                return Poll::Ready(match framing {
                    Framing::Close => {
                        *framing = Framing::Ended;
                        Ok(None)
                    }
                    _ => Err(io::ErrorKind::UnexpectedEof.into()),
                });
            }
        }
    }

    fn piece(&mut self, framing: &mut Framing) -> io::Result<Piece> {
        match framing {
            Framing::Ended | Framing::Length(0) => Ok(Piece::Last(None)),
            Framing::Close => Ok(Piece::Frame(Frame::data(self.take(u64::MAX)))),
            Framing::Length(left) => {
                let taken = self.take(*left);
                *left -= taken.len() as u64;
                Ok(Piece::Frame(Frame::data(taken)))
            }
            Framing::Chunked(chunk) => self.chunk(chunk),
        }
    }

    fn chunk(&mut self, chunk: &mut Chunk) -> io::Result<Piece> {
        loop {
            match chunk {
                Chunk::Data(left) if !self.read.is_empty() => {
                    let taken = self.take(*left);
                    *left -= taken.len() as u64;
                    if *left == 0 {
                        *chunk = Chunk::End;
                    }
                    return Ok(Piece::Frame(Frame::data(taken)));
                }
                Chunk::Data(_) => return Ok(Piece::More),
                Chunk::Size => {
                    let Some(end) = self.line_end()? else {
                        return Ok(Piece::More);
                    };
                    let size = chunk_size(&self.read[..end]).ok_or_else(|| invalid("a chunk has no size"))?;
                    self.read.advance(end + 2);
                    *chunk = if size == 0 {
                        Chunk::Trailers
                    } else {
                        Chunk::Data(size)
                    };
                }
                Chunk::End => {
                    if self.read.len() < 2 {
                        return Ok(Piece::More);
                    }
                    if &self.read[..2] != b"\r\n" {
                        return Err(invalid("a chunk is longer than its size"));
                    }
                    self.read.advance(2);
                    *chunk = Chunk::Size;
                }
                Chunk::Trailers => {
                    let mut room = [httparse::EMPTY_HEADER; MOST_HEADERS];
                    match httparse::parse_headers(&self.read, &mut room) {
                        Ok(httparse::Status::Complete((length, fields))) => {
                            let trailers = fields.iter().map(field).collect::<io::Result<HeaderMap>>()?;
                            self.read.advance(length);
                            let frame = (!trailers.is_empty()).then(|| Frame::trailers(trailers));
                            return Ok(Piece::Last(frame));
                        }
                        Ok(httparse::Status::Partial) if self.read.len() <= MOST_LINE => {
                            return Ok(Piece::More);
                        }
                        Ok(httparse::Status::Partial) | Err(_) => {
                            return Err(invalid("the trailers are broken"));
                        }
                    }
                }
            }
        }
    }

    /// Where the first line ends.
    fn line_end(&self) -> io::Result<Option<usize>> {
        match self.read.iter().position(|byte| *byte == b'\n') {
            Some(end) if end > 0 && self.read[end - 1] == b'\r' => Ok(Some(end - 1)),
            None if self.read.len() <= MOST_LINE => Ok(None),
            Some(_) | None => Err(invalid("a size line does not end")),
        }
    }
}

enum Piece {
    Frame(Frame<Bytes>),
    More,
    Last(Option<Frame<Bytes>>),
}

/// A chunk's size, without its extensions.
fn chunk_size(line: &[u8]) -> Option<u64> {
    let size = line.split(|byte| *byte == b';').next()?.trim_ascii_end();
    let digits = (1..=15).contains(&size.len()) && size.iter().all(u8::is_ascii_hexdigit);
    let size = str::from_utf8(size).ok().filter(|_| digits)?;
    u64::from_str_radix(size, 16).ok()
}

fn write_head(head: &mut Vec<u8>, request: Outgoing<'_>) {
    head.extend_from_slice(request.method.as_str().as_bytes());
    head.push(b' ');
    head.extend_from_slice(
        request
            .uri
            .path_and_query()
            .map_or("/", |target| target.as_str())
            .as_bytes(),
    );
    head.extend_from_slice(b" HTTP/1.1\r\n");
    let mut has_length = false;
    for (name, value) in request.headers {
        if *name == CONTENT_LENGTH {
            has_length = true;
            continue;
        }
        head.extend_from_slice(name.as_str().as_bytes());
        head.extend_from_slice(b": ");
        head.extend_from_slice(value.as_bytes());
        head.extend_from_slice(b"\r\n");
    }
    if has_length || request.body.is_some() {
        head.extend_from_slice(b"content-length: ");
        crate::block::log::append_number(head, request.body.map_or(0, Bytes::len) as u64);
        head.extend_from_slice(b"\r\n");
    }
    head.extend_from_slice(b"\r\n");
}

/// A response's head and its length, if all of it is there.
fn parse(bytes: &[u8], is_head: bool) -> io::Result<Option<(Head, usize)>> {
    let mut room = [const { MaybeUninit::uninit() }; MOST_HEADERS];
    let mut response = httparse::Response::new(&mut []);
    let parser = httparse::ParserConfig::default();
    let length = match parser.parse_response_with_uninit_headers(&mut response, bytes, &mut room) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(_) => return Err(invalid("the head is broken")),
    };
    let status = response.code.and_then(|code| StatusCode::from_u16(code).ok());
    let status = status.ok_or_else(|| invalid("the status is broken"))?;
    let mut headers = HeaderMap::with_capacity(response.headers.len() + 2);
    // One copy of the head, shared by its values.
    let copy = Bytes::copy_from_slice(&bytes[..length]);
    let base = bytes.as_ptr().addr();
    for header in response.headers.iter() {
        let name =
            HeaderName::from_bytes(header.name.as_bytes()).map_err(|_| invalid("a header is broken"))?;
        let start = header.value.as_ptr().addr() - base;
        let value = if header.value.is_empty() {
            HeaderValue::from_static("")
        } else {
            HeaderValue::from_maybe_shared(copy.slice(start..start + header.value.len()))
                .map_err(|_| invalid("a header is broken"))?
        };
        headers.append(name, value);
    }
    let framing = framing(status, &mut headers, is_head, response.version == Some(1))?;
    let keep = response.version == Some(1) && framing.1 && !closes(&headers);
    let head = Head {
        status,
        headers,
        framing: framing.0,
        keep,
    };
    Ok(Some((head, length)))
}

fn field(header: &httparse::Header<'_>) -> io::Result<(HeaderName, HeaderValue)> {
    let name = HeaderName::from_bytes(header.name.as_bytes());
    let value = HeaderValue::from_bytes(header.value);
    name.ok()
        .zip(value.ok())
        .ok_or_else(|| invalid("a header is broken"))
}

fn closes(headers: &HeaderMap) -> bool {
    headers.get_all(CONNECTION).iter().any(|value| {
        let mut tokens = value.as_bytes().split(|byte| *byte == b',');
        tokens.any(|token| token.trim_ascii().eq_ignore_ascii_case(b"close"))
    })
}

/// How the body ends (RFC 9112, 6.3), and whether that is sure enough to use the connection again.
fn framing(
    status: StatusCode,
    headers: &mut HeaderMap,
    is_head: bool,
    is_http_11: bool,
) -> io::Result<(Framing, bool)> {
    let bodiless = is_head
        || status.is_informational()
        || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    if bodiless {
        return Ok((Framing::Ended, true));
    }
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    if let Some(coding) = codings.next() {
        let alone = codings.next().is_none() && coding.as_bytes().eq_ignore_ascii_case(b"chunked");
        if !alone || !is_http_11 {
            return Err(invalid("the transfer coding is not known"));
        }
        let both = headers.remove(CONTENT_LENGTH).is_some();
        return Ok((Framing::Chunked(Chunk::Size), !both));
    }
    let mut lengths = headers.get_all(CONTENT_LENGTH).iter();
    let Some(first) = lengths.next() else {
        return Ok((Framing::Close, false));
    };
    if lengths.any(|other| other != first) {
        return Err(invalid("there are two lengths"));
    }
    let digits = first.as_bytes();
    let valid = (1..=18).contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit);
    let length = first
        .to_str()
        .ok()
        .filter(|_| valid)
        .and_then(|digits| digits.parse().ok());
    let length: u64 = length.ok_or_else(|| invalid("the length is broken"))?;
    if headers.get_all(CONTENT_LENGTH).iter().count() > 1 {
        headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
    Ok((Framing::Length(length), true))
}

/// The body of a response, read from its connection as it comes.
#[derive(Debug)]
pub struct WireBody {
    /// The connection; gone when it was given back.
    wire: Option<Wire>,
    framing: Framing,
    keep: bool,
}

impl WireBody {
    /// The body that follows a head.
    pub fn new(wire: Wire, framing: Framing, keep: bool) -> Self {
        Self {
            wire: Some(wire),
            framing,
            keep,
        }
    }

    /// The connection, when the body has ended and it can be used again.
    pub fn release(&mut self) -> Option<Wire> {
        let wire = if self.is_end_stream() {
            self.wire.take()
        } else {
            None
        };
        wire.filter(|wire| self.keep && wire.read.is_empty())
    }
}

impl Body for WireBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let Self { wire, framing, .. } = &mut *self;
        let Some(wire) = wire else {
            return Poll::Ready(None);
        };
        wire.poll_piece(context, framing).map(Result::transpose)
    }

    fn is_end_stream(&self) -> bool {
        self.wire.is_none() || matches!(self.framing, Framing::Ended | Framing::Length(0))
    }

    fn size_hint(&self) -> SizeHint {
        match self.framing {
            Framing::Ended => SizeHint::with_exact(0),
            Framing::Length(left) => SizeHint::with_exact(left),
            Framing::Chunked(_) | Framing::Close => SizeHint::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;
    use tokio::net::TcpListener;

    use super::*;

    /// What a client makes of bytes that come in two pieces: status, body, trailers, and whether the connection is kept.
    async fn read(method: &Method, first: &[u8], second: &[u8], close: bool) -> Result<String, String> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (mut backend, _) = listener.accept().await.unwrap();
        backend.set_nodelay(true).unwrap();
        let (first, second) = (first.to_vec(), second.to_vec());
        let (done, finished) = tokio::sync::oneshot::channel::<()>();
        let served = tokio::spawn(async move {
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                request.push(backend.read_u8().await.unwrap());
            }
            backend.write_all(&first).await.unwrap();
            tokio::task::yield_now().await;
            backend.write_all(&second).await.unwrap();
            if !close {
                let _ = finished.await;
            }
        });
        let mut wire = Wire::new(stream);
        let headers = HeaderMap::new();
        let uri = Uri::from_static("/");
        let request = Outgoing {
            method,
            uri: &uri,
            headers: &headers,
            body: None,
        };
        let head = wire.ask(request).await.map_err(|error| error.to_string())?;
        let mut body = WireBody::new(wire, head.framing, head.keep);
        let (mut data, mut trailers) = (Vec::new(), String::new());
        while let Some(frame) = body.frame().await {
            match frame.map_err(|error| error.to_string())?.into_data() {
                Ok(piece) => data.extend_from_slice(&piece),
                Err(frame) => trailers = format!(" {:?}", frame.into_trailers().unwrap()),
            }
        }
        let kept = if body.release().is_some() {
            "kept"
        } else {
            "closed"
        };
        drop(done);
        served.await.unwrap();
        Ok(format!(
            "{} {:?}{trailers} {kept}",
            head.status.as_u16(),
            String::from_utf8_lossy(&data)
        ))
    }

    #[track_caller]
    fn check(method: &Method, response: &str, close: bool, expect: &str) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        for split in 0..=response.len() {
            let (first, second) = response.as_bytes().split_at(split);
            let got = runtime.block_on(read(method, first, second, close));
            assert_eq!(
                got.unwrap_or_else(|error| error),
                expect,
                "{response:?} split at {split}"
            );
        }
    }

    #[test]
    fn a_body_ends_as_its_head_says() {
        let get = |response: &str, expect: &str| check(&Method::GET, response, false, expect);
        get(
            "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello",
            "200 \"hello\" kept",
        );
        get("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", "200 \"\" kept");
        get(
            "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 2\r\n\r\nhi",
            "200 \"hi\" kept",
        );
        get(
            "HTTP/1.1 200 OK\r\nconnection: x, Close\r\ncontent-length: 2\r\n\r\nhi",
            "200 \"hi\" closed",
        );
        get(
            "HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nhi",
            "200 \"hi\" closed",
        );
        get("HTTP/1.1 204 No Content\r\n\r\n", "204 \"\" kept");
        get(
            "HTTP/1.1 304 Not Modified\r\ncontent-length: 9\r\n\r\n",
            "304 \"\" kept",
        );
        get(
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\na: b\r\n\r\nHTTP/1.1 204 x\r\n\r\n",
            "204 \"\" kept",
        );
        check(
            &Method::HEAD,
            "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n",
            false,
            "200 \"\" kept",
        );
        check(
            &Method::HEAD,
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
            false,
            "200 \"\" kept",
        );
        check(
            &Method::GET,
            "HTTP/1.1 200 OK\r\n\r\nto the end",
            true,
            "200 \"to the end\" closed",
        );
    }

    #[test]
    fn chunks_are_joined() {
        let get = |body: &str, expect: &str| {
            let response = format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{body}");
            check(&Method::GET, &response, true, expect);
        };
        get("3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", "200 \"abcde\" kept");
        get("A;x=y\r\n0123456789\r\n0;z\r\n\r\n", "200 \"0123456789\" kept");
        get("1\r\nx\r\n0\r\nsum: 1\r\n\r\n", "200 \"x\" {\"sum\": \"1\"} kept");
        let size = "a chunk has no size";
        for wrong in [
            "\r\n",
            "x\r\n",
            "-1\r\n",
            "0x1\r\n",
            "1 1\r\n",
            "1234567890123456\r\n",
        ] {
            get(wrong, size);
        }
        get("1\n", "a size line does not end");
        get("1\r\nxx\r\n", "a chunk is longer than its size");
        get("1\r\nx\r\n0\r\na b\r\n\r\n", "the trailers are broken");
        get("5\r\nabc", "unexpected end of file");
        get("", "unexpected end of file");
    }

    #[test]
    fn what_has_no_one_reading_is_no_response() {
        let get = |response: &str, expect: &str| {
            check(&Method::GET, response, true, &format!("no response: {expect}"));
        };
        get("", "unexpected end of file");
        get("HTTP/1.1 200 OK\r\n", "unexpected end of file");
        get("SSH-2.0-OpenSSH\r\n\r\n", "the head is broken");
        get("HTTP/1.1 200 OK\r\na : b\r\n\r\n", "the head is broken");
        get("HTTP/1.1 200 OK\r\na: b\r\n c\r\n\r\n", "the head is broken");
        get(
            "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nxx",
            "there are two lengths",
        );
        get(
            "HTTP/1.1 200 OK\r\ncontent-length: +1\r\n\r\nx",
            "the length is broken",
        );
        get(
            "HTTP/1.1 200 OK\r\ncontent-length: 1, 1\r\n\r\nx",
            "the length is broken",
        );
        get(
            "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
            "the transfer coding is not known",
        );
        get(
            "HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
            "the transfer coding is not known",
        );
        get("HTTP/1.1 101 x\r\n\r\n", "the protocol was changed unasked");
    }

    #[test]
    fn a_response_that_was_not_asked_for_ends_the_connection() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let response = b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nxHTTP/1.1 200 OK";
        let got = runtime.block_on(read(&Method::GET, response, b"", false));
        assert_eq!(got.as_deref(), Ok("200 \"x\" closed"));
    }

    #[test]
    fn a_length_beside_chunks_counts_for_nothing() {
        let response =
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ncontent-length: 99\r\n\r\n1\r\nx\r\n0\r\n\r\n";
        check(&Method::GET, response, false, "200 \"x\" closed");
    }

    #[test]
    fn a_head_is_written_whole() {
        let mut headers = HeaderMap::new();
        headers.insert("host", HeaderValue::from_static("a"));
        headers.insert(CONTENT_LENGTH, HeaderValue::from_static("99"));
        headers.append("x", HeaderValue::from_static("1"));
        headers.append("x", HeaderValue::from_static("2"));
        let uri = Uri::from_static("/p?q");
        let write = |method: &Method, body: Option<&Bytes>| {
            let mut head = Vec::new();
            let request = Outgoing {
                method,
                uri: &uri,
                headers: &headers,
                body,
            };
            write_head(&mut head, request);
            String::from_utf8(head).unwrap()
        };
        let body = Bytes::from_static(b"four");
        assert_eq!(
            write(&Method::PUT, Some(&body)),
            "PUT /p?q HTTP/1.1\r\nhost: a\r\nx: 1\r\nx: 2\r\ncontent-length: 4\r\n\r\n"
        );
        assert_eq!(
            write(&Method::GET, None),
            "GET /p?q HTTP/1.1\r\nhost: a\r\nx: 1\r\nx: 2\r\ncontent-length: 0\r\n\r\n"
        );
    }
}
