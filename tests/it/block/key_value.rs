//! `key-value` as a process, beside Debian's Redis.

use rustix::process::Signal;

use super::running::{Running, refused, wait_until};
use super::stores::{Kind, Store, Talk, command, run};
use super::wire;

fn start(flags: &[&str]) -> Running {
    let mut words = vec!["key-value", "--listen=127.0.0.1:0", "--admin=127.0.0.1:0"];
    words.extend(flags);
    Running::start(&words, &[])
}

#[test]
fn it_answers_as_redis_does() {
    let (block, redis) = (start(&[]), Store::start(Kind::Redis));
    let (mut ours, mut theirs) = (Talk::connect(block.address()), redis.client());
    for line in [
        "PING",
        "PING a",
        "ECHO a",
        "SELECT 0",
        "GET a",
        "SET a 1",
        "SET a 2 NX",
        "SET b 2 XX",
        "SET a 3 XX GET",
        "SET a 3 EX 100",
        "TTL a",
        "SET a 3 KEEPTTL",
        "TTL a",
        "SET a x EX",
        "SET a x EX 0",
        "SET a x EX y",
        "SET a x NX XX",
        "SETEX b 100 y",
        "SETEX b 0 y",
        "TTL b",
        "PERSIST b",
        "TTL b",
        "TTL none",
        "EXPIRE none 1",
        "EXPIRE b 100",
        "PEXPIRE b 100000",
        "TTL b",
        "EXPIRE b -1",
        "EXISTS b",
        "EXISTS a a none",
        "INCR a",
        "INCRBY a 40",
        "INCRBY a x",
        "DECR a",
        "DECRBY a 100",
        "SET text abc",
        "INCR text",
        "APPEND text def",
        "APPEND new x",
        "STRLEN text",
        "STRLEN none",
        "TYPE text",
        "TYPE none",
        "MSET k1 1 k2 2 k3 3",
        "MSET k1",
        "MGET k1 none k3",
        "DEL k1 none k2",
        "DBSIZE",
        "KEYS k*",
        "KEYS k[^3]",
        "KEYS t?xt",
        "CLIENT GETNAME",
        "CLIENT SETNAME me",
        "CLIENT GETNAME",
        "SETNX k3 4",
        "GETSET k3 5",
        "GETDEL k3",
        "GET",
        "GET a b",
        "FLUSHALL",
        "DBSIZE",
    ] {
        assert_eq!(ours.ask(line), theirs.ask(line), "{line}");
    }
    assert_eq!(
        ours.ask("HELLO 3"),
        "(error) NOPROTO unsupported protocol version"
    );
    assert_eq!(ours.ask("CLIENT SETINFO LIB-NAME x"), "OK");
    assert_eq!(ours.ask("QUIT"), "OK");
    assert_eq!(ours.reply(), "closed");
}

#[test]
fn redis_s_own_tools_work_with_it() {
    let block = start(&[]);
    let cli = |arguments: &[&str]| run("redis-cli", block.address(), arguments);
    assert_eq!(cli(&["set", "a", "1"]), "OK\n");
    assert_eq!(cli(&["append", "a", "b c"]), "4\n");
    assert_eq!(cli(&["get", "a"]), "1b c\n");
    for key in 0..200 {
        Talk::connect(block.address()).ask(&format!("SET key:{key} x"));
    }
    assert_eq!(cli(&["--scan", "--pattern", "key:*"]).lines().count(), 200);
    let info = cli(&["info", "keyspace"]);
    assert!(info.contains("db0:keys=201,expires=0,avg_ttl=0"), "{info}");
    let benched = run(
        "redis-benchmark",
        block.address(),
        &["-q", "-n", "2000", "-P", "8", "-t", "ping,set,get,incr,mset"],
    );
    for name in [
        "PING_INLINE",
        "PING_MBULK",
        "SET",
        "GET",
        "INCR",
        "MSET (10 keys)",
    ] {
        assert!(benched.contains(&format!("{name}: ")), "{name} in {benched}");
    }
}

#[test]
fn what_would_pass_the_memory_is_refused() {
    let block = start(&["--memory=1Mi"]);
    let mut talk = Talk::connect(block.address());
    let half = vec![b'x'; 600 * 1024];
    assert_eq!(talk.ask_words(&[b"SET", b"a", &half]), "OK");
    let answer = talk.ask_words(&[b"SET", b"b", &half]);
    assert!(answer.starts_with("(error) OOM "), "{answer}");
    assert_eq!(talk.ask("EXISTS a b"), "1");
    assert_eq!(
        talk.ask_words(&[b"SET", b"a", &half]),
        "OK",
        "what is replaced makes room"
    );
    let used = block.metric("motif_memory_bytes").unwrap();
    assert!((600_000.0..1_048_576.0).contains(&used), "{used}");
    assert_eq!(talk.ask("DEL a"), "1");
    assert_eq!(talk.ask_words(&[b"SET", b"b", &half]), "OK");
    // As many answers as would take more than there is.
    let keys: Vec<&[u8]> = std::iter::once(&b"MGET"[..])
        .chain(std::iter::repeat_n(&b"b"[..], 10))
        .collect();
    assert_eq!(talk.ask_words(&keys), "(error) ERR the answer is too large");
}

