//! A log of requests as a file, in the combined format that web servers write, with rotation.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::net::IpAddr;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use anyhow::Context;
use serde_json::json;

use super::log::{self, Timestamp};

/// Files that were moved away and are kept: `PATH.1` is the newest.
const KEPT: u32 = 9;

/// What a new file begins with.
const HEAD: &[u8] = b"# requests, in the combined format\n";

/// A request that was answered.
#[derive(Debug)]
pub struct Request<'a> {
    pub client: IpAddr,
    /// Method, target and version.
    pub line: &'a [u8],
    pub status: u16,
    pub bytes: u64,
    pub referer: Option<&'a [u8]>,
    pub agent: Option<&'a [u8]>,
}

/// The file. What moves it away need not tell: it is looked for before each line.
#[derive(Debug)]
pub struct AccessLog {
    path: PathBuf,
    /// Above it, the file is moved away; 0 is never.
    size: u64,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    file: File,
    inode: u64,
    /// Whether the last line could not be written.
    failed: bool,
}

impl AccessLog {
    /// Appends to this file.
    pub fn open(path: &Path, size: u64) -> anyhow::Result<Self> {
        let (file, inode) =
            open(path).with_context(|| format!("failed to open the log file `{}`", path.display()))?;
        let state = Mutex::new(State {
            file,
            inode,
            failed: false,
        });
        Ok(Self {
            path: path.to_owned(),
            size,
            state,
        })
    }

    /// Appends a line. When that fails, it is said once, and the application goes on.
    pub fn append(&self, request: &Request) {
        let mut line = Vec::with_capacity(256);
        render(&mut line, request, Timestamp::now());
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let written = self.write(&mut state, &line);
        if let Err(error) = &written
            && !state.failed
        {
            log::warning("log file not written", json!({ "reason": error.to_string() }));
        }
        state.failed = written.is_err();
    }

    fn write(&self, state: &mut State, line: &[u8]) -> io::Result<()> {
        if fs::metadata(&self.path).map(|meta| meta.ino()).ok() != Some(state.inode) {
            (state.file, state.inode) = open(&self.path)?;
        }
        state.file.write_all(line)?;
        if self.size > 0 && state.file.metadata()?.len() > self.size {
            self.rotate()?;
        }
        Ok(())
    }

    fn rotate(&self) -> io::Result<()> {
        for number in (1..KEPT).rev() {
            match fs::rename(self.moved(number), self.moved(number + 1)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        fs::rename(&self.path, self.moved(1))
    }

    fn moved(&self, number: u32) -> PathBuf {
        let mut name = self.path.as_os_str().to_owned();
        name.push(format!(".{number}"));
        PathBuf::from(name)
    }
}

fn open(path: &Path) -> io::Result<(File, u64)> {
    let mut file = OpenOptions::new().append(true).create(true).open(path)?;
    let meta = file.metadata()?;
    if meta.len() == 0 {
        file.write_all(HEAD)?;
    }
    Ok((file, meta.ino()))
}

fn render(line: &mut Vec<u8>, request: &Request, now: Timestamp) {
    line.extend_from_slice(request.client.to_canonical().to_string().as_bytes());
    line.extend_from_slice(b" - - [");
    now.append_to_access_log(line);
    line.extend_from_slice(b"] \"");
    escape(line, request.line);
    line.extend_from_slice(b"\" ");
    log::append_number(line, u64::from(request.status));
    line.push(b' ');
    log::append_number(line, request.bytes);
    for text in [request.referer, request.agent] {
        line.extend_from_slice(b" \"");
        escape(line, text.unwrap_or(b"-"));
        line.push(b'"');
    }
    line.push(b'\n');
}

/// What would end the text, or the line, is written as `\x22`.
fn escape(line: &mut Vec<u8>, text: &[u8]) {
    for byte in text {
        match byte {
            b'"' | b'\\' | ..=0x1f | 0x7f.. => {
                let _ = write!(line, "\\x{byte:02X}");
            }
            plain => line.push(*plain),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(line: &[u8]) -> Request<'_> {
        Request {
            client: IpAddr::from([10, 0, 0, 1]),
            line,
            status: 404,
            bytes: 12,
            referer: None,
            agent: Some(b"a \"b\"\n"),
        }
    }

    #[test]
    fn a_line_is_one_line_whatever_was_asked() {
        let mut line = Vec::new();
        render(&mut line, &request(b"GET /a HTTP/1.1"), Timestamp::now());
        let text = String::from_utf8(line).unwrap();
        let (head, tail) = text.split_once(" - - [").unwrap();
        assert_eq!(head, "10.0.0.1");
        assert_eq!(
            &tail[26..],
            "] \"GET /a HTTP/1.1\" 404 12 \"-\" \"a \\x22b\\x22\\x0A\"\n"
        );
    }

    #[test]
    fn a_file_that_is_full_or_moved_away_is_followed_by_a_new_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let file = AccessLog::open(&path, 300).unwrap();
        let read = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap_or_default();
        let mut number = 0;
        while !folder.path().join("log.3").exists() {
            file.append(&request(format!("GET /{number}! HTTP/1.1").as_bytes()));
            number += 1;
        }
        fs::rename(&path, folder.path().join("log.4")).unwrap_err();
        file.append(&request(format!("GET /{number}! HTTP/1.1").as_bytes()));
        number += 1;
        fs::rename(&path, folder.path().join("away")).unwrap();
        file.append(&request(format!("GET /{number}! HTTP/1.1").as_bytes()));
        let all = ["log.3", "log.2", "log.1", "away", "log"].map(read);
        for part in &all {
            assert!(part.as_bytes().starts_with(HEAD), "{all:?}");
        }
        let places: Vec<_> = (0..=number)
            .map(|n| all.concat().find(&format!("/{n}!")))
            .collect();
        assert!(
            places.iter().all(Option::is_some) && places.is_sorted(),
            "{all:?}"
        );
        // The oldest goes.
        for _ in 0..60 {
            file.append(&request(b"GET / HTTP/1.1"));
        }
        assert!(folder.path().join("log.9").exists() && !folder.path().join("log.10").exists());
        assert!(!read("log.9").contains("/0!"));
    }
}
