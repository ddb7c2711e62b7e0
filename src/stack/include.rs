//! Edits the `include` list of a stack's text, and leaves every other byte as it is.

use std::ops::Range;

use super::merge::is_same;
use crate::diagnostic::{Collector, Sources};
use crate::yaml::{self, Content, Entry, Node};

/// The key.
const INCLUDE: &str = "include";

/// A text to insert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Insertion {
    /// Before this byte.
    pub at: usize,
    /// What.
    pub text: String,
}

/// Why nothing can be inserted into a stack's text, or cut out of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotEditable {
    /// There is a list.
    #[error("its `include` list is written in a way that can't be edited")]
    List,
    /// There is none, and no line for one.
    #[error("it is one mapping in braces, which takes no line")]
    Braces,
    /// There is none, and a line would have to be as far in as the others.
    #[error("its keys are indented")]
    Indented,
    /// There is nothing that could have a list.
    #[error("it is not a mapping that can be read")]
    NoMapping,
}

/// Finds what to insert so that a stack's text includes one more path, as its last.
pub fn include(text: &str, path: &str) -> Result<Insertion, NotEditable> {
    let (shift, body) = without_mark(text);
    let root = read(body).ok_or(NotEditable::NoMapping)?;
    let why = why_not(body, &root);
    let insertion = match root.get(INCLUDE) {
        None if why != NotEditable::List => return Err(why),
        None => new_line(body, &root, path),
        Some(entry) => match &entry.value.content {
            Content::Empty => after_key(body, entry, path),
            Content::Sequence(items) => after_items(body, &entry.value, items, path),
            _ => None,
        },
    };
    let insertion = insertion.ok_or(why)?;
    let mut expect = listed(&root);
    expect.push(path.to_owned());
    let mut edited = body.to_owned();
    edited.insert_str(insertion.at, &insertion.text);
    if !says(&edited, &root, &expect) {
        return Err(why);
    }
    Ok(Insertion {
        at: insertion.at + shift,
        ..insertion
    })
}

/// What keeps a text from being edited.
fn why_not(text: &str, root: &Node) -> NotEditable {
    let Some(first) = root.entries().and_then(|entries| entries.first()) else {
        return NotEditable::NoMapping;
    };
    let start = first.key_span.start;
    let before = &text[line_start(text, start)..start];
    if root.get(INCLUDE).is_some() {
        NotEditable::List
    } else if text
        .get(root.span.start..)
        .is_some_and(|rest| rest.starts_with('{'))
    {
        NotEditable::Braces
    } else if !before.is_empty() && before.chars().all(|character| character == ' ') {
        NotEditable::Indented
    } else {
        NotEditable::List
    }
}

/// Finds what to cut out of a stack's text so that it no longer includes a path: what was once inserted where it
/// still stands so, else the item. Nothing where it isn't included.
pub fn exclude(text: &str, path: &str, inserted: &str) -> Result<Option<Range<usize>>, NotEditable> {
    let (shift, body) = without_mark(text);
    let root = read(body).ok_or(NotEditable::NoMapping)?;
    let items = items(&root);
    let Some(place) = items.iter().position(|item| is_text(item, path)) else {
        return Ok(None);
    };
    let mut expect = listed(&root);
    expect.remove(place);
    let is_right = |range: &Range<usize>| {
        let mut edited = body.to_owned();
        edited.replace_range(range.clone(), "");
        says(&edited, &root, &expect)
    };
    let once = standing(body, &items[place], path, inserted).filter(is_right);
    let range = once.or_else(|| item(body, &root, items, place).filter(is_right));
    let range = range.ok_or(NotEditable::List)?;
    Ok(Some(range.start + shift..range.end + shift))
}

/// Whether what was once inserted for a path still stands so.
pub fn stands(text: &str, path: &str, inserted: &str) -> bool {
    let (_, body) = without_mark(text);
    let Some(root) = read(body) else { return false };
    let found = items(&root).iter().find(|item| is_text(item, path));
    found.is_some_and(|item| standing(body, item, path, inserted).is_some())
}

/// Whether a path is the first of the list, and what stands before it is what was once inserted before one.
pub fn begins(text: &str, path: &str, inserted: &str) -> bool {
    let (_, body) = without_mark(text);
    let Some(root) = read(body) else { return false };
    let first = items(&root).first().filter(|item| is_text(item, path));
    let before = inserted.find(path).and_then(|length| inserted.get(..length));
    first
        .zip(before)
        .is_some_and(|(item, before)| body[..item.span.start].ends_with(before))
}

/// The text behind a byte order mark, and the mark's length.
fn without_mark(text: &str) -> (usize, &str) {
    let body = text.strip_prefix('\u{feff}').unwrap_or(text);
    (text.len() - body.len(), body)
}

fn read(text: &str) -> Option<Node> {
    let (mut sources, mut problems) = (Sources::default(), Collector::default());
    let root = yaml::read(&mut sources, "", text.as_bytes(), &mut problems)?;
    (!problems.has_errors()).then_some(root)
}

