//! Turns the running binary into an image and a volume on the engine, once for each binary.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use bollard::models::{
    ContainerCreateBody, HostConfig, Mount, MountType, MountVolumeOptions, VolumeCreateRequest,
};
use bollard::query_parameters::{
    ContainerArchiveInfoOptionsBuilder, CreateContainerOptionsBuilder, ImportImageOptionsBuilder,
    ListVolumesOptionsBuilder, RemoveContainerOptionsBuilder, RemoveVolumeOptions,
};
use futures_util::TryStreamExt;
use sha2::{Digest, Sha256};
use tokio::time::{Instant, sleep};

use super::{Docker, Error, ImageId, Intent};
use crate::engine::binary::Binary;
use crate::engine::desired::{self, hex};
use crate::engine::labels;
use crate::engine::{Events, Work};

/// Ends the name of the empty volume that proves another one whole.
pub const PROOF: &str = "-whole";
/// Whom the block image runs as.
const USER: &str = "65532:65532";

/// How long another `motif` may take to fill the volume before this one gives up.
const PATIENCE: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(30);

impl Docker {
    /// Makes sure that the block image is on the engine: the binary alone in an empty image.
    ///
    /// It is loaded, not built: 0.1 s instead of 0.4 s, nothing is left in the build cache, and the
    /// same binary makes the same image everywhere.
    pub async fn ensure_block_image(
        &self,
        binary: &Binary,
        labels: &BTreeMap<String, String>,
        events: &Events,
    ) -> Result<ImageId, Error> {
        let name = binary.image();
        if let Some(image) = self.find_image(&name).await? {
            let digest = image
                .config
                .and_then(|config| config.labels?.remove(labels::BINARY));
            if let (Some(id), true) = (image.id, digest.as_deref() == Some(&binary.digest)) {
                return Ok(ImageId(id));
            }
        }
        let work = Work::Image(name.clone());
        events.started(&work);
        let loaded = self.load_block_image(binary, labels).await;
        match &loaded {
            Ok(_) => events.finished(&work, "loaded"),
            Err(_) => events.failed(&work),
        }
        loaded
    }

    async fn load_block_image(
        &self,
        binary: &Binary,
        labels: &BTreeMap<String, String>,
    ) -> Result<ImageId, Error> {
        let name = binary.image();
        let version = self
            .client
            .version()
            .await
            .intent(|| "ask the engine for its version".to_owned())?;
        let architecture = version.arch.unwrap_or_default();
        let system = version.os.unwrap_or_default();
        if architecture != binary.architecture || system != "linux" {
            return Err(Error::OtherPlatform {
                engine: format!("{system}/{architecture}"),
                binary: format!("linux/{}", binary.architecture),
            });
        }
        let archive = {
            let (binary, labels) = (binary.clone(), labels.clone());
            // Reading and hashing some megabytes would hold up everything else on this thread.
            tokio::task::spawn_blocking(move || image_archive(&binary, &labels))
                .await
                .expect("the archive's making does not panic")?
        };
        let options = ImportImageOptionsBuilder::default().quiet(true).build();
        self.client
            .import_image(options, bollard::body_full(archive.into()), None)
            .try_collect::<Vec<_>>()
            .await
            .intent(|| format!("load the block image `{name}`"))?;
        let image = self.find_image(&name).await?;
        image
            .and_then(|image| image.id)
            .map(ImageId)
            .ok_or(Error::Vanished {
                what: format!("image `{name}`"),
            })
    }

    /// Makes sure that the volume with the binary is on the engine and whole, and says its name.
    /// The block image must be there.
    ///
    /// The engine copies an image's folder into an empty volume when it creates a container that
    /// mounts it. That copy may be cut off, and two may run at once, so a second, empty volume is
    /// made only when the first was seen to be whole: it is the proof. The container's name is the lock.
    pub async fn ensure_binary_volume(&self, binary: &Binary, events: &Events) -> Result<String, Error> {
        let volume = binary.volume();
        let proof = format!("{volume}{PROOF}");
        if self.has_volumes(binary, &[&volume, &proof]).await? {
            return Ok(volume);
        }
        let work = Work::Volume(volume.clone());
        events.started(&work);
        let filled = self.fill_binary_volume(binary, &volume, &proof).await;
        match &filled {
            Ok(()) => events.finished(&work, "filled"),
            Err(_) => events.failed(&work),
        }
        filled.map(|()| volume)
    }

