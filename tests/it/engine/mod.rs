//! Stacks on the machine's real engine.

mod add;
mod connections;
mod interruption;
mod jobs;
mod liveness;
mod order;
mod podman;
mod pods;
mod push;
mod quiet;
mod real;
mod scale;
mod secrets;
mod services;
mod stack;
mod top;
mod verify;
mod watch;
mod why;
