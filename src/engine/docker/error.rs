//! What can go wrong with the engine: one variant per intent or finding, never bollard's own words alone.

use http_body_util::{BodyExt, Limited};
use hyper::Response;
use hyper::body::Incoming;

use super::ConnectionError;
use super::build::{BuildError, ContextError};
use super::registry::{CredentialsError, RegistryError};
use crate::engine::binary::{self, BinaryError};
use crate::engine::why::ContainerFailure;
use crate::engine::{desired, plan, secrets};

/// The most bytes of a refusal that are read.
const LARGEST: usize = 64 << 10;

/// Why the engine did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No engine answers.
    #[error(transparent)]
    Connection(Box<ConnectionError>),
    /// The running program can't be put into an image.
    #[error(transparent)]
    Binary(#[from] BinaryError),
    /// The engine's machine can't run the running program.
    #[error("the engine runs `{engine}` programs, and this `motif` is built for `{binary}`")]
    OtherPlatform {
        /// The engine's system and architecture.
        engine: String,
        /// The program's.
        binary: String,
    },
    /// The volume with the binary never became whole.
    #[error("the volume `{volume}` holds only a part of the binary, and it is in use")]
    HalfMade {
        /// Its name.
        volume: String,
    },
    /// An image could not be built.
    #[error(transparent)]
    Build(Box<BuildError>),
    /// Something that the engine just made isn't there.
    #[error("{what} vanished while it was made")]
    Vanished {
        /// What it is.
        what: String,
    },
    /// A container is not what it should be.
    #[error(transparent)]
    Container(#[from] Box<ContainerFailure>),
    /// The stack can't be turned into Docker objects.
    #[error(transparent)]
    Desired(Box<desired::Error>),
    /// Something stands in the plan's way.
    #[error(transparent)]
    Plan(Box<plan::Error>),
    /// Too many runs of a job failed.
    #[error("job `{job}` failed: {failed} of its runs did")]
    Job {
        /// The job.
        job: String,
        /// How many runs failed.
        failed: u32,
        /// Why the last one did.
        #[source]
        source: Option<Box<Error>>,
    },
    /// A job took too long.
    #[error("job `{job}` did not end within {} s", deadline.as_secs())]
    JobDeadline {
        /// The job.
        job: String,
        /// The time that it has.
        deadline: std::time::Duration,
    },
    /// Files of a container can't be removed.
    #[error("failed to remove files from container `{container}`: {reason}")]
    Files {
        /// The container: `web-0/app`.
        container: String,
        /// Why not.
        reason: String,
    },
    /// The build context that is watched can't be read.
    #[error("failed to watch a build context")]
    Watch(#[from] ContextError),
    /// A registry refuses, or has no such image.
    #[error(transparent)]
    Registry(Box<RegistryError>),
    /// What a registry is to be shown can't be had.
    #[error(transparent)]
    Credentials(Box<CredentialsError>),
    /// A secret has no value.
    #[error(transparent)]
    Secret(Box<secrets::Error>),
    /// An archive for a volume can't be put together.
    #[error("failed to put files for a volume together")]
    Archive(#[from] std::io::Error),
    /// A port of the host is taken.
    #[error("port {port} of {address} is taken{}", holder.as_ref().map(|holder| format!(" by {holder}")).unwrap_or_default())]
    PortTaken {
        /// The host's address.
        address: String,
        /// The port.
        port: u16,
        /// The service that publishes it.
        service: String,
        /// Who has it, where that could be found out.
        holder: Option<String>,
    },
    /// The engine refused a call.
    #[error("failed to {intent}")]
    Call {
        /// What the call was for: ``create container `shop-web-0` ``.
        intent: String,
        /// The engine's answer.
        #[source]
        source: Answer,
    },
}

impl From<ConnectionError> for Error {
    fn from(error: ConnectionError) -> Self {
        Self::Connection(Box::new(error))
    }
}

impl From<desired::Error> for Error {
    fn from(error: desired::Error) -> Self {
        Self::Desired(Box::new(error))
    }
}

impl From<plan::Error> for Error {
    fn from(error: plan::Error) -> Self {
        Self::Plan(Box::new(error))
    }
}

impl From<CredentialsError> for Error {
    fn from(error: CredentialsError) -> Self {
        Self::Credentials(Box::new(error))
    }
}

impl From<secrets::Error> for Error {
    fn from(error: secrets::Error) -> Self {
        Self::Secret(Box::new(error))
    }
}

impl From<ContainerFailure> for Error {
    fn from(failure: ContainerFailure) -> Self {
        Self::Container(Box::new(failure))
    }
}

/// The engine's answer to a call that failed.
#[derive(Debug, thiserror::Error)]
pub enum Answer {
    /// It said why.
    #[error("{message}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// The reason.
        message: String,
    },
    /// Something else.
    #[error(transparent)]
    Other(Box<bollard::errors::Error>),
}

impl From<bollard::errors::Error> for Answer {
    fn from(error: bollard::errors::Error) -> Self {
        match error {
            bollard::errors::Error::DockerResponseServerError { status_code, message } => Self::Refused {
                status: status_code,
                message,
            },
            other => Self::Other(Box::new(other)),
        }
    }
}

impl Answer {
    /// Reads a refusal.
    pub(super) async fn refused(answer: Response<Incoming>) -> Self {
        let status = answer.status();
        let body = Limited::new(answer.into_body(), LARGEST).collect().await;
        let text = body.map(|body| String::from_utf8_lossy(&body.to_bytes()).trim().to_owned());
        let text = text.unwrap_or_default();
        let message = serde_json::from_str(&text)
            .ok()
            .and_then(|answer: serde_json::Value| Some(answer["message"].as_str()?.to_owned()));
        Self::Refused {
            status: status.as_u16(),
            message: message.unwrap_or(if text.is_empty() { status.to_string() } else { text }),
        }
    }
}

impl Error {
    /// The HTTP status of the engine's refusal.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Call {
                source: Answer::Refused { status, .. },
                ..
            } => Some(*status),
            _ => None,
        }
    }

    /// The engine's reason for a refusal.
    pub fn answer(&self) -> Option<&str> {
        match self {
            Self::Call {
                source: Answer::Refused { message, .. },
                ..
            } => Some(message),
            _ => None,
        }
    }

    /// What it says, and its causes, in one line.
    pub fn with_causes(&self) -> String {
        let mut text = self.to_string();
        let mut source = std::error::Error::source(self);
        while let Some(cause) = source {
            text = format!("{text}: {cause}");
            source = cause.source();
        }
        text
    }

    /// Whether it is over when what another run left on its way has settled: then a new look makes a new plan.
    pub fn is_of_the_moment(&self, plan: &plan::Plan) -> bool {
        const SIGNS: [&str; 7] = [
            "is already in use by container",
            "is already in progress",
            "is marked for removal",
            "cannot join network of a non running container",
            "is ambiguous",
            "has active endpoints",
            "No such container",
        ];
        let no_network = |text: &str| text.contains("network") && text.contains("not found");
        match self {
            Self::Call {
                source: Answer::Refused { message, .. },
                ..
            } => no_network(message) || SIGNS.iter().any(|sign| message.contains(sign)),
            // It was well, and nothing was done to it.
            Self::Container(failure) => plan.keeps(&failure.name),
            Self::Vanished { .. } => true,
            _ => false,
        }
    }

    /// Whether a job itself failed, whatever the engine does.
    pub fn is_of_the_job(&self) -> bool {
        matches!(self, Self::Job { .. } | Self::JobDeadline { .. })
    }

    /// What to do next.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Container(failure) => Some(failure.hint()),
            Self::Job { source, .. } => source.as_ref().and_then(|source| source.hint()),
            Self::JobDeadline { job, .. } => Some(format!(
                "see what it does with `motif logs {job}`; `deadline:` says how long it may take"
            )),
            Self::Desired(error) => Some(error.hint()),
            Self::Plan(error) => Some(error.hint()),
            Self::Secret(error) => error.hint(),
            Self::PortTaken { service, .. } => Some(format!(
                "stop what has it, or publish service `{service}` on another port; 0 lets the engine choose"
            )),
            Self::Connection(error) => error.hint(),
            Self::Binary(error) => error.hint(),
            Self::Registry(error) => error.hint(),
            Self::Credentials(error) => error.hint(),
            Self::Build(error) => error.hint(),
            Self::OtherPlatform { engine, .. } => Some(format!(
                "set `{}` to a static `{engine}` program of the same version",
                binary::VARIABLE
            )),
            Self::HalfMade { volume } => Some(format!(
                "stop what uses it (`docker ps -a --filter volume={volume}`), then `docker volume rm {volume}`"
            )),
            Self::Vanished { .. } => Some("run the command again".to_owned()),
            Self::Watch(error) => error.hint(),
            Self::Call { .. } | Self::Archive(_) | Self::Files { .. } => None,
        }
    }
}

/// Says what a call to the engine is for, where it is made.
pub trait Intent<T> {
    /// Turns bollard's error into one that names the intent.
    fn intent(self, intent: impl FnOnce() -> String) -> Result<T, Error>;
}

impl<T> Intent<T> for Result<T, bollard::errors::Error> {
    fn intent(self, intent: impl FnOnce() -> String) -> Result<T, Error> {
        self.map_err(|error| Error::Call {
            intent: intent(),
            source: error.into(),
        })
    }
}