    /// Whether all these volumes are there and belong to this binary.
    async fn has_volumes(&self, binary: &Binary, names: &[&str]) -> Result<bool, Error> {
        let filter = format!("{}={}", labels::BINARY, binary.digest);
        let options = ListVolumesOptionsBuilder::default()
            .filters(&HashMap::from([("label", vec![filter])]))
            .build();
        let found = self
            .client
            .list_volumes(Some(options))
            .await
            .intent(|| "list volumes".to_owned())?;
        let found = found.volumes.unwrap_or_default();
        Ok(names
            .iter()
            .all(|name| found.iter().any(|volume| volume.name == *name)))
    }

    async fn fill_binary_volume(&self, binary: &Binary, volume: &str, proof: &str) -> Result<(), Error> {
        let carrier = format!("{volume}-carrier");
        let deadline = Instant::now() + PATIENCE;
        let mut stale = None;
        loop {
            if self.has_volumes(binary, &[volume, proof]).await? {
                return Ok(());
            }
            if Instant::now() > deadline {
                return Err(Error::HalfMade {
                    volume: volume.to_owned(),
                });
            }
            // A proof without its volume would prove whatever is half-way there next.
            if !self.has_volumes(binary, &[volume]).await? {
                self.remove_unused_volume(proof).await?;
            }
            // A container with this name whose state can be asked has been created wholly, copy included.
            let id = match self.create_carrier(binary, volume, &carrier).await {
                Ok(id) => id,
                Err(error) if error.status() == Some(409) => {
                    let Some(id) = self.find_container(&carrier).await? else {
                        sleep(PAUSE).await;
                        continue;
                    };
                    id
                }
                Err(error) => return Err(error),
            };
            let Some(is_whole) = self.carries(&id, binary.size).await? else {
                sleep(PAUSE).await;
                continue;
            };
            if is_whole {
                let request = VolumeCreateRequest {
                    name: Some(proof.to_owned()),
                    labels: Some(volume_labels(binary)),
                    ..Default::default()
                };
                self.client
                    .create_volume(request)
                    .await
                    .intent(|| format!("create volume `{proof}`"))?;
                self.remove_carrier(&id).await?;
                // A volume that stood there before without our label could not be found again.
                if self.has_volumes(binary, &[volume, proof]).await? {
                    return Ok(());
                }
            } else {
                self.remove_carrier(&id).await?;
            }
            // Cut off half-way, or made by somebody else: away with it, and again. When it is in
            // use, another `motif` may just have made it anew; a second look tells.
            for name in [proof, volume] {
                if !self.remove_unused_volume(name).await? {
                    stale.get_or_insert(Instant::now());
                    sleep(PAUSE).await;
                }
            }
            if stale.is_some_and(|since| since.elapsed() > Duration::from_secs(3)) {
                return Err(Error::HalfMade {
                    volume: volume.to_owned(),
                });
            }
        }
    }

    async fn create_carrier(&self, binary: &Binary, volume: &str, carrier: &str) -> Result<String, Error> {
        let mount = Mount {
            target: Some(desired::BINARY_FOLDER.to_owned()),
            source: Some(volume.to_owned()),
            typ: Some(MountType::VOLUME),
            volume_options: Some(MountVolumeOptions {
                labels: Some(volume_labels(binary)),
                ..Default::default()
            }),
            ..Default::default()
        };
        let body = ContainerCreateBody {
            image: Some(binary.image()),
            labels: Some(volume_labels(binary)),
            host_config: Some(HostConfig {
                mounts: Some(vec![mount]),
                network_mode: Some("none".to_owned()),
                ..Default::default()
            }),
            ..Default::default()
        };
        let options = CreateContainerOptionsBuilder::default().name(carrier).build();
        let created = self
            .client
            .create_container(Some(options), body)
            .await
            .intent(|| format!("fill the volume `{volume}`"))?;
        Ok(created.id)
    }

    /// Removes a volume, where it is; `false` when it is in use.
    async fn remove_unused_volume(&self, name: &str) -> Result<bool, Error> {
        match self.client.remove_volume(name, None::<RemoveVolumeOptions>).await {
            Ok(()) | Err(bollard::errors::Error::DockerResponseServerError { status_code: 404, .. }) => {
                Ok(true)
            }
            Err(bollard::errors::Error::DockerResponseServerError { status_code: 409, .. }) => Ok(false),
            Err(error) => Err(error).intent(|| format!("remove volume `{name}`")),
        }
    }

