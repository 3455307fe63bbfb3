//! How all servers are reached over HTTP: over connections of our own (`direct.rs`), or through the proxy of the system
//! with a pooled client, which also takes addresses that carry a user's name.
//!
//! No redirect is followed, because a redirect could carry credentials elsewhere; no answer has a deadline here,
//! because calls have their own. It knows nothing of MCP.

use crate::auth::roots;
use crate::downstream::http::direct::Direct;
use http::Uri;
use hyper_util::client::proxy::matcher::Matcher;
use reqwest::Client;
use reqwest::Url;
use reqwest::redirect::Policy;
use rustls::ClientConfig;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::Weak;
use std::time::Duration;

/// Longest wait for a TCP and TLS connection.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// What requests say of who sends them.
pub const USER_AGENT: &str = concat!("mcp-manifold/", env!("CARGO_PKG_VERSION"));
/// Idle time after which a connection of the pooled client is closed.
const POOL_IDLE: Duration = Duration::from_secs(60);

/// A cheap clone of the shared client.
#[derive(Debug, Clone)]
pub struct HttpClient {
    /// Through the proxy of the system, where it names one.
    outside: Client,
    /// Towards this machine, where a proxy would not find the server.
    local: Client,
    /// How certificates are checked.
    tls: Arc<ClientConfig>,
    /// When the proxy of the system is used.
    proxied: Arc<Matcher>,
    /// The ways in use, by origin.
    ways: Arc<Mutex<HashMap<String, Weak<Direct>>>>,
}

/// How one address is reached.
#[derive(Debug, Clone)]
pub enum Way {
    /// Over connections of our own.
    Direct(Arc<Direct>),
    /// With the pooled client.
    Client(Client),
}

/// The client could not be made.
#[derive(Debug, thiserror::Error)]
pub enum HttpClientError {
    /// TLS cannot be used.
    #[error("TLS cannot be set up: {0}")]
    Tls(#[from] rustls::Error),
    /// HTTP cannot be used.
    #[error("the HTTP client cannot be set up: {0}")]
    Http(#[from] reqwest::Error),
}

impl HttpClient {
    /// Makes the client. Nothing is connected, and no certificate is read before it is needed.
    ///
    /// # Errors
    /// [`HttpClientError`] when TLS or the client cannot be set up.
    pub fn new() -> Result<Self, HttpClientError> {
        let tls = roots::client_config()?;
        let builder = || {
            Client::builder()
                .tls_backend_preconfigured(tls.clone())
                .redirect(Policy::none())
                .tcp_nodelay(true)
                .connect_timeout(CONNECT_TIMEOUT)
                .pool_idle_timeout(POOL_IDLE)
                .user_agent(USER_AGENT)
        };
        let (outside, local) = (builder().build()?, builder().no_proxy().build()?);
        // The pooled client looks for the proxy of the system in the same way.
        let proxied = Arc::new(Matcher::from_system());
        Ok(Self { outside, local, tls: Arc::new(tls), proxied, ways: Arc::default() })
    }

    /// How certificates are checked, for connections that are made elsewhere.
    #[must_use]
    pub fn tls(&self) -> &Arc<ClientConfig> {
        &self.tls
    }

    /// How `url` is reached. Idle connections to its origin are shared by all who hold a way to it.
    #[must_use]
    pub fn way_to(&self, url: &Url) -> Way {
        let plain = url.username().is_empty() && url.password().is_none();
        if !plain || self.has_proxy_for(url) {
            return Way::Client(self.towards(url).clone());
        }
        let mut ways = self.ways.lock().unwrap_or_else(PoisonError::into_inner);
        let origin = url.origin().ascii_serialization();
        if let Some(way) = ways.get(&origin).and_then(Weak::upgrade) {
            return Way::Direct(way);
        }
        let Some(way) = Direct::to(url, &self.tls, CONNECT_TIMEOUT).map(Arc::new) else {
            return Way::Client(self.towards(url).clone());
        };
        ways.retain(|_, way| way.strong_count() > 0);
        ways.insert(origin, Arc::downgrade(&way));
        Way::Direct(way)
    }

    fn has_proxy_for(&self, url: &Url) -> bool {
        if is_local(url.host_str().unwrap_or_default()) {
            return false;
        }
        // What cannot be asked for is left to the pooled client.
        let address: Option<Uri> = url.origin().ascii_serialization().parse().ok();
        address.is_none_or(|address| self.proxied.intercept(&address).is_some())
    }

    /// The pooled client for `url`.
    #[must_use]
    pub fn towards(&self, url: &Url) -> &Client {
        if is_local(url.host_str().unwrap_or_default()) { &self.local } else { &self.outside }
    }
}

fn is_local(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']').trim_end_matches('.');
    let named = host == "localhost" || host.ends_with(".localhost");
    named || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_is_never_reached_through_a_proxy() {
        for host in ["localhost", "a.localhost", "127.0.0.1", "127.9.9.9", "[::1]", "localhost."] {
            assert!(is_local(host), "{host}");
        }
        for host in ["example.com", "10.0.0.1", "localhost.example.com", "", "[2001:db8::1]"] {
            assert!(!is_local(host), "{host}");
        }
    }

    #[test]
    fn connections_are_our_own_where_no_proxy_is_in_the_way() {
        let proxied = Matcher::builder().all("http://proxy.example:3128").no("inside.example").build();
        let client = HttpClient { proxied: Arc::new(proxied), ..HttpClient::new().unwrap() };
        let is_own = |url: &str| matches!(client.way_to(&url.parse().unwrap()), Way::Direct(_));
        for url in ["http://localhost:1/mcp", "https://127.0.0.1/", "https://inside.example/mcp?a=b"] {
            assert!(is_own(url), "{url}");
        }
        for url in ["http://outside.example/", "https://outside.example/", "http://user:word@localhost/"] {
            assert!(!is_own(url), "{url}");
        }
    }

    #[test]
    fn ways_to_one_origin_are_one() {
        let client = HttpClient::new().unwrap();
        let way = |url: &str| match client.way_to(&url.parse().unwrap()) {
            Way::Direct(way) => way,
            Way::Client(_) => panic!("{url}"),
        };
        let (first, second) = (way("http://localhost:1/a"), way("http://localhost:1/b?c"));
        assert!(Arc::ptr_eq(&first, &second));
        assert!(!Arc::ptr_eq(&first, &way("https://localhost:1/a")));
        assert!(!Arc::ptr_eq(&first, &way("http://localhost:2/a")));
        drop((first, second));
        drop(way("http://localhost:3/"));
        assert_eq!(client.ways.lock().unwrap().len(), 1, "ways that nobody holds are forgotten");
    }

    #[test]
    fn the_client_is_made_without_a_process_wide_provider() {
        HttpClient::new().unwrap();
        assert!(rustls::crypto::CryptoProvider::get_default().is_none());
    }
}
