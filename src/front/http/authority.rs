//! `host[:port]`, read strictly.
//!
//! It resolves nothing and accepts no odd spellings of addresses: what it does not know is no authority.

use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;

/// A host and perhaps a port, borrowed from a header.
#[derive(Debug, Clone, Copy)]
pub struct Authority<'a> {
    host: &'a str,
    port: Option<u16>,
}

impl<'a> Authority<'a> {
    /// Reads `text`. `None` for anything but a name or an address, and perhaps a port.
    #[must_use]
    pub fn parse(text: &'a str) -> Option<Self> {
        let end =
            if text.starts_with('[') { text.find(']')? + 1 } else { text.find(':').unwrap_or(text.len()) };
        let (host, rest) = text.split_at(end);
        let port = match rest.strip_prefix(':') {
            Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => Some(digits.parse().ok()?),
            Some(_) => return None,
            None if rest.is_empty() => None,
            None => return None,
        };
        let authority = Self { host, port };
        let name = host.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'));
        let usable = !host.is_empty() && (name || authority.ip().is_some());
        usable.then_some(authority)
    }

    /// The port, if one is named.
    #[must_use]
    pub fn port(&self) -> Option<u16> {
        self.port
    }

    /// The address, when the host is one.
    #[must_use]
    pub fn ip(&self) -> Option<IpAddr> {
        match self.host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
            Some(inner) => inner.parse::<Ipv6Addr>().ok().map(IpAddr::V6),
            None => self.host.parse::<Ipv4Addr>().ok().map(IpAddr::V4),
        }
    }

    /// True for the name of this machine to itself.
    #[must_use]
    pub fn is_localhost(&self) -> bool {
        self.host.eq_ignore_ascii_case("localhost")
    }

    /// True when `allowed` (`host` for any port, or `host:port`) means this authority.
    #[must_use]
    pub fn is(&self, allowed: &str) -> bool {
        let Some(allowed) = Authority::parse(allowed) else { return false };
        self.host.eq_ignore_ascii_case(allowed.host) && (allowed.port.is_none() || allowed.port == self.port)
    }
}
