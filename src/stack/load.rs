//! Turns the files of a project into a checked [`Stack`].

use std::collections::{BTreeMap, BTreeSet};

use super::Stack;
use super::check;
use super::files::Files;
use super::interface::BlockInterface;
use super::merge::{patched, read_merged};
use super::raw::RawStack;
use super::substitute::Substitution;
use crate::diagnostic::{Collector, Diagnostic, Place, Problems, Sources, Span, quoted};
use crate::parameters::{self, Parameter, RawParameter, Value};
use crate::yaml::{Content, Decoder, Map, Node};

/// What is asked beside the file.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Values of parameters, as `name=value`.
    pub set: Vec<String>,
    /// A name that takes the place of the stack's own.
    pub name: Option<String>,
    /// What a person finds the files in: nothing, or a path that ends with `/`.
    pub shown_in: String,
    /// The blocks that there are.
    pub blocks: Vec<BlockInterface>,
    /// Parts of promises that are merged into the stack first.
    pub changes: Vec<Change>,
}

/// A part of a promise that is another form of the stack.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Change {
    /// What takes the mechanism of this promise out.
    Control(String),
    /// What this fault of this promise, from 0, makes of the stack.
    Fault(String, usize),
}

impl Change {
    /// Where it stands in the tree of a stack.
    fn find<'n>(&self, root: &'n Node) -> Option<&'n Node> {
        let promises = &root.get("promises")?.value;
        match self {
            Self::Control(promise) => Some(&promises.get(promise)?.value.get("control")?.value),
            Self::Fault(promise, index) => match &promises.get(promise)?.value.get("faults")?.value.content {
                Content::Sequence(faults) => Some(&faults.get(*index)?.get("change")?.value),
                _ => None,
            },
        }
    }
}

/// A parameter that a stack declares.
#[derive(Debug, Clone)]
pub struct Declaration {
    /// What it may be.
    pub parameter: Parameter,
    /// What it is: given, or its default.
    pub value: Value,
    /// Where it is declared.
    pub place: Place,
    /// The parts of the stack that it stands in: `pods`, `services`.
    pub parts: BTreeSet<String>,
}

/// A stack and what may be wrong with it.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The stack.
    pub stack: Stack,
    /// The parameters that it declares, in the order written.
    pub parameters: Vec<Declaration>,
    /// Warnings, sorted by place.
    pub warnings: Problems,
}

/// Reads, merges, fills in and checks a stack; every problem of it at once.
pub fn load(files: &dyn Files, path: &str, options: &Options) -> Result<Loaded, Problems> {
    let mut sources = Sources::default();
    let mut problems = Collector::default();
    let stack = load_into(files, path, options, &mut sources, &mut problems);
    match stack {
        Some((stack, parameters)) if !problems.has_errors() => Ok(Loaded {
            stack,
            parameters,
            warnings: Problems::new(sources, problems),
        }),
        _ => Err(Problems::new(sources, problems.without_warnings())),
    }
}

fn load_into(
    files: &dyn Files,
    path: &str,
    options: &Options,
    sources: &mut Sources,
    problems: &mut Collector,
) -> Option<(Stack, Vec<Declaration>)> {
    let mut root = read_merged(files, path, &options.shown_in, sources, problems)?;
    let written = root.split_off(&["parameters"]);
    let (parameters, complete) = declared(&written, problems);
    let given = given(&options.set, &parameters, complete, sources, problems);
    let values = resolve(&parameters, &given, problems);
    let mut substitution = Substitution {
        values: &values,
        sources,
        used: BTreeMap::new(),
        problems,
        grown: 0,
        part: String::new(),
    };
    substitution.stack(&mut root);
    let used = substitution.used;
    for change in &options.changes {
        if let Some(patch) = change.find(&root).cloned() {
            patched(&mut root, patch);
        }
    }
    warn_of_unused(&parameters, &used, problems);
    let name = options.name.as_ref().and_then(|name| {
        let source = sources.add("--project-name", name.clone());
        check::name(name, Span::whole(source, name), "a stack", problems)
    });
    let raw: RawStack = Decoder::document(&root, problems)?;
    let declarations = declarations(parameters, &values, &used, sources);
    let values = values
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
        .collect();
    let mut checker = check::Checker {
        files,
        blocks: &options.blocks,
        sources,
        problems,
    };
    Some((checker.stack(&raw, name, values)?, declarations))
}

