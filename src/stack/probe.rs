//! Startup, readiness and liveness.

use std::time::Duration;

use super::Place;

/// The probes of a container.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Probes {
    /// Holds back the other two, and the next container, until it passes.
    pub startup: Option<Probe>,
    /// Decides whether services send traffic.
    pub ready: Option<Probe>,
    /// Decides whether the container is restarted.
    pub live: Option<Probe>,
}

/// One probe; names and defaults are Kubernetes'.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    /// Where it was declared.
    pub place: Place,
    /// What is tried.
    pub action: Action,
    /// Time before the first try (`initialDelaySeconds`). Default 0 s.
    pub delay: Duration,
    /// Time between tries (`periodSeconds`). Default 10 s.
    pub every: Duration,
    /// Time after which a try failed (`timeoutSeconds`). Default 1 s.
    pub timeout: Duration,
    /// Failed tries in a row before the probe fails (`failureThreshold`). Default 3.
    pub failures: u32,
    /// Good tries in a row before the probe passes (`successThreshold`). Default 1.
    pub successes: u32,
}

/// What a probe tries. Network probes dial the pod's own address, as the kubelet does,
/// not its loopback address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Passes when the status is 200 to 399.
    Http {
        /// Path and query, with the leading `/`.
        path: String,
        /// Port.
        port: u16,
        /// `http` (default) or `https`; the certificate is not checked, as in Kubernetes.
        scheme: Scheme,
        /// Headers, in the order written.
        headers: Vec<(String, String)>,
    },
    /// Passes when a connection opens.
    Tcp {
        /// Port.
        port: u16,
    },
    /// Passes when the command, run in the container, exits with 0.
    Exec {
        /// Program and arguments.
        command: Vec<String>,
    },
    /// Passes when the gRPC health service says SERVING.
    Grpc {
        /// Port.
        port: u16,
        /// Service name asked for; empty for the server as a whole.
        service: String,
    },
}

/// The scheme of an HTTP probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// Plain.
    Http,
    /// TLS.
    Https,
}
