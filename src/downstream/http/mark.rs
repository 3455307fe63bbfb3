//! The headers that the protocol sets: `Accept`, `MCP-Protocol-Version`, `Mcp-Session-Id`, `Mcp-Method`, `Mcp-Name`,
//! `Mcp-Param-*`.
//!
//! Source: MCP 2026-07-28 and 2025-11-25, `basic/transports/streamable-http`. Which arguments
//! are repeated is not decided here.

use crate::downstream::http::session::Stamp;
use crate::protocol::version::NEWEST_MODERN;
use crate::secret::Secret;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use http::HeaderName;
use http::HeaderValue;
use http::header::ACCEPT;
use http::header::AUTHORIZATION;
use http::header::CONTENT_TYPE;
use std::borrow::Cow;

/// The revision of a request.
pub const VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");
/// The session of a legacy request.
pub const SESSION: HeaderName = HeaderName::from_static("mcp-session-id");
const METHOD: HeaderName = HeaderName::from_static("mcp-method");
const NAME: HeaderName = HeaderName::from_static("mcp-name");
const LAST_EVENT: HeaderName = HeaderName::from_static("last-event-id");

const BOTH: HeaderValue = HeaderValue::from_static("application/json, text/event-stream");
const ANY: HeaderValue = HeaderValue::from_static("*/*");
const EVENTS: HeaderValue = HeaderValue::from_static("text/event-stream");
const JSON: HeaderValue = HeaderValue::from_static("application/json");
const SENTINEL: (&str, &str) = ("=?base64?", "?=");

/// Headers that the protocol sets, as lines that are sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Marks(Vec<u8>);

impl Marks {
    fn new(accept: &HeaderValue) -> Self {
        let mut marks = Self(Vec::with_capacity(384));
        marks.put(&ACCEPT, accept.as_bytes());
        marks
    }

    /// What is sent.
    #[must_use]
    pub fn lines(&self) -> &[u8] {
        &self.0
    }

    /// The same, with a token.
    #[must_use]
    pub fn showing(&self, token: &Secret) -> Self {
        let mut marks = Self(Vec::with_capacity(self.0.len() + token.expose().len() + 32));
        marks.0.extend_from_slice(&self.0);
        // A token holds visible characters only: it is checked where it comes in.
        put(&mut marks.0, AUTHORIZATION.as_str(), format!("Bearer {}", token.expose()).as_bytes());
        marks
    }

    /// The same, as a map.
    #[must_use]
    pub fn map(&self) -> HeaderMap {
        let lines = self.0.split(|byte| *byte == b'\n').filter_map(|line| line.strip_suffix(b"\r"));
        let pair = |line: &[u8]| {
            let colon = memchr::memchr(b':', line)?;
            let name = HeaderName::from_bytes(&line[..colon]).ok()?;
            Some((name, HeaderValue::from_bytes(line[colon + 1..].trim_ascii_start()).ok()?))
        };
        lines.filter_map(pair).collect()
    }

    /// The same, with a credential.
    #[must_use]
    pub fn with(&self, shown: &[(HeaderName, HeaderValue)]) -> Self {
        let length: usize = shown.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
        let mut marks = Self(Vec::with_capacity(self.0.len() + length));
        marks.0.extend_from_slice(&self.0);
        shown.iter().for_each(|(name, value)| marks.put(name, value.as_bytes()));
        marks
    }

    fn put(&mut self, name: &HeaderName, value: &[u8]) {
        put(&mut self.0, name.as_str(), value);
    }

    fn put_stamp(&mut self, stamp: &Stamp) {
        self.put(&VERSION, stamp.version.as_bytes());
        if let Some(id) = &stamp.id {
            self.put(&SESSION, id.as_bytes());
        }
    }
}

/// The headers of a POST outside any session.
#[must_use]
pub fn plain() -> Marks {
    let mut marks = Marks::new(&BOTH);
    marks.put(&CONTENT_TYPE, JSON.as_bytes());
    marks
}

/// The headers of a GET that opens a stream outside any session.
#[must_use]
pub fn streaming() -> Marks {
    Marks::new(&EVENTS)
}

/// The headers of a legacy POST.
#[must_use]
pub fn legacy(stamp: &Stamp) -> Marks {
    let mut marks = plain();
    marks.put_stamp(stamp);
    marks
}

