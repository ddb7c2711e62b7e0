//! Turns what pods and jobs declare to dial into network policies: everything else is refused.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::object::{Content, Labels};
use super::workload::Selector;
use super::{At, Context, Objects, fields};
use crate::stack::{Name, Peer, PodSpec, Protocol, Service, Stack};

/// Who may dial a pod, and what it may dial.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PolicySpec {
    pod_selector: Selector,
    policy_types: Vec<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    ingress: Vec<Incoming>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    egress: Vec<Outgoing>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Incoming {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    from: Vec<PeerSpec>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    ports: Vec<PortSpec>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Outgoing {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    to: Vec<PeerSpec>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    ports: Vec<PortSpec>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
enum PeerSpec {
    PodSelector(Selector),
    IpBlock(Block),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Block {
    cidr: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    except: Vec<&'static str>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct PortSpec {
    port: u16,
    protocol: &'static str,
}

/// The label of pods that may dial anything.
pub const OPEN: (&str, &str) = ("motif.dev/egress", "any");

/// What isn't the internet: private networks, carriers' own, and the neighbours on the link, where
/// clouds answer with credentials.
const PRIVATE: [&str; 5] = [
    "10.0.0.0/8",
    "100.64.0.0/10",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.168.0.0/16",
];
const PRIVATE_6: [&str; 2] = ["fc00::/7", "fe80::/10"];

/// Who declares to dial which service.
#[derive(Debug, Default)]
pub struct Edges<'a> {
    /// Pods and jobs, by the service that they dial.
    clients: BTreeMap<&'a Name, Vec<&'a Name>>,
    /// Services by name.
    services: BTreeMap<&'a Name, &'a Service>,
    /// Whether some pod or job may dial anything.
    some_are_open: bool,
}

impl<'a> Edges<'a> {
    /// Reads the edges of a stack.
    pub fn of(stack: &'a Stack) -> Self {
        let mut edges = Self {
            services: stack
                .services()
                .iter()
                .map(|service| (&service.name, service))
                .collect(),
            ..Self::default()
        };
        let pods = stack.pods().iter().map(|pod| (&pod.name, &pod.spec));
        for (name, spec) in pods.chain(stack.jobs().iter().map(|job| (&job.name, &job.spec))) {
            let Some(declared) = &spec.egress else {
                edges.some_are_open = true;
                continue;
            };
            for edge in declared {
                if let Peer::Service(service) = &edge.to {
                    edges.clients.entry(service).or_default().push(name);
                }
            }
        }
        edges
    }
}

/// A pod or job, as the network sees it.
pub struct Member<'a> {
    pub name: &'a Name,
    pub spec: &'a PodSpec,
    /// Whether its replicas know each other.
    pub stable: bool,
}

/// Makes the policy of a pod or job.
pub fn policy(context: &mut Context, objects: &mut Objects, at: &At, member: &Member) {
    let itself = || PeerSpec::PodSelector(selector(context.selector(member.name)));
    let mut ingress = incoming(context, member.name);
    let mut egress = member
        .spec
        .egress
        .as_ref()
        .map(|_| outgoing(context, member.spec))
        .unwrap_or_default();
    if member.stable {
        ingress.push(Incoming {
            from: vec![itself()],
            ports: Vec::new(),
        });
        if !egress.is_empty() {
            egress.push(Outgoing {
                to: vec![itself()],
                ports: Vec::new(),
            });
        }
    }
    let mut policy_types = vec!["Ingress"];
    policy_types.extend(member.spec.egress.is_some().then_some("Egress"));
    let policy = PolicySpec {
        pod_selector: selector(context.selector(member.name)),
        policy_types,
        ingress,
        egress,
    };
    let metadata = context.metadata(member.name, member.name.to_string());
    objects.add(metadata, Content::NetworkPolicy(policy), at);
}

/// Says once which pods and jobs may dial anything.
pub fn open(context: &mut Context) {
    let stack = context.stack;
    let pods = stack
        .pods()
        .iter()
        .map(|pod| ("pods", &pod.name, &pod.place, &pod.spec));
    let jobs = stack
        .jobs()
        .iter()
        .map(|job| ("jobs", &job.name, &job.place, &job.spec));
    let mut open = pods.chain(jobs).filter(|(.., spec)| spec.egress.is_none());
    let Some((kind, name, place, _)) = open.next() else {
        return;
    };
    let who = match open.count() {
        0 => format!("`{name}`"),
        1 => format!("`{name}` and another one"),
        others => format!("`{name}` and {others} others"),
    };
    let at = At {
        path: format!("{kind}.{name}.egress"),
        place,
    };
    context.say(
        &fields::OPEN,
        &at,
        format!("{who} may dial anything"),
        "declare what each dials: `egress: [service, internet:443]`, or `[]` for nothing",
    );
}

/// Who may dial a pod: everybody where it is published, else those that say so, and those that say nothing.
fn incoming(context: &Context, pod: &Name) -> Vec<Incoming> {
    let mut open = BTreeSet::new();
    let mut inner: Vec<(&Service, BTreeSet<(u16, Protocol)>)> = Vec::new();
    for service in context.stack.services_of(pod) {
        let (published, others): (Vec<_>, Vec<_>) =
            service.ports.iter().partition(|port| port.publish.is_some());
        open.extend(published.iter().map(|port| (port.target, port.protocol)));
        let others = others.iter().map(|port| (port.target, port.protocol));
        inner.push((service, others.collect()));
    }
    let mut rules = Vec::new();
    if !open.is_empty() {
        rules.push(Incoming {
            from: Vec::new(),
            ports: ports(&open),
        });
    }
    for (service, wanted) in inner {
        let closed: BTreeSet<_> = wanted.difference(&open).copied().collect();
        let clients = context.edges.clients.get(&service.name).into_iter().flatten();
        let mut from: Vec<PeerSpec> = clients
            .map(|client| PeerSpec::PodSelector(selector(context.selector(client))))
            .collect();
        if context.edges.some_are_open {
            let labels = Labels::from([
                ("app.kubernetes.io/instance", context.stack.name().to_string()),
                (OPEN.0, OPEN.1.to_owned()),
            ]);
            from.push(PeerSpec::PodSelector(selector(labels)));
        }
        if !closed.is_empty() && !from.is_empty() {
            rules.push(Incoming {
                from,
                ports: ports(&closed),
            });
        }
    }
    rules
}

/// What a pod may dial: names are always resolved, by whoever does that in the cluster.
fn outgoing(context: &Context, spec: &PodSpec) -> Vec<Outgoing> {
    let mut rules = vec![Outgoing {
        to: Vec::new(),
        ports: both(53),
    }];
    for edge in spec.egress.iter().flatten() {
        let rule = match &edge.to {
            Peer::Service(name) => {
                let Some(service) = context.edges.services.get(name) else {
                    continue;
                };
                let targets = service.ports.iter().map(|port| (port.target, port.protocol));
                Outgoing {
                    to: vec![PeerSpec::PodSelector(selector(context.selector(&service.pod)))],
                    ports: ports(&targets.collect()),
                }
            }
            Peer::Internet(port) => Outgoing {
                to: vec![block(&"0.0.0.0/0", &PRIVATE), block(&"::/0", &PRIVATE_6)],
                ports: port.map(both).unwrap_or_default(),
            },
            Peer::Network(network, port) => Outgoing {
                to: vec![block(network, &[])],
                ports: port.map(both).unwrap_or_default(),
            },
        };
        rules.push(rule);
    }
    rules
}

fn selector(match_labels: Labels) -> Selector {
    Selector { match_labels }
}

fn block(cidr: &impl ToString, except: &[&'static str]) -> PeerSpec {
    PeerSpec::IpBlock(Block {
        cidr: cidr.to_string(),
        except: except.to_vec(),
    })
}

fn ports(ports: &BTreeSet<(u16, Protocol)>) -> Vec<PortSpec> {
    ports
        .iter()
        .map(|(port, protocol)| PortSpec {
            port: *port,
            protocol: match protocol {
                Protocol::Tcp => "TCP",
                Protocol::Udp => "UDP",
            },
        })
        .collect()
}

fn both(port: u16) -> Vec<PortSpec> {
    ports(&[(port, Protocol::Tcp), (port, Protocol::Udp)].into())
}
