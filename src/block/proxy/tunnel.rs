//! Passes bytes both ways: a TCP connection, or a request's connection that changed its protocol.

use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::io::copy_bidirectional_with_sizes;
use tokio::net::TcpStream;

use super::backend::Backend;
use super::balance;
use super::direction::Absent;
use super::stream::Stream;
use super::supervision::Phase;
use super::upstream;
use super::worker::Connection;
use crate::block::log;

/// Bytes that are read at once, each way.
const BUFFER: usize = 16 * 1024;

/// Passes a client's connection on to a backend, until both sides have ended theirs.
pub async fn pass(connection: &Rc<Connection>, mut client: Stream) {
    let worker = &connection.worker;
    let started = Instant::now();
    let (backend, mut stream) = match connect(connection).await {
        Ok(connected) => connected,
        Err(failed) => {
            let absent = Absent {
                client: &connection.client_name,
                failed,
            };
            return worker.direction().refuse(client, absent).await;
        }
    };
    let _occupied = backend.occupy();
    connection
        .watched
        .enter(Phase::Tunnel, worker.clock.load(Ordering::Relaxed));
    let copy = copy_bidirectional_with_sizes(&mut client, &mut stream, BUFFER, BUFFER);
    let copied = if worker.settings().close_old {
        tokio::select! {
            copied = copy => copied,
            () = backend.leave() => Err(io::Error::other("the backend left")),
        }
    } else {
        copy.await
    };
    if worker.settings().passing.access_log {
        let (received, sent) = *copied.as_ref().unwrap_or(&(0, 0));
        let error = copied.as_ref().err().map(ToString::to_string);
        log::info(
            "connection",
            json!({
                "client": connection.client_name, "backend": backend.name, "received": received, "sent": sent,
                "microseconds": u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX), "error": error,
            }),
        );
    }
}

/// A connection to the backend whose turn it is, or to another one if that fails; or why there is none.
async fn connect(connection: &Connection) -> Result<(Arc<Backend>, TcpStream), Vec<String>> {
    let settings = connection.worker.settings();
    let mut tried: Vec<SocketAddr> = Vec::new();
    let mut failed = Vec::new();
    let turn = connection.worker.turn(connection.route);
    for _ in 0..=settings.retries {
        let chosen = connection.worker.with_peers(connection.route, |peers| {
            let candidates = peers
                .iter()
                .map(|peer| peer.backend.candidate(tried.contains(&peer.backend.address)));
            balance::choose(settings.balance, candidates, turn, connection.client_key)
                .map(|place| Arc::clone(&peers[place].backend))
        });
        let Some(backend) = chosen else { break };
        if !tried.is_empty() {
            connection.worker.counts.retries.fetch_add(1, Ordering::Relaxed);
        }
        match upstream::connect(&backend, settings.passing.connect_timeout).await {
            Ok(stream) => return Ok((backend, stream)),
            Err(error) => failed.push(format!("`{}`: {error}", backend.name)),
        }
        backend.suspect();
        tried.push(backend.address);
    }
    Err(failed)
}

/// Joins a client and a backend that both changed the protocol, in a task of its own.
pub fn join(
    connection: &Rc<Connection>,
    backend: Option<&Arc<Backend>>,
    client: OnUpgrade,
    upgraded: OnUpgrade,
) {
    let connection = Rc::clone(connection);
    let occupied = backend.map(Backend::occupy);
    tokio::task::spawn_local(async move {
        let worker = &connection.worker;
        let activity = Arc::clone(&connection.watched.activity);
        let now = worker.clock.load(Ordering::Relaxed);
        let entry = worker.register.enter(activity, Phase::Tunnel, now);
        let joined = async {
            let (Ok(client), Ok(backend)) = (client.await, upgraded.await) else {
                return;
            };
            let (mut client, mut backend) = (TokioIo::new(client), TokioIo::new(backend));
            // How it ends is between the two.
            let _ = copy_bidirectional_with_sizes(&mut client, &mut backend, BUFFER, BUFFER).await;
        };
        entry.watched.supervise(joined).await;
        drop(occupied);
    });
}
