//! The pattern `sidecar/tls` around a real nginx that knows nothing of it.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, SignatureScheme, StreamOwned};

use crate::motif::{Output, Workspace, build_image, engine_is_wanted};

/// An image with Debian's nginx that listens on `address`; built from the base image, nothing pulled.
fn nginx_image(address: &'static str) -> String {
    static BUILT: Mutex<Vec<&str>> = Mutex::new(Vec::new());
    let tag = format!(
        "motif-test/nginx:{}",
        address.replace(['.', ':', '*'], "-").trim_matches('-')
    );
    let mut built = BUILT.lock().unwrap();
    if !built.contains(&address) {
        let dockerfile = format!(
            "FROM debian:bookworm-slim\n\
             RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends nginx >/dev/null\n\
             RUN printf 'server {{ listen {address}; root /srv; }}\\n' > /etc/nginx/sites-enabled/default \\\n\
              && mkdir -p /srv && printf 'plain nginx, none the wiser\\n' > /srv/index.html\n\
             CMD [\"nginx\", \"-g\", \"daemon off;\"]\n"
        );
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("Dockerfile"), dockerfile).unwrap();
        build_image(&tag, folder.path());
        built.push(address);
    }
    tag
}

/// A project that wraps an image; taken down when dropped.
struct Project {
    workspace: Workspace,
    name: String,
    url: String,
    up: Output,
}

impl Project {
    fn up(image: &str, app_port: u16) -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let name = format!(
            "tls{}x{}",
            std::process::id(),
            NEXT.fetch_add(1, Ordering::Relaxed)
        );
        let workspace = Workspace::new().with_engine();
        let image = format!("app.image={image}");
        let port = format!("app.port={app_port}");
        workspace
            .run(&[
                "new",
                "sidecar/tls",
                &name,
                "--defaults",
                "--set",
                &image,
                "--set",
                &port,
                "--set",
                "port=0",
            ])
            .success();
        let mut project = Self {
            up: Output {
                stdout: String::new(),
                stderr: String::new(),
                code: 0,
            },
            workspace,
            name,
            url: String::new(),
        };
        project.up = project.motif(&["up", "-d", "--wait"]).success();
        project.url = project.up.stdout.trim().to_owned();
        assert!(project.url.starts_with("https://127.0.0.1:"), "{}", project.up);
        project
    }

    fn motif(&self, arguments: &[&str]) -> Output {
        let mut words = vec!["-C", self.name.as_str()];
        words.extend(arguments);
        self.workspace.run(&words)
    }

    fn address(&self) -> String {
        self.url
            .trim_start_matches("https://")
            .trim_end_matches('/')
            .to_owned()
    }

    fn docker(arguments: &[&str]) -> String {
        let output = Command::new("docker").args(arguments).output().unwrap();
        assert!(
            output.status.success(),
            "docker {arguments:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// The container of a member of the first replica.
    fn container(&self, member: &str) -> String {
        let stack = format!("label=dev.motif.stack={}", self.name);
        let container = format!("label=dev.motif.container={member}");
        let id = Self::docker(&["ps", "-q", "--filter", &stack, "--filter", &container]);
        assert_eq!(id.lines().count(), 1, "`{member}` of {}: {id}", self.name);
        id
    }

    fn pod_address(&self) -> String {
        let stack = format!("label=dev.motif.stack={}", self.name);
        let ids = Self::docker(&["ps", "-q", "--filter", &stack]);
        ids.lines()
            .map(|id| {
                Self::docker(&[
                    "inspect",
                    "-f",
                    "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}",
                    id,
                ])
            })
            .find(|address| !address.is_empty())
            .expect("one container owns the network")
    }
}

impl Drop for Project {
    fn drop(&mut self) {
        let output = self.motif(&["down", "--volumes", "-t", "1"]);
        if !std::thread::panicking() {
            output.success();
            let stack = format!("label=dev.motif.stack={}", self.name);
            for kind in [
                &["ps", "-aq"][..],
                &["volume", "ls", "-q"],
                &["network", "ls", "-q"],
            ] {
                let mut words = kind.to_vec();
                words.extend(["--filter", &stack]);
                assert_eq!(Self::docker(&words), "", "{words:?} after down");
            }
        }
    }
}

/// Takes every certificate and remembers the last one.
#[derive(Debug)]
struct Remember(Mutex<Vec<u8>>);

impl ServerCertVerifier for Remember {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        *self.0.lock().unwrap() = end_entity.to_vec();
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
        provider().signature_verification_algorithms.supported_schemes()
    }
}

