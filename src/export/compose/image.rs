//! Names the images, and says how Compose builds them.

use std::collections::BTreeMap;

use super::document::{Build, FileMount, Ordered, Secret};
use super::text::Text;
use super::{Context, Options, specs};
use crate::engine::desired;
use crate::stack::{self, Name, SecretSource, Source, Stack};

/// Stands for the user of an image that nobody has looked at: it is neither root nor a number.
const UNKNOWN: &str = "unknown";

/// The images of all containers that are no blocks, by pod and container.
pub fn images(stack: &Stack, options: &Options) -> BTreeMap<(Name, Name), desired::Image> {
    let containers =
        specs(stack).flat_map(|(pod, spec)| spec.containers.iter().map(move |container| (pod, container)));
    containers
        .filter_map(|(pod, container)| {
            let name = match &container.source {
                Source::Image(reference) => reference.to_string(),
                Source::Build(_) => {
                    let name = format!("{}-{pod}-{}:{}", stack.name(), container.name, options.tag);
                    in_registry(options, &name)
                }
                Source::Block(_) => return None,
            };
            let image = desired::Image {
                name: options.pinned(name),
                user: UNKNOWN.to_owned(),
                ..desired::Image::default()
            };
            Some(((pod.clone(), container.name.clone()), image))
        })
        .collect()
}

/// The block image's name. In a registry its tag is the version: one name for the images of several processors.
pub fn block(options: &Options) -> String {
    match &options.registry {
        Some(_) => options.pinned(in_registry(options, &format!("motif-block:{}", options.version))),
        None => options.block_image.clone(),
    }
}

fn in_registry(options: &Options, name: &str) -> String {
    match &options.registry {
        Some(registry) => format!("{registry}/{name}"),
        None => name.to_owned(),
    }
}

/// `never`, where no stranger's image of the same name may ever be pulled in the place of one of this machine.
pub fn pull_policy(options: &Options) -> Option<&'static str> {
    options.registry.is_none().then_some("never")
}

/// How an image is built.
pub fn build(context: &Context, build: &stack::Build) -> Build {
    let mut args = Ordered::default();
    for (name, value) in &build.args {
        args.add(name.clone(), Text::literal(value));
    }
    let secrets = build.secrets.iter().map(|(id, secret, key)| FileMount {
        source: format!("{secret}.{key}"),
        target: Text::literal(id),
    });
    Build {
        context: context.path(&build.context),
        dockerfile: (build.dockerfile != "Dockerfile").then(|| Text::literal(&build.dockerfile)),
        args,
        target: build.target.as_ref().map(Text::literal),
        secrets: secrets.collect(),
        platforms: Text::literals(&build.platform),
    }
}

/// The files of the secrets that builds mount, beside others.
pub fn build_secrets(context: &Context, mut secrets: BTreeMap<String, Secret>) -> BTreeMap<String, Secret> {
    let containers = specs(context.stack).flat_map(|(_, spec)| &spec.containers);
    for container in containers {
        let Source::Build(build) = &container.source else {
            continue;
        };
        for (_, secret, key) in &build.secrets {
            let (name, secret) = secret_file(context, secret.as_str(), key);
            secrets.insert(name, secret);
        }
    }
    secrets
}

/// The keys of a secret, each with the path of its file in the project.
pub fn secret_keys(stack: &Stack, secret: &str) -> BTreeMap<String, String> {
    let found = stack.secrets().iter().find(|(name, _)| name.as_str() == secret);
    match found.map(|(_, secret)| &secret.source) {
        Some(SecretSource::Files(files)) => files.clone(),
        Some(SecretSource::Certificate { .. }) => ["tls.crt", "tls.key"]
            .map(|key| (key.to_owned(), format!(".motif/secrets/{secret}/{key}")))
            .into(),
        None => BTreeMap::new(),
    }
}

/// A key of a secret, as the file declares it.
pub fn secret_file(context: &Context, secret: &str, key: &str) -> (String, Secret) {
    let path = secret_keys(context.stack, secret).remove(key).unwrap_or_default();
    let file = context.path(&path);
    (format!("{secret}.{key}"), Secret { file })
}
