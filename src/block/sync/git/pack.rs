//! Turns a packfile into objects, by their ids. Whatever the bytes are, no more is read or kept than the limits say.

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;

use bytes::Bytes;
use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::inflate_flags::{
    TINFL_FLAG_COMPUTE_ADLER32, TINFL_FLAG_PARSE_ZLIB_HEADER, TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF,
};
use miniz_oxide::inflate::core::{DecompressorOxide, decompress};
use sha1_checked::{Digest, Sha1};

use crate::block::sync::failure::Failure;

/// Magic, version and count.
const HEADER: usize = 12;

/// The name of an object: the SHA-1 of its kind and content.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Id(pub [u8; 20]);

impl fmt::Display for Id {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl FromStr for Id {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let digits = text.as_bytes();
        if digits.len() != 40 || !digits.iter().all(u8::is_ascii_hexdigit) {
            return Err(());
        }
        let mut id = [0; 20];
        for (byte, pair) in id.iter_mut().zip(digits.chunks_exact(2)) {
            let pair = str::from_utf8(pair).map_err(|_| ())?;
            *byte = u8::from_str_radix(pair, 16).map_err(|_| ())?;
        }
        Ok(Self(id))
    }
}

/// What an object is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A tree and its history.
    Commit,
    /// A folder.
    Tree,
    /// A file's content.
    Blob,
    /// A name for another object.
    Tag,
}

impl Kind {
    /// As Git writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Commit => "commit",
            Self::Tree => "tree",
            Self::Blob => "blob",
            Self::Tag => "tag",
        }
    }
}

/// An object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// What it is.
    pub kind: Kind,
    /// Its content.
    pub content: Bytes,
}

/// The objects of a pack.
pub type Objects = HashMap<Id, Object>;

/// How much a pack may hold.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Bytes of all objects, unpacked.
    pub bytes: u64,
    /// Objects.
    pub objects: usize,
}

fn wrong(what: &str) -> Failure {
    Failure::invalid(format!("the pack is broken: {what}"))
}

/// An object's id. Content made to share its id with other content is refused.
pub fn id(kind: Kind, content: &[u8]) -> Result<Id, Failure> {
    let hash = sha1(&[format!("{} {}\0", kind.name(), content.len()).as_bytes(), content])?;
    Ok(Id(hash))
}

fn sha1(parts: &[&[u8]]) -> Result<[u8; 20], Failure> {
    let mut hash = Sha1::new();
    for part in parts {
        hash.update(part);
    }
    let result = hash.try_finalize();
    if result.has_collision() {
        return Err(Failure::invalid(
            "an object is made to be taken for another one: its SHA-1 is a known collision",
        ));
    }
    Ok((*result.hash()).into())
}

/// A delta, and what it starts from.
enum Base {
    Offset(usize),
    Id(Id),
}

struct Delta {
    offset: usize,
    content: Vec<u8>,
}

struct Unpacking {
    limits: Limits,
    bytes: u64,
    objects: Objects,
    /// Where the object that began there is.
    places: HashMap<usize, Id>,
    /// Deltas whose base isn't there yet.
    on_offset: HashMap<usize, Vec<Delta>>,
    on_id: HashMap<Id, Vec<Delta>>,
}

/// Unpacks and checks all objects.
pub fn unpack(pack: &[u8], limits: Limits) -> Result<Objects, Failure> {
    let (body, sum) = pack
        .split_last_chunk::<20>()
        .ok_or_else(|| wrong("it is too short"))?;
    if sha1(&[body])? != *sum {
        return Err(wrong("its checksum is another one"));
    }
    let mut reader = Reader::new(body);
    if reader.take(4) != Some(b"PACK") || reader.number() != Some(2) {
        return Err(wrong("it is no pack of version 2"));
    }
    let count = reader.number().ok_or_else(|| wrong("it is too short"))? as usize;
    if count > limits.objects {
        return Err(Failure::new(
            crate::block::sync::failure::Kind::TooLarge,
            format!("it has more than {} objects", limits.objects),
        ));
    }
    debug_assert_eq!(reader.place, HEADER);
    let mut unpacking = Unpacking {
        limits,
        bytes: 0,
        objects: Objects::new(),
        places: HashMap::new(),
        on_offset: HashMap::new(),
        on_id: HashMap::new(),
    };
    for _ in 0..count {
        unpacking.entry(&mut reader)?;
    }
    if reader.place != body.len() {
        return Err(wrong("there is more than it says"));
    }
    if unpacking.on_offset.is_empty() && unpacking.on_id.is_empty() {
        Ok(unpacking.objects)
    } else {
        Err(wrong("an object is missing"))
    }
}

