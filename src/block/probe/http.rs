//! Asks over HTTP or HTTPS, as a kubelet does.

use std::sync::Arc;

use http_body_util::{BodyExt, Empty};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::{ACCEPT, CONNECTION, HOST, HeaderValue, LOCATION, USER_AGENT};
use hyper::rt::{Read, Write};
use hyper::{Request, Response, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use tokio_rustls::TlsConnector;

use super::{Finding, Http, Scheme, reason};

/// As many as a kubelet follows.
const REDIRECTS: usize = 10;

/// What part of a failed answer's body is shown.
const SHOWN: usize = 200;

/// `http://10.0.0.1:8080/readyz`
pub fn describe(probe: &Http) -> String {
    format!(
        "{}://{}{}",
        probe.scheme,
        probe.target.authority(),
        slashed(&probe.path)
    )
}

fn slashed(path: &str) -> String {
    if path.starts_with('/') {
        path.to_owned()
    } else {
        format!("/{path}")
    }
}

/// Asks, and follows redirects that stay on the same server.
pub async fn ask(probe: &Http, what: &str) -> Finding {
    let mut path = slashed(&probe.path);
    for _ in 0..=REDIRECTS {
        let response = match exchange(probe, &path).await {
            Ok(response) => response,
            Err(reason) => return Finding::Fail(format!("{what}: {reason}")),
        };
        let status = response.status();
        let location = response
            .headers()
            .get(LOCATION)
            .and_then(|location| location.to_str().ok());
        let followed = location
            .filter(|_| status.is_redirection())
            .and_then(|location| same_server(probe, location));
        match followed {
            Some(next) => path = next,
            None if status.is_success() || status.is_redirection() => {
                return Finding::Pass(format!("{what}: {status}"));
            }
            None => return Finding::Fail(format!("{what}: {}", failure(status, response).await)),
        }
    }
    Finding::Fail(format!("{what}: more than {REDIRECTS} redirects"))
}

/// The path of a redirect to the server that was asked. A redirect elsewhere is an answer: it passes.
fn same_server(probe: &Http, location: &str) -> Option<String> {
    let location: Uri = location.parse().ok()?;
    let path = location.path_and_query()?.to_string();
    match (location.scheme_str(), location.authority()) {
        (None, None) if path.starts_with('/') => Some(path),
        (Some(scheme), Some(authority)) if scheme == probe.scheme.to_string() => {
            (authority.as_str() == probe.target.authority()).then_some(path)
        }
        _ => None,
    }
}

async fn exchange(probe: &Http, path: &str) -> Result<Response<hyper::body::Incoming>, String> {
    let stream = probe.target.dial().await?;
    match probe.scheme {
        Scheme::Http => send(TokioIo::new(stream), request(probe, path)?).await,
        Scheme::Https => {
            let host = probe.target.host();
            let name = ServerName::try_from(host).map_err(|error| reason(&error))?;
            let connector = TlsConnector::from(Arc::new(configuration()?));
            let stream = connector
                .connect(name, stream)
                .await
                .map_err(|error| reason(&error))?;
            send(TokioIo::new(stream), request(probe, path)?).await
        }
    }
}

fn request(probe: &Http, path: &str) -> Result<Request<Empty<Bytes>>, String> {
    let mut request = Request::get(path)
        .body(Empty::new())
        .map_err(|error| reason(&error))?;
    let headers = request.headers_mut();
    let host = probe
        .target
        .authority()
        .parse()
        .map_err(|_| "the host is not a header's value".to_owned())?;
    headers.insert(HOST, host);
    headers.insert(ACCEPT, HeaderValue::from_static("*/*"));
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    headers.insert(
        USER_AGENT,
        HeaderValue::from_static(concat!("motif-probe/", env!("CARGO_PKG_VERSION"))),
    );
    for (name, value) in &probe.headers {
        headers.insert(name, value.clone());
    }
    Ok(request)
}

async fn send<S>(stream: S, request: Request<Empty<Bytes>>) -> Result<Response<hyper::body::Incoming>, String>
where
    S: Read + Write + Unpin + Send + 'static,
{
    let (mut sender, connection) = http1::handshake(stream).await.map_err(|error| reason(&error))?;
    tokio::spawn(connection);
    sender.send_request(request).await.map_err(|error| reason(&error))
}

/// The status, and the first line of the body, which often says why.
async fn failure(status: StatusCode, response: Response<hyper::body::Incoming>) -> String {
    let mut body = response.into_body();
    let mut text = Vec::new();
    while text.len() < SHOWN
        && let Some(Ok(frame)) = body.frame().await
    {
        text.extend_from_slice(frame.data_ref().map_or(&[][..], |data| data));
    }
    let text = String::from_utf8_lossy(&text);
    let words: Vec<&str> = text.split_whitespace().collect();
    let line: String = words.join(" ").chars().take(SHOWN).collect();
    if line.is_empty() {
        status.to_string()
    } else {
        format!("{status}: {line}")
    }
}

/// TLS with whoever answers, whatever its certificate.
pub fn configuration() -> Result<ClientConfig, String> {
    let provider = Arc::new(ring::default_provider());
    Ok(ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| reason(&error))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyCertificate(provider)))
        .with_no_client_auth())
}

