use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::*;
use crate::commands::stack_args::blocks;
use crate::export::Verdict;
use crate::stack::{MemoryFiles, load};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(folder: &Path, root: &Path, files: &mut BTreeMap<String, Vec<u8>>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read(&path, root, files);
        } else {
            let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
            files.insert(name, std::fs::read(&path).unwrap());
        }
    }
}

fn exported(folder: &str, name: &str) -> Export {
    let folder = root().join("tests/stacks/export").join(folder);
    let mut files = BTreeMap::new();
    read(&folder, &folder, &mut files);
    let options = crate::stack::Options {
        blocks: blocks(),
        ..crate::stack::Options::default()
    };
    let loaded = load(&MemoryFiles(files), name, &options).unwrap_or_else(|problems| panic!("{problems:?}"));
    export(&loaded.stack, &options_of_export(".")).unwrap_or_else(|errors| panic!("{errors:?}"))
}

fn options_of_export(folder: &str) -> Options {
    Options {
        folder: folder.to_owned(),
        registry: None,
        tag: "latest".to_owned(),
        block_image: "motif/block:0123456789ab".to_owned(),
        version: "1".to_owned(),
        pins: std::collections::BTreeMap::new(),
    }
}

/// The stacks of the goldens, below tests/stacks/export/.
const STACKS: [(&str, &str); 4] = [
    ("", "differences.yaml"),
    ("", "edges.yaml"),
    ("", "sidecar.yaml"),
    ("compose", "stack.yaml"),
];

#[test]
fn every_difference_is_in_the_report_of_a_golden() {
    let reports = STACKS.map(|(folder, name)| exported(folder, name).report);
    for field in FIELDS.iter().filter(|field| field.verdict != Verdict::Kept) {
        let mut lines = reports.iter().flat_map(Report::lines);
        assert!(lines.any(|line| line.row == *field), "no line says {field:?}");
    }
}

#[test]
fn whatever_ends_is_waited_for() {
    for (folder, name) in STACKS {
        let services = exported(folder, name).document.services.0;
        let started = services.iter().filter(|(_, service)| service.profiles.is_empty());
        let awaited: BTreeSet<&String> = started
            .clone()
            .flat_map(|(_, service)| &service.depends_on.0)
            .filter(|(_, dependency)| dependency.condition == document::Condition::Done)
            .map(|(name, _)| name)
            .collect();
        let ending: Vec<&String> = started
            .filter(|(_, service)| service.ends)
            .map(|(name, _)| name)
            .collect();
        assert!(!ending.is_empty(), "{name}");
        for ending in ending {
            assert!(awaited.contains(ending), "{name}: nothing waits for {ending}");
        }
    }
}

#[test]
fn what_services_name_is_there() {
    for (folder, name) in STACKS {
        let document = exported(folder, name).document;
        let services: BTreeSet<&str> = document
            .services
            .0
            .iter()
            .map(|(name, _)| name.as_str())
            .collect();
        assert_eq!(
            services.len(),
            document.services.0.len(),
            "{name}: a name stands twice"
        );
        for (service, found) in &document.services.0 {
            for (other, _) in &found.depends_on.0 {
                assert!(services.contains(other.as_str()), "{service} waits for {other}");
            }
            for volume in found.volumes.iter().filter_map(|mount| mount.source.as_ref()) {
                assert!(document.volumes.contains_key(volume), "{service} mounts {volume}");
            }
            for config in &found.configs {
                assert!(document.configs.contains_key(&config.source), "{config:?}");
            }
            for secret in &found.secrets {
                assert!(document.secrets.contains_key(&secret.source), "{secret:?}");
            }
        }
    }
}

#[test]
fn variables_have_names_that_a_shell_takes_and_differ() {
    let text = "stack: shop
pods:
  web:
    containers:
      app:
        image: app:1
        env: { A: { secret: 1-db, key: a.b }, B: { secret: 1-db, key: a-b }, C: { secret: 1-db, key: a_b } }
secrets:
  1-db: { files: { a.b: x, a-b: y, a_b: z } }
";
    let files = MemoryFiles(BTreeMap::from([(
        "stack.yaml".to_owned(),
        text.as_bytes().to_vec(),
    )]));
    let stack = load(&files, "stack.yaml", &crate::stack::Options::default())
        .unwrap_or_else(|problems| panic!("{problems:?}"))
        .stack;
    let names: Vec<String> = variables(&stack).into_values().collect();
    assert_eq!(names, ["_1_DB_A_B", "_1_DB_A_B_", "_1_DB_A_B__"]);
}
