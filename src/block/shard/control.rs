//! The thread that decides: accepts clients, asks shards whether they answer, serves the admin port, ends on a signal.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use anyhow::Context;
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Method, Request, StatusCode};
use prometheus_client::registry::Registry;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot, watch};

use super::http;
use super::metrics::Metrics;
use super::ring::tag;
use super::settings::{Protocol, Settings};
use super::shards::Shards;
use super::worker::{Message, Worker};
use crate::block::catalogue::Error;
use crate::block::server::{Reply, text};
use crate::block::signal::Termination;
use crate::block::{admin, http_echo, listen, log, runtime, server};

/// How long to wait after the kernel refused a connection for want of resources.
const RETRY: Duration = Duration::from_millis(50);
/// How long the workers may take beyond the drain.
const GRACE: Duration = Duration::from_millis(500);

/// One worker, as the control thread sees it.
struct Hand {
    messages: mpsc::UnboundedSender<Message>,
    ended: oneshot::Receiver<()>,
}

/// Runs the ambassador until a signal ends it.
pub async fn run(settings: Settings) -> Result<(), Error> {
    let mut termination = Termination::listen()?;
    runtime::raise_file_limit();
    let settings = Arc::new(settings);
    let flags = &settings.flags;
    let main = listen::bind(flags.listen)?;
    let side = listen::bind(flags.admin)?;
    let address = main
        .local_addr()
        .context("failed to read the listening address")?;
    let admin_address = side
        .local_addr()
        .context("failed to read the listening address")?;
    let shards = Shards::new(flags);
    let names: Vec<_> = shards.list.iter().map(|shard| shard.name.clone()).collect();
    log::info(
        "listening",
        json!({
            "address": address.to_string(), "admin": admin_address.to_string(), "shards": names,
            "workers": settings.workers,
        }),
    );
    for place in 0..shards.list.len() {
        tokio::spawn(Arc::clone(&shards).watch(place, flags.clone()));
    }
    let (end, ending) = watch::channel(false);
    let side = tokio::spawn(administer(
        side,
        Arc::clone(&settings),
        Arc::clone(&shards),
        ending,
    ));
    let (stop, stopping) = watch::channel(false);
    let draining = Arc::clone(&shards);
    let signal = async move {
        let signal = termination.wait().await;
        log::info("draining", json!({ "signal": signal }));
        draining.draining.store(true, Ordering::Relaxed);
        let _ = stop.send(true);
    };
    if flags.protocol == Protocol::Http {
        let served = tokio::spawn(http::serve(main, Arc::clone(&settings), shards, stopping));
        signal.await;
        let _ = served.await;
    } else {
        let hands = (0..settings.workers)
            .map(|number| hire(number, Arc::clone(&settings), Arc::clone(&shards)))
            .collect::<Result<Vec<_>, _>>()?;
        let permits = usize::try_from(flags.clients).unwrap_or(usize::MAX);
        let mut turn = 0;
        let hand_over = |stream, permit| {
            shards.connections.fetch_add(1, Ordering::Relaxed);
            turn += 1;
            // A worker that is gone leaves the client without an answer, as the process is ending.
            let _ = hands[turn % hands.len()]
                .messages
                .send(Message::Serve(stream, permit));
        };
        tokio::join!(accept(main, permits, stopping, hand_over), signal);
        drain(hands, flags.drain).await;
    }
    let _ = end.send(true);
    let _ = side.await;
    log::info("stopped", json!({}));
    Ok(())
}

/// Starts a worker.
fn hire(number: usize, settings: Arc<Settings>, shards: Arc<Shards>) -> anyhow::Result<Hand> {
    let (messages, received) = mpsc::unbounded_channel();
    let (end, ended) = oneshot::channel();
    thread::Builder::new()
        .name(format!("worker-{number}"))
        .spawn(move || {
            match runtime::single() {
                Ok(runtime) => {
                    runtime.block_on(async move { Worker::new(settings, shards).run(received).await });
                }
                Err(error) => log::warning("worker not started", json!({ "reason": error.to_string() })),
            }
            let _ = end.send(());
        })
        .context("failed to start a worker")?;
    Ok(Hand { messages, ended })
}

