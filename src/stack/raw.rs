//! `stack.yaml` as written: every key, its form and its meaning. The JSON Schema is made from these records.

use std::borrow::Cow;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::raw_promise::RawPromise;
use super::{Affinity, Bytes, Concurrency, MilliCpu, Protocol, Restart, Role, Scheme, SecurityLevel, Until};
use crate::diagnostic::Diagnostic;
use crate::parameters::{RawParameter, parse_duration};
use crate::yaml::{
    Boolean, Content, Decode, Decoder, List, Map, Node, Shorthand, Text, Whole, record, words,
};

/// A port.
pub type RawPortNumber = Whole<1, 65535>;

record! {
    /// A stack: pods, the services in front of them, jobs, and the secrets they use.
    pub struct RawStack ("a stack") {
        /// Name of the stack, a DNS label: prefix of everything that it owns.
        stack "stack" required: Text,
        /// Fragments that are merged into this file, relative to it.
        include "include": List<Text>,
        /// What can be adjusted later, and stands as `${name}` in values.
        parameters "parameters": Map<RawParameter>,
        /// Long-running containers that share network, volumes and fate.
        pods "pods": Map<RawPod>,
        /// Stable names and addresses for the ready replicas of pods.
        services "services": Map<RawService>,
        /// Pods that run to completion.
        jobs "jobs": Map<RawJob>,
        /// Secrets: names, keys and where their values come from.
        secrets "secrets": Map<RawSecret>,
        /// What the stack guarantees, and how `motif verify` tries it.
        promises "promises": Map<RawPromise>,
    }
}

record! {
    /// Containers that share network, volumes and fate.
    pub struct RawPod ("a pod") {
        /// How many run: a number, or the range in which a cluster adds and removes them. Default 1.
        replicas "replicas": Shorthand<Whole<0, 1000>, Box<RawRange>>,
        /// Whether replicas keep names and claims (a StatefulSet on a cluster). Default false.
        stable "stable": Boolean,
        /// Host name, a DNS label. Default: the replica's name.
        hostname "hostname": Text,
        /// Whether containers see each other's processes. Default false.
        share_processes "shareProcesses": Boolean,
        /// When an ended main container is started again: always. A job has other choices.
        restart "restart": Restart,
        /// What has to be so before it starts: the name of a pod to ready, of a job to done.
        after "after": Map<Until>,
        /// What it may dial on a cluster: services of the stack, `internet`, networks such as 10.0.0.0/8 or 10.1.2.3/32:5432. Empty: nothing. Default: anything.
        egress "egress": List<Text>,
        /// Time between SIGTERM and SIGKILL. Default 30s.
        grace "grace": RawDuration,
        /// Containers by name. Init containers and sidecars start in the order written.
        containers "containers" required: Map<RawContainer>,
        /// Volumes by name.
        volumes "volumes": Map<Shorthand<RawVolumeWord, RawVolume>>,
    }
}

record! {
    /// The range in which a cluster adds and removes replicas; on Docker the fewest run.
    pub struct RawRange ("a range of replicas") {
        /// The fewest.
        min "min" required: Whole<1, 1000>,
        /// The most.
        max "max" required: Whole<1, 1000>,
        /// Average use of the processor time that containers ask for, in percent, above which there are more. Default 80, where `memory` isn't given.
        cpu "cpu": Whole<1, 100>,
        /// Average use of the memory that containers ask for, in percent, above which there are more. Default: it isn't looked at.
        memory "memory": Whole<1, 100>,
    }
}

