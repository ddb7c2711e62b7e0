//! Follows what the containers of a stack write, until they have ended or the user has seen enough.

use bollard::container::LogOutput;
use bollard::models::ContainerStateStatusEnum;
use bollard::query_parameters::LogsOptionsBuilder;
use futures_util::StreamExt;
use futures_util::future::join_all;
use time::OffsetDateTime;

use super::Docker;
use crate::engine::labels::Role;
use crate::engine::observed::{Container, Observed};
use crate::engine::{Event, Events};

impl Docker {
    /// Tells every line that the containers write from now on; returns when all of them have ended.
    pub async fn follow(&self, observed: &Observed, since: OffsetDateTime, events: &Events) {
        let containers = observed.containers.iter();
        let talking = containers.filter(|container| {
            !matches!(container.labels.role, Role::Infra | Role::Carrier) && container.job.is_none()
        });
        join_all(talking.map(|container| self.follow_one(container, since, events))).await;
    }

    async fn follow_one(&self, container: &Container, since: OffsetDateTime, events: &Events) {
        let name = container.labels.display_name();
        self.follow_container(&container.id, &name, since, events).await;
    }

    /// Tells every line that one container writes, until it has ended.
    pub(super) async fn follow_container(
        &self,
        id: &str,
        name: &str,
        mut since: OffsetDateTime,
        events: &Events,
    ) {
        loop {
            let seconds = i32::try_from(since.unix_timestamp()).unwrap_or(0);
            let options = LogsOptionsBuilder::default()
                .follow(true)
                .stdout(true)
                .stderr(true)
                .since(seconds);
            let mut stream = self.client.logs(id, Some(options.build()));
            while let Some(Ok(output)) = stream.next().await {
                let stderr = matches!(output, LogOutput::StdErr { .. });
                for line in String::from_utf8_lossy(output.as_ref()).lines() {
                    events.send(Event::Log {
                        container: name.to_owned(),
                        stderr,
                        line: line.to_owned(),
                    });
                }
            }
            // The stream ends with the program; one that the engine starts again goes on in a new one.
            since = OffsetDateTime::now_utc();
            match self.state(id).await.and_then(|(state, _)| state.status) {
                Some(
                    ContainerStateStatusEnum::RESTARTING
                    | ContainerStateStatusEnum::RUNNING
                    | ContainerStateStatusEnum::PAUSED,
                ) => {
                    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
                }
                _ => return,
            }
        }
    }
}
