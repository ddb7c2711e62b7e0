//! `health`: whether a server answers a real query.

use rustix::process::Signal;

use super::databases::{Database, PASSWORD};
use super::running::{Running, refused, wait_until};
use super::wire::{self, Backend};

fn health(database: &Database, flags: &[&str]) -> Running {
    let address = format!("--address={}", database.address);
    let mut words = vec![
        "health",
        "--listen=127.0.0.1:0",
        "--admin=127.0.0.1:0",
        "--interval=50ms",
        "--timeout=3s",
        &address,
    ];
    words.extend(flags);
    Running::start(&words, &[])
}

fn wait_for_status(health: &Running, status: u16) -> String {
    let mut text = String::new();
    wait_until(&format!("it answers {status}"), || {
        let answer = wire::get(health.address(), "/");
        text = answer.text();
        answer.status == status
    });
    text
}

fn password_file(database: &Database) -> String {
    format!(
        "--password-file={}",
        database.file("secret", &format!("{PASSWORD}\n")).display()
    )
}

#[track_caller]
fn assert_one_line_without_the_secret(reason: &str) {
    assert_eq!(reason.trim_end().lines().count(), 1, "{reason}");
    assert!(!reason.contains(PASSWORD), "{reason}");
}

/// Stops and continues the server, which has to show.
fn assert_it_follows(database: &Database, health: &Running) {
    assert_eq!(wait_for_status(health, 200), "ok\n");
    assert_eq!(wire::get(health.address(), "/readyz").status, 200);
    assert_eq!(health.metric("motif_health_up"), Some(1.0));
    database.signal(Signal::STOP);
    let reason = wait_for_status(health, 503);
    assert_one_line_without_the_secret(&reason);
    assert_eq!(wire::get(health.address(), "/livez").status, 200);
    assert_eq!(wire::get(health.admin(), "/readyz").status, 503);
    database.signal(Signal::CONT);
    wait_for_status(health, 200);
}

#[test]
fn redis_answers_or_not() {
    let redis = Database::redis(Some(PASSWORD));
    let secret = password_file(&redis);
    let health_of = |flags: &[&str]| health(&redis, flags);
    let right = health_of(&["--source=redis", &secret]);
    assert_it_follows(&redis, &right);
    let expecting = health_of(&[
        "--source=redis",
        &secret,
        "--query=CONFIG GET maxclients",
        "--expect=^maxclients$",
    ]);
    wait_for_status(&expecting, 200);
    let other = health_of(&["--source=redis", &secret, "--query=ECHO no", "--expect=^yes$"]);
    assert_eq!(
        wait_for_status(&other, 503),
        "the answer is not as expected: `no`\n"
    );
    let without = health_of(&["--source=redis"]);
    let reason = wait_for_status(&without, 503);
    assert!(reason.contains("NOAUTH"), "{reason}");
    assert_eq!(right.terminate(), Some(0));
}

#[test]
fn one_connection_is_kept_and_made_again() {
    let redis = Database::redis(None);
    let address = redis.address;
    let health = health(
        &redis,
        &[
            "--source=redis",
            "--query=INFO stats",
            "--expect=total_connections_received:(1|2|3)\r",
        ],
    );
    wait_for_status(&health, 200);
    let checks = || {
        health
            .metric("motif_health_checks_total{result=\"passed\"}")
            .unwrap_or(0.0)
    };
    // Each of them over the same connection, or the number that is expected would be exceeded.
    wait_until("it has asked often", || checks() > 10.0);
    assert_eq!(
        health.metric("motif_health_checks_total{result=\"failed\"}"),
        None
    );
    drop(redis);
    let reason = wait_for_status(&health, 503);
    assert!(reason.contains("failed to connect"), "{reason}");
    let _redis = Database::redis_on(address, None);
    wait_for_status(&health, 200);
}

