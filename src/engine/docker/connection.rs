//! Turns `--host`, the environment and Docker's own configuration into an engine that answers.

use std::collections::BTreeMap;
use std::error::Error as _;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::Docker;
use crate::engine::desired::hex;

const DEFAULT_SOCKET: &str = "/var/run/docker.sock";

/// How long a ping may take. An engine under heavy load answers one within a second.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long the head of any other answer may take: a build's upload, a stop with a long grace.
const CALL_TIMEOUT: u64 = 3600;

/// Where an engine is, and who said so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// `unix:///var/run/docker.sock`, `tcp://127.0.0.1:2375`.
    pub address: String,
    /// Who said so.
    pub origin: Origin,
}

impl fmt::Display for Endpoint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "`{}` ({})", self.address, self.origin)
    }
}

/// Who named an engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// `--host`.
    Flag,
    /// `DOCKER_HOST`.
    HostVariable,
    /// A Docker context, chosen by `DOCKER_CONTEXT`.
    ContextVariable(String),
    /// A Docker context, chosen by Docker's configuration file.
    ContextFile(String),
    /// Nobody: the default socket.
    Default,
    /// Nobody: the default socket of a rootless engine.
    Rootless,
}

impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag => formatter.write_str("from `--host`"),
            Self::HostVariable => formatter.write_str("from `DOCKER_HOST`"),
            Self::ContextVariable(name) => write!(formatter, "context `{name}`, from `DOCKER_CONTEXT`"),
            Self::ContextFile(name) => write!(formatter, "context `{name}`, from `docker context use`"),
            Self::Default => formatter.write_str("the default socket"),
            Self::Rootless => formatter.write_str("the default socket of a rootless engine"),
        }
    }
}

/// Why no engine could be reached.
#[derive(Debug, thiserror::Error)]
pub enum ConnectionError {
    /// Nothing answers.
    #[error("no Docker engine answers at {endpoint}")]
    Unreachable {
        /// What was tried.
        endpoint: Endpoint,
        /// What came back.
        #[source]
        source: io::Error,
    },
    /// Something accepted the connection and said nothing.
    #[error("the Docker engine at {endpoint} accepts connections, but did not answer within {} s", PATIENCE.as_secs())]
    Silent {
        /// What was tried.
        endpoint: Endpoint,
    },
    /// Something answered with an error.
    #[error("what answers at {endpoint} is no working Docker engine: {answer}")]
    Strange {
        /// What was tried.
        endpoint: Endpoint,
        /// What it said.
        answer: String,
    },
    /// An address of a kind that motif can't dial.
    #[error("motif can't dial {endpoint}: {reason}")]
    Unsupported {
        /// What was asked for.
        endpoint: Endpoint,
        /// Why not.
        reason: &'static str,
    },
    /// A context that isn't there.
    #[error("no Docker context `{name}` ({origin})")]
    NoContext {
        /// Its name.
        name: String,
        /// Who named it.
        origin: Origin,
        /// Those that are there.
        known: Vec<String>,
    },
    /// A file of Docker's configuration that can't be read.
    #[error("failed to read Docker's configuration `{}`", path.display())]
    Configuration {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl ConnectionError {
    /// What to do next.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Unreachable { endpoint, source } => match (source.kind(), &endpoint.origin) {
                (io::ErrorKind::PermissionDenied, _) => {
                    "join the group that owns the socket (`sudo usermod -aG docker $USER`, then log in again), or run rootless Docker".to_owned()
                }
                (_, Origin::Default | Origin::Rootless) => {
                    "start Docker (`sudo systemctl start docker`, or `dockerd &` as root), or name another engine with `--host`, `DOCKER_HOST` or `docker context use`".to_owned()
                }
                (_, Origin::Flag | Origin::HostVariable) => {
                    format!("check the address, start the engine there, or leave it out to use `unix://{DEFAULT_SOCKET}`")
                }
                (_, Origin::ContextVariable(_) | Origin::ContextFile(_)) => {
                    "start that engine, or choose another one: `docker context ls`, `docker context use default`".to_owned()
                }
            },
            Self::Silent { .. } => "see what the engine does: `journalctl -u docker`, or restart it".to_owned(),
            Self::Strange { .. } => "check that the address is a Docker engine's: `curl --unix-socket SOCKET http://docker/_ping` says `OK`".to_owned(),
            Self::Unsupported { endpoint, .. } => match endpoint.address.strip_prefix("ssh://") {
                Some(host) => format!(
                    "forward the socket: `ssh -nNT -L /tmp/docker.sock:{DEFAULT_SOCKET} {host}`, then `DOCKER_HOST=unix:///tmp/docker.sock`"
                ),
                None => format!("use `unix://…` or a `tcp://…` address without TLS; the default is `unix://{DEFAULT_SOCKET}`"),
            },
            Self::NoContext { known, .. } if known.is_empty() => {
                "there is none but `default`; `docker context create` makes one".to_owned()
            }
            Self::NoContext { known, .. } => format!("there are `default`, `{}`", known.join("`, `")),
            Self::Configuration { .. } => return None,
        })
    }
}

