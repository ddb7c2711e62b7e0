//! Turns a record's bytes into one JSON line.

use std::borrow::Cow;
use std::fmt;

use memchr::{memchr, memchr2};
use regex::bytes::{CaptureLocations, Regex};
use serde::de::{Deserializer as _, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::instant;
use crate::block::log::append_number;

/// How deep the values of fields may be nested.
const DEPTH: usize = 100;

/// What a record looks like.
#[derive(Debug)]
pub enum Format {
    Text,
    Regex {
        pattern: Regex,
        /// The groups with a name: number and name.
        groups: Vec<(usize, String)>,
    },
    Logfmt,
    Json,
    Cri,
    Nginx,
}

impl Format {
    /// By a pattern's named groups.
    pub fn regex(pattern: Regex) -> Self {
        let groups = pattern
            .capture_names()
            .enumerate()
            .filter_map(|(number, name)| Some((number, name?.to_owned())))
            .collect();
        Self::Regex { pattern, groups }
    }
}

/// The names that a field may have, the better ones first.
#[derive(Debug)]
pub struct Names(Vec<String>);

impl Names {
    /// The one that is wanted, or the usual ones.
    pub fn new(wanted: Option<&str>, usual: &[&str]) -> Self {
        let names = wanted.map_or_else(|| usual.to_vec(), |name| vec![name]);
        Self(names.into_iter().map(str::to_owned).collect())
    }

    fn find(&self, fields: &[Field]) -> Option<usize> {
        self.0
            .iter()
            .find_map(|name| fields.iter().position(|(field, _)| field == name))
    }
}

/// What becomes of records.
#[derive(Debug)]
pub struct Shape {
    pub format: Format,
    pub time: Names,
    pub level: Names,
    pub message: Names,
}

/// Where a record comes from.
#[derive(Debug, Clone, Copy)]
pub struct Origin<'a> {
    /// `,"source":…`.
    pub source: &'a [u8],
    /// `,"file":…,"id":…,"offset":`.
    pub file: &'a [u8],
    pub offset: u64,
    /// When it was read: RFC 3339.
    pub read: &'a [u8],
    /// Whether it is a piece of a record.
    pub cut: bool,
}

type Field<'a> = (Cow<'a, str>, Value<'a>);

#[derive(Debug)]
enum Value<'a> {
    /// JSON as it stands.
    Json(&'a str),
    Text(Cow<'a, str>),
}

impl Value<'_> {
    /// Its text, if it is one or a number.
    fn text(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Text(text) => Some(Cow::Borrowed(text)),
            Self::Json(json) => match json.as_bytes().first() {
                Some(b'"') => match &json[1..json.len() - 1] {
                    plain if memchr(b'\\', plain.as_bytes()).is_none() => Some(Cow::Borrowed(plain)),
                    _ => serde_json::from_str(json).ok().map(Cow::Owned),
                },
                Some(b'-' | b'0'..=b'9') => Some(Cow::Borrowed(json)),
                _ => None,
            },
        }
    }

    fn append(&self, line: &mut Vec<u8>) {
        match self {
            Self::Json(json) => line.extend_from_slice(json.as_bytes()),
            Self::Text(text) => append_text(line, text),
        }
    }
}

/// What is read of a record.
#[derive(Debug, Default)]
struct Parts<'a> {
    time: Option<Cow<'a, str>>,
    level: Option<&'static str>,
    message: Option<Cow<'a, str>>,
    fields: Vec<Field<'a>>,
}

impl Shape {
    /// Appends a record as a line; says whether it could be parsed.
    pub fn append(&self, line: &mut Vec<u8>, record: &[u8], origin: Origin) -> bool {
        let record = record.strip_suffix(b"\r").unwrap_or(record);
        let (text, is_valid) = match str::from_utf8(record) {
            Ok(text) => (Cow::Borrowed(text), true),
            Err(_) => (String::from_utf8_lossy(record), false),
        };
        let parts = self.parse(&text);
        let is_parsed = parts.is_some();
        let parts = parts.unwrap_or_else(|| Parts {
            message: Some(Cow::Borrowed(&text)),
            ..Parts::default()
        });
        self.write(line, &parts, origin, is_parsed, is_valid);
        is_parsed
    }

