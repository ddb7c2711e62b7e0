//! Decides what becomes of a job: which runs begin, which are stopped or removed, and whether it is over.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use time::OffsetDateTime;

use super::{JobPlan, Reason, Removal, removal};
use crate::engine::desired::{Job, RunName};
use crate::engine::labels::Role;
use crate::engine::observed::{Container, Observed, Status};
use crate::stack::Concurrency;

/// The pause behind the first failed run; doubled for each further one in a row.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest pause behind a failed run.
const LONGEST_PAUSE: Duration = Duration::from_mins(1);
/// How many ended runs of a schedule stay: those that ended well and those that failed; Kubernetes' defaults.
const HISTORY: (usize, usize) = (3, 1);

/// How one run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Every main container ended well.
    Done,
    /// A container ended with another code than 0.
    Failed,
    /// It is on its way.
    Running,
    /// Cut short before its work began.
    Unfinished,
}

/// A run, as far as it can be seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// Which one.
    pub name: RunName,
    /// How it stands.
    pub state: State,
    /// Whether something of it still runs: sidecars outlive the main containers until they are stopped.
    pub is_alive: bool,
    /// When its first container was made.
    pub created: Option<OffsetDateTime>,
    /// When its last container ended.
    pub ended: Option<OffsetDateTime>,
}

/// How a job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// There is work left.
    Open,
    /// Enough runs ended well.
    Done,
    /// Too many runs failed.
    Failed,
    /// Its time is over.
    Late,
}

/// What becomes of a job now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// How it stands.
    pub standing: Standing,
    /// Runs that ended well.
    pub done: u32,
    /// Runs that failed.
    pub failed: u32,
    /// Runs to begin.
    pub begin: Vec<RunName>,
    /// Runs of which something has to be stopped.
    pub stop: Vec<RunName>,
    /// Runs whose containers go.
    pub remove: Vec<RunName>,
    /// When time alone will change the decision.
    pub again: Option<OffsetDateTime>,
}

/// Decides what becomes of a job, or of what was due at one time of a scheduled one.
pub fn decide(job: &Job, due: Option<u64>, runs: &[Run], now: OffsetDateTime) -> Decision {
    let tally = Tally::new(job, runs);
    let began = runs.iter().filter_map(|run| run.created).min();
    let deadline = job.deadline.and_then(|deadline| Some(began? + deadline));
    let standing = if tally.is_done(job) {
        Standing::Done
    } else if tally.failed > job.retries {
        Standing::Failed
    } else if deadline.is_some_and(|deadline| deadline <= now) {
        Standing::Late
    } else {
        Standing::Open
    };
    let mut decision = Decision {
        standing,
        done: tally.done,
        failed: tally.failed,
        begin: Vec::new(),
        stop: Vec::new(),
        remove: Vec::new(),
        again: None,
    };
    for run in runs {
        match run.state {
            State::Unfinished => decision.remove.push(run.name),
            State::Running if standing != Standing::Open => decision.stop.push(run.name),
            State::Done | State::Failed if run.is_alive => decision.stop.push(run.name),
            _ => {}
        }
    }
    if standing != Standing::Open {
        let ended = runs.iter().filter_map(|run| run.ended).max();
        let is_over = runs.iter().all(|run| !run.is_alive);
        if let (Some(ttl), Some(ended), true) = (job.ttl, ended, is_over) {
            if ended + ttl <= now {
                decision.remove = runs.iter().map(|run| run.name).collect();
            } else {
                decision.again = Some(ended + ttl);
            }
        }
        return decision;
    }
    decision.again = deadline;
    let resume = tally.resume_at(runs);
    if let Some(resume) = resume.filter(|resume| *resume > now) {
        decision.again = decision.again.into_iter().chain([resume]).min();
        return decision;
    }
    decision.begin = tally.next(job, due, runs);
    decision
}

/// How many runs of a job ended how.
struct Tally {
    done: u32,
    failed: u32,
    /// Indexes that are done, and those that are on their way.
    taken: BTreeSet<u32>,
    running: u32,
}

