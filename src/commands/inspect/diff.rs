//! Turns the parameters of two images into what changed between them, and what of it breaks a user.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::Parameter;

/// What happened to a parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// It is gone; perhaps it has another name now.
    Removed {
        /// The new parameter that it may be.
        renamed: Option<String>,
    },
    /// Its values are of another type.
    Retyped,
    /// Its values count something else: milliseconds instead of seconds.
    Reunited,
    /// A value is no longer among its choices.
    Narrowed(Vec<String>),
    /// It may be given once only.
    Single,
    /// It has to be given.
    Required,
    /// It is another value when it isn't given.
    Default,
    /// It takes more than before.
    Widened,
    /// It is new.
    Added,
}

impl Change {
    /// One word.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Removed { .. } => "removed",
            Self::Retyped => "type",
            Self::Reunited => "unit",
            Self::Narrowed(_) => "choices",
            Self::Single => "single",
            Self::Required => "required",
            Self::Default => "default",
            Self::Widened => "wider",
            Self::Added => "added",
        }
    }

    /// Whether what set the parameter before fails or means something else now.
    pub fn is_breaking(&self) -> bool {
        !matches!(self, Self::Default | Self::Widened | Self::Added)
    }
}

/// A change of one parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The block that it belongs to.
    pub block: Option<String>,
    /// Its name.
    pub name: String,
    /// What happened.
    pub change: Change,
    /// What it was.
    pub old: String,
    /// What it is.
    pub new: String,
}

impl Difference {
    /// As a row of a table.
    pub fn row(&self) -> Vec<String> {
        let name = match &self.block {
            Some(block) => format!("{block} {}", self.name),
            None => self.name.clone(),
        };
        let breaks = if self.change.is_breaking() { "breaking" } else { "" };
        vec![
            name,
            self.change.name().to_owned(),
            self.old.clone(),
            self.new.clone(),
            breaks.to_owned(),
        ]
    }

    /// As a part of a document.
    pub fn document(&self) -> Value {
        let renamed = match &self.change {
            Change::Removed { renamed } => renamed.clone(),
            _ => None,
        };
        json!({
            "block": self.block,
            "name": self.name,
            "change": self.change.name(),
            "breaking": self.change.is_breaking(),
            "old": self.old,
            "new": self.new,
            "renamed": renamed,
        })
    }
}

/// Units of one quantity: between two of them only the unit changed.
const QUANTITIES: [&[&str]; 4] = [
    &[
        "nanoseconds",
        "microseconds",
        "milliseconds",
        "seconds",
        "minutes",
        "hours",
        "days",
        "ns",
        "us",
        "ms",
        "s",
        "min",
        "h",
        "d",
        "duration",
    ],
    &[
        "bytes",
        "kilobytes",
        "megabytes",
        "gigabytes",
        "kibibytes",
        "mebibytes",
        "gibibytes",
        "b",
        "kb",
        "mb",
        "gb",
        "ki",
        "mi",
        "gi",
        "size",
        "quantity",
    ],
    &["percent", "fraction", "ratio", "share"],
    &["hertz", "per-second", "per-minute", "rps", "rpm"],
];

/// Compares what two images take, in the order of the old one; what is new comes last.
pub fn compare(old: &[Parameter], new: &[Parameter]) -> Vec<Difference> {
    let find = |list: &[Parameter], of: &Parameter| {
        list.iter()
            .position(|other| (&other.block, &other.name) == (&of.block, &of.name))
    };
    let mut added: Vec<&Parameter> = new
        .iter()
        .filter(|parameter| find(old, parameter).is_none())
        .collect();
    let mut found = Vec::new();
    for before in old {
        if let Some(place) = find(new, before) {
            changes(before, &new[place], &mut found);
            continue;
        }
        let renamed = nearest(before, &added).map(|place| added.remove(place));
        found.push(Difference {
            block: before.block.clone(),
            name: before.name.clone(),
            change: Change::Removed {
                renamed: renamed.map(|parameter| parameter.name.clone()),
            },
            old: before.kind.clone(),
            new: renamed.map_or_else(String::new, |parameter| format!("renamed {}?", parameter.name)),
        });
        if let Some(after) = renamed {
            let before = Parameter {
                name: after.name.clone(),
                ..before.clone()
            };
            changes(&before, after, &mut found);
        }
    }
    found.extend(added.into_iter().map(|parameter| Difference {
        block: parameter.block.clone(),
        name: parameter.name.clone(),
        change: if parameter.is_required {
            Change::Required
        } else {
            Change::Added
        },
        old: String::new(),
        new: parameter.kind.clone(),
    }));
    found
}

