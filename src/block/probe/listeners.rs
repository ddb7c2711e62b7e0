//! Turns the kernel's socket tables into the list of what listens in this network namespace.

use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use anyhow::Context;
use serde::Serialize;

/// A listening socket.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Listener {
    address: IpAddr,
    port: u16,
    protocol: &'static str,
}

/// The tables, and the state that means listening: for UDP, bound and not connected.
const TABLES: [(&str, &str, &str); 4] = [
    ("/proc/net/tcp", "tcp", "0A"),
    ("/proc/net/tcp6", "tcp", "0A"),
    ("/proc/net/udp", "udp", "07"),
    ("/proc/net/udp6", "udp", "07"),
];

/// The listening sockets, sorted, each once.
pub fn read() -> anyhow::Result<Vec<Listener>> {
    let mut listeners = Vec::new();
    for (path, protocol, state) in TABLES {
        match fs::read_to_string(path) {
            Ok(table) => listeners.extend(
                table
                    .lines()
                    .skip(1)
                    .filter_map(|line| listener(line, protocol, state)),
            ),
            // A kernel without IPv6 has no such table.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error).with_context(|| format!("failed to read `{path}`")),
        }
    }
    listeners.sort();
    listeners.dedup();
    Ok(listeners)
}

/// `0: 0100007F:1F90 00000000:0000 0A …`
fn listener(line: &str, protocol: &'static str, state: &str) -> Option<Listener> {
    let mut fields = line.split_whitespace().skip(1);
    let (address, port) = fields.next()?.split_once(':')?;
    let found = fields.nth(1)?;
    (found == state).then_some(())?;
    Some(Listener {
        address: parse(address)?,
        port: u16::from_str_radix(port, 16).ok()?,
        protocol,
    })
}

/// An address as the kernel prints it: words of 32 bits in the machine's own order.
fn parse(digits: &str) -> Option<IpAddr> {
    let word = |at: usize| {
        u32::from_str_radix(digits.get(at..at + 8)?, 16)
            .ok()
            .map(u32::to_ne_bytes)
    };
    match digits.len() {
        8 => Some(IpAddr::V4(Ipv4Addr::from(word(0)?))),
        32 => {
            let words = [word(0)?, word(8)?, word(16)?, word(24)?];
            let bytes: [u8; 16] = words.concat().try_into().ok()?;
            // An IPv4 address behind an IPv6 socket is still an IPv4 address.
            Some(Ipv6Addr::from(bytes).to_canonical())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(line: &str, expect: Option<(&str, u16)>) {
        let found = listener(line, "tcp", "0A").map(|found| (found.address.to_string(), found.port));
        assert_eq!(
            found,
            expect.map(|(address, port)| (address.to_owned(), port)),
            "{line}"
        );
    }

    #[test]
    #[cfg(target_endian = "little")]
    fn lines_of_the_kernels_tables_are_read() {
        check(
            "   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000",
            Some(("127.0.0.1", 8080)),
        );
        check("   1: 00000000:0050 00000000:0000 0A 0", Some(("0.0.0.0", 80)));
        check("   1: 020012AC:0050 030012AC:A000 01 0", None);
        check(
            "0: 00000000000000000000000000000000:0050 00000000000000000000000000000000:0000 0A",
            Some(("::", 80)),
        );
        check(
            "0: 00000000000000000000000001000000:0050 00000000000000000000000000000000:0000 0A",
            Some(("::1", 80)),
        );
        check(
            "0: 0000000000000000FFFF00000100007F:0050 00000000000000000000000000000000:0000 0A",
            Some(("127.0.0.1", 80)),
        );
        check("", None);
        check("0: 00:0050 0:0 0A", None);
    }

    #[test]
    fn a_socket_of_this_process_is_among_them() {
        let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        let expected = Listener {
            address: address.ip(),
            port: address.port(),
            protocol: "tcp",
        };
        assert!(read().unwrap().contains(&expected));
        drop(socket);
        assert!(!read().unwrap().contains(&expected));
    }
}
