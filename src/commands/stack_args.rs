//! The flags of every command that reads a stack, and the reading.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use clap::Args;

use crate::block;
use crate::parameters::Kind;
use crate::stack::{self, BlockInterface, Change, FileError, FileKind, Files, FlagInterface, Loaded};
use crate::terminal::{Failure, Printer};

/// Which stack, under which name, with which parameters.
#[derive(Debug, Clone, Default, Args)]
pub struct StackArgs {
    /// Read this stack instead of `stack.yaml`
    #[arg(short, long, value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// Give a parameter of the stack a value; may be repeated
    #[arg(long, value_name = "NAME=VALUE")]
    pub set: Vec<String>,
    /// Name the stack otherwise than its file does
    #[arg(short, long, value_name = "NAME")]
    pub project_name: Option<String>,
    /// Parts of promises that are merged into the stack.
    #[arg(skip)]
    pub changes: Vec<Change>,
}

/// A stack and the folder that its paths start from.
#[derive(Debug)]
pub struct LoadedStack {
    /// The stack and its warnings.
    pub loaded: Loaded,
    /// The folder that holds `stack.yaml`, absolute.
    pub folder: PathBuf,
    /// The files that it was read from, absolute.
    pub files: BTreeSet<PathBuf>,
}

impl StackArgs {
    /// Reads and checks the stack; prints its warnings.
    pub fn load(&self, printer: Printer) -> Result<LoadedStack, Failure> {
        let loaded = self.load_quietly()?;
        printer.problems(&loaded.loaded.warnings);
        Ok(loaded)
    }

    /// Reads and checks the stack.
    pub fn load_quietly(&self) -> Result<LoadedStack, Failure> {
        let path = self.file.clone().unwrap_or_else(|| PathBuf::from("stack.yaml"));
        let missing = |problem: &str| {
            let failure = Failure::usage(format!("{problem} `{}`", path.display()));
            match self.file {
                Some(_) => failure,
                None => failure.hint("make one with `motif new`, or name one with `--file`"),
            }
        };
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
            return Err(missing("no stack can be read from"));
        };
        match fs::metadata(&path) {
            Ok(metadata) if metadata.is_dir() => return Err(missing("expected a file, found the folder")),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(missing("no file")),
            // Anything else is said where the file is read.
            _ => {}
        }
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        let folder = fs::canonicalize(parent.unwrap_or(Path::new("."))).map_err(|error| {
            anyhow::Error::new(error).context(format!("failed to enter the folder of `{}`", path.display()))
        })?;
        let options = stack::Options {
            set: self.set.clone(),
            name: self.project_name.clone(),
            shown_in: parent
                .map(|parent| format!("{}/", parent.display()))
                .unwrap_or_default(),
            blocks: blocks(),
            changes: self.changes.clone(),
        };
        let files = Recorded {
            folder: ProjectFolder(folder.clone()),
            read: RefCell::default(),
        };
        let loaded = stack::load(&files, name, &options)?;
        Ok(LoadedStack {
            loaded,
            folder,
            files: files.read.into_inner(),
        })
    }
}

/// The blocks of this binary as the checker knows them; asked once, because a chart reads its stack many times.
pub fn blocks() -> Vec<BlockInterface> {
    static BLOCKS: LazyLock<Vec<BlockInterface>> = LazyLock::new(interfaces);
    BLOCKS.clone()
}

fn interfaces() -> Vec<BlockInterface> {
    let interface = |flag: block::Flag| FlagInterface {
        kind: match flag.value.as_str() {
            _ if !flag.choices.is_empty() => Kind::Choice,
            "PORT" => Kind::Port,
            "DURATION" => Kind::Duration,
            "BOOLEAN" => Kind::Boolean,
            "COUNT" => Kind::Integer,
            _ => Kind::String,
        },
        name: flag.name,
        environment: flag.environment,
        choices: flag.choices,
        repeats: flag.repeated,
        required: flag.required,
    };
    block::catalogue()
        .into_iter()
        .filter(|entry| !entry.internal)
        .map(|entry| BlockInterface {
            name: entry.name,
            flags: entry.flags.into_iter().map(interface).collect(),
        })
        .collect()
}

/// The files of a project on disk. Links that lead out of the folder are not followed.
#[derive(Debug, Clone)]
pub struct ProjectFolder(pub PathBuf);

impl ProjectFolder {
    fn resolve(&self, path: &str) -> Result<PathBuf, FileError> {
        let real = fs::canonicalize(self.0.join(path)).map_err(|error| problem(&error))?;
        if real.starts_with(&self.0) {
            Ok(real)
        } else {
            Err(FileError::Outside)
        }
    }
}

/// The files of a project, and which of them were read.
struct Recorded {
    folder: ProjectFolder,
    read: RefCell<BTreeSet<PathBuf>>,
}

impl Files for Recorded {
    fn kind(&self, path: &str) -> Result<FileKind, FileError> {
        self.folder.kind(path)
    }

    fn read(&self, path: &str, limit: usize) -> Result<Vec<u8>, FileError> {
        self.read.borrow_mut().insert(self.folder.0.join(path));
        self.folder.read(path, limit)
    }

    fn list(&self, path: &str) -> Result<Vec<String>, FileError> {
        self.folder.list(path)
    }
}

fn problem(error: &io::Error) -> FileError {
    match error.kind() {
        io::ErrorKind::NotFound => FileError::Missing,
        _ => FileError::Other(error.to_string()),
    }
}

impl Files for ProjectFolder {
    fn kind(&self, path: &str) -> Result<FileKind, FileError> {
        let metadata = fs::metadata(self.resolve(path)?).map_err(|error| problem(&error))?;
        if metadata.is_dir() {
            Ok(FileKind::Folder)
        } else if metadata.is_file() {
            Ok(FileKind::File)
        } else {
            Err(FileError::Other("it is neither a file nor a folder".into()))
        }
    }

    fn read(&self, path: &str, limit: usize) -> Result<Vec<u8>, FileError> {
        if self.kind(path)? == FileKind::Folder {
            return Err(FileError::Other("it is a folder".into()));
        }
        let file = fs::File::open(self.resolve(path)?).map_err(|error| problem(&error))?;
        let mut content = Vec::new();
        file.take(limit as u64 + 1)
            .read_to_end(&mut content)
            .map_err(|error| problem(&error))?;
        if content.len() > limit {
            return Err(FileError::TooLarge { limit });
        }
        Ok(content)
    }

    fn list(&self, path: &str) -> Result<Vec<String>, FileError> {
        let mut names = Vec::new();
        for entry in fs::read_dir(self.resolve(path)?).map_err(|error| problem(&error))? {
            let name = entry.map_err(|error| problem(&error))?.file_name();
            let name = name
                .into_string()
                .map_err(|name| FileError::Other(format!("the name `{}` is not UTF-8", name.display())))?;
            names.push(name);
        }
        names.sort();
        Ok(names)
    }
}
