//! Follows files: finds them, reads what is new, and goes after those that are rotated until nothing more comes.

use std::collections::BTreeSet;
use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::json;

use super::framing::Rest;
use super::instant;
use super::meter::{Counts, Meter, Stop};
use super::names::{self, expand, is_compressed};
use super::output::{Lines, Output};
use super::position::{Kept, Print, read_at};
use super::record::{Origin, append_text};
use super::settings::{From, Settings};
use crate::block::log;

/// What is read at once, at least.
const BUFFER: usize = 512 * 1024;
/// Lines that are handed on at once, about.
const BATCH: usize = 1 << 20;
/// How often one file is read before the others have their turn.
const TURNS: usize = 32;
/// The part before the place to go on that shows whether the file is still the same.
const BEFORE: usize = 64;
/// How long a file without a name has to be still until a line without its end is a record.
const STILL: Duration = Duration::from_secs(5);
/// How long a file is kept open that was renamed, and that was deleted.
const RENAMED: Duration = Duration::from_mins(5);
const DELETED: Duration = Duration::from_secs(30);
/// Files without a name that are kept open; of more, the stillest are closed.
const NAMELESS: usize = 256;
/// How long to wait after a failure.
const RETRY: Duration = Duration::from_millis(500);

/// A file's device and inode.
type Identity = (u64, u64);

fn identity(meta: &Metadata) -> Identity {
    (meta.dev(), meta.ino())
}

/// A file that is followed.
struct Followed {
    file: File,
    identity: Identity,
    /// Its name, or the last one that was looked for.
    path: PathBuf,
    counts: Counts,
    /// `,"source":…`.
    source: Vec<u8>,
    /// The name that records show.
    shown: PathBuf,
    /// `,"file":…,"id":…,"offset":`, once its first line is known.
    origin: Option<Vec<u8>>,
    /// Of what was read; the file may hold something else by now.
    print: Option<Print>,
    slot: Option<u32>,
    /// The first byte that is in no record yet.
    offset: u64,
    /// The bytes before the offset.
    before: Vec<u8>,
    size: u64,
    grown: Instant,
    /// What was there, and what could still come, when it was read last.
    seen: Option<(u64, Rest)>,
    /// Whether no wanted name leads to it.
    is_nameless: bool,
}

impl Followed {
    fn new(file: File, path: PathBuf, offset: u64, settings: &Settings, meter: &Meter) -> io::Result<Self> {
        let meta = file.metadata()?;
        let mut source = b",\"source\":".to_vec();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        append_text(&mut source, settings.flags.source.as_deref().unwrap_or(&name));
        let mut followed = Self {
            identity: identity(&meta),
            counts: meter.counts(&path),
            source,
            shown: path.clone(),
            path,
            origin: None,
            print: None,
            slot: None,
            offset,
            before: Vec::new(),
            size: 0,
            grown: Instant::now(),
            seen: None,
            is_nameless: false,
            file,
        };
        followed.look_before();
        Ok(followed)
    }

    /// Remembers what stands before the offset.
    fn look_before(&mut self) {
        let length = usize::try_from(self.offset).unwrap_or(BEFORE).min(BEFORE);
        let mut before = vec![0; length];
        let start = self.offset - length as u64;
        // A shorter file was truncated, and the next look at it says so.
        if read_at(&self.file, &mut before, start).is_ok_and(|read| read == length) {
            self.before = before;
        }
    }

    /// Makes what records show of the file.
    fn identify(&mut self, print: Print) {
        let mut origin = b",\"file\":".to_vec();
        append_text(&mut origin, &self.shown.to_string_lossy());
        origin.extend_from_slice(b",\"id\":");
        append_text(&mut origin, &format!("{:x}-{}", self.identity.1, print.shown()));
        origin.extend_from_slice(b",\"offset\":");
        self.origin = Some(origin);
        self.print = Some(print);
    }

