//! Copies changed files into containers that run.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bollard::query_parameters::{
    DownloadFromContainerOptionsBuilder, RestartContainerOptionsBuilder, UploadToContainerOptionsBuilder,
};
use futures_util::TryStreamExt;
use sha2::{Digest, Sha256};

use super::{Sync, Unit};
use crate::engine::desired::{BINARY, Container, Desired};
use crate::engine::docker::{Docker, Error, Intent};
use crate::engine::labels::Role;
use crate::stack::User;

/// How long the removal of files in a container may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// What is in the containers, as far as it was copied or looked at.
#[derive(Debug, Default)]
pub struct Copies {
    /// By container: its id, and the content by path.
    known: BTreeMap<String, (String, BTreeMap<String, Content>)>,
}

/// What a path holds.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Content {
    File { executable: bool, digest: [u8; 32] },
    Link(PathBuf),
}

/// A file or link to copy: where it is, what it holds, and the permissions of a file.
struct Item {
    target: String,
    content: Content,
    bytes: Vec<u8>,
    mode: u32,
}

impl Copies {
    /// Copies what changed into every replica of its container; what was done, by container: `web-0/app`.
    ///
    /// A container that is new gets everything that differs from what its image has.
    pub async fn bring(
        &mut self,
        docker: &Docker,
        desired: &Desired,
        sync: &Sync,
        changed: Option<&BTreeSet<PathBuf>>,
    ) -> Result<BTreeMap<String, usize>, Error> {
        let mut done = BTreeMap::new();
        for container in replicas(desired, &sync.unit) {
            let Some((state, _)) = docker.state(&container.name).await? else {
                continue;
            };
            if state.running != Some(true) {
                continue;
            }
            let id = docker.id_of(&container.name).await?;
            let is_known = self
                .known
                .get(&container.name)
                .is_some_and(|(known, _)| *known == id);
            if !is_known {
                self.known.insert(container.name.clone(), (id, BTreeMap::new()));
            }
            let Some((_, known)) = self.known.get_mut(&container.name) else {
                continue;
            };
            let root = BTreeSet::from([sync.from.clone()]);
            let changed = match changed {
                Some(changed) if is_known => changed,
                _ => {
                    known.extend(docker.look(&container.name, &sync.to).await?);
                    &root
                }
            };
            let count = docker.copy(container, sync, changed, known).await?;
            if count > 0 {
                done.insert(container.display_name(), count);
                if sync.restart {
                    docker.start_again(container).await?;
                }
            }
        }
        Ok(done)
    }
}

/// The containers of a unit, one for each replica.
fn replicas<'a>(desired: &'a Desired, (pod, name): &'a Unit) -> impl Iterator<Item = &'a Container> {
    desired
        .replicas
        .iter()
        .filter(|replica| replica.pod == pod.as_str() && !replica.is_proxy())
        .flat_map(|replica| &replica.containers)
        .filter(|container| container.own_name == name.as_str() && container.role != Role::Infra)
}

impl Docker {
    async fn id_of(&self, name: &str) -> Result<String, Error> {
        let inspected = self
            .client
            .inspect_container(name, None::<bollard::query_parameters::InspectContainerOptions>)
            .await;
        let inspected = inspected.intent(|| format!("inspect container `{name}`"))?;
        Ok(inspected.id.unwrap_or_default())
    }

    /// What a path of a container holds.
    async fn look(&self, container: &str, path: &str) -> Result<BTreeMap<String, Content>, Error> {
        let options = DownloadFromContainerOptionsBuilder::default().path(path).build();
        let archive = self
            .client
            .download_from_container(container, Some(options))
            .try_fold(Vec::new(), async |mut archive, part| {
                archive.extend_from_slice(&part);
                Ok(archive)
            })
            .await
            .intent(|| format!("read `{path}` of container `{container}`"));
        let archive = match archive {
            Err(error) if error.status() == Some(404) => return Ok(BTreeMap::new()),
            archive => archive?,
        };
        Ok(contents(&archive, path)?)
    }

    /// Copies what differs, and removes what is gone; how many files that were.
    async fn copy(
        &self,
        container: &Container,
        sync: &Sync,
        changed: &BTreeSet<PathBuf>,
        known: &mut BTreeMap<String, Content>,
    ) -> Result<usize, Error> {
        let mut items = Vec::new();
        let mut gone = Vec::new();
        for path in changed {
            let found = gather(path, sync, &mut items)?;
            if !found && let Some(target) = sync.target(path) {
                gone.push(target);
            }
        }
        items.retain(|item| known.get(&item.target) != Some(&item.content));
        let count = items.len() + gone.len();
        if !items.is_empty() {
            let archive = archive(&items, owner(container))?;
            let options = UploadToContainerOptionsBuilder::default().path("/").build();
            self.client
                .upload_to_container(&container.name, Some(options), bollard::body_full(archive.into()))
                .await
                .intent(|| format!("copy files into container `{}`", container.name))?;
        }
        if !gone.is_empty() {
            self.remove_files(container, &gone).await?;
        }
        for item in items {
            known.insert(item.target, item.content);
        }
        known.retain(|path, _| {
            !gone
                .iter()
                .any(|gone| path == gone || path.strip_prefix(gone).is_some_and(|rest| rest.starts_with('/')))
        });
        Ok(count)
    }

