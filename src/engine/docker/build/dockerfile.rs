//! Turns a Dockerfile into its instructions' lines and the images that it starts from.

use std::collections::BTreeMap;

/// What a Dockerfile says, as far as it matters around a build.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Dockerfile {
    /// Its instructions, in order: the builder counts its steps by them.
    pub instructions: Vec<Instruction>,
}

/// One instruction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instruction {
    /// The line that it starts on, from 1.
    pub line: usize,
    /// The instruction in one line.
    pub text: String,
}

impl Dockerfile {
    /// Reads a Dockerfile. What is wrong with it is the builder's to say.
    pub fn parse(text: &str) -> Self {
        let mut escape = '\\';
        let mut in_directives = true;
        let mut instructions: Vec<Instruction> = Vec::new();
        let mut open = false;
        for (index, line) in text.lines().enumerate() {
            let trimmed = line.trim();
            if in_directives {
                match directive(trimmed) {
                    Some(("escape", "`")) => escape = '`',
                    Some(_) => {}
                    None => in_directives = false,
                }
            }
            // A comment inside a continued instruction is left out, and so is a blank line.
            if trimmed.is_empty() || trimmed.starts_with('#') {
                continue;
            }
            let (part, continues) = match trimmed.strip_suffix(escape) {
                Some(part) => (part.trim_end(), true),
                None => (trimmed, false),
            };
            match instructions.last_mut().filter(|_| open) {
                Some(instruction) => {
                    if !part.is_empty() {
                        instruction.text.push(' ');
                        instruction.text.push_str(part);
                    }
                }
                None => instructions.push(Instruction {
                    line: index + 1,
                    text: part.to_owned(),
                }),
            }
            open = continues;
        }
        Self { instructions }
    }

    /// The images that it starts from or copies from, in order, each once; with the build
    /// arguments filled in. Those that depend on something unknown are left out.
    pub fn bases(&self, arguments: &BTreeMap<String, String>) -> Vec<String> {
        let mut known: BTreeMap<String, String> = BTreeMap::new();
        let mut stages: Vec<String> = Vec::new();
        let mut bases = Vec::new();
        for instruction in &self.instructions {
            let mut words = instruction.text.split_whitespace();
            let name = words.next().unwrap_or_default().to_ascii_uppercase();
            match name.as_str() {
                // Only what stands before the first stage can be used in a `FROM`.
                "ARG" if stages.is_empty() => {
                    for word in words {
                        let (name, default) = word
                            .split_once('=')
                            .map_or((word, None), |(name, value)| (name, Some(value)));
                        let default = default.map(|value| value.trim_matches(['"', '\'']).to_owned());
                        if let Some(value) = arguments.get(name).cloned().or(default) {
                            known.insert(name.to_owned(), value);
                        }
                    }
                }
                "FROM" => {
                    let mut words = words.filter(|word| !word.starts_with("--"));
                    let base = words.next().and_then(|base| expand(base, &known));
                    let stage = words.nth(1).map(str::to_ascii_lowercase);
                    if let Some(base) =
                        base.filter(|base| base != "scratch" && !stages.contains(&base.to_ascii_lowercase()))
                    {
                        bases.push(base);
                    }
                    stages.push(stage.unwrap_or_default());
                }
                "COPY" => {
                    let from = words.find_map(|word| word.strip_prefix("--from="));
                    let is_stage = |from: &str| {
                        from.parse::<usize>().is_ok() || stages.contains(&from.to_ascii_lowercase())
                    };
                    if let Some(from) = from.filter(|from| !from.contains('$') && !is_stage(from)) {
                        bases.push(from.to_owned());
                    }
                }
                _ => {}
            }
        }
        let mut seen = std::collections::BTreeSet::new();
        bases.retain(|base| seen.insert(base.clone()));
        bases
    }
}

/// `# escape=…`, `# syntax=…` at the head of a file.
fn directive(line: &str) -> Option<(&str, &str)> {
    let (name, value) = line.strip_prefix('#')?.split_once('=')?;
    let (name, value) = (name.trim(), value.trim());
    name.bytes()
        .all(|byte| byte.is_ascii_alphabetic())
        .then_some((name, value))
}

/// Fills in `$NAME`, `${NAME}`, `${NAME:-default}` and `${NAME:+other}`; `None` where one is unknown.
fn expand(text: &str, known: &BTreeMap<String, String>) -> Option<String> {
    let mut expanded = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        expanded.push_str(before);
        if let Some(braced) = after.strip_prefix('{') {
            let (inside, behind) = braced.split_once('}')?;
            let set = |name: &str| known.get(name).filter(|value| !value.is_empty()).cloned();
            let value = if let Some((name, default)) = inside.split_once(":-") {
                set(name).unwrap_or_else(|| default.to_owned())
            } else if let Some((name, other)) = inside.split_once(":+") {
                set(name).map(|_| other.to_owned()).unwrap_or_default()
            } else {
                known.get(inside).cloned()?
            };
            expanded.push_str(&value);
            rest = behind;
        } else {
            let end = after
                .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
                .unwrap_or(after.len());
            expanded.push_str(known.get(&after[..end])?);
            rest = &after[end..];
        }
    }
    expanded.push_str(rest);
    (!expanded.is_empty()).then_some(expanded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_lines(text: &str, expect: &[(usize, &str)]) {
        let found = Dockerfile::parse(text);
        let found: Vec<(usize, &str)> = found
            .instructions
            .iter()
            .map(|one| (one.line, one.text.as_str()))
            .collect();
        assert_eq!(found, expect);
    }

    #[test]
    fn an_instruction_may_go_over_lines_with_comments_between() {
        check_lines(
            "# syntax of old\n\nFROM a\nRUN one \\\n  # why\n\n  && two \\\n  && three\nUSER 1\n",
            &[(3, "FROM a"), (4, "RUN one && two && three"), (9, "USER 1")],
        );
        check_lines(
            "# escape=`\nFROM a\nRUN b `\n c\\\nUSER 1",
            &[(2, "FROM a"), (3, "RUN b c\\"), (5, "USER 1")],
        );
        check_lines(
            "FROM a\n# escape=`\nRUN b `\nUSER 1",
            &[(1, "FROM a"), (3, "RUN b `"), (4, "USER 1")],
        );
        check_lines("FROM a\nRUN b \\", &[(1, "FROM a"), (2, "RUN b")]);
        check_lines("", &[]);
    }

    #[track_caller]
    fn check_bases(text: &str, arguments: &[(&str, &str)], expect: &[&str]) {
        let arguments = arguments
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        assert_eq!(Dockerfile::parse(text).bases(&arguments), expect);
    }

    #[test]
    fn the_images_of_all_stages_are_found() {
        check_bases("FROM a", &[], &["a"]);
        check_bases(
            "FROM a AS one\nFROM scratch\nCOPY --from=one / /\nCOPY --from=0 / /\nCOPY --from=b:1 / /",
            &[],
            &["a", "b:1"],
        );
        check_bases("from --platform=$X a as One\nFROM one\nFROM a", &[], &["a"]);
        check_bases(
            "ARG V=1\nARG N\nFROM a:$V\nFROM b:${V}-x\nFROM $N",
            &[],
            &["a:1", "b:1-x"],
        );
        check_bases(
            "ARG V=\"1\"\nFROM a:${V:-2}${N:+x}${M:-y}",
            &[("V", "3"), ("N", "n")],
            &["a:3y"],
        );
        check_bases("FROM a\nARG V=1\nFROM b:$V", &[], &["a"]);
        check_bases("FROM ${", &[], &[]);
    }
}
