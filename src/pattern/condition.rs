//! When something holds: parameters and the values that each may have.

use std::collections::BTreeMap;
use std::fmt;

use crate::diagnostic::{Listed, quoted};
use crate::parameters::Value;

/// Holds when every named parameter has one of the values given for it. An empty one always holds.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Condition(pub Vec<(String, Vec<Value>)>);

impl Condition {
    /// Whether it holds for these answers.
    pub fn holds(&self, answers: &BTreeMap<String, Value>) -> bool {
        self.failing(answers).is_none()
    }

    /// The first parameter that keeps it from holding, and the values that it would need.
    pub fn failing(&self, answers: &BTreeMap<String, Value>) -> Option<&(String, Vec<Value>)> {
        self.0
            .iter()
            .find(|(name, values)| !answers.get(name).is_some_and(|value| values.contains(value)))
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (name, values)) in self.0.iter().enumerate() {
            let values: Vec<String> = values.iter().map(ToString::to_string).collect();
            let listed = Listed(values.iter().map(String::as_str).collect(), "or");
            let joint = if index == 0 { "" } else { " and " };
            write!(formatter, "{joint}{} is {listed}", quoted(name))?;
        }
        Ok(())
    }
}
