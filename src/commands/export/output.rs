//! Where an export goes: files that are written whole, compared, and never taken from somebody else.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;
use std::path::{Component, Path};

use anyhow::Context;

use crate::disk::{self, Existing, NewFile};
use crate::export::{is_ours, stack_of};
use crate::project::unified;
use crate::stack::Name;
use crate::terminal::{Failure, Printer};

/// A file of an export.
#[derive(Debug, Clone)]
pub struct File {
    /// Its path in the folder, with `/` between its parts.
    pub path: String,
    /// Its text.
    pub text: String,
    /// Whether it holds values of secrets: nobody but its owner may read it, and no diff shows it.
    pub private: bool,
}

/// Whether the output is stdout, `-`.
pub fn is_stdout(output: &Path) -> bool {
    output == Path::new("-")
}

/// The way from one folder, which need not be there yet, to another.
pub fn way(from: &Path, to: &Path) -> Result<String, Failure> {
    let from = std::path::absolute(from).with_context(|| format!("failed to find `{}`", from.display()))?;
    // Links in what is there already are followed, as Compose does.
    let there = from.ancestors().find(|path| path.exists()).unwrap_or(&from);
    let mut real = there
        .canonicalize()
        .with_context(|| format!("failed to enter `{}`", there.display()))?;
    for part in from.strip_prefix(there).unwrap_or(Path::new("")).components() {
        match part {
            Component::ParentDir => drop(real.pop()),
            part => real.push(part),
        }
    }
    let common = real
        .components()
        .zip(to.components())
        .take_while(|(one, other)| one == other)
        .count();
    let up = real.components().skip(common).map(|_| "..");
    let down = to.components().skip(common).map(Component::as_os_str);
    let mut parts = Vec::new();
    for part in up.map(std::ffi::OsStr::new).chain(down) {
        let part = part.to_str();
        parts.push(part.with_context(|| format!("`{}` isn't UTF-8", to.display()))?);
    }
    Ok(match parts.as_slice() {
        [] => ".".to_owned(),
        ["..", ..] => parts.join("/"),
        _ => format!("./{}", parts.join("/")),
    })
}

/// Writes the files into a folder, all or none; a file of somebody else is never replaced.
fn put(files: &[File], folder: &Path, stack: &Name) -> Result<(), Failure> {
    let new = new_files(files);
    for (file, existing) in new.iter().zip(disk::compare(folder, &new)?) {
        if let Existing::Different(content) = existing
            && !is_ours(&content, stack)
        {
            let path = folder.join(file.path);
            let Some(other) = stack_of(&content) else {
                return Err(
                    Failure::from(anyhow::anyhow!("`{}` isn't from an export", path.display()))
                        .hint("nothing was written; move that file, or write elsewhere"),
                );
            };
            let problem = format!("`{}` is from an export of the stack `{other}`", path.display());
            return Err(Failure::from(anyhow::Error::msg(problem)).hint(format!(
                "nothing was written; write `{stack}` elsewhere, or remove the files of `{other}` first"
            )));
        }
    }
    fs::create_dir_all(folder)
        .with_context(|| format!("failed to make the folder `{}`", folder.display()))?;
    disk::replace(folder, &new)?;
    Ok(())
}

/// Whether a file of this name holds the values of a secret.
fn is_of_a_secret(path: &str) -> bool {
    let name = path.rsplit_once('/').map_or(path, |(_, name)| name);
    name.starts_with("secret-")
}

impl File {
    /// A file of a path and a text; private where it is that of a secret.
    pub fn new(path: String, text: String) -> Self {
        Self {
            private: is_of_a_secret(&path),
            path,
            text,
        }
    }
}

/// Writes one file.
pub fn write_file(file: &File, folder: &Path, stack: &Name, printer: Printer) -> Result<(), Failure> {
    put(std::slice::from_ref(file), folder, stack)?;
    printer.status(format!("wrote {}", folder.join(&file.path).display()));
    Ok(())
}

/// What takes away from a cluster what a file made that is no longer written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Removal {
    /// `kubectl`, which has to be told.
    Kubectl,
    /// Helm, which knows what a release had.
    Helm,
}

