use std::collections::BTreeMap;
use std::process::Command;

use proptest::prelude::*;

use super::{quote, render};
use crate::diagnostic::{Collector, Sources};
use crate::parameters::Value;
use crate::pattern::{Answers, Catalogue, Pattern};
use crate::project::Project;
use crate::yaml::{self, Content};

/// A pattern with the parameters `text` (a string), `app.text` (one that is not always asked) and `count`.
fn pattern(files: &[(&str, &str)]) -> Pattern {
    let description = "summary: s\nversion: 1\nparameters:\n  text: { type: string, default: plain }\n  count: { type: integer, default: 3 }\n  app.text: { type: string, default: x, when: { text: other } }\n";
    let mut all = vec![("demo/pattern.yaml".to_owned(), description.as_bytes().to_vec())];
    all.extend(
        files
            .iter()
            .map(|(path, text)| (format!("demo/files/{path}"), text.as_bytes().to_vec())),
    );
    let mut catalogue = Catalogue::embedded();
    catalogue.add("mine", all.into_iter().collect()).unwrap();
    catalogue.load(&catalogue.find("demo").unwrap()).unwrap()
}

fn answers(text: &str) -> Answers {
    Answers {
        name: "shop".into(),
        values: BTreeMap::from([
            ("text".into(), Value::Text(text.into())),
            ("count".into(), Value::Integer(3)),
        ]),
    }
}

fn file(project: &Project, path: &str) -> String {
    let found = project.files().iter().find(|(other, _)| other.as_str() == path);
    let (_, file) = found.unwrap_or_else(|| panic!("no {path}"));
    String::from_utf8(file.bytes.clone()).unwrap()
}

fn rendered(template: &str, text: &str) -> Result<String, String> {
    let project =
        render(&pattern(&[("out.tera", template)]), &answers(text)).map_err(|error| error.to_string())?;
    Ok(file(&project, "out"))
}

#[track_caller]
fn renders(template: &str, expected: &str) {
    assert_eq!(rendered(template, "plain").as_deref(), Ok(expected), "{template}");
}

#[track_caller]
fn fails(template: &str, expected: &str) {
    assert_eq!(
        rendered(template, "plain"),
        Err(format!("mine/demo/files/out.tera{expected}")),
        "{template}"
    );
}

#[test]
fn renders_answers() {
    renders("{{ name }} {{ text }} {{ count }}", "shop plain 3");
    renders("{% if text == 'plain' %}yes{% else %}no{% endif %}", "yes");
    renders(
        "{% for number in range(end=count) %}{{ number }}{% endfor %}",
        "012",
    );
    renders("{% set other = text | upper %}{{ other }}", "PLAIN");
    renders(
        "{% raw %}{{ anything ~ goes }}{% endraw %}{{ text }}",
        "{{ anything ~ goes }}plain",
    );
    renders("{# {{ a comment }} #}{ { text } }", "{ { text } }");
    renders(
        "{{ count + 1 }}{% if count is defined and count > 2 %}!{% endif %}",
        "4!",
    );
    renders("{{ text | replace(from='a', to='o') }}", "ploin");
}

#[test]
fn what_has_no_value_is_never_an_empty_text() {
    fails("{{ txet }}", ":1:4: the pattern has no parameter `txet`");
    fails(
        "a\n  {{ app.txet }}",
        ":2:6: the pattern has no parameter `app.txet`",
    );
    fails("{{ app }}", ":1:4: the pattern has no parameter `app`");
    // The engine's four holes.
    fails(
        "{{ app.txet | str }}",
        ":1:4: the pattern has no parameter `app.txet`",
    );
    fails("{{ txet | safe }}", ":1:4: the pattern has no parameter `txet`");
    fails(
        "{{ text ~ 'a' }}",
        ":1:9: `~` takes what has no value for an empty text: write the texts one after the other",
    );
    fails(
        "{{ [app.text] }}",
        ":1:4: a list takes what has no value for an empty text",
    );
    // And what it takes for unequal.
    fails(
        "{% if app.txet == 'x' %}{% endif %}",
        ":1:7: the pattern has no parameter `app.txet`",
    );
    // A parameter that is not asked with these answers.
    for template in [
        "{{ app.text }}",
        "{{ app.text | str }}",
        "{{ app.text | yaml }}",
        "{{ app.text | upper }}",
    ] {
        let error = rendered(template, "plain").unwrap_err();
        assert!(error.starts_with("mine/demo/files/out.tera:1:"), "{error}");
    }
}

