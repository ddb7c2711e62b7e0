//! Reads mappings of a foreign file: what nobody asks for is said to be dropped.

use super::notes::Notes;
use super::rule::{self, Rule};
use crate::diagnostic::{Span, quoted};
use crate::export::Verdict;
use crate::yaml::{self, Content, Entry, Node};

/// A mapping that is being read.
#[derive(Debug)]
pub struct Record<'n> {
    /// The kind of thing, as in the rules.
    scope: &'static str,
    /// Its path, as in the report.
    pub path: String,
    /// Where it is.
    pub span: Span,
    entries: &'n [Entry],
    taken: Vec<bool>,
}

/// A value and the place of its key.
#[derive(Debug, Clone, PartialEq)]
pub struct Found<T> {
    /// The value.
    pub value: T,
    /// The key's place.
    pub span: Span,
}

/// Whether nothing is said by a value.
pub fn is_nothing(node: &Node) -> bool {
    match &node.content {
        Content::Empty | Content::Unresolved => true,
        Content::Scalar { text, plain } => *plain && matches!(text.as_str(), "null" | "~" | "Null" | "NULL"),
        Content::Sequence(items) => items.is_empty(),
        Content::Mapping(entries) => entries.is_empty(),
    }
}

/// The text of a scalar.
pub fn text_of(node: &Node) -> Option<&str> {
    match &node.content {
        Content::Scalar { text, .. } => Some(text),
        _ => None,
    }
}

/// A boolean as readers of YAML 1.1 have it too.
fn boolean_of(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" | "y" => Some(true),
        "false" | "no" | "off" | "n" => Some(false),
        _ => None,
    }
}

impl<'n> Record<'n> {
    /// Begins to read a mapping; says so where it is none.
    pub fn of(node: &'n Node, scope: &'static str, path: String, notes: &mut Notes) -> Option<Self> {
        let Some(entries) = node.entries() else {
            notes.wrong(&path, node.span, "a mapping", node);
            return None;
        };
        Some(Self {
            scope,
            path,
            span: node.span,
            entries,
            taken: vec![false; entries.len()],
        })
    }

    /// The path of a field.
    pub fn at(&self, key: &str) -> String {
        if self.path.is_empty() {
            key.to_owned()
        } else {
            format!("{}.{key}", self.path)
        }
    }

