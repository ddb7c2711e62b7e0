//! Turns `parameters:` as written into parameters, and says everything that is wrong with them.

use super::{Invalid, Kind, Parameter, Pattern, Value};
use crate::diagnostic::{Diagnostic, Span, quoted};
use crate::yaml::{Anything, Content, Decoder, Field, List, Node, Text, record, words};

record! {
    /// What can be adjusted later: `motif up --set name=value`.
    pub struct RawParameter ("a parameter") {
        /// What it is: string, integer, number, boolean, choice, port, image, path, duration or quantity.
        kind "type" required: Kind,
        /// What it is when nothing is given. Without one, a value must be given.
        default "default": Anything,
        /// What it is for, in a few words.
        help "help": Text,
        /// The least: of integer, number, port, duration and quantity.
        minimum "minimum": Anything,
        /// The most: of integer, number, port, duration and quantity.
        maximum "maximum": Anything,
        /// A regular expression that a string matches as a whole.
        pattern "pattern": Text,
        /// What a choice is one of.
        choices "choices": List<Text>,
    }
}

words! {
    Kind as "a type of parameter" {
        "string" => Kind::String,
        "integer" => Kind::Integer,
        "number" => Kind::Number,
        "boolean" => Kind::Boolean,
        "choice" => Kind::Choice,
        "port" => Kind::Port,
        "image" => Kind::Image,
        "path" => Kind::Path,
        "duration" => Kind::Duration,
        "quantity" => Kind::Quantity,
    }
}

/// Turns one declaration into a parameter; `None` once it has said why not.
pub fn declare(
    name: &str,
    name_span: Span,
    raw: &RawParameter,
    decoder: &mut Decoder<'_>,
) -> Option<Parameter> {
    let before = decoder.problems.count();
    if !is_name(name) {
        decoder.push(
            Diagnostic::error(name_span, format!("{} can't name a parameter", quoted(name)))
                .help("a name begins with a letter and goes on with letters, digits, `-`, `_` and `.`"),
        );
    }
    let kind = *raw.kind.value()?;
    let mut parameter = Parameter::new(name, kind);
    parameter.help = raw.help.value().map(|text| text.0.clone());
    only_for(&raw.minimum, "minimum", kind, kind.is_ordered(), decoder);
    only_for(&raw.maximum, "maximum", kind, kind.is_ordered(), decoder);
    only_for(&raw.pattern, "pattern", kind, kind == Kind::String, decoder);
    only_for(&raw.choices, "choices", kind, kind == Kind::Choice, decoder);
    if kind.is_ordered() {
        let minimum = value_of(&raw.minimum, &parameter, decoder);
        parameter.maximum = value_of(&raw.maximum, &parameter, decoder);
        parameter.minimum = minimum;
        check_bounds(raw, &parameter, decoder);
    }
    if let Some(pattern) = raw.pattern.get() {
        match Pattern::new(&pattern.value.0) {
            Ok(compiled) => parameter.pattern = Some(compiled),
            Err(error) => decoder.push(Diagnostic::error(
                pattern.span,
                format!("not a regular expression: {error}"),
            )),
        }
    }
    if kind == Kind::Choice {
        match raw.choices.get() {
            Some(choices) if !choices.value.0.is_empty() => {
                parameter.choices = choices
                    .value
                    .0
                    .iter()
                    .map(|choice| choice.value.0.clone())
                    .collect();
            }
            _ if matches!(raw.choices, Field::Invalid(_)) => {}
            _ => decoder.push(
                Diagnostic::error(name_span, format!("the choice {} has no choices", quoted(name)))
                    .help("list them: `choices: [one, another]`"),
            ),
        }
    }
    // A default is checked by the bounds, which have to be right before.
    if decoder.problems.count() == before {
        parameter.default = value_of(&raw.default, &parameter, decoder);
    }
    (decoder.problems.count() == before).then_some(parameter)
}

/// Whether a text can name a parameter.
pub fn is_name(text: &str) -> bool {
    text.len() <= 63
        && text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text
            .chars()
            .all(|character| character.is_ascii_alphanumeric() || matches!(character, '-' | '_' | '.'))
}

fn only_for<T>(field: &Field<T>, key: &str, kind: Kind, allowed: bool, decoder: &mut Decoder<'_>) {
    if let Some(span) = field.key()
        && !allowed
    {
        decoder.push(Diagnostic::error(span, format!("a {kind} takes no `{key}`")));
    }
}

fn check_bounds(raw: &RawParameter, parameter: &Parameter, decoder: &mut Decoder<'_>) {
    let (Some(minimum), Some(maximum)) = (&parameter.minimum, raw.maximum.get()) else {
        return;
    };
    let below = Parameter {
        minimum: Some(minimum.clone()),
        ..Parameter::new("", parameter.kind)
    };
    if let Some(most) = &parameter.maximum
        && below.check(most).is_err()
    {
        decoder.push(Diagnostic::error(
            maximum.span,
            format!(
                "the maximum {} is less than the minimum {}",
                quoted(&most.to_string()),
                quoted(&minimum.to_string())
            ),
        ));
    }
}

fn value_of(field: &Field<Anything>, parameter: &Parameter, decoder: &mut Decoder<'_>) -> Option<Value> {
    let written = field.get()?;
    match parameter.read_node(&written.value.0) {
        Ok(value) => Some(value),
        Err(invalid) => {
            decoder.push(Diagnostic::error(written.span, invalid.to_string()).maybe_help(invalid.help()));
            None
        }
    }
}

impl Parameter {
    /// Reads a value of this parameter from YAML: a quoted text is not a number.
    pub fn read_node(&self, node: &Node) -> Result<Value, Invalid> {
        let wrong = |help: Option<String>| Invalid::Kind {
            kind: self.kind,
            found: node.describe(),
            help,
        };
        match &node.content {
            Content::Scalar { text, plain } => match self.parse(text) {
                Ok(_) if !*plain && self.kind.is_typed() => {
                    Err(wrong(Some("write it without quotes".into())))
                }
                result => result,
            },
            Content::Empty if !self.kind.is_typed() => {
                Err(wrong(Some("write `\"\"` for an empty text".into())))
            }
            _ => Err(wrong(None)),
        }
    }
}
