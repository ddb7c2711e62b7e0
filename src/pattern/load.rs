//! Turns the files of a catalogue into one pattern, and says everything that is wrong on the way.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::declaration::{OneOrMore, RawAddition, RawFact, RawPart, RawPattern, RawQuestion, RawRule};
use super::{Condition, FRAGMENT, Fact, Pattern, Question, TemplateFile};
use crate::diagnostic::{Collector, Diagnostic, Problems, Sources, Span, quoted};
use crate::parameters::{Kind, Parameter, declare};
use crate::project::RelativePath;
use crate::yaml::{self, Decoder, List, Map};

/// Files by path.
pub type Files = BTreeMap<String, Cow<'static, [u8]>>;

/// The suffix of a template.
const TEMPLATE: &str = ".tera";

/// A folder of a catalogue, and what its files are called in messages.
#[derive(Clone, Copy)]
pub struct Folder<'a> {
    /// The catalogue's files.
    pub files: &'a Files,
    /// What stands before a path in messages.
    pub label: &'a str,
    /// The folder's path in the catalogue.
    pub path: &'a str,
}

impl<'a> Folder<'a> {
    fn name(&self, path: &str) -> String {
        format!("{}{}/{path}", self.label, self.path)
    }

    /// The files below a folder of the folder, with their paths from there.
    fn below(&self, folder: &str) -> impl Iterator<Item = (&'a str, &'a Cow<'static, [u8]>)> {
        let prefix = format!("{}/{folder}/", self.path);
        let length = prefix.len();
        self.files
            .range(prefix.clone()..)
            .take_while(move |(path, _)| path.starts_with(&prefix))
            .map(move |(path, bytes)| (&path[length..], bytes))
    }

    /// The path of a file in the folder.
    fn file(&self, name: &str) -> Option<&'a Cow<'static, [u8]>> {
        self.files.get(&format!("{}/{name}", self.path))
    }
}

/// Loads a pattern; `part` finds the folder of a shared part by its name.
pub fn load<'a>(
    name: &str,
    folder: Folder<'a>,
    part: &dyn Fn(&str) -> Option<Folder<'a>>,
) -> Result<Pattern, Problems> {
    let mut loader = Loader {
        sources: Sources::default(),
        problems: Collector::default(),
        pattern: Pattern {
            name: name.to_owned(),
            version: 1,
            summary: String::new(),
            about: String::new(),
            parts: Vec::new(),
            questions: Vec::new(),
            leads: false,
            promises: Vec::new(),
            files: Vec::new(),
            includes: BTreeMap::new(),
            addition: None,
        },
    };
    loader.load(folder, part);
    if loader.problems.has_errors() {
        return Err(Problems::new(loader.sources, loader.problems));
    }
    Ok(loader.pattern)
}

struct Loader {
    sources: Sources,
    problems: Collector,
    pattern: Pattern,
}

impl Loader {
    fn read<T: yaml::Decode>(&mut self, folder: Folder<'_>, name: &str) -> Option<T> {
        let bytes = folder.file(name)?;
        let node = yaml::read(&mut self.sources, &folder.name(name), bytes, &mut self.problems)?;
        Decoder::document(&node, &mut self.problems)
    }

    fn error(&mut self, span: Span, message: impl Into<String>) {
        self.problems.push(Diagnostic::error(span, message));
    }

