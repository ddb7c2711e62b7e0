//! Turns config volumes into config maps, and hashes them so that a change rolls the pods.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use sha2::{Digest, Sha256};

use crate::stack::{ConfigFile, PodSpec, VolumeKind};

/// The files of a config map.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConfigMapData {
    /// Text by key.
    pub data: BTreeMap<String, String>,
    /// Base64 of everything else, by key.
    pub binary_data: BTreeMap<String, String>,
}

impl ConfigMapData {
    /// How many bytes its texts have in JSON, nearly.
    pub fn size(&self) -> usize {
        let escaped = |text: &String| {
            let short = text
                .bytes()
                .filter(|byte| matches!(byte, b'"' | b'\\' | b'\n' | b'\t' | b'\r'));
            text.len() + short.count()
        };
        let texts = self.data.values().map(escaped).sum::<usize>();
        texts + self.binary_data.values().map(String::len).sum::<usize>()
    }
}

/// Turns files into a config map. Their names are its keys: the stack keeps to Kubernetes' rule.
pub fn config_map(files: &BTreeMap<String, ConfigFile>) -> ConfigMapData {
    let mut result = ConfigMapData::default();
    for (name, file) in files {
        match readable(&file.content) {
            Some(text) => drop(result.data.insert(name.clone(), text.to_owned())),
            None => drop(
                result
                    .binary_data
                    .insert(name.clone(), BASE64_STANDARD.encode(&file.content)),
            ),
        }
    }
    result
}

/// Text that survives every YAML reader; a control character isn't worth the risk.
fn readable(content: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(content).ok()?;
    let strange = |character: char| character.is_control() && !matches!(character, '\n' | '\t' | '\r');
    (!text.contains(strange)).then_some(text)
}

/// A hash of everything in the config volumes of a pod; `None` when it has none.
pub fn hash(spec: &PodSpec) -> Option<String> {
    let mut hasher = Sha256::new();
    let mut found = false;
    let mut add = |bytes: &[u8]| {
        hasher.update((bytes.len() as u64).to_be_bytes());
        hasher.update(bytes);
    };
    for (name, volume) in &spec.volumes {
        if let VolumeKind::Config { files } = &volume.kind {
            found = true;
            add(name.as_str().as_bytes());
            add(&(files.len() as u64).to_be_bytes());
            for (path, file) in files {
                add(path.as_bytes());
                add(&file.content);
            }
        }
    }
    found.then(|| hex(hasher.finalize()))
}

fn hex(bytes: impl AsRef<[u8]>) -> String {
    use std::fmt::Write;
    bytes.as_ref().iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
