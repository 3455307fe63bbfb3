//! Requests of the legacy era: a session begins with `initialize`, and everything after it names that session.
//!
//! Source: MCP 2025-11-25, `basic/transports`. A closed connection cancels nothing here: a stream can be resumed
//! (`replay.rs`). An answer that would have been one JSON text is lost with its connection.

use crate::auth::caller::Caller;
use crate::front::http::header;
use crate::front::http::header::single;
use crate::front::http::media;
use crate::front::http::modern;
use crate::front::http::reply;
use crate::front::http::reply::Refusal;
use crate::front::http::reply::Reply;
use crate::front::http::site::Site;
use crate::front::http::stream::Events;
use crate::front::http::waiting::Begun;
use crate::front::http::waiting::Waiting;
use crate::gateway::reply::Failure;
use crate::protocol::code;
use crate::protocol::version;
use crate::protocol::version::ASSUMED_WITHOUT_HEADER;
use crate::protocol::version::Era;
use crate::wire::mailbox::mailbox;
use crate::wire::message::Message;
use crate::wire::sink::Sink;
use http::HeaderMap;
use http::StatusCode;
use std::sync::Arc;

/// Accepts one message.
///
/// # Errors
/// 400 for a request without session or with an unknown revision, 404 for a session that is none of the caller's, 503
/// when there are too many.
pub fn begin(
    site: &Site,
    caller: Caller,
    headers: &HeaderMap,
    message: Message<'_>,
) -> Result<Begun, Refusal> {
    let id: Option<Box<str>> = match &message {
        Message::Request { id, .. } => Some(id.get().into()),
        _ => None,
    };
    let opens = matches!(&message, Message::Request { method, .. } if method == "initialize")
        && !headers.contains_key(&header::SESSION);
    let name = |refusal: Refusal| refusal.of(id.as_deref());
    let (opening, session, streams) = if opens {
        let (opening, session) = site.sessions.open(caller).map_err(|why| {
            let failure = Failure::new(code::INTERNAL_ERROR, why.to_string());
            name(Refusal::failed(StatusCode::SERVICE_UNAVAILABLE, failure))
        })?;
        site.backing.note_headers(&session, headers);
        site.place(&session);
        (Some(opening), session, None)
    } else {
        check_version(headers).map_err(name)?;
        let named = session_named(headers).map_err(name)?;
        let streams = site.sessions.find(named, &caller).ok_or_else(|| name(unknown_session()))?;
        (None, Arc::clone(streams.session()), Some(streams))
    };
    let (mailbox, letters) = mailbox(site.queue_bytes);
    site.backing.accept(&session, message, &Sink::Mail(mailbox));
    Ok(match id {
        Some(id) => Begun::Waits(Waiting {
            letters,
            id,
            era: Era::Legacy,
            abandon: None,
            lasts: false,
            opening,
            streams,
        }),
        None => Begun::Done(reply::empty(StatusCode::ACCEPTED)),
    })
}

/// Accepts several messages at once.
///
/// # Errors
/// As [`begin`]; 400 for what is no batch, and for clients of a revision that has none.
pub fn begin_batch(site: &Site, caller: &Caller, headers: &HeaderMap, body: &[u8]) -> Result<Begun, Refusal> {
    if modern::is_named(headers) {
        let text = "this revision has no batches: send one message at a time";
        return Err(Refusal::new(StatusCode::BAD_REQUEST, text));
    }
    check_version(headers)?;
    let streams = site.sessions.find(session_named(headers)?, caller).ok_or_else(unknown_session)?;
    let (mailbox, letters) = mailbox(site.queue_bytes);
    let session = streams.session();
    let accepted = site.backing.accept_batch(session, body, site.depth, &Sink::Mail(mailbox));
    let answered = accepted
        .map_err(|malformed| Refusal::failed(StatusCode::BAD_REQUEST, Failure::malformed(&malformed)))?;
    if !answered {
        return Ok(Begun::Done(reply::empty(StatusCode::ACCEPTED)));
    }
    let id = "null".into();
    let streams = Some(streams);
    Ok(Begun::Waits(Waiting {
        letters,
        id,
        era: Era::Legacy,
        abandon: None,
        lasts: false,
        opening: None,
        streams,
    }))
}

/// GET: the stream of messages that belong to no request, or with `Last-Event-ID` the stream of that event.
///
/// # Errors
/// As [`begin`]; 400 for a stream that cannot be resumed; 405 for a modern client, which has no such stream; 406 for one that takes no stream.
pub fn listen(site: &Site, caller: &Caller, headers: &HeaderMap) -> Result<Reply, Refusal> {
    let named = session_of_other_method(headers)?;
    media::check_get(headers)?;
    let last = single(headers, &header::LAST_EVENT_ID);
    let last = last.map_err(|unclear| {
        Refusal::new(StatusCode::BAD_REQUEST, format!("the `Last-Event-ID` header {unclear}"))
    })?;
    let reading = site.sessions.listen(named, caller, site.queue_bytes, last).ok_or_else(unknown_session)?;
    let reading = reading.map_err(|why| Refusal::new(StatusCode::BAD_REQUEST, why.to_string()))?;
    Ok(reply::events(Events::kept(reading, false)))
}

/// DELETE: the client is done.
///
/// # Errors
/// As [`begin`]; 405 for a modern client, which has no session.
pub fn end(site: &Site, caller: &Caller, headers: &HeaderMap) -> Result<Reply, Refusal> {
    let named = session_of_other_method(headers)?;
    if site.sessions.end(named, caller) {
        Ok(reply::empty(StatusCode::NO_CONTENT))
    } else {
        Err(unknown_session())
    }
}

fn session_of_other_method(headers: &HeaderMap) -> Result<&str, Refusal> {
    if modern::is_named(headers) {
        return Err(Refusal::method("POST"));
    }
    check_version(headers)?;
    session_named(headers)
}

fn session_named(headers: &HeaderMap) -> Result<&str, Refusal> {
    single(headers, &header::SESSION).ok().flatten().ok_or_else(|| {
        let text = "the request names no session: send `initialize`, then the `Mcp-Session-Id` of its answer with \
                    everything else";
        Refusal::new(StatusCode::BAD_REQUEST, text)
    })
}

fn check_version(headers: &HeaderMap) -> Result<(), Refusal> {
    let named = single(headers, &header::VERSION).map_err(|unclear| {
        Refusal::new(StatusCode::BAD_REQUEST, format!("the `MCP-Protocol-Version` header {unclear}"))
    })?;
    let named = named.unwrap_or(ASSUMED_WITHOUT_HEADER);
    if version::canonical(named).is_some() {
        return Ok(());
    }
    Err(Refusal::failed(StatusCode::BAD_REQUEST, Failure::unsupported_version(named, &version::supported())))
}

fn unknown_session() -> Refusal {
    Refusal::new(StatusCode::NOT_FOUND, "there is no such session (any more): send `initialize` again")
}
