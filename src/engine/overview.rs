//! Turns a stack's containers into one line for each replica: how many are ready, and what it is doing.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use time::OffsetDateTime;

use super::labels::{Labels, Role, replica_name};
use super::observed::{Port, Status};

/// A container as a person asks about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// The engine's id.
    pub id: String,
    /// Its name on the engine.
    pub name: String,
    /// Its labels.
    pub labels: Labels,
    /// Its image, as the stack names it.
    pub image: String,
    /// Whether it runs.
    pub status: Status,
    /// What its probes say.
    pub health: Health,
    /// How often the engine started it again.
    pub restarts: i64,
    /// Why a probe last ended it.
    pub last_restart: Option<LastRestart>,
    /// When it was made.
    pub created: Option<OffsetDateTime>,
    /// What it publishes on the host.
    pub ports: Vec<Port>,
    /// Whether it is part of a job's run.
    pub is_of_job: bool,
    /// Whether it ended because it wanted more memory than there was.
    pub is_out_of_memory: bool,
    /// Why the engine couldn't start it.
    pub error: Option<String>,
    /// What it ended with last.
    pub exit_code: i64,
    /// The most memory that it may have, in bytes.
    pub memory: Option<u64>,
    /// What its probe got last, where it doesn't pass.
    pub answer: Option<String>,
    /// Whether it has run for some time since it was started last.
    pub is_settled: bool,
    /// The admin port of the block that it runs, where that has metrics.
    pub metrics: Option<SocketAddr>,
}

/// A restart that a failed probe caused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastRestart {
    /// The probe and what it got: `liveness: http://…: 503 Service Unavailable, 3 times in a row`.
    pub reason: String,
    /// When.
    pub at: OffsetDateTime,
    /// How many there were without a longer quiet time in between.
    pub in_a_row: u32,
}

/// What a container's probes say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// It has none.
    Unknown,
    /// They have not passed yet.
    Starting,
    /// They pass.
    Ready,
    /// They fail.
    Unready,
}

impl Health {
    /// In a word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "none",
            Self::Starting => "starting",
            Self::Ready => "ready",
            Self::Unready => "unready",
        }
    }
}

impl Member {
    /// Whether it counts as ready.
    pub fn is_ready(&self) -> bool {
        self.status == Status::Running && matches!(self.health, Health::Unknown | Health::Ready)
    }

    /// In a word or two.
    pub fn state(&self) -> String {
        match self.status {
            Status::Created => "created".to_owned(),
            Status::Paused => "paused".to_owned(),
            Status::Restarting => "restarting".to_owned(),
            Status::Dead => "dead".to_owned(),
            Status::Exited(0) => "completed".to_owned(),
            Status::Exited(code) => format!("exited ({code})"),
            Status::Running => match self.health {
                Health::Unknown | Health::Ready => "running".to_owned(),
                Health::Starting => "starting".to_owned(),
                Health::Unready => "not ready".to_owned(),
            },
        }
    }
}

/// A replica of a pod, or the proxy of a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overview {
    /// The pod, job or service.
    pub pod: String,
    /// The replica's index, from 0.
    pub replica: u32,
    /// When it was due, in minutes since 1970; runs of a scheduled job only.
    pub due: Option<u64>,
    /// Whether it holds a service.
    pub is_service: bool,
    /// Whether it is a run of a job.
    pub is_job: bool,
    /// Its containers in the order of their start, without those that only hold the pod together.
    pub members: Vec<Member>,
    /// What it publishes on the host.
    pub ports: Vec<Port>,
    /// How the owner of its network is, where that is a container of its own.
    pub owner: Option<Status>,
}

/// What a container ends with that can't join the network of its pod: the engine's own failure to start it.
const NOT_JOINED: i64 = 128;

impl Overview {
    /// `web-0`, or `service/web`.
    pub fn name(&self) -> String {
        if self.is_service {
            format!("service/{}", self.pod)
        } else {
            replica_name(&self.pod, self.due, self.replica)
        }
    }

    /// The containers that count: init containers are done when the others run.
    fn lasting(&self) -> impl Iterator<Item = &Member> {
        self.members
            .iter()
            .filter(|member| member.labels.role != Role::Init)
    }

