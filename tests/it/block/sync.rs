//! `sync` with real sources: folders, HTTP servers, and repositories served by Git itself.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write;
use std::net::SocketAddr;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::Value;
use tempfile::TempDir;

use super::running::{Ended, Running, refused, wait_until};
use super::wire::{self, Backend, Received};

/// Starts a block that looks often, at a target in this folder.
fn start(folder: &Path, source: &str, flags: &[&str]) -> Running {
    let words = words(folder, source, flags);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let path = std::env::var("PATH").unwrap();
    Running::start(&words, &[("PATH", &path)])
}

fn words(folder: &Path, source: &str, flags: &[&str]) -> Vec<String> {
    let mut words = vec![
        "sync".to_owned(),
        "--admin=127.0.0.1:0".to_owned(),
        "--interval=20ms".to_owned(),
        format!("--source={source}"),
        format!("--target={}", folder.join("current").display()),
    ];
    words.extend(flags.iter().map(|flag| (*flag).to_owned()));
    words
}

/// Looks once.
fn once(folder: &Path, source: &str, flags: &[&str]) -> Ended {
    let mut words = words(folder, source, flags);
    words.push("--once=true".to_owned());
    refused(&words.iter().map(String::as_str).collect::<Vec<_>>())
}

fn read(folder: &Path, name: &str) -> String {
    fs::read_to_string(folder.join("current").join(name)).unwrap_or_default()
}

/// Waits until a file of the target has this content.
#[track_caller]
fn wait_for(folder: &Path, name: &str, content: &str) {
    wait_until(&format!("`{name}` is `{content}`"), || {
        read(folder, name) == content
    });
}

/// Writes a file as those who care do: beside it, then renamed.
fn replace(path: &Path, content: &str) {
    let temporary = path.with_extension("new");
    fs::write(&temporary, content).unwrap();
    fs::rename(temporary, path).unwrap();
}

/// The versions in the order in which they came.
fn versions(sync: &Running) -> Vec<String> {
    sync.events("new version")
        .iter()
        .map(|event| event["version"].as_str().unwrap().to_owned())
        .collect()
}

/// A server whose answer can be changed.
struct Origin {
    backend: Backend,
    answer: Arc<Mutex<String>>,
}

impl Origin {
    fn start(answer: &str) -> Self {
        let answer = Arc::new(Mutex::new(answer.to_owned()));
        let given = Arc::clone(&answer);
        let backend = Backend::start(move |mut turn| {
            let answer = given.lock().unwrap().clone();
            turn.send(answer);
            false
        });
        Self { backend, answer }
    }

    fn set(&self, answer: &str) {
        answer.clone_into(&mut self.answer.lock().unwrap());
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.backend.address)
    }
}

