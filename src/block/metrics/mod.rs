//! `motif block metrics`: the text that Prometheus reads, from a source that has none.

mod settings;

mod ask;

mod command;
mod document;
mod redis;
mod statsd;

mod exposition;

pub use settings::Flags as Metrics;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use anyhow::Context;
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::registry::Registry;
use serde_json::json;
use tokio::net::UdpSocket;

use super::catalogue::{Block, Error, Outcome};
use super::pair::Pair;
use super::server::{Reply, text};
use super::{admin, log, runtime};
use ask::Asker;
use settings::{Question, Settings};

impl Block for Metrics {
    fn run(self) -> Result<Outcome, Error> {
        let settings = Settings::new(self)?;
        log::start("metrics");
        let ended = runtime::single()?.block_on(run(settings));
        log::flush();
        ended.map(|()| Outcome::Done)
    }
}

async fn run(settings: Settings) -> Result<(), Error> {
    let mut pair = Pair::bind(settings.flags.listen, settings.flags.admin)?;
    let drain = settings.flags.drain;
    let question = settings.question.clone();
    let statsd = settings.flags.statsd;
    let asker = Arc::new(Asker::new(settings));
    match question {
        Question::Statsd => {
            let socket = UdpSocket::bind(statsd)
                .await
                .with_context(|| format!("failed to listen on `{statsd}` (UDP)"))?;
            let address = socket.local_addr().ok().map(|address| address.to_string());
            pair.facts.insert("statsd".to_owned(), address.into());
            tokio::spawn(Arc::clone(&asker).receive(socket));
        }
        Question::Command(_) => {
            tokio::spawn(Arc::clone(&asker).repeat());
        }
        Question::Redis | Question::Json(..) => {}
    }
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Own(Arc::clone(&asker))));
    let administer = move |request: Request<Incoming>, _| {
        let reply = admin::answer(request.method(), request.uri().path(), &registry, || Ok(()));
        async move { reply }
    };
    let answer = move |request: Request<Incoming>, _| {
        let asker = Arc::clone(&asker);
        async move { answer(&request, &asker).await }
    };
    pair.serve(answer, administer, drain, || ()).await;
    log::info("stopped", json!({}));
    Ok(())
}

async fn answer(request: &Request<Incoming>, asker: &Arc<Asker>) -> Reply {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return text(StatusCode::METHOD_NOT_ALLOWED, "only GET\n");
    }
    match request.uri().path() {
        "/metrics" => {
            let page = asker.page().await;
            let mut reply = Response::new(Full::new(Bytes::from(page.as_str().to_owned())));
            reply.headers_mut().insert(
                CONTENT_TYPE,
                HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8"),
            );
            reply
        }
        "/livez" | "/readyz" => admin::livez(),
        _ => text(StatusCode::NOT_FOUND, "there are /metrics, /livez and /readyz\n"),
    }
}

/// What the block counts of itself.
struct Own(Arc<Asker>);

impl std::fmt::Debug for Own {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Own")
    }
}

impl Collector for Own {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), std::fmt::Error> {
        let tally = self.0.tally();
        let counters = [
            (
                "motif_source_asked",
                "Times that the source was asked",
                self.0.asked.load(Ordering::Relaxed),
            ),
            (
                "motif_source_failed",
                "Times that the source did not answer as it should",
                self.0.failed.load(Ordering::Relaxed),
            ),
            (
                "motif_statsd_samples",
                "Samples of StatsD that were taken",
                tally.samples,
            ),
            (
                "motif_statsd_invalid",
                "Samples of StatsD that could not be read",
                tally.invalid,
            ),
            (
                "motif_statsd_dropped",
                "Samples of StatsD that were of one series too many",
                tally.dropped,
            ),
        ];
        for (name, help, value) in counters {
            let counter = ConstCounter::new(value);
            let encoder = encoder.encode_descriptor(name, help, None, counter.metric_type())?;
            counter.encode(encoder)?;
        }
        Ok(())
    }
}
