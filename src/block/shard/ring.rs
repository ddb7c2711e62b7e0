//! Decides which shard owns a key, from the shards' names and weights alone.

use crate::block::proxy::hash;

/// Points on the ring for each unit of weight: more of them spread keys more evenly.
const POINTS: u32 = 512;
/// The largest weight of all shards together.
pub const MOST_WEIGHT: u32 = 4096;

/// How keys are mapped to shards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Hash {
    /// Points on a ring: a shard that is added takes keys, and no other key moves
    Ketama,
    /// Hash modulo the number of shards: nearly every key moves; for comparison only
    Modulo,
}

/// The owners of all keys.
///
/// Invariant: `points` is in order. A shard's points depend on its own name and weight only; that is why a key
/// moves only to a shard that is added, or from one that is removed.
#[derive(Debug)]
pub struct Ring {
    hash: Hash,
    points: Vec<(u64, u16)>,
    /// One entry for each unit of weight, for `Hash::Modulo`.
    slots: Vec<u16>,
}

/// The ring of these shards; a name stands for the same points wherever it is in the list.
pub fn ring(hash_kind: Hash, shards: &[(&str, u32)]) -> Ring {
    let mut points = Vec::new();
    let mut slots = Vec::new();
    for (shard, (name, weight)) in (0..).zip(shards) {
        slots.extend(std::iter::repeat_n(
            shard,
            usize::try_from(*weight).unwrap_or_default(),
        ));
        if hash_kind == Hash::Ketama {
            points.extend(
                (0..weight * POINTS).map(|point| (hash(format!("{name}-{point}").as_bytes()), shard)),
            );
        }
    }
    // Where two shards want one point, the order of names decides, not that of the list.
    points.sort_unstable_by_key(|(point, shard)| (*point, shards[usize::from(*shard)].0));
    Ring {
        hash: hash_kind,
        points,
        slots,
    }
}

impl Ring {
    /// The shard that owns a key, of those that are in; nothing where none is.
    pub fn owner(&self, key: &[u8], is_in: impl Fn(usize) -> bool) -> Option<usize> {
        let value = hash(key);
        match self.hash {
            Hash::Ketama => {
                let place = self.points.partition_point(|(point, _)| *point < value);
                let (before, after) = self.points.split_at(place);
                let mut around = after.iter().chain(before).map(|(_, shard)| usize::from(*shard));
                around.find(|shard| is_in(*shard))
            }
            Hash::Modulo => {
                let slots = self.slots.iter().map(|shard| usize::from(*shard));
                let count = slots.clone().filter(|shard| is_in(*shard)).count() as u64;
                let place = usize::try_from(value.checked_rem(count)?).ok()?;
                slots.filter(|shard| is_in(*shard)).nth(place)
            }
        }
    }
}

