//! Turns a container into a service.

use std::time::Duration;

use super::document::{
    Aliases, Health, Mount, Networks, Ordered, Port, Service, TmpfsOptions, VolumeOptions,
};
use super::text::Text;
use super::unit::Unit;
use super::{Context, image, origin, volume};
use crate::engine::desired::{self, BINARY, BINARY_FOLDER, Container, start_command};
use crate::engine::labels::Role;
use crate::stack::{self, EnvValue, Protocol, Restart, Source};

/// A service of the block image with nothing but safe defaults, and a name that none of the stack's has.
pub fn bare(context: &Context, name: &str) -> Service {
    Service {
        mark: name.to_owned(),
        image: Some(Text::literal(image::block(context.options))),
        pull_policy: image::pull_policy(context.options),
        read_only: true,
        cap_drop: vec!["ALL"],
        security_opt: vec!["no-new-privileges:true"],
        restart: Text::literal("unless-stopped"),
        stop_grace_period: Text::literal("10s"),
        ..Service::default()
    }
}

/// Turns one container of a unit; what it waits for is added later.
pub fn service(
    context: &Context,
    unit: &Unit,
    written: Option<&stack::Container>,
    container: &Container,
) -> Service {
    let owner = unit.replica.containers.first().filter(|_| container.joins);
    let owner = owner.map(|owner| Text::literal(format!("service:{}", context.own_name(&owner.name))));
    let build = match written.map(|written| &written.source) {
        Some(Source::Build(build)) => Some(build),
        _ => None,
    };
    let is_foreign = written.is_some_and(|written| !matches!(written.source, Source::Block(_)));
    let (entrypoint, command) = start_command(container);
    Service {
        mark: origin::mark(container),
        image: Some(Text::literal(&container.image.name)),
        // One replica builds for all, and none what is pinned.
        build: build
            .filter(|_| container.replica == 0 && context.options.pins.is_empty())
            .map(|build| image::build(context, build)),
        pull_policy: match (is_foreign, build) {
            (true, None) => None,
            (true, Some(_)) if container.replica == 0 => None,
            _ => image::pull_policy(context.options),
        },
        platform: build.and_then(|build| build.platform.as_ref().map(Text::literal)),
        profiles: Text::literals(unit.is_scheduled().then_some(&unit.replica.pod)),
        network_mode: owner.clone(),
        hostname: container.hostname.as_ref().map(Text::literal),
        networks: networks(context, container),
        ports: ports(container),
        ipc: match container.role {
            Role::Infra => Some(Text::literal("shareable")),
            _ => owner.clone(),
        },
        pid: owner.filter(|_| container.shares_processes),
        entrypoint: entrypoint.map(Text::literals),
        command: command.map(Text::literals),
        working_dir: container.directory.as_ref().map(Text::literal),
        environment: Ordered(
            container
                .env
                .iter()
                .map(|(name, value)| (name.clone(), environment(context, value)))
                .collect(),
        ),
        user: (!container.user.is_empty()).then(|| Text::literal(&container.user)),
        read_only: container.read_only,
        cap_drop: if container.drops_capabilities {
            vec!["ALL"]
        } else {
            Vec::new()
        },
        cap_add: Text::literals(&container.capabilities),
        security_opt: vec!["no-new-privileges:true"],
        cpus: container
            .milli_cpu
            .and_then(|cpu| u32::try_from(cpu).ok())
            .map(|cpu| f64::from(cpu) / 1000.0),
        mem_limit: container.memory.map(size),
        // A limit that swap can exceed is none on a cluster.
        memswap_limit: container.memory.map(size),
        healthcheck: health(container),
        volumes: mounts(context, written, container, is_foreign),
        restart: restart(unit, container),
        stop_grace_period: duration(container.grace),
        ends: container.role == Role::Init || (container.role == Role::Main && unit.job.is_some()),
        ..Service::default()
    }
}

fn networks(context: &Context, container: &Container) -> Option<Networks> {
    // Compose gives each service its own name.
    let own = context.own_name(&container.name);
    let aliases: Vec<&String> = container.aliases.iter().filter(|alias| **alias != own).collect();
    (!aliases.is_empty()).then(|| Networks {
        default: Aliases {
            aliases: Text::literals(aliases),
        },
    })
}

