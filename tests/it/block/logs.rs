//! `logs`: every record once, whatever happens to the files and to the block.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::{Arc, Mutex};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::running::{refused, wait_until};
use super::wire;
use crate::motif::binary;

type Shown = Arc<Mutex<Vec<Value>>>;

/// The block as a process.
struct Adapter {
    child: Child,
    records: Shown,
    events: Shown,
    readers: Vec<std::thread::JoinHandle<()>>,
}

fn collect(stream: impl std::io::Read + Send + 'static, into: &Shown) -> std::thread::JoinHandle<()> {
    let into = Arc::clone(into);
    std::thread::spawn(move || {
        for line in BufReader::new(stream).lines() {
            let Ok(line) = line else { return };
            let value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
            into.lock().unwrap().push(value);
        }
    })
}

impl Adapter {
    fn start(files: &Path, flags: &[&str]) -> Self {
        let mut child = Command::new(binary())
            .args(["block", "logs", "--admin=127.0.0.1:0"])
            .arg(format!("--files={}", files.display()))
            .args(flags)
            .env_clear()
            .env("MOTIF_POLL", "20ms")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (records, events) = (Shown::default(), Shown::default());
        let stdout: ChildStdout = child.stdout.take().unwrap();
        let readers = vec![
            collect(stdout, &records),
            collect(child.stderr.take().unwrap(), &events),
        ];
        let adapter = Self {
            child,
            records,
            events,
            readers,
        };
        adapter.wait_for("listening");
        adapter
    }

    fn wait_for(&self, event: &str) {
        wait_until(event, || self.has_seen(event));
    }

    fn has_seen(&self, event: &str) -> bool {
        self.events
            .lock()
            .unwrap()
            .iter()
            .any(|value| value["event"] == event)
    }

    fn admin(&self) -> SocketAddr {
        let events = self.events.lock().unwrap();
        let event = events.iter().find(|value| value["event"] == "listening").unwrap();
        event["admin"].as_str().unwrap().parse().unwrap()
    }

    fn signal(&self, signal: Signal) {
        let process = Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        kill_process(process, signal).unwrap();
    }

    fn count(&self) -> usize {
        self.records.lock().unwrap().len()
    }

    /// Waits for its end; everything that it said.
    fn ended(mut self) -> (Option<i32>, Vec<Value>) {
        let code = self.child.wait().unwrap().code();
        for reader in self.readers.drain(..) {
            reader.join().unwrap();
        }
        let records = self.records.lock().unwrap().clone();
        (code, records)
    }

    fn killed(self) -> Vec<Value> {
        self.signal(Signal::KILL);
        self.ended().1
    }

    fn terminated(self) -> Vec<Value> {
        self.signal(Signal::TERM);
        let (code, records) = self.ended();
        assert_eq!(code, Some(0));
        records
    }
}

impl Drop for Adapter {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An application that numbers its lines.
struct Writer {
    path: PathBuf,
    file: File,
    next: usize,
}

fn append(path: &Path) -> File {
    OpenOptions::new().append(true).create(true).open(path).unwrap()
}

impl Writer {
    fn new(path: PathBuf) -> Self {
        Self {
            file: append(&path),
            path,
            next: 0,
        }
    }

    fn write(&mut self, count: usize) {
        for _ in 0..count {
            let filler = "x".repeat(self.next % 97);
            writeln!(self.file, "level=info n={} msg=\"line {filler}\"", self.next).unwrap();
            self.next += 1;
        }
    }

    fn rotated(&self, number: usize) -> PathBuf {
        PathBuf::from(format!("{}.{number}", self.path.display()))
    }

    fn shift(&self) {
        let last = (1..1000).find(|number| !self.rotated(*number).exists()).unwrap();
        for number in (1..last).rev() {
            fs::rename(self.rotated(number), self.rotated(number + 1)).unwrap();
        }
    }

