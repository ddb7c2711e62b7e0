//! Manifests and Compose files as people write them, beside the stacks and reports that they become.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use super::{copy, entries, folder};
use crate::motif::{Output, Workspace};

/// The committed files: their name, and a workspace with them in which `file` is to be imported.
pub fn cases() -> Vec<(String, Workspace, String)> {
    let mut cases = Vec::new();
    for path in entries(&folder("tests/import")) {
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let workspace = Workspace::new();
        let file = if path.is_dir() {
            copy(&path, &path, &workspace);
            "compose.yaml".to_owned()
        } else {
            let file = format!("{name}.yaml");
            workspace.write(&file, fs::read(&path).unwrap());
            file
        };
        cases.push((name, workspace, file));
    }
    cases
}

fn import(workspace: &Workspace, file: &str) -> Output {
    workspace.run(&["import", file, "--name", "shop"]).success()
}

#[test]
fn imports_are_as_committed() {
    let update = std::env::var_os("UPDATE_GOLDEN").is_some();
    let golden = folder("tests/golden-import");
    fs::create_dir_all(&golden).unwrap();
    let mut expected = BTreeSet::new();
    for (name, workspace, file) in cases() {
        let output = import(&workspace, &file);
        assert!(!output.stderr.contains("not-to-be-seen") && !output.stdout.contains("not-to-be-seen"));
        for (ending, text) in [("yaml", &output.stdout), ("report.txt", &output.stderr)] {
            let path: PathBuf = golden.join(format!("{name}.{ending}"));
            if update {
                fs::write(&path, text).unwrap();
            }
            let committed = fs::read_to_string(&path).unwrap_or_default();
            assert_eq!(
                *text,
                committed,
                "{} differs: run `make update`, and read what changed",
                path.display()
            );
            expected.insert(path);
        }
        workspace.write("stack.yaml", &output.stdout);
        workspace.run(&["check"]).success();
        workspace.run(&["export", "kubernetes"]).success();
    }
    let found: BTreeSet<PathBuf> = entries(&golden).into_iter().collect();
    assert_eq!(found, expected, "a golden without a case");
}

#[test]
fn an_import_of_its_own_export_loses_nothing_more() {
    for (name, workspace, file) in cases() {
        let first = import(&workspace, &file).stdout;
        workspace.write("stack.yaml", &first);
        let export = |more: &[&str]| {
            workspace
                .run(&[&["export", "kubernetes"], more].concat())
                .success()
                .stdout
        };
        let once = export(&["--registry", "registry.example"]);
        workspace.write("again/once.yaml", &once);
        let again = workspace
            .run(&["import", "again/once.yaml", "-o", "again/stack.yaml"])
            .success();
        let twice = workspace
            .run(&[
                "export",
                "kubernetes",
                "-f",
                "again/stack.yaml",
                "--registry",
                "registry.example",
            ])
            .success()
            .stdout;
        let lines = |text: &str| {
            let mut objects: Vec<String> = text.split("---\n").map(str::to_owned).collect();
            objects.sort();
            objects.join("---\n")
        };
        assert_eq!(lines(&once), lines(&twice), "{name}: {again}");
    }
}

#[test]
fn a_file_is_written_where_it_is_asked_for_and_replaces_none() {
    let workspace = Workspace::new().file("sub/web.yaml", super::GOOD);
    let output = workspace
        .run(&["import", "sub/web.yaml", "-o", "stack.yaml"])
        .success();
    assert_eq!(output.stdout, "");
    assert!(workspace.read("stack.yaml").contains("stack: sub\n"), "{output}");
    workspace.write("stack.yaml", "mine\n");
    let output = workspace.run(&["import", "sub", "-o", "stack.yaml"]).code(1);
    assert!(output.stderr.contains("error: `stack.yaml` exists"), "{output}");
    assert_eq!(workspace.read("stack.yaml"), "mine\n");
    workspace
        .run(&["import", "sub", "-o", "stack.yaml", "--force", "--name", "shop"])
        .success();
    assert!(workspace.read("stack.yaml").contains("stack: shop\n"));
    let output = workspace.run(&["import", "absent.yaml"]).code(2);
    assert!(output.stderr.contains("no file `absent.yaml`"), "{output}");
    let output = workspace
        .run_with_input(&["import", "-", "--name", "shop"], super::GOOD.as_bytes())
        .success();
    assert!(output.stdout.contains("stack: shop\n"), "{output}");
}

#[test]
fn a_machine_reads_the_report() {
    let workspace = Workspace::new().file(
        "web.yaml",
        format!("{}---\nkind: x\napiVersion: y\n", super::GOOD),
    );
    let output = workspace
        .run(&["import", "web.yaml", "-o", "stack.yaml", "--report", "json"])
        .success();
    // Nothing else stands there, not even what was written.
    let lines: serde_json::Value = serde_json::from_str(&output.stderr).unwrap();
    assert_eq!(lines[0]["place"], "web.yaml:6:1", "{output}");
    assert_eq!(lines[0]["verdict"], "dropped", "{output}");
}
