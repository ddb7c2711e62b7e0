//! Turns what the engine lists into what a plan needs to know.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use bollard::models::{ContainerSummary, ContainerSummaryStateEnum, PortSummaryTypeEnum};
use bollard::query_parameters::{
    ContainerArchiveInfoOptionsBuilder, InspectContainerOptions, ListContainersOptionsBuilder,
    ListNetworksOptionsBuilder, ListVolumesOptions,
};
use futures_util::future::{join_all, try_join_all};
use time::OffsetDateTime;

use super::volumes::CURRENT;
use super::{Docker, Error, Intent};
use crate::engine::desired::{Content, Desired};
use crate::engine::labels::{self, Labels, Role};
use crate::engine::observed::{Container, Foreign, Observed, Port, Status};
use crate::engine::secrets::Secrets;
use crate::stack::EnvValue;

impl Docker {
    /// Looks at everything that has to do with a stack: three questions, asked at once.
    pub async fn observe(&self, stack: &str) -> Result<Observed, Error> {
        let containers = ListContainersOptionsBuilder::default().all(true).build();
        let filter = HashMap::from([("name", vec![format!("^{stack}$")])]);
        let networks = ListNetworksOptionsBuilder::default().filters(&filter).build();
        let (containers, networks, volumes) = tokio::join!(
            self.client.list_containers(Some(containers)),
            self.client.list_networks(Some(networks)),
            self.client.list_volumes(None::<ListVolumesOptions>),
        );
        let mut observed = Observed::default();
        for summary in containers.intent(|| "list containers".to_owned())? {
            let is_ours = summary
                .labels
                .as_ref()
                .and_then(|labels| labels.get(labels::STACK))
                .is_some_and(|name| name == stack);
            match container(&summary).filter(|_| is_ours) {
                Some(container) => observed.containers.push(container),
                None => observed.foreign.push(foreign(&summary)),
            }
        }
        for network in networks.intent(|| "list networks".to_owned())? {
            let owner = network.labels.unwrap_or_default().remove(labels::STACK);
            if network.name.as_deref() == Some(stack) {
                let is_ours = owner.as_deref() == Some(stack);
                observed.network |= is_ours;
                observed.foreign_network |= !is_ours;
            }
        }
        let volumes = volumes
            .intent(|| "list volumes".to_owned())?
            .volumes
            .unwrap_or_default();
        for volume in volumes {
            if volume.labels.get(labels::STACK).is_some_and(|name| name == stack) {
                let kind = volume.labels.get(labels::KIND).cloned().unwrap_or_default();
                observed.volumes.insert(volume.name, kind);
            } else {
                observed.foreign_volumes.insert(volume.name);
            }
        }
        observed
            .containers
            .sort_by(|one, other| one.name.cmp(&other.name));
        observed.foreign.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(observed)
    }

    /// Whether the stack's network stands: the last thing that `down` removes.
    pub async fn has_network(&self, stack: &str) -> Result<bool, Error> {
        Ok(self.observe(stack).await?.network)
    }

    /// Finds the secrets whose value on the engine is not the project's: volumes and environment variables.
    pub async fn compare_secrets(
        &self,
        observed: &mut Observed,
        desired: &Desired,
        secrets: &Secrets,
    ) -> Result<(), Error> {
        let stale = desired
            .volumes
            .iter()
            .filter_map(|(name, volume)| match &volume.content {
                Content::Secret(secret) => Some(self.is_stale(name, secret, observed, secrets)),
                _ => None,
            });
        let stale: BTreeSet<String> = join_all(stale).await.into_iter().flatten().collect();
        let with_secrets = desired
            .replicas
            .iter()
            .flat_map(|replica| &replica.containers)
            .filter_map(|wanted| {
                let has_secrets = wanted
                    .env
                    .iter()
                    .any(|(_, value)| matches!(value, EnvValue::Secret { .. }));
                let found = observed
                    .containers
                    .iter()
                    .find(|found| found.name == wanted.name)?;
                has_secrets.then_some((found.id.as_str(), wanted))
            });
        let stale_env = try_join_all(with_secrets.map(async |(id, wanted)| {
            let inspected = self
                .client
                .inspect_container(id, None::<InspectContainerOptions>)
                .await;
            let inspected = inspected.intent(|| format!("inspect container `{}`", wanted.name))?;
            let env: BTreeSet<String> = inspected
                .config
                .and_then(|config| config.env)
                .unwrap_or_default()
                .into_iter()
                .collect();
            let mut changed = Vec::new();
            for (name, value) in &wanted.env {
                if let EnvValue::Secret { secret, key } = value {
                    let text = secrets.text(secret.as_str(), key)?;
                    if !env.contains(&format!("{name}={text}")) {
                        changed.push(name.clone());
                    }
                }
            }
            Ok::<_, Error>((id.to_owned(), changed))
        }))
        .await?;
        observed.stale_secrets = stale;
        observed.stale_env = stale_env
            .into_iter()
            .filter(|(_, changed)| !changed.is_empty())
            .collect();
        Ok(())
    }

