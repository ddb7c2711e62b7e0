//! Texts that YAML 1.1 reads as something else reach containers and clusters unchanged.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Command, Stdio};

use motif::fuzzing::{config_map, texts};
use proptest::prelude::*;
use serde_json::Value;

/// Texts that can stand in YAML without quotes, and still mean themselves.
const PLAIN: &[&str] = &[
    "no",
    "No",
    "NO",
    "yes",
    "Yes",
    "YES",
    "on",
    "On",
    "ON",
    "off",
    "Off",
    "OFF",
    "y",
    "Y",
    "n",
    "N",
    "true",
    "True",
    "TRUE",
    "false",
    "False",
    "FALSE",
    "null",
    "Null",
    "NULL",
    "~",
    "010",
    "0777",
    "08",
    "09",
    "0o17",
    "0x1F",
    "0b101",
    "0B1",
    "1_000",
    "1__0",
    "_1",
    "1e3",
    "1E3",
    "1e+3",
    "1e400",
    "685_230.15",
    "6.8523015e+5",
    "12:30:45",
    "1:20",
    "190:20:30.15",
    "-1",
    "+1",
    "-0",
    "0",
    "00",
    "1.",
    ".5",
    "1.0",
    "1.10",
    "-.inf",
    ".inf",
    ".Inf",
    ".INF",
    "+.inf",
    ".nan",
    ".NaN",
    "2001-12-14",
    "2001-12-14t21:59:43.10-05:00",
    "2001-12-14 21:59:43.10 -5",
    "=",
    "<<",
    "--",
    "---x",
    "...x",
    "-x",
    "?x",
    ":x",
    "a:b",
    "http://x:80/",
    "a#b",
    "a\\b",
    "a'b",
    "a\"b",
    "$HOME",
    "$(HOME)",
    "é",
    "日本語",
    "🚀",
    "a b",
    "1.2.3.4",
    "1.27",
    "65532:65532",
    "2e",
    "0x",
    "infinity",
    "nan",
    "NaN",
    "void",
    "None",
];

/// Texts that YAML needs quotes for.
const QUOTED: &[&str] = &[
    "",
    " ",
    "  two",
    "trailing ",
    "\t",
    "\tbegins with a tab",
    "ends with a tab\t",
    "a\tb",
    "\n",
    "\n\n",
    "a\n",
    "a\n\n",
    "\na",
    "a\nb",
    "a\n\tb\n",
    "\tx\ny\n",
    "  x\ny\n",
    "x\n  y\n",
    "a\r\nb",
    "\r",
    "# comment",
    "a # b",
    "a: b",
    "a:",
    ": a",
    "- a",
    "-",
    "? a",
    "[a]",
    "{a: b}",
    "[",
    "]",
    "{",
    "}",
    ",",
    "&anchor",
    "*alias",
    "!tag",
    "!!int 1",
    "|",
    ">",
    "|-\n x",
    "%TAG",
    "%PATH%",
    "@at",
    "`tick`",
    "'",
    "''",
    "\"",
    "\"\"",
    "'quoted'",
    "\"quoted\"",
    "\\",
    "\\n",
    "\\x41",
    "$${x}",
    "---",
    "...",
    "--- a",
    "\u{7f}",
    "\u{85}",
    "\u{a0}",
    "\u{2028}",
    "\u{2029}",
    "\u{feff}",
    "\u{feff}x",
    "\u{200b}",
    "\u{1b}[31m",
    "\u{1}",
    "\u{7}",
    "\u{e000}",
    "\u{fffd}",
    "\u{10ffff}",
    "key: |\n  block\n",
    "a very long line that goes on and on, past eighty characters and past a hundred and twenty, with words and spaces in it",
];

fn quote(text: &str) -> String {
    // JSON is YAML, but for what JSON leaves as it is and YAML can't print.
    let json = serde_json::to_string(text).unwrap();
    let mut quoted = String::new();
    for character in json.chars() {
        match character {
            '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}' => {
                quoted += &format!("\\u{:04x}", u32::from(character));
            }
            other => quoted.push(other),
        }
    }
    quoted
}

/// What a text stands as in stack.yaml, where `${` begins a parameter.
fn escaped(text: &str) -> String {
    text.replace("${", "$${")
}

fn stack(lines: &str, args: &str) -> String {
    format!(
        "stack: shop\npods:\n  web:\n    containers:\n      app:\n        build:\n          context: app\n          args:\n{args}        env:\n{lines}"
    )
}

