//! Turns `[ADDRESS:]PORT` into a listening socket.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use anyhow::Context;
use tokio::net::{TcpListener, TcpSocket};

use super::Error;

/// Connections that the kernel keeps until they are accepted.
const BACKLOG: u32 = 4096;

/// Parses `8080`, `127.0.0.1:8080` or `[::]:8080`; without an address it is every IPv4 address.
pub fn parse(text: &str) -> Result<SocketAddr, String> {
    let bare = text.strip_prefix(':').unwrap_or(text);
    if let Ok(port) = bare.parse::<u16>() {
        return Ok(SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), port));
    }
    text.parse()
        .map_err(|_| format!("`{text}` is not `PORT` or `ADDRESS:PORT`, like `8080` or `127.0.0.1:8080`"))
}

/// Listens; a port that is taken or not allowed is said in one line.
pub fn bind(address: SocketAddr) -> Result<TcpListener, Error> {
    open(address)
        .with_context(|| format!("failed to listen on `{address}`"))
        .map_err(Error::Failed)
}

fn open(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        TcpSocket::new_v6()?
    };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Whether two listeners want the same.
pub fn clash(left: SocketAddr, right: SocketAddr) -> bool {
    left.port() != 0
        && left.port() == right.port()
        && (left.ip() == right.ip() || left.ip().is_unspecified() || right.ip().is_unspecified())
}

/// Refuses a block whose service and admin port want the same address.
pub fn keep_apart(listen: SocketAddr, admin: SocketAddr) -> Result<(), Error> {
    if clash(listen, admin) {
        return Err(Error::configuration(format!(
            "`--listen` and `--admin` both want `{listen}`"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_optional() {
        let check = |text: &str, expect: Option<&str>| {
            assert_eq!(
                parse(text).ok().map(|address| address.to_string()).as_deref(),
                expect,
                "{text}"
            );
        };
        check("8080", Some("0.0.0.0:8080"));
        check(":8080", Some("0.0.0.0:8080"));
        check("127.0.0.1:0", Some("127.0.0.1:0"));
        check("[::]:80", Some("[::]:80"));
        check("localhost:80", None);
        check("70000", None);
        check("", None);
    }
}
