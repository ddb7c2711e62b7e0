//! Turns a stack into running pods: images, a plan, its execution, and what the user should know of the result.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use bollard::query_parameters::{CreateImageOptionsBuilder, ListContainersOptionsBuilder};
use futures_util::future::{join_all, try_join_all};
use futures_util::{StreamExt, TryStreamExt, stream};
use time::OffsetDateTime;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::build::{Builder, Order};
use super::jobs::{Changes, MadeRun, MakeRun};
use super::{AT_ONCE, Apply, Context, Docker, Error, Intent, port_holder};
use crate::engine::binary::Binary;
use crate::engine::desired::{
    self, BINARY, Container, Desired, Image, RunName, Surroundings, desire, job_run,
};
use crate::engine::labels;
use crate::engine::observed::{Observed, Status};
use crate::engine::plan::{self, Action, ImageAction, ImageStep, Plan, Wishes};
use crate::engine::secrets::{Missing, Secrets};
use crate::engine::{Events, Work};
use crate::stack::{self, Name, Protocol, Publish, Source, Stack};

/// A stack to bring up.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is a wish of its own")]
pub struct Request<'a> {
    /// The stack.
    pub stack: &'a Stack,
    /// The folder of its project.
    pub project: &'a Path,
    /// Replicas by pod, instead of the stack's.
    pub scale: &'a BTreeMap<String, u32>,
    /// The pods that it is about, with the services in front of them, and no job; empty is all.
    pub only: &'a BTreeSet<String>,
    /// Whether images are built although nothing changed.
    pub rebuilds: bool,
    /// What builds them; BuildKit where the engine has it.
    pub builder: Option<Builder>,
    /// Whether files are copied into containers that say so, while they run.
    pub watches: bool,
    /// Images that are taken as they are, whatever became of the folders that they were built from.
    pub given: &'a BTreeMap<(Name, Name), Image>,
    /// Whether containers that the stack has no more are removed.
    pub removes_orphans: bool,
    /// Whether nothing is made or changed.
    pub is_dry: bool,
    /// The labels of the block image.
    pub block_labels: &'a BTreeMap<String, String>,
}

/// A stack that is about to be brought up: everything is known, no container was touched.
#[derive(Debug)]
pub struct Prepared {
    /// What should be.
    pub desired: Desired,
    /// The steps between.
    pub plan: Plan,
    stack: Stack,
    images: BTreeMap<(Name, Name), Image>,
    secrets: Secrets,
    block_image: Image,
    binary_volume: String,
    project: String,
}

/// What `up` waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// The pods are started. The jobs that nothing comes after are left to [`Docker::keep`].
    Started,
    /// The pods are ready, and the jobs are done.
    Ready,
}

impl Prepared {
    /// The image of every container that is no block.
    pub fn images(&self) -> &BTreeMap<(Name, Name), Image> {
        &self.images
    }

    /// The files that hold the stack's secrets.
    pub fn secrets(&self) -> &Secrets {
        &self.secrets
    }

    fn apply<'a>(
        &'a self,
        docker: &'a Docker,
        make_run: &'a MakeRun<'a>,
        permits: &'a Semaphore,
        patience: Duration,
        events: &'a Events,
    ) -> Apply<'a> {
        Apply {
            docker,
            plan: &self.plan,
            context: Context {
                desired: &self.desired,
                secrets: &self.secrets,
                binary_volume: &self.binary_volume,
                project: &self.project,
            },
            block_image: &self.block_image.id,
            make_run,
            patience,
            permits,
            events,
        }
    }

    /// Whether there is something left for [`Docker::keep`], now or later, after what was waited for.
    pub fn has_jobs_to_keep(&self, waited: Wait) -> bool {
        let has_time = |job: &desired::Job| job.schedule.is_some() || job.ttl.is_some();
        let is_left = waited == Wait::Started && !self.plan.jobs.is_empty();
        is_left || self.desired.jobs.iter().any(has_time)
    }

    fn job_run(&self, job: &str, name: RunName) -> Option<MadeRun> {
        let job = self
            .stack
            .jobs()
            .iter()
            .find(|found| found.name.as_str() == job)?;
        let surroundings = Surroundings {
            knows_programs: true,
            watches: false,
            images: &self.images,
            block_image: &self.block_image,
            scale: &BTreeMap::new(),
        };
        Some(job_run(&self.stack, &surroundings, job, name))
    }
}

