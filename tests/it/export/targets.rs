//! Every golden project in every form of export: the same as committed, and the same objects to Kustomize and Helm.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Map, Value, json};

use super::oracles::tool;
use crate::motif::Workspace;
use crate::new::{GOLDEN, golden_folder, scaffold, tree};

/// A form of export: its name, how it is asked for, and whether it is a folder.
struct Target {
    name: &'static str,
    arguments: &'static [&'static str],
    is_folder: bool,
}

const TARGETS: &[Target] = &[
    Target {
        name: "kubernetes",
        arguments: &["kubernetes"],
        is_folder: false,
    },
    Target {
        name: "compose",
        arguments: &["compose"],
        is_folder: false,
    },
    Target {
        name: "kustomize",
        arguments: &["kubernetes", "--kustomize", "--overlay", "production"],
        is_folder: true,
    },
    Target {
        name: "helm",
        arguments: &["kubernetes", "--helm"],
        is_folder: true,
    },
];

const IMAGES: &[&str] = &["--registry", "registry.example/team", "--tag", "1.0"];

/// A tree of files as made or kept.
type Tree = BTreeMap<String, (Vec<u8>, bool)>;

/// What other programs made of an export, to be read together at the end, and what they should have made.
#[derive(Default)]
struct Rendered {
    texts: Vec<(String, String)>,
    expected: Vec<Vec<Value>>,
}

#[test]
fn projects_are_exported_as_they_are_kept() {
    let update = std::env::var_os("UPDATE_GOLDEN").is_some();
    let count = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    let mut wrong = Vec::new();
    let mut rendered = Rendered::default();
    let work = |first: usize| {
        let workspace = Workspace::new();
        let mut wrong = Vec::new();
        let mut rendered = Rendered::default();
        for (case, words) in GOLDEN.iter().skip(first).step_by(count) {
            let made = exports(&workspace, case, words, &mut rendered);
            wrong.extend(compare(case, &made, update));
        }
        (wrong, rendered)
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..count).map(|first| scope.spawn(move || work(first))).collect();
        for thread in threads {
            let (found, made) = thread.join().unwrap();
            wrong.extend(found);
            rendered.texts.extend(made.texts);
            rendered.expected.extend(made.expected);
        }
    });
    assert!(
        wrong.is_empty(),
        "differ (UPDATE_GOLDEN=1 keeps what is made): {wrong:#?}"
    );
    check(&rendered);
}

/// Makes a project and exports it in every form.
fn exports(workspace: &Workspace, case: &str, words: &[&str], rendered: &mut Rendered) -> Tree {
    scaffold(workspace, words[0], &words[1..], case).success();
    let stack = workspace.read(&format!("{case}/stack.yaml"));
    // A build of the user's own, beside the project: only that it is there matters here.
    for folder in stack
        .lines()
        .filter_map(|line| line.trim().strip_prefix("build: "))
    {
        workspace.write(&format!("{case}/{folder}/Dockerfile"), "FROM scratch\n");
    }
    let export = |arguments: &[&str]| {
        let words = [&["-C", case, "export"], arguments].concat();
        workspace.run(&words).success()
    };
    let mut made = Tree::new();
    for target in TARGETS {
        let folder = format!("out/{}", target.name);
        let mut arguments = [target.arguments, IMAGES].concat();
        if target.is_folder {
            arguments.extend(["-o", &folder]);
        }
        let output = export(&arguments);
        let report = format!("report.{}.txt", target.name);
        made.insert(report, (output.stderr.into_bytes(), false));
        if target.is_folder {
            let files = tree(&workspace.path().join(case).join(&folder));
            made.extend(
                files
                    .into_iter()
                    .map(|(path, file)| (format!("{}/{path}", target.name), file)),
            );
        } else {
            made.insert(
                format!("{}.yaml", target.name),
                (output.stdout.into_bytes(), false),
            );
        }
    }
    let objects = |arguments: &[&str]| {
        let words = [&["kubernetes", "--format", "json"], arguments].concat();
        let list: Value = serde_json::from_str(&export(&words).stdout).unwrap();
        list["items"].as_array().unwrap().clone()
    };
    let own = objects(IMAGES);
    let out = workspace.path().join(case).join("out");
    for folder in ["base", "overlays/production"] {
        let text = kustomized(&out.join("kustomize").join(folder));
        rendered.texts.push((format!("{case}: kustomize {folder}"), text));
        rendered.expected.push(own.clone());
    }
    let chart = out.join("helm");
    let text = rendered_chart(&chart, &json!({}));
    rendered.texts.push((format!("{case}: helm"), text));
    let numbers = numbers(&chart);
    let numbers: Vec<&str> = numbers.iter().map(String::as_str).collect();
    rendered.expected.push(if numbers.is_empty() {
        own
    } else {
        objects(&[IMAGES, &numbers].concat())
    });
    let (values, arguments) = others(&chart);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let text = rendered_chart(&chart, &values);
    rendered.texts.push((format!("{case}: helm {values}"), text));
    rendered.expected.push(objects(&arguments));
    made
}

