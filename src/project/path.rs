//! A path inside a project, checked once.

use std::fmt;

/// A path inside a project, with `/` between its parts.
///
/// Invariant: relative, no part empty, `.`, `..` or `.git`, nothing that a file system, a shell's
/// completion or a Windows checkout would trip over (`\`, `:`, control characters, a part that ends
/// with a dot or a space).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RelativePath(String);

/// Why a text is not a path inside a project.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// There is nothing.
    #[error("a path is empty")]
    Empty,
    /// It begins at the root.
    #[error("the path {0:?} is not relative")]
    Absolute(String),
    /// It leads out of the project.
    #[error("the path {0:?} leads out of its folder")]
    Outside(String),
    /// It leads into git's own folder.
    #[error("the path {0:?} leads into git's own folder")]
    Git(String),
    /// It has an empty part, or one that is `.`.
    #[error("the path {0:?} has an empty part")]
    EmptyPart(String),
    /// It has a character that not every file system takes.
    #[error("the path {0:?} has a character that not every file system takes")]
    Character(String),
    /// It is too long.
    #[error("a path is longer than {LONGEST} bytes, or a part of it than {LONGEST_PART}")]
    Long,
}

const LONGEST: usize = 1024;
const LONGEST_PART: usize = 200;

impl RelativePath {
    /// Checks a text.
    pub fn new(text: &str) -> Result<Self, PathError> {
        if text.is_empty() {
            return Err(PathError::Empty);
        }
        if text.len() > LONGEST {
            return Err(PathError::Long);
        }
        if text.starts_with('/') {
            return Err(PathError::Absolute(text.to_owned()));
        }
        let refused = |character: char| {
            character.is_control() || matches!(character, '\\' | ':' | '*' | '?' | '"' | '<' | '>' | '|')
        };
        if text.contains(refused) {
            return Err(PathError::Character(text.to_owned()));
        }
        for part in text.split('/') {
            match part {
                "" | "." => return Err(PathError::EmptyPart(text.to_owned())),
                ".." => return Err(PathError::Outside(text.to_owned())),
                _ if part.eq_ignore_ascii_case(".git") => return Err(PathError::Git(text.to_owned())),
                _ if part.ends_with(['.', ' ']) => return Err(PathError::Character(text.to_owned())),
                _ if part.len() > LONGEST_PART => return Err(PathError::Long),
                _ => {}
            }
        }
        Ok(Self(text.to_owned()))
    }

    /// The path.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Each folder above the path, then the path itself; and whether it is the path itself.
    pub fn prefixes(&self) -> impl Iterator<Item = (&str, bool)> {
        let folders = self.0.match_indices('/').map(|(at, _)| (&self.0[..at], false));
        folders.chain(std::iter::once((self.0.as_str(), true)))
    }
}

impl fmt::Display for RelativePath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}