/// The images that a dry run found nothing of.
fn missing_images(
    stack: &Stack,
    images: &BTreeMap<(Name, Name), Image>,
    block_image: &Image,
) -> Vec<ImageStep> {
    let step = |image: &Image, action| {
        image.id.is_empty().then(|| ImageStep {
            name: image.name.clone(),
            action,
        })
    };
    let pods = stack.pods().iter().map(|pod| (&pod.name, &pod.spec));
    let jobs = stack.jobs().iter().map(|job| (&job.name, &job.spec));
    let containers = pods.chain(jobs).flat_map(|(pod, spec)| {
        let containers = spec.containers.iter();
        containers.map(move |container| (pod, container))
    });
    let missing: BTreeSet<ImageStep> = containers
        .filter_map(|(pod, container)| {
            let image = images.get(&(pod.clone(), container.name.clone()))?;
            let action = match container.source {
                Source::Build(_) => ImageAction::Build,
                Source::Image(_) | Source::Block(_) => ImageAction::Pull,
            };
            step(image, action)
        })
        .collect();
    step(block_image, ImageAction::Load)
        .into_iter()
        .chain(missing)
        .collect()
}

/// What an image says of the program that it starts.
fn started(config: Option<bollard::models::ImageConfig>) -> Image {
    let config = config.unwrap_or_default();
    Image {
        user: config.user.unwrap_or_default(),
        entrypoint: config.entrypoint.unwrap_or_default(),
        arguments: config.cmd.unwrap_or_default(),
        ..Image::default()
    }
}

/// Where a service can be reached from the host.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub struct Address {
    /// The service.
    pub service: String,
    /// The name of its port.
    pub port: String,
    /// `https://127.0.0.1:8443`, or `127.0.0.1:6379` where the scheme is not known.
    pub url: String,
}

impl Docker {
    /// Makes images and secrets, looks at what stands, and decides what to do.
    pub async fn prepare(&self, request: &Request<'_>, events: &Events) -> Result<Prepared, Vec<Error>> {
        let one = |error| vec![error];
        let stack = request.stack;
        let now = OffsetDateTime::now_utc();
        let missing = if request.is_dry {
            Missing::Imagine
        } else {
            Missing::Make
        };
        let secrets =
            Secrets::load(stack, request.project, now, missing).map_err(|error| one(error.into()))?;
        let binary = Binary::running().map_err(|error| one(error.into()))?;
        let (images, block_image, mut observed) = tokio::try_join!(
            self.images(request, &secrets, events),
            self.block_image(&binary, request, events),
            async { self.observe(stack.name().as_str()).await.map_err(one) }
        )?;
        let binary_volume = binary.volume();
        let surroundings = Surroundings {
            knows_programs: true,
            watches: request.watches,
            images: &images,
            block_image: &block_image,
            scale: request.scale,
        };
        let many = |errors: Vec<desired::Error>| errors.into_iter().map(Error::from).collect::<Vec<_>>();
        let mut desired = desire(stack, &surroundings).map_err(many)?;
        let services = desired
            .services
            .iter()
            .filter(|(_, pod)| request.only.contains(*pod));
        let services = services.map(|(service, _)| service.clone());
        let only: BTreeSet<String> = services.chain(request.only.iter().cloned()).collect();
        if !only.is_empty() {
            desired.replicas.retain(|replica| only.contains(&replica.pod));
        }
        let uses_binary = desired
            .replicas
            .iter()
            .flat_map(|replica| &replica.containers)
            .any(|container| container.binary);
        if uses_binary && !request.is_dry {
            self.ensure_binary_volume(&binary, events).await.map_err(one)?;
        }
        self.compare_secrets(&mut observed, &desired, &secrets)
            .await
            .map_err(one)?;
        let many = |errors: Vec<plan::Error>| errors.into_iter().map(Error::from).collect::<Vec<_>>();
        let wishes = Wishes {
            removes_orphans: request.removes_orphans,
            only: &only,
            now,
        };
        let mut plan = plan::plan(&desired, &observed, wishes).map_err(many)?;
        plan.images = missing_images(stack, &images, &block_image);
        // Behind another kind of address the engine may be another machine, with ports of its own.
        let taken = if self.is_local() {
            taken_ports(&desired, &observed, &plan)
        } else {
            Vec::new()
        };
        if !taken.is_empty() {
            return Err(taken);
        }
        Ok(Prepared {
            desired,
            plan,
            stack: stack.clone(),
            images,
            secrets,
            block_image,
            binary_volume,
            project: request.project.display().to_string(),
        })
    }

