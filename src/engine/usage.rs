//! What the containers of a stack use and serve, from samples of both.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use super::labels::Role;
use super::overview::{Member, Overview};

/// What a container uses.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Usage {
    /// Cores: 0.5 is half of one.
    pub cores: f64,
    /// Bytes of memory, without what the kernel only caches.
    pub memory: u64,
}

/// What a block has served since its start.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Served {
    /// Requests.
    pub requests: f64,
    /// Those that failed on this side: 500 to 599.
    pub errors: f64,
    /// Requests that took at most so many seconds, by bound, sorted; the last bound is infinite.
    pub durations: Vec<(f64, f64)>,
}

/// What a block serves now.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Traffic {
    /// Requests per second.
    pub requests_per_second: f64,
    /// The share of requests that failed on this side: 0 to 1.
    pub errors: f64,
    /// The time within which 99 of 100 requests were answered, in seconds; nothing where there were none.
    pub p99: Option<f64>,
}

impl Served {
    /// Reads a block's metrics, in the text form of Prometheus.
    pub fn read(text: &str) -> Self {
        let mut served = Self::default();
        for line in text.lines() {
            let Some((name, value)) = line.rsplit_once(' ') else {
                continue;
            };
            let Ok(value) = value.parse::<f64>() else {
                continue;
            };
            let label = |label: &str| {
                let (_, rest) = name.split_once(&format!("{label}=\""))?;
                Some(rest.split_once('"')?.0)
            };
            if name.starts_with("motif_requests_total{") {
                served.requests += value;
                if label("code").is_some_and(|code| code.starts_with('5')) {
                    served.errors += value;
                }
            } else if name.starts_with("motif_request_duration_seconds_bucket{") {
                let bound = match label("le") {
                    Some("+Inf") => Some(f64::INFINITY),
                    bound => bound.and_then(|bound| bound.parse().ok()),
                };
                served.durations.extend(bound.map(|bound| (bound, value)));
            }
        }
        served
            .durations
            .sort_by(|(left, _), (right, _)| left.total_cmp(right));
        served
    }

    /// What was served since an earlier look; all, where the counting began anew.
    pub fn since(&self, earlier: &Self, elapsed: Duration) -> Traffic {
        let nothing = Self::default();
        let began_anew = self.requests < earlier.requests;
        let earlier = if began_anew { &nothing } else { earlier };
        let requests = self.requests - earlier.requests;
        let before: BTreeMap<u64, f64> = earlier
            .durations
            .iter()
            .map(|(bound, count)| (bound.to_bits(), *count))
            .collect();
        let durations: Vec<(f64, f64)> = self
            .durations
            .iter()
            .map(|(bound, count)| {
                let before = before.get(&bound.to_bits()).copied().unwrap_or_default();
                (*bound, count - before)
            })
            .collect();
        let share = (self.errors - earlier.errors) / requests;
        Traffic {
            requests_per_second: requests / elapsed.as_secs_f64().max(1e-3),
            errors: if requests > 0.0 { share } else { 0.0 },
            p99: quantile(&durations, 0.99),
        }
    }
}

/// The duration that a share of all lies below: linear within a bucket, as Prometheus' `histogram_quantile` does it.
fn quantile(durations: &[(f64, f64)], share: f64) -> Option<f64> {
    let (_, total) = *durations.last()?;
    if total <= 0.0 {
        return None;
    }
    let wanted = total * share;
    let mut lower = (0.0, 0.0);
    for &(bound, count) in durations {
        if count >= wanted {
            if bound.is_infinite() {
                // Nobody knows how long those took; it was longer than this.
                return Some(lower.0);
            }
            let within = (wanted - lower.1) / (count - lower.1).max(f64::MIN_POSITIVE);
            return Some(lower.0 + (bound - lower.0) * within);
        }
        lower = (bound, count);
    }
    None
}

/// A replica, or a service's proxy, with what it uses and serves.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Row {
    /// `web-0`, or `service/web`.
    pub pod: String,
    /// How many of its containers are ready.
    pub ready: usize,
    /// How many it has.
    pub containers: usize,
    /// What it does, in a word.
    pub status: String,
    /// How often its containers were started again.
    pub restarts: i64,
    /// Cores.
    pub cpu: Option<f64>,
    /// Bytes.
    pub memory: Option<u64>,
    /// Bytes that it may have at most; nothing where a container has no limit.
    pub memory_limit: Option<u64>,
    /// What it serves, where a block does.
    #[serde(flatten)]
    pub traffic: Option<Traffic>,
}

