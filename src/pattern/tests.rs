use std::collections::BTreeMap;

use super::{Answer, Answers, Catalogue, Pattern, Unresolved, read_answers, resolve};
use crate::diagnostic::Problems;
use crate::parameters::Value;

/// A catalogue of the user's, in front of the embedded one.
fn catalogue(files: &[(&str, &str)]) -> Catalogue {
    let mut catalogue = Catalogue::embedded();
    catalogue.add("mine", files_of(files)).unwrap();
    catalogue
}

fn files_of(files: &[(&str, &str)]) -> BTreeMap<String, Vec<u8>> {
    files
        .iter()
        .map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec()))
        .collect()
}

fn load(files: &[(&str, &str)]) -> Result<Pattern, Problems> {
    let catalogue = catalogue(files);
    let entry = catalogue.find("demo").unwrap();
    catalogue.load(&entry)
}

/// Loads the pattern `demo` with one file, from the text of its `pattern.yaml`.
fn demo(description: &str) -> Result<Pattern, Problems> {
    load(&[("demo/pattern.yaml", description), ("demo/files/a.txt", "a")])
}

fn shown(problems: &Problems) -> String {
    let lines: Vec<String> = problems
        .list
        .iter()
        .map(|one| {
            let line = format!("{}: {}", problems.sources.place(one.span), one.message);
            let help = one.help.iter().map(String::as_str);
            std::iter::once(line.as_str())
                .chain(help)
                .collect::<Vec<_>>()
                .join("\n  ")
        })
        .collect();
    lines.join("\n")
}

#[track_caller]
fn wrong(description: &str, expected: &str) {
    let problems = demo(description).expect_err("it was accepted");
    assert_eq!(shown(&problems), expected);
}

const HEAD: &str = "summary: s\nversion: 1\n";

#[track_caller]
fn wrong_rest(rest: &str, expected: &str) {
    wrong(&format!("{HEAD}{rest}"), expected);
}

#[test]
fn what_is_wrong_with_a_pattern_is_said_with_its_place() {
    wrong(
        "version: 1\n",
        "mine/demo/pattern.yaml:1:1: a pattern needs the key `summary`",
    );
    wrong(
        "summary: s\nversion: 0\n",
        "mine/demo/pattern.yaml:2:10: expected a whole number from 1 to 1000000, found `0`",
    );
    wrong_rest(
        "paramaters: {}\n",
        "mine/demo/pattern.yaml:3:1: a pattern takes no key `paramaters`\n  did you mean `parameters`?",
    );
    wrong_rest(
        "uses: [_nothing]\n",
        "mine/demo/pattern.yaml:3:8: there is no part `_nothing`",
    );
    wrong_rest(
        "parameters: { size: { type: bytes } }\n",
        "mine/demo/pattern.yaml:3:29: `bytes` is not a type of parameter\n  it is `string`, `integer`, `number`, `boolean`, `choice`, `port`, `image`, `path`, `duration` or `quantity`",
    );
    wrong_rest(
        "parameters: { port: { type: port, default: 70000 } }\n",
        "mine/demo/pattern.yaml:3:44: expected a port from 1 to 65535, found `70000`",
    );
    wrong_rest(
        "parameters: { Port-A: { type: port } }\n",
        "mine/demo/pattern.yaml:3:15: `Port-A` can't name a pattern's parameter\n  it is `word` or `group.word`, in small letters, digits and `_`",
    );
    wrong_rest(
        "parameters: { name: { type: string } }\n",
        "mine/demo/pattern.yaml:3:15: `name` is taken: templates read something else by it",
    );
    wrong_rest(
        "parameters: { app: { type: string }, app.port: { type: port } }\n",
        "mine/demo/pattern.yaml:3:38: `app.port` is in the way of `app`",
    );
    wrong_rest(
        "parameters: { a: { type: port, when: { b: x } }, b: { type: string } }\n",
        "mine/demo/pattern.yaml:3:40: no parameter `b` is asked before this",
    );
    wrong_rest(
        "parameters: { kind: { type: choice, choices: [one, two] }, b: { type: string, when: { kind: [one, tow] } } }\n",
        "mine/demo/pattern.yaml:3:99: `tow` is none of the choices\n  did you mean `two`?",
    );
    wrong_rest(
        "parameters: { b: { type: boolean }, c: { type: port, defaults: [{ when: { b: true }, value: x }] } }\n",
        "mine/demo/pattern.yaml:3:93: expected a port from 1 to 65535, found `x`",
    );
    wrong_rest(
        "files: [{ path: b.txt }]\n",
        "mine/demo/pattern.yaml:3:17: no file stands at `b.txt` below `files`",
    );
    for to in ["../a", "/etc/passwd", ".git/hooks/post-checkout", "a:b"] {
        let problems = demo(&format!("{HEAD}files: [{{ path: a.txt, to: \"{to}\" }}]\n")).unwrap_err();
        assert!(
            shown(&problems).starts_with("mine/demo/pattern.yaml:3:28: the path \""),
            "{problems:?}"
        );
    }
}

