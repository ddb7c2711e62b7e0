//! A service reaches the ready replicas of its pod, and says what stands in its way.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::stack::{TestStack, docker, eventually};
use crate::motif::engine_is_wanted;

/// Asks over plain HTTP; the whole answer, if one came.
pub fn try_get(address: &str, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(10))).ok()?;
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n"
    )
    .ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    answer.starts_with("HTTP/1.1 200").then_some(answer)
}

#[track_caller]
pub fn get(address: &str, path: &str) -> String {
    try_get(address, path).unwrap_or_else(|| panic!("{address}{path} gave no 200"))
}

const SERVICE: &str = "
pods:
  web:
    replicas: 2
    grace: 3s
    containers:
      app:
        block: http-echo
        ports: { http: 8080 }
        ready: { http: /readyz, port: http, every: 1s }
services:
  web: { pod: web, ports: { http: { port: 80, target: http } }, publish: { http: 0 } }
";

fn hosts(address: &str) -> Vec<String> {
    let answers = (0..10).filter_map(|_| try_get(address, "/"));
    let host = |answer: String| {
        let line = answer
            .lines()
            .find(|line| line.contains("\"host\": \"web-"))
            .map(str::to_owned);
        line.unwrap_or_else(|| panic!("{answer}")).trim().to_owned()
    };
    let mut hosts: Vec<String> = answers.map(host).collect();
    hosts.sort();
    hosts.dedup();
    hosts
}

#[test]
fn several_replicas_stand_behind_one_address() {
    if !engine_is_wanted() {
        return;
    }
    let stack = TestStack::new(SERVICE);
    let up = stack.up();
    let address = up
        .stdout
        .trim()
        .strip_prefix("http://")
        .unwrap_or_else(|| panic!("{up}"));
    eventually("both replicas answer", || hosts(address).len() == 2);
    assert_eq!(stack.objects(), "STACK\nSTACK-web\nSTACK-web-0\nSTACK-web-1");

    let scaled = stack.run(&["up", "-d", "--wait", "--scale", "web=1"]).success();
    let address = scaled
        .stdout
        .trim()
        .strip_prefix("http://")
        .unwrap_or_else(|| panic!("{scaled}"));
    assert_eq!(stack.objects(), "STACK\nSTACK-web\nSTACK-web-0");
    eventually("one replica answers", || hosts(address).len() == 1);
}

#[test]
fn names_of_services_and_replicas_resolve_in_the_stack() {
    if !engine_is_wanted() {
        return;
    }
    let stack = TestStack::new(
        "
pods:
  cache:
    replicas: 2
    stable: true
    containers:
      app: { block: http-echo, ports: { http: 8080 } }
  one:
    containers:
      app: { block: http-echo, ports: { http: 8080 } }
  client:
    grace: 0s
    containers:
      app: { image: 'debian:bookworm-slim', user: 65532, command: [sleep, '1000'] }
services:
  cache: { pod: cache, headless: true, ports: { http: 8080 } }
  one: { pod: one, ports: { http: 8080 } }
",
    );
    stack.up();
    let client = format!("{}-client-0", stack.name);
    let addresses = |name: &str| {
        let text = docker(&["exec", &client, "getent", "ahostsv4", name]);
        let mut found: Vec<String> = text
            .lines()
            .filter_map(|line| line.split(' ').next())
            .map(str::to_owned)
            .collect();
        found.sort();
        found.dedup();
        found
    };
    let address_of = |name: &str| {
        let networks = &stack.inspect(name)["NetworkSettings"]["Networks"];
        networks[&stack.name]["IPAddress"].as_str().unwrap().to_owned()
    };
    assert_eq!(addresses("cache-0.cache"), [address_of("cache-0")]);
    assert_eq!(addresses("cache-1.cache"), [address_of("cache-1")]);
    assert_eq!(addresses("cache").len(), 2);
    assert_eq!(addresses("one"), [address_of("one-0")]);
}

