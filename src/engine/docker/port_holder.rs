//! Finds out who has a port of this machine.

use std::fs;
use std::io::ErrorKind;
use std::net::{IpAddr, TcpListener};

use crate::stack::Publish;

/// Whether a program of this machine listens there already. Only a port that is surely taken counts.
pub fn is_taken(at: Publish) -> bool {
    at.port != 0
        && matches!(TcpListener::bind((at.address, at.port)), Err(error) if error.kind() == ErrorKind::AddrInUse)
}

/// The program that listens at a port: `nginx (process 123)`, where this user may know.
pub fn holder(at: Publish) -> Option<String> {
    let inode = ["/proc/net/tcp", "/proc/net/tcp6"].into_iter().find_map(|path| {
        let table = fs::read_to_string(path).ok()?;
        table
            .lines()
            .skip(1)
            .find_map(|line| listener_inode(line, at).map(str::to_owned))
    })?;
    let socket = format!("socket:[{inode}]");
    let processes = fs::read_dir("/proc").ok()?.flatten();
    let mut numbered = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let process = numbered.find(|process| {
        let files = fs::read_dir(format!("/proc/{process}/fd"))
            .into_iter()
            .flatten()
            .flatten();
        files
            .filter_map(|file| fs::read_link(file.path()).ok())
            .any(|link| link.to_str() == Some(&socket))
    })?;
    let name = fs::read_to_string(format!("/proc/{process}/comm")).ok()?;
    Some(format!("`{}` (process {process})", name.trim()))
}

/// The inode of a listening socket in a line of `/proc/net/tcp`, if it stands in the way of an address.
fn listener_inode(line: &str, at: Publish) -> Option<&str> {
    let mut words = line.split_whitespace();
    let (address, port) = words.nth(1)?.split_once(':')?;
    let state = words.nth(1)?;
    let inode = words.nth(5)?;
    let is_any = address.bytes().all(|byte| byte == b'0');
    let is_same = match at.address {
        IpAddr::V4(address_at) => {
            at.address.is_unspecified()
                || address == format!("{:08X}", u32::from_le_bytes(address_at.octets()))
        }
        IpAddr::V6(_) => true,
    };
    let is_listening = state == "0A";
    (is_listening && (is_any || is_same) && u16::from_str_radix(port, 16) == Ok(at.port)).then_some(inode)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_is_found_by_port_and_address() {
        let line = "   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 34567 1 0 100 0 0 10 0";
        let at = |address: &str, port| Publish {
            address: address.parse().unwrap(),
            port,
        };
        assert_eq!(listener_inode(line, at("127.0.0.1", 8080)), Some("34567"));
        assert_eq!(listener_inode(line, at("0.0.0.0", 8080)), Some("34567"));
        assert_eq!(listener_inode(line, at("127.0.0.2", 8080)), None);
        assert_eq!(listener_inode(line, at("127.0.0.1", 8081)), None);
    }
}
