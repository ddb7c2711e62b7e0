//! What both kinds of foreign files become first: pods with their containers, services and secrets, not yet checked.

use std::collections::{BTreeMap, BTreeSet};

use super::item::{Item, Map, Member, merge};
use crate::diagnostic::Span;
use crate::stack::Name;

/// A stack that is being made.
#[derive(Debug, Clone, Default)]
pub struct Draft {
    /// Its name.
    pub name: String,
    /// What a reader of the file is to know first.
    pub comment: String,
    /// Parameters by name, each with its default.
    pub parameters: BTreeMap<String, Parameter>,
    /// Pods and jobs, in the order found.
    pub pods: Vec<Pod>,
    /// Services, in the order found.
    pub services: Vec<Service>,
    /// Secrets by name.
    pub secrets: BTreeMap<String, Secret>,
    /// What a file says in a stack's own words; nothing of it takes the place of the rest.
    pub more: Vec<Member>,
}

/// A parameter: a text that is chosen later.
#[derive(Debug, Clone)]
pub struct Parameter {
    /// What it is without a choice.
    pub default: Option<String>,
    /// Where it has to be chosen: what to know for that, which may be nothing.
    pub required: Option<String>,
    /// What it is from.
    pub origin: Span,
}

impl Parameter {
    /// One that is empty, as long as nothing else is known of it.
    pub fn new(origin: Span) -> Self {
        Self {
            default: None,
            required: None,
            origin,
        }
    }
}

/// A pod or a job.
#[derive(Debug, Clone)]
pub struct Pod {
    /// Its name.
    pub name: String,
    /// What it is from.
    pub origin: Span,
    /// What a reader is to know.
    pub comment: Option<String>,
    /// What makes it a job.
    pub job: Option<Job>,
    /// How many run.
    pub replicas: u64,
    /// The range of an autoscaler, and what that is from.
    pub range: Option<(Map, Span)>,
    /// What it may dial, where that is said.
    pub egress: Option<(Vec<String>, Span)>,
    /// Whether replicas keep names and claims.
    pub stable: bool,
    /// Host name.
    pub hostname: Option<String>,
    /// Whether containers see each other's processes.
    pub share_processes: bool,
    /// Seconds between SIGTERM and SIGKILL, where they aren't 30.
    pub grace: Option<String>,
    /// What has to be so before it starts: name to `ready` or `done`.
    pub after: Vec<(String, &'static str)>,
    /// Containers, in the order that they start.
    pub containers: Vec<Container>,
    /// Volumes by name.
    pub volumes: Vec<Volume>,
}

/// What only a job has.
#[derive(Debug, Clone, Default)]
pub struct Job {
    /// The keys of a job, as they are written.
    pub keys: Map,
    /// Whether a failed container is never started again.
    pub never: bool,
}

/// What a container runs.
#[derive(Debug, Clone, PartialEq)]
pub enum Source {
    /// An image.
    Image(Item),
    /// A folder with a Dockerfile: the value of `build`.
    Build(Item),
    /// A building block of motif.
    Block(String),
}

/// A container.
#[derive(Debug, Clone)]
pub struct Container {
    /// Its name.
    pub name: String,
    /// What it is from.
    pub origin: Span,
    /// What a reader is to know.
    pub comment: Option<String>,
    /// `init` or `sidecar`; absent for a main one.
    pub role: Option<&'static str>,
    /// What it runs.
    pub source: Source,
    /// Replaces the entry point.
    pub command: Option<Item>,
    /// Replaces the arguments; the flags of a block.
    pub args: Option<Item>,
    /// Environment, in the order written.
    pub env: Vec<(String, Env, Span)>,
    /// Ports.
    pub ports: Vec<Port>,
    /// Volumes at paths.
    pub mounts: Vec<Mount>,
    /// Processor time and memory, as written.
    pub cpu: Option<String>,
    /// Memory, as written.
    pub memory: Option<String>,
    /// Probes: `startup`, `ready`, `live` and their values.
    pub probes: Vec<(&'static str, Map, Span)>,
    /// Whether it keeps the restricted standard.
    pub restricted: bool,
    /// Numeric user.
    pub user: Option<(String, Span)>,
    /// Whether its root file system is read only.
    pub read_only: bool,
    /// Capabilities beyond those of its standard.
    pub capabilities: Vec<String>,
    /// Working directory.
    pub directory: Option<String>,
    /// Folders that are copied into it when they change, each with its path there.
    pub sync: Vec<(String, String, Span)>,
}

/// The value of an environment variable.
#[derive(Debug, Clone, PartialEq)]
pub enum Env {
    /// A text.
    Text(String),
    /// A text in which parameters may stand.
    Written(Item),
    /// A key of a secret.
    Secret(String, String),
}

/// A port of a container.
#[derive(Debug, Clone)]
pub struct Port {
    /// Its name; empty until one is found.
    pub name: String,
    /// Its number.
    pub number: u16,
    /// Whether it is UDP.
    pub udp: bool,
    /// What it is from.
    pub origin: Span,
}

/// A volume at a path.
#[derive(Debug, Clone)]
pub struct Mount {
    /// The volume.
    pub volume: String,
    /// The path.
    pub path: String,
    /// Whether it is read only.
    pub read_only: bool,
    /// What it is from.
    pub origin: Span,
}

/// A volume.
#[derive(Debug, Clone)]
pub struct Volume {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: Item,
    /// What it is from.
    pub origin: Span,
    /// What a reader is to know.
    pub comment: Option<String>,
}

/// A service.
#[derive(Debug, Clone)]
pub struct Service {
    /// Its name.
    pub name: String,
    /// What it is from.
    pub origin: Span,
    /// The pod behind it.
    pub pod: String,
    /// Its ports: name, number, and the number behind it.
    pub ports: Vec<ServicePort>,
    /// Host ports: name of the port, to the value.
    pub publish: Vec<(String, String, Span)>,
    /// Whether the same client reaches the same replica.
    pub affinity: bool,
    /// Whether it has no address of its own.
    pub headless: bool,
}

/// A port of a service.
#[derive(Debug, Clone)]
pub struct ServicePort {
    /// Its name; empty until one is found.
    pub name: String,
    /// The number that clients dial.
    pub number: u16,
    /// The number behind it.
    pub target: u16,
    /// Whether it is UDP.
    pub udp: bool,
    /// What it is from.
    pub origin: Span,
}

/// A secret: its keys, or the names of its certificate.
#[derive(Debug, Clone)]
pub enum Secret {
    /// Keys, each in a file, in what folder.
    Files(BTreeMap<String, String>, Span),
    /// The host names of a certificate.
    Certificate(Vec<String>, Span),
}

impl Pod {
    /// Whether a volume of this name is a claim.
    pub fn has_claim(&self, name: &str) -> bool {
        let is_claim = |volume: &&Volume| matches!(&volume.value, Item::Map(members) if members.iter().any(|member| member.key == "claim"));
        self.volumes
            .iter()
            .filter(is_claim)
            .any(|volume| volume.name == name)
    }

