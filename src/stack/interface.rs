//! What a block takes, as data: the checker knows blocks only through it.

use crate::parameters::Kind;

/// A block: its name and flags.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockInterface {
    /// Its name.
    pub name: String,
    /// Its flags.
    pub flags: Vec<FlagInterface>,
}

/// A flag of a block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlagInterface {
    /// Its name, without `--`.
    pub name: String,
    /// The environment variable that sets it too.
    pub environment: Option<String>,
    /// The kind of its values.
    pub kind: Kind,
    /// What it is one of, where its kind is a choice.
    pub choices: Vec<String>,
    /// Whether it may be given several times.
    pub repeats: bool,
    /// Whether the block can't do without it.
    pub required: bool,
}
