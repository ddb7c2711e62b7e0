//! `split --mode=tee`: copies, and that nobody waits for them.

use std::io::Read;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::running::{Running, wait_until};
use super::wire::{self, Backend, Client};

fn named(name: &'static str) -> Backend {
    Backend::start(move |mut turn| {
        turn.ok(name);
        true
    })
}

/// Starts a tee on free ports.
fn tee(backends: &[SocketAddr], flags: &[&str]) -> Running {
    let named: Vec<_> = ["web", "shadow", "third"]
        .iter()
        .zip(backends)
        .map(|(name, address)| format!("{name}={address}"))
        .collect();
    let backends = format!("--backends={}", named.join(","));
    let mut words = vec![
        "split",
        "--mode=tee",
        "--listen=127.0.0.1:0",
        "--admin=127.0.0.1:0",
        "--check=none",
        &backends,
    ];
    words.extend(flags);
    let tee = Running::start(&words, &[]);
    tee.wait_until_ready();
    tee
}

fn outcome(tee: &Running, outcome: &str) -> Option<f64> {
    let metric = format!("motif_shadow_requests_total{{name=\"shadow\",outcome=\"{outcome}\"}}");
    tee.metric(&metric)
}

fn dropped(tee: &Running, reason: &str) -> Option<f64> {
    let metric = format!("motif_shadow_dropped_total{{name=\"shadow\",reason=\"{reason}\"}}");
    tee.metric(&metric)
}

#[test]
fn the_first_backend_answers_and_the_others_get_copies() {
    let (web, shadow, third) = (named("web"), named("shadow"), named("third"));
    let tee = tee(&[web.address, shadow.address, third.address], &[]);
    let mut client = Client::connect(tee.address());
    let got = client.request("GET", "/a?b=c", "x-user: 1\r\n", b"").unwrap();
    assert_eq!(got.text(), "web");
    let put = client.request("PUT", "/d", "", b"body").unwrap();
    assert_eq!(put.text(), "web");
    for copy in [&shadow, &third] {
        wait_until("both copies came", || copy.received().len() == 2);
        let mut received = copy.received();
        // Copies are sent at once, so one may overtake another.
        received.sort_by(|left, right| left.line.cmp(&right.line));
        assert_eq!(received[0].line, "GET /a?b=c HTTP/1.1");
        assert_eq!(received[0].header("x-user"), Some("1"));
        assert_eq!(received[0].header("host"), Some("test"));
        assert_eq!(received[1].line, "PUT /d HTTP/1.1");
        assert_eq!(received[1].body, b"body");
        for request in received {
            assert_eq!(request.header("x-motif-shadow"), Some("true"));
        }
    }
    for request in web.received() {
        assert_eq!(request.header("x-motif-shadow"), None);
    }
    wait_until("the copies are counted", || outcome(&tee, "2xx") == Some(2.0));
}

#[test]
fn a_body_that_comes_in_pieces_is_copied_whole() {
    let (web, shadow) = (named("web"), named("shadow"));
    let tee = tee(&[web.address, shadow.address], &["--shadow-body=1Mi"]);
    let mut client = Client::connect(tee.address());
    client
        .send("POST /chunks HTTP/1.1\r\nhost: test\r\ntransfer-encoding: chunked\r\n\r\n4\r\nfour\r\n3\r\nten\r\n0\r\n\r\n")
        .unwrap();
    assert_eq!(client.read("POST").unwrap().unwrap().text(), "web");
    let large: Vec<u8> = (0..500_000_u32).map(|place| (place % 251) as u8).collect();
    assert_eq!(
        client.request("POST", "/large", "", &large).unwrap().text(),
        "web"
    );
    wait_until("both copies came", || shadow.received().len() == 2);
    for request in shadow.received() {
        match request.line.as_str() {
            "POST /chunks HTTP/1.1" => assert_eq!(request.body, b"fourten"),
            _ => assert!(request.body == large),
        }
    }
    assert!(web.received()[1].body == large);
}

#[test]
fn a_large_body_is_not_copied() {
    let (web, shadow) = (named("web"), named("shadow"));
    let tee = tee(&[web.address, shadow.address], &["--shadow-body=10"]);
    let mut client = Client::connect(tee.address());
    // By its length, by its pieces, and one that fits.
    assert_eq!(client.request("POST", "/", "", &[b'x'; 11]).unwrap().status, 200);
    client
        .send("POST / HTTP/1.1\r\nhost: test\r\ntransfer-encoding: chunked\r\n\r\n8\r\neight888\r\n3\r\nten\r\n0\r\n\r\n")
        .unwrap();
    assert_eq!(client.read("POST").unwrap().unwrap().status, 200);
    assert_eq!(
        client.request("POST", "/fits", "", &[b'x'; 10]).unwrap().status,
        200
    );
    wait_until("what fits came", || !shadow.received().is_empty());
    wait_until("the others are counted", || dropped(&tee, "body") == Some(2.0));
    assert_eq!(shadow.received().len(), 1);
    assert_eq!(shadow.received()[0].line, "POST /fits HTTP/1.1");
    assert_eq!(web.received()[1].body, b"eight888ten");
}

