//! Turns the PEM files of a Docker client into a TLS configuration.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};

/// The files that say whom to trust and who we are, as Docker names them: `ca.pem`, `cert.pem`, `key.pem`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Files {
    /// The folder that they are in.
    pub folder: PathBuf,
    /// Whether a missing `ca.pem` means that the machine's own roots are trusted.
    pub may_trust_the_machine: bool,
}

/// Why there is no TLS configuration.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file can't be read.
    #[error("failed to read `{}`: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A file isn't what its name says.
    #[error("`{}` is no PEM file: {reason}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// Certificate and key don't go together, or can't be used.
    #[error("the certificates of `{}` can't be used: {source}", folder.display())]
    Unusable {
        /// The folder that they are in.
        folder: PathBuf,
        /// Why not.
        source: rustls::Error,
    },
}

impl Files {
    /// Reads the files. Without `cert.pem` and `key.pem` the engine has to take anybody.
    pub fn read(&self) -> Result<ClientConfig, Error> {
        let unusable = |source| Error::Unusable {
            folder: self.folder.clone(),
            source,
        };
        let mut roots = RootCertStore::empty();
        let authority = self.folder.join("ca.pem");
        if self.may_trust_the_machine && !authority.exists() {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        } else {
            for certificate in certificates(&authority)? {
                roots.add(certificate).map_err(unusable)?;
            }
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(unusable)?
            .with_root_certificates(roots);
        let (certificate, key) = (self.folder.join("cert.pem"), self.folder.join("key.pem"));
        if !certificate.exists() && !key.exists() {
            return Ok(config.with_no_client_auth());
        }
        let chain = certificates(&certificate)?;
        let key = PrivateKeyDer::from_pem_slice(&read(&key)?).map_err(|error| malformed(&key, &error))?;
        config.with_client_auth_cert(chain, key).map_err(unusable)
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let bytes = read(path)?;
    let found: Vec<_> = CertificateDer::pem_slice_iter(&bytes)
        .collect::<Result<_, _>>()
        .map_err(|error| malformed(path, &error))?;
    if found.is_empty() {
        return Err(malformed(path, &"it holds no certificate"));
    }
    Ok(found)
}

fn read(path: &Path) -> Result<Vec<u8>, Error> {
    std::fs::read(path).map_err(|source| Error::Read {
        path: path.to_owned(),
        source,
    })
}

fn malformed(path: &Path, reason: &dyn std::fmt::Display) -> Error {
    Error::Malformed {
        path: path.to_owned(),
        reason: reason.to_string(),
    }
}
