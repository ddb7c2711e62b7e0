//! The labels by which motif knows its own objects, and their typed reading.

use std::collections::{BTreeMap, HashMap};

/// The stack that an object belongs to. Nothing without it is ever touched.
pub const STACK: &str = "dev.motif.stack";
/// The pod or job.
pub const POD: &str = "dev.motif.pod";
/// The replica's index, from 0.
pub const REPLICA: &str = "dev.motif.replica";
/// The container's name in its pod.
pub const CONTAINER: &str = "dev.motif.container";
/// What the container is for: see [`Role`].
pub const ROLE: &str = "dev.motif.role";
/// The container's place in the start order of its replica, from 0.
pub const POSITION: &str = "dev.motif.position";
/// The digest of the state that the object was made for.
pub const HASH: &str = "dev.motif.hash";
/// The state itself, without secret values: tells which field changed.
pub const STATE: &str = "dev.motif.state";
/// The volume's name in its pod.
pub const VOLUME: &str = "dev.motif.volume";
/// What the volume holds: `empty`, `claim`, `config`, `secret`, `binary`.
pub const KIND: &str = "dev.motif.kind";
/// The digest of the job that a container is a run of.
pub const JOB: &str = "dev.motif.job";
/// When a run of a scheduled job was due, in minutes since 1970.
pub const DUE: &str = "dev.motif.due";
/// The index of a run of an indexed job.
pub const INDEX: &str = "dev.motif.index";
/// The pods and jobs that the container's pod comes after, separated by commas.
pub const AFTER: &str = "dev.motif.after";
/// The service that a proxy container holds.
pub const SERVICE: &str = "dev.motif.service";
/// The stack that a helper of `verify` asks in.
pub const HELPER: &str = "dev.motif.helper";
/// The folder of the project.
pub const PROJECT: &str = "dev.motif.project";
/// The digest of the binary in an image or volume.
pub const BINARY: &str = "dev.motif.binary";
/// Compose's project label: groups a stack in Docker Desktop and `docker compose ls`.
pub const COMPOSE_PROJECT: &str = "com.docker.compose.project";
/// Compose's service label.
pub const COMPOSE_SERVICE: &str = "com.docker.compose.service";
/// Compose's index of a replica, from 1.
pub const COMPOSE_NUMBER: &str = "com.docker.compose.container-number";

/// What a container is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Owns the pod's namespaces.
    Infra,
    /// Runs to its end before the others start.
    Init,
    /// Starts before, and stops after, the main containers.
    Sidecar,
    /// What the pod is for.
    Main,
    /// Holds a service's name and publishes its ports.
    Proxy,
    /// Carries files into volumes; never started.
    Carrier,
}

impl Role {
    /// As written in the label.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Infra => "infra",
            Self::Init => "init",
            Self::Sidecar => "sidecar",
            Self::Main => "main",
            Self::Proxy => "proxy",
            Self::Carrier => "carrier",
        }
    }

    /// Reads the label.
    pub fn parse(text: &str) -> Option<Self> {
        [
            Self::Infra,
            Self::Init,
            Self::Sidecar,
            Self::Main,
            Self::Proxy,
            Self::Carrier,
        ]
        .into_iter()
        .find(|role| role.as_str() == text)
    }
}

/// The labels of a container of ours.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Labels {
    /// The stack.
    pub stack: String,
    /// The pod or job; for a proxy the service.
    pub pod: String,
    /// The replica's index, from 0.
    pub replica: u32,
    /// The container's name in its pod; empty for infra, proxy and carrier.
    pub container: String,
    /// What it is for.
    pub role: Role,
    /// Its place in the start order of its replica, from 0.
    pub position: u32,
    /// The digest of the state that it was made for.
    pub hash: String,
    /// When the run of a scheduled job was due, in minutes since 1970.
    pub due: Option<u64>,
    /// The index of a run of an indexed job.
    pub index: Option<u32>,
    /// The pods and jobs that its pod comes after.
    pub after: Vec<String>,
}

impl Labels {
    /// Reads the labels of a container; `None` when it is not one of ours.
    pub fn read(labels: &HashMap<String, String>) -> Option<Self> {
        let text = |key: &str| labels.get(key).cloned();
        Some(Self {
            stack: text(STACK)?,
            pod: text(POD)?,
            replica: labels.get(REPLICA)?.parse().ok()?,
            container: text(CONTAINER).unwrap_or_default(),
            role: Role::parse(labels.get(ROLE)?)?,
            position: labels
                .get(POSITION)
                .and_then(|position| position.parse().ok())
                .unwrap_or(0),
            hash: text(HASH).unwrap_or_default(),
            due: labels.get(DUE).and_then(|due| due.parse().ok()),
            index: labels.get(INDEX).and_then(|index| index.parse().ok()),
            after: labels
                .get(AFTER)
                .map(|after| after.split(',').map(str::to_owned).collect())
                .unwrap_or_default(),
        })
    }

    /// Writes the labels, Compose's too.
    pub fn write(&self) -> BTreeMap<String, String> {
        [
            (STACK, self.stack.clone()),
            (POD, self.pod.clone()),
            (REPLICA, self.replica.to_string()),
            (CONTAINER, self.container.clone()),
            (ROLE, self.role.as_str().to_owned()),
            (POSITION, self.position.to_string()),
            (HASH, self.hash.clone()),
            (DUE, self.due.map(|due| due.to_string()).unwrap_or_default()),
            (
                INDEX,
                self.index.map(|index| index.to_string()).unwrap_or_default(),
            ),
            (AFTER, self.after.join(",")),
            (COMPOSE_PROJECT, self.stack.clone()),
            (COMPOSE_SERVICE, self.pod.clone()),
            (COMPOSE_NUMBER, (self.replica + 1).to_string()),
        ]
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(key, value)| (key.to_owned(), value))
        .collect()
    }

    /// The replica's name: `web-0`; of a scheduled job's run `report-29412345-0`.
    pub fn replica_name(&self) -> String {
        replica_name(&self.pod, self.due, self.replica)
    }

    /// How a person names the container: `web-0/app`, or `web-0` where it has no name of its own.
    pub fn display_name(&self) -> String {
        match self.role {
            Role::Proxy => self.pod.clone(),
            _ if self.container.is_empty() => self.replica_name(),
            _ => format!("{}/{}", self.replica_name(), self.container),
        }
    }
}

/// `web-0`; of a scheduled job's run `report-29412345-0`.
pub fn replica_name(pod: &str, due: Option<u64>, replica: u32) -> String {
    match due {
        None => format!("{pod}-{replica}"),
        Some(due) => format!("{pod}-{due}-{replica}"),
    }
}
