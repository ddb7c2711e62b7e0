//! Collects what becomes of the fields of a foreign file.

use super::rule::{self, Rule};
use crate::diagnostic::{Collector, Diagnostic, Sources, Span};
use crate::export::{Report, ReportLine};
use crate::yaml::Node;

/// The texts, and what was said about them.
#[derive(Debug, Default)]
pub struct Notes {
    /// The texts.
    pub sources: Sources,
    lines: Vec<ReportLine>,
}

impl Notes {
    /// Says what became of a field.
    pub fn say(
        &mut self,
        rule: &Rule,
        path: &str,
        span: Span,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        self.lines.push(ReportLine {
            path: path.to_owned(),
            place: self.sources.place(span),
            row: rule.field,
            message: message.into(),
            remedy: remedy.into(),
        });
    }

    /// Says what becomes of every such field.
    pub fn rule(&mut self, rule: &Rule, path: &str, span: Span) {
        self.say(rule, path, span, rule.field.why, rule.remedy);
    }

    /// Says that a value is of the wrong type.
    pub fn wrong(&mut self, path: &str, span: Span, expected: &str, found: &Node) {
        self.say(
            &rule::TYPE,
            path,
            span,
            format!("expected {expected}, found {}", found.describe()),
            rule::TYPE.remedy,
        );
    }

    /// Says what a reader of YAML or the checker of stacks found wrong; `origin` is where that is from.
    pub fn problem(&mut self, rule: &Rule, path: &str, origin: Span, problem: &Diagnostic) {
        let remedy = if problem.help.is_empty() {
            rule.remedy.to_owned()
        } else {
            problem.help.join("; ")
        };
        self.say(rule, path, origin, problem.message.clone(), remedy);
    }

    /// Says everything that a reader of YAML found wrong.
    pub fn unreadable(&mut self, problems: Collector) {
        let problems = crate::diagnostic::Problems::new(Sources::default(), problems);
        for problem in &problems.list {
            self.problem(&rule::UNREADABLE, "document", problem.span, problem);
        }
    }

    /// The report.
    pub fn into_report(self) -> Report {
        let mut report = Report::default();
        for line in self.lines {
            report.push(line);
        }
        report.sorted()
    }
}
