//! `motif exec`.

use std::io::Read;

use bytes::Bytes;
use clap::Args;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::engine::{failed, runtime};
use super::selection::SelectionArgs;
use crate::engine::docker::exec::{Ended, Input, Output, Program};
use crate::engine::labels::Role;
use crate::engine::observed::Status;
use crate::engine::overview::Member;
use crate::engine::selector::{Selector, select};
use crate::terminal::{Exit, Failure, Printer, keyboard};

/// Run a program in a container of the stack
///
/// Names a pod (`web`), a replica (`web-1`) or a container (`web/tls`, `web-1/tls`); of several,
/// the first main container that runs is taken. The exit code is the program's.
#[derive(Debug, Args)]
#[command(after_help = "Example: motif exec web/app -- cat /etc/hosts")]
pub struct ExecArgs {
    #[command(flatten)]
    selection: SelectionArgs,
    /// The pod, replica or container
    #[arg(value_name = "POD[/CONTAINER]")]
    name: String,
    /// The program and its arguments
    #[arg(
        value_name = "COMMAND",
        required = true,
        trailing_var_arg = true,
        allow_hyphen_values = true
    )]
    command: Vec<String>,
    /// Pass standard input on; the default when it is no terminal, or both ends are one
    #[arg(short, long)]
    interactive: bool,
    /// Give the program a terminal; the default when both ends are one
    #[arg(short, long)]
    tty: bool,
    /// Give the program no terminal
    #[arg(short = 'T', long, conflicts_with = "tty")]
    no_tty: bool,
    /// Run as another user
    #[arg(short, long, value_name = "USER[:GROUP]")]
    user: Option<String>,
    /// Run in another folder of the container
    #[arg(short, long, value_name = "DIR")]
    workdir: Option<String>,
    /// Set an environment variable; may be repeated; `NAME` alone takes this process's value
    #[arg(short, long, value_name = "NAME=VALUE")]
    env: Vec<String>,
}

/// Runs the program until it ends.
pub fn run(args: &ExecArgs, host: Option<&str>, printer: Printer) -> Result<Exit, Failure> {
    let runtime = runtime()?;
    let result = runtime.block_on(exec(args, host, printer));
    runtime.shutdown_background();
    result
}

async fn exec(args: &ExecArgs, host: Option<&str>, printer: Printer) -> Result<Exit, Failure> {
    let (docker, stack) = args.selection.open(host).await?;
    let members = docker.list(&stack).await.map_err(failed)?;
    let member = choose(&stack, &args.name, &members)?;
    let name = member.labels.display_name();
    if member.status != Status::Running {
        return Err(anyhow::anyhow!("`{name}` does not run: it is {}", member.state()).into()).map_err(
            |failure: Failure| failure.hint(format!("`motif logs {name}` shows what it said last")),
        );
    }

    let at_terminal = keyboard::is_terminal();
    let has_terminal = (args.tty || at_terminal) && !args.no_tty;
    let is_piped = !std::io::IsTerminal::is_terminal(&std::io::stdin());
    let has_input = args.interactive || is_piped || has_terminal;
    let program = Program {
        command: args.command.clone(),
        env: args.env.iter().filter_map(|entry| variable(entry)).collect(),
        user: args.user.clone(),
        directory: args.workdir.clone(),
        has_terminal,
        has_input,
    };
    let (sender, receiver) = unbounded_channel();
    let raw = (has_terminal && at_terminal)
        .then(keyboard::RawKeyboard::take)
        .transpose()?;
    if has_terminal {
        watch_size(sender.clone())?;
    }
    if has_input {
        read_input(sender);
    }
    let ended = run_program(&docker, member, program, receiver, printer).await;
    // The terminal is itself again before anything is said on it.
    drop(raw);
    match ended? {
        Ended::Code(code) => Ok(Exit::Program(u8::try_from(code).unwrap_or(1))),
        Ended::NotStarted(reason) => Err(not_started(&args.command[0], &name, &reason)),
    }
}

