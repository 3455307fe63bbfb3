//! Connections that are not shared: one per session, caller or call, beside the shared one of a server.
//!
//! Each is a handle with a task of its own that leaves this table when it ends; lists are read over the shared one only.
//! Which caller gets which is not decided here.

use crate::auth::caller::Caller;
use crate::auth::outbound::personal::Personal;
use crate::config::model::defaults;
use crate::downstream::handle::ServerHandle;
use crate::downstream::handle::Shared;
use crate::downstream::handle::State;
use crate::downstream::task;
use crate::name::ServerName;
use crate::wire::pending::Owner;
use crate::wire::tasks::Tasks;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::Weak;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// How long a connection that ended by itself is remembered, with the pause before its next start.
const LINGER: Duration = Duration::from_secs(60);
/// How long a connection for one call waits for that call to come, far more than it ever takes.
const FIRST_USE: Duration = Duration::from_secs(10);

/// Whose a connection is, and what its server is told of them.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Key {
    /// Whose.
    pub who: Who,
    /// What a legacy server is told that its client can do, as JSON text.
    pub capabilities: Arc<str>,
    /// What of the caller goes to the server.
    pub personal: Option<Arc<Personal>>,
}

/// Whose a connection is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Who {
    /// A session's, and ends with it.
    Session(Owner),
    /// Of a caller without a session, and ends when it is idle.
    Caller(Caller),
    /// Of one request (JSON text) of a session, and ends with it.
    Call(Owner, Box<str>),
}

impl Key {
    /// The session it belongs to; `None` when requests of several may use it.
    #[must_use]
    pub fn session(&self) -> Option<Owner> {
        match self.who {
            Who::Session(owner) | Who::Call(owner, _) => Some(owner),
            Who::Caller(_) => None,
        }
    }
}

/// Why there is no connection for a caller.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoConnection {
    /// There are as many as there may be.
    #[error(
        "server `{server}` has {limit} connections of single sessions already; one ends with its session or when it \
         is idle; `gateway.limits.privateConnections` allows more"
    )]
    Full {
        /// The server.
        server: ServerName,
        /// How many there may be.
        limit: usize,
    },
    /// It left the file, or the gateway ends.
    #[error("server `{0}` is being stopped; it left the file or the gateway ends")]
    Stopping(ServerName),
}

/// The connections of one server that are not shared.
#[derive(Default)]
pub(super) struct Privates {
    table: Mutex<Table>,
    tasks: Tasks,
}

#[derive(Default)]
struct Table {
    open: HashMap<Key, ServerHandle>,
    closed: bool,
}

/// What a connection that is not shared knows of itself.
pub(super) struct Own {
    pub(super) key: Key,
    parent: Weak<Shared>,
    /// A call came in.
    used: AtomicBool,
}

impl Own {
    /// Idle time after which the connection ends; `otherwise` is that of the entry. `None` is never.
    pub(super) fn idle_timeout(&self, otherwise: Option<Duration>) -> Option<Duration> {
        match self.key.who {
            Who::Session(_) => otherwise,
            // Nobody tells when such a caller is gone.
            Who::Caller(_) => otherwise.or(Some(defaults::IDLE_TIMEOUT)),
            Who::Call(..) if self.used.load(Ordering::Relaxed) => Some(Duration::ZERO),
            Who::Call(..) => Some(FIRST_USE),
        }
    }

    /// How long it stays without being connected.
    pub(super) fn linger(&self) -> Duration {
        match self.key.who {
            Who::Call(..) => Duration::ZERO,
            Who::Session(_) | Who::Caller(_) => LINGER,
        }
    }
}

impl Privates {
    /// All there are now.
    pub(super) fn all(&self) -> Vec<ServerHandle> {
        self.lock().open.values().cloned().collect()
    }

    /// Makes no more, and stops those there are: calls in flight have `drain` to finish.
    pub(super) fn close(&self, drain: Duration) {
        let mut table = self.lock();
        table.closed = true;
        table.open.values().for_each(|handle| handle.retire(drain));
    }

