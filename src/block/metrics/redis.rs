//! Turns what `INFO` says into metrics.

use super::exposition::{Family, Kind, Labels};

/// A field, the metric it becomes, and what its number is multiplied by.
type Known = (&'static str, &'static str, Kind, f64, &'static str);

const KNOWN: &[Known] = &[
    (
        "uptime_in_seconds",
        "redis_uptime_in_seconds",
        Kind::Gauge,
        1.0,
        "Time since the server started",
    ),
    (
        "connected_clients",
        "redis_connected_clients",
        Kind::Gauge,
        1.0,
        "Connections of clients",
    ),
    (
        "blocked_clients",
        "redis_blocked_clients",
        Kind::Gauge,
        1.0,
        "Clients that wait in a blocking command",
    ),
    (
        "maxclients",
        "redis_config_maxclients",
        Kind::Gauge,
        1.0,
        "Connections that are allowed",
    ),
    (
        "used_memory",
        "redis_memory_used_bytes",
        Kind::Gauge,
        1.0,
        "Memory that the server allocated",
    ),
    (
        "used_memory_rss",
        "redis_memory_used_rss_bytes",
        Kind::Gauge,
        1.0,
        "Memory that the system gave the server",
    ),
    (
        "used_memory_peak",
        "redis_memory_used_peak_bytes",
        Kind::Gauge,
        1.0,
        "The most memory that was allocated",
    ),
    (
        "maxmemory",
        "redis_memory_max_bytes",
        Kind::Gauge,
        1.0,
        "Memory that may be allocated; 0 is any",
    ),
    (
        "mem_fragmentation_ratio",
        "redis_mem_fragmentation_ratio",
        Kind::Gauge,
        1.0,
        "Memory from the system in relation to what is allocated",
    ),
    (
        "loading",
        "redis_loading_dump_file",
        Kind::Gauge,
        1.0,
        "Whether a dump is being loaded",
    ),
    (
        "rdb_changes_since_last_save",
        "redis_rdb_changes_since_last_save",
        Kind::Gauge,
        1.0,
        "Changes that no dump holds",
    ),
    (
        "rdb_last_save_time",
        "redis_rdb_last_save_timestamp_seconds",
        Kind::Gauge,
        1.0,
        "When the last dump was written",
    ),
    (
        "aof_enabled",
        "redis_aof_enabled",
        Kind::Gauge,
        1.0,
        "Whether the append-only file is written",
    ),
    (
        "total_connections_received",
        "redis_connections_received_total",
        Kind::Counter,
        1.0,
        "Connections accepted",
    ),
    (
        "total_commands_processed",
        "redis_commands_processed_total",
        Kind::Counter,
        1.0,
        "Commands processed",
    ),
    (
        "total_net_input_bytes",
        "redis_net_input_bytes_total",
        Kind::Counter,
        1.0,
        "Bytes received",
    ),
    (
        "total_net_output_bytes",
        "redis_net_output_bytes_total",
        Kind::Counter,
        1.0,
        "Bytes sent",
    ),
    (
        "rejected_connections",
        "redis_rejected_connections_total",
        Kind::Counter,
        1.0,
        "Connections refused because there were too many",
    ),
    (
        "expired_keys",
        "redis_expired_keys_total",
        Kind::Counter,
        1.0,
        "Keys that expired",
    ),
    (
        "evicted_keys",
        "redis_evicted_keys_total",
        Kind::Counter,
        1.0,
        "Keys that had to go for want of memory",
    ),
    (
        "keyspace_hits",
        "redis_keyspace_hits_total",
        Kind::Counter,
        1.0,
        "Lookups of keys that were there",
    ),
    (
        "keyspace_misses",
        "redis_keyspace_misses_total",
        Kind::Counter,
        1.0,
        "Lookups of keys that were not there",
    ),
    (
        "pubsub_channels",
        "redis_pubsub_channels",
        Kind::Gauge,
        1.0,
        "Channels with subscribers",
    ),
    (
        "pubsub_patterns",
        "redis_pubsub_patterns",
        Kind::Gauge,
        1.0,
        "Patterns with subscribers",
    ),
    (
        "latest_fork_usec",
        "redis_latest_fork_seconds",
        Kind::Gauge,
        1e-6,
        "Time that the last fork took",
    ),
    (
        "instantaneous_ops_per_sec",
        "redis_instantaneous_ops_per_sec",
        Kind::Gauge,
        1.0,
        "Commands per second, now",
    ),
    (
        "connected_slaves",
        "redis_connected_slaves",
        Kind::Gauge,
        1.0,
        "Replicas that are connected",
    ),
    (
        "master_repl_offset",
        "redis_master_repl_offset",
        Kind::Gauge,
        1.0,
        "Offset of the replication",
    ),
    (
        "used_cpu_sys",
        "redis_cpu_sys_seconds_total",
        Kind::Counter,
        1.0,
        "Time of the processor in the system",
    ),
    (
        "used_cpu_user",
        "redis_cpu_user_seconds_total",
        Kind::Counter,
        1.0,
        "Time of the processor in the server",
    ),
];

/// Whether the server answers.
pub fn up(is_up: bool) -> Family {
    Family::new("redis_up", Kind::Gauge, "Whether the server answers")
        .with(Labels::new(), if is_up { 1.0 } else { 0.0 })
}

/// The metrics of what `INFO` said.
pub fn families(info: &str) -> Vec<Family> {
    let fields: Vec<(&str, &str)> = info
        .lines()
        .filter_map(|line| line.trim_end().split_once(':'))
        .collect();
    let find = |name: &str| {
        fields
            .iter()
            .find(|(field, _)| *field == name)
            .map(|(_, value)| *value)
    };
    let mut families = Vec::new();
    let texts = [
        ("redis_version", "redis_version"),
        ("redis_mode", "redis_mode"),
        ("role", "role"),
        ("os", "os"),
    ];
    let labels: Labels = texts
        .iter()
        .filter_map(|(field, label)| Some(((*label).to_owned(), find(field)?.to_owned())))
        .collect();
    families.push(Family::new("redis_instance_info", Kind::Gauge, "What the server is").with(labels, 1.0));
    for (field, name, kind, scale, help) in KNOWN {
        if let Some(value) = find(field).and_then(|value| value.parse::<f64>().ok()) {
            families.push(Family::new(*name, *kind, *help).with(Labels::new(), value * scale));
        }
    }
    if let Some(status) = find("rdb_last_bgsave_status") {
        let is_ok = if status == "ok" { 1.0 } else { 0.0 };
        let help = "Whether the last dump was written well";
        families
            .push(Family::new("redis_rdb_last_bgsave_status", Kind::Gauge, help).with(Labels::new(), is_ok));
    }
    families.extend(databases(info));
    families
}

/// `db0:keys=1,expires=0,avg_ttl=0`. A database without keys has no line; of the first one that is said.
fn databases(info: &str) -> Vec<Family> {
    if !info.contains("# Keyspace") {
        return Vec::new();
    }
    let mut keys = Family::new("redis_db_keys", Kind::Gauge, "Keys of a database");
    let mut expiring = Family::new("redis_db_keys_expiring", Kind::Gauge, "Keys that will expire");
    let mut lifetime = Family::new(
        "redis_db_avg_ttl_seconds",
        Kind::Gauge,
        "Time that expiring keys have left, on average",
    );
    for line in info.lines().map(str::trim_end) {
        let Some((name, values)) = line.split_once(':') else {
            continue;
        };
        let is_database = name
            .strip_prefix("db")
            .is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()));
        if !is_database {
            continue;
        }
        let value = |wanted: &str| {
            values.split(',').find_map(|pair| {
                let (name, value) = pair.split_once('=')?;
                (name == wanted).then(|| value.parse::<f64>().ok()).flatten()
            })
        };
        let labels = Labels::from([("db".to_owned(), name.to_owned())]);
        if let (Some(count), Some(expires)) = (value("keys"), value("expires")) {
            keys = keys.with(labels.clone(), count);
            expiring = expiring.with(labels.clone(), expires);
        }
        if let Some(milliseconds) = value("avg_ttl") {
            lifetime = lifetime.with(labels, milliseconds / 1000.0);
        }
    }
    let labels = Labels::from([("db".to_owned(), "db0".to_owned())]);
    if !keys.samples.iter().any(|sample| sample.labels == labels) {
        keys = keys.with(labels.clone(), 0.0);
        expiring = expiring.with(labels, 0.0);
    }
    vec![keys, expiring, lifetime]
}