fn provider() -> &'static Arc<rustls::crypto::CryptoProvider> {
    static PROVIDER: OnceLock<Arc<rustls::crypto::CryptoProvider>> = OnceLock::new();
    PROVIDER.get_or_init(|| Arc::new(rustls::crypto::ring::default_provider()))
}

type Connection = StreamOwned<ClientConnection, TcpStream>;

/// Opens a connection; returns it after the handshake, with the server's certificate.
fn connect(address: &str) -> std::io::Result<(Connection, Vec<u8>)> {
    let remember = Arc::new(Remember(Mutex::new(Vec::new())));
    let mut config = ClientConfig::builder_with_provider(provider().clone())
        .with_safe_default_protocol_versions()
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(remember.clone())
        .with_no_client_auth();
    config.resumption = rustls::client::Resumption::disabled();
    let client = ClientConnection::new(Arc::new(config), ServerName::try_from("localhost").unwrap()).unwrap();
    let socket = TcpStream::connect(address)?;
    socket.set_read_timeout(Some(std::time::Duration::from_secs(20)))?;
    let mut connection = StreamOwned::new(client, socket);
    while connection.conn.is_handshaking() {
        connection.conn.complete_io(&mut connection.sock)?;
    }
    let certificate = remember.0.lock().unwrap().clone();
    Ok((connection, certificate))
}

/// One request on an open connection; the body must be nginx's page.
fn get(connection: &mut Connection) -> std::io::Result<()> {
    connection.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")?;
    let mut answer = Vec::new();
    let mut buffer = [0; 4096];
    while !String::from_utf8_lossy(&answer).ends_with("none the wiser\n") {
        let read = connection.read(&mut buffer)?;
        if read == 0 {
            return Err(std::io::Error::other(format!(
                "ended after {:?}",
                String::from_utf8_lossy(&answer)
            )));
        }
        answer.extend_from_slice(&buffer[..read]);
    }
    if answer.starts_with(b"HTTP/1.1 200") {
        Ok(())
    } else {
        Err(std::io::Error::other("not 200"))
    }
}

#[test]
fn https_serves_what_a_loopback_nginx_serves_and_the_pod_refuses_plain_http() {
    if !engine_is_wanted() {
        return;
    }
    let project = Project::up(&nginx_image("127.0.0.1:8081"), 8081);
    assert!(!project.up.stderr.contains("warning"), "{}", project.up);
    let (mut connection, _) = connect(&project.address()).unwrap();
    get(&mut connection).unwrap();
    let refused = TcpStream::connect((project.pod_address(), 8081)).unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
}

#[test]
fn a_server_that_binds_every_address_is_called_out() {
    if !engine_is_wanted() {
        return;
    }
    let project = Project::up(&nginx_image("80"), 80);
    let (mut connection, _) = connect(&project.address()).unwrap();
    get(&mut connection).unwrap();
    assert!(project.up.stderr.contains("warning"), "{}", project.up);
    assert!(project.up.stderr.contains("127.0.0.1"), "{}", project.up);
    TcpStream::connect((project.pod_address(), 80)).unwrap();
}

