//! A server behind a WebSocket: one JSON-RPC message per text frame, subprotocol `mcp`.
//!
//! MCP leaves it to both sides how this transport works; what is common is done here. How the connection comes about is
//! `ws/dial.rs`. There is no proxy on the way, and nothing is compressed.

mod dial;

use crate::auth::outbound::Shows;
use crate::config::model::Transport;
use crate::downstream::connect::Connection;
use crate::downstream::connect::Order;
use crate::downstream::error::StartError;
use crate::downstream::http::client::HttpClient;
use crate::downstream::line;
use crate::downstream::line::LineLink;
use crate::downstream::line::lifeline::LineLifeline;
use crate::downstream::link::Listener;
use crate::downstream::ws::dial::Socket;
use crate::downstream::ws::dial::Target;
use crate::telemetry::clean::clean;
use crate::wire::frame::Line;
use crate::wire::guard::guarded;
use futures_util::SinkExt;
use futures_util::StreamExt;
use futures_util::stream::SplitSink;
use futures_util::stream::SplitStream;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::MissedTickBehavior;
use tokio::time::interval;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Error;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::Utf8Bytes;
use tokio_tungstenite::tungstenite::error::CapacityError;

/// How often the other side is asked whether it is there.
const PING: Duration = Duration::from_secs(30);
/// Longest silence, pongs included, before it is taken for dead.
const SILENCE: Duration = Duration::from_secs(100);

/// Connects to the server of `order` and completes the handshake, in either era.
///
/// # Errors
/// [`StartError`] when there is no such server, or it refuses or ends.
pub async fn connect(order: Order, client: &HttpClient, shows: &Shows) -> Result<Connection, StartError> {
    let Transport::Http(http) = &order.server.transport else {
        let why = "its entry has no `url`".into();
        return Err(StartError::Unreachable { server: order.server.name.clone(), why });
    };
    let target = Target { server: &order.server.name, http, shows };
    let socket = dial::dial(&target, client, order.limits.message_bytes).await?;
    let link = Arc::new(LineLink::new(&order));
    let (sink, stream) = socket.split();
    let read = read(stream, Arc::clone(&link), Arc::clone(&order.listener));
    let lifeline = LineLifeline::start(&link, read, write(sink, Arc::clone(&link)));
    line::open(link, Box::new(lifeline), &order, false).await
}

/// Reads until the connection ends; how it ended.
async fn read(mut stream: SplitStream<Socket>, link: Arc<LineLink>, listener: Arc<dyn Listener>) -> Arc<str> {
    loop {
        let Ok(next) = timeout(SILENCE, stream.next()).await else {
            return format!("said nothing for {} s, not even to a ping", SILENCE.as_secs()).into();
        };
        match next {
            Some(Ok(Message::Text(text))) => {
                let line = text.as_str().trim().as_bytes();
                guarded("a message of a server", || link.hear(Line::Whole(line), &*listener));
            }
            Some(Ok(Message::Binary(bytes))) => {
                link.unreadable(None, &format!("it is a binary frame of {} bytes, not text", bytes.len()));
            }
            Some(Ok(Message::Close(Some(said)))) => {
                let (code, reason) = (u16::from(said.code), clean(said.reason.as_str(), 200));
                return format!("closed the connection with code {code} ({reason})").into();
            }
            Some(Ok(Message::Close(None))) | None => return "closed the connection".into(),
            Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
            Some(Err(Error::Capacity(CapacityError::MessageTooLong { max_size, .. }))) => {
                return format!("sent a message of more than {max_size} bytes").into();
            }
            Some(Err(error)) => return format!("broke the connection: {}", dial::words(&error)).into(),
        }
    }
}

/// Sends what is queued until the link is closed, then says goodbye.
async fn write(mut sink: SplitSink<Socket, Message>, link: Arc<LineLink>) {
    let (mut batch, mut ping) = (Vec::new(), interval(PING));
    ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ping.reset();
    loop {
        let sent = tokio::select! {
            more = link.outbox().next_batch(&mut batch) => match more {
                true => send(&mut sink, &batch).await,
                false => break,
            },
            _ = ping.tick() => sink.send(Message::Ping(bytes::Bytes::new())).await,
        };
        if sent.is_err() {
            // The reader says how the connection ended.
            return link.outbox().close();
        }
    }
    let _ = sink.close().await;
}

async fn send(sink: &mut SplitSink<Socket, Message>, batch: &[u8]) -> Result<(), Error> {
    for frame in batch.split(|byte| *byte == b'\n').filter(|frame| !frame.is_empty()) {
        // What is queued was JSON before.
        let Ok(text) = Utf8Bytes::try_from(frame.to_vec()) else { continue };
        sink.feed(Message::Text(text)).await?;
    }
    sink.flush().await
}
