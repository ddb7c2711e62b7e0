//! Chooses the key of each question: in turn, or by Zipf's law.

/// How keys are chosen.
#[derive(Debug)]
pub struct Keys {
    count: u64,
    /// How many of 2^64 questions have this key or an earlier one; empty is in turn.
    bounds: Vec<f64>,
    seed: u64,
}

impl Keys {
    /// `count` keys; 0 is one for each question.
    pub fn new(count: u32, skew: f64, seed: u64) -> Self {
        let mut bounds = Vec::new();
        if skew > 0.0 && count > 0 {
            let weights = (1..=count).map(|rank| f64::from(rank).powf(-skew));
            let whole: f64 = weights.clone().sum();
            let mut sum = 0.0;
            bounds.extend(weights.map(|weight| {
                sum += weight / whole;
                sum
            }));
        }
        Self {
            count: u64::from(count),
            bounds,
            seed,
        }
    }

    /// The key of a question.
    pub fn key(&self, n: u64) -> String {
        let index = if self.count == 0 {
            n
        } else if self.bounds.is_empty() {
            n % self.count
        } else {
            let chance = fastrand::Rng::with_seed(self.seed ^ n.wrapping_mul(0x9E37_79B9_7F4A_7C15)).f64();
            let found = self.bounds.partition_point(|bound| *bound < chance);
            (found as u64).min(self.count - 1)
        };
        format!("key-{index}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn keys_come_in_turn() {
        let keys = Keys::new(3, 0.0, 1);
        let chosen: Vec<String> = (0..4).map(|n| keys.key(n)).collect();
        assert_eq!(chosen, ["key-0", "key-1", "key-2", "key-0"]);
        assert_eq!(Keys::new(0, 0.0, 1).key(7), "key-7");
    }

    #[test]
    fn a_skew_prefers_the_first_keys_and_the_seed_decides() {
        let count = |seed| {
            let keys = Keys::new(100, 1.0, seed);
            let mut counts: BTreeMap<String, u32> = BTreeMap::new();
            for n in 0..5000 {
                *counts.entry(keys.key(n)).or_default() += 1;
            }
            counts
        };
        let counts = count(1);
        // A fifth of all questions, by the law: 1 / H(100).
        let first = counts["key-0"];
        assert!((800..1150).contains(&first), "{first}");
        assert!(counts["key-1"] < first);
        assert_eq!(counts, count(1));
        assert_ne!(counts, count(2));
    }
}
