//! `motif block topz`: shows the processes of a pod that shares its process namespace.

mod process;
mod table;

use std::collections::BTreeMap;
use std::io::Read;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::builder::BoolishValueParser;
use clap::{ArgAction, Parser};
use hyper::body::Incoming;
use hyper::header::{ACCEPT, CONTENT_TYPE, HeaderValue};
use hyper::{Method, Request, StatusCode};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use serde_json::json;
use tokio::sync::watch;

use self::process::{Stat, TICKS};
use self::table::{Row, Sort};
use super::catalogue::{Block, Error, Outcome};
use super::pair::Pair;
use super::server::{Reply, text};
use super::{admin, duration, listen, log, runtime};

/// The part of a file in `/proc` that is read: a command line may be megabytes long.
const MOST: u64 = 4 * 1024;
/// Processes that are shown at most.
const MOST_PROCESSES: usize = 10_000;

/// Show the processes of the pod: CPU, memory, age, command line
///
/// Sees what shares its process namespace. Answers `GET` with a table, or with JSON by `?format=json` or where the client
/// prefers it; `?sort=cpu`, `?sort=mem` and `?sort=pid` order it. CPU% is of one core, over the last window. What
/// follows a flag that names a password, a secret, a token, a key or credentials is shown as `***`, and so is what an
/// `Authorization` header says; environments are never shown.
#[derive(Debug, Parser)]
#[command(name = "topz", max_term_width = 100)]
pub struct Topz {
    /// Address and port to listen on
    #[arg(long, env = "MOTIF_LISTEN", value_name = "ADDRESS", default_value = "0.0.0.0:8080", value_parser = listen::parse)]
    listen: SocketAddr,
    /// Address and port of /livez, /readyz and /metrics
    #[arg(long, env = "MOTIF_ADMIN", value_name = "ADDRESS", default_value = "0.0.0.0:9912", value_parser = listen::parse)]
    admin: SocketAddr,
    /// Path that shows the processes
    #[arg(long, env = "MOTIF_PATH", value_name = "PATH", default_value = "/topz")]
    path: String,
    /// Time over which CPU% is taken
    #[arg(long, env = "MOTIF_WINDOW", value_name = "DURATION", default_value = "1s", value_parser = duration::parse_positive)]
    window: Duration,
    /// Whether arguments are shown; if not, only names of programs
    #[arg(long, env = "MOTIF_ARGUMENTS", value_name = "BOOLEAN", default_value = "true", action = ArgAction::Set, value_parser = BoolishValueParser::new())]
    arguments: bool,
    /// Time that requests in flight have to end after SIGTERM
    #[arg(long, env = "MOTIF_DRAIN", value_name = "DURATION", default_value = "10s", value_parser = duration::parse)]
    drain: Duration,
}

impl Block for Topz {
    fn run(self) -> Result<Outcome, Error> {
        log::start("topz");
        let outcome = runtime::parallel()?.block_on(run(self));
        log::flush();
        outcome.map(|()| Outcome::Done)
    }
}

/// The processes as they were at one moment.
#[derive(Debug, Default)]
struct Sample {
    rows: Vec<Row>,
    /// A window is over.
    is_whole: bool,
}

