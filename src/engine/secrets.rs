//! Turns the secrets of a stack into their values: files of the project, certificates made on first use.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256,
};
use sha2::{Digest, Sha256};
use time::{Duration, OffsetDateTime};

use super::desired::hex;
use crate::disk;
use crate::stack::{SecretSource, Stack};

/// Where made secrets are kept, in the project.
const FOLDER: &str = ".motif/secrets";
/// The most MiB that a file of a secret holds: what a cluster takes.
const LARGEST: u64 = 1;
/// How long a made certificate is valid.
const VALIDITY: Duration = Duration::days(365);
/// How long before its end a made certificate is made again.
const MARGIN: Duration = Duration::days(14);

/// The values of a stack's secrets; never shown.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secrets {
    values: BTreeMap<String, BTreeMap<String, Vec<u8>>>,
    /// The files that hold them, and what links to those.
    paths: Vec<PathBuf>,
}

impl fmt::Debug for Secrets {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_set().entries(self.values.keys()).finish()
    }
}

/// Why a secret has no value.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file of a secret can't be read.
    #[error("{place}: failed to read key `{key}` of secret `{secret}` from `{}`", path.display())]
    Read {
        /// Where the secret was declared.
        place: crate::stack::Place,
        /// The secret.
        secret: String,
        /// The key.
        key: String,
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// A made secret can't be kept.
    #[error("failed to keep a made secret in `{}`", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// A certificate can't be made.
    #[error("{place}: failed to make the certificate of secret `{secret}`")]
    Certificate {
        /// Where the secret was declared.
        place: crate::stack::Place,
        /// The secret.
        secret: String,
        /// Why not.
        #[source]
        source: rcgen::Error,
    },
    /// A key that becomes an environment variable is no text.
    #[error(
        "key `{key}` of secret `{secret}` is no text without zero bytes, so it can't be an environment variable"
    )]
    NotText {
        /// The secret.
        secret: String,
        /// The key.
        key: String,
    },
}

impl Error {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Read { path, .. } => Some(format!(
                "write the value to `{}`, and keep the file out of version control",
                path.display()
            )),
            Self::NotText { .. } => Some("mount the secret as a file instead".to_owned()),
            Self::Write { .. } | Self::Certificate { .. } => None,
        }
    }
}

/// What becomes of a certificate that is missing, expired or for other names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// It is made, and kept.
    Make,
    /// It is made in memory, as in a dry run.
    Imagine,
    /// It has no value.
    LeaveOut,
}

impl Secrets {
    /// Reads the secrets of a stack.
    pub fn load(stack: &Stack, project: &Path, now: OffsetDateTime, missing: Missing) -> Result<Self, Error> {
        let mut secrets = BTreeMap::new();
        let mut paths = Vec::new();
        for (name, secret) in stack.secrets() {
            let files = match &secret.source {
                SecretSource::Files(files) => {
                    let read = |(key, path): (&String, &String)| {
                        let path = project.join(path);
                        let (value, real) = read_within(project, &path).map_err(|source| Error::Read {
                            place: secret.place.clone(),
                            secret: name.to_string(),
                            key: key.clone(),
                            path: path.clone(),
                            source,
                        })?;
                        paths.extend([path, real]);
                        Ok((key.clone(), value))
                    };
                    files.iter().map(read).collect::<Result<_, Error>>()?
                }
                SecretSource::Certificate { names } => {
                    let folder = project.join(FOLDER).join(name.as_str());
                    if let Some(files) = keep(&folder, names, now) {
                        files
                    } else if missing == Missing::LeaveOut {
                        continue;
                    } else {
                        let files = make(names, now).map_err(|source| Error::Certificate {
                            place: secret.place.clone(),
                            secret: name.to_string(),
                            source,
                        })?;
                        if missing == Missing::Make {
                            store(project, &folder, names, now, &files)?;
                        }
                        files
                    }
                }
            };
            secrets.insert(name.to_string(), files);
        }
        Ok(Self {
            values: secrets,
            paths,
        })
    }

    /// What there is of a stack's secrets, by name and key; nothing is made.
    pub fn existing(
        stack: &Stack,
        project: &Path,
    ) -> Result<BTreeMap<String, BTreeMap<String, Vec<u8>>>, Error> {
        Self::load(stack, project, OffsetDateTime::now_utc(), Missing::LeaveOut).map(|secrets| secrets.values)
    }

    /// What must not leave a project by another way: the files of its secrets, and the folder of made ones.
    pub fn paths(&self, project: &Path) -> Vec<PathBuf> {
        let made = project.join(FOLDER);
        self.paths.iter().cloned().chain([made]).collect()
    }

