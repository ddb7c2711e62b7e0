//! `motif block swap`: makes files that were laid beside the current ones current, all at once.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Parser;

use super::catalogue::{Block, Error, Outcome};

/// The link to the folder of the current files, in Kubernetes' layout.
pub(super) const CURRENT: &str = "..data";
/// The link to the folder of the files to come.
pub(super) const NEXT: &str = "..next";

/// Make the files behind `..next` those behind `..data`, and remove the old ones
#[derive(Debug, Parser)]
#[command(name = "swap", max_term_width = 100)]
pub struct Swap {
    /// Folders with a link `..next`; without one, a folder is left as it is
    #[arg(value_name = "FOLDER", required = true)]
    folders: Vec<PathBuf>,
}

impl Block for Swap {
    const INTERNAL: bool = true;

    fn run(self) -> Result<Outcome, Error> {
        for folder in &self.folders {
            swap(folder).with_context(|| format!("failed to replace the files in `{}`", folder.display()))?;
        }
        Ok(Outcome::Done)
    }
}

/// A reader sees either all the old files or all the new ones: a link is renamed over another.
pub(super) fn swap(folder: &Path) -> io::Result<()> {
    let next = match fs::read_link(folder.join(NEXT)) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        next => next?,
    };
    fs::rename(folder.join(NEXT), folder.join(CURRENT))?;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let is_old =
            entry.file_name().to_string_lossy().starts_with("..") && entry.path() != folder.join(&next);
        if is_old && entry.file_type()?.is_dir() {
            fs::remove_dir_all(entry.path())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn the_next_files_become_the_current_ones_and_the_old_ones_go() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        for (name, content) in [("..1", "old"), ("..2", "forgotten"), ("..3", "new")] {
            fs::create_dir(path.join(name)).unwrap();
            fs::write(path.join(name).join("key"), content).unwrap();
        }
        symlink("..1", path.join(CURRENT)).unwrap();
        symlink("..3", path.join(NEXT)).unwrap();
        symlink("..data/key", path.join("key")).unwrap();
        swap(path).unwrap();
        assert_eq!(fs::read_to_string(path.join("key")).unwrap(), "new");
        let mut names: Vec<String> = fs::read_dir(path)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        assert_eq!(names, ["..3", CURRENT, "key"]);
        swap(path).unwrap();
        assert_eq!(fs::read_to_string(path.join("key")).unwrap(), "new");
    }
}
