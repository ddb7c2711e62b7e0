//! `shard` in front of Debian's Redis and memcached, and of HTTP servers.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use rustix::process::Signal;

use super::running::{Running, refused, wait_until};
use super::stores::{Kind, Store, Talk, command, run};
use super::wire::{self, Backend};

/// An ambassador in front of shards named `s0`, `s1`, …
fn start_before(addresses: &[SocketAddr], flags: &[&str]) -> Running {
    let shards: Vec<_> = addresses
        .iter()
        .enumerate()
        .map(|(place, address)| format!("s{place}={address}"))
        .collect();
    let backends = format!("--backends={}", shards.join(","));
    let mut words = vec!["shard", "--listen=127.0.0.1:0", "--admin=127.0.0.1:0", &backends];
    words.extend(flags);
    // What is not about time may take any.
    if !flags.iter().any(|flag| flag.starts_with("--timeout")) {
        words.extend(["--timeout=60s", "--connect-timeout=60s"]);
    }
    Running::start(&words, &[])
}

fn start(stores: &[Store], flags: &[&str]) -> Running {
    let addresses: Vec<_> = stores.iter().map(|store| store.address).collect();
    let shard = start_before(&addresses, flags);
    shard.wait_until_ready();
    shard
}

/// Who owns a key, as the admin port says.
fn owner(shard: &Running, key: &str) -> String {
    let answer = wire::get(shard.admin(), &format!("/shards?key={key}")).json();
    assert_eq!(answer["key"], key);
    answer["shard"].as_str().unwrap_or_default().to_owned()
}

/// A key of each shard.
fn keys_by_shard(shard: &Running, count: usize) -> Vec<String> {
    let mut found = BTreeMap::new();
    for number in 0.. {
        let key = format!("key:{number}");
        found.entry(owner(shard, &key)).or_insert(key);
        if found.len() == count {
            break;
        }
    }
    found.into_values().collect()
}

#[test]
fn a_client_of_one_redis_works_unchanged_with_one_shard_and_with_three() {
    for count in [1, 3] {
        let (stores, plain) = (Store::several(Kind::Redis, count), Store::start(Kind::Redis));
        let shard = start(&stores, &[]);
        let (mut ours, mut theirs) = (Talk::connect(shard.address()), plain.client());
        for line in [
            "PING",
            "PING a",
            "ECHO a",
            "SELECT 0",
            "SET a 1",
            "GET a",
            "GET none",
            "INCR a",
            "INCR a x",
            "LPUSH a x",
            "SET b x EX 100",
            "TTL b",
            "MSET k1 1 k2 2 k3 3 k4 4 k5 5 k6 6",
            "MGET k6 none k1 k3 k3 k5 k2",
            "EXISTS k1 k1 k2 none k5",
            "TOUCH k1 k2 k3",
            "DEL k1 none k2 k3",
            "UNLINK k4 k5 k1",
            "DBSIZE",
            "LPUSH list a b c",
            "RPUSH list d",
            "LRANGE list 0 -1",
            "LPOP list",
            "HSET hash f 1 g 2",
            "HGETALL hash",
            "HMGET hash f none",
            "SADD set a",
            "SMEMBERS set",
            "SPOP set",
            "ZADD sorted 1 a 2 b",
            "ZRANGE sorted 0 -1 WITHSCORES",
            "XADD stream 1-1 f v",
            "XREAD COUNT 1 STREAMS stream 0",
            "SINTERSTORE {t}c {t}a {t}b",
            "RENAME {t}none {t}x",
            "EVAL return{KEYS[1],{1,{2}}} 1 a",
            "OBJECT ENCODING a",
            "TYPE list",
            "GET",
            "CLIENT GETNAME",
            "CLIENT SETNAME me",
            "CLIENT GETNAME",
            "FLUSHALL",
            "DBSIZE",
            "KEYS *",
        ] {
            assert_eq!(ours.ask(line), theirs.ask(line), "{line} with {count}");
        }
        ours.send("SET inline 5\r\nGET inline\r\n");
        assert_eq!((ours.reply(), ours.reply()), ("OK".into(), "\"5\"".into()));
        assert_eq!(ours.ask("QUIT"), "OK");
        assert_eq!(ours.reply(), "closed");
    }
}

