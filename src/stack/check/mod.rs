//! Turns a stack as written into a checked one: every cross reference, name, port and rule.

mod after;
mod build;
mod container;
mod egress;
mod paths;
mod pod;
mod probe;
mod promise;
mod range;
mod secret;
mod service;
mod sync;
mod volume;

use std::collections::{BTreeMap, BTreeSet};

use super::files::Files;
use super::interface::BlockInterface;
use super::raw::{RawJob, RawPod, RawSecret, RawStack};
use super::{Concurrency, Job, Name, Place, Pod, Restart, Schedule, Stack};
use crate::diagnostic::{Collector, Diagnostic, Sources, Span, quoted};
use crate::parameters::Value;
use crate::yaml::{Field, Map, MapEntry};

/// What the engine means by these is no network of a stack's own.
const RESERVED: [&str; 6] = ["bridge", "container", "default", "host", "nat", "none"];

/// Checks a stack; collects what is wrong.
pub struct Checker<'a> {
    pub files: &'a dyn Files,
    pub blocks: &'a [BlockInterface],
    pub sources: &'a Sources,
    pub problems: &'a mut Collector,
}

/// What containers and volumes may refer to.
struct Scope<'a> {
    secrets: BTreeMap<&'a str, &'a MapEntry<RawSecret>>,
    pods: BTreeSet<&'a str>,
    services: BTreeSet<&'a str>,
    /// Jobs, and where each says that it has a schedule.
    jobs: BTreeMap<&'a str, Option<Span>>,
}

