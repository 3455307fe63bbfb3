//! Deadlines of one connection: for the header of a request, for doing nothing, and for not reading what we write.
//!
//! One timer per connection looks at a few numbers now and then; a request costs no timer. The body of a request has a
//! deadline of its own (`intake.rs`), and how long an answer may take is not decided here.

use std::io;
use std::io::IoSlice;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicU8;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::task::Context;
use std::task::Poll;
use std::task::ready;
use std::time::Duration;
use tokio::io::AsyncRead;
use tokio::io::AsyncWrite;
use tokio::io::ReadBuf;
use tokio::time::Instant;

/// How long a connection may take.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// From the first byte of a header (or from connecting) to its last.
    pub header: Duration,
    /// Between two requests.
    pub idle: Duration,
    /// Without taking a byte of what we write.
    pub stall: Duration,
}

const IDLE: u8 = 0;
const HEAD: u8 = 1;
const BUSY: u8 = 2;
const LINGER: u8 = 3;
/// How long a client may go on sending after we closed.
const LINGER_TIME: Duration = Duration::from_secs(2);
/// How long the header of a request may take that had begun when the front was asked to end.
const HURRY: Duration = Duration::from_millis(500);
/// Nobody has asked the front to end.
const NEVER: u64 = u64::MAX;
/// No write is waiting.
const FLOWING: u64 = u64::MAX;

/// What a connection is doing, and since when. All times are milliseconds since it began.
#[derive(Debug)]
pub struct Pulse {
    began: Instant,
    phase: AtomicU8,
    since: AtomicU64,
    stalled: AtomicU64,
    hurried: AtomicU64,
    lingers: AtomicBool,
}

/// A request is being answered; ends when dropped.
#[derive(Debug)]
pub struct Busy(Arc<Pulse>);

/// A stream that tells a [`Pulse`] what it does.
#[derive(Debug)]
pub struct Watched<S> {
    stream: S,
    pulse: Arc<Pulse>,
}

impl Pulse {
    /// A new connection, whose first header is awaited.
    #[must_use]
    pub fn new() -> Self {
        Self {
            began: Instant::now(),
            phase: AtomicU8::new(HEAD),
            since: AtomicU64::new(0),
            stalled: AtomicU64::new(FLOWING),
            hurried: AtomicU64::new(NEVER),
            lingers: AtomicBool::new(false),
        }
    }

    /// A request has arrived whole; no deadline but that for reading runs until the guard is dropped.
    #[must_use]
    pub fn busy(self: &Arc<Self>) -> Busy {
        self.phase.store(BUSY, Ordering::Relaxed);
        self.lingers.store(false, Ordering::Relaxed);
        Busy(Arc::clone(self))
    }

    /// True while the first request, or the rest of a header, is awaited.
    #[must_use]
    pub fn awaits_header(&self) -> bool {
        self.phase.load(Ordering::Relaxed) == HEAD
    }

    /// The front is to end: what has not become a request by now is not waited for long.
    pub fn hurry(&self) {
        self.hurried.store(self.now(), Ordering::Relaxed);
    }

    /// Returns when the connection has taken too long.
    pub async fn expired(&self, patience: Patience) {
        // A deadline can also come nearer, when a header begins; so never sleep longer than the shortest.
        let shortest = patience.header.min(patience.idle).min(patience.stall).min(LINGER_TIME);
        loop {
            let now = Instant::now();
            let due = self.due(patience);
            if due.is_some_and(|due| due <= now) {
                return;
            }
            let wake = now + shortest;
            tokio::time::sleep_until(due.map_or(wake, |due| due.min(wake))).await;
        }
    }

    fn due(&self, patience: Patience) -> Option<Instant> {
        let after = |since: u64, wait: Duration| self.began + Duration::from_millis(since) + wait;
        let since = self.since.load(Ordering::Relaxed);
        let stalled = self.stalled.load(Ordering::Relaxed);
        let phase = match self.phase.load(Ordering::Relaxed) {
            // The answer is not out yet: its reader has the time of those who read.
            IDLE if stalled != FLOWING => None,
            IDLE => Some(after(since, patience.idle)),
            HEAD => Some(after(since, patience.header)),
            LINGER => Some(after(since, LINGER_TIME)),
            _ => None,
        };
        let hurried = self.hurried.load(Ordering::Relaxed);
        let phase = match phase {
            Some(due) if hurried != NEVER => Some(due.min(after(hurried.max(since), HURRY))),
            other => other,
        };
        let stall = (stalled != FLOWING).then(|| after(stalled, patience.stall));
        phase.into_iter().chain(stall).min()
    }

    fn enter(&self, phase: u8) {
        self.since.store(self.now(), Ordering::Relaxed);
        self.phase.store(phase, Ordering::Relaxed);
    }

    fn has_read(&self) {
        if self.phase.load(Ordering::Relaxed) == IDLE {
            self.enter(HEAD);
        }
    }

    fn writes(&self, flows: bool) {
        let stalled = self.stalled.load(Ordering::Relaxed) != FLOWING;
        if flows == stalled {
            if flows && self.phase.load(Ordering::Relaxed) == IDLE {
                self.enter(IDLE);
            }
            self.stalled.store(if flows { FLOWING } else { self.now() }, Ordering::Relaxed);
        }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(FLOWING - 1)
    }
}

