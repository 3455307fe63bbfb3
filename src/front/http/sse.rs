//! The transport of revision 2024-11-05: one stream per session, and a second endpoint that takes the client's messages.
//!
//! Source: MCP 2024-11-05, `basic/transports`, "HTTP with SSE". Everything for the client is on the stream, in order, and
//! the session ends with it. Nothing can be resumed here.

use crate::auth::caller::Caller;
use crate::front::http::intake;
use crate::front::http::media;
use crate::front::http::reply;
use crate::front::http::reply::Refusal;
use crate::front::http::reply::Reply;
use crate::front::http::sessions::Opening;
use crate::front::http::site::Site;
use crate::front::http::stream::Events;
use crate::front::http::stream::Step;
use crate::front::http::stream::write_event;
use crate::gateway::reply::Failure;
use crate::protocol::code;
use crate::wire::batch;
use crate::wire::message;
use crate::wire::message::Malformed;
use crate::wire::outbox::Outbox;
use crate::wire::sink::Sink;
use http::Method;
use http::Request;
use http::StatusCode;
use hyper::body::Incoming;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Context;
use std::task::Poll;
use std::task::ready;

/// Where a session begins.
pub const PATH: &str = "/sse";
/// Where its messages are sent.
pub const MESSAGES: &str = "/message";
/// The parameter that names the session.
const SESSION: &str = "sessionId";

/// Everything for one client, as it comes. Dropping it ends the session.
pub struct Line {
    outbox: Arc<Outbox>,
    waiting: Option<Waiting>,
    #[expect(dead_code, reason = "held for its drop")]
    opening: Opening,
}

/// What is queued next; `None` at the end.
type Waiting = Pin<Box<dyn Future<Output = Option<Vec<u8>>> + Send>>;

/// GET: begins a session and its stream.
///
/// # Errors
/// 405, 406; 503 when there are too many sessions.
pub fn open(site: &Site, caller: Caller, request: &Request<Incoming>) -> Result<Reply, Refusal> {
    if request.method() != Method::GET {
        return Err(Refusal::method("GET"));
    }
    media::check_get(request.headers())?;
    let outbox = Arc::new(Outbox::new(site.queue_bytes));
    let (opening, session) = site.sessions.open_line(caller, &outbox).map_err(|why| {
        let failure = Failure::new(code::INTERNAL_ERROR, why.to_string());
        Refusal::failed(StatusCode::SERVICE_UNAVAILABLE, failure)
    })?;
    site.backing.note_headers(&session, request.headers());
    site.place(&session);
    session.attach(Sink::Line(Arc::clone(&outbox)));
    let ahead = format!("event: endpoint\ndata: {MESSAGES}?{SESSION}={}\n\n", opening.id());
    let line = Line { outbox, waiting: None, opening };
    Ok(reply::events(Events::of_line(line, ahead.into_bytes())))
}

/// POST: takes a message for the session that the address names. Its answer comes on the stream.
///
/// # Errors
/// 404 for a session that is none of the caller's; 400 for what is no message.
pub async fn post(site: &Site, caller: &Caller, request: Request<Incoming>) -> Result<Reply, Refusal> {
    if request.method() != Method::POST {
        return Err(Refusal::method("POST"));
    }
    media::check_body(request.headers())?;
    let (parts, body) = request.into_parts();
    let named = parts.uri.query().and_then(session_of);
    let (session, outbox) = named.and_then(|id| site.sessions.find_line(id, caller)).ok_or_else(|| {
        let text = format!("there is no such session (any more): open a stream at `{PATH}` again");
        Refusal::new(StatusCode::NOT_FOUND, text)
    })?;
    let body = intake::whole(body, site.allowance).await?;
    let (bytes, sink) = (body.trim_ascii(), Sink::Line(outbox));
    let malformed = |why: Malformed| {
        let refusal = Refusal::failed(StatusCode::BAD_REQUEST, Failure::malformed(&why));
        refusal.of(why.id.as_deref())
    };
    if batch::is_batch(bytes) {
        site.backing.accept_batch(&session, bytes, site.depth, &sink).map_err(malformed)?;
    } else {
        let line = message::without_breaks(bytes, site.depth);
        let message = message::parse(&line, site.depth).map_err(malformed)?;
        site.backing.accept(&session, message, &sink);
    }
    Ok(reply::empty(StatusCode::ACCEPTED))
}

fn session_of(query: &str) -> Option<&str> {
    query.split('&').find_map(|part| part.strip_prefix(SESSION)?.strip_prefix('='))
}

impl Line {
    /// Writes what is queued to `out`.
    pub fn poll_events(&mut self, cx: &mut Context<'_>, out: &mut Vec<u8>) -> Poll<Step> {
        let waiting = self.waiting.get_or_insert_with(|| {
            let outbox = Arc::clone(&self.outbox);
            Box::pin(async move {
                let mut batch = Vec::new();
                outbox.next_batch(&mut batch).await.then_some(batch)
            })
        });
        let batch = ready!(waiting.as_mut().poll(cx));
        self.waiting = None;
        let Some(batch) = batch else { return Poll::Ready(Step::End { cut: false }) };
        for message in batch.split(|byte| *byte == b'\n').filter(|message| !message.is_empty()) {
            out.extend_from_slice(b"event: message\n");
            write_event(out, message);
        }
        Poll::Ready(Step::More)
    }
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Line").finish_non_exhaustive()
    }
}