    /// The pod's ports, those of init containers left out.
    pub fn ports(&self) -> impl Iterator<Item = &Port> {
        self.containers
            .iter()
            .filter(|container| container.role != Some("init"))
            .flat_map(|container| &container.ports)
    }

    /// Names a volume as wanted, or as near as is free.
    pub fn free_volume(&self, wanted: &str) -> String {
        let is_taken = |name: &str| self.volumes.iter().any(|volume| volume.name == name);
        free(wanted, is_taken)
    }
}

/// A DNS label that is not taken: the one that is wanted, or the nearest.
pub fn free(wanted: &str, is_taken: impl Fn(&str) -> bool) -> String {
    free_within(wanted, 63, is_taken)
}

fn free_within(wanted: &str, most: usize, is_taken: impl Fn(&str) -> bool) -> String {
    let nearest = Name::nearest(wanted).map_or_else(|| "x".to_owned(), |name| name.to_string());
    let cut = |length: usize| {
        nearest[..nearest.len().min(length)]
            .trim_end_matches('-')
            .to_owned()
    };
    let first = cut(most);
    if !is_taken(&first) {
        return first;
    }
    // Among so many numbers one is free.
    (2..u32::MAX)
        .map(|number| {
            let ending = format!("-{number}");
            cut(most - ending.len()) + &ending
        })
        .find(|name| !is_taken(name))
        .unwrap_or(first)
}

/// What a port of a number is called by everybody.
fn well_known(number: u16, udp: bool) -> Option<&'static str> {
    Some(match (number, udp) {
        (53, _) => "dns",
        (80 | 8080 | 8000 | 3000 | 5000, false) => "http",
        (443 | 8443, false) => "https",
        (3306, false) => "mysql",
        (5432, false) => "postgresql",
        (6379, false) => "redis",
        (11211, false) => "memcached",
        (27017, false) => "mongodb",
        (5672, false) => "amqp",
        (9090 | 9100, false) => "metrics",
        (9092, false) => "kafka",
        _ => return None,
    })
}

/// The nearest name of a port that is right, and free.
pub fn port_name(wanted: &str, number: u16, udp: bool, is_taken: impl Fn(&str) -> bool) -> String {
    const MOST: usize = 15;
    let mut wanted = wanted.to_ascii_lowercase();
    while wanted.contains("--") {
        wanted = wanted.replace("--", "-");
    }
    let has_letter = wanted.bytes().any(|byte| byte.is_ascii_lowercase());
    if !has_letter {
        wanted = match well_known(number, udp) {
            Some(known) => known.to_owned(),
            None => format!("{}-{number}", if udp { "udp" } else { "tcp" }),
        };
    }
    free_within(&wanted, MOST, is_taken)
}

impl Draft {
    /// Finds names for ports that have none: the service's for a pod's port, or the pod's for a service's.
    pub fn name_ports(&mut self) {
        let services = &self.services;
        for pod in &mut self.pods {
            let mut taken: BTreeSet<String> = pod
                .containers
                .iter()
                .flat_map(|c| &c.ports)
                .map(|port| port.name.clone())
                .collect();
            let name = pod.name.clone();
            for port in pod
                .containers
                .iter_mut()
                .flat_map(|container| &mut container.ports)
            {
                if !port.name.is_empty() {
                    continue;
                }
                let by_service = services
                    .iter()
                    .filter(|service| service.pod == name)
                    .flat_map(|service| &service.ports)
                    .find(|other| {
                        other.target == port.number && other.udp == port.udp && !other.name.is_empty()
                    });
                let wanted = by_service.map_or("", |other| &other.name);
                port.name = port_name(wanted, port.number, port.udp, |name| taken.contains(name));
                taken.insert(port.name.clone());
            }
        }
        let pods = &self.pods;
        for service in &mut self.services {
            let mut taken: BTreeSet<String> = service.ports.iter().map(|port| port.name.clone()).collect();
            let mut renamed = BTreeMap::new();
            for port in &mut service.ports {
                let is_right = Name::new(&port.name).is_some_and(|name| {
                    name.as_str().len() <= 15 && name.as_str().bytes().any(|byte| byte.is_ascii_lowercase())
                });
                if is_right {
                    continue;
                }
                let behind = pods
                    .iter()
                    .filter(|pod| pod.name == service.pod)
                    .flat_map(Pod::ports)
                    .find(|other| other.number == port.target && other.udp == port.udp);
                let wanted = if port.name.is_empty() {
                    behind.map_or("", |other| &other.name)
                } else {
                    &port.name
                };
                let name = port_name(wanted, port.number, port.udp, |name| taken.contains(name));
                taken.insert(name.clone());
                renamed.insert(std::mem::replace(&mut port.name, name.clone()), name);
            }
            for (port, _, _) in &mut service.publish {
                if let Some(name) = renamed.get(port) {
                    port.clone_from(name);
                }
            }
        }
    }

