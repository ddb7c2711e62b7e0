//! Turns pods and jobs into deployments, stateful sets and jobs.

use serde::Serialize;

use super::autoscaler::autoscaler;
use super::network::{Member, policy};
use super::object::{Content, Labels, Metadata};
use super::pod::{PodTemplate, Purpose, template};
use super::service::{governing, service};
use super::volume::{ClaimTemplate, Sharing};
use super::{At, Context, Error, Objects, fields};
use crate::stack::{self, Concurrency, Restart, Until, VolumeKind};

/// Replicas without a name of their own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DeploymentSpec {
    #[serde(skip_serializing_if = "Option::is_none")]
    replicas: Option<u32>,
    selector: Selector,
    #[serde(skip_serializing_if = "Option::is_none")]
    strategy: Option<Strategy>,
    template: PodTemplate,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Strategy {
    r#type: &'static str,
}

/// Replicas that keep name and claims.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StatefulSetSpec {
    #[serde(skip_serializing_if = "Option::is_none")]
    replicas: Option<u32>,
    /// The most replicas that there may be.
    #[serde(skip)]
    most: u32,
    selector: Selector,
    service_name: String,
    pod_management_policy: &'static str,
    template: PodTemplate,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    volume_claim_templates: Vec<ClaimTemplate>,
}

impl StatefulSetSpec {
    /// The names of the claims that a set of this name makes.
    pub fn claims(&self, name: &str) -> Vec<String> {
        let replicas = 0..self.most;
        let of_replica = |replica| {
            let templates = self.volume_claim_templates.iter();
            templates.map(move |template| format!("{}-{name}-{replica}", template.name()))
        };
        replicas.flat_map(of_replica).collect()
    }
}

/// Pods that run to completion.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct JobSpec {
    completions: u32,
    parallelism: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    completion_mode: Option<&'static str>,
    backoff_limit: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    active_deadline_seconds: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ttl_seconds_after_finished: Option<u32>,
    template: PodTemplate,
}

/// A job that runs again and again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CronJobSpec {
    schedule: String,
    time_zone: &'static str,
    concurrency_policy: &'static str,
    job_template: JobTemplate,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct JobTemplate {
    metadata: Metadata,
    spec: JobSpec,
}

/// How many replicas may be away at a time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BudgetSpec {
    max_unavailable: u32,
    selector: Selector,
    unhealthy_pod_eviction_policy: &'static str,
}

/// Which pods are meant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Selector {
    /// Labels that they have.
    pub match_labels: Labels,
}

/// The longest name of a scheduled job: each of its jobs adds the time to it.
const CRON_JOB_LIMIT: usize = 52;

/// The longest name of a stateful set: a label of its pods adds a hash to it.
const STATEFUL_SET_LIMIT: usize = 52;

