//! `motif block volumes`: lays the files of configs and secrets into volumes, and gives empty volumes their owner.
//!
//! What `motif up` does from outside, for engines that are driven by a Compose file.

use std::collections::BTreeSet;
use std::fs::{self, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{PermissionsExt as _, chown, symlink};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::Context;
use clap::Parser;

use super::catalogue::{Block, Error, Outcome};
use super::swap::{CURRENT, NEXT, swap};

/// Lay files into volumes, and give empty ones their owner
///
/// A volume is a folder under --to; the files of a config or secret are in the folder of the same name under --from.
#[derive(Debug, Parser)]
#[command(name = "volumes", max_term_width = 100)]
pub struct Volumes {
    /// The folder of the files
    #[arg(long, env = "MOTIF_FROM", value_name = "PATH", default_value = "/files")]
    from: PathBuf,
    /// The folder of the volumes
    #[arg(long, env = "MOTIF_TO", value_name = "PATH", default_value = "/volumes")]
    to: PathBuf,
    /// A volume for everybody in the pod to write into
    #[arg(long, env = "MOTIF_EMPTY", value_name = "NAME[=UID:GID]")]
    empty: Vec<Volume>,
    /// A volume for its owner to write into; for everybody in the pod where it has none
    #[arg(long, env = "MOTIF_CLAIM", value_name = "NAME[=UID:GID]")]
    claim: Vec<Volume>,
    /// A volume with files
    #[arg(long, env = "MOTIF_CONFIG", value_name = "NAME[=UID:GID]")]
    config: Vec<Volume>,
    /// A volume with files for its owner alone, which are replaced all at once; for everybody in the pod where it has none
    #[arg(long, env = "MOTIF_SECRET", value_name = "NAME[=UID:GID]")]
    secret: Vec<Volume>,
}

/// A volume, and whom it belongs to; absent is root.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Volume {
    name: String,
    owner: Option<(u32, u32)>,
}

impl FromStr for Volume {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, owner) = match text.split_once('=') {
            None => (text, None),
            Some((name, owner)) => {
                let number = |text: &str| text.parse::<u32>().ok();
                let owner = owner
                    .split_once(':')
                    .and_then(|(user, group)| Some((number(user)?, number(group)?)))
                    .ok_or_else(|| format!("`{owner}` is no owner like `1000:1000`"))?;
                (name, Some(owner))
            }
        };
        if name.is_empty() || name.starts_with('.') || name.contains('/') {
            return Err(format!("`{name}` is no name of a folder"));
        }
        Ok(Self {
            name: name.to_owned(),
            owner,
        })
    }
}

impl Volume {
    fn give(&self, path: &Path, mode: u32) -> io::Result<()> {
        let (user, group) = self.owner.unwrap_or((0, 0));
        chown(path, Some(user), Some(group))?;
        fs::set_permissions(path, Permissions::from_mode(mode))
    }

    /// Gives an empty folder to its owner. What has something in it belongs to whoever wrote that.
    fn open(&self, folder: &Path, mode: u32) -> io::Result<()> {
        match fs::read_dir(folder)?.next() {
            None => self.give(folder, mode),
            Some(_) => Ok(()),
        }
    }

    /// Copies the files; others of that name are replaced one by one.
    fn copy(&self, from: &Path, folder: &Path, mode: u32) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(from)? {
            let entry = entry?;
            let Ok(name) = entry.file_name().into_string() else {
                continue;
            };
            let next = folder.join("..file");
            fs::write(&next, fs::read(entry.path())?)?;
            self.give(&next, mode)?;
            fs::rename(&next, folder.join(&name))?;
            names.push(name);
        }
        Ok(names)
    }

    /// Lays a secret's files beside the current ones, and makes them current, in Kubernetes' layout.
    fn replace(&self, from: &Path, folder: &Path, mode: u32) -> io::Result<()> {
        self.give(folder, 0o755)?;
        let taken: BTreeSet<String> = fs::read_dir(folder)?
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .collect();
        let numbers = 0..=taken.len();
        let name = numbers
            .map(|number| format!("..{number}"))
            .find(|name| !taken.contains(name))
            .unwrap_or_default();
        let inner = folder.join(&name);
        fs::create_dir(&inner)?;
        self.give(&inner, 0o755)?;
        let keys = self.copy(from, &inner, mode)?;
        // One that was cut off has left it.
        match fs::remove_file(folder.join(NEXT)) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        symlink(&name, folder.join(NEXT))?;
        swap(folder)?;
        for key in keys.iter().filter(|key| !taken.contains(*key)) {
            symlink(format!("{CURRENT}/{key}"), folder.join(key))?;
        }
        Ok(())
    }
}

impl Block for Volumes {
    const INTERNAL: bool = true;