    /// Carries out what was decided, and waits for what it is asked to, at most so long for what has to be ready.
    pub async fn up(
        &self,
        prepared: &Prepared,
        wait: Wait,
        patience: Duration,
        events: &Events,
    ) -> Result<(), Vec<Error>> {
        let make_run = |job: &str, name: RunName| prepared.job_run(job, name);
        let permits = Semaphore::new(AT_ONCE);
        let apply = prepared.apply(self, &make_run, &permits, patience, events);
        // Where nobody keeps a job, nobody has to hear of changes.
        let changes = if prepared.plan.jobs.is_empty() {
            Changes::none()
        } else {
            self.changes(&prepared.desired.stack)
        };
        apply.run(&changes).await?;
        if wait == Wait::Ready {
            let ready = apply.wait_until_ready(Instant::now() + patience);
            let jobs = try_join_all(apply.jobs_left().map(|job| apply.keep_job(job, &changes, false)));
            tokio::try_join!(ready, jobs).map_err(|error| vec![error])?;
        }
        Ok(())
    }

    /// Keeps the jobs: runs them to their end, when they are due, and removes their runs when that is due.
    ///
    /// What fails is told at once, and ends none of the others.
    pub async fn keep(&self, prepared: &Prepared, events: &Events) -> Result<(), Vec<Error>> {
        let make_run = |job: &str, name: RunName| prepared.job_run(job, name);
        let permits = Semaphore::new(AT_ONCE);
        let apply = prepared.apply(self, &make_run, &permits, Duration::ZERO, events);
        let changes = self.changes(&prepared.desired.stack);
        let left = prepared.plan.jobs.iter().map(|plan| plan.name.as_str());
        let left: BTreeSet<&str> = left.collect();
        let is_kept = |job: &&desired::Job| {
            left.contains(job.name.as_str()) || job.schedule.is_some() || job.ttl.is_some()
        };
        let kept = prepared.desired.jobs.iter().filter(is_kept);
        let results = join_all(kept.map(async |job| {
            let result = apply.keep_job(job, &changes, true).await;
            result.inspect_err(|error| events.warning(error.with_causes()))
        }))
        .await;
        let errors: Vec<Error> = results.into_iter().filter_map(Result::err).collect();
        if errors.is_empty() { Ok(()) } else { Err(errors) }
    }

    async fn block_image(
        &self,
        binary: &Binary,
        request: &Request<'_>,
        events: &Events,
    ) -> Result<Image, Vec<Error>> {
        let image = |id| Image {
            name: binary.image(),
            id,
            entrypoint: [BINARY, "block"].map(str::to_owned).to_vec(),
            ..Image::default()
        };
        if request.is_dry {
            let found = self
                .find_image(&binary.image())
                .await
                .map_err(|error| vec![error])?;
            return Ok(image(found.and_then(|image| image.id).unwrap_or_default()));
        }
        let id = self
            .ensure_block_image(binary, request.block_labels, events)
            .await;
        Ok(image(id.map_err(|error| vec![error])?.0))
    }

