//! Turns a stack and its images into the Docker objects that should be.

mod error;
mod fields;
mod objects;
mod probe;
mod service;
mod template;

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest, Sha256};

pub use error::Error;
pub use fields::hex;
pub use objects::{After, Container, Content, Desired, Health, Job, Mount, Published, Replica, Volume};
pub use probe::{probe_command, start_command};

use super::labels::Role;
use crate::stack::{self, EnvValue, Name, Restart, Stack, User};
use objects::Volumes;
pub use service::is_proxied;
use service::{proxy, udp_ports};
use template::Template;

/// The binary's path in every container that has it.
pub const BINARY: &str = "/.motif/motif";
/// The folder of the binary.
pub const BINARY_FOLDER: &str = "/.motif";
/// Where a watched container keeps when and why it was started again.
pub const RESTARTS_FOLDER: &str = "/.motif-restarts";
/// The variable that tells a run of an indexed job its index; Kubernetes' name.
const COMPLETION_INDEX: &str = "JOB_COMPLETION_INDEX";
/// The user of blocks and of whatever names none.
const NOBODY: User = User {
    uid: 65532,
    gid: 65532,
};

/// An image that the engine has.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Image {
    /// As a person names it, and as the engine finds it.
    pub name: String,
    /// `sha256:…`; empty while it has yet to be built.
    pub id: String,
    /// The user that it runs as; empty is root.
    pub user: String,
    /// The program that it starts, where nothing else is said.
    pub entrypoint: Vec<String>,
    /// The program's arguments, where nothing else is said.
    pub arguments: Vec<String>,
}

/// What a stack is turned into Docker objects with.
#[derive(Debug, Clone)]
pub struct Surroundings<'a> {
    /// The image of every container that is no block, by pod and container.
    pub images: &'a BTreeMap<(Name, Name), Image>,
    /// The image of the blocks.
    pub block_image: &'a Image,
    /// Whether files are copied into containers that say so, while they run.
    pub watches: bool,
    /// Whether it is known what each image starts.
    pub knows_programs: bool,
    /// Replicas that the command line asks for, by pod.
    pub scale: &'a BTreeMap<String, u32>,
}

impl Surroundings<'_> {
    /// Whether it is known which program a container runs, so that `init` can be put in front of it.
    fn knows_program(&self, container: &stack::Container) -> bool {
        self.knows_programs || names_program(container)
    }
}

/// Whether the stack itself says which program a container runs.
pub fn names_program(container: &stack::Container) -> bool {
    matches!(container.source, stack::Source::Block(_)) || container.command.command.is_some()
}

/// Turns a stack into the Docker objects that should be; or says everything that stands against it.
pub fn desire(stack: &Stack, surroundings: &Surroundings) -> Result<Desired, Vec<Error>> {
    let mut desired = Desired {
        stack: stack.name().to_string(),
        network: stack.name().to_string(),
        volumes: BTreeMap::new(),
        replicas: Vec::new(),
        jobs: Vec::new(),
        after: after(stack),
        services: stack
            .services()
            .iter()
            .map(|service| (service.name.to_string(), service.pod.to_string()))
            .collect(),
    };
    let mut errors = wrong_scales(stack, surroundings.scale);
    let mut volumes = Volumes::default();
    for pod in stack.pods() {
        let count = surroundings
            .scale
            .get(pod.name.as_str())
            .copied()
            .unwrap_or(pod.replicas);
        let template = Template::of_pod(stack, surroundings, pod, count);
        match template.check() {
            Ok(()) => {
                for index in 0..count {
                    let replica = template.replica(index, &mut volumes);
                    desired.replicas.push(replica);
                }
            }
            Err(more) => errors.extend(more),
        }
    }
    for job in stack.jobs() {
        match Template::of_job(stack, surroundings, job).check() {
            Ok(()) => {
                let (run, of_run) = run(stack, surroundings, job, RunName::default());
                volumes.clashes.extend(of_run.clashes);
                for (name, volume) in of_run.made {
                    // What each run has for itself is made for each run.
                    if !volume.is_of_a_replica() {
                        volumes.add(name, volume);
                    }
                }
                desired.jobs.push(Job {
                    name: job.name.to_string(),
                    completions: job.completions,
                    parallelism: job.parallelism,
                    retries: job.retries,
                    deadline: job.deadline,
                    indexed: job.indexed,
                    ttl: job.ttl,
                    schedule: job.schedule.clone(),
                    concurrency: job.concurrency,
                    digest: digest_of_run(&run),
                });
            }
            Err(more) => errors.extend(more),
        }
    }
    for service in stack.services() {
        let Some(pod) = stack.pod(service.pod.as_str()) else {
            continue;
        };
        let count = surroundings
            .scale
            .get(pod.name.as_str())
            .copied()
            .unwrap_or(pod.replicas);
        if is_proxied(service, count) {
            errors.extend(udp_ports(service));
            desired.replicas.push(proxy(stack, surroundings, service, pod));
        }
    }
    let containers = desired.replicas.iter().flat_map(|replica| &replica.containers);
    errors.extend(clashes(
        "containers",
        containers.map(|container| container.name.clone()),
    ));
    errors.extend(clashes("built images", built_images(stack)));
    desired.volumes = volumes.made;
    errors.extend(volumes.clashes.into_iter().map(|name| Error::Clash {
        kind: "volumes",
        name,
    }));
    if errors.is_empty() {
        Ok(desired)
    } else {
        Err(errors)
    }
}

