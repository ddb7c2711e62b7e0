//! Services: names on the network where those do, a proxy where they don't.

use std::collections::BTreeSet;
use std::time::Duration;

use super::probe::{duration, health};
use super::template::bare;
use super::{Container, Error, Published, Replica, Surroundings};
use crate::engine::labels::Role;
use crate::stack::{self, Action, Affinity, Probe, Probes, Protocol, Service, Stack};

/// Whether a service needs a proxy: Docker's names know neither readiness nor another port.
pub(super) fn is_proxied(service: &Service, replicas: u32) -> bool {
    let moves_a_port = || service.ports.iter().any(|port| port.port != port.target);
    !service.headless && (replicas != 1 || moves_a_port())
}

pub(super) fn udp_ports(service: &Service) -> impl Iterator<Item = Error> {
    service
        .ports
        .iter()
        .filter(|port| port.protocol == Protocol::Udp)
        .map(|port| Error::Udp {
            place: port.place.clone(),
            service: service.name.clone(),
            port: port.name.clone(),
        })
}

/// The name that answers with the address of every replica behind a service.
pub(super) fn group_alias(service: &Service) -> String {
    format!("pods.{}", service.name)
}

pub(super) fn published(
    service: &Service,
    port_of: impl Fn(&stack::ServicePort) -> u16,
) -> impl Iterator<Item = Published> {
    service.ports.iter().filter_map(move |port| {
        port.publish.map(|at| Published {
            service: service.name.to_string(),
            name: port.name.to_string(),
            at,
            port: port_of(port),
            protocol: port.protocol,
        })
    })
}

/// The container that holds a service's name and publishes its ports.
pub(super) fn proxy(
    stack: &Stack,
    surroundings: &Surroundings,
    service: &Service,
    pod: &stack::Pod,
) -> Replica {
    let taken: BTreeSet<u16> = service.ports.iter().map(|port| port.port).collect();
    let admin = (9901..=u16::MAX)
        .find(|port| !taken.contains(port))
        .unwrap_or(9901);
    let mut arguments = vec!["proxy".to_owned(), "--mode".to_owned(), "tcp".to_owned()];
    for port in &service.ports {
        arguments.push("--forward".to_owned());
        arguments.push(format!("{}={}:{}", port.port, group_alias(service), port.target));
    }
    arguments.extend(checks(pod));
    if service.affinity == Affinity::Client {
        arguments.extend(["--balance".to_owned(), "client".to_owned()]);
    }
    arguments.extend(["--admin".to_owned(), format!("0.0.0.0:{admin}")]);
    // Asked on loopback: the answer is about its own process, so it needs no address.
    let ready = Probe {
        place: service.place.clone(),
        action: Action::Http {
            path: "/readyz".to_owned(),
            port: admin,
            scheme: stack::Scheme::Http,
            headers: Vec::new(),
        },
        delay: Duration::ZERO,
        every: Duration::from_secs(5),
        timeout: Duration::from_secs(1),
        failures: 3,
        successes: 1,
    };
    let probes = Probes {
        ready: Some(ready),
        ..Probes::default()
    };
    let container = Container {
        name: format!("{}-{}", stack.name(), service.name),
        role: Role::Proxy,
        image: surroundings.block_image.clone(),
        arguments: Some(arguments),
        hostname: Some(service.name.to_string()),
        aliases: vec![service.name.to_string()],
        publish: published(service, |port| port.port).collect(),
        health: health(&probes),
        probes,
        ..bare(service.name.as_str(), 0)
    };
    Replica {
        pod: service.name.to_string(),
        index: 0,
        due: None,
        containers: vec![container],
    }
}

/// The proxy's checks of its backends: the pod's first network readiness probe, else whether a connection opens.
fn checks(pod: &stack::Pod) -> Vec<String> {
    let probe = pod
        .spec
        .containers
        .iter()
        .filter_map(|container| container.probes.ready.as_ref())
        .find(|probe| matches!(probe.action, Action::Http { .. } | Action::Tcp { .. }));
    let mut words = Vec::new();
    match probe.map(|probe| &probe.action) {
        Some(Action::Http {
            path, port, scheme, ..
        }) => {
            words.extend(["--check", "http", "--check-path", path, "--check-port"].map(str::to_owned));
            words.extend([
                port.to_string(),
                "--check-scheme".to_owned(),
                scheme.as_str().to_owned(),
            ]);
        }
        Some(Action::Tcp { port }) => {
            words.extend(["--check", "tcp", "--check-port"].map(str::to_owned));
            words.push(port.to_string());
        }
        _ => words.extend(["--check", "tcp"].map(str::to_owned)),
    }
    if let Some(probe) = probe {
        // A local proxy can afford to notice sooner than a kubelet with a hundred pods.
        let every = probe.every.min(Duration::from_secs(1));
        words.extend(["--check-every".to_owned(), duration(every)]);
        words.extend(["--check-timeout".to_owned(), duration(probe.timeout)]);
        words.extend(["--check-failures".to_owned(), probe.failures.to_string()]);
    }
    words
}
