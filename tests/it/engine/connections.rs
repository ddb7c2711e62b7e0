//! An engine behind TLS, and one behind ssh: the machine's own, with a real server of either kind in front.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio::net::{TcpListener, UnixStream};
use tokio_rustls::TlsAcceptor;

use super::stack::{TestStack, eventually};
use crate::motif::{Workspace, engine_is_wanted};
use crate::watched_engine::engine_socket;

const STACK: &str = "
pods:
  web:
    grace: 0s
    containers:
      app: { block: http-echo, ports: { http: 8080 } }
";

/// Brings a stack up, looks at it in every way that keeps a connection, and takes it down.
fn works(stack: &TestStack) {
    stack.up();
    let again = stack.run(&["up", "-d"]).success();
    assert!(again.stderr.contains("is up to date"), "{again}");
    assert!(stack.run(&["ps"]).success().stdout.contains("web-0"));
    let said = stack.run(&["logs", "web"]).success();
    assert!(said.stdout.contains("listening"), "{said}");
    let version = stack
        .run(&["exec", "web", "--", "/.motif/motif", "--version"])
        .success();
    assert!(version.stdout.starts_with("motif "), "{version}");
    let piped = stack.workspace.run_with_input(
        &[
            "exec",
            "-p",
            &stack.name,
            "web",
            "--",
            "/.motif/motif",
            "block",
            "http-echo",
            "--help",
        ],
        b"typed",
    );
    piped.success();
    stack.run(&["down"]).success();
}

/// An authority, and what it signed, as PEM files.
struct Authority {
    certificate: rcgen::Certificate,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let certificate = params.self_signed(&key).unwrap();
        Self {
            certificate,
            issuer: Issuer::new(params, key),
        }
    }

    fn sign(&self, name: &str, purpose: ExtendedKeyUsagePurpose) -> (rcgen::Certificate, KeyPair) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.extended_key_usages = vec![purpose];
        (params.signed_by(&key, &self.issuer).unwrap(), key)
    }
}

/// A TLS server before the engine's socket, which wants a certificate of the client; its address.
fn tls_before_the_engine(authority: &Authority) -> String {
    let (certificate, key) = authority.sign("127.0.0.1", ExtendedKeyUsagePurpose::ServerAuth);
    let mut roots = RootCertStore::empty();
    roots.add(authority.certificate.der().clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
        .build()
        .unwrap();
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(verifier)
        .with_single_cert(
            vec![CertificateDer::from(certificate.der().to_vec())],
            PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
        )
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = format!("tcp://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let listener = TcpListener::from_std(listener).unwrap();
            while let Ok((client, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    let Ok(mut client) = acceptor.accept(client).await else {
                        return;
                    };
                    let mut engine = UnixStream::connect(engine_socket()).await.unwrap();
                    let _ = tokio::io::copy_bidirectional(&mut client, &mut engine).await;
                });
            }
        });
    });
    address
}

fn write(folder: &Path, name: &str, text: &str) {
    std::fs::create_dir_all(folder).unwrap();
    std::fs::write(folder.join(name), text).unwrap();
}

