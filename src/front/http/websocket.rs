//! One client on a WebSocket: one JSON-RPC message per text frame, in both directions, of either era.
//!
//! MCP leaves it to both sides how this transport works; here it is that of `stdio.rs`, with frames for lines. How the
//! connection came about is `switch.rs`. Nothing is compressed.

use crate::front::http::backing::Backing;
use crate::front::http::lease::Lease;
use crate::front::http::site::Site;
use crate::front::http::switch::Next;
use crate::gateway::session::Session;
use crate::wire::batch;
use crate::wire::guard::guarded;
use crate::wire::message;
use crate::wire::outbox::Outbox;
use crate::wire::sink::Sink;
use futures_util::SinkExt;
use futures_util::StreamExt;
use futures_util::stream::SplitSink;
use futures_util::stream::SplitStream;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use tokio::time::MissedTickBehavior;
use tokio::time::interval;
use tokio::time::sleep;
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Error;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::Utf8Bytes;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::Role;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_util::sync::CancellationToken;

type Socket = WebSocketStream<TokioIo<Upgraded>>;

/// How often the client is asked whether it is there.
const PING: Duration = Duration::from_secs(30);
/// Longest silence, pongs included, before it is taken for gone.
const SILENCE: Duration = Duration::from_secs(100);
/// A client that takes nothing of what we write is cut off after this time.
const STALL: Duration = Duration::from_secs(60);
/// How long a goodbye may take.
const GOODBYE: Duration = Duration::from_secs(2);
const REVOKED: &str = "the credential has expired or was revoked";
const UNREAD: &str = "the client did not read what was sent";
/// How often the end of the last calls is looked for while draining.
const DRAIN_STEP: Duration = Duration::from_millis(5);

/// Serves the client until one side ends, or `closing`; then its calls are finished or cancelled.
pub async fn serve(site: &Site, next: Next, closing: CancellationToken) {
    let Next { caller, mut lease, headers, upgrade } = next;
    let Ok(upgraded) = upgrade.await else { return };
    let most = Some(site.allowance.bytes);
    let config = WebSocketConfig::default().max_message_size(most).max_frame_size(most);
    let socket = WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, Some(config)).await;
    let (writer, mut reader) = socket.split();
    let outbox = Arc::new(Outbox::new(site.queue_bytes));
    let session = site.backing.open_session(caller);
    let _open = Open { backing: &*site.backing, session: &session };
    if let Some(presence) = session.presence() {
        presence.came_over("websocket", None);
    }
    site.place(&session);
    site.backing.note_headers(&session, &headers);
    drop(headers);
    session.attach(Sink::Line(Arc::clone(&outbox)));
    let (mut writing, mut written) = (pin!(write(writer, &outbox)), None);
    let away = Some((CloseCode::Away, "the gateway is shutting down"));
    let asked = lease.clone();
    let mut reading = Box::pin(read(site, &session, &outbox, &mut reader, asked.as_ref()));
    let end = tokio::select! {
        end = &mut reading => end,
        () = Lease::ended(lease.as_mut()) => Some((CloseCode::Policy, REVOKED)),
        back = &mut writing => {
            written = Some(back);
            Some((CloseCode::Policy, UNREAD))
        }
        () = outbox.cut() => {
            session.cut_off(outbox.len());
            Some((CloseCode::Policy, UNREAD))
        }
        // The servers' drain ends the calls, so that each has its answer; new ones are refused, so they are read.
        () = closing.cancelled() => tokio::select! {
            () = drained(&session) => away,
            end = &mut reading => end,
            back = &mut writing => {
                written = Some(back);
                away
            }
        },
    };
    drop(reading);
    outbox.close();
    let Some((code, why)) = end else { return };
    let goodbye = async {
        // What is queued goes first.
        let mut writer = match written {
            Some(writer) => writer,
            None => writing.await,
        };
        let frame = CloseFrame { code, reason: Utf8Bytes::from_static(why) };
        writer.send(Message::Close(Some(frame))).await.ok();
        while let Some(Ok(_)) = reader.next().await {}
    };
    let _ = timeout(GOODBYE, goodbye).await;
}

