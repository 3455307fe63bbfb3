//! The paths of this front, and what is behind each: one table for the router, for what is written down, and for tests.
//!
//! What is turned on, and who may go there, is not said here.

use crate::front::admin;
use crate::front::http::site::MCP;
use crate::front::http::sse;
use crate::front::http::switch;

/// Every path that leads somewhere, whatever is turned on, besides the descriptions below `/.well-known`.
pub const PATHS: [(&str, Place); 7] = [
    (MCP, Place::Endpoint),
    (sse::PATH, Place::Events),
    (sse::MESSAGES, Place::Messages),
    (switch::PATH, Place::Socket),
    (admin::STATUS, Place::Page),
    (admin::HEALTH, Place::Page),
    (admin::READY, Place::Page),
];

/// What is behind a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Streamable HTTP.
    Endpoint,
    /// The stream of 2024-11-05.
    Events,
    /// What is said beside that stream.
    Messages,
    /// WebSockets.
    Socket,
    /// A page of `front/admin.rs`.
    Page,
}

/// The line of the table for `path`.
#[must_use]
pub fn at(path: &str) -> Option<(&'static str, Place)> {
    PATHS.into_iter().find(|(known, _)| *known == path)
}
