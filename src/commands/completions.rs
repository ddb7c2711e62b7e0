//! `motif completions`.

use clap::Args;
use clap_complete::Shell;

use crate::terminal::{Exit, Failure, Printer};

/// Print the completion script of a shell
///
/// For bash: `motif completions bash > /etc/bash_completion.d/motif`.
/// The scripts are also in the folder completions/ of the source.
#[derive(Debug, Args)]
pub struct CompletionsArgs {
    /// The shell
    shell: Shell,
}

/// Prints the script.
pub fn run(args: &CompletionsArgs, mut command: clap::Command, printer: Printer) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command, "motif", &mut script);
    printer.data(script)?;
    Ok(Exit::Done)
}
