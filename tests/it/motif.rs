//! Runs the binary in a folder of its own, cut off from the machine's settings.

use std::fmt;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

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
