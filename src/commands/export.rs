//! `motif export`.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Args, Subcommand, ValueEnum};

use super::stack_args::StackArgs;
use crate::disk::{self, Existing, NewFile};
use crate::engine::binary::Binary;
use crate::export::kubernetes::{self, Form, Options, is_ours};
use crate::export::{Report, ReportLine, Verdict};
use crate::project::unified;
use crate::stack::{ImageReference, Name, Source, Stack};
use crate::terminal::{Exit, Failure, Printer};

/// Turn the stack into the files of another system
///
/// What means something else there, and what is left to do, is said on stderr, with the place in the stack.
#[derive(Debug, Args)]
pub struct ExportArgs {
    #[command(subcommand)]
    target: Target,
}

#[derive(Debug, Subcommand)]
enum Target {
    Kubernetes(KubernetesArgs),
}

/// Print the stack as Kubernetes objects, to be applied as they are
///
/// `motif export kubernetes | kubectl apply -f -`
#[derive(Debug, Args)]
struct KubernetesArgs {
    #[command(flatten)]
    stack: StackArgs,
    /// Put every object into this namespace
    #[arg(short, long, value_name = "NAME", value_parser = name)]
    namespace: Option<Name>,
    /// Write a file for each object into a folder; `-` prints all of them
    ///
    /// Files that an export didn't write are never touched.
    #[arg(short, long, value_name = "DIR", default_value = "-", value_hint = clap::ValueHint::DirPath)]
    output: PathBuf,
    /// Pull built and block images from here, such as `registry.example/team`
    #[arg(long, value_name = "REGISTRY", env = "MOTIF_REGISTRY", value_parser = registry)]
    registry: Option<String>,
    /// The tag of built images
    #[arg(long, value_name = "TAG", default_value = "latest", value_parser = tag)]
    tag: String,
    /// The form of the objects
    #[arg(long, value_name = "FORMAT", default_value = "yaml")]
    format: Format,
    /// Write nothing, and fail with a diff when the files in the folder are not what the stack gives
    #[arg(long, requires = "output")]
    check: bool,
    /// Fail, and write nothing, when anything isn't kept
    #[arg(long)]
    strict: bool,
    /// The form of what is said on stderr about the export
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    report: ReportFormat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// YAML documents
    Yaml,
    /// One JSON document
    Json,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ReportFormat {
    /// Lines for people
    Text,
    /// One JSON document
    Json,
}

/// Exports the stack.
pub fn run(args: &ExportArgs, printer: Printer) -> Result<Exit, Failure> {
    match &args.target {
        Target::Kubernetes(args) => kubernetes(args, printer),
    }
}

fn kubernetes(args: &KubernetesArgs, printer: Printer) -> Result<Exit, Failure> {
    let found = args.stack.load(printer)?;
    let stack = found.loaded.stack;
    let options = Options {
        namespace: args.namespace.clone(),
        registry: args.registry.clone(),
        tag: args.tag.clone(),
        block_image: block_image(&stack)?,
        version: env!("CARGO_PKG_VERSION").to_owned(),
    };
    let export = kubernetes::export(&stack, &options).map_err(refused)?;
    report(&export.report, args.report, printer)?;
    let changed = export.report.count(Verdict::Approximated) + export.report.count(Verdict::Dropped);
    if args.strict && changed > 0 {
        let fields = if changed == 1 {
            "field isn't"
        } else {
            "fields aren't"
        };
        return Err(Failure::from(anyhow::anyhow!(
            "{changed} {fields} kept, which `--strict` asks for"
        ))
        .hint("change the stack as said above, or export without `--strict`"));
    }
    let form = match args.format {
        Format::Yaml => Form::Yaml,
        Format::Json => Form::Json,
    };
    let files = || export.files(form);
    if args.output == Path::new("-") {
        printer.data(export.stream(form)?)?;
    } else if args.check {
        check_folder(&files()?, form, &args.output, printer)?;
    } else {
        write_folder(&files()?, form, &args.output, printer)?;
    }
    Ok(Exit::Done)
}

/// The block image's name on this machine; it takes the digest of this program to know it.
fn block_image(stack: &Stack) -> Result<String, Failure> {
    let specs = stack
        .pods()
        .iter()
        .map(|pod| &pod.spec)
        .chain(stack.jobs().iter().map(|job| &job.spec));
    let is_block = |source: &Source| matches!(source, Source::Block(_));
    if specs
        .flat_map(|spec| &spec.containers)
        .any(|container| is_block(&container.source))
    {
        let binary = Binary::running().map_err(|error| {
            let hint = error.hint();
            let failure = Failure::from(error);
            match hint {
                Some(hint) => failure.hint(hint),
                None => failure,
            }
        })?;
        Ok(binary.image())
    } else {
        Ok(String::new())
    }
}

/// Everything that a cluster would refuse, in one failure.
fn refused(errors: Vec<kubernetes::Error>) -> Failure {
    let count = errors.len();
    let noun = if count == 1 { "thing" } else { "things" };
    let mut message = format!("a cluster would refuse {count} {noun}");
    for error in errors {
        let _ = write!(message, "\n  {error}");
    }
    Failure::from(anyhow::Error::msg(message))
}

fn report(report: &Report, format: ReportFormat, printer: Printer) -> Result<(), Failure> {
    match format {
        ReportFormat::Text => {
            for line in report.lines() {
                match line.row.verdict {
                    Verdict::Kept => printer.status(describe(line)),
                    Verdict::Approximated | Verdict::Dropped => printer.warning(describe(line)),
                }
            }
        }
        ReportFormat::Json => printer.document(serde_json::to_string_pretty(report.lines())?),
    }
    Ok(())
}

fn describe(line: &ReportLine) -> String {
    let verdict = match line.row.verdict {
        Verdict::Kept => String::new(),
        other => format!(" is {other}"),
    };
    format!(
        "{}: {}{verdict}: {}\n  {}",
        line.place, line.path, line.message, line.remedy
    )
}

/// Writes each object into its own file, all or none, and names those of an earlier export
/// that the stack no longer has.
fn write_folder(
    files: &[(String, String)],
    form: Form,
    folder: &Path,
    printer: Printer,
) -> Result<(), Failure> {
    let new = new_files(files);
    for (file, existing) in new.iter().zip(disk::compare(folder, &new)?) {
        if let Existing::Different(content) = existing
            && !is_ours(&content)
        {
            let path = folder.join(file.path);
            return Err(
                Failure::from(anyhow::anyhow!("`{}` isn't from an export", path.display()))
                    .hint("nothing was written; move that file, or choose another folder"),
            );
        }
    }
    fs::create_dir_all(folder)
        .with_context(|| format!("failed to make the folder `{}`", folder.display()))?;
    disk::replace(folder, &new)?;
    for name in left_over(folder, form, files)? {
        printer.warning(format!(
            "`{}` is from an earlier export, and the stack no longer has it\n  remove it here, and from the cluster by `kubectl delete -f {}`",
            folder.join(&name).display(),
            folder.join(&name).display()
        ));
    }
    let noun = if files.len() == 1 { "object" } else { "objects" };
    printer.status(format!("wrote {} {noun} to {}", files.len(), folder.display()));
    Ok(())
}

/// Shows how the files on disk differ from what the stack gives; fails when they do.
fn check_folder(
    files: &[(String, String)],
    form: Form,
    folder: &Path,
    printer: Printer,
) -> Result<(), Failure> {
    let new = new_files(files);
    let mut diff = String::new();
    let mut show = |name: &str, old: &[u8], new: &[u8]| {
        diff.push_str(&unified(&folder.join(name).display().to_string(), old, new));
    };
    for (file, existing) in new.iter().zip(disk::compare(folder, &new)?) {
        match existing {
            Existing::Same => {}
            Existing::Absent => show(file.path, b"", file.bytes),
            Existing::Different(old) => show(file.path, &old, file.bytes),
        }
    }
    for name in left_over(folder, form, files)? {
        let path = folder.join(&name);
        let old = fs::read(&path).with_context(|| format!("failed to read `{}`", path.display()))?;
        show(&name, &old, b"");
    }
    if diff.is_empty() {
        return Ok(());
    }
    printer.data(diff)?;
    let folder = folder.display();
    Err(Failure::from(anyhow::anyhow!(
        "the files in `{folder}` are not what the stack gives"
    ))
    .hint("export without `--check`, and remove files that the stack no longer has"))
}

fn new_files(files: &[(String, String)]) -> Vec<NewFile<'_>> {
    files
        .iter()
        .map(|(name, text)| NewFile {
            path: name,
            bytes: text.as_bytes(),
            executable: false,
        })
        .collect()
}

