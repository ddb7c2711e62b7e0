//! Stops and removes the containers of a replica in order, and all that a stack owns.

use bollard::query_parameters::{
    KillContainerOptionsBuilder, RemoveContainerOptionsBuilder, RemoveVolumeOptionsBuilder,
    StopContainerOptionsBuilder,
};
use futures_util::future::try_join_all;
use futures_util::{StreamExt, TryStreamExt, stream};

use super::{AT_ONCE, Docker, Error, Intent};
use crate::engine::labels::Role;
use crate::engine::{Events, Work};

/// A container to stop, and to remove where that is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The engine's id.
    pub id: String,
    /// Its name on the engine.
    pub name: String,
    /// What it is for: decides the order.
    pub role: Role,
    /// Its place in the start order of its replica.
    pub position: u32,
    /// Whether it may still run.
    pub is_running: bool,
}

/// What becomes of the containers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ending {
    /// Seconds from SIGTERM to SIGKILL, instead of each container's own grace.
    pub grace: Option<i32>,
    /// Whether they are removed afterwards.
    pub removes: bool,
}

/// Containers of one replica in the order of their stop: main ones together, sidecars last to first, infra at the end.
fn waves(mut targets: Vec<Target>) -> Vec<Vec<Target>> {
    targets.sort_by_key(|target| target.position);
    let mut mains = Vec::new();
    let mut sidecars = Vec::new();
    let mut infra = Vec::new();
    for target in targets {
        match target.role {
            Role::Sidecar => sidecars.push(vec![target]),
            Role::Infra => infra.push(target),
            _ => mains.push(target),
        }
    }
    sidecars.reverse();
    let waves = std::iter::once(mains)
        .chain(sidecars)
        .chain(std::iter::once(infra));
    waves.filter(|wave| !wave.is_empty()).collect()
}

impl Docker {
    /// Ends replicas side by side, the containers of each in order.
    pub async fn end(
        &self,
        replicas: Vec<Vec<Target>>,
        ending: Ending,
        events: &Events,
    ) -> Result<(), Error> {
        let ends = replicas
            .into_iter()
            .map(|targets| self.end_replica(targets, ending, events));
        stream::iter(ends)
            .buffer_unordered(AT_ONCE)
            .try_collect::<Vec<()>>()
            .await?;
        Ok(())
    }

    /// Ends replicas stage by stage.
    pub async fn end_in_stages(
        &self,
        stages: Vec<Vec<Vec<Target>>>,
        ending: Ending,
        events: &Events,
    ) -> Result<(), Error> {
        for replicas in stages {
            self.end(replicas, ending, events).await?;
        }
        Ok(())
    }

    async fn end_replica(&self, targets: Vec<Target>, ending: Ending, events: &Events) -> Result<(), Error> {
        for wave in waves(targets) {
            try_join_all(
                wave.iter()
                    .map(|target| self.end_container(target, ending, events)),
            )
            .await?;
        }
        Ok(())
    }

    async fn end_container(&self, target: &Target, ending: Ending, events: &Events) -> Result<(), Error> {
        let work = Work::Container(target.name.clone());
        events.started(&work);
        let name = &target.name;
        // A removal by force kills first: with no grace that is all there is to do.
        let kills = ending.removes && ending.grace == Some(0);
        if target.is_running && !kills {
            let mut options = StopContainerOptionsBuilder::default();
            if let Some(grace) = ending.grace {
                options = options.t(grace);
            }
            let stopped = self
                .client
                .stop_container(&target.id, Some(options.build()))
                .await;
            gone_is_fine(stopped.intent(|| format!("stop container `{name}`")))?;
        }
        if ending.removes {
            let options = RemoveContainerOptionsBuilder::default()
                .force(true)
                .v(true)
                .build();
            let removed = self.client.remove_container(&target.id, Some(options)).await;
            gone_is_fine(removed.intent(|| format!("remove container `{name}`")))?;
        }
        events.finished(&work, if ending.removes { "removed" } else { "stopped" });
        Ok(())
    }

    /// Kills containers at once.
    pub async fn kill(&self, targets: &[Target]) {
        let options = || KillContainerOptionsBuilder::default().signal("SIGKILL").build();
        // What ended by itself meanwhile needs no kill.
        let _ = try_join_all(
            targets
                .iter()
                .map(|target| self.client.kill_container(&target.id, Some(options()))),
        )
        .await;
    }

    /// Removes volumes.
    pub async fn remove_volumes(&self, names: &[String], events: &Events) -> Result<(), Error> {
        try_join_all(names.iter().map(async |name| {
            let work = Work::Volume(name.clone());
            let options = RemoveVolumeOptionsBuilder::default().build();
            let removed = self.client.remove_volume(name, Some(options)).await;
            gone_is_fine(removed.intent(|| format!("remove volume `{name}`")))?;
            events.finished(&work, "removed");
            Ok::<_, Error>(())
        }))
        .await?;
        Ok(())
    }

    /// Removes a network, by its id: a name may be that of several.
    pub async fn remove_network(&self, id: &str, name: &str, events: &Events) -> Result<(), Error> {
        let removed = self.client.remove_network(id).await;
        gone_is_fine(removed.intent(|| format!("remove network `{name}`")))?;
        events.finished(&Work::Network(name.to_owned()), "removed");
        Ok(())
    }
}

/// What is gone, stopped, or on its way out is what was asked for.
fn gone_is_fine(result: Result<(), Error>) -> Result<(), Error> {
    match result {
        Err(error) if matches!(error.status(), Some(304 | 404)) => Ok(()),
        Err(error)
            if error.status() == Some(409)
                && error.answer().is_some_and(|text| text.contains("in progress")) =>
        {
            Ok(())
        }
        result => result,
    }
}
