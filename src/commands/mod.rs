//! One file per command: its help text, its arguments, its `run`.

pub mod block;
pub mod check;
pub mod completions;
pub mod down;
mod engine;
pub mod exec;
pub mod export;
pub mod images;
pub mod inspect;
pub mod logs;
pub mod man;
pub mod new;
pub mod patterns;
pub mod prune;
pub mod ps;
pub mod scale;
pub mod schema;
mod selection;
pub mod stack_args;
pub mod supervise;
pub mod top;
pub mod up;
mod watch;
pub mod why;
