//! One HTTP/1.1 connection: a request is written, its answer is read, by whoever polls.
//!
//! There is no task behind it: dropping it closes it. One request at a time; it never writes one again.

use crate::downstream::http::direct::dial::Stream;
use crate::downstream::http::direct::framing::Framing;
use crate::downstream::http::direct::head;
use crate::downstream::http::direct::head::Head;
use crate::downstream::http::failure::Failure;
use bytes::Bytes;
use std::io;
use std::io::ErrorKind;
use std::io::IoSlice;
use std::ops::Range;
use std::pin::Pin;
use std::task::Context;
use std::task::Poll;
use std::task::ready;
use tokio::io::ReadBuf;

/// What is read at once, at first; what of it a connection keeps that is not in use; most of it.
const READ: usize = 4 * 1024;
const READ_KEPT: usize = 16 * 1024;
const READ_MOST: usize = 256 * 1024;
/// Longest head of a response, in bytes.
const HEAD: usize = 64 * 1024;
/// A longer body is not copied behind the head of its request.
const COPIED: usize = 16 * 1024;

/// An open connection.
pub struct Socket {
    stream: Box<dyn Stream>,
    request: Request,
    /// What was read and not yet taken is `read[from..to]`.
    read: Vec<u8>,
    from: usize,
    to: usize,
}

/// The request that is being written.
#[derive(Default)]
struct Request {
    head: Vec<u8>,
    body: Bytes,
    written: usize,
    flushed: bool,
}

impl Request {
    fn length(&self) -> usize {
        self.head.len() + self.body.len()
    }

    fn rest(&self) -> (&[u8], &[u8]) {
        match self.written.checked_sub(self.head.len()) {
            Some(of_body) => (&[], &self.body[of_body..]),
            None => (&self.head[self.written..], &self.body),
        }
    }
}

impl Socket {
    /// A connection that is new.
    #[must_use]
    pub fn new(stream: Box<dyn Stream>) -> Self {
        let request = Request { flushed: true, ..Request::default() };
        Self { stream, request, read: vec![0; READ], from: 0, to: 0 }
    }

    /// Makes `parts` and `body` the next request.
    pub fn begin(&mut self, parts: [&[u8]; 2], body: Option<&Bytes>) {
        let Request { head, body: long, written, flushed } = &mut self.request;
        (*written, *flushed) = (0, false);
        head.clear();
        parts.iter().for_each(|part| head.extend_from_slice(part));
        *long = Bytes::new();
        if let Some(body) = body {
            head.extend_from_slice(b"content-length: ");
            put_number(head, body.len());
            head.extend_from_slice(b"\r\n\r\n");
            match body.len() <= COPIED {
                true => head.extend_from_slice(body),
                false => *long = Bytes::clone(body),
            }
        } else {
            head.extend_from_slice(b"\r\n");
        }
    }

    /// Writes the request and reads the head of its answer.
    ///
    /// # Errors
    /// [`Failure`]; the connection is of no use after it.
    pub fn poll_head(&mut self, cx: &mut Context<'_>) -> Poll<Result<Head, Failure>> {
        let unwritten = match self.poll_write(cx) {
            Poll::Ready(Err(error)) if self.request.written == 0 => {
                return Poll::Ready(Err(Failure::before(&error)));
            }
            // The server may have answered before it hung up.
            Poll::Ready(Err(error)) => Some(error),
            _ => None,
        };
        loop {
            match head::read(&self.read[self.from..self.to]) {
                Ok(Some((head, length))) => {
                    self.from += length;
                    return Poll::Ready(Ok(head));
                }
                Ok(None) if self.to - self.from < HEAD => {}
                Ok(None) => return Poll::Ready(Err(self.failed(&too_long()))),
                Err(error) => return Poll::Ready(Err(self.failed(&error))),
            }
            match (ready!(self.poll_read(cx)), unwritten.as_ref()) {
                (Ok(0), None) => return Poll::Ready(Err(self.failed(&closed()))),
                (Ok(0), Some(error)) => return Poll::Ready(Err(self.failed(error))),
                (Ok(_), _) => {}
                (Err(error), _) => return Poll::Ready(Err(self.failed(&error))),
            }
        }
    }

