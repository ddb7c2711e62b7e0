//! Turns what should be and what is into the steps between, each with its reason.

pub mod jobs;
mod lines;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use time::OffsetDateTime;

use super::desired::{After, Content, Desired, Replica};
use super::labels::Role;
use super::observed::{self, Observed, Status};
use crate::stack::{Publish, Restart};

/// What `up` will do.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plan {
    /// Images that a dry run would make; a real one has made them before it plans.
    pub images: Vec<ImageStep>,
    /// Containers that have no place in the stack any more, by replica; removed first.
    pub removals: Vec<Removal>,
    /// The network to make.
    pub network: Option<String>,
    /// Networks of the same name that another run made at the same time, by id.
    pub surplus_networks: Vec<String>,
    /// Volumes to make or fill.
    pub volumes: Vec<VolumeStep>,
    /// What becomes of each desired replica, in the same order.
    pub replicas: Vec<ReplicaPlan>,
    /// Jobs that are not done.
    pub jobs: Vec<JobPlan>,
    /// Volumes that nobody needs any more; removed last.
    pub stale_volumes: Vec<String>,
}

/// An image to make.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ImageStep {
    /// Its name.
    pub name: String,
    /// How.
    pub action: ImageAction,
}

/// How an image gets onto the engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ImageAction {
    /// From a folder with a Dockerfile.
    Build,
    /// From a registry.
    Pull,
    /// From this program.
    Load,
}

/// A container to remove.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Removal {
    /// The engine's id.
    pub id: String,
    /// Its name on the engine.
    pub name: String,
    /// Its pod, job or service.
    pub pod: String,
    /// Its replica: containers of one are stopped in order.
    pub replica: String,
    /// What it is for.
    pub role: Role,
    /// Its place in the start order of its replica.
    pub position: u32,
    /// Why.
    pub reason: Reason,
}

/// A volume to make or fill.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VolumeStep {
    /// Its name on the engine.
    pub name: String,
    /// What is done.
    pub action: VolumeAction,
}

/// What is done to a volume.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VolumeAction {
    /// It is made, and its files are written.
    Prepare,
    /// The files of its secret are replaced, under the containers that read them.
    Refresh,
}

/// A job that is not done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobPlan {
    /// Its name.
    pub name: String,
    /// Runs that ended well.
    pub done: u32,
    /// Runs that must.
    pub wanted: u32,
    /// What it waits for.
    pub after: Vec<After>,
}

/// What becomes of a replica.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplicaPlan {
    /// `web-0`.
    pub name: String,
    /// What it waits for before anything is done.
    pub after: Vec<After>,
    /// In which turn it is replaced, from 1; `None` where nobody has to wait for it.
    pub turn: Option<u32>,
    /// What becomes of each of its containers, in the order of their start.
    pub steps: Vec<Step>,
}

impl ReplicaPlan {
    /// Whether a container that stands is replaced.
    fn replaces(&self) -> bool {
        self.steps
            .iter()
            .any(|step| matches!(step.action, Action::Replace { .. }))
    }

    /// Whether anything is done.
    pub fn changes(&self) -> bool {
        self.steps
            .iter()
            .any(|step| !matches!(step.action, Action::Keep { .. }))
    }
}

/// What becomes of a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Its name on the engine.
    pub name: String,
    /// What is done.
    pub action: Action,
}

/// What is done with a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// It is made and started.
    Create,
    /// The old one is removed, a new one made and started.
    Replace {
        /// The old one's id.
        id: String,
        /// Why.
        reasons: Vec<Reason>,
    },
    /// It stands, and is started.
    Start {
        /// Its id.
        id: String,
        /// Why.
        reason: Reason,
    },
    /// It is right as it is.
    Keep {
        /// Its id.
        id: String,
    },
}

