//! `motif block http-echo`: a demo application that answers with what it was asked, and misbehaves on request.

mod files;
mod repository;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use clap::{CommandFactory, Parser};
use http_body_util::{BodyExt, Limited};
use hyper::body::{Body, Incoming};
use hyper::header::{ACCEPT, CONTENT_ENCODING, CONTENT_TYPE, HeaderValue, REFERER, USER_AGENT};
use hyper::{Method, Request, StatusCode};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use serde_json::{Map, Value, json};

use super::catalogue::{Block, Error, Outcome};
use super::pair::Pair;
use super::server::{Reply, text};
use super::{access_log, admin, duration, listen, log, runtime, size};
use access_log::{AccessLog, Request as Logged};

/// The part of a request's body that is read; the rest is refused.
const MAXIMUM_BODY: usize = 16 * 1024 * 1024;
/// The part of a request's body that is sent back.
const ECHOED_BODY: usize = 8 * 1024;

/// Answer with host name, request and parameters: a demo application
///
/// Answers every path with JSON, or with text where the client prefers it. `/livez` and `/readyz` answer probes, on
/// this port too. A request may ask for its own latency and status: `/any?latency=200ms&status=503`.
/// `POST /unready` and `POST /ready` on the admin port turn readiness off and on.
/// With `--serve`, `/files/PATH` answers with a file of a folder, and `/files.git` is the folder as a Git repository
/// of one commit, to be read only.
#[derive(Debug, Clone, Parser)]
#[command(name = "http-echo", max_term_width = 100)]
pub struct HttpEcho {
    /// Address and port to serve on
    #[arg(long, env = "MOTIF_LISTEN", value_name = "ADDRESS", default_value = "0.0.0.0:8080", value_parser = listen::parse)]
    listen: SocketAddr,
    /// Address and port of /livez, /readyz and /metrics
    #[arg(long, env = "MOTIF_ADMIN", value_name = "ADDRESS", default_value = "0.0.0.0:9900", value_parser = listen::parse)]
    admin: SocketAddr,
    /// Text that every answer carries
    #[arg(long, env = "MOTIF_MESSAGE", value_name = "TEXT", default_value = "hello")]
    message: String,
    /// Time that every answer takes
    #[arg(long, env = "MOTIF_LATENCY", value_name = "DURATION", default_value = "0ms", value_parser = duration::parse)]
    latency: Duration,
    /// Part of the answers that fail with 500, from 0 to 1
    #[arg(long, env = "MOTIF_ERROR_RATE", value_name = "FRACTION", default_value = "0", value_parser = fraction)]
    error_rate: f64,
    /// Time after the start in which it is alive, but not ready, and answers 503
    #[arg(long, env = "MOTIF_STARTUP_DELAY", value_name = "DURATION", default_value = "0ms", value_parser = duration::parse)]
    startup_delay: Duration,
    /// Ready only while this file exists
    #[arg(long, env = "MOTIF_READY_FILE", value_name = "PATH")]
    ready_file: Option<PathBuf>,
    /// Folder whose files are answered below /files/; of a file at most 16Mi
    #[arg(long, env = "MOTIF_SERVE", value_name = "PATH")]
    serve: Option<PathBuf>,
    /// Whether every request is logged
    #[arg(long, env = "MOTIF_ACCESS_LOG", value_name = "BOOLEAN", default_value = "true", action = clap::ArgAction::Set, value_parser = clap::builder::BoolishValueParser::new())]
    access_log: bool,
    /// File that every request is appended to, in the combined format of access logs
    #[arg(long, env = "MOTIF_LOG_FILE", value_name = "PATH")]
    log_file: Option<PathBuf>,
    /// Size above which the log file is moved to PATH.1, and that to PATH.2, up to PATH.9; 0 is never
    #[arg(long, env = "MOTIF_LOG_SIZE", value_name = "SIZE", default_value = "0", value_parser = size::parse)]
    log_size: u64,
    /// Time that requests in flight have to end after SIGTERM
    #[arg(long, env = "MOTIF_DRAIN", value_name = "DURATION", default_value = "10s", value_parser = duration::parse)]
    drain: Duration,
}

