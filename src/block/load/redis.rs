//! Sets a key over Redis' protocol, reads it back, and looks which server holds it.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufStream};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::super::probe::reason;
use super::{Answer, LARGEST};

/// Time for a store to say what it holds.
const STORE: Duration = Duration::from_secs(1);

/// Asks servers.
#[derive(Debug)]
pub struct Client {
    /// Connections that nobody uses now, by address.
    idle: Mutex<HashMap<String, Vec<BufStream<TcpStream>>>>,
    /// Tells this run's values from those that an earlier one left.
    run: u32,
}

impl Client {
    /// A client without connections.
    pub fn new() -> Self {
        Self {
            idle: Mutex::default(),
            run: fastrand::u32(..),
        }
    }

    /// Sets a key to a value of this question's own and reads it back; the store that holds it is who answered.
    pub async fn ask(&self, address: &str, stores: &[String], key: &str, n: u64) -> Result<Answer, String> {
        let value = format!("value-{n}-{:08x}", self.run);
        self.call(address, &["SET", key, &value]).await?;
        let read = self.call(address, &["GET", key]).await?;
        let mut holders = Vec::new();
        for store in stores {
            // A store that is gone holds nothing; its name can take longer to fail than the question has.
            let asked = timeout(STORE, self.call(store, &["GET", key])).await;
            if let Ok(Ok(Some(held))) = asked
                && held == value
            {
                holders.push(store.split(['.', ':']).next().unwrap_or(store));
            }
        }
        Ok(Answer {
            body: read.clone().unwrap_or_default(),
            whole: read.clone().unwrap_or_default(),
            by: (!stores.is_empty()).then(|| holders.join("+")),
            wrong: read != Some(value),
            status: None,
        })
    }

    async fn call(&self, address: &str, words: &[&str]) -> Result<Option<String>, String> {
        let found = self.idle().get_mut(address).and_then(Vec::pop);
        let mut stream = if let Some(stream) = found {
            stream
        } else {
            let stream = TcpStream::connect(address)
                .await
                .map_err(|error| reason(&error))?;
            let _ = stream.set_nodelay(true);
            BufStream::new(stream)
        };
        let reply = call(&mut stream, words).await.map_err(|error| reason(&error))?;
        self.idle().entry(address.to_owned()).or_default().push(stream);
        reply
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, HashMap<String, Vec<BufStream<TcpStream>>>> {
        self.idle
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// One command and its reply: a text, nothing, or an error's text.
async fn call(
    stream: &mut BufStream<TcpStream>,
    words: &[&str],
) -> std::io::Result<Result<Option<String>, String>> {
    let mut command = format!("*{}\r\n", words.len());
    for word in words {
        command.push_str(&format!("${}\r\n{word}\r\n", word.len()));
    }
    stream.write_all(command.as_bytes()).await?;
    stream.flush().await?;
    let mut line = Vec::new();
    (&mut *stream)
        .take(LARGEST as u64)
        .read_until(b'\n', &mut line)
        .await?;
    let line = String::from_utf8_lossy(&line);
    let line = line.trim_end();
    let invalid = || {
        std::io::Error::new(
            std::io::ErrorKind::InvalidData,
            "the reply is not Redis' protocol",
        )
    };
    match line.split_at_checked(1) {
        Some(("+" | ":", text)) => Ok(Ok(Some(text.to_owned()))),
        Some(("-", text)) => Ok(Err(text.to_owned())),
        Some(("$", "-1")) => Ok(Ok(None)),
        Some(("$", length)) => {
            let length: usize = length
                .parse()
                .ok()
                .filter(|length| *length <= LARGEST)
                .ok_or_else(invalid)?;
            let mut text = vec![0; length + 2];
            stream.read_exact(&mut text).await?;
            text.truncate(length);
            Ok(Ok(Some(String::from_utf8_lossy(&text).into_owned())))
        }
        None => Err(std::io::ErrorKind::UnexpectedEof.into()),
        Some(_) => Err(invalid()),
    }
}