    /// Removes files as the container's user, or, where that one may not, as root.
    async fn remove_files(&self, container: &Container, paths: &[String]) -> Result<(), Error> {
        let command: Vec<String> = [BINARY, "block", "remove", "--"]
            .into_iter()
            .map(str::to_owned)
            .chain(paths.iter().cloned())
            .collect();
        let mut said = String::new();
        for user in [None, Some("0:0")] {
            match self.run_in_as(&container.name, &command, user, PATIENCE).await? {
                (0, _) => return Ok(()),
                (_, text) => said = text,
            }
        }
        Err(Error::Files {
            container: container.display_name(),
            reason: said,
        })
    }

    async fn start_again(&self, container: &Container) -> Result<(), Error> {
        let grace = i32::try_from(container.grace.as_secs()).unwrap_or(i32::MAX);
        let options = RestartContainerOptionsBuilder::default().t(grace).build();
        self.client
            .restart_container(&container.name, Some(options))
            .await
            .intent(|| format!("start container `{}` again", container.name))
    }
}

/// Gathers what is at a path and below it; whether anything is there.
fn gather(path: &Path, sync: &Sync, items: &mut Vec<Item>) -> io::Result<bool> {
    let metadata = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        metadata => metadata?,
    };
    let Some(target) = sync.target(path).filter(|_| sync.holds(path)) else {
        return Ok(true);
    };
    let kind = metadata.file_type();
    if kind.is_dir() {
        for entry in fs::read_dir(path)? {
            gather(&entry?.path(), sync, items)?;
        }
    } else if kind.is_symlink() {
        items.push(Item {
            target,
            content: Content::Link(fs::read_link(path)?),
            bytes: Vec::new(),
            mode: 0o777,
        });
    } else if kind.is_file() {
        let bytes = match fs::read(path) {
            // It went between the two looks: its removal is told next.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(true),
            bytes => bytes?,
        };
        let mode = metadata.permissions().mode() & 0o777;
        items.push(Item {
            target,
            content: file(&bytes, mode),
            bytes,
            mode,
        });
    }
    Ok(true)
}

fn file(bytes: &[u8], mode: u32) -> Content {
    Content::File {
        executable: mode & 0o100 != 0,
        digest: Sha256::digest(bytes).into(),
    }
}

/// What an archive of a container's path holds, by path in the container.
fn contents(archive: &[u8], path: &str) -> io::Result<BTreeMap<String, Content>> {
    let parent = path
        .trim_end_matches('/')
        .rsplit_once('/')
        .map_or("", |(parent, _)| parent);
    let mut found = BTreeMap::new();
    for entry in tar::Archive::new(archive).entries()? {
        let mut entry = entry?;
        let name = entry.path()?.to_string_lossy().trim_end_matches('/').to_owned();
        let kind = entry.header().entry_type();
        let content = if kind.is_symlink() {
            Content::Link(entry.link_name()?.unwrap_or_default().into_owned())
        } else if kind.is_file() {
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes)?;
            file(&bytes, entry.header().mode()?)
        } else {
            continue;
        };
        found.insert(format!("{parent}/{name}"), content);
    }
    Ok(found)
}

fn archive(items: &[Item], owner: User) -> io::Result<Vec<u8>> {
    let mut archive = tar::Builder::new(Vec::new());
    for item in items {
        let mut header = tar::Header::new_gnu();
        header.set_uid(u64::from(owner.uid));
        header.set_gid(u64::from(owner.gid));
        header.set_mode(item.mode);
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        header.set_mtime(now.unwrap_or_default().as_secs());
        header.set_size(item.bytes.len() as u64);
        let path = item.target.trim_start_matches('/');
        match &item.content {
            Content::Link(target) => {
                header.set_entry_type(tar::EntryType::Symlink);
                archive.append_link(&mut header, path, target)?;
            }
            Content::File { .. } => {
                header.set_entry_type(tar::EntryType::Regular);
                archive.append_data(&mut header, path, item.bytes.as_slice())?;
            }
        }
    }
    archive.into_inner()
}

/// Whom copied files belong to: whoever runs there, where that is said in numbers.
fn owner(container: &Container) -> User {
    let numbers = container.user.split_once(':');
    let user = numbers.and_then(|(uid, gid)| {
        Some(User {
            uid: uid.parse().ok()?,
            gid: gid.parse().ok()?,
        })
    });
    user.unwrap_or(User { uid: 0, gid: 0 })
}