#[cfg(test)]
mod tests {
    use super::super::exposition;
    use super::*;

    fn text(info: &str) -> String {
        let mut text = String::new();
        exposition::append(&mut text, &families(info), "", &Labels::new());
        assert!(exposition::parse(&text).is_ok(), "{text}");
        text
    }

    #[test]
    fn fields_become_metrics() {
        let shown = text(
            "# Server\r\nredis_version:7.0.15\r\nuptime_in_seconds:12\r\n# Stats\r\nlatest_fork_usec:250\r\n\
             keyspace_hits:3\r\nkeyspace_misses:x\r\nunknown:1\r\n# Keyspace\r\ndb3:keys=7,expires=2,avg_ttl=1500\r\n",
        );
        for line in [
            "redis_instance_info{redis_version=\"7.0.15\"} 1",
            "redis_uptime_in_seconds 12",
            "redis_latest_fork_seconds 0.00025",
            "redis_keyspace_hits_total 3",
            "redis_db_keys{db=\"db3\"} 7",
            "redis_db_keys_expiring{db=\"db3\"} 2",
            "redis_db_avg_ttl_seconds{db=\"db3\"} 1.5",
            "redis_db_keys{db=\"db0\"} 0",
            "# TYPE redis_keyspace_hits_total counter",
        ] {
            assert!(shown.lines().any(|shown| shown == line), "{line} in {shown}");
        }
        assert!(!shown.contains("misses") && !shown.contains("unknown"), "{shown}");
    }

    #[test]
    fn what_is_not_said_is_absent() {
        assert!(!text("").contains("redis_db_keys"));
    }
}
