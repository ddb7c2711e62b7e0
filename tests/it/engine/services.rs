//! A service reaches the ready replicas of its pod, and says what stands in its way.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use super::stack::{TestStack, docker, eventually};
use crate::motif::engine_is_wanted;

/// Asks over plain HTTP; the whole answer, if one came.
pub fn try_get(address: &str, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(10))).ok()?;
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n"
    )
    .ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    answer.starts_with("HTTP/1.1 200").then_some(answer)
}

#[track_caller]
pub fn get(address: &str, path: &str) -> String {
    try_get(address, path).unwrap_or_else(|| panic!("{address}{path} gave no 200"))
}

const SERVICE: &str = "
pods:
  web:
    replicas: 2
    grace: 3s
    containers:
      app:
        block: http-echo
        ports: { http: 8080 }
        ready: { http: /readyz, port: http, every: 1s }
services:
  web: { pod: web, ports: { http: { port: 80, target: http } }, publish: { http: 0 } }
";

fn hosts(address: &str) -> Vec<String> {
    let answers = (0..10).filter_map(|_| try_get(address, "/"));
    let host = |answer: String| {
        let line = answer
            .lines()
            .find(|line| line.contains("\"host\": \"web-"))
            .map(str::to_owned);
        line.unwrap_or_else(|| panic!("{answer}")).trim().to_owned()
    };
    let mut hosts: Vec<String> = answers.map(host).collect();
    hosts.sort();
    hosts.dedup();
    hosts
}

#[test]
fn several_replicas_stand_behind_one_address() {
    if !engine_is_wanted() {
        return;
    }
    let stack = TestStack::new(SERVICE);
    let up = stack.up();
    let address = up
        .stdout
        .trim()
        .strip_prefix("http://")
        .unwrap_or_else(|| panic!("{up}"));
    eventually("both replicas answer", || hosts(address).len() == 2);
    assert_eq!(stack.objects(), "STACK\nSTACK-web\nSTACK-web-0\nSTACK-web-1");

    let scaled = stack.run(&["up", "-d", "--wait", "--scale", "web=1"]).success();
    let address = scaled
        .stdout
        .trim()
        .strip_prefix("http://")
        .unwrap_or_else(|| panic!("{scaled}"));
    assert_eq!(stack.objects(), "STACK\nSTACK-web\nSTACK-web-0");
    eventually("one replica answers", || hosts(address).len() == 1);
}

#[test]
fn names_of_services_and_replicas_resolve_in_the_stack() {
    if !engine_is_wanted() {
        return;
    }
    let stack = TestStack::new(
        "
pods:
  cache:
    replicas: 2
    stable: true
    containers:
      app: { block: http-echo, ports: { http: 8080 } }
  one:
    containers:
      app: { block: http-echo, ports: { http: 8080 } }
  client:
    grace: 0s
    containers:
      app: { image: 'debian:bookworm-slim', user: 65532, command: [sleep, '1000'] }
services:
  cache: { pod: cache, headless: true, ports: { http: 8080 } }
  one: { pod: one, ports: { http: 8080 } }
",
    );
    stack.up();
    let client = format!("{}-client-0", stack.name);
    let addresses = |name: &str| {
        let text = docker(&["exec", &client, "getent", "ahostsv4", name]);
        let mut found: Vec<String> = text
            .lines()
            .filter_map(|line| line.split(' ').next())
            .map(str::to_owned)
            .collect();
        found.sort();
        found.dedup();
        found
    };
    let address_of = |name: &str| {
        let networks = &stack.inspect(name)["NetworkSettings"]["Networks"];
        networks[&stack.name]["IPAddress"].as_str().unwrap().to_owned()
    };
    assert_eq!(addresses("cache-0.cache"), [address_of("cache-0")]);
    assert_eq!(addresses("cache-1.cache"), [address_of("cache-1")]);
    assert_eq!(addresses("cache").len(), 2);
    assert_eq!(addresses("one"), [address_of("one-0")]);
}

#[test]
fn a_port_that_a_program_has_is_found_before_anything_is_made() {
    if !engine_is_wanted() {
        return;
    }
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let stack = TestStack::new(&SERVICE.replace("http: 0 }", &format!("http: {port} }}")));
    let up = stack.run(&["up", "-d"]).code(1);
    assert!(
        up.stderr
            .contains(&format!("port {port} of 127.0.0.1 is taken by `")),
        "{up}"
    );
    assert!(
        up.stderr.contains(&format!("(process {})", std::process::id())),
        "{up}"
    );
    assert_eq!(stack.objects(), "");
}

#[test]
fn a_port_that_another_stack_has_is_found_and_its_container_named() {
    if !engine_is_wanted() {
        return;
    }
    let free = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let text = SERVICE.replace("http: 0 }", &format!("http: {free} }}"));
    let first = TestStack::new(&text);
    first.up();
    let second = TestStack::new(&text);
    let up = second.run(&["up", "-d"]).code(1);
    let wanted = format!(
        "port {free} of 127.0.0.1 is taken by container `{}-web`",
        first.name
    );
    assert!(up.stderr.contains(&wanted), "{up}");
    assert_eq!(second.objects(), "");
}

#[test]
fn a_container_of_somebody_else_is_never_touched() {
    if !engine_is_wanted() {
        return;
    }
    let stack = TestStack::new(SERVICE);
    let name = format!("{}-web-1", stack.name);
    let id = docker(&["create", "--name", &name, "debian:bookworm-slim", "true"]);
    let up = stack.run(&["up", "-d"]);
    let down = stack.run(&["down", "--volumes"]);
    let after = docker(&["container", "inspect", "--format", "{{.Id}}", &name]);
    docker(&["rm", &name]);
    assert_eq!(id, after);
    assert!(
        up.stderr
            .contains(&format!("container `{name}` exists and is not motif's")),
        "{up}"
    );
    up.code(1);
    down.success();
    assert_eq!(stack.objects(), "");
}