fn ok(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

#[test]
fn a_folder_is_followed() {
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("source");
    fs::create_dir_all(source.join("a/b")).unwrap();
    fs::write(source.join("a/b/run"), "one").unwrap();
    fs::set_permissions(source.join("a/b/run"), fs::Permissions::from_mode(0o700)).unwrap();
    symlink("a/b/run", source.join("link")).unwrap();
    let shown = format!("folder:{}", source.display());
    let sync = start(folder.path(), &shown, &[]);
    sync.wait_until_ready();
    assert_eq!(read(folder.path(), "link"), "one");
    assert_eq!(
        listing(&folder.path().join("current")),
        BTreeMap::from([
            ("a/b/run".to_owned(), "program one".to_owned()),
            ("link".to_owned(), "link a/b/run".to_owned()),
        ])
    );
    let first = fs::read_link(folder.path().join("current")).unwrap();
    assert!(first.starts_with(".sync/current"), "{first:?}");

    replace(&source.join("a/b/run"), "two");
    wait_for(folder.path(), "link", "two");
    // What can't be taken over leaves what is there, and is said once.
    symlink("/etc/passwd", source.join("out")).unwrap();
    let said = sync.wait_for("not synced", |_| true);
    assert_eq!(said["reason"], "the link `out` leads out of it");
    assert_eq!(said["kind"], "escape");
    let failed = |reason: &str| sync.metric(&format!("motif_sync_failures_total{{reason=\"{reason}\"}}"));
    wait_until("it failed five times", || {
        failed("escape").is_some_and(|count| count >= 5.0)
    });
    assert_eq!(read(folder.path(), "link"), "two");
    assert_eq!(wire::get(sync.admin(), "/readyz").status, 200);
    fs::remove_file(source.join("out")).unwrap();
    sync.wait_for("the source is as before", |_| true);
    assert_eq!(sync.events("not synced").len(), 1);
    fs::rename(&source, folder.path().join("elsewhere")).unwrap();
    sync.wait_for("not synced", |event| event["kind"] == "source");
    fs::create_dir(&source).unwrap();
    sync.wait_for("not synced", |event| event["reason"] == "it has no file");
    assert_eq!(read(folder.path(), "link"), "two");
    replace(&source.join("link"), "three");
    wait_for(folder.path(), "link", "three");
    wait_until("nothing but the link is there", || {
        listing(&folder.path().join("current")).len() == 1
    });
    let current = fs::read_link(folder.path().join("current")).unwrap();
    let digest = current.file_name().unwrap().to_str().unwrap().to_owned();
    wait_until("the metrics show it", || {
        sync.metric(&format!(
            "motif_sync_version{{digest=\"{digest}\",revision=\"\"}}"
        )) == Some(1.0)
    });
    assert!(sync.metric("motif_sync_last_success_timestamp_seconds") > Some(0.0));
    assert_eq!(sync.terminate(), Some(0));
    // Another start takes up what is there.
    let again = start(folder.path(), "folder:/nonexistent", &[]);
    let found = again.wait_for("found a version", |_| true);
    assert_eq!(found["version"], digest);
    assert_eq!(wire::get(again.admin(), "/readyz").status, 200);
}

/// A content that shows whether it is whole: its number, and a payload that only this number has.
fn numbered(number: usize) -> String {
    let line = format!("{number:08}\n");
    line.repeat(2000 + number)
}

fn is_whole(content: &str) -> bool {
    content
        .get(..8)
        .and_then(|number| number.parse().ok())
        .is_some_and(|number| content == numbered(number))
}

#[test]
fn a_reader_never_sees_a_torn_version_while_the_source_flaps() {
    let folder = tempfile::tempdir().unwrap();
    let told = Backend::start(|mut turn| {
        turn.send("HTTP/1.1 204 No Content\r\n\r\n");
        false
    });
    let asked = AtomicUsize::new(0);
    let last = 25 * 5;
    let origin = Backend::start(move |mut turn| {
        let count = asked.fetch_add(1, Ordering::Relaxed).min(last);
        let content = numbered(count / 5);
        match count % 5 {
            0 => turn.send(ok(&content)),
            1 => turn.send("HTTP/1.1 500 Broken\r\ncontent-length: 4\r\n\r\nnone"),
            2 => turn.send("HTTP/1.1 404 None\r\ncontent-length: 0\r\n\r\n"),
            3 => turn.send(&ok(&numbered(count))[..4000]),
            _ => turn.send(ok("")),
        }
        false
    });
    let source = format!("http://{}/content", origin.address);
    let notify = format!("--notify=http://{}/changed", told.address);
    let sync = start(folder.path(), &source, &[&notify, "--keep=30"]);
    sync.wait_until_ready();
    let done = Arc::new(AtomicBool::new(false));
    let reader = std::thread::spawn({
        let (done, path) = (Arc::clone(&done), folder.path().join("current/content"));
        move || {
            let (mut reads, mut seen) = (0, BTreeSet::new());
            while reads < 2000 || !done.load(Ordering::Relaxed) {
                let content = fs::read_to_string(&path).unwrap();
                assert!(is_whole(&content), "torn: {} bytes", content.len());
                seen.insert(content.len());
                reads += 1;
            }
            (reads, seen.len())
        }
    });
    wait_until("all versions came", || versions(&sync).len() == 26);
    wait_until("all changes were told", || sync.events("notified").len() == 25);
    done.store(true, Ordering::Relaxed);
    let (reads, seen) = reader.join().unwrap();
    assert!(reads >= 2000 && seen > 1, "{reads} reads of {seen} versions");
    // Each change once, in order, and the first version not at all.
    let told: Vec<String> = told
        .received()
        .iter()
        .map(|request| {
            assert_eq!(request.line, "POST /changed HTTP/1.1");
            let body: Value = serde_json::from_slice(&request.body).unwrap();
            body["version"].as_str().unwrap().to_owned()
        })
        .collect();
    assert_eq!(told, versions(&sync)[1..]);
    assert_eq!(read(folder.path(), "content"), numbered(25));
}

#[test]
fn what_did_not_change_is_not_fetched_again() {
    let folder = tempfile::tempdir().unwrap();
    let origin = Backend::start(|mut turn| {
        if turn.request.header("if-none-match") == Some("\"a\"") {
            turn.send("HTTP/1.1 304 Not Modified\r\netag: \"a\"\r\n\r\n");
        } else {
            turn.send("HTTP/1.1 200 OK\r\netag: \"a\"\r\ncontent-length: 3\r\n\r\none");
        }
        false
    });
    let sync = start(
        folder.path(),
        &format!("http://{}/x?y=z", origin.address),
        &["--name=content"],
    );
    wait_for(folder.path(), "content", "one");
    let unchanged = || sync.metric("motif_sync_looks_total{result=\"unchanged\"}");
    wait_until("it looked again", || {
        unchanged().is_some_and(|count| count >= 3.0)
    });
    let asked = origin.received();
    assert!(asked.iter().all(|request| request.line == "GET /x?y=z HTTP/1.1"));
    let whole = asked
        .iter()
        .filter(|request| request.header("if-none-match").is_none());
    assert_eq!(whole.count(), 1);
}

#[test]
fn a_bad_source_leaves_the_last_good_version() {
    let folder = tempfile::tempdir().unwrap();
    let origin = Origin::start(&ok("{\"a\": 1}"));
    let flags = [
        "--validate-json=true",
        "--validate=grep -q a content.json",
        "--max-size=1Ki",
        "--timeout=500ms",
    ];
    let sync = start(folder.path(), &origin.url("/content.json"), &flags);
    wait_for(folder.path(), "content.json", "{\"a\": 1}");
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let away = format!(
        "HTTP/1.1 302 Found\r\nlocation: http://{}/\r\ncontent-length: 0\r\n\r\n",
        silent.local_addr().unwrap()
    );
    let large = ok(&format!("\"{}\"", "a".repeat(2000)));
    for (answer, kind, reason) in [
        ("HTTP/1.1 404 None\r\ncontent-length: 0\r\n\r\n", "source", "404"),
        ("HTTP/1.1 500 No\r\ncontent-length: 0\r\n\r\n", "source", "500"),
        ("HTTP/1.1 204 No\r\n\r\n", "source", "204"),
        ("nonsense\r\n\r\n", "source", ""),
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{}",
            "source",
            "broke off",
        ),
        (&ok("{\"a\": 1"), "invalid", "`content.json` is not JSON"),
        (&ok("{\"b\": 1}"), "invalid", "the validation `grep` ends with"),
        (&ok(""), "invalid", "empty"),
        (&large, "too-large", "1024 bytes"),
        (&away, "timeout", "500 ms"),
        (
            "HTTP/1.1 302 Found\r\nlocation: /content.json\r\ncontent-length: 0\r\n\r\n",
            "source",
            "more than 5 redirects",
        ),
    ] {
        origin.set(answer);
        let event = sync.wait_for("not synced", |event| {
            event["kind"] == kind && event["reason"].as_str().unwrap().contains(reason)
        });
        assert_eq!(event["version"], versions(&sync)[0], "{event}");
        assert_eq!(read(folder.path(), "content.json"), "{\"a\": 1}");
    }
    assert_eq!(wire::get(sync.admin(), "/readyz").status, 200);
    origin.set(&ok("{\"a\": 2}"));
    wait_for(folder.path(), "content.json", "{\"a\": 2}");
    let left: Vec<_> = fs::read_dir(folder.path().join(".sync/current"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.len() >= 64)
        .collect();
    assert_eq!(left.len(), 2, "rejected versions are gone: {left:?}");
}

#[test]
fn it_is_not_ready_before_there_is_a_version() {
    let folder = tempfile::tempdir().unwrap();
    let origin = Origin::start("HTTP/1.1 503 Not yet\r\ncontent-length: 0\r\n\r\n");
    let sync = start(folder.path(), &origin.url("/content"), &[]);
    sync.wait_for("not synced", |_| true);
    let answer = wire::get(sync.admin(), "/readyz");
    assert_eq!(answer.status, 503);
    assert!(answer.text().contains("503"), "{}", answer.text());
    assert_eq!(wire::get(sync.admin(), "/livez").status, 200);
    assert!(!folder.path().join("current").exists());
    origin.set(&ok("one"));
    sync.wait_until_ready();
    assert_eq!(read(folder.path(), "content"), "one");
}

/// A program with a name of its own that writes a line for each signal.
struct Program {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Program {
    fn start(folder: &Path, name: &str) -> Self {
        let name = format!("{name}-{}", std::process::id());
        let (path, log) = (folder.join(&name), folder.join("log"));
        let script = format!(
            "#!/bin/sh\ntrap 'echo told >> {log}' USR1\necho started >> {log}\nwhile :; do sleep 0.02; done\n",
            log = log.display()
        );
        let mut file = fs::File::create(&path).unwrap();
        file.write_all(script.as_bytes()).unwrap();
        file.set_permissions(fs::Permissions::from_mode(0o755)).unwrap();
        drop(file);
        // Another test may be forking just now, with the file still open for writing.
        let mut child = None;
        wait_until("the program starts", || {
            child = Command::new(&path).spawn().ok();
            child.is_some()
        });
        let program = Self {
            name,
            child: child.unwrap(),
            log,
        };
        wait_until("the program runs", || program.lines() == 1);
        program
    }

    fn lines(&self) -> usize {
        fs::read_to_string(&self.log).unwrap_or_default().lines().count()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_process_gets_one_signal_for_each_change() {
    let folder = tempfile::tempdir().unwrap();
    let program = Program::start(folder.path(), "usr");
    let origin = Origin::start(&ok("0"));
    let notify = format!("--notify=signal:USR1:{}", program.name);
    let sync = start(folder.path(), &origin.url("/content"), &[&notify]);
    wait_for(folder.path(), "content", "0");
    for change in 1..=5 {
        origin.set(&ok(&change.to_string()));
        wait_until("the change was told", || program.lines() > change);
    }
    wait_until("all was logged", || sync.events("notified").len() == 5);
    assert_eq!(
        sync.metric("motif_sync_notifications_total{accepted=\"true\"}"),
        Some(5.0)
    );
    let looks = || {
        sync.metric("motif_sync_looks_total{result=\"unchanged\"}")
            .unwrap()
    };
    let before = looks();
    wait_until("it looked some more", || looks() >= before + 5.0);
    assert_eq!(program.lines(), 6);
}

#[test]
fn a_process_is_ended_for_its_restart() {
    let folder = tempfile::tempdir().unwrap();
    let mut program = Program::start(folder.path(), "end");
    let origin = Origin::start(&ok("0"));
    let notify = format!("--notify=restart:{}", program.name);
    let sync = start(folder.path(), &origin.url("/content"), &[&notify]);
    wait_for(folder.path(), "content", "0");
    origin.set(&ok("1"));
    let mut status = None;
    wait_until("the program ends", || {
        status = program.child.try_wait().unwrap();
        status.is_some()
    });
    sync.wait_for("notified", |_| true);
    // Without such a process the notification waits, also for another start of the block.
    origin.set(&ok("2"));
    sync.wait_for("not notified", |event| {
        event["reason"] == format!("there is no process `{}`", program.name)
    });
    assert_eq!(read(folder.path(), "content"), "2");
    assert_eq!(sync.terminate(), Some(0));
    let elsewhere = tempfile::tempdir().unwrap();
    let mut program = Program::start(elsewhere.path(), "end");
    let sync = start(folder.path(), &origin.url("/content"), &[&notify]);
    sync.wait_for("notified", |_| true);
    wait_until("the program ends", || program.child.try_wait().unwrap().is_some());
}

#[test]
fn a_notification_is_repeated_until_it_is_accepted_once() {
    let folder = tempfile::tempdir().unwrap();
    let accepts = Arc::new(AtomicBool::new(false));
    let told = Backend::start({
        let accepts = Arc::clone(&accepts);
        move |mut turn| {
            let status = if accepts.load(Ordering::Relaxed) { 200 } else { 503 };
            turn.send(format!("HTTP/1.1 {status} x\r\ncontent-length: 0\r\n\r\n"));
            false
        }
    });
    let origin = Origin::start(&ok("0"));
    let notify = format!("--notify=http://{}/", told.address);
    let sync = start(folder.path(), &origin.url("/content"), &[&notify]);
    wait_for(folder.path(), "content", "0");
    origin.set(&ok("1"));
    wait_until("it was told twice in vain", || told.received().len() >= 2);
    accepts.store(true, Ordering::Relaxed);
    sync.wait_for("notified", |_| true);
    assert_eq!(sync.events("not notified").len(), 1, "said once");
    let count = told.received().len();
    origin.set(&ok("2"));
    wait_until("the next change was told", || told.received().len() > count);
    wait_until("it was logged", || sync.events("notified").len() == 2);
    assert_eq!(told.received().len(), count + 1);
}

#[test]
fn an_init_container_looks_once() {
    let folder = tempfile::tempdir().unwrap();
    let origin = Origin::start("HTTP/1.1 500 No\r\ncontent-length: 0\r\n\r\n");
    let failed = once(folder.path(), &origin.url("/content"), &[]);
    assert_eq!(failed.code, Some(1), "{failed:?}");
    assert!(failed.stderr.contains("500"), "{failed:?}");
    origin.set(&ok("one"));
    let done = once(folder.path(), &origin.url("/content"), &[]);
    assert_eq!(done.code, Some(0), "{done:?}");
    assert_eq!(read(folder.path(), "content"), "one");
}

#[test]
fn what_makes_no_sense_is_refused_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let taken = folder.path().join("taken");
    fs::create_dir(&taken).unwrap();
    let taken = format!("--target={}", taken.display());
    let target = format!("--target={}", folder.path().join("current").display());
    let good = "--source=folder:/etc";
    for (flags, expect) in [
        (vec![&*target], "--source"),
        (vec![&*target, "--source=/etc"], "is not `folder:PATH`"),
        (
            vec![&*target, "--source=https://user:word@host/"],
            "no user and password",
        ),
        (vec![&*taken, good], "exists and is not a link"),
        (
            vec!["--target=/proc/nonexistent/current", good],
            "can't be written",
        ),
        (
            vec![&*target, good, "--notify=signal:FOO:x"],
            "is not a signal that can be sent",
        ),
        (vec![&*target, good, "--interval=0s"], "longer than zero"),
        (vec![&*target, good, "--credentials=/etc/passwd"], "by HTTP only"),
        (vec![&*target, good, "--ca=/etc/passwd"], "holds no certificate"),
        (
            vec![&*target, good, "--ca=/nonexistent"],
            "failed to read `/nonexistent`",
        ),
        (
            vec![&*target, "--source=https://host/x", "--credentials=/nonexistent"],
            "failed to read `/nonexistent`",
        ),
        (
            vec![&*target, "--source=https://host/x", "--credentials=/"],
            "failed to read `/`",
        ),
        (
            vec![&*target, "--source=git://host/x", "--ref=a b"],
            "is not the name of a branch",
        ),
    ] {
        let mut words = vec!["sync"];
        words.extend(flags);
        let ended = refused(&words);
        assert_eq!(ended.code, Some(2), "{ended:?}");
        assert_eq!(ended.stdout, "", "{ended:?}");
        let reasons: Vec<_> = ended
            .stderr
            .lines()
            .filter(|line| line.starts_with("error: "))
            .collect();
        assert_eq!(reasons.len(), 1, "{ended:?}");
        assert!(!ended.stderr.contains("caused by"), "{ended:?}");
        assert!(reasons[0].contains(expect), "{expect}: {ended:?}");
    }
}

#[test]
fn a_certificate_has_to_be_trusted() {
    let folder = tempfile::tempdir().unwrap();
    let origin = Origin::start(&ok("one"));
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = rcgen::CertificateParams::new(vec!["localhost".to_owned()])
        .unwrap()
        .self_signed(&key)
        .unwrap();
    let authority = folder.path().join("tls.crt");
    fs::write(&authority, certificate.pem()).unwrap();
    fs::write(folder.path().join("tls.key"), key.serialize_pem()).unwrap();
    let proxy = Running::proxy(
        &[origin.backend.address],
        &[&format!("--certificate={}", folder.path().display())],
    );
    let source = format!("https://localhost:{}/content", proxy.address().port());
    let refused = once(folder.path(), &source, &[]);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.stderr.contains("certificate"), "{refused:?}");
    let trusted = once(
        folder.path(),
        &source,
        &[&format!("--ca={}", authority.display())],
    );
    assert_eq!(trusted.code, Some(0), "{trusted:?}");
    assert_eq!(read(folder.path(), "content"), "one");
}

/// Every file and link below a folder, with what it is.
fn listing(folder: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut ahead = vec![fs::canonicalize(folder).unwrap()];
    let root = ahead[0].clone();
    while let Some(folder) = ahead.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
            let metadata = fs::symlink_metadata(&path).unwrap();
            if name == ".git" {
                continue;
            }
            if metadata.is_symlink() {
                found.insert(name, format!("link {}", fs::read_link(&path).unwrap().display()));
            } else if metadata.is_dir() {
                ahead.push(path);
            } else {
                let kind = if metadata.permissions().mode() & 0o100 == 0 {
                    "file"
                } else {
                    "program"
                };
                found.insert(name, format!("{kind} {}", fs::read_to_string(&path).unwrap()));
            }
        }
    }
    found
}

