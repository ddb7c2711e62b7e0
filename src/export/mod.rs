//! Turns a checked stack into the objects of another system, and says what changes on the way.
//!
//! Knows no file, engine or terminal: same stack, same bytes.

pub mod kubernetes;
mod report;

pub use report::{Field, Report, ReportLine, Verdict};
