//! Turns the running program into the one file of the block image: its bytes, its digest, and whether it can serve.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sha2::{Digest, Sha256};

use super::desired::hex;

/// Names another binary to put into images, where the running one can't serve.
pub const VARIABLE: &str = "MOTIF_BINARY";

/// A static Linux program that can be the only file of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binary {
    /// Where its bytes are.
    pub path: PathBuf,
    /// SHA-256 in hexadecimal.
    pub digest: String,
    /// Size in bytes.
    pub size: u64,
    /// Architecture, in the engine's words: `amd64`, `arm64`.
    pub architecture: &'static str,
}

/// Why a program can't be the block image.
#[derive(Debug, thiserror::Error)]
pub enum BinaryError {
    /// It can't be read.
    #[error("failed to read the program for the block image, `{}`", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It isn't a Linux program.
    #[error("`{}` is not a Linux program, so it can't run in a container", path.display())]
    NotLinux {
        /// The file.
        path: PathBuf,
    },
    /// It needs libraries that an empty image doesn't have.
    #[error("`{}` is dynamically linked (it needs `{interpreter}`), so it can't run in an empty image", path.display())]
    Dynamic {
        /// The file.
        path: PathBuf,
        /// The dynamic linker that it asks for.
        interpreter: String,
    },
    /// A processor that has no name here.
    #[error("`{}` is built for a processor that motif doesn't know (ELF machine {machine})", path.display())]
    UnknownMachine {
        /// The file.
        path: PathBuf,
        /// The number in its header.
        machine: u16,
    },
}

impl BinaryError {
    /// What to do next.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Unreadable { .. } => return None,
            Self::Dynamic { .. } => format!(
                "build motif with `cargo build --release` inside its repository, whose `.cargo/config.toml` links statically, or set `{VARIABLE}` to a static one"
            ),
            Self::NotLinux { .. } | Self::UnknownMachine { .. } => {
                format!(
                    "set `{VARIABLE}` to a static Linux `motif` of the same version, built for the engine's processor"
                )
            }
        })
    }
}

impl Binary {
    /// The running program, or the one that `MOTIF_BINARY` names.
    pub fn running() -> Result<Self, BinaryError> {
        let path = match std::env::var_os(VARIABLE).filter(|path| !path.is_empty()) {
            Some(path) => PathBuf::from(path),
            // This link opens the very program that runs, even when its file was replaced since.
            None => PathBuf::from("/proc/self/exe"),
        };
        Self::open(&path, cache_file().as_deref())
    }

    fn open(path: &Path, cache: Option<&Path>) -> Result<Self, BinaryError> {
        let unreadable = |source| BinaryError::Unreadable {
            path: path.to_owned(),
            source,
        };
        let mut file = File::open(path).map_err(unreadable)?;
        let metadata = file.metadata().map_err(unreadable)?;
        let mut head = vec![0; 64 * 1024];
        let length = read_up_to(&mut file, &mut head).map_err(unreadable)?;
        // An error names the file itself, not the link to it.
        let named = if path.starts_with("/proc") {
            fs::read_link(path).unwrap_or_else(|_| path.to_owned())
        } else {
            path.to_owned()
        };
        let architecture = inspect(&head[..length], &named)?;
        let digest = match cache {
            Some(cache) => cached_digest(&mut file, &metadata, cache, SystemTime::now()),
            None => digest(&mut file),
        }
        .map_err(unreadable)?;
        Ok(Self {
            path: path.to_owned(),
            digest,
            size: metadata.len(),
            architecture,
        })
    }

    /// The first 12 digits of the digest: what tags and volumes are named by.
    pub fn short(&self) -> &str {
        &self.digest[..12]
    }

    /// The block image's name.
    pub fn image(&self) -> String {
        format!("motif/block:{}", self.short())
    }

    /// The name of the volume that holds the binary for containers of other images.
    pub fn volume(&self) -> String {
        format!("motif-bin-{}", self.short())
    }

    /// The whole program.
    pub fn read(&self) -> Result<Vec<u8>, BinaryError> {
        fs::read(&self.path).map_err(|source| BinaryError::Unreadable {
            path: self.path.clone(),
            source,
        })
    }
}

fn read_up_to(file: &mut File, buffer: &mut [u8]) -> io::Result<usize> {
    let mut length = 0;
    while length < buffer.len() {
        match file.read(&mut buffer[length..])? {
            0 => break,
            read => length += read,
        }
    }
    Ok(length)
}

const PROGRAM_INTERPRETER: u32 = 3;

