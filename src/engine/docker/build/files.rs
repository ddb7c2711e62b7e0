//! Serves a build's context to BuildKit: what is there, and then only the files that it asks for.
//!
//! The protocol is that of `github.com/tonistiigi/fsutil`: an entry for everything, then the content of what the other
//! side lacks. It keeps what it got for the next build of the same context.

use std::collections::BTreeSet;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;

use bollard_buildkit_proto::fsutil::types::packet::PacketType;
use bollard_buildkit_proto::fsutil::types::{Packet, Stat};
use bollard_buildkit_proto::moby::filesync::v1::file_sync_server::FileSync;
use futures_util::{Stream, stream};
use tokio::sync::{mpsc, oneshot};
use tonic::metadata::MetadataMap;
use tonic::{Request, Response, Status, Streaming};

use super::context::{Context, ContextError, Entry, Kind};

const CHUNK: usize = 32 * 1024;

/// The kinds of a file in Go's modes, which the protocol has: <https://pkg.go.dev/io/fs#FileMode>.
const GO_FOLDER: u32 = 1 << 31;
const GO_LINK: u32 = 1 << 27;
/// Mode bits of Unix, and Go's for the same.
const GO_BITS: [(u32, u32); 3] = [(0o4000, 1 << 23), (0o2000, 1 << 22), (0o1000, 1 << 20)];

/// A context as a file system to copy from.
pub struct Files {
    context: Arc<Context>,
}

impl Files {
    /// Serves this context.
    pub fn new(context: Context) -> Self {
        Self {
            context: Arc::new(context),
        }
    }
}

type Packets = Pin<Box<dyn Stream<Item = Result<Packet, Status>> + Send>>;

#[tonic::async_trait]
impl FileSync for Files {
    type DiffCopyStream = Packets;
    type TarStreamStream = Packets;

    async fn diff_copy(&self, request: Request<Streaming<Packet>>) -> Result<Response<Packets>, Status> {
        let wanted = Wanted::read(request.metadata())?;
        let context = Arc::clone(&self.context);
        let mut asked = request.into_inner();
        let (packets, receiver) = mpsc::channel(8);
        let (ids, requests) = mpsc::unbounded_channel();
        let (done, is_done) = oneshot::channel();
        tokio::spawn(async move {
            while let Ok(Some(packet)) = asked.message().await {
                match packet.r#type() {
                    PacketType::PacketReq if ids.send(packet.id).is_ok() => {}
                    PacketType::PacketFin => {
                        let _ = done.send(());
                        break;
                    }
                    _ => break,
                }
            }
        });
        tokio::task::spawn_blocking(move || {
            let sender = Sender { packets, context };
            match sender.send(&wanted, requests) {
                Ok(()) => {
                    // The other side ends it; whoever is gone needs no answer.
                    if is_done.blocking_recv().is_ok() {
                        sender.packet(PacketType::PacketFin, 0, Vec::new());
                    }
                }
                Err(error) => sender.packet(PacketType::PacketErr, 0, error.to_string().into_bytes()),
            }
        });
        let packets = stream::unfold(receiver, async |mut receiver| {
            Some((Ok(receiver.recv().await?), receiver))
        });
        Ok(Response::new(Box::pin(packets)))
    }

    async fn tar_stream(&self, _: Request<Streaming<Packet>>) -> Result<Response<Packets>, Status> {
        Err(Status::unimplemented("ask for DiffCopy"))
    }
}

/// What BuildKit asks for.
#[derive(Debug, PartialEq, Eq)]
enum Wanted {
    /// The Dockerfile.
    Dockerfile,
    /// The context.
    Everything,
    /// These files of the context.
    Only(BTreeSet<PathBuf>),
}

impl Wanted {
    fn read(metadata: &MetadataMap) -> Result<Self, Status> {
        let texts = |name: &str| -> Vec<&str> {
            let values = metadata.get_all(name).into_iter();
            values.filter_map(|value| value.to_str().ok()).collect()
        };
        match texts("dir-name").as_slice() {
            ["dockerfile"] => Ok(Self::Dockerfile),
            ["context"] => {
                let patterns = texts("include-patterns");
                let is_plain = |pattern: &&str| !pattern.contains(['*', '?', '[', '\\', '!']);
                // Anything more than asked for does no harm.
                Ok(if patterns.is_empty() || !patterns.iter().all(is_plain) {
                    Self::Everything
                } else {
                    Self::Only(patterns.into_iter().map(PathBuf::from).collect())
                })
            }
            other => Err(Status::not_found(format!("no folder {other:?}"))),
        }
    }
}

/// The side of a copy that has the files.
struct Sender {
    packets: mpsc::Sender<Packet>,
    context: Arc<Context>,
}

