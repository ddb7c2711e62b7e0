//! Says under `x-motif` what no field of Compose holds, in a stack's own words: `motif import` reads it, and Compose
//! reads nothing that begins so.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::Context;
use super::service::span;
use crate::engine::desired::{BINARY, BINARY_FOLDER, Container, RESTARTS_FOLDER};
use crate::engine::labels::Role;
use crate::stack::{
    Action, Affinity, Concurrency, Job, Name, Peer, Pod, PodSpec, Probe, Protocol, Restart, Scheme,
    SecretSource, Service, VolumeKind,
};

/// The words of motif's own program in front of another, up to the program: it asks probes.
const FIRST: [&str; 3] = [BINARY, "block", "init"];

/// Where the program of an entry point begins, behind motif's own in front of it; none where it is the image's own.
pub fn program(words: &[&str]) -> Option<usize> {
    if !words.starts_with(&FIRST) {
        return Some(0);
    }
    let begin = words.iter().position(|word| *word == "--")? + 1;
    (!matches!(words[begin..], [] | [BINARY, "block"])).then_some(begin)
}

/// What a health check asks by motif's own program: the words behind `probe`.
pub fn question(words: &[String]) -> Option<&[String]> {
    match words {
        [binary, block, probe, rest @ ..] if binary == BINARY && block == "block" && probe == "probe" => {
            Some(rest)
        }
        _ => None,
    }
}

/// Whether an export mounts something of its own there.
pub fn is_own_mount(path: &str) -> bool {
    matches!(path, BINARY_FOLDER | RESTARTS_FOLDER)
}

/// What a service is of the stack: `web/0/app` a container, `web/0` the owner of a replica's network, `web` the proxy
/// of a service.
pub fn mark(container: &Container) -> String {
    match container.role {
        Role::Proxy => container.pod.clone(),
        Role::Infra => format!("{}/{}", container.pod, container.replica),
        _ => format!("{}/{}/{}", container.pod, container.replica, container.own_name),
    }
}

/// Everything that no field holds.
pub fn rest(context: &Context) -> Map<String, Value> {
    let stack = context.stack;
    let mut rest = Map::new();
    let pods = stack
        .pods()
        .iter()
        .map(|pod| (&pod.name, self::pod(context, pod)));
    filled(&mut rest, "pods", named(pods.filter(|(_, pod)| is_filled(pod))));
    // Even one that says nothing else is a job.
    filled(
        &mut rest,
        "jobs",
        named(
            stack
                .jobs()
                .iter()
                .map(|job| (&job.name, self::job(context, job))),
        ),
    );
    filled(
        &mut rest,
        "services",
        named(
            stack
                .services()
                .iter()
                .map(|service| (&service.name, self::service(service))),
        ),
    );
    filled(
        &mut rest,
        "secrets",
        named(stack.secrets().iter().map(|(name, secret)| {
            let source = match &secret.source {
                SecretSource::Files(files) => {
                    let file = |(key, path): (&String, &String)| (key.clone(), context.written(path).into());
                    json!({ "files": files.iter().map(file).collect::<Map<String, Value>>() })
                }
                SecretSource::Certificate { names } => json!({ "certificate": names }),
            };
            (name, source)
        })),
    );
    rest.into_iter()
        .map(|(key, value)| (key, escaped(value)))
        .collect()
}

/// Compose would replace `$NAME` here too.
fn escaped(value: Value) -> Value {
    match value {
        Value::String(text) => Value::String(text.replace('$', "$$")),
        Value::Array(items) => items.into_iter().map(escaped).collect(),
        Value::Object(map) => map
            .into_iter()
            .map(|(key, value)| (key, escaped(value)))
            .collect(),
        other => other,
    }
}

fn is_filled(value: &Value) -> bool {
    value.as_object().is_none_or(|map| !map.is_empty())
}

/// Adds what holds something.
fn filled(map: &mut Map<String, Value>, key: &str, value: Value) {
    if is_filled(&value) {
        map.insert(key.to_owned(), value);
    }
}

