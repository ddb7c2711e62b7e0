//! A version of the content as a value: paths, what stands there, and the digest of all of it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use bytes::Bytes;
use sha2::{Digest, Sha256};

use super::failure::{Failure, Kind};

/// Longest path, and longest target of a link.
const LONGEST_PATH: usize = 4096;
/// Longest name in a path.
const LONGEST_NAME: usize = 255;
/// Links that are followed for one path.
const HOPS: usize = 40;

/// What a version may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of all files.
    pub bytes: u64,
    /// Files, folders and links.
    pub entries: usize,
}

/// What stands at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// A file.
    File {
        /// Its bytes.
        content: Bytes,
        /// Whether it may be run.
        executable: bool,
    },
    /// A folder; those above an entry are listed, too.
    Folder,
    /// A symbolic link, and where it leads.
    Link(Vec<u8>),
}

/// A whole version. Paths are relative, their names separated by `/`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tree {
    limits: Limits,
    bytes: u64,
    entries: BTreeMap<Vec<u8>, Entry>,
}

impl Tree {
    /// Nothing yet.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            bytes: 0,
            entries: BTreeMap::new(),
        }
    }

    /// Bytes of files that still have room.
    pub fn room(&self) -> u64 {
        self.limits.bytes - self.bytes
    }

    /// Everything, folders before what is in them.
    pub fn entries(&self) -> impl Iterator<Item = (&[u8], &Entry)> {
        self.entries.iter().map(|(path, entry)| (path.as_slice(), entry))
    }

    /// Adds what stands at a path. Its folder has to be there.
    pub fn add(&mut self, path: Vec<u8>, entry: Entry) -> Result<(), Failure> {
        check_path(&path)?;
        if let Some(slash) = path.iter().rposition(|byte| *byte == b'/')
            && self.entries.get(&path[..slash]) != Some(&Entry::Folder)
        {
            return Err(Failure::new(
                Kind::Invalid,
                format!("{} is in no folder", shown(&path)),
            ));
        }
        if self.entries.len() >= self.limits.entries {
            return Err(Failure::new(
                Kind::TooLarge,
                format!(
                    "it has more than {} files, folders and links",
                    self.limits.entries
                ),
            ));
        }
        match &entry {
            Entry::File { content, .. } => {
                let length = content.len() as u64;
                if length > self.room() {
                    return Err(Failure::too_large(self.limits.bytes));
                }
                self.bytes += length;
            }
            Entry::Link(target)
                if target.is_empty() || target.len() > LONGEST_PATH || target.contains(&0) =>
            {
                return Err(Failure::new(
                    Kind::Invalid,
                    format!("the link {} leads nowhere", shown(&path)),
                ));
            }
            Entry::Folder | Entry::Link(_) => {}
        }
        let place = shown(&path);
        match self.entries.insert(path, entry) {
            None => Ok(()),
            Some(_) => Err(Failure::new(Kind::Invalid, format!("{place} is there twice"))),
        }
    }

    /// Checks what only the whole shows: there is a file, and no link leads out.
    pub fn check(&self) -> Result<(), Failure> {
        let mut has_file = false;
        for (path, entry) in &self.entries {
            match entry {
                Entry::File { .. } => has_file = true,
                Entry::Folder => {}
                Entry::Link(_) => self.follow(path)?,
            }
        }
        if has_file {
            Ok(())
        } else {
            Err(Failure::new(Kind::Invalid, "it has no file"))
        }
    }

    /// Walks as the kernel does: names that are links are replaced by where they lead. A link to what isn't there is
    /// a link to nothing, and harmless.
    fn follow(&self, link: &[u8]) -> Result<(), Failure> {
        let escapes = || Failure::new(Kind::Escape, format!("the link {} leads out of it", shown(link)));
        let mut place: Vec<&[u8]> = Vec::new();
        let mut ahead: Vec<&[u8]> = names(link).rev().collect();
        let mut hops = 0;
        while let Some(name) = ahead.pop() {
            match name {
                b"." | b"" => continue,
                b".." => {
                    if place.pop().is_none() {
                        return Err(escapes());
                    }
                    continue;
                }
                name => place.push(name),
            }
            let Some(Entry::Link(target)) = self.entries.get(&place.join(&b'/')) else {
                continue;
            };
            hops += 1;
            if hops > HOPS {
                return Err(Failure::new(
                    Kind::Escape,
                    format!("the link {} leads through more than {HOPS} others", shown(link)),
                ));
            }
            if target.starts_with(b"/") {
                return Err(escapes());
            }
            place.pop();
            ahead.extend(names(target).rev());
        }
        Ok(())
    }

    /// SHA-256 over everything, in hexadecimal: equal content has an equal digest.
    pub fn digest(&self) -> String {
        let mut hash = Sha256::new();
        let mut part = |bytes: &[u8]| {
            hash.update((bytes.len() as u64).to_be_bytes());
            hash.update(bytes);
        };
        for (path, entry) in &self.entries {
            match entry {
                Entry::File { content, executable } => {
                    part(if *executable { b"program" } else { b"file" });
                    part(path);
                    part(content);
                }
                Entry::Folder => {
                    part(b"folder");
                    part(path);
                }
                Entry::Link(target) => {
                    part(b"link");
                    part(path);
                    part(target);
                }
            }
        }
        hash.finalize().iter().fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
    }

    /// Checks that files named `.json`, or the only file, are JSON.
    pub fn check_json(&self, every_file: bool) -> Result<(), Failure> {
        for (path, entry) in &self.entries {
            let Entry::File { content, .. } = entry else {
                continue;
            };
            if (every_file || path.ends_with(b".json"))
                && let Err(error) = serde_json::from_slice::<serde::de::IgnoredAny>(content)
            {
                return Err(Failure::new(
                    Kind::Invalid,
                    format!("{} is not JSON: {error}", shown(path)),
                ));
            }
        }
        Ok(())
    }
}

