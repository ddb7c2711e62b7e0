//! Turns a cluster's containers into those of a stack.

use std::collections::BTreeMap;

use super::expansion::expanded;
use super::security::PodSecurity;
use super::storage::Kind;
use super::{Context, RULES, rules};
use crate::diagnostic::{Span, quoted};
use crate::import::block::block;
use crate::import::draft::{Container, Env, Mount, Pod, Port, Source, free, port_name};
use crate::import::item::{Item, Map};
use crate::import::record::{Record, text_of};
use crate::stack::{Bytes, MilliCpu};

/// What a pod has for its containers.
pub struct Surroundings {
    pub volumes: BTreeMap<String, (Kind, Span)>,
    pub security: PodSecurity,
    /// How often each volume is mounted in the pod.
    pub mounted: BTreeMap<String, usize>,
}

impl Context<'_> {
    /// Turns one container; `role` is `init` for those that come first.
    pub(super) fn container(
        &mut self,
        mut record: Record,
        role: Option<&'static str>,
        pod: &mut Pod,
        around: &Surroundings,
    ) -> Option<Container> {
        let span = record.span;
        let name = record.text("name", self.notes);
        let (wanted, origin) = name.map_or_else(|| ("app".to_owned(), span), |name| (name.value, name.span));
        let image = record.text("image", self.notes);
        let Some(image) = image else {
            let message = "the container has no image";
            self.notes.say(
                &crate::import::rule::REFUSED,
                &record.path,
                origin,
                message,
                "add its `image`",
            );
            record.others();
            return None;
        };
        let name = free(&wanted, |name| {
            pod.containers.iter().any(|other| other.name == name)
        });
        if name != wanted {
            let message = format!("{} is called {} in the stack", quoted(&wanted), quoted(&name));
            let renamed = &crate::import::rule::NAME;
            self.notes
                .say(renamed, &record.path, origin, message, renamed.remedy);
        }
        let role = self.role(&mut record, role, pod);
        let env = self.env(&mut record);
        let command = record.texts("command", self.notes);
        let args = record.texts("args", self.notes);
        let at = record.path.clone();
        let command = command.filter(|words| !words.is_empty());
        let command = command.map(|words| self.words(&words, &env, &at, origin));
        let args = args.map(|words| self.words(&words, &env, &at, origin));
        let block = match (&command, &args) {
            (None, Some(args)) => block(&image.value, args, self.blocks),
            _ => None,
        };
        let is_block = block.is_some();
        let (source, args) = match block {
            Some((block, flags)) => (Source::Block(block), flags),
            None => (
                Source::Image(image.value.clone().into()),
                args.filter(|args| !args.is_empty()).map(Item::texts),
            ),
        };
        self.pull_policy(&mut record);
        let ports = self.ports(&mut record, pod);
        let (cpu, memory) = self.resources(&mut record);
        let security = record.record("securityContext", "securityContext", self.notes);
        let security = self.security(security, &around.security, is_block);
        let probes = self.probes(&mut record, &ports, &env, role);
        let directory = record.text("workingDir", self.notes).map(|found| found.value);
        record.ignore(&["terminationMessagePath", "terminationMessagePolicy"]);
        let mut container = Container {
            name,
            origin,
            comment: None,
            role,
            source,
            command: command.map(Item::texts),
            args,
            env,
            ports,
            mounts: Vec::new(),
            cpu,
            memory,
            probes,
            restricted: security.restricted,
            user: security.user,
            read_only: security.read_only,
            capabilities: security.capabilities,
            directory,
            sync: Vec::new(),
        };
        for mount in record.records("volumeMounts", "mount", self.notes) {
            self.mount(mount, &mut container, pod, around);
        }
        record.rest(RULES, self.notes);
        Some(container)
    }

    fn role(&mut self, record: &mut Record, role: Option<&'static str>, pod: &Pod) -> Option<&'static str> {
        let restart = record.text("restartPolicy", self.notes);
        let Some(restart) = restart else { return role };
        if role == Some("init") && restart.value == "Always" {
            return Some("sidecar");
        }
        let of_pod = match &pod.job {
            None => "Always",
            Some(job) if job.never => "Never",
            Some(_) => "OnFailure",
        };
        if restart.value != of_pod {
            self.rule(&rules::RESTART, &record.at("restartPolicy"), restart.span);
        }
        role
    }

    fn pull_policy(&mut self, record: &mut Record) {
        if let Some(policy) = record.text("imagePullPolicy", self.notes)
            && policy.value == "Always"
        {
            self.rule(&rules::ALWAYS_PULL, &record.at("imagePullPolicy"), policy.span);
        }
    }

    /// The words of a command, with the variables that a cluster puts into them.
    fn words(
        &mut self,
        words: &[String],
        env: &[(String, Env, Span)],
        path: &str,
        span: Span,
    ) -> Vec<String> {
        words
            .iter()
            .map(|word| self.expand(word, env, path, span))
            .collect()
    }

    fn expand(&mut self, text: &str, env: &[(String, Env, Span)], path: &str, span: Span) -> String {
        let variable = |name: &str| {
            env.iter()
                .rev()
                .find(|(other, ..)| other == name)
                .map(|(_, value, _)| value)
        };
        let (text, secrets) = expanded(text, variable);
        for name in secrets {
            let message = format!("`$({name})` stays as it is: the variable is a secret");
            let remedy = rules::ENV_EXPANSION.remedy;
            self.notes.say(&rules::ENV_EXPANSION, path, span, message, remedy);
        }
        text
    }

    fn env(&mut self, record: &mut Record) -> Vec<(String, Env, Span)> {
        let mut env: Vec<(String, Env, Span)> = Vec::new();
        for mut from in record.records("envFrom", "envFrom", self.notes) {
            let prefix = from
                .text("prefix", self.notes)
                .map_or_else(String::new, |prefix| prefix.value);
            if let Some(mut config) = from.record("configMapRef", "reference", self.notes) {
                let name = config
                    .text("name", self.notes)
                    .map_or_else(String::new, |name| name.value);
                config.ignore(&["optional"]);
                match self.configs.get_mut(&name) {
                    Some(found) => {
                        found.used = true;
                        for (key, text) in found.files.clone() {
                            put(&mut env, format!("{prefix}{key}"), Env::Text(text), config.span);
                        }
                    }
                    None => self.rule(&rules::CONFIG_MISSING, &config.path, config.span),
                }
                config.rest(RULES, self.notes);
            }
            if let Some(mut secret) = from.record("secretRef", "reference", self.notes) {
                let name = secret
                    .text("name", self.notes)
                    .map_or_else(String::new, |name| name.value);
                secret.ignore(&["optional"]);
                match self.secrets.get(&name).map(|found| found.keys.clone()) {
                    Some(keys) => {
                        let stack_name = self.secret(&name, &[], &secret.path, secret.span);
                        for key in keys {
                            let value = Env::Secret(stack_name.clone(), key.clone());
                            put(&mut env, format!("{prefix}{key}"), value, secret.span);
                        }
                    }
                    None => self.rule(&rules::SECRET_MISSING, &secret.path, secret.span),
                }
                secret.rest(RULES, self.notes);
            }
            from.rest(RULES, self.notes);
        }
        for mut variable in record.records("env", "env", self.notes) {
            let Some(name) = variable.text("name", self.notes) else {
                self.rule(&crate::import::rule::TYPE, &variable.path, variable.span);
                continue;
            };
            let value = if let Some(from) = variable.record("valueFrom", "valueFrom", self.notes) {
                variable.ignore(&["value"]);
                self.value_from(from)
            } else {
                let value = variable.text("value", self.notes);
                let text = value.map_or_else(String::new, |value| value.value);
                Some(Env::Text(self.expand(
                    &text,
                    &env,
                    &variable.path.clone(),
                    name.span,
                )))
            };
            if let Some(value) = value {
                put(&mut env, name.value, value, name.span);
            }
            variable.rest(RULES, self.notes);
        }
        env
    }

    fn value_from(&mut self, mut from: Record) -> Option<Env> {
        if let Some(mut config) = from.record("configMapKeyRef", "reference", self.notes) {
            let name = config
                .text("name", self.notes)
                .map_or_else(String::new, |name| name.value);
            let key = config
                .text("key", self.notes)
                .map_or_else(String::new, |key| key.value);
            config.ignore(&["optional"]);
            let found = self.configs.get_mut(&name).and_then(|found| {
                found.used = true;
                found.files.iter().find(|(name, _)| *name == key)
            });
            let value = found.map(|(_, text)| Env::Text(text.clone()));
            if value.is_none() {
                self.rule(&rules::CONFIG_MISSING, &config.path, config.span);
            }
            config.rest(RULES, self.notes);
            return value;
        }
        if let Some(mut secret) = from.record("secretKeyRef", "reference", self.notes) {
            let name = secret
                .text("name", self.notes)
                .map_or_else(String::new, |name| name.value);
            let key = secret
                .text("key", self.notes)
                .map_or_else(String::new, |key| key.value);
            secret.ignore(&["optional"]);
            let name = self.secret(&name, std::slice::from_ref(&key), &secret.path, secret.span);
            secret.rest(RULES, self.notes);
            return Some(Env::Secret(name, key));
        }
        let (path, span) = (from.path.clone(), from.span);
        let other = from
            .others()
            .first()
            .map(|entry| (entry.key.clone(), entry.key_span));
        let (path, span) = other.map_or((path.clone(), span), |(key, span)| {
            (format!("{path}.{key}"), span)
        });
        self.rule(&rules::ENV_FIELD, &path, span);
        None
    }

    fn ports(&mut self, record: &mut Record, pod: &Pod) -> Vec<Port> {
        let mut ports: Vec<Port> = Vec::new();
        for mut port in record.records("ports", "port", self.notes) {
            let name = port
                .text("name", self.notes)
                .map_or_else(String::new, |name| name.value);
            let protocol = port.text("protocol", self.notes);
            let number = port.whole("containerPort", self.notes);
            if let Some(host) = port.whole("hostPort", self.notes) {
                self.rule(&rules::HOST_PORT, &port.at("hostPort"), host.span);
            }
            let protocol = protocol.map_or_else(|| "TCP".to_owned(), |protocol| protocol.value);
            let Some(number) =
                number.and_then(|number| Some((u16::try_from(number.value).ok()?, number.span)))
            else {
                self.rule(&crate::import::rule::TYPE, &port.path, port.span);
                continue;
            };
            if protocol == "SCTP" {
                self.rule(&rules::SCTP, &port.at("protocol"), number.1);
                continue;
            }
            // A cluster takes a port that is listed twice for one.
            let udp = protocol == "UDP";
            if !ports
                .iter()
                .any(|other| other.number == number.0 && other.udp == udp)
            {
                let others = pod.containers.iter().flat_map(|other| &other.ports);
                let mut others = others.chain(&ports);
                let is_taken = !name.is_empty() && others.any(|other| other.name == name);
                let name = if is_taken {
                    let is_taken = |wanted: &str| {
                        let others = pod.containers.iter().flat_map(|other| &other.ports);
                        others.chain(&ports).any(|other| other.name == wanted)
                    };
                    let free = port_name(&name, number.0, udp, is_taken);
                    let message = format!("{} is called {} in the stack", quoted(&name), quoted(&free));
                    let rule = &crate::import::rule::NAME;
                    self.notes.say(rule, &port.path, number.1, message, rule.remedy);
                    free
                } else {
                    name
                };
                ports.push(Port {
                    name,
                    number: number.0,
                    udp,
                    origin: number.1,
                });
            }
            port.rest(RULES, self.notes);
        }
        ports
    }

    /// Processor time and memory: the limits, which are requests too.
    fn resources(&mut self, record: &mut Record) -> (Option<String>, Option<String>) {
        let Some(mut resources) = record.record("resources", "resources", self.notes) else {
            return (None, None);
        };
        let limits = resources.map("limits", self.notes);
        let requests = resources.map("requests", self.notes);
        let path = resources.path.clone();
        resources.rest(RULES, self.notes);
        let mut found = (None, None);
        for (name, limit) in &limits {
            let quantity = match name.as_str() {
                "cpu" => MilliCpu::parse(&limit.value).map(|cpu| cpu.to_string()),
                "memory" => Bytes::parse(&limit.value).map(|bytes| bytes.to_string()),
                _ => {
                    self.rule(
                        &rules::OTHER_RESOURCES,
                        &format!("{path}.limits.{name}"),
                        limit.span,
                    );
                    continue;
                }
            };
            let Some(quantity) = quantity else {
                let message = format!("{} is no quantity that a stack can hold", quoted(&limit.value));
                let rule = &crate::import::rule::TYPE;
                self.notes.say(
                    rule,
                    &format!("{path}.limits.{name}"),
                    limit.span,
                    message,
                    rule.remedy,
                );
                continue;
            };
            match name.as_str() {
                "cpu" => found.0 = Some(quantity),
                _ => found.1 = Some(quantity),
            }
        }
        for (name, request) in &requests {
            let at = format!("{path}.requests.{name}");
            let (limit, request_value) = match name.as_str() {
                "cpu" => (
                    &found.0,
                    MilliCpu::parse(&request.value).map(|cpu| cpu.to_string()),
                ),
                "memory" => (
                    &found.1,
                    Bytes::parse(&request.value).map(|bytes| bytes.to_string()),
                ),
                _ => {
                    self.rule(&rules::OTHER_RESOURCES, &at, request.span);
                    continue;
                }
            };
            match limit {
                None => self.rule(&rules::ONLY_REQUESTS, &at, request.span),
                Some(limit) if Some(limit) != request_value.as_ref() => {
                    let message = format!(
                        "{limit} is requested, as much as the limit, not {}",
                        request.value
                    );
                    let remedy = rules::REQUESTS.remedy;
                    self.notes
                        .say(&rules::REQUESTS, &at, request.span, message, remedy);
                }
                Some(_) => {}
            }
        }
        found
    }

    fn probes(
        &mut self,
        record: &mut Record,
        ports: &[Port],
        env: &[(String, Env, Span)],
        role: Option<&str>,
    ) -> Vec<(&'static str, Map, Span)> {
        let literal = |text: &str| {
            let variable = |name: &str| {
                let found = env.iter().rev().find(|(other, ..)| other == name);
                found.map(|(_, value, _)| value)
            };
            expanded(text, variable).0
        };
        let mut probes = Vec::new();
        for (key, ours) in [
            ("startupProbe", "startup"),
            ("readinessProbe", "ready"),
            ("livenessProbe", "live"),
        ] {
            let Some(probe) = record.record(key, "probe", self.notes) else {
                continue;
            };
            let span = probe.span;
            if let Some(map) = self.probe(probe, ports, &literal)
                && role != Some("init")
            {
                probes.push((ours, map, span));
            }
        }
        probes
    }

    fn mount(&mut self, mut record: Record, container: &mut Container, pod: &mut Pod, around: &Surroundings) {
        let span = record.span;
        let volume = record
            .text("name", self.notes)
            .map_or_else(String::new, |name| name.value);
        let path = record
            .text("mountPath", self.notes)
            .map_or_else(String::new, |path| path.value);
        let read_only = record
            .boolean("readOnly", self.notes)
            .is_some_and(|found| found.value);
        let part = record
            .text("subPath", self.notes)
            .filter(|part| !matches!(part.value.as_str(), "" | "."));
        record.ignore(&["recursiveReadOnly", "mountPropagation"]);
        let at = record.path.clone();
        record.rest(RULES, self.notes);
        let (kind, origin) = match around.volumes.get(&volume) {
            None => return self.rule(&rules::MOUNT_MISSING, &at, span),
            // Said where the volume is.
            Some((Kind::Dropped, _)) => return,
            Some((kind, origin)) => (kind.clone(), *origin),
        };
        let is_again = |pod: &Pod, container: &Container, name: &str| {
            container.mounts.iter().any(|mount| mount.volume == name)
                && pod.volumes.iter().any(|other| other.name == name)
        };
        let (wanted, path, value) = match (&kind, part) {
            (Kind::Whole(item), None) => (volume, path, item.clone()),
            (Kind::Files(files), None) => (volume, path, Self::config(files)),
            (Kind::Secret(secret), None) => (volume, path, Item::one("secret", secret.as_str().into())),
            (Kind::Whole(item), Some(part)) => {
                let is_only = around.mounted.get(&volume).is_none_or(|count| *count < 2);
                let is_claim =
                    matches!(item, Item::Map(members) if members.iter().any(|member| member.key == "claim"));
                // One path of an empty volume holds what the volume does.
                if is_claim {
                    self.rule(&rules::SUBPATH_CLAIM, &at, part.span);
                } else if !is_only {
                    self.rule(&rules::SUBPATH, &at, part.span);
                }
                let name = if is_only {
                    volume
                } else {
                    format!("{volume}-{}", part.value.trim_matches('/'))
                };
                (name, path, item.clone())
            }
            (Kind::Files(_) | Kind::Secret(_), Some(part)) => {
                let (folder, file) = path.rsplit_once('/').unwrap_or(("", &path));
                if folder.is_empty() {
                    return self.rule(&rules::SUBPATH_ROOT, &at, part.span);
                }
                if let Kind::Files(files) = &kind
                    && files.iter().all(|(name, _)| *name != part.value)
                {
                    let message = format!("it has no file {}", quoted(&part.value));
                    let rule = &rules::CONFIG_MISSING;
                    return self.notes.say(rule, &at, part.span, message, rule.remedy);
                }
                let message = format!("{} is a folder with this file alone", quoted(folder));
                self.notes.say(
                    &rules::SUBPATH_FILE,
                    &at,
                    part.span,
                    message,
                    rules::SUBPATH_FILE.remedy,
                );
                let value = match &kind {
                    Kind::Files(files) => {
                        let text = files.iter().find(|(name, _)| *name == part.value);
                        let text = text.map_or_else(String::new, |(_, text)| text.clone());
                        Self::config(&[(file.to_owned(), text)])
                    }
                    Kind::Secret(secret) => Item::one("secret", secret.as_str().into()),
                    Kind::Whole(_) | Kind::Dropped => return,
                };
                (format!("{volume}-{}", part.value), folder.to_owned(), value)
            }
            (Kind::Dropped, _) => return,
        };
        let near = free(&wanted, |_| false);
        if matches!(kind, Kind::Whole(_)) && is_again(pod, container, &near) {
            return self.rule(&rules::MOUNT_TWICE, &at, span);
        }
        let known = pod.volumes.iter().find(|other| other.name == near);
        let same = known.is_some_and(|known| known.value == value) && !is_again(pod, container, &near);
        let name = if same { near } else { pod.free_volume(&near) };
        if !same {
            pod.volumes.push(Self::drafted(&name, value.clone(), origin));
        }
        let is_read_only_anyway = matches!(kind, Kind::Files(_) | Kind::Secret(_));
        container.mounts.push(Mount {
            volume: name,
            path,
            read_only: read_only && !is_read_only_anyway,
            origin: span,
        });
    }
}

/// Sets a variable; a later one of a name takes the place of the earlier.
fn put(env: &mut Vec<(String, Env, Span)>, name: String, value: Env, span: Span) {
    match env.iter_mut().find(|(other, ..)| *other == name) {
        Some(slot) => *slot = (name, value, span),
        None => env.push((name, value, span)),
    }
}

/// The names of the volumes that containers mount, each as often as it is mounted.
pub fn mounted(containers: &[&crate::yaml::Node]) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for container in containers {
        let Some(mounts) = container.get("volumeMounts") else {
            continue;
        };
        let crate::yaml::Content::Sequence(items) = &mounts.value.content else {
            continue;
        };
        for item in items {
            if let Some(name) = item.get("name").and_then(|entry| text_of(&entry.value)) {
                *counts.entry(name.to_owned()).or_insert(0) += 1;
            }
        }
    }
    counts
}
