//! Turns a pattern and its answers into a project. The only user of the template engine.
//!
//! Strict where the engine is lenient: a template may name only parameters that its pattern declares,
//! what has no value is an error everywhere, and a text is printed only where it can't break out of its
//! place: plain words as they are, everything else through the filter of the language that it stands in.

mod context;
mod engine;
mod lint;
mod quote;

use std::fmt::Write as _;

use crate::parameters::Value;
use crate::pattern::{Answers, Pattern, TemplateFile};
use crate::project::{self, File, PathError, Project, RelativePath};

/// Where the answers stand in a project.
pub const ANSWERS: &str = ".motif/answers.yaml";

/// Why a pattern can't be rendered.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A template is wrong, or asks for what has no value.
    #[error("{file}:{line}:{column}: {message}")]
    Template {
        /// The template's file in the catalogue.
        file: String,
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
        /// What is wrong.
        message: String,
    },
    /// A template is wrong, and the engine doesn't know where.
    #[error("{file}: {message}")]
    File {
        /// The template's file in the catalogue.
        file: String,
        /// What is wrong.
        message: String,
    },
    /// A template prints a text that could break out of its place.
    #[error("{file}: prints a text that may need quotes{}: end it with `| stack`, `| yaml`, `| json`, `| shell`, `| dockerfile`, `| code` or `| line`", Candidates(.candidates))]
    Unquoted {
        /// The template's file in the catalogue.
        file: String,
        /// The parameters that it may be.
        candidates: Vec<String>,
    },
    /// A template's text is not UTF-8.
    #[error("{0}: is not UTF-8, so it can't be a template: take `.tera` off its name to copy it as it is")]
    Encoding(String),
    /// A rendered file would be too large.
    #[error("{0}: renders to more than {MOST_BYTES} bytes")]
    Large(String),
    /// A file would be written outside the project.
    #[error(transparent)]
    Path(#[from] PathError),
    /// Two files are in each other's way.
    #[error(transparent)]
    Project(#[from] project::Error),
}

struct Candidates<'a>(&'a [String]);

impl std::fmt::Display for Candidates<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.0.is_empty() {
            return Ok(());
        }
        write!(formatter, " (`{}`)", self.0.join("` or `"))
    }
}

/// What one file may render to.
const MOST_BYTES: usize = 4 << 20;

/// Renders a project: the files whose conditions hold, and the answers that make it again.
pub fn render(pattern: &Pattern, answers: &Answers) -> Result<Project, Error> {
    let mut project = render_files(pattern, answers)?;
    let answers = File {
        bytes: answers_file(pattern, answers).into_bytes(),
        executable: false,
    };
    project.add(RelativePath::new(ANSWERS)?, answers)?;
    Ok(project)
}

/// Renders the files whose conditions hold.
pub fn render_files(pattern: &Pattern, answers: &Answers) -> Result<Project, Error> {
    let chosen: Vec<&TemplateFile> = pattern
        .files
        .iter()
        .filter(|file| file.when.holds(&answers.values))
        .collect();
    let engine = engine::Engine::new(pattern, chosen.iter().copied())?;
    let context = context::of(pattern, answers);
    let mut project = Project::default();
    for file in chosen {
        let bytes = if file.rendered {
            engine.render(&file.source, &context, answers)?
        } else {
            file.bytes.to_vec()
        };
        project.add(
            file.target.clone(),
            File {
                bytes,
                executable: file.executable,
            },
        )?;
    }
    Ok(project)
}

/// Checks every template of a pattern, whatever the answers: names, syntax, includes.
pub fn check(pattern: &Pattern) -> Result<(), Error> {
    for pattern in std::iter::once(pattern).chain(pattern.addition.as_deref()) {
        engine::Engine::new(pattern, pattern.files.iter())?;
    }
    Ok(())
}

/// The file from which the same project is made again.
fn answers_file(pattern: &Pattern, answers: &Answers) -> String {
    let mut text = format!(
        "# What `motif new` was told. To make the same project again: motif new --answers {ANSWERS} DIR\n\
         pattern: {}\nversion: {}\nname: {}\nanswers:",
        quote::yaml(&pattern.name),
        pattern.version,
        quote::yaml(&answers.name),
    );
    if answers.values.is_empty() {
        text.push_str(" {}");
    }
    text.push('\n');
    // In the order asked, which is the order to read them in.
    for question in &pattern.questions {
        if let Some(value) = answers.values.get(&question.name) {
            let value = match value {
                Value::Text(text) => quote::yaml(text),
                other => other.to_string(),
            };
            let _ = writeln!(text, "  {}: {value}", question.name);
        }
    }
    text
}

#[cfg(test)]
mod tests;
