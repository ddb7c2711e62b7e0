//! Why something of a stack is not as it should be: from what is seen to the container that is the cause.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::mem::discriminant;

use serde::Serialize;

use super::labels::Role;
use super::observed::Status;
use super::overview::{Health, Member, Overview};
use crate::stack::Bytes;

/// A container that is not what it should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ContainerFailure {
    /// The pod or job that it is of.
    pub pod: String,
    /// `web-0/app`.
    pub container: String,
    /// Its name on the engine.
    pub name: String,
    /// What is wrong.
    pub problem: Problem,
    /// What its failed probe said last.
    pub answer: Option<String>,
    /// The last lines that it wrote.
    pub lines: Vec<String>,
}

/// What is wrong with a container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Problem {
    /// It ended, though it should run.
    Ended {
        /// Its exit code.
        code: i64,
    },
    /// The engine can't start it.
    CantStart {
        /// The engine's reason.
        reason: String,
    },
    /// It took more memory than its limit.
    OutOfMemory {
        /// Its limit in bytes.
        limit: Option<u64>,
    },
    /// It ends again and again.
    Crashing {
        /// How often it was started again.
        restarts: i64,
        /// How it ended last; nothing while it runs again.
        code: Option<i64>,
        /// The probe that ended it last.
        probe: Option<String>,
    },
    /// Its startup probe did not pass in its time.
    NotStarted,
    /// Its readiness probe does not pass.
    NotReady,
    /// An init container that has not ended.
    Initializing,
    /// It was made and not started: another one goes before it.
    NeverStarted,
    /// Somebody holds it still.
    Paused,
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ended { code } => write!(formatter, "ended with {}", exit_code(*code)),
            Self::CantStart { reason } => write!(formatter, "can't be started: {reason}"),
            Self::OutOfMemory { limit: Some(limit) } => write!(
                formatter,
                "was killed: it needs more memory than its limit of {}",
                Bytes(*limit)
            ),
            Self::OutOfMemory { limit: None } => {
                formatter.write_str("was killed: the machine ran out of memory")
            }
            Self::Crashing {
                restarts,
                probe: Some(probe),
                ..
            } => write!(
                formatter,
                "is ended again and again: {restarts} restarts, last for {probe}"
            ),
            Self::Crashing {
                restarts,
                code: Some(code),
                ..
            } => write!(
                formatter,
                "ends again and again: {restarts} restarts, last with {}",
                exit_code(*code)
            ),
            Self::Crashing { restarts, .. } => {
                write!(formatter, "ends again and again: {restarts} restarts")
            }
            Self::NotStarted => formatter.write_str("did not pass its startup probe in time"),
            Self::NotReady => formatter.write_str("is not ready"),
            Self::Initializing => formatter.write_str("still runs, and the others wait for its end"),
            Self::NeverStarted => formatter.write_str("was never started"),
            Self::Paused => formatter.write_str("is paused"),
        }
    }
}

/// An exit code with what it usually means.
fn exit_code(code: i64) -> String {
    let meaning = match code {
        126 => " (the program can't be executed)",
        127 => " (no such program)",
        137 => " (SIGKILL)",
        139 => " (SIGSEGV)",
        143 => " (SIGTERM)",
        _ => "",
    };
    format!("exit code {code}{meaning}")
}

