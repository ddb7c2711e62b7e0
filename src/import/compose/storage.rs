//! Turns volumes, configs and secrets of a service into volumes of its pod.

use std::collections::BTreeMap;

use super::text::size;
use super::{Context, RULES, rules, text_at};
use crate::diagnostic::Span;
use crate::import::draft::{Mount, Volume, free};
use crate::import::item::{Item, Map};
use crate::import::record::{Record, text_of};
use crate::stack::FileKind;
use crate::yaml::{Content, Node};

/// The volumes and mounts of a service so far.
#[derive(Debug, Default)]
pub struct Mounted {
    pub volumes: Vec<Volume>,
    pub mounts: Vec<Mount>,
    /// Files and folders of the host that the container may write: where that was written, what, and its path in it.
    pub writable: Vec<(String, String, String, Span)>,
}

impl Mounted {
    /// Adds a volume at a path; returns its name.
    fn add(&mut self, wanted: &str, value: Item, path: &str, read_only: bool, origin: Span) {
        // Of two volumes at one path the later one is meant.
        self.mounts.retain(|mount| mount.path != path);
        let is_taken = |name: &str| self.volumes.iter().any(|volume| volume.name == name);
        let name = free(wanted, is_taken);
        self.volumes.push(Volume {
            name: name.clone(),
            value,
            origin,
            comment: None,
        });
        self.mounts.push(Mount {
            volume: name,
            path: path.to_owned(),
            read_only,
            origin,
        });
    }
}

/// What a service mounts.
pub struct Wanted {
    pub kind: String,
    pub source: String,
    pub target: String,
    pub read_only: bool,
    pub size: Option<String>,
    pub span: Span,
}

