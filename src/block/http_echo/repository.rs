//! A folder as a Git repository that can only be read: one commit, whose id is that of its files.
//!
//! Version 2 of Git's protocol over HTTP, and of it what a clone needs: `ls-refs` and `fetch`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use miniz_oxide::deflate::compress_to_vec_zlib;
use sha1_checked::{Digest, Sha1};

use super::files;

/// Most files and folders of a repository.
const ENTRIES: usize = 1000;
/// Deepest folder.
const DEPTH: usize = 16;
/// Fast, and small enough.
const LEVEL: u8 = 1;
/// Most bytes of one packet's content, beside the length and the number of its band.
const PACKET: usize = 65_515;
/// Whose commit it is, and when: the same files are the same commit.
const AUTHOR: &str = "motif <motif@localhost> 0 +0000";

type Id = [u8; 20];

/// What kinds of objects there are, with their numbers in a pack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Commit = 1,
    Tree = 2,
    Blob = 3,
}

/// The objects of one commit.
#[derive(Debug)]
pub struct Repository {
    objects: BTreeMap<Id, (Kind, Vec<u8>)>,
    entries: usize,
    bytes: u64,
    head: Id,
}

impl Repository {
    /// Reads a folder; nothing where it can't be read or is too large.
    /// Names that begin with two dots are not part of it: a cluster keeps its own links there.
    pub fn read(folder: &Path) -> Option<Self> {
        let root = fs::canonicalize(folder).ok()?;
        let mut repository = Self {
            objects: BTreeMap::new(),
            entries: 0,
            bytes: 0,
            head: Id::default(),
        };
        let tree = repository.tree(&root, &root, DEPTH)?;
        let commit = format!(
            "tree {}\nauthor {AUTHOR}\ncommitter {AUTHOR}\n\nThe files as they are\n",
            hex(tree)
        );
        repository.head = repository.add(Kind::Commit, commit.into_bytes());
        Some(repository)
    }

    fn tree(&mut self, root: &Path, folder: &Path, depth: usize) -> Option<Id> {
        // Git sorts a folder as if its name ended with a slash.
        let mut lines = BTreeMap::new();
        for entry in fs::read_dir(folder).ok()? {
            let entry = entry.ok()?;
            let name = entry.file_name().as_bytes().to_vec();
            if name.starts_with(b"..") {
                continue;
            }
            self.entries += 1;
            let path = fs::canonicalize(entry.path()).ok()?;
            if self.entries > ENTRIES || !path.starts_with(root) {
                return None;
            }
            let metadata = fs::metadata(&path).ok()?;
            let (mode, id, key) = if metadata.is_dir() {
                let id = self.tree(root, &path, depth.checked_sub(1)?)?;
                ("40000", id, [&name[..], b"/"].concat())
            } else {
                let content = files::content(&path, files::MOST - self.bytes)?;
                self.bytes += content.len() as u64;
                let is_executable = metadata.permissions().mode() & 0o111 != 0;
                let mode = if is_executable { "100755" } else { "100644" };
                (mode, self.add(Kind::Blob, content), name.clone())
            };
            lines.insert(key, [mode.as_bytes(), b" ", &name, b"\0", &id].concat());
        }
        let lines: Vec<_> = lines.into_values().collect();
        Some(self.add(Kind::Tree, lines.concat()))
    }

    fn add(&mut self, kind: Kind, content: Vec<u8>) -> Id {
        let word = match kind {
            Kind::Commit => "commit",
            Kind::Tree => "tree",
            Kind::Blob => "blob",
        };
        let head = format!("{word} {}\0", content.len());
        let id = digest(&[head.as_bytes(), &content].concat());
        self.objects.insert(id, (kind, content));
        id
    }

    /// All objects in one pack.
    fn pack(&self) -> Vec<u8> {
        let count = u32::try_from(self.objects.len()).unwrap_or_default();
        let mut pack = [&b"PACK"[..], &2_u32.to_be_bytes(), &count.to_be_bytes()].concat();
        for (kind, content) in self.objects.values() {
            pack.extend(object_head(*kind, content.len()));
            pack.extend(compress_to_vec_zlib(content, LEVEL));
        }
        let sum = digest(&pack);
        pack.extend(sum);
        pack
    }