/// What decides where the engine is: read once, so that the decision is a function.
#[derive(Debug, Clone, Default)]
struct Environment {
    variables: BTreeMap<&'static str, String>,
}

const VARIABLES: [&str; 6] = [
    "DOCKER_HOST",
    "DOCKER_CONTEXT",
    "DOCKER_CONFIG",
    "DOCKER_TLS_VERIFY",
    "HOME",
    "XDG_RUNTIME_DIR",
];

impl Environment {
    fn read() -> Self {
        let value = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        Self {
            variables: VARIABLES
                .into_iter()
                .filter_map(|name| Some((name, value(name)?)))
                .collect(),
        }
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str)
    }

    fn configuration(&self) -> Option<PathBuf> {
        self.get("DOCKER_CONFIG")
            .map(PathBuf::from)
            .or_else(|| self.get("HOME").map(|home| Path::new(home).join(".docker")))
    }
}

/// Finds the address: `--host`, then `DOCKER_HOST`, then the context, then the default socket.
fn resolve(host: Option<&str>, environment: &Environment) -> Result<Endpoint, ConnectionError> {
    let named = match (host, environment.get("DOCKER_HOST")) {
        (Some(host), _) => Some((host, Origin::Flag)),
        (None, Some(host)) => Some((host, Origin::HostVariable)),
        (None, None) => None,
    };
    let wants_tls = environment.get("DOCKER_TLS_VERIFY").is_some();
    if let Some((host, origin)) = named {
        return dialable(host, origin, wants_tls);
    }
    let Some(configuration) = environment.configuration() else {
        return dialable_default(environment);
    };
    let (name, origin) = match environment.get("DOCKER_CONTEXT") {
        Some(name) => (name.to_owned(), Origin::ContextVariable(name.to_owned())),
        None => match current_context(&configuration.join("config.json"))? {
            Some(name) => (name.clone(), Origin::ContextFile(name)),
            None => return dialable_default(environment),
        },
    };
    if name == "default" {
        return dialable_default(environment);
    }
    let contexts = configuration.join("contexts");
    let id = hex(&Sha256::digest(name.as_bytes()));
    let meta = contexts.join("meta").join(&id).join("meta.json");
    let Some(meta) = read_json(&meta)? else {
        return Err(ConnectionError::NoContext {
            known: known_contexts(&contexts.join("meta")),
            name,
            origin,
        });
    };
    // A context without an address of its own means the default one, as for the docker command.
    let Some(host) = meta["Endpoints"]["docker"]["Host"]
        .as_str()
        .filter(|host| !host.is_empty())
    else {
        return dialable_default(environment);
    };
    let has_tls = contexts.join("tls").join(&id).join("docker").is_dir();
    dialable(host, origin, has_tls)
}

fn dialable_default(environment: &Environment) -> Result<Endpoint, ConnectionError> {
    let rootless = environment
        .get("XDG_RUNTIME_DIR")
        .map(|directory| Path::new(directory).join("docker.sock"))
        .filter(|socket| socket.exists() && !Path::new(DEFAULT_SOCKET).exists());
    match rootless {
        Some(socket) => dialable(&format!("unix://{}", socket.display()), Origin::Rootless, false),
        None => dialable(&format!("unix://{DEFAULT_SOCKET}"), Origin::Default, false),
    }
}

/// Refuses an address that could not be dialled, before anything is tried.
fn dialable(host: &str, origin: Origin, wants_tls: bool) -> Result<Endpoint, ConnectionError> {
    let mut endpoint = Endpoint {
        address: host.to_owned(),
        origin,
    };
    let reason = match host.split_once("://") {
        Some(("unix", path)) if path.starts_with('/') => return Ok(endpoint),
        Some(("unix", _)) => "the path of a socket starts with `/`",
        Some(("tcp" | "http", _)) if wants_tls => "TLS to the engine is not supported yet",
        Some(("tcp" | "http", rest)) => {
            let authority = rest.split('/').next().unwrap_or_default();
            if authority.is_empty() {
                "the host is missing"
            } else {
                let has_port = authority
                    .rsplit_once(':')
                    .is_some_and(|(_, port)| port.parse::<u16>().is_ok());
                let port = if has_port { "" } else { ":2375" };
                endpoint.address = format!("tcp://{authority}{port}");
                return Ok(endpoint);
            }
        }
        Some(("https", _)) => "TLS to the engine is not supported yet",
        Some(("ssh", _)) => "ssh is not supported yet",
        Some(_) => "only `unix://` and `tcp://` are supported",
        None => "it has no scheme, such as `unix://` or `tcp://`",
    };
    Err(ConnectionError::Unsupported { endpoint, reason })
}