    /// Forgets a secret that was made: the next look makes another. False where its files are the user's own.
    pub fn forget(project: &Path, secret: &str) -> io::Result<bool> {
        let folder = project.join(FOLDER).join(secret);
        let certificate = match fs::read(folder.join("tls.crt")) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(true),
            read => read?,
        };
        let written = fs::read_to_string(folder.join("made")).unwrap_or_default();
        if !is_made(&written, &certificate) {
            return Ok(false);
        }
        // The certificate goes first: what is cut short then is made again.
        fs::remove_file(folder.join("tls.crt"))?;
        Ok(true)
    }

    /// The files that a user gave their values in.
    pub fn files_on_disk(&self) -> impl Iterator<Item = PathBuf> {
        self.paths.iter().cloned()
    }

    /// The files of a secret, by key.
    pub fn files(&self, secret: &str) -> impl Iterator<Item = (&str, &[u8])> {
        let files = self.values.get(secret).into_iter().flatten();
        files.map(|(key, value)| (key.as_str(), value.as_slice()))
    }

    /// The value of a key as an environment variable has it: without a last line end, which an editor adds.
    pub fn text(&self, secret: &str, key: &str) -> Result<String, Error> {
        let not_text = || Error::NotText {
            secret: secret.to_owned(),
            key: key.to_owned(),
        };
        let value = self
            .values
            .get(secret)
            .and_then(|files| files.get(key))
            .ok_or_else(not_text)?;
        let text = std::str::from_utf8(value).map_err(|_| not_text())?;
        if text.contains('\0') {
            return Err(not_text());
        }
        let text = text.strip_suffix('\n').unwrap_or(text);
        Ok(text.strip_suffix('\r').unwrap_or(text).to_owned())
    }

    /// A digest of a secret's files that tells nothing about them without the salt, which lies beside them.
    pub fn digest(&self, secret: &str, salt: &str) -> String {
        let mut digest = Sha256::new();
        digest.update(salt);
        for (key, value) in self.files(secret) {
            digest.update(format!("\n{key} {}\n", value.len()));
            digest.update(value);
        }
        hex(&digest.finalize())[..32].to_owned()
    }
}

/// Reads a file of a project, and says where it really is. A link that leads out of the project is not followed.
fn read_within(project: &Path, path: &Path) -> io::Result<(Vec<u8>, PathBuf)> {
    let real = fs::canonicalize(path)?;
    if !real.starts_with(fs::canonicalize(project)?) {
        return Err(io::Error::other("it is a link that leads out of the project"));
    }
    let value = disk::read_file(&real, LARGEST).map_err(io::Error::other)?;
    Ok((value, real))
}

/// What a made certificate was made for, beside it: a user's own certificate has other bytes, and is left alone.
fn note(names: &[String], expires: OffsetDateTime, certificate: &[u8]) -> String {
    let digest = hex(&Sha256::digest(certificate));
    format!(
        "names: {}\nexpires: {}\nsha256: {digest}\n",
        names.join(" "),
        expires.unix_timestamp()
    )
}

/// Whether the note beside a certificate says that it was made.
fn is_made(note: &str, certificate: &[u8]) -> bool {
    let digest = hex(&Sha256::digest(certificate));
    note.lines()
        .any(|line| line.strip_prefix("sha256: ") == Some(digest.as_str()))
}

/// The certificate that is there, if it can stay.
fn keep(folder: &Path, names: &[String], now: OffsetDateTime) -> Option<BTreeMap<String, Vec<u8>>> {
    let read = |name: &str| fs::read(folder.join(name)).ok();
    let certificate = read("tls.crt")?;
    let key = read("tls.key")?;
    let written = String::from_utf8(read("made").unwrap_or_default()).unwrap_or_default();
    let field = |name: &str| {
        written
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    };
    let is_ours = is_made(&written, &certificate);
    let expires =
        field("expires").and_then(|text| OffsetDateTime::from_unix_timestamp(text.parse().ok()?).ok());
    let is_good = field("names") == Some(names.join(" ").as_str())
        && expires.is_some_and(|expires| now + MARGIN < expires);
    (!is_ours || is_good)
        .then(|| BTreeMap::from([("tls.crt".to_owned(), certificate), ("tls.key".to_owned(), key)]))
}

fn make(names: &[String], now: OffsetDateTime) -> Result<BTreeMap<String, Vec<u8>>, rcgen::Error> {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let mut parameters = CertificateParams::new(names.to_vec())?;
    parameters.distinguished_name = DistinguishedName::new();
    let common = names.first().map_or("motif", String::as_str);
    parameters.distinguished_name.push(DnType::CommonName, common);
    parameters
        .distinguished_name
        .push(DnType::OrganizationName, "motif development");
    // A clock that is a little behind must not refuse it.
    parameters.not_before = now - Duration::hours(1);
    parameters.not_after = now + VALIDITY;
    parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let certificate = parameters.self_signed(&key)?;
    Ok(BTreeMap::from([
        ("tls.crt".to_owned(), certificate.pem().into_bytes()),
        ("tls.key".to_owned(), key.serialize_pem().into_bytes()),
    ]))
}

