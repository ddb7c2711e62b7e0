//! Turns a stack into running pods: what should be, what is, the plan between, and its execution.
//!
//! `plan` decides and is pure; `docker` obeys and is the only user of the Docker API.
//! What happens on the way is told as [`Event`]s: they are the whole contract with the terminal.

pub mod binary;
pub mod desired;
pub mod docker;
mod event;
pub mod labels;
pub mod observed;
pub mod overview;
pub mod plan;
pub mod secrets;
pub mod selector;
pub mod supervisor;
pub mod usage;
pub mod why;

pub use event::{Event, Events, Work};
