//! Probes against a real nginx that knows nothing of them.

use std::sync::atomic::{AtomicU32, Ordering};

use super::project::docker;
use crate::motif::{binary, build_image, engine_is_wanted};

const CONFIGURATION: &str = "\
pid /tmp/pid;
error_log stderr;
events {}
http {
  access_log off;
  client_body_temp_path /tmp/a; proxy_temp_path /tmp/b; fastcgi_temp_path /tmp/c; uwsgi_temp_path /tmp/d; scgi_temp_path /tmp/e;
  server {
    listen 8080;
    listen 8443 ssl;
    ssl_certificate /tls/tls.crt;
    ssl_certificate_key /tls/tls.key;
    location = /well { return 204; }
    location = /ill { return 503 'no database\\n'; }
    location = /moved { return 302 /ill; }
    location = /host { if ($http_x_token != secret) { return 403; } return 200; }
  }
  server { listen 127.0.0.1:8081; }
}
";

/// A container that runs nginx and holds the binary.
struct Nginx {
    id: String,
}

impl Nginx {
    fn start(network: &str) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        let key = rcgen::generate_simple_self_signed(vec!["elsewhere".to_owned()]).unwrap();
        write("nginx.conf", CONFIGURATION);
        write("tls.crt", &key.cert.pem());
        write("tls.key", &key.signing_key.serialize_pem());
        write(
            "Dockerfile",
            "FROM debian:bookworm-slim\n\
             RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends nginx >/dev/null\n\
             COPY nginx.conf /etc/nginx/nginx.conf\n\
             COPY tls.crt tls.key /tls/\n\
             CMD [\"nginx\", \"-g\", \"daemon off;\"]\n",
        );
        let tag = format!(
            "motif-test/probe:{}-{}",
            std::process::id(),
            NUMBER.fetch_add(1, Ordering::Relaxed)
        );
        build_image(&tag, folder.path());
        let id = docker(&["create", "--rm", "--network", network, &tag]);
        docker(&["cp", binary().to_str().unwrap(), &format!("{id}:/motif")]);
        docker(&["start", &id]);
        let nginx = Self { id };
        // It binds its ports a moment after its start.
        for _ in 0..100 {
            if nginx.probe(&["tcp", "--port", "8080", "--timeout", "5s"]).0 == 0 {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        nginx
    }

    /// Exit code and what it printed, with the container's address left out.
    fn probe(&self, arguments: &[&str]) -> (i32, String) {
        let output = std::process::Command::new("docker")
            .args(["exec", &self.id, "/motif", "block", "probe"])
            .args(arguments)
            .output()
            .unwrap();
        let format = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}";
        let address = docker(&["inspect", "--format", format, &self.id]);
        let mut text = String::from_utf8(output.stdout).unwrap();
        if !address.is_empty() {
            text = text.replace(&address, "POD");
        }
        (output.status.code().unwrap(), text)
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let image = docker(&["inspect", "--format", "{{.Config.Image}}", &self.id]);
        docker(&["rm", "--force", &self.id]);
        docker(&["rmi", "--force", "--no-prune", &image]);
    }
}

#[test]
fn probes_say_what_they_got() {
    if !engine_is_wanted() {
        return;
    }
    let nginx = Nginx::start("bridge");
    let check = |arguments: &[&str], code: i32, line: &str| {
        assert_eq!(
            nginx.probe(arguments),
            (code, format!("{line}\n")),
            "{arguments:?}"
        );
    };
    check(
        &["http", "--port", "8080", "--path", "/well"],
        0,
        "http://POD:8080/well: 204 No Content",
    );
    check(
        &["http", "--port", "8080", "--path", "/ill"],
        1,
        "http://POD:8080/ill: 503 Service Unavailable: no database",
    );
    check(
        &["http", "--port", "8080", "--path", "/moved"],
        1,
        "http://POD:8080/moved: 503 Service Unavailable: no database",
    );
    check(
        &["http", "--port", "8443", "--path", "/well", "--scheme", "https"],
        0,
        "https://POD:8443/well: 204 No Content",
    );
    check(
        &[
            "http",
            "--port",
            "8080",
            "--path",
            "/host",
            "--header",
            "X-Token: secret",
        ],
        0,
        "http://POD:8080/host: 200 OK",
    );
    check(&["tcp", "--port", "8443"], 0, "tcp POD:8443: open");
    check(&["tcp", "--port", "9"], 1, "tcp POD:9: connection refused");
    // Like a kubelet: what listens on the loopback address only is not there.
    check(&["tcp", "--port", "8081"], 1, "tcp POD:8081: connection refused");
    check(
        &["tcp", "--port", "8081", "--host", "127.0.0.1"],
        0,
        "tcp 127.0.0.1:8081: open",
    );
    let (code, line) = nginx.probe(&["grpc", "--port", "8080"]);
    assert_eq!(code, 1, "{line}");
    let (code, line) = nginx.probe(&[
        "http",
        "--port",
        "80",
        "--host",
        "192.0.2.1",
        "--timeout",
        "100ms",
    ]);
    assert_eq!(code, 1, "{line}");

    let (_, listeners) = nginx.probe(&["listeners"]);
    let listeners: Vec<serde_json::Value> = serde_json::from_str(&listeners).unwrap();
    for (address, port) in [("0.0.0.0", 8080), ("0.0.0.0", 8443), ("127.0.0.1", 8081)] {
        let expected = serde_json::json!({ "address": address, "port": port, "protocol": "tcp" });
        assert!(listeners.contains(&expected), "{listeners:?}");
    }
}

#[test]
fn a_pod_without_a_network_is_asked_on_its_loopback_address() {
    if !engine_is_wanted() {
        return;
    }
    let nginx = Nginx::start("none");
    let found = nginx.probe(&["http", "--port", "8080", "--path", "/well"]);
    assert_eq!(
        found,
        (0, "http://127.0.0.1:8080/well: 204 No Content\n".to_owned())
    );
}

#[test]
fn a_probe_that_makes_no_sense_is_refused() {
    let check = |arguments: &[&str], expect: &str| {
        let arguments = [&["block", "probe"], arguments].concat();
        let output = crate::motif::Workspace::new().run(&arguments).code(2);
        assert!(output.stderr.contains(expect), "{output}");
    };
    check(&["http"], "--port");
    check(&["tcp", "--port", "0"], "0 is not in 1..=65535");
    check(&["tcp", "--port", "1", "--timeout", "10"], "`10` has no unit");
    check(
        &["http", "--port", "1", "--header", "x"],
        "`x` is not a header like `Name: value`",
    );
}
