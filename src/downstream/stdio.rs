//! A server that speaks lines: a child on its stdin and stdout, or any pair of byte streams.
//!
//! Reading and writing are two tasks, so that a server that does not read can never stop us from reading it. What lines
//! mean is `line.rs`; starting and stopping a child is `process.rs`.

pub mod lifeline;

use crate::downstream::connect::Connection;
use crate::downstream::connect::Order;
use crate::downstream::error::StartError;
use crate::downstream::line;
use crate::downstream::line::LineLink;
use crate::downstream::link::Listener;
use crate::downstream::stdio::lifeline::StdioLifeline;
use crate::wire::frame::Framer;
use crate::wire::guard::guarded;
use std::sync::Arc;
use tokio::io::AsyncRead;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWrite;

/// Completes the handshake over `reader` and `writer`. `child` is what is kept alive and stopped with it.
///
/// # Errors
/// [`StartError`] when the server ends, refuses, or says nothing that can be understood.
pub async fn open<R, W>(
    order: &Order,
    reader: R,
    writer: W,
    child: Option<lifeline::Child>,
) -> Result<Connection, StartError>
where
    R: AsyncRead + Send + Unpin + 'static,
    W: AsyncWrite + Send + Unpin + 'static,
{
    let link = Arc::new(LineLink::new(order));
    let lifeline = Box::new(StdioLifeline::start(&link, &order.listener, reader, writer, child));
    line::open(link, lifeline, order, false).await
}

/// Reads until the server closes its end, or there is no sense in reading on: then why.
async fn read_from<R: AsyncRead + Unpin>(
    mut reader: R,
    link: Arc<LineLink>,
    listener: Arc<dyn Listener>,
) -> Option<&'static str> {
    let mut framer = Framer::new(link.limits().message_bytes);
    loop {
        match reader.read(framer.space()).await {
            Ok(0) | Err(_) => break,
            Ok(count) => framer.filled(count),
        }
        while let Some(line) = framer.next_line() {
            guarded("a message of a server", || link.hear(line, &*listener));
        }
        if framer.is_endless() {
            return Some("wrote a line without an end");
        }
    }
    if let Some(line) = framer.rest() {
        guarded("a message of a server", || link.hear(line, &*listener));
    }
    None
}
