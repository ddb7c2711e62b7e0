//! The patterns there are: those in the binary, and a user's own.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use include_dir::{Dir, include_dir};

use super::Pattern;
use super::load::{Files, Folder, load};
use crate::diagnostic::{Problems, nearest};

static EMBEDDED: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/templates");

/// Where patterns are looked up: the user's own first.
#[derive(Debug)]
pub struct Catalogue {
    shelves: Vec<Shelf>,
}

#[derive(Debug)]
struct Shelf {
    label: String,
    files: Files,
    is_embedded: bool,
}

/// A pattern that there is, not yet loaded.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// Whether it is in the binary.
    pub is_embedded: bool,
    shelf: usize,
}

/// Why a name is none of a pattern's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotFound {
    /// There is none of that name.
    #[error("no pattern `{name}`")]
    Unknown {
        /// What was named.
        name: String,
        /// What was probably meant.
        meant: Option<String>,
    },
    /// It names a family of several.
    #[error("`{family}` is a family of several patterns")]
    Several {
        /// What was named.
        family: String,
        /// Its patterns.
        variants: Vec<String>,
    },
}

impl NotFound {
    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::Unknown {
                meant: Some(meant), ..
            } => format!("did you mean `{meant}`?"),
            Self::Unknown { meant: None, .. } => "`motif patterns` lists them".into(),
            Self::Several { variants, .. } => format!("choose one: `{}`", variants.join("`, `")),
        }
    }
}

/// Why a folder is no catalogue.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Misplaced {
    /// A pattern's folder has no description.
    #[error("`{0}` has a folder `files`, but no `{1}`")]
    Description(String, &'static str),
    /// A file stands where nothing reads it.
    #[error(
        "`{0}` would never be read: a pattern's folder holds `pattern.yaml`, `files` and `add`, a part's `part.yaml`, `files` and `includes`"
    )]
    Stray(String),
    /// There is no pattern in it.
    #[error("`{0}` holds no pattern: no `<family>/<variant>/pattern.yaml`")]
    Empty(String),
}

impl Catalogue {
    /// The patterns in the binary.
    pub fn embedded() -> Self {
        let mut files = Files::new();
        collect(&EMBEDDED, &mut files);
        Self {
            shelves: vec![Shelf {
                label: "templates/".into(),
                files,
                is_embedded: true,
            }],
        }
    }

    /// Adds a user's own patterns, which come before those in the binary.
    pub fn add(&mut self, path: &str, files: BTreeMap<String, Vec<u8>>) -> Result<(), Vec<Misplaced>> {
        let files: Files = files
            .into_iter()
            .map(|(path, bytes)| (path, Cow::Owned(bytes)))
            .collect();
        let misplaced = misplaced(path, &files);
        if !misplaced.is_empty() {
            return Err(misplaced);
        }
        let label = format!("{}/", path.trim_end_matches('/'));
        self.shelves.insert(
            0,
            Shelf {
                label,
                files,
                is_embedded: false,
            },
        );
        Ok(())
    }

    /// Every pattern, by name.
    pub fn entries(&self) -> Vec<Entry> {
        let mut found: BTreeMap<String, Entry> = BTreeMap::new();
        for (shelf, contents) in self.shelves.iter().enumerate() {
            for path in contents.files.keys() {
                let name = path
                    .strip_suffix("/pattern.yaml")
                    .filter(|name| is_pattern_name(name));
                if let Some(name) = name {
                    found.entry(name.to_owned()).or_insert(Entry {
                        name: name.to_owned(),
                        is_embedded: contents.is_embedded,
                        shelf,
                    });
                }
            }
        }
        found.into_values().collect()
    }