fn changes(before: &Parameter, after: &Parameter, found: &mut Vec<Difference>) {
    let mut push = |change, old: &str, new: &str| {
        found.push(Difference {
            block: before.block.clone(),
            name: before.name.clone(),
            change,
            old: old.to_owned(),
            new: new.to_owned(),
        });
    };
    let default = |parameter: &Parameter| parameter.default.clone().unwrap_or_default();
    let (old, new) = (default(before), default(after));
    if before.kind != after.kind {
        let change = if quantity(&before.kind).is_some_and(|of| quantity(&after.kind) == Some(of)) {
            Change::Reunited
        } else {
            Change::Retyped
        };
        push(change, &before.kind, &after.kind);
    } else if has_other_unit(&old, &new) {
        push(Change::Reunited, &old, &new);
    }
    let is_among = |choices: &[String]| choices.iter().cloned().collect::<BTreeSet<_>>();
    let (choices, others) = (is_among(&before.choices), is_among(&after.choices));
    let lost: Vec<String> = choices.difference(&others).cloned().collect();
    let is_narrower = if choices.is_empty() {
        !others.is_empty()
    } else {
        !others.is_empty() && !lost.is_empty()
    };
    let (listed, now_listed) = (before.choices.join("|"), after.choices.join("|"));
    if is_narrower {
        push(Change::Narrowed(lost), &listed, &now_listed);
    } else if choices != others {
        push(Change::Widened, &listed, &now_listed);
    }
    match (before.is_repeated, after.is_repeated) {
        (true, false) => push(Change::Single, "repeated", "once"),
        (false, true) => push(Change::Widened, "once", "repeated"),
        _ => {}
    }
    match (before.is_required, after.is_required) {
        (false, true) => push(Change::Required, "optional", "required"),
        (true, false) => push(Change::Widened, "required", "optional"),
        _ if old != new => push(Change::Default, &old, &new),
        _ => {}
    }
}

fn quantity(kind: &str) -> Option<usize> {
    let kind = kind.to_lowercase();
    QUANTITIES.iter().position(|units| units.contains(&kind.as_str()))
}

/// Whether one is a bare number and the other one is a number with a unit: `10` and `10s`.
fn has_other_unit(old: &str, new: &str) -> bool {
    let unit = |text: &str| {
        let rest = text.trim_start_matches(|character: char| character.is_ascii_digit() || character == '.');
        let is_number = rest.len() < text.len();
        let is_unit = rest.len() <= 3 && rest.chars().all(|character| character.is_ascii_alphabetic());
        (is_number && is_unit).then_some(!rest.is_empty())
    };
    matches!((unit(old), unit(new)), (Some(old), Some(new)) if old != new)
}

/// The new parameter that an old one most probably is now: of the same type, with the nearest name.
fn nearest(old: &Parameter, added: &[&Parameter]) -> Option<usize> {
    let alike = added
        .iter()
        .enumerate()
        .filter(|(_, parameter)| parameter.block == old.block && parameter.kind == old.kind);
    let (place, steps) = alike
        .map(|(place, parameter)| (place, distance(&old.name, &parameter.name)))
        .min_by_key(|(_, steps)| *steps)?;
    let longer = old.name.chars().count().max(added[place].name.chars().count());
    (steps * 5 <= longer * 3).then_some(place)
}

