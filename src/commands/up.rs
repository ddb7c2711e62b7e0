//! `motif up`.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use clap::{Args, ValueEnum};
use serde_json::json;
use time::OffsetDateTime;
use tokio::signal::unix::{SignalKind, signal};

use super::engine::{failed, failures, last, runtime};
use super::stack_args::{LoadedStack, StackArgs};
use super::{watch, why};
use crate::engine::desired::Image;
use crate::engine::docker::build::Builder;
use crate::engine::docker::down::stages;
use crate::engine::docker::logs::{LogLine, LogRequest};
use crate::engine::docker::stop::Ending;
use crate::engine::docker::up::{Address, Prepared, Request, Wait};
use crate::engine::docker::{Docker, Error};
use crate::engine::supervisor::Supervisor;
use crate::engine::why::{ContainerFailure, Diagnosis};
use crate::engine::{Event, Events};
use crate::stack::{Name, Stack};
use crate::terminal::{Exit, Failure, Format, Printer, progress};

/// The pauses between looks at an engine that still carries out what another run asked of it.
const PAUSES: [Duration; 4] = [
    Duration::from_millis(300),
    Duration::from_millis(700),
    Duration::from_millis(1500),
    Duration::from_secs(3),
];

/// Build, load and start the stack's pods
///
/// Shows what the containers write until Ctrl-C, which stops them in order; a second Ctrl-C kills them.
/// With --detach it returns when they are started, with --wait when they are ready.
/// What is right already is left alone: run it again after every change.
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag")]
pub struct UpArgs {
    #[command(flatten)]
    pub stack: StackArgs,
    /// Return when the pods are started
    #[arg(short, long)]
    pub detach: bool,
    /// Return when the pods are ready; implies --detach
    #[arg(long)]
    pub wait: bool,
    /// Build again, or copy into containers, what changes while the stack runs
    #[arg(long, conflicts_with_all = ["detach", "wait", "dry_run"])]
    pub watch: bool,
    /// How long --wait waits
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = duration)]
    pub wait_timeout: Duration,
    /// Build images although nothing changed
    #[arg(long)]
    pub build: bool,
    /// What builds images [default: BuildKit where the engine has it]
    #[arg(long, value_name = "BUILDER")]
    pub builder: Option<BuilderArg>,
    /// Print what would be done, and do nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Run another number of replicas of a pod
    #[arg(long, value_name = "POD=N", value_parser = scale)]
    pub scale: Vec<(String, u32)>,
    /// Remove containers that the stack has no more
    #[arg(long, value_name = "BOOL", default_value_t = true, action = clap::ArgAction::Set,
        num_args = 0..=1, default_missing_value = "true", require_equals = true)]
    pub remove_orphans: bool,
    /// The form of what is printed at the end
    #[arg(long, value_name = "FORM", default_value = "table")]
    pub format: Format,
}

/// What builds images.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum BuilderArg {
    /// With build secrets and cache mounts
    Buildkit,
    /// The engine's older one, and Podman's
    Classic,
}

impl From<BuilderArg> for Builder {
    fn from(builder: BuilderArg) -> Self {
        match builder {
            BuilderArg::Buildkit => Self::BuildKit,
            BuilderArg::Classic => Self::Classic,
        }
    }
}

pub fn duration(text: &str) -> Result<Duration, String> {
    let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let number: u64 = number
        .parse()
        .map_err(|_| "a duration is a number with a unit: 500ms, 60s, 2m".to_owned())?;
    match unit {
        "ms" => Ok(Duration::from_millis(number)),
        "s" | "" => Ok(Duration::from_secs(number)),
        "m" => Ok(Duration::from_secs(number * 60)),
        _ => Err("a duration's unit is ms, s or m".to_owned()),
    }
}

/// As many as a stack's file may say.
const MOST_REPLICAS: u32 = 1000;

pub fn scale(text: &str) -> Result<(String, u32), String> {
    let (pod, count) = text.split_once('=').ok_or("say it as `pod=3`")?;
    let count = count
        .parse()
        .ok()
        .filter(|count| *count <= MOST_REPLICAS)
        .ok_or_else(|| format!("`{count}` is no number of replicas from 0 to {MOST_REPLICAS}"))?;
    Ok((pod.to_owned(), count))
}

/// Brings the stack up.
pub fn run(args: &UpArgs, host: Option<&str>, printer: Printer) -> Result<Exit, Failure> {
    run_only(args, &BTreeSet::new(), host, printer)
}

/// Brings some of the stack's pods up, and leaves the others, and jobs, as they are. None is all.
pub fn run_only(
    args: &UpArgs,
    only: &BTreeSet<String>,
    host: Option<&str>,
    printer: Printer,
) -> Result<Exit, Failure> {
    let loaded = args.stack.load(printer)?;
    let errand = Errand::new(args, only, host, printer);
    runtime()?.block_on(up(&errand, loaded))
}

