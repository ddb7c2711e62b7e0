//! `topz`: the processes of a pod.

use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use super::running::{Running, refused, wait_until};
use super::wire;

/// A process that is killed at the end.
struct Process(Child);

impl Process {
    /// A shell that waits, with arguments that it keeps for itself.
    fn start(words: &[&str]) -> Self {
        let mut command = Command::new("sh");
        command.args(["-c", "read line", "sh"]).args(words);
        Self::of(command)
    }

    fn of(mut command: Command) -> Self {
        Self(
            command
                .stdin(Stdio::piped())
                .stdout(Stdio::null())
                .spawn()
                .unwrap(),
        )
    }

    fn pid(&self) -> u64 {
        u64::from(self.0.id())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts a topz on free ports, and waits until its first window is over.
fn topz(flags: &[&str]) -> Running {
    let mut words = vec!["topz", "--listen=127.0.0.1:0", "--admin=127.0.0.1:0"];
    words.extend(flags);
    let topz = Running::start(&words, &[]);
    topz.wait_until_ready();
    topz
}

fn processes(topz: &Running, query: &str) -> Vec<Value> {
    let answer = wire::get(topz.address(), &format!("/topz?format=json{query}"));
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    answer.json()["processes"].as_array().unwrap().clone()
}

fn find(topz: &Running, pid: u64) -> Option<Value> {
    processes(topz, "").into_iter().find(|row| row["pid"] == pid)
}

#[track_caller]
fn seen(topz: &Running, pid: u64) -> Value {
    let mut row = None;
    wait_until("the process is seen", || {
        // Between its birth and its program it has the arguments of its parent.
        row = find(topz, pid).filter(|row| row["name"] == "sh");
        row.is_some()
    });
    row.unwrap()
}

#[test]
fn processes_and_their_arguments_are_shown_without_secrets() {
    let process = Process::start(&[
        "--password=hunter2",
        "--token",
        "tok3n",
        "--requirepass",
        "req5ire",
        "PGPASSWORD=p0stgres",
        "Authorization: Bearer be4rer",
        "plain",
    ]);
    let topz = topz(&["--window=50ms"]);
    let row = seen(&topz, process.pid());
    let words: Vec<_> = row["arguments"].as_array().unwrap().iter().collect();
    let expect = [
        "sh",
        "-c",
        "read line",
        "sh",
        "--password=***",
        "--token",
        "***",
        "--requirepass",
        "***",
        "PGPASSWORD=***",
        "Authorization: Bearer ***",
        "plain",
    ];
    assert_eq!(words, expect);
    assert!(row["resident"].as_u64().unwrap() > 0, "{row}");
    assert!(row["age"].as_u64().is_some(), "{row}");
    let table = wire::get(topz.address(), "/topz").text();
    let mut lines = table.lines();
    let head: Vec<_> = lines.next().unwrap().split_whitespace().collect();
    assert_eq!(head, ["PID", "CPU%", "MEM%", "RSS", "AGE", "CMDLINE"]);
    let own = format!("{} ", process.pid());
    let line = lines.find(|line| line.trim_start().starts_with(&own)).unwrap();
    assert!(
        line.contains("sh -c read line sh --password=*** --token *** --requirepass ***"),
        "{line}"
    );
    for secret in ["hunter2", "tok3n", "req5ire", "p0stgres", "be4rer"] {
        assert!(!table.contains(secret));
    }
    assert_eq!(topz.terminate(), Some(0));
}

#[test]
fn the_environment_is_never_shown() {
    let mut command = Command::new("sh");
    command
        .args(["-c", "read line"])
        .env("MOTIF_TEST_VARIABLE", "only-in-the-environment");
    let process = Process::of(command);
    let topz = topz(&["--window=50ms"]);
    seen(&topz, process.pid());
    for query in ["", "?format=json"] {
        let shown = wire::get(topz.address(), &format!("/topz{query}")).text();
        assert!(!shown.contains("only-in-the-environment"));
    }
}

#[test]
fn without_arguments_names_are_left() {
    let process = Process::start(&["--colour=blue"]);
    let topz = topz(&["--window=50ms", "--arguments=false"]);
    let row = seen(&topz, process.pid());
    assert_eq!(row["arguments"], Value::Array(Vec::new()));
    let table = wire::get(topz.address(), "/topz").text();
    assert!(!table.contains("--colour"), "{table}");
    assert!(table.contains("[sh]"), "{table}");
}

#[test]
fn a_name_with_spaces_and_parentheses_breaks_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let odd = folder.path().join("a) S (b c");
    std::fs::copy("/bin/sh", &odd).unwrap();
    let mut command = Command::new(&odd);
    command.arg0("odd").args(["-c", "read line"]);
    let process = Process::of(command);
    let topz = topz(&["--window=50ms"]);
    let mut row = Value::Null;
    wait_until("it is seen under its name", || {
        row = find(&topz, process.pid()).unwrap_or_default();
        row["name"] == "a) S (b c"
    });
    assert_eq!(row["arguments"][0], "odd");
}

#[test]
fn who_works_is_first() {
    let mut command = Command::new("sh");
    command.args(["-c", "while :; do :; done"]);
    let process = Process::of(command);
    let topz = topz(&["--window=50ms"]);
    wait_until("it is seen to work", || {
        find(&topz, process.pid()).is_some_and(|row| row["cpu"].as_f64().is_some_and(|cpu| cpu > 5.0))
    });
    let order = |query: &str, key: &str| -> Vec<f64> {
        let rows = processes(&topz, query);
        rows.iter().map(|row| row[key].as_f64().unwrap()).collect()
    };
    assert!(order("&sort=cpu", "cpu").is_sorted_by(|left, right| left >= right));
    assert!(order("&sort=mem", "resident").is_sorted_by(|left, right| left >= right));
    assert!(order("&sort=pid", "pid").is_sorted());
}

#[test]
fn processes_that_come_and_go_break_nothing() {
    let topz = topz(&["--window=1ms"]);
    let mut busy = Command::new("sh");
    busy.args(["-c", "while :; do /bin/true; done"]);
    let _busy = Process::of(busy);
    for _ in 0..200 {
        assert_eq!(wire::get(topz.address(), "/topz").status, 200);
    }
}

#[test]
fn a_client_says_what_it_prefers() {
    let topz = topz(&["--window=50ms", "--path=/processes"]);
    let ask = |path: &str, headers: &str| wire::request(topz.address(), "GET", path, headers, b"");
    let json = ask("/processes", "accept: application/json\r\n");
    assert_eq!(json.header("content-type"), Some("application/json"));
    assert!(json.json()["processes"].is_array());
    let text = ask("/processes", "accept: */*\r\n");
    assert_eq!(text.header("content-type"), Some("text/plain; charset=utf-8"));
    assert_eq!(ask("/topz", "").status, 404);
    assert_eq!(ask("/processes?sort=name", "").status, 400);
    assert_eq!(
        wire::request(topz.address(), "POST", "/processes", "", b"").status,
        405
    );
    assert_eq!(topz.metric("motif_requests_total{code=\"400\"}"), Some(1.0));
}

#[test]
fn what_makes_no_sense_is_one_line() {
    for (flags, expect) in [
        (&["--path=topz"][..], "`topz` is not a path"),
        (&["--window=0s"], "longer than zero"),
        (&["--admin=8080"], "both want"),
    ] {
        let mut words = vec!["topz"];
        words.extend(flags);
        let ended = refused(&words);
        assert_eq!(ended.code, Some(2), "{flags:?}");
        assert!(ended.stderr.contains(expect), "{flags:?}: {}", ended.stderr);
    }
}