    /// The images of all containers that are no blocks: built, pulled, or found.
    async fn images(
        &self,
        request: &Request<'_>,
        secrets: &Secrets,
        events: &Events,
    ) -> Result<BTreeMap<(Name, Name), Image>, Vec<Error>> {
        let pods = request.stack.pods().iter().map(|pod| (&pod.name, &pod.spec));
        let jobs = request.stack.jobs().iter().map(|job| (&job.name, &job.spec));
        let containers: Vec<(&Name, &stack::Container)> = pods
            .chain(jobs)
            .flat_map(|(pod, spec)| spec.containers.iter().map(move |container| (pod, container)))
            .filter(|(_, container)| !matches!(container.source, Source::Block(_)))
            .collect();
        // One name is looked up, and pulled, once.
        let references: BTreeSet<&str> = containers
            .iter()
            .filter_map(|(_, container)| match &container.source {
                Source::Image(reference) => Some(reference.as_str()),
                _ => None,
            })
            .collect();
        let one = |error: Error| vec![error];
        let found: BTreeMap<&str, Image> = stream::iter(references)
            .map(async |name| Ok::<_, Error>((name, self.ensure_image(name, request.is_dry, events).await?)))
            .buffer_unordered(AT_ONCE)
            .try_collect()
            .await
            .map_err(one)?;
        let images = containers.into_iter().map(async |(pod, container)| {
            let image = match &container.source {
                Source::Image(reference) => found.get(reference.as_str()).cloned().unwrap_or_default(),
                Source::Build(_)
                    if let Some(image) = request.given.get(&(pod.clone(), container.name.clone())) =>
                {
                    image.clone()
                }
                Source::Build(build) => {
                    self.built(request, pod, container, build, secrets, events)
                        .await?
                }
                Source::Block(_) => Image::default(),
            };
            Ok::<_, Error>(((pod.clone(), container.name.clone()), image))
        });
        // Builds share the engine's cache: one that another just filled is quicker than two at once.
        stream::iter(images)
            .buffer_unordered(2)
            .try_collect()
            .await
            .map_err(one)
    }

    async fn built(
        &self,
        request: &Request<'_>,
        pod: &Name,
        container: &stack::Container,
        build: &stack::Build,
        secrets: &Secrets,
        events: &Events,
    ) -> Result<Image, Error> {
        let order = Order {
            project: request.project,
            stack: request.stack.name().as_str(),
            pod: pod.as_str(),
            container: container.name.as_str(),
            build,
            secrets,
            builder: request.builder,
            afresh: request.rebuilds,
        };
        let image = if request.is_dry {
            self.find_built(order).await?
        } else {
            Some(self.ensure_built(order, events).await?)
        };
        let Some(image) = image else {
            return Ok(Image {
                name: format!("{}-{pod}-{}", request.stack.name(), container.name),
                ..Image::default()
            });
        };
        let found = self.find_image(&image.id.0).await?;
        Ok(Image {
            name: image.name,
            id: image.id.0,
            ..started(found.and_then(|image| image.config))
        })
    }

    /// Finds an image, or pulls it.
    async fn ensure_image(&self, name: &str, is_dry: bool, events: &Events) -> Result<Image, Error> {
        let mut found = self.find_image(name).await?;
        if found.is_none() && !is_dry {
            self.pull(name, events).await?;
            found = self.find_image(name).await?;
            if found.is_none() {
                return Err(Error::Vanished {
                    what: format!("image `{name}`"),
                });
            }
        }
        let found = found.unwrap_or_default();
        Ok(Image {
            name: name.to_owned(),
            id: found.id.unwrap_or_default(),
            ..started(found.config)
        })
    }

