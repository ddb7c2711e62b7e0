//! Turns a stack and its images into the Docker objects that should be.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::labels::{Labels, Role};
use crate::stack::{
    self, Action, Affinity, EnvValue, Name, Place, PodSpec, Probe, Probes, Protocol, Publish, Restart,
    SecurityLevel, Service, Source, Stack, User, VolumeKind,
};

/// The binary's path in every container that has it.
pub const BINARY: &str = "/.motif/motif";
/// The folder of the binary.
pub const BINARY_FOLDER: &str = "/.motif";
/// The user of blocks and of whatever names none.
const NOBODY: User = User {
    uid: 65532,
    gid: 65532,
};
/// Size of the `/tmp` that a read-only root gets.
const TMP_SIZE: u64 = 64 << 20;

/// An image that the engine has.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Image {
    /// As a person names it, and as the engine finds it.
    pub name: String,
    /// `sha256:…`; empty while it has yet to be built.
    pub id: String,
    /// The user that it runs as; empty is root.
    pub user: String,
}

/// What a stack is turned into Docker objects with.
#[derive(Debug, Clone)]
pub struct Surroundings<'a> {
    /// The image of every container that is no block, by pod and container.
    pub images: &'a BTreeMap<(Name, Name), Image>,
    /// The image of the blocks.
    pub block_image: &'a Image,
    /// Replicas that the command line asks for, by pod.
    pub scale: &'a BTreeMap<String, u32>,
}

/// All the Docker objects of a stack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Desired {
    /// The stack.
    pub stack: String,
    /// Its network.
    pub network: String,
    /// Its volumes by their name on the engine.
    pub volumes: BTreeMap<String, Volume>,
    /// Its replicas: pods in the order written, then the proxies of services.
    pub replicas: Vec<Replica>,
    /// Its jobs, in the order written.
    pub jobs: Vec<Job>,
}

/// A pod that runs to completion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// Its name.
    pub name: String,
    /// How many runs must end well.
    pub completions: u32,
    /// How many run at a time.
    pub parallelism: u32,
    /// Failed runs before the job fails.
    pub retries: u32,
    /// Time after which the job fails.
    pub deadline: Option<Duration>,
    /// The digest of what each of its runs does.
    pub digest: String,
}

/// Containers that share network, volumes and fate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replica {
    /// The pod, or the service of a proxy.
    pub pod: String,
    /// From 0.
    pub index: u32,
    /// In the order of their start; the first owns the network.
    pub containers: Vec<Container>,
}

impl Replica {
    /// `web-0`; a proxy has its service's name.
    pub fn name(&self) -> String {
        if self.is_proxy() {
            self.pod.clone()
        } else {
            format!("{}-{}", self.pod, self.index)
        }
    }

    /// Whether it holds a service rather than a pod.
    pub fn is_proxy(&self) -> bool {
        self.containers
            .first()
            .is_some_and(|container| container.role == Role::Proxy)
    }
}

/// A volume on the engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Volume {
    /// The pod that it belongs to.
    pub pod: String,
    /// Its name in the pod.
    pub name: String,
    /// What it holds.
    pub content: Content,
    /// Who owns its files: the containers' user where they all have the same.
    pub owner: Option<User>,
}

impl Volume {
    /// Whether each replica has one for itself, and takes it along when it goes.
    pub fn is_of_a_replica(&self) -> bool {
        matches!(self.content, Content::Empty | Content::Tmpfs { .. })
    }
}

/// What a volume holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// Nothing at first; goes with the replica.
    Empty,
    /// Nothing at first, in memory.
    Tmpfs {
        /// Most that it may hold.
        size: Option<u64>,
    },
    /// Nothing at first; stays.
    Claim,
    /// Files; another content is another volume.
    Config(BTreeMap<String, Vec<u8>>),
    /// A secret's files; replaced in place.
    Secret(String),
}

impl Content {
    /// As written in the label.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::Tmpfs { .. } => "tmpfs",
            Self::Claim => "claim",
            Self::Config(_) => "config",
            Self::Secret(_) => "secret",
        }
    }
}