#[test]
fn what_could_run_for_ever_or_grow_without_end_is_refused() {
    fails(
        "{% for a in range(end=9) %}{% for b in range(end=9) %}{% for c in range(end=9) %}{% endfor %}{% endfor %}{% endfor %}",
        ":1:58: loops are nested deeper than 2",
    );
    assert!(
        rendered("{% for a in range(end=100000) %}a{% endfor %}", "")
            .unwrap_err()
            .contains("at most 1000")
    );
    let long = "a".repeat(9000);
    let template = format!("{{% for a in range(end=1000) %}}{long}{{% endfor %}}");
    fails(&template, ": renders to more than 4194304 bytes");
    fails(
        "{% block a %}{% endblock %}",
        ":1:4: there is no statement `block` here",
    );
    fails(
        "{% component a() %}{% endcomponent %}",
        ":1:4: there is no statement `component` here",
    );
    fails("{{ <a/> }}", ":1:4: components are not supported");
    fails("{{ text", ":1:1: a tag has no `}}`");
    fails("{{ 'text }}", ":1:4: a text has no end");
    fails("{% raw %}", ":1:1: `raw` has no `endraw`");
}

#[test]
fn syntax_errors_have_a_place() {
    for template in [
        "a\n{% if text %}{% for %}",
        "a\n{{ text | nothing }}",
        "a\n{{ text text }}",
        "a\n{% include 'nothing' %}",
    ] {
        let error = rendered(template, "plain").unwrap_err();
        assert!(error.starts_with("mine/demo/files/out.tera:2:"), "{error}");
    }
    fails(
        "{{ text | yalm }}",
        ":1:11: there is no filter `yalm` here: did you mean `yaml`?",
    );
    fails("{% include '_app/x' %}", ":1:12: there is no `_app/x` to include");
    let project = render(&pattern(&[("out.tera", "\u{0}ok")]), &answers("x"));
    assert!(project.is_ok());
}

/// Texts that try to break out of wherever they are put.
const HOSTILE: &[&str] = &[
    "",
    " ",
    "\"; rm -rf /",
    "'; rm -rf / #",
    "$(touch /tmp/evil)",
    "`touch /tmp/evil`",
    "${HOME}",
    "$${HOME}",
    "$$${HOME}",
    "$HOME",
    "a\nb: c",
    "a\r\nb",
    "\n",
    "\ttab",
    "a\tb",
    "{{ name }}",
    "{% raw %}",
    "{# comment",
    "}}",
    "%}",
    "- item",
    "key: value",
    "key:",
    ":",
    "#comment",
    "a #comment",
    "&anchor",
    "*alias",
    "!tag",
    "|",
    ">-",
    "---",
    "...",
    "%YAML 1.1",
    "@at",
    "`tick",
    "a`b``c",
    "[list",
    "{map",
    "]",
    "}",
    ",",
    "?",
    "-",
    "--flag",
    "=",
    "<<",
    "no",
    "NO",
    "on",
    "y",
    "~",
    "null",
    "true",
    "1e3",
    "010",
    "0x1F",
    "0o17",
    "1_000",
    "1:30",
    "12:34:56",
    ".inf",
    ".nan",
    "1.5",
    "-1",
    "+1",
    "2024-01-01",
    "trailing ",
    " leading",
    "trailing\\",
    "back\\slash",
    "\\n",
    "\"quoted\"",
    "'quoted'",
    "it's",
    "\u{0}",
    "\u{1b}[31m",
    "\u{7f}",
    "\u{85}",
    "\u{a0}",
    "\u{2028}",
    "\u{feff}",
    "\u{fffe}",
    "\u{1f600}",
    "ü",
    "| cell | cell |",
    "<script>",
    "](http://evil)",
];

/// What a YAML reader of ours finds at the key `key`.
fn read_back(document: &str) -> String {
    let (mut sources, mut problems) = (Sources::default(), Collector::default());
    let node = yaml::read(&mut sources, "t", document.as_bytes(), &mut problems);
    let node = node.unwrap_or_else(|| panic!("{document:?}: {problems:?}"));
    assert_eq!(problems.count(), 0, "{document:?}: {problems:?}");
    let Content::Mapping(entries) = &node.content else {
        panic!("{document:?}")
    };
    assert_eq!(entries.len(), 2, "{document:?}");
    match &entries[0].value.content {
        Content::Scalar { text, .. } => text.clone(),
        other => panic!("{document:?}: {other:?}"),
    }
}

#[test]
fn hostile_texts_stay_in_their_place() {
    for text in HOSTILE {
        let yaml = rendered("key: {{ text | yaml }}\nnext: x\n", text).unwrap();
        assert_eq!(read_back(&yaml), *text, "{yaml}");
        assert_eq!(yaml.lines().count(), 2);
        let json = rendered("[{{ text | json }}, 1]", text).unwrap();
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(&json).unwrap()[0],
            **text
        );
        assert_eq!(
            read_back(&format!("key: {}\nnext: x\n", quote::json(text))),
            *text
        );
        assert_eq!(
            rendered("# {{ text | line }}|\nx", text).unwrap().lines().count(),
            2,
            "{text:?}"
        );
        assert_eq!(
            rendered("# {{ text | code }}|\nx", text).unwrap().lines().count(),
            2,
            "{text:?}"
        );
        // Printed as it is, only what is plain everywhere passes.
        assert_eq!(
            rendered("{{ text }}", text).is_ok(),
            quote::is_plain(text),
            "{text:?}"
        );
    }
}

