//! Every stack under `tests/stacks/valid/` is valid: for `motif check`, and for an editor that has the schema.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::motif::Workspace;
use crate::yaml_strings::python_with_yaml;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stacks/valid")
}

fn stacks() -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| {
            if path.is_dir() {
                path.join("stack.yaml")
            } else {
                path
            }
        })
        .collect();
    paths.sort();
    assert!(paths.len() >= 4, "{paths:?}");
    paths
}

#[test]
fn valid_stacks_are_valid_without_a_word() {
    for path in stacks() {
        let workspace = Workspace::new();
        let file = path.to_str().unwrap();
        let output = workspace.run(&["check", "--file", file]).success();
        assert_eq!(output.stdout, "", "stdout is data");
        assert!(
            output.stderr.starts_with("stack `shop` is valid: "),
            "{}: {output}",
            path.display()
        );
        assert_eq!(output.stderr.lines().count(), 1, "{}: {output}", path.display());
        assert_eq!(workspace.run(&["-q", "check", "-f", file]).success().stderr, "");
    }
}

#[test]
fn valid_stacks_keep_the_schema_and_invalid_shapes_break_it() {
    let program = "
import json, sys, yaml, jsonschema
schema = json.load(open(sys.argv[1]))
validator = jsonschema.Draft202012Validator(schema)
jsonschema.Draft202012Validator.check_schema(schema)
print(json.dumps({path: [e.message for e in validator.iter_errors(yaml.safe_load(open(path)))] for path in sys.argv[2:]}))
";
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    let invalid = [
        "01-unknown-key",
        "08-leading-zero",
        "11-quoted-number",
        "12-wrong-shapes",
        "30-service-of-no-pod",
        "42-security",
        "60-replicas",
    ];
    let invalid: Vec<PathBuf> = invalid
        .iter()
        .map(|name| manifest.join(format!("tests/stacks/invalid/{name}.yaml")))
        .collect();
    let python = python_with_yaml();
    let output = Command::new(&python)
        .args(["-c", program])
        .arg(manifest.join("schema/stack.schema.json"))
        .args(stacks())
        .args(&invalid)
        .output()
        .unwrap_or_else(|error| panic!("{python}: {error}; `make tools` installs it"));
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    for path in stacks() {
        assert_eq!(found[path.to_str().unwrap()], json!([]), "{}", path.display());
    }
    for path in invalid {
        assert_ne!(found[path.to_str().unwrap()], json!([]), "{}", path.display());
    }
}

#[test]
fn the_result_is_one_json_document() {
    let path = folder().join("everything/stack.yaml");
    let output = Workspace::new()
        .run(&["check", "--format", "json", "-f", path.to_str().unwrap()])
        .success();
    assert_eq!(output.stderr, "");
    let document: Value = serde_json::from_str(&output.stdout).unwrap();
    assert_eq!(
        document,
        json!({
            "valid": true,
            "stack": {
                "name": "shop",
                "parameters": { "replicas": 2 },
                "pods": ["web", "db"],
                "jobs": ["migrate", "first", "report", "hourly"],
                "services": ["web", "web-each"],
                "secrets": ["db", "web-tls"],
                "promises": {},
            },
            "problems": [],
        })
    );
}

#[test]
fn problems_are_one_json_document_too() {
    let stack = "stack: shop\npods: { web: { replica: 2, containers: { app: { image: nginx:1.27 } } } }\n";
    let output = Workspace::new()
        .file("stack.yaml", stack)
        .run(&["check", "--format", "json"])
        .code(1);
    assert_eq!(output.stderr, "");
    let document: Value = serde_json::from_str(&output.stdout).unwrap();
    assert_eq!(
        document,
        json!({
            "valid": false,
            "stack": null,
            "problems": [{
                "severity": "error",
                "message": "a pod takes no key `replica`",
                "path": "stack.yaml",
                "line": 2,
                "column": 16,
                "help": ["did you mean `replicas`?"],
                "related": [],
            }],
        })
    );
}