impl fmt::Display for ContainerFailure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "container `{}` {}", self.container, self.problem)?;
        if let Some(answer) = &self.answer {
            write!(formatter, "\n  its probe said: {answer}")?;
        }
        if matches!(self.problem, Problem::NeverStarted | Problem::CantStart { .. }) {
            return Ok(());
        }
        if self.lines.is_empty() {
            formatter.write_str("\n  it wrote nothing")?;
        } else {
            formatter.write_str("\n  its last lines:")?;
        }
        for line in &self.lines {
            write!(formatter, "\n    {line}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ContainerFailure {}

impl ContainerFailure {
    /// What to do next.
    pub fn hint(&self) -> String {
        let name = &self.container;
        match &self.problem {
            Problem::OutOfMemory { .. } => "give it more with `resources: { memory: … }`".to_owned(),
            Problem::Paused => format!("`docker unpause {}` lets it go on", self.name),
            Problem::CantStart { .. } => {
                "see that the image has the program, and that its user may execute it".to_owned()
            }
            _ => format!("see all it wrote with `motif logs {name}`"),
        }
    }
}

/// What is wrong with a container that a person looks at; nothing where it is as it should be.
pub fn problem(member: &Member) -> Option<Problem> {
    let crashing = |code| Problem::Crashing {
        restarts: member.restarts,
        code,
        probe: member.last_restart.as_ref().map(|restart| restart.reason.clone()),
    };
    let ended = |code: i64| {
        if member.is_out_of_memory {
            Problem::OutOfMemory { limit: member.memory }
        } else if let Some(reason) = &member.error {
            Problem::CantStart {
                reason: reason.clone(),
            }
        } else if member.restarts > 0 && !member.is_of_job {
            crashing(Some(code))
        } else {
            Problem::Ended { code }
        }
    };
    match (member.status, member.labels.role) {
        (Status::Created, _) => Some(match &member.error {
            Some(reason) => Problem::CantStart {
                reason: reason.clone(),
            },
            None => Problem::NeverStarted,
        }),
        (Status::Paused, _) => Some(Problem::Paused),
        (Status::Dead, _) => Some(Problem::Ended { code: -1 }),
        (Status::Restarting, _) => Some(ended(member.exit_code)),
        (Status::Running, Role::Init) => Some(Problem::Initializing),
        (Status::Running, _) if member.restarts > 1 && !member.is_settled => Some(crashing(None)),
        (Status::Running, _) => match member.health {
            Health::Unknown | Health::Ready => None,
            Health::Starting | Health::Unready => Some(Problem::NotReady),
        },
        (Status::Exited(0), Role::Init) => None,
        // Sidecars of a job are stopped when its work is done.
        (Status::Exited(_), Role::Sidecar) | (Status::Exited(0), Role::Main) if member.is_of_job => None,
        (Status::Exited(code), _) => Some(ended(code)),
    }
}

/// A pod or job as its stack's file has it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Wanted {
    /// How many replicas there should be; of a job none are counted.
    pub replicas: Option<u32>,
    /// What it comes after.
    pub after: Vec<String>,
}

/// Something that is not as it should be, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Diagnosis {
    /// What it is of.
    pub kind: Kind,
    /// `web-0`; of a pod that has no replica, `web`.
    pub name: String,
    /// What is the matter with it.
    pub matter: String,
    /// The causes that were found.
    pub causes: Vec<Cause>,
    /// Other replicas that are in the same state for the same causes.
    pub likewise: Vec<String>,
}

/// What can be not as it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Kind {
    /// A replica of a pod, or all.
    Pod,
    /// A run of a job.
    Run,
    /// A service.
    Service,
}

impl fmt::Display for Kind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Pod => "pod",
            Self::Run => "run",
            Self::Service => "service",
        })
    }
}

/// Why something is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Cause {
    /// One of its containers.
    Container(ContainerFailure),
    /// The owner of its network is gone.
    NoNetwork,
    /// It comes after something that is not as it should be either.
    After {
        /// The pod or job.
        on: String,
        /// What is the matter with that.
        matter: String,
    },
    /// A service has nobody to send to.
    NobodyReady {
        /// The pod behind it, where that is known.
        pod: Option<String>,
    },
}

impl fmt::Display for Diagnosis {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} `{}` {}", self.kind, self.name, self.matter)?;
        for cause in &self.causes {
            let text = match cause {
                Cause::Container(failure) => failure.to_string(),
                Cause::NoNetwork => {
                    "it has lost its network: the engine was restarted, or its infra container ended"
                        .to_owned()
                }
                Cause::After { on, matter } => format!("it comes after `{on}`, which {matter}"),
                Cause::NobodyReady { pod: Some(pod) } => format!("no replica of pod `{pod}` is ready"),
                Cause::NobodyReady { pod: None } => "nobody behind it is ready".to_owned(),
            };
            for line in text.lines() {
                write!(formatter, "\n  {line}")?;
            }
        }
        if !self.likewise.is_empty() {
            write!(formatter, "\n  likewise `{}`", self.likewise.join("`, `"))?;
        }
        Ok(())
    }
}

impl Cause {
    /// Whether another replica's cause is this one again.
    fn is_like(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Container(one), Self::Container(other)) => {
                let of = |failure: &ContainerFailure| Some(failure.container.split_once('/')?.1.to_owned());
                of(one) == of(other) && discriminant(&one.problem) == discriminant(&other.problem)
            }
            (one, other) => one == other,
        }
    }
}

impl Diagnosis {
    fn is_like(&self, other: &Self) -> bool {
        let causes = || self.causes.iter().zip(&other.causes);
        (self.kind, &self.matter, self.causes.len()) == (other.kind, &other.matter, other.causes.len())
            && causes().all(|(one, other)| one.is_like(other))
    }