fn declarations(
    parameters: Vec<Declared>,
    values: &BTreeMap<String, Option<Value>>,
    used: &BTreeMap<String, BTreeSet<String>>,
    sources: &Sources,
) -> Vec<Declaration> {
    parameters
        .into_iter()
        .filter_map(|declared| {
            let (name, span) = declared.declaration;
            Some(Declaration {
                parameter: declared.parameter?,
                value: values.get(&name)?.clone()?,
                place: sources.place(span),
                parts: used.get(&name).cloned().unwrap_or_default(),
            })
        })
        .collect()
}

fn warn_of_unused(
    parameters: &[Declared],
    used: &BTreeMap<String, BTreeSet<String>>,
    problems: &mut Collector,
) {
    for Declared {
        declaration: (name, span),
        ..
    } in parameters
    {
        if !used.contains_key(name) {
            problems.push(
                Diagnostic::warning(*span, format!("the parameter {} is not used", quoted(name)))
                    .help(format!("use it as `${{{name}}}`, or remove it")),
            );
        }
    }
}

/// A declared parameter; `None` where its declaration is wrong.
struct Declared {
    declaration: (String, Span),
    parameter: Option<Parameter>,
}

/// The declared parameters, and whether they could be read at all.
fn declared(written: &Node, problems: &mut Collector) -> (Vec<Declared>, bool) {
    let Some(entry) = written.get("parameters") else {
        return (Vec::new(), true);
    };
    let mut decoder = Decoder {
        problems,
        owner: entry.key_span,
    };
    let Some(raw) = decoder.entry::<Map<RawParameter>>(entry) else {
        return (Vec::new(), false);
    };
    let parameters = raw
        .0
        .iter()
        .map(|entry| Declared {
            declaration: (entry.key.value.clone(), entry.key.span),
            parameter: entry.value.as_ref().and_then(|raw| {
                parameters::declare(&entry.key.value, entry.key.span, &raw.value, &mut decoder)
            }),
        })
        .collect();
    (parameters, true)
}

/// The values that `--set` gives, by name; `None` where one is wrong, which was said.
fn given(
    set: &[String],
    parameters: &[Declared],
    complete: bool,
    sources: &mut Sources,
    problems: &mut Collector,
) -> BTreeMap<String, Option<Value>> {
    let mut given = BTreeMap::new();
    for text in set {
        let source = sources.add("--set", text.clone());
        let span = Span::whole(source, text);
        let Some((name, value)) = text.split_once('=') else {
            problems.push(Diagnostic::error(span, "expected `name=value`"));
            continue;
        };
        let name_span = Span {
            end: name.len(),
            ..span
        };
        let Some(declared) = parameters.iter().find(|declared| declared.declaration.0 == name) else {
            if complete {
                let names = parameters.iter().map(|declared| declared.declaration.0.as_str());
                let help = problems.did_you_mean(name, names.clone()).or_else(|| {
                    let listed = crate::diagnostic::Listed(names.collect(), "and");
                    Some(if listed.0.is_empty() {
                        "the stack has no parameters".to_owned()
                    } else {
                        format!("the stack has {listed}")
                    })
                });
                problems.push(
                    Diagnostic::error(name_span, format!("no parameter {}", quoted(name))).maybe_help(help),
                );
            }
            continue;
        };
        let Some(parameter) = &declared.parameter else {
            continue;
        };
        let value = match parameter.parse(value) {
            Ok(value) => Some(value),
            Err(invalid) => {
                let value_span = Span {
                    start: name.len() + 1,
                    column: u32::try_from(name.chars().count() + 2).unwrap_or(1),
                    ..span
                };
                problems.push(
                    Diagnostic::error(value_span, invalid.to_string())
                        .maybe_help(invalid.help())
                        .related(declared.declaration.1, "declared here"),
                );
                None
            }
        };
        given.insert(name.to_owned(), value);
    }
    given
}

/// The value of every parameter: given, or else its default.
fn resolve(
    parameters: &[Declared],
    given: &BTreeMap<String, Option<Value>>,
    problems: &mut Collector,
) -> BTreeMap<String, Option<Value>> {
    parameters
        .iter()
        .map(|declared| {
            let (name, span) = &declared.declaration;
            let value = match (given.get(name), &declared.parameter) {
                (Some(value), _) => value.clone(),
                (None, None) => None,
                (None, Some(parameter)) => {
                    if parameter.default.is_none() {
                        problems.push(
                            Diagnostic::error(*span, format!("the parameter {} has no value", quoted(name)))
                                .help(format!("give it with `--set {name}=…`, or declare a `default`")),
                        );
                    }
                    parameter.default.clone()
                }
            };
            (name.clone(), value)
        })
        .collect()
}
