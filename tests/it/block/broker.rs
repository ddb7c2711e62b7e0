//! `broker`: whose address is behind the one that the application knows.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;

use serde_json::Value;

use super::running::{PATIENCE, Running, refused, wait_until};
use super::wire;

/// A server that says its name first, and then echoes.
fn named(name: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            std::thread::spawn(move || {
                let mut stream = stream.unwrap();
                let _ = stream.write_all(name.as_bytes());
                let mut from = stream.try_clone().unwrap();
                let _ = std::io::copy(&mut from, &mut stream);
            });
        }
    });
    address
}

fn broker(flags: &[&str], environment: &[(&str, &str)]) -> Running {
    let mut words = vec![
        "broker",
        "--listen=127.0.0.1:0",
        "--admin=127.0.0.1:0",
        "--name=db",
        "--refresh=20ms",
    ];
    words.extend(flags);
    Running::start(&words, environment)
}

fn connect(broker: &Running) -> TcpStream {
    let stream = TcpStream::connect(broker.address()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Who answers a new connection.
fn who(broker: &Running) -> String {
    let mut name = [0; 3];
    match connect(broker).read_exact(&mut name) {
        Ok(()) => String::from_utf8_lossy(&name).into_owned(),
        Err(_) => String::new(),
    }
}

fn shown(broker: &Running) -> Value {
    wire::get(broker.admin(), "/backend").json()
}

/// A file that says where the backend is, replaced as a whole.
struct Said {
    folder: tempfile::TempDir,
}

impl Said {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    fn flag(&self) -> String {
        format!("--file={}", self.folder.path().join("db").display())
    }

    fn say(&self, text: &str) {
        let new = self.folder.path().join("new");
        std::fs::write(&new, text).unwrap();
        std::fs::rename(new, self.folder.path().join("db")).unwrap();
    }
}

#[test]
fn the_environment_decides() {
    let (one, two) = (named("one"), named("two"));
    let by_address = broker(&[], &[("DB_ADDRESS", &one.to_string())]);
    by_address.wait_until_ready();
    assert_eq!(who(&by_address), "one");
    let told = shown(&by_address);
    assert_eq!(told["name"], "db");
    assert_eq!(told["provider"], "env");
    assert_eq!(told["address"], one.to_string());
    assert!(told["since"].as_str().unwrap().ends_with('Z'), "{told}");
    let port = two.port().to_string();
    let variables = [
        ("DB_SERVICE_HOST", "127.0.0.1"),
        ("DB_SERVICE_PORT", port.as_str()),
    ];
    let by_service = broker(&[], &variables);
    by_service.wait_until_ready();
    assert_eq!(who(&by_service), "two");
    let by_name = broker(&[&format!("--dns=localhost:{port}"), "--providers=dns"], &[]);
    by_name.wait_until_ready();
    assert_eq!(who(&by_name), "two");
    assert_eq!(shown(&by_name)["address"], format!("localhost:{port}"));
    let flags = [
        "--name=localhost",
        "--providers=service",
        &format!("--port={port}"),
    ];
    let mut words = vec!["broker", "--listen=127.0.0.1:0", "--admin=127.0.0.1:0"];
    words.extend(flags);
    let by_stack = Running::start(&words, &[]);
    by_stack.wait_until_ready();
    assert_eq!(who(&by_stack), "two");
    assert_eq!(shown(&by_stack)["provider"], "service");
    assert_eq!(by_stack.terminate(), Some(0));
}

#[test]
fn the_first_provider_that_knows_one_wins() {
    let (one, two) = (named("one"), named("two"));
    let said = Said::new();
    let dns = format!("--dns=localhost:{}", two.port());
    let broker = broker(&["--providers=env,file,dns", &said.flag(), &dns], &[]);
    broker.wait_until_ready();
    assert_eq!(shown(&broker)["provider"], "dns");
    assert_eq!(who(&broker), "two");
    said.say(&format!("# production\n\n{one}\n"));
    wait_until("the file is asked first", || who(&broker) == "one");
    assert_eq!(shown(&broker)["provider"], "file");
    let metric = "motif_broker_backend{provider=\"file\"}";
    assert_eq!(broker.metric(metric), Some(1.0));
}

#[test]
fn new_connections_reach_the_new_backend() {
    let (one, two) = (named("one"), named("two"));
    let said = Said::new();
    said.say(&one.to_string());
    let broker = broker(&[&said.flag()], &[]);
    broker.wait_until_ready();
    let mut kept = connect(&broker);
    let mut name = [0; 3];
    kept.read_exact(&mut name).unwrap();
    assert_eq!(&name, b"one");
    said.say(&two.to_string());
    wait_until("the new one is reached", || who(&broker) == "two");
    // The connection that was made before goes on.
    kept.write_all(b"ping").unwrap();
    let mut echoed = [0; 4];
    kept.read_exact(&mut echoed).unwrap();
    assert_eq!(&echoed, b"ping");
    assert_eq!(broker.metric("motif_broker_changes_total"), Some(2.0));
}

#[test]
fn old_connections_are_closed_where_told_so() {
    let (one, two) = (named("one"), named("two"));
    let said = Said::new();
    said.say(&one.to_string());
    let broker = broker(&[&said.flag(), "--close-old=true"], &[]);
    broker.wait_until_ready();
    let mut kept = connect(&broker);
    let mut received = vec![0; 3];
    kept.read_exact(&mut received).unwrap();
    said.say(&two.to_string());
    // Ends, and does not wait for either side.
    let _ = kept.read_to_end(&mut received);
    assert_eq!(received, b"one");
    broker.wait_for("connection", |event| event["error"] == "the backend left");
    assert_eq!(who(&broker), "two");
}

#[test]
fn without_a_backend_every_provider_says_why() {
    let said = Said::new();
    let flag = said.flag();
    let path = flag.strip_prefix("--file=").unwrap();
    let name = "x".repeat(70);
    let broker = broker(
        &["--providers=env,file,dns", &flag, &format!("--dns={name}:1")],
        &[("DB_ADDRESS", "nonsense")],
    );
    wait_until("the providers were asked", || {
        !broker.events("no backend").is_empty()
    });
    let mut received = Vec::new();
    let _ = connect(&broker).read_to_end(&mut received);
    assert_eq!(received, b"");
    let reason = broker.wait_for("refused", |_| true)["reason"].to_string();
    for expect in [
        "env: `DB_ADDRESS`: `nonsense` is not `HOST:PORT`".to_owned(),
        format!("file: `{path}`: No such file"),
        format!("dns: `{name}`: "),
    ] {
        assert!(reason.contains(&expect), "{reason}: {expect}");
    }
    let told = wire::get(broker.admin(), "/readyz");
    assert_eq!(told.status, 503);
    assert!(
        told.text().starts_with("no backend for db: env: "),
        "{}",
        told.text()
    );
    let shown = wire::get(broker.admin(), "/backend");
    assert_eq!(shown.status, 503);
    assert_eq!(shown.json()["reasons"].as_array().unwrap().len(), 3);
    assert_eq!(broker.metric("motif_broker_refused_total"), Some(1.0));
    // It comes, and all is well.
    said.say(&named("one").to_string());
    broker.wait_until_ready();
    assert_eq!(who(&broker), "one");
}

#[test]
fn a_backend_that_is_gone_is_a_refusal_too() {
    let gone = wire::free_address();
    let broker = broker(&["--refusal=redis"], &[("DB_ADDRESS", &gone.to_string())]);
    broker.wait_until_ready();
    let mut client = connect(&broker);
    client.write_all(b"PING\r\n").unwrap();
    let mut told = String::new();
    client.read_to_string(&mut told).unwrap();
    assert_eq!(told, "-ERR motif: no backend for db\r\n");
    let reason = broker.wait_for("refused", |_| true)["reason"].to_string();
    assert!(reason.contains(&format!("env: `{gone}`: ")), "{reason}");
}

#[test]
fn an_http_client_is_told_503() {
    let broker = broker(&["--refusal=http"], &[]);
    let answer = wire::get(broker.address(), "/");
    assert_eq!(answer.status, 503);
    assert_eq!(answer.text(), "motif: no backend for db\n");
}

#[test]
fn psql_shows_the_refusal() {
    let broker = broker(&["--refusal=postgresql"], &[]);
    for encryption in ["disable", "prefer", "require"] {
        let address = broker.address();
        let place = format!(
            "host={} port={} user=me dbname=shop sslmode={encryption} connect_timeout=60",
            address.ip(),
            address.port()
        );
        let output = Command::new("psql")
            .args(["--no-psqlrc", "--command=select 1", &place])
            .output()
            .expect("psql is installed: `make test` does so");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success());
        let expect = match encryption {
            "require" => "server does not support SSL, but SSL was required",
            _ => "FATAL:  motif: no backend for db",
        };
        assert!(said.contains(expect), "{encryption}: {said}");
    }
}

#[test]
fn what_makes_no_sense_is_one_line() {
    for (flags, expect) in [
        (&["--listen=0"][..], "--name"),
        (&["--name=db"], "--listen"),
        (&["--listen=0", "--name=a b"], "`a b` is no name"),
        (
            &["--listen=0", "--name=db", "--providers=file"],
            "the provider `file` needs `--file`",
        ),
        (&["--listen=9911", "--name=db"], "both want"),
    ] {
        let mut words = vec!["broker"];
        words.extend(flags);
        let ended = refused(&words);
        assert_eq!(ended.code, Some(2), "{flags:?}");
        assert!(ended.stderr.contains(expect), "{flags:?}: {}", ended.stderr);
    }
}
