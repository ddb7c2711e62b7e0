//! Turns the objects of a manifest into a draft of a stack.

mod container;
mod expansion;
mod pod;
mod policy;
mod probe;
mod rules;
mod security;
mod service;
mod storage;
mod workload;

use std::collections::{BTreeMap, BTreeSet};

pub use rules::RULES;

use super::draft::{Draft, free};
use super::notes::Notes;
use super::record::{Record, is_nothing, text_of};
use super::rule::Rule;
use crate::diagnostic::{Span, nearest, quoted};
use crate::stack::BlockInterface;
use crate::yaml::Node;
use storage::{Claim, Config, SecretKeys};

/// The kinds that are read, and the groups that they are of.
const KINDS: &[(&str, &[&str])] = &[
    ("Deployment", &["apps", "extensions"]),
    ("StatefulSet", &["apps"]),
    ("DaemonSet", &["apps", "extensions"]),
    ("ReplicaSet", &["apps", "extensions"]),
    ("ReplicationController", &[""]),
    ("Pod", &[""]),
    ("Job", &["batch"]),
    ("CronJob", &["batch"]),
    ("Service", &[""]),
    ("ConfigMap", &[""]),
    ("Secret", &[""]),
    ("PersistentVolumeClaim", &[""]),
    ("Namespace", &[""]),
    ("ServiceAccount", &[""]),
    ("PodDisruptionBudget", &["policy"]),
    ("HorizontalPodAutoscaler", &["autoscaling"]),
    ("NetworkPolicy", &["networking.k8s.io", "extensions"]),
    ("Ingress", &["networking.k8s.io", "extensions"]),
    ("HTTPRoute", &["gateway.networking.k8s.io"]),
    ("Role", &["rbac.authorization.k8s.io"]),
    ("RoleBinding", &["rbac.authorization.k8s.io"]),
    ("ClusterRole", &["rbac.authorization.k8s.io"]),
    ("ClusterRoleBinding", &["rbac.authorization.k8s.io"]),
];

/// One object.
#[derive(Debug)]
struct Object<'n> {
    kind: &'static str,
    name: String,
    span: Span,
    path: String,
    labels: Vec<(String, String)>,
    record: Record<'n>,
}

/// What the parts of an import read, and what they find out on the way.
pub(super) struct Context<'a> {
    notes: &'a mut Notes,
    blocks: &'a [BlockInterface],
    draft: Draft,
    configs: BTreeMap<String, Config>,
    secrets: BTreeMap<String, SecretKeys>,
    claims: BTreeMap<String, Claim>,
    /// The claims that the stateful set makes whose pod is being read.
    claims_of_sets: BTreeMap<String, (storage::Kind, Span)>,
    /// The labels of each pod of the draft, by its place.
    labels: Vec<Vec<(String, String)>>,
    /// The kind and name in the manifest of each pod of the draft, by its place.
    origins: Vec<(&'static str, String)>,
    /// The services that an export may have put in front of others.
    fronts: BTreeSet<String>,
    /// The pods that some policy lets dial anything, by their places.
    open: BTreeSet<usize>,
    /// The services that name the replicas of stateful sets.
    governing: BTreeSet<String>,
    namespaces: BTreeMap<String, (String, Span)>,
    /// The secrets whose keys were guessed, and where each was first used.
    guessed: BTreeMap<String, (String, Span)>,
}

/// Whether documents are a manifest.
pub fn is_manifest(documents: &[Node]) -> bool {
    documents
        .iter()
        .any(|document| document.get("apiVersion").is_some() || document.get("kind").is_some())
}

