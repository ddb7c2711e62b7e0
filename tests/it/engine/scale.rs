//! Other numbers of replicas, and nothing else.

use super::stack::{TestStack, docker, eventually};
use crate::motif::engine_is_wanted;

const STACK: &str = "
pods:
  cache:
    replicas: 3
    stable: true
    grace: 0s
    containers:
      app:
        image: debian:bookworm-slim
        user: 65532
        command: [/.motif/motif, block, http-echo, --listen=8080]
        ports: { http: 8080 }
        ready: { http: /, port: http, every: 1s }
        mounts: { data: /data }
    volumes: { data: { claim: 1Gi } }
  other:
    grace: 0s
    containers:
      app: { block: http-echo, args: { message: 'one' } }
services:
  cache: { pod: cache, ports: { http: 8080 }, publish: { http: 0 } }
jobs:
  once: { containers: { app: { image: 'debian:bookworm-slim', user: 65532, command: ['true'] } } }
";

fn replicas(stack: &TestStack) -> Vec<String> {
    let prefix = format!("{}-cache-", stack.name);
    let mut names: Vec<String> = docker(&["ps", "--format", "{{.Names}}"])
        .lines()
        .filter_map(|name| name.strip_prefix(&prefix))
        .map(str::to_owned)
        .collect();
    names.sort();
    names
}

#[test]
fn stable_replicas_keep_their_claim_and_others_are_left_alone() {
    if !engine_is_wanted() {
        return;
    }
    let stack = TestStack::new(STACK);
    stack.up();
    let last = format!("{}-cache-2", stack.name);
    docker(&["exec", &last, "sh", "-c", "echo mine > /data/name"]);
    let kept: Vec<_> = ["cache-0", "cache-1", "cache", "other-0", "once-0"]
        .map(|name| stack.life(name))
        .to_vec();
    // What the file says of others meanwhile is not carried out.
    stack.write(&STACK.replace("'one'", "'two'"));
    let plan = stack.run(&["scale", "cache=2", "--dry-run"]).success().stdout;
    assert!(
        plan.contains(&format!("- remove container {last}: it is not in the stack")),
        "{plan}"
    );
    assert!(!plan.contains("other"), "{plan}");
    stack.run(&["scale", "cache=2"]).success();
    assert_eq!(replicas(&stack), ["0", "1"]);
    stack.run(&["scale", "cache=5", "--wait"]).success();
    assert_eq!(replicas(&stack), ["0", "1", "2", "3", "4"]);
    assert_eq!(docker(&["exec", &last, "cat", "/data/name"]), "mine\n");
    let now: Vec<_> = ["cache-0", "cache-1", "cache", "other-0", "once-0"]
        .map(|name| stack.life(name))
        .to_vec();
    assert_eq!(kept, now);
    stack.run(&["scale", "cache=0"]).success();
    eventually("no replica is left", || replicas(&stack).is_empty());
    stack.run(&["scale", "cache=1", "--wait"]).success();
    let unknown = stack.run(&["scale", "cash=1"]).code(1);
    assert!(unknown.stderr.contains("no pod `cash` to scale"), "{unknown}");
    assert!(unknown.stderr.contains("there are `cache`, `other`"), "{unknown}");
    let wrong = stack.run(&["scale", "cache=1001"]).code(2);
    assert!(wrong.stderr.contains("from 0 to 1000"), "{wrong}");
}

#[test]
fn up_may_name_another_number_and_goes_back_without_it() {
    if !engine_is_wanted() {
        return;
    }
    let stack = TestStack::new(STACK);
    stack.run(&["up", "-d", "--wait", "--scale", "cache=1"]).success();
    assert_eq!(replicas(&stack), ["0"]);
    stack.up();
    assert_eq!(replicas(&stack), ["0", "1", "2"]);
}
