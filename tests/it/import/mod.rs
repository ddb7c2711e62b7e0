//! `motif import`: what becomes of manifests and Compose files, and what an export makes of that.

mod golden;
mod hostile;
mod mutated;
mod roundtrip;

use std::path::{Path, PathBuf};

use crate::motif::Workspace;

/// A manifest without anything to say about it.
const GOOD: &str = "apiVersion: apps/v1
kind: Deployment
metadata: { name: web }
spec: { template: { metadata: { labels: { app: web } }, spec: { containers: [{ name: app, image: nginx:1.27 }] } } }
";

/// A folder of the repository.
fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// The files and folders of a folder, sorted.
fn entries(folder: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    found.sort();
    found
}

/// Copies the files of a folder into a workspace.
fn copy(from: &Path, root: &Path, workspace: &Workspace) {
    for path in entries(from) {
        if path.is_dir() {
            copy(&path, root, workspace);
        } else {
            let name = path.strip_prefix(root).unwrap().to_str().unwrap();
            workspace.write(name, std::fs::read(&path).unwrap());
        }
    }
}
