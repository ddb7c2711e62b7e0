//! Talks to MySQL and MariaDB: one connection, one query at a time, packets of bounded size.

use std::sync::Arc;

use anyhow::{Context, anyhow, bail};
use ring::digest;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio_rustls::TlsConnector;

use super::{LIMIT, Password, connect, plain};
use crate::block::probe::any_certificate;

/// What is understood, as bits.
mod capability {
    pub const LONG_PASSWORD: u32 = 1;
    pub const CONNECT_WITH_DB: u32 = 1 << 3;
    pub const PROTOCOL_41: u32 = 1 << 9;
    pub const SSL: u32 = 1 << 11;
    pub const TRANSACTIONS: u32 = 1 << 13;
    pub const SECURE_CONNECTION: u32 = 1 << 15;
    pub const PLUGIN_AUTH: u32 = 1 << 19;
}

const NATIVE: &str = "mysql_native_password";
const CACHING: &str = "caching_sha2_password";
/// Rows and columns of an answer.
const PACKETS: u32 = 100_000;
/// utf8mb4.
const CHARACTERS: u8 = 45;

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// A connection that is let in.
pub struct Connection {
    stream: Box<dyn Stream>,
    sequence: u8,
}

impl Connection {
    /// Connects and logs in. A password that has to go as it is goes over TLS; the certificate is not verified.
    pub async fn open(
        address: &str,
        user: &str,
        password: Option<&Password>,
        database: Option<&str>,
    ) -> anyhow::Result<Self> {
        let mut connection = Self {
            stream: Box::new(connect(address).await?),
            sequence: 0,
        };
        let password = password.map_or("", Password::expose);
        let entered = connection.enter(user, password, database).await;
        entered.context("failed to log in to mysql")?;
        Ok(connection)
    }

    async fn enter(&mut self, user: &str, password: &str, database: Option<&str>) -> anyhow::Result<()> {
        let packet = self.receive().await?;
        let greeting = Greeting::read(&packet)?;
        let mut capabilities = capability::LONG_PASSWORD
            | capability::PROTOCOL_41
            | capability::TRANSACTIONS
            | capability::SECURE_CONNECTION
            | capability::PLUGIN_AUTH;
        if database.is_some() {
            capabilities |= capability::CONNECT_WITH_DB;
        }
        let is_secret = greeting.plugin == CACHING && greeting.capabilities & capability::SSL != 0;
        if is_secret {
            capabilities |= capability::SSL;
        }
        let mut head = capabilities.to_le_bytes().to_vec();
        head.extend_from_slice(&(1_u32 << 24).to_le_bytes());
        head.push(CHARACTERS);
        head.extend_from_slice(&[0; 23]);
        let mut this = self;
        if is_secret {
            this.send(&head).await?;
            this = this.protect().await?;
        }
        let proof = prove(&greeting.plugin, password, &greeting.nonce).unwrap_or_default();
        let mut response = head;
        let mut text = |text: &str| {
            response.extend_from_slice(text.as_bytes());
            response.push(0);
        };
        text(user);
        response.push(u8::try_from(proof.len()).unwrap_or_default());
        response.extend_from_slice(&proof);
        for text in database.into_iter().chain([greeting.plugin.as_str()]) {
            response.extend_from_slice(text.as_bytes());
            response.push(0);
        }
        this.send(&response).await?;
        this.answer_questions(password, is_secret).await
    }

    async fn answer_questions(&mut self, password: &str, is_secret: bool) -> anyhow::Result<()> {
        // A server has no reason to ask more often.
        for _ in 0..8 {
            let packet = self.receive().await?;
            match packet.split_first() {
                Some((0, _)) => return Ok(()),
                Some((0xff, rest)) => bail!(said(rest)),
                Some((0xfe, rest)) => {
                    let (plugin, data) = until_zero(rest).context("the server is out of step")?;
                    let plugin = String::from_utf8_lossy(plugin).into_owned();
                    let nonce = data.strip_suffix(&[0]).unwrap_or(data);
                    let proof = prove(&plugin, password, nonce)
                        .with_context(|| format!("the server wants `{}`", plain(&plugin)))?;
                    self.send(&proof).await?;
                }
                Some((1, [3])) => {}
                Some((1, [4])) if is_secret => {
                    let mut text = password.as_bytes().to_vec();
                    text.push(0);
                    self.send(&text).await?;
                }
                Some((1, [4])) => bail!("the server wants the password as it is, but speaks no TLS"),
                _ => bail!("the server is out of step"),
            }
        }
        bail!("the server asks too often")
    }

    /// Goes on over TLS.
    async fn protect(&mut self) -> anyhow::Result<&mut Self> {
        let (empty, _) = tokio::io::duplex(1);
        let plain = std::mem::replace(&mut self.stream, Box::new(empty));
        let connector = TlsConnector::from(Arc::new(any_certificate().map_err(anyhow::Error::msg)?));
        let name = ServerName::try_from("mysql").context("failed to name the server")?;
        self.stream = Box::new(connector.connect(name, plain).await?);
        Ok(self)
    }

