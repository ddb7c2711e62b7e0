//! Checks volumes, and reads the files of config volumes.

use std::collections::BTreeMap;

use super::secret::check_secret_name;
use super::{Checker, Scope};
use crate::diagnostic::{Diagnostic, Span, quoted};
use crate::stack::files::{FileKind, project_path};
use crate::stack::raw::{RawVolume, RawVolumeSize, RawVolumeWord};
use crate::stack::{Bytes, ConfigFile, VolumeKind};
use crate::yaml::{Field, Map, Shorthand, Text};

/// The most that a config volume holds, as in Kubernetes.
const LARGEST_CONFIG: usize = 1 << 20;

/// The most files that a config volume holds.
const MOST_CONFIG_FILES: usize = 1000;

impl Checker<'_> {
    pub(super) fn volume(
        &mut self,
        key: Span,
        raw: &Shorthand<RawVolumeWord, RawVolume>,
        scope: &Scope<'_>,
    ) -> Option<VolumeKind> {
        let raw = match raw {
            Shorthand::Short(RawVolumeWord::Empty) => return Some(VolumeKind::Empty { size: None }),
            Shorthand::Short(RawVolumeWord::Tmpfs) => return Some(VolumeKind::Tmpfs { size: None }),
            Shorthand::Long(raw) => raw,
        };
        let kinds = [
            ("empty", raw.empty.key()),
            ("tmpfs", raw.tmpfs.key()),
            ("claim", raw.claim.key()),
            ("config", raw.config.key()),
            ("secret", raw.secret.key()),
        ];
        let written: Vec<(&str, Span)> = kinds
            .iter()
            .filter_map(|(name, key)| Some((*name, (*key)?)))
            .collect();
        match written.as_slice() {
            [] if kinds.iter().any(|(name, _)| raw.mistyped.contains(name)) => None,
            [] => {
                self.push(
                    Diagnostic::error(key, "the volume is of no kind")
                        .help("write one of `empty`, `tmpfs`, `{ claim: 1Gi }`, `{ config: path }` and `{ secret: name }`"),
                );
                None
            }
            [_] => self.volume_kind(raw, scope),
            [(first, span), (second, other), ..] => {
                self.push(
                    Diagnostic::error(
                        *other,
                        format!("a volume is of one kind, not `{first}` and `{second}`"),
                    )
                    .related(*span, "the other"),
                );
                None
            }
        }
    }

    fn volume_kind(&mut self, raw: &RawVolume, scope: &Scope<'_>) -> Option<VolumeKind> {
        let size_of = |field: &Field<RawVolumeSize>| -> Option<Option<Bytes>> {
            Some(field.value()?.size.value().copied())
        };
        if let Some(size) = size_of(&raw.empty) {
            return Some(VolumeKind::Empty { size });
        }
        if let Some(size) = size_of(&raw.tmpfs) {
            return Some(VolumeKind::Tmpfs { size });
        }
        if let Some(size) = raw.claim.value() {
            return Some(VolumeKind::Claim { size: *size });
        }
        if let Some(secret) = raw.secret.get() {
            let secret = check_secret_name(&secret.value.0, secret.span, scope, self.problems)?;
            return Some(VolumeKind::Secret { secret });
        }
        let config = raw.config.get()?;
        let files = match &config.value {
            Shorthand::Short(path) => self.config_from_disk(&path.0, config.span)?,
            Shorthand::Long(texts) => self.config_inline(texts),
        };
        let size: usize = files.values().map(|file| file.content.len()).sum();
        if size > LARGEST_CONFIG {
            self.push(
                Diagnostic::error(config.span, format!("the config holds {size} bytes"))
                    .help("the most is 1 MiB, as in Kubernetes; put larger files into an image or a claim"),
            );
        }
        Some(VolumeKind::Config { files })
    }

    fn config_inline(&mut self, texts: &Map<Text>) -> BTreeMap<String, ConfigFile> {
        let mut files = BTreeMap::new();
        for entry in &texts.0 {
            self.file_name(&entry.key.value, entry.key.span);
            if let Some(text) = &entry.value {
                let file = ConfigFile {
                    content: text.value.0.clone().into_bytes(),
                    path: None,
                };
                files.insert(entry.key.value.clone(), file);
            }
        }
        files
    }

    fn config_from_disk(&mut self, written: &str, span: Span) -> Option<BTreeMap<String, ConfigFile>> {
        let path = match project_path("", written) {
            Ok(path) => path,
            Err(why) => {
                self.push(
                    Diagnostic::error(span, why).help("a config lies in the stack's folder or below it"),
                );
                return None;
            }
        };
        let kind = match self.files.kind(&path) {
            Ok(kind) => kind,
            Err(error) => {
                self.push(
                    Diagnostic::error(span, format!("failed to read {}: {error}", quoted(&path)))
                        .help("a config is a file or a folder beside the stack, or file names to texts"),
                );
                return None;
            }
        };
        let mut files = BTreeMap::new();
        let paths = match kind {
            FileKind::File => vec![path],
            FileKind::Folder => self.folder(&path, span)?,
        };
        let mut left = LARGEST_CONFIG;
        for path in paths {
            let name = path
                .rsplit_once('/')
                .map_or(path.as_str(), |(_, name)| name)
                .to_owned();
            self.file_name(&name, span);
            match self.files.read(&path, left) {
                Ok(content) => {
                    left -= content.len().min(left);
                    let file = ConfigFile {
                        content,
                        path: Some(path),
                    };
                    files.insert(name, file);
                }
                Err(crate::stack::FileError::TooLarge { .. }) => {
                    self.push(
                        Diagnostic::error(
                            span,
                            format!("with {} the config holds more than 1 MiB", quoted(&path)),
                        )
                        .help("that is the most in Kubernetes; put larger files into an image or a claim"),
                    );
                    return None;
                }
                Err(error) => {
                    self.push(Diagnostic::error(
                        span,
                        format!("failed to read {}: {error}", quoted(&path)),
                    ));
                    return None;
                }
            }
        }
        Some(files)
    }

    fn folder(&mut self, path: &str, span: Span) -> Option<Vec<String>> {
        let names = match self.files.list(path) {
            Ok(names) => names,
            Err(error) => {
                self.push(Diagnostic::error(
                    span,
                    format!("failed to read {}: {error}", quoted(path)),
                ));
                return None;
            }
        };
        if names.len() > MOST_CONFIG_FILES {
            self.push(
                Diagnostic::error(span, format!("the folder {} holds too many files", quoted(path)))
                    .help(format!("the most is {MOST_CONFIG_FILES}")),
            );
            return None;
        }
        let mut files = Vec::new();
        for name in names {
            let inner = if path == "." {
                name
            } else {
                format!("{path}/{name}")
            };
            if matches!(self.files.kind(&inner), Ok(FileKind::Folder)) {
                self.push(
                    Diagnostic::error(
                        span,
                        format!("{} is a folder: a config holds files only", quoted(&inner)),
                    )
                    .help("give each folder a volume of its own"),
                );
            } else {
                files.push(inner);
            }
        }
        Some(files)
    }

    /// Kubernetes' rule for the keys of a ConfigMap.
    fn file_name(&mut self, name: &str, span: Span) {
        if !is_key(name) {
            self.push(
                Diagnostic::error(span, format!("{} can't name a file of a config", quoted(name)))
                    .help("it is made of letters, digits, `-`, `_` and `.`, at most 253 of them"),
            );
        }
    }
}

/// Whether a text can be a key of a ConfigMap or a Secret.
pub fn is_key(text: &str) -> bool {
    (1..=253).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
        && text != "."
        && !text.starts_with("..")
}