#[test]
fn tls_with_certificates_on_both_sides() {
    if !engine_is_wanted() {
        return;
    }
    let authority = Authority::new();
    let address = tls_before_the_engine(&authority);
    let mut stack = TestStack::new(STACK);
    let certs = stack.workspace.path().join("certs");
    write(&certs, "ca.pem", &authority.certificate.pem());
    stack.env("DOCKER_HOST", &address);
    stack.env("DOCKER_TLS_VERIFY", "1");
    stack.env("DOCKER_CERT_PATH", certs.to_str().unwrap());
    let refused = stack.run(&["ps"]).code(1);
    assert!(refused.stderr.contains("certificate"), "{refused}");
    let (certificate, key) = authority.sign("me", ExtendedKeyUsagePurpose::ClientAuth);
    write(&certs, "cert.pem", &certificate.pem());
    write(&certs, "key.pem", &key.serialize_pem());
    works(&stack);

    // The same from a context.
    let id = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"; // SHA-256 of `test`
    let docker = stack.workspace.path().join(".docker");
    let meta = format!(r#"{{"Name":"test","Endpoints":{{"docker":{{"Host":"{address}"}}}}}}"#);
    write(&docker.join("contexts/meta").join(id), "meta.json", &meta);
    for name in ["ca.pem", "cert.pem", "key.pem"] {
        let text = std::fs::read_to_string(certs.join(name)).unwrap();
        write(&docker.join("contexts/tls").join(id).join("docker"), name, &text);
    }
    for variable in ["DOCKER_HOST", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH"] {
        stack.env(variable, "");
    }
    stack.env("DOCKER_CONTEXT", "test");
    works(&stack);

    // Nobody else's engine is taken for it.
    write(
        &docker.join("contexts/tls").join(id).join("docker"),
        "ca.pem",
        &Authority::new().certificate.pem(),
    );
    let refused = stack.run(&["ps"]).code(1);
    assert!(
        refused.stderr.contains("invalid peer certificate") && refused.stderr.contains("signed by `ca.pem`"),
        "{refused}"
    );
    write(
        &docker.join("contexts/tls").join(id).join("docker"),
        "ca.pem",
        "nothing",
    );
    let refused = stack.run(&["ps"]).code(1);
    assert!(refused.stderr.contains("it holds no certificate"), "{refused}");
    stack.env("DOCKER_CONTEXT", "");
}

/// An ssh server that lets in whoever has a key of this folder; killed when dropped.
struct SshServer {
    process: Child,
    port: u16,
}

impl SshServer {
    fn start(folder: &Path) -> Self {
        let keys = folder.join("home/.ssh");
        std::fs::create_dir_all(&keys).unwrap();
        let run = |program: &str, arguments: &[&str]| {
            let output = Command::new(program)
                .args(arguments)
                .current_dir(folder)
                .output()
                .unwrap();
            assert!(output.status.success(), "{output:?}");
            String::from_utf8(output.stdout).unwrap()
        };
        run("ssh-keygen", &["-q", "-t", "ed25519", "-N", "", "-f", "identity"]);
        run("dropbearkey", &["-t", "ed25519", "-f", "host"]);
        std::fs::copy(folder.join("identity.pub"), keys.join("authorized_keys")).unwrap();
        let host = run("dropbearkey", &["-y", "-f", "host"]);
        let host = host
            .lines()
            .find(|line| line.starts_with("ssh-ed25519 "))
            .unwrap();
        let port = std::net::TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        std::fs::write(folder.join("known"), format!("[127.0.0.1]:{port} {host}\n")).unwrap();
        // The server looks for keys in its user's home: here another folder lies over that.
        let home = std::env::var("HOME").unwrap();
        let script = format!(
            "mount --bind home {home} && exec /usr/sbin/dropbear -F -s -r host -p 127.0.0.1:{port} -P pid"
        );
        let mut command = Command::new("unshare");
        command.arg("--mount");
        if !rustix::process::getuid().is_root() {
            command.arg("--map-root-user");
        }
        let process = command
            .args(["sh", "-c", &script])
            .current_dir(folder)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let server = Self { process, port };
        eventually("the ssh server listens", || {
            std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()
        });
        server
    }
}

impl Drop for SshServer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn ssh_with_keys_and_without() {
    if !engine_is_wanted() {
        return;
    }
    let mut stack = TestStack::new(STACK);
    let folder = tempfile::tempdir().unwrap();
    let server = SshServer::start(folder.path());
    // `ssh` reads its settings from the user's own home, which is none of a test's.
    let files = folder.path().display();
    let config =
        format!("UserKnownHostsFile {files}/known\nIdentitiesOnly yes\nIdentityFile {files}/identity\n");
    std::fs::write(folder.path().join("config"), config).unwrap();
    let ssh = format!("#!/bin/sh\nexec /usr/bin/ssh -F {files}/config \"$@\"\n");
    write(&folder.path().join("bin"), "ssh", &ssh);
    let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(folder.path().join("bin/ssh"), executable).unwrap();
    let path = format!("{files}/bin:{}", std::env::var("PATH").unwrap());
    stack.env("PATH", &path);
    let host = format!("ssh://root@127.0.0.1:{}", server.port);
    stack.env("DOCKER_HOST", &host);
    works(&stack);
    let socket = format!("{host}{}", engine_socket().display());
    stack.env("DOCKER_HOST", &socket);
    stack.run(&["ps"]).success();

    std::fs::write(folder.path().join("known"), "").unwrap();
    let refused = stack.run(&["ps"]).code(1);
    assert!(
        refused.stderr.contains("Host key verification failed")
            && refused.stderr.contains("hint: log in without"),
        "{refused}"
    );
    let nobody = Workspace::new()
        .env("DOCKER_HOST", "ssh://127.0.0.1:1")
        .run(&["ps", "-p", "x"])
        .code(1);
    assert!(nobody.stderr.contains("Connection refused"), "{nobody}");
    stack.env("DOCKER_HOST", "");
}