/// Why something is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// A field has another value.
    Changed {
        /// The field.
        field: String,
        /// Its value so far.
        before: Option<String>,
        /// Its value now.
        after: Option<String>,
    },
    /// The value of a secret in an environment variable changed.
    Secret(String),
    /// The pod's network owner is another one, or began anew.
    Network,
    /// It is not connected to the stack's network.
    Disconnected,
    /// An init container runs again before it.
    After(String),
    /// It ended with this code, before its work was done.
    Failed(i64),
    /// It is not running.
    NotRunning,
    /// It was made and never started.
    NeverStarted,
    /// It is held still.
    Paused,
    /// It is half removed.
    Dead,
    /// The stack has no such pod, replica or container.
    Orphan,
    /// A run that was cut short left it.
    LeftOver,
    /// The job does something else now.
    JobChanged,
    /// The job failed as a whole, and is tried anew.
    JobFailed,
}

impl fmt::Display for Reason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Changed { field, before, after } => match (before, after) {
                (Some(before), Some(after)) => write!(formatter, "{field} changed {before} -> {after}"),
                (None, Some(after)) => write!(formatter, "{field} added: {after}"),
                (Some(before), None) => write!(formatter, "{field} removed: {before}"),
                (None, None) => formatter.write_str(field),
            },
            Self::Secret(variable) => {
                write!(formatter, "env {variable} changed: its secret has another value")
            }
            Self::Network => formatter.write_str("the pod's network is new"),
            Self::Disconnected => formatter.write_str("it is not connected to the stack's network"),
            Self::After(init) => write!(formatter, "init container {init} runs again"),
            Self::Failed(code) => write!(formatter, "it failed with exit code {code}"),
            Self::NotRunning => formatter.write_str("it is not running"),
            Self::NeverStarted => formatter.write_str("it was never started"),
            Self::Paused => formatter.write_str("it is paused"),
            Self::Dead => formatter.write_str("it is half removed"),
            Self::Orphan => formatter.write_str("it is not in the stack"),
            Self::LeftOver => formatter.write_str("an interrupted run left it"),
            Self::JobChanged => formatter.write_str("the job changed"),
            Self::JobFailed => formatter.write_str("the job failed, and is tried anew"),
        }
    }
}

/// What stands against a plan, found before anything is touched.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Somebody else's container has the name.
    #[error("container `{name}` exists and is {owner}")]
    Foreign {
        /// The name.
        name: String,
        /// Whose it is.
        owner: String,
    },
    /// Somebody else's volume has the name.
    #[error("volume `{0}` exists and is not motif's")]
    ForeignVolume(String),
    /// Somebody else's network has the name.
    #[error("network `{0}` exists and is not motif's")]
    ForeignNetwork(String),
    /// Somebody else's container has the host's port.
    #[error("port {} of {} is taken by container `{holder}`", at.port, at.address)]
    PortTaken {
        /// The port.
        at: Publish,
        /// The service that publishes it.
        service: String,
        /// Who has it.
        holder: String,
    },
}

impl Error {
    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::Foreign { name, .. } => format!(
                "motif touches only what it made: remove it (`docker rm -f {name}`) or give the stack another name (`-p NAME`)"
            ),
            Self::ForeignVolume(name) => format!(
                "motif touches only what it made: remove it (`docker volume rm {name}`) or give the stack another name (`-p NAME`)"
            ),
            Self::ForeignNetwork(name) => format!(
                "motif touches only what it made: remove it (`docker network rm {name}`) or give the stack another name (`-p NAME`)"
            ),
            Self::PortTaken { service, holder, .. } => format!(
                "stop it (`docker stop {holder}`), or publish service `{service}` on another port; 0 lets the engine choose"
            ),
        }
    }
}

/// What is asked of a plan.
#[derive(Debug, Clone, Copy)]
pub struct Wishes<'a> {
    /// Whether containers that the stack has no more are removed.
    pub removes_orphans: bool,
    /// The pods and services that it is about, and no job; empty is all.
    pub only: &'a BTreeSet<String>,
    /// The time.
    pub now: OffsetDateTime,
}

impl Wishes<'_> {
    fn is_about(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.contains(name)
    }
}

