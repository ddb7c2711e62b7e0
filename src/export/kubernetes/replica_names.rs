//! Finds where replicas are dialled by names that only Docker gives them.

use std::collections::BTreeSet;

use super::{At, Context, fields, service};
use crate::stack::{self, EnvValue, Pod, Stack};

/// Says which texts that programs get name a replica as no cluster does.
pub fn say(context: &mut Context) {
    let stack = context.stack;
    let pods = stack.pods().iter().map(|pod| ("pods", &pod.name, &pod.spec));
    let jobs = stack.jobs().iter().map(|job| ("jobs", &job.name, &job.spec));
    for (kind, name, spec) in pods.chain(jobs) {
        for container in &spec.containers {
            let at = At {
                path: format!("{kind}.{name}.containers.{}", container.name),
                place: &container.place,
            };
            for (field, text) in texts(container) {
                for (dialled, pod) in found(stack, text) {
                    let remedy = match service::naming(stack, pod) {
                        Some(service) => format!("dial `{}.{}`", dialled.replica, service.name),
                        None => format!(
                            "say `stable: true` of `{0}` and `headless: true` of a service of it, and dial `{1}.SERVICE`",
                            pod.name, dialled.replica
                        ),
                    };
                    context.say(
                        &fields::REPLICA_NAME,
                        &at.field(&field),
                        format!("`{}` isn't a name on a cluster", dialled.name),
                        remedy,
                    );
                }
            }
        }
    }
}

/// The texts that a program gets, and their fields.
fn texts(container: &stack::Container) -> impl Iterator<Item = (String, &str)> {
    let command = &container.command;
    let words = [("command", &command.command), ("args", &command.args)];
    let words = words.into_iter().flat_map(|(field, words)| {
        let words = words.iter().flatten();
        words.map(move |word| (field.to_owned(), word.as_str()))
    });
    let variables = container.env.iter().filter_map(|(name, value)| match value {
        EnvValue::Text(text) => Some((format!("env.{name}"), text.as_str())),
        EnvValue::Secret { .. } => None,
    });
    words.chain(variables)
}

/// A name of a replica in a text.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Dialled<'t> {
    /// As it stands there: `web-0`, `web-0.web`.
    name: &'t str,
    /// The replica: `web-0`.
    replica: &'t str,
}

/// The names of replicas in a text that a cluster doesn't give them, each once.
fn found<'t, 's>(stack: &'s Stack, text: &'t str) -> Vec<(Dialled<'t>, &'s Pod)> {
    let is_of_a_name = |character: char| character.is_ascii_alphanumeric() || "-.".contains(character);
    let names: BTreeSet<&str> = text
        .split(|character| !is_of_a_name(character))
        .map(|name| name.trim_matches('.'))
        .collect();
    let dialled = names.into_iter().filter_map(|name| {
        let (replica, subdomain) = match name.split_once('.') {
            Some((replica, rest)) => (replica, Some(rest)),
            None => (name, None),
        };
        let (pod, number) = replica.rsplit_once('-')?;
        let pod = stack.pod(pod)?;
        let is_there = number
            .parse::<u32>()
            .is_ok_and(|index| index < pod.most() && index.to_string() == number);
        let service = service::naming(stack, pod).map_or(&pod.name, |service| &service.name);
        let is_of_a_cluster =
            pod.stable && subdomain.is_some_and(|rest| rest.split('.').next() == Some(service.as_str()));
        (is_there && !is_of_a_cluster).then_some((Dialled { name, replica }, pod))
    });
    dialled.collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::found;
    use crate::stack::{MemoryFiles, Options, load};

    #[test]
    fn names_that_a_cluster_gives_are_known_from_those_that_it_does_not() {
        let text = "
stack: shop
pods:
  web: { replicas: 2, containers: { app: { image: 'web:1' } } }
  db: { replicas: 2, stable: true, containers: { app: { image: 'db:1', ports: { sql: 5432 } } } }
services:
  rw: { pod: db, ports: { sql: 5432 } }
  peers: { pod: db, ports: { sql: 5432 }, headless: true }
";
        let files = MemoryFiles(BTreeMap::from([(
            "stack.yaml".to_owned(),
            text.as_bytes().to_vec(),
        )]));
        let stack = load(&files, "stack.yaml", &Options::default()).unwrap().stack;
        let names = |text: &str| {
            let found = found(&stack, text);
            found
                .into_iter()
                .map(|(dialled, _)| dialled.name.to_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(names("http://web-0:80/,web-1.web"), ["web-0", "web-1.web"]);
        assert_eq!(names("db-0,db-1.rw:5432"), ["db-0", "db-1.rw"]);
        assert_eq!(names("db-0.peers,db-1.peers.shop.svc.cluster.local."), [""; 0]);
        assert_eq!(names("web-2 web-00 other-0 web db xweb-0 web-0x"), [""; 0]);
    }
}