#[test]
fn a_port_that_a_program_has_is_found_before_anything_is_made() {
    if !engine_is_wanted() {
        return;
    }
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let stack = TestStack::new(&SERVICE.replace("http: 0 }", &format!("http: {port} }}")));
    let up = stack.run(&["up", "-d"]).code(1);
    assert!(
        up.stderr
            .contains(&format!("port {port} of 127.0.0.1 is taken by `")),
        "{up}"
    );
    assert!(
        up.stderr.contains(&format!("(process {})", std::process::id())),
        "{up}"
    );
    assert_eq!(stack.objects(), "");
}

#[test]
fn a_port_that_another_stack_has_is_found_and_its_container_named() {
    if !engine_is_wanted() {
        return;
    }
    let free = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let text = SERVICE.replace("http: 0 }", &format!("http: {free} }}"));
    let first = TestStack::new(&text);
    first.up();
    let second = TestStack::new(&text);
    let up = second.run(&["up", "-d"]).code(1);
    let wanted = format!(
        "port {free} of 127.0.0.1 is taken by container `{}-web`",
        first.name
    );
    assert!(up.stderr.contains(&wanted), "{up}");
    assert_eq!(second.objects(), "");
}

#[test]
fn a_container_of_somebody_else_is_never_touched() {
    if !engine_is_wanted() {
        return;
    }
    let stack = TestStack::new(SERVICE);
    let name = format!("{}-web-1", stack.name);
    let id = docker(&["create", "--name", &name, "debian:bookworm-slim", "true"]);
    let up = stack.run(&["up", "-d"]);
    let down = stack.run(&["down", "--volumes"]);
    let after = docker(&["container", "inspect", "--format", "{{.Id}}", &name]);
    docker(&["rm", &name]);
    assert_eq!(id, after);
    assert!(
        up.stderr
            .contains(&format!("container `{name}` exists and is not motif's")),
        "{up}"
    );
    up.code(1);
    down.success();
    assert_eq!(stack.objects(), "");
}

/// Asks a service again and again, a connection for each request, at a steady rate.
struct Load {
    stop: Arc<AtomicBool>,
    asker: Option<std::thread::JoinHandle<(usize, Vec<String>)>>,
}

impl Load {
    /// `per_second` requests to `address`, from several threads, so that a slow answer holds no other up.
    fn start(address: &str, per_second: u32) -> Self {
        const ASKERS: u32 = 8;
        let stop = Arc::new(AtomicBool::new(false));
        let (address, told) = (address.to_owned(), Arc::clone(&stop));
        let asker = std::thread::spawn(move || {
            let period = Duration::from_secs(1) * ASKERS / per_second;
            let askers: Vec<_> = (0..ASKERS)
                .map(|number| {
                    let (address, told) = (address.clone(), Arc::clone(&told));
                    std::thread::spawn(move || {
                        let mut lost = Vec::new();
                        let mut asked = 0;
                        let mut next = Instant::now() + period * number / ASKERS;
                        while !told.load(Ordering::Relaxed) {
                            std::thread::sleep(next.saturating_duration_since(Instant::now()));
                            next += period;
                            asked += 1;
                            if try_get(&address, "/").is_none() {
                                lost.push(format!("{:?}", std::time::SystemTime::now()));
                            }
                        }
                        (asked, lost)
                    })
                })
                .collect();
            askers
                .into_iter()
                .fold((0, Vec::new()), |(asked, mut lost), asker| {
                    let (more, further) = asker.join().unwrap();
                    lost.extend(further);
                    (asked + more, lost)
                })
        });
        Self {
            stop,
            asker: Some(asker),
        }
    }

    /// How many requests there were, and when some got no answer.
    fn end(mut self) -> (usize, Vec<String>) {
        self.stop.store(true, Ordering::Relaxed);
        self.asker.take().unwrap().join().unwrap()
    }
}