    fn run(self) -> Result<Outcome, Error> {
        let each = |volumes: &[Volume], work: &dyn Fn(&Volume, &Path, &Path) -> io::Result<()>| {
            volumes.iter().try_for_each(|volume| {
                let (from, to) = (self.from.join(&volume.name), self.to.join(&volume.name));
                work(volume, &from, &to).with_context(|| format!("failed to prepare `{}`", to.display()))
            })
        };
        each(&self.empty, &|volume, _, to| volume.open(to, 0o1777))?;
        each(&self.claim, &|volume, _, to| {
            volume.open(to, if volume.owner.is_some() { 0o770 } else { 0o1777 })
        })?;
        each(&self.config, &|volume, from, to| {
            volume.give(to, 0o755)?;
            volume.copy(from, to, 0o444).map(drop)
        })?;
        each(&self.secret, &|volume, from, to| {
            volume.replace(from, to, if volume.owner.is_some() { 0o400 } else { 0o444 })
        })?;
        Ok(Outcome::Done)
    }
}

#[cfg(test)]
mod tests {
    use rustix::process::{getgid, getuid};

    use super::*;

    /// A folder with files and volumes; everything belongs to whoever runs the test.
    struct Place(tempfile::TempDir);

    impl Place {
        fn new(files: &[(&str, &str)], volumes: &[&str]) -> Self {
            let place = Self(tempfile::tempdir().unwrap());
            for (path, content) in files {
                place.write(path, content);
            }
            for volume in volumes {
                fs::create_dir_all(place.path("to").join(volume)).unwrap();
            }
            place
        }

        fn path(&self, path: &str) -> PathBuf {
            self.0.path().join(path)
        }

        fn write(&self, path: &str, content: &str) {
            let path = self.path("from").join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }

        fn run(&self, flags: &[&str]) {
            let owner = format!("={}:{}", getuid().as_raw(), getgid().as_raw());
            let words = ["volumes", "--from", "", "--to", ""].map(str::to_owned);
            let mut words = words.to_vec();
            words[2] = self.path("from").display().to_string();
            words[4] = self.path("to").display().to_string();
            words.extend(flags.iter().map(|flag| format!("{flag}{owner}")));
            Volumes::try_parse_from(words).unwrap().run().unwrap();
        }

        fn mode(&self, path: &str) -> u32 {
            fs::metadata(self.path("to").join(path))
                .unwrap()
                .permissions()
                .mode()
                & 0o7777
        }

        fn read(&self, path: &str) -> String {
            fs::read_to_string(self.path("to").join(path)).unwrap()
        }

        fn names(&self, volume: &str) -> Vec<String> {
            let entries = fs::read_dir(self.path("to").join(volume)).unwrap();
            let mut names: Vec<String> = entries
                .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                .collect();
            names.sort();
            names
        }
    }

    #[test]
    fn empty_volumes_get_their_owner_once() {
        let place = Place::new(&[], &["scratch", "data"]);
        place.run(&["--empty=scratch", "--claim=data"]);
        assert_eq!((place.mode("scratch"), place.mode("data")), (0o1777, 0o770));
        // What a program has made of its folder stays so.
        let data = place.path("to/data");
        fs::write(data.join("file"), "").unwrap();
        fs::set_permissions(&data, Permissions::from_mode(0o700)).unwrap();
        place.run(&["--claim=data"]);
        assert_eq!(place.mode("data"), 0o700);
    }

    #[test]
    fn files_of_a_config_are_laid_in_and_replaced() {
        let place = Place::new(&[("conf/a", "one"), ("conf/b", "two")], &["conf"]);
        place.run(&["--config=conf"]);
        assert_eq!(place.names("conf"), ["a", "b"]);
        assert_eq!((place.mode("conf"), place.mode("conf/a")), (0o755, 0o444));
        place.write("conf/a", "three");
        place.run(&["--config=conf"]);
        assert_eq!(
            (place.read("conf/a"), place.read("conf/b")),
            ("three".into(), "two".into())
        );
    }

    #[test]
    fn the_files_of_a_secret_are_replaced_all_at_once() {
        let place = Place::new(&[("certs/tls.crt", "old"), ("certs/tls.key", "old")], &["certs"]);
        place.run(&["--secret=certs"]);
        assert_eq!(place.names("certs"), ["..0", CURRENT, "tls.crt", "tls.key"]);
        assert_eq!(
            (place.read("certs/tls.key"), place.mode("certs/tls.key")),
            ("old".into(), 0o400)
        );
        place.write("certs/tls.key", "new");
        place.run(&["--secret=certs"]);
        assert_eq!(place.names("certs"), ["..1", CURRENT, "tls.crt", "tls.key"]);
        assert_eq!(place.read("certs/tls.key"), "new");
        // One that was cut off has left a folder and a link behind.
        fs::create_dir(place.path("to/certs/..0")).unwrap();
        symlink("..0", place.path("to/certs/..next")).unwrap();
        place.write("certs/tls.key", "newest");
        place.run(&["--secret=certs"]);
        assert_eq!(place.names("certs"), ["..2", CURRENT, "tls.crt", "tls.key"]);
        assert_eq!(place.read("certs/tls.key"), "newest");
    }

    #[test]
    fn what_is_no_volume_is_said() {
        for text in ["", "=1:1", "../x", "a/b", ".x", "a=", "a=1", "a=x:1", "a=1:-1"] {
            assert!(text.parse::<Volume>().is_err(), "{text}");
        }
        assert_eq!("a=1:2".parse::<Volume>().unwrap().owner, Some((1, 2)));
    }
}
