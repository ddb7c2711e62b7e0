//! The text that Prometheus reads: made from families, and read strictly.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// What a metric is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Counter,
    Gauge,
    Summary,
    Histogram,
    Untyped,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Summary => "summary",
            Self::Histogram => "histogram",
            Self::Untyped => "untyped",
        }
    }

    fn parse(name: &str) -> Option<Self> {
        let kinds = [
            Self::Counter,
            Self::Gauge,
            Self::Summary,
            Self::Histogram,
            Self::Untyped,
        ];
        kinds.into_iter().find(|kind| kind.name() == name)
    }

    /// What the names of its samples end with.
    fn endings(self) -> &'static [&'static str] {
        match self {
            Self::Summary => &["", "_sum", "_count"],
            Self::Histogram => &["_bucket", "_sum", "_count"],
            Self::Counter | Self::Gauge | Self::Untyped => &[""],
        }
    }
}

/// Names and values of labels.
pub type Labels = BTreeMap<String, String>;

/// One line.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// What follows the family's name.
    pub ending: &'static str,
    pub labels: Labels,
    pub value: f64,
}

/// The samples of one name.
#[derive(Debug, Clone, PartialEq)]
pub struct Family {
    pub name: String,
    pub kind: Kind,
    pub help: String,
    pub samples: Vec<Sample>,
}

impl Family {
    /// A family without samples.
    pub fn new(name: impl Into<String>, kind: Kind, help: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            kind,
            help: help.into(),
            samples: Vec::new(),
        }
    }

    /// Adds a plain value.
    #[must_use]
    pub fn with(mut self, labels: Labels, value: f64) -> Self {
        self.samples.push(Sample {
            ending: "",
            labels,
            value,
        });
        self
    }
}

/// Whether a metric may have this name.
pub fn is_name(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with(|first: char| first.is_ascii_digit())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b':'))
}

/// Whether a label may have this name.
pub fn is_label(text: &str) -> bool {
    is_name(text) && !text.contains(':') && !text.starts_with("__")
}

/// Appends families, their names after the prefix; the constant labels stand on every sample that has none of that
/// name.
pub fn append(text: &mut String, families: &[Family], prefix: &str, constant: &Labels) {
    for family in families {
        if family.samples.is_empty() {
            continue;
        }
        let name = format!("{prefix}{}", family.name);
        let _ = writeln!(text, "# HELP {name} {}", escaped(&family.help, false));
        let _ = writeln!(text, "# TYPE {name} {}", family.kind.name());
        for sample in &family.samples {
            let _ = write!(text, "{name}{}", sample.ending);
            let own = sample.labels.iter();
            let added = constant
                .iter()
                .filter(|(label, _)| !sample.labels.contains_key(*label));
            for (place, (label, value)) in own.chain(added).enumerate() {
                let open = if place == 0 { '{' } else { ',' };
                let _ = write!(text, "{open}{label}=\"{}\"", escaped(value, true));
            }
            if !sample.labels.is_empty() || !constant.is_empty() {
                text.push('}');
            }
            let _ = writeln!(text, " {}", number(sample.value));
        }
    }
}

fn escaped(text: &str, is_quoted: bool) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '"' if is_quoted => out.push_str("\\\""),
            other => out.push(other),
        }
    }
    out
}

fn number(value: f64) -> String {
    if value.is_nan() {
        "NaN".to_owned()
    } else if value.is_infinite() {
        if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned()
    } else {
        value.to_string()
    }
}

/// Reads a text, or says what is wrong with it and where. Times of samples are left out.
pub fn parse(text: &str) -> Result<Vec<Family>, String> {
    let mut reader = Reader::default();
    for (place, line) in text.lines().enumerate() {
        reader
            .line(line.trim())
            .map_err(|why| format!("line {}: {why}", place + 1))?;
    }
    Ok(reader.families)
}

