//! Turns a stack file and the fragments that it includes into one tree.

use std::collections::{BTreeSet, HashMap};

use super::files::{FileError, Files, project_path};
use crate::diagnostic::{Collector, Diagnostic, Sources, Span, quoted};
use crate::yaml::{self, Content, Entry, Node};

/// The most files that one stack is made of.
const MOST_FILES: usize = 64;

/// The most bytes that they hold together.
const MOST_BYTES: usize = 4 * yaml::LARGEST_INPUT;

/// Reads a stack file with everything that it includes; two that disagree are a problem at both places.
pub fn read_merged(
    files: &dyn Files,
    path: &str,
    shown_in: &str,
    sources: &mut Sources,
    problems: &mut Collector,
) -> Option<Node> {
    let mut merger = Merger {
        files,
        shown_in,
        sources,
        problems,
        open: Vec::new(),
        seen: BTreeSet::new(),
        bytes: 0,
        nodes: 0,
        is_too_much: false,
    };
    let root = merger.file(path, None);
    // What there is too much of is not worth looking at.
    root.filter(|_| !merger.is_too_much)
}

struct Merger<'a> {
    files: &'a dyn Files,
    /// What a person finds the files in: nothing, or a path that ends with `/`.
    shown_in: &'a str,
    sources: &'a mut Sources,
    problems: &'a mut Collector,
    /// The files that include the one being read.
    open: Vec<String>,
    seen: BTreeSet<String>,
    bytes: usize,
    nodes: usize,
    is_too_much: bool,
}

impl Merger<'_> {
    fn file(&mut self, path: &str, named_at: Option<Span>) -> Option<Node> {
        let bytes = match self.files.read(path, yaml::LARGEST_INPUT) {
            Ok(bytes) => bytes,
            Err(error) => {
                self.unreadable(path, &error, named_at);
                return None;
            }
        };
        self.bytes += bytes.len();
        let shown = format!("{}{path}", self.shown_in);
        let mut node = yaml::read(self.sources, &shown, &bytes, self.problems)?;
        drop(bytes);
        self.nodes += node.count();
        let is_fragment = named_at.is_some();
        match node.content {
            Content::Mapping(_) => {}
            // A fragment that says nothing, such as one that is commented out, adds nothing.
            Content::Empty if is_fragment => {}
            _ => {
                let found = node.describe();
                self.problems.push(
                    Diagnostic::error(node.span, format!("expected a stack as a mapping, found {found}"))
                        .help("begin with `stack: name` and `pods:`"),
                );
                return None;
            }
        }
        self.seen.insert(path.to_owned());
        self.open.push(path.to_owned());
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        let include = node.split_off(&["include"]);
        if let Some(entry) = include.get("include") {
            for (written, span) in self.paths(entry) {
                if let Some(fragment) = self.fragment(folder, &written, span) {
                    let mut place = Vec::new();
                    merge(&mut node, fragment, &mut place, self.problems);
                }
            }
        }
        self.open.pop();
        Some(node)
    }

    fn unreadable(&mut self, path: &str, error: &FileError, named_at: Option<Span>) {
        let span = named_at
            .unwrap_or_else(|| Span::beginning(self.sources.add(format!("{}{path}", self.shown_in), "")));
        self.problems.push(Diagnostic::error(
            span,
            format!("failed to read {}: {error}", quoted(path)),
        ));
    }

    fn paths(&mut self, entry: &Entry) -> Vec<(String, Span)> {
        let items = match &entry.value.content {
            Content::Sequence(items) => items.as_slice(),
            Content::Empty => &[],
            _ => {
                let found = entry.value.describe();
                self.problems.push(
                    Diagnostic::error(
                        entry.value.span,
                        format!("expected a list of paths, found {found}"),
                    )
                    .help("write it as a list: `include: [monitoring.yaml]`"),
                );
                return Vec::new();
            }
        };
        let mut paths = Vec::new();
        for item in items {
            match &item.content {
                Content::Scalar { text, .. } => paths.push((text.clone(), item.span)),
                _ => self.problems.push(Diagnostic::error(
                    item.span,
                    format!("expected a path, found {}", item.describe()),
                )),
            }
        }
        paths
    }

    fn fragment(&mut self, folder: &str, written: &str, span: Span) -> Option<Node> {
        let path = match project_path(folder, written) {
            Ok(path) => path,
            Err(why) => {
                self.problems.push(
                    Diagnostic::error(span, why).help("a fragment lies in the stack's folder or below it"),
                );
                return None;
            }
        };
        if self.open.contains(&path) {
            let mut way: Vec<&str> = self
                .open
                .iter()
                .skip_while(|open| **open != path)
                .map(String::as_str)
                .collect();
            way.push(&path);
            self.problems.push(Diagnostic::error(
                span,
                format!("the files include each other: {}", way.join(" → ")),
            ));
            return None;
        }
        if self.is_too_much || self.seen.contains(&path) {
            return None;
        }
        let fragment = self.file(&path, Some(span));
        if self.seen.len() > MOST_FILES || self.bytes > MOST_BYTES || self.nodes > yaml::NODES {
            self.is_too_much = true;
            self.problems
                .push(Diagnostic::error(span, "too much is included").help(format!(
                    "the most is {MOST_FILES} files, {} MiB and {} values in all",
                    MOST_BYTES >> 20,
                    yaml::NODES
                )));
        }
        fragment
    }
}

