//! What a parameter may be, and whether a text or a value is it.

use std::fmt;

use regex_lite::Regex;

use super::{ImageReference, parse_duration, quantity};
use crate::diagnostic::{Listed, nearest, quoted};
use crate::yaml;

/// A checked value of a parameter.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Text of the kinds string, choice, image, path, duration and quantity.
    Text(String),
    /// A whole number; also of the kind port.
    Integer(i64),
    /// A number, and as it was written.
    Number(f64, String),
    /// True or false.
    Boolean(bool),
}

impl fmt::Display for Value {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) | Self::Number(_, text) => formatter.write_str(text),
            Self::Integer(value) => write!(formatter, "{value}"),
            Self::Boolean(value) => write!(formatter, "{value}"),
        }
    }
}

/// The type of a parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Any text.
    String,
    /// A whole number.
    Integer,
    /// A number.
    Number,
    /// True or false.
    Boolean,
    /// One of some words.
    Choice,
    /// A port, 1 to 65535.
    Port,
    /// An image reference.
    Image,
    /// A path.
    Path,
    /// A duration with its unit: `500ms`, `1m30s`.
    Duration,
    /// An amount in Kubernetes' notation: `250m`, `64Mi`.
    Quantity,
}

impl Kind {
    /// Every kind, with its word.
    pub const ALL: [(&str, Self); 10] = [
        ("string", Self::String),
        ("integer", Self::Integer),
        ("number", Self::Number),
        ("boolean", Self::Boolean),
        ("choice", Self::Choice),
        ("port", Self::Port),
        ("image", Self::Image),
        ("path", Self::Path),
        ("duration", Self::Duration),
        ("quantity", Self::Quantity),
    ];

    /// As in "expected …".
    pub fn expected(self) -> &'static str {
        match self {
            Self::String => "a text",
            Self::Integer => "a whole number",
            Self::Number => "a number",
            Self::Boolean => "`true` or `false`",
            Self::Choice => "one of its choices",
            Self::Port => "a port from 1 to 65535",
            Self::Image => "an image such as `nginx:1.27`",
            Self::Path => "a path",
            Self::Duration => "a duration such as `30s` or `500ms`",
            Self::Quantity => "an amount such as `250m` or `64Mi`",
        }
    }

    /// Whether its values are something else than text: a plain scalar in YAML.
    pub fn is_typed(self) -> bool {
        matches!(self, Self::Integer | Self::Number | Self::Boolean | Self::Port)
    }

    /// Whether values have an order, so that they can have bounds.
    pub fn is_ordered(self) -> bool {
        matches!(
            self,
            Self::Integer | Self::Number | Self::Port | Self::Duration | Self::Quantity
        )
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = Self::ALL
            .iter()
            .find(|(_, kind)| kind == self)
            .map_or("", |(word, _)| word);
        formatter.write_str(word)
    }
}

/// A regular expression that a text matches as a whole.
#[derive(Debug, Clone)]
pub struct Pattern {
    written: String,
    whole: Regex,
}

impl Pattern {
    /// Compiles a pattern; the error says what is wrong with it.
    pub fn new(written: &str) -> Result<Self, String> {
        let compile = |text: &str| Regex::new(text).map_err(|error| error.to_string());
        compile(written)?;
        Ok(Self {
            written: written.to_owned(),
            whole: compile(&format!("^(?:{written})$"))?,
        })
    }

    /// The pattern as written.
    pub fn written(&self) -> &str {
        &self.written
    }
}

/// A declared parameter. Its default keeps its own rules.
#[derive(Debug, Clone)]
pub struct Parameter {
    /// Its name.
    pub name: String,
    /// Its type.
    pub kind: Kind,
    /// What it is when nothing is given; without one, a value must be given.
    pub default: Option<Value>,
    /// What it is for.
    pub help: Option<String>,
    /// The least, for ordered kinds.
    pub minimum: Option<Value>,
    /// The most, for ordered kinds.
    pub maximum: Option<Value>,
    /// What a string matches as a whole.
    pub pattern: Option<Pattern>,
    /// What a choice is one of.
    pub choices: Vec<String>,
}

/// Why a text is not a value of a parameter.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// It is not of the parameter's kind.
    #[error("expected {}, found {found}", kind.expected())]
    Kind {
        /// The parameter's kind.
        kind: Kind,
        /// What was given, as in a sentence.
        found: String,
        /// How to write it, where that is known.
        help: Option<String>,
    },
    /// It is less than the least or more than the most.
    #[error("{} is {relation} {bound}", quoted(found))]
    Bound {
        /// `less than the minimum` or `more than the maximum`.
        relation: &'static str,
        /// The least or the most.
        bound: String,
        /// What was given.
        found: String,
    },
    /// It is none of the choices.
    #[error("{} is none of the choices", quoted(found))]
    Choice {
        /// The choices.
        choices: Vec<String>,
        /// What was given.
        found: String,
    },
    /// It does not match the pattern.
    #[error("{} does not match the pattern {}", quoted(found), quoted(pattern))]
    Pattern {
        /// The pattern.
        pattern: String,
        /// What was given.
        found: String,
    },
}

