//! What can be written in `pattern.yaml` and `part.yaml`.

use crate::diagnostic::Span;
use crate::parameters::RawParameter;
use crate::yaml::{
    Anything, Boolean, Content, Decode, Decoder, List, Map, Node, Spanned, Text, Whole, record, words,
};

record! {
    /// What a pattern is, asks, promises and writes.
    pub struct RawPattern ("a pattern") {
        /// What it is, in one line.
        summary "summary" required: Text,
        /// What it is for and how it works.
        about "about": Text,
        /// Grows when the same answers make another project.
        version "version" required: Whole<1, 1_000_000>,
        /// Whether it is meant where only its family is named. Default false; a family's only variant always is.
        leads "leads": Boolean,
        /// The shared parts whose parameters and files it takes over.
        uses "uses": List<Text>,
        /// Its parts, and what each does.
        parts "parts": Map<Text>,
        /// What it asks, in this order, after what its shared parts ask.
        parameters "parameters": Map<RawQuestion>,
        /// What it guarantees: sentences.
        promises "promises": List<Text>,
        /// Which of its files go elsewhere, or are written on a condition.
        files "files": List<RawRule>,
        /// What it adds to a pod that is there, by `motif add`.
        add "add": RawAddition,
    }
}

record! {
    /// What a pattern adds to a pod that is there: its templates are in the folder `add`.
    pub struct RawAddition ("an addition") {
        /// What it knows of the pod: `container`, `port`.
        asks "asks": List<RawFact>,
        /// What it asks, in this order, after that.
        parameters "parameters": Map<RawQuestion>,
    }
}

words! {
    RawFact as "a fact of a pod" {
        "container" => RawFact::Container,
        "port" => RawFact::Port,
    }
}

/// What an addition can know of a pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RawFact {
    /// One of its main containers.
    Container,
    /// A TCP port of that.
    Port,
}

record! {
    /// What several patterns share.
    pub struct RawPart ("a part") {
        /// What is asked, in this order.
        parameters "parameters": Map<RawQuestion>,
        /// Which of its files go elsewhere, or are written on a condition.
        files "files": List<RawRule>,
    }
}

record! {
    /// Where files go, and when.
    pub struct RawRule ("a rule for files") {
        /// A file or folder below `files/`, without the suffix `.tera`.
        path "path" required: Text,
        /// Where it goes in the project; default the same path.
        to "to": Text,
        /// When it is written.
        when "when": Map<OneOrMore>,
        /// Whether it can be run.
        executable "executable": Boolean,
    }
}

record! {
    /// What a question has beside its parameter.
    pub struct RawAsking ("a question") {
        /// When it is asked.
        when "when": Map<OneOrMore>,
        /// Defaults on conditions: the first that holds.
        defaults "defaults": List<RawDefault>,
    }
}

record! {
    /// A default on a condition.
    pub struct RawDefault ("a default on a condition") {
        /// When it is the default.
        when "when" required: Map<OneOrMore>,
        /// The default.
        value "value" required: Anything,
    }
}

/// A question: a parameter, and when it is asked.
#[derive(Debug, Clone, PartialEq)]
pub struct RawQuestion {
    /// When it is asked.
    pub asking: RawAsking,
    /// Its type, default and bounds.
    pub parameter: RawParameter,
}

impl Decode for RawQuestion {
    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self> {
        let mut parameter = node.clone();
        let asking = parameter.split_off(RawAsking::KEYS);
        Some(Self {
            asking: RawAsking::decode(&asking, decoder)?,
            parameter: RawParameter::decode(&parameter, decoder)?,
        })
    }
}

impl schemars::JsonSchema for RawQuestion {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Question".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::Schema::default()
    }
}

/// One value, or a list of some.
#[derive(Debug, Clone, PartialEq)]
pub struct OneOrMore(pub Vec<Spanned<Node>>);

impl OneOrMore {
    /// The values with their places.
    pub fn values(&self) -> impl Iterator<Item = (&Node, Span)> {
        self.0.iter().map(|value| (&value.value, value.span))
    }
}

impl Decode for OneOrMore {
    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self> {
        match &node.content {
            Content::Sequence(items) if !items.is_empty() => Some(Self(
                items
                    .iter()
                    .map(|item| Spanned {
                        value: item.clone(),
                        span: item.span,
                    })
                    .collect(),
            )),
            Content::Scalar { .. } => Some(Self(vec![Spanned {
                value: node.clone(),
                span: node.span,
            }])),
            _ => {
                decoder.unexpected(node, "a value or a list of values");
                None
            }
        }
    }
}

impl schemars::JsonSchema for OneOrMore {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "OneOrMore".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::Schema::default()
    }
}
