//! Reads a folder of files into a tree, and reads it again where it changed meanwhile.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use rustix::fs::OFlags;

use super::failure::{Failure, Kind};
use super::tree::{Entry, Limits, Tree, shown};

/// How often a source that changes is read again before it is left for the next time.
const TRIES: usize = 5;
/// Time between two of those.
const PAUSE: Duration = Duration::from_millis(50);

/// Reads until two readings in a row are equal. Of the content with the digest `known`, one will do.
pub fn read_settled(folder: &Path, limits: Limits, known: Option<&str>) -> Result<Tree, Failure> {
    let mut last = attempt(folder, limits)?;
    for _ in 0..TRIES {
        let is_known = |tree: &mut Tree| known == Some(tree.digest().as_str());
        if let Some(tree) = last.take_if(is_known) {
            return Ok(tree);
        }
        std::thread::sleep(PAUSE);
        let next = attempt(folder, limits)?;
        match (last, next) {
            (Some(before), Some(now)) if before == now => {
                now.check()?;
                return Ok(now);
            }
            (_, next) => last = next,
        }
    }
    Err(Failure::new(
        Kind::Changing,
        "the source changes while it is read",
    ))
}

/// Reads once. What vanished between its listing and its reading makes it nothing.
fn attempt(folder: &Path, limits: Limits) -> Result<Option<Tree>, Failure> {
    match read(folder, limits) {
        Ok(tree) => Ok(Some(tree)),
        Err(Unread::Vanished) => Ok(None),
        Err(Unread::Failed(failure)) => Err(failure),
    }
}

/// Why a folder was not read.
#[derive(Debug)]
pub enum Unread {
    /// Something that was listed is gone.
    Vanished,
    /// It can't be read.
    Failed(Failure),
}

impl From<Failure> for Unread {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

/// Reads a folder once. Links are kept as links; whatever is no file, folder or link is refused.
pub fn read(folder: &Path, limits: Limits) -> Result<Tree, Unread> {
    let root = fs::canonicalize(folder)
        .map_err(|error| Failure::source(format!("`{}`: {error}", folder.display())))?;
    let mut tree = Tree::new(limits);
    let mut ahead = vec![Vec::new()];
    while let Some(below) = ahead.pop() {
        let path = root.join(std::ffi::OsStr::from_bytes(&below));
        let listed = match fs::read_dir(&path) {
            Err(error) if !below.is_empty() && error.kind() == ErrorKind::NotFound => {
                return Err(Unread::Vanished);
            }
            listed => listed.map_err(|error| unreadable(&below, &error))?,
        };
        for entry in listed {
            let entry = entry.map_err(|error| unreadable(&below, &error))?;
            let name = entry.file_name().into_vec();
            let place = if below.is_empty() {
                name
            } else {
                [&below[..], b"/", &name].concat()
            };
            let found = match look(&entry.path(), tree.room(), limits.bytes) {
                Err(Look::Io(error)) if error.kind() == ErrorKind::NotFound => return Err(Unread::Vanished),
                Err(Look::Io(error)) => return Err(unreadable(&place, &error).into()),
                Err(Look::Failed(failure)) => return Err(failure.into()),
                Ok(None) => {
                    return Err(Failure::invalid(format!(
                        "{} is not a file, a folder or a link",
                        shown(&place)
                    ))
                    .into());
                }
                Ok(Some(found)) => found,
            };
            if found == Entry::Folder {
                ahead.push(place.clone());
            }
            tree.add(place, found)?;
        }
    }
    Ok(tree)
}

fn unreadable(place: &[u8], error: &io::Error) -> Failure {
    let place = if place.is_empty() {
        "the source".to_owned()
    } else {
        shown(place)
    };
    Failure::source(format!("{place}: {error}"))
}

enum Look {
    Io(io::Error),
    Failed(Failure),
}

impl From<io::Error> for Look {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// What stands at a path, if it is something that is copied.
fn look(path: &Path, room: u64, limit: u64) -> Result<Option<Entry>, Look> {
    let kind = fs::symlink_metadata(path)?.file_type();
    if kind.is_symlink() {
        return Ok(Some(Entry::Link(
            fs::read_link(path)?.into_os_string().into_vec(),
        )));
    }
    if kind.is_dir() {
        return Ok(Some(Entry::Folder));
    }
    if !kind.is_file() {
        return Ok(None);
    }
    // What took the file's place meanwhile is neither followed nor waited for.
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let file: File = OpenOptions::new()
        .read(true)
        .custom_flags(flags.bits().cast_signed())
        .open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Ok(None);
    }
    if metadata.len() > room {
        return Err(Look::Failed(Failure::too_large(limit)));
    }
    let mut content = Vec::new();
    file.take(room.saturating_add(1)).read_to_end(&mut content)?;
    Ok(Some(Entry::File {
        content: Bytes::from(content),
        executable: metadata.permissions().mode() & 0o111 != 0,
    }))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    const LIMITS: Limits = Limits {
        bytes: 1000,
        entries: 100,
    };

    #[test]
    fn a_folder_is_read_with_its_links_and_modes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        fs::create_dir(path.join("a")).unwrap();
        fs::write(path.join("a/run"), "x").unwrap();
        fs::set_permissions(path.join("a/run"), fs::Permissions::from_mode(0o700)).unwrap();
        symlink("a/run", path.join("link")).unwrap();
        let tree = read_settled(path, LIMITS, None).unwrap();
        let entries: Vec<_> = tree
            .entries()
            .map(|(path, entry)| (String::from_utf8_lossy(path).into_owned(), entry.clone()))
            .collect();
        let program = Entry::File {
            content: Bytes::from_static(b"x"),
            executable: true,
        };
        assert_eq!(
            entries,
            [
                ("a".to_owned(), Entry::Folder),
                ("a/run".to_owned(), program),
                ("link".to_owned(), Entry::Link(b"a/run".to_vec()))
            ]
        );
        assert_eq!(read_settled(path, LIMITS, Some(&tree.digest())).unwrap(), tree);
    }

    #[test]
    fn what_is_not_copied_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        let reason = || read_settled(path, LIMITS, None).unwrap_err().reason;
        assert_eq!(reason(), "it has no file");
        let socket = std::os::unix::net::UnixListener::bind(path.join("socket")).unwrap();
        assert_eq!(reason(), "`socket` is not a file, a folder or a link");
        drop(socket);
        fs::remove_file(path.join("socket")).unwrap();
        fs::write(path.join("large"), "x".repeat(1001)).unwrap();
        assert_eq!(reason(), "it is larger than 1000 bytes");
        fs::remove_file(path.join("large")).unwrap();
        symlink("/etc/passwd", path.join("link")).unwrap();
        fs::write(path.join("file"), "x").unwrap();
        assert_eq!(reason(), "the link `link` leads out of it");
        let missing = read_settled(&path.join("none"), LIMITS, None).unwrap_err();
        assert_eq!(missing.kind, Kind::Source);
    }
}
