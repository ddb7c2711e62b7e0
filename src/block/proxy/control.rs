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
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, mpsc, oneshot, watch};

use super::arms::{ArmMetrics, Arms};
use super::backend::Backends;
use super::certificate::Certificate;
use super::direction::{Direction, Named};
use super::metrics::{Counts, Metrics};
use super::settings::Settings;
use super::shadow::Shadows;
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
        for address in &settings.listeners {
            let listener = listen::bind(*address)?;
            addresses.push(
                listener
                    .local_addr()
                    .context("failed to read the listening address")?,
            );
            listeners.push(listener);
        }
        let admin = listen::bind(settings.admin)?;
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

/// Passes requests on until a signal ends it.
pub async fn run(settings: Settings, direction: Arc<dyn Direction>) -> Result<(), Error> {
    let mut termination = Termination::listen()?;
    runtime::raise_file_limit();
    let settings = Arc::new(settings);
    let certificate = match &settings.certificate {
        Some((folder, minimum)) => Some(
            Certificate::load(folder, *minimum, settings.mode)
                .map_err(|error| Error::configuration(error.to_string()))?,
        ),
        None => None,
    };
    let sockets = Sockets::open(&settings)?;
    let backends: Vec<_> = settings
        .groups
        .iter()
        .map(|group| Arc::new(Backends::new(group.upstreams.clone())))
        .collect();
    let arms = match &settings.arms {
        Some(plan) => {
            let shadows = plan
                .tee
                .map(|tee| Shadows::start(tee, &settings.groups, &backends));
            Some(Arc::new(Arms::new(plan, &settings.groups, shadows.transpose()?)))
        }
        None => None,
    };
    let shared = Arc::new(Shared {
        settings: Arc::clone(&settings),
        backends: backends.clone(),
        arms: arms.clone(),
        direction: Arc::clone(&direction),
        certificate: certificate
            .as_ref()
            .map(|certificate| Arc::clone(&certificate.pair)),
    });
    let hands = (0..settings.workers)
        .map(|number| hire(number, Arc::clone(&shared)))
        .collect::<Result<Vec<_>, _>>()?;
    let names = sockets.addresses.iter().map(ToString::to_string);
    let groups: Vec<Named> = match arms {
        Some(_) => {
            let names = settings.groups.iter().map(|group| group.name.clone());
            names.zip(backends).collect()
        }
        // The kernel may have chosen the port.
        None => names.clone().zip(backends).collect(),
    };
    Arc::clone(&direction).watch(&groups, &settings);
    let metrics = Metrics {
        workers: hands.iter().map(|hand| Arc::clone(&hand.counts)).collect(),
        label: direction.label(),
        backends: groups.clone(),
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
    let mut registry = Registry::default();
    registry.register_collector(Box::new(metrics));
    if let Some(arms) = arms {
        registry.register_collector(Box::new(ArmMetrics(arms)));
    }
    Arc::clone(&direction).register(&mut registry);
    let administration = Administration {
        registry,
        groups,
        direction,
        draining: Arc::clone(&draining),
    };
    let side = tokio::spawn(administration.serve(sockets.admin, ending));
    let most = settings.passing.max_connections;
    let signal = accept_until_told(sockets.listeners, &hands, most, &mut termination).await;
    log::info("draining", json!({ "signal": signal }));
    draining.store(true, Ordering::Relaxed);
    drain(hands, settings.passing.drain).await;
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

/// What the admin port shows.
struct Administration {
    registry: Registry,
    groups: Vec<Named>,
    direction: Arc<dyn Direction>,
    draining: Arc<AtomicBool>,
}

impl Administration {
    async fn serve(self, listener: TcpListener, mut ending: watch::Receiver<bool>) {
        let answer = move |request: Request<Incoming>, client: SocketAddr| {
            let reply = self.answer(&request, client);
            async move { reply }
        };
        let told = async move {
            let _ = ending.wait_for(|told| *told).await;
        };
        server::serve(listener, answer, told, Duration::ZERO).await;
    }

    fn answer(&self, request: &Request<Incoming>, client: SocketAddr) -> server::Reply {
        if let Some(reply) = self.direction.answer(request, client, &self.groups) {
            return reply;
        }
        let readiness = || {
            if self.draining.load(Ordering::Relaxed) {
                return Err("draining".to_owned());
            }
            self.direction.readiness(&self.groups)
        };
        admin::answer(request.method(), request.uri().path(), &self.registry, readiness)
    }
}
