//! A YAML document as a tree in which every part knows its place.

use crate::diagnostic::{Span, quoted};

/// A value.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// What it is.
    pub content: Content,
    /// Where it is.
    pub span: Span,
}

/// What a value is.
#[derive(Debug, Clone, PartialEq)]
pub enum Content {
    /// Nothing was written.
    Empty,
    /// One text, not yet a number or a boolean.
    Scalar {
        /// The text, after YAML's escapes.
        text: String,
        /// Whether it was written without quotes and could be a number, a boolean or a null.
        plain: bool,
    },
    /// A list.
    Sequence(Vec<Node>),
    /// Keys and values, in the order written; no key twice.
    Mapping(Vec<Entry>),
    /// What can't be known, which was said: nothing more is said about it.
    Unresolved,
}

/// A key and its value.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The key's text.
    pub key: String,
    /// Where the key is.
    pub key_span: Span,
    /// The value.
    pub value: Node,
}

impl Node {
    /// Says what it is, as in "found …".
    pub fn describe(&self) -> String {
        match &self.content {
            Content::Empty => "nothing".into(),
            Content::Scalar { text, plain: true } => quoted(text).to_string(),
            Content::Scalar { text, plain: false } => format!("the text {}", quoted(text)),
            Content::Sequence(_) => "a list".into(),
            Content::Mapping(_) => "a mapping".into(),
            Content::Unresolved => "something unknown".into(),
        }
    }

    /// The entries of a mapping; nothing written is an empty one.
    pub fn entries(&self) -> Option<&[Entry]> {
        match &self.content {
            Content::Mapping(entries) => Some(entries),
            Content::Empty => Some(&[]),
            _ => None,
        }
    }

    /// The value of a key, where this is a mapping that has it.
    pub fn get(&self, key: &str) -> Option<&Entry> {
        match &self.content {
            Content::Mapping(entries) => entries.iter().find(|entry| entry.key == key),
            _ => None,
        }
    }

    /// Takes keys out of a mapping: two records can then share one mapping.
    pub fn split_off(&mut self, keys: &[&str]) -> Self {
        let mut taken = Vec::new();
        if let Content::Mapping(entries) = &mut self.content {
            let (apart, rest) = std::mem::take(entries)
                .into_iter()
                .partition(|entry| keys.contains(&entry.key.as_str()));
            *entries = rest;
            taken = apart;
        }
        Self {
            content: Content::Mapping(taken),
            span: self.span,
        }
    }

    /// How many values the tree holds.
    pub fn count(&self) -> usize {
        self.weight().nodes
    }

    /// How much the tree holds.
    pub(super) fn weight(&self) -> Weight {
        let mut weight = Weight {
            nodes: 1,
            bytes: 0,
            depth: 0,
        };
        match &self.content {
            Content::Empty | Content::Unresolved => {}
            Content::Scalar { text, .. } => weight.bytes = text.len(),
            Content::Sequence(items) => {
                weight.depth = 1;
                for item in items {
                    weight.add(item);
                }
            }
            Content::Mapping(entries) => {
                weight.depth = 1;
                for entry in entries {
                    weight.bytes += entry.key.len();
                    weight.add(&entry.value);
                }
            }
        }
        weight
    }
}

/// How much a tree holds.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Weight {
    pub nodes: usize,
    pub bytes: usize,
    /// Collections inside one another.
    pub depth: usize,
}

impl Weight {
    fn add(&mut self, child: &Node) {
        let weight = child.weight();
        self.nodes += weight.nodes;
        self.bytes += weight.bytes;
        self.depth = self.depth.max(weight.depth + 1);
    }
}
