//! Stacks on the machine's real engine.

mod interruption;
mod jobs;
mod liveness;
mod order;
mod pods;
mod quiet;
mod secrets;
mod services;
mod stack;