impl Unpacking {
    fn entry(&mut self, reader: &mut Reader<'_>) -> Result<(), Failure> {
        let offset = reader.place;
        let (kind, size) = reader.kind_and_size().ok_or_else(|| wrong("an object's head"))?;
        let base = match kind {
            1 => return self.whole(Kind::Commit, size, offset, reader),
            2 => return self.whole(Kind::Tree, size, offset, reader),
            3 => return self.whole(Kind::Blob, size, offset, reader),
            4 => return self.whole(Kind::Tag, size, offset, reader),
            6 => {
                let back = reader.back().ok_or_else(|| wrong("a delta's base"))?;
                let base = offset
                    .checked_sub(back)
                    .filter(|base| *base >= HEADER && *base < offset)
                    .ok_or_else(|| wrong("a delta's base"))?;
                Base::Offset(base)
            }
            7 => {
                let id = reader.take(20).and_then(|id| id.try_into().ok());
                Base::Id(Id(id.ok_or_else(|| wrong("a delta's base"))?))
            }
            _ => return Err(wrong("an object of no kind")),
        };
        let content = self.inflate(size, reader)?;
        let delta = Delta { offset, content };
        let known = match base {
            Base::Offset(place) => self
                .places
                .get(&place)
                .copied()
                .ok_or(place)
                .map_err(Base::Offset),
            Base::Id(id) if self.objects.contains_key(&id) => Ok(id),
            Base::Id(id) => Err(Base::Id(id)),
        };
        match known {
            Ok(id) => self.apply(id, &delta),
            Err(Base::Offset(place)) => {
                self.on_offset.entry(place).or_default().push(delta);
                Ok(())
            }
            Err(Base::Id(id)) => {
                self.on_id.entry(id).or_default().push(delta);
                Ok(())
            }
        }
    }

    fn whole(
        &mut self,
        kind: Kind,
        size: usize,
        offset: usize,
        reader: &mut Reader<'_>,
    ) -> Result<(), Failure> {
        let content = self.inflate(size, reader)?;
        let object = Object {
            kind,
            content: content.into(),
        };
        let id = self.keep(object, offset)?;
        self.release(id, offset)
    }

    /// Reserves room for so many bytes.
    fn reserve(&mut self, size: usize) -> Result<(), Failure> {
        self.bytes = self.bytes.saturating_add(size as u64);
        if self.bytes > self.limits.bytes {
            return Err(Failure::too_large(self.limits.bytes));
        }
        Ok(())
    }

    fn inflate(&mut self, size: usize, reader: &mut Reader<'_>) -> Result<Vec<u8>, Failure> {
        self.reserve(size)?;
        let mut content = vec![0; size];
        let flags = TINFL_FLAG_PARSE_ZLIB_HEADER
            | TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF
            | TINFL_FLAG_COMPUTE_ADLER32;
        let mut inflater = Box::<DecompressorOxide>::default();
        let (status, read, written) = decompress(&mut inflater, reader.rest(), &mut content, 0, flags);
        if status != TINFLStatus::Done || written != size {
            return Err(wrong("an object can't be decompressed"));
        }
        reader.skip(read);
        Ok(content)
    }

    fn keep(&mut self, object: Object, offset: usize) -> Result<Id, Failure> {
        let id = id(object.kind, &object.content)?;
        self.objects.insert(id, object);
        self.places.insert(offset, id);
        Ok(id)
    }