/// Puts what the containers of replicas use and serve together. Both are known by the container's name on the engine.
pub fn rows(
    overviews: &[Overview],
    usage: &BTreeMap<String, Usage>,
    traffic: &BTreeMap<String, Traffic>,
) -> Vec<Row> {
    overviews
        .iter()
        .map(|overview| {
            let (ready, containers) = overview.ready();
            let used: Vec<Usage> = overview
                .members
                .iter()
                .filter_map(|member| usage.get(&member.name).copied())
                .collect();
            let limits: Option<u64> = overview
                .members
                .iter()
                .filter(|member| !matches!(member.labels.role, Role::Infra | Role::Init))
                .map(|member| member.memory)
                .sum();
            Row {
                pod: overview.name(),
                ready,
                containers,
                status: overview.state(),
                restarts: overview.restarts(),
                cpu: (!used.is_empty()).then(|| used.iter().map(|used| used.cores).sum()),
                memory: (!used.is_empty()).then(|| used.iter().map(|used| used.memory).sum()),
                memory_limit: limits.filter(|limit| *limit > 0),
                traffic: served(&overview.members, traffic),
            }
        })
        .collect()
}

/// What a replica serves: what its outermost block does, so that nothing counts twice.
fn served(members: &[Member], traffic: &BTreeMap<String, Traffic>) -> Option<Traffic> {
    members
        .iter()
        .find_map(|member| traffic.get(&member.name).copied())
}

#[cfg(test)]
mod tests {
    use super::*;

    const EARLIER: &str = "\
# HELP motif_requests Requests answered, by status.
# TYPE motif_requests counter
motif_requests_total{code=\"200\"} 100
motif_requests_total{code=\"503\"} 2
# TYPE motif_request_duration_seconds histogram
motif_request_duration_seconds_sum 1.5
motif_request_duration_seconds_count 102
motif_request_duration_seconds_bucket{le=\"0.001\"} 50
motif_request_duration_seconds_bucket{le=\"0.1\"} 100
motif_request_duration_seconds_bucket{le=\"+Inf\"} 102
motif_connections 3
# EOF
";

    #[test]
    fn rates_come_from_two_looks() {
        let earlier = Served::read(EARLIER);
        assert_eq!((earlier.requests, earlier.errors), (102.0, 2.0));
        let later = EARLIER
            .replace("{code=\"200\"} 100", "{code=\"200\"} 290")
            .replace("{code=\"503\"} 2", "{code=\"503\"} 12")
            .replace("\"0.001\"} 50", "\"0.001\"} 150")
            .replace("\"0.1\"} 100", "\"0.1\"} 300")
            .replace("\"+Inf\"} 102", "\"+Inf\"} 302");
        let traffic = Served::read(&later).since(&earlier, Duration::from_secs(2));
        let is = |found: f64, expect: f64| assert!((found - expect).abs() < 1e-9, "{found}");
        is(traffic.requests_per_second, 100.0);
        is(traffic.errors, 0.05);
        // 198 of 200 lie below: 98 of the 100 between 1 ms and 100 ms.
        is(traffic.p99.unwrap(), 0.001 + 0.099 * 0.98);
        // Nothing happened; a block that was started again.
        let idle = earlier.since(&earlier, Duration::from_secs(1));
        assert_eq!(
            idle,
            Traffic {
                requests_per_second: 0.0,
                errors: 0.0,
                p99: None
            }
        );
        let anew = earlier.since(&Served::read(&later), Duration::from_secs(1));
        is(anew.requests_per_second, 102.0);
        assert_eq!(
            Served::read("nothing of ours 1\nmotif_requests_total{code=\"200\"} x\n"),
            Served::default()
        );
    }

    #[test]
    fn a_quantile_beyond_the_last_bound_is_that_bound() {
        assert_eq!(quantile(&[(1.0, 1.0), (f64::INFINITY, 100.0)], 0.99), Some(1.0));
        assert_eq!(quantile(&[(1.0, 100.0), (f64::INFINITY, 100.0)], 0.5), Some(0.5));
        assert_eq!(quantile(&[], 0.5), None);
    }
}
