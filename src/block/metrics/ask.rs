//! Asks the source, once for all who ask at the same time.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};
use serde_json::json;
use tokio::net::UdpSocket;
use tokio::time::sleep;

use super::exposition::{self, Family, Kind, Labels};
use super::settings::{Question, Settings};
use super::statsd::{Store, Tally};
use super::{command, document, redis};
use crate::block::log;
use crate::block::source::{self, LIMIT, Password, plain};

/// The largest packet.
const PACKET: usize = 65_536;

/// What was said, and how long that took.
type Answer = (Result<Vec<Family>, String>, Duration);

/// The source, and what is known of it.
pub struct Asker {
    settings: Settings,
    flight: Mutex<Option<Shared<BoxFuture<'static, Arc<String>>>>>,
    store: Mutex<Store>,
    /// What the command wrote last, and when.
    written: Mutex<Option<(Instant, Answer)>>,
    was_up: Mutex<Option<bool>>,
    pub asked: AtomicU64,
    pub failed: AtomicU64,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Asker {
    pub fn new(settings: Settings) -> Self {
        let series = usize::try_from(settings.flags.series).unwrap_or(usize::MAX);
        Self {
            settings,
            flight: Mutex::default(),
            store: Mutex::new(Store::new(series)),
            written: Mutex::default(),
            was_up: Mutex::default(),
            asked: AtomicU64::default(),
            failed: AtomicU64::default(),
        }
    }

    /// How samples of StatsD fared.
    pub fn tally(&self) -> Tally {
        lock(&self.store).tally
    }

    /// The page for Prometheus. Whoever comes while the source is being asked gets the same.
    pub async fn page(self: &Arc<Self>) -> Arc<String> {
        let flight = {
            let mut flight = lock(&self.flight);
            match &*flight {
                Some(running) if running.peek().is_none() => running.clone(),
                _ => {
                    let this = Arc::clone(self);
                    // A scraper that goes away does not take the answer from the others.
                    let task = tokio::spawn(async move { this.ask().await });
                    let shared = task
                        .map(|page| Arc::new(page.unwrap_or_default()))
                        .boxed()
                        .shared();
                    *flight = Some(shared.clone());
                    shared
                }
            }
        };
        flight.await
    }

    async fn ask(&self) -> String {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let (result, taken) = match &self.settings.question {
            Question::Statsd => {
                let started = Instant::now();
                (Ok(lock(&self.store).families()), started.elapsed())
            }
            Question::Command(_) => self.last_written(),
            Question::Redis | Question::Json(..) => {
                let started = Instant::now();
                let result = source::within(self.settings.flags.timeout, self.ask_now()).await;
                (
                    result.map_err(|error| plain(&format!("{error:#}"))),
                    started.elapsed(),
                )
            }
        };
        self.note(result.as_ref().err());
        self.write(result, taken)
    }

    async fn ask_now(&self) -> anyhow::Result<Vec<Family>> {
        let flags = &self.settings.flags;
        if let Question::Json(address, path) = &self.settings.question {
            let (status, body) = source::http::get(address, path, LIMIT).await?;
            ensure!(status.is_success(), "{status}");
            let document = serde_json::from_slice(&body).context("the answer is no JSON")?;
            return Ok(document::families(&document, &flags.metrics));
        }
        let password = Password::read(flags.password_file.as_deref())?;
        let asked = async {
            let user = flags.user.as_deref();
            let mut connection =
                source::redis::Connection::open(&flags.address, user, password.as_ref(), None).await?;
            connection.call(&["INFO"]).await?.context("redis says nothing")
        };
        let info: anyhow::Result<String> = asked.await;
        info.map(|info| redis::families(&info)).map_err(|error| {
            let text = format!("{error:#}");
            anyhow::Error::msg(password.map_or(text.clone(), |password| password.hide(&text)))
        })
    }

    fn last_written(&self) -> Answer {
        let flags = &self.settings.flags;
        match &*lock(&self.written) {
            None => (Err("the command has not run yet".to_owned()), Duration::ZERO),
            Some((at, _)) if at.elapsed() > flags.interval + flags.timeout => (
                Err("what the command wrote is too old".to_owned()),
                Duration::ZERO,
            ),
            Some((_, answer)) => answer.clone(),
        }
    }

    /// Says when the source goes and comes.
    fn note(&self, failure: Option<&String>) {
        if failure.is_some() {
            self.failed.fetch_add(1, Ordering::Relaxed);
        }
        let is_up = failure.is_none();
        if lock(&self.was_up).replace(is_up) != Some(is_up) {
            match failure {
                None => log::info("source up", json!({})),
                Some(reason) => log::warning("source down", json!({ "reason": reason })),
            }
        }
    }

    fn write(&self, result: Result<Vec<Family>, String>, taken: Duration) -> String {
        let settings = &self.settings;
        let label = Labels::from([("source".to_owned(), settings.flags.source.name().to_owned())]);
        let is_up = result.is_ok();
        let own = [
            Family::new("motif_source_up", Kind::Gauge, "Whether the source answers")
                .with(label.clone(), if is_up { 1.0 } else { 0.0 }),
            Family::new(
                "motif_source_seconds",
                Kind::Gauge,
                "Time that the source took to answer",
            )
            .with(label, taken.as_secs_f64()),
        ];
        let mut families = result.unwrap_or_default();
        if settings.question == Question::Redis {
            families.insert(0, redis::up(is_up));
        }
        families.retain(|family| {
            let name = format!("{}{}", settings.flags.prefix, family.name);
            !own.iter().any(|own| own.name == name)
        });
        let mut text = String::new();
        exposition::append(&mut text, &own, "", &settings.labels);
        exposition::append(&mut text, &families, &settings.flags.prefix, &settings.labels);
        text
    }

    /// Takes what is sent as StatsD, as long as the block runs.
    pub async fn receive(self: Arc<Self>, socket: UdpSocket) {
        let mut packet = vec![0; PACKET];
        loop {
            match socket.recv_from(&mut packet).await {
                Ok((length, _)) => lock(&self.store).take(&packet[..length]),
                Err(_) => sleep(Duration::from_millis(50)).await,
            }
        }
    }

    /// Runs the command again and again.
    pub async fn repeat(self: Arc<Self>) {
        let Question::Command(words) = &self.settings.question else {
            return;
        };
        let flags = &self.settings.flags;
        loop {
            let started = Instant::now();
            let result = command::run(words, flags.timeout).await;
            let answer = result.map_err(|error| plain(&format!("{error:#}")));
            *lock(&self.written) = Some((Instant::now(), (answer, started.elapsed())));
            sleep(flags.interval.saturating_sub(started.elapsed())).await;
        }
    }
}