    fn rest(&self, flush: Duration) -> Rest {
        let still = self.grown.elapsed();
        if self.is_nameless && still >= STILL {
            Rest::Closed
        } else if still >= flush {
            Rest::Idle
        } else {
            Rest::Growing
        }
    }

    /// Whether a file holds what was read of this one: it is the copy that was made before truncating.
    fn is_copied_by(&self, other: &File, print: &Print) -> bool {
        let Ok(meta) = other.metadata() else { return false };
        let end = meta.len().min(self.offset);
        let length = end.min(BEFORE as u64);
        let window = |file: &File| {
            let mut bytes = vec![0; usize::try_from(length).unwrap_or_default()];
            read_at(file, &mut bytes, end - length)
                .ok()
                .map(|read| (read, bytes))
        };
        if end == 0 || !print.matches(other) {
            return false;
        }
        if end == self.offset {
            return window(other).is_some_and(|(_, bytes)| bytes == self.before);
        }
        window(other) == window(&self.file)
    }
}

/// What one reading of a file came to.
enum Read {
    /// There was nothing new.
    Still,
    Moved,
    /// It is not what it was.
    Truncated,
}

/// Every file that is followed.
pub struct Tail {
    settings: Arc<Settings>,
    meter: Arc<Meter>,
    output: Output,
    stop: Arc<Stop>,
    files: Vec<Followed>,
    /// Files that hold what another one held when it was read.
    copies: BTreeSet<Identity>,
    /// Files that could not be opened: each is said once.
    unreadable: BTreeSet<PathBuf>,
    buffer: Vec<u8>,
    lines: Lines,
}

impl Tail {
    pub fn new(settings: Arc<Settings>, meter: Arc<Meter>, output: Output, stop: Arc<Stop>) -> Self {
        let size = BUFFER.max(2 * settings.framing.record);
        Self {
            settings,
            meter,
            output,
            stop,
            files: Vec::new(),
            copies: BTreeSet::new(),
            unreadable: BTreeSet::new(),
            buffer: vec![0; size + BEFORE],
            lines: Lines::default(),
        }
    }

    /// Follows until it is told to stop and has read what is there, or the output is gone.
    pub fn run(mut self) -> anyhow::Result<()> {
        let poll = self.settings.flags.poll;
        let mut looked = Instant::now();
        self.begin()?;
        loop {
            if looked.elapsed() >= poll {
                self.look()?;
                looked = Instant::now();
            }
            let has_moved = self.read_all(None)?;
            if let Some(deadline) = self.stop.deadline() {
                if (!has_moved && !self.waits()) || Instant::now() >= deadline {
                    break;
                }
                if !has_moved {
                    thread::park_timeout(poll.min(Duration::from_millis(50)));
                }
            } else if !has_moved {
                thread::park_timeout(poll.saturating_sub(looked.elapsed()));
            }
        }
        if self.output.journal().is_none() {
            // Nobody will go on here.
            self.read_all(Some(Rest::Closed))?;
        }
        Ok(())
    }

    /// Whether a record waits for what may belong to it.
    fn waits(&self) -> bool {
        let has_several_lines = self.settings.framing.begin.is_some() || self.settings.framing.cri;
        let flush = self.settings.flags.flush;
        has_several_lines
            && self
                .files
                .iter()
                .any(|file| file.size > file.offset && file.rest(flush) == Rest::Growing)
    }

    /// Reads every file, those without a name first; says whether anything came.
    fn read_all(&mut self, rest: Option<Rest>) -> anyhow::Result<bool> {
        let mut has_moved = false;
        let mut places: Vec<usize> = (0..self.files.len()).collect();
        places.sort_by_key(|place| !self.files[*place].is_nameless);
        for place in places {
            match self.read(place, rest) {
                Ok(Read::Still) => {}
                Ok(Read::Moved) => has_moved = true,
                Ok(Read::Truncated) => {
                    self.truncated(place)?;
                    has_moved = true;
                }
                Err(Failure::Input(error)) => self.warn_once(place, &error),
                Err(Failure::Output(error)) => return Err(error),
            }
        }
        Ok(has_moved)
    }

