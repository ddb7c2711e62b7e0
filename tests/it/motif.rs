//! Runs the binary in a folder of its own, cut off from the machine's settings.

use std::fmt;
use std::io::{Read, Write};
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// What one run showed: a snapshot of it holds everything that a user saw.
#[derive(Debug)]
pub struct Output {
    pub stdout: String,
    pub stderr: String,
    pub code: i32,
}

impl Output {
    /// Fails, showing everything, unless the run ended well.
    #[track_caller]
    pub fn success(self) -> Self {
        assert_eq!(self.code, 0, "{self}");
        self
    }

    /// Fails, showing everything, unless the run ended with this code.
    #[track_caller]
    pub fn code(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{self}");
        self
    }
}

impl fmt::Display for Output {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.stdout)?;
        if !self.stderr.is_empty() {
            write!(formatter, "------- stderr -------\n{}", self.stderr)?;
        }
        if self.code != 0 {
            write!(formatter, "[exit status: {}]", self.code)?;
        }
        Ok(())
    }
}

/// A temporary folder in which commands run.
pub struct Workspace {
    folder: tempfile::TempDir,
    environment: Vec<(String, String)>,
}

impl Workspace {
    /// An empty folder; the engine is out of reach until [`Workspace::with_engine`].
    pub fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            environment: vec![("DOCKER_HOST".into(), "unix:///nonexistent/docker.sock".into())],
        }
    }

    /// Lets commands reach the machine's engine.
    pub fn with_engine(mut self) -> Self {
        self.environment.retain(|(name, _)| name != "DOCKER_HOST");
        if let Ok(host) = std::env::var("DOCKER_HOST") {
            self.environment.push(("DOCKER_HOST".into(), host));
        }
        self
    }

    /// Adds an environment variable.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.retain(|(other, _)| other != name);
        self.environment.push((name.into(), value.into()));
        self
    }

    /// Writes a file, with the folders above it.
    pub fn file(self, path: &str, content: impl AsRef<[u8]>) -> Self {
        self.write(path, content);
        self
    }

    /// Writes a file, with the folders above it.
    pub fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        let path = self.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    /// Reads a file.
    #[track_caller]
    pub fn read(&self, path: &str) -> String {
        let path = self.path().join(path);
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The command, not yet started: for tests that talk with it while it runs.
    pub fn command<S: AsRef<str>>(&self, arguments: &[S]) -> Command {
        let mut command = Command::new(binary());
        command
            .args(arguments.iter().map(AsRef::as_ref))
            .current_dir(self.path())
            .env_clear()
            .env("PATH", std::env::var("PATH").unwrap())
            .env("HOME", self.path())
            .env("NO_COLOR", "1")
            .env("COLUMNS", "100")
            .envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Runs a command to its end.
    pub fn run<S: AsRef<str>>(&self, arguments: &[S]) -> Output {
        self.run_with_input(arguments, b"")
    }

    /// Runs a command to its end with bytes on its standard input.
    pub fn run_with_input<S: AsRef<str>>(&self, arguments: &[S], input: &[u8]) -> Output {
        let mut child = self
            .command(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let input = input.to_vec();
        let writer = std::thread::spawn(move || drop(stdin.write_all(&input)));
        let output = child.wait_with_output().unwrap();
        writer.join().unwrap();
        Output {
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
            code: output.status.code().unwrap_or(-1),
        }
    }
}

/// A command on a terminal of 120 columns and 30 rows; killed when dropped.
pub struct Terminal {
    process: Child,
    screen: Arc<Mutex<vt100::Parser>>,
}

impl Terminal {
    /// Starts the binary there.
    pub fn new(workspace: &Workspace, arguments: &[&str]) -> Self {
        let command = format!(
            "stty rows 30 cols 120; exec {} {}",
            binary().display(),
            arguments.join(" ")
        );
        let prepared = workspace.command::<&str>(&[]);
        let mut script = Command::new("script");
        script.args([
            "--quiet",
            "--flush",
            "--return",
            "--command",
            &command,
            "/dev/null",
        ]);
        script
            .env_clear()
            .env("TERM", "xterm-256color")
            .env("SHELL", "/bin/sh");
        for (name, value) in prepared.get_envs() {
            script.env(name, value.unwrap_or_default());
        }
        let mut process = script
            .current_dir(workspace.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut output = process.stdout.take().unwrap();
        let size = |number| NonZero::new(number).unwrap();
        let screen = Arc::new(Mutex::new(vt100::Parser::new(size(30), size(120), 0)));
        let shown = Arc::clone(&screen);
        std::thread::spawn(move || {
            let mut part = [0; 4096];
            while let Ok(length @ 1..) = output.read(&mut part) {
                shown.lock().unwrap().process(&part[..length]);
            }
        });
        Self { process, screen }
    }

    /// Waits until something stands on the screen.
    #[track_caller]
    pub fn expect(&self, text: &str) {
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            let shown = self.screen.lock().unwrap().screen().contents();
            if shown.contains(text) {
                return;
            }
            assert!(
                Instant::now() < deadline,
                "`{text}` is not on the screen:\n{shown}"
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Types.
    pub fn send(&mut self, keys: &str) {
        self.process
            .stdin
            .as_mut()
            .unwrap()
            .write_all(keys.as_bytes())
            .unwrap();
    }

    /// Waits for the end; the exit code.
    pub fn end(&mut self) -> i32 {
        self.process.wait().unwrap().code().unwrap_or(-1)
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The binary under test.
pub fn binary() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_motif"))
}

/// Whether tests may use the engine; says so when not.
pub fn engine_is_wanted() -> bool {
    let wanted = std::env::var("MOTIF_TEST_DOCKER").as_deref() != Ok("0");
    if !wanted {
        eprintln!("left out: MOTIF_TEST_DOCKER=0");
    }
    wanted
}

/// Builds an image of a test's own with the engine's classic builder.
///
/// Tests share the layers that the builder caches, and an image that is removed can take one away
/// under a build that just found it: so such a build begins again, and tests remove with `--no-prune`.
pub fn build_image(tag: &str, folder: &std::path::Path) {
    for attempt in 0.. {
        let built = std::process::Command::new("docker")
            .args(["build", "--quiet", "--tag", tag, "."])
            .current_dir(folder)
            .env("DOCKER_BUILDKIT", "0")
            .output()
            .unwrap();
        if built.status.success() {
            return;
        }
        let said = String::from_utf8_lossy(&built.stderr);
        assert!(attempt < 5 && said.contains("unknown parent image"), "{said}");
    }
}
