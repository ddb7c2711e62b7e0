//! Turns what is published to the world into an `Ingress`, a Gateway route or a load balancer.

use std::collections::BTreeMap;

use serde::Serialize;

use super::object::Content;
use super::service::{self, ServiceSpec};
use super::{At, Context, Error, Gateway, Objects, fields};
use crate::stack::{self, Action, Name, Protocol, Publish, Scheme, Stack};

/// Which requests go to which service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct IngressSpec {
    #[serde(skip_serializing_if = "Option::is_none")]
    ingress_class_name: Option<String>,
    rules: Vec<Rule>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Rule {
    #[serde(skip_serializing_if = "Option::is_none")]
    host: Option<String>,
    http: Paths,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Paths {
    paths: Vec<Requests>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Requests {
    path: &'static str,
    path_type: &'static str,
    backend: Backend,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Backend {
    service: BackendService,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct BackendService {
    name: String,
    port: BackendPort,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct BackendPort {
    number: u16,
}

/// Which requests at a gateway go to which service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RouteSpec {
    parent_refs: Vec<Gateway>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    hostnames: Vec<String>,
    rules: Vec<RouteRule>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct RouteRule {
    backend_refs: Vec<RouteBackend>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct RouteBackend {
    name: String,
    port: u16,
}

/// The longest part of a host name between two dots.
const LABEL_LIMIT: usize = 63;

/// What a port is spoken to in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Speech {
    Http,
    Grpc,
    /// Anything else, TLS included: it is passed on byte by byte.
    Other,
}

/// What begins the name of a port, and what such a port speaks; the first that fits counts.
const NAMES: [(&str, Speech); 4] = [
    ("https", Speech::Other),
    ("http", Speech::Http),
    ("grpcs", Speech::Other),
    ("grpc", Speech::Grpc),
];

/// What a port speaks by its own name, else by that of the container's port.
fn named(port: &stack::ServicePort) -> Option<Speech> {
    let names = [Some(&port.name), port.target_name.as_ref()];
    let spoken = |name: &Name| {
        let found = NAMES.iter().find(|(begin, _)| name.as_str().starts_with(begin));
        found.map(|(_, speech)| *speech)
    };
    names.into_iter().flatten().find_map(spoken)
}

/// What the port of a service speaks, by its name, else by its probes.
fn speech(stack: &Stack, service: &stack::Service, port: &stack::ServicePort) -> Speech {
    if port.protocol != Protocol::Tcp {
        return Speech::Other;
    }
    if let Some(named) = named(port) {
        return named;
    }
    let containers = stack.pod(service.pod.as_str()).into_iter();
    let probed = containers
        .flat_map(|pod| &pod.spec.containers)
        .flat_map(|container| {
            let probes = &container.probes;
            [&probes.startup, &probes.ready, &probes.live]
        })
        .flatten()
        .any(|probe| {
            matches!(&probe.action, Action::Http { port: asked, scheme: Scheme::Http, .. } if *asked == port.target)
        });
    if probed { Speech::Http } else { Speech::Other }
}

/// Whether a port speaks gRPC, which is HTTP/2 without TLS.
pub fn is_grpc(port: &stack::ServicePort) -> bool {
    port.protocol == Protocol::Tcp && named(port) == Some(Speech::Grpc)
}

fn to_the_world(port: &stack::ServicePort) -> Option<Publish> {
    port.publish.filter(|publish| !publish.address.is_loopback())
}

/// How many ports of the stack would be found by requests alone.
pub fn count(stack: &Stack) -> usize {
    let of = |service: &stack::Service| {
        let ports = service.ports.iter();
        ports
            .filter(|port| to_the_world(port).is_some() && speech(stack, service, port) != Speech::Other)
            .count()
    };
    stack.services().iter().map(of).sum()
}

/// Makes what stands before the published ports of a service, and says what isn't published.
pub fn front(context: &mut Context, objects: &mut Objects, service: &stack::Service) {
    let stack = context.stack;
    let mut requests = Vec::new();
    let mut bytes = Vec::new();
    for port in &service.ports {
        let Some(publish) = port.publish else { continue };
        match to_the_world(port) {
            None => local(context, service, port, publish),
            Some(publish) => match speech(stack, service, port) {
                Speech::Other => bytes.push((port, publish)),
                Speech::Http | Speech::Grpc => requests.push(port),
            },
        }
    }
    for port in &requests {
        route(context, objects, service, port, requests.len() > 1);
    }
    if !requests.is_empty() && service.affinity == stack::Affinity::Client {
        let at = At {
            path: format!("services.{}.affinity", service.name),
            place: &service.place,
        };
        context.say(
            &fields::FRONT_AFFINITY,
            &at,
            "clients from outside come by a controller, which chooses a replica itself".to_owned(),
            "configure its session affinity, such as by a cookie",
        );
    }
    if !bytes.is_empty() {
        load_balancer(context, objects, service, &bytes);
    }
}

fn at<'a>(service: &stack::Service, port: &'a stack::ServicePort) -> At<'a> {
    At {
        path: format!("services.{}.publish.{}", service.name, port.name),
        place: &port.place,
    }
}

/// A port for this machine alone.
fn local(context: &mut Context, service: &stack::Service, port: &stack::ServicePort, publish: Publish) {
    let host = if publish.port == 0 {
        port.port
    } else {
        publish.port
    };
    let namespace = context.kubectl_namespace();
    context.say(
        &fields::PUBLISH,
        &at(service, port),
        format!(
            "port {} isn't published on this machine; inside the cluster every pod may dial it",
            port.port
        ),
        format!(
            "kubectl{namespace} port-forward service/{} {host}:{}",
            service.name, port.port
        ),
    );
}

/// A port that is found by the requests to it.
fn route(
    context: &mut Context,
    objects: &mut Objects,
    service: &stack::Service,
    port: &stack::ServicePort,
    is_one_of_many: bool,
) {
    let at = at(service, port);
    let name = if is_one_of_many {
        format!("{}-{}", service.name, port.name)
    } else {
        service.name.to_string()
    };
    let host = context
        .options
        .domain
        .as_ref()
        .map(|domain| format!("{name}.{domain}"));
    if host.is_none() && context.requests > 1 {
        context.say(
            &fields::PUBLISH_UNNAMED,
            &at,
            format!(
                "port {} isn't published: it is one of {}, and nothing tells their requests apart",
                port.port, context.requests
            ),
            format!("give them names by `--domain example.com`: this one is `{name}.example.com` then"),
        );
        return;
    }
    if host.is_some() && name.len() > LABEL_LIMIT {
        context.errors.push(Error::TooLong {
            object: "host",
            limit: LABEL_LIMIT,
            name: name.clone(),
            place: port.place.clone(),
        });
    }
    say_route(context, port, &at, host.as_deref());
    let metadata = context.metadata(&service.pod, name);
    let object = content(context, service, port, host);
    objects.add(metadata, object, &at);
}

/// The object that sends requests to a port.
fn content(
    context: &Context,
    service: &stack::Service,
    port: &stack::ServicePort,
    host: Option<String>,
) -> Content {
    match &context.options.gateway {
        Some(gateway) => Content::HttpRoute(RouteSpec {
            parent_refs: vec![gateway.clone()],
            hostnames: host.into_iter().collect(),
            rules: vec![RouteRule {
                backend_refs: vec![RouteBackend {
                    name: service.name.to_string(),
                    port: port.port,
                }],
            }],
        }),
        None => Content::Ingress(IngressSpec {
            ingress_class_name: context.options.ingress_class.clone(),
            rules: vec![Rule {
                host,
                http: Paths {
                    paths: vec![Requests {
                        path: "/",
                        path_type: "Prefix",
                        backend: Backend {
                            service: BackendService {
                                name: service.name.to_string(),
                                port: BackendPort { number: port.port },
                            },
                        },
                    }],
                },
            }],
        }),
    }
}

/// Says what is other than on this machine where requests come by a controller.
fn say_route(context: &mut Context, port: &stack::ServicePort, at: &At, host: Option<&str>) {
    let (what, kind) = match &context.options.gateway {
        Some(gateway) => (format!("the gateway `{}`", gateway.name), "HTTPRoute"),
        None => ("the cluster's ingress controller".to_owned(), "Ingress"),
    };
    let shown = host.unwrap_or("any host");
    context.say(
        &fields::PUBLISH_REQUESTS,
        at,
        format!(
            "port {} is reached by requests for {shown} at the ports of {what}",
            port.port
        ),
        match host {
            Some(host) => {
                format!("point `{host}` at it in the DNS; a certificate for it is the controller's to have")
            }
            None => {
                "point a name at it in the DNS; a certificate for it is the controller's to have".to_owned()
            }
        },
    );
    if is_grpc(port) && kind == "Ingress" {
        context.say(
            &fields::PUBLISH_GRPC,
            at,
            format!("port {} speaks gRPC, which no Ingress can say", port.port),
            "tell the controller by its own annotation, or export with `--gateway`",
        );
    }
}

/// Ports that are passed on byte by byte, at an address of their own.
fn load_balancer(
    context: &mut Context,
    objects: &mut Objects,
    service: &stack::Service,
    published: &[(&stack::ServicePort, Publish)],
) {
    let name = format!("{}-public", service.name);
    if Name::new(&name).is_none() {
        context.errors.push(Error::TooLong {
            object: "Service",
            limit: 63,
            name: name.clone(),
            place: service.place.clone(),
        });
    }
    let namespace = context.kubectl_namespace();
    let mut taken: BTreeMap<(u16, stack::Protocol), &stack::ServicePort> = BTreeMap::new();
    let mut ports = Vec::new();
    for (port, publish) in published {
        let number = if publish.port == 0 {
            port.port
        } else {
            publish.port
        };
        let at = at(service, port);
        if let Some(other) = taken.insert((number, port.protocol), port) {
            context.errors.push(Error::Collision {
                kind: "published port",
                name: number.to_string(),
                place: port.place.clone(),
                other: other.place.clone(),
            });
        }
        context.say(
            &fields::PUBLISH_BYTES,
            &at,
            format!("port {number} is published at an address that the cluster gives to `{name}`"),
            format!("kubectl{namespace} get service {name}, and point a name at its address"),
        );
        ports.push(service::port_spec(port, number));
    }
    let metadata = context.metadata(&service.pod, name);
    let spec = ServiceSpec::load_balancer(
        context.selector(&service.pod),
        ports,
        service.affinity == stack::Affinity::Client,
    );
    let at = At {
        path: format!("services.{}", service.name),
        place: &service.place,
    };
    objects.add(metadata, Content::Service(spec), &at);
}
