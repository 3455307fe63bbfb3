//! What the HTTP front needs of a gateway.
//!
//! It decides nothing: it is the seam that lets the front be tested with a gateway that does what the test says.

use crate::auth::caller::Caller;
use crate::config::model::access::ObjectKind;
use crate::config::model::auth::AuthSettings;
use crate::gateway::Gateway;
use crate::gateway::audit::refused::RefusedClient;
use crate::gateway::session::Session;
use crate::protocol::param_header::ParamHeader;
use crate::wire::guard::guarded;
use crate::wire::message::Malformed;
use crate::wire::message::Message;
use crate::wire::sink::Sink;
use http::HeaderMap;
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
    /// Takes a batch of messages; `true` when an array of answers arrives in `sink`.
    ///
    /// # Errors
    /// [`Malformed`] when it is no batch, or this client has none.
    fn accept_batch(
        &self,
        session: &Arc<Session>,
        bytes: &[u8],
        depth: usize,
        sink: &Sink,
    ) -> Result<bool, Malformed>;
    /// Answers a message that could not be read.
    fn refuse(&self, malformed: &Malformed, sink: &Sink);
    /// The client no longer wants the request `id` (JSON text).
    fn cancel(&self, session: &Arc<Session>, id: &str, reason: &str);
    /// The arguments of a tool that headers must repeat.
    fn param_headers(&self, caller: &Caller, tool: &str) -> Vec<ParamHeader>;
    /// Keeps of the headers of the request that made `session` what servers may be passed.
    fn note_headers(&self, session: &Session, headers: &HeaderMap) {
        let _ = (session, headers);
    }
    /// Who may connect, as the configuration of the moment has it; `None` when that does not change.
    fn auth(&self) -> Option<Arc<AuthSettings>>;
    /// True once no new requests are taken. Part of every request.
    fn is_ending(&self) -> bool;
    /// Why requests are better sent elsewhere; `None` while they are taken.
    fn unready(&self) -> Option<&'static str>;
    /// A request was refused for who sent it, or for where it came from.
    fn refused_client(&self, refused: &RefusedClient<'_>) {
        let _ = refused;
    }
    /// True when `caller` may see how everything is.
    fn is_admin(&self, caller: &Caller) -> bool;
    /// How everything is, for people and scripts.
    fn status(&self) -> serde_json::Value;
}

impl Backing for Gateway {
    fn open_session(&self, caller: Caller) -> Arc<Session> {
        Self::open_session(self, caller)
    }

    fn refused_client(&self, refused: &RefusedClient<'_>) {
        self.core().refused_client(refused);
    }

    fn lone_session(&self, caller: Caller) -> Arc<Session> {
        Self::lone_session(self, caller)
    }

    fn note_headers(&self, session: &Session, headers: &HeaderMap) {
        Self::note_headers(self, session, headers);
    }

    fn close_session(&self, session: &Arc<Session>) {
        Self::close_session(self, session, "the HTTP session ended");
    }

    fn accept(&self, session: &Arc<Session>, message: Message<'_>, sink: &Sink) {
        guarded("a message of a client", || Self::accept(self, session, &message, sink));
    }

    fn accept_batch(
        &self,
        session: &Arc<Session>,
        bytes: &[u8],
        depth: usize,
        sink: &Sink,
    ) -> Result<bool, Malformed> {
        Self::accept_batch(self, session, bytes, depth, sink).map(|gathering| gathering.is_some())
    }

    fn refuse(&self, malformed: &Malformed, sink: &Sink) {
        Self::refuse(self, malformed, sink);
    }

    fn cancel(&self, session: &Arc<Session>, id: &str, reason: &str) {
        Self::cancel(self, session, id, reason);
    }

    fn param_headers(&self, caller: &Caller, tool: &str) -> Vec<ParamHeader> {
        let snapshot = self.snapshot();
        let route = snapshot.catalog.resolve_tool(tool);
        // A tool that the caller may not use is like one that does not exist.
        let permitted = route.and_then(|route| snapshot.policy.permit(caller, ObjectKind::Tool, route).ok());
        permitted.map_or_else(Vec::new, |_| snapshot.catalog.param_headers(tool).to_vec())
    }

    fn auth(&self) -> Option<Arc<AuthSettings>> {
        Some(Arc::clone(&self.config().settings.auth))
    }

    fn is_ending(&self) -> bool {
        self.core().standing().is_ending()
    }

    fn unready(&self) -> Option<&'static str> {
        Self::unready(self)
    }

    fn is_admin(&self, caller: &Caller) -> bool {
        self.snapshot().policy.is_admin(caller)
    }

    fn status(&self) -> serde_json::Value {
        serde_json::to_value(Self::status(self)).unwrap_or_default()
    }
}
