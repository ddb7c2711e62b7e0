//! Turns what was seen while a promise was tried into a verdict. Pure: what asks, breaks and looks is elsewhere.

mod judge;
mod report;

pub use judge::{Keys, Life, Seen, judge, questions};
pub use report::{Figure, Outcome, Report, Run, junit};
