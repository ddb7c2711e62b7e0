//! `motif export`: goldens, and what other programs make of them.

pub mod compose;
mod compose_patterns;
mod folder;
mod golden;
mod helm;
mod kustomize;
mod oracles;
mod patterns;
mod policy;
mod refused;
mod strings;
mod targets;

use std::path::PathBuf;

use serde_json::Value;

use crate::motif::{Output, Workspace};

/// A golden: its name, its stack under tests/stacks/export/, and how it is exported.
struct Case {
    name: &'static str,
    stack: &'static str,
    arguments: &'static [&'static str],
}

const PUBLISHED: &[&str] = &["--registry", "registry.example/team", "--tag", "1.0"];

const CASES: &[Case] = &[
    Case {
        name: "sidecar",
        stack: "sidecar.yaml",
        arguments: PUBLISHED,
    },
    Case {
        name: "sidecar-local",
        stack: "sidecar.yaml",
        arguments: &["-n", "demo"],
    },
    Case {
        name: "everything",
        stack: "everything.yaml",
        arguments: PUBLISHED,
    },
    Case {
        name: "differences",
        stack: "differences.yaml",
        arguments: PUBLISHED,
    },
    Case {
        name: "edges",
        stack: "edges.yaml",
        arguments: &[
            "--domain",
            "example.com",
            "--ingress-class",
            "nginx",
            "--include-secrets",
        ],
    },
    Case {
        name: "edges-gateway",
        stack: "edges.yaml",
        arguments: &[
            "--domain",
            "example.com",
            "--gateway",
            "infra/public",
            "--sidecars",
            "main",
        ],
    },
    Case {
        name: "edges-unnamed",
        stack: "edges.yaml",
        arguments: &["-n", "demo"],
    },
];

/// The folder of the stacks.
fn stacks() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/stacks/export")
}

/// Exports a case.
fn export(case: &Case, more: &[&str]) -> Output {
    let folder = stacks();
    let mut arguments = vec![
        "-C",
        folder.to_str().unwrap(),
        "export",
        "kubernetes",
        "-f",
        case.stack,
    ];
    arguments.extend(case.arguments);
    arguments.extend(more);
    Workspace::new().run(&arguments).success()
}

/// The objects of a case.
fn objects(case: &Case) -> Vec<Value> {
    let list: Value = serde_json::from_str(&export(case, &["--format", "json"]).stdout).unwrap();
    list["items"].as_array().unwrap().clone()
}