    async fn pull(&self, name: &str, events: &Events) -> Result<(), Error> {
        let work = Work::Image(name.to_owned());
        events.started(&work);
        // Without a tag the engine would pull every tag.
        let last = name.rsplit('/').next().unwrap_or(name);
        let tagged = if last.contains([':', '@']) {
            name.to_owned()
        } else {
            format!("{name}:latest")
        };
        let options = CreateImageOptionsBuilder::default().from_image(&tagged).build();
        let mut lines = self.client.create_image(Some(options), None, None);
        while let Some(line) = lines.next().await {
            let line = line
                .intent(|| format!("pull image `{name}`"))
                .inspect_err(|_| events.failed(&work))?;
            if let Some(status) = line.status {
                events.progress(&work, status);
            }
        }
        events.finished(&work, "pulled");
        Ok(())
    }

    /// Where the stack's services can be reached from the host.
    pub async fn addresses(&self, desired: &Desired) -> Result<Vec<Address>, Error> {
        let published = || {
            desired
                .replicas
                .iter()
                .flat_map(|replica| &replica.containers)
                .filter(|c| !c.publish.is_empty())
        };
        let mut chosen = BTreeMap::new();
        if published()
            .flat_map(|container| &container.publish)
            .any(|port| port.at.port == 0)
        {
            let filter = std::collections::HashMap::from([(
                "label",
                vec![format!("{}={}", labels::STACK, desired.stack)],
            )]);
            let options = ListContainersOptionsBuilder::default().filters(&filter).build();
            let running = self
                .client
                .list_containers(Some(options))
                .await
                .intent(|| "list containers".to_owned())?;
            for summary in running {
                let name = summary
                    .names
                    .unwrap_or_default()
                    .first()
                    .map(|name| name.trim_start_matches('/').to_owned());
                for port in summary.ports.unwrap_or_default() {
                    if let (Some(name), Some(host)) = (&name, port.public_port) {
                        chosen.insert((name.clone(), port.private_port), host);
                    }
                }
            }
        }
        let mut addresses = Vec::new();
        for container in published() {
            for port in &container.publish {
                let host_port = match port.at.port {
                    0 => chosen
                        .get(&(container.name.clone(), port.port))
                        .copied()
                        .unwrap_or(0),
                    fixed => fixed,
                };
                addresses.push(Address {
                    service: port.service.clone(),
                    port: port.name.clone(),
                    url: url(&port.name, port.protocol, port.at, host_port),
                });
            }
        }
        Ok(addresses)
    }

    /// Finds ports that are said to be local and that other containers can reach.
    pub async fn exposed_ports(&self, prepared: &Prepared) -> Vec<String> {
        let replicas = prepared.desired.replicas.iter().zip(&prepared.plan.replicas);
        // Replicas are alike: the first one of each pod speaks for all.
        let changed = replicas.filter(|(replica, plan)| replica.index == 0 && plan.changes());
        let asked = changed.filter_map(|(replica, _)| {
            let containers = replica.containers.iter();
            let locals: Vec<&Container> = containers.filter(|found| !found.local_ports.is_empty()).collect();
            let owner = replica.containers.first()?;
            (!locals.is_empty()).then_some((&owner.name, locals))
        });
        let warnings = asked.map(async |(owner, locals)| {
            let mut exposure = self.exposure(owner, &locals).await;
            // A program may need a moment until it listens.
            for _ in 0..5 {
                if exposure.is_whole {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(200)).await;
                exposure = self.exposure(owner, &locals).await;
            }
            exposure.warnings
        });
        join_all(warnings).await.into_iter().flatten().collect()
    }

