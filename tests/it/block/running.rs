//! A block as a process: its log is read as it comes.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::wire;
use crate::motif::binary;

/// How long anything is waited for before the test fails. Nothing is measured with it.
pub const PATIENCE: Duration = Duration::from_mins(1);

type Log = Arc<(Mutex<Vec<Value>>, Condvar)>;

/// A running block.
pub struct Running {
    child: Child,
    log: Log,
}

/// How a block ended.
#[derive(Debug)]
pub struct Ended {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

/// Runs a block that is expected to refuse its configuration.
pub fn refused(words: &[&str]) -> Ended {
    let output = Command::new(binary())
        .arg("block")
        .args(words)
        .env_clear()
        .output()
        .unwrap();
    Ended {
        code: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

impl Running {
    /// Starts a block and waits until it listens.
    pub fn start(words: &[&str], environment: &[(&str, &str)]) -> Self {
        let mut child = Command::new(binary())
            .arg("block")
            .args(words)
            .env_clear()
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        let log = Log::default();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        std::thread::spawn({
            let log = Arc::clone(&log);
            move || {
                for line in lines {
                    let line = line.unwrap();
                    let event = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
                    log.0.lock().unwrap().push(event);
                    log.1.notify_all();
                }
            }
        });
        let running = Self { child, log };
        running.wait_for("listening", |_| true);
        running
    }

    /// Starts a proxy on free ports, in front of these backends, and waits until its admin port says that it is ready.
    pub fn proxy(upstreams: &[SocketAddr], flags: &[&str]) -> Self {
        let proxy = Self::proxy_unready(upstreams, flags);
        proxy.wait_until_ready();
        proxy
    }

    /// The same, without waiting.
    pub fn proxy_unready(upstreams: &[SocketAddr], flags: &[&str]) -> Self {
        let upstreams: Vec<_> = upstreams.iter().map(ToString::to_string).collect();
        let upstream = format!("--upstream={}", upstreams.join(","));
        let mut words = vec!["proxy", "--listen=127.0.0.1:0", "--admin=127.0.0.1:0", &upstream];
        words.extend(flags);
        Self::start(&words, &[])
    }

    /// Starts an http-echo on free ports.
    pub fn echo(flags: &[&str]) -> Self {
        let mut words = vec!["http-echo", "--listen=127.0.0.1:0", "--admin=127.0.0.1:0"];
        words.extend(flags);
        Self::start(&words, &[])
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.addresses()[0]
    }

    /// Everywhere it listens.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        let event = self.wait_for("listening", |_| true);
        let addresses = event["addresses"].as_array().cloned();
        addresses
            .unwrap_or_else(|| vec![event["address"].clone()])
            .iter()
            .map(|address| address.as_str().unwrap().parse().unwrap())
            .collect()
    }

    /// Its admin port.
    pub fn admin(&self) -> SocketAddr {
        self.wait_for("listening", |_| true)["admin"]
            .as_str()
            .unwrap()
            .parse()
            .unwrap()
    }

    /// Waits until `/readyz` answers 200.
    pub fn wait_until_ready(&self) {
        wait_until("the block is ready", || {
            wire::get(self.admin(), "/readyz").status == 200
        });
    }

    /// The value of a metric, as written on its line.
    pub fn metric(&self, name: &str) -> Option<f64> {
        let text = wire::get(self.admin(), "/metrics").text();
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))?;
        line.parse().ok()
    }

    /// The events of a name so far.
    pub fn events(&self, name: &str) -> Vec<Value> {
        let events = self.log.0.lock().unwrap();
        events
            .iter()
            .filter(|event| event["event"] == name)
            .cloned()
            .collect()
    }

    /// Waits for an event.
    #[track_caller]
    pub fn wait_for(&self, name: &str, matches: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + PATIENCE;
        let mut events = self.log.0.lock().unwrap();
        loop {
            if let Some(event) = events
                .iter()
                .find(|event| event["event"] == name && matches(event))
            {
                return event.clone();
            }
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "no event `{name}` in {events:#?}");
            events = self.log.1.wait_timeout(events, left).unwrap().0;
        }
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        let process = Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        kill_process(process, signal).unwrap();
    }

    /// Waits for its end, and says its exit code.
    pub fn wait(&mut self) -> Option<i32> {
        let mut code = None;
        wait_until("the block ends", || {
            code = self.child.try_wait().unwrap();
            code.is_some()
        });
        code.unwrap().code()
    }

    /// Asks it to end, and says its exit code.
    pub fn terminate(mut self) -> Option<i32> {
        self.signal(Signal::TERM);
        self.wait()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits until something is so.
#[track_caller]
pub fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Debian's nginx with a configuration of its own, in the foreground.
pub struct Nginx {
    child: Child,
    pub address: SocketAddr,
    _folder: tempfile::TempDir,
}

impl Nginx {
    /// Serves the files of its folder's `www`.
    pub fn start(files: &[(&str, &[u8])]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().display().to_string();
        std::fs::create_dir(folder.path().join("www")).unwrap();
        for (name, content) in files {
            std::fs::write(folder.path().join("www").join(name), content).unwrap();
        }
        let address = wire::free_address();
        let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|kind| format!("{kind}_temp_path {path}/{kind};"))
            .join(
                "
",
            );
        let configuration = format!(
            "daemon off; master_process off; pid {path}/pid; error_log stderr;\n\
             events {{ worker_connections 1024; }}\n\
             http {{ access_log off; {temporary}\n\
             server {{ listen {address}; root {path}/www; }} }}\n"
        );
        let file = folder.path().join("nginx.conf");
        std::fs::write(&file, configuration).unwrap();
        let mut child = Command::new("nginx")
            .arg("-e")
            .arg("stderr")
            .arg("-c")
            .arg(&file)
            .stderr(Stdio::piped())
            .spawn()
            .expect("nginx is installed: `make test` does so");
        let mut answered = false;
        wait_until("nginx listens", || {
            answered = std::net::TcpStream::connect(address).is_ok();
            answered || child.try_wait().unwrap().is_some()
        });
        if !answered {
            let mut said = String::new();
            child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
            panic!("nginx: {said}");
        }
        Self {
            child,
            address,
            _folder: folder,
        }
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