fn items(root: &Node) -> &[Node] {
    match root.get(INCLUDE).map(|entry| &entry.value.content) {
        Some(Content::Sequence(items)) => items,
        _ => &[],
    }
}

fn is_text(node: &Node, path: &str) -> bool {
    matches!(&node.content, Content::Scalar { text, .. } if text == path)
}

fn listed(root: &Node) -> Vec<String> {
    let text = |item: &Node| match &item.content {
        Content::Scalar { text, .. } => text.clone(),
        _ => item.describe(),
    };
    items(root).iter().map(text).collect()
}

/// Whether an edited text includes these, and says the same as before otherwise.
fn says(edited: &str, before: &Node, expect: &[String]) -> bool {
    let Some(mut after) = read(edited) else {
        return false;
    };
    let mut before = before.clone();
    let is_listed = listed(&after) == expect;
    before.split_off(&[INCLUDE]);
    after.split_off(&[INCLUDE]);
    is_listed && is_same(&before.content, &after.content)
}

fn line_start(text: &str, at: usize) -> usize {
    text[..at].rfind('\n').map_or(0, |found| found + 1)
}

/// The byte after the line feed of a line; nothing where the text ends without one.
fn line_end(text: &str, at: usize) -> Option<usize> {
    text[at..].find('\n').map(|found| at + found + 1)
}

/// What ends the lines of a text.
fn line_feed(text: &str) -> &'static str {
    match text.find('\n') {
        Some(at) if text[..at].ends_with('\r') => "\r\n",
        _ => "\n",
    }
}

/// A whole line behind the one that ends after a byte.
fn line_behind(text: &str, at: usize, line: &str) -> Insertion {
    let feed = line_feed(text);
    match line_end(text, at) {
        Some(end) => Insertion {
            at: end,
            text: format!("{line}{feed}"),
        },
        None => Insertion {
            at: text.len(),
            text: format!("{feed}{line}"),
        },
    }
}

/// Behind the stack's name, or before everything else.
fn new_line(text: &str, root: &Node, path: &str) -> Option<Insertion> {
    let line = format!("{INCLUDE}: [{path}]");
    let first = root.entries()?.first()?;
    if let Some(entry) = root.get("stack")
        && matches!(entry.value.content, Content::Scalar { .. })
    {
        return Some(line_behind(text, entry.value.span.end, &line));
    }
    Some(Insertion {
        at: line_start(text, first.key_span.start),
        text: format!("{line}{}", line_feed(text)),
    })
}

fn after_key(text: &str, entry: &Entry, path: &str) -> Option<Insertion> {
    let colon = text.get(entry.key_span.end..)?.find(':')?;
    Some(Insertion {
        at: entry.key_span.end + colon + 1,
        text: format!(" [{path}]"),
    })
}

fn is_flow(text: &str, list: &Node) -> bool {
    text.get(list.span.start..)
        .is_some_and(|rest| rest.starts_with('['))
}

fn after_items(text: &str, list: &Node, items: &[Node], path: &str) -> Option<Insertion> {
    match items.last() {
        None if is_flow(text, list) => Some(Insertion {
            at: list.span.start + 1,
            text: path.to_owned(),
        }),
        None => None,
        Some(final_item) if is_flow(text, list) => Some(Insertion {
            at: final_item.span.end,
            text: format!(", {path}"),
        }),
        Some(final_item) => {
            let line = &text[line_start(text, final_item.span.start)..];
            let indent: String = line.chars().take_while(|character| *character == ' ').collect();
            Some(line_behind(
                text,
                final_item.span.end,
                &format!("{indent}- {path}"),
            ))
        }
    }
}

/// Where what was inserted for an item still stands.
fn standing(text: &str, item: &Node, path: &str, inserted: &str) -> Option<Range<usize>> {
    let start = item.span.start.checked_sub(inserted.find(path)?)?;
    let range = start..start + inserted.len();
    (text.get(range.clone()) == Some(inserted)).then_some(range)
}

