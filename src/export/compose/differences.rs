//! Says what a stack loses on the way.

use super::{Context, fields, image, specs};
use crate::engine::desired::{is_proxied, names_program};
use crate::engine::labels::replica_name;
use crate::export::shell::quoted;
use crate::stack::{
    Action, Affinity, Concurrency, Container, EnvValue, Job, Name, Pod, PodSpec, Restart, Role, SecretSource,
    SecurityLevel, Source, VolumeKind,
};

/// What makes a program known.
const COMMAND: &str = "say its `command`, as the image's own entry point has it";

/// Says everything that isn't kept, and everything that is left to do.
pub fn say(context: &mut Context, needs_block_image: bool) {
    let stack = context.stack;
    for pod in stack.pods() {
        let path = format!("pods.{}", pod.name);
        spec(context, &path, &pod.name, &pod.spec);
        unasked(context, &path, pod);
        if pod.replicas == 0 {
            context.say(
                &fields::NONE,
                format!("{path}.replicas"),
                &pod.place,
                format!("nothing of `{}` is in the file", pod.name),
                "export with a replica, where it is to run",
            );
        }
        if let Some(range) = pod.range {
            context.say(
                &fields::RANGE,
                format!("{path}.replicas"),
                &pod.place,
                format!("{} run, and never up to {}", pod.replicas, range.most),
                "export again with another `min`",
            );
        }
    }
    for found in stack.jobs() {
        let path = format!("jobs.{}", found.name);
        job(context, &path, found);
        spec(context, &path, &found.name, &found.spec);
    }
    services(context);
    if needs_block_image {
        blocks(context);
    }
    for (name, secret) in stack.secrets() {
        if let SecretSource::Certificate { .. } = &secret.source {
            let folder = context.typed(&format!(".motif/secrets/{name}"));
            context.say(
                &fields::SECRET_CERTIFICATE,
                format!("secrets.{name}"),
                &secret.place,
                format!("the certificate has to be in `{folder}`"),
                "run `motif up` once, or put `tls.crt` and `tls.key` there that clients trust",
            );
        }
    }
}

fn spec(context: &mut Context, path: &str, name: &Name, spec: &PodSpec) {
    if let Some(edges) = &spec.egress {
        let place = edges.first().map(|edge| &edge.place);
        let container = spec.containers.first().map(|container| &container.place);
        if let Some(place) = place.or(container) {
            context.say(
                &fields::EGRESS,
                format!("{path}.egress"),
                place,
                format!("`{name}` may dial anything"),
                "nothing, where that is as good as `motif up`",
            );
        }
    }
    for found in &spec.containers {
        container(context, &format!("{path}.containers.{}", found.name), found);
    }
    for (volume, found) in &spec.volumes {
        if let VolumeKind::Empty { size } = &found.kind {
            let grows = if size.is_some() {
                ", and may grow beyond its size"
            } else {
                ""
            };
            context.say(
                &fields::EMPTY,
                format!("{path}.volumes.{volume}.empty"),
                &found.place,
                format!("what `{name}` writes there outlives its containers{grows}"),
                "end the project by `docker compose down --volumes`, or make it a `tmpfs`",
            );
        }
    }
}

