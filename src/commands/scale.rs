//! `motif scale`.

use std::collections::BTreeSet;
use std::time::Duration;

use clap::Args;

use super::stack_args::StackArgs;
use super::up::{UpArgs, duration, run_only, scale};
use crate::terminal::{Exit, Failure, Format, Printer};

/// Run another number of replicas of a pod
///
/// Touches the named pods and the services in front of them, and nothing else of the stack.
/// What is taken away goes out of the rotation first; replicas of a stable pod keep their claims.
/// The next `up` goes back to the number in the stack's file.
#[derive(Debug, Args)]
pub struct ScaleArgs {
    #[command(flatten)]
    stack: StackArgs,
    /// Pods and their numbers of replicas
    #[arg(value_name = "POD=N", required = true, value_parser = scale)]
    pods: Vec<(String, u32)>,
    /// Return when the replicas are ready, not only started
    #[arg(long)]
    wait: bool,
    /// How long --wait waits
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = duration)]
    wait_timeout: Duration,
    /// Print what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
    /// The form of what is printed at the end
    #[arg(long, value_name = "FORM", default_value = "table")]
    format: Format,
}

/// Scales the pods.
pub fn run(args: ScaleArgs, host: Option<&str>, printer: Printer) -> Result<Exit, Failure> {
    let only: BTreeSet<String> = args.pods.iter().map(|(pod, _)| pod.clone()).collect();
    let up = UpArgs {
        stack: args.stack,
        detach: true,
        watch: false,
        wait: args.wait,
        wait_timeout: args.wait_timeout,
        build: false,
        builder: None,
        dry_run: args.dry_run,
        scale: args.pods,
        remove_orphans: true,
        format: args.format,
    };
    run_only(&up, &only, host, printer)
}