#[test]
fn hostile_texts_are_one_word_of_a_shell() {
    for text in HOSTILE {
        let word = rendered("{{ text | shell }}", text).unwrap();
        let output = Command::new("sh")
            .args(["-c", &format!("printf '<%s>' {word}")])
            .output()
            .unwrap();
        assert_eq!(
            String::from_utf8(output.stdout).unwrap(),
            format!("<{}>", text.replace('\0', ""))
        );
    }
}

/// Reads a value as the engine does: quotes and backslashes go, `$` begins a variable.
fn dockerfile_value(text: &str) -> Option<String> {
    let inner = match text.strip_prefix('"') {
        Some(rest) => rest.strip_suffix('"')?,
        None => return (!text.contains([' ', '"', '\'', '$', '\\', '#', '\n'])).then(|| text.to_owned()),
    };
    let mut value = String::new();
    let mut characters = inner.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => value.push(characters.next()?),
            '"' | '$' | '\n' => return None,
            other => value.push(other),
        }
    }
    Some(value)
}

#[test]
fn hostile_texts_are_one_value_in_a_dockerfile() {
    for text in HOSTILE {
        match rendered("{{ text | dockerfile }}", text) {
            Ok(value) => assert_eq!(dockerfile_value(&value).as_deref(), Some(*text)),
            Err(error) => {
                assert!(text.chars().any(char::is_control), "{text:?}: {error}");
                assert!(error.contains("control character"), "{error}");
            }
        }
    }
}

#[test]
fn a_dollar_is_not_a_parameter_of_the_stack() {
    assert_eq!(quote::stack("a"), "a");
    assert_eq!(quote::stack("${a}"), "\"$${a}\"");
    assert_eq!(quote::stack("$a"), "\"$a\"");
}

#[test]
fn a_text_that_could_break_out_names_its_parameter() {
    let error = rendered("{{ text }}", "a b").unwrap_err();
    assert!(
        error.starts_with("mine/demo/files/out.tera: prints a text that may need quotes (`text`): "),
        "{error}"
    );
    // Nor do the engine's own ways out help.
    for filter in ["safe", "escape", "escape_html", "escape_xml", "newlines_to_br"] {
        let error = rendered(&format!("{{{{ text | {filter} }}}}"), "plain").unwrap_err();
        assert!(
            error.contains(&format!("there is no filter `{filter}` here")),
            "{error}"
        );
    }
}

#[test]
fn the_same_answers_make_the_same_bytes_and_say_how_to_make_them_again() {
    let pattern = pattern(&[("b.tera", "{{ text | yaml }}"), ("a.bin", "\u{1}")]);
    let first = render(&pattern, &answers("it's: \"so\"")).unwrap();
    assert_eq!(first, render(&pattern, &answers("it's: \"so\"")).unwrap());
    let paths: Vec<&str> = first
        .files()
        .keys()
        .map(crate::project::RelativePath::as_str)
        .collect();
    assert_eq!(paths, [".motif/answers.yaml", "a.bin", "b"]);
    let file = file(&first, ".motif/answers.yaml");
    let read = crate::pattern::read_answers("a", file.as_bytes()).unwrap();
    let texts: Vec<(&str, &str)> = read
        .answers
        .iter()
        .map(|answer| (answer.name.as_str(), answer.text.as_str()))
        .collect();
    assert_eq!(texts, [("text", "it's: \"so\""), ("count", "3")]);
    assert_eq!(
        (read.name.as_deref(), read.pattern.as_deref()),
        (Some("shop"), Some("demo"))
    );
}

#[test]
fn every_template_of_every_embedded_pattern_names_only_what_there_is() {
    let catalogue = Catalogue::embedded();
    for entry in catalogue.entries() {
        super::check(&catalogue.load(&entry).unwrap()).unwrap();
    }
}

proptest! {
    #[test]
    fn any_text_reads_back_from_yaml(text in any::<String>()) {
        let document = format!("key: {}\nnext: x\n", quote::yaml(&text));
        prop_assert_eq!(read_back(&document), text);
    }

    #[test]
    fn any_text_reads_back_from_json_for_json_and_yaml(text in any::<String>()) {
        let string = quote::json(&text);
        prop_assert_eq!(serde_json::from_str::<String>(&string).unwrap(), text.clone());
        prop_assert_eq!(read_back(&format!("key: {string}\nnext: x\n")), text);
    }

    #[test]
    fn any_text_reads_back_from_a_dockerfile(text in any::<String>()) {
        if let Some(value) = quote::dockerfile(&text) {
            prop_assert_eq!(dockerfile_value(&value), Some(text));
        }
    }

    #[test]
    fn any_template_renders_or_says_why_not(template in r"([a-z {}%#|~'\[\]\.\n]|\{\{|\}\}|\{%|%\}|text|name| if | for | in |end){0,40}") {
        let _ = rendered(&template, "a b");
    }
}
