//! The objects of an export, run by podman, which reads them too: the same question gets the same answer as on Docker.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::stack::{TestStack, docker, eventually};
use crate::motif::engine_is_wanted;

/// The patterns whose default stack is one pod, and where it answers: port and path.
const SINGLE: [(&str, &[&str]); 6] = [
    ("adapter/health", &["http://HOST:8090/readyz"]),
    (
        "adapter/logs",
        &["http://HOST:8080/one?two=three", "http://HOST:9931/readyz"],
    ),
    ("adapter/metrics", &["http://HOST:9121/metrics"]),
    ("container", &["http://HOST:8080/one?two=three"]),
    (
        "sidecar/introspect",
        &["http://HOST:8080/one?two=three", "http://HOST:9901/livez"],
    ),
    ("sidecar/tls", &["https://HOST:8443/one?two=three"]),
];

/// Podman with a store, a network and a pause image of its own. All that it starts is in one network namespace, so that
/// no port of the machine is taken.
const SCRIPT: &str = r#"
set -eu
export CONTAINERS_CONF="$PWD/containers.conf"
ip link set lo up
podman() { command podman --root "$PWD/root" --runroot "$PWD/run" "$@"; }
trap 'podman pod rm --all --force >/dev/null 2>&1; podman volume rm --all --force >/dev/null 2>&1; podman rmi --all --force >/dev/null 2>&1' EXIT
podman load --quiet --input images.tar >/dev/null
for pattern in */pod.yaml; do
  folder=${pattern%/*}
  if [ -e "$folder/secret.json" ]; then podman secret create "$(cat "$folder/secret.name")" "$folder/secret.json" >/dev/null; fi
  podman kube play --quiet "$pattern" >"$folder/played" 2>&1 || { cat "$folder/played" >&2; exit 1; }
  n=0
  while read -r url; do
    n=$((n + 1)) tries=0
    until curl --silent --fail --insecure --max-time 5 "$url" >"$folder/answer.$n"; do
      tries=$((tries + 1))
      if [ $tries -gt 100 ]; then
        podman ps --all >&2
        for name in $(podman ps --all --quiet); do podman logs "$name" >&2 || true; done
        exit 1
      fi
      sleep 0.2
    done
  done <"$folder/urls"
  podman kube down "$pattern" >/dev/null
done
"#;

const SETTINGS: &str = r#"
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
[engine]
infra_image = "localhost/PAUSE"
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
"#;

/// An image whose program is the block that holds a pod; removed when the test ends.
struct PauseImage(String);

impl PauseImage {
    fn new(block: &str) -> Self {
        let name = format!("motif-test/pause:{}", std::process::id());
        let made = docker(&["create", "--name", &name.replace(['/', ':'], "-"), block, "pause"]);
        let id = made.trim();
        let entry = r#"ENTRYPOINT ["/.motif/motif", "block", "pause"]"#;
        docker(&["commit", "--change", entry, "--change", "CMD []", id, &name]);
        docker(&["rm", id]);
        Self(name)
    }
}

impl Drop for PauseImage {
    fn drop(&mut self) {
        docker(&["rmi", &self.0]);
    }
}

/// Asks with curl until an answer comes.
fn ask(url: &str) -> String {
    let mut text = String::new();
    eventually(url, || {
        let output = Command::new("curl")
            .args(["--silent", "--fail", "--insecure", "--max-time", "5", url])
            .output()
            .unwrap();
        text = String::from_utf8_lossy(&output.stdout).into_owned();
        output.status.success()
    });
    text
}

/// What doesn't depend on the moment and on who asks: of an echo what was asked and said, of metrics their names.
fn meaning(answer: &str) -> BTreeSet<String> {
    if let Ok(Value::Object(echo)) = serde_json::from_str(answer) {
        let same = ["message", "method", "path", "query", "request"];
        let kept = echo.into_iter().filter(|(key, _)| same.contains(&key.as_str()));
        return kept.map(|(key, value)| format!("{key}: {value}")).collect();
    }
    let lines = answer.lines().filter(|line| !line.starts_with('#'));
    let names = lines.map(|line| line.split(['{', ' ']).next().unwrap_or_default().to_owned());
    names.collect()
}

/// What a pattern answers under `motif up`, and all that podman needs, in a folder of its own; returns the block image.
fn prepare(pattern: &str, urls: &[&str], folder: &Path) -> (Vec<BTreeSet<String>>, String) {
    let stack = TestStack::new("");
    let mut new = vec!["new", pattern, &stack.name, "--defaults", "--output", "."];
    new.push("--force");
    stack.run(&new).success();
    let text = stack.workspace.read("stack.yaml");
    let has = |parameter: &str| text.contains(&format!("\n  {parameter}: {{"));
    let mut options = Vec::new();
    for (parameter, chosen) in [
        ("replicas", "--set=replicas=1"),
        ("port", "--set=port=0"),
        ("topz", "--set=topz=0"),
    ] {
        options.extend(has(parameter).then_some(chosen));
    }
    stack
        .run(&[&["up", "-d", "--wait"], &options[..]].concat())
        .success();
    let ours = format!("label=dev.motif.stack={}", stack.name);
    let containers = docker(&["ps", "--quiet", "--filter", &ours]);
    let form = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}";
    let addresses = containers.lines().map(|id| docker(&["inspect", "-f", form, id]));
    let address = addresses
        .map(|text| text.trim().to_owned())
        .find(|text| !text.is_empty());
    let address = address.unwrap_or_else(|| panic!("{pattern} has no address"));
    let write = |name: &str, text: &str| std::fs::write(folder.join(name), text).unwrap();
    std::fs::create_dir(folder).unwrap();
    let mut list = String::new();
    let mut answers = Vec::new();
    for url in urls {
        answers.push(meaning(&ask(&url.replace("HOST", &address))));
        list += &format!("{}\n", url.replace("HOST", "127.0.0.1"));
    }
    write("urls", &list);
    let export = ["export", "kubernetes", "--sidecars", "main", "-q"];
    let export = stack.run(&[&export[..], &options].concat()).success().stdout;
    write("pod.yaml", &export);
    let secrets = stack.workspace.path().join(".motif/secrets");
    if let Some(secret) = std::fs::read_dir(secrets).ok().and_then(|mut list| list.next()) {
        let secret = secret.unwrap();
        let text = |file: &str| std::fs::read_to_string(secret.path().join(file)).unwrap();
        // As podman 4.3 keeps them: the object, its values not in Base64.
        let data = serde_json::json!({ "data": { "tls.crt": text("tls.crt"), "tls.key": text("tls.key") } });
        write("secret.json", &data.to_string());
        write("secret.name", secret.file_name().to_str().unwrap());
    }
    let mut images = export
        .lines()
        .filter_map(|line| line.trim().strip_prefix("image: "));
    (answers, images.next().unwrap().to_owned())
}

#[test]
fn podman_runs_the_patterns_of_one_pod() {
    if !engine_is_wanted() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let mut expected = Vec::new();
    let mut block = String::new();
    std::thread::scope(|scope| {
        let prepared = SINGLE.map(|(pattern, urls)| {
            let name = pattern.replace('/', "-");
            let folder = path(&name);
            (name, scope.spawn(move || prepare(pattern, urls, &folder)))
        });
        for (name, thread) in prepared {
            let (answers, image) = thread.join().unwrap();
            for (number, meant) in answers.into_iter().enumerate() {
                expected.push((format!("{name}/answer.{}", number + 1), meant));
            }
            block = image;
        }
    });
    let pause = PauseImage::new(&block);
    let archive = path("images.tar");
    docker(&["save", "-o", archive.to_str().unwrap(), &block, &pause.0]);
    std::fs::write(path("containers.conf"), SETTINGS.replace("PAUSE", &pause.0)).unwrap();
    let output = Command::new("unshare")
        .args(["--net", "bash", "-c", SCRIPT])
        .current_dir(folder.path())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    for (file, meant) in expected {
        let answer = std::fs::read_to_string(path(&file)).unwrap();
        assert!(!meant.is_empty(), "{file}");
        assert_eq!(meaning(&answer), meant, "{file}");
    }
}
