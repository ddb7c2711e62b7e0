//! Makes things go wrong, and well again.

use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::super::engine::failed;
use super::super::stack_args::StackArgs;
use super::trial::{Scene, Trial};
use crate::engine::Events;
use crate::engine::desired::BINARY;
use crate::engine::docker::Error;
use crate::engine::docker::trial::Blow;
use crate::engine::labels::Labels;
use crate::engine::secrets::Secrets;
use crate::stack::promise::{FaultKind, Promise, Target};
use crate::stack::{Change, Name, Stack};
use crate::terminal::Failure;

/// How long a container that is slowed runs between two halts.
const BREATH: Duration = Duration::from_millis(20);
/// How long a command may take beyond the fault's own time.
const SLACK: Duration = Duration::from_secs(30);

/// What makes a fault well again. What changed the stack is well again when the stack is brought up as it is written.
#[derive(Debug, Clone)]
pub enum Undo {
    /// Something is done to a container.
    Strike {
        /// The engine's id.
        id: String,
        /// Its name for people.
        name: String,
        /// What.
        blow: Blow,
    },
    /// A volume's room is given back.
    Empty {
        /// A container that sees the volume.
        container: String,
        /// Where.
        path: String,
    },
    /// A container is put on a network.
    Connect {
        /// The network.
        network: String,
        /// The container.
        name: String,
        /// Its names there.
        aliases: Vec<String>,
    },
}

/// Something that is kept to be undone until this is told that it was.
pub struct Undone<'a> {
    pub trial: &'a Trial<'a>,
    pub key: u64,
}

impl Undone<'_> {
    fn forget(self) {
        self.trial.undo.borrow_mut().retain(|(key, _)| *key != self.key);
    }
}

