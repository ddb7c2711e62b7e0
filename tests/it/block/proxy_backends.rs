//! Whom `proxy` asks: balance, readiness, retries.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use rustix::process::Signal;

use super::running::{Running, wait_until};
use super::wire::{self, Backend, Client};

fn named(name: &'static str) -> Backend {
    Backend::start(move |mut turn| {
        turn.ok(name);
        true
    })
}

/// Reads requests and closes without an answer.
fn closing() -> Backend {
    Backend::start(|_| false)
}

fn ask(address: SocketAddr, times: usize) -> BTreeMap<String, usize> {
    let mut client = Client::connect(address);
    let mut answers = BTreeMap::new();
    for _ in 0..times {
        let answer = client.request("GET", "/", "", b"").unwrap();
        assert_eq!(answer.status, 200);
        *answers.entry(answer.text()).or_default() += 1;
    }
    answers
}

fn counts<const N: usize>(counts: [(&str, usize); N]) -> BTreeMap<String, usize> {
    counts
        .into_iter()
        .map(|(name, count)| (name.to_owned(), count))
        .collect()
}

#[test]
fn each_backend_has_its_turn() {
    let (a, b, c) = (named("a"), named("b"), named("c"));
    let proxy = Running::proxy_unready(&[a.address, b.address, c.address], &[]);
    wait_until("all are ready", || proxy.events("backend ready").len() == 3);
    assert_eq!(ask(proxy.address(), 9), counts([("a", 3), ("b", 3), ("c", 3)]));
}

#[test]
fn a_client_stays_with_its_backend() {
    let (a, b, c) = (named("a"), named("b"), named("c"));
    let proxy = Running::proxy_unready(&[a.address, b.address, c.address], &["--balance=client"]);
    wait_until("all are ready", || proxy.events("backend ready").len() == 3);
    assert_eq!(ask(proxy.address(), 9).len(), 1);
}

#[test]
fn the_one_with_the_fewest_requests_is_asked() {
    let slow = Running::echo(&["--message=slow"]);
    let quick = Running::echo(&["--message=quick"]);
    wire::request(quick.admin(), "POST", "/unready", "", b"");
    let flags = [
        "--balance=least-connections",
        "--check=http/readyz",
        "--check-every=50ms",
    ];
    let proxy = Running::proxy(&[slow.address(), quick.address()], &flags);
    let mut waiting = Client::connect(proxy.address());
    waiting
        .send("GET /?latency=10m HTTP/1.1\r\nhost: a\r\n\r\n")
        .unwrap();
    let busy = format!(
        "motif_backend_in_flight{{listen=\"{}\",backend=\"{}\"}}",
        proxy.address(),
        slow.address()
    );
    wait_until("the slow one is busy", || proxy.metric(&busy) == Some(1.0));
    wire::request(quick.admin(), "POST", "/ready", "", b"");
    wait_until("both are ready", || proxy.events("backend ready").len() == 2);
    for _ in 0..10 {
        assert_eq!(wire::get(proxy.address(), "/").json()["message"], "quick");
    }
}

#[test]
fn one_that_is_not_ready_is_asked_nothing() {
    let ready = Running::echo(&["--message=ready"]);
    let other = Running::echo(&["--message=other"]);
    wire::request(other.admin(), "POST", "/unready", "", b"");
    let flags = [
        "--check=http",
        "--check-path=/readyz",
        "--check-every=50ms",
        "--check-failures=1",
    ];
    let proxy = Running::proxy_unready(&[ready.address(), other.address()], &flags);
    let name = other.address().to_string();
    proxy.wait_for("backend not ready", |event| event["backend"] == name);
    proxy.wait_until_ready();
    let up = format!(
        "motif_backend_up{{listen=\"{}\",backend=\"{name}\"}}",
        proxy.address()
    );
    assert_eq!(proxy.metric(&up), Some(0.0));
    let messages = |count: usize| {
        let answers = (0..count).map(|_| wire::get(proxy.address(), "/").json()["message"].clone());
        answers.filter(|message| message == "other").count()
    };
    assert_eq!(messages(50), 0, "0 of 50");

    wire::request(other.admin(), "POST", "/ready", "", b"");
    proxy.wait_for("backend ready", |event| event["backend"] == name);
    assert_eq!(messages(50), 25);

    for echo in [&ready, &other] {
        wire::request(echo.admin(), "POST", "/unready", "", b"");
    }
    wait_until("none is ready", || {
        wire::get(proxy.admin(), "/readyz").status == 503
    });
    assert_eq!(wire::get(proxy.address(), "/").status, 503);
    assert_eq!(wire::get(proxy.admin(), "/livez").status, 200);
}

