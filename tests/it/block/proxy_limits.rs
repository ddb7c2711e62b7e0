//! What `proxy` refuses, and with which status.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier};

use super::running::{Running, refused, wait_until};
use super::wire::{self, Backend, Client};

fn answering() -> Backend {
    Backend::start(|mut turn| {
        let body = turn.request.body.len().to_string();
        turn.ok(&body);
        true
    })
}

/// Ends connections soon when nothing comes, so that everything that comes back can be read.
const SOON: &str = "--idle-timeout=500ms";

/// Sends bytes as they are; everything that comes back.
fn raw(proxy: &Running, bytes: impl AsRef<[u8]>) -> String {
    let mut client = Client::connect(proxy.address());
    client.send(bytes).unwrap();
    String::from_utf8_lossy(&client.rest()).into_owned()
}

#[test]
fn what_can_be_read_in_two_ways_reaches_no_backend() {
    let backend = answering();
    let proxy = Running::proxy(&[backend.address], &[SOON]);
    let refusals: &[(&str, &str)] = &[
        ("GET / HTTP/1.1\r\n\r\n", "400"),
        ("GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n", "400"),
        ("GET / HTTP/1.1\r\nhost: a/b\r\n\r\n", "400"),
        ("GET http://user@a/ HTTP/1.1\r\nhost: a\r\n\r\n", "400"),
        (
            "GET / HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nxx",
            "400",
        ),
        (
            "GET / HTTP/1.1\r\nhost: a\r\ncontent-length: 1, 2\r\n\r\nxx",
            "400",
        ),
        ("GET / HTTP/1.1\r\nhost: a\r\ncontent-length: +1\r\n\r\nx", "400"),
        ("GET / HTTP/1.1\r\nhost: a\r\ncontent-length: -1\r\n\r\n", "400"),
        ("GET / HTTP/1.1\r\nhost: a\r\ncontent-length: 0x1\r\n\r\nx", "400"),
        (
            "GET / HTTP/1.1\r\nhost: a\r\ncontent-length: 99999999999999999999\r\n\r\nx",
            "400",
        ),
        (
            "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: xchunked\r\n\r\n0\r\n\r\n",
            "400",
        ),
        (
            "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked, identity\r\n\r\n0\r\n\r\n",
            "400",
        ),
        (
            "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
            "501",
        ),
        (
            "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
            "501",
        ),
        (
            "POST / HTTP/1.0\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
            "400",
        ),
        ("GET / HTTP/1.1\r\nhost : a\r\n\r\n", "400"),
        ("GET / HTTP/1.1\r\n host: a\r\n\r\n", "400"),
        ("GET / HTTP/1.1\r\nhost: a\r\nx: 1\r\n folded\r\n\r\n", "400"),
        ("GET / HTTP/1.1\r\nhost: a\r\nx\0: 1\r\n\r\n", "400"),
        ("GET / HTTP/1.1\r\nhost: a\r\nx: a\0b\r\n\r\n", "400"),
        ("GET /a b HTTP/1.1\r\nhost: a\r\n\r\n", "400"),
        ("GET / HTTP/3.0\r\nhost: a\r\n\r\n", "400"),
        ("\x16\x03\x01\x02\x00\x01\x00\x01\x7c\x03\x03\r\n\r\n", "400"),
        ("CONNECT a:80 HTTP/1.1\r\nhost: a:80\r\n\r\n", "501"),
    ];
    for (request, status) in refusals {
        let answer = raw(&proxy, request);
        assert_eq!(answer.split(' ').nth(1), Some(*status), "{request:?}: {answer:?}");
        assert_eq!(answer.matches("HTTP/1.").count(), 1, "{request:?}: {answer:?}");
    }
    assert_eq!(backend.received().len(), 0, "{:?}", backend.received());
}

