//! `motif block scrape`: says a block's metrics again and again, to whoever listens on its output.

use std::io::Write;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context;
use clap::Parser;
use hyper::Method;
use tokio::io::AsyncReadExt;
use tokio::time::{MissedTickBehavior, interval};

use super::ask::ask;
use super::catalogue::{Block, Error, Outcome};
use super::{duration, runtime};

/// More than a block's metrics ever are.
const LIMIT: usize = 1 << 20;

/// Print the metrics of a block in this container, until the standard input ends
///
/// In the text form of Prometheus: every look ends with the line `# EOF`.
#[derive(Debug, Parser)]
#[command(name = "scrape", max_term_width = 100)]
pub struct Scrape {
    /// Address of the block's admin port
    #[arg(value_name = "ADDRESS:PORT")]
    admin: SocketAddr,
    /// Time between two looks
    #[arg(value_name = "DURATION", value_parser = duration::parse)]
    every: Duration,
}

impl Block for Scrape {
    const INTERNAL: bool = true;

    fn run(self) -> Result<Outcome, Error> {
        runtime::single()?.block_on(async {
            let mut nothing = Vec::new();
            let mut input = tokio::io::stdin();
            tokio::select! {
                done = scrape(&self) => done,
                // The engine ends no program whose listener has gone; its input ends then.
                _ = input.read_to_end(&mut nothing) => Ok(()),
            }
        })?;
        Ok(Outcome::Done)
    }
}

async fn scrape(scrape: &Scrape) -> anyhow::Result<()> {
    let mut ticks = interval(scrape.every.max(Duration::from_millis(1)));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        // It may be on its way up or down.
        let Ok((status, body)) = ask(scrape.admin, Method::GET, "/metrics", LIMIT).await else {
            continue;
        };
        if status.is_success() {
            let mut out = std::io::stdout().lock();
            out.write_all(&body)
                .and_then(|()| out.flush())
                .context("failed to write to stdout")?;
        }
    }
}
