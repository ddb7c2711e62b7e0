//! Reads what `motif export compose` wrote: a service for each container of each replica, and under `x-motif` what no
//! field of Compose holds. It becomes the stack that it was, with what was changed in the file since.

use std::collections::{BTreeMap, BTreeSet};

use super::storage::Mounted;
use super::text::{Piece, duration, milliseconds, pieces, with_defaults};
use super::{Context, RULES, rules, text_at};
use crate::diagnostic::{Span, quoted};
use crate::export::compose::{is_own_mount, program, question};
use crate::import::draft::{Container, Env, Job, Mount, Pod, Source, Volume};
use crate::import::item::{Item, Map, Member, merge};
use crate::import::record::{Record, text_of};
use crate::stack::{FileKind, Name};
use crate::yaml::{Content, Entry, Node};

/// The key under which an export says what Compose's own don't.
pub const KEY: &str = "x-motif";

/// How often a job may fail, where its stack doesn't say.
const RETRIES: u32 = 6;
/// Milliseconds between SIGTERM and SIGKILL, where a stack doesn't say.
const GRACE: u64 = 30_000;

/// What a service of the file is of the stack.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mark {
    /// A container of a replica of a pod.
    Container(String, u32, String),
    /// What owns the network of a replica.
    Owner(String, u32),
    /// The proxy of a service.
    Proxy,
    /// What an export needs beside the stack.
    Help,
}

impl Mark {
    /// Reads `web/0/app`, `web/0`, and `web` of a service of the stack; what helps has its own name. Nothing else is a
    /// mark.
    pub fn of(service: &Entry, rest: Option<&Node>) -> Option<Self> {
        let text = text_at(&service.value, KEY)?;
        let name = |text: &str| Name::new(text).map(|name| name.to_string());
        let parts: Vec<&str> = text.split('/').collect();
        match parts[..] {
            [pod, replica, container] => Some(Self::Container(
                name(pod)?,
                replica.parse().ok()?,
                name(container)?,
            )),
            [pod, replica] => Some(Self::Owner(name(pod)?, replica.parse().ok()?)),
            [help] if help.contains('.') && help == service.key => Some(Self::Help),
            [service] => at(rest?, &["services", service]).map(|_| Self::Proxy),
            _ => None,
        }
    }

    /// The pod and its replica.
    pub fn replica(&self) -> Option<(&str, u32)> {
        match self {
            Self::Container(pod, replica, _) | Self::Owner(pod, replica) => Some((pod, *replica)),
            Self::Proxy | Self::Help => None,
        }
    }
}

/// The services that have a mark, and what the file says beside them.
#[derive(Default)]
pub struct Own<'n> {
    /// What stands under the key of the whole file.
    pub rest: Option<&'n Node>,
    /// In the order written.
    pub services: Vec<(Mark, &'n Entry)>,
    /// Places in them, by name.
    names: BTreeMap<&'n str, usize>,
    /// All marks.
    marks: BTreeSet<Mark>,
    /// Places in them, by pod and replica.
    replicas: BTreeMap<(String, u32), Vec<usize>>,
}

impl<'n> Own<'n> {
    /// Adds a service.
    pub fn push(&mut self, mark: Mark, entry: &'n Entry) {
        let place = self.services.len();
        self.names.insert(&entry.key, place);
        // Of two with the same mark the first one is meant.
        let is_new = self.marks.insert(mark.clone());
        if let Some((pod, replica)) = mark.replica().filter(|_| is_new) {
            let of_replica = self.replicas.entry((pod.to_owned(), replica)).or_default();
            of_replica.push(place);
        }
        self.services.push((mark, entry));
    }

    fn said(&self, path: &[&str]) -> Option<&'n Node> {
        at(self.rest?, path)
    }

    /// The section of a pod or job, which is said of every job.
    fn section(&self, pod: &str) -> &'static str {
        match self.said(&["jobs", pod]) {
            Some(_) => "jobs",
            None => "pods",
        }
    }

    /// The mark of a service.
    fn mark(&self, name: &str) -> Option<&Mark> {
        self.names.get(name).map(|place| &self.services[*place].0)
    }

    /// The services of a replica, in the order written: what owns its network is the first.
    fn of_replica(&self, pod: &str, replica: u32) -> impl Iterator<Item = (&Mark, &'n Entry)> {
        let places = self.replicas.get(&(pod.to_owned(), replica));
        places.into_iter().flatten().map(|place| {
            let (mark, entry) = &self.services[*place];
            (mark, *entry)
        })
    }
}

