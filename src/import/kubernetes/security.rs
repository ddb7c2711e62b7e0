//! Turns the security contexts of a pod and a container into one of the two standards of a stack.

use super::{Context, RULES, rules};
use crate::diagnostic::Span;
use crate::import::record::Record;

/// What a pod says for all of its containers.
#[derive(Debug, Clone, Default)]
pub struct PodSecurity {
    pub user: Option<(u64, Span)>,
    pub group: Option<u64>,
    pub non_root: bool,
    pub file_group: Option<(u64, Span, String)>,
    /// Where it lets everybody bind low ports.
    pub low_ports: Option<(Span, String)>,
}

/// What a container may do.
#[derive(Debug, Clone, Default)]
pub struct Security {
    pub restricted: bool,
    pub user: Option<(String, Span)>,
    pub read_only: bool,
    pub capabilities: Vec<String>,
}

impl Context<'_> {
    pub(super) fn pod_security(&mut self, record: Option<Record>) -> PodSecurity {
        let mut security = PodSecurity::default();
        let Some(mut record) = record else { return security };
        security.user = record
            .whole("runAsUser", self.notes)
            .map(|user| (user.value, user.span));
        security.group = record.whole("runAsGroup", self.notes).map(|group| group.value);
        security.non_root = record
            .boolean("runAsNonRoot", self.notes)
            .is_some_and(|found| found.value);
        let path = record.at("fsGroup");
        security.file_group = record
            .whole("fsGroup", self.notes)
            .map(|group| (group.value, group.span, path));
        record.ignore(&["fsGroupChangePolicy"]);
        for mut sysctl in record.records("sysctls", "env", self.notes) {
            let name = sysctl.text("name", self.notes);
            if name
                .as_ref()
                .is_none_or(|name| name.value != "net.ipv4.ip_unprivileged_port_start")
            {
                self.rule(&rules::SYSCTL, &sysctl.path, sysctl.span);
            } else {
                security.low_ports = Some((sysctl.span, sysctl.path));
            }
        }
        self.seccomp(&mut record);
        record.rest(RULES, self.notes);
        security
    }

    fn seccomp(&mut self, record: &mut Record) {
        let path = record.at("seccompProfile");
        if let Some(entry) = record.take("seccompProfile") {
            let kind = entry.value.get("type").map(|kind| &kind.value);
            if kind.and_then(crate::import::record::text_of) != Some("RuntimeDefault") {
                self.rule(&rules::SECCOMP, &path, entry.key_span);
            }
        }
    }

    /// Decides which standard a container keeps. `is_block`: it runs as the block image's user unless told otherwise.
    pub(super) fn security(&mut self, record: Option<Record>, pod: &PodSecurity, is_block: bool) -> Security {
        let mut user = pod.user;
        let mut group = pod.group;
        let mut non_root = pod.non_root;
        let mut security = Security::default();
        let mut drops_all = None;
        let mut non_root_at = None;
        let mut escalates = true;
        if let Some(mut record) = record {
            if let Some(own) = record.whole("runAsUser", self.notes) {
                user = Some((own.value, own.span));
            }
            group = record
                .whole("runAsGroup", self.notes)
                .map(|own| own.value)
                .or(group);
            if let Some(own) = record.boolean("runAsNonRoot", self.notes) {
                non_root = own.value;
                non_root_at = own.value.then(|| (record.at("runAsNonRoot"), own.span));
            }
            security.read_only = record
                .boolean("readOnlyRootFilesystem", self.notes)
                .is_some_and(|own| own.value);
            let privileged = record.boolean("privileged", self.notes).filter(|own| own.value);
            if let Some(own) = privileged {
                self.rule(&rules::PRIVILEGED, &record.at("privileged"), own.span);
            }
            if let Some(own) = record.boolean("allowPrivilegeEscalation", self.notes) {
                escalates = own.value;
                if own.value {
                    self.rule(
                        &rules::ESCALATION,
                        &record.at("allowPrivilegeEscalation"),
                        own.span,
                    );
                }
            }
            if let Some(mut capabilities) = record.record("capabilities", "capabilities", self.notes) {
                let (path, span) = (capabilities.at("drop"), capabilities.span);
                let add = capabilities.texts("add", self.notes).unwrap_or_default();
                security.capabilities = add.iter().map(|name| plain_capability(name)).collect();
                let drop = capabilities.texts("drop", self.notes).unwrap_or_default();
                if drop.iter().any(|name| name.eq_ignore_ascii_case("all")) {
                    drops_all = Some((path, span));
                } else if !drop.is_empty() {
                    self.rule(&rules::DROP_SOME, &path, span);
                }
                capabilities.rest(RULES, self.notes);
            }
            self.seccomp(&mut record);
            record.rest(RULES, self.notes);
        }
        let is_not_root = match user {
            Some((user, _)) => user != 0,
            None => non_root || is_block,
        };
        let is_bound = |name: &String| name == "NET_BIND_SERVICE";
        security.restricted =
            drops_all.is_some() && is_not_root && !escalates && security.capabilities.iter().all(is_bound);
        if !security.restricted {
            if let Some((path, span)) = drops_all {
                self.rule(&rules::DROP, &path, span);
            } else if let (Some((path, span)), None) = (non_root_at, user) {
                self.rule(&rules::NON_ROOT, &path, span);
            }
        }
        security.user = user.and_then(|(user, span)| {
            // Without a group a cluster takes root's.
            let group = group.unwrap_or(0);
            let is_default = is_block && user == 65532 && group == 65532;
            let text = if user == group {
                user.to_string()
            } else {
                format!("{user}:{group}")
            };
            (!is_default).then_some((text, span))
        });
        security
    }
}

/// A capability as a stack writes it.
pub fn plain_capability(name: &str) -> String {
    let upper = name.to_ascii_uppercase();
    upper.strip_prefix("CAP_").map_or(upper.clone(), str::to_owned)
}