/// Why a connection is closed, if its other side is there to be told.
type End = (CloseCode, &'static str);

/// A session that ends with its connection.
struct Open<'a> {
    backing: &'a dyn Backing,
    session: &'a Arc<Session>,
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.backing.close_session(self.session);
    }
}

async fn read(
    site: &Site,
    session: &Arc<Session>,
    outbox: &Arc<Outbox>,
    reader: &mut SplitStream<Socket>,
    lease: Option<&Lease>,
) -> Option<End> {
    let sink = Sink::Line(Arc::clone(outbox));
    loop {
        let Ok(next) = timeout(SILENCE, reader.next()).await else {
            return Some((CloseCode::Policy, "nothing was heard for long, not even a pong"));
        };
        match next {
            Some(Ok(Message::Text(_))) if lease.is_some_and(|lease| !lease.holds()) => {
                return Some((CloseCode::Policy, REVOKED));
            }
            Some(Ok(Message::Text(text))) => {
                if let Some(presence) = session.presence() {
                    presence.heard(Instant::now());
                }
                guarded("a message of the client", || accept(site, session, &sink, text.as_str()));
            }
            Some(Ok(Message::Binary(_))) => {
                return Some((CloseCode::Unsupported, "messages are text frames"));
            }
            // A farewell is answered by the next look.
            Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_) | Message::Close(_))) => {}
            Some(Err(Error::Capacity(_))) => {
                return Some((CloseCode::Size, "the message is too long (`gateway.limits.messageBytes`)"));
            }
            Some(Err(Error::Utf8(_))) => return Some((CloseCode::Invalid, "the message is not valid UTF-8")),
            Some(Err(Error::Protocol(_))) => {
                return Some((CloseCode::Protocol, "this is no WebSocket frame"));
            }
            Some(Err(_)) | None => return None,
        }
    }
}

fn accept(site: &Site, session: &Arc<Session>, sink: &Sink, text: &str) {
    let bytes = text.trim_ascii().as_bytes();
    let refused = if batch::is_batch(bytes) {
        site.backing.accept_batch(session, bytes, site.depth, sink).err()
    } else {
        let line = message::without_breaks(bytes, site.depth);
        match message::parse(&line, site.depth) {
            Ok(message) => {
                site.backing.accept(session, message, sink);
                None
            }
            Err(malformed) => Some(malformed),
        }
    };
    if let Some(malformed) = refused {
        site.backing.refuse(&malformed, sink);
    }
}

/// Sends what is queued until the queue is closed and empty, or the client does not read.
async fn write(mut writer: SplitSink<Socket, Message>, outbox: &Outbox) -> SplitSink<Socket, Message> {
    let (mut batch, mut ping) = (Vec::new(), interval(PING));
    ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ping.reset();
    loop {
        tokio::select! {
            more = outbox.next_batch(&mut batch) => {
                if !more {
                    return writer;
                }
            }
            _ = ping.tick() => batch.clear(),
        }
        let sent = timeout(STALL, send(&mut writer, &batch)).await;
        if !matches!(sent, Ok(Ok(()))) {
            outbox.close();
            return writer;
        }
    }
}

/// Sends frames, or a ping when there are none.
async fn send(writer: &mut SplitSink<Socket, Message>, batch: &[u8]) -> Result<(), Error> {
    if batch.is_empty() {
        return writer.send(Message::Ping(bytes::Bytes::new())).await;
    }
    for frame in batch.split(|byte| *byte == b'\n').filter(|frame| !frame.is_empty()) {
        // What is queued was JSON before.
        let Ok(text) = Utf8Bytes::try_from(frame.to_vec()) else { continue };
        writer.feed(Message::Text(text)).await?;
    }
    writer.flush().await
}

async fn drained(session: &Session) {
    while session.in_flight() > 0 {
        sleep(DRAIN_STEP).await;
    }
}
