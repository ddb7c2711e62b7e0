//! What the user wrote, in backticks, safe for a terminal.

use std::fmt;

const LONGEST: usize = 60;

/// A text in backticks: control characters escaped, the middle of a long one left out.
#[derive(Debug, Clone, Copy)]
pub struct Quoted<'a>(&'a str);

/// Puts a text in backticks.
pub fn quoted(text: &str) -> Quoted<'_> {
    Quoted(text)
}

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("`")?;
        for character in self.0.chars().take(LONGEST) {
            if character.is_control() {
                write!(formatter, "{}", character.escape_default())?;
            } else {
                write!(formatter, "{character}")?;
            }
        }
        let cut = self.0.chars().nth(LONGEST).is_some();
        formatter.write_str(if cut { "…`" } else { "`" })
    }
}

/// Words in backticks, as in a sentence: `a`, `b` and `c`.
#[derive(Debug, Clone)]
pub struct Listed<'a>(pub Vec<&'a str>, pub &'static str);

impl fmt::Display for Listed<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        const MOST: usize = 12;
        let Self(words, joint) = self;
        let shown = &words[..words.len().min(MOST)];
        for (index, word) in shown.iter().enumerate() {
            match index {
                0 => {}
                _ if index + 1 == words.len() => write!(formatter, " {joint} ")?,
                _ => formatter.write_str(", ")?,
            }
            write!(formatter, "{}", quoted(word))?;
        }
        if words.len() > MOST {
            write!(formatter, " {joint} {} more", words.len() - MOST)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Listed, quoted};

    #[test]
    fn control_characters_are_escaped_and_long_texts_cut() {
        assert_eq!(quoted("a\u{1b}[31m\n").to_string(), "`a\\u{1b}[31m\\n`");
        assert_eq!(
            quoted(&"x".repeat(100)).to_string(),
            format!("`{}…`", "x".repeat(60))
        );
    }

    #[test]
    fn lists_read_as_a_sentence() {
        assert_eq!(Listed(vec!["a"], "or").to_string(), "`a`");
        assert_eq!(Listed(vec!["a", "b", "c"], "or").to_string(), "`a`, `b` or `c`");
    }
}
