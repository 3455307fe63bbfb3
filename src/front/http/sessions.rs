//! Sessions of legacy HTTP clients: id → session, until it ends or is left alone.
//!
//! An id proves nothing: a session answers only the caller who opened it, and to everybody else it does not exist. What a
//! session has in flight is not kept here.

use crate::auth::caller::Caller;
use crate::front::http::backing::Backing;
use crate::front::http::replay::NotResumable;
use crate::front::http::replay::Reading;
use crate::front::http::replay::Streams;
use crate::gateway::session::Session;
use crate::secret::hex::random;
use crate::wire::outbox::Outbox;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;
use tokio::time::Instant;

/// All sessions of one front.
pub struct Sessions {
    backing: Arc<dyn Backing>,
    bounds: Bounds,
    table: Mutex<Table>,
}

/// Bounds of all sessions of one front.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Sessions at once.
    pub total: usize,
    /// Sessions at once of one caller who is known.
    pub per_caller: usize,
    /// How long one is kept without use.
    pub idle: Duration,
    /// Bytes that each of their streams keeps.
    pub replay_bytes: usize,
}

#[derive(Default)]
struct Table {
    open: HashMap<Box<str>, Entry>,
    closing: bool,
}

struct Entry {
    streams: Arc<Streams>,
    /// The one stream of a session of 2024-11-05, which ends with it.
    line: Option<Arc<Outbox>>,
    last_used: Instant,
}

/// Why there is no new session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoSession {
    /// Too many.
    #[error("{0} sessions are open (`gateway.http.maxSessions`); end one with DELETE, or try again later")]
    Full(usize),
    /// Too many of one caller.
    #[error(
        "this caller has {0} sessions open (`gateway.http.maxSessionsPerCaller`); end one with DELETE, or try again later"
    )]
    FullForCaller(usize),
    /// The system gives no random numbers.
    #[error("the system gives no random numbers for a session id")]
    NoRandom,
    /// The front is going down.
    #[error("the gateway is shutting down")]
    Closing,
}

/// A session whose `initialize` is not answered yet; ends with this guard unless kept.
pub struct Opening {
    sessions: Arc<Sessions>,
    id: Option<Box<str>>,
}

impl Sessions {
    /// No session yet.
    #[must_use]
    pub fn new(backing: Arc<dyn Backing>, bounds: Bounds) -> Self {
        Self { backing, bounds, table: Mutex::default() }
    }

    /// Opens a session of `caller`.
    ///
    /// # Errors
    /// [`NoSession`]
    pub fn open(self: &Arc<Self>, caller: Caller) -> Result<(Opening, Arc<Session>), NoSession> {
        self.open_with(caller, None)
    }

    /// Opens a session of `caller` whose messages all go to `line`.
    ///
    /// # Errors
    /// [`NoSession`]
    pub fn open_line(
        self: &Arc<Self>,
        caller: Caller,
        line: &Arc<Outbox>,
    ) -> Result<(Opening, Arc<Session>), NoSession> {
        self.open_with(caller, Some(Arc::clone(line)))
    }

    fn open_with(
        self: &Arc<Self>,
        caller: Caller,
        line: Option<Arc<Outbox>>,
    ) -> Result<(Opening, Arc<Session>), NoSession> {
        let Bounds { total, per_caller, replay_bytes, .. } = self.bounds;
        let full = |table: &Table| match table.open.len() >= total {
            true => Some(NoSession::Full(total)),
            false => (caller.is_known() && table.of(&caller) >= per_caller)
                .then_some(NoSession::FullForCaller(per_caller)),
        };
        if full(&self.lock()).is_some() {
            self.sweep();
        }
        let id = random_id()?;
        let mut table = self.lock();
        if table.closing {
            return Err(NoSession::Closing);
        }
        if let Some(full) = full(&table) {
            return Err(full);
        }
        let session = self.backing.open_session(caller);
        if let Some(presence) = session.presence() {
            presence.came_over(if line.is_some() { "sse" } else { "http" }, Some(&id));
        }
        let streams = Arc::new(Streams::new(Arc::clone(&session), replay_bytes));
        let entry = Entry { streams, line, last_used: Instant::now() };
        table.open.insert(id.clone(), entry);
        Ok((Opening { sessions: Arc::clone(self), id: Some(id) }, session))
    }

    /// The session `id` of `caller`, which is in use now.
    #[must_use]
    pub fn find(&self, id: &str, caller: &Caller) -> Option<Arc<Streams>> {
        let mut table = self.lock();
        let entry = table.get(id, caller, self.bounds.idle)?;
        Some(Arc::clone(&entry.streams))
    }

