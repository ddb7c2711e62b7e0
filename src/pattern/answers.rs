//! Turns what was given on the command line, in a file and at the prompt into a pattern's answers.

use std::collections::BTreeMap;

use super::{Pattern, Question};
use crate::diagnostic::{Place, nearest, quoted};
use crate::parameters::{Invalid, Value};

/// The answers to a pattern's questions: every parameter whose condition holds has a value, no other has one.
#[derive(Debug, Clone, PartialEq)]
pub struct Answers {
    /// The project's name.
    pub name: String,
    /// Values by parameter.
    pub values: BTreeMap<String, Value>,
}

/// One answer as given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The parameter.
    pub name: String,
    /// The value's text.
    pub text: String,
    /// Where it stands, when in a file.
    pub place: Option<Place>,
}

/// What is wrong with an answer.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum AnswerError {
    /// The pattern has no such parameter.
    #[error("{}the pattern has no parameter {}", Before(.place.as_ref()), quoted(name))]
    Unknown {
        /// What was named.
        name: String,
        /// What was probably meant.
        meant: Option<String>,
        /// Where it was named, when in a file.
        place: Option<Place>,
    },
    /// The text is not a value of the parameter.
    #[error("{}{}: {invalid}", Before(.place.as_ref()), quoted(name))]
    Invalid {
        /// The parameter.
        name: String,
        /// Why not.
        invalid: Invalid,
        /// Where it stands, when in a file.
        place: Option<Place>,
    },
    /// Two answers need different answers to a third question.
    #[error("{} and {} exclude each other", quoted(first), quoted(second))]
    Exclude {
        /// The one.
        first: String,
        /// The other.
        second: String,
        /// What they disagree about.
        about: String,
    },
    /// The parameter means nothing with the other answers.
    #[error("{} is not asked here: only when {condition}", quoted(name))]
    Irrelevant {
        /// The parameter.
        name: String,
        /// When it is asked.
        condition: String,
    },
    /// Nothing was given, and there is no default.
    #[error("{} is not given, and has no default", quoted(name))]
    Missing {
        /// The parameter.
        name: String,
    },
}

struct Before<'a>(Option<&'a Place>);

impl std::fmt::Display for Before<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Some(place) => write!(formatter, "{place}: "),
            None => Ok(()),
        }
    }
}

impl AnswerError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Unknown { meant, .. } => meant
                .as_ref()
                .map(|meant| format!("did you mean {}?", quoted(meant))),
            Self::Invalid { invalid, .. } => invalid.help(),
            Self::Exclude { about, .. } => Some(format!(
                "they need different answers to {}: give one of them",
                quoted(about)
            )),
            Self::Irrelevant { .. } => None,
            Self::Missing { name } => Some(format!(
                "give it with `--set {name}=…`, or in the file of `--answers`"
            )),
        }
    }
}

/// Asks a question whose default is known; `None` when it can't or may not ask.
pub type Ask<'a, E> = dyn FnMut(&Question, Option<&Value>) -> Result<Option<Value>, E> + 'a;

/// What keeps answers from being resolved: wrong ones, or a prompt that failed.
#[derive(Debug)]
pub enum Unresolved<E> {
    /// Everything that is wrong with them.
    Wrong(Vec<AnswerError>),
    /// The prompt failed.
    Prompt(E),
}

/// Resolves a pattern's questions. The first of these that says something wins:
///
/// 1. what was given by `--set`,
/// 2. what stands in the answers file,
/// 3. what is answered at the prompt,
/// 4. the default.
///
/// An answer to a question that is asked on one condition only also answers what that condition is about:
/// `app.image=…` says that `app.from` is `image`.
pub fn resolve<E>(
    pattern: &Pattern,
    name: &str,
    flags: &[Answer],
    file: &[Answer],
    ask: &mut Ask<'_, E>,
) -> Result<Answers, Unresolved<E>> {
    let mut wrong = Vec::new();
    let from_flags = Given::read(pattern, flags, &mut wrong);
    let from_file = Given::read(pattern, file, &mut wrong);
    if !wrong.is_empty() {
        return Err(Unresolved::Wrong(wrong));
    }
    let mut values = BTreeMap::new();
    for question in &pattern.questions {
        if !question.when.holds(&values) {
            // In a file it may be left from before a flag changed what it depends on.
            if from_flags.explicit.contains_key(&question.name) {
                wrong.push(AnswerError::Irrelevant {
                    name: question.name.clone(),
                    condition: question.when.to_string(),
                });
            }
            continue;
        }
        let default = question.default(&values);
        let given = from_flags
            .value(&question.name)
            .or_else(|| from_file.value(&question.name));
        let value = match given {
            Some(value) => Some(value.clone()),
            // Once something is wrong, no more is asked: the answers would be in vain.
            None if wrong.is_empty() => ask(question, default)
                .map_err(Unresolved::Prompt)?
                .or(default.cloned()),
            None => default.cloned(),
        };
        match value {
            Some(value) => drop(values.insert(question.name.clone(), value)),
            None => wrong.push(AnswerError::Missing {
                name: question.name.clone(),
            }),
        }
    }
    if wrong.is_empty() {
        Ok(Answers {
            name: name.to_owned(),
            values,
        })
    } else {
        Err(Unresolved::Wrong(wrong))
    }
}

/// The answers of one origin.
struct Given {
    explicit: BTreeMap<String, Value>,
    /// What follows from them: parameter to value, and the answer that it follows from.
    implied: BTreeMap<String, (Value, String)>,
}

impl Given {
    fn read(pattern: &Pattern, answers: &[Answer], wrong: &mut Vec<AnswerError>) -> Self {
        let mut given = Self {
            explicit: BTreeMap::new(),
            implied: BTreeMap::new(),
        };
        for answer in answers {
            let Some(question) = pattern
                .questions
                .iter()
                .find(|question| question.name == answer.name)
            else {
                let names = pattern.questions.iter().map(|question| question.name.as_str());
                wrong.push(AnswerError::Unknown {
                    name: answer.name.clone(),
                    meant: nearest(&answer.name, names).map(str::to_owned),
                    place: answer.place.clone(),
                });
                continue;
            };
            match question.parameter.parse(&answer.text) {
                Ok(value) => drop(given.explicit.insert(question.name.clone(), value)),
                Err(invalid) => wrong.push(AnswerError::Invalid {
                    name: answer.name.clone(),
                    invalid,
                    place: answer.place.clone(),
                }),
            }
        }
        // From the last question to the first, so that what is implied can imply in turn.
        for question in pattern.questions.iter().rev() {
            if given.value(&question.name).is_some() {
                given.imply(question, wrong);
            }
        }
        given
    }

    fn value(&self, name: &str) -> Option<&Value> {
        self.explicit
            .get(name)
            .or(self.implied.get(name).map(|(value, _)| value))
    }

    fn imply(&mut self, question: &Question, wrong: &mut Vec<AnswerError>) {
        for (about, values) in &question.when.0 {
            match (self.explicit.get(about), self.implied.get(about)) {
                (None, Some((value, first))) if !values.contains(value) => wrong.push(AnswerError::Exclude {
                    first: question.name.clone(),
                    second: first.clone(),
                    about: about.clone(),
                }),
                // Said in so many words: whether the condition holds is seen when it is asked.
                (Some(_), _) | (None, Some(_)) => {}
                (None, None) => {
                    if let [value] = values.as_slice() {
                        let implied = (value.clone(), question.name.clone());
                        self.implied.insert(about.clone(), implied);
                    }
                }
            }
        }
    }
}
