//! Turns a folder into the bytes of a build context: the same folder makes the same bytes.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::ignore::{Ignore, IgnoreError};
use crate::engine::desired::hex;

/// The first second that every archive format can hold: a zip made inside a build from files of
/// 1970 fails. Real times would make another context of every checkout.
const MODIFIED: u64 = 315_619_200;

/// A folder as a build context.
#[derive(Debug, Clone)]
pub struct Context {
    folder: PathBuf,
    /// The Dockerfile, relative to the folder.
    dockerfile: String,
    ignore: Ignore,
    /// What never goes along: files of secrets, and the folder where made ones are kept.
    kept_out: Vec<PathBuf>,
    /// Replaces `.dockerignore` in what is sent; see [`Context::open`].
    sent_ignore: Option<String>,
}

/// Why a folder can't be sent.
#[derive(Debug, thiserror::Error)]
pub enum ContextError {
    /// There is no such folder.
    #[error("the build context `{}` is not a folder", folder.display())]
    NoFolder {
        /// The folder.
        folder: PathBuf,
    },
    /// There is no Dockerfile in it.
    #[error("there is no `{dockerfile}` in the build context `{}`", folder.display())]
    NoDockerfile {
        /// The folder.
        folder: PathBuf,
        /// The file that was looked for.
        dockerfile: String,
        /// Files that may be meant.
        others: Vec<String>,
    },
    /// The Dockerfile is elsewhere.
    #[error("the Dockerfile `{dockerfile}` is outside of the build context")]
    DockerfileOutside {
        /// As written.
        dockerfile: String,
    },
    /// The `.dockerignore` means nothing.
    #[error("`{}`", path.display())]
    Ignore {
        /// The file.
        path: PathBuf,
        /// The line.
        #[source]
        source: IgnoreError,
    },
    /// A file can't be read.
    #[error("failed to read `{}` of the build context", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file changed while it was read.
    #[error("`{}` of the build context changed while it was read", path.display())]
    Changed {
        /// The file.
        path: PathBuf,
    },
    /// The receiver of the bytes went away.
    #[error("the build context could not be sent")]
    Unsent(#[source] io::Error),
}

impl ContextError {
    /// What to do next.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NoFolder { .. } => Some("`build:` names a folder, relative to the stack's file".to_owned()),
            Self::NoDockerfile { others, .. } => match others.first() {
                Some(other) => Some(format!(
                    "there is `{other}`: name it as `build: {{ dockerfile: {other} }}`"
                )),
                None => Some("`build:` needs a folder with a Dockerfile".to_owned()),
            },
            Self::DockerfileOutside { .. } => {
                Some("choose a context that holds it: `build: { context: .., dockerfile: … }`".to_owned())
            }
            Self::Ignore { .. } => Some(
                "the rules are at https://docs.docker.com/build/concepts/context/#dockerignore-files"
                    .to_owned(),
            ),
            Self::Unreadable { path, .. } => Some(format!(
                "make it readable, or leave it out: add `{}` to `.dockerignore`",
                path.display()
            )),
            Self::Changed { .. } => Some("run the command again when nothing writes there".to_owned()),
            Self::Unsent(_) => None,
        }
    }
}

const IGNORE_FILE: &str = ".dockerignore";

