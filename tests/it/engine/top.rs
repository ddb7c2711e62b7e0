//! `motif top` shows what pods use and serve.

use std::process::Stdio;

use serde_json::Value;

use super::stack::{TestStack, docker, eventually};
use crate::motif::{Terminal, engine_is_wanted};

const STACK: &str = "
pods:
  web:
    grace: 0s
    replicas: 2
    containers:
      app: { block: http-echo, ports: { http: 8080 }, resources: { memory: 64Mi } }
  busy:
    grace: 0s
    containers:
      app:
        image: debian:bookworm-slim
        user: 65532
        command: [sh, -c, 'while :; do :; done']
        resources: { cpu: 200m }
  other:
    grace: 0s
    containers:
      app: { image: 'debian:bookworm-slim', user: 65532, command: [sleep, '1000'] }
services:
  web: { pod: web, ports: { http: { port: 80, target: http } }, publish: { http: 0 } }
";

/// Asks a service again and again, half of it for an error; killed when dropped.
struct Load(std::process::Child);

impl Load {
    fn new(url: &str) -> Self {
        let script =
            format!("while :; do curl -s -o /dev/null {url}/echo?latency=20ms {url}/echo?status=503; done");
        let process = std::process::Command::new("sh")
            .args(["-c", &script])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self(process)
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn row<'a>(document: &'a Value, pod: &str) -> &'a Value {
    document
        .as_array()
        .unwrap()
        .iter()
        .find(|row| row["pod"] == pod)
        .unwrap()
}

#[test]
fn what_pods_use_and_serve_is_measured() {
    if !engine_is_wanted() {
        return;
    }
    let stack = TestStack::new(STACK);
    let up = stack.up();
    let _load = Load::new(up.stdout.trim());
    eventually("requests are counted", || {
        let shown = stack.run(&["top", "--format", "json"]).success();
        let document: Value = serde_json::from_str(&shown.stdout).unwrap();
        // What passes on connections counts no requests.
        assert!(row(&document, "service/web")["requestsPerSecond"].is_null());
        let number = |pod: &str, field: &str| row(&document, pod)[field].as_f64().unwrap_or_default();
        let busy = row(&document, "busy-0");
        let memory = row(&document, "web-0")["memory"].as_u64().unwrap();
        assert_eq!(row(&document, "web-0")["memoryLimit"], 64 << 20);
        assert!(busy["requestsPerSecond"].is_null() && row(&document, "other-0")["p99"].is_null());
        assert!((1 << 20..64 << 20).contains(&memory), "{memory}");
        // The limit is 0.2 cores; half of the requests fail; half take 20 ms.
        (0.1..0.3).contains(&number("busy-0", "cpu"))
            && ["web-0", "web-1"].into_iter().all(|pod| {
                number(pod, "requestsPerSecond") > 1.0
                    && (0.3..0.7).contains(&number(pod, "errors"))
                    && number(pod, "p99") > 0.01
            })
    });
    let table = stack.run(&["top", "web", "busy-0"]).success().stdout;
    assert!(
        table.starts_with("POD          READY  STATUS   RESTARTS  CPU"),
        "{table}"
    );
    assert!(
        !table.contains("other-0") && table.contains("web-1") && table.contains("busy-0"),
        "{table}"
    );
}

#[test]
fn it_lives_on_a_terminal_until_q_and_leaves_no_program_behind() {
    if !engine_is_wanted() {
        return;
    }
    let stack = TestStack::new(STACK);
    stack.up();
    let programs = || docker(&["top", &format!("{}-web-0", stack.name), "-eo", "pid,args"]);
    let mut top = Terminal::new(&stack.workspace, &["top"]);
    top.expect("busy-0");
    top.expect("REQ/S");
    eventually("the metrics are read", || programs().contains("scrape"));
    // Another replica shows up by itself.
    stack.run(&["scale", "web=3"]).success();
    top.expect("web-2");
    top.send("q");
    assert_eq!(top.end(), 0);
    eventually("nothing is left", || !programs().contains("scrape"));
}
