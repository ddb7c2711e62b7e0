//! The text protocol of memcached: finds requests and replies, decides what is done with a request.

use std::ops::Range;

use super::plan::{Groups, Join, Part, Plan};
use super::redis::Shards;
use crate::block::resp::Broken;

/// The longest key, as in memcached.
const MOST_KEY: usize = 250;
/// The longest line.
const MOST_LINE: usize = 64 * 1024;

const BAD_LINE: &[u8] = b"CLIENT_ERROR bad command line format\r\n";
const NO_SHARD: &[u8] = b"SERVER_ERROR motif: no shard is left\r\n";

/// Reads requests from a buffer that grows.
#[derive(Debug, Default)]
pub struct Parser {
    /// The request at the buffer's start, once its line is whole: the line, and all of it.
    found: Option<(Range<usize>, usize)>,
}

impl Parser {
    /// The length of the request at the buffer's start, once it is whole. At most so many bytes make one.
    pub fn read(&mut self, buffer: &[u8], most: usize) -> Result<Option<usize>, Broken> {
        let (line, length) = if let Some(found) = &self.found {
            found.clone()
        } else {
            let within = &buffer[..buffer.len().min(MOST_LINE)];
            let Some(end) = within.iter().position(|byte| *byte == b'\n') else {
                return if buffer.len() >= MOST_LINE {
                    Err(Broken("line too long"))
                } else {
                    Ok(None)
                };
            };
            let line = &buffer[..end];
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            let length = end + 1 + data(line)?.map_or(0, |size| size + 2);
            if length > most {
                return Err(Broken("object too large for cache"));
            }
            (0..line.len(), length)
        };
        if buffer.len() < length {
            self.found = Some((line, length));
            return Ok(None);
        }
        if length > line.end + 2 && !buffer[..length].ends_with(b"\r\n") {
            return Err(Broken("bad data chunk"));
        }
        self.found = Some((line, length));
        Ok(Some(length))
    }

    /// The request that was read: its line, and all of it.
    pub fn request<'a>(&self, buffer: &'a [u8]) -> (&'a [u8], &'a [u8]) {
        match &self.found {
            Some((line, length)) => (&buffer[line.clone()], &buffer[..*length]),
            None => (b"", b""),
        }
    }

    /// Forgets the request that was read.
    pub fn next(&mut self) {
        self.found = None;
    }
}

/// What a client is told whose bytes are no request.
pub fn refusal(Broken(reason): Broken) -> Vec<u8> {
    let side = if reason.starts_with("object") {
        "SERVER"
    } else {
        "CLIENT"
    };
    format!("{side}_ERROR {reason}\r\n").into_bytes()
}

fn words(line: &[u8]) -> impl Iterator<Item = &[u8]> + Clone {
    line.split(|byte| *byte == b' ').filter(|word| !word.is_empty())
}

fn is_store(name: &[u8]) -> bool {
    matches!(
        name,
        b"set" | b"add" | b"replace" | b"append" | b"prepend" | b"cas"
    )
}

/// The size of the data that follows a line, where any does.
fn data(line: &[u8]) -> Result<Option<usize>, Broken> {
    let mut words = words(line);
    let Some(name) = words.next().filter(|name| is_store(name)) else {
        return Ok(None);
    };
    let numbers: Option<Vec<i64>> = words.clone().skip(1).take(3).map(number).collect();
    let count = words.clone().filter(|word| *word != b"noreply").count();
    let wanted = if name == b"cas" { 5 } else { 4 };
    let version = words.nth(4).filter(|_| name == b"cas");
    let plain = version.is_none_or(|version| version.len() <= 20 && version.iter().all(u8::is_ascii_digit));
    match numbers.as_deref() {
        // Without the size there is no telling data from requests.
        Some([flags, _, size]) if *flags >= 0 && count == wanted && plain => usize::try_from(*size)
            .ok()
            .filter(|size| *size <= usize::MAX / 2)
            .map(Some)
            .ok_or(Broken("bad command line format")),
        _ => Err(Broken("bad command line format")),
    }
}

fn number(word: &[u8]) -> Option<i64> {
    str::from_utf8(word).ok()?.parse().ok()
}

fn is_key(key: &[u8]) -> bool {
    (1..=MOST_KEY).contains(&key.len()) && key.iter().all(|byte| *byte > b' ' && *byte != 0x7f)
}