fn store(
    project: &Path,
    folder: &Path,
    names: &[String],
    now: OffsetDateTime,
    files: &BTreeMap<String, Vec<u8>>,
) -> Result<(), Error> {
    let written = |path: &Path, result: io::Result<()>| {
        result.map_err(|source| Error::Write {
            path: path.to_owned(),
            source,
        })
    };
    let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
    written(folder, made)?;
    let ignore = project.join(".motif/.gitignore");
    if !ignore.exists() {
        written(&ignore, fs::write(&ignore, "secrets/\n"))?;
    }
    // The certificate goes first and comes last: whatever is cut short between is made again.
    let old = folder.join("tls.crt");
    match fs::remove_file(&old) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => written(&old, Err(error))?,
        _ => {}
    }
    let certificate = files.get("tls.crt").map(Vec::as_slice).unwrap_or_default();
    let note = note(names, now + VALIDITY, certificate);
    let all = files
        .iter()
        .rev()
        .map(|(name, value)| (name.as_str(), value.as_slice()));
    for (name, value) in std::iter::once(("made", note.as_bytes())).chain(all) {
        let path = folder.join(name);
        written(&path, write_private(&path, value))?;
    }
    Ok(())
}

/// Writes a file that only its owner may read, whole or not at all.
fn write_private(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut draft = path.as_os_str().to_owned();
    draft.push(".new");
    let draft = PathBuf::from(draft);
    // A draft that was cut short may have another mode.
    match fs::remove_file(&draft) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&draft)?;
    file.write_all(content)?;
    fs::rename(&draft, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: OffsetDateTime = time::macros::datetime!(2026-01-01 00:00 UTC);

    fn names() -> Vec<String> {
        ["localhost", "web", "127.0.0.1"].map(str::to_owned).to_vec()
    }

    fn stored(project: &Path) -> PathBuf {
        let folder = project.join(FOLDER).join("web-tls");
        store(project, &folder, &names(), NOW, &make(&names(), NOW).unwrap()).unwrap();
        folder
    }

    #[test]
    fn a_made_certificate_is_kept_until_shortly_before_its_end() {
        let project = tempfile::tempdir().unwrap();
        let folder = stored(project.path());
        assert!(keep(&folder, &names(), NOW).is_some());
        assert!(keep(&folder, &names(), NOW + VALIDITY - MARGIN - Duration::hours(1)).is_some());
        assert!(keep(&folder, &names(), NOW + VALIDITY - MARGIN).is_none());
    }

    #[test]
    fn a_made_certificate_is_for_its_names_only() {
        let project = tempfile::tempdir().unwrap();
        let folder = stored(project.path());
        assert!(keep(&folder, &["localhost".to_owned()], NOW).is_none());
    }

    #[test]
    fn a_certificate_of_the_users_own_is_never_made_again() {
        let project = tempfile::tempdir().unwrap();
        let folder = stored(project.path());
        fs::write(folder.join("tls.crt"), "mine").unwrap();
        let kept = keep(&folder, &["another".to_owned()], NOW + VALIDITY * 2).unwrap();
        assert_eq!(kept["tls.crt"], b"mine");
    }

    #[test]
    fn a_certificate_without_its_key_is_made_again() {
        let project = tempfile::tempdir().unwrap();
        let folder = stored(project.path());
        fs::remove_file(folder.join("tls.key")).unwrap();
        assert!(keep(&folder, &names(), NOW).is_none());
    }

    #[test]
    fn what_is_kept_is_for_its_owner_and_not_for_version_control() {
        use std::os::unix::fs::PermissionsExt;
        let project = tempfile::tempdir().unwrap();
        let folder = stored(project.path());
        for name in ["tls.crt", "tls.key", "made"] {
            let mode = fs::metadata(folder.join(name)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{name}");
        }
        let ignored = fs::read_to_string(project.path().join(".motif/.gitignore")).unwrap();
        assert_eq!(ignored, "secrets/\n");
    }

    #[test]
    fn an_environment_variable_has_no_line_end_and_no_zero_byte() {
        let files = [("a", "x\n"), ("b", "x\r\n"), ("c", " x\n\n"), ("d", "x\0y")];
        let files = files.map(|(key, value)| (key.to_owned(), value.as_bytes().to_vec()));
        let secrets = Secrets {
            values: BTreeMap::from([("db".to_owned(), BTreeMap::from(files))]),
            paths: Vec::new(),
        };
        assert_eq!(secrets.text("db", "a").unwrap(), "x");
        assert_eq!(secrets.text("db", "b").unwrap(), "x");
        assert_eq!(secrets.text("db", "c").unwrap(), " x\n");
        assert!(secrets.text("db", "d").is_err());
        assert!(secrets.text("db", "e").is_err());
        assert_eq!(format!("{secrets:?}"), r#"{"db"}"#);
    }
}