/// The part of a key that decides: what stands in its first braces, if anything does, as in Redis Cluster.
pub fn tag(key: &[u8]) -> &[u8] {
    let Some(open) = key.iter().position(|byte| *byte == b'{') else {
        return key;
    };
    let after = &key[open + 1..];
    match after.iter().position(|byte| *byte == b'}') {
        Some(length @ 1..) => &after[..length],
        _ => key,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KEYS: usize = 20_000;

    fn owners(hash: Hash, shards: &[(&str, u32)]) -> Vec<String> {
        let ring = ring(hash, shards);
        (0..KEYS)
            .map(|key| {
                let owner = ring.owner(format!("user:{key}").as_bytes(), |_| true);
                shards[owner.unwrap()].0.to_owned()
            })
            .collect()
    }

    fn names(count: usize) -> Vec<String> {
        (0..count).map(|number| format!("shard-{number}")).collect()
    }

    fn equal(names: &[String]) -> Vec<(&str, u32)> {
        names.iter().map(|name| (name.as_str(), 1)).collect()
    }

    #[test]
    fn from_n_to_one_more_every_key_that_moves_moves_to_the_new_one() {
        let names = names(9);
        for count in 1..9 {
            let before = owners(Hash::Ketama, &equal(&names[..count]));
            let after = owners(Hash::Ketama, &equal(&names[..=count]));
            let moved: Vec<_> = before
                .iter()
                .zip(&after)
                .filter(|(old, new)| old != new)
                .collect();
            assert!(moved.iter().all(|(_, new)| **new == names[count]));
            // A fair share of all keys, within a fifth of it.
            let times = moved.len() * (count + 1);
            assert!(
                (KEYS * 4 / 5..=KEYS * 6 / 5).contains(&times),
                "{count}: {} moved",
                moved.len()
            );
        }
    }

    #[test]
    fn modulo_moves_keys_between_old_shards() {
        let names = names(4);
        let before = owners(Hash::Modulo, &equal(&names[..3]));
        let after = owners(Hash::Modulo, &equal(&names));
        let astray = before
            .iter()
            .zip(&after)
            .filter(|(old, new)| old != new && **new != names[3])
            .count();
        assert!(astray > 9_000, "{astray}");
    }

    #[test]
    fn weights_are_shares() {
        for hash in [Hash::Ketama, Hash::Modulo] {
            let owners = owners(hash, &[("a", 1), ("b", 2), ("c", 5)]);
            for (name, weight) in [("a", 1), ("b", 2), ("c", 5)] {
                let count = owners.iter().filter(|owner| *owner == name).count();
                let fair = KEYS * weight / 8;
                let close = fair * 85 / 100..=fair * 115 / 100;
                assert!(close.contains(&count), "{hash:?} {name}: {count} of {fair}");
            }
        }
    }

    /// What every ambassador of every version must agree on: changing it moves the keys of all users.
    #[test]
    fn owners_are_the_same_in_every_process_and_version() {
        let names = names(4);
        let owners = owners(Hash::Ketama, &equal(&names));
        let digits: String = owners[..48].iter().map(|name| &name[6..]).collect();
        assert_eq!(digits, "013023023322112302221221331210223100013032213100");
    }

    #[test]
    fn without_a_shard_only_its_keys_move() {
        let names = names(5);
        let shards = equal(&names);
        for hash in [Hash::Ketama, Hash::Modulo] {
            let ring = ring(hash, &shards);
            for key in 0..KEYS {
                let key = key.to_le_bytes();
                let whole = ring.owner(&key, |_| true).unwrap();
                let left = ring.owner(&key, |shard| shard != 2).unwrap();
                assert_ne!(left, 2);
                if hash == Hash::Ketama && whole != 2 {
                    assert_eq!(whole, left);
                }
            }
            assert_eq!(ring.owner(b"x", |_| false), None);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn the_order_of_the_list_does_not_count(key in ".*", mut shards in prop::collection::btree_map("[a-z]{1,8}", 1..4_u32, 1..8).prop_map(|map| map.into_iter().collect::<Vec<_>>()).prop_shuffle()) {
            let name = |shards: &[(String, u32)]| {
                let list: Vec<_> = shards.iter().map(|(name, weight)| (name.as_str(), *weight)).collect();
                let owner = ring(Hash::Ketama, &list).owner(key.as_bytes(), |_| true).unwrap();
                shards[owner].0.clone()
            };
            let shuffled = name(&shards);
            shards.sort();
            prop_assert_eq!(shuffled, name(&shards));
        }
    }

    #[test]
    fn a_tag_is_what_stands_in_the_first_braces() {
        for (key, expect) in [
            ("user", "user"),
            ("{user}:1", "user"),
            ("a{b}c{d}", "b"),
            ("a{}b", "a{}b"),
            ("a{b", "a{b"),
            ("a}b{c}", "c"),
            ("{{b}}", "{b"),
        ] {
            assert_eq!(tag(key.as_bytes()), expect.as_bytes(), "{key}");
        }
    }
}
