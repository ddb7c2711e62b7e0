//! `motif logs`.

use std::collections::BTreeMap;

use anstream::adapter::strip_str;
use clap::Args;
use clap::builder::styling::Style;
use serde_json::json;
use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime};
use tokio::signal::unix::{SignalKind, signal};

use super::engine::{failed, runtime};
use super::selection::SelectionArgs;
use crate::engine::docker::logs::{LogError, LogLine, LogRequest};
use crate::engine::selector::{self, Selector};
use crate::terminal::{Exit, Failure, Format, Printer, container_style};

/// Show what the stack's containers wrote, in the order of its time
///
/// Names nothing, a pod (`web`), a replica (`web-1`) or a container (`web/tls`, `web-1/tls`).
#[derive(Debug, Args)]
pub struct LogsArgs {
    #[command(flatten)]
    selection: SelectionArgs,
    /// Pods, replicas or containers [default: all]
    #[arg(value_name = "POD[/CONTAINER]")]
    names: Vec<String>,
    /// Go on with what is written from now on, across restarts, until Ctrl-C
    #[arg(short, long)]
    follow: bool,
    /// Show only each container's last lines
    #[arg(short = 'n', long, value_name = "N", value_parser = tail)]
    tail: Option<Tail>,
    /// Show lines from then on: `10m`, `1h30m` ago, or a time like `2026-01-02T03:04:05Z`
    #[arg(long, value_name = "TIME", value_parser = since)]
    since: Option<Since>,
    /// Show only lines that hold this text
    #[arg(long, value_name = "TEXT")]
    grep: Option<String>,
    /// Put the time before each line
    #[arg(short, long)]
    timestamps: bool,
    /// Leave the container's name away
    #[arg(long)]
    no_prefix: bool,
    /// Print for people, or as one JSON object for each line
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    format: Format,
}

#[derive(Debug, Clone, Copy)]
struct Tail(Option<usize>);

fn tail(text: &str) -> Result<Tail, String> {
    match text {
        "all" => Ok(Tail(None)),
        text => text
            .parse()
            .map(|count| Tail(Some(count)))
            .map_err(|_| "it is a number of lines, or `all`".to_owned()),
    }
}

#[derive(Debug, Clone, Copy)]
enum Since {
    Ago(Duration),
    At(OffsetDateTime),
}

fn since(text: &str) -> Result<Since, String> {
    if let Ok(time) = OffsetDateTime::parse(text, &Rfc3339) {
        return Ok(Since::At(time));
    }
    if let Ok(time) = text
        .parse()
        .map_err(|_| ())
        .and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).map_err(|_| ()))
    {
        return Ok(Since::At(time));
    }
    let wrong = || "it is a duration like `10m` or `1h30m`, or a time like `2026-01-02T03:04:05Z`".to_owned();
    let mut rest = text;
    let mut ago = Duration::ZERO;
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let number: u32 = rest[..digits].parse().map_err(|_| wrong())?;
        rest = &rest[digits..];
        let units = [
            ("ms", Duration::MILLISECOND),
            ("s", Duration::SECOND),
            ("m", Duration::MINUTE),
            ("h", Duration::HOUR),
            ("d", Duration::DAY),
        ];
        let (after, unit) = units
            .into_iter()
            .find_map(|(name, unit)| {
                let after = rest.strip_prefix(name)?;
                after
                    .bytes()
                    .next()
                    .is_none_or(|byte| byte.is_ascii_digit())
                    .then_some((after, unit))
            })
            .ok_or_else(wrong)?;
        ago = unit
            .checked_mul(i32::try_from(number).map_err(|_| wrong())?)
            .and_then(|part| ago.checked_add(part))
            .ok_or_else(wrong)?;
        rest = after;
    }
    if text.is_empty() {
        Err(wrong())
    } else {
        Ok(Since::Ago(ago))
    }
}

/// Shows the logs.
pub fn run(args: &LogsArgs, host: Option<&str>, printer: Printer) -> Result<Exit, Failure> {
    let runtime = runtime()?;
    let result = runtime.block_on(show(args, host, printer));
    // A connection that still waits for lines must not hold the end up.
    runtime.shutdown_background();
    result
}

