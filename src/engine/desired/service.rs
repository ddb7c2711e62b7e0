//! Services: names on the network where those do, a proxy where they don't.

use std::collections::BTreeSet;
use std::time::Duration;

use super::probe::{duration, health, question};
use super::template::bare;
use super::{Container, Error, Published, Replica, Surroundings};
use crate::engine::labels::Role;
use crate::stack::{self, Action, Affinity, Probe, Probes, Protocol, Service, Stack};

/// Whether a service needs a proxy: Docker's names know neither readiness nor another port.
pub fn is_proxied(service: &Service, replicas: u32) -> bool {
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
    arguments.extend(checks(pod, surroundings));
    arguments.push(format!("--resolve-every={}", duration(resolve_every(pod))));
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

/// The first port on which a container's `init` may answer for its readiness; the next container takes the next.
const FIRST_ANSWER: u16 = 61_200;

/// The port on which `init` has to answer for a container's readiness: nobody can ask a command from outside, or
/// whether a startup probe has passed.
pub(super) fn answer_port(spec: &stack::PodSpec, container: &stack::Container) -> Option<u16> {
    let is_asked = match (&container.probes.ready, &container.probes.startup) {
        (Some(ready), _) => matches!(ready.action, Action::Exec { .. }),
        (None, startup) => startup.is_some(),
    };
    if !is_asked || container.role == stack::Role::Init {
        return None;
    }
    let place = spec
        .containers
        .iter()
        .position(|other| other.name == container.name)?;
    let declared: BTreeSet<u16> = spec
        .containers
        .iter()
        .flat_map(|container| container.ports.iter().map(|port| port.port))
        .collect();
    (FIRST_ANSWER..=u16::MAX)
        .filter(|port| !declared.contains(port))
        .nth(place)
}

/// The proxy's checks of its backends: the readiness of every container, as for a cluster's service, else whether a
/// connection opens.
fn checks(pod: &stack::Pod, surroundings: &Surroundings) -> Vec<String> {
    let questions: Vec<String> = pod
        .spec
        .containers
        .iter()
        .filter_map(|container| {
            let probe = container
                .probes
                .ready
                .as_ref()
                .or(container.probes.startup.as_ref())?;
            let asked = match answer_port(&pod.spec, container) {
                // Nobody can be asked for what a command would say.
                Some(_) if !surroundings.knows_program(container) => {
                    return (!matches!(probe.action, Action::Exec { .. })).then(|| question(probe));
                }
                None => probe.clone(),
                Some(port) => Probe {
                    action: Action::Http {
                        path: "/readyz".to_owned(),
                        port,
                        scheme: stack::Scheme::Http,
                        headers: Vec::new(),
                    },
                    // It has counted already.
                    failures: 1,
                    successes: 1,
                    every: probe.every / 4,
                    timeout: Duration::from_secs(1),
                    ..probe.clone()
                },
            };
            (container.role != stack::Role::Init).then(|| question(&asked))
        })
        .collect();
    if questions.is_empty() {
        return ["--check", "tcp"].map(str::to_owned).to_vec();
    }
    let questions = questions
        .into_iter()
        .map(|question| format!("--probe={question}"));
    std::iter::once("--check=none".to_owned())
        .chain(questions)
        .collect()
}

/// How often the proxy looks for new replicas: within the shortest period of the pod's readiness probes.
fn resolve_every(pod: &stack::Pod) -> Duration {
    let probes = pod
        .spec
        .containers
        .iter()
        .filter_map(|container| container.probes.ready.as_ref());
    let shortest = probes.map(|probe| probe.every / 2).min();
    shortest.map_or(LATEST_LOOK, |every| every.clamp(SOONEST_LOOK, LATEST_LOOK))
}

const SOONEST_LOOK: Duration = Duration::from_millis(200);
const LATEST_LOOK: Duration = Duration::from_secs(1);
