//! Compares samples and looks with what a promise expects.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::report::Figure;
use crate::block::load::{Sample, is_status};
use crate::stack::promise::{Amount, Load, Part, Promise, Target, Which};

/// How many standard deviations of the binomial distribution are allowed: one in sixteen thousand is outside.
const DEVIATIONS: f64 = 4.0;
/// As many examples of what is wrong as a person wants.
const EXAMPLES: usize = 3;

/// What was seen.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    /// Questions and answers.
    pub samples: Vec<Sample>,
    /// The containers that there were at the beginning.
    pub lives: Vec<Life>,
    /// Looks at answers and files.
    pub looks: Vec<Figure>,
    /// The keys that stand where each has to stand once.
    pub keys: Option<Keys>,
}

/// A container, and whether it started anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Life {
    /// Its pod.
    pub pod: String,
    /// Its replica, from 0.
    pub replica: u32,
    /// Its name in the pod.
    pub container: String,
    /// Whether it started anew.
    pub anew: bool,
}

impl Life {
    fn is_of(&self, target: &Target) -> bool {
        let has_index = match target.which {
            Which::Index(index) => index == self.replica,
            Which::Any | Which::All | Which::Role(_) => true,
        };
        let container = target.container.as_ref();
        target.pod.as_str() == self.pod
            && has_index
            && container.is_none_or(|container| container.as_str() == self.container)
    }
}

/// Keys and how often each was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Keys(pub BTreeMap<String, u64>);

impl Keys {
    /// What was added to an earlier count.
    #[must_use]
    pub fn without(mut self, earlier: &Self) -> Self {
        for (key, count) in &mut self.0 {
            *count = count.saturating_sub(earlier.0.get(key).copied().unwrap_or(0));
        }
        self
    }

    /// Those of these that are missing, and those that stand more than once.
    pub fn faults<'a>(&'a self, wanted: &BTreeSet<&'a str>) -> (Vec<&'a str>, Vec<&'a str>) {
        let count = |key: &str| self.0.get(key).copied().unwrap_or(0);
        let missing = wanted.iter().copied().filter(|key| count(key) == 0).collect();
        let doubled = wanted.iter().copied().filter(|key| count(key) > 1).collect();
        (missing, doubled)
    }
}

/// How many questions a load asks.
pub fn questions(load: &Load) -> u64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "at most a million, and none is less than nothing"
    )]
    let count = (load.rate * load.time.as_secs_f64()).round() as u64;
    count
}

#[expect(
    clippy::cast_precision_loss,
    reason = "counts of questions are far below 2^52"
)]
fn number(count: u64) -> f64 {
    count as f64
}

fn count<T>(items: impl IntoIterator<Item = T>) -> u64 {
    items.into_iter().count() as u64
}

/// What a promise expects, each with what was seen of it.
pub fn judge(promise: &Promise, seen: &Seen) -> Vec<Figure> {
    let mut figures = Vec::new();
    if let Some(load) = &promise.load {
        of_load(promise, load, &seen.samples, &mut figures);
        of_who(promise, load, &seen.samples, &mut figures);
    }
    if let (Some(_), Some(keys)) = (&promise.expect.once, &seen.keys) {
        figures.push(once(&seen.samples, keys));
    }
    for (targets, anew) in [(&promise.expect.restarted, true), (&promise.expect.kept, false)] {
        for target in targets {
            let mut lives = seen.lives.iter().filter(|life| life.is_of(target)).peekable();
            if lives.peek().is_none() {
                figures.push(Figure::new(format!("no container is `{target}`"), false));
            }
            figures.extend(lives.map(|life| {
                let text = if life.anew { "started anew" } else { "ran on" };
                let name = format!("{}/{}/{}", life.pod, life.replica, life.container);
                Figure::new(format!("{name} {text}"), life.anew == anew)
            }));
        }
    }
    figures.extend(seen.looks.iter().cloned());
    figures
}

fn most(found: u64, whole: u64, what: &str, most: Amount) -> Figure {
    let text = format!("{found} of {whole} {what}");
    let is_kept = most.allows(found, whole);
    let figure = Figure::new(text, is_kept);
    if is_kept {
        figure
    } else {
        figure.wanted(format!("at most {most}"))
    }
}