    /// The same without a container that was told of already; nothing where no other cause is left.
    #[must_use]
    pub fn beside(mut self, told: &ContainerFailure) -> Option<Self> {
        let is_told = |cause: &Cause| matches!(cause, Cause::Container(failure) if failure.name == told.name);
        let causes = self.causes.len();
        self.causes.retain(|cause| !is_told(cause));
        (causes == self.causes.len() || !self.causes.is_empty()).then_some(self)
    }

    /// What to do next.
    pub fn hints(&self) -> Vec<String> {
        self.causes
            .iter()
            .filter_map(|cause| match cause {
                Cause::Container(failure) if failure.problem != Problem::NeverStarted => Some(failure.hint()),
                Cause::NoNetwork => Some("`motif up --detach` repairs it".to_owned()),
                Cause::Container(_) | Cause::After { .. } | Cause::NobodyReady { .. } => None,
            })
            .collect()
    }
}

/// Finds everything that is not as it should be among some units (pods, jobs and services by name), and among what they
/// come after; all units where none are named. A replica, `web-0`, may be named too. `wanted` is what the stack's file says, as far as it can be read.
pub fn diagnose(
    overviews: &[Overview],
    failures: &BTreeMap<String, ContainerFailure>,
    wanted: &BTreeMap<String, Wanted>,
    services: &BTreeMap<String, String>,
    selected: &BTreeSet<String>,
) -> Vec<Diagnosis> {
    let names: BTreeSet<&str> = overviews
        .iter()
        .filter(|overview| !overview.is_service)
        .map(|overview| overview.pod.as_str())
        .chain(wanted.keys().map(String::as_str))
        .collect();
    let own: BTreeMap<&str, Vec<Diagnosis>> = names
        .iter()
        .map(|name| (*name, of_unit(name, overviews, failures, wanted)))
        .collect();
    let mut found = Vec::new();
    let mut told = BTreeSet::new();
    let is_selected = |name: &str| selected.is_empty() || selected.contains(name);
    let has_selected = |name: &str| {
        is_selected(name)
            || overviews
                .iter()
                .any(|overview| overview.pod == name && selected.contains(&overview.name()))
    };
    let mut open: Vec<(&str, bool)> = names
        .iter()
        .filter(|name| has_selected(name))
        .map(|name| (*name, is_selected(name)))
        .collect();
    open.reverse();
    for overview in overviews.iter().filter(|overview| overview.is_service) {
        if is_selected(&overview.pod) && overview.members.iter().any(|member| problem(member).is_some()) {
            let pod = services.get(&overview.pod).cloned();
            // The reason of a service that has nobody is in the pod behind it.
            if selected.contains(&overview.pod)
                && let Some(name) = pod.as_deref().and_then(|pod| names.get(pod))
            {
                open.push((name, true));
            }
            found.push(of_service(overview, pod, failures));
        }
    }
    while let Some((name, is_whole)) = open.pop() {
        if !told.insert(name) {
            continue;
        }
        let Some(diagnoses) = own.get(name).filter(|diagnoses| !diagnoses.is_empty()) else {
            continue;
        };
        let meant = diagnoses
            .iter()
            .filter(|diagnosis| is_whole || selected.contains(&diagnosis.name));
        let mut diagnoses = merged(meant.cloned());
        if diagnoses.is_empty() {
            continue;
        }
        for on in after(name, overviews, wanted) {
            let Some((on, matter)) = names
                .get(on.as_str())
                .and_then(|on| Some((*on, own.get(on)?.first()?.matter.clone())))
            else {
                continue;
            };
            for diagnosis in &mut diagnoses {
                diagnosis.causes.push(Cause::After {
                    on: on.to_owned(),
                    matter: matter.clone(),
                });
            }
            open.push((on, true));
        }
        found.extend(diagnoses);
    }
    found
}

/// The first of those that are like one another tells of all.
fn merged(all: impl Iterator<Item = Diagnosis>) -> Vec<Diagnosis> {
    let mut found: Vec<Diagnosis> = Vec::new();
    for diagnosis in all {
        match found.iter_mut().find(|other| other.is_like(&diagnosis)) {
            Some(other) => other.likewise.push(diagnosis.name),
            None => found.push(diagnosis),
        }
    }
    found
}

