//! Checks what pods and jobs have in common: containers, volumes and the network that they share.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::time::Duration;

use super::{Checker, Scope};
use crate::diagnostic::{Diagnostic, Span, quoted};
use crate::stack::raw::{RawContainer, RawDuration, RawPort, RawPortNumber, RawVolume, RawVolumeWord};
use crate::stack::{Name, PodSpec, Protocol, Restart, Role, Until, Volume, VolumeKind};
use crate::yaml::{Boolean, Field, List, Map, Shorthand, Text};

/// The keys that pods and jobs share.
pub struct Shape<'a> {
    pub what: &'static str,
    pub hostname: &'a Field<Text>,
    pub share_processes: &'a Field<Boolean>,
    pub grace: &'a Field<RawDuration>,
    pub after: &'a Field<Map<Until>>,
    pub egress: &'a Field<List<Text>>,
    pub containers: &'a Field<Map<RawContainer>>,
    pub volumes: &'a Field<Map<Shorthand<RawVolumeWord, RawVolume>>>,
}

/// A port that a container of a pod serves, as far as it could be read.
#[derive(Debug, Clone)]
pub struct PodPort<'a> {
    pub name: &'a str,
    pub span: Span,
    pub container: &'a str,
    pub role: Role,
    /// Number, protocol and whether it is local; `None` where it was written wrongly, which was said.
    pub value: Option<(u16, Protocol, bool)>,
}

/// What the containers of a pod may refer to.
pub struct PodScope<'a> {
    pub secrets: &'a Scope<'a>,
    /// Names of volumes, and whether each is read only by its kind.
    pub volumes: BTreeMap<&'a str, bool>,
    pub ports: PodPorts<'a>,
    /// Volumes that were mounted.
    pub mounted: BTreeSet<&'a str>,
}

/// The ports of all containers of a pod.
#[derive(Debug, Clone, Default)]
pub struct PodPorts<'a> {
    /// In the order written.
    pub all: Vec<PodPort<'a>>,
    by_container: BTreeMap<&'a str, Range<usize>>,
    by_name: BTreeMap<&'a str, usize>,
    by_number: BTreeMap<(u16, Protocol), usize>,
}

impl<'a> PodPorts<'a> {
    /// The ports of one container.
    pub fn of(&self, container: &str) -> &[PodPort<'a>] {
        self.by_container
            .get(container)
            .map_or(&[], |range| &self.all[range.clone()])
    }

    /// The first port of a name.
    pub fn named(&self, name: &str) -> Option<&PodPort<'a>> {
        self.by_name.get(name).map(|index| &self.all[*index])
    }

    /// The first port of a number.
    pub fn numbered(&self, number: u16, protocol: Protocol) -> Option<&PodPort<'a>> {
        self.by_number
            .get(&(number, protocol))
            .map(|index| &self.all[*index])
    }
}

/// Reads the ports of all containers.
pub fn ports(containers: &Map<RawContainer>) -> PodPorts<'_> {
    let ports = list_ports(containers);
    let mut found = PodPorts::default();
    for (index, port) in ports.iter().enumerate() {
        found.by_name.entry(port.name).or_insert(index);
        // An init container has ended when the others serve.
        if let Some((number, protocol, _)) = port.value
            && port.role != Role::Init
        {
            found.by_number.entry((number, protocol)).or_insert(index);
        }
        found
            .by_container
            .entry(port.container)
            .or_insert(index..index)
            .end = index + 1;
    }
    found.all = ports;
    found
}

fn list_ports(containers: &Map<RawContainer>) -> Vec<PodPort<'_>> {
    let mut ports = Vec::new();
    for entry in &containers.0 {
        let Some(container) = &entry.value else { continue };
        let Some(declared) = container.value.ports.value() else {
            continue;
        };
        for port in &declared.0 {
            ports.push(PodPort {
                name: &port.key.value,
                span: port.key.span,
                container: &entry.key.value,
                role: container.value.role.value().copied().unwrap_or(Role::Main),
                value: port.value.as_ref().and_then(|value| port_value(&value.value)),
            });
        }
    }
    ports
}

fn port_value(port: &Shorthand<RawPortNumber, RawPort>) -> Option<(u16, Protocol, bool)> {
    let (number, protocol, local) = match port {
        Shorthand::Short(number) => (number.0, Protocol::Tcp, false),
        Shorthand::Long(long) => (
            long.port.value()?.0,
            long.protocol.value().copied().unwrap_or(Protocol::Tcp),
            long.local.value().is_some_and(|boolean| boolean.0),
        ),
    };
    Some((u16::try_from(number).ok()?, protocol, local))
}

