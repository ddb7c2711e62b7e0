//! Turns a folder's tls.crt and tls.key into a TLS configuration, again whenever they change.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::ServerConfig;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use serde_json::json;

use super::published::Published;
use super::settings::{Mode, Version};
use crate::block::log;

/// How often the files are read. They are small, and reading them sees through every kind of replacement.
const POLL: Duration = Duration::from_millis(500);

/// Why a pair can't be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file can't be read.
    #[error("failed to read `{path}`: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file holds something else.
    #[error("`{path}` holds no {what}")]
    Content {
        /// The file.
        path: PathBuf,
        /// What was looked for.
        what: &'static str,
    },
    /// The two don't belong together.
    #[error("`tls.crt` and `tls.key` in `{folder}` don't belong together: {source}")]
    Pair {
        /// The folder.
        folder: PathBuf,
        /// What rustls says.
        source: rustls::Error,
    },
}

/// The bytes of both files.
#[derive(PartialEq, Eq)]
struct Files {
    certificate: Vec<u8>,
    key: Vec<u8>,
}

/// A pair in use.
pub struct Pair {
    /// What handshakes are made with.
    pub config: Arc<ServerConfig>,
    /// When the certificate expires, in seconds since 1970.
    pub expiry: Option<i64>,
}

/// A folder whose pair is in use.
pub struct Certificate {
    folder: PathBuf,
    minimum: Version,
    mode: Mode,
    seen: Files,
    /// The pair in use.
    pub pair: Arc<Published<Pair>>,
}

impl Certificate {
    /// Reads the pair for the first time.
    pub fn load(folder: &Path, minimum: Version, mode: Mode) -> Result<Self, Error> {
        let seen = read(folder)?;
        let pair = build(folder, &seen, minimum, mode)?;
        Ok(Self {
            folder: folder.to_owned(),
            minimum,
            mode,
            seen,
            pair: Arc::new(Published::new(pair)),
        })
    }

    /// Takes up every new pair that holds together; a broken one is logged once, and the old one stays.
    pub async fn watch(mut self) {
        let mut complaint = String::new();
        loop {
            tokio::time::sleep(POLL).await;
            let error = match read(&self.folder) {
                Ok(files) if files == self.seen => {
                    complaint.clear();
                    continue;
                }
                Ok(files) => match build(&self.folder, &files, self.minimum, self.mode) {
                    Ok(pair) => {
                        log::info("certificate reloaded", json!({ "expires": pair.expiry }));
                        self.pair.set(pair);
                        self.seen = files;
                        complaint.clear();
                        continue;
                    }
                    Err(error) => error,
                },
                Err(error) => error,
            };
            let error = error.to_string();
            if error != complaint {
                log::warning("certificate kept", json!({ "reason": error }));
                complaint = error;
            }
        }
    }
}

fn read(folder: &Path) -> Result<Files, Error> {
    let file = |name: &str| {
        let path = folder.join(name);
        fs::read(&path).map_err(|source| Error::Read { path, source })
    };
    Ok(Files {
        certificate: file("tls.crt")?,
        key: file("tls.key")?,
    })
}

fn build(folder: &Path, files: &Files, minimum: Version, mode: Mode) -> Result<Pair, Error> {
    let content = |name: &str, what| Error::Content {
        path: folder.join(name),
        what,
    };
    let pair = |source| Error::Pair {
        folder: folder.to_owned(),
        source,
    };
    let chain: Vec<_> = CertificateDer::pem_slice_iter(&files.certificate)
        .collect::<Result<_, _>>()
        .map_err(|_| content("tls.crt", "PEM certificate"))?;
    let first = chain
        .first()
        .ok_or_else(|| content("tls.crt", "PEM certificate"))?;
    let expiry = not_after(first);
    let key = PrivateKeyDer::from_pem_slice(&files.key).map_err(|_| content("tls.key", "PEM private key"))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let certified = CertifiedKey::from_der(chain, key, &provider).map_err(pair)?;
    let versions: &[_] = match minimum {
        Version::Tls12 => &[&rustls::version::TLS13, &rustls::version::TLS12],
        Version::Tls13 => &[&rustls::version::TLS13],
    };
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .map_err(pair)?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(certified)));
    if mode == Mode::Http {
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    }
    // Tickets are sealed with keys of this configuration: those of a replaced certificate open nothing.
    config.ticketer = rustls::crypto::ring::Ticketer::new().map_err(pair)?;
    Ok(Pair {
        config: Arc::new(config),
        expiry,
    })
}

