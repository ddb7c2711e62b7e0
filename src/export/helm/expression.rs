//! Scalars that values make: a value itself, a text that holds values, a number that follows one.

use serde_json::Value as Json;

use super::Knob;
use super::path::Reading;
use super::tree::is_whole;
use crate::export::kubernetes;
use crate::stack::{Kind, Parameter, parse_duration, quantity};

/// How a scalar comes from values.
#[derive(Debug, Clone, PartialEq)]
pub enum Expression {
    /// A number or a boolean.
    Plain(Hole),
    /// A text.
    Text(Vec<Piece>),
    /// A text that Kubernetes expands: as a whole it has each `$` doubled that would be acted upon. Its pieces can't
    /// be doubled each for itself, since what a `$` means is told by what follows it.
    Expanded(Vec<Piece>),
    /// A path, which as a whole has no repeated and no closing slash.
    Path(Vec<Piece>),
}

/// A part of a text.
#[derive(Debug, Clone, PartialEq)]
pub enum Piece {
    /// As it stands.
    Literal(String),
    /// A value.
    Hole(Hole),
}

/// Where a value stands, and in which form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hole {
    /// The knob's number.
    pub knob: usize,
    pub form: Form,
}

/// What is made of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Itself.
    Itself,
    /// Of a whole number: so many times it, and so much more.
    Linear(i64, i64),
    /// Of a duration: its seconds, rounded up, and at least so many.
    Seconds(i64),
}

impl Form {
    /// What it makes of a value; nothing where it takes no such value.
    pub fn of(self, value: &str) -> Option<String> {
        match self {
            Self::Itself => Some(value.to_owned()),
            Self::Linear(times, more) => {
                let value: i64 = value.parse().ok()?;
                Some(value.checked_mul(times)?.checked_add(more)?.to_string())
            }
            Self::Seconds(least) => {
                let seconds = parse_duration(value)?.as_millis().div_ceil(1000);
                let seconds = i64::try_from(seconds).ok()?;
                Some(seconds.max(least).to_string())
            }
        }
    }
}

impl Expression {
    /// What it is for the knobs' values.
    pub fn value(&self, parameters: &[&Parameter], values: &[String]) -> Option<Json> {
        match self {
            Self::Plain(hole) => {
                let text = hole.form.of(&values[hole.knob])?;
                match parameters[hole.knob].kind {
                    Kind::Boolean => text.parse::<bool>().ok().map(Json::from),
                    Kind::Number => text.parse::<f64>().ok().map(Json::from),
                    _ => text.parse::<i64>().ok().map(Json::from),
                }
            }
            Self::Text(pieces) => joined(pieces, parameters, values).map(Json::from),
            Self::Expanded(pieces) => {
                joined(pieces, parameters, values).map(|text| kubernetes::literal(&text).into())
            }
            Self::Path(pieces) => joined(pieces, parameters, values).map(|text| bare_path(&text).into()),
        }
    }

    /// The knobs that it depends on.
    pub fn knobs(&self) -> Vec<usize> {
        match self {
            Self::Plain(hole) => vec![hole.knob],
            Self::Text(pieces) | Self::Expanded(pieces) | Self::Path(pieces) => pieces
                .iter()
                .filter_map(|piece| match piece {
                    Piece::Literal(_) => None,
                    Piece::Hole(hole) => Some(hole.knob),
                })
                .collect(),
        }
    }

    /// The same at a place where a text is read so.
    pub fn read(self, reading: Reading, knobs: &[Knob]) -> Self {
        let (Self::Text(pieces) | Self::Expanded(pieces) | Self::Path(pieces)) = self else {
            return self;
        };
        let is_dull = |piece: &Piece| match piece {
            Piece::Literal(text) => !text.contains('$'),
            Piece::Hole(hole) => hole.is_tame(knobs),
        };
        match reading {
            Reading::Expanded if !pieces.iter().all(is_dull) => Self::Expanded(pieces),
            Reading::Path => Self::Path(pieces),
            Reading::Expanded | Reading::AsItIs => Self::Text(pieces),
        }
    }
}

impl Hole {
    /// Whether what stands there is always a word in which YAML and Kubernetes see nothing else.
    pub fn is_tame(&self, knobs: &[Knob]) -> bool {
        matches!(self.form, Form::Linear(..) | Form::Seconds(_)) || knobs[self.knob].is_tame()
    }
}

/// The text that pieces make.
fn joined(pieces: &[Piece], parameters: &[&Parameter], values: &[String]) -> Option<String> {
    let text = |piece: &Piece| match piece {
        Piece::Literal(text) => Some(text.clone()),
        Piece::Hole(hole) => {
            let text = hole.form.of(&values[hole.knob])?;
            match parameters[hole.knob].kind {
                Kind::Number => text.parse().ok().map(number),
                _ => Some(text),
            }
        }
    };
    pieces.iter().map(text).collect()
}

