//! Turns services into Kubernetes' services.

use serde::Serialize;

use super::container::protocol;
use super::object::{Content, Labels};
use super::{At, Context, Error, Objects, fields};
use crate::stack::{self, Affinity, Name};

/// What a service is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceSpec {
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
struct PortSpec {
    name: String,
    port: u16,
    target_port: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    protocol: Option<&'static str>,
}

/// Turns a service.
pub fn service(context: &mut Context, objects: &mut Objects, service: &stack::Service) {
    let at = At {
        path: format!("services.{}", service.name),
        place: &service.place,
    };
    check_name(context, &service.name, &at);
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
        cluster_ip: service.headless.then_some("None"),
        selector: context.selector(&service.pod),
        ports: service
            .ports
            .iter()
            .map(|written| port(context, service, written))
            .collect(),
        session_affinity: (affinity && !service.headless).then_some("ClientIP"),
        publish_not_ready_addresses: false,
    };
    let metadata = context.metadata(&service.pod, service.name.to_string());
    objects.add(metadata, Content::Service(spec), &at);
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
    if let Some(publish) = port.publish {
        let host = if publish.port == 0 {
            port.port
        } else {
            publish.port
        };
        let namespace = context.kubectl_namespace();
        let forward = format!(
            "kubectl{namespace} port-forward service/{} {host}:{}",
            service.name, port.port
        );
        let (what, remedy) = if publish.address.is_loopback() {
            ("isn't published on this machine", forward)
        } else {
            (
                "isn't reachable from outside the cluster",
                format!(
                    "put an Ingress, a Gateway route or a LoadBalancer in front of it; to try it: {forward}"
                ),
            )
        };
        let at = At {
            path: format!("services.{}.publish.{}", service.name, port.name),
            place: at.place,
        };
        context.say(
            &fields::PUBLISH,
            &at,
            format!("port {} {what}", port.port),
            remedy,
        );
    }
    PortSpec {
        name: port.name.to_string(),
        port: port.port,
        target_port: port.target,
        protocol: protocol(port.protocol),
    }
}

/// The headless service that gives the replicas of a stable pod their names: the stack's own,
/// or one that is made for it. Returns its name.
///
/// It answers with replicas that aren't ready too, since they may have to find each other first.
pub fn governing(context: &mut Context, objects: &mut Objects, at: &At, pod: &stack::Pod) -> String {
    let mut services = context.stack.services_of(&pod.name);
    if let Some(service) = services.find(|service| service.headless) {
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
