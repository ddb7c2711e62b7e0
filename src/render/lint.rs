//! Finds in a template's text what the engine would only find while rendering, or not at all.
//!
//! The engine takes what has no value for an empty text in `a ~ b` and `[a]`, and for something unequal in
//! `a == "b"`: with every name checked against the pattern's parameters, a misspelt one can't hide there.

use super::Error;
use crate::diagnostic::nearest;
use crate::pattern::Pattern;

const STATEMENTS: [&str; 11] = [
    "if", "elif", "else", "endif", "for", "endfor", "set", "endset", "include", "raw", "endraw",
];

/// The filters there are: ours, and those of the engine that don't say of a text that it can be printed anywhere.
const FILTERS: [&str; 37] = [
    "stack",
    "yaml",
    "json",
    "shell",
    "dockerfile",
    "code",
    "line",
    "str",
    "default",
    "upper",
    "lower",
    "capitalize",
    "title",
    "trim",
    "trim_start",
    "trim_end",
    "replace",
    "truncate",
    "indent",
    "int",
    "float",
    "length",
    "wordcount",
    "pluralize",
    "reverse",
    "split",
    "abs",
    "round",
    "first",
    "last",
    "nth",
    "join",
    "sort",
    "unique",
    "get",
    "values",
    "keys",
];

/// Words of expressions that are not names.
const WORDS: [&str; 12] = [
    "in", "and", "or", "not", "is", "true", "false", "if", "else", "True", "False", "none",
];

/// Loops in loops: more would let a template run for ever.
const DEEPEST_LOOP: usize = 2;

/// A template larger than this was not written by hand.
const LARGEST: usize = 512 << 10;

/// What a template says about others.
pub struct Found {
    /// What it includes, and within how many loops.
    pub includes: Vec<(String, usize)>,
    /// The names that it sets, which what it includes can read.
    pub locals: Vec<String>,
}

/// Checks a template, which can read the names that those that include it set, and stands within so many of their loops.
pub fn lint(
    pattern: &Pattern,
    file: &str,
    text: &str,
    outer: &[String],
    loops: usize,
) -> Result<Found, Error> {
    let mut reader = Reader {
        pattern,
        file,
        text,
        locals: outer.to_vec(),
        includes: Vec::new(),
        loops,
    };
    if text.len() > LARGEST {
        return Err(reader.error(0, format!("is larger than {LARGEST} bytes")));
    }
    let mut at = 0;
    while let Some(found) = text[at..].find('{') {
        let open = at + found;
        at = match text.as_bytes().get(open + 1) {
            Some(b'#') => text[open..].find("#}").map_or(text.len(), |end| open + end + 2),
            Some(b'{') => reader.tag(open, "}}")?,
            Some(b'%') => reader.tag(open, "%}")?,
            _ => open + 1,
        };
    }
    Ok(Found {
        includes: reader.includes,
        locals: reader.locals,
    })
}