/// A container on the engine.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is an independent switch of the engine's own"
)]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Container {
    /// Its name on the engine.
    pub name: String,
    /// The pod or service.
    pub pod: String,
    /// The replica, from 0.
    pub replica: u32,
    /// Its name in the pod; empty for infra and proxy.
    pub own_name: String,
    /// What it is for.
    pub role: Role,
    /// Its place in the start order of its replica, from 0.
    pub position: u32,
    /// What it runs.
    pub image: Image,
    /// Replaces the image's entry point.
    pub entrypoint: Option<Vec<String>>,
    /// Replaces the image's arguments.
    pub arguments: Option<Vec<String>>,
    /// Environment, in the order written.
    pub env: Vec<(String, EnvValue)>,
    /// `uid:gid`; empty leaves the image's.
    pub user: String,
    /// Working directory.
    pub directory: Option<String>,
    /// Host name; network owners only.
    pub hostname: Option<String>,
    /// Names on the stack's network; network owners only.
    pub aliases: Vec<String>,
    /// Ports on the host; network owners only.
    pub publish: Vec<Published>,
    /// Whether it joins the namespaces of the replica's first container.
    pub joins: bool,
    /// Whether it sees the processes of the replica's containers.
    pub shares_processes: bool,
    /// Volumes.
    pub mounts: Vec<Mount>,
    /// Whether the binary is mounted into it.
    pub binary: bool,
    /// Sizes of temporary file systems by path.
    pub tmpfs: BTreeMap<String, Option<u64>>,
    /// Thousandths of a core.
    pub milli_cpu: Option<u64>,
    /// Bytes.
    pub memory: Option<u64>,
    /// Whether the root file system is read only.
    pub read_only: bool,
    /// Whether every capability is dropped first.
    pub drops_capabilities: bool,
    /// Capabilities added.
    pub capabilities: Vec<String>,
    /// When the engine starts it again.
    pub restart: Restart,
    /// Time from SIGTERM to SIGKILL.
    pub grace: Duration,
    /// The engine's health check.
    pub health: Option<Health>,
    /// Startup, readiness and liveness.
    pub probes: Probes,
    /// Ports that only the pod's own containers should reach, with their name.
    pub local_ports: Vec<(String, u16)>,
    /// The digest of the job that it is a run of.
    pub job: Option<String>,
}

/// A port on the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// The service.
    pub service: String,
    /// The name of the service's port.
    pub name: String,
    /// Where on the host.
    pub at: Publish,
    /// The container's port.
    pub port: u16,
    /// Transport.
    pub protocol: Protocol,
}

/// A volume at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// The volume's name on the engine.
    pub volume: String,
    /// The path.
    pub path: String,
    /// Whether it is read only.
    pub read_only: bool,
}

/// A health check that the engine runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// Program and arguments.
    pub command: Vec<String>,
    /// Time between checks.
    pub every: Duration,
    /// Time after which a check failed.
    pub timeout: Duration,
    /// Failed checks in a row before the container is unhealthy.
    pub failures: u32,
    /// Time at the start in which failures don't count.
    pub start: Duration,
}

/// Why a stack can't be turned into Docker objects.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A restricted container would be root.
    #[error(
        "{place}: container `{container}` of pod `{pod}` is restricted, but its image `{image}` runs as root"
    )]
    Root {
        /// Where the container was declared.
        place: Place,
        /// The pod.
        pod: Name,
        /// The container.
        container: Name,
        /// The image.
        image: String,
    },
    /// A restricted container's user can't be told from root.
    #[error(
        "{place}: container `{container}` of pod `{pod}` is restricted, but the user `{user}` of its image `{image}` is no number, so it can't be told from root"
    )]
    NamedUser {
        /// Where the container was declared.
        place: Place,
        /// The pod.
        pod: Name,
        /// The container.
        container: Name,
        /// The image.
        image: String,
        /// The image's user.
        user: String,
    },
    /// A UDP port of a service that needs a proxy.
    #[error(
        "{place}: port `{port}` of service `{service}` is UDP, which the proxy in front of several replicas can't carry"
    )]
    Udp {
        /// Where the port was declared.
        place: Place,
        /// The service.
        service: Name,
        /// The port.
        port: Name,
    },
    /// Two objects would have one name.
    #[error("two containers of the stack would both be called `{0}`")]
    Clash(String),
    /// `--scale` names no pod.
    #[error("the stack has no pod `{0}` to scale")]
    NoPod(String),
}

impl Error {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Root { .. } => Some(
                "say `user: 65532` if the program can run so, or `security: baseline` to let it be root"
                    .to_owned(),
            ),
            Self::NamedUser { .. } => Some("say `user:` with the number of that user".to_owned()),
            Self::Udp { .. } => {
                Some("make the service headless, or run one replica on the same port".to_owned())
            }
            Self::Clash(_) => Some("rename one of the pods or services".to_owned()),
            Self::NoPod(_) => None,
        }
    }
}

