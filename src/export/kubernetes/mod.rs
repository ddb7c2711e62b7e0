//! Turns a stack into objects that a cluster accepts as they are.

mod autoscaler;
mod config;
mod container;
mod expansion;
mod fields;
mod front;
mod image;
mod network;
mod object;
mod pod;
mod probe;
mod replica_names;
mod secret;
mod service;
mod text;
mod volume;
mod workload;

use std::collections::BTreeMap;
use std::time::Duration;

pub use expansion::literal;
#[cfg(test)]
pub use fields::FIELDS;
pub use fields::{CHART_FIXED, CHART_UNUSED};
pub use image::{Origin, Pins, Published, published, references};
use network::Edges;
pub use object::Object;
use object::{Content, Labels, Metadata};
pub use pod::CONFIG_HASH;
pub use text::{Form, TextError};

use super::{Field, Report, ReportLine};
use crate::stack::{Name, Place, Source, Stack};

pub use secret::SecretValues;

/// What an export leaves open in the stack.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The folder of the stack from where commands are run; default: that one.
    pub folder: String,
    /// The namespace of every object; default: the one that they are applied to.
    pub namespace: Option<Name>,
    /// Where built and block images are pulled from: `registry.example/team`.
    pub registry: Option<String>,
    /// The tag of built images.
    pub tag: String,
    /// The block image's name on this machine.
    pub block_image: String,
    /// The version of this program: the tag of its block image in a registry.
    pub version: String,
    /// Digests that images are pinned to, by their names.
    pub pins: Pins,
    /// What hosts of published services end with.
    pub domain: Option<String>,
    /// The gateway that requests come by; default: an ingress controller.
    pub gateway: Option<Gateway>,
    /// The class of ingresses; default: the cluster's.
    pub ingress_class: Option<String>,
    /// Where sidecars stand.
    pub sidecars: Sidecars,
    /// Values of secrets that are to be exported; the others are referred to.
    pub secrets: SecretValues,
}

/// A gateway of a cluster.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Gateway {
    /// Its namespace; default: that of the objects.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
}

/// Where sidecars stand in a pod.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Sidecars {
    /// Init containers that go on, as of Kubernetes 1.29.
    #[default]
    Native,
    /// Before the main containers, for what is older.
    Main,
}

/// The objects of a stack, and what to know of them.
#[derive(Debug, Clone)]
pub struct Export {
    /// The stack's name.
    pub stack: Name,
    /// The objects: of each pod its config, claims, services and workload; then the jobs.
    pub documents: Vec<Document>,
    /// What isn't kept, and what is left to do.
    pub report: Report,
}

/// One object, and the file that it stands in when each has its own.
#[derive(Debug, Clone)]
pub struct Document {
    /// The file's name without its ending: `deployment-web`.
    pub file_stem: String,
    /// The object.
    pub object: Object,
}

/// What no cluster would accept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Services have names of the older kind.
    #[error("{place}: on a cluster the name of a service starts with a letter, unlike `{name}`")]
    ServiceName {
        /// The name.
        name: String,
        /// Where.
        place: Place,
    },
    /// A name is longer than its kind allows.
    #[error("{place}: on a cluster the name of a {object} has at most {limit} characters, `{name}` has {}", name.len())]
    TooLong {
        /// The kind.
        object: &'static str,
        /// The most characters.
        limit: usize,
        /// The name.
        name: String,
        /// Where.
        place: Place,
    },
    /// A namespace has an object of that name already.
    #[error("{place}: each namespace has a {kind} `{name}` of its own")]
    Taken {
        /// The kind.
        kind: &'static str,
        /// The name.
        name: String,
        /// Where.
        place: Place,
    },
    /// The namespace `default` has the API's service.
    #[error(
        "{place}: the namespace `default` has a Service `kubernetes` of its own; export into another one with `-n`"
    )]
    TakenByDefault {
        /// Where.
        place: Place,
    },
    /// The name of a header that Kubernetes knows no way to send.
    #[error(
        "{place}: on a cluster the name of a probe's header has letters, digits and `-` only, unlike `{name}`"
    )]
    HeaderName {
        /// The name.
        name: String,
        /// Where.
        place: Place,
    },
    /// Two objects would have the same name.
    #[error("{place}: there would be two of {kind} `{name}`; the other is from {other}")]
    Collision {
        /// The kind.
        kind: &'static str,
        /// The name.
        name: String,
        /// Where the second was declared.
        place: Place,
        /// Where the first was declared.
        other: Place,
    },
}

