//! What a person sees: stdout is data, stderr is talk.

mod failure;
pub mod keyboard;
mod printer;
pub mod progress;
pub mod prompt;
mod report;
mod style;
mod table;
pub mod top;

pub use failure::{Exit, Failure};
pub use printer::{ColorChoice, Format, Printer};
pub use report::draw_plain;
pub use style::container_style;
pub use table::table;
