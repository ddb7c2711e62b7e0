//! A template as a tree: what is always the same, what a value decides, and what comes and goes with one.

use serde_json::Value as Json;

use super::expression::Expression;
use crate::stack::{Kind, Parameter};

/// A part of an object.
#[derive(Debug, Clone, PartialEq)]
pub enum Node {
    /// The same whatever is chosen.
    Literal(Json),
    /// A scalar that values make.
    Expression(Expression),
    /// A hash of these files of the chart.
    Hash(Vec<String>),
    /// A mapping, some of whose keys may come and go.
    Map(Vec<Entry<String>>),
    /// A list, some of whose items may come and go.
    List(Vec<Entry<()>>),
    /// The first whose condition holds; the last one holds where none does.
    Choose(Vec<(Condition, Node)>),
}

/// A key or an item, and when it is there.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry<K> {
    pub key: K,
    /// It is there while all of these hold.
    pub conditions: Vec<Condition>,
    pub node: Node,
}

/// What a value has to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// The knob's number.
    pub knob: usize,
    pub test: Test,
}

/// What a value is tested for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Test {
    /// It is one of these.
    Among(Vec<String>),
    /// It is an empty text, or is not.
    Empty(bool),
    /// It is a whole number from the first to the second.
    Between(Option<i64>, Option<i64>),
}

impl Condition {
    /// Whether it holds for the knobs' values.
    pub fn holds(&self, values: &[String]) -> bool {
        let value = &values[self.knob];
        match &self.test {
            Test::Among(among) => among.contains(value),
            Test::Empty(empty) => value.is_empty() == *empty,
            Test::Between(least, most) => value.parse::<i64>().is_ok_and(|value| {
                least.is_none_or(|least| least <= value) && most.is_none_or(|most| value <= most)
            }),
        }
    }
}

/// Stands for a hash, which the chart makes in another way.
pub const HASH: &str = "\u{0}hash";

impl Node {
    /// What it is for the knobs' values.
    pub fn value(&self, parameters: &[&Parameter], values: &[String]) -> Option<Json> {
        match self {
            Self::Literal(json) => Some(json.clone()),
            Self::Hash(_) => Some(Json::from(HASH)),
            Self::Expression(expression) => expression.value(parameters, values),
            Self::Map(entries) => {
                let there = entries.iter().filter(|entry| entry.is_there(values));
                there
                    .map(|entry| Some((entry.key.clone(), entry.node.value(parameters, values)?)))
                    .collect::<Option<serde_json::Map<_, _>>>()
                    .map(Json::Object)
            }
            Self::List(entries) => {
                let there = entries.iter().filter(|entry| entry.is_there(values));
                there
                    .map(|entry| entry.node.value(parameters, values))
                    .collect::<Option<Vec<_>>>()
                    .map(Json::Array)
            }
            Self::Choose(cases) => {
                let chosen = cases.iter().find(|(condition, _)| condition.holds(values));
                let (_, node) = chosen.or_else(|| cases.last())?;
                node.value(parameters, values)
            }
        }
    }

    /// Adds the knobs that it depends on.
    pub fn knobs(&self, used: &mut Vec<usize>) {
        match self {
            Self::Literal(_) | Self::Hash(_) => {}
            Self::Expression(expression) => used.extend(expression.knobs()),
            Self::Map(entries) => entries.iter().for_each(|entry| entry.knobs(used)),
            Self::List(entries) => entries.iter().for_each(|entry| entry.knobs(used)),
            Self::Choose(cases) => {
                for (condition, node) in cases {
                    used.push(condition.knob);
                    node.knobs(used);
                }
            }
        }
    }
}

impl<K> Entry<K> {
    /// Whether it is there for the knobs' values.
    pub fn is_there(&self, values: &[String]) -> bool {
        self.conditions.iter().all(|condition| condition.holds(values))
    }

    /// Adds the knobs that it depends on.
    pub fn knobs(&self, used: &mut Vec<usize>) {
        used.extend(self.conditions.iter().map(|condition| condition.knob));
        self.node.knobs(used);
    }
}

/// Whether a kind's values can all be tried.
pub fn is_enumerable(kind: Kind) -> bool {
    matches!(kind, Kind::Boolean | Kind::Choice)
}

/// Whether a kind's values are whole numbers.
pub fn is_whole(kind: Kind) -> bool {
    matches!(kind, Kind::Integer | Kind::Port)
}
