//! Turns the flags of `sync` into settings that make sense, or into the one reason why they don't.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::builder::BoolishValueParser;
use clap::{ArgAction, Parser, ValueEnum};

use super::client::{Address, Client};
use super::git::Repository;
use super::notification::Notification;
use super::tree::Limits;
use crate::block::{Error, duration, listen, size};

/// What a source is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// A folder of this container
    Folder,
    /// One file of an HTTP server
    Http,
    /// A Git repository
    Git,
}

/// Keep a folder equal to a source: a folder, a file by HTTP, a Git repository
///
/// The target is a link. A new version is written beside it, checked, and then the link is renamed: who reads sees the
/// old version or the new one, whole. A source that fails, is empty, too large, invalid, or leads out of itself by a
/// path or a link leaves the version that is there. The admin port's `/readyz` answers 200 as soon as there is one.
/// Of a repository the files of one commit are kept, without `.git`; submodules, LFS and `.gitattributes` are not
/// followed.
#[derive(Debug, Clone, Parser)]
#[command(name = "sync", max_term_width = 100)]
pub struct Flags {
    #[arg(
        long,
        env = "MOTIF_SOURCE",
        value_name = "SOURCE",
        help = "Where the content comes from: folder:PATH, http(s)://HOST/FILE, git://HOST/PATH, or http(s)://HOST/PATH.git (git+https://HOST/PATH where its name doesn't end so)"
    )]
    source: String,
    /// What the source is, where its form doesn't say
    #[arg(long, env = "MOTIF_KIND", value_name = "KIND")]
    kind: Option<Kind>,
    /// Link to the current version; its folder also holds the versions, in .sync
    #[arg(long, env = "MOTIF_TARGET", value_name = "PATH")]
    pub target: PathBuf,
    /// Name of the file that comes by HTTP [default: the last part of the source's path]
    #[arg(long, env = "MOTIF_NAME", value_name = "NAME")]
    name: Option<String>,
    /// Branch, tag or commit of a repository
    #[arg(long = "ref", env = "MOTIF_REF", value_name = "NAME", default_value = "HEAD")]
    reference: String,
    /// Time between two looks at the source
    #[arg(long, env = "MOTIF_INTERVAL", value_name = "DURATION", default_value = "10s", value_parser = duration::parse_positive)]
    pub interval: Duration,
    /// Time that a look, a validation, or a notification may take
    #[arg(long, env = "MOTIF_TIMEOUT", value_name = "DURATION", default_value = "30s", value_parser = duration::parse_positive)]
    pub timeout: Duration,
    /// Program and arguments, separated by spaces or one in each flag, that is run in the folder of a new version; unless it exits with 0, the old version stays
    #[arg(long, env = "MOTIF_VALIDATE", value_name = "WORD", value_delimiter = ' ', allow_hyphen_values = true, action = ArgAction::Append)]
    pub validate: Vec<String>,
    /// Whether files named .json, and a file that comes by HTTP, have to be JSON
    #[arg(long, env = "MOTIF_VALIDATE_JSON", value_name = "BOOLEAN", default_value = "false", action = ArgAction::Set, value_parser = BoolishValueParser::new())]
    pub validate_json: bool,
    #[arg(
        long,
        env = "MOTIF_NOTIFY",
        value_name = "NOTIFY",
        default_value = "none",
        help = "Who is told of a change, but not of the first version: none, signal:HUP:PROCESS, restart:PROCESS (SIGTERM), http://HOST/PATH (a POST, repeated until it is accepted); a process is found by its command's name in the PID namespace that the pod shares"
    )]
    pub notify: Notification,
    /// Old versions that are kept
    #[arg(long, env = "MOTIF_KEEP", value_name = "COUNT", default_value = "1", value_parser = clap::value_parser!(u16))]
    keep: u16,
    /// Most bytes of a version; up to four times as much memory is used
    #[arg(long, env = "MOTIF_MAX_SIZE", value_name = "SIZE", default_value = "64Mi", value_parser = size::parse)]
    max_size: u64,
    /// Most files, folders and links of a version
    #[arg(long, env = "MOTIF_MAX_FILES", value_name = "COUNT", default_value = "10000", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    max_files: u32,
    /// File with user:password, sent only to the source's own server, and only over TLS or to this machine
    #[arg(long, env = "MOTIF_CREDENTIALS", value_name = "PATH")]
    credentials: Option<PathBuf>,
    /// File with the certificates that are trusted, in PEM form [default: those of the machine]
    #[arg(long, env = "MOTIF_CA", value_name = "PATH")]
    ca: Option<PathBuf>,
    /// Whether it looks once and exits: with 0 when the target is equal to the source, with 1 when it isn't
    #[arg(long, env = "MOTIF_ONCE", value_name = "BOOLEAN", default_value = "false", action = ArgAction::Set, value_parser = BoolishValueParser::new())]
    pub once: bool,
    /// Address and port of /livez, /readyz and /metrics
    #[arg(long, env = "MOTIF_ADMIN", value_name = "ADDRESS", default_value = "0.0.0.0:9913", value_parser = listen::parse)]
    pub admin: SocketAddr,
}