/// Adds a fragment's tree to another: mappings become their union, everything else must agree.
fn merge(base: &mut Node, addition: Node, place: &mut Vec<String>, problems: &mut Collector) {
    if base.content == Content::Empty {
        *base = addition;
        return;
    }
    match (&mut base.content, addition.content) {
        (_, Content::Empty) => {}
        (Content::Mapping(entries), Content::Mapping(added)) => {
            let known: HashMap<String, usize> = entries
                .iter()
                .enumerate()
                .map(|(index, entry)| (entry.key.clone(), index))
                .collect();
            for entry in added {
                match known.get(&entry.key) {
                    Some(index) => {
                        place.push(entry.key);
                        merge(&mut entries[*index].value, entry.value, place, problems);
                        place.pop();
                    }
                    None => entries.push(entry),
                }
            }
        }
        (base_content, added_content) => {
            if !is_same(base_content, &added_content) {
                let here = Node {
                    content: added_content,
                    span: addition.span,
                };
                problems.push(
                    Diagnostic::error(
                        here.span,
                        format!("two files disagree about `{}`", place.join(".")),
                    )
                    .label(format!("here it is {}", here.describe()))
                    .related(base.span, format!("here it is {}", base.describe()))
                    .help("keep one of them, or make them the same"),
                );
            }
        }
    }
}

/// Merges another form of a tree into it, as a JSON Merge Patch does (RFC 7396): nothing removes a key, mappings are
/// merged, and everything else takes the place of what was there.
pub fn patched(base: &mut Node, patch: Node) {
    let Content::Mapping(changes) = patch.content else {
        *base = patch;
        return;
    };
    if !matches!(base.content, Content::Mapping(_)) {
        base.content = Content::Mapping(Vec::new());
    }
    let Content::Mapping(entries) = &mut base.content else {
        return;
    };
    for change in changes {
        let place = entries.iter().position(|entry| entry.key == change.key);
        match place {
            Some(index) if is_nothing(&change.value.content) => {
                entries.remove(index);
            }
            None if is_nothing(&change.value.content) => {}
            Some(index) => patched(&mut entries[index].value, change.value),
            None => {
                let mut made = Entry {
                    value: Node {
                        content: Content::Empty,
                        span: change.value.span,
                    },
                    ..change.clone()
                };
                patched(&mut made.value, change.value);
                entries.push(made);
            }
        }
    }
}

/// Whether a value is YAML's null, written or not.
fn is_nothing(content: &Content) -> bool {
    match content {
        Content::Empty => true,
        Content::Scalar { text, plain } => *plain && matches!(text.as_str(), "null" | "Null" | "NULL" | "~"),
        _ => false,
    }
}

/// Whether two values are the same, wherever they stand.
pub fn is_same(left: &Content, right: &Content) -> bool {
    match (left, right) {
        (Content::Sequence(left), Content::Sequence(right)) => {
            left.len() == right.len()
                && left
                    .iter()
                    .zip(right)
                    .all(|(left, right)| is_same(&left.content, &right.content))
        }
        (Content::Mapping(left), Content::Mapping(right)) => {
            left.len() == right.len()
                && left.iter().zip(right).all(|(left, right)| {
                    left.key == right.key && is_same(&left.value.content, &right.value.content)
                })
        }
        (left, right) => left == right,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Node {
        let (mut sources, mut problems) = (Sources::default(), Collector::default());
        yaml::read(&mut sources, "it", text.as_bytes(), &mut problems).unwrap()
    }

    fn written(node: &Node) -> String {
        match &node.content {
            Content::Empty | Content::Unresolved => String::new(),
            Content::Scalar { text, .. } => text.clone(),
            Content::Sequence(items) => {
                let items: Vec<String> = items.iter().map(written).collect();
                format!("[{}]", items.join(", "))
            }
            Content::Mapping(entries) => {
                let entries: Vec<String> = entries
                    .iter()
                    .map(|entry| format!("{}: {}", entry.key, written(&entry.value)))
                    .collect();
                format!("{{{}}}", entries.join(", "))
            }
        }
    }

    #[test]
    fn a_patch_merges_replaces_and_removes() {
        for (base, patch, wanted) in [
            ("{a: b}", "{a: c}", "{a: c}"),
            ("{a: b}", "{b: c}", "{a: b, b: c}"),
            ("{a: b, b: c}", "{a: null}", "{b: c}"),
            ("{a: [b]}", "{a: c}", "{a: c}"),
            ("{a: {b: c}}", "{a: {b: d, c: ~}}", "{a: {b: d}}"),
            ("{a: [b]}", "{a: [1]}", "{a: [1]}"),
            ("{a: foo}", "{a: {bb: {ccc: null}}}", "{a: {bb: {}}}"),
            ("{e: 'null'}", "{a: 'null'}", "{e: null, a: null}"),
        ] {
            let mut node = read(base);
            patched(&mut node, read(patch));
            assert_eq!(written(&node), wanted, "{base} with {patch}");
        }
    }
}
