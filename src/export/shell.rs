//! Quotes a word for a POSIX shell, so that a command in the report can be pasted.

use std::borrow::Cow;

/// The word, in single quotes where the shell would read it otherwise.
pub fn quoted(word: &str) -> Cow<'_, str> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:=@,+%".contains(&byte);
    if !word.is_empty() && word.bytes().all(plain) {
        Cow::Borrowed(word)
    } else {
        Cow::Owned(format!("'{}'", word.replace('\'', r"'\''")))
    }
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn a_shell_reads_the_word_itself() {
        for word in [
            "a/b.c", "", "a b", "it's", "$HOME", "a;b", "*", "--x=1", "ü", "\n",
        ] {
            let output = std::process::Command::new("sh")
                .args(["-c", &format!("printf %s. {}", quoted(word))])
                .output()
                .unwrap();
            assert_eq!(String::from_utf8(output.stdout).unwrap(), format!("{word}."));
        }
        assert_eq!(quoted("secrets/password"), "secrets/password");
    }
}
