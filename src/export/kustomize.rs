//! Turns exported objects into a Kustomize base, and begins an overlay for it.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde_json::{Value as Json, json};

use super::kubernetes::{Export, Form, TextError};
use super::mark::header;
use crate::stack::Name;
use crate::yaml;

const API: &str = "kustomize.config.k8s.io/v1beta1";

/// The files of a base: one for each object, and the one that lists them.
///
/// # Errors
///
/// When an object can't be written as YAML.
pub fn base(export: &Export) -> Result<Vec<(String, String)>, TextError> {
    let files = export.files(Form::Yaml)?;
    let names: Vec<&String> = files.iter().map(|(name, _)| name).collect();
    let list = yaml::to_string(&json!({ "apiVersion": API, "kind": "Kustomization", "resources": names }))?;
    let list = format!("{}{list}", header(&export.stack));
    let list = ("base/kustomization.yaml".to_owned(), list);
    let files = files
        .into_iter()
        .map(|(name, text)| (format!("base/{name}"), text));
    Ok(std::iter::once(list).chain(files).collect())
}

/// The path of an overlay's file.
pub fn overlay_path(overlay: &Name) -> String {
    format!("overlays/{overlay}/kustomization.yaml")
}

/// How an overlay begins. It is the user's from then on.
///
/// # Errors
///
/// When an object can't be read as JSON.
pub fn overlay(export: &Export, overlay: &Name) -> Result<String, TextError> {
    let mut images = BTreeMap::new();
    let mut replicas = Vec::new();
    for document in &export.documents {
        let object = serde_json::to_value(&document.object)?;
        collect(&object, &mut images);
        if let (Some(name), Some(count)) = (
            object["metadata"]["name"].as_str(),
            object["spec"]["replicas"].as_u64(),
        ) {
            replicas.push((name.to_owned(), count));
        }
    }
    let mut text = format!(
        "# Yours to change: an export writes this file when it is missing, and never again.\n\
         apiVersion: {API}\n\
         kind: Kustomization\n\
         resources:\n\
         - ../../base\n\
         # namespace: {overlay}\n"
    );
    if !images.is_empty() {
        text.push_str("# images:\n");
        for (name, tag) in images {
            let _ = writeln!(text, "# - name: {name}\n#   newTag: \"{tag}\"");
        }
    }
    if !replicas.is_empty() {
        text.push_str("# replicas:\n");
        for (name, count) in replicas {
            let _ = writeln!(text, "# - name: {name}\n#   count: {count}");
        }
    }
    Ok(text)
}

/// The images that an object names, each with its tag.
fn collect(json: &Json, images: &mut BTreeMap<String, String>) {
    match json {
        Json::Object(fields) => {
            if let Some(image) = fields.get("image").and_then(Json::as_str) {
                let image = image.split('@').next().unwrap_or(image);
                let (name, tag) = match image.rsplit_once(':') {
                    Some((name, tag)) if !tag.contains('/') => (name, tag),
                    _ => (image, "latest"),
                };
                images.insert(name.to_owned(), tag.to_owned());
            }
            fields.values().for_each(|field| collect(field, images));
        }
        Json::Array(items) => items.iter().for_each(|item| collect(item, images)),
        _ => {}
    }
}
