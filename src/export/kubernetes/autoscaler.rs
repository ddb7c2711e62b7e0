//! Turns the range of a pod's replicas into a `HorizontalPodAutoscaler`.

use serde::Serialize;

use crate::stack;

/// When there are more or fewer replicas.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AutoscalerSpec {
    scale_target_ref: Target,
    min_replicas: u32,
    max_replicas: u32,
    metrics: Vec<Metric>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Target {
    api_version: &'static str,
    kind: &'static str,
    name: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Metric {
    r#type: &'static str,
    resource: Resource,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Resource {
    name: &'static str,
    target: Utilization,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Utilization {
    r#type: &'static str,
    average_utilization: u32,
}

/// The autoscaler of a pod that has a range; `kind` is its workload's.
pub fn autoscaler(pod: &stack::Pod, kind: &'static str) -> Option<AutoscalerSpec> {
    let range = pod.range?;
    let metric = |name, percent: Option<u32>| {
        percent.map(|average_utilization| Metric {
            r#type: "Resource",
            resource: Resource {
                name,
                target: Utilization {
                    r#type: "Utilization",
                    average_utilization,
                },
            },
        })
    };
    Some(AutoscalerSpec {
        scale_target_ref: Target {
            api_version: "apps/v1",
            kind,
            name: pod.name.to_string(),
        },
        min_replicas: pod.replicas,
        max_replicas: range.most,
        metrics: [metric("cpu", range.cpu), metric("memory", range.memory)]
            .into_iter()
            .flatten()
            .collect(),
    })
}
