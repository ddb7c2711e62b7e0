//! The real engine behind a socket that writes down what is asked.

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

/// A socket before the engine's, which writes down the first line of every request.
pub struct WatchedEngine {
    folder: tempfile::TempDir,
    requests: Arc<Mutex<Vec<String>>>,
    bytes: Arc<AtomicUsize>,
}

impl WatchedEngine {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(folder.path().join("docker.sock")).unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&requests);
        let bytes = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&bytes);
        thread::spawn(move || {
            for client in listener.incoming() {
                let client = client.unwrap();
                let engine = UnixStream::connect(engine_socket()).unwrap();
                let (mut from_engine, mut to_client) =
                    (engine.try_clone().unwrap(), client.try_clone().unwrap());
                thread::spawn(move || {
                    let _ = std::io::copy(&mut from_engine, &mut to_client);
                    let _ = to_client.shutdown(std::net::Shutdown::Write);
                });
                let (seen, counted) = (Arc::clone(&seen), Arc::clone(&counted));
                thread::spawn(move || forward(client, engine, &seen, &counted));
            }
        });
        Self {
            folder,
            requests,
            bytes,
        }
    }

    /// As for `DOCKER_HOST`.
    pub fn address(&self) -> String {
        format!("unix://{}/docker.sock", self.folder.path().display())
    }

    /// How many requests start like this: `POST /build`.
    pub fn count(&self, start: &str) -> usize {
        let requests = self.requests.lock().unwrap();
        requests.iter().filter(|line| line.starts_with(start)).count()
    }

    /// Requests that change something.
    pub fn changes(&self) -> Vec<String> {
        let requests = self.requests.lock().unwrap();
        requests
            .iter()
            .filter(|line| !line.starts_with("GET ") && !line.starts_with("HEAD "))
            .cloned()
            .collect()
    }

    /// How many bytes were sent to the engine since the last question.
    pub fn bytes(&self) -> usize {
        self.bytes.swap(0, Ordering::Relaxed)
    }

    /// Forgets what was asked so far, and returns it.
    pub fn forget(&self) -> Vec<String> {
        std::mem::take(&mut *self.requests.lock().unwrap())
    }
}

/// The engine's own socket.
pub fn engine_socket() -> PathBuf {
    let host = std::env::var("DOCKER_HOST").unwrap_or_default();
    host.strip_prefix("unix://")
        .map_or_else(|| Path::new("/var/run/docker.sock").to_owned(), PathBuf::from)
}

/// Requests of a kept connection begin right after one another; their bodies are not read as such.
fn forward(mut client: UnixStream, mut engine: UnixStream, seen: &Mutex<Vec<String>>, bytes: &AtomicUsize) {
    let methods = ["GET /", "HEAD /", "POST /", "PUT /", "DELETE /"];
    let mut buffer = vec![0; 65536];
    while let Ok(length) = client.read(&mut buffer) {
        if length == 0 {
            break;
        }
        bytes.fetch_add(length, Ordering::Relaxed);
        let text = String::from_utf8_lossy(&buffer[..length]);
        for line in text.split("\r\n") {
            if line.ends_with(" HTTP/1.1") && methods.iter().any(|method| line.starts_with(method)) {
                seen.lock().unwrap().push(line.to_owned());
            }
        }
        if engine.write_all(&buffer[..length]).is_err() {
            break;
        }
    }
    let _ = engine.shutdown(std::net::Shutdown::Write);
}
