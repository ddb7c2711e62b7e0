//! Names the images of builds and blocks for a cluster, and says how they get there.

use std::fmt::Write;

use super::shell::quoted;
use super::{At, Context, Error, Options, fields};
use crate::stack::{self, Build, Name, SecretSource, Source, Stack};

/// An image as a cluster is to get it.
pub struct Image {
    /// Its name.
    pub reference: String,
    /// `Never` for an image that exists on this machine only: no stranger's image of the
    /// same name may ever be pulled in its place.
    pub pull_policy: Option<&'static str>,
}

/// Names a container's image.
pub fn image(context: &mut Context, at: &At, pod: &Name, container: &stack::Container) -> Image {
    let options = context.options;
    let (reference, making, row, at) = match &container.source {
        Source::Image(reference) => {
            return Image {
                reference: reference.to_string(),
                pull_policy: None,
            };
        }
        Source::Block(_) => {
            let (reference, making) = block(options);
            (reference, making, &fields::BLOCK, at.field("block"))
        }
        Source::Build(build) => {
            let reference = built(options, context.stack.name(), pod, &container.name);
            let making = build_command(context.stack, &reference, build);
            (reference, making, &fields::BUILD, at.field("build"))
        }
    };
    match context.images.get(&reference) {
        None => {
            let (message, remedy) = match &options.registry {
                Some(_) => (
                    "has to be in the registry",
                    format!("{making}docker push {reference}"),
                ),
                None => (
                    "has to be on every node, and is never pulled",
                    format!(
                        "{making}kind load docker-image {reference} (or the like); or export with `--registry`"
                    ),
                ),
            };
            context.say(row, &at, format!("the image `{reference}` {message}"), remedy);
            context
                .images
                .insert(reference.clone(), (container.source.clone(), at.place.clone()));
        }
        Some((Source::Build(_), other)) if *other != *at.place => {
            context.errors.push(Error::Collision {
                kind: "image",
                name: reference.clone(),
                place: at.place.clone(),
                other: other.clone(),
            });
        }
        Some(_) => {}
    }
    Image {
        reference,
        pull_policy: options.registry.is_none().then_some("Never"),
    }
}

/// The block image's name, and how to make an image of that name.
///
/// In a registry its tag is the version: one name for the images of several processors.
fn block(options: &Options) -> (String, String) {
    let local = &options.block_image;
    let first = "after the first `motif up`: ";
    match &options.registry {
        Some(registry) => {
            let reference = format!("{registry}/motif-block:{}", options.version);
            let making = format!("{first}docker tag {local} {reference} && ");
            (reference, making)
        }
        None => (local.clone(), first.to_owned()),
    }
}

/// A built image's name.
fn built(options: &Options, stack: &Name, pod: &Name, container: &Name) -> String {
    let name = format!("{stack}-{pod}-{container}:{}", options.tag);
    match &options.registry {
        Some(registry) => format!("{registry}/{name}"),
        None => name,
    }
}

/// The command that makes an image of a name, up to the next one.
fn build_command(stack: &Stack, reference: &str, build: &Build) -> String {
    let mut command = format!("docker build -t {reference}");
    if build.dockerfile != "Dockerfile" {
        let path = format!("{}/{}", build.context.trim_end_matches('/'), build.dockerfile);
        let _ = write!(command, " -f {}", quoted(&path));
    }
    for (name, value) in &build.args {
        let _ = write!(command, " --build-arg {}", quoted(&format!("{name}={value}")));
    }
    if let Some(target) = &build.target {
        let _ = write!(command, " --target {}", quoted(target));
    }
    for (id, secret, key) in &build.secrets {
        let source = match stack.secrets().get(secret).map(|secret| &secret.source) {
            Some(SecretSource::Files(files)) => files.get(key).cloned().unwrap_or_default(),
            _ => format!(".motif/secrets/{secret}/{key}"),
        };
        let _ = write!(command, " --secret {}", quoted(&format!("id={id},src={source}")));
    }
    if let Some(platform) = &build.platform {
        let _ = write!(command, " --platform {}", quoted(platform));
    }
    let _ = write!(command, " {} && ", quoted(&build.context));
    command
}
