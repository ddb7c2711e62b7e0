//! The Docker objects that should be, as data.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use super::Image;
use crate::engine::labels::{Role, replica_name};
use crate::stack::{Concurrency, EnvValue, Probes, Protocol, Publish, Restart, Schedule, Until, User};

/// All the Docker objects of a stack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Desired {
    /// The stack.
    pub stack: String,
    /// Its network.
    pub network: String,
    /// Its volumes by their name on the engine.
    pub volumes: BTreeMap<String, Volume>,
    /// Its replicas: pods in the order written, then the proxies of services.
    pub replicas: Vec<Replica>,
    /// Its jobs, in the order written.
    pub jobs: Vec<Job>,
    /// What pods and jobs wait for, by name.
    pub after: BTreeMap<String, Vec<After>>,
    /// The pod behind each service.
    pub services: BTreeMap<String, String>,
}

/// Something that has to be so before a pod or job starts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct After {
    /// The pod or job.
    pub on: String,
    /// What it has to be.
    pub until: Until,
}

impl fmt::Display for After {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.until {
            Until::Ready => write!(formatter, "{} is ready", self.on),
            Until::Done => write!(formatter, "{} is done", self.on),
        }
    }
}

/// A pod that runs to completion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// Its name.
    pub name: String,
    /// How many runs must end well.
    pub completions: u32,
    /// How many run at a time.
    pub parallelism: u32,
    /// Failed runs before the job fails.
    pub retries: u32,
    /// Time after which the job fails.
    pub deadline: Option<Duration>,
    /// Whether every index up to `completions` must end well once.
    pub indexed: bool,
    /// Time after which the runs of an ended job are removed.
    pub ttl: Option<Duration>,
    /// When it runs; `None` is once.
    pub schedule: Option<Schedule>,
    /// What happens when it is due and still runs.
    pub concurrency: Concurrency,
    /// The digest of what each of its runs does.
    pub digest: String,
}

/// Containers that share network, volumes and fate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replica {
    /// The pod, or the service of a proxy.
    pub pod: String,
    /// From 0.
    pub index: u32,
    /// When the run of a scheduled job was due, in minutes since 1970.
    pub due: Option<u64>,
    /// In the order of their start; the first owns the network.
    pub containers: Vec<Container>,
}

impl Replica {
    /// `web-0`; a proxy has its service's name.
    pub fn name(&self) -> String {
        if self.is_proxy() {
            self.pod.clone()
        } else {
            replica_name(&self.pod, self.due, self.index)
        }
    }

    /// Whether it holds a service rather than a pod.
    pub fn is_proxy(&self) -> bool {
        self.containers
            .first()
            .is_some_and(|container| container.role == Role::Proxy)
    }
}

/// A volume on the engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Volume {
    /// The pod that it belongs to.
    pub pod: String,
    /// Its name in the pod.
    pub name: String,
    /// What it holds.
    pub content: Content,
    /// Who owns its files: the containers' user where they all have the same.
    pub owner: Option<User>,
}

/// Volumes by their names on the engine.
#[derive(Debug, Default)]
pub(super) struct Volumes {
    /// What there is to be.
    pub(super) made: BTreeMap<String, Volume>,
    /// Names that two of them would have.
    pub(super) clashes: BTreeSet<String>,
}

impl Volumes {
    /// Adds one, which may be there already.
    pub(super) fn add(&mut self, name: String, volume: Volume) {
        let other = self.made.get(&name);
        if other.is_some_and(|other| (&other.pod, &other.name) != (&volume.pod, &volume.name)) {
            self.clashes.insert(name.clone());
        }
        self.made.insert(name, volume);
    }
}

impl Volume {
    /// Whether each replica has one for itself, and takes it along when it goes.
    pub fn is_of_a_replica(&self) -> bool {
        matches!(self.content, Content::Empty | Content::Tmpfs { .. })
    }
}