#[test]
fn redis_s_own_tools_work_unchanged() {
    let stores = Store::several(Kind::Redis, 3);
    let shard = start(&stores, &["--workers=2", "--connections=2"]);
    let cli = |arguments: &[&str]| run("redis-cli", shard.address(), arguments);
    let keys: Vec<_> = (0..60).map(|number| format!("key:{number}")).collect();
    let pairs: Vec<&str> = keys.iter().flat_map(|key| [key.as_str(), "x"]).collect();
    assert_eq!(cli(&[&["mset"][..], &pairs].concat()), "OK\n");
    assert_eq!(cli(&["get", "key:7"]), "x\n");
    let mut scanned: Vec<_> = cli(&["--scan"]).lines().map(str::to_owned).collect();
    scanned.sort();
    scanned.dedup();
    let mut sorted = keys.clone();
    sorted.sort();
    assert_eq!(scanned, sorted);
    assert_eq!(cli(&["dbsize"]), "60\n");
    assert_eq!(cli(&["info", "server"]).matches("left_out=0").count(), 3);
    for pipeline in ["1", "16"] {
        let benched = run(
            "redis-benchmark",
            shard.address(),
            &["-q", "-n", "1000", "-P", pipeline, "-r", "100"],
        );
        for name in [
            "PING_INLINE",
            "PING_MBULK",
            "SET",
            "GET",
            "INCR",
            "LPUSH",
            "RPUSH",
            "LPOP",
            "RPOP",
            "SADD",
            "HSET",
            "SPOP",
            "ZADD",
            "LRANGE_600 (first 600 elements)",
            "MSET (10 keys)",
        ] {
            assert!(benched.contains(&format!("{name}: ")), "{name} in {benched}");
        }
    }
    let refused = shard.metric("motif_requests_refused_total");
    // What it asks about the server's configuration is answered, with nothing.
    assert_eq!(refused, Some(0.0));
}

/// Where the servers themselves have the keys.
fn places(stores: &[Store], keys: &[String]) -> Vec<Option<usize>> {
    let mut clients: Vec<_> = stores.iter().map(Store::client).collect();
    keys.iter()
        .map(|key| {
            let found: Vec<_> = (0..clients.len())
                .filter(|place| clients[*place].ask(&format!("EXISTS {key}")) == "1")
                .collect();
            assert!(found.len() <= 1, "{key} is on {found:?}");
            found.first().copied()
        })
        .collect()
}

#[test]
fn from_three_shards_to_four_keys_move_to_the_new_one_only() {
    let stores = Store::several(Kind::Redis, 4);
    let keys: Vec<_> = (0..500).map(|number| format!("user:{number}")).collect();
    for (hash, is_consistent) in [("ketama", true), ("modulo", false)] {
        let hash = format!("--hash={hash}");
        let write = |shard: &Running| {
            for store in &stores {
                assert_eq!(store.client().ask("FLUSHALL"), "OK");
            }
            let mut talk = Talk::connect(shard.address());
            for key in &keys {
                assert_eq!(talk.ask(&format!("SET {key} x")), "OK");
            }
            places(&stores, &keys)
        };
        let three = start(&stores[..3], &[&hash]);
        let before = write(&three);
        for (key, place) in keys.iter().zip(&before).take(50) {
            assert_eq!(owner(&three, key), format!("s{}", place.unwrap()));
        }
        let four = start(&stores, &[&hash]);
        let after = write(&four);
        let moved: Vec<_> = before
            .iter()
            .zip(&after)
            .filter(|(old, new)| old != new)
            .collect();
        let astray = moved.iter().filter(|(_, new)| **new != Some(3)).count();
        if is_consistent {
            assert_eq!(astray, 0);
            assert!((75..=175).contains(&moved.len()), "{} of 500 moved", moved.len());
        } else {
            assert!(astray > 100, "{astray} of 500 moved between old shards");
        }
        // Another ambassador with the same backends, in another order and at other names of the same places, agrees.
        let address = |place: usize| stores[place].address;
        let backends = format!(
            "--backends=s2=localhost:{},s0={},s1={}*1",
            address(2).port(),
            address(0),
            address(1)
        );
        if is_consistent {
            let other = Running::start(
                &["shard", "--listen=127.0.0.1:0", "--admin=127.0.0.1:0", &backends],
                &[],
            );
            for key in &keys[..100] {
                assert_eq!(owner(&other, key), owner(&three, key), "{key}");
            }
        }
    }
}