fn current_context(path: &Path) -> Result<Option<String>, ConnectionError> {
    Ok(read_json(path)?
        .and_then(|config| Some(config["currentContext"].as_str()?.to_owned()))
        .filter(|name| !name.is_empty()))
}

fn read_json(path: &Path) -> Result<Option<serde_json::Value>, ConnectionError> {
    let configuration = |source| ConnectionError::Configuration {
        path: path.to_owned(),
        source,
    };
    match std::fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes)
            .map(Some)
            .map_err(|error| configuration(error.into())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(configuration(error)),
    }
}

/// The names of the contexts that are there, sorted. A broken one is none.
fn known_contexts(meta: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(meta) else {
        return Vec::new();
    };
    let mut names: Vec<String> = entries
        .flatten()
        .filter_map(|entry| read_json(&entry.path().join("meta.json")).ok().flatten())
        .filter_map(|meta| Some(meta["Name"].as_str()?.to_owned()))
        .collect();
    names.sort();
    names
}

impl Docker {
    /// Connects to the engine that `--host`, the environment or Docker's configuration names,
    /// and makes sure that it answers.
    ///
    /// One short call. The API's version needs none: requests carry no version, so the engine
    /// answers with its own newest, and what is used here has been stable since 1.25.
    pub async fn connect(host: Option<&str>) -> Result<Self, ConnectionError> {
        let endpoint = resolve(host, &Environment::read())?;
        let client = match endpoint.address.strip_prefix("unix://") {
            Some(_) => bollard::Docker::connect_with_unix(
                &endpoint.address,
                CALL_TIMEOUT,
                bollard::API_DEFAULT_VERSION,
            ),
            None => bollard::Docker::connect_with_http(
                &endpoint.address,
                CALL_TIMEOUT,
                bollard::API_DEFAULT_VERSION,
            ),
        };
        let client = client.map_err(|error| refusal(&endpoint, &error))?;
        match tokio::time::timeout(PATIENCE, client.ping()).await {
            Ok(Ok(_)) => Ok(Self { client, endpoint }),
            Ok(Err(error)) => Err(refusal(&endpoint, &error)),
            Err(_) => Err(ConnectionError::Silent { endpoint }),
        }
    }

    /// The engine's address.
    pub fn address(&self) -> &str {
        &self.endpoint.address
    }

    /// Whether it is on this machine.
    pub fn is_local(&self) -> bool {
        self.endpoint.address.starts_with("unix://")
    }

    /// Whether it still answers.
    pub async fn is_there(&self) -> bool {
        matches!(
            tokio::time::timeout(PATIENCE, self.client.ping()).await,
            Ok(Ok(_))
        )
    }
}