/// An item with what divides it from the next one; with the key, where it is the only one.
fn item(text: &str, root: &Node, items: &[Node], place: usize) -> Option<Range<usize>> {
    let entry = root.get(INCLUDE)?;
    let span = items[place].span;
    let lines = |from: usize, to: usize| line_start(text, from)..line_end(text, to).unwrap_or(text.len());
    Some(match (is_flow(text, &entry.value), place) {
        (_, 0) if items.len() == 1 => lines(entry.key_span.start, entry.value.span.end),
        (false, _) => lines(span.start, span.end),
        (true, 0) => span.start..items[1].span.start,
        (true, place) => items[place - 1].span.end..span.end,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Inserts, checks the result, and takes it out again.
    #[track_caller]
    fn check(before: &str, after: &str) {
        let insertion = include(before, "x.yaml").unwrap();
        let mut edited = before.to_owned();
        edited.insert_str(insertion.at, &insertion.text);
        assert_eq!(edited, after);
        assert!(stands(&edited, "x.yaml", &insertion.text));
        let cut = exclude(&edited, "x.yaml", &insertion.text).unwrap().unwrap();
        edited.replace_range(cut, "");
        assert_eq!(edited, before);
    }

    #[test]
    fn a_stack_without_a_list_gets_one() {
        check(
            "# mine\nstack: shop # ours\n\npods: {}\n",
            "# mine\nstack: shop # ours\ninclude: [x.yaml]\n\npods: {}\n",
        );
        check(
            "stack: shop\r\npods: {}\r\n",
            "stack: shop\r\ninclude: [x.yaml]\r\npods: {}\r\n",
        );
        check(
            "pods: {}\nstack: shop",
            "pods: {}\nstack: shop\ninclude: [x.yaml]",
        );
        check("# mine\npods: {}", "# mine\ninclude: [x.yaml]\npods: {}");
        check(
            "\u{feff}stack: caf\u{e9}\npods: {}\n",
            "\u{feff}stack: caf\u{e9}\ninclude: [x.yaml]\npods: {}\n",
        );
        check(
            "---\nstack: shop\npods: {}\n...\n",
            "---\nstack: shop\ninclude: [x.yaml]\npods: {}\n...\n",
        );
    }

    #[test]
    fn a_list_in_one_line_grows() {
        check("include: [a.yaml]\n", "include: [a.yaml, x.yaml]\n");
        check(
            "include: [ 'a.yaml', \"b.yaml\", ] # c\npods: {}\n",
            "include: [ 'a.yaml', \"b.yaml\", x.yaml, ] # c\npods: {}\n",
        );
        check("include: []\n", "include: [x.yaml]\n");
        check(
            "include: [\n  a.yaml, # one\n  b.yaml # two\n]\n",
            "include: [\n  a.yaml, # one\n  b.yaml, x.yaml # two\n]\n",
        );
        check("include:\npods: {}\n", "include: [x.yaml]\npods: {}\n");
        check(
            "include: # none\npods: {}\n",
            "include: [x.yaml] # none\npods: {}\n",
        );
    }

    #[test]
    fn a_list_of_lines_grows() {
        check(
            "include:\n  - a.yaml # one\n  # two\npods: {}\n",
            "include:\n  - a.yaml # one\n  - x.yaml\n  # two\npods: {}\n",
        );
        check(
            "include:\n- a.yaml\n- 'b.yaml'\npods: {}\n",
            "include:\n- a.yaml\n- 'b.yaml'\n- x.yaml\npods: {}\n",
        );
        check(
            "stack: s\r\ninclude:\r\n    - a.yaml",
            "stack: s\r\ninclude:\r\n    - a.yaml\r\n    - x.yaml",
        );
    }

    #[test]
    fn what_can_not_be_edited_is_said_and_left() {
        for (text, why) in [
            ("{ stack: shop, pods: {} }\n", NotEditable::Braces),
            ("---\n{ stack: shop }\n", NotEditable::Braces),
            ("  stack: shop\n  pods: {}\n", NotEditable::Indented),
            ("include: a.yaml\n", NotEditable::List),
            ("x: &a [a.yaml]\ninclude: *a\n", NotEditable::List),
            ("include: {}\n", NotEditable::List),
            ("- a\n", NotEditable::NoMapping),
            ("", NotEditable::NoMapping),
        ] {
            assert_eq!(include(text, "x.yaml"), Err(why), "{text}");
        }
    }

    #[test]
    fn an_item_is_found_where_the_list_was_edited_since() {
        let cut = |text: &str, inserted: &str| {
            let range = exclude(text, "x.yaml", inserted).unwrap()?;
            let mut edited = text.to_owned();
            edited.replace_range(range, "");
            Some(edited)
        };
        let whole = "include: [x.yaml]\n";
        for (text, expect) in [
            ("a: 1\ninclude: [x.yaml, b.yaml]\n", "a: 1\ninclude: [b.yaml]\n"),
            ("a: 1\ninclude: [b.yaml, x.yaml]\n", "a: 1\ninclude: [b.yaml]\n"),
            ("a: 1\ninclude: [ x.yaml ] # c\nb: 2\n", "a: 1\nb: 2\n"),
            ("include:\n  - x.yaml\n  - b.yaml\n", "include:\n  - b.yaml\n"),
            ("a: 1\ninclude:\n  - x.yaml\nb: 1\n", "a: 1\nb: 1\n"),
            ("a: 1\ninclude: ['x.yaml']\n", "a: 1\n"),
        ] {
            assert_eq!(cut(text, whole).as_deref(), Some(expect), "{text}");
        }
        assert_eq!(cut("include: [b.yaml]\n", whole), None);
        assert_eq!(cut("a: 1\n", whole), None);
    }
}
