//! The files of a project as they would be after a change.

use std::collections::BTreeMap;
use std::path::Path;

use super::stack_args::ProjectFolder;
use crate::stack::{FileError, FileKind, Files, MemoryFiles};

/// Files on disk, with some written and some removed.
#[derive(Debug)]
pub struct ChangedFiles {
    disk: ProjectFolder,
    written: MemoryFiles,
    removed: Vec<String>,
}

impl ChangedFiles {
    /// The files of a folder, as they are.
    pub fn of(folder: &Path) -> Self {
        Self {
            disk: ProjectFolder(folder.to_owned()),
            written: MemoryFiles(BTreeMap::new()),
            removed: Vec::new(),
        }
    }

    /// Writes a file, or removes it.
    pub fn set(&mut self, path: &str, bytes: Option<Vec<u8>>) {
        match bytes {
            Some(bytes) => drop(self.written.0.insert(path.to_owned(), bytes)),
            None => self.removed.push(path.to_owned()),
        }
    }

    fn is_removed(&self, path: &str) -> bool {
        self.removed.iter().any(|removed| removed == path)
    }
}

impl Files for ChangedFiles {
    fn kind(&self, path: &str) -> Result<FileKind, FileError> {
        match self.written.kind(path) {
            Err(FileError::Missing) if self.is_removed(path) => Err(FileError::Missing),
            Err(FileError::Missing) => self.disk.kind(path),
            found => found,
        }
    }

    fn read(&self, path: &str, limit: usize) -> Result<Vec<u8>, FileError> {
        match self.written.read(path, limit) {
            Err(FileError::Missing) if self.is_removed(path) => Err(FileError::Missing),
            Err(FileError::Missing) => self.disk.read(path, limit),
            found => found,
        }
    }

    fn list(&self, path: &str) -> Result<Vec<String>, FileError> {
        let mut names = match self.disk.list(path) {
            Err(FileError::Missing) => Vec::new(),
            names => names?,
        };
        names.retain(|name| {
            let whole = if path == "." {
                name.clone()
            } else {
                format!("{path}/{name}")
            };
            !self.is_removed(&whole)
        });
        names.extend(self.written.list(path)?);
        names.sort();
        names.dedup();
        Ok(names)
    }
}
