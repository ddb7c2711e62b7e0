//! `motif schema`.

use clap::Args;

use crate::stack;
use crate::terminal::{Exit, Failure, Printer};

/// Print the JSON Schema of stack.yaml
///
/// Editors complete and check with it: name it on the first line of the file,
/// `# yaml-language-server: $schema=…`.
#[derive(Debug, Args)]
pub struct SchemaArgs {}

/// Prints the schema.
pub fn run(_: &SchemaArgs, printer: Printer) -> Result<Exit, Failure> {
    printer.data(stack::json_schema())?;
    Ok(Exit::Done)
}
