//! Writes a stack as people write one: short where it is short, with comments.
//!
//! Every reader of YAML, 1.1 and 1.2, sees the same texts, numbers and booleans.

use std::fmt::Write;

use super::item::{Item, Member};

/// The longest line that several values stand on.
const WIDTH: usize = 110;

/// Writes the members of a stack, with an empty line between the sections.
pub fn write(members: &[Member]) -> String {
    let mut text = String::new();
    for (index, member) in members.iter().enumerate() {
        let is_section = matches!(member.value, Item::Map(_) | Item::List(_));
        if index > 0 && is_section {
            text.push('\n');
        }
        self::member(&mut text, member, 0);
    }
    text
}

/// Writes a key and its value. Names of pods, services and the like are never joined with others on a line.
fn member(text: &mut String, member: &Member, level: usize) {
    let indent = "  ".repeat(level);
    for line in member.comment.iter().flat_map(|comment| comment.lines()) {
        let _ = writeln!(text, "{indent}# {}", commentable(line));
    }
    let _ = write!(text, "{indent}{}:", scalar(&escaped(&member.key)));
    value(text, &member.value, level, indent.len() + member.key.len() + 2);
}

fn value(text: &mut String, item: &Item, level: usize, used: usize) {
    if let Some(line) = flow(item, 0).filter(|line| is_short(item, line, level, used)) {
        let _ = writeln!(text, " {line}");
        return;
    }
    match item {
        Item::Map(members) => {
            text.push('\n');
            for inner in members {
                member(text, inner, level + 1);
            }
        }
        Item::List(items) => {
            text.push('\n');
            let indent = "  ".repeat(level + 1);
            for inner in items {
                match inner {
                    Item::Text(inner) if is_literal(inner) => {
                        let _ = write!(text, "{indent}-");
                        literal(text, &escaped(inner), level + 2);
                    }
                    inner => {
                        let _ = writeln!(text, "{indent}- {}", joined(inner));
                    }
                }
            }
        }
        Item::Text(inner) => literal(text, &escaped(inner), level + 1),
        Item::Template(inner) => literal(text, inner, level + 1),
        Item::Plain(plain) => {
            let _ = writeln!(text, " {plain}");
        }
    }
}

/// Whether a value stands on one line: sections, pods and their containers never do.
fn is_short(item: &Item, line: &str, level: usize, used: usize) -> bool {
    match item {
        Item::Map(members) if !members.is_empty() => {
            let is_pod = members.iter().any(|member| member.key == "containers");
            let holds_containers = members
                .iter()
                .any(|member| matches!(&member.value, Item::Map(inner) if inner.iter().any(is_source)));
            level > 0 && !is_pod && !holds_containers && line.chars().count() + used <= WIDTH
        }
        Item::Map(_) | Item::List(_) => line.chars().count() + used <= WIDTH,
        Item::Text(_) | Item::Template(_) | Item::Plain(_) => true,
    }
}

/// Whether it says what a container runs.
fn is_source(member: &Member) -> bool {
    matches!(member.key.as_str(), "image" | "build" | "block")
}

/// A value on one line, however long.
fn joined(item: &Item) -> String {
    match item {
        Item::Text(text) => scalar(&escaped(text)),
        Item::Template(text) => scalar(text),
        Item::Plain(plain) => plain.clone(),
        Item::List(items) => format!("[{}]", items.iter().map(joined).collect::<Vec<_>>().join(", ")),
        Item::Map(members) => {
            let member =
                |member: &Member| format!("{}: {}", scalar(&escaped(&member.key)), joined(&member.value));
            format!(
                "{{ {} }}",
                members.iter().map(member).collect::<Vec<_>>().join(", ")
            )
        }
    }
}

/// A value on one line; `None` where it is easier read on several.
fn flow(item: &Item, depth: usize) -> Option<String> {
    const DEEPEST: usize = 2;
    match item {
        Item::Text(text) | Item::Template(text) if is_literal(text) => None,
        Item::Text(text) => Some(scalar(&escaped(text))),
        Item::Template(text) => Some(scalar(text)),
        Item::Plain(plain) => Some(plain.clone()),
        Item::List(items) => {
            let items: Vec<String> = items
                .iter()
                .map(|item| flow(item, depth + 1))
                .collect::<Option<_>>()?;
            Some(format!("[{}]", items.join(", ")))
        }
        Item::Map(members) if members.is_empty() => Some("{}".to_owned()),
        Item::Map(_) if depth > DEEPEST => None,
        Item::Map(members) => {
            let members: Vec<String> = members
                .iter()
                .map(|member| {
                    if member.comment.is_some() {
                        return None;
                    }
                    let value = flow(&member.value, depth + 1)?;
                    Some(format!("{}: {value}", scalar(&escaped(&member.key))))
                })
                .collect::<Option<_>>()?;
            Some(format!("{{ {} }}", members.join(", ")))
        }
    }
}

/// Whether a text is written as a literal block: several lines, nothing that a block can't hold or a reader can't see.
///
/// A block that keeps empty lines at its end would take the one before the next section, too.
fn is_literal(text: &str) -> bool {
    let is_visible = |line: &str| !line.ends_with([' ', '\t']);
    text.contains('\n')
        && !text.starts_with(['\n', ' ', '\t'])
        && !text.ends_with("\n\n")
        && text.lines().all(is_visible)
        && text
            .chars()
            .all(|character| character == '\n' || is_printable(character))
}

