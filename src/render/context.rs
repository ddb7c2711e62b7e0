//! Turns answers into what templates see.

use std::collections::BTreeMap;

use tera::Context;

use crate::parameters::Value;
use crate::pattern::{Answers, Pattern};

/// `app.port` becomes a key of the map `app`, so that templates can write it as it is written everywhere else.
pub fn of(pattern: &Pattern, answers: &Answers) -> Context {
    let mut groups: BTreeMap<&str, BTreeMap<&str, tera::Value>> = BTreeMap::new();
    let mut context = Context::new();
    for (name, value) in &answers.values {
        match name.split_once('.') {
            Some((group, key)) => drop(
                groups
                    .entry(group)
                    .or_default()
                    .insert(key, template_value(value)),
            ),
            None => context.insert_value(name.clone(), template_value(value)),
        }
    }
    for (group, values) in groups {
        context.insert(group.to_owned(), &values);
    }
    context.insert("name", &answers.name);
    context.insert("promises", &pattern.promises);
    context
}

fn template_value(value: &Value) -> tera::Value {
    match value {
        Value::Text(text) => tera::Value::normal_string(text),
        Value::Integer(number) => tera::Value::from(*number),
        Value::Number(number, _) => tera::Value::from(*number),
        Value::Boolean(boolean) => tera::Value::from(*boolean),
    }
}
