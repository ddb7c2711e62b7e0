//! Turns an image's name into what the engine knows of it.

use std::collections::BTreeMap;

use bollard::models::ImageInspect;
use time::OffsetDateTime;

use super::{Docker, Error, Intent};

/// An image, as a person asks about it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Image {
    /// `sha256:…`
    pub id: String,
    /// Its names.
    pub names: Vec<String>,
    /// When it was made.
    pub created: Option<OffsetDateTime>,
    /// Size in bytes.
    pub size: u64,
    /// `linux/amd64`
    pub platform: String,
    /// Whom it runs as; empty is root.
    pub user: String,
    /// The program.
    pub entrypoint: Vec<String>,
    /// Its arguments, or the program where there is no entry point.
    pub command: Vec<String>,
    /// The working directory.
    pub directory: String,
    /// `8080/tcp`
    pub ports: Vec<String>,
    /// The environment, in order.
    pub env: Vec<(String, String)>,
    /// The labels.
    pub labels: BTreeMap<String, String>,
}

impl Docker {
    /// Finds an image on the engine; `None` when it isn't there.
    pub(super) async fn find_image(&self, name: &str) -> Result<Option<ImageInspect>, Error> {
        match self.client.inspect_image(name).await {
            Ok(image) => Ok(Some(image)),
            Err(bollard::errors::Error::DockerResponseServerError { status_code: 404, .. }) => Ok(None),
            Err(error) => Err(error).intent(|| format!("inspect image `{name}`")),
        }
    }

    /// Looks at an image; `None` when it isn't on the engine.
    pub async fn inspect(&self, name: &str) -> Result<Option<Image>, Error> {
        let Some(image) = self.find_image(name).await? else {
            return Ok(None);
        };
        let config = image.config.unwrap_or_default();
        let mut ports = config.exposed_ports.unwrap_or_default();
        ports.sort_by_key(|port| {
            let number = port
                .split('/')
                .next()
                .and_then(|number| number.parse::<u16>().ok());
            (number, port.clone())
        });
        let env = config.env.unwrap_or_default();
        Ok(Some(Image {
            id: image.id.unwrap_or_default(),
            names: image.repo_tags.unwrap_or_default(),
            created: image.created,
            size: image
                .size
                .and_then(|size| u64::try_from(size).ok())
                .unwrap_or_default(),
            platform: format!(
                "{}/{}",
                image.os.unwrap_or_default(),
                image.architecture.unwrap_or_default()
            ),
            user: config.user.unwrap_or_default(),
            entrypoint: config.entrypoint.unwrap_or_default(),
            command: config.cmd.unwrap_or_default(),
            directory: config.working_dir.unwrap_or_default(),
            ports,
            env: env
                .iter()
                .map(|entry| entry.split_once('=').unwrap_or((entry, "")))
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
            labels: config.labels.unwrap_or_default().into_iter().collect(),
        }))
    }
}
