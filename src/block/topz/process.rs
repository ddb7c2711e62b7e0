//! What `/proc` says of a process, as pure functions of its texts.

/// Ticks of a second in `/proc`: the same on every machine that Linux shows them on.
pub const TICKS: u32 = 100;
/// What stands for what is hidden.
const HIDDEN: &str = "***";
/// Words of a flag whose value is a secret.
const SECRETS: [&str; 5] = ["password", "passwd", "secret", "token", "key"];
/// Ends of names whose value is a secret, in small letters and nothing between their words.
const ENDS: [&str; 10] = [
    "pass",
    "passwd",
    "password",
    "secret",
    "token",
    "apikey",
    "auth",
    "authorization",
    "credential",
    "credentials",
];
/// A header whose value is a secret.
const HEADER: &str = "authorization:";
/// What may stand before the secret in it.
const SCHEMES: [&str; 2] = ["bearer", "basic"];

/// What `stat` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stat {
    /// The program's name, at most 15 bytes.
    pub name: String,
    /// Ticks of CPU time, of the kernel's included.
    pub ticks: u64,
    /// Ticks from the start of the machine to that of the process.
    pub started: u64,
}

/// Reads `stat`. The name may hold spaces, parentheses and line ends; it ends with the last parenthesis.
pub fn stat(text: &str) -> Option<Stat> {
    let (before, after) = text.rsplit_once(')')?;
    let (_, name) = before.split_once('(')?;
    let fields: Vec<&str> = after.split_ascii_whitespace().collect();
    // The first field after the name is the third one.
    let number = |place: usize| fields.get(place - 3)?.parse::<u64>().ok();
    Some(Stat {
        name: name.to_owned(),
        ticks: number(14)?.saturating_add(number(15)?),
        started: number(22)?,
    })
}

/// The resident memory that `status` says, in KiB; none for what has no memory of its own.
pub fn resident(text: &str) -> u64 {
    kibibytes(text, "VmRSS:")
}

/// All memory that `/proc/meminfo` says, in KiB.
pub fn total_memory(text: &str) -> u64 {
    kibibytes(text, "MemTotal:")
}

fn kibibytes(text: &str, field: &str) -> u64 {
    let value = text.lines().find_map(|line| line.strip_prefix(field));
    let number = value.and_then(|value| value.split_ascii_whitespace().next());
    number.and_then(|number| number.parse().ok()).unwrap_or(0)
}

/// Ticks since the machine started, from `/proc/uptime`.
pub fn uptime(text: &str) -> Option<u64> {
    let (seconds, hundredths) = text.split_ascii_whitespace().next()?.split_once('.')?;
    let hundredths: u64 = hundredths.get(..2)?.parse().ok()?;
    Some(seconds.parse::<u64>().ok()? * u64::from(TICKS) + hundredths)
}

/// The arguments that `cmdline` says; none for a process without memory of its own.
pub fn arguments(bytes: &[u8]) -> Vec<String> {
    let text = bytes.strip_suffix(&[0]).unwrap_or(bytes);
    if text.is_empty() {
        return Vec::new();
    }
    text.split(|byte| *byte == 0)
        .map(|argument| String::from_utf8_lossy(argument).into_owned())
        .collect()
}

/// The arguments with every secret in them hidden, as far as a flag, a variable or a URL says that it is one.
pub fn hide(arguments: &[String]) -> Vec<String> {
    let mut is_value = false;
    let hidden = arguments.iter().map(|argument| {
        // What comes after the scheme is the secret.
        if is_value && is_scheme(argument) {
            return argument.clone();
        }
        if std::mem::take(&mut is_value) && !argument.starts_with("--") {
            return HIDDEN.to_owned();
        }
        let (shown, next) = hide_in(argument);
        is_value = next;
        shown
    });
    hidden.collect()
}

/// One argument with what follows a secret's flag hidden, to its end: it may be a whole command of a shell. Says
/// whether the next argument is the secret.
fn hide_in(argument: &str) -> (String, bool) {
    // Small ASCII letters take the same bytes.
    if let Some(start) = argument.to_ascii_lowercase().find(HEADER) {
        return hide_in_header(argument, start + HEADER.len());
    }
    hide_words(argument)
}

/// As [`hide_in`], for what has no header.
fn hide_words(argument: &str) -> (String, bool) {
    let mut shown = String::new();
    for word in argument.split_inclusive(char::is_whitespace) {
        let bare = word.trim_end();
        let after = argument.len() - shown.len() - bare.len();
        match bare.split_once('=') {
            Some((name, _)) if is_secret(name) => {
                shown.push_str(name);
                shown.push('=');
                shown.push_str(HIDDEN);
                return (shown, false);
            }
            None if bare.trim_start_matches(['\'', '"']).starts_with('-') && is_secret(bare) => {
                shown.push_str(word);
                let is_last = after == 0;
                if !is_last {
                    shown.push_str(HIDDEN);
                }
                return (shown, is_last);
            }
            _ => shown.push_str(word),
        }
    }
    (hide_in_url(argument), false)
}

