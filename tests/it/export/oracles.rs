//! Other programs read the exports: Kubernetes' own types and schemas, and readers of YAML 1.1.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::batch::v1::{CronJob, Job};
use k8s_openapi::api::core::v1::{ConfigMap, PersistentVolumeClaim, Secret, Service, ServiceAccount};
use k8s_openapi::api::networking::v1::{Ingress, NetworkPolicy};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{CASES, export, objects};

/// Versions whose schemas are asked: the first with native sidecars, the one of the types, the latest.
pub const VERSIONS: [&str; 3] = ["1.29", "1.33", "1.37"];

/// A field that Kubernetes' types don't know is lost on the way: then the two differ.
fn again<T: DeserializeOwned + Serialize>(object: &Value) -> Value {
    let typed: T = serde_json::from_value(object.clone()).unwrap();
    serde_json::to_value(typed).unwrap()
}

/// Fails unless an object, read into Kubernetes' type and written again, is the same. Returns its kind.
#[track_caller]
pub fn survives_types(object: &Value, name: &str) -> String {
    let kind = object["kind"].as_str().unwrap().to_owned();
    let back = match kind.as_str() {
        "Deployment" => again::<Deployment>(object),
        "StatefulSet" => again::<StatefulSet>(object),
        "Job" => again::<Job>(object),
        "CronJob" => again::<CronJob>(object),
        "Service" => again::<Service>(object),
        "ConfigMap" => again::<ConfigMap>(object),
        "PersistentVolumeClaim" => again::<PersistentVolumeClaim>(object),
        "PodDisruptionBudget" => again::<PodDisruptionBudget>(object),
        "HorizontalPodAutoscaler" => again::<HorizontalPodAutoscaler>(object),
        "NetworkPolicy" => again::<NetworkPolicy>(object),
        "ServiceAccount" => again::<ServiceAccount>(object),
        "Ingress" => again::<Ingress>(object),
        "Secret" => again::<Secret>(object),
        // No part of Kubernetes itself: its fields are those of a golden, read once by a person.
        "HTTPRoute" => object.clone(),
        _ => panic!("no type for {kind}"),
    };
    assert_eq!(back, *object, "{name}");
    kind
}

/// Asks Kubernetes' published schemas; an unknown field is an error.
pub fn validate(version: &str, files: &[PathBuf]) -> Result<(), String> {
    let output = Command::new(tool("kubernetes-validate"))
        .args(["--strict", "--quiet", "-k", version])
        .args(files)
        .output()
        .unwrap();
    let text = [output.stdout, output.stderr].concat();
    output
        .status
        .success()
        .then_some(())
        .ok_or_else(|| String::from_utf8_lossy(&text).into_owned())
}

#[test]
fn objects_survive_kubernetes_own_types() {
    let kinds: BTreeSet<String> = CASES
        .iter()
        .flat_map(|case| {
            objects(case)
                .into_iter()
                .map(|object| survives_types(&object, case.name))
        })
        .collect();
    assert_eq!(kinds.len(), 14, "the goldens miss a kind: {kinds:?}");
}

#[test]
fn objects_keep_kubernetes_schemas() {
    let folder = tempfile::tempdir().unwrap();
    let mut files = Vec::new();
    for case in CASES {
        let path = folder.path().join(format!("{}.yaml", case.name));
        std::fs::write(&path, export(case, &[]).stdout).unwrap();
        files.push(path);
    }
    for version in VERSIONS {
        validate(version, &files).unwrap_or_else(|what| panic!("Kubernetes {version}:\n{what}"));
    }
}

#[test]
fn the_schemas_refuse_what_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wrong.yaml");
    let wrong = export(&CASES[0], &[]).stdout.replacen("replicas:", "replica:", 1);
    std::fs::write(&path, wrong).unwrap();
    let what = validate(VERSIONS[0], &[path]).unwrap_err();
    assert!(what.contains("replica"), "{what}");
}

#[test]
fn readers_of_yaml_1_1_read_the_same_as_in_json() {
    for case in CASES {
        let yaml = export(case, &[]).stdout;
        let expected = objects(case);
        assert_eq!(by_kubectl(&yaml), expected, "kubectl: {}", case.name);
        assert_eq!(by_pyyaml(&yaml), expected, "PyYAML: {}", case.name);
    }
}

/// The objects as `kubectl` reads them.
pub fn by_kubectl(yaml: &str) -> Vec<Value> {
    let mut command = Command::new("kubectl");
    command.args(["label", "--local", "-f", "-", "dev.motif.test=read", "-o", "json"]);
    let read = pipe(command, yaml, "kubectl (Debian: kubernetes-client)");
    serde_json::Deserializer::from_str(&read)
        .into_iter::<Value>()
        .map(|object| {
            let mut object = object.unwrap();
            object["metadata"]["labels"]
                .as_object_mut()
                .unwrap()
                .remove("dev.motif.test")
                .unwrap();
            object
        })
        .collect()
}

/// The objects as `PyYAML` reads them.
pub fn by_pyyaml(yaml: &str) -> Vec<Value> {
    let mut command = Command::new(tool("python3"));
    let program =
        "import sys, json, yaml; print(json.dumps(list(yaml.safe_load_all(sys.stdin.buffer.read()))))";
    command.args(["-c", program]);
    serde_json::from_str(&pipe(command, yaml, "PyYAML")).unwrap()
}

fn pipe(mut command: Command, input: &str, name: &str) -> String {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{name} is needed here: run `make tools` ({error})"));
    let mut stdin = child.stdin.take().unwrap();
    let input = input.as_bytes().to_vec();
    let writer = std::thread::spawn(move || stdin.write_all(&input).unwrap());
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    assert!(
        output.status.success(),
        "{name}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

/// A program of the tests' Python environment.
pub fn tool(name: &str) -> PathBuf {
    program(&environment(), name)
}

/// A program of the Python environment of those that judge policy, beside the other.
pub fn policy_tool(name: &str) -> PathBuf {
    program(&environment().with_file_name("policy"), name)
}

fn environment() -> PathBuf {
    std::env::var_os("MOTIF_TEST_TOOLS").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/tools/venv"),
        PathBuf::from,
    )
}

fn program(environment: &Path, name: &str) -> PathBuf {
    let path = environment.join("bin").join(name);
    assert!(
        path.exists(),
        "{} is needed here: run `make tools`",
        path.display()
    );
    path
}
