//! A request on its way: the first letter decides whether the answer is one JSON text or a stream of events.
//!
//! When no letter comes for a while the stream begins without one, so that the connection is never silent for long.

use crate::front::http::abandon::Abandon;
use crate::front::http::header;
use crate::front::http::replay::Streams;
use crate::front::http::reply;
use crate::front::http::reply::Reply;
use crate::front::http::sessions::Opening;
use crate::front::http::stream::Events;
use crate::front::http::stream::KEEP_ALIVE;
use crate::protocol::code;
use crate::protocol::version::Era;
use crate::wire::mailbox::Kind;
use crate::wire::mailbox::Letter;
use crate::wire::mailbox::Letters;
use http::HeaderValue;
use http::StatusCode;
use http::header::RETRY_AFTER;
use std::sync::Arc;

/// What became of a message.
pub enum Begun {
    /// The response is known.
    Done(Reply),
    /// The answer is awaited.
    Waits(Waiting),
}

/// A request that was accepted. Dropped unanswered it is cancelled, if it is a modern one.
pub struct Waiting {
    /// Where the answer arrives.
    pub letters: Letters,
    /// The id of the request, as JSON text.
    pub id: Box<str>,
    /// The era it was asked in.
    pub era: Era,
    /// Set when a closed connection cancels it.
    pub abandon: Option<Abandon>,
    /// It is answered for as long as the client listens.
    pub lasts: bool,
    /// Set when it opens a session.
    pub opening: Option<Opening>,
    /// Where its stream is kept for the client that loses its connection.
    pub streams: Option<Arc<Streams>>,
}

impl Waiting {
    /// Waits for the first letter.
    pub async fn reply(mut self) -> Reply {
        match tokio::time::timeout(KEEP_ALIVE, self.letters.next()).await {
            Ok(Some(letter)) if letter.kind.is_last() => self.whole(letter),
            Ok(Some(letter)) => self.stream(Some(letter)),
            Err(_) => self.stream(None),
            // Cancelled: no answer is due, and a stream may end without one.
            Ok(None) => self.stream(None),
        }
    }

    fn whole(self, letter: Letter) -> Reply {
        if let Some(abandon) = self.abandon {
            abandon.settle();
        }
        let after = retry_after(&letter);
        let mut reply = reply::json(status(self.era, letter.kind), letter.bytes);
        if let Some(after) = after {
            reply.headers_mut().insert(RETRY_AFTER, after);
        }
        // A session begins only when its `initialize` succeeds.
        if let Some(opening) = self.opening.filter(|_| letter.kind == Kind::Result) {
            name_session(&mut reply, opening);
        }
        reply
    }

    fn stream(self, first: Option<Letter>) -> Reply {
        if let Some(streams) = self.streams {
            return reply::events(Events::kept(streams.begin(self.letters, first), true));
        }
        let ahead = first.as_ref().map(|letter| &*letter.bytes);
        let mut reply = reply::events(Events::of_request(self.letters, ahead, self.abandon));
        if let Some(opening) = self.opening {
            name_session(&mut reply, opening);
        }
        reply
    }
}

fn name_session(reply: &mut Reply, opening: Opening) {
    if let Ok(value) = HeaderValue::try_from(String::from(opening.keep())) {
        reply.headers_mut().insert(&header::SESSION, value);
    }
}

/// The seconds that an error asks its client to wait, for those who read only headers.
fn retry_after(letter: &Letter) -> Option<HeaderValue> {
    const KEY: &[u8] = b"\"retryAfter\":";
    const LONGEST_ERROR: usize = 4096;
    let Kind::Error(code::INTERNAL_ERROR) = letter.kind else { return None };
    let bytes = letter.bytes.get(..LONGEST_ERROR).unwrap_or(&letter.bytes);
    let at = memchr::memmem::find(bytes, KEY)? + KEY.len();
    let digits = bytes[at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    HeaderValue::from_bytes(&bytes[at..at + digits]).ok().filter(|_| (1..10).contains(&digits))
}

/// Source: MCP 2026-07-28, `basic/transports/streamable-http`. Legacy errors are told inside a 200.
fn status(era: Era, kind: Kind) -> StatusCode {
    match (era, kind) {
        (Era::Modern, Kind::Error(code::METHOD_NOT_FOUND)) => StatusCode::NOT_FOUND,
        (
            Era::Modern,
            Kind::Error(code::HEADER_MISMATCH | code::MISSING_CAPABILITY | code::UNSUPPORTED_VERSION),
        ) => StatusCode::BAD_REQUEST,
        _ => StatusCode::OK,
    }
}
