//! Obeys a plan on a Docker engine; the only user of bollard.

mod apply;
mod attach;
pub mod block_image;
pub mod build;
mod connection;
mod create;
pub mod down;
mod error;
pub mod exec;
mod failure;
pub mod image;
mod jobs;
mod list;
pub mod logs;
mod observe;
pub mod port_holder;
mod ready;
mod restarts;
pub mod stop;
pub mod stored;
pub mod up;
mod volumes;

pub use apply::Apply;
pub use connection::ConnectionError;
pub use create::Context;
pub use error::{Answer, Error, Intent};
pub use failure::ContainerFailure;

/// How many replicas or images are worked on at once: the engine itself does little side by side.
const AT_ONCE: usize = 8;

/// A Docker engine that answers.
#[derive(Debug, Clone)]
pub struct Docker {
    client: bollard::Docker,
    /// How it was reached.
    endpoint: String,
}

/// The digest by which the engine knows an image: `sha256:…`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ImageId(pub String);