#[test]
fn warnings_do_not_fail() {
    let stack = "
stack: shop
parameters: { unused: { type: string, default: x } }
pods:
  web:
    containers: { app: { image: nginx:1.27, env: { 1st: x } } }
    volumes: { spare: empty }
";
    let output = Workspace::new()
        .file("stack.yaml", stack)
        .run(&["check"])
        .success();
    for said in [
        "warning: the parameter `unused` is not used",
        "warning: `1st` is an unusual name for an environment variable",
        "warning: no container mounts the volume `spare`",
        "stack `shop` is valid: 1 pod",
    ] {
        assert!(output.stderr.contains(said), "{said}: {output}");
    }
}

#[test]
fn a_service_that_is_named_and_not_declared_is_a_warning() {
    let stack = r#"
stack: shop
pods:
  back: { containers: { app: { image: "postgres:17", ports: { sql: 5432 } } } }
  open: { containers: { app: { image: "app:1", args: ["db:5432"] } } }
services:
  db: { pod: back, ports: { sql: 5432 } }
  cache: { pod: back, ports: { sql: 5432 } }
jobs:
  migrate:
    egress: [cache, cache]
    containers: { app: { image: "app:1", env: { URL: "postgres://me:secret@db/shop" }, args: ["db:5432", "cache:5432"] } }
"#;
    let output = Workspace::new()
        .file("stack.yaml", stack)
        .run(&["check"])
        .success();
    insta::assert_snapshot!(output.stderr, @r"
    warning: the container `app` seems to dial the service `db`, which isn't in `egress`
      --> stack.yaml:11:5
       |
    11 |     egress: [cache, cache]
       |     ^^^^^^
       |
       = help: a cluster won't let it through: add `db`

    warning: `cache` is here twice
      --> stack.yaml:11:21
       |
    11 |     egress: [cache, cache]
       |                     ^^^^^

    stack `shop` is valid: 2 pods, 1 job, 2 services
    ");
}

#[test]
fn the_name_and_the_parameters_come_from_the_command_line() {
    let path = folder().join("parameters.yaml");
    let path = path.to_str().unwrap();
    let workspace = Workspace::new();
    let good = [
        "check",
        "-f",
        path,
        "-p",
        "other",
        "--set",
        "replicas=9",
        "--set",
        "color=green",
    ];
    assert_eq!(
        workspace.run(&good).success().stderr,
        "stack `other` is valid: 1 pod\n"
    );
    let bad = ["check", "-f", path, "-p", "Other One", "--set", "replicas=10"];
    let output = workspace.run(&bad).code(1);
    for said in [
        "`10` is more than the maximum `9`",
        "--> --set:1:10",
        "`Other One` can't name a stack",
        "--> --project-name:1:1",
    ] {
        assert!(output.stderr.contains(said), "{said}: {output}");
    }
}

#[test]
fn a_missing_stack_is_a_matter_of_usage() {
    let workspace = Workspace::new();
    let output = workspace.run(&["check"]).code(2);
    assert!(output.stderr.contains("no file `stack.yaml`"), "{output}");
    assert!(output.stderr.contains("motif new"), "{output}");
    let output = workspace.run(&["check", "-f", "other.yaml"]).code(2);
    assert!(output.stderr.contains("no file `other.yaml`"), "{output}");
}

#[test]
fn the_example_of_the_documentation_is_valid() {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/stack.md")).unwrap();
    let example = page
        .split("```yaml\n")
        .nth(1)
        .unwrap()
        .split("```")
        .next()
        .unwrap();
    let workspace = Workspace::new()
        .file("stack.yaml", example)
        .file("monitoring.yaml", "")
        .file("app/Dockerfile", "FROM scratch\n")
        .file("migrate/Dockerfile", "FROM scratch\n")
        .file("conf/app.ini", "");
    let output = workspace.run(&["check"]).success();
    let last = output.stderr.lines().last().unwrap();
    assert_eq!(
        last, "stack `shop` is valid: 1 pod, 3 jobs, 1 service, 2 secrets",
        "{output}"
    );
}
