//! What all requests of one front share.
//!
//! It has no behaviour of its own.

use crate::front::http::backing::Backing;
use crate::front::http::guard::Guard;
use crate::front::http::intake::Allowance;
use crate::front::http::sessions::Sessions;
use std::sync::Arc;

/// One front, while it runs.
pub struct Site {
    /// The gateway behind it.
    pub backing: Arc<dyn Backing>,
    /// Who may talk to it.
    pub guard: Guard,
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
    /// Whether the pages of `front/admin.rs` are shown to programs on this machine.
    pub admin: bool,
}
