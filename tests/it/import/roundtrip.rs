//! An import of an export means what the stack meant: exported again, it is the same objects.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::Value;

use super::{copy, entries, folder};
use crate::motif::Workspace;

/// Every stack of the repository: its name, the folder that it stands in, and its file.
fn stacks() -> Vec<(String, PathBuf, String)> {
    let mut found = Vec::new();
    for project in entries(&folder("tests/golden")) {
        let name = project.file_name().unwrap().to_str().unwrap().to_owned();
        found.push((name, project, "stack.yaml".to_owned()));
    }
    for path in entries(&folder("tests/stacks/export"))
        .into_iter()
        .chain(entries(&folder("tests/stacks/valid")))
    {
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if path.is_dir() && path.join("stack.yaml").exists() {
            found.push((name, path, "stack.yaml".to_owned()));
        } else if path.extension().is_some_and(|extension| extension == "yaml") {
            found.push((name.clone(), path.parent().unwrap().to_owned(), name));
        }
    }
    found
}

fn export(workspace: &Workspace, file: &str) -> String {
    let registry = ["--registry", "registry.example/team", "--format", "json"];
    let arguments = [&["export", "kubernetes", "-f", file], &registry[..]].concat();
    workspace.run(&arguments).success().stdout
}

/// The objects of an export by kind and name, without what is known not to come back.
fn objects(list: &str, losses: &[Loss]) -> BTreeMap<(String, String), Value> {
    let list: Value = serde_json::from_str(list).unwrap();
    let mut found = BTreeMap::new();
    for item in list["items"].as_array().unwrap() {
        let mut item = item.clone();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let key = (text(&item["kind"]), text(&item["metadata"]["name"]));
        // The order of volumes means nothing.
        for volumes in [
            "/spec/template/spec/volumes",
            "/spec/jobTemplate/spec/template/spec/volumes",
        ] {
            if let Some(volumes) = item.pointer_mut(volumes).and_then(Value::as_array_mut) {
                volumes.sort_by_key(|volume| volume["name"].as_str().unwrap().to_owned());
            }
        }
        for loss in losses {
            let parent = item.pointer_mut(loss.parent).and_then(Value::as_object_mut);
            parent.map(|parent| parent.remove(loss.key));
        }
        assert!(found.insert(key.clone(), item).is_none(), "{key:?} twice");
    }
    found
}

/// What the report of an import says isn't kept, and where that shows in the objects.
#[derive(Clone, Copy)]
struct Loss {
    said: &'static str,
    parent: &'static str,
    key: &'static str,
}

const LOSSES: &[Loss] = &[
    Loss {
        said: ".binaryData.",
        parent: "",
        key: "binaryData",
    },
    Loss {
        said: ".binaryData.",
        parent: "/spec/template/metadata/annotations",
        key: "motif.dev/config-hash",
    },
    Loss {
        said: "sysctls",
        parent: "/spec/template/spec/securityContext",
        key: "sysctls",
    },
];

#[test]
fn an_import_of_an_export_is_exported_the_same() {
    let mut count = 0;
    for (name, project, file) in stacks() {
        let workspace = Workspace::new();
        copy(&project, &project, &workspace);
        // Only that they are there matters here; one of them is the user's own, beside the project.
        for line in workspace.read(&file).lines() {
            if let Some(build) = line.trim().strip_prefix("build: ") {
                workspace.write(&format!("{build}/Dockerfile"), "FROM scratch\n");
            }
        }
        let first = export(&workspace, &file);
        workspace.write("exported/all.json", &first);
        let import = workspace
            .run(&["import", "exported/all.json", "-o", "exported/stack.yaml"])
            .success();
        assert!(!import.stderr.contains("can't name"), "{name}: {import}");
        let second = export(&workspace, "exported/stack.yaml");
        let is_said = |loss: &&Loss| import.stderr.contains(loss.said);
        let losses: Vec<Loss> = LOSSES.iter().filter(is_said).copied().collect();
        let (first, second) = (objects(&first, &losses), objects(&second, &losses));
        let kinds = |objects: &BTreeMap<(String, String), Value>| objects.keys().cloned().collect::<Vec<_>>();
        assert_eq!(kinds(&first), kinds(&second), "{name}: {}", import.stderr);
        for (key, object) in &first {
            pretty_assert(
                &name,
                key,
                object,
                &second[key],
                &workspace.read("exported/stack.yaml"),
            );
        }
        count += 1;
    }
    assert!(count > 35, "{count} stacks");
}

#[track_caller]
fn pretty_assert(name: &str, key: &(String, String), expected: &Value, found: &Value, stack: &str) {
    assert_eq!(
        serde_json::to_string_pretty(expected).unwrap(),
        serde_json::to_string_pretty(found).unwrap(),
        "{name}: {key:?} of\n{stack}"
    );
}
