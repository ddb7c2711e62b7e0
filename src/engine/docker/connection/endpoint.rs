//! Turns `--host`, the environment and Docker's own configuration into the address of an engine.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::tls;
use crate::engine::desired::hex;

const DEFAULT_SOCKET: &str = "/var/run/docker.sock";

/// Where an engine is, and who said so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// `unix:///var/run/docker.sock`, `tcp://127.0.0.1:2375`.
    pub address: String,
    /// Who said so.
    pub origin: Origin,
    /// How it is dialled.
    pub kind: Kind,
}

/// How an engine is dialled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// A socket on this machine.
    Unix(PathBuf),
    /// Host and port.
    Tcp(String),
    /// Host and port, with TLS.
    Tls {
        /// Host and port.
        authority: String,
        /// Whom to trust, and who we are.
        files: tls::Files,
    },
    /// The arguments of `ssh`.
    Ssh(Vec<String>),
}

impl Endpoint {
    /// What a person can run to see whether the way is free.
    fn trial(&self) -> String {
        match &self.kind {
            Kind::Ssh(arguments) => format!("ssh {}", arguments.join(" ")),
            _ => String::new(),
        }
    }
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
        endpoint: Box<Endpoint>,
        /// What came back.
        #[source]
        source: io::Error,
    },
    /// Something accepted the connection and said nothing.
    #[error("the Docker engine at {endpoint} accepts connections, but did not answer within {} s", patience.as_secs())]
    Silent {
        /// What was tried.
        endpoint: Box<Endpoint>,
        /// How long it had.
        patience: Duration,
    },
    /// Something answered with an error.
    #[error("what answers at {endpoint} is no working Docker engine: {answer}")]
    Strange {
        /// What was tried.
        endpoint: Box<Endpoint>,
        /// What it said.
        answer: String,
    },
    /// An address of a kind that motif can't dial.
    #[error("motif can't dial `{address}` ({origin}): {reason}")]
    Unsupported {
        /// What was asked for.
        address: String,
        /// Who asked for it.
        origin: Origin,
        /// Why not.
        reason: &'static str,
        /// What to do about it.
        hint: String,
    },
    /// The files for TLS can't be used.
    #[error("motif can't dial {endpoint}")]
    Tls {
        /// What was asked for.
        endpoint: Box<Endpoint>,
        /// Why not.
        source: Box<tls::Error>,
    },
    /// The host of an address isn't one that a certificate could have.
    #[error("motif can't dial {endpoint}: no certificate could have the name of its host")]
    NoName {
        /// What was asked for.
        endpoint: Box<Endpoint>,
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
                _ if matches!(endpoint.kind, Kind::Ssh(_)) => {
                    format!("log in without being asked for anything, and have Docker's client there: `{}` should say nothing and wait", endpoint.trial())
                }
                (io::ErrorKind::InvalidData, _) if matches!(endpoint.kind, Kind::Tls { .. }) => {
                    "the engine's certificate has to be signed by `ca.pem`, and to name this host".to_owned()
                }
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
            Self::Unsupported { hint, .. } => hint.clone(),
            Self::Tls { .. } => "TLS takes `ca.pem`, `cert.pem` and `key.pem` from `DOCKER_CERT_PATH`, from `~/.docker`, or from the context".to_owned(),
            Self::NoContext { known, .. } if known.is_empty() => {
                "there is none but `default`; `docker context create` makes one".to_owned()
            }
            Self::NoContext { known, .. } => format!("there are `default`, `{}`", known.join("`, `")),
            Self::Configuration { .. } | Self::NoName { .. } => return None,
        })
    }
}

/// What decides where the engine is: read once, so that the decision is a function.
#[derive(Debug, Clone, Default)]
pub struct Environment {
    variables: BTreeMap<&'static str, String>,
}

const VARIABLES: [&str; 8] = [
    "DOCKER_HOST",
    "DOCKER_CONTEXT",
    "DOCKER_CONFIG",
    "DOCKER_CERT_PATH",
    "DOCKER_TLS",
    "DOCKER_TLS_VERIFY",
    "HOME",
    "XDG_RUNTIME_DIR",
];

