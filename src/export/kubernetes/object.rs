//! What every object has, and the kinds of objects as one type.

use std::collections::BTreeMap;

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use super::autoscaler::AutoscalerSpec;
use super::config::ConfigMapData;
use super::front::{IngressSpec, RouteSpec};
use super::network::PolicySpec;
use super::secret::SecretData;
use super::service::ServiceSpec;
use super::volume::ClaimSpec;
use super::workload::{BudgetSpec, CronJobSpec, DeploymentSpec, JobSpec, StatefulSetSpec};

/// Labels or annotations.
pub type Labels = BTreeMap<&'static str, String>;

/// One object of a cluster.
#[derive(Debug, Clone, PartialEq)]
pub struct Object {
    /// Name and labels.
    pub metadata: Metadata,
    /// The rest, by kind.
    pub content: Content,
}

/// Name and labels.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Metadata {
    /// Name; a pod template has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Namespace; default: the one that it is applied to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Labels.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: Labels,
    /// Annotations.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: Labels,
}

/// What an object holds.
#[derive(Debug, Clone, PartialEq)]
pub enum Content {
    /// Replicas without a name of their own.
    Deployment(DeploymentSpec),
    /// Replicas that keep name and claims.
    StatefulSet(StatefulSetSpec),
    /// Pods that run to completion.
    Job(JobSpec),
    /// A job that runs again and again.
    CronJob(CronJobSpec),
    /// How many replicas may be away at a time.
    PodDisruptionBudget(BudgetSpec),
    /// When there are more or fewer replicas.
    HorizontalPodAutoscaler(AutoscalerSpec),
    /// Who may dial pods, and what they may dial.
    NetworkPolicy(PolicySpec),
    /// Whom pods are to the cluster: nobody.
    ServiceAccount,
    /// Which requests from outside go to which service.
    Ingress(IngressSpec),
    /// The same at a gateway.
    HttpRoute(RouteSpec),
    /// Values that are not shown.
    Secret(SecretData),
    /// A stable name in front of pods.
    Service(ServiceSpec),
    /// Files.
    ConfigMap(ConfigMapData),
    /// Storage that outlives pods.
    PersistentVolumeClaim(ClaimSpec),
}

impl Object {
    /// The claims that the cluster will make for this object's replicas, by name.
    pub fn claims(&self) -> Vec<String> {
        match &self.content {
            Content::StatefulSet(spec) => spec.claims(self.metadata.name.as_deref().unwrap_or_default()),
            _ => Vec::new(),
        }
    }
}

impl Content {
    /// The kind's name.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Deployment(_) => "Deployment",
            Self::StatefulSet(_) => "StatefulSet",
            Self::Job(_) => "Job",
            Self::CronJob(_) => "CronJob",
            Self::PodDisruptionBudget(_) => "PodDisruptionBudget",
            Self::HorizontalPodAutoscaler(_) => "HorizontalPodAutoscaler",
            Self::NetworkPolicy(_) => "NetworkPolicy",
            Self::ServiceAccount => "ServiceAccount",
            Self::Ingress(_) => "Ingress",
            Self::HttpRoute(_) => "HTTPRoute",
            Self::Secret(_) => "Secret",
            Self::Service(_) => "Service",
            Self::ConfigMap(_) => "ConfigMap",
            Self::PersistentVolumeClaim(_) => "PersistentVolumeClaim",
        }
    }

    /// The kind's group and version.
    fn api_version(&self) -> &'static str {
        match self {
            Self::Deployment(_) | Self::StatefulSet(_) => "apps/v1",
            Self::Job(_) | Self::CronJob(_) => "batch/v1",
            Self::PodDisruptionBudget(_) => "policy/v1",
            Self::HorizontalPodAutoscaler(_) => "autoscaling/v2",
            Self::NetworkPolicy(_) | Self::Ingress(_) => "networking.k8s.io/v1",
            Self::HttpRoute(_) => "gateway.networking.k8s.io/v1",
            Self::Service(_)
            | Self::ServiceAccount
            | Self::Secret(_)
            | Self::ConfigMap(_)
            | Self::PersistentVolumeClaim(_) => "v1",
        }
    }
}

impl Serialize for Object {
    /// In the order that people write: what it is, how it is called, what it holds.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("apiVersion", self.content.api_version())?;
        map.serialize_entry("kind", self.content.kind())?;
        map.serialize_entry("metadata", &self.metadata)?;
        match &self.content {
            Content::Deployment(spec) => map.serialize_entry("spec", spec)?,
            Content::StatefulSet(spec) => map.serialize_entry("spec", spec)?,
            Content::Job(spec) => map.serialize_entry("spec", spec)?,
            Content::CronJob(spec) => map.serialize_entry("spec", spec)?,
            Content::PodDisruptionBudget(spec) => map.serialize_entry("spec", spec)?,
            Content::HorizontalPodAutoscaler(spec) => map.serialize_entry("spec", spec)?,
            Content::NetworkPolicy(spec) => map.serialize_entry("spec", spec)?,
            Content::Ingress(spec) => map.serialize_entry("spec", spec)?,
            Content::HttpRoute(spec) => map.serialize_entry("spec", spec)?,
            Content::ServiceAccount => map.serialize_entry("automountServiceAccountToken", &false)?,
            Content::Secret(secret) => {
                map.serialize_entry("type", secret.kind)?;
                map.serialize_entry("data", &secret.data)?;
            }
            Content::Service(spec) => map.serialize_entry("spec", spec)?,
            Content::PersistentVolumeClaim(spec) => map.serialize_entry("spec", spec)?,
            Content::ConfigMap(config) => {
                if !config.data.is_empty() {
                    map.serialize_entry("data", &config.data)?;
                }
                if !config.binary_data.is_empty() {
                    map.serialize_entry("binaryData", &config.binary_data)?;
                }
            }
        }
        map.end()
    }
}
