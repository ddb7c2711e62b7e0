//! `motif prune`.

use clap::Args;
use serde_json::json;

use super::engine::{failed, runtime};
use super::inspect::size;
use crate::engine::binary::Binary;
use crate::engine::docker::Docker;
use crate::engine::docker::block_image::PROOF;
use crate::engine::docker::stored::Stored;
use crate::terminal::{Exit, Failure, Format, Printer};

/// Remove images and volumes of motif that nothing uses any more
///
/// Without --all: what belongs to another version of motif, and builds that a newer one follows.
/// What a container uses stays, and so does everything that motif did not make.
#[derive(Debug, Args)]
pub struct PruneArgs {
    /// Remove everything that no container uses, even what the next `up` would use again
    #[arg(short, long)]
    all: bool,
    /// Print what would be removed, and remove nothing
    #[arg(long)]
    dry_run: bool,
    /// Print for people, or as one JSON document
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    format: Format,
}

/// Removes what is of no use.
pub fn run(args: &PruneArgs, host: Option<&str>, printer: Printer) -> Result<Exit, Failure> {
    let removed = runtime()?.block_on(prune(args, host))?;
    let freed: u64 = removed.iter().filter_map(|stored| stored.size).sum();
    match args.format {
        Format::Json => {
            let names: Vec<&str> = removed.iter().map(|stored| stored.name.as_str()).collect();
            let document = json!({ "removed": names, "bytes": freed, "dryRun": args.dry_run });
            printer.data(format!("{document:#}\n"))?;
        }
        Format::Table => {
            for stored in &removed {
                printer.data(format!("{}\n", stored.name))?;
            }
            printer.status(match (removed.len(), args.dry_run) {
                (0, _) => "nothing to remove".to_owned(),
                // Layers that images share are freed with the last of them.
                (_, true) => format!("would free up to {}", size(freed)),
                (_, false) => format!("freed up to {}", size(freed)),
            });
        }
    }
    Ok(Exit::Done)
}

async fn prune(args: &PruneArgs, host: Option<&str>) -> Result<Vec<Stored>, Failure> {
    let docker = Docker::connect(host)
        .await
        .map_err(|error| failed(error.into()))?;
    let digest = Binary::running().map_err(|error| failed(error.into()))?.digest;
    let mut stored = docker.stored(&digest).await.map_err(failed)?;
    // The proof that a volume is whole goes before the volume.
    stored.sort_by_key(|stored| !stored.name.ends_with(PROOF));
    let mut removed = Vec::new();
    for stored in stored {
        let is_useless = stored.users.is_empty() && (args.all || stored.is_superseded);
        if is_useless && (args.dry_run || docker.forget(&stored).await.map_err(failed)?) {
            removed.push(stored);
        }
    }
    Ok(removed)
}
