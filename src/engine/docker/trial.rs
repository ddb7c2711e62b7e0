//! What `verify` does to containers, and the helpers that ask from inside the stack's network.

use std::collections::HashMap;
use std::io::Read;
use std::time::Duration;

use bollard::container::LogOutput;
use bollard::models::{
    ContainerCreateBody, EndpointSettings, HostConfig, NetworkConnectRequest, NetworkDisconnectRequest,
    NetworkingConfig,
};
use bollard::query_parameters::{
    AttachContainerOptionsBuilder, CreateContainerOptionsBuilder, DownloadFromContainerOptionsBuilder,
    InspectContainerOptions, KillContainerOptionsBuilder, LogsOptionsBuilder, RemoveContainerOptionsBuilder,
    RestartContainerOptions, StartContainerOptions, StopContainerOptions,
};
use futures_util::StreamExt;
use futures_util::future::join_all;
use tokio::time::sleep;

use super::{Docker, Error, Intent};
use crate::engine::labels::{self, Labels, Role};
use crate::stack::Probe;

/// The most bytes of a file, and of a log, that are read.
const LARGEST: usize = 64 << 20;

/// What older engines say, as an error of their own, of what is so already.
const SO_ALREADY: [&str; 3] = ["is not paused", "is already paused", "is not running"];

/// What is said where processes could not be held still in the time that is given to it, on a machine that is busy.
const NOT_HELD: &str = "unable to freeze";

/// How often holding them still is tried, and how long it waits in between.
const HOLDS: usize = 10;
const BETWEEN_HOLDS: Duration = Duration::from_millis(100);

/// Something done to a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blow {
    /// SIGKILL.
    Kill,
    /// SIGTERM, and SIGKILL after its grace.
    Stop,
    /// Start it again.
    Start,
    /// Stop and start it.
    Restart,
    /// Hold its processes still.
    Pause,
    /// Let them go on.
    Unpause,
    /// SIGSTOP to its first process.
    Hang,
    /// SIGCONT to it.
    Continue,
}

/// A helper that asks, and what it says.
#[derive(Debug)]
pub struct Helper {
    /// The engine's id.
    pub id: String,
    /// Its lines, until it ends.
    pub lines: tokio::sync::mpsc::UnboundedReceiver<String>,
}

impl Docker {
    /// Does something to a container; what is so already is fine.
    pub async fn strike(&self, id: &str, name: &str, blow: Blow) -> Result<(), Error> {
        let kill = async |signal: &str| {
            let options = KillContainerOptionsBuilder::default().signal(signal).build();
            self.client.kill_container(id, Some(options)).await
        };
        let (verb, done) = match blow {
            Blow::Kill => ("kill", kill("SIGKILL").await),
            Blow::Hang => ("halt", kill("SIGSTOP").await),
            Blow::Continue => ("continue", kill("SIGCONT").await),
            Blow::Stop => (
                "stop",
                self.client.stop_container(id, None::<StopContainerOptions>).await,
            ),
            Blow::Start => (
                "start",
                self.client
                    .start_container(id, None::<StartContainerOptions>)
                    .await,
            ),
            Blow::Restart => (
                "restart",
                self.client
                    .restart_container(id, None::<RestartContainerOptions>)
                    .await,
            ),
            Blow::Pause => ("pause", self.pause(id).await),
            Blow::Unpause => ("unpause", self.client.unpause_container(id).await),
        };
        match done.intent(|| format!("{verb} container `{name}`")) {
            // Started, stopped, or held already; or no more there to be so.
            Err(error) if matches!(error.status(), Some(304 | 404 | 409)) => Ok(()),
            Err(error)
                if error
                    .answer()
                    .is_some_and(|text| SO_ALREADY.iter().any(|so| text.contains(so))) =>
            {
                Ok(())
            }
            done => done,
        }
    }

