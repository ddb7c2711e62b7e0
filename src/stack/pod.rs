//! Pods and jobs: containers that share network, volumes and fate.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Container, Edge, Name, Place, Role, Schedule, Volume};

/// What pods and jobs have in common; Kubernetes calls it the pod template.
#[derive(Debug, Clone, PartialEq)]
pub struct PodSpec {
    /// Containers in the order written: init and sidecar containers start in this order.
    pub containers: Vec<Container>,
    /// Volumes by name.
    pub volumes: BTreeMap<Name, Volume>,
    /// Host name of the pod; default: the name of its replica.
    pub hostname: Option<Name>,
    /// Whether containers see each other's processes.
    pub share_processes: bool,
    /// When a main container is started again.
    pub restart: Restart,
    /// Time between SIGTERM and SIGKILL. Default 30 s, as in Kubernetes.
    pub grace: Duration,
    /// What has to be so before it starts, in the order written.
    pub after: Vec<Dependency>,
    /// What it may dial, in the order written; `None` is anything. Docker doesn't keep it from the rest.
    pub egress: Option<Vec<Edge>>,
}

/// Something that has to be so before a pod or job starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dependency {
    /// Where it was declared.
    pub place: Place,
    /// The pod or job.
    pub on: Name,
    /// What it has to be.
    pub until: Until,
}

/// What a pod or job that others wait for has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Until {
    /// Every replica of the pod is ready.
    Ready,
    /// The job ended well.
    Done,
}

impl PodSpec {
    /// Containers of one role, in the order written.
    pub fn with_role(&self, role: Role) -> impl Iterator<Item = &Container> {
        self.containers
            .iter()
            .filter(move |container| container.role == role)
    }
}

/// Long-running replicas of one set of containers.
#[derive(Debug, Clone, PartialEq)]
pub struct Pod {
    /// Name, unique among pods and jobs.
    pub name: Name,
    /// Where it was declared.
    pub place: Place,
    /// How many run; of a range the fewest. Default 1.
    pub replicas: u32,
    /// How far a cluster may go, and when.
    pub range: Option<Range>,
    /// Whether replicas keep their name and claims (a `StatefulSet` on a cluster). Default false.
    pub stable: bool,
    /// Its containers and volumes.
    pub spec: PodSpec,
}

impl Pod {
    /// The most replicas that there may be.
    pub fn most(&self) -> u32 {
        self.range.map_or(self.replicas, |range| range.most)
    }
}

/// When a cluster adds replicas, and how many at most. At least one of the two uses is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    /// The most replicas.
    pub most: u32,
    /// Average use of the requested processor time, in percent.
    pub cpu: Option<u32>,
    /// Average use of the requested memory, in percent.
    pub memory: Option<u32>,
}

/// A pod that runs to completion.
#[derive(Debug, Clone, PartialEq)]
pub struct Job {
    /// Name, unique among pods and jobs.
    pub name: Name,
    /// Where it was declared.
    pub place: Place,
    /// How many runs must end well. Default 1.
    pub completions: u32,
    /// How many run at a time. Default 1.
    pub parallelism: u32,
    /// Failed runs before the job fails. Default 6, as in Kubernetes.
    pub retries: u32,
    /// Time after which the job fails.
    pub deadline: Option<Duration>,
    /// Whether every index from 0 up to `completions` must end well once.
    pub indexed: bool,
    /// Time after which the runs of an ended job are removed.
    pub ttl: Option<Duration>,
    /// When it runs; `None` is once, at `up`.
    pub schedule: Option<Schedule>,
    /// What happens when it is due and still runs. Default `Allow`, as in Kubernetes.
    pub concurrency: Concurrency,
    /// Its containers and volumes; `restart` is `OnFailure` or `Never`.
    pub spec: PodSpec,
}

/// What happens when a scheduled job is due and still runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Concurrency {
    /// Both run.
    Allow,
    /// The new one is left out.
    Forbid,
    /// The old one is ended.
    Replace,
}

/// When an ended main container is started again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Restart {
    /// Whenever it ends; the default of a pod.
    Always,
    /// When it ends with another exit code than 0; the default of a job.
    OnFailure,
    /// Not at all.
    Never,
}