impl Scene<'_> {
    /// A fault, from its time to its end.
    pub async fn trouble(&self, index: usize) -> Result<(), Failure> {
        let fault = &self.promise.faults[index];
        sleep_until(self.began + fault.at).await;
        self.note(fault.kind.to_string());
        let end = self.began + fault.at + fault.lasts;
        match &fault.kind {
            FaultKind::Kill(target) => self.strike(target, Blow::Kill, Some(Blow::Start), end).await?,
            FaultKind::Stop(target) => self.strike(target, Blow::Stop, Some(Blow::Start), end).await?,
            FaultKind::Pause(target) => self.strike(target, Blow::Pause, Some(Blow::Unpause), end).await?,
            FaultKind::Hang(target) => self.strike(target, Blow::Hang, Some(Blow::Continue), end).await?,
            FaultKind::Restart(target) => self.strike(target, Blow::Restart, None, end).await?,
            FaultKind::Cut(target) => self.cut(target, end).await?,
            FaultKind::Slow(target, by) => self.slow(target, *by, end).await?,
            FaultKind::Fill(target, volume) => self.fill(target, volume.as_str(), end).await?,
            FaultKind::Exec(target, command) => self.command(target, command, fault.lasts).await?,
            FaultKind::Rotate(secret) => {
                if !Secrets::forget(self.folder, secret.as_str())? {
                    let what =
                        format!("the certificate of `{secret}` is your own, and motif doesn't replace it");
                    return Err(Failure::usage(what));
                }
                self.up(&self.stack, &[]).await?;
            }
            FaultKind::Scale(pod, count) => {
                self.up(&self.stack, &[(pod.to_string(), *count)]).await?;
                self.back(fault.lasts).await?;
            }
            FaultKind::Set(values) => {
                let mut stack = self.stack.clone();
                stack.set.extend(values.iter().cloned());
                self.up(&stack, &[]).await?;
                self.back(fault.lasts).await?;
            }
            FaultKind::Change => {
                let mut stack = self.stack.clone();
                stack
                    .changes
                    .push(Change::Fault(self.promise.name.to_string(), index));
                self.up(&stack, &[]).await?;
                self.back(fault.lasts).await?;
            }
        }
        self.note(format!("{} is over", fault.kind));
        Ok(())
    }

    async fn up(&self, stack: &StackArgs, scale: &[(String, u32)]) -> Result<(), Failure> {
        let up = self.trial.bring_up(stack, scale, true, &Events::none()).await;
        up.map(drop)
    }

    /// Brings the stack back when it has been another one for this time.
    async fn back(&self, lasts: Duration) -> Result<(), Failure> {
        self.note("the stack is changed");
        sleep(lasts).await;
        self.up(&self.stack, &[]).await
    }

    async fn strike(
        &self,
        target: &Target,
        blow: Blow,
        undo: Option<Blow>,
        end: Instant,
    ) -> Result<(), Failure> {
        let struck = self.somebody(target).await?;
        self.hit(&struck, blow, undo, end).await
    }

    async fn hit(
        &self,
        struck: &[(String, String)],
        blow: Blow,
        undo: Option<Blow>,
        end: Instant,
    ) -> Result<(), Failure> {
        let kept: Vec<_> = undo
            .iter()
            .flat_map(|undo| struck.iter().map(move |one| (one, *undo)))
            .map(|((id, name), blow)| {
                self.will_undo(Undo::Strike {
                    id: id.clone(),
                    name: name.clone(),
                    blow,
                })
            })
            .collect();
        let docker = self.trial.docker;
        let strike = async |blow| {
            let done = join_all(struck.iter().map(|(id, name)| docker.strike(id, name, blow))).await;
            done.into_iter().collect::<Result<(), _>>().map_err(failed)
        };
        strike(blow).await?;
        if let Some(undo) = undo {
            sleep_until(end).await;
            strike(undo).await?;
        }
        kept.into_iter().for_each(Undone::forget);
        Ok(())
    }

    /// The containers that a target means now: a fault that hits nobody proves nothing.
    async fn somebody(&self, target: &Target) -> Result<Vec<(String, String)>, Failure> {
        let found = self.containers(target).await.map_err(failed)?;
        if found.is_empty() {
            return Err(Failure::usage(format!(
                "the fault hits nobody: no container is `{target}`"
            )));
        }
        let names: Vec<&str> = found.iter().map(|(_, name)| name.as_str()).collect();
        self.note(format!("{target} is {}", names.join(", ")));
        Ok(found)
    }

    async fn slow(&self, target: &Target, by: Duration, end: Instant) -> Result<(), Failure> {
        let struck = self.somebody(target).await?;
        while Instant::now() < end {
            let until = Instant::now() + by;
            self.hit(&struck, Blow::Pause, Some(Blow::Unpause), until.min(end))
                .await?;
            sleep(BREATH).await;
        }
        Ok(())
    }

    async fn cut(&self, target: &Target, end: Instant) -> Result<(), Failure> {
        let replicas = self.replicas(target).await?;
        let docker = self.trial.docker;
        let owners: Vec<_> = replicas
            .into_iter()
            .filter_map(|replica| self.owner(target.pod.as_str(), replica))
            .collect();
        let kept: Vec<_> = owners
            .iter()
            .map(|owner| {
                self.will_undo(Undo::Connect {
                    network: self.name.clone(),
                    name: owner.name.clone(),
                    aliases: owner.aliases.clone(),
                })
            })
            .collect();
        for owner in &owners {
            docker.disconnect(&self.name, &owner.name).await.map_err(failed)?;
        }
        sleep_until(end).await;
        for owner in &owners {
            let again = docker
                .connect_again(&self.name, &owner.name, &owner.aliases)
                .await;
            again.map_err(failed)?;
        }
        kept.into_iter().for_each(Undone::forget);
        Ok(())
    }

    /// The replicas that a target means now.
    async fn replicas(&self, target: &Target) -> Result<Vec<u32>, Failure> {
        let meant = self.somebody(target).await?;
        let members = self
            .trial
            .docker
            .observe(&self.name)
            .await
            .map_err(failed)?
            .containers;
        let mut replicas: Vec<u32> = members
            .iter()
            .filter(|member| meant.iter().any(|(id, _)| *id == member.name))
            .map(|member| member.labels.replica)
            .collect();
        replicas.dedup();
        Ok(replicas)
    }

    async fn fill(&self, target: &Target, volume: &str, end: Instant) -> Result<(), Failure> {
        let seen = mounted(self.model, target, volume);
        let mut places = Vec::new();
        if let Some((container, path)) = seen {
            let target = Target {
                container: Some(container),
                ..target.clone()
            };
            let found = self.containers(&target).await.map_err(failed)?;
            places.extend(found.into_iter().map(|(id, _)| (id, path.clone())));
        }
        if places.is_empty() {
            return Err(Failure::usage(format!(
                "no container of {target} mounts the volume `{volume}`"
            )));
        }
        let kept: Vec<_> = places
            .iter()
            .map(|(container, path)| {
                self.will_undo(Undo::Empty {
                    container: container.clone(),
                    path: path.clone(),
                })
            })
            .collect();
        for (container, path) in &places {
            let command = fill("up", path);
            let done = self.trial.docker.run(container, &command, SLACK).await;
            let (code, text) = done.map_err(failed)?;
            if code != 0 {
                let what = format!("failed to fill `{path}` in `{container}`: {text}");
                return Err(Failure::usage(what).hint(
                    "a container that is filled has to be a block, or to have a probe: then it has motif's binary",
                ));
            }
        }
        sleep_until(end).await;
        for (container, path) in &places {
            self.trial.give_back(container, path).await.map_err(failed)?;
        }
        kept.into_iter().for_each(Undone::forget);
        Ok(())
    }

    async fn command(&self, target: &Target, command: &[String], lasts: Duration) -> Result<(), Failure> {
        for (id, name) in self.somebody(target).await? {
            let run = self.trial.docker.run(&id, command, lasts + SLACK);
            let done = timeout(lasts + SLACK, run).await;
            let Ok(done) = done else { continue };
            let (code, text) = done.map_err(failed)?;
            if code != 0 {
                let last = text.lines().last().unwrap_or_default().to_owned();
                return Err(Failure::usage(format!(
                    "`{}` failed in `{name}` with code {code}: {last}",
                    command.join(" ")
                )));
            }
        }
        Ok(())
    }
}

