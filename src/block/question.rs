//! A probe as the engine writes it for a block: a command, its rhythm, and how often it has to fail or pass.

use std::str::FromStr;
use std::time::Duration;

use serde::Deserialize;

/// A probe; times in milliseconds.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Question {
    /// The program and its arguments.
    pub command: Vec<String>,
    delay: u64,
    every: u64,
    timeout: u64,
    /// Failed tries in a row before it fails.
    pub failures: u32,
    /// Good tries in a row before it passes.
    pub successes: u32,
}

impl Question {
    /// Time before the first try.
    pub fn delay(&self) -> Duration {
        Duration::from_millis(self.delay)
    }

    /// Time between tries.
    pub fn every(&self) -> Duration {
        Duration::from_millis(self.every)
    }

    /// Time after which a try failed.
    pub fn timeout(&self) -> Duration {
        Duration::from_millis(self.timeout)
    }
}

impl FromStr for Question {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match serde_json::from_str::<Self>(text) {
            Ok(question) if question.command.is_empty() => Err("the command is empty".to_owned()),
            Ok(question) => Ok(question),
            Err(error) => Err(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_is_json() {
        let question = |text: &str| text.parse::<Question>().map_err(|_| ());
        let text = r#"{"command":["true"],"delay":0,"every":10,"timeout":10,"failures":3,"successes":1}"#;
        assert_eq!(question(text).unwrap().failures, 3);
        assert!(question(&text.replace("\"true\"", "")).is_err());
        assert!(question("{}").is_err());
    }
}
