//! The HTTP+SSE transport of 2024-11-05: one event stream to hear, and an address on it to which messages are posted.
//!
//! Only the legacy era is spoken on it. It does not resume a stream: a connection whose stream drops has ended, as when
//! a child dies.

use crate::downstream::connect::Connection;
use crate::downstream::connect::Order;
use crate::downstream::error::StartError;
use crate::downstream::http::endpoint::Endpoint;
use crate::downstream::http::failure::Failure;
use crate::downstream::http::mark;
use crate::downstream::http::reply::Broken;
use crate::downstream::http::reply::Messages;
use crate::downstream::http::reply::Refusal;
use crate::downstream::http::reply::Reply;
use crate::downstream::http::reply::shown;
use crate::downstream::line;
use crate::downstream::line::LineLink;
use crate::downstream::line::lifeline::LineLifeline;
use crate::downstream::link::Listener;
use crate::wire::frame::Line;
use crate::wire::guard::guarded;
use crate::wire::pending::Lost;
use bytes::Bytes;
use http::StatusCode;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// So long the next message waits for the server to take this one, so that they arrive in order.
const IN_ORDER: Duration = Duration::from_secs(1);
/// Messages that a server may leave untaken before the next one waits for good.
const UNTAKEN: usize = 64;

/// An open stream that has named its address.
pub struct Opened {
    messages: Box<Messages>,
    address: Endpoint,
}

/// Why no stream was opened.
pub enum NotOpened {
    /// The server does not speak this transport; what it did instead.
    Unspoken(String),
    /// It wants credentials, cannot be reached, or must not be trusted.
    Start(StartError),
}

/// Opens the stream at `endpoint`, within `patience`.
///
/// # Errors
/// [`NotOpened`], also for an address at another origin.
pub async fn open(endpoint: &Endpoint, patience: Duration) -> Result<Opened, NotOpened> {
    match timeout(patience, first_event(endpoint)).await {
        Ok(opened) => opened,
        Err(_) => {
            let seconds = patience.as_secs_f32();
            Err(NotOpened::Unspoken(format!("sent no `endpoint` event within {seconds} s")))
        }
    }
}

async fn first_event(endpoint: &Endpoint) -> Result<Opened, NotOpened> {
    let unreachable =
        |why| NotOpened::Start(StartError::Unreachable { server: endpoint.server.clone(), why });
    let response = endpoint.get(mark::streaming()).await.map_err(|failure| unreachable(failure.why))?;
    let mut messages = match Reply::of(response, endpoint.limits.message_bytes).await {
        Reply::Messages(messages) if messages.are_events() => messages,
        Reply::Messages(_) => return Err(unspoken("answered with JSON instead of an event stream")),
        Reply::Nothing(status) => {
            return Err(NotOpened::Unspoken(format!("answered HTTP {} without a stream", status.as_u16())));
        }
        Reply::Strange(why) => return Err(NotOpened::Unspoken(why)),
        Reply::Refused(refusal) => return Err(refused(endpoint, &refusal)),
    };
    loop {
        let event = match messages.next_event().await {
            Ok(Some(event)) => event,
            Ok(None) => return Err(unspoken("ended its stream without an `endpoint` event")),
            Err(Broken::TooLong(why) | Broken::Cut(why)) => return Err(unreachable(format!("it {why}"))),
        };
        if event.kind == b"endpoint" {
            let text = String::from_utf8_lossy(&event.text);
            let address = address(endpoint, text.trim()).map_err(unreachable)?;
            return Ok(Opened { messages, address });
        }
        if event.is_message() {
            return Err(unspoken("began its stream with a message instead of an `endpoint` event"));
        }
    }
}

/// The address that the server names. Credentials of the entry go there, so it must have the origin of `url`.
fn address(endpoint: &Endpoint, text: &str) -> Result<Endpoint, String> {
    let url = endpoint.url().join(text).map_err(|_| "its `endpoint` event holds no address".to_owned())?;
    if url.origin() != endpoint.url().origin() {
        let origin = shown(&url.origin().ascii_serialization());
        return Err(format!(
            "its `endpoint` event leads to another origin, `{origin}`; messages and credentials go to that of `url` only"
        ));
    }
    Ok(endpoint.at(url))
}