record! {
    /// A pod that runs to completion.
    pub struct RawJob ("a job") {
        /// How many runs must end well. Default 1.
        completions "completions": Whole<1, 100_000>,
        /// How many run at a time. Default 1.
        parallelism "parallelism": Whole<1, 1000>,
        /// Failed runs before the job fails. Default 6.
        retries "retries": Whole<0, 1000>,
        /// Time after which the job fails. Default: none.
        deadline "deadline": RawDuration,
        /// Whether each run has an index from 0, in the variable `JOB_COMPLETION_INDEX`, and each index must end well once. Default false.
        indexed "indexed": Boolean,
        /// Time after which the runs of an ended job are removed. Default: they stay.
        ttl "ttl": RawDuration,
        /// When it runs, again and again: the five fields of cron, in UTC, or @hourly, @daily, @weekly, @monthly, @yearly. Default: once, at `up`.
        schedule "schedule": Text,
        /// What happens when it is due and still runs: allow both, forbid the new one, or replace the old one. Default allow.
        concurrency "concurrency": Concurrency,
        /// What has to be so before it starts: the name of a pod to ready, of a job to done.
        after "after": Map<Until>,
        /// What it may dial on a cluster: services of the stack, `internet`, networks such as 10.0.0.0/8 or 10.1.2.3/32:5432. Empty: nothing. Default: anything.
        egress "egress": List<Text>,
        /// Host name, a DNS label. Default: the run's name.
        hostname "hostname": Text,
        /// Whether containers see each other's processes. Default false.
        share_processes "shareProcesses": Boolean,
        /// What happens to a failed container: on-failure starts it again, never fails the run. Default on-failure.
        restart "restart": Restart,
        /// Time between SIGTERM and SIGKILL. Default 30s.
        grace "grace": RawDuration,
        /// Containers by name. Init containers and sidecars start in the order written.
        containers "containers" required: Map<RawContainer>,
        /// Volumes by name.
        volumes "volumes": Map<Shorthand<RawVolumeWord, RawVolume>>,
    }
}

record! {
    /// One container: exactly one of image, build and block.
    pub struct RawContainer ("a container") {
        /// An image as it is.
        image "image": Text,
        /// A folder with a Dockerfile, relative to the stack.
        build "build": Shorthand<Text, RawBuild>,
        /// A building block of the motif binary, by name.
        block "block": Text,
        /// Order and lifetime: init runs to its end before the next starts, a sidecar starts before and stops after the main containers. Default main.
        role "role": Role,
        /// Replaces the image's entry point.
        command "command": List<Text>,
        /// Replaces the image's arguments: a list. For a block: its flags, a mapping.
        args "args": RawArguments,
        /// Environment: name to text, or to a key of a secret.
        env "env": Map<Shorthand<Text, RawSecretKey>>,
        /// Ports that it serves: name to number.
        ports "ports": Map<Shorthand<RawPortNumber, RawPort>>,
        /// Volumes of the pod that it sees: name to absolute path.
        mounts "mounts": Map<Shorthand<Text, RawMount>>,
        /// Limits, which are its requests too.
        resources "resources": Box<RawResources>,
        /// Holds back the other probes and the next container until it passes.
        startup "startup": Box<RawProbe>,
        /// Decides whether services send traffic.
        ready "ready": Box<RawProbe>,
        /// Decides whether the container is restarted.
        live "live": Box<RawProbe>,
        /// The Pod Security Standard that it keeps: restricted or baseline. Default restricted.
        security "security": SecurityLevel,
        /// Numeric user, or user:group. Default: the image's, and 65532 for a block.
        user "user": Text,
        /// Whether the root file system is read only. Default true when restricted, else false.
        read_only "readOnly": Boolean,
        /// Capabilities beyond those of the security level, without `CAP_`.
        capabilities "capabilities": List<Text>,
        /// Working directory, an absolute path. Default: the image's.
        directory "directory": Text,
        /// Files that `up --watch` copies into it when they change: a file or folder, relative to the stack, to an absolute path.
        sync "sync": Map<Shorthand<Text, RawSync>>,
    }
}

record! {
    /// How a folder becomes an image.
    pub struct RawBuild ("a build") {
        /// The build context, relative to the stack.
        context "context" required: Text,
        /// The Dockerfile, relative to the context. Default Dockerfile.
        dockerfile "dockerfile": Text,
        /// Build arguments.
        args "args": Map<Text>,
        /// The stage to build. Default: the last.
        target "target": Text,
        /// Secrets that RUN --mount=type=secret,id=… reads: id to a key of a secret. They are in no layer.
        secrets "secrets": Map<RawSecretKey>,
        /// The platform to build for, linux/amd64 or linux/arm64. Default: the engine's.
        platform "platform": Text,
    }
}

record! {
    /// Where changed files go.
    pub struct RawSync ("a sync") {
        /// The absolute path in the container.
        path "path" required: Text,
        /// Whether the container is started again after each copy. Default false.
        restart "restart": Boolean,
    }
}

