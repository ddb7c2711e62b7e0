//! `proxy --mode=tcp`: bytes.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};

use super::running::{PATIENCE, Running, wait_until};
use super::wire;

/// A server that does the same with every connection.
fn serve(each: impl Fn(TcpStream) + Send + Sync + Clone + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let each = each.clone();
            std::thread::spawn(move || each(stream.unwrap()));
        }
    });
    address
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

#[test]
fn a_side_that_ends_can_still_be_answered() {
    let reversing = serve(|mut stream| {
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).unwrap();
        bytes.reverse();
        let _ = stream.write_all(&bytes);
    });
    let proxy = Running::proxy(&[reversing], &["--mode=tcp"]);
    let sent: Vec<u8> = (0..10_000_000_u32).map(|place| (place % 253) as u8).collect();
    let mut client = connect(proxy.address());
    client.write_all(&sent).unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    let mut received = Vec::new();
    client.read_to_end(&mut received).unwrap();
    received.reverse();
    assert!(received == sent);
    let line = proxy.wait_for("connection", |event| event["received"] == sent.len());
    assert_eq!(line["sent"], sent.len());
}

#[test]
fn a_server_that_speaks_first_and_ends_first_is_heard() {
    let greeting = serve(|mut stream| {
        stream.write_all(b"220 ready\r\n").unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).unwrap();
        assert_eq!(bytes, b"late");
    });
    let proxy = Running::proxy(&[greeting], &["--mode=tcp"]);
    let mut client = connect(proxy.address());
    let mut received = Vec::new();
    client.read_to_end(&mut received).unwrap();
    assert_eq!(received, b"220 ready\r\n");
    client.write_all(b"late").unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    proxy.wait_for("connection", |event| {
        event["received"] == 4 && event["sent"] == 11
    });
}

#[test]
fn a_connection_goes_to_one_that_answers() {
    let naming = serve(|mut stream| {
        let _ = stream.write_all(b"here");
    });
    let proxy = Running::proxy(&[wire::free_address(), naming], &["--mode=tcp", "--check=none"]);
    for _ in 0..6 {
        let mut received = Vec::new();
        connect(proxy.address()).read_to_end(&mut received).unwrap();
        assert_eq!(received, b"here");
    }
}

#[test]
fn without_a_ready_backend_a_connection_ends() {
    let proxy = Running::proxy_unready(&[wire::free_address()], &["--mode=tcp"]);
    let mut received = Vec::new();
    let _ = connect(proxy.address()).read_to_end(&mut received);
    assert_eq!(received, b"");
    proxy.wait_for("no backend", |_| true);
}

#[test]
fn a_checked_port_may_be_another_one() {
    let echo = Running::echo(&[]);
    wire::request(echo.admin(), "POST", "/unready", "", b"");
    let check = format!("--check=http:{}/readyz", echo.admin().port());
    let proxy = Running::proxy_unready(&[echo.address()], &["--mode=tcp", &check, "--check-every=50ms"]);
    proxy.wait_for("backend not ready", |_| true);
    wire::request(echo.admin(), "POST", "/ready", "", b"");
    proxy.wait_until_ready();
    assert_eq!(wire::get(proxy.address(), "/").status, 200);
}

#[test]
fn an_idle_tunnel_ends_where_told_so() {
    let silent = serve(|mut stream| {
        let _ = stream.read_to_end(&mut Vec::new());
    });
    let proxy = Running::proxy(&[silent], &["--mode=tcp", "--tunnel-timeout=200ms"]);
    let mut received = Vec::new();
    connect(proxy.address()).read_to_end(&mut received).unwrap();
    assert_eq!(received, b"");
    wait_until("it is gone", || proxy.metric("motif_connections") == Some(0.0));
}
