//! What `proxy` owes to clients and backends that are old, odd, or slow on purpose.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use super::running::Running;
use super::wire::{Backend, Client};

/// A backend that says nothing but that it was asked.
fn answering() -> Backend {
    Backend::start(|mut turn| {
        turn.ok("ok");
        true
    })
}

fn raw(proxy: &Running, bytes: impl AsRef<[u8]>) -> String {
    let mut client = Client::connect(proxy.address());
    client.send(bytes).unwrap();
    String::from_utf8_lossy(&client.rest()).into_owned()
}

#[test]
fn a_request_without_a_host_gets_the_backends() {
    let backend = answering();
    let proxy = Running::proxy(&[backend.address], &["--check=none", "--idle-timeout=500ms"]);
    let answer = raw(&proxy, "GET / HTTP/1.0\r\n\r\n");
    assert!(answer.contains(" 200 "), "{answer}");
    let received = backend.received();
    let request = received.last().unwrap();
    assert_eq!(request.header("host"), Some(backend.address.to_string().as_str()));
}

#[test]
fn lists_of_several_lines_stay_whole() {
    let backend = answering();
    let flags = ["--check=none", "--idle-timeout=500ms", "--trust-forwarded=true"];
    let proxy = Running::proxy(&[backend.address], &flags);
    raw(
        &proxy,
        "GET / HTTP/1.1\r\nhost: a\r\nx-forwarded-for: 6.6.6.6\r\nx-forwarded-for: 10.0.0.1\r\n\
         via: 1.0 first\r\nvia: 1.1 second\r\n\r\n",
    );
    let received = backend.received();
    let request = received.last().unwrap();
    assert_eq!(
        request.header("x-forwarded-for"),
        Some("6.6.6.6, 10.0.0.1, 127.0.0.1")
    );
    assert_eq!(request.header("via"), Some("1.0 first, 1.1 second, 1.1 motif"));
}

#[test]
fn a_trace_that_cannot_be_read_takes_its_state_along() {
    let backend = answering();
    let proxy = Running::proxy(&[backend.address], &["--check=none", "--idle-timeout=500ms"]);
    let good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let asked = |parents: &str| {
        raw(
            &proxy,
            format!("GET / HTTP/1.1\r\nhost: a\r\n{parents}tracestate: a=1\r\n\r\n"),
        );
        let received = backend.received();
        let request = received.last().unwrap().clone();
        let parents: Vec<String> = request
            .headers
            .iter()
            .filter(|(name, _)| name.eq_ignore_ascii_case("traceparent"))
            .map(|(_, value)| value.clone())
            .collect();
        (parents, request.header("tracestate").map(str::to_owned))
    };
    let (parents, state) = asked(&format!("traceparent: {good}\r\n"));
    assert_eq!((parents, state.as_deref()), (vec![good.to_owned()], Some("a=1")));
    for wrong in [
        "traceparent: nonsense\r\n",
        &format!("traceparent: {good}\r\n").repeat(2),
    ] {
        let (parents, state) = asked(wrong);
        assert_eq!(parents.len(), 1, "{wrong}");
        assert_ne!(parents[0], good);
        assert_eq!(state, None, "{wrong}");
    }
}

#[test]
fn a_target_is_a_path_or_a_url() {
    let backend = answering();
    let proxy = Running::proxy(&[backend.address], &["--check=none", "--idle-timeout=500ms"]);
    for wrong in ["GET foo", "GET foo:80", "GET *"] {
        let answer = raw(&proxy, format!("{wrong} HTTP/1.1\r\nhost: a\r\n\r\n"));
        assert!(answer.starts_with("HTTP/1.1 400"), "{wrong}: {answer}");
    }
    let answer = raw(&proxy, "OPTIONS * HTTP/1.1\r\nhost: a\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert_eq!(backend.received().len(), 1);
}

#[test]
fn a_body_that_was_never_asked_for_ends_the_connection() {
    // Refuses before it has read the body.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut head = Vec::new();
            let mut byte = [0];
            while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap_or(0) == 1 {
                head.push(byte[0]);
            }
            let _ = stream.write_all(b"HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n\r\n");
        }
    });
    let proxy = Running::proxy(&[address], &["--check=none"]);
    let mut client = Client::connect(proxy.address());
    client
        .send("POST / HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 5\r\n\r\n")
        .unwrap();
    let answer = client.read("POST").unwrap().unwrap();
    assert_eq!(answer.status, 401);
    assert_eq!(answer.header("connection"), Some("close"));
    assert!(client.rest().is_empty());
}

#[test]
fn a_backend_that_stops_in_the_middle_is_cut_off() {
    let backend = Backend::start(|mut turn| {
        turn.send("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nabc");
        std::thread::sleep(Duration::from_mins(2));
        false
    });
    let proxy = Running::proxy(&[backend.address], &["--check=none", "--stall-timeout=500ms"]);
    let answer = raw(&proxy, "GET / HTTP/1.1\r\nhost: a\r\n\r\n");
    assert!(answer.ends_with("abc"), "{answer}");
    let event = proxy.wait_for("request", |_| true);
    assert_eq!(event["aborted"], true);
}

/// The start of a connection of HTTP/2: the preface, and settings with this window for each stream.
fn http2(proxy: &Running, window: u32) -> TcpStream {
    let mut stream = TcpStream::connect(proxy.address()).unwrap();
    stream.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").unwrap();
    let mut settings = vec![0, 0, 6, 4, 0, 0, 0, 0, 0, 0, 4];
    settings.extend(window.to_be_bytes());
    stream.write_all(&settings).unwrap();
    stream
}

/// A HEADERS frame of a GET for `/`; with these flags.
fn headers(flags: u8, number: u32) -> Vec<u8> {
    // Of HPACK's static table: GET, http and /, then the authority `a`.
    let block = [0x82, 0x86, 0x84, 0x41, 0x01, b'a'];
    let mut frame = vec![0, 0, u8::try_from(block.len()).unwrap(), 1, flags];
    frame.extend(number.to_be_bytes());
    frame.extend(block);
    frame
}

/// Reads until the other side ends the connection.
fn drain(mut stream: TcpStream) {
    let started = Instant::now();
    let mut buffer = vec![0; 65536];
    while let Ok(1..) = stream.read(&mut buffer) {}
    // Less than the read's own patience: the proxy ended it.
    assert!(started.elapsed() < Duration::from_secs(55), "still open");
}

#[test]
fn a_head_of_http2_that_never_ends_is_cut_off() {
    let backend = answering();
    let flags = ["--check=none", "--header-timeout=500ms", "--idle-timeout=500ms"];
    let proxy = Running::proxy(&[backend.address], &flags);
    let mut stream = http2(&proxy, 65535);
    // END_STREAM without END_HEADERS.
    stream.write_all(&headers(1, 1)).unwrap();
    drain(stream);
}

#[test]
fn a_client_of_http2_that_takes_nothing_is_cut_off() {
    let backend = Backend::start(|mut turn| {
        turn.ok(&"x".repeat(1 << 20));
        true
    });
    let proxy = Running::proxy(&[backend.address], &["--check=none", "--idle-timeout=500ms"]);
    let mut stream = http2(&proxy, 0);
    for number in [1, 3, 5] {
        stream.write_all(&headers(5, number)).unwrap();
    }
    drain(stream);
    let event = proxy.wait_for("request", |_| true);
    assert_eq!(event["aborted"], true);
}
