//! Turns a stack into a Helm chart: the stack's parameters are the chart's values.
//!
//! Parameters are filled in before a stack is checked, so nothing in the objects says where a value came from.
//! It is found out by asking: the objects are made for several values of each parameter, and what differs
//! becomes a template that gives the very same objects for all of them. What has no such template keeps the value that
//! it has, and the report says so.

mod build;
mod expression;
mod files;
mod path;
mod probe;
mod range;
mod sample;
mod text;
mod tree;
mod verify;

use serde_json::Value as Json;

use super::kubernetes::{CHART_FIXED, CHART_UNUSED, TextError};
use super::{Report, ReportLine};
use crate::stack::{Declaration, Kind, Name, Parameter, Place, Value};
use build::Builder;
use sample::Sampler;
pub use sample::{Assignment, Setting};

/// A chart that is to be made.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The stack's name: the chart's, too.
    pub stack: &'a Name,
    /// The parameters that the stack declares.
    pub parameters: &'a [Declaration],
    /// Where built and block images are pulled from, and the tag of built ones, when both can be chosen.
    pub images: Option<(&'a str, &'a str)>,
    /// The tag of built images: the version of what runs.
    pub tag: &'a str,
}

/// An object, and the name of the file that it stands in, without its ending.
#[derive(Debug, Clone, PartialEq)]
pub struct Sampled {
    /// `deployment-web`
    pub file_stem: String,
    /// The object.
    pub object: Json,
}

/// A chart: its files, and what to know of them.
#[derive(Debug, Clone)]
pub struct Chart {
    /// Paths in the chart's folder, and texts.
    pub files: Vec<(String, String)>,
    /// Parameters that the chart doesn't ask for.
    pub report: Report,
}

/// What can be chosen when the chart is installed.
#[derive(Debug, Clone)]
struct Knob {
    setting: Setting,
    parameter: Parameter,
    /// What it is when nothing is chosen.
    value: Value,
    place: Option<Place>,
    /// Whether it stands only where no object is made from.
    is_apart: bool,
}

impl Knob {
    /// Why a chart can't have a value of this name.
    fn is_taken(&self, request: Request<'_>) -> Option<String> {
        let Setting::Parameter(name) = &self.setting else {
            return None;
        };
        match name.as_str() {
            GLOBAL => Some(format!("Helm itself gives every chart the value `{GLOBAL}`")),
            IMAGES if request.images.is_some() => Some(format!(
                "the chart has `{IMAGES}.registry` and `{IMAGES}.tag` under this name"
            )),
            _ => None,
        }
    }

    /// Whether values that were tried tell what all others do: a text may say anything.
    fn is_told_by_samples(&self) -> bool {
        !matches!(self.parameter.kind, Kind::String | Kind::Path | Kind::Image)
    }

    /// Whether each of its values is a word in which YAML and Kubernetes see nothing else.
    fn is_tame(&self) -> bool {
        let is_word = |text: &String| {
            !text.is_empty()
                && text
                    .chars()
                    .all(|character| character.is_ascii_alphanumeric() || "-_.:/@".contains(character))
        };
        match self.parameter.kind {
            Kind::String | Kind::Path => !matches!(self.setting, Setting::Parameter(_)),
            Kind::Choice => self.parameter.choices.iter().all(is_word),
            _ => true,
        }
    }
}

/// Why a knob is not among the chart's values.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Left {
    /// Nothing in the objects depends on it.
    Unused,
    /// What depends on it has no template; why not.
    Fixed(String),
}

/// Makes a chart; `sample` gives the objects for other values than the stack's own, or nothing where the stack
/// refuses them.
///
/// # Errors
///
/// When a text can't be written as YAML or JSON.
pub fn chart(
    request: Request<'_>,
    sample: &mut dyn FnMut(&Assignment) -> Option<Vec<Sampled>>,
) -> Result<Chart, TextError> {
    let knobs = knobs(request);
    let taken = knobs.iter().map(|knob| knob.is_taken(request)).collect();
    let mut builder = Builder::new(&knobs, taken, Sampler::new(&knobs, sample));
    let templates = builder.templates();
    let knobs = builder.knobs_with_bounds();
    let asked: Vec<bool> = builder.left.iter().map(Option::is_none).collect();
    let files = files::files(request, &knobs, &asked, &templates)?;
    let mut report = Report::default();
    for (knob, left) in knobs.iter().zip(&builder.left) {
        if let (Some(left), Some(place)) = (left, &knob.place) {
            report.push(line(knob, place, left));
        }
    }
    Ok(Chart { files, report })
}

fn line(knob: &Knob, place: &Place, left: &Left) -> ReportLine {
    let name = &knob.parameter.name;
    let value = &knob.value;
    let (row, message, remedy) = match left {
        Left::Unused => (
            CHART_UNUSED,
            "no object depends on it, so the chart doesn't ask for it".to_owned(),
            "nothing is left to do".to_owned(),
        ),
        Left::Fixed(why) => (
            CHART_FIXED,
            format!("it is fixed at `{value}` in the chart: {why}"),
            format!("export again with `--set {name}=…` for another value"),
        ),
    };
    ReportLine {
        path: format!("parameters.{name}"),
        place: place.clone(),
        row,
        message,
        remedy,
    }
}

fn knobs(request: Request<'_>) -> Vec<Knob> {
    let mut knobs: Vec<Knob> = request
        .parameters
        .iter()
        .map(|declared| Knob {
            setting: Setting::Parameter(declared.parameter.name.clone()),
            parameter: declared.parameter.clone(),
            value: declared.value.clone(),
            place: Some(declared.place.clone()),
            is_apart: declared.parts.iter().all(|part| APART.contains(&part.as_str())),
        })
        .collect();
    if let Some((registry, tag)) = request.images {
        let knob = |setting, name: &str, help: &str, value: &str| Knob {
            setting,
            parameter: Parameter {
                help: Some(help.to_owned()),
                ..Parameter::new(name, Kind::String)
            },
            value: Value::Text(value.to_owned()),
            place: None,
            is_apart: false,
        };
        knobs.push(knob(
            Setting::Registry,
            "registry",
            "where built and block images are pulled from",
            registry,
        ));
        knobs.push(knob(Setting::Tag, "tag", "the tag of built images", tag));
    }
    knobs
}

/// The group of values that choose images.
const IMAGES: &str = "images";

/// The value that a chart shares with those that it is a part of.
const GLOBAL: &str = "global";

/// Parts of a stack that no object of a chart is made from.
const APART: [&str; 2] = ["promises", "secrets"];