impl Context<'_> {
    /// Reads `volumes` and `tmpfs`.
    pub(super) fn volumes(&mut self, service: &str, record: &mut Record, mounted: &mut Mounted) {
        let path = record.at("volumes");
        for node in record.list("volumes", self.notes) {
            let wanted = if let Content::Mapping(_) = &node.content {
                self.long_volume(node, &path)
            } else {
                let text = self.value(text_of(node).unwrap_or_default(), &path, node.span);
                short_volume(&text, node.span)
            };
            if let Some(wanted) = wanted {
                self.mount(service, &path, wanted, mounted);
            } else {
                self.rule(&rules::HOST_FOLDER, &path, node.span);
            }
        }
        self.tmpfs(record, mounted);
    }

    /// Reads `tmpfs`.
    pub(super) fn tmpfs(&mut self, record: &mut Record, mounted: &mut Mounted) {
        let path = record.at("tmpfs");
        let tmpfs: Vec<(String, Span)> = match record.take("tmpfs") {
            Some(entry) => match &entry.value.content {
                Content::Sequence(items) => items
                    .iter()
                    .filter_map(|item| Some((text_of(item)?.to_owned(), item.span)))
                    .collect(),
                _ => text_of(&entry.value)
                    .map(|text| (text.to_owned(), entry.value.span))
                    .into_iter()
                    .collect(),
            },
            None => Vec::new(),
        };
        for (text, span) in tmpfs {
            let text = self.value(&text, &path, span);
            let (target, options) = text.split_once(':').unwrap_or((&text, ""));
            let limit = options
                .split(',')
                .find_map(|option| option.strip_prefix("size="))
                .and_then(size);
            mounted.add(&name_of(target), memory(limit), target, false, span);
        }
    }

    pub(super) fn long_volume(&mut self, node: &Node, path: &str) -> Option<Wanted> {
        let mut record = Record::of(node, "mount", path.to_owned(), self.notes)?;
        let mut text = |record: &mut Record, key: &str| {
            let found = record.text(key, self.notes)?;
            Some(self.value(&found.value, path, found.span))
        };
        let kind = text(&mut record, "type").unwrap_or_else(|| "volume".to_owned());
        let source = text(&mut record, "source").unwrap_or_default();
        let target = text(&mut record, "target")?;
        let read_only = record
            .boolean("read_only", self.notes)
            .is_some_and(|found| found.value);
        let limit = record
            .take("tmpfs")
            .and_then(|tmpfs| text_at(&tmpfs.value, "size"))
            .and_then(size);
        record.ignore(&["volume", "bind", "consistency"]);
        record.ignore_prefix("x-");
        record.rest(RULES, self.notes);
        Some(Wanted {
            kind,
            source,
            target,
            read_only,
            size: limit,
            span: node.span,
        })
    }

    pub(super) fn mount(&mut self, service: &str, path: &str, wanted: Wanted, mounted: &mut Mounted) {
        let Wanted {
            kind,
            source,
            target,
            read_only,
            size,
            span,
        } = wanted;
        match (kind.as_str(), source.as_str()) {
            ("tmpfs", _) => mounted.add(&name_of(&target), memory(size), &target, false, span),
            ("volume", "") => mounted.add(&name_of(&target), "empty".into(), &target, read_only, span),
            ("volume", source) => {
                let options = self
                    .volumes
                    .get(source)
                    .and_then(|volume| volume.get("driver_opts"));
                let is_memory =
                    options.is_some_and(|options| text_at(&options.value, "type") == Some("tmpfs"));
                if is_memory {
                    let limit =
                        options
                            .and_then(|options| text_at(&options.value, "o"))
                            .and_then(|options| {
                                options
                                    .split(',')
                                    .find_map(|option| option.strip_prefix("size="))
                                    .and_then(super::text::size)
                            });
                    return mounted.add(source, memory(limit), &target, read_only, span);
                }
                self.users
                    .entry(source.to_owned())
                    .or_default()
                    .insert(service.to_owned());
                self.once(&rules::CLAIM, source, path, span);
                mounted.add(source, Item::one("claim", "1Gi".into()), &target, read_only, span);
            }
            ("bind", source) => {
                let is_inside = !source.starts_with(['/', '~']);
                match is_inside.then(|| self.path(source)).flatten() {
                    None => self.rule(&rules::HOST_FOLDER, path, span),
                    Some(file) if read_only => self.bind(path, &file, &target, span, mounted),
                    Some(file) => mounted.writable.push((path.to_owned(), file, target, span)),
                }
            }
            _ => self.rule(&rules::HOST_FOLDER, path, span),
        }
    }

    /// A file or folder beside the stack: a config, where it holds files only.
    pub(super) fn bind(&mut self, path: &str, file: &str, target: &str, span: Span, mounted: &mut Mounted) {
        let Ok(kind) = self.files.kind(file) else {
            return self.rule(&rules::HOST_FOLDER, path, span);
        };
        let mount_at = match kind {
            FileKind::Folder => {
                let is_folder = |name: &String| {
                    matches!(self.files.kind(&format!("{file}/{name}")), Ok(FileKind::Folder))
                };
                let names = self.files.list(file).unwrap_or_default();
                if file == "." || names.is_empty() || names.iter().any(is_folder) {
                    return self.rule(&rules::HOST_FOLDER, path, span);
                }
                target
            }
            FileKind::File => {
                let (folder, name) = target.rsplit_once('/').unwrap_or(("", target));
                if folder.is_empty() {
                    return self.rule(&rules::ROOT, path, span);
                }
                if !(file == name || file.ends_with(&format!("/{name}"))) {
                    return self.rule(&rules::HOST_FOLDER, path, span);
                }
                self.rule(&rules::FOLDER, path, span);
                folder
            }
        };
        self.rule(&rules::HOST_FILES, path, span);
        mounted.add(
            &name_of(file),
            Item::one("config", file.into()),
            mount_at,
            false,
            span,
        );
    }

    /// Reads `configs`: those of one folder are one volume.
    pub(super) fn configs(&mut self, record: &mut Record, mounted: &mut Mounted) {
        let path = record.at("configs");
        let mut folders: BTreeMap<String, (Map, Span)> = BTreeMap::new();
        for (source, target, span) in self.references(record, "configs") {
            let target = target.unwrap_or_else(|| format!("/{source}"));
            let Some(declared) = self.configs.get(&source).copied() else {
                self.rule(&rules::UNDECLARED, &path, span);
                continue;
            };
            let (folder, name) = target.rsplit_once('/').unwrap_or(("", &target));
            if folder.is_empty() {
                self.rule(&rules::ROOT, &path, span);
                continue;
            }
            let text = match (text_at(declared, "content"), text_at(declared, "file")) {
                (Some(content), _) => self.value(content, &path, span),
                (None, Some(file)) => {
                    const MOST: usize = 1 << 20;
                    let file = self.value(file, &path, span);
                    let read = self
                        .path(&file)
                        .and_then(|file| self.files.read(&file, MOST).ok());
                    if let Some(text) = read.and_then(|bytes| String::from_utf8(bytes).ok()) {
                        text
                    } else {
                        self.rule(&rules::NO_FILE, &format!("configs.{source}"), declared.span);
                        continue;
                    }
                }
                (None, None) => {
                    self.rule(&rules::NO_FILE, &format!("configs.{source}"), declared.span);
                    continue;
                }
            };
            let files = folders
                .entry(folder.to_owned())
                .or_insert_with(|| (Map::default(), span));
            files.0.put(name, text);
        }
        for (folder, (files, span)) in folders {
            self.rule(&rules::FOLDER, &path, span);
            mounted.add(
                &name_of(&folder),
                Item::one("config", files.into()),
                &folder,
                false,
                span,
            );
        }
    }

    /// Reads `secrets`: those of one folder are one secret, each a key of it.
    pub(super) fn secrets(&mut self, service: &str, record: &mut Record, mounted: &mut Mounted) {
        let path = record.at("secrets");
        let mut folders: BTreeMap<String, Vec<(String, String, String, Span)>> = BTreeMap::new();
        for (source, target, span) in self.references(record, "secrets") {
            let target = target.unwrap_or_else(|| source.clone());
            let target = if target.starts_with('/') {
                target
            } else {
                format!("/run/secrets/{target}")
            };
            let Some(declared) = self.secrets.get(&source).copied() else {
                self.rule(&rules::UNDECLARED, &path, span);
                continue;
            };
            let file = text_at(declared, "file").map(|file| self.value(file, &path, span));
            let Some(file) = file.and_then(|file| self.path(&file)) else {
                self.rule(&rules::NO_FILE, &format!("secrets.{source}"), declared.span);
                continue;
            };
            let (folder, key) = target.rsplit_once('/').unwrap_or(("", &target));
            if folder.is_empty() {
                self.rule(&rules::ROOT, &path, span);
            } else {
                let of_folder = folders.entry(folder.to_owned()).or_default();
                of_folder.push((source.clone(), key.to_owned(), file, span));
            }
        }
        for (folder, keys) in folders {
            let Some((first, _, _, span)) = keys.first().cloned() else {
                continue;
            };
            let wanted = if keys.len() == 1 {
                first
            } else {
                format!("{service}-secrets")
            };
            let same = |name: &str| {
                let Some(crate::import::draft::Secret::Files(files, _)) = self.draft.secrets.get(name) else {
                    return false;
                };
                keys.len() == files.len() && keys.iter().all(|(_, key, file, _)| files.get(key) == Some(file))
            };
            let near = free(&wanted, |_| false);
            let name = if same(&near) {
                near
            } else {
                free(&near, |name| self.draft.secrets.contains_key(name))
            };
            for (_, key, file, span) in keys {
                self.declare_secret(&name, &key, file, span);
            }
            mounted.add(
                &name,
                Item::one("secret", name.as_str().into()),
                &folder,
                false,
                span,
            );
        }
    }

    /// References to configs or secrets: source and target.
    fn references(&mut self, record: &mut Record, key: &str) -> Vec<(String, Option<String>, Span)> {
        let path = record.at(key);
        let mut found = Vec::new();
        for node in record.list(key, self.notes) {
            if let Some(text) = text_of(node) {
                found.push((text.to_owned(), None, node.span));
                continue;
            }
            let Some(mut reference) = Record::of(node, "reference", path.clone(), self.notes) else {
                continue;
            };
            let source = reference.text("source", self.notes);
            let target = reference.text("target", self.notes);
            reference.ignore(&["uid", "gid", "mode"]);
            reference.rest(RULES, self.notes);
            if let Some(source) = source {
                let target = target.map(|target| self.value(&target.value, &path, target.span));
                found.push((source.value, target, node.span));
            }
        }
        found
    }
}