    fn parse<'a>(&self, text: &'a str) -> Option<Parts<'a>> {
        match &self.format {
            Format::Text => Some(Parts {
                time: leading_time(text).map(Cow::Borrowed),
                message: Some(Cow::Borrowed(text)),
                ..Parts::default()
            }),
            Format::Regex { pattern, groups } => by_pattern(pattern, groups, text),
            Format::Logfmt => logfmt(text),
            Format::Json => json(text),
            Format::Cri => parts_of_cri(text),
            Format::Nginx => access(text),
        }
    }

    fn write(&self, line: &mut Vec<u8>, parts: &Parts, origin: Origin, is_parsed: bool, is_valid: bool) {
        let fields = &parts.fields;
        line.extend_from_slice(b"{\"ts\":\"");
        let mut time = None;
        let is_read = if let Some(text) = &parts.time {
            instant::append(line, text)
        } else {
            time = self.time.find(fields);
            let text = time.and_then(|place| fields[place].1.text());
            text.is_some_and(|text| instant::append(line, &text))
        };
        if !is_read {
            time = None;
            line.extend_from_slice(origin.read);
        }
        line.extend_from_slice(b"\",\"level\":");
        let mut level = None;
        if let Some(known) = parts.level {
            append_text(line, known);
        } else {
            level = self.level.find(fields);
            let text = level.and_then(|place| fields[place].1.text());
            if text.is_none() {
                level = None;
            }
            append_text(line, &normal(text.as_deref().unwrap_or("unknown")));
        }
        line.extend_from_slice(origin.source);
        line.extend_from_slice(b",\"msg\":");
        let mut message = None;
        if let Some(text) = &parts.message {
            append_text(line, text);
        } else {
            message = self.message.find(fields);
            match message.map(|place| &fields[place].1) {
                None => line.extend_from_slice(b"\"\""),
                Some(Value::Json(json)) if !json.starts_with('"') => append_text(line, json),
                Some(value) => value.append(line),
            }
        }
        line.extend_from_slice(origin.file);
        append_number(line, origin.offset);
        if !is_parsed {
            line.extend_from_slice(b",\"parsed\":false");
        }
        if !is_valid {
            line.extend_from_slice(b",\"invalid_utf8\":true");
        }
        if origin.cut {
            line.extend_from_slice(b",\"partial\":true");
        }
        line.extend_from_slice(b",\"fields\":{");
        let mut is_first = true;
        for (place, (name, value)) in fields.iter().enumerate() {
            if [time, level, message].contains(&Some(place)) {
                continue;
            }
            if !is_first {
                line.push(b',');
            }
            is_first = false;
            append_text(line, name);
            line.push(b':');
            value.append(line);
        }
        line.extend_from_slice(b"}}\n");
    }
}

/// A level as all logs would call it.
fn normal(level: &str) -> Cow<'_, str> {
    const KNOWN: [(&str, &str); 27] = [
        ("info", "info"),
        ("error", "error"),
        ("warning", "warning"),
        ("debug", "debug"),
        ("warn", "warning"),
        ("err", "error"),
        ("trace", "trace"),
        ("fatal", "fatal"),
        ("critical", "fatal"),
        ("crit", "fatal"),
        ("alert", "fatal"),
        ("emerg", "fatal"),
        ("panic", "fatal"),
        ("severe", "error"),
        ("notice", "info"),
        ("information", "info"),
        ("i", "info"),
        ("w", "warning"),
        ("e", "error"),
        ("d", "debug"),
        ("f", "fatal"),
        ("10", "trace"),
        ("20", "debug"),
        ("30", "info"),
        ("40", "warning"),
        ("50", "error"),
        ("60", "fatal"),
    ];
    let trimmed = level.trim_ascii();
    let known = KNOWN.iter().find(|(name, _)| trimmed.eq_ignore_ascii_case(name));
    match known {
        Some((_, normal)) => Cow::Borrowed(normal),
        None => Cow::Owned(trimmed.to_ascii_lowercase()),
    }
}

