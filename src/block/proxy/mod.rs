//! `motif block proxy`: forwards HTTP and TCP to backends.
//!
//! One control thread accepts connections, looks names up, checks backends, watches the certificate and serves the
//! admin port. It hands each connection to a worker: a thread that serves it to its end, sharing next to nothing.

mod settings;

mod control;
mod worker;

mod http;
mod tunnel;

mod arms;
mod direction;
mod shadow;

mod balance;
pub mod headers;
mod retry;
mod trace;

mod backend;
mod check;
mod upstream;
mod wire;

mod body;
mod exchange;
mod stream;
mod supervision;

mod certificate;
mod metrics;
mod published;
mod rotation;

pub use arms::{Plan, Sticky};
pub use backend::{Backends, look_up};
pub use balance::Balance;
pub use balance::key as hash;
pub use direction::{Absent, Direction, Named};
pub use rotation::{PATH as ROTATION, Standing};
pub use settings::{Checking, Flags as Proxy, Group, Mode, Passing, Settings, Upstream, keep_apart};
pub use shadow::Tee;
pub use stream::Stream;

use std::sync::Arc;

use super::catalogue::{Block, Error, Outcome};
use super::{log, runtime};

impl Block for Proxy {
    fn run(self) -> Result<Outcome, Error> {
        let settings = Settings::new(self)?;
        serve("proxy", settings, Arc::new(direction::Listeners))
    }
}

/// Passes requests on as a block of this name, until a signal ends it.
pub fn serve(
    block: &'static str,
    settings: Settings,
    direction: Arc<dyn Direction>,
) -> Result<Outcome, Error> {
    log::start(block);
    let ended = runtime::single()?.block_on(control::run(settings, direction));
    log::flush();
    ended.map(|()| Outcome::Done)
}
