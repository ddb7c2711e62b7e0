//! Puts the values of parameters where `${name}` stands.

use std::collections::{BTreeMap, BTreeSet};

use crate::diagnostic::{Collector, Diagnostic, Sources, Span, quoted};
use crate::parameters::{Value, is_name};
use crate::yaml::{Content, Entry, Node};

/// Replaces `${name}` in every value of a tree. `$${` is `${` itself.
pub struct Substitution<'a> {
    /// Values by name; `None` where the value was wrong, which was said.
    pub values: &'a BTreeMap<String, Option<Value>>,
    /// The texts that the tree was read from.
    pub sources: &'a Sources,
    /// Names that were used, and the parts of the stack where: `pods`, `services`.
    pub used: BTreeMap<String, BTreeSet<String>>,
    /// What was found wrong.
    pub problems: &'a mut Collector,
    /// Bytes that values put in so far.
    pub grown: usize,
    /// The part of the stack that is being filled in.
    pub part: String,
}

/// The most bytes that the values of parameters may put into a stack.
const MOST_GROWTH: usize = crate::yaml::LARGEST_INPUT;

enum Piece<'t> {
    Text(&'t str),
    Escape,
    Name(&'t str),
    Unclosed,
}

impl Substitution<'_> {
    /// Replaces in a whole stack.
    pub fn stack(&mut self, root: &mut Node) {
        if let Content::Mapping(parts) = &mut root.content {
            for part in parts {
                self.part.clone_from(&part.key);
                self.entry(part);
            }
        } else {
            self.node(root);
        }
    }

    /// Replaces in a value and everything below it.
    fn node(&mut self, node: &mut Node) {
        match &mut node.content {
            Content::Scalar { text, plain } => {
                if text.contains("${") {
                    node.content = self.scalar(text, *plain, node.span);
                }
            }
            Content::Sequence(items) => items.iter_mut().for_each(|item| self.node(item)),
            Content::Mapping(entries) => entries.iter_mut().for_each(|entry| self.entry(entry)),
            Content::Empty | Content::Unresolved => {}
        }
    }

    fn entry(&mut self, entry: &mut Entry) {
        if entry.key.contains("${") {
            for piece in pieces(&entry.key) {
                if let Piece::Name(_) | Piece::Unclosed = piece {
                    self.problems.push(
                        Diagnostic::error(entry.key_span, "a key takes no parameter")
                            .help("write `$${` for the text `${` itself"),
                    );
                    break;
                }
            }
            entry.key = entry.key.replace("$${", "${");
        }
        self.node(&mut entry.value);
    }

    fn scalar(&mut self, text: &str, plain: bool, span: Span) -> Content {
        let mut result = String::new();
        let mut only = None;
        let mut is_text = false;
        let mut is_unresolved = false;
        let mut count = 0;
        for piece in pieces(text) {
            count += 1;
            match piece {
                Piece::Text(part) => result.push_str(part),
                Piece::Escape => result.push_str("${"),
                Piece::Unclosed => {
                    is_unresolved = true;
                    self.problems.push(
                        Diagnostic::error(self.part(span, "${"), "`${` is not closed")
                            .help("close it with `}`, or write `$${` for the text `${` itself"),
                    );
                }
                Piece::Name(name) => match self.value(name, span) {
                    Some(_) if self.grown > MOST_GROWTH => is_unresolved = true,
                    Some(value) => {
                        is_text = true;
                        let value_text = value.to_string();
                        self.grown += value_text.len();
                        if self.grown > MOST_GROWTH {
                            let size = MOST_GROWTH >> 20;
                            self.problems.push(Diagnostic::error(
                                span,
                                format!("the values of parameters add more than {size} MiB to the stack"),
                            ));
                        }
                        result.push_str(&value_text);
                        only = Some(!matches!(value, Value::Text(_)));
                    }
                    None => is_unresolved = true,
                },
            }
        }
        if is_unresolved {
            return Content::Unresolved;
        }
        let plain = match only {
            Some(is_typed) if count == 1 => is_typed,
            _ => plain && !is_text,
        };
        Content::Scalar { text: result, plain }
    }

    fn value(&mut self, name: &str, span: Span) -> Option<Value> {
        if let Some(value) = self.values.get(name) {
            let parts = self.used.entry(name.to_owned()).or_default();
            parts.insert(self.part.clone());
            return value.clone();
        }
        let part = self.part(span, &format!("${{{name}}}"));
        let problem = if is_name(name) {
            let meant = self
                .problems
                .did_you_mean(name, self.values.keys().map(String::as_str));
            let is_known = meant.is_some();
            let problem = Diagnostic::error(part, format!("no parameter {}", quoted(name))).maybe_help(meant);
            if is_known {
                problem
            } else {
                problem.help(format!(
                    "declare it under `parameters:`, or write `$${{{name}}}` for the text itself"
                ))
            }
        } else {
            Diagnostic::error(part, format!("{} can't name a parameter", quoted(name)))
                .help("write `$${` for the text `${` itself")
        };
        self.problems.push(problem);
        None
    }

    /// The part of a scalar that holds some text, where it stands there as written.
    fn part(&self, span: Span, text: &str) -> Span {
        if self.problems.is_full() {
            return span;
        }
        let written = self.sources.slice(span);
        let first_line = written.lines().next().unwrap_or("");
        match first_line.find(text) {
            Some(at) => {
                let columns = u32::try_from(first_line[..at].chars().count()).unwrap_or(0);
                Span {
                    start: span.start + at,
                    end: span.start + at + text.len(),
                    column: span.column.saturating_add(columns),
                    ..span
                }
            }
            None => match written.find(text) {
                Some(at) => Span::of(
                    span.source,
                    &self.sources.get(span.source).text,
                    span.start + at,
                    span.start + at + text.len(),
                ),
                None => span,
            },
        }
    }
}

