//! One client on a pair of byte streams: stdin and stdout of the process, or any other.
//!
//! Nothing but JSON-RPC is ever written to it.

use crate::auth::caller::Caller;
use crate::auth::local;
use crate::front::course::Course;
use crate::gateway::Gateway;
use crate::gateway::session::Session;
use crate::protocol::code;
use crate::wire::batch;
use crate::wire::frame::Framer;
use crate::wire::frame::Line;
use crate::wire::guard::guarded;
use crate::wire::message;
use crate::wire::message::Malformed;
use crate::wire::outbox::Outbox;
use crate::wire::sink::Sink;
use std::pin::Pin;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncRead;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWrite;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio::time::sleep;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// How often the end of the last calls is looked for while draining.
const DRAIN_STEP: Duration = Duration::from_millis(5);
/// Of a client that is taken over: how long nothing is read, and how long it is, in turns.
const PAUSE: Duration = Duration::from_millis(50);
const READ: Duration = Duration::from_millis(200);
/// How long the last answers may take to be written once the calls have ended.
const LAST_WRITES: Duration = Duration::from_secs(2);

const END: &str = "end of input";
const CUT: &str = "the client does not read";
const SHUTDOWN: &str = "shutdown";
const GONE: &str = "the client no longer reads";

/// Serves one client, who is the usual one of the configuration, until it closes its end, stops reading, or `shutdown`; then drains its calls.
pub async fn run<R, W>(gateway: Gateway, reader: R, writer: W, shutdown: CancellationToken)
where
    R: AsyncRead + Send + Unpin,
    W: AsyncWrite + Send + Unpin + 'static,
{
    let caller = local::usual(&gateway.config().settings.callers);
    Client::open(gateway, caller, "stdio").run(reader, writer, Leave::with(shutdown)).await;
}

/// Has a client leave that did not close its end.
#[derive(Debug, Clone)]
pub struct Leave {
    /// Its calls have the time of a drain.
    pub now: CancellationToken,
    /// Another gateway takes it over, in a moment without calls.
    pub soon: CancellationToken,
}

impl Leave {
    /// With the gateway, and not before.
    #[must_use]
    pub fn with(shutdown: CancellationToken) -> Self {
        Self { now: shutdown, soon: CancellationToken::new() }
    }
}

/// One client on a pair of byte streams.
pub struct Client {
    gateway: Gateway,
    session: Arc<Session>,
    outbox: Arc<Outbox>,
    sink: Sink,
    bounds: Bounds,
    /// Kept for a client that another gateway may take over.
    course: Option<Arc<Course>>,
}

impl Client {
    /// A client that is `caller` and came over `transport`. Nothing is read yet.
    #[must_use]
    pub fn open(gateway: Gateway, caller: Caller, transport: &'static str) -> Self {
        let config = gateway.config();
        let limits = &config.settings.limits;
        let outbox = Arc::new(Outbox::new(limits.client_queue_bytes));
        let bounds = Bounds { message_bytes: limits.message_bytes, depth: limits.depth };
        let session = gateway.open_session(caller);
        if let Some(presence) = session.presence() {
            presence.came_over(transport, None);
        }
        session.passed.comes_from_here();
        let sink = Sink::Line(Arc::clone(&outbox));
        session.attach(sink.clone());
        Self { gateway, session, outbox, sink, bounds, course: None }
    }

    /// From here on it is known how far the client has come. It had `turn` gateways before, to which it said `again`.
    pub fn follow(&mut self, turn: u32, again: &[String]) -> Arc<Course> {
        if let Some(presence) = self.session.presence() {
            presence.had_before(turn);
        }
        let nowhere = Sink::Line(Arc::new(Outbox::new(0)));
        for line in again {
            if let Ok(message) = message::parse(line.as_bytes(), self.bounds.depth) {
                self.gateway.accept(&self.session, &message, &nowhere);
            }
        }
        if !again.is_empty() {
            // What it knows may be old: the gateway before may have had other lists.
            for list in ["tools", "prompts", "resources"] {
                self.session.notify(&format!("notifications/{list}/list_changed"), None);
            }
        }
        let course = Course::new(&self.session, &self.outbox, again, self.bounds.depth);
        let course = Arc::new(course);
        self.course = Some(Arc::clone(&course));
        course
    }

