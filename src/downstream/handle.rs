//! What everybody holds of a server: a cheap clone that calls it, whatever state it is in.
//!
//! A call never waits here. On a ready server it is written at once; otherwise it is parked and the server's task
//! (`task.rs`) is woken. Starting, watching and stopping are the task's.

use crate::auth::oauth::folder::Stamp;
use crate::catalog::lists::ServerLists;
use crate::config::model::Server;
use crate::config::model::Sharing;
use crate::config::model::terms::CallTerms;
use crate::downstream::breaker::Breaker;
use crate::downstream::breaker::Entry;
use crate::downstream::history::History;
use crate::downstream::holds::Holds;
use crate::downstream::link::Link;
use crate::downstream::link::Listener;
use crate::downstream::parked::ParkedCall;
use crate::downstream::parked::has_room;
use crate::downstream::private::Own;
use crate::downstream::private::Privates;
use crate::downstream::request::Request;
use crate::downstream::surroundings::Surroundings;
use crate::downstream::updates::Updates;
use crate::downstream::usage::User;
use crate::name::ServerName;
use crate::policy::permit::Permit;
use crate::protocol::version::Era;
use crate::wire::pending::Answer;
use crate::wire::pending::Lost;
use crate::wire::pending::Owner;
use crate::wire::pending::Patience;
use crate::wire::pending::Waiter;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// One server, for callers. Clones share the server; the entry is the one of their snapshot.
#[derive(Clone)]
pub struct ServerHandle {
    server: Arc<Server>,
    shared: Arc<Shared>,
    user: User,
}

/// What the handle and the task share.
pub(super) struct Shared {
    pub(super) name: ServerName,
    pub(super) state: Mutex<State>,
    /// There is something to do: a call is parked, or the lists are to be read again.
    pub(super) wake: Notify,
    pub(super) relist: Notify,
    /// The entry, for the task; it changes when only names, filters or times of the entry changed.
    pub(super) entry: Arc<watch::Sender<Arc<Server>>>,
    /// What is known of its lists.
    pub(super) lists: Arc<watch::Sender<Option<Arc<ServerLists>>>>,
    /// The drain time, once it is to be stopped.
    pub(super) retired: watch::Sender<Option<Duration>>,
    pub(super) stopped: CancellationToken,
    pub(super) around: Surroundings,
    /// Hears what it says.
    pub(super) listener: Arc<dyn Listener>,
    /// It was seen asking its client for something.
    pub(super) asks: AtomicBool,
    /// The last start failed: what was remembered of it may no longer hold, and it may fail again.
    pub(super) in_doubt: AtomicBool,
    /// Connections that are not shared.
    pub(super) privates: Privates,
    /// Whose it is, when it is such a connection itself.
    pub(super) own: Option<Own>,
    /// Resources whose updates are wanted.
    pub(super) updates: Updates,
    /// Why it is not idle although it has no calls.
    pub(super) holds: Holds,
    /// Whether it keeps failing.
    pub(super) breaker: Arc<Breaker>,
    pub(super) history: History,
    /// The login it was tried with.
    pub(super) login: Mutex<Option<Stamp>>,
}

/// Where a server is in its life.
pub(super) enum State {
    Idle,
    Starting { waiting: Vec<ParkedCall>, since: Instant },
    Ready(Ready),
    Failed { lost: Lost, reason: Arc<str>, until: Instant },
    Draining(Option<Ready>),
}

impl State {
    pub(super) fn starting(waiting: Vec<ParkedCall>) -> Self {
        Self::Starting { waiting, since: Instant::now() }
    }
}

/// A live connection, and what a person wants to know of it.
pub(super) struct Ready {
    pub(super) link: Arc<dyn Link>,
    pub(super) pid: Option<u32>,
    pub(super) since: Instant,
}

impl ServerHandle {
    /// A server that is not running. `lists` is what a saved catalog knows of it. Its task must be run.
    pub(super) fn idle(
        user: User,
        server: Arc<Server>,
        lists: Option<Arc<ServerLists>>,
        around: Surroundings,
        listener: Arc<dyn Listener>,
    ) -> Self {
        let asks = lists.as_ref().is_some_and(|lists| lists.asks);
        let entry = Arc::new(watch::Sender::new(Arc::clone(&server)));
        let lists = Arc::new(watch::Sender::new(lists));
        let shared = Shared::new(State::Idle, entry, lists, around, listener, None);
        shared.asks.store(asks, Ordering::Relaxed);
        Self { server, shared: Arc::new(shared), user }
    }

