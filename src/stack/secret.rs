//! Secrets: names and keys, never values.

use std::collections::BTreeMap;

use super::Place;

/// A secret of the stack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Secret {
    /// Where it was declared.
    pub place: Place,
    /// Where its values come from.
    pub source: SecretSource,
}

/// Where a secret's values come from on this machine. A cluster has its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretSource {
    /// Key to a file's path, relative to the project.
    Files(BTreeMap<String, String>),
    /// A self-signed certificate for development (`tls.crt`, `tls.key`), made by `motif up`
    /// on first use, kept under `.motif/secrets/`.
    Certificate {
        /// DNS names and addresses that it is valid for.
        names: Vec<String>,
    },
}