#[test]
fn a_second_request_can_t_hide_in_a_first_one() {
    let backend = answering();
    let proxy = Running::proxy(&[backend.address], &[SOON]);
    let hidden = "GET /hidden HTTP/1.1\r\nhost: a\r\n\r\n";
    let vectors = [
        // The body's length is the chunks', whatever else is said: what follows them is a request of its own.
        format!(
            "POST /first HTTP/1.1\r\nhost: a\r\ncontent-length: 6\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n{hidden}"
        ),
        format!(
            "POST /first HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\ncontent-length: 3\r\n\r\n0\r\n\r\n{hidden}"
        ),
        // Here the hidden one is the body.
        format!(
            "POST /first HTTP/1.1\r\nhost: a\r\ncontent-length: {}\r\n\r\n{hidden}",
            hidden.len()
        ),
        format!("POST /first HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\ncontent-length: 0\r\n\r\n{hidden}"),
        format!(
            "POST /first HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n0;ext=1\r\n\r\n{hidden}"
        ),
        format!(
            "POST /first HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n1 \r\nx\r\n0\r\n\r\n{hidden}"
        ),
        format!("POST /first HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n0x0\r\n\r\n{hidden}"),
    ];
    for vector in vectors {
        let before = backend.received().len();
        let answer = raw(&proxy, &vector);
        let answers = answer.matches("HTTP/1.1 ").count();
        for received in &backend.received()[before..] {
            let lengths = received
                .headers
                .iter()
                .filter(|(name, _)| name == "content-length")
                .count();
            let codings = received
                .headers
                .iter()
                .filter(|(name, _)| name == "transfer-encoding")
                .count();
            assert!(lengths + codings <= 1, "{vector:?}: {received:?}");
        }
        // Whoever the backend answered, the client got an answer for: nobody else's connection can get it.
        let seen = backend.received().len() - before;
        assert!(
            seen <= answers,
            "{vector:?}: {seen} requests, {answers} answers: {answer:?}"
        );
    }
    let mut client = Client::connect(proxy.address());
    assert_eq!(client.request("GET", "/after", "", b"").unwrap().text(), "0");
    assert_eq!(backend.received().last().unwrap().line, "GET /after HTTP/1.1");
}

#[test]
fn an_absolute_target_names_the_host() {
    let backend = answering();
    let proxy = Running::proxy(&[backend.address], &[SOON]);
    raw(
        &proxy,
        "GET http://right.example/path?q HTTP/1.1\r\nhost: wrong.example\r\n\r\n",
    );
    let received = &backend.received()[0];
    assert_eq!(received.line, "GET /path?q HTTP/1.1");
    assert_eq!(received.header("host"), Some("right.example"));
    assert_eq!(received.header("x-forwarded-host"), Some("right.example"));
}

#[test]
fn a_body_has_a_largest_size() {
    let backend = answering();
    let proxy = Running::proxy(&[backend.address], &["--max-body=1Ki", SOON]);
    assert_eq!(
        wire::request(proxy.address(), "POST", "/", "", &[b'x'; 1024]).text(),
        "1024"
    );
    assert_eq!(
        wire::request(proxy.address(), "POST", "/", "", &[b'x'; 1025]).status,
        413
    );
    assert_eq!(
        wire::request(proxy.address(), "POST", "/", "", &vec![b'x'; 2_000_000]).status,
        413
    );
    let chunked = "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n";
    let chunk = format!("200\r\n{}\r\n", "x".repeat(0x200));
    let whole = raw(&proxy, format!("{chunked}{chunk}{chunk}0\r\n\r\n"));
    assert!(whole.starts_with("HTTP/1.1 200"), "{whole}");
    let larger = raw(&proxy, format!("{chunked}{chunk}{chunk}{chunk}0\r\n\r\n"));
    assert!(larger.starts_with("HTTP/1.1 413"), "{larger}");
    let mut client = Client::connect(proxy.address());
    client
        .send("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 5000\r\nexpect: 100-continue\r\n\r\n")
        .unwrap();
    assert_eq!(
        client.head().unwrap().unwrap().status,
        413,
        "before any byte of it is sent"
    );
}

#[test]
fn a_head_has_a_largest_size() {
    let backend = answering();
    let proxy = Running::proxy(&[backend.address], &["--max-header=8Ki"]);
    let head = |size: usize| format!("x-long: {}\r\n", "x".repeat(size));
    assert_eq!(
        wire::request(proxy.address(), "GET", "/", &head(7_000), b"").status,
        200
    );
    assert_eq!(
        wire::request(proxy.address(), "GET", "/", &head(9_000), b"").status,
        431
    );
    let many = "x: 1\r\n".repeat(300);
    assert_eq!(wire::request(proxy.address(), "GET", "/", &many, b"").status, 431);
    wait_until("both are counted", || {
        proxy.metric("motif_requests_total{code=\"431\"}") == Some(2.0)
    });
}

#[test]
fn a_slow_head_ends_the_connection() {
    let backend = answering();
    let proxy = Running::proxy(&[backend.address], &["--header-timeout=200ms"]);
    for start in ["", "GET / HTTP/1.1\r\nhost:"] {
        let mut client = Client::connect(proxy.address());
        client.send(start).unwrap();
        assert_eq!(client.rest(), b"", "{start:?}");
    }
    let mut client = Client::connect(proxy.address());
    assert_eq!(client.request("GET", "/", "", b"").unwrap().status, 200);
    client.send("GET / HTT").unwrap();
    assert_eq!(client.rest(), b"");
    assert_eq!(backend.received().len(), 1);
}

#[test]
fn a_kept_connection_ends_when_idle() {
    let backend = answering();
    let proxy = Running::proxy(&[backend.address], &["--idle-timeout=200ms"]);
    let mut client = Client::connect(proxy.address());
    assert_eq!(client.request("GET", "/", "", b"").unwrap().status, 200);
    assert_eq!(client.rest(), b"");
}

