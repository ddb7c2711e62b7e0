//! Decides which bytes of a file are one record.

use memchr::memchr;
use regex::bytes::Regex;

use super::record::cri;

/// How records are told apart.
#[derive(Debug)]
pub struct Framing {
    /// The size above which a record is cut.
    pub record: usize,
    /// What a line looks like that begins a record, where one has several lines.
    pub begin: Option<Regex>,
    /// Whether lines say themselves that they go on.
    pub cri: bool,
}

/// What may still come after the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rest {
    /// More, at any moment.
    Growing,
    /// Nothing for a while: whole lines are a record.
    Idle,
    /// Nothing: even a line without its end is a record.
    Closed,
}

/// A record's place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame {
    pub start: usize,
    /// After its last byte, the line feed left out.
    pub end: usize,
    /// Where the next record may begin.
    pub next: usize,
    /// Whether it is a piece of a record.
    pub cut: bool,
}

impl Framing {
    /// The first record at `start` or later.
    pub fn first(&self, bytes: &[u8], start: usize, rest: Rest) -> Option<Frame> {
        // A writer that does not append leaves a hole when its file is truncated.
        let start = start + bytes[start..].iter().take_while(|byte| **byte == 0).count();
        if self.begin.is_none() && !self.cri {
            return self.line(bytes, start, rest);
        }
        let mut end = start;
        loop {
            let line_end = memchr(b'\n', &bytes[end..]).map(|length| end + length);
            let line = &bytes[end..line_end.unwrap_or(bytes.len())];
            if end + line.len() - start > self.record {
                if end == start {
                    return self.line(bytes, start, rest);
                }
                return Some(Frame {
                    start,
                    end: end - 1,
                    next: end,
                    cut: true,
                });
            }
            let is_whole = line_end.is_some();
            if !is_whole && (line.is_empty() || rest != Rest::Closed) {
                // Nothing of the last line is taken.
                return (end > start && rest != Rest::Growing).then(|| Frame {
                    start,
                    end: end - 1,
                    next: end,
                    cut: self.cri,
                });
            }
            if end > start && self.begins(&bytes[start..end], line) {
                return Some(Frame {
                    start,
                    end: end - 1,
                    next: end,
                    cut: self.cri,
                });
            }
            let next = line_end.map_or(bytes.len(), |end| end + 1);
            let ends = self.cri && !cri(line).is_some_and(|line| line.partial);
            if ends || !is_whole {
                return Some(Frame {
                    start,
                    end: end + line.len(),
                    next,
                    cut: false,
                });
            }
            end = next;
        }
    }

    fn line(&self, bytes: &[u8], start: usize, rest: Rest) -> Option<Frame> {
        let bytes_left = &bytes[start..];
        let window = &bytes_left[..bytes_left.len().min(self.record + 1)];
        if let Some(length) = memchr(b'\n', window) {
            return Some(Frame {
                start,
                end: start + length,
                next: start + length + 1,
                cut: false,
            });
        }
        if bytes_left.len() > self.record {
            let end = start + boundary(&bytes_left[..self.record]);
            return Some(Frame {
                start,
                end,
                next: end,
                cut: true,
            });
        }
        (rest == Rest::Closed && !bytes_left.is_empty()).then_some(Frame {
            start,
            end: bytes.len(),
            next: bytes.len(),
            cut: false,
        })
    }

    /// Whether a line begins a record, after a record's first lines.
    fn begins(&self, before: &[u8], line: &[u8]) -> bool {
        if let Some(begin) = &self.begin {
            return begin.is_match(line);
        }
        let stream = |line| cri(line).map(|line| line.stream);
        let first = memchr(b'\n', before).map_or(before, |end| &before[..end]);
        stream(first) != stream(line)
    }
}

/// The length of the longest part that ends with a whole character.
fn boundary(bytes: &[u8]) -> usize {
    match str::from_utf8(bytes) {
        Err(error) if error.error_len().is_none() && error.valid_up_to() > 0 => error.valid_up_to(),
        _ => bytes.len(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(framing: &Framing, text: &str, rest: Rest) -> Vec<String> {
        let bytes = text.as_bytes();
        let mut start = 0;
        let mut found = Vec::new();
        while let Some(frame) = framing.first(bytes, start, rest) {
            assert!(frame.next > start);
            start = frame.next;
            let mark = if frame.cut { "+" } else { "" };
            found.push(format!("{}{mark}", &text[frame.start..frame.end]));
        }
        found
    }

    fn framing(begin: Option<&str>, cri: bool) -> Framing {
        Framing {
            record: 12,
            begin: begin.map(|text| Regex::new(text).unwrap()),
            cri,
        }
    }

    #[test]
    fn a_line_is_a_record() {
        let lines = framing(None, false);
        for rest in [Rest::Growing, Rest::Idle] {
            assert_eq!(frames(&lines, "a\n\nb\nc", rest), ["a", "", "b"]);
        }
        assert_eq!(frames(&lines, "a\n\nb\nc", Rest::Closed), ["a", "", "b", "c"]);
        assert_eq!(frames(&lines, "\0\0a\nb", Rest::Growing), ["a"]);
        assert_eq!(frames(&lines, "\0\0", Rest::Closed), [""; 0]);
    }

    #[test]
    fn a_long_line_is_cut_between_characters() {
        let lines = framing(None, false);
        assert_eq!(frames(&lines, "0123456789ab\n", Rest::Growing), ["0123456789ab"]);
        assert_eq!(
            frames(&lines, "0123456789abc\n", Rest::Growing),
            ["0123456789ab+", "c"]
        );
        assert_eq!(
            frames(&lines, "0123456789a\u{e9}x\n", Rest::Growing),
            ["0123456789a+", "\u{e9}x"]
        );
    }

    #[test]
    fn lines_that_begin_nothing_belong_to_the_record_before() {
        let several = framing(Some("^[A-Z]"), false);
        let text = "x\nA\n b\nB\n c\n";
        assert_eq!(frames(&several, text, Rest::Growing), ["x", "A\n b"]);
        assert_eq!(frames(&several, text, Rest::Idle), ["x", "A\n b", "B\n c"]);
        assert_eq!(
            frames(&several, "A\n b\nC", Rest::Idle),
            ["A\n b"],
            "a line without its end is not decided on"
        );
        assert_eq!(frames(&several, "A\n b\nC", Rest::Closed), ["A\n b", "C"]);
        assert_eq!(
            frames(&several, "A\n 3456789\n bc\nB\n", Rest::Idle),
            ["A\n 3456789+", " bc", "B"]
        );
    }

    #[test]
    fn parts_of_a_cri_line_are_joined() {
        let mut parts = framing(None, true);
        parts.record = 1000;
        let check = |text: &str, rest, expect: &[&str]| assert_eq!(frames(&parts, text, rest), expect);
        check(
            "t stdout F a\nt stdout F b\n",
            Rest::Growing,
            &["t stdout F a", "t stdout F b"],
        );
        let joined = "t stdout P a\nt stdout P b\nt stdout F c";
        check(&format!("{joined}\n"), Rest::Growing, &[joined]);
        check("t stdout P a\n", Rest::Growing, &[]);
        check("t stdout P a\n", Rest::Idle, &["t stdout P a+"]);
        check(
            "t stdout P a\nt stderr F b\nnonsense\n",
            Rest::Growing,
            &["t stdout P a+", "t stderr F b", "nonsense"],
        );
    }
}
