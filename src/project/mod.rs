//! A project in memory: the files that `motif new` writes, by path.

pub mod addition;
mod diff;
mod path;
mod tree;

use std::collections::BTreeMap;

pub use addition::Addition;
pub use diff::unified;
pub use path::{PathError, RelativePath};
pub use tree::tree;

/// A file of a project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Whether it can be run.
    pub executable: bool,
}

/// The files of a project.
///
/// Invariant: no path is a folder of another, and no two paths, or folders above them, differ
/// by case alone. So a project means the same on every file system.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Project {
    files: BTreeMap<RelativePath, File>,
    /// Lower-case path of each file and folder → how it is written, and whether it is a file.
    taken: BTreeMap<String, (String, bool)>,
}

/// Why a file can't be part of a project.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Two files have one path.
    #[error("two files would be written to `{0}`")]
    Twice(RelativePath),
    /// Two paths are one on file systems that ignore case.
    #[error("`{first}` and `{second}` differ by case alone: on some file systems they are one")]
    Case {
        /// The path, or the folder above one, that was there.
        first: String,
        /// The one that came after it.
        second: String,
    },
    /// A path is both a file and a folder.
    #[error("`{0}` would be both a file and a folder")]
    FileAndFolder(String),
}

impl Project {
    /// Adds a file.
    pub fn add(&mut self, path: RelativePath, file: File) -> Result<(), Error> {
        if self.files.contains_key(&path) {
            return Err(Error::Twice(path));
        }
        let prefixes: Vec<(&str, bool)> = path.prefixes().collect();
        for (prefix, is_file) in &prefixes {
            match self.taken.get(&prefix.to_lowercase()) {
                Some((first, _)) if first != prefix => {
                    return Err(Error::Case {
                        first: first.clone(),
                        second: (*prefix).to_owned(),
                    });
                }
                Some((_, was_file)) if *is_file || *was_file => {
                    return Err(Error::FileAndFolder((*prefix).to_owned()));
                }
                _ => {}
            }
        }
        for (prefix, is_file) in prefixes {
            self.taken
                .insert(prefix.to_lowercase(), (prefix.to_owned(), is_file));
        }
        self.files.insert(path, file);
        Ok(())
    }

    /// The files, sorted by path.
    pub fn files(&self) -> &BTreeMap<RelativePath, File> {
        &self.files
    }
}

#[cfg(test)]
mod tests;