fn named<'a>(values: impl Iterator<Item = (&'a Name, Value)>) -> Value {
    values.map(|(name, value)| (name.to_string(), value)).collect()
}

fn pod(context: &Context, pod: &Pod) -> Value {
    let mut map = Map::new();
    if let Some(range) = pod.range {
        let mut most = Map::new();
        most.insert("max".to_owned(), range.most.into());
        for (key, use_of) in [("cpu", range.cpu), ("memory", range.memory)] {
            most.extend(use_of.map(|percent| (key.to_owned(), percent.into())));
        }
        map.insert("replicas".to_owned(), most.into());
    }
    if pod.stable {
        map.insert("stable".to_owned(), true.into());
    }
    spec(context, &mut map, &pod.spec);
    map.into()
}

fn job(context: &Context, job: &Job) -> Value {
    let mut map = Map::new();
    if let Some(schedule) = &job.schedule {
        map.insert("schedule".to_owned(), schedule.as_str().into());
    }
    let concurrency = match job.concurrency {
        Concurrency::Allow => None,
        Concurrency::Forbid => Some("forbid"),
        Concurrency::Replace => Some("replace"),
    };
    map.extend(concurrency.map(|word| ("concurrency".to_owned(), word.into())));
    if job.parallelism != 1 {
        map.insert("parallelism".to_owned(), job.parallelism.into());
    }
    if job.indexed {
        map.insert("indexed".to_owned(), true.into());
    }
    for (key, time) in [("deadline", job.deadline), ("ttl", job.ttl)] {
        map.extend(time.map(|time| (key.to_owned(), span(time).into())));
    }
    if job.spec.restart == Restart::Never {
        map.insert("restart".to_owned(), "never".into());
    }
    spec(context, &mut map, &job.spec);
    map.into()
}

fn spec(context: &Context, map: &mut Map<String, Value>, spec: &PodSpec) {
    if spec.share_processes {
        map.insert("shareProcesses".to_owned(), true.into());
    }
    if let Some(edges) = &spec.egress {
        let edges = edges.iter().map(|edge| Value::String(peer(&edge.to)));
        map.insert("egress".to_owned(), edges.collect());
    }
    let containers = spec
        .containers
        .iter()
        .map(|container| (&container.name, self::container(container)));
    // Of several it matters which stands where: services stand in the order of their start.
    let is_said = |(_, container): &(&Name, Value)| is_filled(container) || spec.containers.len() > 1;
    filled(map, "containers", named(containers.filter(is_said)));
    let volumes = spec
        .volumes
        .iter()
        .filter_map(|(name, volume)| Some((name, volume_kind(context, &volume.kind)?)));
    filled(map, "volumes", named(volumes));
}

fn peer(peer: &Peer) -> String {
    let with = |name: String, port: Option<u16>| match port {
        Some(port) => format!("{name}:{port}"),
        None => name,
    };
    match peer {
        Peer::Service(name) => name.to_string(),
        Peer::Internet(port) => with("internet".to_owned(), *port),
        Peer::Network(network, port) => with(network.to_string(), *port),
    }
}

/// What a volume is, where that doesn't show; one in memory does.
fn volume_kind(context: &Context, kind: &VolumeKind) -> Option<Value> {
    Some(match kind {
        VolumeKind::Tmpfs { .. } => return None,
        VolumeKind::Empty { size: None } => "empty".into(),
        VolumeKind::Empty { size: Some(size) } => json!({ "empty": { "size": size.to_string() } }),
        VolumeKind::Claim { size } => json!({ "claim": size.to_string() }),
        VolumeKind::Secret { secret } => json!({ "secret": secret.as_str() }),
        VolumeKind::Config { files } => {
            let folders = files.values().map(|file| {
                Some(
                    file.path
                        .as_deref()?
                        .rsplit_once('/')
                        .map_or(".", |(folder, _)| folder),
                )
            });
            // Of files that are written in the stack there is nothing more to say.
            let folder = folders.reduce(|one, other| one.filter(|_| one == other))??;
            json!({ "config": context.written(folder) })
        }
    })
}