#[test]
fn a_dead_shard_of_a_store_affects_its_own_keys_only() {
    let mut stores = Store::several(Kind::Redis, 3);
    let shard = start(&stores, &["--failures=1", "--retry=100ms"]);
    let keys = keys_by_shard(&shard, 3);
    let mut talk = Talk::connect(shard.address());
    for key in &keys {
        assert_eq!(talk.ask(&format!("SET {key} x")), "OK");
    }
    stores[1].kill();
    let prefix = "(error) ERR motif: shard `s1`: ";
    for _ in 0..20 {
        assert_eq!(talk.ask(&format!("GET {}", keys[0])), "\"x\"");
        let answer = talk.ask(&format!("GET {}", keys[1]));
        assert!(answer.starts_with(prefix), "{answer}");
        let answer = talk.ask(&format!("MGET {}", keys.join(" ")));
        assert!(answer.starts_with(prefix), "{answer}");
        assert_eq!(
            talk.ask(&format!("MGET {} {}", keys[2], keys[0])),
            "[\"x\", \"x\"]"
        );
        assert_eq!(
            owner(&shard, &keys[1]),
            "s1",
            "a store's keys stay where they are"
        );
    }
    assert_eq!(
        wire::get(shard.admin(), "/readyz").status,
        200,
        "the other shards' keys are served"
    );
    assert!(
        shard
            .metric("motif_requests_total{shard=\"s1\",outcome=\"failed\"}")
            .unwrap()
            >= 40.0
    );
    assert_eq!(
        shard.metric("motif_requests_total{shard=\"s0\",outcome=\"failed\"}"),
        Some(0.0)
    );
    assert_eq!(shard.metric("motif_ejections_total{shard=\"s1\"}"), Some(0.0));
    stores[1].restart();
    wait_until("the shard is used again", || {
        talk.ask(&format!("GET {}", keys[1])) == "nil"
    });
}

#[test]
fn a_cache_leaves_a_dead_shard_out_and_takes_it_back() {
    let mut stores = Store::several(Kind::Redis, 3);
    let shard = start(&stores, &["--role=cache", "--failures=2", "--retry=200ms"]);
    let keys = keys_by_shard(&shard, 3);
    let mut talk = Talk::connect(shard.address());
    for key in &keys {
        assert_eq!(talk.ask(&format!("SET {key} x")), "OK");
    }
    stores[1].kill();
    wait_until("its keys go elsewhere", || {
        talk.ask(&format!("SET {} y", keys[1])) == "OK"
    });
    assert_eq!(shard.metric("motif_ejections_total{shard=\"s1\"}"), Some(1.0));
    assert_eq!(shard.metric("motif_shard_left_out{shard=\"s1\"}"), Some(1.0));
    assert_ne!(owner(&shard, &keys[1]), "s1");
    for (place, key) in keys.iter().enumerate().filter(|(place, _)| *place != 1) {
        assert_eq!(owner(&shard, key), format!("s{place}"), "the others' keys stay");
        assert_eq!(talk.ask(&format!("GET {key}")), "\"x\"");
    }
    assert_eq!(talk.ask("DBSIZE"), "3", "only the shards that are in are asked");
    let (mut cursor, mut scanned) = ("0".to_owned(), String::new());
    loop {
        let answer = talk.ask(&format!("SCAN {cursor}"));
        cursor = answer
            .split('"')
            .nth(1)
            .unwrap_or_else(|| panic!("{answer}"))
            .to_owned();
        scanned.push_str(&answer);
        if cursor == "0" {
            break;
        }
    }
    assert_eq!(scanned.matches("key:").count(), 3, "{scanned}");
    stores[1].restart();
    wait_until("it is back", || owner(&shard, &keys[1]) == "s1");
    assert_eq!(talk.ask(&format!("SET {} z", keys[1])), "OK");
    assert_eq!(stores[1].client().ask(&format!("GET {}", keys[1])), "\"z\"");
    for store in &mut stores {
        store.kill();
    }
    wait_until("no shard is left", || {
        keys.iter()
            .any(|key| talk.ask(&format!("GET {key}")) == "(error) ERR motif: no shard is left")
    });
    wait_until("it is not ready", || {
        wire::get(shard.admin(), "/readyz").status == 503
    });
}

