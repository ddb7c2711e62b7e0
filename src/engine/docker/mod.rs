//! Obeys a plan on a Docker engine; the only user of bollard.

mod apply;
pub mod block_image;
pub mod build;
mod connection;
mod create;
pub mod down;
mod error;
pub mod exec;
mod failure;
pub mod image;
pub mod jobs;
mod list;
pub mod logs;
mod observe;
mod order;
pub mod port_holder;
mod ready;
mod registry;
mod restarts;
mod rollout;
pub mod stop;
pub mod stored;
pub mod trial;
pub mod up;
pub mod usage;
mod volumes;
pub mod watch;

use std::sync::Arc;

pub use apply::Apply;
pub use connection::ConnectionError;
pub use create::Context;
pub use error::{Answer, Error, Intent};

/// How many replicas or images are worked on at once: the engine itself does little side by side.
const AT_ONCE: usize = 8;

/// A Docker engine that answers.
#[derive(Debug, Clone)]
pub struct Docker {
    client: bollard::Docker,
    /// For the calls that bollard doesn't have.
    caller: Arc<connection::Caller>,
    /// Where it was reached.
    endpoint: Box<connection::Endpoint>,
    /// What it says of itself.
    facts: connection::Facts,
}

/// The digest by which the engine knows an image: `sha256:…`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ImageId(pub String);