    /// Waits until all have ended, once [`Privates::close`] was called.
    pub(super) async fn finished(&self) {
        self.tasks.finished().await;
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shared {
    /// A call is on its way to this connection.
    pub(super) fn mark_used(&self) {
        if let Some(own) = &self.own {
            own.used.store(true, Ordering::Relaxed);
        }
    }

    /// Takes a connection that is not shared out of its table, unless a call waits for it again. `true` when it is out.
    pub(super) fn leave(self: &Arc<Self>) -> bool {
        let Some(own) = &self.own else { return false };
        let parent = own.parent.upgrade();
        let mut table = parent.as_ref().map(|parent| parent.privates.lock());
        {
            let mut state = self.lock();
            if matches!(&*state, State::Starting { .. }) && self.retired.borrow().is_none() {
                return false;
            }
            if !matches!(&*state, State::Starting { .. }) {
                *state = State::Draining(None);
            }
        }
        let open = table.as_mut().map(|table| &mut table.open);
        let mine = |open: &&mut HashMap<Key, ServerHandle>| {
            open.get(&own.key).is_some_and(|handle| Arc::ptr_eq(handle.shared(), self))
        };
        let mine = open.filter(mine).and_then(|open| open.remove(&own.key));
        drop(table);
        drop(mine);
        true
    }
}

impl ServerHandle {
    /// The connection of `key`, made when there is none. Nothing is started before a call comes.
    ///
    /// # Errors
    /// [`NoConnection`] when there may be no more.
    pub fn private(&self, key: Key) -> Result<Self, NoConnection> {
        let shared = self.shared();
        let mut table = shared.privates.lock();
        if table.closed {
            return Err(NoConnection::Stopping(shared.name.clone()));
        }
        if let Some(open) = table.open.get(&key) {
            // A call follows at once; until then it must not leave.
            open.want();
            return Ok(self.beside(Arc::clone(open.shared())));
        }
        let limit = shared.around.private_connections;
        if table.open.len() >= limit {
            return Err(NoConnection::Full { server: shared.name.clone(), limit });
        }
        let own = Own { key: key.clone(), parent: Arc::downgrade(shared), used: AtomicBool::new(false) };
        let (entry, lists) = (Arc::clone(&shared.entry), Arc::clone(&shared.lists));
        let state = State::starting(Vec::new());
        let (around, listener) = (shared.around.clone(), Arc::clone(&shared.listener));
        let private = Shared::new(state, entry, lists, around, listener, Some(own));
        let private = self.beside(Arc::new(private));
        shared.privates.tasks.spawn(task::run(Arc::clone(private.shared())));
        table.open.insert(key, private.clone());
        Ok(private)
    }

    /// The connection of `key`, if there is one.
    #[must_use]
    pub fn open(&self, key: &Key) -> Option<Self> {
        let open = self.shared().privates.lock().open.get(key).cloned();
        open.map(|open| self.beside(Arc::clone(open.shared())))
    }

    /// The connections of one session.
    #[must_use]
    pub fn private_of(&self, session: Owner) -> Vec<Self> {
        let table = self.shared().privates.lock();
        let theirs = table.open.iter().filter(|(key, _)| key.session() == Some(session));
        theirs.map(|(_, handle)| self.beside(Arc::clone(handle.shared()))).collect()
    }

    /// Stops the connections of a session: calls in flight have `drain` to finish.
    pub fn release(&self, session: Owner, drain: Duration) {
        let mut table = self.shared().privates.lock();
        let theirs: Vec<_> = table.open.extract_if(|key, _| key.session() == Some(session)).collect();
        drop(table);
        theirs.iter().for_each(|(_, handle)| handle.retire(drain));
    }

    /// Whose this connection is; `None` for the shared one.
    #[must_use]
    pub fn key(&self) -> Option<&Key> {
        self.shared().own.as_ref().map(|own| &own.key)
    }
}