#[test]
fn a_write_that_is_not_answered_is_not_sent_again() {
    let stores = Store::several(Kind::Redis, 1);
    let shard = start(&stores, &["--timeout=200ms"]);
    let mut talk = Talk::connect(shard.address());
    // On a busy machine an answer may be late when nothing is wrong, too.
    wait_until("the shard answers", || talk.ask("SET n 0") == "OK");
    stores[0].signal(Signal::STOP);
    assert_eq!(
        talk.ask("INCR n"),
        "(error) ERR motif: shard `s0`: no answer in time"
    );
    let late = "motif_requests_total{shard=\"s0\",outcome=\"timed-out\"}";
    assert!(shard.metric(late) >= Some(1.0));
    stores[0].signal(Signal::CONT);
    // It had reached the shard, which carried it out once: late, but before what was sent later.
    let mut answer = String::new();
    wait_until("the shard answers again", || {
        answer = talk.ask("GET n");
        !answer.starts_with("(error)")
    });
    assert_eq!(answer, "\"1\"");
}

#[test]
fn a_connection_that_closed_while_idle_costs_no_request() {
    let mut stores = Store::several(Kind::Redis, 1);
    let shard = start(&stores, &[]);
    let mut talk = Talk::connect(shard.address());
    assert_eq!(talk.ask("SET a 1"), "OK");
    stores[0].restart();
    assert_eq!(talk.ask("GET a"), "nil");
}

#[test]
fn large_values_pass_whole() {
    let stores = Store::several(Kind::Redis, 2);
    let shard = start(&stores, &["--max-request=9Mi"]);
    let mut talk = Talk::connect(shard.address());
    let value: Vec<u8> = (0..8 * 1024 * 1024_u32)
        .map(|place| b"0123456789abc\r\n$"[(place % 16) as usize])
        .collect();
    let expect = format!("{:?}", String::from_utf8_lossy(&value));
    for key in [&b"a"[..], b"b", b"c", b"d"] {
        assert_eq!(talk.ask_words(&[b"SET", key, &value]), "OK");
        assert!(talk.ask_words(&[b"GET", key]) == expect);
    }
    assert!(talk.ask("MGET a b c d").len() > 4 * value.len());
    let larger = vec![b'x'; 10 * 1024 * 1024];
    talk.send(command(&[b"SET", b"a", &larger]));
    assert_eq!(
        talk.reply(),
        "(error) ERR Protocol error: the request is too large"
    );
    assert_eq!(talk.reply(), "closed");
}

