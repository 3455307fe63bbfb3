//! Connections of one origin that nobody uses: kept for the next request, closed after a while.
//!
//! The newest is used first, so that those there are too many of grow old. It opens none.

use crate::downstream::http::direct::socket::Socket;
use crate::wire::tasks::Tasks;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::task::Context;
use std::task::Waker;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::time::Instant;
use tokio::time::sleep;

/// Idle time after which a connection is closed.
pub const LONGEST_IDLE: Duration = Duration::from_secs(60);
/// How often it is looked for those, and for connections that their server closed.
pub const SWEEP: Duration = Duration::from_secs(5);
/// Most connections that are kept.
pub const MOST: usize = 256;

/// The connections.
#[derive(Default)]
pub struct Idle {
    shelf: Mutex<Shelf>,
    tasks: Tasks,
}

#[derive(Default)]
struct Shelf {
    /// The oldest first, each with the time of its last use.
    sockets: Vec<(Instant, Box<Socket>)>,
    is_swept: bool,
}

impl Idle {
    /// A connection that its server has not closed, as far as is known.
    pub fn take(&self, cx: &mut Context<'_>) -> Option<Box<Socket>> {
        loop {
            let (_, mut socket) = self.lock().sockets.pop()?;
            if socket.is_quiet(cx) {
                return Some(socket);
            }
        }
    }

    /// Keeps a connection; closes it when there are too many.
    pub fn put(self: &Arc<Self>, mut socket: Box<Socket>) {
        socket.rest();
        let mut shelf = self.lock();
        // While a runtime ends nothing is kept any more.
        if shelf.sockets.len() >= MOST || Handle::try_current().is_err() {
            return;
        }
        shelf.sockets.push((Instant::now(), socket));
        if !std::mem::replace(&mut shelf.is_swept, true) {
            drop(shelf);
            let idle = Arc::downgrade(self);
            self.tasks.spawn(async move {
                loop {
                    sleep(SWEEP).await;
                    if idle.upgrade().is_none_or(|idle| !idle.sweep()) {
                        return;
                    }
                }
            });
        }
    }

    /// Closes what is too old and what its server closed; `false` when nothing is left.
    fn sweep(&self) -> bool {
        let mut shelf = self.lock();
        let mut cx = Context::from_waker(Waker::noop());
        let is_gone = |(since, socket): &mut (Instant, Box<Socket>)| {
            since.elapsed() >= LONGEST_IDLE || !socket.is_quiet(&mut cx)
        };
        let gone: Vec<_> = shelf.sockets.extract_if(.., is_gone).collect();
        if shelf.sockets.is_empty() {
            (shelf.sockets, shelf.is_swept) = (Vec::new(), false);
        }
        let goes_on = shelf.is_swept;
        drop(shelf);
        drop(gone);
        goes_on
    }

    fn lock(&self) -> MutexGuard<'_, Shelf> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncReadExt;
    use tokio::io::AsyncWriteExt;
    use tokio::io::DuplexStream;
    use tokio::io::duplex;

    fn put(idle: &Arc<Idle>) -> DuplexStream {
        let (ours, theirs) = duplex(64);
        idle.put(Box::new(Socket::new(Box::new(ours))));
        theirs
    }

    fn take(idle: &Idle) -> Option<Box<Socket>> {
        idle.take(&mut Context::from_waker(Waker::noop()))
    }

    #[tokio::test]
    async fn only_a_quiet_connection_is_used_again() {
        let idle = Arc::new(Idle::default());
        let (_quiet, closed, mut talks) = (put(&idle), put(&idle), put(&idle));
        drop(closed);
        talks.write_all(b"HTTP/1.1 408 X").await.unwrap();
        assert!(take(&idle).is_some());
        assert!(take(&idle).is_none());
    }

    #[tokio::test]
    async fn only_so_many_are_kept() {
        let idle = Arc::new(Idle::default());
        let mut theirs: Vec<_> = (0..MOST + 5).map(|_| put(&idle)).collect();
        for closed in &mut theirs[MOST..] {
            assert_eq!(closed.read(&mut [0]).await.unwrap(), 0);
        }
        assert_eq!(std::iter::from_fn(|| take(&idle)).count(), MOST);
    }

    #[tokio::test(start_paused = true)]
    async fn the_old_and_the_closed_ones_go_and_then_the_task_ends() {
        let idle = Arc::new(Idle::default());
        let mut old = put(&idle);
        tokio::time::sleep(LONGEST_IDLE / 2).await;
        let (mut newer, closed) = (put(&idle), put(&idle));
        drop(closed);
        tokio::time::sleep(SWEEP).await;
        assert_eq!(idle.lock().sockets.len(), 2, "the one its server closed is let go");
        assert_eq!(old.read(&mut [0]).await.unwrap(), 0);
        assert_eq!(idle.lock().sockets.len(), 1, "the newer one stays");
        assert_eq!(newer.read(&mut [0]).await.unwrap(), 0);
        tokio::time::timeout(SWEEP, idle.tasks.finished()).await.unwrap();
        let mut again = put(&idle);
        assert_eq!(again.read(&mut [0]).await.unwrap(), 0, "a later one is swept too");
    }
}
