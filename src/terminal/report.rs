//! Draws problems as rustc draws them: the place, the text, a caret, and what to do.

use std::ops::Range;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{Annotation, AnnotationKind, Element, Group, Level, Origin, Renderer, Snippet};

use crate::diagnostic::{Diagnostic, Problems, Severity, SourceId, Sources, Span};

/// How many problems are drawn: more than that nobody reads at once.
const MOST_DRAWN: usize = 50;

/// Longer lines are not drawn, in bytes: the place alone is said.
const LONGEST_LINE: usize = 2000;

/// Places in one file that are at most so many lines apart are drawn together.
const TOGETHER: u32 = 40;

/// Draws every problem, one paragraph each.
pub fn draw(problems: &Problems, colored: bool) -> Vec<String> {
    let renderer = if colored {
        Renderer::styled().hyperlink(false)
    } else {
        Renderer::plain()
    };
    let renderer = renderer.decor_style(DecorStyle::Ascii).term_width(120);
    let mut drawn: Vec<String> = problems
        .list
        .iter()
        .take(MOST_DRAWN)
        .map(|problem| renderer.render(&[group(problem, &problems.sources)]) + "\n")
        .collect();
    let left = problems.count() - drawn.len();
    if left > 0 {
        drawn.push(format!("… and {left} more\n"));
    }
    drawn
}

/// Draws every problem without colour.
pub fn draw_plain(problems: &Problems) -> Vec<String> {
    draw(problems, false)
}

fn group<'a>(problem: &'a Diagnostic, sources: &'a Sources) -> Group<'a> {
    let level = match problem.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let mut snippets = vec![Excerpt::new(
        problem.span,
        AnnotationKind::Primary,
        problem.label.as_deref(),
    )];
    for (span, label) in &problem.related {
        let near = snippets.iter_mut().find(|excerpt| excerpt.takes(*span));
        match near {
            Some(excerpt) => excerpt.add(*span, AnnotationKind::Context, Some(label)),
            None => snippets.push(Excerpt::new(*span, AnnotationKind::Context, Some(label))),
        }
    }
    let mut elements: Vec<Element<'a>> = snippets
        .into_iter()
        .map(|excerpt| excerpt.draw(sources))
        .collect();
    elements.extend(
        problem
            .help
            .iter()
            .map(|help| Level::HELP.message(help.as_str()).into()),
    );
    level.primary_title(problem.message.as_str()).elements(elements)
}

/// A few lines of a file with what is said about them.
struct Excerpt<'a> {
    source: SourceId,
    first: Span,
    last: Span,
    annotations: Vec<(Span, AnnotationKind, Option<&'a str>)>,
}

impl<'a> Excerpt<'a> {
    fn new(span: Span, kind: AnnotationKind, label: Option<&'a str>) -> Self {
        Self {
            source: span.source,
            first: span,
            last: span,
            annotations: vec![(span, kind, label)],
        }
    }

    fn takes(&self, span: Span) -> bool {
        let from = self.first.line.saturating_sub(TOGETHER);
        let to = self.last.line.saturating_add(TOGETHER);
        span.source == self.source && (from..=to).contains(&span.line)
    }

    fn add(&mut self, span: Span, kind: AnnotationKind, label: Option<&'a str>) {
        if span.start < self.first.start {
            self.first = span;
        }
        if span.start > self.last.start {
            self.last = span;
        }
        self.annotations.push((span, kind, label));
    }

    fn draw(self, sources: &'a Sources) -> Element<'a> {
        let source = sources.get(self.source);
        let text = source.text.as_str();
        let start = text[..self.first.start].rfind('\n').map_or(0, |at| at + 1);
        let end = text[self.last.start..]
            .find('\n')
            .map_or(text.len(), |at| self.last.start + at);
        let excerpt = &text[start..end];
        if excerpt.lines().any(|line| line.len() > LONGEST_LINE) {
            let primary = self.annotations[0].0;
            return Origin::path(source.path.as_str())
                .line(primary.line as usize)
                .char_column(primary.column as usize)
                .into();
        }
        let annotations = self
            .annotations
            .into_iter()
            .map(|(span, kind, label)| -> Annotation<'a> {
                let annotation = kind.span(first_line(text, span, start));
                match label {
                    Some(label) => annotation.label(label),
                    None => annotation,
                }
            });
        Snippet::source(excerpt)
            .path(source.path.as_str())
            .line_start(self.first.line as usize)
            .annotations(annotations)
            .into()
    }
}

/// The part of a span that lies in its first line, counted from the excerpt's beginning.
fn first_line(text: &str, span: Span, excerpt_start: usize) -> Range<usize> {
    let covered = text.get(span.start..span.end).unwrap_or("");
    let line = covered.split(['\n', '\r']).next().unwrap_or("");
    let start = span.start - excerpt_start;
    start..start + line.trim_end().len()
}
