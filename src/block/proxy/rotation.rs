//! Takes backends out of the rotation and back in, for whoever is in the proxy's own container.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use hyper::{Method, Request, StatusCode};
use serde::{Deserialize, Serialize};

use super::backend::Backend;
use super::direction::Named;
use crate::block::server::{Reply, text};

/// The path of the rotation on the admin port; behind it `/ADDRESS`, and `?out=MILLISECONDS` to change it.
pub const PATH: &str = "/rotation";

/// How a backend's address stands, over all listeners.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// Whether it is known.
    pub known: bool,
    /// Whether it gets requests: it is ready, and not taken out.
    pub takes: bool,
    /// Requests and connections that it works on.
    pub in_flight: usize,
}

/// Answers what is asked about the rotation; `None` where something else is asked.
pub fn answer<B>(request: &Request<B>, client: SocketAddr, groups: &[Named]) -> Option<Reply> {
    let rest = request.uri().path().strip_prefix(PATH)?;
    // Other containers of the network can reach this port too.
    if !client.ip().is_loopback() {
        return Some(text(
            StatusCode::FORBIDDEN,
            "only from the proxy's own container\n",
        ));
    }
    let Some(address) = rest
        .strip_prefix('/')
        .and_then(|text| text.parse::<IpAddr>().ok())
    else {
        return Some(text(StatusCode::NOT_FOUND, "behind it is an address\n"));
    };
    let out = match (request.method(), request.uri().query()) {
        (&Method::GET, None) => None,
        (&Method::POST, Some(query)) => {
            let time = query.strip_prefix("out=").and_then(|time| time.parse().ok());
            let Some(time) = time else {
                return Some(text(StatusCode::BAD_REQUEST, "say `out=MILLISECONDS`\n"));
            };
            Some(Duration::from_millis(time))
        }
        _ => {
            return Some(text(
                StatusCode::METHOD_NOT_ALLOWED,
                "GET, or POST with `?out=`\n",
            ));
        }
    };
    let mut standing = Standing {
        known: false,
        takes: true,
        in_flight: 0,
    };
    for (_, backends) in groups {
        let current = backends.current.get();
        let of_address = current.iter().filter(|backend| backend.address.ip() == address);
        let found: Vec<&Arc<Backend>> = of_address.collect();
        standing.takes &= !found.is_empty();
        for backend in found {
            if let Some(time) = out {
                backend.take_out(time);
            }
            standing.known = true;
            standing.takes &= backend.is_ready() && !backend.is_out();
            standing.in_flight += backend.load();
        }
    }
    let body = serde_json::to_string(&standing).unwrap_or_default();
    Some(text(StatusCode::OK, body))
}
