//! Turns a `.dockerignore` into the answer whether a path of the context is left out.
//!
//! The rules are Docker's, not Git's: a pattern is anchored at the context's root, and the last
//! pattern that matches a path, or a folder above it, decides. An exception with a wildcard
//! (`!**/keep`) reaches into excluded folders, as documented and as BuildKit does it; the docker
//! command's older builder doesn't look there.

/// The rules of one `.dockerignore`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ignore {
    patterns: Vec<Pattern>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Pattern {
    is_exception: bool,
    shape: Shape,
}

/// Docker treats three simple shapes by plain comparison, which differs from the general one:
/// `**foo` matches `barfoo`, while `**foo*` needs a `/` before `foo`.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Shape {
    Exact(Vec<char>),
    Prefix(Vec<char>),
    Suffix(Vec<char>),
    General(Vec<Token>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Literal(char),
    /// `?`: one character but `/`.
    One,
    /// `*`: any characters but `/`.
    Any,
    /// `**/`, or `**` before something else: nothing, or anything that ends with `/`.
    Folders,
    /// `**` at the end: anything.
    Rest,
    /// `[a-z]`, `[^a-z]`.
    Class {
        is_negated: bool,
        ranges: Vec<(char, char)>,
    },
}

/// A pattern that means nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: `{pattern}` {reason}")]
pub struct IgnoreError {
    /// The line, from 1.
    pub line: usize,
    /// The pattern as written.
    pub pattern: String,
    /// Why it means nothing.
    pub reason: &'static str,
}

impl Ignore {
    /// Reads the rules.
    pub fn parse(text: &str) -> Result<Self, IgnoreError> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut patterns = Vec::new();
        for (index, line) in text.lines().enumerate() {
            let error = |reason| IgnoreError {
                line: index + 1,
                pattern: line.to_owned(),
                reason,
            };
            // A comment starts in the first column; further in, `#` is a name like any other.
            if line.starts_with('#') {
                continue;
            }
            let pattern = line.trim();
            if pattern.is_empty() {
                continue;
            }
            let (is_exception, pattern) = match pattern.strip_prefix('!') {
                Some(pattern) => (true, pattern.trim()),
                None => (false, pattern),
            };
            if pattern.is_empty() {
                return Err(error("is an exception from nothing"));
            }
            let cleaned = clean(pattern);
            let anchored = match cleaned.strip_prefix('/') {
                Some(rest) if !rest.is_empty() => rest,
                _ => &cleaned,
            };
            let shape = shape(anchored).map_err(error)?;
            patterns.push(Pattern { is_exception, shape });
        }
        Ok(Self { patterns })
    }

    /// Whether a path, relative to the context and with `/` between its parts, is left out.
    pub fn excludes(&self, path: &str) -> bool {
        let path: Vec<char> = path.chars().collect();
        let ends = || {
            let slashes = path
                .iter()
                .enumerate()
                .filter(|(_, c)| **c == '/')
                .map(|(index, _)| index);
            slashes.chain([path.len()])
        };
        let mut is_excluded = false;
        for pattern in &self.patterns {
            // A pattern that would not change the answer needs no look.
            if pattern.is_exception == is_excluded && ends().any(|end| pattern.shape.matches(&path[..end])) {
                is_excluded = !pattern.is_exception;
            }
        }
        is_excluded
    }

    /// Whether something below an excluded folder may be kept, so that the folder must be walked.
    pub fn may_keep_below(&self, folder: &str) -> bool {
        let folder: Vec<char> = folder.chars().chain(['/']).collect();
        let agrees = |start: &[char]| start.starts_with(&folder) || folder.starts_with(start);
        self.patterns
            .iter()
            .filter(|pattern| pattern.is_exception)
            .any(|pattern| match &pattern.shape {
                Shape::Exact(text) => text.starts_with(&folder),
                Shape::Prefix(text) => agrees(text),
                Shape::Suffix(_) => true,
                Shape::General(tokens) => {
                    let literal = |token: &Token| match token {
                        Token::Literal(literal) => Some(*literal),
                        _ => None,
                    };
                    agrees(&tokens.iter().map_while(literal).collect::<Vec<_>>())
                }
            })
    }
}