    /// Serves it until it closes its end, stops reading, or is to `leave`; then drains its calls.
    pub async fn run<R, W>(self, reader: R, writer: W, leave: Leave)
    where
        R: AsyncRead + Send + Unpin,
        W: AsyncWrite + Send + Unpin + 'static,
    {
        let Self { gateway, session, outbox, course, .. } = &self;
        let mut writing = JoinSet::new();
        let queue = Arc::clone(outbox);
        writing.spawn(async move {
            if let Err(error) = queue.write_to(writer).await {
                tracing::debug!(%error, "the client no longer reads");
            }
        });
        let mut reading = pin!(self.read_all(reader));
        let why = tokio::select! {
            () = &mut reading => END,
            _ = writing.join_next() => GONE,
            () = outbox.cut() => CUT,
            () = leave.now.cancelled() => SHUTDOWN,
            () = leave.soon.cancelled() => SHUTDOWN,
            () = self.gone() => GONE,
        };
        let goes_on = why == SHUTDOWN && course.is_some() && !gateway.core().standing().is_ending();
        let why = if goes_on { self.last_calls(&mut reading, &mut writing, &leave).await } else { why };
        // What it was cut off for may have been written in the same moment.
        let why = if outbox.is_cut() { CUT } else { why };
        gateway.end_subscriptions(session);
        let patience = if goes_on && why == SHUTDOWN { Duration::ZERO } else { self.patience() };
        match why {
            // What is not read of a client that has a course is for the next gateway.
            END | SHUTDOWN if why == END || course.is_some() => tokio::select! {
                () = drain(|| session.in_flight(), patience) => {}
                () = self.gone() => {}
            },
            // The servers' drain ends the calls, so that each has its answer; new ones are refused, so they are read.
            SHUTDOWN => tokio::select! {
                () = drain(|| session.in_flight(), patience.saturating_add(LAST_WRITES)) => {}
                () = async { reading.await; std::future::pending().await } => {}
            },
            // Nobody is there to be answered: what is under way is cancelled, and nothing more is begun.
            CUT => session.cut_off(outbox.len()),
            _ => {}
        }
        if let Some(course) = course {
            course.end(outbox.is_cut());
        }
        gateway.close_session(session, why);
        outbox.close();
        let _ = timeout(LAST_WRITES, writing.join_next()).await;
    }

    /// Waits for a moment without calls in which the client can be taken over; why it ends. What is in flight may need the
    /// client: answers and cancellations are still read, and new requests with them, but in turns, so that the moment comes.
    async fn last_calls(
        &self,
        reading: &mut Pin<&mut impl Future<Output = ()>>,
        writing: &mut JoinSet<()>,
        leave: &Leave,
    ) -> &'static str {
        let mut deadline = None;
        loop {
            if leave.now.is_cancelled() {
                deadline = deadline.or_else(|| Some(Instant::now() + self.patience()));
            }
            let awaited = || self.gateway.awaited_by(&self.session);
            drain(awaited, PAUSE).await;
            let is_late = deadline.is_some_and(|deadline| Instant::now() >= deadline);
            if awaited() == 0 || is_late || self.gateway.core().standing().is_ending() {
                return SHUTDOWN;
            }
            tokio::select! {
                () = &mut *reading => return END,
                _ = writing.join_next() => return GONE,
                () = self.outbox.cut() => return CUT,
                () = self.gone() => return GONE,
                () = sleep(READ) => {}
            }
        }
    }

    fn patience(&self) -> Duration {
        self.gateway.config().settings.drain_timeout
    }

    async fn gone(&self) {
        match &self.course {
            Some(course) => course.gone().cancelled().await,
            None => std::future::pending().await,
        }
    }

    async fn read_all<R: AsyncRead + Unpin>(&self, mut reader: R) {
        let mut framer = Framer::new(self.bounds.message_bytes);
        let mut came = 0;
        loop {
            match reader.read(framer.space()).await {
                Ok(0) | Err(_) => break,
                Ok(count) => {
                    framer.filled(count);
                    came += count as u64;
                }
            }
            if let Some(presence) = self.session.presence() {
                presence.heard(Instant::now());
            }
            while let Some(line) = framer.next_line() {
                guarded("a message of the client", || self.accept(line));
            }
            if let Some(course) = &self.course {
                course.heard(came - framer.pending() as u64);
            }
        }
        if let Some(line) = framer.rest() {
            guarded("a message of the client", || self.accept(line));
        }
        if let Some(course) = &self.course {
            course.heard(came);
        }
    }

    fn accept(&self, line: Line<'_>) {
        let Self { gateway, session, sink, bounds, .. } = self;
        let bytes = match line {
            Line::Whole(bytes) => bytes,
            Line::TooLong(prefix) => {
                let id = message::recover_id(&String::from_utf8_lossy(prefix));
                let text = format!("the message is longer than {} bytes", bounds.message_bytes);
                return gateway.refuse(&Malformed { id, code: code::INVALID_REQUEST, text }, sink);
            }
        };
        if batch::is_batch(bytes) {
            match (gateway.accept_batch(session, bytes, bounds.depth, sink), &self.course) {
                (Ok(Some(gathering)), Some(course)) => course.note_batch(bytes, gathering),
                (Ok(_), _) => {}
                (Err(malformed), _) => gateway.refuse(&malformed, sink),
            }
            return;
        }
        let bytes = &*message::without_breaks(bytes, bounds.depth);
        match message::parse(bytes, bounds.depth) {
            Ok(message) => {
                if let Some(course) = &self.course {
                    course.note(&message, bytes);
                }
                gateway.accept(session, &message, sink);
            }
            Err(malformed) => gateway.refuse(&malformed, sink),
        }
    }
}

/// Bounds of what a client may send.
#[derive(Clone, Copy)]
struct Bounds {
    message_bytes: usize,
    depth: usize,
}

/// Waits for the calls in flight, at most `patience`.
async fn drain(awaited: impl Fn() -> usize, patience: Duration) {
    let deadline = Instant::now() + patience;
    while awaited() > 0 && Instant::now() < deadline {
        sleep(DRAIN_STEP).await;
    }
}
