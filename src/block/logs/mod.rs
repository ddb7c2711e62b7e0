//! `motif block logs`: turns log files into JSON lines, every record exactly once.
//!
//! One thread reads files and writes lines; the main thread answers the admin port and waits for signals.

mod settings;

mod tail;

mod framing;
mod instant;
mod names;
mod record;

mod meter;
mod output;
mod position;

pub use settings::Flags as Logs;

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow};
use hyper::Request;
use hyper::body::Incoming;
use prometheus_client::registry::Registry;
use serde_json::json;
use tokio::sync::oneshot;

use super::catalogue::{Block, Error, Outcome};
use super::signal::Termination;
use super::{admin, listen, log, runtime, server};
use meter::{Meter, Stop};
use output::Output;
use position::Journal;
use settings::Settings;
use tail::Tail;

/// How long the thread that reads may take beyond the drain.
const GRACE: Duration = Duration::from_secs(1);

impl Block for Logs {
    fn run(self) -> Result<Outcome, Error> {
        let settings = Settings::new(self)?;
        log::start_on_stderr("logs");
        let ended = runtime::single()?.block_on(run(settings));
        log::flush();
        ended.map(|()| Outcome::Done)
    }
}

async fn run(settings: Settings) -> Result<(), Error> {
    let mut termination = Termination::listen()?;
    let output = open(&settings)?;
    let listener = listen::bind(settings.flags.admin)?;
    let address = listener
        .local_addr()
        .context("failed to read the listening address")?;
    let settings = Arc::new(settings);
    let meter = Arc::new(Meter::default());
    let mut registry = Registry::default();
    meter.register(&mut registry);
    let stop = Arc::new(Stop::default());
    let tail = Tail::new(
        Arc::clone(&settings),
        Arc::clone(&meter),
        output,
        Arc::clone(&stop),
    );
    let (ended, mut end) = oneshot::channel();
    let reader = thread::Builder::new()
        .name("reader".to_owned())
        .spawn(move || {
            let _ = ended.send(tail.run());
        })
        .context("failed to start a thread")?;
    let answer = move |request: Request<Incoming>, _| {
        let reply = admin::answer(request.method(), request.uri().path(), &registry, || {
            meter.readiness()
        });
        async move { reply }
    };
    tokio::spawn(server::serve(
        listener,
        answer,
        std::future::pending(),
        Duration::ZERO,
    ));
    log::info(
        "listening",
        json!({ "address": address.to_string(), "admin": address.to_string() }),
    );
    let told = tokio::select! {
        signal = termination.wait() => {
            log::info("draining", json!({ "signal": signal }));
            stop.by(Instant::now() + settings.flags.drain);
            reader.thread().unpark();
            tokio::time::timeout(settings.flags.drain + GRACE, end).await
        }
        told = &mut end => Ok(told),
    };
    match told {
        Ok(Ok(result)) => result?,
        Ok(Err(_)) => return Err(anyhow!("the thread that reads is gone").into()),
        Err(_) => log::warning("output not read to its end", json!({})),
    }
    log::info("stopped", json!({}));
    Ok(())
}

fn open(settings: &Settings) -> Result<Output, Error> {
    let output = match (&settings.position, &settings.flags.output) {
        (None, _) => Output::stream(None),
        (Some(position), None) => Output::stream(Some(Journal::open(position)?)),
        (Some(position), Some(output)) => Output::file(output, position, Journal::open(position)?),
    };
    output.map_err(Error::Failed)
}
