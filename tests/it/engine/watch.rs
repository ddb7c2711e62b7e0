//! `motif up --watch`: what changes on disk is copied or built, and nothing else is touched.

use std::io::Read;
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};

use super::stack::{TestStack, docker, eventually};
use crate::motif::engine_is_wanted;

/// A `motif up --watch` that runs; interrupted when dropped.
struct Watching {
    process: Child,
    said: Arc<Mutex<String>>,
}

impl Watching {
    fn new(stack: &TestStack) -> Self {
        let mut process = stack
            .workspace
            .command(&["up", "--watch"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stderr = process.stderr.take().unwrap();
        let said = Arc::new(Mutex::new(String::new()));
        let heard = Arc::clone(&said);
        std::thread::spawn(move || {
            let mut part = [0; 4096];
            while let Ok(length @ 1..) = stderr.read(&mut part) {
                heard
                    .lock()
                    .unwrap()
                    .push_str(&String::from_utf8_lossy(&part[..length]));
            }
        });
        let watching = Self { process, said };
        watching.hears("watching; ");
        watching
    }

    #[track_caller]
    fn hears(&self, text: &str) {
        let deadline = std::time::Instant::now() + std::time::Duration::from_mins(1);
        while !self.said.lock().unwrap().contains(text) {
            assert!(
                std::time::Instant::now() < deadline,
                "`{text}` was never said: {}",
                self.said.lock().unwrap()
            );
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }

    fn forget(&self) {
        self.said.lock().unwrap().clear();
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        let id = rustix::process::Pid::from_child(&self.process);
        rustix::process::kill_process(id, rustix::process::Signal::INT).unwrap();
        let status = self.process.wait().unwrap();
        if !std::thread::panicking() {
            assert_eq!(status.code(), Some(130), "{}", self.said.lock().unwrap());
        }
    }
}

const STACK: &str = "
pods:
  web:
    grace: 0s
    replicas: 2
    containers:
      app:
        image: debian:bookworm-slim
        user: 65532
        command: [sleep, '1000']
        sync:
          src: /app
          settings.conf: { path: /etc/settings.conf, restart: true }
      side: { block: http-echo, role: sidecar, ports: { http: 8080 } }
  built:
    grace: 0s
    containers:
      app:
        build: .
        user: 65532
        sync: { src: /app/src }
  other:
    grace: 0s
    containers:
      app: { build: other, user: 65532 }
  config:
    grace: 0s
    containers:
      app:
        image: debian:bookworm-slim
        user: 65532
        command: [sleep, '1000']
        env: { WORD: one }
";

fn project() -> TestStack {
    let stack = TestStack::new(STACK);
    stack.workspace.write(
        "Dockerfile",
        "FROM debian:bookworm-slim\nCOPY . /app\nCMD [\"sleep\", \"1000\"]\n",
    );
    stack.workspace.write(
        "other/Dockerfile",
        "FROM debian:bookworm-slim\nCOPY file /\nCMD [\"sleep\", \"1000\"]\n",
    );
    stack.workspace.write("other/file", "one");
    stack.workspace.write(
        ".dockerignore",
        "other\nstack.yaml\nsettings.conf\nsrc/left-out\n",
    );
    stack.workspace.write("src/main", "one");
    stack.workspace.write("src/deep/file", "one");
    stack.workspace.write("settings.conf", "one");
    stack
}

#[test]
fn a_changed_file_is_copied_and_nothing_restarts() {
    if !engine_is_wanted() {
        return;
    }
    let stack = project();
    let watching = Watching::new(&stack);
    let names = ["web-0-app", "web-1-app", "built-0", "other-0", "web-0-side"];
    let lives = || names.map(|name| stack.life(name));
    // What the image lacks is brought at the start.
    assert_eq!(stack.read("web-1-app", "/app/deep/file"), "one");
    assert_eq!(stack.read("web-0-app", "/etc/settings.conf"), "one");
    let before = lives();
    let workspace = &stack.workspace;
    workspace.write("src/main", "two");
    watching.hears("web-0/app: 1 file copied");
    watching.hears("web-1/app: 1 file copied");
    watching.hears("built-0/app: 1 file copied");
    for (name, path) in [
        ("web-0-app", "/app/main"),
        ("web-1-app", "/app/main"),
        ("built-0", "/app/src/main"),
    ] {
        assert_eq!(stack.read(name, path), "two", "{name}");
    }
    workspace.write("src/new/folder/file", "three");
    eventually("a new folder is copied", || {
        stack.read("built-0", "/app/src/new/folder/file") == "three"
    });
    std::fs::rename(
        workspace.path().join("src/deep"),
        workspace.path().join("src/moved"),
    )
    .unwrap();
    eventually("a folder that moved is moved", || {
        stack.read("web-0-app", "/app/moved/file") == "one"
            && stack.read("web-0-app", "/app/deep/file").is_empty()
    });
    // The image's own file goes too, as whoever owns the folder.
    eventually("a file of the image is removed", || {
        stack.read("built-0", "/app/src/deep/file").is_empty()
    });
    workspace.write("src/left-out", "x");
    std::os::unix::fs::symlink("main", workspace.path().join("src/link")).unwrap();
    eventually("a link is copied as one", || {
        docker(&[
            "exec",
            &format!("{}-web-0-app", stack.name),
            "readlink",
            "/app/link",
        ]) == "main\n"
    });
    assert_eq!(
        stack.read("built-0", "/app/src/left-out"),
        "",
        "the rules leave it out"
    );
    assert_eq!(lives(), before);
    let owner = docker(&[
        "exec",
        &format!("{}-web-0-app", stack.name),
        "stat",
        "-c",
        "%u:%g",
        "/app/main",
    ]);
    assert_eq!(owner, "65532:65532\n");

    // A file that asks for it starts its container again, and no other; the same content doesn't.
    watching.forget();
    workspace.write("settings.conf", "two");
    watching.hears("web-1/app: 1 file copied, started again");
    assert_eq!(stack.read("web-0-app", "/etc/settings.conf"), "two");
    let after = lives();
    assert_ne!(after[..2], before[..2]);
    assert_eq!(after[2..], before[2..]);
    workspace.write("settings.conf", "two");
    workspace.write("src/main", "four");
    eventually("the next change is copied", || {
        stack.read("web-0-app", "/app/main") == "four"
    });
    assert_eq!(lives(), after);
    drop(watching);
    assert_eq!(stack.inspect("web-0-app")["State"]["Running"], false);
}

#[test]
fn a_changed_context_is_built_and_only_its_container_replaced() {
    if !engine_is_wanted() {
        return;
    }
    let stack = project();
    let watching = Watching::new(&stack);
    let names = ["web-0-app", "web-1-app", "built-0", "config-0"];
    let lives = || names.map(|name| stack.life(name));
    let (before, other) = (lives(), stack.life("other-0"));
    // A synced file changed before: its container's image is another one now, and stays.
    stack.workspace.write("src/main", "two");
    watching.hears("built-0/app: 1 file copied");
    stack.workspace.write("other/file", "two");
    watching.hears("other/app: other/file changed");
    eventually("the new image runs", || {
        let life = stack.life("other-0");
        life != other && !life.0.is_empty() && stack.read("other-0", "/file") == "two"
    });
    assert_eq!(lives(), before);

    // A build that fails is told, and the next change is another try.
    watching.forget();
    let dockerfile = stack.workspace.read("other/Dockerfile");
    stack
        .workspace
        .write("other/Dockerfile", "FROM debian:bookworm-slim\nRUN exit 3\n");
    watching.hears("other/Dockerfile:2: `RUN exit 3` ended with exit code 3");
    assert_eq!(stack.read("other-0", "/file"), "two");
    stack
        .workspace
        .write("other/Dockerfile", dockerfile + "ENV MORE=1\n");
    eventually("it is mended", || {
        stack.inspect("other-0")["Config"]["Env"]
            .to_string()
            .contains("MORE=1")
    });
    assert_eq!(lives(), before);

    // What isn't synced of a context with synced files makes a new image, which has those too.
    stack.workspace.write("notes", "x");
    watching.hears("built/app: notes changed");
    eventually("the image with both runs", || {
        stack.read("built-0", "/app/notes") == "x" && stack.read("built-0", "/app/src/main") == "two"
    });
    assert_eq!(stack.life("web-0-app"), before[0]);
    assert_eq!(stack.life("config-0"), before[3]);
    stack.workspace.write("src/main", "five");
    eventually("the new container gets changes, too", || {
        stack.read("built-0", "/app/src/main") == "five"
    });

    // The stack itself.
    watching.forget();
    let other = stack.life("other-0");
    stack.write(&STACK.replace("WORD: one", "WORD: [one]"));
    watching.hears("stack.yaml:");
    stack.write(&STACK.replace("WORD: one", "WORD: two"));
    eventually("the variable is another", || {
        stack.inspect("config-0")["Config"]["Env"]
            .to_string()
            .contains("WORD=two")
    });
    assert_eq!(stack.life("web-0-app"), before[0]);
    assert_eq!(stack.life("other-0"), other);
}

#[test]
fn without_watching_the_root_stays_read_only() {
    if !engine_is_wanted() {
        return;
    }
    let stack = project();
    drop(Watching::new(&stack));
    assert_eq!(stack.inspect("web-0-app")["HostConfig"]["ReadonlyRootfs"], false);
    assert_eq!(stack.inspect("other-0")["HostConfig"]["ReadonlyRootfs"], true);
    stack.run(&["up", "-d"]).success();
    assert_eq!(stack.inspect("web-0-app")["HostConfig"]["ReadonlyRootfs"], true);
    stack.run(&["up", "--watch", "-d"]).code(2);
}
