//! Says how the secrets come to the cluster: their values are never exported.

use std::collections::BTreeSet;
use std::fmt::Write;

use super::shell::quoted;
use super::{At, Context, fields};
use crate::stack::{EnvValue, SecretSource, Stack};

/// Says for each secret of the stack which command makes it.
pub fn secrets(context: &mut Context) {
    let stack = context.stack;
    let namespace = context.kubectl_namespace();
    let variables = variables(stack);
    for (name, secret) in stack.secrets() {
        let at = At {
            path: format!("secrets.{name}"),
            place: &secret.place,
        };
        let mut message = format!("the secret `{name}` has to be made on the cluster");
        let (row, remedy) = match &secret.source {
            SecretSource::Files(files) => {
                let mut command = format!("kubectl{namespace} create secret generic {name}");
                for (key, path) in files {
                    let _ = write!(command, " {}", quoted(&format!("--from-file={key}={path}")));
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
                let folder = format!(".motif/secrets/{name}");
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
