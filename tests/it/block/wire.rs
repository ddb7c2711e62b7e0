//! HTTP/1.1 by hand: a client that sends any bytes, and a backend that does what a test says.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use super::running::PATIENCE;

/// A response, as a client saw it.
#[derive(Debug, Clone, Default)]
pub struct Response {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    pub trailers: Vec<(String, String)>,
}

impl Response {
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self
            .headers
            .iter()
            .find(|(other, _)| other.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }
}

/// A client's connection.
pub struct Client {
    stream: BufReader<TcpStream>,
}

impl Client {
    pub fn connect(address: SocketAddr) -> Self {
        Self::try_connect(address).unwrap()
    }

    pub fn try_connect(address: SocketAddr) -> std::io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream: BufReader::new(stream),
        })
    }

    pub fn send(&mut self, bytes: impl AsRef<[u8]>) -> std::io::Result<()> {
        self.stream.get_mut().write_all(bytes.as_ref())
    }

    pub fn shut_down(&mut self) {
        self.stream.get_mut().shutdown(Shutdown::Write).unwrap();
    }

    /// Reads a response's head; of one without a head, nothing.
    pub fn head(&mut self) -> std::io::Result<Option<Response>> {
        let mut line = String::new();
        if self.stream.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        let status = line.split(' ').nth(1).and_then(|code| code.trim().parse().ok());
        let status = status.unwrap_or_else(|| panic!("not a status line: {line:?}"));
        let headers = self.fields()?;
        Ok(Some(Response {
            status,
            headers,
            ..Response::default()
        }))
    }

    fn fields(&mut self) -> std::io::Result<Vec<(String, String)>> {
        let mut fields = Vec::new();
        loop {
            let mut line = String::new();
            self.stream.read_line(&mut line)?;
            let line = line.trim_end();
            if line.is_empty() {
                return Ok(fields);
            }
            let (name, value) = line
                .split_once(':')
                .unwrap_or_else(|| panic!("not a header: {line:?}"));
            fields.push((name.to_owned(), value.trim().to_owned()));
        }
    }

    /// Reads a response; informational ones are passed over.
    pub fn read(&mut self, method: &str) -> std::io::Result<Option<Response>> {
        let Some(mut response) = self.head()? else {
            return Ok(None);
        };
        while (100..200).contains(&response.status) && response.status != 101 {
            match self.head()? {
                Some(next) => response = next,
                None => return Ok(None),
            }
        }
        if method == "HEAD" || matches!(response.status, 101 | 204 | 304) {
            return Ok(Some(response));
        }
        if response.header("transfer-encoding") == Some("chunked") {
            loop {
                let mut line = String::new();
                self.stream.read_line(&mut line)?;
                let length = usize::from_str_radix(line.trim(), 16).map_err(|_| {
                    std::io::Error::new(ErrorKind::UnexpectedEof, format!("a chunk's length: {line:?}"))
                })?;
                if length == 0 {
                    response.trailers = self.fields()?;
                    return Ok(Some(response));
                }
                let mut chunk = vec![0; length + 2];
                self.stream.read_exact(&mut chunk)?;
                response.body.extend_from_slice(&chunk[..length]);
            }
        }
        match response
            .header("content-length")
            .map(|length| length.parse().unwrap())
        {
            Some(length) => {
                response.body = vec![0; length];
                self.stream.read_exact(&mut response.body)?;
            }
            None => {
                self.stream.read_to_end(&mut response.body)?;
            }
        }
        Ok(Some(response))
    }

    /// Sends a request and reads its response.
    pub fn request(
        &mut self,
        method: &str,
        path: &str,
        headers: &str,
        body: &[u8],
    ) -> std::io::Result<Response> {
        let length = if body.is_empty() && method != "POST" && method != "PUT" {
            String::new()
        } else {
            format!("content-length: {}\r\n", body.len())
        };
        let mut bytes =
            format!("{method} {path} HTTP/1.1\r\nhost: test\r\n{headers}{length}\r\n").into_bytes();
        bytes.extend_from_slice(body);
        self.send(bytes)?;
        self.read(method)?.ok_or_else(|| ErrorKind::UnexpectedEof.into())
    }

    /// Everything until the other side ends.
    pub fn rest(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        // A reset is an end, too; what came before it counts.
        let _ = self.stream.read_to_end(&mut bytes);
        bytes
    }

    /// Exactly so many bytes.
    pub fn exactly(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        self.stream.read_exact(&mut bytes).unwrap();
        bytes
    }
}

