//! A secret reaches its containers as files, is replaced under them, and shows nowhere else.

use super::stack::{TestStack, docker, eventually};
use crate::motif::engine_is_wanted;

const SECRETS: &str = "
pods:
  web:
    grace: 0s
    containers:
      app:
        image: debian:bookworm-slim
        user: 65532
        command: [sh, -c, 'id -u; stat -c %a:%u -L /db/password; exec sleep 1000']
        env: { TOKEN: { secret: db, key: token } }
        mounts: { db: /db, certs: /certs }
    volumes: { db: { secret: db }, certs: { secret: web-tls } }
secrets:
  db: { files: { password: secrets/password, token: secrets/token } }
  web-tls: { certificate: [localhost, web, 127.0.0.1] }
";

const PASSWORD: &str = "correct-horse-battery-staple";

fn stack() -> TestStack {
    let stack = TestStack::new(SECRETS);
    stack.workspace.write("secrets/password", PASSWORD);
    stack.workspace.write("secrets/token", "token-in-a-variable\n");
    stack
}

#[test]
fn a_secret_is_a_file_of_its_reader_and_shows_nowhere() {
    if !engine_is_wanted() {
        return;
    }
    let stack = stack();
    let up = stack.up();
    assert_eq!(stack.read("web-0", "/db/password"), PASSWORD);
    let logs = docker(&["logs", &format!("{}-web-0", stack.name)]);
    assert_eq!(logs, "65532\n400:65532\n");
    let volumes = docker(&["volume", "inspect", &format!("{}-web-db", stack.name)]);
    let plan = stack.run(&["up", "--dry-run", "--format", "json"]).success();
    for text in [
        stack.inspect("web-0").to_string(),
        volumes,
        up.to_string(),
        plan.to_string(),
    ] {
        assert!(!text.contains(PASSWORD), "{text}");
    }
    // A variable is all that the engine has to be told, and it is told in the variable alone.
    let mut found = stack.inspect("web-0");
    assert!(
        found["Config"]["Env"]
            .take()
            .to_string()
            .contains("TOKEN=token-in-a-variable\"")
    );
    assert!(!found.to_string().contains("token-in-a-variable"), "{found}");
}

#[test]
fn a_rotated_secret_is_replaced_under_a_running_container() {
    if !engine_is_wanted() {
        return;
    }
    let stack = stack();
    stack.up();
    let before = stack.life("web-0");
    let certificate = stack.read("web-0", "/certs/tls.crt");
    assert_eq!(
        certificate,
        stack.workspace.read(".motif/secrets/web-tls/tls.crt")
    );

    stack
        .workspace
        .write(".motif/secrets/web-tls/tls.crt", "my own certificate");
    stack
        .workspace
        .write(".motif/secrets/web-tls/tls.key", "my own key");
    stack.workspace.write("secrets/password", "another");
    let up = stack.up();
    assert_eq!(stack.life("web-0"), before, "{up}");
    assert_eq!(stack.read("web-0", "/certs/tls.crt"), "my own certificate");
    assert_eq!(stack.read("web-0", "/certs/tls.key"), "my own key");
    assert_eq!(stack.read("web-0", "/db/password"), "another");
    let again = stack.up();
    assert!(again.stderr.contains("is up to date"), "{again}");
}

#[test]
fn a_reader_never_misses_a_file_while_it_is_replaced() {
    if !engine_is_wanted() {
        return;
    }
    let stack = TestStack::new(&SECRETS.replace(
        "command: [sh, -c, 'id -u; stat -c %a:%u -L /db/password; exec sleep 1000']",
        "command: [sh, -c, 'while read -r line < /db/password; do last=$line; done; echo missed; exec sleep 1000']",
    ));
    stack.workspace.write("secrets/password", format!("{PASSWORD}\n"));
    stack.workspace.write("secrets/token", "t");
    stack.up();
    for round in 0..3 {
        stack
            .workspace
            .write("secrets/password", format!("password number {round}\n"));
        stack.up();
    }
    assert_eq!(docker(&["logs", &format!("{}-web-0", stack.name)]), "");
}

#[test]
fn a_changed_variable_replaces_its_container() {
    if !engine_is_wanted() {
        return;
    }
    let stack = stack();
    stack.up();
    let (before, _) = stack.life("web-0");
    stack.workspace.write("secrets/token", "another\n");
    let plan = stack.run(&["up", "--dry-run"]).success();
    assert!(
        plan.stdout
            .contains("env TOKEN changed: its secret has another value"),
        "{plan}"
    );
    stack.up();
    assert_ne!(stack.life("web-0").0, before);
    eventually("it has the new value", || {
        stack.inspect("web-0")["Config"]["Env"]
            .to_string()
            .contains("TOKEN=another\"")
    });
}

#[test]
fn a_missing_file_of_a_secret_is_named_before_anything_is_made() {
    if !engine_is_wanted() {
        return;
    }
    let stack = TestStack::new(SECRETS);
    let up = stack.run(&["up", "-d"]);
    assert_ne!(up.code, 0);
    assert!(up.stderr.contains("secrets/password"), "{up}");
    assert_eq!(stack.objects(), "");
}

#[test]
fn a_link_out_of_the_project_is_no_secret() {
    if !engine_is_wanted() {
        return;
    }
    let stack = stack();
    let path = stack.workspace.path().join("secrets/password");
    std::fs::remove_file(&path).unwrap();
    std::os::unix::fs::symlink("/etc/hostname", &path).unwrap();
    let up = stack.run(&["up", "-d"]).code(1);
    assert!(
        up.stderr.contains("it is a link that leads out of the project"),
        "{up}"
    );
    assert_eq!(stack.objects(), "");
}
