//! `http-echo` as a process.

use super::running::{Running, refused};
use super::wire::{self, Client};

#[test]
fn it_answers_with_what_it_was_asked() {
    let echo = Running::echo(&["--message=good day"]);
    let answer = wire::request(
        echo.address(),
        "POST",
        "/a/b?x=1&y=a%20b",
        "x-mine: z\r\n",
        b"body",
    )
    .json();
    assert_eq!(answer["message"], "good day");
    assert_eq!(answer["request"], "POST /a/b?x=1&y=a%20b HTTP/1.1");
    assert_eq!(answer["path"], "/a/b");
    assert_eq!(answer["query"], serde_json::json!({ "x": "1", "y": "a b" }));
    assert_eq!(answer["headers"]["x-mine"], "z");
    assert_eq!(answer["body"], "body");
    assert_eq!(answer["parameters"]["MOTIF_MESSAGE"], "good day");
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    assert_eq!(answer["host"], name);

    let text = wire::request(echo.address(), "GET", "/plain", "accept: text/plain\r\n", b"");
    assert_eq!(text.header("content-type"), Some("text/plain; charset=utf-8"));
    assert!(
        text.text()
            .starts_with(&format!("good day\n\nhost: {name}\nGET /plain HTTP/1.1\n"))
    );
}

#[test]
fn the_environment_sets_what_flags_set() {
    let echo = Running::start(
        &["http-echo", "--listen=127.0.0.1:0"],
        &[("MOTIF_ADMIN", "127.0.0.1:0"), ("MOTIF_MESSAGE", "from afar")],
    );
    assert_eq!(wire::get(echo.address(), "/").json()["message"], "from afar");
}

#[test]
fn it_misbehaves_on_request() {
    let echo = Running::echo(&["--error-rate=1"]);
    assert_eq!(wire::get(echo.address(), "/").status, 500);
    assert_eq!(wire::get(echo.address(), "/?status=418&latency=1ms").status, 418);
    assert_eq!(wire::get(echo.address(), "/livez").status, 200);
    assert_eq!(echo.metric("motif_requests_total{code=\"500\"}"), Some(1.0));
}

#[test]
fn it_is_ready_when_told_so() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ready");
    let echo = Running::echo(&[&format!("--ready-file={}", file.display())]);
    let ready = || [echo.address(), echo.admin()].map(|address| wire::get(address, "/readyz").status);
    assert_eq!(ready(), [503, 503]);
    std::fs::write(&file, "").unwrap();
    assert_eq!(ready(), [200, 200]);
    assert_eq!(
        wire::request(echo.admin(), "POST", "/unready", "", b"").status,
        200
    );
    assert_eq!(ready(), [503, 503]);
    assert_eq!(
        wire::get(echo.address(), "/").status,
        200,
        "it is alive all the same"
    );
    assert_eq!(wire::request(echo.admin(), "POST", "/ready", "", b"").status, 200);
    assert_eq!(ready(), [200, 200]);
}

#[test]
fn it_is_alive_before_it_is_ready() {
    let echo = Running::echo(&["--startup-delay=1h"]);
    assert_eq!(wire::get(echo.address(), "/livez").status, 200);
    assert_eq!(wire::get(echo.address(), "/readyz").status, 503);
    assert_eq!(wire::get(echo.address(), "/").status, 503);
}

#[test]
fn it_ends_what_it_began() {
    let echo = Running::echo(&["--latency=300ms"]);
    let mut client = Client::connect(echo.address());
    client.send("GET / HTTP/1.1\r\nhost: test\r\n\r\n").unwrap();
    // The first of two requests is on its way when a second one has been answered.
    assert_eq!(wire::get(echo.address(), "/?latency=0ms").status, 200);
    assert_eq!(echo.terminate(), Some(0));
    assert_eq!(client.read("GET").unwrap().unwrap().status, 200);
}