    /// Rotates as logrotate does with `create`; some lines still go to the old file.
    fn rotate(&mut self) {
        self.shift();
        fs::rename(&self.path, self.rotated(1)).unwrap();
        self.write(3);
        self.file = append(&self.path);
    }

    /// Rotates as logrotate does with `copytruncate`.
    fn copy_and_truncate(&mut self) {
        self.shift();
        fs::copy(&self.path, self.rotated(1)).unwrap();
        OpenOptions::new()
            .write(true)
            .truncate(true)
            .open(&self.path)
            .unwrap();
    }
}

fn number(record: &Value) -> usize {
    record["fields"]["n"]
        .as_str()
        .unwrap_or_else(|| panic!("{record}"))
        .parse()
        .unwrap()
}

fn lines(path: &Path) -> usize {
    fs::read(path).map_or(0, |bytes| bytes.split(|byte| *byte == b'\n').count() - 1)
}

fn output(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect()
}

/// Every number below `count`, once.
#[track_caller]
fn assert_each_once(records: &[Value], count: usize) {
    let mut times = vec![0; count];
    for record in records {
        times[number(record)] += 1;
    }
    let wrong: Vec<_> = times
        .iter()
        .enumerate()
        .filter(|(_, times)| **times != 1)
        .collect();
    assert!(wrong.is_empty(), "record and how often it came: {wrong:?}");
}

#[test]
fn each_record_is_in_the_output_once_across_rotation_and_kills() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out.json");
    let output_flag = format!("--output={}", out.display());
    let flags = ["--format=logfmt", output_flag.as_str()];
    let mut writer = Writer::new(folder.path().join("app.log"));
    writer.write(5);
    let mut adapter = Adapter::start(&writer.path, &flags);
    wait_until("the first records are there", || lines(&out) >= 5);
    for round in 0..12 {
        // Killed while it reads, with nothing to read, and right after a rotation, in turn.
        writer.write(40);
        let before = lines(&out);
        match round % 3 {
            0 => wait_until("it reads", || lines(&out) > before || writer.next == lines(&out)),
            1 => wait_until("it has read all", || lines(&out) == writer.next),
            _ => writer.rotate(),
        }
        writer.write(300);
        adapter.killed();
        // While it is down: another rotation, or two.
        writer.write(20);
        for _ in 0..round % 3 {
            writer.rotate();
            writer.write(10);
        }
        adapter = Adapter::start(&writer.path, &flags);
    }
    wait_until("all is there", || lines(&out) >= writer.next);
    adapter.terminated();
    assert!(writer.next > 500);
    assert_each_once(&output(&out), writer.next);
}

#[test]
fn killed_at_random_under_load_nothing_is_lost_or_doubled() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out.json");
    let output_flag = format!("--output={}", out.display());
    let flags = ["--format=logfmt", output_flag.as_str()];
    let mut writer = Writer::new(folder.path().join("app.log"));
    writer.write(100_000);
    for _ in 0..10 {
        let adapter = Adapter::start(&writer.path, &flags);
        let before = lines(&out);
        wait_until("it reads", || lines(&out) > before || before == writer.next);
        adapter.killed();
    }
    let adapter = Adapter::start(&writer.path, &flags);
    wait_until("all is there", || lines(&out) >= writer.next);
    adapter.terminated();
    assert_each_once(&output(&out), writer.next);
}

#[test]
fn what_a_kill_repeats_on_stdout_can_be_told() {
    let folder = tempfile::tempdir().unwrap();
    let position = format!("--position={}", folder.path().display());
    let flags = ["--format=logfmt", position.as_str()];
    let mut writer = Writer::new(folder.path().join("app.log"));
    let mut records = Vec::new();
    for _ in 0..6 {
        writer.write(3000);
        let adapter = Adapter::start(&writer.path, &flags);
        wait_until("it reads", || adapter.count() > 500);
        records.extend(adapter.killed());
        writer.rotate();
    }
    writer.write(10);
    let adapter = Adapter::start(&writer.path, &flags);
    let last = writer.next - 1;
    wait_until("the last is there", || {
        let records = adapter.records.lock().unwrap();
        records.iter().any(|record| number(record) == last)
    });
    records.extend(adapter.terminated());
    let mut by_place = BTreeMap::new();
    for record in &records {
        let place = format!("{} {}", record["id"], record["offset"]);
        let known = by_place.entry(place).or_insert_with(|| record.clone());
        assert_eq!(number(known), number(record), "one place, one record");
    }
    let told: Vec<_> = by_place.into_values().collect();
    assert_each_once(&told, writer.next);
}

