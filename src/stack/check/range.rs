//! Checks how many replicas a pod has.

use super::Checker;
use crate::diagnostic::{Diagnostic, quoted};
use crate::stack::raw::{RawPod, RawRange};
use crate::stack::{PodSpec, Range, Role};
use crate::yaml::Shorthand;

/// Above which use of the processor there are more replicas, where nothing else is said.
const CPU: u32 = 80;

/// The most replicas that a pod says, where it could be read.
pub fn most(raw: &RawPod) -> Option<i64> {
    match raw.replicas.value()? {
        Shorthand::Short(whole) => Some(whole.0),
        Shorthand::Long(range) => Some(range.max.value()?.0),
    }
}

impl Checker<'_> {
    /// The replicas that run, and the range of a cluster.
    pub(super) fn replicas(&mut self, raw: &RawPod, spec: &PodSpec) -> (u32, Option<Range>) {
        let number = |value: i64| u32::try_from(value).unwrap_or(1);
        match raw.replicas.value() {
            None => (1, None),
            Some(Shorthand::Short(whole)) => (number(whole.0), None),
            Some(Shorthand::Long(written)) => {
                let percent = |value: Option<i64>| value.map(number);
                let memory = percent(written.memory.value().map(|whole| whole.0));
                let cpu = percent(written.cpu.value().map(|whole| whole.0));
                let range = Range {
                    most: written.max.value().map_or(1, |whole| number(whole.0)),
                    cpu: cpu.or(memory.is_none().then_some(CPU)),
                    memory,
                };
                let fewest = written.min.value().map_or(1, |whole| number(whole.0));
                self.range(written, range, fewest, spec);
                (fewest, Some(range))
            }
        }
    }

    fn range(&mut self, written: &RawRange, range: Range, fewest: u32, spec: &PodSpec) {
        if let (Some(min), Some(max)) = (written.min.get(), written.max.get())
            && fewest > range.most
        {
            self.push(
                Diagnostic::error(min.span, format!("at least {fewest} and at most {}", range.most))
                    .related(max.span, "the most")
                    .help("`min` is not more than `max`"),
            );
        }
        let running = || {
            let containers = spec.containers.iter();
            containers.filter(|container| container.role != Role::Init)
        };
        let without_cpu = running().find(|container| container.resources.cpu.is_none());
        let without_memory = running().find(|container| container.resources.memory.is_none());
        for (target, key, without, example) in [
            (range.cpu, "cpu", without_cpu, "250m"),
            (range.memory, "memory", without_memory, "64Mi"),
        ] {
            let (Some(percent), Some(container)) = (target, without) else {
                continue;
            };
            let span = match key {
                "cpu" => written.cpu.key(),
                _ => written.memory.key(),
            };
            self.push(
                Diagnostic::error(
                    span.unwrap_or(written.owner),
                    format!(
                        "{percent}% of what the container {} asks for: it asks for no `{key}`",
                        quoted(container.name.as_str())
                    ),
                )
                .help(format!("add `resources: {{ {key}: {example} }}` to it")),
            );
        }
    }
}
