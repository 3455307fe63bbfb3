//! Requests over connections of our own: HTTP/1.1 without a task, a channel or a map of headers in between.
//!
//! [`Direct::ask`] takes an idle connection or opens one, and the task that waits for the answer drives it. Dropping an
//! answer that is not complete closes its connection, which is how a server learns that nobody waits. A request is only
//! written again when nothing of it left. Proxies and redirects are not known here.

mod dial;
mod framing;
pub mod head;
pub mod idle;
mod socket;
#[cfg(test)]
mod tests;

use crate::downstream::http::direct::dial::Dial;
use crate::downstream::http::direct::framing::Framing;
use crate::downstream::http::direct::head::Head;
use crate::downstream::http::direct::idle::Idle;
use crate::downstream::http::direct::socket::Socket;
use crate::downstream::http::failure::Failure;
use bytes::Bytes;
use reqwest::Url;
use rustls::ClientConfig;
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

/// The way to one origin, and its idle connections.
pub struct Direct {
    dial: Dial,
    idle: Arc<Idle>,
}

/// The body of an answer. Its connection can be used again once it was read, or is dropped with all of it at hand.
pub struct Body {
    /// Until it is given back.
    socket: Option<Box<Socket>>,
    framing: Framing,
    /// Where it is given back, when it can be.
    idle: Option<Arc<Idle>>,
}

impl Direct {
    /// The way to the origin of `url`, with `patience` for connecting; `None` for schemes other than `http` and `https`.
    #[must_use]
    pub fn to(url: &Url, tls: &Arc<ClientConfig>, patience: Duration) -> Option<Self> {
        Some(Self { dial: Dial::to(url, tls, patience)?, idle: Arc::default() })
    }

    /// Sends a request, whose head is `parts` (lines with their ends, without a length), and reads the head of its answer.
    ///
    /// # Errors
    /// [`Failure`] when no answer came.
    pub async fn ask(&self, parts: [&[u8]; 2], body: Option<&Bytes>) -> Result<(Head, Body), Failure> {
        while let Some(mut socket) = poll_fn(|cx| Poll::Ready(self.idle.take(cx))).await {
            socket.begin(parts, body);
            match poll_fn(|cx| socket.poll_head(cx)).await {
                Ok(head) => return Ok(self.begun(head, socket)),
                // It was closed since it was last used, and nothing of the request left.
                Err(Failure { sent: false, .. }) => {}
                Err(failure) => return Err(failure),
            }
        }
        let mut socket = Box::pin(self.dial.connect()).await.map(Socket::new).map(Box::new)?;
        socket.begin(parts, body);
        let head = poll_fn(|cx| socket.poll_head(cx)).await?;
        Ok(self.begun(head, socket))
    }

    fn begun(&self, head: Head, socket: Box<Socket>) -> (Head, Body) {
        let idle = head.keeps_open.then(|| Arc::clone(&self.idle));
        let body = Body { socket: Some(socket), framing: head.framing, idle };
        (head, body)
    }
}

impl Body {
    /// The next piece, or `None` at the end. Cancel-safe.
    ///
    /// # Errors
    /// The connection broke, or what came cannot be read; nothing follows.
    pub async fn next(&mut self) -> io::Result<Option<&[u8]>> {
        let (Some(socket), framing) = (&mut self.socket, &mut self.framing) else { return Ok(None) };
        let piece = poll_fn(|cx| socket.poll_piece(framing, cx)).await?;
        Ok(piece.map(|piece| socket.piece(piece)))
    }

    /// How many bytes are still to come, where it is known.
    #[must_use]
    pub fn length(&self) -> Option<u64> {
        match self.framing {
            Framing::Length(length) => Some(length),
            _ => None,
        }
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        let Some(mut socket) = self.socket.take() else { return };
        if let Some(idle) = &self.idle
            && socket.is_done(&mut self.framing)
        {
            idle.put(socket);
        }
    }
}

impl fmt::Debug for Direct {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Direct").finish_non_exhaustive()
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Body").field("framing", &self.framing).finish_non_exhaustive()
    }
}