/// The time that a line of text begins with.
fn leading_time(text: &str) -> Option<&str> {
    let bytes = text.as_bytes();
    if !bytes.first()?.is_ascii_digit() {
        return None;
    }
    // A date and a clock, with a space between them or none.
    let clock = bytes.get(11..)?;
    let end = 11 + memchr(b' ', clock).unwrap_or(clock.len());
    text.get(..end)
}

fn by_pattern<'a>(pattern: &Regex, groups: &[(usize, String)], text: &'a str) -> Option<Parts<'a>> {
    let mut places: CaptureLocations = pattern.capture_locations();
    pattern.captures_read(&mut places, text.as_bytes())?;
    let fields = groups.iter().filter_map(|(number, name)| {
        let (start, end) = places.get(*number)?;
        let value = String::from_utf8_lossy(&text.as_bytes()[start..end]);
        Some((Cow::Owned(name.clone()), Value::Text(value)))
    });
    Some(Parts {
        fields: fields.collect(),
        ..Parts::default()
    })
}

/// `key=value key="value with \"spaces\"" key`; without a single pair it is none.
fn logfmt(text: &str) -> Option<Parts<'_>> {
    let mut fields = Vec::new();
    let mut has_pair = false;
    let mut rest = text.trim_ascii_start();
    while !rest.is_empty() {
        let end = memchr2(b'=', b' ', rest.as_bytes()).unwrap_or(rest.len());
        let (key, after) = rest.split_at(end);
        if key.is_empty() || key.contains('"') {
            return None;
        }
        let Some(after) = after.strip_prefix('=') else {
            fields.push((Cow::Borrowed(key), Value::Json("true")));
            rest = after.trim_ascii_start();
            continue;
        };
        has_pair = true;
        if let Some(quoted) = after.strip_prefix('"') {
            let (value, after) = unquote(quoted)?;
            fields.push((Cow::Borrowed(key), Value::Text(value)));
            if !after.is_empty() && !after.starts_with(' ') {
                return None;
            }
            rest = after.trim_ascii_start();
        } else {
            let end = memchr(b' ', after.as_bytes()).unwrap_or(after.len());
            let (value, after) = after.split_at(end);
            fields.push((Cow::Borrowed(key), Value::Text(Cow::Borrowed(value))));
            rest = after.trim_ascii_start();
        }
    }
    has_pair.then(|| Parts {
        fields,
        ..Parts::default()
    })
}

/// Reads up to the closing quote; says what follows it.
fn unquote(text: &str) -> Option<(Cow<'_, str>, &str)> {
    let end = memchr2(b'"', b'\\', text.as_bytes())?;
    if text.as_bytes()[end] == b'"' {
        return Some((Cow::Borrowed(&text[..end]), &text[end + 1..]));
    }
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((place, character)) = characters.next() {
        match character {
            '"' => return Some((Cow::Owned(value), &text[place + 1..])),
            '\\' => match characters.next()?.1 {
                'n' => value.push('\n'),
                't' => value.push('\t'),
                'r' => value.push('\r'),
                other => value.push(other),
            },
            other => value.push(other),
        }
    }
    None
}

