//! Pods and jobs that come after others start when those are ready or done, and stop before them.

use super::stack::{TestStack, docker};
use crate::motif::engine_is_wanted;

const STACK: &str = "
pods:
  web:
    grace: 0s
    after: { api: ready, migrate: done }
    containers:
      app: { block: http-echo, ports: { http: 8080 } }
  api:
    grace: 0s
    after: { db: ready }
    replicas: 2
    containers:
      app:
        block: http-echo
        args: { startup-delay: 1500ms }
        ports: { http: 8080, admin: 9900 }
        ready: { http: /readyz, port: admin, every: 1s }
  db:
    grace: 0s
    containers:
      app: { block: http-echo, ports: { http: 8080 } }
services:
  api: { pod: api, ports: { http: 80 } }
jobs:
  migrate:
    after: { db: ready }
    containers:
      app: { image: 'debian:bookworm-slim', user: 65532, command: [sleep, '1'] }
";

fn moment(stack: &TestStack, container: &str, which: &str) -> String {
    stack.inspect(container)["State"][which]
        .as_str()
        .unwrap()
        .to_owned()
}

#[test]
fn what_comes_after_waits_also_when_detached() {
    if !engine_is_wanted() {
        return;
    }
    let stack = TestStack::new(&STACK.replace("{ http: 80 }", "{ http: { port: 80, target: http } }"));
    let plan = stack.run(&["up", "--dry-run"]).success().stdout;
    for wait in [
        ". wait pod web-0: until api is ready",
        ". wait pod web-0: until migrate is done",
        ". wait pod api-1: until db is ready",
        ". wait job migrate: until db is ready",
    ] {
        assert!(plan.contains(wait), "{wait}: {plan}");
    }
    stack.run(&["up", "-d"]).success();
    let started = |name: &str| moment(&stack, name, "StartedAt");
    let migrated = moment(&stack, "migrate-0", "FinishedAt");
    assert_eq!(stack.inspect("migrate-0")["State"]["ExitCode"], 0);
    assert!(started("db-0") < started("api-0"));
    assert!(migrated < started("web-0"));
    // Both replicas, and the service in front of them.
    for name in ["api-0", "api-1", "api"] {
        let health = stack.inspect(name);
        let passed = health["State"]["Health"]["Status"].as_str().unwrap().to_owned();
        assert!(started(name) < started("web-0"), "{name} {passed}");
    }
    let again = stack.run(&["up", "-d"]).success();
    assert!(again.stderr.contains("is up to date"), "{again}");
    // What runs already waits for nobody.
    stack.run(&["down"]).success();
}

#[test]
fn what_comes_after_stops_first() {
    if !engine_is_wanted() {
        return;
    }
    let stack = TestStack::new(&STACK.replace("{ http: 80 }", "{ http: { port: 80, target: http } }"));
    stack.up();
    let plan = stack.run(&["down", "--dry-run"]).success().stdout;
    let place = |name: &str| {
        let line = format!("- remove container {}-{name}", stack.name);
        plan.lines()
            .position(|found| found == line)
            .unwrap_or_else(|| panic!("{name}: {plan}"))
    };
    assert!(place("web-0") < place("api-0"));
    assert!(place("web-0") < place("migrate-0"));
    assert!(place("api-1") < place("db-0"));
    let events = std::process::Command::new("docker")
        .args([
            "events",
            "--format",
            "{{.Actor.Attributes.name}}",
            "--filter",
            "event=die",
        ])
        .args(["--filter", &format!("label=dev.motif.stack={}", stack.name)])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    std::thread::sleep(std::time::Duration::from_millis(300));
    stack.run(&["down"]).success();
    std::thread::sleep(std::time::Duration::from_millis(300));
    let mut events = events;
    events.kill().unwrap();
    let died = events.wait_with_output().unwrap();
    let died = String::from_utf8(died.stdout).unwrap();
    let names: Vec<&str> = died.lines().collect();
    let place = |name: &str| {
        let name = format!("{}-{name}", stack.name);
        names
            .iter()
            .position(|found| *found == name)
            .unwrap_or_else(|| panic!("{name}: {names:?}"))
    };
    assert!(
        place("web-0") < place("api-0") && place("web-0") < place("api-1"),
        "{names:?}"
    );
    assert!(
        place("api-0") < place("db-0") && place("api-1") < place("db-0"),
        "{names:?}"
    );
}

#[test]
fn a_pod_that_never_gets_ready_holds_back_what_comes_after() {
    if !engine_is_wanted() {
        return;
    }
    let stack = TestStack::new(
        "
pods:
  web:
    after: { db: ready }
    containers:
      app: { block: http-echo, ports: { http: 8080 } }
  db:
    grace: 0s
    containers:
      app:
        block: http-echo
        ports: { http: 8080 }
        ready: { http: /livez, port: 1, every: 1s }
",
    );
    let up = stack.run(&["up", "-d", "--wait-timeout", "2s"]).code(1);
    assert!(up.stderr.contains("container `db-0/app` is not ready"), "{up}");
    let names = docker(&["ps", "--all", "--format", "{{.Names}}"]);
    assert!(!names.contains(&format!("{}-web-0", stack.name)), "{names}");
}