/// What a pod or job comes after: as its file says, or as its containers do.
fn after(name: &str, overviews: &[Overview], wanted: &BTreeMap<String, Wanted>) -> BTreeSet<String> {
    let labelled = overviews
        .iter()
        .filter(|overview| !overview.is_service && overview.pod == name)
        .flat_map(|overview| &overview.members)
        .flat_map(|member| member.labels.after.iter().cloned());
    let written = wanted
        .get(name)
        .into_iter()
        .flat_map(|wanted| wanted.after.iter().cloned());
    labelled.chain(written).collect()
}

fn of_unit(
    name: &str,
    overviews: &[Overview],
    failures: &BTreeMap<String, ContainerFailure>,
    wanted: &BTreeMap<String, Wanted>,
) -> Vec<Diagnosis> {
    let standing: Vec<&Overview> = overviews
        .iter()
        .filter(|overview| !overview.is_service && overview.pod == name)
        .collect();
    let mut found: Vec<Diagnosis> = standing
        .iter()
        .filter_map(|overview| of_replica(overview, failures))
        .collect();
    if let Some(Wanted {
        replicas: Some(replicas),
        ..
    }) = wanted.get(name)
        && *replicas > 0
        && standing.is_empty()
    {
        found.push(Diagnosis {
            kind: Kind::Pod,
            name: name.to_owned(),
            matter: "was never started".to_owned(),
            causes: Vec::new(),
            likewise: Vec::new(),
        });
    }
    found
}

fn of_replica(overview: &Overview, failures: &BTreeMap<String, ContainerFailure>) -> Option<Diagnosis> {
    let kind = if overview.is_job { Kind::Run } else { Kind::Pod };
    let diagnosis = |matter: &str, causes| Diagnosis {
        kind,
        name: overview.name(),
        matter: matter.to_owned(),
        causes,
        likewise: Vec::new(),
    };
    if overview.has_lost_its_network() {
        return Some(diagnosis("is cut off", vec![Cause::NoNetwork]));
    }
    let ill: Vec<(&Member, Problem)> = overview
        .members
        .iter()
        .filter_map(|member| Some((member, problem(member)?)))
        .collect();
    // Those that were never started only wait for the others.
    let is_cause = |problem: &Problem| *problem != Problem::NeverStarted;
    let has_cause = ill.iter().any(|(_, problem)| is_cause(problem));
    let is_over = overview.is_job
        && overview
            .members
            .iter()
            .all(|member| matches!(member.status, Status::Exited(_) | Status::Dead | Status::Created));
    let causes: Vec<Cause> = ill
        .into_iter()
        .filter(|(_, problem)| !has_cause || is_cause(problem))
        .map(|(member, problem)| Cause::Container(failure(member, problem, failures)))
        .collect();
    let matter = if is_over { "failed" } else { "is not ready" };
    (!causes.is_empty()).then(|| diagnosis(matter, causes))
}

fn of_service(
    overview: &Overview,
    pod: Option<String>,
    failures: &BTreeMap<String, ContainerFailure>,
) -> Diagnosis {
    let broken = overview.members.iter().find_map(|member| {
        let problem = problem(member)?;
        (problem != Problem::NotReady).then(|| failure(member, problem, failures))
    });
    Diagnosis {
        kind: Kind::Service,
        name: overview.pod.clone(),
        matter: "sends to nobody".to_owned(),
        causes: vec![broken.map_or(Cause::NobodyReady { pod }, Cause::Container)],
        likewise: Vec::new(),
    }
}

