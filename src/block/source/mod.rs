//! Asks the servers that adapters stand beside, each in its own protocol.

pub mod http;
pub mod mysql;
pub mod postgresql;
pub mod redis;

mod password;

pub use password::Password;

use std::time::Duration;

use anyhow::{Context, anyhow};
use tokio::net::TcpStream;

/// More of an answer than this is not read.
pub const LIMIT: usize = 1 << 20;

/// Parses `HOST:PORT`.
pub fn address(text: &str) -> Result<String, String> {
    let wrong = || format!("`{text}` is not `HOST:PORT`, like `127.0.0.1:6379`");
    let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
    let is_port = port.parse::<u16>().is_ok_and(|port| port > 0);
    let is_host = !host.is_empty()
        && host
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'/' | b'@'));
    let is_host = is_host && (!host.contains(':') || (host.starts_with('[') && host.ends_with(']')));
    (is_port && is_host).then(|| text.to_owned()).ok_or_else(wrong)
}

/// Opens a connection.
pub async fn connect(address: &str) -> anyhow::Result<TcpStream> {
    let stream = TcpStream::connect(address)
        .await
        .with_context(|| format!("failed to connect to `{address}`"))?;
    let _ = stream.set_nodelay(true);
    Ok(stream)
}

/// Waits so long at most.
pub async fn within<T>(
    timeout: Duration,
    work: impl Future<Output = anyhow::Result<T>>,
) -> anyhow::Result<T> {
    match tokio::time::timeout(timeout, work).await {
        Ok(result) => result,
        Err(_) => Err(anyhow!("no answer within {} ms", timeout.as_millis())),
    }
}

/// What a server said, as a part of one line.
pub fn plain(text: &str) -> String {
    text.chars()
        .map(|character| if character.is_control() { ' ' } else { character })
        .take(300)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_host_and_a_port() {
        for right in ["127.0.0.1:6379", "redis:1", "[::1]:80", "redis-0.redis:6379"] {
            assert_eq!(address(right).as_deref(), Ok(right));
        }
        for wrong in [
            "",
            "redis",
            ":1",
            "redis:0",
            "redis:x",
            "::1:80",
            "a b:1",
            "http://a:1",
            "u@h:1",
        ] {
            assert!(address(wrong).is_err(), "{wrong}");
        }
    }
}
