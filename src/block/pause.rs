//! `motif block pause`: holds a pod's namespaces; reaps what is orphaned; ends on SIGTERM.

use anyhow::Context;
use clap::Parser;
use rustix::process::{WaitOptions, wait};
use tokio::signal::unix::{SignalKind, signal};

use super::catalogue::{Block, Error, Outcome};
use super::{runtime, signal::Termination};

/// Hold a pod's namespaces: reap orphans, wait, end on SIGTERM
#[derive(Debug, Parser)]
#[command(name = "pause", max_term_width = 100)]
pub struct Pause {}

impl Block for Pause {
    const INTERNAL: bool = true;

    fn run(self) -> Result<Outcome, Error> {
        runtime::single()?.block_on(hold())?;
        Ok(Outcome::Done)
    }
}

async fn hold() -> anyhow::Result<()> {
    let mut termination = Termination::listen()?;
    let mut child = signal(SignalKind::child()).context("failed to listen for signals")?;
    loop {
        // One SIGCHLD may stand for several children.
        while let Ok(Some(_)) = wait(WaitOptions::NOHANG) {}
        tokio::select! {
            _ = termination.wait() => return Ok(()),
            _ = child.recv() => {}
        }
    }
}
