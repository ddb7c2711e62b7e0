//! `motif import`.

use std::ffi::OsStr;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Args, ValueEnum};

use super::export::said::SaidArgs;
use super::stack_args::{ProjectFolder, blocks};
use crate::disk::{self, Existing, NewFile};
use crate::import::{self, Form, Input, Options};
use crate::stack::Name;
use crate::terminal::{Exit, Failure, Printer};
use crate::yaml::LARGEST_INPUT;

/// Make a stack of a Kubernetes manifest or a Compose file
///
/// Prints the stack, which passes `motif check`. What means something else in it, and what is left to do, is said on
/// stderr, with the place in the files. Values of secrets are never written.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  motif import k8s/ -o stack.yaml
  motif import compose.yaml --strict
  kubectl get deployments,services,configmaps -o yaml | motif import - --name shop")]
pub struct ImportArgs {
    /// Files, or folders with `.yaml`, `.yml` and `.json` files; `-` is stdin
    #[arg(required = true, value_name = "FILE", value_hint = clap::ValueHint::AnyPath)]
    files: Vec<PathBuf>,
    /// Write the stack into a file; its paths start from this file's folder
    #[arg(short, long, value_name = "FILE", default_value = "-", value_hint = clap::ValueHint::FilePath)]
    output: PathBuf,
    /// Replace the file if it exists
    #[arg(long)]
    force: bool,
    /// What the files are; default: what they look like
    #[arg(long, value_name = "FORM")]
    from: Option<FormArg>,
    /// Name the stack; default: the name that the files agree on, else their folder's
    #[arg(long, value_name = "NAME", value_parser = name)]
    name: Option<Name>,
    #[command(flatten)]
    said: SaidArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum FormArg {
    /// Objects, as `kubectl` takes them
    Kubernetes,
    /// Services, as `docker compose` takes them
    Compose,
}

/// Imports the files.
pub fn run(args: &ImportArgs, printer: Printer) -> Result<Exit, Failure> {
    let printer = args.said.printer(printer);
    let is_stdout = args.output == Path::new("-");
    let (folder, file) = if is_stdout {
        (Path::new("."), "")
    } else {
        target(&args.output)?
    };
    let real = fs::canonicalize(folder)
        .with_context(|| format!("failed to enter the folder `{}`", folder.display()))?;
    if !is_stdout && !args.force && args.output.symlink_metadata().is_ok() {
        return Err(
            Failure::from(anyhow::anyhow!("`{}` exists", args.output.display()))
                .hint("nothing was written; name another file, or replace it with `--force`"),
        );
    }
    let inputs = read(&args.files, &real)?;
    let options = Options {
        form: args.from.map(|form| match form {
            FormArg::Kubernetes => Form::Kubernetes,
            FormArg::Compose => Form::Compose,
        }),
        name: args.name.clone(),
        fallback: fallback(&args.files),
        blocks: blocks(),
    };
    let import = match import::import(&inputs, &ProjectFolder(real), &options) {
        Ok(import) => import,
        Err(unusable) => {
            args.said.say(&unusable.report, printer)?;
            return Err(unusable.into());
        }
    };
    args.said.say(&import.report, printer)?;
    if is_stdout {
        printer.data(import.text)?;
        return Ok(Exit::Done);
    }
    let new = NewFile {
        path: file,
        bytes: import.text.as_bytes(),
        executable: false,
        private: false,
    };
    let before = disk::replace(folder, &[new])?;
    let what = match before.as_slice() {
        [Existing::Same] => "left as it is",
        _ => "written",
    };
    printer.status(format!("`{}` is {what}", args.output.display()));
    Ok(Exit::Done)
}

/// The folder and the name of the file to write.
fn target(output: &Path) -> Result<(&Path, &str), Failure> {
    let Some(file) = output
        .file_name()
        .and_then(OsStr::to_str)
        .filter(|_| !output.is_dir())
    else {
        return Err(
            Failure::usage(format!("no file can be written to `{}`", output.display()))
                .hint("name the file: `-o stack.yaml`"),
        );
    };
    let parent = output.parent().filter(|parent| !parent.as_os_str().is_empty());
    Ok((parent.unwrap_or(Path::new(".")), file))
}

/// Reads files, the files of folders, and stdin; of each no more than is ever looked at.
fn read(paths: &[PathBuf], stack: &Path) -> Result<Vec<Input>, Failure> {
    let mut inputs = Vec::new();
    for path in paths {
        if path == Path::new("-") {
            let here = fs::canonicalize(".").context("failed to enter this folder")?;
            let read = input("stdin", io::stdin().lock(), &here, stack);
            inputs.push(read.context("failed to read stdin")?);
        } else if path.is_dir() {
            let reading = || format!("failed to read the folder `{}`", path.display());
            let mut files = Vec::new();
            for entry in fs::read_dir(path).with_context(reading)? {
                let path = entry.with_context(reading)?.path();
                let ending = path.extension().and_then(OsStr::to_str);
                if matches!(ending, Some("yaml" | "yml" | "json")) && path.is_file() {
                    files.push(path);
                }
            }
            files.sort();
            if files.is_empty() {
                return Err(Failure::usage(format!(
                    "no file in `{}` ends with `.yaml`, `.yml` or `.json`",
                    path.display()
                )));
            }
            for path in files {
                inputs.push(open(&path, stack)?);
            }
        } else {
            inputs.push(open(path, stack)?);
        }
    }
    Ok(inputs)
}

fn open(path: &Path, stack: &Path) -> Result<Input, Failure> {
    let reading = || format!("failed to read `{}`", path.display());
    let file = match fs::File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(Failure::usage(format!("no file `{}`", path.display())));
        }
        other => other.with_context(reading)?,
    };
    let real = fs::canonicalize(path).with_context(reading)?;
    let folder = real.parent().unwrap_or(Path::new("/"));
    Ok(input(&path.display().to_string(), file, folder, stack).with_context(reading)?)
}

/// Reads one file, which stands in a folder; `stack` is that of the stack.
fn input(path: &str, from: impl Read, folder: &Path, stack: &Path) -> io::Result<Input> {
    let mut bytes = Vec::new();
    from.take(LARGEST_INPUT as u64 + 1).read_to_end(&mut bytes)?;
    Ok(Input {
        path: path.to_owned(),
        bytes,
        folder: folder
            .strip_prefix(stack)
            .ok()
            .and_then(Path::to_str)
            .map(str::to_owned),
    })
}

/// The name of the folder of the first file, or of this folder.
fn fallback(paths: &[PathBuf]) -> String {
    let first = paths.first().filter(|path| *path != Path::new("-"));
    let folder = match first {
        Some(path) if path.is_dir() => path.clone(),
        Some(path) => path.parent().unwrap_or(Path::new(".")).to_owned(),
        None => PathBuf::from("."),
    };
    let folder = if folder.as_os_str().is_empty() {
        PathBuf::from(".")
    } else {
        folder
    };
    let real = fs::canonicalize(folder).unwrap_or_default();
    real.file_name()
        .map_or_else(String::new, |name| name.to_string_lossy().into_owned())
}

fn name(text: &str) -> Result<Name, String> {
    Name::new(text).ok_or_else(|| {
        "a name has 1 to 63 of a-z, 0-9 and -, and starts and ends with a letter or digit".to_owned()
    })
}
