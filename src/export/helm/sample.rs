//! The objects of a stack for chosen values, each made once.

use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

use serde_json::Value as Json;

use super::{Knob, Sampled};

/// What a value is chosen for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Setting {
    /// A parameter of the stack.
    Parameter(String),
    /// Where built and block images are pulled from.
    Registry,
    /// The tag of built images.
    Tag,
}

/// The values that are other than the stack's own, as typed on a command line.
pub type Assignment = BTreeMap<Setting, String>;

/// Objects by the name of their file.
pub type Objects = Vec<(String, Json)>;

/// What makes the objects, and those that it made.
pub struct Sampler<'a> {
    knobs: &'a [Knob],
    make: &'a mut dyn FnMut(&Assignment) -> Option<Vec<Sampled>>,
    made: HashMap<Vec<String>, Option<Rc<Objects>>>,
}

impl<'a> Sampler<'a> {
    pub fn new(knobs: &'a [Knob], make: &'a mut dyn FnMut(&Assignment) -> Option<Vec<Sampled>>) -> Self {
        Self {
            knobs,
            make,
            made: HashMap::new(),
        }
    }

    /// The objects when each knob has this value; nothing where the stack refuses one of them.
    pub fn objects(&mut self, values: &[String]) -> Option<Rc<Objects>> {
        if let Some(made) = self.made.get(values) {
            return made.clone();
        }
        let is_own = |knob: &Knob, value: &String| knob.value.to_string() == *value;
        let assignment = self
            .knobs
            .iter()
            .zip(values)
            .filter(|(knob, value)| !is_own(knob, value))
            .map(|(knob, value)| (knob.setting.clone(), value.clone()))
            .collect();
        let objects = (self.make)(&assignment).map(|sampled| {
            let named = |sampled: Sampled| (sampled.file_stem, sampled.object);
            Rc::new(sampled.into_iter().map(named).collect())
        });
        self.made.insert(values.to_vec(), objects.clone());
        objects
    }
}
