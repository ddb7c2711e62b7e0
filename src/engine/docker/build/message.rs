//! Turns the engine's answer to a build into its messages.

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use serde::Deserialize;
use serde_json::Value;

/// One line of the answer.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Message {
    /// Output of the classic builder.
    pub stream: Option<String>,
    /// What it does, such as pulling.
    pub status: Option<String>,
    /// What `aux` is.
    pub id: Option<String>,
    /// A result, or a piece of BuildKit's trace.
    pub aux: Option<Value>,
    /// The build's end.
    pub error: Option<String>,
}

/// The messages of an answer as they come.
pub struct Messages {
    body: Incoming,
    rest: Vec<u8>,
}

impl Messages {
    /// Reads this answer.
    pub fn new(body: Incoming) -> Self {
        Self {
            body,
            rest: Vec::new(),
        }
    }

    /// The next message; `None` at the end.
    pub async fn next(&mut self) -> Result<Option<Message>, bollard::errors::Error> {
        loop {
            if let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.rest.drain(..=end).collect();
                if line.trim_ascii().is_empty() {
                    continue;
                }
                return read(&line).map(Some);
            }
            match self.body.frame().await {
                Some(frame) => {
                    let data: Bytes = frame?.into_data().unwrap_or_default();
                    self.rest.extend_from_slice(&data);
                }
                None if self.rest.trim_ascii().is_empty() => return Ok(None),
                None => return read(&std::mem::take(&mut self.rest)).map(Some),
            }
        }
    }
}

fn read(line: &[u8]) -> Result<Message, bollard::errors::Error> {
    Ok(serde_json::from_slice(line)?)
}
