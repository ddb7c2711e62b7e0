//! `motif block init`: runs a container's program, asks its startup and liveness probes, and ends when they fail.
//!
//! The engine's restart policy starts the container again: nothing outside of it has to watch.

use std::cell::RefCell;
use std::collections::HashMap;
use std::ffi::OsString;
use std::fs;
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Context;
use clap::Parser;
use hyper::body::Incoming;
use hyper::{Request, StatusCode};
use rustix::process::{Pid, Signal, WaitOptions, WaitStatus, kill_process, kill_process_group, wait};
use serde::{Deserialize, Serialize};
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{sleep, timeout};

use super::catalogue::{Block, Error, Outcome};
use super::question::Question;
use super::{admin, duration, listen, runtime, server};

/// Exit code of a program that was killed, as a shell says it.
const KILLED: u8 = 137;
/// How much of what a probe wrote is kept.
const SHOWN: usize = 300;
/// How long the rest of a probe's output is waited for, once the probe has ended.
const REST: Duration = Duration::from_millis(100);

/// Run a program, and end when its startup or liveness probe fails: the engine starts the container again
#[derive(Debug, Parser)]
#[command(name = "init", max_term_width = 100)]
pub struct Init {
    /// Startup probe as JSON: command, delay, every, timeout (milliseconds) and failures
    #[arg(long, env = "MOTIF_STARTUP", value_name = "JSON")]
    startup: Option<Question>,
    /// Liveness probe, likewise
    #[arg(long, env = "MOTIF_LIVE", value_name = "JSON")]
    live: Option<Question>,
    /// Readiness probe, likewise, with successes; what it says is answered on --serve
    #[arg(long, env = "MOTIF_READY", value_name = "JSON")]
    ready: Option<Question>,
    /// Address and port of /readyz: 200 once the startup probe passed, while the readiness probe passes
    #[arg(long, env = "MOTIF_SERVE", value_name = "ADDRESS", value_parser = listen::parse)]
    serve: Option<SocketAddr>,
    /// Time from SIGTERM to SIGKILL once a probe failed
    #[arg(long, env = "MOTIF_GRACE", value_name = "DURATION", default_value = "30s", value_parser = duration::parse)]
    grace: Duration,
    /// Folder that outlives the container's restarts: when and why they were
    #[arg(long, env = "MOTIF_STATE", value_name = "PATH")]
    state: Option<PathBuf>,
    /// Pause before the first start after a failed probe; doubled for each further one
    #[arg(long, env = "MOTIF_PAUSE", value_name = "DURATION", default_value = "1s", value_parser = duration::parse)]
    pause: Duration,
    /// The longest pause
    #[arg(long, env = "MOTIF_LONGEST_PAUSE", value_name = "DURATION", default_value = "5m", value_parser = duration::parse)]
    longest_pause: Duration,
    /// Time after which failed probes are forgotten
    #[arg(long, env = "MOTIF_FORGET", value_name = "DURATION", default_value = "10m", value_parser = duration::parse)]
    forget: Duration,
    /// The program and its arguments
    #[arg(last = true, required = true, value_name = "PROGRAM")]
    program: Vec<OsString>,
}

/// What is kept about restarts that failed probes caused.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
struct Record {
    /// How many there were in a row.
    count: u32,
    /// When the last was, in seconds since 1970.
    at: u64,
    /// Why the last was.
    reason: String,
}

impl Record {
    /// The record after one more failed probe.
    fn after(self, reason: String, now: u64, forget: Duration) -> Self {
        let is_recent = now.saturating_sub(self.at) < forget.as_secs();
        Self {
            count: if is_recent {
                self.count.saturating_add(1)
            } else {
                1
            },
            at: now,
            reason,
        }
    }

    /// How long to wait before the program is started.
    fn pause(&self, now: u64, init: &Init) -> Duration {
        let is_recent = now.saturating_sub(self.at) < init.forget.as_secs();
        if self.count == 0 || !is_recent {
            return Duration::ZERO;
        }
        let factor = 1_u32.checked_shl(self.count - 1).unwrap_or(u32::MAX);
        init.pause.saturating_mul(factor).min(init.longest_pause)
    }

    fn read(folder: Option<&Path>) -> Self {
        folder
            .and_then(|folder| fs::read(folder.join("restarts.json")).ok())
            .and_then(|bytes| serde_json::from_slice(&bytes).ok())
            .unwrap_or_default()
    }

