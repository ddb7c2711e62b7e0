//! Turns a pod template into a pod or a job of a stack.

use std::collections::BTreeMap;

use super::container::{Surroundings, mounted};
use super::security::PodSecurity;
use super::{Context, RULES, rules};
use crate::diagnostic::Span;
use crate::import::draft::{Container, Job, Pod, seconds};
use crate::import::item::Item;
use crate::import::record::{Record, text_of};
use crate::yaml::{Content, Node};

/// What a cluster adds at `/tmp` for a read-only root: as much as an export writes.
const TEMPORARY: &str = "64Mi";

impl Context<'_> {
    /// What only a cluster can grant: where a pod stands, and whose network and processes it sees.
    fn surroundings(&mut self, spec: &mut Record) {
        for (key, default) in [
            ("dnsPolicy", "ClusterFirst"),
            ("schedulerName", "default-scheduler"),
        ] {
            // Any other is a wish that only a cluster can grant.
            if let Some(found) = spec.text(key, self.notes).filter(|found| found.value != default) {
                let message = "on one host there is nothing to choose";
                let remedy = "keep it in a patch of what `motif export` writes";
                self.notes
                    .say(&rules::SCHEDULING, &spec.at(key), found.span, message, remedy);
            }
        }
        for key in [
            "hostNetwork",
            "hostPID",
            "hostIPC",
            "enableServiceLinks",
            "setHostnameAsFQDN",
        ] {
            let found = spec.boolean(key, self.notes).filter(|found| found.value);
            if let (Some(found), true) = (found, key.starts_with("host")) {
                self.rule(&rules::HOST, &spec.at(key), found.span);
            }
        }
    }

    /// Turns the specification of a pod; `None` where nothing of it can run.
    pub(super) fn pod(
        &mut self,
        mut spec: Record,
        name: String,
        origin: Span,
        job: Option<Job>,
    ) -> Option<Pod> {
        let mut pod = Pod {
            name,
            origin,
            comment: None,
            job,
            replicas: 1,
            range: None,
            egress: None,
            stable: false,
            hostname: None,
            share_processes: false,
            grace: None,
            after: Vec::new(),
            containers: Vec::new(),
            volumes: Vec::new(),
        };
        if let Some(restart) = spec.text("restartPolicy", self.notes)
            && let Some(job) = &mut pod.job
        {
            job.never = restart.value == "Never";
        }
        pod.hostname = spec.text("hostname", self.notes).map(|found| found.value);
        if let Some(subdomain) = spec.text("subdomain", self.notes) {
            self.rule(&rules::SUBDOMAIN, &spec.at("subdomain"), subdomain.span);
        }
        let shares = spec.boolean("shareProcessNamespace", self.notes);
        pod.share_processes = shares.is_some_and(|found| found.value);
        pod.grace = spec
            .whole("terminationGracePeriodSeconds", self.notes)
            .filter(|grace| grace.value != 30)
            .map(|grace| seconds(grace.value));
        self.account(&mut spec);
        self.spread(&mut spec);
        self.surroundings(&mut spec);
        let security = spec.record("securityContext", "securityContext", self.notes);
        let security = self.pod_security(security);
        let volumes = spec.records("volumes", "volume", self.notes);
        let lists = [("initContainers", Some("init")), ("containers", None)].map(|(key, role)| {
            let entry = spec.take(key);
            let items: &[Node] = match entry.map(|entry| &entry.value.content) {
                Some(Content::Sequence(items)) => items,
                _ => &[],
            };
            (key, role, items)
        });
        let nodes: Vec<&Node> = lists.iter().flat_map(|(_, _, items)| items.iter()).collect();
        let temporary = temporaries(&nodes, &volumes);
        let mut all = self.volumes(volumes);
        all.append(&mut self.claims_of_sets);
        let around = Surroundings {
            volumes: all,
            security,
            mounted: mounted(&nodes),
        };
        for (key, role, items) in lists {
            for (index, item) in items.iter().enumerate() {
                let name = item.get("name").and_then(|name| text_of(&name.value));
                let path = match name {
                    Some(name) => format!("{}.{key}[{name}]", spec.path),
                    None => format!("{}.{key}[{index}]", spec.path),
                };
                let Some(record) = Record::of(item, "container", path, self.notes) else {
                    continue;
                };
                if let Some(mut container) = self.container(record, role, &mut pod, &around) {
                    without_temporary(&mut container, &temporary);
                    pod.containers.push(container);
                }
            }
        }
        if !pod.containers.iter().any(|container| container.role.is_none()) {
            self.notes.say(
                &crate::import::rule::REFUSED,
                &spec.path,
                origin,
                "the pod has no container that could run",
                "add one under `containers`",
            );
            spec.others();
            return None;
        }
        self.file_group(&pod, &around.security);
        if let Some((span, path)) = &around.security.low_ports
            && !pod
                .containers
                .iter()
                .flat_map(|container| &container.ports)
                .any(|port| port.number < 1024)
        {
            self.rule(&rules::LOW_PORTS, path, *span);
        }
        spec.rest(RULES, self.notes);
        Some(pod)
    }

    /// A pod of a stack has no account; one whose token isn't mounted has no use for it.
    fn account(&mut self, spec: &mut Record) {
        let mounts = spec.boolean("automountServiceAccountToken", self.notes);
        spec.ignore(&["serviceAccount"]);
        if let Some(account) = spec.text("serviceAccountName", self.notes)
            && account.value != "default"
            && mounts.is_none_or(|mounts| mounts.value)
        {
            self.rule(
                &rules::SERVICE_ACCOUNT,
                &spec.at("serviceAccountName"),
                account.span,
            );
        }
    }

    fn spread(&mut self, spec: &mut Record) {
        let Some(entry) = spec.take("topologySpreadConstraints") else {
            return;
        };
        let Content::Sequence(items) = &entry.value.content else {
            return;
        };
        for item in items {
            let text = |key: &str| item.get(key).and_then(|entry| text_of(&entry.value));
            let is_ours = text("topologyKey") == Some("kubernetes.io/hostname")
                && text("whenUnsatisfiable") == Some("ScheduleAnyway");
            if !is_ours {
                self.rule(&rules::SPREAD, &spec.at("topologySpreadConstraints"), item.span);
            }
        }
    }

    /// Says where the group of a claim's files won't be the one that is wanted.
    fn file_group(&mut self, pod: &Pod, security: &PodSecurity) {
        let Some((group, span, path)) = &security.file_group else {
            return;
        };
        let mut writers = pod.containers.iter().filter(|container| {
            let mut mounts = container.mounts.iter();
            mounts.any(|mount| !mount.read_only && pod.has_claim(&mount.volume))
        });
        let of_user = |user: &str| {
            let group = user.split_once(':').map_or(user, |(_, group)| group);
            group.parse::<u64>().ok()
        };
        let Some(first) = writers.next() else { return };
        let ours = [first]
            .into_iter()
            .chain(writers)
            .find_map(|container| container.user.as_ref().and_then(|(user, _)| of_user(user)))
            .unwrap_or(65532);
        if ours != *group {
            let message = format!("files of claims belong to the group {ours}, not {group}");
            self.notes
                .say(&rules::FILE_GROUP, path, *span, message, rules::FILE_GROUP.remedy);
        }
    }

    /// Turns the volume claims of a stateful set into volumes that its containers mount.
    pub(super) fn claim_templates(&mut self, records: Vec<Record>) -> BTreeMap<String, (Item, Span)> {
        let mut claims = BTreeMap::new();
        for mut record in records {
            record.ignore(&["apiVersion", "kind", "status"]);
            let metadata = record.record("metadata", "metadata", self.notes);
            let spec = record.record("spec", "claim", self.notes);
            let span = record.span;
            let name = metadata.and_then(|mut metadata| {
                metadata.ignore(&["labels", "annotations", "creationTimestamp"]);
                let name = metadata.text("name", self.notes);
                metadata.rest(RULES, self.notes);
                name
            });
            let size = spec.and_then(|spec| self.claim_size(spec));
            let Some(name) = name else {
                self.rule(&rules::NO_NAME, &record.path, span);
                continue;
            };
            let size = size.unwrap_or_else(|| {
                self.rule(&rules::CLAIM_MISSING, &record.path, span);
                "1Gi".to_owned()
            });
            claims.insert(name.value, (Item::one("claim", size.into()), name.span));
            record.rest(RULES, self.notes);
        }
        claims
    }
}

