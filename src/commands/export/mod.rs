//! `motif export`.

mod compose;
mod helm;
pub mod images;
mod kubernetes;
mod kustomize;
mod output;
mod pin;
pub mod said;

use clap::{Args, Subcommand, ValueEnum};

pub use kubernetes::refused;
pub use said::tell;

use crate::export::Report;
use crate::stack::Stack;
use crate::terminal::{Exit, Failure, Printer};

/// Turn the stack into the files of another system
///
/// What means something else there, and what is left to do, is said on stderr, with the place in the stack.
#[derive(Debug, Args)]
pub struct ExportArgs {
    #[command(subcommand)]
    target: Target,
}

#[derive(Debug, Subcommand)]
enum Target {
    Compose(compose::ComposeArgs),
    Kubernetes(kubernetes::KubernetesArgs),
}

/// Exports the stack.
pub fn run(args: &ExportArgs, host: Option<&str>, printer: Printer) -> Result<Exit, Failure> {
    match &args.target {
        Target::Compose(args) => compose::run(args, host, printer),
        Target::Kubernetes(args) => kubernetes::run(args, host, printer),
    }
}

/// Where a stack could go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ReportTarget {
    /// Docker Compose
    Compose,
    /// A cluster
    Kubernetes,
}

impl ReportTarget {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Compose => "compose",
            Self::Kubernetes => "kubernetes",
        }
    }

    /// What an export would say, or everything that would be refused there.
    pub fn report(self, stack: &Stack) -> Result<Report, Failure> {
        match self {
            Self::Compose => compose::report(stack),
            Self::Kubernetes => kubernetes::report(stack),
        }
    }
}
