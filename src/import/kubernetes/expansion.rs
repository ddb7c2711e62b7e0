//! Replaces `$(NAME)` in commands, arguments and variables, as a cluster does and a stack doesn't.

use crate::import::draft::Env;

/// A text as a program sees it, and the secrets in it that can't be put there.
pub fn expanded<'e>(text: &str, variable: impl Fn(&str) -> Option<&'e Env>) -> (String, Vec<String>) {
    let mut result = String::with_capacity(text.len());
    let mut secrets = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        let (before, from) = rest.split_at(at);
        result.push_str(before);
        if let Some(after) = from.strip_prefix("$$") {
            result.push('$');
            rest = after;
        } else if let Some((name, after)) = from.strip_prefix("$(").and_then(|inner| inner.split_once(')')) {
            match variable(name) {
                Some(Env::Text(value)) => result.push_str(value),
                found => {
                    if found.is_some() {
                        secrets.push(name.to_owned());
                    }
                    result.push_str(&from[..name.len() + 3]);
                }
            }
            rest = after;
        } else {
            result.push('$');
            rest = &from[1..];
        }
    }
    result.push_str(rest);
    (result, secrets)
}

#[cfg(test)]
mod tests {
    use super::expanded;
    use crate::import::draft::Env;

    #[track_caller]
    fn check(text: &str, expect: &str, secrets: usize) {
        let value = Env::Text("v".into());
        let secret = Env::Secret("s".into(), "k".into());
        let variable = |name: &str| match name {
            "A" => Some(&value),
            "S" => Some(&secret),
            _ => None,
        };
        let (found, kept) = expanded(text, variable);
        assert_eq!((found.as_str(), kept.len()), (expect, secrets));
    }

    #[test]
    fn names_are_replaced_as_on_a_cluster() {
        check("", "", 0);
        check("a $(A) b$(A)", "a v bv", 0);
        check("$$(A) $$$(A) $$$$", "$(A) $v $$", 0);
        check("$(B) $(S)", "$(B) $(S)", 1);
        check("$A ${A} $( $(A", "$A ${A} $( $(A", 0);
        check("ü$", "ü$", 0);
    }
}
