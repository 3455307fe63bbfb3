//! Bodies of responses: nothing, one JSON text, or a stream of events.
//!
//! It does not choose between them: `waiting.rs` does, by the first letter.

use crate::front::http::abandon::Abandon;
use crate::front::http::lease::Lease;
use crate::front::http::replay::Reading;
use crate::front::http::sse::Line;
use crate::front::http::watch::Busy;
use crate::wire::mailbox::Letters;
use bytes::Bytes;
use http_body::Frame;
use http_body::SizeHint;
use std::pin::Pin;
use std::task::Context;
use std::task::Poll;
use std::time::Duration;
use tokio::time::Instant;
use tokio::time::Sleep;

/// A stream without events says this often that it is alive, so that no proxy in between closes it.
pub const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Waiting events are sent in pieces of about this many bytes.
const PIECE: usize = 64 << 10;

/// A comment, which clients skip.
const COMMENT: &[u8] = b": keep-alive\n\n";

/// The body of one response.
#[derive(Debug, Default)]
pub struct Body {
    content: Content,
    busy: Option<Busy>,
}

#[derive(Debug, Default)]
enum Content {
    #[default]
    Nothing,
    Text(Bytes),
    Events(Box<Events>),
}

/// The answer was cut off: the client does not read, or the gateway lost it. The connection is closed, so that it does
/// not look like a stream that ended well.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the stream was cut off before its answer")]
pub struct Cut;

/// What reading one event came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// An event; more may follow.
    More,
    /// The answer; nothing follows.
    Last,
    /// No event will come. `cut` says that some are missing.
    End {
        /// The reader was too slow.
        cut: bool,
    },
}

#[derive(Debug)]
enum Source {
    /// Sent and forgotten.
    Letters(Letters),
    /// Kept for the client that loses its connection.
    Kept(Reading),
    /// Everything for one client.
    Line(Line),
}

/// Letters as server-sent events.
#[derive(Debug)]
pub struct Events {
    source: Source,
    /// Bytes to be sent before the next letter.
    ahead: Vec<u8>,
    keep_alive: Pin<Box<Sleep>>,
    /// What is to be done when the client goes before the answer.
    abandon: Option<Abandon>,
    /// It ends with this.
    lease: Option<Lease>,
    /// The stream is that of a request and must end with its answer.
    owes_answer: bool,
    ended: bool,
}

impl Body {
    /// A body of `bytes`.
    #[must_use]
    pub fn text(bytes: impl Into<Bytes>) -> Self {
        Self { content: Content::Text(bytes.into()), busy: None }
    }

    /// A stream.
    #[must_use]
    pub fn events(events: Events) -> Self {
        Self { content: Content::Events(Box::new(events)), busy: None }
    }

    /// Ends a stream when the credential does that it was asked for with.
    pub fn lasts_while(&mut self, lease: Lease) {
        if let Content::Events(events) = &mut self.content {
            events.lease = Some(lease);
        }
    }

    /// Keeps its connection busy until it is sent or dropped.
    pub fn holds(&mut self, busy: Busy) {
        self.busy = Some(busy);
    }
}

impl Events {
    /// The stream of one request, which ends with the answer. `ahead` is a letter that was read already.
    #[must_use]
    pub fn of_request(letters: Letters, ahead: Option<&[u8]>, abandon: Option<Abandon>) -> Self {
        let mut events = Self { abandon, owes_answer: true, ..Self::of_session(letters) };
        if let Some(bytes) = ahead {
            events.ahead.clear();
            write_event(&mut events.ahead, bytes);
        }
        events
    }

    /// A stream that can be resumed. `owes_answer` says that it is the stream of a request.
    #[must_use]
    pub fn kept(reading: Reading, owes_answer: bool) -> Self {
        let mut ahead = Vec::new();
        if !reading.prime(&mut ahead) && !reading.is_behind() {
            ahead.extend_from_slice(COMMENT);
        }
        Self { ahead, owes_answer, ..Self::of(Source::Kept(reading)) }
    }

    /// Everything for one client, after the events in `ahead`.
    #[must_use]
    pub fn of_line(line: Line, ahead: Vec<u8>) -> Self {
        Self { ahead, ..Self::of(Source::Line(line)) }
    }

    /// The stream of a session, which ends with the session.
    #[must_use]
    pub fn of_session(letters: Letters) -> Self {
        Self::of(Source::Letters(letters))
    }

