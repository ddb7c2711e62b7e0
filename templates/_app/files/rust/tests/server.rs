use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use service::config::Config;
use service::log::{json_string, timestamp};
use service::server::Service;

fn serve() -> (Arc<Service>, SocketAddr) {
    let config = Config {
        host: "127.0.0.1".to_owned(),
        port: 0,
        greeting: "Hi".to_owned(),
        shutdown_grace: Duration::from_secs(5),
    };
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let service = Service::new(config);
    let accepting = Arc::clone(&service);
    thread::spawn(move || accepting.serve(&listener));
    (service, address)
}

fn fetch(address: SocketAddr, method: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "{method} {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n").unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).unwrap();
    response
}

#[test]
fn greets() {
    let (_, address) = serve();
    let response = fetch(address, "GET", "/?from=test");
    assert!(response.starts_with("HTTP/1.1 200 OK\r\n"), "{response}");
    assert!(response.contains("\"greeting\":\"Hi\""), "{response}");
}

#[test]
fn is_live_and_ready() {
    let (_, address) = serve();
    assert!(fetch(address, "GET", "/livez").ends_with("\r\n\r\nok\n"));
    assert!(fetch(address, "GET", "/readyz").starts_with("HTTP/1.1 200 "));
}

#[test]
fn head_has_no_body() {
    let (_, address) = serve();
    assert!(fetch(address, "HEAD", "/livez").ends_with("\r\n\r\n"));
}

#[test]
fn does_not_know_other_pages_and_methods() {
    let (_, address) = serve();
    assert!(fetch(address, "GET", "/nothing").starts_with("HTTP/1.1 404 "));
    assert!(fetch(address, "DELETE", "/").starts_with("HTTP/1.1 405 "));
}

#[test]
fn serves_several_requests_on_one_connection() {
    let (_, address) = serve();
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET /livez HTTP/1.1\r\n\r\nGET /readyz HTTP/1.1\r\nConnection: close\r\n\r\n").unwrap();
    let mut responses = String::new();
    stream.read_to_string(&mut responses).unwrap();
    assert_eq!(responses.matches("HTTP/1.1 200 OK").count(), 2, "{responses}");
}

#[test]
fn drain_waits_for_the_request_under_way() {
    let (service, address) = serve();
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET / HTTP/1.1\r\n").unwrap();
    while service.requests_under_way() == 0 {
        thread::yield_now();
    }
    let draining = Arc::clone(&service);
    let drain = thread::spawn(move || (draining.drain(address), draining.requests_under_way()));
    while !service.answer("GET", "/readyz").status.starts_with("503") {
        thread::yield_now();
    }
    write!(stream, "\r\n").unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).unwrap();
    assert!(response.contains("\"greeting\":\"Hi\""), "{response}");
    assert_eq!(drain.join().unwrap(), (true, 0));
}

#[test]
fn logs_are_json_in_utc() {
    assert_eq!(json_string("a\"b\\c\nd"), r#""a\"b\\c\u000ad""#);
    assert_eq!(timestamp(0, 0), "1970-01-01T00:00:00.000Z");
    assert_eq!(timestamp(951_782_400, 7), "2000-02-29T00:00:00.007Z");
    assert_eq!(timestamp(1_735_689_599, 999), "2024-12-31T23:59:59.999Z");
}