/// What stands below keys.
fn at<'n>(node: &'n Node, path: &[&str]) -> Option<&'n Node> {
    path.iter()
        .try_fold(node, |node, key| Some(&node.get(key)?.value))
}

impl Own<'_> {
    /// Puts containers where the stack had them: as they are named beside the services, and those before the main ones
    /// in the order in which they wait for each other, which survives `docker compose config`.
    fn order(&self, pod: &mut Pod, replica: u32) {
        let section = self.section(&pod.name);
        let said = |name: &str| self.said(&[section, &pod.name, "containers", name]);
        let named = self
            .said(&[section, &pod.name, "containers"])
            .and_then(Node::entries);
        let place = |name: &str| {
            let mut named = named.unwrap_or_default().iter();
            named.position(|entry| entry.key == name).unwrap_or(usize::MAX)
        };
        pod.containers.sort_by_key(|container| place(&container.name));
        let waits = |name: &str| {
            let is_it = |mark: &Mark| matches!(mark, Mark::Container(_, _, other) if other == name);
            let mut services = self.of_replica(&pod.name, replica);
            let service = services.find(|(mark, _)| is_it(mark));
            service.map_or(0, |(_, entry)| {
                let on = super::service::dependencies_of(&entry.value);
                let own_pod = on.iter().filter_map(|(on, ..)| self.mark(on)?.replica());
                own_pod.filter(|(other, _)| *other == pod.name).count()
            })
        };
        let is_before =
            |container: &Container| said(&container.name).is_some_and(|said| said.get("role").is_some());
        let places: Vec<usize> = (0..pod.containers.len())
            .filter(|place| is_before(&pod.containers[*place]))
            .collect();
        let mut before: Vec<(usize, Container)> = places
            .iter()
            .map(|place| {
                (
                    waits(&pod.containers[*place].name),
                    pod.containers[*place].clone(),
                )
            })
            .collect();
        before.sort_by_key(|(waits, _)| *waits);
        for (place, (_, container)) in places.into_iter().zip(before) {
            pod.containers[place] = container;
        }
    }

    /// How often the main containers of a job may fail, where it isn't as often as a job's do.
    fn retries(&self, name: &str, run: u32) -> Option<Item> {
        let is_main = |container: &str| {
            self.said(&["jobs", name, "containers", container, "role"])
                .is_none()
        };
        let restart = self.of_replica(name, run).find_map(|(mark, entry)| match mark {
            Mark::Container(_, _, container) if is_main(container) => text_at(&entry.value, "restart"),
            _ => None,
        })?;
        let retries = match restart.strip_prefix("on-failure:") {
            Some(count) => count.parse::<u32>().ok()?,
            None if restart == "no" => 0,
            None => return None,
        };
        (retries != RETRIES).then(|| Item::plain(retries))
    }

    /// The pods and jobs that a replica waits for.
    fn after(&self, pod: &str, owner: &Entry) -> Vec<(String, &'static str)> {
        let mut after: Vec<(String, &'static str)> = Vec::new();
        for (on, condition, _) in super::service::dependencies_of(&owner.value) {
            let (name, until) = match self.mark(&on) {
                Some(mark) => match mark.replica() {
                    Some((other, _)) if self.section(other) == "jobs" => (other.to_owned(), "done"),
                    Some((other, _)) => (other.to_owned(), "ready"),
                    None => continue,
                },
                None if condition == "service_completed_successfully" => (on, "done"),
                None => (on, "ready"),
            };
            if name != pod && after.iter().all(|(other, _)| *other != name) {
                after.push((name, until));
            }
        }
        after
    }
}