impl Sender {
    /// Says what is there, and sends what is asked for until nobody asks any more.
    fn send(&self, wanted: &Wanted, mut requests: mpsc::UnboundedReceiver<u32>) -> Result<(), ContextError> {
        let entries = match wanted {
            Wanted::Dockerfile => vec![self.context.dockerfile_entry()?],
            Wanted::Everything => self.entries(|_| true)?,
            Wanted::Only(paths) => {
                self.entries(|path| paths.iter().any(|wanted| wanted.starts_with(path)))?
            }
        };
        for entry in &entries {
            self.stat(Some(stat(entry)));
        }
        self.stat(None);
        while let Some(id) = requests.blocking_recv() {
            let entry = usize::try_from(id).ok().and_then(|at| entries.get(at));
            let Some(Entry {
                path,
                kind: Kind::File(size),
                ..
            }) = entry
            else {
                continue;
            };
            let path = match wanted {
                Wanted::Dockerfile => Path::new(self.context.dockerfile()),
                _ => path,
            };
            self.file(id, path, *size)?;
        }
        Ok(())
    }

    fn entries(&self, is_wanted: impl Fn(&Path) -> bool) -> Result<Vec<Entry>, ContextError> {
        let mut entries = self.context.entries()?;
        entries.retain(|entry| !entry.is_for_the_builder && is_wanted(&entry.path));
        Ok(entries)
    }

    fn file(&self, id: u32, path: &Path, size: u64) -> Result<(), ContextError> {
        // What was added to it meanwhile is noticed when all is over.
        let mut file = self.context.file(path)?.take(size);
        loop {
            let mut chunk = vec![0; CHUNK];
            let length = file.read(&mut chunk).map_err(|source| ContextError::Unreadable {
                path: path.to_owned(),
                source,
            })?;
            chunk.truncate(length);
            self.packet(PacketType::PacketData, id, chunk);
            if length == 0 {
                return Ok(());
            }
        }
    }

    fn stat(&self, stat: Option<Stat>) {
        let packet = Packet {
            r#type: PacketType::PacketStat.into(),
            stat,
            ..Packet::default()
        };
        // Nobody is left to read it: the build has ended.
        let _ = self.packets.blocking_send(packet);
    }

    fn packet(&self, kind: PacketType, id: u32, data: Vec<u8>) {
        let packet = Packet {
            r#type: kind.into(),
            id,
            data,
            ..Packet::default()
        };
        let _ = self.packets.blocking_send(packet);
    }
}

/// An entry as the protocol says it: without an owner, as in an archive.
fn stat(entry: &Entry) -> Stat {
    let bits = GO_BITS
        .iter()
        .filter(|(unix, _)| entry.mode & unix != 0)
        .map(|(_, go)| go);
    let mode = bits.fold(entry.mode & 0o777, |mode, bit| mode | bit);
    let (mode, size, target) = match &entry.kind {
        Kind::Folder => (mode | GO_FOLDER, 0, String::new()),
        Kind::File(size) => (mode, i64::try_from(*size).unwrap_or(i64::MAX), String::new()),
        Kind::Link(target) => (0o777 | GO_LINK, 0, target.to_string_lossy().into_owned()),
    };
    Stat {
        path: entry.path.to_string_lossy().into_owned(),
        mode,
        size,
        mod_time: entry.modified,
        linkname: target,
        ..Stat::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_are_gos() {
        let check = |kind: Kind, mode: u32, expect: u32| {
            let entry = Entry {
                path: "a/b".into(),
                kind,
                mode,
                modified: 7,
                is_for_the_builder: false,
            };
            let stat = stat(&entry);
            assert_eq!((stat.mode, stat.path.as_str(), stat.mod_time), (expect, "a/b", 7));
        };
        check(Kind::File(3), 0o644, 0o644);
        check(Kind::File(3), 0o4755, 0o755 | 1 << 23);
        check(Kind::Folder, 0o3770, 0o770 | 1 << 31 | 1 << 22 | 1 << 20);
        check(Kind::Link("c".into()), 0o700, 0o777 | 1 << 27);
    }

    #[test]
    fn what_is_wanted_is_read_from_the_call() {
        let check = |values: &[(&'static str, &str)], expect: Option<Wanted>| {
            let mut metadata = MetadataMap::new();
            for (name, value) in values {
                metadata.append(*name, value.parse().unwrap());
            }
            assert_eq!(Wanted::read(&metadata).ok(), expect);
        };
        check(&[("dir-name", "dockerfile")], Some(Wanted::Dockerfile));
        check(&[("dir-name", "context")], Some(Wanted::Everything));
        check(
            &[("dir-name", "context"), ("include-patterns", ".dockerignore")],
            Some(Wanted::Only([PathBuf::from(".dockerignore")].into())),
        );
        check(
            &[("dir-name", "context"), ("include-patterns", "a/*")],
            Some(Wanted::Everything),
        );
        check(&[("dir-name", "other")], None);
        check(&[], None);
    }
}
