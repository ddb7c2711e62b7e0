//! How probes are asked: a command in the container, and the engine's one health check.

use std::time::Duration;

use super::{BINARY, Container, Health, RESTARTS_FOLDER};
use crate::stack::{self, Action, Probe, Probes};

/// What it may take to start a probe's command, on a busy machine.
const SLACK: Duration = Duration::from_secs(2);

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

/// Whether a failed probe ends a container, so that when and why is kept.
pub(super) fn keeps_restarts(probes: &Probes) -> bool {
    probes.live.is_some() || probes.startup.is_some()
}

/// What a container is started with: its program and arguments, under `init` where that watches it.
///
/// As in Kubernetes, a command of the stack's own replaces the image's arguments too.
pub fn start_command(container: &Container) -> (Option<Vec<String>>, Option<Vec<String>>) {
    if !container.watched {
        return (container.entrypoint.clone(), container.arguments.clone());
    }
    let arguments = match (&container.arguments, &container.entrypoint) {
        (Some(arguments), _) => arguments.clone(),
        (None, Some(_)) => Vec::new(),
        (None, None) => container.image.arguments.clone(),
    };
    let program = container
        .entrypoint
        .as_ref()
        .unwrap_or(&container.image.entrypoint);
    let mut words = [BINARY, "block", "init"].map(str::to_owned).to_vec();
    for (flag, probe) in [
        ("startup", &container.probes.startup),
        ("live", &container.probes.live),
    ] {
        words.extend(
            probe
                .as_ref()
                .map(|probe| format!("--{flag}={}", question(probe))),
        );
    }
    if let Some(port) = container.answers_on {
        let ready = container.probes.ready.as_ref();
        words.extend(ready.map(|probe| format!("--ready={}", question(probe))));
        words.push(format!("--serve=0.0.0.0:{port}"));
    }
    words.push(format!("--grace={}", duration(container.grace)));
    if keeps_restarts(&container.probes) {
        words.push(format!("--state={RESTARTS_FOLDER}"));
    }
    words.push("--".to_owned());
    words.extend(program.iter().cloned());
    (Some(words), (!arguments.is_empty()).then_some(arguments))
}

/// A probe as the blocks read it.
pub(super) fn question(probe: &Probe) -> String {
    let slack = match probe.action {
        Action::Exec { .. } => Duration::ZERO,
        // The command keeps the time itself; starting it takes some more.
        _ => SLACK,
    };
    serde_json::json!({
        "command": probe_command(probe),
        "delay": probe.delay.as_millis(),
        "every": probe.every.as_millis(),
        "timeout": (probe.timeout + slack).as_millis(),
        "failures": probe.failures,
        "successes": probe.successes,
    })
    .to_string()
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
        timeout: probe.timeout + SLACK,
        failures: probe.failures,
        start: probe.delay + startup,
    })
}
