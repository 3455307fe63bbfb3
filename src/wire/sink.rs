//! Where messages for a client go: the line of a stdio client, or the response of one HTTP request.
//!
//! It does not know what they say.

use crate::wire::batch::Gathering;
use crate::wire::mailbox::Kind;
use crate::wire::mailbox::Mailbox;
use crate::wire::outbox::Outbox;
use crate::wire::outbox::Refused;
use std::sync::Arc;

/// Bytes waiting for a client from which on it is taken for slow.
const BEHIND: usize = 1 << 20;

/// A way to a client. Cloning is cheap.
#[derive(Debug, Clone)]
pub enum Sink {
    /// One line per message, shared by everything that goes to this client.
    Line(Arc<Outbox>),
    /// The response of one request.
    Mail(Mailbox),
    /// The answers of one batch.
    Batch(Arc<Gathering>),
}

impl Sink {
    /// Sends the message that `write` appends.
    ///
    /// A line client that does not read within its budget is cut off here: its queue is closed, never waited for, and its
    /// front ends the connection.
    ///
    /// # Errors
    /// [`Refused`] when the client is gone or was cut off.
    pub fn send(&self, kind: Kind, write: impl FnOnce(&mut Vec<u8>)) -> Result<(), Refused> {
        match self {
            Self::Line(outbox) => {
                let sent = outbox.push(write);
                if sent == Err(Refused::Full) {
                    outbox.cut_off();
                }
                sent
            }
            Self::Mail(mailbox) => {
                let mut bytes = Vec::with_capacity(256);
                write(&mut bytes);
                mailbox.put(bytes, kind)
            }
            Self::Batch(gathering) if kind.is_last() => gathering.answer(write),
            Self::Batch(gathering) => gathering.notice(write),
        }
    }

    /// True while so much waits for the client that what it can do without is better not sent.
    #[must_use]
    pub fn is_behind(&self) -> bool {
        match self {
            Self::Line(outbox) => outbox.len() > BEHIND,
            Self::Mail(mailbox) => mailbox.waiting_bytes() > BEHIND,
            Self::Batch(gathering) => gathering.is_behind(),
        }
    }

    /// No answer will come to the request of this sink.
    pub fn forget(&self) {
        match self {
            Self::Line(_) => {}
            Self::Mail(mailbox) => mailbox.close(),
            Self::Batch(gathering) => gathering.leave_out(),
        }
    }
}
