//! Checks secrets and references to them.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::volume::is_key;
use super::{Checker, Scope};
use crate::diagnostic::{Collector, Diagnostic, Listed, Span, quoted};
use crate::stack::files::project_path;
use crate::stack::raw::RawSecret;
use crate::stack::{Name, Secret, SecretSource};
use crate::yaml::Map;

impl Checker<'_> {
    pub(super) fn secrets(&mut self, raw: &Map<RawSecret>) -> BTreeMap<Name, Secret> {
        let secrets = self.each(raw, "a secret", |checker, name, span, raw| {
            let source = checker.secret_source(span, raw)?;
            let place = checker.place(span);
            Some((name, Secret { place, source }))
        });
        secrets.into_iter().collect()
    }

    fn secret_source(&mut self, key: Span, raw: &RawSecret) -> Option<SecretSource> {
        match (raw.files.key(), raw.certificate.key()) {
            (None, None) if !raw.mistyped.is_empty() => None,
            (None, None) => {
                self.push(
                    Diagnostic::error(key, "the secret has no values")
                        .help("write `files: { key: path }`, or `certificate: [localhost]` for development"),
                );
                None
            }
            (Some(files), Some(certificate)) => {
                self.push(
                    Diagnostic::error(
                        certificate,
                        "a secret has one source, not `files` and `certificate`",
                    )
                    .related(files, "the other"),
                );
                None
            }
            (Some(_), None) => self.secret_files(key, raw),
            (None, Some(_)) => self.certificate(key, raw),
        }
    }

    fn secret_files(&mut self, key: Span, raw: &RawSecret) -> Option<SecretSource> {
        let written = raw.files.value()?;
        if written.0.is_empty() {
            self.push(Diagnostic::error(key, "the secret has no keys").help("write `files: { key: path }`"));
        }
        let mut files = BTreeMap::new();
        for entry in &written.0 {
            if !is_key(&entry.key.value) {
                self.push(
                    Diagnostic::error(
                        entry.key.span,
                        format!("{} can't be a secret's key", quoted(&entry.key.value)),
                    )
                    .help("it is made of letters, digits, `-`, `_` and `.`, at most 253 of them"),
                );
            }
            let Some(path) = &entry.value else { continue };
            match project_path("", &path.value.0) {
                Ok(path) => {
                    files.insert(entry.key.value.clone(), path);
                }
                Err(why) => self.push(
                    Diagnostic::error(path.span, why)
                        .help("a secret's file lies in the stack's folder or below it"),
                ),
            }
        }
        Some(SecretSource::Files(files))
    }

    fn certificate(&mut self, key: Span, raw: &RawSecret) -> Option<SecretSource> {
        let written = raw.certificate.value()?;
        if written.0.is_empty() {
            self.push(
                Diagnostic::error(key, "the certificate is for nobody")
                    .help("list names: `certificate: [localhost]`"),
            );
        }
        for name in &written.0 {
            if !is_host(&name.value.0) {
                let problem = Diagnostic::error(
                    name.span,
                    format!("{} is neither a DNS name nor an address", quoted(&name.value.0)),
                );
                self.push(problem);
            }
        }
        let names = written.0.iter().map(|name| name.value.0.clone()).collect();
        Some(SecretSource::Certificate { names })
    }
}

fn is_host(text: &str) -> bool {
    let host = text.strip_prefix("*.").unwrap_or(text);
    text.parse::<IpAddr>().is_ok()
        || (host.len() <= 253 && host.split('.').all(|label| Name::new(label).is_some()))
}

/// Finds a secret by name.
pub fn check_secret_name(
    text: &str,
    span: Span,
    scope: &Scope<'_>,
    problems: &mut Collector,
) -> Option<Name> {
    if scope.secrets.contains_key(text) {
        return Name::new(text);
    }
    let problem = Diagnostic::error(span, format!("no secret {}", quoted(text)));
    let help = problems
        .did_you_mean(text, scope.secrets.keys().copied())
        .unwrap_or_else(|| "declare it under `secrets:`".into());
    problems.push(problem.help(help));
    None
}

/// Finds a key of a secret that exists.
pub fn check_secret_key(secret: &str, key: &str, span: Span, scope: &Scope<'_>, problems: &mut Collector) {
    let Some(entry) = scope.secrets.get(secret) else {
        return;
    };
    let Some(raw) = &entry.value else { return };
    let keys: Vec<&str> = match (raw.value.files.value(), raw.value.certificate.value()) {
        (Some(files), _) => files.keys().collect(),
        (None, Some(_)) => vec!["tls.crt", "tls.key"],
        (None, None) => return,
    };
    if !keys.contains(&key) {
        let meant = problems.did_you_mean(key, keys.iter().copied());
        let help = meant.unwrap_or_else(|| format!("it has {}", Listed(keys, "and")));
        problems.push(
            Diagnostic::error(
                span,
                format!("the secret {} has no key {}", quoted(secret), quoted(key)),
            )
            .related(entry.key.span, "declared here")
            .help(help),
        );
    }
}
