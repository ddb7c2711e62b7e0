//! Makes volumes and writes their files, through a container that never starts.

use std::collections::{BTreeSet, HashMap};

use bollard::models::{
    ContainerCreateBody, HostConfig, Mount, MountType, MountVolumeOptions, MountVolumeOptionsDriverConfig,
};
use bollard::query_parameters::{
    CreateContainerOptionsBuilder, RemoveContainerOptionsBuilder, StartContainerOptions,
    UploadToContainerOptionsBuilder, WaitContainerOptions,
};

use futures_util::StreamExt;

use super::create::Context;
use super::{Docker, Error, Intent};
use crate::engine::desired::{Content, Volume, hex};
use crate::engine::labels::{self, Labels, Role};
use crate::engine::plan::{VolumeAction, VolumeStep};
use crate::engine::secrets::Secrets;
use crate::stack::User;

/// The link, in a secret's volume, to the folder of its current files; Kubernetes' layout.
pub const CURRENT: &str = "..data";
/// The link to the folder of the files to come; the block `swap` makes them current.
const NEXT: &str = "..next";
const ROOT: User = User { uid: 0, gid: 0 };

/// A mount that makes its volume, with our labels, where it doesn't exist.
pub fn volume_mount(stack: &str, name: &str, volume: &Volume, path: &str, read_only: bool) -> Mount {
    let driver_config = match &volume.content {
        Content::Tmpfs { size } => {
            let size = size.map(|size| format!("size={size},")).unwrap_or_default();
            let options = [("type", "tmpfs"), ("device", "tmpfs")]
                .map(|(key, value)| (key.to_owned(), value.to_owned()));
            Some(MountVolumeOptionsDriverConfig {
                name: Some("local".to_owned()),
                options: Some(
                    options
                        .into_iter()
                        .chain([("o".to_owned(), format!("{size}mode=1777"))])
                        .collect(),
                ),
            })
        }
        _ => None,
    };
    let labels = [
        (labels::STACK, stack),
        (labels::POD, &volume.pod),
        (labels::VOLUME, &volume.name),
        (labels::KIND, volume.content.kind()),
        (labels::COMPOSE_PROJECT, stack),
    ];
    Mount {
        typ: Some(MountType::VOLUME),
        source: Some(name.to_owned()),
        target: Some(path.to_owned()),
        read_only: Some(read_only),
        volume_options: Some(MountVolumeOptions {
            // As in Kubernetes, what the image has at the path is hidden.
            no_copy: Some(true),
            labels: Some(
                labels
                    .into_iter()
                    .map(|(key, value)| (key.to_owned(), value.to_owned()))
                    .collect(),
            ),
            driver_config,
            subpath: None,
        }),
        ..Mount::default()
    }
}

impl Docker {
    /// Makes and fills volumes: one container, one upload for all of them.
    ///
    /// The container starts only where files have to be replaced under their readers.
    pub async fn prepare_volumes(
        &self,
        steps: &[VolumeStep],
        block_image: &str,
        context: &Context<'_>,
    ) -> Result<(), Error> {
        let stack = &context.desired.stack;
        let volumes: Vec<(&VolumeStep, &Volume, String)> = steps
            .iter()
            .filter_map(|step| Some((step, context.desired.volumes.get(&step.name)?)))
            .enumerate()
            .map(|(index, (step, volume))| (step, volume, format!("volumes/{index}")))
            .collect();
        if volumes.is_empty() {
            return Ok(());
        }
        let refreshed = volumes
            .iter()
            .filter(|(step, ..)| step.action == VolumeAction::Refresh);
        let refreshed: Vec<String> = refreshed.map(|(.., path)| format!("/{path}")).collect();
        let mounts = volumes
            .iter()
            .map(|(step, volume, path)| volume_mount(stack, &step.name, volume, &format!("/{path}"), false));
        let name = format!("{stack}.carrier");
        let body = carrier(stack, block_image, &refreshed, mounts.collect());
        let options = CreateContainerOptionsBuilder::default().name(&name).build();
        let made = self.client.create_container(Some(options), body).await;
        let carrier = made
            .intent(|| format!("create container `{name}`, which fills volumes"))?
            .id;
        let mut archive = tar::Builder::new(Vec::new());
        for (step, volume, path) in &volumes {
            match (step.action, &volume.content) {
                (VolumeAction::Refresh, Content::Secret(secret)) => {
                    let linked = self.linked_keys(&carrier, path, secret, context.secrets).await;
                    write_secret(&mut archive, volume, path, secret, Some(&linked), context.secrets)?;
                }
                _ => write_volume(&mut archive, volume, path, context.secrets)?,
            }
        }
        let bytes = archive.into_inner()?;
        let options = UploadToContainerOptionsBuilder::default().path("/").build();
        let body = bollard::body_full(bytes.into());
        let uploaded = self
            .client
            .upload_to_container(&carrier, Some(options), body)
            .await;
        uploaded.intent(|| "write files into volumes".to_owned())?;
        if !refreshed.is_empty() {
            self.swap(&carrier).await?;
        }
        let options = RemoveContainerOptionsBuilder::default().force(true).build();
        let removed = self.client.remove_container(&carrier, Some(options)).await;
        removed.intent(|| format!("remove container `{name}`"))
    }

    /// Runs the carrier: it makes the files that were laid down the current ones.
    async fn swap(&self, carrier: &str) -> Result<(), Error> {
        let intent = || "replace the files of secrets".to_owned();
        let started = self
            .client
            .start_container(carrier, None::<StartContainerOptions>)
            .await;
        started.intent(intent)?;
        let mut ended = self.client.wait_container(carrier, None::<WaitContainerOptions>);
        while let Some(answer) = ended.next().await {
            answer.intent(intent)?;
        }
        Ok(())
    }

