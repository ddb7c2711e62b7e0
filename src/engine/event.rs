//! What the engine tells whoever watches.

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// Something happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A piece of work began.
    Started(Work),
    /// A piece of work goes on: a line of a build, the reason of a wait.
    Progress {
        /// The work.
        work: Work,
        /// Its last word.
        line: String,
    },
    /// A piece of work ended well.
    Finished {
        /// The work.
        work: Work,
        /// What came of it: `created`, `healthy`, `unchanged`.
        outcome: String,
    },
    /// A piece of work failed; the error itself goes to the caller.
    Failed(Work),
    /// Something that the user should know, though nothing failed.
    Warning(String),
    /// A line that a container wrote.
    Log {
        /// The container's name in the stack: `web-0/app`.
        container: String,
        /// Whether it went to stderr.
        stderr: bool,
        /// The line, without its end.
        line: String,
    },
}

/// What is worked on: the key under which a terminal shows progress.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Work {
    /// An image is built or loaded: its name.
    Image(String),
    /// A network.
    Network(String),
    /// A volume.
    Volume(String),
    /// A container, by its engine name.
    Container(String),
    /// A replica becomes ready: `web-0`.
    Replica(String),
    /// A service gets somebody to send to.
    Service(String),
    /// A job runs.
    Job(String),
}

/// Where events go. Clones send to the same receiver; one that nobody reads is fine.
#[derive(Debug, Clone)]
pub struct Events(Option<UnboundedSender<Event>>);

impl Events {
    /// A channel for events.
    pub fn channel() -> (Self, UnboundedReceiver<Event>) {
        let (sender, receiver) = unbounded_channel();
        (Self(Some(sender)), receiver)
    }

    /// Events for nobody.
    pub fn none() -> Self {
        Self(None)
    }

    /// Tells an event.
    pub fn send(&self, event: Event) {
        if let Some(sender) = &self.0 {
            // A watcher that left must not stop the work.
            let _ = sender.send(event);
        }
    }

    /// Tells that work began.
    pub fn started(&self, work: &Work) {
        self.send(Event::Started(work.clone()));
    }

    /// Tells how work goes.
    pub fn progress(&self, work: &Work, line: impl Into<String>) {
        self.send(Event::Progress {
            work: work.clone(),
            line: line.into(),
        });
    }

    /// Tells what came of work.
    pub fn finished(&self, work: &Work, outcome: impl Into<String>) {
        self.send(Event::Finished {
            work: work.clone(),
            outcome: outcome.into(),
        });
    }

    /// Tells that work failed.
    pub fn failed(&self, work: &Work) {
        self.send(Event::Failed(work.clone()));
    }

    /// Tells what the user should know.
    pub fn warning(&self, line: impl Into<String>) {
        self.send(Event::Warning(line.into()));
    }
}