/// Turns a stack into objects, or says everything that a cluster would refuse.
pub fn export(stack: &Stack, options: &Options) -> Result<Export, Vec<Error>> {
    let mut context = Context {
        stack,
        options,
        report: Report::default(),
        errors: Vec::new(),
        images: BTreeMap::new(),
        edges: Edges::of(stack),
        requests: front::count(stack),
    };
    let mut objects = Objects::default();
    for pod in stack.pods() {
        workload::pod(&mut context, &mut objects, pod);
    }
    for job in stack.jobs() {
        workload::job(&mut context, &mut objects, job);
    }
    network::open(&mut context);
    secret::secrets(&mut context, &mut objects);
    replica_names::say(&mut context);
    service::promises(&mut context);
    let mut errors = context.errors;
    errors.extend(objects.collisions());
    if !errors.is_empty() {
        return Err(errors);
    }
    Ok(Export {
        stack: stack.name().clone(),
        documents: objects
            .list
            .into_iter()
            .map(|(object, _)| document(object))
            .collect(),
        report: context.report.sorted(),
    })
}

fn document(object: Object) -> Document {
    let kind = object.content.kind().to_ascii_lowercase();
    Document {
        file_stem: format!("{kind}-{}", object.metadata.name.as_deref().unwrap_or_default()),
        object,
    }
}

/// What the parts of an export read, and what they find out on the way.
struct Context<'a> {
    stack: &'a Stack,
    options: &'a Options,
    report: Report,
    errors: Vec<Error>,
    /// Images that were named already, what they are made from, and where that was written.
    images: BTreeMap<String, (Source, Place)>,
    /// Who dials whom.
    edges: Edges<'a>,
    /// How many ports are published for requests from the world.
    requests: usize,
}

impl Context<'_> {
    /// Says what became of a field.
    fn say(&mut self, row: &Field, at: &At, message: String, remedy: impl Into<String>) {
        self.report.push(ReportLine {
            path: at.path.clone(),
            place: at.place.clone(),
            row: *row,
            message,
            remedy: remedy.into(),
        });
    }

    /// A duration in whole seconds, rounded up; says so when it wasn't whole.
    fn seconds(&mut self, at: &At, duration: Duration) -> u32 {
        let (seconds, exact) = probe::whole_seconds(duration);
        if !exact {
            self.say(
                &fields::DURATION,
                at,
                format!("{duration:?} became {seconds}s"),
                "write whole seconds",
            );
        }
        seconds
    }

    /// The labels of everything that belongs to a pod or job.
    fn labels(&self, pod: &Name) -> Labels {
        let mut labels = self.selector(pod);
        labels.insert("app.kubernetes.io/part-of", self.stack.name().to_string());
        labels.insert("app.kubernetes.io/managed-by", "motif".to_owned());
        labels
    }

    /// The labels by which the replicas of a pod are found. They can never change.
    fn selector(&self, pod: &Name) -> Labels {
        Labels::from([
            ("app.kubernetes.io/name", pod.to_string()),
            ("app.kubernetes.io/instance", self.stack.name().to_string()),
        ])
    }

    /// The metadata of an object that belongs to a pod or job.
    fn metadata(&self, pod: &Name, name: String) -> Metadata {
        Metadata {
            name: Some(name),
            namespace: self.options.namespace.as_ref().map(ToString::to_string),
            labels: self.labels(pod),
            annotations: Labels::new(),
        }
    }

    /// A path of the stack, from where commands are run.
    fn path(&self, path: &str) -> String {
        match (self.options.folder.as_str(), path) {
            ("" | ".", path) => path.to_owned(),
            (folder, ".") => folder.to_owned(),
            (folder, path) => format!("{folder}/{path}"),
        }
    }

    /// The option by which `kubectl` finds the namespace.
    fn kubectl_namespace(&self) -> String {
        self.options
            .namespace
            .as_ref()
            .map_or_else(String::new, |namespace| format!(" -n {namespace}"))
    }
}

/// A field of the stack, and where it was written.
struct At<'a> {
    path: String,
    place: &'a Place,
}

impl<'a> At<'a> {
    /// A field of this one.
    fn field(&self, name: &str) -> At<'a> {
        At {
            path: format!("{}.{name}", self.path),
            place: self.place,
        }
    }
}

/// The objects so far, each with the place that it is from.
#[derive(Default)]
struct Objects {
    list: Vec<(Object, Place)>,
}

impl Objects {
    fn add(&mut self, metadata: Metadata, content: Content, at: &At) {
        self.list.push((Object { metadata, content }, at.place.clone()));
    }

    /// Objects of one kind and name, claims that a stateful set will make included.
    fn collisions(&self) -> Vec<Error> {
        let mut found = Vec::new();
        let mut seen: BTreeMap<(&str, String), &Place> = BTreeMap::new();
        for (object, place) in &self.list {
            let kind = object.content.kind();
            let name = object.metadata.name.clone().unwrap_or_default();
            let own = [(kind, name)];
            let claims = object
                .claims()
                .into_iter()
                .map(|name| ("PersistentVolumeClaim", name));
            for (kind, name) in own.into_iter().chain(claims) {
                if let Some(other) = seen.insert((kind, name.clone()), place) {
                    found.push(Error::Collision {
                        kind,
                        name,
                        place: place.clone(),
                        other: other.clone(),
                    });
                }
            }
        }
        found
    }
}