fn fraction(text: &str) -> Result<f64, String> {
    text.parse()
        .ok()
        .filter(|number| (0.0..=1.0).contains(number))
        .ok_or_else(|| format!("`{text}` is not a number from 0 to 1"))
}

impl Block for HttpEcho {
    fn run(self) -> Result<Outcome, Error> {
        log::start("http-echo");
        let outcome = runtime::parallel()?.block_on(run(self));
        log::flush();
        outcome.map(|()| Outcome::Done)
    }
}

/// The application: its settings and what it counts.
struct Echo {
    settings: HttpEcho,
    parameters: Value,
    host: String,
    started: Instant,
    /// Turned by `POST /ready` and `POST /unready`.
    willing: AtomicBool,
    draining: AtomicBool,
    log_file: Option<AccessLog>,
    served: AtomicU64,
    requests: Family<Vec<(&'static str, String)>, Counter>,
    durations: Histogram,
}

async fn run(settings: HttpEcho) -> Result<(), Error> {
    let log_file = settings
        .log_file
        .as_deref()
        .map(|path| AccessLog::open(path, settings.log_size))
        .transpose()?;
    let pair = Pair::bind(settings.listen, settings.admin)?;
    let drain = settings.drain;
    let mut registry = Registry::default();
    let requests = Family::<Vec<(&'static str, String)>, Counter>::default();
    registry.register("motif_requests", "Requests answered, by status", requests.clone());
    let durations = Histogram::new(admin::BOUNDS.map(|bound| Duration::from_micros(bound).as_secs_f64()));
    registry.register(
        "motif_request_duration_seconds",
        "Time from a request's head to its answer",
        durations.clone(),
    );
    let echo = Arc::new(Echo {
        parameters: parameters(&settings),
        settings,
        host: host_name(),
        started: Instant::now(),
        willing: AtomicBool::new(true),
        draining: AtomicBool::new(false),
        log_file,
        served: AtomicU64::new(0),
        requests,
        durations,
    });
    let side = Arc::clone(&echo);
    let administer = move |request: Request<Incoming>, _| {
        let reply = side.administer(&request, &registry);
        async move { reply }
    };
    let main = Arc::clone(&echo);
    let answer = move |request, client| {
        let echo = Arc::clone(&main);
        async move { echo.answer(request, client).await }
    };
    let draining = || echo.draining.store(true, Ordering::Relaxed);
    pair.serve(answer, administer, drain, draining).await;
    log::info(
        "stopped",
        json!({ "served": echo.served.load(Ordering::Relaxed) }),
    );
    Ok(())
}

/// The settings as the help names them.
fn parameters(settings: &HttpEcho) -> Value {
    let mut parameters = Map::new();
    for argument in HttpEcho::command().get_arguments() {
        let Some(variable) = argument.get_env().and_then(|variable| variable.to_str()) else {
            continue;
        };
        let value = match argument.get_id().as_str() {
            "listen" => json!(settings.listen.to_string()),
            "admin" => json!(settings.admin.to_string()),
            "message" => json!(settings.message),
            "latency" => json!(format!("{}ms", settings.latency.as_millis())),
            "error_rate" => json!(settings.error_rate),
            "startup_delay" => json!(format!("{}ms", settings.startup_delay.as_millis())),
            "ready_file" => json!(settings.ready_file),
            "serve" => json!(settings.serve),
            "access_log" => json!(settings.access_log),
            "log_file" => json!(settings.log_file),
            "log_size" => json!(settings.log_size),
            "drain" => json!(format!("{}ms", settings.drain.as_millis())),
            _ => continue,
        };
        parameters.insert(variable.to_owned(), value);
    }
    Value::Object(parameters)
}

fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

impl Echo {
    fn readiness(&self) -> admin::Readiness {
        if self.draining.load(Ordering::Relaxed) {
            return Err("draining".to_owned());
        }
        if self.is_starting() {
            return Err("starting".to_owned());
        }
        if !self.willing.load(Ordering::Relaxed) {
            return Err("told to be unready".to_owned());
        }
        match &self.settings.ready_file {
            Some(path) if !path.exists() => Err(format!("`{}` does not exist", path.display())),
            _ => Ok(()),
        }
    }

    fn is_starting(&self) -> bool {
        self.started.elapsed() < self.settings.startup_delay
    }

    fn administer(&self, request: &Request<Incoming>, registry: &Registry) -> Reply {
        let path = request.uri().path();
        if *request.method() == Method::POST && matches!(path, "/ready" | "/unready") {
            let willing = path == "/ready";
            self.willing.store(willing, Ordering::Relaxed);
            log::info("readiness turned", json!({ "ready": willing }));
            return text(StatusCode::OK, "ok\n");
        }
        admin::answer(request.method(), path, registry, || self.readiness())
    }

    async fn answer(&self, request: Request<Incoming>, client: SocketAddr) -> Reply {
        let started = Instant::now();
        match request.uri().path() {
            "/livez" => return admin::livez(),
            "/readyz" => return admin::readyz(self.readiness()),
            _ => {}
        }
        let method = request.method().clone();
        let target = request
            .uri()
            .path_and_query()
            .map_or_else(|| "/".to_owned(), ToString::to_string);
        let trace = request
            .headers()
            .get("traceparent")
            .map(|value| value.to_str().unwrap_or_default().to_owned());
        let header = |name| {
            request
                .headers()
                .get(name)
                .map(|value: &HeaderValue| value.as_bytes().to_vec())
        };
        let (referer, agent) = (header(REFERER), header(USER_AGENT));
        let version = request.version();
        let reply = self.reply(request, client).await;
        let status = reply.status().as_u16();
        if let Some(file) = &self.log_file {
            file.append(&Logged {
                client: client.ip(),
                line: format!("{method} {target} {version:?}").as_bytes(),
                status,
                bytes: reply.body().size_hint().exact().unwrap_or_default(),
                referer: referer.as_deref(),
                agent: agent.as_deref(),
            });
        }
        self.served.fetch_add(1, Ordering::Relaxed);
        self.requests
            .get_or_create(&vec![("code", status.to_string())])
            .inc();
        self.durations.observe(started.elapsed().as_secs_f64());
        if self.settings.access_log {
            let milliseconds = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
            log::info(
                "request",
                json!({
                    "client": client.to_string(), "method": method.as_str(), "path": target,
                    "status": status, "milliseconds": milliseconds, "trace": trace,
                }),
            );
        }
        reply
    }

    async fn reply(&self, request: Request<Incoming>, client: SocketAddr) -> Reply {
        let query = query(request.uri().query().unwrap_or_default());
        let latency = query
            .get("latency")
            .and_then(|text| duration::parse(text).ok())
            .unwrap_or(self.settings.latency);
        let status = query
            .get("status")
            .and_then(|text| text.parse::<u16>().ok())
            .filter(|code| (200..=599).contains(code))
            .and_then(|code| StatusCode::from_u16(code).ok());
        let plain = request
            .headers()
            .get(ACCEPT)
            .is_some_and(|accept| accept.as_bytes().starts_with(b"text/plain"));
        let (head, body) = request.into_parts();
        let Ok(body) = Limited::new(body, MAXIMUM_BODY).collect().await else {
            return text(StatusCode::PAYLOAD_TOO_LARGE, "the body is larger than 16Mi\n");
        };
        let body = body.to_bytes();
        if !latency.is_zero() {
            tokio::time::sleep(latency).await;
        }
        if self.is_starting() {
            return text(StatusCode::SERVICE_UNAVAILABLE, "starting\n");
        }
        if status.is_none() && self.settings.error_rate > 0.0 && fastrand::f64() < self.settings.error_rate {
            return text(
                StatusCode::INTERNAL_SERVER_ERROR,
                "failed, as the error rate asks\n",
            );
        }
        if let Some(folder) = &self.settings.serve {
            let folder = folder.clone();
            let path = head.uri.path().to_owned();
            let asked = head.method.clone();
            let compressed = head.headers.contains_key(CONTENT_ENCODING);
            let sent = body.clone();
            let find = move || served(&folder, &asked, &path, &sent, compressed);
            match tokio::task::spawn_blocking(find).await {
                Ok(None) => {}
                Ok(Some(mut reply)) => {
                    *reply.status_mut() = status.unwrap_or(reply.status());
                    return reply;
                }
                Err(error) => return text(StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")),
            }
        }
        let mut headers = Map::new();
        for name in head.headers.keys() {
            let values: Vec<_> = head
                .headers
                .get_all(name)
                .iter()
                .map(|value| String::from_utf8_lossy(value.as_bytes()))
                .collect();
            headers.insert(name.to_string(), json!(values.join(", ")));
        }
        let request_line = format!("{} {} {:?}", head.method, head.uri, head.version);
        let status = status.unwrap_or(StatusCode::OK);
        if plain {
            let mut lines = format!(
                "{}\n\nhost: {}\n{request_line}\n",
                self.settings.message, self.host
            );
            for (name, value) in &headers {
                let _ = writeln!(lines, "{name}: {}", value.as_str().unwrap_or_default());
            }
            return text(status, lines);
        }
        let echoed = str::from_utf8(&body)
            .ok()
            .filter(|text| text.len() <= ECHOED_BODY);
        let answer = json!({
            "message": self.settings.message, "host": self.host, "client": client.to_string(),
            "request": request_line, "method": head.method.as_str(), "path": head.uri.path(), "query": query,
            "headers": headers, "bytes": body.len(), "body": echoed,
            "parameters": self.parameters,
        });
        let mut reply = text(status, format!("{answer:#}\n"));
        reply
            .headers_mut()
            .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        reply
    }
}

/// What is answered of a folder; nothing where something else is asked for.
fn served(folder: &Path, method: &Method, path: &str, body: &[u8], compressed: bool) -> Option<Reply> {
    let absent = || text(StatusCode::NOT_FOUND, "there is no such file\n");
    if let Some(file) = path.strip_prefix("/files/") {
        let content = files::read(folder, &decode(&file.replace('+', "%2B")));
        return Some(content.map_or_else(absent, |content| text(StatusCode::OK, content)));
    }
    let (kind, answer) = match (path.strip_prefix("/files.git/")?, method) {
        ("info/refs", _) => ("advertisement", Some(repository::greeting())),
        ("git-upload-pack", &Method::POST) if !compressed => {
            let repository = repository::Repository::read(folder);
            ("result", repository.and_then(|read| read.answer(body)))
        }
        _ => return Some(absent()),
    };
    let Some(answer) = answer else {
        return Some(absent());
    };
    let mut reply = text(StatusCode::OK, answer);
    if let Ok(kind) = HeaderValue::try_from(format!("application/x-git-upload-pack-{kind}")) {
        reply.headers_mut().insert(CONTENT_TYPE, kind);
    }
    Some(reply)
}

/// A query's keys and values, percent-decoded; the last of equal keys wins.
pub fn query(text: &str) -> BTreeMap<String, String> {
    text.split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(key), decode(value))
        })
        .collect()
}

fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let hex = after
            .get(..2)
            .and_then(|pair| str::from_utf8(pair).ok())
            .filter(|_| *first == b'%');
        if let Some(byte) = hex.and_then(|pair| u8::from_str_radix(pair, 16).ok()) {
            bytes.push(byte);
            rest = &after[2..];
        } else {
            bytes.push(if *first == b'+' { b' ' } else { *first });
            rest = after;
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_decoded() {
        let read = query("a=1&b=x%20y+z&&c&a=2&d=%zz%4");
        let read: Vec<_> = read.iter().map(|(key, value)| format!("{key}={value}")).collect();
        assert_eq!(read, ["a=2", "b=x y z", "c=", "d=%zz%4"]);
    }

    #[test]
    fn every_parameter_is_shown() {
        let settings = HttpEcho::try_parse_from(["http-echo"]).unwrap_or_else(|error| panic!("{error}"));
        let shown = parameters(&settings);
        let declared = HttpEcho::command()
            .get_arguments()
            .filter(|argument| argument.get_env().is_some())
            .count();
        assert_eq!(shown.as_object().map(Map::len), Some(declared));
    }
}
