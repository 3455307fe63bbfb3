//! What waits for a client to come back: an unguessable handle → what goes on then.
//!
//! A handle is good once, for the caller and the request it was given to, until it expires. To everybody else it does not
//! exist. What is resumed, and how a server is told that nobody came back, is `ask.rs`.

use crate::auth::caller::Caller;
use crate::gateway::exchange::Exchange;
use crate::name::ServerName;
use crate::secret::hex::random;
use crate::wire::members::Members;
use crate::wire::pending::Owner;
use crate::wire::tasks::Tasks;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

/// How often is looked for what has expired, while there is something.
const LOOK: Duration = Duration::from_millis(250);
/// How long questions gather; nobody notices it who is about to be asked.
const GATHER: Duration = Duration::from_millis(25);

/// Something that waits.
pub(super) trait Parked: Send + Sync {
    /// The client came back with `exchange`. Gives it back when the request is to be sent to the server as if it were new.
    fn resume(self: Arc<Self>, exchange: Exchange, come_back: &ComeBack<'_>) -> Option<Exchange>;
    /// Nobody came back.
    fn expire(&self);
    /// The time is over that questions have to gather.
    fn gathered(self: Arc<Self>) {}
}

/// What the client brought.
pub(super) struct ComeBack<'a> {
    /// The answers, by the keys of the questions.
    pub(super) responses: Option<&'a Members<'a>>,
    /// What the client can do, as JSON text.
    pub(super) capabilities: &'a str,
}

/// Who may come back, and with what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Purpose {
    pub(super) caller: Caller,
    pub(super) method: &'static str,
    pub(super) server: ServerName,
    pub(super) own_name: Box<str>,
}

/// Everything that waits in one gateway.
#[derive(Default)]
pub struct Parking {
    table: Mutex<HashMap<Box<str>, Ticket>>,
    wake: Notify,
    gathering: Tasks,
}

struct Ticket {
    purpose: Purpose,
    session: Owner,
    expires: Instant,
    parked: Arc<dyn Parked>,
}

/// How long and how many.
#[derive(Debug, Clone, Copy)]
pub(super) struct Terms {
    pub(super) longest: Duration,
    pub(super) per_caller: usize,
    pub(super) total: usize,
}

impl Parking {
    /// Lets `parked` wait for the client with the session `session`. The handle to come back with; `None` when too many
    /// wait, of this caller or in all.
    pub(super) fn park(
        &self,
        purpose: Purpose,
        session: Owner,
        terms: Terms,
        parked: Arc<dyn Parked>,
    ) -> Option<Box<str>> {
        let handle = random_handle()?;
        let mut table = self.lock();
        let principal = purpose.caller.principal();
        let theirs = table.values().filter(|other| other.purpose.caller.principal() == principal).count();
        if theirs >= terms.per_caller || table.len() >= terms.total {
            return None;
        }
        let expires = Instant::now() + terms.longest;
        table.insert(handle.clone(), Ticket { purpose, session, expires, parked });
        drop(table);
        self.wake.notify_one();
        Some(handle)
    }

    /// What waits under `handle`, once, for the same purpose only.
    pub(super) fn take(&self, handle: &str, purpose: &Purpose) -> Option<Arc<dyn Parked>> {
        let mut table = self.lock();
        let found = table.get(handle)?;
        if found.purpose != *purpose || found.expires <= Instant::now() {
            return None;
        }
        table.remove(handle).map(|ticket| ticket.parked)
    }

    /// Gives questions that a server asks at once a moment to come together.
    pub(super) fn gather(&self, parked: Arc<dyn Parked>) {
        self.gathering.spawn(async move {
            tokio::time::sleep(GATHER).await;
            parked.gathered();
        });
    }

    /// It no longer waits.
    pub(super) fn remove(&self, handle: &str) {
        self.lock().remove(handle);
    }

    /// What waits for the session, or for anybody, waits no longer: the servers are told.
    pub(super) fn end(&self, session: Option<Owner>) {
        self.expire(|ticket| session.is_none_or(|session| ticket.session == session));
    }

    /// How many wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lock().len()
    }

    /// True when nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Ends what has waited too long. Never ends.
    pub(super) async fn keep(self: Arc<Self>) {
        loop {
            while !self.is_empty() {
                tokio::time::sleep(LOOK).await;
                let now = Instant::now();
                self.expire(|ticket| ticket.expires <= now);
            }
            self.wake.notified().await;
        }
    }

    fn expire(&self, which: impl Fn(&Ticket) -> bool) {
        let over: Vec<Ticket> =
            self.lock().extract_if(|_, ticket| which(ticket)).map(|(_, ticket)| ticket).collect();
        // Outside the lock: what waits may come back here.
        over.iter().for_each(|ticket| ticket.parked.expire());
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Box<str>, Ticket>> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Parking {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Parking").field("waiting", &self.len()).finish()
    }
}

/// 192 random bits in hexadecimal; `None` when the system gives none.
pub(super) fn random_handle() -> Option<Box<str>> {
    random::<24>().map(Into::into)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicUsize;
    use std::sync::atomic::Ordering;

    #[derive(Default)]
    struct Counts(AtomicUsize);
    impl Parked for Counts {
        fn resume(self: Arc<Self>, exchange: Exchange, _: &ComeBack<'_>) -> Option<Exchange> {
            Some(exchange)
        }
        fn expire(&self) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn purpose(caller: Caller, own_name: &str) -> Purpose {
        let server = ServerName::new("s").expect("a name");
        Purpose { caller, method: "tools/call", server, own_name: own_name.into() }
    }

    const TERMS: Terms = Terms { longest: Duration::from_secs(60), per_caller: 2, total: 3 };

    #[tokio::test(start_paused = true)]
    async fn a_handle_is_good_once_for_whom_it_was_made() {
        let parking = Parking::default();
        let waits = Arc::new(Counts::default());
        let mine = purpose(Caller::Local, "x");
        let handle = parking.park(mine.clone(), 1, TERMS, waits.clone()).expect("there is room");
        assert!(parking.take(&handle, &purpose(Caller::Anonymous, "x")).is_none());
        assert!(parking.take(&handle, &purpose(Caller::Local, "y")).is_none());
        assert!(parking.take(&handle, &mine).is_some());
        assert!(parking.take(&handle, &mine).is_none());
        assert_eq!(waits.0.load(Ordering::Relaxed), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn what_nobody_comes_back_for_expires() {
        let parking = Arc::new(Parking::default());
        let waits = Arc::new(Counts::default());
        let mine = purpose(Caller::Local, "x");
        for _ in 0..2 {
            assert!(parking.park(mine.clone(), 1, TERMS, waits.clone()).is_some());
        }
        assert!(parking.park(mine.clone(), 1, TERMS, waits.clone()).is_none());
        assert!(parking.park(purpose(Caller::Anonymous, "x"), 2, TERMS, waits.clone()).is_some());
        parking.end(Some(2));
        assert_eq!((waits.0.load(Ordering::Relaxed), parking.len()), (1, 2));
        let keeping = Arc::clone(&parking).keep();
        let _ = tokio::time::timeout(Duration::from_secs(61), keeping).await;
        assert_eq!((waits.0.load(Ordering::Relaxed), parking.len()), (3, 0));
    }
}
