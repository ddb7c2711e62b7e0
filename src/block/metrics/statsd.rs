//! Adds up what arrives as StatsD: counters, gauges, timers, histograms and sets, with tags as DogStatsD writes them.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use super::exposition::{Family, Kind, Labels, Sample, is_label};

/// The last values of a timer, which its quantiles are of.
const WINDOW: usize = 256;
/// Values of all sets.
const MEMBERS: usize = 100_000;
/// Tags of one sample.
const TAGS: usize = 32;
const QUANTILES: [(f64, &str); 3] = [(0.5, "0.5"), (0.9, "0.9"), (0.99, "0.99")];

/// What a sample does.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Change<'a> {
    Count(f64),
    Set(f64),
    Add(f64),
    /// A value, how many it stands for, and its unit in seconds where it is a time.
    Observe {
        value: f64,
        weight: f64,
        is_time: bool,
    },
    Member(&'a str),
}

/// What is known of one name with its labels.
#[derive(Debug)]
enum Series {
    Counter(f64),
    Gauge(f64),
    Summary {
        window: Vec<f64>,
        next: usize,
        sum: f64,
        count: f64,
    },
    Set(HashSet<u64>),
}

/// How samples fared.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Tally {
    pub samples: u64,
    /// Could not be read.
    pub invalid: u64,
    /// Were one series too many.
    pub dropped: u64,
}

/// Everything that arrived.
#[derive(Debug)]
pub struct Store {
    limit: usize,
    members: usize,
    count: usize,
    families: BTreeMap<String, (Kind, HashMap<Labels, Series>)>,
    /// Names that the samples of families have.
    taken: BTreeSet<String>,
    pub tally: Tally,
}

impl Store {
    /// Keeps so many series at most.
    pub fn new(limit: usize) -> Self {
        Self {
            limit,
            members: 0,
            count: 0,
            families: BTreeMap::new(),
            taken: BTreeSet::new(),
            tally: Tally::default(),
        }
    }

    /// Takes a packet: samples in lines.
    pub fn take(&mut self, packet: &[u8]) {
        let text = String::from_utf8_lossy(packet);
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
            // Events and checks of services are no metrics.
            if line.starts_with("_e{") || line.starts_with("_sc|") {
                continue;
            }
            match read(line) {
                Some((name, labels, changes)) => {
                    for change in changes {
                        self.apply(&name, labels.clone(), change);
                    }
                }
                None => self.tally.invalid += 1,
            }
        }
    }

    fn apply(&mut self, name: &str, labels: Labels, change: Change) {
        let (ending, kind) = match change {
            Change::Count(_) => ("_total", Kind::Counter),
            Change::Set(_) | Change::Add(_) | Change::Member(_) => ("", Kind::Gauge),
            Change::Observe { is_time, .. } => (if is_time { "_seconds" } else { "" }, Kind::Summary),
        };
        let name = if name.ends_with(ending) {
            name.to_owned()
        } else {
            format!("{name}{ending}")
        };
        if !self.families.contains_key(&name) && !self.claim(&name, kind) {
            self.tally.invalid += 1;
            return;
        }
        let Some((known, series)) = self.families.get_mut(&name) else {
            return;
        };
        if *known != kind {
            self.tally.invalid += 1;
            return;
        }
        let series = match series.entry(labels) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(_) if self.count >= self.limit => {
                self.tally.dropped += 1;
                return;
            }
            Entry::Vacant(entry) => {
                self.count += 1;
                entry.insert(change.start())
            }
        };
        self.tally.samples += 1;
        match (series, change) {
            (Series::Counter(sum), Change::Count(value)) => *sum += value,
            (Series::Gauge(value), Change::Set(new)) => *value = new,
            (Series::Gauge(value), Change::Add(more)) => *value += more,
            (
                Series::Summary {
                    window,
                    next,
                    sum,
                    count,
                },
                Change::Observe { value, weight, .. },
            ) => {
                if window.len() < WINDOW {
                    window.push(value);
                } else {
                    window[*next] = value;
                    *next = (*next + 1) % WINDOW;
                }
                *sum += value * weight;
                *count += weight;
            }
            (Series::Set(members), Change::Member(text)) => {
                let mut hasher = DefaultHasher::new();
                text.hash(&mut hasher);
                if self.members < MEMBERS && members.insert(hasher.finish()) {
                    self.members += 1;
                }
            }
            // A set and a gauge of one name.
            _ => self.tally.invalid += 1,
        }
    }

    /// Takes a name, unless a sample of another family has it.
    fn claim(&mut self, name: &str, kind: Kind) -> bool {
        let mut names = vec![name.to_owned()];
        if kind == Kind::Summary {
            names.extend(["_sum", "_count"].map(|end| format!("{name}{end}")));
        }
        let is_free =
            !names.iter().any(|name| self.taken.contains(name)) && !name.starts_with("motif_source_");
        if is_free && self.count < self.limit {
            self.taken.extend(names);
            self.families.insert(name.to_owned(), (kind, HashMap::new()));
            return true;
        }
        if is_free {
            self.tally.dropped += 1;
        }
        false
    }

    /// The metrics of now.
    pub fn families(&self) -> Vec<Family> {
        self.families
            .iter()
            .map(|(name, (kind, series))| {
                let mut family = Family::new(name, *kind, "From StatsD");
                let ordered: BTreeMap<_, _> = series.iter().collect();
                for (labels, series) in ordered {
                    series.append(&mut family.samples, labels);
                }
                family
            })
            .collect()
    }
}