#[test]
fn every_check_must_pass() {
    let echo = Running::echo(&[]);
    wire::request(echo.admin(), "POST", "/unready", "", b"");
    let readiness = format!("--check=http:{}/readyz", echo.admin().port());
    let main = format!("--check=tcp:{}", echo.address().port());
    let proxy = Running::proxy_unready(&[echo.address()], &[&main, &readiness, "--check-every=50ms"]);
    let event = proxy.wait_for("backend not ready", |_| true);
    let reason = event["reason"].as_str().unwrap();
    assert!(
        reason.ends_with("/readyz: 503 Service Unavailable: told to be unready"),
        "{reason}"
    );
    wire::request(echo.admin(), "POST", "/ready", "", b"");
    proxy.wait_until_ready();
}

#[test]
fn each_listener_has_its_backends() {
    let (a, b) = (named("a"), named("b"));
    let forwards = [a.address, b.address].map(|address| format!("--forward=127.0.0.1:0={address}"));
    let proxy = Running::start(&["proxy", "--admin=127.0.0.1:0", &forwards[0], &forwards[1]], &[]);
    proxy.wait_until_ready();
    let answers: Vec<_> = proxy
        .addresses()
        .iter()
        .map(|address| wire::get(*address, "/").text())
        .collect();
    assert_eq!(answers, ["a", "b"]);
}

#[test]
fn the_proxy_is_ready_when_every_listener_has_a_backend() {
    let a = named("a");
    let good = format!("--forward=127.0.0.1:0={}", a.address);
    let bad = format!("--forward=127.0.0.1:0={}", wire::free_address());
    let proxy = Running::start(&["proxy", "--admin=127.0.0.1:0", &good, &bad], &[]);
    proxy.wait_for("backend ready", |_| true);
    proxy.wait_for("backend not ready", |_| true);
    let answer = wire::get(proxy.admin(), "/readyz");
    assert_eq!(answer.status, 503);
    assert!(answer.text().contains("is ready"), "{}", answer.text());
}

#[test]
fn the_environment_sets_what_flags_set() {
    let (a, b) = (named("a"), named("b"));
    let forward = format!("127.0.0.1:0={};127.0.0.1:0={}", a.address, b.address);
    let environment = [
        ("MOTIF_FORWARD", forward.as_str()),
        ("MOTIF_ADMIN", "127.0.0.1:0"),
        ("MOTIF_CHECK", "none"),
    ];
    let proxy = Running::start(&["proxy"], &environment);
    proxy.wait_until_ready();
    assert_eq!(wire::get(proxy.addresses()[1], "/").text(), "b");
}

#[test]
fn a_name_is_looked_up() {
    let a = named("a");
    let upstream = format!("--upstream=localhost:{}", a.address.port());
    let proxy = Running::start(
        &["proxy", "--listen=127.0.0.1:0", "--admin=127.0.0.1:0", &upstream],
        &[],
    );
    proxy.wait_until_ready();
    assert_eq!(wire::get(proxy.address(), "/").text(), "a");

    let proxy = Running::start(
        &[
            "proxy",
            "--listen=127.0.0.1:0",
            "--admin=127.0.0.1:0",
            "--upstream=nobody.invalid:80",
        ],
        &[],
    );
    proxy.wait_for("name not resolved", |_| true);
    assert_eq!(wire::get(proxy.address(), "/").status, 503);
}

#[test]
fn an_idempotent_request_is_sent_to_another_backend() {
    let (broken, good) = (closing(), named("good"));
    let proxy = Running::proxy_unready(&[broken.address, good.address], &[]);
    wait_until("all are ready", || proxy.events("backend ready").len() == 2);
    for method in ["GET", "HEAD", "OPTIONS", "TRACE", "DELETE"] {
        for _ in 0..2 {
            assert_eq!(
                wire::request(proxy.address(), method, "/", "", b"").status,
                200,
                "{method}"
            );
        }
    }
    for _ in 0..2 {
        assert_eq!(
            wire::request(proxy.address(), "PUT", "/", "", b"small").status,
            200
        );
    }
    let received = broken.received();
    assert_eq!(received.len(), 6, "each was sent to it once: {received:?}");
    assert_eq!(good.received().len(), 12);
    assert_eq!(received.last().unwrap().body, b"small");
    assert_eq!(
        good.received().last().unwrap().body,
        b"small",
        "sent again as it was"
    );
    assert_eq!(proxy.metric("motif_retries_total"), Some(6.0));
}

