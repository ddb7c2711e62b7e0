//! Real databases from Debian's packages, in folders of their own, as users of their own.

use std::net::SocketAddr;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, getuid, kill_process};

use super::running::wait_until;
use super::wire;

/// What every server here is told and asks for.
pub const PASSWORD: &str = "s3cret-word";

/// A running server.
pub struct Database {
    child: Child,
    pub address: SocketAddr,
    folder: tempfile::TempDir,
}

impl Drop for Database {
    fn drop(&mut self) {
        self.signal(Signal::CONT);
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn open_folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    folder
}

fn file(folder: &Path, name: &str, content: &str) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, content).unwrap();
    path
}

fn number(user: &str, option: &str) -> u32 {
    let output = Command::new("id").args([option, user]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.trim()
        .parse()
        .unwrap_or_else(|_| panic!("there is no user `{user}`: `make test` makes it"))
}

/// A folder that belongs to the user, if this one may give it away.
fn belonging(folder: &Path, user: &str) -> PathBuf {
    let path = folder.join("data");
    std::fs::create_dir(&path).unwrap();
    if getuid().is_root() {
        chown(&path, Some(number(user, "-u")), Some(number(user, "-g"))).unwrap();
    }
    path
}

/// A command that runs as the user, if this one may become it.
fn command(user: &str, program: &Path) -> Command {
    if !getuid().is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command
        .arg(format!("--reuid={user}"))
        .arg(format!("--regid={user}"))
        .arg("--clear-groups")
        .arg(program);
    command
}

#[track_caller]
fn succeed(command: &mut Command) {
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(
        output.status.success(),
        "{command:?}: {}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

impl Database {
    fn start(command: &mut Command, address: SocketAddr, folder: tempfile::TempDir) -> Self {
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}: `make test` installs it"));
        let mut database = Self {
            child,
            address,
            folder,
        };
        wait_until("the server listens", || {
            assert!(
                database.child.try_wait().unwrap().is_none(),
                "it ended: {command:?}"
            );
            std::net::TcpStream::connect(address).is_ok()
        });
        database
    }

    /// redis-server; with a password or without.
    pub fn redis(password: Option<&str>) -> Self {
        Self::redis_on(wire::free_address(), password)
    }

    /// The same, on a known port.
    pub fn redis_on(address: SocketAddr, password: Option<&str>) -> Self {
        let folder = open_folder();
        let mut command = Command::new("redis-server");
        command
            .args(["--bind", "127.0.0.1", "--save", "", "--daemonize", "no"])
            .args(["--port", &address.port().to_string()])
            .arg("--dir")
            .arg(folder.path());
        if let Some(password) = password {
            command.args(["--requirepass", password]);
        }
        Self::start(&mut command, address, folder)
    }

    /// PostgreSQL, with the user `postgres` and SCRAM.
    pub fn postgresql() -> Self {
        let user = "postgres";
        let folder = open_folder();
        let versions = std::fs::read_dir("/usr/lib/postgresql").expect("`make test` installs PostgreSQL");
        let bin = versions
            .map(|entry| entry.unwrap().path().join("bin"))
            .max()
            .unwrap();
        let data = belonging(folder.path(), user);
        let password = file(folder.path(), "password", PASSWORD);
        succeed(
            command(user, &bin.join("initdb"))
                .arg("--pgdata")
                .arg(&data)
                .arg("--pwfile")
                .arg(&password)
                .args(["--username=postgres", "--auth=scram-sha-256"])
                .args(["--no-sync", "--no-locale", "--encoding=UTF8"]),
        );
        let address = wire::free_address();
        let mut server = command(user, &bin.join("postgres"));
        server
            .arg("-D")
            .arg(&data)
            .args(["-h", "127.0.0.1", "-p", &address.port().to_string()])
            .args([
                "-c",
                "unix_socket_directories=",
                "-c",
                "fsync=off",
                "-c",
                "shared_buffers=1MB",
            ]);
        Self::start(&mut server, address, folder)
    }

    /// MariaDB, with the user `probe`.
    pub fn mariadb() -> Self {
        let user = "mysql";
        let folder = open_folder();
        let data = belonging(folder.path(), user);
        succeed(
            command(user, Path::new("mariadb-install-db"))
                .arg("--no-defaults")
                .arg(format!("--datadir={}", data.display()))
                .args(["--auth-root-authentication-method=normal", "--skip-test-db"]),
        );
        let start = format!(
            "CREATE DATABASE shop; CREATE USER probe IDENTIFIED BY '{PASSWORD}'; GRANT ALL ON shop.* TO probe;\n"
        );
        let start = file(folder.path(), "start.sql", &start.replace("; ", ";\n"));
        let address = wire::free_address();
        let mut server = command(user, Path::new("/usr/sbin/mariadbd"));
        server
            .arg("--no-defaults")
            .arg(format!("--datadir={}", data.display()))
            .arg(format!("--socket={}", data.join("socket").display()))
            .arg(format!("--pid-file={}", data.join("pid").display()))
            .arg(format!("--init-file={}", start.display()))
            .arg(format!("--port={}", address.port()))
            .args(["--bind-address=127.0.0.1", "--innodb-buffer-pool-size=8M"]);
        Self::start(&mut server, address, folder)
    }

    /// A file beside the server's own.
    pub fn file(&self, name: &str, content: &str) -> PathBuf {
        file(self.folder.path(), name, content)
    }

    /// Sends a signal to the server and to the processes that it started.
    pub fn signal(&self, signal: Signal) {
        let number = self.child.id();
        let send = |number: &str| {
            let process = number.parse().ok().and_then(Pid::from_raw);
            let _ = kill_process(process.unwrap(), signal);
        };
        send(&number.to_string());
        let children = std::fs::read_to_string(format!("/proc/{number}/task/{number}/children"));
        children.unwrap_or_default().split_whitespace().for_each(send);
    }
}
