//! Non-blocking reading and writing of inherited descriptors: our own stdin and stdout.
//!
//! tokio's own `stdin`/`stdout` go through its blocking pool, which costs 2–3 times the CPU per small call. Pipes and
//! sockets (Node parents give sockets) are polled instead. `O_NONBLOCK` belongs to the file description that other
//! processes may share, so the old flags are restored at the end. Terminals and files stay with tokio's blocking pool.

use std::io;
use std::pin::Pin;
use std::task::Context;
use std::task::Poll;
use std::task::ready;
use tokio::io::AsyncRead;
use tokio::io::AsyncWrite;
use tokio::io::ReadBuf;

/// Where a stdio client's bytes come from.
pub type Reader = Box<dyn AsyncRead + Send + Unpin>;
/// Where they go to.
pub type Writer = Box<dyn AsyncWrite + Send + Unpin>;

/// Our stdin.
#[must_use]
pub fn stdin() -> Reader {
    #[cfg(unix)]
    if let Some(pipe) = polled::Pipe::new(std::os::fd::AsFd::as_fd(&io::stdin())) {
        return Box::new(pipe);
    }
    #[expect(clippy::disallowed_methods, reason = "a terminal or a file cannot be polled")]
    let blocking = tokio::io::stdin();
    Box::new(blocking)
}

/// Our stdout. Nothing else may write to it.
#[must_use]
pub fn stdout() -> Writer {
    #[cfg(unix)]
    if let Some(pipe) = polled::Pipe::new(std::os::fd::AsFd::as_fd(&io::stdout())) {
        return Box::new(pipe);
    }
    #[expect(clippy::disallowed_methods, reason = "a terminal or a file cannot be polled")]
    let blocking = tokio::io::stdout();
    Box::new(blocking)
}

#[cfg(unix)]
mod polled {
    //! Descriptors under epoll or kqueue.

    use super::AsyncRead;
    use super::AsyncWrite;
    use super::Context;
    use super::Pin;
    use super::Poll;
    use super::ReadBuf;
    use super::io;
    use super::ready;
    use rustix::fs::OFlags;
    use std::fs::File;
    use std::io::Read;
    use std::io::Write;
    use std::os::fd::BorrowedFd;
    use tokio::io::unix::AsyncFd;

    /// A duplicate of an inherited pipe or socket, non-blocking while it lives.
    pub(super) struct Pipe {
        file: AsyncFd<File>,
        before: OFlags,
    }

    impl Pipe {
        /// `None` for what cannot or should not be polled.
        pub(super) fn new(fd: BorrowedFd<'_>) -> Option<Self> {
            if rustix::termios::isatty(fd) {
                return None;
            }
            let before = rustix::fs::fcntl_getfl(fd).ok()?;
            let copy = fd.try_clone_to_owned().ok()?;
            let file = AsyncFd::new(File::from(copy)).ok()?;
            rustix::fs::fcntl_setfl(fd, before | OFlags::NONBLOCK).ok()?;
            Some(Self { file, before })
        }
    }

    impl Drop for Pipe {
        fn drop(&mut self) {
            let _ = rustix::fs::fcntl_setfl(self.file.get_ref(), self.before);
        }
    }

    impl AsyncRead for Pipe {
        fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
            loop {
                let mut ready = ready!(self.file.poll_read_ready(cx))?;
                match ready.try_io(|file| file.get_ref().read(buf.initialize_unfilled())) {
                    Ok(Ok(count)) => {
                        buf.advance(count);
                        return Poll::Ready(Ok(()));
                    }
                    Ok(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
                    Ok(Err(error)) => return Poll::Ready(Err(error)),
                    Err(_would_block) => {}
                }
            }
        }
    }

    impl AsyncWrite for Pipe {
        fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
            loop {
                let mut ready = ready!(self.file.poll_write_ready(cx))?;
                match ready.try_io(|file| file.get_ref().write(bytes)) {
                    Ok(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
                    Ok(result) => return Poll::Ready(result),
                    Err(_would_block) => {}
                }
            }
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }
}