/// Turns a stack into the Docker objects that should be; or says everything that stands against it.
pub fn desire(stack: &Stack, surroundings: &Surroundings) -> Result<Desired, Vec<Error>> {
    let mut desired = Desired {
        stack: stack.name().to_string(),
        network: stack.name().to_string(),
        volumes: BTreeMap::new(),
        replicas: Vec::new(),
        jobs: Vec::new(),
    };
    let mut errors = Vec::new();
    for name in surroundings.scale.keys() {
        if stack.pod(name).is_none() {
            errors.push(Error::NoPod(name.clone()));
        }
    }
    for pod in stack.pods() {
        let count = surroundings
            .scale
            .get(pod.name.as_str())
            .copied()
            .unwrap_or(pod.replicas);
        let template = Template::of_pod(stack, surroundings, pod, count);
        match template.check() {
            Ok(()) => {
                for index in 0..count {
                    let replica = template.replica(index, &mut desired.volumes);
                    desired.replicas.push(replica);
                }
            }
            Err(more) => errors.extend(more),
        }
    }
    for job in stack.jobs() {
        match Template::of_job(stack, surroundings, job).check() {
            Ok(()) => {
                let (run, volumes) = job_run(stack, surroundings, job, 0);
                // What each run has for itself is made for each run.
                let shared = volumes
                    .into_iter()
                    .filter(|(_, volume)| !volume.is_of_a_replica());
                desired.volumes.extend(shared);
                desired.jobs.push(Job {
                    name: job.name.to_string(),
                    completions: job.completions,
                    parallelism: job.parallelism,
                    retries: job.retries,
                    deadline: job.deadline,
                    digest: digest_of_run(&run),
                });
            }
            Err(more) => errors.extend(more),
        }
    }
    for service in stack.services() {
        let Some(pod) = stack.pod(service.pod.as_str()) else {
            continue;
        };
        let count = surroundings
            .scale
            .get(pod.name.as_str())
            .copied()
            .unwrap_or(pod.replicas);
        if is_proxied(service, count) {
            errors.extend(udp_ports(service));
            desired.replicas.push(proxy(stack, surroundings, service, pod));
        }
    }
    let mut names = BTreeSet::new();
    for container in desired.replicas.iter().flat_map(|replica| &replica.containers) {
        if !names.insert(&container.name) {
            errors.push(Error::Clash(container.name.clone()));
        }
    }
    if errors.is_empty() {
        Ok(desired)
    } else {
        Err(errors)
    }
}

/// One run of a job, with the volumes that it mounts.
pub fn job_run(
    stack: &Stack,
    surroundings: &Surroundings,
    job: &stack::Job,
    index: u32,
) -> (Replica, BTreeMap<String, Volume>) {
    let mut volumes = BTreeMap::new();
    let mut run = Template::of_job(stack, surroundings, job).replica(index, &mut volumes);
    for container in &mut run.containers {
        if container.role == Role::Main {
            // A failed run is counted, and another one made.
            container.restart = Restart::Never;
        }
    }
    let digest = digest_of_run(&run);
    for container in &mut run.containers {
        container.job = Some(digest.clone());
    }
    (run, volumes)
}

/// What a run does, whichever it is: its own name is left out.
fn digest_of_run(run: &Replica) -> String {
    let mut digest = Sha256::new();
    let own = run
        .containers
        .first()
        .map(|owner| owner.name.clone())
        .unwrap_or_default();
    for container in &run.containers {
        let mut fields = container.fields();
        fields.remove("names");
        fields.remove("hostname");
        for (name, value) in fields {
            digest.update(format!("{name:?}={:?}\n", value.replace(&own, "")));
        }
    }
    hex(&digest.finalize())
}

/// Whether a service needs a proxy: Docker's names know neither readiness nor another port.
fn is_proxied(service: &Service, replicas: u32) -> bool {
    let moves_a_port = || service.ports.iter().any(|port| port.port != port.target);
    !service.headless && (replicas != 1 || moves_a_port())
}

fn udp_ports(service: &Service) -> impl Iterator<Item = Error> {
    service
        .ports
        .iter()
        .filter(|port| port.protocol == Protocol::Udp)
        .map(|port| Error::Udp {
            place: port.place.clone(),
            service: service.name.clone(),
            port: port.name.clone(),
        })
}

/// One pod, about to become replicas.
struct Template<'a> {
    stack: &'a Stack,
    surroundings: &'a Surroundings<'a>,
    name: &'a Name,
    spec: &'a PodSpec,
    stable: bool,
    count: u32,
}

impl<'a> Template<'a> {
    fn of_pod(stack: &'a Stack, surroundings: &'a Surroundings<'a>, pod: &'a stack::Pod, count: u32) -> Self {
        Self {
            stack,
            surroundings,
            name: &pod.name,
            spec: &pod.spec,
            stable: pod.stable,
            count,
        }
    }

