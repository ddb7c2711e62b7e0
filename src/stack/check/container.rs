//! Checks one container.

use std::collections::BTreeMap;

use super::Checker;
use super::paths::{container_path_problem, is_below, normal};
use super::pod::PodScope;
use super::secret::{check_secret_key, check_secret_name};
use crate::diagnostic::{Diagnostic, Listed, Span, quoted};
use crate::parameters::Parameter;
use crate::stack::interface::{BlockInterface, FlagInterface};
use crate::stack::raw::{RawArguments, RawContainer, RawFlag, RawMount, RawPortNumber, RawSecretKey};
use crate::stack::{
    Bytes, Command, Container, ContainerPort, EnvValue, ImageReference, Mount, Name, Protocol, Resources,
    Role, Security, SecurityLevel, Source, User, is_common_variable,
};
use crate::yaml::{List, Map, Shorthand, Spanned, Text};

/// Where the binary stands in containers.
const RESERVED: &str = "/.motif";

/// The least memory that the engine gives a container.
const LEAST_MEMORY: Bytes = Bytes(6 << 20);

/// Capabilities that the Pod Security Standard `baseline` allows to add; `restricted` allows the first.
const CAPABILITIES: [&str; 13] = [
    "NET_BIND_SERVICE",
    "AUDIT_WRITE",
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "MKNOD",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYS_CHROOT",
];