    /// Takes a field, where it says something.
    pub fn take(&mut self, key: &str) -> Option<&'n Entry> {
        let at = self.entries.iter().position(|entry| entry.key == key)?;
        self.taken[at] = true;
        Some(&self.entries[at]).filter(|entry| !is_nothing(&entry.value))
    }

    /// Whether a field is there, even one that says nothing; it is taken.
    pub fn has(&mut self, key: &str) -> bool {
        let at = self.entries.iter().position(|entry| entry.key == key);
        if let Some(at) = at {
            self.taken[at] = true;
        }
        at.is_some()
    }

    /// Takes a text.
    pub fn text(&mut self, key: &str, notes: &mut Notes) -> Option<Found<String>> {
        let entry = self.take(key)?;
        let Some(text) = text_of(&entry.value) else {
            notes.wrong(&self.at(key), entry.key_span, "a text", &entry.value);
            return None;
        };
        Some(Found {
            value: text.to_owned(),
            span: entry.key_span,
        })
    }

    /// Takes a whole number that is not negative.
    pub fn whole(&mut self, key: &str, notes: &mut Notes) -> Option<Found<u64>> {
        let entry = self.take(key)?;
        let number = text_of(&entry.value).and_then(|text| yaml::whole(text).ok());
        let Some(value) = number.and_then(|number| u64::try_from(number).ok()) else {
            notes.wrong(&self.at(key), entry.key_span, "a whole number", &entry.value);
            return None;
        };
        Some(Found {
            value,
            span: entry.key_span,
        })
    }

    /// Takes a boolean.
    pub fn boolean(&mut self, key: &str, notes: &mut Notes) -> Option<Found<bool>> {
        let entry = self.take(key)?;
        let Some(value) = text_of(&entry.value).and_then(boolean_of) else {
            notes.wrong(&self.at(key), entry.key_span, "`true` or `false`", &entry.value);
            return None;
        };
        Some(Found {
            value,
            span: entry.key_span,
        })
    }

    /// Takes a list.
    pub fn list(&mut self, key: &str, notes: &mut Notes) -> &'n [Node] {
        let Some(entry) = self.take(key) else {
            return &[];
        };
        let Content::Sequence(items) = &entry.value.content else {
            notes.wrong(&self.at(key), entry.key_span, "a list", &entry.value);
            return &[];
        };
        items
    }

    /// Takes a list of texts; `None` where it isn't there.
    pub fn texts(&mut self, key: &str, notes: &mut Notes) -> Option<Vec<String>> {
        self.entries.iter().find(|entry| entry.key == key)?;
        let items = self.list(key, notes);
        let mut texts = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            match text_of(item) {
                Some(text) => texts.push(text.to_owned()),
                None => notes.wrong(&format!("{}[{index}]", self.at(key)), item.span, "a text", item),
            }
        }
        Some(texts)
    }

    /// Takes a mapping.
    pub fn record(&mut self, key: &str, scope: &'static str, notes: &mut Notes) -> Option<Record<'n>> {
        let entry = self.take(key)?;
        Record::of(&entry.value, scope, self.at(key), notes)
    }

    /// Takes a list of mappings; each has a name, or its number, in its path.
    pub fn records(&mut self, key: &str, scope: &'static str, notes: &mut Notes) -> Vec<Record<'n>> {
        let path = self.at(key);
        let mut records = Vec::new();
        for (index, item) in self.list(key, notes).iter().enumerate() {
            let name = item.get("name").and_then(|entry| text_of(&entry.value));
            let path = match name {
                Some(name) => format!("{path}[{name}]"),
                None => format!("{path}[{index}]"),
            };
            records.extend(Record::of(item, scope, path, notes));
        }
        records
    }

    /// Takes a mapping of names to texts, in the order written.
    pub fn map(&mut self, key: &str, notes: &mut Notes) -> Vec<(String, Found<String>)> {
        let Some(entry) = self.take(key) else {
            return Vec::new();
        };
        let path = self.at(key);
        let Some(entries) = entry.value.entries() else {
            notes.wrong(&path, entry.key_span, "names and texts", &entry.value);
            return Vec::new();
        };
        let mut found = Vec::new();
        for inner in entries {
            let value = match &inner.value.content {
                Content::Empty => Some(""),
                _ => text_of(&inner.value),
            };
            match value {
                Some(value) => found.push((
                    inner.key.clone(),
                    Found {
                        value: value.to_owned(),
                        span: inner.key_span,
                    },
                )),
                None => notes.wrong(
                    &format!("{path}.{}", inner.key),
                    inner.key_span,
                    "a text",
                    &inner.value,
                ),
            }
        }
        found
    }

    /// Whether it is an empty directory of a name and a size, and nothing else.
    pub fn is_empty_directory(&self, name: &str, size: &str) -> bool {
        let [first, second] = self.entries else {
            return false;
        };
        let is =
            |entry: &Entry, key: &str, value: &str| entry.key == key && text_of(&entry.value) == Some(value);
        let inner = second.value.entries().unwrap_or_default();
        is(first, "name", name)
            && second.key == "emptyDir"
            && matches!(inner, [only] if is(only, "sizeLimit", size))
    }

    /// Whether every field is taken.
    pub fn is_read(&self) -> bool {
        self.taken.iter().all(|taken| *taken)
    }

    /// Takes the field that means nothing in a stack, and doesn't have to.
    pub fn ignore(&mut self, keys: &[&str]) {
        for key in keys {
            self.has(key);
        }
    }

    /// Takes the fields that begin so, which are for others.
    pub fn ignore_prefix(&mut self, prefix: &str) {
        let indices = self.entries.iter().zip(&mut self.taken);
        for (_, taken) in indices.filter(|(entry, _)| entry.key.starts_with(prefix)) {
            *taken = true;
        }
    }

    /// The fields that nobody took, as names and values.
    pub fn others(&mut self) -> Vec<&'n Entry> {
        let mut others = Vec::new();
        for (entry, taken) in self.entries.iter().zip(&mut self.taken) {
            if !std::mem::replace(taken, true) {
                others.push(entry);
            }
        }
        others
    }

    /// Says of every field that nobody took what becomes of it.
    pub fn rest(mut self, rules: &[Rule], notes: &mut Notes) {
        for (entry, taken) in self.entries.iter().zip(&self.taken) {
            debug_assert!(
                !taken
                    || entry.key.starts_with("x-")
                    || rules.iter().any(|rule| rule.is_about(self.scope, &entry.key)),
                "{}.{} is read, and has no row",
                self.scope,
                entry.key
            );
        }
        for entry in self.others() {
            let path = self.at(&entry.key);
            let about = || rules.iter().filter(|rule| rule.is_about(self.scope, &entry.key));
            // Without a case of its own, where there is such a row.
            let general = about().find(|rule| rule.field.when.is_empty());
            match general.or_else(|| about().next()) {
                // An empty mapping may say much where its key is right.
                None if matches!(entry.value.content, Content::Empty) => {}
                Some(_) if is_nothing(&entry.value) => {}
                Some(rule) if rule.field.verdict == Verdict::Kept => {}
                Some(rule) => notes.rule(rule, &path, entry.key_span),
                None => {
                    let prefix = format!("{}.", self.scope);
                    let names = rules
                        .iter()
                        .filter_map(|rule| rule.field.path.strip_prefix(&prefix))
                        .flat_map(|keys| keys.split(", "));
                    let remedy = match crate::diagnostic::nearest(&entry.key, names) {
                        Some(meant) => format!("did you mean {}?", quoted(meant)),
                        None => rule::UNKNOWN.remedy.to_owned(),
                    };
                    let message = format!("no field {} is known", quoted(&entry.key));
                    notes.say(&rule::UNKNOWN, &path, entry.key_span, message, remedy);
                }
            }
        }
    }
}
