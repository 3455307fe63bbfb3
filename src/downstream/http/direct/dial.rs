//! Opening a connection to an origin: names, TCP, TLS.
//!
//! It knows of no proxy, and sends nothing.

use crate::downstream::http::failure::Failure;
use http::Uri;
use hyper::service::Service;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::service::TowerToHyperService;
use reqwest::Url;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncRead;
use tokio::io::AsyncWrite;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

/// A silent peer is asked after this time whether it is still there, so often, and what it does not acknowledge ends the
/// connection.
const ALIVE_AFTER: Duration = Duration::from_secs(15);
const ASKED_TIMES: u32 = 3;
#[cfg(any(target_os = "android", target_os = "fuchsia", target_os = "linux"))]
const UNACKNOWLEDGED: Duration = Duration::from_secs(30);

/// TCP, with or without TLS.
pub trait Stream: AsyncRead + AsyncWrite + Send + Sync + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Sync + Unpin> Stream for S {}

/// How an origin is connected to.
pub struct Dial {
    connector: TowerToHyperService<HttpConnector>,
    address: Uri,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    patience: Duration,
}

impl Dial {
    /// The way to the origin of `url`, which is `http` or `https`; `None` when it cannot be one.
    #[must_use]
    pub fn to(url: &Url, tls: &Arc<ClientConfig>, patience: Duration) -> Option<Self> {
        let address = url.origin().ascii_serialization().parse().ok()?;
        let tls = match url.scheme() {
            "http" => None,
            "https" => {
                let host = url.host_str()?.trim_start_matches('[').trim_end_matches(']').to_owned();
                Some((TlsConnector::from(Arc::clone(tls)), ServerName::try_from(host).ok()?))
            }
            _ => return None,
        };
        let mut connector = HttpConnector::new();
        connector.enforce_http(false);
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(patience));
        connector.set_keepalive(Some(ALIVE_AFTER));
        connector.set_keepalive_interval(Some(ALIVE_AFTER));
        connector.set_keepalive_retries(Some(ASKED_TIMES));
        #[cfg(any(target_os = "android", target_os = "fuchsia", target_os = "linux"))]
        connector.set_tcp_user_timeout(Some(UNACKNOWLEDGED));
        Some(Self { connector: TowerToHyperService::new(connector), address, tls, patience })
    }

    /// Connects.
    ///
    /// # Errors
    /// [`Failure`]; nothing was sent.
    pub async fn connect(&self) -> Result<Box<dyn Stream>, Failure> {
        timeout(self.patience, self.open()).await.unwrap_or_else(|_| Err(Failure::too_slow()))
    }

    async fn open(&self) -> Result<Box<dyn Stream>, Failure> {
        let tcp = self.connector.call(self.address.clone()).await;
        let tcp = tcp.map_err(|error| Failure::before(&error))?.into_inner();
        let Some((connector, name)) = &self.tls else { return Ok(Box::new(tcp)) };
        let tls = connector.connect(name.clone(), tcp).await;
        Ok(Box::new(tls.map_err(|error| Failure::before(&error))?))
    }
}
