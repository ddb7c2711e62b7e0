//! What `proxy` passes on: heads, bodies, trailers, upgrades.

use std::io::{Read, Write};
use std::time::Duration;

use super::running::{Nginx, PATIENCE, Running, wait_until};
use super::wire::{self, Backend, Client};

#[test]
fn a_backend_sees_whom_it_serves() {
    let backend = Backend::start(|mut turn| {
        turn.ok("");
        true
    });
    let proxy = Running::proxy(&[backend.address], &[]);
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let headers = format!(
        "x-forwarded-for: 6.6.6.6\r\nx-forwarded-proto: gopher\r\nforwarded: for=6.6.6.6\r\ntraceparent: {trace}\r\n\
         connection: keep-alive, x-hop\r\nx-hop: 1\r\nkeep-alive: timeout=5\r\nx-end: 2\r\n"
    );
    assert_eq!(
        wire::request(proxy.address(), "GET", "/a?b=c", &headers, b"").status,
        200
    );
    wire::get(proxy.address(), "/second");
    let [first, second] = &backend.received()[..] else {
        panic!("two requests")
    };
    assert_eq!(first.line, "GET /a?b=c HTTP/1.1");
    assert_eq!(first.header("host"), Some("test"));
    assert_eq!(first.header("x-forwarded-for"), Some("127.0.0.1"));
    assert_eq!(first.header("x-forwarded-proto"), Some("http"));
    assert_eq!(first.header("x-forwarded-host"), Some("test"));
    assert_eq!(first.header("forwarded"), None);
    assert_eq!(first.header("traceparent"), Some(trace));
    assert_eq!(first.header("via"), Some("1.1 motif"));
    assert_eq!(first.header("x-end"), Some("2"));
    for hop in ["connection", "x-hop", "keep-alive"] {
        assert_eq!(first.header(hop), None, "{hop}");
    }
    let made = second.header("traceparent").unwrap();
    assert!(made.len() == 55 && made.starts_with("00-"), "{made}");
}

#[test]
fn a_trusted_client_s_forwarded_headers_are_extended() {
    let backend = Backend::start(|mut turn| {
        turn.ok("");
        true
    });
    let proxy = Running::proxy(&[backend.address], &["--trust-forwarded=true"]);
    let headers =
        "x-forwarded-for: 6.6.6.6\r\nx-forwarded-proto: https\r\nx-forwarded-host: shop\r\nvia: 1.1 edge\r\n";
    wire::request(proxy.address(), "GET", "/", headers, b"");
    let received = &backend.received()[0];
    assert_eq!(received.header("x-forwarded-for"), Some("6.6.6.6, 127.0.0.1"));
    assert_eq!(received.header("x-forwarded-proto"), Some("https"));
    assert_eq!(received.header("x-forwarded-host"), Some("shop"));
    assert_eq!(received.header("via"), Some("1.1 edge, 1.1 motif"));
}

#[test]
fn nginx_is_served_as_it_serves() {
    let large: Vec<u8> = (0..20_000_000_u32).map(|place| (place % 251) as u8).collect();
    let nginx = Nginx::start(&[("large", &large), ("small", b"small\n")]);
    let proxy = Running::proxy(&[nginx.address], &["--check=http/small"]);
    let mut client = Client::connect(proxy.address());
    for _ in 0..3 {
        assert!(client.request("GET", "/large", "", b"").unwrap().body == large);
        let direct = wire::get(nginx.address, "/small");
        let small = client.request("GET", "/small", "", b"").unwrap();
        assert_eq!(small.text(), "small\n");
        for header in ["etag", "last-modified", "content-type", "accept-ranges", "server"] {
            assert_eq!(small.header(header), direct.header(header), "{header}");
        }
        assert_eq!(small.header("connection"), None, "it is kept");
        let head = client.request("HEAD", "/large", "", b"").unwrap();
        assert_eq!(
            (head.status, head.header("content-length")),
            (200, Some("20000000"))
        );
        let part = client
            .request("GET", "/large", "range: bytes=10-19\r\n", b"")
            .unwrap();
        assert_eq!((part.status, &part.body[..]), (206, &large[10..20]));
        let etag = format!("if-none-match: {}\r\n", small.header("etag").unwrap());
        assert_eq!(client.request("GET", "/small", &etag, b"").unwrap().status, 304);
        assert_eq!(client.request("GET", "/absent", "", b"").unwrap().status, 404);
    }
    assert_eq!(proxy.metric("motif_requests_total{code=\"206\"}"), Some(3.0));
    assert_eq!(proxy.metric("motif_connections_accepted_total"), Some(1.0));
}