    /// Another connection to the same server.
    pub(super) fn beside(&self, shared: Arc<Shared>) -> Self {
        Self { server: Arc::clone(&self.server), shared, user: self.user }
    }

    /// The same connection, as the gateway `user` sees it.
    pub(super) fn seen_as(&self, user: User, server: Arc<Server>) -> Self {
        Self { server, shared: Arc::clone(&self.shared), user }
    }

    /// True when every caller uses this connection of whom nothing goes to the server. Part of every call: nothing is locked or copied.
    #[must_use]
    pub fn is_for_all(&self) -> bool {
        match self.server.sharing {
            Sharing::Shared => true,
            Sharing::Auto => !self.asks(),
            Sharing::PerSession | Sharing::PerCall => false,
        }
    }

    /// The entry it was made from.
    #[must_use]
    pub fn server(&self) -> &Arc<Server> {
        &self.server
    }

    /// The same running server under a changed entry: names, filters or times. The transport must be the same.
    #[must_use]
    pub fn with_entry(&self, server: Arc<Server>) -> Self {
        self.shared.entry.send_replace(Arc::clone(&server));
        self.seen_as(self.user, server)
    }

    /// The era of its connection, or the one it spoke last.
    #[must_use]
    pub fn era(&self) -> Era {
        match &*self.lock() {
            State::Ready(ready) => ready.link.era(),
            State::Draining(Some(ready)) => ready.link.era(),
            _ => self.lists().map_or(Era::Legacy, |lists| lists.era),
        }
    }

    /// Sends `request`, now or when the server has started. Exactly one answer comes to `waiter`.
    pub fn call(&self, permit: &Permit<'_>, request: &Request<'_>, waiter: Box<dyn Waiter>) {
        let CallTerms { idle, longest, .. } = self.server.terms();
        self.call_within(permit, request, waiter, Patience { idle, longest });
    }

    /// As [`ServerHandle::call`], for an answer that may take as long as `patience`.
    pub fn call_within(
        &self,
        permit: &Permit<'_>,
        request: &Request<'_>,
        waiter: Box<dyn Waiter>,
        patience: Patience,
    ) {
        debug_assert_eq!(permit.route().server, self.shared.name, "a permit is for one route");
        let waiter = match self.shared.breaker.enter() {
            Entry::Pass => waiter,
            // It is refused below, and says nothing of the server.
            Entry::Probe if self.is_resting() => {
                self.shared.breaker.not_tried();
                waiter
            }
            Entry::Probe => self.shared.breaker.probe(waiter),
            Entry::Refuse(why) => return waiter.answer(Answer::Lost(Lost::NotSent(why))),
        };
        let waiter = match self.ready_link() {
            Some(link) => match link.call(request, waiter, patience) {
                Ok(()) => return,
                Err(waiter) => waiter,
            },
            None => waiter,
        };
        self.park(ParkedCall::new(request, waiter, patience));
    }

    /// Ends the call that `owner` knows as `call`, parked or in flight. `false` when there is none.
    pub fn cancel(&self, owner: Owner, call: &str, reason: Option<&str>) -> bool {
        let (found, link) = match &mut *self.lock() {
            State::Starting { waiting, .. } => (take_parked(waiting, owner, call), None),
            State::Ready(ready) => (None, Some(Arc::clone(&ready.link))),
            State::Draining(ready) => (None, ready.as_ref().map(|ready| Arc::clone(&ready.link))),
            State::Idle | State::Failed { .. } => (None, None),
        };
        if let Some(parked) = found {
            parked.waiter.answer(Answer::Lost(Lost::Cancelled));
            return true;
        }
        link.is_some_and(|link| link.cancel(owner, call, reason))
    }

    /// Starts the server if it is not running and may be tried: for its lists. Since when it is starting.
    pub fn want(&self) -> Option<Instant> {
        let mut state = self.shared.lock_with_login();
        let start = match &*state {
            State::Idle => true,
            State::Failed { until, .. } => *until <= Instant::now(),
            State::Starting { since, .. } => return Some(*since),
            State::Ready(ready) => return Some(ready.since),
            State::Draining(_) => false,
        };
        if start {
            *state = State::starting(Vec::new());
            self.shared.wake.notify_one();
        }
        start.then(Instant::now)
    }

    /// Why it could not be started the last time; `None` when it runs or was not tried.
    #[must_use]
    pub fn failure(&self) -> Option<Lost> {
        match &*self.lock() {
            State::Failed { lost, .. } => Some(lost.clone()),
            _ => None,
        }
    }

