//! Which refusals of this front are decisions about somebody, and what is told of them to be written down.
//!
//! What is written, and how often, is `gateway/audit/refused.rs`. Requests that are merely wrong are not told.

use crate::front::http::reply::Refusal;
use crate::front::http::site::Site;
use crate::gateway::audit::refused::RefusedClient;
use http::Method;
use http::Request;
use http::StatusCode;
use std::net::IpAddr;
use std::net::SocketAddr;

/// What stands for all that this front does not know: a client could write anything there.
const OTHER: &str = "other";
const METHODS: [(Method, &str); 7] = [
    (Method::POST, "POST"),
    (Method::GET, "GET"),
    (Method::DELETE, "DELETE"),
    (Method::PUT, "PUT"),
    (Method::PATCH, "PATCH"),
    (Method::HEAD, "HEAD"),
    (Method::OPTIONS, "OPTIONS"),
];

/// What was asked for, and from where. Part of every request: nothing is looked up before it is refused.
#[derive(Debug)]
pub struct Asked {
    peer: IpAddr,
    method: Method,
    route: Option<&'static str>,
}

impl Asked {
    /// Of a request that came from `peer`. `route` is its path, if this front has that.
    #[must_use]
    pub fn of<B>(site: &Site, request: &Request<B>, route: Option<&'static str>, peer: SocketAddr) -> Self {
        Self { peer: site.door.peer(request.headers(), peer), method: request.method().clone(), route }
    }

    fn method(&self) -> &'static str {
        METHODS.iter().find(|(method, _)| *method == self.method).map_or(OTHER, |(_, name)| name)
    }
}

/// Has a refusal written down that is about who asks.
pub fn note(site: &Site, asked: &Asked, refusal: &Refusal) {
    let is_decision = matches!(
        refusal.status(),
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::TOO_MANY_REQUESTS
    );
    if is_decision || refusal.is_undecided() {
        site.backing.refused_client(&RefusedClient {
            peer: asked.peer,
            caller: refusal.caller(),
            method: asked.method(),
            route: asked.route.unwrap_or(OTHER),
            status: refusal.status().as_u16(),
            reason: refusal.reason(),
        });
    }
}