    /// Finds a pattern by its name, or by its family's when that has but one, or one that leads.
    pub fn find(&self, name: &str) -> Result<Entry, NotFound> {
        let mut entries = self.entries();
        if let Some(at) = entries.iter().position(|entry| entry.name == name) {
            return Ok(entries.swap_remove(at));
        }
        let names: Vec<String> = entries.iter().map(|entry| entry.name.clone()).collect();
        let mut variants: Vec<Entry> = entries
            .into_iter()
            .filter(|entry| entry.name.split('/').next() == Some(name))
            .collect();
        let leads = |entry: &Entry| self.load(entry).is_ok_and(|pattern| pattern.leads);
        match variants.len() {
            0 => {
                let families = names.iter().filter_map(|name| name.split('/').next());
                let meant = nearest(name, names.iter().map(String::as_str).chain(families));
                Err(NotFound::Unknown {
                    name: name.to_owned(),
                    meant: meant.map(str::to_owned),
                })
            }
            1 => Ok(variants.swap_remove(0)),
            _ if let Some(at) = variants.iter().position(leads) => Ok(variants.swap_remove(at)),
            _ => Err(NotFound::Several {
                family: name.to_owned(),
                variants: variants.into_iter().map(|entry| entry.name).collect(),
            }),
        }
    }

    /// Loads a pattern.
    pub fn load(&self, entry: &Entry) -> Result<Pattern, Problems> {
        let own = &self.shelves[entry.shelf];
        let part = |name: &str| {
            // A pattern's own catalogue first, so that it can't be changed by another.
            std::iter::once(own).chain(&self.shelves).find_map(|shelf| {
                let (path, _) = shelf.files.get_key_value(&format!("{name}/part.yaml"))?;
                Some(Folder {
                    files: &shelf.files,
                    label: &shelf.label,
                    path: path.strip_suffix("/part.yaml")?,
                })
            })
        };
        let folder = Folder {
            files: &own.files,
            label: &own.label,
            path: &entry.name,
        };
        load(&entry.name, folder, &part)
    }
}

fn collect(folder: &'static Dir<'static>, files: &mut Files) {
    for file in folder.files() {
        let path = file.path().to_string_lossy().replace('\\', "/");
        files.insert(path, Cow::Borrowed(file.contents()));
    }
    for inner in folder.dirs() {
        collect(inner, files);
    }
}

/// `family` or `family/variant`, in kebab case.
fn is_pattern_name(name: &str) -> bool {
    let is_word = |word: &str| {
        word.starts_with(|first: char| first.is_ascii_lowercase())
            && word
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
    };
    name.split('/').count() <= 2 && name.split('/').all(is_word)
}

/// What stands where nothing reads it.
fn misplaced(path: &str, files: &Files) -> Vec<Misplaced> {
    let mut wrong = Vec::new();
    let owners: BTreeSet<&str> = files
        .keys()
        .filter_map(|file| {
            file.strip_suffix("/pattern.yaml")
                .or(file.strip_suffix("/part.yaml"))
        })
        .filter(|owner| is_pattern_name(owner) || is_part_name(owner))
        .collect();
    let mut without: BTreeSet<&str> = BTreeSet::new();
    for file in files.keys() {
        let owner = owners
            .iter()
            .filter(|owner| {
                file.strip_prefix(**owner)
                    .is_some_and(|rest| rest.starts_with('/'))
            })
            .max_by_key(|owner| owner.len());
        match owner {
            Some(owner) => {
                let inner = &file[owner.len() + 1..];
                let is_part = is_part_name(owner);
                let is_read = inner.starts_with("files/")
                    || inner == if is_part { "part.yaml" } else { "pattern.yaml" }
                    || inner.starts_with(if is_part { "includes/" } else { "add/" });
                if !is_read {
                    wrong.push(Misplaced::Stray(format!("{path}/{file}")));
                }
            }
            None => without.extend(file.find("/files/").map(|at| &file[..at])),
        }
    }
    wrong.extend(without.into_iter().map(|folder| {
        let description = if is_part_name(folder) {
            "part.yaml"
        } else {
            "pattern.yaml"
        };
        Misplaced::Description(format!("{path}/{folder}"), description)
    }));
    let is_empty = owners.iter().all(|owner| is_part_name(owner));
    if is_empty && wrong.is_empty() {
        wrong.push(Misplaced::Empty(path.to_owned()));
    }
    wrong
}

fn is_part_name(name: &str) -> bool {
    name.strip_prefix('_')
        .is_some_and(|word| !word.is_empty() && !word.contains('/'))
}
