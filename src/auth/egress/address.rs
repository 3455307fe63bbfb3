//! Which addresses lie in the public internet.
//!
//! What is not known to be public is not. Source: the IANA special-purpose registries of IPv4 and IPv6 addresses, and the
//! addresses under which clouds answer their own machines.

use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;

/// Where an address leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Somewhere in the public internet.
    Public,
    /// This machine.
    Loopback,
    /// A network of somebody's own.
    Private,
    /// Where no server of anybody is: the link, the cloud's metadata, groups, tunnels, examples, what is reserved.
    Never,
}

/// Where `address` leads.
#[must_use]
pub fn reach(address: IpAddr) -> Reach {
    match address {
        IpAddr::V4(address) => v4(address),
        IpAddr::V6(address) => v6(address),
    }
}

fn v4(address: Ipv4Addr) -> Reach {
    match address.octets() {
        [127, ..] => Reach::Loopback,
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] => Reach::Private,
        // Under this one of the shared addresses a cloud answers its machines.
        [100, 100, 100, 200] => Reach::Never,
        [100, 64..=127, ..] => Reach::Private,
        // Likewise; it lies among public ones.
        [168, 63, 129, 16] => Reach::Never,
        [0, ..] | [169, 254, ..] | [192, 0, 0, _] | [192, 0, 2, _] | [192, 88, 99, _] => Reach::Never,
        [198, 18..=19, ..] | [198, 51, 100, _] | [203, 0, 113, _] | [224..=255, ..] => Reach::Never,
        _ => Reach::Public,
    }
}

fn v6(address: Ipv6Addr) -> Reach {
    let words = address.segments();
    match words {
        [0, 0, 0, 0, 0, 0, 0, 1] => Reach::Loopback,
        // Under this one of the private addresses a cloud answers its machines.
        [0xfd00, 0x0ec2, 0, 0, 0, 0, 0, 0x0254] => Reach::Never,
        [0xfc00..=0xfdff, ..] => Reach::Private,
        // The protocol assignments (Teredo among them), examples, and 6to4, where an IPv4 address hides.
        [0x2001, 0..=0x01ff, ..] | [0x2001, 0x0db8, ..] | [0x3fff, 0..=0x0fff, ..] | [0x2002, ..] => {
            Reach::Never
        }
        // ISATAP: an IPv4 address at the end of any network.
        [_, _, _, _, 0 | 0x0200, 0x5efe, ..] => Reach::Never,
        [0x2000..=0x3fff, ..] => Reach::Public,
        // All else is not given out, or stands for something else: IPv4 written as IPv6, NAT64, the link, groups.
        _ => Reach::Never,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_to_be_public_is_not() {
        for (reach_of, addresses) in [
            (
                Reach::Public,
                "1.1.1.1 100.63.255.255 100.128.0.0 172.15.0.1 172.32.0.1 192.0.1.1 198.17.0.1 223.255.255.255 \
                 2606:4700::1111 2001:4860:4860::8888 2a00::1",
            ),
            (Reach::Loopback, "127.0.0.1 127.255.255.254 ::1"),
            (
                Reach::Private,
                "10.0.0.1 172.16.0.1 172.31.255.255 192.168.0.1 100.64.0.1 100.127.255.255 fc00::1 fd12:3456::1",
            ),
            (
                Reach::Never,
                "0.0.0.0 0.1.2.3 169.254.169.254 168.63.129.16 100.100.100.200 192.0.0.192 192.0.2.1 192.88.99.1 \
                 198.18.0.1 198.19.255.255 198.51.100.1 203.0.113.1 224.0.0.1 239.1.1.1 240.0.0.1 \
                 255.255.255.255 :: ::7f00:1 ::ffff:127.0.0.1 ::ffff:8.8.8.8 64:ff9b::7f00:1 64:ff9b:1::a00:1 \
                 100::1 2001::1 2001:2::1 2001:10::1 2001:20::1 2001:db8::1 2002:7f00:1::1 3fff::1 5f00::1 \
                 fe80::1 febf::1 fec0::1 ff02::1 fd00:ec2::254 2606:4700::5efe:7f00:1 2606:4700::200:5efe:a00:1 \
                 4000::1",
            ),
        ] {
            for address in addresses.split_whitespace() {
                assert_eq!(reach(address.parse().unwrap()), reach_of, "{address}");
            }
        }
    }
}
