//! Says to a client that there is no backend, in the protocol that it speaks.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// What a client is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Refusal {
    /// Nothing: the connection ends
    Close,
    /// An error of Redis
    Redis,
    /// An error of PostgreSQL
    Postgresql,
    /// 503
    Http,
}

/// The largest first message that is read.
const MOST: usize = 16 * 1024;
/// How long a client may go on sending after it was told.
const LINGER: Duration = Duration::from_secs(2);
/// Bytes that it may send then.
const MOST_LINGER: usize = 1024 * 1024;
/// Requests to encrypt that are answered with no.
const MOST_ENCRYPTION: u32 = 4;

/// What stands at the start of what a PostgreSQL client sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Startup {
    /// Not all of it.
    Part,
    /// It asks for encryption.
    Encryption,
    /// It tells who it is.
    Whole,
    /// It wants something else.
    Other,
}

fn startup(bytes: &[u8]) -> Startup {
    let number = |range: std::ops::Range<usize>| {
        let bytes: [u8; 4] = bytes.get(range)?.try_into().ok()?;
        Some(u32::from_be_bytes(bytes))
    };
    let (Some(length), Some(code)) = (number(0..4), number(4..8)) else {
        return Startup::Part;
    };
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    match (code, code >> 16) {
        (80_877_103 | 80_877_104, _) if length == 8 => Startup::Encryption,
        (_, 3) if (8..=MOST).contains(&length) => {
            if bytes.len() < length {
                Startup::Part
            } else {
                Startup::Whole
            }
        }
        _ => Startup::Other,
    }
}

fn error_response(message: &str) -> Vec<u8> {
    let mut fields = Vec::new();
    for (kind, text) in [(b'S', "FATAL"), (b'V', "FATAL"), (b'C', "57P03"), (b'M', message)] {
        fields.push(kind);
        fields.extend_from_slice(text.as_bytes());
        fields.push(0);
    }
    fields.push(0);
    let length = u32::try_from(fields.len() + 4).unwrap_or_default();
    let mut response = vec![b'E'];
    response.extend_from_slice(&length.to_be_bytes());
    response.extend_from_slice(&fields);
    response
}

impl Refusal {
    /// Tells the client and ends the connection.
    pub async fn tell<S: AsyncRead + AsyncWrite + Unpin>(
        self,
        client: &mut S,
        message: &str,
    ) -> io::Result<()> {
        match self {
            Self::Close => return Ok(()),
            Self::Redis => {
                // Whoever is told before it asked takes the error for something else.
                let mut room = [0; 1024];
                if client.read(&mut room).await? == 0 {
                    return Ok(());
                }
                client.write_all(format!("-ERR {message}\r\n").as_bytes()).await?;
            }
            Self::Postgresql => {
                if !greet(client).await? {
                    return Ok(());
                }
                client.write_all(&error_response(message)).await?;
            }
            Self::Http => {
                let mut read = Vec::new();
                while !read.windows(4).any(|end| end == b"\r\n\r\n") {
                    if read.len() > MOST || client.read_buf(&mut read).await? == 0 {
                        return Ok(());
                    }
                }
                let body = format!("{message}\n");
                let head = format!(
                    "HTTP/1.1 503 Service Unavailable\r\ncontent-type: text/plain; charset=utf-8\r\n\
                     content-length: {}\r\nretry-after: 1\r\nconnection: close\r\n\r\n",
                    body.len()
                );
                // The answer to HEAD has no body.
                let body = if read.starts_with(b"HEAD ") { "" } else { &body };
                client.write_all(format!("{head}{body}").as_bytes()).await?;
            }
        }
        client.shutdown().await?;
        // Closing with unread bytes resets the connection, and the client may never see what it was told.
        let rest = async {
            let mut room = [0; 4096];
            let mut count = 0;
            while count < MOST_LINGER {
                match client.read(&mut room).await {
                    Ok(more @ 1..) => count += more,
                    _ => break,
                }
            }
        };
        let _ = tokio::time::timeout(LINGER, rest).await;
        Ok(())
    }
}

