//! An engine that answers by a script: for what the real one can't be made to do.

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::thread;

/// What comes back for a request.
#[derive(Clone, Copy)]
pub enum Reply {
    /// These bytes, then the end of the connection.
    Bytes(&'static str),
    /// Nothing, ever.
    Nothing,
}

/// A request line's start, and what comes back for it.
type Script = &'static [(&'static str, Reply)];

pub struct FakeEngine {
    folder: tempfile::TempDir,
}

/// A ping that an engine answers well.
pub const PING: (&str, Reply) = (
    "GET /_ping",
    Reply::Bytes("HTTP/1.1 200 OK\r\nApi-Version: 1.41\r\nContent-Length: 2\r\n\r\nOK"),
);

impl FakeEngine {
    /// Answers by the first entry that a request starts with; anything else with 404.
    pub fn new(script: Script) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(folder.path().join("docker.sock")).unwrap();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let stream = stream.unwrap();
                thread::spawn(move || answer(stream, script));
            }
        });
        Self { folder }
    }

    /// As for `DOCKER_HOST`.
    pub fn address(&self) -> String {
        format!("unix://{}/docker.sock", self.folder.path().display())
    }
}

/// A whole request: an answer before its end would make either side's words a matter of luck.
fn request(stream: &mut UnixStream) -> String {
    let mut bytes = Vec::new();
    let mut part = vec![0; 64 * 1024];
    while let Ok(length @ 1..) = stream.read(&mut part) {
        bytes.extend_from_slice(&part[..length]);
        let text = String::from_utf8_lossy(&bytes).to_ascii_lowercase();
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "));
        let length = length.map_or(0, |length| length.parse().unwrap());
        let is_chunked = head.contains("transfer-encoding: chunked");
        if if is_chunked {
            body.ends_with("0\r\n\r\n")
        } else {
            body.len() >= length
        } {
            break;
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn answer(mut stream: UnixStream, script: Script) {
    let head = request(&mut stream);
    let reply = script
        .iter()
        .find(|(start, _)| head.starts_with(start))
        .map(|(_, reply)| *reply);
    match reply {
        Some(Reply::Bytes(bytes)) => drop(stream.write_all(bytes.as_bytes())),
        Some(Reply::Nothing) => {
            // Until the other side gives up.
            let _ = stream.read_to_end(&mut Vec::new());
        }
        None => drop(
            stream.write_all(b"HTTP/1.1 404 Not Found\r\nConnection: close\r\n\r\n{\"message\":\"nothing\"}"),
        ),
    }
}