/// What requests share.
struct Shown {
    path: String,
    window: Duration,
    sample: watch::Receiver<Arc<Sample>>,
    draining: AtomicBool,
    requests: Family<Vec<(&'static str, String)>, Counter>,
}

async fn run(settings: Topz) -> Result<(), Error> {
    let is_path = settings.path.starts_with('/')
        && settings
            .path
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && byte != b'?');
    if !is_path {
        return Err(Error::configuration(format!(
            "`--path`: `{}` is not a path",
            settings.path
        )));
    }
    let pair = Pair::bind(settings.listen, settings.admin)?;
    let mut registry = Registry::default();
    let requests = Family::<Vec<(&'static str, String)>, Counter>::default();
    registry.register("motif_requests", "Requests answered, by status", requests.clone());
    let processes = Gauge::default();
    registry.register("motif_processes", "Processes that are seen", processes.clone());
    let (samples, sample) = watch::channel(Arc::default());
    let (window, arguments) = (settings.window, settings.arguments);
    std::thread::Builder::new()
        .name("sampler".to_owned())
        .spawn(move || keep_sampling(window, arguments, &samples, &processes))
        .context("failed to start the sampler")?;
    let shown = Arc::new(Shown {
        path: settings.path,
        window,
        sample,
        draining: AtomicBool::new(false),
        requests,
    });
    let side = Arc::clone(&shown);
    let administer = move |request: Request<Incoming>, _| {
        let path = request.uri().path();
        let reply = admin::answer(request.method(), path, &registry, || side.readiness());
        async move { reply }
    };
    let main = Arc::clone(&shown);
    let answer = move |request: Request<Incoming>, _| {
        let reply = main.answer(&request);
        let code = reply.status().as_u16().to_string();
        main.requests.get_or_create(&vec![("code", code)]).inc();
        async move { reply }
    };
    let draining = || shown.draining.store(true, Ordering::Relaxed);
    pair.serve(answer, administer, settings.drain, draining).await;
    log::info("stopped", json!({}));
    Ok(())
}

impl Shown {
    fn readiness(&self) -> admin::Readiness {
        if self.draining.load(Ordering::Relaxed) {
            return Err("draining".to_owned());
        }
        if !self.sample.borrow().is_whole {
            return Err("the first window is not over".to_owned());
        }
        Ok(())
    }

    fn answer(&self, request: &Request<Incoming>) -> Reply {
        if request.uri().path() != self.path {
            return text(StatusCode::NOT_FOUND, format!("there is {}\n", self.path));
        }
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return text(StatusCode::METHOD_NOT_ALLOWED, "only GET\n");
        }
        let accepts_json = request
            .headers()
            .get(ACCEPT)
            .is_some_and(|accept| accept.as_bytes().starts_with(b"application/json"));
        let asked = match Asked::parse(request.uri().query().unwrap_or_default(), accepts_json) {
            Ok(asked) => asked,
            Err(reason) => return text(StatusCode::BAD_REQUEST, format!("{reason}\n")),
        };
        let mut rows = self.sample.borrow().rows.clone();
        table::sort(&mut rows, asked.sort);
        if !asked.is_json {
            return text(StatusCode::OK, table::table(&rows));
        }
        let body = json!({ "window": self.window.as_secs_f64(), "processes": table::processes(&rows) });
        let mut reply = text(StatusCode::OK, format!("{body:#}\n"));
        reply
            .headers_mut()
            .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        reply
    }
}

/// What a request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Asked {
    is_json: bool,
    sort: Sort,
}

impl Asked {
    fn parse(query: &str, accepts_json: bool) -> Result<Self, String> {
        let mut asked = Self {
            is_json: accepts_json,
            sort: Sort::Pid,
        };
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            match pair {
                "format=json" => asked.is_json = true,
                "format=text" => asked.is_json = false,
                "sort=pid" => asked.sort = Sort::Pid,
                "sort=cpu" => asked.sort = Sort::Cpu,
                "sort=mem" => asked.sort = Sort::Memory,
                _ => return Err("there are format=text|json and sort=pid|cpu|mem".to_owned()),
            }
        }
        Ok(asked)
    }
}

/// A process that keeps its number may be another one: its start counts too.
type Identity = (u32, u64);

fn keep_sampling(window: Duration, arguments: bool, samples: &watch::Sender<Arc<Sample>>, processes: &Gauge) {
    let mut before: Option<(Instant, BTreeMap<Identity, u64>)> = None;
    loop {
        let now = Instant::now();
        let mut used = BTreeMap::new();
        let mut rows = Vec::new();
        for (stat, mut row) in read_all(Path::new("/proc"), arguments) {
            let identity = (row.pid, stat.started);
            row.cpu = before.as_ref().map(|(then, known)| {
                // Who was not there before has used all of it since.
                let ticks = stat
                    .ticks
                    .saturating_sub(known.get(&identity).copied().unwrap_or(0));
                share(ticks, now.duration_since(*then))
            });
            used.insert(identity, stat.ticks);
            rows.push(row);
        }
        processes.set(i64::try_from(rows.len()).unwrap_or(i64::MAX));
        let is_whole = before.is_some();
        if samples.send(Arc::new(Sample { rows, is_whole })).is_err() {
            return;
        }
        before = Some((now, used));
        std::thread::sleep(window);
    }
}

