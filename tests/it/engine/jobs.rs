//! A job's runs are counted, tried again, and not run twice.

use super::stack::{TestStack, docker};
use crate::motif::engine_is_wanted;

/// A job whose runs number themselves in a claim; the first `FAILURES` fail.
const JOB: &str = "
jobs:
  migrate:
    completions: 3
    parallelism: 2
    retries: 2
    containers:
      app:
        image: debian:bookworm-slim
        user: 65532
        command: [sh, -c, 'n=$(ls /data | wc -l); mktemp /data/run.XXXXXX > /dev/null; echo run $n; test $n -ge FAILURES']
        mounts: { data: /data, scratch: /scratch }
    volumes: { data: { claim: 1Gi }, scratch: empty }
";

#[test]
fn a_job_runs_until_enough_runs_ended_well_and_then_never_again() {
    if !engine_is_wanted() {
        return;
    }
    let stack = TestStack::new(&JOB.replace("FAILURES", "0"));
    let up = stack.up();
    assert!(up.stderr.contains("job migrate done"), "{up}");
    let containers = stack
        .objects()
        .lines()
        .filter(|name| name.starts_with("STACK-migrate-"))
        .count();
    // Three runs, each with its volume, and the claim.
    assert_eq!(containers, 7, "{}", stack.objects());
    let again = stack.up();
    assert!(again.stderr.contains("is up to date"), "{again}");
}

#[test]
fn a_failed_run_is_tried_again() {
    if !engine_is_wanted() {
        return;
    }
    let stack = TestStack::new(
        &JOB.replace("FAILURES", "1")
            .replace("parallelism: 2", "parallelism: 1"),
    );
    let up = stack.up();
    assert!(up.stderr.contains("a run failed; 1 retries left"), "{up}");
    assert!(up.stderr.contains("job migrate done"), "{up}");
    let name = format!("{}-migrate-3", stack.name);
    assert_eq!(docker(&["logs", &name]), "run 3\n");
}

#[test]
fn a_job_that_fails_says_why_and_is_tried_anew_next_time() {
    if !engine_is_wanted() {
        return;
    }
    let stack = TestStack::new(
        &JOB.replace("FAILURES", "4")
            .replace("parallelism: 2", "parallelism: 1"),
    );
    let up = stack.run(&["up", "-d", "--wait"]).code(1);
    assert!(
        up.stderr.contains("job `migrate` failed: 3 of its runs did"),
        "{up}"
    );
    assert!(
        up.stderr
            .contains("container `migrate-2/app` ended with exit code 1"),
        "{up}"
    );
    assert!(up.stderr.contains("\n    run 2\n"), "{up}");
    let plan = stack.run(&["up", "--dry-run"]).success();
    assert!(
        plan.stdout.contains("the job failed, and is tried anew"),
        "{plan}"
    );
    let again = stack.up();
    assert!(again.stderr.contains("job migrate done"), "{again}");
}

#[test]
fn a_deadline_ends_a_job() {
    if !engine_is_wanted() {
        return;
    }
    let stack = TestStack::new(
        "
jobs:
  slow:
    deadline: 1s
    grace: 0s
    containers:
      app: { image: 'debian:bookworm-slim', user: 65532, command: [sleep, '1000'] }
",
    );
    let up = stack.run(&["up", "-d", "--wait"]).code(1);
    assert!(up.stderr.contains("job `slow` did not end within 1 s"), "{up}");
    let running = docker(&["ps", "--format", "{{.Names}}"]);
    assert!(
        !running
            .lines()
            .any(|name| name == format!("{}-slow-0", stack.name)),
        "{running}"
    );
}
