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
    let source = sources.add(path, text);
    match Reader::new(source, text, problems).document() {
        Ok(node) => Some(node),
        Err(problem) => {
            problems.push(*problem);
            None
        }
    }
}

type Fatal = Box<Diagnostic>;

struct Reader<'a> {
    source: SourceId,
    text: &'a str,
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
    fn new(source: SourceId, text: &'a str, problems: &'a mut Collector) -> Self {
        Self {
            source,
            text,
            problems,
            open: Vec::new(),
            anchors: BTreeMap::new(),
            nodes: 0,
            bytes: 0,
        }
    }

    fn document(mut self) -> Result<Node, Fatal> {
        let options = granit_parser::options! { emit_comments: false };
        let mut root = None;
        let mut documents = 0;
        for next in Parser::new_from_str_with_options(self.text, options) {
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
            span: Span::beginning(self.source),
        }))
    }

    fn span(&self, span: granit_parser::Span) -> Span {
        let range = span.byte_range().unwrap_or_default();
        let start = range.start.min(self.text.len());
        let covered = self.text.get(start..range.end.min(self.text.len())).unwrap_or("");
        Span {
            source: self.source,
            start,
            end: start + covered.trim_end().len(),
            line: u32::try_from(span.start.line()).unwrap_or(u32::MAX),
            column: u32::try_from(span.start.col() + 1).unwrap_or(u32::MAX),
        }
    }

    fn syntax(&self, error: &granit_parser::ScanError) -> Fatal {
        let marker = error.marker();
        let start = marker
            .byte_offset()
            .unwrap_or(self.text.len())
            .min(self.text.len());
        let width = self.text[start..].chars().next().map_or(0, char::len_utf8);
        let span = Span {
            source: self.source,
            start,
            end: start + width,
            line: u32::try_from(marker.line()).unwrap_or(u32::MAX),
            column: u32::try_from(marker.col() + 1).unwrap_or(u32::MAX),
        };
        let line_start = self.text[..start].rfind('\n').map_or(0, |at| at + 1);
        let line = self.text[line_start..].lines().next().unwrap_or("");
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
        let covered = self.text.get(frame.span.start..end.end).unwrap_or("");
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
