//! Asks over HTTP, on connections that are kept where that is wanted.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{CONNECTION, HOST, HeaderValue};
use hyper::{Method, Request, Uri};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use sha2::{Digest, Sha256};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::super::catalogue::Error;
use super::super::probe::{self, reason};
use super::{Answer, LARGEST};

/// A request.
#[derive(Debug, Clone)]
pub struct Question {
    pub url: String,
    pub method: String,
    pub headers: Vec<(String, String)>,
    pub body: String,
    pub fresh: bool,
}

/// A connection, and the digest of the certificate that its server showed.
#[derive(Debug)]
struct Connection {
    sender: SendRequest<Full<Bytes>>,
    certificate: Option<String>,
    is_reused: bool,
}

/// What asks: connections that nobody uses now, by scheme and address.
pub struct Client {
    idle: Mutex<HashMap<String, Vec<Connection>>>,
    tls: TlsConnector,
}

impl Client {
    pub fn new() -> Result<Self, Error> {
        let configuration = probe::any_certificate().map_err(Error::configuration)?;
        Ok(Self {
            idle: Mutex::default(),
            tls: TlsConnector::from(Arc::new(configuration)),
        })
    }

    /// Asks once, or every address behind the name.
    pub async fn ask(&self, question: &Question, each: bool) -> Vec<Result<Answer, String>> {
        let target = match Target::of(&question.url) {
            Ok(target) => target,
            Err(why) => return vec![Err(why)],
        };
        if !each {
            return vec![self.ask_one(question, &target, None).await];
        }
        match tokio::net::lookup_host((target.host.as_str(), target.port)).await {
            Ok(addresses) => {
                let asked = addresses.map(|address| self.ask_one(question, &target, Some(address)));
                futures_util::future::join_all(asked).await
            }
            Err(error) => vec![Err(reason(&error))],
        }
    }

    async fn ask_one(
        &self,
        question: &Question,
        target: &Target,
        address: Option<SocketAddr>,
    ) -> Result<Answer, String> {
        let place = format!("{}{}:{}{address:?}", target.tls, target.host, target.port);
        loop {
            let kept = self
                .idle()
                .get_mut(&place)
                .and_then(Vec::pop)
                .filter(|_| !question.fresh);
            let mut connection = match kept {
                Some(connection) if connection.sender.is_closed() => continue,
                Some(connection) => connection,
                None => self.connect(target, address).await?,
            };
            let request = request(question, target)?;
            let response = match connection.sender.send_request(request).await {
                Ok(response) => response,
                // A kept connection may be closed in the moment of its use: then nothing was asked.
                Err(error)
                    if connection.is_reused
                        && (error.is_canceled() || error.is_closed() || error.is_incomplete_message()) =>
                {
                    continue;
                }
                Err(error) => return Err(reason(&error)),
            };
            let (head, body) = response.into_parts();
            let body = Limited::new(body, LARGEST).collect().await;
            let body = body.map_err(|error| reason(error.as_ref()))?.to_bytes();
            let body = String::from_utf8_lossy(&body).into_owned();
            let mut whole = format!("{:?} {}\n", head.version, head.status);
            if let Some(certificate) = &connection.certificate {
                let _ = writeln!(whole, "certificate: {certificate}");
            }
            for (name, value) in &head.headers {
                whole.push_str(&format!(
                    "{name}: {}\n",
                    String::from_utf8_lossy(value.as_bytes())
                ));
            }
            whole.push('\n');
            whole.push_str(&body);
            if !question.fresh {
                connection.is_reused = true;
                self.idle().entry(place).or_default().push(connection);
            }
            return Ok(Answer {
                status: Some(head.status.as_u16()),
                whole,
                body,
                ..Answer::default()
            });
        }
    }

    async fn connect(&self, target: &Target, address: Option<SocketAddr>) -> Result<Connection, String> {
        let stream = match address {
            Some(address) => TcpStream::connect(address).await,
            None => TcpStream::connect((target.host.as_str(), target.port)).await,
        };
        let stream = stream.map_err(|error| reason(&error))?;
        let _ = stream.set_nodelay(true);
        if !target.tls {
            let (sender, connection) = http1::handshake(TokioIo::new(stream))
                .await
                .map_err(|error| reason(&error))?;
            tokio::spawn(connection);
            return Ok(Connection {
                sender,
                certificate: None,
                is_reused: false,
            });
        }
        let name = ServerName::try_from(target.host.clone()).map_err(|error| reason(&error))?;
        let stream = self
            .tls
            .connect(name, stream)
            .await
            .map_err(|error| reason(&error))?;
        let shown = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
        let certificate = shown.map(|certificate| hex(&Sha256::digest(certificate)));
        let (sender, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|error| reason(&error))?;
        tokio::spawn(connection);
        Ok(Connection {
            sender,
            certificate,
            is_reused: false,
        })
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, HashMap<String, Vec<Connection>>> {
        self.idle
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::new();
    for byte in bytes.iter().take(8) {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// Where a URL leads.
#[derive(Debug, PartialEq)]
struct Target {
    tls: bool,
    host: String,
    port: u16,
    authority: String,
    path: String,
}

impl Target {
    fn of(url: &str) -> Result<Self, String> {
        let uri: Uri = url
            .parse()
            .map_err(|error| format!("`{url}` is no URL: {error}"))?;
        let tls = uri.scheme_str() == Some("https");
        let authority = uri.authority().ok_or_else(|| format!("`{url}` has no host"))?;
        Ok(Self {
            tls,
            host: authority.host().trim_matches(['[', ']']).to_owned(),
            port: authority.port_u16().unwrap_or(if tls { 443 } else { 80 }),
            authority: authority.to_string(),
            path: uri
                .path_and_query()
                .map_or_else(|| "/".to_owned(), ToString::to_string),
        })
    }
}

fn request(question: &Question, target: &Target) -> Result<Request<Full<Bytes>>, String> {
    let method: Method = question
        .method
        .parse()
        .map_err(|_| format!("`{}` is no method", question.method))?;
    let mut request = Request::builder()
        .method(method)
        .uri(&target.path)
        .header(HOST, &target.authority);
    for (name, value) in &question.headers {
        request = request.header(name, value);
    }
    let mut request = request
        .body(Full::new(Bytes::from(question.body.clone())))
        .map_err(|error| reason(&error))?;
    if question.fresh {
        request
            .headers_mut()
            .insert(CONNECTION, HeaderValue::from_static("close"));
    }
    Ok(request)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_lead_somewhere() {
        let target = Target::of("https://[::1]/a?b").unwrap();
        assert!(target.tls);
        assert_eq!(
            (target.host.as_str(), target.port, target.path.as_str()),
            ("::1", 443, "/a?b")
        );
        assert_eq!(Target::of("http://web:8080").unwrap().path, "/");
        assert!(Target::of("/path").is_err());
    }
}
