//! Who a request is from: its credential and the agent it names, looked at before anything else is done for it.
//!
//! What is a good credential is decided in `auth/inbound.rs`; here it is HTTP: headers, statuses, challenges.

use crate::auth::challenge;
use crate::auth::challenge::Fault;
use crate::auth::inbound::Denied;
use crate::auth::inbound::Inbound;
use crate::auth::inbound::Pass;
use crate::front::http::header;
use crate::front::http::header::single;
use crate::front::http::lease::Lease;
use crate::front::http::reply;
use crate::front::http::reply::Refusal;
use crate::front::http::reply::Reply;
use http::HeaderMap;
use http::HeaderValue;
use http::Method;
use http::StatusCode;
use http::header as names;
use std::net::IpAddr;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// Longest name of an agent.
const LONGEST_AGENT: usize = 200;
/// When to come again for what cannot be checked now.
const SOON: Duration = Duration::from_secs(5);

/// The door of one front.
#[derive(Debug)]
pub struct Door {
    inbound: Arc<Inbound>,
    /// The path of the endpoint.
    endpoint: &'static str,
    /// What clients begin its address with.
    scheme: &'static str,
    behind_proxy: bool,
}

impl Door {
    /// A door that `inbound` decides at. `is_safe`: clients come over TLS; `behind_proxy`: they come through a proxy, which
    /// says who they are.
    #[must_use]
    pub fn new(inbound: Arc<Inbound>, endpoint: &'static str, is_safe: bool, behind_proxy: bool) -> Self {
        Self { inbound, endpoint, scheme: if is_safe { "https" } else { "http" }, behind_proxy }
    }

    /// Who asks.
    ///
    /// # Errors
    /// 401, 403 for a scope or an agent, 429 after many wrong credentials, 503 while nothing can be checked.
    pub async fn admit(&self, headers: &HeaderMap, peer: SocketAddr) -> Result<Pass, Refusal> {
        // Two of them, or one that is no text, are one that is wrong.
        let shown = single(headers, names::AUTHORIZATION).unwrap_or(Some(""));
        let peer = self.peer(headers, peer);
        let mut pass =
            self.inbound.admit(shown, peer).await.map_err(|denied| self.refuse(headers, denied))?;
        if headers.contains_key(&header::AGENT) {
            let agent = agent(headers)?;
            pass.caller = pass.caller.clone().acting_as(agent).map_err(|why| {
                let text = format!("{why}: send no `X-Agent-Id`");
                Refusal::new(StatusCode::FORBIDDEN, text).by(pass.caller)
            })?;
        }
        Ok(pass)
    }

    /// The description of this gateway for clients that look for where to get a token; `None` when this is no such path.
    #[must_use]
    pub fn description(
        &self,
        method: &Method,
        path: &str,
        headers: &HeaderMap,
    ) -> Option<Result<Reply, Refusal>> {
        if !path.starts_with(challenge::WELL_KNOWN) {
            return None;
        }
        let settings = self.inbound.settings();
        if !challenge::is_well_known(&settings, self.endpoint, path) {
            return None;
        }
        if method != Method::GET {
            return Some(Err(Refusal::method("GET")));
        }
        let description = challenge::description(&settings, &self.asked(headers));
        Some(Ok(reply::json(StatusCode::OK, description.to_string().into_bytes())))
    }

    /// What ends a long answer when `pass` does not hold any more; `None` when it always does.
    #[must_use]
    pub fn lease(&self, pass: &Pass) -> Option<Lease> {
        let proof = pass.proof.clone()?;
        Some(Lease::new(Arc::clone(&self.inbound), proof))
    }

    fn refuse(&self, headers: &HeaderMap, denied: Denied) -> Refusal {
        let challenge = |fault| {
            let settings = self.inbound.settings();
            let values = challenge::headers(&settings, &self.asked(headers), fault);
            values.into_iter().filter_map(|value| HeaderValue::try_from(value).ok()).collect()
        };
        match denied {
            Denied::Missing => Refusal::unauthorized(
                "this gateway needs a credential: send `Authorization: Bearer` with a key or token that it knows",
                challenge(Fault::None),
            ),
            Denied::Wrong => Refusal::unauthorized(
                "the credential is not accepted: it is wrong, has expired or was revoked",
                challenge(Fault::InvalidToken),
            ),
            Denied::Scope { needed, caller } => {
                let text = format!("the token lacks a scope; these are needed: {}", needed.join(" "));
                let refusal = Refusal::new(StatusCode::FORBIDDEN, text).by(caller);
                refusal.challenging(challenge(Fault::InsufficientScope))
            }
            Denied::TooMany(wait) => {
                let text = "too many wrong credentials came from this address: try again later";
                Refusal::new(StatusCode::TOO_MANY_REQUESTS, text).later(wait)
            }
            Denied::Unknown => {
                let text = "the token cannot be checked now: the keys of its issuer cannot be read";
                Refusal::new(StatusCode::SERVICE_UNAVAILABLE, text).later(SOON)
            }
        }
    }

    /// The address of the endpoint as the client wrote it. The guard knows its host.
    fn asked(&self, headers: &HeaderMap) -> String {
        let host = single(headers, names::HOST).ok().flatten().unwrap_or("localhost");
        format!("{}://{host}{}", self.scheme, self.endpoint)
    }

    /// From where a request came: behind a proxy the one that the proxy saw, which it wrote last.
    #[must_use]
    pub fn peer(&self, headers: &HeaderMap, peer: SocketAddr) -> IpAddr {
        let seen = || {
            let last = headers.get_all("x-forwarded-for").iter().next_back()?.to_str().ok()?;
            last.rsplit(',').next()?.trim().parse().ok()
        };
        if self.behind_proxy { seen().unwrap_or(peer.ip()) } else { peer.ip() }
    }
}

/// The agent that the request names.
fn agent(headers: &HeaderMap) -> Result<&str, Refusal> {
    let named = single(headers, &header::AGENT).ok().flatten().map(str::trim);
    let named = named.filter(|agent| !agent.is_empty() && agent.len() <= LONGEST_AGENT);
    named.ok_or_else(|| Refusal::new(StatusCode::BAD_REQUEST, "`X-Agent-Id` does not name one agent"))
}