    /// Sends a query; says the first value of its first row.
    pub async fn query(&mut self, query: &str) -> anyhow::Result<Option<String>> {
        self.exchange(query).await.context("failed to ask mysql")
    }

    async fn exchange(&mut self, query: &str) -> anyhow::Result<Option<String>> {
        self.sequence = 0;
        let mut request = vec![3];
        request.extend_from_slice(query.as_bytes());
        self.send(&request).await?;
        let packet = self.receive().await?;
        match packet.split_first() {
            Some((0, _)) => return Ok(None),
            Some((0xff, rest)) => bail!(said(rest)),
            Some((0xfb, _)) => bail!("the query waits for data"),
            Some(_) => {}
            None => bail!("the server is out of step"),
        }
        // Columns, an end, rows, an end.
        let mut ends = 0;
        let mut first = None;
        for _ in 0..PACKETS {
            let packet = self.receive().await?;
            match packet.split_first() {
                Some((0xff, rest)) => bail!(said(rest)),
                Some((0xfe, rest)) if rest.len() < 8 => {
                    ends += 1;
                    if ends == 2 {
                        return Ok(first.flatten());
                    }
                }
                _ if ends == 1 && first.is_none() => first = Some(value(&packet)),
                _ => {}
            }
        }
        bail!("the answer has too many rows")
    }

    async fn send(&mut self, payload: &[u8]) -> anyhow::Result<()> {
        let length = u32::try_from(payload.len()).unwrap_or(u32::MAX);
        if length >= 1 << 24 {
            bail!("the query is too long");
        }
        let mut packet = length.to_le_bytes()[..3].to_vec();
        packet.push(self.sequence);
        packet.extend_from_slice(payload);
        self.sequence = self.sequence.wrapping_add(1);
        self.stream.write_all(&packet).await?;
        self.stream.flush().await?;
        Ok(())
    }

    async fn receive(&mut self) -> anyhow::Result<Vec<u8>> {
        let mut head = [0; 4];
        self.stream
            .read_exact(&mut head)
            .await
            .context("the connection was closed")?;
        let length = usize::from(head[0]) | usize::from(head[1]) << 8 | usize::from(head[2]) << 16;
        if length > LIMIT {
            bail!("the answer is larger than {LIMIT} bytes");
        }
        self.sequence = head[3].wrapping_add(1);
        let mut packet = vec![0; length];
        self.stream
            .read_exact(&mut packet)
            .await
            .context("the connection was closed")?;
        Ok(packet)
    }
}

/// What a server says first.
#[derive(Debug, PartialEq, Eq)]
struct Greeting {
    capabilities: u32,
    nonce: Vec<u8>,
    plugin: String,
}

impl Greeting {
    fn read(packet: &[u8]) -> anyhow::Result<Self> {
        if let Some((0xff, rest)) = packet.split_first() {
            bail!(said(rest));
        }
        Self::fields(packet).context("this is no server of mysql")
    }

    fn fields(packet: &[u8]) -> Option<Self> {
        let rest = packet.strip_prefix(&[10])?;
        let (_, rest) = until_zero(rest)?;
        // A number, 8 bytes of the nonce, a zero, then what is understood, in two halves.
        let (nonce, rest) = rest.get(4..)?.split_at_checked(8)?;
        let low = u16::from_le_bytes([*rest.get(1)?, *rest.get(2)?]);
        let high = u16::from_le_bytes([*rest.get(6)?, *rest.get(7)?]);
        let length = usize::from(*rest.get(8)?).saturating_sub(8).max(13);
        let (more, rest) = rest.get(19..)?.split_at_checked(length)?;
        let nonce = [nonce, more.strip_suffix(&[0]).unwrap_or(more)].concat();
        let plugin = until_zero(rest).map_or(rest, |(name, _)| name);
        let plugin = match str::from_utf8(plugin).ok()? {
            "" => NATIVE,
            name => name,
        };
        Some(Self {
            capabilities: u32::from(low) | u32::from(high) << 16,
            nonce,
            plugin: plugin.to_owned(),
        })
    }
}

/// Shows that the password is known, without saying it; none for a way that is not known here.
fn prove(plugin: &str, password: &str, nonce: &[u8]) -> Option<Vec<u8>> {
    let hash = |algorithm, parts: &[&[u8]]| digest::digest(algorithm, &parts.concat());
    let mix = |left: &[u8], right: &[u8]| left.iter().zip(right).map(|(a, b)| a ^ b).collect();
    match plugin {
        NATIVE | CACHING if password.is_empty() => Some(Vec::new()),
        NATIVE => {
            let algorithm = &digest::SHA1_FOR_LEGACY_USE_ONLY;
            let once = hash(algorithm, &[password.as_bytes()]);
            let twice = hash(algorithm, &[once.as_ref()]);
            let salted = hash(algorithm, &[nonce, twice.as_ref()]);
            Some(mix(once.as_ref(), salted.as_ref()))
        }
        CACHING => {
            let algorithm = &digest::SHA256;
            let once = hash(algorithm, &[password.as_bytes()]);
            let twice = hash(algorithm, &[once.as_ref()]);
            let salted = hash(algorithm, &[twice.as_ref(), nonce]);
            Some(mix(once.as_ref(), salted.as_ref()))
        }
        _ => None,
    }
}