record! {
    /// A key of a secret.
    pub struct RawSecretKey ("a key of a secret") {
        /// The secret's name.
        secret "secret" required: Text,
        /// The key in it.
        key "key" required: Text,
    }
}

record! {
    /// A port that a container serves.
    pub struct RawPort ("a port") {
        /// The number.
        port "port" required: RawPortNumber,
        /// tcp or udp. Default tcp.
        protocol "protocol": Protocol,
        /// Whether the program binds the loopback address: for the pod's own containers only. Default false.
        local "local": Boolean,
    }
}

record! {
    /// A volume at a path.
    pub struct RawMount ("a mount") {
        /// The absolute path in the container.
        path "path" required: Text,
        /// Whether it is read only. Default false; config and secret volumes always are.
        read_only "readOnly": Boolean,
    }
}

record! {
    /// Limits, which are requests too.
    pub struct RawResources ("resources") {
        /// Processor time: 250m, 0.5 or 2 cores.
        cpu "cpu": MilliCpu,
        /// Memory: 64Mi, 1Gi.
        memory "memory": Bytes,
    }
}

record! {
    /// A probe: exactly one of http, tcp, exec and grpc.
    pub struct RawProbe ("a probe") {
        /// Path of an HTTP request; passes when the status is 200 to 399.
        http "http": Text,
        /// Port that a connection is opened to: its name or number.
        tcp "tcp": RawPortReference,
        /// Command that is run in the container; passes when it exits with 0.
        exec "exec": List<Text>,
        /// Port that the gRPC health service is asked on: its name or number.
        grpc "grpc": RawPortReference,
        /// Port of an HTTP probe: its name or number. Default: the container's only port.
        port "port": RawPortReference,
        /// Scheme of an HTTP probe: http or https. Default http. The certificate is not checked.
        scheme "scheme": Scheme,
        /// Headers of an HTTP probe.
        headers "headers": Map<Text>,
        /// Service name that a gRPC probe asks for. Default: the server as a whole.
        service "service": Text,
        /// Time before the first try. Default 0s.
        delay "delay": RawDuration,
        /// Time between tries. Default 10s.
        every "every": RawDuration,
        /// Time after which a try failed. Default 1s.
        timeout "timeout": RawDuration,
        /// Failed tries in a row before the probe fails. Default 3.
        failures "failures": Whole<1, 10_000>,
        /// Good tries in a row before the probe passes. Default 1; only a readiness probe takes more.
        successes "successes": Whole<1, 10_000>,
    }
}

record! {
    /// A volume: exactly one of empty, tmpfs, claim, config and secret.
    pub struct RawVolume ("a volume") {
        /// Empty at first, lives as long as the replica.
        empty "empty": RawVolumeSize,
        /// Like empty, in memory.
        tmpfs "tmpfs": RawVolumeSize,
        /// Survives the pod; its size.
        claim "claim": Bytes,
        /// Files: the path of a file or a folder relative to the stack, or file names to texts.
        config "config": Shorthand<Text, Map<Text>>,
        /// The keys of a secret as files; its name.
        secret "secret": Text,
    }
}

record! {
    /// How large a volume may grow.
    pub struct RawVolumeSize ("a volume's size") {
        /// The most that it may hold: 64Mi, 1Gi.
        size "size": Bytes,
    }
}

record! {
    /// A stable name and address for the ready replicas of a pod.
    pub struct RawService ("a service") {
        /// The pod behind it.
        pod "pod" required: Text,
        /// Ports: name to number. Behind it is the pod's port of that name, else of that number.
        ports "ports" required: Map<Shorthand<RawPortNumber, RawServicePort>>,
        /// Ports on the host: name of the service's port to host port.
        publish "publish": Map<RawPublish>,
        /// Who gets the same replica again: none or client. Default none.
        affinity "affinity": Affinity,
        /// Whether the name answers with every replica's address. Default false.
        headless "headless": Boolean,
    }
}

record! {
    /// A port of a service.
    pub struct RawServicePort ("a service's port") {
        /// The port that clients dial.
        port "port" required: RawPortNumber,
        /// The pod's port behind it: its name or number.
        target "target": RawPortReference,
    }
}

