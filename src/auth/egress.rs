//! The one way to ask addresses that a server or a client has a say in: metadata, keys, token endpoints, redirects.
//!
//! Public addresses over https only, but for what [`Allowed`] names. Every address of a host is checked, and what was
//! checked is dialled: a name that changes its mind in between gains nothing. Each request has a connection of its own;
//! nothing is cached. Redirects are followed for GET, at most three, within an origin.

pub mod address;
pub mod allowed;
pub mod dial;
pub mod error;
pub mod resolve;

pub use crate::auth::egress::allowed::Allowed;
pub use crate::auth::egress::error::EgressError;
pub use crate::auth::egress::resolve::Resolve;

use crate::auth::egress::dial::Dial;
use crate::auth::egress::dial::Stream;
use crate::auth::egress::error::origin;
use crate::auth::egress::resolve::System;
use crate::auth::roots;
use bytes::Bytes;
use http::HeaderName;
use http::HeaderValue;
use http::Method;
use http::Request;
use http::Response;
use http::header;
use http_body_util::BodyExt;
use http_body_util::Full;
use http_body_util::LengthLimitError;
use http_body_util::Limited;
use hyper::client::conn::http1;
use hyper_util::client::proxy::matcher::Matcher;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use std::fmt;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;
use url::Url;

/// Longest answer, in bytes.
const LONGEST: usize = 1 << 20;
/// Longest time for all of it.
const PATIENCE: Duration = Duration::from_secs(30);
/// Redirects that are followed.
const REDIRECTS: usize = 3;
const USER_AGENT: HeaderValue = HeaderValue::from_static(concat!("mcp-manifold/", env!("CARGO_PKG_VERSION")));
/// Headers that belong to the connection, and are set here.
const OF_THE_CONNECTION: [HeaderName; 6] = [
    header::HOST,
    header::CONNECTION,
    header::CONTENT_LENGTH,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    header::TE,
];

/// Sends guarded requests. A clone is cheap.
#[derive(Clone)]
pub struct Egress {
    dial: Arc<Dial>,
    allowed: Arc<Allowed>,
}

impl Egress {
    /// Asks what `allowed` lets, over TLS with the roots of the operating system.
    ///
    /// # Errors
    /// [`EgressError::Tls`].
    pub fn new(allowed: Allowed) -> Result<Self, EgressError> {
        let tls = roots::client_config().map_err(|error| EgressError::Tls(error.to_string()))?;
        Ok(Self::with(allowed, Arc::new(System), Arc::new(tls), Arc::new(Matcher::from_system())))
    }

    /// The same with names, certificates and proxies from elsewhere.
    #[must_use]
    pub fn with(
        allowed: Allowed,
        resolver: Arc<dyn Resolve>,
        tls: Arc<ClientConfig>,
        proxied: Arc<Matcher>,
    ) -> Self {
        Self { dial: Arc::new(Dial { resolver, tls, proxied }), allowed: Arc::new(allowed) }
    }

    /// The same with other exceptions.
    #[must_use]
    pub fn allowing(&self, allowed: Allowed) -> Self {
        Self { dial: Arc::clone(&self.dial), allowed: Arc::new(allowed) }
    }

    /// Sends `request`, whose URI is absolute, and reads the whole answer, whatever its status. Headers that belong to the
    /// connection (`Host` among them) are set here.
    ///
    /// # Errors
    /// [`EgressError`], also for redirects that are not followed.
    pub async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, EgressError> {
        let mut url = usable(&request.uri().to_string())?;
        timeout(PATIENCE, async {
            for _ in 0..=REDIRECTS {
                let response = self.ask(&url, &request).await?;
                let Some(next) = next(&url, &request, &response)? else { return Ok(response) };
                url = next;
            }
            Err(EgressError::Redirected { origin: origin(&url), status: 302 })
        })
        .await
        .unwrap_or_else(|_| Err(EgressError::TooSlow(origin(&url))))
    }

    async fn ask(&self, url: &Url, request: &Request<Bytes>) -> Result<Response<Bytes>, EgressError> {
        let stream = self.dial.connect(url, &self.allowed).await?;
        exchange(url, stream, outgoing(url, request)?).await
    }
}

impl fmt::Debug for Egress {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Egress").field("allowed", &self.allowed).finish_non_exhaustive()
    }
}

/// `text` as an address that may be thought of. Parsing as browsers do leaves one spelling of every host.
fn usable(text: &str) -> Result<Url, EgressError> {
    let url = Url::parse(text).map_err(|_| EgressError::Unusable("it is not a URL"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(EgressError::Unusable("it is neither http nor https"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(EgressError::Unusable("it holds a user or password"));
    }
    Ok(url)
}

/// Where a redirect leads that is followed; `None` when `response` is the answer.
fn next(url: &Url, request: &Request<Bytes>, response: &Response<Bytes>) -> Result<Option<Url>, EgressError> {
    if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
        return Ok(None);
    }
    let refused = || EgressError::Redirected { origin: origin(url), status: response.status().as_u16() };
    let location = response.headers().get(header::LOCATION).and_then(|value| value.to_str().ok());
    let to = location.and_then(|text| url.join(text).ok()).ok_or_else(refused)?;
    let to = usable(to.as_str())?;
    let follows = request.method() == Method::GET && to.origin() == url.origin();
    if follows { Ok(Some(to)) } else { Err(refused()) }
}

fn outgoing(url: &Url, request: &Request<Bytes>) -> Result<Request<Full<Bytes>>, EgressError> {
    let unusable = |_| EgressError::Unusable("it cannot be written into a request");
    let path = url.query().map_or_else(|| url.path().to_owned(), |query| format!("{}?{query}", url.path()));
    let port = url.port().map_or_else(String::new, |port| format!(":{port}"));
    let host = format!("{}{port}", url.host_str().unwrap_or_default());
    let mut own = Request::builder()
        .method(request.method())
        .uri(path)
        .body(Full::new(request.body().clone()))
        .map_err(unusable)?;
    let kept = request.headers().iter().filter(|(name, _)| !OF_THE_CONNECTION.contains(name));
    own.headers_mut().extend(kept.map(|(name, value)| (name.clone(), value.clone())));
    own.headers_mut()
        .insert(header::HOST, HeaderValue::from_str(&host).map_err(|error| unusable(error.into()))?);
    own.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    own.headers_mut().entry(header::USER_AGENT).or_insert(USER_AGENT);
    Ok(own)
}

/// One request and its answer; the connection is driven here and ends with it.
async fn exchange(
    url: &Url,
    stream: Box<dyn Stream>,
    request: Request<Full<Bytes>>,
) -> Result<Response<Bytes>, EgressError> {
    let lost = |error: hyper::Error| EgressError::unreachable(url, &error);
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(lost)?;
    let answer = async {
        let (head, body) = sender.send_request(request).await.map_err(lost)?.into_parts();
        match Limited::new(body, LONGEST).collect().await {
            Ok(body) => Ok(Response::from_parts(head, body.to_bytes())),
            Err(error) if error.is::<LengthLimitError>() => {
                Err(EgressError::TooLong { origin: origin(url), limit: LONGEST })
            }
            Err(error) => Err(EgressError::unreachable(url, &*error)),
        }
    };
    let (mut answer, connection) = (pin!(answer), pin!(connection));
    tokio::select! {
        answer = &mut answer => answer,
        // What it has read is still there to be taken.
        _ = connection => answer.await,
    }
}

#[cfg(test)]
mod tests;
