//! Requests of the modern era: everything is in the request, and its headers must agree with its body.
//!
//! Source: MCP 2026-07-28, `basic/transports/streamable-http`. Headers are only compared: what is called is decided by the
//! body alone.

use crate::auth::caller::Caller;
use crate::front::http::abandon::Abandon;
use crate::front::http::header;
use crate::front::http::header::single;
use crate::front::http::reply;
use crate::front::http::reply::Refusal;
use crate::front::http::site::Site;
use crate::front::http::waiting::Begun;
use crate::front::http::waiting::Waiting;
use crate::gateway::reply::Failure;
use crate::protocol::code;
use crate::protocol::modern::CLIENT_CAPABILITIES;
use crate::protocol::modern::PROTOCOL_VERSION;
use crate::protocol::version;
use crate::protocol::version::Era;
use crate::protocol::version::NEWEST_MODERN;
use crate::wire::mailbox::mailbox;
use crate::wire::members::Members;
use crate::wire::message::Message;
use crate::wire::message::read_text;
use crate::wire::meta;
use crate::wire::sink::Sink;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use http::StatusCode;
use serde_json::value::RawValue;
use std::sync::Arc;

/// The request whose answer is a stream for as long as the client wants.
const LISTEN: &str = "subscriptions/listen";

/// True for a message of this era: its header or its body says so. `initialize` is legacy whatever its header says.
#[must_use]
pub fn speaks(message: &Message<'_>, headers: &HeaderMap) -> bool {
    let by_header = is_named(headers);
    let Message::Request { method, params, .. } = message else { return by_header };
    if method == "initialize" {
        // With the metadata of this era it is a method that the era does not have, and the status must say so.
        let named = params.and_then(named_version);
        return named.is_some_and(|named| version::era_of(&named) == Some(Era::Modern));
    }
    let in_session = headers.contains_key(&header::SESSION);
    let by_body = || match params.and_then(named_version) {
        // A legacy client that says its revision twice.
        Some(named) if in_session => version::era_of(&named) != Some(Era::Legacy),
        Some(_) => true,
        None => method == "server/discover" && !in_session,
    };
    by_header || by_body()
}

/// True when the version header names a modern revision.
#[must_use]
pub fn is_named(headers: &HeaderMap) -> bool {
    headers.get_all(&header::VERSION).iter().any(|named| named == NEWEST_MODERN)
}

/// Checks and accepts one message.
///
/// # Errors
/// 400 with the reason.
pub fn begin(
    site: &Site,
    caller: Caller,
    headers: &HeaderMap,
    message: Message<'_>,
) -> Result<Begun, Refusal> {
    let (id, checked, lasts) = match &message {
        Message::Request { id, method, params } => {
            (*id, check(site, &caller, method, *params, headers), method == LISTEN)
        }
        Message::Notification { .. } => return Ok(Begun::Done(reply::empty(StatusCode::ACCEPTED))),
        Message::Response { .. } => {
            let text = "this revision has no requests of servers that could be answered";
            return Err(Refusal::new(StatusCode::BAD_REQUEST, text));
        }
    };
    let id: Box<str> = id.get().into();
    checked.map_err(|failure| Refusal::failed(StatusCode::BAD_REQUEST, failure).of(Some(&id)))?;
    let session = site.backing.lone_session(caller);
    site.backing.note_headers(&session, headers);
    site.place(&session);
    let (mailbox, letters) = mailbox(site.queue_bytes);
    site.backing.accept(&session, message, &Sink::Mail(mailbox));
    let abandon = Abandon::new(Arc::clone(&site.backing), session, id.clone());
    Ok(Begun::Waits(Waiting {
        letters,
        id,
        era: Era::Modern,
        abandon: Some(abandon),
        lasts,
        opening: None,
        streams: None,
    }))
}