fn names(path: &[u8]) -> impl DoubleEndedIterator<Item = &[u8]> {
    path.split(|byte| *byte == b'/')
}

fn check_path(path: &[u8]) -> Result<(), Failure> {
    let is_wrong = |name: &[u8]| {
        name.is_empty() || name == b"." || name == b".." || name.contains(&0) || name.len() > LONGEST_NAME
    };
    if path.len() > LONGEST_PATH || names(path).any(is_wrong) {
        return Err(Failure::new(
            Kind::Escape,
            format!("{} is not a path inside of it", shown(path)),
        ));
    }
    Ok(())
}

/// A path as a reason shows it.
pub fn shown(path: &[u8]) -> String {
    let text = String::from_utf8_lossy(path);
    let short: String = text.chars().take(200).collect();
    format!("`{}`", short.escape_debug())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const LIMITS: Limits = Limits {
        bytes: 100,
        entries: 12,
    };

    fn file(text: &str) -> Entry {
        Entry::File {
            content: Bytes::copy_from_slice(text.as_bytes()),
            executable: false,
        }
    }

    fn link(target: &str) -> Entry {
        Entry::Link(target.as_bytes().to_vec())
    }

    fn tree(entries: &[(&str, Entry)]) -> Result<Tree, Failure> {
        let mut tree = Tree::new(LIMITS);
        for (path, entry) in entries {
            tree.add(path.as_bytes().to_vec(), entry.clone())?;
        }
        tree.check()?;
        Ok(tree)
    }

    #[track_caller]
    fn refused(entries: &[(&str, Entry)], expect: &str) {
        let failure = tree(entries).unwrap_err();
        assert_eq!(failure.reason, expect);
    }

    #[test]
    fn a_path_stays_inside() {
        for path in ["", "/a", "a/", "a//b", ".", "..", "../a", "a/../b", "a\0b"] {
            let failure = tree(&[("a", Entry::Folder), (path, file("x"))]).unwrap_err();
            assert_eq!(failure.kind, Kind::Escape, "{path:?}: {failure:?}");
        }
        refused(&[("a/b", file("x"))], "`a/b` is in no folder");
        refused(&[("l", link("x")), ("l/b", file("x"))], "`l/b` is in no folder");
        refused(&[("f", file("x")), ("f", file("y"))], "`f` is there twice");
    }

    #[test]
    fn a_link_stays_inside_however_it_is_written() {
        let base = [("f", file("x")), ("a", Entry::Folder), ("a/b", Entry::Folder)];
        let with = |links: &[(&'static str, &str)]| {
            let mut entries = base.to_vec();
            entries.extend(links.iter().map(|(path, target)| (*path, link(target))));
            tree(&entries).map(|_| ()).map_err(|failure| failure.reason)
        };
        for inside in [
            [("l", "f")].as_slice(),
            &[("l", "./a/../f")],
            &[("a/b/l", "../../f")],
            &[("l", "nothing")],
            &[("l", "a"), ("m", "l/b/../../f")],
        ] {
            assert_eq!(with(inside), Ok(()), "{inside:?}");
        }
        for (links, name) in [
            ([("l", "/etc/passwd")].as_slice(), "l"),
            (&[("l", "../f")], "l"),
            (&[("a/l", "../../f")], "a/l"),
            (&[("l", "a/b/../../..")], "l"),
            // By its letters it is inside; through `c` it isn't.
            (&[("a/b/c", "../.."), ("a/b/l", "c/../f")], "a/b/l"),
        ] {
            assert_eq!(
                with(links),
                Err(format!("the link `{name}` leads out of it")),
                "{links:?}"
            );
        }
        assert_eq!(
            with(&[("l", "m"), ("m", "l")]),
            Err("the link `l` leads through more than 40 others".to_owned())
        );
    }

    #[test]
    fn limits_hold() {
        let text = "x".repeat(50);
        assert!(tree(&[("a", file(&text)), ("b", file(&text))]).is_ok());
        refused(
            &[("a", file(&text)), ("b", file(&text)), ("c", file("x"))],
            "it is larger than 100 bytes",
        );
        let names: Vec<String> = (0..13).map(|number| number.to_string()).collect();
        let entries: Vec<_> = names.iter().map(|name| (name.as_str(), file(""))).collect();
        refused(&entries, "it has more than 12 files, folders and links");
        refused(&[("a", Entry::Folder)], "it has no file");
    }

    #[test]
    fn the_digest_is_of_everything() {
        let digest = |entries: &[(&str, Entry)]| tree(entries).unwrap().digest();
        let program = Entry::File {
            content: Bytes::from_static(b"x"),
            executable: true,
        };
        let one = digest(&[("a", file("x")), ("b", file("y"))]);
        assert_eq!(one, digest(&[("b", file("y")), ("a", file("x"))]));
        let others = [
            digest(&[("a", file("xb")), ("b", file("y"))]),
            digest(&[("a", program), ("b", file("y"))]),
            digest(&[("a", file("x")), ("b", link("y"))]),
            digest(&[("a", file("x")), ("b", file("y")), ("c", Entry::Folder)]),
        ];
        let different: BTreeSet<_> = others.iter().chain([&one]).collect();
        assert_eq!(different.len(), 5);
    }

    #[test]
    fn json_is_checked_by_name() {
        let tree = tree(&[("a.json", file("{\"a\": 1}")), ("b.txt", file("{"))]).unwrap();
        assert!(tree.check_json(false).is_ok());
        let failure = tree.check_json(true).unwrap_err();
        assert!(failure.reason.starts_with("`b.txt` is not JSON: "), "{failure:?}");
    }
}
