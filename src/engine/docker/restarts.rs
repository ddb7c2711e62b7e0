//! Reads when and why a watched container was started again: its `init` keeps it in a file.

use std::io::Read;

use bollard::query_parameters::DownloadFromContainerOptionsBuilder;
use futures_util::StreamExt;
use serde::Deserialize;
use time::OffsetDateTime;

use super::Docker;
use crate::engine::desired::RESTARTS_FOLDER;
use crate::engine::overview::LastRestart;

/// More than a record ever is.
const LARGEST: usize = 64 * 1024;

#[derive(Deserialize)]
struct Record {
    count: u32,
    at: i64,
    reason: String,
}

impl Docker {
    /// When and why a probe's failure last ended a container, running or not; `None` where none did.
    pub async fn last_restart(&self, container: &str) -> Option<LastRestart> {
        let path = format!("{RESTARTS_FOLDER}/restarts.json");
        let options = DownloadFromContainerOptionsBuilder::default().path(&path).build();
        let mut stream = self.client.download_from_container(container, Some(options));
        let mut archive = Vec::new();
        while let Some(Ok(piece)) = stream.next().await {
            archive.extend_from_slice(&piece);
            if archive.len() > LARGEST {
                return None;
            }
        }
        let mut archive = tar::Archive::new(&archive[..]);
        let mut text = String::new();
        let mut file = archive.entries().ok()?.next()?.ok()?;
        file.read_to_string(&mut text).ok()?;
        let record: Record = serde_json::from_str(&text).ok()?;
        Some(LastRestart {
            reason: record.reason,
            at: OffsetDateTime::from_unix_timestamp(record.at).ok()?,
            in_a_row: record.count,
        })
    }
}