fn of_load(promise: &Promise, load: &Load, samples: &[Sample], figures: &mut Vec<Figure>) {
    let expect = &promise.expect;
    let answered: Vec<&Sample> = samples.iter().filter(|sample| sample.lost.is_none()).collect();
    let asked: BTreeSet<u64> = samples.iter().map(|sample| sample.n).collect();
    let never = questions(load).saturating_sub(asked.len() as u64);
    let whole = samples.len() as u64 + never;
    if let Some(amount) = expect.lost {
        let found = count(samples.iter().filter(|sample| sample.lost.is_some())) + never;
        let mut figure = most(found, whole, "lost", amount);
        figure.details = reasons(samples, never);
        figures.push(figure);
    }
    if let Some(amount) = expect.wrong {
        let wrong = count(answered.iter().filter(|sample| sample.wrong));
        let mut figure = most(wrong, answered.len() as u64, "wrong", amount);
        // Where nothing is answered, nothing is right.
        figure.kept &= !answered.is_empty();
        figures.push(figure);
    }
    if !expect.status.is_empty() {
        let others: Vec<u16> = samples
            .iter()
            .filter_map(|sample| sample.status)
            .filter(|status| !expect.status.iter().any(|wanted| is_status(wanted, *status)))
            .collect();
        let answers = count(samples.iter().filter(|sample| sample.status.is_some()));
        let mut figure = most(
            others.len() as u64,
            answers,
            &format!("with a status other than {}", expect.status.join(", ")),
            Amount::Count(0),
        );
        let seen: BTreeSet<String> = others.iter().map(ToString::to_string).collect();
        figure.details = seen
            .into_iter()
            .take(EXAMPLES)
            .map(|status| format!("status {status}"))
            .collect();
        // Without an answer there is no status to be wrong.
        figure.kept &= answers > 0;
        figures.push(figure);
    }
    let mut times: Vec<u64> = answered.iter().map(|sample| sample.took).collect();
    times.sort_unstable();
    for (part, longest) in &expect.times {
        figures.push(time(*part, *longest, &times));
    }
    if let Some(amount) = expect.affected {
        let keys: BTreeSet<&str> = samples.iter().map(|sample| sample.key.as_str()).collect();
        let hurt: BTreeSet<&str> = samples
            .iter()
            .filter(|sample| sample.lost.is_some() || sample.wrong)
            .map(|sample| sample.key.as_str())
            .collect();
        let mut figure = most(hurt.len() as u64, keys.len() as u64, "keys affected", amount);
        figure.details = reasons(samples, never);
        figures.push(figure);
    }
}

/// Why questions were lost, the commonest first.
fn reasons(samples: &[Sample], never: u64) -> Vec<String> {
    let mut reasons: BTreeMap<&str, u64> = BTreeMap::new();
    for reason in samples.iter().filter_map(|sample| sample.lost.as_deref()) {
        *reasons.entry(reason).or_default() += 1;
    }
    if never > 0 {
        reasons.insert("never asked", never);
    }
    let mut reasons: Vec<(&str, u64)> = reasons.into_iter().collect();
    reasons.sort_by_key(|(reason, count)| (std::cmp::Reverse(*count), *reason));
    let reasons = reasons.into_iter().take(EXAMPLES);
    reasons
        .map(|(reason, count)| format!("{count} × {reason}"))
        .collect()
}

fn time(part: Part, longest: Duration, sorted: &[u64]) -> Figure {
    let share = match part {
        Part::P50 => 50,
        Part::P95 => 95,
        Part::P99 => 99,
        Part::Max => 100,
    };
    // The nearest rank: the smallest time that so many of a hundred answers did not exceed.
    let rank = (sorted.len() * share).div_ceil(100);
    let Some(took) = rank.checked_sub(1).and_then(|index| sorted.get(index)) else {
        return Figure::new(format!("{part} of no answer"), false);
    };
    let took = Duration::from_micros(*took);
    let figure = Figure::new(format!("{part} {}", milliseconds(took)), took <= longest);
    if took <= longest {
        figure
    } else {
        figure.wanted(format!("at most {}", milliseconds(longest)))
    }
}

fn milliseconds(time: Duration) -> String {
    let millis = time.as_secs_f64() * 1000.0;
    if millis < 10.0 {
        format!("{millis:.1} ms")
    } else {
        format!("{millis:.0} ms")
    }
}

