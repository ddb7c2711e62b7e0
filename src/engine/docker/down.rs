//! Stops a stack in order, and removes what it owns.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use futures_util::future::try_join_all;

use super::stop::{Ending, Target};
use super::{Docker, Error};
use crate::engine::Events;
use crate::engine::desired::Content;
use crate::engine::labels::Role;
use crate::engine::observed::{Container, Observed, Status};

/// What `down` will do.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Removal {
    /// The containers of each replica, in stages: what comes after others ends before them.
    pub stages: Vec<Vec<Vec<Target>>>,
    /// The network.
    pub network: Option<String>,
    /// Its ids.
    pub network_ids: Vec<String>,
    /// Volumes.
    pub volumes: Vec<String>,
    /// Claims that stay.
    pub kept: Vec<String>,
}

/// A container that stands, as one to end.
pub fn target(container: &Container) -> Target {
    Target {
        id: container.id.clone(),
        name: container.name.clone(),
        role: container.labels.role,
        position: container.labels.position,
        is_running: matches!(
            container.status,
            Status::Running | Status::Restarting | Status::Paused
        ),
    }
}

/// The containers of what stands, by replica, in the stages of their end.
pub fn stages(observed: &Observed) -> Vec<Vec<Vec<Target>>> {
    let ranks = ranks(observed);
    let last = ranks.values().copied().max().unwrap_or(0);
    let mut replicas: BTreeMap<(usize, String), Vec<Target>> = BTreeMap::new();
    for container in &observed.containers {
        let labels = &container.labels;
        let rank = match labels.role {
            // Whoever ends may still want to reach a service.
            Role::Proxy | Role::Carrier => last,
            _ => ranks.get(labels.pod.as_str()).copied().unwrap_or(0),
        };
        replicas
            .entry((rank, labels.replica_name()))
            .or_default()
            .push(target(container));
    }
    let mut stages: Vec<Vec<Vec<Target>>> = Vec::new();
    let mut open = None;
    for ((rank, _), targets) in replicas {
        if open != Some(rank) {
            stages.push(Vec::new());
            open = Some(rank);
        }
        if let Some(stage) = stages.last_mut() {
            stage.push(targets);
        }
    }
    stages
}

/// How many others, one after the other, come after each pod and job.
fn ranks(observed: &Observed) -> BTreeMap<&str, usize> {
    let labels = || observed.containers.iter().map(|container| &container.labels);
    let edges: BTreeSet<(&str, &str)> = labels()
        .flat_map(|labels| labels.after.iter().map(|on| (labels.pod.as_str(), on.as_str())))
        .collect();
    let mut ranks: BTreeMap<&str, usize> = labels().map(|labels| (labels.pod.as_str(), 0)).collect();
    // A stack has no circles; what two versions of one left may have.
    for _ in 0..ranks.len() {
        let mut is_settled = true;
        for (pod, on) in &edges {
            let below = ranks.get(pod).map_or(0, |rank| rank + 1);
            if let Some(rank) = ranks.get_mut(on)
                && *rank < below
            {
                *rank = below;
                is_settled = false;
            }
        }
        if is_settled {
            break;
        }
    }
    ranks
}

/// Decides what `down` removes. Claims hold what a user may want again: they go only when asked for.
pub fn removal(stack: &str, observed: &Observed, with_claims: bool) -> Removal {
    let is_kept = |kind: &str| kind == Content::Claim.kind() && !with_claims;
    let (kept, volumes): (Vec<_>, Vec<_>) = observed.volumes.iter().partition(|(_, kind)| is_kept(kind));
    let names =
        |volumes: Vec<(&String, &String)>| volumes.into_iter().map(|(name, _)| name.clone()).collect();
    Removal {
        stages: stages(observed),
        network: (!observed.networks.is_empty()).then(|| stack.to_owned()),
        network_ids: observed.networks.clone(),
        volumes: names(volumes),
        kept: names(kept),
    }
}

impl Removal {
    /// Whether there is nothing to remove.
    pub fn is_empty(&self) -> bool {
        self.stages.is_empty() && self.network.is_none() && self.volumes.is_empty()
    }
}

impl fmt::Display for Removal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for target in self.stages.iter().flatten().flatten() {
            writeln!(formatter, "- remove container {}", target.name)?;
        }
        if let Some(network) = &self.network {
            writeln!(formatter, "- remove network {network}")?;
        }
        for volume in &self.volumes {
            writeln!(formatter, "- remove volume {volume}")?;
        }
        for volume in &self.kept {
            writeln!(
                formatter,
                "= keep volume {volume}, a claim (`--volumes` removes it)"
            )?;
        }
        Ok(())
    }
}

impl Docker {
    /// Carries out a removal.
    pub async fn down(&self, removal: Removal, grace: Option<i32>, events: &Events) -> Result<(), Error> {
        let ending = Ending { grace, removes: true };
        if let Some(network) = &removal.network {
            self.remove_helpers(network).await?;
        }
        self.end_in_stages(removal.stages, ending, events).await?;
        let name = removal.network.as_deref().unwrap_or_default();
        let networks = removal.network_ids.iter();
        let networks = try_join_all(networks.map(|id| self.remove_network(id, name, events)));
        tokio::try_join!(networks, self.remove_volumes(&removal.volumes, events))?;
        Ok(())
    }
}
