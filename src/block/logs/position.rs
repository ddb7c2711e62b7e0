//! Keeps how far each file was read, so that a block killed at any moment goes on where it was.
//!
//! A journal of lines, each with a digest of itself: a torn one counts for nothing. It is rewritten when it grows.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

/// A journal longer than this is rewritten.
const LONG: u64 = 1 << 20;
/// The part of a file's first line that tells it from others.
const HEAD: usize = 256;

/// A number that tells bytes apart. Not secret, the same on every machine and in every version.
pub fn digest(bytes: &[u8]) -> u64 {
    const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut state = FACTOR ^ (bytes.len() as u64);
    let mut add = |word: u64| {
        state = (state ^ word).wrapping_mul(FACTOR);
        state ^= state >> 29;
    };
    let (words, rest) = bytes.as_chunks::<8>();
    for word in words {
        add(u64::from_le_bytes(*word));
    }
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    add(u64::from_le_bytes(last));
    add(FACTOR.rotate_left(17));
    state
}

/// What tells a file from another one that gets its inode later: its beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Print {
    length: usize,
    digest: u64,
}

impl Print {
    /// Of a file as it is now: of its first line, or of the part of it that is there.
    pub fn of(file: &File) -> io::Result<Self> {
        let head = head(file, HEAD)?;
        let length = memchr::memchr(b'\n', &head).map_or(head.len(), |end| end + 1);
        Ok(Self {
            length,
            digest: digest(&head[..length]),
        })
    }

    /// Whether a file begins so.
    pub fn matches(&self, file: &File) -> bool {
        head(file, self.length).is_ok_and(|head| head.len() == self.length && digest(&head) == self.digest)
    }

    /// As records show it.
    pub fn shown(&self) -> String {
        format!("{:x}", self.digest)
    }
}

fn head(file: &File, length: usize) -> io::Result<Vec<u8>> {
    let mut head = vec![0; length];
    let read = read_at(file, &mut head, 0)?;
    head.truncate(read);
    Ok(head)
}

/// Fills the buffer from a place in the file, as far as the file goes.
pub fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read_at(&mut buffer[filled..], offset + filled as u64) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// How far a file was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// The name under which it was found.
    pub path: PathBuf,
    pub inode: u64,
    pub print: Print,
    pub offset: u64,
}

/// Lines that are being appended to the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Batch {
    /// The output's inode.
    pub inode: u64,
    /// The output's length before.
    pub start: u64,
    pub length: u64,
    pub digest: u64,
}

/// The journal of one block.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: File,
    kept: BTreeMap<u32, Kept>,
    open: Option<Batch>,
    next: u32,
    length: u64,
    /// Whether the last line may be torn.
    torn: bool,
    /// Whether the files that were there at the first start are kept.
    has_begun: bool,
    _lock: File,
}

