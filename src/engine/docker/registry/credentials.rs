//! What to show a registry, from where `docker login` leaves it.

use std::io;
use std::path::PathBuf;
use std::process::Stdio;

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use crate::engine::docker::connection::configuration;

/// The name under which Docker keeps what its own registry takes.
const DOCKER_HUB: &str = "https://index.docker.io/v1/";
/// Whom a helper names when it has a token.
const TOKEN: &str = "<token>";

/// Why credentials can't be had.
#[derive(Debug, thiserror::Error)]
pub enum CredentialsError {
    /// The file can't be read.
    #[error("failed to read `{}`", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The file is no JSON.
    #[error("`{}` is not what `docker login` writes", path.display())]
    Form {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: serde_json::Error,
    },
    /// The helper can't be run.
    #[error("failed to run `{program}`, which keeps the credentials of `{host}`")]
    Helper {
        /// The helper.
        program: String,
        /// The registry.
        host: String,
        /// Why not.
        source: io::Error,
    },
    /// The helper failed.
    #[error("`{program}` has no credentials of `{host}`: {reason}")]
    Refused {
        /// The helper.
        program: String,
        /// The registry.
        host: String,
        /// Its words.
        reason: String,
    },
}

impl CredentialsError {
    /// What to do next.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::File { .. } => None,
            Self::Form { .. } => Some("repair it, or `docker login` anew".to_owned()),
            Self::Helper { program, .. } => Some(format!(
                "install `{program}`, or take it out of Docker's `config.json` and `docker login`"
            )),
            Self::Refused { host, .. } => Some(format!("`docker login {host}`")),
        }
    }
}

/// What a registry is shown; nothing where nobody logged in.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Credentials {
    user: String,
    password: String,
    token: Option<String>,
}

impl Credentials {
    /// Looks where `docker login` leaves them: a helper, or Docker's configuration.
    pub async fn find(host: &str) -> Result<Self, CredentialsError> {
        let Some(path) = configuration().map(|folder| folder.join("config.json")) else {
            return Ok(Self::default());
        };
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(source) => return Err(CredentialsError::File { path, source }),
        };
        let config: Value =
            serde_json::from_slice(&bytes).map_err(|source| CredentialsError::Form { path, source })?;
        match helper(&config, host) {
            Some(helper) => Self::ask(helper, host).await,
            None => Ok(Self::written(&config, host).unwrap_or_default()),
        }
    }

    /// The engine's header for them.
    pub fn header(&self) -> String {
        let text = match (&self.token, self.user.is_empty()) {
            (Some(token), _) => json!({ "identitytoken": token }),
            (None, true) => json!({}),
            (None, false) => json!({ "username": self.user, "password": self.password }),
        };
        BASE64_URL_SAFE.encode(text.to_string())
    }

    fn written(config: &Value, host: &str) -> Option<Self> {
        let found = config["auths"]
            .as_object()?
            .iter()
            .find(|(name, _)| is_of(name, host))
            .map(|(_, found)| found)?;
        let token = found["identitytoken"].as_str().filter(|token| !token.is_empty());
        let decoded = BASE64_STANDARD
            .decode(found["auth"].as_str().unwrap_or_default())
            .ok()?;
        let decoded = String::from_utf8(decoded).ok()?;
        let (user, password) = decoded.split_once(':').unwrap_or_default();
        Some(Self {
            user: user.to_owned(),
            password: password.trim_end_matches('\0').to_owned(),
            token: token.map(str::to_owned),
        })
    }

    async fn ask(helper: &str, host: &str) -> Result<Self, CredentialsError> {
        let program = format!("docker-credential-{helper}");
        let failed = |source| CredentialsError::Helper {
            program: program.clone(),
            host: host.to_owned(),
            source,
        };
        let mut child = Command::new(&program)
            .arg("get")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .map_err(failed)?;
        if let Some(mut stdin) = child.stdin.take() {
            // One that needs no question may have ended.
            let _ = stdin.write_all(key(host).as_bytes()).await;
        }
        let output = child.wait_with_output().await.map_err(failed)?;
        let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        if !output.status.success() {
            // Whoever never logged in may still read what is public.
            if said.contains("credentials not found") {
                return Ok(Self::default());
            }
            return Err(CredentialsError::Refused {
                program,
                host: host.to_owned(),
                reason: said,
            });
        }
        let answer: Value = serde_json::from_str(&said).unwrap_or_default();
        let text = |key: &str| answer[key].as_str().unwrap_or_default().to_owned();
        let (user, password) = (text("Username"), text("Secret"));
        Ok(match user.as_str() {
            TOKEN => Self {
                token: Some(password),
                ..Self::default()
            },
            _ => Self {
                user,
                password,
                token: None,
            },
        })
    }
}

/// What a registry is called in Docker's configuration.
fn key(host: &str) -> &str {
    match host {
        "docker.io" => DOCKER_HUB,
        host => host,
    }
}

/// The helper that keeps the credentials of a registry.
fn helper<'c>(config: &'c Value, host: &str) -> Option<&'c str> {
    let own = config["credHelpers"].get(key(host)).and_then(Value::as_str);
    own.or_else(|| config["credsStore"].as_str())
        .filter(|helper| !helper.is_empty())
}

/// Whether a name in Docker's configuration is that of a registry: older clients wrote addresses.
fn is_of(name: &str, host: &str) -> bool {
    if name == key(host) {
        return true;
    }
    let (_, rest) = name.split_once("://").unwrap_or(("", name));
    rest.split('/').next() == Some(host)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Credentials, helper};

    #[test]
    fn credentials_are_found_as_docker_login_leaves_them() {
        let config = json!({
            "auths": {
                "registry.example": { "auth": "YW5uYTpwYTpzcz8=" },
                "https://old.example/v1/": { "auth": "YW5uYTo=" },
                "token.example": { "auth": "YTpi", "identitytoken": "t" },
                "https://index.docker.io/v1/": { "auth": "aHViOmh1Yg==" },
                "empty.example": {},
            },
        });
        let of = |host| Credentials::written(&config, host);
        let found = of("registry.example").unwrap();
        assert_eq!((found.user.as_str(), found.password.as_str()), ("anna", "pa:ss?"));
        assert_eq!(of("old.example").unwrap().user, "anna");
        assert_eq!(of("token.example").unwrap().token.as_deref(), Some("t"));
        assert_eq!(of("docker.io").unwrap().user, "hub");
        assert!(of("empty.example").unwrap() == Credentials::default());
        assert!(of("other.example").is_none());
    }

    #[test]
    fn a_registrys_own_helper_comes_before_the_store() {
        let config = json!({ "credsStore": "pass", "credHelpers": { "registry.example": "cloud" } });
        assert_eq!(helper(&config, "registry.example"), Some("cloud"));
        assert_eq!(helper(&config, "other.example"), Some("pass"));
        assert_eq!(helper(&json!({ "credsStore": "" }), "other.example"), None);
    }

    #[test]
    fn the_header_takes_any_password() {
        let credentials = Credentials {
            user: "a".into(),
            password: "~~~???>>>".into(),
            token: None,
        };
        let header = credentials.header();
        assert!(!header.contains(['+', '/']), "{header}");
        assert_eq!(Credentials::default().header(), "e30=");
    }
}
