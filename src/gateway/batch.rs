//! A batch of messages, which one revision has: 2025-03-26.
//!
//! Source: MCP 2025-03-26, `basic` and `basic/lifecycle`. Each message takes its usual way; only the answers are gathered.

use crate::gateway::session::Session;
use crate::wire::batch;
use crate::wire::batch::Gathering;
use crate::wire::message;
use crate::wire::message::INVALID_REQUEST;
use crate::wire::message::Malformed;
use crate::wire::message::Message;
use crate::wire::scan;
use crate::wire::sink::Sink;
use std::sync::Arc;
use std::sync::Weak;

/// The revision with batches.
const REVISION: &str = "2025-03-26";

/// Hands each message of a batch of `session` to `take`, with the sink for its answer. When there is something to answer, one
/// array goes to `sink`, once all answers are there; requests that were cancelled are left out. What gathers them lives until
/// then; `None` when nothing is to be answered.
///
/// # Errors
/// [`Malformed`] for what is no batch, and for every batch of a client of another revision.
pub(super) fn each(
    session: &Session,
    bytes: &[u8],
    depth: usize,
    sink: &Sink,
    take: impl Fn(Result<Message<'_>, Malformed>, &Sink),
) -> Result<Option<Weak<Gathering>>, Malformed> {
    if session.version() != Some(REVISION) {
        let text = format!("batches are part of revision {REVISION} only: send one message at a time");
        return Err(Malformed { id: None, code: INVALID_REQUEST, text });
    }
    let entries = batch::split(bytes)?;
    let gathering = Gathering::new(sink.clone());
    let gathered = Sink::Batch(Arc::clone(&gathering));
    let _reading = Whole(&gathering);
    let mut answered = false;
    for entry in entries {
        // Line breaks between members must not reach a line.
        let line = scan::one_line(entry.get());
        let message = message::parse(line.as_bytes(), depth).and_then(allowed);
        if !matches!(message, Ok(Message::Notification { .. } | Message::Response { .. })) {
            gathering.expect();
            answered = true;
        }
        take(message, &gathered);
    }
    Ok(answered.then(|| Arc::downgrade(&gathering)))
}

/// All of the batch is read when it is dropped, however that comes.
struct Whole<'a>(&'a Gathering);

impl Drop for Whole<'_> {
    fn drop(&mut self) {
        self.0.leave_out();
    }
}

fn allowed(message: Message<'_>) -> Result<Message<'_>, Malformed> {
    match &message {
        Message::Request { id, method, .. } if method == "initialize" => Err(Malformed {
            id: Some(id.get().to_owned()),
            code: INVALID_REQUEST,
            text: "`initialize` must not be part of a batch".into(),
        }),
        _ => Ok(message),
    }
}
