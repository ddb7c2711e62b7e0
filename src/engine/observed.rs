//! What stands on the engine, as far as a plan needs to know.

use std::collections::{BTreeMap, BTreeSet};

use time::OffsetDateTime;

use super::labels::{Labels, Role};

/// What stands on the engine.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Observed {
    /// Containers of the stack.
    pub containers: Vec<Container>,
    /// Containers of anybody else.
    pub foreign: Vec<Foreign>,
    /// The ids of the stack's network: one, or several where two runs made it at once; the oldest first.
    pub networks: Vec<String>,
    /// Volumes of the stack, by name, with their kind.
    pub volumes: BTreeMap<String, String>,
    /// Volumes of anybody else, by name.
    pub foreign_volumes: BTreeSet<String>,
    /// Whether somebody else's network has the stack's name.
    pub foreign_network: bool,
    /// Secret volumes whose files are not those of the project.
    pub stale_secrets: BTreeSet<String>,
    /// Environment variables whose secret has another value, by the container's id.
    pub stale_env: BTreeMap<String, Vec<String>>,
}

/// A container of the stack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Container {
    /// The engine's id.
    pub id: String,
    /// Its name on the engine.
    pub name: String,
    /// Its labels.
    pub labels: Labels,
    /// The fields that it was made from.
    pub fields: BTreeMap<String, String>,
    /// Whether it runs.
    pub status: Status,
    /// The container whose network it joined.
    pub joined: Option<String>,
    /// The networks that it is connected to, by name.
    pub networks: BTreeSet<String>,
    /// Whether it is left in a network that is no more: its owner began anew.
    pub is_stranded: bool,
    /// The digest of the job that it is a run of.
    pub job: Option<String>,
    /// The volumes that it mounts, with their path.
    pub volumes: BTreeMap<String, String>,
    /// The address, host port and container port of what it publishes.
    pub ports: Vec<Port>,
    /// When it was made.
    pub created: Option<OffsetDateTime>,
    /// When it ended; known only where that was asked.
    pub ended: Option<OffsetDateTime>,
}

/// A container of somebody else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Foreign {
    /// Its name.
    pub name: String,
    /// The stack of motif that it belongs to, if any.
    pub stack: Option<String>,
    /// What it publishes.
    pub ports: Vec<Port>,
}

/// A port that a container has on the host.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Port {
    /// The host's address.
    pub address: String,
    /// The host's port.
    pub host: u16,
    /// The container's port.
    pub container: u16,
    /// Whether it is UDP.
    pub udp: bool,
}

/// Whether a container runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Made, never started.
    Created,
    /// Runs.
    Running,
    /// Held still.
    Paused,
    /// Ended, and the engine will start it again.
    Restarting,
    /// Ended with this code.
    Exited(i64),
    /// Half removed.
    Dead,
}

impl Observed {
    /// The volumes that a container other than a carrier mounts: they were prepared before it was made.
    pub fn prepared(&self) -> BTreeSet<&str> {
        self.volumes_of(|role| role != Role::Carrier)
    }

    /// The volumes that a carrier mounts: their preparation may have been cut short.
    pub fn carried(&self) -> BTreeSet<&str> {
        self.volumes_of(|role| role == Role::Carrier)
    }

    fn volumes_of(&self, has_role: impl Fn(Role) -> bool) -> BTreeSet<&str> {
        self.containers
            .iter()
            .filter(|container| has_role(container.labels.role))
            .flat_map(|container| container.volumes.keys().map(String::as_str))
            .collect()
    }
}