/// Lets the workers end.
async fn drain(hands: Vec<Hand>, time: Duration) {
    for hand in &hands {
        // A worker that is gone has nothing to end.
        let _ = hand.messages.send(Message::Drain);
    }
    let deadline = tokio::time::Instant::now() + time + GRACE;
    for hand in hands {
        // A worker that does not end in time is left behind: the process ends.
        let _ = tokio::time::timeout_at(deadline, hand.ended).await;
    }
}

/// Accepts connections until it is told to stop; then those that the kernel has already made, too.
pub async fn accept(
    listener: TcpListener,
    most: usize,
    mut stopping: watch::Receiver<bool>,
    mut hand_over: impl FnMut(std::net::TcpStream, OwnedSemaphorePermit),
) {
    let permits = Arc::new(Semaphore::new(most.min(Semaphore::MAX_PERMITS)));
    loop {
        let accepted = async {
            let permit = Arc::clone(&permits)
                .acquire_owned()
                .await
                .map_err(std::io::Error::other)?;
            let (stream, _) = listener.accept().await?;
            Ok::<_, std::io::Error>((stream.into_std()?, permit))
        };
        let accepted = tokio::select! {
            accepted = accepted => accepted,
            _ = stopping.wait_for(|told| *told) => break,
        };
        match accepted {
            Ok((stream, permit)) => hand_over(stream, permit),
            Err(error) => {
                log::warning("connection not accepted", json!({ "reason": error.to_string() }));
                tokio::time::sleep(RETRY).await;
            }
        }
    }
    let Ok(listener) = listener.into_std() else { return };
    while let (Ok(permit), Ok((stream, _))) = (Arc::clone(&permits).try_acquire_owned(), listener.accept()) {
        if stream.set_nonblocking(true).is_ok() {
            hand_over(stream, permit);
        }
    }
}

async fn administer(
    listener: TcpListener,
    settings: Arc<Settings>,
    shards: Arc<Shards>,
    mut ending: watch::Receiver<bool>,
) {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Metrics(Arc::clone(&shards))));
    let answer = move |request: Request<Incoming>, _| {
        let reply = match request.uri().path() {
            "/shards" => owner(&request, settings.flags.protocol, &shards),
            path => admin::answer(request.method(), path, &registry, || shards.readiness()),
        };
        async move { reply }
    };
    let told = async move {
        // A sender that is gone means the same.
        let _ = ending.wait_for(|told| *told).await;
    };
    server::serve(listener, answer, told, Duration::ZERO).await;
}

/// Says who owns a key; without one, what is known of every shard.
fn owner(request: &Request<Incoming>, protocol: Protocol, shards: &Shards) -> Reply {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return text(StatusCode::METHOD_NOT_ALLOWED, "only GET\n");
    }
    let query = http_echo::query(request.uri().query().unwrap_or_default());
    let answer = if let Some(key) = query.get("key") {
        let hashed = match protocol {
            Protocol::Redis => tag(key.as_bytes()),
            Protocol::Memcached | Protocol::Http => key.as_bytes(),
        };
        let name = shards.owner(hashed).map(|shard| shards.list[shard].name.as_str());
        json!({ "key": key, "shard": name })
    } else {
        let shown: Vec<_> = shards
            .list
            .iter()
            .map(|shard| {
                json!({
                    "name": shard.name, "weight": shard.weight, "up": shard.is_up(), "left_out": shard.is_out(),
                })
            })
            .collect();
        json!({ "shards": shown })
    };
    let mut reply = text(StatusCode::OK, format!("{answer}\n"));
    reply
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    reply
}
