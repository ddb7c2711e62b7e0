//! House rules that the compiler doesn't know: who may import whom, and words that may not stand in the tree.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Module → the modules of this crate that it may import. `commands` may import everything.
const MODULES: &[(&str, &[&str])] = &[
    ("yaml", &["diagnostic"]),
    ("diagnostic", &[]),
    ("disk", &[]),
    ("parameters", &["diagnostic", "yaml"]),
    (
        "pattern",
        &["diagnostic", "disk", "parameters", "project", "yaml"],
    ),
    ("render", &["diagnostic", "parameters", "pattern", "project"]),
    ("project", &["disk"]),
    ("stack", &["diagnostic", "parameters", "yaml"]),
    ("export", &["engine", "stack", "yaml"]),
    ("import", &["diagnostic", "export", "stack", "yaml"]),
    ("engine", &["disk", "stack"]),
    ("block", &[]),
    ("verify", &["block", "stack"]),
    ("terminal", &["diagnostic", "engine", "parameters", "stack"]),
];

/// Crate → the only place (a module, or a folder of one) that may use it.
const CRATES: &[(&str, &[&str])] = &[
    ("bollard", &["engine/docker"]),
    ("dialoguer", &["terminal"]),
    ("indicatif", &["terminal"]),
    ("ratatui", &["terminal"]),
    ("annotate_snippets", &["terminal"]),
    ("comfy_table", &["terminal"]),
    ("tera", &["render"]),
    ("include_dir", &["pattern"]),
    ("granit_parser", &["yaml"]),
    ("serde_yaml", &["yaml"]),
    ("hyper", &["block", "engine/docker"]),
    (
        "hyper_util",
        &["block", "engine/docker/connection", "engine/docker/build"],
    ),
    ("rustls", &["block", "engine/docker/connection"]),
    ("tokio_rustls", &["block", "engine/docker/connection"]),
    ("rustls_native_certs", &["block", "engine/docker/connection"]),
    ("tower_service", &["engine/docker/connection"]),
    ("bollard_buildkit_proto", &["engine/docker/build"]),
    ("tonic", &["engine/docker/build"]),
    ("prost", &["engine/docker/build"]),
    (
        "base64",
        &[
            "block",
            "engine/docker/build",
            "engine/docker/registry",
            "export",
            "import",
        ],
    ),
    ("notify", &["disk"]),
    ("form_urlencoded", &["engine/docker/build"]),
    ("prometheus_client", &["block"]),
    ("postgres_protocol", &["block/source"]),
    ("fallible_iterator", &["block/source"]),
    ("regex", &["block/logs"]),
    ("miniz_oxide", &["block"]),
    ("sha1_checked", &["block"]),
    ("rcgen", &["engine"]),
    ("tar", &["engine/docker"]),
    (
        "anyhow",
        &["commands", "terminal", "block", "engine/docker", "cli.rs"],
    ),
];

#[test]
fn modules_import_only_what_the_table_allows() {
    let allowed: BTreeMap<&str, &[&str]> = MODULES.iter().copied().collect();
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        let module = path.split(['/', '.']).next().unwrap().to_owned();
        if matches!(module.as_str(), "commands" | "cli" | "lib" | "main" | "fuzzing") {
            continue;
        }
        let Some(allowed) = allowed.get(module.as_str()) else {
            wrong.push(format!("src/{path}: module `{module}` is not in the table"));
            continue;
        };
        for (number, line) in text.lines().enumerate() {
            for target in imports(line) {
                if target != module && !allowed.contains(&target.as_str()) {
                    wrong.push(format!(
                        "src/{path}:{}: `{module}` may not import `{target}`",
                        number + 1
                    ));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// `use crate::{a, b::c}` and `crate::a::b` in a line, as `a`, `b`.
fn imports(line: &str) -> Vec<String> {
    let code = line.split("//").next().unwrap();
    let mut found = Vec::new();
    for rest in code.split("crate::").skip(1) {
        let names = match rest.strip_prefix('{') {
            Some(group) => group.split('}').next().unwrap().split(',').collect(),
            None => vec![rest],
        };
        for name in names {
            let word: String = name
                .trim()
                .chars()
                .take_while(|c| c.is_ascii_alphanumeric() || *c == '_')
                .collect();
            if !word.is_empty() {
                found.push(word);
            }
        }
    }
    found
}

#[test]
fn an_export_knows_nothing_of_engines_but_what_should_be() {
    let exports = sources()
        .into_iter()
        .filter(|(path, _)| path.starts_with("export/"));
    for (path, text) in exports {
        for rest in text.split("crate::engine::").skip(1) {
            let is_pure = ["desired", "labels"]
                .iter()
                .any(|module| rest.starts_with(module));
            assert!(
                is_pure,
                "src/{path}: `crate::engine::{}`",
                rest.lines().next().unwrap()
            );
        }
    }
}

#[test]
fn the_import_reader_sees_groups_and_paths() {
    assert_eq!(imports("use crate::{stack::Stack, yaml};"), ["stack", "yaml"]);
    assert_eq!(imports("    let x = crate::engine::plan();"), ["engine"]);
    assert!(imports("// use crate::stack;").is_empty());
}

#[test]
fn a_crate_is_used_only_in_its_owner_module() {
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        for (name, owners) in CRATES {
            let used = text.lines().any(|line| {
                let code = line.split("//").next().unwrap();
                code.contains(&format!("{name}::")) || code.trim() == format!("use {name};")
            });
            let own = owners.iter().any(|owner| path.starts_with(owner));
            if used && !own {
                wrong.push(format!("src/{path}: uses `{name}`, which belongs to {owners:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_unfinished_words_stand_in_the_sources() {
    // Split, so that this file doesn't find itself.
    let words = [
        concat!("TO", "DO"),
        concat!("FIX", "ME"),
        concat!("#[", "ignore"),
        concat!("unimpl", "emented!("),
    ];
    let mut wrong = Vec::new();
    for root in ["src", "tests/it", "templates", "docs", "scripts"] {
        for path in files(&root_folder().join(root)) {
            let Ok(text) = fs::read_to_string(&path) else {
                continue;
            };
            for word in words {
                if text.contains(word) {
                    wrong.push(format!("{}: `{word}`", path.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_source_file_says_what_it_is() {
    let silent: Vec<String> = sources()
        .into_iter()
        .filter(|(_, text)| !text.starts_with("//!"))
        .map(|(path, _)| path)
        .collect();
    assert!(silent.is_empty(), "no `//!` sentence: {silent:?}");
}

fn root_folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Every source file: its path under `src/` and its text, tests beside the code left out.
fn sources() -> Vec<(String, String)> {
    let root = root_folder().join("src");
    files(&root)
        .into_iter()
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .filter(|path| {
            path.file_stem()
                .is_some_and(|stem| stem != "tests" && !stem.to_string_lossy().ends_with("_tests"))
        })
        .map(|path| {
            let name = path.strip_prefix(&root).unwrap().to_string_lossy().into_owned();
            let text = fs::read_to_string(&path).unwrap();
            // What stands under `#[cfg(test)]` at the end of a file is a test.
            let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap().to_owned();
            (name, code)
        })
        .collect()
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found.sort();
    found
}
