//! Reads a folder whole.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::Path;

use super::{At, Error};

const MOST_FILES: usize = 10_000;
const MOST_BYTES: u64 = 64 << 20;

/// Reads a file of at most so many MiB.
pub fn read_file(path: &Path, most: u64) -> Result<Vec<u8>, Error> {
    let mut file = fs::File::open(path).at("read", path)?;
    if !file.metadata().at("read", path)?.is_file() {
        return Err(Error::NoFile(path.to_owned()));
    }
    let mut bytes = Vec::new();
    let limit = most << 20;
    file.by_ref()
        .take(limit + 1)
        .read_to_end(&mut bytes)
        .at("read", path)?;
    if bytes.len() as u64 > limit {
        return Err(Error::TooMuch {
            path: path.to_owned(),
            most: format!("{most} MiB"),
        });
    }
    Ok(bytes)
}

/// Reads every file of a folder: path inside it, with `/` between its parts, to bytes.
///
/// A symbolic link anywhere in it is an error, and so is anything but files and folders.
pub fn read_folder(root: &Path) -> Result<BTreeMap<String, Vec<u8>>, Error> {
    let mut files = BTreeMap::new();
    let mut bytes = 0;
    read_into(root, "", &mut files, &mut bytes, root)?;
    Ok(files)
}

fn read_into(
    folder: &Path,
    prefix: &str,
    files: &mut BTreeMap<String, Vec<u8>>,
    bytes: &mut u64,
    root: &Path,
) -> Result<(), Error> {
    for entry in fs::read_dir(folder).at("read the folder", folder)? {
        let entry = entry.at("read the folder", folder)?;
        let path = entry.path();
        let name = entry
            .file_name()
            .into_string()
            .map_err(|_| Error::Name(path.clone()))?;
        let inner = format!("{prefix}{name}");
        // Of the entry itself: a symbolic link is not followed.
        let kind = entry.file_type().at("read", &path)?;
        if kind.is_symlink() {
            return Err(Error::Link(path));
        }
        if kind.is_dir() {
            read_into(&path, &format!("{inner}/"), files, bytes, root)?;
            continue;
        }
        if !kind.is_file() {
            return Err(Error::InTheWay {
                what: "neither a file nor a folder",
                path,
            });
        }
        *bytes += entry.metadata().at("read", &path)?.len();
        if *bytes > MOST_BYTES || files.len() >= MOST_FILES {
            return Err(Error::TooMuch {
                path: root.to_owned(),
                most: "10,000 files or 64 MiB".to_owned(),
            });
        }
        files.insert(inner, fs::read(&path).at("read", &path)?);
    }
    Ok(())
}