#[test]
fn killing_the_sidecar_leaves_nginx_alone() {
    if !engine_is_wanted() {
        return;
    }
    let project = Project::up(&nginx_image("127.0.0.1:8081"), 8081);
    let (app, tls) = (project.container("app"), project.container("tls"));
    let started = |id: &str| {
        Project::docker(&[
            "inspect",
            "-f",
            "{{.State.StartedAt}} {{.RestartCount}} {{.State.Pid}}",
            id,
        ])
    };
    let (app_before, tls_before) = (started(&app), started(&tls));
    // Killed from inside the host, as a crash is: the engine's own `kill` counts as a wish to stop.
    let pid = Project::docker(&["inspect", "-f", "{{.State.Pid}}", &tls]);
    assert!(
        Command::new("kill")
            .args(["-9", &pid])
            .status()
            .unwrap()
            .success()
    );
    let mut last = None;
    for _ in 0..200 {
        match connect(&project.address()).and_then(|(mut connection, _)| get(&mut connection)) {
            Ok(()) => {
                last = None;
                break;
            }
            Err(error) => last = Some(error),
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    assert!(last.is_none(), "the sidecar did not come back: {last:?}");
    assert_ne!(started(&tls), tls_before);
    assert_eq!(started(&app), app_before);
}

#[test]
fn a_rotated_certificate_drops_none_of_two_thousand_connections() {
    if !engine_is_wanted() {
        return;
    }
    let project = Project::up(&nginx_image("127.0.0.1:8081"), 8081);
    let address = project.address();
    let (mut long_lived, old) = connect(&address).unwrap();
    get(&mut long_lived).unwrap();

    let (left, failures) = (Arc::new(AtomicUsize::new(2000)), Arc::new(Mutex::new(Vec::new())));
    let rotated = Arc::new(AtomicBool::new(false));
    let clients: Vec<_> = (0..8)
        .map(|_| {
            let (address, left, failures) = (address.clone(), left.clone(), failures.clone());
            let rotated = rotated.clone();
            std::thread::spawn(move || {
                // Half before and during the rotation, the rest only once it is through.
                while let Ok(count) =
                    left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1))
                {
                    while count <= 500 && !rotated.load(Ordering::SeqCst) {
                        std::thread::sleep(std::time::Duration::from_millis(20));
                    }
                    if let Err(error) = connect(&address).and_then(|(mut connection, _)| get(&mut connection))
                    {
                        failures.lock().unwrap().push(error.to_string());
                    }
                }
            })
        })
        .collect();

    let secret = project
        .workspace
        .path()
        .join(&project.name)
        .join(".motif/secrets/web-tls");
    let new = rcgen::generate_simple_self_signed(vec!["localhost".into()]).unwrap();
    std::fs::write(secret.join("tls.crt"), new.cert.pem()).unwrap();
    std::fs::write(secret.join("tls.key"), new.signing_key.serialize_pem()).unwrap();
    let app_before = Project::docker(&["inspect", "-f", "{{.State.StartedAt}}", &project.container("app")]);
    let tls_before = Project::docker(&["inspect", "-f", "{{.State.StartedAt}}", &project.container("tls")]);
    project.motif(&["up", "-d"]).success();
    let mut seen = old.clone();
    for _ in 0..200 {
        seen = connect(&address).unwrap().1;
        if seen != old {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    rotated.store(true, Ordering::SeqCst);
    for client in clients {
        client.join().unwrap();
    }
    assert_eq!(seen, new.cert.der().to_vec(), "the new certificate is served");
    assert_eq!(*failures.lock().unwrap(), Vec::<String>::new());
    get(&mut long_lived).expect("a connection from before the rotation goes on");
    assert_eq!(
        app_before,
        Project::docker(&["inspect", "-f", "{{.State.StartedAt}}", &project.container("app")])
    );
    assert_eq!(
        tls_before,
        Project::docker(&["inspect", "-f", "{{.State.StartedAt}}", &project.container("tls")])
    );
}
