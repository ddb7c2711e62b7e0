//! Keeps jobs: begins runs, stops what outlives them, and looks again whenever something of the stack changes.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use bollard::query_parameters::{EventsOptionsBuilder, InspectContainerOptions};
use futures_util::future::join_all;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::sync::{Mutex, watch};

use super::create::Context;
use super::down::target;
use super::stop::Ending;
use super::{Apply, Docker, Error, observe};
use crate::engine::desired::{Desired, Job, Replica, RunName, Volume};
use crate::engine::labels::{self, Role};
use crate::engine::observed::{Container, Observed, Status};
use crate::engine::plan::jobs::{Decision, Run, Standing, State, Timing, decide, runs, timing};
use crate::engine::plan::{Action, ReplicaPlan, Step, VolumeAction, VolumeStep};
use crate::engine::{Events, Work};

/// Time after which a job is looked at although nothing was heard of it.
const LOOK: Duration = Duration::from_secs(5);
/// Time between a change and the look at it; doubled for each further look at which nothing was heard.
/// The engine tells of an end before its list knows of it.
const SOON: Duration = Duration::from_millis(30);

/// A run of a job: its containers and the volumes that they mount.
pub type MadeRun = (Replica, BTreeMap<String, Volume>);

/// Makes the runs of a job, by its name.
pub type MakeRun<'a> = dyn Fn(&str, RunName) -> Option<MadeRun> + 'a;

/// What a job's keeper remembers between two looks.
struct Keeper<'a> {
    job: &'a Job,
    work: Work,
    /// Runs that are being started.
    beginning: BTreeSet<RunName>,
    /// When containers ended, by id and start: asked once.
    ended: HashMap<String, Option<OffsetDateTime>>,
    /// Up to when it was decided whether the job is due.
    decided: OffsetDateTime,
    /// What was told last.
    told: String,
    /// Whether an ended job is kept until its runs are removed.
    outlives: bool,
}

/// What was found out about a job.
struct Look {
    decisions: BTreeMap<Option<u64>, (Decision, Vec<Run>)>,
    observed: Observed,
    timing: Timing,
}