impl Context<'_> {
    /// Makes pods of the services that have a mark.
    pub(super) fn own(&mut self, own: &Own) {
        let (mut pods, mut known) = (Vec::new(), BTreeSet::new());
        let mut seen = BTreeSet::new();
        for (mark, entry) in &own.services {
            let Some((pod, _)) = mark.replica() else { continue };
            if !seen.insert(mark) {
                self.rule(
                    &rules::OWN_TWICE,
                    &format!("services.{}", entry.key),
                    entry.key_span,
                );
            }
            if known.insert(pod) {
                pods.push(pod);
            }
        }
        let secrets = own.said(&["secrets"]).and_then(Node::entries).unwrap_or_default();
        self.own_secrets = secrets.iter().map(|entry| entry.key.clone()).collect();
        for pod in pods {
            self.own_pod_of(own, pod);
        }
        let mut more = own.rest.map_or_else(Vec::new, |rest| match item_of(rest) {
            Item::Map(members) => members,
            _ => Vec::new(),
        });
        for section in ["pods", "jobs"] {
            for pod in inner(&mut more, section).into_iter().flatten() {
                // What is read beside the services that it is about.
                take(&mut pod.value, "volumes");
                if let Item::Map(members) = &mut pod.value {
                    for container in inner(members, "containers").into_iter().flatten() {
                        take(&mut container.value, "env");
                    }
                }
            }
        }
        self.own_secret_files(&mut more);
        let publish = self.own_publish(own);
        merge(&mut more, publish);
        self.draft.more = more;
    }

    fn own_pod_of(&mut self, own: &Own, name: &str) {
        let section = own.section(name);
        let of_pod = own
            .replicas
            .range((name.to_owned(), 0)..=(name.to_owned(), u32::MAX));
        let replicas: Vec<u32> = of_pod.map(|((_, replica), _)| *replica).collect();
        let Some(first) = replicas.first().copied() else {
            return;
        };
        let Some((_, owner)) = own.of_replica(name, first).next() else {
            return;
        };
        let count = replicas.len() as u64;
        let hostname = text_at(&owner.value, "hostname").map(|text| with_defaults(text).0);
        let mut pod = Pod {
            name: name.to_owned(),
            origin: owner.key_span,
            comment: None,
            job: None,
            replicas: count,
            range: None,
            egress: None,
            stable: false,
            hostname: hostname.filter(|host| *host != format!("{name}-{first}")),
            share_processes: false,
            grace: None,
            after: own.after(name, owner),
            containers: Vec::new(),
            volumes: Vec::new(),
        };
        if let Some(range) = own.said(&[section, name, "replicas"]) {
            pod.range = Some((
                match Item::one("min", Item::plain(count)) {
                    Item::Map(members) => Map(members),
                    _ => Map::default(),
                },
                range.span,
            ));
        }
        for (mark, entry) in own.of_replica(name, first) {
            let Mark::Container(_, _, container) = mark else {
                continue;
            };
            if pod.containers.iter().any(|other| other.name == *container) {
                continue;
            }
            if let Some(found) = self.own_container(own, &mut pod, container, entry) {
                pod.containers.push(found);
            }
            let grace = text_at(&entry.value, "stop_grace_period").and_then(milliseconds);
            pod.grace = grace.filter(|grace| *grace != GRACE).map(duration);
        }
        own.order(&mut pod, first);
        if section == "jobs" {
            let mut keys = Map::default();
            if count != 1 {
                keys.put("completions", Item::plain(count));
            }
            keys.maybe("retries", own.retries(name, first));
            pod.job = Some(Job { keys, never: false });
        }
        for replica in replicas.iter().filter(|replica| **replica != first) {
            self.compare(own, name, first, *replica);
        }
        self.draft.pods.push(pod);
    }

    /// A container, and the volumes that it mounts.
    fn own_container(&mut self, own: &Own, pod: &mut Pod, name: &str, entry: &Entry) -> Option<Container> {
        let origin = entry.key_span;
        let section = own.section(&pod.name);
        let path = format!("services.{}", entry.key);
        let mut record = Record::of(&entry.value, "service", path, self.notes)?;
        record.ignore_prefix("x-");
        // What follows from the pod, its other containers, and the limits.
        record.ignore(&[
            "profiles",
            "platform",
            "depends_on",
            "network_mode",
            "networks",
            "hostname",
            "ipc",
            "pid",
            "memswap_limit",
            "ports",
            "restart",
            "stop_grace_period",
        ]);
        let entrypoint = self.command(&mut record, "entrypoint");
        let entrypoint = entrypoint.and_then(|mut words| {
            let texts = words.iter().map(|word| match word {
                Item::Text(text) => text.as_str(),
                _ => "",
            });
            let begin = program(&texts.collect::<Vec<_>>())?;
            Some(words.split_off(begin))
        });
        let Some((source, args)) = self.source(&mut record, entrypoint.as_ref()) else {
            self.rule(&rules::NO_SOURCE, &record.path, origin);
            record.others();
            return None;
        };
        let is_block = matches!(source, Source::Block(_));
        let said = own.said(&[section, &pod.name, "containers", name]);
        let is_indexed = own.said(&["jobs", &pod.name, "indexed"]).is_some();
        let env = self.own_environment(&mut record, said, is_indexed);
        let mut mounted = Mounted::default();
        self.own_volumes(own, pod, &mut record, &mut mounted);
        self.tmpfs(&mut record, &mut mounted);
        self.configs(&mut record, &mut mounted);
        self.secrets(name, &mut record, &mut mounted);
        let sync = self.synced(&source, &mut mounted);
        // Without readiness the check is that of the start, which stands beside it.
        let has_ready = |said: &Node| said.get("startup").is_none() || said.get("ready").is_some();
        let ready = self.own_check(&mut record).filter(|_| said.is_none_or(has_ready));
        let security = self.security(&mut record, is_block, true);
        let (cpu, memory) = self.resources(&mut record, pod);
        self.sysctls(&mut record);
        let directory = record.text("working_dir", self.notes);
        let directory =
            directory.map(|found| self.value(&found.value, &record.at("working_dir"), found.span));
        record.rest(RULES, self.notes);
        for volume in mounted.volumes {
            if pod.volumes.iter().all(|other| other.name != volume.name) {
                pod.volumes.push(volume);
            }
        }
        Some(Container {
            name: name.to_owned(),
            origin,
            comment: None,
            role: None,
            source,
            command: entrypoint.filter(|words| !words.is_empty()).map(Item::List),
            args,
            env,
            ports: Vec::new(),
            mounts: mounted.mounts,
            cpu,
            memory,
            probes: ready
                .map(|(map, span)| ("ready", map, span))
                .into_iter()
                .collect(),
            restricted: security.restricted,
            user: security.user,
            read_only: security.read_only,
            capabilities: security.capabilities,
            directory,
            sync,
        })
    }

    /// Variables; those that are keys of secrets by what stands beside them.
    fn own_environment(
        &mut self,
        record: &mut Record,
        said: Option<&Node>,
        is_indexed: bool,
    ) -> Vec<(String, Env, Span)> {
        const INDEX: &str = "JOB_COMPLETION_INDEX";
        let path = record.at("environment");
        let secrets = said.and_then(|said| said.get("env")).map(|entry| &entry.value);
        let mut env = Vec::new();
        for (name, value, span) in self.pairs(record, "environment") {
            let path = format!("{path}.{name}");
            let value = value.unwrap_or_default();
            let secret = secrets.and_then(|secrets| secrets.get(&name)).and_then(|entry| {
                let text = |key: &str| Some(with_defaults(text_at(&entry.value, key)?).0);
                Some(Env::Secret(text("secret")?, text("key")?))
            });
            if let Some(secret) = secret {
                // Its value may have been put in the variable's place.
                if !matches!(pieces(&value)[..], [Piece::Variable(..)]) {
                    self.rule(&rules::OWN_SECRET, &path, span);
                }
                env.push((name, secret, span));
            } else if !(is_indexed && name == INDEX) {
                let value = self.parameterised(&value, &path, span);
                env.push((name, Env::Written(value), span));
            }
        }
        env
    }

    fn own_volumes(&mut self, own: &Own, pod: &Pod, record: &mut Record, mounted: &mut Mounted) {
        let section = own.section(&pod.name);
        let path = record.at("volumes");
        for node in record.list("volumes", self.notes) {
            let target = text_at(node, "target").unwrap_or_default();
            let mark = text_at(node, KEY);
            let is_temporary = target == "/tmp" && text_at(node, "type") == Some("tmpfs");
            if mark.is_none() && (is_own_mount(target) || is_temporary) {
                continue;
            }
            let wanted = if let Content::Mapping(_) = &node.content {
                self.long_volume(node, &path)
            } else {
                let text = self.value(text_of(node).unwrap_or_default(), &path, node.span);
                super::storage::short_volume(&text, node.span)
            };
            let Some(wanted) = wanted else {
                self.rule(&rules::HOST_FOLDER, &path, node.span);
                continue;
            };
            let Some(name) = mark else {
                self.mount(&pod.name, &path, wanted, mounted);
                continue;
            };
            let said = own.said(&[section, &pod.name, "volumes", name]);
            let folder = said
                .and_then(|said| text_at(said, "config"))
                .map(|folder| with_defaults(folder).0);
            let is_secret = said.is_some_and(|said| said.get("secret").is_some());
            let files = self.own_files(&wanted.source, folder.as_deref(), &path, node.span);
            let is_read_only = wanted.read_only && files.is_none() && !is_secret;
            let (target, span) = (wanted.target.clone(), wanted.span);
            let value = match (files, said) {
                (Some(files), _) => Some(files),
                (None, Some(said)) => Some(item_of(said)),
                (None, None) => {
                    let mut alone = Mounted::default();
                    self.mount(&pod.name, &path, wanted, &mut alone);
                    alone.volumes.pop().map(|volume| volume.value)
                }
            };
            let Some(value) = value else { continue };
            if mounted.volumes.iter().all(|volume| volume.name != name) {
                mounted.volumes.push(Volume {
                    name: name.to_owned(),
                    value,
                    origin: said.map_or(span, |said| said.span),
                    comment: None,
                });
            }
            mounted.mounts.push(Mount {
                volume: name.to_owned(),
                path: target,
                read_only: is_read_only,
                origin: span,
            });
        }
    }

    /// The files that are laid into a volume: the folder or file that they are from where it still holds the same,
    /// else what stands in the file.
    fn own_files(&mut self, source: &str, folder: Option<&str>, path: &str, span: Span) -> Option<Item> {
        const MOST: usize = 1 << 20;
        let prefix = format!("{source}.");
        let declared = self.configs.iter().filter_map(|(name, node)| {
            let file = name.strip_prefix(&prefix)?.to_owned();
            let content = text_at(node, "content").map(|text| with_defaults(text).0);
            Some((file, (content, *node)))
        });
        let declared: BTreeMap<String, (Option<String>, &Node)> = declared.collect();
        if declared.is_empty() {
            return None;
        }
        if let Some(folder) = folder.and_then(|folder| self.path(folder)) {
            let at = |name: &str| match folder.as_str() {
                "." => name.to_owned(),
                folder => format!("{folder}/{name}"),
            };
            let is_same = |(name, (content, _)): (&String, &(Option<String>, &Node))| {
                let there = self.files.read(&at(name), MOST);
                there.is_ok_and(|there| content.as_ref().is_none_or(|content| content.as_bytes() == there))
            };
            if declared.iter().all(is_same) {
                let names = self.files.list(&folder).unwrap_or_default();
                let is_file = |name: &&String| matches!(self.files.kind(&at(name)), Ok(FileKind::File));
                let is_whole = names.iter().all(|name| declared.contains_key(name))
                    && names.iter().filter(is_file).count() == declared.len();
                if is_whole && folder != "." {
                    return Some(Item::one("config", folder.into()));
                }
                if let Some((name, _)) = declared.first_key_value().filter(|_| declared.len() == 1) {
                    return Some(Item::one("config", at(name).into()));
                }
            }
        }
        let mut files = Map::default();
        for (name, (content, node)) in declared {
            let text = content.or_else(|| match text_at(node, "file")? {
                // An export has nothing else for an empty text.
                "/dev/null" => Some(String::new()),
                file => {
                    let file = self.path(&with_defaults(file).0)?;
                    String::from_utf8(self.files.read(&file, MOST).ok()?).ok()
                }
            });
            match text {
                Some(text) => files.put_from(&name, text, node.span),
                None => self.rule(&rules::NO_FILE, &format!("configs.{prefix}{name}"), node.span),
            }
        }
        if files.0.is_empty() {
            self.rule(&rules::NO_FILE, path, span);
        }
        Some(Item::one("config", files.into()))
    }

    /// The readiness probe that a health check asks.
    fn own_check(&mut self, record: &mut Record) -> Option<(Map, Span)> {
        const EVERY: u64 = 10_000;
        const TIMEOUT: u64 = 1000;
        /// What an export gives the engine to start a check.
        const SLACK: u64 = 2000;
        let check = self.check(record)?;
        let mut map = Map::default();
        let mut timeout = check.timeout.saturating_sub(SLACK);
        match check.words.as_deref().unwrap_or_default() {
            [kind, words @ ..] if kind == "CMD" && !words.is_empty() => match question(words).map(asked) {
                Some(found) => {
                    let (probe, own) = found?;
                    map = probe;
                    timeout = own.unwrap_or(timeout);
                }
                None => map.put("exec", Item::texts(words.to_vec())),
            },
            [kind, script] if kind == "CMD-SHELL" => {
                map.put("exec", Item::texts(["/bin/sh", "-c", script.as_str()]));
            }
            _ => {
                self.rule(&rules::TEST_KIND, &record.at("healthcheck.test"), check.span);
                return None;
            }
        }
        if check.interval != EVERY {
            map.put("every", duration(check.interval));
        }
        if timeout != TIMEOUT {
            map.put("timeout", duration(timeout));
        }
        if check.retries != 3 {
            map.put("failures", Item::plain(check.retries));
        }
        Some((map, check.span))
    }

    /// Says where a further replica is another one than the first.
    fn compare(&mut self, own: &Own, pod: &str, first: u32, replica: u32) {
        let names = |replica: u32| format!("{pod}-{replica}");
        let (here, there) = (names(first), names(replica));
        let mut rest: Vec<(&Mark, &Entry)> = own.of_replica(pod, first).collect();
        for (mark, entry) in own.of_replica(pod, replica) {
            let is_it = |(other, _): &(&Mark, &Entry)| match (mark, other) {
                (Mark::Container(_, _, one), Mark::Container(_, _, other)) => one == other,
                (Mark::Owner(..), Mark::Owner(..)) => true,
                _ => false,
            };
            let same = rest.iter().position(is_it).map(|at| rest.remove(at));
            if !same.is_some_and(|(_, other)| is_alike(&other.value, &entry.value, &here, &there)) {
                let message = format!(
                    "{} isn't what it is in replica {first}, which is taken",
                    quoted(&entry.key)
                );
                let path = format!("services.{}", entry.key);
                let rule = &rules::OWN_REPLICA;
                self.notes.say(rule, &path, entry.key_span, message, rule.remedy);
            }
        }
        for (_, entry) in rest {
            let message = format!("replica {replica} has nothing like {}", quoted(&entry.key));
            let path = format!("services.{}", entry.key);
            let rule = &rules::OWN_REPLICA;
            self.notes.say(rule, &path, entry.key_span, message, rule.remedy);
        }
    }

    /// Where the ports of services are published, by what is said at the ports of the file.
    fn own_publish(&mut self, own: &Own) -> Vec<Member> {
        let mut services = Map::default();
        for (_, entry) in &own.services {
            let path = format!("services.{}.ports", entry.key);
            let ports = entry.value.get("ports").map(|ports| &ports.value.content);
            let Some(Content::Sequence(ports)) = ports else {
                continue;
            };
            for node in ports {
                let said = text_at(node, KEY).and_then(|mark| mark.split_once('/'));
                let Some((service, name)) = said else {
                    self.rule(&rules::OWN_PORT, &path, node.span);
                    continue;
                };
                let found = self.long_port(node, &path);
                let Some([port]) = found.as_deref() else {
                    self.rule(&rules::PORT, &path, node.span);
                    continue;
                };
                let mut publish = Map::default();
                publish.put_from(name, Item::text_or_number(&port.host), node.span);
                let mut keys = Map::default();
                keys.put("publish", publish);
                let mut one = Map::default();
                one.put(service, keys);
                merge(&mut services.0, one.0);
            }
        }
        let mut more = Map::default();
        more.filled("services", services);
        more.0
    }

    /// Files of secrets: where Compose has them, else where the stack had them.
    fn own_secret_files(&mut self, more: &mut [Member]) {
        for secret in inner(more, "secrets").into_iter().flatten() {
            let name = secret.key.clone();
            let Item::Map(members) = &mut secret.value else {
                continue;
            };
            for file in inner(members, "files").into_iter().flatten() {
                let declared = self.secrets.get(&format!("{name}.{}", file.key));
                let declared = declared.and_then(|node| text_at(node, "file"));
                let Item::Text(said) = &file.value else { continue };
                let declared = declared.and_then(|declared| self.path(&with_defaults(declared).0));
                // One outside is left for the check to refuse.
                let found = declared.or_else(|| self.path(said));
                file.value = found.unwrap_or_else(|| said.clone()).into();
            }
        }
    }
}