    fn of_job(stack: &'a Stack, surroundings: &'a Surroundings<'a>, job: &'a stack::Job) -> Self {
        Self {
            stack,
            surroundings,
            name: &job.name,
            spec: &job.spec,
            stable: false,
            count: job.parallelism,
        }
    }

    fn check(&self) -> Result<(), Vec<Error>> {
        let errors: Vec<Error> = self
            .spec
            .containers
            .iter()
            .filter_map(|container| self.user(container).err().map(|error| *error))
            .collect();
        if errors.is_empty() { Ok(()) } else { Err(errors) }
    }

    /// Order of start: init and sidecar containers as written, then the main ones.
    fn ordered(&self) -> impl Iterator<Item = &'a stack::Container> {
        let containers = &self.spec.containers;
        let before = containers
            .iter()
            .filter(|container| container.role != stack::Role::Main);
        before.chain(self.spec.with_role(stack::Role::Main))
    }

    fn replica(&self, index: u32, volumes: &mut BTreeMap<String, Volume>) -> Replica {
        let has_infra = self.spec.containers.len() > 1;
        let mut containers = Vec::new();
        if has_infra {
            containers.push(self.own_network(self.infra(index)));
        }
        for container in self.ordered() {
            let made = self.container(container, index, has_infra, volumes);
            containers.push(if has_infra { made } else { self.own_network(made) });
        }
        for (position, container) in (0..).zip(&mut containers) {
            container.position = position;
        }
        Replica {
            pod: self.name.to_string(),
            index,
            containers,
        }
    }

    fn object_name(&self, index: u32) -> String {
        format!("{}-{}-{index}", self.stack.name(), self.name)
    }

    fn image(&self, container: &stack::Container) -> Image {
        match &container.source {
            Source::Block(_) => self.surroundings.block_image.clone(),
            Source::Image(_) | Source::Build(_) => {
                let key = (self.name.clone(), container.name.clone());
                self.surroundings.images.get(&key).cloned().unwrap_or_default()
            }
        }
    }

    /// Who the container runs as; `None` leaves the image's user, which is not known as a number.
    fn user(&self, container: &stack::Container) -> Result<Option<User>, Box<Error>> {
        if let Some(user) = container.security.user {
            return Ok(Some(user));
        }
        if matches!(container.source, Source::Block(_)) {
            return Ok(Some(NOBODY));
        }
        let image = self.image(container);
        let user = numeric_user(&image.user);
        if container.security.level == SecurityLevel::Baseline || image.id.is_empty() {
            return Ok(user);
        }
        let (place, pod, name) = (container.place.clone(), self.name.clone(), container.name.clone());
        let is_named_root = || image.user == "root" || image.user.starts_with("root:");
        match user {
            Some(User { uid: 1.., .. }) => Ok(user),
            None if !is_named_root() => Err(Box::new(Error::NamedUser {
                place,
                pod,
                container: name,
                image: image.name,
                user: image.user,
            })),
            _ => Err(Box::new(Error::Root {
                place,
                pod,
                container: name,
                image: image.name,
            })),
        }
    }

    fn infra(&self, index: u32) -> Container {
        Container {
            name: self.object_name(index),
            role: Role::Infra,
            // A newer binary pauses no better: an upgrade of motif must not restart every pod.
            image: self.surroundings.block_image.clone(),
            arguments: Some(vec!["pause".to_owned()]),
            ..self.bare(index)
        }
    }

    /// A container with nothing but safe defaults.
    fn bare(&self, index: u32) -> Container {
        Container {
            shares_processes: self.spec.share_processes,
            ..bare(self.name.as_str(), index)
        }
    }

    /// Gives a container what the owner of a network has.
    fn own_network(&self, container: Container) -> Container {
        let pod = self.name;
        let replica = format!("{pod}-{}", container.replica);
        let mut aliases = BTreeSet::from([replica.clone()]);
        let mut publish = Vec::new();
        for service in self.stack.services_of(pod) {
            aliases.insert(format!("{replica}.{}", service.name));
            aliases.insert(group_alias(service));
            if !is_proxied(service, self.count) {
                aliases.insert(service.name.to_string());
                // Only one container can have a port of the host: of a headless service the first replica.
                if container.replica == 0 {
                    publish.extend(published(service, |port| port.target));
                }
            }
        }
        let hostname = self.spec.hostname.as_ref().map_or(replica, Name::to_string);
        Container {
            hostname: Some(hostname),
            aliases: aliases.into_iter().collect(),
            publish,
            ..container
        }
    }

    fn container(
        &self,
        container: &stack::Container,
        index: u32,
        has_infra: bool,
        volumes: &mut BTreeMap<String, Volume>,
    ) -> Container {
        let object_name = self.object_name(index);
        let block = match &container.source {
            Source::Block(name) => Some(name.clone()),
            Source::Image(_) | Source::Build(_) => None,
        };
        let (mounts, mut tmpfs) = self.mounts(container, index, volumes);
        let has_tmp = mounts.iter().any(|mount| mount.path == "/tmp") || tmpfs.contains_key("/tmp");
        if container.security.read_only_root && !has_tmp && block.is_none() {
            tmpfs.insert("/tmp".to_owned(), Some(TMP_SIZE));
        }
        let arguments = match &block {
            Some(name) => {
                let flags = container.command.args.clone().unwrap_or_default();
                Some([vec![name.clone()], flags].concat())
            }
            None => container.command.args.clone(),
        };
        let local_ports: Vec<(String, u16)> = container
            .ports
            .iter()
            .filter(|port| port.local)
            .map(|port| (port.name.to_string(), port.port))
            .collect();
        let probes = [
            &container.probes.startup,
            &container.probes.ready,
            &container.probes.live,
        ];
        let is_probed = probes
            .into_iter()
            .flatten()
            .any(|probe| !matches!(probe.action, Action::Exec { .. }));
        let must_ask = !has_infra && !local_ports.is_empty();
        // The image's own user stays unsaid: its passwd file knows the groups.
        let user = container.security.user.or(block.as_ref().map(|_| NOBODY));
        Container {
            name: if has_infra {
                format!("{object_name}-{}", container.name)
            } else {
                object_name
            },
            own_name: container.name.to_string(),
            role: match container.role {
                stack::Role::Init => Role::Init,
                stack::Role::Sidecar => Role::Sidecar,
                stack::Role::Main => Role::Main,
            },
            image: self.image(container),
            entrypoint: container.command.command.clone(),
            arguments,
            env: container.env.clone(),
            user: user
                .map(|user| format!("{}:{}", user.uid, user.gid))
                .unwrap_or_default(),
            directory: container.directory.clone(),
            joins: has_infra,
            mounts,
            binary: block.is_none() && (is_probed || must_ask),
            tmpfs,
            milli_cpu: container.resources.cpu.map(|cpu| cpu.0),
            memory: container.resources.memory.map(|memory| memory.0),
            read_only: container.security.read_only_root,
            drops_capabilities: container.security.level == SecurityLevel::Restricted,
            capabilities: container.security.capabilities.clone(),
            restart: match container.role {
                // The engine counts; it starts no init container by itself.
                stack::Role::Init => Restart::Never,
                stack::Role::Sidecar => Restart::Always,
                stack::Role::Main => self.spec.restart,
            },
            grace: self.spec.grace,
            health: health(&container.probes),
            probes: container.probes.clone(),
            local_ports,
            ..self.bare(index)
        }
    }

    fn mounts(
        &self,
        container: &stack::Container,
        index: u32,
        volumes: &mut BTreeMap<String, Volume>,
    ) -> (Vec<Mount>, BTreeMap<String, Option<u64>>) {
        let mut mounts = Vec::new();
        let mut tmpfs = BTreeMap::new();
        for mount in &container.mounts {
            let Some(volume) = self.spec.volumes.get(&mount.volume) else {
                continue;
            };
            let is_shared = || {
                let users = self.spec.containers.iter();
                users
                    .filter(|other| other.mounts.iter().any(|other| other.volume == mount.volume))
                    .count()
                    > 1
            };
            if let VolumeKind::Tmpfs { size } = &volume.kind
                && !is_shared()
            {
                tmpfs.insert(mount.path.clone(), size.map(|size| size.0));
                continue;
            }
            let (name, made) = self.volume(&mount.volume, &volume.kind, index);
            let holds_files = matches!(made.content, Content::Config(_) | Content::Secret(_));
            volumes.insert(name.clone(), made);
            mounts.push(Mount {
                volume: name,
                path: mount.path.clone(),
                read_only: mount.read_only || holds_files,
            });
        }
        (mounts, tmpfs)
    }

    fn volume(&self, volume: &Name, kind: &VolumeKind, index: u32) -> (String, Volume) {
        let shared = format!("{}-{}-{volume}", self.stack.name(), self.name);
        let own = format!("{}-{volume}", self.object_name(index));
        let owner = self.owner(volume);
        let (name, content) = match kind {
            VolumeKind::Empty { .. } => (own, Content::Empty),
            VolumeKind::Tmpfs { size } => (
                own,
                Content::Tmpfs {
                    size: size.map(|size| size.0),
                },
            ),
            VolumeKind::Claim { .. } if self.stable => (own, Content::Claim),
            VolumeKind::Claim { .. } => (shared, Content::Claim),
            VolumeKind::Config { files } => {
                let files = files
                    .iter()
                    .map(|(name, file)| (name.clone(), file.content.clone()))
                    .collect();
                (
                    format!("{shared}-{}", &digest_of_files(&files, owner)[..8]),
                    Content::Config(files),
                )
            }
            VolumeKind::Secret { secret } => (shared, Content::Secret(secret.to_string())),
        };
        let volume = Volume {
            pod: self.name.to_string(),
            name: volume.to_string(),
            content,
            owner,
        };
        (name, volume)
    }

    /// The user of the containers that mount a volume, where they all have the same.
    fn owner(&self, volume: &Name) -> Option<User> {
        let mut users = self
            .spec
            .containers
            .iter()
            .filter(|container| container.mounts.iter().any(|mount| &mount.volume == volume))
            .map(|container| self.user(container).ok().flatten());
        let first = users.next().flatten();
        first.filter(|first| users.all(|user| user.as_ref() == Some(first)))
    }
}

