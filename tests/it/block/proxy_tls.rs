//! `proxy` with a certificate: TLS 1.2 and 1.3, HTTP/2, rotation.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::Request;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::running::Running;
use super::wire::{self, Backend};

/// A pair for localhost in PEM: certificate and key.
fn pair() -> (String, String) {
    let key = rcgen::KeyPair::generate().unwrap();
    let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
    let certificate = rcgen::CertificateParams::new(names)
        .unwrap()
        .self_signed(&key)
        .unwrap();
    (certificate.pem(), key.serialize_pem())
}

fn write(folder: &Path, certificate: &str, key: &str) {
    for (name, content) in [("tls.crt", certificate), ("tls.key", key)] {
        let temporary = folder.join(format!(".{name}"));
        std::fs::write(&temporary, content).unwrap();
        std::fs::rename(temporary, folder.join(name)).unwrap();
    }
}

/// A client that trusts this certificate alone.
fn connector(certificate: &str, protocols: &[&str]) -> TlsConnector {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap())
        .unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = protocols
        .iter()
        .map(|protocol| protocol.as_bytes().to_vec())
        .collect();
    TlsConnector::from(Arc::new(config))
}

async fn connect(connector: &TlsConnector, address: SocketAddr) -> std::io::Result<TlsStream<TcpStream>> {
    let stream = TcpStream::connect(address).await?;
    connector
        .connect(ServerName::try_from("localhost").unwrap(), stream)
        .await
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

struct Secured {
    folder: tempfile::TempDir,
    certificate: String,
    proxy: Running,
}

fn secured(upstream: SocketAddr, flags: &[&str]) -> Secured {
    let folder = tempfile::tempdir().unwrap();
    let (certificate, key) = pair();
    write(folder.path(), &certificate, &key);
    let flag = format!("--certificate={}", folder.path().display());
    let proxy = Running::proxy(&[upstream], &[&[flag.as_str()], flags].concat());
    Secured {
        folder,
        certificate,
        proxy,
    }
}

fn curl(secured: &Secured, flags: &[&str], path: &str) -> (Option<i32>, String) {
    let file = secured.folder.path().join("tls.crt");
    let url = format!("https://localhost:{}{path}", secured.proxy.address().port());
    let output = Command::new("curl")
        .args([
            "--silent",
            "--show-error",
            "--noproxy",
            "*",
            "--max-time",
            "60",
            "--ipv4",
            "--cacert",
        ])
        .arg(&file)
        .args(flags)
        .arg(url)
        .output()
        .expect("curl is installed: `make test` does so");
    (
        output.status.code(),
        String::from_utf8_lossy(&output.stdout).into_owned(),
    )
}

#[test]
fn each_version_of_tls_and_http_is_spoken() {
    let echo = Running::echo(&[]);
    let secured = secured(echo.address(), &[]);
    let cases: &[(&[&str], &str, &str)] = &[
        (&["--http1.1", "--tls-max", "1.2"], "1.1", "1.1 motif"),
        (&["--http1.1", "--tlsv1.3"], "1.1", "1.1 motif"),
        (&["--http2"], "2", "2.0 motif"),
    ];
    for (flags, version, via) in cases {
        let flags = [
            &["--write-out", "%{stderr}", "--write-out", "\n%{http_version}"],
            *flags,
        ]
        .concat();
        let (code, output) = curl(&secured, &flags, "/x");
        assert_eq!(code, Some(0), "{flags:?}: {output}");
        let (body, spoken) = output.rsplit_once('\n').unwrap();
        assert_eq!(spoken, *version, "{flags:?}");
        let body: serde_json::Value = serde_json::from_str(body).unwrap();
        assert_eq!(body["headers"]["x-forwarded-proto"], "https");
        assert_eq!(body["headers"]["via"], *via);
        assert_eq!(body["request"], "GET /x HTTP/1.1");
    }
    assert!(
        secured
            .proxy
            .metric("motif_certificate_expiry_timestamp_seconds")
            .unwrap()
            > 1e9
    );
}

#[test]
fn an_old_version_of_tls_is_refused_where_told_so() {
    let echo = Running::echo(&[]);
    let secured = secured(echo.address(), &["--tls-minimum=1.3"]);
    assert_eq!(curl(&secured, &["--tls-max", "1.2"], "/").0, Some(35));
    assert_eq!(curl(&secured, &[], "/").0, Some(0));
    assert_eq!(
        secured.proxy.metric("motif_tls_handshakes_failed_total"),
        Some(1.0)
    );
}

#[test]
fn http_in_place_of_tls_gets_nothing() {
    let backend = Backend::start(|mut turn| {
        turn.ok("");
        true
    });
    let secured = secured(backend.address, &[]);
    let mut client = wire::Client::connect(secured.proxy.address());
    client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n").unwrap();
    assert!(!client.rest().starts_with(b"HTTP"));
    assert_eq!(backend.received().len(), 0);
}

#[test]
fn http_2_is_spoken_without_tls_too() {
    let echo = Running::echo(&[]);
    let proxy = Running::proxy(&[echo.address()], &[]);
    let url = format!("http://{}/a", proxy.address());
    for (flags, expect) in [
        (["--header", "cookie: a=1"], "\"cookie\": \"a=1\""),
        (["--data", "body"], "\"body\": \"body\""),
    ] {
        let output = Command::new("curl")
            .args(["--silent", "--noproxy", "*", "--http2-prior-knowledge"])
            .args(flags)
            .arg(&url)
            .output()
            .expect("curl is installed: `make test` does so");
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(text.contains(expect), "{text}");
    }
}

#[test]
fn a_stream_of_http_2_ends_before_the_proxy_does() {
    let echo = Running::echo(&[]);
    let mut secured = secured(echo.address(), &[]);
    let address = secured.proxy.address();
    let connector = connector(&secured.certificate, &["h2"]);
    let in_flight = format!(
        "motif_backend_in_flight{{listen=\"{address}\",backend=\"{}\"}}",
        echo.address()
    );
    let (started, begun) = std::sync::mpsc::channel();
    let client = std::thread::spawn(move || {
        runtime().block_on(async {
            let stream = connect(&connector, address).await.unwrap();
            let (mut sender, connection) =
                hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
                    .await
                    .unwrap();
            let connection = tokio::spawn(connection);
            let request = |path: &str| {
                let uri = format!("https://localhost{path}");
                Request::get(uri).body(Empty::<Bytes>::new()).unwrap()
            };
            sender.ready().await.unwrap();
            let slow = sender.send_request(request("/slow?latency=1s"));
            started.send(()).unwrap();
            let answer = slow.await.unwrap();
            let status = answer.status();
            let body = answer.into_body().collect().await.unwrap().to_bytes();
            // GOAWAY ended the connection without an error.
            connection.await.unwrap().unwrap();
            (status, body)
        })
    });
    begun.recv().unwrap();
    super::running::wait_until("it is in flight", || {
        secured.proxy.metric(&in_flight) == Some(1.0)
    });
    secured.proxy.signal(rustix::process::Signal::TERM);
    let (status, body) = client.join().unwrap();
    assert_eq!(status, 200);
    assert!(serde_json::from_slice::<serde_json::Value>(&body).is_ok());
    assert_eq!(secured.proxy.wait(), Some(0));
}

const CONNECTIONS: usize = 2_000;

#[test]
fn a_rotated_certificate_drops_none_of_2000_connections() {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    let raised = rustix::process::Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    rustix::process::setrlimit(rustix::process::Resource::Nofile, raised).unwrap();
    let echo = Running::echo(&["--access-log=false"]);
    let secured = secured(echo.address(), &["--access-log=false"]);
    let (address, folder) = (secured.proxy.address(), secured.folder.path());
    let before = connector(&secured.certificate, &["http/1.1"]);
    runtime().block_on(async {
        let mut clients = Vec::new();
        for _ in 0..CONNECTIONS {
            let stream = connect(&before, address).await.unwrap();
            let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
                .await
                .unwrap();
            clients.push((sender, tokio::spawn(connection)));
        }
        let ask_all = async |clients: &mut Vec<(hyper::client::conn::http1::SendRequest<_>, _)>| {
            for (number, (sender, _)) in clients.iter_mut().enumerate() {
                sender
                    .ready()
                    .await
                    .unwrap_or_else(|error| panic!("connection {number} was dropped: {error}"));
                let request = Request::get("/livez")
                    .header("host", "localhost")
                    .body(Empty::<Bytes>::new())
                    .unwrap();
                let answer = sender.send_request(request).await;
                let answer =
                    answer.unwrap_or_else(|error| panic!("connection {number} was dropped: {error}"));
                assert_eq!(answer.status(), 200);
                answer.into_body().collect().await.unwrap();
            }
        };
        ask_all(&mut clients).await;

        // A key that does not belong to the certificate: the old pair stays.
        let (certificate, key) = pair();
        let (_, wrong) = pair();
        write(folder, &certificate, &wrong);
        secured.proxy.wait_for("certificate kept", |event| {
            event["reason"]
                .as_str()
                .unwrap()
                .contains("don't belong together")
        });
        connect(&before, address).await.unwrap();

        write(folder, &certificate, &key);
        secured.proxy.wait_for("certificate reloaded", |_| true);
        let after = connector(&certificate, &["http/1.1"]);
        connect(&after, address).await.unwrap();
        assert!(
            connect(&connector(&secured.certificate, &[]), address)
                .await
                .is_err(),
            "the old one is gone"
        );
        ask_all(&mut clients).await;
        assert!(
            clients.iter().all(|(_, connection)| !connection.is_finished()),
            "0 dropped"
        );
        assert!(secured.proxy.metric("motif_connections").unwrap() >= 2_000.0);
    });
}

#[test]
fn bytes_pass_through_tls() {
    let echo = Running::echo(&[]);
    let secured = secured(echo.address(), &["--mode=tcp"]);
    let (code, body) = curl(&secured, &["--http1.1"], "/plain");
    assert_eq!(code, Some(0));
    let body: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!(
        body["headers"]["x-forwarded-for"],
        serde_json::Value::Null,
        "nothing was added"
    );
}
