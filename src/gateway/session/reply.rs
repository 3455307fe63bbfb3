//! The way of an answer to a question that a client was asked.
//!
//! Which questions are open is in `session.rs`.

use std::collections::HashMap;
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

/// What a server is told whose question is not answered any more.
pub(in crate::gateway) const OVER: &str =
    r#""error":{"code":-32603,"message":"the call that this belongs to is over"}"#;

/// The id of the question `number` to a client that had `before` other gateways, which numbered theirs.
pub(in crate::gateway) fn question_id(before: u32, number: u64) -> Box<str> {
    match before {
        0 => format!("\"ask-{number}\"").into(),
        _ => format!("\"ask-{before}-{number}\"").into(),
    }
}

/// Takes the questions out that came because of the request `call`.
pub(in crate::gateway) fn take_because_of(
    asked: &mut HashMap<Box<str>, Reply>,
    call: &str,
) -> Vec<(Box<str>, Reply)> {
    asked.extract_if(|_, reply| *reply.call == *call).collect()
}
