//! `motif verify`.

mod asking;
mod trial;
mod trouble;

use std::collections::BTreeSet;
use std::fs::{File, TryLockError};
use std::time::Duration;

use clap::{Args, ValueEnum};
use tokio::signal::unix::{SignalKind, signal};

use super::engine::{failed, runtime};
use super::stack_args::{LoadedStack, StackArgs};
use super::up::duration;
use crate::diagnostic::{Listed, nearest};
use crate::engine::Events;
use crate::engine::docker::Docker;
use crate::engine::docker::down::removal;
use crate::engine::observed::{Container, Status};
use crate::stack::Change;
use crate::stack::promise::{FaultKind, Promise};
use crate::terminal::{Exit, Failure, Printer, progress};
use crate::verify::{Report, Run, junit};
use trial::Trial;

/// Break the stack on purpose and prove what it promises
///
/// Brings the stack up, or takes the one that runs, tries one promise after the other, and undoes every fault, also
/// after Ctrl-C. What it brought up it takes down again. Exit code 1 when a promise is broken.
#[derive(Debug, Args)]
#[command(after_help = "Promises are written in stack.yaml under `promises:`; see docs/promises.md.")]
pub struct VerifyArgs {
    #[command(flatten)]
    stack: StackArgs,
    /// Promises to try [default: all]
    #[arg(value_name = "PROMISE")]
    promises: Vec<String>,
    /// Take each promise's mechanism out: it must break then
    #[arg(long)]
    control: bool,
    /// Decide where chance does, as an earlier run did
    #[arg(long, value_name = "NUMBER")]
    seed: Option<u64>,
    /// Try each promise so often
    #[arg(long, value_name = "COUNT", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1000))]
    repeat: u32,
    /// Leave the stack up
    #[arg(long)]
    keep: bool,
    /// How long the stack may take until it is ready
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = duration)]
    wait_timeout: Duration,
    /// Show what happens when
    #[arg(short, long)]
    verbose: bool,
    /// The form of the result
    #[arg(long, value_name = "FORM", default_value = "table")]
    format: ReportFormat,
}

/// The form of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ReportFormat {
    /// A line for each promise
    Table,
    /// One JSON document
    Json,
    /// The XML of `JUnit`, for CI systems
    Junit,
}

/// Tries the promises.
pub fn run(args: &VerifyArgs, host: Option<&str>, printer: Printer) -> Result<Exit, Failure> {
    let loaded = args.stack.load(printer)?;
    let promises = chosen(args, &loaded)?;
    for promise in &promises {
        check_changes(&args.stack, promise)?;
    }
    runtime()?.block_on(verify(args, host, printer, &loaded, &promises))
}

/// Reads the other forms of the stack that a promise speaks of: what is wrong with them is said before anything runs.
pub fn check_changes(stack: &StackArgs, promise: &Promise) -> Result<(), Failure> {
    let name = promise.name.to_string();
    let mut changes: Vec<Change> = promise
        .faults
        .iter()
        .enumerate()
        .filter(|(_, fault)| fault.kind == FaultKind::Change)
        .map(|(index, _)| Change::Fault(name.clone(), index))
        .collect();
    if promise.has_control {
        changes.push(Change::Control(name));
    }
    for change in changes {
        let what = match &change {
            Change::Control(name) => format!("the control of promise `{name}` makes a stack that can't be"),
            Change::Fault(name, index) => {
                format!(
                    "fault {} of promise `{name}` makes a stack that can't be",
                    index + 1
                )
            }
        };
        let other = StackArgs {
            changes: vec![change],
            ..stack.clone()
        };
        other.load_quietly().map_err(|failure| Failure {
            hints: std::iter::once(what).chain(failure.hints).collect(),
            ..failure
        })?;
    }
    Ok(())
}

fn chosen<'a>(args: &VerifyArgs, loaded: &'a LoadedStack) -> Result<Vec<&'a Promise>, Failure> {
    let promises = loaded.loaded.stack.promises();
    let names = || promises.iter().map(|promise| promise.name.as_str());
    if promises.is_empty() {
        return Err(Failure::usage("the stack promises nothing")
            .hint("write what it guarantees under `promises:`; docs/promises.md shows how"));
    }
    for wanted in &args.promises {
        if !names().any(|name| name == wanted) {
            let failure = Failure::usage(format!("no promise `{wanted}`"));
            return Err(match nearest(wanted, names()) {
                Some(near) => failure.hint(format!("did you mean `{near}`?")),
                None => failure.hint(format!("the stack has {}", Listed(names().collect(), "and"))),
            });
        }
    }
    let is_chosen = |promise: &&Promise| {
        args.promises.is_empty() || args.promises.iter().any(|name| promise.name.as_str() == name)
    };
    let chosen: Vec<&Promise> = promises.iter().filter(is_chosen).collect();
    if args.control
        && let Some(promise) = chosen.iter().find(|promise| !promise.has_control)
    {
        return Err(Failure::usage(format!(
            "{}: promise `{}` has no `control`",
            promise.place, promise.name
        ))
        .hint("say under `control:` what takes its mechanism out; docs/promises.md shows how"));
    }
    Ok(chosen)
}

