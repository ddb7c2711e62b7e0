//! What a user reads when the engine can't be reached, or fails.

use super::fake_engine::{FakeEngine, PING, Reply};
use crate::motif::{Output, Workspace};

/// Runs `motif ps -p shop`, with the temporary folder left out of what it said.
fn ps(address: &str) -> Output {
    let mut output = Workspace::new()
        .env("DOCKER_HOST", address)
        .run(&["ps", "-p", "shop"]);
    output.stderr = output.stderr.replace(address, "ADDRESS");
    output
}

#[test]
fn an_engine_that_is_not_there() {
    insta::assert_snapshot!(ps("unix:///nonexistent/docker.sock"), @r"
    ------- stderr -------
    error: no Docker engine answers at `ADDRESS` (from `DOCKER_HOST`)
      caused by: there is no such socket
    hint: check the address, start the engine there, or leave it out to use `unix:///var/run/docker.sock`
    [exit status: 1]
    ");
}

#[test]
fn a_socket_that_nobody_listens_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("docker.sock");
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    insta::assert_snapshot!(ps(&format!("unix://{}", path.display())), @r"
    ------- stderr -------
    error: no Docker engine answers at `ADDRESS` (from `DOCKER_HOST`)
      caused by: Connection refused (os error 111)
    hint: check the address, start the engine there, or leave it out to use `unix:///var/run/docker.sock`
    [exit status: 1]
    ");
}

#[test]
fn a_context_is_followed_and_named() {
    let workspace = Workspace::new()
        .env("DOCKER_HOST", "")
        .file(".docker/config.json", r#"{ "currentContext": "far" }"#);
    insta::assert_snapshot!(workspace.run(&["ps", "-p", "shop"]), @r"
    ------- stderr -------
    error: no Docker context `far` (context `far`, from `docker context use`)
    hint: there is none but `default`; `docker context create` makes one
    [exit status: 1]
    ");
    let output = workspace.run(&["ps", "-p", "shop", "--host", "unix:///nonexistent.sock"]);
    insta::assert_snapshot!(output, @r"
    ------- stderr -------
    error: no Docker engine answers at `unix:///nonexistent.sock` (from `--host`)
      caused by: there is no such socket
    hint: check the address, start the engine there, or leave it out to use `unix:///var/run/docker.sock`
    [exit status: 1]
    ");
}

#[test]
fn an_engine_that_fails_to_answer_a_ping() {
    let engine = FakeEngine::new(&[(
        "GET /_ping",
        Reply::Bytes("HTTP/1.1 500 x\r\nConnection: close\r\n\r\n{\"message\":\"starting, be patient\"}"),
    )]);
    insta::assert_snapshot!(ps(&engine.address()), @r"
    ------- stderr -------
    error: what answers at `ADDRESS` (from `DOCKER_HOST`) is no working Docker engine: 500 Internal Server Error: starting, be patient
    hint: check that the address is a Docker engine's: `curl --unix-socket SOCKET http://docker/_ping` says `OK`
    [exit status: 1]
    ");
}

#[test]
fn something_that_is_no_engine() {
    let engine = FakeEngine::new(&[("GET /_ping", Reply::Bytes("220 mail ready\r\n"))]);
    insta::assert_snapshot!(ps(&engine.address()), @r"
    ------- stderr -------
    error: what answers at `ADDRESS` (from `DOCKER_HOST`) is no working Docker engine: invalid HTTP version parsed
    hint: check that the address is a Docker engine's: `curl --unix-socket SOCKET http://docker/_ping` says `OK`
    [exit status: 1]
    ");
}

#[test]
fn an_engine_that_hangs() {
    let engine = FakeEngine::new(&[("GET /_ping", Reply::Nothing)]);
    insta::assert_snapshot!(ps(&engine.address()), @r"
    ------- stderr -------
    error: the Docker engine at `ADDRESS` (from `DOCKER_HOST`) accepts connections, but did not answer within 5 s
    hint: see what the engine does: `journalctl -u docker`, or restart it
    [exit status: 1]
    ");
}

#[test]
fn an_engine_that_fails_a_call() {
    let engine = FakeEngine::new(&[
        PING,
        (
            "GET /containers/json",
            Reply::Bytes("HTTP/1.1 500 x\r\nConnection: close\r\n\r\n{\"message\":\"disk is broken\"}"),
        ),
    ]);
    insta::assert_snapshot!(ps(&engine.address()), @r"
    ------- stderr -------
    error: failed to list containers
      caused by: disk is broken
    [exit status: 1]
    ");
}

#[test]
fn an_answer_that_breaks_off() {
    let engine = FakeEngine::new(&[
        PING,
        (
            "GET /containers/json",
            Reply::Bytes("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n[{\"Id\""),
        ),
    ]);
    insta::assert_snapshot!(ps(&engine.address()), @r"
    ------- stderr -------
    error: failed to list containers
      caused by: error reading a body from connection
      caused by: end of file before message length reached
    [exit status: 1]
    ");
}

/// A container of the stack `shop` as the engine lists it.
const LISTED: (&str, Reply) = (
    "GET /containers/json",
    Reply::Bytes(
        "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n[{\"Id\":\"1\",\"Names\":[\"/shop-web-0\"],\"State\":\"running\",\"Labels\":{\"dev.motif.stack\":\"shop\",\"dev.motif.pod\":\"web\",\"dev.motif.replica\":\"0\",\"dev.motif.container\":\"app\",\"dev.motif.role\":\"main\",\"dev.motif.position\":\"0\"}}]",
    ),
);

#[test]
fn a_log_that_breaks_off_is_an_error_after_what_there_was() {
    let engine = FakeEngine::new(&[
        PING,
        LISTED,
        // A whole frame, then the start of another one in a chunk that never ends.
        (
            "GET /containers/1/logs",
            Reply::Bytes(
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n30\r\n\u{1}\0\0\0\0\0\0(2026-01-02T03:04:05.000000006Z one line\n\r\n8\r\n\u{1}\0",
            ),
        ),
    ]);
    let output = Workspace::new()
        .env("DOCKER_HOST", &engine.address())
        .run(&["logs", "-p", "shop"]);
    insta::assert_snapshot!(output, @r"
    web-0/app | one line
    ------- stderr -------
    error: failed to read the log of `web-0/app`
      caused by: error reading a body from connection
    [exit status: 1]
    ");
}

#[test]
fn a_build_that_breaks_off_is_an_error() {
    let engine = FakeEngine::new(&[
        PING,
        (
            "GET /images/debian:bookworm-slim/json",
            Reply::Bytes("HTTP/1.1 404 x\r\nConnection: close\r\n\r\n{\"message\":\"no\"}"),
        ),
        ("GET /images/motif/block", Reply::Nothing),
        (
            "GET /containers/json",
            Reply::Bytes("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n[]"),
        ),
        (
            "GET /networks",
            Reply::Bytes("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n[]"),
        ),
        (
            "GET /volumes",
            Reply::Bytes("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{}"),
        ),
        (
            "POST /build",
            Reply::Bytes(
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n34\r\n{\"stream\":\"Step 1/1 : FROM debian:bookworm-slim\\n\"}\n\r\n40\r\n{\"str",
            ),
        ),
    ]);
    let workspace = Workspace::new()
        .env("DOCKER_HOST", &engine.address())
        .file(
            "stack.yaml",
            "stack: shop\npods: { web: { containers: { app: { build: app } } } }\n",
        )
        .file("app/Dockerfile", "FROM debian:bookworm-slim\n");
    let output = workspace.run(&["up", "-d", "--quiet", "--builder=classic"]);
    insta::assert_snapshot!(output, @r"
    ------- stderr -------
    error: failed to build `app/Dockerfile` for `web/app`
      caused by: app/Dockerfile:1: `FROM debian:bookworm-slim` failed: the engine's answer broke off: error reading a body from connection
    [exit status: 1]
    ");
}
