//! The values of a number that a part of a template is for.

use serde_json::Value as Json;

use super::build::{Builder, Found, Scope, Stuck};
use super::expression::infer;
use super::path::{Reading, Step, find};
use super::probe;
use super::sample::Objects;
use super::tree::{Test, is_enumerable, is_whole};
use crate::stack::Value;

/// The most parts that the values of one number are split into.
const MOST_RANGES: usize = 6;

impl Builder<'_> {
    /// Finds the most that the stack takes of a number without a maximum of its own.
    pub fn find_largest(&mut self, knob: usize) {
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

    /// What a knob's value has to be for a part to be there.
    pub fn presence(
        &mut self,
        scope: &Scope,
        knob: usize,
        seen: &[(String, bool)],
        path: &[Step],
    ) -> Found<Test> {
        let stuck = || Stuck {
            knob,
            path: path.to_vec(),
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

    /// The ranges of a whole number in which a part is the same, or follows it; each with one of its values.
    pub fn by_range(
        &mut self,
        knob: usize,
        scope: &Scope,
        base: &Json,
        others: &[(usize, String, Json)],
        path: &[Step],
    ) -> Found<Vec<(Test, String)>> {
        let stuck = || Stuck {
            knob,
            path: path.to_vec(),
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
            is_scalar
                && part.len() > 2
                && infer(knob, &self.knobs[knob].parameter, &samples, Reading::AsItIs).is_some()
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