/// Takes every certificate, as a kubelet does: the question is whether the pod answers, and a pod's
/// certificate is seldom made out to its address.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
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
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(
            message,
            certificate,
            signature,
            &self.0.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(
            message,
            certificate,
            signature,
            &self.0.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::super::Target;
    use super::*;
    use std::time::Duration;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    /// A server that gives these answers, one for each connection; returns the requests' first lines.
    async fn serve(listener: TcpListener, answers: Vec<&'static str>) -> Vec<String> {
        let mut asked = Vec::new();
        for answer in answers {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                request.push(stream.read_u8().await.unwrap());
            }
            asked.push(
                String::from_utf8(request)
                    .unwrap()
                    .lines()
                    .next()
                    .unwrap()
                    .to_owned(),
            );
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
        asked
    }

    #[track_caller]
    fn check(path: &str, answers: Vec<&'static str>, expect: &Finding, asked: &[&str]) {
        let runtime = super::super::runtime::single().unwrap();
        let (found, requests) = runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let target = Target {
                port: listener.local_addr().unwrap().port(),
                host: Some("127.0.0.1".to_owned()),
                timeout: Duration::from_secs(10),
            };
            let probe = Http {
                target,
                path: path.to_owned(),
                scheme: Scheme::Http,
                headers: Vec::new(),
            };
            tokio::join!(ask(&probe, "it"), serve(listener, answers))
        });
        assert_eq!(&found, expect);
        assert_eq!(requests, asked);
    }

    #[test]
    fn a_status_from_200_to_399_passes() {
        let pass = |line: &str| Finding::Pass(line.to_owned());
        let fail = |line: &str| Finding::Fail(line.to_owned());
        check(
            "/a?b",
            vec!["HTTP/1.1 200 OK\r\n\r\n"],
            &pass("it: 200 OK"),
            &["GET /a?b HTTP/1.1"],
        );
        check(
            "a",
            vec!["HTTP/1.1 204 None\r\n\r\n"],
            &pass("it: 204 No Content"),
            &["GET /a HTTP/1.1"],
        );
        check(
            "/",
            vec!["HTTP/1.1 304 x\r\n\r\n"],
            &pass("it: 304 Not Modified"),
            &["GET / HTTP/1.1"],
        );
        check(
            "/",
            vec!["HTTP/1.1 503 x\r\nContent-Length: 16\r\n\r\nno database\nmore"],
            &fail("it: 503 Service Unavailable: no database more"),
            &["GET / HTTP/1.1"],
        );
        check(
            "/",
            vec!["HTTP/1.0 404 x\r\n\r\n"],
            &fail("it: 404 Not Found"),
            &["GET / HTTP/1.1"],
        );
    }

    #[test]
    fn a_redirect_is_followed_on_the_same_server_only() {
        check(
            "/a",
            vec![
                "HTTP/1.1 302 x\r\nLocation: /b\r\nContent-Length: 0\r\n\r\n",
                "HTTP/1.1 500 x\r\nContent-Length: 0\r\n\r\n",
            ],
            &Finding::Fail("it: 500 Internal Server Error".to_owned()),
            &["GET /a HTTP/1.1", "GET /b HTTP/1.1"],
        );
        check(
            "/a",
            vec!["HTTP/1.1 302 x\r\nLocation: https://elsewhere/\r\nContent-Length: 0\r\n\r\n"],
            &Finding::Pass("it: 302 Found".to_owned()),
            &["GET /a HTTP/1.1"],
        );
    }

    #[test]
    fn what_is_no_http_fails_with_a_reason() {
        let runtime = super::super::runtime::single().unwrap();
        let found = runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let target = Target {
                port: listener.local_addr().unwrap().port(),
                host: Some("127.0.0.1".to_owned()),
                timeout: Duration::from_secs(10),
            };
            let probe = Http {
                target,
                path: "/".to_owned(),
                scheme: Scheme::Http,
                headers: Vec::new(),
            };
            tokio::join!(ask(&probe, "it"), serve(listener, vec!["nonsense\r\n\r\n"])).0
        });
        assert_eq!(found, Finding::Fail("it: invalid HTTP version parsed".to_owned()));
    }
}
