//! An import of an export means what the stack meant: exported again, it is the same objects.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::{copy, entries, folder};
use crate::motif::{Output, Workspace};

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
        for containers in ["containers", "initContainers"] {
            for spec in ["/spec/template/spec", "/spec/jobTemplate/spec/template/spec"] {
                let containers = item.pointer_mut(&format!("{spec}/{containers}"));
                for container in containers.and_then(Value::as_array_mut).into_iter().flatten() {
                    if let Some(Value::Array(mounts)) = container.get_mut("volumeMounts") {
                        mounts.sort_by_key(|mount| mount["mountPath"].as_str().unwrap().to_owned());
                    }
                }
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

/// A folder with what a stack needs.
fn workspace(project: &Path, file: &str) -> Workspace {
    let workspace = Workspace::new();
    copy(project, project, &workspace);
    // Only that they are there matters here; one of them is the user's own, beside the project.
    for line in workspace.read(file).lines() {
        if let Some(build) = line.trim().strip_prefix("build: ") {
            workspace.write(&format!("{build}/Dockerfile"), "FROM scratch\n");
        }
    }
    workspace
}

/// Exports a stack to `compose.yaml`.
fn export_compose(workspace: &Workspace, file: &str) -> String {
    let exported = workspace.run(&["export", "compose", "-f", file]).success().stdout;
    workspace.write("compose.yaml", &exported);
    exported
}

#[test]
fn an_import_of_a_compose_export_is_exported_the_same() {
    for (name, project, file) in stacks() {
        let workspace = workspace(&project, &file);
        // No engine can carry UDP to several replicas.
        let text = workspace.read(&file).replace("protocol: udp", "protocol: tcp");
        workspace.write(&file, text);
        let first = export_compose(&workspace, &file);
        let import = workspace
            .run(&["import", "compose.yaml", "-o", "again.yaml"])
            .success();
        assert_eq!(import.stderr, "`again.yaml` is written\n", "{name}");
        let again = workspace.read("again.yaml");
        assert_eq!(first, export_compose(&workspace, "again.yaml"), "{name}: {again}");
        let [mut first, second] = [&file, "again.yaml"].map(|file| objects(&export(&workspace, file), &[]));
        // Of a pod without replicas nothing is in the file, as the export says.
        first.retain(|(_, object), _| object != "idle");
        let kinds = |objects: &BTreeMap<(String, String), Value>| objects.keys().cloned().collect::<Vec<_>>();
        assert_eq!(kinds(&first), kinds(&second), "{name}");
        for (key, object) in &first {
            pretty_assert(&name, key, object, &second[key], &again);
        }
    }
}

/// What an import makes of the Compose export of the stack with the most in it, after some changes.
#[track_caller]
fn changed(changes: &[(&str, &str)]) -> Output {
    let project = folder("tests/stacks/export/compose");
    let workspace = workspace(&project, "stack.yaml");
    let mut text = export_compose(&workspace, "stack.yaml");
    for (from, to) in changes {
        assert!(text.contains(from), "{from}");
        text = text.replacen(from, to, 1);
    }
    workspace.write("compose.yaml", text);
    let output = workspace.run(&["import", "compose.yaml"]).success();
    workspace.write("again.yaml", &output.stdout);
    // Those of a service that is read as any other.
    let variables = ["DB_PASS_WORD", "DB_PASS_WORD_"].map(|name| format!("{name}=a"));
    let declared = |set: &&String| output.stdout.contains(&set.replace("=a", ": { type: string"));
    let sets = variables.iter().filter(declared).flat_map(|set| ["--set", set]);
    let check: Vec<&str> = ["check", "-f", "again.yaml"].into_iter().chain(sets).collect();
    workspace.run(&check).success();
    output
}

#[test]
fn what_was_changed_in_an_export_is_in_the_import() {
    for (from, to, expected) in [
        (
            "published: \"0\"",
            "published: \"8080\"",
            "publish: { http: 8080 }",
        ),
        ("price = $$5", "price = $$6", "price = $6"),
        ("size=1048576", "size=2097152", "shared: { tmpfs: { size: 2Mi } }"),
        (
            "./secrets/pass word",
            "./secrets/other",
            "pass.word: secrets/other",
        ),
        (
            "DB_PASS_WORD_?it holds the key pass.word of the secret db}\n",
            "DB_PASS_WORD_?it holds the key pass.word of the secret db}\n      MORE: $$x ${LEVEL:-info}\n",
            "$x ${LEVEL}",
        ),
        (
            "  motif.jobs:\n",
            "  adminer:\n    image: adminer:5\n    depends_on: [web-0-app]\n    ports: [\"9000:80\"]\n  motif.jobs:\n",
            "  adminer:\n    after: { web: ready }\n",
        ),
        ("x-motif: web/0/app", "x-motif: anything", "web-0-app:\n"),
    ] {
        let output = changed(&[(from, to)]);
        assert!(output.stdout.contains(expected), "{expected}: {output}");
    }
    let output = changed(&[
        ("image: redis:7", "image: redis:8"),
        ("image: redis:7", "image: redis:8"),
    ]);
    assert_eq!(output.stderr, "", "{output}");
    assert!(output.stdout.contains("image: redis:8"), "{output}");
}

#[test]
fn what_an_export_has_no_place_for_is_said() {
    for (from, to, said) in [
        (
            "image: redis:7",
            "image: redis:8",
            "services.cache-1 is approximated: `cache-1` isn't what it is in replica 0, which is taken",
        ),
        (
            "x-motif: web/1/tool\n",
            "x-motif: web/1/other\n",
            "services.web-0-tool is approximated: replica 1 has nothing like `web-0-tool`",
        ),
        (
            "x-motif: web/1/app",
            "x-motif: web/0/app",
            "services.web-1-app is dropped: a container of a replica is one service",
        ),
        (
            "${DB_PASS_WORD_?it holds the key pass.word of the secret db}",
            "not-to-be-seen",
            "services.web-0-app.environment.PASSWORD is approximated: values are never written",
        ),
        (
            "      x-motif: web/http\n",
            "",
            "services.web.ports is dropped: a stack publishes ports of its services",
        ),
        (
            "          role: init\n",
            "          role: innit\n",
            "pods.web.containers.prepare.role is dropped: `innit` is not a role",
        ),
        (
            "    cache:\n      pod: cache\n",
            "    cache:\n      pod: other\n",
            "services.cache.pod is dropped",
        ),
        (
            "      - CMD\n      - /bin/ready\n",
            "      - CMD\n",
            "services.web-0-agent.healthcheck.test is dropped",
        ),
    ] {
        let output = changed(&[(from, to)]);
        assert!(output.stderr.contains(said), "{said}: {output}");
        assert!(!output.stdout.contains("not-to-be-seen"), "{output}");
    }
}

#[test]
fn an_export_that_compose_has_put_together_is_the_same_stack() {
    let project = folder("tests/stacks/export/compose");
    let workspace = workspace(&project, "stack.yaml");
    let exported = export_compose(&workspace, "stack.yaml");
    let read = crate::export::compose::compose(
        workspace.path(),
        &[
            "--profile",
            "*",
            "config",
            "--no-interpolate",
            "--no-path-resolution",
        ],
    )
    .output()
    .unwrap();
    assert!(read.status.success(), "{}", String::from_utf8_lossy(&read.stderr));
    let import = workspace.run_with_input(&["import", "-", "-o", "again.yaml"], &read.stdout);
    assert_eq!(import.success().stderr, "`again.yaml` is written\n");
    let lines = |text: &str| {
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    // Compose sorts names.
    assert_eq!(lines(&exported), lines(&export_compose(&workspace, "again.yaml")));
}

#[test]
fn an_import_of_an_export_is_exported_the_same() {
    let mut count = 0;
    for (name, project, file) in stacks() {
        let workspace = workspace(&project, &file);
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
