//! `motif block shard`: one address in front of many shards; a request's key decides which of them is asked.
//!
//! Redis and memcached: a control thread accepts clients and hands them to workers; each worker serves its clients to
//! their end over connections to the shards that all of them share. HTTP: a reverse proxy on the runtime's threads.

mod settings;

mod control;
mod http;
mod worker;

mod client;
mod link;

mod memcached;
mod plan;
mod redis;
mod ring;

mod metrics;
mod shards;

pub use settings::Flags as Shard;

use super::catalogue::{Block, Error, Outcome};
use super::{log, runtime};

impl Block for Shard {
    fn run(self) -> Result<Outcome, Error> {
        let settings = settings::Settings::new(self)?;
        log::start("shard");
        let ended = match settings.flags.protocol {
            settings::Protocol::Http => runtime::parallel()?.block_on(control::run(settings)),
            settings::Protocol::Redis | settings::Protocol::Memcached => {
                runtime::single()?.block_on(control::run(settings))
            }
        };
        log::flush();
        ended.map(|()| Outcome::Done)
    }
}