fn of_who(promise: &Promise, load: &Load, samples: &[Sample], figures: &mut Vec<Figure>) {
    let expect = &promise.expect;
    let told: Vec<(&Sample, &str)> = samples
        .iter()
        .filter(|sample| sample.lost.is_none())
        .filter_map(|sample| Some((sample, sample.by.as_deref().filter(|by| !by.is_empty())?)))
        .collect();
    let mut sorted = told.clone();
    sorted.sort_by_key(|(sample, _)| sample.n);
    let mut keys: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (sample, by) in &sorted {
        keys.entry(&sample.key).or_default().push(by);
    }
    // Whoever comes again to the same one says nothing new of the shares.
    let voters: Vec<&str> = if load.keys > 0 {
        keys.values().filter_map(|by| by.first().copied()).collect()
    } else {
        sorted.iter().map(|(_, by)| *by).collect()
    };
    for (name, percent) in &expect.share {
        figures.push(share(name, *percent, &voters));
    }
    if let Some(amount) = expect.sides {
        let many = count(keys.values().filter(|by| by.iter().any(|one| *one != by[0])));
        let mut figure = most(many, keys.len() as u64, "keys with more than one side", amount);
        figure.kept &= !keys.is_empty();
        figures.push(figure);
    }
    let moves = || {
        keys.iter()
            .filter_map(|(key, by)| Some((*key, *by.first()?, *by.last()?)))
            .filter(|(_, first, last)| first != last)
    };
    if let Some(amount) = expect.moved {
        let mut figure = most(count(moves()), keys.len() as u64, "keys moved", amount);
        figure.kept &= !keys.is_empty();
        figures.push(figure);
    }
    if let Some(fewest) = expect.changed {
        let found = count(moves());
        let figure = Figure::new(
            format!("{found} of {} keys changed sides", keys.len()),
            found >= fewest,
        );
        figures.push(if found >= fewest {
            figure
        } else {
            figure.wanted(format!("at least {fewest}"))
        });
    }
    if !expect.moved_to.is_empty() {
        let elsewhere: Vec<String> = moves()
            .filter(|(_, _, last)| !expect.moved_to.iter().any(|name| name == last))
            .map(|(key, first, last)| format!("{key} from {first} to {last}"))
            .collect();
        let all = count(moves());
        let names = expect.moved_to.join(", ");
        let text = format!(
            "{} of {all} moved keys elsewhere than to {names}",
            elsewhere.len()
        );
        let mut figure = Figure::new(text, elsewhere.is_empty() && all > 0);
        if all == 0 {
            figure = figure.wanted("at least one moves");
        }
        figure.details = elsewhere.into_iter().take(EXAMPLES).collect();
        figures.push(figure);
    }
    if expect.at_most_one {
        let mut at_once: BTreeMap<u64, BTreeSet<usize>> = BTreeMap::new();
        for (index, (sample, _)) in told.iter().enumerate() {
            at_once.entry(sample.n).or_default().insert(index);
        }
        let several = count(at_once.values().filter(|answers| answers.len() > 1));
        let asked: BTreeSet<u64> = samples.iter().map(|sample| sample.n).collect();
        let text = format!("more than one at {several} of {} times", asked.len());
        figures.push(Figure::new(text, several == 0 && !at_once.is_empty()));
    }
}

/// Whether a part of the answers is what chance makes of the wanted one.
fn share(name: &str, percent: f64, voters: &[&str]) -> Figure {
    let whole = voters.len() as u64;
    let found = count(voters.iter().filter(|by| **by == name));
    let chance = percent / 100.0;
    let middle = number(whole) * chance;
    let around = DEVIATIONS * (number(whole) * chance * (1.0 - chance)).sqrt();
    let low = (middle - around).max(0.0).ceil();
    let high = (middle + around).min(number(whole)).floor();
    let is_kept = whole > 0 && (low..=high).contains(&number(found));
    Figure::new(format!("{found} of {whole} by {name} ({low} to {high})"), is_kept)
}