impl Default for Pulse {
    fn default() -> Self {
        Self::new()
    }
}

impl Busy {
    /// Should the connection be closed after this response, then what the client still sends is read for a moment:
    /// closing with something unread would destroy the response on its way.
    pub fn lingers(&self) {
        self.0.lingers.store(true, Ordering::Relaxed);
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.enter(IDLE);
    }
}

impl<S> Watched<S> {
    /// Watches `stream`.
    pub fn new(stream: S, pulse: Arc<Pulse>) -> Self {
        Self { stream, pulse }
    }

    fn wrote<T>(&self, poll: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        self.pulse.writes(poll.is_ready());
        poll
    }
}

impl<S: AsyncRead + Unpin> Watched<S> {
    /// Reads and forgets until the client closes too; [`Pulse::expired`] bounds it.
    fn poll_linger(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.pulse.phase.load(Ordering::Relaxed) != LINGER {
            self.pulse.enter(LINGER);
        }
        let mut scratch = [MaybeUninit::uninit(); 8192];
        loop {
            let mut unread = ReadBuf::uninit(&mut scratch);
            match ready!(Pin::new(&mut self.stream).poll_read(cx, &mut unread)) {
                Ok(()) if !unread.filled().is_empty() => {}
                _ => return Poll::Ready(Ok(())),
            }
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        if buf.filled().len() > before {
            self.pulse.has_read();
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let poll = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.wrote(poll)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let poll = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.wrote(poll)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let poll = Pin::new(&mut self.stream).poll_flush(cx);
        self.wrote(poll)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let poll = Pin::new(&mut self.stream).poll_shutdown(cx);
        ready!(self.wrote(poll))?;
        if self.pulse.lingers.load(Ordering::Relaxed) { self.poll_linger(cx) } else { Poll::Ready(Ok(())) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncReadExt;
    use tokio::io::AsyncWriteExt;

    const PATIENCE: Patience = Patience {
        header: Duration::from_secs(10),
        idle: Duration::from_secs(60),
        stall: Duration::from_secs(30),
    };

    async fn seconds_until_expired(pulse: &Pulse) -> u64 {
        let before = Instant::now();
        pulse.expired(PATIENCE).await;
        before.elapsed().as_secs()
    }

    #[tokio::test(start_paused = true)]
    async fn a_header_has_less_time_than_an_idle_connection() {
        let pulse = Arc::new(Pulse::new());
        assert_eq!(seconds_until_expired(&pulse).await, 10, "the first header is awaited from the start");
        drop(pulse.busy());
        assert_eq!(seconds_until_expired(&pulse).await, 60);
        let (mut near, far) = tokio::io::duplex(64);
        let mut watched = Watched::new(far, Arc::clone(&pulse));
        drop(pulse.busy());
        near.write_all(b"P").await.unwrap();
        watched.read_u8().await.unwrap();
        assert_eq!(seconds_until_expired(&pulse).await, 10);
    }

    #[tokio::test(start_paused = true)]
    async fn a_header_that_begins_late_still_has_its_whole_time() {
        let pulse = Arc::new(Pulse::new());
        drop(pulse.busy());
        let (mut near, far) = tokio::io::duplex(64);
        let mut watched = Watched::new(far, Arc::clone(&pulse));
        let begins = async {
            tokio::time::advance(Duration::from_secs(35)).await;
            near.write_all(b"P").await.unwrap();
            watched.read_u8().await.unwrap();
        };
        let (after, ()) = tokio::join!(seconds_until_expired(&pulse), begins);
        assert_eq!(after, 45);
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_may_take_long_but_not_its_reader() {
        let pulse = Arc::new(Pulse::new());
        let busy = pulse.busy();
        assert!(tokio::time::timeout(Duration::from_secs(9999), pulse.expired(PATIENCE)).await.is_err());
        let (near, far) = tokio::io::duplex(4);
        let mut watched = Watched::new(far, Arc::clone(&pulse));
        let write = tokio::time::timeout(Duration::from_secs(1), watched.write_all(b"too long"));
        assert!(write.await.is_err(), "nobody reads");
        assert_eq!(seconds_until_expired(&pulse).await, 29);
        drop((near, busy));
    }

    #[tokio::test(start_paused = true)]
    async fn a_reader_that_is_slow_has_its_time_even_when_the_front_is_to_end() {
        let pulse = Arc::new(Pulse::new());
        let (mut near, far) = tokio::io::duplex(1);
        let mut watched = Watched::new(far, Arc::clone(&pulse));
        // The answer is handed over as a whole; then its body is dropped.
        drop(pulse.busy());
        pulse.hurry();
        let reads = async {
            for _ in 0..9 {
                tokio::time::sleep(Duration::from_secs(20)).await;
                near.read_u8().await.unwrap();
            }
        };
        let writes = async { watched.write_all(&[b'x'; 10]).await.unwrap() };
        let expires = pulse.expired(PATIENCE);
        tokio::select! {
            biased;
            () = expires => panic!("it was cut off"),
            _ = async { tokio::join!(reads, writes) } => {}
        }
        assert_eq!(seconds_until_expired(&pulse).await, 0, "and then it is not waited for");
    }
}