/// The members of an object; their values stay as they are written.
fn json(text: &str) -> Option<Parts<'_>> {
    struct Members;
    impl<'de> Visitor<'de> for Members {
        type Value = Vec<Field<'de>>;

        fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
            formatter.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut fields = Vec::with_capacity(12);
            while let Some((Name(name), value)) = map.next_entry::<Name, &RawValue>()? {
                let value = value.get();
                if is_deep(value) {
                    return Err(serde::de::Error::custom("nested too deep"));
                }
                fields.push((name, Value::Json(value)));
            }
            Ok(fields)
        }
    }

    /// Borrowed unless it is written with escapes.
    #[derive(serde::Deserialize)]
    struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

    if !text.trim_ascii_start().starts_with('{') {
        return None;
    }
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let fields = deserializer.deserialize_map(Members).ok()?;
    deserializer.end().ok()?;
    Some(Parts {
        fields,
        ..Parts::default()
    })
}

/// Whether a value is nested deeper than readers of JSON accept.
fn is_deep(json: &str) -> bool {
    // Each level takes two bytes.
    if json.len() <= 2 * DEPTH {
        return false;
    }
    let (mut depth, mut is_string, mut is_escaped) = (0, false, false);
    json.bytes().any(|byte| {
        if is_escaped {
            is_escaped = false;
        } else if is_string {
            is_escaped = byte == b'\\';
            is_string = byte != b'"';
        } else {
            match byte {
                b'"' => is_string = true,
                b'[' | b'{' => depth += 1,
                b']' | b'}' => depth -= 1,
                _ => {}
            }
        }
        depth > DEPTH
    })
}

/// A line of a container runtime: `TIME STREAM P|F MESSAGE`.
#[derive(Debug, PartialEq, Eq)]
pub struct CriLine<'a> {
    pub time: &'a [u8],
    pub stream: &'a [u8],
    pub partial: bool,
    pub message: &'a [u8],
}

/// Reads a line of a container runtime.
pub fn cri(line: &[u8]) -> Option<CriLine<'_>> {
    let mut words = line.splitn(4, |byte| *byte == b' ');
    let (time, stream, tags) = (words.next()?, words.next()?, words.next()?);
    if !matches!(stream, b"stdout" | b"stderr") {
        return None;
    }
    let partial = match tags.split(|byte| *byte == b':').next()? {
        b"P" => true,
        b"F" => false,
        _ => return None,
    };
    Some(CriLine {
        time,
        stream,
        partial,
        message: words.next().unwrap_or_default(),
    })
}

fn parts_of_cri(text: &str) -> Option<Parts<'_>> {
    let mut lines = text.split('\n');
    let first = cri(lines.next()?.as_bytes())?;
    // Spaces are where a text may be cut.
    let utf8 = |bytes| str::from_utf8(bytes).ok();
    let mut message = Cow::Borrowed(utf8(first.message)?);
    for line in lines {
        let part = utf8(cri(line.as_bytes())?.message)?;
        message.to_mut().push_str(part);
    }
    Some(Parts {
        time: Some(Cow::Borrowed(utf8(first.time)?)),
        level: Some(if first.stream == b"stderr" {
            "error"
        } else {
            "info"
        }),
        message: Some(message),
        fields: vec![(
            Cow::Borrowed("stream"),
            Value::Text(Cow::Borrowed(utf8(first.stream)?)),
        )],
    })
}