#[test]
fn answers_come_in_the_order_of_the_questions() {
    let stores = Store::several(Kind::Redis, 3);
    let shard = start(&stores, &["--connections=2"]);
    let address = shard.address();
    let clients: Vec<_> = (0..8)
        .map(|client| {
            std::thread::spawn(move || {
                let mut talk = Talk::connect(address);
                let mut expected = Vec::new();
                let mut bytes = Vec::new();
                for number in 0..500 {
                    let key = format!("c{client}:{}", number % 50);
                    let other = format!("c{client}:other{}", number % 7);
                    let value = number.to_string();
                    let mut add = |words: &[&str], reply: String| {
                        let words: Vec<_> = words.iter().map(|word| word.as_bytes()).collect();
                        bytes.extend(command(&words));
                        expected.push(reply);
                    };
                    add(&["SET", &key, &value], "OK".to_owned());
                    add(&["GET", &key], format!("\"{value}\""));
                    add(&["ECHO", &value], format!("\"{value}\""));
                    add(&["MSET", &key, "m", &other, &value], "OK".to_owned());
                    add(&["MGET", &other, &key, "none"], format!("[\"{value}\", \"m\", nil]"));
                    add(&["FROBNICATE"], "(error) ERR motif: unknown command `FROBNICATE`: there is no telling which shard it is for".to_owned());
                    add(&["DEL", &key, &other], "2".to_owned());
                }
                // All at once: it is read while it is written.
                let mut reader = talk.twin();
                let sending = std::thread::spawn(move || talk.send(bytes));
                for (number, expect) in expected.iter().enumerate() {
                    assert_eq!(reader.reply(), *expect, "{number}");
                }
                sending.join().unwrap();
            })
        })
        .collect();
    for client in clients {
        client.join().unwrap();
    }
}

#[test]
fn hostile_bytes_end_one_connection_only() {
    let stores = Store::several(Kind::Redis, 2);
    let shard = start(&stores, &["--memory=8Mi", "--max-request=4Mi"]);
    for (bytes, reason) in [
        ("*1\r\n$x\r\n", "invalid bulk length"),
        ("*99999999\r\n", "invalid multibulk length"),
        ("*1\r\nx\r\n", "expected '$'"),
        ("*2\r\n$3\r\nGET\r\n$9999999\r\n", "the request is too large"),
    ] {
        let mut talk = Talk::connect(shard.address());
        talk.send("PING\r\n");
        talk.send(bytes);
        let said = String::from_utf8_lossy(&talk.rest()).into_owned();
        assert_eq!(
            said,
            format!("+PONG\r\n-ERR Protocol error: {reason}\r\n"),
            "{bytes:?}"
        );
    }
    // A client that takes nothing: what is owed to it may not grow for ever.
    let mut talk = Talk::connect(shard.address());
    assert_eq!(talk.ask_words(&[b"SET", b"a", &vec![b'x'; 1 << 20]]), "OK");
    let mut greedy = Talk::connect(shard.address());
    greedy.send("GET a\r\n".repeat(500));
    shard.wait_for("client broken off", |_| true);
    assert_eq!(talk.ask("PING"), "PONG");
    assert_eq!(talk.ask("STRLEN a"), "1048576");
    // Nor may requests that are never whole.
    let part = format!("*2\r\n$3\r\nGET\r\n$4000000\r\n{}", "x".repeat(3_900_000));
    let mut waiting: Vec<_> = (0..4).map(|_| Talk::connect(shard.address())).collect();
    for talk in &mut waiting {
        talk.send(&part);
    }
    let accepted = || shard.metric("motif_connections_accepted_total") == Some(10.0);
    wait_until("those beyond the memory are closed", || {
        accepted() && shard.metric("motif_connections") <= Some(3.0)
    });
    drop((waiting, greedy));
    assert_eq!(talk.ask("STRLEN a"), "1048576");
    assert_eq!(shard.terminate(), Some(0));
}

