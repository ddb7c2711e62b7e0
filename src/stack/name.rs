//! A DNS label, checked once.

use std::fmt;

/// A DNS label (RFC 1123): 1 to 63 of `a-z`, `0-9` and `-`, starting and ending with a letter or digit.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(String);

impl Name {
    /// Checks a text; `None` when it is not a DNS label.
    pub fn new(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        let inner = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let valid = (1..=63).contains(&bytes.len())
            && bytes.iter().all(|byte| inner(byte) || *byte == b'-')
            && bytes.first().is_some_and(inner)
            && bytes.last().is_some_and(inner);
        valid.then(|| Self(text.to_owned()))
    }

    /// Turns any text into the nearest label: for "did you mean" and for default names.
    pub fn nearest(text: &str) -> Option<Self> {
        let mapped: String = text
            .chars()
            .map(|character| match character.to_ascii_lowercase() {
                kept @ ('a'..='z' | '0'..='9') => kept,
                _ => '-',
            })
            .collect();
        let cut: String = mapped.trim_matches('-').chars().take(63).collect();
        Self::new(cut.trim_end_matches('-'))
    }

    /// The label.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::borrow::Borrow<str> for Name {
    fn borrow(&self) -> &str {
        &self.0
    }
}