fn container(context: &mut Context, path: &str, container: &Container) {
    let is_known = names_program(container);
    let probes = &container.probes;
    if let Some(live) = probes.live.as_ref().filter(|_| !is_known) {
        let message = format!("nothing starts `{}` again when it hangs", container.name);
        context.say(
            &fields::LIVE,
            format!("{path}.live"),
            &live.place,
            message,
            COMMAND,
        );
    }
    if let Some(startup) = probes.startup.as_ref().filter(|_| !is_known) {
        let message = format!("nothing starts `{}` again when it doesn't start", container.name);
        context.say(
            &fields::STARTUP,
            format!("{path}.startup"),
            &startup.place,
            message,
            COMMAND,
        );
    }
    for (name, probe) in [("startup", &probes.startup), ("ready", &probes.ready)] {
        let Some(probe) = probe else { continue };
        if !probe.delay.is_zero() {
            context.say(
                &fields::DELAY,
                format!("{path}.{name}.delay"),
                &probe.place,
                format!(
                    "it is asked from the start; for {:?} its failures don't count",
                    probe.delay
                ),
                "leave it out, if it may be ready sooner",
            );
        }
        if probe.successes > 1 {
            context.say(
                &fields::SUCCESSES,
                format!("{path}.{name}.successes"),
                &probe.place,
                format!("one good answer is enough, not {}", probe.successes),
                "leave it out, if one is enough",
            );
        }
    }
    match container.role {
        Role::Init => context.say(
            &fields::INIT,
            format!("{path}.role"),
            &container.place,
            "every `docker compose up` runs it again, beside what runs already".to_owned(),
            "see that it can run twice",
        ),
        Role::Sidecar => {
            if let (Some(startup), Some(_)) = (&probes.startup, &probes.ready)
                && matches!(startup.action, Action::Exec { .. })
            {
                context.say(
                    &fields::SIDECAR,
                    format!("{path}.role"),
                    &container.place,
                    "the main containers start before its startup probe has passed".to_owned(),
                    "let `startup` ask over the network",
                );
            }
        }
        Role::Main => {}
    }
    for (name, value) in &container.env {
        if let EnvValue::Secret { secret, key } = value {
            let variable = context.variables.get(&(secret.as_str(), key.as_str())).cloned();
            let variable = variable.unwrap_or_default();
            let file = image::secret_keys(context.stack, secret.as_str()).remove(key);
            let file = context.typed(&file.unwrap_or_default());
            context.say(
                &fields::ENV_SECRET,
                format!("{path}.env.{name}"),
                &container.place,
                format!("the value comes from the variable `{variable}`"),
                format!("{variable}=\"$(cat {})\" docker compose up", quoted(&file)),
            );
        }
    }
    let is_foreign = !matches!(container.source, Source::Block(_));
    if is_foreign
        && container.security.level == SecurityLevel::Restricted
        && container.security.user.is_none()
    {
        context.say(
            &fields::IMAGE_USER,
            format!("{path}.user"),
            &container.place,
            "nothing stops an image that runs as root".to_owned(),
            "say its `user`",
        );
    }
}

/// What a proxy in front of the pod can't ask.
fn unasked(context: &mut Context, path: &str, pod: &Pod) {
    let mut services = context.stack.services_of(&pod.name);
    let Some(service) = services.find(|service| is_proxied(service, pod.replicas)) else {
        return;
    };
    for container in &pod.spec.containers {
        let ready = container.probes.ready.as_ref();
        let Some(ready) = ready.filter(|ready| matches!(ready.action, Action::Exec { .. })) else {
            continue;
        };
        if !names_program(container) {
            context.say(
                &fields::UNASKED,
                format!("{path}.containers.{}.ready", container.name),
                &ready.place,
                format!("the proxy of `{}` doesn't ask it", service.name),
                COMMAND,
            );
        }
    }
}

/// The services of a job's main containers.
fn mains(job: &Job) -> Vec<String> {
    let is_alone = job.spec.containers.len() == 1;
    let names = |run: u32| {
        job.spec.with_role(Role::Main).map(move |container| {
            let run = replica_name(job.name.as_str(), None, run);
            if is_alone {
                run
            } else {
                format!("{run}-{}", container.name)
            }
        })
    };
    (0..job.completions).flat_map(names).collect()
}