    fn warn_once(&mut self, place: usize, error: &io::Error) {
        let path = &self.files[place].path;
        if self.unreadable.insert(path.clone()) {
            log::warning(
                "file not readable",
                json!({ "file": path.to_string_lossy(), "reason": error.to_string() }),
            );
        }
    }

    fn read(&mut self, place: usize, forced: Option<Rest>) -> Result<Read, Failure> {
        let file = &mut self.files[place];
        let size = file.file.metadata().map_err(Failure::Input)?.len();
        if size != file.size {
            file.size = size;
            file.grown = Instant::now();
        }
        if size < file.offset {
            return Ok(Read::Truncated);
        }
        let rest = forced.unwrap_or_else(|| file.rest(self.settings.flags.flush));
        if size == file.offset || file.seen == Some((size, rest)) {
            return Ok(Read::Still);
        }
        file.seen = Some((size, rest));
        let mut outcome = Read::Still;
        for _ in 0..TURNS {
            let file = &self.files[place];
            let lead = file.before.len();
            let start = file.offset - lead as u64;
            let read = read_at(&file.file, &mut self.buffer, start).map_err(Failure::Input)?;
            if read < lead || self.buffer[..lead] != file.before {
                return Ok(Read::Truncated);
            }
            let is_full = read == self.buffer.len();
            let end = self.format(place, read, if is_full { Rest::Growing } else { rest })?;
            if end > lead {
                self.hand_on(place, end)?;
                outcome = Read::Moved;
            }
            if end == lead || (!is_full && self.lines.bytes.len() < BATCH) {
                return Ok(outcome);
            }
        }
        // Others have their turn, then this one again.
        self.files[place].seen = None;
        Ok(outcome)
    }

    /// Makes lines of the records in the buffer; says where the first byte is that is in none.
    fn format(&mut self, place: usize, read: usize, rest: Rest) -> Result<usize, Failure> {
        let file = &mut self.files[place];
        let bytes = &self.buffer[..read];
        let lead = file.before.len();
        let start = file.offset - lead as u64;
        self.lines.bytes.clear();
        self.lines.ends.clear();
        let mut at = lead;
        let Some(mut frame) = self.settings.framing.first(bytes, at, rest) else {
            // A hole may be longer than the buffer.
            let is_full = read == self.buffer.len();
            let hole = bytes[at..].iter().take_while(|byte| **byte == 0).count();
            return Ok(if is_full { at + hole } else { at });
        };
        if file.origin.is_none() {
            let print = Print::of(&file.file).map_err(Failure::Input)?;
            file.identify(print);
            if file.slot.is_none() {
                let kept = || Kept {
                    path: file.path.clone(),
                    inode: file.identity.1,
                    print,
                    offset: file.offset,
                };
                file.slot = self.output.follow(kept).map_err(Failure::output)?;
            }
        }
        let mut now = Vec::with_capacity(24);
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        instant::append_milliseconds(&mut now, u64::try_from(since.as_millis()).unwrap_or_default());
        let mut unparsed = 0;
        loop {
            let origin = Origin {
                source: &file.source,
                file: file.origin.as_deref().unwrap_or_default(),
                offset: start + frame.start as u64,
                read: &now,
                cut: frame.cut,
            };
            let record = &bytes[frame.start..frame.end];
            if !self.settings.shape.append(&mut self.lines.bytes, record, origin) {
                unparsed += 1;
            }
            at = frame.next;
            self.lines.ends.push((self.lines.bytes.len(), start + at as u64));
            if self.lines.bytes.len() >= BATCH {
                break;
            }
            match self.settings.framing.first(bytes, at, rest) {
                Some(next) => frame = next,
                None => break,
            }
        }
        file.counts.unparsed.inc_by(unparsed);
        Ok(at)
    }