    fn apply(&mut self, base: Id, delta: &Delta) -> Result<(), Failure> {
        let (id, offset) = self.applied(base, delta)?;
        self.release(id, offset)
    }

    fn applied(&mut self, base: Id, delta: &Delta) -> Result<(Id, usize), Failure> {
        let object = self
            .objects
            .get(&base)
            .cloned()
            .ok_or_else(|| wrong("a delta's base"))?;
        let size = result_size(&delta.content).ok_or_else(|| wrong("a delta's head"))?;
        self.reserve(size)?;
        let content = patch(&object.content, &delta.content).ok_or_else(|| wrong("a delta"))?;
        let object = Object {
            kind: object.kind,
            content: content.into(),
        };
        Ok((self.keep(object, delta.offset)?, delta.offset))
    }

    /// Applies what waited for an object, and what waited for that.
    fn release(&mut self, id: Id, offset: usize) -> Result<(), Failure> {
        let mut ready = vec![(id, offset)];
        while let Some((base, offset)) = ready.pop() {
            let mut waiting = self.on_offset.remove(&offset).unwrap_or_default();
            waiting.extend(self.on_id.remove(&base).unwrap_or_default());
            for delta in waiting {
                ready.push(self.applied(base, &delta)?);
            }
        }
        Ok(())
    }
}

fn result_size(delta: &[u8]) -> Option<usize> {
    let mut reader = Reader::new(delta);
    reader.size()?;
    reader.size()
}

/// Applies a delta: it copies parts of its base, and inserts.
pub fn patch(base: &[u8], delta: &[u8]) -> Option<Vec<u8>> {
    let mut reader = Reader::new(delta);
    if reader.size()? != base.len() {
        return None;
    }
    let size = reader.size()?;
    // The size is only a claim: it is believed as it becomes true.
    let mut result = Vec::with_capacity(size.min(base.len() + delta.len()));
    while let Some(order) = reader.byte() {
        if order & 0x80 != 0 {
            let mut part = |bits: std::ops::Range<u32>| {
                let mut number = 0;
                for (shift, bit) in bits.enumerate() {
                    if order & (1 << bit) != 0 {
                        number |= usize::from(reader.byte()?) << (8 * shift);
                    }
                }
                Some(number)
            };
            let start = part(0..4)?;
            let length = match part(4..7)? {
                0 => 0x10000,
                length => length,
            };
            let copied = base.get(start..start.checked_add(length)?)?;
            if result.len() + copied.len() > size {
                return None;
            }
            result.extend_from_slice(copied);
        } else if order == 0 {
            return None;
        } else {
            let inserted = reader.take(usize::from(order))?;
            if result.len() + inserted.len() > size {
                return None;
            }
            result.extend_from_slice(inserted);
        }
    }
    (result.len() == size).then_some(result)
}

/// Takes bytes from the front, and never more than there are.
struct Reader<'a> {
    bytes: &'a [u8],
    place: usize,
}

