//! A job's runs are counted, tried again, and not run twice.

use super::stack::{TestStack, docker, eventually};
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

/// The names of a stack's job containers that ended well.
fn done(stack: &TestStack, job: &str) -> usize {
    let list = docker(&[
        "ps",
        "--all",
        "--format",
        "{{.Status}}",
        "--filter",
        &format!("label=dev.motif.stack={}", stack.name),
        "--filter",
        &format!("label=dev.motif.pod={job}"),
    ]);
    list.lines().filter(|line| line.starts_with("Exited (0)")).count()
}

const TWENTY: &str = "
jobs:
  resize:
    completions: 20
    parallelism: 4
    grace: 0s
    containers:
      app: { image: 'debian:bookworm-slim', user: 65532, command: [sleep, '0.5'] }
";

#[test]
fn a_killed_worker_is_made_up_for() {
    if !engine_is_wanted() {
        return;
    }
    let stack = TestStack::new(TWENTY);
    let up = stack
        .workspace
        .command(&["up", "-d", "--wait", "--wait-timeout", "120s"])
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let victim = format!("{}-resize-5", stack.name);
    eventually("the sixth run runs", || {
        docker(&["ps", "--format", "{{.Names}}"])
            .lines()
            .any(|name| name == victim)
    });
    docker(&["kill", &victim]);
    let mut most = 0;
    let up = {
        let mut up = up;
        loop {
            let running = docker(&[
                "ps",
                "--format",
                "{{.Names}}",
                "--filter",
                "label=dev.motif.pod=resize",
            ]);
            let own = running.lines().filter(|name| name.starts_with(&stack.name));
            most = most.max(own.count());
            if up.try_wait().unwrap().is_some() {
                break up.wait_with_output().unwrap();
            }
        }
    };
    assert!(up.status.success(), "{}", String::from_utf8_lossy(&up.stderr));
    assert_eq!(done(&stack, "resize"), 20);
    assert!((2..=4).contains(&most), "{most} at a time");
}

#[test]
fn a_detached_job_goes_on_by_itself() {
    if !engine_is_wanted() {
        return;
    }
    let stack = TestStack::new(&TWENTY.replace("completions: 20", "completions: 6"));
    stack.run(&["up", "-d"]).success();
    let told = stack.run(&["ps"]).success().stderr;
    assert!(told.contains("keeps the jobs, and writes to"), "{told}");
    eventually("all runs are done", || done(&stack, "resize") == 6);
    eventually("the process that kept the job ends", || {
        !stack.run(&["ps"]).success().stderr.contains("keeps the jobs")
    });
    let again = stack.run(&["up", "-d"]).success();
    assert!(again.stderr.contains("is up to date"), "{again}");
}

#[test]
fn a_killed_keeper_is_replaced_by_the_next_up() {
    if !engine_is_wanted() {
        return;
    }
    let stack = TestStack::new(&TWENTY.replace("completions: 20", "completions: 12"));
    stack.run(&["up", "-d"]).success();
    let told = stack.run(&["ps"]).success().stderr;
    let process = told.split_whitespace().nth(1).unwrap().to_owned();
    let killed = std::process::Command::new("kill")
        .args(["-9", &process])
        .status()
        .unwrap();
    assert!(killed.success(), "{told}");
    eventually("nobody keeps the job", || {
        stack
            .run(&["ps"])
            .success()
            .stderr
            .contains("nobody keeps the jobs now")
    });
    stack.run(&["up", "-d"]).success();
    eventually("all runs are done", || done(&stack, "resize") == 12);
    // Another `up` takes over; none of them counts a run twice.
    stack.up();
    assert_eq!(done(&stack, "resize"), 12);
}

#[test]
fn every_index_of_an_indexed_job_ends_well_once() {
    if !engine_is_wanted() {
        return;
    }
    // The first try of index 1 fails.
    let stack = TestStack::new(
        "
jobs:
  shard:
    completions: 3
    parallelism: 3
    indexed: true
    containers:
      app:
        image: debian:bookworm-slim
        user: 65532
        command: [sh, -c, 'echo index $JOB_COMPLETION_INDEX; test $JOB_COMPLETION_INDEX != 1 || ! mkdir /data/once']
        mounts: { data: /data }
    volumes: { data: { claim: 1Gi } }
",
    );
    let up = stack.up();
    assert!(up.stderr.contains("a run failed"), "{up}");
    let mut said: Vec<String> = (0..4)
        .map(|number| docker(&["logs", &format!("{}-shard-{number}", stack.name)]))
        .collect();
    said.sort();
    assert_eq!(said, ["index 0\n", "index 1\n", "index 1\n", "index 2\n"]);
}

#[test]
fn a_job_ends_with_its_main_container_and_its_sidecars_are_stopped() {
    if !engine_is_wanted() {
        return;
    }
    let stack = TestStack::new(
        "
jobs:
  once:
    grace: 5s
    containers:
      app: { image: 'debian:bookworm-slim', user: 65532, command: [sleep, '1'] }
      log: { block: http-echo, role: sidecar, ports: { http: 8080 } }
",
    );
    let up = stack.up();
    assert!(up.stderr.contains("job once done"), "{up}");
    let sidecar = stack.inspect("once-0-log");
    assert_eq!(sidecar["State"]["Running"], false);
    // It was asked to end, and did.
    assert_eq!(sidecar["State"]["ExitCode"], 0);
    assert!(stack.run(&["ps", "-a"]).success().stdout.contains("completed"));
}

#[test]
fn an_ended_job_is_removed_when_its_time_is_over() {
    if !engine_is_wanted() {
        return;
    }
    let stack = TestStack::new(
        "
jobs:
  once:
    ttl: 3s
    containers:
      app: { image: 'debian:bookworm-slim', user: 65532, command: ['true'], mounts: { scratch: /scratch } }
    volumes: { scratch: empty }
",
    );
    stack.up();
    assert!(stack.objects().contains("STACK-once-0"), "{}", stack.objects());
    eventually("it is removed with its volume", || stack.objects() == "STACK");
}

#[test]
fn a_scheduled_job_runs_when_it_is_due() {
    if !engine_is_wanted() {
        return;
    }
    let stack = TestStack::new(
        "
jobs:
  report:
    schedule: '* * * * *'
    containers:
      app: { image: 'debian:bookworm-slim', user: 65532, command: [date] }
",
    );
    stack.up();
    assert_eq!(done(&stack, "report"), 0);
    // At the turn of the minute: twice the patience of the others.
    for _ in 0..2 {
        if done(&stack, "report") > 0 {
            break;
        }
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(45);
        while std::time::Instant::now() < deadline && done(&stack, "report") == 0 {
            std::thread::sleep(std::time::Duration::from_millis(200));
        }
    }
    let rows = stack.run(&["ps", "-a", "--format", "json"]).success().stdout;
    let rows: serde_json::Value = serde_json::from_str(&rows).unwrap();
    let name = rows[0]["name"].as_str().unwrap();
    let due: u64 = name.split('-').nth(1).unwrap().parse().unwrap();
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap();
    assert!(now.as_secs() / 60 - due < 3, "{name}");
    assert_eq!(rows[0]["kind"], "job");
}