#[test]
fn all_problems_are_said_at_once() {
    let problems =
        demo("summary: s\nparts: [a]\nparameters: { a: { type: x }, B: { type: port } }\n").unwrap_err();
    assert_eq!(problems.list.len(), 4, "{}", shown(&problems));
}

#[test]
fn a_catalogue_with_what_nothing_reads_is_refused() {
    let refused = |files: &[(&str, &str)]| -> Vec<String> {
        let wrong = Catalogue::embedded().add("mine", files_of(files)).unwrap_err();
        wrong.iter().map(ToString::to_string).collect()
    };
    assert_eq!(
        refused(&[("a/patern.yaml", ""), ("a/files/b", "")]),
        ["`mine/a` has a folder `files`, but no `pattern.yaml`"]
    );
    assert_eq!(
        refused(&[("_a/files/b", "")]),
        ["`mine/_a` has a folder `files`, but no `part.yaml`"]
    );
    assert_eq!(
        refused(&[("README.md", "")]),
        ["`mine` holds no pattern: no `<family>/<variant>/pattern.yaml`"]
    );
    let stray = refused(&[("a/b/pattern.yaml", ""), ("a/b/file/c", "")]);
    assert!(
        stray[0].starts_with("`mine/a/b/file/c` would never be read"),
        "{stray:?}"
    );
}

#[test]
fn a_pattern_is_found_by_its_name_or_its_familys() {
    let catalogue = catalogue(&[
        ("cache/small/pattern.yaml", ""),
        ("cache/large/pattern.yaml", ""),
        ("queue/only/pattern.yaml", ""),
    ]);
    let found = |name: &str| match catalogue.find(name) {
        Ok(entry) => entry.name,
        Err(error) => format!("{error}; {}", error.hint()),
    };
    assert_eq!(found("container"), "container");
    assert_eq!(found("sidecar"), "sidecar/tls");
    assert!(found("adapter").starts_with("`adapter` is a family of several patterns"));
    assert_eq!(found("queue"), "queue/only");
    assert_eq!(found("cache/small"), "cache/small");
    assert_eq!(
        found("cache"),
        "`cache` is a family of several patterns; choose one: `cache/large`, `cache/small`"
    );
    assert_eq!(
        found("sidecar/tsl"),
        "no pattern `sidecar/tsl`; did you mean `sidecar/tls`?"
    );
    assert_eq!(
        found("contaner"),
        "no pattern `contaner`; did you mean `container`?"
    );
    assert_eq!(found("../x"), "no pattern `../x`; `motif patterns` lists them");
    // Parts are no patterns.
    assert!(found("_app").starts_with("no pattern"));
}