/// What is said beside the services, as it stands in a stack.
fn item_of(node: &Node) -> Item {
    match &node.content {
        Content::Scalar { text, plain } => {
            let text = with_defaults(text).0;
            match text.as_str() {
                "true" | "false" if *plain => Item::Plain(text),
                _ if *plain => Item::text_or_number(text),
                _ => Item::Text(text),
            }
        }
        Content::Sequence(items) => Item::List(items.iter().map(item_of).collect()),
        Content::Mapping(entries) => {
            let mut map = Map::default();
            for entry in entries {
                map.put_from(&entry.key, item_of(&entry.value), entry.key_span);
            }
            map.into()
        }
        Content::Empty | Content::Unresolved => Map::default().into(),
    }
}

/// The members of a member.
fn inner<'m>(members: &'m mut [Member], key: &str) -> Option<&'m mut Vec<Member>> {
    let member = members.iter_mut().find(|member| member.key == key)?;
    match &mut member.value {
        Item::Map(members) => Some(members),
        _ => None,
    }
}

fn take(item: &mut Item, key: &str) {
    if let Item::Map(members) = item {
        members.retain(|member| member.key != key);
    }
}

/// The probe that motif's own program asks, and the milliseconds that it may take; none where that isn't known.
fn asked(words: &[String]) -> Option<(Map, Option<u64>)> {
    let (kind, words) = words.split_first()?;
    let mut map = Map::default();
    let mut headers = Map::default();
    let (mut timeout, mut port, mut path) = (None, None, None);
    for pair in words.chunks(2) {
        let [flag, value] = pair else { return None };
        match flag.as_str() {
            "--port" => port = Some(Item::text_or_number(value)),
            "--path" => path = Some(Item::from(value.as_str())),
            "--scheme" => map.put("scheme", value.as_str()),
            "--service" => map.put("service", value.as_str()),
            "--header" => {
                let (name, value) = value.split_once(": ")?;
                headers.put(name, value);
            }
            "--timeout" => timeout = Some(milliseconds(value)?),
            _ => return None,
        }
    }
    let mut probe = Map::default();
    match kind.as_str() {
        "http" => {
            probe.maybe("http", path);
            probe.maybe("port", port);
        }
        "tcp" | "grpc" => probe.maybe(kind, port),
        _ => return None,
    }
    probe.0.extend(map.0);
    probe.filled("headers", headers);
    Some((probe, timeout))
}

