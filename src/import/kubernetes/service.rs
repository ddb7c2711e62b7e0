//! Turns services.

use super::{Context, Object, RULES, rules};
use crate::diagnostic::{Span, quoted};
use crate::import::draft::{Container, Port, Service, ServicePort, port_name};
use crate::import::record::{Found, Record};

impl Context<'_> {
    /// The places of the pods whose labels a selector matches.
    pub(super) fn selected(&self, selector: &[(String, String)]) -> Vec<usize> {
        let has = |labels: &Vec<(String, String)>| selector.iter().all(|wanted| labels.contains(wanted));
        let matching = self.labels.iter().enumerate().filter(|(_, labels)| has(labels));
        if selector.is_empty() {
            return Vec::new();
        }
        matching.map(|(index, _)| index).collect()
    }

    /// Turns a service.
    pub(super) fn service(&mut self, object: Object) {
        let Object {
            name,
            span,
            path,
            labels,
            mut record,
            ..
        } = object;
        let is_ours = labels.contains(&("app.kubernetes.io/managed-by".to_owned(), "motif".to_owned()));
        let spec = record.record("spec", "Service", self.notes);
        record.rest(RULES, self.notes);
        let Some(mut spec) = spec else {
            return self.rule(&rules::SERVICE_SELECTOR, &path, span);
        };
        let kind = spec.text("type", self.notes);
        let is = |word: &str| kind.as_ref().is_some_and(|kind| kind.value == word);
        if is("ExternalName") || spec.take("externalName").is_some() {
            self.rule(&rules::EXTERNAL_NAME, &path, span);
            spec.others();
            return;
        }
        let selector: Vec<(String, String)> = spec
            .map("selector", self.notes)
            .into_iter()
            .map(|(name, value)| (name, value.value))
            .collect();
        let pods = self.selected(&selector);
        let is_serving = |index: &usize| self.draft.pods[*index].job.is_none();
        let Some(first) = pods.iter().copied().find(is_serving) else {
            self.rule(&rules::SERVICE_SELECTOR, &spec.at("selector"), span);
            spec.others();
            return;
        };
        if pods.len() > 1 {
            let others: Vec<String> = pods
                .iter()
                .filter(|index| **index != first)
                .map(|index| quoted(&self.draft.pods[*index].name).to_string())
                .collect();
            let message = format!("{} is left out", others.join(", "));
            let remedy = rules::SERVICE_PODS.remedy;
            self.notes
                .say(&rules::SERVICE_PODS, &spec.at("selector"), span, message, remedy);
        }
        let headless = spec
            .text("clusterIP", self.notes)
            .is_some_and(|address| address.value == "None");
        spec.ignore(&["clusterIPs"]);
        let affinity = spec.text("sessionAffinity", self.notes);
        let not_ready = spec
            .boolean("publishNotReadyAddresses", self.notes)
            .filter(|found| found.value);
        let ports = spec.records("ports", "servicePort", self.notes);
        if ports.is_empty() {
            // A headless one without ports only names the replicas, which an export sees to.
            if !(headless && self.governing.contains(&name)) {
                self.rule(&rules::HEADLESS_PORTS, &spec.at("ports"), span);
            }
            return spec.rest(RULES, self.notes);
        }
        if let Some(found) = not_ready {
            self.rule(
                &rules::NOT_ADDRESSES,
                &spec.at("publishNotReadyAddresses"),
                found.span,
            );
        }
        let stack_name = self.free_name(&name, &path, span, |draft, name| {
            draft.services.iter().any(|service| service.name == name)
        });
        let mut service = Service {
            name: stack_name,
            origin: span,
            pod: self.draft.pods[first].name.clone(),
            ports: Vec::new(),
            publish: Vec::new(),
            affinity: affinity.is_some_and(|affinity| affinity.value == "ClientIP"),
            headless,
        };
        let published = if is("LoadBalancer") || is("NodePort") {
            kind
        } else {
            None
        };
        for port in ports {
            self.service_port(port, first, &mut service, published.as_ref());
        }
        spec.rest(RULES, self.notes);
        if service.ports.is_empty() {
            return self.rule(&rules::HEADLESS_PORTS, &path, span);
        }
        if is_ours && published.is_some() {
            self.fronts.insert(service.name.clone());
        }
        self.draft.services.push(service);
    }

    /// What an export puts in front of a service for the outside is what the service publishes.
    pub(super) fn fronts(&mut self) {
        let (fronts, mut rest): (Vec<Service>, Vec<Service>) = std::mem::take(&mut self.draft.services)
            .into_iter()
            .partition(|service| self.fronts.contains(&service.name));
        for front in fronts {
            let behind = front.name.strip_suffix("-public");
            let found = rest.iter_mut().find(|service| {
                Some(service.name.as_str()) == behind && service.pod == front.pod && !service.headless
            });
            let Some(service) = found else {
                rest.push(front);
                continue;
            };
            for port in &front.ports {
                let same = service
                    .ports
                    .iter()
                    .find(|other| other.target == port.target && other.udp == port.udp);
                let value = front.publish.iter().find(|(name, ..)| *name == port.name);
                if let (Some(same), Some((_, value, span))) = (same, value) {
                    service.publish.push((same.name.clone(), value.clone(), *span));
                }
            }
        }
        self.draft.services = rest;
    }

    fn service_port(
        &mut self,
        mut record: Record,
        pod: usize,
        service: &mut Service,
        published: Option<&Found<String>>,
    ) {
        let span = record.span;
        let name = record
            .text("name", self.notes)
            .map_or_else(String::new, |name| name.value);
        let protocol = record.text("protocol", self.notes);
        let protocol = protocol.map_or_else(|| "TCP".to_owned(), |protocol| protocol.value);
        let number = record.whole("port", self.notes);
        let target = record.text("targetPort", self.notes);
        let node_port = record.whole("nodePort", self.notes);
        record.ignore(&["appProtocol"]);
        let at = record.path.clone();
        record.rest(RULES, self.notes);
        if protocol == "SCTP" {
            return self.rule(&rules::SCTP, &at, span);
        }
        let udp = protocol == "UDP";
        let Some(number) = number
            .and_then(|number| u16::try_from(number.value).ok())
            .filter(|port| *port > 0)
        else {
            return self.rule(&crate::import::rule::TYPE, &at, span);
        };
        let target = match target {
            None => number,
            Some(target) => match target.value.parse::<u16>() {
                Ok(0) => number,
                Ok(target) => target,
                Err(_) => {
                    let pod = &self.draft.pods[pod];
                    let Some(named) = pod.ports().find(|port| port.name == target.value) else {
                        let message = format!("no port of the pod is called {}", quoted(&target.value));
                        let remedy = rules::PORT_TARGET.remedy;
                        return self
                            .notes
                            .say(&rules::PORT_TARGET, &at, target.span, message, remedy);
                    };
                    named.number
                }
            },
        };
        declare(&mut self.draft.pods[pod].containers, target, udp, span);
        let is_twice = service
            .ports
            .iter()
            .any(|other| other.number == number && other.udp == udp);
        if is_twice {
            return self.rule(&rules::PORT_TWICE, &at, span);
        }
        let is_taken = |name: &str| service.ports.iter().any(|other| other.name == name);
        let name = if !name.is_empty() && is_taken(&name) {
            let free = port_name(&name, number, udp, is_taken);
            let message = format!("{} is called {} in the stack", quoted(&name), quoted(&free));
            let rule = &crate::import::rule::NAME;
            self.notes.say(rule, &at, span, message, rule.remedy);
            free
        } else {
            name
        };
        if let Some(kind) = published {
            let host = match (kind.value.as_str(), node_port) {
                ("NodePort", Some(port)) => port.value.to_string(),
                ("NodePort", None) => "0".to_owned(),
                _ => number.to_string(),
            };
            let value = format!("0.0.0.0:{host}");
            let message = format!("port {number} is published on the host as {}", quoted(&value));
            self.notes.say(
                &rules::PUBLISHED,
                &at,
                kind.span,
                message,
                rules::PUBLISHED.remedy,
            );
            service.publish.push((name.clone(), value, kind.span));
        }
        service.ports.push(ServicePort {
            name,
            number,
            target,
            udp,
            origin: span,
        });
    }
}

/// Declares a port that a service dials, where no container of the pod does: at the first main one.
pub fn declare(containers: &mut [Container], number: u16, udp: bool, origin: Span) {
    let is_served = containers
        .iter()
        .filter(|container| container.role != Some("init"))
        .flat_map(|container| &container.ports)
        .any(|port| port.number == number && port.udp == udp);
    if let (false, Some(main)) = (
        is_served,
        containers.iter_mut().find(|container| container.role.is_none()),
    ) {
        main.ports.push(Port {
            name: String::new(),
            number,
            udp,
            origin,
        });
    }
}
