//! Building blocks: the programs that run inside containers. Imports nothing of the rest.

mod catalogue;

mod admin;
mod ask;
mod duration;
mod labels;
mod listen;
mod log;
mod question;
mod remove;
mod runtime;
mod server;
mod signal;
mod size;

mod http_echo;
mod init;
mod pause;
mod probe;
mod proxy;
mod rotate;
mod scrape;
mod swap;

pub use catalogue::{Entry, Error, Flag, Outcome, catalogue, run};
pub use labels::labels;
