//! Writes a set of files: all of them or none.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::{At, Error};

/// A file to write.
#[derive(Debug, Clone, Copy)]
pub struct NewFile<'a> {
    /// Path inside the folder: relative, with `/` between its parts, none of them `..`.
    pub path: &'a str,
    /// Its bytes.
    pub bytes: &'a [u8],
    /// Whether it can be run.
    pub executable: bool,
}

/// What stands where a file is to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Existing {
    /// Nothing.
    Absent,
    /// The same file.
    Same,
    /// A file with other bytes, or that can be run where the new one can't.
    Different(Vec<u8>),
}

/// Looks at what stands where files are to be written; the folder itself may be absent.
///
/// A symbolic link on the way to a file, or in its place, is an error.
pub fn compare(root: &Path, files: &[NewFile<'_>]) -> Result<Vec<Existing>, Error> {
    files.iter().map(|file| look(root, file)).collect()
}

fn look(root: &Path, file: &NewFile<'_>) -> Result<Existing, Error> {
    let mut path = root.to_owned();
    let mut parts = file.path.split('/').peekable();
    while let Some(part) = parts.next() {
        path.push(part);
        let metadata = match fs::symlink_metadata(&path) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Existing::Absent),
            Err(error) => return Err(error).at("look at", &path),
        };
        let is_last = parts.peek().is_none();
        if metadata.is_symlink() {
            return Err(Error::Link(path));
        }
        if !is_last && !metadata.is_dir() {
            return Err(Error::InTheWay {
                what: "not a folder",
                path,
            });
        }
        if is_last {
            if !metadata.is_file() {
                return Err(Error::InTheWay {
                    what: "not a file",
                    path,
                });
            }
            let bytes = fs::read(&path).at("read", &path)?;
            let same = bytes == file.bytes && is_executable(&metadata) == file.executable;
            return Ok(if same {
                Existing::Same
            } else {
                Existing::Different(bytes)
            });
        }
    }
    Ok(Existing::Absent)
}

#[cfg(unix)]
fn is_executable(metadata: &fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt;
    metadata.permissions().mode() & 0o111 != 0
}

#[cfg(not(unix))]
fn is_executable(_: &fs::Metadata) -> bool {
    false
}

/// Writes files into a folder that is not there yet.
///
/// They are written into a folder beside it, which then takes its name: whenever the process
/// ends, the folder is there with all of them, or not at all.
pub fn create(root: &Path, files: &[NewFile<'_>]) -> Result<(), Error> {
    let parent = match root.parent() {
        Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
        Some(parent) => parent,
        None => Path::new("."),
    };
    fs::create_dir_all(parent).at("make the folder", parent)?;
    let staging = Staging::new(parent, root)?;
    for file in files {
        staging.write(file)?;
    }
    fs::rename(&staging.path, root).at("make the folder", root)
}

/// Writes files into a folder that is there; those that stand there with the same bytes are left alone,
/// and so is everything else in it. Returns what stood where each file was to be written.
///
/// All new bytes are on disk before the first file is replaced, each file is replaced in one step,
/// and what was replaced is put back when a later step fails.
pub fn replace(root: &Path, files: &[NewFile<'_>]) -> Result<Vec<Existing>, Error> {
    replace_with(root, files, |from, to| fs::rename(from, to))
}

/// As [`replace`], with the last step of each file given: where it fails, everything is taken back.
pub fn replace_with(
    root: &Path,
    files: &[NewFile<'_>],
    mut rename: impl FnMut(&Path, &Path) -> io::Result<()>,
) -> Result<Vec<Existing>, Error> {
    let existing = compare(root, files)?;
    let changed: Vec<&NewFile<'_>> = files
        .iter()
        .zip(&existing)
        .filter(|(_, existing)| **existing != Existing::Same)
        .map(|(file, _)| file)
        .collect();
    if changed.is_empty() {
        return Ok(existing);
    }
    let staging = Staging::new(root, Path::new("project"))?;
    for file in &changed {
        staging.write(file)?;
    }
    let mut done = Undo::default();
    for (number, file) in changed.iter().enumerate() {
        let target = root.join(file.path);
        let prepared = make_room(
            root,
            file.path,
            &target,
            &staging.path.join(format!(".old-{number}")),
            &mut done,
        );
        let from = staging.path.join(file.path);
        if let Err(error) = prepared.and_then(|()| rename(&from, &target).at("write", &target)) {
            done.undo();
            return Err(error);
        }
    }
    Ok(existing)
}

/// Makes the folders above a file, and keeps what stands in its place.
fn make_room(root: &Path, path: &str, target: &Path, backup: &Path, done: &mut Undo) -> Result<(), Error> {
    for (end, _) in path.match_indices('/') {
        let folder = root.join(&path[..end]);
        if !folder.exists() {
            fs::create_dir(&folder).at("make the folder", &folder)?;
            done.0.push(Step::Made(folder));
        }
    }
    if fs::symlink_metadata(target).is_err() {
        done.0.push(Step::Added(target.to_owned()));
        return Ok(());
    }
    // A file system without hard links gets a copy.
    if fs::hard_link(target, backup).is_err() {
        fs::copy(target, backup).at("keep a copy of", target)?;
    }
    done.0.push(Step::Replaced(target.to_owned(), backup.to_owned()));
    Ok(())
}

enum Step {
    Made(PathBuf),
    Added(PathBuf),
    Replaced(PathBuf, PathBuf),
}

/// What was done, to be taken back.
#[derive(Default)]
struct Undo(Vec<Step>);

impl Undo {
    /// Takes everything back, as well as can be: the error that led here is the one to tell.
    fn undo(self) {
        for step in self.0.into_iter().rev() {
            let _ = match step {
                Step::Made(folder) => fs::remove_dir(folder),
                Step::Added(file) => fs::remove_file(file),
                Step::Replaced(file, backup) => fs::rename(backup, file),
            };
        }
    }
}

/// A folder for what is not yet in its place; goes away when dropped.
struct Staging {
    path: PathBuf,
}

impl Staging {
    fn new(parent: &Path, target: &Path) -> Result<Self, Error> {
        let name = target.file_name().unwrap_or_default().to_string_lossy();
        let path = parent.join(format!(".{name}.motif-new-{}", std::process::id()));
        fs::create_dir(&path).at("make the folder", &path)?;
        Ok(Self { path })
    }

    fn write(&self, file: &NewFile<'_>) -> Result<(), Error> {
        let path = self.path.join(file.path);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).at("make the folder", folder)?;
        }
        let mut handle = open_new(&path, file.executable).at("write", &path)?;
        handle.write_all(file.bytes).at("write", &path)
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        // After a rename it is gone, which is as good.
        let _ = fs::remove_dir_all(&self.path);
    }
}

#[cfg(unix)]
fn open_new(path: &Path, executable: bool) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    let mode = if executable { 0o777 } else { 0o666 };
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path)
}

#[cfg(not(unix))]
fn open_new(path: &Path, _: bool) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).open(path)
}
