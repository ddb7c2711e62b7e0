//! Assigns requests to arms: named groups of backends, each with a weight. The same key always goes to the same arm.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use hyper::Request;
use hyper::body::Incoming;
use hyper::header::{COOKIE, HeaderMap, HeaderName, HeaderValue};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;

use super::balance::{key, mix};
use super::settings::Group;
use super::shadow::{Copying, Shadows, Tee};

/// Status classes, as metrics name them.
pub const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

/// What keeps a user at an arm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sticky {
    /// Nothing: every request is assigned by chance.
    None,
    /// A header's value.
    Header(HeaderName),
    /// A cookie's value; a client without the cookie is given one.
    Cookie(String),
}

/// How requests are assigned. The place of an arm is that of its group.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The arms' weights.
    pub weights: Vec<u32>,
    /// What keeps a user at an arm.
    pub sticky: Sticky,
    /// Whether the first arm takes what another one can't.
    pub fallback: bool,
    /// Whether responses name their arm.
    pub reveal: bool,
    /// Who gets copies; given it, the first arm answers everything.
    pub tee: Option<Tee>,
}

/// One arm, and what it did.
#[derive(Debug)]
pub struct Arm {
    /// Its name.
    pub name: String,
    /// Its name, where responses carry it.
    pub revealed: Option<HeaderValue>,
    weight: u32,
    key: u64,
    classes: [AtomicU64; CLASSES.len()],
    fallbacks: AtomicU64,
}

impl Arm {
    /// Counts a request that it answered.
    pub fn answered(&self, status: u16) {
        if let Some(count) = class(status).and_then(|class| self.classes.get(class)) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Counts a request that the first arm takes in its place.
    pub fn fell_back(&self) {
        self.fallbacks.fetch_add(1, Ordering::Relaxed);
    }
}

/// The place of a status among the classes.
pub fn class(status: u16) -> Option<usize> {
    usize::from(status / 100).checked_sub(1)
}

/// Every arm.
#[derive(Debug)]
pub struct Arms {
    all: Vec<Arm>,
    sticky: Sticky,
    fallback: bool,
    shadows: Option<Shadows>,
}

impl Arms {
    /// The arms of a plan; `shadows` get copies of what the first one answers.
    pub fn new(plan: &Plan, groups: &[Group], shadows: Option<Shadows>) -> Self {
        let arms = groups.iter().zip(&plan.weights).map(|(group, weight)| Arm {
            revealed: HeaderValue::from_str(&group.name).ok().filter(|_| plan.reveal),
            key: key(group.name.as_bytes()),
            name: group.name.clone(),
            weight: *weight,
            classes: std::array::from_fn(|_| AtomicU64::default()),
            fallbacks: AtomicU64::default(),
        });
        Self {
            all: arms.collect(),
            sticky: plan.sticky.clone(),
            fallback: plan.fallback,
            shadows,
        }
    }

    /// An arm by its place.
    pub fn get(&self, place: usize) -> Option<&Arm> {
        self.all.get(place)
    }

    /// Whether the first arm takes what another one can't.
    pub fn falls_back(&self) -> bool {
        self.fallback
    }

    /// The arm of a request, and the cookie that its client has to be given.
    pub fn assign(&self, headers: &HeaderMap) -> (usize, Option<HeaderValue>) {
        if self.shadows.is_some() {
            return (0, None);
        }
        let known = match &self.sticky {
            Sticky::None => None,
            Sticky::Header(name) => headers
                .get(name)
                .map(HeaderValue::as_bytes)
                .filter(|value| !value.is_empty()),
            Sticky::Cookie(name) => cookie(headers, name),
        };
        if let Some(value) = known {
            return (self.of_key(value), None);
        }
        if let Sticky::Cookie(name) = &self.sticky {
            let value = format!("{:032x}", fastrand::u128(..));
            let set = format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax");
            return (self.of_key(value.as_bytes()), HeaderValue::from_str(&set).ok());
        }
        let weights = self.all.iter().map(|arm| arm.weight);
        let total = weights.clone().map(u64::from).sum::<u64>().max(1);
        (by_chance(weights, fastrand::u64(..total)), None)
    }

    fn of_key(&self, value: &[u8]) -> usize {
        by_key(self.all.iter().map(|arm| (arm.key, arm.weight)), key(value))
    }

