//! The process that keeps a detached stack's jobs: one for each stack and engine, found through a file that it locks.
//!
//! Only who may talk to the engine can start a container, and no container may: so a process of the user's
//! own begins the runs, counts them and waits for the next due time while no `motif` command runs.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, BufRead, BufReader, Read, Seek, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use sha2::{Digest, Sha256};

use super::desired::hex;

/// How long a process that was told to end may take.
const PATIENCE: Duration = Duration::from_secs(10);
const LOOK: Duration = Duration::from_millis(20);
/// What a supervisor says when it has taken over.
const READY: &str = "ready\n";

/// What keeps a supervisor from its work.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The folder for its files isn't there.
    #[error("no folder for the state of the stack's jobs: neither XDG_STATE_HOME nor HOME is set")]
    NoFolder,
    /// A file of its own.
    #[error("failed to use `{}`", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The process that was told to end.
    #[error("process {0}, which keeps the stack's jobs, doesn't end")]
    Stubborn(u32),
    /// The program can't be started.
    #[error("failed to start the process that keeps the stack's jobs")]
    NotStarted(#[source] io::Error),
    /// It started, and ended.
    #[error("the process that keeps the stack's jobs ended at once:\n{0}")]
    Ended(String),
}

/// Where the supervisor of a stack on an engine is found.
#[derive(Debug, Clone)]
pub struct Supervisor {
    lock: PathBuf,
    log: PathBuf,
}

/// As long as it lives, the process that has it is the stack's supervisor.
#[derive(Debug)]
pub struct Held(#[expect(dead_code, reason = "the file's lock goes with it")] File);

impl Supervisor {
    /// The supervisor of a stack on the engine at this address.
    pub fn new(engine: &str, stack: &str) -> Result<Self, Error> {
        let set = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        let folder = set("XDG_STATE_HOME")
            .map(PathBuf::from)
            .or_else(|| Some(PathBuf::from(set("HOME")?).join(".local/state")))
            .ok_or(Error::NoFolder)?
            .join("motif/jobs");
        let engine = hex(&Sha256::digest(engine.as_bytes()));
        let name = format!("{stack}-{}", &engine[..8]);
        Ok(Self {
            lock: folder.join(format!("{name}.lock")),
            log: folder.join(format!("{name}.log")),
        })
    }

    /// What the supervisor wrote.
    pub fn log(&self) -> &PathBuf {
        &self.log
    }

    /// The process that is the supervisor, where there is one.
    pub fn process(&self) -> Option<u32> {
        let mut file = OpenOptions::new().read(true).write(true).open(&self.lock).ok()?;
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => {
                let mut text = String::new();
                file.read_to_string(&mut text).ok()?;
                // One that has just locked it and has not said who it is yet.
                Some(text.trim().parse().unwrap_or(0))
            }
            Ok(()) | Err(TryLockError::Error(_)) => None,
        }
    }

    /// Ends the supervisor, where there is one. What it started goes on.
    pub fn end(&self) -> Result<(), Error> {
        let deadline = Instant::now() + PATIENCE;
        let mut told = None;
        while let Some(process) = self.process() {
            if process != 0 && told != Some(process) {
                self.tell(process, Signal::TERM);
                told = Some(process);
            }
            if Instant::now() >= deadline {
                self.tell(process, Signal::KILL);
                if Instant::now() >= deadline + PATIENCE {
                    return Err(Error::Stubborn(process));
                }
            }
            std::thread::sleep(LOOK);
        }
        Ok(())
    }

    /// Sends a signal to the process, if it is still the supervisor: a number may have got another owner.
    fn tell(&self, process: u32, signal: Signal) {
        let number = i32::try_from(process).ok().and_then(Pid::from_raw);
        let Some(descriptor) = number.and_then(|number| pidfd_open(number, PidfdFlags::empty()).ok()) else {
            return;
        };
        if self.process() == Some(process) {
            // One that ended meanwhile needs no signal.
            let _ = pidfd_send_signal(descriptor, signal);
        }
    }

    /// Makes this process the supervisor, in place of any other.
    pub fn take_over(&self) -> Result<Held, Error> {
        let at = |source| Error::File {
            path: self.lock.clone(),
            source,
        };
        if let Some(folder) = self.lock.parent() {
            fs::create_dir_all(folder).map_err(at)?;
        }
        loop {
            self.end()?;
            let mut file = OpenOptions::new()
                .create(true)
                .read(true)
                .write(true)
                .truncate(false)
                .open(&self.lock)
                .map_err(at)?;
            match file.try_lock() {
                Ok(()) => {
                    file.set_len(0).map_err(at)?;
                    file.rewind().map_err(at)?;
                    file.write_all(std::process::id().to_string().as_bytes())
                        .map_err(at)?;
                    return Ok(Held(file));
                }
                // Another one was quicker, or somebody looked.
                Err(TryLockError::WouldBlock) => std::thread::sleep(LOOK),
                Err(TryLockError::Error(error)) => return Err(at(error)),
            }
        }
    }

    /// Starts a supervisor of its own, which takes over; returns when it has, with its number.
    pub fn start(&self, arguments: &[String]) -> Result<u32, Error> {
        let at = |source| Error::File {
            path: self.log.clone(),
            source,
        };
        if let Some(folder) = self.log.parent() {
            fs::create_dir_all(folder).map_err(at)?;
        }
        let log = File::create(&self.log).map_err(at)?;
        let program = std::env::current_exe().map_err(Error::NotStarted)?;
        let mut child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .map_err(Error::NotStarted)?;
        let mut line = String::new();
        if let Some(stdout) = child.stdout.take() {
            // A child that ends says nothing more.
            let _ = BufReader::new(stdout).read_line(&mut line);
        }
        if line == READY {
            return Ok(child.id());
        }
        let _ = child.wait();
        let said = fs::read_to_string(&self.log).unwrap_or_default();
        Err(Error::Ended(said.trim_end().to_owned()))
    }
}

/// What a supervisor says when it has taken over.
pub fn ready() -> &'static str {
    READY
}
