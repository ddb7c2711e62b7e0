//! Reads config maps, secrets and claims, and turns the volumes of pods.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use super::{Context, Object, RULES, rules};
use crate::diagnostic::{Span, quoted};
use crate::import::draft::{Secret, Volume};
use crate::import::item::{Item, Map};
use crate::import::record::Record;
use crate::stack::Bytes;

/// A config map.
#[derive(Debug)]
pub struct Config {
    /// Texts by key.
    pub files: Vec<(String, String)>,
    pub path: String,
    pub span: Span,
    pub used: bool,
}

/// The keys of a secret: its values are never looked at.
#[derive(Debug)]
pub struct SecretKeys {
    pub keys: BTreeSet<String>,
    pub path: String,
    pub span: Span,
    pub used: bool,
}

/// A claim.
#[derive(Debug)]
pub struct Claim {
    pub size: Option<String>,
    pub path: String,
    pub span: Span,
    /// How many pods use it.
    pub users: usize,
}

/// What the volumes of a pod are, before they are mounted.
#[derive(Debug, Clone)]
pub enum Kind {
    /// Written as it is.
    Whole(Item),
    /// Files by name: one of them can be mounted on its own.
    Files(Vec<(String, String)>),
    /// A secret.
    Secret(String),
    /// Said to be dropped, and so is what mounts it.
    Dropped,
}

