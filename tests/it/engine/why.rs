//! `motif why` leads from what is seen to its cause, and so does a wait that fails.

use std::process::Stdio;

use serde_json::Value;

use super::stack::{TestStack, docker, eventually};
use crate::motif::{Output, engine_is_wanted};

/// What it says of something that is wrong.
#[track_caller]
fn why(stack: &TestStack, names: &[&str]) -> Output {
    stack.run(&[&["why"], names].concat()).code(1)
}

#[track_caller]
fn holds(output: &Output, expected: &[&str]) {
    for text in expected {
        assert!(
            output.stdout.contains(text) || output.stderr.contains(text),
            "no `{text}` in {output}"
        );
    }
}

#[test]
fn the_chain_leads_over_a_service_and_two_pods_to_a_container() {
    if !engine_is_wanted() {
        return;
    }
    let stack = TestStack::new(
        "
pods:
  web:
    grace: 0s
    replicas: 2
    after: { api: ready }
    containers:
      app: { block: http-echo, ports: { http: 8080 } }
  api:
    grace: 0s
    containers:
      tls:
        image: debian:bookworm-slim
        user: 65532
        command: [sh, -c, 'echo reading the certificate >&2; echo /tls/cert.pem: no such file >&2; exit 3']
        ready: { exec: [test, -e, /tmp/ready] }
      app:
        block: http-echo
        ports: { http: 8080 }
  fine:
    grace: 0s
    containers:
      app: { block: http-echo, ports: { http: 8080 } }
services:
  front: { pod: web, ports: { http: { port: 80, target: http } } }
",
    );
    let failed = stack
        .run(&["up", "-d", "--wait", "--wait-timeout", "20s"])
        .code(1);
    holds(
        &failed,
        &[
            "container `api-0/tls` ends again and again: 3 restarts, last with exit code 3",
            "    reading the certificate",
            "    /tls/cert.pem: no such file",
            "hint: see all it wrote with `motif logs api-0/tls`",
        ],
    );
    let told = why(&stack, &["web"]);
    assert!(
        told.stdout.starts_with(
            "pod `web` was never started
  it comes after `api`, which is not ready
pod `api-0` is not ready
  container `api-0/tls` ends again and again: "
        ),
        "{told}"
    );
    holds(
        &told,
        &["\n      reading the certificate\n      /tls/cert.pem: no such file\n"],
    );
    assert!(
        told.stderr
            .contains("hint: see all it wrote with `motif logs api-0/tls`"),
        "{told}"
    );
    // Without the file it tells what stands.
    std::fs::remove_file(stack.workspace.path().join("stack.yaml")).unwrap();
    let told = stack.run(&["why", "-p", &stack.name]);
    holds(
        &told,
        &["pod `api-0` is not ready", "container `api-0/tls` ends again"],
    );
    let fine = stack.run(&["why", "fine", "-p", &stack.name]).success();
    assert!(fine.stderr.contains("is as it should be"), "{fine}");
    // Between two ends it runs, and has no exit code.
    eventually("the exit code is told", || {
        let told = stack.run(&["why", "-p", &stack.name, "--format", "json"]).code(1);
        let document: Value = serde_json::from_str(&told.stdout).unwrap();
        assert_eq!(document[0]["name"], "front");
        let cause = &document[1]["causes"][0]["container"];
        assert_eq!(cause["container"], "api-0/tls", "{document:#}");
        assert_eq!(cause["lines"][1], "/tls/cert.pem: no such file");
        cause["problem"]["crashing"]["code"] == 3
    });
}

#[test]
fn a_probe_tells_what_it_got_and_a_service_who_is_missing() {
    if !engine_is_wanted() {
        return;
    }
    let stack = TestStack::new(
        "
pods:
  web:
    grace: 0s
    replicas: 2
    containers:
      app:
        block: http-echo
        ports: { http: 8080 }
        ready: { http: /echo?status=503, every: 1s }
      side:
        image: debian:bookworm-slim
        user: 65532
        command: [sh, -c, 'echo no database; exit 1']
services:
  front: { pod: web, ports: { http: { port: 80, target: http } } }
",
    );
    stack.run(&["up", "-d", "--wait", "--wait-timeout", "1s"]).code(1);
    let told = why(&stack, &["front"]);
    holds(
        &told,
        &[
            "service `front` sends to nobody",
            "no replica of pod `web` is ready",
            "  likewise `web-1`",
            "/echo?status=503: 503 Service Unavailable",
        ],
    );
    eventually("the crashing sidecar is told", || {
        let told = why(&stack, &["web-0"]);
        assert!(!told.stdout.contains("web-1"), "{told}");
        told.stdout
            .contains("container `web-0/side` ends again and again: ")
            && told.stdout.contains("no database")
    });
    stack.run(&["why", "nobody"]).code(1);
}

