//! What runs: each replica of a pod, each run of a job, each proxy.

use std::collections::BTreeMap;

use crate::engine::desired::{Container, Desired, Replica, RunName, Surroundings, Volume, job_run};
use crate::engine::labels::Role;
use crate::stack::{Job, PodSpec, Stack};

/// One of them.
pub struct Unit<'a> {
    /// Its containers.
    pub replica: Replica,
    /// Of a pod or job: its containers and volumes, as written.
    pub spec: Option<&'a PodSpec>,
    /// Of a job: itself.
    pub job: Option<&'a Job>,
}

/// Everything that runs, pods first and jobs last, and the volumes that it mounts.
pub fn units<'a>(
    stack: &'a Stack,
    surroundings: &Surroundings,
    desired: Desired,
) -> (Vec<Unit<'a>>, BTreeMap<String, Volume>) {
    let mut volumes = desired.volumes;
    let mut units: Vec<Unit> = Vec::new();
    for replica in desired.replicas {
        let pod = stack.pod(&replica.pod).filter(|_| !replica.is_proxy());
        units.push(Unit {
            spec: pod.map(|pod| &pod.spec),
            job: None,
            replica,
        });
    }
    for job in stack.jobs() {
        for number in 0..job.completions {
            let name = RunName {
                due: None,
                number,
                index: job.indexed.then_some(number),
            };
            let (replica, more) = job_run(stack, surroundings, job, name);
            volumes.extend(more);
            units.push(Unit {
                spec: Some(&job.spec),
                job: Some(job),
                replica,
            });
        }
    }
    (units, volumes)
}

impl Unit<'_> {
    /// Each container, with what the stack says of it.
    pub fn services(&self) -> impl Iterator<Item = (Option<&crate::stack::Container>, &Container)> {
        self.replica
            .containers
            .iter()
            .map(|container| (self.written(container), container))
    }

    fn written(&self, container: &Container) -> Option<&crate::stack::Container> {
        let containers = &self.spec?.containers;
        let is_it = |written: &&crate::stack::Container| written.name.as_str() == container.own_name;
        containers.iter().find(is_it)
    }

    /// Containers of one role.
    pub fn with_role(&self, role: Role) -> impl Iterator<Item = &Container> {
        self.replica
            .containers
            .iter()
            .filter(move |container| container.role == role)
    }

    /// Whether Compose starts it by itself.
    pub fn is_scheduled(&self) -> bool {
        self.job.is_some_and(|job| job.schedule.is_some())
    }
}