impl Checker<'_> {
    /// Makes the stack; `None` where something is wrong, which was said.
    pub fn stack(
        &mut self,
        raw: &RawStack,
        name: Option<Name>,
        parameters: BTreeMap<String, Value>,
    ) -> Option<Stack> {
        let written = self.name_of(&raw.stack, "a stack");
        let nothing = Map::default();
        let raw_secrets = raw.secrets.value().unwrap_or(&nothing);
        let (no_pods, no_jobs) = (Map::default(), Map::default());
        let raw_pods = raw.pods.value().unwrap_or(&no_pods);
        let raw_jobs = raw.jobs.value().unwrap_or(&no_jobs);
        let no_services = Map::default();
        let raw_services = raw.services.value().unwrap_or(&no_services);
        let scope = Scope {
            secrets: raw_secrets
                .0
                .iter()
                .map(|entry| (entry.key.value.as_str(), entry))
                .collect(),
            pods: raw_pods.keys().collect(),
            services: raw_services.keys().collect(),
            jobs: raw_jobs
                .0
                .iter()
                .map(|entry| {
                    let job = entry.value.as_ref().map(|job| &job.value);
                    let scheduled = job.and_then(|job| job.schedule.key());
                    (entry.key.value.as_str(), scheduled)
                })
                .collect(),
        };
        if raw_pods.0.is_empty() && raw_jobs.0.is_empty() {
            let span = raw
                .pods
                .key()
                .or_else(|| raw.jobs.key())
                .or_else(|| raw.stack.key())
                .unwrap_or(raw.owner);
            if !matches!(raw.pods, Field::Invalid(_)) && !matches!(raw.jobs, Field::Invalid(_)) {
                let problem =
                    Diagnostic::error(span, "a stack needs a pod or a job").help("declare one under `pods:`");
                self.push(problem);
            }
        }
        let pod_spans: BTreeMap<&str, Span> = raw_pods
            .0
            .iter()
            .map(|pod| (pod.key.value.as_str(), pod.key.span))
            .collect();
        for job in &raw_jobs.0 {
            if let Some(pod) = pod_spans.get(job.key.value.as_str()) {
                let problem = Diagnostic::error(
                    job.key.span,
                    format!("{} names a pod and a job", quoted(&job.key.value)),
                )
                .related(*pod, "the pod")
                .help("rename one of them");
                self.problems.push(problem);
            }
        }
        let pods = self.each(raw_pods, "a pod", |checker, name, entry, raw| {
            Some(checker.pod(name, entry, raw, &scope))
        });
        let jobs = self.each(raw_jobs, "a job", |checker, name, entry, raw| {
            Some(checker.job(name, entry, raw, &scope))
        });
        self.circles(raw_pods, raw_jobs);
        let services = self.services(raw);
        self.undeclared_edges(&services, &pods, &jobs, raw_pods, raw_jobs);
        let secrets = self.secrets(raw_secrets);
        let cast = promise::Cast {
            pods: &pods,
            jobs: &jobs,
            secrets: &secrets,
            parameters: parameters.keys().map(String::as_str).collect(),
        };
        let promises = self.promises(raw, &cast);
        let name = name.or(written)?;
        if RESERVED.contains(&name.as_str()) {
            let span = raw.stack.key().unwrap_or(raw.owner);
            self.push(
                Diagnostic::error(span, format!("{} can't name a stack", quoted(name.as_str())))
                    .help("the engine has a network of that name: choose another"),
            );
        }
        self.replica_names(&name, raw);
        Some(Stack {
            name,
            pods,
            jobs,
            services,
            secrets,
            promises,
            parameters,
        })
    }

    fn pod(&mut self, name: Name, span: Span, raw: &RawPod, scope: &Scope<'_>) -> Pod {
        if let Some(restart) = raw.restart.get()
            && restart.value != Restart::Always
        {
            let problem = Diagnostic::error(restart.span, "the containers of a pod are always started again")
                .help("a pod that ends belongs under `jobs:`");
            self.problems.push(problem);
        }
        let shape = pod::Shape {
            what: "pod",
            hostname: &raw.hostname,
            share_processes: &raw.share_processes,
            grace: &raw.grace,
            after: &raw.after,
            egress: &raw.egress,
            containers: &raw.containers,
            volumes: &raw.volumes,
        };
        let spec = self.pod_spec(&shape, Restart::Always, scope);
        let (replicas, range) = self.replicas(raw, &spec);
        Pod {
            name,
            place: self.place(span),
            replicas,
            range,
            stable: raw.stable.value().is_some_and(|boolean| boolean.0),
            spec,
        }
    }

    fn job(&mut self, name: Name, span: Span, raw: &RawJob, scope: &Scope<'_>) -> Job {
        if let Some(restart) = raw.restart.get()
            && restart.value == Restart::Always
        {
            let problem = Diagnostic::error(
                restart.span,
                "a job ends: its containers are not always started again",
            )
            .help("write `on-failure` or `never`, or move it under `pods:`");
            self.problems.push(problem);
        }
        let shape = pod::Shape {
            what: "job",
            hostname: &raw.hostname,
            share_processes: &raw.share_processes,
            grace: &raw.grace,
            after: &raw.after,
            egress: &raw.egress,
            containers: &raw.containers,
            volumes: &raw.volumes,
        };
        let restart = raw.restart.value().copied().unwrap_or(Restart::OnFailure);
        let deadline = raw.deadline.get();
        if let Some(deadline) = deadline
            && deadline.value.0.is_zero()
        {
            self.problems.push(Diagnostic::error(
                deadline.span,
                "a deadline of no time lets nothing run",
            ));
        }
        let schedule = self.schedule(raw);
        let spec = self.pod_spec(&shape, restart, scope);
        let count = |value: Option<i64>, default| {
            value.map_or(default, |value| u32::try_from(value).unwrap_or(default))
        };
        Job {
            name,
            place: self.place(span),
            completions: count(raw.completions.value().map(|whole| whole.0), 1),
            parallelism: count(raw.parallelism.value().map(|whole| whole.0), 1),
            retries: count(raw.retries.value().map(|whole| whole.0), 6),
            deadline: deadline.map(|deadline| deadline.value.0),
            indexed: raw.indexed.value().is_some_and(|boolean| boolean.0),
            ttl: raw.ttl.value().map(|ttl| ttl.0),
            schedule,
            concurrency: raw.concurrency.value().copied().unwrap_or(Concurrency::Allow),
            spec,
        }
    }

    fn schedule(&mut self, raw: &RawJob) -> Option<Schedule> {
        let Some(written) = raw.schedule.get() else {
            if let Some(span) = raw.concurrency.key()
                && raw.schedule.is_absent()
            {
                self.push(
                    Diagnostic::error(span, "only a job with a `schedule` can overlap itself")
                        .help("leave it out, or add a `schedule`"),
                );
            }
            return None;
        };
        if let Some(span) = raw.after.key() {
            self.push(
                Diagnostic::error(
                    span,
                    "a job with a `schedule` starts when it is due, not after others",
                )
                .related(raw.schedule.key().unwrap_or(span), "the schedule"),
            );
        }
        match Schedule::parse(&written.value.0) {
            Ok(schedule) => Some(schedule),
            Err(why) => {
                self.push(Diagnostic::error(written.span, why).help(
                    "as in cron: `*/5 * * * *` is every five minutes, `0 3 * * 1` Mondays at 3:00 UTC",
                ));
                None
            }
        }
    }

    /// Checks that no service, and no stack with its pods, has a name that a replica needs.
    fn replica_names(&mut self, stack: &Name, raw: &RawStack) {
        let (no_pods, no_services) = (Map::default(), Map::default());
        let pods = raw.pods.value().unwrap_or(&no_pods);
        let replicas: BTreeMap<&str, i64> = pods
            .0
            .iter()
            .map(|entry| {
                let pod = entry.value.as_ref().map(|pod| &pod.value);
                let most = pod.and_then(range::most).unwrap_or(1);
                (entry.key.value.as_str(), most)
            })
            .collect();
        for entry in &pods.0 {
            let count = replicas.get(entry.key.value.as_str()).copied().unwrap_or(1);
            let longest = format!("{stack}-{}-{}", entry.key.value, (count - 1).max(0));
            if longest.len() > 63 && entry.key.value.len() <= 63 {
                let problem = Diagnostic::error(
                    entry.key.span,
                    format!(
                        "the replica's name {} is longer than 63 characters",
                        quoted(&longest)
                    ),
                )
                .help("shorten the name of the stack or the pod");
                self.problems.push(problem);
            }
        }
        for service in &raw.services.value().unwrap_or(&no_services).0 {
            let Some((pod, number)) = service.key.value.rsplit_once('-') else {
                continue;
            };
            let taken = replicas
                .get(pod)
                .is_some_and(|count| number.parse::<i64>().is_ok_and(|number| number < *count));
            if taken {
                let problem = Diagnostic::error(
                    service.key.span,
                    format!(
                        "{} is the name of a replica of the pod {}",
                        quoted(&service.key.value),
                        quoted(pod)
                    ),
                )
                .help("choose another name");
                self.problems.push(problem);
            }
        }
    }

    /// Checks every named value; wrong names and values are left out.
    fn each<'r, R, T>(
        &mut self,
        raw: &'r Map<R>,
        what: &str,
        mut check: impl FnMut(&mut Self, Name, Span, &'r R) -> Option<T>,
    ) -> Vec<T> {
        let mut checked = Vec::new();
        for MapEntry { key, value } in &raw.0 {
            let checked_name = name(&key.value, key.span, what, self.problems);
            // A wrong name is no reason to say nothing about what stands under it.
            let stand_in = checked_name.or_else(|| Name::nearest(&key.value));
            if let (Some(value), Some(name)) = (value, stand_in) {
                checked.extend(check(self, name, key.span, &value.value));
            }
        }
        checked
    }

    fn name_of(&mut self, field: &Field<crate::yaml::Text>, what: &str) -> Option<Name> {
        let written = field.get()?;
        name(&written.value.0, written.span, what, self.problems)
    }

    fn place(&self, span: Span) -> Place {
        self.sources.place(span)
    }

    fn push(&mut self, problem: Diagnostic) {
        self.problems.push(problem);
    }
}

/// Checks a name; says which one is near when it is not a DNS label.
pub fn name(text: &str, span: Span, what: &str, problems: &mut Collector) -> Option<Name> {
    let name = Name::new(text);
    if name.is_none() {
        let mut problem = Diagnostic::error(span, format!("{} can't name {what}", quoted(text))).help(
            "a name is at most 63 of `a-z`, `0-9` and `-`, beginning and ending with a letter or digit",
        );
        if let Some(near) = Name::nearest(text) {
            problem = problem.help(format!("write `{near}`"));
        }
        problems.push(problem);
    }
    name
}