impl Journal {
    /// Opens the journal, or makes it; one block at a time.
    pub fn open(path: &Path) -> anyhow::Result<Self> {
        let context = || format!("failed to open the position `{}`", path.display());
        let mut name = path.as_os_str().to_owned();
        name.push(".lock");
        let lock = File::create(&name).with_context(context)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                bail!("another block keeps its position in `{}`", path.display())
            }
            Err(TryLockError::Error(error)) => return Err(error).with_context(context),
        }
        let mut bytes = Vec::new();
        match File::open(path) {
            Ok(mut file) => {
                file.read_to_end(&mut bytes).with_context(context)?;
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error).with_context(context),
        }
        let State {
            kept,
            open,
            has_begun,
        } = State::read(&bytes);
        let mut journal = Self {
            next: kept.keys().next_back().map_or(0, |slot| slot + 1),
            path: path.to_owned(),
            file: lock.try_clone().with_context(context)?,
            kept,
            open,
            length: 0,
            torn: false,
            has_begun,
            _lock: lock,
        };
        journal.rewrite().with_context(context)?;
        Ok(journal)
    }

    /// Whether the files that were there at the first start are kept.
    pub fn has_begun(&self) -> bool {
        self.has_begun
    }

    /// The files that were there at the first start are kept.
    pub fn begin(&mut self) -> io::Result<()> {
        if !self.has_begun {
            self.write("begun")?;
            self.has_begun = true;
        }
        Ok(())
    }

    /// Every file that is kept.
    pub fn kept(&self) -> Vec<(u32, Kept)> {
        self.kept
            .iter()
            .map(|(slot, kept)| (*slot, kept.clone()))
            .collect()
    }

    /// The lines that may not be in the output yet.
    pub fn open_batch(&self) -> Option<Batch> {
        self.open
    }

    /// Keeps another file, and says by which number.
    pub fn follow(&mut self, kept: Kept) -> io::Result<u32> {
        let slot = self.next;
        self.write(&file_line(slot, &kept))?;
        self.next += 1;
        self.kept.insert(slot, kept);
        Ok(slot)
    }

    /// Forgets a file that is read to its end and will not come back.
    pub fn forget(&mut self, slot: u32) -> io::Result<()> {
        if self.kept.contains_key(&slot) {
            self.write(&format!("forget {slot}"))?;
            self.kept.remove(&slot);
        }
        Ok(())
    }

    /// A file is read up to here.
    pub fn advance(&mut self, slot: u32, offset: u64) -> io::Result<()> {
        self.write(&format!("at {slot} {offset}"))?;
        self.set(slot, offset);
        self.rewrite_when_long();
        Ok(())
    }

    /// From here on a file is read up to here, and the lines will be in the output.
    pub fn intend(&mut self, batch: Batch, slot: u32, offset: u64) -> io::Result<()> {
        self.write(&batch_line(batch, slot, offset))?;
        self.set(slot, offset);
        self.open = Some(batch);
        Ok(())
    }

    /// The lines are in the output.
    pub fn done(&mut self) -> io::Result<()> {
        self.write("done")?;
        self.open = None;
        self.rewrite_when_long();
        Ok(())
    }

    fn set(&mut self, slot: u32, offset: u64) {
        if let Some(kept) = self.kept.get_mut(&slot) {
            kept.offset = offset;
        }
    }

    fn write(&mut self, words: &str) -> io::Result<()> {
        let mut line = checked(words);
        if self.torn {
            line.insert(0, '\n');
        }
        self.torn = true;
        self.file.write_all(line.as_bytes())?;
        self.torn = false;
        self.length += line.len() as u64;
        Ok(())
    }

    fn rewrite_when_long(&mut self) {
        if self.length > LONG {
            // Until it can be, it goes on growing.
            let _ = self.rewrite();
        }
    }

    fn rewrite(&mut self) -> io::Result<()> {
        let mut text = String::new();
        for (slot, kept) in &self.kept {
            text += &checked(&file_line(*slot, kept));
        }
        if let Some(batch) = self.open {
            text += &checked(&batch_line(batch, u32::MAX, 0));
        }
        if self.has_begun {
            text += &checked("begun");
        }
        let mut name: OsString = self.path.as_os_str().to_owned();
        name.push(".new");
        fs::write(&name, &text)?;
        let file = OpenOptions::new().append(true).open(&name)?;
        fs::rename(&name, &self.path)?;
        self.file = file;
        self.length = 0;
        self.torn = false;
        Ok(())
    }
}

fn checked(words: &str) -> String {
    format!("{:016x} {words}\n", digest(words.as_bytes()))
}

fn file_line(slot: u32, kept: &Kept) -> String {
    let mut line = format!(
        "file {slot} {} {} {} {} ",
        kept.inode, kept.print.length, kept.print.digest, kept.offset
    );
    for byte in kept.path.as_os_str().as_bytes() {
        let _ = write!(line, "{byte:02x}");
    }
    line
}

fn batch_line(batch: Batch, slot: u32, offset: u64) -> String {
    let Batch {
        inode,
        start,
        length,
        digest,
    } = batch;
    format!("batch {inode} {start} {length} {digest} {slot} {offset}")
}

/// What a journal says.
#[derive(Default)]
struct State {
    kept: BTreeMap<u32, Kept>,
    open: Option<Batch>,
    has_begun: bool,
}

impl State {
    fn read(bytes: &[u8]) -> Self {
        let mut state = Self::default();
        for line in bytes.split(|byte| *byte == b'\n') {
            let words = str::from_utf8(line).ok().and_then(|line| line.split_once(' '));
            if let Some((sum, words)) = words
                && u64::from_str_radix(sum, 16) == Ok(digest(words.as_bytes()))
            {
                // What is whole was written by this code.
                let _ = state.apply(words);
            }
        }
        state
    }