/// A path in a container without repeated and closing slashes.
fn bare_path(path: &str) -> String {
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    format!("/{}", parts.join("/"))
}

/// What Kubernetes makes of a text in which each `$` is doubled that it would act upon.
pub fn unescaped(json: &Json) -> Json {
    match json {
        Json::String(text) => text.replace("$$", "$").into(),
        other => other.clone(),
    }
}

/// A number as a chart writes one, whose values keep nothing of how it was typed.
fn number(value: f64) -> String {
    let size = value.abs();
    if size == 0.0 || (1e-6..1e21).contains(&size) {
        return value.to_string();
    }
    let text = format!("{value:e}");
    if text.contains("e-") {
        text
    } else {
        text.replace('e', "e+")
    }
}

/// Whether two scalars mean the same, where they are a whole quantity: `1024Mi` and `1Gi` do.
pub fn is_same(one: &Json, other: &Json, is_quantity: bool) -> bool {
    if one == other {
        return true;
    }
    let amount = |json: &Json| json.as_str().and_then(quantity);
    is_quantity && amount(one).is_some() && amount(one) == amount(other)
}

/// Whether an expression is one quantity and nothing else.
pub fn is_quantity(expression: &Expression, parameters: &[&Parameter]) -> bool {
    match expression {
        Expression::Text(pieces) => {
            matches!(pieces.as_slice(), [Piece::Hole(hole)] if parameters[hole.knob].kind == Kind::Quantity)
        }
        Expression::Plain(_) | Expression::Expanded(_) | Expression::Path(_) => false,
    }
}

/// Finds how a scalar comes from one knob, given what it is for some of its values; the first is its own.
pub fn infer(
    knob: usize,
    parameter: &Parameter,
    samples: &[(&str, &Json)],
    reading: Reading,
) -> Option<Expression> {
    let candidates = candidates(knob, parameter, samples).into_iter();
    let parameters: Vec<&Parameter> = vec![parameter; knob + 1];
    let mut read = candidates.map(|expression| match expression {
        Expression::Text(pieces) if reading == Reading::Path => Expression::Path(pieces),
        other => other,
    });
    read.find(|expression| {
        let is_quantity = is_quantity(expression, &parameters);
        samples.iter().all(|(value, json)| {
            let mut values = vec![String::new(); knob + 1];
            (*value).clone_into(&mut values[knob]);
            expression
                .value(&parameters, &values)
                .is_some_and(|made| is_same(&made, json, is_quantity))
        })
    })
}

fn candidates(knob: usize, parameter: &Parameter, samples: &[(&str, &Json)]) -> Vec<Expression> {
    let hole = |form| Hole { knob, form };
    let texts: Option<Vec<(&str, &str)>> = samples
        .iter()
        .map(|(value, json)| Some((*value, json.as_str()?)))
        .collect();
    let Some(texts) = texts else {
        let numbers: Option<Vec<(&str, i64)>> = samples
            .iter()
            .map(|(value, json)| Some((*value, json.as_i64()?)))
            .collect();
        // What else a text may say that becomes a number, such as `1000:2000` for a user, no sample tells.
        let is_typed = parameter.kind.is_typed();
        let mut found: Vec<_> = is_typed
            .then(|| Expression::Plain(hole(Form::Itself)))
            .into_iter()
            .collect();
        if let Some(numbers) = numbers {
            let forms = forms(parameter.kind, &numbers);
            found.extend(forms.into_iter().map(|form| Expression::Plain(hole(form))));
        }
        return found;
    };
    let mut found = Vec::new();
    // The value that stands in a text by chance least.
    let rare = texts
        .iter()
        .filter(|(value, _)| !value.is_empty())
        .max_by_key(|(value, _)| value.len());
    if let Some(rare) = rare {
        // It may stand there by chance as well as on purpose.
        for (value, text) in std::iter::once(rare).chain(&texts) {
            if !value.is_empty() && text.contains(value) {
                found.push(Expression::Text(split(text, value, &hole(Form::Itself))));
            }
        }
    }
    found.extend(by_numbers(knob, parameter.kind, &texts));
    found
}

fn split(text: &str, needle: &str, hole: &Hole) -> Vec<Piece> {
    let mut pieces = Vec::new();
    for (index, part) in text.split(needle).enumerate() {
        if index > 0 {
            pieces.push(Piece::Hole(hole.clone()));
        }
        if !part.is_empty() {
            pieces.push(Piece::Literal(part.to_owned()));
        }
    }
    pieces
}

