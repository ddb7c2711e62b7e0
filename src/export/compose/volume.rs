//! Volumes, and the service that fills them and gives them their owners.

use std::collections::BTreeMap;

use super::document::{self, Config, FileMount, Mount, Secret, Service};
use super::service::bare;
use super::text::Text;
use super::{Context, image};
use crate::engine::desired::{BINARY_FOLDER, Content, Volume};
use crate::stack::VolumeKind;

/// The service that fills volumes; the dot keeps its name apart from the stack's.
pub const SERVICE: &str = "motif.volumes";

/// What is laid into volumes.
pub struct Files {
    /// The files of configs.
    pub configs: BTreeMap<String, Config>,
    /// The files of secrets.
    pub secrets: BTreeMap<String, Secret>,
    command: Vec<Text>,
    config_mounts: Vec<FileMount>,
    secret_mounts: Vec<FileMount>,
    mounts: Vec<Mount>,
}

impl Files {
    pub fn new(context: &Context, volumes: &BTreeMap<String, Volume>) -> Self {
        let mut files = Self {
            configs: BTreeMap::new(),
            secrets: BTreeMap::new(),
            command: vec![Text::literal("volumes")],
            config_mounts: Vec::new(),
            secret_mounts: Vec::new(),
            mounts: Vec::new(),
        };
        for (name, volume) in volumes {
            files.add(context, &context.own_name(name), volume);
        }
        files
    }

    fn add(&mut self, context: &Context, name: &str, volume: &Volume) {
        let target = |file: &str| Text::literal(format!("/files/{name}/{file}"));
        let flag = match &volume.content {
            Content::Tmpfs { .. } => return,
            Content::Empty => "empty",
            Content::Claim => "claim",
            Content::Config(files) => {
                for (file, content) in files {
                    let source = format!("{name}.{file}");
                    self.config_mounts.push(FileMount {
                        source: source.clone(),
                        target: target(file),
                    });
                    self.configs
                        .insert(source, config(context, volume, file, content));
                }
                "config"
            }
            Content::Secret(secret) => {
                for key in image::secret_keys(context.stack, secret).into_keys() {
                    let (source, declared) = image::secret_file(context, secret, &key);
                    self.secret_mounts.push(FileMount {
                        source: source.clone(),
                        target: target(&key),
                    });
                    self.secrets.insert(source, declared);
                }
                "secret"
            }
        };
        let owner = volume.owner.map(|owner| format!("={}:{}", owner.uid, owner.gid));
        let flag = format!("--{flag}={name}{}", owner.unwrap_or_default());
        self.command.push(Text::literal(flag));
        self.mounts.push(Mount {
            r#type: "volume",
            source: Some(name.to_owned()),
            target: Text::literal(format!("/volumes/{name}")),
            read_only: false,
            volume: None,
            tmpfs: None,
            mark: None,
        });
    }

    /// The service that lays them there; none where there is nothing to do.
    pub fn service(&self, context: &Context, needs_binary: bool) -> Option<Service> {
        if self.mounts.is_empty() && !needs_binary {
            return None;
        }
        let mut volumes = self.mounts.clone();
        // The engine copies what the image has there into an empty volume.
        volumes.extend(needs_binary.then(|| Mount {
            r#type: "volume",
            source: Some(binary(context)),
            target: Text::literal(BINARY_FOLDER),
            read_only: false,
            volume: None,
            tmpfs: None,
            mark: None,
        }));
        Some(Service {
            network_mode: Some(Text::literal("none")),
            command: Some(self.command.clone()),
            // The files belong to whoever reads them; root alone may read and give them all.
            user: Some(Text::literal("0:0")),
            cap_add: Text::literals(["CHOWN", "DAC_OVERRIDE", "FOWNER"]),
            // Compose writes configs into the container.
            read_only: false,
            configs: self.config_mounts.clone(),
            secrets: self.secret_mounts.clone(),
            volumes,
            restart: Text::literal("no"),
            ends: true,
            ..bare(context, SERVICE)
        })
    }
}

/// A file of a config: its text, or the path of what isn't one.
fn config(context: &Context, volume: &Volume, file: &str, bytes: &[u8]) -> Config {
    if let Ok(text) = std::str::from_utf8(bytes)
        // Compose reads no text of nothing.
        && !text.is_empty()
    {
        return Config::Content(Text::literal(text));
    }
    let specs = super::specs(context.stack).find(|(name, _)| name.as_str() == volume.pod);
    let written = specs.and_then(|(_, spec)| {
        let mut volumes = spec.volumes.iter();
        volumes.find(|(name, _)| name.as_str() == volume.name)
    });
    let path = match written.map(|(_, volume)| &volume.kind) {
        Some(VolumeKind::Config { files }) => files.get(file).and_then(|file| file.path.as_deref()),
        _ => None,
    };
    Config::File(path.map_or_else(|| Text::literal("/dev/null"), |path| context.path(path)))
}

/// The volume that holds the binary: another image, another volume.
pub fn binary(context: &Context) -> String {
    let image = image::block(context.options);
    let (_, tag) = image.rsplit_once(':').unwrap_or_default();
    format!("motif.{tag}")
}

/// The named volumes.
pub fn declared(
    context: &Context,
    volumes: &BTreeMap<String, Volume>,
    needs_binary: bool,
) -> BTreeMap<String, document::Volume> {
    let mut declared: BTreeMap<String, document::Volume> = volumes
        .iter()
        .map(|(name, volume)| {
            let driver_opts = match &volume.content {
                Content::Tmpfs { size } => {
                    let size = size.map(|size| format!("size={size},")).unwrap_or_default();
                    BTreeMap::from([
                        ("type", Text::literal("tmpfs")),
                        ("device", Text::literal("tmpfs")),
                        ("o", Text::literal(format!("{size}mode=1777"))),
                    ])
                }
                _ => BTreeMap::new(),
            };
            (context.own_name(name), document::Volume { driver_opts })
        })
        .collect();
    if needs_binary {
        declared.insert(binary(context), document::Volume::default());
    }
    declared
}