/// Reads an ELF header: the architecture, or why the program can't serve.
fn inspect(head: &[u8], path: &Path) -> Result<&'static str, BinaryError> {
    let not_linux = || BinaryError::NotLinux {
        path: path.to_owned(),
    };
    // 64 bits, little-endian, System V or Linux: what every engine's host is.
    if head.len() < 64 || !head.starts_with(b"\x7fELF\x02\x01\x01") || !matches!(head[7], 0 | 3) {
        return Err(not_linux());
    }
    let half = |at: usize| {
        head.get(at..at + 2)
            .map(|bytes| u16::from_le_bytes([bytes[0], bytes[1]]))
    };
    let word = |at: usize| {
        let bytes: [u8; 4] = head.get(at..at.checked_add(4)?)?.try_into().ok()?;
        Some(u32::from_le_bytes(bytes))
    };
    let long = |at: usize| {
        let bytes: [u8; 8] = head.get(at..at.checked_add(8)?)?.try_into().ok()?;
        usize::try_from(u64::from_le_bytes(bytes)).ok()
    };
    let machine = half(18).ok_or_else(not_linux)?;
    let architecture = match machine {
        62 => "amd64",
        183 => "arm64",
        243 => "riscv64",
        machine => {
            return Err(BinaryError::UnknownMachine {
                path: path.to_owned(),
                machine,
            });
        }
    };
    let (Some(offset), Some(size), Some(count)) = (long(32), half(54), half(56)) else {
        return Err(not_linux());
    };
    for index in 0..usize::from(count) {
        let Some(header) = offset.checked_add(index * usize::from(size)) else {
            return Err(not_linux());
        };
        // A table that points beyond the head is none that a linker writes.
        if word(header).is_none() {
            return Err(not_linux());
        }
        if word(header) == Some(PROGRAM_INTERPRETER) {
            let text = long(header.saturating_add(8))
                .zip(long(header.saturating_add(32)))
                .and_then(|(at, length)| head.get(at..at.checked_add(length)?))
                .map(|bytes| String::from_utf8_lossy(bytes).trim_end_matches('\0').to_owned());
            return Err(BinaryError::Dynamic {
                path: path.to_owned(),
                interpreter: text.unwrap_or_else(|| "a dynamic linker".to_owned()),
            });
        }
    }
    Ok(architecture)
}

fn digest(file: &mut File) -> io::Result<String> {
    file.seek(SeekFrom::Start(0))?;
    let mut hasher = Sha256::new();
    io::copy(file, &mut hasher)?;
    Ok(hex(&hasher.finalize()))
}

