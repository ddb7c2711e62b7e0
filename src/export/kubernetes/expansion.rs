//! Text that Kubernetes leaves as it is: it replaces `$(NAME)` in commands, arguments and
//! environment variables, which Docker doesn't.

/// Doubles each `$` that Kubernetes would act upon.
///
/// Kubernetes reads `$$` as one `$`, and `$(` as the start of a name.
/// A single `$` before anything else is itself.
pub fn literal(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find('$') {
        let (before, from) = rest.split_at(start);
        let after = from.trim_start_matches('$');
        let run = &from[..from.len() - after.len()];
        escaped.push_str(before);
        escaped.push_str(run);
        if run.len() > 1 || after.starts_with('(') {
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

    /// What the kubelet makes of a text, after its documentation: `$$` is `$`, a name in
    /// parentheses is its value, an open parenthesis without its end is itself.
    fn expanded(text: &str) -> String {
        let characters: Vec<char> = text.chars().collect();
        let mut result = String::new();
        let mut at = 0;
        while at < characters.len() {
            match (characters[at], characters.get(at + 1)) {
                ('$', Some('$')) => {
                    result.push('$');
                    at += 2;
                }
                ('$', Some('(')) if characters[at..].contains(&')') => {
                    result.push_str("EXPANDED");
                    at += characters[at..]
                        .iter()
                        .position(|&character| character == ')')
                        .unwrap()
                        + 1;
                }
                (character, _) => {
                    result.push(character);
                    at += 1;
                }
            }
        }
        result
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
    }

    proptest! {
        #[test]
        fn every_text_survives(text in "[$()a ü]{0,12}") {
            prop_assert_eq!(expanded(&literal(&text)), text);
        }
    }
}
