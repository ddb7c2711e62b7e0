//! Talks to PostgreSQL: one connection, one simple query at a time, messages of bounded size.

use std::io;

use anyhow::{Context, anyhow, bail};
use bytes::{Buf, BytesMut};
use fallible_iterator::FallibleIterator;
use postgres_protocol::authentication::{md5_hash, sasl};
use postgres_protocol::message::backend::{ErrorResponseBody, Message};
use postgres_protocol::message::frontend;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{LIMIT, Password, connect, plain};

/// A connection that is let in.
pub struct Connection {
    stream: TcpStream,
    received: BytesMut,
}

impl Connection {
    /// Connects and logs in.
    pub async fn open(
        address: &str,
        user: &str,
        password: Option<&Password>,
        database: Option<&str>,
    ) -> anyhow::Result<Self> {
        let mut connection = Self {
            stream: connect(address).await?,
            received: BytesMut::with_capacity(8192),
        };
        let entered = connection.enter(user, password, database);
        entered.await.context("failed to log in to postgresql")?;
        Ok(connection)
    }

    async fn enter(
        &mut self,
        user: &str,
        password: Option<&Password>,
        database: Option<&str>,
    ) -> anyhow::Result<()> {
        let parameters = [
            ("user", user),
            ("database", database.unwrap_or(user)),
            ("client_encoding", "UTF8"),
            ("application_name", "motif"),
        ];
        self.send(|out| frontend::startup_message(parameters, out))
            .await?;
        let asked = || {
            password
                .map(Password::expose)
                .context("the server asks for a password")
        };
        let mut exchange = None;
        loop {
            match self.receive().await? {
                Message::AuthenticationCleartextPassword => {
                    let text = asked()?.as_bytes();
                    self.send(|out| frontend::password_message(text, out)).await?;
                }
                Message::AuthenticationMd5Password(body) => {
                    let hash = md5_hash(user.as_bytes(), asked()?.as_bytes(), body.salt());
                    self.send(|out| frontend::password_message(hash.as_bytes(), out))
                        .await?;
                }
                Message::AuthenticationSasl(body) => {
                    let knows = body.mechanisms().any(|name| Ok(name == sasl::SCRAM_SHA_256))?;
                    if !knows {
                        bail!("the server speaks no SCRAM-SHA-256");
                    }
                    let binding = sasl::ChannelBinding::unsupported();
                    let scram = exchange.insert(sasl::ScramSha256::new(asked()?.as_bytes(), binding));
                    let first = scram.message().to_owned();
                    self.send(|out| frontend::sasl_initial_response(sasl::SCRAM_SHA_256, &first, out))
                        .await?;
                }
                Message::AuthenticationSaslContinue(body) => {
                    let scram = exchange.as_mut().context("the server is out of step")?;
                    scram.update(body.data())?;
                    let next = scram.message().to_owned();
                    self.send(|out| frontend::sasl_response(&next, out)).await?;
                }
                Message::AuthenticationSaslFinal(body) => {
                    let scram = exchange.as_mut().context("the server is out of step")?;
                    scram.finish(body.data())?;
                }
                Message::ErrorResponse(body) => bail!(said(&body)),
                Message::ReadyForQuery(_) => return Ok(()),
                Message::AuthenticationOk
                | Message::BackendKeyData(_)
                | Message::ParameterStatus(_)
                | Message::NoticeResponse(_) => {}
                _ => bail!("the server asks for what is not known here"),
            }
        }
    }

    /// Sends a query; says the first value of its first row.
    pub async fn query(&mut self, query: &str) -> anyhow::Result<Option<String>> {
        self.exchange(query).await.context("failed to ask postgresql")
    }

    async fn exchange(&mut self, query: &str) -> anyhow::Result<Option<String>> {
        self.send(|out| frontend::query(query, out)).await?;
        let mut first = None;
        let mut failure = None;
        loop {
            match self.receive().await? {
                Message::DataRow(body) if first.is_none() => {
                    let range = body.ranges().next()?.flatten();
                    first = range.map(|range| String::from_utf8_lossy(&body.buffer()[range]).into_owned());
                }
                Message::ErrorResponse(body) => failure = Some(said(&body)),
                Message::CopyInResponse(_) => bail!("the query waits for data"),
                Message::ReadyForQuery(_) => return failure.map_or(Ok(first), Err),
                _ => {}
            }
        }
    }

    async fn send(&mut self, write: impl FnOnce(&mut BytesMut) -> io::Result<()>) -> anyhow::Result<()> {
        let mut out = BytesMut::new();
        write(&mut out)?;
        self.stream.write_all(&out).await?;
        Ok(())
    }

    async fn receive(&mut self) -> anyhow::Result<Message> {
        loop {
            if let Some(header) = self.received.get(1..5) {
                let mut header = header;
                if usize::try_from(header.get_u32()).unwrap_or(usize::MAX) > LIMIT {
                    bail!("the answer is larger than {LIMIT} bytes");
                }
            }
            if let Some(message) = Message::parse(&mut self.received)? {
                return Ok(message);
            }
            if self.stream.read_buf(&mut self.received).await? == 0 {
                bail!("the connection was closed");
            }
        }
    }
}

/// What an error message says.
fn said(body: &ErrorResponseBody) -> anyhow::Error {
    let mut fields = body.fields();
    while let Ok(Some(field)) = fields.next() {
        if field.type_() == b'M' {
            return anyhow!(plain(&String::from_utf8_lossy(field.value_bytes())));
        }
    }
    anyhow!("an error without a message")
}