    /// The session `id` of `caller` that has a line, and the line.
    #[must_use]
    pub fn find_line(&self, id: &str, caller: &Caller) -> Option<(Arc<Session>, Arc<Outbox>)> {
        let table = self.lock();
        let entry = table.open.get(id).filter(|entry| entry.streams.session().caller() == caller)?;
        let line = entry.line.as_ref().filter(|line| !line.is_closed())?;
        entry.heard(Instant::now());
        Some((Arc::clone(entry.streams.session()), Arc::clone(line)))
    }

    /// The stream of session `id` of `caller`, or the one of the event `last`; who read it before reads no more. At most
    /// `limit` bytes wait in it. `None` when there is no such session.
    #[must_use]
    pub fn listen(
        &self,
        id: &str,
        caller: &Caller,
        limit: usize,
        last: Option<&str>,
    ) -> Option<Result<Reading, NotResumable>> {
        let mut table = self.lock();
        let closing = table.closing;
        let streams = &table.get(id, caller, self.bounds.idle)?.streams;
        let reading = match last {
            None => Ok(streams.listen(limit)),
            Some(last) => streams.resume(last),
        };
        if closing {
            streams.close();
        }
        Some(reading)
    }

    /// Ends the session `id` of `caller`. `false` when there is none.
    #[must_use]
    pub fn end(&self, id: &str, caller: &Caller) -> bool {
        let mut table = self.lock();
        let ended =
            table.get(id, caller, self.bounds.idle).is_some().then(|| table.open.remove(id)).flatten();
        drop(table);
        let found = ended.is_some();
        self.finish(ended);
        found
    }

    /// Ends sessions that nobody used for a while.
    pub fn sweep(&self) {
        let mut table = self.lock();
        for entry in table.open.values_mut().filter(|entry| entry.is_busy()) {
            entry.last_used = Instant::now();
        }
        let expired: Vec<_> = table.open.extract_if(|_, entry| entry.is_expired(self.bounds.idle)).collect();
        drop(table);
        self.finish(expired.into_iter().map(|(_, entry)| entry));
    }

    /// Opens no more sessions and ends the streams of all.
    pub fn wind_down(&self) {
        let mut table = self.lock();
        table.closing = true;
        table.open.values().for_each(|entry| entry.streams.close());
    }

    /// Ends the lines of sessions that have nothing in flight.
    pub fn end_quiet(&self) {
        let table = self.lock();
        let quiet = table.open.values().filter(|entry| entry.streams.session().in_flight() == 0);
        quiet.filter_map(|entry| entry.line.as_ref()).for_each(|line| line.close());
    }

    /// Ends all sessions.
    pub fn clear(&self) {
        let ended = std::mem::take(&mut self.lock().open);
        self.finish(ended.into_values());
    }

    /// How many are open.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lock().open.len()
    }

    /// True when none is open.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn finish(&self, ended: impl IntoIterator<Item = Entry>) {
        for entry in ended {
            entry.streams.close();
            if let Some(line) = entry.line {
                line.close();
            }
            self.backing.close_session(entry.streams.session());
        }
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    /// How many sessions `caller` has, whichever agents they name.
    fn of(&self, caller: &Caller) -> usize {
        let principal = caller.principal();
        self.open.values().filter(|entry| entry.streams.session().caller().principal() == principal).count()
    }

    fn get(&mut self, id: &str, caller: &Caller, idle: Duration) -> Option<&mut Entry> {
        let entry = self.open.get_mut(id).filter(|entry| entry.line.is_none())?;
        if entry.streams.session().caller() != caller {
            return None;
        }
        if entry.is_expired(idle) {
            return None;
        }
        entry.last_used = Instant::now();
        entry.heard(entry.last_used);
        Some(entry)
    }
}

impl Entry {
    fn heard(&self, now: Instant) {
        if let Some(presence) = self.streams.session().presence() {
            presence.heard(now);
        }
    }

    fn is_busy(&self) -> bool {
        self.line.is_some() || self.streams.session().in_flight() > 0 || self.streams.is_listened_to()
    }

    fn is_expired(&self, idle: Duration) -> bool {
        self.last_used.elapsed() >= idle && !self.is_busy()
    }
}

impl Opening {
    /// Its id.
    #[must_use]
    pub fn id(&self) -> &str {
        self.id.as_deref().unwrap_or_default()
    }

    /// Keeps the session; its id.
    #[must_use]
    pub fn keep(mut self) -> Box<str> {
        self.id.take().unwrap_or_default()
    }
}

impl Drop for Opening {
    fn drop(&mut self) {
        if let Some(id) = self.id.take() {
            let ended = self.sessions.lock().open.remove(&id);
            self.sessions.finish(ended);
        }
    }
}

impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sessions").field("open", &self.len()).finish_non_exhaustive()
    }
}

/// 160 random bits in hexadecimal.
fn random_id() -> Result<Box<str>, NoSession> {
    random::<20>().map(Into::into).ok_or(NoSession::NoRandom)
}
