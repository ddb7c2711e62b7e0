//! `--pin`: asks registries for the digests of the images that an export names.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::{StreamExt, TryStreamExt, stream};

use crate::commands::engine::{failed, runtime};
use crate::engine::docker::Docker;
use crate::terminal::Failure;

/// How many images are asked for at once.
const AT_ONCE: usize = 8;

/// The digest of each image, by its name.
pub fn digests(
    references: &BTreeSet<String>,
    host: Option<&str>,
) -> Result<BTreeMap<String, String>, Failure> {
    runtime()?.block_on(async {
        let docker = Docker::connect(host)
            .await
            .map_err(|error| failed(error.into()))?;
        let asked = references.iter().map(async |reference| {
            let digest = docker.digest(reference).await?;
            Ok((reference.clone(), digest))
        });
        stream::iter(asked)
            .buffered(AT_ONCE)
            .try_collect()
            .await
            .map_err(failed)
    })
}
