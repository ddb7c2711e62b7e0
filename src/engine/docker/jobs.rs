//! Runs jobs: starts runs, counts how they end, tries again what failed.

use std::time::Duration;

use bollard::models::ContainerStateStatusEnum;
use futures_util::StreamExt;
use futures_util::future::{join_all, try_join_all};
use futures_util::stream::FuturesUnordered;
use time::OffsetDateTime;
use tokio::sync::Mutex;
use tokio::time::sleep;

use super::create::Context;
use super::down::targets;
use super::stop::{Ending, Target};
use super::{Apply, Error};
use crate::engine::desired::{Desired, Job, Replica, Volume};
use crate::engine::labels::Role;
use crate::engine::observed::Status;
use crate::engine::plan::{Action, JobPlan, ReplicaPlan, Step, VolumeAction, VolumeStep};
use crate::engine::{Events, Work};

/// The pause before the first retry; doubled for each further one.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// Time between two looks at a run.
const LOOK: Duration = Duration::from_millis(100);

/// A run of a job: its containers and the volumes that they mount.
pub type Run = (Replica, std::collections::BTreeMap<String, Volume>);

/// Makes the runs of a job, by its name and the run's index.
pub type MakeRun<'a> = dyn Fn(&str, u32) -> Option<Run> + 'a;

/// How a run ended.
enum Outcome {
    Done,
    Failed(Error),
}

