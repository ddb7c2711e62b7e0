//! What came of promises, for people and machines.

use std::fmt::Write as _;
use std::time::Duration;

use serde::Serialize;

use crate::stack::promise::Promise;

/// Something that was expected, and what was seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Figure {
    /// What was seen: `0 of 250 lost`.
    pub seen: String,
    /// What was wanted, where it was not seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wanted: Option<String>,
    /// Whether it is as it was wanted.
    pub kept: bool,
    /// Some of what is wrong.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<String>,
}

impl Figure {
    /// Something that was seen.
    pub fn new(seen: impl Into<String>, kept: bool) -> Self {
        Self {
            seen: seen.into(),
            wanted: None,
            kept,
            details: Vec::new(),
        }
    }

    /// Says what was wanted instead.
    #[must_use]
    pub fn wanted(mut self, wanted: impl Into<String>) -> Self {
        self.wanted = Some(wanted.into());
        self
    }
}

/// What came of a try.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// Everything that was expected was seen.
    Kept,
    /// Something was not.
    Broken,
    /// It could not be tried.
    Failed(String),
}

/// A try of a promise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Run {
    /// The promise.
    pub promise: String,
    /// What it says.
    pub says: String,
    /// Whether its mechanism was taken out: then it has to break.
    pub control: bool,
    /// What came of it.
    pub outcome: Outcome,
    /// What was expected and seen.
    pub figures: Vec<Figure>,
    /// How long it took.
    pub milliseconds: u64,
    /// What happened when, in milliseconds from the start of the load.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub timeline: Vec<(u64, String)>,
}

impl Run {
    /// One that could not be tried.
    pub fn untried(promise: &Promise, control: bool, reason: &str) -> Self {
        Self {
            promise: promise.name.to_string(),
            says: promise.says.clone(),
            control,
            outcome: Outcome::Failed(reason.to_owned()),
            figures: Vec::new(),
            milliseconds: 0,
            timeline: Vec::new(),
        }
    }

    /// Whether it ended as it has to: kept, or with its mechanism taken out broken.
    pub fn is_good(&self) -> bool {
        match self.outcome {
            Outcome::Kept => !self.control,
            Outcome::Broken => self.control,
            Outcome::Failed(_) => false,
        }
    }

    /// In a word.
    pub fn word(&self) -> &'static str {
        match (&self.outcome, self.control) {
            (Outcome::Kept, false) => "kept",
            (Outcome::Broken, false) => "broken",
            (Outcome::Kept, true) => "kept without its mechanism",
            (Outcome::Broken, true) => "broken without its mechanism, as it has to",
            (Outcome::Failed(_), _) => "not tried",
        }
    }

    /// The lines for a person: the first says all, the others why.
    pub fn lines(&self) -> Vec<String> {
        let seconds = Duration::from_millis(self.milliseconds).as_secs_f64();
        let figures: Vec<&str> = self.figures.iter().map(|figure| figure.seen.as_str()).collect();
        let mut lines = vec![format!("{}: {}; {seconds:.1} s", self.word(), figures.join("; "))];
        if let Outcome::Failed(reason) = &self.outcome {
            lines[0] = format!("{}: {reason}", self.word());
        }
        if !self.is_good() {
            lines.push(format!("  {}", self.says));
            for figure in self.figures.iter().filter(|figure| !figure.kept) {
                let wanted = figure.wanted.as_ref().map(|wanted| format!(", wanted {wanted}"));
                lines.push(format!("  ✗ {}{}", figure.seen, wanted.unwrap_or_default()));
                lines.extend(figure.details.iter().map(|detail| format!("      {detail}")));
            }
        }
        lines
    }
}

/// All tries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The stack.
    pub stack: String,
    /// What decided where chance does.
    pub seed: u64,
    /// The tries, in their order.
    pub runs: Vec<Run>,
}

impl Report {
    /// Whether every try ended as it has to.
    pub fn is_good(&self) -> bool {
        self.runs.iter().all(Run::is_good)
    }
}

/// The report in the form that CI systems read.
pub fn junit(report: &Report) -> String {
    let failures = report
        .runs
        .iter()
        .filter(|run| !run.is_good() && !is_error(run))
        .count();
    let errors = report.runs.iter().filter(|run| is_error(run)).count();
    let seconds = |millis: u64| Duration::from_millis(millis).as_secs_f64();
    let time: u64 = report.runs.iter().map(|run| run.milliseconds).sum();
    let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let _ = writeln!(
        text,
        "<testsuites><testsuite name=\"{}\" tests=\"{}\" failures=\"{failures}\" errors=\"{errors}\" time=\"{:.3}\">",
        escaped(&report.stack),
        report.runs.len(),
        seconds(time),
    );
    for run in &report.runs {
        let suffix = if run.control { " (control)" } else { "" };
        let _ = write!(
            text,
            "<testcase classname=\"{}\" name=\"{}{suffix}\" time=\"{:.3}\"",
            escaped(&report.stack),
            escaped(&run.promise),
            seconds(run.milliseconds),
        );
        if run.is_good() {
            text.push_str("/>\n");
            continue;
        }
        let element = if is_error(run) { "error" } else { "failure" };
        let lines = run.lines();
        let _ = writeln!(
            text,
            "><{element} message=\"{}\">{}</{element}></testcase>",
            escaped(&lines[0]),
            escaped(&lines.join("\n")),
        );
    }
    text.push_str("</testsuite></testsuites>\n");
    text
}

fn is_error(run: &Run) -> bool {
    matches!(run.outcome, Outcome::Failed(_))
}

/// A text as it can stand in an attribute and between elements; what XML can't hold is left out.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' => out.push_str("&#10;"),
            character if character.is_control() => {}
            character => out.push(character),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(control: bool, outcome: Outcome) -> Run {
        Run {
            promise: "drains".to_owned(),
            says: "Nothing is lost".to_owned(),
            control,
            outcome,
            figures: vec![Figure {
                details: vec!["2 × \"closed\"".to_owned()],
                ..Figure::new("2 of 10 lost", false).wanted("at most 0")
            }],
            milliseconds: 1500,
            timeline: Vec::new(),
        }
    }

    #[test]
    fn a_control_has_to_break() {
        assert!(run(false, Outcome::Kept).is_good());
        assert!(!run(false, Outcome::Broken).is_good());
        assert!(run(true, Outcome::Broken).is_good());
        assert!(!run(true, Outcome::Kept).is_good());
        assert!(!run(true, Outcome::Failed("x".to_owned())).is_good());
    }

    #[test]
    fn a_broken_promise_says_what_and_why() {
        let lines = run(false, Outcome::Broken).lines();
        assert_eq!(
            lines.join("\n"),
            "broken: 2 of 10 lost; 1.5 s\n  Nothing is lost\n  ✗ 2 of 10 lost, wanted at most 0\n      2 × \"closed\""
        );
    }

    #[test]
    fn junit_is_well_formed() {
        let report = Report {
            stack: "shop".to_owned(),
            seed: 1,
            runs: vec![
                run(false, Outcome::Kept),
                run(false, Outcome::Broken),
                run(true, Outcome::Failed("<&>\u{1}".to_owned())),
            ],
        };
        let text = junit(&report);
        assert!(
            text.contains("tests=\"3\" failures=\"1\" errors=\"1\" time=\"4.500\""),
            "{text}"
        );
        assert!(text.contains("name=\"drains (control)\""), "{text}");
        assert!(text.contains("&lt;&amp;&gt;\""), "{text}");
        assert!(text.contains("2 × &quot;closed&quot;"), "{text}");
    }
}
