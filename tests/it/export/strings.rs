//! Texts of any kind reach a cluster as they were written.

use std::fmt::Write;

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

use super::oracles::{by_kubectl, by_pyyaml};
use crate::motif::Workspace;

/// What some reader of YAML takes for something else.
const TRAPS: &[&str] = &[
    "",
    "no",
    "No",
    "NO",
    "yes",
    "on",
    "off",
    "y",
    "N",
    "true",
    "null",
    "~",
    "1_000",
    "0o17",
    "017",
    "0x1F",
    "0b11",
    "1e3",
    "1.0",
    ".inf",
    "-.INF",
    ".nan",
    "685_230.15",
    "190:20:30",
    "12:30",
    "2001-01-01",
    "2001-12-14t21:59:43.10-05:00",
    "=",
    "<<",
    "*a",
    "&a",
    "!a",
    "!!str a",
    "%a",
    "@a",
    "`a",
    "|",
    ">",
    "- a",
    "-",
    "?",
    "? a",
    ": ",
    ":",
    "a: b",
    "a #b",
    "# a",
    "[a",
    "{a",
    "}",
    ",",
    "'",
    "\"",
    "\\",
    "\\n",
    "\t",
    "\ttab",
    " lead",
    "trail ",
    "a\n",
    "\na",
    "a\nb",
    "a\n\nb\n",
    "a\n\n",
    "\ttab\nline",
    " lead\nline",
    "a\r\nb",
    "\r",
    "\u{85}",
    "\u{a0}",
    "\u{2028}",
    "\u{feff}",
    "\u{1b}[0m",
    "\u{7f}",
    "ü",
    "日本",
    "🙂",
    "---",
    "...",
    "--- a",
    "a\n---\nb",
    "a\n...\n",
    "$(A)",
    "$$(A)",
    "$$",
    "$",
    "$A",
    "$(",
    "a$",
];

/// What the kubelet makes of a variable's text.
fn expanded(text: &str) -> String {
    let characters: Vec<char> = text.chars().collect();
    let mut result = String::new();
    let mut at = 0;
    while at < characters.len() {
        match (characters[at], characters.get(at + 1)) {
            ('$', Some('$')) => {
                result.push('$');
                at += 2;
            }
            ('$', Some('(')) if characters[at..].contains(&')') => {
                result.push_str("<expanded>");
                at += characters[at..]
                    .iter()
                    .position(|&character| character == ')')
                    .unwrap()
                    + 1;
            }
            (character, _) => {
                result.push(character);
                at += 1;
            }
        }
    }
    result
}

/// Texts of every kind.
pub fn texts() -> Vec<String> {
    let mut runner = TestRunner::deterministic();
    let random = [
        "\\PC{0,12}",
        "[ -~\n\t]{0,120}",
        "(?s).{0,40}",
        "[$(){}a]{0,8}",
        "([a-z ]{0,30}\n){0,4}",
    ];
    let mut texts: Vec<String> = TRAPS.iter().map(ToString::to_string).collect();
    // No process takes a NUL byte.
    for pattern in random {
        let strategy = proptest::string::string_regex(pattern).unwrap();
        texts.extend((0..60).map(|_| strategy.new_tree(&mut runner).unwrap().current()));
    }
    texts.retain(|text| !text.contains('\0'));
    texts
}

#[test]
fn values_survive_kubectl_and_pyyaml() {
    let texts = texts();
    let env: serde_json::Map<String, Value> = texts
        .iter()
        .enumerate()
        .map(|(number, text)| (format!("V{number}"), escaped(text).into()))
        .collect();
    let files: serde_json::Map<String, Value> = texts
        .iter()
        .enumerate()
        .map(|(number, text)| (format!("f{number}"), escaped(text).into()))
        .collect();
    let arguments: Vec<String> = texts.iter().map(|text| escaped(text)).collect();
    let stack = json!({
        "stack": "strings",
        "pods": { "web": {
            "containers": { "app": {
                "image": "a:1", "user": 1000, "env": env, "args": arguments, "mounts": { "conf": "/conf" },
            } },
            "volumes": { "conf": { "config": files } },
        } },
    });
    let workspace = Workspace::new().file("stack.yaml", yaml(&stack));
    let yaml = workspace.run(&["export", "kubernetes"]).success().stdout;
    for (reader, objects) in [("kubectl", by_kubectl(&yaml)), ("PyYAML", by_pyyaml(&yaml))] {
        let deployment = objects
            .iter()
            .find(|object| object["kind"] == "Deployment")
            .unwrap();
        let config = objects
            .iter()
            .find(|object| object["kind"] == "ConfigMap")
            .unwrap();
        let container = &deployment["spec"]["template"]["spec"]["containers"][0];
        for (number, text) in texts.iter().enumerate() {
            let variable = &container["env"][number];
            assert_eq!(variable["name"], format!("V{number}"));
            assert_eq!(
                expanded(variable["value"].as_str().unwrap()),
                *text,
                "{reader}: value"
            );
            assert_eq!(
                expanded(container["args"][number].as_str().unwrap()),
                *text,
                "{reader}: argument"
            );
            match config["data"].get(format!("f{number}")) {
                Some(value) => assert_eq!(value, text, "{reader}: file"),
                None => assert!(
                    config["binaryData"][format!("f{number}")].is_string(),
                    "{reader}: {text:?}"
                ),
            }
        }
    }
}

/// JSON is YAML, but for characters that can't be printed.
pub fn yaml(value: &Value) -> String {
    let is_printable =
        |character: char| matches!(character, '\n' | ' '..='~' | '\u{a0}'..='\u{d7ff}' | '\u{10000}'..);
    let mut text = String::new();
    for character in value.to_string().chars() {
        if is_printable(character) && !matches!(character, '\u{2028}' | '\u{2029}') {
            text.push(character);
        } else {
            write!(text, "\\u{:04x}", u32::from(character)).unwrap();
        }
    }
    text
}

/// The text in a stack, where `${` begins a parameter.
pub fn escaped(text: &str) -> String {
    text.replace("${", "$${")
}
