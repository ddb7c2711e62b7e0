//! Texts by number, and places in them.

use std::fmt;

/// A text and the name that the user knows it by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// A path relative to the project, or what was typed, such as `--set`.
    pub path: String,
    /// The text.
    pub text: String,
}

/// A text's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceId(u32);

/// The texts of one run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sources(Vec<Source>);

impl Sources {
    /// Adds a text.
    pub fn add(&mut self, path: impl Into<String>, text: impl Into<String>) -> SourceId {
        let id = SourceId(u32::try_from(self.0.len()).unwrap_or(u32::MAX));
        self.0.push(Source {
            path: path.into(),
            text: text.into(),
        });
        id
    }

    /// The text with a number that [`Sources::add`] gave.
    pub fn get(&self, id: SourceId) -> &Source {
        &self.0[id.0 as usize]
    }

    /// The text that was added first: the one that the user named.
    pub fn first(&self) -> Option<&Source> {
        self.0.first()
    }

    /// The part of a text that a span covers.
    pub fn slice(&self, span: Span) -> &str {
        self.get(span.source).text.get(span.start..span.end).unwrap_or("")
    }

    /// Says where a span begins.
    pub fn place(&self, span: Span) -> Place {
        Place {
            path: self.get(span.source).path.clone(),
            line: span.line as usize,
            column: span.column as usize,
        }
    }
}

/// A part of a text. Line and column are kept, so that no place has to be counted again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The text.
    pub source: SourceId,
    /// First byte.
    pub start: usize,
    /// The byte after the last.
    pub end: usize,
    /// Line of the first byte, from 1.
    pub line: u32,
    /// Column of the first byte in characters, from 1.
    pub column: u32,
}

impl Span {
    /// The beginning of a text.
    pub fn beginning(source: SourceId) -> Self {
        Self {
            source,
            start: 0,
            end: 0,
            line: 1,
            column: 1,
        }
    }

    /// The whole of a text of one line.
    pub fn whole(source: SourceId, text: &str) -> Self {
        Self {
            end: text.len(),
            ..Self::beginning(source)
        }
    }

    /// The part of a text from one byte to another; counts lines, so not for use in a loop.
    pub fn of(source: SourceId, text: &str, start: usize, end: usize) -> Self {
        let before = &text.as_bytes()[..start.min(text.len())];
        let line_start = before
            .iter()
            .rposition(|byte| *byte == b'\n')
            .map_or(0, |at| at + 1);
        let lines = before.split(|byte| *byte == b'\n').count() - 1;
        let columns = before[line_start..]
            .iter()
            .filter(|byte| **byte & 0xC0 != 0x80)
            .count();
        Self {
            source,
            start,
            end,
            line: u32::try_from(lines + 1).unwrap_or(u32::MAX),
            column: u32::try_from(columns + 1).unwrap_or(u32::MAX),
        }
    }
}

/// Where something was written: shown in warnings and reports.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Path as the user named it, relative to the project.
    pub path: String,
    /// Line, from 1.
    pub line: usize,
    /// Column, from 1.
    pub column: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}:{}", self.path, self.line, self.column)
    }
}
