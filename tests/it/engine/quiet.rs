//! What is right already costs no change on the engine: counted at its socket.

use super::stack::TestStack;
use crate::motif::engine_is_wanted;
use crate::watched_engine::WatchedEngine;

#[test]
fn up_with_nothing_to_do_changes_nothing() {
    if !engine_is_wanted() {
        return;
    }
    let engine = WatchedEngine::new();
    let mut stack = TestStack::new(
        "
pods:
  web:
    grace: 0s
    replicas: 2
    containers:
      app:
        image: debian:bookworm-slim
        user: 65532
        command: [sleep, '1000']
        ready: { exec: ['true'], every: 1s }
        env: { TOKEN: { secret: db, key: password } }
        mounts: { db: /db, conf: /conf, scratch: /scratch, data: /data }
      side: { block: http-echo, role: sidecar, ports: { http: 8080 } }
    volumes:
      db: { secret: db }
      conf: { config: { a: b } }
      scratch: empty
      data: { claim: 1Gi }
services:
  web: { pod: web, ports: { http: 8080 }, publish: { http: 0 } }
secrets:
  db: { files: { password: secrets/password } }
",
    );
    stack.env("DOCKER_HOST", &engine.address());
    stack.workspace.write("secrets/password", "x");
    let first = stack.run(&["up", "-d", "--wait"]).success();
    assert!(!engine.changes().is_empty());
    engine.forget();
    let second = stack.run(&["up", "-d"]).success();
    assert_eq!(engine.changes(), Vec::<String>::new(), "{second}");
    // The address that the engine chose is the same and is said again.
    assert_eq!(first.stdout, second.stdout);
    assert!(second.stdout.starts_with("http://127.0.0.1:"), "{second}");
    // A ping, three lists, two images, the binary's volume, a look into the secret's volume and at the
    // two containers with secret variables, and the chosen port: none of it once per container.
    let asked = engine.forget();
    assert!(asked.len() <= 12, "{asked:#?}");
}

#[test]
fn a_dry_run_changes_nothing() {
    if !engine_is_wanted() {
        return;
    }
    let engine = WatchedEngine::new();
    let mut stack = TestStack::new(
        "
pods:
  web:
    containers:
      app: { build: app, mounts: { certs: /certs } }
    volumes: { certs: { secret: tls } }
secrets:
  tls: { certificate: [localhost] }
",
    );
    stack.env("DOCKER_HOST", &engine.address());
    stack
        .workspace
        .write("app/Dockerfile", "FROM debian:bookworm-slim\nUSER 65532\n");
    let plan = stack.run(&["up", "--dry-run"]).success();
    assert!(plan.stdout.contains("+ create container"), "{plan}");
    assert_eq!(engine.changes(), Vec::<String>::new());
    assert!(!stack.workspace.path().join(".motif").exists());
}