/// As [`hide_in`], with all that follows a header's name hidden, but for the scheme.
fn hide_in_header(argument: &str, end: usize) -> (String, bool) {
    let (name, value) = argument.split_at(end);
    let (mut shown, _) = hide_words(name);
    let bare = value.trim_start();
    let word = bare.split(char::is_whitespace).next().unwrap_or_default();
    let mut rest = bare;
    shown.push_str(&value[..value.len() - bare.len()]);
    if is_scheme(word) {
        let after = bare[word.len()..].trim_start();
        shown.push_str(&bare[..bare.len() - after.len()]);
        rest = after;
    }
    if !rest.is_empty() {
        shown.push_str(HIDDEN);
    }
    (shown, rest.is_empty())
}

fn is_scheme(word: &str) -> bool {
    SCHEMES.iter().any(|scheme| word.eq_ignore_ascii_case(scheme))
}

/// Whether a flag's or a variable's name has a word that is one of the secrets', or an end that is.
fn is_secret(name: &str) -> bool {
    let letters = name.chars().filter(|character| character.is_alphanumeric());
    let together: String = letters.flat_map(char::to_lowercase).collect();
    if ENDS.iter().any(|end| together.ends_with(end)) {
        return true;
    }
    let name = name.trim_start_matches(['\'', '"', '-', '/']);
    let mut words = Vec::new();
    let mut word = String::new();
    let mut was_lower = false;
    for character in name.chars() {
        // `apiKey` is two words, as `api-key` is.
        if !character.is_alphanumeric() || (was_lower && character.is_uppercase()) {
            words.push(std::mem::take(&mut word));
        }
        if character.is_alphanumeric() {
            word.extend(character.to_lowercase());
        }
        was_lower = character.is_lowercase();
    }
    words.push(word);
    words.iter().any(|word| SECRETS.contains(&word.as_str()))
}