/// Decides what is done with a request.
pub fn plan((line, request): (&[u8], &[u8]), shards: &impl Shards) -> Plan {
    let Some(name) = words(line).next() else {
        return Plan::Answer(b"ERROR\r\n".to_vec());
    };
    let arguments: Vec<_> = words(line).skip(1).collect();
    let silent = arguments.last() == Some(&&b"noreply"[..]);
    let arguments = &arguments[..arguments.len() - usize::from(silent)];
    match name {
        b"get" | b"gets" if !silent => values(name, None, arguments, shards),
        b"gat" | b"gats" if !silent => match arguments.split_first() {
            Some((time, keys)) if number(time).is_some() => values(name, Some(time), keys, shards),
            _ => Plan::Answer(BAD_LINE.to_vec()),
        },
        b"set" | b"add" | b"replace" | b"append" | b"prepend" | b"cas" | b"delete" | b"incr" | b"decr"
        | b"touch" => {
            let Some(key) = arguments.first().filter(|key| is_key(key)) else {
                return Plan::Answer(BAD_LINE.to_vec());
            };
            let valid = match (name, &arguments[1..]) {
                (b"delete", [] | [b"0"]) => true,
                (b"incr" | b"decr", [by]) => by.len() <= 20 && by.iter().all(u8::is_ascii_digit),
                (b"touch", [time]) => number(time).is_some(),
                (name, _) => is_store(name),
            };
            if !valid {
                return Plan::Answer(BAD_LINE.to_vec());
            }
            match shards.owner(key) {
                None => Plan::Answer(NO_SHARD.to_vec()),
                Some(shard) if silent => {
                    let mut bytes = without_last(line);
                    bytes.extend_from_slice(b"\r\n");
                    bytes.extend_from_slice(&request[line_end(request)..]);
                    Plan::Silent(vec![Part { shard, bytes }])
                }
                Some(shard) => Plan::Pass(shard),
            }
        }
        b"flush_all" => flush(line, silent, arguments, shards),
        b"version" => Plan::Answer(
            concat!("VERSION motif ", env!("CARGO_PKG_VERSION"), "\r\n")
                .as_bytes()
                .to_vec(),
        ),
        b"quit" => Plan::Close(Vec::new()),
        b"stats" if arguments.is_empty() => {
            let text = format!(
                "STAT pid {}\r\nSTAT version motif {}\r\nSTAT shards {}\r\nEND\r\n",
                std::process::id(),
                env!("CARGO_PKG_VERSION"),
                shards.count()
            );
            Plan::Answer(text.into_bytes())
        }
        b"stats" | b"verbosity" | b"cache_memlimit" | b"slabs" | b"lru" | b"watch" | b"shutdown" | b"me"
        | b"mg" | b"ms" | b"md" | b"ma" => {
            let text = format!(
                "SERVER_ERROR motif: `{}` is refused\r\n",
                String::from_utf8_lossy(name)
            );
            // A data block may follow, which would be read as requests.
            if name == b"ms" {
                Plan::Close(text.into_bytes())
            } else {
                Plan::Answer(text.into_bytes())
            }
        }
        b"mn" => Plan::Answer(b"MN\r\n".to_vec()),
        _ => Plan::Answer(b"ERROR\r\n".to_vec()),
    }
}

fn line_end(request: &[u8]) -> usize {
    request
        .iter()
        .position(|byte| *byte == b'\n')
        .map_or(request.len(), |end| end + 1)
}

/// The line without its last word.
fn without_last(line: &[u8]) -> Vec<u8> {
    let words: Vec<_> = words(line).collect();
    words[..words.len().saturating_sub(1)].join(&b' ')
}

fn flush(line: &[u8], silent: bool, arguments: &[&[u8]], shards: &impl Shards) -> Plan {
    if arguments.len() > 1 || !arguments.iter().all(|delay| number(delay).is_some()) {
        return Plan::Answer(BAD_LINE.to_vec());
    }
    let mut bytes = if silent { without_last(line) } else { line.to_vec() };
    bytes.extend_from_slice(b"\r\n");
    let parts: Vec<_> = (0..shards.count())
        .filter(|shard| !shards.is_out(*shard))
        .map(|shard| Part {
            shard,
            bytes: bytes.clone(),
        })
        .collect();
    match (parts.is_empty(), silent) {
        (true, _) => Plan::Answer(NO_SHARD.to_vec()),
        (false, true) => Plan::Silent(parts),
        (false, false) => Plan::Spread(parts, Join::Same),
    }
}

