//! Tries one promise: load, faults and looks side by side, and what was seen of them.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::join_all;
use regex_lite::Regex;
use tokio::time::{Instant, sleep_until};

use super::super::engine::failed;
use super::super::stack_args::{LoadedStack, StackArgs};
use super::super::up::{Errand, Given, UpArgs};
use super::EVERYTHING;
use super::asking;
use super::trouble::{Undo, Undone};
use crate::engine::Events;
use crate::engine::binary::Binary;
use crate::engine::desired::Container;
use crate::engine::docker::up::Prepared;
use crate::engine::docker::{Docker, Error};
use crate::engine::labels::{Labels, Role as ContainerRole};
use crate::stack::promise::{Once, Promise, Target, Which};
use crate::stack::{Action, Change, Probe, Scheme, Stack};
use crate::terminal::{Failure, Format, Printer};
use crate::verify::{Keys, Life, Outcome, Run, Seen, judge};

/// How long a role may take until a replica has it.
const CASTING: Duration = Duration::from_secs(15);
/// Time between two looks.
pub const LOOK: Duration = Duration::from_millis(200);

/// What tries promises.
pub struct Trial<'a> {
    pub docker: &'a Docker,
    stack: &'a StackArgs,
    host: Option<&'a str>,
    printer: Printer,
    patience: Duration,
    seed: u64,
    /// What has to be undone, should nobody come to it.
    pub undo: RefCell<Vec<(u64, Undo)>>,
}

/// A try that is under way.
pub struct Scene<'a> {
    pub trial: &'a Trial<'a>,
    pub promise: &'a Promise,
    /// What runs.
    pub stack: StackArgs,
    pub name: String,
    pub model: &'a Stack,
    pub folder: &'a std::path::Path,
    pub prepared: Prepared,
    pub block_image: String,
    /// When the first question was due.
    pub began: Instant,
    pub timeline: RefCell<Vec<(u64, String)>>,
    pub chance: RefCell<fastrand::Rng>,
}

impl<'a> Trial<'a> {
    pub fn new(
        docker: &'a Docker,
        stack: &'a StackArgs,
        host: Option<&'a str>,
        printer: Printer,
        patience: Duration,
        seed: u64,
    ) -> Self {
        Self {
            docker,
            stack,
            host,
            printer,
            patience,
            seed,
            undo: RefCell::default(),
        }
    }

    /// Brings a form of the stack up, where that is waited for until it is ready.
    pub async fn bring_up(
        &self,
        stack: &StackArgs,
        scale: &[(String, u32)],
        wait: bool,
        events: &Events,
    ) -> Result<Prepared, Failure> {
        let args = UpArgs {
            stack: stack.clone(),
            detach: true,
            wait,
            watch: false,
            wait_timeout: self.patience,
            build: false,
            builder: None,
            dry_run: false,
            scale: scale.to_vec(),
            remove_orphans: true,
            format: Format::Table,
        };
        let loaded = stack.load_quietly()?;
        let errand = Errand::new(&args, &EVERYTHING, self.host, self.printer);
        let prepared = errand
            .prepare(self.docker, &loaded, &Given::new(), events)
            .await?;
        errand.carry_out(self.docker, &loaded, prepared, events).await
    }

    /// Undoes what is still broken, the last first.
    pub async fn undo_all(&self) {
        loop {
            let last = self.undo.borrow_mut().pop();
            let Some((_, undo)) = last else { return };
            let done = match undo {
                Undo::Strike { id, name, blow } => self.docker.strike(&id, &name, blow).await,
                Undo::Empty { container, path } => self.give_back(&container, &path).await,
                Undo::Connect {
                    network,
                    name,
                    aliases,
                } => self.docker.connect_again(&network, &name, &aliases).await,
            };
            if let Err(error) = done {
                self.printer.warning(error.with_causes());
            }
        }
    }

