//! Decides what a changed file means for what runs: read the stack again, build an image, or copy the file.

mod copy;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::build::{Context, ContextError};
use crate::disk::Filter;
use crate::engine::secrets::Secrets;
use crate::stack::{Name, Source, Stack};

pub use copy::Copies;

/// A container of a pod or job.
pub type Unit = (Name, Name);

/// What is watched, and what follows from it.
#[derive(Debug)]
pub struct Rules {
    /// What the stack is made from.
    files: BTreeSet<PathBuf>,
    builds: Vec<(Unit, Context)>,
    syncs: Vec<Sync>,
}

/// Files that are copied into a container.
#[derive(Debug, Clone)]
pub struct Sync {
    /// The container.
    pub unit: Unit,
    /// The file or folder.
    pub from: PathBuf,
    /// Where it is in the container.
    pub to: String,
    /// Whether the container is started again when something was copied.
    pub restart: bool,
    /// The rules of the build context that it is in: what those leave out stays out here, too.
    context: Option<Context>,
    /// What never goes along.
    kept_out: Vec<PathBuf>,
}

/// What follows from some changes.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Reaction {
    /// Whether the stack has to be read again.
    pub reads: bool,
    /// The images that have to be built, with a file that is the reason.
    pub builds: BTreeMap<Unit, PathBuf>,
    /// The changed files of every sync, by its place.
    pub copies: BTreeMap<usize, BTreeSet<PathBuf>>,
}

impl Sync {
    /// Whether something under it goes along.
    pub fn holds(&self, path: &Path) -> bool {
        let is_secret = self.kept_out.iter().any(|kept| path.starts_with(kept));
        let is_ignored = self.context.as_ref().is_some_and(|context| !context.holds(path));
        !is_secret && !is_ignored
    }

    /// The path in the container of something under it.
    pub fn target(&self, path: &Path) -> Option<String> {
        let below = path.strip_prefix(&self.from).ok()?;
        Some(if below.as_os_str().is_empty() {
            self.to.clone()
        } else {
            format!("{}/{}", self.to.trim_end_matches('/'), below.to_string_lossy())
        })
    }
}

impl Rules {
    /// The rules of a stack that was read from some files.
    pub fn new(
        stack: &Stack,
        project: &Path,
        files: impl IntoIterator<Item = PathBuf>,
        secrets: &Secrets,
    ) -> Result<Self, ContextError> {
        let kept_out = secrets.paths(project);
        let (mut builds, mut syncs) = (Vec::new(), Vec::new());
        let pods = stack.pods().iter().map(|pod| (&pod.name, &pod.spec, true));
        let jobs = stack.jobs().iter().map(|job| (&job.name, &job.spec, false));
        for (name, spec, is_pod) in pods.chain(jobs) {
            for container in &spec.containers {
                let unit = (name.clone(), container.name.clone());
                let context = match &container.source {
                    Source::Build(build) => {
                        let folder = project.join(&build.context);
                        let folder = folder.canonicalize().unwrap_or(folder);
                        Some(Context::open(&folder, &build.dockerfile, kept_out.clone())?)
                    }
                    Source::Image(_) | Source::Block(_) => None,
                };
                if is_pod {
                    syncs.extend(container.sync.iter().map(|sync| {
                        Sync {
                            unit: unit.clone(),
                            from: project.join(&sync.from),
                            to: sync.to.clone(),
                            restart: sync.restart,
                            context: context
                                .clone()
                                .filter(|context| project.join(&sync.from).starts_with(context.folder())),
                            kept_out: kept_out.clone(),
                        }
                    }));
                }
                builds.extend(context.map(|context| (unit, context)));
            }
        }
        Ok(Self {
            files: files.into_iter().chain(secrets.files_on_disk()).collect(),
            builds,
            syncs,
        })
    }

    /// The syncs.
    pub fn syncs(&self) -> &[Sync] {
        &self.syncs
    }

    /// The folders whose content matters, and which folders in them don't.
    pub fn trees(&self) -> Vec<(PathBuf, Filter)> {
        let mut trees: Vec<(PathBuf, Filter)> = Vec::new();
        for (_, context) in &self.builds {
            let copy = context.clone();
            trees.push((
                context.folder().to_owned(),
                Box::new(move |folder| copy.may_hold_below(folder)),
            ));
        }
        for sync in self.syncs.iter().filter(|sync| sync.from.is_dir()) {
            let copy = sync.clone();
            trees.push((sync.from.clone(), Box::new(move |folder| copy.holds(folder))));
        }
        trees
    }

    /// The folders in which single files matter.
    pub fn folders(&self) -> BTreeSet<PathBuf> {
        let synced = self.syncs.iter().filter(|sync| !sync.from.is_dir());
        let files = self.files.iter().chain(synced.map(|sync| &sync.from));
        files.filter_map(|file| Some(file.parent()?.to_owned())).collect()
    }

    /// Decides what follows from changes.
    pub fn react(&self, changed: &BTreeSet<PathBuf>) -> Reaction {
        let mut reaction = Reaction::default();
        for path in changed {
            reaction.reads |= self.files.contains(path);
            let mut synced: BTreeSet<&Unit> = BTreeSet::new();
            for (place, sync) in self.syncs.iter().enumerate() {
                if path.starts_with(&sync.from) && sync.holds(path) {
                    reaction.copies.entry(place).or_default().insert(path.clone());
                    synced.insert(&sync.unit);
                }
            }
            for (unit, context) in &self.builds {
                // What is copied needs no new image now; the next `up` builds it.
                if !synced.contains(unit) && (context.holds(path) || context.is_rule(path)) {
                    reaction
                        .builds
                        .entry(unit.clone())
                        .or_insert_with(|| path.clone());
                }
            }
        }
        reaction
    }
}
