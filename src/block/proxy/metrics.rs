//! Counts what a proxy does: each worker in its own numbers, added up when they are asked for.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

use super::backend::Backends;
use super::certificate::Pair;
use super::published::Published;
use crate::block::admin::BOUNDS;

const CODES: usize = 600;

/// What one worker counts.
#[derive(Debug)]
pub struct Counts {
    codes: Vec<AtomicU64>,
    buckets: [AtomicU64; BOUNDS.len() + 1],
    microseconds: AtomicU64,
    /// Attempts beyond a request's first.
    pub retries: AtomicU64,
    /// Connections that clients opened.
    pub accepted: AtomicU64,
    /// Of them, those that are open.
    pub open: AtomicI64,
    /// Handshakes of TLS that failed.
    pub handshakes_failed: AtomicU64,
}

impl Default for Counts {
    fn default() -> Self {
        Self {
            codes: std::iter::repeat_with(AtomicU64::default).take(CODES).collect(),
            buckets: std::array::from_fn(|_| AtomicU64::default()),
            microseconds: AtomicU64::default(),
            retries: AtomicU64::default(),
            accepted: AtomicU64::default(),
            open: AtomicI64::default(),
            handshakes_failed: AtomicU64::default(),
        }
    }
}

impl Counts {
    /// Counts a request that took so long.
    pub fn request(&self, code: u16, taken: Duration) {
        self.refused(code);
        let taken = u64::try_from(taken.as_micros()).unwrap_or(u64::MAX);
        let bucket = BOUNDS.iter().take_while(|bound| taken > **bound).count();
        self.buckets[bucket].fetch_add(1, Ordering::Relaxed);
        self.microseconds.fetch_add(taken, Ordering::Relaxed);
    }

    /// Counts a request that could not be read.
    pub fn refused(&self, code: u16) {
        if let Some(count) = self.codes.get(usize::from(code)) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Everything that `/metrics` shows.
#[derive(Debug)]
pub struct Metrics {
    /// One for each worker.
    pub workers: Vec<Arc<Counts>>,
    /// What the names of groups are.
    pub label: &'static str,
    /// One for each group, with its name.
    pub backends: Vec<(String, Arc<Backends>)>,
    /// The certificate in use.
    pub certificate: Option<Arc<Published<Pair>>>,
}

impl std::fmt::Debug for Pair {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Pair")
            .field("expiry", &self.expiry)
            .finish_non_exhaustive()
    }
}

impl Metrics {
    fn sum(&self, number: impl Fn(&Counts) -> &AtomicU64) -> u64 {
        self.workers
            .iter()
            .map(|counts| number(counts).load(Ordering::Relaxed))
            .sum()
    }
}

impl Collector for Metrics {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), std::fmt::Error> {
        let mut requests = encoder.encode_descriptor(
            "motif_requests",
            "Requests answered, by status; 499 is a client that left",
            None,
            MetricType::Counter,
        )?;
        for code in 0..CODES {
            let count = self.sum(|counts| &counts.codes[code]);
            if count > 0 {
                ConstCounter::new(count).encode(requests.encode_family(&[("code", code.to_string())])?)?;
            }
        }
        let mut buckets = Vec::new();
        for place in 0..=BOUNDS.len() {
            let bound = BOUNDS
                .get(place)
                .map_or(f64::INFINITY, |bound| Duration::from_micros(*bound).as_secs_f64());
            buckets.push((bound, self.sum(|counts| &counts.buckets[place])));
        }
        let total = buckets.iter().map(|(_, count)| count).sum();
        let seconds = Duration::from_micros(self.sum(|counts| &counts.microseconds)).as_secs_f64();
        encoder
            .encode_descriptor(
                "motif_request_duration_seconds",
                "Time from a request's head to the end of its response",
                None,
                MetricType::Histogram,
            )?
            .encode_histogram::<NoLabelSet>(seconds, total, &buckets, None)?;
        let open: i64 = self
            .workers
            .iter()
            .map(|counts| counts.open.load(Ordering::Relaxed))
            .sum();
        ConstGauge::new(open).encode(encoder.encode_descriptor(
            "motif_connections",
            "Open connections of clients",
            None,
            MetricType::Gauge,
        )?)?;
        for (name, help, number) in [
            (
                "motif_connections_accepted",
                "Connections that clients opened",
                self.sum(|counts| &counts.accepted),
            ),
            (
                "motif_retries",
                "Attempts beyond a request's first",
                self.sum(|counts| &counts.retries),
            ),
            (
                "motif_tls_handshakes_failed",
                "TLS handshakes that failed",
                self.sum(|counts| &counts.handshakes_failed),
            ),
        ] {
            ConstCounter::new(number).encode(encoder.encode_descriptor(
                name,
                help,
                None,
                MetricType::Counter,
            )?)?;
        }
        let mut up = encoder.encode_descriptor(
            "motif_backend_up",
            "Whether a backend is ready",
            None,
            MetricType::Gauge,
        )?;
        for (group, backends) in &self.backends {
            for backend in backends.current.get().iter() {
                let labels = [(self.label, group.as_str()), ("backend", backend.name.as_str())];
                ConstGauge::new(i64::from(backend.is_ready())).encode(up.encode_family(&labels)?)?;
            }
        }
        let mut load = encoder.encode_descriptor(
            "motif_backend_in_flight",
            "Requests and connections that a backend works on",
            None,
            MetricType::Gauge,
        )?;
        for (group, backends) in &self.backends {
            for backend in backends.current.get().iter() {
                let labels = [(self.label, group.as_str()), ("backend", backend.name.as_str())];
                let number = i64::try_from(backend.load()).unwrap_or(i64::MAX);
                ConstGauge::new(number).encode(load.encode_family(&labels)?)?;
            }
        }
        if let Some(expiry) = self.certificate.as_ref().and_then(|pair| pair.get().expiry) {
            ConstGauge::new(expiry).encode(encoder.encode_descriptor(
                "motif_certificate_expiry_timestamp_seconds",
                "When the certificate in use expires",
                None,
                MetricType::Gauge,
            )?)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workers_are_added_up() {
        let workers = vec![Arc::new(Counts::default()), Arc::new(Counts::default())];
        workers[0].request(200, Duration::from_micros(700));
        workers[1].request(200, Duration::from_secs(20));
        workers[1].refused(431);
        let metrics = Metrics {
            workers,
            label: "listen",
            backends: Vec::new(),
            certificate: None,
        };
        let mut registry = prometheus_client::registry::Registry::default();
        registry.register_collector(Box::new(metrics));
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        for line in [
            "motif_requests_total{code=\"200\"} 2",
            "motif_requests_total{code=\"431\"} 1",
            "motif_request_duration_seconds_count 2",
            "motif_request_duration_seconds_sum 20.0007",
            "motif_request_duration_seconds_bucket{le=\"0.001\"} 1",
            "motif_request_duration_seconds_bucket{le=\"+Inf\"} 2",
            "motif_connections 0",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
    }
}
