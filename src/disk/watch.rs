//! Says which files changed, shortly after they did.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use notify::event::{EventKind, Flag};
use notify::{Event, RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::{Instant, timeout_at};

/// How long nothing may happen until what changed is told: an editor writes a file in several steps.
const QUIET: Duration = Duration::from_millis(20);
/// The longest time between the first change and its telling.
const SETTLE: Duration = Duration::from_millis(50);

/// Whether a folder is to be looked into.
pub type Filter = Box<dyn Fn(&Path) -> bool + Send + Sync>;

/// Watches folders.
pub struct Watcher {
    inner: RecommendedWatcher,
    events: UnboundedReceiver<notify::Result<Event>>,
    /// Folders that are watched with all that is in them, and what of that is not.
    trees: Vec<(PathBuf, Filter)>,
    watched: BTreeSet<PathBuf>,
    pending: BTreeSet<PathBuf>,
}

impl Watcher {
    /// Watches nothing yet.
    pub fn new() -> Result<Self, notify::Error> {
        let (sender, events) = unbounded_channel();
        let inner = notify::recommended_watcher(move |event| {
            // Nobody waits for it any more.
            let _ = sender.send(event);
        })?;
        Ok(Self {
            inner,
            events,
            trees: Vec::new(),
            watched: BTreeSet::new(),
            pending: BTreeSet::new(),
        })
    }

    /// Watches exactly these: folders with what is in them as far as the filter says, and folders alone.
    pub fn watch(
        &mut self,
        trees: Vec<(PathBuf, Filter)>,
        alone: BTreeSet<PathBuf>,
    ) -> Result<(), notify::Error> {
        self.trees = trees;
        let mut wanted = alone;
        for (root, filter) in &self.trees {
            folders(root, filter, &mut wanted);
        }
        for folder in self.watched.difference(&wanted) {
            // It may be gone already.
            let _ = self.inner.unwatch(folder);
        }
        for folder in wanted.difference(&self.watched) {
            self.inner.watch(folder, RecursiveMode::NonRecursive)?;
        }
        self.watched = wanted;
        Ok(())
    }

    /// Waits for changes; may be dropped and asked again without losing any.
    pub async fn changes(&mut self) -> BTreeSet<PathBuf> {
        if self.pending.is_empty() {
            while self.pending.is_empty() {
                let Some(event) = self.events.recv().await else {
                    // The watcher lives as long as this does.
                    return std::future::pending().await;
                };
                self.take(event);
            }
        }
        let latest = Instant::now() + SETTLE;
        while let Ok(Some(event)) = timeout_at(latest.min(Instant::now() + QUIET), self.events.recv()).await {
            self.take(event);
        }
        std::mem::take(&mut self.pending)
    }

    fn take(&mut self, event: notify::Result<Event>) {
        let Ok(event) = event else {
            return;
        };
        if event.attrs.flag() == Some(Flag::Rescan) {
            // Some changes were lost: any folder may have them.
            self.pending.extend(self.watched.iter().cloned());
        }
        if matches!(event.kind, EventKind::Access(_)) {
            return;
        }
        for path in event.paths {
            if is_of_an_editor(&path) {
                continue;
            }
            self.follow(&path);
            self.pending.insert(path);
        }
    }

    /// Watches a folder that came to be in a watched one; what is in it already has changed too.
    fn follow(&mut self, path: &Path) {
        if !fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_dir()) {
            return;
        }
        let mut found = BTreeSet::new();
        for (root, filter) in &self.trees {
            if path.starts_with(root) && filter(path) {
                folders(path, filter, &mut found);
            }
        }
        for folder in found {
            if !self.watched.contains(&folder)
                && self.inner.watch(&folder, RecursiveMode::NonRecursive).is_ok()
            {
                self.watched.insert(folder.clone());
                let entries = fs::read_dir(&folder).into_iter().flatten().flatten();
                let paths = entries.map(|entry| entry.path());
                self.pending.extend(paths.filter(|path| !is_of_an_editor(path)));
            }
        }
    }
}

/// The folders of a tree. What can't be read is not watched.
fn folders(root: &Path, filter: &Filter, found: &mut BTreeSet<PathBuf>) {
    if !found.insert(root.to_owned()) {
        return;
    }
    for entry in fs::read_dir(root).into_iter().flatten().flatten() {
        let path = entry.path();
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) && filter(&path) {
            folders(&path, filter, found);
        }
    }
}

/// Files that editors make beside the one that is edited: swap files, back-ups, trials and locks.
fn is_of_an_editor(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let extension = path.extension().unwrap_or_default().to_string_lossy();
    name.ends_with('~')
        || name == "4913"
        || name.starts_with(".#")
        || name.starts_with(".goutputstream-")
        || (name.starts_with('#') && name.ends_with('#'))
        || (name.starts_with('.') && ["swp", "swo", "swx"].contains(&&*extension))
        || name.ends_with("___jb_tmp___")
        || name.ends_with("___jb_old___")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(path: &Path) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "x").unwrap();
    }

    #[tokio::test]
    async fn changes_are_told_with_all_that_came_with_them() {
        let folder = tempfile::tempdir().unwrap();
        let root = fs::canonicalize(folder.path()).unwrap();
        fs::create_dir_all(root.join("tree/left out")).unwrap();
        fs::create_dir_all(root.join("alone/below")).unwrap();
        let filter: Filter = Box::new(|path| !path.ends_with("left out"));
        let mut watcher = Watcher::new().unwrap();
        let trees = vec![(root.join("tree"), filter)];
        watcher.watch(trees, [root.join("alone")].into()).unwrap();
        // What is not watched, then what is: the second tells that the first was not.
        write(&root.join("tree/left out/file"));
        write(&root.join("alone/below/file"));
        write(&root.join("tree/.file.swp"));
        write(&root.join("tree/file"));
        let mut changed = watcher.changes().await;
        assert_eq!(changed, [root.join("tree/file")].into());
        write(&root.join("tree/new/deep/file"));
        while !changed.contains(&root.join("tree/new/deep/file")) {
            changed.extend(watcher.changes().await);
        }
        fs::remove_dir_all(root.join("tree/new")).unwrap();
        assert!(watcher.changes().await.contains(&root.join("tree/new/deep/file")));
        write(&root.join("alone/file"));
        let mut changed = watcher.changes().await;
        while !changed.contains(&root.join("alone/file")) {
            changed.extend(watcher.changes().await);
        }
        assert!(!changed.contains(&root.join("alone/below/file")));
        // Another set leaves the first one.
        watcher
            .watch(Vec::new(), [root.join("alone/below")].into())
            .unwrap();
        write(&root.join("tree/file"));
        write(&root.join("alone/below/file"));
        assert_eq!(watcher.changes().await, [root.join("alone/below/file")].into());
    }
}
