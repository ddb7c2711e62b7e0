//! Turns the containers and volumes of a pod or job into a pod template.

use serde::Serialize;

use super::config;
use super::container::{self, Container, VolumeMount, container};
use super::network::OPEN;
use super::object::{Labels, Metadata};
use super::volume::{ClaimTemplate, Sharing, Volume, volumes};
use super::{At, Context, Objects, Sidecars, fields};
use crate::stack::{self, Bytes, Role, VolumeKind};

/// The annotation that changes with the files that a pod mounts, so that its replicas are replaced.
pub const CONFIG_HASH: &str = "motif.dev/config-hash";

/// What every replica is made from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PodTemplate {
    metadata: Metadata,
    spec: PodSpec,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct PodSpec {
    service_account_name: String,
    automount_service_account_token: bool,
    enable_service_links: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    hostname: Option<String>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    share_process_namespace: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    restart_policy: Option<&'static str>,
    termination_grace_period_seconds: u32,
    security_context: PodSecurityContext,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    topology_spread_constraints: Vec<SpreadConstraint>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    init_containers: Vec<Container>,
    containers: Vec<Container>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    volumes: Vec<Volume>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct PodSecurityContext {
    #[serde(skip_serializing_if = "Option::is_none")]
    run_as_non_root: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fs_group: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fs_group_change_policy: Option<&'static str>,
    seccomp_profile: SeccompProfile,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    sysctls: Vec<Sysctl>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct SeccompProfile {
    r#type: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Sysctl {
    name: &'static str,
    value: &'static str,
}

/// Keeps replicas apart where the cluster can.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct SpreadConstraint {
    max_skew: u32,
    topology_key: &'static str,
    when_unsatisfiable: &'static str,
    label_selector: super::workload::Selector,
}

/// The group of files on claims where no container says one.
const FILE_GROUP: u32 = 65532;
/// What a container may write to `/tmp`, as on Docker.
const TEMPORARY_SIZE: Bytes = Bytes(64 << 20);

/// What kind of workload the template is for.
pub struct Purpose {
    /// Its restart policy where it isn't `Always`.
    pub restart_policy: Option<&'static str>,
    /// Whether replicas are kept apart.
    pub spread: bool,
    /// Whether it has a host name of its own choice.
    pub hostname: bool,
    /// Whether its main containers end; where they don't, a changed config file makes new replicas.
    pub ends: bool,
    /// How replicas share claims.
    pub sharing: Sharing,
}

/// Turns a pod's containers and volumes; the objects that they need are added.
pub fn template(
    context: &mut Context,
    objects: &mut Objects,
    at: &At,
    name: &stack::Name,
    spec: &stack::PodSpec,
    purpose: &Purpose,
) -> (PodTemplate, Vec<ClaimTemplate>) {
    let (mut volumes, claims) = volumes(context, objects, at, name, spec, purpose.sharing);
    let native = context.options.sidecars == Sidecars::Native;
    let non_root = spec.containers.iter().all(container::is_non_root);
    let mut init_containers = Vec::new();
    let mut containers = Vec::new();
    let mut mains = Vec::new();
    for written in &spec.containers {
        let at = At {
            path: format!("{}.containers.{}", at.path, written.name),
            place: &written.place,
        };
        let mut container = container(context, &at, name, written, non_root);
        if needs_temporary(written) {
            let volume = free_name(&volumes, &claims, &format!("tmp-{}", written.name));
            container.volume_mounts.push(VolumeMount {
                name: volume.clone(),
                mount_path: "/tmp".to_owned(),
                read_only: false,
            });
            volumes.push(Volume::empty(volume, Some(TEMPORARY_SIZE)));
        }
        match written.role {
            Role::Init => init_containers.push(container),
            Role::Sidecar if native => init_containers.push(container),
            Role::Sidecar => {
                beside(context, &at, purpose);
                containers.push(container);
            }
            Role::Main => mains.push(container),
        }
    }
    containers.extend(mains);
    let group = file_group(spec);
    let mut labels = context.labels(name);
    if spec.egress.is_none() {
        labels.insert(OPEN.0, OPEN.1.to_owned());
    }
    let mut annotations = Labels::new();
    if let Some(hash) = config::hash(spec).filter(|_| !purpose.ends) {
        annotations.insert(CONFIG_HASH, hash);
    }
    let spread = SpreadConstraint {
        max_skew: 1,
        topology_key: "kubernetes.io/hostname",
        when_unsatisfiable: "ScheduleAnyway",
        label_selector: super::workload::Selector {
            match_labels: context.selector(name),
        },
    };
    let template = PodTemplate {
        metadata: Metadata {
            labels,
            annotations,
            ..Metadata::default()
        },
        spec: PodSpec {
            service_account_name: name.to_string(),
            automount_service_account_token: false,
            // Docker has no such variables either, and they shadow those of applications.
            enable_service_links: false,
            hostname: spec
                .hostname
                .as_ref()
                .filter(|_| purpose.hostname)
                .map(ToString::to_string),
            share_process_namespace: spec.share_processes,
            restart_policy: purpose.restart_policy,
            termination_grace_period_seconds: context.seconds(&at.field("grace"), spec.grace),
            security_context: PodSecurityContext {
                run_as_non_root: non_root.then_some(true),
                fs_group: group,
                fs_group_change_policy: group.map(|_| "OnRootMismatch"),
                seccomp_profile: SeccompProfile {
                    r#type: "RuntimeDefault",
                },
                sysctls: sysctls(spec),
            },
            topology_spread_constraints: if purpose.spread { vec![spread] } else { Vec::new() },
            init_containers,
            containers,
            volumes,
        },
    };
    (template, claims)
}

/// Says what a sidecar loses among the main containers.
fn beside(context: &mut Context, at: &At, purpose: &Purpose) {
    let message = if purpose.ends {
        "it starts and stops with the main containers, and as long as it runs the job doesn't end"
    } else {
        "it starts and stops with the main containers, after all init containers"
    };
    context.say(
        &fields::SIDECAR,
        &at.field("role"),
        message.to_owned(),
        "export with `--sidecars native` where the cluster has Kubernetes 1.29 or later",
    );
}

/// Whether a container with a read-only root needs a `/tmp`; no block writes one.
fn needs_temporary(container: &stack::Container) -> bool {
    let is_covered = |mount: &stack::Mount| mount.path.trim_end_matches('/') == "/tmp";
    let is_block = matches!(container.source, stack::Source::Block(_));
    container.security.read_only_root && !is_block && !container.mounts.iter().any(is_covered)
}

/// A volume name of at most 63 characters that the pod doesn't have yet.
fn free_name(volumes: &[Volume], claims: &[ClaimTemplate], wanted: &str) -> String {
    let is_taken = |name: &str| {
        volumes.iter().any(|volume| volume.name == name) || claims.iter().any(|claim| claim.name() == name)
    };
    let cut = |length: usize| wanted[..wanted.len().min(length)].trim_end_matches('-');
    let first = cut(63).to_owned();
    if !is_taken(&first) {
        return first;
    }
    // One of these is free: there are more of them than names that are taken.
    let others = (2..volumes.len() + claims.len() + 3).map(|number| format!("{}-{number}", cut(57)));
    others.into_iter().find(|name| !is_taken(name)).unwrap_or(first)
}

/// Files on a claim belong to root at first: a container that runs as somebody else needs a group
/// that may write there.
fn file_group(spec: &stack::PodSpec) -> Option<u32> {
    let is_claim = |mount: &stack::Mount| {
        spec.volumes
            .get(&mount.volume)
            .is_some_and(|volume| matches!(volume.kind, VolumeKind::Claim { .. }))
    };
    let mut writers = spec
        .containers
        .iter()
        .filter(|container| {
            container
                .mounts
                .iter()
                .any(|mount| is_claim(mount) && !mount.read_only)
        })
        .filter(|written| {
            container::is_non_root(written) || container::user(written).is_some_and(|user| user.uid != 0)
        })
        .peekable();
    writers.peek()?;
    Some(
        writers
            .find_map(container::user)
            .map_or(FILE_GROUP, |user| user.gid),
    )
}

/// Docker lets everybody bind any port in a container; a cluster's runtime may not.
fn sysctls(spec: &stack::PodSpec) -> Vec<Sysctl> {
    let is_low = |port: &stack::ContainerPort| port.port < 1024;
    if spec
        .containers
        .iter()
        .any(|container| container.ports.iter().any(is_low))
    {
        vec![Sysctl {
            name: "net.ipv4.ip_unprivileged_port_start",
            value: "0",
        }]
    } else {
        Vec::new()
    }
}
