//! Fetches one commit of a Git repository, without its history: protocol version 2, over HTTP or `git://`.

mod checkout;
mod pack;
mod packet;

use std::fmt;
use std::str::FromStr;

use bytes::Bytes;
use hyper::Method;
use hyper::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::client::{AGENT, Address, Client, broken, collect};
use super::failure::Failure;
use super::tree::{Limits, Tree};
use pack::Id;
use packet::{Head, Packet, Packets, append, delimit, flush, head, line};

/// Most of an answer that lists names.
const NAMES: u64 = 4 * 1024 * 1024;
/// The port of `git://`.
const PORT: u16 = 9418;

/// Where a repository is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Repository {
    /// By HTTP.
    Http(Address),
    /// By Git's own protocol.
    Git {
        /// A name, or an address without brackets.
        host: String,
        /// Port.
        port: u16,
        /// Path on the server.
        path: String,
    },
}

impl FromStr for Repository {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.strip_prefix("git+").unwrap_or(text);
        let Some(rest) = text.strip_prefix("git://") else {
            let address: Address = text.parse()?;
            let path = address.path.trim_end_matches('/').to_owned();
            if path.contains('?') {
                return Err(format!("`{text}` has a query, which a repository has not"));
            }
            return Ok(Self::Http(address.at(path)));
        };
        // The rules of an authority are those of HTTP.
        let address: Address = format!("http://{rest}").parse()?;
        let authority = rest.split('/').next().unwrap_or_default();
        let has_port = authority
            .rsplit_once(':')
            .is_some_and(|(_, port)| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()));
        Ok(Self::Git {
            host: address.host,
            port: if has_port { address.port } else { PORT },
            path: address.path,
        })
    }
}

impl fmt::Display for Repository {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Http(address) => address.fmt(formatter),
            Self::Git { host, port, path } => write!(formatter, "git://{host}:{port}{path}"),
        }
    }
}

/// Fetches the commit of a name, unless it is the one that is known. Also says which it is.
pub async fn fetch(
    client: &Client,
    repository: &Repository,
    reference: &str,
    known: Option<&str>,
    limits: Limits,
) -> Result<Option<(String, Tree)>, Failure> {
    let mut line = Line::open(client, repository).await?;
    let id = if let Ok(id) = reference.parse::<Id>() {
        id
    } else {
        let answer = line.call(&list(reference), NAMES).await?;
        find(&answer, reference)?
    };
    let revision = id.to_string();
    if known == Some(revision.as_str()) {
        return Ok(None);
    }
    // What is compressed is smaller, but for a little where it can't be.
    let most = limits.bytes + limits.bytes / 16 + NAMES;
    let answer = line.call(&want(id), most).await?;
    drop(line);
    let unpacked = pack::Limits {
        bytes: limits.bytes.saturating_mul(2).saturating_add(NAMES),
        objects: limits.entries.saturating_mul(2).saturating_add(TAGS),
    };
    let laid_out = move || {
        let packed = packfile(&answer)?;
        let objects = pack::unpack(&packed, unpacked)?;
        checkout::checkout(&objects, id, limits)
    };
    let tree = tokio::task::spawn_blocking(laid_out)
        .await
        .map_err(|error| Failure::invalid(error.to_string()))??;
    Ok(Some((revision, tree)))
}

/// Commits and tags that come with a tree.
const TAGS: usize = 16;

/// A way to a server that speaks version 2.
enum Line<'a> {
    Http { client: &'a Client, address: Address },
    Git { stream: TcpStream, shown: String },
}

impl<'a> Line<'a> {
    async fn open(client: &'a Client, repository: &Repository) -> Result<Self, Failure> {
        let (line, answer) = match repository {
            Repository::Http(address) => Self::open_http(client, address).await?,
            Repository::Git { host, port, path } => {
                let shown = repository.to_string();
                let mut stream = TcpStream::connect((host.as_str(), *port))
                    .await
                    .map_err(|error| broken(&shown, &error))?;
                let _ = stream.set_nodelay(true);
                let mut request = Vec::new();
                append(
                    &mut request,
                    &format!("git-upload-pack {path}\0host={host}:{port}\0\0version=2\0"),
                );
                stream
                    .write_all(&request)
                    .await
                    .map_err(|error| broken(&shown, &error))?;
                let mut line = Self::Git { stream, shown };
                let answer = line.read(NAMES).await?;
                (line, answer)
            }
        };
        greet(&answer)?;
        Ok(line)
    }

    async fn open_http(client: &'a Client, address: &Address) -> Result<(Self, Bytes), Failure> {
        let ending = "/info/refs?service=git-upload-pack";
        let asked = address.at(format!("{}{ending}", address.path));
        let version = (
            HeaderName::from_static("git-protocol"),
            HeaderValue::from_static("version=2"),
        );
        let (answered, response) = client.get(&asked, &[version]).await?;
        let status = response.status();
        if status.as_u16() != 200 {
            return Err(Failure::source(format!("`{address}` answers {status}")));
        }
        let is_smart = response
            .headers()
            .get(CONTENT_TYPE)
            .is_some_and(|kind| kind == "application/x-git-upload-pack-advertisement");
        let base = answered.path.strip_suffix(ending);
        let (true, Some(base)) = (is_smart, base) else {
            return Err(Failure::source(format!("`{address}` is no Git repository")));
        };
        let address = answered.at(base);
        let answer = collect(response, NAMES).await?;
        Ok((Self::Http { client, address }, answer))
    }