impl Tally {
    fn new(job: &Job, runs: &[Run]) -> Self {
        let with = |state| runs.iter().filter(move |run| run.state == state);
        let count = |state| u32::try_from(with(state).count()).unwrap_or(u32::MAX);
        let indexes = |state| with(state).filter_map(|run| run.name.index);
        let done: BTreeSet<u32> = indexes(State::Done)
            .filter(|index| *index < job.completions)
            .collect();
        Self {
            done: if job.indexed {
                u32::try_from(done.len()).unwrap_or(u32::MAX)
            } else {
                count(State::Done)
            },
            failed: count(State::Failed),
            running: count(State::Running),
            taken: done.into_iter().chain(indexes(State::Running)).collect(),
        }
    }

    fn is_done(&self, job: &Job) -> bool {
        self.done >= job.completions
    }

    /// When the next run may begin: failed ones in a row make a pause that grows.
    fn resume_at(&self, runs: &[Run]) -> Option<OffsetDateTime> {
        if self.failed == 0 {
            return None;
        }
        let mut ended: Vec<(OffsetDateTime, State)> = runs
            .iter()
            .filter(|run| matches!(run.state, State::Done | State::Failed))
            .filter_map(|run| Some((run.ended?, run.state)))
            .collect();
        ended.sort_by_key(|(time, _)| *time);
        let in_a_row = ended
            .iter()
            .rev()
            .take_while(|(_, state)| *state == State::Failed)
            .count();
        let (last, _) = ended.last().filter(|_| in_a_row > 0)?;
        let doublings = u32::try_from(in_a_row - 1).unwrap_or(u32::MAX).min(16);
        Some(*last + (FIRST_PAUSE * 2_u32.pow(doublings)).min(LONGEST_PAUSE))
    }

    /// The runs that may begin now.
    fn next(&self, job: &Job, due: Option<u64>, runs: &[Run]) -> Vec<RunName> {
        let wanted = job.parallelism.min(job.completions - self.done);
        let room = usize::try_from(wanted.saturating_sub(self.running)).unwrap_or(usize::MAX);
        let first = runs.iter().map(|run| run.name.number + 1).max().unwrap_or(0);
        let numbers = first..;
        if !job.indexed {
            let named = numbers.map(|number| RunName {
                due,
                number,
                index: None,
            });
            return named.take(room).collect();
        }
        let open = (0..job.completions).filter(|index| !self.taken.contains(index));
        let named = numbers.zip(open).map(|(number, index)| RunName {
            due,
            number,
            index: Some(index),
        });
        named.take(room).collect()
    }
}

/// What becomes of a scheduled job now, beside what becomes of the runs of each time.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Timing {
    /// The time whose runs begin, in minutes since 1970.
    pub start: Option<u64>,
    /// A time that is left out because another still runs.
    pub skipped: Option<u64>,
    /// Times whose runs are ended and removed to make room.
    pub replaced: Vec<u64>,
    /// Times whose runs are removed: enough later ones ended.
    pub forgotten: Vec<u64>,
    /// When it is due next.
    pub next: Option<OffsetDateTime>,
}