impl Checker<'_> {
    pub(super) fn container<'a>(
        &mut self,
        name: Name,
        key: Span,
        raw: &'a RawContainer,
        pod: &mut PodScope<'a>,
    ) -> Option<Container> {
        let source = self.source(key, raw, pod);
        let command = self.command(key, raw, source.as_ref());
        let env = self.env(raw, pod);
        let ports = self.ports(raw);
        let mounts = self.mounts(raw, pod);
        let resources = self.resources(raw);
        let probes = self.probes(name.as_str(), raw, &pod.ports);
        let security = self.security(raw);
        let directory = raw.directory.get().map(|directory| {
            self.container_path(directory);
            directory.value.0.clone()
        });
        Some(Container {
            name,
            place: self.place(key),
            role: raw.role.value().copied().unwrap_or(Role::Main),
            source: source?,
            command,
            env,
            ports,
            mounts,
            resources,
            probes,
            security,
            directory,
            sync: self.syncs(raw),
        })
    }

    fn source(&mut self, key: Span, raw: &RawContainer, pod: &PodScope<'_>) -> Option<Source> {
        let kinds = [
            ("image", raw.image.key()),
            ("build", raw.build.key()),
            ("block", raw.block.key()),
        ];
        let written: Vec<(&str, Span)> = kinds
            .iter()
            .filter_map(|(name, key)| Some((*name, (*key)?)))
            .collect();
        match written.as_slice() {
            [] if kinds.iter().any(|(name, _)| raw.mistyped.contains(name)) => None,
            [] => {
                self.push(
                    Diagnostic::error(key, "the container has nothing to run")
                        .help("write one of `image: name`, `build: folder` and `block: name`"),
                );
                None
            }
            [("image", _)] => self.image(raw.image.get()?),
            [("build", _)] => self.build(raw.build.get()?, pod),
            [_] => self.block(raw.block.get()?),
            [(first, span), (second, other), ..] => {
                self.push(
                    Diagnostic::error(
                        *other,
                        format!("a container runs one thing, not `{first}` and `{second}`"),
                    )
                    .related(*span, "the other"),
                );
                None
            }
        }
    }

    fn image(&mut self, text: &Spanned<Text>) -> Option<Source> {
        let written = &text.value.0;
        if let Some(image) = ImageReference::new(written) {
            return Some(Source::Image(image));
        }
        let bare = written.trim();
        let bare = ["https://", "http://"]
            .iter()
            .find_map(|scheme| bare.strip_prefix(scheme))
            .unwrap_or(bare);
        // A tag may have capitals, a name may not.
        let name = bare.rfind('/').map_or(0, |slash| slash + 1);
        let end = bare[name..]
            .find([':', '@'])
            .map_or(bare.len(), |colon| name + colon);
        let meant = bare[..end].to_ascii_lowercase() + &bare[end..];
        let meant = (meant != *written && ImageReference::new(&meant).is_some()).then_some(meant);
        let help = match meant {
            Some(meant) => format!("did you mean {}?", quoted(&meant)),
            None => "it is written `[registry/]name[:tag][@digest]`, as in `nginx:1.27`".into(),
        };
        self.push(
            Diagnostic::error(text.span, format!("{} can't name an image", quoted(written))).help(help),
        );
        None
    }

    fn block(&mut self, text: &Spanned<Text>) -> Option<Source> {
        let name = &text.value.0;
        if self.blocks.iter().any(|block| block.name == *name) {
            return Some(Source::Block(name.clone()));
        }
        let names: Vec<&str> = self.blocks.iter().map(|block| block.name.as_str()).collect();
        let help = self
            .problems
            .did_you_mean(name, names.iter().copied())
            .unwrap_or_else(|| format!("there are {}", Listed(names, "and")));
        self.push(Diagnostic::error(text.span, format!("no block {}", quoted(name))).help(help));
        None
    }

    fn command(&mut self, key: Span, raw: &RawContainer, source: Option<&Source>) -> Command {
        let words = |list: &List<Text>| list.0.iter().map(|word| word.value.0.clone()).collect::<Vec<_>>();
        let is_block = !raw.block.is_absent();
        if is_block && let Some(span) = raw.command.key() {
            self.push(
                Diagnostic::error(span, "a block takes no `command`").help("its flags stand under `args:`"),
            );
        }
        let interface = match source {
            Some(Source::Block(name)) => self.blocks.iter().find(|block| block.name == *name),
            _ => None,
        };
        let args = match raw.args.get() {
            None => {
                if let (Some(block), true) = (interface, raw.args.is_absent()) {
                    self.required_flags(block, &Map::default(), raw, key);
                }
                None
            }
            Some(args) => match (&args.value, is_block) {
                (RawArguments::List(list), false) => Some(words(list)),
                (RawArguments::Flags(flags), true) => {
                    interface.map(|block| self.flags(block, flags, raw, raw.args.key().unwrap_or(key)))
                }
                (RawArguments::List(list), true) if list.0.is_empty() => {
                    if let Some(block) = interface {
                        self.required_flags(block, &Map::default(), raw, key);
                    }
                    None
                }
                (RawArguments::List(_), true) => {
                    self.push(
                        Diagnostic::error(args.span, "the `args` of a block are its flags, a mapping")
                            .help("write `args: { listen: 8443 }`"),
                    );
                    None
                }
                (RawArguments::Flags(_), false) => {
                    self.push(
                        Diagnostic::error(args.span, "the `args` of an image are a list")
                            .help("write `args: [\"--listen\", \"8443\"]`; a mapping is for a `block`"),
                    );
                    None
                }
            },
        };
        if let Some(list) = raw.command.get()
            && list.value.0.is_empty()
        {
            self.push(
                Diagnostic::error(list.span, "the command is empty").help("leave it out for the image's own"),
            );
        }
        Command {
            command: raw.command.value().map(words),
            args,
        }
    }

    fn flags(
        &mut self,
        block: &BlockInterface,
        flags: &Map<RawFlag>,
        raw: &RawContainer,
        key: Span,
    ) -> Vec<String> {
        let mut words = Vec::new();
        for entry in &flags.0 {
            let name = &entry.key.value;
            let Some(flag) = block.flags.iter().find(|flag| flag.name == *name) else {
                let known = || block.flags.iter().map(|flag| flag.name.as_str());
                let help = self
                    .problems
                    .did_you_mean(name, known())
                    .unwrap_or_else(|| format!("it has {}", Listed(known().collect(), "and")));
                self.push(
                    Diagnostic::error(
                        entry.key.span,
                        format!("the block {} has no flag {}", quoted(&block.name), quoted(name)),
                    )
                    .help(help),
                );
                continue;
            };
            match entry.value.as_ref().map(|value| (&value.value, value.span)) {
                None => {}
                Some((RawFlag::One(text), span)) => words.extend(self.flag(flag, text, span)),
                Some((RawFlag::Many(list), span)) => {
                    if !flag.repeats {
                        self.push(
                            Diagnostic::error(
                                span,
                                format!("the flag {} takes one value, found a list", quoted(name)),
                            )
                            .help("write one value"),
                        );
                    }
                    for item in &list.0 {
                        words.extend(self.flag(flag, &item.value.0, item.span));
                    }
                }
            }
        }
        self.required_flags(block, flags, raw, key);
        words
    }

    fn flag(&mut self, flag: &FlagInterface, text: &str, span: Span) -> Option<String> {
        let mut parameter = Parameter::new(flag.name.as_str(), flag.kind);
        parameter.choices.clone_from(&flag.choices);
        match parameter.parse(text) {
            Ok(value) => Some(format!("--{}={value}", flag.name)),
            Err(invalid) => {
                let problem = Diagnostic::error(span, format!("the flag {}: {invalid}", quoted(&flag.name)))
                    .maybe_help(invalid.help());
                self.push(problem);
                None
            }
        }
    }

    fn required_flags(
        &mut self,
        block: &BlockInterface,
        flags: &Map<RawFlag>,
        raw: &RawContainer,
        key: Span,
    ) {
        let variables = || raw.env.value().into_iter().flat_map(Map::keys);
        for flag in &block.flags {
            let is_given = flags.keys().any(|name| name == flag.name)
                || variables().any(|name| Some(name) == flag.environment.as_deref());
            if flag.required && !is_given {
                self.push(
                    Diagnostic::error(
                        key,
                        format!(
                            "the block {} needs the flag {}",
                            quoted(&block.name),
                            quoted(&flag.name)
                        ),
                    )
                    .help(format!("write `args: {{ {}: … }}`", flag.name)),
                );
            }
        }
    }

    fn env(&mut self, raw: &RawContainer, pod: &PodScope<'_>) -> Vec<(String, EnvValue)> {
        let mut env = Vec::new();
        for entry in raw.env.value().iter().flat_map(|map| &map.0) {
            self.env_name(&entry.key.value, entry.key.span);
            let Some(value) = &entry.value else { continue };
            let value = match &value.value {
                Shorthand::Short(text) => {
                    if text.0.contains('\0') {
                        self.push(Diagnostic::error(
                            value.span,
                            "an environment variable can't hold a NUL byte",
                        ));
                    }
                    Some(EnvValue::Text(text.0.clone()))
                }
                Shorthand::Long(key) => self
                    .secret_key(key, pod)
                    .map(|(secret, key)| EnvValue::Secret { secret, key }),
            };
            env.extend(value.map(|value| (entry.key.value.clone(), value)));
        }
        env
    }

    /// Kubernetes' rule for names: printable ASCII without `=`; older clusters take less.
    fn env_name(&mut self, name: &str, span: Span) {
        let is_printable = name
            .bytes()
            .all(|byte| (b' '..=b'~').contains(&byte) && byte != b'=');
        if name.is_empty() || !is_printable {
            self.push(
                Diagnostic::error(
                    span,
                    format!("{} can't name an environment variable", quoted(name)),
                )
                .help("a name is made of letters, digits and `_`"),
            );
        } else if !is_common_variable(name) {
            self.push(
                Diagnostic::warning(
                    span,
                    format!("{} is an unusual name for an environment variable", quoted(name)),
                )
                .help("clusters before Kubernetes 1.32 refuse it; a name is made of letters, digits and `_`"),
            );
        }
    }

    /// A key of a secret, by the names of both.
    pub(super) fn secret_key(&mut self, raw: &RawSecretKey, pod: &PodScope<'_>) -> Option<(Name, String)> {
        let (secret, key) = (raw.secret.get()?, raw.key.get()?);
        let name = check_secret_name(&secret.value.0, secret.span, pod.secrets, self.problems)?;
        check_secret_key(
            &secret.value.0,
            &key.value.0,
            key.span,
            pod.secrets,
            self.problems,
        );
        Some((name, key.value.0.clone()))
    }

    fn ports(&mut self, raw: &RawContainer) -> Vec<ContainerPort> {
        let mut ports = Vec::new();
        for entry in raw.ports.value().iter().flat_map(|map| &map.0) {
            let Some(value) = &entry.value else { continue };
            let (RawPortNumber { 0: number }, protocol, local) = match &value.value {
                Shorthand::Short(number) => (*number, Protocol::Tcp, false),
                Shorthand::Long(long) => {
                    let Some(number) = long.port.value() else { continue };
                    let protocol = long.protocol.value().copied().unwrap_or(Protocol::Tcp);
                    (
                        *number,
                        protocol,
                        long.local.value().is_some_and(|boolean| boolean.0),
                    )
                }
            };
            // A wrong name was said where the pod's ports are compared.
            let (Some(name), Ok(port)) = (Name::new(&entry.key.value), u16::try_from(number)) else {
                continue;
            };
            ports.push(ContainerPort {
                name,
                place: self.place(entry.key.span),
                port,
                protocol,
                local,
            });
        }
        ports
    }

    fn mounts<'a>(&mut self, raw: &'a RawContainer, pod: &mut PodScope<'a>) -> Vec<Mount> {
        let mut mounts = Vec::new();
        let mut taken: BTreeMap<String, Span> = BTreeMap::new();
        for entry in raw.mounts.value().iter().flat_map(|map| &map.0) {
            let volume = entry.key.value.as_str();
            pod.mounted.insert(volume);
            let read_only_kind = pod.volumes.get(volume).copied();
            if read_only_kind.is_none() {
                let help = self
                    .problems
                    .did_you_mean(volume, pod.volumes.keys().copied())
                    .unwrap_or_else(|| "declare it under the pod's `volumes:`".into());
                self.push(
                    Diagnostic::error(entry.key.span, format!("no volume {}", quoted(volume))).help(help),
                );
            }
            let Some(value) = &entry.value else { continue };
            let (path, read_only) = match &value.value {
                Shorthand::Short(path) => (
                    Spanned {
                        value: path.clone(),
                        span: value.span,
                    },
                    false,
                ),
                Shorthand::Long(RawMount { path, read_only, .. }) => {
                    let Some(path) = path.get() else { continue };
                    (path.clone(), read_only.value().is_some_and(|boolean| boolean.0))
                }
            };
            let Some(path_text) = self.mount_path(&path) else {
                continue;
            };
            if let Some(first) = taken.insert(path_text.clone(), path.span) {
                self.push(
                    Diagnostic::error(
                        path.span,
                        format!("two volumes are mounted at {}", quoted(&path_text)),
                    )
                    .related(first, "the other"),
                );
            }
            if let (Some(volume), Some(read_only_kind)) = (Name::new(volume), read_only_kind) {
                mounts.push(Mount {
                    volume,
                    path: path_text,
                    read_only: read_only || read_only_kind,
                });
            }
        }
        mounts
    }

    fn mount_path(&mut self, path: &Spanned<Text>) -> Option<String> {
        if !self.container_path(path) {
            return None;
        }
        let text = normal(&path.value.0);
        let why = if text == "/" {
            "a volume can't take the place of the root"
        } else if is_below(&text, RESERVED) {
            "the path is reserved for the motif binary"
        } else if ["/proc", "/sys", "/dev"]
            .iter()
            .any(|folder| is_below(&text, folder))
        {
            "the path belongs to the kernel"
        } else {
            return Some(text);
        };
        self.push(
            Diagnostic::error(path.span, format!("{} can't be mounted: {why}", quoted(&text)))
                .help("choose another path"),
        );
        None
    }

    pub(super) fn container_path(&mut self, path: &Spanned<Text>) -> bool {
        match container_path_problem(&path.value.0) {
            None => true,
            Some((why, help)) => {
                self.push(
                    Diagnostic::error(path.span, format!("{why}, found {}", quoted(&path.value.0)))
                        .maybe_help(help),
                );
                false
            }
        }
    }

    fn resources(&mut self, raw: &RawContainer) -> Resources {
        let Some(raw) = raw.resources.value() else {
            return Resources::default();
        };
        if let Some(memory) = raw.memory.get()
            && memory.value < LEAST_MEMORY
        {
            self.push(
                Diagnostic::error(
                    memory.span,
                    format!(
                        "{} is too little memory for a container",
                        quoted(&memory.value.to_string())
                    ),
                )
                .help(format!("the least that the engine gives is `{LEAST_MEMORY}`")),
            );
        }
        Resources {
            cpu: raw.cpu.value().copied(),
            memory: raw.memory.value().copied(),
        }
    }

    fn security(&mut self, raw: &RawContainer) -> Security {
        let level = raw.security.value().copied().unwrap_or(SecurityLevel::Restricted);
        let user = raw.user.get().and_then(|user| self.user(user, level));
        let mut capabilities = Vec::new();
        for capability in raw.capabilities.value().iter().flat_map(|list| &list.0) {
            capabilities.extend(self.capability(capability, level));
        }
        Security {
            level,
            user,
            read_only_root: raw
                .read_only
                .value()
                .map_or(level == SecurityLevel::Restricted, |boolean| boolean.0),
            capabilities,
        }
    }

    fn user(&mut self, written: &Spanned<Text>, level: SecurityLevel) -> Option<User> {
        let text = &written.value.0;
        let id = |text: &str| {
            let is_plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            is_plain
                .then(|| text.parse::<u32>().ok())
                .flatten()
                .filter(|id| i32::try_from(*id).is_ok())
        };
        let user = match text.split_once(':') {
            Some((user, group)) => id(user).zip(id(group)),
            None => id(text).map(|id| (id, id)),
        };
        let Some((uid, gid)) = user else {
            self.push(
                Diagnostic::error(written.span, format!("{} is not a numeric user", quoted(text))).help(
                    "write `65532`, or `1000:1000` for user and group, each up to 2147483647; an image's names are not known here",
                ),
            );
            return None;
        };
        if uid == 0 && level == SecurityLevel::Restricted {
            self.push(
                Diagnostic::error(written.span, "a restricted container doesn't run as root")
                    .help("write `user: 65532`, or `security: baseline`"),
            );
        }
        Some(User { uid, gid })
    }

    fn capability(&mut self, written: &Spanned<Text>, level: SecurityLevel) -> Option<String> {
        let text = &written.value.0;
        let upper = text.to_ascii_uppercase();
        let plain = upper.strip_prefix("CAP_").unwrap_or(&upper);
        if plain != text && CAPABILITIES.contains(&plain) {
            self.push(
                Diagnostic::error(
                    written.span,
                    format!("{} is not how a capability is written", quoted(text)),
                )
                .help(format!("write `{plain}`")),
            );
            return None;
        }
        let allowed: &[&str] = match level {
            SecurityLevel::Restricted => &CAPABILITIES[..1],
            SecurityLevel::Baseline => &CAPABILITIES,
        };
        if allowed.contains(&plain) {
            return Some(plain.to_owned());
        }
        let problem = if CAPABILITIES.contains(&plain) {
            Diagnostic::error(
                written.span,
                format!("a restricted container takes no capability {}", quoted(text)),
            )
            .help("write `security: baseline`; restricted takes `NET_BIND_SERVICE` only")
        } else {
            let help = self
                .problems
                .did_you_mean(plain, allowed.iter().copied())
                .unwrap_or_else(|| format!("it takes {}", Listed(allowed.to_vec(), "and")));
            Diagnostic::error(
                written.span,
                format!("the capability {} is not allowed", quoted(text)),
            )
            .help(help)
        };
        self.push(problem);
        None
    }
}
