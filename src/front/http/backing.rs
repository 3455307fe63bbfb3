//! What the HTTP front needs of a gateway.
//!
//! It decides nothing: it is the seam that lets the front be tested with a gateway that does what the test says.

use crate::auth::caller::Caller;
use crate::gateway::Gateway;
use crate::gateway::session::Session;
use crate::wire::message::Message;
use crate::wire::sink::Sink;
use std::sync::Arc;

/// The gateway, seen from a front. Nothing here waits.
pub trait Backing: Send + Sync + 'static {
    /// A session that also gets messages which belong to no request.
    fn open_session(&self, caller: Caller) -> Arc<Session>;
    /// A session for one request.
    fn lone_session(&self, caller: Caller) -> Arc<Session>;
    /// Ends a session and cancels what it has in flight.
    fn close_session(&self, session: &Arc<Session>);
    /// Takes one message; the answer to a request arrives in `sink`.
    fn accept(&self, session: &Arc<Session>, message: Message<'_>, sink: &Sink);
    /// The client no longer wants the request `id` (JSON text).
    fn cancel(&self, session: &Arc<Session>, id: &str, reason: &str);
    /// How everything is, for people and scripts.
    fn status(&self) -> serde_json::Value;
}

impl Backing for Gateway {
    fn open_session(&self, caller: Caller) -> Arc<Session> {
        Self::open_session(self, caller)
    }

    fn lone_session(&self, caller: Caller) -> Arc<Session> {
        Self::lone_session(self, caller)
    }

    fn close_session(&self, session: &Arc<Session>) {
        Self::close_session(self, session, "the HTTP session ended");
    }

    fn accept(&self, session: &Arc<Session>, message: Message<'_>, sink: &Sink) {
        Self::accept(self, session, &message, sink);
    }

    fn cancel(&self, session: &Arc<Session>, id: &str, reason: &str) {
        Self::cancel(self, session, id, reason);
    }

    fn status(&self) -> serde_json::Value {
        serde_json::to_value(Self::status(self)).unwrap_or_default()
    }
}