struct Reader<'a> {
    pattern: &'a Pattern,
    file: &'a str,
    text: &'a str,
    locals: Vec<String>,
    includes: Vec<(String, usize)>,
    loops: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token<'a> {
    /// A name with what follows its dots.
    Path(&'a str),
    Text(&'a str),
    Other(char),
}

impl<'a> Reader<'a> {
    fn error(&self, at: usize, message: String) -> Error {
        let before = &self.text[..at];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Error::Template {
            file: self.file.to_owned(),
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
            message,
        }
    }

    /// Reads one tag; returns where the text goes on.
    fn tag(&mut self, open: usize, close: &str) -> Result<usize, Error> {
        let (tokens, end) = self.tokens(open + 2, close)?;
        if let Some((at, Token::Other('<'))) = tokens.first() {
            return Err(self.error(*at, "components are not supported".into()));
        }
        let mut expression = &tokens[..];
        if close == "%}" {
            let Some((at, Token::Path(statement))) = tokens.first() else {
                return Err(self.error(open, "expected a statement".into()));
            };
            if !STATEMENTS.contains(statement) {
                return Err(self.error(*at, format!("there is no statement `{statement}` here")));
            }
            expression = &tokens[1..];
            match *statement {
                "raw" => {
                    let rest = &self.text[end..];
                    let Some(stop) = rest.find("endraw") else {
                        return Err(self.error(open, "`raw` has no `endraw`".into()));
                    };
                    let close = rest[stop..]
                        .find("%}")
                        .map_or(rest.len(), |close| stop + close + 2);
                    return Ok(end + close);
                }
                "for" => {
                    self.loops += 1;
                    if self.loops > DEEPEST_LOOP {
                        return Err(self.error(*at, format!("loops are nested deeper than {DEEPEST_LOOP}")));
                    }
                    let names = expression
                        .iter()
                        .position(|(_, token)| *token == Token::Path("in"))
                        .unwrap_or(0);
                    self.declare(&expression[..names]);
                    expression = &expression[names..];
                }
                "endfor" => self.loops = self.loops.saturating_sub(1),
                "set" => {
                    let names = expression.len().min(1);
                    self.declare(&expression[..names]);
                    expression = &expression[names..];
                }
                "include" => {
                    for (at, token) in expression {
                        let Token::Text(name) = token else { continue };
                        if !self.pattern.includes.contains_key(*name) {
                            return Err(self.error(*at, format!("there is no `{name}` to include")));
                        }
                        self.includes.push(((*name).to_owned(), self.loops));
                    }
                }
                _ => {}
            }
        }
        self.expression(expression)?;
        Ok(end)
    }

    fn declare(&mut self, tokens: &[(usize, Token<'a>)]) {
        for (_, token) in tokens {
            if let Token::Path(name) = token {
                self.locals.push((*name).to_owned());
            }
        }
    }

    fn expression(&self, tokens: &[(usize, Token<'a>)]) -> Result<(), Error> {
        let token = |index: usize| tokens.get(index).map(|(_, token)| *token);
        for (index, (at, current)) in tokens.iter().enumerate() {
            let before = index.checked_sub(1).and_then(token);
            match current {
                Token::Other('~') => {
                    let message =
                        "`~` takes what has no value for an empty text: write the texts one after the other";
                    return Err(self.error(*at, message.into()));
                }
                // A list, unless it follows what it is an index of.
                Token::Other('[') if !matches!(before, Some(Token::Path(_) | Token::Other(']' | ')'))) => {
                    return Err(self.error(*at, "a list takes what has no value for an empty text".into()));
                }
                Token::Path(path) => {
                    let is_filter = before == Some(Token::Other('|'));
                    let is_test = before == Some(Token::Path("is"))
                        || (before == Some(Token::Path("not"))
                            && index > 1
                            && token(index - 2) == Some(Token::Path("is")));
                    let is_call = token(index + 1) == Some(Token::Other('('));
                    let is_argument = token(index + 1) == Some(Token::Other('='))
                        && token(index + 2) != Some(Token::Other('='));
                    if is_filter && !FILTERS.contains(path) {
                        let help = match nearest(path, FILTERS) {
                            Some(meant) => format!("did you mean `{meant}`?"),
                            None => "a text is printed with `stack`, `yaml`, `json`, `shell`, `dockerfile`, `code` or `line`".into(),
                        };
                        return Err(self.error(*at, format!("there is no filter `{path}` here: {help}")));
                    }
                    if !is_filter && !is_test && !is_call && !is_argument {
                        self.name(*at, path)?;
                    }
                }
                Token::Text(_) | Token::Other(_) => {}
            }
        }
        Ok(())
    }

    fn name(&self, at: usize, path: &str) -> Result<(), Error> {
        let root = path.split(['.', '?']).next().unwrap_or(path);
        let is_known = WORDS.contains(&path)
            || matches!(path, "name" | "promises")
            || self.locals.iter().any(|local| local == root)
            || self
                .pattern
                .questions
                .iter()
                .any(|question| question.name == path);
        if is_known {
            return Ok(());
        }
        Err(self.error(at, format!("the pattern has no parameter `{path}`")))
    }

    /// The tokens of a tag that begins at a byte, and where the text goes on after it.
    fn tokens(&self, start: usize, close: &str) -> Result<(Vec<(usize, Token<'a>)>, usize), Error> {
        let text: &'a str = self.text;
        let mut tokens = Vec::new();
        let mut at = start;
        if matches!(text.as_bytes().get(at), Some(b'-')) {
            at += 1;
        }
        while let Some(character) = text[at..].chars().next() {
            let rest = &text[at..];
            if rest.starts_with(close) {
                return Ok((tokens, at + close.len()));
            }
            let length = match character {
                '"' | '\'' | '`' => {
                    let length = text_length(rest, character)
                        .ok_or_else(|| self.error(at, "a text has no end".into()))?;
                    tokens.push((at, Token::Text(&rest[1..length - 1])));
                    length
                }
                _ if character.is_ascii_alphabetic() || character == '_' => {
                    let inner = |character: char| {
                        character.is_ascii_alphanumeric() || matches!(character, '_' | '.' | '?')
                    };
                    let length = rest.find(|character| !inner(character)).unwrap_or(rest.len());
                    let path = rest[..length].trim_end_matches('?');
                    tokens.push((at, Token::Path(path)));
                    path.len()
                }
                _ if character.is_whitespace() => character.len_utf8(),
                // The digits of a number, so that its `e` is no name.
                _ if character.is_ascii_digit() => {
                    let length = rest
                        .find(|character: char| !character.is_ascii_alphanumeric())
                        .unwrap_or(rest.len());
                    tokens.push((at, Token::Other('0')));
                    length
                }
                other => {
                    tokens.push((at, Token::Other(other)));
                    other.len_utf8()
                }
            };
            at += length;
        }
        Err(self.error(start.saturating_sub(2), format!("a tag has no `{close}`")))
    }
}

/// The length of a text in quotes, both of them included.
fn text_length(rest: &str, quote: char) -> Option<usize> {
    let mut escaped = false;
    for (at, character) in rest.char_indices().skip(1) {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if character == quote => return Some(at + 1),
            _ => {}
        }
    }
    None
}