impl Environment {
    /// This process's.
    pub fn read() -> Self {
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

    /// What the variables say of TLS; Docker's own client reads them likewise.
    fn tls(&self) -> Tls {
        let folder = self
            .get("DOCKER_CERT_PATH")
            .map(PathBuf::from)
            .or_else(|| self.configuration());
        match folder {
            Some(folder) if self.get("DOCKER_TLS_VERIFY").is_some() => Tls::With(tls::Files {
                folder,
                may_trust_the_machine: false,
            }),
            _ if self.get("DOCKER_TLS").is_some() => Tls::Unverified,
            _ => Tls::No,
        }
    }

    pub fn configuration(&self) -> Option<PathBuf> {
        self.get("DOCKER_CONFIG")
            .map(PathBuf::from)
            .or_else(|| self.get("HOME").map(|home| Path::new(home).join(".docker")))
    }
}

/// Finds the address: `--host`, then `DOCKER_HOST`, then the context, then the default socket.
pub fn resolve(host: Option<&str>, environment: &Environment) -> Result<Endpoint, ConnectionError> {
    let named = match (host, environment.get("DOCKER_HOST")) {
        (Some(host), _) => Some((host, Origin::Flag)),
        (None, Some(host)) => Some((host, Origin::HostVariable)),
        (None, None) => None,
    };
    if let Some((host, origin)) = named {
        return dialable(host, origin, environment.tls());
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
    let folder = contexts.join("tls").join(&id).join("docker");
    let tls = if meta["Endpoints"]["docker"]["SkipTLSVerify"] == true {
        Tls::Unverified
    } else if folder.is_dir() {
        Tls::With(tls::Files {
            folder,
            may_trust_the_machine: true,
        })
    } else {
        Tls::No
    };
    dialable(host, origin, tls)
}

fn dialable_default(environment: &Environment) -> Result<Endpoint, ConnectionError> {
    let rootless = environment
        .get("XDG_RUNTIME_DIR")
        .map(|directory| Path::new(directory).join("docker.sock"))
        .filter(|socket| socket.exists() && !Path::new(DEFAULT_SOCKET).exists());
    match rootless {
        Some(socket) => dialable(&format!("unix://{}", socket.display()), Origin::Rootless, Tls::No),
        None => dialable(&format!("unix://{DEFAULT_SOCKET}"), Origin::Default, Tls::No),
    }
}

/// Whether TLS is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Tls {
    No,
    With(tls::Files),
    /// With anybody's certificate.
    Unverified,
}

/// Refuses an address that could not be dialled, before anything is tried.
fn dialable(host: &str, origin: Origin, tls: Tls) -> Result<Endpoint, ConnectionError> {
    let named = |address: &str, kind| (address.to_owned(), kind);
    let default = format!("use `unix://…`, `tcp://…` or `ssh://…`; the default is `unix://{DEFAULT_SOCKET}`");
    let found = match host.split_once("://") {
        Some(("unix", path)) if path.starts_with('/') => Ok(named(host, Kind::Unix(path.into()))),
        Some(("unix", _)) => Err(("the path of a socket starts with `/`", default)),
        Some(("tcp" | "http", rest)) => {
            let authority = rest.split('/').next().unwrap_or_default();
            match tls {
                _ if authority.is_empty() => Err(("the host is missing", default)),
                Tls::No => {
                    let authority = with_port(authority, 2375);
                    Ok(named(&format!("tcp://{authority}"), Kind::Tcp(authority)))
                }
                Tls::With(files) => {
                    let authority = with_port(authority, 2376);
                    Ok(named(
                        &format!("tcp://{authority}"),
                        Kind::Tls { authority, files },
                    ))
                }
                Tls::Unverified => Err((
                    "TLS that takes any certificate lets anybody on the way command the engine",
                    "give it the `ca.pem` that signed the engine's certificate, and set `DOCKER_TLS_VERIFY`, or make the context without `skip-tls-verify`".to_owned(),
                )),
            }
        }
        Some(("https", rest)) => Err((
            "Docker writes TLS addresses as `tcp://`",
            format!("set `DOCKER_HOST=tcp://{rest}` and `DOCKER_TLS_VERIFY=1`"),
        )),
        Some(("ssh", rest)) => ssh(rest)
            .map(|arguments| named(host, Kind::Ssh(arguments)))
            .map_err(|reason| (reason, "write it as `ssh://user@host:port`".to_owned())),
        Some(_) => Err(("only `unix://`, `tcp://` and `ssh://` are supported", default)),
        None => Err(("it has no scheme, such as `unix://` or `tcp://`", default)),
    };
    match found {
        Ok((address, kind)) => Ok(Endpoint {
            address,
            origin,
            kind,
        }),
        Err((reason, hint)) => Err(ConnectionError::Unsupported {
            address: host.to_owned(),
            origin,
            reason,
            hint,
        }),
    }
}

fn with_port(authority: &str, default: u16) -> String {
    let has_port = authority
        .rsplit_once(':')
        .is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    if has_port {
        authority.to_owned()
    } else {
        format!("{authority}:{default}")
    }
}

/// What `ssh` has to be called with to connect to the engine's socket behind `[user@]host[:port][/socket]`.
fn ssh(address: &str) -> Result<Vec<String>, &'static str> {
    let (authority, path) = address.find('/').map_or((address, ""), |at| address.split_at(at));
    let (user, place) = match authority.rsplit_once('@') {
        Some((user, place)) => (Some(user), place),
        None => (None, authority),
    };
    let (host, port) = match place.rsplit_once(':') {
        Some((host, port)) if !host.starts_with('[') || host.ends_with(']') => (host, Some(port)),
        _ => (place, None),
    };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    // No word may look like an option, and none may mean something to a shell: the far one reads the path.
    let is_plain = |text: &str, more: &str| {
        !text.is_empty()
            && !text.starts_with('-')
            && text
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "._-".contains(c) || more.contains(c))
    };
    if !is_plain(host, ":%") {
        return Err("its host is none");
    }
    let mut arguments: Vec<String> = ["-T", "-o", "ConnectTimeout=25", "-o", "BatchMode=yes"]
        .map(str::to_owned)
        .to_vec();
    match user {
        Some(user) if user.contains(':') => return Err("a password doesn't belong into an address"),
        Some(user) if is_plain(user, "@+") => arguments.extend(["-l".to_owned(), user.to_owned()]),
        Some(_) => return Err("its user is none"),
        None => {}
    }
    match port {
        Some(port) if port.parse::<u16>().is_ok() => arguments.extend(["-p".to_owned(), port.to_owned()]),
        Some(_) => return Err("its port is none"),
        None => {}
    }
    arguments.extend(["--", host, "docker"].map(str::to_owned));
    match path {
        "" | "/" => {}
        path if is_plain(path, "/") => arguments.push(format!("--host=unix://{path}")),
        _ => return Err("its path is none of a socket"),
    }
    arguments.extend(["system", "dial-stdio"].map(str::to_owned));
    Ok(arguments)
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
        check(
            None,
            &[config, ("DOCKER_CONTEXT", "sfae")],
            "no Docker context `sfae` (context `sfae`, from `DOCKER_CONTEXT`); there are `default`, `safe`",
        );
        check(
            Some("tcp://there"),
            &[("DOCKER_TLS", "1")],
            "motif can't dial `tcp://there` (from `--host`): TLS that takes any certificate lets anybody on the way command the engine; give it the `ca.pem` that signed the engine's certificate, and set `DOCKER_TLS_VERIFY`, or make the context without `skip-tls-verify`",
        );
        check(
            Some("https://there:1"),
            &[],
            "motif can't dial `https://there:1` (from `--host`): Docker writes TLS addresses as `tcp://`; set `DOCKER_HOST=tcp://there:1` and `DOCKER_TLS_VERIFY=1`",
        );
        let hint = "use `unix://…`, `tcp://…` or `ssh://…`; the default is `unix:///var/run/docker.sock`";
        for (host, reason) in [
            ("there:2375", "it has no scheme, such as `unix://` or `tcp://`"),
            ("unix://docker.sock", "the path of a socket starts with `/`"),
            ("tcp://", "the host is missing"),
            ("fd://", "only `unix://`, `tcp://` and `ssh://` are supported"),
            ("", "it has no scheme, such as `unix://` or `tcp://`"),
        ] {
            check(
                Some(host),
                &[],
                &format!("motif can't dial `{host}` (from `--host`): {reason}; {hint}"),
            );
        }
    }

    #[track_caller]
    fn found(host: Option<&str>, variables: &[(&'static str, &str)]) -> Kind {
        let environment = Environment {
            variables: variables
                .iter()
                .map(|(name, value)| (*name, (*value).to_owned()))
                .collect(),
        };
        resolve(host, &environment).unwrap().kind
    }

    #[test]
    fn tls_takes_its_files_from_where_docker_does() {
        let folder = configuration(None, &[("safe", "tcp://safe", true)]);
        let config = folder.path().to_str().unwrap();
        let check =
            |host, variables: &[(&'static str, &str)], expect: &Path, may_trust| match found(host, variables)
            {
                Kind::Tls { authority, files, .. } => {
                    assert!(authority.ends_with(":2376"), "{authority}");
                    assert_eq!(files.folder, expect);
                    assert_eq!(files.may_trust_the_machine, may_trust);
                }
                other => panic!("{other:?}"),
            };
        let verify = ("DOCKER_TLS_VERIFY", "1");
        check(
            Some("tcp://[::1]"),
            &[verify, ("HOME", "/me")],
            Path::new("/me/.docker"),
            false,
        );
        check(
            Some("tcp://there:2376"),
            &[verify, ("HOME", "/me"), ("DOCKER_CERT_PATH", "/certs")],
            Path::new("/certs"),
            false,
        );
        let id = hex(&Sha256::digest("safe".as_bytes()));
        check(
            None,
            &[("DOCKER_CONFIG", config), ("DOCKER_CONTEXT", "safe")],
            &folder.path().join("contexts/tls").join(id).join("docker"),
            true,
        );
        // A socket needs none.
        assert_eq!(
            found(Some("unix:///a"), &[verify, ("HOME", "/me")]),
            Kind::Unix("/a".into())
        );
    }

    #[test]
    fn ssh_is_called_with_what_the_address_says_and_nothing_else() {
        let check = |address: &str, expect: &str| {
            let found = ssh(address).unwrap().join(" ");
            assert_eq!(
                found,
                format!("-T -o ConnectTimeout=25 -o BatchMode=yes {expect}")
            );
        };
        check("there", "-- there docker system dial-stdio");
        check(
            "me@there:2222/run/my.sock",
            "-l me -p 2222 -- there docker --host=unix:///run/my.sock system dial-stdio",
        );
        check("[fe80::1]:22", "-p 22 -- fe80::1 docker system dial-stdio");
        check("[fe80::1]", "-- fe80::1 docker system dial-stdio");
        for hostile in [
            "-oProxyCommand=x",
            "me@-oProxyCommand=x",
            "-l@there",
            "me:word@there",
            "there:port",
            "there/$(x)",
            "there/a b",
            "",
            "there;x",
        ] {
            assert!(ssh(hostile).is_err(), "{hostile}");
        }
    }

    #[test]
    fn a_tcp_address_without_a_port_means_2375() {
        check(Some("tcp://there"), &[], "`tcp://there:2375` (from `--host`)");
        check(Some("tcp://[::1]"), &[], "`tcp://[::1]:2375` (from `--host`)");
        check(Some("http://there:80/"), &[], "`tcp://there:80` (from `--host`)");
    }
}
