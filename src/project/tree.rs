//! Draws paths as a tree.

use std::collections::BTreeMap;
use std::fmt::Write as _;

#[derive(Default)]
struct Folder<'a> {
    entries: BTreeMap<&'a str, (Folder<'a>, &'a str)>,
}

/// Draws sorted paths, each with a remark (or none), as the tree of a folder.
pub fn tree<'a>(root: &str, paths: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let mut top = Folder::default();
    for (path, remark) in paths {
        let mut folder = &mut top;
        let mut parts = path.split('/').peekable();
        while let Some(part) = parts.next() {
            let entry = folder.entries.entry(part).or_default();
            if parts.peek().is_none() {
                entry.1 = remark;
            }
            folder = &mut entry.0;
        }
    }
    let mut text = format!("{root}\n");
    draw(&top, "", &mut text);
    text
}

fn draw(folder: &Folder<'_>, indent: &str, text: &mut String) {
    let last = folder.entries.len().saturating_sub(1);
    for (index, (name, (inner, remark))) in folder.entries.iter().enumerate() {
        let (branch, below) = if index == last {
            ("└── ", "    ")
        } else {
            ("├── ", "│   ")
        };
        let gap = if remark.is_empty() { "" } else { "  " };
        let _ = writeln!(text, "{indent}{branch}{name}{gap}{remark}");
        draw(inner, &format!("{indent}{below}"), text);
    }
}
