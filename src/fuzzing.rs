//! Doors to the inside, for fuzz targets and for tests that a command line can't ask.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::diagnostic::{Collector, Sources};
use crate::import::{self, Input};
use crate::stack::{EnvValue, MemoryFiles, Options, Source, json_schema, load};
use crate::{commands, pattern, render, yaml};

fn options() -> Options {
    Options {
        blocks: commands::stack_args::blocks(),
        ..Options::default()
    }
}

/// Reads and checks any bytes as a stack; whether it is one.
///
/// Bytes after a line of `%%%` are a second file, which the first may include as `part.yaml`.
pub fn stack(bytes: &[u8]) -> bool {
    const SEPARATOR: &[u8] = b"\n%%%\n";
    let mut files = MemoryFiles::default();
    let at = bytes
        .windows(SEPARATOR.len())
        .position(|window| window == SEPARATOR);
    match at {
        Some(at) => {
            files.0.insert("stack.yaml".into(), bytes[..at].to_vec());
            let rest = bytes[at + SEPARATOR.len()..].to_vec();
            files.0.insert("part.yaml".into(), rest);
        }
        None => {
            files.0.insert("stack.yaml".into(), bytes.to_vec());
        }
    }
    files
        .0
        .insert("app/Dockerfile".into(), b"FROM scratch\n".to_vec());
    match load(&files, "stack.yaml", &options()) {
        Ok(loaded) => {
            let drawn = crate::terminal::draw_plain(&loaded.warnings);
            assert_eq!(drawn.is_empty(), loaded.warnings.is_empty());
            true
        }
        Err(problems) => {
            assert!(problems.list.iter().all(|problem| !problem.message.is_empty()));
            assert!(
                !crate::terminal::draw_plain(&problems).is_empty(),
                "an error is shown"
            );
            false
        }
    }
}

/// Imports any bytes, and checks what becomes of them; whether that is a stack.
pub fn import(bytes: &[u8]) -> bool {
    let input = Input {
        path: "all.yaml".into(),
        bytes: bytes.to_vec(),
        folder: Some(String::new()),
    };
    let mut files = MemoryFiles::default();
    for path in ["vote/Dockerfile", "worker/Dockerfile", "conf/vote.ini"] {
        files.0.insert(path.into(), b"FROM scratch AS dev\n".to_vec());
    }
    let options = import::Options {
        form: None,
        name: None,
        fallback: "imported".into(),
        blocks: commands::stack_args::blocks(),
    };
    let (report, is_stack) = match import::import(&[input], &files, &options) {
        Ok(import) => {
            files.0.insert("stack.yaml".into(), import.text.into_bytes());
            let checked = load(&files, "stack.yaml", &self::options());
            // A parameter that has to be given is given later.
            let is_open = |problems: crate::diagnostic::Problems| {
                let mut list = problems.list.iter();
                list.all(|problem| problem.message.ends_with("has no value"))
            };
            assert!(checked.map_or_else(is_open, |_| true), "a stack passes the check");
            (import.report, true)
        }
        Err(unusable) => (unusable.report, false),
    };
    for line in report.lines() {
        assert!(line.place.line > 0 && !line.message.is_empty(), "{line:?}");
    }
    is_stack
}

/// Names and texts, in the order written.
type Texts = Vec<(String, String)>;

/// The environment and the build arguments of the first container of a stack's first pod; else what is wrong.
pub fn texts(stack: &str) -> Result<(Texts, Texts), String> {
    let mut files = MemoryFiles::default();
    files.0.insert("stack.yaml".into(), stack.as_bytes().to_vec());
    files.0.insert("app/Dockerfile".into(), Vec::new());
    let loaded = load(&files, "stack.yaml", &options())
        .map_err(|problems| crate::terminal::draw_plain(&problems).join("\n"))?;
    let container = &loaded.stack.pods()[0].spec.containers[0];
    let env = container.env.iter().filter_map(|(name, value)| match value {
        EnvValue::Text(text) => Some((name.clone(), text.clone())),
        EnvValue::Secret { .. } => None,
    });
    let args = match &container.source {
        Source::Build(build) => build.args.clone(),
        Source::Image(_) | Source::Block(_) => Vec::new(),
    };
    Ok((env.collect(), args))
}

