//! Turns what says something about other objects: budgets, autoscalers, routers.

use super::{Context, Object, RULES, rules};
use crate::diagnostic::Span;
use crate::import::draft::Pod;
use crate::import::item::{Item, Map};
use crate::import::record::{Record, text_of};
use crate::yaml::{Content, Node};

impl Context<'_> {
    /// Turns an object that is about others.
    pub(super) fn other(&mut self, object: Object) {
        let Object {
            kind,
            span,
            path,
            labels,
            mut record,
            ..
        } = object;
        let is_ours = labels.contains(&("app.kubernetes.io/managed-by".to_owned(), "motif".to_owned()));
        match kind {
            "PodDisruptionBudget" => self.budget(&path, span, &mut record),
            "HorizontalPodAutoscaler" => self.autoscaler(&path, span, &mut record),
            "NetworkPolicy" => self.network_policy(&path, span, is_ours, &mut record),
            "Ingress" | "HTTPRoute" => self.router(&path, span, &mut record),
            "Role" | "RoleBinding" | "ClusterRole" | "ClusterRoleBinding" => {
                self.rule(&rules::RBAC, &path, span);
            }
            // A namespace or an account: an export makes what it needs.
            _ => {}
        }
    }

    fn budget(&mut self, path: &str, span: Span, record: &mut Record) {
        let spec = record.take("spec").map(|entry| &entry.value);
        let labels = spec
            .and_then(|spec| spec.get("selector"))
            .map(|selector| labels(&selector.value));
        if self.selected(&labels.unwrap_or_default()).is_empty() {
            return self.rule(&rules::NO_TARGET, path, span);
        }
        let is_one = |entry: &crate::yaml::Entry| text_of(&entry.value) == Some("1");
        let allows_one = spec
            .and_then(|spec| spec.get("maxUnavailable"))
            .is_some_and(is_one);
        if !allows_one {
            self.rule(&rules::BUDGET, path, span);
        }
    }

    fn autoscaler(&mut self, path: &str, span: Span, record: &mut Record) {
        let Some(entry) = record.take("spec") else {
            return self.rule(&rules::NO_TARGET, path, span);
        };
        let spec = &entry.value;
        let mut used = Used::default();
        if let Some(mut fields) = Record::of(spec, "HorizontalPodAutoscaler", record.at("spec"), self.notes) {
            used = self.used(&mut fields);
            if let Some(mut target) = fields.record("scaleTargetRef", "scaleTarget", self.notes) {
                target.ignore(&["apiVersion", "kind", "name"]);
                target.rest(RULES, self.notes);
            }
            fields.ignore(&["minReplicas", "maxReplicas", "behavior"]);
            fields.rest(RULES, self.notes);
        }
        let text = |node: &Node, key: &str| {
            node.get(key)
                .and_then(|entry| text_of(&entry.value))
                .map(str::to_owned)
        };
        let target = spec.get("scaleTargetRef").map(|target| &target.value);
        let kind = target.and_then(|target| text(target, "kind"));
        let name = target.and_then(|target| text(target, "name"));
        let found = self.origins.iter().position(|(kind_of, name_of)| {
            Some(*kind_of) == kind.as_deref() && Some(name_of) == name.as_ref()
        });
        let Some(index) = found else {
            return self.rule(&rules::NO_TARGET, path, span);
        };
        let least: u64 = text(spec, "minReplicas")
            .and_then(|text| text.parse().ok())
            .unwrap_or(1);
        let most: u64 = text(spec, "maxReplicas")
            .and_then(|text| text.parse().ok())
            .unwrap_or(least);
        let Used { cpu, memory } = used;
        let pod = &mut self.draft.pods[index];
        pod.replicas = least;
        let mut running = pod
            .containers
            .iter()
            .filter(|container| container.role != Some("init"));
        let is_measured = running.all(|container| {
            (cpu.is_none() || container.cpu.is_some()) && (memory.is_none() || container.memory.is_some())
        });
        let message = if !is_measured {
            format!("{least} replicas run: their containers have no limits by which use is measured")
        } else if cpu.is_none() && memory.is_none() {
            format!("{least} replicas run: neither processor time nor memory is measured")
        } else {
            let mut range = Map::default();
            range.put("min", Item::plain(least));
            range.put("max", Item::plain(most));
            for (key, percent) in [("cpu", cpu), ("memory", memory)] {
                if let Some(percent) = percent {
                    range.put(key, Item::plain(percent));
                }
            }
            pod.range = Some((range, span));
            if spec.get("behavior").is_none() {
                return;
            }
            "how fast replicas come and go isn't in a stack".to_owned()
        };
        self.notes
            .say(&rules::AUTOSCALER, path, span, message, rules::AUTOSCALER.remedy);
    }

    /// Reads what an autoscaler measures.
    fn used(&mut self, fields: &mut Record) -> Used {
        let cpu = fields.whole("targetCPUUtilizationPercentage", self.notes);
        let mut used = Used {
            cpu: cpu.map(|cpu| cpu.value),
            memory: None,
        };
        for mut metric in fields.records("metrics", "metric", self.notes) {
            metric.ignore(&["type"]);
            if let Some(mut resource) = metric.record("resource", "metricResource", self.notes) {
                let name = resource.text("name", self.notes);
                let target = resource.record("target", "metricTarget", self.notes);
                resource.rest(RULES, self.notes);
                let percent = target.and_then(|mut target| {
                    target.ignore(&["type"]);
                    let percent = target.whole("averageUtilization", self.notes);
                    target.rest(RULES, self.notes);
                    percent.map(|percent| percent.value)
                });
                match name.as_ref().map(|name| name.value.as_str()) {
                    Some("cpu") => used.cpu = percent.or(used.cpu),
                    Some("memory") => used.memory = percent.or(used.memory),
                    _ => self.rule(&rules::METRIC, &metric.path, metric.span),
                }
            }
            metric.rest(RULES, self.notes);
        }
        used
    }

    /// Reads what a policy says of those that dial, which follows from what they may dial themselves.
    fn sources(&mut self, rule: &mut Record) {
        for mut peer in rule.records("from", "policyPeer", self.notes) {
            for key in ["podSelector", "namespaceSelector"] {
                self.unread_selector(&mut peer, key);
            }
            if let Some(mut block) = peer.record("ipBlock", "policyBlock", self.notes) {
                block.ignore(&["cidr", "except"]);
                block.rest(RULES, self.notes);
            }
            peer.rest(RULES, self.notes);
        }
    }

    /// Says what isn't known in a selector that chooses nothing of the stack.
    fn unread_selector(&mut self, peer: &mut Record, key: &str) {
        if let Some(mut selector) = peer.record(key, "selector", self.notes) {
            selector.ignore(&["matchLabels", "matchExpressions"]);
            selector.rest(RULES, self.notes);
        }
    }

    /// Reads what the pods of a policy may dial; who may dial them follows from what others may.
    fn network_policy(&mut self, object: &str, span: Span, is_ours: bool, record: &mut Record) {
        let Some(mut spec) = record.record("spec", "NetworkPolicy", self.notes) else {
            return self.rule(&rules::NO_TARGET, object, span);
        };
        let Some(pods) = self.chosen(&mut spec, "podSelector") else {
            return;
        };
        if pods.is_empty() {
            return self.rule(&rules::NO_TARGET, object, span);
        }
        let types = spec.texts("policyTypes", self.notes).unwrap_or_default();
        let has_egress = spec.take("egress").is_some();
        let is_about = |word: &str| types.iter().any(|other| other == word);
        if types.is_empty() || is_about("Ingress") {
            let mut open = Vec::new();
            for mut rule in spec.records("ingress", "policyRule", self.notes) {
                let is_anybody = rule.take("from").is_none();
                self.sources(&mut rule);
                let ports = self.policy_ports(&mut rule);
                if is_anybody && !ports.all && rule.is_read() {
                    open.push(ports);
                }
                rule.rest(RULES, self.notes);
            }
            for index in &pods {
                self.publish_here(*index, &open, is_ours, object, span);
            }
            if !is_ours {
                self.rule(&rules::POLICY_INGRESS, object, span);
            }
        }
        spec.ignore(&["ingress"]);
        if is_about("Egress") || (types.is_empty() && has_egress) {
            self.policy_egress(&mut spec, &pods, span, is_ours);
        }
        spec.rest(RULES, self.notes);
    }

    /// Adds the edges of a policy to those that its pods have by others.
    fn policy_egress(&mut self, spec: &mut Record, pods: &[usize], span: Span, is_ours: bool) {
        let mut edges: Vec<String> = Vec::new();
        let mut is_open = false;
        for rule in spec.records("egress", "policyRule", self.notes) {
            match self.edges(rule, pods, is_ours) {
                None => is_open = true,
                Some(found) => edges.extend(found),
            }
        }
        for index in pods {
            if is_open {
                self.open.insert(*index);
            }
            let pod = &mut self.draft.pods[*index];
            if self.open.contains(index) {
                pod.egress = None;
                continue;
            }
            let (known, _) = pod.egress.get_or_insert_with(|| (Vec::new(), span));
            for edge in &edges {
                if !known.contains(edge) {
                    known.push(edge.clone());
                }
            }
        }
    }

    /// The pods that a selector chooses, all where it is empty; `None` where it isn't understood, which is said.
    fn chosen(&mut self, record: &mut Record, key: &str) -> Option<Vec<usize>> {
        let Some(entry) = record.take(key) else {
            return Some((0..self.draft.pods.len()).collect());
        };
        let mut selector = Record::of(&entry.value, "selector", record.at(key), self.notes)?;
        let labels = selector.map("matchLabels", self.notes);
        let written = entry
            .value
            .get("matchLabels")
            .and_then(|labels| labels.value.entries());
        let mut is_understood = written.map_or(0, <[_]>::len) == labels.len();
        if let Some(found) = selector.take("matchExpressions") {
            self.rule(
                &rules::POLICY_SELECTOR,
                &selector.at("matchExpressions"),
                found.key_span,
            );
            is_understood = false;
        }
        is_understood &= selector.is_read();
        selector.rest(RULES, self.notes);
        let labels: Vec<_> = labels
            .into_iter()
            .map(|(name, value)| (name, value.value))
            .collect();
        is_understood.then(|| {
            if labels.is_empty() {
                (0..self.draft.pods.len()).collect()
            } else {
                self.selected(&labels)
            }
        })
    }

    /// The ports of a rule; what can't be said exactly is said to be wider.
    fn policy_ports(&mut self, rule: &mut Record) -> Ports {
        let mut ports = Ports {
            all: rule.take("ports").is_none(),
            ..Ports::default()
        };
        for mut port in rule.records("ports", "policyPort", self.notes) {
            let is_any = port.take("port").is_none();
            let number = port.text("port", self.notes);
            let last = port.whole("endPort", self.notes);
            let protocol = port.text("protocol", self.notes);
            let (path, span) = (port.path.clone(), port.span);
            let is_read = port.is_read();
            port.rest(RULES, self.notes);
            if protocol.is_some_and(|protocol| protocol.value == "SCTP") {
                self.rule(&rules::SCTP, &path, span);
                continue;
            }
            if is_any && is_read {
                ports.all = true;
                self.rule(&rules::POLICY_PORT, &path, span);
            }
            let Some(number) = number else { continue };
            let Ok(first) = number.value.parse::<u16>() else {
                ports.names.push(number.value);
                continue;
            };
            let last = last
                .and_then(|last| u16::try_from(last.value).ok())
                .unwrap_or(first);
            if last > first {
                self.rule(&rules::POLICY_PORT, &path, span);
            }
            ports.ranges.push((first, last.max(first)));
        }
        ports
    }

    /// The edges of one rule; `None` where it lets everything through.
    fn edges(&mut self, mut rule: Record, pods: &[usize], is_ours: bool) -> Option<Vec<String>> {
        let (path, span) = (rule.path.clone(), rule.span);
        let is_anywhere = rule.take("to").is_none();
        let ports = self.policy_ports(&mut rule);
        let peers = rule.records("to", "policyPeer", self.notes);
        let is_read = rule.is_read();
        rule.rest(RULES, self.notes);
        let mut found = Vec::new();
        if is_anywhere && is_read {
            if ports.all {
                return None;
            }
            if !ports.is_for_names() {
                found.extend(ports.of_network("0.0.0.0/0"));
                found.extend(ports.of_network("::/0"));
            }
            if !ports.names.is_empty() {
                self.rule(&rules::POLICY_NAMED, &path, span);
            }
        }
        for mut peer in peers {
            let (path, span) = (peer.path.clone(), peer.span);
            if peer.has("namespaceSelector") {
                if !ports.is_for_names() {
                    self.rule(&rules::POLICY_PEER, &path, span);
                }
                for key in ["podSelector", "namespaceSelector"] {
                    self.unread_selector(&mut peer, key);
                }
            } else if let Some(mut block) = peer.record("ipBlock", "policyBlock", self.notes) {
                let network = block.text("cidr", self.notes);
                let except = block.take("except");
                let at = block.at("except");
                block.rest(RULES, self.notes);
                let Some(network) = network else { continue };
                let is_internet = except.is_some() && network.value.ends_with("/0");
                if let (Some(except), false) = (except, is_ours) {
                    self.rule(&rules::POLICY_EXCEPT, &at, except.key_span);
                }
                if !ports.names.is_empty() {
                    self.rule(&rules::POLICY_NAMED, &path, span);
                }
                found.extend(ports.of_network(if is_internet { "internet" } else { &network.value }));
            } else if peer.has("podSelector") {
                let is_all = peer.take("podSelector").is_none();
                if let Some(chosen) = self.chosen(&mut peer, "podSelector") {
                    // The replicas of a stable pod always reach each other.
                    let is_itself = is_ours && ports.all && chosen == pods;
                    if !is_itself {
                        found.extend(self.dialled(&chosen, &ports, is_all, is_ours, (&path, span)));
                    }
                }
            } else {
                self.rule(&rules::POLICY_PEER, &path, span);
            }
            peer.rest(RULES, self.notes);
        }
        Some(found)
    }

    /// The services in front of pods that have a port of these.
    fn dialled(
        &mut self,
        pods: &[usize],
        ports: &Ports,
        is_all: bool,
        is_ours: bool,
        (path, span): (&str, Span),
    ) -> Vec<String> {
        let (mut found, mut wider, mut missed) = (Vec::new(), Vec::new(), Vec::new());
        for index in pods {
            let pod = &self.draft.pods[*index];
            let before = found.len();
            for service in self
                .draft
                .services
                .iter()
                .filter(|service| service.pod == pod.name)
            {
                let is_meant = |port: &&crate::import::draft::ServicePort| ports.has(port.target, pod);
                let meant = service.ports.iter().filter(is_meant).count();
                if meant > 0 {
                    found.push(service.name.clone());
                }
                if meant > 0 && meant < service.ports.len() {
                    wider.push(service.name.clone());
                }
            }
            if found.len() == before && !is_all {
                missed.push(pod.name.clone());
            }
        }
        if pods.is_empty() || (is_all && found.is_empty()) {
            self.rule(&rules::POLICY_SERVICE, path, span);
        }
        for name in missed {
            let message = format!("no service in front of `{name}` has such a port");
            let remedy = rules::POLICY_SERVICE.remedy;
            self.notes
                .say(&rules::POLICY_SERVICE, path, span, message, remedy);
        }
        for name in wider.into_iter().filter(|_| !is_ours) {
            let message = format!("`{name}` may be dialled on all of its ports");
            let remedy = rules::POLICY_WHOLE.remedy;
            self.notes.say(&rules::POLICY_WHOLE, path, span, message, remedy);
        }
        found
    }

    /// A port that everybody may dial is one that the stack publishes, at least on this machine.
    fn publish_here(&mut self, pod: usize, open: &[Ports], is_ours: bool, object: &str, span: Span) {
        let behind = &self.draft.pods[pod];
        let pod = behind.name.clone();
        let mut taken: Vec<String> = self
            .draft
            .services
            .iter()
            .flat_map(|service| service.publish.iter().map(|(_, value, _)| value.clone()))
            .collect();
        let mut said = Vec::new();
        for service in self
            .draft
            .services
            .iter_mut()
            .filter(|service| service.pod == pod && !service.headless)
        {
            for port in &service.ports {
                let is_published = service.publish.iter().any(|(name, ..)| *name == port.name);
                if is_published || !open.iter().any(|ports| ports.has(port.target, behind)) {
                    continue;
                }
                let number = port.number.to_string();
                let is_free = !taken
                    .iter()
                    .any(|value| *value == number || value.ends_with(&format!(":{number}")));
                let value = if is_free { number } else { "0".to_owned() };
                taken.push(value.clone());
                said.push((service.name.clone(), port.number));
                service.publish.push((port.name.clone(), value, span));
            }
        }
        for (service, port) in said {
            if !is_ours {
                let message = format!(
                    "port {port} of `{service}`, which everybody may dial, is published on this machine"
                );
                self.notes.say(
                    &rules::POLICY_OPEN,
                    object,
                    span,
                    message,
                    rules::POLICY_OPEN.remedy,
                );
            }
        }
    }

    /// Publishes the services that a router sends requests to.
    fn router(&mut self, path: &str, span: Span, record: &mut Record) {
        let Some(spec) = record.take("spec") else {
            return self.rule(&rules::NO_BACKEND, path, span);
        };
        let mut backends = Vec::new();
        backends_in(&spec.value, &mut backends);
        let mut seen = Vec::new();
        for (service, port, place) in backends {
            if seen.contains(&(service.clone(), port.clone())) {
                continue;
            }
            seen.push((service.clone(), port.clone()));
            let found = self.draft.services.iter_mut().find(|other| other.name == service);
            let target = found.and_then(|service| {
                let is_meant = |other: &&crate::import::draft::ServicePort| match &port {
                    None => true,
                    Some(port) => other.name == *port || other.number.to_string() == *port,
                };
                let target = service.ports.iter().find(is_meant)?.clone();
                Some((service, target))
            });
            let Some((service, target)) = target else {
                self.rule(&rules::NO_BACKEND, path, place);
                continue;
            };
            let published = service.publish.iter().find(|(name, ..)| *name == target.name);
            let value = if let Some((_, value, _)) = published {
                value.clone()
            } else {
                let value = format!("0.0.0.0:{}", target.number);
                service.publish.push((target.name.clone(), value.clone(), place));
                value
            };
            let message = format!(
                "the service `{}` is published on the host as `{value}`, without a router",
                service.name
            );
            self.notes
                .say(&rules::INGRESS, path, place, message, rules::INGRESS.remedy);
        }
        if seen.is_empty() {
            self.rule(&rules::NO_BACKEND, path, span);
        }
    }
}

