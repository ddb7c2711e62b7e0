//! Finds the files that names with `*` and `?` stand for.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

/// More files than these are not followed.
pub const LIMIT: usize = 8192;

/// How names of compressed files end: their records were read before they were compressed.
const COMPRESSED: [&str; 7] = ["gz", "bz2", "xz", "zst", "lz4", "zip", "br"];

/// The paths of files that one of the names stands for, in order.
pub fn expand(names: &[PathBuf]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for name in names {
        let mut paths = vec![PathBuf::new()];
        for part in name.components() {
            paths = match part {
                Component::Normal(pattern) if is_pattern(pattern) => {
                    paths.iter().flat_map(|folder| entries(folder, pattern)).collect()
                }
                plain => paths.into_iter().map(|path| path.join(plain)).collect(),
            };
            paths.truncate(LIMIT);
        }
        found.extend(paths.into_iter().filter(|path| !is_compressed(path)));
    }
    found.sort();
    found.dedup();
    found.truncate(LIMIT);
    found
}

fn is_pattern(name: &OsStr) -> bool {
    name.as_bytes().iter().any(|byte| matches!(byte, b'*' | b'?'))
}

fn entries(folder: &Path, pattern: &OsStr) -> Vec<PathBuf> {
    let here = if folder.as_os_str().is_empty() {
        Path::new(".")
    } else {
        folder
    };
    let names = fs::read_dir(here).into_iter().flatten().flatten();
    names
        .map(|entry| entry.file_name())
        .filter(|name| matches(pattern.as_bytes(), name.as_bytes()))
        .map(|name| folder.join(name))
        .collect()
}

/// Whether the name says that the file is compressed.
pub fn is_compressed(path: &Path) -> bool {
    path.extension()
        .is_some_and(|extension| COMPRESSED.iter().any(|known| extension == *known))
}

/// Whether a pattern of `*`, `?` and plain bytes stands for a name. Hidden names have to be asked for.
fn matches(pattern: &[u8], name: &[u8]) -> bool {
    if name.first() == Some(&b'.') && pattern.first() != Some(&b'.') {
        return false;
    }
    let (mut at, mut place) = (0, 0);
    let mut star = None;
    while place < name.len() {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, place));
                at += 1;
            }
            Some(byte) if *byte == b'?' || *byte == name[place] => {
                at += 1;
                place += 1;
            }
            _ => match &mut star {
                // The star takes one byte more.
                Some((after, taken)) => {
                    *taken += 1;
                    at = *after + 1;
                    place = *taken;
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_and_question_marks() {
        let check = |pattern: &str, name: &str, expect: bool| {
            assert_eq!(
                matches(pattern.as_bytes(), name.as_bytes()),
                expect,
                "{pattern} {name}"
            );
        };
        check("*.log", "a.log", true);
        check("*.log", "a.log.1", false);
        check("*.log*", "a.log.1", true);
        check("a?c", "abc", true);
        check("a?c", "ac", false);
        check("*a*b*", "xxaxxbxx", true);
        check("*a*b*", "xxbxxaxx", false);
        check("*", "", true);
        check("*", ".hidden", false);
        check(".*", ".hidden", true);
        check("a*a*a*a*a*a*b", &"a".repeat(2000), false);
    }

    #[test]
    fn folders_may_be_patterns_too() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["a/x.log", "b/x.log", "b/y.log.gz", "c/z.txt"] {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        let found = expand(&[folder.path().join("*/?.log*"), folder.path().join("a/x.log")]);
        let shown: Vec<_> = found
            .iter()
            .map(|path| path.strip_prefix(folder.path()).unwrap().display().to_string())
            .collect();
        assert_eq!(shown, ["a/x.log", "b/x.log"]);
    }
}