/// Files of ours that this export didn't write, sorted.
fn left_over(folder: &Path, form: Form, files: &[(String, String)]) -> Result<Vec<String>, Failure> {
    let mut found = Vec::new();
    let reading = || format!("failed to read the folder `{}`", folder.display());
    if !folder.exists() {
        return Ok(found);
    }
    for entry in fs::read_dir(folder).with_context(reading)? {
        let entry = entry.with_context(reading)?;
        let Ok(name) = entry.file_name().into_string() else {
            continue;
        };
        let is_candidate = Path::new(&name)
            .extension()
            .is_some_and(|extension| extension == form.extension())
            && entry.file_type().is_ok_and(|kind| kind.is_file())
            && !files.iter().any(|(written, _)| *written == name);
        if is_candidate && fs::read(entry.path()).is_ok_and(|content| is_ours(&content)) {
            found.push(name);
        }
    }
    found.sort();
    Ok(found)
}

fn name(text: &str) -> Result<Name, String> {
    Name::new(text).ok_or_else(|| {
        "a name has 1 to 63 of a-z, 0-9 and -, and starts and ends with a letter or digit".to_owned()
    })
}

fn registry(text: &str) -> Result<String, String> {
    let registry = text.strip_suffix('/').unwrap_or(text);
    let is_prefix = ImageReference::new(&format!("{registry}/motif-block:1")).is_some();
    match registry.split_once("://") {
        Some((_, host)) => Err(format!("leave out the scheme: `{host}`")),
        None if is_prefix => Ok(registry.to_owned()),
        None => Err("a registry looks like `registry.example/team`".to_owned()),
    }
}

fn tag(text: &str) -> Result<String, String> {
    match ImageReference::new(&format!("image:{text}")) {
        Some(_) if !text.contains(['@', '/', ':']) => Ok(text.to_owned()),
        _ => Err(
            "a tag has 1 to 128 letters, digits, `_`, `.` and `-`, and starts with a letter, digit or `_`"
                .to_owned(),
        ),
    }
}
