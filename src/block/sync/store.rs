//! Keeps versions as folders beside the target, and makes one of them current by renaming a link.
//!
//! Beside the target `/sync/current` stands `/sync/.sync/current/`: a folder for each version, named by its digest,
//! and what the block has to remember. Nothing else is touched.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, OpenOptions, Permissions, TryLockError};
use std::io::{self, ErrorKind, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::failure::{Failure, Kind};
use super::folder;
use super::tree::{Entry, Limits, Tree};
use crate::block::Error;

/// The folder of all versions, beside the target.
const VERSIONS: &str = ".sync";
/// Characters of a digest.
const DIGEST: usize = 64;

/// The target and its versions.
#[derive(Debug)]
pub struct Store {
    target: PathBuf,
    name: OsString,
    folder: PathBuf,
    keep: usize,
    limits: Limits,
    /// Held for as long as this lives: two that write one target would delete each other's versions.
    _lock: File,
}

/// A version on the disk that isn't current yet.
#[derive(Debug)]
pub struct Prepared {
    /// Where its content is.
    pub path: PathBuf,
    name: String,
    is_new: bool,
}

impl Prepared {
    /// Removes a version that won't be current, unless it was one.
    pub fn reject(&self) {
        if self.is_new {
            let _ = discard(&self.path);
        }
    }
}

impl Store {
    /// Makes the folders that are missing.
    pub fn open(target: &Path, keep: usize, limits: Limits) -> Result<Self, Error> {
        let wrong = |why: &str| Error::configuration(format!("`--target` `{}` {why}", target.display()));
        let (Some(parent), Some(name)) = (target.parent(), target.file_name()) else {
            return Err(wrong("has no name"));
        };
        let store = Path::new(VERSIONS).join(name);
        match fs::symlink_metadata(target) {
            Ok(metadata) if !metadata.is_symlink() => {
                return Err(wrong("exists and is not a link; it has to be a name of its own"));
            }
            Ok(_) if !fs::read_link(target).is_ok_and(|link| link.starts_with(&store)) => {
                return Err(wrong("is a link that this block did not make"));
            }
            _ => {}
        }
        let folder = parent.join(&store);
        let unwritable = |error| wrong(&format!("can't be written: `{}`: {error}", folder.display()));
        fs::create_dir_all(&folder).map_err(unwritable)?;
        for made in [&parent.join(VERSIONS), &folder] {
            // Where another user made it, it is as that user wanted.
            let _ = fs::set_permissions(made, Permissions::from_mode(0o755));
        }
        let lock = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .open(folder.join("lock"))
            .map_err(unwritable)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(wrong("is written by another process")),
            Err(TryLockError::Error(error)) => return Err(Error::Failed(error.into())),
        }
        Ok(Self {
            target: target.to_owned(),
            name: name.to_owned(),
            folder,
            keep,
            limits,
            _lock: lock,
        })
    }

    /// The name of the current version's folder.
    fn current(&self) -> Option<OsString> {
        let link = fs::read_link(&self.target).ok()?;
        Some(link.file_name()?.to_owned())
    }

    /// The digest of the current version, if it is whole.
    pub fn published(&self) -> Option<String> {
        let name = self.current()?.into_string().ok()?;
        let digest = name.get(..DIGEST)?;
        self.holds(&name, digest).then(|| digest.to_owned())
    }

    /// Whether a folder's content has this digest.
    fn holds(&self, name: &str, digest: &str) -> bool {
        folder::read(&self.folder.join(name), self.limits).is_ok_and(|tree| tree.digest() == digest)
    }

    /// Writes a version, or finds it among those that are kept.
    pub fn prepare(&self, tree: &Tree, digest: &str) -> Result<Prepared, Failure> {
        self.write(tree, digest).map_err(|error| self.unwritten(&error))
    }

    fn unwritten(&self, error: &io::Error) -> Failure {
        Failure::new(Kind::Target, format!("`{}`: {error}", self.folder.display()))
    }

    fn write(&self, tree: &Tree, digest: &str) -> io::Result<Prepared> {
        // Somebody may have written into a version: it stays what it is, and another folder holds the right one.
        let mut name = digest.to_owned();
        let mut number = 0;
        while fs::symlink_metadata(self.folder.join(&name)).is_ok() {
            if self.holds(&name, digest) {
                return Ok(Prepared {
                    path: self.folder.join(&name),
                    name,
                    is_new: false,
                });
            }
            number += 1;
            name = format!("{digest}.{number}");
        }
        let path = self.folder.join(format!("{digest}.part"));
        discard(&path)?;
        fs::create_dir(&path)?;
        let written = fill(&path, tree);
        if written.is_err() {
            // What is left is removed before the next try.
            let _ = discard(&path);
        }
        written?;
        Ok(Prepared {
            path,
            name,
            is_new: true,
        })
    }

    /// Whether a validation left a version as it was.
    pub fn is_intact(&self, prepared: &Prepared, digest: &str) -> bool {
        folder::read(&prepared.path, self.limits).is_ok_and(|tree| tree.digest() == digest)
    }

    /// Makes a version the current one; what is remembered of it is written before.
    pub fn publish(&self, prepared: &Prepared, pending: bool) -> Result<(), Failure> {
        self.swap(prepared, pending)
            .map_err(|error| self.unwritten(&error))?;
        // Old versions that can't be removed now are removed the next time.
        let _ = self.prune();
        Ok(())
    }

    fn swap(&self, prepared: &Prepared, pending: bool) -> io::Result<()> {
        if prepared.is_new {
            fs::rename(&prepared.path, self.folder.join(&prepared.name))?;
        }
        if pending {
            fs::write(self.folder.join("pending"), "")?;
        }
        if let Some(old) = self.current() {
            // The one that was current last is the last to go.
            let _ = File::open(self.folder.join(old)).and_then(|old| old.set_modified(SystemTime::now()));
        }
        let next = self.folder.join("next");
        discard(&next)?;
        let link = Path::new(VERSIONS).join(&self.name).join(&prepared.name);
        symlink(link, &next)?;
        fs::rename(&next, &self.target)
    }

    /// Whether a change was published whose notification was not accepted.
    pub fn is_pending(&self) -> bool {
        self.folder.join("pending").exists()
    }

    /// The notification was accepted.
    pub fn settle(&self) {
        let _ = fs::remove_file(self.folder.join("pending"));
    }

    /// Removes versions beyond those that are kept. Only folders named as a version are.
    fn prune(&self) -> io::Result<()> {
        let current = self.current();
        let mut old = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            if !is_version(&entry.file_name())
                || Some(entry.file_name()) == current
                || !entry.file_type()?.is_dir()
            {
                continue;
            }
            old.push((entry.metadata()?.modified()?, entry.path()));
        }
        old.sort();
        let surplus = old.len().saturating_sub(self.keep);
        for (_, path) in &old[..surplus] {
            fs::remove_dir_all(path)?;
        }
        Ok(())
    }
}

