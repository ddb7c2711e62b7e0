//! Compares the objects for several values, and makes templates that give all of them.

use std::collections::BTreeSet;
use std::rc::Rc;

use serde_json::Value as Json;

use super::expression::{Expression, infer, join, unescaped};
use super::path::{Reading, Step, config_files, find, names_of, reading, shown};
use super::probe;
use super::sample::{Objects, Sampler};
use super::tree::{Condition, Entry, Node, Test, is_enumerable, is_whole};
use super::verify::differs;
use super::{Knob, Left};
use crate::export::kubernetes::CONFIG_HASH;
use crate::stack::{Parameter, Value};

/// A template: the name of its file without its ending, when its object is there, and the object.
pub type Template = Entry<String>;

/// Makes templates.
pub struct Builder<'a> {
    pub knobs: &'a [Knob],
    pub sampler: Sampler<'a>,
    /// The values that each knob is tried with, its own first.
    probes: Vec<Vec<String>>,
    /// The largest value that the stack takes, where it says no maximum.
    pub largest: Vec<Option<i64>>,
    /// Why knobs are not asked for.
    pub left: Vec<Option<Left>>,
}

/// What the values are compared around.
#[derive(Debug, Clone)]
pub struct Scope {
    pub values: Vec<String>,
    limits: Vec<Limit>,
}

/// The values of a knob that a part of a template is for.
#[derive(Debug, Clone)]
enum Limit {
    None,
    Among(Vec<String>),
    Between(Option<i64>, Option<i64>),
}

impl Limit {
    fn takes(&self, value: &str) -> bool {
        match self {
            Self::None => true,
            Self::Among(among) => among.iter().any(|one| one == value),
            Self::Between(least, most) => value.parse::<i64>().is_ok_and(|value| {
                least.is_none_or(|least| least <= value) && most.is_none_or(|most| value <= most)
            }),
        }
    }
}

/// The objects with another value of one knob.
#[derive(Clone)]
struct Sample {
    knob: usize,
    value: String,
    objects: Rc<Objects>,
}

/// A knob whose effect has no template, and where.
pub struct Stuck {
    pub knob: usize,
    pub path: Vec<Step>,
}

pub type Found<T> = Result<T, Stuck>;

impl<'a> Builder<'a> {
    /// `taken`: why knobs can't be asked for.
    pub fn new(knobs: &'a [Knob], taken: Vec<Option<String>>, sampler: Sampler<'a>) -> Self {
        let mut builder = Self {
            knobs,
            sampler,
            probes: knobs.iter().map(probe::values).collect(),
            largest: vec![None; knobs.len()],
            left: taken.into_iter().map(|why| why.map(Left::Fixed)).collect(),
        };
        for (knob, known) in knobs.iter().enumerate() {
            if builder.left[knob].is_some() {
                continue;
            }
            if let Value::Integer(value) = known.value
                && value.unsigned_abs() > probe::LARGEST.unsigned_abs()
            {
                let why = format!("Helm keeps no whole number beyond {}", probe::LARGEST);
                builder.left[knob] = Some(Left::Fixed(why));
                continue;
            }
            builder.find_largest(knob);
            builder.drop_refused(knob);
        }
        builder
    }

    /// The knobs, with the bounds that were found, and without choices that the stack refuses: no template is for them.
    pub fn knobs_with_bounds(&self) -> Vec<Knob> {
        let mut knobs = self.knobs.to_vec();
        for ((knob, largest), probes) in knobs.iter_mut().zip(&self.largest).zip(&self.probes) {
            if let Some(largest) = largest {
                knob.parameter.maximum = Some(Value::Integer(*largest));
            }
            knob.parameter.choices.retain(|choice| probes.contains(choice));
        }
        knobs
    }

