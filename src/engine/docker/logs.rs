//! Turns the engine's logs of many containers into one sequence of lines, in the order of their time.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bollard::container::LogOutput;
use bollard::query_parameters::{EventsOptionsBuilder, LogsOptionsBuilder};
use futures_util::future::try_join_all;
use futures_util::{Stream, StreamExt};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::sync::mpsc;

use super::{Docker, Error, Intent};
use crate::engine::labels::{self, Labels};
use crate::engine::observed::Status;
use crate::engine::selector::{self, NoContainer, Selector};

/// Which lines are wanted.
#[derive(Debug, Clone)]
pub struct LogRequest<'a> {
    /// The stack.
    pub stack: &'a str,
    /// The containers; empty means all.
    pub selectors: &'a [Selector],
    /// At most so many of each container's last lines.
    pub tail: Option<usize>,
    /// Only lines from then on.
    pub since: Option<OffsetDateTime>,
    /// Only lines that hold this text.
    pub containing: Option<&'a str>,
}

/// A line that a container wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// When.
    pub time: OffsetDateTime,
    /// Who.
    pub labels: Arc<Labels>,
    /// Whether it went to stderr.
    pub stderr: bool,
    /// The line, without its end.
    pub text: String,
}

/// Why there are no lines.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// A selector means nothing.
    #[error(transparent)]
    NoContainer(#[from] NoContainer),
    /// The engine refused.
    #[error(transparent)]
    Engine(#[from] Error),
}

/// A line of a program that never ends it is cut here.
const LONGEST: usize = 1 << 20;
/// How often the containers are counted anew while following, in case an event was missed.
const COUNT_EVERY: Duration = Duration::from_secs(2);
/// How long lines wait for earlier ones of other containers while following.
const GATHER: Duration = Duration::from_millis(15);

/// A container whose log is read.
#[derive(Debug, Clone)]
struct Source {
    id: String,
    labels: Arc<Labels>,
    status: Status,
}

type Lines = Pin<Box<dyn Stream<Item = Result<LogLine, Error>> + Send>>;

impl Docker {
    /// Gives the lines that there are, in order; `false` from the taker stops it.
    pub async fn logs(
        &self,
        request: &LogRequest<'_>,
        mut take: impl FnMut(LogLine) -> bool,
    ) -> Result<(), LogError> {
        let sources = self.sources(request).await?;
        self.merge(&sources, request, &mut BTreeMap::new(), &mut take)
            .await?;
        Ok(())
    }

    /// Gives the lines that there are, then those that come, of containers that start later too,
    /// until nothing of the selection runs any more or the taker says `false`.
    pub async fn follow_logs(
        &self,
        request: &LogRequest<'_>,
        mut take: impl FnMut(LogLine) -> bool,
    ) -> Result<(), LogError> {
        let mut starts = self.starts(request.stack);
        let sources = self.sources(request).await?;
        let mut seen = BTreeMap::new();
        if !self.merge(&sources, request, &mut seen, &mut take).await? {
            return Ok(());
        }
        let (sender, mut received) = mpsc::unbounded_channel();
        let initial: BTreeSet<String> = sources.into_iter().map(|source| source.id).collect();
        // Whether a container is being read; those that are not have ended.
        let mut reading: HashMap<String, bool> = HashMap::new();
        // Those that started since their reading began: a short life may be over before it is seen.
        let mut started = BTreeSet::new();
        loop {
            let sources = match self.sources(request).await {
                Ok(sources) => sources,
                // All of the selection is gone.
                Err(LogError::NoContainer(_)) => Vec::new(),
                Err(error) => return Err(error),
            };
            let mut is_alive = false;
            for source in sources {
                is_alive |= matches!(
                    source.status,
                    Status::Running | Status::Restarting | Status::Paused
                );
                let wants_reading = match reading.get(&source.id) {
                    Some(true) => false,
                    Some(false) => source.status == Status::Running || started.contains(&source.id),
                    None => source.status != Status::Created,
                };
                if wants_reading {
                    let after = seen.get(&source.id).copied();
                    let is_old = after.is_none() && initial.contains(&source.id);
                    let tail = if is_old && request.tail == Some(0) {
                        "0"
                    } else {
                        "all"
                    };
                    let since = after.or(request.since);
                    started.remove(&source.id);
                    reading.insert(source.id.clone(), true);
                    let lines = self.read_lines(&source, tail, since, true);
                    tokio::spawn(forward(lines, source.id, after, sender.clone()));
                }
            }
            if !is_alive && reading.values().all(|is_read| !is_read) {
                return Ok(());
            }
            let count = tokio::time::sleep(COUNT_EVERY);
            tokio::pin!(count);
            loop {
                tokio::select! {
                    () = &mut count => break,
                    id = starts.recv() => {
                        started.extend(id);
                        break;
                    }
                    message = received.recv() => {
                        let Some(message) = message else { return Ok(()) };
                        tokio::time::sleep(GATHER).await;
                        let mut batch = vec![message];
                        while let Ok(message) = received.try_recv() {
                            batch.push(message);
                        }
                        let mut has_ended = false;
                        let mut lines = Vec::new();
                        for message in batch {
                            match message {
                                Message::Line(id, line) => {
                                    seen.insert(id, line.time);
                                    lines.push(line);
                                }
                                Message::End(id) => {
                                    reading.insert(id, false);
                                    has_ended = true;
                                }
                            }
                        }
                        lines.sort_by_key(|line| line.time);
                        for line in lines {
                            let is_wanted = request.containing.is_none_or(|text| line.text.contains(text));
                            if is_wanted && !take(line) {
                                return Ok(());
                            }
                        }
                        if has_ended {
                            break;
                        }
                    }
                }
            }
        }
    }

    /// The selected containers.
    async fn sources(&self, request: &LogRequest<'_>) -> Result<Vec<Source>, LogError> {
        let summaries = self.summaries(&[(labels::STACK, request.stack)]).await?;
        let sources: Vec<Source> = summaries
            .iter()
            .filter_map(super::observe::container)
            .map(|container| Source {
                id: container.id,
                labels: Arc::new(container.labels),
                status: container.status,
            })
            .collect();
        let selected = selector::select(request.stack, request.selectors, &sources, |source| {
            &source.labels
        })?;
        Ok(selected.into_iter().cloned().collect())
    }

    /// Gives the lines of all sources by time; keeps each source's last time. `false` when the taker had enough.
    async fn merge(
        &self,
        sources: &[Source],
        request: &LogRequest<'_>,
        seen: &mut BTreeMap<String, OffsetDateTime>,
        take: &mut impl FnMut(LogLine) -> bool,
    ) -> Result<bool, Error> {
        let mut streams: Vec<Lines> = sources.iter().map(|source| self.lines(source, request)).collect();
        // With a text, the last lines are the last that hold it, which the engine can't count.
        if let (Some(text), Some(tail)) = (request.containing, request.tail) {
            let kept = streams
                .iter_mut()
                .map(|stream| last_containing(stream, text, tail));
            let kept = try_join_all(kept).await?;
            streams = kept
                .into_iter()
                .map(|lines| Box::pin(futures_util::stream::iter(lines.into_iter().map(Ok))) as Lines)
                .collect();
        }
        let mut heads = Vec::with_capacity(streams.len());
        for stream in &mut streams {
            heads.push(stream.next().await.transpose()?);
        }
        loop {
            let first = (0..heads.len())
                .filter_map(|index| Some((heads[index].as_ref()?.time, index)))
                .min();
            let Some((_, index)) = first else { return Ok(true) };
            if let Some(line) = heads[index].take() {
                seen.insert(sources[index].id.clone(), line.time);
                let is_wanted = request.containing.is_none_or(|text| line.text.contains(text));
                if is_wanted && !take(line) {
                    return Ok(false);
                }
            }
            heads[index] = streams[index].next().await.transpose()?;
        }
    }

    /// The lines that a container wrote so far.
    fn lines(&self, source: &Source, request: &LogRequest<'_>) -> Lines {
        let tail = match (request.tail, request.containing) {
            (Some(tail), None) => tail.to_string(),
            _ => "all".to_owned(),
        };
        self.read_lines(source, &tail, request.since, false)
    }

    fn read_lines(&self, source: &Source, tail: &str, since: Option<OffsetDateTime>, follow: bool) -> Lines {
        // The engine takes whole seconds; what is too early is left out below.
        let seconds = since.map_or(0, |since| {
            i32::try_from(since.unix_timestamp()).unwrap_or(i32::MAX)
        });
        let options = LogsOptionsBuilder::default()
            .stdout(true)
            .stderr(true)
            .timestamps(true)
            .follow(follow)
            .since(seconds)
            .tail(tail)
            .build();
        let name = source.labels.display_name();
        let parts = self.client.logs(&source.id, Some(options));
        let mut joiner = Joiner {
            labels: Arc::clone(&source.labels),
            open: [None, None],
        };
        let lines = parts
            .map(Some)
            .chain(futures_util::stream::iter([None]))
            .flat_map(move |part| {
                let lines = match part {
                    Some(Ok(part)) => joiner.take(&part).into_iter().map(Ok).collect(),
                    Some(Err(error)) if is_gone(&error) => Vec::new(),
                    Some(Err(error)) => vec![Err(error).intent(|| format!("read the log of `{name}`"))],
                    None => joiner.rest().into_iter().map(Ok).collect(),
                };
                futures_util::stream::iter(lines)
            })
            .filter(move |line: &Result<LogLine, Error>| {
                let is_early = line
                    .as_ref()
                    .is_ok_and(|line| since.is_some_and(|since| line.time < since));
                std::future::ready(!is_early)
            });
        Box::pin(lines)
    }

    /// The ids of containers of a stack that start from now on.
    fn starts(&self, stack: &str) -> mpsc::UnboundedReceiver<String> {
        let (sender, receiver) = mpsc::unbounded_channel();
        let (docker, label) = (self.clone(), format!("{}={stack}", labels::STACK));
        tokio::spawn(async move {
            let filters = HashMap::from([
                ("type", vec!["container".to_owned()]),
                ("event", vec!["start".to_owned()]),
                ("label", vec![label]),
            ]);
            let options = EventsOptionsBuilder::default().filters(&filters).build();
            let mut events = docker.client.events(Some(options));
            while let Some(Ok(event)) = events.next().await {
                let id = event.actor.and_then(|actor| actor.id).unwrap_or_default();
                if sender.send(id).is_err() {
                    return;
                }
            }
            // Without events the regular count goes on; a closed channel would be asked for ever.
            sender.closed().await;
        });
        receiver
    }
}

/// Passes a container's lines on until the container ends, without those that are known.
async fn forward(
    mut lines: Lines,
    id: String,
    after: Option<OffsetDateTime>,
    sender: mpsc::UnboundedSender<Message>,
) {
    while let Some(Ok(line)) = lines.next().await {
        if after.is_some_and(|after| line.time <= after) {
            continue;
        }
        if sender.send(Message::Line(id.clone(), line)).is_err() {
            return;
        }
    }
    let _ = sender.send(Message::End(id));
}

enum Message {
    Line(String, LogLine),
    End(String),
}

/// Whether the container was removed before its log was read.
fn is_gone(error: &bollard::errors::Error) -> bool {
    matches!(
        error,
        bollard::errors::Error::DockerResponseServerError {
            status_code: 404 | 409,
            ..
        }
    )
}

async fn last_containing(stream: &mut Lines, text: &str, tail: usize) -> Result<VecDeque<LogLine>, Error> {
    let mut kept = VecDeque::new();
    while let Some(line) = stream.next().await.transpose()? {
        if line.text.contains(text) {
            kept.push_back(line);
            if kept.len() > tail {
                kept.pop_front();
            }
        }
    }
    Ok(kept)
}

/// Puts lines together: the engine cuts a long one into parts, each with the time of the first.
struct Joiner {
    labels: Arc<Labels>,
    open: [Option<(OffsetDateTime, Vec<u8>)>; 2],
}

impl Joiner {
    fn take(&mut self, part: &LogOutput) -> Option<LogLine> {
        let (index, bytes) = match part {
            LogOutput::StdErr { message } => (1, message),
            LogOutput::StdOut { message } | LogOutput::Console { message } | LogOutput::StdIn { message } => {
                (0, message)
            }
        };
        let (time, text) = split_time(bytes)?;
        let (text, is_whole) = match text.strip_suffix(b"\n") {
            Some(text) => (text, true),
            None => (text, false),
        };
        let (time, mut line) = self.open[index].take().unwrap_or((time, Vec::new()));
        line.extend_from_slice(text);
        if is_whole || line.len() > LONGEST {
            return Some(self.line(index, time, &line));
        }
        self.open[index] = Some((time, line));
        None
    }

    /// What was written without an end of line.
    fn rest(&mut self) -> Vec<LogLine> {
        (0..2)
            .filter_map(|index| {
                let (time, line) = self.open[index].take()?;
                Some(self.line(index, time, &line))
            })
            .collect()
    }

    fn line(&self, index: usize, time: OffsetDateTime, line: &[u8]) -> LogLine {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        LogLine {
            time,
            labels: Arc::clone(&self.labels),
            stderr: index == 1,
            text: String::from_utf8_lossy(line).into_owned(),
        }
    }
}

/// `2026-01-02T03:04:05.000000006Z text`
fn split_time(bytes: &[u8]) -> Option<(OffsetDateTime, &[u8])> {
    let space = bytes.iter().position(|byte| *byte == b' ')?;
    let time = OffsetDateTime::parse(std::str::from_utf8(&bytes[..space]).ok()?, &Rfc3339).ok()?;
    Some((time, &bytes[space + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::labels::Role;

    fn joiner() -> Joiner {
        let labels = Labels {
            stack: "shop".to_owned(),
            pod: "web".to_owned(),
            replica: 0,
            container: "app".to_owned(),
            role: Role::Main,
            position: 0,
            hash: String::new(),
            due: None,
            index: None,
            after: Vec::new(),
        };
        Joiner {
            labels: Arc::new(labels),
            open: [None, None],
        }
    }

    fn part(stderr: bool, text: &str) -> LogOutput {
        let message = text.to_owned().into();
        if stderr {
            LogOutput::StdErr { message }
        } else {
            LogOutput::StdOut { message }
        }
    }

    #[test]
    fn the_parts_of_a_long_line_become_one() {
        let mut joiner = joiner();
        let time = "2026-01-02T03:04:05.000000006Z";
        assert_eq!(joiner.take(&part(false, &format!("{time} one "))), None);
        assert_eq!(
            joiner.take(&part(true, &format!("{time} err\n"))).unwrap().text,
            "err"
        );
        assert_eq!(joiner.take(&part(false, &format!("{time} two "))), None);
        let line = joiner.take(&part(false, &format!("{time} three\r\n"))).unwrap();
        assert_eq!((line.text.as_str(), line.stderr), ("one two three", false));
        assert_eq!(line.time.nanosecond(), 6);
        assert_eq!(joiner.take(&part(false, &format!("{time} open"))), None);
        assert_eq!(joiner.rest()[0].text, "open");
        assert!(joiner.rest().is_empty());
    }

    #[test]
    fn a_line_that_never_ends_is_cut() {
        let mut joiner = joiner();
        let text = format!("2026-01-02T03:04:05Z {}", "x".repeat(LONGEST / 2));
        let lines = (0..7).filter_map(|_| joiner.take(&part(false, &text))).count();
        assert_eq!(lines, 2);
    }
}
