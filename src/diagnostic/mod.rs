//! What is wrong in a text, where, and what to do about it.

mod nearest;
mod quoted;
mod source;

use std::fmt;

pub use nearest::nearest;
pub use quoted::{Listed, quoted};
pub use source::{Place, SourceId, Sources, Span};

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// The text can't be used.
    Error,
    /// The text can be used, and probably means something else than its writer thought.
    Warning,
}

/// One problem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong: a lowercase fragment.
    pub message: String,
    /// Where.
    pub span: Span,
    /// What to say beside the caret.
    pub label: Option<String>,
    /// Other places that have to do with it, each with what to say there.
    pub related: Vec<(Span, String)>,
    /// What to do about it.
    pub help: Vec<String>,
}

impl Diagnostic {
    /// An error at a place.
    pub fn error(span: Span, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            message: message.into(),
            span,
            label: None,
            related: Vec::new(),
            help: Vec::new(),
        }
    }

    /// A warning at a place.
    pub fn warning(span: Span, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Warning,
            ..Self::error(span, message)
        }
    }

    /// Says something beside the caret.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = Some(label.into());
        self
    }

    /// Points at another place that has to do with it.
    #[must_use]
    pub fn related(mut self, span: Span, label: impl Into<String>) -> Self {
        self.related.push((span, label.into()));
        self
    }

    /// Says what to do about it.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help.push(help.into());
        self
    }

    /// Says what to do about it, where there is something to say.
    #[must_use]
    pub fn maybe_help(mut self, help: Option<String>) -> Self {
        self.help.extend(help);
        self
    }
}

/// Problems and the texts that they are in. As an error, it holds at least one.
#[derive(Debug, Clone, Default)]
pub struct Problems {
    /// The texts.
    pub sources: Sources,
    /// The problems, sorted by place.
    pub list: Vec<Diagnostic>,
    /// Further problems that were not kept: past the first two hundred nobody reads on.
    pub dropped: usize,
}

impl Problems {
    /// Joins problems with their texts and sorts them by place.
    pub fn new(sources: Sources, collected: Collector) -> Self {
        let Collector { mut list, dropped } = collected;
        list.sort_by_key(|diagnostic| (diagnostic.span.source, diagnostic.span.start));
        Self {
            sources,
            list,
            dropped,
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// How many there are, those that were dropped included.
    pub fn count(&self) -> usize {
        self.list.len() + self.dropped
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.count();
        let noun = if count == 1 { "problem" } else { "problems" };
        let path = self
            .sources
            .first()
            .map_or("the input", |source| source.path.as_str());
        write!(formatter, "{count} {noun} in {path}")
    }
}

impl std::error::Error for Problems {}

/// Collects problems on the way through a text, in bounded memory.
#[derive(Debug, Clone, Default)]
pub struct Collector {
    list: Vec<Diagnostic>,
    dropped: usize,
}

const MOST_KEPT: usize = 200;

impl Collector {
    /// Keeps a problem.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        if self.list.len() < MOST_KEPT {
            self.list.push(diagnostic);
        } else {
            self.dropped += 1;
        }
    }

    /// Whether any error was found.
    pub fn has_errors(&self) -> bool {
        self.list
            .iter()
            .any(|diagnostic| diagnostic.severity == Severity::Error)
    }

    /// Whether so much is wrong that no more is kept.
    pub fn is_full(&self) -> bool {
        self.list.len() >= MOST_KEPT
    }

    /// How many were found.
    pub fn count(&self) -> usize {
        self.list.len() + self.dropped
    }

    /// Leaves warnings out: beside errors they are often only their echo.
    #[must_use]
    pub fn without_warnings(mut self) -> Self {
        self.list
            .retain(|diagnostic| diagnostic.severity == Severity::Error);
        self
    }

    /// Finds what was probably meant, as a help: "did you mean `x`?".
    ///
    /// Says nothing once too much is wrong: looking costs time, and nobody reads it.
    pub fn did_you_mean<'a>(
        &self,
        word: &str,
        candidates: impl IntoIterator<Item = &'a str>,
    ) -> Option<String> {
        if self.is_full() {
            return None;
        }
        nearest(word, candidates).map(|found| format!("did you mean {}?", quoted(found)))
    }
}
