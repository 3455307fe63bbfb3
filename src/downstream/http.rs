//! Servers that are reached over Streamable HTTP, of either era.
//!
//! [`connect`] makes the connection; `http/era.rs` says the first words, `http/talk.rs` carries requests, `http/listen.rs`
//! hears what a legacy server says unasked. The old HTTP+SSE transport of 2024-11-05 is not spoken.

pub mod client;
mod endpoint;
mod era;
mod link;
mod listen;
mod mark;
mod parcel;
mod reply;
mod roots;
mod session;
mod sse;
mod talk;
#[cfg(test)]
mod tests;

use crate::config::model::StopGrace;
use crate::config::model::Transport;
use crate::downstream::connect::BoxFuture;
use crate::downstream::connect::Connection;
use crate::downstream::connect::Lifeline;
use crate::downstream::connect::Order;
use crate::downstream::error::StartError;
use crate::downstream::http::client::HttpClient;
use crate::downstream::http::endpoint::Endpoint;
use crate::downstream::http::era::Met;
use crate::downstream::http::link::HttpLink;
use crate::downstream::http::session::Session;
use crate::downstream::http::talk::Talk;
use crate::wire::pending::Pending;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::time::Duration;
use tokio::sync::watch;

/// Longest wait for the end of a session.
const GOODBYE: Duration = Duration::from_secs(5);

/// Connects to the server of `order` and completes the handshake. The caller bounds the time.
///
/// # Errors
/// [`StartError::Unauthorized`], [`StartError::Unreachable`] or [`StartError::Refused`].
pub async fn connect(order: Order, client: &HttpClient) -> Result<Connection, StartError> {
    let server = &order.server;
    let unusable = |why: String| StartError::Unreachable { server: server.name.clone(), why };
    let Transport::Http(http) = &server.transport else {
        return Err(unusable("its entry has no `url`".into()));
    };
    let endpoint = Endpoint::new(&server.name, http, client, order.limits).map_err(unusable)?;
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
