//! Turns bytes into nodes, in bounded time and memory.

use std::collections::{BTreeMap, HashMap};

use granit_parser::{Event, Parser, ScalarStyle, Tag};

use super::node::{Content, Entry, Node};
use crate::diagnostic::{Collector, Diagnostic, SourceId, Sources, Span, quoted};

/// The largest input that is read, in bytes.
pub const LARGEST_INPUT: usize = 4 << 20;

/// The deepest nesting.
const DEPTH: usize = 64;

/// The most nodes, those that aliases repeat included.
pub const NODES: usize = 100_000;

/// The most text in nodes, that which aliases repeat included.
const BYTES: usize = 2 * LARGEST_INPUT;

/// Reads one document. `None` where it can't be read at all; problems that leave a readable rest,
/// such as a duplicate key, are collected beside it.
pub fn read(sources: &mut Sources, path: &str, bytes: &[u8], problems: &mut Collector) -> Option<Node> {
    let (source, text) = decoded(sources, path, bytes, problems)?;
    let whole = Part {
        text,
        start: 0,
        lines: 0,
    };
    match Reader::new(source, whole, problems).document() {
        Ok(node) => Some(node),
        Err(problem) => {
            problems.push(*problem);
            None
        }
    }
}

/// Reads every document of a stream but empty ones. One that can't be read at all is left out, which was said, and
/// the others are read all the same; together they hold no more than one may.
pub fn read_documents(
    sources: &mut Sources,
    path: &str,
    bytes: &[u8],
    problems: &mut Collector,
) -> Vec<Node> {
    let Some((source, text)) = decoded(sources, path, bytes, problems) else {
        return Vec::new();
    };
    let mut documents = Vec::new();
    let (mut nodes, mut held) = (0, 0);
    for part in parts(text) {
        let mut reader = Reader::new(source, part, problems);
        (reader.nodes, reader.bytes) = (nodes, held);
        let document = reader.document();
        (nodes, held) = (reader.nodes, reader.bytes);
        match document {
            Ok(Node {
                content: Content::Empty,
                ..
            }) => {}
            Ok(node) => documents.push(node),
            Err(problem) => problems.push(*problem),
        }
        if nodes > NODES || held > BYTES {
            break;
        }
    }
    documents
}

/// A part of a text: one document of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Part<'t> {
    text: &'t str,
    /// Where it begins in the whole text.
    start: usize,
    /// The lines before it.
    lines: u32,
}

/// Cuts a stream into its documents, without those that hold nothing. No line of a document can begin like the lines
/// between documents, whatever it stands in.
fn parts(text: &str) -> Vec<Part<'_>> {
    let is_marker = |line: &str, marker: &str| {
        line.strip_prefix(marker)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with(char::is_whitespace))
    };
    let mut found = Vec::new();
    let mut begun = (0, 0);
    let mut holds_something = false;
    let mut at = 0;
    let mut lines = 0;
    let mut close = |begun: &mut (usize, u32), holds_something: &mut bool, end: usize, next: (usize, u32)| {
        if std::mem::take(holds_something) {
            found.push(Part {
                text: &text[begun.0..end],
                start: begun.0,
                lines: begun.1,
            });
            *begun = next;
        }
    };
    for line in text.split_inclusive('\n') {
        let next = (at + line.len(), lines + 1);
        if is_marker(line, "...") {
            close(&mut begun, &mut holds_something, at, next);
            begun = next;
        } else if is_marker(line, "---") {
            close(&mut begun, &mut holds_something, at, (at, lines));
            let rest = line[3..].trim();
            holds_something = !rest.is_empty() && !rest.starts_with('#');
            if !holds_something && !text[begun.0..at].contains('%') {
                begun = (at, lines);
            }
        } else {
            let rest = line.trim_start();
            let is_directive = line.starts_with('%') && !holds_something;
            holds_something |= !(rest.is_empty() || rest.starts_with('#') || is_directive);
        }
        (at, lines) = next;
    }
    close(&mut begun, &mut holds_something, text.len(), (at, lines));
    found
}