/// The ports of a rule of a policy.
#[derive(Debug, Default)]
struct Ports {
    /// Whether all are meant.
    all: bool,
    /// The first and the last of each range.
    ranges: Vec<(u16, u16)>,
    /// Names of ports of pods.
    names: Vec<String>,
}

impl Ports {
    /// Whether a port of a pod is meant.
    fn has(&self, number: u16, pod: &Pod) -> bool {
        let is_named = |name: &String| {
            pod.ports()
                .any(|port| port.number == number && port.name == *name)
        };
        let is_within = |(first, last): &(u16, u16)| (*first..=*last).contains(&number);
        self.all || self.ranges.iter().any(is_within) || self.names.iter().any(is_named)
    }

    /// Whether names are looked up, and nothing more.
    fn is_for_names(&self) -> bool {
        let is_dns = |range: &(u16, u16)| *range == (53, 53);
        !self.all && self.names.is_empty() && !self.ranges.is_empty() && self.ranges.iter().all(is_dns)
    }

    /// A network on these ports.
    fn of_network(&self, network: &str) -> Vec<String> {
        if self.all || self.ranges.iter().any(|(first, last)| first != last) {
            return vec![network.to_owned()];
        }
        let edge = |(port, _): &(u16, u16)| format!("{network}:{port}");
        self.ranges.iter().map(edge).collect()
    }
}

