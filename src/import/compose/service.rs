//! Reads one service: its container, and what it says about its pod.

use super::storage::Mounted;
use super::text::{duration, milliseconds, size, words};
use super::{Context, RULES, Read, rules, scalar, text_at};
use crate::diagnostic::{Span, quoted};
use crate::import::block::block;
use crate::import::draft::{Container, Env, Job, Parameter, Pod, Source, free};
use crate::import::item::{Item, Map};
use crate::import::record::{Found, Record, is_nothing, text_of};
use crate::stack::{MilliCpu, Name};
use crate::yaml::{Content, Node};

impl Context<'_> {
    /// Reads a service; none where it doesn't run, or nothing is known to run.
    pub(super) fn service(&mut self, name: &str, origin: Span, mut record: Record) -> Option<Read> {
        record.ignore_prefix("x-");
        if let Some(entry) = record.take("profiles") {
            self.rule(&rules::PROFILES, &record.at("profiles"), entry.key_span);
            record.others();
            return None;
        }
        if let Some(entry) = record.take("extends") {
            self.rule(&rules::EXTENDS, &record.at("extends"), entry.key_span);
        }
        let entrypoint = self.command(&mut record, "entrypoint");
        let Some((source, args)) = self.source(&mut record, entrypoint.as_ref()) else {
            self.rule(&rules::NO_SOURCE, &record.path, origin);
            record.others();
            return None;
        };
        let is_block = matches!(source, Source::Block(_));
        let env = self.environment(&mut record);
        let mut mounted = Mounted::default();
        self.volumes(name, &mut record, &mut mounted);
        self.configs(&mut record, &mut mounted);
        self.secrets(name, &mut record, &mut mounted);
        let sync = self.synced(&source, &mut mounted);
        let health = self.health(&mut record);
        let security = self.security(&mut record, is_block, is_block);
        let published = self.published(&mut record);
        let exposed = self.exposed(&mut record);
        let aliases = networks(&mut record);
        let (joins, shares) = self.namespaces(&mut record);
        let after = dependencies(&mut record);
        let mut pod = Pod {
            name: name.to_owned(),
            origin,
            comment: None,
            job: None,
            replicas: 1,
            range: None,
            egress: None,
            stable: false,
            hostname: self.hostname(&mut record),
            share_processes: false,
            grace: None,
            after: Vec::new(),
            containers: Vec::new(),
            volumes: mounted.volumes,
        };
        if let Some(grace) = record.text("stop_grace_period", self.notes) {
            let text = self.value(&grace.value, &record.at("stop_grace_period"), grace.span);
            pod.grace = milliseconds(&text).map(duration);
        }
        let (cpu, memory) = self.resources(&mut record, &mut pod);
        self.restart(&mut record);
        self.sysctls(&mut record);
        let directory = record.text("working_dir", self.notes);
        let directory =
            directory.map(|found| self.value(&found.value, &record.at("working_dir"), found.span));
        if let Some(entry) = record.take("env_file") {
            self.rule(&rules::ENV_FILE, &record.at("env_file"), entry.key_span);
        }
        let has_health = health.is_some();
        let container = Container {
            name: free(name, |_| false),
            origin,
            comment: None,
            role: None,
            source,
            command: entrypoint.filter(|items| !items.is_empty()).map(Item::List),
            args,
            env,
            ports: Vec::new(),
            mounts: mounted.mounts,
            cpu,
            memory,
            probes: health.map(|map| ("ready", map, origin)).into_iter().collect(),
            restricted: security.restricted,
            user: security.user,
            read_only: security.read_only,
            capabilities: security.capabilities,
            directory,
            sync,
        };
        record.rest(RULES, self.notes);
        Some(Read {
            name: name.to_owned(),
            origin,
            container,
            joins,
            shares,
            pod,
            published,
            exposed,
            aliases,
            after,
            has_health,
        })
    }

    /// What is run, and with which arguments; none where nothing is known to run.
    pub(super) fn source(
        &mut self,
        record: &mut Record,
        entrypoint: Option<&Vec<Item>>,
    ) -> Option<(Source, Option<Item>)> {
        let image = record.text("image", self.notes);
        let build = self.build(record);
        let command = self.command(record, "command");
        let literal: Option<Vec<String>> = command.as_ref().and_then(|items| {
            let text = |item: &Item| match item {
                Item::Text(text) => Some(text.clone()),
                _ => None,
            };
            items.iter().map(text).collect()
        });
        let as_block = match (&image, &literal, entrypoint) {
            (Some(image), Some(args), None) => block(&image.value, args, self.blocks),
            _ => None,
        };
        let args = command.filter(|items| !items.is_empty()).map(Item::List);
        match (as_block, build, image) {
            (Some((block, flags)), ..) => Some((Source::Block(block), flags)),
            (None, Some(build), _) => Some((Source::Build(build), args)),
            (None, None, Some(image)) => {
                let path = record.at("image");
                let reference = self.parameterised(&image.value, &path, image.span);
                Some((Source::Image(reference), args))
            }
            (None, None, None) => None,
        }
    }

    /// Folders of the build that are mounted over what was built: `up --watch` copies them.
    pub(super) fn synced(&mut self, source: &Source, mounted: &mut Mounted) -> Vec<(String, String, Span)> {
        let context = match source {
            Source::Build(Item::Text(context)) => Some(context.as_str()),
            Source::Build(Item::Map(members)) => {
                let context = members.iter().find(|member| member.key == "context");
                context.and_then(|member| match &member.value {
                    Item::Text(context) => Some(context.as_str()),
                    _ => None,
                })
            }
            _ => None,
        };
        let mut sync = Vec::new();
        for (path, folder, target, span) in std::mem::take(&mut mounted.writable) {
            let is_built = context.is_some_and(|context| {
                context == "." || folder == context || folder.starts_with(&format!("{context}/"))
            });
            if is_built && folder != "." {
                self.rule(&rules::SYNC, &path, span);
                sync.push((folder, target, span));
            } else {
                self.bind(&path, &folder, &target, span, mounted);
            }
        }
        sync
    }

    fn build(&mut self, record: &mut Record) -> Option<Item> {
        let entry = record.take("build")?;
        let path = record.at("build");
        if let Some(context) = text_of(&entry.value) {
            let context = self.value(context, &path, entry.key_span);
            return self.context(&context, &path, entry.key_span).map(Item::from);
        }
        let mut build = Record::of(&entry.value, "build", path.clone(), self.notes)?;
        build.ignore_prefix("x-");
        let context = build.text("context", self.notes);
        let context = context.map_or_else(
            || ".".to_owned(),
            |context| self.value(&context.value, &path, context.span),
        );
        let context = self.context(&context, &path, entry.key_span);
        let mut map = Map::default();
        map.maybe("context", context.clone());
        for key in ["dockerfile", "target"] {
            let found = build.text(key, self.notes);
            let found = found.map(|found| (self.value(&found.value, &path, found.span), found.span));
            if let Some((value, span)) =
                found.filter(|(value, _)| key != "dockerfile" || value != "Dockerfile")
            {
                map.put_from(key, value, span);
            }
        }
        let mut args = Map::default();
        for (name, value, span) in self.pairs(&mut build, "args") {
            let value = value.unwrap_or_default();
            let value = self.parameterised(&value, &path, span);
            args.put_from(&name, value, span);
        }
        map.filled("args", args);
        let mut secrets = Map::default();
        for node in build.list("secrets", self.notes) {
            let source = text_of(node)
                .or_else(|| text_at(node, "source"))
                .unwrap_or_default();
            let id = text_at(node, "target").unwrap_or(source);
            let file = self
                .secrets
                .get(source)
                .and_then(|declared| text_at(declared, "file"));
            let Some(file) = file.and_then(|file| self.path(file)) else {
                self.rule(&rules::NO_FILE, &path, node.span);
                continue;
            };
            let own = source
                .split_once('.')
                .filter(|(name, _)| self.own_secrets.contains(*name));
            let (name, key) = match own {
                Some((name, key)) => (name.to_owned(), key),
                None => (free(source, |_| false), source),
            };
            if own.is_none() {
                self.declare_secret(&name, key, file, node.span);
            }
            let mut reference = Map::default();
            reference.put("secret", name);
            reference.put("key", key);
            secrets.put_from(id, reference, node.span);
        }
        map.filled("secrets", secrets);
        if let Some(platform) = build.list("platforms", self.notes).first() {
            map.maybe("platform", text_of(platform));
        }
        build.rest(RULES, self.notes);
        let context = context?;
        // A folder alone is written as such.
        Some(if map.0.len() == 1 {
            context.into()
        } else {
            map.into()
        })
    }

    /// The folder of a build, from the stack's.
    fn context(&mut self, written: &str, path: &str, span: Span) -> Option<String> {
        let found = self.path(written);
        if found.is_none() {
            let message = format!("{} isn't in the stack's folder or below it", quoted(written));
            let remedy = "write the stack into a folder above it: `-o stack.yaml` there";
            self.notes
                .say(&crate::import::rule::REFUSED, path, span, message, remedy);
        }
        found
    }

    /// A command line: a list, or a text that a shell splits.
    pub(super) fn command(&mut self, record: &mut Record, key: &str) -> Option<Vec<Item>> {
        let path = record.at(key);
        let entry = record.take(key)?;
        let texts: Vec<String> = match &entry.value.content {
            Content::Sequence(items) => items.iter().filter_map(text_of).map(str::to_owned).collect(),
            _ => words(text_of(&entry.value).unwrap_or_default()),
        };
        let span = entry.key_span;
        Some(
            texts
                .iter()
                .map(|text| self.parameterised(text, &path, span))
                .collect(),
        )
    }

    /// Names and values, written as a mapping or as a list of `name=value`.
    pub(super) fn pairs(&mut self, record: &mut Record, key: &str) -> Vec<(String, Option<String>, Span)> {
        let path = record.at(key);
        let Some(entry) = record.take(key) else {
            return Vec::new();
        };
        match &entry.value.content {
            Content::Sequence(items) => items
                .iter()
                .filter_map(|item| {
                    let text = text_of(item)?;
                    Some(match text.split_once('=') {
                        Some((name, value)) => (name.to_owned(), Some(value.to_owned()), item.span),
                        None => (text.to_owned(), None, item.span),
                    })
                })
                .collect(),
            Content::Mapping(entries) => {
                let value = |node: &Node| match &node.content {
                    _ if is_nothing(node) => None,
                    Content::Scalar { text, plain: true } => Some(scalar::text(text)),
                    _ => text_of(node).map(str::to_owned),
                };
                let pair =
                    |entry: &crate::yaml::Entry| (entry.key.clone(), value(&entry.value), entry.key_span);
                entries.iter().map(pair).collect()
            }
            _ => {
                self.notes
                    .wrong(&path, entry.key_span, "names and values", &entry.value);
                Vec::new()
            }
        }
    }

    fn environment(&mut self, record: &mut Record) -> Vec<(String, Env, Span)> {
        let path = record.at("environment");
        let mut env: Vec<(String, Env, Span)> = Vec::new();
        for (name, value, span) in self.pairs(record, "environment") {
            let value = if let Some(value) = value {
                value
            } else {
                self.rule(&rules::PASSED, &format!("{path}.{name}"), span);
                let parameters = &mut self.draft.parameters;
                parameters.entry(name.clone()).or_insert(Parameter::new(span));
                format!("${{{name}-}}")
            };
            let is_new = env.iter().all(|(other, ..)| *other != name);
            let item = self.parameterised(&value, &format!("{path}.{name}"), span);
            if is_new {
                env.push((name, Env::Written(item), span));
            }
        }
        env
    }

    fn hostname(&mut self, record: &mut Record) -> Option<String> {
        let hostname = record.text("hostname", self.notes)?;
        let text = self.value(&hostname.value, &record.at("hostname"), hostname.span);
        if Name::new(&text).is_none() {
            self.rule(&rules::HOSTNAME, &record.at("hostname"), hostname.span);
            return None;
        }
        Some(text)
    }

    /// Whose network and whose processes it shares.
    fn namespaces(&mut self, record: &mut Record) -> (Option<(String, Span)>, bool) {
        let of_service = |found: &Found<String>| found.value.strip_prefix("service:").map(str::to_owned);
        let network = record.text("network_mode", self.notes);
        let joins = network
            .as_ref()
            .and_then(|network| Some((of_service(network)?, network.span)));
        if let (Some(network), None) = (&network, &joins) {
            self.rule(&rules::NETWORK_MODE, &record.at("network_mode"), network.span);
        }
        let pid = record.text("pid", self.notes);
        let shares = pid.as_ref().and_then(of_service);
        let is_same = shares.is_some() && shares.as_ref() == joins.as_ref().map(|(name, _)| name);
        if let (Some(pid), false) = (&pid, is_same) {
            self.rule(&rules::PID, &record.at("pid"), pid.span);
        }
        (joins, is_same)
    }

    /// Reads `deploy`, `scale` and the older keys for processor time and memory.
    pub(super) fn resources(
        &mut self,
        record: &mut Record,
        pod: &mut Pod,
    ) -> (Option<String>, Option<String>) {
        let cpus = |text: &str| MilliCpu::parse(text).map(|cpu| cpu.to_string());
        let at = record.path.clone();
        let own = record.text("cpus", self.notes);
        let mut cpu = own.and_then(|found| cpus(&self.value(&found.value, &at, found.span)));
        let own = record.text("mem_limit", self.notes);
        let mut memory = own.and_then(|found| size(&self.value(&found.value, &at, found.span)));
        if let Some(scale) = record.text("scale", self.notes) {
            let text = self.value(&scale.value, &at, scale.span);
            pod.replicas = text.parse().unwrap_or(1);
        }
        let Some(mut deploy) = record.record("deploy", "deploy", self.notes) else {
            return (cpu, memory);
        };
        let mode = deploy.text("mode", self.notes);
        let is_job = mode.as_ref().is_some_and(|mode| mode.value.ends_with("-job"));
        if let Some(mode) = mode.filter(|mode| mode.value.starts_with("global")) {
            self.rule(&rules::GLOBAL, &deploy.at("mode"), mode.span);
        }
        if let Some(replicas) = deploy.text("replicas", self.notes) {
            let text = self.value(&replicas.value, &deploy.at("replicas"), replicas.span);
            pod.replicas = text.parse().unwrap_or(1);
        }
        if is_job {
            let mut keys = Map::default();
            if pod.replicas != 1 {
                keys.put("completions", Item::plain(pod.replicas));
                keys.put("parallelism", Item::plain(pod.replicas));
            }
            pod.job = Some(Job { keys, never: false });
        }
        if let Some(policy) = deploy.take("restart_policy") {
            let condition = text_at(&policy.value, "condition");
            if let (Some("none" | "on-failure"), false) = (condition, is_job) {
                self.rule(&rules::RESTARTS, &deploy.at("restart_policy"), policy.key_span);
            }
        }
        deploy.ignore(&["labels"]);
        if let Some(mut resources) = deploy.record("resources", "deployResources", self.notes) {
            let mut limits = resources.record("limits", "limits", self.notes);
            if let Some(limits) = &mut limits {
                let found = limits.text("cpus", self.notes);
                cpu = found
                    .and_then(|found| cpus(&self.value(&found.value, &at, found.span)))
                    .or(cpu);
                let found = limits.text("memory", self.notes);
                memory = found
                    .and_then(|found| size(&self.value(&found.value, &at, found.span)))
                    .or(memory);
            }
            if let Some(limits) = limits {
                limits.rest(RULES, self.notes);
            }
            if let Some(mut reserved) = resources.record("reservations", "limits", self.notes) {
                let path = reserved.path.clone();
                let of_cpu = reserved.text("cpus", self.notes);
                let of_memory = reserved.text("memory", self.notes);
                let is_less = |found: &Found<String>, read: Option<String>, limit: &Option<String>| {
                    (read.is_none() || read != *limit).then_some(found.span)
                };
                let spans = [
                    of_cpu
                        .as_ref()
                        .and_then(|found| is_less(found, cpus(&found.value), &cpu)),
                    of_memory
                        .as_ref()
                        .and_then(|found| is_less(found, size(&found.value), &memory)),
                ];
                for span in spans.into_iter().flatten() {
                    self.rule(&rules::REQUESTS, &path, span);
                }
                reserved.rest(RULES, self.notes);
            }
            resources.rest(RULES, self.notes);
        }
        deploy.rest(RULES, self.notes);
        (cpu, memory)
    }

    fn restart(&mut self, record: &mut Record) {
        if let Some(restart) = record.text("restart", self.notes)
            && !matches!(restart.value.as_str(), "always" | "unless-stopped")
        {
            self.rule(&rules::RESTARTS, &record.at("restart"), restart.span);
        }
    }

    pub(super) fn sysctls(&mut self, record: &mut Record) {
        let path = record.at("sysctls");
        for (name, _, span) in self.pairs(record, "sysctls") {
            if name != "net.ipv4.ip_unprivileged_port_start" {
                self.rule(&rules::SYSCTL, &path, span);
            }
        }
    }
}