    /// Sends a command, and reads its answer to the end.
    async fn call(&mut self, command: &[u8], limit: u64) -> Result<Bytes, Failure> {
        match self {
            Self::Http { client, address } => {
                let asked = address.at(format!("{}/git-upload-pack", address.path));
                let headers = [
                    (
                        HeaderName::from_static("git-protocol"),
                        HeaderValue::from_static("version=2"),
                    ),
                    (
                        CONTENT_TYPE,
                        HeaderValue::from_static("application/x-git-upload-pack-request"),
                    ),
                ];
                let body = Bytes::copy_from_slice(command);
                let response = client.send(Method::POST, &asked, &headers, body).await?;
                let status = response.status();
                if status.as_u16() != 200 {
                    return Err(Failure::source(format!("`{address}` answers {status}")));
                }
                collect(response, limit).await
            }
            Self::Git { stream, shown } => {
                stream
                    .write_all(command)
                    .await
                    .map_err(|error| broken(shown, &error))?;
                self.read(limit).await
            }
        }
    }

    /// Reads packets to the end of the message.
    async fn read(&mut self, limit: u64) -> Result<Bytes, Failure> {
        let Self::Git { stream, shown } = self else {
            return Ok(Bytes::new());
        };
        let mut bytes = Vec::new();
        loop {
            let mut digits = [0; 4];
            stream
                .read_exact(&mut digits)
                .await
                .map_err(|error| broken(shown, &error))?;
            bytes.extend_from_slice(&digits);
            let length = match head(digits)? {
                Head::Mark(Packet::Flush) => return Ok(bytes.into()),
                Head::Mark(_) => continue,
                Head::Data(length) => length,
            };
            let start = bytes.len();
            if (start + length) as u64 > limit {
                return Err(Failure::too_large(limit));
            }
            bytes.resize(start + length, 0);
            stream
                .read_exact(&mut bytes[start..])
                .await
                .map_err(|error| broken(shown, &error))?;
            // The connection ends with a reason, not with the end of a message.
            if bytes[start..].starts_with(b"ERR ") {
                return Ok(bytes.into());
            }
        }
    }
}

/// Reads what a server can do. By HTTP another message may stand before it.
fn greet(answer: &[u8]) -> Result<(), Failure> {
    let mut packets = Packets::new(answer);
    let mut text = packets.text()?;
    if text.is_some_and(|text| text.starts_with("# service=")) {
        packets.text()?;
        text = packets.text()?;
    }
    if text != Some("version 2") {
        return Err(Failure::source(
            "the server does not speak version 2 of Git's protocol",
        ));
    }
    while let Some(text) = packets.text()? {
        if text
            .strip_prefix("object-format=")
            .is_some_and(|format| format != "sha1")
        {
            return Err(Failure::source(format!(
                "the repository's objects are not named by SHA-1: {}",
                line(text.as_bytes())
            )));
        }
    }
    Ok(())
}

/// The full names that a short one may stand for, the first that exists is meant.
fn candidates(reference: &str) -> Vec<String> {
    if reference == "HEAD" || reference.starts_with("refs/") {
        vec![reference.to_owned()]
    } else {
        vec![
            format!("refs/heads/{reference}"),
            format!("refs/tags/{reference}"),
        ]
    }
}

fn command(name: &str) -> Vec<u8> {
    let mut request = Vec::new();
    append(&mut request, &format!("command={name}\n"));
    append(&mut request, &format!("agent={AGENT}\n"));
    append(&mut request, "object-format=sha1\n");
    delimit(&mut request);
    request
}

fn list(reference: &str) -> Vec<u8> {
    let mut request = command("ls-refs");
    append(&mut request, "peel\n");
    for name in candidates(reference) {
        append(&mut request, &format!("ref-prefix {name}\n"));
    }
    flush(&mut request);
    request
}

fn want(id: Id) -> Vec<u8> {
    let mut request = command("fetch");
    append(&mut request, "no-progress\n");
    append(&mut request, "ofs-delta\n");
    append(&mut request, "deepen 1\n");
    append(&mut request, &format!("want {id}\n"));
    append(&mut request, "done\n");
    flush(&mut request);
    request
}