    /// Hands the lines on; the file is then read up to `end` of the buffer.
    fn hand_on(&mut self, place: usize, end: usize) -> Result<(), Failure> {
        let file = &mut self.files[place];
        let lead = file.before.len();
        if !self.lines.ends.is_empty() {
            while let Err(error) = self.output.write(&self.lines, file.slot) {
                let is_over = self
                    .stop
                    .deadline()
                    .is_some_and(|deadline| Instant::now() >= deadline);
                if !self.output.may_recover() || is_over {
                    return Err(Failure::output(error));
                }
                if self.meter.set_failure(Some(error.to_string())) {
                    log::warning("output not written", json!({ "reason": error.to_string() }));
                }
                thread::sleep(RETRY);
            }
            if self.meter.set_failure(None) {
                log::info("output written again", json!({}));
            }
        }
        file.counts.records.inc_by(self.lines.ends.len() as u64);
        file.counts.bytes.inc_by((end - lead) as u64);
        file.offset += (end - lead) as u64;
        file.before = self.buffer[end.saturating_sub(BEFORE)..end].to_vec();
        Ok(())
    }

    /// The file begins anew. What was not read of it may be in a copy.
    fn truncated(&mut self, place: usize) -> anyhow::Result<()> {
        let copy = self.find_copy(place);
        let file = &mut self.files[place];
        log::info(
            "file truncated",
            json!({
                "file": file.path.to_string_lossy(), "read": file.offset,
                "copy": copy.as_ref().map(|(path, _)| path.to_string_lossy()),
            }),
        );
        let (offset, slot, origin) = (file.offset, file.slot.take(), file.origin.take());
        let print = file.print.take();
        file.offset = 0;
        file.before.clear();
        file.seen = None;
        file.size = 0;
        file.grown = Instant::now();
        let shown = file.shown.clone();
        if let Some((path, copy)) = copy {
            let mut followed = Followed::new(copy, path, offset, &self.settings, &self.meter)?;
            followed.is_nameless = true;
            followed.shown = shown;
            followed.origin = origin;
            followed.print = print;
            followed.counts = self.files[place].counts.clone();
            followed.source.clone_from(&self.files[place].source);
            let print = Print::of(&followed.file)?;
            followed.slot = self.output.follow(|| Kept {
                path: followed.path.clone(),
                inode: followed.identity.1,
                print,
                offset,
            })?;
            self.copies.insert(followed.identity);
            self.files.push(followed);
        }
        if let (Some(slot), Some(journal)) = (slot, self.output.journal()) {
            journal.forget(slot)?;
        }
        Ok(())
    }

    /// The newest file beside another that holds all that was read of it.
    fn find_copy(&self, place: usize) -> Option<(PathBuf, File)> {
        let original = &self.files[place];
        if original.offset == 0 || original.before.is_empty() {
            return None;
        }
        let mut found: Vec<_> = siblings(&original.path)
            .into_iter()
            .filter(|(_, meta)| meta.len() >= original.offset && !self.is_followed(identity(meta)))
            .collect();
        found.sort_by_key(|(_, meta)| meta.modified().ok());
        found.into_iter().rev().find_map(|(path, _)| {
            let copy = File::open(&path).ok()?;
            let mut bytes = vec![0; original.before.len()];
            let start = original.offset - bytes.len() as u64;
            let read = read_at(&copy, &mut bytes, start).ok()?;
            (read == bytes.len() && bytes == original.before).then_some((path, copy))
        })
    }

    fn is_followed(&self, identity: Identity) -> bool {
        self.files.iter().any(|file| file.identity == identity)
    }

