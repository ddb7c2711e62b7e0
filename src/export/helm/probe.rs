//! Values that a parameter is tried with.

use super::tree::{is_enumerable, is_whole};
use super::{Knob, Setting};
use crate::stack::{Kind, Parameter, Value};

/// Numbers small enough for every count, and odd ones that stand in no text by chance.
const INTEGERS: [i64; 9] = [0, 1, 2, 3, 5, 17, 97, 941, 40_507];
const NUMBERS: [&str; 10] = [
    "0",
    "0.25",
    "0.5",
    "1",
    "2",
    "7.25",
    "97.5",
    "0.00001",
    "1000000",
    "12345678.5",
];
const IMAGES: [&str; 3] = [
    "example/probe:941",
    "registry.example/a/probe",
    "probe@sha256:97a5b3c2d1e0f97a5b3c2d1e0f97a5b3c2d1e0f97a5b3c2d1e0f97a5b3c2d1e0",
];
const PATHS: [&str; 6] = [
    "/probe/941",
    "probe/97",
    "a b/$(C)/d",
    "/x$$y",
    "/p\"q\\r'",
    "/a//b/",
];
const DURATIONS: [&str; 9] = ["0s", "500ms", "1s", "1s500ms", "7s", "1m37s", "97s", "2h", "1d"];
const QUANTITIES: [&str; 11] = [
    "97m", "250m", "0.5", "1", "2", "64Mi", "97Mi", "1024Mi", "1Gi", "1.5Gi", "500M",
];
const STRINGS: [&str; 26] = [
    "probe941",
    "",
    "a",
    "7s",
    "97ms",
    "941",
    "97Mi",
    "0.5",
    "no",
    "1e3",
    "a b",
    " lead: # trail ",
    "x$(Y)z$$",
    "p\"q\\r'",
    "{{ .x }}",
    "two\nlines\n",
    "ü🙂",
    "/probe/941",
    "127.0.0.1:941",
    "127.0.0.1",
    "0.0.0.0",
    "10.97.0.0/16",
    "1000:2000",
    "true",
    "007",
    "http://probe.example/941",
];
const REGISTRIES: [&str; 2] = ["probe.example:941/a", "localhost:97"];
const TAGS: [&str; 2] = ["probe941", "v9.7"];

/// The largest whole number that a value of Helm keeps exactly.
pub const LARGEST: i64 = (1 << 53) - 1;

/// The values that a knob is tried with, its own first.
pub fn values(knob: &Knob) -> Vec<String> {
    let parameter = &knob.parameter;
    let own = knob.value.to_string();
    let mut found = vec![own.clone()];
    let mut add = |text: String| {
        if parameter.parse(&text).is_ok() && !found.contains(&text) {
            found.push(text);
        }
    };
    let texts = |texts: &[&str]| texts.iter().map(ToString::to_string).collect::<Vec<_>>();
    let tried = match (&knob.setting, parameter.kind) {
        (Setting::Registry, _) => texts(&REGISTRIES),
        (Setting::Tag, _) => texts(&TAGS),
        (_, Kind::Integer | Kind::Port) => integers(parameter, &knob.value),
        (_, Kind::Number) => texts(&NUMBERS),
        (_, Kind::Boolean) => texts(&["true", "false"]),
        (_, Kind::Choice) => parameter.choices.clone(),
        (_, Kind::Image) => texts(&IMAGES),
        (_, Kind::Path) => texts(&PATHS),
        (_, Kind::Duration) => texts(&DURATIONS),
        (_, Kind::Quantity) => texts(&QUANTITIES),
        (_, Kind::String) => {
            let mut tried = texts(&STRINGS);
            // A pattern, or the place that it stands in, may take little else than what is like its default.
            tried.extend([
                changed(&own, '7'),
                changed(&own, '3'),
                format!("{own}x"),
                format!("{own}7"),
                format!("{own}:7"),
                format!("{own}/"),
                format!("0{own}"),
                own.to_ascii_uppercase(),
                own.to_ascii_lowercase(),
            ]);
            tried
        }
    };
    let bounds = [&parameter.minimum, &parameter.maximum].into_iter().flatten();
    let bounds: Vec<String> = bounds.map(ToString::to_string).collect();
    tried.into_iter().chain(bounds).for_each(&mut add);
    found
}

/// A few of the values that a knob is tried with: they tell whether it changes something at all.
pub fn telling(parameter: &Parameter, values: &[String]) -> Vec<String> {
    if is_enumerable(parameter.kind) {
        return values.to_vec();
    }
    let number = |text: &&String| text.parse::<i64>().unwrap_or_default();
    let (least, most) = if is_whole(parameter.kind) {
        (values.iter().min_by_key(number), values.iter().max_by_key(number))
    } else {
        (values.get(1), values.last())
    };
    [values.first(), least, most]
        .into_iter()
        .flatten()
        .cloned()
        .collect()
}

/// A text with another digit in the place of each.
fn changed(text: &str, digit: char) -> String {
    text.chars()
        .map(|character| {
            if character.is_ascii_digit() {
                digit
            } else {
                character
            }
        })
        .collect()
}

fn integers(parameter: &Parameter, own: &Value) -> Vec<String> {
    let mut found = INTEGERS.to_vec();
    if let Value::Integer(own) = own {
        found.extend([own.saturating_sub(1), own.saturating_add(1)]);
    }
    if let Some(Value::Integer(minimum)) = parameter.minimum {
        found.extend([minimum.saturating_add(1), minimum.saturating_add(2)]);
    }
    found.retain(|value| value.abs() <= LARGEST);
    found.iter().map(ToString::to_string).collect()
}