impl Change<'_> {
    fn start(self) -> Series {
        match self {
            Self::Count(_) => Series::Counter(0.0),
            Self::Set(_) | Self::Add(_) => Series::Gauge(0.0),
            Self::Observe { .. } => Series::Summary {
                window: Vec::new(),
                next: 0,
                sum: 0.0,
                count: 0.0,
            },
            Self::Member(_) => Series::Set(HashSet::new()),
        }
    }
}

impl Series {
    fn append(&self, samples: &mut Vec<Sample>, labels: &Labels) {
        let mut add = |ending, labels: Labels, value| {
            samples.push(Sample {
                ending,
                labels,
                value,
            });
        };
        match self {
            Self::Counter(value) | Self::Gauge(value) => add("", labels.clone(), *value),
            Self::Set(members) => {
                let count = u32::try_from(members.len()).unwrap_or(u32::MAX);
                add("", labels.clone(), f64::from(count));
            }
            Self::Summary {
                window, sum, count, ..
            } => {
                let mut sorted = window.clone();
                sorted.sort_by(f64::total_cmp);
                for (quantile, text) in QUANTILES {
                    let mut labels = labels.clone();
                    labels.insert("quantile".to_owned(), text.to_owned());
                    add("", labels, rank(&sorted, quantile));
                }
                add("_sum", labels.clone(), *sum);
                add("_count", labels.clone(), *count);
            }
        }
    }
}

/// The smallest value that so much of the values don't exceed.
fn rank(sorted: &[f64], quantile: f64) -> f64 {
    let below = sorted.iter().zip(1_u32..).find(|(_, place)| {
        f64::from(*place) >= quantile * f64::from(u32::try_from(sorted.len()).unwrap_or(u32::MAX))
    });
    below.map_or(f64::NAN, |(value, _)| *value)
}

/// Reads `name:value[:value…]|type[|@rate][|#tag:value,…]`.
fn read(line: &str) -> Option<(String, Labels, Vec<Change<'_>>)> {
    let (name, rest) = line.split_once(':')?;
    let mut parts = rest.split('|');
    let values = parts.next()?;
    let kind = parts.next()?;
    let mut rate = 1.0;
    let mut labels = Labels::new();
    for part in parts {
        if let Some(text) = part.strip_prefix('@') {
            rate = finite(text).filter(|rate| *rate > 0.0 && *rate <= 1.0)?;
        } else if let Some(tags) = part.strip_prefix('#') {
            for tag in tags.split(',').filter(|tag| !tag.is_empty()).take(TAGS) {
                let (key, value) = tag.split_once(':').unwrap_or((tag, "true"));
                labels.insert(label(key), value.to_owned());
            }
        }
    }
    let change = |value| {
        Some(match kind {
            "c" => Change::Count(finite(value).filter(|value| *value >= 0.0)? / rate),
            "g" if value.starts_with(['+', '-']) => Change::Add(finite(value)?),
            "g" => Change::Set(finite(value)?),
            "ms" => Change::Observe {
                value: finite(value)? / 1000.0,
                weight: 1.0 / rate,
                is_time: true,
            },
            "h" | "d" => Change::Observe {
                value: finite(value)?,
                weight: 1.0 / rate,
                is_time: false,
            },
            "s" => Change::Member(value),
            _ => return None,
        })
    };
    // A set's values may be anything.
    let changes = if kind == "s" {
        vec![change(values)?]
    } else {
        values.split(':').map(change).collect::<Option<_>>()?
    };
    Some((metric(name)?, labels, changes))
}