/// When a certificate expires: the second time of `validity`, the fifth field of the signed part (RFC 5280, 4.1).
fn not_after(der: &[u8]) -> Option<i64> {
    const SEQUENCE: u8 = 0x30;
    const VERSION: u8 = 0xa0;
    let (tag, certificate, _) = element(der)?;
    let (inner, signed, _) = element(certificate)?;
    if (tag, inner) != (SEQUENCE, SEQUENCE) {
        return None;
    }
    let mut rest = signed;
    if *rest.first()? == VERSION {
        rest = element(rest)?.2;
    }
    for _serial_algorithm_issuer in 0..3 {
        rest = element(rest)?.2;
    }
    let (_, validity, _) = element(rest)?;
    let (_, _, after) = element(validity)?;
    let (tag, time, _) = element(after)?;
    instant(tag, time)
}

/// The tag and content of the first element, and what follows it.
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = der.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = if first < 0x80 {
        (usize::from(first), rest)
    } else {
        let (digits, rest) = rest
            .split_at_checked(usize::from(first & 0x7f))
            .filter(|(digits, _)| digits.len() <= 4)?;
        (
            digits
                .iter()
                .fold(0, |length, digit| length << 8 | usize::from(*digit)),
            rest,
        )
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}

/// Seconds since 1970 of a `UTCTime` (two digits for the year) or a `GeneralizedTime` (four).
fn instant(tag: u8, text: &[u8]) -> Option<i64> {
    let text = str::from_utf8(text).ok()?;
    let full = match tag {
        0x17 => {
            let century = if text.get(..2)?.parse::<u32>().ok()? < 50 {
                "20"
            } else {
                "19"
            };
            format!("{century}{text}")
        }
        0x18 => text.to_owned(),
        _ => return None,
    };
    let number = |range: std::ops::Range<usize>| full.get(range)?.parse::<i32>().ok();
    let month = time::Month::try_from(u8::try_from(number(4..6)?).ok()?).ok()?;
    let day = u8::try_from(number(6..8)?).ok()?;
    let [hour, minute, second] =
        [8, 10, 12].map(|at| number(at..at + 2).and_then(|number| u8::try_from(number).ok()));
    let date = time::Date::from_calendar_date(number(0..4)?, month, day).ok()?;
    let time = time::Time::from_hms(hour?, minute?, second?).ok()?;
    Some(
        time::PrimitiveDateTime::new(date, time)
            .assume_utc()
            .unix_timestamp(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Made {
        certificate: String,
        key: String,
    }

    fn make(expiry: (i32, u8, u8)) -> Made {
        let mut parameters = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        parameters.not_after = rcgen::date_time_ymd(expiry.0, expiry.1, expiry.2);
        let key = rcgen::KeyPair::generate().unwrap();
        Made {
            certificate: parameters.self_signed(&key).unwrap().pem(),
            key: key.serialize_pem(),
        }
    }

    fn files(certificate: &str, key: &str) -> Files {
        Files {
            certificate: certificate.into(),
            key: key.into(),
        }
    }

    fn try_build(files: &Files) -> Result<Option<i64>, String> {
        build(Path::new("/c"), files, Version::Tls12, Mode::Http)
            .map(|pair| pair.expiry)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn the_expiry_is_read() {
        let near = make((2030, 2, 3));
        assert_eq!(
            try_build(&files(&near.certificate, &near.key)),
            Ok(Some(1_896_307_200))
        );
        let far = make((2150, 1, 1));
        assert_eq!(
            try_build(&files(&far.certificate, &far.key)),
            Ok(Some(5_680_281_600))
        );
    }

    #[test]
    fn a_broken_pair_is_refused() {
        let (one, other) = (make((2030, 1, 1)), make((2030, 1, 1)));
        let check = |certificate: &str, key: &str, expect: &str| {
            let error = try_build(&files(certificate, key)).unwrap_err();
            assert!(error.starts_with(expect), "{error}");
        };
        check("", &one.key, "`/c/tls.crt` holds no PEM certificate");
        check(&one.certificate, "", "`/c/tls.key` holds no PEM private key");
        check(
            &one.certificate[..200],
            &one.key,
            "`/c/tls.crt` holds no PEM certificate",
        );
        check(
            &one.certificate,
            &other.key,
            "`tls.crt` and `tls.key` in `/c` don't belong together",
        );
    }

    #[test]
    fn any_bytes_have_an_expiry_or_none() {
        let made = make((2030, 1, 1));
        let der = CertificateDer::from_pem_slice(made.certificate.as_bytes()).unwrap();
        for cut in 0..der.len() {
            let _ = not_after(&der[..cut]);
        }
        for place in 0..der.len() {
            let mut changed = der.to_vec();
            changed[place] = 0xff;
            let _ = not_after(&changed);
        }
    }
}