/// `ADDRESS - USER [TIME] "REQUEST" STATUS BYTES "REFERER" "AGENT"`, and what may follow is left out.
fn access(text: &str) -> Option<Parts<'_>> {
    let (address, rest) = text.split_once(' ')?;
    let (_, rest) = rest.split_once(' ')?;
    let (user, rest) = rest.split_once(" [")?;
    let (time, rest) = rest.split_once("] \"")?;
    let (request, rest) = quoted(rest)?;
    let rest = rest.strip_prefix(' ')?;
    let (status, rest) = rest.split_once(' ')?;
    let (bytes, rest) = rest.split_once(" \"").unwrap_or((rest, ""));
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if status.len() != 3 || !is_number(status) || status.starts_with('0') {
        return None;
    }
    let plain = |text| Value::Text(Cow::Borrowed(text));
    let name = Cow::Borrowed;
    let mut fields = Vec::with_capacity(10);
    fields.push((name("remote_addr"), plain(address)));
    fields.push((name("remote_user"), plain(user)));
    let mut words = request.split(' ');
    if let (Some(method), Some(path), Some(protocol), None) =
        (words.next(), words.next(), words.next(), words.next())
    {
        fields.push((name("method"), plain(method)));
        fields.push((name("path"), plain(path)));
        fields.push((name("protocol"), plain(protocol)));
    }
    fields.push((name("status"), Value::Json(status)));
    let is_json_number = is_number(bytes) && (bytes == "0" || !bytes.starts_with('0'));
    fields.push((
        name("bytes"),
        match bytes {
            "-" => Value::Json("0"),
            number if is_json_number => Value::Json(number),
            _ => return None,
        },
    ));
    if let Some((referer, rest)) = quoted(rest) {
        fields.push((name("referer"), plain(referer)));
        if let Some((agent, _)) = rest.strip_prefix(" \"").and_then(quoted) {
            fields.push((name("user_agent"), plain(agent)));
        }
    }
    Some(Parts {
        time: Some(Cow::Borrowed(time)),
        level: Some(match status.as_bytes()[0] {
            b'5' => "error",
            b'4' => "warning",
            _ => "info",
        }),
        message: Some(Cow::Borrowed(request)),
        fields,
    })
}

/// The text up to the closing quote, which nginx writes as `\x22` inside of it.
fn quoted(text: &str) -> Option<(&str, &str)> {
    let end = memchr(b'"', text.as_bytes())?;
    Some((&text[..end], &text[end + 1..]))
}

/// Which bytes can't stand in a JSON string.
const ESCAPED: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 0x20 {
        table[byte] = true;
        byte += 1;
    }
    table[b'"' as usize] = true;
    table[b'\\' as usize] = true;
    table[0x7f] = true;
    table
};

