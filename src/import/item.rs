//! A stack while it is made: values that know what they are from.

use crate::diagnostic::Span;

/// A value of a stack.
#[derive(Debug, Clone, PartialEq)]
pub enum Item {
    /// A text.
    Text(String),
    /// A text in which `${name}` is a parameter.
    Template(String),
    /// A number or a boolean, as it is written.
    Plain(String),
    /// A list.
    List(Vec<Item>),
    /// Keys and values, in the order written.
    Map(Vec<Member>),
}

/// A key and its value.
#[derive(Debug, Clone, PartialEq)]
pub struct Member {
    /// The key.
    pub key: String,
    /// The value.
    pub value: Item,
    /// What it is from; absent where what it stands in says it.
    pub origin: Option<Span>,
    /// What a reader of the stack is to know.
    pub comment: Option<String>,
}

impl Item {
    /// A number or a boolean.
    pub fn plain(value: impl ToString + Copy) -> Self {
        Self::Plain(value.to_string())
    }

    /// A text, without quotes where it is a number that every reader writes alike.
    pub fn text_or_number(text: impl Into<String>) -> Self {
        let text = text.into();
        match crate::yaml::whole(&text) {
            Ok(number) if number.to_string() == text => Self::Plain(text),
            _ => Self::Text(text),
        }
    }

    /// Texts.
    pub fn texts<T: Into<String>>(texts: impl IntoIterator<Item = T>) -> Self {
        Self::List(texts.into_iter().map(|text| Self::Text(text.into())).collect())
    }

    /// Adds every text in it, keys left out.
    pub fn texts_in(&self, texts: &mut Vec<String>) {
        match self {
            Self::Text(text) | Self::Template(text) | Self::Plain(text) => texts.push(text.clone()),
            Self::List(items) => items.iter().for_each(|item| item.texts_in(texts)),
            Self::Map(members) => members.iter().for_each(|member| member.value.texts_in(texts)),
        }
    }

    /// A mapping of one key.
    pub fn one(key: &str, value: Item) -> Self {
        let mut map = Map::default();
        map.put(key, value);
        map.into()
    }
}

impl From<&str> for Item {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Item {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<Map> for Item {
    fn from(map: Map) -> Self {
        Self::Map(map.0)
    }
}

/// A mapping that is being made.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Map(pub Vec<Member>);

impl Map {
    /// Adds a key.
    pub fn put(&mut self, key: &str, value: impl Into<Item>) {
        self.0.push(Member {
            key: key.to_owned(),
            value: value.into(),
            origin: None,
            comment: None,
        });
    }

    /// Adds a key whose value is from somewhere.
    pub fn put_from(&mut self, key: &str, value: impl Into<Item>, origin: Span) {
        self.put(key, value);
        if let Some(last) = self.0.last_mut() {
            last.origin = Some(origin);
        }
    }

    /// Adds a key where there is a value.
    pub fn maybe<T: Into<Item>>(&mut self, key: &str, value: Option<T>) {
        if let Some(value) = value {
            self.put(key, value);
        }
    }

    /// Adds a mapping or a list where it holds something.
    pub fn filled(&mut self, key: &str, value: impl Into<Item>) {
        let value = value.into();
        if !value.is_empty() {
            self.put(key, value);
        }
    }
}

/// Adds members that aren't there; what is there stays, and is looked into.
pub fn merge(members: &mut Vec<Member>, more: Vec<Member>) {
    for new in more {
        match members.iter_mut().find(|member| member.key == new.key) {
            Some(member) => {
                if let (Item::Map(inner), Item::Map(more)) = (&mut member.value, new.value) {
                    merge(inner, more);
                }
            }
            None if matches!(&new.value, Item::Map(inner) if inner.is_empty()) => {}
            None => members.push(new),
        }
    }
}

/// One step on the way to a part of an item.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// A key of a mapping.
    Key(String),
    /// A place in a list, from 0.
    Index(usize),
}

impl Item {
    /// What a part is from: its own origin, or that of the nearest thing around it.
    pub fn origin(&self, path: &[Step]) -> Option<Span> {
        let mut found = None;
        let mut item = self;
        for step in path {
            match (step, item) {
                (Step::Key(key), Self::Map(members)) => {
                    let Some(member) = members.iter().find(|member| member.key == *key) else {
                        break;
                    };
                    found = member.origin.or(found);
                    item = &member.value;
                }
                (Step::Index(index), Self::List(items)) => {
                    let Some(inner) = items.get(*index) else { break };
                    item = inner;
                }
                _ => break,
            }
        }
        found
    }

    /// Whether it holds nothing.
    fn is_empty(&self) -> bool {
        match self {
            Self::List(items) => items.is_empty(),
            Self::Map(members) => members.is_empty(),
            Self::Text(_) | Self::Template(_) | Self::Plain(_) => false,
        }
    }

    /// Takes a part out, and what holds nothing without it; whether it was there.
    pub fn remove(&mut self, path: &[Step]) -> bool {
        let Some((first, rest)) = path.split_first() else {
            return false;
        };
        match (first, self) {
            (Step::Key(key), Self::Map(members)) => {
                let Some(at) = members.iter().position(|member| member.key == *key) else {
                    return false;
                };
                if rest.is_empty() {
                    members.remove(at);
                    return true;
                }
                let was_there = members[at].value.remove(rest);
                if was_there && members[at].value.is_empty() {
                    members.remove(at);
                }
                was_there
            }
            (Step::Index(index), Self::List(items)) if *index < items.len() => {
                if rest.is_empty() {
                    items.remove(*index);
                    return true;
                }
                items[*index].remove(rest)
            }
            _ => false,
        }
    }
}