/// A volume in memory.
fn memory(size: Option<String>) -> Item {
    match size {
        Some(size) => Item::one("tmpfs", Item::one("size", size.into())),
        None => "tmpfs".into(),
    }
}

/// A name for what is at a path.
fn name_of(path: &str) -> String {
    let last = path
        .trim_matches(['/', '.'])
        .rsplit('/')
        .next()
        .unwrap_or_default();
    if last.is_empty() {
        "files".to_owned()
    } else {
        last.to_owned()
    }
}

/// Reads `[source:]target[:options]`.
pub(super) fn short_volume(text: &str, span: Span) -> Option<Wanted> {
    let mut parts = text.split(':');
    let (first, second, options) = (parts.next()?, parts.next(), parts.next());
    if parts.next().is_some() || first.is_empty() {
        return None;
    }
    let read_only = options.is_some_and(|options| options.split(',').any(|option| option == "ro"));
    let (kind, source, target) = match second {
        None => ("volume", "", first),
        Some(target) if first.starts_with(['.', '/', '~']) => ("bind", first, target),
        Some(target) => ("volume", first, target),
    };
    Some(Wanted {
        kind: kind.to_owned(),
        source: source.to_owned(),
        target: target.to_owned(),
        read_only,
        size: None,
        span,
    })
}