/// Appends a JSON string.
pub fn append_text(line: &mut Vec<u8>, text: &str) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    line.push(b'"');
    let bytes = text.as_bytes();
    let mut start = 0;
    for (place, byte) in bytes.iter().enumerate() {
        if !ESCAPED[usize::from(*byte)] {
            continue;
        }
        line.extend_from_slice(&bytes[start..place]);
        start = place + 1;
        match byte {
            b'"' | b'\\' => line.extend_from_slice(&[b'\\', *byte]),
            b'\n' => line.extend_from_slice(b"\\n"),
            b'\t' => line.extend_from_slice(b"\\t"),
            b'\r' => line.extend_from_slice(b"\\r"),
            other => {
                let (high, low) = (HEX[usize::from(other >> 4)], HEX[usize::from(other & 15)]);
                line.extend_from_slice(&[b'\\', b'u', b'0', b'0', high, low]);
            }
        }
    }
    line.extend_from_slice(&bytes[start..]);
    line.push(b'"');
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use regex::bytes::RegexBuilder;

    use super::*;

    fn shape(format: Format) -> Shape {
        Shape {
            format,
            time: Names::new(None, &["ts", "time"]),
            level: Names::new(None, &["level", "severity"]),
            message: Names::new(None, &["msg", "message"]),
        }
    }

    fn line(shape: &Shape, record: &[u8]) -> String {
        let origin = Origin {
            source: b",\"source\":\"s\"",
            file: b",\"file\":\"f\",\"id\":\"i\",\"offset\":",
            offset: 7,
            read: b"READ",
            cut: false,
        };
        let mut line = Vec::new();
        shape.append(&mut line, record, origin);
        let line = String::from_utf8(line).unwrap();
        serde_json::from_str::<serde_json::Value>(&line)
            .unwrap_or_else(|error| panic!("{error}: {line:.300}"));
        line.strip_suffix('\n').unwrap().to_owned()
    }

    #[track_caller]
    fn check(format: Format, record: &str, expect: [&str; 4]) {
        let [ts, level, msg, rest] = expect;
        let end = match rest.strip_prefix('!') {
            Some(fields) => format!(",\"parsed\":false,\"fields\":{{{fields}}}"),
            None => format!(",\"fields\":{{{rest}}}"),
        };
        assert_eq!(
            line(&shape(format), record.as_bytes()),
            format!(
                "{{\"ts\":\"{ts}\",\"level\":\"{level}\",\"source\":\"s\",\"msg\":{msg},\
                 \"file\":\"f\",\"id\":\"i\",\"offset\":7{end}}}"
            )
        );
    }

    #[test]
    fn text_is_a_message() {
        check(
            Format::Text,
            "a \"b\"\tc",
            ["READ", "unknown", r#""a \"b\"\tc""#, ""],
        );
        check(
            Format::Text,
            "2026-01-02 03:04:05 started",
            [
                "2026-01-02T03:04:05Z",
                "unknown",
                "\"2026-01-02 03:04:05 started\"",
                "",
            ],
        );
        check(Format::Text, "", ["READ", "unknown", "\"\"", ""]);
    }

    #[test]
    fn a_pattern_names_fields() {
        let pattern = || {
            let text = r"^(?<time>\S+) (?<level>[A-Z]+) (?:\[(?<thread>\w+)\] )?(?<msg>.*)$";
            Format::regex(RegexBuilder::new(text).unicode(false).build().unwrap())
        };
        check(
            pattern(),
            "2026-01-02T03:04:05Z WARN [main] caf\u{e9}",
            [
                "2026-01-02T03:04:05Z",
                "warning",
                "\"caf\u{e9}\"",
                "\"thread\":\"main\"",
            ],
        );
        check(
            pattern(),
            "now INFO x",
            ["READ", "info", "\"x\"", "\"time\":\"now\""],
        );
        check(pattern(), "nonsense", ["READ", "unknown", "\"nonsense\"", "!"]);
    }

    #[test]
    fn logfmt_is_pairs() {
        check(
            Format::Logfmt,
            r#"time=2026-01-02T03:04:05Z level=err msg="a \"b\"" n=1 flag empty="#,
            [
                "2026-01-02T03:04:05Z",
                "error",
                r#""a \"b\"""#,
                r#""n":"1","flag":true,"empty":"""#,
            ],
        );
        for wrong in ["no pair", "a=\"b", "a=\"b\"c", "=x", ""] {
            check(
                Format::Logfmt,
                wrong,
                ["READ", "unknown", &serde_json::json!(wrong).to_string(), "!"],
            );
        }
    }

    #[test]
    fn json_values_stay_as_they_are() {
        check(
            Format::Json,
            r#"{"severity":"CRITICAL","n":1.50,"message":"a\u00e9","deep":{"x":[1, null]},"ts":1767323045}"#,
            [
                "2026-01-02T03:04:05Z",
                "fatal",
                r#""a\u00e9""#,
                r#""n":1.50,"deep":{"x":[1, null]}"#,
            ],
        );
        check(
            Format::Json,
            r#"{"msg":{"a":1},"level":30}"#,
            ["READ", "info", r#""{\"a\":1}""#, ""],
        );
        check(
            Format::Json,
            r#"{"level":null}"#,
            ["READ", "unknown", "\"\"", "\"level\":null"],
        );
        check(
            Format::Json,
            r#"{"a\n":1}"#,
            ["READ", "unknown", "\"\"", "\"a\\n\":1"],
        );
        for wrong in [
            "",
            "{",
            "[1]",
            "{\"a\":1} x",
            "{\"a\":01}",
            "null",
            "{\"a\":\"\u{1}\"}",
        ] {
            let text = line(&shape(Format::Json), wrong.as_bytes());
            assert!(text.contains("\"parsed\":false"), "{text}");
        }
        let flat = format!("{{\"a\":{:?}}}", "[[\\\"".repeat(1000));
        assert!(!line(&shape(Format::Json), flat.as_bytes()).contains("parsed"));
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(10_000), "]".repeat(10_000));
        assert!(line(&shape(Format::Json), deep.as_bytes()).contains("\"parsed\":false"));
    }

    #[test]
    fn lines_of_a_runtime() {
        check(
            Format::Cri,
            "2026-01-02T03:04:05.1Z stdout P a \n2026-01-02T03:04:06Z stdout F b",
            [
                "2026-01-02T03:04:05.1Z",
                "info",
                "\"a b\"",
                "\"stream\":\"stdout\"",
            ],
        );
        check(
            Format::Cri,
            "2026-01-02T03:04:05Z stderr F",
            ["2026-01-02T03:04:05Z", "error", "\"\"", "\"stream\":\"stderr\""],
        );
        check(
            Format::Cri,
            "t stdin F x",
            ["READ", "unknown", "\"t stdin F x\"", "!"],
        );
    }

    #[test]
    fn requests_of_nginx() {
        check(
            Format::Nginx,
            r#"10.0.0.1 - al [02/Jan/2026:03:04:05 +0000] "GET /a?b=\x22 HTTP/1.1" 404 153 "-" "curl/8 (x)" "-""#,
            [
                "2026-01-02T03:04:05Z",
                "warning",
                r#""GET /a?b=\\x22 HTTP/1.1""#,
                r#""remote_addr":"10.0.0.1","remote_user":"al","method":"GET","path":"/a?b=\\x22","protocol":"HTTP/1.1","status":404,"bytes":153,"referer":"-","user_agent":"curl/8 (x)""#,
            ],
        );
        check(
            Format::Nginx,
            r#"::1 - - [02/Jan/2026:03:04:05 +0000] "\x16\x03" 400 0"#,
            [
                "2026-01-02T03:04:05Z",
                "warning",
                r#""\\x16\\x03""#,
                r#""remote_addr":"::1","remote_user":"-","status":400,"bytes":0"#,
            ],
        );
        for wrong in [
            "",
            "a - - [x] \"GET\" 20 1",
            "a b c d e",
            "a - - [x] \"GET / HTTP/1.1\" 200 007",
        ] {
            let text = line(&shape(Format::Nginx), wrong.as_bytes());
            assert!(text.contains("\"parsed\":false"), "{text}");
        }
    }

    #[test]
    fn bytes_that_are_no_text_are_replaced_and_said() {
        let text = line(&shape(Format::Text), b"a\xff\r");
        assert!(
            text.contains("\"msg\":\"a\u{fffd}\"") && text.contains("\"invalid_utf8\":true"),
            "{text}"
        );
    }

    #[test]
    fn wanted_names_are_the_only_ones() {
        let mut shape = shape(Format::Json);
        shape.message = Names::new(Some("text"), &["msg"]);
        let text = line(&shape, br#"{"msg":"a","text":"b"}"#);
        assert!(
            text.contains("\"msg\":\"b\"") && text.contains("{\"msg\":\"a\"}"),
            "{text}"
        );
    }

    proptest! {
        #[test]
        fn whatever_comes_is_one_json_line(record in proptest::collection::vec(any::<u8>(), 0..200)) {
            let pattern = RegexBuilder::new("(?<a>.)(?<b>.*)").unicode(false).build().unwrap();
            for format in [Format::Text, Format::regex(pattern), Format::Logfmt, Format::Json, Format::Cri, Format::Nginx] {
                let text = line(&shape(format), &record);
                prop_assert!(!text.contains('\n'));
            }
        }

        #[test]
        fn objects_keep_their_members(text in "[ -~\u{e9}]{0,20}", number in any::<i64>()) {
            let object = serde_json::json!({ "x": text, "n": number, "message": text });
            let shown = line(&shape(Format::Json), object.to_string().as_bytes());
            let read: serde_json::Value = serde_json::from_str(&shown).unwrap();
            prop_assert_eq!(&read["msg"], &serde_json::json!(text));
            prop_assert_eq!(&read["fields"], &serde_json::json!({ "x": text, "n": number }));
        }
    }
}