/// Letters to insert, remove or replace.
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (index, letter) in from.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = index + 1;
        for (column, other) in to.iter().enumerate() {
            let replaced = diagonal + usize::from(letter != *other);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// `NAME: label`, as an image has them.
    fn parameters(lines: &[&str]) -> Vec<Parameter> {
        lines
            .iter()
            .map(|line| {
                let (name, text) = line.split_once(": ").unwrap();
                super::super::parameter(name, text, &BTreeMap::new())
            })
            .collect()
    }

    #[track_caller]
    fn check(old: &[&str], new: &[&str], expect: &[&str]) {
        let found: Vec<String> = compare(&parameters(old), &parameters(new))
            .iter()
            .map(|difference| difference.row().join(","))
            .collect();
        assert_eq!(found, expect);
    }

    #[test]
    fn nothing_changed() {
        let same = ["A: text; default x; help", "b.B: port; required; help"];
        check(&same, &same, &[]);
        check(&["A: text; one"], &["A: text; other help"], &[]);
        check(&["A: m; one of x|y; help"], &["A: m; one of y|x; help"], &[]);
    }

    #[test]
    fn a_name_is_part_of_the_interface() {
        check(
            &["UPDATE_FREQUENCY: seconds; default 10; how often"],
            &["UPDATE_INTERVAL: seconds; default 20; how often"],
            &[
                "UPDATE_FREQUENCY,removed,seconds,renamed UPDATE_INTERVAL?,breaking",
                "UPDATE_INTERVAL,default,10,20,",
            ],
        );
        // Of another type, of another block, or by no means alike.
        check(
            &["HOST: address; a", "proxy.PORT: port; a", "MODE: text; a"],
            &[
                "HOSTS: list; a",
                "init.PORTS: port; a",
                "GREETING_TO_ALL: text; a",
            ],
            &[
                "HOST,removed,address,,breaking",
                "proxy PORT,removed,port,,breaking",
                "MODE,removed,text,,breaking",
                "HOSTS,added,,list,",
                "init PORTS,added,,port,",
                "GREETING_TO_ALL,added,,text,",
            ],
        );
        // Each new name is one old name's.
        check(
            &["PORT_A: port; a", "PORT_B: port; a"],
            &["PORT_C: port; a"],
            &[
                "PORT_A,removed,port,renamed PORT_C?,breaking",
                "PORT_B,removed,port,,breaking",
            ],
        );
    }

    #[test]
    fn a_unit_is_part_of_the_interface() {
        check(
            &["A: seconds; default 10; a"],
            &["A: milliseconds; default 10; a"],
            &["A,unit,seconds,milliseconds,breaking"],
        );
        check(
            &["A: seconds; default 10; a"],
            &["A: duration; default 10s; a"],
            &["A,unit,seconds,duration,breaking", "A,default,10,10s,"],
        );
        check(
            &["A: text; default 10; a"],
            &["A: text; default 10s; a"],
            &["A,unit,10,10s,breaking", "A,default,10,10s,"],
        );
        check(
            &["A: duration; default 10s; a"],
            &["A: duration; default 10ms; a"],
            &["A,default,10s,10ms,"],
        );
        check(
            &["A: seconds; a"],
            &["A: bytes; a"],
            &["A,type,seconds,bytes,breaking"],
        );
        check(&["A: text; a"], &["A: port; a"], &["A,type,text,port,breaking"]);
    }

    #[test]
    fn what_takes_less_breaks_and_what_takes_more_does_not() {
        check(
            &["A: text; default x; a", "B: text; a"],
            &["A: text; required; a", "B: text; a", "C: text; required; a"],
            &[
                "A,required,optional,required,breaking",
                "C,required,,text,breaking",
            ],
        );
        check(
            &["A: text; required; a"],
            &["A: text; default x; a", "B: text; a"],
            &["A,wider,required,optional,", "B,added,,text,"],
        );
        check(
            &[
                "A: m; one of x|y; a",
                "B: m; one of x; a",
                "C: m; a",
                "D: m; one of x; a",
            ],
            &[
                "A: m; one of x|z; a",
                "B: m; one of x|y; a",
                "C: m; one of x; a",
                "D: m; a",
            ],
            &[
                "A,choices,x|y,x|z,breaking",
                "B,wider,x,x|y,",
                "C,choices,,x,breaking",
                "D,wider,x,,",
            ],
        );
        check(
            &["A: host; repeated; a", "B: host; a"],
            &["A: host; a", "B: host; repeated; a"],
            &["A,single,repeated,once,breaking", "B,wider,once,repeated,"],
        );
    }

    #[test]
    fn the_distance_counts_letters() {
        for (from, to, steps) in [
            ("", "", 0),
            ("", "ab", 2),
            ("kitten", "sitting", 3),
            ("a", "a", 0),
        ] {
            assert_eq!(distance(from, to), steps, "{from} {to}");
        }
    }
}