fn container(container: &crate::stack::Container) -> Value {
    let mut map = Map::new();
    if container.role != crate::stack::Role::Main {
        map.insert("role".to_owned(), container.role.to_string().into());
    }
    let secrets = container.env.iter().filter_map(|(name, value)| match value {
        crate::stack::EnvValue::Secret { secret, key } => {
            Some((name.clone(), json!({ "secret": secret.as_str(), "key": key })))
        }
        crate::stack::EnvValue::Text(_) => None,
    });
    filled(&mut map, "env", secrets.collect());
    let ports = container.ports.iter().map(|port| {
        let mut long = Map::new();
        if port.protocol == Protocol::Udp {
            long.insert("protocol".to_owned(), "udp".into());
        }
        if port.local {
            long.insert("local".to_owned(), true.into());
        }
        if long.is_empty() {
            return (&port.name, port.port.into());
        }
        long.insert("port".to_owned(), port.port.into());
        (&port.name, long.into())
    });
    filled(&mut map, "ports", named(ports));
    let probes = &container.probes;
    if let Some(startup) = &probes.startup {
        map.insert("startup".to_owned(), probe(startup));
    }
    if let Some(ready) = &probes.ready {
        let mut more = Map::new();
        counted(&mut more, ready);
        // With a startup probe the health check could be either.
        if !more.is_empty() || probes.startup.is_some() {
            map.insert("ready".to_owned(), more.into());
        }
    }
    if let Some(live) = &probes.live {
        map.insert("live".to_owned(), probe(live));
    }
    map.into()
}

/// What a health check has no words for.
fn counted(map: &mut Map<String, Value>, probe: &Probe) {
    if !probe.delay.is_zero() {
        map.insert("delay".to_owned(), span(probe.delay).into());
    }
    if probe.successes != 1 {
        map.insert("successes".to_owned(), probe.successes.into());
    }
}

fn probe(probe: &Probe) -> Value {
    let mut map = Map::new();
    let mut put = |key: &str, value: Value| map.insert(key.to_owned(), value);
    match &probe.action {
        Action::Http {
            path,
            port,
            scheme,
            headers,
        } => {
            put("http", path.as_str().into());
            put("port", (*port).into());
            if *scheme == Scheme::Https {
                put("scheme", "https".into());
            }
            if !headers.is_empty() {
                put(
                    "headers",
                    headers
                        .iter()
                        .map(|(name, value)| (name.clone(), Value::from(value.as_str())))
                        .collect(),
                );
            }
        }
        Action::Tcp { port } => {
            put("tcp", (*port).into());
        }
        Action::Exec { command } => {
            put("exec", command.as_slice().into());
        }
        Action::Grpc { port, service } => {
            put("grpc", (*port).into());
            if !service.is_empty() {
                put("service", service.as_str().into());
            }
        }
    }
    for (key, time, default) in [("every", probe.every, 10), ("timeout", probe.timeout, 1)] {
        if time != Duration::from_secs(default) {
            put(key, span(time).into());
        }
    }
    if probe.failures != 3 {
        put("failures", probe.failures.into());
    }
    counted(&mut map, probe);
    map.into()
}

fn service(service: &Service) -> Value {
    let mut map = Map::new();
    map.insert("pod".to_owned(), service.pod.as_str().into());
    let ports = service.ports.iter().map(|port| {
        let target = match &port.target_name {
            Some(name) => Value::from(name.as_str()),
            None => port.target.into(),
        };
        (&port.name, json!({ "port": port.port, "target": target }))
    });
    map.insert("ports".to_owned(), named(ports));
    if service.affinity == Affinity::Client {
        map.insert("affinity".to_owned(), "client".into());
    }
    if service.headless {
        map.insert("headless".to_owned(), true.into());
    }
    map.into()
}
