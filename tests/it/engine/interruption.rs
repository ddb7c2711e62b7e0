//! Killing motif at any instant and running it again converges.

use std::process::Stdio;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::stack::{TestStack, docker};
use crate::motif::engine_is_wanted;

const STACK: &str = "
pods:
  web:
    grace: 0s
    replicas: 2
    containers:
      prepare:
        image: debian:bookworm-slim
        role: init
        user: 65532
        command: [sh, -c, 'test -s /conf/a && test -s /db/password && echo yes > /scratch/prepared']
        mounts: { db: /db, conf: /conf, scratch: /scratch }
      side:
        block: http-echo
        role: sidecar
        ports: { http: 8080 }
        startup: { http: /livez, port: 8080, every: 1s, failures: 60 }
      app:
        image: debian:bookworm-slim
        user: 65532
        command: [sh, -c, 'test -s /scratch/prepared || exit 9; exec sleep 1000']
        ready: { exec: [test, -s, /scratch/prepared] }
        mounts: { scratch: /scratch }
    volumes:
      db: { secret: db }
      conf: { config: { a: b } }
      scratch: empty
services:
  web: { pod: web, ports: { http: 8080 } }
secrets:
  db: { files: { password: secrets/password } }
";

const WHOLE: &str = "\
STACK
STACK-web
STACK-web-0
STACK-web-0-app
STACK-web-0-prepare
STACK-web-0-scratch
STACK-web-0-side
STACK-web-0-side.restarts
STACK-web-1
STACK-web-1-app
STACK-web-1-prepare
STACK-web-1-scratch
STACK-web-1-side
STACK-web-1-side.restarts
STACK-web-conf-HASH
STACK-web-db";

#[test]
fn a_killed_up_is_finished_by_the_next_one() {
    if !engine_is_wanted() {
        return;
    }
    let seed = std::env::var("MOTIF_TEST_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok())
        .unwrap_or_else(|| {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
            u64::from(now.subsec_nanos())
        });
    println!("MOTIF_TEST_SEED={seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let stack = TestStack::new(STACK);
    stack.workspace.write("secrets/password", "x");
    for round in 0..10 {
        // Half of the rounds begin with nothing, the others with what the last one left.
        if round % 2 == 0 {
            stack.run(&["down", "--volumes", "-t", "0"]).success();
        } else {
            stack.write(&STACK.replace("sleep 1000", &format!("sleep 100{round}")));
        }
        let life = Duration::from_millis(random.u64(20..4000));
        let mut child = stack
            .workspace
            .command(&["up", "-d"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(life);
        let _ = child.kill();
        child.wait().unwrap();
        let up = stack.run(&["up", "-d", "--wait"]);
        assert_eq!(
            up.code, 0,
            "seed {seed}, round {round}, killed after {life:?}: {up}"
        );
        let objects = stack.objects();
        let hash = objects
            .lines()
            .find_map(|name| name.strip_prefix("STACK-web-conf-"))
            .unwrap_or_default();
        assert_eq!(
            objects.replace(hash, "HASH"),
            WHOLE,
            "seed {seed}, round {round}, killed after {life:?}"
        );
        let plan = stack.run(&["up", "-d"]).success();
        assert!(
            plan.stderr.contains("is up to date"),
            "seed {seed}, round {round}, killed after {life:?}: {plan}"
        );
    }
}

#[test]
fn a_killed_down_is_finished_by_the_next_one() {
    if !engine_is_wanted() {
        return;
    }
    let stack = TestStack::new(STACK);
    stack.workspace.write("secrets/password", "x");
    stack.up();
    let mut child = stack
        .workspace
        .command(&["down"])
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    std::thread::sleep(Duration::from_millis(150));
    let _ = child.kill();
    child.wait().unwrap();
    stack.run(&["down"]).success();
    assert_eq!(stack.objects(), "");
}

#[test]
fn two_networks_of_one_name_become_one_again() {
    if !engine_is_wanted() {
        return;
    }
    let stack = TestStack::new(STACK);
    stack.workspace.write("secrets/password", "x");
    // What two runs at the same instant, or one that was killed and another, leave behind.
    let label = format!("dev.motif.stack={}", stack.name);
    for _ in 0..2 {
        docker(&["network", "create", "--label", &label, &stack.name]);
    }
    let up = stack.up();
    assert_eq!(
        stack.objects().lines().filter(|name| *name == "STACK").count(),
        1,
        "{up}"
    );
    docker(&["network", "create", "--label", &label, &stack.name]);
    stack.run(&["down"]).success();
    assert_eq!(stack.objects(), "");
}

#[test]
fn two_runs_at_once_make_one_stack() {
    if !engine_is_wanted() {
        return;
    }
    for _ in 0..3 {
        let stack = TestStack::new(STACK);
        stack.workspace.write("secrets/password", "x");
        let start = || {
            let mut command = stack.workspace.command(&["up", "-d", "--wait"]);
            command
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::piped());
            command.spawn().unwrap()
        };
        let both = [start(), start()];
        let said: Vec<_> = both.map(|run| run.wait_with_output().unwrap()).into();
        // Whoever came second may give up, never the stack.
        let text = |output: &std::process::Output| String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(
            said.iter().any(|output| output.status.success()),
            "{}\n{}",
            text(&said[0]),
            text(&said[1])
        );
        stack.up();
        let objects = stack.objects();
        let hash = objects
            .lines()
            .find_map(|name| name.strip_prefix("STACK-web-conf-"));
        assert_eq!(objects.replace(hash.unwrap_or_default(), "HASH"), WHOLE);
    }
}
