//! Headers of MCP, and reading one that may stand only once.
//!
//! Source: MCP 2026-07-28 and 2025-11-25, `basic/transports`. What they must say is checked where it matters.

use http::HeaderMap;
use http::HeaderName;
use http::header::AsHeaderName;

/// The session of a legacy client.
pub static SESSION: HeaderName = HeaderName::from_static("mcp-session-id");
/// The revision spoken.
pub static VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");
/// Where a client lost a stream.
pub static LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
/// Modern: the method of the body.
pub static METHOD: HeaderName = HeaderName::from_static("mcp-method");
/// Modern: the tool, prompt or resource of the body.
pub static NAME: HeaderName = HeaderName::from_static("mcp-name");
/// The agent that acts, where a credential may say so.
pub static AGENT: HeaderName = HeaderName::from_static("x-agent-id");
/// Asks proxies to pass a stream on as it comes.
pub static ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// Why a header has no single value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unclear {
    /// Two readers could see two values.
    #[error("occurs more than once")]
    Twice,
    /// It holds more than visible ASCII.
    #[error("holds characters that are not visible ASCII")]
    NotText,
}

/// The value of a header that may stand at most once.
///
/// # Errors
/// [`Unclear`] when there are several, or it is no text.
pub fn single(headers: &HeaderMap, name: impl AsHeaderName) -> Result<Option<&str>, Unclear> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(Unclear::Twice);
    }
    value.to_str().map(Some).map_err(|_| Unclear::NotText)
}