    /// The stack as it is written.
    pub fn item(&self) -> Vec<Member> {
        let mut root = Map::default();
        root.put("stack", self.name.as_str());
        if let Some(first) = root.0.last_mut() {
            first.comment = Some(self.comment.clone());
        }
        let mut parameters = Map::default();
        for (name, parameter) in &self.parameters {
            let mut value = Map::default();
            value.put("type", "string");
            match &parameter.required {
                Some(help) => value.maybe("help", Some(help.as_str()).filter(|help| !help.is_empty())),
                None => value.put("default", parameter.default.clone().unwrap_or_default()),
            }
            parameters.put_from(name, value, parameter.origin);
        }
        root.filled("parameters", parameters);
        let of = |is_job: bool| {
            let mut pods = Map::default();
            for pod in self.pods.iter().filter(|pod| pod.job.is_some() == is_job) {
                pods.put_from(&pod.name, pod_item(pod), pod.origin);
                comment(&mut pods, pod.comment.as_ref());
            }
            pods
        };
        root.filled("pods", of(false));
        let mut services = Map::default();
        for service in &self.services {
            services.put_from(&service.name, self.service(service), service.origin);
        }
        root.filled("services", services);
        root.filled("jobs", of(true));
        let mut secrets = Map::default();
        for (name, secret) in &self.secrets {
            let (value, origin) = match secret {
                Secret::Files(files, origin) => {
                    let mut keys = Map::default();
                    for (key, path) in files {
                        keys.put(key, path.as_str());
                    }
                    (Item::one("files", keys.into()), *origin)
                }
                Secret::Certificate(names, origin) => {
                    (Item::one("certificate", Item::texts(names.clone())), *origin)
                }
            };
            secrets.put_from(name, value, origin);
        }
        root.filled("secrets", secrets);
        if !self.more.is_empty() {
            merge(&mut root.0, self.more.clone());
            arrange(&mut root.0);
        }
        root.0
    }