/// Whether two services are the same but for the name of their replica, and what only one of the replicas has.
fn is_alike(one: &Node, other: &Node, here: &str, there: &str) -> bool {
    const OWN: [&str; 8] = [
        KEY,
        "build",
        "pull_policy",
        "ports",
        "depends_on",
        "hostname",
        "networks",
        "JOB_COMPLETION_INDEX",
    ];
    let is_same = |one: &str, other: &str| one == other || one == other.replace(there, here);
    match (&one.content, &other.content) {
        (Content::Scalar { text: one, .. }, Content::Scalar { text: other, .. }) => is_same(one, other),
        (Content::Sequence(one), Content::Sequence(other)) => {
            one.len() == other.len()
                && one
                    .iter()
                    .zip(other)
                    .all(|(one, other)| is_alike(one, other, here, there))
        }
        (Content::Mapping(one), Content::Mapping(other)) => {
            let shown = |entries: &[Entry]| -> BTreeMap<String, Node> {
                let shown = entries.iter().filter(|entry| !OWN.contains(&entry.key.as_str()));
                shown
                    .map(|entry| (entry.key.clone(), entry.value.clone()))
                    .collect()
            };
            let (one, other) = (shown(one), shown(other));
            one.keys().eq(other.keys())
                && one
                    .values()
                    .zip(other.values())
                    .all(|(one, other)| is_alike(one, other, here, there))
        }
        (Content::Empty | Content::Unresolved, Content::Empty | Content::Unresolved) => true,
        _ => false,
    }
}