/// The name that answers with the address of every replica behind a service.
fn group_alias(service: &Service) -> String {
    format!("pods.{}", service.name)
}

fn published(
    service: &Service,
    port_of: impl Fn(&stack::ServicePort) -> u16,
) -> impl Iterator<Item = Published> {
    service.ports.iter().filter_map(move |port| {
        port.publish.map(|at| Published {
            service: service.name.to_string(),
            name: port.name.to_string(),
            at,
            port: port_of(port),
            protocol: port.protocol,
        })
    })
}

/// The user of an image as numbers; `None` when it is a name. An empty one is root.
fn numeric_user(text: &str) -> Option<User> {
    let (uid, gid) = match text.split_once(':') {
        Some((uid, gid)) => (uid, Some(gid)),
        None => (text, None),
    };
    let uid = if uid.is_empty() { 0 } else { uid.parse().ok()? };
    let gid = match gid {
        Some(gid) => gid.parse().ok()?,
        // The engine takes the group from the image's passwd file, and 0 where that has none.
        None => 0,
    };
    Some(User { uid, gid })
}

fn bare(pod: &str, replica: u32) -> Container {
    Container {
        name: String::new(),
        pod: pod.to_owned(),
        replica,
        own_name: String::new(),
        role: Role::Main,
        position: 0,
        image: Image::default(),
        entrypoint: None,
        arguments: None,
        env: Vec::new(),
        user: format!("{}:{}", NOBODY.uid, NOBODY.gid),
        directory: None,
        hostname: None,
        aliases: Vec::new(),
        publish: Vec::new(),
        joins: false,
        shares_processes: false,
        mounts: Vec::new(),
        binary: false,
        tmpfs: BTreeMap::new(),
        milli_cpu: None,
        memory: None,
        read_only: true,
        drops_capabilities: true,
        capabilities: Vec::new(),
        restart: Restart::Always,
        grace: Duration::from_secs(10),
        health: None,
        probes: Probes::default(),
        local_ports: Vec::new(),
        job: None,
    }
}