    fn service(&self, service: &Service) -> Map {
        let mut map = Map::default();
        map.put("pod", service.pod.as_str());
        let pod = self.pods.iter().find(|pod| pod.name == service.pod);
        let mut ports = Map::default();
        for port in &service.ports {
            ports.put_from(&port.name, service_port(port, pod), port.origin);
        }
        map.put("ports", ports);
        let mut publish = Map::default();
        for (port, value, origin) in &service.publish {
            publish.put_from(port, Item::text_or_number(value), *origin);
        }
        map.filled("publish", publish);
        if service.affinity {
            map.put("affinity", "client");
        }
        if service.headless {
            map.put("headless", Item::plain(true));
        }
        map
    }
}

/// A port of a service, as short as it can be.
fn service_port(port: &ServicePort, pod: Option<&Pod>) -> Item {
    let behind = |test: &dyn Fn(&&Port) -> bool| pod.and_then(|pod| pod.ports().find(test));
    let named = behind(&|other| other.name == port.name);
    let numbered = behind(&|other| other.number == port.number && !other.udp)
        .or_else(|| behind(&|other| other.number == port.number));
    // What the stack takes when no target is written.
    let default = named.or(numbered);
    if default.is_some_and(|default| default.number == port.target && default.udp == port.udp) {
        return Item::plain(port.number);
    }
    let target = behind(&|other| other.number == port.target && other.udp == port.udp);
    let mut map = Map::default();
    map.put("port", Item::plain(port.number));
    match target {
        Some(target) => map.put("target", target.name.as_str()),
        None => map.put("target", Item::plain(port.target)),
    }
    map.into()
}

/// Puts the keys of a stack, its pods and their containers in the order in which people write them.
fn arrange(root: &mut [Member]) {
    const ROOT: &[&str] = &["stack", "parameters", "pods", "services", "jobs", "secrets"];
    const POD: &[&str] = &[
        "replicas",
        "schedule",
        "concurrency",
        "completions",
        "parallelism",
        "indexed",
        "retries",
        "deadline",
        "ttl",
        "restart",
        "stable",
        "hostname",
        "shareProcesses",
        "grace",
        "after",
        "egress",
        "containers",
        "volumes",
    ];
    const CONTAINER: &[&str] = &[
        "image",
        "build",
        "block",
        "role",
        "command",
        "args",
        "env",
        "ports",
        "mounts",
        "resources",
        "startup",
        "ready",
        "live",
        "security",
        "user",
        "readOnly",
        "capabilities",
        "directory",
        "sync",
    ];
    const SERVICE: &[&str] = &["pod", "ports", "publish", "affinity", "headless"];
    fn sort(members: &mut [Member], order: &[&str]) {
        let place = |key: &str| order.iter().position(|known| *known == key);
        members.sort_by_key(|member| place(&member.key).unwrap_or(order.len()));
    }
    fn each(members: &mut [Member], key: &str, order: &[&str], then: fn(&mut [Member])) {
        let holders = members.iter_mut().filter(|member| member.key == key);
        for holder in holders {
            let Item::Map(named) = &mut holder.value else {
                continue;
            };
            for member in named {
                if let Item::Map(inner) = &mut member.value {
                    sort(inner, order);
                    then(inner);
                }
            }
        }
    }
    sort(root, ROOT);
    for section in ["pods", "jobs"] {
        each(root, section, POD, |pod| {
            each(pod, "containers", CONTAINER, |_| {});
        });
    }
    each(root, "services", SERVICE, |_| {});
}

fn comment(map: &mut Map, comment: Option<&String>) {
    if let Some(last) = map.0.last_mut() {
        last.comment = comment.cloned();
    }
}

fn container_map(container: &Container) -> Map {
    let mut map = Map::default();
    match &container.source {
        Source::Image(image) => map.put("image", image.clone()),
        Source::Build(build) => map.put("build", build.clone()),
        Source::Block(block) => map.put("block", block.as_str()),
    }
    map.maybe("role", container.role);
    map.maybe("command", container.command.clone());
    map.maybe("args", container.args.clone());
    let mut env = Map::default();
    for (name, value, origin) in &container.env {
        let value = match value {
            Env::Text(text) => Item::from(text.as_str()),
            Env::Written(item) => item.clone(),
            Env::Secret(secret, key) => {
                let mut reference = Map::default();
                reference.put("secret", secret.as_str());
                reference.put("key", key.as_str());
                reference.into()
            }
        };
        env.put_from(name, value, *origin);
    }
    map.filled("env", env);
    let mut ports = Map::default();
    for port in &container.ports {
        let value = if port.udp {
            let mut long = Map::default();
            long.put("port", Item::plain(port.number));
            long.put("protocol", "udp");
            long.into()
        } else {
            Item::plain(port.number)
        };
        ports.put_from(&port.name, value, port.origin);
    }
    map.filled("ports", ports);
    let mut mounts = Map::default();
    for mount in &container.mounts {
        let value = if mount.read_only {
            let mut long = Map::default();
            long.put("path", mount.path.as_str());
            long.put("readOnly", Item::plain(true));
            long.into()
        } else {
            Item::from(mount.path.as_str())
        };
        mounts.put_from(&mount.volume, value, mount.origin);
    }
    map.filled("mounts", mounts);
    let mut resources = Map::default();
    resources.maybe("cpu", container.cpu.clone());
    resources.maybe("memory", container.memory.clone());
    map.filled("resources", resources);
    for (name, probe, origin) in &container.probes {
        map.put_from(name, probe.clone(), *origin);
    }
    if !container.restricted {
        map.put("security", "baseline");
    }
    if let Some((user, origin)) = &container.user {
        map.put_from("user", Item::text_or_number(user), *origin);
    }
    if container.read_only != container.restricted {
        map.put("readOnly", Item::plain(container.read_only));
    }
    map.filled("capabilities", Item::texts(container.capabilities.clone()));
    map.maybe("directory", container.directory.clone());
    let mut sync = Map::default();
    for (folder, path, origin) in &container.sync {
        sync.put_from(folder, path.as_str(), *origin);
    }
    map.filled("sync", sync);
    map
}

/// A duration of whole seconds, in the units of a stack.
pub fn seconds(seconds: u64) -> String {
    let mut rest = seconds;
    let mut text = String::new();
    for (unit, size) in [("d", 86_400), ("h", 3600), ("m", 60), ("s", 1)] {
        let count = rest / size;
        rest %= size;
        if count > 0 {
            text.push_str(&format!("{count}{unit}"));
        }
    }
    if text.is_empty() { "0s".to_owned() } else { text }
}

fn pod_item(pod: &Pod) -> Map {
    let mut map = Map::default();
    if let Some(job) = &pod.job {
        map.0.extend(job.keys.0.iter().cloned());
        if job.never {
            map.put("restart", "never");
        }
    } else if let Some((range, origin)) = &pod.range {
        map.put_from("replicas", range.clone(), *origin);
    } else if pod.replicas != 1 {
        map.put("replicas", Item::plain(pod.replicas));
    }
    if pod.stable {
        map.put("stable", Item::plain(true));
    }
    map.maybe("hostname", pod.hostname.clone());
    if pod.share_processes {
        map.put("shareProcesses", Item::plain(true));
    }
    map.maybe("grace", pod.grace.clone());
    let mut after = Map::default();
    for (name, until) in &pod.after {
        after.put(name, *until);
    }
    map.filled("after", after);
    if let Some((egress, origin)) = &pod.egress {
        map.put_from("egress", Item::texts(egress.clone()), *origin);
    }
    let mut containers = Map::default();
    for container in &pod.containers {
        containers.put_from(&container.name, container_map(container), container.origin);
        comment(&mut containers, container.comment.as_ref());
    }
    map.put("containers", containers);
    let mut volumes = Map::default();
    let is_mounted = |name: &str| {
        let mut mounts = pod.containers.iter().flat_map(|container| &container.mounts);
        mounts.any(|mount| mount.volume == name)
    };
    for volume in pod.volumes.iter().filter(|volume| is_mounted(&volume.name)) {
        volumes.put_from(&volume.name, volume.value.clone(), volume.origin);
        comment(&mut volumes, volume.comment.as_ref());
    }
    map.filled("volumes", volumes);
    map
}
