//! The session of a legacy server: what every request carries, and how a lost one is replaced exactly once.
//!
//! It does not know how a session is opened: that is `era.rs`.

use http::HeaderValue;
use std::future::Future;
use std::sync::Arc;
use std::sync::OnceLock;
use tokio::sync::Semaphore;
use tokio::sync::watch;

/// What every request of a session carries.
#[derive(Debug, Clone)]
pub struct Stamp {
    /// The negotiated revision.
    pub version: HeaderValue,
    /// The session id, where the server gave one.
    pub id: Option<HeaderValue>,
    /// How many sessions came before this one on the same connection.
    pub generation: u64,
}

/// The current session.
#[derive(Debug)]
pub struct Session {
    stamp: watch::Sender<Stamp>,
    generation: watch::Sender<u64>,
    turn: Semaphore,
    lost: OnceLock<Arc<str>>,
}

/// What a renewal led to.
#[derive(Debug)]
pub enum Renewed {
    /// This renewal opened the session.
    Here,
    /// Another one had opened it already.
    Elsewhere,
}

impl Session {
    /// A session that was just opened.
    #[must_use]
    pub fn new(stamp: Stamp) -> Self {
        let generation = watch::Sender::new(stamp.generation);
        Self { stamp: watch::Sender::new(stamp), generation, turn: Semaphore::new(1), lost: OnceLock::new() }
    }

    /// What a request must carry now.
    #[must_use]
    pub fn stamp(&self) -> Stamp {
        self.stamp.borrow().clone()
    }

    /// Told of every session after this one.
    #[must_use]
    pub fn renewals(&self) -> watch::Receiver<u64> {
        self.generation.subscribe()
    }

    /// Resolves when the session `seen` is no longer the current one.
    pub async fn replaced(&self, seen: u64) {
        let mut stamps = self.stamp.subscribe();
        // The sender lives in `self`, so this cannot fail while it is awaited.
        let _ = stamps.wait_for(|stamp| stamp.generation != seen).await;
    }

    /// Replaces the session `seen`: `open` runs once for any number of callers.
    ///
    /// # Errors
    /// Why it could not be replaced; it is not tried again.
    pub async fn renew<F>(&self, seen: u64, open: impl FnOnce() -> F) -> Result<Renewed, Arc<str>>
    where
        F: Future<Output = Result<Stamp, String>>,
    {
        let _turn = self.turn.acquire().await.expect("the semaphore is never closed");
        if self.stamp.borrow().generation != seen {
            return Ok(Renewed::Elsewhere);
        }
        if let Some(why) = self.lost.get() {
            return Err(Arc::clone(why));
        }
        match open().await {
            Ok(stamp) => {
                self.stamp.send_replace(Stamp { generation: seen + 1, ..stamp });
                self.generation.send_replace(seen + 1);
                Ok(Renewed::Here)
            }
            Err(why) => Err(Arc::clone(self.lost.get_or_init(|| why.into()))),
        }
    }
}