#[test]
fn what_may_have_been_done_is_not_done_again() {
    let (broken, other) = (closing(), closing());
    let proxy = Running::proxy_unready(&[broken.address, other.address], &[]);
    wait_until("all are ready", || proxy.events("backend ready").len() == 2);
    let seen = || broken.received().len() + other.received().len();
    for (count, method) in ["POST", "PATCH", "POST"].into_iter().enumerate() {
        assert_eq!(
            wire::request(proxy.address(), method, "/", "", b"").status,
            502,
            "{method}"
        );
        assert_eq!(seen(), count + 1, "{method} was sent once");
    }
    // A body too large to be kept can't be sent again, even where the method allows it.
    assert_eq!(
        wire::request(proxy.address(), "PUT", "/", "", &vec![b'x'; 100_000]).status,
        502
    );
    assert_eq!(seen(), 4);
}

#[test]
fn what_was_not_sent_may_be_sent_by_any_method() {
    let good = named("good");
    let proxy = Running::proxy(&[wire::free_address(), good.address], &["--check=none"]);
    for _ in 0..6 {
        assert_eq!(
            wire::request(proxy.address(), "POST", "/", "", &vec![b'x'; 100_000]).text(),
            "good"
        );
    }
    assert_eq!(good.received().len(), 6);
    // The one that could not be reached is avoided from then on.
    assert_eq!(proxy.metric("motif_retries_total"), Some(1.0));
}

#[test]
fn a_kept_connection_that_the_backend_closed_costs_nothing() {
    let answered = Arc::new(AtomicUsize::new(0));
    let backend = Backend::start({
        let answered = Arc::clone(&answered);
        move |mut turn| {
            turn.ok("");
            // Says that it keeps the connection, and closes it.
            answered.fetch_add(1, Ordering::Relaxed) % 2 == 1
        }
    });
    let proxy = Running::proxy(&[backend.address], &["--retries=0"]);
    let mut client = Client::connect(proxy.address());
    for method in ["GET", "PUT", "GET", "DELETE", "GET", "GET"] {
        assert_eq!(
            client.request(method, "/", "", b"").unwrap().status,
            200,
            "{method}"
        );
    }
    assert_eq!(backend.received().len(), 6);
}

#[test]
fn killing_a_backend_loses_no_get() {
    let echoes = [
        Running::echo(&["--access-log=false"]),
        Running::echo(&["--access-log=false"]),
    ];
    let proxy = Running::proxy_unready(
        &[echoes[0].address(), echoes[1].address()],
        &["--check-every=100ms", "--access-log=false"],
    );
    wait_until("all are ready", || proxy.events("backend ready").len() == 2);
    let (address, stop) = (proxy.address(), Arc::new(AtomicBool::new(false)));
    let answered = Arc::new(AtomicUsize::new(0));
    let clients: Vec<_> = (0..8)
        .map(|_| {
            let (stop, answered) = (Arc::clone(&stop), Arc::clone(&answered));
            std::thread::spawn(move || {
                let mut client = Client::connect(address);
                let mut failures = Vec::new();
                while !stop.load(Ordering::Relaxed) {
                    match client.request("GET", "/?latency=2ms", "", b"") {
                        Ok(answer) if answer.status == 200 => {
                            answered.fetch_add(1, Ordering::Relaxed);
                        }
                        other => failures.push(format!("{other:?}")),
                    }
                }
                failures
            })
        })
        .collect();
    wait_until("they are at work", || answered.load(Ordering::Relaxed) > 100);
    echoes[0].signal(Signal::KILL);
    let after = answered.load(Ordering::Relaxed) + 300;
    wait_until("they go on", || answered.load(Ordering::Relaxed) > after);
    stop.store(true, Ordering::Relaxed);
    for client in clients {
        assert_eq!(client.join().unwrap(), Vec::<String>::new());
    }
}
