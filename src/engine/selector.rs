//! Turns what a person types, `web`, `web-1/app`, into the containers that it means.

use std::collections::BTreeSet;

use super::labels::{Labels, Role};

/// What a person typed after a command that reads containers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selector {
    text: String,
    pod: String,
    container: Option<String>,
}

/// A selector that means no container.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no container `{text}` in stack `{stack}`")]
pub struct NoContainer {
    /// As typed.
    pub text: String,
    /// The stack.
    pub stack: String,
    /// What there is.
    pub known: Vec<String>,
}

impl NoContainer {
    /// What to do next.
    pub fn hint(&self) -> String {
        if self.known.is_empty() {
            "nothing of this stack stands on the engine: `motif up`".to_owned()
        } else {
            format!("there are `{}`", self.known.join("`, `"))
        }
    }
}

impl Selector {
    /// Reads `POD`, `POD-REPLICA`, `POD/CONTAINER`, `POD-REPLICA/CONTAINER` or `POD/CONTAINER-REPLICA`.
    pub fn new(text: &str) -> Self {
        let (pod, container) = match text.split_once('/') {
            Some((pod, container)) => (pod, Some(container.to_owned())),
            None => (text, None),
        };
        Self {
            text: text.to_owned(),
            pod: pod.to_owned(),
            container,
        }
    }

    /// Whether it means this container. A name that exists as typed wins over one with an index behind it.
    fn matches(&self, labels: &Labels, all: &[&Labels]) -> bool {
        let is_pod = all.iter().any(|labels| labels.pod == self.pod);
        let (pod, replica) = match indexed(&self.pod) {
            Some((pod, replica)) if !is_pod => (pod, Some(replica)),
            _ => (self.pod.as_str(), None),
        };
        if labels.pod != pod || replica.is_some_and(|replica| replica != labels.replica) {
            return false;
        }
        let Some(container) = &self.container else {
            return true;
        };
        let is_container = all
            .iter()
            .any(|labels| labels.pod == pod && &labels.container == container);
        match indexed(container) {
            Some((container, replica)) if !is_container && labels.container == container => {
                replica == labels.replica
            }
            _ => &labels.container == container,
        }
    }
}

/// `web-1` as `web` and 1.
fn indexed(text: &str) -> Option<(&str, u32)> {
    let (name, index) = text.rsplit_once('-')?;
    Some((name, index.parse().ok()?))
}

/// Whether a person can mean a container by name: not what only holds a pod together.
pub fn is_visible(labels: &Labels) -> bool {
    !matches!(labels.role, Role::Infra | Role::Carrier)
}

/// Picks what the selectors mean; without selectors everything. Each must mean something.
pub fn select<'a, T>(
    stack: &str,
    selectors: &[Selector],
    all: &'a [T],
    labels: impl Fn(&T) -> &Labels,
) -> Result<Vec<&'a T>, NoContainer> {
    let visible: Vec<&T> = all.iter().filter(|one| is_visible(labels(one))).collect();
    let known: Vec<&Labels> = visible.iter().map(|one| labels(one)).collect();
    if let Some(unknown) = selectors
        .iter()
        .find(|selector| !known.iter().any(|labels| selector.matches(labels, &known)))
    {
        let names: BTreeSet<String> = known.iter().map(|labels| labels.display_name()).collect();
        return Err(NoContainer {
            text: unknown.text.clone(),
            stack: stack.to_owned(),
            known: names.into_iter().collect(),
        });
    }
    Ok(visible
        .into_iter()
        .filter(|one| {
            selectors.is_empty()
                || selectors
                    .iter()
                    .any(|selector| selector.matches(labels(one), &known))
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(pod: &str, replica: u32, container: &str, role: Role) -> Labels {
        Labels {
            stack: "shop".to_owned(),
            pod: pod.to_owned(),
            replica,
            container: container.to_owned(),
            role,
            position: 0,
            hash: String::new(),
            due: None,
            index: None,
            after: Vec::new(),
        }
    }

    fn stack() -> Vec<Labels> {
        vec![
            labels("web", 0, "app", Role::Main),
            labels("web", 0, "app-1", Role::Sidecar),
            labels("web", 0, "", Role::Infra),
            labels("web", 1, "app", Role::Main),
            labels("web-1", 0, "app", Role::Main),
            labels("db", 0, "app", Role::Main),
            labels("db", 1, "app", Role::Main),
            labels("carrier", 0, "", Role::Carrier),
        ]
    }

    #[track_caller]
    fn check(selectors: &[&str], expect: &[&str]) {
        let selectors: Vec<Selector> = selectors.iter().map(|text| Selector::new(text)).collect();
        let all = stack();
        let found = match select("shop", &selectors, &all, |labels| labels) {
            Ok(found) => found.iter().map(|labels| labels.display_name()).collect(),
            Err(error) => vec![format!("{error}; {}", error.hint())],
        };
        assert_eq!(found, expect);
    }

    #[test]
    fn a_pod_a_replica_or_a_container_can_be_meant() {
        check(&["db"], &["db-0/app", "db-1/app"]);
        check(&["db-1"], &["db-1/app"]);
        check(&["db/app"], &["db-0/app", "db-1/app"]);
        check(&["db-0/app"], &["db-0/app"]);
        check(&["db/app-1"], &["db-1/app"]);
        check(&["db-0", "web-1"], &["web-1-0/app", "db-0/app"]);
        check(
            &[],
            &[
                "web-0/app",
                "web-0/app-1",
                "web-1/app",
                "web-1-0/app",
                "db-0/app",
                "db-1/app",
            ],
        );
    }

    #[test]
    fn a_name_that_exists_wins_over_an_index() {
        check(&["web-1"], &["web-1-0/app"]);
        check(&["web/app-1"], &["web-0/app-1"]);
        check(&["web"], &["web-0/app", "web-0/app-1", "web-1/app"]);
    }

    #[test]
    fn what_means_nothing_is_an_error() {
        check(
            &["db", "dv"],
            &[
                "no container `dv` in stack `shop`; there are `db-0/app`, `db-1/app`, `web-0/app`, `web-0/app-1`, `web-1-0/app`, `web-1/app`",
            ],
        );
        assert!(select("shop", &[Selector::new("db-2")], &stack(), |labels| labels).is_err());
        assert!(select("shop", &[Selector::new("carrier")], &stack(), |labels| labels).is_err());
        let error = select("shop", &[Selector::new("web")], &[], |labels: &Labels| labels).unwrap_err();
        assert_eq!(
            error.hint(),
            "nothing of this stack stands on the engine: `motif up`"
        );
    }
}
