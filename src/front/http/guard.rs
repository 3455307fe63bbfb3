//! From where this front may be talked to at all: `Host` and `Origin`, looked at before anything else.
//!
//! A web page in a browser on this machine must not reach us: not under its own name pointed at our address (`Host`), nor
//! from its own origin (`Origin`). It decides about requests, not about what a caller may use.

use crate::config::model::HttpSettings;
use crate::front::http::authority::Authority;
use crate::front::http::header::single;
use crate::front::http::reply::Refusal;
use http::HeaderMap;
use http::HeaderValue;
use http::StatusCode;
use http::Uri;
use http::header;
use std::net::IpAddr;
use std::net::SocketAddr;

/// The checks of one front.
#[derive(Debug)]
pub struct Guard {
    hosts: Vec<String>,
    origins: Vec<String>,
    local: SocketAddr,
}

impl Guard {
    /// The checks that `settings` ask for on a front that listens on `local`.
    #[must_use]
    pub fn new(settings: &HttpSettings, local: SocketAddr) -> Self {
        let origins = settings.allowed_origins.iter().map(|origin| normal_origin(origin)).collect();
        Self {
            hosts: settings.allowed_hosts.iter().map(|host| host.to_ascii_lowercase()).collect(),
            origins,
            local,
        }
    }

    /// Checks `Host` and `Origin`. The origin, when it is one of the configured: such pages may read our answers.
    ///
    /// # Errors
    /// 403, naming the setting that would allow it.
    pub fn admits<'h>(&self, uri: &Uri, headers: &'h HeaderMap) -> Result<Option<&'h HeaderValue>, Refusal> {
        self.check_host(uri, headers)?;
        let Some(value) = headers.get(header::ORIGIN) else { return Ok(None) };
        let origin = single(headers, header::ORIGIN).ok().flatten();
        let origin =
            origin.filter(|origin| *origin != "null").ok_or_else(|| forbidden("this `Origin` is refused"))?;
        let normal = normal_origin(origin);
        if self.origins.contains(&normal) {
            return Ok(Some(value));
        }
        if self.is_own_origin(&normal) {
            return Ok(None);
        }
        Err(forbidden(
            "this `Origin` is not allowed; pages that may use the gateway stand in `gateway.http.allowedOrigins`",
        ))
    }

    fn check_host(&self, uri: &Uri, headers: &HeaderMap) -> Result<(), Refusal> {
        let host = single(headers, header::HOST).ok().flatten();
        let host = host.ok_or_else(|| forbidden("the request needs exactly one `Host` header"))?;
        // A request line with a full address must name the same host, or two readers would see two.
        if uri.authority().is_some_and(|named| !named.as_str().eq_ignore_ascii_case(host)) {
            return Err(forbidden("the request line and the `Host` header name different hosts"));
        }
        let known = Authority::parse(host).is_some_and(|authority| self.knows_host(&authority));
        if known {
            return Ok(());
        }
        Err(forbidden(
            "this `Host` is not allowed; names of the gateway stand in `gateway.http.allowedHosts`",
        ))
    }

    fn knows_host(&self, host: &Authority<'_>) -> bool {
        // An address cannot be made to point elsewhere, so our own one is as good as a loopback one.
        let own = |ip: IpAddr| ip.is_loopback() || (ip == self.local.ip() && !ip.is_unspecified());
        host.is_localhost() || host.ip().is_some_and(own) || self.hosts.iter().any(|allowed| host.is(allowed))
    }

    /// A page that this very front would have served: only on loopback, where nobody else can have served it.
    fn is_own_origin(&self, origin: &str) -> bool {
        let Some((scheme, rest)) = origin.split_once("://") else { return false };
        let Some(host) = Authority::parse(rest) else { return false };
        let default = if scheme == "https" { 443 } else { 80 };
        self.local.ip().to_canonical().is_loopback()
            && matches!(scheme, "http" | "https")
            && host.port().unwrap_or(default) == self.local.port()
            && (host.is_localhost() || host.ip().is_some_and(|ip| ip.is_loopback()))
    }
}

/// Lower case, without the port that its scheme implies.
fn normal_origin(origin: &str) -> String {
    let lower = origin.trim_end_matches('/').to_ascii_lowercase();
    let implied = if lower.starts_with("https://") { ":443" } else { ":80" };
    lower.strip_suffix(implied).map(str::to_owned).unwrap_or(lower)
}

