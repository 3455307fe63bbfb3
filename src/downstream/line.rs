//! A connection on which messages simply follow each other: lines of a child, frames of a WebSocket, events of a stream.
//!
//! It matches answers to calls and queues what is to be sent. It does no I/O: who reads calls [`LineLink::hear`], who
//! writes empties [`LineLink::outbox`].

pub mod handshake;
pub mod lifeline;

use crate::downstream::connect::Connection;
use crate::downstream::connect::Lifeline;
use crate::downstream::connect::LinkLimits;
use crate::downstream::connect::Order;
use crate::downstream::error::StartError;
use crate::downstream::link::Link;
use crate::downstream::link::Listener;
use crate::downstream::link::Source;
use crate::downstream::request::Request;
use crate::downstream::request::write_number;
use crate::name::ServerName;
use crate::protocol::version::Era;
use crate::telemetry::clean::clean_bytes;
use crate::wire::frame::Line;
use crate::wire::members::Members;
use crate::wire::members::write_string;
use crate::wire::message;
use crate::wire::message::Malformed;
use crate::wire::message::Message;
use crate::wire::outbox::Outbox;
use crate::wire::outbox::Refused;
use crate::wire::pending::Answer;
use crate::wire::pending::Lost;
use crate::wire::pending::NotAccepted;
use crate::wire::pending::Owner;
use crate::wire::pending::Patience;
use crate::wire::pending::Pending;
use crate::wire::pending::Waiter;
use serde_json::value::RawValue;
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::time::timeout;

/// One such connection.
pub struct LineLink {
    server: ServerName,
    era: OnceLock<Era>,
    pending: Pending,
    outbox: Arc<Outbox>,
    limits: LinkLimits,
    /// How many lines have come.
    heard: AtomicU64,
    stuck_after: Option<Duration>,
}

/// Completes the handshake over `link`, which `lifeline` serves. `legacy_only` for transports that no modern server has.
///
/// # Errors
/// [`StartError`] when the server ends, refuses, or says nothing that can be understood.
pub async fn open(
    link: Arc<LineLink>,
    mut lifeline: Box<dyn Lifeline>,
    order: &Order,
    legacy_only: bool,
) -> Result<Connection, StartError> {
    let greeting = async {
        match legacy_only {
            true => handshake::initialize(&link, order).await,
            false => handshake::greet(&link, order).await,
        }
    };
    let greeted = tokio::select! {
        biased;
        how = lifeline.ended() => {
            let last_words = lifeline.last_words();
            let server = order.server.name.clone();
            Err(StartError::Ended { server, how: how.to_string(), last_words })
        }
        greeted = timeout(order.server.start_timeout, greeting) => match greeted {
            Ok(greeted) => greeted,
            // Dropping the lifeline ends everything at once.
            Err(_) => return Err(silent(order, &*lifeline)),
        },
    };
    match greeted {
        Ok(greeting) => {
            link.era.get_or_init(|| greeting.era);
            Ok(Connection { link, greeting, lifeline })
        }
        Err(error) => {
            lifeline.stop(order.server.stop).await;
            Err(error)
        }
    }
}

fn silent(order: &Order, lifeline: &dyn Lifeline) -> StartError {
    StartError::Silent {
        server: order.server.name.clone(),
        method: "initialize",
        after: order.server.start_timeout,
        last_words: lifeline.last_words(),
    }
}

impl LineLink {
    /// A link to the server of `order`; nobody serves it yet.
    #[must_use]
    pub fn new(order: &Order) -> Self {
        Self {
            server: order.server.name.clone(),
            era: OnceLock::new(),
            pending: Pending::new(order.server.max_in_flight),
            outbox: Arc::new(Outbox::new(order.limits.queue_bytes)),
            limits: order.limits,
            heard: AtomicU64::new(0),
            stuck_after: order.server.stuck_after,
        }
    }

