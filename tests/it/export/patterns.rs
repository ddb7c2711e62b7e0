//! What the patterns scaffold can be exported as it is.

use std::path::PathBuf;

use serde_json::Value;

use super::oracles::{VERSIONS, survives_types, validate};
use crate::motif::Workspace;

/// The stack of each golden project.
fn projects() -> Vec<(String, PathBuf)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let mut projects: Vec<(String, PathBuf)> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.join("stack.yaml").exists())
        .map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), path))
        .collect();
    projects.sort();
    projects
}

#[test]
fn the_exports_of_all_patterns_are_accepted() {
    let folder = tempfile::tempdir().unwrap();
    let mut files = Vec::new();
    for (name, project) in projects() {
        let stack = std::fs::read_to_string(project.join("stack.yaml")).unwrap();
        let workspace = Workspace::new().file("stack.yaml", &stack);
        // Only that they are there matters here; one of them is the user's own, beside the project.
        for folder in stack
            .lines()
            .filter_map(|line| line.trim().strip_prefix("build: "))
        {
            workspace.write(&format!("{folder}/Dockerfile"), "FROM scratch\n");
        }
        let export = |more: &[&str]| {
            let arguments = [
                &["export", "kubernetes", "--registry", "registry.example/team"],
                more,
            ]
            .concat();
            workspace.run(&arguments).success()
        };
        let list: Value = serde_json::from_str(&export(&["--format", "json"]).stdout).unwrap();
        for object in list["items"].as_array().unwrap() {
            survives_types(object, &name);
        }
        // A scaffolded project loses nothing but the port on this machine.
        let report = export(&[]).stderr;
        for line in report.lines().filter(|line| line.starts_with("warning: ")) {
            assert!(
                line.contains(".publish.") && line.contains(" is dropped: "),
                "{name}: {line}"
            );
        }
        let path = folder.path().join(format!("{name}.yaml"));
        std::fs::write(&path, export(&[]).stdout).unwrap();
        files.push(path);
    }
    assert!(files.len() >= 4, "{files:?}");
    for version in VERSIONS {
        validate(version, &files).unwrap_or_else(|what| panic!("Kubernetes {version}:\n{what}"));
    }
}
