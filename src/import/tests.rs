use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use super::rule::{COMMON, Rule};
use super::{Input, Options, compose, import, kubernetes};
use crate::export::{Field, Verdict};
use crate::stack::MemoryFiles;

/// What `docs/import.md` says: made from the same rows as the report.
fn document() -> String {
    let mut text = String::from(include_str!("import.md"));
    for (title, rules) in [
        ("In every file", COMMON),
        ("Kubernetes", kubernetes::RULES),
        ("Compose", compose::RULES),
    ] {
        let _ = write!(
            text,
            "\n## {title}\n\n| field | in a stack | verdict | to know |\n|---|---|---|---|\n"
        );
        for Rule { field, .. } in rules {
            let when = if field.when.is_empty() {
                String::new()
            } else {
                format!(", {}", field.when)
            };
            let _ = writeln!(
                text,
                "| `{}`{when} | {} | {} | {} |",
                field.path, field.becomes, field.verdict, field.why
            );
        }
    }
    text
}

#[test]
fn the_page_says_what_the_code_does() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/import.md");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, document()).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(committed, document(), "run `make update`, and read what changed");
}

#[test]
fn rows_are_written_once_and_can_stand_in_a_table() {
    for rules in [COMMON, kubernetes::RULES, compose::RULES] {
        for (index, rule) in rules.iter().enumerate() {
            let field = rule.field;
            let is_same = |other: &Rule| (other.field.path, other.field.when) == (field.path, field.when);
            assert!(!rules[..index].iter().any(is_same), "twice: {field:?}");
            for cell in [field.path, field.when, field.becomes, field.why] {
                assert!(!cell.contains(['|', '\n']), "{cell}");
            }
        }
    }
}

/// The files of a folder, by their path in it.
fn read(folder: &Path, root: &Path, files: &mut BTreeMap<String, Vec<u8>>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read(&path, root, files);
        } else {
            let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
            files.insert(name, std::fs::read(&path).unwrap());
        }
    }
}

/// What is said of the committed files of tests/import/.
fn said() -> Vec<Field> {
    let mut said = Vec::new();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/import");
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let mut files = BTreeMap::new();
        let file = if path.is_dir() {
            read(&path, &path, &mut files);
            path.join("compose.yaml")
        } else {
            path
        };
        let input = Input {
            path: file.display().to_string(),
            bytes: std::fs::read(&file).unwrap(),
            folder: Some(".".into()),
        };
        let options = Options {
            form: None,
            name: None,
            fallback: "shop".into(),
            blocks: crate::commands::stack_args::blocks(),
        };
        let import = import(&[input], &MemoryFiles(files), &options).unwrap();
        said.extend(import.report.lines().iter().map(|line| line.row));
    }
    said
}

#[test]
fn every_difference_is_in_the_report_of_a_golden() {
    let said = said();
    let rules = [COMMON, kubernetes::RULES, compose::RULES].concat();
    let silent: Vec<Field> = rules
        .iter()
        .map(|rule| rule.field)
        .filter(|field| field.verdict != Verdict::Kept && !said.contains(field))
        .collect();
    assert!(silent.is_empty(), "no golden says {silent:#?}");
}
