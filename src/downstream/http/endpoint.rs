//! The address of one server: requests are sent from here, with the headers of the entry on every one of them.
//!
//! It does not read answers, and never shows the address, which may hold a secret.

use crate::config::model::Http;
use crate::downstream::connect::LinkLimits;
use crate::downstream::http::client::HttpClient;
use crate::downstream::http::mark;
use crate::name::ServerName;
use bytes::Bytes;
use reqwest::Client;
use reqwest::Method;
use reqwest::Response;
use reqwest::Url;
use reqwest::header::HeaderMap;
use reqwest::header::HeaderName;
use reqwest::header::HeaderValue;
use std::error::Error;

/// Where a server is, and how it is spoken to.
#[derive(Debug)]
pub struct Endpoint {
    /// Which server.
    pub server: ServerName,
    /// Bounds of what is sent and read.
    pub limits: LinkLimits,
    client: Client,
    url: Url,
    headers: HeaderMap,
}

/// The network failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What it said, without the address.
    pub why: String,
    /// True when the request may have reached the server.
    pub sent: bool,
}

impl Endpoint {
    /// The endpoint that `http` describes.
    ///
    /// # Errors
    /// What of `http` cannot be used, in words.
    pub fn new(
        server: &ServerName,
        http: &Http,
        client: &HttpClient,
        limits: LinkLimits,
    ) -> Result<Self, String> {
        let url =
            Url::parse(&http.url.value).map_err(|error| format!("its `url` cannot be read: {error}"))?;
        let headers = headers_of(http)?;
        let client = client.towards(&url).clone();
        Ok(Self { server: server.clone(), limits, client, url, headers })
    }

    /// Sends one message.
    ///
    /// # Errors
    /// [`Failure`] when no answer came; an answer with any status is an answer.
    pub async fn post(&self, marks: HeaderMap, body: Bytes) -> Result<Response, Failure> {
        self.send(Method::POST, marks, Some(body)).await
    }

    /// Where this is.
    #[must_use]
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// The same with another address, which has the same origin: the headers go there too.
    #[must_use]
    pub fn at(&self, url: Url) -> Self {
        let (server, headers) = (self.server.clone(), self.headers.clone());
        Self { server, limits: self.limits, client: self.client.clone(), url, headers }
    }

    /// Opens a stream, or asks to.
    ///
    /// # Errors
    /// [`Failure`] when no answer came.
    pub async fn get(&self, marks: HeaderMap) -> Result<Response, Failure> {
        self.send(Method::GET, marks, None).await
    }

    /// Ends a session.
    ///
    /// # Errors
    /// [`Failure`] when no answer came.
    pub async fn delete(&self, marks: HeaderMap) -> Result<Response, Failure> {
        self.send(Method::DELETE, marks, None).await
    }

    async fn send(&self, method: Method, marks: HeaderMap, body: Option<Bytes>) -> Result<Response, Failure> {
        let mut headers = self.headers.clone();
        headers.extend(marks);
        let mut request = self.client.request(method, self.url.clone()).headers(headers);
        if let Some(body) = body {
            request = request.body(body);
        }
        request.send().await.map_err(|error| Failure::of(&error))
    }
}

/// The headers of an entry, without those that belong to the protocol.
///
/// # Errors
/// Which of them cannot be sent, in words.
pub fn headers_of(http: &Http) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    for (name, value) in &http.headers {
        let Ok(key) = HeaderName::from_bytes(name.as_bytes()) else {
            return Err(format!("`{name}` is not the name of a header"));
        };
        let Ok(mut value) = HeaderValue::from_str(value.expose()) else {
            return Err(format!("the value of the header `{name}` holds a character that cannot be sent"));
        };
        value.set_sensitive(true);
        if !mark::is_reserved(&key) {
            headers.append(key, value);
        }
    }
    Ok(headers)
}

impl Failure {
    /// What `error` says. Its own text would show the address.
    #[must_use]
    pub fn of(error: &reqwest::Error) -> Self {
        let sent = !(error.is_connect() || error.is_builder());
        if error.is_timeout() && !sent {
            return Self { why: "no connection came about in time".into(), sent };
        }
        let mut deepest: Option<&dyn Error> = error.source();
        while let Some(source) = deepest.and_then(Error::source) {
            deepest = Some(source);
        }
        let why = deepest.map_or_else(|| "the request failed".to_owned(), ToString::to_string);
        Self { why, sent }
    }
}
