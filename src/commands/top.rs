//! `motif top`.

use std::time::Duration;

use clap::Args;
use serde_json::json;
use tokio::time::{MissedTickBehavior, interval, sleep};

use super::engine::{failed, nothing_stands, runtime};
use super::selection::SelectionArgs;
use crate::engine::docker::Docker;
use crate::engine::docker::usage::Meter;
use crate::engine::overview::{Member, overview};
use crate::engine::selector::{self, Selector};
use crate::engine::usage::{Row, rows};
use crate::terminal::top::{HEAD, Order, Screen, Wish, cells};
use crate::terminal::{Exit, Failure, Format, Printer, keyboard, table};

/// How often the table is drawn.
const EVERY: Duration = Duration::from_secs(1);
/// How long two samples of everything take, at most.
const SAMPLES: Duration = Duration::from_secs(4);
/// The pause between two looks whether they are there.
const LOOK: Duration = Duration::from_millis(100);

/// Show what the stack's pods use and serve, as it changes
///
/// CPU of one core is 100%. Requests per second, errors (500 to 599) and the 99th percentile of the time are those of
/// the outermost block of a pod. Off a terminal it prints one look and ends.
#[derive(Debug, Args)]
pub struct TopArgs {
    #[command(flatten)]
    selection: SelectionArgs,
    /// Pods, replicas, jobs or services [default: all]
    #[arg(value_name = "POD")]
    names: Vec<String>,
    /// Print one look and end
    #[arg(long)]
    once: bool,
    /// Print for people, or as one JSON document; the latter is one look
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    format: Format,
}

/// Shows what the pods use.
pub fn run(args: &TopArgs, host: Option<&str>, printer: Printer) -> Result<Exit, Failure> {
    runtime()?.block_on(async {
        let (docker, stack) = args.selection.open(host).await?;
        let once = args.once || args.format == Format::Json || !keyboard::is_terminal();
        if once {
            look(&docker, &stack, args, printer).await
        } else {
            watch(&docker, &stack, args).await
        }
    })
}

/// The containers that are meant.
async fn members(docker: &Docker, stack: &str, names: &[String]) -> Result<Vec<Member>, Failure> {
    let members = docker.list(stack).await.map_err(failed)?;
    if names.is_empty() {
        return Ok(members);
    }
    let selectors: Vec<Selector> = names.iter().map(|name| Selector::new(name)).collect();
    let found = selector::select(stack, &selectors, &members, |member| &member.labels);
    let found = found.map_err(|error| {
        let hint = error.hint();
        Failure::from(error).hint(hint)
    })?;
    Ok(found.into_iter().cloned().collect())
}

fn measured(meter: &Meter<'_>, members: Vec<Member>) -> Vec<Row> {
    let mut replicas = overview(members);
    replicas.retain(|replica| !replica.is_completed());
    rows(&replicas, &meter.usage(), &meter.traffic())
}

async fn look(docker: &Docker, stack: &str, args: &TopArgs, printer: Printer) -> Result<Exit, Failure> {
    let members = members(docker, stack, &args.names).await?;
    let is_empty = members.is_empty();
    let mut meter = Meter::new(docker);
    meter.follow(&members);
    let mut waited = Duration::ZERO;
    let rows = loop {
        if meter.knows(&members) || waited >= SAMPLES {
            break measured(&meter, members);
        }
        sleep(LOOK).await;
        waited += LOOK;
    };
    match args.format {
        Format::Json => {
            let document = json!(rows);
            printer.data(format!("{document:#}\n"))?;
        }
        Format::Table => {
            let rows: Vec<Vec<String>> = rows.iter().map(cells).collect();
            printer.page(table(&HEAD, &rows))?;
            if is_empty {
                printer.status(nothing_stands(stack));
            }
        }
    }
    Ok(Exit::Done)
}

async fn watch(docker: &Docker, stack: &str, args: &TopArgs) -> Result<Exit, Failure> {
    let mut found = members(docker, stack, &args.names).await?;
    let mut meter = Meter::new(docker);
    let (mut screen, mut wishes) = Screen::take()?;
    let mut order = Order::default();
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        meter.follow(&found);
        let mut rows = measured(&meter, found.clone());
        order.sort(&mut rows);
        screen.draw(stack, &rows, order)?;
        tokio::select! {
            _ = ticks.tick() => found = members(docker, stack, &args.names).await?,
            wish = wishes.recv() => match wish {
                Some(Wish::Order(wanted)) => order = wanted,
                Some(Wish::Scroll(lines)) => screen.scroll(lines),
                Some(Wish::Redraw) => {}
                Some(Wish::End) | None => return Ok(Exit::Done),
            },
        }
    }
}