    /// The keys of a secret that have their link already.
    async fn linked_keys(
        &self,
        carrier: &str,
        path: &str,
        secret: &str,
        secrets: &Secrets,
    ) -> BTreeSet<String> {
        let mut linked = BTreeSet::new();
        for (key, _) in secrets.files(secret) {
            let target = self.link_target(carrier, &format!("/{path}/{key}")).await;
            if target.is_some_and(|target| !target.is_empty()) {
                linked.insert(key.to_owned());
            }
        }
        linked
    }
}

/// The container that carries files into volumes.
fn carrier(stack: &str, block_image: &str, refreshed: &[String], mounts: Vec<Mount>) -> ContainerCreateBody {
    let labels = Labels {
        stack: stack.to_owned(),
        pod: "carrier".to_owned(),
        replica: 0,
        container: String::new(),
        role: Role::Carrier,
        position: 0,
        hash: String::new(),
        due: None,
        index: None,
        after: Vec::new(),
    };
    let command = std::iter::once("swap".to_owned()).chain(refreshed.iter().cloned());
    ContainerCreateBody {
        image: Some(block_image.to_owned()),
        labels: Some(labels.write().into_iter().collect::<HashMap<_, _>>()),
        cmd: Some(command.collect()),
        // The files belong to whoever reads them; root alone may replace them all.
        user: Some("0:0".to_owned()),
        host_config: Some(HostConfig {
            network_mode: Some("none".to_owned()),
            mounts: Some(mounts),
            cap_drop: Some(vec!["ALL".to_owned()]),
            cap_add: Some(vec!["DAC_OVERRIDE".to_owned()]),
            security_opt: Some(vec!["no-new-privileges:true".to_owned()]),
            ..HostConfig::default()
        }),
        ..ContainerCreateBody::default()
    }
}

/// Writes what a volume holds at the start.
fn write_volume(
    archive: &mut tar::Builder<Vec<u8>>,
    volume: &Volume,
    path: &str,
    secrets: &Secrets,
) -> std::io::Result<()> {
    let owner = volume.owner.unwrap_or(ROOT);
    match &volume.content {
        // Whoever writes into it, as into Kubernetes' emptyDir.
        Content::Empty => folder(archive, path, owner, 0o1777),
        Content::Claim => folder(
            archive,
            path,
            owner,
            if volume.owner.is_some() { 0o770 } else { 0o1777 },
        ),
        Content::Tmpfs { .. } => Ok(()),
        Content::Config(files) => {
            folder(archive, path, owner, 0o755)?;
            files.iter().try_for_each(|(name, content)| {
                file(archive, &format!("{path}/{name}"), content, owner, 0o444)
            })
        }
        Content::Secret(secret) => write_secret(archive, volume, path, secret, None, secrets),
    }
}

/// Writes the files of a secret: as the current ones, or, beside others whose keys are linked, as the next.
fn write_secret(
    archive: &mut tar::Builder<Vec<u8>>,
    volume: &Volume,
    path: &str,
    secret: &str,
    linked: Option<&BTreeSet<String>>,
    secrets: &Secrets,
) -> std::io::Result<()> {
    let owner = volume.owner.unwrap_or(ROOT);
    let salt = hex(&fastrand::u64(..).to_be_bytes());
    let files = format!("..{salt}.{}", secrets.digest(secret, &salt));
    // Users that differ all have to read it; outside the pod nobody can reach it.
    let mode = if volume.owner.is_some() { 0o400 } else { 0o444 };
    if linked.is_none() {
        folder(archive, path, owner, 0o755)?;
    }
    folder(archive, &format!("{path}/{files}"), owner, 0o755)?;
    for (key, value) in secrets.files(secret) {
        file(archive, &format!("{path}/{files}/{key}"), value, owner, mode)?;
    }
    let name = if linked.is_some() { NEXT } else { CURRENT };
    link(archive, &format!("{path}/{name}"), &files, owner)?;
    for (key, _) in secrets.files(secret) {
        if !linked.is_some_and(|linked| linked.contains(key)) {
            link(
                archive,
                &format!("{path}/{key}"),
                &format!("{CURRENT}/{key}"),
                owner,
            )?;
        }
    }
    Ok(())
}

fn header(kind: tar::EntryType, owner: User, mode: u32, size: usize) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(kind);
    header.set_uid(u64::from(owner.uid));
    header.set_gid(u64::from(owner.gid));
    header.set_mode(mode);
    header.set_size(size as u64);
    header
}

fn folder(archive: &mut tar::Builder<Vec<u8>>, path: &str, owner: User, mode: u32) -> std::io::Result<()> {
    let mut header = header(tar::EntryType::Directory, owner, mode, 0);
    archive.append_data(&mut header, format!("{path}/"), std::io::empty())
}

fn file(
    archive: &mut tar::Builder<Vec<u8>>,
    path: &str,
    content: &[u8],
    owner: User,
    mode: u32,
) -> std::io::Result<()> {
    let mut header = header(tar::EntryType::Regular, owner, mode, content.len());
    archive.append_data(&mut header, path, content)
}

fn link(archive: &mut tar::Builder<Vec<u8>>, path: &str, target: &str, owner: User) -> std::io::Result<()> {
    let mut header = header(tar::EntryType::Symlink, owner, 0o777, 0);
    archive.append_link(&mut header, path, target)
}
