//! Reads the classic builder's output: which step it is at, and what that step said last.

use std::collections::VecDeque;

use super::dockerfile::Instruction;
use super::{BuildFailure, Job, keep_last};

/// What was read so far.
#[derive(Debug, Default)]
pub struct Output {
    step: Option<usize>,
    last: VecDeque<String>,
    rest: String,
}

impl Output {
    /// Takes the next piece of output; returns the lines worth showing.
    pub fn read(&mut self, text: &str) -> Vec<String> {
        self.rest.push_str(text);
        let mut shown = Vec::new();
        // A progress bar redraws its line: each drawing counts as one.
        while let Some(end) = self.rest.find(['\n', '\r']) {
            let line = uncolored(self.rest[..end].trim_end());
            self.rest.drain(..=end);
            if let Some(line) = self.line(line) {
                shown.push(line);
            }
        }
        shown
    }

    fn line(&mut self, line: String) -> Option<String> {
        if let Some((step, instruction)) = step(&line) {
            self.step = Some(step);
            self.last.clear();
            return Some(format!("step {step}: {instruction}"));
        }
        let is_chatter = line.trim().is_empty()
            || line.starts_with(" ---> ")
            || line.starts_with("Removing intermediate container ")
            || line.starts_with("Successfully built ")
            || line.starts_with("Successfully tagged ");
        if is_chatter {
            return None;
        }
        keep_last(&mut self.last, line.clone());
        Some(line)
    }

    /// Says which line of the Dockerfile failed, and how.
    pub fn failure(mut self, error: String, job: &Job<'_>) -> BuildFailure {
        let rest = uncolored(std::mem::take(&mut self.rest).trim_end());
        self.line(rest);
        let failed: Option<&Instruction> = self
            .step
            .and_then(|step| job.recipe.dockerfile.instructions.get(step - 1));
        let code = error
            .rsplit_once("returned a non-zero code: ")
            .and_then(|(_, code)| code.trim().parse().ok());
        job.failure(failed, code, error, self.last)
    }
}

/// A line without its colours: the builder paints what went to stderr.
fn uncolored(line: &str) -> String {
    let mut text = String::with_capacity(line.len());
    let mut rest = line;
    while let Some((before, after)) = rest.split_once("\u{1b}[") {
        text.push_str(before);
        let end = after.find(|c: char| ('\u{40}'..='\u{7e}').contains(&c));
        rest = end.map_or("", |end| &after[end + 1..]);
    }
    text.push_str(rest);
    text
}

/// `Step 2/5 : RUN make` as 2 and `RUN make`.
fn step(line: &str) -> Option<(usize, &str)> {
    let (numbers, instruction) = line.strip_prefix("Step ")?.split_once(" : ")?;
    let (number, _) = numbers.split_once('/')?;
    Some((number.parse().ok().filter(|number| *number > 0)?, instruction))
}

#[cfg(test)]
mod tests {
    use super::super::SHOWN;
    use super::*;

    #[test]
    fn the_reader_knows_the_step_and_its_last_lines() {
        let mut output = Output::default();
        assert_eq!(
            output.read("Step 1/3 : FROM a\n ---> 123\nStep 2"),
            ["step 1: FROM a"]
        );
        assert_eq!(output.read("/3 : RUN b\n"), ["step 2: RUN b"]);
        assert_eq!(output.read("10%\r20%\r\none\n\n"), ["10%", "20%", "one"]);
        for number in 0..100 {
            output.read(&format!("line {number}\n"));
        }
        assert_eq!(output.step, Some(2));
        assert_eq!(output.last.len(), SHOWN);
        assert_eq!(output.last.back().unwrap(), "line 99");
        output.read("Step 3/3 : USER 1\n");
        assert!(output.last.is_empty());
    }

    #[test]
    fn colours_are_taken_off() {
        assert_eq!(uncolored("\u{1b}[91moops \u{1b}[0;1mtwice"), "oops twice");
        assert_eq!(uncolored("a\u{1b}[b\u{1b}["), "a");
        let mut output = Output::default();
        output.read("Step 1/1 : RUN x\n\u{1b}[91moops\n\u{1b}[0mRemoving intermediate container 1\n");
        assert_eq!(output.last, ["oops"]);
    }

    #[test]
    fn a_line_that_only_looks_like_a_step_is_output() {
        for line in ["Step 0/3 : x", "Step by step : x", "Step 1 : x", "Steps 1/2 : x"] {
            assert_eq!(step(line), None, "{line}");
        }
    }
}
