//! Reads the file that holds a project's answers.

use super::Answer;
use crate::diagnostic::{Collector, Diagnostic, Problems, Sources};
use crate::yaml::{self, Decoder, Map, Text, Whole, record};

record! {
    /// What `motif new` was told.
    pub struct RawAnswers ("an answers file") {
        /// The pattern.
        pattern "pattern": Text,
        /// The pattern's version.
        version "version": Whole<1, { u32::MAX as i64 }>,
        /// The project's name.
        name "name": Text,
        /// Parameters and their values.
        answers "answers": Map<Text>,
    }
}

/// What an answers file says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AnswersFile {
    /// The pattern.
    pub pattern: Option<String>,
    /// The pattern's version.
    pub version: Option<i64>,
    /// The project's name.
    pub name: Option<String>,
    /// The answers, in the order written.
    pub answers: Vec<Answer>,
}

/// Reads an answers file; its values are not looked at yet.
pub fn read_answers(path: &str, bytes: &[u8]) -> Result<AnswersFile, Problems> {
    let mut sources = Sources::default();
    let mut problems = Collector::default();
    let node = yaml::read(&mut sources, path, bytes, &mut problems);
    let raw = node.and_then(|node| Decoder::document::<RawAnswers>(&node, &mut problems));
    let Some(raw) = raw.filter(|_| !problems.has_errors()) else {
        return Err(Problems::new(sources, problems));
    };
    let mut answers = Vec::new();
    if let Some(map) = raw.answers.value() {
        for entry in &map.0 {
            let Some(value) = &entry.value else { continue };
            answers.push(Answer {
                name: entry.key.value.clone(),
                text: value.value.0.clone(),
                place: Some(sources.place(value.span)),
            });
        }
    } else if let Some(span) = raw.answers.key() {
        problems.push(Diagnostic::error(span, "the answers are not readable"));
        return Err(Problems::new(sources, problems));
    }
    Ok(AnswersFile {
        pattern: raw.pattern.value().map(|text| text.0.clone()),
        version: raw.version.value().map(|version| version.0),
        name: raw.name.value().map(|text| text.0.clone()),
        answers,
    })
}