/// What is to be brought up, and how.
pub(super) struct Errand<'a> {
    pub args: &'a UpArgs,
    only: &'a BTreeSet<String>,
    host: Option<&'a str>,
    pub printer: Printer,
    scale: BTreeMap<String, u32>,
    block_labels: BTreeMap<String, String>,
}

/// Images that are taken as they are.
pub(super) type Given = BTreeMap<(Name, Name), Image>;

impl<'a> Errand<'a> {
    /// Brings all of the stack up.
    pub fn new(
        args: &'a UpArgs,
        only: &'a BTreeSet<String>,
        host: Option<&'a str>,
        printer: Printer,
    ) -> Self {
        Self {
            args,
            only,
            host,
            printer,
            scale: args.scale.iter().cloned().collect(),
            block_labels: crate::block::labels(),
        }
    }

    /// Decides what to do.
    pub async fn prepare(
        &self,
        docker: &Docker,
        loaded: &LoadedStack,
        given: &Given,
        events: &Events,
    ) -> Result<Prepared, Failure> {
        let request = Request {
            stack: &loaded.loaded.stack,
            project: &loaded.folder,
            only: self.only,
            scale: &self.scale,
            rebuilds: self.args.build,
            builder: self.args.builder.map(Builder::from),
            watches: self.args.watch,
            given,
            removes_orphans: self.args.remove_orphans,
            is_dry: self.args.dry_run,
            block_labels: &self.block_labels,
        };
        let prepared = docker.prepare(&request, events).await;
        prepared.map_err(|errors| failures(errors, self.printer))
    }

    /// Does what was decided, and decides anew while a run that was cut short leaves the engine at work.
    pub async fn carry_out(
        &self,
        docker: &Docker,
        loaded: &LoadedStack,
        mut prepared: Prepared,
        events: &Events,
    ) -> Result<Prepared, Failure> {
        let wait = if self.args.wait {
            Wait::Ready
        } else {
            Wait::Started
        };
        let mut pauses = PAUSES.into_iter();
        loop {
            let errors = match docker.up(&prepared, wait, self.args.wait_timeout, events).await {
                Ok(()) => return Ok(prepared),
                Err(errors) => errors,
            };
            let is_of_the_moment = errors.iter().any(|error| error.is_of_the_moment(&prepared.plan));
            let Some(pause) = pauses.next().filter(|_| is_of_the_moment) else {
                return Err(explained(errors, docker, &loaded.loaded.stack, self.printer).await);
            };
            tokio::time::sleep(pause).await;
            // The images are there.
            let given = prepared.images().clone();
            prepared = self.prepare(docker, loaded, &given, events).await?;
        }
    }
}

async fn up(errand: &Errand<'_>, loaded: LoadedStack) -> Result<Exit, Failure> {
    let docker = Docker::connect(errand.host)
        .await
        .map_err(|error| failed(error.into()))?;
    let (events, receiver) = Events::channel();
    let shown = tokio::spawn(progress::show(receiver, errand.printer));
    let result = Box::pin(bring_up(errand, loaded, &docker, &events)).await;
    // The last sender: what is left to show is shown before anything else is said.
    drop(events);
    let _ = shown.await;
    result
}