    async fn find_container(&self, name: &str) -> Result<Option<String>, Error> {
        match self.client.inspect_container(name, None).await {
            Ok(container) => Ok(container.id),
            Err(bollard::errors::Error::DockerResponseServerError { status_code: 404, .. }) => Ok(None),
            Err(error) => Err(error).intent(|| format!("inspect container `{name}`")),
        }
    }

    /// Whether the volume behind this container holds the whole binary; `None` when the container
    /// goes, which another `motif` saw to.
    async fn carries(&self, id: &str, size: u64) -> Result<Option<bool>, Error> {
        let options = ContainerArchiveInfoOptionsBuilder::default()
            .path(desired::BINARY)
            .build();
        match self.client.get_container_archive_info(id, Some(options)).await {
            Ok(found) => Ok(Some(u64::try_from(found.size).ok() == Some(size))),
            // The answer has no text: whether the file isn't there or the container, only the container knows.
            Err(error) => match (error, self.find_container(id).await?) {
                (_, None) => Ok(None),
                (bollard::errors::Error::DockerResponseServerError { status_code: 404, .. }, _) => {
                    Ok(Some(false))
                }
                (bollard::errors::Error::DockerResponseServerError { .. }, _) => Ok(None),
                (error, _) => Err(error).intent(|| "look into the volume with the binary".to_owned()),
            },
        }
    }

    async fn remove_carrier(&self, id: &str) -> Result<(), Error> {
        let options = RemoveContainerOptionsBuilder::default().force(true).build();
        match self.client.remove_container(id, Some(options)).await {
            Ok(())
            // Gone, or going: another `motif` was faster.
            | Err(bollard::errors::Error::DockerResponseServerError { status_code: 404 | 409, .. }) => Ok(()),
            Err(error) => Err(error).intent(|| "remove the container that filled the volume with the binary".to_owned()),
        }
    }
}

fn volume_labels(binary: &Binary) -> HashMap<String, String> {
    HashMap::from([
        (labels::BINARY.to_owned(), binary.digest.clone()),
        (labels::KIND.to_owned(), "binary".to_owned()),
    ])
}

/// The image as `docker save` would write it: one layer with one file.
fn image_archive(binary: &Binary, labels: &BTreeMap<String, String>) -> Result<Vec<u8>, Error> {
    let program = binary.read()?;
    let mut layer = tar::Builder::new(Vec::with_capacity(program.len() + 8192));
    let whole = "memory takes every write";
    let mut folder = header(tar::EntryType::Directory, 0o755, 0);
    layer.append_data(&mut folder, ".motif", &[][..]).expect(whole);
    let mut file = header(tar::EntryType::Regular, 0o555, program.len());
    layer
        .append_data(&mut file, ".motif/motif", &program[..])
        .expect(whole);
    let layer = layer.into_inner().expect(whole);

    let mut labels = labels.clone();
    labels.insert(labels::BINARY.to_owned(), binary.digest.clone());
    let config = serde_json::json!({
        "architecture": binary.architecture,
        "os": "linux",
        // Not the time of loading: the same binary makes the same image everywhere.
        "created": "1970-01-01T00:00:00Z",
        "config": {
            "User": USER,
            "Entrypoint": [desired::BINARY, "block"],
            "WorkingDir": "/",
            "Labels": labels,
        },
        "rootfs": { "type": "layers", "diff_ids": [format!("sha256:{}", hex(&Sha256::digest(&layer)))] },
        "history": [{ "created": "1970-01-01T00:00:00Z", "created_by": "motif" }],
    })
    .to_string();
    let config_name = format!("{}.json", hex(&Sha256::digest(config.as_bytes())));
    let manifest = serde_json::json!([
        { "Config": config_name, "RepoTags": [binary.image()], "Layers": ["layer.tar"] }
    ])
    .to_string();

    let mut archive = tar::Builder::new(Vec::with_capacity(layer.len() + config.len() + 8192));
    for (name, bytes) in [
        ("manifest.json", manifest.as_bytes()),
        (&config_name, config.as_bytes()),
        ("layer.tar", &layer),
    ] {
        let mut header = header(tar::EntryType::Regular, 0o444, bytes.len());
        archive.append_data(&mut header, name, bytes).expect(whole);
    }
    Ok(archive.into_inner().expect(whole))
}

/// A header without time and owner.
fn header(kind: tar::EntryType, mode: u32, size: usize) -> tar::Header {
    let mut header = tar::Header::new_ustar();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_mtime(0);
    header.set_uid(0);
    header.set_gid(0);
    header.set_size(size as u64);
    header
}
