//! Shows the engine's events: moving lines on a terminal, plain lines elsewhere.

use std::collections::BTreeMap;
use std::time::Duration;

use clap::builder::styling::{AnsiColor, Style};
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::sync::mpsc::UnboundedReceiver;

use super::printer::plain;
use super::{Printer, container_style};
use crate::engine::{Event, Work};

const GOOD: Style = AnsiColor::Green.on_default();
const BAD: Style = AnsiColor::Red.on_default().bold();
/// How often a moving line moves.
const TICK: Duration = Duration::from_millis(100);

/// What is shown, and what of it moves.
struct Progress {
    printer: Printer,
    bars: Option<MultiProgress>,
    active: BTreeMap<Work, ProgressBar>,
    /// Plain lines of builds are said as they come; of waits only when they change.
    last: BTreeMap<Work, String>,
}

/// Shows events until the engine has no more to tell.
pub async fn show(mut events: UnboundedReceiver<Event>, printer: Printer) {
    let bars = printer
        .is_interactive()
        .then(|| MultiProgress::with_draw_target(ProgressDrawTarget::stderr()));
    let mut progress = Progress {
        printer,
        bars,
        active: BTreeMap::new(),
        last: BTreeMap::new(),
    };
    while let Some(event) = events.recv().await {
        progress.show(event);
    }
    for bar in progress.active.into_values() {
        bar.finish_and_clear();
    }
}

impl Progress {
    fn show(&mut self, event: Event) {
        match event {
            Event::Started(work) => self.move_line(&work, ""),
            Event::Progress { work, line } => self.went_on(work, line),
            Event::Finished { work, outcome } => {
                self.clear(&work);
                // What stands as it should is no news.
                if outcome != "unchanged" {
                    self.say(&format!("{GOOD}✔{GOOD:#} {} {outcome}", name(&work)));
                }
            }
            Event::Failed(work) => {
                self.clear(&work);
                self.say(&format!("{BAD}✘{BAD:#} {} failed", name(&work)));
            }
            Event::Warning(line) => {
                let printer = self.printer;
                self.beside(|| printer.warning(&line));
            }
            Event::Log {
                container,
                stderr: _,
                line,
            } => {
                let printer = self.printer;
                let line = if printer.colors_data() {
                    let style = container_style(&container);
                    format!("{style}{container} |{style:#} {line}\n")
                } else {
                    format!("{container} | {}\n", plain(&line))
                };
                // A closed stdout ends the logs, not the stack.
                self.beside(|| drop(printer.data(line)));
            }
        }
    }

    fn went_on(&mut self, work: Work, line: String) {
        if self.bars.is_some() {
            self.move_line(&work, &line);
        } else if self.last.get(&work) != Some(&line) {
            self.printer.status(format!("{}: {}", name(&work), plain(&line)));
            self.last.insert(work, line);
        }
    }

    fn move_line(&mut self, work: &Work, line: &str) {
        let Some(bars) = &self.bars else {
            return;
        };
        let bar = self.active.entry(work.clone()).or_insert_with(|| {
            let bar = bars.add(ProgressBar::new_spinner());
            let style = ProgressStyle::with_template("{spinner:.cyan} {prefix} {wide_msg:.dim}");
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
            bar.set_prefix(name(work));
            bar.enable_steady_tick(TICK);
            bar
        });
        if !line.is_empty() {
            bar.set_message(plain(line));
        }
    }

    fn clear(&mut self, work: &Work) {
        if let Some(bar) = self.active.remove(work) {
            bar.finish_and_clear();
        }
    }

    fn say(&self, line: &str) {
        self.beside(|| self.printer.status(line));
    }

    /// Writes above the moving lines.
    fn beside(&self, write: impl FnOnce()) {
        match &self.bars {
            Some(bars) => bars.suspend(write),
            None => write(),
        }
    }
}

fn name(work: &Work) -> String {
    match work {
        Work::Image(name) => format!("image {name}"),
        Work::Network(name) => format!("network {name}"),
        Work::Volume(name) => format!("volume {name}"),
        Work::Container(name) => format!("container {name}"),
        Work::Replica(name) => format!("pod {name}"),
        Work::Service(name) => format!("service {name}"),
        Work::Job(name) => format!("job {name}"),
    }
}
