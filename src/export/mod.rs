//! Turns a checked stack into the objects of another system, and says what changes on the way.
//!
//! Knows no file, engine or terminal: same stack, same bytes.

pub mod compose;
pub mod helm;
pub mod kubernetes;
pub mod kustomize;
mod mark;
#[cfg(test)]
mod page;
mod report;
mod shell;

pub use mark::{is_ours, stack_of};
pub use report::{Field, Report, ReportLine, Verdict};
