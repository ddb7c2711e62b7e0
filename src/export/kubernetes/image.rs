//! Names the images of builds and blocks for a cluster, and says how they get there.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use super::{At, Context, Error, Options, fields};
use crate::engine::desired::built_image;
use crate::export::shell::quoted;
use crate::stack::{self, Build, Name, Place, SecretSource, Source, Stack};

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
                reference: options.pinned(reference.to_string()),
                pull_policy: None,
            };
        }
        Source::Block(_) => {
            let (reference, making) = block(options);
            (reference, making, &fields::BLOCK, at.field("block"))
        }
        Source::Build(build) => {
            let reference = built(options, context.stack.name(), pod, &container.name);
            let making = build_command(context, &reference, build);
            (reference, making, &fields::BUILD, at.field("build"))
        }
    };
    match context.images.get(&reference) {
        None => {
            let (message, remedy) = match &options.registry {
                Some(registry) => (
                    "has to be in the registry",
                    format!("motif push --registry {registry} --tag {}", options.tag),
                ),
                None => (
                    "has to be on every node, and is never pulled",
                    format!(
                        "{making}kind load docker-image {reference} (or the like); or export with `--registry`"
                    ),
                ),
            };
            // One whose digest is known is there.
            if !options.pins.contains_key(&reference) {
                context.say(row, &at, format!("the image `{reference}` {message}"), remedy);
            }
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
        reference: options.pinned(reference),
        pull_policy: options.registry.is_none().then_some("Never"),
    }
}

/// An image that has to be in a registry before a cluster can run the stack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published<'a> {
    /// Its name there.
    pub reference: String,
    /// What makes it.
    pub origin: Origin<'a>,
}

/// What makes an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin<'a> {
    /// This program.
    Block,
    /// A build.
    Build {
        /// The pod or job that it is for.
        pod: &'a Name,
        /// The container that it is for.
        container: &'a Name,
        /// What to build.
        build: &'a Build,
    },
}

/// The images that have to be in a registry, each once, under the names that an export writes: the builds, and the
/// block image, which a Compose file needs even where no container is a block.
///
/// # Errors
///
/// When two builds would have one name.
pub fn published<'a>(stack: &'a Stack, options: &Options) -> Result<Vec<Published<'a>>, Vec<Error>> {
    let mut found: Vec<(Published<'a>, &Place)> = Vec::new();
    let mut errors = Vec::new();
    for (pod, container) in containers(stack) {
        let Source::Build(build) = &container.source else {
            continue;
        };
        let origin = Origin::Build {
            pod,
            container: &container.name,
            build,
        };
        let reference = built(options, stack.name(), pod, &container.name);
        match found.iter().find(|(known, _)| known.reference == reference) {
            None => found.push((Published { reference, origin }, &container.place)),
            Some((_, other)) => errors.push(Error::Collision {
                kind: "image",
                name: reference,
                place: container.place.clone(),
                other: (*other).clone(),
            }),
        }
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    let block = Published {
        reference: block(options).0,
        origin: Origin::Block,
    };
    let builds = found.into_iter().map(|(published, _)| published);
    Ok(builds.chain([block]).collect())
}

/// The names of all images that an export writes, but those that have a digest already.
pub fn references(stack: &Stack, options: &Options) -> BTreeSet<String> {
    containers(stack)
        .map(|(pod, container)| match &container.source {
            Source::Image(reference) => reference.to_string(),
            Source::Block(_) => block(options).0,
            Source::Build(_) => built(options, stack.name(), pod, &container.name),
        })
        .filter(|reference| !reference.contains('@'))
        .collect()
}

fn containers(stack: &Stack) -> impl Iterator<Item = (&Name, &stack::Container)> {
    let pods = stack.pods().iter().map(|pod| (&pod.name, &pod.spec));
    let jobs = stack.jobs().iter().map(|job| (&job.name, &job.spec));
    pods.chain(jobs)
        .flat_map(|(pod, spec)| spec.containers.iter().map(move |container| (pod, container)))
}

/// Digests of images, by their names.
pub type Pins = BTreeMap<String, String>;

impl Options {
    /// A name with its digest, where that is known.
    fn pinned(&self, reference: String) -> String {
        match self.pins.get(&reference) {
            Some(digest) => format!("{reference}@{digest}"),
            None => reference,
        }
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
    let name = built_image(stack.as_str(), pod.as_str(), container.as_str());
    let name = format!("{name}:{}", options.tag);
    match &options.registry {
        Some(registry) => format!("{registry}/{name}"),
        None => name,
    }
}

/// The command that makes an image of a name, up to the next one.
fn build_command(context: &Context, reference: &str, build: &Build) -> String {
    let mut command = format!("docker build -t {reference}");
    if build.dockerfile != "Dockerfile" {
        let path = format!("{}/{}", build.context.trim_end_matches('/'), build.dockerfile);
        let _ = write!(command, " -f {}", quoted(&context.path(&path)));
    }
    for (name, value) in &build.args {
        let _ = write!(command, " --build-arg {}", quoted(&format!("{name}={value}")));
    }
    if let Some(target) = &build.target {
        let _ = write!(command, " --target {}", quoted(target));
    }
    for (id, secret, key) in &build.secrets {
        let source = match context.stack.secrets().get(secret).map(|secret| &secret.source) {
            Some(SecretSource::Files(files)) => files.get(key).cloned().unwrap_or_default(),
            _ => format!(".motif/secrets/{secret}/{key}"),
        };
        let source = context.path(&source);
        let _ = write!(command, " --secret {}", quoted(&format!("id={id},src={source}")));
    }
    if let Some(platform) = &build.platform {
        let _ = write!(command, " --platform {}", quoted(platform));
    }
    let _ = write!(command, " {} && ", quoted(&context.path(&build.context)));
    command
}