/// What a volume holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// Nothing at first; goes with the replica.
    Empty,
    /// Nothing at first, in memory.
    Tmpfs {
        /// Most that it may hold.
        size: Option<u64>,
    },
    /// Nothing at first; stays.
    Claim,
    /// Files; another content is another volume.
    Config(BTreeMap<String, Vec<u8>>),
    /// A secret's files; replaced in place.
    Secret(String),
}

impl Content {
    /// As written in the label.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::Tmpfs { .. } => "tmpfs",
            Self::Claim => "claim",
            Self::Config(_) => "config",
            Self::Secret(_) => "secret",
        }
    }
}

/// A container on the engine.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is an independent switch of the engine's own"
)]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Container {
    /// Its name on the engine.
    pub name: String,
    /// The pod or service.
    pub pod: String,
    /// The replica, from 0.
    pub replica: u32,
    /// Its name in the pod; empty for infra and proxy.
    pub own_name: String,
    /// What it is for.
    pub role: Role,
    /// Its place in the start order of its replica, from 0.
    pub position: u32,
    /// What it runs.
    pub image: Image,
    /// Replaces the image's entry point.
    pub entrypoint: Option<Vec<String>>,
    /// Replaces the image's arguments.
    pub arguments: Option<Vec<String>>,
    /// Environment, in the order written.
    pub env: Vec<(String, EnvValue)>,
    /// `uid:gid`; empty leaves the image's.
    pub user: String,
    /// Working directory.
    pub directory: Option<String>,
    /// Host name; network owners only.
    pub hostname: Option<String>,
    /// Names on the stack's network; network owners only.
    pub aliases: Vec<String>,
    /// Ports on the host; network owners only.
    pub publish: Vec<Published>,
    /// Whether it joins the namespaces of the replica's first container.
    pub joins: bool,
    /// Whether it sees the processes of the replica's containers.
    pub shares_processes: bool,
    /// Volumes.
    pub mounts: Vec<Mount>,
    /// Whether the binary is mounted into it.
    pub binary: bool,
    /// Sizes of temporary file systems by path.
    pub tmpfs: BTreeMap<String, Option<u64>>,
    /// Thousandths of a core.
    pub milli_cpu: Option<u64>,
    /// Bytes.
    pub memory: Option<u64>,
    /// Whether the root file system is read only.
    pub read_only: bool,
    /// Whether every capability is dropped first.
    pub drops_capabilities: bool,
    /// Capabilities added.
    pub capabilities: Vec<String>,
    /// When the engine starts it again.
    pub restart: Restart,
    /// Time from SIGTERM to SIGKILL.
    pub grace: Duration,
    /// The engine's health check.
    pub health: Option<Health>,
    /// Startup, readiness and liveness.
    pub probes: Probes,
    /// Whether its program runs under the binary's `init`, which ends the container when a probe fails.
    pub watched: bool,
    /// The port on which `init` answers for its readiness, where a service can't ask that from outside.
    pub answers_on: Option<u16>,
    /// Ports that only the pod's own containers should reach, with their name.
    pub local_ports: Vec<(String, u16)>,
    /// The digest of the job that it is a run of.
    pub job: Option<String>,
    /// When the run of a scheduled job was due, in minutes since 1970.
    pub due: Option<u64>,
    /// The index of a run of an indexed job.
    pub index: Option<u32>,
    /// The pods and jobs that its pod comes after.
    pub after: Vec<String>,
}

/// A port on the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// The service.
    pub service: String,
    /// The name of the service's port.
    pub name: String,
    /// Where on the host.
    pub at: Publish,
    /// The container's port.
    pub port: u16,
    /// Transport.
    pub protocol: Protocol,
}

/// A volume at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// The volume's name on the engine.
    pub volume: String,
    /// The path.
    pub path: String,
    /// Whether it is read only.
    pub read_only: bool,
}

/// A health check that the engine runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// Program and arguments.
    pub command: Vec<String>,
    /// Time between checks.
    pub every: Duration,
    /// Time after which a check failed.
    pub timeout: Duration,
    /// Failed checks in a row before the container is unhealthy.
    pub failures: u32,
    /// Time at the start in which failures don't count.
    pub start: Duration,
}
