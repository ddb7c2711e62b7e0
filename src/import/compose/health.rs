//! Turns a health check into a readiness probe.

use super::text::{duration, milliseconds, words};
use super::{Context, RULES, rules};
use crate::diagnostic::Span;
use crate::import::item::{Item, Map};
use crate::import::record::{Record, text_of};
use crate::yaml::Content;

/// What Compose takes where nothing is written.
const INTERVAL: u64 = 30_000;

/// A request of a probe: its scheme, its port and its path.
type Request = (&'static str, u16, String);

/// A health check, as written.
pub(super) struct Check {
    /// `CMD`, `CMD-SHELL` or `NONE`, and what comes after it; none where nothing is said.
    pub words: Option<Vec<String>>,
    /// Milliseconds between checks.
    pub interval: u64,
    /// Milliseconds that one may take.
    pub timeout: u64,
    /// Failures in a row.
    pub retries: u64,
    path: String,
    pub span: Span,
}

impl Context<'_> {
    /// Reads `healthcheck`; none where there is no check.
    pub(super) fn check(&mut self, record: &mut Record) -> Option<Check> {
        let mut health = record.record("healthcheck", "healthcheck", self.notes)?;
        let disabled = health
            .boolean("disable", self.notes)
            .is_some_and(|found| found.value);
        let (path, span) = (health.at("test"), health.span);
        let test = health.take("test");
        let words: Option<Vec<String>> = test.map(|entry| match &entry.value.content {
            Content::Sequence(items) => items.iter().filter_map(text_of).map(str::to_owned).collect(),
            _ => vec![
                "CMD-SHELL".to_owned(),
                text_of(&entry.value).unwrap_or_default().to_owned(),
            ],
        });
        let words = words.map(|words| {
            let values: Vec<String> = words.iter().map(|word| self.value(word, &path, span)).collect();
            values
        });
        let is_none = disabled
            || words
                .as_deref()
                .is_some_and(|words| words.first().is_some_and(|word| word == "NONE"));
        let [interval, timeout] = ["interval", "timeout"].map(|key| {
            let found = health.text(key, self.notes);
            let value = found.and_then(|found| milliseconds(&self.value(&found.value, &path, found.span)));
            value.filter(|value| *value > 0).unwrap_or(INTERVAL)
        });
        let retries = health.whole("retries", self.notes).map_or(3, |found| found.value);
        health.ignore(&["start_period", "start_interval"]);
        health.ignore_prefix("x-");
        health.rest(RULES, self.notes);
        (!is_none).then_some(Check {
            words,
            interval,
            timeout,
            retries,
            path,
            span,
        })
    }

    /// A health check as a readiness probe.
    pub(super) fn health(&mut self, record: &mut Record) -> Option<Map> {
        let check = self.check(record)?;
        let mut map = Map::default();
        match check.words.as_deref() {
            Some([kind, script]) if kind == "CMD-SHELL" && !script.trim().is_empty() => {
                match shell_request(script) {
                    Some(request) => put_request(&mut map, request),
                    None => map.put("exec", Item::texts(["/bin/sh", "-c", script.as_str()])),
                }
            }
            Some([kind, words @ ..]) if kind == "CMD" && !words.is_empty() => match request(words) {
                Some(request) => put_request(&mut map, request),
                None => map.put("exec", Item::texts(words.to_vec())),
            },
            _ => {
                self.rule(&rules::TEST_KIND, &check.path, check.span);
                return None;
            }
        }
        map.put("every", duration(check.interval));
        map.put("timeout", duration(check.timeout));
        if check.retries != 3 && check.retries > 0 {
            map.put("failures", Item::plain(check.retries));
        }
        Some(map)
    }
}

fn put_request(map: &mut Map, (scheme, port, path): Request) {
    map.put("http", path);
    map.put("port", Item::plain(port));
    if scheme == "https" {
        map.put("scheme", scheme);
    }
}

/// The request that a line of a shell makes, where it makes one and nothing else.
fn shell_request(script: &str) -> Option<Request> {
    let script = ["|| exit 1", "|| exit 2", "|| false"]
        .iter()
        .find_map(|ending| script.trim_end().strip_suffix(ending))
        .unwrap_or(script);
    if script.contains(['|', '&', ';', '$', '`', '<', '>', '\n']) {
        return None;
    }
    request(&words(script))
}

/// The request that `curl` or `wget` makes of this host.
fn request(words: &[String]) -> Option<Request> {
    let (program, arguments) = words.split_first()?;
    let program = program.rsplit('/').next()?;
    if !matches!(program, "curl" | "wget") {
        return None;
    }
    let mut url = None;
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            // Where the answer goes, and how long it may take, is the probe's own affair.
            "-o" | "-O" | "--output" | "--max-time" | "-m" | "-T" | "--timeout" | "--retry"
            | "--connect-timeout" => {
                arguments.next();
            }
            // Others, such as headers or methods, ask for something else.
            "-f"
            | "-s"
            | "-S"
            | "-q"
            | "-L"
            | "-k"
            | "-fs"
            | "-sf"
            | "-fsS"
            | "-sS"
            | "-fsSL"
            | "-nv"
            | "-qO-"
            | "-O-"
            | "-I"
            | "-fsI"
            | "--fail"
            | "--silent"
            | "--show-error"
            | "--spider"
            | "--quiet"
            | "--insecure"
            | "--no-verbose"
            | "--no-check-certificate"
            | "--head"
            | "--tries=1"
            | "--output-document=/dev/null" => {}
            argument if argument.starts_with('-') => return None,
            argument if url.is_none() => url = Some(argument),
            _ => return None,
        }
    }
    let url = url?;
    let (scheme, rest) = match url.split_once("://") {
        Some(("http", rest)) => ("http", rest),
        Some(("https", rest)) => ("https", rest),
        Some(_) => return None,
        None => ("http", url),
    };
    let (host, path) = match rest.find('/') {
        Some(at) => rest.split_at(at),
        None => (rest, "/"),
    };
    let (host, port) = match host.rsplit_once(':') {
        Some((host, port)) => (host, port.parse().ok()?),
        None => (host, if scheme == "https" { 443 } else { 80 }),
    };
    let is_here = matches!(host, "localhost" | "127.0.0.1" | "0.0.0.0" | "[::1]");
    is_here.then(|| (scheme, port, path.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::shell_request;

    #[track_caller]
    fn check(script: &str, expect: Option<(&'static str, u16, &str)>) {
        let expect = expect.map(|(scheme, port, path)| (scheme, port, path.to_owned()));
        assert_eq!(shell_request(script), expect, "{script}");
    }

    #[test]
    fn requests_of_this_host_are_recognised() {
        check(
            "curl -f http://localhost:8080/health || exit 1",
            Some(("http", 8080, "/health")),
        );
        check("wget --spider -q https://127.0.0.1", Some(("https", 443, "/")));
        check("curl -o /dev/null -s localhost", Some(("http", 80, "/")));
        for other in [
            "curl -f http://db:8080/",
            "curl -X POST http://localhost/",
            "curl http://localhost/ | grep ok",
            "pg_isready",
            "curl http://localhost:$PORT/",
            "",
        ] {
            check(other, None);
        }
    }
}