/// The volumes that an export adds at `/tmp`, each with its container: motif has them without being told.
fn temporaries(containers: &[&Node], volumes: &[Record]) -> Vec<String> {
    let text = |node: &Node, key: &str| {
        node.get(key)
            .and_then(|entry| text_of(&entry.value))
            .map(str::to_owned)
    };
    let mut found = Vec::new();
    for container in containers {
        let Some(name) = text(container, "name") else {
            continue;
        };
        let Some(Content::Sequence(mounts)) =
            container.get("volumeMounts").map(|mounts| &mounts.value.content)
        else {
            continue;
        };
        for mount in mounts {
            let volume = text(mount, "name").unwrap_or_default();
            let wanted = format!("tmp-{name}");
            let is_named = volume == wanted || volume.starts_with(&wanted[..wanted.len().min(57)]);
            let is_ours = is_named
                && text(mount, "mountPath").as_deref() == Some("/tmp")
                && volumes
                    .iter()
                    .any(|record| record.is_empty_directory(&volume, TEMPORARY));
            if is_ours {
                found.push(volume);
            }
        }
    }
    found
}

fn without_temporary(container: &mut Container, temporary: &[String]) {
    if container.read_only {
        container
            .mounts
            .retain(|mount| mount.path != "/tmp" || !temporary.contains(&mount.volume));
    }
}
