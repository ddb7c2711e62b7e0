//! `split`: which backend gets a request, and who stands in for it.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use super::running::{Nginx, Running, refused, wait_until};
use super::wire::{self, Backend, Client};

fn named(name: &'static str) -> Backend {
    Backend::start(move |mut turn| {
        turn.ok(name);
        true
    })
}

/// Starts a split on free ports.
fn split(backends: &str, flags: &[&str]) -> Running {
    let backends = format!("--backends={backends}");
    let mut words = vec!["split", "--listen=127.0.0.1:0", "--admin=127.0.0.1:0", &backends];
    words.extend(flags);
    let split = Running::start(&words, &[]);
    split.wait_until_ready();
    split
}

/// The same without checks: whoever listens gets its share, however slow this machine is.
fn unchecked(backends: &str, flags: &[&str]) -> Running {
    let mut all = vec!["--check=none"];
    all.extend(flags);
    split(backends, &all)
}

fn requests(split: &Running, name: &str, class: &str) -> Option<f64> {
    let metric = format!("motif_backend_requests_total{{name=\"{name}\",class=\"{class}\"}}");
    split.metric(&metric)
}

fn fallbacks(split: &Running, name: &str) -> Option<f64> {
    let metric = format!("motif_fallbacks_total{{name=\"{name}\"}}");
    split.metric(&metric)
}

fn ask(address: SocketAddr, times: usize, headers: impl Fn(usize) -> String) -> BTreeMap<String, usize> {
    let mut client = Client::connect(address);
    let mut answers = BTreeMap::new();
    for time in 0..times {
        let answer = client.request("GET", "/", &headers(time), b"").unwrap();
        assert_eq!(answer.status, 200);
        *answers.entry(answer.text()).or_default() += 1;
    }
    answers
}

/// Whether so many of `times` are within five standard deviations of the share.
#[track_caller]
fn assert_share(hits: usize, times: u32, share: f64) {
    let times = f64::from(times);
    let hits = f64::from(u32::try_from(hits).unwrap());
    let sigma = (times * share * (1.0 - share)).sqrt();
    assert!(
        (hits - times * share).abs() <= 5.0 * sigma,
        "{hits} of {times} are not a share of {share}"
    );
}

#[test]
fn a_tenth_of_the_requests_is_a_tenth() {
    let (web, new) = (named("web"), named("new"));
    let split = unchecked(&format!("web={}*9,new={}*1", web.address, new.address), &[]);
    let answers = ask(split.address(), 3_000, |_| String::new());
    assert_share(answers["new"], 3_000, 0.1);
    assert_eq!(answers["new"] + answers["web"], 3_000);
    for (name, hits) in answers {
        let hits = f64::from(u32::try_from(hits).unwrap());
        wait_until("all are counted", || requests(&split, &name, "2xx") == Some(hits));
    }
}

#[test]
fn a_tenth_of_the_users_is_a_tenth_and_each_stays() {
    let (web, new) = (named("web"), named("new"));
    let backends = format!("web={}*9,new={}*1", web.address, new.address);
    let flags = ["--sticky=header:x-user"];
    let user = |number: usize| format!("x-user: user-{number}\r\n");
    let split = unchecked(&backends, &flags);
    let first: Vec<_> = (0..2_000)
        .scan(Client::connect(split.address()), |client, number| {
            let answer = client.request("GET", "/", &user(number), b"").unwrap();
            Some(answer.text())
        })
        .collect();
    assert_share(first.iter().filter(|name| *name == "new").count(), 2_000, 0.1);
    // Another connection, another process, another path: the same user, the same backend.
    let other = unchecked(&backends, &flags);
    let mut client = Client::connect(other.address());
    for (number, expect) in first.iter().enumerate() {
        let answer = client.request("POST", "/other", &user(number), b"body").unwrap();
        assert_eq!(&answer.text(), expect, "user {number}");
    }
}

