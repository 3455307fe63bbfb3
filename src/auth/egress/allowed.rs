//! What may be asked: which hosts, which addresses, with or without TLS.
//!
//! It looks nothing up: it judges names and addresses that it is shown.

use crate::auth::egress::address::Reach;
use crate::auth::egress::address::reach;
use crate::config::model::egress::EgressSettings;
use std::net::IpAddr;
use url::Host;
use url::Url;

/// Exceptions from "public addresses over https only".
#[derive(Debug, Clone, Default)]
pub struct Allowed {
    settings: EgressSettings,
    /// Hosts of addresses that the user wrote.
    hosts: Vec<Written>,
}

/// A host that the user wrote, as the host of an address has it.
#[derive(Debug, Clone)]
struct Written {
    host: String,
    /// It may lead to private addresses: it is one, or its certificate says that it is the one that was meant.
    private: bool,
    /// It may lead to this machine: it says so itself.
    loopback: bool,
}

impl Allowed {
    /// What the configuration says.
    #[must_use]
    pub fn new(settings: &EgressSettings) -> Self {
        Self { settings: settings.clone(), hosts: Vec::new() }
    }

    /// The same, and the host of `url`, which the user wrote into the file. `localhost` and private addresses may be used
    /// then as they stand there; a name may lead to private addresses over `https`, where its certificate is checked.
    #[must_use]
    pub fn and_host_of(mut self, url: &Url) -> Self {
        let Some(host) = url.host_str().map(str::to_owned) else { return self };
        let at = literal(url).map(reach);
        let loopback = at == Some(Reach::Loopback) || (at.is_none() && is_localhost(&host));
        let private = at == Some(Reach::Private) || (at.is_none() && matches!(url.scheme(), "https" | "wss"));
        self.hosts.push(Written { host, private, loopback });
        self
    }

    /// True when `url`, whose host is one of `addresses`, may be asked over the scheme it has.
    #[must_use]
    pub fn may_use_scheme(&self, url: &Url, addresses: &[IpAddr]) -> bool {
        // What does not leave this machine needs no TLS.
        let stays = || !addresses.is_empty() && addresses.iter().all(|ip| reach(*ip) == Reach::Loopback);
        match url.scheme() {
            "https" => true,
            "http" => self.settings.allow_http || stays(),
            _ => false,
        }
    }

    /// True when `url` may lead to `address`.
    #[must_use]
    pub fn may_reach(&self, url: &Url, address: IpAddr) -> bool {
        let reach = reach(address);
        if reach == Reach::Public {
            return true;
        }
        let is_group = address.is_multicast() || address.is_unspecified();
        if !is_group && self.settings.nets.iter().any(|net| net.contains(address)) {
            return true;
        }
        let host = url.host_str().unwrap_or_default();
        let named = matches!(reach, Reach::Private | Reach::Loopback) && self.names(host);
        let written = self.hosts.iter().any(|written| {
            written.host == host
                && match reach {
                    Reach::Loopback => written.loopback,
                    Reach::Private => written.private && (literal(url).is_some() || url.scheme() == "https"),
                    Reach::Public | Reach::Never => false,
                }
        });
        named || written
    }

    fn names(&self, host: &str) -> bool {
        let host = host.trim_end_matches('.');
        self.settings.hosts.iter().any(|allowed| match allowed.strip_prefix("*.") {
            Some(parent) => {
                host.strip_suffix(parent).is_some_and(|head| head.ends_with('.') && head.len() > 1)
            }
            None => host == allowed,
        })
    }
}

/// The address that stands in `url` instead of a name.
#[must_use]
pub fn literal(url: &Url) -> Option<IpAddr> {
    match url.host()? {
        Host::Ipv4(address) => Some(IpAddr::V4(address)),
        Host::Ipv6(address) => Some(IpAddr::V6(address)),
        Host::Domain(_) => None,
    }
}

/// True for names of this machine.
#[must_use]
pub fn is_localhost(host: &str) -> bool {
    let host = host.trim_end_matches('.');
    host == "localhost" || host.ends_with(".localhost")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::model::egress::Net;

    fn url(text: &str) -> Url {
        text.parse().unwrap()
    }

    fn may(allowed: &Allowed, text: &str, address: &str) -> bool {
        let address = address.parse().unwrap();
        allowed.may_reach(&url(text), address) && allowed.may_use_scheme(&url(text), &[address])
    }

    #[test]
    fn without_exceptions_only_public_addresses_over_https() {
        let none = Allowed::default();
        assert!(may(&none, "https://a.example/", "1.1.1.1"));
        assert!(!may(&none, "http://a.example/", "1.1.1.1"));
        assert!(
            !may(&none, "https://a.example/", "10.0.0.1") && !may(&none, "http://localhost/", "127.0.0.1")
        );
    }

    #[test]
    fn the_host_that_the_user_wrote_may_be_what_it_says() {
        let local = Allowed::default().and_host_of(&url("http://127.0.0.1:8080/mcp"));
        assert!(may(&local, "http://127.0.0.1:9/x", "127.0.0.1"));
        assert!(
            !may(&local, "http://127.0.0.2/", "127.0.0.2") && !may(&local, "http://localhost/", "127.0.0.1")
        );
        let named = Allowed::default().and_host_of(&url("https://mcp.corp.example/mcp"));
        assert!(may(&named, "https://mcp.corp.example/.well-known/x", "10.0.0.1"));
        assert!(!may(&named, "https://mcp.corp.example/", "127.0.0.1"), "rebinding to this machine");
        assert!(!may(&named, "https://mcp.corp.example/", "169.254.169.254"));
        assert!(!may(&named, "https://sso.corp.example/", "10.0.0.1"));
        let plain = Allowed::default().and_host_of(&url("http://mcp.corp.example/mcp"));
        assert!(
            !may(&plain, "https://mcp.corp.example/", "10.0.0.1"),
            "nothing says that it is the one that was meant"
        );
        let lan = Allowed::default().and_host_of(&url("https://192.168.1.5/mcp"));
        assert!(may(&lan, "https://192.168.1.5/", "192.168.1.5") && !may(&lan, "https://x/", "192.168.1.5"));
    }

    #[test]
    fn exceptions_of_the_configuration_hold_for_names_and_networks() {
        let settings = EgressSettings {
            hosts: vec!["sso.corp".into(), "*.lan".into()],
            nets: vec![Net::parse("169.254.0.0/16").unwrap(), Net::parse("::/0").unwrap()],
            allow_http: false,
        };
        let allowed = Allowed::new(&settings);
        for (text, address, is_fine) in [
            ("https://sso.corp/", "10.0.0.1", true),
            ("https://sso.corp./", "10.0.0.1", true),
            ("https://sso.corp/", "100.100.100.200", false),
            ("https://x.sso.corp/", "10.0.0.1", false),
            ("https://a.lan/", "127.0.0.1", true),
            ("https://lan/", "127.0.0.1", false),
            ("https://alan/", "127.0.0.1", false),
            ("https://other/", "169.254.1.1", true),
            ("https://other/", "fe80::1", true),
            ("https://other/", "ff02::1", false),
            ("http://sso.corp/", "10.0.0.1", false),
            ("http://a.lan/", "127.0.0.1", true),
        ] {
            assert_eq!(may(&allowed, text, address), is_fine, "{text} {address}");
        }
    }
}
