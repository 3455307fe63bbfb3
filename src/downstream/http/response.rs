//! What a request came back with, over a connection of our own or through a proxy.
//!
//! It does not know what the content means.

use crate::downstream::http::direct::Body;
use crate::downstream::http::direct::head::Content;
use crate::downstream::http::direct::head::Head;
use crate::downstream::http::direct::head::Rare;
use crate::downstream::http::failure::Failure;
use crate::downstream::http::mark::SESSION;
use bytes::Bytes;
use http::HeaderValue;
use http::StatusCode;
use http::header::CONTENT_TYPE;
use http::header::RETRY_AFTER;
use http::header::WWW_AUTHENTICATE;

/// A response, whose body is still to be read.
#[derive(Debug)]
pub struct Response {
    /// Its status.
    pub status: StatusCode,
    /// What kind of content follows.
    pub content: Content,
    rare: Option<Box<Rare>>,
    body: Source,
}

#[derive(Debug)]
enum Source {
    Own(Body),
    /// The last piece is kept for whoever looks at it.
    Client(Box<(reqwest::Response, Bytes)>),
}

impl Response {
    /// When it says to ask again.
    #[must_use]
    pub fn retry_after(&self) -> Option<&HeaderValue> {
        self.rare.as_ref()?.retry_after.as_ref()
    }

    /// Which credentials it wants.
    #[must_use]
    pub fn challenge(&self) -> Option<&HeaderValue> {
        self.rare.as_ref()?.challenge.as_ref()
    }

    /// The session it opens.
    #[must_use]
    pub fn session(&self) -> Option<&HeaderValue> {
        self.rare.as_ref()?.session.as_ref()
    }

    /// The body has this many bytes, if that is known.
    #[must_use]
    pub fn length(&self) -> Option<u64> {
        match &self.body {
            Source::Own(body) => body.length(),
            Source::Client(client) => client.0.content_length(),
        }
    }

    /// The next piece of the body, or `None` at the end. Cancel-safe.
    ///
    /// # Errors
    /// Why it broke off, in words.
    pub async fn next(&mut self) -> Result<Option<&[u8]>, String> {
        match &mut self.body {
            Source::Own(body) => body.next().await.map_err(|error| error.to_string()),
            Source::Client(client) => {
                let (response, piece) = &mut **client;
                let next = response.chunk().await.map_err(|error| Failure::of(&error).why)?;
                Ok(next.map(|next| {
                    *piece = next;
                    &**piece
                }))
            }
        }
    }
}

impl From<(Head, Body)> for Response {
    fn from((head, body): (Head, Body)) -> Self {
        let Head { status, content, rare, .. } = head;
        Self { status, content, rare, body: Source::Own(body) }
    }
}

impl From<reqwest::Response> for Response {
    fn from(response: reqwest::Response) -> Self {
        let header = |name| response.headers().get(name).cloned();
        Self {
            status: response.status(),
            content: header(CONTENT_TYPE).map_or(Content::Json, |value| Content::of(value.as_bytes())),
            rare: Some(Box::new(Rare {
                retry_after: header(RETRY_AFTER),
                session: header(SESSION),
                challenge: header(WWW_AUTHENTICATE),
            })),
            body: Source::Client(Box::new((response, Bytes::new()))),
        }
    }
}