/// What an autoscaler measures: processor time and memory, in percent.
#[derive(Debug, Clone, Copy, Default)]
struct Used {
    cpu: Option<u64>,
    memory: Option<u64>,
}

/// The labels of a selector.
fn labels(selector: &Node) -> Vec<(String, String)> {
    let labels = selector
        .get("matchLabels")
        .map_or(selector, |labels| &labels.value);
    let entries = labels.entries().unwrap_or_default();
    entries
        .iter()
        .filter_map(|entry| Some((entry.key.clone(), text_of(&entry.value)?.to_owned())))
        .collect()
}

/// The services, and their ports, anywhere below: `backend.service`, `backend.serviceName`, `backendRefs`.
fn backends_in(node: &Node, found: &mut Vec<(String, Option<String>, Span)>) {
    let text = |node: &Node, key: &str| {
        node.get(key)
            .and_then(|entry| text_of(&entry.value))
            .map(str::to_owned)
    };
    match &node.content {
        Content::Mapping(entries) => {
            for entry in entries {
                let value = &entry.value;
                match entry.key.as_str() {
                    "backend" | "defaultBackend" => {
                        let service = value.get("service").map(|service| &service.value);
                        let name = service
                            .and_then(|service| text(service, "name"))
                            .or_else(|| text(value, "serviceName"));
                        let port = service
                            .and_then(|service| service.get("port"))
                            .map(|port| &port.value);
                        let port = port
                            .and_then(|port| text(port, "number").or_else(|| text(port, "name")))
                            .or_else(|| text(value, "servicePort"));
                        if let Some(name) = name {
                            found.push((name, port, entry.key_span));
                        }
                    }
                    "backendRefs" => {
                        if let Content::Sequence(items) = &value.content {
                            for item in items {
                                if let Some(name) = text(item, "name") {
                                    found.push((name, text(item, "port"), item.span));
                                }
                            }
                        }
                    }
                    _ => backends_in(value, found),
                }
            }
        }
        Content::Sequence(items) => items.iter().for_each(|item| backends_in(item, found)),
        _ => {}
    }
}
