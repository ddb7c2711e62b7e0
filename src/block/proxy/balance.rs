//! Decides which backend is next, from what is known of each.

/// How requests are spread over backends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Balance {
    /// Each in turn
    RoundRobin,
    /// The one with the fewest requests in flight
    LeastConnections,
    /// The same one for the same client address
    Client,
}

/// What is known of one backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Candidate {
    /// Its checks pass.
    pub ready: bool,
    /// The last attempt to connect failed, a moment ago.
    pub suspect: bool,
    /// This request was sent to it already.
    pub tried: bool,
    /// Requests in flight.
    pub load: usize,
    /// Stands for its address, wherever it is in the list.
    pub key: u64,
}

impl Candidate {
    /// A backend that is not ready gets nothing; a suspect gets what nobody else can take.
    fn tier(self) -> Option<u8> {
        match self {
            Self { ready: false, .. } | Self { tried: true, .. } => None,
            Self { suspect: false, .. } => Some(0),
            Self { suspect: true, .. } => Some(1),
        }
    }
}

/// Chooses a candidate by its place. `turn` counts requests; `client` stands for the client's address.
pub fn choose(
    balance: Balance,
    candidates: impl Iterator<Item = Candidate> + Clone,
    turn: usize,
    client: u64,
) -> Option<usize> {
    let best = candidates.clone().filter_map(Candidate::tier).min()?;
    let tier = candidates
        .enumerate()
        .filter(|(_, candidate)| candidate.tier() == Some(best));
    match balance {
        Balance::RoundRobin => nth(tier, turn),
        Balance::LeastConnections => {
            let least = tier.clone().map(|(_, candidate)| candidate.load).min()?;
            nth(tier.filter(|(_, candidate)| candidate.load == least), turn)
        }
        // Rendezvous hashing: a backend that comes or goes moves only the clients that it takes or leaves.
        Balance::Client => tier
            .max_by_key(|(_, candidate)| mix(client ^ candidate.key))
            .map(|(place, _)| place),
    }
}

fn nth(tier: impl Iterator<Item = (usize, Candidate)> + Clone, turn: usize) -> Option<usize> {
    let count = tier.clone().count();
    tier.map(|(place, _)| place).nth(turn.checked_rem(count)?)
}

/// A number for bytes that is the same in every process (FNV-1a, then mixed).
pub fn key(bytes: &[u8]) -> u64 {
    let hash = bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    mix(hash)
}

/// Spreads every bit over all of them (the finalizer of `SplitMix64`).
pub fn mix(value: u64) -> u64 {
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Balance; 3] = [Balance::RoundRobin, Balance::LeastConnections, Balance::Client];

    /// Every combination of readiness, suspicion, being tried and load, for up to four backends.
    fn worlds() -> impl Iterator<Item = Vec<Candidate>> {
        (0..=4_u32).flat_map(|count| {
            (0..16_usize.pow(count)).map(move |world| {
                (0..count)
                    .map(|place| {
                        let bits = world / 16_usize.pow(place) % 16;
                        Candidate {
                            ready: bits & 1 != 0,
                            suspect: bits & 2 != 0,
                            tried: bits & 4 != 0,
                            load: usize::from(bits & 8 != 0),
                            key: key(&place.to_le_bytes()),
                        }
                    })
                    .collect()
            })
        })
    }

    #[test]
    fn only_a_ready_untried_backend_is_chosen_and_no_suspect_while_another_is_left() {
        for world in worlds() {
            for balance in ALL {
                for turn in 0..5 {
                    let usable = |candidate: &Candidate| candidate.ready && !candidate.tried;
                    let chosen = choose(balance, world.iter().copied(), turn, 7);
                    let Some(chosen) = chosen.map(|place| world[place]) else {
                        assert!(!world.iter().any(usable), "{balance:?} {world:?}");
                        continue;
                    };
                    assert!(usable(&chosen), "{balance:?} {world:?}");
                    let trusted = world
                        .iter()
                        .any(|candidate| usable(candidate) && !candidate.suspect);
                    assert!(!(chosen.suspect && trusted), "{balance:?} {world:?}");
                    if balance == Balance::LeastConnections {
                        let lighter = |other: &Candidate| {
                            usable(other) && other.suspect == chosen.suspect && other.load < chosen.load
                        };
                        assert!(!world.iter().any(lighter), "{world:?}");
                    }
                }
            }
        }
    }

    fn alike(count: u64) -> Vec<Candidate> {
        (0..count)
            .map(|place| Candidate {
                ready: true,
                suspect: false,
                tried: false,
                load: 0,
                key: key(&place.to_le_bytes()),
            })
            .collect()
    }

    #[test]
    fn turns_are_even() {
        for count in 1..=5 {
            let world = alike(count);
            for balance in [Balance::RoundRobin, Balance::LeastConnections] {
                let mut hits = vec![0; world.len()];
                for turn in 0..world.len() * 7 {
                    hits[choose(balance, world.iter().copied(), turn, 0).unwrap()] += 1;
                }
                assert_eq!(hits, vec![7; world.len()], "{balance:?}");
            }
        }
    }

    #[test]
    fn a_client_keeps_its_backend_and_few_move() {
        let five = alike(5);
        let four = &five[..4];
        let place = |world: &[Candidate], client: u64| {
            choose(
                Balance::Client,
                world.iter().copied(),
                0,
                key(&client.to_le_bytes()),
            )
            .unwrap()
        };
        let mut hits = [0_u32; 5];
        for client in 0..10_000 {
            let before = place(&five, client);
            assert_eq!(before, place(&five, client));
            hits[before] += 1;
            if before < 4 {
                assert_eq!(
                    before,
                    place(four, client),
                    "only the clients of the one that left move"
                );
            }
        }
        assert!(hits.iter().all(|hits| (1_800..=2_200).contains(hits)), "{hits:?}");
    }
}
