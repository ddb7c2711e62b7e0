//! Turns YAML into nodes that know their place, nodes into typed records, and values into YAML.
//!
//! The only user of the YAML crates.
//! What is read is YAML 1.2's core schema, strictly: a plain scalar keeps its text until a type asks for it,
//! so `no`, `on`, `010` and `1e3` are texts where a text is wanted and errors where another type is.
//! What is written reads the same to YAML 1.1 readers (kubectl, `PyYAML`) and YAML 1.2 readers.

mod decode;
mod node;
mod read;
mod record;
mod scalar;
mod write;

pub use decode::{Decode, Decoder, Field, List, Map, MapEntry, Shorthand, Spanned};
pub use node::{Content, Entry, Node};
pub use read::{LARGEST_INPUT, NODES, read, read_documents};
pub use record::schema_with_description;
pub(crate) use record::{record, words};
pub use scalar::{Anything, Boolean, Text, Whole, boolean, number, whole};
pub use write::{Error, to_string, to_string_multiple};