/// The text of a file, without a byte order mark; `None` where it is none, which was said.
fn decoded<'b>(
    sources: &mut Sources,
    path: &str,
    bytes: &'b [u8],
    problems: &mut Collector,
) -> Option<(SourceId, &'b str)> {
    if bytes.len() > LARGEST_INPUT {
        let source = sources.add(path, "");
        problems.push(
            Diagnostic::error(Span::beginning(source), "the file is too large")
                .help(format!("the most that is read is {} MiB", LARGEST_INPUT >> 20)),
        );
        return None;
    }
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text.strip_prefix('\u{feff}').unwrap_or(text),
        Err(error) => {
            let (valid, _) = bytes.split_at(error.valid_up_to());
            let shown = String::from_utf8_lossy(valid).into_owned() + "\u{fffd}";
            let source = sources.add(path, shown.clone());
            let span = Span::of(source, &shown, valid.len(), shown.len());
            problems.push(
                Diagnostic::error(span, "the file is not UTF-8 text")
                    .label(format!("byte {:#04x} can't stand here", bytes[valid.len()]))
                    .help("save it as UTF-8"),
            );
            return None;
        }
    };
    Some((sources.add(path, text), text))
}

type Fatal = Box<Diagnostic>;

struct Reader<'a> {
    source: SourceId,
    part: Part<'a>,
    problems: &'a mut Collector,
    open: Vec<Frame>,
    /// Finished anchors; an alias to one that is not finished yet stands inside itself.
    anchors: BTreeMap<usize, Node>,
    nodes: usize,
    bytes: usize,
}

/// A collection that is not finished.
struct Frame {
    anchor: usize,
    span: Span,
    kind: FrameKind,
}

enum FrameKind {
    Sequence(Vec<Node>),
    Mapping {
        entries: Vec<Entry>,
        seen: HashMap<String, Span>,
        /// The key that waits for its value.
        key: Option<Key>,
        merged: Vec<Node>,
    },
}

enum Key {
    Text(String, Span),
    Merge(Span),
    /// Already reported; its value is left out.
    Invalid,
}

impl<'a> Reader<'a> {
    fn new(source: SourceId, part: Part<'a>, problems: &'a mut Collector) -> Self {
        Self {
            source,
            part,
            problems,
            open: Vec::new(),
            anchors: BTreeMap::new(),
            nodes: 0,
            bytes: 0,
        }
    }

    fn document(&mut self) -> Result<Node, Fatal> {
        let options = granit_parser::options! { emit_comments: false };
        let mut root = None;
        let mut documents = 0;
        for next in Parser::new_from_str_with_options(self.part.text, options) {
            let (event, span) = next.map_err(|error| self.syntax(&error))?;
            let tag_span = span.tag_span().map(|tag| self.span(tag));
            let span = self.span(span);
            let finished = match event {
                Event::DocumentStart(..) => {
                    documents += 1;
                    if documents > 1 {
                        return Err(Diagnostic::error(span, "a second document begins here")
                            .help("write one document to a file; remove the line `---`")
                            .into());
                    }
                    None
                }
                Event::Scalar(value, style, anchor, tag) => {
                    let is_text = tag.as_deref().is_some_and(|tag| tag.core_suffix() == Some("str"));
                    self.refuse_tag(tag.as_deref(), "str", tag_span.unwrap_or(span));
                    let node = self.scalar(&value, style, is_text, span)?;
                    self.remember(anchor, &node)?;
                    self.finish(node)
                }
                Event::SequenceStart(_, anchor, tag) => {
                    self.refuse_tag(tag.as_deref(), "seq", tag_span.unwrap_or(span));
                    self.begin(anchor, span, FrameKind::Sequence(Vec::new()))?
                }
                Event::MappingStart(_, anchor, tag) => {
                    self.refuse_tag(tag.as_deref(), "map", tag_span.unwrap_or(span));
                    let kind = FrameKind::Mapping {
                        entries: Vec::new(),
                        seen: HashMap::new(),
                        key: None,
                        merged: Vec::new(),
                    };
                    self.begin(anchor, span, kind)?
                }
                Event::SequenceEnd | Event::MappingEnd => self.end(span)?,
                Event::Alias(id) => {
                    let Some(target) = self.anchors.get(&id) else {
                        return Err(Diagnostic::error(span, "an alias stands inside what it repeats").into());
                    };
                    let weight = target.weight();
                    if self.open.len() + weight.depth > DEPTH {
                        return Err(too_deep(span));
                    }
                    self.nodes += weight.nodes;
                    self.bytes += weight.bytes;
                    self.check_budget(span)?;
                    let content = self.anchors[&id].content.clone();
                    self.finish(Node { content, span })
                }
                _ => None,
            };
            root = root.or(finished);
        }
        Ok(root.unwrap_or(Node {
            content: Content::Empty,
            span: Span {
                start: self.part.start,
                end: self.part.start,
                line: self.line(1),
                ..Span::beginning(self.source)
            },
        }))
    }

