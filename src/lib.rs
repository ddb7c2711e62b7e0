//! `motif` turns container patterns into working software.
//!
//! The way through, each stage a type that the next one takes:
//!
//! ```text
//! answers ──resolve──▶ Answers ─┐
//!                               ├─render─▶ Project ─write─▶ disk ─▶ stack.yaml ─parse─▶ Stack ─┬─plan──▶ Plan ─apply─▶ Docker
//! templates ─load────▶ Pattern ─┘                                                              ├─export─▶ Kubernetes
//!                                                                                              └─verify─▶ Report
//! ```
//!
//! The modules stand in that order below; `commands` joins them, `terminal` speaks.

mod diagnostic;
mod yaml;

mod parameters;

mod disk;
mod pattern;
mod project;
mod render;

mod stack;

mod export;

mod import;

mod engine;

mod block;

mod verify;

mod cli;
mod commands;
mod terminal;

pub use cli::run;

#[doc(hidden)]
pub mod fuzzing;
