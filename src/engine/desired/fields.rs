//! What decides whether a container is still the right one, and its digests.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use super::Container;
use super::probe::{duration, probe_command};
use crate::engine::labels::{Labels, Role};
use crate::stack::{self, EnvValue, Probe, Protocol, Restart, User};

/// A digest of files and their owner.
pub(super) fn digest_of_files(files: &BTreeMap<String, Vec<u8>>, owner: Option<User>) -> String {
    let mut digest = Sha256::new();
    digest.update(format!("{owner:?}"));
    for (name, content) in files {
        digest.update(format!("\n{name} {}\n", content.len()));
        digest.update(content);
    }
    hex(&digest.finalize())
}

/// Bytes as hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string can't fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

impl Container {
    /// Everything that decides whether a container is still the right one, by the name of the field.
    ///
    /// Secret values are no part of it. Nor is the binary's volume or the infra container's
    /// image: a newer motif does not restart what runs well.
    pub fn fields(&self) -> BTreeMap<String, String> {
        let mut fields: BTreeMap<String, String> = self
            .program()
            .into_iter()
            .chain(self.surroundings())
            .chain(self.limits())
            .collect();
        fields.retain(|_, value| !value.is_empty());
        fields
    }

    /// What runs.
    fn program(&self) -> Vec<(String, String)> {
        let words =
            |words: &Option<Vec<String>>| words.as_ref().map(|words| quoted(words)).unwrap_or_default();
        let id = self.image.id.trim_start_matches("sha256:");
        let image = match self.role {
            Role::Infra => String::new(),
            _ if id.is_empty() => format!("{} (yet to be made)", self.image.name),
            _ => format!("{}@{}", self.image.name, id.get(..12).unwrap_or(id)),
        };
        let health = self.health.as_ref().map(|health| {
            format!(
                "{} every {} within {}, {} failures, start {}",
                quoted(&health.command),
                duration(health.every),
                duration(health.timeout),
                health.failures,
                duration(health.start),
            )
        });
        let watched = |probe: &Option<Probe>| match probe {
            Some(probe) if self.watched => format!(
                "{} every {} within {}, {} failures, start {}",
                quoted(&probe_command(probe)),
                duration(probe.every),
                duration(probe.timeout),
                probe.failures,
                duration(probe.delay),
            ),
            _ => String::new(),
        };
        let restart = match self.restart {
            Restart::Always => "always",
            Restart::OnFailure => "on-failure",
            Restart::Never => "never",
        };
        let env = self.env.iter().map(|(name, value)| {
            let value = match value {
                EnvValue::Text(text) => format!("{text:?}"),
                EnvValue::Secret { secret, key } => format!("secret {secret}/{key}"),
            };
            (format!("env {name}"), value)
        });
        let fields = [
            ("image", image),
            ("command", words(&self.entrypoint)),
            ("args", words(&self.arguments)),
            ("user", self.user.clone()),
            ("directory", self.directory.clone().unwrap_or_default()),
            ("restart", restart.to_owned()),
            ("grace", duration(self.grace)),
            ("health check", health.unwrap_or_default()),
            (
                "answers for its readiness on",
                self.answers_on.map(|port| port.to_string()).unwrap_or_default(),
            ),
            ("startup probe", watched(&self.probes.startup)),
            ("liveness probe", watched(&self.probes.live)),
        ];
        fields
            .map(|(name, value)| (name.to_owned(), value))
            .into_iter()
            .chain(env)
            .collect()
    }

    /// What it sees of the world, and the world of it.
    fn surroundings(&self) -> Vec<(String, String)> {
        let ports = self.publish.iter().map(|port| {
            let protocol = if port.protocol == Protocol::Udp {
                "/udp"
            } else {
                ""
            };
            let name = format!("published port {}{protocol}", port.port);
            (name, format!("{}:{}", port.at.address, port.at.port))
        });
        let mounts = self.mounts.iter().map(|mount| {
            let mode = if mount.read_only { " read only" } else { "" };
            (format!("mount {}", mount.path), format!("{}{mode}", mount.volume))
        });
        let tmpfs = self.tmpfs.iter().map(|(path, size)| {
            let size = size
                .map(|size| format!(" of {}", stack::Bytes(size)))
                .unwrap_or_default();
            (format!("mount {path}"), format!("tmpfs{size}"))
        });
        let names = [
            ("hostname".to_owned(), self.hostname.clone().unwrap_or_default()),
            ("names".to_owned(), self.aliases.join(" ")),
        ];
        names
            .into_iter()
            .chain(ports)
            .chain(mounts)
            .chain(tmpfs)
            .collect()
    }

    /// What it may do.
    fn limits(&self) -> Vec<(String, String)> {
        let yes = |value: bool| if value { "yes".to_owned() } else { String::new() };
        [
            (
                "cpu",
                self.milli_cpu
                    .map(|cpu| stack::MilliCpu(cpu).to_string())
                    .unwrap_or_default(),
            ),
            (
                "memory",
                self.memory
                    .map(|memory| stack::Bytes(memory).to_string())
                    .unwrap_or_default(),
            ),
            ("capabilities", self.capabilities.join(" ")),
            ("network of the pod", yes(self.joins)),
            ("shared processes", yes(self.shares_processes)),
            ("read-only root", yes(self.read_only)),
            ("all capabilities dropped", yes(self.drops_capabilities)),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into_iter()
        .collect()
    }

    /// The labels, with the digest of the fields.
    pub fn labels(&self, stack: &str) -> Labels {
        Labels {
            stack: stack.to_owned(),
            pod: self.pod.clone(),
            replica: self.replica,
            container: self.own_name.clone(),
            role: self.role,
            position: self.position,
            hash: digest_of_fields(&self.fields()),
            due: self.due,
            index: self.index,
            after: self.after.clone(),
        }
    }

    /// `web-0/app`, as a person names it.
    pub fn display_name(&self) -> String {
        self.labels("").display_name()
    }
}

/// The digest that the label of a container carries.
fn digest_of_fields(fields: &BTreeMap<String, String>) -> String {
    let mut digest = Sha256::new();
    for (name, value) in fields {
        digest.update(format!("{name:?}={value:?}\n"));
    }
    hex(&digest.finalize())
}

/// Words as a person would type them.
fn quoted(words: &[String]) -> String {
    let is_plain = |word: &str| {
        !word.is_empty() && !word.contains(|c: char| c.is_whitespace() || matches!(c, '"' | '\''))
    };
    let quote = |word: &String| {
        if is_plain(word) {
            word.clone()
        } else {
            format!("{word:?}")
        }
    };
    words.iter().map(quote).collect::<Vec<_>>().join(" ")
}