    fn apply(&mut self, words: &str) -> Option<()> {
        let Self {
            kept,
            open,
            has_begun,
        } = self;
        let mut words = words.split(' ');
        let kind = words.next()?;
        let last = (kind == "file").then(|| words.next_back()).flatten();
        let numbers: Vec<u64> = words.map(str::parse).collect::<Result<_, _>>().ok()?;
        let slot = |number: u64| u32::try_from(number).ok();
        match (kind, numbers.as_slice()) {
            ("file", [number, inode, length, digest, offset]) => {
                let path = last?.as_bytes().chunks(2).map(|pair| {
                    let pair = str::from_utf8(pair).ok()?;
                    u8::from_str_radix(pair, 16).ok()
                });
                let file = Kept {
                    path: PathBuf::from(OsString::from_vec(path.collect::<Option<_>>()?)),
                    inode: *inode,
                    print: Print {
                        length: usize::try_from(*length).ok().filter(|length| *length <= HEAD)?,
                        digest: *digest,
                    },
                    offset: *offset,
                };
                kept.insert(slot(*number)?, file);
            }
            ("forget", [number]) => {
                kept.remove(&slot(*number)?);
            }
            ("at", [number, offset]) => kept.get_mut(&slot(*number)?)?.offset = *offset,
            ("batch", [inode, start, length, digest, number, offset]) => {
                *open = Some(Batch {
                    inode: *inode,
                    start: *start,
                    length: *length,
                    digest: *digest,
                });
                kept.get_mut(&slot(*number)?)?.offset = *offset;
            }
            ("done", []) => *open = None,
            ("begun", []) => *has_begun = true,
            _ => {}
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(folder: &Path, content: &str) -> File {
        let path = folder.join("file");
        fs::write(&path, content).unwrap();
        File::open(path).unwrap()
    }

    fn kept(folder: &Path) -> Kept {
        Kept {
            path: PathBuf::from("/a b/\u{e9}"),
            inode: 5,
            print: Print::of(&file(folder, "first\nsecond")).unwrap(),
            offset: 3,
        }
    }

    #[test]
    fn a_print_is_of_the_first_line() {
        let folder = tempfile::tempdir().unwrap();
        let print = Print::of(&file(folder.path(), "first\nsecond\n")).unwrap();
        assert!(print.matches(&file(folder.path(), "first\nother")));
        for other in ["first", "", "fIrst\nsecond\n"] {
            assert!(!print.matches(&file(folder.path(), other)), "{other}");
        }
        let long = "x".repeat(1000);
        let print = Print::of(&file(folder.path(), &long)).unwrap();
        assert!(print.matches(&file(folder.path(), &(long + "y"))));
    }

    #[test]
    fn what_is_kept_comes_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("position");
        let batch = Batch {
            inode: 1,
            start: 2,
            length: 3,
            digest: 4,
        };
        let mut journal = Journal::open(&path).unwrap();
        assert!(!journal.has_begun());
        journal.begin().unwrap();
        let first = journal.follow(kept(folder.path())).unwrap();
        let second = journal.follow(kept(folder.path())).unwrap();
        journal.advance(first, 10).unwrap();
        journal.forget(second).unwrap();
        journal.intend(batch, first, 20).unwrap();
        assert!(
            Journal::open(&path)
                .unwrap_err()
                .to_string()
                .contains("another block"),
            "one at a time"
        );
        drop(journal);
        for _ in 0..2 {
            let journal = Journal::open(&path).unwrap();
            assert!(journal.has_begun());
            let expect = Kept {
                offset: 20,
                ..kept(folder.path())
            };
            assert_eq!(journal.kept(), [(first, expect)]);
            assert_eq!(journal.open_batch(), Some(batch));
        }
        let mut journal = Journal::open(&path).unwrap();
        journal.done().unwrap();
        drop(journal);
        assert_eq!(Journal::open(&path).unwrap().open_batch(), None);
    }

    #[test]
    fn a_torn_line_counts_for_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("position");
        let mut journal = Journal::open(&path).unwrap();
        let slot = journal.follow(kept(folder.path())).unwrap();
        journal.advance(slot, 10).unwrap();
        let before = fs::read(&path).unwrap();
        journal.advance(slot, 20).unwrap();
        drop(journal);
        let after = fs::read(&path).unwrap();
        for end in 0..after.len() {
            let kept = State::read(&after[..end]).kept;
            let offset = kept.get(&slot).map(|kept| kept.offset);
            if end >= before.len() {
                let expect = if end + 1 == after.len() { 20 } else { 10 };
                assert_eq!(offset, Some(expect), "cut at {end}");
            }
        }
    }

    #[test]
    fn the_journal_stays_short() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("position");
        let mut journal = Journal::open(&path).unwrap();
        let slot = journal.follow(kept(folder.path())).unwrap();
        for offset in 0..60_000 {
            journal.advance(slot, offset).unwrap();
        }
        assert!(fs::metadata(&path).unwrap().len() < LONG + 100);
        drop(journal);
        assert_eq!(Journal::open(&path).unwrap().kept()[0].1.offset, 59_999);
    }
}
