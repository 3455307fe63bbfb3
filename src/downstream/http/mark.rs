//! The headers that the protocol sets: `Accept`, `MCP-Protocol-Version`, `Mcp-Session-Id`, `Mcp-Method`, `Mcp-Name`,
//! `Mcp-Param-*`.
//!
//! Source: MCP 2026-07-28 and 2025-11-25, `basic/transports/streamable-http`. Which arguments
//! are repeated is not decided here.

use crate::downstream::http::session::Stamp;
use crate::protocol::version::NEWEST_MODERN;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::ACCEPT;
use reqwest::header::CONTENT_TYPE;
use reqwest::header::HeaderMap;
use reqwest::header::HeaderName;
use reqwest::header::HeaderValue;
use std::borrow::Cow;

/// The revision of a request.
pub const VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");
/// The session of a legacy request.
pub const SESSION: HeaderName = HeaderName::from_static("mcp-session-id");
const METHOD: HeaderName = HeaderName::from_static("mcp-method");
const NAME: HeaderName = HeaderName::from_static("mcp-name");
const LAST_EVENT: HeaderName = HeaderName::from_static("last-event-id");

const BOTH: HeaderValue = HeaderValue::from_static("application/json, text/event-stream");
const EVENTS: HeaderValue = HeaderValue::from_static("text/event-stream");
const JSON: HeaderValue = HeaderValue::from_static("application/json");
const SENTINEL: (&str, &str) = ("=?base64?", "?=");

/// The headers of a POST outside any session.
#[must_use]
pub fn plain() -> HeaderMap {
    let mut marks = HeaderMap::with_capacity(12);
    marks.insert(ACCEPT, BOTH);
    marks.insert(CONTENT_TYPE, JSON);
    marks
}

/// The headers of a GET that opens a stream outside any session.
#[must_use]
pub fn streaming() -> HeaderMap {
    HeaderMap::from_iter([(ACCEPT, EVENTS)])
}

/// The headers of a legacy POST.
#[must_use]
pub fn legacy(stamp: &Stamp) -> HeaderMap {
    let mut marks = plain();
    put_stamp(&mut marks, stamp);
    marks
}

/// The headers of a modern POST of `method`; `target` is the tool, the prompt, the URI or the task it is about, `params`
/// are the arguments that headers repeat.
#[must_use]
pub fn modern(method: &str, target: Option<&str>, params: &[(String, String)]) -> HeaderMap {
    let mut marks = plain();
    marks.insert(VERSION, HeaderValue::from_static(NEWEST_MODERN));
    marks.insert(METHOD, value_of(method));
    if let Some(target) = target
        && matches!(
            method,
            "tools/call" | "prompts/get" | "resources/read" | "tasks/get" | "tasks/update" | "tasks/cancel"
        )
    {
        marks.insert(NAME, value_of(target));
    }
    for (name, value) in params {
        // The rules for annotations leave only names that a header can have.
        if let Ok(name) = HeaderName::try_from(name.as_str()) {
            marks.insert(name, value_of(value));
        }
    }
    marks
}

/// The headers of the GET that opens the stream of a session, going on after the event `last`.
#[must_use]
pub fn listening(stamp: &Stamp, last: Option<&str>) -> HeaderMap {
    let mut marks = HeaderMap::with_capacity(8);
    marks.insert(ACCEPT, EVENTS);
    put_stamp(&mut marks, stamp);
    if let Some(last) = last.and_then(|id| HeaderValue::from_str(id).ok()) {
        marks.insert(LAST_EVENT, last);
    }
    marks
}

/// The headers of the DELETE that ends a session.
#[must_use]
pub fn ending(stamp: &Stamp) -> HeaderMap {
    let mut marks = HeaderMap::with_capacity(8);
    put_stamp(&mut marks, stamp);
    marks
}

/// True for headers that an entry cannot set, because they belong to the protocol or to the framing of HTTP.
#[must_use]
pub fn is_reserved(name: &HeaderName) -> bool {
    let framing = ["accept", "connection", "content-length", "content-type", "transfer-encoding", "upgrade"];
    [VERSION, SESSION, METHOD, NAME, LAST_EVENT].contains(name) || framing.contains(&name.as_str())
}

fn put_stamp(marks: &mut HeaderMap, stamp: &Stamp) {
    marks.insert(VERSION, stamp.version.clone());
    if let Some(id) = &stamp.id {
        marks.insert(SESSION, id.clone());
    }
}

fn value_of(text: &str) -> HeaderValue {
    HeaderValue::from_str(&encoded(text)).expect("what is encoded is visible ASCII")
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
        let name = |method| modern(method, Some("x"), &[]).get(NAME).is_some();
        assert!(name("tools/call") && name("prompts/get") && name("resources/read"));
        assert!(name("tasks/get") && name("tasks/update") && name("tasks/cancel"));
        assert!(!name("completion/complete") && !name("tools/list"));
        assert_eq!(modern("tools/list", None, &[])[METHOD], "tools/list");
        assert_eq!(modern("tools/list", None, &[])[VERSION], "2026-07-28");
        let params = [("mcp-param-region".to_owned(), "ä".to_owned())];
        assert_eq!(modern("tools/call", Some("x"), &params)["mcp-param-region"], "=?base64?w6Q=?=");
    }
}