impl Checker<'_> {
    /// Makes a pod's specification.
    pub(super) fn pod_spec(&mut self, shape: &Shape<'_>, restart: Restart, scope: &Scope<'_>) -> PodSpec {
        let hostname = self.name_of(shape.hostname, "a host");
        let (no_containers, no_volumes) = (Map::default(), Map::default());
        let raw_containers = shape.containers.value().unwrap_or(&no_containers);
        let raw_volumes = shape.volumes.value().unwrap_or(&no_volumes);
        let has_main = raw_containers.0.iter().any(|entry| match &entry.value {
            // What a wrong container was meant to be can't be known.
            None => true,
            Some(container) => match &container.value.role {
                Field::Absent | Field::Invalid(_) => true,
                Field::Present { value, .. } => value.value == Role::Main,
            },
        });
        if !has_main && let Field::Present { key, .. } = shape.containers {
            self.push(
                Diagnostic::error(*key, format!("a {} needs a main container", shape.what))
                    .help("init containers and sidecars serve a main one: give one of them no `role`"),
            );
        }
        let mut volumes = BTreeMap::new();
        let checked = self.each(raw_volumes, "a volume", |checker, name, span, raw| {
            let kind = checker.volume(span, raw, scope)?;
            Some((
                name,
                Volume {
                    place: checker.place(span),
                    kind,
                },
            ))
        });
        volumes.extend(checked);
        let mut pod_scope = PodScope {
            secrets: scope,
            volumes: raw_volumes
                .keys()
                .map(|key| {
                    let kind = Name::new(key)
                        .and_then(|name| volumes.get(&name))
                        .map(|volume| &volume.kind);
                    let read_only =
                        matches!(kind, Some(VolumeKind::Config { .. } | VolumeKind::Secret { .. }));
                    (key, read_only)
                })
                .collect(),
            ports: ports(raw_containers),
            mounted: BTreeSet::new(),
        };
        self.shared_ports(&pod_scope.ports.all);
        let containers = self.each(raw_containers, "a container", |checker, name, span, raw| {
            checker.container(name, span, raw, &mut pod_scope)
        });
        for volume in &raw_volumes.0 {
            if !pod_scope.mounted.contains(volume.key.value.as_str()) {
                self.push(
                    Diagnostic::warning(
                        volume.key.span,
                        format!("no container mounts the volume {}", quoted(&volume.key.value)),
                    )
                    .help("mount it under a container's `mounts:`, or remove it"),
                );
            }
        }
        PodSpec {
            containers,
            volumes,
            hostname,
            share_processes: shape.share_processes.value().is_some_and(|boolean| boolean.0),
            restart,
            grace: shape
                .grace
                .value()
                .map_or(Duration::from_secs(30), |grace| grace.0),
            after: self.dependencies(shape.after, scope),
            egress: self.egress(shape.egress, scope),
        }
    }

    /// Containers of a pod share one network: a port, and a port's name, stands in it once.
    fn shared_ports(&mut self, ports: &[PodPort<'_>]) {
        let mut names: BTreeMap<&str, &PodPort<'_>> = BTreeMap::new();
        let mut numbers: BTreeMap<(u16, Protocol), &PodPort<'_>> = BTreeMap::new();
        for port in ports {
            self.port_name(port);
            if let Some(first) = names.insert(port.name, port)
                && first.container != port.container
            {
                self.push(
                    Diagnostic::error(
                        port.span,
                        format!("the port name {} stands in this pod twice", quoted(port.name)),
                    )
                    .related(
                        first.span,
                        format!("first in the container {}", quoted(first.container)),
                    )
                    .help("containers of a pod share its network: rename one of them"),
                );
            }
            // Init containers have ended when the others begin.
            let Some((number, protocol, _)) = port.value else {
                continue;
            };
            if port.role != Role::Init
                && let Some(first) = numbers.insert((number, protocol), port)
            {
                self.push(
                    Diagnostic::error(port.span, format!("the port {number} is taken in this pod"))
                        .related(
                            first.span,
                            format!("by the container {}", quoted(first.container)),
                        )
                        .help(
                            "containers of a pod share its network: let one of them listen on another port",
                        ),
                );
            }
        }
    }

    /// Kubernetes' rule for the names of ports (`IANA_SVC_NAME`).
    fn port_name(&mut self, port: &PodPort<'_>) {
        let name = port.name;
        let why = if Name::new(name).is_none() {
            "a name is made of `a-z`, `0-9` and `-`, beginning and ending with a letter or digit"
        } else if name.len() > 15 {
            "the name of a port has at most 15 characters"
        } else if !name.bytes().any(|byte| byte.is_ascii_lowercase()) {
            "the name of a port has at least one letter"
        } else if name.contains("--") {
            "the name of a port has no two hyphens in a row"
        } else {
            return;
        };
        self.push(Diagnostic::error(port.span, format!("{} can't name a port", quoted(name))).help(why));
    }
}
