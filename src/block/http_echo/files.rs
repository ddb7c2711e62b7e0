//! The files of a folder, as `http-echo` answers with them: none outside of the folder, whatever the path says.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

/// Most of a file that is answered.
pub const MOST: u64 = 16 * 1024 * 1024;

/// The content of a file below the folder; nothing where there is none.
/// The folder may be a link that changes: one answer is of one folder.
pub fn read(folder: &Path, path: &str) -> Option<Vec<u8>> {
    let root = fs::canonicalize(folder).ok()?;
    let found = fs::canonicalize(root.join(below(path)?)).ok()?;
    if !found.starts_with(&root) {
        return None;
    }
    content(&found, MOST)
}

/// A path that only goes down.
fn below(path: &str) -> Option<PathBuf> {
    let is_name = |part: &str| !matches!(part, "" | "." | "..") && !part.contains(['\0', '\\']);
    path.split('/').all(is_name).then(|| PathBuf::from(path))
}

/// The content of a regular file that is not too large.
pub fn content(path: &Path, most: u64) -> Option<Vec<u8>> {
    // A pipe would be waited for.
    if !fs::metadata(path).ok()?.is_file() {
        return None;
    }
    let mut content = Vec::new();
    File::open(path)
        .ok()?
        .take(most + 1)
        .read_to_end(&mut content)
        .ok()?;
    (content.len() as u64 <= most).then_some(content)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn only_what_is_in_the_folder_is_answered() {
        let outer = tempfile::tempdir().unwrap();
        let folder = outer.path().join("folder");
        fs::create_dir_all(folder.join("a")).unwrap();
        fs::write(outer.path().join("secret"), "secret").unwrap();
        fs::write(folder.join("a/b.txt"), "content").unwrap();
        symlink("a/b.txt", folder.join("link")).unwrap();
        symlink("../secret", folder.join("out")).unwrap();
        let link = outer.path().join("current");
        symlink("folder", &link).unwrap();
        for path in ["a/b.txt", "link"] {
            assert_eq!(read(&link, path).as_deref(), Some(&b"content"[..]), "{path}");
        }
        for path in [
            "",
            "a",
            "a/",
            "/a/b.txt",
            "../secret",
            "a/../../secret",
            "out",
            "./a/b.txt",
            "none",
        ] {
            assert_eq!(read(&link, path), None, "{path}");
        }
        assert_eq!(content(&folder.join("a/b.txt"), 6), None);
        assert_eq!(read(&outer.path().join("none"), "a"), None);
    }
}