    fn span(&self, span: granit_parser::Span) -> Span {
        let range = span.byte_range().unwrap_or_default();
        let text = self.part.text;
        let start = range.start.min(text.len());
        let covered = text.get(start..range.end.min(text.len())).unwrap_or("");
        Span {
            source: self.source,
            start: self.part.start + start,
            end: self.part.start + start + covered.trim_end().len(),
            line: self.line(span.start.line()),
            column: u32::try_from(span.start.col() + 1).unwrap_or(u32::MAX),
        }
    }

    /// A line of this document as one of the whole text.
    fn line(&self, line: usize) -> u32 {
        u32::try_from(line)
            .unwrap_or(u32::MAX)
            .saturating_add(self.part.lines)
    }

    fn syntax(&self, error: &granit_parser::ScanError) -> Fatal {
        let marker = error.marker();
        let text = self.part.text;
        let start = marker.byte_offset().unwrap_or(text.len()).min(text.len());
        let width = text[start..].chars().next().map_or(0, char::len_utf8);
        let span = Span {
            source: self.source,
            start: self.part.start + start,
            end: self.part.start + start + width,
            line: self.line(marker.line()),
            column: u32::try_from(marker.col() + 1).unwrap_or(u32::MAX),
        };
        let line_start = text[..start].rfind('\n').map_or(0, |at| at + 1);
        let line = text[line_start..].lines().next().unwrap_or("");
        let info = error.info();
        let help = if line.contains("${") {
            Some("inside `{ }` and `[ ]` a parameter stands in quotes: `\"${name}\"`")
        } else if line.trim_start_matches(' ').starts_with('\t') {
            Some("indent with spaces: YAML takes no tabs there")
        } else {
            None
        };
        Diagnostic::error(span, format!("not YAML: {}", lowercase_first(&info)))
            .maybe_help(help.map(str::to_owned))
            .into()
    }

    fn scalar(&mut self, value: &str, style: ScalarStyle, is_text: bool, span: Span) -> Result<Node, Fatal> {
        self.nodes += 1;
        self.bytes += value.len();
        self.check_budget(span)?;
        let plain = matches!(style, ScalarStyle::Plain);
        // The parser says `~` where nothing was written, too: only the place tells them apart.
        let content = if plain && span.start == span.end && !is_text {
            Content::Empty
        } else {
            Content::Scalar {
                text: value.to_owned(),
                plain: plain && !is_text,
            }
        };
        Ok(Node { content, span })
    }

    fn refuse_tag(&mut self, tag: Option<&Tag>, allowed: &str, span: Span) {
        if let Some(tag) = tag
            && tag.core_suffix() != Some(allowed)
        {
            self.problems.push(
                Diagnostic::error(
                    span,
                    format!("the tag {} is not known here", quoted(&tag.original())),
                )
                .help("remove the tag; quote a value that is meant as text"),
            );
        }
    }

    fn check_budget(&self, span: Span) -> Result<(), Fatal> {
        if self.nodes > NODES || self.bytes > BYTES {
            return Err(Diagnostic::error(span, "the file holds too much")
                .help(format!(
                    "the most that is read is {NODES} values, those that aliases repeat included"
                ))
                .into());
        }
        Ok(())
    }

    fn remember(&mut self, anchor: usize, node: &Node) -> Result<(), Fatal> {
        if anchor != 0 {
            let weight = node.weight();
            self.nodes += weight.nodes;
            self.bytes += weight.bytes;
            self.check_budget(node.span)?;
            self.anchors.insert(anchor, node.clone());
        }
        Ok(())
    }