fn finite(text: &str) -> Option<f64> {
    let is_plain = text
        .bytes()
        .all(|byte| matches!(byte, b'0'..=b'9' | b'.' | b'-' | b'+' | b'e' | b'E'));
    text.parse()
        .ok()
        .filter(|value: &f64| is_plain && value.is_finite())
}

fn metric(name: &str) -> Option<String> {
    let name: String = name
        .chars()
        .map(|character| match character {
            'a'..='z' | 'A'..='Z' | '0'..='9' | '_' | ':' => character,
            _ => '_',
        })
        .collect();
    let is_digit_first = name.starts_with(|first: char| first.is_ascii_digit());
    let name = if is_digit_first { format!("_{name}") } else { name };
    (!name.is_empty() && name.len() <= 200).then_some(name)
}

fn label(key: &str) -> String {
    let name = metric(key).unwrap_or_else(|| "tag".to_owned()).replace(':', "_");
    let name = match name.strip_prefix("__") {
        Some(rest) => format!("_{}", rest.trim_start_matches('_')),
        None => name,
    };
    match name.as_str() {
        "quantile" | "le" => format!("tag_{name}"),
        name if is_label(name) => name.to_owned(),
        name => format!("tag_{name}"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::exposition;
    use super::*;

    fn text(store: &Store) -> String {
        let mut text = String::new();
        exposition::append(&mut text, &store.families(), "", &Labels::new());
        if let Err(error) = exposition::parse(&text) {
            panic!("{error}: {text}");
        }
        text
    }

    #[track_caller]
    fn check(packet: &str, lines: &[&str]) {
        let mut store = Store::new(100);
        store.take(packet.as_bytes());
        let text = text(&store);
        let shown: Vec<_> = text.lines().filter(|line| !line.starts_with('#')).collect();
        assert_eq!(shown, lines, "{:?}", store.tally);
    }

    #[test]
    fn samples_add_up() {
        check("a.b:1|c\na.b:2|c|@0.5", &["a_b_total 5"]);
        check("a:3|g\na:+2|g\na:-1|g", &["a 4"]);
        check("a:-3|g", &["a -3"]);
        check("u:x|s\nu:y|s\nu:x|s", &["u 2"]);
        check("a:1:2:3|c", &["a_total 6"]);
        check(
            "a:1|c|#env:prod,x-y:1,flag,quantile:2,__name__:z",
            &["a_total{_name__=\"z\",env=\"prod\",flag=\"true\",tag_quantile=\"2\",x_y=\"1\"} 1"],
        );
        check(
            "t:100|ms\nt:300|ms|@0.5",
            &[
                "t_seconds{quantile=\"0.5\"} 0.1",
                "t_seconds{quantile=\"0.9\"} 0.3",
                "t_seconds{quantile=\"0.99\"} 0.3",
                "t_seconds_sum 0.7",
                "t_seconds_count 3",
            ],
        );
        check("_e{1,1}:a|b\n_sc|a|0", &[]);
    }

    #[test]
    fn what_is_wrong_is_counted() {
        let mut store = Store::new(100);
        for wrong in [
            "a", "a:1", "a:x|c", "a:-1|c", "a:1|q", "a:1|c|@0", "a:inf|g", ":1|c", "a:1|c|@2",
        ] {
            store.take(wrong.as_bytes());
        }
        assert_eq!((store.tally.invalid, store.tally.samples), (9, 0));
        store.take(b"x:1|h\nx_sum:1|g\nmotif_source_up:1|g\nx:1|g\ns:a|s\ns:1|g");
        assert_eq!((store.tally.invalid, store.tally.samples), (13, 3));
        text(&store);
    }

    #[test]
    fn series_are_bounded() {
        let mut store = Store::new(10);
        for number in 0..100 {
            store.take(format!("a:1|c|#n:{number}\nb{number}:1|c\n").as_bytes());
        }
        assert!(
            store
                .families()
                .iter()
                .map(|family| family.samples.len())
                .sum::<usize>()
                <= 10
        );
        assert!(store.tally.dropped > 100);
        for number in 0..1000 {
            store.take(format!("a:1|c|#n:0\nt:{number}|ms").as_bytes());
        }
        text(&store);
    }

    proptest! {
        #[test]
        fn whatever_comes_is_valid_in_the_end(packet in "([a-c._:1]{0,3}:[0-9+.-]{1,3}\\|(c|g|ms|h|s|x)(\\|@0.5)?(\\|#[a-c:,_\"\\\\]{0,6})?\n|[ -~]{0,9}\n){0,20}") {
            let mut store = Store::new(10);
            store.take(packet.as_bytes());
            text(&store);
        }
    }
}
