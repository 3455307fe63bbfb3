//! What an HTTP front is started with, and which combinations are refused.
//!
//! It opens nothing: an address that must not be listened on is refused before any socket exists.

use crate::config::model::HttpSettings;
use crate::config::model::auth::AuthSettings;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

/// How to listen.
#[derive(Debug, Clone)]
pub struct HttpOptions {
    /// Where; port 0 lets the system choose.
    pub addr: SocketAddr,
    /// Certificate and key, when the front itself does TLS.
    pub tls: Option<TlsFiles>,
    /// A proxy in front does TLS; also turns the pages of `front/admin.rs` off, since its clients look local.
    pub behind_proxy: bool,
    /// The `http` settings of the file.
    pub settings: HttpSettings,
    /// Who may connect. While it runs, what the configuration of the gateway says of that counts: programs set both alike.
    pub auth: Arc<AuthSettings>,
    /// Longest body of a request, in bytes.
    pub max_body: usize,
    /// Deepest nesting of a message.
    pub depth: usize,
    /// Bytes that may wait for a client which does not read.
    pub queue_bytes: usize,
}

/// PEM files.
#[derive(Debug, Clone)]
pub struct TlsFiles {
    /// The certificate chain, own certificate first.
    pub cert: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// Why the front does not start.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// Everybody who reaches the address could use every server.
    #[error(
        "{0} can be reached from other machines and no credential is configured: make a key with `mcp-manifold key \
         create`, set `gateway.auth` or `gateway.http.bearerTokens`, or listen on 127.0.0.1"
    )]
    NoTokens(SocketAddr),
    /// What comes through a proxy looks local, whoever it is from.
    #[error(
        "with `--behind-proxy` everybody who reaches the proxy reaches {0}, and no credential is configured: make a key \
         with `mcp-manifold key create`, or set `gateway.auth` or `gateway.http.bearerTokens`"
    )]
    ProxyNoTokens(SocketAddr),
    /// Tokens would cross the network readable.
    #[error(
        "{0} can be reached from other machines and would be served without TLS: give `--tls-cert` and `--tls-key`, \
         or `--behind-proxy` if a proxy in front of it does TLS"
    )]
    NoTls(SocketAddr),
    /// The address cannot be listened on.
    #[error("cannot listen on {addr}: {source}; choose another address with `--http`")]
    Bind {
        /// Which.
        addr: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// A PEM file cannot be used.
    #[error("cannot use the TLS file `{path}`: {why}")]
    Pem {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// Certificate and key cannot be used together.
    #[error("cannot use the TLS certificate with its key: {0}")]
    Tls(#[from] rustls::Error),
}

impl HttpOptions {
    /// True when only this machine reaches the address.
    #[must_use]
    pub fn is_local(&self) -> bool {
        self.addr.ip().to_canonical().is_loopback()
    }

    /// Refuses what would let strangers in.
    ///
    /// # Errors
    /// [`HttpError::NoTokens`], [`HttpError::ProxyNoTokens`] and [`HttpError::NoTls`].
    pub fn check(&self) -> Result<(), HttpError> {
        let is_known = self.auth.asks_for_credentials();
        if self.is_local() && (is_known || !self.behind_proxy) {
            Ok(())
        } else if self.is_local() {
            Err(HttpError::ProxyNoTokens(self.addr))
        } else if !is_known {
            Err(HttpError::NoTokens(self.addr))
        } else if self.tls.is_none() && !self.behind_proxy {
            Err(HttpError::NoTls(self.addr))
        } else {
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;

    fn checked(addr: &str, token: bool, tls: bool, behind_proxy: bool) -> Result<(), HttpError> {
        let settings = HttpSettings::default();
        let tokens = token.then(|| Secret::new("a-long-enough-token")).into_iter().collect();
        let auth = Arc::new(AuthSettings { tokens, ..AuthSettings::default() });
        let tls = tls.then(|| TlsFiles { cert: "cert.pem".into(), key: "key.pem".into() });
        let addr = addr.parse().unwrap();
        HttpOptions { addr, tls, behind_proxy, settings, auth, max_body: 1, depth: 1, queue_bytes: 1 }.check()
    }

    #[test]
    fn loopback_needs_nothing() {
        for addr in ["127.0.0.1:0", "127.8.0.1:80", "[::1]:80", "[::ffff:127.0.0.1]:80"] {
            assert!(checked(addr, false, false, false).is_ok(), "{addr}");
            let refused = checked(addr, false, false, true).unwrap_err();
            assert!(matches!(refused, HttpError::ProxyNoTokens(_)), "everybody comes from there: {addr}");
            assert!(checked(addr, true, false, true).is_ok(), "{addr}");
        }
    }

    #[test]
    fn other_addresses_need_a_token_and_tls_or_a_proxy() {
        for addr in ["0.0.0.0:80", "[::]:80", "192.168.1.2:80", "[2001:db8::1]:443"] {
            for (tls, proxy) in [(false, false), (true, false), (false, true), (true, true)] {
                let refused = checked(addr, false, tls, proxy).unwrap_err();
                assert!(matches!(refused, HttpError::NoTokens(_)), "{addr}");
                assert!(refused.to_string().contains("bearerTokens"));
                assert_eq!(checked(addr, true, tls, proxy).is_ok(), tls || proxy, "{addr} {tls} {proxy}");
            }
            assert!(checked(addr, true, false, false).unwrap_err().to_string().contains("--behind-proxy"));
        }
    }
}