#[test]
fn keys_end_when_nobody_asks() {
    let block = start(&[]);
    let mut talk = Talk::connect(block.address());
    assert_eq!(talk.ask("SET a 1 PX 1"), "OK");
    assert_eq!(talk.ask("SET b 1"), "OK");
    wait_until("the key is gone", || block.metric("motif_keys") == Some(1.0));
    assert_eq!(block.metric("motif_expired_total"), Some(1.0));
    assert_eq!(talk.ask("GET a"), "nil");
}

#[test]
fn hostile_bytes_end_one_connection_only() {
    let block = start(&["--memory=1Mi"]);
    let huge = format!("*1\r\n$4\r\nPING\r\n*2\r\n$3\r\nGET\r\n${}\r\n", 2 << 20);
    for (bytes, reason) in [
        ("*1\r\n$x\r\n", "invalid bulk length"),
        ("*99999999\r\n", "invalid multibulk length"),
        ("*1\r\nx\r\n", "expected '$'"),
        (huge.as_str(), "the request is too large"),
    ] {
        let mut talk = Talk::connect(block.address());
        talk.send(bytes);
        let said = String::from_utf8_lossy(&talk.rest()).into_owned();
        assert!(
            said.ends_with(&format!("-ERR Protocol error: {reason}\r\n")),
            "{bytes:?}: {said:?}"
        );
    }
    let mut talk = Talk::connect(block.address());
    talk.send("x".repeat(70_000));
    assert_eq!(
        String::from_utf8_lossy(&talk.rest()),
        "-ERR Protocol error: too big inline request\r\n"
    );
    // Requests that are never whole: together they may not take more than the memory either.
    let half = format!("*2\r\n$3\r\nGET\r\n$1000000\r\n{}", "x".repeat(900_000));
    let mut waiting: Vec<_> = (0..2).map(|_| Talk::connect(block.address())).collect();
    for talk in &mut waiting {
        talk.send(&half);
    }
    let accepted = || block.metric("motif_connections_accepted_total") == Some(7.0);
    wait_until("one of them is closed", || {
        accepted() && block.metric("motif_connections") == Some(1.0)
    });
    drop(waiting);
    assert_eq!(Talk::connect(block.address()).ask("PING"), "PONG");
    assert_eq!(block.terminate(), Some(0));
}

#[test]
fn clients_that_take_nothing_are_let_go() {
    let block = start(&["--memory=1Mi"]);
    let mut talk = Talk::connect(block.address());
    assert_eq!(talk.ask_words(&[b"SET", b"a", &vec![b'x'; 600 * 1024]]), "OK");
    let mut greedy: Vec<_> = (0..4).map(|_| Talk::connect(block.address())).collect();
    for client in &mut greedy {
        client.send("GET a\r\n".repeat(100));
    }
    let accepted = || block.metric("motif_connections_accepted_total") == Some(5.0);
    wait_until("there is room for one of them only", || {
        accepted() && block.metric("motif_connections") == Some(2.0)
    });
    assert_eq!(talk.ask("STRLEN a"), "614400");
    drop(greedy);
    assert_eq!(block.terminate(), Some(0));
}

#[test]
fn clients_beyond_the_allowed_are_told_so() {
    let block = start(&["--clients=2"]);
    let mut first = Talk::connect(block.address());
    let mut second = Talk::connect(block.address());
    assert_eq!(
        (first.ask("PING"), second.ask("PING")),
        ("PONG".into(), "PONG".into())
    );
    let mut third = Talk::connect(block.address());
    assert_eq!(third.reply(), "(error) ERR max number of clients reached");
    drop(first);
    wait_until("there is room", || {
        Talk::connect(block.address()).ask("PING") == "PONG"
    });
}

#[test]
fn what_was_sent_before_the_end_is_answered() {
    let mut block = start(&[]);
    let mut idle = Talk::connect(block.address());
    assert_eq!(idle.ask("SET a 1"), "OK");
    // While it stands still, clients connect and send: it has seen nothing of them when it is told to end.
    block.signal(Signal::STOP);
    let mut late: Vec<_> = (0..3).map(|_| Talk::connect(block.address())).collect();
    for talk in &mut late {
        talk.send([command(&[b"INCR", b"a"]), command(&[b"PING"])].concat());
    }
    block.signal(Signal::TERM);
    block.signal(Signal::CONT);
    let mut answers: Vec<_> = late
        .iter_mut()
        .map(|talk| (talk.reply(), talk.reply(), talk.reply()))
        .collect();
    answers.sort();
    let expect = ["2", "3", "4"].map(|number| (number.to_owned(), "PONG".to_owned(), "closed".to_owned()));
    assert_eq!(answers, expect);
    assert_eq!(idle.reply(), "closed");
    assert_eq!(block.wait(), Some(0));
}

#[test]
fn it_is_ready_at_once_and_refuses_what_makes_no_sense() {
    let block = start(&[]);
    block.wait_until_ready();
    assert_eq!(wire::get(block.admin(), "/livez").status, 200);
    for (flag, expect) in [
        ("--memory=1", "`--memory` is below 1Ki"),
        ("--listen=9902", "both want `0.0.0.0:9902`"),
        ("--clients=0", "0 is not in"),
    ] {
        let ended = refused(&["key-value", flag]);
        assert_eq!(ended.code, Some(2), "{ended:?}");
        assert!(ended.stderr.contains(expect), "{ended:?}");
    }
}