    /// Reads the next piece of a body; `None` at its end. [`Socket::piece`] has it until the next call.
    ///
    /// # Errors
    /// The connection broke, or what came cannot be read.
    pub fn poll_piece(
        &mut self,
        framing: &mut Framing,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<Option<Range<usize>>>> {
        if !self.is_written() {
            // A server may begin its answer before it has read all of the request.
            let _ = self.poll_write(cx);
        }
        loop {
            if let Some(piece) = self.piece_at_hand(framing)? {
                return Poll::Ready(Ok(Some(piece)));
            }
            if framing.is_over() {
                return Poll::Ready(Ok(None));
            }
            if ready!(self.poll_read(cx))? == 0 {
                return Poll::Ready(framing.may_end().then_some(None).ok_or_else(closed));
            }
        }
    }

    /// The bytes of a piece.
    #[must_use]
    pub fn piece(&self, piece: Range<usize>) -> &[u8] {
        &self.read[piece]
    }

    /// True when the whole answer with the rest `framing` has come, and another request can follow.
    pub fn is_done(&mut self, framing: &mut Framing) -> bool {
        while let Ok(Some(_)) = self.piece_at_hand(framing) {}
        framing.is_over() && self.is_written() && self.from == self.to
    }

    /// Lets go of what an unused connection need not hold.
    pub fn rest(&mut self) {
        self.request.body = Bytes::new();
        if self.read.len() > READ_KEPT {
            self.read = vec![0; READ];
        }
        if self.request.head.capacity() > 2 * COPIED {
            self.request.head = Vec::new();
        }
    }

    /// True while the server has neither closed an unused connection nor said anything on it.
    pub fn is_quiet(&mut self, cx: &mut Context<'_>) -> bool {
        self.from == self.to && self.poll_read(cx).is_pending()
    }

    fn is_written(&self) -> bool {
        self.request.flushed
    }

    fn failed(&self, error: &(dyn std::error::Error + 'static)) -> Failure {
        Failure::after(error)
    }

    fn piece_at_hand(&mut self, framing: &mut Framing) -> io::Result<Option<Range<usize>>> {
        while self.from < self.to {
            let taken = framing.take(&self.read[self.from..self.to]);
            let taken = taken.map_err(|error| io::Error::new(ErrorKind::InvalidData, error))?;
            let start = self.from;
            self.from += taken.used;
            if !taken.content.is_empty() {
                return Ok(Some(start + taken.content.start..start + taken.content.end));
            }
            if taken.used == 0 {
                break;
            }
        }
        Ok(None)
    }

    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.request.written < self.request.length() {
            let stream = Pin::new(&mut *self.stream);
            let written = match self.request.rest() {
                (head, []) => ready!(stream.poll_write(cx, head)),
                ([], body) => ready!(stream.poll_write(cx, body)),
                (head, body) => {
                    ready!(stream.poll_write_vectored(cx, &[IoSlice::new(head), IoSlice::new(body)]))
                }
            };
            match written {
                Ok(0) => return Poll::Ready(Err(ErrorKind::WriteZero.into())),
                Ok(written) => self.request.written += written,
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
        if !self.request.flushed {
            ready!(Pin::new(&mut *self.stream).poll_flush(cx))?;
            self.request.flushed = true;
        }
        Poll::Ready(Ok(()))
    }

    /// Reads more behind what there is; 0 when the server closed the connection.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if self.from == self.to {
            (self.from, self.to) = (0, 0);
        }
        if self.to == self.read.len() {
            self.read.copy_within(self.from..self.to, 0);
            (self.from, self.to) = (0, self.to - self.from);
        }
        if self.to == self.read.len() {
            self.read.resize(self.read.len() * 2, 0);
        }
        let mut buffer = ReadBuf::new(&mut self.read[self.to..]);
        ready!(Pin::new(&mut *self.stream).poll_read(cx, &mut buffer))?;
        let read = buffer.filled().len();
        self.to += read;
        if self.to == self.read.len() && self.read.len() < READ_MOST {
            self.read.resize(self.read.len() * 2, 0);
        }
        Poll::Ready(Ok(read))
    }
}

fn closed() -> io::Error {
    io::Error::new(ErrorKind::UnexpectedEof, "the connection was closed before the answer was complete")
}

fn too_long() -> io::Error {
    io::Error::new(ErrorKind::InvalidData, "the message head is too large")
}

fn put_number(out: &mut Vec<u8>, mut number: usize) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + u8::try_from(number % 10).unwrap_or_default();
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;
    use tokio::io::AsyncReadExt;
    use tokio::io::AsyncWriteExt;
    use tokio::io::DuplexStream;
    use tokio::io::duplex;

    fn pair(room: usize) -> (Socket, DuplexStream) {
        let (ours, theirs) = duplex(room);
        (Socket::new(Box::new(ours)), theirs)
    }

