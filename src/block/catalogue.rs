//! Declares every block once, and turns the declarations into data: names, flags, units, defaults, help.

use std::ffi::OsString;

use clap::{ArgAction, ArgMatches, Command, Parser};

use super::broker::Broker;
use super::fill::Fill;
use super::health::Health;
use super::http_echo::HttpEcho;
use super::init::Init;
use super::key_value::KeyValue;
use super::load::Load;
use super::logs::Logs;
use super::metrics::Metrics;
use super::pause::Pause;
use super::probe::Probe;
use super::proxy::Proxy;
use super::remove::Remove;
use super::rotate::Rotate;
use super::scrape::Scrape;
use super::shard::Shard;
use super::split::Split;
use super::swap::Swap;
use super::sync::Sync;
use super::topz::Topz;
use super::volumes::Volumes;

/// How a block that could run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It did its work.
    Done,
    /// The answer is no: a probe that did not pass.
    Failed,
    /// A program that it ran ended with this code.
    Exit(u8),
}

/// Why a block did not run, or stopped.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such block.
    #[error("no block `{name}`")]
    Unknown {
        /// What was typed.
        name: String,
        /// The blocks there are.
        known: Vec<String>,
    },
    /// Help was asked for: the text to show.
    #[error("{0}")]
    Help(String),
    /// The flags make no sense; the reason is one line.
    #[error("{reason}")]
    Configuration {
        /// What is wrong, in one line.
        reason: String,
        /// What to do next.
        hint: Option<String>,
    },
    /// The block stopped.
    #[error(transparent)]
    Failed(#[from] anyhow::Error),
}

impl Error {
    /// A configuration that makes no sense.
    pub fn configuration(reason: impl Into<String>) -> Self {
        Self::Configuration {
            reason: reason.into(),
            hint: None,
        }
    }
}

/// A program of this binary that runs inside a container.
pub trait Block: Parser {
    /// Whether only the engine starts it: it has no place in a stack.
    const INTERNAL: bool = false;

    /// Runs until it ends.
    fn run(self) -> Result<Outcome, Error>;
}

struct Declaration {
    internal: bool,
    command: fn() -> Command,
    run: fn(&mut ArgMatches) -> Result<Outcome, Error>,
}

const fn declare<B: Block>() -> Declaration {
    Declaration {
        internal: B::INTERNAL,
        command: B::command,
        run: |matches| match B::from_arg_matches_mut(matches) {
            Ok(block) => block.run(),
            Err(error) => Err(usage(&error)),
        },
    }
}

/// Every block, in alphabetical order.
const DECLARATIONS: &[Declaration] = &[
    declare::<Broker>(),
    declare::<Fill>(),
    declare::<Health>(),
    declare::<HttpEcho>(),
    declare::<Init>(),
    declare::<KeyValue>(),
    declare::<Load>(),
    declare::<Logs>(),
    declare::<Metrics>(),
    declare::<Pause>(),
    declare::<Probe>(),
    declare::<Proxy>(),
    declare::<Remove>(),
    declare::<Rotate>(),
    declare::<Scrape>(),
    declare::<Shard>(),
    declare::<Split>(),
    declare::<Swap>(),
    declare::<Sync>(),
    declare::<Topz>(),
    declare::<Volumes>(),
];

/// A block as data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// What follows `motif block`.
    pub name: String,
    /// One line.
    pub description: String,
    /// Whether only the engine starts it: it has no place in a stack.
    pub internal: bool,
    /// Its parameters, in the order of its help.
    pub flags: Vec<Flag>,
}

/// A parameter of a block. Every flag takes a value: `--name=value`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flag {
    /// Without the dashes.
    pub name: String,
    /// The environment variable that sets it too.
    pub environment: Option<String>,
    /// The kind of value, which is its unit: `DURATION`, `SIZE`, `COUNT`, `PORT`, `BOOLEAN`, `PATH`, …
    pub value: String,
    /// The only values it takes, when they are few.
    pub choices: Vec<String>,
    /// What it is when not given.
    pub default: Option<String>,
    /// Whether the block refuses to start without it.
    pub required: bool,
    /// Whether it may be given more than once.
    pub repeated: bool,
    /// One line.
    pub help: String,
}

