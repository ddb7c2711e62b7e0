//! `motif block remove`: removes files from a container that has no program for it.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Parser;

use super::catalogue::{Block, Error, Outcome};

/// Remove files and folders; what is not there is no error
#[derive(Debug, Parser)]
#[command(name = "remove", max_term_width = 100)]
pub struct Remove {
    /// Files and folders
    #[arg(value_name = "PATH", required = true)]
    paths: Vec<PathBuf>,
}

impl Block for Remove {
    const INTERNAL: bool = true;

    fn run(self) -> Result<Outcome, Error> {
        for path in &self.paths {
            remove(path).with_context(|| format!("failed to remove `{}`", path.display()))?;
        }
        Ok(Outcome::Done)
    }
}

fn remove(path: &Path) -> io::Result<()> {
    // A link is removed, not what it leads to.
    let removed = fs::symlink_metadata(path).and_then(|metadata| {
        if metadata.is_dir() {
            fs::remove_dir_all(path)
        } else {
            fs::remove_file(path)
        }
    });
    match removed {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn files_folders_and_links_go_and_what_a_link_leads_to_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::create_dir_all(path("deep/er")).unwrap();
        for name in ["deep/er/file", "file", "kept"] {
            fs::write(path(name), "x").unwrap();
        }
        symlink("kept", path("link")).unwrap();
        let paths = ["deep", "file", "link", "never"].map(path).to_vec();
        assert!(matches!(Remove { paths }.run(), Ok(Outcome::Done)));
        let left: Vec<_> = fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        assert_eq!(left, ["kept"]);
    }
}
