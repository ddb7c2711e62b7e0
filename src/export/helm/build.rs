//! Compares the objects for several values, and makes templates that give all of them.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use serde_json::Value as Json;

use super::expression::{Expression, infer, join};
use super::probe;
use super::sample::{Objects, Sampler};
use super::tree::{Condition, Entry, Node, Test, is_enumerable, is_whole};
use super::verify::differs;
use super::{Knob, Left};
use crate::export::kubernetes::CONFIG_HASH;
use crate::stack::{Parameter, Value};

/// A template: the name of its file without its ending, when its object is there, and the object.
pub type Template = Entry<String>;

/// The most parts that the values of one number are split into.
const MOST_RANGES: usize = 6;

/// Makes templates.
pub struct Builder<'a> {
    knobs: &'a [Knob],
    sampler: Sampler<'a>,
    /// The values that each knob is tried with, its own first.
    probes: Vec<Vec<String>>,
    /// The largest value that the stack takes, where it says no maximum.
    largest: Vec<Option<i64>>,
    /// Why knobs are not asked for.
    pub left: Vec<Option<Left>>,
}

/// What the values are compared around.
#[derive(Debug, Clone)]
struct Scope {
    values: Vec<String>,
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

/// A way from all objects to a part of one.
#[derive(Debug, Clone)]
enum Step {
    Key(String),
    At(usize),
    Named(String),
}

/// A knob whose effect has no template, and where.
struct Stuck {
    knob: usize,
    path: String,
}

type Found<T> = Result<T, Stuck>;

impl<'a> Builder<'a> {
    pub fn new(knobs: &'a [Knob], sampler: Sampler<'a>) -> Self {
        let mut builder = Self {
            knobs,
            sampler,
            probes: knobs.iter().map(probe::values).collect(),
            largest: vec![None; knobs.len()],
            left: vec![None; knobs.len()],
        };
        for (knob, known) in knobs.iter().enumerate() {
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

    /// The knobs, with the bounds that were found.
    pub fn knobs_with_bounds(&self) -> Vec<Knob> {
        let bounded = |(knob, largest): (&Knob, &Option<i64>)| {
            let mut knob = knob.clone();
            if let Some(largest) = largest {
                knob.parameter.maximum = Some(Value::Integer(*largest));
            }
            knob
        };
        self.knobs.iter().zip(&self.largest).map(bounded).collect()
    }

    /// The templates of all objects; knobs without one are left at their values.
    pub fn templates(&mut self) -> Vec<Template> {
        loop {
            let known = self.probes.iter().map(Vec::len).sum::<usize>();
            match self.attempt() {
                Err(stuck) => self.left[stuck.knob] = Some(without_template(&stuck.path)),
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
                *left = Some(Left::Unused);
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

    /// Finds the most that the stack takes of a number without a maximum of its own.
    fn find_largest(&mut self, knob: usize) {
        let parameter = &self.knobs[knob].parameter;
        if !is_whole(parameter.kind) || parameter.maximum.is_some() {
            return;
        }
        let own = self.own_values();
        let mut takes = |value: i64| {
            let mut values = own.clone();
            values[knob] = value.to_string();
            self.sampler.objects(&values).is_some()
        };
        let Value::Integer(mut low) = self.knobs[knob].value else {
            return;
        };
        if takes(probe::LARGEST) {
            self.largest[knob] = Some(probe::LARGEST);
            return;
        }
        let mut high = probe::LARGEST;
        // Bounds that people set are round.
        let mut round = 1;
        while round < high {
            if round > low {
                if takes(round) {
                    low = round;
                } else {
                    high = round;
                }
            }
            round = round.saturating_mul(10);
        }
        if high > low + 1 && !takes(low + 1) {
            high = low + 1;
        }
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            if takes(middle) {
                low = middle;
            } else {
                high = middle;
            }
        }
        self.largest[knob] = Some(low);
        self.add_probe(knob, low);
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

    fn add_probe(&mut self, knob: usize, value: i64) {
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
            path: shown(path),
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

    /// What a knob's value has to be for a part to be there.
    fn presence(
        &mut self,
        scope: &Scope,
        knob: usize,
        seen: &[(String, bool)],
        path: &[Step],
    ) -> Found<Test> {
        let stuck = || Stuck {
            knob,
            path: shown(path),
        };
        let kind = self.knobs[knob].parameter.kind;
        if is_enumerable(kind) {
            let there = seen.iter().filter(|(_, is_there)| *is_there);
            return Ok(Test::Among(there.map(|(value, _)| value.clone()).collect()));
        }
        if !is_whole(kind) {
            let when_empty = seen.iter().find(|(value, _)| value.is_empty());
            let (_, when_empty) = when_empty.ok_or_else(stuck)?;
            let is_by_emptiness = seen
                .iter()
                .all(|(value, is_there)| value.is_empty() == (is_there == when_empty));
            return is_by_emptiness
                .then_some(Test::Empty(*when_empty))
                .ok_or_else(stuck);
        }
        let mut points: Vec<(i64, bool)> = seen
            .iter()
            .filter_map(|(value, is_there)| Some((value.parse().ok()?, *is_there)))
            .collect();
        points.sort_unstable();
        let mut ranges: Vec<(Option<i64>, Option<i64>)> = Vec::new();
        let mut start = points.first().filter(|(_, is_there)| *is_there).map(|_| None);
        for index in 1..points.len() {
            let ((low, was), (high, is)) = (points[index - 1], points[index]);
            if was == is {
                continue;
            }
            let is_there = |objects: &Objects| find(objects, path).is_some();
            let first = self
                .boundary(scope, knob, (low, high), |objects| is_there(objects) == is)
                .ok_or_else(stuck)?;
            if is {
                start = Some(Some(first));
            } else if let Some(start) = start.take() {
                ranges.push((start, Some(first - 1)));
            }
        }
        if let Some(start) = start {
            ranges.push((start, None));
        }
        match ranges.as_slice() {
            [(least, most)] => Ok(Test::Between(*least, *most)),
            _ => Err(stuck()),
        }
    }

    /// The first value between two for which something holds, when it doesn't for the first and does for the second.
    fn boundary(
        &mut self,
        scope: &Scope,
        knob: usize,
        (mut low, mut high): (i64, i64),
        holds: impl Fn(&Objects) -> bool,
    ) -> Option<i64> {
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            let mut values = scope.values.clone();
            values[knob] = middle.to_string();
            let objects = self.sampler.objects(&values)?;
            if holds(&objects) {
                high = middle;
            } else {
                low = middle;
            }
        }
        self.add_probe(knob, low);
        self.add_probe(knob, high);
        Some(high)
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
            && let Some(expression) = self.scalar(scope, base, &others)
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
    fn scalar(&self, scope: &Scope, base: &Json, others: &[(&Sample, &Json)]) -> Option<Expression> {
        let mut expressions = Vec::new();
        for (knob, known) in self.knobs.iter().enumerate() {
            let mut samples = vec![(scope.values[knob].as_str(), base)];
            let of_knob = others.iter().filter(|(sample, _)| sample.knob == knob);
            samples.extend(of_knob.map(|(sample, other)| (sample.value.as_str(), *other)));
            if samples.iter().any(|(_, json)| *json != base) {
                expressions.push(infer(knob, &known.parameter, &samples)?);
            }
        }
        match expressions.len() {
            1 => expressions.pop(),
            _ => join(&expressions, &scope.values),
        }
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
                    path: shown(path),
                });
            }
        };
        let (knob, cases) = cases;
        if cases.len() < 2 {
            return Err(Stuck {
                knob,
                path: shown(path),
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
                    path: shown(path),
                });
            };
            let samples = self.samples_of(&inner, &own, path);
            let node = self.node(&inner, &own, &samples, path)?;
            chosen.push((Condition { knob, test }, node));
        }
        Ok(Node::Choose(chosen))
    }

    /// The ranges of a whole number in which a part is the same, or follows it; each with one of its values.
    fn by_range(
        &mut self,
        knob: usize,
        scope: &Scope,
        base: &Json,
        others: &[(usize, String, Json)],
        path: &[Step],
    ) -> Found<Vec<(Test, String)>> {
        let stuck = || Stuck {
            knob,
            path: shown(path),
        };
        let own = std::iter::once((scope.values[knob].as_str(), base));
        let others = others.iter().filter(|(other, _, _)| *other == knob);
        let mut points: Vec<(i64, &str, &Json)> = own
            .chain(others.map(|(_, value, json)| (value.as_str(), json)))
            .filter_map(|(value, json)| Some((value.parse().ok()?, value, json)))
            .collect();
        points.sort_by_key(|(value, _, _)| *value);
        let follows = |part: &[(i64, &str, &Json)]| {
            let samples: Vec<(&str, &Json)> = part.iter().map(|(_, text, json)| (*text, *json)).collect();
            let is_scalar = part
                .iter()
                .all(|(_, _, json)| json.is_number() || json.is_string());
            is_scalar && part.len() > 2 && infer(knob, &self.knobs[knob].parameter, &samples).is_some()
        };
        // Each range is as long as it can be; one that follows the number is told by three values at least.
        let mut ranges: Vec<(usize, usize)> = Vec::new();
        let mut start = 0;
        while start < points.len() {
            let same = points[start..]
                .iter()
                .take_while(|(_, _, json)| *json == points[start].2)
                .count();
            let following = (start + 3..=points.len())
                .rev()
                .find(|end| follows(&points[start..*end]))
                .map_or(0, |end| end - start);
            let end = start + same.max(following);
            ranges.push((start, end));
            start = end;
        }
        if ranges.len() > MOST_RANGES {
            return Err(stuck());
        }
        let points: Vec<(i64, String, Json)> = points
            .into_iter()
            .map(|(value, text, json)| (value, text.to_owned(), json.clone()))
            .collect();
        let mut cases = Vec::new();
        let mut least = None;
        for (index, (start, end)) in ranges.iter().enumerate() {
            let mut most = None;
            if index + 1 < ranges.len() {
                let (before, after) = (&points[end - 1], &points[*end]);
                // What is the same is easier told than what follows.
                let is_same = points[*start].2 == before.2;
                let (told, holds) = if is_same {
                    (&before.2, false)
                } else {
                    (&after.2, true)
                };
                let first = self.boundary(scope, knob, (before.0, after.0), |objects| {
                    find(objects, path).is_some_and(|found| (found == told) == holds)
                });
                most = Some(first.ok_or_else(stuck)? - 1);
            }
            cases.push((Test::Between(least, most), points[*start].1.clone()));
            least = most.map(|most| most + 1);
        }
        Ok(cases)
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
fn names_of(list: &Json) -> Option<Vec<String>> {
    let names: Vec<String> = list.as_array()?.iter().map(name_of).collect::<Option<_>>()?;
    let distinct: BTreeSet<&String> = names.iter().collect();
    (distinct.len() == names.len()).then_some(names)
}

fn find<'j>(objects: &'j Objects, path: &[Step]) -> Option<&'j Json> {
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
fn config_files(own: &Objects, path: &[Step]) -> Vec<String> {
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
fn shown(path: &[Step]) -> String {
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
