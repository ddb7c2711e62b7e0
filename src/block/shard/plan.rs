//! What is done with a request, as data; and how the answers of several shards become one.

use super::memcached;
use super::redis;

/// What is done with a request.
#[derive(Debug, PartialEq, Eq)]
pub enum Plan {
    /// Nothing, and nothing is answered.
    Nothing,
    /// It is answered here.
    Answer(Vec<u8>),
    /// It is answered here, and the connection ends.
    Close(Vec<u8>),
    /// It goes to one shard as it came.
    Pass(usize),
    /// It goes to one shard in other words; what comes back is for nobody.
    Silent(Vec<Part>),
    /// It goes to several shards, or in other words, and the answers are joined.
    Spread(Vec<Part>, Join),
}

/// What one shard is asked.
#[derive(Debug, PartialEq, Eq)]
pub struct Part {
    /// The shard.
    pub shard: usize,
    /// The request.
    pub bytes: Vec<u8>,
}

/// How answers become one.
#[derive(Debug, PartialEq, Eq)]
pub enum Join {
    /// There is only one.
    Only,
    /// Redis: numbers are added up.
    Sum,
    /// All are the same: the first.
    Same,
    /// Redis: arrays, whose elements are taken in this order of parts.
    Array(Vec<u32>),
    /// Redis: arrays, one after the other.
    Concatenation,
    /// Redis: the answer to a scan of this shard, of so many.
    Cursor(usize, usize),
    /// Memcached: values in the order of their keys, each with the part that has it, if any does.
    Values(Vec<(Vec<u8>, u32)>),
}

impl Join {
    /// One answer from those of the parts.
    pub fn join(&self, parts: Vec<Vec<u8>>) -> Vec<u8> {
        match self {
            Self::Only => parts.into_iter().next().unwrap_or_default(),
            Self::Values(order) => memcached::join_values(order, &parts),
            Self::Same if parts.iter().all(|part| *part == parts[0]) => {
                parts.into_iter().next().unwrap_or_default()
            }
            // Those that differ are errors, and the first of them says why.
            Self::Same => {
                let known: [&[u8]; 2] = [b"+OK\r\n", b"OK\r\n"];
                let error = parts.into_iter().find(|part| !known.contains(&part.as_slice()));
                error.unwrap_or_default()
            }
            _ => redis::join(self, parts),
        }
    }
}

/// Gathers arguments by shard, in the order in which shards are first named.
#[derive(Debug, Default)]
pub struct Groups<'a> {
    groups: Vec<(usize, Vec<&'a [u8]>)>,
}

impl<'a> Groups<'a> {
    /// Adds arguments for a shard; says which part they are of.
    pub fn add(&mut self, shard: usize, arguments: &[&'a [u8]]) -> u32 {
        let known = self.groups.iter().position(|(known, _)| *known == shard);
        let place = known.unwrap_or_else(|| {
            self.groups.push((shard, Vec::new()));
            self.groups.len() - 1
        });
        self.groups[place].1.extend_from_slice(arguments);
        u32::try_from(place).unwrap_or(u32::MAX)
    }

    /// The shard, where there is only one.
    pub fn only(&self) -> Option<usize> {
        match self.groups.as_slice() {
            [(shard, _)] => Some(*shard),
            _ => None,
        }
    }

    /// What each shard is asked.
    pub fn parts(&self, write: impl Fn(&[&[u8]]) -> Vec<u8>) -> Vec<Part> {
        let part = |(shard, arguments): &(usize, Vec<&[u8]>)| Part {
            shard: *shard,
            bytes: write(arguments),
        };
        self.groups.iter().map(part).collect()
    }
}
