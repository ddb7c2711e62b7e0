//! `motif export compose`: goldens, and what Docker's own Compose makes of them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use super::patterns::copy;
use super::strings::{escaped, texts, yaml};
use crate::motif::{Output, Workspace};

/// A golden: its name, the folder of its stack under tests/stacks/, the stack, and how it is exported.
const CASES: &[(&str, &str, &[&str])] = &[
    ("sidecar", "export", &["-f", "sidecar.yaml"]),
    ("differences", "export", &["-f", "differences.yaml"]),
    ("edges", "export", &["-f", "edges.yaml"]),
    ("hard", "export/compose", &[]),
    (
        "hard-published",
        "export/compose",
        &["--registry", "registry.example/team", "--tag", "1.0"],
    ),
];

/// The case with the most of Compose's own.
fn hard() -> &'static (&'static str, &'static str, &'static [&'static str]) {
    CASES.iter().find(|(name, ..)| *name == "hard").unwrap()
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Exports a case from a folder of its own.
fn export((_, folder, arguments): &(&str, &str, &[&str]), more: &[&str]) -> (Workspace, Output) {
    let workspace = Workspace::new();
    let folder = root().join("tests/stacks").join(folder);
    copy(&folder, &folder, &workspace);
    let output = workspace.run(&[&["export", "compose"], *arguments, more].concat());
    (workspace, output.success())
}

/// Docker's Compose in a folder; it finds the plugin beside the tests' other tools.
pub fn compose(folder: &Path, arguments: &[&str]) -> Command {
    let configuration = root().join("target/tools/docker");
    assert!(
        configuration.join("cli-plugins/docker-compose").exists(),
        "the Compose plugin is needed here: run `make tools`"
    );
    let mut command = Command::new("docker");
    command
        .arg("compose")
        .args(arguments)
        .current_dir(folder)
        .env("DOCKER_CONFIG", configuration);
    command
}

/// What Compose makes of a file; everything that it doesn't know is an error.
fn read(workspace: &Workspace, file: &str) -> Value {
    let output = compose(
        workspace.path(),
        &["-f", file, "--profile", "*", "config", "--format", "json"],
    )
    .envs(["DB_PASS_WORD", "DB_PASS_WORD_", "DB_PASSWORD", "TOKEN_TOKEN"].map(|name| (name, "a")))
    .output()
    .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{said}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The block image and its volume are called by the digest of the program, which every change of it changes.
fn without_digest(text: &str) -> String {
    let Some((_, rest)) = text.split_once("motif/block:") else {
        return text.to_owned();
    };
    let digest = &rest[..12];
    assert!(digest.bytes().all(|byte| byte.is_ascii_hexdigit()), "{digest}");
    text.replace(digest, "<digest>")
}

#[test]
fn compose_files_are_as_committed() {
    let folder = root().join("tests/golden-compose");
    let update = std::env::var_os("UPDATE_GOLDEN").is_some();
    fs::create_dir_all(&folder).unwrap();
    let mut expected = BTreeSet::new();
    for case in CASES {
        let (_, output) = export(case, &[]);
        for (ending, text) in [("yaml", output.stdout), ("report.txt", output.stderr)] {
            let path = folder.join(format!("{}.{ending}", case.0));
            let text = without_digest(&text);
            if update {
                fs::write(&path, &text).unwrap();
            }
            let committed = fs::read_to_string(&path).unwrap_or_default();
            assert_eq!(
                text,
                committed,
                "{} differs: run `make update`, and read what changed",
                path.display()
            );
            expected.insert(path);
        }
    }
    let found: BTreeSet<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    assert_eq!(found, expected, "a golden without a case");
}

#[test]
fn compose_accepts_what_is_exported_and_reads_the_same() {
    for case in CASES {
        let (workspace, output) = export(case, &["-o", "deploy/compose.yaml"]);
        assert!(output.stderr.ends_with("wrote deploy/compose.yaml\n"), "{output}");
        let document = read(&workspace, "deploy/compose.yaml");
        let services = document["services"].as_object().unwrap();
        assert!(services.len() > 4, "{}: {services:?}", case.0);
        // Every file that it names is one of the project.
        let files =
            ["configs", "secrets"].map(|kind| document[kind].as_object().cloned().unwrap_or_default());
        for file in files
            .iter()
            .flatten()
            .filter_map(|(_, value)| value["file"].as_str())
        {
            let project = workspace.path().canonicalize().unwrap();
            assert!(
                Path::new(file).starts_with(&project) || file == "/dev/null",
                "{file}"
            );
            assert!(!file.contains("deploy"), "{file}");
        }
    }
    let (workspace, _) = export(hard(), &["-o", "compose.yaml"]);
    let document = read(&workspace, "compose.yaml");
    let tool = workspace.path().canonicalize().unwrap().join("tool");
    assert_eq!(
        document["services"]["web-0-tool"]["build"]["context"],
        tool.to_str().unwrap()
    );
    assert_eq!(
        document["services"]["once-3"]["environment"]["JOB_COMPLETION_INDEX"],
        "3"
    );
    assert_eq!(document["services"]["nightly-0"]["profiles"], json!(["nightly"]));
    let ports = &document["services"]["web"]["ports"][0];
    assert_eq!(
        (&ports["host_ip"], &ports["published"]),
        (&json!("127.0.0.1"), &json!("0"))
    );
}

#[test]
fn compose_refuses_what_is_wrong() {
    let (workspace, output) = export(&CASES[0], &[]);
    let wrong = output.stdout.replacen("hostname:", "hostnames:", 1);
    workspace.write("compose.yaml", wrong);
    let output = compose(workspace.path(), &["config", "-q"]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains("hostnames"), "{said}");
}

#[test]
fn a_secret_in_a_variable_stops_compose_where_it_is_missing() {
    let (workspace, _) = export(hard(), &["-o", "compose.yaml"]);
    let output = compose(workspace.path(), &["config", "-q"])
        .env("DB_PASS_WORD", "a")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        !output.status.success() && said.contains("it holds the key pass.word of the secret db"),
        "{said}"
    );
}

#[test]
fn texts_reach_compose_as_they_were_written() {
    let more = ["${A}", "$${A}", "${A:-b}", "${", "$$$", "a${A}$b"].map(str::to_owned);
    let texts = [texts(), more.to_vec()].concat();
    let numbered = |name: &str, texts: &[String]| -> serde_json::Map<String, Value> {
        let texts = texts.iter().enumerate();
        texts
            .map(|(number, text)| (format!("{name}{number}"), escaped(text).into()))
            .collect()
    };
    let arguments: Vec<String> = texts.iter().map(|text| escaped(text)).collect();
    let stack = json!({
        "stack": "shop",
        "pods": { "web": {
            "containers": { "app": {
                "image": "app:1", "user": 1000, "args": arguments, "env": numbered("V", &texts),
                "mounts": { "conf": "/conf" },
            } },
            "volumes": { "conf": { "config": numbered("f", &texts) } },
        } },
    });
    let workspace = Workspace::new().file("stack.yaml", yaml(&stack));
    workspace
        .run(&["export", "compose", "-o", "compose.yaml"])
        .success();
    let document = read(&workspace, "compose.yaml");
    // Compose doubles `$` again when it prints.
    let text = |value: &Value| value.as_str().unwrap_or_default().replace("$$", "$");
    let service = &document["services"]["web-0"];
    let configs: BTreeMap<&str, &Value> = document["configs"]
        .as_object()
        .unwrap()
        .iter()
        .map(|(name, value)| (name.rsplit_once('.').unwrap().1, value))
        .collect();
    for (number, expected) in texts.iter().enumerate() {
        assert_eq!(text(&service["command"][number]), *expected, "argument");
        assert_eq!(
            text(&service["environment"][format!("V{number}")]),
            *expected,
            "variable"
        );
        let config = configs[format!("f{number}").as_str()];
        if expected.is_empty() {
            assert_eq!(config["file"], "/dev/null");
        } else {
            assert_eq!(text(&config["content"]), *expected, "file");
        }
    }
}

#[test]
fn a_compose_file_is_written_whole_compared_and_never_taken_from_somebody_else() {
    let stack = "stack: shop\npods: { web: { containers: { app: { image: 'nginx:1.27', user: 101 } } } }\n";
    let workspace = Workspace::new()
        .file("shop/stack.yaml", stack)
        .file("shop/compose.yaml", "services: {}\n");
    let run = |arguments: &[&str]| {
        workspace.run(&[&["export", "compose", "-f", "shop/stack.yaml"], arguments].concat())
    };
    let refused = run(&["-o", "shop/compose.yaml"]).code(1);
    assert!(
        refused
            .stderr
            .contains("`shop/compose.yaml` isn't from an export"),
        "{refused}"
    );
    assert_eq!(workspace.read("shop/compose.yaml"), "services: {}\n");
    let absent = run(&["-o", "out/motif.yaml", "--check"]).code(1);
    assert!(absent.stdout.contains("+name: shop"), "{absent}");
    assert!(!workspace.path().join("out").exists());
    let written = run(&["-o", "out/motif.yaml"]).success();
    assert_eq!(
        (written.stdout.as_str(), written.stderr.as_str()),
        ("", "wrote out/motif.yaml\n")
    );
    run(&["-o", "out/motif.yaml", "--check"]).success();
    workspace.write(
        "shop/stack.yaml",
        stack.replace("user: 101", "user: 102, env: { A: b }"),
    );
    let stale = run(&["-o", "out/motif.yaml", "--check"]).code(1);
    assert!(stale.stdout.contains("+      A: b"), "{stale}");
    run(&["-o", "out/motif.yaml"]).success();
    run(&["-o", "out/motif.yaml", "--check"]).success();
    let folder = run(&["-o", "out"]).code(2);
    assert!(folder.stderr.contains("`out` is no name of a file"), "{folder}");
}

#[test]
fn strict_prints_nothing_unless_everything_is_kept() {
    let stack = "stack: shop\npods: { web: { containers: { app: { image: 'nginx:1.27', user: 101 } } } }\n";
    let workspace = Workspace::new().file("stack.yaml", stack);
    let kept = workspace.run(&["export", "compose", "--strict"]).success();
    assert!(kept.stdout.starts_with("# generated by motif"), "{kept}");
    workspace.write("stack.yaml", stack.replace(", user: 101", ""));
    let output = workspace
        .run(&["export", "compose", "--strict", "--report", "json"])
        .code(1);
    assert_eq!(output.stdout, "");
    let (report, _) = output.stderr.split_once("\nerror").unwrap();
    let report: Value = serde_json::from_str(report).unwrap();
    assert_eq!(report[0]["field"], "pods.web.containers.app.user");
    assert_eq!(report[0]["verdict"], "approximated");
}

#[test]
fn what_no_engine_could_run_is_refused() {
    let workspace = Workspace::new();
    let folder = root().join("tests/stacks/export");
    copy(&folder, &folder, &workspace);
    let output = workspace
        .run(&["export", "compose", "-f", "everything.yaml"])
        .code(1);
    assert_eq!(output.stdout, "");
    assert!(
        output
            .stderr
            .contains("everything.yaml:86:61: port `dns` of service `web` is UDP"),
        "{output}"
    );
}
