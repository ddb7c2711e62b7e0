//! What the commands that talk with the engine have in common: a runtime, and its errors as failures.

use crate::engine::docker::Error;
use crate::terminal::{Failure, Printer};

/// A runtime for one command.
pub fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    Ok(tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?)
}

/// An error of the engine with what to do about it.
pub fn failed(error: Error) -> Failure {
    let hint = error.hint();
    let failure = Failure::from(error);
    match hint {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}

/// Says all errors but the last, which becomes the command's failure.
pub fn failures(errors: Vec<Error>, printer: Printer) -> Failure {
    last(errors.into_iter().map(failed).collect(), printer)
}

/// Says all failures but the last, which becomes the command's.
pub fn last(mut failures: Vec<Failure>, printer: Printer) -> Failure {
    let last = failures
        .pop()
        .unwrap_or_else(|| Failure::usage("nothing was said to be wrong"));
    for failure in failures {
        printer.failure(&failure);
    }
    last
}

/// What is said where a stack has no containers.
pub fn nothing_stands(stack: &str) -> String {
    format!("nothing of stack `{stack}` stands on the engine; `motif up` starts it")
}
