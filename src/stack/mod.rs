//! The typed model of `stack.yaml`: what engine, export and verify understand.
//!
//! Knows no file, engine or terminal.
//! A [`Stack`] can only be made by the checker, so whoever holds one holds a valid one:
//! every reference resolves, every name is a DNS label, every port is free.

mod check;
mod container;
mod egress;
mod files;
mod include;
mod interface;
mod load;
mod merge;
mod name;
mod pod;
mod probe;
pub mod promise;
mod raw;
mod raw_promise;
mod schedule;
mod schema;
mod secret;
mod service;
mod substitute;
mod volume;

use std::collections::BTreeMap;

pub use container::{
    Build, Command, Container, ContainerPort, EnvValue, Mount, Protocol, Resources, Role, Security,
    SecurityLevel, Source, Sync, User, is_common_variable,
};
pub use egress::{Edge, Network, Peer};
pub use files::{FileError, FileKind, Files, MemoryFiles, project_path};
pub use include::{NotEditable, begins, exclude, include, stands};
pub use interface::{BlockInterface, FlagInterface};
pub use load::{Change, Declaration, Loaded, Options, load};
pub use name::Name;
pub use pod::{Concurrency, Dependency, Job, Pod, PodSpec, Range, Restart, Until};
pub use probe::{Action, Probe, Probes, Scheme};
pub use schedule::Schedule;
pub use schema::json_schema;
pub use secret::{Secret, SecretSource};
pub use service::{Affinity, Publish, Service, ServicePort};
pub use volume::{ConfigFile, Volume, VolumeKind};

pub use crate::diagnostic::Place;
pub use crate::parameters::{
    Bytes, ImageReference, Kind, MilliCpu, Parameter, Value, parse_duration, quantity,
};

use promise::Promise;

/// A checked stack.
///
/// Invariant: names are unique per kind; every volume, port, pod and secret that is
/// named exists; no two services publish the same host port.
#[derive(Debug, Clone, PartialEq)]
pub struct Stack {
    name: Name,
    pods: Vec<Pod>,
    jobs: Vec<Job>,
    services: Vec<Service>,
    secrets: BTreeMap<Name, Secret>,
    promises: Vec<Promise>,
    parameters: BTreeMap<String, Value>,
}

impl Stack {
    /// The stack's name: prefix of everything that it owns.
    pub fn name(&self) -> &Name {
        &self.name
    }

    /// Pods, in the order written.
    pub fn pods(&self) -> &[Pod] {
        &self.pods
    }

    /// Jobs, in the order written.
    pub fn jobs(&self) -> &[Job] {
        &self.jobs
    }

    /// Services, in the order written.
    pub fn services(&self) -> &[Service] {
        &self.services
    }

    /// Secrets by name; their values are never part of the model.
    pub fn secrets(&self) -> &BTreeMap<Name, Secret> {
        &self.secrets
    }

    /// What it guarantees, in the order written.
    pub fn promises(&self) -> &[Promise] {
        &self.promises
    }

    /// The values that `${…}` took.
    pub fn parameters(&self) -> &BTreeMap<String, Value> {
        &self.parameters
    }

    /// Finds a pod by name.
    pub fn pod(&self, name: &str) -> Option<&Pod> {
        self.pods.iter().find(|pod| pod.name.as_str() == name)
    }

    /// Services in front of a pod.
    pub fn services_of<'a>(&'a self, pod: &'a Name) -> impl Iterator<Item = &'a Service> {
        self.services.iter().filter(move |service| &service.pod == pod)
    }
}