    fn write(&self, folder: &Path) -> anyhow::Result<()> {
        let next = folder.join("restarts.json.next");
        fs::write(&next, serde_json::to_vec(self)?)?;
        fs::rename(&next, folder.join("restarts.json"))?;
        Ok(())
    }
}

fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |time| time.as_secs())
}

impl Block for Init {
    const INTERNAL: bool = true;

    fn run(self) -> Result<Outcome, Error> {
        Ok(Outcome::Exit(runtime::single()?.block_on(supervise(&self))?))
    }
}

/// The signals that are passed on to the program.
const FORWARDED: [(SignalKind, Signal); 7] = [
    (SignalKind::terminate(), Signal::TERM),
    (SignalKind::interrupt(), Signal::INT),
    (SignalKind::quit(), Signal::QUIT),
    (SignalKind::hangup(), Signal::HUP),
    (SignalKind::user_defined1(), Signal::USR1),
    (SignalKind::user_defined2(), Signal::USR2),
    (SignalKind::window_change(), Signal::WINCH),
];

fn asks_to_end(signal: Signal) -> bool {
    matches!(signal, Signal::TERM | Signal::INT | Signal::QUIT)
}

/// The exit code that a signal stands for.
fn code_of(signal: i32) -> u8 {
    u8::try_from(128 + signal).unwrap_or(KILLED)
}

async fn supervise(init: &Init) -> Result<u8, Error> {
    let mut signals = listen()?;
    let reaper = Reaper::start()?;
    let record = Record::read(init.state.as_deref());
    let pause = record.pause(now(), init);
    if !pause.is_zero() {
        tell(
            "waiting",
            &format!("{pause:?} before the start, after {}", record.reason),
        );
        let pause = sleep(pause);
        tokio::pin!(pause);
        loop {
            tokio::select! {
                () = &mut pause => break,
                Some(signal) = signals.recv() => if asks_to_end(signal) {
                    return Ok(code_of(signal.as_raw()));
                },
            }
        }
    }
    let mut command = Command::new(&init.program[0]);
    command.args(&init.program[1..]).process_group(0);
    let child = match command.spawn() {
        Ok(child) => child,
        Err(error) => {
            let shown = init.program[0].to_string_lossy();
            tell(
                "failed",
                &format!("the program `{shown}` can't be started: {error}"),
            );
            return Ok(match error.kind() {
                io::ErrorKind::NotFound => 127,
                _ => 126,
            });
        }
    };
    let pid = Pid::from_child(&child);
    let mut ended = reaper.expect(pid);
    let readiness: Readiness = Arc::new(Mutex::new(Err("it has not started".to_owned())));
    if let Some(address) = init.serve {
        serve(address, &readiness)?;
    }
    let watch = watch(init, &reaper, &readiness);
    tokio::pin!(watch);
    let mut is_watched = true;
    loop {
        tokio::select! {
            status = &mut ended => return Ok(exit_code(status.ok())),
            Some(signal) = signals.recv() => {
                // One that is ending is left to end.
                is_watched &= !asks_to_end(signal);
                let _ = kill_process(pid, signal);
            }
            reason = &mut watch, if is_watched => {
                let record = record.after(reason, now(), init.forget);
                tell("restart", &record.reason);
                if let Some(folder) = &init.state
                    && let Err(error) = record.write(folder)
                {
                    tell("failed", &format!("the reason can't be kept: {error}"));
                }
                let _ = kill_process(pid, Signal::TERM);
                if timeout(init.grace, &mut ended).await.is_err() {
                    let _ = kill_process_group(pid, Signal::KILL);
                    let _ = timeout(Duration::from_secs(1), &mut ended).await;
                }
                return Ok(KILLED);
            }
        }
    }
}

/// Collects the signals to pass on.
fn listen() -> anyhow::Result<mpsc::UnboundedReceiver<Signal>> {
    let (sender, receiver) = mpsc::unbounded_channel();
    for (kind, name) in FORWARDED {
        let mut stream = signal(kind).context("failed to listen for signals")?;
        let sender = sender.clone();
        tokio::task::spawn_local(async move {
            while stream.recv().await.is_some() {
                if sender.send(name).is_err() {
                    return;
                }
            }
        });
    }
    Ok(receiver)
}

fn exit_code(status: Option<WaitStatus>) -> u8 {
    let Some(status) = status else { return KILLED };
    match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => u8::try_from(code).unwrap_or(1),
        (None, Some(signal)) => code_of(signal),
        (None, None) => KILLED,
    }
}