record! {
    /// A secret: exactly one of files and certificate.
    pub struct RawSecret ("a secret") {
        /// Keys to files that hold the values, relative to the stack.
        files "files": Map<Text>,
        /// Names and addresses of a self-signed certificate for development (tls.crt, tls.key), made on first use.
        certificate "certificate": List<Text>,
    }
}

words! {
    Role as "a role" { "main" => Role::Main, "sidecar" => Role::Sidecar, "init" => Role::Init, }
}

words! {
    Restart as "a restart rule" {
        "always" => Restart::Always,
        "on-failure" => Restart::OnFailure,
        "never" => Restart::Never,
    }
}

words! {
    Protocol as "a protocol" { "tcp" => Protocol::Tcp, "udp" => Protocol::Udp, }
}

words! {
    Scheme as "a scheme" { "http" => Scheme::Http, "https" => Scheme::Https, }
}

words! {
    SecurityLevel as "a security level" {
        "restricted" => SecurityLevel::Restricted,
        "baseline" => SecurityLevel::Baseline,
    }
}

words! {
    Until as "what is waited for" { "ready" => Until::Ready, "done" => Until::Done, }
}

words! {
    Concurrency as "a rule for runs that overlap" {
        "allow" => Concurrency::Allow,
        "forbid" => Concurrency::Forbid,
        "replace" => Concurrency::Replace,
    }
}

words! {
    Affinity as "an affinity" { "none" => Affinity::None, "client" => Affinity::Client, }
}

/// A volume that needs nothing said about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RawVolumeWord {
    /// On disk.
    Empty,
    /// In memory.
    Tmpfs,
}

words! {
    RawVolumeWord as "a volume" { "empty" => RawVolumeWord::Empty, "tmpfs" => RawVolumeWord::Tmpfs, }
}

/// A duration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RawDuration(pub Duration);

impl Decode for RawDuration {
    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self> {
        let unitless = match &node.content {
            Content::Scalar { text, .. } => match parse_duration(text) {
                Some(duration) => return Some(Self(duration)),
                None => text.parse::<u32>().ok(),
            },
            _ => None,
        };
        let found = node.describe();
        let span = if node.content == Content::Empty {
            decoder.owner
        } else {
            node.span
        };
        decoder.push(
            Diagnostic::error(
                span,
                format!("expected a duration such as `30s` or `500ms`, found {found}"),
            )
            .maybe_help(unitless.map(|number| format!("add the unit: `{number}s`"))),
        );
        None
    }
}

/// A schema of texts that match a pattern, or a parameter in their place.
fn text_schema(pattern: &str, or_number: bool) -> Schema {
    let mut forms = vec![json_schema!({ "type": "string", "pattern": pattern })];
    if or_number {
        forms.push(json_schema!({ "type": "number", "minimum": 0 }));
    }
    forms.push(json_schema!({ "type": "string", "pattern": "\\$\\{[^}]*\\}" }));
    json_schema!({ "anyOf": forms })
}

macro_rules! inline_schema {
    ($type:ty, $name:literal, $schema:expr) => {
        impl JsonSchema for $type {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> Cow<'static, str> {
                $name.into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                $schema
            }
        }
    };
}

inline_schema!(
    RawDuration,
    "Duration",
    text_schema(
        "^(?=.)([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?$",
        false
    )
);
inline_schema!(MilliCpu, "Cpu", text_schema("^[0-9]+(\\.[0-9]+)?m?$", true));
inline_schema!(
    Bytes,
    "Bytes",
    text_schema("^[0-9]+(\\.[0-9]+)?([kMGTP]|[KMGTP]i)?$", true)
);
inline_schema!(
    RawPortReference,
    "Port reference",
    json_schema!({
        "anyOf": [{ "type": "integer", "minimum": 1, "maximum": 65535 }, { "type": "string" }],
    })
);
inline_schema!(
    RawPublish,
    "Host port",
    json_schema!({
        "anyOf": [{ "type": "integer", "minimum": 0, "maximum": 65535 }, { "type": "string" }],
    })
);
inline_schema!(
    RawFlag,
    "Flag",
    json_schema!({
        "anyOf": [
            { "type": ["string", "number", "boolean"] },
            { "type": "array", "items": { "type": ["string", "number", "boolean"] } },
        ],
    })
);