impl Apply<'_> {
    /// Runs a job to its end; a scheduled one for ever.
    ///
    /// `outlives` stays until an ended job's time to live is over, and removes its runs.
    pub async fn keep_job(&self, job: &Job, changes: &Changes, outlives: bool) -> Result<(), Error> {
        let work = Work::Job(job.name.clone());
        self.events.started(&work);
        let mut keeper = Keeper {
            job,
            work: work.clone(),
            beginning: BTreeSet::new(),
            ended: HashMap::new(),
            decided: OffsetDateTime::now_utc(),
            told: String::new(),
            outlives: outlives && job.ttl.is_some(),
        };
        let result = self.keep(&mut keeper, changes.subscribe()).await;
        match &result {
            Ok(()) => self.events.finished(&work, "done"),
            Err(_) => self.events.failed(&work),
        }
        result
    }

    async fn keep(&self, keeper: &mut Keeper<'_>, mut changes: watch::Receiver<u64>) -> Result<(), Error> {
        let carrier = Mutex::new(());
        let mut begins = FuturesUnordered::new();
        let mut quiet = SOON;
        loop {
            changes.mark_unchanged();
            let now = OffsetDateTime::now_utc();
            let look = self.look(keeper, now).await?;
            self.clear(keeper, &look).await?;
            if let Some((done, last)) = keeper.verdict(&look) {
                return if done {
                    Ok(())
                } else {
                    Err(self.why_failed(keeper, &look, last).await)
                };
            }
            let mut again = look.timing.next;
            let mut begin = Vec::new();
            for (decision, _) in look.decisions.values() {
                again = again.into_iter().chain(decision.again).min();
                begin.extend(decision.begin.iter().copied());
            }
            if let Some(due) = look.timing.start {
                self.events.progress(&keeper.work, "it is due");
                begin.extend(decide(keeper.job, Some(due), &[], now).begin);
            }
            for name in begin {
                keeper.beginning.insert(name);
                let begin = self.begin(keeper.job, name, &carrier);
                begins.push(begin.map(move |result| (name, result)).boxed_local());
            }
            let pause = again.map_or(quiet, |again| {
                let rest = Duration::try_from(again - OffsetDateTime::now_utc()).unwrap_or_default();
                rest.clamp(SOON, quiet)
            });
            quiet = (quiet * 2).min(LOOK);
            tokio::select! {
                Some((name, result)) = begins.next() => {
                    keeper.beginning.remove(&name);
                    quiet = SOON;
                    match result {
                        // It shows as a failed run.
                        Ok(()) | Err(Error::Container(_)) => {}
                        Err(error) => return Err(error),
                    }
                }
                // Without the stream of events, the regular look is what remains.
                _ = changes.changed() => {
                    tokio::time::sleep(SOON).await;
                    quiet = SOON;
                }
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// Sees how the job's runs stand, and decides.
    async fn look(&self, keeper: &mut Keeper<'_>, now: OffsetDateTime) -> Result<Look, Error> {
        let stack = &self.context.desired.stack;
        let observed = self
            .docker
            .observe_runs(stack, &keeper.job.name, &mut keeper.ended)
            .await?;
        let mut found = runs(keeper.job, &observed);
        let is_scheduled = keeper.job.schedule.is_some();
        if !is_scheduled {
            found.entry(None).or_default();
        }
        let mut decisions = BTreeMap::new();
        for (due, mut runs) in found {
            for name in keeper.beginning.iter().filter(|name| name.due == due) {
                match runs.iter_mut().find(|run| run.name == *name) {
                    Some(run) => {
                        run.state = State::Running;
                        run.is_alive = true;
                    }
                    None => runs.push(Run {
                        name: *name,
                        state: State::Running,
                        is_alive: true,
                        created: None,
                        ended: None,
                    }),
                }
            }
            let decision = decide(keeper.job, due, &runs, now);
            decisions.insert(due, (decision, runs));
        }
        let standings = decisions.iter();
        let standings = standings.filter_map(|(due, (decision, _))| Some(((*due)?, decision.standing)));
        let timing = timing(keeper.job, &standings.collect(), keeper.decided, now);
        keeper.decided = now;
        if let Some((decision, _)) = decisions.get(&None) {
            keeper.tell(decision, self.events);
        }
        if timing.skipped.is_some() {
            self.events
                .progress(&keeper.work, "it is due, and left out: it still runs");
        }
        Ok(Look {
            decisions,
            observed,
            timing,
        })
    }

    async fn why_failed(&self, keeper: &Keeper<'_>, look: &Look, last: Option<RunName>) -> Error {
        let job = keeper.job.name.clone();
        let standing = look.decisions.get(&None).map(|(decision, _)| decision.standing);
        if let (Some(Standing::Late), Some(deadline)) = (standing, keeper.job.deadline) {
            return Error::JobDeadline { job, deadline };
        }
        let failed = look
            .decisions
            .get(&None)
            .map_or(0, |(decision, _)| decision.failed);
        let source = match last.and_then(|name| (self.make_run)(&keeper.job.name, name)) {
            Some((replica, _)) => self.failure_of(&replica).await,
            None => None,
        };
        Error::Job { job, failed, source }
    }

    /// Why a run failed: the first of its containers that did.
    async fn failure_of(&self, replica: &Replica) -> Option<Box<Error>> {
        for container in &replica.containers {
            if !matches!(container.role, Role::Init | Role::Main) {
                continue;
            }
            if let Ok(Some((state, _))) = self.docker.state(&container.name).await
                && state.exit_code.is_some_and(|code| code != 0)
            {
                let failure = self.docker.why_ended(&container.name, container, &state, 0).await;
                return Some(Box::new(failure.into()));
            }
        }
        None
    }

    /// Stops and removes what the decisions say.
    async fn clear(&self, keeper: &Keeper<'_>, look: &Look) -> Result<(), Error> {
        let mut stop: BTreeSet<RunName> = BTreeSet::new();
        let mut remove: BTreeSet<RunName> = BTreeSet::new();
        for (due, (decision, runs)) in &look.decisions {
            stop.extend(&decision.stop);
            remove.extend(&decision.remove);
            let is_gone = due.is_some_and(|due| {
                look.timing.forgotten.contains(&due) || look.timing.replaced.contains(&due)
            });
            if is_gone {
                remove.extend(runs.iter().map(|run| run.name));
            }
        }
        let stop = stop.difference(&remove).copied().collect();
        for (names, removes) in [(stop, false), (remove, true)] {
            let names: BTreeSet<RunName> = names;
            let is_meant = |container: &&Container| {
                let labels = &container.labels;
                names
                    .iter()
                    .any(|name| (name.due, name.number) == (labels.due, labels.replica))
            };
            let mut replicas: BTreeMap<String, Vec<_>> = BTreeMap::new();
            for container in look.observed.containers.iter().filter(is_meant) {
                // The engine may be about to start what was made last: only a removal surely comes after.
                let is_settled = matches!(container.status, Status::Exited(_)) && !removes;
                if !is_settled {
                    replicas
                        .entry(container.labels.replica_name())
                        .or_default()
                        .push(target(container));
                }
            }
            let ending = Ending { grace: None, removes };
            let replicas = replicas.into_values().collect();
            self.docker.end(replicas, ending, &Events::none()).await?;
            if removes {
                self.remove_run_volumes(&keeper.job.name, &names).await?;
            }
        }
        Ok(())
    }

    /// What a run had for itself goes with it.
    async fn remove_run_volumes(&self, job: &str, names: &BTreeSet<RunName>) -> Result<(), Error> {
        let made = names.iter().filter_map(|name| (self.make_run)(job, *name));
        let volumes: Vec<String> = made
            .flat_map(|(_, volumes)| volumes)
            .filter(|(_, volume)| volume.is_of_a_replica())
            .map(|(name, _)| name)
            .collect();
        self.docker.remove_volumes(&volumes, &Events::none()).await
    }

    /// Makes a run's own volumes and its containers, and starts them in order.
    async fn begin(&self, job: &Job, name: RunName, carrier: &Mutex<()>) -> Result<(), Error> {
        let Some((replica, volumes)) = (self.make_run)(&job.name, name) else {
            return Ok(());
        };
        let own = volumes.iter().filter(|(_, volume)| volume.is_of_a_replica());
        let steps: Vec<VolumeStep> = own
            .map(|(name, _)| VolumeStep {
                name: name.clone(),
                action: VolumeAction::Prepare,
            })
            .collect();
        let mut desired: Desired = self.context.desired.clone();
        desired.volumes.extend(volumes);
        let apply = Apply {
            context: Context {
                desired: &desired,
                ..self.context
            },
            ..*self
        };
        {
            // There is one carrier at a time.
            let _guard = carrier.lock().await;
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
            after: Vec::new(),
            turn: None,
            steps: steps.collect(),
        };
        apply.replica(&replica, &plan).await
    }
}

impl Keeper<'_> {
    /// Whether a job that runs once is over: done or not, and the last run that failed.
    fn verdict(&self, look: &Look) -> Option<(bool, Option<RunName>)> {
        let (decision, runs) = look.decisions.get(&None)?;
        let failed = runs.iter().filter(|run| run.state == State::Failed);
        let last = failed.max_by_key(|run| (run.ended, run.name)).map(|run| run.name);
        match decision.standing {
            Standing::Open => None,
            _ if !self.beginning.is_empty() => None,
            _ if self.outlives && decision.remove.is_empty() => None,
            Standing::Done => Some((true, last)),
            Standing::Failed | Standing::Late => Some((false, last)),
        }
    }

    /// Tells how the job stands, when that changed.
    fn tell(&mut self, decision: &Decision, events: &Events) {
        let job = self.job;
        let mut text = match decision.done {
            0 => String::new(),
            done => format!("{done} of {} runs done", job.completions),
        };
        if decision.failed > 0 {
            let separator = if text.is_empty() { "" } else { ", " };
            let left = job.retries.saturating_sub(decision.failed);
            text.push_str(&match decision.failed {
                1 => format!("{separator}a run failed; {left} retries left"),
                failed => format!("{separator}{failed} runs failed; {left} retries left"),
            });
        }
        if !text.is_empty() && text != self.told && decision.standing != Standing::Failed {
            events.progress(&self.work, text.clone());
        }
        self.told = text;
    }
}

/// A count that moves whenever a container of a stack starts, ends or goes.
#[derive(Debug)]
pub struct Changes(watch::Sender<u64>);

impl Changes {
    /// Counts nothing.
    pub fn none() -> Self {
        Self(watch::Sender::new(0))
    }

    /// The count, from now on.
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.0.subscribe()
    }
}

