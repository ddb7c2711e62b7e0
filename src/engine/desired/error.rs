//! Why a stack can't be turned into Docker objects.

use crate::stack::{Name, Place};

/// Why a stack can't be turned into Docker objects.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A restricted container would be root.
    #[error(
        "{place}: container `{container}` of pod `{pod}` is restricted, but its image `{image}` runs as root"
    )]
    Root {
        /// Where the container was declared.
        place: Place,
        /// The pod.
        pod: Name,
        /// The container.
        container: Name,
        /// The image.
        image: String,
    },
    /// A restricted container's user can't be told from root.
    #[error(
        "{place}: container `{container}` of pod `{pod}` is restricted, but the user `{user}` of its image `{image}` is no number, so it can't be told from root"
    )]
    NamedUser {
        /// Where the container was declared.
        place: Place,
        /// The pod.
        pod: Name,
        /// The container.
        container: Name,
        /// The image.
        image: String,
        /// The image's user.
        user: String,
    },
    /// A UDP port of a service that needs a proxy.
    #[error(
        "{place}: port `{port}` of service `{service}` is UDP, which the proxy in front of several replicas can't carry"
    )]
    Udp {
        /// Where the port was declared.
        place: Place,
        /// The service.
        service: Name,
        /// The port.
        port: Name,
    },
    /// Two objects would have one name.
    #[error("two {kind} of the stack would both be called `{name}`")]
    Clash {
        /// What they are, in the plural.
        kind: &'static str,
        /// The name.
        name: String,
    },
    /// `--scale` leaves the range of a pod.
    #[error("{count} replicas of `{pod}` are out of its range, {fewest} to {most}")]
    OutOfRange {
        /// The pod.
        pod: Name,
        /// As typed.
        count: u32,
        /// The fewest.
        fewest: u32,
        /// The most.
        most: u32,
    },
    /// `--scale` names no pod.
    #[error("the stack has no pod `{name}` to scale")]
    NoPod {
        /// As typed.
        name: String,
        /// What there is.
        known: Vec<String>,
    },
}

impl Error {
    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::Root { .. } => {
                "say `user: 65532` if the program can run so, or `security: baseline` to let it be root"
                    .to_owned()
            }
            Self::NamedUser { .. } => "say `user:` with the number of that user".to_owned(),
            Self::Udp { .. } => "make the service headless, or run one replica on the same port".to_owned(),
            Self::Clash {
                kind: "containers", ..
            } => "rename one of the pods or services".to_owned(),
            Self::Clash { kind, .. } => format!("rename one of the {kind}, or the pod of one"),
            Self::OutOfRange { .. } => "choose a number in it, or change `replicas` in the stack".to_owned(),
            Self::NoPod { known, .. } if known.is_empty() => "it has jobs only".to_owned(),
            Self::NoPod { known, .. } => format!("there are `{}`", known.join("`, `")),
        }
    }
}
