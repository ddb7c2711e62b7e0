//! Turns a commit's objects into a tree of files.

use std::collections::BTreeSet;

use super::pack::{self, Id, Object, Objects};
use crate::block::sync::failure::Failure;
use crate::block::sync::tree::{Entry, Limits, Tree, shown};

/// Folders within folders.
const DEEPEST: usize = 100;
/// Tags of tags.
const TAGS: usize = 10;

/// Lays out what a commit holds, or a tag of one. Submodules are left out.
pub fn checkout(objects: &Objects, id: Id, limits: Limits) -> Result<Tree, Failure> {
    let mut tree = Tree::new(limits);
    let root = root(objects, id)?;
    let mut ahead = vec![(Vec::new(), root)];
    while let Some((folder, id)) = ahead.pop() {
        let mut names = BTreeSet::new();
        for entry in entries(&find(objects, id, pack::Kind::Tree)?.content)? {
            let name = entry.name;
            if name.is_empty() || name.contains(&b'/') || name.eq_ignore_ascii_case(b".git") {
                return Err(Failure::invalid(format!(
                    "{} is not a name that a tree may have",
                    shown(name)
                )));
            }
            if !names.insert(name.to_vec()) {
                return Err(Failure::invalid(format!("{} is there twice", shown(name))));
            }
            let path = if folder.is_empty() {
                name.to_vec()
            } else {
                [&folder[..], b"/", name].concat()
            };
            let blob = || find(objects, entry.id, pack::Kind::Blob);
            match entry.mode {
                0o40000 => {
                    if path.split(|byte| *byte == b'/').count() > DEEPEST {
                        return Err(Failure::invalid(format!("{} is too deep", shown(&path))));
                    }
                    tree.add(path.clone(), Entry::Folder)?;
                    ahead.push((path, entry.id));
                }
                0o100_644 | 0o100_664 | 0o100_755 => {
                    let file = Entry::File {
                        content: blob()?.content.clone(),
                        executable: entry.mode == 0o100_755,
                    };
                    tree.add(path, file)?;
                }
                0o120_000 => tree.add(path, Entry::Link(blob()?.content.to_vec()))?,
                0o160_000 => {}
                mode => {
                    return Err(Failure::invalid(format!(
                        "{} has the mode {mode:o}, which is none",
                        shown(&path)
                    )));
                }
            }
        }
    }
    tree.check()?;
    Ok(tree)
}

fn find(objects: &Objects, id: Id, kind: pack::Kind) -> Result<&Object, Failure> {
    objects
        .get(&id)
        .filter(|object| object.kind == kind)
        .ok_or_else(|| Failure::invalid(format!("the {} {id} is missing", kind.name())))
}

/// The tree of a commit, or of what a tag names.
fn root(objects: &Objects, id: Id) -> Result<Id, Failure> {
    let mut id = id;
    for _ in 0..TAGS {
        let object = objects
            .get(&id)
            .ok_or_else(|| Failure::invalid(format!("the object {id} is missing")))?;
        let field = match object.kind {
            pack::Kind::Tree => return Ok(id),
            pack::Kind::Commit => "tree ",
            pack::Kind::Tag => "object ",
            pack::Kind::Blob => return Err(Failure::invalid(format!("{id} is a file and no commit"))),
        };
        let named = object
            .content
            .split(|byte| *byte == b'\n')
            .next()
            .and_then(|line| str::from_utf8(line).ok())
            .and_then(|line| line.strip_prefix(field)?.parse().ok());
        id = named
            .ok_or_else(|| Failure::invalid(format!("the {} {id} names nothing", object.kind.name())))?;
    }
    Err(Failure::invalid("a tag of a tag of a tag, and so on"))
}

#[derive(Debug, PartialEq, Eq)]
struct Listed<'a> {
    mode: u32,
    name: &'a [u8],
    id: Id,
}

/// Reads a tree object: a mode in octal digits, a space, a name, a zero, and an id.
fn entries(content: &[u8]) -> Result<Vec<Listed<'_>>, Failure> {
    let mut entries = Vec::new();
    let mut rest = content;
    while !rest.is_empty() {
        let (entry, after) = entry(rest).ok_or_else(|| Failure::invalid("a tree is broken"))?;
        entries.push(entry);
        rest = after;
    }
    Ok(entries)
}

