//! The pages of the patterns: parts, parameters and promises in them are those of the patterns themselves.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use crate::motif::Workspace;

const BEGIN: &str = "<!-- made from the pattern: begin -->\n";
const END: &str = "<!-- made from the pattern: end -->\n";

/// What every page says, in this order.
const HEADINGS: &[&str] = &[
    "## What",
    "## When",
    "## When not",
    "## Parts",
    "## Parameters",
    "## Promises",
    "## Not promised",
];

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/patterns")
}

fn json(output: &str) -> Value {
    serde_json::from_str(output).unwrap_or_else(|error| panic!("{error}: {output}"))
}

fn patterns() -> Vec<String> {
    let listed = json(
        &Workspace::new()
            .run(&["patterns", "--format", "json"])
            .success()
            .stdout,
    );
    let name = |pattern: &Value| pattern["name"].as_str().unwrap().to_owned();
    listed.as_array().unwrap().iter().map(name).collect()
}

/// The part of a page that the pattern itself says.
fn made(pattern: &str) -> String {
    let workspace = Workspace::new();
    let shown = workspace
        .run(&["patterns", "show", pattern, "--format", "json"])
        .success();
    let shown = json(&shown.stdout);
    workspace.run(&["new", pattern, "shop", "--defaults"]).success();
    let checked = workspace
        .run(&["check", "--format", "json", "-f", "shop/stack.yaml"])
        .success();
    let checked = json(&checked.stdout);
    let mut text = String::from("## Parts\n\n");
    for part in shown["parts"].as_array().unwrap() {
        let word = |key: &str| part[key].as_str().unwrap();
        let _ = writeln!(text, "- `{}`: {}", word("name"), word("does"));
    }
    text.push_str("\n## Parameters\n\n| parameter | default | is |\n|---|---|---|\n");
    for parameter in shown["parameters"].as_array().unwrap() {
        let default = match &parameter["default"] {
            Value::Null => String::new(),
            Value::String(text) => format!("`{text}`"),
            value => format!("`{value}`"),
        };
        let help = parameter["help"].as_str().unwrap().replace('|', "\\|");
        let _ = writeln!(
            text,
            "| `{}` | {default} | {help} |",
            parameter["name"].as_str().unwrap()
        );
    }
    text.push_str("\n## Promises\n\nOf the stack that the defaults make; `motif verify` proves them.\n\n");
    for (name, says) in checked["stack"]["promises"].as_object().unwrap() {
        let _ = writeln!(text, "- `{name}`: {}", says.as_str().unwrap());
    }
    text
}

#[test]
fn every_pattern_has_a_page_that_is_true() {
    let update = std::env::var_os("UPDATE_GOLDEN").is_some();
    let mut wrong = Vec::new();
    for pattern in patterns() {
        let path = folder().join(format!("{}.md", pattern.replace('/', "-")));
        let Ok(page) = fs::read_to_string(&path) else {
            wrong.push(format!("{}: there is no page", path.display()));
            continue;
        };
        let (head, rest) = page
            .split_once(BEGIN)
            .unwrap_or_else(|| panic!("{pattern}: no {BEGIN}"));
        let (_, tail) = rest
            .split_once(END)
            .unwrap_or_else(|| panic!("{pattern}: no {END}"));
        let whole = format!("{head}{BEGIN}{}{END}{tail}", made(&pattern));
        if update {
            fs::write(&path, &whole).unwrap();
        } else if whole != page {
            wrong.push(format!("{}: it is not what the pattern says", path.display()));
        }
        let mut after = 0;
        for heading in HEADINGS {
            match whole[after..].find(&format!("\n{heading}\n")) {
                Some(at) => after += at + 1,
                None => wrong.push(format!("{}: no `{heading}` in its place", path.display())),
            }
        }
        if !whole.starts_with(&format!("# {pattern}\n")) || whole.matches("```").count() < 2 {
            wrong.push(format!(
                "{}: it begins with its name, and has a picture",
                path.display()
            ));
        }
    }
    assert!(
        wrong.is_empty(),
        "{}\n(UPDATE_GOLDEN=1 keeps what is made)",
        wrong.join("\n")
    );
}

#[test]
fn every_promise_of_a_default_project_has_a_control() {
    for pattern in patterns() {
        let workspace = Workspace::new();
        workspace.run(&["new", &pattern, "shop", "--defaults"]).success();
        let text = workspace.read("shop/stack.yaml");
        let promises = text
            .split("\npromises:\n")
            .nth(1)
            .unwrap_or_else(|| panic!("{pattern} promises nothing"));
        let says = promises
            .lines()
            .filter(|line| line.starts_with("    says:"))
            .count();
        let controls = promises
            .lines()
            .filter(|line| line.starts_with("    control:"))
            .count();
        assert!(
            says > 0 && says == controls,
            "{pattern}: {says} promises, {controls} controls"
        );
    }
}