/// What is wrong with the replicas that the command line asks for.
fn wrong_scales(stack: &Stack, scale: &BTreeMap<String, u32>) -> Vec<Error> {
    let wrong = scale.iter().filter_map(|(name, &count)| match stack.pod(name) {
        None => Some(Error::NoPod {
            name: name.clone(),
            known: stack.pods().iter().map(|pod| pod.name.to_string()).collect(),
        }),
        Some(pod) if pod.range.is_some() && !(pod.replicas..=pod.most()).contains(&count) => {
            Some(Error::OutOfRange {
                pod: pod.name.clone(),
                count,
                fewest: pod.replicas,
                most: pod.most(),
            })
        }
        Some(_) => None,
    });
    wrong.collect()
}

/// The names that more than one of a kind would have.
pub fn clashes(kind: &'static str, names: impl Iterator<Item = String>) -> impl Iterator<Item = Error> {
    let mut seen = BTreeSet::new();
    let twice = names.filter(move |name| !seen.insert(name.clone()));
    twice.map(move |name| Error::Clash { kind, name })
}

/// The name of the image that is built for a container.
pub fn built_image(stack: &str, pod: &str, container: &str) -> String {
    format!("{stack}-{pod}-{container}")
}

/// The images that a stack builds, by name.
fn built_images(stack: &Stack) -> impl Iterator<Item = String> {
    let pods = stack.pods().iter().map(|pod| (&pod.name, &pod.spec));
    let jobs = stack.jobs().iter().map(|job| (&job.name, &job.spec));
    pods.chain(jobs).flat_map(|(pod, spec)| {
        let built = spec
            .containers
            .iter()
            .filter(|container| matches!(container.source, stack::Source::Build(_)));
        built.map(|container| built_image(stack.name().as_str(), pod.as_str(), container.name.as_str()))
    })
}

/// What pods and jobs wait for, by name; those that wait for nothing are left out.
fn after(stack: &Stack) -> BTreeMap<String, Vec<After>> {
    let pods = stack.pods().iter().map(|pod| (&pod.name, &pod.spec));
    let jobs = stack.jobs().iter().map(|job| (&job.name, &job.spec));
    let waiting = pods.chain(jobs).filter(|(_, spec)| !spec.after.is_empty());
    waiting
        .map(|(name, spec)| {
            let after = spec.after.iter().map(|dependency| After {
                on: dependency.on.to_string(),
                until: dependency.until,
            });
            (name.to_string(), after.collect())
        })
        .collect()
}

/// Which run of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct RunName {
    /// When a scheduled job was due, in minutes since 1970.
    pub due: Option<u64>,
    /// How many runs there were before it.
    pub number: u32,
    /// Its index, in an indexed job.
    pub index: Option<u32>,
}

/// One run of a job, with the volumes that it mounts.
pub fn job_run(
    stack: &Stack,
    surroundings: &Surroundings,
    job: &stack::Job,
    name: RunName,
) -> (Replica, BTreeMap<String, Volume>) {
    let (replica, volumes) = run(stack, surroundings, job, name);
    (replica, volumes.made)
}

fn run(stack: &Stack, surroundings: &Surroundings, job: &stack::Job, name: RunName) -> (Replica, Volumes) {
    let mut volumes = Volumes::default();
    let template = Template::of_run(stack, surroundings, job, name.due);
    let mut run = template.replica(name.number, &mut volumes);
    for container in &mut run.containers {
        if container.role == Role::Main {
            // A failed run is counted, and another one made.
            container.restart = Restart::Never;
        }
    }
    let digest = digest_of_run(&run);
    for container in &mut run.containers {
        container.job = Some(digest.clone());
        container.index = name.index;
        if let Some(index) = name.index
            && container.role != Role::Infra
            && !container.env.iter().any(|(name, _)| name == COMPLETION_INDEX)
        {
            let value = EnvValue::Text(index.to_string());
            container.env.push((COMPLETION_INDEX.to_owned(), value));
        }
    }
    (run, volumes)
}

/// What a run does, whichever it is: its own name is left out.
fn digest_of_run(run: &Replica) -> String {
    let mut digest = Sha256::new();
    let own = run
        .containers
        .first()
        .map(|owner| owner.name.clone())
        .unwrap_or_default();
    for container in &run.containers {
        let mut fields = container.fields();
        fields.remove("names");
        fields.remove("hostname");
        for (name, value) in fields {
            digest.update(format!("{name:?}={:?}\n", value.replace(&own, "")));
        }
    }
    hex(&digest.finalize())
}

#[cfg(test)]
mod tests;