impl Context<'_> {
    /// Reads an object that holds data.
    pub(super) fn data(&mut self, object: Object) {
        let Object {
            kind,
            name,
            span,
            path,
            mut record,
            ..
        } = object;
        match kind {
            "ConfigMap" => {
                let mut files: Vec<(String, String)> = record
                    .map("data", self.notes)
                    .into_iter()
                    .map(|(key, text)| (key, text.value))
                    .collect();
                for (key, text) in record.map("binaryData", self.notes) {
                    let path = format!("{path}.binaryData.{key}");
                    let written: String = text.value.split_whitespace().collect();
                    let Ok(bytes) = BASE64_STANDARD.decode(written) else {
                        let (rule, message) = (&crate::import::rule::TYPE, "expected base64");
                        self.notes.say(rule, &path, text.span, message, rule.remedy);
                        continue;
                    };
                    match String::from_utf8(bytes) {
                        Ok(decoded) if !decoded.contains('\0') => files.push((key, decoded)),
                        _ => self.rule(&rules::CONFIG_BINARY, &path, text.span),
                    }
                }
                record.ignore(&["immutable"]);
                let config = Config {
                    files,
                    path,
                    span,
                    used: false,
                };
                self.configs.insert(name, config);
            }
            "Secret" => {
                let mut keys: BTreeSet<String> = BTreeSet::new();
                for field in ["data", "stringData"] {
                    let entry = record.take(field);
                    let entries = entry.and_then(|entry| entry.value.entries()).unwrap_or_default();
                    keys.extend(entries.iter().map(|entry| entry.key.clone()));
                }
                record.ignore(&["type", "immutable"]);
                let secret = SecretKeys {
                    keys,
                    path,
                    span,
                    used: false,
                };
                self.secrets.insert(name, secret);
            }
            _ => {
                let spec = record.record("spec", "claim", self.notes);
                let size = spec.and_then(|spec| self.claim_size(spec));
                let claim = Claim {
                    size,
                    path,
                    span,
                    users: 0,
                };
                self.claims.insert(name, claim);
            }
        }
        record.rest(RULES, self.notes);
    }

    /// The size that a claim requests.
    pub(super) fn claim_size(&mut self, mut spec: Record) -> Option<String> {
        let resources = spec.record("resources", "claimResources", self.notes);
        spec.ignore(&["accessModes", "volumeMode", "volumeName"]);
        spec.rest(RULES, self.notes);
        let mut resources = resources?;
        let requests = resources.map("requests", self.notes);
        resources.ignore(&["limits"]);
        resources.rest(RULES, self.notes);
        let (_, storage) = requests.into_iter().find(|(name, _)| name == "storage")?;
        Bytes::parse(&storage.value).map(|bytes| bytes.to_string())
    }

    /// Turns the volumes of a pod, by name; what isn't mounted stays out of the stack.
    pub(super) fn volumes(&mut self, records: Vec<Record>) -> BTreeMap<String, (Kind, Span)> {
        let mut volumes = BTreeMap::new();
        for mut record in records {
            let span = record.span;
            let Some(name) = record.text("name", self.notes) else {
                self.rule(&rules::MOUNT_MISSING, &record.path, span);
                continue;
            };
            let kind = self.volume(&mut record);
            let at = name.span;
            if let Some(kind) = kind {
                volumes.insert(name.value, (kind, at));
                record.rest(RULES, self.notes);
            } else {
                let other = record
                    .others()
                    .first()
                    .map(|entry| (entry.key.clone(), entry.key_span));
                let (what, span) = other.unwrap_or(("emptyDir".to_owned(), span));
                if what == "emptyDir" {
                    // Named, and nothing more: a cluster makes an empty directory.
                    volumes.insert(name.value, (Kind::Whole(Item::from("empty")), at));
                } else {
                    self.rule(&rules::VOLUME_KIND, &format!("{}.{what}", record.path), span);
                    volumes.insert(name.value, (Kind::Dropped, at));
                }
            }
        }
        volumes
    }

    fn volume(&mut self, record: &mut Record) -> Option<Kind> {
        if record.has("emptyDir") {
            let size = record
                .record("emptyDir", "emptyDir", self.notes)
                .map(|mut empty| {
                    let medium = empty.text("medium", self.notes);
                    let size = empty.text("sizeLimit", self.notes);
                    empty.rest(RULES, self.notes);
                    (medium.is_some_and(|medium| medium.value == "Memory"), size)
                });
            let (memory, size) = size.unwrap_or((false, None));
            let word = if memory { "tmpfs" } else { "empty" };
            let size = size.and_then(|size| Bytes::parse(&size.value));
            return Some(Kind::Whole(match size {
                Some(size) => Item::one(word, Item::one("size", size.to_string().into())),
                None => Item::from(word),
            }));
        }
        if let Some(mut config) = record.record("configMap", "source", self.notes) {
            let name = config
                .text("name", self.notes)
                .map_or_else(String::new, |name| name.value);
            let chosen = items(&mut config);
            let path = config.path.clone();
            self.file_mode(&mut config);
            config.ignore(&["optional"]);
            let span = config.span;
            config.rest(RULES, self.notes);
            let Some(found) = self.configs.get_mut(&name) else {
                self.rule(&rules::CONFIG_MISSING, &path, span);
                return Some(Kind::Dropped);
            };
            found.used = true;
            let files = found.files.clone();
            let files = match chosen {
                None => files,
                // Its own files may be called otherwise than their keys.
                Some(chosen) => chosen
                    .into_iter()
                    .filter_map(|(key, file)| {
                        let (_, text) = files.iter().find(|(name, _)| *name == key)?;
                        Some((file, text.clone()))
                    })
                    .collect(),
            };
            return Some(Kind::Files(files));
        }
        if let Some(mut secret) = record.record("secret", "source", self.notes) {
            let name = secret.text("secretName", self.notes);
            let name = name.map_or_else(String::new, |name| name.value);
            let chosen = items(&mut secret);
            self.file_mode(&mut secret);
            secret.ignore(&["optional"]);
            let (path, span) = (secret.path.clone(), secret.span);
            secret.rest(RULES, self.notes);
            let chosen = chosen.unwrap_or_default();
            if chosen.iter().any(|(key, file)| key != file) {
                self.rule(&rules::SECRET_ITEMS, &format!("{path}.items"), span);
            }
            let keys: Vec<String> = chosen.into_iter().map(|(key, _)| key).collect();
            let name = self.secret(&name, &keys, &path, span);
            return Some(Kind::Secret(name));
        }
        if let Some(mut claim) = record.record("persistentVolumeClaim", "source", self.notes) {
            let name = claim
                .text("claimName", self.notes)
                .map_or_else(String::new, |name| name.value);
            claim.ignore(&["readOnly"]);
            let (path, span) = (claim.path.clone(), claim.span);
            claim.rest(RULES, self.notes);
            let size = match self.claims.get_mut(&name) {
                Some(found) => {
                    found.users += 1;
                    let (users, size) = (found.users, found.size.clone());
                    if users > 1 {
                        self.rule(&rules::CLAIM_SHARED, &path, span);
                    }
                    size
                }
                None => None,
            };
            let size = size.unwrap_or_else(|| {
                let message = format!(
                    "the claim {} isn't in the manifest, or has no size",
                    quoted(&name)
                );
                self.notes.say(
                    &rules::CLAIM_MISSING,
                    &path,
                    span,
                    message,
                    rules::CLAIM_MISSING.remedy,
                );
                "1Gi".to_owned()
            });
            return Some(Kind::Whole(Item::one("claim", size.into())));
        }
        None
    }

    /// Says that files have one mode, where another one is asked for.
    fn file_mode(&mut self, source: &mut Record) {
        // As readers of YAML 1.1, of 1.2 and of JSON write it.
        const ONE: [&str; 3] = ["0644", "0o644", "420"];
        let mode = source.text("defaultMode", self.notes);
        if let Some(mode) = mode.filter(|mode| !ONE.contains(&mode.value.as_str())) {
            self.rule(&rules::FILE_MODE, &source.at("defaultMode"), mode.span);
        }
    }

    /// The files of a config volume, as a value of the stack.
    pub(super) fn config(files: &[(String, String)]) -> Item {
        let mut map = Map::default();
        for (name, text) in files {
            map.put(name, text.as_str());
        }
        Item::one("config", map.into())
    }

    /// Declares a secret with at least these keys; its name in the stack.
    pub(super) fn secret(&mut self, name: &str, keys: &[String], path: &str, span: Span) -> String {
        let stack_name = crate::import::draft::free(name, |_| false);
        let known = self.secrets.get_mut(name).map(|found| {
            found.used = true;
            (found.keys.clone(), found.span)
        });
        let origin = known.as_ref().map_or(span, |(_, span)| *span);
        let mut all: BTreeSet<String> = known.as_ref().map(|(keys, _)| keys.clone()).unwrap_or_default();
        all.extend(keys.iter().cloned());
        let file = |key: &String| (key.clone(), format!("secrets/{stack_name}/{key}"));
        let is_certificate = |keys: &BTreeSet<String>| {
            keys.contains("tls.crt")
                && keys
                    .iter()
                    .all(|key| matches!(key.as_str(), "tls.crt" | "tls.key"))
        };
        if all.is_empty() {
            if !self.draft.secrets.contains_key(&stack_name) {
                let looks = ["tls", "cert", "ssl"].iter().any(|word| name.contains(word));
                let guess = if looks {
                    Secret::Certificate(vec!["localhost".to_owned()], origin)
                } else {
                    Secret::Files(BTreeMap::from([file(&"value".to_owned())]), origin)
                };
                self.draft.secrets.insert(stack_name.clone(), guess);
                self.guessed.insert(stack_name.clone(), (path.to_owned(), span));
            }
            return stack_name;
        }
        let is_guess = self.guessed.remove(&stack_name).is_some();
        match self.draft.secrets.get_mut(&stack_name) {
            Some(guess @ Secret::Files(..)) if is_guess => {
                *guess = Secret::Files(all.iter().map(file).collect(), origin);
            }
            Some(Secret::Files(files, _)) => files.extend(all.iter().map(file)),
            Some(certificate @ Secret::Certificate(..)) => {
                if !is_certificate(&all) {
                    *certificate = Secret::Files(all.iter().map(file).collect(), origin);
                }
            }
            None => {
                let secret = if is_certificate(&all) {
                    Secret::Certificate(vec!["localhost".to_owned()], origin)
                } else {
                    Secret::Files(all.iter().map(file).collect(), origin)
                };
                self.draft.secrets.insert(stack_name.clone(), secret);
            }
        }
        stack_name
    }

    /// Names a certificate's hosts, now that the services are known, and says how each secret is made.
    pub(super) fn secrets_to_make(&mut self) {
        let services: Vec<String> = self
            .draft
            .services
            .iter()
            .map(|service| service.name.clone())
            .collect();
        for (name, secret) in &mut self.draft.secrets {
            let guess = self.guessed.get(name);
            let message = match (&secret, guess) {
                (Secret::Certificate(..), Some(_)) => {
                    Some(format!("{} was taken for a certificate", quoted(name)))
                }
                (Secret::Files(..), Some(_)) => Some(format!("the keys of {} aren't known", quoted(name))),
                _ => None,
            };
            if let (Some(message), Some((path, span))) = (message, guess) {
                self.notes.say(
                    &rules::SECRET_KEYS,
                    path,
                    *span,
                    message,
                    rules::SECRET_KEYS.remedy,
                );
            }
            match secret {
                Secret::Certificate(names, _) => names.extend(services.iter().cloned()),
                Secret::Files(..) if guess.is_some() => {}
                Secret::Files(files, span) => {
                    let Some((key, path)) = files.iter().next() else {
                        continue;
                    };
                    let more = if files.len() > 1 {
                        ", and the others alike"
                    } else {
                        ""
                    };
                    let message = format!("the values of {} aren't in the stack", quoted(name));
                    let remedy = format!(
                        "mkdir -p secrets/{name}; kubectl get secret {name} -o 'go-template={{{{index .data \"{key}\" | base64decode}}}}' > {path}{more}"
                    );
                    let at = format!("Secret/{name}");
                    self.notes.say(&rules::SECRET_VALUES, &at, *span, message, remedy);
                }
            }
        }
    }

    /// A volume of a draft.
    pub(super) fn drafted(name: &str, value: Item, origin: Span) -> Volume {
        Volume {
            name: name.to_owned(),
            value,
            origin,
            comment: None,
        }
    }
}

/// The keys that a volume chooses, and the files that they become.
fn items(record: &mut Record) -> Option<Vec<(String, String)>> {
    let entry = record.take("items")?;
    let crate::yaml::Content::Sequence(items) = &entry.value.content else {
        return None;
    };
    let text = |item: &crate::yaml::Node, key: &str| {
        let entry = item.get(key)?;
        crate::import::record::text_of(&entry.value).map(str::to_owned)
    };
    Some(
        items
            .iter()
            .filter_map(|item| {
                let key = text(item, "key")?;
                let file = text(item, "path").unwrap_or_else(|| key.clone());
                Some((key, file))
            })
            .collect(),
    )
}
