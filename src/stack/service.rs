//! A stable name and address for the ready replicas of a pod.

use std::net::IpAddr;

use super::{Name, Place, Protocol};

/// A service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// Name, which other pods dial.
    pub name: Name,
    /// Where it was declared.
    pub place: Place,
    /// The pod behind it.
    pub pod: Name,
    /// Its ports, in the order written.
    pub ports: Vec<ServicePort>,
    /// Who gets the same replica again.
    pub affinity: Affinity,
    /// Whether the name answers with every replica's address instead of one of its own.
    pub headless: bool,
}

/// A port of a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServicePort {
    /// Name, unique in its service.
    pub name: Name,
    /// Where it was declared.
    pub place: Place,
    /// The port that clients dial.
    pub port: u16,
    /// The pod's port behind it, by number.
    pub target: u16,
    /// The pod's port behind it, by name, where the pod names it.
    pub target_name: Option<Name>,
    /// Transport.
    pub protocol: Protocol,
    /// Where it is published on the host.
    pub publish: Option<Publish>,
}

/// A port on the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Publish {
    /// Address; default 127.0.0.1.
    pub address: IpAddr,
    /// Port; 0 lets the engine choose.
    pub port: u16,
}

/// Who gets the same replica again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Affinity {
    /// Nobody.
    None,
    /// A client address.
    Client,
}