impl<'a> Reader<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, place: 0 }
    }

    fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.place..).unwrap_or_default()
    }

    fn skip(&mut self, count: usize) {
        self.place = self.place.saturating_add(count).min(self.bytes.len());
    }

    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let taken = self.rest().get(..count)?;
        self.place += count;
        Some(taken)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1).map(|byte| byte[0])
    }

    /// Four bytes, the highest first.
    fn number(&mut self) -> Option<u32> {
        let bytes = self.take(4)?.try_into().ok()?;
        Some(u32::from_be_bytes(bytes))
    }

    /// Seven bits a byte, the lowest first.
    fn size(&mut self) -> Option<usize> {
        self.continued(0, 0)
    }

    fn continued(&mut self, start: usize, mut shift: u32) -> Option<usize> {
        let mut size = start;
        loop {
            let byte = self.byte()?;
            let bits = usize::from(byte & 0x7f);
            let shifted = bits
                .checked_shl(shift)
                .filter(|shifted| shifted >> shift == bits)?;
            size |= shifted;
            shift += 7;
            if byte & 0x80 == 0 {
                return Some(size);
            }
        }
    }

    fn kind_and_size(&mut self) -> Option<(u8, usize)> {
        let byte = self.byte()?;
        let (kind, size) = (byte >> 4 & 7, usize::from(byte & 0xf));
        if byte & 0x80 == 0 {
            return Some((kind, size));
        }
        Some((kind, self.continued(size, 4)?))
    }

    /// The distance to a delta's base: seven bits a byte, the highest first, each further byte one more.
    fn back(&mut self) -> Option<usize> {
        let mut byte = self.byte()?;
        let mut back = usize::from(byte & 0x7f);
        while byte & 0x80 != 0 {
            byte = self.byte()?;
            back = back
                .checked_add(1)?
                .checked_mul(128)?
                .checked_add(usize::from(byte & 0x7f))?;
        }
        Some(back)
    }
}

#[cfg(test)]
mod tests {
    use miniz_oxide::deflate::compress_to_vec_zlib;
    use proptest::prelude::*;

    use super::*;

    const LIMITS: Limits = Limits {
        bytes: 10_000,
        objects: 10,
    };

    fn packed(entries: &[Vec<u8>]) -> Vec<u8> {
        let mut pack = b"PACK\0\0\0\x02".to_vec();
        pack.extend(u32::try_from(entries.len()).unwrap().to_be_bytes());
        pack.extend(entries.concat());
        sealed(pack)
    }

    fn sealed(mut pack: Vec<u8>) -> Vec<u8> {
        let sum = sha1(&[&pack]).unwrap();
        pack.extend(sum);
        pack
    }

    fn entry(kind: u8, size: usize, base: &[u8], content: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut byte = kind << 4 | u8::try_from(size & 0xf).unwrap();
        let mut rest = size >> 4;
        while rest > 0 {
            bytes.push(byte | 0x80);
            byte = u8::try_from(rest & 0x7f).unwrap();
            rest >>= 7;
        }
        bytes.push(byte);
        bytes.extend(base);
        bytes.extend(compress_to_vec_zlib(content, 6));
        bytes
    }

    fn blob(content: &[u8]) -> Vec<u8> {
        entry(3, content.len(), &[], content)
    }

    fn refused(pack: &[u8]) -> String {
        unpack(pack, LIMITS).unwrap_err().reason
    }

