//! The Redis protocol (RESP2): turns bytes into requests, and finds where a reply ends.

use std::ops::Range;

/// Arguments that one request may have.
const MOST_ARGUMENTS: usize = 1024 * 1024;
/// The longest line: an inline request, or the length of what follows.
const MOST_LINE: usize = 64 * 1024;

/// Why bytes are no request; the connection can't go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("Protocol error: {0}")]
pub struct Broken(pub &'static str);

/// Reads requests from a buffer that grows, without looking at any byte twice.
#[derive(Debug, Default)]
pub struct Parser {
    /// Arguments of the request at the buffer's start that were read.
    arguments: Vec<Range<usize>>,
    /// Where the next one begins.
    position: usize,
    /// Arguments that are missing; nothing before the first line.
    missing: Option<usize>,
    /// It came as a line of words.
    inline: bool,
}

/// A request at the start of a buffer.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    bytes: &'a [u8],
    arguments: &'a [Range<usize>],
    /// It came as a line of words.
    pub inline: bool,
}

impl<'a> Request<'a> {
    /// How many arguments it has, its name included.
    pub fn count(&self) -> usize {
        self.arguments.len()
    }

    /// An argument; the first is the command's name.
    pub fn get(&self, place: usize) -> Option<&'a [u8]> {
        let range = self.arguments.get(place)?;
        self.bytes.get(range.clone())
    }

    /// Every argument.
    pub fn arguments(&self) -> impl Iterator<Item = &'a [u8]> + Clone + use<'a> {
        let bytes = self.bytes;
        self.arguments
            .iter()
            .map(move |range| bytes.get(range.clone()).unwrap_or_default())
    }
}

impl Parser {
    /// Reads on: the length of the request at the buffer's start, once it is whole. At most so many bytes make one.
    pub fn read(&mut self, buffer: &[u8], most: usize) -> Result<Option<usize>, Broken> {
        if self.missing.is_none() && !self.open(buffer)? {
            return Ok(None);
        }
        while let Some(missing @ 1..) = self.missing {
            let rest = buffer.get(self.position..).unwrap_or_default();
            let Some((line, length)) = line(rest)? else {
                return Ok(None);
            };
            let digits = line.strip_prefix(b"$").ok_or(Broken("expected '$'"))?;
            let size = number(digits)
                .and_then(|size| usize::try_from(size).ok())
                .ok_or(Broken("invalid bulk length"))?;
            let start = self.position + length;
            if size > most || start + size > most {
                return Err(Broken("the request is too large"));
            }
            match buffer.get(start + size..start + size + 2) {
                None => return Ok(None),
                Some(b"\r\n") => {}
                Some(_) => return Err(Broken("an argument is longer than its length")),
            }
            self.arguments.push(start..start + size);
            self.position = start + size + 2;
            self.missing = Some(missing - 1);
        }
        Ok(Some(self.position))
    }

    /// Reads the first line; says whether it is there.
    fn open(&mut self, buffer: &[u8]) -> Result<bool, Broken> {
        let Some((line, length)) = line(buffer)? else {
            return Ok(false);
        };
        self.position = length;
        if let Some(digits) = line.strip_prefix(b"*") {
            let count = number(digits).ok_or(Broken("invalid multibulk length"))?;
            // A request of no arguments is none: it gets no answer.
            let count = usize::try_from(count.max(0)).unwrap_or(usize::MAX);
            if count > MOST_ARGUMENTS {
                return Err(Broken("invalid multibulk length"));
            }
            self.missing = Some(count);
        } else {
            self.inline = true;
            let mut start = 0;
            for word in line.split(u8::is_ascii_whitespace) {
                if !word.is_empty() {
                    self.arguments.push(start..start + word.len());
                }
                start += word.len() + 1;
            }
            self.missing = Some(0);
        }
        Ok(true)
    }

    /// The request that was read.
    pub fn request<'a>(&'a self, buffer: &'a [u8]) -> Request<'a> {
        Request {
            bytes: buffer.get(..self.position).unwrap_or_default(),
            arguments: &self.arguments,
            inline: self.inline,
        }
    }

    /// Forgets the request that was read: the buffer begins with the next one.
    pub fn next(&mut self) {
        self.arguments.clear();
        self.position = 0;
        self.missing = None;
        self.inline = false;
    }
}