impl Context {
    /// Looks at a folder and reads its rules: those of `<Dockerfile>.dockerignore` where it is, else
    /// those of `.dockerignore`.
    ///
    /// The builder needs the Dockerfile even where the rules leave it out; it removes it again
    /// before the first instruction when the `.dockerignore` that came along says so. The builder
    /// doesn't know the Dockerfile's own rules, so there it is sent one that says just this.
    ///
    /// What is kept out stays out whatever the rules say.
    pub fn open(folder: &Path, dockerfile: &str, kept_out: Vec<PathBuf>) -> Result<Self, ContextError> {
        if !folder.is_dir() {
            return Err(ContextError::NoFolder {
                folder: folder.to_owned(),
            });
        }
        let mut parts: Vec<&str> = Vec::new();
        for part in dockerfile.split('/') {
            match part {
                "" | "." => {}
                ".." => {
                    if parts.pop().is_none() {
                        return Err(ContextError::DockerfileOutside {
                            dockerfile: dockerfile.to_owned(),
                        });
                    }
                }
                part => parts.push(part),
            }
        }
        if dockerfile.starts_with('/') {
            return Err(ContextError::DockerfileOutside {
                dockerfile: dockerfile.to_owned(),
            });
        }
        let dockerfile = parts.join("/");
        if !folder.join(&dockerfile).is_file() {
            return Err(ContextError::NoDockerfile {
                others: dockerfiles(folder),
                folder: folder.to_owned(),
                dockerfile,
            });
        }
        let own = format!("{dockerfile}{IGNORE_FILE}");
        let (ignore, is_own) = match read_ignore(&folder.join(&own))? {
            Some(ignore) => (ignore, true),
            None => (read_ignore(&folder.join(IGNORE_FILE))?.unwrap_or_default(), false),
        };
        let sent_ignore =
            (is_own && ignore.excludes(&dockerfile)).then(|| format!("{dockerfile}\n{IGNORE_FILE}\n"));
        Ok(Self {
            folder: folder.to_owned(),
            dockerfile,
            ignore,
            kept_out,
            sent_ignore,
        })
    }