fn forbidden(text: &str) -> Refusal {
    Refusal::new(StatusCode::FORBIDDEN, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guard(local: &str) -> Guard {
        let settings = HttpSettings {
            allowed_hosts: vec!["Gateway.example".into(), "only.example:8443".into()],
            allowed_origins: vec!["https://app.example/".into(), "http://app.example:3000".into()],
            ..HttpSettings::default()
        };
        Guard::new(&settings, local.parse().unwrap())
    }

    fn admitted(guard: &Guard, uri: &str, headers: &[(&str, &str)]) -> Option<bool> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(name.parse::<http::HeaderName>().unwrap(), value.parse().unwrap());
        }
        guard.admits(&uri.parse().unwrap(), &map).ok().map(|origin| origin.is_some())
    }

    #[test]
    fn only_own_names_are_hosts() {
        let guard = guard("127.0.0.1:8808");
        for host in [
            "localhost",
            "LOCALHOST:1",
            "127.0.0.1",
            "127.0.0.1:8808",
            "127.9.9.9:80",
            "[::1]",
            "[::1]:8808",
            "gateway.example",
            "GATEWAY.example:443",
            "only.example:8443",
        ] {
            assert_eq!(admitted(&guard, "/mcp", &[("host", host)]), Some(false), "{host}");
        }
        for host in [
            "",
            "evil.example",
            "localhost.",
            "localhost.evil.example",
            "127.0.0.1.nip.io",
            "127.1",
            "0177.0.0.1",
            "2130706433",
            "0.0.0.0",
            "10.0.0.1",
            "[::2]",
            "::1",
            "[::1",
            "[::1]x",
            "localhost:",
            "localhost:x",
            "localhost:99999",
            "user@localhost",
            "localhost/",
            "only.example",
            "only.example:1",
            "a.gateway.example",
            "127.0.0.1, evil.example",
        ] {
            assert_eq!(admitted(&guard, "/mcp", &[("host", host)]), None, "{host:?}");
        }
        assert_eq!(admitted(&guard, "/mcp", &[]), None);
        assert_eq!(admitted(&guard, "/mcp", &[("host", "localhost"), ("host", "localhost")]), None);
    }

    #[test]
    fn a_full_address_must_name_the_same_host() {
        let guard = guard("127.0.0.1:8808");
        let with = |uri: &str| admitted(&guard, uri, &[("host", "localhost:8808")]);
        assert_eq!(with("http://LOCALHOST:8808/mcp"), Some(false));
        for uri in ["http://evil.example/mcp", "http://localhost/mcp", "http://user@localhost:8808/mcp"] {
            assert_eq!(with(uri), None, "{uri}");
        }
    }

    #[test]
    fn our_own_address_is_a_host_only_if_it_is_one() {
        assert!(admitted(&guard("192.0.2.7:8808"), "/", &[("host", "192.0.2.7:8808")]).is_some());
        assert!(admitted(&guard("192.0.2.7:8808"), "/", &[("host", "192.0.2.8:8808")]).is_none());
        assert!(admitted(&guard("0.0.0.0:8808"), "/", &[("host", "0.0.0.0:8808")]).is_none());
    }

    #[test]
    fn only_own_and_configured_origins_pass() {
        let local = guard("127.0.0.1:8808");
        let with =
            |guard: &Guard, origin: &str| admitted(guard, "/", &[("host", "localhost"), ("origin", origin)]);
        for origin in ["http://localhost:8808", "http://127.0.0.1:8808", "http://[::1]:8808"] {
            assert_eq!(with(&local, origin), Some(false), "{origin}");
            assert_eq!(with(&guard("192.0.2.7:8808"), origin), None, "{origin}");
        }
        for origin in ["https://app.example", "https://APP.example:443", "http://app.example:3000"] {
            assert_eq!(with(&local, origin), Some(true), "{origin}");
        }
        for origin in [
            "null",
            "",
            "https://evil.example",
            "http://localhost",
            "http://localhost:8809",
            "http://app.example",
            "https://app.example:444",
            "https://app.example.evil.example",
            "file://",
            "http://localhost:8808.evil.example",
            "ftp://localhost:8808",
            "https://x@app.example",
        ] {
            assert_eq!(with(&local, origin), None, "{origin:?}");
        }
        let twice =
            [("host", "localhost"), ("origin", "https://app.example"), ("origin", "https://app.example")];
        assert_eq!(admitted(&local, "/", &twice), None);
    }
}
