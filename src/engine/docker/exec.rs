//! Turns a command line into a program that runs in a container, with its input, output and exit code.

use std::time::Duration;

use bollard::container::LogOutput;
use bollard::exec::{CreateExecOptions, ResizeExecOptions, StartExecOptions, StartExecResults};
use bytes::Bytes;
use futures_util::StreamExt;
use tokio::io::AsyncWriteExt;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::sleep;

use super::{Docker, Error, Intent};

/// A program to run in a container.
#[derive(Debug, Clone, Default)]
pub struct Program {
    /// The program and its arguments.
    pub command: Vec<String>,
    /// `NAME=value`, added to the container's.
    pub env: Vec<String>,
    /// The user, instead of the container's.
    pub user: Option<String>,
    /// The working directory, instead of the container's.
    pub directory: Option<String>,
    /// Whether it gets a terminal.
    pub has_terminal: bool,
    /// Whether it gets what is typed or piped here.
    pub has_input: bool,
}

/// What comes from here while a program runs.
#[derive(Debug)]
pub enum Input {
    /// Bytes for its standard input.
    Bytes(Bytes),
    /// The end of its standard input.
    End,
    /// Another size of the terminal: columns and rows.
    Size(u16, u16),
}

/// Where a program wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    /// Standard output, or its terminal.
    Standard,
    /// Standard error.
    Error,
}

/// How a program ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// With this code.
    Code(i64),
    /// It never started: the runtime's reason.
    NotStarted(String),
}

/// What the engine puts before the reason for which a program could not start.
const RUNTIME: &str = "OCI runtime exec failed: ";

impl Docker {
    /// Runs a program in a running container until it ends.
    pub async fn exec(
        &self,
        container: &str,
        program: Program,
        mut input: UnboundedReceiver<Input>,
        mut write: impl FnMut(Output, &[u8]),
    ) -> Result<Ended, Error> {
        let shown = program.command.first().cloned().unwrap_or_default();
        let intent = || format!("run `{shown}`");
        let has_terminal = program.has_terminal;
        let options = CreateExecOptions {
            attach_stdin: Some(program.has_input),
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            tty: Some(has_terminal),
            env: Some(program.env),
            cmd: Some(program.command),
            user: program.user,
            working_dir: program.directory,
            ..CreateExecOptions::default()
        };
        let exec = self
            .client
            .create_exec(container, options)
            .await
            .intent(intent)?
            .id;
        let options = StartExecOptions {
            tty: has_terminal,
            ..StartExecOptions::default()
        };
        let started = self.client.start_exec(&exec, Some(options)).await;
        let (mut output, mut sink) = match started {
            Ok(StartExecResults::Attached { output, input }) => (output, input),
            Ok(StartExecResults::Detached) => return Ok(Ended::Code(0)),
            Err(bollard::errors::Error::DockerResponseServerError { message, .. })
                if message.contains(RUNTIME) =>
            {
                return Ok(Ended::NotStarted(message));
            }
            Err(error) => return Err(error).intent(intent),
        };
        // Beside the output: a program that writes before it reads would otherwise wait for ever.
        let (docker, id) = (self.client.clone(), exec.clone());
        let feed = tokio::spawn(async move {
            while let Some(input) = input.recv().await {
                let sent = match input {
                    Input::Bytes(bytes) => sink.write_all(&bytes).await,
                    Input::End => sink.shutdown().await,
                    Input::Size(width, height) => {
                        resize(&docker, &id, ResizeExecOptions { height, width }).await;
                        Ok(())
                    }
                };
                if sent.is_err() {
                    return;
                }
            }
            // Dropping it would close the output too.
            std::future::pending::<()>().await;
        });
        let mut head = Vec::new();
        let mut is_broken = false;
        while let Some(part) = output.next().await {
            let Ok(part) = part else {
                is_broken = true;
                break;
            };
            let (to, bytes) = match &part {
                LogOutput::StdErr { message } => (Output::Error, message),
                LogOutput::StdOut { message }
                | LogOutput::Console { message }
                | LogOutput::StdIn { message } => (Output::Standard, message),
            };
            if head.is_empty() && bytes.starts_with(RUNTIME.as_bytes()) {
                head.extend_from_slice(bytes);
                continue;
            }
            if head.is_empty() {
                write(to, bytes);
            } else {
                head.extend_from_slice(bytes);
            }
        }
        feed.abort();
        let ended = self.client.inspect_exec(&exec).await.intent(intent)?;
        let reason = String::from_utf8_lossy(&head).trim().to_owned();
        match ended.exit_code {
            Some(126 | 127) if !reason.is_empty() => Ok(Ended::NotStarted(reason)),
            Some(code) => {
                write(Output::Standard, &head);
                Ok(Ended::Code(code))
            }
            // It runs on, and nobody hears it.
            None if is_broken => Err(Error::Vanished {
                what: format!("the connection to `{shown}`"),
            }),
            None if !reason.is_empty() => Ok(Ended::NotStarted(reason)),
            None => Ok(Ended::Code(0)),
        }
    }
}

/// Tells a program its terminal's size. One that has not started yet has no terminal: asked again,
/// a few times; one that has ended will not miss it.
async fn resize(docker: &bollard::Docker, id: &str, size: ResizeExecOptions) {
    for _ in 0..RESIZES {
        if docker.resize_exec(id, size).await.is_ok() {
            return;
        }
        sleep(Duration::from_millis(10)).await;
    }
}

/// How often a terminal's size is told to a program that may not have started yet.
const RESIZES: usize = 20;