/// A digest, perhaps with a number or `part`.
fn is_version(name: &OsStr) -> bool {
    let Some((digest, rest)) = name.as_bytes().split_at_checked(DIGEST) else {
        return false;
    };
    let is_suffix = match rest.strip_prefix(b".") {
        Some(b"part") => true,
        Some(number) => !number.is_empty() && number.iter().all(u8::is_ascii_digit),
        None => rest.is_empty(),
    };
    is_suffix
        && digest
            .iter()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// Removes a file, a link or a folder, if it is there.
fn discard(path: &Path) -> io::Result<()> {
    let removed = match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) => Err(error),
    };
    match removed {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

/// Writes a tree into an empty folder. Everybody may read it, nobody is meant to write to it.
fn fill(folder: &Path, tree: &Tree) -> io::Result<()> {
    fs::set_permissions(folder, Permissions::from_mode(0o755))?;
    for (path, entry) in tree.entries() {
        let path = folder.join(OsStr::from_bytes(path));
        match entry {
            Entry::Folder => {
                fs::create_dir(&path)?;
                fs::set_permissions(&path, Permissions::from_mode(0o755))?;
            }
            Entry::Link(target) => symlink(OsStr::from_bytes(target), &path)?,
            Entry::File { content, executable } => {
                let mut file = OpenOptions::new().write(true).create_new(true).open(&path)?;
                file.write_all(content)?;
                let mode = if *executable { 0o555 } else { 0o444 };
                file.set_permissions(Permissions::from_mode(mode))?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    const LIMITS: Limits = Limits {
        bytes: 1000,
        entries: 100,
    };

    fn tree(text: &str) -> Tree {
        let mut tree = Tree::new(LIMITS);
        let content = Bytes::copy_from_slice(text.as_bytes());
        tree.add(
            b"file".to_vec(),
            Entry::File {
                content,
                executable: false,
            },
        )
        .unwrap();
        tree
    }

    fn publish(store: &Store, text: &str) -> String {
        let tree = tree(text);
        let digest = tree.digest();
        let prepared = store.prepare(&tree, &digest).unwrap();
        assert!(store.is_intact(&prepared, &digest));
        store.publish(&prepared, false).unwrap();
        assert_eq!(store.published().as_deref(), Some(digest.as_str()));
        digest
    }

    fn versions(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(folder.join(".sync/current"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name != "lock")
            .collect();
        names.sort();
        names
    }

    fn sorted(mut names: Vec<String>) -> Vec<String> {
        names.sort();
        names
    }

    #[test]
    fn versions_come_and_go_and_nothing_else_does() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("current");
        let store = Store::open(&target, 1, LIMITS).unwrap();
        assert_eq!(store.published(), None);
        let foreign = folder.path().join(".sync/current/mine");
        fs::create_dir(&foreign).unwrap();
        let one = publish(&store, "one");
        assert_eq!(fs::read_to_string(target.join("file")).unwrap(), "one");
        let two = publish(&store, "two");
        assert_eq!(fs::read_to_string(target.join("file")).unwrap(), "two");
        let mine = "mine".to_owned();
        assert_eq!(
            versions(folder.path()),
            sorted(vec![one.clone(), two.clone(), mine.clone()])
        );
        assert_eq!(publish(&store, "one"), one, "a kept version is used again");
        let three = publish(&store, "three");
        assert_eq!(versions(folder.path()), sorted(vec![one, three, mine]));
        drop(store);
        let again = Store::open(&target, 0, LIMITS).unwrap();
        assert!(again.published().is_some(), "another start finds it");
    }

    #[test]
    fn a_version_that_was_written_to_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("current");
        let store = Store::open(&target, 0, LIMITS).unwrap();
        let one = publish(&store, "one");
        fs::write(target.join("other"), "").unwrap();
        assert_eq!(store.published(), None);
        assert_eq!(publish(&store, "one"), one);
        assert_eq!(versions(folder.path()), [format!("{one}.1")]);
        assert!(!target.join("other").exists());
    }

    #[test]
    fn what_stands_at_the_target_is_not_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("current");
        let refused = || match Store::open(&target, 1, LIMITS) {
            Err(Error::Configuration { reason, .. }) => reason,
            other => panic!("{other:?}"),
        };
        fs::create_dir(&target).unwrap();
        assert!(refused().ends_with("exists and is not a link; it has to be a name of its own"));
        fs::remove_dir(&target).unwrap();
        symlink("elsewhere", &target).unwrap();
        assert!(refused().ends_with("is a link that this block did not make"));
        fs::remove_file(&target).unwrap();
        let _store = Store::open(&target, 1, LIMITS).unwrap();
        assert!(refused().ends_with("is written by another process"));
    }

    #[test]
    fn only_names_of_versions_are_versions() {
        let digest = "0123456789abcdef".repeat(4);
        for name in [digest.clone(), format!("{digest}.7"), format!("{digest}.part")] {
            assert!(is_version(OsStr::new(&name)), "{name}");
        }
        for name in ["lock", &digest[1..], &format!("{digest}."), &format!("{digest}x")] {
            assert!(!is_version(OsStr::new(name)), "{name}");
        }
    }
}
