//! How `proxy` ends.

use std::io::ErrorKind;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustix::process::Signal;

use super::running::{Running, wait_until};
use super::wire::{self, Client};

#[test]
fn ending_under_load_loses_nothing() {
    let echo = Running::echo(&["--access-log=false"]);
    let mut proxy = Running::proxy(&[echo.address()], &["--access-log=false"]);
    let address = proxy.address();
    let answered = Arc::new(AtomicUsize::new(0));
    let clients: Vec<_> = (0..16)
        .map(|_| {
            let answered = Arc::clone(&answered);
            std::thread::spawn(move || {
                loop {
                    // A connection that is refused was never served: the proxy has stopped to accept.
                    let Ok(mut client) = Client::try_connect(address) else {
                        return;
                    };
                    let mut first = true;
                    loop {
                        match client.request("GET", "/?latency=5ms", "", b"") {
                            Ok(answer) => {
                                assert_eq!(answer.status, 200);
                                answered.fetch_add(1, Ordering::Relaxed);
                                if answer.header("connection") == Some("close") {
                                    break;
                                }
                            }
                            // Made by the kernel, never accepted.
                            Err(error) if first && error.kind() == ErrorKind::ConnectionReset => return,
                            Err(error) => panic!("lost: {error}"),
                        }
                        first = false;
                    }
                }
            })
        })
        .collect();
    wait_until("they are at work", || answered.load(Ordering::Relaxed) > 200);
    proxy.signal(Signal::TERM);
    for client in clients {
        client.join().unwrap();
    }
    assert_eq!(proxy.wait(), Some(0));
    proxy.wait_for("stopped", |_| true);
}

#[test]
fn what_is_in_flight_ends_and_nothing_new_begins() {
    let echo = Running::echo(&[]);
    let mut proxy = Running::proxy(&[echo.address()], &[]);
    let in_flight = format!(
        "motif_backend_in_flight{{listen=\"{}\",backend=\"{}\"}}",
        proxy.address(),
        echo.address()
    );
    let mut client = Client::connect(proxy.address());
    client
        .send("GET /?latency=1s HTTP/1.1\r\nhost: a\r\n\r\n")
        .unwrap();
    wait_until("it is in flight", || proxy.metric(&in_flight) == Some(1.0));
    proxy.signal(Signal::TERM);
    proxy.wait_for("draining", |event| event["signal"] == "SIGTERM");
    let ready = wire::get(proxy.admin(), "/readyz");
    assert_eq!((ready.status, ready.text().as_str()), (503, "draining\n"));
    wait_until("nobody accepts", || TcpStream::connect(proxy.address()).is_err());
    let answer = client.read("GET").unwrap().unwrap();
    assert_eq!((answer.status, answer.header("connection")), (200, Some("close")));
    assert_eq!(proxy.wait(), Some(0));
}

#[test]
fn what_does_not_end_in_time_is_cut_off() {
    let echo = Running::echo(&[]);
    let mut proxy = Running::proxy(&[echo.address()], &["--drain=100ms"]);
    let mut client = Client::connect(proxy.address());
    client
        .send("GET /?latency=10m HTTP/1.1\r\nhost: a\r\n\r\n")
        .unwrap();
    let in_flight = format!(
        "motif_backend_in_flight{{listen=\"{}\",backend=\"{}\"}}",
        proxy.address(),
        echo.address()
    );
    wait_until("it is in flight", || proxy.metric(&in_flight) == Some(1.0));
    proxy.signal(Signal::INT);
    assert_eq!(proxy.wait(), Some(0));
    assert_eq!(client.rest(), b"");
}

#[test]
fn an_idle_proxy_ends_at_once() {
    let echo = Running::echo(&[]);
    let proxy = Running::proxy(&[echo.address()], &["--drain=1h"]);
    let mut idle = Client::connect(proxy.address());
    assert_eq!(idle.request("GET", "/", "", b"").unwrap().status, 200);
    assert_eq!(proxy.terminate(), Some(0));
    assert_eq!(idle.rest(), b"");
}