/// The commit of a name among those that the server lists.
fn find(answer: &[u8], reference: &str) -> Result<Id, Failure> {
    let mut packets = Packets::new(answer);
    let candidates = candidates(reference);
    let mut found: Option<(usize, Id)> = None;
    while let Some(text) = packets.text()? {
        let mut words = text.split(' ');
        let (Some(id), Some(name)) = (words.next(), words.next()) else {
            return Err(Failure::invalid("the list of names is broken"));
        };
        let Some(rank) = candidates.iter().position(|candidate| candidate == name) else {
            continue;
        };
        let peeled = words.find_map(|word| word.strip_prefix("peeled:"));
        let id = peeled
            .unwrap_or(id)
            .parse()
            .map_err(|()| Failure::source(format!("`{reference}` has no commit")))?;
        if found.is_none_or(|(best, _)| rank < best) {
            found = Some((rank, id));
        }
    }
    found
        .map(|(_, id)| id)
        .ok_or_else(|| Failure::source(format!("the repository has no branch or tag `{reference}`")))
}

/// The bytes of the pack in an answer.
fn packfile(answer: &[u8]) -> Result<Vec<u8>, Failure> {
    let mut packets = Packets::new(answer);
    // Sections before the pack say what is shallow.
    loop {
        match packets.next()? {
            Some(Packet::Data(b"packfile\n")) => break,
            Some(Packet::Data(_) | Packet::Delimiter) => {}
            Some(Packet::Flush) | None => return Err(Failure::invalid("the answer holds no pack")),
        }
    }
    let mut bytes = Vec::new();
    loop {
        match packets.next()? {
            Some(Packet::Data([1, data @ ..])) => bytes.extend_from_slice(data),
            Some(Packet::Data([2, ..])) => {}
            Some(Packet::Data([3, reason @ ..])) => {
                return Err(Failure::source(format!("the server says: {}", line(reason))));
            }
            Some(Packet::Flush) => return Ok(bytes),
            _ => return Err(Failure::invalid("the answer breaks off within the pack")),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_repository_has_a_scheme() {
        let check = |text: &str, expect: &str| {
            assert_eq!(text.parse::<Repository>().unwrap().to_string(), expect);
        };
        check("https://a/b.git/", "https://a/b.git");
        check("git+http://a:81/b", "http://a:81/b");
        check("git://a/b.git", "git://a:9418/b.git");
        check("git://a:80/b.git", "git://a:80/b.git");
        for wrong in ["a/b", "git://", "ssh://a/b", "https://a/b?c", "git://u:p@a/b"] {
            assert!(wrong.parse::<Repository>().is_err(), "{wrong}");
        }
    }

    fn lines(texts: &[&str]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for text in texts {
            append(&mut bytes, text);
        }
        flush(&mut bytes);
        bytes
    }

    #[test]
    fn a_branch_comes_before_a_tag_and_a_tag_is_peeled() {
        let (one, two, three) = ("1".repeat(40), "2".repeat(40), "3".repeat(40));
        let tag = format!("{one} refs/tags/x peeled:{two}\n");
        let branch = format!("{three} refs/heads/x\n");
        let other = format!("{one} refs/heads/xy\n");
        let check = |lists: &[&str], expect: Result<&str, &str>| {
            let found = find(&lines(lists), "x");
            let found = found.map(|id| id.to_string()).map_err(|failure| failure.reason);
            assert_eq!(found, expect.map(str::to_owned).map_err(str::to_owned));
        };
        check(&[&other, &tag], Ok(&two));
        check(&[&tag, &branch], Ok(&three));
        check(&[&branch, &tag], Ok(&three));
        check(&[&other], Err("the repository has no branch or tag `x`"));
        check(&["unborn refs/heads/x\n"], Err("`x` has no commit"));
        check(&["x\n"], Err("the list of names is broken"));
    }

    #[test]
    fn a_greeting_says_the_version() {
        let plain = lines(&["version 2\n", "agent=git\n", "object-format=sha1\n"]);
        assert!(greet(&plain).is_ok());
        let announced = [lines(&["# service=git-upload-pack\n"]), plain].concat();
        assert!(greet(&announced).is_ok());
        assert!(greet(&lines(&["version 2\n", "object-format=sha256\n"])).is_err());
        assert!(greet(&lines(&["1234 HEAD\n"])).is_err());
        assert!(greet(b"<html>").is_err());
    }

    #[test]
    fn a_pack_is_in_the_first_band() {
        let answer = lines(&["shallow-info\n", "packfile\n", "\x01PA", "\x02Counting", "\x01CK"]);
        assert_eq!(packfile(&answer).unwrap(), b"PACK");
        let refused = packfile(&lines(&["packfile\n", "\x03no room\n"])).unwrap_err();
        assert_eq!(refused.reason, "the server says: no room");
        assert!(packfile(&lines(&["acknowledgments\n"])).is_err());
        assert!(packfile(&lines(&["packfile\n", "\x01PA"])[..18]).is_err());
    }

    proptest! {
        #[test]
        fn any_answer_is_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            let _ = (greet(&bytes), find(&bytes, "x"), packfile(&bytes));
            let framed = lines(&["packfile\n", &String::from_utf8_lossy(&bytes)]);
            let _ = packfile(&framed);
        }
    }
}
