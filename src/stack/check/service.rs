//! Checks services: the pods and ports behind them, and the host's ports in front.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::Checker;
use super::pod::{PodPort, PodPorts, ports};
use crate::diagnostic::{Diagnostic, Listed, Span, quoted};
use crate::stack::raw::{RawPortReference, RawService, RawStack};
use crate::stack::{Affinity, Name, Protocol, Publish, Service, ServicePort};
use crate::yaml::{Field, Map, Shorthand};

/// The ports of pods by name; `None` where a pod was written wrongly, which was said.
type Pods<'a> = BTreeMap<&'a str, Option<PodPorts<'a>>>;

/// Host ports that are taken: number and protocol, to the addresses and the places that take them.
type Taken = BTreeMap<(u16, Protocol), Vec<(IpAddr, Span)>>;

impl Checker<'_> {
    pub(super) fn services(&mut self, raw: &RawStack) -> Vec<Service> {
        let (no_pods, no_jobs, no_services) = (Map::default(), Map::default(), Map::default());
        let raw_pods = raw.pods.value().unwrap_or(&no_pods);
        let raw_jobs = raw.jobs.value().unwrap_or(&no_jobs);
        let raw_services = raw.services.value().unwrap_or(&no_services);
        let pods: Pods<'_> = raw_pods
            .0
            .iter()
            .map(|entry| {
                let containers = entry.value.as_ref().and_then(|pod| pod.value.containers.value());
                (entry.key.value.as_str(), containers.map(ports))
            })
            .collect();
        let pods_are_known = !matches!(raw.pods, Field::Invalid(_));
        let mut taken = Taken::new();
        self.each(raw_services, "a service", |checker, name, span, service| {
            if name.as_str().starts_with(|first: char| first.is_ascii_digit()) {
                checker.push(
                    Diagnostic::error(span, format!("{} can't name a service", quoted(name.as_str())))
                        .help("the name of a service begins with a letter, as in Kubernetes"),
                );
            }
            let pod = service.pod.get()?;
            let pod_text = pod.value.0.as_str();
            let pod_ports = pods.get(pod_text);
            if pod_ports.is_none() && pods_are_known {
                let problem = Diagnostic::error(pod.span, format!("no pod {}", quoted(pod_text)));
                let help = if raw_jobs.keys().any(|job| job == pod_text) {
                    "it is a job, which serves nothing".into()
                } else {
                    checker
                        .problems
                        .did_you_mean(pod_text, pods.keys().copied())
                        .unwrap_or_else(|| "declare it under `pods:`".into())
                };
                checker.push(problem.help(help));
            }
            let ports = checker.service_ports(
                span,
                pod_text,
                service,
                pod_ports.and_then(Option::as_ref),
                &mut taken,
            );
            Some(Service {
                name,
                place: checker.place(span),
                pod: Name::new(pod_text)?,
                ports,
                affinity: service.affinity.value().copied().unwrap_or(Affinity::None),
                headless: service.headless.value().is_some_and(|boolean| boolean.0),
            })
        })
    }

    fn service_ports(
        &mut self,
        key: Span,
        pod: &str,
        raw: &RawService,
        pod_ports: Option<&PodPorts<'_>>,
        taken: &mut Taken,
    ) -> Vec<ServicePort> {
        let Some(written) = raw.ports.value() else {
            return Vec::new();
        };
        if written.0.is_empty() {
            self.push(
                Diagnostic::error(raw.ports.key().unwrap_or(key), "the service has no ports")
                    .help("write `ports: { http: 80 }`"),
            );
        }
        let mut publish = self.publications(raw);
        let mut ports = Vec::new();
        let mut numbers: BTreeMap<(u16, Protocol), Span> = BTreeMap::new();
        for entry in &written.0 {
            let host = publish.remove(entry.key.value.as_str());
            let is_right = Name::new(&entry.key.value).is_some_and(|name| {
                name.as_str().len() <= 15 && name.as_str().bytes().any(|byte| byte.is_ascii_lowercase())
            });
            if !is_right {
                self.push(
                    Diagnostic::error(
                        entry.key.span,
                        format!("{} can't name a port", quoted(&entry.key.value)),
                    )
                    .help("a name is at most 15 of `a-z`, `0-9` and `-`, with at least one letter"),
                );
            }
            let Some(value) = &entry.value else { continue };
            let (number, target, target_span) = match &value.value {
                Shorthand::Short(number) => (number.0, None, entry.key.span),
                Shorthand::Long(long) => {
                    let Some(number) = long.port.value() else { continue };
                    if matches!(long.target, Field::Invalid(_)) {
                        continue;
                    }
                    let target = long.target.get();
                    (
                        number.0,
                        target.map(|target| &target.value),
                        target.map_or(entry.key.span, |target| target.span),
                    )
                }
            };
            let (Ok(number), Some(pod_ports)) = (u16::try_from(number), pod_ports) else {
                continue;
            };
            let Some(target) = self.target(&entry.key.value, number, target, target_span, pod, pod_ports)
            else {
                continue;
            };
            let Some((target_number, protocol, local)) = target.value else {
                continue;
            };
            if local {
                self.push(
                    Diagnostic::error(
                        target_span,
                        format!(
                            "the port {} is `local`: a service can't reach it",
                            quoted(target.name)
                        ),
                    )
                    .related(target.span, "declared here")
                    .help("serve what stands in front of it, such as a sidecar's port"),
                );
            }
            if let Some(first) = numbers.insert((number, protocol), entry.key.span) {
                self.push(
                    Diagnostic::error(entry.key.span, format!("the service has the port {number} twice"))
                        .related(first, "first here"),
                );
            }
            if let Some((publish, span)) = host {
                self.host_port(publish, protocol, span, taken);
            }
            let Some(name) = Name::new(&entry.key.value) else {
                continue;
            };
            ports.push(ServicePort {
                name,
                place: self.place(entry.key.span),
                port: number,
                target: target_number,
                target_name: Name::new(target.name),
                protocol,
                publish: host.map(|(publish, _)| publish),
            });
        }
        ports
    }

    /// The published ports by the name of the service's port.
    fn publications<'a>(&mut self, raw: &'a RawService) -> BTreeMap<&'a str, (Publish, Span)> {
        let mut publications = BTreeMap::new();
        let Some(written) = raw.publish.value() else {
            return publications;
        };
        if let Some(headless) = raw.headless.get()
            && headless.value.0
            && let Some(key) = raw.publish.key()
        {
            self.push(
                Diagnostic::error(key, "a headless service has no address of its own to publish")
                    .related(headless.span, "headless here")
                    .help("publish the port in another service of the pod"),
            );
        }
        let names: BTreeSet<&str> = raw.ports.value().iter().flat_map(|ports| ports.keys()).collect();
        for entry in &written.0 {
            let name = entry.key.value.as_str();
            if !names.contains(name) && !raw.ports.is_absent() && !matches!(raw.ports, Field::Invalid(_)) {
                let help = self
                    .problems
                    .did_you_mean(name, names.iter().copied())
                    .unwrap_or_else(|| format!("it has {}", Listed(names.iter().copied().collect(), "and")));
                self.push(
                    Diagnostic::error(
                        entry.key.span,
                        format!("the service has no port {}", quoted(name)),
                    )
                    .help(help),
                );
            }
            if let Some(value) = &entry.value {
                publications.insert(name, (value.value.0, value.span));
            }
        }
        publications
    }

    fn target<'p, 'a>(
        &mut self,
        name: &str,
        number: u16,
        target: Option<&RawPortReference>,
        span: Span,
        pod: &str,
        ports: &'p PodPorts<'a>,
    ) -> Option<&'p PodPort<'a>> {
        let numbered = |number| {
            ports
                .numbered(number, Protocol::Tcp)
                .or_else(|| ports.numbered(number, Protocol::Udp))
        };
        let (found, wanted) = match target {
            None => (
                ports.named(name).or_else(|| numbered(number)),
                format!("{} or {number}", quoted(name)),
            ),
            Some(RawPortReference::Name(name)) => (ports.named(name), quoted(name).to_string()),
            Some(RawPortReference::Number(number)) => (numbered(*number), number.to_string()),
        };
        if found.is_none() {
            let names = || ports.all.iter().map(|port| port.name);
            let word = match target {
                Some(RawPortReference::Name(name)) => name,
                _ => name,
            };
            let help = self.problems.did_you_mean(word, names()).unwrap_or_else(|| {
                if ports.all.is_empty() {
                    "declare it under a container's `ports:`".into()
                } else {
                    format!(
                        "it has {}; name one with `target:`",
                        Listed(names().collect(), "and")
                    )
                }
            });
            self.push(
                Diagnostic::error(span, format!("the pod {} has no port {wanted}", quoted(pod))).help(help),
            );
        }
        found
    }

    /// The host's ports are shared by all services; one on every address takes it from all others.
    fn host_port(&mut self, publish: Publish, protocol: Protocol, span: Span, taken: &mut Taken) {
        if publish.port == 0 {
            return;
        }
        let others = taken.entry((publish.port, protocol)).or_default();
        let overlap = |other: IpAddr| {
            other == publish.address || other.is_unspecified() || publish.address.is_unspecified()
        };
        let first = others
            .iter()
            .find(|(other, _)| overlap(*other))
            .map(|(_, span)| *span);
        // One is enough to find the next clash by: what was said is not kept.
        match first {
            Some(first) => self.push(
                Diagnostic::error(span, format!("the host port {} is published twice", publish.port))
                    .related(first, "first here")
                    .help("choose another host port, or 0 to let the engine choose"),
            ),
            None => others.push((publish.address, span)),
        }
    }
}