/// Makes a path short without looking at the disk: no `.`, no `..` behind a name, no double or trailing `/`.
fn clean(path: &str) -> String {
    let is_rooted = path.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            ".." if is_rooted => {}
            part => parts.push(part),
        }
    }
    let joined = parts.join("/");
    match (is_rooted, joined.is_empty()) {
        (true, _) => format!("/{joined}"),
        (false, true) => ".".to_owned(),
        (false, false) => joined,
    }
}

fn shape(pattern: &str) -> Result<Shape, &'static str> {
    let chars: Vec<char> = pattern.chars().collect();
    let mut tokens = Vec::new();
    let (mut is_general, mut is_prefix, mut is_suffix) = (false, false, false);
    let mut index = 0;
    while index < chars.len() {
        let at = index;
        index += 1;
        match chars[at] {
            '*' if chars.get(index) == Some(&'*') => {
                index += 1;
                if chars.get(index) == Some(&'/') {
                    index += 1;
                }
                if index == chars.len() {
                    tokens.push(Token::Rest);
                    if is_general || is_suffix {
                        is_general = true;
                    } else {
                        is_prefix = true;
                    }
                } else {
                    tokens.push(Token::Folders);
                    is_general |= at != 0;
                }
                if at == 0 {
                    (is_prefix, is_suffix) = (false, true);
                }
            }
            '*' => {
                tokens.push(Token::Any);
                is_general = true;
            }
            '?' => {
                tokens.push(Token::One);
                is_general = true;
            }
            '[' => {
                let (class, next) = class(&chars, index)?;
                tokens.push(class);
                index = next;
                is_general = true;
            }
            '\\' => match chars.get(index) {
                Some(escaped) => {
                    tokens.push(Token::Literal(*escaped));
                    index += 1;
                    is_general = true;
                }
                None => return Err("ends with a `\\`"),
            },
            literal => tokens.push(Token::Literal(literal)),
        }
    }
    Ok(if is_general {
        Shape::General(tokens)
    } else if is_suffix {
        Shape::Suffix(chars[2..].to_vec())
    } else if is_prefix {
        Shape::Prefix(chars[..chars.len() - 2].to_vec())
    } else {
        Shape::Exact(chars)
    })
}

/// Reads a class from behind its `[`; says where it ends.
fn class(chars: &[char], start: usize) -> Result<(Token, usize), &'static str> {
    const OPEN: &str = "has a `[` that is never closed";
    let mut index = start;
    let is_negated = chars.get(index) == Some(&'^');
    if is_negated {
        index += 1;
    }
    let mut ranges = Vec::new();
    let one = |index: &mut usize| -> Result<char, &'static str> {
        let escape = chars.get(*index) == Some(&'\\');
        *index += usize::from(escape);
        let found = *chars.get(*index).ok_or(OPEN)?;
        *index += 1;
        Ok(found)
    };
    while chars.get(index) != Some(&']') {
        let low = one(&mut index)?;
        let mut high = low;
        if chars.get(index) == Some(&'-') && chars.get(index + 1).is_some_and(|next| *next != ']') {
            index += 1;
            high = one(&mut index)?;
        }
        if high < low {
            return Err("has a range that ends before it starts");
        }
        ranges.push((low, high));
    }
    if ranges.is_empty() {
        return Err("has an empty `[]`");
    }
    Ok((Token::Class { is_negated, ranges }, index + 1))
}

impl Shape {
    fn matches(&self, path: &[char]) -> bool {
        match self {
            Self::Exact(text) => path == text,
            Self::Prefix(text) => path.starts_with(text),
            Self::Suffix(text) => {
                path.ends_with(text) || text.strip_prefix(&['/']).is_some_and(|rest| path == rest)
            }
            Self::General(tokens) => matches(tokens, path),
        }
    }
}