#[test]
fn bodies_pass_whatever_frames_them() {
    let backend = Backend::start(|mut turn| {
        let body = turn.request.body.clone();
        turn.send(format!(
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: x-sum\r\n\r\n{:x}\r\n",
            body.len()
        ));
        turn.send(body);
        turn.send("\r\n0\r\nx-sum: 42\r\n\r\n");
        true
    });
    let proxy = Running::proxy(&[backend.address], &[]);
    let mut client = Client::connect(proxy.address());
    let body = vec![b'x'; 1_000_000];
    let answer = client.request("POST", "/", "te: trailers\r\n", &body).unwrap();
    assert!(answer.body == body);
    assert_eq!(answer.trailers, [("x-sum".to_owned(), "42".to_owned())]);
    client
        .send("PUT / HTTP/1.1\r\nhost: test\r\ntransfer-encoding: chunked\r\ntrailer: x-t\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\nx-t: 7\r\n\r\n")
        .unwrap();
    assert_eq!(client.read("PUT").unwrap().unwrap().text(), "abcde");
    let received = backend.received();
    assert_eq!(received[0].header("te"), Some("trailers"));
    assert_eq!(received[1].body, b"abcde");
    assert_eq!(received[1].header("x-t"), Some("7"), "a trailer of a request");
}

#[test]
fn a_response_that_ends_with_its_connection_is_whole() {
    let backend = Backend::start(|mut turn| {
        turn.send("HTTP/1.0 200 OK\r\n\r\nuntil the end");
        false
    });
    let proxy = Running::proxy(&[backend.address], &[]);
    let mut client = Client::connect(proxy.address());
    for _ in 0..3 {
        assert_eq!(
            client.request("GET", "/", "", b"").unwrap().text(),
            "until the end"
        );
    }
}

#[test]
fn a_response_without_a_body_says_nothing_of_one() {
    let backend = Backend::start(|mut turn| {
        let head = match turn.request.line.split(' ').nth(1) {
            Some("/204") => "HTTP/1.1 204 No Content\r\n\r\n",
            Some("/304") => "HTTP/1.1 304 Not Modified\r\netag: x\r\n\r\n",
            _ => "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
        };
        turn.send(head);
        true
    });
    let proxy = Running::proxy(&[backend.address], &[]);
    let mut client = Client::connect(proxy.address());
    for (method, path, status) in [
        ("HEAD", "/", 200),
        ("GET", "/204", 204),
        ("GET", "/304", 304),
        ("HEAD", "/", 200),
    ] {
        let answer = client.request(method, path, "", b"").unwrap();
        assert_eq!(answer.status, status);
        assert_eq!(answer.header("content-length"), None, "{method} {path}");
    }
}

#[test]
fn a_client_of_http_1_0_is_served() {
    let echo = Running::echo(&[]);
    let proxy = Running::proxy(&[echo.address()], &[]);
    let mut client = Client::connect(proxy.address());
    client.send("GET /old HTTP/1.0\r\n\r\n").unwrap();
    let answer = String::from_utf8(client.rest()).unwrap();
    assert!(answer.starts_with("HTTP/1.0 200 OK\r\n"), "{answer}");
    assert!(answer.contains("\"request\": \"GET /old HTTP/1.1\""), "{answer}");
}

#[test]
fn requests_in_one_packet_are_answered_in_turn() {
    let echo = Running::echo(&[]);
    let proxy = Running::proxy(&[echo.address()], &[]);
    let mut client = Client::connect(proxy.address());
    let two = ["/1?latency=100ms", "/2"].map(|path| format!("GET {path} HTTP/1.1\r\nhost: test\r\n\r\n"));
    client.send(two.concat()).unwrap();
    assert_eq!(client.read("GET").unwrap().unwrap().json()["path"], "/1");
    assert_eq!(client.read("GET").unwrap().unwrap().json()["path"], "/2");
}

#[test]
fn a_body_is_sent_when_the_backend_wants_it() {
    let backend = Backend::start(|mut turn| {
        let length = turn.request.body.len();
        turn.ok(&length.to_string());
        true
    });
    let proxy = Running::proxy(&[backend.address], &[]);
    let mut client = Client::connect(proxy.address());
    client
        .send("POST / HTTP/1.1\r\nhost: test\r\ncontent-length: 5\r\nexpect: 100-continue\r\n\r\n")
        .unwrap();
    let informed = client.head().unwrap().unwrap();
    assert_eq!(informed.status, 100);
    client.send("hello").unwrap();
    assert_eq!(client.read("POST").unwrap().unwrap().text(), "5");
    assert_eq!(backend.received()[0].header("expect"), Some("100-continue"));
}

#[test]
fn a_backend_that_does_not_want_a_body_is_not_sent_it() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let backend = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut seen = Vec::new();
        while !seen.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            seen.push(byte[0]);
        }
        stream
            .write_all(b"HTTP/1.1 401 Unauthorized\r\ncontent-length: 2\r\nconnection: close\r\n\r\nno")
            .unwrap();
        seen.clear();
        let _ = stream.read_to_end(&mut seen);
        seen
    });
    let proxy = Running::proxy_unready(&[address], &["--check=none"]);
    wait_until("the backend is known", || {
        wire::get(proxy.admin(), "/readyz").status == 200
    });
    let mut client = Client::connect(proxy.address());
    client
        .send("POST / HTTP/1.1\r\nhost: test\r\ncontent-length: 5\r\nexpect: 100-continue\r\n\r\n")
        .unwrap();
    let answer = client.head().unwrap().unwrap();
    assert_eq!(answer.status, 401, "and no 100 before it");
    drop(client);
    assert_eq!(backend.join().unwrap(), b"", "no byte of the body");
}