fn run(program: &str, arguments: &[&str], input: &str) -> Value {
    let spawned = Command::new(program)
        .args(arguments)
        .env("KUBECONFIG", "/nonexistent/kubeconfig")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = spawned.unwrap_or_else(|error| panic!("{program}: {error}; `make tools` installs it"));
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{program} {arguments:?}: {said}\n{input}"
    );
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The Python that `make tools` makes, with `PyYAML` and `jsonschema`.
pub fn python_with_yaml() -> String {
    let folder = std::env::var("MOTIF_TEST_TOOLS")
        .unwrap_or_else(|_| concat!(env!("CARGO_MANIFEST_DIR"), "/target/tools/venv").to_owned());
    format!("{folder}/bin/python")
}

fn kubectl(yaml: &str) -> BTreeMap<String, String> {
    let document = run(
        "kubectl",
        &["label", "--local", "-f", "-", "-o", "json", "x=y"],
        yaml,
    );
    data(&document)
}

fn python(yaml: &str) -> BTreeMap<String, String> {
    let program = "import json, sys, yaml; json.dump(yaml.safe_load(sys.stdin.buffer), sys.stdout)";
    data(&run(&python_with_yaml(), &["-c", program], yaml))
}

#[track_caller]
fn data(document: &Value) -> BTreeMap<String, String> {
    let data = document["data"].as_object().unwrap();
    data.iter()
        .map(|(key, value)| {
            let text = value
                .as_str()
                .unwrap_or_else(|| panic!("{key:?} is {value}, not a text"));
            (key.clone(), text.to_owned())
        })
        .collect()
}

#[test]
fn the_table_is_long_enough() {
    assert!(PLAIN.len() + QUOTED.len() >= 90, "{}", PLAIN.len() + QUOTED.len());
}

#[test]
fn a_stack_keeps_every_text_as_value_and_as_key() {
    let mut lines = String::new();
    let mut args = String::new();
    let mut expected = Vec::new();
    let mut expected_args = Vec::new();
    for (index, text) in PLAIN.iter().enumerate() {
        lines += &format!("          PLAIN_{index}: {text}\n");
        expected.push((format!("PLAIN_{index}"), (*text).to_owned()));
        // A plain `<<` merges, and `=` can't stand in the name of a build argument.
        if !text.contains('=') && *text != "<<" {
            args += &format!("            {text}: {index}\n");
            expected_args.push(((*text).to_owned(), index.to_string()));
        }
    }
    for (index, text) in PLAIN.iter().chain(QUOTED).enumerate() {
        lines += &format!("          QUOTED_{index}: {}\n", quote(&escaped(text)));
        expected.push((format!("QUOTED_{index}"), (*text).to_owned()));
    }
    for text in QUOTED {
        if !text.is_empty() && !PLAIN.contains(text) {
            args += &format!("            {}: x\n", quote(&escaped(text)));
            expected_args.push(((*text).to_owned(), "x".into()));
        }
    }
    let (env, found_args) = texts(&stack(&lines, &args)).unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(env, expected);
    assert_eq!(found_args, expected_args);
}

#[test]
fn what_is_written_is_read_back_by_kubectl_and_python() {
    let mut all = BTreeMap::new();
    for (index, text) in PLAIN.iter().chain(QUOTED).enumerate() {
        all.insert(format!("value-{index}"), (*text).to_owned());
        if !text.is_empty() {
            all.insert((*text).to_owned(), format!("key {index}"));
        }
    }
    let yaml = config_map(&all);
    assert_eq!(kubectl(&yaml), all);
    assert_eq!(python(&yaml), all);
}

#[test]
fn texts_of_several_lines_are_readable_blocks() {
    let texts = BTreeMap::from([
        ("app.ini".to_owned(), "[server]\nport = 8080\n".to_owned()),
        (
            "command".to_owned(),
            "a long command line that goes on and on and on, past the eightieth column".to_owned(),
        ),
    ]);
    let yaml = config_map(&texts);
    assert!(
        yaml.contains("app.ini: |\n    [server]\n    port = 8080\n"),
        "{yaml}"
    );
    assert!(!yaml.contains('>'), "nothing is folded: {yaml}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    /// Many texts at once: starting kubectl is what takes time.
    #[test]
    fn any_text_is_read_back(values in proptest::collection::vec("(?s)[ -~\\n\\t\u{a0}-\u{2fff}]{0,40}|(?s).{0,20}", 100)) {
        let all: BTreeMap<String, String> = values
            .into_iter()
            .enumerate()
            .map(|(index, text)| (format!("value-{index}"), text.replace('\0', "")))
            .collect();
        let yaml = config_map(&all);
        prop_assert_eq!(&kubectl(&yaml), &all);
        prop_assert_eq!(&python(&yaml), &all);
    }
}