/// Where digests are kept between runs.
fn cache_file() -> Option<PathBuf> {
    let folder = |name| {
        std::env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    let cache = folder("XDG_CACHE_HOME").or_else(|| folder("HOME").map(|home| home.join(".cache")))?;
    Some(cache.join("motif").join("digests"))
}

/// How many programs' digests are kept.
const KEPT: usize = 16;

/// A file younger than this may still change within the same tick of its clock.
const SETTLED: Duration = Duration::from_secs(2);

/// Looks the digest up, or computes and keeps it.
///
/// The key holds the time of the last change of the inode, which no program can set: a file that
/// was replaced or written since has another key. Where the cache can't be read or written, the
/// digest is computed.
fn cached_digest(
    file: &mut File,
    metadata: &fs::Metadata,
    cache: &Path,
    now: SystemTime,
) -> io::Result<String> {
    let key = format!(
        "{}:{}:{}:{}.{:09}:{}.{:09}",
        metadata.dev(),
        metadata.ino(),
        metadata.len(),
        metadata.mtime(),
        metadata.mtime_nsec(),
        metadata.ctime(),
        metadata.ctime_nsec(),
    );
    let kept = fs::read_to_string(cache).unwrap_or_default();
    let known = kept
        .lines()
        .find_map(|line| line.strip_prefix(&key)?.strip_prefix(' '));
    if let Some(digest) =
        known.filter(|digest| digest.len() == 64 && digest.bytes().all(|byte| byte.is_ascii_hexdigit()))
    {
        return Ok(digest.to_owned());
    }
    let digest = digest(file)?;
    let changed = UNIX_EPOCH + Duration::from_secs(u64::try_from(metadata.ctime()).unwrap_or(0));
    let is_settled = now.duration_since(changed).is_ok_and(|age| age >= SETTLED);
    if is_settled {
        let lines = kept.lines().take(KEPT - 1).map(|line| format!("{line}\n"));
        let text: String = std::iter::once(format!("{key} {digest}\n"))
            .chain(lines)
            .collect();
        // Written beside and renamed, so that a reader never sees half of it; a failure costs time only.
        let beside = cache.with_extension(std::process::id().to_string());
        let _ = cache
            .parent()
            .map_or(Ok(()), fs::create_dir_all)
            .and_then(|()| fs::write(&beside, text))
            .and_then(|()| fs::rename(&beside, cache));
    }
    Ok(digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(head: &[u8], expect: &str) {
        let found = match inspect(head, Path::new("motif")) {
            Ok(architecture) => architecture.to_owned(),
            Err(error) => error.to_string(),
        };
        assert_eq!(found, expect);
    }

    /// A header with one program header of the given kind behind it, and a text behind that.
    fn elf(machine: u16, kind: u32) -> Vec<u8> {
        let mut head = vec![0; 64];
        head[..8].copy_from_slice(b"\x7fELF\x02\x01\x01\x00");
        head[18..20].copy_from_slice(&machine.to_le_bytes());
        head[32..40].copy_from_slice(&64_u64.to_le_bytes());
        head[54..56].copy_from_slice(&56_u16.to_le_bytes());
        head[56..58].copy_from_slice(&1_u16.to_le_bytes());
        let mut program = vec![0; 56];
        program[..4].copy_from_slice(&kind.to_le_bytes());
        program[8..16].copy_from_slice(&120_u64.to_le_bytes());
        program[32..40].copy_from_slice(&8_u64.to_le_bytes());
        [head, program, b"/lib/ld\0".to_vec()].concat()
    }

    #[test]
    fn only_a_static_linux_program_can_serve() {
        check(&elf(62, 1), "amd64");
        check(&elf(183, 1), "arm64");
        check(
            &elf(62, 3),
            "`motif` is dynamically linked (it needs `/lib/ld`), so it can't run in an empty image",
        );
        check(
            &elf(8, 1),
            "`motif` is built for a processor that motif doesn't know (ELF machine 8)",
        );
        check(
            b"#!/bin/sh\n",
            "`motif` is not a Linux program, so it can't run in a container",
        );
        check(
            &elf(62, 1)[..40],
            "`motif` is not a Linux program, so it can't run in a container",
        );
    }

    #[test]
    fn a_header_that_points_beyond_its_end_is_no_panic() {
        let mut head = elf(62, 3);
        head[32..40].copy_from_slice(&u64::MAX.to_le_bytes());
        check(
            &head,
            "`motif` is not a Linux program, so it can't run in a container",
        );
        let mut head = elf(62, 3);
        head[64 + 8..64 + 16].copy_from_slice(&u64::MAX.to_le_bytes());
        check(
            &head,
            "`motif` is dynamically linked (it needs `a dynamic linker`), so it can't run in an empty image",
        );
    }

    #[test]
    fn a_kept_digest_is_used_until_the_file_changes() {
        let folder = tempfile::tempdir().unwrap();
        let (program, cache) = (folder.path().join("program"), folder.path().join("cache/digests"));
        fs::write(&program, "one").unwrap();
        let later = SystemTime::now() + Duration::from_mins(1);
        let ask = |now| {
            let mut file = File::open(&program).unwrap();
            let metadata = file.metadata().unwrap();
            cached_digest(&mut file, &metadata, &cache, now).unwrap()
        };
        let one = hex(&Sha256::digest("one"));
        assert_eq!(ask(SystemTime::now()), one);
        assert!(!cache.exists(), "a file this young is not kept");
        assert_eq!(ask(later), one);
        // The proof that the cache is read: a false entry under the same key comes back.
        let false_digest = "f".repeat(64);
        let text = fs::read_to_string(&cache).unwrap();
        fs::write(&cache, text.replace(&one, &false_digest)).unwrap();
        assert_eq!(ask(later), false_digest);
        // The same size, and even the same modification time: still another file.
        let times = fs::FileTimes::new().set_modified(fs::metadata(&program).unwrap().modified().unwrap());
        fs::write(&program, "two").unwrap();
        File::options()
            .write(true)
            .open(&program)
            .unwrap()
            .set_times(times)
            .unwrap();
        assert_eq!(ask(later), hex(&Sha256::digest("two")));
    }

    #[test]
    fn an_entry_that_is_no_digest_is_ignored() {
        let folder = tempfile::tempdir().unwrap();
        let (program, cache) = (folder.path().join("program"), folder.path().join("digests"));
        fs::write(&program, "one").unwrap();
        let later = SystemTime::now() + Duration::from_mins(1);
        let one = hex(&Sha256::digest("one"));
        for _ in 0..2 {
            let mut file = File::open(&program).unwrap();
            let metadata = file.metadata().unwrap();
            assert_eq!(cached_digest(&mut file, &metadata, &cache, later).unwrap(), one);
            let text = fs::read_to_string(&cache).unwrap();
            fs::write(&cache, text.replace(&one, "../../etc/passwd")).unwrap();
        }
    }
}
