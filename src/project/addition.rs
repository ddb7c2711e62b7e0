//! What `motif add` wrote, so that `motif remove` can take exactly that away.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::RelativePath;

/// Where the records are.
pub const RECORDS: &str = ".motif/added";

/// The longest text that is kept whole, so that a change of it can be shown.
const KEPT: usize = 64 << 10;

/// A pattern in a pod, and the files that it is made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Addition {
    /// The pattern.
    pub pattern: String,
    /// Its version.
    pub version: u32,
    /// The pod.
    pub pod: String,
    /// What was asked, and answered.
    pub answers: BTreeMap<String, String>,
    /// The stack that includes the fragment.
    pub stack: String,
    /// What was inserted into it.
    pub inserted: String,
    /// The files, as they were written.
    pub files: BTreeMap<String, Written>,
    /// The folders that were made for them, inner ones first.
    pub folders: Vec<String>,
}

/// A file as it was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Written {
    /// Its SHA-256, in hexadecimal.
    pub sha256: String,
    /// The text itself, unless it is long or none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

impl Written {
    /// The record of a file.
    pub fn of(bytes: &[u8]) -> Self {
        let text = std::str::from_utf8(bytes).ok().filter(|text| text.len() <= KEPT);
        Self {
            sha256: digest(bytes),
            text: text.map(str::to_owned),
        }
    }

    /// Whether these are the bytes that were written.
    pub fn is(&self, bytes: &[u8]) -> bool {
        self.sha256 == digest(bytes)
    }
}

fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
}

impl Addition {
    /// Where the fragment of a pattern in a pod is written.
    pub fn fragment_of(pattern: &str, pod: &str) -> String {
        format!("{}.yaml", Self::folder_of(pattern, pod))
    }

    /// Where its other files are written.
    pub fn folder_of(pattern: &str, pod: &str) -> String {
        format!("motif.{}.{pod}", pattern.replace('/', "-"))
    }

    /// Where its record is written.
    pub fn record_of(pattern: &str, pod: &str) -> String {
        format!("{RECORDS}/{}.{pod}.json", pattern.replace('/', "-"))
    }

    /// The fragment.
    pub fn fragment(&self) -> String {
        Self::fragment_of(&self.pattern, &self.pod)
    }

    /// The record's path.
    pub fn record(&self) -> String {
        Self::record_of(&self.pattern, &self.pod)
    }

    /// The record's text.
    pub fn to_text(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).unwrap_or_default();
        text.push('\n');
        text
    }

    /// Reads a record. Whatever it says, it is only about files that an addition can have.
    pub fn read(path: &str, bytes: &[u8]) -> Result<Self, String> {
        let found: Self = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        let folder = Self::folder_of(&found.pattern, &found.pod);
        let (fragment, inner) = (found.fragment(), format!("{folder}/"));
        let is_own = |path: &String| *path == fragment || path.starts_with(&inner);
        let is_made = |path: &String| {
            *path == folder || path.starts_with(&inner) || path == RECORDS || path == ".motif"
        };
        if found.record() != path {
            return Err("it is the record of another addition".to_owned());
        }
        let wrong = found
            .files
            .keys()
            .filter(|path| !is_own(path))
            .chain(found.folders.iter().filter(|path| !is_made(path)))
            .chain(
                found
                    .files
                    .keys()
                    .chain(&found.folders)
                    .chain([&found.stack])
                    .filter(|path| RelativePath::new(path).is_err()),
            )
            .next();
        match wrong {
            Some(path) => Err(format!("an addition has no file {path:?}")),
            None => Ok(found),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addition() -> Addition {
        Addition {
            pattern: "sidecar/tls".to_owned(),
            version: 1,
            pod: "web".to_owned(),
            answers: BTreeMap::new(),
            stack: "stack.yaml".to_owned(),
            inserted: "include: []".to_owned(),
            files: BTreeMap::from([
                ("motif.sidecar-tls.web.yaml".to_owned(), Written::of(b"a")),
                ("motif.sidecar-tls.web/b".to_owned(), Written::of(b"\xff")),
            ]),
            folders: vec!["motif.sidecar-tls.web".to_owned(), RECORDS.to_owned()],
        }
    }

    #[test]
    fn a_record_is_read_as_it_is_written() {
        let written = addition();
        let read = Addition::read(".motif/added/sidecar-tls.web.json", written.to_text().as_bytes());
        assert_eq!(read, Ok(written));
    }

    #[test]
    fn a_record_is_about_its_own_files_only() {
        let path = ".motif/added/sidecar-tls.web.json";
        let refused = |change: fn(&mut Addition)| {
            let mut addition = addition();
            change(&mut addition);
            Addition::read(path, addition.to_text().as_bytes()).is_err()
        };
        assert!(refused(|addition| {
            addition.files.insert("src/main.rs".to_owned(), Written::of(b""));
        }));
        assert!(refused(|addition| {
            let path = "motif.sidecar-tls.web/../src/main.rs".to_owned();
            addition.files.insert(path, Written::of(b""));
        }));
        assert!(refused(|addition| addition.folders.push("src".to_owned())));
        assert!(refused(|addition| addition.stack = "../stack.yaml".to_owned()));
        assert!(refused(|addition| addition.pod = "other".to_owned()));
        assert!(Addition::read(path, b"{}").is_err());
    }
}
