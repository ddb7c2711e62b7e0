//! Checks what a promise aims at: pods, containers, volumes and secrets.

use super::super::Checker;
use super::Scope;
use crate::diagnostic::{Diagnostic, Span, quoted};
use crate::stack::promise::{Target, Which};
use crate::stack::{Name, SecretSource, VolumeKind};
use crate::yaml::{Field, List, Spanned, Text};

impl Checker<'_> {
    pub(super) fn targets(&mut self, field: &Field<List<Text>>, scope: &Scope<'_>) -> Vec<Target> {
        let written = field.value().map_or(&[][..], |list| &list.0);
        written
            .iter()
            .filter_map(|target| self.aim(target, scope, false))
            .collect()
    }

    /// `pod`, `pod/which`, `pod/which/container`; one container must be meant where `is_one`.
    pub(super) fn aim(&mut self, written: &Spanned<Text>, scope: &Scope<'_>, is_one: bool) -> Option<Target> {
        let text = written.value.0.as_str();
        let mut words = text.split('/');
        let pod = Spanned {
            value: words.next().unwrap_or_default().to_owned(),
            span: written.span,
        };
        let which = words.next().unwrap_or(if is_one { "0" } else { "all" });
        let container = words.next();
        if words.next().is_some() {
            self.push(Diagnostic::error(
                written.span,
                format!("{} is no `pod/replica/container`", quoted(text)),
            ));
            return None;
        }
        let name = self.pod_named(&pod, scope)?;
        let pod = scope.cast.pods.iter().find(|pod| pod.name == name)?;
        let which = match which {
            "any" => Which::Any,
            "all" => Which::All,
            word => match (
                word.parse(),
                scope.roles.iter().find(|role| role.name.as_str() == word),
            ) {
                (Ok(index), _) => Which::Index(index),
                (Err(_), Some(role)) => Which::Role(role.clone()),
                (Err(_), None) => {
                    self.push(
                        Diagnostic::error(written.span, format!("{} is no replica", quoted(word))).help(
                            "write its index, `any`, `all`, or a role that the promise declares under `roles`",
                        ),
                    );
                    return None;
                }
            },
        };
        let names = || {
            pod.spec
                .containers
                .iter()
                .map(|container| container.name.as_str())
        };
        let container = match container {
            None if is_one && pod.spec.containers.len() > 1 => {
                self.push(
                    Diagnostic::error(written.span, "one container must be meant").help(format!(
                        "the pod has {}",
                        crate::diagnostic::Listed(names().collect(), "and")
                    )),
                );
                return None;
            }
            None => is_one
                .then(|| {
                    pod.spec
                        .containers
                        .first()
                        .map(|container| container.name.clone())
                })
                .flatten(),
            Some(word) => {
                let known = pod
                    .spec
                    .containers
                    .iter()
                    .find(|container| container.name.as_str() == word);
                let Some(known) = known else {
                    let meant = self.problems.did_you_mean(word, names());
                    self.push(
                        Diagnostic::error(written.span, format!("the pod has no container {}", quoted(word)))
                            .maybe_help(meant),
                    );
                    return None;
                };
                Some(known.name.clone())
            }
        };
        Some(Target {
            pod: name,
            which,
            container,
        })
    }

    pub(super) fn pod_of(&mut self, field: &Field<Text>, scope: &Scope<'_>) -> Option<Name> {
        let written = field.get()?;
        self.pod_named(
            &Spanned {
                value: written.value.0.clone(),
                span: written.span,
            },
            scope,
        )
    }

    pub(super) fn pod_named(&mut self, written: &Spanned<String>, scope: &Scope<'_>) -> Option<Name> {
        let pods = scope.cast.pods;
        let found = pods.iter().find(|pod| pod.name.as_str() == written.value);
        if found.is_none() {
            let is_job = scope
                .cast
                .jobs
                .iter()
                .any(|job| job.name.as_str() == written.value);
            let help = if is_job {
                Some("it is a job: only pods can be named here".to_owned())
            } else {
                self.problems
                    .did_you_mean(&written.value, pods.iter().map(|pod| pod.name.as_str()))
            };
            self.push(
                Diagnostic::error(written.span, format!("no pod {}", quoted(&written.value)))
                    .maybe_help(help),
            );
        }
        found.map(|pod| pod.name.clone())
    }

    pub(super) fn volume_of(
        &mut self,
        field: &Field<Text>,
        target: &Target,
        span: Span,
        scope: &Scope<'_>,
    ) -> Option<Name> {
        let Some(written) = field.get() else {
            self.push(Diagnostic::error(span, "`fill` needs the key `volume`"));
            return None;
        };
        let pod = scope.cast.pods.iter().find(|pod| pod.name == target.pod)?;
        let volume = pod.spec.volumes.iter().find(|(name, volume)| {
            name.as_str() == written.value.0 && matches!(volume.kind, VolumeKind::Tmpfs { size: Some(_) })
        });
        if volume.is_none() {
            self.push(
                Diagnostic::error(
                    written.span,
                    format!(
                        "{} is no volume of the pod that can be filled",
                        quoted(&written.value.0)
                    ),
                )
                .help("only a `tmpfs` with a `size` has an end on this machine"),
            );
            return None;
        }
        volume.map(|(name, _)| name.clone())
    }

    pub(super) fn generated(&mut self, written: &Spanned<Text>, scope: &Scope<'_>) -> Option<Name> {
        let found = scope
            .cast
            .secrets
            .iter()
            .find(|(name, _)| name.as_str() == written.value.0);
        let Some((name, secret)) = found else {
            let known = scope.cast.secrets.keys().map(Name::as_str);
            let meant = self.problems.did_you_mean(&written.value.0, known);
            self.push(
                Diagnostic::error(written.span, format!("no secret {}", quoted(&written.value.0)))
                    .maybe_help(meant),
            );
            return None;
        };
        if !matches!(secret.source, SecretSource::Certificate { .. }) {
            self.push(
                Diagnostic::error(
                    written.span,
                    "its values are yours, and motif doesn't change them",
                )
                .help("only a secret with `certificate` can be rotated"),
            );
            return None;
        }
        Some(name.clone())
    }
}