#[test]
fn requests_without_a_user_are_assigned_by_chance() {
    let (web, new) = (named("web"), named("new"));
    let split = unchecked(
        &format!("web={}*1,new={}*1", web.address, new.address),
        &["--sticky=header:x-user"],
    );
    let answers = ask(split.address(), 2_000, |time| match time % 2 {
        0 => String::new(),
        _ => "x-user: \r\n".to_owned(),
    });
    assert_share(answers["new"], 2_000, 0.5);
}

#[test]
fn a_client_is_given_a_cookie_once_and_stays() {
    let (web, new) = (named("web"), named("new"));
    let split = unchecked(
        &format!("web={}*1,new={}*1", web.address, new.address),
        &["--sticky=cookie:arm"],
    );
    let mut seen = BTreeMap::<String, usize>::new();
    let mut client = Client::connect(split.address());
    for _ in 0..40 {
        let first = client.request("GET", "/", "cookie: other=1\r\n", b"").unwrap();
        let set = first.header("set-cookie").unwrap();
        let (pair, attributes) = set.split_once("; ").unwrap();
        assert_eq!(attributes, "Path=/; HttpOnly; SameSite=Lax");
        let (name, value) = pair.split_once('=').unwrap();
        assert_eq!((name, value.len()), ("arm", 32));
        for _ in 0..5 {
            let headers = format!("cookie: other=1; {pair}\r\n");
            let again = client.request("GET", "/", &headers, b"").unwrap();
            assert_eq!(again.text(), first.text());
            assert_eq!(again.header("set-cookie"), None);
        }
        *seen.entry(first.text()).or_default() += 1;
    }
    // Forty fair coins fall on one side twice in a million million.
    assert_eq!(seen.len(), 2, "{seen:?}");
}

#[test]
fn the_first_backend_stands_in_for_one_that_is_gone() {
    let web = named("web");
    let gone = wire::free_address();
    let split = unchecked(&format!("web={}*0,new={gone}*1", web.address), &[]);
    let mut client = Client::connect(split.address());
    // Nothing was sent to the one that is gone, so any method goes.
    for (method, body) in [("GET", b"".as_slice()), ("POST", b"order")] {
        let answer = client.request(method, "/", "", body).unwrap();
        assert_eq!((answer.status, answer.text().as_str()), (200, "web"), "{method}");
    }
    assert_eq!(web.received()[1].body, b"order");
    wait_until("both are counted", || requests(&split, "web", "2xx") == Some(2.0));
    assert_eq!(fallbacks(&split, "new"), Some(2.0));
    assert_eq!(requests(&split, "new", "5xx"), Some(0.0));
}

#[test]
fn without_retries_the_first_backend_still_stands_in() {
    let web = named("web");
    let gone = wire::free_address();
    let split = unchecked(&format!("web={}*0,new={gone}*1", web.address), &["--retries=0"]);
    assert_eq!(wire::get(split.address(), "/").text(), "web");
}

#[test]
fn the_first_backend_stands_in_for_one_whose_checks_fail() {
    let web = Running::echo(&["--message=web"]);
    let new = Running::echo(&["--message=new"]);
    wire::request(new.admin(), "POST", "/unready", "", b"");
    let flags = ["--check=http/readyz", "--check-every=50ms", "--check-timeout=60s"];
    let split = split(
        &format!("web={}*0,new={}*1", web.address(), new.address()),
        &flags,
    );
    split.wait_for("backend not ready", |_| true);
    assert_eq!(wire::get(split.address(), "/").json()["message"], "web");
    wire::request(new.admin(), "POST", "/ready", "", b"");
    wait_until("it has its share again", || {
        wire::get(split.address(), "/").json()["message"] == "new"
    });
}