/// A container of the pod that sees a volume, and where: whichever it is fills it for all.
fn mounted(stack: &Stack, target: &Target, volume: &str) -> Option<(Name, String)> {
    let pod = stack.pod(target.pod.as_str())?;
    pod.spec.containers.iter().find_map(|container| {
        let mount = container
            .mounts
            .iter()
            .find(|mount| mount.volume.as_str() == volume)?;
        Some((container.name.clone(), mount.path.clone()))
    })
}

/// The words that fill a volume, or give its room back.
fn fill(way: &str, path: &str) -> [String; 5] {
    [BINARY, "block", "fill", way, path].map(str::to_owned)
}

impl Trial<'_> {
    /// Makes well what a run that was killed may have left: processes that are held still, and volumes that are full.
    /// All else is put right when the stack is brought up.
    pub async fn heal(&self, stack: &Stack, promises: &[&Promise]) -> Result<(), Error> {
        let members = self.docker.observe(stack.name().as_str()).await?.containers;
        for fault in promises.iter().flat_map(|promise| &promise.faults) {
            let pod_is = |labels: &Labels, target: &Target| labels.pod == target.pod.as_str();
            match &fault.kind {
                FaultKind::Hang(target) => {
                    for member in members.iter().filter(|member| pod_is(&member.labels, target)) {
                        self.docker
                            .strike(&member.name, &member.name, Blow::Continue)
                            .await?;
                    }
                }
                FaultKind::Fill(target, volume) => {
                    let Some((container, path)) = mounted(stack, target, volume.as_str()) else {
                        continue;
                    };
                    let is_meant =
                        |labels: &Labels| pod_is(labels, target) && labels.container == container.as_str();
                    for member in members.iter().filter(|member| is_meant(&member.labels)) {
                        // One that doesn't run begins with an empty volume.
                        let _ = self.docker.run(&member.name, &fill("back", &path), SLACK).await;
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Gives a volume's room back; a container that is just replaced is waited for.
    pub async fn give_back(&self, container: &str, path: &str) -> Result<(), Error> {
        let deadline = Instant::now() + SLACK;
        loop {
            match self.docker.run(container, &fill("back", path), SLACK).await {
                Ok((0, _)) => return Ok(()),
                Err(error) if Instant::now() >= deadline => return Err(error),
                _ if Instant::now() >= deadline => return Ok(()),
                _ => sleep(BREATH).await,
            }
        }
    }
}
