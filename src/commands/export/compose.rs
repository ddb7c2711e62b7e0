//! `motif export compose`.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use clap::Args;

use super::images::{registry, running_block_image, tag};
use super::output::{self, File};
use super::pin;
use super::said::SaidArgs;
use crate::commands::stack_args::StackArgs;
use crate::engine::desired;
use crate::export::Report;
use crate::export::compose::{self, Options};
use crate::stack::Stack;
use crate::terminal::{Exit, Failure, Printer};

/// Print the stack as a Compose file, to be run as it is
///
/// `motif export compose -o compose.yaml`, then `docker compose up --wait`
#[derive(Debug, Args)]
pub struct ComposeArgs {
    #[command(flatten)]
    stack: StackArgs,
    /// Write into this file; `-` prints it, with paths relative to the folder of the stack
    ///
    /// A file that an export didn't write is never touched.
    #[arg(short, long, value_name = "FILE", default_value = "-", value_hint = clap::ValueHint::FilePath)]
    output: PathBuf,
    /// Pull built and block images from here, such as `registry.example/team`
    #[arg(long, value_name = "REGISTRY", env = "MOTIF_REGISTRY", value_parser = registry)]
    registry: Option<String>,
    /// The tag of built images
    #[arg(long, value_name = "TAG", default_value = "latest", value_parser = tag)]
    tag: String,
    /// Name every image with its digest, which its registry is asked for
    ///
    /// `motif push` takes built and block images there.
    #[arg(long, requires = "registry")]
    pin: bool,
    /// Write nothing, and fail with a diff when the file is not what the stack gives
    #[arg(long, requires = "output")]
    check: bool,
    #[command(flatten)]
    said: SaidArgs,
}

/// Exports the stack.
pub fn run(args: &ComposeArgs, host: Option<&str>, printer: Printer) -> Result<Exit, Failure> {
    let printer = args.said.printer(printer);
    let found = args.stack.load(printer)?;
    let is_stdout = output::is_stdout(&args.output);
    let folder = args
        .output
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    let mut options = Options {
        folder: if is_stdout {
            ".".to_owned()
        } else {
            output::way(folder, &found.folder)?
        },
        registry: args.registry.clone(),
        tag: args.tag.clone(),
        block_image: running_block_image()?,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        pins: BTreeMap::new(),
    };
    if args.pin {
        options.pins = pin::digests(&compose::references(&found.loaded.stack, &options), host)?;
    }
    let export = compose::export(&found.loaded.stack, &options).map_err(refused)?;
    args.said.say(&export.report, printer)?;
    let text = export.text()?;
    if is_stdout {
        printer.data(text)?;
        return Ok(Exit::Done);
    }
    let name = args.output.file_name().and_then(|name| name.to_str());
    let Some(path) = name.filter(|_| !args.output.is_dir()) else {
        let problem = format!("`{}` is no name of a file", args.output.display());
        return Err(Failure::usage(problem).hint("name the file: `--output compose.yaml`"));
    };
    let file = File {
        path: path.to_owned(),
        text,
        private: false,
    };
    if args.check {
        output::check_file(&file, folder, printer)?;
    } else {
        output::write_file(&file, folder, found.loaded.stack.name(), printer)?;
    }
    Ok(Exit::Done)
}

/// What an export would say, or everything that Compose couldn't run.
pub fn report(stack: &Stack) -> Result<Report, Failure> {
    let options = Options {
        folder: ".".to_owned(),
        registry: None,
        tag: "latest".to_owned(),
        block_image: running_block_image()?,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        pins: BTreeMap::new(),
    };
    let export = compose::export(stack, &options).map_err(refused)?;
    Ok(export.report)
}

/// Everything that Compose couldn't run, in one failure.
fn refused(errors: Vec<desired::Error>) -> Failure {
    let count = errors.len();
    let noun = if count == 1 { "thing" } else { "things" };
    let mut message = format!("Compose couldn't run {count} {noun}");
    for error in errors {
        let _ = write!(message, "\n  {error}\n    {}", error.hint());
    }
    Failure::from(anyhow::Error::msg(message))
}