fn unspoken(what: &str) -> NotOpened {
    NotOpened::Unspoken(what.into())
}

fn refused(endpoint: &Endpoint, refusal: &Refusal) -> NotOpened {
    if refusal.wants_credentials() {
        return NotOpened::Start(endpoint.unauthorized(refusal));
    }
    if refusal.may_pass() || refusal.status.is_redirection() {
        let server = endpoint.server.clone();
        return NotOpened::Start(StartError::Unreachable { server, why: format!("it {}", refusal.text()) });
    }
    NotOpened::Unspoken(refusal.text())
}

/// Completes the handshake over an opened stream.
///
/// # Errors
/// [`StartError`] when the server ends, refuses, or says nothing that can be understood.
pub async fn connect(order: &Order, opened: Opened) -> Result<Connection, StartError> {
    let Opened { messages, address } = opened;
    let link = Arc::new(LineLink::new(order));
    let (lost, stale) = oneshot::channel();
    let reading = read(messages, Arc::clone(&link), Arc::clone(&order.listener));
    let read = async move {
        tokio::select! {
            how = reading => how,
            Ok(how) = stale => how,
        }
    };
    let lifeline = LineLifeline::start(&link, read, write(address, Arc::clone(&link), lost));
    line::open(link, Box::new(lifeline), order, true).await
}

/// Reads until the stream ends; how it ended.
async fn read(mut messages: Box<Messages>, link: Arc<LineLink>, listener: Arc<dyn Listener>) -> Arc<str> {
    loop {
        match messages.next().await {
            Ok(Some(text)) => {
                let line = text.trim_ascii();
                guarded("a message of a server", || link.hear(Line::Whole(line), &*listener));
            }
            Ok(None) => return "ended its event stream".into(),
            Err(Broken::TooLong(why)) => return why.into(),
            Err(Broken::Cut(why)) => return format!("lost its event stream: it {why}").into(),
        }
    }
}

/// Posts what is queued, in order as long as the server takes it. `lost` is told when the server forgot the session.
async fn write(address: Endpoint, link: Arc<LineLink>, lost: oneshot::Sender<Arc<str>>) {
    let (address, mut batch, mut lost) = (Arc::new(address), Vec::new(), Some(lost));
    let mut posts: JoinSet<Option<Arc<str>>> = JoinSet::new();
    while link.outbox().next_batch(&mut batch).await {
        for frame in batch.split(|byte| *byte == b'\n').filter(|frame| !frame.is_empty()) {
            posts.spawn(post(Arc::clone(&address), Arc::clone(&link), Bytes::copy_from_slice(frame)));
            let all_taken = timeout(IN_ORDER, posts.join_next()).await;
            let mut done = all_taken.ok().flatten();
            if posts.len() >= UNTAKEN {
                done = done.or(posts.join_next().await);
            }
            if let Some(Ok(Some(how))) = done
                && let Some(lost) = lost.take()
            {
                let _ = lost.send(how);
            }
        }
    }
    while posts.join_next().await.is_some() {}
}

/// Posts one message; how the connection ended, should this show it.
async fn post(address: Arc<Endpoint>, link: Arc<LineLink>, frame: Bytes) -> Option<Arc<str>> {
    let response = match address.post(mark::plain(), &frame).await {
        Ok(response) => response,
        Err(Failure { why, sent }) => {
            link.unsent(
                &frame,
                match sent {
                    true => {
                        Lost::Closed(format!("broke the connection before it took the message: {why}").into())
                    }
                    false => Lost::NotSent(format!("it cannot be reached: {why}").into()),
                },
            );
            return None;
        }
    };
    match Reply::of(response, address.limits.message_bytes).await {
        Reply::Refused(refusal) if refusal.status == StatusCode::NOT_FOUND => {
            let how: Arc<str> = "answered HTTP 404: it knows the session no more".into();
            link.unsent(&frame, Lost::Closed(Arc::clone(&how)));
            Some(how)
        }
        Reply::Refused(refusal) => {
            let lost = match address.lack(&refusal) {
                Some(lack) => lack.lost(),
                None => Lost::Unreadable(refusal.text().into()),
            };
            link.unsent(&frame, lost);
            None
        }
        _ => None,
    }
}
