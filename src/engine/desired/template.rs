//! One pod of the stack, about to become replicas.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::fields::digest_of_files;
use super::probe::{health, keeps_restarts};
use super::service::{answer_port, group_alias, is_proxied, published};
use super::{
    Container, Content, Error, Image, Mount, NOBODY, RESTARTS_FOLDER, Replica, Surroundings, Volume, Volumes,
};
use crate::engine::labels::{Role, replica_name};
use crate::stack::{
    self, Action, Name, PodSpec, Probes, Restart, SecurityLevel, Source, Stack, User, VolumeKind,
};

/// Size of the `/tmp` that a read-only root gets.
const TMP_SIZE: u64 = 64 << 20;

/// The least part of a core, in thousandths, that the kernel limits a container to.
const LEAST_CPU: u64 = 10;

/// One pod, about to become replicas.
pub(super) struct Template<'a> {
    stack: &'a Stack,
    surroundings: &'a Surroundings<'a>,
    name: &'a Name,
    spec: &'a PodSpec,
    stable: bool,
    count: u32,
    due: Option<u64>,
}

impl<'a> Template<'a> {
    pub(super) fn of_pod(
        stack: &'a Stack,
        surroundings: &'a Surroundings<'a>,
        pod: &'a stack::Pod,
        count: u32,
    ) -> Self {
        Self {
            stack,
            surroundings,
            name: &pod.name,
            spec: &pod.spec,
            stable: pod.stable,
            count,
            due: None,
        }
    }

    pub(super) fn of_job(stack: &'a Stack, surroundings: &'a Surroundings<'a>, job: &'a stack::Job) -> Self {
        Self::of_run(stack, surroundings, job, None)
    }

    /// A job's runs; of a scheduled one, those that were due at a time.
    pub(super) fn of_run(
        stack: &'a Stack,
        surroundings: &'a Surroundings<'a>,
        job: &'a stack::Job,
        due: Option<u64>,
    ) -> Self {
        Self {
            stack,
            surroundings,
            name: &job.name,
            spec: &job.spec,
            stable: false,
            count: job.parallelism,
            due,
        }
    }

    pub(super) fn check(&self) -> Result<(), Vec<Error>> {
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

    pub(super) fn replica(&self, index: u32, volumes: &mut Volumes) -> Replica {
        let has_infra = self.spec.containers.len() > 1;
        let mut containers = Vec::new();
        if has_infra {
            containers.push(self.own_network(self.infra(index)));
        }
        for container in self.ordered() {
            let made = self.container(container, index, has_infra, volumes);
            containers.push(if has_infra { made } else { self.own_network(made) });
        }
        let after: Vec<String> = self.spec.after.iter().map(|after| after.on.to_string()).collect();
        for (position, container) in (0..).zip(&mut containers) {
            container.position = position;
            container.due = self.due;
            container.after.clone_from(&after);
        }
        Replica {
            pod: self.name.to_string(),
            index,
            due: self.due,
            containers,
        }
    }

    fn object_name(&self, index: u32) -> String {
        let replica = replica_name(self.name.as_str(), self.due, index);
        format!("{}-{replica}", self.stack.name())
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
            // One that began anew would leave the others in a network that is no more, and look well.
            restart: Restart::Never,
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
        let replica = replica_name(pod.as_str(), self.due, container.replica);
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
        volumes: &mut Volumes,
    ) -> Container {
        let object_name = self.object_name(index);
        let block = match &container.source {
            Source::Block(name) => Some(name.clone()),
            Source::Image(_) | Source::Build(_) => None,
        };
        let (mut mounts, mut tmpfs) = self.mounts(container, index, volumes);
        let is_behind_a_proxy = || {
            self.stack
                .services_of(self.name)
                .any(|service| is_proxied(service, self.count))
        };
        let may_watch = container.role != stack::Role::Init && self.surroundings.knows_program(container);
        let answers_on = answer_port(self.spec, container).filter(|_| may_watch && is_behind_a_proxy());
        let watched = may_watch && (keeps_restarts(&container.probes) || answers_on.is_some());
        if may_watch && keeps_restarts(&container.probes) {
            let (name, volume) = self.restarts(container, index);
            mounts.push(Mount {
                volume: name.clone(),
                path: RESTARTS_FOLDER.to_owned(),
                read_only: false,
            });
            volumes.add(name, volume);
        }
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
        let is_synced = self.surroundings.watches && !container.sync.is_empty();
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
            binary: block.is_none() && (is_probed || must_ask || watched || is_synced),
            tmpfs,
            // The kernel gives no less than a millisecond in every hundred, as the kubelet knows too.
            milli_cpu: container.resources.cpu.map(|cpu| cpu.0.max(LEAST_CPU)),
            memory: container.resources.memory.map(|memory| memory.0),
            // The engine writes no file into a root that is read-only.
            read_only: container.security.read_only_root && !is_synced,
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
            watched,
            answers_on,
            local_ports,
            ..self.bare(index)
        }
    }

    fn mounts(
        &self,
        container: &stack::Container,
        index: u32,
        volumes: &mut Volumes,
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
            volumes.add(name.clone(), made);
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

    /// Where a watched container keeps its restarts. The dot keeps its name apart from the stack's volumes.
    fn restarts(&self, container: &stack::Container, index: u32) -> (String, Volume) {
        let name = format!("{}.restarts", container.name);
        let volume = Volume {
            pod: self.name.to_string(),
            name: name.clone(),
            content: Content::Empty,
            owner: self.user(container).ok().flatten(),
        };
        (format!("{}-{name}", self.object_name(index)), volume)
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

pub(super) fn bare(pod: &str, replica: u32) -> Container {
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
        watched: false,
        answers_on: None,
        local_ports: Vec::new(),
        job: None,
        due: None,
        index: None,
        after: Vec::new(),
    }
}
