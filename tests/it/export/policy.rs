//! Judges of policy read the exports and the Dockerfiles: what they say is right, or argued against.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

use super::oracles::{policy_tool, tool};
use super::patterns::{exports, projects};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The checks that docs/decisions/0011-policy.md argues against, `CKV_K8S_21` or `CKV_K8S_21 in charts`.
fn argued() -> BTreeSet<String> {
    let page = std::fs::read_to_string(root().join("docs/decisions/0011-policy.md")).unwrap();
    page.lines()
        .filter(|line| line.starts_with("| `CKV"))
        .filter_map(|line| line.trim_start_matches("| ").split_once(" |"))
        .flat_map(|(checks, _)| {
            checks
                .split(", ")
                .map(|check| check.replace('`', ""))
                .collect::<Vec<_>>()
        })
        .collect()
}

/// Every Dockerfile of the repository: those of golden projects are what templates make.
fn dockerfiles() -> Vec<PathBuf> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            if path.is_dir() {
                walk(&path, found);
            } else if name.starts_with("Dockerfile") {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    walk(&root().join("tests"), &mut found);
    found.sort();
    found
}

/// The charts of the golden projects around a block: what others are around makes no other objects.
fn charts() -> tempfile::TempDir {
    let folder = tempfile::Builder::new().prefix("charts-").tempdir().unwrap();
    let mut count = 0;
    for (name, project) in projects() {
        let chart = project.join("export/helm");
        if name.ends_with("-block") && chart.exists() {
            let into = folder.path().join(&name);
            for part in ["", "templates"] {
                std::fs::create_dir_all(into.join(part)).unwrap();
                for entry in std::fs::read_dir(chart.join(part)).unwrap() {
                    let path = entry.unwrap().path();
                    if path.is_file() {
                        let file = into.join(part).join(path.file_name().unwrap());
                        std::fs::copy(&path, file).unwrap();
                    }
                }
            }
            count += 1;
        }
    }
    assert!(count >= 12, "{count} charts");
    folder
}

/// What checkov says of a folder: a report for each framework.
fn checkov(frameworks: &[&str], folder: &Path) -> Vec<Value> {
    let helm = tool("helm");
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::iter::once(helm.parent().unwrap().to_owned()).chain(std::env::split_paths(&path));
    let Output { stdout, stderr, .. } = Command::new(policy_tool("checkov"))
        .env("PATH", std::env::join_paths(folders).unwrap())
        .arg("--framework")
        .args(frameworks)
        .args(["--compact", "--quiet", "--skip-download"])
        .args(["--output", "json", "--directory"])
        .arg(folder)
        .output()
        .unwrap();
    let said: Value = serde_json::from_slice(&stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&stderr)));
    let reports = match said {
        Value::Array(reports) => reports,
        report => vec![report],
    };
    assert_eq!(reports.len(), frameworks.len(), "{frameworks:?}: {reports:#?}");
    reports
}

#[test]
fn checkov_fails_what_is_argued_and_nothing_else() {
    let folder = tempfile::Builder::new().prefix("policy-").tempdir().unwrap();
    for export in exports() {
        std::fs::write(
            folder.path().join(format!("{}.yaml", export.project)),
            &export.yaml,
        )
        .unwrap();
    }
    for (number, dockerfile) in dockerfiles().iter().enumerate() {
        // What tests build is no image that anybody runs.
        if dockerfile.starts_with(root().join("tests/golden")) {
            let copy = folder.path().join(format!("image-{number}"));
            std::fs::create_dir(&copy).unwrap();
            std::fs::copy(dockerfile, copy.join("Dockerfile")).unwrap();
        }
    }
    let charts = charts();
    let (plain, helm) = std::thread::scope(|scope| {
        let helm = scope.spawn(|| checkov(&["helm"], charts.path()));
        let plain = checkov(&["kubernetes", "dockerfile"], folder.path());
        (plain, helm.join().unwrap())
    });
    let mut failed = BTreeSet::new();
    let argued = argued();
    let in_charts = |id: &str| format!("{id} in charts");
    for (report, is_chart) in plain
        .iter()
        .map(|report| (report, false))
        .chain(helm.iter().map(|report| (report, true)))
    {
        assert_eq!(report["summary"]["parsing_errors"], 0);
        assert!(report["summary"]["passed"].as_u64().unwrap() > 100, "{report:#}");
        for check in report["results"]["failed_checks"].as_array().unwrap() {
            let id = check["check_id"].as_str().unwrap().to_owned();
            let place = if is_chart && argued.contains(&in_charts(&id)) {
                in_charts(&id)
            } else {
                id
            };
            assert!(
                argued.contains(&place),
                "{place}, {}: {} of {}",
                check["check_name"],
                check["resource"],
                check["file_path"]
            );
            failed.insert(place);
        }
    }
    assert_eq!(failed, argued, "arguments that nothing needs any more");
}

#[test]
fn hadolint_has_nothing_to_say() {
    let files = dockerfiles();
    assert!(files.len() > 8, "{files:?}");
    let output = Command::new(policy_tool("hadolint"))
        .arg("--no-color")
        .args(files)
        .output()
        .unwrap();
    let text = [output.stdout, output.stderr].concat();
    assert_eq!(String::from_utf8_lossy(&text), "");
    assert!(output.status.success());
}