    /// The templates of all objects; knobs without one are left at their values.
    pub fn templates(&mut self) -> Vec<Template> {
        loop {
            let known = self.probes.iter().map(Vec::len).sum::<usize>();
            match self.attempt() {
                Err(stuck) => {
                    let own = self.sampler.objects(&self.own_values()).unwrap_or_default();
                    self.left[stuck.knob] = Some(without_template(&shown(&stuck.path, &own)));
                }
                // A boundary that was found may be one of something else, too.
                Ok(_) if self.probes.iter().map(Vec::len).sum::<usize>() > known => {}
                Ok(templates) => {
                    let Some((knob, path)) = differs(&templates, self) else {
                        self.leave_unused(&templates);
                        return templates;
                    };
                    self.left[knob] = Some(without_template(&path));
                }
            }
        }
    }

    fn leave_unused(&mut self, templates: &[Template]) {
        let mut used = Vec::new();
        for template in templates {
            template.knobs(&mut used);
        }
        for (knob, left) in self.left.iter_mut().enumerate() {
            if left.is_none() && !used.contains(&knob) {
                let known = &self.knobs[knob];
                *left = Some(if known.is_apart || known.is_told_by_samples() {
                    Left::Unused
                } else {
                    let why =
                        "no object depends on it with the values that were tried, but with another one may";
                    Left::Fixed(why.to_owned())
                });
            }
        }
    }

    pub fn own_values(&self) -> Vec<String> {
        self.knobs.iter().map(|knob| knob.value.to_string()).collect()
    }

