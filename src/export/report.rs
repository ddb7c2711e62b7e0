//! What becomes of each field of a stack in another system.

use std::fmt;

use serde::ser::{Serialize, SerializeStruct, Serializer};

use crate::stack::Place;

/// Whether a field means the same in the other system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// It means the same there.
    Kept,
    /// Something close to it is there.
    Approximated,
    /// It isn't there.
    Dropped,
}

impl fmt::Display for Verdict {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Kept => "kept",
            Self::Approximated => "approximated",
            Self::Dropped => "dropped",
        })
    }
}

/// A row of `docs/export.md`, and the ground of the report's lines: what a kind of field becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    /// The path in a stack, with `<pod>` for any name.
    pub path: &'static str,
    /// In which case; empty for "else", or "always".
    pub when: &'static str,
    /// What becomes of it then.
    pub verdict: Verdict,
    /// What stands for it in the other system.
    pub becomes: &'static str,
    /// Why it isn't kept, or what to know of it.
    pub why: &'static str,
}

/// A row of what means the same there.
pub const fn kept(path: &'static str, when: &'static str, becomes: &'static str, why: &'static str) -> Field {
    Field {
        path,
        when,
        verdict: Verdict::Kept,
        becomes,
        why,
    }
}

/// A row of what has something close to it there.
pub const fn approximated(
    path: &'static str,
    when: &'static str,
    becomes: &'static str,
    why: &'static str,
) -> Field {
    Field {
        path,
        when,
        verdict: Verdict::Approximated,
        becomes,
        why,
    }
}

/// A row of what isn't there.
pub const fn dropped(path: &'static str, when: &'static str, why: &'static str) -> Field {
    Field {
        path,
        when,
        verdict: Verdict::Dropped,
        becomes: "nothing",
        why,
    }
}

/// What became of one field of one stack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportLine {
    /// The field's path, such as `pods.web.grace`.
    pub path: String,
    /// Where it, or what holds it, was written.
    pub place: Place,
    /// The row that it falls under.
    pub row: Field,
    /// What changed, or is left to do.
    pub message: String,
    /// What to do about it.
    pub remedy: String,
}

impl Serialize for ReportLine {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut line = serializer.serialize_struct("ReportLine", 9)?;
        line.serialize_field("field", &self.path)?;
        line.serialize_field("place", &self.place.to_string())?;
        line.serialize_field("verdict", &self.row.verdict)?;
        line.serialize_field("message", &self.message)?;
        line.serialize_field("remedy", &self.remedy)?;
        line.serialize_field("kind", self.row.path)?;
        line.serialize_field("when", self.row.when)?;
        line.serialize_field("becomes", self.row.becomes)?;
        line.serialize_field("why", self.row.why)?;
        line.end()
    }
}

/// What is worth saying about an export: everything that isn't kept, and everything that is
/// left to do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    lines: Vec<ReportLine>,
}

impl Report {
    /// Adds a line.
    pub fn push(&mut self, line: ReportLine) {
        self.lines.push(line);
    }

    /// The lines, by place.
    pub fn lines(&self) -> &[ReportLine] {
        &self.lines
    }

    /// This report and another one, by place.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.lines.extend(other.lines);
        self.sorted()
    }

    /// Brings the lines into the order of the stack's files.
    #[must_use]
    pub fn sorted(mut self) -> Self {
        self.lines
            .sort_by(|one, other| (&one.place, &one.path).cmp(&(&other.place, &other.path)));
        self
    }

    /// How many lines have a verdict.
    pub fn count(&self, verdict: Verdict) -> usize {
        self.lines
            .iter()
            .filter(|line| line.row.verdict == verdict)
            .count()
    }
}
