use std::fmt::Write;
use std::path::Path;

use super::rule::{COMMON, Rule};
use super::{compose, kubernetes};

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