    /// Tries a promise once.
    pub async fn run(
        &self,
        promise: &Promise,
        control: bool,
        repetition: u32,
        loaded: &LoadedStack,
    ) -> Result<Run, Failure> {
        let started = Instant::now();
        let mut stack = self.stack.clone();
        if control {
            stack.changes.push(Change::Control(promise.name.to_string()));
        }
        let mut run = Run {
            promise: promise.name.to_string(),
            says: promise.says.clone(),
            control,
            outcome: Outcome::Kept,
            figures: Vec::new(),
            milliseconds: 0,
            timeline: Vec::new(),
        };
        // With an error in its control a stack may not come up either: that proves nothing.
        let prepared = match self.bring_up(&stack, &[], true, &Events::none()).await {
            Ok(prepared) => prepared,
            Err(failure) => {
                let reason = in_a_line(&failure);
                run.outcome = Outcome::Failed(format!("the stack did not come up: {reason}"));
                run.milliseconds = millis(started.elapsed());
                return Ok(run);
            }
        };
        let binary = Binary::running().map_err(|error| failed(Error::from(error)))?;
        let scene = Scene {
            trial: self,
            promise,
            stack,
            name: loaded.loaded.stack.name().to_string(),
            model: &loaded.loaded.stack,
            folder: &loaded.folder,
            prepared,
            block_image: binary.image(),
            began: Instant::now(),
            timeline: RefCell::default(),
            chance: RefCell::new(fastrand::Rng::with_seed(
                self.seed.wrapping_add(repetition.into()),
            )),
        };
        match Box::pin(scene.play()).await {
            Ok((seen, timeline)) => {
                run.figures = judge(promise, &seen);
                if !run.figures.iter().all(|figure| figure.kept) {
                    run.outcome = Outcome::Broken;
                }
                run.timeline = timeline;
            }
            Err(failure) => run.outcome = Outcome::Failed(in_a_line(&failure)),
        }
        self.undo_all().await;
        run.milliseconds = millis(started.elapsed());
        Ok(run)
    }

    pub fn seed(&self) -> u64 {
        self.seed
    }
}

/// What failed, with its causes.
fn in_a_line(failure: &Failure) -> String {
    let causes: Vec<String> = failure.error.chain().map(ToString::to_string).collect();
    causes.join(": ").lines().next().unwrap_or_default().to_owned()
}

pub fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