    async fn body(socket: &mut Socket, framing: &mut Framing) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        while let Some(piece) = poll_fn(|cx| socket.poll_piece(framing, cx)).await? {
            body.extend_from_slice(socket.piece(piece));
        }
        Ok(body)
    }

    #[tokio::test]
    async fn a_request_is_written_as_it_is_given() {
        let (mut socket, mut server) = pair(1024);
        socket.begin([b"POST / HTTP/1.1\r\n", b"a: b\r\n"], Some(&Bytes::from_static(b"{}")));
        server.write_all(b"HTTP/1.1 202 Accepted\r\ncontent-length: 2\r\n\r\nok").await.unwrap();
        let mut head = poll_fn(|cx| socket.poll_head(cx)).await.unwrap();
        let mut seen = [0; 256];
        let read = server.read(&mut seen).await.unwrap();
        assert_eq!(&seen[..read], b"POST / HTTP/1.1\r\na: b\r\ncontent-length: 2\r\n\r\n{}");
        assert_eq!(head.status.as_u16(), 202);
        assert!(socket.is_done(&mut head.framing), "what is at hand need not be read");
        socket.begin([b"GET / HTTP/1.1\r\n", b""], None);
        assert!(poll_fn(|cx| Poll::Ready(socket.poll_head(cx))).await.is_pending());
        let read = server.read(&mut seen).await.unwrap();
        assert_eq!(&seen[..read], b"GET / HTTP/1.1\r\n\r\n");
    }

    #[tokio::test]
    async fn a_long_request_goes_on_while_its_answer_has_begun() {
        let (mut socket, mut server) = pair(1024);
        let long = Bytes::from(vec![b'z'; 1 << 20]);
        socket.begin([b"POST / HTTP/1.1\r\n", b""], Some(&long));
        let answering = async move {
            let mut seen = vec![0; 100];
            server.read_exact(&mut seen).await.unwrap();
            server
                .write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n")
                .await
                .unwrap();
            let mut rest = vec![0; (1 << 20) + 43 - 100];
            server.read_exact(&mut rest).await.unwrap();
            assert!(rest.ends_with(b"zz"));
            server.write_all(b"1\r\nb\r\n0\r\n\r\n").await.unwrap();
            server
        };
        let asking = async {
            let mut head = poll_fn(|cx| socket.poll_head(cx)).await.unwrap();
            body(&mut socket, &mut head.framing).await.unwrap()
        };
        let (answer, _server) = tokio::join!(asking, answering);
        assert_eq!(answer, b"ab");
        assert!(socket.is_done(&mut Framing::Length(0)));
    }

    #[tokio::test]
    async fn what_never_left_is_told_from_what_may_have_arrived() {
        let (mut socket, server) = pair(1024);
        drop(server);
        socket.begin([b"POST / HTTP/1.1\r\n", b""], Some(&Bytes::from_static(b"{}")));
        assert!(!poll_fn(|cx| socket.poll_head(cx)).await.unwrap_err().sent);

        let (mut socket, mut server) = pair(8);
        socket.begin([b"POST / HTTP/1.1\r\n", b""], Some(&Bytes::from_static(b"{}")));
        let hanging_up = async move { server.read(&mut [0; 4]).await };
        let (failure, _) = tokio::join!(poll_fn(|cx| socket.poll_head(cx)), hanging_up);
        assert!(failure.unwrap_err().sent);
    }

    #[tokio::test]
    async fn a_server_may_answer_and_hang_up_before_it_has_read_everything() {
        let (mut socket, mut server) = pair(64);
        let long = Bytes::from(vec![b'z'; 1 << 20]);
        socket.begin([b"POST / HTTP/1.1\r\n", b""], Some(&long));
        server.write_all(b"HTTP/1.1 413 X\r\ncontent-length: 1\r\n\r\nx").await.unwrap();
        drop(server);
        let mut head = poll_fn(|cx| socket.poll_head(cx)).await;
        if let Ok(head) = &mut head {
            assert_eq!(head.status.as_u16(), 413);
            assert!(!socket.is_done(&mut head.framing), "its request was not written");
        }
    }

    #[tokio::test]
    async fn a_large_answer_arrives_whole_and_leaves_little_behind() {
        let (mut socket, mut server) = pair(100_000);
        socket.begin([b"GET / HTTP/1.1\r\n", b""], None);
        let answering = async move {
            server.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 3000000\r\n\r\n").await.unwrap();
            server.write_all(&vec![b'y'; 3_000_000]).await.unwrap();
            server
        };
        let asking = async {
            let mut head = poll_fn(|cx| socket.poll_head(cx)).await.unwrap();
            body(&mut socket, &mut head.framing).await.unwrap()
        };
        let (answer, _server) = tokio::join!(asking, answering);
        assert!(answer.len() == 3_000_000 && answer.iter().all(|byte| *byte == b'y'));
        assert!(socket.read.len() <= READ_MOST);
        socket.rest();
        assert_eq!(socket.read.len(), READ);
    }

    #[tokio::test]
    async fn a_head_has_a_bound() {
        let (mut socket, mut server) = pair(200_000);
        socket.begin([b"GET / HTTP/1.1\r\n", b""], None);
        server.write_all(format!("HTTP/1.1 200 OK\r\na: {}", "x".repeat(HEAD)).as_bytes()).await.unwrap();
        let failure = poll_fn(|cx| socket.poll_head(cx)).await.unwrap_err();
        assert!(failure.sent && failure.why.contains("too large"), "{failure:?}");
    }
}
