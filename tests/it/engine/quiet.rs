//! What is right already costs no change on the engine: counted at its socket.

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread;

use super::stack::TestStack;
use crate::motif::{Workspace, engine_is_wanted};

/// A socket before the engine's, which writes down the first line of every request.
struct Tap {
    socket: PathBuf,
    requests: Arc<Mutex<Vec<String>>>,
    _folder: tempfile::TempDir,
}

impl Tap {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("engine.sock");
        let listener = UnixListener::bind(&socket).unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&requests);
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
                let seen = Arc::clone(&seen);
                thread::spawn(move || forward(client, engine, &seen));
            }
        });
        Self {
            socket,
            requests,
            _folder: folder,
        }
    }

    /// Requests that change something.
    fn changes(&self) -> Vec<String> {
        let requests = self.requests.lock().unwrap();
        requests
            .iter()
            .filter(|line| !line.starts_with("GET ") && !line.starts_with("HEAD "))
            .cloned()
            .collect()
    }

    fn count(&self) -> usize {
        self.requests.lock().unwrap().len()
    }

    /// The requests after so many.
    fn since(&self, count: usize) -> Vec<String> {
        self.requests.lock().unwrap()[count..].to_vec()
    }
}

fn engine_socket() -> PathBuf {
    let host = std::env::var("DOCKER_HOST").unwrap_or_default();
    host.strip_prefix("unix://")
        .map_or_else(|| Path::new("/var/run/docker.sock").to_owned(), PathBuf::from)
}

/// Requests of a kept connection begin right after one another; their bodies are not read as such.
fn forward(mut client: UnixStream, mut engine: UnixStream, seen: &Mutex<Vec<String>>) {
    let methods = ["GET /", "HEAD /", "POST /", "PUT /", "DELETE /"];
    let mut buffer = vec![0; 65536];
    while let Ok(length) = client.read(&mut buffer) {
        if length == 0 {
            break;
        }
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

#[test]
fn up_with_nothing_to_do_changes_nothing() {
    if !engine_is_wanted() {
        return;
    }
    let tap = Tap::new();
    let mut stack = TestStack::new(
        "
pods:
  web:
    grace: 0s
    replicas: 2
    containers:
      app:
        image: debian:bookworm-slim
        user: 65532
        command: [sleep, '1000']
        ready: { exec: ['true'], every: 1s }
        env: { TOKEN: { secret: db, key: password } }
        mounts: { db: /db, conf: /conf, scratch: /scratch, data: /data }
      side: { block: http-echo, role: sidecar, ports: { http: 8080 } }
    volumes:
      db: { secret: db }
      conf: { config: { a: b } }
      scratch: empty
      data: { claim: 1Gi }
services:
  web: { pod: web, ports: { http: 8080 }, publish: { http: 0 } }
secrets:
  db: { files: { password: secrets/password } }
",
    );
    let socket = format!("unix://{}", tap.socket.display());
    let workspace = std::mem::replace(&mut stack.workspace, Workspace::new());
    stack.workspace = workspace.env("DOCKER_HOST", &socket);
    stack.workspace.write("secrets/password", "x");
    let first = stack.run(&["up", "-d", "--wait"]).success();
    assert!(!tap.changes().is_empty());
    let (changes, before) = (tap.changes(), tap.count());
    let second = stack.run(&["up", "-d"]).success();
    assert_eq!(tap.changes(), changes, "{second}");
    // The address that the engine chose is the same and is said again.
    assert_eq!(first.stdout, second.stdout);
    assert!(second.stdout.starts_with("http://127.0.0.1:"), "{second}");
    // A ping, three lists, two images, the binary's volume, a look into the secret's volume and at the
    // two containers with secret variables, and the chosen port: none of it once per container.
    let asked = tap.since(before);
    assert!(asked.len() <= 12, "{asked:#?}");
}

#[test]
fn a_dry_run_changes_nothing() {
    if !engine_is_wanted() {
        return;
    }
    let tap = Tap::new();
    let mut stack = TestStack::new(
        "
pods:
  web:
    containers:
      app: { build: app, mounts: { certs: /certs } }
    volumes: { certs: { secret: tls } }
secrets:
  tls: { certificate: [localhost] }
",
    );
    let socket = format!("unix://{}", tap.socket.display());
    let workspace = std::mem::replace(&mut stack.workspace, Workspace::new());
    stack.workspace = workspace.env("DOCKER_HOST", &socket);
    stack
        .workspace
        .write("app/Dockerfile", "FROM debian:bookworm-slim\nUSER 65532\n");
    let plan = stack.run(&["up", "--dry-run"]).success();
    assert!(plan.stdout.contains("+ create container"), "{plan}");
    assert_eq!(tap.changes(), Vec::<String>::new());
    assert!(!stack.workspace.path().join(".motif").exists());
}