    async fn pause(&self, id: &str) -> Result<(), bollard::errors::Error> {
        for _ in 1..HOLDS {
            match self.client.pause_container(id).await {
                Err(error) if error.to_string().contains(NOT_HELD) => sleep(BETWEEN_HOLDS).await,
                done => return done,
            }
        }
        self.client.pause_container(id).await
    }

    /// Takes a container off a network.
    pub async fn disconnect(&self, network: &str, name: &str) -> Result<(), Error> {
        let request = NetworkDisconnectRequest {
            container: name.to_owned(),
            force: Some(true),
        };
        let done = self.client.disconnect_network(network, request).await;
        done.intent(|| format!("take container `{name}` off the network `{network}`"))
    }

    /// Puts a container on a network, under these names.
    pub async fn connect_again(&self, network: &str, name: &str, aliases: &[String]) -> Result<(), Error> {
        let request = NetworkConnectRequest {
            container: name.to_owned(),
            endpoint_config: Some(EndpointSettings {
                aliases: Some(aliases.to_vec()),
                ..EndpointSettings::default()
            }),
        };
        let done = self.client.connect_network(network, request).await;
        match done.intent(|| format!("put container `{name}` on the network `{network}`")) {
            // It is on it already.
            Err(error) if matches!(error.status(), Some(403 | 404 | 409)) => Ok(()),
            done => done,
        }
    }

    /// The containers of a stack's pods, and when each was started last.
    pub async fn lives(&self, stack: &str) -> Result<Vec<(Labels, String)>, Error> {
        let observed = self.observe(stack).await?;
        let is_meant = |role| matches!(role, Role::Main | Role::Sidecar);
        let members = observed.containers.into_iter();
        let lives = members
            .filter(|member| is_meant(member.labels.role))
            .map(async |member| {
                let inspected = self
                    .client
                    .inspect_container(&member.id, None::<InspectContainerOptions>)
                    .await;
                // One that vanished meanwhile has no life.
                let started = inspected.ok().and_then(|inspected| inspected.state?.started_at);
                let life = format!("{} {}", member.id, started.unwrap_or_default());
                (member.labels, life)
            });
        Ok(join_all(lives).await)
    }

    /// Whether a probe passes in a container that has the binary.
    pub async fn passes(&self, id: &str, probe: &Probe) -> bool {
        let command = crate::engine::desired::probe_command(probe);
        let asked = self
            .run_in(id, &command, probe.timeout + Duration::from_secs(3))
            .await;
        matches!(asked, Ok((0, _)))
    }

    /// Runs a command in a container: its exit code, and what it wrote.
    pub async fn run(
        &self,
        id: &str,
        command: &[String],
        patience: Duration,
    ) -> Result<(i64, String), Error> {
        self.run_in(id, command, patience).await
    }

    /// The content of a file in a container; `None` where there is none.
    pub async fn read_file(&self, id: &str, path: &str) -> Result<Option<Vec<u8>>, Error> {
        let intent = || format!("read `{path}` in a container");
        // A link is followed: what is read through it is what its reader sees.
        let mut path = path.to_owned();
        for _ in 0..8 {
            let options = DownloadFromContainerOptionsBuilder::default().path(&path).build();
            let mut parts = self.client.download_from_container(id, Some(options));
            let mut bytes = Vec::new();
            while let Some(part) = parts.next().await {
                match part.intent(intent) {
                    Ok(part) if bytes.len() < LARGEST => bytes.extend_from_slice(&part),
                    Ok(_) => break,
                    Err(error) if error.status() == Some(404) => return Ok(None),
                    Err(error) => return Err(error),
                }
            }
            let mut archive = tar::Archive::new(bytes.as_slice());
            let Some(entry) = archive.entries()?.next() else {
                return Ok(None);
            };
            let mut entry = entry?;
            if let Some(target) = entry
                .link_name()?
                .filter(|_| entry.header().entry_type().is_symlink())
            {
                let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
                let target = target.to_string_lossy();
                path = if target.starts_with('/') {
                    target.into_owned()
                } else {
                    format!("{folder}/{target}")
                };
                continue;
            }
            let mut content = Vec::new();
            entry.read_to_end(&mut content)?;
            return Ok(Some(content));
        }
        Ok(None)
    }

