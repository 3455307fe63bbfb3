//! The way of an answer to a question that a client was asked.
//!
//! Which questions are open is in `session.rs`.

use std::sync::Arc;
use tokio::time::Instant;

/// Takes an answer: the member `"result":…` or `"error":…`.
pub(in crate::gateway) type TakesReply = Arc<dyn Fn(&str) + Send + Sync>;

/// Takes the client's answer to a question that came because of the request `call`.
pub(in crate::gateway) struct Reply {
    pub(in crate::gateway) call: Box<str>,
    /// The id that the server gave the question (JSON text).
    pub(in crate::gateway) asked_as: Box<str>,
    pub(in crate::gateway) since: Instant,
    pub(in crate::gateway) take: TakesReply,
}

impl std::fmt::Debug for Reply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Reply")
    }
}
