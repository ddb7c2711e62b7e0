//! A Compose file as data; names and order of the fields are the specification's.

use std::collections::BTreeMap;

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use super::text::Text;

/// Names to values, in the order in which they were added.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ordered<V>(pub Vec<(String, V)>);

impl<V> Default for Ordered<V> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<V> Ordered<V> {
    /// Adds a value, unless the name has one.
    pub fn add(&mut self, name: String, value: V) {
        if !self.0.iter().any(|(other, _)| *other == name) {
            self.0.push((name, value));
        }
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<V: Serialize> Serialize for Ordered<V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

/// The file.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Document {
    /// The project.
    pub name: Text,
    /// What runs.
    pub services: Ordered<Service>,
    /// Files written here or beside.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub configs: BTreeMap<String, Config>,
    /// Files beside.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub secrets: BTreeMap<String, Secret>,
    /// Named volumes.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub volumes: BTreeMap<String, Volume>,
    /// What no field holds of the stack.
    #[serde(rename = "x-motif", skip_serializing_if = "serde_json::Map::is_empty")]
    pub rest: serde_json::Map<String, serde_json::Value>,
}

/// A file of a config.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Config {
    /// Its text.
    Content(Text),
    /// Its path.
    File(Text),
}

/// A file of a secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Secret {
    /// Its path.
    pub file: Text,
}

/// A named volume.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Volume {
    /// Of a volume in memory.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub driver_opts: BTreeMap<&'static str, Text>,
}

/// One container.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Service {
    /// What it is of the stack; a name with a dot is none of it.
    #[serde(rename = "x-motif")]
    pub mark: String,
    /// The image's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<Text>,
    /// How the image is built.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub build: Option<Build>,
    /// `never`, where the image exists on this machine only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pull_policy: Option<&'static str>,
    /// The platform that it runs on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub platform: Option<Text>,
    /// Those under which it is started; none is always.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub profiles: Vec<Text>,
    /// What has to be so before it is started.
    #[serde(skip_serializing_if = "Ordered::is_empty")]
    pub depends_on: Ordered<Dependency>,
    /// Whose network it has, where it has none of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network_mode: Option<Text>,
    /// Host name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hostname: Option<Text>,
    /// Names on the network.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub networks: Option<Networks>,
    /// Published ports.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ports: Vec<Port>,
    /// Whose shared memory it has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ipc: Option<Text>,
    /// Whose processes it sees.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pid: Option<Text>,
    /// The program, instead of the image's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entrypoint: Option<Vec<Text>>,
    /// Its arguments, instead of the image's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<Vec<Text>>,
    /// Working directory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub working_dir: Option<Text>,
    /// Environment.
    #[serde(skip_serializing_if = "Ordered::is_empty")]
    pub environment: Ordered<Text>,
    /// User and group.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<Text>,
    /// Whether the root file system is read only.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub read_only: bool,
    /// Capabilities taken away.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cap_drop: Vec<&'static str>,
    /// Capabilities added.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cap_add: Vec<Text>,
    /// Further limits.
    pub security_opt: Vec<&'static str>,
    /// Cores.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpus: Option<f64>,
    /// Memory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mem_limit: Option<Text>,
    /// Memory with swap.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memswap_limit: Option<Text>,
    /// Readiness.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub healthcheck: Option<Health>,
    /// Files that it sees.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub configs: Vec<FileMount>,
    /// Secret files that it sees.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<FileMount>,
    /// Volumes that it sees.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub volumes: Vec<Mount>,
    /// When it is started again.
    pub restart: Text,
    /// Time between SIGTERM and SIGKILL.
    pub stop_grace_period: Text,
    /// Whether it is to end well, rather than to go on.
    #[serde(skip)]
    pub ends: bool,
}

/// How an image is built.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Build {
    /// The folder.
    pub context: Text,
    /// The file in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dockerfile: Option<Text>,
    /// Arguments.
    #[serde(skip_serializing_if = "Ordered::is_empty")]
    pub args: Ordered<Text>,
    /// The stage.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<Text>,
    /// Secrets that a step can mount.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<FileMount>,
    /// Platforms.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub platforms: Vec<Text>,
}

/// What has to be so of another service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Dependency {
    /// What.
    pub condition: Condition,
}

/// What a service that others wait for has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Condition {
    /// Started.
    #[serde(rename = "service_started")]
    Started,
    /// Ready.
    #[serde(rename = "service_healthy")]
    Healthy,
    /// Ended well.
    #[serde(rename = "service_completed_successfully")]
    Done,
}

/// The one network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Networks {
    /// Compose's own.
    pub default: Aliases,
}

/// Names on a network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Aliases {
    /// The names.
    pub aliases: Vec<Text>,
}

/// A published port.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Port {
    /// The container's.
    pub target: u16,
    /// The host's address.
    pub host_ip: String,
    /// The host's port; 0 lets the engine choose.
    pub published: String,
    /// Transport.
    pub protocol: &'static str,
    /// The service of the stack and its port.
    #[serde(rename = "x-motif")]
    pub mark: String,
}

/// Readiness: a command in the container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Health {
    /// The command.
    pub test: Vec<Text>,
    /// Time between checks.
    pub interval: Text,
    /// Time after which a check failed.
    pub timeout: Text,
    /// Failures in a row.
    pub retries: u32,
    /// Time in which failures don't count.
    pub start_period: Text,
}

/// A config or secret at a path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FileMount {
    /// Its name in the file.
    pub source: String,
    /// The path; of a build, the id.
    pub target: Text,
}

/// A volume at a path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Mount {
    /// `volume` or `tmpfs`.
    pub r#type: &'static str,
    /// The volume.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// The path.
    pub target: Text,
    /// Whether it is read only.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub read_only: bool,
    /// Of a named volume.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub volume: Option<VolumeOptions>,
    /// Of memory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tmpfs: Option<TmpfsOptions>,
    /// The pod's name of it, where it is one of the stack's.
    #[serde(rename = "x-motif", skip_serializing_if = "Option::is_none")]
    pub mark: Option<String>,
}

/// How a named volume is mounted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct VolumeOptions {
    /// Whether what the image has at the path is left out of it.
    pub nocopy: bool,
}

/// How memory is mounted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TmpfsOptions {
    /// The most that it holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<Text>,
    /// Permissions, in decimal: readers of YAML disagree about octal numbers.
    pub mode: u32,
}
