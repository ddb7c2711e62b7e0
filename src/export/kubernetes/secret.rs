//! Turns secrets whose values are given into objects, and says how the others come to the cluster.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Write};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use super::object::Content;
use super::{At, Context, Objects, fields};
use crate::export::shell::quoted;
use crate::stack::{self, EnvValue, Name, SecretSource, Stack, VolumeKind};

/// Values of secrets by name and key; never shown.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct SecretValues(pub BTreeMap<String, BTreeMap<String, Vec<u8>>>);

impl fmt::Debug for SecretValues {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_set().entries(self.0.keys()).finish()
    }
}

/// The values of a secret, in Base64; never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretData {
    /// What kind of secret it is.
    pub kind: &'static str,
    /// The values by key.
    pub data: BTreeMap<String, String>,
}

impl fmt::Debug for SecretData {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_set().entries(self.data.keys()).finish()
    }
}

/// Makes the secrets whose values are given, and says for each other which command does.
pub fn secrets(context: &mut Context, objects: &mut Objects) {
    let stack = context.stack;
    let namespace = context.kubectl_namespace();
    let variables = variables(stack);
    for (name, secret) in stack.secrets() {
        let at = At {
            path: format!("secrets.{name}"),
            place: &secret.place,
        };
        if let Some(values) = context.options.secrets.0.get(name.as_str()) {
            given(context, objects, &at, name, secret, values, &variables);
            continue;
        }
        let mut message = format!("the secret `{name}` has to be made on the cluster");
        let (row, remedy) = match &secret.source {
            SecretSource::Files(files) => {
                let mut command = format!("kubectl{namespace} create secret generic {name}");
                for (key, path) in files {
                    let file = format!("--from-file={key}={}", context.path(path));
                    let _ = write!(command, " {}", quoted(&file));
                    if variables.contains(&(name.as_str(), key)) {
                        let _ = write!(
                            message,
                            "; a line break at the end of `{path}` would be part of the variable"
                        );
                    }
                }
                (&fields::SECRET_FILES, command)
            }
            SecretSource::Certificate { .. } => {
                let folder = context.path(&format!(".motif/secrets/{name}"));
                let folder = quoted(&folder);
                let command = format!(
                    "from a certificate that clients trust, or the one that the first `motif up` makes: \
                     kubectl{namespace} create secret tls {name} --cert={folder}/tls.crt --key={folder}/tls.key"
                );
                (&fields::SECRET_CERTIFICATE, command)
            }
        };
        context.say(row, &at, message, remedy);
    }
}

/// A secret with its values, which are those that Docker's containers get.
fn given(
    context: &mut Context,
    objects: &mut Objects,
    at: &At,
    name: &Name,
    secret: &stack::Secret,
    values: &BTreeMap<String, Vec<u8>>,
    variables: &BTreeSet<(&str, &str)>,
) {
    let is_mounted = is_mounted(context.stack, name);
    let mut message = format!("the values of the secret `{name}` are in the output");
    let mut data = BTreeMap::new();
    for (key, value) in values {
        let mut bytes = value.as_slice();
        if variables.contains(&(name.as_str(), key)) {
            let bare = without_line_break(bytes);
            if is_mounted && bare.len() < bytes.len() {
                let _ = write!(
                    message,
                    "; the line break at the end of `{key}` is part of the variable, since files have it too"
                );
            } else {
                bytes = bare;
            }
        }
        data.insert(key.clone(), BASE64_STANDARD.encode(bytes));
    }
    let (row, kind) = match secret.source {
        SecretSource::Files(_) => (&fields::SECRET_VALUES, "Opaque"),
        SecretSource::Certificate { .. } => (&fields::CERTIFICATE_VALUES, "kubernetes.io/tls"),
    };
    context.say(
        row,
        at,
        message,
        "keep it out of version control; without `--include-secrets` no value is written",
    );
    let metadata = context.metadata(name, name.to_string());
    objects.add(metadata, Content::Secret(SecretData { kind, data }), at);
}

/// Docker's variables lose the line break at the end of a file.
fn without_line_break(value: &[u8]) -> &[u8] {
    let value = value.strip_suffix(b"\n").unwrap_or(value);
    value.strip_suffix(b"\r").unwrap_or(value)
}

/// Whether the secret is somewhere seen as files.
fn is_mounted(stack: &Stack, name: &Name) -> bool {
    let pods = stack.pods().iter().map(|pod| &pod.spec);
    pods.chain(stack.jobs().iter().map(|job| &job.spec))
        .flat_map(|spec| spec.volumes.values())
        .any(|volume| matches!(&volume.kind, VolumeKind::Secret { secret } if secret == name))
}

/// The secrets and keys that are the values of environment variables: Docker's lose a line break at the end.
fn variables(stack: &Stack) -> BTreeSet<(&str, &str)> {
    let pods = stack.pods().iter().map(|pod| &pod.spec);
    let jobs = stack.jobs().iter().map(|job| &job.spec);
    let containers = pods.chain(jobs).flat_map(|spec| &spec.containers);
    containers
        .flat_map(|container| &container.env)
        .filter_map(|(_, value)| match value {
            EnvValue::Secret { secret, key } => Some((secret.as_str(), key.as_str())),
            EnvValue::Text(_) => None,
        })
        .collect()
}
