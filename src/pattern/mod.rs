//! Patterns: what they are made of, what they ask, and the answers.
//!
//! A pattern is a folder: `pattern.yaml` says what it is and asks, `files/` holds what it writes, `add/` what it adds
//! to a stack that is there.
//! Folders whose names begin with `_` are parts that several patterns use.

mod answers;
mod answers_file;
mod catalogue;
mod condition;
mod declaration;
mod load;

use std::borrow::Cow;
use std::collections::BTreeMap;

pub use answers::{Answer, AnswerError, Answers, Ask, Unresolved, resolve};
pub use answers_file::{AnswersFile, read_answers};
pub use catalogue::{Catalogue, Misplaced};
pub use condition::Condition;

use crate::parameters::{Parameter, Value};
use crate::project::RelativePath;

/// A pattern: a named, parameterised recipe of a project.
///
/// Invariant: a condition names only questions that stand before it.
#[derive(Debug, Clone)]
pub struct Pattern {
    /// `family/variant`, or `family` where there is but one.
    pub name: String,
    /// Grows when the same answers make another project.
    pub version: u32,
    /// What it is, in one line.
    pub summary: String,
    /// What it is for and how it works.
    pub about: String,
    /// Its parts: name, and what the part does.
    pub parts: Vec<(String, String)>,
    /// What it asks, in this order.
    pub questions: Vec<Question>,
    /// What it guarantees: sentences.
    pub promises: Vec<String>,
    /// Whether it is meant where only its family is named.
    pub leads: bool,
    /// What it writes.
    pub files: Vec<TemplateFile>,
    /// What its templates can include: name to text.
    pub includes: BTreeMap<String, Cow<'static, [u8]>>,
    /// What it adds to a pod that is there, as a pattern of its own; its first questions are [`Fact`]s.
    pub addition: Option<Box<Pattern>>,
}

/// The fragment among the files of an addition.
pub const FRAGMENT: &str = "fragment.yaml";

/// What an addition knows of the stack that it is for, by the name of a parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fact {
    /// The pod.
    Pod,
    /// The folder that the addition's own files are in.
    Folder,
    /// The container that it is for.
    Container,
    /// The TCP port that this container serves.
    Port,
}

impl Fact {
    /// The name that templates and `--set` know it by.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pod => "pod",
            Self::Folder => "folder",
            Self::Container => "app.container",
            Self::Port => "app.port",
        }
    }

    fn help(self) -> &'static str {
        match self {
            Self::Pod => "the pod",
            Self::Folder => "folder of the files that are added",
            Self::Container => "the container that it is for",
            Self::Port => "the port of the application",
        }
    }

    /// The question; its choices are known once there is a stack.
    pub fn question(self) -> Question {
        let mut parameter = Parameter::new(self.name(), crate::parameters::Kind::Choice);
        parameter.help = Some(self.help().to_owned());
        Question {
            name: self.name().to_owned(),
            parameter,
            when: Condition::default(),
            defaults: Vec::new(),
        }
    }
}

/// A parameter of a pattern, and when it is asked.
#[derive(Debug, Clone)]
pub struct Question {
    /// The parameter's name: `port` or `app.port`.
    pub name: String,
    /// Its type and bounds.
    pub parameter: Parameter,
    /// When it is asked; without, it has no value.
    pub when: Condition,
    /// Other defaults than the parameter's own: the first whose condition holds.
    pub defaults: Vec<(Condition, Value)>,
}

impl Question {
    /// What it is when nothing is given, after these answers.
    pub fn default(&self, answers: &BTreeMap<String, Value>) -> Option<&Value> {
        let other = self.defaults.iter().find(|(when, _)| when.holds(answers));
        other.map(|(_, value)| value).or(self.parameter.default.as_ref())
    }
}

/// A file of a pattern.
#[derive(Debug, Clone)]
pub struct TemplateFile {
    /// Where it stands in its catalogue.
    pub source: String,
    /// Where it goes in the project.
    pub target: RelativePath,
    /// Its bytes.
    pub bytes: Cow<'static, [u8]>,
    /// Whether it is a template, or copied as it is.
    pub rendered: bool,
    /// Whether it can be run.
    pub executable: bool,
    /// When it is written.
    pub when: Condition,
}

#[cfg(test)]
mod tests;