#[test]
fn what_was_sent_before_the_end_is_answered() {
    let stores = Store::several(Kind::Redis, 2);
    let mut shard = start(&stores, &["--timeout=30s"]);
    let mut idle = Talk::connect(shard.address());
    assert_eq!(idle.ask("SET n 1"), "OK");
    // Clients connect and send while it stands still; a shard stands still until it was told to end.
    for store in &stores {
        store.signal(Signal::STOP);
    }
    shard.signal(Signal::STOP);
    let mut late: Vec<_> = (0..3).map(|_| Talk::connect(shard.address())).collect();
    for talk in &mut late {
        talk.send([command(&[b"INCR", b"n"]), command(&[b"PING"])].concat());
    }
    shard.signal(Signal::TERM);
    shard.signal(Signal::CONT);
    shard.wait_for("draining", |_| true);
    for store in &stores {
        store.signal(Signal::CONT);
    }
    let mut answers: Vec<_> = late
        .iter_mut()
        .map(|talk| (talk.reply(), talk.reply(), talk.reply()))
        .collect();
    answers.sort();
    let expect = ["2", "3", "4"].map(|number| (number.to_owned(), "PONG".to_owned(), "closed".to_owned()));
    assert_eq!(answers, expect);
    assert_eq!(idle.reply(), "closed");
    assert_eq!(shard.wait(), Some(0));
}

#[test]
fn a_client_of_one_memcached_works_unchanged() {
    for count in [1, 3] {
        let (stores, plain) = (
            Store::several(Kind::Memcached, count),
            Store::start(Kind::Memcached),
        );
        let shard = start(&stores, &["--protocol=memcached"]);
        let (mut ours, mut theirs) = (Talk::connect(shard.address()), plain.client());
        let large = "x".repeat(2_000_000);
        let large = format!("set large 0 0 {}\r\n{large}\r\n", large.len());
        for (request, last) in [
            ("get a\r\n", "END"),
            ("set a 5 0 5\r\nEND\r\n\r\n", "STORED"),
            ("get a\r\n", "END"),
            ("add a 0 0 1\r\nx\r\n", "NOT_STORED"),
            ("replace b 0 0 1\r\nx\r\n", "NOT_STORED"),
            ("append a 0 0 1\r\ny\r\n", "STORED"),
            ("prepend a 0 0 1\r\nz\r\n", "STORED"),
            ("set b 0 0 1\r\n1\r\n", "STORED"),
            ("incr b 41\r\n", "42"),
            ("decr b 2\r\n", "40"),
            ("incr none 1\r\n", "NOT_FOUND"),
            ("set c 0 0 1 noreply\r\nc\r\nset d 0 0 0\r\n\r\n", "STORED"),
            ("get d none c b a\r\n", "END"),
            ("touch a 100\r\n", "TOUCHED"),
            ("gat 100 b c\r\n", "END"),
            ("delete c\r\n", "DELETED"),
            ("delete c\r\n", "NOT_FOUND"),
            ("cas none 0 0 1 1\r\nx\r\n", "NOT_FOUND"),
            (large.as_str(), "STORED"),
            ("get large a\r\n", "END"),
            (
                "incr a 1\r\n",
                "CLIENT_ERROR cannot increment or decrement non-numeric value",
            ),
            ("frobnicate\r\n", "ERROR"),
            ("delete d noreply\r\nget d\r\n", "END"),
            ("flush_all\r\n", "OK"),
            ("get a b c large\r\n", "END"),
        ] {
            ours.send(request);
            theirs.send(request);
            // A value may hold what looks like the end: then there is more to read.
            let more = if request.starts_with("get a\r\n") { 2 } else { 1 };
            for _ in 0..more {
                let (ours, theirs) = (ours.until(last), theirs.until(last));
                assert!(
                    ours == theirs,
                    "{request:.60} with {count}: {ours:.200} is not {theirs:.200}"
                );
                assert!(ours.ends_with(&format!("{last}\r\n")), "{ours:.200}");
                if !ours.starts_with("VALUE a 5 5") {
                    break;
                }
            }
        }
        // The number of a version is of its server: what is read must be right to be written.
        ours.send("set v 0 0 1\r\n1\r\ngets v\r\n");
        let read = ours.until("END");
        let version = read.split_whitespace().nth(5).unwrap().to_owned();
        ours.send(format!(
            "cas v 0 0 1 {version}\r\n2\r\ncas v 0 0 1 {version}\r\n3\r\nget v\r\n"
        ));
        assert_eq!(
            ours.until("END"),
            "STORED\r\nEXISTS\r\nVALUE v 0 1\r\n2\r\nEND\r\n"
        );
        ours.send(format!("get {}\r\nversion\r\nquit\r\n", "k".repeat(251)));
        assert_eq!(ours.line(), "CLIENT_ERROR bad command line format\r\n");
        assert!(ours.line().starts_with("VERSION motif "));
        assert_eq!(ours.rest(), b"");
    }
}

