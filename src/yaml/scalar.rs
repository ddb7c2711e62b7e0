//! The scalars that records are made of: texts, whole numbers, numbers and booleans.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::decode::{Decode, Decoder};
use super::node::{Content, Node};
use crate::diagnostic::{Diagnostic, quoted};

/// A schema for a type, or a parameter in its place.
fn or_parameter(schema: &Schema) -> Schema {
    json_schema!({ "anyOf": [schema, { "type": "string", "pattern": "^\\$\\{[^}]*\\}$" }] })
}

/// Any scalar, as the text that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text(pub String);

impl Decode for Text {
    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self> {
        match &node.content {
            Content::Scalar { text, .. } => Some(Self(text.clone())),
            Content::Empty => {
                let owner = decoder.owner;
                decoder.push(
                    Diagnostic::error(owner, "expected a text, found nothing")
                        .help("write `\"\"` for an empty text"),
                );
                None
            }
            Content::Sequence(_) | Content::Mapping(_) | Content::Unresolved => {
                decoder.unexpected(node, "a text");
                None
            }
        }
    }
}

impl JsonSchema for Text {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Text".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        // A plain `8080`, `true` or `~` in a text's place is its text; other YAML readers see another type.
        json_schema!({ "type": ["string", "number", "boolean", "null"] })
    }
}

/// A whole number within bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Whole<const MINIMUM: i64, const MAXIMUM: i64>(pub i64);

impl<const MINIMUM: i64, const MAXIMUM: i64> Decode for Whole<MINIMUM, MAXIMUM> {
    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self> {
        let expected = match (MINIMUM, MAXIMUM) {
            (i64::MIN, i64::MAX) => "a whole number".to_owned(),
            (_, i64::MAX) => format!("a whole number, {MINIMUM} or more"),
            _ => format!("a whole number from {MINIMUM} to {MAXIMUM}"),
        };
        let problem = match &node.content {
            Content::Scalar { text, plain } => match whole(text) {
                Ok(value) if *plain && (MINIMUM..=MAXIMUM).contains(&value) => return Some(Self(value)),
                Ok(_) if *plain => None,
                Ok(value) => Some(instead_of_text(node, text, &value.to_string(), "integer")),
                Err(help) => help,
            },
            _ => None,
        };
        let span = if node.content == Content::Empty {
            decoder.owner
        } else {
            node.span
        };
        decoder.push(
            Diagnostic::error(span, format!("expected {expected}, found {}", node.describe()))
                .maybe_help(problem),
        );
        None
    }
}

impl<const MINIMUM: i64, const MAXIMUM: i64> JsonSchema for Whole<MINIMUM, MAXIMUM> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("Whole number from {MINIMUM} to {MAXIMUM}").into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let mut schema = json_schema!({ "type": "integer" });
        if MINIMUM != i64::MIN {
            schema.insert("minimum".into(), MINIMUM.into());
        }
        if MAXIMUM != i64::MAX {
            schema.insert("maximum".into(), MAXIMUM.into());
        }
        or_parameter(&schema)
    }
}

/// How to write a value that came as a text: in quotes, or through a parameter of type string.
fn instead_of_text(node: &Node, text: &str, value: &str, kind: &str) -> String {
    let is_quoted = node.span.end - node.span.start == text.len() + 2;
    if is_quoted {
        format!("write it without quotes: `{value}`")
    } else {
        format!("a parameter that stands here has the type `{kind}`")
    }
}

/// Reads a whole number as every YAML reader does; else says how to write it, where that is known.
pub fn whole(text: &str) -> Result<i64, Option<String>> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", text.strip_prefix('+').unwrap_or(text)),
    };
    let is_decimal = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    if is_decimal && (digits == "0" || !digits.starts_with('0')) {
        return format!("{sign}{digits}").parse().map_err(|_| None);
    }
    if is_decimal {
        let trimmed = digits.trim_start_matches('0');
        let decimal = if trimmed.is_empty() { "0" } else { trimmed };
        return Err(Some(format!(
            "write `{sign}{decimal}`: YAML readers disagree about leading zeros"
        )));
    }
    let based = |prefix: &str, base| {
        let digits = digits.strip_prefix(prefix)?;
        i64::from_str_radix(digits, base).ok()
    };
    let other = based("0x", 16)
        .or_else(|| based("0o", 8))
        .or_else(|| based("0b", 2))
        .or_else(|| {
            digits
                .contains('_')
                .then(|| digits.replace('_', "").parse().ok())?
        })
        .or_else(|| in_full(digits));
    Err(other.map(|value| format!("write it in full, in decimal: `{sign}{value}`")))
}

/// `1e3`, `1.0`: whole numbers that look like others.
fn in_full(digits: &str) -> Option<i64> {
    let value: f64 = number(digits).ok()?;
    (value.fract() == 0.0 && value.abs() < 1e15).then(|| format!("{value:.0}").parse().ok())?
}

/// Reads a finite decimal number as every YAML reader does.
pub fn number(text: &str) -> Result<f64, Option<String>> {
    let unsigned = text.trim_start_matches(['+', '-']);
    let (mantissa, exponent) = unsigned.split_once(['e', 'E']).unwrap_or((unsigned, "0"));
    let (whole_part, fraction) = mantissa.split_once('.').unwrap_or((mantissa, "0"));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let is_number = text.len() - unsigned.len() <= 1
        && digits(whole_part)
        && digits(fraction)
        && digits(exponent.trim_start_matches(['+', '-']))
        && (whole_part == "0" || !whole_part.starts_with('0'));
    match text.parse::<f64>() {
        Ok(value) if is_number && value.is_finite() => Ok(value),
        _ => Err(None),
    }
}

/// True or false.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Boolean(pub bool);

impl Decode for Boolean {
    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self> {
        let help = match &node.content {
            Content::Scalar { text, plain } => match boolean(text) {
                Ok(value) if *plain => return Some(Self(value)),
                Ok(value) => Some(instead_of_text(node, text, &value.to_string(), "boolean")),
                Err(help) => help,
            },
            _ => None,
        };
        let span = if node.content == Content::Empty {
            decoder.owner
        } else {
            node.span
        };
        decoder.push(
            Diagnostic::error(
                span,
                format!("expected `true` or `false`, found {}", node.describe()),
            )
            .maybe_help(help),
        );
        None
    }
}

impl JsonSchema for Boolean {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Boolean".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        or_parameter(&json_schema!({ "type": "boolean" }))
    }
}

/// Reads `true` or `false`; else says which of them was meant, where that is known.
pub fn boolean(text: &str) -> Result<bool, Option<String>> {
    match text {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => {
            let meant = match text.to_ascii_lowercase().as_str() {
                "true" | "yes" | "on" | "y" | "1" => Some("true"),
                "false" | "no" | "off" | "n" | "0" => Some("false"),
                _ => None,
            };
            Err(meant.map(|meant| format!("write `{meant}`: YAML readers disagree about {}", quoted(text))))
        }
    }
}

/// Any value, not looked at yet.
#[derive(Debug, Clone, PartialEq)]
pub struct Anything(pub Node);

impl Decode for Anything {
    fn decode(node: &Node, _: &mut Decoder<'_>) -> Option<Self> {
        Some(Self(node.clone()))
    }
}

impl JsonSchema for Anything {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Anything".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        Schema::default()
    }
}