/// Texts by name as a Kubernetes ConfigMap, in YAML.
pub fn config_map(texts: &BTreeMap<String, String>) -> String {
    let data: Map<String, Value> = texts
        .iter()
        .map(|(name, text)| (name.clone(), text.clone().into()))
        .collect();
    let document = serde_json::json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": { "name": "texts" },
        "data": data,
    });
    yaml::to_string(&document).expect("texts can be written")
}

/// Renders any template with any text, to any path, of any pattern: pieces with a line of `%%%` between them.
/// Whether something came of it.
///
/// What comes of it stays inside the project, is the same each time, and keeps the text where it was put.
pub fn render(bytes: &[u8]) -> bool {
    let whole = String::from_utf8_lossy(bytes);
    let mut pieces = whole.split("\n%%%\n");
    let mut piece = || pieces.next().unwrap_or_default().to_owned();
    let (template, text, target, description) = (piece(), piece(), piece(), piece());
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let description = if description.is_empty() {
        format!(
            "{{ summary: s, version: 1, parameters: {{ text: {{ type: string }}, g.count: {{ type: integer, default: 2 }} }}, \
             files: [{{ path: any, to: {} }}] }}",
            quoted(if target.is_empty() { "any" } else { &target })
        )
    } else {
        description
    };
    let files = BTreeMap::from([
        ("fuzz/pattern.yaml".to_owned(), description.into_bytes()),
        ("fuzz/files/any.tera".to_owned(), template.into_bytes()),
        (
            "fuzz/files/kept.yaml.tera".to_owned(),
            b"text: {{ text | yaml }}\nnext: {{ text | json }}\n".to_vec(),
        ),
    ]);
    let mut catalogue = pattern::Catalogue::embedded();
    if catalogue.add("fuzz", files).is_err() {
        return false;
    }
    let Ok(pattern) = catalogue
        .find("fuzz")
        .map_err(drop)
        .and_then(|entry| catalogue.load(&entry).map_err(drop))
    else {
        return false;
    };
    let given = [pattern::Answer {
        name: "text".into(),
        text: text.clone(),
        place: None,
    }];
    let nobody = &mut |_: &pattern::Question, _: Option<&crate::parameters::Value>| Ok::<_, ()>(None);
    let Ok(answers) = pattern::resolve(&pattern, "fuzz", &given, &[], nobody) else {
        return false;
    };
    let Ok(project) = render::render(&pattern, &answers) else {
        return false;
    };
    assert_eq!(
        Some(&project),
        render::render(&pattern, &answers).ok().as_ref(),
        "the same answers, the same bytes"
    );
    for (path, file) in project.files() {
        let parts: Vec<&str> = path.as_str().split('/').collect();
        assert!(
            !parts.iter().any(|part| matches!(*part, "" | "." | "..")),
            "{path} leads out of the project"
        );
        if path.as_str() == "kept.yaml" {
            let (mut sources, mut problems) = (Sources::default(), Collector::default());
            let node = yaml::read(&mut sources, "kept.yaml", &file.bytes, &mut problems);
            for key in ["text", "next"] {
                let kept = node
                    .as_ref()
                    .and_then(|node| node.get(key))
                    .map(|entry| &entry.value.content);
                let is_kept =
                    matches!(kept, Some(yaml::Content::Scalar { text: found, .. }) if *found == text);
                assert!(is_kept, "{key} is {kept:?}");
            }
        }
    }
    true
}

/// The JSON Schema of a stack.
pub fn schema() -> String {
    json_schema()
}
