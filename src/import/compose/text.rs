//! Reads the texts of a Compose file: variables of the shell, words, sizes and durations.

use std::collections::BTreeMap;

use crate::diagnostic::Span;
use crate::import::draft::Parameter;
use crate::import::item::Item;

/// A piece of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// Itself.
    Text(String),
    /// A variable: its name, and what is there without it.
    Variable(String, Otherwise),
    /// A text that is there where a variable of this name is.
    Where(String),
}

/// What Compose does about a variable that isn't there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Otherwise {
    /// It says so, and takes nothing.
    Nothing,
    /// It takes this.
    Default(String),
    /// It stops, and says this.
    Stop(String),
}

/// Takes a text apart as Compose does: `$NAME`, `${NAME}`, `${NAME:-default}`, `${NAME:?message}`, `${NAME:+text}`,
/// `$$`.
pub fn pieces(text: &str) -> Vec<Piece> {
    let mut found: Vec<Piece> = Vec::new();
    let mut plain = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        let (before, from) = rest.split_at(at);
        plain.push_str(before);
        if let Some(after) = from.strip_prefix("$$") {
            plain.push('$');
            rest = after;
            continue;
        }
        let Some((piece, after)) = variable(&from[1..]) else {
            plain.push('$');
            rest = &from[1..];
            continue;
        };
        if !plain.is_empty() {
            found.push(Piece::Text(std::mem::take(&mut plain)));
        }
        found.push(piece);
        rest = after;
    }
    plain.push_str(rest);
    if !plain.is_empty() || found.is_empty() {
        found.push(Piece::Text(plain));
    }
    found
}

/// A variable at the beginning of a text, and what comes after it.
fn variable(text: &str) -> Option<(Piece, &str)> {
    let name_of = |text: &str| {
        let length = text
            .bytes()
            .take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
            .count();
        let starts = text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_');
        starts.then(|| text[..length].to_owned())
    };
    let Some(inside) = text.strip_prefix('{') else {
        let name = name_of(text)?;
        let after = &text[name.len()..];
        return Some((Piece::Variable(name, Otherwise::Nothing), after));
    };
    // A default may hold variables itself.
    let mut depth = 1;
    let end = inside.char_indices().find_map(|(at, character)| {
        match character {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        (depth == 0).then_some(at)
    })?;
    let (whole, after) = (&inside[..end], &inside[end + 1..]);
    let name = name_of(whole)?;
    let operator = &whole[name.len()..];
    let operator = operator.strip_prefix(':').unwrap_or(operator);
    let piece = match operator.chars().next() {
        Some('-') => Piece::Variable(name, Otherwise::Default(with_defaults(&operator[1..]).0)),
        Some('?') => Piece::Variable(name, Otherwise::Stop(with_defaults(&operator[1..]).0)),
        Some('+') => Piece::Where(name),
        _ => Piece::Variable(name, Otherwise::Nothing),
    };
    Some((piece, after))
}

/// The text with the defaults of its variables, and those.
pub fn with_defaults(text: &str) -> (String, Vec<Piece>) {
    let mut variables = Vec::new();
    let parts = pieces(text).into_iter().map(|piece| match piece {
        Piece::Text(text) => text,
        Piece::Variable(_, ref otherwise) => {
            let default = match otherwise {
                Otherwise::Default(default) => default.clone(),
                Otherwise::Nothing | Otherwise::Stop(_) => String::new(),
            };
            variables.push(piece);
            default
        }
        Piece::Where(_) => {
            variables.push(piece);
            String::new()
        }
    });
    (parts.collect(), variables)
}

/// The text as a stack writes it, its variables being parameters; `None` where a stack can't write it so.
pub fn template(text: &str, parameters: &mut BTreeMap<String, Parameter>, origin: Span) -> Option<Item> {
    let pieces = pieces(text);
    if let [Piece::Text(text)] = pieces.as_slice() {
        return Some(Item::Text(text.clone()));
    }
    let mut written = String::new();
    for piece in &pieces {
        match piece {
            Piece::Text(text) => written.push_str(&text.replace("${", "$${")),
            Piece::Where(_) => {}
            // Behind a `$` it would be no parameter.
            Piece::Variable(..) if written.ends_with('$') => return None,
            Piece::Variable(name, _) if !name.starts_with(|first: char| first.is_ascii_alphabetic()) => {
                return None;
            }
            Piece::Variable(name, _) => written.push_str(&format!("${{{name}}}")),
        }
    }
    let mut has_parameter = false;
    for piece in pieces {
        if let Piece::Variable(name, otherwise) = piece {
            has_parameter = true;
            let parameter = parameters.entry(name).or_insert(Parameter::new(origin));
            match otherwise {
                Otherwise::Nothing => {}
                Otherwise::Default(default) => {
                    parameter.default.get_or_insert(default);
                }
                // One place where nothing goes without it is enough.
                Otherwise::Stop(message) => {
                    parameter.required.get_or_insert(message);
                }
            }
        }
    }
    Some(if has_parameter {
        Item::Template(written)
    } else {
        Item::Text(written.replace("$${", "${"))
    })
}

/// The words of a command line, as a shell splits them.
pub fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            ' ' | '\t' | '\n' | '\r' => words.extend(word.take()),
            '\'' => {
                let word = word.get_or_insert_default();
                word.extend(characters.by_ref().take_while(|inner| *inner != '\''));
            }
            '"' => {
                let word = word.get_or_insert_default();
                while let Some(inner) = characters.next() {
                    match inner {
                        '"' => break,
                        '\\' => match characters.next() {
                            Some(escaped @ ('"' | '\\' | '$' | '`')) => word.push(escaped),
                            Some(other) => {
                                word.push('\\');
                                word.push(other);
                            }
                            None => word.push('\\'),
                        },
                        other => word.push(other),
                    }
                }
            }
            '\\' => word.get_or_insert_default().extend(characters.next()),
            other => word.get_or_insert_default().push(other),
        }
    }
    words.extend(word);
    words
}

