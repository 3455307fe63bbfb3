//! The one pooled HTTP client that all servers share.
//!
//! No redirect is followed, because a redirect could carry credentials elsewhere; no answer has a deadline here,
//! because calls have their own. It knows nothing of MCP.

use crate::downstream::http::roots::Roots;
use reqwest::Client;
use reqwest::Url;
use reqwest::redirect::Policy;
use rustls::ClientConfig;
use rustls::crypto::ring;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// Longest wait for a TCP and TLS connection.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Idle time after which a pooled connection is closed.
const POOL_IDLE: Duration = Duration::from_secs(60);

/// A cheap clone of the shared client.
#[derive(Debug, Clone)]
pub struct HttpClient {
    /// Through the proxy of the system, where it names one.
    outside: Client,
    /// Towards this machine, where a proxy would not find the server.
    local: Client,
    /// How certificates are checked.
    tls: ClientConfig,
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
        let provider = Arc::new(ring::default_provider());
        let mut tls = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Roots::new(provider)))
            .with_no_client_auth();
        tls.alpn_protocols = vec![b"http/1.1".to_vec()];
        let builder = || {
            Client::builder()
                .tls_backend_preconfigured(tls.clone())
                .redirect(Policy::none())
                .tcp_nodelay(true)
                .connect_timeout(CONNECT_TIMEOUT)
                .pool_idle_timeout(POOL_IDLE)
                .user_agent(concat!("mcp-manifold/", env!("CARGO_PKG_VERSION")))
        };
        Ok(Self { outside: builder().build()?, local: builder().no_proxy().build()?, tls })
    }

    /// How certificates are checked, for connections that are made elsewhere.
    #[must_use]
    pub fn tls(&self) -> &ClientConfig {
        &self.tls
    }

    /// The client for `url`.
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
    fn the_client_is_made_without_a_process_wide_provider() {
        HttpClient::new().unwrap();
        assert!(rustls::crypto::CryptoProvider::get_default().is_none());
    }
}
