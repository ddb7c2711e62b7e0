//! Debian's Redis and memcached as processes, and a client that speaks their protocols.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use super::running::{PATIENCE, wait_until};
use super::wire::free_address;

/// Which program a store is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Redis,
    Memcached,
}

/// A running store; killed when dropped.
pub struct Store {
    kind: Kind,
    child: Child,
    pub address: SocketAddr,
}

impl Store {
    /// Starts one on a free port.
    pub fn start(kind: Kind) -> Self {
        for _ in 0..20 {
            // Another process may take the port in between: then it is another one's turn.
            let address = free_address();
            if let Some(child) = spawn(kind, address) {
                return Self { kind, child, address };
            }
        }
        panic!("{kind:?} does not start");
    }

    /// Starts several.
    pub fn several(kind: Kind, count: usize) -> Vec<Self> {
        (0..count).map(|_| Self::start(kind)).collect()
    }

    /// A client of its own.
    pub fn client(&self) -> Talk {
        Talk::connect(self.address)
    }

    /// Kills it.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Starts it again where it was, empty.
    pub fn restart(&mut self) {
        self.kill();
        wait_until("the store is back", || match spawn(self.kind, self.address) {
            Some(child) => {
                self.child = child;
                true
            }
            None => false,
        });
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        let process = Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        kill_process(process, signal).unwrap();
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Starts a store; nothing where it ends before it listens.
fn spawn(kind: Kind, address: SocketAddr) -> Option<Child> {
    let port = address.port().to_string();
    let (program, arguments) = match kind {
        Kind::Redis => (
            "redis-server",
            vec![
                "--bind",
                "127.0.0.1",
                "--port",
                &port,
                "--save",
                "",
                "--appendonly",
                "no",
                "--dir",
                "/tmp",
            ],
        ),
        Kind::Memcached => (
            "memcached",
            vec![
                "-l",
                "127.0.0.1",
                "-p",
                &port,
                "-U",
                "0",
                "-u",
                "nobody",
                "-m",
                "64",
                "-I",
                "16m",
            ],
        ),
    };
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap_or_else(|error| panic!("{program}: {error}: `make test` installs it"));
    let question: &[u8] = match kind {
        Kind::Redis => b"PING\r\n",
        Kind::Memcached => b"version\r\n",
    };
    let mut ended = false;
    wait_until("the store answers", || {
        ended = child.try_wait().unwrap().is_some();
        let answers = || {
            let mut stream = TcpStream::connect(address).ok()?;
            stream.set_read_timeout(Some(PATIENCE)).ok()?;
            stream.write_all(question).ok()?;
            stream.read_exact(&mut [0]).ok()
        };
        ended || answers().is_some()
    });
    // Someone else may have answered there, while ours could not listen.
    ended |= child.try_wait().unwrap().is_some();
    (!ended).then_some(child)
}

/// A client of either protocol.
pub struct Talk {
    stream: BufReader<TcpStream>,
}

impl Talk {
    pub fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self {
            stream: BufReader::new(stream),
        }
    }

    /// The same connection, for another thread.
    pub fn twin(&self) -> Self {
        Self {
            stream: BufReader::new(self.stream.get_ref().try_clone().unwrap()),
        }
    }

    /// Sends bytes; the other side may be gone, which reading will tell.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = self.stream.get_mut().write_all(bytes.as_ref());
    }

    /// One command of Redis and its reply, as a person writes it: `OK`, `(error) ERR`, `1`, `"text"`, `nil`, `[1, 2]`.
    pub fn ask(&mut self, line: &str) -> String {
        let words: Vec<_> = line.split(' ').map(str::as_bytes).collect();
        self.ask_words(&words)
    }

    pub fn ask_words(&mut self, words: &[&[u8]]) -> String {
        self.send(command(words));
        self.reply()
    }

    /// The next reply of Redis; `closed` at the end.
    pub fn reply(&mut self) -> String {
        let mut line = Vec::new();
        if !matches!(self.stream.read_until(b'\n', &mut line), Ok(1..)) {
            return "closed".to_owned();
        }
        let line = String::from_utf8(line).unwrap();
        let rest = line[1..].trim_end();
        match line.as_bytes()[0] {
            b'-' => format!("(error) {rest}"),
            b'$' if rest == "-1" => "nil".to_owned(),
            b'$' => {
                let mut text = vec![0; rest.parse::<usize>().unwrap() + 2];
                self.stream.read_exact(&mut text).unwrap();
                text.truncate(text.len() - 2);
                format!("{:?}", String::from_utf8_lossy(&text))
            }
            b'*' => {
                let elements: Vec<_> = (0..rest.parse().unwrap()).map(|_| self.reply()).collect();
                format!("[{}]", elements.join(", "))
            }
            b'+' | b':' => rest.to_owned(),
            _ => panic!("not a reply: {line:?}"),
        }
    }

    /// A line, its end included; empty at the end.
    pub fn line(&mut self) -> String {
        let mut line = Vec::new();
        let _ = self.stream.read_until(b'\n', &mut line);
        String::from_utf8_lossy(&line).into_owned()
    }

    /// What memcached answers, to a line of this text.
    pub fn until(&mut self, last: &str) -> String {
        let mut text = String::new();
        loop {
            let line = self.line();
            text.push_str(&line);
            if line.trim_end() == last || line.is_empty() {
                return text;
            }
        }
    }

    /// Everything until the other side ends.
    pub fn rest(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        // A reset is an end, too; what came before it counts.
        let _ = self.stream.read_to_end(&mut bytes);
        bytes
    }
}

/// A command of Redis as it is sent.
pub fn command(words: &[&[u8]]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        bytes.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
        bytes.extend_from_slice(word);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes
}

/// What a program of redis-tools writes; it must succeed.
#[track_caller]
pub fn run(program: &str, address: SocketAddr, arguments: &[&str]) -> String {
    let output = Command::new(program)
        .args(["-h", "127.0.0.1", "-p", &address.port().to_string()])
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("{program}: {error}: `make test` installs it"));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{program} {arguments:?}: {said}");
    String::from_utf8(output.stdout).unwrap()
}
