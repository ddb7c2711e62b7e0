//! `motif supervise`: what `up --detach` leaves behind where jobs have to be kept.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::{Duration, Instant};

use clap::Args;
use tokio::signal::unix::{SignalKind, signal};

use super::engine::{failed, failures, runtime};
use super::stack_args::{LoadedStack, StackArgs};
use crate::engine::Events;
use crate::engine::docker::up::{Prepared, Request};
use crate::engine::docker::{Docker, Error};
use crate::engine::supervisor::{self, Supervisor};
use crate::stack::Stack;
use crate::terminal::{Exit, Failure, Printer, progress};

/// How long an engine may be away.
const AWAY: Duration = Duration::from_hours(1);
/// The pause before the engine is asked again.
const PAUSE: Duration = Duration::from_secs(2);

/// Keep a detached stack's jobs: begin their runs, count them, and wait for the next due time
///
/// `motif up --detach` starts it where the stack has jobs, and the next `up`, `scale` or `down` ends it.
#[derive(Debug, Args)]
#[command(hide = true)]
pub struct SuperviseArgs {
    #[command(flatten)]
    stack: StackArgs,
}

/// Keeps the jobs until nothing is left to do.
pub fn run(args: &SuperviseArgs, host: Option<&str>, printer: Printer) -> Result<Exit, Failure> {
    // A session of its own: Ctrl-C and the end of the terminal are for others.
    let _ = rustix::process::setsid();
    let LoadedStack { loaded, folder, .. } = args.stack.load_quietly()?;
    runtime()?.block_on(async {
        let mut terminate = signal(SignalKind::terminate())?;
        tokio::select! {
            done = supervise(host, &loaded.stack, &folder, printer) => done,
            _ = terminate.recv() => Ok(Exit::Done),
        }
    })
}

async fn supervise(
    host: Option<&str>,
    stack: &Stack,
    project: &Path,
    printer: Printer,
) -> Result<Exit, Failure> {
    let docker = connect(host).await?;
    let supervisor = Supervisor::new(docker.address(), stack.name().as_str())?;
    let _held = supervisor.take_over()?;
    let (events, receiver) = Events::channel();
    tokio::spawn(progress::show(receiver, printer));
    let mut prepared = prepare(&docker, stack, project, &events, printer).await?;
    printer.data(supervisor::ready())?;
    let mut last_seen = Instant::now();
    loop {
        match docker.keep(&prepared, &events).await {
            Ok(()) => return Ok(Exit::Done),
            Err(errors) => {
                let are_all_final = errors.iter().all(Error::is_of_the_job);
                if are_all_final {
                    return Ok(Exit::Failed);
                }
                events.warning("the engine did not do what it was asked; trying again");
            }
        }
        // The engine may be on its way up again.
        loop {
            tokio::time::sleep(PAUSE).await;
            if docker.is_there().await {
                last_seen = Instant::now();
                break;
            }
            if last_seen.elapsed() > AWAY {
                return Err(Failure::usage("the engine is gone"));
            }
        }
        if !docker.has_network(stack.name().as_str()).await.map_err(failed)? {
            // Somebody took the stack down.
            return Ok(Exit::Done);
        }
        prepared = prepare(&docker, stack, project, &events, printer).await?;
    }
}

async fn connect(host: Option<&str>) -> Result<Docker, Failure> {
    Docker::connect(host).await.map_err(|error| failed(error.into()))
}

/// Sees what is left to do; makes nothing.
async fn prepare(
    docker: &Docker,
    stack: &Stack,
    project: &Path,
    events: &Events,
    printer: Printer,
) -> Result<Prepared, Failure> {
    let request = Request {
        stack,
        project,
        scale: &BTreeMap::new(),
        only: &BTreeSet::new(),
        rebuilds: false,
        builder: None,
        watches: false,
        given: &BTreeMap::new(),
        removes_orphans: false,
        is_dry: true,
        block_labels: &crate::block::labels(),
    };
    let prepared = docker.prepare(&request, events).await;
    prepared.map_err(|errors| failures(errors, printer))
}