#[test]
fn memory_an_init_container_and_a_missing_program() {
    if !engine_is_wanted() {
        return;
    }
    let stack = TestStack::new(
        "
pods:
  hungry:
    grace: 0s
    containers:
      app:
        image: debian:bookworm-slim
        user: 65532
        resources: { memory: 16Mi }
        command: [sh, -c, 'echo reading it all; tail /dev/zero']
  patient:
    grace: 0s
    containers:
      look: { role: init, image: 'debian:bookworm-slim', user: 65532, command: [sh, -c, 'echo waits for a lock; sleep 1000'] }
      app: { block: http-echo, ports: { http: 8080 } }
  lost:
    grace: 0s
    containers:
      app: { image: 'debian:bookworm-slim', user: 65532, command: [/no/such/program] }
jobs:
  work:
    retries: 0
    containers:
      app: { image: 'debian:bookworm-slim', user: 65532, command: [sh, -c, 'echo no input; exit 4'] }
",
    );
    let nothing = why(&stack, &[]);
    assert!(nothing.stderr.contains("stands on the engine"), "{nothing}");
    let mut motif = stack
        .workspace
        .command(&["up", "-d"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    eventually("each fails in its way", || {
        let told = stack.run(&["why"]);
        [
            "container `hungry-0/app` was killed: it needs more memory than its limit of 16Mi",
            "      reading it all",
            "hint: give it more with `resources: { memory: … }`",
            "container `patient-0/look` still runs, and the others wait for its end",
            "      waits for a lock",
        ]
        .iter()
        .all(|text| told.stdout.contains(text) || told.stderr.contains(text))
    });
    motif.kill().unwrap();
    motif.wait().unwrap();
    let failed = stack.run(&["scale", "lost=1"]);
    holds(&failed, &["no/such/program"]);
    holds(
        &why(&stack, &["lost"]),
        &["container `lost-0/app` can't be started: ", "/no/such/program"],
    );
    docker(&["pause", &format!("{}-patient-0-look", stack.name)]);
    holds(
        &why(&stack, &["patient-0"]),
        &[
            "container `patient-0/look` is paused",
            &format!("hint: `docker unpause {}-patient-0-look`", stack.name),
        ],
    );
    docker(&["unpause", &format!("{}-patient-0-look", stack.name)]);
}

/// The text of the first block of this language that contains something.
fn block(markdown: &str, language: &str, containing: &str) -> String {
    markdown
        .split(&format!("```{language}\n"))
        .skip(1)
        .filter_map(|rest| rest.split_once("```\n"))
        .map(|(text, _)| text.to_owned())
        .find(|text| text.contains(containing))
        .unwrap()
}

/// How often the container was started again until somebody looked is a matter of time.
fn without_repetition(text: &str) -> String {
    let mut seen = std::collections::BTreeSet::new();
    text.lines()
        .filter(|line| seen.insert(*line))
        .collect::<Vec<_>>()
        .join("\n")
}

#[test]
fn the_readme_shows_what_it_says() {
    if !engine_is_wanted() {
        return;
    }
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = std::fs::read_to_string(root.join("README.md")).unwrap();
    let text = block(&readme, "yaml", "reading the orders");
    let stack = TestStack::new(text.strip_prefix("stack: shop\n").unwrap());
    stack.run(&["up", "-d", "--wait"]).code(1);
    let shown = block(&readme, "text", "`web` was never started");
    eventually("`why` says what the README says", || {
        let told = stack.run(&["why", "web"]);
        let told = format!("{}{}", told.stdout, told.stderr);
        without_repetition(&told) == without_repetition(&shown)
    });
}
