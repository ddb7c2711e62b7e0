//! Packet lines: what Git's protocol is made of. Four hexadecimal digits say a line's length, themselves included.

use crate::block::sync::failure::Failure;

/// The longest packet there is.
const LONGEST: usize = 65_520;

/// A packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packet<'a> {
    /// The end of a message: `0000`.
    Flush,
    /// The end of a section: `0001`.
    Delimiter,
    /// Content.
    Data(&'a [u8]),
}

/// What the first bytes of a stream are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Head {
    /// A packet without content.
    Mark(Packet<'static>),
    /// A packet of so many bytes after its length.
    Data(usize),
}

/// Reads the four digits of a packet.
pub fn head(digits: [u8; 4]) -> Result<Head, Failure> {
    let wrong = || Failure::invalid("the answer is not Git's protocol");
    // `from_str_radix` takes a sign, too.
    if !digits.iter().all(u8::is_ascii_hexdigit) {
        return Err(wrong());
    }
    let text = str::from_utf8(&digits).map_err(|_| wrong())?;
    match usize::from_str_radix(text, 16).map_err(|_| wrong())? {
        0 => Ok(Head::Mark(Packet::Flush)),
        1 => Ok(Head::Mark(Packet::Delimiter)),
        length @ 4..=LONGEST => Ok(Head::Data(length - 4)),
        _ => Err(wrong()),
    }
}

/// Takes packets from the front of bytes.
#[derive(Debug, Clone)]
pub struct Packets<'a> {
    rest: &'a [u8],
}

impl<'a> Packets<'a> {
    /// All of the bytes.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// The next packet; nothing at the end of the bytes. An `ERR` packet is the server's reason why not.
    pub fn next(&mut self) -> Result<Option<Packet<'a>>, Failure> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let cut = || Failure::invalid("the answer breaks off within a packet");
        let (digits, rest) = self.rest.split_first_chunk::<4>().ok_or_else(cut)?;
        let length = match head(*digits)? {
            Head::Mark(mark) => {
                self.rest = rest;
                return Ok(Some(mark));
            }
            Head::Data(length) => length,
        };
        let (data, rest) = rest.split_at_checked(length).ok_or_else(cut)?;
        self.rest = rest;
        match data.strip_prefix(b"ERR ") {
            Some(reason) => Err(Failure::source(format!("the server says: {}", line(reason)))),
            None => Ok(Some(Packet::Data(data))),
        }
    }

    /// The next packet's text, without its line feed; nothing at the end of a section.
    pub fn text(&mut self) -> Result<Option<&'a str>, Failure> {
        match self.next()? {
            Some(Packet::Data(data)) => {
                let text = str::from_utf8(data)
                    .map_err(|_| Failure::invalid("the answer holds a line that is not UTF-8"))?;
                Ok(Some(text.strip_suffix('\n').unwrap_or(text)))
            }
            Some(Packet::Flush | Packet::Delimiter) => Ok(None),
            None => Err(Failure::invalid("the answer breaks off")),
        }
    }
}

/// The beginning of a server's message, in one line.
pub fn line(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let words: Vec<&str> = text.split_whitespace().collect();
    let line = words.join(" ");
    line.chars()
        .filter(|character| !character.is_control())
        .take(200)
        .collect()
}

/// Appends a packet. Only short texts are sent.
pub fn append(bytes: &mut Vec<u8>, text: &str) {
    bytes.extend_from_slice(format!("{:04x}", text.len() + 4).as_bytes());
    bytes.extend_from_slice(text.as_bytes());
}

/// Appends the end of a section.
pub fn delimit(bytes: &mut Vec<u8>) {
    bytes.extend_from_slice(b"0001");
}

/// Appends the end of a message.
pub fn flush(bytes: &mut Vec<u8>) {
    bytes.extend_from_slice(b"0000");
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn packets_are_read_as_they_are_written() {
        let mut bytes = Vec::new();
        append(&mut bytes, "command=fetch\n");
        delimit(&mut bytes);
        append(&mut bytes, "");
        flush(&mut bytes);
        let mut packets = Packets::new(&bytes);
        assert_eq!(packets.next().unwrap(), Some(Packet::Data(b"command=fetch\n")));
        assert_eq!(packets.next().unwrap(), Some(Packet::Delimiter));
        assert_eq!(packets.text().unwrap(), Some(""));
        assert_eq!(packets.text().unwrap(), None);
        assert_eq!(packets.next().unwrap(), None);
        assert!(packets.text().is_err());
    }

    #[test]
    fn what_is_no_packet_is_refused() {
        for wrong in [
            "0", "000", "0002", "0003", "+006ab", "00 6ab", "fff1", "0009abc", "zzzz",
        ] {
            assert!(Packets::new(wrong.as_bytes()).next().is_err(), "{wrong}");
        }
        let error = Packets::new(b"0011ERR no such\nx").next().unwrap_err();
        assert_eq!(error.reason, "the server says: no such x");
    }

    proptest! {
        #[test]
        fn any_bytes_come_to_an_end(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut packets = Packets::new(&bytes);
            let mut count = 0;
            while let Ok(Some(_)) = packets.next() {
                count += 1;
            }
            prop_assert!(count <= 50);
        }
    }
}
