//! Stops a stack in order, and removes what it owns.

use std::collections::BTreeMap;
use std::fmt;

use super::stop::{Ending, Target};
use super::{Docker, Error};
use crate::engine::Events;
use crate::engine::desired::Content;
use crate::engine::observed::{Observed, Status};

/// What `down` will do.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Removal {
    /// The containers of each replica.
    pub replicas: Vec<Vec<Target>>,
    /// The network.
    pub network: Option<String>,
    /// Volumes.
    pub volumes: Vec<String>,
    /// Claims that stay.
    pub kept: Vec<String>,
}

/// The containers of what stands, by replica.
pub fn targets(observed: &Observed) -> Vec<Vec<Target>> {
    let mut replicas: BTreeMap<String, Vec<Target>> = BTreeMap::new();
    for container in &observed.containers {
        replicas
            .entry(container.labels.replica_name())
            .or_default()
            .push(Target {
                id: container.id.clone(),
                name: container.name.clone(),
                role: container.labels.role,
                position: container.labels.position,
                is_running: matches!(
                    container.status,
                    Status::Running | Status::Restarting | Status::Paused
                ),
            });
    }
    replicas.into_values().collect()
}

/// Decides what `down` removes. Claims hold what a user may want again: they go only when asked for.
pub fn removal(stack: &str, observed: &Observed, with_claims: bool) -> Removal {
    let is_kept = |kind: &str| kind == Content::Claim.kind() && !with_claims;
    let (kept, volumes): (Vec<_>, Vec<_>) = observed.volumes.iter().partition(|(_, kind)| is_kept(kind));
    let names =
        |volumes: Vec<(&String, &String)>| volumes.into_iter().map(|(name, _)| name.clone()).collect();
    Removal {
        replicas: targets(observed),
        network: observed.network.then(|| stack.to_owned()),
        volumes: names(volumes),
        kept: names(kept),
    }
}

impl Removal {
    /// Whether there is nothing to remove.
    pub fn is_empty(&self) -> bool {
        self.replicas.is_empty() && self.network.is_none() && self.volumes.is_empty()
    }
}

impl fmt::Display for Removal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for target in self.replicas.iter().flatten() {
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
        self.end(removal.replicas, ending, events).await?;
        let network = async {
            match &removal.network {
                Some(network) => self.remove_network(network, events).await,
                None => Ok(()),
            }
        };
        tokio::try_join!(network, self.remove_volumes(&removal.volumes, events))?;
        Ok(())
    }
}
