//! `metrics`: what Prometheus reads, of sources that have none.

use std::io::Write as _;
use std::net::UdpSocket;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::databases::{Database, PASSWORD};
use super::running::{Running, refused, wait_until};
use super::wire::{self, Backend};

fn metrics(flags: &[&str]) -> Running {
    let mut words = vec!["metrics", "--listen=127.0.0.1:0", "--admin=127.0.0.1:0"];
    words.extend(flags);
    Running::start(&words, &[("MOTIF_TIMEOUT", "5s"), ("PATH", "/usr/bin:/bin")])
}

/// What is served, which Prometheus's own tool has to find well-formed.
#[track_caller]
fn scrape(metrics: &Running) -> String {
    let answer = wire::get(metrics.address(), "/metrics");
    assert_eq!(answer.status, 200);
    assert_eq!(
        answer.header("content-type"),
        Some("text/plain; version=0.0.4; charset=utf-8")
    );
    let text = answer.text();
    let mut tool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool is installed: `make test` does so");
    tool.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = tool.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!said.contains("error while linting"), "{said}\n{text}");
    text
}

fn value(text: &str, name: &str) -> Option<f64> {
    text.lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))
        .map(|value| value.parse().unwrap())
}

#[test]
fn redis_shows_what_it_does_and_nothing_when_it_is_gone() {
    let redis = Database::redis(Some(PASSWORD));
    let address = redis.address;
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("secret");
    std::fs::write(&secret, PASSWORD).unwrap();
    let metrics = metrics(&[
        "--source=redis",
        &format!("--address={address}"),
        &format!("--password-file={}", secret.display()),
        "--labels=app=shop",
    ]);
    let text = scrape(&metrics);
    assert_eq!(
        value(&text, "motif_source_up{source=\"redis\",app=\"shop\"}"),
        Some(1.0)
    );
    assert_eq!(value(&text, "redis_up{app=\"shop\"}"), Some(1.0));
    assert_eq!(value(&text, "redis_db_keys{db=\"db0\",app=\"shop\"}"), Some(0.0));
    for key in ["a", "b", "c"] {
        let set = Command::new("redis-cli")
            .args([
                "-p",
                &address.port().to_string(),
                "--no-auth-warning",
                "-a",
                PASSWORD,
                "SET",
                key,
                "1",
            ])
            .output()
            .unwrap();
        assert!(set.status.success());
    }
    let text = scrape(&metrics);
    assert_eq!(value(&text, "redis_db_keys{db=\"db0\",app=\"shop\"}"), Some(3.0));
    for name in [
        "redis_connected_clients",
        "redis_memory_used_bytes",
        "redis_commands_processed_total",
        "redis_keyspace_hits_total",
        "redis_keyspace_misses_total",
        "redis_uptime_in_seconds",
    ] {
        assert!(
            value(&text, &format!("{name}{{app=\"shop\"}}")).is_some(),
            "{name} in {text}"
        );
    }
    drop(redis);
    let text = scrape(&metrics);
    assert_eq!(value(&text, "redis_up{app=\"shop\"}"), Some(0.0));
    assert_eq!(
        value(&text, "motif_source_up{source=\"redis\",app=\"shop\"}"),
        Some(0.0)
    );
    assert!(
        !text.contains("redis_db_keys") && !text.contains("redis_connected_clients"),
        "{text}"
    );
    metrics.wait_for("source down", |_| true);
    let _redis = Database::redis_on(address, Some(PASSWORD));
    wait_until("it is up again", || {
        value(&scrape(&metrics), "redis_up{app=\"shop\"}") == Some(1.0)
    });
    assert_eq!(metrics.terminate(), Some(0));
}

#[test]
fn a_document_is_read_at_each_scrape() {
    let count = Arc::new(AtomicUsize::new(0));
    let backend = Backend::start({
        let count = Arc::clone(&count);
        move |mut turn| {
            let number = count.fetch_add(1, Ordering::SeqCst) + 1;
            turn.ok(&format!(
                r#"{{"jobs":{{"done":{number}}},"pools":[{{"open":2}}]}}"#
            ));
            true
        }
    });
    let metrics = metrics(&[
        "--source=json",
        &format!("--url=http://{}/stats", backend.address),
        "--metrics=jobs_done_total=jobs.done:counter,pool_open=pools.0.open",
        "--metrics=absent=jobs.none",
        "--prefix=app_",
    ]);
    for number in [1.0, 2.0] {
        let text = scrape(&metrics);
        assert_eq!(value(&text, "app_jobs_done_total"), Some(number));
        assert_eq!(value(&text, "app_pool_open"), Some(2.0));
        assert!(
            text.contains("# TYPE app_jobs_done_total counter") && !text.contains("absent"),
            "{text}"
        );
    }
    drop(backend);
}