/// Decides what `up` will do. Deterministic; touches nothing.
pub fn plan(desired: &Desired, observed: &Observed, wishes: Wishes<'_>) -> Result<Plan, Vec<Error>> {
    let errors = obstacles(desired, observed);
    if !errors.is_empty() {
        return Err(errors);
    }
    let mut replicas: Vec<ReplicaPlan> = desired
        .replicas
        .iter()
        .map(|replica| {
            let mut plan = plan_replica(replica, &desired.network, observed);
            if plan.changes() {
                plan.after = desired.after.get(&replica.pod).cloned().unwrap_or_default();
            }
            plan
        })
        .collect();
    take_turns(&desired.replicas, &mut replicas, observed);
    let mut volumes = plan_volumes(desired, observed);
    if !wishes.only.is_empty() {
        let containers = desired.replicas.iter().flat_map(|replica| &replica.containers);
        let mounted: BTreeSet<&str> = containers
            .flat_map(|container| container.mounts.iter().map(|mount| mount.volume.as_str()))
            .collect();
        volumes.retain(|step| mounted.contains(step.name.as_str()));
    }
    let mut removals = removals(desired, observed, wishes);
    let mut jobs = Vec::new();
    for job in desired.jobs.iter().filter(|_| wishes.only.is_empty()) {
        let (plan, gone) = jobs::plan_job(job, observed, wishes.now);
        let after = desired.after.get(&job.name).cloned().unwrap_or_default();
        jobs.extend(plan.map(|plan| JobPlan { after, ..plan }));
        removals.extend(gone);
    }
    let gone: BTreeSet<&str> = removals.iter().map(|removal| removal.id.as_str()).collect();
    let replaced: BTreeSet<&str> = replicas
        .iter()
        .flat_map(|replica| &replica.steps)
        .filter_map(|step| match &step.action {
            Action::Replace { id, .. } => Some(id.as_str()),
            _ => None,
        })
        .collect();
    let still_used: BTreeSet<&str> = observed
        .containers
        .iter()
        .filter(|container| {
            !gone.contains(container.id.as_str()) && !replaced.contains(container.id.as_str())
        })
        .flat_map(|container| container.volumes.keys().map(String::as_str))
        .collect();
    let stale_volumes = observed
        .volumes
        .iter()
        .filter(|(name, kind)| {
            let is_wanted = desired.volumes.contains_key(*name) || still_used.contains(name.as_str());
            // A claim outlives the pod that made it, and goes only with `down --volumes`.
            !is_wanted && kind.as_str() != Content::Claim.kind()
        })
        .map(|(name, _)| name.clone())
        .collect();
    Ok(Plan {
        images: Vec::new(),
        removals,
        network: observed.networks.is_empty().then(|| desired.network.clone()),
        surplus_networks: observed.networks.iter().skip(1).cloned().collect(),
        volumes,
        replicas,
        jobs,
        stale_volumes,
    })
}

fn obstacles(desired: &Desired, observed: &Observed) -> Vec<Error> {
    let mut errors = Vec::new();
    if observed.foreign_network {
        errors.push(Error::ForeignNetwork(desired.network.clone()));
    }
    let foreign_volumes = desired
        .volumes
        .keys()
        .filter(|name| observed.foreign_volumes.contains(*name));
    errors.extend(foreign_volumes.cloned().map(Error::ForeignVolume));
    for container in desired.replicas.iter().flat_map(|replica| &replica.containers) {
        if let Some(foreign) = observed
            .foreign
            .iter()
            .find(|foreign| foreign.name == container.name)
        {
            errors.push(Error::Foreign {
                name: foreign.name.clone(),
                owner: match &foreign.stack {
                    Some(stack) => format!("part of the stack `{stack}`"),
                    None => "not motif's".to_owned(),
                },
            });
        }
        for published in &container.publish {
            let is_taken = |port: &observed::Port| {
                port.host == published.at.port
                    && port.udp == (published.protocol == crate::stack::Protocol::Udp)
                    && addresses_overlap(&port.address, &published.at.address.to_string())
            };
            let holder = observed
                .foreign
                .iter()
                .find(|foreign| foreign.ports.iter().any(is_taken));
            if let (Some(holder), true) = (holder, published.at.port != 0) {
                errors.push(Error::PortTaken {
                    at: published.at,
                    service: published.service.clone(),
                    holder: holder.name.clone(),
                });
            }
        }
    }
    errors
}