fn literal(text: &mut String, content: &str, level: usize) {
    let chomping = if content.ends_with('\n') { "" } else { "-" };
    let _ = writeln!(text, " |{chomping}");
    let indent = "  ".repeat(level);
    for line in content.split_inclusive('\n') {
        let line = line.strip_suffix('\n').unwrap_or(line);
        if line.is_empty() {
            text.push('\n');
        } else {
            let _ = writeln!(text, "{indent}{line}");
        }
    }
}

/// A text as motif reads it: `${` stands for a parameter there.
fn escaped(text: &str) -> String {
    text.replace("${", "$${")
}

/// A text on one line, in quotes where it could be read as anything else.
fn scalar(text: &str) -> String {
    if is_plain(text) {
        return text.to_owned();
    }
    let mut quoted = String::from("\"");
    for character in text.chars() {
        match character {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            '\r' => quoted.push_str("\\r"),
            character if is_printable(character) => quoted.push(character),
            character if u32::from(character) <= 0xff => {
                let _ = write!(quoted, "\\x{:02x}", u32::from(character));
            }
            character if u32::from(character) <= 0xffff => {
                let _ = write!(quoted, "\\u{:04x}", u32::from(character));
            }
            character => {
                let _ = write!(quoted, "\\U{:08x}", u32::from(character));
            }
        }
    }
    quoted.push('"');
    quoted
}

fn is_printable(character: char) -> bool {
    matches!(character, '\t' | ' '..='~' | '\u{a0}'..='\u{2027}' | '\u{202a}'..='\u{d7ff}' | '\u{e000}'..='\u{fefe}' | '\u{ff00}'..='\u{fffd}')
}

/// Whether every reader takes a text without quotes for that text.
fn is_plain(text: &str) -> bool {
    const OTHERS: [&str; 9] = ["y", "n", "yes", "no", "on", "off", "true", "false", "null"];
    let is_safe = |character: char| character.is_ascii_alphanumeric() || "-_./@+=%: $();".contains(character);
    let begins = |character: char| character.is_ascii_alphanumeric() || "/_.$".contains(character);
    let is_hexadecimal = ["0x", "0X"].iter().any(|prefix| text.starts_with(prefix));
    let number = |character: char| {
        character.is_ascii_digit()
            || "eEoObB_.:+-".contains(character)
            || is_hexadecimal && character.is_ascii_alphanumeric()
    };
    let is_number =
        text.starts_with(|first: char| first.is_ascii_digit() || first == '.') && text.chars().all(number);
    text.starts_with(begins)
        && text.chars().all(is_safe)
        && !text.ends_with([':', ' '])
        && !text.contains(": ")
        && !text.contains(" :")
        && !text.starts_with("...")
        && !is_number
        && !OTHERS.contains(&text.to_ascii_lowercase().as_str())
}

/// A comment stays on its line, and shows what it says.
fn commentable(line: &str) -> String {
    line.chars()
        .map(|character| if is_printable(character) { character } else { ' ' })
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Item, Member, write};
    use crate::diagnostic::{Collector, Sources};
    use crate::yaml::{Content, Node, read};

    fn back(node: &Node) -> Item {
        match &node.content {
            Content::Scalar { text, .. } => Item::Text(text.replace("$${", "${")),
            Content::Sequence(items) => Item::List(items.iter().map(back).collect()),
            Content::Mapping(entries) => Item::Map(
                entries
                    .iter()
                    .map(|entry| Member {
                        key: entry.key.replace("$${", "${"),
                        value: back(&entry.value),
                        origin: None,
                        comment: None,
                    })
                    .collect(),
            ),
            Content::Empty | Content::Unresolved => Item::Text("nothing".into()),
        }
    }

    fn text() -> impl Strategy<Value = String> {
        prop_oneof![
            "(?s).{0,12}",
            "[ \\n\\t:#a-]{0,12}",
            "[0-9_.:eE+-]{0,8}",
            "[a-zA-Z~<=]{0,5}",
            "[$(){}a]{0,6}",
        ]
    }

    fn item() -> impl Strategy<Value = Item> {
        text().prop_map(Item::Text).prop_recursive(4, 32, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Item::List),
                prop::collection::btree_map(text(), inner, 0..5).prop_map(|map| {
                    let member = |(key, value)| Member {
                        key,
                        value,
                        origin: None,
                        comment: None,
                    };
                    Item::Map(map.into_iter().map(member).collect())
                }),
            ]
        })
    }

    #[test]
    fn empty_lines_at_the_end_of_a_section_are_not_its_values() {
        let members = ["a", "b"].map(|key| Member {
            key: key.into(),
            value: Item::List(vec![Item::Text("x\n\n".into())]),
            origin: None,
            comment: None,
        });
        assert_eq!(write(&members), "a: [\"x\\n\\n\"]\n\nb: [\"x\\n\\n\"]\n");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]
        #[test]
        fn what_is_written_reads_back(items in prop::collection::btree_map("[a-z]{1,5}", item(), 1..4), comment in "(?s).{0,9}") {
            let members: Vec<Member> = items
                .into_iter()
                .map(|(key, value)| Member { key, value, origin: None, comment: None })
                .collect();
            let mut commented = members.clone();
            commented[0].comment = Some(comment);
            let yaml = write(&commented);
            let mut problems = Collector::default();
            let node = read(&mut Sources::default(), "x.yaml", yaml.as_bytes(), &mut problems);
            prop_assert_eq!(problems.count(), 0, "{:?}\n{}", problems, yaml);
            prop_assert_eq!(node.map(|node| back(&node)), Some(Item::Map(members)), "{}", yaml);
        }
    }
}