    /// Takes up what is kept, then what is there.
    fn begin(&mut self) -> anyhow::Result<()> {
        let (mut kept, is_new) = match self.output.journal() {
            Some(journal) => (journal.kept(), !journal.has_begun()),
            None => (Vec::new(), true),
        };
        let at_end = is_new && self.settings.flags.from == From::End;
        let mut others = Vec::new();
        for path in expand(&self.settings.flags.files) {
            let Some((file, meta)) = self.open(&path) else {
                continue;
            };
            if self.is_followed(identity(&meta)) {
                continue;
            }
            let known = kept.iter().position(|(_, kept)| {
                kept.inode == meta.ino() && kept.path.parent() == path.parent() && kept.print.matches(&file)
            });
            match known {
                Some(known) => {
                    let (slot, kept) = kept.swap_remove(known);
                    self.resume(file, path, slot, &kept)?;
                }
                None => others.push((file, path)),
            }
        }
        let mut rotated = Vec::new();
        for (slot, kept) in kept {
            match self.find_kept(&kept) {
                Some((path, file)) => {
                    log::info(
                        "rotated file found",
                        json!({ "file": path.to_string_lossy(), "was": kept.path.to_string_lossy() }),
                    );
                    let place = self.resume(file, kept.path.clone(), slot, &kept)?;
                    self.files[place].is_nameless = true;
                    rotated.push(place);
                }
                None => self.gone(slot, &kept)?,
            }
        }
        for place in rotated {
            self.find_missed(place)?;
        }
        for (file, path) in others {
            if self.is_copy(&path, &file) {
                continue;
            }
            let offset = if at_end { last_line(&file)? } else { 0 };
            self.follow(file, path, offset)?;
        }
        if at_end {
            for file in self.files.iter_mut().filter(|file| file.slot.is_none()) {
                let print = Print::of(&file.file)?;
                file.identify(print);
                file.slot = self.output.follow(|| Kept {
                    path: file.path.clone(),
                    inode: file.identity.1,
                    print,
                    offset: file.offset,
                })?;
            }
        }
        if let Some(journal) = self.output.journal() {
            journal.begin()?;
        }
        log::info("following", json!({ "files": self.files.len() }));
        Ok(())
    }

    fn open(&mut self, path: &Path) -> Option<(File, Metadata)> {
        let is_file = fs::metadata(path).is_ok_and(|meta| meta.is_file());
        if !is_file {
            return None;
        }
        let opened = File::open(path).and_then(|file| Ok((file.metadata()?, file)));
        match opened {
            Ok((meta, file)) => {
                self.unreadable.remove(path);
                Some((file, meta))
            }
            Err(error) => {
                // One that was renamed meanwhile is found by its next name.
                if error.kind() != io::ErrorKind::NotFound && self.unreadable.insert(path.to_owned()) {
                    log::warning(
                        "file not readable",
                        json!({ "file": path.to_string_lossy(), "reason": error.to_string() }),
                    );
                }
                None
            }
        }
    }

    fn follow(&mut self, file: File, path: PathBuf, offset: u64) -> io::Result<()> {
        if self.files.len() >= names::LIMIT {
            return Ok(());
        }
        log::info(
            "file found",
            json!({ "file": path.to_string_lossy(), "offset": offset }),
        );
        self.files
            .push(Followed::new(file, path, offset, &self.settings, &self.meter)?);
        Ok(())
    }

    /// Goes on with a file that is kept.
    fn resume(&mut self, file: File, path: PathBuf, slot: u32, kept: &Kept) -> io::Result<usize> {
        let mut followed = Followed::new(file, path, kept.offset, &self.settings, &self.meter)?;
        followed.shown.clone_from(&kept.path);
        if followed.identity.1 == kept.inode {
            followed.slot = Some(slot);
        } else {
            // A copy; the original's place is taken by something new.
            followed.slot = self.output.follow(|| Kept {
                inode: followed.identity.1,
                ..kept.clone()
            })?;
            self.copies.insert(followed.identity);
            if let Some(journal) = self.output.journal() {
                journal.forget(slot)?;
            }
        }
        followed.identify(kept.print);
        log::info(
            "file resumed",
            json!({ "file": followed.path.to_string_lossy(), "offset": followed.offset }),
        );
        self.files.push(followed);
        Ok(self.files.len() - 1)
    }