/// Reads a manifest.
pub fn draft(documents: &[Node], blocks: &[BlockInterface], notes: &mut Notes) -> Draft {
    let mut context = Context {
        notes,
        blocks,
        draft: Draft::default(),
        configs: BTreeMap::new(),
        secrets: BTreeMap::new(),
        claims: BTreeMap::new(),
        claims_of_sets: BTreeMap::new(),
        labels: Vec::new(),
        origins: Vec::new(),
        open: BTreeSet::new(),
        governing: BTreeSet::new(),
        fronts: BTreeSet::new(),
        namespaces: BTreeMap::new(),
        guessed: BTreeMap::new(),
    };
    let mut objects = Vec::new();
    for document in documents {
        context.document(document, &mut objects, 0);
    }
    context.without_twins(&mut objects);
    context.namespaces();
    context.draft.name = stack_name(&objects, &context.namespaces);
    let (mut data, mut workloads, mut services, mut others) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for object in objects {
        match object.kind {
            "ConfigMap" | "Secret" | "PersistentVolumeClaim" => data.push(object),
            "Service" => services.push(object),
            "Deployment"
            | "StatefulSet"
            | "DaemonSet"
            | "ReplicaSet"
            | "ReplicationController"
            | "Pod"
            | "Job"
            | "CronJob" => workloads.push(object),
            _ => others.push(object),
        }
    }
    for object in data {
        context.data(object);
    }
    for object in workloads {
        context.workload(object);
    }
    for object in services {
        context.service(object);
    }
    context.draft.name_ports();
    context.fronts();
    // Routers before policies: what they publish is open, too.
    others.sort_by_key(|object| object.kind == "NetworkPolicy");
    for object in others {
        context.other(object);
    }
    context.unused();
    context.secrets_to_make();
    context.draft
}

/// The name that the objects agree on, or that their namespace has.
fn stack_name(objects: &[Object], namespaces: &BTreeMap<String, (String, Span)>) -> String {
    for label in ["app.kubernetes.io/part-of", "app.kubernetes.io/instance"] {
        let values: BTreeSet<&str> = objects
            .iter()
            .flat_map(|object| &object.labels)
            .filter(|(name, _)| name == label)
            .map(|(_, value)| value.as_str())
            .collect();
        if let (Some(value), 1) = (values.first(), values.len()) {
            return (*value).to_owned();
        }
    }
    let mut names = namespaces.keys().filter(|name| *name != "default");
    match (names.next(), names.next()) {
        (Some(name), None) => name.clone(),
        _ => String::new(),
    }
}

