//! Decides whether a key matches a pattern as Redis writes them: `*`, `?`, `[a-z]`, `[^a]`, `\x`.

/// Whether all of the text matches.
pub fn matches(pattern: &[u8], text: &[u8]) -> bool {
    let (mut pattern, mut text) = (pattern, text);
    // After a star: what follows it, and the text at which it was tried last. Only the last star is tried again.
    let mut again: Option<(&[u8], &[u8])> = None;
    loop {
        if let Some(rest) = pattern.strip_prefix(b"*") {
            pattern = rest;
            again = Some((rest, text));
            continue;
        }
        let step = match text.split_first() {
            Some((byte, after)) => one(pattern, *byte).map(|rest| (rest, after)),
            None if pattern.is_empty() => return true,
            None => return false,
        };
        match (step, again) {
            (Some((rest, after)), _) => (pattern, text) = (rest, after),
            (None, Some((rest, [_, tried @ ..]))) => {
                (pattern, text) = (rest, tried);
                again = Some((rest, tried));
            }
            (None, _) => return false,
        }
    }
}

/// What is left of a pattern whose first part matches the byte.
fn one(pattern: &[u8], byte: u8) -> Option<&[u8]> {
    match pattern {
        [] => None,
        [b'?', rest @ ..] => Some(rest),
        [b'[', rest @ ..] => {
            let (negated, mut rest) = match rest {
                [b'^', rest @ ..] => (true, rest),
                _ => (false, rest),
            };
            let mut found = false;
            loop {
                rest = match rest {
                    [] => break,
                    [b']', after @ ..] => {
                        rest = after;
                        break;
                    }
                    [b'\\', wanted, after @ ..] => {
                        found |= *wanted == byte;
                        after
                    }
                    [first, b'-', last, after @ ..] => {
                        found |= (*first.min(last)..=*first.max(last)).contains(&byte);
                        after
                    }
                    [wanted, after @ ..] => {
                        found |= *wanted == byte;
                        after
                    }
                };
            }
            (found != negated).then_some(rest)
        }
        [b'\\', wanted, rest @ ..] | [wanted, rest @ ..] => (*wanted == byte).then_some(rest),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_as_in_redis() {
        for (pattern, text, expect) in [
            ("*", "", true),
            ("*", "anything", true),
            ("", "", true),
            ("", "a", false),
            ("h?llo", "hello", true),
            ("h?llo", "hllo", false),
            ("h*llo", "heeeello", true),
            ("h*l*o", "hello", true),
            ("h*lx", "hello", false),
            ("h[ae]llo", "hallo", true),
            ("h[^e]llo", "hello", false),
            ("h[^e]llo", "hallo", true),
            ("h[a-c]llo", "hbllo", true),
            ("h[c-a]llo", "hbllo", true),
            ("h\\*llo", "h*llo", true),
            ("h\\*llo", "hello", false),
            ("[\\]]", "]", true),
            ("[a", "a", true),
            ("a*b*c", "axxbyyc", true),
            ("a*b*c", "axxbyy", false),
            ("**a", "ba", true),
        ] {
            assert_eq!(
                matches(pattern.as_bytes(), text.as_bytes()),
                expect,
                "{pattern} {text}"
            );
        }
    }

    #[test]
    fn a_hostile_pattern_ends_soon() {
        assert!(!matches(
            "*a".repeat(2_000).as_bytes(),
            "b".repeat(20_000).as_bytes()
        ));
        assert!(!matches("a*".repeat(2_000).as_bytes(), &[b'a'; 1_999]));
    }
}
