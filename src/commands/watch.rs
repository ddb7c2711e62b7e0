//! `motif up --watch`: what changes on disk changes what runs.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use time::OffsetDateTime;

use super::engine::failed;
use super::stack_args::LoadedStack;
use super::up::{Errand, Given, follow};
use crate::disk::Watcher;
use crate::engine::Events;
use crate::engine::docker::Docker;
use crate::engine::docker::up::Prepared;
use crate::engine::docker::watch::{Copies, Reaction, Rules};
use crate::stack::{Source, Stack};
use crate::terminal::Failure;

/// What runs, and what is watched.
struct Session<'a> {
    errand: &'a Errand<'a>,
    docker: &'a Docker,
    events: &'a Events,
    loaded: LoadedStack,
    prepared: Prepared,
    rules: Rules,
    copies: Copies,
    watcher: Watcher,
}

/// Shows what the pods write, keeps the jobs, and does what follows from changes, for ever.
pub async fn attend(
    errand: &Errand<'_>,
    loaded: LoadedStack,
    docker: &Docker,
    prepared: Prepared,
    began: OffsetDateTime,
    events: &Events,
) -> Result<(), Failure> {
    let rules = rules(&loaded, &prepared)?;
    let mut session = Session {
        errand,
        docker,
        events,
        loaded,
        prepared,
        rules,
        copies: Copies::default(),
        watcher: Watcher::new()?,
    };
    session.watch()?;
    session.copy(None).await;
    let stack = session.prepared.desired.stack.clone();
    session.say("watching; what changes on disk changes what runs");
    let follow = follow(docker, &stack, began, events);
    tokio::pin!(follow);
    let mut is_followed = false;
    loop {
        let changed = {
            let keep = docker.keep(&session.prepared, events);
            tokio::pin!(keep);
            let mut is_kept = false;
            loop {
                tokio::select! {
                    // A job that failed has said so; another change may mend it.
                    _ = &mut keep, if !is_kept => is_kept = true,
                    () = &mut follow, if !is_followed => is_followed = true,
                    changed = session.watcher.changes() => break changed,
                }
            }
        };
        let react = session.react(&changed);
        tokio::pin!(react);
        loop {
            tokio::select! {
                () = &mut react => break,
                () = &mut follow, if !is_followed => is_followed = true,
            }
        }
    }
}

fn rules(loaded: &LoadedStack, prepared: &Prepared) -> Result<Rules, Failure> {
    let rules = Rules::new(
        &loaded.loaded.stack,
        &loaded.folder,
        loaded.files.iter().cloned(),
        prepared.secrets(),
    );
    rules.map_err(|error| failed(error.into()))
}

impl Session<'_> {
    fn say(&self, line: impl AsRef<str>) {
        self.errand.printer.status(line);
    }

    /// Watches what the rules are about.
    fn watch(&mut self) -> Result<(), Failure> {
        let trees = self.rules.trees();
        self.watcher.watch(trees, self.rules.folders())?;
        Ok(())
    }

    /// Copies what changed, or, into containers that are new, all that differs.
    async fn copy(&mut self, changed: Option<&Reaction>) {
        for (place, sync) in self.rules.syncs().iter().enumerate() {
            let paths = changed.and_then(|reaction| reaction.copies.get(&place));
            if changed.is_some() && paths.is_none() {
                continue;
            }
            let done = self
                .copies
                .bring(self.docker, &self.prepared.desired, sync, paths)
                .await;
            match done {
                Ok(done) => {
                    for (container, count) in done {
                        let files = if count == 1 { "file" } else { "files" };
                        let again = if sync.restart { ", started again" } else { "" };
                        self.say(format!("{container}: {count} {files} copied{again}"));
                    }
                }
                Err(error) => self.errand.printer.failure(&failed(error)),
            }
        }
    }

    /// Does what follows from changes. What fails is said, and the next change is another try.
    async fn react(&mut self, changed: &BTreeSet<PathBuf>) {
        let reaction = self.rules.react(changed);
        self.copy(Some(&reaction)).await;
        if !reaction.reads && reaction.builds.is_empty() {
            return;
        }
        for ((pod, container), path) in &reaction.builds {
            let path = shown(path, &self.loaded.folder);
            self.say(format!("{pod}/{container}: {path} changed"));
        }
        if let Err(failure) = self.renew(&reaction).await {
            self.errand.printer.failure(&failure);
        }
        self.copy(None).await;
    }

    /// Reads the stack again if it changed, builds what has to be built, and brings up what differs.
    async fn renew(&mut self, reaction: &Reaction) -> Result<(), Failure> {
        let mut given: Given = self.prepared.images().clone();
        given.retain(|unit, _| !reaction.builds.contains_key(unit));
        if reaction.reads {
            let loaded = self.errand.args.stack.load_quietly()?;
            self.errand.printer.problems(&loaded.loaded.warnings);
            if loaded.loaded.stack.name() != self.loaded.loaded.stack.name() {
                return Err(Failure::usage("the stack has another name now")
                    .hint("Ctrl-C stops the one that runs; then start the other"));
            }
            let (before, now) = (sources(&self.loaded.loaded.stack), sources(&loaded.loaded.stack));
            given.retain(|unit, _| before.get(unit) == now.get(unit));
            self.loaded = loaded;
        }
        let prepared = self
            .errand
            .prepare(self.docker, &self.loaded, &given, self.events)
            .await?;
        let is_changed = !prepared.plan.is_empty();
        self.prepared = self
            .errand
            .carry_out(self.docker, &self.loaded, prepared, self.events)
            .await?;
        self.rules = rules(&self.loaded, &self.prepared)?;
        self.watch()?;
        if !is_changed {
            self.say("nothing else changed");
        }
        Ok(())
    }
}

/// Where the image of every container comes from.
fn sources(stack: &Stack) -> BTreeMap<(crate::stack::Name, crate::stack::Name), Source> {
    let pods = stack.pods().iter().map(|pod| (&pod.name, &pod.spec));
    let jobs = stack.jobs().iter().map(|job| (&job.name, &job.spec));
    pods.chain(jobs)
        .flat_map(|(pod, spec)| {
            let containers = spec.containers.iter();
            containers.map(|container| {
                let unit = (pod.clone(), container.name.clone());
                (unit, container.source.clone())
            })
        })
        .collect()
}

fn shown(path: &Path, project: &Path) -> String {
    path.strip_prefix(project).unwrap_or(path).display().to_string()
}
