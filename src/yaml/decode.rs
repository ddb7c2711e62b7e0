//! Turns nodes into typed records, and says everything that is wrong on the way.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::node::{Content, Entry, Node};
use crate::diagnostic::{Collector, Diagnostic, Listed, Span, nearest, quoted};

/// A value and its place.
#[derive(Debug, Clone, PartialEq)]
pub struct Spanned<T> {
    /// The value.
    pub value: T,
    /// Its place.
    pub span: Span,
}

/// Collects problems while nodes become records.
#[derive(Debug)]
pub struct Decoder<'a> {
    /// What was found wrong.
    pub problems: &'a mut Collector,
    /// The key whose value is being decoded: where to point when something is missing in it.
    pub owner: Span,
}

impl<'a> Decoder<'a> {
    /// Decodes a whole document.
    pub fn document<T: Decode>(node: &Node, problems: &'a mut Collector) -> Option<T> {
        let owner = Span {
            end: node.span.start,
            ..node.span
        };
        T::decode(node, &mut Self { problems, owner })
    }

    /// Decodes the value of a key.
    pub fn entry<T: Decode>(&mut self, entry: &Entry) -> Option<T> {
        let outer = std::mem::replace(&mut self.owner, entry.key_span);
        let value = T::decode(&entry.value, self);
        self.owner = outer;
        value
    }

    /// Keeps a problem.
    pub fn push(&mut self, problem: Diagnostic) {
        self.problems.push(problem);
    }

    /// Says that a node is not what was wanted.
    pub fn unexpected(&mut self, node: &Node, expected: &str) {
        let span = match node.content {
            // The place of nothing is nowhere: show whose value is missing.
            Content::Empty => self.owner,
            _ => node.span,
        };
        self.push(Diagnostic::error(
            span,
            format!("expected {expected}, found {}", node.describe()),
        ));
    }

    /// The entries of a mapping; nothing written is an empty one.
    pub fn mapping<'n>(&mut self, node: &'n Node, expected: &str) -> Option<&'n [Entry]> {
        let entries = node.entries();
        if entries.is_none() {
            self.unexpected(node, expected);
        }
        entries
    }

    /// Says that a key is not one of a record's; returns the one that it was probably meant to be.
    pub fn unknown_key(
        &mut self,
        entry: &Entry,
        record: &str,
        keys: &[&'static str],
    ) -> Option<&'static str> {
        let key = quoted(&entry.key);
        let is_worth_it = !self.problems.is_full();
        let meant = is_worth_it
            .then(|| nearest(&entry.key, keys.iter().copied()))
            .flatten();
        let help = match meant {
            Some(meant) => format!("did you mean {}?", quoted(meant)),
            None => format!("it takes {}", Listed(keys.to_vec(), "and")),
        };
        self.push(Diagnostic::error(entry.key_span, format!("{record} takes no key {key}")).help(help));
        meant
    }
}

/// A type that a node can become.
pub trait Decode: Sized {
    /// Decodes a node; `None` once it has said why not.
    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self>;
}

impl<T: Decode> Decode for Box<T> {
    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self> {
        T::decode(node, decoder).map(Self::new)
    }
}

/// A key of a record.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Field<T> {
    /// It was not written.
    #[default]
    Absent,
    /// It was written wrongly, which was said.
    Invalid(Span),
    /// It was written.
    Present {
        /// The key.
        key: Span,
        /// The value and its place.
        value: Spanned<T>,
    },
}