    pub fn parameters(&self) -> Vec<&'a Parameter> {
        self.knobs.iter().map(|knob| &knob.parameter).collect()
    }

    /// The values that a knob is tried with; only its own where it is left out.
    pub fn probes(&self, knob: usize) -> &[String] {
        match self.left[knob] {
            None => &self.probes[knob],
            Some(_) => &self.probes[knob][..1],
        }
    }

    pub fn objects(&mut self, values: &[String]) -> Option<Rc<Objects>> {
        self.sampler.objects(values)
    }

    /// Keeps the values that the stack takes.
    fn drop_refused(&mut self, knob: usize) {
        let mut values = self.own_values();
        let own = values[knob].clone();
        let tried = std::mem::take(&mut self.probes[knob]);
        let takes = |value: &String| {
            values[knob].clone_from(value);
            *value == own || self.sampler.objects(&values).is_some()
        };
        self.probes[knob] = tried.into_iter().filter(takes).collect();
        if self.probes[knob].len() < 2 {
            let why = "the stack takes none of the other values that were tried";
            self.left[knob] = Some(Left::Fixed(why.to_owned()));
        }
    }

    pub fn add_probe(&mut self, knob: usize, value: i64) {
        let text = value.to_string();
        if !self.probes[knob].contains(&text) {
            self.probes[knob].push(text);
        }
    }

    fn attempt(&mut self) -> Found<Vec<Template>> {
        let scope = Scope {
            values: self.own_values(),
            limits: vec![Limit::None; self.knobs.len()],
        };
        let Some(own) = self.sampler.objects(&scope.values) else {
            return Ok(Vec::new());
        };
        let samples = self.samples(&scope);
        let names = |objects: &Rc<Objects>| objects.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
        let others = samples.iter().map(|sample| names(&sample.objects));
        let all = union(names(&own), others);
        let mut templates = Vec::new();
        for name in all {
            let path = [Step::Key(name.clone())];
            let (conditions, node) = self.part(&scope, &own, &samples, &path)?;
            templates.push(Entry {
                key: name,
                conditions,
                node,
            });
        }
        Ok(templates)
    }

    /// The objects with each other value of each knob that a scope takes.
    fn samples(&mut self, scope: &Scope) -> Vec<Sample> {
        (0..self.knobs.len())
            .flat_map(|knob| {
                let values = self.probes(knob).to_vec();
                self.samples_with(scope, knob, values)
            })
            .collect()
    }

    /// The same for one part, with few values of those knobs that don't change it.
    fn samples_of(&mut self, scope: &Scope, own: &Rc<Objects>, path: &[Step]) -> Vec<Sample> {
        let mut samples = Vec::new();
        for knob in 0..self.knobs.len() {
            let few = probe::telling(&self.knobs[knob].parameter, self.probes(knob));
            let mut of_knob = self.samples_with(scope, knob, few);
            let changes = |sample: &Sample| find(&sample.objects, path) != find(own, path);
            if of_knob.iter().any(changes) {
                let all = self.probes(knob).to_vec();
                of_knob = self.samples_with(scope, knob, all);
            }
            samples.extend(of_knob);
        }
        samples
    }

    fn samples_with(&mut self, scope: &Scope, knob: usize, values: Vec<String>) -> Vec<Sample> {
        let mut samples = Vec::new();
        for value in values {
            if value == scope.values[knob] || !scope.limits[knob].takes(&value) {
                continue;
            }
            let mut values = scope.values.clone();
            values[knob].clone_from(&value);
            if let Some(objects) = self.sampler.objects(&values) {
                samples.push(Sample { knob, value, objects });
            }
        }
        samples
    }

    /// A part that may come and go: when it is there, and what it is then.
    fn part(
        &mut self,
        scope: &Scope,
        own: &Rc<Objects>,
        samples: &[Sample],
        path: &[Step],
    ) -> Found<(Vec<Condition>, Node)> {
        let (parent, _) = path.split_at(path.len() - 1);
        let relevant: Vec<&Sample> = samples
            .iter()
            .filter(|sample| parent.is_empty() || find(&sample.objects, parent).is_some())
            .collect();
        let is_own = find(own, path).is_some();
        let mut conditions = Vec::new();
        for knob in 0..self.knobs.len() {
            let mut seen: Vec<(String, bool)> = vec![(scope.values[knob].clone(), is_own)];
            let of_knob = relevant.iter().filter(|sample| sample.knob == knob);
            seen.extend(of_knob.map(|sample| (sample.value.clone(), find(&sample.objects, path).is_some())));
            if seen.iter().all(|(_, is_there)| *is_there == is_own) {
                continue;
            }
            let test = self.presence(scope, knob, &seen, path)?;
            conditions.push(Condition { knob, test });
        }
        if is_own {
            let node = self.node(scope, own, samples, path)?;
            return Ok((conditions, node));
        }
        let stuck = |knob| Stuck {
            knob,
            path: path.to_vec(),
        };
        // Where it is not there, one knob brings it.
        let knob = match conditions.as_slice() {
            [] => return Ok((conditions, Node::Literal(Json::Null))),
            [condition] => condition.knob,
            [.., last] => return Err(stuck(last.knob)),
        };
        let Some(example) = relevant
            .iter()
            .find(|sample| sample.knob == knob && find(&sample.objects, path).is_some())
        else {
            return Err(stuck(knob));
        };
        let mut inner = scope.clone();
        inner.values[knob].clone_from(&example.value);
        let example = Rc::clone(&example.objects);
        let samples = self.samples_of(&inner, &example, path);
        // Another knob may take away what this one brings.
        let mut more = Vec::new();
        for other in (0..self.knobs.len()).filter(|other| *other != knob) {
            let mut seen = vec![(inner.values[other].clone(), true)];
            let of_other = samples.iter().filter(|sample| {
                sample.knob == other && (parent.is_empty() || find(&sample.objects, parent).is_some())
            });
            seen.extend(of_other.map(|sample| (sample.value.clone(), find(&sample.objects, path).is_some())));
            if seen.iter().any(|(_, is_there)| !is_there) {
                let test = self.presence(&inner, other, &seen, path)?;
                more.push(Condition { knob: other, test });
            }
        }
        conditions.extend(more);
        let node = self.node(&inner, &example, &samples, path)?;
        Ok((conditions, node))
    }

    /// What a part is that is there in the scope itself.
    fn node(&mut self, scope: &Scope, own: &Rc<Objects>, samples: &[Sample], path: &[Step]) -> Found<Node> {
        let Some(base) = find(own, path) else {
            return Ok(Node::Literal(Json::Null));
        };
        let others: Vec<(&Sample, &Json)> = samples
            .iter()
            .filter_map(|sample| Some((sample, find(&sample.objects, path)?)))
            .collect();
        if others.iter().all(|(_, other)| *other == base) {
            return Ok(Node::Literal(base.clone()));
        }
        if let Some(Step::Key(key)) = path.last()
            && key == CONFIG_HASH
        {
            return Ok(Node::Hash(config_files(own, path)));
        }
        let are_all = |is: fn(&Json) -> bool| is(base) && others.iter().all(|(_, other)| is(other));
        if are_all(Json::is_object) {
            return self.map(scope, own, samples, path);
        }
        if are_all(Json::is_array) {
            let length = base.as_array().map(Vec::len);
            if others
                .iter()
                .all(|(_, other)| other.as_array().map(Vec::len) == length)
            {
                let steps = (0..length.unwrap_or_default()).map(Step::At).collect();
                return self.list(scope, own, samples, path, steps);
            }
            let lists = std::iter::once(base).chain(others.iter().map(|(_, other)| *other));
            if let Some(names) = lists.map(names_of).collect::<Option<Vec<_>>>() {
                let mut names = names.into_iter();
                let all = union(names.next().unwrap_or_default(), names);
                let steps = all.into_iter().map(Step::Named).collect();
                return self.list(scope, own, samples, path, steps);
            }
        } else if are_all(|json| !json.is_object() && !json.is_array())
            && let Some(expression) = self.scalar(scope, base, &others, path)
        {
            return Ok(Node::Expression(expression));
        }
        let others: Vec<(usize, String, Json)> = others
            .into_iter()
            .map(|(sample, other)| (sample.knob, sample.value.clone(), other.clone()))
            .collect();
        let base = base.clone();
        self.choose(scope, &base, &others, path)
    }

    fn map(&mut self, scope: &Scope, own: &Rc<Objects>, samples: &[Sample], path: &[Step]) -> Found<Node> {
        let keys = |objects: &Objects| -> Option<Vec<String>> {
            Some(find(objects, path)?.as_object()?.keys().cloned().collect())
        };
        let others = samples.iter().filter_map(|sample| keys(&sample.objects));
        let mut entries = Vec::new();
        for key in union(keys(own).unwrap_or_default(), others) {
            let inner = [path, &[Step::Key(key.clone())]].concat();
            let (conditions, node) = self.part(scope, own, samples, &inner)?;
            entries.push(Entry {
                key,
                conditions,
                node,
            });
        }
        Ok(Node::Map(entries))
    }

    fn list(
        &mut self,
        scope: &Scope,
        own: &Rc<Objects>,
        samples: &[Sample],
        path: &[Step],
        steps: Vec<Step>,
    ) -> Found<Node> {
        let mut entries = Vec::new();
        for step in steps {
            let inner = [path, &[step]].concat();
            let (conditions, node) = self.part(scope, own, samples, &inner)?;
            entries.push(Entry {
                key: (),
                conditions,
                node,
            });
        }
        Ok(Node::List(entries))
    }

    /// One expression for a scalar, from all knobs that it depends on.
    fn scalar(
        &self,
        scope: &Scope,
        base: &Json,
        others: &[(&Sample, &Json)],
        path: &[Step],
    ) -> Option<Expression> {
        let reading = reading(path);
        // What Kubernetes makes of it is what the values stand in.
        let read = |json: &Json| match reading {
            Reading::Expanded => unescaped(json),
            Reading::AsItIs | Reading::Path => json.clone(),
        };
        let base = read(base);
        let others: Vec<(&Sample, Json)> = others
            .iter()
            .map(|(sample, json)| (*sample, read(json)))
            .collect();
        let mut expressions = Vec::new();
        for (knob, known) in self.knobs.iter().enumerate() {
            let mut samples = vec![(scope.values[knob].as_str(), &base)];
            let of_knob = others.iter().filter(|(sample, _)| sample.knob == knob);
            samples.extend(of_knob.map(|(sample, other)| (sample.value.as_str(), other)));
            if samples.iter().any(|(_, json)| **json != base) {
                expressions.push(infer(knob, &known.parameter, &samples, reading)?);
            }
        }
        let expression = match expressions.len() {
            1 => expressions.pop(),
            _ => join(&expressions, &scope.values),
        };
        Some(expression?.read(reading, self.knobs))
    }

    /// Different parts for different values of one knob.
    fn choose(
        &mut self,
        scope: &Scope,
        base: &Json,
        others: &[(usize, String, Json)],
        path: &[Step],
    ) -> Found<Node> {
        let changing: BTreeSet<usize> = others
            .iter()
            .filter(|(_, _, json)| json != base)
            .map(|(knob, _, _)| *knob)
            .collect();
        let kind = |knob: usize| self.knobs[knob].parameter.kind;
        let enumerable = changing.iter().find(|knob| is_enumerable(kind(**knob)));
        let whole = changing.iter().find(|knob| is_whole(kind(**knob)));
        let (enumerable, whole) = (enumerable.copied(), whole.copied());
        let cases = match (enumerable, whole) {
            (Some(knob), _) => (knob, by_value(knob, scope, base, others)),
            (None, Some(knob)) => (knob, self.by_range(knob, scope, base, others, path)?),
            (None, None) => {
                return Err(Stuck {
                    knob: changing.last().copied().unwrap_or_default(),
                    path: path.to_vec(),
                });
            }
        };
        let (knob, cases) = cases;
        if cases.len() < 2 {
            return Err(Stuck {
                knob,
                path: path.to_vec(),
            });
        }
        let mut chosen = Vec::new();
        for (test, value) in cases {
            let mut inner = scope.clone();
            inner.values[knob] = value;
            inner.limits[knob] = match &test {
                Test::Among(among) => Limit::Among(among.clone()),
                Test::Between(least, most) => Limit::Between(*least, *most),
                Test::Empty(_) => Limit::None,
            };
            let Some(own) = self.sampler.objects(&inner.values) else {
                return Err(Stuck {
                    knob,
                    path: path.to_vec(),
                });
            };
            let samples = self.samples_of(&inner, &own, path);
            let node = self.node(&inner, &own, &samples, path)?;
            chosen.push((Condition { knob, test }, node));
        }
        Ok(Node::Choose(chosen))
    }
}

