//! Turns what motif keeps on the engine between runs, images and volumes with the binary, into a list to look at and to prune.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use bollard::models::{ContainerSummary, ImageSummary};
use bollard::query_parameters::{
    ListContainersOptionsBuilder, ListImagesOptionsBuilder, ListVolumesOptionsBuilder,
    RemoveImageOptionsBuilder, RemoveVolumeOptions,
};
use time::OffsetDateTime;

use super::block_image::PROOF;
use super::{Docker, Error, Intent};
use crate::engine::labels;

/// Something that motif keeps on the engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// What it is.
    pub kind: Kind,
    /// Its name, or its id where it has lost its name.
    pub name: String,
    /// The engine's id; of a volume its name.
    pub id: String,
    /// The stack that it was built for.
    pub stack: Option<String>,
    /// Size in bytes, where the engine says so.
    pub size: Option<u64>,
    /// When it was made.
    pub created: Option<OffsetDateTime>,
    /// The containers that use it.
    pub users: Vec<String>,
    /// Whether it is of no use any more: of another binary, or followed by a newer build.
    pub is_superseded: bool,
}

/// What is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// An image with the blocks.
    Blocks,
    /// An image built for a container of a stack.
    Built,
    /// A volume with the binary.
    Volume,
}

impl Kind {
    /// In a word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Blocks => "blocks",
            Self::Built => "built",
            Self::Volume => "volume",
        }
    }
}

impl Docker {
    /// What motif keeps on the engine, in order. The digest is that of the running binary.
    pub async fn stored(&self, digest: &str) -> Result<Vec<Stored>, Error> {
        let all = ListContainersOptionsBuilder::default().all(true).build();
        let images = |label: &str| {
            let filters = HashMap::from([("label", vec![label.to_owned()])]);
            ListImagesOptionsBuilder::default().filters(&filters).build()
        };
        let volumes = ListVolumesOptionsBuilder::default()
            .filters(&HashMap::from([("label", vec![labels::BINARY])]))
            .build();
        let (containers, blocks, built, volumes) = tokio::join!(
            self.client.list_containers(Some(all)),
            self.client.list_images(Some(images(labels::BINARY))),
            self.client.list_images(Some(images(labels::HASH))),
            self.client.list_volumes(Some(volumes)),
        );
        let containers = containers.intent(|| "list containers".to_owned())?;
        let mut stored = Vec::new();
        for image in blocks.intent(|| "list images".to_owned())? {
            let is_superseded = image
                .labels
                .get(labels::BINARY)
                .is_some_and(|found| found != digest);
            stored.push(of_image(&image, Kind::Blocks, &containers, is_superseded));
        }
        let mut newest = BTreeMap::new();
        let built = built.intent(|| "list images".to_owned())?;
        for image in built
            .iter()
            .filter(|image| image.labels.contains_key(labels::STACK))
        {
            let latest = newest.entry(purpose(image)).or_insert(image.created);
            *latest = image.created.max(*latest);
        }
        for image in built
            .iter()
            .filter(|image| image.labels.contains_key(labels::STACK))
        {
            let is_superseded = newest
                .get(&purpose(image))
                .is_some_and(|newest| image.created < *newest);
            stored.push(of_image(image, Kind::Built, &containers, is_superseded));
        }
        for volume in volumes
            .intent(|| "list volumes".to_owned())?
            .volumes
            .unwrap_or_default()
        {
            let base = volume.name.trim_end_matches(PROOF);
            stored.push(Stored {
                kind: Kind::Volume,
                // The volume that proves another whole goes with it, and only with it.
                users: users(&containers, |container| {
                    container
                        .mounts
                        .iter()
                        .flatten()
                        .any(|mount| mount.name.as_deref() == Some(base))
                }),
                is_superseded: volume
                    .labels
                    .get(labels::BINARY)
                    .is_some_and(|found| found != digest),
                id: volume.name.clone(),
                name: volume.name,
                stack: None,
                size: None,
                created: volume.created_at,
            });
        }
        stored.sort_by(|one, other| (one.kind, &one.name).cmp(&(other.kind, &other.name)));
        Ok(stored)
    }

    /// Removes something that nothing uses; `false` when something began to use it.
    pub async fn forget(&self, stored: &Stored) -> Result<bool, Error> {
        let removed = match stored.kind {
            Kind::Volume => {
                self.client
                    .remove_volume(&stored.id, None::<RemoveVolumeOptions>)
                    .await
            }
            Kind::Blocks | Kind::Built => {
                let options = RemoveImageOptionsBuilder::default().build();
                self.client
                    .remove_image(&stored.name, Some(options), None)
                    .await
                    .map(|_| ())
            }
        };
        match removed {
            Ok(()) | Err(bollard::errors::Error::DockerResponseServerError { status_code: 404, .. }) => {
                Ok(true)
            }
            Err(bollard::errors::Error::DockerResponseServerError { status_code: 409, .. }) => Ok(false),
            Err(error) => Err(error).intent(|| format!("remove `{}`", stored.name)),
        }
    }
}

/// What a built image is for.
fn purpose(image: &ImageSummary) -> Vec<Option<&String>> {
    [labels::STACK, labels::POD, labels::CONTAINER]
        .map(|key| image.labels.get(key))
        .to_vec()
}

fn of_image(
    image: &ImageSummary,
    kind: Kind,
    containers: &[ContainerSummary],
    is_superseded: bool,
) -> Stored {
    let name = image.repo_tags.iter().find(|name| *name != "<none>:<none>");
    Stored {
        kind,
        name: name.unwrap_or(&image.id).clone(),
        id: image.id.clone(),
        stack: image.labels.get(labels::STACK).cloned(),
        size: u64::try_from(image.size).ok(),
        created: OffsetDateTime::from_unix_timestamp(image.created).ok(),
        users: users(containers, |container| {
            container.image_id.as_ref() == Some(&image.id)
        }),
        is_superseded,
    }
}

fn users(containers: &[ContainerSummary], uses: impl Fn(&ContainerSummary) -> bool) -> Vec<String> {
    let names: BTreeSet<String> = containers
        .iter()
        .filter(|container| uses(container))
        .filter_map(|container| {
            Some(
                container
                    .names
                    .as_ref()?
                    .first()?
                    .trim_start_matches('/')
                    .to_owned(),
            )
        })
        .collect();
    names.into_iter().collect()
}
