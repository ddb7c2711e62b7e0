//! An image's name, checked once.

use std::fmt;

/// An image's name: `[registry/]repository[:tag][@digest]`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ImageReference(String);

impl ImageReference {
    /// Checks a text against the grammar of image references; `None` when it is not one.
    pub fn new(text: &str) -> Option<Self> {
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => (rest, Some(digest)),
            None => (text, None),
        };
        let digest_is_valid = digest.is_none_or(|digest| {
            digest.split_once(':').is_some_and(|(algorithm, hex)| {
                !algorithm.is_empty() && hex.len() >= 32 && hex.bytes().all(|byte| byte.is_ascii_hexdigit())
            })
        });
        let (path, tag) = match rest.rsplit_once(':') {
            Some((path, tag)) if !tag.contains('/') => (path, Some(tag)),
            _ => (rest, None),
        };
        let word = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
        let tag_is_valid = tag.is_none_or(|tag| {
            (1..=128).contains(&tag.len()) && tag.bytes().all(word) && !tag.starts_with(['.', '-'])
        });
        let mut components = path.split('/').enumerate().peekable();
        let mut path_is_valid = !path.is_empty() && path.len() <= 255;
        while let Some((index, component)) = components.next() {
            let is_registry = index == 0
                && components.peek().is_some()
                && (component.contains(['.', ':']) || component == "localhost");
            let inner = |byte: u8| {
                byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'.' | b'_' | b'-')
            };
            let edge = |byte: Option<&u8>| {
                byte.is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
            };
            path_is_valid &= if is_registry {
                component.bytes().all(|byte| {
                    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b':' | b'[' | b']')
                })
            } else {
                component.bytes().all(inner)
                    && edge(component.as_bytes().first())
                    && edge(component.as_bytes().last())
            };
        }
        (digest_is_valid && tag_is_valid && path_is_valid).then(|| Self(text.to_owned()))
    }

    /// The reference as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ImageReference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}
