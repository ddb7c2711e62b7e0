//! `motif push`.

use clap::Args;
use serde_json::json;
use time::OffsetDateTime;

use super::engine::{failed, runtime};
use super::export::images::{registry, tag};
use super::stack_args::{LoadedStack, StackArgs};
use super::up::BuilderArg;
use crate::engine::binary::Binary;
use crate::engine::docker::build::{Builder, Order};
use crate::engine::docker::{Docker, Error};
use crate::engine::secrets::{Missing, Secrets};
use crate::engine::{Events, docker};
use crate::export::kubernetes::{Options, Origin, Published, published};
use crate::terminal::{Exit, Failure, Format, Printer, progress};

/// Build the stack's images, and push them and the block image to a registry
///
/// Their names are those that `motif export` writes with the same --registry and --tag.
/// Prints each with its digest. `docker login` says who you are.
#[derive(Debug, Args)]
pub struct PushArgs {
    #[command(flatten)]
    stack: StackArgs,
    /// Push to here, such as `registry.example/team`
    #[arg(long, value_name = "REGISTRY", env = "MOTIF_REGISTRY", value_parser = registry)]
    registry: String,
    /// The tag of built images
    #[arg(long, value_name = "TAG", default_value = "latest", value_parser = tag)]
    tag: String,
    /// Build images although nothing changed
    #[arg(long)]
    build: bool,
    /// What builds images [default: BuildKit where the engine has it]
    #[arg(long, value_name = "BUILDER")]
    builder: Option<BuilderArg>,
    /// Print for people, or as one JSON document
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    format: Format,
}

/// An image in the registry.
struct Pushed {
    reference: String,
    digest: String,
}

/// Pushes the images.
pub fn run(args: &PushArgs, host: Option<&str>, printer: Printer) -> Result<Exit, Failure> {
    let loaded = args.stack.load(printer)?;
    let options = Options {
        registry: Some(args.registry.clone()),
        tag: args.tag.clone(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        ..Options::default()
    };
    let images = published(&loaded.loaded.stack, &options).map_err(super::export::refused)?;
    let pushed = runtime()?.block_on(push(args, &loaded, &images, host, printer))?;
    match args.format {
        Format::Json => {
            let images: Vec<_> = pushed
                .iter()
                .map(|pushed| json!({ "image": pushed.reference, "digest": pushed.digest }))
                .collect();
            printer.data(format!("{:#}\n", json!({ "images": images })))?;
        }
        Format::Table => {
            for pushed in &pushed {
                printer.data(format!("{}@{}\n", pushed.reference, pushed.digest))?;
            }
        }
    }
    Ok(Exit::Done)
}

async fn push(
    args: &PushArgs,
    loaded: &LoadedStack,
    images: &[Published<'_>],
    host: Option<&str>,
    printer: Printer,
) -> Result<Vec<Pushed>, Failure> {
    let docker = Docker::connect(host)
        .await
        .map_err(|error| failed(error.into()))?;
    let (events, receiver) = Events::channel();
    let shown = tokio::spawn(progress::show(receiver, printer));
    let pushed = push_all(args, loaded, images, &docker, &events).await;
    // The last sender: what is left to show is shown before anything else is said.
    drop(events);
    let _ = shown.await;
    pushed.map_err(failed)
}

/// All images are made before the first is pushed: a build that fails leaves the registry as it was.
async fn push_all(
    args: &PushArgs,
    loaded: &LoadedStack,
    images: &[Published<'_>],
    docker: &Docker,
    events: &Events,
) -> Result<Vec<Pushed>, Error> {
    let stack = &loaded.loaded.stack;
    let now = OffsetDateTime::now_utc();
    let secrets = Secrets::load(stack, &loaded.folder, now, Missing::Make).map_err(Error::from)?;
    let mut made: Vec<docker::ImageId> = Vec::new();
    for image in images {
        made.push(match image.origin {
            Origin::Block => {
                let labels = crate::block::labels();
                docker
                    .ensure_block_image(&Binary::running()?, &labels, events)
                    .await?
            }
            Origin::Build {
                pod,
                container,
                build,
            } => {
                let order = Order {
                    project: &loaded.folder,
                    stack: stack.name().as_str(),
                    pod: pod.as_str(),
                    container: container.as_str(),
                    build,
                    secrets: &secrets,
                    builder: args.builder.map(Builder::from),
                    afresh: args.build,
                };
                docker.ensure_built(order, events).await?.id
            }
        });
    }
    let mut pushed = Vec::new();
    for (image, id) in images.iter().zip(&made) {
        let digest = docker.push(&id.0, &image.reference, events).await?;
        pushed.push(Pushed {
            reference: image.reference.clone(),
            digest,
        });
    }
    Ok(pushed)
}
