//! Messages on their way to one HTTP response: like an outbox, but letter by letter and with a last one.
//!
//! The front reads the first letter and decides: a last one becomes a plain JSON body, anything else a stream of
//! events. It holds at most a number of bytes; a reader that is too slow is cut off, never waited for.

use crate::wire::outbox::Refused;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::task::Context;
use std::task::Poll;
use std::task::Waker;

/// One message for the client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    /// The JSON text, on one line.
    pub bytes: Vec<u8>,
    /// What it is.
    pub kind: Kind,
}

/// What a message for a client is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A notification or a request of a server; more follows.
    Notice,
    /// The result; nothing follows it.
    Result,
    /// The error with this code; nothing follows it.
    Error(i32),
}

impl Kind {
    /// True for the answer.
    #[must_use]
    pub fn is_last(self) -> bool {
        self != Self::Notice
    }
}

/// The sending half; clones share the box.
#[derive(Debug, Clone)]
pub struct Mailbox(Arc<Mutex<Inner>>);

/// The receiving half. Dropping it closes the box.
#[derive(Debug)]
pub struct Letters(Arc<Mutex<Inner>>);

#[derive(Debug)]
struct Inner {
    waiting: VecDeque<Letter>,
    bytes: usize,
    limit: usize,
    /// A smaller limit, while nobody reads.
    narrowed: Option<usize>,
    waker: Option<Waker>,
    closed: bool,
    cut: bool,
}

/// A box for at most `limit` waiting bytes.
#[must_use]
pub fn mailbox(limit: usize) -> (Mailbox, Letters) {
    let inner = Inner {
        waiting: VecDeque::new(),
        bytes: 0,
        limit,
        narrowed: None,
        waker: None,
        closed: false,
        cut: false,
    };
    let shared = Arc::new(Mutex::new(inner));
    (Mailbox(Arc::clone(&shared)), Letters(shared))
}

impl Mailbox {
    /// Puts a letter in; the last one closes the box.
    ///
    /// # Errors
    /// [`Refused::Closed`] after the last letter or when the reader is gone; [`Refused::Full`] closes the box too.
    pub fn put(&self, bytes: Vec<u8>, kind: Kind) -> Result<(), Refused> {
        let mut inner = lock(&self.0);
        if inner.closed {
            return Err(Refused::Closed);
        }
        let full = inner.bytes > inner.narrowed.unwrap_or(inner.limit);
        inner.closed = kind.is_last() || full;
        inner.cut = full;
        if !full {
            inner.bytes += bytes.len();
            inner.waiting.push_back(Letter { bytes, kind });
        }
        if let Some(waker) = inner.waker.take() {
            waker.wake();
        }
        if full { Err(Refused::Full) } else { Ok(()) }
    }

    /// Ends the box without a last letter.
    pub fn close(&self) {
        let mut inner = lock(&self.0);
        inner.closed = true;
        if let Some(waker) = inner.waker.take() {
            waker.wake();
        }
    }

    /// Bytes of letters that wait.
    #[must_use]
    pub fn waiting_bytes(&self) -> usize {
        lock(&self.0).bytes
    }

    /// True when nothing can be put in any more.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        lock(&self.0).closed
    }
}

impl Letters {
    /// The next letter; `None` when the box is closed and empty.
    pub async fn next(&mut self) -> Option<Letter> {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    /// Lets at most `limit` bytes wait, until it is said again; `None` for the limit of the box.
    pub fn narrow(&self, limit: Option<usize>) {
        let mut inner = lock(&self.0);
        inner.narrowed = limit.map(|limit| limit.min(inner.limit));
    }

    /// True when nothing more will be put in.
    #[must_use]
    pub fn are_over(&self) -> bool {
        lock(&self.0).closed
    }

    /// Bytes of letters that wait.
    #[must_use]
    pub fn waiting_bytes(&self) -> usize {
        lock(&self.0).bytes
    }

    /// True when letters are missing at the end, because the reader was too slow.
    #[must_use]
    pub fn are_cut(&self) -> bool {
        lock(&self.0).cut
    }

    /// The next letter, for streams written by hand.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Letter>> {
        let mut inner = lock(&self.0);
        if let Some(letter) = inner.waiting.pop_front() {
            inner.bytes -= letter.bytes.len();
            return Poll::Ready(Some(letter));
        }
        if inner.closed {
            return Poll::Ready(None);
        }
        inner.waker = Some(cx.waker().clone());
        Poll::Pending
    }
}

impl Drop for Letters {
    fn drop(&mut self) {
        let mut inner = lock(&self.0);
        inner.closed = true;
        inner.waiting.clear();
    }
}

fn lock(shared: &Mutex<Inner>) -> MutexGuard<'_, Inner> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn letters_come_in_order_and_end_with_the_last() {
        let (mailbox, mut letters) = mailbox(100);
        mailbox.put(b"a".to_vec(), Kind::Notice).unwrap();
        mailbox.put(b"b".to_vec(), Kind::Result).unwrap();
        assert_eq!(mailbox.put(b"c".to_vec(), Kind::Notice), Err(Refused::Closed));
        assert_eq!(letters.next().await.unwrap().bytes, b"a");
        assert!(letters.next().await.unwrap().kind.is_last());
        assert_eq!(letters.next().await, None);
    }

    #[tokio::test]
    async fn a_reader_that_is_gone_or_too_slow_closes_the_box() {
        let (gone, letters) = mailbox(100);
        drop(letters);
        assert_eq!(gone.put(vec![1], Kind::Notice), Err(Refused::Closed));
        let (slow, mut letters) = mailbox(2);
        slow.put(vec![1; 3], Kind::Notice).unwrap();
        assert_eq!(slow.put(vec![1], Kind::Notice), Err(Refused::Full));
        assert!(letters.next().await.is_some() && letters.next().await.is_none());
        assert!(letters.are_cut());
    }
}