/// The aliases of a service's networks.
fn networks(record: &mut Record) -> Vec<(String, Span, String)> {
    let mut aliases = Vec::new();
    let Some(entry) = record.take("networks") else {
        return aliases;
    };
    for network in entry.value.entries().unwrap_or_default() {
        let Some(found) = network.value.get("aliases") else {
            continue;
        };
        let path = format!("{}.{}.aliases", record.at("networks"), network.key);
        if let Content::Sequence(items) = &found.value.content {
            aliases.extend(
                items
                    .iter()
                    .filter_map(|item| Some((text_of(item)?.to_owned(), item.span, path.clone()))),
            );
        }
    }
    aliases
}

/// What it depends on: name and condition.
fn dependencies(record: &mut Record) -> Vec<(String, String, Span)> {
    record
        .take("depends_on")
        .map_or_else(Vec::new, |entry| listed(&entry.value))
}

/// What a service depends on: name and condition.
pub(super) fn dependencies_of(service: &Node) -> Vec<(String, String, Span)> {
    service
        .get("depends_on")
        .map_or_else(Vec::new, |entry| listed(&entry.value))
}

fn listed(node: &Node) -> Vec<(String, String, Span)> {
    let started = || "service_started".to_owned();
    if let Content::Sequence(items) = &node.content {
        items
            .iter()
            .filter_map(|item| Some((text_of(item)?.to_owned(), started(), item.span)))
            .collect()
    } else {
        let entries = node.entries().unwrap_or_default();
        let condition = |node: &Node| text_at(node, "condition").map_or_else(started, str::to_owned);
        let dependency =
            |entry: &crate::yaml::Entry| (entry.key.clone(), condition(&entry.value), entry.key_span);
        entries.iter().map(dependency).collect()
    }
}
