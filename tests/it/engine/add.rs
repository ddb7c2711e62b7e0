//! Patterns that were added to the pod of a stack one after the other: together they keep what each promises.

use super::stack::TestStack;
use crate::motif::engine_is_wanted;

/// A plain pod. What is promised comes with what is added.
const STACK: &str = r#"
pods:
  web:
    grace: 1s
    containers:
      app:
        block: http-echo
        args: { listen: "127.0.0.1:8080", admin: "127.0.0.1:9900" }
        ports: { http: { port: 8080, local: true } }
"#;

/// Pattern and answers, in the order in which they are added.
const ADDITIONS: &[(&str, &[&str])] = &[
    ("sidecar/tls", &["port=0"]),
    (
        "adapter/metrics",
        &[
            "port=0",
            "metrics.source=json",
            "metrics.values=app_answer_bytes=bytes",
        ],
    ),
    ("ambassador/shard", &["shards=3"]),
];

/// What each of them promises.
const PROMISES: &[&str] = &[
    "web-metrics",
    "web-metrics-dead",
    "web-metrics-hangs",
    "web-shard",
    "web-tls",
    "web-tls-rotates",
];

#[test]
fn what_is_added_keeps_its_promises_together_and_goes_without_a_trace() {
    if !engine_is_wanted() {
        return;
    }
    let stack = TestStack::new(STACK);
    let before = stack.workspace.read("stack.yaml");
    stack.up();
    for (pattern, answers) in ADDITIONS {
        let mut words = vec!["add", pattern, "--to", "web"];
        for answer in *answers {
            words.extend(["--set", answer]);
        }
        stack.run(&words).success();
    }
    stack.up();
    let kept = stack.run(&["verify", "-v"]);
    assert_eq!(kept.code, 0, "{kept}");
    for promise in PROMISES {
        assert!(
            kept.stdout.contains(&format!("✓ {promise}: ")),
            "{promise}: {kept}"
        );
    }
    let broken = stack.run(&["verify", "--control", "-v"]);
    assert_eq!(broken.code, 0, "{broken}");
    for (pattern, _) in ADDITIONS {
        stack.run(&["remove", pattern, "--from", "web"]).success();
    }
    assert_eq!(stack.workspace.read("stack.yaml"), before);
    let mut left: Vec<_> = std::fs::read_dir(stack.workspace.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| !name.starts_with('.'))
        .collect();
    left.sort_unstable();
    assert_eq!(left, ["stack.yaml"]);
    stack.up();
    let objects = stack.objects();
    assert!(
        ["web-0-tls", "web-0-metrics", "shard"]
            .iter()
            .all(|gone| !objects.contains(gone)),
        "{objects}"
    );
}
