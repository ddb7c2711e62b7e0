//! Shows what was counted of the shards.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

use super::shards::{OUTCOMES, Shard, Shards};

/// Everything that `/metrics` shows.
#[derive(Debug)]
pub struct Metrics(pub Arc<Shards>);

impl Collector for Metrics {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), std::fmt::Error> {
        let shards = &self.0;
        let mut requests = encoder.encode_descriptor(
            "motif_requests",
            "Requests sent to shards, by outcome",
            None,
            MetricType::Counter,
        )?;
        for shard in &shards.list {
            for (outcome, name) in OUTCOMES {
                let labels = [("shard", shard.name.as_str()), ("outcome", name)];
                ConstCounter::new(shard.requests(outcome)).encode(requests.encode_family(&labels)?)?;
            }
        }
        let mut ejections = encoder.encode_descriptor(
            "motif_ejections",
            "How often a shard was left out",
            None,
            MetricType::Counter,
        )?;
        for shard in &shards.list {
            let labels = [("shard", shard.name.as_str())];
            let count = shard.ejections.load(Ordering::Relaxed);
            ConstCounter::new(count).encode(ejections.encode_family(&labels)?)?;
        }
        for (name, help, is_so) in [
            (
                "motif_shard_up",
                "Whether a shard answers",
                Shard::is_up as fn(&Shard) -> bool,
            ),
            (
                "motif_shard_left_out",
                "Whether a shard is left out",
                Shard::is_out,
            ),
        ] {
            let mut gauge = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
            for shard in &shards.list {
                let labels = [("shard", shard.name.as_str())];
                ConstGauge::new(i64::from(is_so(shard))).encode(gauge.encode_family(&labels)?)?;
            }
        }
        ConstGauge::new(shards.clients.load(Ordering::Relaxed)).encode(encoder.encode_descriptor(
            "motif_connections",
            "Open connections of clients",
            None,
            MetricType::Gauge,
        )?)?;
        for (name, help, number) in [
            (
                "motif_connections_accepted",
                "Connections that clients opened",
                &shards.connections,
            ),
            (
                "motif_requests_refused",
                "Requests that were answered with an error without asking a shard",
                &shards.refused,
            ),
        ] {
            let count = number.load(Ordering::Relaxed);
            ConstCounter::new(count).encode(encoder.encode_descriptor(
                name,
                help,
                None,
                MetricType::Counter,
            )?)?;
        }
        Ok(())
    }
}
