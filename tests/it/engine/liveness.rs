//! A container whose liveness probe fails is started again, though motif is not there.

use super::stack::{TestStack, docker, eventually};
use crate::motif::engine_is_wanted;

/// The restarts that the engine counted.
fn restarts(stack: &TestStack, container: &str) -> i64 {
    stack.inspect(container)["RestartCount"].as_i64().unwrap()
}

#[test]
fn a_hang_is_ended_and_the_reason_is_kept() {
    if !engine_is_wanted() {
        return;
    }
    let stack = TestStack::new(
        "
pods:
  web:
    grace: 1s
    containers:
      app:
        image: debian:bookworm-slim
        user: 65532
        command: [/.motif/motif, block, http-echo, --listen=8080]
        ports: { http: 8080 }
        ready: { http: /livez, every: 1s }
        live: { http: /livez, every: 1s, failures: 2 }
",
    );
    stack.up();
    assert_eq!(restarts(&stack, "web-0"), 0);
    let name = format!("{}-web-0", stack.name);
    // Everything but the first process stands still: no exit, no answer.
    docker(&["exec", &name, "sh", "-c", "kill -STOP -1"]);
    eventually("the hung program is ended", || restarts(&stack, "web-0") > 0);
    eventually("it serves again", || {
        let answer = docker(&[
            "exec",
            &name,
            "/.motif/motif",
            "block",
            "probe",
            "http",
            "--port=8080",
        ]);
        answer.contains("200 OK")
    });
    let shown = stack.run(&["ps", "--format", "json"]).success();
    let shown: serde_json::Value = serde_json::from_str(&shown.stdout).unwrap();
    let last = &shown[0]["members"][0]["lastRestart"];
    let reason = last["reason"].as_str().unwrap();
    assert!(
        reason.starts_with("liveness: http://")
            && reason.ends_with("/livez: no answer within 1s, 2 times in a row"),
        "{reason}"
    );
    assert_eq!(last["inARow"], 1);
    let told = stack.run(&["ps"]).success();
    assert!(
        told.stderr.contains("web-0/app was started again") && told.stderr.contains(reason),
        "{told}"
    );
}

#[test]
fn pauses_between_restarts_grow() {
    if !engine_is_wanted() {
        return;
    }
    // No shell, no writable root: the block's own image.
    let stack = TestStack::new(
        "
pods:
  web:
    grace: 1s
    containers:
      app:
        block: http-echo
        ports: { http: 8080 }
        live: { tcp: 9, every: 100ms, failures: 1 }
",
    );
    stack.run(&["up", "-d"]).success();
    eventually("three restarts", || restarts(&stack, "web-0") >= 3);
    eventually("the third pause is told", || {
        let told = stack.run(&["logs", "web"]).success().stdout;
        [
            "1s before the start",
            "2s before the start",
            "4s before the start",
        ]
        .iter()
        .all(|pause| told.contains(pause))
    });
}

#[test]
fn a_startup_that_never_passes_is_ended_too() {
    if !engine_is_wanted() {
        return;
    }
    let stack = TestStack::new(
        "
pods:
  web:
    grace: 1s
    containers:
      app:
        image: debian:bookworm-slim
        user: 65532
        command: [sleep, '1000']
        startup: { exec: [sh, -c, 'echo not yet; exit 1'], every: 1s, failures: 2 }
",
    );
    stack.run(&["up", "-d"]).success();
    eventually("the program is ended", || restarts(&stack, "web-0") > 0);
    let told = stack.run(&["ps"]).success();
    assert!(
        told.stderr.contains("startup: not yet, 2 times in a row"),
        "{told}"
    );
}

#[test]
fn a_watched_program_gets_its_signals_and_its_exit_code_counts() {
    if !engine_is_wanted() {
        return;
    }
    let stack = TestStack::new(
        "
pods:
  web:
    grace: 20s
    containers:
      app:
        image: debian:bookworm-slim
        user: 65532
        command: [sh, -c, 'trap \"echo ended well; exit 7\" TERM; echo begun; while :; do sleep 0.1; done']
        live: { exec: ['true'], every: 1s }
",
    );
    stack.up();
    let name = format!("{}-web-0", stack.name);
    eventually("the program listens for signals", || {
        docker(&["logs", &name]).contains("begun")
    });
    docker(&["stop", "-t", "20", &name]);
    assert_eq!(stack.inspect("web-0")["State"]["ExitCode"], 7);
    assert!(docker(&["logs", &name]).contains("ended well"));
}