    /// A name for the folder, which says nothing of it.
    pub fn key(&self) -> String {
        hex(&Sha256::digest(self.folder.as_os_str().as_bytes()))[..32].to_owned()
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Whether a path goes along, if something is there.
    pub fn holds(&self, path: &Path) -> bool {
        let Ok(below) = path.strip_prefix(&self.folder) else {
            return false;
        };
        let is_kept_out = self.kept_out.iter().any(|kept| path.starts_with(kept));
        !is_kept_out && !self.ignore.excludes(&below.to_string_lossy())
    }

    /// Whether a path says what is built from the context: the Dockerfile, or what leaves files out.
    pub fn is_rule(&self, path: &Path) -> bool {
        let own = format!("{}{IGNORE_FILE}", self.dockerfile);
        [self.dockerfile.as_str(), IGNORE_FILE, &own]
            .iter()
            .any(|name| self.folder.join(name) == path)
    }

    /// Whether something in a folder of it may go along.
    pub fn may_hold_below(&self, folder: &Path) -> bool {
        let below = folder
            .strip_prefix(&self.folder)
            .unwrap_or(folder)
            .to_string_lossy();
        self.holds(folder)
            || self.ignore.may_keep_below(&below)
            || Path::new(&self.dockerfile).starts_with(&*below)
    }

    /// The Dockerfile's path, relative to the context.
    pub fn dockerfile(&self) -> &str {
        &self.dockerfile
    }

    /// The Dockerfile's text.
    pub fn dockerfile_text(&self) -> Result<String, ContextError> {
        let path = self.folder.join(&self.dockerfile);
        let bytes = fs::read(&path).map_err(|source| ContextError::Unreadable { path, source })?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Everything that goes along, sorted, a folder before what is in it. No link is followed, so nothing outside the
    /// folder is there.
    pub fn entries(&self) -> Result<Vec<Entry>, ContextError> {
        let mut entries = Vec::new();
        self.walk(&mut entries, Path::new(""))?;
        Ok(entries)
    }

    /// The Dockerfile as the only entry, at the top.
    pub fn dockerfile_entry(&self) -> Result<Entry, ContextError> {
        let name = PathBuf::from(self.dockerfile_name());
        let on_disk = self.folder.join(&self.dockerfile);
        let metadata = fs::metadata(&on_disk).map_err(|source| ContextError::Unreadable {
            path: on_disk,
            source,
        })?;
        Ok(Entry::new(name, Kind::File(metadata.len()), &metadata))
    }

    /// The Dockerfile's name, without its folder.
    pub fn dockerfile_name(&self) -> &str {
        self.dockerfile.rsplit('/').next().unwrap_or_default()
    }

    /// Opens a file of the context.
    pub fn file(&self, path: &Path) -> Result<File, ContextError> {
        File::open(self.folder.join(path)).map_err(|source| ContextError::Unreadable {
            path: path.to_owned(),
            source,
        })
    }

    /// Writes the context as a tar archive: sorted, without owners and times, with modes and symbolic links as they are.
    pub fn write(&self, out: impl Write) -> Result<(), ContextError> {
        let mut archive = Archive(tar::Builder::new(out));
        if let Some(text) = &self.sent_ignore {
            archive.file(IGNORE_FILE.as_ref(), 0o644, text.len() as u64, text.as_bytes())?;
        }
        for entry in self.entries()? {
            match &entry.kind {
                Kind::Folder => archive.folder(&entry.path, entry.mode)?,
                Kind::Link(target) => archive.link(&entry.path, target)?,
                Kind::File(size) => {
                    archive.file(&entry.path, entry.mode, *size, self.file(&entry.path)?)?;
                }
            }
        }
        archive.0.finish().map_err(ContextError::Unsent)
    }

    fn walk(&self, entries: &mut Vec<Entry>, folder: &Path) -> Result<(), ContextError> {
        let unreadable = |path: &Path, source| ContextError::Unreadable {
            path: path.to_owned(),
            source,
        };
        let found = fs::read_dir(self.folder.join(folder)).map_err(|source| unreadable(folder, source))?;
        let mut names = Vec::new();
        for entry in found {
            names.push(entry.map_err(|source| unreadable(folder, source))?.file_name());
        }
        names.sort();
        for name in names {
            let path = folder.join(name);
            let text = path.to_string_lossy();
            if text == IGNORE_FILE && self.sent_ignore.is_some() {
                continue;
            }
            let is_excluded = self.ignore.excludes(&text);
            // The classic builder needs both, and takes them away again.
            let is_for_the_builder = is_excluded && (text == self.dockerfile || text == IGNORE_FILE);
            let on_disk = self.folder.join(&path);
            if self.kept_out.contains(&on_disk) {
                continue;
            }
            let metadata = fs::symlink_metadata(&on_disk).map_err(|source| unreadable(&path, source))?;
            let kind = metadata.file_type();
            if kind.is_dir() {
                let holds_dockerfile = Path::new(&self.dockerfile).starts_with(&path);
                if is_excluded && !self.ignore.may_keep_below(&text) && !holds_dockerfile {
                    continue;
                }
                let before = entries.len();
                let mut entry = Entry::new(path.clone(), Kind::Folder, &metadata);
                entry.is_for_the_builder = is_excluded;
                entries.push(entry);
                self.walk(entries, &path)?;
                let inside = &entries[before + 1..];
                // Where the rules leave the folder itself out, it is there for what they keep in it.
                if is_excluded && inside.is_empty() {
                    entries.truncate(before);
                } else if inside.iter().any(|entry| !entry.is_for_the_builder) {
                    entries[before].is_for_the_builder = false;
                }
            } else if is_excluded && !is_for_the_builder
                || kind.is_socket()
                || kind.is_fifo()
                || kind.is_block_device()
                || kind.is_char_device()
            {
            } else {
                let kind = if kind.is_symlink() {
                    Kind::Link(fs::read_link(&on_disk).map_err(|source| unreadable(&path, source))?)
                } else {
                    Kind::File(metadata.len())
                };
                let mut entry = Entry::new(path, kind, &metadata);
                entry.is_for_the_builder = is_for_the_builder;
                entries.push(entry);
            }
        }
        Ok(())
    }
}

/// Something in a context.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Relative to the context.
    pub path: PathBuf,
    /// What it is.
    pub kind: Kind,
    /// Its permissions.
    pub mode: u32,
    /// When it was changed, in nanoseconds since 1970.
    pub modified: i64,
    /// Whether the rules leave it out, and only the classic builder gets it: to read it.
    pub is_for_the_builder: bool,
}

/// What something in a context is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// A folder.
    Folder,
    /// A file, and its size.
    File(u64),
    /// A symbolic link, and where it leads.
    Link(PathBuf),
}