    #[test]
    fn ids_are_those_of_git() {
        let id = id(Kind::Blob, b"hello\n").unwrap();
        assert_eq!(id.to_string(), "ce013625030ba8dba906f756967f9e9ca394464a");
        assert_eq!(id.to_string().parse(), Ok(id));
        for wrong in ["", "ce01", &"g".repeat(40), &"é".repeat(20)] {
            assert!(wrong.parse::<Id>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn objects_and_deltas_are_unpacked() {
        let base = b"0123456789".repeat(30);
        // From the base of 300 bytes to 13: two are inserted, eleven copied from 5 on.
        let delta = b"\xac\x02\x0d\x02ab\x91\x05\x0b";
        let result = b"ab56789012345";
        assert_eq!(patch(&base, delta).unwrap(), result);
        let first = blob(&base);
        let back = [u8::try_from(first.len()).unwrap()];
        let by_offset = packed(&[first.clone(), entry(6, delta.len(), &back, delta)]);
        let of_base = id(Kind::Blob, &base).unwrap();
        let by_id = packed(&[entry(7, delta.len(), &of_base.0, delta), first.clone()]);
        for pack in [by_offset, by_id] {
            let objects = unpack(&pack, LIMITS).unwrap();
            assert_eq!(objects.len(), 2);
            let made = &objects[&id(Kind::Blob, result).unwrap()];
            assert_eq!(
                (made.kind, made.content.as_ref()),
                (Kind::Blob, result.as_slice())
            );
        }
        let empty = unpack(&packed(&[blob(b"")]), LIMITS).unwrap();
        assert!(empty.contains_key(&id(Kind::Blob, b"").unwrap()));
    }

    #[test]
    fn broken_packs_are_refused() {
        assert_eq!(refused(b"PACK"), "the pack is broken: it is too short");
        let mut flipped = packed(&[blob(b"x")]);
        flipped[13] ^= 1;
        assert_eq!(
            refused(&flipped),
            "the pack is broken: its checksum is another one"
        );
        let check = |entries: &[Vec<u8>], expect: &str| {
            assert_eq!(refused(&packed(entries)), expect);
        };
        check(
            &[entry(3, 9_000, &[], b"x")],
            "the pack is broken: an object can't be decompressed",
        );
        check(
            &[entry(3, 1, &[], b"xy")],
            "the pack is broken: an object can't be decompressed",
        );
        check(&[entry(3, 1 << 40, &[], b"x")], "it is larger than 10000 bytes");
        check(
            &[entry(5, 1, &[], b"x")],
            "the pack is broken: an object of no kind",
        );
        check(
            &[entry(6, 4, &[0x20], b"\0\0\0\0")],
            "the pack is broken: a delta's base",
        );
        check(
            &[entry(6, 4, &[0], b"\0\0\0\0")],
            "the pack is broken: a delta's base",
        );
        check(
            &[entry(7, 4, &[7; 20], b"\0\0\0\0")],
            "the pack is broken: an object is missing",
        );
        let many: Vec<_> = (0..11).map(|number| blob(&[number])).collect();
        check(&many, "it has more than 10 objects");
        // A small delta that claims, or makes, very much.
        let base = blob(&[b'x'; 300]);
        let back = [u8::try_from(base.len()).unwrap()];
        let claim = b"\xac\x02\xff\xff\xff\xff\x0f\x01a";
        check(
            &[base, entry(6, claim.len(), &back, claim)],
            "it is larger than 10000 bytes",
        );
    }

    #[test]
    fn deltas_stay_within_their_base_and_their_size() {
        let base = b"0123456789";
        for wrong in [
            b"".as_slice(),
            b"\x0a",
            b"\x09\x01\x01a",
            b"\x0a\x02\x01a",
            b"\x0a\x01\x02ab",
            b"\x0a\x01\x02a",
            b"\x0a\x01\0",
            b"\x0a\x05\x91\x06\x05",
            b"\x0a\x05\x8f\xff\xff\xff\xff",
            b"\x0a\x05\x91",
            b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
        ] {
            assert_eq!(patch(base, wrong), None, "{wrong:?}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_no_delta_or_one_of_the_size_it_says(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            let base = [7; 100];
            let mut delta = vec![100];
            delta.extend(&bytes);
            if let Some(result) = patch(&base, &delta) {
                prop_assert_eq!(Some(result.len()), result_size(&delta));
            }
            let _ = patch(&base, &bytes);
        }

        #[test]
        fn any_sealed_bytes_come_to_an_end(bytes in proptest::collection::vec(any::<u8>(), 0..200), count in 0_u8..4) {
            let mut pack = b"PACK\0\0\0\x02\0\0\0".to_vec();
            pack.push(count);
            pack.extend(&bytes);
            if let Ok(objects) = unpack(&sealed(pack), LIMITS) {
                prop_assert!(objects.len() <= usize::from(count));
            }
        }

        #[test]
        fn a_damaged_pack_is_refused_or_whole(place in 12_usize..60, value in any::<u8>()) {
            let base = b"0123456789".repeat(30);
            let delta = b"\xac\x02\x0d\x02ab\x91\x05\x0b";
            let first = blob(&base);
            let back = [u8::try_from(first.len()).unwrap()];
            let mut pack = packed(&[first, entry(6, delta.len(), &back, delta)]);
            pack.truncate(pack.len() - 20);
            if let Some(byte) = pack.get_mut(place) {
                *byte = value;
            }
            let _ = unpack(&sealed(pack), LIMITS);
        }
    }
}