/// Where the content comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A folder of this container.
    Folder(PathBuf),
    /// One file.
    Http {
        /// Where it is.
        address: Address,
        /// What it is called in a version.
        name: String,
    },
    /// A repository.
    Git {
        /// Where it is.
        repository: Repository,
        /// Branch, tag or commit.
        reference: String,
    },
}

impl Source {
    /// The server that may see the credentials.
    fn server(&self) -> Option<&Address> {
        match self {
            Self::Http { address, .. }
            | Self::Git {
                repository: Repository::Http(address),
                ..
            } => Some(address),
            Self::Folder(_) | Self::Git { .. } => None,
        }
    }
}

impl Flags {
    /// What a version may hold.
    pub fn limits(&self) -> Limits {
        Limits {
            bytes: self.max_size,
            entries: self.max_files as usize,
        }
    }

    /// Old versions that are kept.
    pub fn keep(&self) -> usize {
        usize::from(self.keep)
    }

    /// Reads the source by its form, or as what it is said to be.
    pub fn source(&self) -> Result<Source, Error> {
        self.read_source()
            .map_err(|reason| Error::configuration(format!("`--source`: {reason}")))
    }

    fn read_source(&self) -> Result<Source, String> {
        let text = self.source.as_str();
        let kind = match self.kind {
            Some(kind) => kind,
            None => kind_of(text)?,
        };
        match kind {
            Kind::Folder => {
                let path = text.strip_prefix("folder:").unwrap_or(text);
                if path.is_empty() {
                    return Err("a folder has a path".to_owned());
                }
                Ok(Source::Folder(PathBuf::from(path)))
            }
            Kind::Http => {
                let address: Address = text.parse()?;
                let name = self.name.clone().unwrap_or_else(|| {
                    let path = address.path.split('?').next().unwrap_or_default();
                    path.rsplit('/').next().unwrap_or_default().to_owned()
                });
                if name.is_empty()
                    || name.contains(['/', '\0'])
                    || name == "."
                    || name == ".."
                    || name.len() > 255
                {
                    return Err(format!(
                        "`{name}` can't be the name of its file: `--name` gives another one"
                    ));
                }
                Ok(Source::Http { address, name })
            }
            Kind::Git => {
                let reference = self.reference.clone();
                let is_name =
                    |character: char| character.is_ascii_graphic() && !"~^:?*[\\".contains(character);
                if reference.is_empty() || reference.len() > 200 || !reference.chars().all(is_name) {
                    return Err(format!(
                        "`{reference}` is not the name of a branch, a tag or a commit"
                    ));
                }
                let repository: Repository = text.parse()?;
                Ok(Source::Git {
                    repository,
                    reference,
                })
            }
        }
    }

