//! A pod's containers share network and fate, start and stop in order, and a failure says why.

use std::process::Stdio;

use super::stack::{TestStack, crash, docker, eventually};
use crate::motif::engine_is_wanted;

const POD: &str = "
pods:
  web:
    grace: 3s
    containers:
      app:
        block: http-echo
        args: { listen: '127.0.0.1:8080', admin: '127.0.0.1:9901' }
        ports: { app: { port: 8080, local: true } }
      tls:
        block: proxy
        role: sidecar
        args: { listen: '8443', upstream: '127.0.0.1:8080' }
        ports: { http: 8443 }
        startup: { http: /livez, port: 9900, every: 1s, failures: 30 }
        ready: { http: /readyz, port: 9900 }
services:
  web: { pod: web, ports: { http: 8443 }, publish: { http: 0 } }
";

fn stack() -> TestStack {
    TestStack::new(&POD.replace(
        "upstream: '127.0.0.1:8080'",
        "upstream: '127.0.0.1:8080', admin: '0.0.0.0:9900'",
    ))
}

#[test]
fn up_serves_and_down_leaves_nothing() {
    if !engine_is_wanted() {
        return;
    }
    let stack = stack();
    let up = stack.up();
    let address = up
        .stdout
        .trim()
        .strip_prefix("http://")
        .unwrap_or_else(|| panic!("{up}"));
    assert!(super::services::get(address, "/").contains("\"host\": \"web-0\""));
    assert_eq!(
        stack.objects(),
        "STACK\nSTACK-web-0\nSTACK-web-0-app\nSTACK-web-0-tls\nSTACK-web-0-tls.restarts"
    );
    stack.run(&["down"]).success();
    assert_eq!(stack.objects(), "");
    let again = stack.run(&["down"]).success();
    assert!(again.stderr.contains("nothing of stack"), "{again}");
}

#[test]
fn down_needs_no_stack_file_when_it_has_a_name() {
    if !engine_is_wanted() {
        return;
    }
    let stack = stack();
    stack.up();
    std::fs::remove_file(stack.workspace.path().join("stack.yaml")).unwrap();
    stack.run(&["down", "-p", &stack.name, "-t", "0"]).success();
    assert_eq!(stack.objects(), "");
}