impl Scene<'_> {
    /// Load, faults and looks, then what is left to look at.
    async fn play(mut self) -> Result<(Seen, Vec<(u64, String)>), Failure> {
        let before = self.trial.docker.lives(&self.name).await.map_err(failed)?;
        // What an earlier trial left is not this one's.
        let earlier = match &self.promise.expect.once {
            Some(once) => self.count(once).await.map_err(failed)?,
            None => Keys::default(),
        };
        let asking = match &self.promise.load {
            Some(load) => Some(asking::begin(&self, load).await.map_err(failed)?),
            None => None,
        };
        self.began = Instant::now();
        self.note("the load begins");
        let scene = &self;
        let load = async {
            match asking {
                Some(asking) => {
                    let samples = asking.samples(scene).await;
                    scene.note("the load ends");
                    samples
                }
                None => Ok(Vec::new()),
            }
        };
        let faults = join_all((0..self.promise.faults.len()).map(|index| scene.trouble(index)));
        let during = async {
            let expect = &scene.promise.expect;
            let answers = expect.answers.iter().filter_map(|look| Some((look.at?, look)));
            let answers = answers.map(async |(at, look)| {
                sleep_until(scene.began + at).await;
                asking::look(scene, look).await
            });
            let files = expect.files.iter().filter_map(|look| Some((look.at?, look)));
            let files = files.map(async |(at, look)| {
                sleep_until(scene.began + at).await;
                asking::file(scene, look).await
            });
            let (answers, files) = tokio::join!(join_all(answers), join_all(files));
            answers
                .into_iter()
                .chain(files)
                .collect::<Result<Vec<_>, Error>>()
        };
        let (samples, faults, looks) = tokio::join!(load, faults, during);
        for fault in faults {
            fault?;
        }
        let mut seen = Seen {
            samples: samples.map_err(failed)?,
            looks: looks.map_err(failed)?,
            ..Seen::default()
        };
        let expect = &self.promise.expect;
        for look in expect.answers.iter().filter(|look| look.at.is_none()) {
            seen.looks.push(asking::look(scene, look).await.map_err(failed)?);
        }
        for look in expect.files.iter().filter(|look| look.at.is_none()) {
            seen.looks.push(asking::file(scene, look).await.map_err(failed)?);
        }
        let after = self.trial.docker.lives(&self.name).await.map_err(failed)?;
        let after: BTreeMap<(String, u32, String), String> = after.into_iter().map(place).collect();
        seen.lives = before
            .into_iter()
            .map(place)
            .map(|(at, life)| Life {
                anew: after.get(&at) != Some(&life),
                pod: at.0,
                replica: at.1,
                container: at.2,
            })
            .collect();
        if let Some(once) = &expect.once {
            seen.keys = Some(self.keys(once, &earlier, &seen).await.map_err(failed)?);
        }
        self.note("all is seen");
        Ok((seen, self.timeline.into_inner()))
    }

    /// Says when something happens.
    pub fn note(&self, what: impl Into<String>) {
        self.timeline
            .borrow_mut()
            .push((millis(self.began.elapsed()), what.into()));
    }

    /// Reads keys until each stands where it has to, or the time is over.
    async fn keys(&self, once: &Once, earlier: &Keys, seen: &Seen) -> Result<Keys, Error> {
        let wanted = seen
            .samples
            .iter()
            .filter(|sample| sample.lost.is_none())
            .map(|sample| sample.key.as_str())
            .collect();
        let deadline = Instant::now() + once.within;
        loop {
            let keys = self.count(once).await?.without(earlier);
            let (missing, _) = keys.faults(&wanted);
            if missing.is_empty() || Instant::now() >= deadline {
                return Ok(keys);
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// The keys that stand there now.
    async fn count(&self, once: &Once) -> Result<Keys, Error> {
        let mut keys = Keys::default();
        for (id, _) in self.containers(&once.target).await? {
            let text = match &once.path {
                Some(path) => self.trial.docker.read_file(&id, path).await?.unwrap_or_default(),
                None => self.trial.docker.output(&id).await?,
            };
            count_keys(&String::from_utf8_lossy(&text), &once.pattern.0, &mut keys);
        }
        Ok(keys)
    }

    /// The containers that a target means now: the name on the engine, which one that takes its place has too, and one for
    /// people.
    pub async fn containers(&self, target: &Target) -> Result<Vec<(String, String)>, Error> {
        let members = self.trial.docker.observe(&self.name).await?.containers;
        let is_of_pod = |labels: &Labels| {
            labels.pod == target.pod.as_str()
                && matches!(labels.role, ContainerRole::Main | ContainerRole::Sidecar)
        };
        let members: Vec<_> = members
            .into_iter()
            .filter(|member| is_of_pod(&member.labels))
            .collect();
        let mut replicas: Vec<u32> = members.iter().map(|member| member.labels.replica).collect();
        replicas.sort_unstable();
        replicas.dedup();
        let replicas = match &target.which {
            Which::All => replicas,
            Which::Index(index) => vec![*index],
            Which::Any => self.chance.borrow_mut().choice(replicas).into_iter().collect(),
            Which::Role(role) => self.cast(target, role, &replicas).await?,
        };
        let is_meant = |labels: &Labels| {
            let container = target.container.as_ref();
            replicas.contains(&labels.replica)
                && container.is_none_or(|name| name.as_str() == labels.container)
        };
        Ok(members
            .into_iter()
            .filter(|member| is_meant(&member.labels))
            .map(|member| (member.name.clone(), member.labels.display_name()))
            .collect())
    }

    /// The replicas that have a role, once there is one.
    async fn cast(
        &self,
        target: &Target,
        role: &crate::stack::promise::Role,
        replicas: &[u32],
    ) -> Result<Vec<u32>, Error> {
        let probe = Probe {
            place: self.promise.place.clone(),
            action: Action::Http {
                path: role.path.clone(),
                port: role.port,
                scheme: Scheme::Http,
                headers: Vec::new(),
            },
            delay: Duration::ZERO,
            every: Duration::from_secs(1),
            timeout: Duration::from_secs(1),
            failures: 1,
            successes: 1,
        };
        let deadline = Instant::now() + CASTING;
        loop {
            let mut found = Vec::new();
            for replica in replicas {
                if let Some(owner) = self.owner(target.pod.as_str(), *replica)
                    && self.trial.docker.passes(&owner.name, &probe).await
                {
                    found.push(*replica);
                }
            }
            if !found.is_empty() || Instant::now() >= deadline {
                return Ok(found);
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// The container that owns a replica's network.
    pub fn owner(&self, pod: &str, replica: u32) -> Option<&Container> {
        let replicas = &self.prepared.desired.replicas;
        let found = replicas
            .iter()
            .find(|found| found.pod == pod && found.index == replica && !found.is_proxy());
        found?.containers.iter().find(|container| !container.joins)
    }

    /// Keeps what has to be undone, should nobody come to it.
    pub fn will_undo(&self, undo: Undo) -> Undone<'_> {
        let key = fastrand::u64(..);
        self.trial.undo.borrow_mut().push((key, undo));
        Undone {
            trial: self.trial,
            key,
        }
    }
}

fn place((labels, life): (Labels, String)) -> ((String, u32, String), String) {
    ((labels.pod, labels.replica, labels.container), life)
}

fn count_keys(text: &str, pattern: &Regex, keys: &mut Keys) {
    for line in text.lines() {
        for found in pattern.captures_iter(line) {
            if let Some(key) = found.get(1) {
                *keys.0.entry(key.as_str().to_owned()).or_default() += 1;
            }
        }
    }
}