/// A repository that is pushed to, and a clone in which somebody works.
struct Repository {
    folder: TempDir,
}

impl Repository {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let repository = Self { folder };
        repository.run(&["init", "-q", "--bare", "-b", "main", "../served/app.git"]);
        repository.run(&["clone", "-q", "../served/app.git", "."]);
        let work = repository.work();
        fs::create_dir_all(work.join("deep/er")).unwrap();
        // Two files that Git stores as one and the difference.
        let long: Vec<String> = (0..4000).map(|number| format!("line {number}\n")).collect();
        let long = long.concat();
        fs::write(work.join("long"), &long).unwrap();
        fs::write(work.join("deep/er/longer"), format!("{long}and one more\n")).unwrap();
        fs::write(work.join("run.sh"), "#!/bin/sh\n").unwrap();
        fs::set_permissions(work.join("run.sh"), fs::Permissions::from_mode(0o755)).unwrap();
        symlink("deep/er/longer", work.join("link")).unwrap();
        fs::write(work.join("empty"), "").unwrap();
        fs::write(work.join("n\u{e9} \"name\""), "odd").unwrap();
        let module = "160000,1234567890123456789012345678901234567890,module";
        repository.run(&["update-index", "--add", "--cacheinfo", module]);
        repository.push("content", "one");
        repository
    }

    fn work(&self) -> PathBuf {
        self.folder.path().join("work")
    }

    fn served(&self) -> PathBuf {
        self.folder.path().join("served")
    }

    #[track_caller]
    fn run(&self, arguments: &[&str]) -> String {
        fs::create_dir_all(self.work()).unwrap();
        fs::create_dir_all(self.served()).unwrap();
        let output = git()
            .args(arguments)
            .current_dir(self.work())
            .output()
            .expect("git is installed: `make test` does so");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "git {arguments:?}: {said}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// Commits a file's content, pushes it, and says the commit.
    fn push(&self, name: &str, content: &str) -> String {
        fs::write(self.work().join(name), content).unwrap();
        let files = ["add", "--", "."];
        self.run(&files);
        let module = "160000,1234567890123456789012345678901234567890,module";
        self.run(&["update-index", "--add", "--cacheinfo", module]);
        self.run(&["commit", "-q", "-m", content]);
        self.run(&["push", "-q", "origin", "HEAD"]);
        let served = self.served().join("app.git");
        let served = format!("--git-dir={}", served.display());
        self.run(&[&served, "gc", "-q"]);
        self.run(&["rev-parse", "HEAD"])
    }
}

