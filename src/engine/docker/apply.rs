//! Carries out a plan: what has to be removed, then volumes and network, then every replica in its order.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bollard::models::NetworkCreateRequest;
use bollard::query_parameters::{CreateContainerOptionsBuilder, StartContainerOptions};
use futures_util::future::{join_all, try_join_all};
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::create::{Context, body};
use super::jobs::{Changes, MakeRun};
use super::order::{Board, Stage};
use super::stop::{Ending, Target};
use super::{Docker, Error, Intent};
use crate::engine::desired::{After, Container, Job, Published, Replica};
use crate::engine::labels::{self, Role};
use crate::engine::plan::{Action, JobPlan, Plan, Reason, ReplicaPlan};
use crate::engine::{Events, Work};

/// A plan with all that its execution needs.
pub struct Apply<'a> {
    /// The engine.
    pub docker: &'a Docker,
    /// What will be done.
    pub plan: &'a Plan,
    /// What containers are made of.
    pub context: Context<'a>,
    /// The image of the blocks.
    pub block_image: &'a str,
    /// Makes the runs of jobs.
    pub make_run: &'a MakeRun<'a>,
    /// How long a pod that others come after may take until it is ready.
    pub patience: Duration,
    /// How many containers are made or started at once.
    pub permits: &'a Semaphore,
    /// Who watches.
    pub events: &'a Events,
}

