//! `motif push` and `--pin`, with a real registry on loopback.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::stack::{TestStack, docker};
use crate::motif::engine_is_wanted;

/// Whom the registry lets in, by `docker login`'s own form, and as the registry keeps it.
const LOGIN: &str = "YW5uYTpwYX5zcz8+d29yZA==";
const KEPT: &str = "anna:$2b$05$EFkpyMzBCQNvzDYthPFTUeYy0I.Ld2FHnvIGlsg5g47TrOL/OHZ8e\n";

/// A registry that wants to know who somebody is.
struct Registry {
    process: Child,
    _folder: tempfile::TempDir,
    host: String,
}

impl Registry {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let path = folder.path().display();
        std::fs::write(folder.path().join("htpasswd"), KEPT).unwrap();
        let config = format!(
            "version: 0.1
log: {{ level: error }}
storage: {{ filesystem: {{ rootdirectory: {path}/data }} }}
http: {{ addr: '127.0.0.1:{port}' }}
auth: {{ htpasswd: {{ realm: test, path: {path}/htpasswd }} }}
"
        );
        std::fs::write(folder.path().join("config.yml"), config).unwrap();
        let process = Command::new("docker-registry")
            .arg("serve")
            .arg(folder.path().join("config.yml"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("docker-registry is needed here: run `make tools` ({error})"));
        let host = format!("127.0.0.1:{port}");
        let began = Instant::now();
        while std::net::TcpStream::connect(&host).is_err() {
            assert!(began.elapsed() < Duration::from_secs(20), "no registry");
            std::thread::sleep(Duration::from_millis(20));
        }
        Self {
            process,
            _folder: folder,
            host,
        }
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let names = docker(&[
            "images",
            "--format",
            "{{.Repository}}:{{.Tag}}",
            &format!("{}/*/*", self.host),
        ]);
        for name in names.lines() {
            docker(&["rmi", "--force", "--no-prune", name]);
        }
    }
}

/// Leaves what `docker login` would.
fn login(stack: &TestStack, config: &str) {
    stack.workspace.write(".docker/config.json", config);
}

#[test]
fn what_is_pushed_can_be_pulled_by_its_digest() {
    if !engine_is_wanted() {
        return;
    }
    let registry = Registry::start();
    let host = &registry.host;
    let team = format!("{host}/team");
    let mut stack = TestStack::new(
        "
pods:
  web:
    containers:
      app: { build: app, user: 1000 }
      side: { block: http-echo, role: sidecar, args: { listen: 9000 } }
",
    );
    stack
        .workspace
        .write("app/Dockerfile", "FROM scratch\nCOPY file /file\n");
    stack.workspace.write("app/file", &stack.name);
    let push = ["push", "--registry", &team, "--tag", "1.0"];

    // Nobody logged in.
    let refused = stack.run(&push).code(1);
    assert!(
        refused.stderr.contains("no basic auth credentials")
            && refused.stderr.contains(&format!("`docker login {host}`")),
        "{refused}"
    );
    // A helper that isn't there, one that knows, and what `docker login` writes without one.
    login(
        &stack,
        &format!("{{\"credHelpers\": {{\"{host}\": \"motif-missing\"}}}}"),
    );
    let refused = stack.run(&push).code(1);
    assert!(
        refused
            .stderr
            .contains("install `docker-credential-motif-missing`"),
        "{refused}"
    );
    login(
        &stack,
        &format!("{{\"auths\": {{\"{host}\": {{\"auth\": \"{LOGIN}\"}}}}}}"),
    );
    let pushed = stack.run(&push).success();
    let names: Vec<&str> = pushed.stdout.lines().collect();
    let built = format!("{team}/{}-web-app:1.0@sha256:", stack.name);
    assert!(names.len() == 2 && names[0].starts_with(&built), "{pushed}");
    assert!(names[1].starts_with(&format!("{team}/motif-block:")), "{pushed}");

    login(
        &stack,
        &format!("{{\"credsStore\": \"motif-test\", \"auths\": {{\"{host}\": {{}}}}}}"),
    );
    let helper = stack.workspace.path().join("bin/docker-credential-motif-test");
    stack.workspace.write(
        "bin/docker-credential-motif-test",
        "#!/bin/sh\nread host\necho \"{\\\"ServerURL\\\": \\\"$host\\\", \\\"Username\\\": \\\"anna\\\", \\\"Secret\\\": \\\"pa~ss?>word\\\"}\"\n",
    );
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&helper, mode).unwrap();
    let path = std::env::var("PATH").unwrap();
    let path = format!("{}:{path}", helper.parent().unwrap().display());
    stack.env("PATH", &path);
    let again = stack.run(&[&push[..], &["--format", "json"]].concat()).success();
    let again: Value = serde_json::from_str(&again.stdout).unwrap();
    for (name, image) in names.iter().zip(again["images"].as_array().unwrap()) {
        let (image, digest) = (
            image["image"].as_str().unwrap(),
            image["digest"].as_str().unwrap(),
        );
        assert_eq!(*name, format!("{image}@{digest}"));
    }

    let export = ["export", "kubernetes", "--registry", &team, "--pin"];
    let pinned = stack.run(&[&export[..], &["--tag", "1.0"]].concat()).success();
    for name in &names {
        assert!(
            pinned.stdout.contains(&format!("image: {name}\n")),
            "{name}: {pinned}"
        );
    }
    assert!(!pinned.stderr.contains("has to be in the registry"), "{pinned}");
    let compose = ["export", "compose", "--registry", &team, "--tag", "1.0", "--pin"];
    let composed = stack.run(&compose).success();
    for name in &names {
        assert!(
            composed.stdout.contains(&format!("image: {name}\n")),
            "{name}: {composed}"
        );
    }
    assert!(!composed.stdout.contains("build:"), "{composed}");
    let missing = stack.run(&[&export[..], &["--tag", "2.0"]].concat()).code(1);
    assert!(
        missing.stderr.contains("manifest unknown") && missing.stderr.contains("`motif push`"),
        "{missing}"
    );
    assert_eq!(missing.stdout, "");

    // From the registry it comes, whatever is here.
    let (name, _) = names[1].split_once('@').unwrap();
    docker(&["rmi", "--no-prune", name]);
    let folder = stack.workspace.path().join(".docker");
    let configured = ["--config", folder.to_str().unwrap()];
    login(
        &stack,
        &format!("{{\"auths\": {{\"{host}\": {{\"auth\": \"{LOGIN}\"}}}}}}"),
    );
    docker(&[&configured[..], &["pull", "--quiet", names[1]]].concat());
    let said = docker(&[
        "run",
        "--rm",
        "--entrypoint",
        "/.motif/motif",
        names[1],
        "--version",
    ]);
    assert!(said.starts_with("motif "), "{said}");
    docker(&["rmi", "--force", "--no-prune", names[1]]);
}

#[test]
fn a_push_needs_a_registry() {
    let stack = crate::motif::Workspace::new().file(
        "stack.yaml",
        "stack: shop\npods: { web: { containers: { app: { image: 'nginx:1.27', user: 101 } } } }\n",
    );
    for wrong in [
        &["push"][..],
        &["push", "--registry", "https://x"],
        &["push", "--registry", "x", "--tag", "a b"],
    ] {
        stack.run(wrong).code(2);
    }
}