#[test]
fn a_dead_memcached_is_left_out() {
    let mut stores = Store::several(Kind::Memcached, 3);
    let shard = start(
        &stores,
        &[
            "--protocol=memcached",
            "--role=cache",
            "--failures=1",
            "--retry=200ms",
        ],
    );
    let keys = keys_by_shard(&shard, 3);
    let mut talk = Talk::connect(shard.address());
    stores[2].kill();
    let mut ask = |request: String| {
        talk.send(request);
        talk.line()
    };
    wait_until("its keys go elsewhere", || {
        let answer = ask(format!("set {} 0 0 1\r\nx\r\n", keys[2]));
        assert!(
            answer == "STORED\r\n" || answer.starts_with("SERVER_ERROR motif: shard `s2`: "),
            "{answer}"
        );
        answer == "STORED\r\n"
    });
    stores[2].restart();
    wait_until("it is back", || owner(&shard, &keys[2]) == "s2");
    assert_eq!(ask(format!("delete {}\r\n", keys[2])), "NOT_FOUND\r\n");
    let mut talk = Talk::connect(shard.address());
    talk.send(format!("set k 0 0 {}\r\n", 100 << 20));
    assert_eq!(talk.rest(), b"SERVER_ERROR object too large for cache\r\n");
}

/// Servers that say who they are.
fn http_backends(count: usize) -> Vec<Backend> {
    (0..count)
        .map(|place| {
            Backend::start(move |mut turn| {
                if turn.request.line.contains("/slow") {
                    return true;
                }
                turn.ok(&format!("s{place}"));
                true
            })
        })
        .collect()
}

#[test]
fn a_request_goes_to_the_shard_of_its_key() {
    let backends = http_backends(3);
    let addresses: Vec<_> = backends.iter().map(|backend| backend.address).collect();
    let shard = start_before(
        &addresses,
        &["--protocol=http", "--key=pattern:^/users/([a-z0-9]+)"],
    );
    shard.wait_until_ready();
    let mut seen = BTreeMap::new();
    for number in 0..60 {
        let key = format!("u{number}");
        let expect = owner(&shard, &key);
        for path in [format!("/users/{key}"), format!("/users/{key}/orders?x=1")] {
            let answer = wire::get(shard.address(), &path);
            assert_eq!((answer.status, answer.text()), (200, expect.clone()), "{path}");
        }
        *seen.entry(expect).or_insert(0) += 1;
    }
    assert_eq!(seen.len(), 3);
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let headers = format!("traceparent: {trace}\r\nconnection: x-hop\r\nx-hop: 1\r\n");
    assert_eq!(
        wire::request(shard.address(), "POST", "/users/traced", &headers, b"body").status,
        200
    );
    let received = backends
        .iter()
        .flat_map(Backend::received)
        .find(|request| request.line.contains("traced"))
        .unwrap();
    assert_eq!(received.line, "POST /users/traced HTTP/1.1");
    assert_eq!(received.header("traceparent"), Some(trace));
    assert_eq!(received.header("host"), Some("test"));
    assert_eq!(received.header("x-hop"), None);
    assert_eq!(received.body, b"body");
    let answer = wire::get(shard.address(), "/other");
    assert_eq!(
        (answer.status, answer.text()),
        (400, "400 Bad Request: the request has no key\n".into())
    );
    let hasty = start_before(&addresses, &["--protocol=http", "--timeout=50ms"]);
    assert_eq!(wire::get(hasty.address(), "/slow").status, 504);
    assert_eq!(shard.metric("motif_requests_refused_total"), Some(1.0));
    assert_eq!(shard.terminate(), Some(0));
}

