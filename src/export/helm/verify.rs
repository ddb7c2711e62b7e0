//! Compares what templates give with the objects themselves, for values of all knobs at once.

use serde_json::Value as Json;

use super::build::{Builder, Template};
use super::expression::is_same;
use super::tree::HASH;
use crate::stack::{Kind, Parameter};

/// How many combinations are compared.
const ROUNDS: usize = 24;

/// A knob whose effect the templates don't give when others are chosen too, and where; nothing where all is well.
pub fn differs(templates: &[Template], builder: &mut Builder<'_>) -> Option<(usize, String)> {
    let own = builder.own_values();
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    for _ in 0..ROUNDS {
        let mut values: Vec<String> = (0..own.len())
            .map(|knob| {
                let probes = builder.probes(knob);
                probes[dice.below(probes.len())].clone()
            })
            .collect();
        let Some(mut path) = difference(templates, &values, builder) else {
            continue;
        };
        // As few chosen values as make the difference; the last of them is to blame.
        let mut blamed = None;
        for knob in 0..own.len() {
            if values[knob] == own[knob] {
                continue;
            }
            let chosen = std::mem::replace(&mut values[knob], own[knob].clone());
            if let Some(still) = difference(templates, &values, builder) {
                path = still;
            } else {
                values[knob] = chosen;
                blamed = Some(knob);
            }
        }
        let asked = || (0..own.len()).find(|knob| builder.left[*knob].is_none());
        return blamed.or_else(asked).map(|knob| (knob, path));
    }
    None
}

/// The first object that the templates give otherwise than the stack.
fn difference(templates: &[Template], values: &[String], builder: &mut Builder<'_>) -> Option<String> {
    let objects = builder.objects(values)?;
    let parameters = builder.parameters();
    let mut made = 0;
    for template in templates.iter().filter(|template| template.is_there(values)) {
        made += 1;
        let object = objects.iter().find(|(name, _)| *name == template.key);
        let value = template.node.value(&parameters, values);
        let is_same = object
            .zip(value)
            .is_some_and(|((_, object), value)| equal(&value, object, &parameters));
        if !is_same {
            return Some(format!("`{}`", template.key));
        }
    }
    let missing = objects.iter().find(|(name, _)| {
        !templates
            .iter()
            .any(|template| template.key == *name && template.is_there(values))
    });
    if let Some((name, _)) = missing.filter(|_| made < objects.len()) {
        return Some(format!("`{name}`"));
    }
    None
}

fn equal(made: &Json, object: &Json, parameters: &[&Parameter]) -> bool {
    match (made, object) {
        (Json::String(text), _) if text == HASH => object.is_string(),
        (Json::Object(one), Json::Object(other)) => {
            one.len() == other.len()
                && one.iter().all(|(key, value)| {
                    other
                        .get(key)
                        .is_some_and(|found| equal(value, found, parameters))
                })
        }
        (Json::Array(one), Json::Array(other)) => {
            one.len() == other.len()
                && one
                    .iter()
                    .zip(other)
                    .all(|(one, other)| equal(one, other, parameters))
        }
        _ => {
            let has_quantities = parameters
                .iter()
                .any(|parameter| parameter.kind == Kind::Quantity);
            is_same(made, object, has_quantities)
        }
    }
}

/// The same numbers every time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap_or_default() % most.max(1)
    }
}
