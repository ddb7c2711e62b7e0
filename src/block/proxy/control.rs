//! The thread that decides: accepts connections, keeps backends and certificate current, ends on a signal.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::Context;
use futures_util::future::join_all;
use hyper::Request;
use hyper::body::Incoming;
use prometheus_client::registry::Registry;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, mpsc, oneshot, watch};

use super::backend::Backends;
use super::certificate::Certificate;
use super::metrics::{Counts, Metrics};
use super::rotation;
use super::settings::Settings;
use super::worker::{Client, Message, Shared, Worker};
use crate::block::catalogue::Error;
use crate::block::signal::Termination;
use crate::block::{admin, listen, log, runtime, server};

/// How long to wait after the kernel refused a connection for want of resources.
const RETRY: Duration = Duration::from_millis(50);
/// How long the workers may take beyond the drain.
const GRACE: Duration = Duration::from_millis(500);

/// One worker, as the control thread sees it.
struct Hand {
    messages: mpsc::UnboundedSender<Message>,
    ended: oneshot::Receiver<()>,
    counts: Arc<Counts>,
}

/// The sockets that are listened on, and where.
struct Sockets {
    listeners: Vec<TcpListener>,
    addresses: Vec<SocketAddr>,
    admin: TcpListener,
    admin_address: SocketAddr,
}

impl Sockets {
    fn open(settings: &Settings) -> Result<Self, Error> {
        let mut listeners = Vec::new();
        let mut addresses = Vec::new();
        for route in &settings.routes {
            let listener = listen::bind(route.listen)?;
            addresses.push(
                listener
                    .local_addr()
                    .context("failed to read the listening address")?,
            );
            listeners.push(listener);
        }
        let admin = listen::bind(settings.flags.admin)?;
        Ok(Self {
            listeners,
            addresses,
            admin_address: admin
                .local_addr()
                .context("failed to read the listening address")?,
            admin,
        })
    }
}

/// Runs the proxy until a signal ends it.
pub async fn run(settings: Settings) -> Result<(), Error> {
    let mut termination = Termination::listen()?;
    raise_file_limit();
    let settings = Arc::new(settings);
    let flags = &settings.flags;
    let certificate = match &flags.certificate {
        Some(folder) => Some(
            Certificate::load(folder, flags.tls_minimum, flags.mode)
                .map_err(|error| Error::configuration(error.to_string()))?,
        ),
        None => None,
    };
    let sockets = Sockets::open(&settings)?;
    let backends: Vec<_> = settings
        .routes
        .iter()
        .map(|route| Arc::new(Backends::new(route.upstreams.clone())))
        .collect();
    let shared = Arc::new(Shared {
        settings: Arc::clone(&settings),
        backends: backends.clone(),
        certificate: certificate
            .as_ref()
            .map(|certificate| Arc::clone(&certificate.pair)),
    });
    let hands = (0..settings.workers)
        .map(|number| hire(number, Arc::clone(&shared)))
        .collect::<Result<Vec<_>, _>>()?;
    for backends in &backends {
        tokio::task::spawn_local(Arc::clone(backends).watch(Arc::clone(&settings)));
    }
    let names = sockets.addresses.iter().map(ToString::to_string);
    let metrics = Metrics {
        workers: hands.iter().map(|hand| Arc::clone(&hand.counts)).collect(),
        backends: names.clone().zip(backends).collect(),
        certificate: shared.certificate.clone(),
    };
    if let Some(certificate) = certificate {
        tokio::task::spawn_local(certificate.watch());
    }
    log::info(
        "listening",
        json!({
            "addresses": names.collect::<Vec<_>>(), "admin": sockets.admin_address.to_string(),
            "workers": settings.workers,
        }),
    );

    let draining = Arc::new(AtomicBool::new(false));
    let (end, ending) = watch::channel(false);
    let side = tokio::spawn(administer(sockets.admin, metrics, Arc::clone(&draining), ending));
    let signal = accept_until_told(sockets.listeners, &hands, flags.max_connections, &mut termination).await;
    log::info("draining", json!({ "signal": signal }));
    draining.store(true, Ordering::Relaxed);
    drain(hands, flags.drain).await;
    let _ = end.send(true);
    let _ = side.await;
    log::info("stopped", json!({}));
    Ok(())
}

/// Accepts connections until a signal comes; says which.
async fn accept_until_told(
    listeners: Vec<TcpListener>,
    hands: &[Hand],
    most: u32,
    termination: &mut Termination,
) -> &'static str {
    let permits = Arc::new(Semaphore::new(usize::try_from(most).unwrap_or(usize::MAX)));
    let (stop, stopping) = watch::channel(false);
    let mut acceptors = Vec::new();
    for (route, listener) in listeners.into_iter().enumerate() {
        acceptors.push(accept(
            listener,
            route,
            hands,
            Arc::clone(&permits),
            stopping.clone(),
        ));
    }
    let told = async {
        let signal = termination.wait().await;
        let _ = stop.send(true);
        signal
    };
    let (signal, _) = tokio::join!(told, join_all(acceptors));
    signal
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