/// The first line without its end, and its length with it.
fn line(buffer: &[u8]) -> Result<Option<(&[u8], usize)>, Broken> {
    let within = &buffer[..buffer.len().min(MOST_LINE)];
    match within.iter().position(|byte| *byte == b'\n') {
        Some(end) => {
            let line = &buffer[..end];
            Ok(Some((line.strip_suffix(b"\r").unwrap_or(line), end + 1)))
        }
        None if buffer.len() >= MOST_LINE => Err(Broken("too big inline request")),
        None => Ok(None),
    }
}

/// A whole number, as the protocol writes it.
pub fn number(digits: &[u8]) -> Option<i64> {
    let (negative, digits) = match digits.strip_prefix(b"-") {
        Some(digits) => (true, digits),
        None => (false, digits),
    };
    if digits.is_empty() || digits.len() > 19 || (digits.len() > 1 && digits[0] == b'0') {
        return None;
    }
    let mut value = 0_i64;
    for byte in digits {
        let digit = i64::from(byte.checked_sub(b'0').filter(|digit| *digit < 10)?);
        let next = value.checked_mul(10)?;
        value = if negative {
            next.checked_sub(digit)?
        } else {
            next.checked_add(digit)?
        };
    }
    (!negative || value != 0).then_some(value)
}

/// Finds the end of replies in a buffer that grows, without looking at any element twice.
#[derive(Debug, Default)]
pub struct Scanner {
    position: usize,
    /// Elements that are missing; 0 before the first.
    missing: u64,
}

impl Scanner {
    /// The length of the reply at the buffer's start, once it is whole.
    pub fn read(&mut self, buffer: &[u8]) -> Result<Option<usize>, Broken> {
        if self.missing == 0 {
            self.missing = 1;
        }
        while self.missing > 0 {
            let rest = buffer.get(self.position..).unwrap_or_default();
            let Some(end) = rest.iter().position(|byte| *byte == b'\n') else {
                return if rest.len() > MOST_LINE * 16 {
                    Err(Broken("a line does not end"))
                } else {
                    Ok(None)
                };
            };
            let line = rest[..end]
                .strip_suffix(b"\r")
                .ok_or(Broken("a line has no end"))?;
            let (kind, digits) = line.split_first().ok_or(Broken("a reply is empty"))?;
            let mut next = self.position + end + 1;
            let mut more = 0;
            match kind {
                b'+' | b'-' | b':' => {}
                b'$' => {
                    let size = number(digits).ok_or(Broken("a length is no number"))?;
                    if let Ok(size) = usize::try_from(size) {
                        next = next
                            .checked_add(size + 2)
                            .ok_or(Broken("a length is too large"))?;
                        if buffer.len() < next {
                            return Ok(None);
                        }
                    }
                }
                b'*' => {
                    let count = number(digits).ok_or(Broken("a length is no number"))?;
                    more = u64::try_from(count).unwrap_or(0);
                }
                _ => return Err(Broken("a reply is of no known kind")),
            }
            self.position = next;
            self.missing = (self.missing - 1)
                .checked_add(more)
                .ok_or(Broken("a length is too large"))?;
        }
        let length = self.position;
        self.position = 0;
        Ok(Some(length))
    }
}

/// The elements of an array's reply, each as its bytes; nothing where it is none, or where one is an array itself.
pub fn elements(reply: &[u8]) -> Option<Vec<&[u8]>> {
    let head = reply.strip_prefix(b"*")?;
    let end = head.iter().position(|byte| *byte == b'\n')?;
    let count = usize::try_from(number(head[..end].strip_suffix(b"\r")?)?).ok()?;
    let mut rest = &head[end + 1..];
    // Each takes three bytes at least.
    let mut found = Vec::with_capacity(count.min(rest.len() / 3));
    for _ in 0..count {
        let length = Scanner::default().read(rest).ok()??;
        let (element, after) = rest.split_at(length);
        found.push(element);
        rest = after;
    }
    rest.is_empty().then_some(found)
}

/// The text of a bulk string's reply.
pub fn text(reply: &[u8]) -> Option<&[u8]> {
    let head = reply.strip_prefix(b"$")?;
    let end = head.iter().position(|byte| *byte == b'\n')?;
    head.get(end + 1..)?.strip_suffix(b"\r\n")
}

