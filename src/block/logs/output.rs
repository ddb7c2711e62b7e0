//! Hands lines to whoever reads them, and keeps how far that is.
//!
//! A file is appended to in three steps: the lines are put aside, the journal says that they will be in the output
//! and the input is read so far, the output gets them. A block killed between two steps finishes the last one when it
//! starts again, so every line is in the output once, and no line that a reader saw is ever taken back.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

use anyhow::Context;

use super::position::{Batch, Journal, Kept, digest, read_at};

/// What a pipe takes whole or not at all.
const ATOMIC: usize = 4096;

/// Lines of one file, and where it goes on after each.
#[derive(Debug, Default)]
pub struct Lines {
    pub bytes: Vec<u8>,
    /// The end of each line, and the offset in its file that follows its record.
    pub ends: Vec<(usize, u64)>,
}

/// Where lines go.
#[derive(Debug)]
pub struct Output {
    journal: Option<Journal>,
    place: Place,
}

#[derive(Debug)]
enum Place {
    Stream(File),
    Kept(Appended),
}

/// The output as a file.
#[derive(Debug)]
struct Appended {
    path: PathBuf,
    file: File,
    inode: u64,
    /// Where lines are put aside.
    aside: File,
    /// The output's length before the lines that are being appended.
    start: Option<u64>,
}

impl Output {
    /// Lines go to stdout.
    pub fn stream(journal: Option<Journal>) -> anyhow::Result<Self> {
        let stdout = io::stdout()
            .as_fd()
            .try_clone_to_owned()
            .context("failed to open stdout")?;
        Ok(Self {
            journal,
            place: Place::Stream(File::from(stdout)),
        })
    }

    /// Lines go to a file; what was being appended is finished first.
    pub fn file(path: &Path, position: &Path, mut journal: Journal) -> anyhow::Result<Self> {
        let context = || format!("failed to open the output `{}`", path.display());
        let (file, inode) = open(path).with_context(context)?;
        let mut name = position.as_os_str().to_owned();
        name.push(".batch");
        let aside = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&name)
            .with_context(context)?;
        if let Some(batch) = journal.open_batch() {
            let mut lines = vec![0; usize::try_from(batch.length).unwrap_or_default()];
            let read = read_at(&aside, &mut lines, 0).with_context(context)?;
            if read == lines.len() && digest(&lines) == batch.digest {
                let length = file.metadata().with_context(context)?.len();
                // In another file there is nothing of the batch.
                let start = if inode == batch.inode && length >= batch.start {
                    batch.start
                } else {
                    length
                };
                complete(&file, start, &lines).with_context(context)?;
            }
            journal.done().with_context(context)?;
        }
        Ok(Self {
            journal: Some(journal),
            place: Place::Kept(Appended {
                path: path.to_owned(),
                file,
                inode,
                aside,
                start: None,
            }),
        })
    }

    /// What is kept of files.
    pub fn journal(&mut self) -> Option<&mut Journal> {
        self.journal.as_mut()
    }

    /// Keeps another file.
    pub fn follow(&mut self, kept: impl FnOnce() -> Kept) -> io::Result<Option<u32>> {
        self.journal
            .as_mut()
            .map(|journal| journal.follow(kept()))
            .transpose()
    }

    /// Whether it makes sense to try again after a failure.
    pub fn may_recover(&self) -> bool {
        matches!(self.place, Place::Kept(_))
    }

    /// Writes lines, and keeps that the file of the slot is read so far. After a failure the same call goes on.
    pub fn write(&mut self, lines: &Lines, slot: Option<u32>) -> io::Result<()> {
        match (&mut self.place, &mut self.journal, slot) {
            (Place::Stream(out), Some(journal), Some(slot)) => {
                let mut start = 0;
                for (place, (end, offset)) in lines.ends.iter().enumerate() {
                    let next = lines.ends.get(place + 1).map(|(end, _)| *end);
                    if next.is_none_or(|next| next - start > ATOMIC) {
                        out.write_all(&lines.bytes[start..*end])?;
                        journal.advance(slot, *offset)?;
                        start = *end;
                    }
                }
                Ok(())
            }
            (Place::Stream(out), _, _) => out.write_all(&lines.bytes),
            (Place::Kept(appended), Some(journal), Some(slot)) => {
                let Some((_, offset)) = lines.ends.last() else {
                    return Ok(());
                };
                appended.append(journal, &lines.bytes, slot, *offset)
            }
            (Place::Kept(_), _, _) => Err(io::Error::other("the output has no position")),
        }
    }
}

