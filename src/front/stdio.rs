//! One client on a pair of byte streams: stdin and stdout of the process, or any other.
//!
//! Nothing but JSON-RPC is ever written to it.

use crate::auth::caller::Caller;
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
/// How long the last answers may take to be written once the calls have ended.
const LAST_WRITES: Duration = Duration::from_secs(2);

const END: &str = "end of input";
const CUT: &str = "the client does not read";
const SHUTDOWN: &str = "shutdown";

/// Serves one client until it closes its end, stops reading, or `shutdown`; then drains its calls.
pub async fn run<R, W>(gateway: Gateway, reader: R, writer: W, shutdown: CancellationToken)
where
    R: AsyncRead + Send + Unpin,
    W: AsyncWrite + Send + Unpin + 'static,
{
    let config = gateway.config();
    let limits = &config.settings.limits;
    let outbox = Arc::new(Outbox::new(limits.client_queue_bytes));
    let sink = Sink::Line(Arc::clone(&outbox));
    let session = gateway.open_session(Caller::Local);
    if let Some(presence) = session.presence() {
        presence.came_over("stdio", None);
    }
    session.attach(sink.clone());
    let mut writing = JoinSet::new();
    let queue = Arc::clone(&outbox);
    writing.spawn(async move {
        if let Err(error) = queue.write_to(writer).await {
            tracing::debug!(%error, "the client no longer reads");
        }
    });
    let bounds = Bounds { message_bytes: limits.message_bytes, depth: limits.depth };
    let mut reading = pin!(read_all(&gateway, &session, &sink, reader, bounds));
    let why = tokio::select! {
        () = &mut reading => END,
        _ = writing.join_next() => "the client no longer reads",
        () = outbox.cut() => CUT,
        () = shutdown.cancelled() => SHUTDOWN,
    };
    gateway.end_subscriptions(&session);
    let patience = config.settings.drain_timeout;
    match why {
        END => drain(&session, patience).await,
        // The servers' drain ends the calls, so that each has its answer; new ones are refused, so they are read.
        SHUTDOWN => tokio::select! {
            () = drain(&session, patience.saturating_add(LAST_WRITES)) => {}
            () = async { reading.await; std::future::pending().await } => {}
        },
        // Nobody is there to be answered: what is under way is cancelled, and nothing more is begun.
        CUT => session.cut_off(outbox.len()),
        _ => {}
    }
    gateway.close_session(&session, why);
    outbox.close();
    let _ = timeout(LAST_WRITES, writing.join_next()).await;
}

/// Bounds of what a client may send.
#[derive(Clone, Copy)]
struct Bounds {
    message_bytes: usize,
    depth: usize,
}

async fn read_all<R: AsyncRead + Unpin>(
    gateway: &Gateway,
    session: &Arc<Session>,
    sink: &Sink,
    mut reader: R,
    bounds: Bounds,
) {
    let mut framer = Framer::new(bounds.message_bytes);
    loop {
        match reader.read(framer.space()).await {
            Ok(0) | Err(_) => break,
            Ok(count) => framer.filled(count),
        }
        if let Some(presence) = session.presence() {
            presence.heard(Instant::now());
        }
        while let Some(line) = framer.next_line() {
            guarded("a message of the client", || accept(gateway, session, sink, line, bounds));
        }
    }
    if let Some(line) = framer.rest() {
        guarded("a message of the client", || accept(gateway, session, sink, line, bounds));
    }
}

fn accept(gateway: &Gateway, session: &Arc<Session>, sink: &Sink, line: Line<'_>, bounds: Bounds) {
    let bytes = match line {
        Line::Whole(bytes) => bytes,
        Line::TooLong(prefix) => {
            let id = message::recover_id(&String::from_utf8_lossy(prefix));
            let text = format!("the message is longer than {} bytes", bounds.message_bytes);
            return gateway.refuse(&Malformed { id, code: code::INVALID_REQUEST, text }, sink);
        }
    };
    if batch::is_batch(bytes) {
        if let Err(malformed) = gateway.accept_batch(session, bytes, bounds.depth, sink) {
            gateway.refuse(&malformed, sink);
        }
        return;
    }
    let bytes = &*message::without_breaks(bytes, bounds.depth);
    match message::parse(bytes, bounds.depth) {
        Ok(message) => gateway.accept(session, &message, sink),
        Err(malformed) => gateway.refuse(&malformed, sink),
    }
}

/// Waits for the calls in flight, at most `patience`.
async fn drain(session: &Session, patience: Duration) {
    let deadline = Instant::now() + patience;
    while session.in_flight() > 0 && Instant::now() < deadline {
        sleep(DRAIN_STEP).await;
    }
}
