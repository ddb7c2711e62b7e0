//! Finds the pod's own address: the one that others dial.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

/// The pod's address: of the interface that leads out, else of any interface, else of the loopback.
pub fn own() -> IpAddr {
    // Addresses kept for documentation. Connecting a UDP socket chooses a route and sends nothing.
    let outside = [
        (
            IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)),
        ),
        (
            IpAddr::V6(Ipv6Addr::UNSPECIFIED),
            IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1)),
        ),
    ];
    outside
        .into_iter()
        .find_map(|(here, there)| routed(here, there))
        .or_else(|| local_v4(&fs::read_to_string("/proc/net/fib_trie").ok()?).map(IpAddr::V4))
        .or_else(|| global_v6(&fs::read_to_string("/proc/net/if_inet6").ok()?).map(IpAddr::V6))
        .unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST))
}

fn routed(here: IpAddr, there: IpAddr) -> Option<IpAddr> {
    let socket = UdpSocket::bind(SocketAddr::new(here, 0)).ok()?;
    socket.connect(SocketAddr::new(there, 9)).ok()?;
    let address = socket.local_addr().ok()?.ip();
    (!address.is_loopback() && !address.is_unspecified()).then_some(address)
}

/// The first address of the kernel's table that is this machine's and no loopback:
/// `|-- 172.18.0.2` with `/32 host LOCAL` on the next line.
fn local_v4(trie: &str) -> Option<Ipv4Addr> {
    let mut last = None;
    for line in trie.lines() {
        let line = line.trim();
        if let Some(address) = line.strip_prefix("|-- ") {
            last = address.parse::<Ipv4Addr>().ok();
        } else if line.starts_with("/32 host LOCAL")
            && let Some(address) = last.filter(|address| !address.is_loopback())
        {
            return Some(address);
        }
    }
    None
}

/// The first address of global scope: `20010db8… 02 40 00 80 eth0`, scope in the fourth field.
fn global_v6(table: &str) -> Option<Ipv6Addr> {
    table.lines().find_map(|line| {
        let mut fields = line.split_whitespace();
        let digits = fields.next()?;
        let scope = fields.nth(2)?;
        (scope == "00")
            .then(|| u128::from_str_radix(digits, 16).ok())
            .flatten()
            .map(Ipv6Addr::from)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_tables_are_read() {
        let trie = "Main:\n  +-- 0.0.0.0/0 3 0 5\n     |-- 127.0.0.0\n        /8 host LOCAL\n     |-- 127.0.0.1\n        /32 host LOCAL\n     |-- 172.18.0.0\n        /16 link UNICAST\n     |-- 172.18.0.2\n        /32 host LOCAL\n     |-- 172.18.255.255\n        /32 link BROADCAST\n";
        assert_eq!(local_v4(trie), Some(Ipv4Addr::new(172, 18, 0, 2)));
        assert_eq!(local_v4(&trie[..trie.find("     |-- 172").unwrap()]), None);
        let table = "00000000000000000000000000000001 01 80 10 80       lo\nfe800000000000000042acfffe120002 05 40 20 80     eth0\nfd000000000000000000000000000002 05 40 00 80     eth0\n";
        assert_eq!(global_v6(table), Some("fd00::2".parse().unwrap()));
        assert_eq!(global_v6(""), None);
        assert_eq!(global_v6("x y\n"), None);
    }
}
