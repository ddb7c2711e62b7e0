//! Turns the services of a Compose file into a draft of a stack.

mod health;
mod own;
mod port;
mod rules;
mod scalar;
mod security;
mod service;
mod storage;
mod text;

use std::collections::{BTreeMap, BTreeSet};

use own::{KEY, Mark, Own};
pub use rules::RULES;
use text::{Otherwise, Piece};

use super::draft::{Container, Draft, Job, Pod, Secret, Service, ServicePort, free, port_name};
use super::notes::Notes;
use super::record::{Record, text_of};
use super::rule::Rule;
use crate::diagnostic::{Span, quoted};
use crate::stack::{BlockInterface, Files};
use crate::yaml::{Content, Node};

/// What the parts of an import read, and what they find out on the way.
pub(super) struct Context<'a> {
    notes: &'a mut Notes,
    blocks: &'a [BlockInterface],
    files: &'a dyn Files,
    /// The way from the stack's folder to the file's; none where that isn't below it.
    folder: Option<String>,
    draft: Draft,
    volumes: BTreeMap<String, &'a Node>,
    configs: BTreeMap<String, &'a Node>,
    secrets: BTreeMap<String, &'a Node>,
    /// The secrets that an export says the stack has: their keys are declared as `db.password`.
    own_secrets: BTreeSet<String>,
    /// The pods that use each named volume.
    users: BTreeMap<String, BTreeSet<String>>,
    said: BTreeSet<String>,
}

/// A service as it is read: what belongs to its container, and what belongs to its pod.
struct Read {
    name: String,
    origin: Span,
    container: Container,
    /// The name of the service whose pod it is part of.
    joins: Option<(String, Span)>,
    shares: bool,
    pod: Pod,
    published: Vec<port::Published>,
    exposed: Vec<(u16, bool, Span)>,
    /// Each with its path.
    aliases: Vec<(String, Span, String)>,
    after: Vec<(String, String, Span)>,
    has_health: bool,
}

/// Whether documents are a Compose file.
pub fn is_compose(documents: &[Node]) -> bool {
    documents.iter().any(|document| {
        document
            .get("services")
            .is_some_and(|services| matches!(services.value.content, Content::Mapping(_)))
    })
}

/// Reads a Compose file.
pub fn draft(
    documents: &[Node],
    blocks: &[BlockInterface],
    files: &dyn Files,
    folder: Option<String>,
    notes: &mut Notes,
) -> Draft {
    let mut of_compose = documents
        .iter()
        .filter(|document| document.get("services").is_some());
    let Some(document) = of_compose.next() else {
        for document in documents {
            notes.wrong(
                "document",
                document.span,
                "a Compose file, with `services`",
                document,
            );
        }
        return Draft::default();
    };
    for other in documents.iter().filter(|other| other.span != document.span) {
        notes.rule(&rules::SECOND, "document", other.span);
    }
    let mut context = Context {
        notes,
        blocks,
        files,
        folder,
        draft: Draft::default(),
        volumes: declared(document, "volumes"),
        configs: declared(document, "configs"),
        secrets: declared(document, "secrets"),
        own_secrets: BTreeSet::new(),
        users: BTreeMap::new(),
        said: BTreeSet::new(),
    };
    context.file(document);
    context.draft
}

/// What a file declares under a key, by name.
fn declared<'n>(document: &'n Node, key: &str) -> BTreeMap<String, &'n Node> {
    let entries = document
        .get(key)
        .and_then(|entry| entry.value.entries())
        .unwrap_or_default();
    entries
        .iter()
        .map(|entry| (entry.key.clone(), &entry.value))
        .collect()
}