#[test]
fn a_dead_http_shard_is_502_for_a_store_and_left_out_of_a_cache() {
    let backends = http_backends(1);
    // Nobody listens there, and nobody else can.
    let taken = tokio::net::TcpSocket::new_v4().unwrap();
    taken.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let addresses = [backends[0].address, taken.local_addr().unwrap()];
    let store = start_before(&addresses, &["--protocol=http"]);
    let keys = keys_by_shard(&store, 2);
    // The key is a path: one of each.
    let path = |shard: &Running, wanted: &str| {
        (0..10_000)
            .map(|number| format!("/{number}"))
            .find(|path| owner(shard, path) == wanted)
            .unwrap()
    };
    assert_eq!(keys.len(), 2);
    let (alive, dead) = (path(&store, "s0"), path(&store, "s1"));
    assert_eq!(wire::get(store.address(), &alive).text(), "s0");
    for _ in 0..5 {
        assert_eq!(wire::get(store.address(), &dead).status, 502);
    }
    let answer = wire::get(store.admin(), "/readyz");
    assert_eq!(
        (answer.status, answer.text()),
        (503, "shard `s1` has not answered yet\n".into())
    );
    let cache = start_before(
        &addresses,
        &["--protocol=http", "--role=cache", "--failures=2", "--retry=1h"],
    );
    cache.wait_until_ready();
    wait_until("its keys go elsewhere", || {
        wire::get(cache.address(), &dead).text() == "s0"
    });
    assert_eq!(cache.metric("motif_ejections_total{shard=\"s1\"}"), Some(1.0));
    let nobody = start_before(
        &addresses[1..],
        &["--protocol=http", "--role=cache", "--failures=1", "--retry=1h"],
    );
    assert_eq!(wire::get(nobody.address(), "/").status, 502);
    let answer = wire::get(nobody.address(), "/");
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("1")));
}

#[test]
fn an_http_request_in_flight_ends_before_the_process() {
    let (go, gone) = std::sync::mpsc::channel::<()>();
    let gone = std::sync::Mutex::new(gone);
    let backend = Backend::start(move |mut turn| {
        let _ = gone.lock().unwrap().recv();
        turn.ok("late");
        true
    });
    let mut shard = start_before(&[backend.address], &["--protocol=http", "--timeout=30s"]);
    let mut client = wire::Client::connect(shard.address());
    client.send("GET /a HTTP/1.1\r\nhost: test\r\n\r\n").unwrap();
    wait_until("the backend has it", || backend.received().len() == 1);
    shard.signal(Signal::STOP);
    let mut late = wire::Client::connect(shard.address());
    late.send("GET /b HTTP/1.1\r\nhost: test\r\n\r\n").unwrap();
    shard.signal(Signal::TERM);
    shard.signal(Signal::CONT);
    shard.wait_for("draining", |_| true);
    go.send(()).unwrap();
    go.send(()).unwrap();
    for client in [&mut client, &mut late] {
        let answer = client.read("GET").unwrap().unwrap();
        assert_eq!((answer.status, answer.text()), (200, "late".into()));
        assert_eq!(answer.header("connection"), Some("close"));
    }
    assert_eq!(shard.wait(), Some(0));
}

#[test]
fn what_makes_no_sense_is_refused() {
    for (flags, expect) in [
        (&["--backends=a"][..], "is not `[NAME=]HOST:PORT[*WEIGHT]`"),
        (&[][..], "--backends"),
        (&["--backends=a:1,a:1"][..], "two shards are named `a:1`"),
        (
            &["--backends=a:1", "--key=header:x"][..],
            "`--key` is for `--protocol=http`",
        ),
        (&["--backends=a:1", "--role=x"][..], "invalid value 'x'"),
    ] {
        let words = [&["shard"][..], flags].concat();
        let ended = refused(&words);
        assert_eq!(ended.code, Some(2), "{ended:?}");
        assert!(ended.stderr.contains(expect), "{ended:?}");
    }
}
