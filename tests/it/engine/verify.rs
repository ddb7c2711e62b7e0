//! Promises, tried on the real engine.

use std::process::Command;

use serde_json::Value;

use super::stack::{TestStack, docker, eventually};
use crate::motif::{Workspace, engine_is_wanted};

/// The patterns whose promises are tried here, each in a test of its own: several run side by side.
macro_rules! patterns {
    ($( $name:ident: $pattern:literal $answers:tt, )+) => {
        const PATTERNS: &[&str] = &[$($pattern),+];
        $(
            #[test]
            fn $name() {
                keeps_its_promises($pattern, &$answers);
            }
        )+
    };
}

patterns! {
    adapter_health: "adapter/health" [],
    adapter_logs: "adapter/logs" ["port=0"],
    adapter_metrics: "adapter/metrics" ["port=0"],
    ambassador_broker: "ambassador/broker" ["port=0"],
    ambassador_shard: "ambassador/shard" ["port=0"],
    ambassador_split: "ambassador/split" ["port=0"],
    ambassador_tee: "ambassador/tee" ["port=0"],
    container: "container" ["port=0"],
    sidecar_config_sync: "sidecar/config-sync" [],
    sidecar_git_sync: "sidecar/git-sync" ["port=0"],
    sidecar_introspect: "sidecar/introspect" ["port=0", "topz.port=0"],
    sidecar_tls: "sidecar/tls" ["port=0"],
}

/// Writes a pattern's project, tries its promises, and then each without its mechanism.
fn keeps_its_promises(pattern: &str, answers: &[&str]) {
    if !engine_is_wanted() {
        return;
    }
    let stack = TestStack::new("");
    let mut words = vec!["new", pattern, &stack.name, "--defaults", "--output", "."];
    words.push("--force");
    for answer in answers {
        words.extend(["--set", answer]);
    }
    stack.run(&words).success();
    let kept = stack.run(&["verify", "--keep", "-v"]);
    assert_eq!(kept.code, 0, "{pattern}: {kept}");
    let broken = stack.run(&["verify", "--control", "--keep", "-v"]);
    assert_eq!(broken.code, 0, "{pattern}: {broken}");
}

#[test]
fn every_pattern_is_tried() {
    let listed = Workspace::new().run(&["patterns", "--format", "json"]).success();
    let listed: Value = serde_json::from_str(&listed.stdout).unwrap();
    let names: Vec<&str> = listed
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, PATTERNS);
}

/// Whatever a promise can say, on as few containers as that takes.
const STACK: &str = r#"
parameters:
  message: { type: string, default: one }
pods:
  web:
    replicas: 2
    grace: 1s
    containers:
      app:
        block: http-echo
        args: { message: "${message}", access-log: "false" }
        ports: { http: 8080 }
        ready: { http: /readyz, port: http, every: 1s }
        mounts: { room: /room }
      side:
        block: http-echo
        role: sidecar
        args: { listen: 8081, admin: 9901, access-log: "false" }
        ready: { http: /readyz, port: 8081, every: 1s }
    volumes: { room: { tmpfs: { size: 1Mi } } }
services:
  web: { pod: web, ports: { http: 8080 } }
promises:
  answers:
    says: Every question is answered, also when a replica is killed
    load: { http: "http://web:8080/{key}", rate: 40, for: 4s, keys: 20, by: '"host": "([^"]*)"', answer: '"message": "one"' }
    faults: [{ at: 1s, kill: web/1/app, for: 500ms }]
    expect: { lost: 5%, wrong: 0, status: [200], max: 2s, affected: 50%, kept: [web/0, web/1/side], restarted: [web/1/app] }
    control: { pods: { web: { containers: { app: { args: { error-rate: "0.5" } } } } } }
  notices:
    says: A pause, a full volume, a cut network and another message are seen, and end
    load: { command: [/.motif/motif, block, probe, http, --port=8080], in: web/0/app, rate: 4, for: 8s }
    faults:
      - { at: 100ms, fill: web/0, volume: room, for: 300ms }
      - { at: 500ms, pause: web/1, for: 500ms }
      - { at: 500ms, hang: web/0/side, for: 500ms }
      - { at: 1s, cut: web/1, for: 500ms }
      - { at: 1200ms, slow: web/1/app, by: 100ms, for: 400ms }
      - { at: 1500ms, exec: web/0/app, command: [/.motif/motif, block, probe, http, --port=8080] }
      - { at: 5s, set: { message: two }, for: 2s }
    expect:
      lost: 95%
      answers:
        - { at: 5s, http: "http://web:8080/", matches: '"message": "two"', within: 20s }
        - { http: "http://web:8080/", matches: '"message": "one"', lacks: '"message": "two"', status: 2xx }
        - { tcp: "web:9", refused: true }
        - { from: web, http: "http://127.0.0.1:8081/" }
        - { command: [/.motif/motif, block, probe, http, --port=8080], in: web/0/app }
      files: [{ in: web/0/app, path: /room/.motif-fill, missing: true }, { in: web/0/app, path: /etc/hosts, matches: localhost }]
    control: { pods: { web: { containers: { side: { args: { startup-delay: 0s, listen: 8082 } } } } } }
  one:
    says: Of all replicas one has this name
    load: { http: "http://pods.web:8080/", each: true, rate: 5, for: 2s, by: '"host": "(web-0)"', keys: 3, skew: 1.5 }
    expect: { atMostOne: true, lost: 0 }
    control: { pods: { web: { hostname: web-0 } } }
  chosen:
    says: Who is ready is killed, and nobody else
    load: { http: "http://web-1:9900/unready", method: POST, rate: 5, for: 3s }
    roles: { ready: { port: 8080, path: /readyz } }
    faults: [{ at: 1s, kill: web/ready/app }]
    expect: { lost: 0, restarted: [web/0/app], kept: [web/1] }
    control: { pods: { web: { replicas: 1 } } }