/// Starts a worker.
fn hire(number: usize, shared: Arc<Shared>) -> anyhow::Result<Hand> {
    let (messages, received) = mpsc::unbounded_channel();
    let (end, ended) = oneshot::channel();
    let counts = Arc::new(Counts::default());
    let kept = Arc::clone(&counts);
    thread::Builder::new()
        .name(format!("worker-{number}"))
        .spawn(move || {
            match runtime::single() {
                Ok(runtime) => runtime.block_on(async move { Worker::new(shared, kept).run(received).await }),
                Err(error) => log::warning("worker not started", json!({ "reason": error.to_string() })),
            }
            let _ = end.send(());
        })
        .context("failed to start a worker")?;
    Ok(Hand {
        messages,
        ended,
        counts,
    })
}

/// Accepts connections and hands each to the worker that has the fewest, until it is told to stop; then those that
/// the kernel has already made, too.
async fn accept(
    listener: TcpListener,
    route: usize,
    hands: &[Hand],
    permits: Arc<Semaphore>,
    mut stopping: watch::Receiver<bool>,
) {
    let mut turn = 0;
    loop {
        let permit = tokio::select! {
            permit = Arc::clone(&permits).acquire_owned() => permit,
            _ = stopping.wait_for(|told| *told) => break,
        };
        let Ok(permit) = permit else { break };
        let accepted = tokio::select! {
            accepted = next(&listener) => accepted,
            _ = stopping.wait_for(|told| *told) => break,
        };
        match accepted {
            Ok((stream, address)) => {
                turn += 1;
                hand_over(
                    hands,
                    turn,
                    Client {
                        stream,
                        address,
                        route,
                        permit,
                    },
                );
            }
            Err(error) => {
                log::warning("connection not accepted", json!({ "reason": error.to_string() }));
                tokio::time::sleep(RETRY).await;
            }
        }
    }
    let Ok(listener) = listener.into_std() else { return };
    while let (Ok(permit), Ok((stream, address))) =
        (Arc::clone(&permits).try_acquire_owned(), listener.accept())
    {
        if stream.set_nonblocking(true).is_ok() {
            turn += 1;
            hand_over(
                hands,
                turn,
                Client {
                    stream,
                    address,
                    route,
                    permit,
                },
            );
        }
    }
}

/// The next connection, free to be served by another thread.
async fn next(listener: &TcpListener) -> io::Result<(std::net::TcpStream, SocketAddr)> {
    let (stream, address) = listener.accept().await?;
    Ok((stream.into_std()?, address))
}

fn hand_over(hands: &[Hand], turn: usize, client: Client) {
    let chosen = (0..hands.len())
        .map(|place| &hands[(place + turn) % hands.len()])
        .min_by_key(|hand| hand.counts.open.load(Ordering::Relaxed));
    if let Some(hand) = chosen {
        // Counted here, not by the worker: it may be late, and a burst would go to one of them.
        hand.counts.accepted.fetch_add(1, Ordering::Relaxed);
        hand.counts.open.fetch_add(1, Ordering::Relaxed);
        // A worker that is gone leaves the client without an answer, as the process is ending.
        let _ = hand.messages.send(Message::Serve(client));
    }
}

async fn administer(
    listener: TcpListener,
    metrics: Metrics,
    draining: Arc<AtomicBool>,
    mut ending: watch::Receiver<bool>,
) {
    let backends = metrics.backends.clone();
    let rotated: Vec<Arc<Backends>> = backends
        .iter()
        .map(|(_, backends)| Arc::clone(backends))
        .collect();
    let mut registry = Registry::default();
    registry.register_collector(Box::new(metrics));
    let readiness = move || {
        if draining.load(Ordering::Relaxed) {
            return Err("draining".to_owned());
        }
        match backends.iter().find(|(_, backends)| !backends.are_ready()) {
            Some((address, backends)) => {
                Err(format!("{address}: no backend of {} is ready", backends.names()))
            }
            None => Ok(()),
        }
    };
    let answer = move |request: Request<Incoming>, client: SocketAddr| {
        let reply = match rotation::answer(&request, client, &rotated) {
            Some(reply) => reply,
            None => admin::answer(request.method(), request.uri().path(), &registry, &readiness),
        };
        async move { reply }
    };
    let told = async move {
        let _ = ending.wait_for(|told| *told).await;
    };
    server::serve(listener, answer, told, Duration::ZERO).await;
}

/// As many open files as the process may have: a connection takes two.
fn raise_file_limit() {
    let limit = getrlimit(Resource::Nofile);
    if limit.current < limit.maximum {
        let raised = Rlimit {
            current: limit.maximum,
            maximum: limit.maximum,
        };
        // Where it stays, fewer connections are accepted at once.
        let _ = setrlimit(Resource::Nofile, raised);
    }
}
