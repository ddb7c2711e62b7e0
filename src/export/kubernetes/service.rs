//! Turns services into Kubernetes' services.

use serde::Serialize;

use super::container::protocol;
use super::front::{self, front};
use super::object::{Content, Labels};
use super::{At, Context, Error, Objects, fields};
use crate::stack::promise::{Ask, FaultKind};
use crate::stack::{self, Affinity, Name, Stack};

/// What a service is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceSpec {
    #[serde(skip_serializing_if = "Option::is_none")]
    r#type: Option<&'static str>,
    #[serde(rename = "clusterIP", skip_serializing_if = "Option::is_none")]
    cluster_ip: Option<&'static str>,
    selector: Labels,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    ports: Vec<PortSpec>,
    #[serde(skip_serializing_if = "Option::is_none")]
    session_affinity: Option<&'static str>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    publish_not_ready_addresses: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PortSpec {
    name: String,
    port: u16,
    target_port: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    protocol: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    app_protocol: Option<&'static str>,
}

impl ServiceSpec {
    /// One that has an address outside the cluster, too.
    pub fn load_balancer(selector: Labels, ports: Vec<PortSpec>, affinity: bool) -> Self {
        Self {
            r#type: Some("LoadBalancer"),
            cluster_ip: None,
            selector,
            ports,
            session_affinity: affinity.then_some("ClientIP"),
            publish_not_ready_addresses: false,
        }
    }
}

/// Turns a service.
pub fn service(context: &mut Context, objects: &mut Objects, service: &stack::Service) {
    let at = At {
        path: format!("services.{}", service.name),
        place: &service.place,
    };
    check_name(context, &service.name, &at);
    let is_default = |namespace: &Name| namespace.as_str() == "default";
    if service.name.as_str() == "kubernetes" && context.options.namespace.as_ref().is_none_or(is_default) {
        context.errors.push(Error::TakenByDefault {
            place: service.place.clone(),
        });
    }
    let affinity = service.affinity == Affinity::Client;
    if affinity && service.headless {
        context.say(
            &fields::HEADLESS_AFFINITY,
            &at.field("affinity"),
            "clients of a headless service choose a replica themselves".to_owned(),
            "leave out `headless`, or let the clients keep to one",
        );
    }
    let spec = ServiceSpec {
        r#type: None,
        cluster_ip: service.headless.then_some("None"),
        selector: context.selector(&service.pod),
        ports: service
            .ports
            .iter()
            .map(|written| port(context, service, written))
            .collect(),
        session_affinity: (affinity && !service.headless).then_some("ClientIP"),
        publish_not_ready_addresses: names_replicas(context.stack, service),
    };
    let metadata = context.metadata(&service.pod, service.name.to_string());
    objects.add(metadata, Content::Service(spec), &at);
    front(context, objects, service);
}

/// Turns one port. It points at a number: a name would be looked up among the main containers
/// only by clusters before 1.33, and a pattern's port is often a sidecar's.
fn port(context: &mut Context, service: &stack::Service, port: &stack::ServicePort) -> PortSpec {
    let at = At {
        path: format!("services.{}.ports.{}", service.name, port.name),
        place: &port.place,
    };
    if service.headless && port.target != port.port {
        context.say(
            &fields::HEADLESS_TARGET,
            &at.field("target"),
            format!("clients have to dial {}, not {}", port.target, port.port),
            "give both the same number, or leave out `headless`",
        );
    }
    port_spec(port, port.port)
}

/// A port under a number.
pub fn port_spec(port: &stack::ServicePort, number: u16) -> PortSpec {
    PortSpec {
        name: port.name.to_string(),
        port: number,
        target_port: port.target,
        protocol: protocol(port.protocol),
        app_protocol: front::is_grpc(port).then_some("kubernetes.io/h2c"),
    }
}

/// The service of the stack that gives the replicas of a stable pod their names.
pub fn naming<'a>(stack: &'a Stack, pod: &'a stack::Pod) -> Option<&'a stack::Service> {
    let mut services = stack.services_of(&pod.name);
    services.find(|service| pod.stable && service.headless)
}

/// Whether a service is the one that names replicas: it answers with those that aren't ready too, since they may have
/// to find each other first.
fn names_replicas(stack: &Stack, service: &stack::Service) -> bool {
    let pod = stack.pod(service.pod.as_str());
    let naming = pod.and_then(|pod| naming(stack, pod));
    naming.is_some_and(|naming| naming.name == service.name)
}