    /// The client for the source and the notification.
    pub fn client(&self, source: &Source) -> Result<Client, Error> {
        let credentials = match (&self.credentials, source.server()) {
            (None, _) => None,
            (Some(path), Some(server)) if server.is_private() => Some((server, path.as_path())),
            (Some(_), Some(server)) => {
                return Err(Error::configuration(format!(
                    "`--credentials` are not sent to `{server}`: without TLS others could read them"
                )));
            }
            (Some(_), None) => {
                return Err(Error::configuration(
                    "`--credentials` are for a source by HTTP only",
                ));
            }
        };
        Client::new(self.ca.as_deref().map(Path::new), credentials)
    }
}

fn kind_of(source: &str) -> Result<Kind, String> {
    let is_web = source.starts_with("http://") || source.starts_with("https://");
    if source.starts_with("folder:") {
        Ok(Kind::Folder)
    } else if source.starts_with("git://")
        || source.starts_with("git+")
        || (is_web && source.trim_end_matches('/').strip_suffix(".git").is_some())
    {
        Ok(Kind::Git)
    } else if is_web {
        Ok(Kind::Http)
    } else {
        Err(format!(
            "`{source}` is not `folder:PATH`, `http(s)://HOST/FILE`, `git://HOST/PATH` or `http(s)://HOST/PATH.git`"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flags(words: &[&str]) -> Flags {
        let words = ["sync", "--target=/sync/current"].iter().chain(words);
        Flags::try_parse_from(words).unwrap()
    }

    fn source(words: &[&str]) -> Result<Source, String> {
        flags(words).read_source()
    }

    #[test]
    fn a_source_says_what_it_is() {
        let kind = |text: &str| match source(&[&format!("--source={text}")]) {
            Ok(Source::Folder(_)) => "folder",
            Ok(Source::Http { .. }) => "http",
            Ok(Source::Git { .. }) => "git",
            Err(_) => "none",
        };
        assert_eq!(kind("folder:/config"), "folder");
        assert_eq!(kind("https://a/b.json"), "http");
        assert_eq!(kind("https://a/b.git"), "git");
        assert_eq!(kind("http://a/b.git/"), "git");
        assert_eq!(kind("git+https://a/b"), "git");
        assert_eq!(kind("git://a/b"), "git");
        for wrong in ["", "/config", "folder:", "ssh://a/b", "https://a/", "git@a:b.git"] {
            assert_eq!(kind(wrong), "none", "{wrong}");
        }
        let said = source(&["--source=https://a/b.git", "--kind=http"]);
        assert!(matches!(said, Ok(Source::Http { name, .. }) if name == "b.git"));
    }

    #[test]
    fn a_file_by_http_has_a_name() {
        let name = |words: &[&str]| match source(words) {
            Ok(Source::Http { name, .. }) => name,
            other => panic!("{other:?}"),
        };
        assert_eq!(name(&["--source=http://a/b/c.json?d=/e"]), "c.json");
        assert_eq!(name(&["--source=http://a/", "--name=x"]), "x");
        assert!(source(&["--source=http://a/b", "--name=../x"]).is_err());
    }

    #[test]
    fn credentials_are_not_sent_for_all_to_read() {
        let refused = |source: &str| {
            let flags = flags(&[&format!("--source={source}"), "--credentials=/none"]);
            match flags.client(&flags.source().unwrap()) {
                Err(Error::Configuration { reason, .. }) => reason,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(
            refused("http://a/b"),
            "`--credentials` are not sent to `http://a/b`: without TLS others could read them"
        );
        assert_eq!(
            refused("git://a/b"),
            "`--credentials` are for a source by HTTP only"
        );
    }

    #[test]
    fn a_validation_is_words() {
        let words = |given: &[&str]| {
            let mut all = vec!["--source=folder:/a"];
            all.extend(given);
            flags(&all).validate
        };
        let expect = ["nginx", "-t", "-c", "x"];
        assert_eq!(words(&["--validate=nginx -t -c x"]), expect);
        assert_eq!(
            words(&[
                "--validate=nginx",
                "--validate=-t",
                "--validate=-c",
                "--validate=x"
            ]),
            expect
        );
        assert!(words(&[]).is_empty());
    }
}
