//! Puts a text into a language so that it stays one text there.

use std::fmt::Write as _;

/// Whether a text means itself in every language that templates are written in: no quotes, no spaces,
/// nothing that ends a word or begins an option.
pub fn is_plain(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphanumeric() || matches!(first, '/' | '.' | '_'))
        && !text.ends_with(':')
        && text.bytes().all(|byte| {
            byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-' | b'/' | b':' | b'@' | b'+')
        })
}

/// Words that YAML 1.1 or 1.2 readers take for something else than text.
const YAML_WORDS: [&str; 11] = [
    "y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf",
];

/// A YAML scalar for readers of YAML 1.1 and 1.2: plain where no reader can take it for anything but
/// this text, else in double quotes.
pub fn yaml(text: &str) -> String {
    let begins_as_text = text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '/');
    let is_word = YAML_WORDS.contains(&text.to_ascii_lowercase().as_str());
    // `500m`, `64Mi`, `30s`: no number in any YAML.
    let letters = text.trim_start_matches(|first: char| first.is_ascii_digit());
    let is_amount = letters.len() < text.len()
        && !letters.is_empty()
        && letters.bytes().all(|byte| byte.is_ascii_alphabetic());
    if is_plain(text) && (begins_as_text || is_amount) && !is_word {
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
            ' '..='~'
            | '\u{a1}'..='\u{2027}'
            | '\u{202a}'..='\u{d7ff}'
            | '\u{f900}'..='\u{fdcf}'
            | '\u{fdf0}'..='\u{fefe}'
            | '\u{ff00}'..='\u{ffef}' => {
                quoted.push(character);
            }
            other if u32::from(other) <= 0xffff => drop(write!(quoted, "\\u{:04X}", u32::from(other))),
            other => drop(write!(quoted, "\\U{:08X}", u32::from(other))),
        }
    }
    quoted.push('"');
    quoted
}

/// A YAML scalar of `stack.yaml`, where `${…}` stands for a parameter and `$${` for itself.
pub fn stack(text: &str) -> String {
    yaml(&text.replace("${", "$${"))
}

/// A JSON string, of characters that JavaScript and YAML take in a string too.
pub fn json(text: &str) -> String {
    let mut quoted = String::new();
    for character in serde_json::Value::from(text).to_string().chars() {
        match character {
            '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}' => {
                quoted.push_str(&format!("\\u{:04x}", u32::from(character)));
            }
            other => quoted.push(other),
        }
    }
    quoted
}

/// One word of a POSIX shell. A NUL, which no word can hold, is left out.
pub fn shell(text: &str) -> String {
    if is_plain(text) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\0', "").replace('\'', r"'\''"))
}

/// A value in a Dockerfile's `ENV`, `ARG` or `LABEL`; `None` for what such a value can't hold.
pub fn dockerfile(text: &str) -> Option<String> {
    if text.chars().any(char::is_control) {
        return None;
    }
    if is_plain(text) {
        return Some(text.to_owned());
    }
    let mut quoted = String::from("\"");
    for character in text.chars() {
        if matches!(character, '"' | '\\' | '$') {
            quoted.push('\\');
        }
        quoted.push(character);
    }
    quoted.push('"');
    Some(quoted)
}

/// A code span of Markdown.
pub fn code(text: &str) -> String {
    let text = line(text);
    let longest = text
        .split(|character| character != '`')
        .map(str::len)
        .max()
        .unwrap_or(0);
    let fence = "`".repeat(longest + 1);
    let pad = if text.is_empty() || text.starts_with('`') || text.ends_with('`') {
        " "
    } else {
        ""
    };
    format!("{fence}{pad}{text}{pad}{fence}")
}

/// The rest of a line: a comment, a heading. Whatever would end the line becomes a space.
pub fn line(text: &str) -> String {
    text.chars()
        .map(|character| match character {
            '\u{85}' | '\u{2028}' | '\u{2029}' => ' ',
            control if control.is_control() => ' ',
            other => other,
        })
        .collect()
}