impl Context<'_> {
    fn file(&mut self, document: &Node) {
        let Some(mut record) = Record::of(document, "file", String::new(), self.notes) else {
            return;
        };
        let name = record.text("name", self.notes);
        self.draft.name = name.map_or_else(String::new, |name| text::with_defaults(&name.value).0);
        record.ignore(&["version", "volumes", "configs", "secrets"]);
        if let Some(entry) = record.take("networks") {
            let networks = entry.value.entries().unwrap_or_default();
            if networks.len() > 1 {
                self.rule(&rules::NETWORKS, "networks", entry.key_span);
            }
        }
        let services = record.take("services");
        let mut read: Vec<Read> = Vec::new();
        let mut own = Own::default();
        own.rest = document.get(KEY).map(|entry| &entry.value);
        for entry in services
            .and_then(|entry| entry.value.entries())
            .unwrap_or_default()
        {
            let path = format!("services.{}", entry.key);
            if entry.key.starts_with("x-") {
                continue;
            }
            if let Some(mark) = Mark::of(entry, own.rest) {
                own.push(mark, entry);
                continue;
            }
            let Some(service) = Record::of(&entry.value, "service", path, self.notes) else {
                continue;
            };
            read.extend(self.service(&entry.key, entry.key_span, service));
        }
        // What begins with `x-` is for others.
        record.ignore_prefix("x-");
        record.rest(RULES, self.notes);
        if !own.services.is_empty() {
            self.own(&own);
        }
        self.join(&read, &own);
    }

    fn rule(&mut self, rule: &Rule, path: &str, span: Span) {
        self.notes.rule(rule, path, span);
    }

    /// A rule that is said once for a name.
    fn once(&mut self, rule: &Rule, name: &str, path: &str, span: Span) {
        if self.said.insert(format!("{}/{name}", rule.field.when)) {
            self.rule(rule, path, span);
        }
    }

    /// A text with its variables' defaults.
    fn value(&mut self, written: &str, path: &str, span: Span) -> String {
        let (text, variables) = text::with_defaults(written);
        for variable in variables {
            let message = match variable {
                Piece::Variable(name, Otherwise::Stop(_)) => {
                    format!("`${{{name}}}` has to be given to Compose, and is empty")
                }
                Piece::Variable(name, _) => format!("`${{{name}}}` is its default"),
                Piece::Where(_) | Piece::Text(_) => continue,
            };
            let rule = &rules::VARIABLE_VALUE;
            self.notes.say(rule, path, span, message, rule.remedy);
        }
        self.conditional(&text::pieces(written), path, span);
        text
    }

    /// Says of texts that are there with a variable only that they aren't.
    fn conditional(&mut self, pieces: &[Piece], path: &str, span: Span) {
        for piece in pieces {
            if let Piece::Where(name) = piece {
                let message = format!("what is there with `{name}` isn't");
                let rule = &rules::VARIABLE_WHERE;
                self.notes.say(rule, path, span, message, rule.remedy);
            }
        }
    }

    /// A text of a container: its variables are parameters.
    fn parameterised(&mut self, text: &str, path: &str, span: Span) -> super::item::Item {
        let parameters = &mut self.draft.parameters;
        let known: BTreeMap<String, bool> = parameters
            .iter()
            .map(|(name, parameter)| (name.clone(), parameter.required.is_some()))
            .collect();
        let Some(item) = text::template(text, parameters, span) else {
            return self.value(text, path, span).into();
        };
        let new: Vec<(String, bool)> = parameters
            .iter()
            .map(|(name, parameter)| (name.clone(), parameter.required.is_some()))
            .filter(|(name, is_required)| known.get(name) != Some(is_required))
            .collect();
        for (name, is_required) in new {
            let (message, remedy) = if is_required {
                (
                    format!("`{name}` is a parameter that has to be given"),
                    format!("give it by `--set {name}=…`, or add a default"),
                )
            } else {
                (
                    format!("`{name}` is a parameter"),
                    format!("give it by `--set {name}=…`, or set its default"),
                )
            };
            self.notes.say(&rules::VARIABLE, path, span, message, remedy);
        }
        self.conditional(&text::pieces(text), path, span);
        item
    }

    /// Adds the pod, or the job, of a service that joins no other one.
    fn own_pod(&mut self, service: &Read, name: &str, is_awaited: bool) {
        let mut pod = service.pod.clone();
        name.clone_into(&mut pod.name);
        if is_awaited && pod.job.is_none() {
            pod.job = Some(Job::default());
        }
        if pod.name != service.name {
            let message = format!(
                "{} is called {} in the stack",
                quoted(&service.name),
                quoted(&pod.name)
            );
            let rule = &super::rule::NAME;
            let path = format!("services.{}", service.name);
            self.notes.say(rule, &path, service.origin, message, rule.remedy);
        }
        self.draft.pods.push(pod);
    }

    /// Puts containers into the pods that they belong to, and services in front of those.
    fn join(&mut self, read: &[Read], marked: &Own) {
        let completed: BTreeSet<String> = read
            .iter()
            .flat_map(|service| &service.after)
            .filter(|(_, condition, _)| condition == "service_completed_successfully")
            .map(|(name, ..)| name.clone())
            .collect();
        let with_health: BTreeSet<String> = read
            .iter()
            .filter(|service| service.has_health)
            .map(|service| service.name.clone())
            .collect();
        // Where each service's container is: its own pod, or the one that it joins, or that one's.
        let joined: BTreeMap<String, String> = read
            .iter()
            .filter_map(|service| Some((service.name.clone(), service.joins.clone()?.0)))
            .collect();
        let homes = homes(&joined);
        let home = |name: &str| homes.get(name).cloned().unwrap_or_else(|| name.to_owned());
        let own: BTreeSet<String> = read
            .iter()
            .filter(|service| service.joins.is_none())
            .map(|service| service.name.clone())
            .collect();
        let mut names: BTreeMap<String, String> = BTreeMap::new();
        for name in &own {
            let is_taken = |free: &str| {
                let mut pods = self.draft.pods.iter();
                names.values().any(|taken| taken == free) || pods.any(|pod| pod.name == free)
            };
            names.insert(name.clone(), free(name, is_taken));
        }
        for (mark, entry) in &marked.services {
            if let Some((pod, _)) = mark.replica() {
                names.insert(entry.key.clone(), pod.to_owned());
            }
        }
        for service in read {
            let home = home(&service.name);
            if service.joins.is_none() {
                let is_awaited = completed.contains(&service.name);
                self.own_pod(service, &names[&service.name], is_awaited);
            } else if joined.contains_key(&home) {
                let path = format!("services.{}.network_mode", service.name);
                self.rule(&rules::CYCLE, &path, service.origin);
            } else if !own.contains(&home) {
                let path = format!("services.{}.network_mode", service.name);
                self.rule(&rules::MISSING, &path, service.origin);
            }
        }
        for service in read {
            let Some(pod_name) = names.get(&home(&service.name)) else {
                continue;
            };
            let Some(index) = self.draft.pods.iter().position(|pod| pod.name == *pod_name) else {
                continue;
            };
            self.add_container(index, service);
            for (on, condition, span) in &service.after {
                let path = format!("services.{}.depends_on", service.name);
                let target = home(on);
                let Some(other) = names.get(&target) else {
                    self.rule(&rules::MISSING, &path, *span);
                    continue;
                };
                if other == pod_name {
                    continue;
                }
                let is_job = self
                    .draft
                    .pods
                    .iter()
                    .any(|pod| pod.name == *other && pod.job.is_some());
                if condition == "service_started" && with_health.contains(on) {
                    self.rule(&rules::STARTED, &path, *span);
                }
                let until = if is_job { "done" } else { "ready" };
                let after = &mut self.draft.pods[index].after;
                if !after.iter().any(|(name, _)| name == other) {
                    after.push((other.clone(), until));
                }
            }
        }
        self.shared_volumes();
        let texts = self.texts();
        for service in read {
            let Some(pod_name) = names.get(&home(&service.name)) else {
                continue;
            };
            self.front(service, pod_name, &texts);
        }
    }

    /// Adds a service's container, with the volumes that it mounts, to a pod.
    fn add_container(&mut self, index: usize, service: &Read) {
        let mut container = service.container.clone();
        let pod = &mut self.draft.pods[index];
        pod.share_processes |= service.shares;
        container.name = free(&container.name, |name| {
            pod.containers.iter().any(|other| other.name == name)
        });
        for volume in &service.pod.volumes {
            let known = pod.volumes.iter().find(|other| other.name == volume.name);
            match known {
                None => pod.volumes.push(volume.clone()),
                Some(known) if known.value == volume.value => {}
                Some(_) => {
                    let name = pod.free_volume(&volume.name);
                    for mount in container
                        .mounts
                        .iter_mut()
                        .filter(|mount| mount.volume == volume.name)
                    {
                        mount.volume.clone_from(&name);
                    }
                    let mut other = volume.clone();
                    other.name = name;
                    pod.volumes.push(other);
                }
            }
        }
        pod.containers.push(container);
    }

    fn shared_volumes(&mut self) {
        let shared: Vec<String> = self
            .users
            .iter()
            .filter(|(_, users)| users.len() > 1)
            .map(|(name, _)| name.clone())
            .collect();
        for name in shared {
            let found = self
                .draft
                .pods
                .iter()
                .flat_map(|pod| &pod.volumes)
                .find(|volume| volume.name == name);
            let pods = self
                .draft
                .pods
                .iter()
                .filter(|pod| pod.volumes.iter().any(|volume| volume.name == name));
            if let (Some(span), true) = (found.map(|volume| volume.origin), pods.count() > 1) {
                self.rule(&rules::SHARED, &format!("volumes.{name}"), span);
            }
        }
    }

    /// Every text of every container: where others are named.
    fn texts(&self) -> Vec<String> {
        let mut texts = Vec::new();
        for container in self.draft.pods.iter().flat_map(|pod| &pod.containers) {
            let items = [container.command.as_ref(), container.args.as_ref()];
            items
                .into_iter()
                .flatten()
                .for_each(|item| item.texts_in(&mut texts));
            for (_, value, _) in &container.env {
                match value {
                    super::draft::Env::Text(text) => texts.push(text.clone()),
                    super::draft::Env::Written(item) => item.texts_in(&mut texts),
                    super::draft::Env::Secret(..) => {}
                }
            }
        }
        texts
    }

    /// Puts services in front of a pod: of this name, and of its aliases.
    fn front(&mut self, read: &Read, pod: &str, texts: &[String]) {
        let Some(index) = self.draft.pods.iter().position(|other| other.name == *pod) else {
            return;
        };
        if self.draft.pods[index].job.is_some() {
            return;
        }
        let mut ports: Vec<ServicePort> = Vec::new();
        let mut publish = Vec::new();
        for published in &read.published {
            let is_taken = |name: &str| ports.iter().any(|other| other.name == name);
            let name = port_name(&published.name, published.target, published.udp, is_taken);
            if ports
                .iter()
                .any(|other| other.number == published.target && other.udp == published.udp)
            {
                // The same port in a second place of the host: as a port of a service of its own.
                self.extra_service(read, pod, published, &name);
            } else {
                ports.push(ServicePort {
                    name: name.clone(),
                    number: published.target,
                    target: published.target,
                    udp: published.udp,
                    origin: published.span,
                });
                publish.push((name, published.host.clone(), published.span));
            }
        }
        for (number, udp, span) in &read.exposed {
            if !ports
                .iter()
                .any(|other| other.number == *number && other.udp == *udp)
            {
                ports.push(ServicePort {
                    name: String::new(),
                    number: *number,
                    target: *number,
                    udp: *udp,
                    origin: *span,
                });
            }
        }
        let dialled = port::dialled(&read.name, texts);
        let path = format!("services.{}", read.name);
        if ports.is_empty() && read.joins.is_none() {
            let guess = dialled.or_else(|| port::usual(&read.container.source));
            if let Some(number) = guess {
                let message = format!("{} is taken for dialled on port {number}", quoted(&read.name));
                self.notes.say(
                    &rules::USUAL_PORT,
                    &path,
                    read.origin,
                    message,
                    rules::USUAL_PORT.remedy,
                );
                ports.push(ServicePort {
                    name: String::new(),
                    number,
                    target: number,
                    udp: false,
                    origin: read.origin,
                });
            } else if port::is_named(&read.name, texts) {
                self.rule(&rules::NO_PORT, &path, read.origin);
            }
        }
        if ports.is_empty() {
            return;
        }
        for port in &ports {
            port::declare(&mut self.draft.pods[index].containers, &read.container.name, port);
        }
        let own = pod_service(&read.name, pod, read.joins.is_some());
        let mut aliases = vec![(own, read.origin, path)];
        aliases.extend(read.aliases.iter().cloned());
        for (alias, origin, path) in aliases {
            if crate::stack::Name::new(&alias).is_none() {
                self.rule(&rules::ALIAS, &path, origin);
                continue;
            }
            if self.draft.services.iter().any(|other| other.name == alias) {
                continue;
            }
            self.draft.services.push(Service {
                name: alias,
                origin,
                pod: pod.to_owned(),
                ports: ports.clone(),
                publish: std::mem::take(&mut publish),
                affinity: false,
                headless: false,
            });
        }
    }

    fn extra_service(&mut self, read: &Read, pod: &str, published: &port::Published, label: &str) {
        let name = free(&format!("{}-{label}", read.name), |name| {
            self.draft.services.iter().any(|other| other.name == name)
        });
        self.draft.services.push(Service {
            name,
            origin: published.span,
            pod: pod.to_owned(),
            ports: vec![ServicePort {
                name: label.to_owned(),
                number: published.target,
                target: published.target,
                udp: published.udp,
                origin: published.span,
            }],
            publish: vec![(label.to_owned(), published.host.clone(), published.span)],
            affinity: false,
            headless: false,
        });
    }

    /// A path of the file as one of the stack.
    fn path(&self, written: &str) -> Option<String> {
        let folder = self.folder.as_deref()?;
        crate::stack::project_path(folder, written).ok()
    }

    /// Declares a secret's key.
    fn declare_secret(&mut self, name: &str, key: &str, path: String, origin: Span) {
        let secret = self
            .draft
            .secrets
            .entry(name.to_owned())
            .or_insert_with(|| Secret::Files(BTreeMap::new(), origin));
        if let Secret::Files(files, _) = secret {
            files.insert(key.to_owned(), path);
        }
    }
}

/// The service whose pod each is part of that joins another; of those that join each other it is one of them.
fn homes(joined: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let mut homes: BTreeMap<String, String> = BTreeMap::new();
    for first in joined.keys() {
        let mut way = BTreeSet::new();
        let mut at = first;
        let home = loop {
            if let Some(home) = homes.get(at) {
                break home.clone();
            }
            match joined.get(at) {
                Some(next) if way.insert(at) => at = next,
                _ => break at.clone(),
            }
        };
        homes.extend(way.into_iter().map(|name| (name.clone(), home.clone())));
    }
    homes
}

/// The name of a pod's service: the pod's, unless it is that of another container in it.
fn pod_service(name: &str, pod: &str, joins: bool) -> String {
    if joins { name.to_owned() } else { pod.to_owned() }
}

/// The text of a scalar below a key.
fn text_at<'n>(node: &'n Node, key: &str) -> Option<&'n str> {
    node.get(key).and_then(|entry| text_of(&entry.value))
}
