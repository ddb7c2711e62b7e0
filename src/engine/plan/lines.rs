//! A plan as a list of what will be done, for people and for machines.

use std::fmt;

use serde::Serialize;

use super::{Action, ImageAction, Plan, Reason, Step, VolumeAction};

/// One thing that will be done, or left as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Line {
    /// What is done: `create`, `replace`, `keep` …
    pub action: &'static str,
    /// With what kind of thing: `container`, `image` …
    pub object: &'static str,
    /// Its name.
    pub name: String,
    /// Why, or until when.
    pub reasons: Vec<String>,
}

impl Line {
    fn new(action: &'static str, object: &'static str, name: impl Into<String>) -> Self {
        Self {
            action,
            object,
            name: name.into(),
            reasons: Vec::new(),
        }
    }

    fn because(mut self, reason: impl fmt::Display) -> Self {
        self.reasons.push(reason.to_string());
        self
    }

    /// What it adds, changes, removes, begins, leaves or waits for.
    fn sign(&self) -> char {
        match self.action {
            "create" | "fill" | "build" | "pull" | "load" => '+',
            "replace" | "refresh" => '~',
            "remove" => '-',
            "wait" => '.',
            "keep" => '=',
            _ => '>',
        }
    }
}

impl fmt::Display for Line {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            action,
            object,
            name,
            reasons,
        } = self;
        write!(formatter, "{} {action} {object} {name}", self.sign())?;
        match (action, reasons.as_slice()) {
            (_, []) => {}
            (&"replace", reasons) => {
                for reason in reasons {
                    write!(formatter, "\n    {reason}")?;
                }
            }
            (_, reasons) => write!(formatter, ": {}", reasons.join("; "))?,
        }
        Ok(())
    }
}

impl Plan {
    /// Everything that will be done or left as it is, in order.
    pub fn lines(&self) -> Vec<Line> {
        let mut lines = Vec::new();
        for image in &self.images {
            let action = match image.action {
                ImageAction::Build => "build",
                ImageAction::Pull => "pull",
                ImageAction::Load => "load",
            };
            lines.push(Line::new(action, "image", &image.name));
        }
        for removal in &self.removals {
            lines.push(Line::new("remove", "container", &removal.name).because(&removal.reason));
        }
        if let Some(network) = &self.network {
            lines.push(Line::new("create", "network", network));
        }
        for id in &self.surplus_networks {
            lines.push(Line::new("remove", "network", id).because("there is another of its name"));
        }
        for volume in &self.volumes {
            lines.push(match volume.action {
                VolumeAction::Prepare => Line::new("fill", "volume", &volume.name),
                VolumeAction::Refresh => {
                    Line::new("refresh", "volume", &volume.name).because("its secret has other files")
                }
            });
        }
        for replica in &self.replicas {
            for after in &replica.after {
                lines.push(Line::new("wait", "pod", &replica.name).because(format!("until {after}")));
            }
            if let Some(turn) = replica.turn.filter(|turn| *turn > 1) {
                lines.push(Line::new("wait", "pod", &replica.name).because(format!("for turn {turn}")));
            }
            lines.extend(replica.steps.iter().map(step));
        }
        for job in &self.jobs {
            for after in &job.after {
                lines.push(Line::new("wait", "job", &job.name).because(format!("until {after}")));
            }
            let so_far = format!("{} of {} runs done", job.done, job.wanted);
            lines.push(Line::new("run", "job", &job.name).because(so_far));
        }
        for volume in &self.stale_volumes {
            lines.push(Line::new("remove", "volume", volume).because("nothing mounts it any more"));
        }
        lines
    }
}

fn step(step: &Step) -> Line {
    let line = |action| Line::new(action, "container", &step.name);
    match &step.action {
        Action::Create => line("create"),
        Action::Replace { reasons, .. } => Line {
            reasons: reasons.iter().map(Reason::to_string).collect(),
            ..line("replace")
        },
        Action::Start { reason, .. } => line("start").because(reason),
        Action::Keep { .. } => line("keep"),
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.lines()
            .iter()
            .try_for_each(|line| writeln!(formatter, "{line}"))
    }
}