impl Apply<'_> {
    /// Carries out the plan. Every container that has to be started was started when this returns, but for those of a
    /// pod that failed, and of what comes after it.
    pub async fn run(&self, changes: &Changes) -> Result<(), Vec<Error>> {
        self.make_ready().await.map_err(|error| vec![error])?;
        self.start_all(changes).await?;
        let stale = &self.plan.stale_volumes;
        let removed = self.docker.remove_volumes(stale, self.events).await;
        removed.map_err(|error| vec![error])
    }

    /// Removes what goes, and makes what pods need.
    async fn make_ready(&self) -> Result<(), Error> {
        self.remove().await?;
        for id in &self.plan.surplus_networks {
            let name = &self.context.desired.network;
            self.docker.remove_network(id, name, self.events).await?;
        }
        tokio::try_join!(self.make_network(), self.fill_volumes())?;
        Ok(())
    }

    /// Starts every pod when what it comes after is so, and the jobs that others come after.
    async fn start_all(&self, changes: &Changes) -> Result<(), Vec<Error>> {
        let desired = self.context.desired;
        let replicas: Vec<(&Replica, &ReplicaPlan)> =
            desired.replicas.iter().zip(&self.plan.replicas).collect();
        let after_replicas = self.plan.replicas.iter().flat_map(|plan| &plan.after);
        let after_jobs = self.plan.jobs.iter().flat_map(|plan| &plan.after);
        let awaited: BTreeSet<&str> = after_replicas
            .chain(after_jobs)
            .map(|after| after.on.as_str())
            .collect();
        let awaited_jobs: Vec<&JobPlan> = self
            .plan
            .jobs
            .iter()
            .filter(|plan| awaited.contains(plan.name.as_str()))
            .collect();
        let mut pods: BTreeMap<&str, Vec<(&Replica, &ReplicaPlan)>> = BTreeMap::new();
        for (replica, plan) in replicas.iter().filter(|(replica, _)| !replica.is_proxy()) {
            pods.entry(&replica.pod).or_default().push((replica, plan));
        }
        // What is not on the board is as it should be.
        let jobs = awaited_jobs.iter().map(|plan| plan.name.as_str());
        let board = Board::new(pods.keys().copied().chain(jobs));
        let pods = pods.iter().map(async |(name, replicas)| {
            if !is_their_turn(replicas.iter().flat_map(|(_, plan)| &plan.after), &board).await {
                board.reach(name, Stage::Failed);
                return Ok(());
            }
            let start = async {
                self.pod(replicas).await?;
                board.reach(name, Stage::Started);
                if awaited.contains(name) {
                    self.wait_until_settled(name).await?;
                    board.reach(name, Stage::Settled);
                }
                Ok(())
            };
            start.await.inspect_err(|_| board.reach(name, Stage::Failed))
        });
        let proxies = replicas.iter().filter(|(replica, _)| replica.is_proxy());
        let proxies = proxies.map(async |(replica, plan)| {
            // It looks for its backends when it starts: by then they should have their names.
            if let Some(pod) = desired.services.get(&replica.pod) {
                board.wait(pod, Stage::Started).await;
            }
            self.replica(replica, plan).await
        });
        let jobs = awaited_jobs.iter().map(async |plan| {
            if !is_their_turn(&plan.after, &board).await {
                board.reach(&plan.name, Stage::Failed);
                return Ok(());
            }
            if let Some(job) = desired.jobs.iter().find(|job| job.name == plan.name) {
                let kept = self.keep_job(job, changes, false).await;
                kept.inspect_err(|_| board.reach(&plan.name, Stage::Failed))?;
            }
            board.reach(&plan.name, Stage::Settled);
            Ok(())
        });
        let (pods, proxies, jobs) = tokio::join!(join_all(pods), join_all(proxies), join_all(jobs));
        let results = [pods, proxies, jobs].into_iter().flatten();
        let errors: Vec<Error> = results.filter_map(Result::err).collect();
        if errors.is_empty() { Ok(()) } else { Err(errors) }
    }

    /// Waits until a pod is ready, and the services in front of it.
    async fn wait_until_settled(&self, pod: &str) -> Result<(), Error> {
        let deadline = Instant::now() + self.patience;
        let desired = self.context.desired;
        let is_meant = |replica: &&Replica| {
            replica.pod == pod && !replica.is_proxy()
                || replica.is_proxy() && desired.services.get(&replica.pod).is_some_and(|of| of == pod)
        };
        let replicas = desired.replicas.iter().filter(is_meant);
        try_join_all(replicas.map(|replica| self.wait_for_replica(replica, deadline))).await?;
        Ok(())
    }

    /// The jobs that run once and were not run already because others come after them.
    pub fn jobs_left(&self) -> impl Iterator<Item = &Job> {
        let after_replicas = self.plan.replicas.iter().flat_map(|plan| &plan.after);
        let after_jobs = self.plan.jobs.iter().flat_map(|plan| &plan.after);
        let awaited: BTreeSet<&str> = after_replicas
            .chain(after_jobs)
            .map(|after| after.on.as_str())
            .collect();
        let planned = self.plan.jobs.iter();
        let planned = planned.filter(move |plan| !awaited.contains(plan.name.as_str()));
        planned.filter_map(|plan| self.context.desired.jobs.iter().find(|job| job.name == plan.name))
    }

    async fn remove(&self) -> Result<(), Error> {
        let mut replicas: Vec<(&str, Vec<Target>)> = Vec::new();
        let leaving = self.plan.removals.iter().filter(|removal| {
            let is_owner =
                removal.role == Role::Infra || (removal.role == Role::Main && removal.position == 0);
            is_owner && removal.reason == Reason::Orphan
        });
        join_all(leaving.map(|removal| self.take_out(&removal.pod, Some(&removal.name)))).await;
        for removal in &self.plan.removals {
            let target = Target {
                id: removal.id.clone(),
                name: removal.name.clone(),
                role: removal.role,
                position: removal.position,
                is_running: removal.role != Role::Carrier,
            };
            match replicas.iter_mut().find(|(name, _)| *name == removal.replica) {
                Some((_, targets)) => targets.push(target),
                None => replicas.push((&removal.replica, vec![target])),
            }
        }
        let targets = replicas.into_iter().map(|(_, targets)| targets).collect();
        self.docker.end(targets, REMOVED, self.events).await
    }

    async fn make_network(&self) -> Result<(), Error> {
        let Some(name) = &self.plan.network else {
            return Ok(());
        };
        let work = Work::Network(name.clone());
        self.events.started(&work);
        let labels = [(labels::STACK, name), (labels::COMPOSE_PROJECT, name)];
        let request = NetworkCreateRequest {
            name: name.clone(),
            driver: Some("bridge".to_owned()),
            labels: Some(
                labels
                    .into_iter()
                    .map(|(key, value)| (key.to_owned(), value.clone()))
                    .collect(),
            ),
            ..NetworkCreateRequest::default()
        };
        self.docker
            .client
            .create_network(request)
            .await
            .intent(|| format!("create network `{name}`"))?;
        self.events.finished(&work, "created");
        Ok(())
    }

    async fn fill_volumes(&self) -> Result<(), Error> {
        let works: Vec<Work> = self
            .plan
            .volumes
            .iter()
            .map(|step| Work::Volume(step.name.clone()))
            .collect();
        for work in &works {
            self.events.started(work);
        }
        self.docker
            .prepare_volumes(&self.plan.volumes, self.block_image, &self.context)
            .await?;
        for work in &works {
            self.events.finished(work, "filled");
        }
        Ok(())
    }

    pub(super) async fn replica(&self, replica: &Replica, plan: &ReplicaPlan) -> Result<(), Error> {
        if !plan.changes() {
            for container in &replica.containers {
                self.events
                    .finished(&Work::Container(container.name.clone()), "unchanged");
            }
            return Ok(());
        }
        self.remove_replaced(replica, plan).await?;
        let ids = self.make(replica, plan).await?;
        self.start(replica, plan, &ids).await
    }

    async fn remove_replaced(&self, replica: &Replica, plan: &ReplicaPlan) -> Result<(), Error> {
        let targets = replica
            .containers
            .iter()
            .zip(&plan.steps)
            .filter_map(|(container, step)| match &step.action {
                Action::Replace { id, .. } => Some(Target {
                    id: id.clone(),
                    name: step.name.clone(),
                    role: container.role,
                    position: container.position,
                    is_running: true,
                }),
                _ => None,
            })
            .collect();
        self.docker.end(vec![targets], REMOVED, self.events).await
    }

    /// Makes what has to be made; the ids of all the replica's containers, in order.
    async fn make(&self, replica: &Replica, plan: &ReplicaPlan) -> Result<Vec<String>, Error> {
        let steps: Vec<_> = replica.containers.iter().zip(&plan.steps).collect();
        let Some(((owner, owner_step), members)) = steps.split_first() else {
            return Ok(Vec::new());
        };
        let owner_id = self.make_one(owner, &owner_step.action, None).await?;
        let members = members
            .iter()
            .map(|(container, step)| self.make_one(container, &step.action, Some(&owner_id)));
        let members = try_join_all(members).await?;
        Ok(std::iter::once(owner_id).chain(members).collect())
    }

    async fn make_one(
        &self,
        container: &Container,
        action: &Action,
        owner: Option<&str>,
    ) -> Result<String, Error> {
        let name = &container.name;
        match action {
            Action::Start { id, .. } | Action::Keep { id } => Ok(id.clone()),
            Action::Create | Action::Replace { .. } => {
                let work = Work::Container(name.clone());
                self.events.started(&work);
                let options = CreateContainerOptionsBuilder::default().name(name).build();
                let body = body(container, owner, &self.context)?;
                let _permit = self.permits.acquire().await;
                let made = self.docker.client.create_container(Some(options), body).await;
                Ok(made.intent(|| format!("create container `{name}`"))?.id)
            }
        }
    }

    async fn start(&self, replica: &Replica, plan: &ReplicaPlan, ids: &[String]) -> Result<(), Error> {
        let all = replica.containers.iter().zip(&plan.steps).zip(ids);
        let mut mains = Vec::new();
        for ((container, step), id) in all {
            let work = Work::Container(container.name.clone());
            if let Action::Keep { .. } = step.action {
                // A run that was cut short may have left it on its way.
                match container.role {
                    Role::Init => self.docker.wait_for_end(id, container).await,
                    Role::Sidecar => self.docker.wait_for_startup(id, container).await,
                    _ => Ok(()),
                }
                .inspect_err(|_| self.events.failed(&work))?;
                self.events.finished(&work, "unchanged");
                continue;
            }
            if container.role == Role::Main {
                mains.push((container, id));
                continue;
            }
            self.start_one(container, id).await?;
            match container.role {
                Role::Init => {
                    self.events.progress(&work, "runs to its end");
                    self.docker
                        .wait_for_end(id, container)
                        .await
                        .inspect_err(|_| self.events.failed(&work))?;
                    self.events.finished(&work, "done");
                }
                Role::Sidecar if container.probes.startup.is_some() => {
                    self.events.progress(&work, "waiting for its startup probe");
                    let started = self.docker.wait_for_startup(id, container).await;
                    started.inspect_err(|_| self.events.failed(&work))?;
                    self.events.finished(&work, "started");
                }
                _ => self.events.finished(&work, "started"),
            }
        }
        try_join_all(mains.into_iter().map(async |(container, id)| {
            self.start_one(container, id).await?;
            self.events
                .finished(&Work::Container(container.name.clone()), "started");
            Ok::<_, Error>(())
        }))
        .await?;
        Ok(())
    }

    async fn start_one(&self, container: &Container, id: &str) -> Result<(), Error> {
        let name = &container.name;
        let work = Work::Container(name.clone());
        self.events.started(&work);
        let _permit = self.permits.acquire().await;
        let started = self
            .docker
            .client
            .start_container(id, None::<StartContainerOptions>)
            .await;
        match started.intent(|| format!("start container `{name}`")) {
            // Paused containers count as running.
            Err(error) if error.answer().is_some_and(|text| text.contains("paused")) => self
                .docker
                .client
                .unpause_container(id)
                .await
                .intent(|| format!("continue container `{name}`")),
            Err(error) => {
                self.events.failed(&work);
                Err(port_taken(&error, &container.publish).unwrap_or(error))
            }
            Ok(()) => Ok(()),
        }
    }

    /// Waits until every replica is ready.
    pub async fn wait_until_ready(&self, deadline: Instant) -> Result<(), Error> {
        let replicas = self.context.desired.replicas.iter();
        try_join_all(replicas.map(|replica| self.wait_for_replica(replica, deadline))).await?;
        Ok(())
    }

    pub(super) async fn wait_for_replica(&self, replica: &Replica, deadline: Instant) -> Result<(), Error> {
        let desired = self.context.desired;
        let pod = desired.services.get(&replica.pod).filter(|_| replica.is_proxy());
        if let Some(pod) = pod
            && !desired
                .replicas
                .iter()
                .any(|other| !other.is_proxy() && other.pod == *pod)
        {
            // Nobody is behind it, as was asked for.
            return Ok(());
        }
        let work = if replica.is_proxy() {
            Work::Service(replica.name())
        } else {
            Work::Replica(replica.name())
        };
        self.events.progress(&work, "waiting until it is ready");
        let containers = replica.containers.iter();
        let probed = containers.filter(|container| !matches!(container.role, Role::Infra | Role::Init));
        let waits =
            probed.map(|container| self.docker.wait_until_ready(&container.name, container, deadline));
        try_join_all(waits)
            .await
            .inspect_err(|_| self.events.failed(&work))?;
        self.events.finished(&work, "ready");
        Ok(())
    }
}

/// Waits until all that something comes after is so; whether it ever will be.
async fn is_their_turn<'a>(after: impl IntoIterator<Item = &'a After>, board: &Board) -> bool {
    for after in after {
        if !board.wait(&after.on, Stage::Settled).await {
            return false;
        }
    }
    true
}

const REMOVED: Ending = Ending {
    grace: None,
    removes: true,
};

/// The engine's refusal to publish a port, said plainly.
fn port_taken(error: &Error, publish: &[Published]) -> Option<Error> {
    let text = error.answer()?;
    let is_taken = text.contains("port is already allocated") || text.contains("address already in use");
    let named = publish
        .iter()
        .find(|port| text.contains(&format!(":{}", port.at.port)));
    let port = named.or(publish.first()).filter(|_| is_taken)?;
    Some(Error::PortTaken {
        address: port.at.address.to_string(),
        port: port.at.port,
        service: port.service.clone(),
        holder: super::port_holder::holder(port.at),
    })
}
