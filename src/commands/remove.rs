//! `motif remove`.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use clap::Args;

use super::changed_files::ChangedFiles;
use super::stack_args::blocks;
use crate::disk::{self, NewFile};
use crate::project::{self, Addition, addition::RECORDS};
use crate::stack;
use crate::terminal::{Exit, Failure, Printer};

/// The most MiB that a file of the project holds.
const MOST: u64 = 4;

/// Take away what `motif add` added to a pod
///
/// The fragment and its files go, and what was inserted into the stack; every other byte of it stays. A file that was
/// edited since is shown, and nothing is done.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  motif remove sidecar/tls --from web
  motif remove sidecar/tls --from web --dry-run")]
pub struct RemoveArgs {
    /// The pattern
    pattern: String,
    /// The pod that it was added to
    #[arg(long, value_name = "POD")]
    from: String,
    /// Show how files would change
    #[arg(long)]
    dry_run: bool,
    /// Remove files that were edited since, too
    #[arg(long)]
    force: bool,
    /// Take it from this stack instead of `stack.yaml`
    #[arg(short, long, value_name = "FILE")]
    file: Option<PathBuf>,
}

/// Takes the addition away.
pub fn run(args: &RemoveArgs, printer: Printer) -> Result<Exit, Failure> {
    let file = args.file.clone().unwrap_or_else(|| PathBuf::from("stack.yaml"));
    let folder = file.parent().filter(|parent| !parent.as_os_str().is_empty());
    let folder = fs::canonicalize(folder.unwrap_or(Path::new(".")))?;
    let records = records(&folder)?;
    let addition = find(&records, args)?;
    let (edited, gone) = compare(&folder, addition)?;
    if !edited.is_empty() && !args.force {
        let mut text = String::new();
        for (path, bytes) in &edited {
            let before = addition.files.get(path).and_then(|written| written.text.as_ref());
            text.push_str(&match before {
                Some(before) => project::unified(path, before.as_bytes(), bytes),
                None => format!("File {path} differs\n"),
            });
        }
        printer.data(text)?;
        return Err(
            Failure::usage("what was added was edited since: nothing was removed")
                .hint("keep your lines elsewhere, in the stack itself or in a fragment of your own")
                .hint("`--force` removes them too"),
        );
    }
    let mut files: Vec<(String, Vec<u8>)> = Vec::new();
    let text = match disk::read_file(&folder.join(&addition.stack), MOST) {
        Ok(bytes) => Some(String::from_utf8(bytes)?),
        Err(disk::Error::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(error.into()),
    };
    if let Some(text) = text {
        let fragment = addition.fragment();
        let cut = stack::exclude(&text, &fragment, &addition.inserted).map_err(|error| {
            Failure::usage(format!("`{}` can't be edited: {error}", addition.stack))
                .hint(format!("take `{fragment}` out of its list, then remove again"))
        })?;
        if let Some(cut) = cut {
            let mut edited = text.clone();
            edited.replace_range(cut, "");
            files.push((addition.stack.clone(), edited.into_bytes()));
        }
    }
    let edited = files
        .first()
        .and_then(|(_, bytes)| std::str::from_utf8(bytes).ok());
    let heir = inherited(&records, addition, edited);
    files.extend(heir);
    let record = addition.record();
    let removed: Vec<&str> = addition
        .files
        .keys()
        .filter(|path| !gone.contains(path))
        .chain([&record])
        .map(String::as_str)
        .collect();
    check(&folder, addition, &files, &removed, args.force, printer)?;
    if args.dry_run {
        printer.data(preview(&folder, &files, &removed)?)?;
        return Ok(Exit::Done);
    }
    let new: Vec<NewFile<'_>> = files
        .iter()
        .map(|(path, bytes)| NewFile {
            path,
            bytes,
            executable: disk::is_executable(&folder.join(path)),
            private: false,
        })
        .collect();
    let folders: Vec<&str> = addition.folders.iter().map(String::as_str).collect();
    disk::change(&folder, &new, &removed, &folders)?;
    printer.status(format!(
        "Removed `{}` from the pod `{}`.",
        addition.pattern, addition.pod
    ));
    Ok(Exit::Done)
}

fn records(folder: &Path) -> Result<Vec<Addition>, Failure> {
    let files = match fs::symlink_metadata(folder.join(RECORDS)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error.into()),
        Ok(_) => disk::read_folder(&folder.join(RECORDS))?,
    };
    files
        .iter()
        .map(|(name, bytes)| {
            let path = format!("{RECORDS}/{name}");
            Addition::read(&path, bytes).map_err(|reason| {
                Failure::usage(format!("`{path}` is no record of what was added: {reason}"))
                    .hint("restore it; without it, what was added has to be removed by hand")
            })
        })
        .collect()
}