async fn show(args: &LogsArgs, host: Option<&str>, printer: Printer) -> Result<Exit, Failure> {
    let (docker, stack) = args.selection.open(host).await?;
    let selectors: Vec<Selector> = args.names.iter().map(|name| Selector::new(name)).collect();
    let request = LogRequest {
        stack: &stack,
        selectors: &selectors,
        tail: args.tail.and_then(|Tail(tail)| tail),
        since: args.since.and_then(|since| match since {
            Since::At(time) => Some(time),
            Since::Ago(ago) => OffsetDateTime::now_utc().checked_sub(ago),
        }),
        containing: args.grep.as_deref(),
    };
    let members = docker.summary(&stack).await.map_err(failed)?;
    let selected = selector::select(&stack, &selectors, &members, |labels| labels).map_err(|error| {
        let hint = error.hint();
        Failure::from(error).hint(hint)
    })?;
    if selected.is_empty() {
        printer.status(format!(
            "nothing of stack `{stack}` stands on the engine; `motif up` starts it"
        ));
        return Ok(Exit::Done);
    }
    let mut shape = Shape {
        args,
        is_colored: printer.colors_data(),
        width: selected
            .iter()
            .map(|labels| labels.display_name().len())
            .max()
            .unwrap_or_default(),
        names: BTreeMap::new(),
    };
    let mut broken = None;
    let take = |line: LogLine| match printer.stream(shape.draw(&line)) {
        Ok(goes_on) => goes_on,
        Err(error) => {
            broken = Some(error);
            false
        }
    };
    let mut interrupt = signal(SignalKind::interrupt())?;
    let shown = async {
        if args.follow {
            docker.follow_logs(&request, take).await
        } else {
            docker.logs(&request, take).await
        }
    };
    let result = tokio::select! {
        result = shown => result,
        // Whoever follows ends it this way.
        _ = interrupt.recv() => return Ok(if args.follow { Exit::Done } else { Exit::Interrupted }),
    };
    match result {
        Ok(()) => {}
        Err(LogError::Engine(error)) => return Err(failed(error)),
        Err(LogError::NoContainer(error)) => {
            let hint = error.hint();
            return Err(Failure::from(error).hint(hint));
        }
    }
    match broken {
        Some(error) => Err(anyhow::Error::new(error)
            .context("failed to write the logs")
            .into()),
        None => Ok(Exit::Done),
    }
}

/// How lines look.
struct Shape<'a> {
    args: &'a LogsArgs,
    is_colored: bool,
    /// The widest name.
    width: usize,
    /// Drawn names, by name.
    names: BTreeMap<String, String>,
}

impl Shape<'_> {
    fn draw(&mut self, line: &LogLine) -> String {
        let time = || line.time.format(&Rfc3339).unwrap_or_default();
        if self.args.format == Format::Json {
            let object = json!({
                "time": time(),
                "pod": line.labels.pod,
                "replica": line.labels.replica,
                "container": line.labels.container,
                "stream": if line.stderr { "stderr" } else { "stdout" },
                "line": line.text,
            });
            return format!("{object}\n");
        }
        let mut drawn = String::new();
        if !self.args.no_prefix {
            let name = line.labels.display_name();
            let (width, is_colored) = (self.width, self.is_colored);
            let prefix = self.names.entry(name).or_insert_with_key(|name| {
                let style = if is_colored {
                    container_style(name)
                } else {
                    Style::new()
                };
                format!("{style}{name:width$} |{style:#} ")
            });
            drawn.push_str(prefix);
        }
        if self.args.timestamps {
            drawn.push_str(&time());
            drawn.push(' ');
        }
        if self.is_colored {
            drawn.push_str(&line.text);
        } else {
            drawn.push_str(&strip_str(&line.text).to_string());
        }
        drawn.push('\n');
        drawn
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn since_is_a_duration_or_a_time() {
        let ago = |text: &str| match since(text) {
            Ok(Since::Ago(ago)) => ago.whole_milliseconds(),
            _ => -1,
        };
        assert_eq!(ago("10m"), 600_000);
        assert_eq!(ago("1h30m"), 5_400_000);
        assert_eq!(ago("1500ms"), 1500);
        assert_eq!(ago("2d"), 172_800_000);
        for wrong in ["", "m", "1x", "1m2", "-1m", "99999999999d", "1.5h"] {
            assert!(since(wrong).is_err(), "{wrong}");
        }
        for time in [
            "2026-01-02T03:04:05Z",
            "2026-01-02T04:04:05.5+01:00",
            "1767323045",
        ] {
            let Ok(Since::At(time)) = since(time) else {
                panic!("{time}")
            };
            assert_eq!(time.unix_timestamp(), 1_767_323_045);
        }
    }
}
