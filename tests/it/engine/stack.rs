//! A stack with a name of its own, gone when the test ends.

use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::motif::{Output, Workspace};

static NUMBER: AtomicU32 = AtomicU32::new(0);

pub struct TestStack {
    pub workspace: Workspace,
    pub name: String,
}

impl TestStack {
    /// A project with this stack; its first line, `stack:`, is added.
    pub fn new(text: &str) -> Self {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("motif-test-{}-{number}", std::process::id());
        let workspace = Workspace::new().with_engine();
        let stack = Self { workspace, name };
        stack.write(text);
        stack
    }

    /// Replaces the stack.
    pub fn write(&self, text: &str) {
        self.workspace
            .write("stack.yaml", format!("stack: {}\n{text}", self.name));
    }

    /// Adds an environment variable for every command from here on.
    pub fn env(&mut self, name: &str, value: &str) {
        let workspace = std::mem::replace(&mut self.workspace, Workspace::new());
        self.workspace = workspace.env(name, value);
    }

    pub fn run(&self, arguments: &[&str]) -> Output {
        self.workspace.run(arguments)
    }

    /// Brings it up and waits.
    #[track_caller]
    pub fn up(&self) -> Output {
        self.run(&["up", "-d", "--wait"]).success()
    }

    /// What the engine knows of a container: `web-0-app`.
    #[track_caller]
    pub fn inspect(&self, container: &str) -> Value {
        let name = format!("{}-{container}", self.name);
        let text = docker(&["container", "inspect", &name]);
        let found: Value =
            serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}: {text}"));
        found[0].clone()
    }

    /// A container's id and the moment of its start: both change when it is replaced or started again, and both are empty
    /// in the moment in which it is not there.
    #[track_caller]
    pub fn life(&self, container: &str) -> (String, String) {
        let found = self.inspect(container);
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        (text(&found["Id"]), text(&found["State"]["StartedAt"]))
    }

    /// The names of everything of the stack on the engine.
    pub fn objects(&self) -> String {
        let filter = format!("label=dev.motif.stack={}", self.name);
        let list = |words: &[&str]| docker(&[words, &["--filter", &filter]].concat());
        let containers = list(&["ps", "--all", "--format", "{{.Names}}"]);
        let volumes = list(&["volume", "ls", "--format", "{{.Name}}"]);
        let networks = list(&["network", "ls", "--format", "{{.Name}}"]);
        let mut names: Vec<&str> = [&containers, &volumes, &networks]
            .into_iter()
            .flat_map(|text| text.lines())
            .collect();
        names.sort_unstable();
        names.join("\n").replace(&self.name, "STACK")
    }

    /// The content of a file in a container, whatever the container runs; links are followed.
    pub fn read(&self, container: &str, path: &str) -> String {
        let name = format!("{}-{container}:{path}", self.name);
        let archive = Command::new("docker")
            .args(["cp", "--follow-link", &name, "-"])
            .output()
            .unwrap();
        let mut archive = tar::Archive::new(archive.stdout.as_slice());
        let mut text = String::new();
        if let Some(entry) = archive.entries().unwrap().next() {
            std::io::Read::read_to_string(&mut entry.unwrap(), &mut text).unwrap();
        }
        text
    }
}

impl Drop for TestStack {
    fn drop(&mut self) {
        let output = self.run(&["down", "--volumes", "--timeout", "0", "-p", &self.name]);
        if !std::thread::panicking() {
            output.success();
            assert_eq!(self.objects(), "");
        }
    }
}

/// Runs Docker's own client; what it printed.
pub fn docker(arguments: &[&str]) -> String {
    let output = Command::new("docker").args(arguments).output().unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Kills a process of a container from outside, as a crash would: the engine takes its own `kill` for a wish.
pub fn crash(process: &Value) {
    let command = format!("kill -9 {process}");
    docker(&[
        "run",
        "--rm",
        "--pid=host",
        "--network=none",
        "debian:bookworm-slim",
        "sh",
        "-c",
        &command,
    ]);
}

/// Looks again and again until something is so; fails after a generous time.
#[track_caller]
pub fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_mins(1);
    while !is_so() {
        assert!(Instant::now() < deadline, "{what}: never");
        std::thread::sleep(Duration::from_millis(50));
    }
}