fn find<'a>(records: &'a [Addition], args: &RemoveArgs) -> Result<&'a Addition, Failure> {
    let in_pod = || records.iter().filter(|record| record.pod == args.from);
    let exact = in_pod().find(|record| record.pattern == args.pattern);
    let mut of_family = in_pod().filter(|record| record.pattern.split('/').next() == Some(&args.pattern));
    let found = exact.or_else(|| match (of_family.next(), of_family.next()) {
        (Some(only), None) => Some(only),
        _ => None,
    });
    found.ok_or_else(|| {
        let failure = Failure::usage(format!(
            "`{}` was not added to the pod `{}`",
            args.pattern, args.from
        ));
        if records.is_empty() {
            return failure.hint("nothing was added to this stack by `motif add`");
        }
        let known: Vec<String> = records
            .iter()
            .map(|record| format!("`{}` to `{}`", record.pattern, record.pod))
            .collect();
        failure.hint(format!("added were {}", known.join(", ")))
    })
}

/// The files that are not what was written, and those that are gone.
type Compared = (Vec<(String, Vec<u8>)>, Vec<String>);

fn compare(folder: &Path, addition: &Addition) -> Result<Compared, Failure> {
    let (mut edited, mut gone) = (Vec::new(), Vec::new());
    for (path, written) in &addition.files {
        match disk::read_file(&folder.join(path), 64) {
            Ok(bytes) if written.is(&bytes) => {}
            Ok(bytes) => edited.push((path.clone(), bytes)),
            Err(disk::Error::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                gone.push(path.clone());
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok((edited, gone))
}

/// Another addition takes over what the removed one leaves behind: how it stood in the list, and the folders that
/// both are in.
fn inherited(records: &[Addition], removed: &Addition, edited: Option<&str>) -> Option<(String, Vec<u8>)> {
    let others = || records.iter().filter(|other| *other != removed);
    let in_list = others()
        .filter(|other| other.stack == removed.stack)
        .find_map(|other| {
            let edited = edited.filter(|text| !stack::stands(text, &other.fragment(), &other.inserted))?;
            let inserted = removed.inserted.replace(&removed.fragment(), &other.fragment());
            let heir = Addition {
                inserted,
                ..other.clone()
            };
            // Others may stand behind it, and go first.
            stack::begins(edited, &heir.fragment(), &heir.inserted).then_some(heir)
        });
    let mut heir = in_list.or_else(|| others().next().cloned())?;
    let record = heir.record();
    let shared = removed
        .folders
        .iter()
        .filter(|folder| record.starts_with(&format!("{folder}/")));
    heir.folders.extend(shared.cloned());
    let text = heir.to_text();
    Some((record, text.into_bytes()))
}

/// Checks the stack as it would be; by force, it may be wrong.
fn check(
    folder: &Path,
    addition: &Addition,
    written: &[(String, Vec<u8>)],
    removed: &[&str],
    force: bool,
    printer: Printer,
) -> Result<(), Failure> {
    let mut files = ChangedFiles::of(folder);
    for (path, bytes) in written {
        files.set(path, Some(bytes.clone()));
    }
    for path in removed {
        files.set(path, None);
    }
    let options = stack::Options {
        blocks: blocks(),
        ..stack::Options::default()
    };
    match stack::load(&files, &addition.stack, &options) {
        Err(problems) if !force => {
            printer.problems(&problems);
            Err(Failure::usage(format!(
                "without `{}` the stack can't be: nothing was removed",
                addition.pattern
            ))
            .hint("`--force` removes it all the same"))
        }
        _ => Ok(()),
    }
}

fn preview(folder: &Path, files: &[(String, Vec<u8>)], removed: &[&str]) -> Result<String, Failure> {
    let mut text = String::new();
    for (path, bytes) in files {
        let old = disk::read_file(&folder.join(path), MOST)?;
        text.push_str(&project::unified(path, &old, bytes));
    }
    for path in removed {
        let old = disk::read_file(&folder.join(path), 64)?;
        text.push_str(&project::unified(path, &old, b""));
    }
    Ok(text)
}
