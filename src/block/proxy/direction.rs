//! What a block that passes requests on decides by itself: where its backends come from, when it is ready, and what it
//! says to a client that has no backend.

use std::net::SocketAddr;
use std::sync::Arc;

use futures_util::future::LocalBoxFuture;
use hyper::Request;
use hyper::body::Incoming;
use prometheus_client::registry::Registry;
use serde_json::json;

use super::backend::Backends;
use super::rotation;
use super::settings::Settings;
use super::stream::Stream;
use crate::block::admin::Readiness;
use crate::block::log;
use crate::block::server::Reply;

/// A group and what metrics call it.
pub type Named = (String, Arc<Backends>);

/// A client of a TCP connection, and why it has no backend.
#[derive(Debug)]
pub struct Absent<'a> {
    /// The client's address and port.
    pub client: &'a str,
    /// Each backend that could not be connected to, with the reason.
    pub failed: Vec<String>,
}

/// What differs between blocks that pass requests on.
pub trait Direction: Send + Sync + 'static {
    /// The label of groups in metrics.
    fn label(&self) -> &'static str;

    /// Keeps the backends current, in tasks of the local set that it is called on.
    fn watch(self: Arc<Self>, groups: &[Named], settings: &Arc<Settings>) {
        for (_, backends) in groups {
            tokio::task::spawn_local(Arc::clone(backends).watch(Arc::clone(settings)));
        }
    }

    /// Whether requests can be passed on.
    fn readiness(&self, groups: &[Named]) -> Readiness;

    /// Answers a request on the admin port that is about more than every block's paths.
    fn answer(&self, _request: &Request<Incoming>, _client: SocketAddr, _groups: &[Named]) -> Option<Reply> {
        None
    }

    /// Registers what it counts by itself.
    fn register(self: Arc<Self>, _registry: &mut Registry) {}

    /// Ends a TCP connection that has no backend.
    fn refuse<'a>(&'a self, client: Stream, absent: Absent<'a>) -> LocalBoxFuture<'a, ()> {
        log::warning("no backend", json!({ "client": absent.client }));
        drop(client);
        Box::pin(std::future::ready(()))
    }
}

/// The proxy's own: names as given, and every listener counts.
#[derive(Debug)]
pub struct Listeners;

impl Direction for Listeners {
    fn label(&self) -> &'static str {
        "listen"
    }

    fn readiness(&self, groups: &[Named]) -> Readiness {
        match groups.iter().find(|(_, backends)| !backends.are_ready()) {
            Some((address, backends)) => {
                Err(format!("{address}: no backend of {} is ready", backends.names()))
            }
            None => Ok(()),
        }
    }

    fn answer(&self, request: &Request<Incoming>, client: SocketAddr, groups: &[Named]) -> Option<Reply> {
        rotation::answer(request, client, groups)
    }
}
