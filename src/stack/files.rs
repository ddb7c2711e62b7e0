//! The files of a project, as far as a stack needs them.

use std::collections::BTreeMap;

/// The files beside a stack. Paths are relative to the project, with `/`, without `.` and `..`.
pub trait Files {
    /// Says what stands at a path.
    fn kind(&self, path: &str) -> Result<FileKind, FileError>;

    /// Reads a file, not more of it than `limit` bytes.
    fn read(&self, path: &str, limit: usize) -> Result<Vec<u8>, FileError>;

    /// The names in a folder, sorted.
    fn list(&self, path: &str) -> Result<Vec<String>, FileError>;
}

/// What stands at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    /// A file.
    File,
    /// A folder.
    Folder,
}

/// Why a file can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FileError {
    /// Nothing stands there.
    #[error("it does not exist")]
    Missing,
    /// It is a link that leads out of the project.
    #[error("it leads out of the project")]
    Outside,
    /// It is larger than allowed.
    #[error("it is larger than {limit} bytes")]
    TooLarge {
        /// The most allowed.
        limit: usize,
    },
    /// The operating system refused.
    #[error("{0}")]
    Other(String),
}

/// Files in memory: what a pattern is about to write, or a test.
#[derive(Debug, Clone, Default)]
pub struct MemoryFiles(pub BTreeMap<String, Vec<u8>>);

impl MemoryFiles {
    fn inside<'a>(&'a self, path: &str) -> impl Iterator<Item = &'a str> {
        let prefix = if path == "." {
            String::new()
        } else {
            format!("{path}/")
        };
        self.0
            .keys()
            .filter_map(move |file| file.strip_prefix(prefix.as_str()))
    }
}

impl Files for MemoryFiles {
    fn kind(&self, path: &str) -> Result<FileKind, FileError> {
        if self.0.contains_key(path) {
            Ok(FileKind::File)
        } else if self.inside(path).next().is_some() {
            Ok(FileKind::Folder)
        } else {
            Err(FileError::Missing)
        }
    }

    fn read(&self, path: &str, limit: usize) -> Result<Vec<u8>, FileError> {
        match self.0.get(path) {
            Some(content) if content.len() > limit => Err(FileError::TooLarge { limit }),
            Some(content) => Ok(content.clone()),
            None => Err(FileError::Missing),
        }
    }

    fn list(&self, path: &str) -> Result<Vec<String>, FileError> {
        let mut names: Vec<String> = self
            .inside(path)
            .filter_map(|rest| rest.split('/').next().map(str::to_owned))
            .collect();
        names.dedup();
        Ok(names)
    }
}

/// Brings a path as written into the form that [`Files`] takes, from a folder of the project.
/// The error says what is wrong with it.
pub fn project_path(folder: &str, written: &str) -> Result<String, &'static str> {
    if written.is_empty() {
        return Err("the path is empty");
    }
    if written.starts_with('/') || written.contains('\\') {
        return Err("the path is not relative to the project");
    }
    if written.contains(char::is_control) {
        return Err("the path holds a control character");
    }
    let mut parts: Vec<&str> = Vec::new();
    for part in folder.split('/').chain(written.split('/')) {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop().ok_or("the path leads out of the project")?;
            }
            _ => parts.push(part),
        }
    }
    Ok(if parts.is_empty() {
        ".".into()
    } else {
        parts.join("/")
    })
}

#[cfg(test)]
mod tests {
    use super::project_path;

    #[test]
    fn paths_stay_in_the_project() {
        assert_eq!(project_path("", "./a//b/../c"), Ok("a/c".into()));
        assert_eq!(project_path("parts", "../x.yaml"), Ok("x.yaml".into()));
        assert_eq!(project_path("", "."), Ok(".".into()));
        assert!(project_path("", "../x").is_err());
        assert!(project_path("a", "../../x").is_err());
        assert!(project_path("", "/etc/passwd").is_err());
        assert!(project_path("", "").is_err());
        assert!(project_path("", "a\\b").is_err());
    }
}