/// The chart's numbers as Helm writes them: `1.0` is `1`.
fn numbers(chart: &Path) -> Vec<String> {
    let text = fs::read_to_string(chart.join("values.schema.json")).unwrap();
    let schema: Value = serde_json::from_str(&text).unwrap();
    let values = fs::read_to_string(chart.join("values.yaml")).unwrap();
    let lines = values.lines().filter_map(|line| line.split_once(": "));
    lines
        .filter(|(name, _)| schema["properties"][*name]["type"] == "number")
        .map(|(name, value)| format!("--set={name}={}", value.parse::<f64>().unwrap()))
        .collect()
}

/// Other values for everything that a chart asks for, and the same for an export.
fn others(chart: &Path) -> (Value, Vec<String>) {
    let text = fs::read_to_string(chart.join("values.schema.json")).unwrap();
    let schema: Value = serde_json::from_str(&text).unwrap();
    let mut values = Map::new();
    let mut arguments = Vec::new();
    for (name, rules) in schema["properties"].as_object().unwrap() {
        if name == "global" {
            continue;
        }
        if name == "images" {
            let mut images = json!({ "registry": "other.example:5000/x", "tag": "9" });
            let asked = rules["properties"].as_object().unwrap();
            images
                .as_object_mut()
                .unwrap()
                .retain(|name, _| asked.contains_key(name));
            values.insert(name.clone(), images);
            arguments.extend(["--registry", "other.example:5000/x", "--tag", "9"].map(str::to_owned));
            continue;
        }
        let bound = |key: &str| rules[key].as_i64();
        let value = match rules["type"].as_str() {
            Some("integer") => json!((bound("minimum").unwrap_or(0) + 4).min(bound("maximum").unwrap())),
            Some("number") => json!(0.25),
            Some("boolean") => json!(true),
            Some("string") => json!("7s"),
            _ => rules["enum"].as_array().unwrap().last().unwrap().clone(),
        };
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        arguments.extend(["--set".to_owned(), format!("{name}={text}")]);
        values.insert(name.clone(), value);
    }
    if !values.contains_key("images") {
        arguments.extend(IMAGES.iter().map(ToString::to_string));
    }
    (Value::Object(values), arguments)
}

/// What is not as it is kept.
fn compare(case: &str, made: &Tree, update: bool) -> Vec<String> {
    let folder = golden_folder().join(case).join("export");
    if update {
        let _ = fs::remove_dir_all(&folder);
        for (path, (bytes, _)) in made {
            let path = folder.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
    }
    let kept = if folder.is_dir() {
        tree(&folder)
    } else {
        Tree::new()
    };
    let differing = made
        .keys()
        .chain(kept.keys())
        .filter(|path| made.get(*path) != kept.get(*path));
    let mut wrong: Vec<String> = differing.map(|path| format!("{case}/export/{path}")).collect();
    wrong.sort();
    wrong.dedup();
    wrong
}

/// The objects that Kustomize makes of a folder.
fn kustomized(folder: &Path) -> String {
    run(Command::new(tool("kubectl")).arg("kustomize").arg(folder))
}

/// The objects that Helm makes of a chart.
pub fn rendered_chart(chart: &Path, values: &Value) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("values.json");
    fs::write(&path, values.to_string()).unwrap();
    let mut helm = helm();
    run(helm.args(["template", "release"]).arg(chart).arg("-f").arg(path))
}

/// Helm, without anything that the machine's user told it.
pub fn helm() -> Command {
    let mut command = Command::new(tool("helm"));
    command.env("HELM_CONFIG_HOME", "/nonexistent");
    command
}

fn run(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(
        output.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

/// Reads what other programs made, and compares it with what an export makes.
fn check(rendered: &Rendered) {
    let folder = tempfile::tempdir().unwrap();
    let paths: Vec<PathBuf> = rendered
        .texts
        .iter()
        .enumerate()
        .map(|(number, (_, text))| {
            let path = folder.path().join(number.to_string());
            fs::write(&path, text).unwrap();
            path
        })
        .collect();
    for (((name, _), found), expected) in rendered.texts.iter().zip(read(&paths)).zip(&rendered.expected) {
        assert_eq!(by_name(found), by_name(expected.clone()), "{name}");
    }
}

/// The objects in files, as `PyYAML` reads them.
pub fn read(paths: &[PathBuf]) -> Vec<Vec<Value>> {
    let program = "import sys, json, yaml
loader = getattr(yaml, 'CSafeLoader', yaml.SafeLoader)
print(json.dumps([[o for o in yaml.load_all(open(p, 'rb'), loader) if o] for p in sys.argv[1:]]))";
    let mut command = Command::new(tool("python3"));
    let text = run(command.args(["-c", program]).args(paths));
    serde_json::from_str(&text).unwrap()
}

/// Objects by kind and name, without the hash of their files, which a chart makes in its own way.
pub fn by_name(objects: Vec<Value>) -> BTreeMap<String, Value> {
    let named = objects.into_iter().map(|mut object| {
        let annotations = object.pointer_mut("/spec/template/metadata/annotations");
        if let Some(hash) = annotations.and_then(|found| found.get_mut("motif.dev/config-hash")) {
            assert_eq!(hash.as_str().map(str::len), Some(64));
            *hash = Value::Null;
        }
        let name = format!("{} {}", object["kind"], object["metadata"]["name"]);
        (name, object)
    });
    named.collect()
}