async fn verify(
    args: &VerifyArgs,
    host: Option<&str>,
    printer: Printer,
    loaded: &LoadedStack,
    promises: &[&Promise],
) -> Result<Exit, Failure> {
    let docker = Docker::connect(host)
        .await
        .map_err(|error| failed(error.into()))?;
    let name = loaded.loaded.stack.name().as_str();
    let _lock = lock(&docker, name)?;
    let runs = |container: &Container| container.status == Status::Running;
    let stood = docker
        .observe(name)
        .await
        .map_err(failed)?
        .containers
        .iter()
        .any(runs);
    docker.remove_helpers(name).await.map_err(failed)?;
    let seed = args.seed.unwrap_or_else(|| fastrand::u64(..) >> 32);
    let trial = Trial::new(&docker, &args.stack, host, printer, args.wait_timeout, seed);
    trial.heal(&loaded.loaded.stack, promises).await.map_err(failed)?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let tried = tokio::select! {
        tried = try_all(args, &trial, loaded, promises, printer) => Some(tried),
        _ = interrupt.recv() => None,
        _ = terminate.recv() => None,
    };
    let Some(runs) = tried else {
        printer.status("undoing what was broken; Ctrl-C again leaves it as it is");
        let ended = tokio::select! {
            ended = leave(args, &docker, &trial, loaded, stood, false) => ended,
            _ = interrupt.recv() => Ok(()),
            _ = terminate.recv() => Ok(()),
        };
        if let Err(failure) = ended {
            printer.failure(&failure);
        }
        return Ok(Exit::Interrupted);
    };
    let ended = leave(args, &docker, &trial, loaded, stood, true).await;
    let report = Report {
        stack: name.to_owned(),
        seed,
        runs: runs?,
    };
    ended?;
    match args.format {
        ReportFormat::Table => {}
        ReportFormat::Json => {
            let text = serde_json::to_string_pretty(&report).map_err(anyhow::Error::new)?;
            printer.data(format!("{text}\n"))?;
        }
        ReportFormat::Junit => printer.data(junit(&report))?,
    }
    if report.is_good() {
        return Ok(Exit::Done);
    }
    let bad = report.runs.iter().filter(|run| !run.is_good()).count();
    let what = if args.control {
        "controls did not break"
    } else {
        "promises are not kept"
    };
    printer.hint(format!(
        "{bad} of {} {what}; `--seed {seed}` makes the same choices again, and `-v` shows what happened when",
        report.runs.len()
    ));
    Ok(Exit::Failed)
}

async fn try_all(
    args: &VerifyArgs,
    trial: &Trial<'_>,
    loaded: &LoadedStack,
    promises: &[&Promise],
    printer: Printer,
) -> Result<Vec<Run>, Failure> {
    if !args.control {
        let (events, receiver) = Events::channel();
        let shown = tokio::spawn(progress::show(receiver, printer));
        let up = trial.bring_up(&args.stack, &[], true, &events).await;
        drop(events);
        let _ = shown.await;
        if let Err(failure) = up {
            printer.failure(&failure);
            let reason = "the stack did not come up";
            let untried = promises
                .iter()
                .map(|promise| Run::untried(promise, args.control, reason));
            return Ok(untried.collect());
        }
    }
    let mut runs = Vec::new();
    for promise in promises {
        for repetition in 0..args.repeat {
            printer.status(format!("trying {}: {}", promise.name, promise.says));
            let run = trial.run(promise, args.control, repetition, loaded).await?;
            if args.format == ReportFormat::Table {
                for (index, line) in run.lines().iter().enumerate() {
                    let mark = if run.is_good() { "✓" } else { "✗" };
                    if index == 0 {
                        printer.data(format!("{mark} {}: {line}\n", run.promise))?;
                    } else {
                        printer.data(format!("{line}\n"))?;
                    }
                }
            }
            if args.verbose {
                for (at, what) in &run.timeline {
                    printer.status(format!("  {at:>8} ms  {what}"));
                }
            }
            runs.push(run);
        }
    }
    Ok(runs)
}

/// Undoes what is still broken, and leaves the stack as it was found: running or gone.
async fn leave(
    args: &VerifyArgs,
    docker: &Docker,
    trial: &Trial<'_>,
    loaded: &LoadedStack,
    stood: bool,
    waits: bool,
) -> Result<(), Failure> {
    trial.undo_all().await;
    let name = loaded.loaded.stack.name().as_str();
    docker.remove_helpers(name).await.map_err(failed)?;
    if stood || args.keep {
        let up = trial.bring_up(&args.stack, &[], waits, &Events::none()).await;
        return up.map(drop);
    }
    // What was broken off may still be made by the engine: it is looked for until all is quiet.
    for pause in QUIET {
        let observed = docker.observe(name).await.map_err(failed)?;
        // Claims hold what somebody may have written before: they stay, as with `down`.
        let removal = removal(name, &observed, false);
        docker
            .down(removal, None, &Events::none())
            .await
            .map_err(failed)?;
        if waits {
            break;
        }
        tokio::time::sleep(pause).await;
    }
    Ok(())
}

/// The pauses in which an engine ends what was asked of it when a run is broken off.
const QUIET: [Duration; 3] = [Duration::from_millis(300), Duration::from_secs(1), Duration::ZERO];

/// Keeps a second run away from the same stack: it would take the first one's helpers away, and break what it tries.
fn lock(docker: &Docker, stack: &str) -> Result<Option<File>, Failure> {
    let engine: String = docker
        .address()
        .chars()
        .map(|character| {
            if character.is_ascii_alphanumeric() {
                character
            } else {
                '-'
            }
        })
        .collect();
    let path = std::env::temp_dir().join(format!("motif-verify-{stack}{engine}.lock"));
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path);
    // Where no lock can be kept, such as in another user's file, none is.
    let Ok(file) = file else { return Ok(None) };
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => Err(Failure::from(anyhow::anyhow!(
            "another `motif verify` tries stack `{stack}`"
        ))
        .hint("wait until it ends, or try a stack of another name with `--project-name`")),
        _ => Ok(Some(file)),
    }
}

/// Everything of the stack.
static EVERYTHING: BTreeSet<String> = BTreeSet::new();
