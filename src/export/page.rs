//! `docs/export.md`: made from the rows that the reports are made from.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::Path;

use super::{Field, Verdict, compose, kubernetes};

/// A column of the table: where a stack can go.
struct Target {
    name: &'static str,
    rows: &'static [Field],
    /// The option that asks for it, where rows of another target are its own too.
    option: Option<&'static str>,
}

const TARGETS: &[Target] = &[
    Target {
        name: "Kubernetes",
        rows: kubernetes::FIELDS,
        option: None,
    },
    Target {
        name: "Kustomize",
        rows: kubernetes::FIELDS,
        option: Some("`--kustomize`"),
    },
    Target {
        name: "Helm",
        rows: kubernetes::FIELDS,
        option: Some("`--helm`"),
    },
    Target {
        name: "Compose",
        rows: compose::FIELDS,
        option: None,
    },
];

/// The rows by target: the title of a section, what it begins with, and how the column of what becomes of a field is
/// called.
const SECTIONS: &[(&str, &str, &str, &[Field])] = &[
    ("On a cluster", "", "on a cluster", kubernetes::FIELDS),
    (
        "Under Compose",
        include_str!("compose/page.md"),
        "under Compose",
        compose::FIELDS,
    ),
];

impl Target {
    /// The rows of a path: those of this target's option alone, where it has some.
    fn rows(&self, path: &str) -> Vec<&'static Field> {
        let of_path = self.rows.iter().filter(|row| row.path == path);
        let is_optional = |row: &Field| row.when.contains("`--helm`") || row.when.contains("`--kustomize`");
        let (optional, plain): (Vec<&Field>, Vec<&Field>) = of_path.partition(|row| is_optional(row));
        let asked_for = |option| optional.iter().any(|row| row.when.contains(option));
        match self.option {
            Some(option) if asked_for(option) => optional
                .into_iter()
                .filter(|row| row.when.contains(option))
                .collect(),
            _ => plain,
        }
    }

    /// What becomes of a path: kept, approximated and how, dropped and why.
    fn cell(&self, path: &str) -> String {
        let own = self.option.map(|option| format!("with {option}"));
        let cases = self.rows(path).into_iter().map(|row| {
            let when = own.as_deref().and_then(|own| row.when.strip_prefix(own));
            let when = when.unwrap_or(row.when).trim_start_matches(", ");
            let when = if when.is_empty() {
                String::new()
            } else {
                format!(" ({when})")
            };
            match row.verdict {
                Verdict::Kept => format!("kept{when}"),
                Verdict::Approximated => format!("approximated{when}: {}", row.becomes),
                Verdict::Dropped => format!("dropped{when}: {}", row.why),
            }
        });
        let mut cases: Vec<String> = cases.collect();
        if cases.iter().all(|case| case.starts_with("kept")) {
            cases = vec!["kept".to_owned()];
        }
        cases.join("; ")
    }

    /// The verdicts on a path alone: for a target whose cell would be another one's again.
    fn verdicts(&self, path: &str) -> String {
        let verdicts: BTreeSet<Verdict> = self.rows(path).iter().map(|row| row.verdict).collect();
        let words: Vec<String> = verdicts.iter().map(ToString::to_string).collect();
        words.join("; ")
    }
}

/// The paths of all rows, in the order of `docs/stack.md`.
fn paths() -> Vec<&'static str> {
    let mut seen = BTreeSet::new();
    let all = kubernetes::FIELDS.iter().map(|row| row.path);
    all.filter(|path| seen.insert(*path)).collect()
}

fn document() -> String {
    let mut text = String::from(include_str!("page.md"));
    let names: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
    let _ = writeln!(text, "| field | {} |", names.join(" | "));
    let _ = writeln!(text, "|---|{}", "---|".repeat(TARGETS.len()));
    for path in paths() {
        let first = TARGETS[0].cell(path);
        let cells: Vec<String> = TARGETS
            .iter()
            .enumerate()
            .map(|(index, target)| match target.cell(path) {
                cell if index > 0 && cell == first => target.verdicts(path),
                cell => cell,
            })
            .collect();
        let _ = writeln!(text, "| `{path}` | {} |", cells.join(" | "));
    }
    for (title, introduction, column, rows) in SECTIONS {
        let _ = write!(
            text,
            "\n## {title}\n\n{introduction}| field | {column} | verdict | to know |\n|---|---|---|---|\n"
        );
        for row in *rows {
            let when = if row.when.is_empty() {
                String::new()
            } else {
                format!(", {}", row.when)
            };
            let _ = writeln!(
                text,
                "| `{}`{when} | {} | {} | {} |",
                row.path, row.becomes, row.verdict, row.why
            );
        }
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
    for (.., rows) in SECTIONS {
        for (index, row) in rows.iter().enumerate() {
            let is_same = |other: &Field| (other.path, other.when) == (row.path, row.when);
            assert!(!rows[..index].iter().any(is_same), "twice: {row:?}");
            for cell in [row.path, row.when, row.becomes, row.why] {
                assert!(!cell.contains(['|', '\n']), "{cell}");
            }
        }
    }
}

#[test]
fn every_target_says_what_becomes_of_every_field() {
    for target in TARGETS {
        for path in paths() {
            assert!(!target.rows(path).is_empty(), "{}: {path}", target.name);
        }
        for row in target.rows {
            assert!(paths().contains(&row.path), "{}: {row:?}", target.name);
        }
    }
}
