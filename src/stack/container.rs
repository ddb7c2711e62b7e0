//! One container of a pod.

use std::fmt;

use super::{Bytes, ImageReference, MilliCpu, Name, Place, Probes};

/// One container.
#[derive(Debug, Clone, PartialEq)]
pub struct Container {
    /// Name, unique in its pod.
    pub name: Name,
    /// Where it was declared.
    pub place: Place,
    /// Order and lifetime.
    pub role: Role,
    /// What runs.
    pub source: Source,
    /// What is run in it.
    pub command: Command,
    /// Environment, in the order written.
    pub env: Vec<(String, EnvValue)>,
    /// Ports that it serves, in the order written.
    pub ports: Vec<ContainerPort>,
    /// Volumes that it sees, in the order written.
    pub mounts: Vec<Mount>,
    /// Limits, which are its requests too.
    pub resources: Resources,
    /// Startup, readiness and liveness.
    pub probes: Probes,
    /// User, file system and capabilities.
    pub security: Security,
    /// Working directory, instead of the image's.
    pub directory: Option<String>,
    /// What `up --watch` copies into it, in the order written.
    pub sync: Vec<Sync>,
}

/// Files of the project that are copied into a running container when they change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sync {
    /// A file or folder, relative to the project.
    pub from: String,
    /// The absolute path in the container.
    pub to: String,
    /// Whether the container is started again after each copy.
    pub restart: bool,
}

/// Order and lifetime, as in Kubernetes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Runs to its end before the next container starts.
    Init,
    /// Starts before, and stops after, the main containers.
    Sidecar,
    /// What the pod is for; the default.
    Main,
}

impl fmt::Display for Role {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Init => "init",
            Self::Sidecar => "sidecar",
            Self::Main => "main",
        })
    }
}

/// What runs in a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// An image as it is.
    Image(ImageReference),
    /// A folder with a Dockerfile.
    Build(Build),
    /// A building block of this binary, by name; its flags are `Command::args`.
    Block(String),
}

/// How a folder becomes an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Build {
    /// The build context, relative to the project.
    pub context: String,
    /// The Dockerfile, relative to the context. Default `Dockerfile`.
    pub dockerfile: String,
    /// Build arguments, in the order written.
    pub args: Vec<(String, String)>,
    /// The stage to build; default the last.
    pub target: Option<String>,
    /// Secrets that a step can mount: the id, the secret and its key, in the order written.
    pub secrets: Vec<(String, Name, String)>,
    /// The platform to build for; default the engine's.
    pub platform: Option<String>,
}

/// What is run in a container, in Kubernetes' words.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Command {
    /// Replaces the image's entry point (`command` in Kubernetes, `entrypoint` in Docker).
    pub command: Option<Vec<String>>,
    /// Replaces the image's arguments (`args` in Kubernetes, `command` in Docker).
    /// For a block: its flags, `--listen=8443`.
    pub args: Option<Vec<String>>,
}

/// The value of an environment variable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EnvValue {
    /// Text, as written.
    Text(String),
    /// A key of a secret.
    Secret {
        /// The secret's name.
        secret: Name,
        /// The key in it.
        key: String,
    },
}

/// A port that a container serves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainerPort {
    /// Name, unique in its pod; at most 15 characters, as in Kubernetes.
    pub name: Name,
    /// Where it was declared.
    pub place: Place,
    /// The port.
    pub port: u16,
    /// Transport.
    pub protocol: Protocol,
    /// Whether it is meant for the pod's own containers only: the program binds the loopback address.
    pub local: bool,
}

/// A transport protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Protocol {
    /// TCP; the default.
    Tcp,
    /// UDP.
    Udp,
}

/// A volume at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// The volume's name in its pod.
    pub volume: Name,
    /// The absolute path in the container.
    pub path: String,
    /// Whether it is read only. Config and secret volumes always are.
    pub read_only: bool,
}

/// Limits; on a cluster they are the requests too (quality of service class Guaranteed).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Resources {
    /// Processor time.
    pub cpu: Option<MilliCpu>,
    /// Memory.
    pub memory: Option<Bytes>,
}

/// Who a container runs as and what it may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Security {
    /// The Pod Security Standard that it keeps.
    pub level: SecurityLevel,
    /// User and group; default: the image's, and 65532 for a block.
    pub user: Option<User>,
    /// Whether the root file system is read only. Default: true when restricted.
    pub read_only_root: bool,
    /// Capabilities added to those of the level, in the order written, without `CAP_`.
    pub capabilities: Vec<String>,
}

/// A level of the Kubernetes Pod Security Standards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SecurityLevel {
    /// Not root, no capabilities, no new privileges, read-only root; the default.
    Restricted,
    /// The image's user, the engine's default capabilities, no new privileges.
    Baseline,
}

/// Whether every cluster takes a name of an environment variable: letters, digits, `_`, `-` and `.`, no digit first.
///
/// Kubernetes takes others as of 1.32 (feature `RelaxedEnvironmentVariableValidation`).
pub fn is_common_variable(name: &str) -> bool {
    let is_common = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    name.bytes().all(is_common) && !name.starts_with(|first: char| first.is_ascii_digit())
}

/// A numeric user and group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct User {
    /// User id.
    pub uid: u32,
    /// Group id; default: the user id.
    pub gid: u32,
}
