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
    /// Whether nobody but its owner may read it.
    pub private: bool,
}

/// What stands where a file is to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Existing {
    /// Nothing.
    Absent,
    /// The same file.
    Same,
    /// A file with other bytes, or that can be run or read by those who can't the new one.
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
            let same = bytes == file.bytes
                && can_run(&metadata) == file.executable
                && !(file.private && others_may(&metadata));
            return Ok(if same {
                Existing::Same
            } else {
                Existing::Different(bytes)
            });
        }
    }
    Ok(Existing::Absent)
}

/// Whether a file can be run; one that is not there can't.
pub fn is_executable(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|metadata| can_run(&metadata))
}

#[cfg(unix)]
fn can_run(metadata: &fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt;
    metadata.permissions().mode() & 0o111 != 0
}

#[cfg(not(unix))]
fn can_run(_: &fs::Metadata) -> bool {
    false
}

/// Whether anybody but its owner may do anything with a file.
#[cfg(unix)]
fn others_may(metadata: &fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt;
    metadata.permissions().mode() & 0o077 != 0
}

#[cfg(not(unix))]
fn others_may(_: &fs::Metadata) -> bool {
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
    let name = root.file_name().unwrap_or_default().to_string_lossy();
    let staging = Staging::new(parent, &name)?;
    for file in files {
        staging.write(file, None)?;
    }
    fs::rename(&staging.path, root).at("make the folder", root)
}

/// Writes files into a folder that is there; those that stand there with the same bytes are left alone,
/// and so is everything else in it. Returns what stood where each file was to be written.
///
/// A file that is replaced keeps its owner, and its mode but for whether it can be run.
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
    sweep(root);
    let staging = Staging::new(root, WRITTEN)?;
    for file in &changed {
        let before = fs::symlink_metadata(root.join(file.path)).ok();
        staging.write(file, before.as_ref())?;
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

/// As [`replace`], and then removes files, and those of these folders that are empty without them.
pub fn change(root: &Path, files: &[NewFile<'_>], removed: &[&str], folders: &[&str]) -> Result<(), Error> {
    let file = |path| NewFile {
        path,
        bytes: &[],
        executable: false,
        private: false,
    };
    let gone: Vec<NewFile<'_>> = removed.iter().copied().map(file).collect();
    // No link is followed to a file, nor removed in its place.
    let standing = compare(root, &gone)?;
    let before = replace(root, files)?;
    sweep(root);
    let staging = Staging::new(root, REMOVED)?;
    let mut done = Undo::default();
    for (number, (path, standing)) in removed.iter().zip(&standing).enumerate() {
        if *standing == Existing::Absent {
            continue;
        }
        let (from, to) = (root.join(path), staging.path.join(number.to_string()));
        if let Err(error) = fs::rename(&from, &to).at("remove", &from) {
            done.undo();
            restore(root, files, &before);
            return Err(error);
        }
        done.0.push(Step::Replaced(from, to));
    }
    for folder in folders {
        // Where something else stands in it, it stays.
        let _ = fs::remove_dir(root.join(folder));
    }
    Ok(())
}

/// Puts back what files were before, as well as can be.
fn restore(root: &Path, files: &[NewFile<'_>], before: &[Existing]) {
    let old: Vec<NewFile<'_>> = files
        .iter()
        .zip(before)
        .filter_map(|(file, before)| match before {
            Existing::Different(bytes) => Some(NewFile { bytes, ..*file }),
            Existing::Absent | Existing::Same => None,
        })
        .collect();
    let _ = replace(root, &old);
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

/// The name of a folder for what is to be written.
const WRITTEN: &str = "project";
/// The name of a folder for what is removed.
const REMOVED: &str = "removed";
/// What divides such a name from the process that made the folder.
const OF: &str = ".motif-new-";

/// Removes what processes left here that were killed, as well as can be.
fn sweep(root: &Path) {
    for entry in fs::read_dir(root).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let process = name
            .to_str()
            .and_then(|name| name.strip_prefix('.')?.split_once(OF))
            .filter(|(name, _)| [WRITTEN, REMOVED].contains(name))
            .and_then(|(_, process)| process.parse().ok());
        let is_left = process.is_some_and(|process| !lives(process));
        if is_left && entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// Whether there is such a process. This one has no such folder when it looks for them.
#[cfg(unix)]
fn lives(process: u32) -> bool {
    use rustix::io::Errno;
    use rustix::process::{Pid, test_kill_process};
    let number = i32::try_from(process).ok().and_then(Pid::from_raw);
    process != std::process::id() && number.is_some_and(|pid| test_kill_process(pid) != Err(Errno::SRCH))
}

#[cfg(not(unix))]
fn lives(_: u32) -> bool {
    true
}

/// A folder for what is not yet in its place; goes away when dropped.
struct Staging {
    path: PathBuf,
}

impl Staging {
    fn new(parent: &Path, name: &str) -> Result<Self, Error> {
        let path = parent.join(format!(".{name}{OF}{}", std::process::id()));
        fs::create_dir(&path).at("make the folder", &path)?;
        Ok(Self { path })
    }

    fn write(&self, file: &NewFile<'_>, before: Option<&fs::Metadata>) -> Result<(), Error> {
        let path = self.path.join(file.path);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).at("make the folder", folder)?;
        }
        let mut handle = open_new(&path, file, before).at("write", &path)?;
        handle.write_all(file.bytes).at("write", &path)
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        // After a rename it is gone, which is as good.
        let _ = fs::remove_dir_all(&self.path);
    }
}

/// A new file; in the place of another one it has its owner and mode, before a byte is in it.
#[cfg(unix)]
fn open_new(path: &Path, new: &NewFile<'_>, before: Option<&fs::Metadata>) -> io::Result<File> {
    use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
    let mode = match before {
        Some(_) => 0o600,
        None if new.private => 0o600,
        None if new.executable => 0o777,
        None => 0o666,
    };
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path)?;
    if let Some(before) = before {
        let own = file.metadata()?;
        if (own.uid(), own.gid()) != (before.uid(), before.gid()) {
            // Only root gives files away.
            let _ = fchown(&file, Some(before.uid()), Some(before.gid()));
        }
        let old = before.mode() & 0o7777;
        let mode = match new.executable {
            executable if executable == can_run(before) => old,
            // Who may read it may run it.
            true => old | ((old & 0o444) >> 2),
            false => old & !0o111,
        };
        let mode = if new.private { mode & 0o700 } else { mode };
        file.set_permissions(fs::Permissions::from_mode(mode))?;
    }
    Ok(file)
}

#[cfg(not(unix))]
fn open_new(path: &Path, _: &NewFile<'_>, _: Option<&fs::Metadata>) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).open(path)
}
