//! Asks a backend whether it is ready: by a connection, or by an HTTP request as the kubelet makes it.

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// The longest status line that is read.
const STATUS_LINE: usize = 512;

/// One kind of check, as typed: `none`, `tcp[:PORT]`, `http[:PORT][/PATH]`, `https[:PORT][/PATH]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Spec {
    /// Every backend counts as ready.
    None,
    /// A connection can be made.
    Tcp {
        /// Where it is not the backend's own.
        port: Option<u16>,
    },
    /// A GET is answered with 200 to 399.
    Http {
        /// Whether over TLS; the certificate is not verified.
        tls: bool,
        /// Where it is not the backend's own.
        port: Option<u16>,
        /// Where it is not the flag's.
        path: Option<String>,
    },
}

impl FromStr for Spec {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong =
            || format!("`{text}` is not `none`, `tcp[:PORT]`, `http[:PORT][/PATH]` or `https[:PORT][/PATH]`");
        let (kind, path) = match text.find('/') {
            Some(slash) => (&text[..slash], Some(text[slash..].to_owned())),
            None => (text, None),
        };
        let (kind, port) = match kind.split_once(':') {
            Some((kind, port)) => (
                kind,
                Some(port.parse().ok().filter(|port| *port > 0).ok_or_else(wrong)?),
            ),
            None => (kind, None),
        };
        match (kind, path, port) {
            ("none", None, None) => Ok(Self::None),
            ("tcp", None, port) => Ok(Self::Tcp { port }),
            ("http" | "https", path, port) => {
                let printable = path
                    .iter()
                    .all(|path| path.bytes().all(|byte| byte.is_ascii_graphic()));
                let tls = kind == "https";
                printable
                    .then_some(Self::Http { tls, port, path })
                    .ok_or_else(wrong)
            }
            _ => Err(wrong()),
        }
    }
}

/// Why a check did not pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotReady(String);

impl fmt::Display for NotReady {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Makes checks.
#[derive(Clone)]
pub struct Checker {
    tls: TlsConnector,
    timeout: Duration,
}

impl Checker {
    /// A checker that waits at most `timeout` for each answer.
    pub fn new(timeout: Duration) -> anyhow::Result<Self> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Anyone { provider }))
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self {
            tls: TlsConnector::from(Arc::new(config)),
            timeout,
        })
    }

    /// Makes one check of a backend at `address`, called `host`.
    pub async fn check(&self, spec: &Spec, address: SocketAddr, host: &str) -> Result<(), NotReady> {
        match tokio::time::timeout(self.timeout, self.ask(spec, address, host)).await {
            Ok(answer) => answer,
            Err(_) => Err(NotReady(format!(
                "no answer within {} ms",
                self.timeout.as_millis()
            ))),
        }
    }

    async fn ask(&self, spec: &Spec, mut address: SocketAddr, host: &str) -> Result<(), NotReady> {
        let (Spec::Tcp { port } | Spec::Http { port, .. }) = spec else {
            return Ok(());
        };
        address.set_port(port.unwrap_or(address.port()));
        let connection = TcpStream::connect(address)
            .await
            .map_err(|error| NotReady(format!("failed to connect to `{address}`: {error}")))?;
        let Spec::Http { tls, path, .. } = spec else {
            return Ok(());
        };
        let head = format!(
            "GET {} HTTP/1.1\r\nhost: {host}:{}\r\nuser-agent: motif-check\r\naccept: */*\r\nconnection: close\r\n\r\n",
            path.as_deref().unwrap_or("/"),
            address.port(),
        );
        if *tls {
            // The address, not the name: nothing is verified, and an address is always a valid server name.
            let name = ServerName::from(address.ip());
            let secured = self.tls.connect(name, connection).await;
            let secured = secured.map_err(|error| NotReady(format!("the TLS handshake failed: {error}")))?;
            return ask_http(secured, &head).await;
        }
        ask_http(connection, &head).await
    }
}

async fn ask_http(mut connection: impl AsyncRead + AsyncWrite + Unpin, head: &str) -> Result<(), NotReady> {
    let failed = |error: std::io::Error| NotReady(format!("the request failed: {error}"));
    connection.write_all(head.as_bytes()).await.map_err(failed)?;
    connection.flush().await.map_err(failed)?;
    let mut line = Vec::with_capacity(STATUS_LINE);
    while !line.contains(&b'\n') && line.len() < STATUS_LINE {
        if connection.read_buf(&mut line).await.map_err(failed)? == 0 {
            break;
        }
    }
    match status(&line) {
        Some(200..=399) => Ok(()),
        Some(code) => Err(NotReady(format!("answered {code}"))),
        None => Err(NotReady("the answer is not HTTP".to_owned())),
    }
}

/// The code of a status line such as `HTTP/1.1 200 OK`.
fn status(line: &[u8]) -> Option<u16> {
    let rest = line.strip_prefix(b"HTTP/1.")?.get(1..)?;
    let code = rest.strip_prefix(b" ")?.get(..3)?;
    str::from_utf8(code).ok()?.parse().ok()
}

/// Accepts any certificate: like the kubelet, a check asks whether somebody answers, not who.
#[derive(Debug)]
struct Anyone {
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn specs_are_read() {
        let check = |text: &str, expect: Option<Spec>| assert_eq!(text.parse().ok(), expect, "{text}");
        let http = |tls, port, path: Option<&str>| Spec::Http {
            tls,
            port,
            path: path.map(str::to_owned),
        };
        check("none", Some(Spec::None));
        check("tcp", Some(Spec::Tcp { port: None }));
        check("tcp:80", Some(Spec::Tcp { port: Some(80) }));
        check("http", Some(http(false, None, None)));
        check("http/readyz", Some(http(false, None, Some("/readyz"))));
        check(
            "http:8081/a/b?c=d:e",
            Some(http(false, Some(8081), Some("/a/b?c=d:e"))),
        );
        check("https:8443", Some(http(true, Some(8443), None)));
        for wrong in [
            "",
            "udp",
            "none:1",
            "tcp:0",
            "tcp:70000",
            "tcp/x",
            "http:",
            "http:x",
            "http/a b",
            "http/\r\n",
        ] {
            check(wrong, None);
        }
    }

    #[test]
    fn a_status_line_has_a_code() {
        assert_eq!(status(b"HTTP/1.1 200 OK\r\n"), Some(200));
        assert_eq!(status(b"HTTP/1.0 503\r\n"), Some(503));
        for wrong in [
            &b""[..],
            b"HTTP/1.1",
            b"HTTP/1.1 20",
            b"SSH-2.0-OpenSSH",
            b"HTTP/1.1 abc",
            b"HTTP/2 200",
        ] {
            assert_eq!(status(wrong), None);
        }
    }
}