impl Entry {
    fn new(path: PathBuf, kind: Kind, metadata: &fs::Metadata) -> Self {
        Self {
            path,
            kind,
            mode: metadata.permissions().mode() & 0o7777,
            modified: metadata.mtime() * 1_000_000_000 + metadata.mtime_nsec(),
            is_for_the_builder: false,
        }
    }
}

/// An archive of a context.
struct Archive<W: Write>(tar::Builder<W>);

impl<W: Write> Archive<W> {
    fn folder(&mut self, path: &Path, mode: u32) -> Result<(), ContextError> {
        let mut header = header(tar::EntryType::Directory, mode, 0);
        self.0
            .append_data(&mut header, path, io::empty())
            .map_err(ContextError::Unsent)
    }

    fn link(&mut self, path: &Path, target: &Path) -> Result<(), ContextError> {
        let mut header = header(tar::EntryType::Symlink, 0o777, 0);
        self.0
            .append_link(&mut header, path, target)
            .map_err(ContextError::Unsent)
    }

    fn file(&mut self, path: &Path, mode: u32, size: u64, bytes: impl Read) -> Result<(), ContextError> {
        let mut header = header(tar::EntryType::Regular, mode, size);
        let mut bytes = Watched {
            bytes: bytes.take(size),
            left: size,
            failed: None,
        };
        let appended = self.0.append_data(&mut header, path, &mut bytes);
        if let Some(source) = bytes.failed {
            return Err(ContextError::Unreadable {
                path: path.to_owned(),
                source,
            });
        }
        if bytes.left > 0 && appended.is_ok() {
            return Err(ContextError::Changed {
                path: path.to_owned(),
            });
        }
        appended.map_err(ContextError::Unsent)
    }
}

/// Tells a file that can't be read from an archive that can't be written.
struct Watched<R> {
    bytes: R,
    left: u64,
    failed: Option<io::Error>,
}

impl<R: Read> Read for Watched<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.bytes.read(buffer) {
            Ok(read) => {
                self.left = self.left.saturating_sub(read as u64);
                Ok(read)
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Err(error),
            Err(error) => {
                let kind = error.kind();
                self.failed = Some(error);
                Err(kind.into())
            }
        }
    }
}

fn header(kind: tar::EntryType, mode: u32, size: u64) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_mtime(MODIFIED);
    header.set_uid(0);
    header.set_gid(0);
    header.set_size(size);
    header
}

