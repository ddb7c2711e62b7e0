//! `motif down`.

use std::time::Duration;

use clap::Args;

use super::engine::{failed, runtime};
use super::stack_args::StackArgs;
use crate::engine::Events;
use crate::engine::docker::down::{Removal, removal};
use crate::engine::docker::{Docker, Error};
use crate::engine::plan::Plan;
use crate::engine::supervisor::Supervisor;
use crate::stack::Name;
use crate::terminal::{Exit, Failure, Printer, progress};

/// The pauses between looks at an engine that still carries out what another run asked of it.
const PAUSES: [Duration; 3] = [
    Duration::from_millis(300),
    Duration::from_millis(700),
    Duration::from_millis(1500),
];

/// Stop the stack's pods and remove all that the stack owns
///
/// Claims stay: they hold what a pod wrote to keep.
/// Images stay too.
/// With --project-name it needs no stack.yaml.
#[derive(Debug, Args)]
pub struct DownArgs {
    #[command(flatten)]
    stack: StackArgs,
    /// Remove claims too
    #[arg(short, long)]
    volumes: bool,
    /// Seconds from SIGTERM to SIGKILL, instead of each pod's own grace
    #[arg(short, long, value_name = "SECONDS", value_parser = clap::value_parser!(i32).range(0..))]
    timeout: Option<i32>,
    /// Print what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
}

/// Takes the stack down.
pub fn run(args: &DownArgs, host: Option<&str>, printer: Printer) -> Result<Exit, Failure> {
    let stack = match &args.stack.project_name {
        Some(name) if Name::new(name).is_none() => {
            return Err(Failure::usage(format!("`{name}` is no stack's name")));
        }
        Some(name) => name.clone(),
        None => args.stack.load_quietly()?.loaded.stack.name().to_string(),
    };
    runtime()?.block_on(down(args, host, &stack, printer))
}

async fn down(args: &DownArgs, host: Option<&str>, stack: &str, printer: Printer) -> Result<Exit, Failure> {
    let docker = Docker::connect(host)
        .await
        .map_err(|error| failed(error.into()))?;
    let observed = docker.observe(stack).await.map_err(failed)?;
    let removal = removal(stack, &observed, args.volumes);
    if args.dry_run {
        printer.page(removal.to_string())?;
        return Ok(Exit::Done);
    }
    if removal.is_empty() {
        printer.status(format!("nothing of stack {stack} stands"));
        return Ok(Exit::Done);
    }
    if let Ok(supervisor) = Supervisor::new(docker.address(), stack) {
        supervisor.end()?;
    }
    let kept = removal.kept.clone();
    let (events, receiver) = Events::channel();
    let shown = tokio::spawn(progress::show(receiver, printer));
    let result = take_down(&docker, stack, removal, args, &events).await;
    drop(events);
    let _ = shown.await;
    result.map_err(failed)?;
    for volume in kept {
        printer.status(format!(
            "volume {volume} stays; `motif down --volumes` removes it"
        ));
    }
    Ok(Exit::Done)
}

/// Removes what there is, and what a run that was cut short still brought about meanwhile.
async fn take_down(
    docker: &Docker,
    stack: &str,
    mut removal: Removal,
    args: &DownArgs,
    events: &Events,
) -> Result<(), Error> {
    for pause in PAUSES {
        match docker.down(removal, args.timeout, events).await {
            Err(error) if error.is_of_the_moment(&Plan::default()) => tokio::time::sleep(pause).await,
            result => result?,
        }
        let observed = docker.observe(stack).await?;
        removal = self::removal(stack, &observed, args.volumes);
        if removal.is_empty() {
            return Ok(());
        }
    }
    docker.down(removal, args.timeout, events).await
}
