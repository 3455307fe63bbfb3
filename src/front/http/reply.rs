//! Responses: a status, the few headers we set, and a JSON-RPC error where something is refused.
//!
//! Refusals of HTTP itself carry the id of the request only if it was read; most are decided before.

use crate::auth::caller::Caller;
use crate::front::http::header;
use crate::front::http::stream::Body;
use crate::front::http::stream::Events;
use crate::gateway::exchange::write_answer;
use crate::gateway::reply::Failure;
use crate::protocol::code;
use http::HeaderValue;
use http::StatusCode;
use http::header as names;
use std::time::Duration;

/// A response of this front.
pub type Reply = http::Response<Body>;

/// A request that is not served, and what the client is told.
#[derive(Debug)]
pub struct Refusal {
    status: StatusCode,
    /// JSON text.
    id: Option<Box<str>>,
    failure: Box<Failure>,
    extra: Extra,
    caller: Option<Caller>,
}

#[derive(Debug)]
enum Extra {
    None,
    Allow(&'static str),
    Challenge(Vec<HeaderValue>),
    Upgrade,
    Close,
    Later,
    Wait(Duration),
}

impl Refusal {
    /// Refuses with `status` and a text for a person.
    #[must_use]
    pub fn new(status: StatusCode, text: impl Into<String>) -> Self {
        Self::failed(status, Failure::new(code::INVALID_REQUEST, text))
    }

    /// Refuses with `status` and `failure`.
    #[must_use]
    pub fn failed(status: StatusCode, failure: Failure) -> Self {
        Self { status, id: None, failure: Box::new(failure), extra: Extra::None, caller: None }
    }

    /// Names the request by its id (JSON text).
    #[must_use]
    pub fn of(mut self, id: Option<&str>) -> Self {
        self.id = id.map(Into::into);
        self
    }

    /// Closes the connection after the response.
    #[must_use]
    pub fn closing(mut self) -> Self {
        self.extra = Extra::Close;
        self
    }

    /// 401, with what is accepted.
    #[must_use]
    pub fn unauthorized(text: &str, challenges: Vec<HeaderValue>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, text).challenging(challenges)
    }

    /// Notes who is refused.
    #[must_use]
    pub fn by(self, caller: Caller) -> Self {
        Self { caller: Some(caller), ..self }
    }

    /// Who is refused, as far as that is known.
    #[must_use]
    pub fn caller(&self) -> Option<&Caller> {
        self.caller.as_ref()
    }

    /// The status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// True when who asks could not be decided now.
    #[must_use]
    pub fn is_undecided(&self) -> bool {
        self.status == StatusCode::SERVICE_UNAVAILABLE && matches!(self.extra, Extra::Wait(_))
    }

    /// What the client is told.
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.failure.message
    }

    /// Says what is accepted.
    #[must_use]
    pub fn challenging(self, challenges: Vec<HeaderValue>) -> Self {
        Self { extra: Extra::Challenge(challenges), ..self }
    }

    /// Says when to try again.
    #[must_use]
    pub fn later(self, wait: Duration) -> Self {
        Self { extra: Extra::Wait(wait), ..self }
    }

    /// 405
    #[must_use]
    pub fn method(allowed: &'static str) -> Self {
        let text = format!("this method is not served here; these are: {allowed}");
        Self { extra: Extra::Allow(allowed), ..Self::new(StatusCode::METHOD_NOT_ALLOWED, text) }
    }

    /// 503: the front is to end.
    #[must_use]
    pub fn ending() -> Self {
        let refusal = Self::failed(StatusCode::SERVICE_UNAVAILABLE, Failure::shutting_down());
        Self { extra: Extra::Later, ..refusal }
    }

    /// 426
    #[must_use]
    pub fn upgrade(text: &str) -> Self {
        Self { extra: Extra::Upgrade, ..Self::new(StatusCode::UPGRADE_REQUIRED, text) }
    }

    /// The response.
    #[must_use]
    pub fn into_reply(self) -> Reply {
        let mut body = Vec::new();
        let id = self.id.as_deref().unwrap_or("null");
        write_answer(&mut body, id, br#","error":"#, self.failure.to_json().as_bytes());
        let mut reply = page(self.status, body);
        let headers = reply.headers_mut();
        match self.extra {
            Extra::None => {}
            Extra::Allow(methods) => _ = headers.insert(names::ALLOW, HeaderValue::from_static(methods)),
            Extra::Challenge(challenges) => {
                for challenge in challenges {
                    headers.append(names::WWW_AUTHENTICATE, challenge);
                }
            }
            Extra::Wait(wait) => {
                headers.insert(names::RETRY_AFTER, HeaderValue::from(wait.as_secs().saturating_add(1)));
            }
            Extra::Upgrade => {
                headers.insert(names::CONNECTION, HeaderValue::from_static("upgrade"));
                headers.insert(names::UPGRADE, HeaderValue::from_static("websocket"));
                headers.insert(names::SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
            }
            Extra::Later => {
                headers.insert(names::RETRY_AFTER, HeaderValue::from_static("1"));
                headers.insert(names::CONNECTION, HeaderValue::from_static("close"));
            }
            Extra::Close => _ = headers.insert(names::CONNECTION, HeaderValue::from_static("close")),
        }
        reply
    }
}

/// A JSON body.
#[must_use]
pub fn json(status: StatusCode, body: Vec<u8>) -> Reply {
    let mut reply = Reply::new(Body::text(body));
    *reply.status_mut() = status;
    reply.headers_mut().insert(names::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    reply
}

/// A JSON body that a person may open in a browser, which must not take it for something else.
#[must_use]
pub fn page(status: StatusCode, body: Vec<u8>) -> Reply {
    let mut reply = json(status, body);
    reply.headers_mut().insert(names::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    reply
}

/// A stream of events.
#[must_use]
pub fn events(events: Events) -> Reply {
    let mut reply = Reply::new(Body::events(events));
    let headers = reply.headers_mut();
    headers.insert(names::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(names::CACHE_CONTROL, HeaderValue::from_static("no-cache, no-transform"));
    headers.insert(&header::ACCEL_BUFFERING, HeaderValue::from_static("no"));
    reply
}

/// No body.
#[must_use]
pub fn empty(status: StatusCode) -> Reply {
    let mut reply = Reply::new(Body::default());
    *reply.status_mut() = status;
    reply
}