    async fn exposure(&self, owner: &str, locals: &[&Container]) -> Exposure {
        let command = [BINARY, "block", "probe", "listeners"].map(str::to_owned);
        let answer = self.run_in(owner, &command, Duration::from_secs(5)).await;
        let listeners: Vec<Listener> = match answer {
            Ok((0, text)) => serde_json::from_str(&text).unwrap_or_default(),
            _ => Vec::new(),
        };
        let mut exposure = Exposure {
            warnings: Vec::new(),
            is_whole: true,
        };
        for container in locals {
            for (name, port) in &container.local_ports {
                let mut on_port = listeners
                    .iter()
                    .filter(|listener| listener.port == *port)
                    .peekable();
                exposure.is_whole &= on_port.peek().is_some();
                if let Some(listener) = on_port.find(|listener| !is_loopback(&listener.address)) {
                    exposure.warnings.push(format!(
                        "port `{name}` ({port}) of container `{}/{}` is meant for its own pod, but the program listens on {}: \
                         every container of the stack can reach it, past whatever stands in front; \
                         make the program bind 127.0.0.1:{port}",
                        container.pod, container.own_name, listener.address,
                    ));
                }
            }
        }
        exposure
    }
}

/// What is known of a pod's local ports.
struct Exposure {
    warnings: Vec<String>,
    /// Whether every one of them has a listener.
    is_whole: bool,
}

/// A socket that a pod listens on.
#[derive(Debug, serde::Deserialize)]
struct Listener {
    address: String,
    port: u16,
}

fn is_loopback(address: &str) -> bool {
    address
        .parse::<std::net::IpAddr>()
        .is_ok_and(|address| match address {
            std::net::IpAddr::V4(address) => address.is_loopback(),
            std::net::IpAddr::V6(address) => {
                address.is_loopback()
                    || address
                        .to_ipv4_mapped()
                        .is_some_and(|address| address.is_loopback())
            }
        })
}

fn url(name: &str, protocol: Protocol, at: Publish, port: u16) -> String {
    let address = match at.address {
        std::net::IpAddr::V4(address) if address.is_unspecified() => "127.0.0.1".to_owned(),
        std::net::IpAddr::V4(address) => address.to_string(),
        std::net::IpAddr::V6(address) => format!("[{address}]"),
    };
    let words: Vec<&str> = name.split('-').collect();
    match protocol {
        Protocol::Tcp if words.contains(&"https") => format!("https://{address}:{port}"),
        Protocol::Tcp if words.contains(&"http") => format!("http://{address}:{port}"),
        Protocol::Tcp => format!("{address}:{port}"),
        Protocol::Udp => format!("{address}:{port}/udp"),
    }
}

/// Ports of this machine that a program other than a container has; found before anything is made.
fn taken_ports(desired: &Desired, observed: &Observed, plan: &Plan) -> Vec<Error> {
    let ours: BTreeSet<u16> = observed
        .containers
        .iter()
        .filter(|container| container.status == Status::Running)
        .flat_map(|container| container.ports.iter().map(|port| port.host))
        .collect();
    let steps = plan.replicas.iter().flat_map(|replica| &replica.steps);
    let starting: BTreeSet<&str> = steps
        .filter(|step| !matches!(step.action, Action::Keep { .. }))
        .map(|step| step.name.as_str())
        .collect();
    desired
        .replicas
        .iter()
        .flat_map(|replica| &replica.containers)
        .filter(|container| starting.contains(container.name.as_str()))
        .flat_map(|container| &container.publish)
        .filter(|port| {
            port.protocol == Protocol::Tcp && !ours.contains(&port.at.port) && port_holder::is_taken(port.at)
        })
        .filter_map(|port| {
            let holder = port_holder::holder(port.at);
            // The engine itself, for a container that is just starting: whose it is shows when ours starts.
            let is_engine = holder
                .as_ref()
                .is_some_and(|holder| holder.contains("docker-proxy"));
            (!is_engine).then(|| Error::PortTaken {
                address: port.at.address.to_string(),
                port: port.at.port,
                service: port.service.clone(),
                holder,
            })
        })
        .collect()
}
