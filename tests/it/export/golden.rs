//! Exports are the same bytes as those committed; `UPDATE_GOLDEN=1` rewrites them.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::{CASES, Case, export, stacks};
use crate::motif::Workspace;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden-kubernetes")
}

#[test]
fn exports_are_as_committed() {
    let update = std::env::var_os("UPDATE_GOLDEN").is_some();
    fs::create_dir_all(folder()).unwrap();
    let mut expected = BTreeSet::new();
    for case in CASES {
        let output = export(case, &[]);
        for (ending, text) in [("yaml", output.stdout), ("report.txt", output.stderr)] {
            let path = folder().join(format!("{}.{ending}", case.name));
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
    let found: BTreeSet<PathBuf> = fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    assert_eq!(found, expected, "a golden without a case");
}

/// The local block image is called by the digest of the program, which every change of it changes.
fn without_digest(text: &str) -> String {
    let mut parts = text.split("motif/block:");
    let mut result = parts.next().unwrap().to_owned();
    for part in parts {
        let (digest, rest) = part.split_at(12);
        assert!(digest.bytes().all(|byte| byte.is_ascii_hexdigit()), "{digest}");
        result.push_str("motif/block:<digest>");
        result.push_str(rest);
    }
    result
}

#[test]
fn every_stack_has_a_golden() {
    let used: BTreeSet<&str> = CASES.iter().map(|case| case.stack).collect();
    for entry in fs::read_dir(stacks()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "yaml") {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            assert!(used.contains(name.as_str()), "{name} is in no case");
        }
    }
}

#[test]
fn every_difference_that_the_page_names_is_in_a_golden_report() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join("docs/export.md")).unwrap();
    let mut reports: String = CASES.iter().map(|case| export(case, &[]).stderr).collect();
    let chart = ["export", "kubernetes", "--helm", "-o", "chart"];
    reports.push_str(
        &super::helm::stack_without_templates()
            .run(&chart)
            .success()
            .stderr,
    );
    let (_, page) = page.split_once("## On a cluster").unwrap();
    let page = page.split("\n## ").next().unwrap();
    let mut rows = 0;
    for line in page.lines() {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let [_, field, _, verdict @ ("approximated" | "dropped"), ..] = cells[..] else {
            continue;
        };
        rows += 1;
        // `pods.<pod>.containers.<container>.startup, live: successes` → its last word.
        let path = field.split('`').nth(1).unwrap();
        let word = path
            .rsplit(['.', ' '])
            .find(|word| !word.starts_with('<'))
            .unwrap();
        let said = reports.lines().any(|line| {
            line.contains(&format!(" is {verdict}: ")) && (word == "duration" || line.contains(word))
        });
        assert!(said, "no golden report says that {field} is {verdict}");
    }
    assert!(rows > 5, "{rows} rows were read");
}

#[test]
fn the_page_has_a_row_for_every_key_of_a_stack() {
    /// The keys that can be reached; what stands under `promises` serves `verify` alone, and has one row.
    fn keys(schema: &Value, whole: &Value, found: &mut BTreeSet<String>) {
        match schema {
            Value::Object(entries) => {
                if let Some(Value::String(reference)) = entries.get("$ref") {
                    let place = reference.strip_prefix('#').unwrap();
                    keys(whole.pointer(place).unwrap(), whole, found);
                }
                for (name, value) in entries {
                    match (name.as_str(), value) {
                        ("properties", Value::Object(properties)) => {
                            found.extend(properties.keys().cloned());
                            let followed = properties.iter().filter(|(key, _)| *key != "promises");
                            followed.for_each(|(_, value)| keys(value, whole, found));
                        }
                        ("$defs", _) => {}
                        _ => keys(value, whole, found),
                    }
                }
            }
            Value::Array(items) => items.iter().for_each(|item| keys(item, whole, found)),
            _ => {}
        }
    }
    let schema: Value = serde_json::from_str(&Workspace::new().run(&["schema"]).success().stdout).unwrap();
    let mut expected = BTreeSet::new();
    keys(&schema, &schema, &mut expected);
    assert!(expected.len() > 40, "{expected:?}");
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/export.md")).unwrap();
    let written: BTreeSet<&str> = page
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split('`').next())
        .flat_map(|path| path.split(|character: char| !character.is_ascii_alphanumeric()))
        .collect();
    let missing: Vec<&String> = expected
        .iter()
        .filter(|key| !written.contains(key.as_str()))
        .collect();
    assert!(missing.is_empty(), "docs/export.md says nothing of {missing:?}");
}

#[test]
fn the_same_stack_gives_the_same_bytes() {
    for case in CASES {
        let Case { name, .. } = case;
        let first = export(case, &[]);
        let second = export(case, &[]);
        assert_eq!(first.stdout, second.stdout, "{name}");
        assert_eq!(first.stderr, second.stderr, "{name}");
    }
}