fn check(
    site: &Site,
    caller: &Caller,
    method: &str,
    params: Option<&RawValue>,
    headers: &HeaderMap,
) -> Result<(), Failure> {
    let bad = |why| Failure::bad_params(method, why);
    let params = params.map_or_else(|| Ok(Members::empty()), Members::of).map_err(bad)?;
    let meta = meta::of(&params).map_err(bad)?.unwrap_or_else(Members::empty);
    let version = meta.get(PROTOCOL_VERSION).and_then(|raw| read_text(raw).ok());
    let version = version.ok_or_else(|| missing(method, PROTOCOL_VERSION))?;
    agrees("MCP-Protocol-Version", single(headers, &header::VERSION), &version, false)?;
    if version::era_of(&version) != Some(Era::Modern) {
        return Err(Failure::unsupported_version(&version, &version::supported()));
    }
    agrees("Mcp-Method", single(headers, &header::METHOD), method, false)?;
    if let Some(key) = named_by(method) {
        check_name(headers, &params, key)?;
    }
    if method == "tools/call" {
        check_arguments(site, caller, headers, &params)?;
    }
    if !meta.get(CLIENT_CAPABILITIES).is_some_and(|raw| raw.get().starts_with('{')) {
        return Err(missing(method, CLIENT_CAPABILITIES));
    }
    Ok(())
}

/// The member of params that `Mcp-Name` repeats.
fn named_by(method: &str) -> Option<&'static str> {
    match method {
        "tools/call" | "prompts/get" => Some("name"),
        "resources/read" => Some("uri"),
        "tasks/get" | "tasks/update" | "tasks/cancel" => Some("taskId"),
        _ => None,
    }
}

fn check_name(headers: &HeaderMap, params: &Members<'_>, key: &str) -> Result<(), Failure> {
    let shown = single(headers, &header::NAME);
    match params.get(key).and_then(|raw| read_text(raw).ok()) {
        Some(name) => agrees("Mcp-Name", shown, &name, true),
        // The gateway says what is wrong with the params.
        None if shown == Ok(None) => Ok(()),
        None => Err(mismatch(format!("the `Mcp-Name` header names something and the body has no `{key}`"))),
    }
}

/// Each annotated argument is repeated, and no header says one that is not there.
fn check_arguments(
    site: &Site,
    caller: &Caller,
    headers: &HeaderMap,
    params: &Members<'_>,
) -> Result<(), Failure> {
    let Some(tool) = params.get("name").and_then(|raw| read_text(raw).ok()) else { return Ok(()) };
    let arguments = params.get("arguments");
    for header in site.backing.param_headers(caller, &tool) {
        let (name, shown) = (header.name(), single(headers, header.name()));
        match header.value(arguments) {
            Some(said) => agrees(name, shown, &said, true)?,
            None if shown == Ok(None) => {}
            None => return Err(mismatch(format!("the `{name}` header says what the body does not"))),
        }
    }
    Ok(())
}

fn agrees(
    name: &str,
    shown: Result<Option<&str>, header::Unclear>,
    said: &str,
    may_be_encoded: bool,
) -> Result<(), Failure> {
    let shown = shown.map_err(|unclear| mismatch(format!("the `{name}` header {unclear}")))?;
    let shown =
        shown.ok_or_else(|| mismatch(format!("the `{name}` header is missing")))?.trim_matches([' ', '\t']);
    let same = match shown.strip_prefix("=?base64?").and_then(|rest| rest.strip_suffix("?=")) {
        // Encoding what was said compares with the one canonical spelling.
        Some(encoded) if may_be_encoded => STANDARD.encode(said) == encoded,
        _ => shown == said,
    };
    if same { Ok(()) } else { Err(mismatch(format!("the `{name}` header does not say what the body says"))) }
}

fn mismatch(text: String) -> Failure {
    Failure::new(code::HEADER_MISMATCH, text)
}

fn missing(method: &str, key: &str) -> Failure {
    Failure::bad_params(method, format!("`_meta` has no `{key}`, which this revision requires"))
}

/// The revision that the `_meta` of `params` names.
fn named_version(params: &RawValue) -> Option<String> {
    let text = params.get().as_bytes();
    // Most requests have no `_meta`, and a key can only be spelled otherwise with an escape.
    let may_have = |needle: &[u8]| memchr::memmem::find(text, needle).is_some();
    if !may_have(meta::META.as_bytes()) && !may_have(b"\\u") {
        return None;
    }
    let params = Members::of(params).ok()?;
    let meta = meta::of(&params).ok()??;
    // What is no text is named all the same, and refused when it is looked at.
    meta.get(PROTOCOL_VERSION).map(|raw| read_text(raw).unwrap_or_default().into_owned())
}
