//! How probes are asked: a command in the container, and the engine's one health check.

use std::time::Duration;

use super::{BINARY, Health};
use crate::stack::{self, Action, Probe, Probes};

/// A duration as the blocks read it.
pub(super) fn duration(value: Duration) -> String {
    match value.as_millis() {
        millis if millis % 1000 == 0 => format!("{}s", millis / 1000),
        millis => format!("{millis}ms"),
    }
}

/// The command that answers a probe from inside the container.
pub fn probe_command(probe: &Probe) -> Vec<String> {
    let mut words: Vec<String> = [BINARY, "block", "probe"].map(str::to_owned).to_vec();
    match &probe.action {
        Action::Exec { command } => return command.clone(),
        Action::Http {
            path,
            port,
            scheme,
            headers,
        } => {
            words.extend(["http".to_owned(), "--port".to_owned(), port.to_string()]);
            words.extend(["--path".to_owned(), path.clone()]);
            if *scheme == stack::Scheme::Https {
                words.extend(["--scheme", "https"].map(str::to_owned));
            }
            for (name, value) in headers {
                words.extend(["--header".to_owned(), format!("{name}: {value}")]);
            }
        }
        Action::Tcp { port } => words.extend(["tcp".to_owned(), "--port".to_owned(), port.to_string()]),
        Action::Grpc { port, service } => {
            words.extend(["grpc".to_owned(), "--port".to_owned(), port.to_string()]);
            if !service.is_empty() {
                words.extend(["--service".to_owned(), service.clone()]);
            }
        }
    }
    words.extend(["--timeout".to_owned(), duration(probe.timeout)]);
    words
}

/// The engine's one health check says what a service would ask: readiness, else startup.
pub(super) fn health(probes: &Probes) -> Option<Health> {
    let probe = probes.ready.as_ref().or(probes.startup.as_ref())?;
    let startup = probes.startup.as_ref().map_or(Duration::ZERO, |startup| {
        startup.delay + startup.every * startup.failures
    });
    Some(Health {
        command: probe_command(probe),
        every: probe.every,
        // The engine counts the time that it needs to start the check, which a busy machine stretches.
        timeout: probe.timeout + Duration::from_secs(2),
        failures: probe.failures,
        start: probe.delay + startup,
    })
}