/// Every block and its flags, from the same declarations that parse them.
pub fn catalogue() -> Vec<Entry> {
    DECLARATIONS
        .iter()
        .map(|declaration| {
            let command = (declaration.command)();
            Entry {
                name: command.get_name().to_owned(),
                description: text(command.get_about()),
                internal: declaration.internal,
                flags: command.get_arguments().filter_map(flag).collect(),
            }
        })
        .collect()
}

fn flag(argument: &clap::Arg) -> Option<Flag> {
    let name = argument.get_long()?;
    if matches!(
        argument.get_action(),
        ArgAction::Help | ArgAction::HelpLong | ArgAction::HelpShort | ArgAction::Version
    ) {
        return None;
    }
    let default: Vec<String> = argument
        .get_default_values()
        .iter()
        .map(|value| value.to_string_lossy().into_owned())
        .collect();
    Some(Flag {
        name: name.to_owned(),
        environment: argument
            .get_env()
            .map(|variable| variable.to_string_lossy().into_owned()),
        value: argument
            .get_value_names()
            .and_then(|names| names.first())
            .map_or_else(|| name.to_ascii_uppercase(), ToString::to_string),
        choices: argument
            .get_possible_values()
            .iter()
            .map(|choice| choice.get_name().to_owned())
            .collect(),
        default: (!default.is_empty()).then(|| default.join(",")),
        required: argument.is_required_set(),
        repeated: matches!(argument.get_action(), ArgAction::Append),
        help: text(argument.get_help()),
    })
}

fn text(styled: Option<&clap::builder::StyledStr>) -> String {
    styled.map(ToString::to_string).unwrap_or_default()
}

/// Runs the block that the words name, until it ends.
pub fn run(words: Vec<OsString>) -> Result<Outcome, Error> {
    let name = words
        .first()
        .map(|word| word.to_string_lossy().into_owned())
        .unwrap_or_default();
    for declaration in DECLARATIONS {
        let command = (declaration.command)();
        if command.get_name() != name {
            continue;
        }
        let shown = format!("motif block {name}");
        let mut matches = command
            .bin_name(shown)
            .try_get_matches_from(words)
            .map_err(|error| usage(&error))?;
        return (declaration.run)(&mut matches);
    }
    Err(Error::Unknown {
        name,
        known: catalogue().into_iter().map(|entry| entry.name).collect(),
    })
}

/// Clap's many lines as one reason and one hint.
fn usage(error: &clap::Error) -> Error {
    if !error.use_stderr() {
        return Error::Help(error.render().to_string());
    }
    let rendered = error.render().to_string();
    let mut paragraphs = rendered.split("\n\n");
    let reason = paragraphs.next().unwrap_or_default();
    let words: Vec<&str> = reason.split_whitespace().collect();
    let reason = words.join(" ");
    let hint = paragraphs.find_map(|paragraph| paragraph.trim().strip_prefix("tip: ").map(str::to_owned));
    Error::Configuration {
        reason: reason.strip_prefix("error: ").unwrap_or(&reason).to_owned(),
        hint,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_declaration_is_whole() {
        let catalogue = catalogue();
        assert!(
            catalogue.is_sorted_by(|left, right| left.name < right.name),
            "blocks are in order"
        );
        for entry in &catalogue {
            assert!(!entry.description.is_empty(), "`{}` says what it is", entry.name);
            for flag in &entry.flags {
                let place = format!("`{}` `--{}`", entry.name, flag.name);
                let variable = format!("MOTIF_{}", flag.name.to_ascii_uppercase().replace('-', "_"));
                assert_eq!(flag.environment.as_ref(), Some(&variable), "{place}");
                assert!(
                    !flag.help.is_empty() && !flag.help.ends_with('.'),
                    "{place}: {}",
                    flag.help
                );
            }
        }
        for declaration in DECLARATIONS {
            (declaration.command)().debug_assert();
        }
    }

    #[test]
    fn a_wrong_flag_is_one_line_and_a_hint() {
        let Err(Error::Configuration { reason, hint }) = run(vec!["http-echo".into(), "--lisen=1".into()])
        else {
            panic!("a wrong flag is a configuration error");
        };
        assert_eq!(reason, "unexpected argument '--lisen' found");
        assert_eq!(hint.as_deref(), Some("a similar argument exists: '--listen'"));
    }
}