#[test]
fn a_sample_is_a_sample() {
    let (web, shadow) = (named("web"), named("shadow"));
    let tee = tee(
        &[web.address, shadow.address],
        &["--sample=0.25", "--shadow-queue=4000"],
    );
    let mut client = Client::connect(tee.address());
    for _ in 0..2_000 {
        assert_eq!(client.request("GET", "/", "", b"").unwrap().text(), "web");
    }
    let mut copies = 0;
    wait_until("copies stop to come", || {
        let (before, now) = (copies, shadow.received().len());
        copies = now;
        now >= 403 && before == now && outcome(&tee, "2xx") == Some(f64::from(u32::try_from(now).unwrap()))
    });
    // Five standard deviations of 2000 draws of a quarter are 97.
    assert!((403..=597).contains(&copies), "{copies}");
    assert_eq!(dropped(&tee, "queue"), Some(0.0));
}

#[test]
fn a_shadow_that_hangs_is_not_waited_for() {
    let web = named("web");
    let accepted = Arc::<AtomicUsize>::default();
    let hanging = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = hanging.local_addr().unwrap();
    std::thread::spawn({
        let accepted = Arc::clone(&accepted);
        move || {
            for stream in hanging.incoming() {
                accepted.fetch_add(1, Ordering::SeqCst);
                std::thread::spawn(move || stream.unwrap().read_to_end(&mut Vec::new()));
            }
        }
    });
    let flags = [
        "--shadow-timeout=1h",
        "--shadow-queue=5",
        "--shadow-concurrency=3",
    ];
    let tee = tee(&[web.address, address], &flags);
    let mut client = Client::connect(tee.address());
    for _ in 0..500 {
        assert_eq!(client.request("GET", "/", "", b"").unwrap().text(), "web");
    }
    // Three are worked on for an hour, five wait, and all others were dropped.
    wait_until("three are worked on", || accepted.load(Ordering::SeqCst) == 3);
    // None of the eight ever ends, so every other one has to be dropped.
    wait_until("the rest is dropped", || {
        client.request("GET", "/", "", b"").unwrap();
        let asked = f64::from(u32::try_from(web.received().len()).unwrap());
        dropped(&tee, "queue") == Some(asked - 8.0)
    });
    assert_eq!(accepted.load(Ordering::SeqCst), 3);
    assert_eq!(outcome(&tee, "timeout"), Some(0.0));
    assert_eq!(tee.terminate(), Some(0));
}

#[test]
fn a_shadow_that_is_dead_late_or_broken_is_only_counted() {
    let web = named("web");
    let ask = |tee: &Running| {
        for _ in 0..5 {
            let answer = wire::request(tee.address(), "POST", "/", "", b"order");
            assert_eq!((answer.status, answer.text().as_str()), (200, "web"));
        }
    };
    let dead = tee(&[web.address, wire::free_address()], &[]);
    ask(&dead);
    wait_until("it failed", || outcome(&dead, "failed") == Some(5.0));

    let late = Backend::start(|mut turn| {
        std::thread::sleep(Duration::from_mins(2));
        turn.ok("late");
        true
    });
    let late = tee(&[web.address, late.address], &["--shadow-timeout=20ms"]);
    ask(&late);
    wait_until("it is late", || outcome(&late, "timeout") == Some(5.0));

    let broken = Backend::start(|mut turn| {
        turn.send("HTTP/1.1 what?\r\n\r\n");
        false
    });
    let broken = tee(&[web.address, broken.address], &[]);
    ask(&broken);
    wait_until("it is broken", || outcome(&broken, "failed") == Some(5.0));

    let failing = Backend::start(|mut turn| {
        turn.send("HTTP/1.1 500 No\r\ncontent-length: 2\r\n\r\nno");
        true
    });
    let failing = tee(&[web.address, failing.address], &[]);
    ask(&failing);
    wait_until("it fails", || outcome(&failing, "5xx") == Some(5.0));
}

#[test]
fn an_endless_answer_of_a_shadow_ends() {
    let web = named("web");
    let endless = Backend::start(|mut turn| {
        turn.send("HTTP/1.1 200 OK\r\n\r\n");
        let piece = vec![b'x'; 64 * 1024];
        for _ in 0..1_000 {
            turn.send(&piece);
        }
        false
    });
    let tee = tee(&[web.address, endless.address], &[]);
    assert_eq!(wire::get(tee.address(), "/").text(), "web");
    wait_until("it counts as answered", || outcome(&tee, "2xx") == Some(1.0));
}

#[test]
fn an_upgrade_is_not_copied() {
    let web = Backend::start(|mut turn| {
        turn.send("HTTP/1.1 101 Switching\r\nconnection: upgrade\r\nupgrade: chat\r\n\r\nhello");
        false
    });
    let shadow = named("shadow");
    let tee = tee(&[web.address, shadow.address], &[]);
    let mut client = Client::connect(tee.address());
    client
        .send("GET / HTTP/1.1\r\nhost: test\r\nconnection: upgrade\r\nupgrade: chat\r\n\r\n")
        .unwrap();
    assert_eq!(client.head().unwrap().unwrap().status, 101);
    assert_eq!(client.exactly(5), b"hello");
    wait_until("it is counted", || dropped(&tee, "upgrade") == Some(1.0));
    assert!(shadow.received().is_empty());
}