    fn of(source: Source) -> Self {
        Self {
            source,
            // Something is sent at once: some proxies keep a header back until a body begins.
            ahead: COMMENT.to_vec(),
            keep_alive: Box::pin(tokio::time::sleep(KEEP_ALIVE)),
            abandon: None,
            lease: None,
            owes_answer: false,
            ended: false,
        }
    }

    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Cut>>> {
        if self.lease.as_mut().is_some_and(|lease| lease.poll_ended(cx).is_ready()) {
            // Nothing more is said to somebody who may not hear it. A request that it belongs to is cancelled.
            self.lease = None;
            self.ended = true;
            self.owes_answer = false;
            self.ahead.clear();
        }
        let mut piece = std::mem::take(&mut self.ahead);
        while !self.ended && piece.len() < PIECE {
            match self.source.poll_event(cx, &mut piece) {
                Poll::Ready(Step::More) => {}
                Poll::Ready(Step::Last) => self.settle(),
                Poll::Ready(Step::End { cut }) => {
                    self.ended = true;
                    // A request that was cancelled has no answer, and its stream ends well.
                    self.owes_answer &= cut;
                }
                Poll::Pending => break,
            }
        }
        if !piece.is_empty() {
            self.keep_alive.as_mut().reset(Instant::now() + KEEP_ALIVE);
            return Poll::Ready(Some(Ok(piece.into())));
        }
        if self.ended {
            return Poll::Ready(std::mem::take(&mut self.owes_answer).then_some(Err(Cut)));
        }
        if self.keep_alive.as_mut().poll(cx).is_ready() {
            self.keep_alive.as_mut().reset(Instant::now() + KEEP_ALIVE);
            return Poll::Ready(Some(Ok(Bytes::from_static(COMMENT))));
        }
        Poll::Pending
    }

    fn settle(&mut self) {
        self.ended = true;
        self.owes_answer = false;
        if let Some(abandon) = self.abandon.take() {
            abandon.settle();
        }
    }
}

impl Source {
    fn poll_event(&mut self, cx: &mut Context<'_>, out: &mut Vec<u8>) -> Poll<Step> {
        let letters = match self {
            Self::Letters(letters) => letters,
            Self::Kept(reading) => return reading.poll_event(cx, out),
            Self::Line(line) => return line.poll_events(cx, out),
        };
        letters.poll_next(cx).map(|letter| match letter {
            None => Step::End { cut: letters.are_cut() },
            Some(letter) => {
                write_event(out, &letter.bytes);
                if letter.kind.is_last() { Step::Last } else { Step::More }
            }
        })
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        match &mut self.content {
            Content::Nothing => Poll::Ready(None),
            Content::Text(bytes) => {
                let frame = Frame::data(std::mem::take(bytes));
                self.content = Content::Nothing;
                Poll::Ready(Some(Ok(frame)))
            }
            Content::Events(events) => events.poll_piece(cx).map_ok(Frame::data),
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.content, Content::Nothing)
    }

    fn size_hint(&self) -> SizeHint {
        match &self.content {
            Content::Nothing => SizeHint::with_exact(0),
            Content::Text(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Content::Events(_) => SizeHint::default(),
        }
    }
}

/// Writes the message of an event and ends the event.
pub fn write_event(out: &mut Vec<u8>, message: &[u8]) {
    out.reserve(message.len() + 8);
    out.extend_from_slice(b"data: ");
    out.extend_from_slice(message);
    out.extend_from_slice(b"\n\n");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::mailbox::Kind;
    use crate::wire::mailbox::mailbox;
    use http_body_util::BodyExt;

    async fn piece(body: &mut Body) -> Option<Result<String, Cut>> {
        let frame = body.frame().await?;
        Some(frame.map(|frame| String::from_utf8(frame.into_data().unwrap().to_vec()).unwrap()))
    }

    #[tokio::test]
    async fn waiting_letters_travel_together_and_the_last_one_ends_the_stream() {
        let (mailbox, letters) = mailbox(1000);
        let mut body = Body::events(Events::of_request(letters, Some(b"1"), None));
        mailbox.put(b"2".to_vec(), Kind::Notice).unwrap();
        mailbox.put(b"3".to_vec(), Kind::Result).unwrap();
        assert_eq!(piece(&mut body).await.unwrap().unwrap(), "data: 1\n\ndata: 2\n\ndata: 3\n\n");
        assert!(piece(&mut body).await.is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_stream_says_that_it_is_alive() {
        let (mailbox, letters) = mailbox(1000);
        let mut body = Body::events(Events::of_session(letters));
        assert!(piece(&mut body).await.unwrap().unwrap().starts_with(": "));
        for _ in 0..3 {
            let before = Instant::now();
            assert_eq!(piece(&mut body).await.unwrap().unwrap().as_bytes(), COMMENT);
            assert_eq!(before.elapsed().as_secs(), 15);
        }
        mailbox.close();
        assert!(piece(&mut body).await.is_none(), "a session's stream may end at any time");
    }

    #[tokio::test]
    async fn a_stream_whose_reader_was_too_slow_ends_badly() {
        let (mailbox, letters) = mailbox(1);
        let mut body = Body::events(Events::of_request(letters, Some(b"1"), None));
        mailbox.put(b"22".to_vec(), Kind::Notice).unwrap();
        mailbox.put(b"3".to_vec(), Kind::Result).unwrap_err();
        assert!(piece(&mut body).await.unwrap().is_ok());
        assert_eq!(piece(&mut body).await.unwrap(), Err(Cut));
        assert!(piece(&mut body).await.is_none());
    }

    #[tokio::test]
    async fn the_stream_of_a_cancelled_request_ends_well() {
        let (mailbox, letters) = mailbox(1000);
        let mut body = Body::events(Events::of_request(letters, Some(b"1"), None));
        mailbox.close();
        assert!(piece(&mut body).await.unwrap().is_ok());
        assert!(piece(&mut body).await.is_none());
    }
}