/// Reads until a PostgreSQL client has told who it is; says whether it waits for an answer.
async fn greet<S: AsyncRead + AsyncWrite + Unpin>(client: &mut S) -> io::Result<bool> {
    let mut read = Vec::new();
    let mut asked = 0;
    loop {
        match startup(&read) {
            Startup::Whole => return Ok(true),
            Startup::Other => return Ok(false),
            Startup::Encryption if asked == MOST_ENCRYPTION => return Ok(false),
            Startup::Encryption => {
                asked += 1;
                read.drain(..8);
                client.write_all(b"N").await?;
            }
            Startup::Part => {
                if client.read_buf(&mut read).await? == 0 {
                    return Ok(false);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a client is told that sends these pieces, each after it was answered or not.
    fn told(refusal: Refusal, sent: &[&[u8]]) -> Vec<u8> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let (mut client, mut server) = tokio::io::duplex(64 * 1024);
            for piece in sent {
                client.write_all(piece).await.unwrap();
            }
            client.shutdown().await.unwrap();
            refusal
                .tell(&mut server, "motif: no backend for db")
                .await
                .unwrap();
            drop(server);
            let mut told = Vec::new();
            client.read_to_end(&mut told).await.unwrap();
            told
        })
    }

    const HELLO: &[u8] = b"\0\0\0\x12\0\x03\0\0user\0me\0\0\0";

    #[test]
    fn each_protocol_has_its_refusal() {
        assert_eq!(told(Refusal::Close, &[b"PING\r\n"]), b"");
        assert_eq!(
            told(Refusal::Redis, &[b"*1\r\n$4\r\nPING\r\n"]),
            b"-ERR motif: no backend for db\r\n"
        );
        let http = told(Refusal::Http, &[b"GET / HT", b"TP/1.1\r\nhost: a\r\n\r\n"]);
        let http = String::from_utf8(http).unwrap();
        assert!(http.starts_with("HTTP/1.1 503 "), "{http}");
        assert!(http.ends_with("\r\n\r\nmotif: no backend for db\n"), "{http}");
        let head = told(Refusal::Http, &[b"HEAD / HTTP/1.1\r\nhost: a\r\n\r\n"]);
        assert!(head.ends_with(b"\r\n\r\n"));
    }

    #[test]
    fn postgresql_is_told_after_it_said_who_it_is() {
        let error = b"E\0\0\0\x34SFATAL\0VFATAL\0C57P03\0Mmotif: no backend for db\0\0";
        let encrypt: &[u8] = b"\0\0\0\x08\x04\xd2\x16\x2f";
        let mut both = b"N".to_vec();
        both.extend_from_slice(error);
        assert_eq!(told(Refusal::Postgresql, &[encrypt, HELLO]), both);
        assert_eq!(told(Refusal::Postgresql, &[&HELLO[..5], &HELLO[5..]]), error);
        // To cancel needs no answer, and what is no startup gets none.
        let cancel: &[u8] = b"\0\0\0\x10\x04\xd2\x16\x2e\0\0\0\0\0\0\0\0";
        for silent in [cancel, b"GET / HTTP/1.1\r\n\r\n", b"\0\0", b""] {
            assert_eq!(told(Refusal::Postgresql, &[silent]), b"", "{silent:?}");
        }
        let endless = [encrypt; 9].concat();
        assert_eq!(told(Refusal::Postgresql, &[&endless]), b"NNNN");
    }

    #[test]
    fn lengths_have_limits() {
        assert_eq!(startup(b"\xff\xff\xff\xff\0\x03\0\0"), Startup::Other);
        assert_eq!(startup(b"\0\0\0\0\0\x03\0\0"), Startup::Other);
        assert_eq!(startup(b"\0\0\0\x09\x04\xd2\x16\x2f"), Startup::Other);
        assert_eq!(startup(HELLO), Startup::Whole);
        let endless = vec![b'x'; MOST + 2];
        assert_eq!(told(Refusal::Http, &[&endless]), b"");
    }
}