async fn bring_up(
    errand: &Errand<'_>,
    loaded: LoadedStack,
    docker: &Docker,
    events: &Events,
) -> Result<Exit, Failure> {
    let Errand { args, printer, .. } = *errand;
    let began = OffsetDateTime::now_utc();
    let name = loaded.loaded.stack.name().as_str().to_owned();
    let mut prepared = errand.prepare(docker, &loaded, &Given::new(), events).await?;
    if args.dry_run {
        match args.format {
            Format::Json => print_json(&prepared, &[], &[], printer)?,
            Format::Table => printer.page(prepared.plan.to_string())?,
        }
        return Ok(Exit::Done);
    }
    let is_detached = args.detach || args.wait;
    let supervisor = Supervisor::new(docker.address(), &name);
    let has_jobs = errand.only.is_empty();
    // Whoever keeps the jobs so far knows the stack as it was.
    if let (Ok(supervisor), true) = (&supervisor, has_jobs) {
        supervisor.end()?;
    }
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let is_changed = !prepared.plan.is_empty();
    tokio::select! {
        done = errand.carry_out(docker, &loaded, prepared, events) => prepared = done?,
        // Whatever stands is left as it is: the next run goes on from there.
        _ = interrupt.recv() => return Ok(Exit::Interrupted),
        _ = terminate.recv() => return Ok(Exit::Interrupted),
    }
    let warnings = docker.exposed_ports(&prepared).await;
    for line in &warnings {
        events.warning(line);
    }
    let wait = if args.wait { Wait::Ready } else { Wait::Started };
    if is_detached && has_jobs && prepared.has_jobs_to_keep(wait) {
        supervisor?.start(&supervise_arguments(args, errand.host))?;
    }
    let addresses = docker.addresses(&prepared.desired).await.map_err(failed)?;
    match args.format {
        Format::Json => print_json(&prepared, &addresses, &warnings, printer)?,
        Format::Table => {
            if !is_changed {
                printer.status(format!("stack {name} is up to date"));
            }
            for address in &addresses {
                printer.data(format!("{}\n", address.url))?;
            }
        }
    }
    if is_detached {
        return Ok(Exit::Done);
    }
    let attended = async {
        if args.watch {
            Box::pin(watch::attend(errand, loaded, docker, prepared, began, events)).await
        } else {
            attend(docker, &prepared, began, events).await
        }
    };
    tokio::select! {
        done = attended => return done.map(|()| Exit::Done),
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    printer.status("stopping; Ctrl-C again kills");
    let observed = docker.observe(&name).await.map_err(failed)?;
    let ending = Ending {
        grace: None,
        removes: false,
    };
    tokio::select! {
        done = docker.end_in_stages(stages(&observed), ending, events) => done.map_err(failed)?,
        _ = interrupt.recv() => docker.kill(&stages(&observed).concat().concat()).await,
    }
    Ok(Exit::Interrupted)
}

/// Shows what the pods of a stack write, until all have ended.
pub(super) async fn follow(docker: &Docker, stack: &str, began: OffsetDateTime, events: &Events) {
    let request = LogRequest {
        stack,
        selectors: &[],
        tail: None,
        since: Some(began),
        containing: None,
    };
    let tell = |line: LogLine| {
        events.send(Event::Log {
            container: line.labels.display_name(),
            stderr: line.stderr,
            line: line.text,
        });
        true
    };
    // A log that can't be read ends no stack.
    let _ = docker.follow_logs(&request, tell).await;
}

/// Shows what the pods write and keeps the jobs, until all have ended.
async fn attend(
    docker: &Docker,
    prepared: &Prepared,
    began: OffsetDateTime,
    events: &Events,
) -> Result<(), Failure> {
    let follow = follow(docker, &prepared.desired.stack, began, events);
    let ((), kept) = tokio::join!(follow, docker.keep(prepared, events));
    match kept {
        Ok(()) => Ok(()),
        Err(mut errors) => Err(failed(errors.remove(0))),
    }
}

/// Errors; those of containers with what else is wrong with their pods and with what those come after.
async fn explained(errors: Vec<Error>, docker: &Docker, stack: &Stack, printer: Printer) -> Failure {
    let mut failures: Vec<Failure> = Vec::new();
    for error in errors {
        failures.push(match &error {
            Error::Container(told) => with_causes(told, docker, stack).await,
            _ => failed(error),
        });
    }
    last(failures, printer)
}

async fn with_causes(told: &ContainerFailure, docker: &Docker, stack: &Stack) -> Failure {
    let found = why::of_pod(docker, stack, &told.pod).await;
    let others: Vec<Diagnosis> = found
        .into_iter()
        .filter_map(|diagnosis| diagnosis.beside(told))
        .collect();
    let texts = others.iter().map(Diagnosis::to_string);
    let texts: Vec<String> = std::iter::once(told.to_string()).chain(texts).collect();
    let mut hints = vec![told.hint()];
    hints.extend(others.iter().flat_map(Diagnosis::hints));
    hints.dedup();
    let mut failure = Failure::from(anyhow::Error::msg(texts.join("\n")));
    failure.hints = hints;
    failure
}

/// The words that start the process that keeps the jobs of the same stack.
fn supervise_arguments(args: &UpArgs, host: Option<&str>) -> Vec<String> {
    let mut words = vec!["--color=never".to_owned(), "supervise".to_owned()];
    words.extend(host.map(|host| format!("--host={host}")));
    let file = args.stack.file.as_ref();
    words.extend(file.map(|file| format!("--file={}", file.display())));
    let name = args.stack.project_name.as_ref();
    words.extend(name.map(|name| format!("--project-name={name}")));
    words.extend(args.stack.set.iter().map(|set| format!("--set={set}")));
    words
}

fn print_json(
    prepared: &Prepared,
    addresses: &[Address],
    warnings: &[String],
    printer: Printer,
) -> Result<(), Failure> {
    let document = json!({
        "stack": prepared.desired.stack,
        "changed": !prepared.plan.is_empty(),
        "steps": prepared.plan.lines(),
        "addresses": addresses,
        "warnings": warnings,
    });
    printer.data(format!("{document:#}\n"))?;
    Ok(())
}