/// Whether services may send traffic; if not, why.
type Readiness = Arc<Mutex<Result<(), String>>>;

fn set(readiness: &Readiness, value: Result<(), String>) {
    *readiness.lock().unwrap_or_else(PoisonError::into_inner) = value;
}

/// Answers `/readyz` as long as the process lives.
fn serve(address: SocketAddr, readiness: &Readiness) -> Result<(), Error> {
    let listener = listen::bind(address)?;
    let readiness = Arc::clone(readiness);
    let answer = move |request: Request<Incoming>, _| {
        let reply = match request.uri().path() {
            "/readyz" => {
                let value = readiness.lock().unwrap_or_else(PoisonError::into_inner).clone();
                admin::readyz(value)
            }
            _ => server::text(StatusCode::NOT_FOUND, "there is /readyz\n"),
        };
        async move { reply }
    };
    tokio::spawn(server::serve(
        listener,
        answer,
        std::future::pending(),
        Duration::ZERO,
    ));
    Ok(())
}

/// Asks the startup probe until it passes, then the others for ever; returns why one failed that ends the program.
async fn watch(init: &Init, reaper: &Reaper, readiness: &Readiness) -> String {
    if let Some(question) = &init.startup
        && let Some(reason) = ask_on(question, reaper, true).await
    {
        return format!("startup: {reason}");
    }
    let ready = async {
        match &init.ready {
            Some(question) => stay_ready(question, reaper, readiness).await,
            None => set(readiness, Ok(())),
        }
        std::future::pending().await
    };
    let live = async {
        match &init.live {
            Some(question) => match ask_on(question, reaper, false).await {
                Some(reason) => format!("liveness: {reason}"),
                None => std::future::pending().await,
            },
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        reason = live => reason,
        never = ready => never,
    }
}

/// Keeps the answer of `/readyz`.
async fn stay_ready(question: &Question, reaper: &Reaper, readiness: &Readiness) {
    sleep(question.delay()).await;
    let (mut passed, mut failed, mut is_ready) = (0_u32, 0_u32, false);
    loop {
        match reaper.ask(question).await {
            Ok(()) => {
                (passed, failed) = (passed.saturating_add(1), 0);
                is_ready |= passed >= question.successes;
                if is_ready {
                    set(readiness, Ok(()));
                }
            }
            Err(reason) => {
                (passed, failed) = (0, failed.saturating_add(1));
                is_ready &= failed < question.failures;
                if !is_ready {
                    set(readiness, Err(reason));
                }
            }
        }
        // Within one period it is known whether the state has changed.
        let half = question.every() / 2;
        sleep(if is_ready && failed > 0 {
            half / question.failures
        } else {
            half
        })
        .await;
    }
}

/// Asks until the probe failed too often in a row, and says what it got; `None` when it passed and that is enough.
async fn ask_on(question: &Question, reaper: &Reaper, until_it_passes: bool) -> Option<String> {
    sleep(question.delay()).await;
    let mut failures = 0;
    loop {
        match reaper.ask(question).await {
            Ok(()) if until_it_passes => return None,
            Ok(()) => failures = 0,
            Err(reason) => {
                failures += 1;
                if failures >= question.failures {
                    let times = if failures == 1 { "once" } else { "times in a row" };
                    return Some(match failures {
                        1 => format!("{reason}, {times}"),
                        _ => format!("{reason}, {failures} {times}"),
                    });
                }
            }
        }
        sleep(question.every()).await;
    }
}

/// Takes in every child that ends: the program, probes, and orphans.
#[derive(Clone)]
struct Reaper {
    expected: Rc<RefCell<HashMap<i32, oneshot::Sender<WaitStatus>>>>,
}

impl Reaper {
    fn start() -> anyhow::Result<Self> {
        let reaper = Self {
            expected: Rc::default(),
        };
        let mut child = signal(SignalKind::child()).context("failed to listen for signals")?;
        let expected = Rc::clone(&reaper.expected);
        tokio::task::spawn_local(async move {
            while child.recv().await.is_some() {
                // One SIGCHLD may stand for several children.
                while let Ok(Some((pid, status))) = wait(WaitOptions::NOHANG) {
                    if let Some(sender) = expected.borrow_mut().remove(&pid.as_raw_nonzero().get()) {
                        let _ = sender.send(status);
                    }
                }
            }
        });
        Ok(reaper)
    }

    /// The end of a child that was just started: nothing is taken in between, all is on one thread.
    fn expect(&self, pid: Pid) -> oneshot::Receiver<WaitStatus> {
        let (sender, receiver) = oneshot::channel();
        self.expected
            .borrow_mut()
            .insert(pid.as_raw_nonzero().get(), sender);
        receiver
    }

    /// Runs a probe's command; what it said where it failed.
    async fn ask(&self, question: &Question) -> Result<(), String> {
        let shown = question.command.join(" ");
        let failed = |error: io::Error| format!("`{shown}`: {error}");
        let (reader, writer) = io::pipe().map_err(failed)?;
        let mut command = Command::new(&question.command[0]);
        command
            .args(&question.command[1..])
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(writer.try_clone().map_err(failed)?)
            .stderr(writer);
        let child = command.spawn().map_err(failed)?;
        let pid = Pid::from_child(&child);
        let mut ended = self.expect(pid);
        // It holds the pipe's other end.
        drop(command);
        let mut output = pipe::Receiver::from_owned_fd(reader.into()).map_err(failed)?;
        let mut said = Vec::new();
        let mut piece = [0; 1024];
        let patience = sleep(question.timeout());
        tokio::pin!(patience);
        let mut is_open = true;
        let status = loop {
            tokio::select! {
                status = &mut ended => break status.ok(),
                () = &mut patience => {
                    let _ = kill_process_group(pid, Signal::KILL);
                    return Err(format!("`{shown}`: no answer within {:?}", question.timeout()));
                }
                read = output.read(&mut piece), if is_open => keep(&mut said, &piece, read.ok(), &mut is_open),
            }
        };
        while is_open {
            match timeout(REST, output.read(&mut piece)).await {
                Ok(read) => keep(&mut said, &piece, read.ok(), &mut is_open),
                Err(_) => break,
            }
        }
        let code = exit_code(status);
        if code == 0 {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&said);
        let line = said.lines().rfind(|line| !line.trim().is_empty());
        Err(match line {
            Some(line) => line.trim().to_owned(),
            None => format!("`{shown}` ended with exit code {code}"),
        })
    }
}

/// Keeps the last part of what a probe writes.
fn keep(said: &mut Vec<u8>, piece: &[u8], read: Option<usize>, is_open: &mut bool) {
    match read {
        None | Some(0) => *is_open = false,
        Some(count) => {
            said.extend_from_slice(&piece[..count]);
            let too_much = said.len().saturating_sub(SHOWN);
            said.drain(..too_much);
        }
    }
}

/// Writes a line among the program's own: stdout is the program's.
fn tell(event: &str, message: &str) {
    let line = serde_json::json!({ "block": "init", "event": event, "message": message });
    // Where nobody reads there is nobody to tell.
    let _ = writeln!(io::stderr().lock(), "{line}");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn init(words: &[&str]) -> Init {
        let words = ["init"].iter().chain(words).chain(&["--", "true"]);
        Init::try_parse_from(words).unwrap()
    }

    #[test]
    fn pauses_grow_to_the_longest_and_are_forgotten() {
        let init = init(&["--pause=1s", "--longest-pause=10s", "--forget=10m"]);
        let mut record = Record::default();
        assert_eq!(record.pause(0, &init), Duration::ZERO);
        let mut pauses = Vec::new();
        for _ in 0..6 {
            record = record.after("liveness: no".to_owned(), 1_000, init.forget);
            pauses.push(record.pause(1_001, &init).as_secs());
        }
        assert_eq!(pauses, [1, 2, 4, 8, 10, 10]);
        assert_eq!(record.pause(1_000 + 600, &init), Duration::ZERO);
        record.count = u32::MAX;
        assert_eq!(record.pause(1_001, &init), Duration::from_secs(10));
        assert_eq!(record.after(String::new(), 2_000, init.forget).count, 1);
    }

    #[test]
    fn a_record_is_read_back_and_nonsense_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let record = Record {
            count: 2,
            at: 3,
            reason: "liveness: 503".to_owned(),
        };
        record.write(folder.path()).unwrap();
        assert_eq!(Record::read(Some(folder.path())), record);
        fs::write(folder.path().join("restarts.json"), "{").unwrap();
        assert_eq!(Record::read(Some(folder.path())), Record::default());
        assert_eq!(Record::read(None), Record::default());
    }
}
