//! Turns a desired container into the engine's words.

use std::collections::HashMap;

use bollard::models::{
    ContainerCreateBody, EndpointSettings, HealthConfig, HostConfig, Mount, MountTmpfsOptions, MountType,
    MountVolumeOptions, NetworkingConfig, PortBinding, RestartPolicy, RestartPolicyNameEnum,
};

use super::Error;
use super::volumes::volume_mount;
use crate::engine::desired::{BINARY_FOLDER, Container, Desired, start_command};
use crate::engine::labels::{self, Role};
use crate::engine::secrets::Secrets;
use crate::stack::{EnvValue, Protocol, Restart};

/// What else a container needs to be made.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// Everything that should be.
    pub desired: &'a Desired,
    /// The values of secrets.
    pub secrets: &'a Secrets,
    /// The volume that holds the binary.
    pub binary_volume: &'a str,
    /// The project's folder, as a label says it.
    pub project: &'a str,
}

/// A container as the engine's `create` takes it. `owner` is the id of the pod's network owner.
pub fn body(
    container: &Container,
    owner: Option<&str>,
    context: &Context,
) -> Result<ContainerCreateBody, Error> {
    let joined = owner
        .filter(|_| container.joins)
        .map(|owner| format!("container:{owner}"));
    let mut labels: HashMap<String, String> = container
        .labels(&context.desired.stack)
        .write()
        .into_iter()
        .collect();
    let state = serde_json::to_string(&container.fields()).unwrap_or_default();
    labels.insert(labels::STATE.to_owned(), state);
    labels.insert(labels::PROJECT.to_owned(), context.project.to_owned());
    if let Some(job) = &container.job {
        labels.insert(labels::JOB.to_owned(), job.clone());
    }
    if container.role == Role::Proxy {
        labels.insert(labels::SERVICE.to_owned(), container.pod.clone());
    }
    let (exposed_ports, port_bindings) = ports(container);
    let (entrypoint, cmd) = start_command(container);
    Ok(ContainerCreateBody {
        hostname: container.hostname.clone(),
        user: (!container.user.is_empty()).then(|| container.user.clone()),
        env: Some(environment(container, context.secrets)?),
        cmd,
        entrypoint,
        image: Some(container.image.name.clone()),
        working_dir: container.directory.clone(),
        labels: Some(labels),
        healthcheck: Some(health(container)),
        stop_timeout: i64::try_from(container.grace.as_millis().div_ceil(1000)).ok(),
        exposed_ports: Some(exposed_ports),
        host_config: Some(HostConfig {
            network_mode: Some(joined.clone().unwrap_or_else(|| context.desired.network.clone())),
            ipc_mode: match container.role {
                Role::Infra => Some("shareable".to_owned()),
                _ => joined.clone(),
            },
            pid_mode: joined.filter(|_| container.shares_processes),
            port_bindings: Some(port_bindings),
            restart_policy: Some(RestartPolicy {
                name: Some(match container.restart {
                    Restart::Always => RestartPolicyNameEnum::UNLESS_STOPPED,
                    Restart::OnFailure => RestartPolicyNameEnum::ON_FAILURE,
                    Restart::Never => RestartPolicyNameEnum::NO,
                }),
                maximum_retry_count: None,
            }),
            mounts: Some(mounts(container, context)),
            nano_cpus: container
                .milli_cpu
                .and_then(|cpu| i64::try_from(cpu * 1_000_000).ok()),
            memory: container.memory.and_then(|memory| i64::try_from(memory).ok()),
            // A limit that swap can exceed is none on a cluster.
            memory_swap: container.memory.and_then(|memory| i64::try_from(memory).ok()),
            readonly_rootfs: Some(container.read_only),
            cap_drop: container.drops_capabilities.then(|| vec!["ALL".to_owned()]),
            cap_add: Some(container.capabilities.clone()),
            security_opt: Some(vec!["no-new-privileges:true".to_owned()]),
            ..HostConfig::default()
        }),
        networking_config: (!container.joins).then(|| NetworkingConfig {
            endpoints_config: Some(HashMap::from([(
                context.desired.network.clone(),
                EndpointSettings {
                    aliases: Some(container.aliases.clone()),
                    ..EndpointSettings::default()
                },
            )])),
        }),
        ..ContainerCreateBody::default()
    })
}

fn environment(container: &Container, secrets: &Secrets) -> Result<Vec<String>, Error> {
    let line = |(name, value): &(String, EnvValue)| {
        Ok(match value {
            EnvValue::Text(text) => format!("{name}={text}"),
            EnvValue::Secret { secret, key } => format!("{name}={}", secrets.text(secret.as_str(), key)?),
        })
    };
    container.env.iter().map(line).collect()
}

type Bindings = HashMap<String, Option<Vec<PortBinding>>>;

fn ports(container: &Container) -> (Vec<String>, Bindings) {
    let mut bindings = Bindings::new();
    for port in &container.publish {
        let protocol = match port.protocol {
            Protocol::Tcp => "tcp",
            Protocol::Udp => "udp",
        };
        bindings
            .entry(format!("{}/{protocol}", port.port))
            .or_default()
            .get_or_insert_default()
            .push(PortBinding {
                host_ip: Some(port.at.address.to_string()),
                host_port: Some(port.at.port.to_string()),
            });
    }
    let mut exposed: Vec<String> = bindings.keys().cloned().collect();
    exposed.sort();
    (exposed, bindings)
}

fn mounts(container: &Container, context: &Context) -> Vec<Mount> {
    let mut mounts = Vec::new();
    for mount in &container.mounts {
        if let Some(volume) = context.desired.volumes.get(&mount.volume) {
            mounts.push(volume_mount(
                &context.desired.stack,
                &mount.volume,
                volume,
                &mount.path,
                mount.read_only,
            ));
        }
    }
    for (path, size) in &container.tmpfs {
        mounts.push(Mount {
            typ: Some(MountType::TMPFS),
            target: Some(path.clone()),
            tmpfs_options: Some(MountTmpfsOptions {
                size_bytes: size.and_then(|size| i64::try_from(size).ok()),
                mode: Some(0o1777),
                ..MountTmpfsOptions::default()
            }),
            ..Mount::default()
        });
    }
    if container.binary {
        mounts.push(Mount {
            typ: Some(MountType::VOLUME),
            source: Some(context.binary_volume.to_owned()),
            target: Some(BINARY_FOLDER.to_owned()),
            read_only: Some(true),
            volume_options: Some(MountVolumeOptions {
                no_copy: Some(true),
                ..MountVolumeOptions::default()
            }),
            ..Mount::default()
        });
    }
    mounts
}

fn health(container: &Container) -> HealthConfig {
    let nanos = |duration: std::time::Duration| i64::try_from(duration.as_nanos()).ok();
    match &container.health {
        Some(health) => HealthConfig {
            test: Some([vec!["CMD".to_owned()], health.command.clone()].concat()),
            interval: nanos(health.every),
            timeout: nanos(health.timeout),
            retries: Some(i64::from(health.failures)),
            // Newer engines ask oftener at the start: readiness shows as soon as it is there.
            start_period: nanos(health.start.max(health.every)),
            start_interval: nanos(std::time::Duration::from_secs(1)),
        },
        // As in Kubernetes, an image's own health check says nothing.
        None => HealthConfig {
            test: Some(vec!["NONE".to_owned()]),
            ..HealthConfig::default()
        },
    }
}
