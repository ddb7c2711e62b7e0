//! Every test that runs the binary, in one test binary.

#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    clippy::format_push_string,
    clippy::too_many_lines,
    reason = "a test fails by panicking, tells its story on stderr, and reads best in one piece"
)]

mod add;
mod block;
mod cli;
mod engine;
mod export;
mod hostile_patterns;
mod hostile_stacks;
mod images;
mod import;
mod invalid_stacks;
mod motif;
mod new;
mod pattern_pages;
mod readme;
mod schema;
mod sidecar_tls;
mod tidy;
mod valid_stacks;
mod watched_engine;
mod yaml_strings;