/// Git without the settings of this machine or of whoever runs the tests.
pub fn git() -> Command {
    let mut command = Command::new("git");
    command
        .env_clear()
        .env("PATH", std::env::var("PATH").unwrap())
        .env("HOME", "/nonexistent")
        .env("GIT_CONFIG_NOSYSTEM", "1");
    for (role, name) in [("AUTHOR", "a"), ("COMMITTER", "c")] {
        command
            .env(format!("GIT_{role}_NAME"), name)
            .env(format!("GIT_{role}_EMAIL"), format!("{name}@example.com"));
    }
    command
}

/// `git http-backend` behind a server; with a word, only for those that say it.
fn serve_http(root: PathBuf, secret: Option<&'static str>) -> Backend {
    Backend::start(move |mut turn| {
        if secret.is_some_and(|secret| turn.request.header("authorization") != Some(secret)) {
            turn.send("HTTP/1.1 401 Who\r\nwww-authenticate: Basic\r\ncontent-length: 0\r\n\r\n");
            return false;
        }
        turn.send(common_gateway(&root, turn.request));
        false
    })
}

/// Runs Git's CGI program for a request, and returns its response.
fn common_gateway(root: &Path, request: &Received) -> Vec<u8> {
    let mut words = request.line.split(' ');
    let (method, target) = (words.next().unwrap(), words.next().unwrap());
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut child = git()
        .arg("http-backend")
        .env("GIT_PROJECT_ROOT", root)
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("REQUEST_METHOD", method)
        .env("PATH_INFO", path)
        .env("QUERY_STRING", query)
        .env("CONTENT_TYPE", request.header("content-type").unwrap_or_default())
        .env("CONTENT_LENGTH", request.body.len().to_string())
        .env("GIT_PROTOCOL", request.header("git-protocol").unwrap_or_default())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(&request.body).unwrap();
    let output = child.wait_with_output().unwrap().stdout;
    let end = output.windows(4).position(|bytes| bytes == b"\r\n\r\n").unwrap();
    let (head, body) = output.split_at(end);
    let head = String::from_utf8_lossy(head);
    let status = head
        .lines()
        .find_map(|line| line.strip_prefix("Status: "))
        .unwrap_or("200 OK");
    let mut response = format!("HTTP/1.1 {status}\r\nconnection: close\r\n{head}").into_bytes();
    response.extend(body);
    response
}