/// The headless service that gives the replicas of a stable pod their names: the stack's own,
/// or one that is made for it. Returns its name.
pub fn governing(context: &mut Context, objects: &mut Objects, at: &At, pod: &stack::Pod) -> String {
    if let Some(service) = naming(context.stack, pod) {
        return service.name.to_string();
    }
    if let Some(service) = context.stack.services_of(&pod.name).next() {
        context.say(
            &fields::REPLICA_NAMES,
            &at.field("stable"),
            format!("`{}-0.{}` isn't a name on a cluster", pod.name, service.name),
            format!(
                "add `headless: true` to the service `{}`, if replicas are dialled by name",
                service.name
            ),
        );
    }
    let is_taken = context
        .stack
        .services()
        .iter()
        .any(|service| service.name == pod.name);
    let name = if is_taken {
        format!("{}-replicas", pod.name)
    } else {
        pod.name.to_string()
    };
    match Name::new(&name) {
        Some(name) => check_name(context, &name, at),
        None => context.errors.push(Error::TooLong {
            object: "Service",
            limit: 63,
            name: name.clone(),
            place: at.place.clone(),
        }),
    }
    let spec = ServiceSpec {
        r#type: None,
        cluster_ip: Some("None"),
        selector: context.selector(&pod.name),
        ports: Vec::new(),
        session_affinity: None,
        publish_not_ready_addresses: true,
    };
    let metadata = context.metadata(&pod.name, name.clone());
    objects.add(metadata, Content::Service(spec), at);
    name
}

/// A service's name is a label of the older kind, which starts with a letter.
fn check_name(context: &mut Context, name: &Name, at: &At) {
    if name.as_str().starts_with(|first: char| first.is_ascii_digit()) {
        context.errors.push(Error::ServiceName {
            name: name.to_string(),
            place: at.place.clone(),
        });
    }
}

/// Says which promises rest on the proxy that stands before several replicas on Docker: it tries another one
/// when a connection fails, and a cluster's service doesn't.
pub fn promises(context: &mut Context) {
    let stack = context.stack;
    for promise in stack.promises() {
        // Who may lose one question in a hundred doesn't rest on it.
        if promise.expect.lost.is_none_or(|most| most.allows(1, 100)) {
            continue;
        }
        let host = promise.load.as_ref().and_then(|load| host(&load.ask));
        let service = host.and_then(|host| {
            let mut services = stack.services().iter();
            services.find(|service| service.name.as_str() == host)
        });
        let Some(service) = service.filter(|service| !service.headless) else {
            continue;
        };
        let is_replicated = stack.pod(service.pod.as_str()).is_some_and(|pod| pod.most() > 1);
        if !is_replicated
            || !promise
                .faults
                .iter()
                .any(|fault| takes_away(&fault.kind, &service.pod))
        {
            continue;
        }
        let at = At {
            path: format!("promises.{}", promise.name),
            place: &promise.place,
        };
        context.say(
            &fields::PROMISE,
            &at,
            format!(
                "connections to `{}` that reach a replica which is away fail until the cluster has noticed",
                service.name
            ),
            format!(
                "let clients try again, or put a pod with the block `proxy` before a headless service of `{}`",
                service.pod
            ),
        );
    }
}

/// The host that is asked.
fn host(ask: &Ask) -> Option<&str> {
    let authority = match ask {
        Ask::Http(http) => {
            let (_, rest) = http.url.split_once("://")?;
            &rest[..rest.find(['/', '?']).unwrap_or(rest.len())]
        }
        Ask::Tcp { address, .. } | Ask::Redis { address, .. } => address,
        Ask::Command { .. } => return None,
    };
    Some(authority.rsplit_once(':').map_or(authority, |(host, _)| host))
}

/// Whether a fault makes connections to replicas of a pod fail; those to one that hangs are accepted.
fn takes_away(kind: &FaultKind, pod: &Name) -> bool {
    match kind {
        FaultKind::Kill(target)
        | FaultKind::Stop(target)
        | FaultKind::Restart(target)
        | FaultKind::Cut(target) => target.pod == *pod,
        FaultKind::Scale(scaled, _) => scaled == pod,
        FaultKind::Set(_) | FaultKind::Change => true,
        FaultKind::Pause(_)
        | FaultKind::Hang(_)
        | FaultKind::Slow(..)
        | FaultKind::Fill(..)
        | FaultKind::Rotate(_)
        | FaultKind::Exec(..) => false,
    }
}