    /// All that a container wrote on its output, errors included.
    pub async fn output(&self, id: &str) -> Result<Vec<u8>, Error> {
        let options = LogsOptionsBuilder::default().stdout(true).stderr(true).build();
        let mut parts = self.client.logs(id, Some(options));
        let mut bytes = Vec::new();
        while let Some(part) = parts.next().await {
            let part = part.intent(|| "read the log of a container".to_owned())?;
            if bytes.len() < LARGEST {
                bytes.extend_from_slice(part.as_ref());
            }
        }
        Ok(bytes)
    }

    /// Starts a helper from the block image, on the stack's network or on that of a container.
    pub async fn helper(
        &self,
        stack: &str,
        image: &str,
        from: Option<&str>,
        command: Vec<String>,
    ) -> Result<Helper, Error> {
        let intent = || "start the container that asks".to_owned();
        let labels = [(labels::HELPER, stack), (labels::COMPOSE_PROJECT, stack)];
        let body = ContainerCreateBody {
            image: Some(image.to_owned()),
            cmd: Some(command),
            labels: Some(
                labels
                    .map(|(key, value)| (key.to_owned(), value.to_owned()))
                    .into(),
            ),
            host_config: Some(HostConfig {
                network_mode: Some(
                    from.map_or_else(|| stack.to_owned(), |owner| format!("container:{owner}")),
                ),
                cap_drop: Some(vec!["ALL".to_owned()]),
                readonly_rootfs: Some(true),
                security_opt: Some(vec!["no-new-privileges:true".to_owned()]),
                ..HostConfig::default()
            }),
            networking_config: from.is_none().then(|| NetworkingConfig {
                endpoints_config: Some(HashMap::from([(stack.to_owned(), EndpointSettings::default())])),
            }),
            ..ContainerCreateBody::default()
        };
        let options = CreateContainerOptionsBuilder::default()
            .name(&format!("{stack}.verify-{:016x}", fastrand::u64(..)))
            .build();
        let id = self
            .client
            .create_container(Some(options), body)
            .await
            .intent(intent)?
            .id;
        let options = AttachContainerOptionsBuilder::default()
            .stdout(true)
            .stderr(true)
            .stream(true)
            .build();
        // Before it starts: no line is missed.
        let attached = self
            .client
            .attach_container(&id, Some(options))
            .await
            .intent(intent)?;
        let started = self
            .client
            .start_container(&id, None::<StartContainerOptions>)
            .await;
        started.intent(intent)?;
        let (sender, lines) = tokio::sync::mpsc::unbounded_channel();
        let mut output = attached.output;
        tokio::spawn(async move {
            let mut rest = Vec::new();
            while let Some(Ok(part)) = output.next().await {
                let (LogOutput::StdOut { message }
                | LogOutput::StdErr { message }
                | LogOutput::Console { message }
                | LogOutput::StdIn { message }) = part;
                rest.extend_from_slice(&message);
                while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
                    let line: Vec<u8> = rest.drain(..=end).collect();
                    let _ = sender.send(String::from_utf8_lossy(&line).trim_end().to_owned());
                }
            }
        });
        Ok(Helper { id, lines })
    }

    /// Removes a helper.
    pub async fn remove_helper(&self, id: &str) {
        let options = RemoveContainerOptionsBuilder::default()
            .force(true)
            .v(true)
            .build();
        // What is left over is removed by the next run, and by `down`.
        let _ = self.client.remove_container(id, Some(options)).await;
    }

    /// Removes the helpers that a run which was cut short left behind.
    pub async fn remove_helpers(&self, stack: &str) -> Result<(), Error> {
        for summary in self.summaries(&[(labels::HELPER, stack)]).await? {
            if let Some(id) = summary.id {
                self.remove_helper(&id).await;
            }
        }
        Ok(())
    }
}