#[test]
fn scrapes_at_the_same_time_share_one_answer() {
    let count = Arc::new(AtomicUsize::new(0));
    let (open, gate) = std::sync::mpsc::channel::<()>();
    let gate = std::sync::Mutex::new(gate);
    let backend = Backend::start({
        let count = Arc::clone(&count);
        move |mut turn| {
            count.fetch_add(1, Ordering::SeqCst);
            let _ = gate.lock().unwrap().recv();
            turn.ok(r#"{"a":1}"#);
            true
        }
    });
    let metrics = metrics(&[
        "--source=json",
        &format!("--url=http://{}/", backend.address),
        "--metrics=a=a",
        "--timeout=10m",
    ]);
    let mut scrapers: Vec<_> = (0..5).map(|_| wire::Client::connect(metrics.address())).collect();
    for scraper in &mut scrapers {
        scraper.send("GET /metrics HTTP/1.1\r\nhost: a\r\n\r\n").unwrap();
    }
    wait_until("the source is asked", || count.load(Ordering::SeqCst) == 1);
    let mut last = wire::Client::connect(metrics.address());
    last.send("GET /metrics HTTP/1.1\r\nhost: a\r\n\r\n").unwrap();
    // Whoever came before this answer is waiting for the same one.
    assert_eq!(wire::get(metrics.address(), "/livez").status, 200);
    drop(open);
    for mut scraper in scrapers {
        let text = scraper.read("GET").unwrap().unwrap().text();
        assert_eq!(value(&text, "a"), Some(1.0));
    }
}

#[test]
fn statsd_is_added_up() {
    let metrics = metrics(&["--source=statsd", "--statsd=127.0.0.1:0", "--series=50"]);
    let event = metrics.wait_for("listening", |_| true);
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let send = |packet: &str| {
        socket
            .send_to(packet.as_bytes(), event["statsd"].as_str().unwrap())
            .unwrap();
    };
    send("web.hits:3|c\nweb.hits:2|c|@0.5|#path:/a\nqueue:7|g\nqueue:-2|g\nnonsense");
    send("latency:250|ms|#path:/a\nusers:al|s\nusers:bo|s\nusers:al|s");
    wait_until("all has arrived", || {
        metrics.metric("motif_statsd_samples_total") == Some(8.0)
    });
    let text = scrape(&metrics);
    for (name, expect) in [
        ("motif_source_up{source=\"statsd\"}", 1.0),
        ("web_hits_total", 3.0),
        ("web_hits_total{path=\"/a\"}", 4.0),
        ("queue", 5.0),
        ("users", 2.0),
        ("latency_seconds{path=\"/a\",quantile=\"0.5\"}", 0.25),
        ("latency_seconds_count{path=\"/a\"}", 1.0),
    ] {
        assert_eq!(value(&text, name), Some(expect), "{name} in {text}");
    }
    assert_eq!(metrics.metric("motif_statsd_invalid_total"), Some(1.0));
    let many: Vec<String> = (0..100).map(|number| format!("many:1|g|#n:{number}")).collect();
    send(&many.join("\n"));
    wait_until("what is too much is dropped", || {
        metrics
            .metric("motif_statsd_dropped_total")
            .is_some_and(|dropped| dropped > 50.0)
    });
    assert!(
        scrape(&metrics)
            .lines()
            .filter(|line| line.starts_with("many{"))
            .count()
            <= 50
    );
}

#[test]
fn a_command_is_run_again_and_again() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("numbers");
    std::fs::write(
        &file,
        "# TYPE files_total counter\n# HELP files_total Files\nfiles_total{kind=\"a b\"} 3\n",
    )
    .unwrap();
    let metrics = metrics(&[
        "--source=command",
        &format!("--command=cat '{}'", file.display()),
        "--interval=50ms",
    ]);
    let up = "motif_source_up{source=\"command\"}";
    wait_until("it has run", || value(&scrape(&metrics), up) == Some(1.0));
    assert_eq!(value(&scrape(&metrics), "files_total{kind=\"a b\"}"), Some(3.0));
    std::fs::write(&file, "files_total three\n").unwrap();
    wait_until("what is wrong is not served", || {
        value(&scrape(&metrics), up) == Some(0.0)
    });
    assert!(!scrape(&metrics).contains("files_total"));
    let event = metrics.wait_for("source down", |event| {
        event["reason"].as_str().unwrap().contains("line 1")
    });
    assert_eq!(
        event["reason"],
        "the output is wrong: line 1: `three` is no number"
    );
}

#[test]
fn what_makes_no_sense_is_refused() {
    for words in [
        &["metrics"][..],
        &["metrics", "--source=json", "--url=http://a"],
        &["metrics", "--source=command", "--command="],
        &["metrics", "--source=redis", "--labels=1=2"],
    ] {
        let ended = refused(words);
        assert_eq!(ended.code, Some(2), "{ended:?}");
    }
}