fn read_ignore(path: &Path) -> Result<Option<Ignore>, ContextError> {
    match fs::read(path) {
        Ok(bytes) => Ignore::parse(&String::from_utf8_lossy(&bytes))
            .map(Some)
            .map_err(|source| ContextError::Ignore {
                path: path.to_owned(),
                source,
            }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(ContextError::Unreadable {
            path: path.to_owned(),
            source,
        }),
    }
}

/// Files that look like a Dockerfile.
fn dockerfiles(folder: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut names: Vec<String> = entries
        .flatten()
        .map(|entry| entry.file_name())
        .filter(|name| {
            let name = name.as_bytes().to_ascii_lowercase();
            (name.starts_with(b"dockerfile")
                || name.starts_with(b"containerfile")
                || name.ends_with(b".dockerfile"))
                && !name.ends_with(IGNORE_FILE.as_bytes())
        })
        .map(|name| name.to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    /// A folder with these files; one that ends with `/` is a folder.
    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path_on_disk = folder.path().join(path);
            if path.ends_with('/') {
                fs::create_dir_all(path_on_disk).unwrap();
            } else {
                fs::create_dir_all(path_on_disk.parent().unwrap()).unwrap();
                fs::write(path_on_disk, text).unwrap();
            }
        }
        folder
    }

    fn bytes(folder: &Path, dockerfile: &str) -> Vec<u8> {
        let mut bytes = Vec::new();
        Context::open(folder, dockerfile, Vec::new())
            .unwrap()
            .write(&mut bytes)
            .unwrap();
        bytes
    }

    /// The archive's entries: `mode path` and `-> target` or `= text`.
    fn list(bytes: &[u8]) -> Vec<String> {
        let mut archive = tar::Archive::new(bytes);
        archive
            .entries()
            .unwrap()
            .map(|entry| {
                let mut entry = entry.unwrap();
                let header = entry.header();
                assert_eq!((header.uid().unwrap(), header.gid().unwrap()), (0, 0));
                assert_eq!(header.mtime().unwrap(), MODIFIED);
                let (mode, kind) = (header.mode().unwrap(), header.entry_type());
                let path = entry.path().unwrap().display().to_string();
                if kind.is_symlink() {
                    let target = entry.link_name().unwrap().unwrap();
                    return format!("{path} -> {}", target.display());
                }
                if kind.is_dir() {
                    return format!("{mode:o} {}/", path.trim_end_matches('/'));
                }
                let mut text = String::new();
                entry.read_to_string(&mut text).unwrap();
                format!("{mode:o} {path} = {}", text.trim_end().replace('\n', "|"))
            })
            .collect()
    }

    #[test]
    fn entries_are_sorted_and_keep_modes_and_links() {
        let folder = folder(&[
            ("Dockerfile", "FROM a"),
            ("b/run", "x"),
            ("b/a/deep", "y"),
            ("a", "z"),
            ("empty/", ""),
        ]);
        let path = folder.path();
        fs::set_permissions(path.join("b/run"), fs::Permissions::from_mode(0o755)).unwrap();
        fs::set_permissions(path.join("a"), fs::Permissions::from_mode(0o600)).unwrap();
        fs::set_permissions(path.join("b"), fs::Permissions::from_mode(0o2750)).unwrap();
        symlink("/etc", path.join("out")).unwrap();
        symlink("nowhere", path.join("broken")).unwrap();
        for name in ["b/a", "empty", "b/a/deep", "Dockerfile"] {
            let mode = if name.contains('e') && !name.contains("empty") {
                0o644
            } else {
                0o755
            };
            fs::set_permissions(path.join(name), fs::Permissions::from_mode(mode)).unwrap();
        }
        assert_eq!(
            list(&bytes(path, "Dockerfile")),
            [
                "644 Dockerfile = FROM a",
                "600 a = z",
                "2750 b/",
                "755 b/a/",
                "644 b/a/deep = y",
                "755 b/run = x",
                "broken -> nowhere",
                "755 empty/",
                "out -> /etc",
            ]
        );
    }

    #[test]
    fn the_same_folder_makes_the_same_bytes_and_a_mode_makes_others() {
        let files = [("Dockerfile", "FROM a"), ("src/main", "x"), ("src/other", "y")];
        let (one, two) = (folder(&files), folder(&[files[2], files[1], files[0]]));
        assert_eq!(bytes(one.path(), "Dockerfile"), bytes(two.path(), "Dockerfile"));
        fs::set_permissions(two.path().join("src/main"), fs::Permissions::from_mode(0o755)).unwrap();
        assert_ne!(bytes(one.path(), "Dockerfile"), bytes(two.path(), "Dockerfile"));
    }

    #[test]
    fn long_names_and_targets_survive() {
        let long = format!("{}/{}", "d".repeat(120), "f".repeat(200));
        let folder = folder(&[("Dockerfile", "FROM a"), (&long, "x")]);
        symlink("t".repeat(150), folder.path().join("link")).unwrap();
        let found = list(&bytes(folder.path(), "./Dockerfile"));
        assert!(found.contains(&format!("644 {long} = x")), "{found:?}");
        assert!(
            found.contains(&format!("link -> {}", "t".repeat(150))),
            "{found:?}"
        );
    }

    /// The paths alone.
    fn paths(folder: &Path, dockerfile: &str) -> Vec<String> {
        list(&bytes(folder, dockerfile))
            .iter()
            .map(|line| {
                line.split_whitespace()
                    .find(|word| word.parse::<u32>().is_err())
                    .unwrap()
                    .to_owned()
            })
            .collect()
    }

    #[test]
    fn excluded_folders_are_sent_only_around_what_is_kept_in_them() {
        let folder = folder(&[
            (".dockerignore", "a\n!a/b/keep\nnone"),
            ("Dockerfile", ""),
            ("a/b/keep", ""),
            ("a/b/drop", ""),
            ("a/c/drop", ""),
            ("none/x", ""),
        ]);
        assert_eq!(
            paths(folder.path(), "Dockerfile"),
            [".dockerignore", "Dockerfile", "a/", "a/b/", "a/b/keep"]
        );
    }

    #[test]
    fn the_builder_gets_the_dockerfile_and_the_rules_always() {
        let folder = folder(&[
            (".dockerignore", "*"),
            ("build/Dockerfile", ""),
            ("build/x", ""),
            ("x", ""),
        ]);
        assert_eq!(
            paths(folder.path(), "build/Dockerfile"),
            [".dockerignore", "build/", "build/Dockerfile"]
        );
    }

    #[test]
    fn the_dockerfiles_own_rules_win() {
        let folder = folder(&[
            (".dockerignore", "x"),
            ("Dockerfile", ""),
            ("one.Dockerfile", ""),
            ("one.Dockerfile.dockerignore", "*\n!x"),
            ("x", ""),
            ("y", ""),
        ]);
        assert_eq!(
            paths(folder.path(), "Dockerfile"),
            [
                ".dockerignore",
                "Dockerfile",
                "one.Dockerfile",
                "one.Dockerfile.dockerignore",
                "y"
            ]
        );
        let found = list(&bytes(folder.path(), "one.Dockerfile"));
        assert_eq!(
            found,
            [
                "644 .dockerignore = one.Dockerfile|.dockerignore",
                "644 one.Dockerfile = ",
                "644 x = ",
            ]
        );
    }

    #[test]
    fn what_only_a_builder_needs_is_marked() {
        let folder = folder(&[
            (".dockerignore", "*\n!kept\n"),
            ("build/Dockerfile", "FROM a"),
            ("kept/x", ""),
        ]);
        let context = Context::open(folder.path(), "build/Dockerfile", Vec::new()).unwrap();
        let entries = context.entries().unwrap();
        let found: Vec<(&str, bool)> = entries
            .iter()
            .map(|entry| (entry.path.to_str().unwrap(), entry.is_for_the_builder))
            .collect();
        assert_eq!(
            found,
            [
                (".dockerignore", true),
                ("build", true),
                ("build/Dockerfile", true),
                ("kept", false),
                ("kept/x", false),
            ]
        );
        let alone = context.dockerfile_entry().unwrap();
        assert_eq!(
            (alone.path.as_path(), &alone.kind),
            (Path::new("Dockerfile"), &Kind::File(6))
        );
    }

    #[track_caller]
    fn check_error(folder: &Path, dockerfile: &str, expect: &str) {
        let error = Context::open(folder, dockerfile, Vec::new()).unwrap_err();
        let text = format!("{error}; {}", error.hint().unwrap_or_default());
        assert_eq!(text.replace(&folder.display().to_string(), "DIR"), expect);
    }

    #[test]
    fn what_is_missing_is_named() {
        let with = folder(&[("app.Dockerfile", ""), (".dockerignore", "a\n[")]);
        check_error(
            with.path(),
            "Dockerfile",
            "there is no `Dockerfile` in the build context `DIR`; there is `app.Dockerfile`: name it as `build: { dockerfile: app.Dockerfile }`",
        );
        check_error(
            with.path(),
            "../Dockerfile",
            "the Dockerfile `../Dockerfile` is outside of the build context; choose a context that holds it: `build: { context: .., dockerfile: … }`",
        );
        let error = Context::open(with.path(), "app.Dockerfile", Vec::new()).unwrap_err();
        assert_eq!(
            std::error::Error::source(&error).unwrap().to_string(),
            "line 2: `[` has a `[` that is never closed"
        );
        check_error(
            &with.path().join("none"),
            "Dockerfile",
            "the build context `DIR` is not a folder; `build:` names a folder, relative to the stack's file",
        );
    }

    #[test]
    fn a_file_that_shrinks_is_noticed() {
        let mut archive = Archive(tar::Builder::new(Vec::new()));
        let error = archive
            .file(Path::new("x"), 0o644, 10, &b"short"[..])
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "`x` of the build context changed while it was read"
        );
    }
}
