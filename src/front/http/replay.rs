//! Streams of one legacy session that a client can take up again where it lost them.
//!
//! Source: MCP 2025-11-25, `basic/transports`, "Resumability and Redelivery". A stream has one reader at a time: a new one
//! takes it from the one before, so no message is ever on two streams. It does not outlive its session, and keeps no more
//! than its bounds say.

use crate::front::http::stream::Step;
use crate::front::http::stream::write_event;
use crate::gateway::session::Session;
use crate::protocol::version::NEWEST_LEGACY;
use crate::wire::mailbox::Letter;
use crate::wire::mailbox::Letters;
use crate::wire::mailbox::Mailbox;
use crate::wire::mailbox::mailbox;
use crate::wire::sink::Sink;
use std::collections::VecDeque;
use std::fmt;
use std::io::Write as _;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::task::Context;
use std::task::Poll;
use std::task::Waker;

/// Events of one stream that are kept after they were sent.
const MOST_EVENTS: usize = 1000;
/// Streams of one session that are kept after their answer was given.
const MOST_ENDED: usize = 16;
/// Together they keep at most this many times what one stream may.
const ENDED_SHARE: usize = 4;
/// What a client is asked to wait before it comes back, in milliseconds.
const RETRY: u32 = 1000;

/// The streams of one session.
pub struct Streams {
    session: Arc<Session>,
    replay_bytes: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Numbers given so far.
    count: u64,
    /// Oldest first.
    open: VecDeque<Arc<Stream>>,
    /// The one for messages that belong to no request.
    own: Option<(Mailbox, Arc<Stream>)>,
}

/// One stream: what was sent of it, and what is still to come.
struct Stream {
    number: u64,
    replay_bytes: usize,
    track: Mutex<Track>,
}

struct Track {
    letters: Letters,
    sent: VecDeque<Vec<u8>>,
    sent_bytes: usize,
    /// The place of the first event in `sent`; places begin at 1.
    first: u64,
    /// Counts readers: only the last one reads.
    reader: u64,
    attached: bool,
    waker: Option<Waker>,
}

/// The right to read a stream, until somebody else takes it up. Dropping it leaves the stream to be resumed.
pub struct Reading {
    stream: Arc<Stream>,
    reader: u64,
    /// The place of the next event.
    next: u64,
    primes: bool,
}

/// Why a stream cannot be taken up where its client lost it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotResumable {
    /// No event of this session that is still known.
    #[error("this `Last-Event-ID` is not of an event that is still known; open a stream without it")]
    Unknown,
    /// Something behind it is gone.
    #[error(
        "what was sent after this `Last-Event-ID` is no longer kept (`gateway.http.replayBytes`); open a stream \
         without it"
    )]
    Lost,
}

impl Streams {
    /// The streams of `session`; each keeps at most `replay_bytes` of what it has sent.
    #[must_use]
    pub fn new(session: Arc<Session>, replay_bytes: usize) -> Self {
        Self { session, replay_bytes, state: Mutex::default() }
    }

    /// Whose they are.
    #[must_use]
    pub fn session(&self) -> &Arc<Session> {
        &self.session
    }

    /// A stream of its own for the answer to one request. `first` was read already.
    #[must_use]
    pub fn begin(&self, letters: Letters, first: Option<Letter>) -> Reading {
        let mut state = lock(&self.state);
        state.let_go(self.replay_bytes.saturating_mul(ENDED_SHARE));
        let stream = state.add(letters, self.replay_bytes);
        if let Some(letter) = first {
            lock(&stream.track).keep(letter.bytes, usize::MAX);
        }
        Stream::read(&stream, 1, self.primes())
    }

    /// The stream for messages that belong to no request, from the first that was not sent yet; who read it before reads
    /// no more. At most `limit` bytes wait in it.
    #[must_use]
    pub fn listen(&self, limit: usize) -> Reading {
        let mut state = lock(&self.state);
        let primes = self.primes();
        if let Some((mailbox, stream)) = &state.own
            && !mailbox.is_closed()
        {
            let next = lock(&stream.track).end();
            return Stream::read(stream, next, primes);
        }
        let (mailbox, letters) = mailbox(limit);
        let stream = state.add(letters, self.replay_bytes);
        self.session.attach(Sink::Mail(mailbox.clone()));
        let reading = Stream::read(&stream, 1, primes);
        state.own = Some((mailbox, stream));
        reading
    }

    /// Takes up the stream of the event `last` behind it.
    ///
    /// # Errors
    /// [`NotResumable`]
    pub fn resume(&self, last: &str) -> Result<Reading, NotResumable> {
        let (number, place) = last.split_once('-').ok_or(NotResumable::Unknown)?;
        let number: u64 = number.parse().map_err(|_| NotResumable::Unknown)?;
        let place: u64 = place.parse().map_err(|_| NotResumable::Unknown)?;
        let state = lock(&self.state);
        let stream = state.open.iter().find(|stream| stream.number == number);
        let stream = stream.ok_or(NotResumable::Unknown)?;
        let track = lock(&stream.track);
        if place >= track.end() {
            return Err(NotResumable::Unknown);
        }
        if place + 1 < track.first || track.letters.are_cut() {
            return Err(NotResumable::Lost);
        }
        drop(track);
        Ok(Stream::read(stream, place + 1, false))
    }

