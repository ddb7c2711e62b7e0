//! `motif images`.

use clap::Args;
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::engine::{failed, runtime};
use super::inspect::size;
use super::ps::age;
use crate::block;
use crate::engine::Events;
use crate::engine::binary::Binary;
use crate::engine::docker::stored::{Kind, Stored};
use crate::engine::docker::{Docker, Error};
use crate::terminal::{Exit, Failure, Format, Printer, table};

/// Show what motif keeps on the engine: block images, built images, volumes with the binary
#[derive(Debug, Args)]
pub struct ImagesArgs {
    /// Load the block image and fill its volume first, so that the next `up` need not
    #[arg(long)]
    load: bool,
    /// Print for people, or as one JSON document
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    format: Format,
}

/// Shows what is kept.
pub fn run(args: &ImagesArgs, host: Option<&str>, printer: Printer) -> Result<Exit, Failure> {
    let stored = runtime()?.block_on(async {
        let docker = Docker::connect(host)
            .await
            .map_err(|error| failed(error.into()))?;
        let binary = Binary::running().map_err(|error| failed(error.into()))?;
        if args.load {
            load(&docker, &binary).await.map_err(failed)?;
        }
        docker.stored(&binary.digest).await.map_err(failed)
    })?;
    match args.format {
        Format::Json => {
            let document = Value::Array(stored.iter().map(document).collect());
            printer.data(format!("{document:#}\n"))?;
        }
        Format::Table => {
            let now = OffsetDateTime::now_utc();
            let rows: Vec<Vec<String>> = stored.iter().map(|stored| row(stored, now)).collect();
            printer.page(table(&["KIND", "NAME", "STACK", "SIZE", "AGE", "USED BY"], &rows))?;
        }
    }
    Ok(Exit::Done)
}

async fn load(docker: &Docker, binary: &Binary) -> Result<(), Error> {
    let events = Events::none();
    docker
        .ensure_block_image(binary, &block::labels(), &events)
        .await?;
    docker.ensure_binary_volume(binary, &events).await?;
    Ok(())
}

fn row(stored: &Stored, now: OffsetDateTime) -> Vec<String> {
    // The block image has no date: the same binary makes the same image everywhere.
    let created = stored
        .created
        .filter(|created| stored.kind != Kind::Blocks && created.unix_timestamp() > 0);
    vec![
        stored.kind.as_str().to_owned(),
        stored.name.clone(),
        stored.stack.clone().unwrap_or_default(),
        stored.size.map(size).unwrap_or_default(),
        created.map(|created| age(now - created)).unwrap_or_default(),
        match stored.users.len() {
            0 if stored.is_superseded => "nothing; superseded".to_owned(),
            0 => "nothing".to_owned(),
            1..=3 => stored.users.join(", "),
            count => format!("{count} containers"),
        },
    ]
}

fn document(stored: &Stored) -> Value {
    json!({
        "kind": stored.kind.as_str(),
        "name": stored.name,
        "id": stored.id,
        "stack": stored.stack,
        "size": stored.size,
        "created": stored.created.and_then(|created| created.format(&Rfc3339).ok()),
        "usedBy": stored.users,
        "superseded": stored.is_superseded,
    })
}