#[test]
fn failures_have_their_status() {
    let closing = Backend::start(|_| false);
    let proxy = Running::proxy(&[closing.address], &["--retries=0"]);
    assert_eq!(wire::get(proxy.address(), "/").status, 502);

    let garbled = Backend::start(|mut turn| {
        turn.send("SSH-2.0-OpenSSH\r\n");
        false
    });
    let proxy = Running::proxy(&[garbled.address], &["--retries=0"]);
    assert_eq!(wire::get(proxy.address(), "/").status, 502);

    let nobody = Running::proxy(&[wire::free_address()], &["--check=none"]);
    assert_eq!(wire::get(nobody.address(), "/").status, 502);

    let unready = Running::proxy_unready(&[wire::free_address()], &[]);
    unready.wait_for("backend not ready", |_| true);
    let answer = wire::get(unready.address(), "/");
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("1")));

    let (hold, once) = (Arc::new(Barrier::new(2)), AtomicBool::new(false));
    let silent = Backend::start({
        let hold = Arc::clone(&hold);
        move |_| {
            if !once.swap(true, Ordering::Relaxed) {
                hold.wait();
            }
            false
        }
    });
    let proxy = Running::proxy(&[silent.address], &["--request-timeout=200ms", "--retries=0"]);
    assert_eq!(wire::get(proxy.address(), "/").status, 504);
    hold.wait();

    let mut client = Client::connect(proxy.address());
    client
        .send("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\nhalf")
        .unwrap();
    assert_eq!(client.read("POST").unwrap().unwrap().status, 408);
}

#[test]
fn a_response_that_breaks_off_is_not_passed_as_whole() {
    let backend = Backend::start(|mut turn| {
        turn.send("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf");
        false
    });
    let proxy = Running::proxy(&[backend.address], &[]);
    let mut client = Client::connect(proxy.address());
    assert!(client.request("GET", "/", "", b"").is_err());
    let line = proxy.wait_for("request", |_| true);
    assert_eq!((&line["bytes"], &line["aborted"]), (&4.into(), &true.into()));
}

#[test]
fn connections_beyond_the_limit_wait() {
    let backend = answering();
    let proxy = Running::proxy(&[backend.address], &["--max-connections=2"]);
    let mut first = Client::connect(proxy.address());
    let mut second = Client::connect(proxy.address());
    assert_eq!(first.request("GET", "/1", "", b"").unwrap().status, 200);
    assert_eq!(second.request("GET", "/2", "", b"").unwrap().status, 200);
    let mut third = Client::connect(proxy.address());
    third.send("GET /3 HTTP/1.1\r\nhost: a\r\n\r\n").unwrap();
    assert_eq!(first.request("GET", "/4", "", b"").unwrap().status, 200);
    assert!(
        backend
            .received()
            .iter()
            .all(|received| !received.line.contains("/3"))
    );
    drop(second);
    assert_eq!(third.read("GET").unwrap().unwrap().status, 200);
}

#[test]
fn what_makes_no_sense_is_refused_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let certificate = format!("--certificate={}", folder.path().display());
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = format!("--listen={}", taken.local_addr().unwrap());
    let cases: &[(&[&str], i32, &str)] = &[
        (
            &[],
            2,
            "nothing to forward: give `--listen` and `--upstream`, or `--forward`",
        ),
        (
            &["--listen=127.0.0.1:0"],
            2,
            "`--listen` has no backend: give `--upstream`",
        ),
        (
            &["--listen=127.0.0.1:0", "--upstream=web"],
            2,
            "`web` is not `HOST:PORT`",
        ),
        (
            &["--listen=127.0.0.1:0", "--upstream=web:80", "--check=ping"],
            2,
            "`ping` is not `none`",
        ),
        (
            &["--listen=127.0.0.1:0", "--upstream=web:80", "--drain=5"],
            2,
            "`5` has no unit: write `5s` or `5ms`",
        ),
        (
            &["--listen=127.0.0.1:0", "--upstream=web:80", "--balance=fair"],
            2,
            "invalid value 'fair'",
        ),
        (
            &["--listen=127.0.0.1:0", "--upstream=web:80", &certificate],
            2,
            "tls.crt`: No such file",
        ),
        (
            &["--admin=127.0.0.1:0", &taken, "--upstream=web:80"],
            1,
            "failed to listen on",
        ),
    ];
    for (flags, code, expect) in cases {
        let ended = refused(&[&["proxy"], *flags].concat());
        assert_eq!(ended.code, Some(*code), "{ended:?}");
        assert_eq!(ended.stdout, "", "{ended:?}");
        assert!(ended.stderr.lines().next().unwrap().contains(expect), "{ended:?}");
    }
}
