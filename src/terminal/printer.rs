//! The one place that writes to stdout and stderr.

use std::io::{self, IsTerminal, Write};

use anstream::AutoStream;
use clap::builder::styling::{AnsiColor, Style};

use super::{Failure, report};
use crate::diagnostic::Problems;

/// When to use colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum ColorChoice {
    /// On a terminal, unless `NO_COLOR` is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// The form of a command's data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// For people.
    Table,
    /// One JSON document.
    Json,
}

/// Writes data to stdout and talk to stderr.
#[derive(Debug, Clone, Copy)]
pub struct Printer {
    color: anstream::ColorChoice,
    data_color: anstream::ColorChoice,
    quiet: bool,
    /// Whether stderr is for one document.
    has_document: bool,
}

const ERROR: Style = AnsiColor::Red.on_default().bold();
const WARNING: Style = AnsiColor::Yellow.on_default().bold();
const HINT: Style = AnsiColor::Cyan.on_default().bold();

impl Printer {
    /// A printer for this process; decides colour once, for every library too.
    pub fn new(color: ColorChoice, quiet: bool) -> Self {
        let (color, data_color) = match color {
            ColorChoice::Always => (anstream::ColorChoice::Always, anstream::ColorChoice::Always),
            ColorChoice::Never => (anstream::ColorChoice::Never, anstream::ColorChoice::Never),
            ColorChoice::Auto if std::env::var_os("TERM").is_some_and(|term| term == "dumb") => {
                (anstream::ColorChoice::Never, anstream::ColorChoice::Never)
            }
            ColorChoice::Auto => (
                AutoStream::choice(&io::stderr()),
                AutoStream::choice(&io::stdout()),
            ),
        };
        color.write_global();
        let colored = color != anstream::ColorChoice::Never;
        dialoguer::console::set_colors_enabled(colored);
        dialoguer::console::set_colors_enabled_stderr(colored);
        Self {
            color,
            data_color,
            quiet,
            has_document: false,
        }
    }

    /// The same for a command whose talk is one document: nothing stands beside it but why the command failed.
    pub fn for_a_document(self) -> Self {
        Self {
            quiet: true,
            has_document: true,
            ..self
        }
    }

    /// Whether a person watches stderr.
    pub fn is_interactive(self) -> bool {
        io::stderr().is_terminal() && !self.quiet
    }

    /// Whether talk is coloured.
    pub fn is_colored(self) -> bool {
        self.color != anstream::ColorChoice::Never
    }

    /// Whether data may be coloured.
    pub fn colors_data(self) -> bool {
        self.data_color != anstream::ColorChoice::Never
    }

    /// Writes data. A reader that went away ends the data, not the command.
    pub fn data(self, text: impl AsRef<[u8]>) -> io::Result<()> {
        self.stream(text).map(|_| ())
    }

    /// Writes a page for people. Whatever it quotes can't play tricks with the terminal.
    pub fn page(self, text: impl AsRef<str>) -> io::Result<()> {
        self.data(plain(text.as_ref()))
    }

    /// Writes data that has no end of its own; `false` when the reader went away.
    #[expect(clippy::unused_self, reason = "only a printer may write")]
    pub fn stream(self, text: impl AsRef<[u8]>) -> io::Result<bool> {
        let mut out = io::stdout().lock();
        match out.write_all(text.as_ref()).and_then(|()| out.flush()) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
            Err(error) => Err(io::Error::new(
                error.kind(),
                format!("failed to write to stdout: {error}"),
            )),
        }
    }

    /// Passes on what another program wrote to its stderr.
    #[expect(clippy::unused_self, reason = "only a printer may write")]
    pub fn pass_on(self, bytes: &[u8]) {
        let mut err = io::stderr().lock();
        let _ = err.write_all(bytes).and_then(|()| err.flush());
    }

    /// Says how things go.
    pub fn status(self, line: impl AsRef<str>) {
        if !self.quiet {
            self.talk(line.as_ref());
        }
    }

    /// Says what may be wrong.
    pub fn warning(self, line: impl AsRef<str>) {
        if self.has_document {
            return;
        }
        self.talk(&format!("{WARNING}warning:{WARNING:#} {}", plain(line.as_ref())));
    }

    /// Says what to do next.
    pub fn hint(self, line: impl AsRef<str>) {
        if !self.quiet {
            self.talk(&format!("{HINT}hint:{HINT:#} {}", plain(line.as_ref())));
        }
    }

    /// Draws problems, each with its place in the text.
    pub fn problems(self, problems: &Problems) {
        if self.has_document {
            return;
        }
        for paragraph in report::draw(problems, self.is_colored()) {
            self.talk(&paragraph);
        }
    }

    /// Says something to a machine that reads stderr.
    pub fn document(self, text: impl AsRef<str>) {
        self.talk(text.as_ref());
    }

    /// Says what failed, why, and what to do next.
    pub fn failure(self, failure: &Failure) {
        if let Some(problems) = failure.error.downcast_ref::<Problems>() {
            self.problems(problems);
        }
        let error = failure.error.to_string();
        self.talk(&format!("{ERROR}error:{ERROR:#} {}", plain(&error)));
        for cause in failure.error.chain().skip(1) {
            self.talk(&format!("  caused by: {}", plain(&cause.to_string())));
        }
        for hint in &failure.hints {
            self.talk(&format!("{HINT}hint:{HINT:#} {}", plain(hint)));
        }
    }

    /// Stderr is best effort: where it can't be written, there is nobody to tell.
    fn talk(self, line: &str) {
        let _ = writeln!(AutoStream::new(io::stderr(), self.color), "{line}");
    }
}

/// A text without what a terminal would obey: escape sequences, and control characters but tabs and line breaks.
pub fn plain(text: &str) -> String {
    let text = anstream::adapter::strip_str(text).to_string();
    text.replace(|c: char| c.is_control() && !matches!(c, '\n' | '\t'), "")
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn a_terminal_obeys_no_text_of_others() {
        assert_eq!(plain("a\u{1b}[31mred\u{1b}[0m\tb\n"), "ared\tb\n");
        assert_eq!(plain("\u{1b}]0;title\u{7}x\u{9b}2J\r"), "x2J");
        assert_eq!(plain("größer →"), "größer →");
    }
}
