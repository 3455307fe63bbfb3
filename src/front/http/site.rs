//! What all requests of one front share.
//!
//! It decides nothing.

use crate::front::http::backing::Backing;
use crate::front::http::door::Door;
use crate::front::http::guard::Guard;
use crate::front::http::intake::Allowance;
use crate::front::http::sessions::Sessions;
use crate::gateway::session::Session;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;

/// The endpoint.
pub const MCP: &str = "/mcp";

/// One front, while it runs.
pub struct Site {
    /// The gateway behind it.
    pub backing: Arc<dyn Backing>,
    /// From where it may be talked to.
    pub guard: Guard,
    /// Who may come in.
    pub door: Door,
    /// Its legacy sessions.
    pub sessions: Arc<Sessions>,
    /// For bodies of requests.
    pub allowance: Allowance,
    /// Deepest nesting of a message.
    pub depth: usize,
    /// Bytes that may wait for a client which does not read.
    pub queue_bytes: usize,
    /// Whether the transport of 2024-11-05 is served too.
    pub sse: bool,
    /// Whether WebSockets are served too.
    pub websocket: bool,
    /// Set once the front is to end: no new requests are taken.
    pub ending: AtomicBool,
    /// Whether the pages of `front/admin.rs` are shown to programs on this machine: nobody else gets here.
    pub admin: bool,
}

impl Site {
    /// Notes where the client of `session` is, if that is clear: at a front that only this machine gets to.
    pub fn place(&self, session: &Session) {
        if self.admin {
            session.passed.comes_from_here();
        }
    }

    /// True once the front or the gateway is to end.
    #[must_use]
    pub fn is_ending(&self) -> bool {
        self.ending.load(Ordering::Relaxed) || self.backing.is_ending()
    }
}