#[test]
fn a_request_that_may_have_been_done_is_not_done_again() {
    let web = named("web");
    let closing = Backend::start(|_| false);
    let split = unchecked(
        &format!("web={}*0,new={}*1", web.address, closing.address),
        &["--reveal=true"],
    );
    let posted = wire::request(split.address(), "POST", "/", "", b"order");
    assert_eq!(posted.status, 502);
    assert!(web.received().is_empty());
    assert_eq!(fallbacks(&split, "new"), Some(0.0));
    // Sent twice it does what sent once does.
    let got = wire::get(split.address(), "/");
    assert_eq!((got.status, got.text().as_str()), (200, "web"));
    assert_eq!(got.header("x-motif-backend"), Some("web"));
}

#[test]
fn without_fallback_a_backend_that_is_gone_is_an_error() {
    let web = named("web");
    let gone = wire::free_address();
    let split = unchecked(
        &format!("web={}*0,new={gone}*1", web.address),
        &["--fallback=false"],
    );
    assert_eq!(wire::get(split.address(), "/").status, 502);
    assert!(web.received().is_empty());
    wait_until("it is counted", || requests(&split, "new", "5xx") == Some(1.0));
}

#[test]
fn responses_name_their_backend_only_where_told_so() {
    let web = named("web");
    let shown = unchecked(&format!("prod={}", web.address), &["--reveal=true"]);
    let answer = wire::get(shown.address(), "/");
    assert_eq!(answer.header("x-motif-backend"), Some("prod"));
    let hidden = unchecked(&format!("prod={}", web.address), &[]);
    assert_eq!(wire::get(hidden.address(), "/").header("x-motif-backend"), None);
    let line = hidden.wait_for("request", |_| true);
    assert_eq!((&line["block"], &line["name"]), (&"split".into(), &"prod".into()));
}

#[test]
fn it_is_ready_while_the_first_backend_is() {
    let web = Running::echo(&[]);
    let new = named("new");
    wire::request(web.admin(), "POST", "/unready", "", b"");
    let backends = format!("--backends=web={},new={}", web.address(), new.address);
    let split = Running::start(
        &[
            "split",
            "--listen=127.0.0.1:0",
            "--admin=127.0.0.1:0",
            "--check=http/readyz",
            "--check-every=50ms",
            &backends,
        ],
        &[],
    );
    split.wait_for("backend ready", |event| {
        event["backend"] == new.address.to_string()
    });
    let told = wire::get(split.admin(), "/readyz");
    assert_eq!(told.status, 503);
    assert_eq!(told.text(), format!("web: {} is not ready\n", web.address()));
    wire::request(web.admin(), "POST", "/ready", "", b"");
    split.wait_until_ready();
    assert_eq!(split.terminate(), Some(0));
}

#[test]
fn nginx_behind_it_serves_what_it_serves() {
    let page: Vec<u8> = (0..300_000_u32).map(|place| (place % 251) as u8).collect();
    let web = Nginx::start(&[("page", &page)]);
    let new = Nginx::start(&[("page", &page)]);
    let split = unchecked(&format!("web={},new={}", web.address, new.address), &[]);
    let mut client = Client::connect(split.address());
    for _ in 0..20 {
        let answer = client.request("GET", "/page", "", b"").unwrap();
        assert_eq!(answer.status, 200);
        assert!(answer.body == page);
        assert_eq!(client.request("GET", "/none", "", b"").unwrap().status, 404);
    }
}

#[test]
fn what_makes_no_sense_is_one_line() {
    for (flags, expect) in [
        (&["--backends=a:1*0"][..], "every backend's weight is 0"),
        (&["--backends=a:1", "--sticky=client"], "`header:NAME`"),
        (&["--backends=a"], "`HOST:PORT`"),
        (&[], "--backends"),
    ] {
        let mut words = vec!["split"];
        words.extend(flags);
        let ended = refused(&words);
        assert_eq!(ended.code, Some(2), "{flags:?}");
        assert!(ended.stderr.contains(expect), "{flags:?}: {}", ended.stderr);
    }
}