fn job(context: &mut Context, path: &str, job: &Job) {
    let run = format!("{}-0", job.name);
    match &job.schedule {
        None => context.say(
            &fields::JOB,
            path.to_owned(),
            &job.place,
            "every `docker compose up` runs it again".to_owned(),
            "see that it can run twice",
        ),
        Some(schedule) => {
            context.say(
                &fields::SCHEDULE,
                format!("{path}.schedule"),
                &job.place,
                "nothing starts it".to_owned(),
                format!(
                    "let the machine's cron run `docker compose --profile {} up --detach {}` at `{}` (UTC)",
                    job.name,
                    mains(job).join(" "),
                    schedule.as_str()
                ),
            );
            if job.concurrency != Concurrency::Allow {
                context.say(
                    &fields::CONCURRENCY,
                    format!("{path}.concurrency"),
                    &job.place,
                    "a run that is due while another runs is not prevented".to_owned(),
                    "let what starts it look first, by `docker compose ps`",
                );
            }
        }
    }
    if job.parallelism < job.completions && job.parallelism > 1 {
        context.say(
            &fields::PARALLELISM,
            format!("{path}.parallelism"),
            &job.place,
            format!("each run waits for the one {} before it", job.parallelism),
            "nothing, if runs take about as long as each other",
        );
    }
    if job.completions > 1 && job.retries > 0 {
        context.say(
            &fields::RETRIES,
            format!("{path}.retries"),
            &job.place,
            format!("it holds for each of the {} runs", job.completions),
            "lower it, if all runs share a cause of failure",
        );
    }
    if job.spec.restart == Restart::Never && job.retries > 0 {
        context.say(
            &fields::NEVER,
            format!("{path}.restart"),
            &job.place,
            "a failed run begins again in the same container".to_owned(),
            "write nothing outside of volumes that a second try would trip over",
        );
    }
    if let Some(deadline) = job.deadline {
        context.say(
            &fields::DEADLINE,
            format!("{path}.deadline"),
            &job.place,
            format!("nothing ends it after {deadline:?}"),
            "let the program itself keep the time",
        );
    }
    if job.ttl.is_some() {
        context.say(
            &fields::TTL,
            format!("{path}.ttl"),
            &job.place,
            "its containers stay when they have ended".to_owned(),
            "remove them by `docker compose rm`",
        );
    }
    if job.spec.containers.len() > 1 {
        context.say(
            &fields::JOB_CONTAINERS,
            format!("{path}.containers"),
            &job.place,
            "what isn't a main container goes on when the run has ended".to_owned(),
            format!("stop it by `docker compose stop {run}`"),
        );
    }
}

fn services(context: &mut Context) {
    let stack = context.stack;
    for service in stack.services().iter().filter(|service| service.headless) {
        if service.affinity == Affinity::Client {
            context.say(
                &fields::HEADLESS_AFFINITY,
                format!("services.{}.affinity", service.name),
                &service.place,
                "clients of a headless service choose a replica themselves".to_owned(),
                "leave out `headless`, or let the clients keep to one",
            );
        }
        for port in service.ports.iter().filter(|port| port.port != port.target) {
            context.say(
                &fields::HEADLESS_TARGET,
                format!("services.{}.ports.{}.target", service.name, port.name),
                &port.place,
                format!("clients have to dial {}, not {}", port.target, port.port),
                "give both the same number, or leave out `headless`",
            );
        }
    }
}

/// Says once how the block image comes to the engine.
fn blocks(context: &mut Context) {
    let stack = context.stack;
    let containers = specs(stack).flat_map(|(name, spec)| {
        let kind = if stack.pod(name.as_str()).is_some() {
            "pods"
        } else {
            "jobs"
        };
        let path = format!("{kind}.{name}.containers");
        spec.containers
            .iter()
            .map(move |container| (format!("{path}.{}", container.name), container))
    });
    // Infra containers, proxies and what fills volumes are of that image too.
    let is_block = |container: &Container| matches!(container.source, Source::Block(_));
    let found = containers.min_by_key(|(_, container)| !is_block(container));
    let Some((path, container)) = found else {
        return;
    };
    let field = if is_block(container) { "block" } else { "image" };
    // One whose digest is known is there.
    if !context.options.pins.is_empty() {
        return;
    }
    let reference = image::block(context.options);
    let (message, remedy) = match &context.options.registry {
        None => (
            "has to be on the engine, and is never pulled",
            "motif images --load".to_owned(),
        ),
        Some(registry) => (
            "has to be in the registry",
            format!("motif push --registry {registry} --tag {}", context.options.tag),
        ),
    };
    context.say(
        &fields::BLOCK,
        format!("{path}.{field}"),
        &container.place,
        format!("the image `{reference}` {message}"),
        remedy,
    );
}