#[test]
fn a_users_pattern_comes_before_the_embedded_one_and_can_use_its_parts() {
    let files = [
        (
            "container/pattern.yaml",
            "summary: mine\nversion: 7\nuses: [_app]\n",
        ),
        ("container/files/a", "a"),
    ];
    let catalogue = catalogue(&files);
    let entry = catalogue.find("container").unwrap();
    assert!(!entry.is_embedded);
    let pattern = catalogue.load(&entry).unwrap();
    assert_eq!((pattern.summary.as_str(), pattern.version), ("mine", 7));
    assert!(
        pattern
            .questions
            .iter()
            .any(|question| question.name == "app.language")
    );
}

#[test]
fn every_embedded_pattern_loads() {
    let catalogue = Catalogue::embedded();
    let entries = catalogue.entries();
    assert!(entries.len() >= 2);
    for entry in entries {
        let pattern = catalogue
            .load(&entry)
            .unwrap_or_else(|problems| panic!("{}", shown(&problems)));
        assert!(
            !pattern.promises.is_empty() && !pattern.parts.is_empty(),
            "{}",
            entry.name
        );
        for question in &pattern.questions {
            assert!(
                question.parameter.help.is_some(),
                "{}: {} has no help",
                entry.name,
                question.name
            );
        }
    }
}

fn given(answers: &[&str]) -> Vec<Answer> {
    answers
        .iter()
        .map(|text| {
            let (name, text) = text.split_once('=').unwrap();
            Answer {
                name: name.into(),
                text: text.into(),
                place: None,
            }
        })
        .collect()
}

fn sidecar() -> Pattern {
    let catalogue = Catalogue::embedded();
    catalogue.load(&catalogue.find("sidecar").unwrap()).unwrap()
}

/// Resolves with nobody to ask.
fn resolved(flags: &[&str], file: &[&str]) -> Result<Answers, Vec<String>> {
    let nobody = &mut |_: &super::Question, _: Option<&Value>| Ok::<_, ()>(None);
    resolve(&sidecar(), "shop", &given(flags), &given(file), nobody).map_err(|unresolved| match unresolved {
        Unresolved::Wrong(wrong) => wrong
            .iter()
            .map(|one| match one.hint() {
                Some(hint) => format!("{one}; {hint}"),
                None => one.to_string(),
            })
            .collect(),
        Unresolved::Prompt(()) => vec!["prompt".into()],
    })
}

#[track_caller]
fn resolves(flags: &[&str], file: &[&str], expected: &[(&str, &str)]) {
    let answers = resolved(flags, file).unwrap();
    for (name, value) in expected {
        let found = answers.values.get(*name).map(ToString::to_string);
        assert_eq!(found.as_deref(), (!value.is_empty()).then_some(*value), "{name}");
    }
}

#[track_caller]
fn refuses(flags: &[&str], file: &[&str], expected: &[&str]) {
    assert_eq!(resolved(flags, file).unwrap_err(), expected);
}

#[test]
fn flags_come_before_the_file_and_the_file_before_defaults() {
    resolves(
        &[],
        &[],
        &[
            ("port", "8443"),
            ("app.from", "block"),
            ("app.image", ""),
            ("app.security", "restricted"),
        ],
    );
    resolves(&[], &["port=1"], &[("port", "1")]);
    resolves(&["port=2"], &["port=1"], &[("port", "2")]);
    resolves(&["port=2", "port=3"], &[], &[("port", "3")]);
}

#[test]
fn an_answer_says_what_its_condition_is_about() {
    resolves(
        &["app.image=nginx"],
        &[],
        &[
            ("app.from", "image"),
            ("app.image", "nginx"),
            ("app.security", "baseline"),
            ("app.language", ""),
        ],
    );
    resolves(
        &["app.build=legacy"],
        &[],
        &[("app.from", "build"), ("app.security", "baseline")],
    );
    resolves(
        &["app.language=go"],
        &[],
        &[("app.from", "language"), ("app.security", "restricted")],
    );
    resolves(
        &["app.image=nginx", "app.security=restricted"],
        &[],
        &[("app.security", "restricted")],
    );
    // A flag changes what a file says, and what that brought with it.
    resolves(
        &["app.language=go"],
        &["app.from=image", "app.image=nginx"],
        &[("app.from", "language"), ("app.image", "")],
    );
}

