//! Non-blocking reading and writing of inherited descriptors: our own stdin and stdout.
//!
//! tokio's own `stdin`/`stdout` go through its blocking pool, which costs 2–3 times the CPU per small call. Pipes and
//! sockets (Node parents give sockets) are polled instead. `O_NONBLOCK` belongs to the file description that other
//! processes may share, so the old flags are restored at the end. Terminals and files stay with tokio's blocking pool.
//! Pipes are also made to hold more: see [`widen`].

#[cfg(unix)]
use std::io;
#[cfg(unix)]
use std::pin::Pin;
#[cfg(unix)]
use std::task::Context;
#[cfg(unix)]
use std::task::Poll;
use tokio::io::AsyncRead;
use tokio::io::AsyncWrite;
#[cfg(unix)]
use tokio::io::ReadBuf;

/// Where a stdio client's bytes come from.
pub type Reader = Box<dyn AsyncRead + Send + Unpin>;
/// Where they go to.
pub type Writer = Box<dyn AsyncWrite + Send + Unpin>;

/// What a pipe holds at least, in bytes. Messages up to this length cross it in one piece. All pipes of a user may hold
/// 64 MiB before the system makes new ones smaller than usual, so this is not more than helps.
#[cfg(target_os = "linux")]
const PIPE_BYTES: usize = 128 << 10;

/// Makes a pipe hold more than the usual 64 KiB, where the system lets us: a larger message then costs its reader and
/// its writer one wake-up each instead of several. Anything but a pipe stays as it is.
#[cfg(target_os = "linux")]
pub fn widen(pipe: impl std::os::fd::AsFd) {
    if rustix::pipe::fcntl_getpipe_size(&pipe).is_ok_and(|bytes| bytes < PIPE_BYTES) {
        // Beyond what the user may have it is refused; it works as it is.
        let _ = rustix::pipe::fcntl_setpipe_size(&pipe, PIPE_BYTES);
    }
}

/// Pipes stay as they are: only Linux can change their size.
#[cfg(not(target_os = "linux"))]
pub fn widen<T>(_pipe: T) {}

/// Our stdin.
#[must_use]
pub fn stdin() -> Reader {
    #[cfg(unix)]
    if let Some(reader) = polled::reader(std::os::fd::AsFd::as_fd(&io::stdin())) {
        return reader;
    }
    #[expect(clippy::disallowed_methods, reason = "a terminal or a file cannot be polled")]
    let blocking = tokio::io::stdin();
    Box::new(blocking)
}

/// Our stdout. Nothing else may write to it.
#[must_use]
pub fn stdout() -> Writer {
    #[cfg(unix)]
    if let Some(writer) = polled::writer(std::os::fd::AsFd::as_fd(&io::stdout())) {
        return writer;
    }
    #[expect(clippy::disallowed_methods, reason = "a terminal or a file cannot be polled")]
    let blocking = tokio::io::stdout();
    Box::new(blocking)
}

#[cfg(unix)]
mod polled {
    //! Pipes and sockets under epoll or kqueue.

    use super::AsyncRead;
    use super::AsyncWrite;
    use super::Context;
    use super::Pin;
    use super::Poll;
    use super::ReadBuf;
    use super::Reader;
    use super::Writer;
    use super::io;
    use super::widen;
    use rustix::fs::FileType;
    use rustix::fs::OFlags;
    use std::os::fd::BorrowedFd;
    use std::os::fd::OwnedFd;
    use tokio::net::UnixStream;
    use tokio::net::unix::pipe;

    /// `None` for what cannot or should not be polled.
    pub(super) fn reader(fd: BorrowedFd<'_>) -> Option<Reader> {
        let (copy, kind, flags) = open(fd)?;
        Some(match kind {
            FileType::Fifo => Box::new(Restoring { io: pipe::Receiver::from_owned_fd(copy).ok()?, flags }),
            _ => Box::new(Restoring { io: socket(copy)?, flags }),
        })
    }

    /// As [`reader`].
    pub(super) fn writer(fd: BorrowedFd<'_>) -> Option<Writer> {
        let (copy, kind, flags) = open(fd)?;
        Some(match kind {
            FileType::Fifo => Box::new(Restoring { io: pipe::Sender::from_owned_fd(copy).ok()?, flags }),
            _ => Box::new(Restoring { io: socket(copy)?, flags }),
        })
    }

    /// A duplicate of `fd` if it is a pipe or a socket, what it is, and the flags to restore.
    fn open(fd: BorrowedFd<'_>) -> Option<(OwnedFd, FileType, Flags)> {
        let kind = FileType::from_raw_mode(rustix::fs::fstat(fd).ok()?.st_mode);
        if !matches!(kind, FileType::Fifo | FileType::Socket) {
            return None;
        }
        if kind == FileType::Fifo {
            widen(fd);
        }
        let before = rustix::fs::fcntl_getfl(fd).ok()?;
        let flags = Flags { fd: fd.try_clone_to_owned().ok()?, before };
        Some((fd.try_clone_to_owned().ok()?, kind, flags))
    }

    fn socket(fd: OwnedFd) -> Option<UnixStream> {
        let stream = std::os::unix::net::UnixStream::from(fd);
        stream.set_nonblocking(true).ok()?;
        UnixStream::from_std(stream).ok()
    }

    /// Puts the flags of a shared file description back when dropped.
    struct Flags {
        fd: OwnedFd,
        before: OFlags,
    }

    impl Drop for Flags {
        fn drop(&mut self) {
            let _ = rustix::fs::fcntl_setfl(&self.fd, self.before);
        }
    }

    struct Restoring<T> {
        io: T,
        #[expect(dead_code, reason = "held for its drop")]
        flags: Flags,
    }

    impl<T: AsyncRead + Unpin> AsyncRead for Restoring<T> {
        fn poll_read(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            buf: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            Pin::new(&mut self.io).poll_read(cx, buf)
        }
    }

    impl<T: AsyncWrite + Unpin> AsyncWrite for Restoring<T> {
        fn poll_write(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            bytes: &[u8],
        ) -> Poll<io::Result<usize>> {
            Pin::new(&mut self.io).poll_write(cx, bytes)
        }

        fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            Pin::new(&mut self.io).poll_flush(cx)
        }

        fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            Pin::new(&mut self.io).poll_shutdown(cx)
        }
    }
}
