//! `motif man`.

use std::fs;
use std::path::PathBuf;

use anyhow::Context;
use clap::Args;

use crate::terminal::{Exit, Failure, Printer};

/// Print the manual page, or write one page a command
///
/// `motif man | man -l -` shows it.
#[derive(Debug, Args)]
pub struct ManArgs {
    /// Write motif.1 and a page for every command into this folder
    #[arg(short, long, value_name = "DIR")]
    output: Option<PathBuf>,
}

/// Prints or writes the pages.
pub fn run(args: &ManArgs, command: clap::Command, printer: Printer) -> Result<Exit, Failure> {
    let command = command.disable_help_subcommand(true);
    match &args.output {
        None => {
            let mut page = Vec::new();
            clap_mangen::Man::new(command).render(&mut page)?;
            printer.data(page)?;
        }
        Some(folder) => {
            fs::create_dir_all(folder).with_context(|| format!("failed to make `{}`", folder.display()))?;
            clap_mangen::generate_to(command, folder)
                .with_context(|| format!("failed to write into `{}`", folder.display()))?;
        }
    }
    Ok(Exit::Done)
}