fn pieces(text: &str) -> impl Iterator<Item = Piece<'_>> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        if let Some(after) = rest.strip_prefix("$${") {
            rest = after;
            return Some(Piece::Escape);
        }
        if let Some(after) = rest.strip_prefix("${") {
            let Some((name, after)) = after.split_once('}') else {
                rest = "";
                return Some(Piece::Unclosed);
            };
            rest = after;
            return Some(Piece::Name(name));
        }
        // One `$` may stand before an escape: `$$${` is `$` and `${`.
        let end = rest
            .char_indices()
            .skip(1)
            .find(|(at, _)| rest[*at..].starts_with("${") || rest[*at..].starts_with("$${"))
            .map_or(rest.len(), |(at, _)| at);
        let (part, after) = rest.split_at(end);
        rest = after;
        Some(Piece::Text(part))
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::Substitution;
    use crate::diagnostic::{Collector, Sources};
    use crate::parameters::Value;
    use crate::yaml::{self, Content};

    /// Fills in one scalar: its text, whether it may be another type than text, and how many problems there were.
    fn fill(yaml: &str) -> (Content, usize) {
        let values = BTreeMap::from([
            ("n".to_owned(), Some(Value::Integer(2))),
            ("t".to_owned(), Some(Value::Text("3".into()))),
            ("wrong".to_owned(), None),
        ]);
        let mut sources = Sources::default();
        let mut problems = Collector::default();
        let mut node = yaml::read(&mut sources, "x", yaml.as_bytes(), &mut problems).unwrap();
        let mut substitution = Substitution {
            values: &values,
            sources: &sources,
            used: BTreeMap::new(),
            problems: &mut problems,
            grown: 0,
            part: String::new(),
        };
        substitution.node(&mut node);
        (node.content, problems.count())
    }

    #[track_caller]
    fn check(yaml: &str, text: &str, plain: bool) {
        let expected = Content::Scalar {
            text: text.into(),
            plain,
        };
        assert_eq!(fill(yaml), (expected, 0));
    }

    #[test]
    fn a_parameter_alone_keeps_its_type() {
        check("${n}", "2", true);
        check("\"${n}\"", "2", true);
        check("${t}", "3", false);
        check("8${n}", "82", false);
        check("${n}${n}", "22", false);
    }

    #[test]
    fn what_is_no_parameter_stays() {
        check("$${n}", "${n}", true);
        check("$$${n}", "$${n}", true);
        check("a $HOME $(X) $ $$", "a $HOME $(X) $ $$", true);
        check("\"$${a} ${n} $\"", "${a} 2 $", false);
    }

    #[test]
    fn what_is_wrong_is_said_once() {
        assert_eq!(fill("${wrong}"), (Content::Unresolved, 0));
        assert_eq!(fill("x${other}"), (Content::Unresolved, 1));
        assert_eq!(fill("${n"), (Content::Unresolved, 1));
        assert_eq!(fill("${}"), (Content::Unresolved, 1));
    }
}
