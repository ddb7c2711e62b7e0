//! Checks what pods and jobs may dial, and whether they seem to dial anything else.

use std::collections::{BTreeMap, BTreeSet};

use super::{Checker, Scope};
use crate::diagnostic::{Diagnostic, Span, quoted};
use crate::stack::egress::NotNetwork;
use crate::stack::raw::{RawJob, RawPod};
use crate::stack::{Edge, EnvValue, Job, Name, Network, Peer, Pod, PodSpec, Service};
use crate::yaml::{Field, List, Map, Spanned, Text};

/// What stands for every public address.
const INTERNET: &str = "internet";

impl Checker<'_> {
    /// What a pod or job may dial; what isn't there is said. `None` is anything.
    pub(super) fn egress(&mut self, written: &Field<List<Text>>, scope: &Scope<'_>) -> Option<Vec<Edge>> {
        let list = written.value()?;
        let mut edges: Vec<Edge> = Vec::new();
        for item in &list.0 {
            let Some(to) = self.peer(item, scope) else {
                continue;
            };
            if edges.iter().any(|edge| edge.to == to) {
                self.push(Diagnostic::warning(
                    item.span,
                    format!("{} is here twice", quoted(&item.value.0)),
                ));
                continue;
            }
            edges.push(Edge {
                place: self.place(item.span),
                to,
            });
        }
        Some(edges)
    }

    fn peer(&mut self, item: &Spanned<Text>, scope: &Scope<'_>) -> Option<Peer> {
        let text = item.value.0.as_str();
        let is_service = scope.services.contains(text);
        if text == INTERNET && is_service {
            self.push(
                Diagnostic::error(
                    item.span,
                    "`internet` is every public address, and a service here",
                )
                .help("give the service another name"),
            );
            return None;
        }
        if is_service {
            return Name::new(text).map(Peer::Service);
        }
        let (target, port) = match text.rsplit_once(':') {
            // A colon in front of the slash is part of an IPv6 address.
            Some((target, port)) if !port.contains('/') => match port.parse::<u16>() {
                Ok(port) if port > 0 => (target, Some(port)),
                _ => {
                    self.push(Diagnostic::error(
                        item.span,
                        format!("{} is no port from 1 to 65535", quoted(port)),
                    ));
                    return None;
                }
            },
            _ => (text, None),
        };
        if target == INTERNET {
            return Some(Peer::Internet(port));
        }
        if port.is_some() && scope.services.contains(target) {
            self.push(
                Diagnostic::error(item.span, "a service is dialled on all of its ports")
                    .help(format!("write `{target}`")),
            );
            return None;
        }
        match Network::parse(target) {
            Ok(network) => return Some(Peer::Network(network, port)),
            Err(NotNetwork::Bits(network)) => self.push(
                Diagnostic::error(
                    item.span,
                    format!("{} has bits behind its prefix", quoted(target)),
                )
                .help(format!("write `{network}`, or a longer prefix")),
            ),
            Err(NotNetwork::Form) => {
                let known = scope.services.iter().copied().chain([INTERNET]);
                let help = if scope.pods.contains(target) {
                    "it is a pod: name a service in front of it".to_owned()
                } else if let Ok(address) = target.parse::<std::net::IpAddr>() {
                    format!("write `{address}/{}`", if address.is_ipv4() { 32 } else { 128 })
                } else if target.contains('.') {
                    "a cluster knows addresses, no names: write `internet`, or a network such as `10.0.0.0/8`"
                        .to_owned()
                } else {
                    self.problems.did_you_mean(target, known).unwrap_or_else(|| {
                        "it is a service of the stack, `internet`, or a network such as `10.0.0.0/8`"
                            .to_owned()
                    })
                };
                self.push(
                    Diagnostic::error(item.span, format!("{} can't be dialled", quoted(text))).help(help),
                );
            }
        }
        None
    }

    /// Warns where a pod that says what it dials seems to dial another service, too.
    pub(super) fn undeclared_edges(
        &mut self,
        services: &[Service],
        pods: &[Pod],
        jobs: &[Job],
        raw_pods: &Map<RawPod>,
        raw_jobs: &Map<RawJob>,
    ) {
        let behind: BTreeMap<&str, &Name> = services
            .iter()
            .map(|service| (service.name.as_str(), &service.pod))
            .collect();
        let of_pods = raw_pods.0.iter().filter_map(|entry| {
            let key = entry.value.as_ref()?.value.egress.key()?;
            Some((entry.key.value.as_str(), key))
        });
        let of_jobs = raw_jobs.0.iter().filter_map(|entry| {
            let key = entry.value.as_ref()?.value.egress.key()?;
            Some((entry.key.value.as_str(), key))
        });
        let spans: BTreeMap<&str, Span> = of_pods.chain(of_jobs).collect();
        let stable: BTreeSet<&Name> = pods
            .iter()
            .filter(|pod| pod.stable)
            .map(|pod| &pod.name)
            .collect();
        let specs = pods.iter().map(|pod| (&pod.name, &pod.spec));
        for (name, spec) in specs.chain(jobs.iter().map(|job| (&job.name, &job.spec))) {
            let (Some(edges), Some(span)) = (&spec.egress, spans.get(name.as_str())) else {
                continue;
            };
            let mut known: BTreeSet<&str> = edges
                .iter()
                .filter_map(|edge| match &edge.to {
                    Peer::Service(service) => Some(service.as_str()),
                    Peer::Internet(_) | Peer::Network(..) => None,
                })
                .collect();
            for (container, text) in texts(spec) {
                for host in hosts(text) {
                    let Some((service, pod)) = behind.get_key_value(service_of(host, &behind)) else {
                        continue;
                    };
                    let is_own = *pod == name && stable.contains(name);
                    if is_own || !known.insert(service) {
                        continue;
                    }
                    self.push(
                        Diagnostic::warning(
                            *span,
                            format!(
                                "the container {} seems to dial the service {}, which isn't in `egress`",
                                quoted(container.as_str()),
                                quoted(service)
                            ),
                        )
                        .help(format!("a cluster won't let it through: add `{service}`")),
                    );
                }
            }
        }
    }
}