#[test]
fn informational_responses_don_t_disturb() {
    let backend = Backend::start(|mut turn| {
        turn.send("HTTP/1.1 103 Early Hints\r\nlink: </a.css>\r\n\r\n");
        turn.ok("late");
        true
    });
    let proxy = Running::proxy(&[backend.address], &[]);
    assert_eq!(wire::get(proxy.address(), "/").text(), "late");
}

#[test]
fn an_upgraded_connection_passes_anything_both_ways() {
    let backend = Backend::start(|mut turn| {
        assert_eq!(turn.request.header("connection"), Some("upgrade"));
        assert_eq!(turn.request.header("upgrade"), Some("websocket"));
        assert_eq!(
            turn.request.header("sec-websocket-key"),
            Some("dGhlIHNhbXBsZSBub25jZQ==")
        );
        turn.send("HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-accept: x\r\n\r\nfirst");
        let mut room = [0; 4096];
        while let Ok(count @ 1..) = turn.stream.read(&mut room) {
            turn.send(&room[..count]);
        }
        turn.send("goodbye");
        false
    });
    let proxy = Running::proxy(&[backend.address], &[]);
    let mut client = Client::connect(proxy.address());
    client
        .send("GET /chat HTTP/1.1\r\nhost: test\r\nconnection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
        .unwrap();
    let answer = client.read("GET").unwrap().unwrap();
    assert_eq!(answer.status, 101);
    assert_eq!(answer.header("upgrade"), Some("websocket"));
    assert_eq!(answer.header("sec-websocket-accept"), Some("x"));
    assert_eq!(client.exactly(5), b"first");
    let long = vec![0; 100_000];
    for message in [&b"\x81\x05hello"[..], &long, b"\xff\x00"] {
        client.send(message).unwrap();
        assert!(client.exactly(message.len()) == message);
    }
    client.shut_down();
    assert_eq!(client.rest(), b"goodbye");
}

#[test]
fn http_2_by_upgrade_is_not_passed_on() {
    let backend = Backend::start(|mut turn| {
        turn.ok("");
        true
    });
    let proxy = Running::proxy(&[backend.address], &[]);
    let headers = "connection: Upgrade, HTTP2-Settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABk\r\n";
    assert_eq!(
        wire::request(proxy.address(), "GET", "/", headers, b"").status,
        200
    );
    let received = &backend.received()[0];
    for header in ["connection", "upgrade", "http2-settings"] {
        assert_eq!(received.header(header), None, "{header}");
    }
}

#[test]
fn a_client_that_reads_slowly_slows_the_backend_down() {
    let (told, written) = std::sync::mpsc::channel();
    let told = std::sync::Mutex::new(told);
    let backend = Backend::start(move |turn| {
        let stream = turn.stream.get_mut();
        stream
            .set_write_timeout(Some(Duration::from_millis(500)))
            .unwrap();
        stream
            .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000000\r\n\r\n")
            .unwrap();
        let mut sum = 0;
        // A write that times out shows that nobody takes the bytes.
        while let Ok(count) = stream.write(&[0; 16_384]) {
            sum += count;
        }
        told.lock().unwrap().send(sum).unwrap();
        false
    });
    let proxy = Running::proxy(&[backend.address], &[]);
    let mut client = Client::connect(proxy.address());
    client.send("GET / HTTP/1.1\r\nhost: test\r\n\r\n").unwrap();
    let sum = written.recv_timeout(PATIENCE).unwrap();
    // What lies in the sockets' buffers; far less than the response.
    assert!(sum < 50_000_000, "{sum} bytes");
    drop(client);
}

#[test]
fn a_request_is_one_line_of_the_log() {
    let echo = Running::echo(&[]);
    let proxy = Running::proxy(&[echo.address()], &[]);
    let path = "/a%22b?c=d%20e";
    wire::request(
        proxy.address(),
        "GET",
        path,
        "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\n",
        b"",
    );
    let line = proxy.wait_for("request", |_| true);
    assert_eq!(line["method"], "GET");
    assert_eq!(line["path"], "/a%22b");
    assert_eq!(line["query"], "c=d%20e");
    assert_eq!(line["host"], "test");
    assert_eq!(line["status"], 200);
    assert_eq!(line["backend"], echo.address().to_string());
    assert_eq!(line["attempts"], 1);
    assert_eq!(line["trace"], "4bf92f3577b34da6a3ce929d0e0e4736");
    assert!(line["bytes"].as_u64().unwrap() > 100);

    let quiet = Running::proxy(&[echo.address()], &["--access-log=false"]);
    wire::get(quiet.address(), "/");
    quiet.signal(rustix::process::Signal::TERM);
    quiet.wait_for("stopped", |_| true);
    assert_eq!(quiet.events("request"), Vec::<serde_json::Value>::new());
}