fn once(samples: &[Sample], keys: &Keys) -> Figure {
    let wanted: BTreeSet<&str> = samples
        .iter()
        .filter(|sample| sample.lost.is_none())
        .map(|sample| sample.key.as_str())
        .collect();
    let (missing, doubled) = keys.faults(&wanted);
    let good = wanted.len() - missing.len() - doubled.len();
    let mut figure = Figure::new(
        format!("{good} of {} once", wanted.len()),
        !wanted.is_empty() && good == wanted.len(),
    );
    let missing = missing
        .iter()
        .take(EXAMPLES)
        .map(|key| format!("{key} is missing"));
    let doubled = doubled
        .iter()
        .take(EXAMPLES)
        .map(|key| format!("{key} stands more than once"));
    figure.details = missing.chain(doubled).collect();
    figure
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stack::promise::{Ask, Expect, Pattern};
    use crate::stack::{Name, Place};

    fn promise(rate: f64, keys: u32, expect: Expect) -> Promise {
        let place = Place {
            path: "stack.yaml".to_owned(),
            line: 1,
            column: 1,
        };
        Promise {
            name: Name::new("it").unwrap(),
            place: place.clone(),
            says: "It holds".to_owned(),
            load: Some(Load {
                place,
                ask: Ask::Tcp {
                    address: "web:80".to_owned(),
                    send: String::new(),
                },
                from: None,
                rate,
                time: Duration::from_secs(1),
                timeout: Duration::from_secs(1),
                keys,
                skew: 0.0,
                answer: None,
                by: Some(Pattern(regex_lite::Regex::new("(.*)").unwrap())),
                each: false,
            }),
            faults: Vec::new(),
            expect,
            has_control: true,
        }
    }

    fn sample(n: u64, key: &str, by: &str) -> Sample {
        Sample {
            n,
            key: key.to_owned(),
            by: Some(by.to_owned()),
            took: n * 1000,
            ..Sample::default()
        }
    }

    #[track_caller]
    fn check(expect: Expect, rate: f64, keys: u32, samples: Vec<Sample>, wanted: &[(&str, bool)]) {
        let seen = Seen {
            samples,
            ..Seen::default()
        };
        let figures = judge(&promise(rate, keys, expect), &seen);
        let found: Vec<(&str, bool)> = figures
            .iter()
            .map(|figure| (figure.seen.as_str(), figure.kept))
            .collect();
        assert_eq!(found, wanted);
    }

    #[test]
    fn what_is_expected_of_nobody_is_not_seen() {
        let expect = Expect {
            wrong: Some(Amount::Count(0)),
            kept: vec![Target {
                pod: Name::new("web").unwrap(),
                which: Which::Index(9),
                container: None,
            }],
            ..Expect::default()
        };
        let wanted = [("0 of 0 wrong", false), ("no container is `web/9`", false)];
        check(expect, 1.0, 0, Vec::new(), &wanted);
    }

    #[test]
    fn what_was_never_asked_is_lost() {
        let expect = Expect {
            lost: Some(Amount::Count(1)),
            ..Expect::default()
        };
        let mut samples: Vec<Sample> = (0..9).map(|n| sample(n, "k", "a")).collect();
        check(
            expect.clone(),
            10.0,
            0,
            samples.clone(),
            &[("1 of 10 lost", true)],
        );
        samples[3].lost = Some("closed".to_owned());
        check(expect, 10.0, 0, samples, &[("2 of 10 lost", false)]);
    }

    #[test]
    fn percentiles_are_of_the_nearest_rank() {
        let expect = Expect {
            times: vec![
                (Part::P50, Duration::from_millis(50)),
                (Part::P99, Duration::from_millis(98)),
                (Part::Max, Duration::from_millis(100)),
            ],
            ..Expect::default()
        };
        let samples = (1..=100).map(|n| sample(n, "k", "a")).collect();
        let wanted = [("p50 50 ms", true), ("p99 99 ms", false), ("max 100 ms", true)];
        check(expect.clone(), 100.0, 0, samples, &wanted);
        let none = [
            ("p50 of no answer", false),
            ("p99 of no answer", false),
            ("max of no answer", false),
        ];
        check(expect, 100.0, 0, Vec::new(), &none);
    }

    #[test]
    fn a_share_is_what_chance_makes_of_it() {
        let expect = Expect {
            share: vec![("new".to_owned(), 10.0)],
            ..Expect::default()
        };
        let samples = |new: u64| {
            let by = move |n| if n < new { "new" } else { "old" };
            (0..1000)
                .map(|n| sample(n, &format!("key-{n}"), by(n)))
                .collect::<Vec<_>>()
        };
        check(
            expect.clone(),
            1000.0,
            0,
            samples(100),
            &[("100 of 1000 by new (63 to 137)", true)],
        );
        check(
            expect.clone(),
            1000.0,
            0,
            samples(62),
            &[("62 of 1000 by new (63 to 137)", false)],
        );
        check(
            expect.clone(),
            1000.0,
            0,
            samples(138),
            &[("138 of 1000 by new (63 to 137)", false)],
        );
        check(
            expect,
            1000.0,
            0,
            Vec::new(),
            &[("0 of 0 by new (0 to 0)", false)],
        );
    }

    #[test]
    fn keys_that_come_again_count_once_in_a_share() {
        let expect = Expect {
            share: vec![("a".to_owned(), 50.0)],
            sides: Some(Amount::Count(0)),
            ..Expect::default()
        };
        let samples = vec![sample(0, "k", "a"), sample(1, "k", "a"), sample(2, "l", "b")];
        let wanted = [
            ("1 of 2 by a (0 to 2)", true),
            ("0 of 2 keys with more than one side", true),
        ];
        check(expect.clone(), 3.0, 2, samples, &wanted);
        let samples = vec![sample(0, "k", "a"), sample(1, "k", "b")];
        let wanted = [
            ("1 of 1 by a (0 to 1)", true),
            ("1 of 1 keys with more than one side", false),
        ];
        check(expect, 2.0, 2, samples, &wanted);
    }

    #[test]
    fn keys_move_only_where_they_may() {
        let expect = Expect {
            moved: Some(Amount::Percent(50.0)),
            moved_to: vec!["new".to_owned()],
            ..Expect::default()
        };
        let mut samples = vec![
            sample(0, "k", "a"),
            sample(1, "l", "b"),
            sample(2, "k", "new"),
            sample(3, "l", "b"),
        ];
        let wanted = [
            ("1 of 2 keys moved", true),
            ("0 of 1 moved keys elsewhere than to new", true),
        ];
        check(expect.clone(), 4.0, 2, samples.clone(), &wanted);
        samples[3] = sample(3, "l", "a");
        let wanted = [
            ("2 of 2 keys moved", false),
            ("1 of 2 moved keys elsewhere than to new", false),
        ];
        check(expect.clone(), 4.0, 2, samples, &wanted);
        // Where nothing moves nothing is shown of where it goes.
        let wanted = [
            ("0 of 1 keys moved", true),
            ("0 of 0 moved keys elsewhere than to new", false),
        ];
        check(expect, 1.0, 1, vec![sample(0, "k", "a")], &wanted);
    }

    #[test]
    fn at_most_one_answers_at_a_time() {
        let expect = Expect {
            at_most_one: true,
            ..Expect::default()
        };
        let samples = vec![sample(0, "k", "yes"), sample(0, "k", ""), sample(1, "k", "yes")];
        check(
            expect.clone(),
            2.0,
            0,
            samples,
            &[("more than one at 0 of 2 times", true)],
        );
        let samples = vec![sample(0, "k", "yes"), sample(0, "k", "yes")];
        check(
            expect.clone(),
            1.0,
            0,
            samples,
            &[("more than one at 1 of 1 times", false)],
        );
        check(
            expect,
            1.0,
            0,
            vec![sample(0, "k", "")],
            &[("more than one at 0 of 1 times", false)],
        );
    }

    #[test]
    fn keys_stand_once_where_they_have_to() {
        let keys = Keys(
            [("key-0", 1), ("key-1", 2)]
                .map(|(key, count)| (key.to_owned(), count))
                .into(),
        );
        let samples = [
            sample(0, "key-0", "a"),
            sample(1, "key-1", "a"),
            sample(2, "key-2", "a"),
        ];
        let figure = once(&samples, &keys);
        assert_eq!(figure.seen, "1 of 3 once");
        assert_eq!(
            figure.details,
            ["key-2 is missing", "key-1 stands more than once"]
        );
        assert!(!figure.kept);
        assert!(once(&samples[..1], &keys).kept);
        let earlier = Keys(BTreeMap::from([("key-1".to_owned(), 1)]));
        let figure = once(&samples, &keys.clone().without(&earlier));
        assert_eq!(figure.details, ["key-2 is missing"]);
        assert!(!once(&[], &keys).kept);
    }

    #[test]
    fn affected_are_keys_and_statuses_are_of_answers() {
        let expect = Expect {
            affected: Some(Amount::Percent(50.0)),
            status: vec!["2xx".to_owned()],
            wrong: Some(Amount::Count(0)),
            ..Expect::default()
        };
        let ok = Sample {
            status: Some(200),
            ..sample(0, "k", "a")
        };
        let bad = Sample {
            status: Some(503),
            lost: Some("status 503".to_owned()),
            ..sample(1, "l", "a")
        };
        let wanted = [
            ("0 of 1 wrong", true),
            ("1 of 2 with a status other than 2xx", false),
            ("1 of 2 keys affected", true),
        ];
        check(expect, 2.0, 0, vec![ok, bad], &wanted);
    }
}
