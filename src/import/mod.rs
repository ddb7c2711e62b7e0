//! Turns a Kubernetes manifest or a Compose file into a stack, and says what changes on the way.
//!
//! Knows no file, engine or terminal: same files, same bytes.

mod block;
mod check;
mod compose;
mod draft;
mod item;
mod kubernetes;
mod notes;
mod record;
mod rule;
#[cfg(test)]
mod tests;
mod write;

use crate::diagnostic::Collector;
use crate::export::Report;
use crate::stack::{BlockInterface, Files, Name};
use crate::yaml::{self, Node};
use notes::Notes;

/// What a foreign file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Objects of a cluster.
    Kubernetes,
    /// Services of Compose.
    Compose,
}

/// A foreign file.
#[derive(Debug, Clone)]
pub struct Input {
    /// The name that the user knows it by.
    pub path: String,
    /// What it holds.
    pub bytes: Vec<u8>,
    /// The way from the stack's folder to its own; none where that isn't the stack's or below it.
    pub folder: Option<String>,
}

/// What an import leaves open.
#[derive(Debug, Clone)]
pub struct Options {
    /// What the files are; default: what they look like.
    pub form: Option<Form>,
    /// The stack's name; default: the one that the files agree on.
    pub name: Option<Name>,
    /// The name of a stack whose files agree on none.
    pub fallback: String,
    /// The blocks that there are.
    pub blocks: Vec<BlockInterface>,
}

/// A stack, and what to know of it.
#[derive(Debug, Clone)]
pub struct Import {
    /// The text of `stack.yaml`, which passes the check.
    pub text: String,
    /// What isn't kept, and what is left to do.
    pub report: Report,
}

/// Nothing can be made of the files.
#[derive(Debug, Clone, thiserror::Error)]
#[error("nothing in {files} can be made a stack of")]
pub struct Unusable {
    /// The files.
    files: String,
    /// Why.
    pub report: Report,
}

/// Makes a stack of files; `files` are those that will stand beside it.
pub fn import(inputs: &[Input], files: &dyn Files, options: &Options) -> Result<Import, Unusable> {
    let mut notes = Notes::default();
    let mut documents: Vec<Node> = Vec::new();
    for input in inputs {
        let mut problems = Collector::default();
        documents.extend(yaml::read_documents(
            &mut notes.sources,
            &input.path,
            &input.bytes,
            &mut problems,
        ));
        notes.unreadable(problems);
    }
    let form = match options.form {
        Some(form) => form,
        None if compose::is_compose(&documents) && !kubernetes::is_manifest(&documents) => Form::Compose,
        None => Form::Kubernetes,
    };
    let mut draft = match form {
        Form::Kubernetes => kubernetes::draft(&documents, &options.blocks, &mut notes),
        Form::Compose => {
            let folder = inputs.first().and_then(|input| input.folder.clone());
            compose::draft(&documents, &options.blocks, files, folder, &mut notes)
        }
    };
    let name = match &options.name {
        Some(name) => Some(name.clone()),
        None => [draft.name.as_str(), options.fallback.as_str(), "imported"]
            .into_iter()
            .find_map(Name::nearest),
    };
    draft.name = name.map_or_else(String::new, |name| name.to_string());
    draft.name_ports();
    "yaml-language-server: $schema=.motif/stack.schema.json".clone_into(&mut draft.comment);
    let text = check::checked(draft.item(), files, &options.blocks, &mut notes);
    let report = notes.into_report();
    match text {
        Some(text) => Ok(Import { text, report }),
        None => Err(Unusable {
            files: match inputs {
                [only] => format!("`{}`", only.path),
                _ => format!("{} files", inputs.len()),
            },
            report,
        }),
    }
}