    /// A kept file under another name, or the copy that was made before it was truncated.
    fn find_kept(&self, kept: &Kept) -> Option<(PathBuf, File)> {
        let folder = kept.path.parent()?;
        let entries = fs::read_dir(if folder.as_os_str().is_empty() {
            Path::new(".")
        } else {
            folder
        });
        let renamed = entries.ok()?.flatten().find_map(|entry| {
            let path = entry.path();
            let meta = entry.metadata().ok().filter(Metadata::is_file)?;
            if meta.ino() != kept.inode || self.is_followed(identity(&meta)) || is_compressed(&path) {
                return None;
            }
            let file = File::open(&path).ok()?;
            kept.print.matches(&file).then_some((path, file))
        });
        renamed.or_else(|| {
            let mut copies = siblings(&kept.path);
            copies.retain(|(_, meta)| meta.len() >= kept.offset && !self.is_followed(identity(meta)));
            copies.sort_by_key(|(_, meta)| meta.modified().ok());
            copies.into_iter().rev().find_map(|(path, _)| {
                let file = File::open(&path).ok()?;
                kept.print.matches(&file).then_some((path, file))
            })
        })
    }

    fn gone(&mut self, slot: u32, kept: &Kept) -> io::Result<()> {
        log::info(
            "file gone",
            json!({ "file": kept.path.to_string_lossy(), "read": kept.offset }),
        );
        match self.output.journal() {
            Some(journal) => journal.forget(slot),
            None => Ok(()),
        }
    }

    /// Finds files that had the name of a rotated one after it, and lost it before they were seen.
    fn find_missed(&mut self, place: usize) -> io::Result<()> {
        let rotated = &self.files[place];
        let Ok(meta) = rotated.file.metadata() else {
            return Ok(());
        };
        let path = rotated.path.clone();
        let mut missed = siblings(&path);
        missed.retain(|(_, other)| {
            let identity = identity(other);
            is_younger(other, &meta) && !self.is_followed(identity) && !self.copies.contains(&identity)
        });
        missed.sort_by_key(|(_, meta)| meta.modified().ok());
        for (_, (file, name)) in missed
            .into_iter()
            .filter_map(|(name, meta)| Some((meta, (File::open(&name).ok()?, name))))
        {
            if self.is_copy(&name, &file) {
                continue;
            }
            log::info(
                "rotated file found",
                json!({ "file": name.to_string_lossy(), "was": path.to_string_lossy() }),
            );
            self.follow(file, path.clone(), 0)?;
            if let Some(file) = self.files.last_mut() {
                file.is_nameless = true;
            }
        }
        Ok(())
    }

    /// Whether a new file is the copy of a followed one, which is about to be truncated.
    fn is_copy(&mut self, path: &Path, file: &File) -> bool {
        let Ok(meta) = file.metadata() else { return false };
        let identity = identity(&meta);
        if self.copies.contains(&identity) {
            return true;
        }
        let is_copy = self.files.iter().any(|original| {
            original.offset > 0
                && original.identity != identity
                && original.path.parent() == path.parent()
                && is_rotated_name(&base_name(&original.path), &base_name(path))
                && original
                    .print
                    .is_some_and(|print| original.is_copied_by(file, &print))
        });
        if is_copy {
            self.copies.insert(identity);
        }
        is_copy
    }

    /// Looks who has which name now.
    fn look(&mut self) -> anyhow::Result<()> {
        let mut named = BTreeSet::new();
        for path in expand(&self.settings.flags.files) {
            let Ok(meta) = fs::metadata(&path) else { continue };
            let found = identity(&meta);
            if self.copies.contains(&found) || !named.insert(found) {
                continue;
            }
            if let Some(file) = self.files.iter_mut().find(|file| file.identity == found) {
                file.path = path;
                file.is_nameless = false;
                continue;
            }
            let Some((file, meta)) = self.open(&path) else {
                continue;
            };
            if identity(&meta) == found && !self.is_copy(&path, &file) {
                self.follow(file, path, 0)?;
            }
        }
        let mut rotated = Vec::new();
        for (place, file) in self.files.iter_mut().enumerate() {
            if !file.is_nameless && !named.contains(&file.identity) {
                file.is_nameless = true;
                rotated.push(place);
                log::info("file rotated", json!({ "file": file.path.to_string_lossy() }));
            }
        }
        for place in rotated {
            self.find_missed(place)?;
        }
        self.close_finished()?;
        for file in &self.files {
            let lag = file.size.saturating_sub(file.offset);
            file.counts.lag.set(i64::try_from(lag).unwrap_or(i64::MAX));
        }
        Ok(())
    }

