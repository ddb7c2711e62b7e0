use std::fmt::Write;
use std::path::Path;

use super::FIELDS;

/// What `docs/export.md` says: made from the same rows as the report.
fn document() -> String {
    let mut text = String::from(include_str!("export.md"));
    text.push_str("| field | on a cluster | verdict | to know |\n|---|---|---|---|\n");
    for field in FIELDS {
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
    text
}

#[test]
fn the_page_says_what_the_code_does() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/export.md");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, document()).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(committed, document(), "run `make update`, and read what changed");
}

#[test]
fn rows_are_written_once_and_can_stand_in_a_table() {
    for (index, field) in FIELDS.iter().enumerate() {
        let is_same = |other: &super::Field| (other.path, other.when) == (field.path, field.when);
        assert!(!FIELDS[..index].iter().any(is_same), "twice: {field:?}");
        for cell in [field.path, field.when, field.becomes, field.why] {
            assert!(!cell.contains(['|', '\n']), "{cell}");
        }
    }
}