async fn run_program(
    docker: &crate::engine::docker::Docker,
    member: &Member,
    program: Program,
    input: UnboundedReceiver<Input>,
    printer: Printer,
) -> Result<Ended, Failure> {
    let mut broken = None;
    let write = |to: Output, bytes: &[u8]| match to {
        Output::Error => printer.pass_on(bytes),
        Output::Standard => {
            if let Err(error) = printer.data(bytes) {
                broken = Some(error);
            }
        }
    };
    let ended = docker
        .exec(&member.id, program, input, write)
        .await
        .map_err(failed)?;
    match broken {
        Some(error) => Err(anyhow::Error::new(error)
            .context("failed to write the program's output")
            .into()),
        None => Ok(ended),
    }
}

/// The first main container that runs, of those that are meant.
fn choose<'a>(stack: &str, name: &str, members: &'a [Member]) -> Result<&'a Member, Failure> {
    let selected =
        select(stack, &[Selector::new(name)], members, |member| &member.labels).map_err(|error| {
            let hint = error.hint();
            Failure::from(error).hint(hint)
        })?;
    let rank = |member: &&&Member| {
        let order = match member.labels.role {
            Role::Main => 0,
            Role::Sidecar => 1,
            Role::Proxy => 2,
            Role::Init | Role::Infra | Role::Carrier => 3,
        };
        (
            order,
            member.status != Status::Running,
            member.labels.replica,
            member.labels.position,
        )
    };
    selected
        .iter()
        .min_by_key(rank)
        .copied()
        .ok_or_else(|| Failure::usage(format!("no container `{name}`")))
}

/// `NAME=value`, or this process's value of `NAME`; as for `docker exec`, one that isn't set is left out.
fn variable(entry: &str) -> Option<String> {
    if entry.contains('=') {
        return Some(entry.to_owned());
    }
    std::env::var(entry).ok().map(|value| format!("{entry}={value}"))
}

/// Says why a program could not start, in fewer words than the runtime.
fn not_started(program: &str, container: &str, reason: &str) -> Failure {
    let is_missing =
        reason.contains("executable file not found") || reason.contains("no such file or directory");
    let mut failure = if is_missing {
        Failure::from(anyhow::anyhow!(
            "`{program}` is not in the image of `{container}`"
        ))
        .hint("an image may hold one program and no shell: `motif inspect IMAGE` shows its entry point")
    } else if reason.contains("permission denied") {
        Failure::from(anyhow::anyhow!("`{program}` may not be run in `{container}`"))
    } else {
        let reason = reason
            .rsplit("failed: ")
            .next()
            .unwrap_or(reason)
            .trim_end_matches(": unknown");
        Failure::from(anyhow::anyhow!(
            "`{program}` could not start in `{container}`: {reason}"
        ))
    };
    // What a shell says of a program that isn't there, or may not be run.
    failure.exit = Exit::Program(if is_missing { 127 } else { 126 });
    failure
}

/// Reads standard input on a thread of its own: a read that waits can't be called off.
fn read_input(sender: UnboundedSender<Input>) {
    std::thread::spawn(move || {
        let mut input = std::io::stdin().lock();
        let mut buffer = vec![0; 32 * 1024];
        loop {
            let sent = match input.read(&mut buffer) {
                Ok(0) | Err(_) => {
                    let _ = sender.send(Input::End);
                    return;
                }
                Ok(read) => sender.send(Input::Bytes(Bytes::copy_from_slice(&buffer[..read]))),
            };
            if sent.is_err() {
                return;
            }
        }
    });
}

/// Tells the program the terminal's size, now and whenever it changes.
fn watch_size(sender: UnboundedSender<Input>) -> Result<(), Failure> {
    let mut changed = signal(SignalKind::window_change())?;
    tokio::spawn(async move {
        loop {
            if let Some((width, height)) = keyboard::size()
                && sender.send(Input::Size(width, height)).is_err()
            {
                return;
            }
            if changed.recv().await.is_none() {
                return;
            }
        }
    });
    Ok(())
}