fn ports(container: &Container) -> Vec<Port> {
    let ports = container.publish.iter().map(|port| Port {
        target: port.port,
        host_ip: port.at.address.to_string(),
        published: port.at.port.to_string(),
        protocol: match port.protocol {
            Protocol::Tcp => "tcp",
            Protocol::Udp => "udp",
        },
        mark: format!("{}/{}", port.service, port.name),
    });
    ports.collect()
}

fn environment(context: &Context, value: &EnvValue) -> Text {
    match value {
        EnvValue::Text(text) => Text::literal(text),
        EnvValue::Secret { secret, key } => {
            let name = context.variables.get(&(secret.as_str(), key.as_str()));
            let message = format!("it holds the key {key} of the secret {secret}");
            Text::variable(name.map_or("", String::as_str), &message)
        }
    }
}

/// The command of a health check is the binary's, unless the stack names one.
fn asks_by_binary(container: &Container) -> bool {
    let health = container.health.as_ref();
    health.is_some_and(|health| health.command.first().is_some_and(|program| program == BINARY))
}

/// The check of a container that has a probe.
///
/// An image's own can't be switched off where there is none: `docker compose up --wait` fails on a disabled one.
fn health(container: &Container) -> Option<Health> {
    container.health.as_ref().map(|health| Health {
        test: Text::literals([vec!["CMD".to_owned()], health.command.clone()].concat()),
        interval: duration(health.every),
        timeout: duration(health.timeout),
        retries: health.failures,
        start_period: duration(health.start.max(health.every)),
    })
}

fn mounts(
    context: &Context,
    written: Option<&stack::Container>,
    container: &Container,
    is_foreign: bool,
) -> Vec<Mount> {
    let mark = |path: &str| {
        let mut mounts = written.iter().flat_map(|written| &written.mounts);
        mounts
            .find(|mount| mount.path == path)
            .map(|mount| mount.volume.to_string())
    };
    let volume = |source: String, target: &str, read_only| Mount {
        r#type: "volume",
        source: Some(source),
        target: Text::literal(target),
        read_only,
        // As in Kubernetes, what the image has at the path is hidden.
        volume: Some(VolumeOptions { nocopy: true }),
        tmpfs: None,
        mark: mark(target),
    };
    let mut mounts: Vec<Mount> = container
        .mounts
        .iter()
        .map(|mount| volume(context.own_name(&mount.volume), &mount.path, mount.read_only))
        .collect();
    mounts.extend(container.tmpfs.iter().map(|(path, most)| Mount {
        r#type: "tmpfs",
        source: None,
        target: Text::literal(path),
        read_only: false,
        volume: None,
        tmpfs: Some(TmpfsOptions {
            size: most.map(size),
            mode: 0o1777,
        }),
        mark: mark(path),
    }));
    if is_foreign && (container.watched || asks_by_binary(container)) {
        mounts.push(volume(volume::binary(context), BINARY_FOLDER, true));
    }
    mounts
}

/// Whether a service has the binary from its volume.
pub fn has_binary(service: &Service) -> bool {
    let binary = Text::literal(desired::BINARY_FOLDER);
    service.volumes.iter().any(|mount| mount.target == binary)
}

fn restart(unit: &Unit, container: &Container) -> Text {
    let word = match (unit.job, container.role, container.restart) {
        (Some(job), Role::Main, _) if job.retries > 0 => format!("on-failure:{}", job.retries),
        (_, _, Restart::Always) => "unless-stopped".to_owned(),
        (_, _, Restart::OnFailure) => "on-failure".to_owned(),
        (_, _, Restart::Never) => "no".to_owned(),
    };
    Text::literal(word)
}

/// A duration as Compose and the blocks read it.
pub fn span(value: Duration) -> String {
    match value.as_millis() {
        millis if millis % 1000 == 0 => format!("{}s", millis / 1000),
        millis => format!("{millis}ms"),
    }
}

/// A duration in the file.
pub fn duration(value: Duration) -> Text {
    Text::literal(span(value))
}

/// A size as Compose reads it.
fn size(bytes: u64) -> Text {
    let units = [(30, "g"), (20, "m"), (10, "k")];
    let unit = units
        .iter()
        .find(|(bits, _)| bytes > 0 && bytes.is_multiple_of(1 << bits));
    Text::literal(match unit {
        Some((bits, letter)) => format!("{}{letter}", bytes >> bits),
        None => format!("{bytes}b"),
    })
}
