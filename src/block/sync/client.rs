//! A small HTTP client: one connection for each request, redirects, TLS, and bodies of bounded size.

use std::fmt;
use std::io;
use std::net::IpAddr;
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;

use anyhow::Context;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::header::{ACCEPT, AUTHORIZATION, CONNECTION, HOST, HeaderName, HeaderValue, LOCATION, USER_AGENT};
use hyper::{Method, Request, Response, Uri};
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::failure::Failure;
use crate::block::Error;

/// Redirects that are followed.
const REDIRECTS: usize = 5;
/// What the block calls itself.
pub const AGENT: &str = concat!("motif-sync/", env!("CARGO_PKG_VERSION"));

/// `http://host:port/path`, or the same with TLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// Whether by TLS.
    pub secure: bool,
    /// A name, or an address without brackets.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Path and query.
    pub path: String,
}

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not an address like `https://host/path`");
        let uri: Uri = text.parse().map_err(|_| wrong())?;
        let secure = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err(wrong()),
        };
        let authority = uri.authority().ok_or_else(wrong)?;
        if authority.as_str().contains('@') {
            return Err("an address holds no user and password; they belong into a file".to_owned());
        }
        let host = authority.host().trim_matches(['[', ']']).to_owned();
        if host.is_empty() {
            return Err(wrong());
        }
        Ok(Self {
            secure,
            host,
            port: authority.port_u16().unwrap_or(if secure { 443 } else { 80 }),
            path: uri
                .path_and_query()
                .map_or_else(|| "/".to_owned(), ToString::to_string),
        })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.secure { "https" } else { "http" };
        write!(formatter, "{scheme}://{}{}", self.authority(), self.path)
    }
}

impl Address {
    fn authority(&self) -> String {
        let default = if self.secure { 443 } else { 80 };
        let host = if self.host.contains(':') {
            format!("[{}]", self.host)
        } else {
            self.host.clone()
        };
        if self.port == default {
            host
        } else {
            format!("{host}:{}", self.port)
        }
    }

    /// Whether both are served by the same server.
    fn is_beside(&self, other: &Self) -> bool {
        self.secure == other.secure && self.host.eq_ignore_ascii_case(&other.host) && self.port == other.port
    }

    /// Whether what is sent there can be read by others on the way.
    pub fn is_private(&self) -> bool {
        self.secure
            || self.host.eq_ignore_ascii_case("localhost")
            || self
                .host
                .parse::<IpAddr>()
                .is_ok_and(|address| address.is_loopback())
    }

    /// Another path of the same server.
    #[must_use]
    pub fn at(&self, path: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            ..self.clone()
        }
    }

    /// Where a `Location` leads.
    fn follow(&self, location: &str) -> Result<Self, Failure> {
        let location = location.split('#').next().unwrap_or_default();
        let next = if location.starts_with("//") {
            let scheme = if self.secure { "https:" } else { "http:" };
            format!("{scheme}{location}").parse().map_err(Failure::source)?
        } else if location.starts_with('/') {
            self.at(location)
        } else if location.contains("://") {
            location.parse().map_err(Failure::source)?
        } else {
            let path = self.path.split('?').next().unwrap_or_default();
            let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
            self.at(format!("{folder}/{location}"))
        };
        if self.secure && !next.secure {
            return Err(Failure::source(format!(
                "it redirects from TLS to `{next}`, without"
            )));
        }
        Ok(next)
    }
}

/// Makes requests.
#[derive(Debug)]
pub struct Client {
    tls: Arc<ClientConfig>,
    /// Who may see the credentials, and what they are.
    credentials: Option<(Address, HeaderValue)>,
}