    /// True while somebody reads the stream of the session.
    #[must_use]
    pub fn is_listened_to(&self) -> bool {
        let state = lock(&self.state);
        state.own.as_ref().is_some_and(|(mailbox, own)| !mailbox.is_closed() && lock(&own.track).attached)
    }

    /// Ends the stream of the session; those of requests end with their answers.
    pub fn close(&self) {
        if let Some((mailbox, _)) = &lock(&self.state).own {
            mailbox.close();
        }
    }

    /// Earlier revisions do not say that an event may be empty, and their clients do not expect it.
    fn primes(&self) -> bool {
        self.session.version() == Some(NEWEST_LEGACY)
    }
}

impl State {
    fn add(&mut self, letters: Letters, replay_bytes: usize) -> Arc<Stream> {
        self.count += 1;
        let track = Track {
            letters,
            sent: VecDeque::new(),
            sent_bytes: 0,
            first: 1,
            reader: 0,
            attached: false,
            waker: None,
        };
        let stream = Arc::new(Stream { number: self.count, replay_bytes, track: Mutex::new(track) });
        self.open.push_back(Arc::clone(&stream));
        stream
    }

    /// Forgets the oldest streams that have ended, until the others are within their bounds.
    fn let_go(&mut self, most_bytes: usize) {
        let (mut count, mut bytes) = (0, 0);
        let mut kept = VecDeque::with_capacity(self.open.len() + 1);
        while let Some(stream) = self.open.pop_back() {
            let track = lock(&stream.track);
            let ended = track.letters.are_over();
            let held = track.sent_bytes + track.letters.waiting_bytes();
            drop(track);
            if ended {
                count += 1;
                bytes += held;
            }
            if !ended || (count <= MOST_ENDED && (count == 1 || bytes <= most_bytes)) {
                kept.push_front(stream);
            }
        }
        self.open = kept;
    }
}

impl Stream {
    fn read(stream: &Arc<Self>, next: u64, primes: bool) -> Reading {
        let mut track = lock(&stream.track);
        track.reader += 1;
        track.attached = true;
        track.letters.narrow(None);
        // Who read it before is told.
        if let Some(waker) = track.waker.take() {
            waker.wake();
        }
        Reading { stream: Arc::clone(stream), reader: track.reader, next, primes }
    }
}

impl Track {
    /// The place of the next event that nobody has read.
    fn end(&self) -> u64 {
        self.first + self.sent.len() as u64
    }

    fn keep(&mut self, event: Vec<u8>, most_bytes: usize) {
        self.sent_bytes += event.len();
        self.sent.push_back(event);
        while self.sent_bytes > most_bytes || self.sent.len() > MOST_EVENTS {
            let Some(oldest) = self.sent.pop_front() else { break };
            self.sent_bytes -= oldest.len();
            self.first += 1;
        }
    }
}

impl Reading {
    /// Writes the next event to `out`.
    pub fn poll_event(&mut self, cx: &mut Context<'_>, out: &mut Vec<u8>) -> Poll<Step> {
        let mut track = lock(&self.stream.track);
        if track.reader != self.reader {
            return Poll::Ready(Step::End { cut: false });
        }
        if let Some(event) = self.next.checked_sub(track.first).and_then(|at| track.sent.get(at as usize)) {
            write_id(out, self.stream.number, self.next);
            write_event(out, event);
            self.next += 1;
            return Poll::Ready(Step::More);
        }
        match track.letters.poll_next(cx) {
            Poll::Ready(Some(letter)) => {
                write_id(out, self.stream.number, self.next);
                write_event(out, &letter.bytes);
                self.next += 1;
                track.keep(letter.bytes, self.stream.replay_bytes);
                Poll::Ready(if letter.kind.is_last() { Step::Last } else { Step::More })
            }
            Poll::Ready(None) => Poll::Ready(Step::End { cut: track.letters.are_cut() }),
            Poll::Pending => {
                track.waker = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }

    /// True when there is an event that can be read at once.
    #[must_use]
    pub fn is_behind(&self) -> bool {
        self.next < lock(&self.stream.track).end()
    }

    /// Writes the event that says where the stream can be taken up if it is lost before its first message.
    ///
    /// `false` for clients that do not know it.
    #[must_use]
    pub fn prime(&self, out: &mut Vec<u8>) -> bool {
        if self.primes {
            write_id(out, self.stream.number, self.next - 1);
            let _ = write!(out, "retry: {RETRY}\ndata: \n\n");
        }
        self.primes
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        let mut track = lock(&self.stream.track);
        if track.reader == self.reader {
            track.attached = false;
            track.waker = None;
            track.letters.narrow(Some(self.stream.replay_bytes));
        }
    }
}

impl fmt::Debug for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reading")
            .field("stream", &self.stream.number)
            .field("next", &self.next)
            .finish_non_exhaustive()
    }
}

fn write_id(out: &mut Vec<u8>, number: u64, place: u64) {
    let _ = writeln!(out, "id: {number}-{place}");
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
