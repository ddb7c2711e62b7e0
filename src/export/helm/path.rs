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

/// What a text goes through at its place, as a whole: the values in it can't be treated each for itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    /// Nothing.
    AsItIs,
    /// Kubernetes expands it: a word of a command, or the value of a variable.
    Expanded,
    /// It is a path without slashes that say nothing.
    Path,
}

/// How the text is read that a path leads to.
pub fn reading(path: &[Step]) -> Reading {
    let is = |step: &Step, names: &[&str]| matches!(step, Step::Key(key) if names.contains(&key.as_str()));
    let containers = path
        .iter()
        .position(|step| is(step, &["containers", "initContainers"]));
    let of_container = containers.and_then(|at| path.get(at + 2..));
    match of_container.unwrap_or_default() {
        [env, _, value] if is(env, &["env"]) && is(value, &["value"]) => Reading::Expanded,
        [mounts, _, at] if is(mounts, &["volumeMounts"]) && is(at, &["mountPath"]) => Reading::Path,
        [.., words, _] if is(words, &["command", "args"]) => Reading::Expanded,
        _ => Reading::AsItIs,
    }
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
///
/// It ends where a name isn't one of the objects themselves: that may hold a value that was only tried.
pub fn shown(path: &[Step], own: &Objects) -> String {
    let is_field = |at: usize| {
        let parent = at.checked_sub(1).map(|at| &path[at]);
        matches!(&path[at], Step::Key(_)) && !matches!(parent, Some(Step::Key(key)) if key == "data")
    };
    let known = (1..=path.len())
        .take_while(|length| find(own, &path[..*length]).is_some())
        .count();
    let end = match known {
        0 => 1,
        known => known + usize::from(known < path.len() && is_field(known)),
    };
    let mut steps = path.iter().take(end).map(|step| match step {
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Step, shown};

    #[test]
    fn a_path_ends_before_what_was_only_tried() {
        let own = vec![(
            "deployment-web".to_owned(),
            json!({ "spec": { "mounts": [{ "mountPath": "/data", "name": "data" }], "data": { "a": "x" } } }),
        )];
        let key = |key: &str| Step::Key(key.to_owned());
        let named = |name: &str| Step::Named(name.to_owned());
        for (rest, expected) in [
            (vec![], "`deployment-web`"),
            (
                vec![key("spec"), key("mounts"), named("/data\ndata"), key("name")],
                "`spec.mounts./data data.name` of `deployment-web`",
            ),
            (
                vec![key("spec"), key("mounts"), named("/p\"q\ndata"), key("name")],
                "`spec.mounts` of `deployment-web`",
            ),
            (
                vec![key("spec"), key("replicas")],
                "`spec.replicas` of `deployment-web`",
            ),
            (
                vec![key("spec"), key("data"), key("probe941")],
                "`spec.data` of `deployment-web`",
            ),
        ] {
            let path = [vec![key("deployment-web")], rest].concat();
            assert_eq!(shown(&path, &own), expected);
        }
        assert_eq!(shown(&[key("ingress-web"), key("spec")], &own), "`ingress-web`");
    }
}