/// How numbers may come from values.
fn forms(kind: Kind, samples: &[(&str, i64)]) -> Vec<Form> {
    if kind == Kind::Duration {
        return vec![Form::Seconds(0), Form::Seconds(1)];
    }
    let points: Option<Vec<(i64, i64)>> = samples
        .iter()
        .map(|(value, number)| Some((value.parse().ok()?, *number)))
        .collect();
    let Some(points) = points.filter(|_| is_whole(kind)) else {
        return Vec::new();
    };
    let Some((first, second)) = points
        .first()
        .and_then(|first| Some((first, points.iter().find(|point| point.0 != first.0)?)))
    else {
        return Vec::new();
    };
    let (Some(rise), Some(run)) = (second.1.checked_sub(first.1), second.0.checked_sub(first.0)) else {
        return Vec::new();
    };
    if rise % run != 0 {
        return Vec::new();
    }
    let times = rise / run;
    let more = times
        .checked_mul(first.0)
        .and_then(|part| first.1.checked_sub(part));
    more.map(|more| Form::Linear(times, more)).into_iter().collect()
}

/// Texts that are the same but for numbers in them.
fn by_numbers(knob: usize, kind: Kind, texts: &[(&str, &str)]) -> Option<Expression> {
    let parts: Vec<Vec<&str>> = texts.iter().map(|(_, text)| tokens(text)).collect();
    let first = parts.first()?;
    if parts.iter().any(|part| part.len() != first.len()) {
        return None;
    }
    let mut pieces = Vec::new();
    for (index, token) in first.iter().enumerate() {
        if parts.iter().all(|part| part[index] == *token) {
            pieces.push(Piece::Literal((*token).to_owned()));
            continue;
        }
        let numbers: Vec<(&str, i64)> = texts
            .iter()
            .zip(&parts)
            .map(|((value, _), part)| Some((*value, part[index].parse().ok()?)))
            .collect::<Option<_>>()?;
        let form = forms(kind, &numbers).into_iter().find(|form| {
            numbers
                .iter()
                .zip(&parts)
                .all(|((value, _), part)| form.of(value).is_some_and(|made| made == part[index]))
        })?;
        pieces.push(Piece::Hole(Hole { knob, form }));
    }
    Some(Expression::Text(pieces))
}

/// A text as numbers and what is between them.
fn tokens(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let is_digit = first.is_ascii_digit();
        let end = rest
            .find(|character: char| character.is_ascii_digit() != is_digit)
            .unwrap_or(rest.len());
        let (token, after) = rest.split_at(end);
        found.push(token);
        rest = after;
    }
    found
}

/// Joins what several knobs make of one text: where each of them stands in it, given their own values.
pub fn join(expressions: &[Expression], values: &[String]) -> Option<Expression> {
    let mut holes: Vec<(usize, usize, Hole)> = Vec::new();
    let mut whole: Option<String> = None;
    for expression in expressions {
        let (Expression::Text(pieces) | Expression::Path(pieces)) = expression else {
            return None;
        };
        let mut text = String::new();
        for piece in pieces {
            match piece {
                Piece::Literal(literal) => text.push_str(literal),
                Piece::Hole(hole) => {
                    let start = text.len();
                    text.push_str(&hole.form.of(&values[hole.knob])?);
                    holes.push((start, text.len(), hole.clone()));
                }
            }
        }
        if whole.get_or_insert_with(|| text.clone()) != &text {
            return None;
        }
    }
    let whole = whole?;
    holes.sort_by_key(|(start, end, _)| (*start, *end));
    let mut pieces = Vec::new();
    let mut at = 0;
    for (start, end, hole) in holes {
        if start < at {
            return None;
        }
        if start > at {
            pieces.push(Piece::Literal(whole[at..start].to_owned()));
        }
        pieces.push(Piece::Hole(hole));
        at = end;
    }
    if at < whole.len() {
        pieces.push(Piece::Literal(whole[at..].to_owned()));
    }
    Some(Expression::Text(pieces))
}

#[cfg(test)]
mod tests {
    use super::number;

    #[test]
    fn numbers_are_written_as_helm_writes_json() {
        for (value, text) in [
            (0.0, "0"),
            (0.5, "0.5"),
            (1e6, "1000000"),
            (12_345_678.5, "12345678.5"),
            (1e20, "100000000000000000000"),
            (1e21, "1e+21"),
            (-0.00001, "-0.00001"),
            (1.5e-7, "1.5e-7"),
        ] {
            assert_eq!(number(value), text);
        }
    }
}