    /// The volume's name, if a container sees other files in it than the project's.
    ///
    /// The link to the current files is named by their digest, so nothing secret is read back.
    async fn is_stale(
        &self,
        volume: &str,
        secret: &str,
        observed: &Observed,
        secrets: &Secrets,
    ) -> Option<String> {
        let mounted = |container: &&Container| {
            container.labels.role != Role::Carrier && container.volumes.contains_key(volume)
        };
        let container = observed.containers.iter().find(mounted)?;
        let path = container.volumes.get(volume)?;
        let current = self
            .link_target(&container.id, &format!("{path}/{CURRENT}"))
            .await
            .unwrap_or_default();
        let is_current = current
            .trim_start_matches('.')
            .split_once('.')
            .is_some_and(|(salt, digest)| secrets.digest(secret, salt) == digest);
        (!is_current).then(|| volume.to_owned())
    }

    /// The last part of what a link in a container points to.
    pub(super) async fn link_target(&self, container: &str, path: &str) -> Option<String> {
        let options = ContainerArchiveInfoOptionsBuilder::default().path(path).build();
        let stat = self
            .client
            .get_container_archive_info(container, Some(options))
            .await
            .ok()?;
        stat.link_target.rsplit('/').next().map(str::to_owned)
    }
}

fn name(summary: &ContainerSummary) -> String {
    let names = summary.names.as_deref().unwrap_or_default();
    // A link gives a container further names, `/other/alias`.
    let own = names
        .iter()
        .find(|name| name.matches('/').count() == 1)
        .or(names.first());
    own.map(|name| name.trim_start_matches('/').to_owned())
        .unwrap_or_default()
}

fn ports(summary: &ContainerSummary) -> Vec<Port> {
    let mut ports: Vec<Port> = summary
        .ports
        .iter()
        .flatten()
        .filter_map(|port| {
            Some(Port {
                address: port.ip.clone().unwrap_or_default(),
                host: port.public_port?,
                container: port.private_port,
                udp: port.typ == Some(PortSummaryTypeEnum::UDP),
            })
        })
        .collect();
    ports.sort();
    ports
}

fn foreign(summary: &ContainerSummary) -> Foreign {
    Foreign {
        name: name(summary),
        stack: summary
            .labels
            .as_ref()
            .and_then(|labels| labels.get(labels::STACK))
            .cloned(),
        ports: ports(summary),
    }
}

pub(super) fn container(summary: &ContainerSummary) -> Option<Container> {
    let labels = summary.labels.as_ref()?;
    let fields: BTreeMap<String, String> = labels
        .get(labels::STATE)
        .and_then(|state| serde_json::from_str(state).ok())
        .unwrap_or_default();
    let mode = summary
        .host_config
        .as_ref()
        .and_then(|config| config.network_mode.as_deref());
    Some(Container {
        id: summary.id.clone()?,
        name: name(summary),
        labels: Labels::read(labels)?,
        fields,
        job: labels.get(labels::JOB).cloned(),
        status: status(summary),
        joined: mode
            .and_then(|mode| mode.strip_prefix("container:"))
            .map(str::to_owned),
        volumes: summary
            .mounts
            .iter()
            .flatten()
            .filter(|mount| mount.typ.as_deref() == Some("volume"))
            .filter_map(|mount| Some((mount.name.clone()?, mount.destination.clone()?)))
            .collect(),
        ports: ports(summary),
        created: summary
            .created
            .and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok()),
        ended: None,
    })
}

fn status(summary: &ContainerSummary) -> Status {
    match summary.state {
        Some(ContainerSummaryStateEnum::RUNNING) => Status::Running,
        Some(ContainerSummaryStateEnum::PAUSED) => Status::Paused,
        Some(ContainerSummaryStateEnum::RESTARTING) => Status::Restarting,
        Some(ContainerSummaryStateEnum::EXITED) => {
            // `Exited (137) 5 minutes ago`: the list has no field for it.
            let text = summary.status.as_deref().unwrap_or_default();
            let code = text
                .split_once('(')
                .and_then(|(_, rest)| rest.split_once(')'))
                .and_then(|(code, _)| code.parse().ok());
            Status::Exited(code.unwrap_or(-1))
        }
        Some(ContainerSummaryStateEnum::DEAD | ContainerSummaryStateEnum::REMOVING) => Status::Dead,
        _ => Status::Created,
    }
}
