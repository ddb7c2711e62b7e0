//! Counts the runs of a job: what is done, what failed, what goes on.

use std::collections::BTreeMap;

use super::{JobPlan, Reason, Removal, removal};
use crate::engine::desired::Job;
use crate::engine::labels::Role;
use crate::engine::observed::{Container, Observed, Status};

/// How one run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Run {
    Done,
    Failed,
    Running,
    /// Cut short before its work began.
    Unfinished,
}

/// What is left to do of a job, and the containers in its way. `None` when it is done.
pub fn plan_job(job: &Job, observed: &Observed) -> (Option<JobPlan>, Vec<Removal>) {
    let mut runs: BTreeMap<u32, Vec<&Container>> = BTreeMap::new();
    let mut removals = Vec::new();
    for container in &observed.containers {
        if container.labels.pod == job.name && container.job.is_some() {
            if container.job.as_ref() == Some(&job.digest) {
                runs.entry(container.labels.replica).or_default().push(container);
            } else {
                removals.push(removal(container, Reason::JobChanged));
            }
        }
    }
    let next = runs.keys().last().map_or(0, |last| last + 1);
    let count =
        |wanted| u32::try_from(runs.values().filter(|run| state(run) == wanted).count()).unwrap_or(u32::MAX);
    let (done, mut failed) = (count(Run::Done), count(Run::Failed));
    if done >= job.completions {
        return (None, removals);
    }
    let has_failed = failed > job.retries;
    if has_failed {
        failed = 0;
    }
    let mut running = Vec::new();
    for (index, containers) in &runs {
        let reason = match state(containers) {
            Run::Running => {
                running.push(*index);
                continue;
            }
            Run::Unfinished => Reason::LeftOver,
            Run::Failed if has_failed => Reason::JobFailed,
            Run::Done | Run::Failed => continue,
        };
        removals.extend(
            containers
                .iter()
                .map(|container| removal(container, reason.clone())),
        );
    }
    let plan = JobPlan {
        name: job.name.clone(),
        done,
        wanted: job.completions,
        failed,
        running,
        next,
    };
    (Some(plan), removals)
}

fn state(run: &[&Container]) -> Run {
    let with = |role| run.iter().filter(move |container| container.labels.role == role);
    let has_failed = |container: &&&Container| matches!(container.status, Status::Exited(code) if code != 0);
    if with(Role::Init).any(|init| has_failed(&init)) || with(Role::Main).any(|main| has_failed(&main)) {
        return Run::Failed;
    }
    let mut mains = with(Role::Main).peekable();
    if mains.peek().is_none()
        || with(Role::Main).any(|main| matches!(main.status, Status::Created | Status::Dead))
    {
        return Run::Unfinished;
    }
    if mains.all(|main| main.status == Status::Exited(0)) {
        Run::Done
    } else {
        Run::Running
    }
}
