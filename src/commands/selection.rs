//! The flags of commands that look at what runs: they need a stack's name, and no valid stack.

use std::path::PathBuf;

use clap::Args;

use super::engine::failed;
use crate::diagnostic::{Collector, Sources};
use crate::disk;
use crate::engine::docker::Docker;
use crate::stack::Name;
use crate::terminal::Failure;
use crate::yaml::{self, Content};

/// The most MiB of a stack's file that are read.
const MOST_FILE: u64 = 4;

/// Which stack.
#[derive(Debug, Clone, Default, Args)]
pub struct SelectionArgs {
    /// Take the stack's name from this file instead of `stack.yaml`
    #[arg(short, long, value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// Name the stack; then no file is needed
    #[arg(short, long, value_name = "NAME")]
    pub project_name: Option<String>,
}

impl SelectionArgs {
    /// Reaches the engine and finds the stack's name.
    pub async fn open(&self, host: Option<&str>) -> Result<(Docker, String), Failure> {
        let docker = Docker::connect(host)
            .await
            .map_err(|error| failed(error.into()))?;
        match self.name() {
            Ok(name) => Ok((docker, name)),
            // Where no stack is named, those that run may be meant.
            Err(failure) if self.file.is_none() && self.project_name.is_none() => {
                let names = docker.stacks().await.map_err(failed)?;
                Err(if names.is_empty() {
                    failure
                } else {
                    failure.hint(format!(
                        "or name one with `-p`: there are `{}`",
                        names.join("`, `")
                    ))
                })
            }
            Err(failure) => Err(failure),
        }
    }

    /// The stack's name. The rest of its file may be wrong: what runs can be looked at all the same.
    fn name(&self) -> Result<String, Failure> {
        if let Some(name) = &self.project_name {
            return match Name::new(name) {
                Some(name) => Ok(name.to_string()),
                None => Err(Failure::usage(format!("`{name}` is no stack's name")).hint(
                    "a name is 1 to 63 of `a-z`, `0-9` and `-`, and starts and ends with a letter or digit",
                )),
            };
        }
        let path = self.file.clone().unwrap_or_else(|| PathBuf::from("stack.yaml"));
        let bytes = disk::read_file(&path, MOST_FILE).map_err(|error| match error {
            disk::Error::Io { source, .. } if source.kind() == std::io::ErrorKind::NotFound => {
                Failure::usage(format!("no file `{}`", path.display()))
                    .hint("go to the stack's folder, or make one with `motif new`")
            }
            error => error.into(),
        })?;
        let mut problems = Collector::default();
        let shown = path.display().to_string();
        let root = yaml::read(&mut Sources::default(), &shown, &bytes, &mut problems);
        let name = root
            .as_ref()
            .and_then(|root| match &root.get("stack")?.value.content {
                Content::Scalar { text, .. } => Name::new(text),
                _ => None,
            });
        name.map(|name| name.to_string()).ok_or_else(|| {
            Failure::usage(format!("`{shown}` names no stack"))
                .hint("`motif check` says what is wrong with it; `-p NAME` does without it")
        })
    }
}
