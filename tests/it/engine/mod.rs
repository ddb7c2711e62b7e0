//! Stacks on the machine's real engine.

mod connections;
mod interruption;
mod jobs;
mod liveness;
mod order;
mod pods;
mod quiet;
mod scale;
mod secrets;
mod services;
mod stack;
mod top;
mod watch;
mod why;
