//! Files on disk: writes a set of them all or nothing, reads a folder, and follows no symbolic link on the way.

mod read;
mod watch;
mod write;

use std::io;
use std::path::{Path, PathBuf};

pub use read::{read_file, read_folder};
pub use watch::{Filter, Watcher};
pub use write::{Existing, NewFile, change, compare, create, is_executable, replace};

/// What went wrong on disk, and where.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The operating system refused.
    #[error("failed to {intent} `{}`", path.display())]
    Io {
        /// What was tried.
        intent: &'static str,
        /// With what.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// A symbolic link could lead out of the folder.
    #[error("`{}` is a symbolic link, which could lead out of its folder", .0.display())]
    Link(PathBuf),
    /// A folder stands where a file belongs, or the other way round.
    #[error("`{}` is in the way: it is {what}", path.display())]
    InTheWay {
        /// What stands there.
        what: &'static str,
        /// Where.
        path: PathBuf,
    },
    /// A device, a pipe or a folder where a file is wanted.
    #[error("`{}` is no file", .0.display())]
    NoFile(PathBuf),
    /// A name is not UTF-8.
    #[error("the name of `{}` is not UTF-8", .0.display())]
    Name(PathBuf),
    /// There is more than anybody means to read.
    #[error("`{}` holds more than {most}", path.display())]
    TooMuch {
        /// The folder or file.
        path: PathBuf,
        /// What is read at most.
        most: String,
    },
}

/// Says with what an operation of the operating system was tried.
trait At<T> {
    fn at(self, intent: &'static str, path: &Path) -> Result<T, Error>;
}

impl<T> At<T> for io::Result<T> {
    fn at(self, intent: &'static str, path: &Path) -> Result<T, Error> {
        self.map_err(|source| Error::Io {
            intent,
            path: path.to_owned(),
            source,
        })
    }
}

#[cfg(test)]
mod tests;