/// One GET on a connection of its own.
#[track_caller]
pub fn get(address: SocketAddr, path: &str) -> Response {
    request(address, "GET", path, "", b"")
}

/// One request on a connection of its own.
#[track_caller]
pub fn request(address: SocketAddr, method: &str, path: &str, headers: &str, body: &[u8]) -> Response {
    Client::connect(address)
        .request(method, path, headers, body)
        .unwrap()
}

/// An address on which nobody listens now.
pub fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// A request, as a backend saw it.
#[derive(Debug, Clone)]
pub struct Received {
    pub line: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Received {
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self
            .headers
            .iter()
            .find(|(other, _)| other.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }
}

/// A backend that reads requests and does with each what the test says.
pub struct Backend {
    pub address: SocketAddr,
    received: Arc<Mutex<Vec<Received>>>,
}

/// A backend's side of a connection, after it read a request.
pub struct Turn<'a> {
    pub request: &'a Received,
    pub stream: &'a mut BufReader<TcpStream>,
}

impl Turn<'_> {
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        // The other side may be gone; that is for the test to find.
        let _ = self.stream.get_mut().write_all(bytes.as_ref());
    }

    pub fn ok(&mut self, body: &str) {
        self.send(format!(
            "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        ));
    }
}

impl Backend {
    /// Answers each request as told; `false` closes the connection.
    pub fn start(answer: impl Fn(Turn<'_>) -> bool + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let received = Arc::<Mutex<Vec<Received>>>::default();
        let answer = Arc::new(answer);
        std::thread::spawn({
            let received = Arc::clone(&received);
            move || {
                for stream in listener.incoming() {
                    let (answer, received) = (Arc::clone(&answer), Arc::clone(&received));
                    std::thread::spawn(move || {
                        let mut stream = BufReader::new(stream.unwrap());
                        while let Some(request) = receive(&mut stream) {
                            received.lock().unwrap().push(request.clone());
                            let turn = Turn {
                                request: &request,
                                stream: &mut stream,
                            };
                            if !answer(turn) {
                                return;
                            }
                        }
                    });
                }
            }
        });
        Self { address, received }
    }

    /// What it saw so far.
    pub fn received(&self) -> Vec<Received> {
        self.received.lock().unwrap().clone()
    }
}

/// Reads a request, its body included; nothing at the connection's end. An expected body is read when it comes.
fn receive(stream: &mut BufReader<TcpStream>) -> Option<Received> {
    let mut line = String::new();
    stream.read_line(&mut line).ok().filter(|count| *count > 0)?;
    let mut headers = Vec::new();
    loop {
        let mut field = String::new();
        stream.read_line(&mut field).ok()?;
        let Some((name, value)) = field.trim_end().split_once(':') else {
            break;
        };
        headers.push((name.to_owned(), value.trim().to_owned()));
    }
    let mut request = Received {
        line: line.trim_end().to_owned(),
        headers,
        body: Vec::new(),
    };
    if request.header("expect").is_some() {
        stream
            .get_mut()
            .write_all(b"HTTP/1.1 100 Continue\r\n\r\n")
            .ok()?;
    }
    if request.header("transfer-encoding").is_some() {
        loop {
            let mut size = String::new();
            stream.read_line(&mut size).ok()?;
            let length = usize::from_str_radix(size.trim(), 16).ok()?;
            if length == 0 {
                loop {
                    let mut field = String::new();
                    stream.read_line(&mut field).ok()?;
                    let Some((name, value)) = field.trim_end().split_once(':') else {
                        break;
                    };
                    request.headers.push((name.to_owned(), value.trim().to_owned()));
                }
                break;
            }
            let mut chunk = vec![0; length + 2];
            stream.read_exact(&mut chunk).ok()?;
            request.body.extend_from_slice(&chunk[..length]);
        }
    } else if let Some(length) = request.header("content-length") {
        request.body = vec![0; length.parse().ok()?];
        stream.read_exact(&mut request.body).ok()?;
    }
    Some(request)
}
