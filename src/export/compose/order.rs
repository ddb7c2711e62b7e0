//! What waits for what: `depends_on`, and the services that Compose needs to wait well.

use std::collections::BTreeSet;
use std::time::Duration;

use super::document::{Condition, Dependency, Mount, Ordered, Service};
use super::service::{bare, duration, has_binary, service, span};
use super::text::Text;
use super::unit::Unit;
use super::{Context, volume};
use crate::engine::desired::{Container, probe_command};
use crate::engine::labels::Role;
use crate::stack::{Action, Probe, Until};

/// The service that waits for jobs for which nothing else does: `docker compose up --wait` takes a service that has
/// ended for a failed one, unless another waits for its end.
const JOBS: &str = "motif.jobs";

type Waits = Ordered<Dependency>;

fn wait(waits: &mut Waits, name: String, condition: Condition) {
    waits.add(name, Dependency { condition });
}

/// The services of a unit, with what they wait for, and those that ask startup probes.
pub fn gates_and_services(context: &Context, unit: &Unit, units: &[Unit]) -> Vec<(String, Service)> {
    let mut services = Vec::new();
    let mut before = Waits::default();
    for (written, container) in unit.services() {
        let name = context.own_name(&container.name);
        let mut service = service(context, unit, written, container);
        let mut gate = None;
        match container.role {
            Role::Init => {
                service.depends_on = before.clone();
                wait(&mut before, name.clone(), Condition::Done);
            }
            Role::Sidecar => {
                service.depends_on = before.clone();
                match started(container) {
                    Started::Asked(probe) => {
                        let asked = gate_name(&name);
                        let waits_for_it = Dependency {
                            condition: Condition::Started,
                        };
                        gate = Some((asked.clone(), {
                            let mut gate = gate_service(context, &asked, &service, probe);
                            gate.depends_on.add(name.clone(), waits_for_it);
                            gate
                        }));
                        // The main ones stop before it.
                        wait(&mut before, name.clone(), Condition::Started);
                        wait(&mut before, asked, Condition::Done);
                    }
                    Started::Is(condition) => wait(&mut before, name.clone(), condition),
                }
            }
            Role::Main | Role::Infra | Role::Proxy | Role::Carrier => service.depends_on = before.clone(),
        }
        services.push((name, service));
        services.extend(gate);
    }
    let needs_volumes = services.iter().any(|(_, service)| {
        let named = |mount: &Mount| mount.source.is_some();
        service.volumes.iter().any(named) || has_binary(service)
    });
    if let Some((_, owner)) = services.first_mut() {
        if needs_volumes {
            wait(&mut owner.depends_on, volume::SERVICE.to_owned(), Condition::Done);
        }
        for (name, condition) in others(context, unit, units) {
            wait(&mut owner.depends_on, name, condition);
        }
    }
    services
}

/// When a sidecar counts as started.
enum Started<'a> {
    /// When the engine says so.
    Is(Condition),
    /// When this probe, asked from beside, passes.
    Asked(&'a Probe),
}

fn started(container: &Container) -> Started<'_> {
    match (&container.probes.startup, &container.probes.ready) {
        (None, _) => Started::Is(Condition::Started),
        (Some(_), None) => Started::Is(Condition::Healthy),
        // The health check says readiness, which may be one that the main containers have to be there for.
        (Some(probe), Some(_)) if matches!(probe.action, Action::Exec { .. }) => {
            Started::Is(Condition::Started)
        }
        (Some(probe), Some(_)) => Started::Asked(probe),
    }
}

fn gate_name(name: &str) -> String {
    format!("{name}.started")
}

/// A service in a pod's network that ends well when a startup probe passes.
fn gate_service(context: &Context, name: &str, sidecar: &Service, probe: &Probe) -> Service {
    let patience = probe.delay + (probe.every + probe.timeout) * probe.failures;
    let mut command = probe_command(probe);
    // The binary and `block` are the image's entry point.
    command.drain(..2);
    command.insert(1, format!("--wait={}", span(patience + SLACK)));
    Service {
        profiles: sidecar.profiles.clone(),
        network_mode: sidecar.network_mode.clone(),
        command: Some(Text::literals(command)),
        restart: Text::literal("no"),
        ends: true,
        stop_grace_period: duration(Duration::ZERO),
        ..bare(context, name)
    }
}

/// What a busy machine may take longer.
const SLACK: Duration = Duration::from_secs(5);

/// What a whole unit waits for: pods and jobs that it comes after, and an earlier run of its job.
fn others(context: &Context, unit: &Unit, units: &[Unit]) -> Vec<(String, Condition)> {
    let mut waits = Vec::new();
    let after = unit.spec.map(|spec| spec.after.as_slice()).unwrap_or_default();
    for dependency in after {
        let on = units
            .iter()
            .filter(|other| other.spec.is_some() && other.replica.pod == dependency.on.as_str());
        match dependency.until {
            Until::Done => on.for_each(|run| waits.extend(ends(context, run))),
            Until::Ready => on.for_each(|replica| waits.extend(readiness(context, replica))),
        }
    }
    if let Some(job) = unit.job
        && let Some(earlier) = unit.replica.index.checked_sub(job.parallelism)
    {
        let is_earlier = |other: &&Unit| {
            other.job.is_some() && other.replica.pod == unit.replica.pod && other.replica.index == earlier
        };
        units
            .iter()
            .filter(is_earlier)
            .for_each(|run| waits.extend(ends(context, run)));
    }
    waits
}

/// A run is done when its main containers have ended well.
fn ends<'a>(context: &'a Context, run: &'a Unit) -> impl Iterator<Item = (String, Condition)> + 'a {
    run.with_role(Role::Main)
        .map(|container| (context.own_name(&container.name), Condition::Done))
}

/// A replica is ready when its containers are.
fn readiness<'a>(context: &'a Context, replica: &'a Unit) -> impl Iterator<Item = (String, Condition)> + 'a {
    let containers = replica.replica.containers.iter();
    let lasting = containers.filter(|container| matches!(container.role, Role::Sidecar | Role::Main));
    lasting.map(|container| {
        let condition = match container.health {
            Some(_) => Condition::Healthy,
            None => Condition::Started,
        };
        (context.own_name(&container.name), condition)
    })
}

/// A service that waits for whatever ends and isn't waited for.
pub fn last(context: &Context, services: &[(String, Service)]) -> Option<(String, Service)> {
    let started = || services.iter().filter(|(_, service)| service.profiles.is_empty());
    let awaited: BTreeSet<&str> = started()
        .flat_map(|(_, service)| &service.depends_on.0)
        .filter(|(_, dependency)| dependency.condition == Condition::Done)
        .map(|(name, _)| name.as_str())
        .collect();
    let mut waits = Waits::default();
    let ending = started().filter(|(name, service)| service.ends && !awaited.contains(name.as_str()));
    ending.for_each(|(name, _)| wait(&mut waits, name.clone(), Condition::Done));
    (!waits.0.is_empty()).then(|| {
        let service = Service {
            depends_on: waits,
            network_mode: Some(Text::literal("none")),
            command: Some(Text::literals(["pause"])),
            ..bare(context, JOBS)
        };
        (JOBS.to_owned(), service)
    })
}
