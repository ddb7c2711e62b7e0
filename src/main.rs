//! The `motif` binary: everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    motif::run(std::env::args_os())
}
