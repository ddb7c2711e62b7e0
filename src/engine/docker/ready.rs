//! Asks probes from outside until containers are started, ready, or past hope.

use std::time::Duration;

use bollard::exec::{CreateExecOptions, StartExecOptions, StartExecResults};
use bollard::models::{ContainerState, ContainerStateStatusEnum, HealthStatusEnum};
use futures_util::StreamExt;
use tokio::time::{Instant, sleep, timeout};

use super::{Docker, Error, Intent};
use crate::engine::desired::{Container, probe_command};
use crate::engine::why::{ContainerFailure, Problem};
use crate::stack::{Probe, Restart};

/// The pause between two looks, at first.
const SHORTEST: Duration = Duration::from_millis(30);
/// The longest pause between two looks.
const LONGEST: Duration = Duration::from_millis(400);
/// Restarts after which a wait is past hope.
const RESTARTS: i64 = 3;
/// What the engine may take to run a probe, beyond the probe's own time.
const SLACK: Duration = Duration::from_secs(3);

/// A pause that grows: quick where things are quick, cheap where they are not.
struct Pause(Duration);

impl Pause {
    fn new() -> Self {
        Self(SHORTEST)
    }

    async fn wait(&mut self) {
        sleep(self.0).await;
        self.0 = (self.0 * 3 / 2).min(LONGEST);
    }
}

/// A probe's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Answer {
    Pass,
    Fail(String),
}

impl Docker {
    /// Runs a command in a container; its exit code and what it wrote.
    pub(super) async fn run_in(
        &self,
        id: &str,
        command: &[String],
        patience: Duration,
    ) -> Result<(i64, String), Error> {
        self.run_in_as(id, command, None, patience).await
    }

    /// Runs a command in a container as another user than the container's.
    pub(super) async fn run_in_as(
        &self,
        id: &str,
        command: &[String],
        user: Option<&str>,
        patience: Duration,
    ) -> Result<(i64, String), Error> {
        let intent = || format!("run `{}` in a container", command.join(" "));
        let options = CreateExecOptions {
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            cmd: Some(command.to_vec()),
            user: user.map(str::to_owned),
            ..CreateExecOptions::default()
        };
        let exec = self.client.create_exec(id, options).await.intent(intent)?.id;
        let started = self
            .client
            .start_exec(&exec, None::<StartExecOptions>)
            .await
            .intent(intent)?;
        let mut text = String::new();
        let read = async {
            if let StartExecResults::Attached { mut output, .. } = started {
                while let Some(Ok(part)) = output.next().await {
                    text.push_str(&String::from_utf8_lossy(part.as_ref()));
                }
            }
        };
        if timeout(patience, read).await.is_err() {
            return Ok((-1, format!("no answer within {patience:?}")));
        }
        let ended = self.client.inspect_exec(&exec).await.intent(intent)?;
        Ok((ended.exit_code.unwrap_or(-1), text.trim().to_owned()))
    }

    async fn ask(&self, id: &str, probe: &Probe) -> Answer {
        match self
            .run_in(id, &probe_command(probe), probe.timeout + SLACK)
            .await
        {
            Ok((0, _)) => Answer::Pass,
            Ok((code, text)) if text.is_empty() => Answer::Fail(format!("exit code {code}")),
            Ok((_, text)) => Answer::Fail(text.lines().last().unwrap_or_default().to_owned()),
            Err(error) => Answer::Fail(error.with_causes()),
        }
    }

    /// Waits until an init container ended well.
    pub(super) async fn wait_for_end(&self, id: &str, container: &Container) -> Result<(), Error> {
        let mut pause = Pause::new();
        loop {
            let Some((state, _)) = self.state(id).await? else {
                return Err(Error::Vanished {
                    what: format!("container `{}`", container.display_name()),
                });
            };
            if state.status == Some(ContainerStateStatusEnum::EXITED) {
                if state.exit_code == Some(0) {
                    return Ok(());
                }
                return Err(self.why_ended(id, container, &state, 0).await.into());
            }
            pause.wait().await;
        }
    }

    /// Waits until a container's startup probe passes; at once where it has none.
    pub(super) async fn wait_for_startup(&self, id: &str, container: &Container) -> Result<(), Error> {
        let Some(probe) = &container.probes.startup else {
            return Ok(());
        };
        let deadline = Instant::now() + probe.delay + (probe.every + probe.timeout) * probe.failures + SLACK;
        let mut pause = Pause::new();
        loop {
            let answer = self.ask(id, probe).await;
            let Answer::Fail(text) = answer else {
                return Ok(());
            };
            if let Some(failure) = self.past_hope(id, container).await? {
                return Err(failure.into());
            }
            if Instant::now() >= deadline {
                return Err(self
                    .failure(id, container, Problem::NotStarted, Some(text))
                    .await
                    .into());
            }
            pause.wait().await;
        }
    }

    /// Waits until a container is ready, or has ended well where it may end.
    pub(super) async fn wait_until_ready(
        &self,
        id: &str,
        container: &Container,
        deadline: Instant,
    ) -> Result<(), Error> {
        let mut pause = Pause::new();
        let mut startup = container.probes.startup.as_ref();
        let mut passes = 0;
        loop {
            let mut answer = None;
            if let Some((state, _)) = self.state(id).await? {
                if state.running == Some(true) && state.restarting != Some(true) {
                    let healthy =
                        state.health.and_then(|health| health.status) == Some(HealthStatusEnum::HEALTHY);
                    if healthy {
                        return Ok(());
                    }
                    // The engine checks once in the probe's interval; who waits asks oftener.
                    let probe = startup.or(container.probes.ready.as_ref());
                    match probe {
                        None => return Ok(()),
                        Some(probe) => match self.ask(id, probe).await {
                            Answer::Pass if startup.is_some() => {
                                startup = None;
                                continue;
                            }
                            Answer::Pass => {
                                passes += 1;
                                if passes >= probe.successes {
                                    return Ok(());
                                }
                            }
                            Answer::Fail(text) => {
                                passes = 0;
                                answer = Some(text);
                            }
                        },
                    }
                } else if has_ended_well(&state, container) {
                    return Ok(());
                }
            }
            if let Some(failure) = self.past_hope(id, container).await? {
                return Err(failure.into());
            }
            if Instant::now() >= deadline {
                return Err(self
                    .failure(id, container, Problem::NotReady, answer)
                    .await
                    .into());
            }
            pause.wait().await;
        }
    }

    /// What will not become better by waiting.
    async fn past_hope(&self, id: &str, container: &Container) -> Result<Option<ContainerFailure>, Error> {
        let Some((state, restarts)) = self.state(id).await? else {
            return Ok(None);
        };
        let has_ended =
            state.status == Some(ContainerStateStatusEnum::EXITED) && !has_ended_well(&state, container);
        let is_final = container.restart == Restart::Never || state.restarting != Some(true);
        if (has_ended && is_final) || restarts >= RESTARTS {
            return Ok(Some(self.why_ended(id, container, &state, restarts).await));
        }
        Ok(None)
    }
}

fn has_ended_well(state: &ContainerState, container: &Container) -> bool {
    state.status == Some(ContainerStateStatusEnum::EXITED)
        && state.exit_code == Some(0)
        && container.restart != Restart::Always
}