    /// As [`Link::call`], in a given era: the handshake knows it before the link does.
    fn call_in(
        &self,
        era: Era,
        request: &Request<'_>,
        waiter: Box<dyn Waiter>,
        patience: Patience,
    ) -> Result<(), Box<dyn Waiter>> {
        let id = match self.pending.insert(waiter, patience) {
            Ok(id) => id,
            Err((waiter, NotAccepted::Closed(_))) => return Err(waiter),
            Err((waiter, NotAccepted::Full(limit))) => {
                let why =
                    format!("has {limit} calls in flight already; wait for answers, or raise `maxInFlight`");
                waiter.answer(Answer::Lost(Lost::NotSent(why.into())));
                return Ok(());
            }
        };
        let Err(refused) = self.outbox.push_marked(id, |out| request.write(out, era, id)) else {
            return Ok(());
        };
        // Whoever closed the table meanwhile has answered; then there is nothing left to take.
        let Some(waiter) = self.pending.take(id) else { return Ok(()) };
        if refused == Refused::Closed {
            return Err(waiter);
        }
        waiter.answer(Answer::Lost(Lost::NotSent(refused.to_string().into())));
        Ok(())
    }

    /// What is to be sent, in order.
    #[must_use]
    pub fn outbox(&self) -> &Arc<Outbox> {
        &self.outbox
    }

    /// Bounds of what is sent and read.
    #[must_use]
    pub fn limits(&self) -> LinkLimits {
        self.limits
    }

    /// Ends every call in flight and accepts no more.
    pub fn close(&self, reason: &Arc<str>) {
        self.outbox.close();
        for waiter in self.pending.close(reason) {
            waiter.answer(Answer::Lost(Lost::Closed(Arc::clone(reason))));
        }
    }

    /// How long a child may take nothing of what is sent to it.
    #[must_use]
    pub fn stuck_after(&self) -> Option<Duration> {
        self.stuck_after
    }

    /// What the server has taken and said so far, while there is more for it that it does not take; else `None`.
    #[must_use]
    pub fn blocked_at(&self) -> Option<(u64, u64)> {
        self.outbox.taken().map(|taken| (taken, self.heard.load(Ordering::Relaxed)))
    }