/// Turns a pod, with the services in front of it.
pub fn pod(context: &mut Context, objects: &mut Objects, pod: &stack::Pod) {
    let at = At {
        path: format!("pods.{}", pod.name),
        place: &pod.place,
    };
    let selector = Selector {
        match_labels: context.selector(&pod.name),
    };
    let most = pod.most();
    // An autoscaler says how many; whoever applies the workload again doesn't undo that.
    let replicas = pod.range.is_none().then_some(pod.replicas);
    dependencies(context, &at, &pod.spec);
    if pod.stable && pod.spec.hostname.is_some() {
        context.say(
            &fields::HOSTNAME,
            &at.field("hostname"),
            format!("each replica's host name is its own: `{}-0`", pod.name),
            "leave out `hostname`, or `stable`",
        );
    }
    let purpose = Purpose {
        restart_policy: None,
        spread: most > 1,
        hostname: !pod.stable,
        ends: false,
        sharing: match (pod.stable, most) {
            (true, _) => Sharing::Own,
            (false, 0 | 1) => Sharing::One,
            (false, _) => Sharing::Shared,
        },
    };
    account(context, objects, &at, &pod.name);
    let (template, claims) = template(context, objects, &at, &pod.name, &pod.spec, &purpose);
    let stack = context.stack;
    for written in stack.services_of(&pod.name) {
        service(context, objects, written);
    }
    let workload = if pod.stable {
        if pod.name.as_str().len() > STATEFUL_SET_LIMIT {
            context.errors.push(Error::TooLong {
                object: "StatefulSet",
                limit: STATEFUL_SET_LIMIT,
                name: pod.name.to_string(),
                place: pod.place.clone(),
            });
        }
        Content::StatefulSet(StatefulSetSpec {
            replicas,
            most,
            selector: selector.clone(),
            service_name: governing(context, objects, &at, pod),
            // As on Docker: members of a cluster may each need the others to become ready.
            pod_management_policy: "Parallel",
            template,
            volume_claim_templates: claims,
        })
    } else {
        Content::Deployment(DeploymentSpec {
            replicas,
            selector: selector.clone(),
            // A claim of one replica can't be mounted by its successor at the same time.
            strategy: (purpose.sharing == Sharing::One && has_claim(&pod.spec))
                .then_some(Strategy { r#type: "Recreate" }),
            template,
        })
    };
    let kind = workload.kind();
    let metadata = context.metadata(&pod.name, pod.name.to_string());
    objects.add(metadata, workload, &at);
    if let Some(autoscaler) = autoscaler(pod, kind) {
        let metadata = context.metadata(&pod.name, pod.name.to_string());
        objects.add(metadata, Content::HorizontalPodAutoscaler(autoscaler), &at);
    }
    if most > 1 {
        let budget = BudgetSpec {
            max_unavailable: 1,
            selector,
            // A replica that is broken anyway holds up no node's maintenance.
            unhealthy_pod_eviction_policy: "AlwaysAllow",
        };
        let metadata = context.metadata(&pod.name, pod.name.to_string());
        objects.add(metadata, Content::PodDisruptionBudget(budget), &at);
    }
    let member = Member {
        name: &pod.name,
        spec: &pod.spec,
        stable: pod.stable,
    };
    policy(context, objects, &at, &member);
}

/// The account of a pod or job, which may do nothing.
fn account(context: &mut Context, objects: &mut Objects, at: &At, name: &stack::Name) {
    if name.as_str() == "default" {
        context.errors.push(Error::Taken {
            kind: "ServiceAccount",
            name: name.to_string(),
            place: at.place.clone(),
        });
    }
    let metadata = context.metadata(name, name.to_string());
    objects.add(metadata, Content::ServiceAccount, at);
}

fn has_claim(spec: &stack::PodSpec) -> bool {
    spec.volumes
        .values()
        .any(|volume| matches!(volume.kind, VolumeKind::Claim { .. }))
}

/// Turns a job.
pub fn job(context: &mut Context, objects: &mut Objects, job: &stack::Job) {
    let at = At {
        path: format!("jobs.{}", job.name),
        place: &job.place,
    };
    dependencies(context, &at, &job.spec);
    if job.schedule.is_none() {
        let namespace = context.kubectl_namespace();
        context.say(
            &fields::JOB,
            &at,
            "the cluster refuses a changed job while the old one is there".to_owned(),
            format!(
                "kubectl{namespace} delete job {} --ignore-not-found, before it is applied again",
                job.name
            ),
        );
    }
    if job.indexed && job.spec.hostname.is_some() {
        context.say(
            &fields::INDEXED_HOSTNAME,
            &at.field("hostname"),
            format!("each run's host name is its own: `{}-0`", job.name),
            "leave out `hostname`, or `indexed`",
        );
    }
    let purpose = Purpose {
        restart_policy: Some(match job.spec.restart {
            Restart::Never => "Never",
            Restart::OnFailure | Restart::Always => "OnFailure",
        }),
        spread: false,
        hostname: !job.indexed,
        ends: true,
        sharing: if job.parallelism.min(job.completions) > 1 {
            Sharing::Shared
        } else {
            Sharing::One
        },
    };
    account(context, objects, &at, &job.name);
    let (template, _) = template(context, objects, &at, &job.name, &job.spec, &purpose);
    let spec = JobSpec {
        completions: job.completions,
        parallelism: job.parallelism,
        completion_mode: job.indexed.then_some("Indexed"),
        backoff_limit: job.retries,
        active_deadline_seconds: job
            .deadline
            .map(|deadline| context.seconds(&at.field("deadline"), deadline)),
        ttl_seconds_after_finished: job.ttl.map(|ttl| context.seconds(&at.field("ttl"), ttl)),
        template,
    };
    let metadata = context.metadata(&job.name, job.name.to_string());
    let workload = match &job.schedule {
        None => Content::Job(spec),
        Some(schedule) => {
            if job.name.as_str().len() > CRON_JOB_LIMIT {
                context.errors.push(Error::TooLong {
                    object: "CronJob",
                    limit: CRON_JOB_LIMIT,
                    name: job.name.to_string(),
                    place: job.place.clone(),
                });
            }
            Content::CronJob(CronJobSpec {
                schedule: schedule.as_str().to_owned(),
                // Without it a cluster takes the zone of its control plane.
                time_zone: "Etc/UTC",
                concurrency_policy: match job.concurrency {
                    Concurrency::Allow => "Allow",
                    Concurrency::Forbid => "Forbid",
                    Concurrency::Replace => "Replace",
                },
                job_template: JobTemplate {
                    metadata: Metadata {
                        labels: metadata.labels.clone(),
                        ..Metadata::default()
                    },
                    spec,
                },
            })
        }
    };
    objects.add(metadata, workload, &at);
    let member = Member {
        name: &job.name,
        spec: &job.spec,
        stable: false,
    };
    policy(context, objects, &at, &member);
}

/// A cluster starts everything at once.
fn dependencies(context: &mut Context, at: &At, spec: &stack::PodSpec) {
    for dependency in &spec.after {
        let at = At {
            path: format!("{}.after.{}", at.path, dependency.on),
            place: &dependency.place,
        };
        let until = match dependency.until {
            Until::Ready => "ready",
            Until::Done => "done",
        };
        context.say(
            &fields::AFTER,
            &at,
            format!("it starts before `{}` is {until}", dependency.on),
            "let the program try again until it gets what it needs, or end, so that the cluster starts it again",
        );
    }
}
