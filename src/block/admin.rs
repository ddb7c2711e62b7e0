//! The admin port of a serving block: `/livez`, `/readyz` and `/metrics`.

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Method, Response, StatusCode};
use prometheus_client::registry::Registry;

use super::server::{Reply, text};

/// Upper bounds of a histogram of durations, in microseconds.
pub const BOUNDS: [u64; 13] = [
    500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000,
    10_000_000,
];

/// Whether the block may be sent requests; if not, why.
pub type Readiness = Result<(), String>;

/// Answers a probe of liveness: whoever answers lives.
pub fn livez() -> Reply {
    text(StatusCode::OK, "ok\n")
}

/// Answers a probe of readiness.
pub fn readyz(readiness: Readiness) -> Reply {
    match readiness {
        Ok(()) => text(StatusCode::OK, "ok\n"),
        Err(reason) => text(StatusCode::SERVICE_UNAVAILABLE, format!("{reason}\n")),
    }
}

/// Answers a request on the admin port.
pub fn answer(
    method: &Method,
    path: &str,
    registry: &Registry,
    readiness: impl FnOnce() -> Readiness,
) -> Reply {
    let known = matches!(path, "/livez" | "/readyz" | "/metrics");
    if known && !matches!(*method, Method::GET | Method::HEAD) {
        return text(StatusCode::METHOD_NOT_ALLOWED, "only GET\n");
    }
    match path {
        "/livez" => livez(),
        "/readyz" => readyz(readiness()),
        "/metrics" => metrics(registry),
        _ => text(StatusCode::NOT_FOUND, "there are /livez, /readyz and /metrics\n"),
    }
}

fn metrics(registry: &Registry) -> Reply {
    let mut body = String::new();
    if prometheus_client::encoding::text::encode(&mut body, registry).is_err() {
        return text(
            StatusCode::INTERNAL_SERVER_ERROR,
            "failed to encode the metrics\n",
        );
    }
    let mut reply = Response::new(Full::new(Bytes::from(body)));
    reply.headers_mut().insert(
        CONTENT_TYPE,
        HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8"),
    );
    reply
}