/// Runs all ways through the tokens side by side, so that no pattern takes longer than
/// its length times the path's.
fn matches(tokens: &[Token], path: &[char]) -> bool {
    // `reached[n]`: the tokens so far can match the first n characters.
    let mut reached = vec![false; path.len() + 1];
    reached[0] = true;
    for token in tokens {
        let mut next = vec![false; path.len() + 1];
        match token {
            Token::Any => {
                let mut open = false;
                for end in 0..=path.len() {
                    open = reached[end] || (open && path[end - 1] != '/');
                    next[end] = open;
                }
            }
            Token::Rest | Token::Folders => {
                let mut open = false;
                for end in 0..=path.len() {
                    let may_end = *token == Token::Rest || (end > 0 && path[end - 1] == '/');
                    next[end] = reached[end] || (open && may_end);
                    open |= reached[end];
                }
            }
            one => {
                for end in 1..=path.len() {
                    next[end] = reached[end - 1] && one.takes(path[end - 1]);
                }
            }
        }
        reached = next;
    }
    reached[path.len()]
}

impl Token {
    fn takes(&self, found: char) -> bool {
        match self {
            Self::Literal(wanted) => *wanted == found,
            Self::One => found != '/',
            Self::Class { is_negated, ranges } => {
                ranges.iter().any(|(low, high)| (*low..=*high).contains(&found)) != *is_negated
            }
            Self::Any | Self::Folders | Self::Rest => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every path, with what the rules do to it: `-` leaves it out, `+` keeps it.
    #[track_caller]
    fn check(rules: &str, paths: &[&str]) {
        let ignore = Ignore::parse(rules).unwrap();
        let found: Vec<String> = paths
            .iter()
            .map(|path| {
                format!(
                    "{}{}",
                    if ignore.excludes(&path[1..]) { '-' } else { '+' },
                    &path[1..]
                )
            })
            .collect();
        assert_eq!(found, paths, "with the rules {rules:?}");
    }

    #[test]
    fn the_examples_of_the_documentation() {
        check(
            "# comment\n*/temp*\n",
            &["-somedir/temporary.txt", "-somedir/temp", "+temp", "+a/b/temp"],
        );
        check(
            "*/*/temp*",
            &["-somedir/subdir/temporary.txt", "+somedir/temporary.txt"],
        );
        check("temp?", &["-tempa", "-tempb", "+temp", "+tempab", "+a/tempa"]);
        check(
            "**/*.go",
            &["-main.go", "-a/main.go", "-a/b/main.go", "+main.gox"],
        );
        check("*.md\n!README.md", &["-CHANGES.md", "+README.md", "+docs/a.md"]);
        check(
            "*.md\n!README*.md\nREADME-secret.md",
            &["-CHANGES.md", "+README.md", "-README-secret.md", "+README-x.md"],
        );
        check("*.md\nREADME-secret.md\n!README*.md", &["+README-secret.md"]);
        check(
            "*\n!package.json\n!src",
            &["-a", "-a/b", "+package.json", "+src", "+src/a/b"],
        );
    }

    #[test]
    fn a_pattern_is_anchored_and_slashes_around_it_mean_nothing() {
        for rules in [
            "foo/bar",
            "/foo/bar",
            "foo/bar/",
            "/foo/bar/",
            "./foo//bar",
            "foo/x/../bar",
            "  foo/bar  ",
        ] {
            check(
                rules,
                &[
                    "-foo/bar",
                    "-foo/bar/deep",
                    "+bar",
                    "+a/foo/bar",
                    "+foo/barn",
                    "+foo",
                ],
            );
        }
    }

    #[test]
    fn a_folder_takes_what_is_below_it() {
        check(
            "node_modules",
            &[
                "-node_modules",
                "-node_modules/a/b",
                "+web/node_modules",
                "+node_modules2",
            ],
        );
        check(
            "**/node_modules",
            &["-node_modules", "-web/node_modules/a", "+web/node_modules2"],
        );
    }

    #[test]
    fn two_stars_cross_folders() {
        check("a/**/b", &["-a/b", "-a/x/b", "-a/x/y/b", "+a/xb", "+x/a/b"]);
        check("a/**", &["-a/b", "-a/b/c", "+a", "+ab"]);
        check("**", &["-a", "-a/b"]);
        check("**/", &["-a", "-a/b"]);
        check("**/*", &["-a", "-a/b"]);
        check(
            "**/b/*.txt",
            &["-b/x.txt", "-a/b/x.txt", "+a/b/c/x.txt", "+ab/x.txt"],
        );
        check("a**", &["-abc", "-a/b", "+b"]);
        check("**.log", &["-x.log", "-a/x.log", "+x.log1"]);
        check("a**b*", &["-ab", "-a/b", "-ax/b", "-axy/bz", "+axb"]);
    }

    #[test]
    fn one_star_and_question_mark_stay_in_a_folder() {
        check("a/*/c", &["-a/b/c", "+a/c", "+a/b/b/c"]);
        check("*", &["-a", "-a/b"]);
        check("a?c", &["-abc", "+a/c", "+ac"]);
        check("*a*b*", &["-ab", "-xaybz", "+xa/b"]);
    }

    #[test]
    fn classes_and_escapes() {
        check("[a-c]x", &["-ax", "-cx", "+dx", "+-x"]);
        check("[^a-c]x", &["+ax", "-dx"]);
        check("[a\\-]x", &["-ax", "--x", "+bx"]);
        check("[ab-]x", &["--x"]);
        check("\\*", &["-*", "+a"]);
        check("\\#a", &["-#a"]);
        check("\\!a", &["-!a"]);
        check("a.b+(c)$", &["-a.b+(c)$", "+axb+(c)$"]);
    }

    #[test]
    fn exceptions_reach_below_excluded_folders() {
        check("dir\n!dir/keep", &["-dir", "-dir/a", "+dir/keep", "+dir/keep/a"]);
        check("*\n!**/keep.txt", &["-a", "-a/b", "+a/b/keep.txt", "+keep.txt"]);
        check("!a\na", &["-a"]);
        check("a\n!a\na/b", &["+a", "-a/b", "+a/c"]);
        check("a\n! a", &["+a"]);
    }

    #[test]
    fn only_folders_that_an_exception_may_reach_are_walked() {
        let may_keep = |rules: &str, folder: &str| Ignore::parse(rules).unwrap().may_keep_below(folder);
        for rules in [
            "*\n!a/b/c",
            "*\n!a/**",
            "*\n!**/x",
            "*\n!a/*/c",
            "*\n!*.md",
            "*\n!a**",
        ] {
            assert!(may_keep(rules, "a"), "{rules}");
        }
        for rules in ["*", "*\n!a", "*\n!ab/c", "*\n!b/*", "*\n!b/**"] {
            assert!(!may_keep(rules, "a"), "{rules}");
        }
    }

    #[test]
    fn comments_blank_lines_and_marks() {
        check("\u{feff}a\r\n\r\n# b\r\n  #c\n", &["-a", "+b", "-#c", "+c"]);
        check("", &["+a"]);
        check(".\n/\n..", &["+a", "+..a", "+a/b"]);
    }

    #[test]
    fn a_pattern_that_means_nothing_is_an_error() {
        let check = |rules: &str, expect: &str| {
            assert_eq!(Ignore::parse(rules).unwrap_err().to_string(), expect);
        };
        check("a\n!", "line 2: `!` is an exception from nothing");
        check("a[b", "line 1: `a[b` has a `[` that is never closed");
        check("a\\", "line 1: `a\\` ends with a `\\`");
        check("[]", "line 1: `[]` has an empty `[]`");
        check("[z-a]", "line 1: `[z-a]` has a range that ends before it starts");
    }

    #[test]
    fn a_hostile_pattern_takes_no_longer_than_its_length_times_the_paths() {
        let rules = format!("{}b", "*a".repeat(200));
        let path = format!("+{}", "a".repeat(2000));
        check(&rules, &[&path]);
    }
}