    /// Closes files without a name of which nothing more is to come.
    fn close_finished(&mut self) -> io::Result<()> {
        let nameless = self.files.iter().filter(|file| file.is_nameless).count();
        let mut surplus = nameless.saturating_sub(NAMELESS);
        let mut closed = Vec::new();
        for (place, file) in self.files.iter().enumerate() {
            if !file.is_nameless || file.offset < file.size {
                continue;
            }
            let is_deleted = file.file.metadata().is_ok_and(|meta| meta.nlink() == 0);
            let patience = if is_deleted { DELETED } else { RENAMED };
            if file.grown.elapsed() >= patience || surplus > 0 {
                surplus = surplus.saturating_sub(1);
                closed.push(place);
            }
        }
        for place in closed.into_iter().rev() {
            let file = self.files.remove(place);
            log::info("file closed", json!({ "file": file.path.to_string_lossy() }));
            // What shows which files are younger, or which are copies, is kept as long as it may be of use.
            let is_followed_by_another = self
                .files
                .iter()
                .any(|other| other.slot.is_some() && other.shown == file.shown);
            if is_followed_by_another
                && !self.copies.contains(&file.identity)
                && let (Some(slot), Some(journal)) = (file.slot, self.output.journal())
            {
                journal.forget(slot)?;
            }
        }
        Ok(())
    }
}

/// Why reading did not go on.
enum Failure {
    Input(io::Error),
    Output(anyhow::Error),
}

impl Failure {
    fn output(error: io::Error) -> Self {
        Self::Output(anyhow::Error::new(error).context("failed to write the records"))
    }
}

/// Files beside another whose names are its name, a separator, and something with a digit: `app.log.1`.
fn siblings(path: &Path) -> Vec<(PathBuf, Metadata)> {
    let name = base_name(path);
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| {
            let other = entry.file_name();
            is_rotated_name(&name, &other.to_string_lossy()) && !is_compressed(Path::new(&other))
        })
        .filter_map(|entry| Some((entry.path(), entry.metadata().ok().filter(Metadata::is_file)?)))
        .collect()
}

fn base_name(path: &Path) -> String {
    path.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

fn is_rotated_name(name: &str, other: &str) -> bool {
    other
        .strip_prefix(name)
        .is_some_and(|end| end.starts_with(['.', '-', '_']) && end.bytes().any(|byte| byte.is_ascii_digit()))
}

/// Whether a file was made after another.
fn is_younger(file: &Metadata, other: &Metadata) -> bool {
    match (file.created(), other.created()) {
        (Ok(file), Ok(other)) => file >= other,
        _ => file.modified().ok() >= other.modified().ok(),
    }
}

/// The offset after the last whole line.
fn last_line(file: &File) -> io::Result<u64> {
    let size = file.metadata()?.len();
    let length = size.min(256 * 1024);
    let mut bytes = vec![0; usize::try_from(length).unwrap_or_default()];
    let read = read_at(file, &mut bytes, size - length)?;
    let end = memchr::memrchr(b'\n', &bytes[..read]).map_or(0, |end| end + 1);
    Ok(size - length + end as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_rotated_files() {
        for other in ["app.log.1", "app.log-20260102", "app.log.2026-01-02"] {
            assert!(is_rotated_name("app.log", other), "{other}");
        }
        for other in ["app.log", "app.log2", "app.log.tmp", "other.log.1"] {
            assert!(!is_rotated_name("app.log", other), "{other}");
        }
    }
}