fn until_zero(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = memchr::memchr(0, bytes)?;
    Some((&bytes[..end], &bytes[end + 1..]))
}

/// What an error packet says: a number, `#` and five characters of state, the message.
fn said(rest: &[u8]) -> anyhow::Error {
    let message = rest.get(2..).unwrap_or_default();
    let message = match message.split_first() {
        Some((b'#', after)) => after.get(5..).unwrap_or_default(),
        _ => message,
    };
    anyhow!(plain(&String::from_utf8_lossy(message)))
}

/// The first value of a row.
fn value(row: &[u8]) -> Option<String> {
    let (first, rest) = row.split_first()?;
    let (length, rest) = match first {
        0xfb => return None,
        0xfc => {
            let (length, rest) = rest.split_first_chunk::<2>()?;
            (usize::from(u16::from_le_bytes(*length)), rest)
        }
        0xfd => {
            let (length, rest) = rest.split_first_chunk::<3>()?;
            let [a, b, c] = length.map(usize::from);
            (a | b << 8 | c << 16, rest)
        }
        length => (usize::from(*length), rest),
    };
    let text = rest.get(..length)?;
    Some(String::from_utf8_lossy(text).into_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_greeting_is_read() {
        let mut packet = vec![10];
        packet.extend_from_slice(b"8.0.36\0\x01\x02\x03\x04abcdefgh\0\xff\xff\x2d\x02\x00\xff\x81\x15");
        packet.extend_from_slice(&[0; 10]);
        packet.extend_from_slice(b"ijklmnopqrst\0caching_sha2_password\0");
        let greeting = Greeting::read(&packet).unwrap();
        assert_eq!(greeting.nonce, b"abcdefghijklmnopqrst");
        assert_eq!(greeting.plugin, CACHING);
        assert_ne!(greeting.capabilities & capability::SSL, 0);
        assert_ne!(greeting.capabilities & capability::PLUGIN_AUTH, 0);
        for end in 0..packet.len() - 25 {
            let cut = Greeting::fields(&packet[..end]);
            assert!(cut.is_none_or(|cut| cut.plugin == NATIVE), "cut at {end}");
        }
        let refused = Greeting::read(b"\xff\x69\x04Host is blocked").unwrap_err();
        assert_eq!(refused.to_string(), "Host is blocked");
    }

    #[test]
    fn a_password_is_proved() {
        // Undone with what a server stores: the hash of the password's hash.
        let nonce = b"abcdefghijklmnopqrst";
        let sha1 = |bytes: &[u8]| digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, bytes);
        let stored = sha1(sha1(b"secret").as_ref());
        let salted = sha1(&[nonce, stored.as_ref()].concat());
        let proof = prove(NATIVE, "secret", nonce).unwrap();
        let once: Vec<u8> = proof.iter().zip(salted.as_ref()).map(|(a, b)| a ^ b).collect();
        assert_eq!(sha1(&once).as_ref(), stored.as_ref());

        let sha256 = |bytes: &[u8]| digest::digest(&digest::SHA256, bytes);
        let stored = sha256(sha256(b"secret").as_ref());
        let salted = sha256(&[stored.as_ref(), nonce].concat());
        let proof = prove(CACHING, "secret", nonce).unwrap();
        let once: Vec<u8> = proof.iter().zip(salted.as_ref()).map(|(a, b)| a ^ b).collect();
        assert_eq!(sha256(&once).as_ref(), stored.as_ref());

        assert_eq!(prove(NATIVE, "", nonce), Some(Vec::new()));
        assert_eq!(prove("client_ed25519", "secret", nonce), None);
    }

    #[test]
    fn the_first_value_of_a_row() {
        assert_eq!(value(b"\x011\x012").as_deref(), Some("1"));
        assert_eq!(value(b"\xfb\x01x"), None);
        assert_eq!(value(b"\xfc\x02\x00ab").as_deref(), Some("ab"));
        assert_eq!(value(b"\xfd\x02\x00\x00ab").as_deref(), Some("ab"));
        assert_eq!(value(b"\x05ab"), None);
        assert_eq!(value(b""), None);
    }

    proptest! {
        #[test]
        fn whatever_comes_is_read_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            let _ = value(&bytes);
            let _ = Greeting::read(&bytes);
            let _ = said(&bytes);
        }
    }
}
