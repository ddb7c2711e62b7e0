//! Typed parameters: what a pattern or a stack asks, and the values given.

mod declaration;
mod duration;
mod image;
mod quantity;
mod value;

pub use declaration::{RawParameter, declare, is_name};
pub use duration::parse_duration;
pub use image::ImageReference;
pub use quantity::{Bytes, MilliCpu, quantity};
pub use value::{Invalid, Kind, Parameter, Pattern, Value};
