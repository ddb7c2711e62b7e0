//! What the patterns scaffold can be exported as it is.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use serde_json::Value;

use super::oracles::{VERSIONS, survives_types, validate};
use crate::motif::Workspace;

/// The folder of each golden project, by its name.
pub fn projects() -> Vec<(String, PathBuf)> {
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

/// Copies a folder into a workspace.
pub fn copy(folder: &Path, root: &Path, workspace: &Workspace) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path == root.join("export") {
            continue;
        }
        if path.is_dir() {
            copy(&path, root, workspace);
        } else {
            let name = path.strip_prefix(root).unwrap().to_str().unwrap();
            workspace.write(name, std::fs::read(&path).unwrap());
        }
    }
}

/// What the Kubernetes export of a golden project is.
pub struct Exported {
    pub project: String,
    pub yaml: String,
    report: String,
    objects: Vec<Value>,
}

/// The export of every golden project, made once.
pub fn exports() -> &'static [Exported] {
    static EXPORTS: OnceLock<Vec<Exported>> = OnceLock::new();
    EXPORTS.get_or_init(|| {
        projects()
            .into_iter()
            .map(|(name, project)| exported(name, &project))
            .collect()
    })
}

fn exported(name: String, project: &Path) -> Exported {
    let stack = std::fs::read_to_string(project.join("stack.yaml")).unwrap();
    let workspace = Workspace::new();
    copy(project, project, &workspace);
    // Only that they are there matters here; one of them is the user's own, beside the project.
    for folder in stack
        .lines()
        .filter_map(|line| line.trim().strip_prefix("build: "))
    {
        workspace.write(&format!("{folder}/Dockerfile"), "FROM scratch\n");
    }
    let export = |more: &[&str]| {
        let arguments = [
            "export",
            "kubernetes",
            "--registry",
            "registry.example/team",
            "--tag",
            "1.0",
            "-n",
            "demo",
        ];
        workspace.run(&[&arguments, more].concat()).success()
    };
    let list: Value = serde_json::from_str(&export(&["--format", "json"]).stdout).unwrap();
    let text = export(&[]);
    Exported {
        project: name,
        yaml: text.stdout,
        report: text.stderr,
        objects: list["items"].as_array().unwrap().clone(),
    }
}

#[test]
fn the_exports_of_all_patterns_are_accepted() {
    let folder = tempfile::tempdir().unwrap();
    let mut files = Vec::new();
    for export in exports() {
        let name = &export.project;
        for object in &export.objects {
            survives_types(object, name);
        }
        // A scaffolded project loses nothing but the port on this machine, the order of its first start, and the
        // proxy that tries another replica.
        let report = export.report.lines();
        for line in report.filter(|line| line.starts_with("warning: ")) {
            let is_dropped =
                (line.contains(".publish.") || line.contains(".after.")) && line.contains(" is dropped: ");
            let is_promise = line.contains(": promises.finishes is approximated: ");
            assert!(is_dropped || is_promise, "{name}: {line}");
        }
        let path = folder.path().join(format!("{name}.yaml"));
        std::fs::write(&path, &export.yaml).unwrap();
        files.push(path);
    }
    assert!(files.len() >= 4, "{files:?}");
    std::thread::scope(|scope| {
        for version in VERSIONS {
            let files = &files;
            scope.spawn(move || {
                validate(version, files).unwrap_or_else(|what| panic!("Kubernetes {version}:\n{what}"));
            });
        }
    });
}
