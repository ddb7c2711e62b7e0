//! Turns a stack's name into its containers, as a person asks about them.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use bollard::models::{
    ContainerConfig, ContainerInspectResponse, ContainerStateStatusEnum, ContainerSummary, HealthStatusEnum,
};
use bollard::query_parameters::{InspectContainerOptions, ListContainersOptionsBuilder};
use futures_util::future::join_all;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::{Docker, Error, Intent, observe};
use crate::engine::desired::{BINARY, RESTARTS_FOLDER};
use crate::engine::labels::{self, Labels, Role};
use crate::engine::observed::Status;
use crate::engine::overview::{Health, Member};

/// The blocks that have metrics.
const SERVING: [&str; 2] = ["http-echo", "proxy"];
/// Their admin port, where nothing else is said.
const ADMIN: &str = "0.0.0.0:9900";
/// How long a container that just started may take to say how it is.
const FIRST_ANSWER: Duration = Duration::from_secs(1);
/// How long a container has to run until the engine forgets its earlier ends: its back-off starts anew.
const SETTLED: Duration = Duration::from_secs(10);

impl Docker {
    /// The containers of a stack, ended ones too: one question, then one for each, all at once.
    pub async fn list(&self, stack: &str) -> Result<Vec<Member>, Error> {
        let summaries = self.summaries(&[(labels::STACK, stack)]).await?;
        let members = join_all(summaries.iter().map(|summary| self.member(summary))).await;
        Ok(members.into_iter().flatten().collect())
    }

    /// The labels of a stack's containers, ended ones too: one question.
    pub async fn summary(&self, stack: &str) -> Result<Vec<Labels>, Error> {
        let summaries = self.summaries(&[(labels::STACK, stack)]).await?;
        Ok(summaries
            .iter()
            .filter_map(|summary| Labels::read(summary.labels.as_ref()?))
            .collect())
    }

    /// The names of the stacks that have containers, sorted.
    pub async fn stacks(&self) -> Result<Vec<String>, Error> {
        let summaries = self.summaries(&[(labels::STACK, "")]).await?;
        let mut names: Vec<String> = summaries
            .iter()
            .filter_map(|summary| Some(Labels::read(summary.labels.as_ref()?)?.stack))
            .collect();
        names.sort();
        names.dedup();
        Ok(names)
    }

    /// The containers that have all of these labels; an empty value is any.
    pub(super) async fn summaries(&self, wanted: &[(&str, &str)]) -> Result<Vec<ContainerSummary>, Error> {
        let label = |(name, value): &(&str, &str)| match *value {
            "" => (*name).to_owned(),
            value => format!("{name}={value}"),
        };
        let wanted: Vec<String> = wanted.iter().map(label).collect();
        let options = ListContainersOptionsBuilder::default()
            .all(true)
            .filters(&HashMap::from([("label", wanted)]))
            .build();
        self.client
            .list_containers(Some(options))
            .await
            .intent(|| "list containers".to_owned())
    }