impl Appended {
    fn append(&mut self, journal: &mut Journal, lines: &[u8], slot: u32, offset: u64) -> io::Result<()> {
        let start = if let Some(start) = self.start {
            start
        } else {
            // The output may be rotated too.
            if fs::metadata(&self.path).map(|meta| meta.ino()).ok() != Some(self.inode) {
                (self.file, self.inode) = open(&self.path)?;
            }
            self.aside.write_all_at(lines, 0)?;
            let start = self.file.metadata()?.len();
            let batch = Batch {
                inode: self.inode,
                start,
                length: lines.len() as u64,
                digest: digest(lines),
            };
            journal.intend(batch, slot, offset)?;
            self.start = Some(start);
            start
        };
        complete(&self.file, start, lines)?;
        journal.done()?;
        self.start = None;
        Ok(())
    }
}

fn open(path: &Path) -> io::Result<(File, u64)> {
    let file = OpenOptions::new().append(true).create(true).open(path)?;
    let inode = file.metadata()?.ino();
    Ok((file, inode))
}

/// Appends what is missing of the lines that begin at `start`.
fn complete(mut file: &File, start: u64, lines: &[u8]) -> io::Result<()> {
    loop {
        let there = file.metadata()?.len().saturating_sub(start);
        let missing = usize::try_from(there).ok().and_then(|there| lines.get(there..));
        match missing {
            None | Some([]) => return Ok(()),
            Some(missing) => match file.write(missing) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
                _ => {}
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block::logs::position::Print;

    struct Folder(tempfile::TempDir);

    impl Folder {
        fn path(&self, name: &str) -> PathBuf {
            self.0.path().join(name)
        }

        fn output(&self) -> Output {
            let position = self.path("position");
            let journal = Journal::open(&position).unwrap();
            Output::file(&self.path("out"), &position, journal).unwrap()
        }

        fn read(&self) -> String {
            fs::read_to_string(self.path("out")).unwrap()
        }
    }

    fn lines(text: &str, offset: u64) -> Lines {
        Lines {
            bytes: text.as_bytes().to_vec(),
            ends: vec![(text.len(), offset)],
        }
    }

    fn slot(folder: &Folder, output: &mut Output) -> Option<u32> {
        let print = Print::of(&File::open(folder.path("out")).unwrap()).unwrap();
        let kept = || Kept {
            path: PathBuf::from("a"),
            inode: 1,
            print,
            offset: 0,
        };
        output.follow(kept).unwrap()
    }

    #[test]
    fn a_batch_is_finished_wherever_it_was_left() {
        let batch = "{\"b\":1}\n{\"b\":2}\n";
        for written in 0..=batch.len() {
            let folder = Folder(tempfile::tempdir().unwrap());
            let mut output = folder.output();
            let slot = slot(&folder, &mut output);
            output.write(&lines("{\"a\":1}\n", 5), slot).unwrap();
            // As far as a killed block may have come.
            fs::write(folder.path("position.batch"), batch).unwrap();
            let meta = fs::metadata(folder.path("out")).unwrap();
            let intent = Batch {
                inode: meta.ino(),
                start: meta.len(),
                length: batch.len() as u64,
                digest: digest(batch.as_bytes()),
            };
            let journal = output.journal().unwrap();
            journal.intend(intent, slot.unwrap(), 9).unwrap();
            drop(output);
            let (mut file, _) = open(&folder.path("out")).unwrap();
            file.write_all(&batch.as_bytes()[..written]).unwrap();

            for _ in 0..2 {
                let mut output = folder.output();
                assert_eq!(
                    folder.read(),
                    format!("{{\"a\":1}}\n{batch}"),
                    "after {written} bytes"
                );
                let kept = output.journal().unwrap().kept();
                assert_eq!(kept[0].1.offset, 9);
            }
        }
    }

    #[test]
    fn an_output_that_was_moved_away_is_begun_anew() {
        let folder = Folder(tempfile::tempdir().unwrap());
        let mut output = folder.output();
        let slot = slot(&folder, &mut output);
        output.write(&lines("a\n", 1), slot).unwrap();
        fs::rename(folder.path("out"), folder.path("out.1")).unwrap();
        output.write(&lines("b\n", 2), slot).unwrap();
        drop(output);
        let mut output = folder.output();
        output.write(&lines("c\n", 3), slot).unwrap();
        assert_eq!(folder.read(), "b\nc\n");
        assert_eq!(fs::read_to_string(folder.path("out.1")).unwrap(), "a\n");
    }
}
