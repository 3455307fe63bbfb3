//! Servers that are reached over Streamable HTTP, of either era.
//!
//! [`connect`] makes the connection; `http/era.rs` says the first words, `http/talk.rs` carries requests, `http/listen.rs`
//! hears what a legacy server says unasked. The old HTTP+SSE transport of 2024-11-05 is `http/old.rs`; WebSockets are not
//! here.

pub mod client;
mod crew;
mod direct;
pub mod endpoint;
mod era;
mod failure;
pub mod found;
mod link;
mod listen;
pub mod login;
mod mark;
pub mod old;
mod parcel;
pub mod reply;
mod response;
mod resume;
mod session;
pub mod sse;
mod stale;
mod talk;
#[cfg(test)]
mod tests;
mod trouble;

use crate::auth::outbound::Shows;
use crate::config::model::Http;
use crate::config::model::StopGrace;
use crate::config::model::Transport;
use crate::config::model::Wire;
use crate::downstream::connect::BoxFuture;
use crate::downstream::connect::Connection;
use crate::downstream::connect::Lifeline;
use crate::downstream::connect::Order;
use crate::downstream::error::StartError;
use crate::downstream::http::client::HttpClient;
use crate::downstream::http::endpoint::Endpoint;
use crate::downstream::http::era::Met;
use crate::downstream::http::found::Found;
use crate::downstream::http::link::HttpLink;
use crate::downstream::http::login::Login;
use crate::downstream::http::old::NotOpened;
use crate::downstream::http::session::Session;
use crate::downstream::http::talk::Talk;
use crate::wire::pending::Pending;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::time::Duration;
use tokio::sync::watch;

/// Longest wait for the end of a session.
const GOODBYE: Duration = Duration::from_secs(5);

/// Connects to the server of `order`, showing `shows`, and completes the handshake, with the token of `login` where the
/// server wants one. The caller bounds the time.
///
/// # Errors
/// [`StartError::Unauthorized`], [`StartError::NeedsLogin`], [`StartError::Unreachable`] or [`StartError::Refused`].
pub async fn connect(
    order: Order,
    client: &HttpClient,
    found: &Found,
    shows: Shows,
    login: Option<Login>,
) -> Result<Connection, StartError> {
    let server = Arc::clone(&order.server);
    let unusable = |why: String| StartError::Unreachable { server: server.name.clone(), why };
    let Transport::Http(http) = &server.transport else {
        return Err(unusable("its entry has no `url`".into()));
    };
    let endpoint = Endpoint::new(&server.name, http, client, order.limits, &shows).map_err(unusable)?;
    let endpoint = endpoint.with_login(login);
    match http.wire {
        Wire::Sse => match old::open(&endpoint, server.start_timeout).await {
            Ok(opened) => old::connect(&order, opened).await,
            Err(NotOpened::Unspoken(why)) => Err(unusable(format!("as an HTTP+SSE server it {why}"))),
            Err(NotOpened::Start(error)) => Err(error),
        },
        Wire::Either if found.is_old(&http.url.value) => {
            match old::open(&endpoint, server.start_timeout / 3).await {
                Ok(opened) => old::connect(&order, opened).await,
                Err(NotOpened::Unspoken(_)) => {
                    found.forget(&http.url.value);
                    either(order, endpoint, http, found).await
                }
                Err(NotOpened::Start(error)) => Err(error),
            }
        }
        Wire::Either => either(order, endpoint, http, found).await,
        Wire::Streamable | Wire::WebSocket => streamable(order, endpoint).await.map_err(with_hint),
    }
}

/// Streamable HTTP, and HTTP+SSE when the answer to a POST says that it is not spoken (2025-11-25,
/// `basic/transports`, backwards compatibility).
async fn either(
    order: Order,
    endpoint: Endpoint,
    http: &Http,
    found: &Found,
) -> Result<Connection, StartError> {
    let old = endpoint.at(endpoint.url().clone());
    let (server, method, status, why) = match streamable(order.clone(), endpoint).await {
        Err(StartError::Refused { server, method, status: status @ Some(400 | 404 | 405), why }) => {
            (server, method, status, why)
        }
        other => return other,
    };
    match old::open(&old, order.server.start_timeout / 3).await {
        Ok(opened) => {
            tracing::debug!(%server, why, "not a Streamable HTTP server; it speaks HTTP+SSE");
            found.remember_old(&http.url.value);
            old::connect(&order, opened).await
        }
        Err(NotOpened::Unspoken(besides)) => {
            let why = format!(
                "over Streamable HTTP {why}; as an HTTP+SSE server it {besides}; is `url` its MCP endpoint?"
            );
            Err(StartError::Refused { server, method, status, why })
        }
        Err(NotOpened::Start(error)) => Err(error),
    }
}

/// An entry that insists on Streamable HTTP is told of the other transport where that may be what is spoken.
fn with_hint(error: StartError) -> StartError {
    match error {
        StartError::Refused { server, method, status: status @ Some(404 | 405), why } => {
            let why = format!(
                "{why}; is `url` its MCP endpoint? for the old HTTP+SSE transport write `\"type\": \"sse\"`"
            );
            StartError::Refused { server, method, status, why }
        }
        other => other,
    }
}

async fn streamable(order: Order, endpoint: Endpoint) -> Result<Connection, StartError> {
    let server = &order.server;
    let Met { greeting, stamp } = era::meet(&endpoint, server, order.era, &order.declared).await?;
    let link = HttpLink::open(Talk {
        endpoint,
        era: greeting.era,
        session: stamp.map(Session::new),
        pending: Pending::new(server.max_in_flight),
        listener: order.listener,
        declared: order.declared,
        patience: server.start_timeout,
        ended: watch::Sender::new(None),
        breaker: order.breaker,
        failures: AtomicU32::new(0),
    });
    let lifeline = Box::new(HttpLifeline { link: Arc::clone(&link) });
    Ok(Connection { link, greeting, lifeline })
}

/// Owns the tasks of a connection: dropping it ends them.
struct HttpLifeline {
    link: Arc<HttpLink>,
}

impl Lifeline for HttpLifeline {
    fn ended(&mut self) -> BoxFuture<'_, Arc<str>> {
        let mut ended = self.link.talk().ended.subscribe();
        Box::pin(async move {
            match ended.wait_for(Option::is_some).await.ok().and_then(|how| how.clone()) {
                Some(how) => how,
                None => std::future::pending().await,
            }
        })
    }

    fn stop(self: Box<Self>, _: StopGrace) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            let talk = self.link.talk();
            let ended_by_itself = talk.ended.borrow().is_some();
            self.link.close("was stopped").shutdown().await;
            let Some(stamp) = talk.session.as_ref().map(Session::stamp) else { return };
            if stamp.id.is_some() && !ended_by_itself {
                // Servers may refuse it; there is nothing more to be done then.
                let _ = tokio::time::timeout(GOODBYE, talk.endpoint.delete(mark::ending(&stamp))).await;
            }
        })
    }

    fn pid(&self) -> Option<u32> {
        None
    }

    fn last_words(&self) -> Vec<String> {
        Vec::new()
    }
}

impl Drop for HttpLifeline {
    fn drop(&mut self) {
        drop(self.link.close("was dropped"));
    }
}
