//! The block image, built images, probes and the commands that look at what runs, on the machine's real engine.

mod addition;
mod block_image;
mod builds;
mod engine_faults;
mod fake_engine;
mod interface;
mod probe;
mod project;
mod reading;
