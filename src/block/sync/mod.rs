//! `motif block sync`: keeps a folder equal to a source, version by whole version.

mod client;
mod failure;
mod folder;
mod git;
mod notification;
mod settings;
mod store;
mod tree;
mod validate;

use std::path::PathBuf;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Context;
use hyper::Request;
use hyper::body::Incoming;
use hyper::header::{ETAG, HeaderValue, IF_NONE_MATCH};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use serde_json::json;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep_until, timeout};

use super::catalogue::{Block, Error, Outcome};
use super::server::serve;
use super::signal::Termination;
use super::{admin, listen, log, runtime};
use client::{Address, Client, collect};
use failure::{Failure, Kind};
use notification::Notification;
use settings::Source;
use store::Store;
use tree::{Entry, Tree};

pub use settings::Flags as Sync;

/// Time until a notification that was not accepted is sent again.
const AGAIN: Duration = Duration::from_secs(1);

type Labels = Vec<(&'static str, String)>;

impl Block for Sync {
    fn run(self) -> Result<Outcome, Error> {
        log::start("sync");
        let outcome = runtime::parallel()?.block_on(run(self));
        log::flush();
        outcome
    }
}

async fn run(settings: Sync) -> Result<Outcome, Error> {
    let source = settings.source()?;
    let client = settings.client(&source)?;
    let mut termination = Termination::listen()?;
    let store = Store::open(&settings.target, settings.keep(), settings.limits())?;
    let mut registry = Registry::default();
    let metrics = Metrics::register(&mut registry);
    let standing = Arc::new(Mutex::new(Standing::default()));
    let mut syncing = Syncing {
        source,
        client,
        store: Arc::new(store),
        standing: Arc::clone(&standing),
        metrics,
        published: None,
        seen: Seen::default(),
        pending: false,
        unaccepted: None,
        settings,
    };
    if syncing.settings.once {
        return tokio::select! {
            signal = termination.wait() => Err(Error::Failed(anyhow::anyhow!("ended by {signal}"))),
            outcome = syncing.once() => outcome,
        };
    }
    let side = listen::bind(syncing.settings.admin)?;
    let address = side
        .local_addr()
        .context("failed to read the listening address")?;
    let (end, ending) = oneshot::channel::<()>();
    let registry = Arc::new(registry);
    let answer = move |request: Request<Incoming>, _| {
        let readiness = || lock(&standing).readiness();
        let reply = admin::answer(request.method(), request.uri().path(), &registry, readiness);
        async move { reply }
    };
    let told = async {
        // A sender that is gone means the same.
        let _ = ending.await;
    };
    let side = tokio::spawn(serve(side, answer, told, Duration::ZERO));
    log::info(
        "listening",
        json!({
            "address": address.to_string(), "admin": address.to_string(),
            "target": syncing.settings.target.display().to_string(),
        }),
    );
    let signal = tokio::select! {
        signal = termination.wait() => signal,
        never = syncing.forever() => match never {},
    };
    log::info("stopping", json!({ "signal": signal }));
    let _ = end.send(());
    let _ = side.await;
    Ok(Outcome::Done)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What the admin port says.
#[derive(Debug, Default)]
struct Standing {
    has_version: bool,
    /// Why the last look failed.
    reason: Option<String>,
}

impl Standing {
    fn readiness(&self) -> admin::Readiness {
        match &self.reason {
            _ if self.has_version => Ok(()),
            Some(reason) => Err(format!("there is no version yet: {reason}")),
            None => Err("there is no version yet".to_owned()),
        }
    }
}

#[derive(Debug)]
struct Metrics {
    looks: Family<Labels, Counter>,
    failures: Family<Labels, Counter>,
    notifications: Family<Labels, Counter>,
    success: Gauge<f64, AtomicU64>,
    version: Family<Labels, Gauge>,
}

impl Metrics {
    fn register(registry: &mut Registry) -> Self {
        let metrics = Self {
            looks: Family::default(),
            failures: Family::default(),
            notifications: Family::default(),
            success: Gauge::default(),
            version: Family::default(),
        };
        registry.register(
            "motif_sync_looks",
            "Looks at the source, by what came of them",
            metrics.looks.clone(),
        );
        registry.register(
            "motif_sync_failures",
            "Looks that failed, by reason",
            metrics.failures.clone(),
        );
        registry.register(
            "motif_sync_notifications",
            "Notifications, by whether they were accepted",
            metrics.notifications.clone(),
        );
        registry.register(
            "motif_sync_last_success_timestamp_seconds",
            "When the target was last found or made equal to the source",
            metrics.success.clone(),
        );
        registry.register(
            "motif_sync_version",
            "1, with the digest of the current version and the commit it came from",
            metrics.version.clone(),
        );
        for result in ["changed", "unchanged", "failed"] {
            drop(metrics.looks.get_or_create(&vec![("result", result.to_owned())]));
        }
        for kind in Kind::ALL {
            let labels = vec![("reason", kind.name().to_owned())];
            drop(metrics.failures.get_or_create(&labels));
        }
        metrics
    }

    fn looked(&self, result: &str) {
        self.looks
            .get_or_create(&vec![("result", result.to_owned())])
            .inc();
    }

    fn succeeded(&self) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        self.success.set(now.as_secs_f64());
    }

    fn set_version(&self, digest: &str, revision: Option<&str>) {
        self.version.clear();
        let labels = vec![
            ("digest", digest.to_owned()),
            ("revision", revision.unwrap_or_default().to_owned()),
        ];
        self.version.get_or_create(&labels).set(1);
    }
}

/// How the source shows that it is what it was.
#[derive(Debug, Clone, Default)]
struct Seen {
    /// `ETag` of a file by HTTP. Its date is of no use: two contents may have one second.
    tag: Option<HeaderValue>,
    /// Commit of a repository.
    revision: Option<String>,
}

struct Syncing {
    settings: Sync,
    source: Source,
    client: Client,
    store: Arc<Store>,
    standing: Arc<Mutex<Standing>>,
    metrics: Metrics,
    /// The digest of the current version.
    published: Option<String>,
    /// What the source was when the current version came from it.
    seen: Seen,
    /// Whether a change waits for its notification to be accepted.
    pending: bool,
    /// Why the notification was not accepted.
    unaccepted: Option<String>,
}

enum Never {}

impl Syncing {
    async fn once(&mut self) -> Result<Outcome, Error> {
        self.resume().await;
        let looked = self.look().await;
        looked.context("the target is not equal to the source")?;
        if self.pending {
            self.tell().await;
        }
        // The next start tells again.
        Ok(Outcome::Done)
    }

    async fn forever(&mut self) -> Never {
        self.resume().await;
        let mut next_look = Instant::now();
        let mut next_tell = Instant::now();
        loop {
            let wake = if self.pending {
                next_look.min(next_tell)
            } else {
                next_look
            };
            sleep_until(wake).await;
            let mut is_due = Instant::now() >= next_tell;
            if Instant::now() >= next_look {
                let is_changed = matches!(self.look().await, Ok(true));
                is_due |= is_changed;
                next_look = Instant::now() + self.settings.interval;
            }
            if self.pending && is_due {
                self.tell().await;
                next_tell = Instant::now() + AGAIN;
            }
        }
    }

    /// Takes up what an earlier process left.
    async fn resume(&mut self) {
        let store = Arc::clone(&self.store);
        let found = tokio::task::spawn_blocking(move || (store.published(), store.is_pending())).await;
        let (published, is_pending) = found.unwrap_or_default();
        self.pending = is_pending && self.settings.notify != Notification::None;
        if let Some(digest) = &published {
            self.metrics.set_version(digest, None);
            lock(&self.standing).has_version = true;
            log::info("found a version", json!({ "version": digest }));
        }
        self.published = published;
    }

    /// Looks at the source once; says whether there is a new version.
    async fn look(&mut self) -> Result<bool, Failure> {
        let result = self.attempt().await;
        let mut standing = lock(&self.standing);
        match &result {
            Ok(is_changed) => {
                self.metrics
                    .looked(if *is_changed { "changed" } else { "unchanged" });
                self.metrics.succeeded();
                standing.has_version = true;
                if standing.reason.take().is_some() && !is_changed {
                    log::info("the source is as before", json!({ "version": self.published }));
                }
            }
            Err(failure) => {
                self.metrics.looked("failed");
                self.metrics
                    .failures
                    .get_or_create(&vec![("reason", failure.kind.name().to_owned())])
                    .inc();
                if standing.reason.as_ref() != Some(&failure.reason) {
                    log::warning(
                        "not synced",
                        json!({ "kind": failure.kind.name(), "reason": failure.reason, "version": self.published }),
                    );
                    standing.reason = Some(failure.reason.clone());
                }
            }
        }
        drop(standing);
        result
    }

    async fn attempt(&mut self) -> Result<bool, Failure> {
        let limit = self.settings.timeout;
        let fetched = timeout(limit, self.fetch()).await.map_err(|_| {
            Failure::new(
                Kind::Timeout,
                format!("the source takes longer than {} ms", limit.as_millis()),
            )
        })??;
        let Some((tree, seen)) = fetched else {
            return Ok(false);
        };
        let every_file = matches!(self.source, Source::Http { .. });
        let is_json = self.settings.validate_json;
        let (tree, digest) = blocking(move || {
            if is_json {
                tree.check_json(every_file)?;
            }
            let digest = tree.digest();
            Ok((tree, digest))
        })
        .await?;
        if self.published.as_ref() == Some(&digest) {
            self.seen = seen;
            self.metrics.set_version(&digest, self.seen.revision.as_deref());
            return Ok(false);
        }
        self.publish(tree, digest.clone()).await?;
        self.seen = seen;
        self.metrics.set_version(&digest, self.seen.revision.as_deref());
        log::info(
            "new version",
            json!({ "version": digest, "before": self.published, "revision": self.seen.revision }),
        );
        self.published = Some(digest);
        Ok(true)
    }

    async fn publish(&mut self, tree: Tree, digest: String) -> Result<(), Failure> {
        let store = Arc::clone(&self.store);
        let prepared = blocking({
            let digest = digest.clone();
            move || store.prepare(&tree, &digest)
        })
        .await?;
        let words = &self.settings.validate;
        let is_valid = validate::validate(words, &prepared.path, self.settings.timeout).await;
        let is_change = self.published.is_some() && self.settings.notify != Notification::None;
        let has_validated = !words.is_empty();
        let pending = self.pending || is_change;
        let store = Arc::clone(&self.store);
        blocking(move || {
            let result = is_valid.and_then(|()| {
                if has_validated && !store.is_intact(&prepared, &digest) {
                    return Err(Failure::invalid("the validation changed the content"));
                }
                store.publish(&prepared, pending)
            });
            if result.is_err() {
                prepared.reject();
            }
            result
        })
        .await?;
        self.pending = pending;
        Ok(())
    }

    /// What the source is now, and how it would show that it is still that; nothing if it shows so already.
    async fn fetch(&self) -> Result<Option<(Tree, Seen)>, Failure> {
        match &self.source {
            Source::Folder(path) => {
                let (path, limits) = (PathBuf::clone(path), self.settings.limits());
                let known = self.published.clone();
                let tree = blocking(move || folder::read_settled(&path, limits, known.as_deref())).await?;
                Ok(Some((tree, Seen::default())))
            }
            Source::Http { address, name } => self.fetch_file(address, name).await,
            Source::Git {
                repository,
                reference,
            } => {
                let known = self.seen.revision.as_deref().filter(|_| self.published.is_some());
                let limits = self.settings.limits();
                let fetched = git::fetch(&self.client, repository, reference, known, limits).await?;
                Ok(fetched.map(|(revision, tree)| {
                    let revision = Some(revision);
                    (
                        tree,
                        Seen {
                            revision,
                            ..Seen::default()
                        },
                    )
                }))
            }
        }
    }

    async fn fetch_file(&self, address: &Address, name: &str) -> Result<Option<(Tree, Seen)>, Failure> {
        let mut headers = Vec::new();
        if let Some(tag) = &self.seen.tag {
            headers.push((IF_NONE_MATCH, tag.clone()));
        }
        let is_conditional = !headers.is_empty();
        let (_, response) = self.client.get(address, &headers).await?;
        let status = response.status();
        if status.as_u16() == 304 && is_conditional {
            return Ok(None);
        }
        if status.as_u16() != 200 {
            return Err(Failure::source(format!("`{address}` answers {status}")));
        }
        let seen = Seen {
            tag: response.headers().get(ETAG).cloned(),
            revision: None,
        };
        let content = collect(response, self.settings.limits().bytes).await?;
        if content.is_empty() {
            return Err(Failure::invalid("the file is empty"));
        }
        let mut tree = Tree::new(self.settings.limits());
        let file = Entry::File {
            content,
            executable: false,
        };
        tree.add(name.as_bytes().to_vec(), file)?;
        Ok(Some((tree, seen)))
    }

    async fn tell(&mut self) {
        let version = self.published.clone().unwrap_or_default();
        let telling = self
            .settings
            .notify
            .tell(&self.client, &self.settings.target, &version);
        let told = match timeout(self.settings.timeout, telling).await {
            Ok(told) => told,
            Err(_) => Err(format!(
                "it takes longer than {} ms",
                self.settings.timeout.as_millis()
            )),
        };
        let accepted = told.is_ok().to_string();
        self.metrics
            .notifications
            .get_or_create(&vec![("accepted", accepted)])
            .inc();
        match told {
            Ok(()) => {
                self.store.settle();
                self.pending = false;
                self.unaccepted = None;
                log::info("notified", json!({ "version": version }));
            }
            Err(reason) => {
                if self.unaccepted.as_ref() != Some(&reason) {
                    log::warning("not notified", json!({ "version": version, "reason": reason }));
                    self.unaccepted = Some(reason);
                }
            }
        }
    }
}

/// Does what waits for the disk, or computes for long, on a thread of its own.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => Err(Failure::new(Kind::Target, error.to_string())),
    }
}