    /// Takes in one message of the server, which may stand on several lines.
    pub fn hear(self: &Arc<Self>, line: Line<'_>, listener: &dyn Listener) {
        self.heard.fetch_add(1, Ordering::Relaxed);
        let bytes = match line {
            Line::Whole(bytes) => bytes,
            Line::TooLong(prefix) => {
                let id = message::recover_id(&String::from_utf8_lossy(prefix));
                let why = format!("it is longer than {} bytes", self.limits.message_bytes);
                return self.unreadable(id.as_deref(), &why);
            }
        };
        let bytes = &*message::without_breaks(bytes, self.limits.depth);
        match message::parse(bytes, self.limits.depth) {
            Ok(Message::Response { id, outcome }) => self.answered(id, Answer::Outcome(outcome)),
            Ok(Message::Notification { method, params }) => self.told(&method, params, listener),
            Ok(Message::Request { id, method, params }) => {
                if method == "ping" {
                    return self.respond(id, r#""result":{}"#);
                }
                let source = Source { server: &self.server, link: &**self, call: None, whose: None };
                listener.request(source, Arc::clone(self) as Arc<dyn Link>, id, &method, params);
            }
            Err(malformed) => self.garbled(bytes, &malformed),
        }
    }

    fn answered(&self, id: &RawValue, answer: Answer<'_>) {
        let number = id.get().parse::<u64>().ok();
        if let Some(waiter) = number.and_then(|id| self.pending.take_answered(id)) {
            return waiter.answer(answer);
        }
        // An id that was given out is a late or second answer; one that never was belongs to the only call there is.
        if !number.is_some_and(|id| self.pending.has_issued(id)) {
            self.unreadable(None, &format!("it has the unknown id {}", id.get()));
        }
    }

    fn told(&self, method: &str, params: Option<&RawValue>, listener: &dyn Listener) {
        if method != "notifications/progress" {
            return listener.notification(
                Source { server: &self.server, link: self, call: None, whose: None },
                method,
                params,
            );
        }
        let Some(params) = params else { return };
        let token = Members::parse(params.get()).ok().and_then(|all| all.get("progressToken"));
        if let Some(id) = token.and_then(|token| token.get().parse().ok()) {
            self.pending.progress(id, params.get());
        }
    }

    /// Something that is no message. If it was meant as an answer its call ends now, else it is noise.
    fn garbled(&self, bytes: &[u8], malformed: &Malformed) {
        let meant_as_message = memchr::memmem::find(bytes, b"\"jsonrpc\"").is_some();
        if malformed.id.is_some() || meant_as_message {
            return self.unreadable(malformed.id.as_deref(), &malformed.text);
        }
        tracing::debug!(server = %self.server, line = %clean_bytes(bytes, 200), "not a message, ignored");
    }

    /// Ends the call whose request is `frame`, which could not be sent.
    pub fn unsent(&self, frame: &[u8], why: Lost) {
        let id = match message::parse(frame, self.limits.depth) {
            Ok(Message::Request { id, .. }) => id.get().parse().ok(),
            _ => None,
        };
        match id.and_then(|id| self.pending.take(id)) {
            Some(waiter) => waiter.answer(Answer::Lost(why)),
            None => tracing::debug!(server = %self.server, ?why, "a message was not sent"),
        }
    }

    /// Fails the call with our id `id`, or the only one in flight when the id cannot be told. The answer to a call
    /// that is over already concerns no other.
    pub fn unreadable(&self, id: Option<&str>, why: &str) {
        let number = id.and_then(|id| id.parse().ok());
        let waiter = match number.filter(|id| self.pending.has_issued(*id)) {
            Some(issued) => self.pending.take(issued),
            None => self.pending.take_only(),
        };
        tracing::warn!(server = %self.server, error = %why, "unreadable message");
        if let Some(waiter) = waiter {
            waiter.answer(Answer::Lost(Lost::Unreadable(why.into())));
        }
    }
}

impl Link for LineLink {
    fn era(&self) -> Era {
        self.era.get().copied().unwrap_or(Era::Legacy)
    }

    fn call(
        &self,
        request: &Request<'_>,
        waiter: Box<dyn Waiter>,
        patience: Patience,
    ) -> Result<(), Box<dyn Waiter>> {
        self.call_in(self.era(), request, waiter, patience)
    }

    fn cancel(&self, owner: Owner, call: &str, reason: Option<&str>) -> bool {
        let Some((id, waiter)) = self.pending.take_of(owner, call) else { return false };
        self.abandon(id, reason.unwrap_or("the caller cancelled it"));
        waiter.answer(Answer::Lost(Lost::Cancelled));
        true
    }

    fn abandon(&self, id: u64, reason: &str) {
        if self.outbox.retract(id) {
            return;
        }
        self.outbox.push_urgent(|out| {
            out.extend_from_slice(
                br#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"#,
            );
            write_number(out, id);
            out.extend_from_slice(br#","reason":"#);
            write_string(out, reason);
            out.extend_from_slice(b"}}");
        });
    }

    fn notify(&self, method: &str, params: &str) {
        let _ = self.outbox.push(|out| {
            out.extend_from_slice(br#"{"jsonrpc":"2.0","method":"#);
            write_string(out, method);
            out.extend_from_slice(br#","params":"#);
            out.extend_from_slice(params.as_bytes());
            out.push(b'}');
        });
    }

    fn respond(&self, id: &RawValue, answer: &str) {
        let _ = self.outbox.push(|out| {
            out.extend_from_slice(br#"{"jsonrpc":"2.0","id":"#);
            out.extend_from_slice(id.get().as_bytes());
            out.push(b',');
            out.extend_from_slice(answer.as_bytes());
            out.push(b'}');
        });
    }

    fn pending(&self) -> &Pending {
        &self.pending
    }
}