    /// How many containers are ready, of how many.
    pub fn ready(&self) -> (usize, usize) {
        (
            self.lasting().filter(|member| member.is_ready()).count(),
            self.lasting().count(),
        )
    }

    /// Whether it ended and nothing is wrong.
    pub fn is_completed(&self) -> bool {
        self.state() == "completed"
    }

    /// What it is doing, in a word or two: the worst of its containers.
    pub fn state(&self) -> String {
        if self.has_lost_its_network() {
            return "no network".to_owned();
        }
        for init in self
            .members
            .iter()
            .filter(|member| member.labels.role == Role::Init)
        {
            match init.status {
                Status::Exited(0) | Status::Created => {}
                Status::Exited(code) => return format!("init failed ({code})"),
                _ => return "initializing".to_owned(),
            }
        }
        let mut mains = self
            .members
            .iter()
            .filter(|member| matches!(member.labels.role, Role::Main | Role::Proxy))
            .peekable();
        // A job's sidecars end after it, by a signal: they say nothing about it.
        if mains.peek().is_some() && mains.all(|main| main.status == Status::Exited(0)) {
            return "completed".to_owned();
        }
        let rank = |member: &&Member| match member.status {
            Status::Dead => 0,
            Status::Exited(code) if code != 0 => 1,
            Status::Restarting => 2,
            Status::Created => 3,
            Status::Paused => 4,
            Status::Exited(_) => 5,
            Status::Running => match member.health {
                Health::Unready => 6,
                Health::Starting => 7,
                Health::Unknown | Health::Ready => 8,
            },
        };
        self.lasting()
            .min_by_key(rank)
            .map_or_else(|| "created".to_owned(), Member::state)
    }

    /// Whether its containers run, or tried to, in a network whose owner is gone. `up` repairs it.
    pub fn has_lost_its_network(&self) -> bool {
        let is_gone = self.owner.is_some_and(|owner| owner != Status::Running);
        let misses_it = |member: &Member| {
            matches!(
                member.status,
                Status::Running | Status::Restarting | Status::Exited(NOT_JOINED)
            )
        };
        is_gone && self.lasting().any(misses_it)
    }

    /// How often its containers were started again.
    pub fn restarts(&self) -> i64 {
        self.members.iter().map(|member| member.restarts).sum()
    }

    /// The last restart that a failed probe caused, with the container.
    pub fn last_restart(&self) -> Option<(&Member, &LastRestart)> {
        self.members
            .iter()
            .filter_map(|member| Some((member, member.last_restart.as_ref()?)))
            .max_by_key(|(_, restart)| restart.at)
    }

    /// When its first container was made.
    pub fn created(&self) -> Option<OffsetDateTime> {
        self.members.iter().filter_map(|member| member.created).min()
    }

    /// The images of what it is for.
    pub fn images(&self) -> Vec<&str> {
        let mut images: Vec<&str> = self
            .members
            .iter()
            .filter(|member| matches!(member.labels.role, Role::Main | Role::Proxy))
            .map(|member| member.image.as_str())
            .collect();
        images.dedup();
        images
    }
}