impl Apply<'_> {
    /// Starts the first runs of every job that has none, and counts nothing.
    pub async fn start_jobs(&self, make: &MakeRun<'_>) -> Result<(), Error> {
        let lock = Mutex::new(());
        for (job, plan) in self.unfinished_jobs() {
            let wanted = job.parallelism.min(plan.wanted - plan.done);
            let running = u32::try_from(plan.running.len()).unwrap_or(u32::MAX);
            for index in (plan.next..).take(usize::try_from(wanted.saturating_sub(running)).unwrap_or(0)) {
                if let Some(run) = make(&job.name, index) {
                    self.begin(&run, &lock).await?;
                }
            }
            self.events.finished(&Work::Job(job.name.clone()), "started");
        }
        Ok(())
    }

    /// Runs every job to its end. `is_followed` tells what the runs write.
    pub async fn run_jobs(&self, make: &MakeRun<'_>, is_followed: bool) -> Result<(), Error> {
        let lock = Mutex::new(());
        try_join_all(self.unfinished_jobs().map(|(job, plan)| {
            let lock = &lock;
            async move {
                let work = Work::Job(job.name.clone());
                self.events.started(&work);
                let run = self.run_job(job, plan, make, is_followed, lock);
                let result = match job.deadline {
                    None => run.await,
                    Some(deadline) => match tokio::time::timeout(deadline, run).await {
                        Ok(result) => result,
                        Err(_) => self.stop_job(job).await.and(Err(Error::JobDeadline {
                            job: job.name.clone(),
                            deadline,
                        })),
                    },
                };
                match &result {
                    Ok(()) => self.events.finished(&work, "done"),
                    Err(_) => self.events.failed(&work),
                }
                result
            }
        }))
        .await?;
        Ok(())
    }

    /// Stops the runs of a job whose time is over.
    async fn stop_job(&self, job: &Job) -> Result<(), Error> {
        let mut observed = self.docker.observe(&self.context.desired.stack).await?;
        observed.containers.retain(|container| {
            let is_over = matches!(container.status, Status::Exited(_));
            container.labels.pod == job.name && !is_over
        });
        let all = targets(&observed).into_iter().flatten();
        let (begun, unbegun): (Vec<Target>, Vec<Target>) = all.partition(|target| target.is_running);
        // The engine may be about to start what was made last: only a removal surely comes after.
        for (targets, removes) in [(begun, false), (unbegun, true)] {
            let ending = Ending { grace: None, removes };
            self.docker.end(vec![targets], ending, &Events::none()).await?;
        }
        Ok(())
    }

    fn unfinished_jobs(&self) -> impl Iterator<Item = (&Job, &JobPlan)> {
        let jobs = self.context.desired.jobs.iter();
        jobs.filter_map(|job| Some((job, self.plan.jobs.iter().find(|plan| plan.name == job.name)?)))
    }

    async fn run_job(
        &self,
        job: &Job,
        plan: &JobPlan,
        make: &MakeRun<'_>,
        is_followed: bool,
        lock: &Mutex<()>,
    ) -> Result<(), Error> {
        let work = Work::Job(job.name.clone());
        let (mut done, mut failed, mut next) = (plan.done, plan.failed, plan.next);
        let mut pause = Duration::ZERO;
        let mut running = FuturesUnordered::new();
        for index in &plan.running {
            running.push(self.one_run(make(&job.name, *index), false, Duration::ZERO, is_followed, lock));
        }
        loop {
            let on_their_way = u32::try_from(running.len()).unwrap_or(u32::MAX);
            if done < job.completions && on_their_way < job.parallelism.min(job.completions - done) {
                running.push(self.one_run(make(&job.name, next), true, pause, is_followed, lock));
                next += 1;
                continue;
            }
            match running.next().await {
                None => return Ok(()),
                Some(Outcome::Done) => {
                    done += 1;
                    pause = Duration::ZERO;
                    self.events
                        .progress(&work, format!("{done} of {} runs done", job.completions));
                }
                Some(Outcome::Failed(error)) => {
                    failed += 1;
                    if failed > job.retries {
                        return Err(Error::Job {
                            job: job.name.clone(),
                            failed,
                            source: Box::new(error),
                        });
                    }
                    pause = (pause * 2).clamp(FIRST_PAUSE, LONGEST_PAUSE);
                    let left = job.retries - failed;
                    self.events
                        .progress(&work, format!("a run failed; {left} retries left"));
                }
            }
        }
    }

    /// One run, from its start, or from wherever it is, to its end.
    async fn one_run(
        &self,
        run: Option<Run>,
        is_new: bool,
        pause: Duration,
        is_followed: bool,
        lock: &Mutex<()>,
    ) -> Outcome {
        let Some(run) = run else {
            return Outcome::Done;
        };
        sleep(pause).await;
        let work = async {
            if is_new {
                self.begin(&run, lock).await?;
            }
            self.wait_for_mains(&run.0).await
        };
        let result = if is_followed {
            let since = OffsetDateTime::now_utc();
            tokio::select! {
                result = work => result,
                // The logs end when the run does.
                never = async { self.follow_run(&run.0, since).await; std::future::pending().await } => never,
            }
        } else {
            work.await
        };
        let stopped = self.stop_rest(&run.0).await;
        match result.and(stopped) {
            Ok(()) => Outcome::Done,
            Err(error) => Outcome::Failed(error),
        }
    }

    /// Makes a run's own volumes and its containers, and starts them in order.
    async fn begin(&self, (replica, volumes): &Run, lock: &Mutex<()>) -> Result<(), Error> {
        let own = volumes.iter().filter(|(_, volume)| volume.is_of_a_replica());
        let steps: Vec<VolumeStep> = own
            .map(|(name, _)| VolumeStep {
                name: name.clone(),
                action: VolumeAction::Prepare,
            })
            .collect();
        let mut desired: Desired = self.context.desired.clone();
        desired.volumes.extend(volumes.clone());
        let apply = Apply {
            context: Context {
                desired: &desired,
                ..self.context
            },
            ..*self
        };
        {
            // There is one carrier at a time.
            let _guard = lock.lock().await;
            self.docker
                .prepare_volumes(&steps, self.block_image, &apply.context)
                .await?;
        }
        let steps = replica.containers.iter().map(|container| Step {
            name: container.name.clone(),
            action: Action::Create,
        });
        let plan = ReplicaPlan {
            name: replica.name(),
            steps: steps.collect(),
        };
        apply.replica(replica, &plan).await
    }

    /// Waits until every main container ended; the first that failed is the reason.
    async fn wait_for_mains(&self, replica: &Replica) -> Result<(), Error> {
        let mains = replica
            .containers
            .iter()
            .filter(|container| container.role == Role::Main);
        try_join_all(mains.map(async |container| {
            loop {
                let state = self.docker.state(&container.name).await;
                if let Some((state, _)) = state
                    && state.status == Some(ContainerStateStatusEnum::EXITED)
                {
                    if state.exit_code == Some(0) {
                        return Ok(());
                    }
                    let failure = self.docker.why_ended(&container.name, container, &state, 0).await;
                    return Err(Error::from(failure));
                }
                sleep(LOOK).await;
            }
        }))
        .await?;
        Ok(())
    }

    /// Stops what outlives the main containers: sidecars and infra.
    async fn stop_rest(&self, replica: &Replica) -> Result<(), Error> {
        let rest = replica
            .containers
            .iter()
            .filter(|container| container.role != Role::Init);
        let targets = rest.map(|container| Target {
            id: container.name.clone(),
            name: container.name.clone(),
            role: container.role,
            position: container.position,
            is_running: container.role != Role::Main || replica.containers.len() > 1,
        });
        let ending = Ending {
            grace: None,
            removes: false,
        };
        self.docker
            .end(vec![targets.collect()], ending, &Events::none())
            .await
    }

    async fn follow_run(&self, replica: &Replica, since: OffsetDateTime) {
        let talking = replica
            .containers
            .iter()
            .filter(|container| container.role != Role::Infra);
        join_all(talking.map(async |container| {
            // It may not be made yet.
            while self.docker.state(&container.name).await.is_none() {
                sleep(LOOK).await;
            }
            self.docker
                .follow_container(&container.name, &container.display_name(), since, self.events)
                .await;
        }))
        .await;
    }
}
