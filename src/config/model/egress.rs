//! Where requests may go whose address a server or a client has a say in, as the `gateway` section has it.
//!
//! It decides nothing: `auth/egress.rs` does.

use std::net::IpAddr;
use std::net::Ipv6Addr;

/// Exceptions from "public addresses over https only".
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EgressSettings {
    /// Names, lower-case, that may lead to private addresses; `*.` at the head stands for any name below.
    pub hosts: Vec<String>,
    /// Networks whose addresses may be used although they are not public.
    pub nets: Vec<Net>,
    /// Whether `http` is good enough off this machine.
    pub allow_http: bool,
}

/// A network: all addresses that begin with the same bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Net {
    address: IpAddr,
    prefix: u32,
}

impl Net {
    /// Reads `10.0.0.0/8`, `fd00::/8`, or a single address.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (address, prefix) = text.split_once('/').map_or((text, None), |(head, tail)| (head, Some(tail)));
        let address: IpAddr = address.parse().ok()?;
        let longest = if address.is_ipv4() { 32 } else { 128 };
        let prefix = prefix.map_or(Some(longest), |digits| digits.parse().ok())?;
        (prefix <= longest).then_some(Self { address, prefix })
    }

    /// True for addresses of this network.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address) {
            (IpAddr::V4(net), IpAddr::V4(address)) => {
                let differ = u32::from(net) ^ u32::from(address);
                differ.leading_zeros() >= self.prefix
            }
            (IpAddr::V6(net), IpAddr::V6(address)) => same_head(net, address, self.prefix),
            _ => false,
        }
    }
}

fn same_head(net: Ipv6Addr, address: Ipv6Addr, prefix: u32) -> bool {
    (u128::from(net) ^ u128::from(address)).leading_zeros() >= prefix
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_is_all_that_begins_alike() {
        for (net, inside, outside) in [
            ("10.0.0.0/8", "10.255.0.1", "11.0.0.0"),
            ("192.168.1.7", "192.168.1.7", "192.168.1.6"),
            ("0.0.0.0/0", "8.8.8.8", "::1"),
            ("fd00::/8", "fdff::1", "fc00::1"),
            ("::1", "::1", "::2"),
        ] {
            let net = Net::parse(net).unwrap();
            assert!(
                net.contains(inside.parse().unwrap()) && !net.contains(outside.parse().unwrap()),
                "{net:?}"
            );
        }
        for wrong in ["", "10.0.0.0/33", "10/8", "fd00::/129", "host", "10.0.0.0/", "10.0.0.0/-1"] {
            assert_eq!(Net::parse(wrong), None, "{wrong}");
        }
    }
}