    async fn member(&self, summary: &ContainerSummary) -> Option<Member> {
        let container = observe::container(summary)?;
        // The list knows neither restarts nor probes. What vanished meanwhile is left out.
        let inspected = match container.labels.role {
            Role::Carrier => ContainerInspectResponse::default(),
            _ => self
                .client
                .inspect_container(&container.id, None::<InspectContainerOptions>)
                .await
                .ok()?,
        };
        let image = container
            .fields
            .get("image")
            .and_then(|image| image.rsplit_once('@'));
        let image = image.map(|(name, _)| name.to_owned());
        let state = inspected.state.unwrap_or_default();
        let health_state = state.health.unwrap_or_default();
        let mut health = health_state.status;
        let mut answer = health_state
            .log
            .unwrap_or_default()
            .pop()
            .and_then(|last| last.output);
        // The engine asks when the interval is over; whoever looks wants to know now.
        if matches!(
            health,
            Some(HealthStatusEnum::STARTING | HealthStatusEnum::UNHEALTHY)
        ) && state.running == Some(true)
        {
            let test = inspected
                .config
                .as_ref()
                .and_then(|config| config.healthcheck.clone()?.test);
            if let Some([kind, command @ ..]) = test.as_deref()
                && kind == "CMD"
                && let Ok((code, said)) = self.run_in(&container.id, command, FIRST_ANSWER).await
            {
                if code == 0 {
                    health = Some(HealthStatusEnum::HEALTHY);
                } else {
                    answer = Some(said);
                }
            }
        }
        let last_line = |text: String| {
            let line = text.lines().rfind(|line| !line.trim().is_empty())?;
            Some(line.trim().to_owned())
        };
        let is_watched = || container.volumes.values().any(|path| path == RESTARTS_FOLDER);
        let restarts = inspected.restart_count.unwrap_or_default();
        let last_restart = if restarts > 0 && is_watched() {
            self.last_restart(&container.id).await
        } else {
            None
        };
        Some(Member {
            last_restart,
            image: image.or_else(|| summary.image.clone()).unwrap_or_default(),
            // As of the same moment as all the rest.
            status: state.status.map_or(container.status, |status| match status {
                ContainerStateStatusEnum::RUNNING => Status::Running,
                ContainerStateStatusEnum::PAUSED => Status::Paused,
                ContainerStateStatusEnum::RESTARTING => Status::Restarting,
                ContainerStateStatusEnum::EXITED => Status::Exited(state.exit_code.unwrap_or(-1)),
                ContainerStateStatusEnum::DEAD | ContainerStateStatusEnum::REMOVING => Status::Dead,
                _ => Status::Created,
            }),
            health: match health {
                Some(HealthStatusEnum::STARTING) => Health::Starting,
                Some(HealthStatusEnum::HEALTHY) => Health::Ready,
                Some(HealthStatusEnum::UNHEALTHY) => Health::Unready,
                Some(HealthStatusEnum::NONE | HealthStatusEnum::EMPTY) | None => Health::Unknown,
            },
            restarts,
            created: summary
                .created
                .and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok()),
            ports: container.ports,
            metrics: inspected.config.and_then(|config| metrics_of(&config)),
            is_of_job: container.job.is_some(),
            is_settled: state
                .started_at
                .and_then(|text| OffsetDateTime::parse(&text, &Rfc3339).ok())
                .is_some_and(|started| OffsetDateTime::now_utc() - started > SETTLED),
            is_out_of_memory: state.oom_killed == Some(true),
            error: state.error.filter(|error| !error.is_empty()),
            exit_code: state.exit_code.unwrap_or_default(),
            memory: inspected
                .host_config
                .and_then(|config| u64::try_from(config.memory?).ok())
                .filter(|memory| *memory > 0),
            answer: answer
                .filter(|_| health != Some(HealthStatusEnum::HEALTHY))
                .and_then(last_line),
            id: container.id,
            name: container.name,
            labels: container.labels,
        })
    }
}

/// Where a block that serves says its metrics, as seen from inside its container.
fn metrics_of(config: &ContainerConfig) -> Option<SocketAddr> {
    let words = config.entrypoint.iter().chain(&config.cmd).flatten();
    let words: Vec<&str> = words.map(String::as_str).collect();
    let serves = |pair: &[&str]| pair[0] == BINARY && pair[1] == "block";
    if !words.windows(2).any(serves) || !words.iter().any(|word| SERVING.contains(word)) {
        return None;
    }
    let flag = words.iter().enumerate().find_map(|(at, word)| match *word {
        "--admin" => words.get(at + 1).copied(),
        word => word.strip_prefix("--admin="),
    });
    let variable = || {
        let lines = config.env.iter().flatten();
        lines
            .into_iter()
            .find_map(|line| line.strip_prefix("MOTIF_ADMIN="))
    };
    let mut admin: SocketAddr = flag.or_else(variable).unwrap_or(ADMIN).parse().ok()?;
    if admin.ip().is_unspecified() {
        admin.set_ip(Ipv4Addr::LOCALHOST.into());
    }
    Some(admin)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_metrics_of_a_block_are_found_in_its_command() {
        let check = |entrypoint: &[&str], command: &[&str], env: &[&str], expect: Option<&str>| {
            let texts = |words: &[&str]| Some(words.iter().map(|word| (*word).to_owned()).collect());
            let config = ContainerConfig {
                entrypoint: texts(entrypoint),
                cmd: texts(command),
                env: texts(env),
                ..ContainerConfig::default()
            };
            let found = metrics_of(&config).map(|address| address.to_string());
            assert_eq!(found.as_deref(), expect);
        };
        let block = ["/.motif/motif", "block"];
        check(&block, &["http-echo"], &[], Some("127.0.0.1:9900"));
        check(
            &block,
            &["proxy", "--admin", "0.0.0.0:9901"],
            &[],
            Some("127.0.0.1:9901"),
        );
        check(
            &block,
            &["proxy", "--admin=10.0.0.1:1"],
            &["MOTIF_ADMIN=0.0.0.0:2"],
            Some("10.0.0.1:1"),
        );
        check(
            &block,
            &["http-echo"],
            &["MOTIF_ADMIN=0.0.0.0:2"],
            Some("127.0.0.1:2"),
        );
        check(&block, &["pause"], &[], None);
        check(&["/bin/proxy"], &["http-echo"], &[], None);
        check(
            &["/.motif/motif"],
            &["block", "init", "--", "/.motif/motif", "block", "proxy"],
            &[],
            Some("127.0.0.1:9900"),
        );
    }
}