    fn load<'a>(&mut self, folder: Folder<'a>, part: &dyn Fn(&str) -> Option<Folder<'a>>) {
        let Some(raw) = self.read::<RawPattern>(folder, "pattern.yaml") else {
            return;
        };
        let texts =
            |list: &List<yaml::Text>| list.0.iter().map(|text| text.value.0.trim().to_owned()).collect();
        self.pattern.summary = raw
            .summary
            .value()
            .map(|text| text.0.trim().to_owned())
            .unwrap_or_default();
        self.pattern.about = raw
            .about
            .value()
            .map(|text| text.0.trim().to_owned())
            .unwrap_or_default();
        self.pattern.version = raw
            .version
            .value()
            .and_then(|version| u32::try_from(version.0).ok())
            .unwrap_or(1);
        self.pattern.leads = raw.leads.value().is_some_and(|leads| leads.0);
        self.pattern.promises = raw.promises.value().map(texts).unwrap_or_default();
        for entry in raw.parts.value().into_iter().flat_map(|parts| &parts.0) {
            let does = entry.value.as_ref().map(|text| text.value.0.trim().to_owned());
            self.pattern
                .parts
                .push((entry.key.value.clone(), does.unwrap_or_default()));
        }
        for wanted in raw.uses.value().into_iter().flat_map(|list| &list.0) {
            match part(&wanted.value.0) {
                Some(folder) => self.take_over(folder, wanted.span, &wanted.value.0),
                None => self.error(
                    wanted.span,
                    format!("there is no part {}", quoted(&wanted.value.0)),
                ),
            }
        }
        self.ask(raw.parameters.value());
        self.write(folder, "files", raw.files.value(), raw.owner);
        if self.pattern.files.is_empty() && !self.problems.has_errors() {
            self.error(
                raw.owner,
                "the pattern writes nothing: its folder `files` is empty",
            );
        }
        match raw.add.get() {
            Some(add) => self.add(folder, &add.value, add.span),
            None if folder.below("add").next().is_some() => {
                self.error(raw.owner, "its folder `add` is never read: there is no key `add`");
            }
            None => {}
        }
    }

    /// Reads what it adds to a pod, which is a pattern of its own with the same name and includes.
    fn add(&mut self, folder: Folder<'_>, raw: &RawAddition, span: Span) {
        let mut facts = vec![Fact::Pod, Fact::Folder];
        for fact in raw.asks.value().into_iter().flat_map(|list| &list.0) {
            let fact = match fact.value {
                RawFact::Container => Fact::Container,
                RawFact::Port => Fact::Port,
            };
            if !facts.contains(&fact) {
                facts.push(fact);
            }
        }
        // The port is that of the container.
        if facts.contains(&Fact::Port) && !facts.contains(&Fact::Container) {
            facts.push(Fact::Container);
        }
        facts.sort_by_key(|fact| *fact == Fact::Port);
        let addition = Pattern {
            questions: facts.into_iter().map(Fact::question).collect(),
            files: Vec::new(),
            ..self.pattern.clone()
        };
        let pattern = std::mem::replace(&mut self.pattern, addition);
        self.ask(raw.parameters.value());
        self.write(folder, "add", None, span);
        let addition = std::mem::replace(&mut self.pattern, pattern);
        let mut has_fragment = false;
        for file in &addition.files {
            let target = file.target.as_str();
            has_fragment |= target == FRAGMENT;
            if target != FRAGMENT && !target.starts_with("files/") {
                self.error(
                    span,
                    format!(
                        "`{}` would never be read: `add` holds `{FRAGMENT}.tera` and `files`",
                        file.source
                    ),
                );
            }
        }
        if !has_fragment {
            self.error(span, format!("there is no `add/{FRAGMENT}.tera`"));
        }
        self.pattern.addition = Some(Box::new(addition));
    }

    fn take_over(&mut self, folder: Folder<'_>, span: Span, name: &str) {
        let Some(raw) = self.read::<RawPart>(folder, "part.yaml") else {
            if !self.problems.has_errors() {
                self.error(span, format!("the part {} has no `part.yaml`", quoted(name)));
            }
            return;
        };
        self.ask(raw.parameters.value());
        self.write(folder, "files", raw.files.value(), raw.owner);
        for (path, bytes) in folder.below("includes") {
            self.pattern
                .includes
                .insert(format!("{name}/{path}"), bytes.clone());
        }
    }

    fn ask(&mut self, questions: Option<&Map<RawQuestion>>) {
        for entry in questions.into_iter().flat_map(|map| &map.0) {
            let Some(raw) = &entry.value else { continue };
            let (name, span) = (entry.key.value.as_str(), entry.key.span);
            self.check_name(name, span);
            let when = self.condition(raw.value.asking.when.value());
            let mut decoder = Decoder {
                problems: &mut self.problems,
                owner: span,
            };
            let Some(parameter) = declare(name, span, &raw.value.parameter, &mut decoder) else {
                continue;
            };
            let mut defaults = Vec::new();
            for default in raw
                .value
                .asking
                .defaults
                .value()
                .into_iter()
                .flat_map(|list| &list.0)
            {
                let when = self.condition(default.value.when.value());
                let Some(value) = default.value.value.get() else {
                    continue;
                };
                match parameter.read_node(&value.value.0) {
                    Ok(value) => defaults.push((when, value)),
                    Err(invalid) => self
                        .problems
                        .push(Diagnostic::error(value.span, invalid.to_string()).maybe_help(invalid.help())),
                }
            }
            self.pattern.questions.push(Question {
                name: name.to_owned(),
                parameter,
                when,
                defaults,
            });
        }
    }

    /// What templates can read: `word` or `group.word`.
    fn check_name(&mut self, name: &str, span: Span) {
        let is_word = |word: &str| {
            word.starts_with(|first: char| first.is_ascii_lowercase())
                && word
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
        };
        let (group, rest) = name.split_once('.').unwrap_or((name, "x"));
        if !is_word(group) || !is_word(rest) {
            self.problems.push(
                Diagnostic::error(span, format!("{} can't name a pattern's parameter", quoted(name)))
                    .help("it is `word` or `group.word`, in small letters, digits and `_`"),
            );
        } else if matches!(group, "name" | "promises" | "loop") {
            self.error(
                span,
                format!("{} is taken: templates read something else by it", quoted(group)),
            );
        } else if let Some(other) = self.pattern.questions.iter().find(|question| {
            let other = question.name.as_str();
            other == name || other == group || (name == group && other.split('.').next() == Some(name))
        }) {
            let other = quoted(&other.name).to_string();
            self.error(span, format!("{} is in the way of {other}", quoted(name)));
        }
    }

    fn condition(&mut self, raw: Option<&Map<OneOrMore>>) -> Condition {
        let mut condition = Condition::default();
        for entry in raw.into_iter().flat_map(|map| &map.0) {
            let name = entry.key.value.as_str();
            let Some(question) = self
                .pattern
                .questions
                .iter()
                .find(|question| question.name == name)
            else {
                let names = self
                    .pattern
                    .questions
                    .iter()
                    .map(|question| question.name.as_str());
                let help = self.problems.did_you_mean(name, names);
                self.problems.push(
                    Diagnostic::error(
                        entry.key.span,
                        format!("no parameter {} is asked before this", quoted(name)),
                    )
                    .maybe_help(help),
                );
                continue;
            };
            let parameter = question.parameter.clone();
            let mut values = Vec::new();
            for (node, span) in entry.value.iter().flat_map(|spanned| spanned.value.values()) {
                match parameter.read_node(node) {
                    Ok(value) => values.push(value),
                    Err(invalid) => self
                        .problems
                        .push(Diagnostic::error(span, invalid.to_string()).maybe_help(invalid.help())),
                }
            }
            condition.0.push((name.to_owned(), values));
        }
        condition
    }

    fn write(&mut self, folder: Folder<'_>, within: &str, rules: Option<&List<RawRule>>, owner: Span) {
        let mut read = Vec::new();
        for rule in rules.into_iter().flat_map(|list| &list.0) {
            if let Some(path) = rule.value.path.get() {
                read.push(Rule {
                    path: path.value.0.clone(),
                    to: rule.value.to.value().map(|to| to.0.clone()),
                    when: self.condition(rule.value.when.value()),
                    executable: rule
                        .value
                        .executable
                        .value()
                        .is_some_and(|executable| executable.0),
                    span: rule.value.to.get().map_or(path.span, |to| to.span),
                    used: false,
                });
            }
        }
        for (path, bytes) in folder.below(within) {
            let (inner, rendered) = match path.strip_suffix(TEMPLATE) {
                Some(inner) => (inner, true),
                None => (path, false),
            };
            let rule = read
                .iter_mut()
                .filter(|rule| covers(&rule.path, inner))
                .max_by_key(|rule| rule.path.len());
            let (target, when, executable, span) = match rule {
                Some(rule) => {
                    rule.used = true;
                    let rest = &inner[rule.path.len()..];
                    let target = rule
                        .to
                        .as_ref()
                        .map_or_else(|| inner.to_owned(), |to| format!("{to}{rest}"));
                    (target, rule.when.clone(), rule.executable, rule.span)
                }
                None => (inner.to_owned(), Condition::default(), false, owner),
            };
            match RelativePath::new(&target) {
                Ok(target) => self.pattern.files.push(TemplateFile {
                    source: folder.name(&format!("{within}/{path}")),
                    target,
                    bytes: bytes.clone(),
                    rendered,
                    executable,
                    when,
                }),
                Err(error) => self.error(span, error.to_string()),
            }
        }
        for rule in read.iter().filter(|rule| !rule.used) {
            self.error(
                rule.span,
                format!("no file stands at {} below `files`", quoted(&rule.path)),
            );
        }
    }
}

struct Rule {
    path: String,
    to: Option<String>,
    when: Condition,
    executable: bool,
    span: Span,
    used: bool,
}

/// Whether a rule is for a file: for itself or a folder above it.
fn covers(rule: &str, path: &str) -> bool {
    path.strip_prefix(rule)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

impl Question {
    /// What can be answered, in a few words.
    pub fn kind(&self) -> String {
        let parameter: &Parameter = &self.parameter;
        match parameter.kind {
            // Known once there is a pod.
            Kind::Choice if parameter.choices.is_empty() => "of the pod".to_owned(),
            Kind::Choice => parameter.choices.join(" | "),
            kind => kind.to_string(),
        }
    }
}
