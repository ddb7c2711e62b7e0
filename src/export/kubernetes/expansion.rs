//! Text that Kubernetes leaves as it is: it replaces `$(NAME)` in commands, arguments and
//! environment variables, which Docker doesn't.

/// Doubles each `$` that Kubernetes would act upon.
///
/// Kubernetes reads `$$` as one `$`, and `$(` as the start of a name.
/// A single `$` before anything else is itself, but for what isn't ASCII: there the kubelet takes the first byte of a
/// character for a whole one (`expand.go` of Kubernetes, `tryReadVariableName`).
pub fn literal(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find('$') {
        let (before, from) = rest.split_at(start);
        let after = from.trim_start_matches('$');
        let run = &from[..from.len() - after.len()];
        escaped.push_str(before);
        escaped.push_str(run);
        let is_read_on = |next: char| next == '(' || !next.is_ascii();
        if run.len() > 1 || after.starts_with(is_read_on) {
            escaped.push_str(run);
        }
        rest = after;
    }
    escaped.push_str(rest);
    escaped
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::literal;

    /// What the kubelet makes of a text: `$$` is `$`, a name in parentheses is its value, an open parenthesis without
    /// its end is itself, and of what else follows a `$` the first byte is a character.
    fn expanded(text: &str) -> String {
        let bytes = text.as_bytes();
        let mut result = Vec::new();
        let mut at = 0;
        while at < bytes.len() {
            match (bytes[at], bytes.get(at + 1)) {
                (b'$', Some(b'$')) => {
                    result.push(b'$');
                    at += 2;
                }
                (b'$', Some(b'(')) if bytes[at..].contains(&b')') => {
                    result.extend(b"EXPANDED");
                    at += bytes[at..].iter().position(|byte| *byte == b')').unwrap() + 1;
                }
                (b'$', Some(next)) => {
                    result.push(b'$');
                    result.extend(char::from(*next).to_string().bytes());
                    at += 2;
                }
                (byte, _) => {
                    result.push(byte);
                    at += 1;
                }
            }
        }
        String::from_utf8_lossy(&result).into_owned()
    }

    #[track_caller]
    fn check(text: &str, expect: &str) {
        assert_eq!(literal(text), expect);
    }

    #[test]
    fn only_what_kubernetes_acts_upon_is_escaped() {
        check("", "");
        check("costs $5", "costs $5");
        check("a$", "a$");
        check("$HOME ${HOME}", "$HOME ${HOME}");
        check("$(HOME)", "$$(HOME)");
        check("a$$b", "a$$$$b");
        check("$$(A)", "$$$$(A)");
        check("$$$", "$$$$$$");
        check("ünï$(x", "ünï$$(x");
        check("a$é", "a$$é");
        check("$€5 é$5", "$$€5 é$5");
    }

    proptest! {
        #[test]
        fn every_text_survives(text in "[$()a ü]{0,12}") {
            prop_assert_eq!(expanded(&literal(&text)), text);
        }
    }
}
