//! Why a container is not what it should be, with its last words.

use std::fmt;

use bollard::models::ContainerState;
use bollard::query_parameters::{InspectContainerOptions, LogsOptionsBuilder};
use futures_util::StreamExt;

use super::{Docker, Error, Intent};
use crate::engine::desired::Container;

/// How many of its last lines are shown.
const LINES: &str = "10";

/// A container that is not what it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainerFailure {
    /// `web-0/app`.
    pub container: String,
    /// Its name on the engine.
    pub name: String,
    /// What is wrong.
    pub problem: Problem,
    /// What its failed probe said last.
    pub answer: Option<String>,
    /// The last lines that it wrote.
    pub lines: Vec<String>,
}

/// What is wrong with a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Problem {
    /// It ended, though it should run.
    Ended(i64),
    /// It took more memory than its limit.
    OutOfMemory {
        /// Its limit in bytes.
        limit: Option<u64>,
    },
    /// It ends again and again.
    Crashing {
        /// How often it was started again.
        restarts: i64,
        /// How it ended last.
        code: i64,
    },
    /// Its startup probe did not pass in its time.
    NotStarted,
    /// Its readiness probe did not pass in time.
    NotReady,
}

impl fmt::Display for ContainerFailure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "container `{}` ", self.container)?;
        match &self.problem {
            Problem::Ended(code) => write!(formatter, "ended with {}", exit_code(*code))?,
            Problem::OutOfMemory { limit: Some(limit) } => {
                write!(
                    formatter,
                    "was killed: it needs more memory than its limit of {}",
                    crate::stack::Bytes(*limit)
                )?;
            }
            Problem::OutOfMemory { limit: None } => {
                formatter.write_str("was killed: the machine ran out of memory")?;
            }
            Problem::Crashing { restarts, code } => {
                write!(
                    formatter,
                    "ends again and again: {restarts} restarts, last with {}",
                    exit_code(*code)
                )?;
            }
            Problem::NotStarted => formatter.write_str("did not pass its startup probe in time")?,
            Problem::NotReady => formatter.write_str("is not ready")?,
        }
        if let Some(answer) = &self.answer {
            write!(formatter, "\n  its probe said: {answer}")?;
        }
        if self.lines.is_empty() {
            formatter.write_str("\n  it wrote nothing")?;
        } else {
            formatter.write_str("\n  its last lines:")?;
        }
        for line in &self.lines {
            write!(formatter, "\n    {line}")?;
        }
        Ok(())
    }
}

/// An exit code with what it usually means.
fn exit_code(code: i64) -> String {
    let meaning = match code {
        126 => " (the program can't be executed)",
        127 => " (no such program)",
        137 => " (SIGKILL)",
        139 => " (SIGSEGV)",
        143 => " (SIGTERM)",
        _ => "",
    };
    format!("exit code {code}{meaning}")
}

impl std::error::Error for ContainerFailure {}

impl ContainerFailure {
    /// What to do next.
    pub fn hint(&self) -> String {
        let name = &self.container;
        match &self.problem {
            Problem::OutOfMemory { .. } => "give it more with `resources: { memory: … }`".to_owned(),
            _ => format!("see all it wrote with `motif logs {name}`"),
        }
    }
}

impl Docker {
    /// Gathers why a container ended.
    pub(super) async fn why_ended(
        &self,
        id: &str,
        container: &Container,
        state: &ContainerState,
        restarts: i64,
    ) -> ContainerFailure {
        let code = state.exit_code.unwrap_or(-1);
        let problem = if state.oom_killed == Some(true) {
            Problem::OutOfMemory {
                limit: container.memory,
            }
        } else if restarts > 0 {
            Problem::Crashing { restarts, code }
        } else {
            Problem::Ended(code)
        };
        self.failure(id, container, problem, None).await
    }

    /// Gathers a container's last words.
    pub(super) async fn failure(
        &self,
        id: &str,
        container: &Container,
        problem: Problem,
        answer: Option<String>,
    ) -> ContainerFailure {
        ContainerFailure {
            container: container.display_name(),
            name: container.name.clone(),
            problem,
            answer: answer.filter(|answer| !answer.is_empty()),
            lines: self.last_lines(id).await,
        }
    }

    /// How a container is, and how often the engine started it again; `None` where there is none.
    pub(super) async fn state(&self, id: &str) -> Result<Option<(ContainerState, i64)>, Error> {
        let inspected = self
            .client
            .inspect_container(id, None::<InspectContainerOptions>)
            .await
            .intent(|| format!("inspect container `{id}`"));
        match inspected {
            Ok(inspected) => {
                let restarts = inspected.restart_count.unwrap_or(0);
                Ok(inspected.state.map(|state| (state, restarts)))
            }
            Err(error) if error.status() == Some(404) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn last_lines(&self, id: &str) -> Vec<String> {
        let options = LogsOptionsBuilder::default()
            .stdout(true)
            .stderr(true)
            .tail(LINES)
            .build();
        let mut text = String::new();
        let mut stream = self.client.logs(id, Some(options));
        // A log that can't be read is no reason to hide the failure.
        while let Some(Ok(output)) = stream.next().await {
            text.push_str(&String::from_utf8_lossy(output.as_ref()));
        }
        text.lines().map(str::to_owned).collect()
    }
}
