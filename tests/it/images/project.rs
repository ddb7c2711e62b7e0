//! A stack with a name of its own, and the docker command to look at it from outside.

use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::motif::{Output, Workspace};

/// A stack that is gone, with its images, when the test ends.
pub struct Project {
    pub workspace: Workspace,
    pub name: String,
}

impl Project {
    /// A project with this stack; its first line, `stack:`, is added.
    pub fn new(stack: &str) -> Self {
        Self::inside(Workspace::new().with_engine(), stack)
    }

    pub fn inside(workspace: Workspace, stack: &str) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!(
            "images-test-{}-{}",
            std::process::id(),
            NUMBER.fetch_add(1, Ordering::Relaxed)
        );
        workspace.write("stack.yaml", format!("stack: {name}\n{stack}"));
        Self { workspace, name }
    }

    pub fn run<S: AsRef<str>>(&self, arguments: &[S]) -> Output {
        self.workspace.run(arguments)
    }

    #[track_caller]
    pub fn up(&self) -> Output {
        self.run(&["up", "-d", "--wait"]).success()
    }
}

impl Drop for Project {
    fn drop(&mut self) {
        // Past whatever stands between the test and the engine.
        let engine = Workspace::new().with_engine();
        engine.run(&["down", "-p", &self.name, "--volumes", "--timeout", "0"]);
        let label = format!("label=dev.motif.stack={}", self.name);
        for image in docker(&["images", "--quiet", "--filter", &label]).lines() {
            docker(&["rmi", "--force", "--no-prune", image]);
        }
    }
}

/// Runs docker and gives what it printed; empty when it failed.
pub fn docker(arguments: &[&str]) -> String {
    let output = Command::new("docker").args(arguments).output().unwrap();
    if !output.status.success() {
        eprintln!(
            "docker {arguments:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        return String::new();
    }
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}