#[test]
fn wrong_answers_are_said_all_at_once() {
    refuses(
        &["app.prot=1", "replicas=0", "port=http"],
        &[],
        &[
            "the pattern has no parameter `app.prot`; did you mean `app.port`?",
            "`replicas`: `0` is less than the minimum `1`",
            "`port`: expected a whole number, found `http`",
        ],
    );
    refuses(
        &["app.image=nginx", "app.language=go"],
        &[],
        &[
            "`app.image` and `app.language` exclude each other; they need different answers to `app.from`: give one of them",
        ],
    );
    refuses(
        &["app.image=nginx", "app.build=x", "app.language=go"],
        &[],
        &[
            "`app.build` and `app.language` exclude each other; they need different answers to `app.from`: give one of them",
            "`app.image` and `app.language` exclude each other; they need different answers to `app.from`: give one of them",
        ],
    );
    refuses(
        &["app.from=block", "app.image=nginx"],
        &[],
        &["`app.image` is not asked here: only when `app.from` is `image`"],
    );
    refuses(
        &["app.from=image"],
        &[],
        &[
            "`app.image` is not given, and has no default; give it with `--set app.image=…`, or in the file of `--answers`",
        ],
    );
    refuses(
        &["app.image=UPPER CASE"],
        &[],
        &["`app.image`: expected an image such as `nginx:1.27`, found `UPPER CASE`"],
    );
}

#[test]
fn only_what_matters_is_asked() {
    let mut asked = Vec::new();
    let mut ask = |question: &super::Question, default: Option<&Value>| {
        asked.push(format!(
            "{}={}",
            question.name,
            default.map(ToString::to_string).unwrap_or_default()
        ));
        Ok::<_, ()>((question.name == "app.from").then(|| Value::Text("build".into())))
    };
    let answers = resolve(&sidecar(), "shop", &given(&["replicas=3"]), &[], &mut ask).unwrap();
    assert_eq!(
        asked,
        [
            "app.from=block",
            "app.build=app",
            "app.port=8080",
            "app.cpu=500m",
            "app.memory=256Mi",
            "app.security=baseline",
            "port=8443",
            "tls.minimum=1.2"
        ]
    );
    assert_eq!(answers.values["replicas"], Value::Integer(3));
}

#[test]
fn an_answers_file_is_read_strictly() {
    let file = read_answers(
        "a.yaml",
        b"pattern: sidecar/tls\nversion: 1\nname: on\nanswers:\n  port: 8443\n",
    )
    .unwrap();
    assert_eq!(file.name.as_deref(), Some("on"));
    assert_eq!(file.answers[0].place.as_ref().unwrap().to_string(), "a.yaml:5:9");
    let wrong = |text: &str| shown(&read_answers("a.yaml", text.as_bytes()).unwrap_err());
    assert_eq!(
        wrong("patern: x\n"),
        "a.yaml:1:1: an answers file takes no key `patern`\n  did you mean `pattern`?"
    );
    assert_eq!(
        wrong("answers: [a]\n"),
        "a.yaml:1:10: expected names and values, found a list\n  write it as a mapping: `name: value`"
    );
    assert_eq!(
        wrong("answers: { a: [1] }\n"),
        "a.yaml:1:15: expected a text, found a list"
    );
}

#[test]
fn the_documented_pattern_is_one() {
    let document = include_str!("../../docs/patterns.md");
    let example = document
        .split("```yaml\n")
        .nth(1)
        .and_then(|rest| rest.split("```").next())
        .unwrap();
    let files = [
        ("demo/pattern.yaml", example),
        ("demo/files/fancy.css", ""),
        ("demo/files/scripts/run", ""),
    ];
    let pattern = load(&files).unwrap_or_else(|problems| panic!("{}", shown(&problems)));
    let run = pattern.files.iter().find(|file| file.executable).unwrap();
    assert_eq!(run.target.as_str(), "bin/run");
    assert!(
        pattern
            .questions
            .iter()
            .any(|question| question.name == "app.from")
    );
}
