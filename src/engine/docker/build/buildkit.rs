//! Reads BuildKit's trace: which steps run, what each said last, and which one failed.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bollard_buildkit_proto::moby::buildkit::v1::StatusResponse;
use prost::Message as _;

use super::dockerfile::{Dockerfile, Instruction};
use super::{BuildFailure, Job, keep_last};

/// The kind of an answer's line that holds a piece of the trace.
pub const TRACE: &str = "moby.buildkit.trace";

/// What was read so far.
#[derive(Debug, Default)]
pub struct Trace {
    steps: BTreeMap<String, Step>,
    /// The steps that were told of.
    told: BTreeSet<String>,
}

/// A step: BuildKit's vertex.
#[derive(Debug, Default)]
struct Step {
    /// `[2/3] RUN make`.
    name: String,
    error: String,
    last: VecDeque<String>,
    rest: String,
}

impl Trace {
    /// Takes the next piece, base64 in JSON; returns the lines worth showing.
    pub fn read(&mut self, aux: &serde_json::Value) -> Vec<String> {
        // A piece that can't be read is only not shown: the answer's other lines say how the build ends.
        let piece = aux.as_str().and_then(|text| BASE64_STANDARD.decode(text).ok());
        let piece = StatusResponse::decode(piece.unwrap_or_default().as_slice()).unwrap_or_default();
        let mut shown = Vec::new();
        for vertex in piece.vertexes {
            let step = self.steps.entry(vertex.digest.clone()).or_default();
            step.name = vertex.name;
            step.error = vertex.error;
            let is_worth = vertex.started.is_some() && !vertex.cached && !step.name.starts_with("[internal]");
            if is_worth && vertex.completed.is_none() && self.told.insert(vertex.digest) {
                shown.push(step.name.clone());
            }
        }
        for log in piece.logs {
            let step = self.steps.entry(log.vertex).or_default();
            step.rest.push_str(&String::from_utf8_lossy(&log.msg));
            while let Some(end) = step.rest.find(['\n', '\r']) {
                let line = step.rest[..end].trim_end().to_owned();
                step.rest.drain(..=end);
                if !line.is_empty() {
                    keep_last(&mut step.last, line.clone());
                    shown.push(line);
                }
            }
        }
        shown
    }

    /// Says which line of the Dockerfile failed, and how.
    pub fn failure(self, error: String, job: &Job<'_>) -> BuildFailure {
        // What is cancelled because another one failed has an error too.
        let is_cause = |step: &&Step| !step.error.is_empty() && !step.error.contains("context canceled");
        let failed = self.steps.into_values().find(|step| is_cause(&step));
        let Some(mut step) = failed else {
            return job.failure(None, None, error, VecDeque::new());
        };
        if !step.rest.trim().is_empty() {
            keep_last(&mut step.last, step.rest.trim_end().to_owned());
        }
        let code = error
            .rsplit_once("exit code: ")
            .and_then(|(_, code)| code.trim().parse().ok());
        let instruction = instruction(&job.recipe.dockerfile, &step.name);
        job.failure(instruction, code, error, step.last)
    }
}

/// The instruction that a step is of: `[2/3] RUN make`, `[build 2/3] RUN make`, `[linux/arm64 build 2/3] RUN make`.
fn instruction<'a>(dockerfile: &'a Dockerfile, name: &str) -> Option<&'a Instruction> {
    let (place, text) = name.strip_prefix('[')?.split_once("] ")?;
    let mut words: Vec<&str> = place.split_whitespace().collect();
    let (number, _) = words.pop()?.split_once('/')?;
    let stage = words.pop().filter(|word| !word.contains('/'));
    let stages = stages(dockerfile);
    let stage = match stage {
        None => stages.first(),
        Some(stage) => stages.iter().find(|(name, _)| name == stage),
    };
    let (_, instructions) = stage?;
    let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let mut alike = instructions
        .iter()
        .filter(|instruction| words(&instruction.text) == words(text));
    // What BuildKit shows has its variables filled in; where the text says nothing, the number counts what makes a layer.
    if let (Some(found), None) = (alike.next(), alike.next()) {
        return Some(found);
    }
    let makes_a_layer = |instruction: &&&Instruction| {
        let word = instruction.text.split_whitespace().next().unwrap_or_default();
        ["FROM", "RUN", "COPY", "ADD", "WORKDIR"]
            .iter()
            .any(|name| word.eq_ignore_ascii_case(name))
    };
    let layers: Vec<&&Instruction> = instructions.iter().filter(makes_a_layer).collect();
    let first = text.split_whitespace().next()?;
    let number: usize = number.parse().ok()?;
    // A stage on another stage doesn't count its `FROM`.
    let nearby = [number.checked_sub(1)?, number];
    nearby
        .into_iter()
        .filter_map(|at| layers.get(at))
        .find(|instruction| {
            let word = instruction.text.split_whitespace().next().unwrap_or_default();
            word.eq_ignore_ascii_case(first)
        })
        .map(|instruction| **instruction)
}

/// The instructions by stage, as BuildKit names those: `stage-1` where the file doesn't.
fn stages(dockerfile: &Dockerfile) -> Vec<(String, Vec<&Instruction>)> {
    let mut stages: Vec<(String, Vec<&Instruction>)> = Vec::new();
    for instruction in &dockerfile.instructions {
        let words: Vec<&str> = instruction.text.split_whitespace().collect();
        if words[0].eq_ignore_ascii_case("FROM") {
            let name = match words.as_slice() {
                [.., word, name] if word.eq_ignore_ascii_case("AS") => name.to_ascii_lowercase(),
                _ => format!("stage-{}", stages.len()),
            };
            stages.push((name, Vec::new()));
        }
        if let Some((_, instructions)) = stages.last_mut() {
            instructions.push(instruction);
        }
    }
    stages
}