/// `git daemon`.
struct Daemon {
    child: Child,
    address: SocketAddr,
}

impl Daemon {
    fn start(root: &Path) -> Self {
        let mut started = None;
        wait_until("git daemon listens", || {
            let address = wire::free_address();
            let mut child = git()
                .args(["daemon", "--reuseaddr", "--export-all", "--listen=127.0.0.1"])
                .arg(format!("--port={}", address.port()))
                .arg(format!("--base-path={}", root.display()))
                .stderr(Stdio::null())
                .spawn()
                .unwrap();
            // Where somebody took the port meanwhile it ends, and another one is tried.
            while child.try_wait().unwrap().is_none() {
                if std::net::TcpStream::connect(address).is_ok() {
                    started = Some(Self { child, address });
                    return true;
                }
                std::thread::sleep(std::time::Duration::from_millis(20));
            }
            false
        });
        started.unwrap()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It runs in a program of its own below `git`, which passes SIGTERM on.
        let process = i32::try_from(self.child.id()).unwrap();
        let process = rustix::process::Pid::from_raw(process).unwrap();
        let _ = rustix::process::kill_process(process, rustix::process::Signal::TERM);
        let _ = self.child.wait();
    }
}

#[test]
fn a_push_becomes_a_version_by_http() {
    let repository = Repository::new();
    let server = serve_http(repository.served(), None);
    follow(&repository, &format!("http://{}/app.git", server.address));
}