/// A size as Compose writes it, `64m` or `1gb`, as a stack does.
pub fn size(text: &str) -> Option<String> {
    let text = text.trim().to_ascii_lowercase();
    let digits = text
        .bytes()
        .take_while(|byte| byte.is_ascii_digit() || *byte == b'.')
        .count();
    let (number, unit) = text.split_at(digits);
    let unit = match unit.trim() {
        "" | "b" => "",
        "k" | "kb" | "ki" | "kib" => "Ki",
        "m" | "mb" | "mi" | "mib" => "Mi",
        "g" | "gb" | "gi" | "gib" => "Gi",
        "t" | "tb" | "ti" | "tib" => "Ti",
        _ => return None,
    };
    crate::stack::Bytes::parse(&format!("{number}{unit}")).map(|bytes| bytes.to_string())
}

/// A duration as Compose writes it, `1m30s` or `1.5s`, in milliseconds.
pub fn milliseconds(text: &str) -> Option<u64> {
    let mut rest = text.trim();
    let mut total = 0.0;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest
            .bytes()
            .take_while(|byte| byte.is_ascii_digit() || *byte == b'.')
            .count();
        let (number, after) = rest.split_at(digits);
        let letters = after
            .chars()
            .take_while(|letter| letter.is_alphabetic())
            .map(char::len_utf8)
            .sum();
        let (unit, after) = after.split_at(letters);
        let factor = match unit {
            "us" | "µs" => 0.001,
            "ms" => 1.0,
            "s" => 1000.0,
            "m" => 60_000.0,
            "h" => 3_600_000.0,
            "d" => 86_400_000.0,
            _ => return None,
        };
        total += number.parse::<f64>().ok()? * factor;
        rest = after;
    }
    // As far as a stack counts: more is not meant.
    let whole = format!("{:.0}", total.clamp(0.0, 1e12).ceil());
    whole.parse().ok()
}

/// A duration of milliseconds as a stack writes it.
pub fn duration(milliseconds: u64) -> String {
    let seconds = crate::import::draft::seconds(milliseconds / 1000);
    match milliseconds % 1000 {
        0 => seconds,
        rest if milliseconds < 1000 => format!("{rest}ms"),
        rest => format!("{seconds}{rest}ms"),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::diagnostic::Sources;

    #[test]
    fn variables_become_parameters() {
        let origin = Span::beginning(Sources::default().add("x", ""));
        let mut parameters = BTreeMap::new();
        let mut check = |text: &str, expect: Option<Item>| {
            assert_eq!(template(text, &mut parameters, origin), expect, "{text}");
        };
        check("a", Some(Item::Text("a".into())));
        check("", Some(Item::Text(String::new())));
        check("$$A $${B} $ 5$", Some(Item::Text("$A ${B} $ 5$".into())));
        check("x$A-${B:-2}$${C}", Some(Item::Template("x${A}-${B}$${C}".into())));
        check("${C-${D:-d}}${E}", Some(Item::Template("${C}${E}".into())));
        check(
            "${F:?no}${G?}${F:-f}",
            Some(Item::Template("${F}${G}${F}".into())),
        );
        check("a${H:+x}$${I+y}b$${J}", Some(Item::Text("a${I+y}b${J}".into())));
        check("a${H:+x}${A}", Some(Item::Template("a${A}".into())));
        check("$$$A", None);
        check("${not closed", Some(Item::Text("${not closed".into())));
        let defaults: Vec<_> = parameters
            .into_iter()
            .map(|(name, parameter)| (name, parameter.default, parameter.required))
            .collect();
        let text = |text: &str| Some(text.to_owned());
        let expected = [
            ("A", None, None),
            ("B", text("2"), None),
            ("C", text("d"), None),
            ("E", None, None),
            ("F", text("f"), text("no")),
            ("G", None, text("")),
        ];
        assert_eq!(
            defaults,
            expected.map(|(name, default, required)| (name.to_owned(), default, required))
        );
    }

    #[test]
    fn commands_are_split_as_by_a_shell() {
        assert_eq!(
            words("a  'b c' \"d\\\" e\" f\\ g ''"),
            ["a", "b c", "d\" e", "f g", ""]
        );
        assert_eq!(words(" a\n b'c"), ["a", "bc"]);
        assert!(words(" ").is_empty());
    }

    #[test]
    fn units_are_those_of_compose() {
        assert_eq!(size("64m").as_deref(), Some("64Mi"));
        assert_eq!(size("1.5GB").as_deref(), Some("1536Mi"));
        assert_eq!(size("x"), None);
        assert_eq!(milliseconds("1m30s"), Some(90_000));
        assert_eq!(milliseconds("1.5s"), Some(1500));
        assert_eq!(milliseconds("10"), None);
        assert_eq!(milliseconds("ü"), None);
        assert_eq!(duration(1500), "1s500ms");
        assert_eq!(duration(250), "250ms");
        assert_eq!(duration(60_000), "1m");
    }
}