#[test]
fn a_rolling_change_loses_no_request() {
    if !engine_is_wanted() {
        return;
    }
    let text = SERVICE.replace("replicas: 2", "replicas: 3");
    let stack = TestStack::new(&text);
    let up = stack.up();
    let address = up.stdout.trim().strip_prefix("http://").unwrap().to_owned();
    let before: Vec<_> = ["web-0", "web-1", "web-2", "web"]
        .map(|name| stack.life(name))
        .to_vec();
    let load = Load::start(&address, 200);
    std::thread::sleep(Duration::from_millis(300));
    stack.write(&text.replace("block: http-echo", "block: http-echo\n        env: { MODE: new }"));
    let plan = stack.run(&["up", "--dry-run"]).success().stdout;
    assert!(plan.contains("env MODE added: \"new\""), "{plan}");
    assert!(plan.contains(". wait pod web-2: for turn 3"), "{plan}");
    stack.run(&["up", "-d"]).success();
    std::thread::sleep(Duration::from_millis(300));
    let (asked, lost) = load.end();
    assert!(asked > 100, "{asked}");
    assert!(lost.is_empty(), "{} of {asked} lost: {lost:?}", lost.len());
    let after: Vec<_> = ["web-0", "web-1", "web-2", "web"]
        .map(|name| stack.life(name))
        .to_vec();
    for (before, after) in before.iter().zip(&after).take(3) {
        assert_ne!(before, after, "every replica is another one");
    }
    assert_eq!(before[3], after[3], "what holds the service stays");
}

#[test]
fn a_change_that_never_gets_ready_leaves_the_other_replicas_alone() {
    if !engine_is_wanted() {
        return;
    }
    let stack = TestStack::new(SERVICE);
    let up = stack.up();
    let address = up.stdout.trim().strip_prefix("http://").unwrap().to_owned();
    let second = stack.life("web-1");
    stack.write(&SERVICE.replace(
        "block: http-echo",
        "block: http-echo\n        args: { ready-file: /nowhere }",
    ));
    let changed = stack.run(&["up", "-d", "--wait-timeout", "3s"]).code(1);
    assert!(
        changed.stderr.contains("container `web-0/app` is not ready"),
        "{changed}"
    );
    assert_eq!(stack.life("web-1"), second);
    for _ in 0..20 {
        assert!(get(&address, "/").contains("\"host\": \"web-1\""));
    }
}

/// Three replicas whose readiness each says in a file of its own; `READY` is the probe.
const THREE: &str = "
pods:
  web:
    replicas: 3
    stable: true
    grace: 0s
    containers:
      app:
        image: debian:bookworm-slim
        user: 65532
        command: [/.motif/motif, block, http-echo, --listen=8080, --ready-file=/state/ready]
        ports: { http: 8080, admin: 9900 }
        mounts: { state: /state }
        ready: READY
    volumes: { state: empty }
services:
  web: { pod: web, ports: { http: 8080 }, publish: { http: 0 } }
";

fn three(ready: &str) -> (TestStack, String) {
    let stack = TestStack::new(&THREE.replace("READY", ready));
    stack.run(&["up", "-d"]).success();
    for index in 0..3 {
        mark(&stack, index, true);
    }
    let up = stack.up();
    let address = up.stdout.trim().strip_prefix("http://").unwrap().to_owned();
    eventually("all replicas answer", || hosts(&address).len() == 3);
    (stack, address)
}

fn mark(stack: &TestStack, index: u32, is_ready: bool) {
    let name = format!("{}-web-{index}", stack.name);
    let command = if is_ready {
        "touch /state/ready"
    } else {
        "rm /state/ready"
    };
    docker(&["exec", &name, "sh", "-c", command]);
}