/// Groups containers by replica: pods by name, then the proxies of services.
pub fn overview(members: Vec<Member>) -> Vec<Overview> {
    let mut replicas: BTreeMap<(bool, String, Option<u64>, u32), Overview> = BTreeMap::new();
    for member in members {
        let labels = &member.labels;
        if labels.role == Role::Carrier {
            continue;
        }
        let is_service = labels.role == Role::Proxy;
        let key = (is_service, labels.pod.clone(), labels.due, labels.replica);
        let replica = replicas.entry(key).or_insert_with(|| Overview {
            pod: labels.pod.clone(),
            replica: labels.replica,
            due: labels.due,
            is_service,
            is_job: member.is_of_job,
            members: Vec::new(),
            ports: Vec::new(),
            owner: None,
        });
        replica.ports.extend(member.ports.iter().cloned());
        if labels.role == Role::Infra {
            replica.owner = Some(member.status);
        } else {
            replica.members.push(member);
        }
    }
    let mut replicas: Vec<Overview> = replicas.into_values().collect();
    for replica in &mut replicas {
        replica.members.sort_by(|one, other| {
            let key = |member: &Member| (member.labels.position, member.labels.role, member.name.clone());
            key(one).cmp(&key(other))
        });
        replica.ports.sort();
        replica.ports.dedup();
    }
    replicas
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(pod: &str, replica: u32, role: Role, status: Status, health: Health) -> Member {
        Member {
            id: String::new(),
            name: format!("{pod}-{replica}-{}", role.as_str()),
            labels: Labels {
                stack: "shop".to_owned(),
                pod: pod.to_owned(),
                replica,
                container: "app".to_owned(),
                role,
                position: 0,
                hash: String::new(),
                due: None,
                index: None,
                after: Vec::new(),
            },
            image: format!("{}:1", role.as_str()),
            status,
            health,
            restarts: 1,
            last_restart: None,
            created: None,
            ports: Vec::new(),
            is_of_job: false,
            is_out_of_memory: false,
            error: None,
            exit_code: 0,
            memory: None,
            answer: None,
            is_settled: true,
            metrics: None,
        }
    }

    #[track_caller]
    fn check(members: &[(Role, Status, Health)], expect: &str) {
        let members = members
            .iter()
            .map(|(role, status, health)| member("web", 0, *role, *status, *health))
            .collect();
        let [replica] = &overview(members)[..] else {
            panic!("one replica");
        };
        let (ready, all) = replica.ready();
        assert_eq!(format!("{ready}/{all} {}", replica.state()), expect);
    }

    #[test]
    fn a_replica_is_as_well_as_its_worst_container() {
        use Health::{Ready, Starting, Unknown, Unready};
        use Role::{Infra, Init, Main, Proxy, Sidecar};
        use Status::{Created, Exited, Paused, Restarting, Running};
        check(
            &[
                (Infra, Running, Unknown),
                (Main, Running, Ready),
                (Sidecar, Running, Unknown),
            ],
            "2/2 running",
        );
        check(
            &[(Main, Running, Ready), (Sidecar, Running, Starting)],
            "1/2 starting",
        );
        check(
            &[(Main, Running, Unready), (Sidecar, Running, Starting)],
            "0/2 not ready",
        );
        check(
            &[(Main, Restarting, Unready), (Sidecar, Running, Ready)],
            "1/2 restarting",
        );
        check(
            &[(Main, Exited(137), Unknown), (Sidecar, Running, Ready)],
            "1/2 exited (137)",
        );
        check(
            &[(Init, Exited(0), Unknown), (Main, Running, Ready)],
            "1/1 running",
        );
        check(
            &[(Init, Running, Unknown), (Main, Created, Unknown)],
            "0/1 initializing",
        );
        check(
            &[(Init, Exited(1), Unknown), (Main, Created, Unknown)],
            "0/1 init failed (1)",
        );
        check(
            &[(Main, Exited(0), Unknown), (Sidecar, Exited(143), Unknown)],
            "0/2 completed",
        );
        check(&[(Main, Paused, Ready)], "0/1 paused");
        check(&[(Proxy, Running, Ready)], "1/1 running");
        check(&[(Infra, Running, Unknown)], "0/0 created");
        check(
            &[(Infra, Exited(137), Unknown), (Main, Running, Ready)],
            "1/1 no network",
        );
        check(
            &[(Infra, Exited(0), Unknown), (Main, Exited(128), Unknown)],
            "0/1 no network",
        );
        check(
            &[(Infra, Exited(0), Unknown), (Main, Exited(0), Unknown)],
            "0/1 completed",
        );
    }

    #[test]
    fn replicas_are_in_order_and_services_come_last() {
        let running = |pod: &str, replica, role| member(pod, replica, role, Status::Running, Health::Unknown);
        let found = overview(vec![
            running("web", 10, Role::Main),
            running("web", 0, Role::Proxy),
            running("web", 2, Role::Main),
            running("web", 2, Role::Infra),
            running("db", 0, Role::Main),
            running("carrier", 0, Role::Carrier),
        ]);
        let names: Vec<String> = found.iter().map(Overview::name).collect();
        assert_eq!(names, ["db-0", "web-2", "web-10", "service/web"]);
        assert_eq!(found[1].images(), ["main:1"]);
        assert_eq!(found[1].restarts(), 1);
    }
}
