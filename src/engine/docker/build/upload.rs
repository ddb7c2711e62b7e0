//! Sends a build's context, and digests it on the way.

use std::io::{self, Write};

use bytes::Bytes;
use futures_util::stream;
use sha2::{Digest, Sha256};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::context::{Context, ContextError};
use crate::engine::desired::hex;
use crate::engine::docker::connection::Body;

const CHUNK: usize = 64 * 1024;

/// The digest of a context, made beside this thread: a big one takes a while.
pub async fn digest(context: Context) -> Result<String, ContextError> {
    tokio::task::spawn_blocking(move || {
        let mut hasher = Sha256::new();
        // The archive is written in pieces of a header; the hasher likes longer ones.
        let mut buffered = io::BufWriter::with_capacity(CHUNK, &mut hasher);
        context.write(&mut buffered)?;
        buffered.flush().map_err(ContextError::Unsent)?;
        drop(buffered);
        Ok(hex(&hasher.finalize()))
    })
    .await
    .expect("the context's reading does not panic")
}

/// A request's body with the context, and the digest of what went into it.
pub fn upload(context: Context) -> (Body, JoinHandle<Result<String, ContextError>>) {
    let (sender, receiver) = mpsc::channel(8);
    let sent = tokio::task::spawn_blocking(move || {
        let mut sink = Sink {
            hasher: Sha256::new(),
            buffer: Vec::with_capacity(CHUNK),
            sender: sender.clone(),
        };
        let written = context
            .write(&mut sink)
            .and_then(|()| sink.flush().map_err(ContextError::Unsent));
        if written.is_err() {
            // Ends the request, so that the engine doesn't take half a context for a whole one.
            let _ = sender.blocking_send(Err(io::Error::other("the context could not be read")));
        }
        written.map(|()| hex(&sink.hasher.finalize()))
    });
    let body = stream::unfold(receiver, async |mut receiver| {
        Some((receiver.recv().await?, receiver))
    });
    (bollard::body_try_stream(Box::pin(body)), sent)
}

/// Sends what is written to a request's body.
struct Sink {
    hasher: Sha256,
    buffer: Vec<u8>,
    sender: mpsc::Sender<io::Result<Bytes>>,
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= CHUNK {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let chunk = std::mem::replace(&mut self.buffer, Vec::with_capacity(CHUNK));
        self.hasher.update(&chunk);
        let gone = |_| io::Error::from(io::ErrorKind::BrokenPipe);
        self.sender.blocking_send(Ok(chunk.into())).map_err(gone)
    }
}
