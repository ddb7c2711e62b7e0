//! Replaces the replicas of a pod while its services go on answering.

use std::time::Duration;

use bollard::query_parameters::InspectContainerOptions;
use futures_util::future::{join_all, try_join_all};
use tokio::time::Instant;

use super::{Apply, Docker, Error};
use crate::engine::Work;
use crate::engine::desired::{BINARY, Container, Replica};
use crate::engine::plan::ReplicaPlan;
use crate::stack::Action;

/// The longest time that connections to a replica may take to end before it is told to.
const DRAIN: Duration = Duration::from_secs(5);
/// What the engine may take to run a command, beyond the command's own time.
const SLACK: Duration = Duration::from_secs(5);

/// Where a replica goes, in the rotation of the services in front of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Out,
    In,
}

impl Apply<'_> {
    /// Does what the plan says with the replicas of a pod: first those that serve nobody, then the others in turn.
    pub(super) async fn pod(&self, replicas: &[(&Replica, &ReplicaPlan)]) -> Result<(), Error> {
        let in_turn = |turn: Option<u32>| replicas.iter().filter(move |(_, plan)| plan.turn == turn);
        // None waits for another, so none fails another.
        let started = join_all(in_turn(None).map(|(replica, plan)| self.replica(replica, plan))).await;
        started.into_iter().collect::<Result<(), Error>>()?;
        let turns = replicas
            .iter()
            .filter_map(|(_, plan)| plan.turn)
            .max()
            .unwrap_or(0);
        if turns > 0 {
            let changed = in_turn(None).filter(|(_, plan)| plan.changes());
            try_join_all(changed.map(|(replica, _)| self.wait_for_replica(replica, self.deadline()))).await?;
        }
        for turn in 1..=turns {
            try_join_all(in_turn(Some(turn)).map(|(replica, plan)| self.replace(replica, plan))).await?;
        }
        Ok(())
    }

    fn deadline(&self) -> Instant {
        Instant::now() + self.patience
    }

    /// Replaces one replica: out of the rotation, replaced, ready, and in again.
    async fn replace(&self, replica: &Replica, plan: &ReplicaPlan) -> Result<(), Error> {
        self.take_out(
            &replica.pod,
            replica.containers.first().map(|owner| owner.name.as_str()),
        )
        .await;
        self.replica(replica, plan).await?;
        self.wait_for_replica(replica, self.deadline()).await?;
        let owner = replica.containers.first().map(|owner| owner.name.as_str());
        self.rotate(&replica.pod, owner, Way::In, self.patience).await;
        Ok(())
    }

    /// Lets the connections to a replica end, if services stand in front of it.
    pub(super) async fn take_out(&self, pod: &str, owner: Option<&str>) {
        self.rotate(pod, owner, Way::Out, DRAIN).await;
    }

    /// Tells the proxies of a pod's services about a replica. One that can't be told checks readiness itself.
    async fn rotate(&self, pod: &str, owner: Option<&str>, way: Way, patience: Duration) {
        let desired = self.context.desired;
        let proxies: Vec<(&Container, u16)> = desired
            .replicas
            .iter()
            .filter(|replica| replica.is_proxy())
            .filter(|replica| desired.services.get(&replica.pod).is_some_and(|of| of == pod))
            .filter_map(|replica| replica.containers.first())
            .filter_map(|proxy| Some((proxy, admin_port(proxy)?)))
            .collect();
        let Some(owner) = owner.filter(|_| !proxies.is_empty()) else {
            return;
        };
        let Some(address) = self.docker.address_of(owner, &desired.network).await else {
            return;
        };
        let work = Work::Container(owner.to_owned());
        let told = match way {
            Way::Out => "its connections end",
            Way::In => "waiting until services send to it",
        };
        self.events.progress(&work, told);
        join_all(proxies.into_iter().map(async |(proxy, port)| {
            let command = [
                BINARY.to_owned(),
                "block".to_owned(),
                "rotate".to_owned(),
                match way {
                    Way::Out => "out",
                    Way::In => "in",
                }
                .to_owned(),
                address.clone(),
                port.to_string(),
                format!("{}ms", patience.as_millis()),
            ];
            // Where it fails, the proxy's own checks decide, a little later.
            let _ = self.docker.run_in(&proxy.name, &command, patience + SLACK).await;
        }))
        .await;
    }
}

/// The port on which a proxy is asked for its readiness.
fn admin_port(proxy: &Container) -> Option<u16> {
    match proxy.probes.ready.as_ref()?.action {
        Action::Http { port, .. } => Some(port),
        _ => None,
    }
}

impl Docker {
    /// A container's address in a network.
    async fn address_of(&self, container: &str, network: &str) -> Option<String> {
        let inspected = self
            .client
            .inspect_container(container, None::<InspectContainerOptions>)
            .await
            .ok()?;
        let networks = inspected.network_settings?.networks?;
        let address = networks.get(network)?.ip_address.clone()?;
        (!address.is_empty()).then_some(address)
    }
}
