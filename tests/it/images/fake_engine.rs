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
    Reply::Bytes("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK"),
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

fn answer(mut stream: UnixStream, script: Script) {
    let mut head = vec![0; 64 * 1024];
    let length = stream.read(&mut head).unwrap_or(0);
    let head = String::from_utf8_lossy(&head[..length]).into_owned();
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