impl<T> Field<T> {
    /// Decodes the value of a key.
    pub fn of(entry: &Entry, decoder: &mut Decoder<'_>) -> Self
    where
        T: Decode,
    {
        if entry.value.content == Content::Unresolved {
            return Self::Invalid(entry.key_span);
        }
        match decoder.entry(entry) {
            Some(value) => Self::Present {
                key: entry.key_span,
                value: Spanned {
                    value,
                    span: match entry.value.content {
                        Content::Empty => entry.key_span,
                        _ => entry.value.span,
                    },
                },
            },
            None => Self::Invalid(entry.key_span),
        }
    }

    /// The value and its place, where it was written rightly.
    pub fn get(&self) -> Option<&Spanned<T>> {
        match self {
            Self::Present { value, .. } => Some(value),
            Self::Absent | Self::Invalid(_) => None,
        }
    }

    /// The value, where it was written rightly.
    pub fn value(&self) -> Option<&T> {
        self.get().map(|spanned| &spanned.value)
    }

    /// The key's place, where it was written, rightly or not.
    pub fn key(&self) -> Option<Span> {
        match self {
            Self::Absent => None,
            Self::Invalid(key) | Self::Present { key, .. } => Some(*key),
        }
    }

    /// Whether it was not written.
    pub fn is_absent(&self) -> bool {
        matches!(self, Self::Absent)
    }
}

/// Names to values, in the order written.
#[derive(Debug, Clone, PartialEq)]
pub struct Map<T>(pub Vec<MapEntry<T>>);

/// A name and its value.
#[derive(Debug, Clone, PartialEq)]
pub struct MapEntry<T> {
    /// The name.
    pub key: Spanned<String>,
    /// The value; `None` where it was written wrongly, which was said.
    pub value: Option<Spanned<T>>,
}

impl<T> Default for Map<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Map<T> {
    /// All names, those of wrong values included.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|entry| entry.key.value.as_str())
    }
}

impl<T: Decode> Decode for Map<T> {
    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self> {
        let Some(entries) = node.entries() else {
            decoder.push(
                Diagnostic::error(
                    node.span,
                    format!("expected names and values, found {}", node.describe()),
                )
                .help("write it as a mapping: `name: value`"),
            );
            return None;
        };
        let values = entries.iter().map(|entry| MapEntry {
            key: Spanned {
                value: entry.key.clone(),
                span: entry.key_span,
            },
            value: match Field::of(entry, decoder) {
                Field::Present { value, .. } => Some(value),
                Field::Absent | Field::Invalid(_) => None,
            },
        });
        Some(Self(values.collect()))
    }
}

impl<T: JsonSchema> JsonSchema for Map<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("Map of {}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["object", "null"], "additionalProperties": generator.subschema_for::<T>() })
    }
}

/// Values in the order written. Those that were written wrongly are left out, which was said.
#[derive(Debug, Clone, PartialEq)]
pub struct List<T>(pub Vec<Spanned<T>>);

impl<T> Default for List<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: Decode> Decode for List<T> {
    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self> {
        match &node.content {
            Content::Sequence(items) => {
                let known = items.iter().filter(|item| item.content != Content::Unresolved);
                let values = known.filter_map(|item| {
                    let owner = std::mem::replace(&mut decoder.owner, item.span);
                    let value = T::decode(item, decoder);
                    decoder.owner = owner;
                    value.map(|value| Spanned {
                        value,
                        span: item.span,
                    })
                });
                Some(Self(values.collect()))
            }
            Content::Empty => Some(Self::default()),
            Content::Scalar { text, .. } => {
                let help = if text.contains(char::is_whitespace) {
                    "write it as a list, each word an item: `[one, two]`".to_owned()
                } else {
                    format!("write it as a list: `[{}]`", as_item(text))
                };
                decoder.push(
                    Diagnostic::error(node.span, format!("expected a list, found {}", node.describe()))
                        .help(help),
                );
                None
            }
            Content::Mapping(_) | Content::Unresolved => {
                decoder.unexpected(node, "a list");
                None
            }
        }
    }
}

/// A text as it can stand in a flow list.
fn as_item(text: &str) -> String {
    let is_simple = text.len() < 60
        && text
            .chars()
            .all(|character| character.is_ascii_alphanumeric() || "-_./".contains(character))
        && text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '/');
    if is_simple {
        text.to_owned()
    } else {
        format!("{:?}", text.chars().take(60).collect::<String>())
    }
}

impl<T: JsonSchema> JsonSchema for List<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("List of {}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["array", "null"], "items": generator.subschema_for::<T>() })
    }
}

/// A value with a short form (not a mapping) and a long one (a mapping).
#[derive(Debug, Clone, PartialEq)]
pub enum Shorthand<S, L> {
    /// The short form.
    Short(S),
    /// The long form.
    Long(L),
}

impl<S: Decode, L: Decode> Decode for Shorthand<S, L> {
    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self> {
        match node.content {
            Content::Mapping(_) => L::decode(node, decoder).map(Self::Long),
            _ => S::decode(node, decoder).map(Self::Short),
        }
    }
}

impl<S: JsonSchema, L: JsonSchema> JsonSchema for Shorthand<S, L> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("{} or {}", S::schema_name(), L::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({ "anyOf": [generator.subschema_for::<S>(), generator.subschema_for::<L>()] })
    }
}