impl Context<'_> {
    /// Reads one document: an object, or a list of objects.
    fn document<'n>(&mut self, node: &'n Node, objects: &mut Vec<Object<'n>>, depth: usize) {
        const DEEPEST: usize = 8;
        if is_nothing(node) {
            return;
        }
        let Some(mut record) = Record::of(node, "object", "document".to_owned(), self.notes) else {
            return;
        };
        let version = record.text("apiVersion", self.notes);
        let kind = record.text("kind", self.notes);
        let (Some(version), Some(kind)) = (version, kind) else {
            let remedy = match (node.get("kind"), node.get("type")) {
                (None, Some(_)) => "did you mean `kind` where `type` is written?",
                _ => rules::NO_KIND.remedy,
            };
            let message = rules::NO_KIND.field.why;
            return self
                .notes
                .say(&rules::NO_KIND, "document", node.span, message, remedy);
        };
        if kind.value.ends_with("List") && node.get("items").is_some() && depth < DEEPEST {
            for item in record.list("items", self.notes) {
                self.document(item, objects, depth + 1);
            }
            record.ignore(&["metadata"]);
            return record.rest(RULES, self.notes);
        }
        let group = version.value.rsplit_once('/').map_or("", |(group, _)| group);
        let known = KINDS
            .iter()
            .find(|(name, groups)| *name == kind.value && groups.contains(&group));
        let name = node
            .get("metadata")
            .and_then(|metadata| {
                metadata
                    .value
                    .get("name")
                    .or_else(|| metadata.value.get("generateName"))
            })
            .and_then(|name| text_of(&name.value));
        let Some((known, _)) = known else {
            let path = format!("{}/{}", kind.value, name.unwrap_or("?"));
            let names = KINDS.iter().map(|(name, _)| *name);
            let (message, remedy) = match nearest(&kind.value, names) {
                Some(meant) if meant != kind.value => (
                    format!("no kind {} is known", quoted(&kind.value)),
                    format!("did you mean {}?", quoted(meant)),
                ),
                _ => (rules::KIND.field.why.to_owned(), rules::KIND.remedy.to_owned()),
            };
            return self.notes.say(&rules::KIND, &path, kind.span, message, remedy);
        };
        let path = format!("{known}/{}", name.unwrap_or("?"));
        record.path.clone_from(&path);
        let Some(mut metadata) = record.record("metadata", "metadata", self.notes) else {
            return self.notes.rule(&rules::NO_NAME, &path, kind.span);
        };
        let name = metadata.text("name", self.notes);
        let Some(name) = name.or_else(|| metadata.text("generateName", self.notes)) else {
            return self.notes.rule(&rules::NO_NAME, &path, kind.span);
        };
        metadata.ignore(&["generateName"]);
        let is_owned = metadata.take("ownerReferences").is_some();
        if is_owned && matches!(*known, "ReplicaSet" | "Pod" | "Job") {
            return;
        }
        if let Some(namespace) = metadata.text("namespace", self.notes) {
            let first = (path.clone(), namespace.span);
            self.namespaces.entry(namespace.value).or_insert(first);
        }
        let labels = metadata.map("labels", self.notes);
        self.annotations(&mut metadata);
        metadata.rest(RULES, self.notes);
        objects.push(Object {
            kind: known,
            name: name.value,
            span: name.span,
            path,
            labels: labels
                .into_iter()
                .map(|(name, value)| (name, value.value))
                .collect(),
            record,
        });
    }

    /// Reads annotations: those that a cluster or an export writes say nothing.
    fn annotations(&mut self, metadata: &mut Record) {
        let ours = |name: &str| {
            name.starts_with("motif.dev/")
                || name.starts_with("kubectl.kubernetes.io/")
                || name.starts_with("deployment.kubernetes.io/")
                || name.starts_with("autoscaling.alpha.kubernetes.io/")
        };
        let Some(entry) = metadata.take("annotations") else {
            return;
        };
        let rule = RULES.iter().find(|rule| rule.is_about("metadata", "annotations"));
        for inner in entry.value.entries().unwrap_or_default() {
            if let (false, Some(rule)) = (ours(&inner.key), rule) {
                let path = format!("{}.{}", metadata.at("annotations"), inner.key);
                self.notes.rule(rule, &path, inner.key_span);
            }
        }
    }

    /// Of two objects of one kind and name the first is taken.
    fn without_twins(&mut self, objects: &mut Vec<Object>) {
        let mut seen: BTreeMap<(&str, String), Span> = BTreeMap::new();
        objects.retain(|object| {
            let key = (object.kind, object.name.clone());
            let Some(first) = seen.get(&key) else {
                seen.insert(key, object.span);
                return true;
            };
            let place = self.notes.sources.place(*first);
            let message = format!("another {} of this name stands at {place}", object.kind);
            let remedy = rules::TWICE.remedy;
            self.notes
                .say(&rules::TWICE, &object.path, object.span, message, remedy);
            false
        });
    }

    fn namespaces(&mut self) {
        if self.namespaces.len() > 1 {
            for (name, (path, span)) in self.namespaces.clone() {
                let path = format!("{path}.metadata.namespace");
                let message = format!("what is in {} joins what is in the others", quoted(&name));
                let remedy = rules::NAMESPACES.remedy;
                self.notes.say(&rules::NAMESPACES, &path, span, message, remedy);
            }
        }
    }

    /// Says what becomes of a field by one of the rules.
    fn rule(&mut self, rule: &Rule, path: &str, span: Span) {
        self.notes.rule(rule, path, span);
    }

    /// A free name in the stack; says so where it is another.
    fn free_name(
        &mut self,
        wanted: &str,
        path: &str,
        span: Span,
        is_taken: impl Fn(&Draft, &str) -> bool,
    ) -> String {
        let name = free(wanted, |name| is_taken(&self.draft, name));
        if name != wanted {
            let message = format!("{} is called {} in the stack", quoted(wanted), quoted(&name));
            let remedy = super::rule::NAME.remedy;
            self.notes.say(&super::rule::NAME, path, span, message, remedy);
        }
        name
    }

    /// What is there, and nothing uses.
    fn unused(&mut self) {
        let configs = self
            .configs
            .values()
            .map(|config| (config.used, &config.path, config.span));
        let secrets = self
            .secrets
            .values()
            .map(|secret| (secret.used, &secret.path, secret.span));
        let claims = self
            .claims
            .values()
            .map(|claim| (claim.users > 0, &claim.path, claim.span));
        let unused: Vec<(String, Span)> = configs
            .chain(secrets)
            .chain(claims)
            .filter(|(used, ..)| !used)
            .map(|(_, path, span)| (path.clone(), span))
            .collect();
        for (path, span) in unused {
            self.rule(&rules::UNUSED, &path, span);
        }
    }
}