/// The headers of a modern POST of `method`; `target` is the tool, the prompt, the URI or the task it is about, `params`
/// are the arguments that headers repeat.
#[must_use]
pub fn modern(method: &str, target: Option<&str>, params: &[(String, String)]) -> Marks {
    let mut marks = plain();
    marks.put(&VERSION, NEWEST_MODERN.as_bytes());
    marks.put(&METHOD, encoded(method).as_bytes());
    if let Some(target) = target
        && matches!(
            method,
            "tools/call" | "prompts/get" | "resources/read" | "tasks/get" | "tasks/update" | "tasks/cancel"
        )
    {
        marks.put(&NAME, encoded(target).as_bytes());
    }
    for (name, value) in params {
        // The rules for annotations leave only names that a header can have.
        if let Ok(name) = HeaderName::try_from(name.as_str()) {
            marks.put(&name, encoded(value).as_bytes());
        }
    }
    marks
}

/// The headers of the GET that opens the stream of a session, going on after the event `last`.
#[must_use]
pub fn listening(stamp: &Stamp, last: Option<&str>) -> Marks {
    let mut marks = streaming();
    marks.put_stamp(stamp);
    if let Some(last) = last.and_then(|id| HeaderValue::from_str(id).ok()) {
        marks.put(&LAST_EVENT, last.as_bytes());
    }
    marks
}

/// The headers of the DELETE that ends a session.
#[must_use]
pub fn ending(stamp: &Stamp) -> Marks {
    let mut marks = Marks::new(&ANY);
    marks.put_stamp(stamp);
    marks
}

/// Adds one line. `value` holds no line break: it comes from a [`HeaderValue`] or was encoded.
pub fn put(lines: &mut Vec<u8>, name: &str, value: &[u8]) {
    for part in [name.as_bytes(), b": ", value, b"\r\n"] {
        lines.extend_from_slice(part);
    }
}

/// True for headers that repeat an argument.
#[must_use]
pub fn is_param(name: &HeaderName) -> bool {
    name.as_str().starts_with("mcp-param-")
}

/// True for headers that an entry cannot set, because they belong to the protocol or to the framing of HTTP.
#[must_use]
pub fn is_reserved(name: &HeaderName) -> bool {
    let framing = ["accept", "connection", "content-length", "content-type", "transfer-encoding", "upgrade"];
    [VERSION, SESSION, METHOD, NAME, LAST_EVENT].contains(name) || framing.contains(&name.as_str())
}

/// `text` as it may stand in a header: itself, or `=?base64?…?=` when it could not be read back otherwise.
fn encoded(text: &str) -> Cow<'_, str> {
    let visible = text.bytes().all(|byte| matches!(byte, 0x20..=0x7e)) && text.trim_matches(' ') == text;
    let looks_encoded = text.starts_with(SENTINEL.0) && text.ends_with(SENTINEL.1);
    if visible && !looks_encoded {
        return Cow::Borrowed(text);
    }
    Cow::Owned(format!("{}{}{}", SENTINEL.0, STANDARD.encode(text), SENTINEL.1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_travel_as_they_are_or_as_base64() {
        for (text, sent) in [
            ("read_file", "read_file"),
            ("file:///a b", "file:///a b"),
            ("", ""),
            ("grüße", "=?base64?Z3LDvMOfZQ==?="),
            (" a", "=?base64?IGE=?="),
            ("a\n", "=?base64?YQo=?="),
            ("=?base64?YQ==?=", "=?base64?PT9iYXNlNjQ/WVE9PT89?="),
            ("=?base64?", "=?base64?"),
        ] {
            assert_eq!(encoded(text), sent, "{text}");
        }
    }

    #[test]
    fn only_some_methods_name_their_target() {
        let name = |method| modern(method, Some("x"), &[]).map().get(NAME).is_some();
        assert!(name("tools/call") && name("prompts/get") && name("resources/read"));
        assert!(name("tasks/get") && name("tasks/update") && name("tasks/cancel"));
        assert!(!name("completion/complete") && !name("tools/list"));
        assert_eq!(modern("tools/list", None, &[]).map()[METHOD], "tools/list");
        assert_eq!(modern("tools/list", None, &[]).map()[VERSION], "2026-07-28");
        let params = [("mcp-param-region".to_owned(), "ä".to_owned())];
        assert_eq!(modern("tools/call", Some("x"), &params).map()["mcp-param-region"], "=?base64?w6Q=?=");
    }
}
