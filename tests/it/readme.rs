//! The commands of README.md, run in an empty folder.

use std::process::{Command, Stdio};

use crate::motif::{Workspace, binary, engine_is_wanted};

/// The text of every `sh` block, in order.
fn shell_blocks(markdown: &str) -> Vec<String> {
    let mut blocks = Vec::new();
    let mut open: Option<String> = None;
    for line in markdown.lines() {
        match (&mut open, line) {
            (None, "```sh") => open = Some(String::new()),
            (Some(_), "```") => blocks.extend(open.take()),
            (Some(block), line) => {
                block.push_str(line);
                block.push('\n');
            }
            (None, _) => {}
        }
    }
    blocks
}

#[test]
fn the_commands_of_the_readme_work_in_an_empty_folder() {
    if !engine_is_wanted() {
        return;
    }
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let blocks = shell_blocks(&std::fs::read_to_string(root.join("README.md")).unwrap());
    assert!(blocks.len() >= 3, "{blocks:?}");
    let workspace = Workspace::new().with_engine();
    let down = format!(
        "[ -f shop/stack.yaml ] && {} -q -C shop down --volumes\n",
        binary().display()
    );
    let script = format!(
        "set -euo pipefail\nmotif() {{ {} \"$@\"; }}\ntrap 'cd {}; {}' EXIT\n{}",
        binary().display(),
        workspace.path().display(),
        down.trim_end(),
        blocks.concat(),
    );
    let mut command = Command::new("bash");
    let prepared = workspace.command::<&str>(&[]);
    command.env_clear();
    for (name, value) in prepared.get_envs() {
        if let Some(value) = value {
            command.env(name, value);
        }
    }
    let output = command
        .arg("-c")
        .arg(&script)
        .current_dir(workspace.path())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{script}\n{}\n{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn every_page_that_the_readme_names_is_there() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = std::fs::read_to_string(root.join("README.md")).unwrap();
    let missing: Vec<&str> = readme
        .split("](")
        .skip(1)
        .filter_map(|rest| rest.split(')').next())
        .filter(|target| !target.contains("://"))
        .filter(|target| !root.join(target).exists())
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}