/// Whether two listeners on one port get in each other's way.
fn addresses_overlap(one: &str, other: &str) -> bool {
    let is_any = |address: &str| matches!(address, "0.0.0.0" | "::");
    one == other || is_any(one) || is_any(other)
}

fn plan_replica(replica: &Replica, network: &str, observed: &Observed) -> ReplicaPlan {
    let standing: BTreeMap<&str, &observed::Container> = observed
        .containers
        .iter()
        .map(|container| (container.name.as_str(), container))
        .collect();
    let mut steps = Vec::new();
    // The id of the network owner, while it stays.
    let mut owner: Option<String> = None;
    // Whether it begins anew: what runs in its old network is stranded there.
    let mut owner_begins_anew = false;
    // The init container that runs in this plan: what comes after it begins anew.
    let mut rerun: Option<String> = None;
    let mains_began = replica
        .containers
        .iter()
        .filter(|container| container.role == Role::Main)
        .any(|container| {
            standing
                .get(container.name.as_str())
                .is_some_and(|found| found.status != Status::Created)
        });
    for (index, container) in replica.containers.iter().enumerate() {
        let found = standing.get(container.name.as_str()).copied();
        let action = match found {
            None => Action::Create,
            Some(found) => {
                let mut reasons = differences(&found.fields, &container.fields());
                let runs = matches!(found.status, Status::Running | Status::Restarting);
                let is_stranded = found.is_stranded || owner_begins_anew && runs;
                if !container.joins && runs && !found.networks.contains(network) {
                    reasons.push(Reason::Disconnected);
                }
                if container.joins && (found.joined != owner || is_stranded) {
                    reasons.insert(0, Reason::Network);
                }
                let secrets = observed.stale_env.get(&found.id).into_iter().flatten();
                reasons.extend(secrets.cloned().map(Reason::Secret));
                if let Some(init) = &rerun
                    && found.status != Status::Created
                {
                    reasons.push(Reason::After(init.clone()));
                }
                if found.status == Status::Dead {
                    reasons.push(Reason::Dead);
                }
                if let (Role::Init, Status::Exited(code)) = (container.role, found.status)
                    && code != 0
                {
                    reasons.push(Reason::Failed(code));
                }
                let id = found.id.clone();
                if reasons.is_empty() {
                    match reason_to_start(container.role, container.restart, found.status) {
                        Some(reason) => Action::Start { id, reason },
                        None => Action::Keep { id },
                    }
                } else {
                    Action::Replace { id, reasons }
                }
            }
        };
        if index == 0 {
            owner = match &action {
                Action::Start { id, .. } | Action::Keep { id } => Some(id.clone()),
                Action::Create | Action::Replace { .. } => None,
            };
            owner_begins_anew = matches!(action, Action::Start { .. });
        }
        let runs = !matches!(action, Action::Keep { .. });
        if container.role == Role::Init && runs && mains_began {
            rerun.get_or_insert_with(|| container.own_name.clone());
        }
        steps.push(Step {
            name: container.name.clone(),
            action,
        });
    }
    ReplicaPlan {
        name: replica.name(),
        after: Vec::new(),
        turn: None,
        steps,
    }
}

/// Replaces the replicas that serve a few at a time, so that the others go on serving.
fn take_turns(replicas: &[Replica], plans: &mut [ReplicaPlan], observed: &Observed) {
    let is_running = |name: &str| {
        let mut found = observed
            .containers
            .iter()
            .filter(|container| container.name == name);
        found.any(|container| container.status == Status::Running)
    };
    let mut pods: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (place, replica) in replicas
        .iter()
        .enumerate()
        .filter(|(_, replica)| !replica.is_proxy())
    {
        pods.entry(&replica.pod).or_default().push(place);
    }
    for places in pods.into_values().filter(|places| places.len() > 1) {
        // As a cluster's Deployment does by default: a quarter of them, and at least one.
        let at_a_time = places.len() / 4;
        let serves = |place: &&usize| {
            let mut mains = replicas[**place]
                .containers
                .iter()
                .filter(|container| container.role == Role::Main);
            plans[**place].replaces() && mains.all(|container| is_running(&container.name))
        };
        let serving: Vec<usize> = places.iter().filter(serves).copied().collect();
        for (turn, places) in (1..).zip(serving.chunks(at_a_time.max(1))) {
            for place in places {
                plans[*place].turn = Some(turn);
            }
        }
    }
}

