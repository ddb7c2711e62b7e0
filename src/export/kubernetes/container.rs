//! Turns containers into Kubernetes' containers.

use serde::Serialize;

use super::probe::{Probe, probe};
use super::{At, Context, Sidecars, expansion, fields, image};
use crate::stack::{self, EnvValue, Protocol, Role, SecurityLevel, Source};

/// A container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Container {
    /// Name.
    pub name: String,
    image: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    image_pull_policy: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    restart_policy: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    command: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    args: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    working_dir: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    ports: Vec<PortSpec>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    env: Vec<Env>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resources: Option<Resources>,
    /// Where it sees the pod's volumes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub volume_mounts: Vec<VolumeMount>,
    #[serde(skip_serializing_if = "Option::is_none")]
    startup_probe: Option<Probe>,
    #[serde(skip_serializing_if = "Option::is_none")]
    readiness_probe: Option<Probe>,
    #[serde(skip_serializing_if = "Option::is_none")]
    liveness_probe: Option<Probe>,
    security_context: SecurityContext,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct PortSpec {
    name: String,
    container_port: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    protocol: Option<&'static str>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Env {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value_from: Option<EnvSource>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct EnvSource {
    secret_key_ref: SecretKey,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct SecretKey {
    name: String,
    key: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Resources {
    requests: Quantities,
    limits: Quantities,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Quantities {
    #[serde(skip_serializing_if = "Option::is_none")]
    cpu: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    memory: Option<String>,
}

/// A volume at a path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct VolumeMount {
    /// The volume.
    pub name: String,
    /// The path.
    pub mount_path: String,
    /// Whether it is read only.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub read_only: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct SecurityContext {
    #[serde(skip_serializing_if = "Option::is_none")]
    run_as_non_root: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    run_as_user: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    run_as_group: Option<u32>,
    allow_privilege_escalation: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    read_only_root_filesystem: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    capabilities: Option<Capabilities>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Capabilities {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    drop: Vec<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    add: Vec<String>,
}

/// The user of the block image.
const BLOCK_USER: stack::User = stack::User {
    uid: 65532,
    gid: 65532,
};

/// Who a container runs as, where the stack says it.
pub fn user(container: &stack::Container) -> Option<stack::User> {
    let of_block = matches!(container.source, Source::Block(_)).then_some(BLOCK_USER);
    container.security.user.or(of_block)
}

/// Whether the cluster is to refuse a container that would run as root.
pub fn is_non_root(container: &stack::Container) -> bool {
    container.security.level == SecurityLevel::Restricted && user(container).is_none_or(|user| user.uid != 0)
}

/// Turns one container; `pod_is_non_root`: the pod says `runAsNonRoot` for all.
pub fn container(
    context: &mut Context,
    at: &At,
    pod: &stack::Name,
    container: &stack::Container,
    pod_is_non_root: bool,
) -> Container {
    let image = image::image(context, at, pod, container);
    let words = |words: &Vec<String>| {
        words
            .iter()
            .map(|word| expansion::literal(word))
            .collect::<Vec<_>>()
    };
    let mut args = container.command.args.as_ref().map(words);
    if let Source::Block(block) = &container.source {
        args.get_or_insert_default().insert(0, block.clone());
    }
    let mut probe = |name: &str, written: &Option<stack::Probe>| {
        written
            .as_ref()
            .map(|written| probe(context, &at.field(name), written))
    };
    let startup_probe = probe("startup", &container.probes.startup);
    let readiness_probe = probe("ready", &container.probes.ready);
    let liveness_probe = probe("live", &container.probes.live);
    Container {
        name: container.name.to_string(),
        image: image.reference,
        image_pull_policy: image.pull_policy,
        restart_policy: (container.role == Role::Sidecar && context.options.sidecars == Sidecars::Native)
            .then_some("Always"),
        command: container.command.command.as_ref().map(words),
        args,
        working_dir: container.directory.clone(),
        ports: ports(container),
        env: env(context, at, container),
        resources: resources(container.resources),
        volume_mounts: container
            .mounts
            .iter()
            .map(|mount| VolumeMount {
                name: mount.volume.to_string(),
                mount_path: mount.path.clone(),
                read_only: mount.read_only,
            })
            .collect(),
        startup_probe,
        readiness_probe,
        liveness_probe,
        security_context: security(container, pod_is_non_root),
    }
}

/// The ports that others may dial: a local one is left out, since listing it would only
/// promise what the program doesn't do.
fn ports(container: &stack::Container) -> Vec<PortSpec> {
    container
        .ports
        .iter()
        .filter(|port| !port.local)
        .map(|port| PortSpec {
            name: port.name.to_string(),
            container_port: port.port,
            protocol: protocol(port.protocol),
        })
        .collect()
}

/// A protocol other than the default.
pub fn protocol(protocol: Protocol) -> Option<&'static str> {
    match protocol {
        Protocol::Tcp => None,
        Protocol::Udp => Some("UDP"),
    }
}

fn env(context: &mut Context, at: &At, container: &stack::Container) -> Vec<Env> {
    let mut result = Vec::with_capacity(container.env.len());
    for (name, value) in &container.env {
        if !stack::is_common_variable(name) {
            context.say(
                &fields::ENV_NAME,
                &at.field("env").field(name),
                format!("clusters before Kubernetes 1.32 refuse the name {name:?}"),
                "choose a name of letters, digits and `_`",
            );
        }
        let (value, value_from) = match value {
            EnvValue::Text(text) => (Some(expansion::literal(text)), None),
            EnvValue::Secret { secret, key } => {
                let source = EnvSource {
                    secret_key_ref: SecretKey {
                        name: secret.to_string(),
                        key: key.clone(),
                    },
                };
                (None, Some(source))
            }
        };
        result.push(Env {
            name: name.clone(),
            value,
            value_from,
        });
    }
    result
}

fn resources(resources: stack::Resources) -> Option<Resources> {
    let quantities = Quantities {
        cpu: resources.cpu.map(|cpu| cpu.to_string()),
        memory: resources.memory.map(|memory| memory.to_string()),
    };
    (quantities.cpu.is_some() || quantities.memory.is_some()).then(|| Resources {
        requests: quantities.clone(),
        limits: quantities,
    })
}

fn security(container: &stack::Container, pod_is_non_root: bool) -> SecurityContext {
    let restricted = container.security.level == SecurityLevel::Restricted;
    let user = user(container);
    let add = container.security.capabilities.clone();
    SecurityContext {
        run_as_non_root: (!pod_is_non_root && is_non_root(container)).then_some(true),
        run_as_user: user.map(|user| user.uid),
        run_as_group: user.map(|user| user.gid),
        allow_privilege_escalation: false,
        read_only_root_filesystem: container.security.read_only_root,
        capabilities: (restricted || !add.is_empty()).then(|| Capabilities {
            drop: if restricted { vec!["ALL"] } else { Vec::new() },
            add,
        }),
    }
}
