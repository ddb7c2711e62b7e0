//! Gathers why containers are not what they should be, with their last words.

use std::collections::BTreeMap;

use bollard::models::ContainerState;
use bollard::query_parameters::{InspectContainerOptions, LogsOptionsBuilder};
use futures_util::StreamExt;
use futures_util::future::join_all;

use super::{Docker, Error, Intent};
use crate::engine::desired::Container;
use crate::engine::overview::Member;
use crate::engine::why::{ContainerFailure, Problem, problem};

/// How many of its last lines are shown.
const LINES: &str = "10";

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
            let probe = if container.watched {
                self.last_restart(id).await
            } else {
                None
            };
            Problem::Crashing {
                restarts,
                code: Some(code),
                probe: probe.map(|restart| restart.reason),
            }
        } else {
            Problem::Ended { code }
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
            pod: container.pod.clone(),
            container: container.display_name(),
            name: container.name.clone(),
            problem,
            answer: answer.filter(|answer| !answer.is_empty()),
            lines: self.last_lines(id).await,
        }
    }

    /// What is wrong with containers that a person looks at, by their name on the engine.
    pub async fn failures(&self, members: &[Member]) -> BTreeMap<String, ContainerFailure> {
        let ill = members
            .iter()
            .filter_map(|member| Some((member, problem(member)?)));
        let gathered = ill.map(async |(member, problem)| {
            let failure = ContainerFailure {
                pod: member.labels.pod.clone(),
                container: member.labels.display_name(),
                name: member.name.clone(),
                problem,
                answer: member.answer.clone(),
                lines: self.last_lines(&member.id).await,
            };
            (member.name.clone(), failure)
        });
        join_all(gathered).await.into_iter().collect()
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
