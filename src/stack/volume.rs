//! What containers of a pod share on disk.

use std::collections::BTreeMap;

use super::{Bytes, Name, Place};

/// A volume of a pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Volume {
    /// Where it was declared.
    pub place: Place,
    /// What it holds.
    pub kind: VolumeKind,
}

/// What a volume holds and how long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VolumeKind {
    /// Empty at first, lives as long as the replica.
    Empty {
        /// Most that it may hold.
        size: Option<Bytes>,
    },
    /// Like `Empty`, in memory.
    Tmpfs {
        /// Most that it may hold.
        size: Option<Bytes>,
    },
    /// Survives the pod. One for all replicas; in a stable pod one for each.
    Claim {
        /// The claim's size, for a cluster.
        size: Bytes,
    },
    /// Files written in, or beside, the stack.
    Config {
        /// File name to content; a name has no `/`.
        files: BTreeMap<String, ConfigFile>,
    },
    /// The keys of a secret as files.
    Secret {
        /// The secret's name.
        secret: Name,
    },
}

/// A file of a config volume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigFile {
    /// Its bytes.
    pub content: Vec<u8>,
    /// The path that it was read from, relative to the project; `None` when written inline.
    pub path: Option<String>,
}
