//! Ways from all objects to a part of one, and the parts that they lead to.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;

use super::sample::Objects;

/// A way from all objects to a part of one.
#[derive(Debug, Clone)]
pub enum Step {
    Key(String),
    At(usize),
    Named(String),
}

/// What tells an item of a list from the others.
fn name_of(item: &Json) -> Option<String> {
    match item {
        Json::String(text) => Some(text.split('=').next().unwrap_or(text).to_owned()),
        Json::Object(fields) => {
            let telling = ["name", "mountPath", "topologyKey"];
            let names: BTreeMap<&str, &str> = telling
                .iter()
                .filter_map(|key| Some((*key, fields.get(*key)?.as_str()?)))
                .collect();
            let joined: Vec<&str> = names.values().copied().collect();
            (!names.is_empty()).then(|| joined.join("\n"))
        }
        _ => None,
    }
}

/// What tells the items of a list apart; nothing where something doesn't.
pub fn names_of(list: &Json) -> Option<Vec<String>> {
    let names: Vec<String> = list.as_array()?.iter().map(name_of).collect::<Option<_>>()?;
    let distinct: BTreeSet<&String> = names.iter().collect();
    (distinct.len() == names.len()).then_some(names)
}

/// The part that a path leads to.
pub fn find<'j>(objects: &'j Objects, path: &[Step]) -> Option<&'j Json> {
    let (first, rest) = path.split_first()?;
    let Step::Key(name) = first else { return None };
    let (_, object) = objects.iter().find(|(known, _)| known == name)?;
    rest.iter().try_fold(object, |json, step| match step {
        Step::Key(key) => json.get(key),
        Step::At(index) => json.get(index),
        Step::Named(name) => json
            .as_array()?
            .iter()
            .find(|item| name_of(item).as_ref() == Some(name)),
    })
}

/// The files of the config maps that an object mounts.
pub fn config_files(own: &Objects, path: &[Step]) -> Vec<String> {
    fn collect(json: &Json, names: &mut Vec<String>) {
        match json {
            Json::Object(fields) => {
                let name = fields.get("configMap").and_then(|map| map.get("name"));
                names.extend(name.and_then(Json::as_str).map(str::to_owned));
                fields.values().for_each(|field| collect(field, names));
            }
            Json::Array(items) => items.iter().for_each(|item| collect(item, names)),
            _ => {}
        }
    }
    let mut names = Vec::new();
    if let Some(object) = path
        .first()
        .and_then(|step| find(own, std::slice::from_ref(step)))
    {
        collect(object, &mut names);
    }
    names.sort();
    names.dedup();
    names.iter().map(|name| format!("configmap-{name}")).collect()
}

/// A path as a person reads it: `spec.replicas of deployment-web`.
pub fn shown(path: &[Step]) -> String {
    let mut steps = path.iter().map(|step| match step {
        Step::Key(key) | Step::Named(key) => key.replace('\n', " "),
        Step::At(index) => index.to_string(),
    });
    let object = steps.next().unwrap_or_default();
    let inner: Vec<String> = steps.collect();
    if inner.is_empty() {
        format!("`{object}`")
    } else {
        format!("`{}` of `{object}`", inner.join("."))
    }
}
