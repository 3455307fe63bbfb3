//! Bytes in frames, so that one who writes can say that nothing more comes: a named pipe has no such word.
//!
//! A frame is its length, four bytes with the highest first, and so many bytes; the frame of no bytes is the end. Only the
//! direction to the gateway is framed.

use std::io;
use std::pin::Pin;
use std::task::Context;
use std::task::Poll;
use std::task::ready;
use tokio::io::AsyncRead;
use tokio::io::ReadBuf;

/// What ends the stream.
pub const END: [u8; HEAD] = [0; HEAD];
/// Longest frame that is written, in bytes.
const LONGEST: usize = 64 << 10;
const HEAD: usize = 4;

/// The bytes in the frames of another stream.
#[derive(Debug)]
pub struct Unframed<R> {
    inner: R,
    at: At,
}

/// Where in the frames it is.
#[derive(Debug, Clone, Copy)]
enum At {
    /// So many bytes of a head were read.
    Head([u8; HEAD], usize),
    /// So many bytes of a frame are left.
    Frame(usize),
    End,
}

/// The first of `bytes` as a frame, and how many they are. None are no frame.
#[must_use]
pub fn frame(bytes: &[u8]) -> (Vec<u8>, usize) {
    let count = bytes.len().min(LONGEST);
    let head = u32::try_from(count).expect("a frame is short").to_be_bytes();
    ([&head, &bytes[..count]].concat(), count)
}

impl<R> Unframed<R> {
    /// The bytes in the frames of `inner`, of which nothing was read yet.
    #[must_use]
    pub fn new(inner: R) -> Self {
        Self { inner, at: At::Head([0; HEAD], 0) }
    }

    /// What is written to goes its own way.
    pub fn inner_mut(&mut self) -> &mut R {
        &mut self.inner
    }

    /// Parts the stream: frames are read from the first part on, and the second is free.
    pub fn part<A, B>(self, parts: impl FnOnce(R) -> (A, B)) -> (Unframed<A>, B) {
        let (inner, other) = parts(self.inner);
        (Unframed { inner, at: self.at }, other)
    }
}

impl<R: AsyncRead + Unpin> AsyncRead for Unframed<R> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        to: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let me = &mut *self;
        while to.remaining() > 0 {
            match &mut me.at {
                At::End => break,
                At::Head(head, count) => {
                    let more = ready!(read(&mut me.inner, cx, &mut head[*count..]))?;
                    *count += more;
                    match (more, *count) {
                        (0, _) => me.at = At::End,
                        (_, HEAD) => me.at = At::after(*head),
                        _ => {}
                    }
                }
                At::Frame(left) => {
                    let room = to.remaining().min(*left);
                    let more = ready!(read(&mut me.inner, cx, to.initialize_unfilled_to(room)))?;
                    to.advance(more);
                    me.at = match *left - more {
                        _ if more == 0 => At::End,
                        0 => At::Head([0; HEAD], 0),
                        left => At::Frame(left),
                    };
                    break;
                }
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl At {
    fn after(head: [u8; HEAD]) -> Self {
        match u32::from_be_bytes(head) {
            0 => Self::End,
            count => Self::Frame(usize::try_from(count).unwrap_or(usize::MAX)),
        }
    }
}

fn read(from: &mut (impl AsyncRead + Unpin), cx: &mut Context<'_>, to: &mut [u8]) -> Poll<io::Result<usize>> {
    let mut to = ReadBuf::new(to);
    ready!(Pin::new(from).poll_read(cx, &mut to))?;
    Poll::Ready(Ok(to.filled().len()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncReadExt;
    use tokio::io::AsyncWriteExt;

    fn framed(mut bytes: &[u8]) -> Vec<u8> {
        let mut all = Vec::new();
        while !bytes.is_empty() {
            let (piece, count) = frame(bytes);
            all.extend(piece);
            bytes = &bytes[count..];
        }
        all
    }

    async fn read_all(bytes: Vec<u8>, at_once: usize) -> Vec<u8> {
        let (mut far, near) = tokio::io::duplex(at_once);
        let mut read = Vec::new();
        let mut near = Unframed::new(near);
        let write = async {
            // It is not closed: the end is said.
            far.write_all(&bytes).await.unwrap();
            std::future::pending::<()>().await;
        };
        tokio::select! {
            () = write => {}
            count = near.read_to_end(&mut read) => assert_eq!(count.unwrap(), read.len()),
        }
        read
    }

    #[tokio::test]
    async fn bytes_come_as_they_went_whatever_they_are_cut_into_and_their_end_is_heard() {
        let long: Vec<u8> = (0..3 * LONGEST + 5).map(|n| (n % 251) as u8).collect();
        for at_once in [1, 3, 4, 7, 1 << 20] {
            let sent = [framed(b"a"), framed(&long), framed(b"bc"), END.to_vec()].concat();
            let read = read_all(sent, at_once).await;
            assert_eq!(read.len(), long.len() + 3, "{at_once}");
            assert!(read.starts_with(b"a") && read.ends_with(b"bc") && read[1..=long.len()] == long);
        }
    }

    #[tokio::test]
    async fn what_comes_after_the_end_and_what_breaks_off_is_not_read() {
        assert_eq!(read_all([framed(b"a"), END.to_vec(), framed(b"b")].concat(), 64).await, b"a");
        for broken in [&framed(b"abc")[..6], &framed(b"abc")[..3], &[]] {
            let mut near = Unframed::new(broken);
            let mut read = Vec::new();
            near.read_to_end(&mut read).await.unwrap();
            assert_eq!(read, if broken.len() == 6 { &b"ab"[..] } else { b"" });
        }
    }

    #[tokio::test]
    async fn a_stream_is_parted_in_the_middle_of_a_frame() {
        let sent = framed(b"hello");
        let mut near = Unframed::new(&sent[..]);
        let mut two = [0; 2];
        near.read_exact(&mut two).await.unwrap();
        let (mut near, count) = near.part(|inner| (inner, inner.len()));
        let mut rest = String::new();
        near.read_to_string(&mut rest).await.unwrap();
        assert_eq!((&two, rest.as_str(), count), (b"he", "llo", 3));
    }
}