#[test]
fn a_push_becomes_a_version_by_gits_own_protocol() {
    let repository = Repository::new();
    let daemon = Daemon::start(&repository.served());
    follow(&repository, &format!("git://{}/app.git", daemon.address));
}

/// Follows a repository through pushes, a branch that vanishes, and a link that leads out.
fn follow(repository: &Repository, source: &str) {
    let folder = tempfile::tempdir().unwrap();
    let sync = start(folder.path(), source, &["--ref=main"]);
    sync.wait_until_ready();
    assert_eq!(
        listing(&folder.path().join("current")),
        listing(&repository.work())
    );
    assert!(!folder.path().join("current/.git").exists());
    let commit = repository.push("content", "two");
    wait_for(folder.path(), "content", "two");
    let event = sync.wait_for("new version", |event| event["revision"] == commit);
    assert_eq!(
        listing(&folder.path().join("current")),
        listing(&repository.work())
    );
    let seen = format!("{{digest={},revision=\"{commit}\"}}", event["version"]);
    wait_until("the metrics show it", || {
        sync.metric(&format!("motif_sync_version{seen}")) == Some(1.0)
    });
    // Another commit of the same files is no change.
    repository.run(&["commit", "-q", "--allow-empty", "-m", "nothing"]);
    repository.run(&["push", "-q", "origin", "HEAD"]);
    let commit = repository.run(&["rev-parse", "HEAD"]);
    let seen = format!("{{digest={},revision=\"{commit}\"}}", event["version"]);
    wait_until("the metrics show it", || {
        sync.metric(&format!("motif_sync_version{seen}")) == Some(1.0)
    });
    assert_eq!(versions(&sync).len(), 2);
    // What is bad leaves what is there.
    symlink("../../out", repository.work().join("out")).unwrap();
    repository.push("content", "three");
    sync.wait_for("not synced", |event| event["kind"] == "escape");
    let served = format!("--git-dir={}", repository.served().join("app.git").display());
    repository.run(&[&served, "config", "receive.denyDeleteCurrent", "ignore"]);
    repository.run(&["push", "-q", "origin", ":main"]);
    sync.wait_for("not synced", |event| {
        event["reason"] == "the repository has no branch or tag `main`"
    });
    assert_eq!(read(folder.path(), "content"), "two");
    fs::remove_file(repository.work().join("out")).unwrap();
    repository.push("content", "four");
    wait_for(folder.path(), "content", "four");
}

