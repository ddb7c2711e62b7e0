//! Asks a person at the terminal. The only user of the prompt library.
//!
//! Never asks where nobody can answer, and leaves the terminal as it was: Ctrl-C shows the cursor again.

use std::io::{self, IsTerminal};

use dialoguer::console::Term;
use dialoguer::theme::{ColorfulTheme, SimpleTheme, Theme};
use dialoguer::{Input, Select};
use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::diagnostic::quoted;
use crate::parameters::{Kind, Parameter, Value};

use super::{Exit, Failure, Printer};

/// A person at the terminal.
pub struct Prompt {
    theme: Box<dyn Theme>,
    runtime: Runtime,
    interrupt: Signal,
}

/// Whether somebody can be asked: both the question and the answer need a terminal.
pub fn can_ask() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

impl Prompt {
    /// Gets ready to ask. From here on Ctrl-C ends the question, not the process.
    pub fn new(printer: Printer) -> Result<Self, Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let guard = runtime.enter();
        let interrupt = signal(SignalKind::interrupt())?;
        drop(guard);
        let theme: Box<dyn Theme> = if printer.is_colored() {
            Box::new(ColorfulTheme::default())
        } else {
            Box::new(SimpleTheme)
        };
        Ok(Self {
            theme,
            runtime,
            interrupt,
        })
    }

    /// Asks for a text until it passes; an empty answer is the default.
    pub fn text(
        &mut self,
        question: &str,
        default: Option<&str>,
        check: impl Fn(&str) -> Result<(), String>,
    ) -> Result<String, Failure> {
        let mut input = Input::<String>::with_theme(self.theme.as_ref())
            .with_prompt(question)
            .validate_with(|text: &String| check(text));
        if let Some(default) = default {
            input = input.default(default.to_owned());
        }
        let answer = input.interact_text();
        self.finish(answer)
    }

    /// Asks for the value of a parameter.
    pub fn value(&mut self, parameter: &Parameter, default: Option<&Value>) -> Result<Value, Failure> {
        let question = match &parameter.help {
            Some(help) => format!("{} ({help})", parameter.name),
            None => parameter.name.clone(),
        };
        let text = match parameter.kind {
            Kind::Choice => self.choice(&question, &parameter.choices, default)?,
            Kind::Boolean => self.choice(&question, &["true".into(), "false".into()], default)?,
            _ => {
                let default = default.map(ToString::to_string);
                self.text(&question, default.as_deref(), |text| {
                    parameter
                        .parse(text)
                        .map(drop)
                        .map_err(|invalid| match invalid.help() {
                            Some(help) => format!("{invalid}: {help}"),
                            None => invalid.to_string(),
                        })
                })?
            }
        };
        parameter
            .parse(&text)
            .map_err(|invalid| Failure::usage(format!("{}: {invalid}", quoted(&parameter.name))))
    }

    fn choice(
        &mut self,
        question: &str,
        choices: &[String],
        default: Option<&Value>,
    ) -> Result<String, Failure> {
        let default = default.map(ToString::to_string);
        let at = choices.iter().position(|choice| Some(choice) == default.as_ref());
        let answer = Select::with_theme(self.theme.as_ref())
            .with_prompt(question)
            .items(choices)
            .default(at.unwrap_or(0))
            .interact();
        let chosen = self.finish(answer)?;
        Ok(choices[chosen].clone())
    }

    /// Turns the end of a question into an answer or the end of the command.
    fn finish<T>(&mut self, answer: dialoguer::Result<T>) -> Result<T, Failure> {
        let interrupted = self.was_interrupted();
        match answer {
            Ok(answer) if !interrupted => Ok(answer),
            Ok(_) => Err(stopped()),
            Err(dialoguer::Error::IO(error)) if interrupted || error.kind() == io::ErrorKind::Interrupted => {
                Err(stopped())
            }
            Err(error) => {
                show_cursor();
                Err(anyhow::Error::new(error).context("failed to ask").into())
            }
        }
    }

    /// Whether Ctrl-C came, at a question or between two.
    fn was_interrupted(&mut self) -> bool {
        let interrupt = &mut self.interrupt;
        self.runtime.block_on(async {
            // One turn of the runtime, which sees signals that came before.
            let turn = std::time::Duration::from_millis(1);
            tokio::time::timeout(turn, interrupt.recv()).await.is_ok()
        })
    }
}

fn stopped() -> Failure {
    show_cursor();
    Failure {
        exit: Exit::Interrupted,
        ..Failure::usage("stopped: nothing was written")
    }
}

fn show_cursor() {
    // The question hid it; where the terminal is gone, it doesn't matter.
    let _ = Term::stderr().show_cursor();
}
