//! A connection for one guarded request: every address of the host is checked, and the checked ones are dialled.
//!
//! Behind a proxy of the environment the proxy connects; a name that is known here is checked all the same.

use crate::auth::egress::allowed::Allowed;
use crate::auth::egress::allowed::is_localhost;
use crate::auth::egress::allowed::literal;
use crate::auth::egress::error::EgressError;
use crate::auth::egress::error::origin;
use crate::auth::egress::resolve::Resolve;
use http::Uri;
use hyper::service::Service;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::client::proxy::matcher::Intercept;
use hyper_util::client::proxy::matcher::Matcher;
use hyper_util::service::TowerToHyperService;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use std::io;
use std::net::IpAddr;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncRead;
use tokio::io::AsyncWrite;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use url::Url;

/// Longest wait for one address; a host may have several.
const PATIENCE: Duration = Duration::from_secs(5);
/// Addresses of a host that are tried.
const TRIED: usize = 6;

/// TCP, with or without TLS.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// How guarded requests are connected.
pub struct Dial {
    /// How names become addresses.
    pub resolver: Arc<dyn Resolve>,
    /// How certificates are checked.
    pub tls: Arc<ClientConfig>,
    /// When the proxy of the environment is used.
    pub proxied: Arc<Matcher>,
}

impl Dial {
    /// Connects to the host of `url`, if `allowed` lets it.
    ///
    /// # Errors
    /// [`EgressError`]; then nothing was connected that may not be, and nothing was sent.
    pub async fn connect(&self, url: &Url, allowed: &Allowed) -> Result<Box<dyn Stream>, EgressError> {
        let port = url.port_or_known_default().ok_or(EgressError::Unusable("it has no port"))?;
        let proxy = self.proxy_for(url);
        let addresses = match self.addresses(url, port).await {
            // A proxy may know names that are not known here.
            Err(_) if proxy.is_some() => Vec::new(),
            addresses => addresses?,
        };
        if let Some(address) = addresses.iter().find(|address| !allowed.may_reach(url, **address)) {
            return Err(EgressError::Private { origin: origin(url), address: *address });
        }
        if !allowed.may_use_scheme(url, &addresses) {
            return Err(EgressError::Plain(origin(url)));
        }
        match proxy {
            Some(proxy) => self.secured(url, through(&proxy, url, port).await?).await,
            None => self.secured(url, dial(url, &addresses, port).await?).await,
        }
    }

    async fn addresses(&self, url: &Url, port: u16) -> Result<Vec<IpAddr>, EgressError> {
        if let Some(address) = literal(url) {
            return Ok(vec![address]);
        }
        let host = url.host_str().ok_or(EgressError::Unusable("it has no host"))?;
        let found = self.resolver.resolve(host, port).await;
        let found = found.map_err(|error| EgressError::unreachable(url, &error))?;
        if found.is_empty() {
            let why = "its name has no address".to_owned();
            return Err(EgressError::Unreachable { origin: origin(url), why });
        }
        Ok(found)
    }

    fn proxy_for(&self, url: &Url) -> Option<Intercept> {
        let is_local = is_localhost(url.host_str().unwrap_or_default())
            || literal(url).is_some_and(|address| address.is_loopback());
        let address: Uri = origin(url).parse().ok()?;
        self.proxied.intercept(&address).filter(|_| !is_local)
    }

    async fn secured<S: Stream + 'static>(&self, url: &Url, tcp: S) -> Result<Box<dyn Stream>, EgressError> {
        if url.scheme() != "https" {
            return Ok(Box::new(tcp));
        }
        let host = url.host_str().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
        let name = ServerName::try_from(host.trim_end_matches('.').to_owned())
            .map_err(|_| EgressError::Unusable("no certificate can be made out to its host"))?;
        let tls = TlsConnector::from(Arc::clone(&self.tls)).connect(name, tcp).await;
        Ok(Box::new(tls.map_err(|error| EgressError::unreachable(url, &error))?))
    }
}

/// The addresses were checked; they are dialled as they are, and no name is looked up again.
async fn dial(url: &Url, addresses: &[IpAddr], port: u16) -> Result<TcpStream, EgressError> {
    let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for address in addresses.iter().take(TRIED) {
        match timeout(PATIENCE, TcpStream::connect(SocketAddr::new(*address, port))).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => last = error,
            Err(_) => last = io::ErrorKind::TimedOut.into(),
        }
    }
    Err(EgressError::unreachable(url, &last))
}

async fn through(proxy: &Intercept, url: &Url, port: u16) -> Result<TcpStream, EgressError> {
    if proxy.uri().scheme_str() != Some("http") {
        return Err(EgressError::Unusable("only `http` proxies can be used for it"));
    }
    let mut connector = HttpConnector::new();
    connector.set_connect_timeout(Some(PATIENCE));
    let mut tunnel = Tunnel::new(proxy.uri().clone(), connector);
    if let Some(credential) = proxy.basic_auth() {
        tunnel = tunnel.with_auth(credential.clone());
    }
    let host = url.host_str().unwrap_or_default();
    let address = format!("{}://{host}:{port}", url.scheme()).parse::<Uri>();
    let address = address.map_err(|_| EgressError::Unusable("it has no host that a proxy could be told"))?;
    let stream = TowerToHyperService::new(tunnel).call(address).await;
    Ok(stream.map_err(|error| EgressError::unreachable(url, &error))?.into_inner())
}