/// Tells a socket that can't be dialled from something that answers strangely.
fn refusal(endpoint: &Endpoint, error: &bollard::errors::Error) -> ConnectionError {
    let endpoint = endpoint.clone();
    if let bollard::errors::Error::SocketNotFoundError(_) = error {
        return ConnectionError::Unreachable {
            endpoint,
            source: io::Error::new(io::ErrorKind::NotFound, "there is no such socket"),
        };
    }
    let mut answer = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<io::Error>() {
            return ConnectionError::Unreachable {
                endpoint,
                source: io::Error::new(error.kind(), error.to_string()),
            };
        }
        // The causes above the last only say that there was one.
        answer = error.to_string();
        cause = error.source();
    }
    ConnectionError::Strange { endpoint, answer }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(host: Option<&str>, variables: &[(&'static str, &str)], expect: &str) {
        let environment = Environment {
            variables: variables
                .iter()
                .map(|(name, value)| (*name, (*value).to_owned()))
                .collect(),
        };
        let found = match resolve(host, &environment) {
            Ok(endpoint) => endpoint.to_string(),
            Err(error) => format!("{error}; {}", error.hint().unwrap_or_default()),
        };
        assert_eq!(found, expect);
    }

    /// A folder as `docker context create` leaves it.
    fn configuration(current: Option<&str>, contexts: &[(&str, &str, bool)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        if let Some(current) = current {
            let text = format!(r#"{{"auths":{{}},"currentContext":"{current}"}}"#);
            std::fs::write(folder.path().join("config.json"), text).unwrap();
        }
        for (name, host, tls) in contexts {
            let id = hex(&Sha256::digest(name.as_bytes()));
            let meta = folder.path().join("contexts/meta").join(&id);
            std::fs::create_dir_all(&meta).unwrap();
            let text = format!(
                r#"{{"Name":"{name}","Metadata":{{}},"Endpoints":{{"docker":{{"Host":"{host}","SkipTLSVerify":false}}}}}}"#
            );
            std::fs::write(meta.join("meta.json"), text).unwrap();
            if *tls {
                std::fs::create_dir_all(folder.path().join("contexts/tls").join(&id).join("docker")).unwrap();
            }
        }
        folder
    }

    #[test]
    fn the_flag_wins_over_the_variable_and_the_variable_over_the_context() {
        let folder = configuration(
            Some("far"),
            &[
                ("far", "tcp://far:2375", false),
                ("near", "unix:///near.sock", false),
            ],
        );
        let config = folder.path().to_str().unwrap();
        let all = [
            ("DOCKER_CONFIG", config),
            ("DOCKER_CONTEXT", "near"),
            ("DOCKER_HOST", "tcp://host:1"),
        ];
        check(
            Some("unix:///flag.sock"),
            &all,
            "`unix:///flag.sock` (from `--host`)",
        );
        check(None, &all, "`tcp://host:1` (from `DOCKER_HOST`)");
        check(
            None,
            &all[..2],
            "`unix:///near.sock` (context `near`, from `DOCKER_CONTEXT`)",
        );
        check(
            None,
            &all[..1],
            "`tcp://far:2375` (context `far`, from `docker context use`)",
        );
        check(
            None,
            &[("DOCKER_CONFIG", config), ("DOCKER_CONTEXT", "default")],
            "`unix:///var/run/docker.sock` (the default socket)",
        );
        check(None, &[], "`unix:///var/run/docker.sock` (the default socket)");
    }

    #[test]
    fn a_context_is_found_in_the_home_folder_too() {
        let folder = configuration(None, &[]);
        let home = folder.path();
        std::fs::create_dir(home.join(".docker")).unwrap();
        std::fs::write(home.join(".docker/config.json"), r#"{"currentContext":"gone"}"#).unwrap();
        check(
            None,
            &[("HOME", home.to_str().unwrap())],
            "no Docker context `gone` (context `gone`, from `docker context use`); there is none but `default`; `docker context create` makes one",
        );
    }

    #[test]
    fn what_cannot_be_dialled_says_what_to_do() {
        let folder = configuration(None, &[("safe", "tcp://safe:2376", true)]);
        let config = ("DOCKER_CONFIG", folder.path().to_str().unwrap());
        let hint =
            "use `unix://…` or a `tcp://…` address without TLS; the default is `unix:///var/run/docker.sock`";
        check(
            None,
            &[config, ("DOCKER_CONTEXT", "safe")],
            &format!(
                "motif can't dial `tcp://safe:2376` (context `safe`, from `DOCKER_CONTEXT`): TLS to the engine is not supported yet; {hint}"
            ),
        );
        check(
            None,
            &[config, ("DOCKER_CONTEXT", "sfae")],
            "no Docker context `sfae` (context `sfae`, from `DOCKER_CONTEXT`); there are `default`, `safe`",
        );
        check(
            Some("ssh://me@there"),
            &[],
            "motif can't dial `ssh://me@there` (from `--host`): ssh is not supported yet; forward the socket: `ssh -nNT -L /tmp/docker.sock:/var/run/docker.sock me@there`, then `DOCKER_HOST=unix:///tmp/docker.sock`",
        );
        check(
            Some("tcp://there"),
            &[("DOCKER_TLS_VERIFY", "1")],
            &format!(
                "motif can't dial `tcp://there` (from `--host`): TLS to the engine is not supported yet; {hint}"
            ),
        );
        for (host, reason) in [
            ("there:2375", "it has no scheme, such as `unix://` or `tcp://`"),
            ("unix://docker.sock", "the path of a socket starts with `/`"),
            ("tcp://", "the host is missing"),
            ("fd://", "only `unix://` and `tcp://` are supported"),
            ("", "it has no scheme, such as `unix://` or `tcp://`"),
        ] {
            check(
                Some(host),
                &[],
                &format!("motif can't dial `{host}` (from `--host`): {reason}; {hint}"),
            );
        }
    }

    #[test]
    fn a_tcp_address_without_a_port_means_2375() {
        check(Some("tcp://there"), &[], "`tcp://there:2375` (from `--host`)");
        check(Some("tcp://[::1]"), &[], "`tcp://[::1]:2375` (from `--host`)");
        check(Some("http://there:80/"), &[], "`tcp://there:80` (from `--host`)");
    }
}