impl Client {
    /// Trusts the certificates of a file, or those of the machine; sends the credentials of a file to one server.
    pub fn new(authority: Option<&Path>, credentials: Option<(&Address, &Path)>) -> Result<Self, Error> {
        let mut roots = RootCertStore::empty();
        if let Some(path) = authority {
            let bytes = std::fs::read(path).map_err(|error| unreadable("--ca", path, &error))?;
            let wrong = || {
                Error::configuration(format!(
                    "`--ca` `{}` holds no certificate in PEM form",
                    path.display()
                ))
            };
            for certificate in CertificateDer::pem_slice_iter(&bytes) {
                roots
                    .add(certificate.map_err(|_| wrong())?)
                    .map_err(|_| wrong())?;
            }
            if roots.is_empty() {
                return Err(wrong());
            }
        } else {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .context("failed to set up TLS")?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let credentials = match credentials {
            None => None,
            Some((address, path)) => Some((address.clone(), read_credentials(path)?)),
        };
        Ok(Self {
            tls: Arc::new(tls),
            credentials,
        })
    }

    /// One request, one response.
    pub async fn send(
        &self,
        method: Method,
        address: &Address,
        headers: &[(HeaderName, HeaderValue)],
        body: Bytes,
    ) -> Result<Response<Incoming>, Failure> {
        let unreachable =
            |error: &dyn std::error::Error| Failure::source(format!("`{address}`: {}", causes(error)));
        let mut request = Request::builder()
            .method(method)
            .uri(&address.path)
            .header(HOST, address.authority())
            .header(USER_AGENT, AGENT)
            .header(CONNECTION, "close")
            .body(Full::new(body))
            .map_err(|error| unreachable(&error))?;
        if let Some((owner, value)) = &self.credentials
            && owner.is_beside(address)
        {
            request.headers_mut().insert(AUTHORIZATION, value.clone());
        }
        for (name, value) in headers {
            request.headers_mut().insert(name, value.clone());
        }
        let stream = TcpStream::connect((address.host.as_str(), address.port))
            .await
            .map_err(|error| unreachable(&error))?;
        let _ = stream.set_nodelay(true);
        let response = if address.secure {
            let name = ServerName::try_from(address.host.clone()).map_err(|error| unreachable(&error))?;
            let connector = TlsConnector::from(Arc::clone(&self.tls));
            let stream = connector
                .connect(name, stream)
                .await
                .map_err(|error| unreachable(&error))?;
            exchange(stream, request).await
        } else {
            exchange(stream, request).await
        };
        response.map_err(|error| unreachable(&error))
    }

    /// A GET, redirects followed; also says who answered in the end.
    pub async fn get(
        &self,
        address: &Address,
        headers: &[(HeaderName, HeaderValue)],
    ) -> Result<(Address, Response<Incoming>), Failure> {
        let mut address = address.clone();
        let mut headers = headers.to_vec();
        headers.push((ACCEPT, HeaderValue::from_static("*/*")));
        for _ in 0..=REDIRECTS {
            let response = self.send(Method::GET, &address, &headers, Bytes::new()).await?;
            let location = response
                .headers()
                .get(LOCATION)
                .and_then(|location| location.to_str().ok());
            match location {
                Some(location) if matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) => {
                    address = address.follow(location)?;
                }
                _ => return Ok((address, response)),
            }
        }
        Err(Failure::source(format!("more than {REDIRECTS} redirects")))
    }
}

async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    request: Request<Full<Bytes>>,
) -> Result<Response<Incoming>, hyper::Error> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    // Ends with the response's body; its errors reach whoever reads that.
    tokio::spawn(connection);
    sender.send_request(request).await
}

/// Reads a body of at most so many bytes.
pub async fn collect(response: Response<Incoming>, limit: u64) -> Result<Bytes, Failure> {
    let mut body = response.into_body();
    let mut bytes = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| Failure::source(format!("it broke off: {}", causes(&error))))?;
        if let Some(data) = frame.data_ref() {
            if (bytes.len() + data.len()) as u64 > limit {
                return Err(Failure::too_large(limit));
            }
            bytes.extend_from_slice(data);
        }
    }
    Ok(bytes.freeze())
}

/// A file that a flag names, and that can't be read.
fn unreadable(flag: &str, path: &Path, error: &std::io::Error) -> Error {
    Error::configuration(format!("`{flag}`: failed to read `{}`: {error}", path.display()))
}

/// The first line of the file, `user:password`, as a header.
fn read_credentials(path: &Path) -> Result<HeaderValue, Error> {
    let text = std::fs::read_to_string(path).map_err(|error| unreadable("--credentials", path, &error))?;
    let line = text.lines().next().unwrap_or_default().trim();
    if !line.contains(':') {
        return Err(Error::configuration(format!(
            "`--credentials` `{}` does not hold `user:password`",
            path.display()
        )));
    }
    let mut value = HeaderValue::try_from(format!("Basic {}", BASE64_STANDARD.encode(line)))
        .context("failed to encode the credentials")?;
    value.set_sensitive(true);
    Ok(value)
}

/// An error and what caused it, in one line.
pub fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        if !text.contains(&next) {
            text = format!("{text}: {next}");
        }
        cause = error.source();
    }
    text
}

/// An I/O error as a failure of the source.
pub fn broken(place: &str, error: &io::Error) -> Failure {
    Failure::source(format!("`{place}`: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Address {
        text.parse().unwrap()
    }

    #[test]
    fn an_address_is_read_and_written() {
        for text in [
            "http://a/",
            "https://a:8443/b?c=d",
            "http://[::1]:80/x",
            "http://10.0.0.1:8080/",
        ] {
            let shown = address(text).to_string();
            assert_eq!(shown, text.replace("]:80/", "]/"));
        }
        for wrong in ["", "a/b", "ftp://a/", "http:///x", "http://user:word@a/"] {
            assert!(wrong.parse::<Address>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_redirect_never_leaves_tls() {
        let from = address("https://a/b/c?d");
        let check = |location: &str, expect: &str| {
            assert_eq!(from.follow(location).unwrap().to_string(), expect);
        };
        check("/x", "https://a/x");
        check("x", "https://a/b/x");
        check("https://other/y#z", "https://other/y");
        check("//other:1/y", "https://other:1/y");
        assert!(from.follow("http://a/b").is_err());
        assert!(from.follow("file:///etc/passwd").is_err());
    }

    #[test]
    fn credentials_are_for_one_server() {
        let own = address("https://a/b");
        assert!(own.is_beside(&address("https://A:443/c")));
        for other in ["http://a:443/b", "https://a:444/b", "https://a.b/"] {
            assert!(!own.is_beside(&address(other)), "{other}");
        }
        for private in [
            "https://a/",
            "http://localhost:1/",
            "http://127.0.0.2/",
            "http://[::1]/",
        ] {
            assert!(address(private).is_private(), "{private}");
        }
        assert!(!address("http://10.0.0.1/").is_private());
    }
}
