//! Every stack under `tests/stacks/invalid/` beside the whole of what `motif check` says about it.

use std::fs;
use std::path::{Path, PathBuf};

use crate::motif::Workspace;

/// A config of more than 1 MiB, which would be a burden in the repository.
const LARGE_FILES: &[(&str, &str)] = &[("39-config-too-large", "big")];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stacks/invalid")
}

/// The names of the cases: `name.yaml`, or `name/stack.yaml` with the files beside it.
fn cases() -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter_map(|name| match name.strip_suffix(".yaml") {
            Some(name) => Some(name.to_owned()),
            None => folder().join(&name).is_dir().then_some(name),
        })
        .collect();
    names.sort();
    names
}

fn copy(from: &Path, to: &str, workspace: &Workspace) {
    if from.is_dir() {
        for entry in fs::read_dir(from).unwrap() {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            let to = if to.is_empty() {
                name
            } else {
                format!("{to}/{name}")
            };
            copy(&entry.path(), &to, workspace);
        }
    } else {
        workspace.write(to, fs::read(from).unwrap());
    }
}

/// Runs `motif check`, with the flags that the first line of the stack gives: `# motif check --set …`.
fn check(name: &str) -> String {
    let workspace = Workspace::new();
    let flat = folder().join(format!("{name}.yaml"));
    if flat.exists() {
        copy(&flat, "stack.yaml", &workspace);
    } else {
        copy(&folder().join(name), "", &workspace);
    }
    for (case, path) in LARGE_FILES {
        if *case == name {
            workspace.write(path, vec![b'x'; (1 << 20) + 1]);
        }
    }
    let text = workspace.read("stack.yaml");
    let first = text.lines().next().unwrap_or("");
    let mut words = vec!["check"];
    if let Some(flags) = first.strip_prefix("# motif check ") {
        words.extend(flags.split(' '));
    }
    let output = workspace.run(&words).code(1);
    assert_eq!(output.stdout, "", "{name}: stdout is data");
    output.stderr
}

#[test]
fn every_invalid_stack_is_told_apart_with_its_place_and_a_fix() {
    let update = std::env::var_os("UPDATE_GOLDEN").is_some();
    let cases = cases();
    assert!(cases.len() >= 45, "only {} cases", cases.len());
    let mut wrong = Vec::new();
    for name in &cases {
        let found = check(name);
        assert!(found.contains("--> "), "{name}: no place\n{found}");
        let golden = folder().join(format!("{name}.stderr"));
        if update {
            fs::write(&golden, &found).unwrap();
        }
        let expected = fs::read_to_string(&golden).unwrap_or_default();
        if found != expected {
            wrong.push(format!("{name}\n--- expected\n{expected}\n--- found\n{found}"));
        }
    }
    assert!(
        wrong.is_empty(),
        "{}\n(UPDATE_GOLDEN=1 rewrites them)",
        wrong.join("\n\n")
    );
}

#[test]
fn every_message_belongs_to_a_stack() {
    for entry in fs::read_dir(folder()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if let Some(name) = name.strip_suffix(".stderr") {
            assert!(
                cases().iter().any(|case| case == name),
                "{name}.stderr has no stack"
            );
        }
    }
}