    /// The copy of a request that shadows get; `None` where none of them does.
    pub fn copy(&self, request: &Request<Incoming>, declared: Option<u64>, upgrade: bool) -> Option<Copying> {
        self.shadows.as_ref()?.copy(request, declared, upgrade)
    }
}

/// The arm whose share of the weights, one after the other, holds the draw: a number below their sum.
pub fn by_chance(weights: impl Iterator<Item = u32>, draw: u64) -> usize {
    let mut sum = 0;
    let shares = weights.map(|weight| {
        sum += u64::from(weight);
        sum
    });
    shares.take_while(|end| *end <= draw).count()
}

/// The arm of a key, from the keys and weights of the arms. Weighted rendezvous hashing: an arm whose weight changes
/// only takes keys or only gives keys, and no key moves between two others.
pub fn by_key(arms: impl Iterator<Item = (u64, u32)>, key: u64) -> usize {
    let mut best = (0, f64::INFINITY);
    for (place, (arm, weight)) in arms.enumerate() {
        if weight == 0 {
            continue;
        }
        let high = u32::try_from(mix(key ^ arm) >> 32).unwrap_or(u32::MAX);
        let uniform = (f64::from(high) + 0.5) / 4_294_967_296.0;
        let score = -uniform.ln() / f64::from(weight);
        if score < best.1 {
            best = (place, score);
        }
    }
    best.0
}

/// A cookie's value; an empty one is none.
fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a [u8]> {
    let pairs = headers
        .get_all(COOKIE)
        .iter()
        .flat_map(|field| field.as_bytes().split(|byte| *byte == b';'));
    let mut values = pairs.filter_map(|pair| {
        let pair = pair.trim_ascii();
        let value = pair.strip_prefix(name.as_bytes())?.strip_prefix(b"=")?;
        (!value.is_empty()).then_some(value)
    });
    values.next()
}

/// Shows in `/metrics` what the arms did.
#[derive(Debug)]
pub struct ArmMetrics(pub Arc<Arms>);

impl Collector for ArmMetrics {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), std::fmt::Error> {
        let arms = &self.0;
        let mut requests = encoder.encode_descriptor(
            "motif_backend_requests",
            "Requests answered, by who they were passed on to and the class of their status",
            None,
            MetricType::Counter,
        )?;
        for arm in &arms.all {
            for (class, count) in CLASSES.iter().zip(&arm.classes) {
                let labels = [("name", arm.name.as_str()), ("class", class)];
                ConstCounter::new(count.load(Ordering::Relaxed)).encode(requests.encode_family(&labels)?)?;
            }
        }
        if let Some(shadows) = &arms.shadows {
            return shadows.encode(encoder);
        }
        let mut fallbacks = encoder.encode_descriptor(
            "motif_fallbacks",
            "Requests that the first backend took, because theirs could not",
            None,
            MetricType::Counter,
        )?;
        for arm in arms.all.iter().skip(1) {
            let labels = [("name", arm.name.as_str())];
            ConstCounter::new(arm.fallbacks.load(Ordering::Relaxed))
                .encode(fallbacks.encode_family(&labels)?)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arms(list: &[(&str, u32)]) -> Vec<(u64, u32)> {
        list.iter()
            .map(|(name, weight)| (key(name.as_bytes()), *weight))
            .collect()
    }

    fn place(arms: &[(u64, u32)], user: u32) -> usize {
        by_key(arms.iter().copied(), key(format!("user-{user}").as_bytes()))
    }

    const USERS: u32 = 100_000;

    fn hits(arms: &[(u64, u32)]) -> Vec<f64> {
        let mut hits = vec![0.0; arms.len()];
        for user in 0..USERS {
            hits[place(arms, user)] += 1.0;
        }
        hits
    }

    #[test]
    fn keys_are_spread_by_weight() {
        for weights in [[9, 1, 0], [1, 1, 1], [50, 30, 20], [0, 0, 7]] {
            let arms = arms(&[("web", weights[0]), ("new", weights[1]), ("other", weights[2])]);
            let total = f64::from(weights.iter().sum::<u32>());
            for (hits, weight) in hits(&arms).into_iter().zip(weights) {
                let share = f64::from(weight) / total;
                let sigma = (f64::from(USERS) * share * (1.0 - share)).sqrt();
                let distance = (hits - f64::from(USERS) * share).abs();
                assert!(distance <= 5.0 * sigma, "{weights:?}: {hits} hits");
            }
        }
    }

    #[test]
    fn a_weight_that_changes_moves_keys_only_to_or_from_its_arm() {
        let before = arms(&[("web", 80), ("new", 10), ("other", 10)]);
        let grown = arms(&[("web", 80), ("new", 20), ("other", 10)]);
        let mut moved = 0;
        for user in 0..USERS {
            let (old, new) = (place(&before, user), place(&grown, user));
            if old != new {
                assert_eq!(new, 1, "only the arm that grew takes keys");
                moved += 1;
            }
        }
        // From a tenth to two elevenths: as few as make the difference.
        let expect = f64::from(USERS) * (20.0 / 110.0 - 0.1);
        assert!((f64::from(moved) - expect).abs() < 5.0 * expect.sqrt(), "{moved}");
    }

    #[test]
    fn the_order_of_arms_means_nothing_to_a_key() {
        let one = arms(&[("web", 3), ("new", 1)]);
        let other = arms(&[("new", 1), ("web", 3)]);
        for user in 0..1_000 {
            assert_eq!(place(&one, user), 1 - place(&other, user));
        }
    }

    #[test]
    fn every_draw_has_its_arm() {
        let weights = [2, 0, 3];
        let places: Vec<_> = (0..5).map(|draw| by_chance(weights.into_iter(), draw)).collect();
        assert_eq!(places, [0, 0, 2, 2, 2]);
    }

    #[test]
    fn a_cookie_is_found_among_others() {
        let check = |fields: &[&'static str], expect: Option<&str>| {
            let mut headers = HeaderMap::new();
            for field in fields {
                headers.append(COOKIE, HeaderValue::from_static(field));
            }
            let found = cookie(&headers, "user").map(String::from_utf8_lossy);
            assert_eq!(found.as_deref(), expect, "{fields:?}");
        };
        check(&[], None);
        check(&["user=a"], Some("a"));
        check(&["x=1; user=a=b; y=2"], Some("a=b"));
        check(&["x=1", "y=2;user=c"], Some("c"));
        check(&["user=", "superuser=a", "user", "users=1"], None);
        check(&["User=a"], None);
    }
}