fn failure(
    member: &Member,
    problem: Problem,
    failures: &BTreeMap<String, ContainerFailure>,
) -> ContainerFailure {
    let known = failures.get(&member.name).cloned();
    known.unwrap_or_else(|| ContainerFailure {
        pod: member.labels.pod.clone(),
        container: member.labels.display_name(),
        name: member.name.clone(),
        problem,
        answer: None,
        lines: Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;
    use crate::engine::labels::Labels;
    use crate::engine::overview::overview;

    fn member(pod: &str, container: &str, role: Role, status: Status, health: Health) -> Member {
        Member {
            id: String::new(),
            name: format!("shop-{pod}-0-{container}"),
            labels: Labels {
                stack: "shop".to_owned(),
                pod: pod.to_owned(),
                replica: 0,
                container: container.to_owned(),
                role,
                position: 0,
                hash: String::new(),
                due: None,
                index: None,
                after: Vec::new(),
            },
            image: String::new(),
            status,
            health,
            restarts: 0,
            last_restart: None,
            created: None,
            ports: Vec::new(),
            is_of_job: false,
            is_out_of_memory: false,
            error: None,
            exit_code: 1,
            memory: Some(64 << 20),
            is_settled: true,
            metrics: None,
            answer: None,
        }
    }

    fn told(members: &[Member], wanted: &[(&str, &[&str])], selected: &[&str]) -> String {
        let failures = members.iter().filter_map(|member| {
            let failure = ContainerFailure {
                pod: member.labels.pod.clone(),
                container: member.labels.display_name(),
                name: member.name.clone(),
                problem: problem(member)?,
                answer: member.answer.clone(),
                lines: vec!["last words".to_owned()],
            };
            Some((member.name.clone(), failure))
        });
        let wanted = wanted.iter().map(|(name, after)| {
            let wanted = Wanted {
                replicas: Some(1),
                after: after.iter().map(|name| (*name).to_owned()).collect(),
            };
            ((*name).to_owned(), wanted)
        });
        let services = BTreeMap::from([("front".to_owned(), "web".to_owned())]);
        let selected = selected.iter().map(|name| (*name).to_owned()).collect();
        let found = diagnose(
            &overview(members.to_vec()),
            &failures.collect(),
            &wanted.collect(),
            &services,
            &selected,
        );
        let texts: Vec<String> = found.iter().map(ToString::to_string).collect();
        texts.join("\n")
    }

    #[test]
    fn the_way_leads_from_what_is_seen_to_its_cause() {
        use Health::{Ready, Unknown, Unready};
        use Role::{Main, Proxy, Sidecar};
        use Status::{Created, Exited, Running};
        let mut db = member("db", "app", Main, Running, Unready);
        db.answer = Some("tcp 10.0.0.2:5432: connection refused".to_owned());
        let web = [
            member("web", "tls", Sidecar, Exited(1), Unknown),
            member("web", "app", Main, Created, Unknown),
        ];
        let mut service = member("front", "", Proxy, Running, Unready);
        "shop-front".clone_into(&mut service.name);
        let fine = member("fine", "app", Main, Running, Ready);
        let all = [vec![db, service, fine], web.to_vec()].concat();
        let wanted: &[(&str, &[&str])] = &[("web", &["db", "fine"]), ("late", &["web"]), ("db", &[])];
        assert_snapshot!(told(&all, wanted, &["late"]), @r"
        pod `late` was never started
          it comes after `web`, which is not ready
        pod `web-0` is not ready
          container `web-0/tls` ended with exit code 1
            its last lines:
              last words
          it comes after `db`, which is not ready
        pod `db-0` is not ready
          container `db-0/app` is not ready
            its probe said: tcp 10.0.0.2:5432: connection refused
            its last lines:
              last words
        ");
        assert_snapshot!(told(&all, &[], &["front"]), @r"
        service `front` sends to nobody
          no replica of pod `web` is ready
        pod `web-0` is not ready
          container `web-0/tls` ended with exit code 1
            its last lines:
              last words
        ");
        assert_eq!(told(&all, wanted, &["fine"]), "");
        assert_eq!(told(&all, wanted, &[]).matches("container `db-0/app`").count(), 1);
    }

    #[test]
    fn every_problem_has_its_words() {
        use Health::Unknown;
        use Role::{Init, Main};
        use Status::{Exited, Paused, Restarting, Running};
        let check = |change: fn(&mut Member), status, role, expect: &str| {
            let mut member = member("web", "app", role, status, Unknown);
            change(&mut member);
            let words = problem(&member).map(|problem| problem.to_string());
            assert_eq!(words.as_deref().unwrap_or(""), expect);
        };
        check(
            |_| {},
            Exited(127),
            Main,
            "ended with exit code 127 (no such program)",
        );
        check(
            |member| member.is_out_of_memory = true,
            Exited(137),
            Main,
            "was killed: it needs more memory than its limit of 64Mi",
        );
        check(
            |member| member.restarts = 4,
            Restarting,
            Main,
            "ends again and again: 4 restarts, last with exit code 1",
        );
        check(
            |member| member.error = Some("exec: \"x\": not found".to_owned()),
            Exited(127),
            Main,
            "can't be started: exec: \"x\": not found",
        );
        check(
            |member| (member.restarts, member.is_settled) = (4, false),
            Running,
            Main,
            "ends again and again: 4 restarts",
        );
        check(|member| member.restarts = 4, Running, Main, "");
        check(|_| {}, Paused, Main, "is paused");
        check(
            |_| {},
            Running,
            Init,
            "still runs, and the others wait for its end",
        );
        check(|_| {}, Exited(0), Init, "");
        check(|_| {}, Exited(0), Main, "ended with exit code 0");
        check(|member| member.is_of_job = true, Exited(0), Main, "");
    }
}