"#;

#[test]
fn promises_are_kept_and_break_without_their_mechanism() {
    if !engine_is_wanted() {
        return;
    }
    let stack = TestStack::new(STACK);
    let output = stack.run(&["verify", "--format", "json", "--seed", "7"]);
    let report: Value =
        serde_json::from_str(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output}"));
    assert_eq!(report["seed"], 7);
    for run in report["runs"].as_array().unwrap() {
        assert_eq!(run["outcome"], "kept", "{run:#}");
    }
    let output = output.success();
    assert!(output.stderr.contains("ready"), "{output}");
    // What it brought up it takes down.
    let left = docker(&["ps", "-aq", "--filter", &format!("name=^{}", stack.name)]);
    assert_eq!(left, "");
    let output = stack
        .run(&["verify", "answers", "one", "--control", "--format", "junit"])
        .success();
    assert!(
        output.stdout.contains("tests=\"2\" failures=\"0\" errors=\"0\""),
        "{output}"
    );
    assert!(output.stdout.contains("name=\"answers (control)\""), "{output}");
}

const BROKEN: &str = r#"
pods:
  web: { grace: 1s, containers: { app: { block: http-echo, args: { error-rate: "1" }, ports: { http: 8080 } } } }
promises:
  answers:
    says: Every question is answered
    load: { http: "http://web-0:8080/", for: 1s }
    faults: [{ at: 300ms, pause: web, for: 60s }]
    expect: { lost: 0 }
    control: { pods: { web: { containers: { app: { args: { error-rate: "0" } } } } } }
"#;

#[test]
fn a_broken_promise_fails_and_an_interrupted_one_leaves_nothing_broken() {
    if !engine_is_wanted() {
        return;
    }
    let text = BROKEN.replace("for: 60s", "for: 300ms");
    let stack = TestStack::new(&text);
    stack.up();
    let life = stack.life("web-0");
    let output = stack.run(&["verify", "-v"]).code(1);
    assert!(
        output.stdout.contains("✗ answers: broken: 50 of 50 lost"),
        "{output}"
    );
    assert!(
        output.stdout.contains("50 × status 500") || output.stdout.contains("no answer"),
        "{output}"
    );
    assert!(output.stderr.contains("pause web/all is over"), "{output}");
    assert!(output.stderr.contains("1 of 1 promises are not kept"), "{output}");
    // A stack that ran is left as it was.
    assert_eq!(stack.life("web-0"), life);
    // A control that does not break fails too: this one repairs what it should break.
    let fixed = text.replace(
        r#"args: { error-rate: "1" }, ports"#,
        r#"args: { error-rate: "0" }, ports"#,
    );
    let fixed = fixed.replace("faults: [{ at: 300ms, pause: web, for: 300ms }]\n", "\n");
    stack.write(&fixed);
    let output = stack.run(&["verify", "--control"]).code(1);
    assert!(
        output.stdout.contains("✗ answers: kept without its mechanism"),
        "{output}"
    );
    let output = stack.run(&["verify", "answer"]).code(2);
    assert!(output.stderr.contains("did you mean `answers`?"), "{output}");
    stack.write(BROKEN);
    let mut running = stack.workspace.command(&["verify"]).spawn().unwrap();
    let web = format!("{}-web-0", stack.name);
    let status = || docker(&["inspect", "-f", "{{.State.Status}}", &web]);
    eventually("the container is paused", || status() == "paused\n");
    let pid = running.id().to_string();
    Command::new("kill").args(["-INT", &pid]).status().unwrap();
    assert_eq!(running.wait().unwrap().code(), Some(130));
    assert_eq!(status(), "running\n");
    let helpers = docker(&[
        "ps",
        "-aq",
        "--filter",
        &format!("label=dev.motif.helper={}", stack.name),
    ]);
    assert_eq!(helpers, "");
    // What a killed run left halted goes on with the next one.
    let halted = BROKEN
        .replace("pause: web", "hang: web")
        .replace("lost: 0", "lost: 100%");
    stack.write(&halted);
    let mut running = stack.workspace.command(&["verify"]).spawn().unwrap();
    eventually("the container's process is halted", || {
        let processes = docker(&["top", &web, "-o", "pid,stat"]);
        processes
            .lines()
            .filter_map(|line| line.split_whitespace().nth(1))
            .any(|stat| stat.starts_with('T'))
    });
    running.kill().unwrap();
    running.wait().unwrap();
    stack.write(&halted.replace("for: 60s", "for: 100ms"));
    stack.run(&["verify"]).success();
}