fn values(name: &[u8], time: Option<&[u8]>, keys: &[&[u8]], shards: &impl Shards) -> Plan {
    if keys.is_empty() {
        return Plan::Answer(b"ERROR\r\n".to_vec());
    }
    if !keys.iter().all(|key| is_key(key)) {
        return Plan::Answer(BAD_LINE.to_vec());
    }
    let mut groups = Groups::default();
    let mut order = Vec::with_capacity(keys.len());
    for key in keys {
        let Some(shard) = shards.owner(key) else {
            return Plan::Answer(NO_SHARD.to_vec());
        };
        order.push((key.to_vec(), groups.add(shard, &[key])));
    }
    if let Some(shard) = groups.only() {
        return Plan::Pass(shard);
    }
    let parts = groups.parts(|keys| {
        let head: Vec<&[u8]> = std::iter::once(name).chain(time).collect();
        let mut bytes = [&head[..], keys].concat().join(&b' ');
        bytes.extend_from_slice(b"\r\n");
        bytes
    });
    Plan::Spread(parts, Join::Values(order))
}

/// The value at the start of a reply, and what follows it; nothing where there is none.
fn value(reply: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = reply.iter().position(|byte| *byte == b'\n')? + 1;
    let size = value_size(&reply[..end])?;
    reply.split_at_checked(end.checked_add(size)?.checked_add(2)?)
}

fn value_size(line: &[u8]) -> Option<usize> {
    let line = line.trim_ascii_end().strip_prefix(b"VALUE ")?;
    str::from_utf8(words(line).nth(2)?).ok()?.parse().ok()
}

/// The values of several shards in the order in which they were asked for; the first error, where there is one.
pub fn join_values(order: &[(Vec<u8>, u32)], parts: &[Vec<u8>]) -> Vec<u8> {
    let is_error = |part: &&Vec<u8>| !part.starts_with(b"VALUE ") && part.as_slice() != b"END\r\n";
    if let Some(error) = parts.iter().find(is_error) {
        return error.clone();
    }
    let mut rests: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
    let mut out = Vec::with_capacity(parts.iter().map(Vec::len).sum());
    for (key, part) in order {
        let Some(rest) = usize::try_from(*part).ok().and_then(|part| rests.get_mut(part)) else {
            continue;
        };
        if let Some((first, after)) = value(rest)
            && words(&first[b"VALUE ".len()..]).next() == Some(key)
        {
            out.extend_from_slice(first);
            *rest = after;
        }
    }
    out.extend_from_slice(b"END\r\n");
    out
}

/// Finds the end of replies in a buffer that grows.
#[derive(Debug, Default)]
pub struct Scanner {
    position: usize,
}