/// The container that holds a service's name and publishes its ports.
fn proxy(stack: &Stack, surroundings: &Surroundings, service: &Service, pod: &stack::Pod) -> Replica {
    let taken: BTreeSet<u16> = service.ports.iter().map(|port| port.port).collect();
    let admin = (9901..=u16::MAX)
        .find(|port| !taken.contains(port))
        .unwrap_or(9901);
    let mut arguments = vec!["proxy".to_owned(), "--mode".to_owned(), "tcp".to_owned()];
    for port in &service.ports {
        arguments.push("--forward".to_owned());
        arguments.push(format!("{}={}:{}", port.port, group_alias(service), port.target));
    }
    arguments.extend(checks(pod));
    if service.affinity == Affinity::Client {
        arguments.extend(["--balance".to_owned(), "client".to_owned()]);
    }
    arguments.extend(["--admin".to_owned(), format!("0.0.0.0:{admin}")]);
    // Asked on loopback: the answer is about its own process, so it needs no address.
    let ready = Probe {
        place: service.place.clone(),
        action: Action::Http {
            path: "/readyz".to_owned(),
            port: admin,
            scheme: stack::Scheme::Http,
            headers: Vec::new(),
        },
        delay: Duration::ZERO,
        every: Duration::from_secs(5),
        timeout: Duration::from_secs(1),
        failures: 3,
        successes: 1,
    };
    let probes = Probes {
        ready: Some(ready),
        ..Probes::default()
    };
    let container = Container {
        name: format!("{}-{}", stack.name(), service.name),
        role: Role::Proxy,
        image: surroundings.block_image.clone(),
        arguments: Some(arguments),
        hostname: Some(service.name.to_string()),
        aliases: vec![service.name.to_string()],
        publish: published(service, |port| port.port).collect(),
        health: health(&probes),
        probes,
        ..bare(service.name.as_str(), 0)
    };
    Replica {
        pod: service.name.to_string(),
        index: 0,
        containers: vec![container],
    }
}

