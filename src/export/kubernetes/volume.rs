//! Turns volumes into Kubernetes' volumes, claims and claim templates.

use serde::Serialize;

use super::config::config_map;
use super::object::{Content, Metadata};
use super::{At, Context, Objects, fields};
use crate::stack::{self, Bytes, VolumeKind};

/// A volume of a pod.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Volume {
    /// Its name in the pod.
    pub name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    empty_dir: Option<EmptyDir>,
    #[serde(skip_serializing_if = "Option::is_none")]
    persistent_volume_claim: Option<ClaimReference>,
    #[serde(skip_serializing_if = "Option::is_none")]
    config_map: Option<ConfigMapReference>,
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<SecretReference>,
}

impl Volume {
    fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            empty_dir: None,
            persistent_volume_claim: None,
            config_map: None,
            secret: None,
        }
    }

    /// An empty directory.
    pub fn empty(name: impl Into<String>, size: Option<Bytes>) -> Self {
        Self {
            empty_dir: Some(EmptyDir {
                medium: None,
                size_limit: size.map(|size| size.to_string()),
            }),
            ..Self::new(name)
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct EmptyDir {
    #[serde(skip_serializing_if = "Option::is_none")]
    medium: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    size_limit: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct ClaimReference {
    claim_name: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct ConfigMapReference {
    name: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct SecretReference {
    secret_name: String,
    /// Said although it is the default: Podman 4 ends where it isn't.
    optional: bool,
}

/// What a claim asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ClaimSpec {
    access_modes: Vec<&'static str>,
    resources: ClaimResources,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct ClaimResources {
    requests: Storage,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Storage {
    storage: String,
}

impl ClaimSpec {
    fn new(access_mode: &'static str, size: Bytes) -> Self {
        Self {
            access_modes: vec![access_mode],
            resources: ClaimResources {
                requests: Storage {
                    storage: size.to_string(),
                },
            },
        }
    }
}

/// A claim that each replica of a stateful set gets for itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ClaimTemplate {
    // The cluster adds both; written, nothing differs from what was applied.
    api_version: &'static str,
    kind: &'static str,
    metadata: Metadata,
    spec: ClaimSpec,
}

impl ClaimTemplate {
    /// The volume that it is for.
    pub fn name(&self) -> &str {
        self.metadata.name.as_deref().unwrap_or_default()
    }
}

/// How the replicas of a pod share its claims.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sharing {
    /// There is one replica.
    One,
    /// All have the same claim.
    Shared,
    /// Each has its own.
    Own,
}

/// The most bytes of a config map of which `kubectl apply` surely can make a copy: annotations have 256 KiB together
/// (`TotalAnnotationSizeLimitB` of Kubernetes), and a copy in JSON is longer than what it is of.
const COPY_LIMIT: usize = 250_000;

/// Turns the volumes of a pod; the objects that they need are added.
pub fn volumes(
    context: &mut Context,
    objects: &mut Objects,
    at: &At,
    pod: &stack::Name,
    spec: &stack::PodSpec,
    sharing: Sharing,
) -> (Vec<Volume>, Vec<ClaimTemplate>) {
    let mut volumes = Vec::with_capacity(spec.volumes.len());
    let mut templates = Vec::new();
    for (name, volume) in &spec.volumes {
        let at = At {
            path: format!("{}.volumes.{name}", at.path),
            place: &volume.place,
        };
        let object_name = format!("{pod}-{name}");
        match &volume.kind {
            VolumeKind::Empty { size } => volumes.push(Volume::empty(name.to_string(), *size)),
            VolumeKind::Tmpfs { size } => volumes.push(Volume {
                empty_dir: Some(EmptyDir {
                    medium: Some("Memory"),
                    size_limit: size.map(|size| size.to_string()),
                }),
                ..Volume::new(name.to_string())
            }),
            VolumeKind::Secret { secret } => volumes.push(Volume {
                secret: Some(SecretReference {
                    secret_name: secret.to_string(),
                    optional: false,
                }),
                ..Volume::new(name.to_string())
            }),
            VolumeKind::Config { files } => {
                let data = config_map(files);
                if data.size() > COPY_LIMIT {
                    context.say(
                        &fields::CONFIG_SIZE,
                        &at,
                        format!("`{object_name}` is larger than the copy that `kubectl apply` makes of it"),
                        format!(
                            "kubectl{} apply --server-side -f FILE",
                            context.kubectl_namespace()
                        ),
                    );
                }
                let metadata = context.metadata(pod, object_name.clone());
                objects.add(metadata, Content::ConfigMap(data), &at);
                volumes.push(Volume {
                    config_map: Some(ConfigMapReference { name: object_name }),
                    ..Volume::new(name.to_string())
                });
            }
            VolumeKind::Claim { size } if sharing == Sharing::Own => templates.push(ClaimTemplate {
                api_version: "v1",
                kind: "PersistentVolumeClaim",
                metadata: Metadata {
                    name: Some(name.to_string()),
                    labels: context.labels(pod),
                    ..Metadata::default()
                },
                spec: ClaimSpec::new("ReadWriteOnce", *size),
            }),
            VolumeKind::Claim { size } => {
                let access_mode = if sharing == Sharing::Shared {
                    context.say(
                        &fields::SHARED_CLAIM,
                        &at.field("claim"),
                        format!("the replicas share `{object_name}`, for which few storage classes are made"),
                        "give each replica its own by `stable: true`, or check that the cluster's class can `ReadWriteMany`",
                    );
                    "ReadWriteMany"
                } else {
                    "ReadWriteOnce"
                };
                let metadata = context.metadata(pod, object_name.clone());
                objects.add(
                    metadata,
                    Content::PersistentVolumeClaim(ClaimSpec::new(access_mode, *size)),
                    &at,
                );
                volumes.push(Volume {
                    persistent_volume_claim: Some(ClaimReference {
                        claim_name: object_name,
                    }),
                    ..Volume::new(name.to_string())
                });
            }
        }
    }
    (volumes, templates)
}