#[test]
fn a_sidecar_is_started_before_and_stopped_after_the_main_container() {
    if !engine_is_wanted() {
        return;
    }
    let stack = stack();
    // Attached: Ctrl-C stops it and leaves the containers, with the moments of their end.
    let mut child = stack
        .workspace
        .command(&["up"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    eventually("the app runs", || {
        let list = docker(&["ps", "--format", "{{.Names}}"]);
        list.lines()
            .any(|name| name == format!("{}-web-0-app", stack.name))
    });
    let (_, app_started) = stack.life("web-0-app");
    let (_, tls_started) = stack.life("web-0-tls");
    assert!(tls_started < app_started, "{tls_started} {app_started}");
    // The signal has to find the program listening for it.
    std::thread::sleep(std::time::Duration::from_secs(2));
    docker_free_interrupt(child.id());
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let ended = |name: &str| {
        stack.inspect(name)["State"]["FinishedAt"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    assert!(ended("web-0-app") < ended("web-0-tls"));
    assert!(ended("web-0-tls") < ended("web-0"));
    for name in ["web-0-app", "web-0-tls", "web-0"] {
        let found = stack.inspect(name);
        assert_eq!(found["State"]["ExitCode"], 0, "{name}");
    }
}

fn docker_free_interrupt(process: u32) {
    let status = std::process::Command::new("kill")
        .args(["-INT", &process.to_string()])
        .status()
        .unwrap();
    assert!(status.success());
}

#[test]
fn a_crashed_sidecar_leaves_the_app_and_its_network_alone() {
    if !engine_is_wanted() {
        return;
    }
    let stack = stack();
    let up = stack.up();
    let address = up.stdout.trim().strip_prefix("http://").unwrap().to_owned();
    let app = stack.life("web-0-app");
    let infra = stack.life("web-0");
    let (_, before) = stack.life("web-0-tls");
    crash(&stack.inspect("web-0-tls")["State"]["Pid"]);
    eventually("the sidecar runs again", || {
        let found = stack.inspect("web-0-tls");
        found["State"]["Running"] == true && found["State"]["StartedAt"].as_str() != Some(&before)
    });
    eventually("it serves again", || {
        super::services::try_get(&address, "/").is_some()
    });
    assert_eq!(stack.life("web-0-app"), app);
    assert_eq!(stack.life("web-0"), infra);
    let again = stack.run(&["up", "-d", "--dry-run"]).success();
    assert!(
        again.stdout.lines().all(|line| line.starts_with("= keep")),
        "{again}"
    );
}

#[test]
fn a_change_replaces_only_its_container() {
    if !engine_is_wanted() {
        return;
    }
    let stack = stack();
    stack.up();
    let infra = stack.life("web-0");
    let tls = stack.life("web-0-tls");
    let (app, _) = stack.life("web-0-app");
    stack.write(
        &POD.replace("admin: '127.0.0.1:9901'", "admin: '127.0.0.1:9901', message: hi")
            .replace(
                "upstream: '127.0.0.1:8080'",
                "upstream: '127.0.0.1:8080', admin: '0.0.0.0:9900'",
            ),
    );
    stack.up();
    assert_eq!(stack.life("web-0"), infra);
    assert_eq!(stack.life("web-0-tls"), tls);
    assert_ne!(stack.life("web-0-app").0, app);
}

#[test]
fn a_restricted_container_has_nothing_it_does_not_need() {
    if !engine_is_wanted() {
        return;
    }
    let stack = stack();
    stack.up();
    for name in ["web-0", "web-0-app", "web-0-tls"] {
        let found = stack.inspect(name);
        let host = &found["HostConfig"];
        assert_eq!(found["Config"]["User"], "65532:65532", "{name}");
        assert_eq!(host["ReadonlyRootfs"], true, "{name}");
        assert_eq!(host["CapDrop"], serde_json::json!(["ALL"]), "{name}");
        assert_eq!(
            host["SecurityOpt"],
            serde_json::json!(["no-new-privileges:true"]),
            "{name}"
        );
        assert_eq!(host["Privileged"], false, "{name}");
        assert!(!found.to_string().contains("docker.sock"), "{name}");
    }
    let bindings = &stack.inspect("web-0")["HostConfig"]["PortBindings"]["8443/tcp"];
    assert_eq!(bindings[0]["HostIp"], "127.0.0.1");
}

const INIT: &str = "
pods:
  web:
    containers:
      prepare:
        image: debian:bookworm-slim
        role: init
        user: 65532
        command: [sh, -c, 'cat /conf/greeting > /shared/page; echo prepared; exit CODE']
        mounts: { shared: /shared, conf: /conf }
      app:
        image: debian:bookworm-slim
        user: 1234
        command: [sh, -c, 'cat /shared/page; hostname; exec sleep 1000']
        mounts: { shared: { path: /shared, readOnly: true } }
    grace: 0s
    volumes:
      shared: empty
      conf: { config: { greeting: no } }
";

#[test]
fn an_init_container_prepares_what_the_others_find() {
    if !engine_is_wanted() {
        return;
    }
    let stack = TestStack::new(&INIT.replace("CODE", "0"));
    stack.up();
    let name = format!("{}-web-0-app", stack.name);
    eventually("the app wrote", || docker(&["logs", &name]) == "noweb-0\n");
    assert_eq!(stack.inspect("web-0-prepare")["State"]["ExitCode"], 0);
    let plan = stack.run(&["up", "--dry-run"]).success();
    assert!(
        plan.stdout.lines().all(|line| line.starts_with("= keep")),
        "{plan}"
    );
}

#[test]
fn a_failed_init_container_stops_the_pod_and_runs_again_next_time() {
    if !engine_is_wanted() {
        return;
    }
    let stack = TestStack::new(&INIT.replace("CODE", "3"));
    let up = stack.run(&["up", "-d"]).code(1);
    assert!(
        up.stderr
            .contains("container `web-0/prepare` ended with exit code 3"),
        "{up}"
    );
    assert!(up.stderr.contains("\n    prepared\n"), "{up}");
    assert!(up.stderr.contains("motif logs web-0/prepare"), "{up}");
    assert_eq!(stack.inspect("web-0-app")["State"]["Status"], "created");
    stack.write(&INIT.replace("CODE", "0"));
    stack.up();
    assert_eq!(stack.inspect("web-0-app")["State"]["Status"], "running");
}

#[test]
fn a_crashing_container_says_how_it_ended_and_what_it_wrote() {
    if !engine_is_wanted() {
        return;
    }
    let stack = TestStack::new(
        "
pods:
  web:
    grace: 0s
    containers:
      app:
        image: debian:bookworm-slim
        user: 65532
        command: [sh, -c, 'echo no database >&2; exit 7']
        ready: { exec: ['true'], successes: 1000 }
",
    );
    let up = stack.run(&["up", "-d", "--wait"]).code(1);
    assert!(
        up.stderr.contains("container `web-0/app` ends again and again: "),
        "{up}"
    );
    assert!(up.stderr.contains("last with exit code 7"), "{up}");
    assert!(up.stderr.contains("\n    no database\n"), "{up}");
}

#[test]
fn a_probe_that_never_passes_says_its_last_answer() {
    if !engine_is_wanted() {
        return;
    }
    let stack = TestStack::new(
        "
pods:
  web:
    grace: 0s
    containers:
      app:
        image: debian:bookworm-slim
        user: 65532
        command: [sleep, '1000']
        ports: { http: 8080 }
        ready: { http: /, port: http }
",
    );
    let up = stack.run(&["up", "-d", "--wait", "--wait-timeout", "2s"]).code(1);
    assert!(up.stderr.contains("container `web-0/app` is not ready"), "{up}");
    assert!(up.stderr.contains("its probe said: "), "{up}");
    assert!(up.stderr.contains("refused"), "{up}");
}

#[test]
fn a_restricted_image_that_is_root_is_refused_before_anything_is_made() {
    if !engine_is_wanted() {
        return;
    }
    let stack = TestStack::new(
        "
pods:
  web:
    containers:
      app: { image: 'debian:bookworm-slim', command: [sleep, '1000'] }
",
    );
    let up = stack.run(&["up", "-d"]).code(1);
    assert!(up.stderr.contains("runs as root"), "{up}");
    assert!(up.stderr.contains("security: baseline"), "{up}");
    assert_eq!(stack.objects(), "");
}

#[test]
fn a_local_port_that_everybody_can_reach_is_warned_of() {
    if !engine_is_wanted() {
        return;
    }
    let stack = TestStack::new(
        "
pods:
  web:
    containers:
      app:
        block: http-echo
        args: { listen: '0.0.0.0:8080' }
        ports: { app: { port: 8080, local: true } }
",
    );
    let up = stack.up();
    assert!(
        up.stderr
            .contains("warning: port `app` (8080) of container `web/app` is meant for its own pod"),
        "{up}"
    );
    assert!(up.stderr.contains("bind 127.0.0.1:8080"), "{up}");
}

#[test]
fn a_claim_stays_until_it_is_asked_for() {
    if !engine_is_wanted() {
        return;
    }
    let stack = TestStack::new(
        "
pods:
  db:
    grace: 0s
    stable: true
    containers:
      app:
        image: debian:bookworm-slim
        user: 65532
        command: [sh, -c, 'echo more >> /data/log; exec sleep 1000']
        ready: { exec: [test, -s, /data/log] }
        mounts: { data: /data }
    volumes: { data: { claim: 1Gi } }
",
    );
    stack.up();
    let down = stack.run(&["down"]).success();
    assert!(down.stderr.contains("--volumes"), "{down}");
    assert_eq!(stack.objects(), "STACK-db-0-data");
    stack.up();
    assert_eq!(stack.read("db-0", "/data/log"), "more\nmore\n");
    stack.run(&["down", "--volumes"]).success();
    assert_eq!(stack.objects(), "");
}

#[test]
fn a_pod_whose_network_is_gone_says_so_and_is_repaired() {
    if !engine_is_wanted() {
        return;
    }
    let stack = stack();
    let up = stack.up();
    let address = up.stdout.trim().strip_prefix("http://").unwrap().to_owned();
    // Twice: the owner ends, and somebody starts it again by hand.
    for by_hand in [false, true] {
        if by_hand {
            std::thread::sleep(std::time::Duration::from_secs(2));
            docker(&["restart", "-t", "0", &format!("{}-web-0", stack.name)]);
        } else {
            crash(&stack.inspect("web-0")["State"]["Pid"]);
            eventually("it shows", || {
                stack.run(&["ps"]).success().stdout.contains("no network")
            });
        }
        assert!(super::services::try_get(&address, "/").is_none());
        let plan = stack.run(&["up", "--dry-run"]).success().stdout;
        assert!(plan.contains("the pod's network is new"), "{plan}");
        let up = stack.up();
        let address = up.stdout.trim().strip_prefix("http://").unwrap();
        super::services::get(address, "/");
    }
}

#[test]
fn a_container_that_lost_the_stacks_network_is_replaced() {
    if !engine_is_wanted() {
        return;
    }
    let stack = stack();
    stack.up();
    docker(&[
        "network",
        "disconnect",
        &stack.name,
        &format!("{}-web-0", stack.name),
    ]);
    let plan = stack.run(&["up", "--dry-run"]).success().stdout;
    assert!(
        plan.contains("it is not connected to the stack's network"),
        "{plan}"
    );
    let up = stack.up();
    super::services::get(up.stdout.trim().strip_prefix("http://").unwrap(), "/");
}
