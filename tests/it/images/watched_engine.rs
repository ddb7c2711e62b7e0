//! The real engine behind a socket that writes down what is asked.

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// A socket in front of the engine; every connection carries one request.
pub struct WatchedEngine {
    folder: tempfile::TempDir,
    asked: Arc<Mutex<Vec<String>>>,
}

impl WatchedEngine {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(folder.path().join("docker.sock")).unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let written = Arc::clone(&asked);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (stream, written) = (stream.unwrap(), Arc::clone(&written));
                thread::spawn(move || pass(stream, &written));
            }
        });
        Self { folder, asked }
    }

    /// As for `DOCKER_HOST`.
    pub fn address(&self) -> String {
        format!("unix://{}/docker.sock", self.folder.path().display())
    }

    /// How many requests since the last question start like this: `POST /build`.
    pub fn count(&self, start: &str) -> usize {
        let asked = self.asked.lock().unwrap();
        asked.iter().filter(|request| request.starts_with(start)).count()
    }

    /// Forgets what was asked.
    pub fn forget(&self) {
        self.asked.lock().unwrap().clear();
    }
}

fn pass(mut client: UnixStream, asked: &Mutex<Vec<String>>) {
    let path = std::env::var("DOCKER_HOST").unwrap_or_default();
    let path = path
        .strip_prefix("unix://")
        .unwrap_or("/var/run/docker.sock")
        .to_owned();
    let mut engine = UnixStream::connect(path).unwrap();
    let mut head = vec![0; 64 * 1024];
    let length = client.read(&mut head).unwrap_or(0);
    let line = String::from_utf8_lossy(&head[..length])
        .lines()
        .next()
        .unwrap_or_default()
        .to_owned();
    asked.lock().unwrap().push(line);
    if engine.write_all(&head[..length]).is_err() {
        return;
    }
    let (mut from_client, mut to_engine) = (client.try_clone().unwrap(), engine.try_clone().unwrap());
    thread::spawn(move || {
        let _ = std::io::copy(&mut from_client, &mut to_engine);
        let _ = to_engine.shutdown(std::net::Shutdown::Write);
    });
    let _ = std::io::copy(&mut engine, &mut client);
    let _ = client.shutdown(std::net::Shutdown::Both);
}