impl Decode for MilliCpu {
    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self> {
        if let Content::Scalar { text, .. } = &node.content
            && let Some(cpu) = Self::parse(text)
        {
            return Some(cpu);
        }
        decoder.unexpected(node, "processor time such as `250m` or `2`");
        None
    }
}

impl Decode for Bytes {
    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self> {
        let help = match &node.content {
            Content::Scalar { text, .. } => match Self::parse(text) {
                Some(bytes) => return Some(bytes),
                None => meant_size(text),
            },
            _ => None,
        };
        let found = node.describe();
        let span = if node.content == Content::Empty {
            decoder.owner
        } else {
            node.span
        };
        decoder.push(
            Diagnostic::error(
                span,
                format!("expected a size such as `64Mi` or `1Gi`, found {found}"),
            )
            .maybe_help(help.map(|size| format!("did you mean `{size}`?"))),
        );
        None
    }
}

/// `64MB`, `64mb`, `64m` and `64MiB` as Kubernetes writes them.
fn meant_size(text: &str) -> Option<String> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let lower = unit.trim().to_ascii_lowercase();
    let binary = lower.strip_suffix('b').unwrap_or(&lower);
    let letter = binary.strip_suffix('i').unwrap_or(binary);
    let unit = match letter {
        "k" => "Ki",
        "m" => "Mi",
        "g" => "Gi",
        "t" => "Ti",
        _ => return None,
    };
    let size = format!("{number}{unit}");
    Bytes::parse(&size).map(|_| size)
}

/// A port, by name or number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RawPortReference {
    /// By number.
    Number(u16),
    /// By name.
    Name(String),
}

impl Decode for RawPortReference {
    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self> {
        match &node.content {
            Content::Scalar { text, plain } if *plain && text.bytes().all(|byte| byte.is_ascii_digit()) => {
                let RawPortNumber { 0: number } = Whole::decode(node, decoder)?;
                u16::try_from(number).ok().map(Self::Number)
            }
            Content::Scalar { text, .. } => Some(Self::Name(text.clone())),
            _ => {
                decoder.unexpected(node, "the name or number of a port");
                None
            }
        }
    }
}

/// A port on the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawPublish(pub super::Publish);

impl Decode for RawPublish {
    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self> {
        let parsed = match &node.content {
            Content::Scalar { text, .. } => publish(text),
            _ => None,
        };
        if parsed.is_none() {
            decoder.unexpected(node, "a host port such as `8080` or `\"0.0.0.0:8080\"`");
        }
        parsed.map(Self)
    }
}

fn publish(text: &str) -> Option<super::Publish> {
    let port = |text: &str| {
        let valid = text == "0" || !text.starts_with(['0', '+']);
        valid.then(|| text.parse().ok()).flatten()
    };
    let (address, number) = match text.rsplit_once(':') {
        Some((address, number)) => {
            let bare = address.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
            (bare.unwrap_or(address).parse().ok()?, number)
        }
        None => (std::net::Ipv4Addr::LOCALHOST.into(), text),
    };
    Some(super::Publish {
        address,
        port: port(number)?,
    })
}

/// What a container is run with.
#[derive(Debug, Clone, PartialEq)]
pub enum RawArguments {
    /// Arguments of an image.
    List(List<Text>),
    /// Flags of a block.
    Flags(Map<RawFlag>),
}

impl Decode for RawArguments {
    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self> {
        match node.content {
            Content::Mapping(_) => Map::decode(node, decoder).map(Self::Flags),
            _ => List::decode(node, decoder).map(Self::List),
        }
    }
}

impl JsonSchema for RawArguments {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Arguments".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let forms = [
            generator.subschema_for::<List<Text>>(),
            generator.subschema_for::<Map<RawFlag>>(),
        ];
        json_schema!({ "anyOf": forms })
    }
}

/// The value of a block's flag: one, or several for a flag that repeats.
#[derive(Debug, Clone, PartialEq)]
pub enum RawFlag {
    /// One.
    One(String),
    /// Several.
    Many(List<Text>),
}

impl Decode for RawFlag {
    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self> {
        match &node.content {
            Content::Sequence(_) => List::decode(node, decoder).map(Self::Many),
            _ => Text::decode(node, decoder).map(|text| Self::One(text.0)),
        }
    }
}
