//! `motif block proxy`: forwards HTTP and TCP to backends.
//!
//! One control thread accepts connections, looks names up, checks backends, watches the certificate and serves the
//! admin port. It hands each connection to a worker: a thread that serves it to its end, sharing next to nothing.

mod settings;

mod control;
mod worker;

mod http;
mod tunnel;

mod balance;
mod headers;
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

pub use rotation::{PATH as ROTATION, Standing};
pub use settings::Flags as Proxy;

use super::catalogue::{Block, Error, Outcome};
use super::{log, runtime};

impl Block for Proxy {
    fn run(self) -> Result<Outcome, Error> {
        let settings = settings::Settings::new(self)?;
        log::start("proxy");
        let ended = runtime::single()?.block_on(control::run(settings));
        log::flush();
        ended.map(|()| Outcome::Done)
    }
}