/// Appends the head of an array, or of a request.
pub fn array(out: &mut Vec<u8>, count: usize) {
    head(out, b'*', count as u64);
}

/// Appends a bulk string.
pub fn bulk(out: &mut Vec<u8>, text: &[u8]) {
    head(out, b'$', text.len() as u64);
    out.extend_from_slice(text);
    out.extend_from_slice(b"\r\n");
}

/// Appends a number.
pub fn integer(out: &mut Vec<u8>, value: i64) {
    if value < 0 {
        out.extend_from_slice(b":-");
        digits(out, value.unsigned_abs());
        out.extend_from_slice(b"\r\n");
    } else {
        head(out, b':', value.unsigned_abs());
    }
}

/// Appends an error; what would end its line is left out.
pub fn error(out: &mut Vec<u8>, message: &str) {
    out.push(b'-');
    out.extend(message.bytes().filter(|byte| !matches!(byte, b'\r' | b'\n')));
    out.extend_from_slice(b"\r\n");
}

fn head(out: &mut Vec<u8>, kind: u8, value: u64) {
    out.push(kind);
    digits(out, value);
    out.extend_from_slice(b"\r\n");
}

fn digits(out: &mut Vec<u8>, value: u64) {
    super::log::append_number(out, value);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_bytes_are_read_to_an_end(bytes in "[*$+:\\-\\r\\n0-9a]{0,60}") {
            let bytes = bytes.as_bytes();
            // The same, whether they come at once or one by one.
            let read = |step: usize| {
                let (mut buffer, mut parser, mut lengths) = (Vec::new(), Parser::default(), Vec::new());
                for piece in bytes.chunks(step) {
                    buffer.extend_from_slice(piece);
                    loop {
                        match parser.read(&buffer, 100) {
                            Ok(Some(length)) => {
                                lengths.push(Ok(length));
                                parser.next();
                                buffer.drain(..length);
                            }
                            Ok(None) => break,
                            Err(broken) => {
                                lengths.push(Err(broken));
                                return lengths;
                            }
                        }
                    }
                }
                lengths
            };
            prop_assert_eq!(read(1), read(bytes.len().max(1)));
            let mut scanner = Scanner::default();
            let mut rest = bytes;
            while let Ok(Some(length @ 1..)) = scanner.read(rest) {
                let _ = (elements(&rest[..length]), text(&rest[..length]));
                rest = &rest[length..];
            }
            let _ = (elements(bytes), text(bytes));
        }
    }

    /// Every request in the bytes, however they are cut.
    fn requests(bytes: &[u8], most: usize) -> Result<Vec<Vec<String>>, Broken> {
        let mut results = Vec::new();
        for step in [1, 3, bytes.len().max(1)] {
            let (mut buffer, mut parser, mut found) = (Vec::new(), Parser::default(), Vec::new());
            let mut result = Ok(());
            'all: for piece in bytes.chunks(step) {
                buffer.extend_from_slice(piece);
                loop {
                    match parser.read(&buffer, most) {
                        Ok(Some(length)) => {
                            let request = parser.request(&buffer);
                            let words = request.arguments();
                            found.push(
                                words
                                    .map(|word| String::from_utf8_lossy(word).into_owned())
                                    .collect(),
                            );
                            parser.next();
                            buffer.drain(..length);
                        }
                        Ok(None) => break,
                        Err(error) => {
                            result = Err(error);
                            break 'all;
                        }
                    }
                }
            }
            results.push(result.map(|()| found));
        }
        assert!(results.windows(2).all(|pair| pair[0] == pair[1]), "{results:?}");
        results.remove(0)
    }

    #[test]
    fn requests_are_arrays_or_lines() {
        let check = |bytes: &str, expect: &[&[&str]]| {
            let found = requests(bytes.as_bytes(), 1000).unwrap_or_else(|error| panic!("{bytes:?}: {error}"));
            assert_eq!(found, expect, "{bytes:?}");
        };
        check("*2\r\n$3\r\nGET\r\n$1\r\nk\r\n", &[&["GET", "k"]]);
        check("*1\r\n$4\r\nPING\r\nPING\r\n", &[&["PING"], &["PING"]]);
        check("*2\r\n$3\r\nGET\r\n$4\r\na\r\nb\r\n", &[&["GET", "a\r\nb"]]);
        check("  GET   k \r\n\r\nPING\n", &[&["GET", "k"], &[], &["PING"]]);
        check("*0\r\n*-1\r\nPING\r\n", &[&[], &[], &["PING"]]);
        check("*2\r\n$3\r\nGET\r\n$1\r\n", &[]);
        check("*2\r\n$0\r\n\r\n$0\r\n\r\n", &[&["", ""]]);
    }

    #[test]
    fn what_is_no_request_is_refused() {
        let long = format!("{}\r\n", "a".repeat(MOST_LINE + 1));
        for (bytes, reason) in [
            ("*x\r\n", "invalid multibulk length"),
            ("*9999999999\r\n", "invalid multibulk length"),
            ("*1\r\n+OK\r\n", "expected '$'"),
            ("*1\r\n$-1\r\n", "invalid bulk length"),
            ("*1\r\n$99999999999999999999\r\n", "invalid bulk length"),
            ("*1\r\n$1001\r\n", "the request is too large"),
            ("*2\r\n$600\r\n", ""),
            ("*1\r\n$1\r\nabc", "an argument is longer than its length"),
            (long.as_str(), "too big inline request"),
        ] {
            let found = requests(bytes.as_bytes(), 1000);
            match reason {
                "" => assert_eq!(found, Ok(vec![])),
                reason => assert_eq!(found, Err(Broken(reason)), "{bytes:?}"),
            }
        }
    }

    #[test]
    fn a_reply_ends_where_its_last_element_does() {
        let check = |bytes: &str, lengths: &[usize]| {
            for step in [1, 2, 5, bytes.len()] {
                let (mut buffer, mut scanner, mut found) = (Vec::new(), Scanner::default(), Vec::new());
                for piece in bytes.as_bytes().chunks(step) {
                    buffer.extend_from_slice(piece);
                    while let Some(length) = scanner.read(&buffer).unwrap() {
                        found.push(length);
                        buffer.drain(..length);
                    }
                }
                assert_eq!(found, lengths, "{bytes:?} by {step}");
            }
        };
        check("+OK\r\n:1\r\n-ERR x\r\n", &[5, 4, 8]);
        check("$-1\r\n$0\r\n\r\n$2\r\n\r\n\r\n", &[5, 6, 8]);
        check(
            "*-1\r\n*0\r\n*2\r\n$1\r\na\r\n*1\r\n:1\r\n+OK\r\n",
            &[5, 4, 19, 5],
        );
        for wrong in ["hello\r\n", "$x\r\n", "*x\r\n", "\r\n", "+OK\n"] {
            assert!(Scanner::default().read(wrong.as_bytes()).is_err(), "{wrong:?}");
        }
        let huge = format!("${}\r\n", i64::MAX);
        assert_eq!(Scanner::default().read(huge.as_bytes()), Ok(None));
    }

    #[test]
    fn elements_are_taken_apart() {
        let found = elements(b"*3\r\n$1\r\na\r\n$-1\r\n:5\r\n");
        assert_eq!(found, Some(vec![&b"$1\r\na\r\n"[..], b"$-1\r\n", b":5\r\n"]));
        assert_eq!(elements(b"*9999999\r\n"), None);
        assert_eq!(elements(b"-ERR\r\n"), None);
        assert_eq!(text(b"$3\r\na\r\n\r\n"), Some(&b"a\r\n"[..]));
    }

    #[test]
    fn numbers_have_one_spelling() {
        for (text, value) in [
            ("0", Some(0)),
            ("-1", Some(-1)),
            ("9223372036854775807", Some(i64::MAX)),
            ("-9223372036854775808", Some(i64::MIN)),
            ("9223372036854775808", None),
            ("-0", None),
            ("01", None),
            ("+1", None),
            (" 1", None),
            ("", None),
            ("-", None),
        ] {
            assert_eq!(number(text.as_bytes()), value, "{text:?}");
        }
        let mut out = Vec::new();
        integer(&mut out, i64::MIN);
        array(&mut out, 2);
        bulk(&mut out, b"x");
        error(&mut out, "ERR a\r\nb");
        assert_eq!(out, b":-9223372036854775808\r\n*2\r\n$1\r\nx\r\n-ERR ab\r\n");
    }
}