/// Asks many times over few threads, and counts which replica answered; what got no answer counts as nobody.
fn count(address: &str, requests: usize) -> BTreeMap<String, usize> {
    let askers: Vec<_> = (0..8)
        .map(|_| {
            let address = address.to_owned();
            std::thread::spawn(move || {
                let mut counted: BTreeMap<String, usize> = BTreeMap::new();
                for _ in 0..requests / 8 {
                    let answer = try_get(&address, "/").unwrap_or_default();
                    let host = answer
                        .split("\"host\": \"")
                        .nth(1)
                        .and_then(|rest| rest.split('"').next());
                    *counted.entry(host.unwrap_or("nobody").to_owned()).or_default() += 1;
                }
                counted
            })
        })
        .collect();
    let mut counted = BTreeMap::new();
    for asker in askers {
        for (host, count) in asker.join().unwrap() {
            *counted.entry(host).or_default() += count;
        }
    }
    counted
}

#[test]
fn an_unready_replica_of_three_receives_nothing() {
    if !engine_is_wanted() {
        return;
    }
    // By HTTP, by a command, and in a way of the kubelet's: with a header that the probe needs.
    for ready in [
        "{ http: /readyz, port: admin, every: 1s }",
        "{ exec: [test, -f, /state/ready], every: 1s }",
    ] {
        let (stack, address) = three(ready);
        mark(&stack, 1, false);
        // One period of the probe, and a moment for the engine to run what was typed.
        std::thread::sleep(Duration::from_millis(1500));
        let counted = count(&address, 10_000);
        assert_eq!(counted.get("web-1"), None, "{ready}: {counted:?}");
        assert_eq!(counted.get("nobody"), None, "{ready}: {counted:?}");
        assert!(
            counted["web-0"] > 4_000 && counted["web-2"] > 4_000,
            "{ready}: {counted:?}"
        );
        mark(&stack, 1, true);
        std::thread::sleep(Duration::from_millis(1500));
        let counted = count(&address, 300);
        assert!(counted.contains_key("web-1"), "{ready}: {counted:?}");
    }
}

#[test]
fn a_paused_replica_receives_nothing_after_one_period() {
    if !engine_is_wanted() {
        return;
    }
    let (stack, address) = three("{ http: /readyz, port: admin, every: 1s }");
    let name = format!("{}-web-1", stack.name);
    docker(&["pause", &name]);
    std::thread::sleep(Duration::from_secs(1));
    let counted = count(&address, 2_000);
    docker(&["unpause", &name]);
    assert_eq!(counted.get("web-1"), None, "{counted:?}");
    assert_eq!(counted.get("nobody"), None, "{counted:?}");
    eventually("it is back", || count(&address, 96).contains_key("web-1"));
}

#[test]
fn every_container_of_a_replica_has_to_be_ready() {
    if !engine_is_wanted() {
        return;
    }
    let stack = TestStack::new(
        "
pods:
  web:
    replicas: 2
    grace: 0s
    containers:
      app:
        block: http-echo
        ports: { http: 8080 }
        ready: { http: /, port: http, every: 1s }
      side:
        image: debian:bookworm-slim
        user: 65532
        command: [sleep, '1000']
        ready: { exec: [sh, -c, 'test $(hostname) = web-0'], every: 1s }
services:
  web: { pod: web, ports: { http: 8080 }, publish: { http: 0 } }
",
    );
    let up = stack.run(&["up", "-d"]).success();
    let address = up.stdout.trim().strip_prefix("http://").unwrap().to_owned();
    eventually("the one that is ready answers", || {
        try_get(&address, "/").is_some()
    });
    std::thread::sleep(Duration::from_secs(2));
    let counted = count(&address, 400);
    assert_eq!(
        counted.into_iter().collect::<Vec<_>>(),
        [("web-0".to_owned(), 400)]
    );
}

#[test]
fn a_client_keeps_its_replica_where_that_is_asked_for() {
    if !engine_is_wanted() {
        return;
    }
    let text = SERVICE
        .replace("replicas: 2", "replicas: 3")
        .replace("http: 0 } }", "http: 0 }, affinity: client }");
    let stack = TestStack::new(&text);
    let up = stack.up();
    let address = up.stdout.trim().strip_prefix("http://").unwrap();
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(count(address, 200).len(), 1);
}