#[test]
fn a_branch_a_tag_or_a_commit_is_followed() {
    let repository = Repository::new();
    let server = serve_http(repository.served(), None);
    let source = format!("http://{}/app.git", server.address);
    let first = repository.run(&["rev-parse", "HEAD"]);
    repository.run(&["tag", "-a", "-m", "x", "v1"]);
    repository.push("content", "two");
    repository.run(&["checkout", "-q", "-b", "side/way"]);
    repository.push("content", "three");
    repository.run(&["push", "-q", "--tags"]);
    for (reference, content) in [
        ("HEAD", "two"),
        ("main", "two"),
        ("side/way", "three"),
        ("refs/heads/side/way", "three"),
        ("v1", "one"),
        (first.as_str(), "one"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let ended = once(folder.path(), &source, &[&format!("--ref={reference}")]);
        assert_eq!(ended.code, Some(0), "{reference}: {ended:?}");
        assert_eq!(read(folder.path(), "content"), content, "{reference}");
    }
    for (flag, expect) in [
        ("--ref=none", "no branch or tag `none`"),
        ("--ref=1234567890123456789012345678901234567890", "not our ref"),
        ("--max-size=10Ki", "is larger than 10240 bytes"),
        ("--max-files=5", "it has more than"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let ended = once(folder.path(), &source, &[flag]);
        assert_eq!(ended.code, Some(1), "{flag}: {ended:?}");
        assert!(ended.stderr.contains(expect), "{flag}: {ended:?}");
        assert!(!folder.path().join("current").exists());
    }
}

#[test]
fn credentials_are_sent_to_the_sources_server_only() {
    let repository = Repository::new();
    // user:password
    let secret = "Basic dXNlcjpwYXNzd29yZA==";
    let server = serve_http(repository.served(), Some(secret));
    let source = format!("http://{}/app.git", server.address);
    let folder = tempfile::tempdir().unwrap();
    let refused = once(folder.path(), &source, &[]);
    assert!(refused.stderr.contains("401"), "{refused:?}");
    let file = folder.path().join("credentials");
    fs::write(&file, "user:password\n").unwrap();
    let credentials = format!("--credentials={}", file.display());
    let done = once(folder.path(), &source, &[&credentials]);
    assert_eq!(done.code, Some(0), "{done:?}");
    assert_eq!(read(folder.path(), "content"), "one");

    let other = Origin::start(&ok("elsewhere"));
    let origin = Origin::start(&format!(
        "HTTP/1.1 302 Found\r\nlocation: {}\r\ncontent-length: 0\r\n\r\n",
        other.url("/content")
    ));
    let folder = tempfile::tempdir().unwrap();
    let done = once(folder.path(), &origin.url("/content"), &[&credentials]);
    assert_eq!(done.code, Some(0), "{done:?}");
    assert_eq!(read(folder.path(), "content"), "elsewhere");
    let sent = |origin: &Origin| {
        origin.backend.received()[0]
            .header("authorization")
            .map(str::to_owned)
    };
    assert_eq!(sent(&origin).as_deref(), Some(secret));
    assert_eq!(sent(&other), None);
}
