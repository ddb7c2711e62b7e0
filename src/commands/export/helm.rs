//! `motif export kubernetes --helm`.

use std::cell::OnceCell;

use super::output::File;
use crate::commands::stack_args::StackArgs;
use crate::export::Report;
use crate::export::helm::{Assignment, Request, Sampled, Setting, chart};
use crate::export::kubernetes::{self, Export, Options};
use crate::stack::Loaded;
use crate::terminal::Failure;

/// The files of a chart, and what to know of its parameters.
pub fn files(args: &StackArgs, loaded: &Loaded, options: &Options) -> Result<(Vec<File>, Report), Failure> {
    // What the stack takes is asked with the values that were given, and others.
    let failed = OnceCell::new();
    let mut sample = |assignment: &Assignment| -> Option<Vec<Sampled>> {
        let (args, options) = changed(args, options, assignment);
        let loaded = args.load_quietly().ok()?.loaded;
        let export = kubernetes::export(&loaded.stack, &options).ok()?;
        match sampled(&export) {
            Ok(sampled) => Some(sampled),
            Err(error) => {
                let _ = failed.set(error);
                None
            }
        }
    };
    let request = Request {
        stack: loaded.stack.name(),
        parameters: &loaded.parameters,
        // An image that is pinned is the only one.
        images: options
            .registry
            .as_deref()
            .filter(|_| options.pins.is_empty())
            .map(|registry| (registry, options.tag.as_str())),
        tag: &options.tag,
    };
    let chart = chart(request, &mut sample)?;
    if let Some(error) = failed.into_inner() {
        return Err(error.into());
    }
    let files = chart.files.into_iter();
    let files = files.map(|(path, text)| File::new(path, text)).collect();
    Ok((files, chart.report))
}

fn changed(args: &StackArgs, options: &Options, assignment: &Assignment) -> (StackArgs, Options) {
    let (mut args, mut options) = (args.clone(), options.clone());
    for (setting, value) in assignment {
        match setting {
            // The last value of a name counts.
            Setting::Parameter(name) => args.set.push(format!("{name}={value}")),
            Setting::Registry => options.registry = Some(value.clone()),
            Setting::Tag => options.tag.clone_from(value),
        }
    }
    (args, options)
}

fn sampled(export: &Export) -> Result<Vec<Sampled>, serde_json::Error> {
    let documents = export.documents.iter();
    documents
        .map(|document| {
            Ok(Sampled {
                file_stem: document.file_stem.clone(),
                object: serde_json::to_value(&document.object)?,
            })
        })
        .collect()
}