/// The texts that a pod's containers are run with.
fn texts(spec: &PodSpec) -> impl Iterator<Item = (&Name, &str)> {
    spec.containers.iter().flat_map(|container| {
        let words = container.command.command.iter().chain(&container.command.args);
        let env = container.env.iter().filter_map(|(_, value)| match value {
            EnvValue::Text(text) => Some(text.as_str()),
            EnvValue::Secret { .. } => None,
        });
        let texts = words.flatten().map(String::as_str).chain(env);
        texts.map(|text| (&container.name, text))
    })
}

/// What stands in a text as a host: before `:` and a number, or after `//`.
fn hosts(text: &str) -> impl Iterator<Item = &str> {
    let is_part = |character: char| character.is_ascii_alphanumeric() || character == '-' || character == '.';
    let before_ports = text.match_indices(':').filter_map(move |(at, _)| {
        let digit = text[at + 1..].starts_with(|next: char| next.is_ascii_digit());
        let start = text[..at]
            .rfind(|character| !is_part(character))
            .map_or(0, |place| {
                place + text[place..].chars().next().map_or(1, char::len_utf8)
            });
        digit.then(|| &text[start..at])
    });
    let after_slashes = text.match_indices("//").map(move |(at, slashes)| {
        let rest = &text[at + slashes.len()..];
        let authority = &rest[..rest
            .find(['/', '?', '#', ' ', ',', '"', '\''])
            .unwrap_or(rest.len())];
        let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
        &host[..host.find(|character| !is_part(character)).unwrap_or(host.len())]
    });
    before_ports.chain(after_slashes)
}

/// The service that a host means: itself, or the one of `cache-0.cache`.
fn service_of<'a>(host: &'a str, services: &BTreeMap<&str, &Name>) -> &'a str {
    match host.split_once('.') {
        Some((replica, service)) => {
            let is_replica = services.get(service).is_some_and(|pod| {
                let number = replica.strip_prefix(pod.as_str());
                number
                    .and_then(|number| number.strip_prefix('-'))
                    .is_some_and(|number| number.parse::<u32>().is_ok())
            });
            if is_replica { service } else { host }
        }
        None => host,
    }
}

#[cfg(test)]
mod tests {
    use super::hosts;

    #[track_caller]
    fn check(text: &str, expect: &[&str]) {
        let found: Vec<&str> = hosts(text).filter(|host| !host.is_empty()).collect();
        assert_eq!(found, expect, "{text}");
    }

    #[test]
    fn a_host_stands_before_a_port_or_after_slashes() {
        check("db:5432", &["db"]);
        check("redis://cache", &["cache"]);
        check("postgres://me:secret@db/shop?a=b", &["db"]);
        check("postgres://me:7@db:5432/shop", &["me", "db", "db"]);
        check(
            "production=production:8080*10%,experiment=cache-0.cache:81",
            &["production", "cache-0.cache"],
        );
        check("--seed=ü:8080", &[]);
        check("12:30 and a//b/c", &["12", "b"]);
        check("db", &[]);
        check("", &[]);
        check(":8080 //", &[]);
    }
}
