//! What a pod may dial, as declared.

use std::fmt;
use std::net::IpAddr;

use super::{Name, Place};

/// One thing that a pod may dial.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edge {
    /// Where it was declared.
    pub place: Place,
    /// What is dialled.
    pub to: Peer,
}

/// What a pod dials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Peer {
    /// A service of the stack.
    Service(Name),
    /// Every public address; or one port of them.
    Internet(Option<u16>),
    /// The addresses of a network; or one port of them.
    Network(Network, Option<u16>),
}

/// A network in CIDR notation; no bit of the address is set behind the prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

/// Why a text is no network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotNetwork {
    /// It isn't `address/prefix`.
    Form,
    /// Bits are set behind the prefix; this would be right.
    Bits(Network),
}

impl Network {
    /// Reads `10.0.0.0/8` or `fd00::/8`.
    pub fn parse(text: &str) -> Result<Self, NotNetwork> {
        let (address, prefix) = text.split_once('/').ok_or(NotNetwork::Form)?;
        let address: IpAddr = address.parse().map_err(|_| NotNetwork::Form)?;
        let is_plain = !prefix.is_empty() && prefix.bytes().all(|byte| byte.is_ascii_digit());
        let longest = if address.is_ipv4() { 32 } else { 128 };
        let prefix: u8 = prefix
            .parse()
            .ok()
            .filter(|prefix| is_plain && *prefix <= longest)
            .ok_or(NotNetwork::Form)?;
        let network = Self {
            address: masked(address, prefix),
            prefix,
        };
        if network.address == address {
            Ok(network)
        } else {
            Err(NotNetwork::Bits(network))
        }
    }
}

/// The address without the bits behind the prefix.
fn masked(address: IpAddr, prefix: u8) -> IpAddr {
    let prefix = u32::from(prefix);
    match address {
        IpAddr::V4(address) => {
            let mask = u32::MAX.checked_shl(32 - prefix).unwrap_or(0);
            IpAddr::V4((address.to_bits() & mask).into())
        }
        IpAddr::V6(address) => {
            let mask = u128::MAX.checked_shl(128 - prefix).unwrap_or(0);
            IpAddr::V6((address.to_bits() & mask).into())
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.address, self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::{Network, NotNetwork};

    #[track_caller]
    fn check(text: &str, expect: &str) {
        let found = match Network::parse(text) {
            Ok(network) => network.to_string(),
            Err(NotNetwork::Form) => "no".to_owned(),
            Err(NotNetwork::Bits(network)) => format!("rather {network}"),
        };
        assert_eq!(found, expect, "{text}");
    }

    #[test]
    fn networks_have_no_bits_behind_their_prefix() {
        check("10.0.0.0/8", "10.0.0.0/8");
        check("10.1.2.3/32", "10.1.2.3/32");
        check("0.0.0.0/0", "0.0.0.0/0");
        check("fd00::/8", "fd00::/8");
        check("::/0", "::/0");
        check("10.1.2.3/8", "rather 10.0.0.0/8");
        check("1.2.3.4/0", "rather 0.0.0.0/0");
        check("fd00::1/64", "rather fd00::/64");
        for text in [
            "",
            "10.0.0.0",
            "10.0.0.0/33",
            "10.0.0.0/",
            "10.0.0.0/+8",
            "10.0.0/8",
            "fd00::/129",
            "a/8",
        ] {
            check(text, "no");
        }
    }
}