    /// Sends a notification if it is running: a server that is not has nothing to know. `params` is JSON text.
    pub fn notify(&self, method: &str, params: &str) {
        if let Some(link) = self.ready_link() {
            link.notify(method, params);
        }
    }

    /// The live connection, if there is one.
    #[must_use]
    pub fn ready_link(&self) -> Option<Arc<dyn Link>> {
        match &*self.lock() {
            State::Ready(ready) => Some(Arc::clone(&ready.link)),
            _ => None,
        }
    }

    /// Stops it: new calls are refused, calls in flight have `drain` to finish. Returns at once.
    pub fn retire(&self, drain: Duration) {
        self.shared.privates.close(drain);
        self.shared.retired.send_replace(Some(drain));
        self.shared.wake.notify_one();
    }

    /// Resolves when it is stopped and nothing of it is left.
    pub async fn stopped(&self) {
        self.shared.stopped.cancelled().await;
    }

    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    pub(super) fn user(&self) -> User {
        self.user
    }

    pub(super) fn has_failed(&self) -> bool {
        matches!(&*self.lock(), State::Failed { .. } | State::Draining(_))
    }

    /// True while it is not started again, because that failed a moment ago.
    fn is_resting(&self) -> bool {
        matches!(&*self.lock(), State::Failed { until, .. } if *until > Instant::now())
    }

    /// Lets a call wait for the start, or refuses it at once when there will be none soon.
    fn park(&self, parked: ParkedCall) {
        let mut state = self.shared.lock_with_login();
        let refusal = match &mut *state {
            State::Starting { waiting, .. }
                if has_room(waiting, &self.server, &self.shared.around.limits) =>
            {
                self.shared.mark_used();
                waiting.push(parked);
                return;
            }
            State::Starting { waiting, .. } => {
                Lost::NotSent(format!("has {} calls waiting for its start already", waiting.len()).into())
            }
            State::Ready(ready) if !ready.link.pending().is_closed() => {
                // It became ready between two looks.
                let link = Arc::clone(&ready.link);
                drop(state);
                return release(parked, &*link);
            }
            State::Failed { lost: lost @ (Lost::Unauthorized(_) | Lost::Held(_)), until, .. }
                if *until > Instant::now() =>
            {
                lost.clone()
            }
            State::Failed { reason, until, .. } if *until > Instant::now() => {
                let left = until.duration_since(Instant::now()).as_secs_f32().max(0.1);
                Lost::NotStarted(format!("{reason}; it is tried again on a call in {left:.1} s").into())
            }
            State::Draining(_) => {
                Lost::NotSent("is being stopped; it left the file or the gateway ends".into())
            }
            State::Idle | State::Ready(_) | State::Failed { .. } => {
                self.shared.mark_used();
                *state = State::starting(vec![parked]);
                self.shared.wake.notify_one();
                return;
            }
        };
        drop(state);
        parked.waiter.answer(Answer::Lost(refusal));
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.shared.lock()
    }
}

impl Shared {
    pub(super) fn new(
        state: State,
        entry: Arc<watch::Sender<Arc<Server>>>,
        lists: Arc<watch::Sender<Option<Arc<ServerLists>>>>,
        around: Surroundings,
        listener: Arc<dyn Listener>,
        own: Option<Own>,
    ) -> Self {
        let name = entry.borrow().name.clone();
        let breaker = Arc::new(Breaker::new(Arc::clone(&entry), Arc::clone(&around.metrics)));
        Self {
            name,
            state: Mutex::new(state),
            wake: Notify::new(),
            relist: Notify::new(),
            entry,
            lists,
            retired: watch::Sender::new(None),
            stopped: CancellationToken::new(),
            around,
            listener,
            asks: AtomicBool::new(false),
            in_doubt: AtomicBool::new(false),
            privates: Privates::default(),
            updates: Updates::default(),
            holds: Holds::default(),
            breaker,
            history: History::default(),
            login: Mutex::default(),
            own,
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for ServerHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("ServerHandle").field(&self.shared.name).finish()
    }
}

/// Sends a parked call over a fresh connection.
pub(super) fn release(parked: ParkedCall, link: &dyn Link) {
    let sent = parked.release(|request, waiter, patience| link.call(request, waiter, patience));
    if let Err(waiter) = sent {
        waiter.answer(Answer::Lost(Lost::NotSent("ended right after its start".into())));
    }
}

fn take_parked(waiting: &mut Vec<ParkedCall>, owner: Owner, call: &str) -> Option<ParkedCall> {
    let at = waiting.iter().position(|parked| parked.waiter.owner() == owner && parked.waiter.is(call))?;
    Some(waiting.remove(at))
}
