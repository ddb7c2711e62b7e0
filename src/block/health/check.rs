//! Asks again and again, and knows the last answer and its age.

use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{bail, ensure};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use serde_json::json;
use tokio::time::sleep;

use super::settings::{Query, Settings};
use crate::block::source::{self, Password, mysql, plain, postgresql, redis};
use crate::block::{admin, log};

/// What of an HTTP answer is read.
const BODY: usize = 64 * 1024;

/// A connection that is kept.
enum Connection {
    Redis(redis::Connection),
    PostgreSql(postgresql::Connection),
    MySql(mysql::Connection),
    /// Nothing is kept.
    Http,
}

/// An answer, and when it came.
struct Answer {
    at: Instant,
    result: Result<(), String>,
}

/// The questions and the last answer.
pub struct Checks {
    settings: Settings,
    last: Mutex<Option<Answer>>,
    counts: Family<Vec<(&'static str, &'static str)>, Counter>,
    up: Gauge<f64, AtomicU64>,
    durations: Histogram,
}

impl Checks {
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            last: Mutex::default(),
            counts: Family::default(),
            up: Gauge::default(),
            durations: Histogram::new(admin::BOUNDS.map(|bound| Duration::from_micros(bound).as_secs_f64())),
        }
    }

    pub fn register(&self, registry: &mut Registry) {
        registry.register(
            "motif_health_checks",
            "Queries asked, by result",
            self.counts.clone(),
        );
        registry.register(
            "motif_health_up",
            "Whether the last query was answered as it should be",
            self.up.clone(),
        );
        registry.register(
            "motif_health_duration_seconds",
            "Time that a query took, connecting included",
            self.durations.clone(),
        );
    }

    /// Whether the server answers; if not, why.
    pub fn readiness(&self) -> admin::Readiness {
        let flags = &self.settings.flags;
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        match &*last {
            None => Err("not asked yet".to_owned()),
            Some(answer) => verdict(answer, flags.interval + flags.timeout),
        }
    }

    /// Asks until the block ends.
    pub async fn keep_on(self: Arc<Self>) {
        let mut connection = None;
        loop {
            let started = Instant::now();
            let result = self.ask(&mut connection).await;
            self.durations.observe(started.elapsed().as_secs_f64());
            self.take(result);
            sleep(self.settings.flags.interval.saturating_sub(started.elapsed())).await;
        }
    }

    fn take(&self, result: Result<(), String>) {
        let name = if result.is_ok() { "passed" } else { "failed" };
        self.counts.get_or_create(&vec![("result", name)]).inc();
        self.up.set(if result.is_ok() { 1.0 } else { 0.0 });
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let before = last.as_ref().map(|answer| &answer.result);
        if before != Some(&result) {
            match &result {
                Ok(()) => log::info("source ready", json!({})),
                Err(reason) => log::warning("source not ready", json!({ "reason": reason })),
            }
        }
        *last = Some(Answer {
            at: Instant::now(),
            result,
        });
    }

    async fn ask(&self, kept: &mut Option<Connection>) -> Result<(), String> {
        let flags = &self.settings.flags;
        let password = Password::read(flags.password_file.as_deref()).map_err(|error| line(&error, None))?;
        let was_kept = kept.is_some();
        let asked = source::within(flags.timeout, async {
            // What the server closed meanwhile says nothing about the server.
            match self.query(kept, password.as_ref()).await {
                Err(error) if was_kept && is_broken(&error) => {
                    *kept = None;
                    self.query(kept, password.as_ref()).await
                }
                result => result,
            }
        });
        let result = asked.await;
        match result {
            Ok(value) => self.expected(value.as_deref()),
            Err(error) => {
                *kept = None;
                Err(line(&error, password.as_ref()))
            }
        }
    }

    async fn query(
        &self,
        kept: &mut Option<Connection>,
        password: Option<&Password>,
    ) -> anyhow::Result<Option<String>> {
        // An answer that did not come in time would be taken for the next one's.
        let mut connection = match kept.take() {
            Some(connection) => connection,
            None => self.connect(password).await?,
        };
        let value = match (&mut connection, &self.settings.query) {
            (Connection::Redis(connection), Query::Redis(words)) => {
                let words: Vec<&str> = words.iter().map(String::as_str).collect();
                connection.call(&words).await?
            }
            (Connection::PostgreSql(connection), Query::PostgreSql(sql)) => connection.query(sql).await?,
            (Connection::MySql(connection), Query::MySql(sql)) => connection.query(sql).await?,
            (_, Query::Http(path)) => {
                let (status, body) = source::http::get(&self.settings.flags.address, path, BODY).await?;
                let body = String::from_utf8_lossy(&body).into_owned();
                ensure!(status.is_success(), "{status}: {}", plain(&body));
                Some(body)
            }
            _ => bail!("the connection is of another server"),
        };
        *kept = Some(connection);
        Ok(value)
    }

    async fn connect(&self, password: Option<&Password>) -> anyhow::Result<Connection> {
        let flags = &self.settings.flags;
        let (address, database) = (flags.address.as_str(), flags.database.as_deref());
        let user = flags.user.as_deref();
        Ok(match self.settings.query {
            Query::Redis(_) => {
                Connection::Redis(redis::Connection::open(address, user, password, database).await?)
            }
            Query::PostgreSql(_) => Connection::PostgreSql(
                postgresql::Connection::open(address, user.unwrap_or_default(), password, database).await?,
            ),
            Query::MySql(_) => Connection::MySql(
                mysql::Connection::open(address, user.unwrap_or_default(), password, database).await?,
            ),
            Query::Http(_) => Connection::Http,
        })
    }

    fn expected(&self, value: Option<&str>) -> Result<(), String> {
        let Some(expect) = &self.settings.expect else {
            return Ok(());
        };
        match value {
            Some(value) if expect.is_match(value) => Ok(()),
            Some(value) => Err(format!("the answer is not as expected: `{}`", plain(value))),
            None => Err("the answer holds no value".to_owned()),
        }
    }
}

/// What an answer is worth now.
fn verdict(answer: &Answer, lifetime: Duration) -> admin::Readiness {
    if answer.at.elapsed() > lifetime {
        return Err(format!(
            "the last answer is older than {} ms",
            lifetime.as_millis()
        ));
    }
    answer.result.clone()
}

/// Whether the connection is at fault, and not what was said over it.
fn is_broken(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause.downcast_ref::<std::io::Error>().is_some() || cause.to_string() == "the connection was closed"
    })
}

/// An error as one line without the password.
fn line(error: &anyhow::Error, password: Option<&Password>) -> String {
    let text = plain(&format!("{error:#}"));
    password.map_or(text.clone(), |password| password.hide(&text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_answer_is_none() {
        let answer = |age: u64, result| Answer {
            at: Instant::now().checked_sub(Duration::from_secs(age)).unwrap(),
            result,
        };
        let lifetime = Duration::from_mins(2);
        assert_eq!(verdict(&answer(1, Ok(())), lifetime), Ok(()));
        assert!(verdict(&answer(1, Err("no".to_owned())), lifetime).is_err());
        assert_eq!(
            verdict(&answer(121, Ok(())), lifetime),
            Err("the last answer is older than 120000 ms".to_owned())
        );
    }
}