#[test]
fn postgresql_answers_or_not() {
    let database = Database::postgresql();
    let secret = password_file(&database);
    let login = ["--source=postgresql", "--user=postgres"];
    let with = |flags: &[&str]| health(&database, &[&login[..], flags].concat());
    let right = with(&[&secret]);
    assert_it_follows(&database, &right);
    let expecting = with(&[
        &secret,
        "--database=template1",
        "--query=SELECT current_database()",
        "--expect=^template1$",
    ]);
    wait_for_status(&expecting, 200);
    let broken = with(&[&secret, "--query=SELECT * FROM nothing"]);
    let mut reason = String::new();
    wait_until("the query is refused", || {
        reason = wire::get(broken.address(), "/").text();
        reason.starts_with("failed")
    });
    assert_eq!(
        reason,
        "failed to ask postgresql: relation \"nothing\" does not exist\n"
    );
    let wrong = database.file("wrong", PASSWORD.get(1..).unwrap());
    let wrong = with(&[&format!("--password-file={}", wrong.display())]);
    let mut reason = String::new();
    wait_until("the password is refused", || {
        reason = wire::get(wrong.address(), "/").text();
        reason.contains("password authentication failed")
    });
    assert_one_line_without_the_secret(&reason);
}

#[test]
fn mariadb_answers_or_not() {
    let database = Database::mariadb();
    let secret = password_file(&database);
    let login = ["--source=mysql", "--user=probe"];
    let with = |flags: &[&str]| health(&database, &[&login[..], flags].concat());
    let right = with(&[&secret]);
    assert_it_follows(&database, &right);
    let expecting = with(&[
        &secret,
        "--database=shop",
        "--query=SELECT DATABASE(), 2 UNION ALL SELECT 'x', 3",
        "--expect=^shop$",
    ]);
    wait_for_status(&expecting, 200);
    let broken = with(&[&secret, "--database=shop", "--query=SELECT * FROM nothing"]);
    assert_eq!(
        wait_for_status(&broken, 503),
        "failed to ask mysql: Table 'shop.nothing' doesn't exist\n"
    );
    let wrong = database.file("wrong", "other");
    let wrong = with(&[&format!("--password-file={}", wrong.display())]);
    let reason = wait_for_status(&wrong, 503);
    assert!(reason.contains("Access denied"), "{reason}");
    assert_one_line_without_the_secret(&reason);
}

#[test]
fn a_path_answers_or_not() {
    let backend = Backend::start(|mut turn| {
        turn.ok("all is well");
        true
    });
    let with = |flags: &[&str]| {
        let address = format!("--address={}", backend.address);
        let mut words = vec![
            "health",
            "--source=http",
            "--listen=127.0.0.1:0",
            "--admin=127.0.0.1:0",
            "--interval=50ms",
            "--timeout=5s",
            &address,
        ];
        words.extend(flags);
        Running::start(&words, &[])
    };
    wait_for_status(&with(&["--query=/deep?x=1", "--expect=is well$"]), 200);
    let reason = wait_for_status(&with(&["--expect=ill"]), 503);
    assert_eq!(reason, "the answer is not as expected: `all is well`\n");
}

#[test]
fn a_hostile_server_is_only_not_ready() {
    // A redis that begins an answer of a size that nobody has.
    let answers: &[&str] = &[
        "$99999999999\r\n",
        "*9999999999\r\n",
        "nonsense\r\n",
        "\u{0}\u{0}\u{0}\u{0}",
    ];
    for answer in answers {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("--address={}", listener.local_addr().unwrap());
        let answer = (*answer).to_owned();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let _ = std::io::Write::write_all(&mut stream.unwrap(), answer.as_bytes());
            }
        });
        for source in ["redis", "postgresql", "mysql", "http"] {
            let source_flag = format!("--source={source}");
            let user = if source == "http" {
                "--interval=50ms"
            } else {
                "--user=u"
            };
            let words = [
                "health",
                "--listen=127.0.0.1:0",
                "--admin=127.0.0.1:0",
                "--timeout=3s",
                &address,
                &source_flag,
                user,
            ];
            let health = Running::start(&words, &[]);
            health.wait_for("source not ready", |_| true);
            assert_eq!(wire::get(health.address(), "/").status, 503);
            assert_eq!(health.terminate(), Some(0), "{source}");
        }
    }
}

#[test]
fn what_makes_no_sense_is_refused() {
    for words in [
        &["health"][..],
        &["health", "--source=mysql", "--address=a:1"],
        &["health", "--source=redis", "--address=a"],
        &["health", "--source=redis", "--address=a:1", "--expect=("],
    ] {
        let ended = refused(words);
        assert_eq!(ended.code, Some(2), "{ended:?}");
    }
}
