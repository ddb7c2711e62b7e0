//! Turns what the engine lists into what a plan needs to know.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use bollard::models::{ContainerSummary, ContainerSummaryStateEnum, PortSummaryTypeEnum};
use bollard::query_parameters::{
    ContainerArchiveInfoOptionsBuilder, InspectContainerOptions, ListContainersOptionsBuilder,
    ListNetworksOptionsBuilder, ListVolumesOptions,
};
use futures_util::future::{join_all, try_join_all};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

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
        let mut uptimes = BTreeMap::new();
        for summary in containers.intent(|| "list containers".to_owned())? {
            if let (Some(id), Some(uptime)) = (&summary.id, uptime(&summary)) {
                uptimes.insert(id.clone(), uptime);
            }
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
        let mut ours = Vec::new();
        for network in networks.intent(|| "list networks".to_owned())? {
            let owner = network.labels.unwrap_or_default().remove(labels::STACK);
            if network.name.as_deref() == Some(stack) {
                if owner.as_deref() == Some(stack) {
                    ours.extend(network.id.map(|id| (network.created, id)));
                } else {
                    observed.foreign_network = true;
                }
            }
        }
        ours.sort();
        observed.networks = ours.into_iter().map(|(_, id)| id).collect();
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
        self.find_stranded(&mut observed, &uptimes).await;
        observed
            .containers
            .sort_by(|one, other| one.name.cmp(&other.name));
        observed.foreign.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(observed)
    }

    /// Finds containers that run in a network whose owner was started after them: it isn't theirs any more.
    ///
    /// The list tells uptimes in words; only where an owner seems the younger one, both are asked.
    async fn find_stranded(&self, observed: &mut Observed, uptimes: &BTreeMap<String, u64>) {
        let started = async |id: &str| {
            let inspected = self
                .client
                .inspect_container(id, None::<InspectContainerOptions>)
                .await
                .ok()?;
            OffsetDateTime::parse(&inspected.state?.started_at?, &Rfc3339).ok()
        };
        let seem = observed.containers.iter_mut().filter(|member| {
            let owner = member.joined.as_ref().and_then(|owner| uptimes.get(owner));
            owner.is_some_and(|owner| uptimes.get(&member.id).is_some_and(|member| owner < member))
        });
        join_all(seem.map(async |member| {
            let owner = member.joined.clone().unwrap_or_default();
            let (owner, since) = tokio::join!(started(&owner), started(&member.id));
            member.is_stranded = since.zip(owner).is_some_and(|(since, owner)| since < owner);
        }))
        .await;
    }

    /// Whether the stack's network stands: the last thing that `down` removes.
    pub async fn has_network(&self, stack: &str) -> Result<bool, Error> {
        Ok(!self.observe(stack).await?.networks.is_empty())
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
        networks: summary
            .network_settings
            .as_ref()
            .and_then(|settings| settings.networks.as_ref())
            .map(|networks| networks.keys().cloned().collect())
            .unwrap_or_default(),
        is_stranded: false,
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

/// How long a container has been running, in seconds, as far as the list's words say: `Up 3 minutes (healthy)`.
fn uptime(summary: &ContainerSummary) -> Option<u64> {
    let words: Vec<&str> = summary
        .status
        .as_deref()?
        .strip_prefix("Up ")?
        .split(' ')
        .collect();
    let (number, unit) = match words.as_slice() {
        ["Less", "than", "a", "second", ..] => return Some(0),
        ["About", "a" | "an", unit, ..] => (1, *unit),
        [number, unit, ..] => (number.parse().ok()?, *unit),
        _ => return None,
    };
    let seconds = match unit.trim_end_matches('s') {
        "second" => 1,
        "minute" => 60,
        "hour" => 3_600,
        "day" => 86_400,
        "week" => 604_800,
        "month" => 2_592_000,
        "year" => 31_536_000,
        _ => return None,
    };
    Some(number * seconds)
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