/// CPU time in percent of a time.
fn share(ticks: u64, time: Duration) -> f64 {
    let used = f64::from(u32::try_from(ticks).unwrap_or(u32::MAX)) / f64::from(TICKS);
    if time.is_zero() {
        0.0
    } else {
        100.0 * used / time.as_secs_f64()
    }
}

/// Every process that can be read; one that ends meanwhile is left out.
fn read_all(root: &Path, arguments: bool) -> Vec<(Stat, Row)> {
    let text = |path: &Path| read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    let uptime = text(&root.join("uptime")).and_then(|text| process::uptime(&text));
    let total = text(&root.join("meminfo")).map_or(0, |text| process::total_memory(&text));
    let folders = std::fs::read_dir(root).into_iter().flatten().flatten();
    let numbers = folders.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let rows = numbers.filter_map(|pid| {
        let folder = root.join(pid.to_string());
        let stat = process::stat(&text(&folder.join("stat"))?)?;
        let resident = process::resident(&text(&folder.join("status"))?);
        let words = process::arguments(&read(&folder.join("cmdline"))?);
        let row = Row {
            pid,
            name: stat.name.clone(),
            arguments: if arguments {
                process::hide(&words)
            } else {
                Vec::new()
            },
            cpu: None,
            memory: percent(resident, total),
            resident,
            age: uptime.unwrap_or(0).saturating_sub(stat.started),
        };
        Some((stat, row))
    });
    rows.take(MOST_PROCESSES).collect()
}

fn percent(part: u64, whole: u64) -> f64 {
    let number = |number: u64| f64::from(u32::try_from(number).unwrap_or(u32::MAX));
    if whole == 0 {
        0.0
    } else {
        100.0 * number(part) / number(whole)
    }
}

fn read(path: &Path) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).ok()?;
    file.take(MOST).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_say_form_and_order() {
        let check = |query: &str, accepts_json: bool, expect: Option<(bool, Sort)>| {
            let read = Asked::parse(query, accepts_json).ok();
            assert_eq!(read.map(|asked| (asked.is_json, asked.sort)), expect, "{query}");
        };
        check("", false, Some((false, Sort::Pid)));
        check("", true, Some((true, Sort::Pid)));
        check("format=text&sort=cpu", true, Some((false, Sort::Cpu)));
        check("sort=mem&format=json", false, Some((true, Sort::Memory)));
        check("sort=name", false, None);
        check("sort", false, None);
    }

    #[test]
    fn a_share_is_of_one_core() {
        assert!((share(50, Duration::from_secs(1)) - 50.0).abs() < 1e-9);
        assert!((share(400, Duration::from_secs(2)) - 200.0).abs() < 1e-9);
        assert!(share(5, Duration::ZERO).abs() < 1e-9);
    }

    #[test]
    fn one_that_ends_while_it_is_read_is_left_out() {
        let root = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = root.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write("uptime", "100.00 5.0\n");
        write("meminfo", "MemTotal: 1000 kB\n");
        write("self/stat", "1 (no process) S");
        let stat = "S 1 1 1 0 -1 0 1 2 3 4 150 50 0 0 20 0 1 0 4000 1 1";
        write("7/stat", &format!("7 (whole) {stat}"));
        write("7/status", "VmRSS: 250 kB\n");
        write("7/cmdline", "whole\0--token=x\0");
        write("8/stat", &format!("8 (half) {stat}"));
        std::fs::create_dir(root.path().join("9")).unwrap();
        let read = read_all(root.path(), true);
        assert_eq!(read.len(), 1, "{read:?}");
        let (stat, row) = &read[0];
        assert_eq!((row.pid, row.name.as_str(), stat.ticks), (7, "whole", 200));
        assert_eq!(row.arguments, ["whole", "--token=***"]);
        assert_eq!((row.age, row.resident), (6_000, 250));
        assert!((row.memory - 25.0).abs() < 1e-9);
        let read = read_all(root.path(), false);
        assert!(read[0].1.arguments.is_empty());
    }
}