/// The proxy's checks of its backends: the pod's first network readiness probe, else whether a connection opens.
fn checks(pod: &stack::Pod) -> Vec<String> {
    let probe = pod
        .spec
        .containers
        .iter()
        .filter_map(|container| container.probes.ready.as_ref())
        .find(|probe| matches!(probe.action, Action::Http { .. } | Action::Tcp { .. }));
    let mut words = Vec::new();
    match probe.map(|probe| &probe.action) {
        Some(Action::Http {
            path, port, scheme, ..
        }) => {
            words.extend(["--check", "http", "--check-path", path, "--check-port"].map(str::to_owned));
            words.extend([
                port.to_string(),
                "--check-scheme".to_owned(),
                scheme.as_str().to_owned(),
            ]);
        }
        Some(Action::Tcp { port }) => {
            words.extend(["--check", "tcp", "--check-port"].map(str::to_owned));
            words.push(port.to_string());
        }
        _ => words.extend(["--check", "tcp"].map(str::to_owned)),
    }
    if let Some(probe) = probe {
        // A local proxy can afford to notice sooner than a kubelet with a hundred pods.
        let every = probe.every.min(Duration::from_secs(1));
        words.extend(["--check-every".to_owned(), duration(every)]);
        words.extend(["--check-timeout".to_owned(), duration(probe.timeout)]);
        words.extend(["--check-failures".to_owned(), probe.failures.to_string()]);
    }
    words
}

/// A duration as the blocks read it.
fn duration(value: Duration) -> String {
    match value.as_millis() {
        millis if millis % 1000 == 0 => format!("{}s", millis / 1000),
        millis => format!("{millis}ms"),
    }
}

/// The command that answers a probe from inside the container.
pub fn probe_command(probe: &Probe) -> Vec<String> {
    let mut words: Vec<String> = [BINARY, "block", "probe"].map(str::to_owned).to_vec();
    match &probe.action {
        Action::Exec { command } => return command.clone(),
        Action::Http {
            path,
            port,
            scheme,
            headers,
        } => {
            words.extend(["http".to_owned(), "--port".to_owned(), port.to_string()]);
            words.extend(["--path".to_owned(), path.clone()]);
            if *scheme == stack::Scheme::Https {
                words.extend(["--scheme", "https"].map(str::to_owned));
            }
            for (name, value) in headers {
                words.extend(["--header".to_owned(), format!("{name}: {value}")]);
            }
        }
        Action::Tcp { port } => words.extend(["tcp".to_owned(), "--port".to_owned(), port.to_string()]),
        Action::Grpc { port, service } => {
            words.extend(["grpc".to_owned(), "--port".to_owned(), port.to_string()]);
            if !service.is_empty() {
                words.extend(["--service".to_owned(), service.clone()]);
            }
        }
    }
    words.extend(["--timeout".to_owned(), duration(probe.timeout)]);
    words
}

/// The engine's one health check says what a service would ask: readiness, else startup.
fn health(probes: &Probes) -> Option<Health> {
    let probe = probes.ready.as_ref().or(probes.startup.as_ref())?;
    let startup = probes.startup.as_ref().map_or(Duration::ZERO, |startup| {
        startup.delay + startup.every * startup.failures
    });
    Some(Health {
        command: probe_command(probe),
        every: probe.every,
        // The engine counts the time that it needs to start the check, which a busy machine stretches.
        timeout: probe.timeout + Duration::from_secs(2),
        failures: probe.failures,
        start: probe.delay + startup,
    })
}

/// A digest of files and their owner.
fn digest_of_files(files: &BTreeMap<String, Vec<u8>>, owner: Option<User>) -> String {
    let mut digest = Sha256::new();
    digest.update(format!("{owner:?}"));
    for (name, content) in files {
        digest.update(format!("\n{name} {}\n", content.len()));
        digest.update(content);
    }
    hex(&digest.finalize())
}

/// Bytes as hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string can't fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

impl Container {
    /// Everything that decides whether a container is still the right one, by the name of the field.
    ///
    /// Secret values are no part of it. Nor is the binary's volume or the infra container's
    /// image: a newer motif does not restart what runs well.
    pub fn fields(&self) -> BTreeMap<String, String> {
        let mut fields: BTreeMap<String, String> = self
            .program()
            .into_iter()
            .chain(self.surroundings())
            .chain(self.limits())
            .collect();
        fields.retain(|_, value| !value.is_empty());
        fields
    }

