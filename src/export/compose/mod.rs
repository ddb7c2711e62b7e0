//! Turns a stack into one Compose file, which runs it as `motif up` does.
//!
//! What should be is asked of the engine's own plan of a stack, so that the two can't differ.

mod differences;
mod document;
mod fields;
mod image;
mod order;
mod origin;
mod service;
#[cfg(test)]
mod tests;
mod text;
mod unit;
mod volume;

use std::collections::{BTreeMap, BTreeSet};

use super::mark::header;
use super::{Field, Report, ReportLine};
use crate::engine::desired::{self, Surroundings, desire};
use crate::stack::{EnvValue, Name, Place, PodSpec, Stack};
use crate::yaml;
use document::{Document, Ordered, Service};
#[cfg(test)]
pub use fields::FIELDS;
pub use origin::{is_own_mount, program, question};
use text::Text;
use unit::{Unit, units};

/// What an export leaves open in the stack.
#[derive(Debug, Clone)]
pub struct Options {
    /// The way from the folder of the file to the folder of the stack: `.`, `../shop`.
    pub folder: String,
    /// Where built and block images are pulled from: `registry.example/team`.
    pub registry: Option<String>,
    /// The tag of built images.
    pub tag: String,
    /// The block image's name on this machine.
    pub block_image: String,
    /// The version of this program: the tag of its block image in a registry.
    pub version: String,
    /// Digests that images are pinned to, by their names.
    pub pins: BTreeMap<String, String>,
}

impl Options {
    /// A name with its digest, where that is known.
    fn pinned(&self, name: String) -> String {
        match self.pins.get(&name) {
            Some(digest) => format!("{name}@{digest}"),
            None => name,
        }
    }
}

/// The Compose file of a stack, and what to know of it.
#[derive(Debug, Clone)]
pub struct Export {
    stack: Name,
    document: Document,
    /// What isn't kept, and what is left to do.
    pub report: Report,
}

impl Export {
    /// The file.
    pub fn text(&self) -> Result<String, yaml::Error> {
        Ok(header(&self.stack) + &yaml::to_string(&self.document)?)
    }
}

/// The names of all images that the file has, but those that have a digest already.
pub fn references(stack: &Stack, options: &Options) -> BTreeSet<String> {
    let images = image::images(stack, options);
    let names = images.into_values().map(|image| image.name);
    names
        .chain([image::block(options)])
        .filter(|name| !name.contains('@'))
        .collect()
}

/// Turns a stack into a Compose file, or says everything that Compose couldn't run.
pub fn export(stack: &Stack, options: &Options) -> Result<Export, Vec<desired::Error>> {
    let images = image::images(stack, options);
    let block = desired::Image {
        name: image::block(options),
        entrypoint: [desired::BINARY, "block"].map(str::to_owned).to_vec(),
        ..desired::Image::default()
    };
    let surroundings = Surroundings {
        images: &images,
        block_image: &block,
        watches: false,
        knows_programs: false,
        scale: &BTreeMap::new(),
    };
    let desired = desire(stack, &surroundings)?;
    let (units, volumes) = units(stack, &surroundings, desired);
    let containers = units.iter().flat_map(Unit::services);
    let names = containers.map(|(_, container)| container.name.clone());
    let errors: Vec<_> = desired::clashes("containers", names).collect();
    if !errors.is_empty() {
        return Err(errors);
    }
    let mut context = Context {
        stack,
        options,
        report: Report::default(),
        variables: variables(stack),
    };
    let files = volume::Files::new(&context, &volumes);
    let mut services: Vec<(String, Service)> = Vec::new();
    for unit in &units {
        services.extend(order::gates_and_services(&context, unit, &units));
    }
    let needs_binary = services.iter().any(|(_, service)| service::has_binary(service));
    if let Some(service) = files.service(&context, needs_binary) {
        services.insert(0, (volume::SERVICE.to_owned(), service));
    }
    services.extend(order::last(&context, &services));
    let block = Text::literal(&block.name);
    let needs_block_image = services
        .iter()
        .any(|(_, service)| service.image.as_ref() == Some(&block));
    differences::say(&mut context, needs_block_image);
    Ok(Export {
        stack: stack.name().clone(),
        document: Document {
            name: Text::literal(stack.name().as_str()),
            services: Ordered(services),
            configs: files.configs,
            secrets: image::build_secrets(&context, files.secrets),
            volumes: volume::declared(&context, &volumes, needs_binary),
            rest: origin::rest(&context),
        },
        report: context.report.sorted(),
    })
}

/// What the parts of an export read, and what they find out on the way.
struct Context<'a> {
    stack: &'a Stack,
    options: &'a Options,
    report: Report,
    /// The variable of the shell for each secret and key that is the value of an environment variable.
    variables: BTreeMap<(&'a str, &'a str), String>,
}

impl Context<'_> {
    /// Says what became of a field.
    fn say(&mut self, row: &Field, path: String, place: &Place, message: String, remedy: impl Into<String>) {
        self.report.push(ReportLine {
            path,
            place: place.clone(),
            row: *row,
            message,
            remedy: remedy.into(),
        });
    }

    /// A name in the file: Compose puts the project's in front of it.
    fn own_name(&self, name: &str) -> String {
        let prefix = format!("{}-", self.stack.name());
        name.strip_prefix(&prefix).unwrap_or(name).to_owned()
    }

    /// A path of the stack, from the folder of the file.
    fn path(&self, path: &str) -> Text {
        Text::literal(self.written(path))
    }

    /// The same, as a command has it that is run there.
    fn typed(&self, path: &str) -> String {
        if self.options.folder == "." {
            path.to_owned()
        } else {
            self.written(path)
        }
    }

    /// The same, not yet a text of the file.
    fn written(&self, path: &str) -> String {
        match path {
            "." => self.options.folder.clone(),
            _ => format!("{}/{path}", self.options.folder),
        }
    }
}

/// Every pod and job: its name, and its containers and volumes.
fn specs(stack: &Stack) -> impl Iterator<Item = (&Name, &PodSpec)> {
    let pods = stack.pods().iter().map(|pod| (&pod.name, &pod.spec));
    pods.chain(stack.jobs().iter().map(|job| (&job.name, &job.spec)))
}

/// Names for the values of secrets that are environment variables: `DB_PASSWORD`.
fn variables(stack: &Stack) -> BTreeMap<(&str, &str), String> {
    let values =
        specs(stack).flat_map(|(_, spec)| spec.containers.iter().flat_map(|container| &container.env));
    let keys: BTreeSet<(&str, &str)> = values
        .filter_map(|(_, value)| match value {
            EnvValue::Secret { secret, key } => Some((secret.as_str(), key.as_str())),
            EnvValue::Text(_) => None,
        })
        .collect();
    let mut taken = BTreeSet::new();
    keys.into_iter()
        .map(|(secret, key)| {
            let plain = |character: char| match character {
                'a'..='z' | 'A'..='Z' | '0'..='9' => character.to_ascii_uppercase(),
                _ => '_',
            };
            let mut name: String = format!("{secret}_{key}").chars().map(plain).collect();
            if name.starts_with(|first: char| first.is_ascii_digit()) {
                name.insert(0, '_');
            }
            // Two may differ in what a variable's name can't tell.
            while !taken.insert(name.clone()) {
                name.push('_');
            }
            ((secret, key), name)
        })
        .collect()
}