#[derive(Default)]
struct Reader {
    families: Vec<Family>,
    seen: BTreeSet<(String, Labels)>,
    /// Where the family of a sample's name is, and what the name ends with.
    places: BTreeMap<String, (usize, &'static str)>,
    helped: BTreeMap<String, String>,
}

impl Reader {
    fn line(&mut self, line: &str) -> Result<(), String> {
        if line.is_empty() {
            return Ok(());
        }
        let Some(comment) = line.strip_prefix('#') else {
            return self.sample(line);
        };
        let mut words = comment.trim_start().splitn(3, ' ');
        match (words.next(), words.next(), words.next()) {
            (Some("TYPE"), Some(name), Some(kind)) => {
                let kind = Kind::parse(kind.trim()).ok_or_else(|| format!("`{kind}` is no type"))?;
                self.declare(name, kind)
            }
            (Some("HELP"), Some(name), help) => {
                let help = unescape(help.unwrap_or_default());
                if let Some(family) = self.families.iter_mut().find(|family| family.name == name) {
                    family.help = help;
                } else {
                    self.helped.insert(name.to_owned(), help);
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn declare(&mut self, name: &str, kind: Kind) -> Result<(), String> {
        if !is_name(name) {
            return Err(format!("`{name}` is no name of a metric"));
        }
        let names: Vec<String> = kind.endings().iter().map(|end| format!("{name}{end}")).collect();
        let is_taken = self.families.iter().any(|family| family.name == name)
            || names.iter().any(|name| self.places.contains_key(name));
        if is_taken {
            return Err(format!("`{name}` is there already"));
        }
        for (name, end) in names.into_iter().zip(kind.endings()) {
            self.places.insert(name, (self.families.len(), end));
        }
        let help = self.helped.remove(name).unwrap_or_default();
        self.families.push(Family::new(name, kind, help));
        Ok(())
    }

    fn sample(&mut self, line: &str) -> Result<(), String> {
        let end = line
            .find(|character: char| character == '{' || character.is_whitespace())
            .ok_or("there is no value")?;
        let (name, rest) = line.split_at(end);
        if !is_name(name) {
            return Err(format!("`{name}` is no name of a metric"));
        }
        let (labels, rest) = match rest.strip_prefix('{') {
            Some(inside) => labels(inside)?,
            None => (Labels::new(), rest),
        };
        let mut words = rest.split_whitespace();
        let value = words.next().ok_or("there is no value")?;
        let value = parse_number(value).ok_or_else(|| format!("`{value}` is no number"))?;
        let has_good_time = words.next().is_none_or(|time| time.parse::<i64>().is_ok());
        if !has_good_time || words.next().is_some() {
            return Err("there is something after the value".to_owned());
        }
        if !self.places.contains_key(name) {
            self.declare(name, Kind::Untyped)?;
        }
        if !self.seen.insert((name.to_owned(), labels.clone())) {
            return Err(format!("`{name}` comes twice with the same labels"));
        }
        let (place, ending) = self.places[name];
        self.families[place].samples.push(Sample {
            ending,
            labels,
            value,
        });
        Ok(())
    }
}

fn parse_number(text: &str) -> Option<f64> {
    match text {
        "NaN" => Some(f64::NAN),
        "+Inf" | "Inf" => Some(f64::INFINITY),
        "-Inf" => Some(f64::NEG_INFINITY),
        _ if text.bytes().any(|byte| byte.is_ascii_digit()) => text.parse().ok(),
        _ => None,
    }
}

/// Reads labels after the opening brace; says what follows the closing one.
fn labels(text: &str) -> Result<(Labels, &str), String> {
    let mut found = Labels::new();
    let mut rest = text.trim_start();
    loop {
        if let Some(after) = rest.strip_prefix('}') {
            return Ok((found, after));
        }
        let (name, after) = rest.split_once('=').ok_or("the labels have no end")?;
        let name = name.trim();
        if !is_label(name) {
            return Err(format!("`{name}` is no name of a label"));
        }
        let quoted = after
            .trim_start()
            .strip_prefix('"')
            .ok_or("a label has no quotes")?;
        let mut value = String::new();
        let mut characters = quoted.char_indices();
        rest = loop {
            match characters.next().ok_or("the labels have no end")? {
                (place, '"') => break quoted[place + 1..].trim_start(),
                (_, '\\') => match characters.next().map(|(_, escaped)| escaped) {
                    Some('n') => value.push('\n'),
                    Some(plain @ ('\\' | '"')) => value.push(plain),
                    _ => return Err(format!("the label `{name}` has a wrong escape")),
                },
                (_, plain) => value.push(plain),
            }
        };
        if found.insert(name.to_owned(), value).is_some() {
            return Err(format!("the label `{name}` comes twice"));
        }
        rest = match rest.strip_prefix(',') {
            Some(after) => after.trim_start(),
            None if rest.starts_with('}') => rest,
            None => return Err("a comma is missing between labels".to_owned()),
        };
    }
}

fn unescape(text: &str) -> String {
    let mut out = String::new();
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => match characters.next() {
                Some('n') => out.push('\n'),
                Some(other) => out.push(other),
                None => out.push('\\'),
            },
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shown(families: &[Family]) -> String {
        let mut text = String::new();
        append(&mut text, families, "", &Labels::new());
        text
    }

    #[test]
    fn what_is_written_is_read_back() {
        let text = "# HELP a_total How \"much\"\\nof it\n# TYPE a_total counter\na_total 1\na_total{x=\"a\\\\b\\\"c\\nd\",y=\"\"} 2.5\n\
                    # HELP s Time\n# TYPE s summary\ns{quantile=\"0.5\"} NaN\ns_sum 3\ns_count 2\n\
                    # HELP h \n# TYPE h histogram\nh_bucket{le=\"+Inf\"} 2\nh_sum -Inf\nh_count 2\n\
                    # HELP u \n# TYPE u untyped\nu 0.000001\n";
        let families = parse(text).unwrap();
        assert_eq!(shown(&families), text);
    }

    #[test]
    fn a_name_and_a_value_are_enough() {
        let families = parse("# a remark\n\na 1\n  b{x=\"1\",} +Inf 1700000000000\n").unwrap();
        assert_eq!(
            shown(&families),
            "# HELP a \n# TYPE a untyped\na 1\n# HELP b \n# TYPE b untyped\nb{x=\"1\"} +Inf\n"
        );
    }

    #[test]
    fn prefix_and_constant_labels_are_added() {
        let families = parse("a{x=\"own\"} 1\nb 2\n").unwrap();
        let constant = Labels::from([("x".to_owned(), "c".to_owned()), ("y".to_owned(), "d".to_owned())]);
        let mut text = String::new();
        append(&mut text, &families, "p_", &constant);
        assert!(text.contains("\np_a{x=\"own\",y=\"d\"} 1\n"), "{text}");
        assert!(text.contains("\np_b{x=\"c\",y=\"d\"} 2\n"), "{text}");
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        let check = |text: &str, expect: &str| assert_eq!(parse(text).unwrap_err(), expect, "{text}");
        check("a", "line 1: there is no value");
        check("a 1\nb x", "line 2: `x` is no number");
        check("1a 1", "line 1: `1a` is no name of a metric");
        check("a inf", "line 1: `inf` is no number");
        check("a 1 2 3", "line 1: there is something after the value");
        check("a{x=1} 1", "line 1: a label has no quotes");
        check("a{x=\"1\" 1", "line 1: a comma is missing between labels");
        check("a{x=\"1", "line 1: the labels have no end");
        check("a{__x=\"1\"} 1", "line 1: `__x` is no name of a label");
        check("a{x=\"1\",x=\"2\"} 1", "line 1: the label `x` comes twice");
        check("a 1\na 2", "line 2: `a` comes twice with the same labels");
        check("a 1\n# TYPE a gauge", "line 2: `a` is there already");
        check("# TYPE a thing", "line 1: `thing` is no type");
        check("a_sum 1\n# TYPE a summary", "line 2: `a` is there already");
    }

    proptest! {
        #[test]
        fn whatever_is_accepted_is_written_well(text in "([a-c_]{1,3}(\\{[a-c]=\"[^\"\n]{0,3}\"\\})? -?[0-9.]{1,4}\n|# (TYPE|HELP) [a-c_]{1,3} (gauge|summary|counter)\n|[ -~\n]{0,9}){0,6}") {
            if let Ok(families) = parse(&text) {
                let written = shown(&families);
                let again = parse(&written);
                prop_assert!(again.is_ok(), "{:?} from {:?}: {:?}", written, text, again);
                prop_assert_eq!(shown(&again.unwrap()), written);
            }
        }
    }
}