/// Decides whether a scheduled job is due. `since` is up to when that was decided before.
///
/// Of several times that passed meanwhile, the last counts.
pub fn timing(
    job: &Job,
    standings: &BTreeMap<u64, Standing>,
    since: OffsetDateTime,
    now: OffsetDateTime,
) -> Timing {
    let Some(schedule) = &job.schedule else {
        return Timing::default();
    };
    let mut timing = Timing::default();
    let mut next = schedule.next(since);
    let mut due = None;
    while let Some(time) = next.filter(|time| *time <= now) {
        due = u64::try_from(time.unix_timestamp() / 60).ok();
        next = schedule.next(time);
    }
    timing.next = next;
    let open = || {
        let open = standings
            .iter()
            .filter(|(_, standing)| **standing == Standing::Open);
        open.map(|(due, _)| *due)
    };
    match due.filter(|due| !standings.contains_key(due)) {
        Some(due) if job.concurrency == Concurrency::Forbid && open().next().is_some() => {
            timing.skipped = Some(due);
        }
        Some(due) => {
            timing.start = Some(due);
            if job.concurrency == Concurrency::Replace {
                timing.replaced = open().collect();
            }
        }
        None => {}
    }
    for (is_kept, kept) in [
        (&[Standing::Done][..], HISTORY.0),
        (&[Standing::Failed, Standing::Late], HISTORY.1),
    ] {
        let ended = standings
            .iter()
            .filter(|(_, standing)| is_kept.contains(standing));
        let old = ended.map(|(due, _)| *due).rev().skip(kept);
        timing.forgotten.extend(old);
    }
    timing
}

/// The runs of a job, by the time they were due.
pub fn runs(job: &Job, observed: &Observed) -> BTreeMap<Option<u64>, Vec<Run>> {
    let mut grouped: BTreeMap<(Option<u64>, u32), Vec<&Container>> = BTreeMap::new();
    for container in &observed.containers {
        let labels = &container.labels;
        // A schedule that changed leaves what began before alone.
        let is_of_job = container.job.is_some()
            && (container.job.as_ref() == Some(&job.digest) || job.schedule.is_some());
        if labels.pod == job.name && is_of_job {
            let key = (labels.due, labels.replica);
            grouped.entry(key).or_default().push(container);
        }
    }
    let mut runs: BTreeMap<Option<u64>, Vec<Run>> = BTreeMap::new();
    for ((due, number), containers) in grouped {
        let is_alive = containers.iter().any(|container| {
            matches!(
                container.status,
                Status::Running | Status::Restarting | Status::Paused
            )
        });
        runs.entry(due).or_default().push(Run {
            name: RunName {
                due,
                number,
                index: containers.iter().find_map(|container| container.labels.index),
            },
            state: state(&containers),
            is_alive,
            created: containers.iter().filter_map(|container| container.created).min(),
            ended: containers.iter().filter_map(|container| container.ended).max(),
        });
    }
    runs
}

/// What is left to do of a job, and the containers in its way. `None` when it is done, or waits for its time.
pub fn plan_job(job: &Job, observed: &Observed, now: OffsetDateTime) -> (Option<JobPlan>, Vec<Removal>) {
    if job.schedule.is_some() {
        return (None, Vec::new());
    }
    let of_job = || {
        let containers = observed.containers.iter();
        containers.filter(|container| container.labels.pod == job.name && container.job.is_some())
    };
    let is_current = |container: &Container| container.job.as_ref() == Some(&job.digest);
    let changed = of_job().filter(|container| !is_current(container));
    let mut removals: Vec<Removal> = changed
        .map(|container| removal(container, Reason::JobChanged))
        .collect();
    let runs = runs(job, observed).remove(&None).unwrap_or_default();
    let standing = decide(job, None, &runs, now).standing;
    if standing == Standing::Done {
        return (None, removals);
    }
    let has_failed = standing != Standing::Open;
    for run in &runs {
        let reason = match run.state {
            State::Unfinished => Reason::LeftOver,
            // Its time counts from the first run, so all of them begin anew.
            _ if has_failed && job.deadline.is_some() => Reason::JobFailed,
            State::Failed if has_failed => Reason::JobFailed,
            _ => continue,
        };
        let containers =
            of_job().filter(|container| is_current(container) && container.labels.replica == run.name.number);
        removals.extend(containers.map(|container| removal(container, reason.clone())));
    }
    let begins_anew = has_failed && job.deadline.is_some();
    let plan = JobPlan {
        name: job.name.clone(),
        done: if begins_anew {
            0
        } else {
            Tally::new(job, &runs).done
        },
        wanted: job.completions,
        after: Vec::new(),
    };
    (Some(plan), removals)
}