fn without_template(path: &str) -> Left {
    Left::Fixed(format!("{path} has no template for it"))
}

/// The values of a knob that give the same part; each group with the first of them.
fn by_value(
    knob: usize,
    scope: &Scope,
    base: &Json,
    others: &[(usize, String, Json)],
) -> Vec<(Test, String)> {
    let own = std::iter::once((scope.values[knob].as_str(), base));
    let others = others.iter().filter(|(other, _, _)| *other == knob);
    let mut groups: Vec<(&Json, Vec<String>)> = Vec::new();
    for (value, json) in own.chain(others.map(|(_, value, json)| (value.as_str(), json))) {
        match groups.iter_mut().find(|(known, _)| *known == json) {
            Some((_, values)) => values.push(value.to_owned()),
            None => groups.push((json, vec![value.to_owned()])),
        }
    }
    groups
        .into_iter()
        .map(|(_, values)| {
            let first = values[0].clone();
            (Test::Among(values), first)
        })
        .collect()
}

/// All names in an order that each of the lists agrees with, as far as they agree.
fn union(first: Vec<String>, others: impl Iterator<Item = Vec<String>>) -> Vec<String> {
    let mut all = first;
    for other in others {
        let mut at = 0;
        for name in other {
            let known = all.iter().position(|known| *known == name);
            if known.is_none() {
                all.insert(at, name);
            }
            at = known.unwrap_or(at) + 1;
        }
    }
    all
}