    fn begin(&mut self, anchor: usize, span: Span, kind: FrameKind) -> Result<Option<Node>, Fatal> {
        self.nodes += 1;
        self.check_budget(span)?;
        if self.open.len() >= DEPTH {
            return Err(too_deep(span));
        }
        self.open.push(Frame { anchor, span, kind });
        Ok(None)
    }

    fn end(&mut self, end: Span) -> Result<Option<Node>, Fatal> {
        let frame = self.open.pop().expect("the parser ends only what it began");
        let content = match frame.kind {
            FrameKind::Sequence(items) => Content::Sequence(items),
            FrameKind::Mapping {
                mut entries,
                mut seen,
                merged,
                ..
            } => {
                for source in merged {
                    if let Content::Mapping(from) = source.content {
                        for entry in from {
                            if !seen.contains_key(&entry.key) {
                                seen.insert(entry.key.clone(), entry.key_span);
                                entries.push(entry);
                            }
                        }
                    }
                }
                Content::Mapping(entries)
            }
        };
        let inside = frame.span.start - self.part.start..end.end.saturating_sub(self.part.start);
        let covered = self.part.text.get(inside).unwrap_or("");
        let span = Span {
            end: frame.span.start + covered.trim_end().len(),
            ..frame.span
        };
        let node = Node { content, span };
        self.remember(frame.anchor, &node)?;
        Ok(self.finish(node))
    }

    /// Puts a finished node into what is open; hands it back when it is the root.
    fn finish(&mut self, node: Node) -> Option<Node> {
        let Some(frame) = self.open.last_mut() else {
            return Some(node);
        };
        match &mut frame.kind {
            FrameKind::Sequence(items) => items.push(node),
            FrameKind::Mapping {
                entries,
                seen,
                key,
                merged,
            } => match key.take() {
                None => *key = Some(as_key(node, self.problems)),
                Some(Key::Invalid) => {}
                Some(Key::Merge(span)) => merged.extend(as_merge(node, span, self.problems)),
                Some(Key::Text(text, span)) => {
                    if let Some(first) = seen.get(&text) {
                        self.problems.push(
                            Diagnostic::error(span, format!("the key {} stands here twice", quoted(&text)))
                                .related(*first, "first here")
                                .help("keep one of them"),
                        );
                    } else {
                        seen.insert(text.clone(), span);
                        self.bytes += text.len();
                        entries.push(Entry {
                            key: text,
                            key_span: span,
                            value: node,
                        });
                    }
                }
            },
        }
        None
    }
}

fn too_deep(span: Span) -> Fatal {
    Diagnostic::error(span, "nested too deeply")
        .help(format!("the most is {DEPTH} levels"))
        .into()
}

fn as_key(node: Node, problems: &mut Collector) -> Key {
    match node.content {
        Content::Scalar { text, plain: true } if text == "<<" => Key::Merge(node.span),
        Content::Scalar { text, .. } => Key::Text(text, node.span),
        Content::Empty => {
            problems.push(Diagnostic::error(node.span, "a key is missing before the `:`"));
            Key::Invalid
        }
        Content::Sequence(_) | Content::Mapping(_) | Content::Unresolved => {
            problems.push(
                Diagnostic::error(node.span, format!("a key is a text, found {}", node.describe()))
                    .help("a value that begins with `{` or `[` stands in quotes when it is meant as text"),
            );
            Key::Invalid
        }
    }
}

fn as_merge(node: Node, key: Span, problems: &mut Collector) -> Vec<Node> {
    let sources = match node.content {
        Content::Sequence(items) => items,
        _ => vec![node],
    };
    if let Some(wrong) = sources
        .iter()
        .find(|source| !matches!(source.content, Content::Mapping(_)))
    {
        problems.push(
            Diagnostic::error(
                wrong.span,
                format!("`<<` merges mappings, found {}", wrong.describe()),
            )
            .related(key, "merged here"),
        );
    }
    sources
}

fn lowercase_first(text: &str) -> String {
    let mut characters = text.chars();
    match characters.next() {
        Some(first) => first.to_lowercase().chain(characters).collect(),
        None => String::new(),
    }
}