fn reason_to_start(role: Role, restart: Restart, status: Status) -> Option<Reason> {
    match status {
        Status::Created => Some(Reason::NeverStarted),
        Status::Paused => Some(Reason::Paused),
        Status::Running | Status::Restarting | Status::Dead => None,
        Status::Exited(0) if role == Role::Init => None,
        Status::Exited(_) if role == Role::Infra => Some(Reason::NotRunning),
        Status::Exited(code) => match restart {
            Restart::Never => None,
            Restart::OnFailure if code == 0 => None,
            Restart::OnFailure | Restart::Always => Some(Reason::NotRunning),
        },
    }
}

fn differences(before: &BTreeMap<String, String>, after: &BTreeMap<String, String>) -> Vec<Reason> {
    let fields: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    fields
        .into_iter()
        .filter(|field| before.get(*field) != after.get(*field))
        .map(|field| Reason::Changed {
            field: field.clone(),
            before: before.get(field).cloned(),
            after: after.get(field).cloned(),
        })
        .collect()
}

fn plan_volumes(desired: &Desired, observed: &Observed) -> Vec<VolumeStep> {
    let prepared = observed.prepared();
    let carried = observed.carried();
    let action = |name: &str, content: &Content| {
        let exists = observed.volumes.contains_key(name);
        let is_claim = *content == Content::Claim;
        if prepared.contains(name) || (exists && is_claim && !carried.contains(name)) {
            observed
                .stale_secrets
                .contains(name)
                .then_some(VolumeAction::Refresh)
        } else {
            Some(VolumeAction::Prepare)
        }
    };
    desired
        .volumes
        .iter()
        .filter_map(|(name, volume)| {
            Some(VolumeStep {
                name: name.clone(),
                action: action(name, &volume.content)?,
            })
        })
        .collect()
}

fn removals(desired: &Desired, observed: &Observed, wishes: Wishes<'_>) -> Vec<Removal> {
    let wanted: BTreeSet<&str> = desired
        .replicas
        .iter()
        .flat_map(|replica| &replica.containers)
        .map(|container| container.name.as_str())
        .collect();
    let mut removals: Vec<Removal> = observed
        .containers
        .iter()
        .filter(|container| !wanted.contains(container.name.as_str()))
        // What becomes of a job's runs is decided by their count.
        .filter(|container| {
            container.job.is_none() || !desired.jobs.iter().any(|job| job.name == container.labels.pod)
        })
        .filter_map(|container| {
            let reason = match container.labels.role {
                Role::Carrier => Reason::LeftOver,
                _ if wishes.removes_orphans && wishes.is_about(&container.labels.pod) => Reason::Orphan,
                _ => return None,
            };
            Some(removal(container, reason))
        })
        .collect();
    removals.sort_by(|one, other| one.name.cmp(&other.name));
    removals
}

fn removal(container: &observed::Container, reason: Reason) -> Removal {
    Removal {
        id: container.id.clone(),
        name: container.name.clone(),
        pod: container.labels.pod.clone(),
        replica: container.labels.replica_name(),
        role: container.labels.role,
        position: container.labels.position,
        reason,
    }
}

impl Plan {
    /// Whether a container, by its name on the engine, is left as it is.
    pub fn keeps(&self, name: &str) -> bool {
        self.replicas
            .iter()
            .flat_map(|replica| &replica.steps)
            .any(|step| step.name == name && matches!(step.action, Action::Keep { .. }))
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.images.is_empty()
            && self.removals.is_empty()
            && self.network.is_none()
            && self.surplus_networks.is_empty()
            && self.volumes.is_empty()
            && self.jobs.is_empty()
            && self.stale_volumes.is_empty()
            && !self.replicas.iter().any(ReplicaPlan::changes)
    }
}

#[cfg(test)]
mod tests;