fn state(run: &[&Container]) -> State {
    let with = |role| run.iter().filter(move |container| container.labels.role == role);
    let has_failed = |container: &&&Container| matches!(container.status, Status::Exited(code) if code != 0);
    if with(Role::Init).any(|init| has_failed(&init)) || with(Role::Main).any(|main| has_failed(&main)) {
        return State::Failed;
    }
    let mut mains = with(Role::Main).peekable();
    if mains.peek().is_none()
        || with(Role::Main).any(|main| matches!(main.status, Status::Created | Status::Dead))
    {
        return State::Unfinished;
    }
    if mains.all(|main| main.status == Status::Exited(0)) {
        State::Done
    } else {
        State::Running
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stack::Schedule;

    fn job() -> Job {
        Job {
            name: "resize".to_owned(),
            completions: 3,
            parallelism: 2,
            retries: 2,
            deadline: None,
            indexed: false,
            ttl: None,
            schedule: None,
            concurrency: Concurrency::Allow,
            digest: "d".to_owned(),
        }
    }

    fn second(seconds: i64) -> OffsetDateTime {
        OffsetDateTime::from_unix_timestamp(1_700_000_000 + seconds).unwrap()
    }

    fn run(number: u32, state: State, ended: i64) -> Run {
        Run {
            name: RunName {
                number,
                ..RunName::default()
            },
            state,
            is_alive: state == State::Running,
            created: Some(second(0)),
            ended: matches!(state, State::Done | State::Failed).then(|| second(ended)),
        }
    }

    fn indexed(number: u32, index: u32, state: State) -> Run {
        let mut run = run(number, state, 0);
        run.name.index = Some(index);
        run
    }

    #[track_caller]
    fn check(job: &Job, runs: &[Run], now: i64, expect: &str) {
        let decision = decide(job, None, runs, second(now));
        let names = |names: &[RunName]| {
            let named = names.iter().map(|name| match name.index {
                None => name.number.to_string(),
                Some(index) => format!("{}={index}", name.number),
            });
            named.collect::<Vec<_>>().join(" ")
        };
        let mut text = format!("{:?}", decision.standing);
        for (verb, list) in [
            ("begin", &decision.begin),
            ("stop", &decision.stop),
            ("remove", &decision.remove),
        ] {
            if !list.is_empty() {
                text.push_str(&format!("; {verb} {}", names(list)));
            }
        }
        if let Some(again) = decision.again {
            text.push_str(&format!("; again at {}", (again - second(0)).whole_seconds()));
        }
        assert_eq!(text, expect);
    }

    #[test]
    fn as_many_runs_as_are_wanted_at_a_time() {
        use State::{Done, Failed, Running, Unfinished};
        let job = job();
        check(&job, &[], 0, "Open; begin 0 1");
        check(&job, &[run(0, Running, 0)], 0, "Open; begin 1");
        check(&job, &[run(0, Running, 0), run(1, Running, 0)], 0, "Open");
        check(&job, &[run(0, Done, 0), run(1, Running, 0)], 0, "Open; begin 2");
        check(&job, &[run(0, Done, 0), run(1, Done, 0)], 0, "Open; begin 2");
        check(
            &job,
            &[run(0, Done, 0), run(1, Done, 0), run(2, Running, 0)],
            0,
            "Open",
        );
        check(
            &job,
            &[run(0, Done, 0), run(1, Done, 0), run(2, Done, 0)],
            9,
            "Done",
        );
        check(&job, &[run(0, Unfinished, 0)], 0, "Open; begin 1 2; remove 0");
        check(&job, &[run(0, Failed, 0), run(4, Done, 1)], 1, "Open; begin 5 6");
    }

    #[test]
    fn failed_runs_in_a_row_make_a_growing_pause() {
        use State::{Done, Failed, Running};
        let job = Job { retries: 20, ..job() };
        check(&job, &[run(0, Failed, 10)], 10, "Open; again at 11");
        check(&job, &[run(0, Failed, 10)], 11, "Open; begin 1 2");
        let four: Vec<Run> = (0..4).map(|number| run(number, Failed, 10)).collect();
        check(&job, &four, 17, "Open; again at 18");
        let many: Vec<Run> = (0..20).map(|number| run(number, Failed, 10)).collect();
        check(&job, &many, 11, "Open; again at 70");
        check(
            &job,
            &[run(0, Failed, 10), run(1, Done, 11), run(2, Running, 0)],
            11,
            "Open; begin 3",
        );
    }

    #[test]
    fn too_many_failures_or_too_much_time_end_a_job() {
        use State::{Done, Failed, Running};
        let job = Job {
            deadline: Some(Duration::from_mins(1)),
            ..job()
        };
        let failed = [
            run(0, Failed, 1),
            run(1, Failed, 2),
            run(2, Failed, 3),
            run(3, Running, 0),
        ];
        check(&job, &failed, 3, "Failed; stop 3");
        check(
            &job,
            &[run(0, Running, 0), run(1, Done, 5)],
            59,
            "Open; begin 2; again at 60",
        );
        check(&job, &[run(0, Running, 0), run(1, Done, 5)], 60, "Late; stop 0");
        let done = [run(0, Done, 1), run(1, Done, 2), run(2, Done, 3)];
        check(&job, &done, 100, "Done");
    }

    #[test]
    fn what_outlives_the_work_is_stopped_and_what_is_old_removed() {
        let job = Job {
            ttl: Some(Duration::from_secs(100)),
            completions: 1,
            ..job()
        };
        let mut lingering = run(0, State::Done, 5);
        lingering.is_alive = true;
        check(&job, &[lingering], 500, "Done; stop 0");
        check(&job, &[run(0, State::Done, 5)], 50, "Done; again at 105");
        check(
            &job,
            &[run(0, State::Failed, 1), run(1, State::Done, 5)],
            105,
            "Done; remove 0 1",
        );
    }

    #[test]
    fn every_index_must_end_well_once() {
        use State::{Done, Failed, Running};
        let job = Job {
            indexed: true,
            ..job()
        };
        check(&job, &[], 0, "Open; begin 0=0 1=1");
        let runs = [indexed(0, 0, Done), indexed(1, 1, Failed), indexed(2, 2, Running)];
        check(&job, &runs, 100, "Open; begin 3=1");
        let twice = [indexed(0, 0, Done), indexed(1, 0, Done), indexed(2, 1, Done)];
        check(&job, &twice, 0, "Open; begin 3=2");
        // The job was longer before.
        let longer = [indexed(0, 0, Done), indexed(1, 7, Done), indexed(2, 1, Done)];
        check(&job, &longer, 0, "Open; begin 3=2");
        let all = [indexed(0, 0, Done), indexed(1, 1, Done), indexed(2, 2, Done)];
        check(&job, &all, 0, "Done");
    }

    /// Whatever happens to the runs, a job begins no more than it may, and ends.
    #[test]
    fn every_course_of_a_job_ends() {
        let mut random = fastrand::Rng::with_seed(7);
        for round in 0..300 {
            let job = Job {
                completions: random.u32(1..8),
                parallelism: random.u32(1..4),
                retries: random.u32(0..4),
                indexed: round % 2 == 0,
                ..job()
            };
            let mut runs: Vec<Run> = Vec::new();
            let mut now = 0;
            let last = loop {
                now += 1;
                assert!(now < 10_000, "{job:?} never ends");
                let decision = decide(&job, None, &runs, second(now));
                for name in &decision.begin {
                    runs.push(Run {
                        name: *name,
                        ..run(0, State::Running, 0)
                    });
                }
                let running = runs.iter().filter(|run| run.state == State::Running).count();
                assert!(running <= job.parallelism as usize, "{job:?}");
                if decision.standing != Standing::Open {
                    break decision;
                }
                for run in runs.iter_mut().filter(|run| run.state == State::Running) {
                    match random.u8(0..10) {
                        0..=2 => run.state = State::Done,
                        3 => run.state = State::Failed,
                        _ => continue,
                    }
                    run.is_alive = false;
                    run.ended = Some(second(now));
                }
            };
            let failed = runs.iter().filter(|run| run.state == State::Failed).count();
            let expect = if failed > job.retries as usize {
                Standing::Failed
            } else {
                Standing::Done
            };
            assert_eq!(last.standing, expect, "{job:?} {runs:?}");
            assert_eq!(last.done >= job.completions, expect == Standing::Done);
        }
    }

    fn minute(text: &str) -> OffsetDateTime {
        use time::format_description::well_known::Rfc3339;
        OffsetDateTime::parse(&format!("2026-01-01T{text}Z"), &Rfc3339).unwrap()
    }

    #[track_caller]
    fn check_timing(
        concurrency: Concurrency,
        standings: &[(&str, Standing)],
        since: &str,
        now: &str,
        expect: &str,
    ) {
        let job = Job {
            schedule: Some(Schedule::parse("*/5 * * * *").unwrap()),
            concurrency,
            ..job()
        };
        let number = |time: OffsetDateTime| u64::try_from(time.unix_timestamp() / 60).unwrap();
        let standings = standings
            .iter()
            .map(|(due, standing)| (number(minute(due)), *standing))
            .collect();
        let timing = timing(&job, &standings, minute(since), minute(now));
        let shown = |due: &u64| {
            let time = OffsetDateTime::from_unix_timestamp(i64::try_from(*due).unwrap() * 60).unwrap();
            format!("{:02}:{:02}", time.hour(), time.minute())
        };
        let mut text = String::new();
        for (verb, list) in [
            ("start", timing.start.iter().collect::<Vec<_>>()),
            ("skip", timing.skipped.iter().collect()),
            ("replace", timing.replaced.iter().collect()),
            ("forget", timing.forgotten.iter().collect()),
        ] {
            for due in list {
                text.push_str(&format!("{verb} {}; ", shown(due)));
            }
        }
        let next = timing.next.unwrap();
        text.push_str(&format!("next {:02}:{:02}", next.hour(), next.minute()));
        assert_eq!(text, expect);
    }

    #[test]
    fn a_schedule_starts_the_last_time_that_passed_once() {
        use Concurrency::{Allow, Forbid, Replace};
        use Standing::{Done, Failed, Open};
        check_timing(Allow, &[], "10:01:00", "10:04:59", "next 10:05");
        check_timing(Allow, &[], "10:01:00", "10:05:00", "start 10:05; next 10:10");
        check_timing(Allow, &[], "10:01:00", "10:17:00", "start 10:15; next 10:20");
        check_timing(Allow, &[("10:05:00", Open)], "10:01:00", "10:05:10", "next 10:10");
        check_timing(
            Allow,
            &[("10:05:00", Open)],
            "10:06:00",
            "10:10:00",
            "start 10:10; next 10:15",
        );
        check_timing(
            Forbid,
            &[("10:05:00", Open)],
            "10:06:00",
            "10:10:00",
            "skip 10:10; next 10:15",
        );
        check_timing(
            Forbid,
            &[("10:05:00", Done)],
            "10:06:00",
            "10:10:00",
            "start 10:10; next 10:15",
        );
        check_timing(
            Replace,
            &[("10:00:00", Failed), ("10:05:00", Open)],
            "10:06:00",
            "10:10:00",
            "start 10:10; replace 10:05; next 10:15",
        );
    }

    #[test]
    fn old_times_are_forgotten() {
        use Standing::{Done, Failed, Late, Open};
        check_timing(
            Concurrency::Allow,
            &[
                ("09:00:00", Failed),
                ("09:05:00", Late),
                ("09:10:00", Done),
                ("09:15:00", Open),
                ("09:20:00", Done),
                ("09:25:00", Done),
                ("09:30:00", Done),
            ],
            "09:31:00",
            "09:32:00",
            "forget 09:10; forget 09:00; next 09:35",
        );
    }
}