impl Docker {
    /// Counts what happens to the containers of a stack, as long as the count is kept.
    pub fn changes(&self, stack: &str) -> Changes {
        let changes = watch::Sender::new(0_u64);
        let (docker, sender) = (self.clone(), changes.clone());
        let filters = HashMap::from([
            ("type", vec!["container".to_owned()]),
            (
                "event",
                ["start", "die", "destroy", "pause", "unpause", "health_status"]
                    .map(str::to_owned)
                    .to_vec(),
            ),
            ("label", vec![format!("{}={stack}", labels::STACK)]),
        ]);
        tokio::spawn(async move {
            let options = EventsOptionsBuilder::default().filters(&filters).build();
            let mut events = docker.client.events(Some(options));
            while let Some(Ok(_)) = events.next().await {
                sender.send_modify(|count| *count = count.wrapping_add(1));
            }
        });
        Changes(changes)
    }

    /// Looks at the runs of a job, with the moments of their ends.
    async fn observe_runs(
        &self,
        stack: &str,
        job: &str,
        known: &mut HashMap<String, Option<OffsetDateTime>>,
    ) -> Result<Observed, Error> {
        let summaries = self
            .summaries(&[(labels::STACK, stack), (labels::POD, job)])
            .await?;
        let mut observed = Observed {
            containers: summaries.iter().filter_map(observe::container).collect(),
            ..Observed::default()
        };
        let ended = |container: &&mut Container| {
            matches!(container.labels.role, Role::Main | Role::Init)
                && matches!(container.status, Status::Exited(_))
        };
        let asked = observed.containers.iter_mut().filter(ended);
        let answers = join_all(asked.map(async |container| {
            if let Some(ended) = known.get(&container.id) {
                container.ended = *ended;
                return None;
            }
            let inspected = self
                .client
                .inspect_container(&container.id, None::<InspectContainerOptions>)
                .await
                .ok()?;
            let finished = inspected.state?.finished_at?;
            container.ended = OffsetDateTime::parse(&finished, &Rfc3339).ok();
            Some((container.id.clone(), container.ended))
        }))
        .await;
        known.extend(answers.into_iter().flatten());
        Ok(observed)
    }
}