    /// Answers a command of version 2; nothing where it is none.
    pub fn answer(&self, request: &[u8]) -> Option<Vec<u8>> {
        let lines = lines(request)?;
        let mut answer = Vec::new();
        let head = hex(self.head);
        if lines.contains(&"command=ls-refs") {
            packet(
                &mut answer,
                format!("{head} HEAD symref-target:refs/heads/main\n").as_bytes(),
            );
            packet(&mut answer, format!("{head} refs/heads/main\n").as_bytes());
        } else if lines.contains(&"command=fetch") {
            let mut wanted = lines.iter().filter_map(|line| line.strip_prefix("want "));
            if let Some(other) = wanted.find(|id| *id != head) {
                packet(&mut answer, format!("ERR not our ref {other}\n").as_bytes());
                return Some(answer);
            }
            if lines.contains(&"done") {
                packet(&mut answer, b"packfile\n");
                for part in self.pack().chunks(PACKET) {
                    packet(&mut answer, &[b"\x01", part].concat());
                }
            } else {
                // Whatever the client has, all that there is comes next.
                packet(&mut answer, b"acknowledgments\n");
                packet(&mut answer, b"NAK\n");
            }
        } else {
            return None;
        }
        answer.extend(b"0000");
        Some(answer)
    }
}

/// What the server can do.
pub fn greeting() -> Vec<u8> {
    let mut answer = Vec::new();
    packet(&mut answer, b"# service=git-upload-pack\n");
    answer.extend(b"0000");
    for line in [
        "version 2",
        "agent=motif",
        "ls-refs",
        "fetch",
        "object-format=sha1",
    ] {
        packet(&mut answer, format!("{line}\n").as_bytes());
    }
    answer.extend(b"0000");
    answer
}

/// Kind and size in front of an object: four bits of the size, then seven in each byte.
fn object_head(kind: Kind, size: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut first = (kind as usize) << 4 | size & 0xf;
    let mut rest = size >> 4;
    while rest > 0 {
        bytes.push(u8::try_from(first | 0x80).unwrap_or_default());
        first = rest & 0x7f;
        rest >>= 7;
    }
    bytes.push(u8::try_from(first).unwrap_or_default());
    bytes
}

fn packet(to: &mut Vec<u8>, content: &[u8]) {
    to.extend(format!("{:04x}", content.len() + 4).bytes());
    to.extend(content);
}

/// The texts of a request, without their line ends and the marks between them.
fn lines(mut request: &[u8]) -> Option<Vec<&str>> {
    let mut lines = Vec::new();
    while let Some((digits, rest)) = request.split_at_checked(4) {
        let length = usize::from_str_radix(str::from_utf8(digits).ok()?, 16).ok()?;
        let Some(length) = length.checked_sub(4) else {
            request = rest;
            continue;
        };
        let (text, rest) = rest.split_at_checked(length)?;
        lines.push(str::from_utf8(text).ok()?.trim_end_matches('\n'));
        request = rest;
    }
    Some(lines)
}

fn digest(bytes: &[u8]) -> Id {
    Sha1::digest(bytes).into()
}

fn hex(id: Id) -> String {
    id.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_files_are_the_same_commit() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("a")).unwrap();
        fs::write(folder.path().join("a/b"), "one").unwrap();
        let head = || Repository::read(folder.path()).map(|repository| repository.head);
        let first = head().unwrap();
        assert_eq!(head(), Some(first));
        fs::write(folder.path().join("a/b"), "two").unwrap();
        assert_ne!(head(), Some(first));
        fs::write(folder.path().join("a/b"), "one").unwrap();
        assert_eq!(head(), Some(first));
        std::os::unix::fs::symlink("/etc/hosts", folder.path().join("out")).unwrap();
        assert_eq!(head(), None, "nothing from outside");
    }

    #[test]
    fn objects_say_their_kind_and_size() {
        assert_eq!(object_head(Kind::Commit, 5), [0x15]);
        assert_eq!(object_head(Kind::Blob, 0x123), [0xb3, 0x12]);
        assert_eq!(object_head(Kind::Tree, 1 << 11), [0xa0, 0x80, 0x01]);
        // The id that Git gives an empty file.
        let mut repository = Repository::read(tempfile::tempdir().unwrap().path()).unwrap();
        let empty = repository.add(Kind::Blob, Vec::new());
        assert_eq!(hex(empty), "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391");
    }

    #[test]
    fn nonsense_is_no_command() {
        let repository = Repository::read(tempfile::tempdir().unwrap().path()).unwrap();
        let wrong: [&[u8]; 6] = [
            b"",
            b"0000",
            b"ffff",
            b"zzzz",
            b"000bcommand",
            b"0008\xff\xff\xff\xff",
        ];
        for request in wrong {
            assert_eq!(repository.answer(request), None, "{request:?}");
        }
        let other = b"0012command=fetch\n000cwant 12\n0009done\n0000";
        let answer = repository.answer(other).unwrap();
        assert!(answer.ends_with(b"ERR not our ref 12\n"));
    }
}
