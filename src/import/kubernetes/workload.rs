//! Turns deployments, stateful sets, jobs and the like.

use super::storage::Kind;
use super::{Context, Object, RULES, rules};
use crate::diagnostic::Span;
use crate::import::draft::{Job, Pod, seconds};
use crate::import::item::{Item, Map};
use crate::import::record::{Record, text_of};
use crate::stack::Schedule;

impl Context<'_> {
    /// Turns an object that runs containers.
    pub(super) fn workload(&mut self, object: Object) {
        let Object {
            kind,
            name,
            span,
            path,
            labels,
            mut record,
        } = object;
        let scope = match kind {
            "ReplicationController" => "ReplicaSet",
            kind => kind,
        };
        let scope = if kind == "Pod" { "pod" } else { scope };
        let Some(spec) = record.record("spec", scope, self.notes) else {
            self.notes.say(
                &crate::import::rule::REFUSED,
                &path,
                span,
                "it has no `spec`, thus nothing to run",
                "add it, and import again",
            );
            return;
        };
        record.rest(RULES, self.notes);
        let stack_name = self.free_name(&name, &path, span, |draft, name| {
            draft.pods.iter().any(|pod| pod.name == name)
        });
        let made = match kind {
            "Pod" => self.bare_pod(spec, stack_name, span).map(|pod| (pod, labels)),
            "Job" => self.job(spec, stack_name, span, Map::default()),
            "CronJob" => self.scheduled(spec, stack_name, span),
            _ => self.replicated(kind, spec, stack_name, span),
        };
        if let Some((pod, labels)) = made {
            self.draft.pods.push(pod);
            self.labels.push(labels);
            self.origins.push((kind, name));
        }
    }

    /// A pod on its own, which is a job where it isn't always started again.
    fn bare_pod(&mut self, mut spec: Record, name: String, span: Span) -> Option<Pod> {
        let restart = spec.text("restartPolicy", self.notes);
        let job = restart.filter(|restart| restart.value != "Always").map(|_| {
            let mut keys = Map::default();
            keys.put("retries", Item::plain(0));
            Job { keys, never: false }
        });
        self.pod(spec, name, span, job)
    }

    fn replicated(
        &mut self,
        kind: &'static str,
        mut spec: Record,
        name: String,
        span: Span,
    ) -> Option<(Pod, Vec<(String, String)>)> {
        const MOST: u64 = 1000;
        let mut replicas = spec.whole("replicas", self.notes);
        if let Some(found) = replicas.as_mut().filter(|found| found.value > MOST) {
            found.value = MOST;
            let span = found.span;
            self.rule(&rules::REPLICAS, &spec.at("replicas"), span);
        }
        spec.ignore(&["selector"]);
        let strategy = match kind {
            "Deployment" => Some("strategy"),
            "StatefulSet" | "DaemonSet" => Some("updateStrategy"),
            _ => None,
        };
        let strategy = strategy.map(|key| (key, spec.take(key)));
        let stable = kind == "StatefulSet";
        let mut claims = std::collections::BTreeMap::new();
        if stable {
            let policy = spec.text("podManagementPolicy", self.notes);
            if policy.as_ref().is_none_or(|policy| policy.value != "Parallel") {
                let at = policy.map_or(span, |policy| policy.span);
                self.rule(&rules::ORDERED, &spec.at("podManagementPolicy"), at);
            }
            if let Some(service) = spec.text("serviceName", self.notes) {
                self.governing.insert(service.value);
            }
            let templates = spec.records("volumeClaimTemplates", "object", self.notes);
            claims = self.claim_templates(templates);
        }
        if kind == "DaemonSet" {
            self.rule(&rules::DAEMON, &spec.path, span);
        }
        let (template, labels) = self.template(&mut spec)?;
        let path = spec.path.clone();
        spec.rest(RULES, self.notes);
        self.claims_of_sets = claims
            .into_iter()
            .map(|(name, (item, span))| (name, (Kind::Whole(item), span)))
            .collect();
        let pod = self.pod(template, name, span, None);
        self.claims_of_sets.clear();
        let mut pod = pod?;
        pod.replicas = replicas.map_or(1, |found| found.value);
        pod.stable = stable;
        let has_claim = pod.volumes.iter().any(|volume| pod.has_claim(&volume.name));
        if let Some((key, Some(entry))) = strategy {
            let is_default = |inner: &crate::yaml::Entry| match inner.key.as_str() {
                "type" => match text_of(&inner.value) {
                    Some("RollingUpdate") => true,
                    Some("Recreate") => has_claim && pod.replicas <= 1,
                    _ => false,
                },
                "rollingUpdate" => inner
                    .value
                    .entries()
                    .unwrap_or_default()
                    .iter()
                    .all(|inner| matches!(text_of(&inner.value), Some("25%" | "0" | "1"))),
                _ => false,
            };
            if !entry.value.entries().unwrap_or_default().iter().all(is_default) {
                self.rule(&rules::STRATEGY, &format!("{path}.{key}"), entry.key_span);
            }
        }
        Some((pod, labels))
    }

    /// The pod's specification and labels.
    fn template<'n>(&mut self, spec: &mut Record<'n>) -> Option<(Record<'n>, Vec<(String, String)>)> {
        let (path, span) = (spec.path.clone(), spec.span);
        let template = spec.record("template", "template", self.notes);
        let found = template.and_then(|mut template| {
            let labels = template
                .record("metadata", "metadata", self.notes)
                .map(|mut metadata| {
                    let labels = metadata.map("labels", self.notes);
                    self.annotations(&mut metadata);
                    metadata.ignore(&["name", "namespace"]);
                    metadata.rest(RULES, self.notes);
                    labels
                        .into_iter()
                        .map(|(name, value)| (name, value.value))
                        .collect()
                })
                .unwrap_or_default();
            let inner = template.record("spec", "pod", self.notes);
            template.rest(RULES, self.notes);
            Some((inner?, labels))
        });
        if found.is_none() {
            self.notes.say(
                &crate::import::rule::REFUSED,
                &path,
                span,
                "it has no pod template, thus nothing to run",
                "add `template`, and import again",
            );
        }
        found
    }

    fn job(
        &mut self,
        mut spec: Record,
        name: String,
        span: Span,
        mut keys: Map,
    ) -> Option<(Pod, Vec<(String, String)>)> {
        let indexed = spec.text("completionMode", self.notes);
        for (key, ours, default) in [
            ("completions", "completions", 1),
            ("parallelism", "parallelism", 1),
            ("backoffLimit", "retries", 6),
        ] {
            if let Some(found) = spec.whole(key, self.notes)
                && found.value != default
            {
                keys.put_from(ours, Item::plain(found.value), found.span);
            }
        }
        for (key, ours) in [
            ("activeDeadlineSeconds", "deadline"),
            ("ttlSecondsAfterFinished", "ttl"),
        ] {
            if let Some(found) = spec.whole(key, self.notes) {
                keys.put_from(ours, seconds(found.value), found.span);
            }
        }
        if indexed.is_some_and(|mode| mode.value == "Indexed") {
            keys.put("indexed", Item::plain(true));
        }
        self.suspended(&mut spec);
        spec.ignore(&["selector", "manualSelector", "podReplacementPolicy"]);
        let (template, labels) = self.template(&mut spec)?;
        spec.rest(RULES, self.notes);
        let pod = self.pod(template, name, span, Some(Job { keys, never: false }))?;
        Some((pod, labels))
    }

    fn suspended(&mut self, spec: &mut Record) {
        if let Some(suspend) = spec.boolean("suspend", self.notes).filter(|found| found.value) {
            self.rule(&rules::SUSPENDED, &spec.at("suspend"), suspend.span);
        }
    }

    fn zone(&mut self, zone: &str, path: &str, span: Span) {
        let message = format!("the hours of `{zone}` are taken for those of UTC");
        self.notes
            .say(&rules::ZONE, path, span, message, rules::ZONE.remedy);
    }

    fn scheduled(
        &mut self,
        mut spec: Record,
        name: String,
        span: Span,
    ) -> Option<(Pod, Vec<(String, String)>)> {
        let mut keys = Map::default();
        let schedule = spec.text("schedule", self.notes);
        let (text, at) = schedule.map_or_else(|| (String::new(), span), |found| (found.value, found.span));
        let path = spec.at("schedule");
        let (zone, fields) = zoned(&text);
        if let Err(message) = Schedule::parse(fields) {
            let remedy = rules::SCHEDULE.remedy;
            self.notes.say(&rules::SCHEDULE, &path, at, message, remedy);
            return None;
        }
        keys.put_from("schedule", fields, at);
        if let Some(zone) = zone.filter(|zone| !is_utc(zone)) {
            self.zone(zone, &path, at);
        }
        if let Some(policy) = spec
            .text("concurrencyPolicy", self.notes)
            .filter(|policy| policy.value != "Allow")
        {
            keys.put_from("concurrency", policy.value.to_ascii_lowercase(), policy.span);
        }
        if let Some(zone) = spec.text("timeZone", self.notes)
            && !is_utc(&zone.value)
        {
            self.zone(&zone.value, &spec.at("timeZone"), zone.span);
        }
        self.suspended(&mut spec);
        spec.ignore(&["successfulJobsHistoryLimit", "failedJobsHistoryLimit"]);
        let template = spec.record("jobTemplate", "template", self.notes);
        let (path, at) = (spec.path.clone(), spec.span);
        spec.rest(RULES, self.notes);
        let inner = template.and_then(|mut template| {
            template.ignore(&["metadata"]);
            let inner = template.record("spec", "Job", self.notes);
            template.rest(RULES, self.notes);
            inner
        });
        let Some(inner) = inner else {
            let message = "it has no job template, thus nothing to run";
            let remedy = "add `jobTemplate`, and import again";
            self.notes
                .say(&crate::import::rule::REFUSED, &path, at, message, remedy);
            return None;
        };
        self.job(inner, name, span, keys)
    }
}

/// The zone in front of a schedule's fields, and the fields.
fn zoned(text: &str) -> (Option<&str>, &str) {
    let text = text.trim();
    let zone = text.strip_prefix("CRON_TZ=").or_else(|| text.strip_prefix("TZ="));
    match zone.and_then(|zone| zone.split_once(' ')) {
        Some((zone, fields)) => (Some(zone), fields.trim()),
        None => (None, text),
    }
}

fn is_utc(zone: &str) -> bool {
    matches!(zone, "Etc/UTC" | "UTC" | "Etc/UCT" | "Etc/GMT" | "GMT")
}