impl Scanner {
    /// The length of the reply at the buffer's start, once it is whole.
    pub fn read(&mut self, buffer: &[u8]) -> Result<Option<usize>, Broken> {
        loop {
            let rest = buffer.get(self.position..).unwrap_or_default();
            let Some(end) = rest.iter().position(|byte| *byte == b'\n') else {
                return if rest.len() > MOST_LINE {
                    Err(Broken("a line does not end"))
                } else {
                    Ok(None)
                };
            };
            let line = &rest[..=end];
            if !line.starts_with(b"VALUE ") {
                let length = self.position + end + 1;
                self.position = 0;
                return Ok(Some(length));
            }
            let size = value_size(line).ok_or(Broken("a value has no size"))?;
            let next = (self.position + end + 1)
                .checked_add(size)
                .and_then(|next| next.checked_add(2))
                .ok_or(Broken("a length is too large"))?;
            if buffer.len() < next {
                return Ok(None);
            }
            self.position = next;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_bytes_are_read_to_an_end(bytes in "(get|set|cas|VALUE|END|noreply|[ \\r\\n0-9a]){0,30}") {
            let mut rest = bytes.as_bytes();
            let mut parser = Parser::default();
            while let Ok(Some(length @ 1..)) = parser.read(rest, 1000) {
                let _ = plan(parser.request(rest), &Digits);
                parser.next();
                rest = &rest[length..];
            }
            let (mut rest, mut scanner) = (bytes.as_bytes(), Scanner::default());
            while let Ok(Some(length @ 1..)) = scanner.read(rest) {
                let _ = join_values(&[(b"a".to_vec(), 0)], &[rest[..length].to_vec()]);
                rest = &rest[length..];
            }
        }
    }

    /// Three shards; a key's owner is its last digit.
    struct Digits;

    impl Shards for Digits {
        fn owner(&self, key: &[u8]) -> Option<usize> {
            key.last().map(|byte| usize::from(byte.wrapping_sub(b'0')) % 3)
        }
        fn count(&self) -> usize {
            3
        }
        fn is_out(&self, _: usize) -> bool {
            false
        }
        fn info(&self) -> String {
            String::new()
        }
    }

    fn decide(request: &str) -> Result<Plan, Broken> {
        let mut parser = Parser::default();
        let mut result = Ok(None);
        for end in 1..=request.len() {
            result = parser.read(&request.as_bytes()[..end], 1000);
            if !matches!(result, Ok(None)) {
                assert_eq!(end, result.map_or(end, |length| length.unwrap()), "{request:?}");
                break;
            }
        }
        let length = result?.unwrap_or_else(|| panic!("{request:?} is not whole"));
        assert_eq!(length, request.len());
        Ok(plan(parser.request(request.as_bytes()), &Digits))
    }

    #[test]
    fn requests_go_where_their_key_is() {
        for (request, shard) in [
            ("get k1\r\n", 1),
            ("gets a2 b2\r\n", 2),
            ("set k2 0 0 5\r\nab\r\nc\r\n", 2),
            ("cas k1 4294967295 -1 0 18446744073709551615\r\n\r\n", 1),
            ("delete k1\r\n", 1),
            ("incr k2 18446744073709551615\r\n", 2),
            ("touch k1 10\r\n", 1),
            ("gat 10 k1\r\n", 1),
        ] {
            assert_eq!(decide(request), Ok(Plan::Pass(shard)), "{request:?}");
        }
    }

    #[test]
    fn a_silent_request_is_answered_to_nobody() {
        let expect = |shard: usize, bytes: &str| {
            Ok(Plan::Silent(vec![Part {
                shard,
                bytes: bytes.into(),
            }]))
        };
        assert_eq!(
            decide("set k1 0 0 1 noreply\r\nx\r\n"),
            expect(1, "set k1 0 0 1\r\nx\r\n")
        );
        assert_eq!(decide("delete k2 noreply\r\n"), expect(2, "delete k2\r\n"));
    }

    #[test]
    fn what_is_broken_is_refused() {
        let long = format!("get {}\r\n", "k".repeat(251));
        for request in [
            long.as_str(),
            "get a\u{1}b\r\n",
            "incr k x\r\n",
            "touch k\r\n",
            "delete\r\n",
        ] {
            assert_eq!(
                decide(request),
                Ok(Plan::Answer(BAD_LINE.to_vec())),
                "{request:?}"
            );
        }
        for (request, reason) in [
            ("set k 0 0 x\r\n", "bad command line format"),
            ("set k 0 0\r\n", "bad command line format"),
            ("set k 0 0 -1\r\n", "bad command line format"),
            ("cas k 0 0 1 x\r\n", "bad command line format"),
            ("set k 0 0 1000\r\n", "object too large for cache"),
            ("set k 0 0 1\r\nxyz", "bad data chunk"),
        ] {
            assert_eq!(decide(request), Err(Broken(reason)), "{request:?}");
        }
        assert_eq!(decide("frob\r\n"), Ok(Plan::Answer(b"ERROR\r\n".to_vec())));
        assert!(matches!(decide("mg k1 v\r\n"), Ok(Plan::Answer(_))));
        assert!(matches!(decide("ms k1 2\r\n"), Ok(Plan::Close(_))));
    }

    #[test]
    fn values_come_back_in_order() {
        let Ok(Plan::Spread(parts, join)) = decide("gets a1 b2 c1 d2\r\n") else {
            panic!("it is spread");
        };
        assert_eq!(parts[0].bytes, b"gets a1 c1\r\n");
        let joined = join.join(vec![
            b"VALUE a1 0 1 7\r\nA\r\nVALUE c1 0 2 8\r\n\r\n\r\nEND\r\n".to_vec(),
            b"VALUE d2 0 1 9\r\nD\r\nEND\r\n".to_vec(),
        ]);
        assert_eq!(
            String::from_utf8(joined).unwrap(),
            "VALUE a1 0 1 7\r\nA\r\nVALUE c1 0 2 8\r\n\r\n\r\nVALUE d2 0 1 9\r\nD\r\nEND\r\n"
        );
        let joined = join.join(vec![b"END\r\n".to_vec(), b"SERVER_ERROR x\r\n".to_vec()]);
        assert_eq!(joined, b"SERVER_ERROR x\r\n");
    }

    #[test]
    fn a_reply_ends_after_its_last_value() {
        let bytes = b"STORED\r\nVALUE k 0 5\r\nEND\r\n\r\nEND\r\nEND\r\n7\r\n";
        let (mut buffer, mut scanner, mut found) = (Vec::new(), Scanner::default(), Vec::new());
        for byte in bytes {
            buffer.push(*byte);
            while let Some(length) = scanner.read(&buffer).unwrap() {
                found.push(length);
                buffer.drain(..length);
            }
        }
        assert_eq!(found, [8, 25, 5, 3]);
        assert!(Scanner::default().read(b"VALUE k 0 x\r\n").is_err());
    }
}