#[test]
fn what_makes_no_sense_is_refused_in_one_line() {
    for (flag, expect) in [
        ("--latency=10", "has no unit: write `10s` or `10ms`"),
        ("--error-rate=2", "is not a number from 0 to 1"),
        ("--listen=here", "is not `PORT` or `ADDRESS:PORT`"),
        ("--lisen=1", "unexpected argument"),
    ] {
        let ended = refused(&["http-echo", flag]);
        assert_eq!(ended.code, Some(2), "{ended:?}");
        assert_eq!(ended.stdout, "");
        let reasons: Vec<_> = ended
            .stderr
            .lines()
            .filter(|line| line.starts_with("error: "))
            .collect();
        assert_eq!(reasons.len(), 1, "{ended:?}");
        assert!(reasons[0].contains(expect), "{ended:?}");
    }
}

#[test]
fn it_serves_the_files_of_a_folder_and_nothing_else() {
    let outer = tempfile::tempdir().unwrap();
    let folder = outer.path().join("folder");
    std::fs::create_dir_all(folder.join("a b")).unwrap();
    std::fs::write(folder.join("a b/c+d.txt"), "content").unwrap();
    std::fs::write(outer.path().join("secret"), "secret").unwrap();
    let echo = Running::echo(&[&format!("--serve={}", folder.display())]);
    let answer = wire::get(echo.address(), "/files/a%20b/c+d.txt");
    assert_eq!((answer.status, &*answer.text()), (200, "content"));
    for path in [
        "",
        "none",
        "a%20b",
        "../secret",
        "%2e%2e/secret",
        "a%20b/..%2f..%2fsecret",
        "%2fetc%2fhosts",
    ] {
        let answer = wire::get(echo.address(), &format!("/files/{path}"));
        assert_eq!(answer.status, 404, "{path}: {}", answer.text());
    }
    assert_eq!(wire::get(echo.address(), "/files").json()["path"], "/files");
    assert_eq!(
        wire::get(echo.address(), "/files/a%20b/c+d.txt?status=503").status,
        503
    );
    let plain = Running::echo(&[]);
    assert_eq!(wire::get(plain.address(), "/files/a").json()["path"], "/files/a");
}

#[test]
fn git_clones_the_folder_it_serves_and_fetches_what_changed() {
    let outer = tempfile::tempdir().unwrap();
    let folder = outer.path().join("folder");
    std::fs::create_dir_all(folder.join("a")).unwrap();
    // More than one packet holds, and not to be compressed.
    let long: Vec<u8> = std::iter::repeat_with(|| fastrand::u8(..))
        .take(200_000)
        .collect();
    std::fs::write(folder.join("long"), &long).unwrap();
    for (name, content) in [("a/b", "b"), ("a.c", "c"), ("a-d", ""), ("old", "old")] {
        std::fs::write(folder.join(name), content).unwrap();
    }
    let echo = Running::echo(&[&format!("--serve={}", folder.display())]);
    let source = format!("http://{}/files.git", echo.address());
    let run = |words: &[&str]| {
        let output = super::sync::git()
            .current_dir(outer.path())
            .args(words)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "git {words:?}: {said}");
        String::from_utf8(output.stdout).unwrap()
    };
    run(&["clone", "-q", &source, "clone"]);
    assert_eq!(std::fs::read(outer.path().join("clone/long")).unwrap(), long);
    run(&["-C", "clone", "fsck", "--strict"]);
    std::fs::write(folder.join("new"), "new").unwrap();
    std::fs::remove_file(folder.join("old")).unwrap();
    run(&["-C", "clone", "fetch", "-q"]);
    let listed = run(&["-C", "clone", "ls-tree", "-r", "--name-only", "origin/main"]);
    assert_eq!(listed, "a-d\na.c\na/b\nlong\nnew\n");
    let target = format!("--target={}", outer.path().join("current").display());
    let sync = [
        "sync",
        "--once=true",
        &format!("--source={source}"),
        &target,
        "--ref=main",
        "--admin=127.0.0.1:0",
    ];
    assert_eq!(refused(&sync).code, Some(0));
    assert_eq!(std::fs::read(outer.path().join("current/new")).unwrap(), b"new");
}
