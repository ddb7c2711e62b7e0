//! Checks what pods and jobs wait for.

use std::collections::{BTreeMap, BTreeSet};

use super::{Checker, Scope};
use crate::diagnostic::{Diagnostic, Span, quoted};
use crate::stack::raw::{RawJob, RawPod};
use crate::stack::{Dependency, Name, Until};
use crate::yaml::{Field, Map};

impl Checker<'_> {
    /// What a pod or job waits for; what it can't wait for is said.
    pub(super) fn dependencies(&mut self, after: &Field<Map<Until>>, scope: &Scope<'_>) -> Vec<Dependency> {
        let nothing = Map::default();
        let mut dependencies = Vec::new();
        for entry in &after.value().unwrap_or(&nothing).0 {
            let (text, span) = (entry.key.value.as_str(), entry.key.span);
            let is_pod = scope.pods.contains(text);
            let job = scope.jobs.get(text);
            if !is_pod && job.is_none() {
                let known = scope.pods.iter().chain(scope.jobs.keys()).copied();
                let meant = self.problems.did_you_mean(text, known);
                let problem = Diagnostic::error(span, format!("no pod or job {}", quoted(text)));
                self.push(problem.maybe_help(meant));
                continue;
            }
            let Some(until) = &entry.value else { continue };
            let problem = match until.value {
                Until::Done if is_pod => Some(("a pod never ends", "wait until it is `ready`")),
                Until::Ready if !is_pod => Some(("a job is not ready, it ends", "wait until it is `done`")),
                _ => None,
            };
            if let Some((why, help)) = problem {
                self.push(Diagnostic::error(until.span, why).help(help));
                continue;
            }
            if let Some(Some(schedule)) = job {
                self.push(
                    Diagnostic::error(span, "a job with a `schedule` is never done")
                        .related(*schedule, "its schedule"),
                );
                continue;
            }
            dependencies.extend(Name::new(text).map(|on| Dependency {
                place: self.place(span),
                on,
                until: until.value,
            }));
        }
        dependencies
    }

    /// Says which pods and jobs wait for each other, each circle once.
    pub(super) fn circles(&mut self, pods: &Map<RawPod>, jobs: &Map<RawJob>) {
        let of_pods = pods.0.iter().filter_map(|entry| {
            let pod = entry.value.as_ref()?;
            Some((entry.key.value.as_str(), pod.value.after.value()?))
        });
        let of_jobs = jobs.0.iter().filter_map(|entry| {
            let job = entry.value.as_ref()?;
            Some((entry.key.value.as_str(), job.value.after.value()?))
        });
        let edges: BTreeMap<&str, Vec<(&str, Span)>> = of_pods
            .chain(of_jobs)
            .map(|(name, after)| {
                let targets = after.0.iter();
                let targets = targets.map(|entry| (entry.key.value.as_str(), entry.key.span));
                (name, targets.collect())
            })
            .collect();
        let mut done = BTreeSet::new();
        for start in edges.keys() {
            let mut way = Vec::new();
            if let Some((circle, span)) = circle(start, &edges, &mut way, &mut done) {
                let problem = if circle.len() == 2 {
                    Diagnostic::error(span, format!("{} waits for itself", quoted(&circle[0])))
                } else {
                    Diagnostic::error(span, format!("they wait for each other: {}", circle.join(" → ")))
                };
                self.push(problem.help("none of them would ever start: take one `after` out"));
            }
        }
    }
}

/// A circle that can be reached, and the last step of it.
fn circle<'a>(
    name: &'a str,
    edges: &BTreeMap<&'a str, Vec<(&'a str, Span)>>,
    way: &mut Vec<&'a str>,
    done: &mut BTreeSet<&'a str>,
) -> Option<(Vec<String>, Span)> {
    if !done.insert(name) {
        return None;
    }
    way.push(name);
    let mut found = None;
    for (target, span) in edges.get(name).into_iter().flatten() {
        if let Some(start) = way.iter().position(|open| open == target) {
            let mut names: Vec<String> = way[start..].iter().map(|name| (*name).to_owned()).collect();
            names.push((*target).to_owned());
            found = found.or(Some((names, *span)));
        } else {
            let deeper = circle(target, edges, way, done);
            found = found.or(deeper);
        }
    }
    way.pop();
    found
}
