//! A pattern that is added to a stack, and taken away again, while it runs.

use std::process::Command;

use super::project::Project;
use crate::motif::engine_is_wanted;

const STACK: &str = "\
pods:
  web:
    grace: 0s
    containers:
      app:
        block: http-echo
        args: { listen: \"127.0.0.1:8080\" }
        ports: { http: { port: 8080, local: true } }
";

#[test]
fn tls_is_added_to_what_runs_and_removed_again() {
    if !engine_is_wanted() {
        return;
    }
    let project = Project::new(STACK);
    project.up();
    let port = ["--defaults", "--set", "port=0"];
    project
        .run(&[&["add", "sidecar/tls", "--to", "web"][..], &port].concat())
        .success();
    let up = project.up();
    let url = up.stdout.lines().find(|line| line.starts_with("https://"));
    let url = url.unwrap_or_else(|| panic!("no address: {up}")).to_owned();
    let output = Command::new("curl")
        .args(["--silent", "--show-error", "--insecure", &url])
        .output()
        .unwrap();
    let answer = String::from_utf8_lossy(&output.stdout);
    assert!(answer.contains("\"message\": \"hello\""), "{output:?}");
    project.run(&["remove", "sidecar/tls", "--from", "web"]).success();
    let up = project.up();
    assert!(!up.stdout.contains("https://"), "{up}");
    let listed = project.run(&["ps", "--format", "json"]).success();
    assert!(!listed.stdout.contains("tls"), "{listed}");
}
