//! The Compose export of every pattern comes up on the real engine, and answers as under `motif up`.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use super::compose::compose;
use super::patterns::{copy, projects};
use crate::motif::{Workspace, engine_is_wanted};

/// How many patterns are tried at a time: most of the time is spent waiting.
const AT_ONCE: usize = 6;

/// What is asked of a pattern.
struct Question {
    /// The golden project.
    project: &'static str,
    /// A service to publish, where the pattern publishes none: its name and its port's.
    publish: Option<(&'static str, &'static str)>,
    /// The published port of the container.
    port: u16,
    /// What is asked there.
    request: Request,
    /// What the answer has to have in it.
    expect: &'static str,
    /// A probe from inside the application's container, for what only the pod can reach.
    inside: &'static [&'static str],
}

enum Request {
    /// By curl.
    Http(&'static str),
    /// As bytes.
    Tcp(&'static str),
}

use Request::{Http, Tcp};

const fn question(project: &'static str, port: u16, request: Request, expect: &'static str) -> Question {
    Question {
        project,
        publish: None,
        port,
        request,
        expect,
        inside: &[],
    }
}

const TCP: &[&str] = &["tcp", "--host=127.0.0.1", "--port=6379"];
const HTTP: &[&str] = &["http", "--host=127.0.0.1", "--port=8081"];

const QUESTIONS: &[Question] = &[
    Question {
        publish: Some(("app", "app")),
        ..question(
            "adapter-health-block",
            6379,
            Tcp("PING\r\nSET shop open\r\nGET shop\r\n"),
            "open",
        )
    },
    question("adapter-logs-block", 8080, Http("http:/a"), "\"path\": \"/a\""),
    question("adapter-metrics-block", 9121, Http("http:/metrics"), "redis_up 1"),
    Question {
        inside: TCP,
        ..question(
            "ambassador-broker-block",
            8080,
            Http("http:/a"),
            "\"path\": \"/a\"",
        )
    },
    Question {
        inside: TCP,
        ..question(
            "ambassador-shard-block",
            8080,
            Http("http:/a"),
            "\"path\": \"/a\"",
        )
    },
    Question {
        inside: HTTP,
        ..question(
            "ambassador-split-block",
            8080,
            Http("http:/a"),
            "\"path\": \"/a\"",
        )
    },
    Question {
        inside: HTTP,
        ..question("ambassador-tee-block", 8080, Http("http:/a"), "\"path\": \"/a\"")
    },
    question("container-block", 8080, Http("http:/a"), "\"path\": \"/a\""),
    Question {
        publish: Some(("web", "http")),
        ..question("sidecar-config-sync-block", 8080, Http("http:/"), "200")
    },
    question("sidecar-git-sync-block", 8080, Http("http:/"), "200"),
    question(
        "sidecar-introspect-block",
        8089,
        Http("http:/topz?format=json"),
        "http-echo",
    ),
    question("sidecar-tls-block", 8443, Http("https:/a"), "\"path\": \"/a\""),
    question(
        "rest",
        8080,
        Http("http:/files/word"),
        "costs $5 or ${A}\nopen sesame\nPRICE=$5 ${A} $(b)\n",
    ),
];

/// What no pattern has, all at once: an image without a probe, an init container, a job, and files of every kind.
const REST: &str = r#"
stack: rest
pods:
  web:
    containers:
      prepare:
        image: debian:bookworm-slim
        role: init
        user: 1000
        command: [sh, -c, "cat /conf/price /keys/word > /data/word; env | grep PRICE >> /data/word; touch /scratch/here"]
        env: { PRICE: "$5 $${A} $(b)" }
        mounts: { conf: /conf, keys: /keys, data: /data, scratch: /scratch }
      idle:
        image: debian:bookworm-slim
        user: 1000
        command: [sleep, "600"]
        mounts: { shared: /shared }
      app:
        block: http-echo
        args: { listen: 8080, serve: /data }
        ports: { http: 8080 }
        user: 1000
        mounts: { data: /data, shared: /shared }
        ready: { http: /readyz, port: http, every: 1s }
    volumes:
      conf: { config: { price: "costs $5 or $${A}\n" } }
      keys: { secret: key }
      data: { claim: 1Mi }
      scratch: empty
      shared: tmpfs
services:
  web: { pod: web, ports: { http: 8080 }, publish: { http: 0 } }
jobs:
  once:
    completions: 2
    indexed: true
    containers: { app: { image: "debian:bookworm-slim", user: 1000, command: [sh, -c, "test $JOB_COMPLETION_INDEX -lt 2"] } }
secrets:
  key: { files: { word: secrets/word } }
"#;

/// A pattern's project, up under `motif` and under Compose; both are taken down at the end.
struct Pair {
    workspace: Workspace,
    name: String,
}

impl Pair {
    fn motif(&self, arguments: &[&str]) -> crate::motif::Output {
        let mut words = arguments.to_vec();
        words.extend(["-p", &self.name]);
        self.workspace.run(&words)
    }

    fn compose_name(&self) -> String {
        format!("{}c", self.name)
    }

    fn compose(&self, arguments: &[&str]) -> Result<(), String> {
        let name = self.compose_name();
        let output = compose(self.workspace.path(), &[&["-p", &name], arguments].concat())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        output.status.success().then_some(()).ok_or(said)
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        let motif = self.motif(&["down", "--volumes", "-t", "1"]);
        let composed = self.compose(&["down", "--volumes", "-t", "1"]);
        if !std::thread::panicking() {
            motif.success();
            composed.unwrap();
        }
    }
}

/// The host's port for a port of a project's containers.
fn host_port(project: &str, port: u16) -> u16 {
    let output = Command::new("docker")
        .args(["ps", "--format", "{{.Ports}}", "--filter"])
        .arg(format!("label=com.docker.compose.project={project}"))
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let end = format!("->{port}/tcp");
    let found = text
        .split([',', '\n'])
        .find_map(|entry| entry.trim().strip_suffix(&end)?.rsplit_once(':'));
    let (_, found) = found.unwrap_or_else(|| panic!("{project} publishes no {port}: {text}"));
    found.parse().unwrap()
}

/// The answer, without what differs from one time to the next: addresses, ports, times, counts.
fn answer(request: &Request, port: u16) -> String {
    match request {
        Tcp(bytes) => {
            let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
            stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
            stream.write_all(bytes.as_bytes()).unwrap();
            let mut text = String::new();
            let mut piece = [0; 256];
            let deadline = Instant::now() + Duration::from_secs(10);
            while !text.ends_with("open\r\n") && Instant::now() < deadline {
                let read = stream.read(&mut piece).unwrap();
                text.push_str(&String::from_utf8_lossy(&piece[..read]));
            }
            text
        }
        Http(request) => {
            let (scheme, path) = request.split_once(':').unwrap();
            let output = Command::new("curl")
                .args([
                    "-sk",
                    "--max-time",
                    "10",
                    "-w",
                    "\n%{http_code} %{content_type}\n",
                ])
                .arg(format!("{scheme}://127.0.0.1:{port}{path}"))
                .output()
                .unwrap();
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            if path.starts_with("/topz") {
                let programs = ["http-echo", "topz", "pause", "init"].map(|name| (name, text.contains(name)));
                return format!("{programs:?}");
            }
            let varies = [
                "\"host\": ",
                "\"client\": ",
                "\"x-forwarded-for\": ",
                "\"x-forwarded-host\": ",
                "\"traceparent\": ",
                "\"x-request-id\": ",
                "_seconds",
                "_total",
                "_clients",
                "_bytes",
            ];
            let lines = text
                .lines()
                .filter(|line| !varies.iter().any(|word| line.contains(word)));
            lines.collect::<Vec<_>>().join("\n")
        }
    }
}

/// What a probe from inside the application's container says.
fn inside(container: &str, probe: &[&str]) -> String {
    if probe.is_empty() {
        return String::new();
    }
    let output = Command::new("docker")
        .args(["exec", container, "/.motif/motif", "block", "probe"])
        .args(probe)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{container}: {said}");
    said
}

/// Brings a pattern up both ways, and compares their answers.
fn compare(question: &Question, folder: &std::path::Path, number: usize) {
    let name = format!("cp{}x{number}", std::process::id());
    let pair = Pair {
        workspace: Workspace::new().with_engine(),
        name,
    };
    copy(folder, folder, &pair.workspace);
    if let Some((service, port)) = question.publish {
        let fragment = format!("services: {{ {service}: {{ publish: {{ {port}: 0 }} }} }}\n");
        pair.workspace.write("publish.yaml", fragment);
        let stack = pair.workspace.read("stack.yaml") + "\ninclude: [publish.yaml]\n";
        pair.workspace.write("stack.yaml", stack);
    }
    let stack = pair.workspace.read("stack.yaml");
    let mut free: Vec<&str> = Vec::new();
    for (parameter, set) in [("\n  port: ", "port=0"), ("\n  topz: ", "topz=0")] {
        if stack.contains(parameter) {
            free.extend(["--set", set]);
        }
    }
    let with = |words: &[&'static str]| [words, free.as_slice()].concat();
    pair.motif(&with(&["up", "-d"])).success();
    pair.motif(&with(&["export", "compose", "-o", "compose.yaml"]))
        .success();
    if let Err(said) = pair.compose(&["up", "--detach", "--wait"]) {
        panic!("{}: {said}", question.project);
    }
    let both = [pair.name.clone(), pair.compose_name()];
    let answers = both
        .each_ref()
        .map(|project| answer(&question.request, host_port(project, question.port)));
    assert!(
        answers[0].contains(question.expect),
        "{}: {}",
        question.project,
        answers[0]
    );
    assert_eq!(answers[0], answers[1], "{}", question.project);
    let containers = [
        format!("{}-web-0-app", pair.name),
        format!("{}-web-0-app-1", pair.compose_name()),
    ];
    let said = containers
        .each_ref()
        .map(|container| inside(container, question.inside));
    assert_eq!(said[0], said[1], "{}", question.project);
}

#[test]
fn every_pattern_comes_up_under_compose_and_answers_the_same() {
    if !engine_is_wanted() {
        return;
    }
    let rest = tempfile::tempdir().unwrap();
    std::fs::create_dir(rest.path().join("secrets")).unwrap();
    std::fs::write(rest.path().join("stack.yaml"), REST).unwrap();
    std::fs::write(rest.path().join("secrets/word"), "open sesame\n").unwrap();
    let projects: BTreeMap<_, _> = projects()
        .into_iter()
        .filter(|(name, _)| name.ends_with("-block"))
        .chain([("rest".to_owned(), rest.path().to_owned())])
        .collect();
    let asked: BTreeSet<&str> = QUESTIONS.iter().map(|question| question.project).collect();
    let there: BTreeSet<&str> = projects.keys().map(String::as_str).collect();
    assert_eq!(asked, there, "each pattern is asked something");
    Workspace::new()
        .with_engine()
        .run(&["images", "--load"])
        .success();
    let left = Mutex::new(QUESTIONS.iter().enumerate());
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let next = left.lock().unwrap().next();
                    let Some((number, question)) = next else { return };
                    compare(question, &projects[question.project], number);
                }
            });
        }
    });
}
