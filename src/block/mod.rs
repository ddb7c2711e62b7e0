//! Building blocks: the programs that run inside containers. Imports nothing of the rest.

mod catalogue;

mod access_log;
mod admin;
mod ask;
mod duration;
mod labels;
mod listen;
mod log;
mod pair;
mod question;
mod remove;
mod resp;
mod runtime;
mod server;
mod signal;
mod size;
mod source;

mod broker;
mod fill;
mod health;
mod http_echo;
mod init;
mod key_value;
pub mod load;
mod logs;
mod metrics;
mod pause;
mod probe;
mod proxy;
mod rotate;
mod scrape;
mod shard;
mod split;
mod swap;
mod sync;
mod topz;
mod volumes;

pub use catalogue::{Entry, Error, Flag, Outcome, catalogue, run};
pub use labels::labels;
