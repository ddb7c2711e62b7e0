//! Takes out of a stack what its checker refuses, until it takes the rest.

use super::item::{Item, Member, Step};
use super::notes::Notes;
use super::{rule, write};
use crate::diagnostic::{Collector, Severity, Sources, Span};
use crate::stack::{self, BlockInterface, FileError, FileKind, Files};
use crate::yaml::{self, Content, Node};

/// The name by which the checker reads what was written.
const STACK: &str = "stack.yaml";

/// How often something is taken out: what remains of a container goes with the next round, then its pod.
const ROUNDS: usize = 24;

/// The files beside the stack, and the stack itself.
struct With<'a> {
    text: &'a str,
    others: &'a dyn Files,
}

impl Files for With<'_> {
    fn kind(&self, path: &str) -> Result<FileKind, FileError> {
        match path {
            STACK => Ok(FileKind::File),
            other => self.others.kind(other),
        }
    }

    fn read(&self, path: &str, limit: usize) -> Result<Vec<u8>, FileError> {
        match path {
            STACK if self.text.len() > limit => Err(FileError::TooLarge { limit }),
            STACK => Ok(self.text.as_bytes().to_vec()),
            other => self.others.read(other, limit),
        }
    }

    fn list(&self, path: &str) -> Result<Vec<String>, FileError> {
        self.others.list(path)
    }
}

/// Writes a stack that passes the check; says of everything else why not. `None` where nothing is left.
pub fn checked(
    members: Vec<Member>,
    files: &dyn Files,
    blocks: &[BlockInterface],
    notes: &mut Notes,
) -> Option<String> {
    let options = stack::Options {
        set: stand_ins(&members),
        blocks: blocks.to_vec(),
        ..stack::Options::default()
    };
    let mut root = Item::Map(members);
    for _ in 0..ROUNDS {
        let Item::Map(members) = &root else { return None };
        let runs = |key: &str| members.iter().any(|member| member.key == key);
        if !runs("pods") && !runs("jobs") {
            return None;
        }
        let text = write::write(members);
        let with = With {
            text: &text,
            others: files,
        };
        let Err(problems) = stack::load(&with, STACK, &options) else {
            return Some(text);
        };
        let mut unheard = Collector::default();
        let tree = yaml::read(&mut Sources::default(), STACK, text.as_bytes(), &mut unheard)?;
        let mut wrong: Vec<Vec<Step>> = Vec::new();
        for problem in problems
            .list
            .iter()
            .filter(|problem| problem.severity == Severity::Error)
        {
            let path = path_of(&tree, problem.span);
            if path.is_empty() || wrong.contains(&path) {
                continue;
            }
            if let Some(origin) = root.origin(&path) {
                notes.problem(&rule::REFUSED, &shown(&path), origin, problem);
            }
            wrong.push(path);
        }
        // From the end: a place in a list stays what it was.
        wrong.sort();
        let mut is_less = false;
        for path in wrong.iter().rev() {
            is_less |= root.remove(path);
        }
        if !is_less {
            return None;
        }
    }
    None
}

/// Values for the parameters that have to be given: each a text, a number and a name, as good as any.
fn stand_ins(members: &[Member]) -> Vec<String> {
    let parameters = members.iter().find(|member| member.key == "parameters");
    let Some(Item::Map(parameters)) = parameters.map(|member| &member.value) else {
        return Vec::new();
    };
    let is_required = |parameter: &&Member| matches!(&parameter.value, Item::Map(keys) if keys.iter().all(|key| key.key != "default"));
    let required = parameters.iter().filter(is_required);
    required.map(|parameter| format!("{}=1", parameter.key)).collect()
}

/// The way to what stands at a place of a text.
fn path_of(tree: &Node, span: Span) -> Vec<Step> {
    let mut path = Vec::new();
    let mut node = tree;
    loop {
        match &node.content {
            Content::Mapping(entries) => {
                let holds = |entry: &&yaml::Entry| {
                    entry.key_span.start <= span.start
                        && span.start < entry.value.span.end.max(entry.key_span.end)
                };
                let Some(entry) = entries.iter().rev().find(holds) else {
                    return path;
                };
                path.push(Step::Key(entry.key.replace("$${", "${")));
                if span.start < entry.key_span.end {
                    return path;
                }
                node = &entry.value;
            }
            Content::Sequence(items) => {
                let holds = |item: &Node| item.span.start <= span.start && span.start < item.span.end;
                let Some(index) = items.iter().position(holds) else {
                    return path;
                };
                path.push(Step::Index(index));
                node = &items[index];
            }
            _ => return path,
        }
    }
}

fn shown(path: &[Step]) -> String {
    let mut text = String::new();
    for step in path {
        match step {
            Step::Key(key) if text.is_empty() => text.push_str(key),
            Step::Key(key) => {
                text.push('.');
                text.push_str(key);
            }
            Step::Index(index) => text.push_str(&format!("[{index}]")),
        }
    }
    text
}
