//! A small HTTP service whose parameters are environment variables.

pub mod config;
pub mod log;
pub mod server;
pub mod signal;
