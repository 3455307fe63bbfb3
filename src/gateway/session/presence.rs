//! What people want to know of a session: how its client came, since when it is there, when it was heard last.
//!
//! Nothing is decided by it. Fronts tell it what they know anyway; a request costs it no lock.

use crate::protocol::legacy::ClientInfo;
use crate::protocol::version::Era;
use std::sync::OnceLock;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::time::Instant;

/// Characters of an id that are shown: enough to tell sessions apart, far too few to use one.
const SHOWN: usize = 8;

/// The outside of a session.
#[derive(Debug)]
pub struct Presence {
    began: Instant,
    /// Milliseconds from the beginning to when the client was heard last.
    heard: AtomicU64,
    requests: AtomicU64,
    place: OnceLock<Place>,
    /// Set by the first modern request.
    modern: OnceLock<Option<Box<ClientInfo>>>,
    /// Gateways that its client had before this one.
    before: OnceLock<u32>,
}

#[derive(Debug)]
struct Place {
    transport: &'static str,
    id: Option<Box<str>>,
}

impl Default for Presence {
    fn default() -> Self {
        Self {
            began: Instant::now(),
            heard: AtomicU64::new(0),
            requests: AtomicU64::new(0),
            place: OnceLock::new(),
            modern: OnceLock::new(),
            before: OnceLock::new(),
        }
    }
}

impl Presence {
    /// It came over `transport`. `id` is the secret that names it there, of which a few characters are kept.
    pub fn came_over(&self, transport: &'static str, id: Option<&str>) {
        let id = id.map(|id| id.chars().take(SHOWN).chain(['…']).collect());
        let _ = self.place.set(Place { transport, id });
    }

    /// Its client had `turn` gateways before this one.
    pub fn had_before(&self, turn: u32) {
        let _ = self.before.set(turn);
    }

    /// How many gateways its client had before this one: they numbered their questions, too.
    #[must_use]
    pub fn before(&self) -> u32 {
        self.before.get().copied().unwrap_or_default()
    }

    /// Its client was heard at `now`.
    pub fn heard(&self, now: Instant) {
        let millis = u64::try_from(now.saturating_duration_since(self.began).as_millis());
        self.heard.store(millis.unwrap_or_default(), Ordering::Relaxed);
    }

    /// Its client made a request; a modern one says who it is, and is asked for that once.
    pub fn asks(&self, modern: Option<impl FnOnce() -> Option<ClientInfo>>) {
        self.requests.fetch_add(1, Ordering::Relaxed);
        if let Some(client) = modern {
            self.modern.get_or_init(|| client().map(Box::new));
        }
    }

    /// Requests that its client made.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// How it came: `stdio`, `shared` (stdio through a pipe), `http`, `sse`, `websocket` or `program`.
    #[must_use]
    pub fn transport(&self) -> &'static str {
        self.place.get().map_or("program", |place| place.transport)
    }

    /// The beginning of its id, where it has one.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        self.place.get()?.id.as_deref()
    }

    /// The era, by what was said so far: `agreed` is the revision of a legacy handshake.
    #[must_use]
    pub fn era(&self, agreed: Option<&str>) -> Option<Era> {
        let modern = self.modern.get().map(|_| Era::Modern);
        modern.or_else(|| agreed.map(|_| Era::Legacy))
    }

    /// Who a modern client said it is.
    #[must_use]
    pub fn modern_client(&self) -> Option<&ClientInfo> {
        self.modern.get()?.as_deref()
    }

    /// How long it has been there.
    #[must_use]
    pub fn age(&self) -> Duration {
        self.began.elapsed()
    }

    /// How long nothing was heard.
    #[must_use]
    pub fn idle(&self) -> Duration {
        self.age().saturating_sub(Duration::from_millis(self.heard.load(Ordering::Relaxed)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_tells_age_and_silence_and_not_the_id() {
        let presence = Presence::default();
        presence.came_over("http", Some("0123456789abcdef0123456789abcdef01234567"));
        tokio::time::advance(Duration::from_secs(5)).await;
        presence.heard(Instant::now());
        tokio::time::advance(Duration::from_secs(2)).await;
        assert_eq!((presence.age().as_secs(), presence.idle().as_secs()), (7, 2));
        assert_eq!((presence.transport(), presence.id()), ("http", Some("01234567…")));
        assert_eq!((presence.era(None), presence.era(Some("2025-11-25"))), (None, Some(Era::Legacy)));
        presence.asks(None::<fn() -> _>);
        assert_eq!((presence.era(None), presence.requests()), (None, 1));
        presence.asks(Some(|| None));
        assert_eq!((presence.era(None), presence.requests()), (Some(Era::Modern), 2));
    }
}
