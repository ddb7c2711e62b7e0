//! Talks to Redis: one connection, one command at a time, answers of bounded size.

use anyhow::{Context, bail};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use super::{LIMIT, Password, connect, plain};

/// The longest line of an answer: a status, an error, a length.
const LINE: u64 = 64 * 1024;
/// Parts of an answer.
const PARTS: u64 = 10_000;

/// A connection that is let in.
pub struct Connection {
    stream: BufReader<TcpStream>,
}

impl Connection {
    /// Connects, and shows name and password where there are any.
    pub async fn open(
        address: &str,
        user: Option<&str>,
        password: Option<&Password>,
        database: Option<&str>,
    ) -> anyhow::Result<Self> {
        let mut connection = Self {
            stream: BufReader::new(connect(address).await?),
        };
        if let Some(password) = password {
            let mut words = vec!["AUTH"];
            words.extend(user);
            words.push(password.expose());
            connection.call(&words).await?;
        }
        if let Some(database) = database {
            connection.call(&["SELECT", database]).await?;
        }
        Ok(connection)
    }

    /// Sends a command; of an answer of several parts, says the first. An error is an error.
    pub async fn call(&mut self, words: &[&str]) -> anyhow::Result<Option<String>> {
        self.exchange(words).await.context("failed to ask redis")
    }

    async fn exchange(&mut self, words: &[&str]) -> anyhow::Result<Option<String>> {
        let mut request = format!("*{}\r\n", words.len());
        for word in words {
            request += &format!("${}\r\n{word}\r\n", word.len());
        }
        self.stream.get_mut().write_all(request.as_bytes()).await?;
        let mut first = None;
        let mut left = 1_u64;
        let mut parts = 0;
        let mut bytes = 0;
        while left > 0 {
            left -= 1;
            parts += 1;
            if parts > PARTS {
                bail!("the answer has too many parts");
            }
            let line = self.line().await?;
            let (kind, rest) = line.split_at_checked(1).unwrap_or_default();
            let value = match kind {
                "+" | ":" => Some(rest.to_owned()),
                "-" => bail!("{}", plain(rest)),
                "$" | "*" if rest == "-1" => None,
                "$" => {
                    let length: usize = rest.parse().context("a length is no number")?;
                    bytes += length;
                    if bytes > LIMIT {
                        bail!("the answer is larger than {LIMIT} bytes");
                    }
                    let mut text = vec![0; length + 2];
                    self.stream.read_exact(&mut text).await?;
                    text.truncate(length);
                    Some(String::from_utf8_lossy(&text).into_owned())
                }
                "*" => {
                    let count: u64 = rest.parse().context("a count is no number")?;
                    left = left.saturating_add(count);
                    continue;
                }
                _ => bail!("the answer is not of redis"),
            };
            if first.is_none() {
                first = value;
            }
        }
        Ok(first)
    }

    async fn line(&mut self) -> anyhow::Result<String> {
        let mut line = String::new();
        (&mut self.stream).take(LINE).read_line(&mut line).await?;
        if line.is_empty() {
            bail!("the connection was closed");
        }
        line.strip_suffix("\r\n")
            .map(str::to_owned)
            .context("the answer is not of redis")
    }
}

/// Splits a command line at spaces; quotes keep words together.
pub fn words(line: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    for character in line.chars() {
        match (quote, character) {
            (Some(open), close) if open == close => quote = None,
            (None, '"' | '\'') => {
                quote = Some(character);
                word.get_or_insert_default();
            }
            (None, space) if space.is_whitespace() => words.extend(word.take()),
            _ => word.get_or_insert_default().push(character),
        }
    }
    if quote.is_some() {
        return Err(format!("`{line}` has a quote without its end"));
    }
    words.extend(word);
    if words.is_empty() {
        return Err("there is no word in it".to_owned());
    }
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_line_is_words() {
        let check = |line: &str, expect: &[&str]| assert_eq!(words(line).unwrap(), expect);
        check("PING", &["PING"]);
        check("  GET  'a b' \"\" x\"y z\" ", &["GET", "a b", "", "xy z"]);
        assert!(words("'a").is_err());
        assert!(words(" ").is_err());
    }
}