/// A URL with its password hidden: `scheme://user:password@host`.
fn hide_in_url(argument: &str) -> String {
    let mut shown = String::new();
    let mut rest = argument;
    while let Some(start) = rest.find("://") {
        let (scheme, after) = rest.split_at(start + 3);
        shown.push_str(scheme);
        let end = after
            .find(|character: char| character == '/' || character.is_whitespace())
            .unwrap_or(after.len());
        let (authority, after) = after.split_at(end);
        match authority
            .rsplit_once('@')
            .map(|(user, host)| (user.split_once(':'), host))
        {
            Some((Some((user, _)), host)) => {
                shown.push_str(user);
                shown.push(':');
                shown.push_str(HIDDEN);
                shown.push('@');
                shown.push_str(host);
            }
            _ => shown.push_str(authority),
        }
        rest = after;
    }
    shown.push_str(rest);
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    const REST: &str =
        "S 1 42 42 0 -1 4194560 1 2 3 4 150 50 0 0 20 0 1 0 987 1000 25 18446744073709551615 1 1";

    #[test]
    fn a_name_may_hold_anything() {
        for name in [
            "nginx",
            "a b",
            "(sd-pam)",
            "x) S 1 (y",
            "Web Content)",
            "",
            "two\nlines",
        ] {
            let read = stat(&format!("42 ({name}) {REST}\n"));
            let expect = Stat {
                name: name.to_owned(),
                ticks: 200,
                started: 987,
            };
            assert_eq!(read, Some(expect), "{name:?}");
        }
        for wrong in [
            "",
            "42",
            "42 (x",
            "42 (x) S 1",
            "42 x) S",
            "42 (x) S 1 a b c d e f g h i j k l",
        ] {
            assert_eq!(stat(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn memory_is_in_kibibytes() {
        assert_eq!(resident("Name:\tx\nVmPeak:\t 900 kB\nVmRSS:\t  512 kB\n"), 512);
        assert_eq!(resident("Name:\tkthreadd\n"), 0);
        assert_eq!(resident("VmRSS:\tmuch\n"), 0);
        assert_eq!(total_memory("MemTotal:       16384 kB\nMemFree: 1 kB\n"), 16_384);
    }

    #[test]
    fn the_uptime_is_in_ticks() {
        assert_eq!(uptime("350735.47 234388.90\n"), Some(35_073_547));
        assert_eq!(uptime("0.07 0.00"), Some(7));
        assert_eq!(uptime(""), None);
    }

    #[test]
    fn arguments_end_with_a_zero() {
        let check = |bytes: &[u8], expect: &[&str]| assert_eq!(arguments(bytes), expect);
        check(b"sleep\x001\0", &["sleep", "1"]);
        check(b"x\0\0y\0", &["x", "", "y"]);
        check(b"nginx: master process", &["nginx: master process"]);
        check(b"a\xffb\0", &["a\u{fffd}b"]);
        check(b"", &[]);
        check(b"\0", &[]);
    }

    #[track_caller]
    fn check(words: &[&str], expect: &[&str]) {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        assert_eq!(hide(&words), expect);
    }

    #[test]
    fn secrets_are_hidden_by_the_ends_of_names_and_in_headers() {
        for flag in [
            "--requirepass",
            "--masterauth",
            "--smtp-pass",
            "--credentials",
            "--basic-auth",
        ] {
            check(&["app", flag, "x", "y"], &["app", flag, "***", "y"]);
            check(&["app", &format!("{flag}=x y")], &["app", &format!("{flag}=***")]);
        }
        for name in [
            "PGPASSWORD",
            "MYSQL_PASSWD",
            "dbPassword",
            "ACCESSTOKEN",
            "APIKEY",
            "redis.auth",
            "AWS_CREDENTIAL",
        ] {
            check(&["env", &format!("{name}=x")], &["env", &format!("{name}=***")]);
        }
        check(
            &["sh", "-c", "app \"--requirepass\" x"],
            &["sh", "-c", "app \"--requirepass\" ***"],
        );
        for (header, expect) in [
            ("Authorization: Bearer x", "Authorization: Bearer ***"),
            ("authorization:  basic eA==", "authorization:  basic ***"),
            ("Proxy-Authorization:Bearer x", "Proxy-Authorization:Bearer ***"),
            ("Authorization: x", "Authorization: ***"),
            (
                "--header=Authorization: Bearer x",
                "--header=Authorization: Bearer ***",
            ),
            ("--header=Accept: Bearer x", "--header=Accept: Bearer x"),
            (
                "curl -H 'Authorization: Bearer x' http://a",
                "curl -H 'Authorization: Bearer ***",
            ),
            ("authorization=Bearer x", "authorization=***"),
        ] {
            check(&["app", "-H", header, "next"], &["app", "-H", expect, "next"]);
        }
        check(
            &["app", "Authorization:", "Bearer", "x", "y"],
            &["app", "Authorization:", "Bearer", "***", "y"],
        );
        check(
            &["app", "Authorization: Bearer", "x", "y"],
            &["app", "Authorization: Bearer", "***", "y"],
        );
    }

    #[test]
    fn secrets_are_hidden() {
        check(&["app", "--password=hunter2"], &["app", "--password=***"]);
        check(
            &["app", "--password", "hunter2", "x"],
            &["app", "--password", "***", "x"],
        );
        check(&["app", "--token", "--verbose"], &["app", "--token", "--verbose"]);
        check(&["app", "-secret=a=b"], &["app", "-secret=***"]);
        check(&["app", "--db-passwd=x"], &["app", "--db-passwd=***"]);
        check(&["app", "--apiKey=x"], &["app", "--apiKey=***"]);
        check(&["app", "--API_KEY", "x"], &["app", "--API_KEY", "***"]);
        check(&["app", "--password=with a space"], &["app", "--password=***"]);
        check(
            &["app", "--password", "with a space"],
            &["app", "--password", "***"],
        );
        check(&["env", "TOKEN=x", "app"], &["env", "TOKEN=***", "app"]);
        check(
            &["sh", "-c", "app --password hunter2 --verbose"],
            &["sh", "-c", "app --password ***"],
        );
        check(
            &["sh", "-c", "app --token='a b' c"],
            &["sh", "-c", "app --token=***"],
        );
        check(
            &["app", "postgres://me:hunter2@db:5432/shop"],
            &["app", "postgres://me:***@db:5432/shop"],
        );
        check(
            &["app", "--url=http://a:b@c/ x://d:e@f"],
            &["app", "--url=http://a:***@c/ x://d:***@f"],
        );
        // Words that only look like one.
        for plain in [
            "--keyspace=a",
            "--monkey=a",
            "--tokenizer",
            "--secretary=b",
            "--passthrough=c",
            "--author=d",
            "PGPASSFILE=e",
            "basic",
            "authorization",
            "key",
            "http://a:80/b@c",
            "http://a@b",
            "",
        ] {
            check(&["app", plain, "next"], &["app", plain, "next"]);
        }
    }
}
