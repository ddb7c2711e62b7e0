//! The frame of the command line: help, usage errors, exit codes, completions and man pages.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::motif::Workspace;

const SHELLS: [(&str, &str); 4] = [
    ("bash", "motif.bash"),
    ("zsh", "_motif"),
    ("fish", "motif.fish"),
    ("powershell", "_motif.ps1"),
];

#[test]
fn an_unknown_command_is_a_usage_error_with_a_suggestion() {
    let output = Workspace::new().run(&["upp"]).code(2);
    assert!(output.stderr.contains("'up'"), "{output}");
    assert!(output.stdout.is_empty(), "{output}");
}

#[test]
fn every_command_has_a_help_that_starts_with_what_it_does() {
    let workspace = Workspace::new();
    let help = workspace.run(&["--help"]).success().stdout;
    let commands: Vec<&str> = help
        .lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.strip_prefix("  "))
        .filter(|line| !line.starts_with(' '))
        .filter_map(|line| line.split_whitespace().next())
        // `block --help` is the list of blocks, each with what it does.
        .filter(|name| !matches!(*name, "help" | "block"))
        .collect();
    assert!(commands.len() >= 12, "{help}");
    for command in commands {
        let output = workspace.run(&[command, "--help"]).success();
        let first = output.stdout.lines().next().unwrap_or_default();
        assert!(
            first.starts_with(|letter: char| letter.is_ascii_uppercase()),
            "`{command}`: {output}"
        );
        assert!(!first.ends_with('.'), "`{command}`: {first}");
    }
}

#[test]
fn completions_are_those_of_this_binary() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("completions");
    let generated = SHELLS
        .iter()
        .map(|(shell, file)| {
            (
                (*file).to_owned(),
                Workspace::new().run(&["completions", shell]).success().stdout,
            )
        })
        .collect();
    compare(&root, &generated);
}

#[test]
fn man_pages_are_those_of_this_binary() {
    let workspace = Workspace::new();
    workspace.run(&["man", "--output", "man"]).success();
    let generated = fs::read_dir(workspace.path().join("man"))
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| {
            (
                entry.file_name().into_string().unwrap(),
                fs::read_to_string(entry.path()).unwrap(),
            )
        })
        .collect();
    compare(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/man"),
        &generated,
    );
}

#[test]
fn the_page_of_blocks_is_their_help() {
    let workspace = Workspace::new();
    let list = workspace.run(&["block"]).success().stdout;
    let mut page = String::from(
        "# Blocks\n\n\
         The building blocks are programs inside the `motif` binary; in a stack: `block: proxy`, with its flags under `args`.\n\
         Every flag has an environment variable, and an image's labels tell both: `motif inspect IMAGE`.\n\
         A block refuses bad configuration at its start with one line and exit code 2, and on SIGTERM ends its work and exits with 0.\n\
         This page is the blocks' own `--help`, written by `make update`.\n",
    );
    let names: Vec<&str> = list
        .lines()
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    assert!(names.contains(&"proxy") && names.contains(&"pause"), "{list}");
    for name in names {
        let help = workspace.run(&["block", name, "--help"]).success().stdout;
        let lines: Vec<&str> = help.lines().map(str::trim_end).collect();
        page.push_str(&format!(
            "\n## {name}\n\n```text\n{}\n```\n",
            lines.join("\n").trim_end()
        ));
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/blocks.md");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&path, &page).unwrap();
    }
    assert!(
        fs::read_to_string(&path).unwrap_or_default() == page,
        "docs/blocks.md is stale; `make update` rewrites it"
    );
}

/// Compares generated files with the committed ones; `UPDATE_GOLDEN=1` rewrites these.
fn compare(folder: &Path, generated: &BTreeMap<String, String>) {
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        let _ = fs::remove_dir_all(folder);
        fs::create_dir_all(folder).unwrap();
        for (name, text) in generated {
            fs::write(folder.join(name), text).unwrap();
        }
    }
    let committed: BTreeMap<String, String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| {
            (
                entry.file_name().into_string().unwrap(),
                fs::read_to_string(entry.path()).unwrap(),
            )
        })
        .collect();
    let stale: Vec<&String> = generated
        .keys()
        .chain(committed.keys())
        .filter(|name| generated.get(*name) != committed.get(*name))
        .collect();
    assert!(
        stale.is_empty(),
        "stale in {}: {stale:?}; `make update` rewrites them",
        folder.display()
    );
}