    /// What runs.
    fn program(&self) -> Vec<(String, String)> {
        let words =
            |words: &Option<Vec<String>>| words.as_ref().map(|words| quoted(words)).unwrap_or_default();
        let id = self.image.id.trim_start_matches("sha256:");
        let image = match self.role {
            Role::Infra => String::new(),
            _ => format!("{}@{}", self.image.name, id.get(..12).unwrap_or(id)),
        };
        let health = self.health.as_ref().map(|health| {
            format!(
                "{} every {} within {}, {} failures, start {}",
                quoted(&health.command),
                duration(health.every),
                duration(health.timeout),
                health.failures,
                duration(health.start),
            )
        });
        let restart = match self.restart {
            Restart::Always => "always",
            Restart::OnFailure => "on-failure",
            Restart::Never => "never",
        };
        let env = self.env.iter().map(|(name, value)| {
            let value = match value {
                EnvValue::Text(text) => format!("{text:?}"),
                EnvValue::Secret { secret, key } => format!("secret {secret}/{key}"),
            };
            (format!("env {name}"), value)
        });
        let fields = [
            ("image", image),
            ("command", words(&self.entrypoint)),
            ("args", words(&self.arguments)),
            ("user", self.user.clone()),
            ("directory", self.directory.clone().unwrap_or_default()),
            ("restart", restart.to_owned()),
            ("grace", duration(self.grace)),
            ("health check", health.unwrap_or_default()),
        ];
        fields
            .map(|(name, value)| (name.to_owned(), value))
            .into_iter()
            .chain(env)
            .collect()
    }

    /// What it sees of the world, and the world of it.
    fn surroundings(&self) -> Vec<(String, String)> {
        let ports = self.publish.iter().map(|port| {
            let protocol = if port.protocol == Protocol::Udp {
                "/udp"
            } else {
                ""
            };
            let name = format!("published port {}{protocol}", port.port);
            (name, format!("{}:{}", port.at.address, port.at.port))
        });
        let mounts = self.mounts.iter().map(|mount| {
            let mode = if mount.read_only { " read only" } else { "" };
            (format!("mount {}", mount.path), format!("{}{mode}", mount.volume))
        });
        let tmpfs = self.tmpfs.iter().map(|(path, size)| {
            let size = size
                .map(|size| format!(" of {}", stack::Bytes(size)))
                .unwrap_or_default();
            (format!("mount {path}"), format!("tmpfs{size}"))
        });
        let names = [
            ("hostname".to_owned(), self.hostname.clone().unwrap_or_default()),
            ("names".to_owned(), self.aliases.join(" ")),
        ];
        names
            .into_iter()
            .chain(ports)
            .chain(mounts)
            .chain(tmpfs)
            .collect()
    }

    /// What it may do.
    fn limits(&self) -> Vec<(String, String)> {
        let yes = |value: bool| if value { "yes".to_owned() } else { String::new() };
        [
            (
                "cpu",
                self.milli_cpu
                    .map(|cpu| stack::MilliCpu(cpu).to_string())
                    .unwrap_or_default(),
            ),
            (
                "memory",
                self.memory
                    .map(|memory| stack::Bytes(memory).to_string())
                    .unwrap_or_default(),
            ),
            ("capabilities", self.capabilities.join(" ")),
            ("network of the pod", yes(self.joins)),
            ("shared processes", yes(self.shares_processes)),
            ("read-only root", yes(self.read_only)),
            ("all capabilities dropped", yes(self.drops_capabilities)),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into_iter()
        .collect()
    }

    /// The labels, with the digest of the fields.
    pub fn labels(&self, stack: &str) -> Labels {
        Labels {
            stack: stack.to_owned(),
            pod: self.pod.clone(),
            replica: self.replica,
            container: self.own_name.clone(),
            role: self.role,
            position: self.position,
            hash: digest_of_fields(&self.fields()),
        }
    }

    /// `web-0/app`, as a person names it.
    pub fn display_name(&self) -> String {
        self.labels("").display_name()
    }
}

/// The digest that the label of a container carries.
pub fn digest_of_fields(fields: &BTreeMap<String, String>) -> String {
    let mut digest = Sha256::new();
    for (name, value) in fields {
        digest.update(format!("{name:?}={value:?}\n"));
    }
    hex(&digest.finalize())
}

/// Words as a person would type them.
fn quoted(words: &[String]) -> String {
    let is_plain = |word: &str| {
        !word.is_empty() && !word.contains(|c: char| c.is_whitespace() || matches!(c, '"' | '\''))
    };
    let quote = |word: &String| {
        if is_plain(word) {
            word.clone()
        } else {
            format!("{word:?}")
        }
    };
    words.iter().map(quote).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests;
