//! `motif block`.

use std::ffi::OsString;
use std::fmt::Write as _;

use clap::Args;

use crate::block::{self, Entry, Error, Outcome};
use crate::terminal::{Exit, Failure, Printer};

/// Run a building block: the programs that motif puts into containers
///
/// Without a name, lists the blocks. `motif block NAME --help` is a block's documentation.
#[derive(Debug, Args)]
#[command(disable_help_flag = true)]
pub struct BlockArgs {
    /// The block and its flags
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "NAME")]
    pub words: Vec<OsString>,
}

/// Runs the block until it ends.
pub fn run(args: BlockArgs, printer: Printer) -> Result<Exit, Failure> {
    let first = args.words.first().and_then(|word| word.to_str());
    if matches!(first, None | Some("--help" | "-h" | "help")) {
        printer.data(listing(&block::catalogue()))?;
        return Ok(Exit::Done);
    }
    match block::run(args.words) {
        Ok(Outcome::Done) => Ok(Exit::Done),
        Ok(Outcome::Failed) => Ok(Exit::Failed),
        Ok(Outcome::Exit(code)) => Ok(Exit::Program(code)),
        Err(Error::Help(text)) => {
            printer.data(text)?;
            Ok(Exit::Done)
        }
        Err(Error::Configuration { reason, hint }) => {
            let failure = Failure::usage(reason);
            Err(match hint {
                Some(hint) => failure.hint(hint),
                None => failure,
            })
        }
        Err(error @ Error::Unknown { .. }) => {
            Err(Failure::usage(error.to_string()).hint("`motif block` lists the blocks"))
        }
        Err(Error::Failed(error)) => Err(error.into()),
    }
}

fn listing(catalogue: &[Entry]) -> String {
    let width = catalogue
        .iter()
        .map(|entry| entry.name.len())
        .max()
        .unwrap_or_default();
    let mut text = String::new();
    for entry in catalogue {
        let _ = writeln!(text, "{:width$}  {}", entry.name, entry.description);
    }
    text.push_str("\n`motif block NAME --help` is a block's documentation.\n");
    text
}