/// Writes the files into a folder, all or none, and names those of an earlier export
/// that the stack no longer has.
pub fn write(
    files: &[File],
    folder: &Path,
    stack: &Name,
    removal: Removal,
    printer: Printer,
) -> Result<(), Failure> {
    put(files, folder, stack)?;
    for name in left_over(folder, files, stack)? {
        let path = folder.join(&name);
        let path = path.display();
        let remedy = match removal {
            Removal::Kubectl => {
                format!("remove it here, and from the cluster by `kubectl delete -f {path}`")
            }
            Removal::Helm => {
                "remove it here; the next `helm upgrade` removes from the cluster what it made".to_owned()
            }
        };
        printer.warning(format!(
            "`{path}` is from an earlier export, and the stack no longer has it\n  {remedy}"
        ));
    }
    let noun = if files.len() == 1 { "file" } else { "files" };
    printer.status(format!("wrote {} {noun} to {}", files.len(), folder.display()));
    Ok(())
}

/// Shows how a file on disk differs from what the stack gives; fails when it does.
pub fn check_file(file: &File, folder: &Path, printer: Printer) -> Result<(), Failure> {
    let diff = differences(std::slice::from_ref(file), folder)?;
    if diff.is_empty() {
        return Ok(());
    }
    printer.data(diff)?;
    let path = folder.join(&file.path);
    Err(Failure::from(anyhow::anyhow!(
        "`{}` is not what the stack gives",
        path.display()
    ))
    .hint("export without `--check`"))
}

/// How the files on disk differ from what the stack gives.
fn differences(files: &[File], folder: &Path) -> Result<String, Failure> {
    let new = new_files(files);
    let mut diff = String::new();
    let mut show = |name: &str, old: &[u8], new: &[u8]| {
        diff.push_str(&unified(&folder.join(name).display().to_string(), old, new));
    };
    let mut hidden = String::new();
    for (file, existing) in new.iter().zip(disk::compare(folder, &new)?) {
        if file.private {
            if existing != Existing::Same {
                let path = folder.join(file.path);
                let _ = writeln!(hidden, "{} differs; it holds values of secrets", path.display());
            }
            continue;
        }
        match existing {
            Existing::Same => {}
            Existing::Absent => show(file.path, b"", file.bytes),
            Existing::Different(old) => show(file.path, &old, file.bytes),
        }
    }
    Ok(diff + &hidden)
}

/// Shows how the files on disk differ from what the stack gives; fails when they do.
pub fn check(files: &[File], folder: &Path, stack: &Name, printer: Printer) -> Result<(), Failure> {
    let mut diff = differences(files, folder)?;
    for name in left_over(folder, files, stack)? {
        let path = folder.join(&name);
        if is_of_a_secret(&name) {
            let _ = writeln!(diff, "{} is no longer exported", path.display());
            continue;
        }
        let old = fs::read(&path).with_context(|| format!("failed to read `{}`", path.display()))?;
        diff.push_str(&unified(&path.display().to_string(), &old, b""));
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

fn new_files(files: &[File]) -> Vec<NewFile<'_>> {
    files
        .iter()
        .map(|file| NewFile {
            path: &file.path,
            bytes: file.text.as_bytes(),
            executable: false,
            private: file.private,
        })
        .collect()
}

/// Files of the same stack that this export didn't write, in the folders and with the endings of those that it did; sorted.
fn left_over(folder: &Path, files: &[File], stack: &Name) -> Result<Vec<String>, Failure> {
    let written: BTreeSet<&str> = files.iter().map(|file| file.path.as_str()).collect();
    let extensions: BTreeSet<_> = files
        .iter()
        .filter_map(|file| Path::new(&file.path).extension())
        .collect();
    let parents: BTreeSet<&str> = files
        .iter()
        .map(|file| file.path.rsplit_once('/').map_or("", |(parent, _)| parent))
        .collect();
    let mut found = Vec::new();
    for parent in parents {
        let inner = folder.join(parent);
        if !inner.exists() {
            continue;
        }
        let reading = || format!("failed to read the folder `{}`", inner.display());
        for entry in fs::read_dir(&inner).with_context(reading)? {
            let entry = entry.with_context(reading)?;
            let Ok(name) = entry.file_name().into_string() else {
                continue;
            };
            let path = if parent.is_empty() {
                name
            } else {
                format!("{parent}/{name}")
            };
            let is_candidate = Path::new(&path)
                .extension()
                .is_some_and(|extension| extensions.contains(extension))
                && entry.file_type().is_ok_and(|kind| kind.is_file())
                && !written.contains(path.as_str());
            if is_candidate && fs::read(entry.path()).is_ok_and(|content| is_ours(&content, stack)) {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}
