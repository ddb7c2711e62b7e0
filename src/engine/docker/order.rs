//! Who may start when: how far each pod and job is, and waiting for it.

use std::collections::BTreeMap;

use tokio::sync::watch;

/// How far a pod or job is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Nothing was done yet.
    Waiting,
    /// Its containers were started.
    Started,
    /// What others wait for is so: the pod is ready, the job done.
    Settled,
    /// It never will be.
    Failed,
}

/// How far every pod and job is.
#[derive(Debug)]
pub struct Board(BTreeMap<String, watch::Sender<Stage>>);

impl Board {
    /// Nothing was done yet.
    pub fn new<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        let entry = |name: &str| (name.to_owned(), watch::Sender::new(Stage::Waiting));
        Self(names.into_iter().map(entry).collect())
    }

    /// Says that a pod or job got somewhere.
    pub fn reach(&self, name: &str, stage: Stage) {
        if let Some(sender) = self.0.get(name) {
            sender.send_replace(stage);
        }
    }

    /// Waits until a pod or job got somewhere, and says whether it did; at once where it is not on the board.
    pub async fn wait(&self, name: &str, stage: Stage) -> bool {
        let Some(sender) = self.0.get(name) else {
            return true;
        };
        let mut receiver = sender.subscribe();
        // The sender lives as long as the board.
        receiver
            .wait_for(|reached| *reached >= stage)
            .await
            .is_ok_and(|reached| *reached != Stage::Failed)
    }
}