fn entry(bytes: &[u8]) -> Option<(Listed<'_>, &[u8])> {
    let space = bytes.iter().take(8).position(|byte| *byte == b' ')?;
    let (mode, rest) = bytes.split_at(space);
    if !mode.iter().all(|digit| matches!(digit, b'0'..=b'7')) {
        return None;
    }
    let mode = u32::from_str_radix(str::from_utf8(mode).ok()?, 8).ok()?;
    let rest = &rest[1..];
    let zero = rest.iter().position(|byte| *byte == 0)?;
    let (name, rest) = rest.split_at(zero);
    let (id, rest) = rest[1..].split_first_chunk::<20>()?;
    let id = Id(*id);
    Some((Listed { mode, name, id }, rest))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proptest::prelude::*;

    use super::*;

    const LIMITS: Limits = Limits {
        bytes: 1000,
        entries: 50,
    };

    fn add(objects: &mut Objects, kind: pack::Kind, content: &[u8]) -> Id {
        let id = pack::id(kind, content).unwrap();
        let content = Bytes::copy_from_slice(content);
        objects.insert(id, Object { kind, content });
        id
    }

    fn listing(entries: &[(&str, &str, Id)]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (mode, name, id) in entries {
            bytes.extend(format!("{mode} {name}\0").as_bytes());
            bytes.extend(id.0);
        }
        bytes
    }

    fn commit(objects: &mut Objects, entries: &[(&str, &str, Id)]) -> Id {
        let tree = add(objects, pack::Kind::Tree, &listing(entries));
        add(
            objects,
            pack::Kind::Commit,
            format!("tree {tree}\nauthor\n").as_bytes(),
        )
    }

    #[test]
    fn a_commit_is_laid_out() {
        let mut objects = Objects::new();
        let file = add(&mut objects, pack::Kind::Blob, b"x");
        let target = add(&mut objects, pack::Kind::Blob, b"a/run");
        let folder = add(
            &mut objects,
            pack::Kind::Tree,
            &listing(&[("100755", "run", file)]),
        );
        let id = commit(
            &mut objects,
            &[
                ("40000", "a", folder),
                ("120000", "link", target),
                ("160000", "module", Id([9; 20])),
                ("100644", "z", file),
            ],
        );
        let tag = add(
            &mut objects,
            pack::Kind::Tag,
            format!("object {id}\ntype commit\n").as_bytes(),
        );
        for id in [id, tag] {
            let tree = checkout(&objects, id, LIMITS).unwrap();
            let paths: Vec<_> = tree
                .entries()
                .map(|(path, _)| String::from_utf8_lossy(path).into_owned())
                .collect();
            assert_eq!(paths, ["a", "a/run", "link", "z"]);
        }
    }

    #[test]
    fn hostile_trees_are_refused() {
        let mut objects = Objects::new();
        let file = add(&mut objects, pack::Kind::Blob, b"x");
        let out = add(&mut objects, pack::Kind::Blob, b"../out");
        let folder = add(&mut objects, pack::Kind::Tree, &listing(&[("100644", "f", file)]));
        let mut check = |entries: &[(&str, &str, Id)], expect: &str| {
            let id = commit(&mut objects, entries);
            assert_eq!(checkout(&objects, id, LIMITS).unwrap_err().reason, expect);
        };
        for name in ["a/b", ".git", ".GIT", ""] {
            let expect = format!("`{name}` is not a name that a tree may have");
            check(&[("100644", name, file)], &expect);
        }
        check(&[("100644", "..", file)], "`..` is not a path inside of it");
        check(
            &[("100644", "a", file), ("40000", "a", folder)],
            "`a` is there twice",
        );
        check(
            &[("120000", "l", out), ("100644", "f", file)],
            "the link `l` leads out of it",
        );
        check(
            &[("120000", "a", out), ("40000", "a", folder)],
            "`a` is there twice",
        );
        check(&[("100600", "a", file)], "`a` has the mode 100600, which is none");
        check(&[], "it has no file");
        let missing = Id([1; 20]);
        check(
            &[("100644", "a", missing)],
            &format!("the blob {missing} is missing"),
        );
        check(&[("40000", "a", file)], &format!("the tree {file} is missing"));
    }

    #[test]
    fn a_tree_of_trees_ends_at_the_limit() {
        let mut objects = Objects::new();
        let file = add(&mut objects, pack::Kind::Blob, b"x");
        let mut inner = add(&mut objects, pack::Kind::Tree, &listing(&[("100644", "f", file)]));
        for _ in 0..20 {
            inner = add(
                &mut objects,
                pack::Kind::Tree,
                &listing(&[("40000", "a", inner), ("40000", "b", inner)]),
            );
        }
        let failure = checkout(&objects, inner, LIMITS).unwrap_err();
        assert_eq!(failure.reason, "it has more than 50 files, folders and links");
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_tree_or_not(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            let _ = entries(&bytes);
        }
    }
}