impl Invalid {
    /// What to write instead.
    pub fn help(&self) -> Option<String> {
        match self {
            Self::Kind { help, .. } => help.clone(),
            Self::Choice { choices, found } => {
                let words = choices.iter().map(String::as_str);
                Some(match nearest(found, words.clone()) {
                    Some(meant) => format!("did you mean {}?", quoted(meant)),
                    None => format!("it is {}", Listed(words.collect(), "or")),
                })
            }
            Self::Bound { .. } | Self::Pattern { .. } => None,
        }
    }
}

impl Parameter {
    /// A parameter of a kind with nothing else said about it.
    pub fn new(name: impl Into<String>, kind: Kind) -> Self {
        Self {
            name: name.into(),
            kind,
            default: None,
            help: None,
            minimum: None,
            maximum: None,
            pattern: None,
            choices: Vec::new(),
        }
    }

    /// Reads a value of this parameter, as typed on a command line or written plainly in YAML.
    pub fn parse(&self, text: &str) -> Result<Value, Invalid> {
        let value = self.read(text)?;
        self.check(&value)?;
        Ok(value)
    }

    fn read(&self, text: &str) -> Result<Value, Invalid> {
        let wrong = |help: Option<String>| Invalid::Kind {
            kind: self.kind,
            found: quoted(text).to_string(),
            help,
        };
        let text_if = |valid: bool, help: Option<&str>| {
            if valid {
                Ok(Value::Text(text.to_owned()))
            } else {
                Err(wrong(help.map(str::to_owned)))
            }
        };
        match self.kind {
            Kind::String | Kind::Choice => Ok(Value::Text(text.to_owned())),
            Kind::Integer => yaml::whole(text).map(Value::Integer).map_err(wrong),
            Kind::Port => match yaml::whole(text) {
                Ok(port @ 1..=65535) => Ok(Value::Integer(port)),
                Ok(_) => Err(wrong(None)),
                Err(help) => Err(wrong(help)),
            },
            Kind::Number => yaml::number(text)
                .map(|number| Value::Number(number, text.to_owned()))
                .map_err(wrong),
            Kind::Boolean => yaml::boolean(text).map(Value::Boolean).map_err(wrong),
            Kind::Image => text_if(ImageReference::new(text).is_some(), None),
            Kind::Path => text_if(!text.is_empty() && !text.contains(char::is_control), None),
            Kind::Duration => text_if(
                parse_duration(text).is_some(),
                yaml::whole(text)
                    .is_ok()
                    .then_some("add the unit: `s`, `ms`, `m` or `h`"),
            ),
            Kind::Quantity => text_if(quantity(text).is_some(), None),
        }
    }

    /// Checks a value of the right kind against bounds, choices and pattern.
    pub fn check(&self, value: &Value) -> Result<(), Invalid> {
        let found = || value.to_string();
        let beyond = |bound: &Option<Value>, relation: &'static str, wanted: std::cmp::Ordering| {
            let bound = bound.as_ref()?;
            (self.compare(value, bound) == Some(wanted)).then(|| Invalid::Bound {
                relation,
                bound: quoted(&bound.to_string()).to_string(),
                found: found(),
            })
        };
        if let Some(invalid) = beyond(&self.minimum, "less than the minimum", std::cmp::Ordering::Less)
            .or_else(|| {
                beyond(
                    &self.maximum,
                    "more than the maximum",
                    std::cmp::Ordering::Greater,
                )
            })
        {
            return Err(invalid);
        }
        let Value::Text(text) = value else { return Ok(()) };
        if self.kind == Kind::Choice && !self.choices.contains(text) {
            return Err(Invalid::Choice {
                choices: self.choices.clone(),
                found: found(),
            });
        }
        if let Some(pattern) = &self.pattern
            && !pattern.whole.is_match(text)
        {
            return Err(Invalid::Pattern {
                pattern: pattern.written.clone(),
                found: found(),
            });
        }
        Ok(())
    }

    fn compare(&self, left: &Value, right: &Value) -> Option<std::cmp::Ordering> {
        match (left, right) {
            (Value::Integer(left), Value::Integer(right)) => Some(left.cmp(right)),
            (Value::Number(left, _), Value::Number(right, _)) => left.partial_cmp(right),
            (Value::Text(left), Value::Text(right)) if self.kind == Kind::Duration => {
                Some(parse_duration(left)?.cmp(&parse_duration(right)?))
            }
            (Value::Text(left), Value::Text(right)) if self.kind == Kind::Quantity => {
                Some(quantity(left)?.cmp(&quantity(right)?))
            }
            _ => None,
        }
    }
}