#[test]
fn what_copytruncate_took_away_is_read_from_the_copy() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = Writer::new(folder.path().join("app.log"));
    writer.write(10);
    let position = format!("--position={}", folder.path().display());
    // The pattern stands for the copies too: they are no new files.
    let files = folder.path().join("app.log*");
    let flags = ["--format=logfmt", position.as_str()];
    let adapter = Adapter::start(&files, &flags);
    wait_until("it reads", || adapter.count() == 10);
    adapter.signal(Signal::STOP);
    writer.write(50);
    writer.copy_and_truncate();
    writer.write(5);
    adapter.signal(Signal::CONT);
    wait_until("the copy is read", || adapter.count() >= writer.next);
    adapter.wait_for("file truncated");
    let mut records = adapter.killed();
    writer.write(20);
    writer.copy_and_truncate();
    writer.write(7);
    let adapter = Adapter::start(&files, &flags);
    let missing = writer.next - records.len();
    wait_until("all is there", || adapter.count() >= missing);
    records.extend(adapter.terminated());
    assert_each_once(&records, writer.next);
}

#[test]
fn a_file_that_is_compressed_and_deleted_is_read_to_its_end() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = Writer::new(folder.path().join("app.log"));
    writer.write(10);
    let adapter = Adapter::start(&folder.path().join("*.log*"), &["--format=logfmt"]);
    wait_until("it reads", || adapter.count() == 10);
    adapter.signal(Signal::STOP);
    writer.write(500);
    writer.rotate();
    fs::write(folder.path().join("app.log.1.gz"), b"\x1f\x8bnot for you\n").unwrap();
    fs::remove_file(writer.rotated(1)).unwrap();
    writer.write(4);
    adapter.signal(Signal::CONT);
    wait_until("all is there", || adapter.count() >= writer.next);
    assert_each_once(&adapter.terminated(), writer.next);
}

#[test]
fn a_new_file_with_the_inode_of_an_old_one_is_new() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.log");
    let position = format!("--position={}", folder.path().display());
    let flags = ["--format=logfmt", position.as_str()];
    fs::write(&path, "n=0\nn=1\n").unwrap();
    let adapter = Adapter::start(&path, &flags);
    wait_until("it reads", || adapter.count() == 2);
    let mut records = adapter.terminated();
    // Written in place: the same inode, as long as before.
    fs::write(&path, "n=2\nn=3\n").unwrap();
    let adapter = Adapter::start(&path, &flags);
    wait_until("it reads", || adapter.count() == 2);
    // Longer than before, while it runs.
    adapter.signal(Signal::STOP);
    fs::write(&path, "n=4\nn=5\nn=6\n").unwrap();
    adapter.signal(Signal::CONT);
    wait_until("it reads", || adapter.count() == 5);
    records.extend(adapter.terminated());
    assert_each_once(&records, 7);
}

#[test]
fn records_of_several_lines_wait_for_what_belongs_to_them() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.log");
    let mut file = append(&path);
    let flags = [
        "--format=regex",
        r"--pattern=^(?<time>\S+) (?<level>\w+) (?s:(?<msg>.*))$",
        r"--multiline=^\d{4}-",
        "--flush=300ms",
        "--source=shop",
    ];
    let adapter = Adapter::start(&path, &flags);
    file.write_all(b"2026-01-02T03:04:05Z ERROR failed\n  at a\n")
        .unwrap();
    file.write_all(b"  at b\n2026-01-02T03:04:06Z INFO fine\nand well\n")
        .unwrap();
    wait_until("both are there", || adapter.count() == 2);
    let records = adapter.terminated();
    let shown: Vec<_> = records
        .iter()
        .map(|record| (&record["level"], &record["msg"]))
        .collect();
    assert_eq!(
        shown[0],
        (&Value::from("error"), &Value::from("failed\n  at a\n  at b"))
    );
    assert_eq!(shown[1], (&Value::from("info"), &Value::from("fine\nand well")));
    let keys: Vec<_> = records[0].as_object().unwrap().keys().cloned().collect();
    assert_eq!(
        keys,
        ["ts", "level", "source", "msg", "file", "id", "offset", "fields"]
    );
    assert_eq!(records[1]["offset"], 48);
    assert_eq!(records[1]["source"], "shop");
}

#[test]
fn at_sigterm_what_is_there_comes_out() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = Writer::new(folder.path().join("app.log"));
    let adapter = Adapter::start(&writer.path, &["--format=logfmt", "--poll=10m"]);
    adapter.wait_for("following");
    writer.write(2000);
    write!(writer.file, "n=2000").unwrap();
    assert_each_once(&adapter.terminated(), 2001);
}

#[test]
fn a_start_at_the_end_leaves_out_what_was_there() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = Writer::new(folder.path().join("app.log"));
    writer.write(5);
    let position = format!("--position={}", folder.path().display());
    let flags = ["--format=logfmt", "--from=end", position.as_str()];
    let adapter = Adapter::start(&writer.path, &flags);
    adapter.wait_for("following");
    adapter.killed();
    writer.write(2);
    let adapter = Adapter::start(&writer.path, &flags);
    wait_until("it reads", || adapter.count() == 2);
    let numbers: Vec<_> = adapter.terminated().iter().map(number).collect();
    assert_eq!(numbers, [5, 6]);
}

#[test]
fn what_is_read_is_counted_and_what_is_not_parsed_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.log");
    fs::write(&path, b"{\"msg\":\"a\",\"n\":1}\nnot json \xff\n").unwrap();
    let adapter = Adapter::start(&path, &["--format=json"]);
    wait_until("it reads", || adapter.count() == 2);
    let text = wire::get(adapter.admin(), "/metrics").text();
    let label = format!("{{file=\"{}\"}}", path.display());
    for line in [
        format!("motif_log_records_total{label} 2"),
        format!("motif_log_unparsed_total{label} 1"),
        format!("motif_log_bytes_total{label} 29"),
        format!("motif_log_lag_bytes{label} 0"),
    ] {
        assert!(text.contains(&line), "{line} in {text}");
    }
    assert_eq!(wire::get(adapter.admin(), "/readyz").status, 200);
    let records = adapter.terminated();
    assert_eq!(records[0]["fields"], serde_json::json!({ "n": 1 }));
    assert_eq!(records[1]["parsed"], false);
    assert_eq!(records[1]["invalid_utf8"], true);
    assert_eq!(records[1]["msg"], "not json \u{fffd}");
}

#[test]
fn a_position_has_one_keeper() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.log");
    let position = format!("--position={}", folder.path().display());
    let _adapter = Adapter::start(&path, &[&position]);
    let files = format!("--files={}", path.display());
    let ended = refused(&["logs", "--admin=127.0.0.1:0", &files, &position]);
    assert_ne!(ended.code, Some(0));
    assert!(
        ended.stderr.contains("another block keeps its position"),
        "{ended:?}"
    );
}

#[test]
fn what_makes_no_sense_is_refused() {
    let ended = refused(&["logs", "--files=a", "--format=regex", "--pattern=("]);
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert_eq!(ended.stdout, "");
    assert_eq!(refused(&["logs"]).code, Some(2));
}
