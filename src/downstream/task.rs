//! The life of one server: `Idle → Starting → Ready → (Draining) → Idle`, and `Failed` with a pause that grows.
//!
//! The only loop over a server's life. It owns the connection and carries no traffic: callers write to the connection
//! themselves through their handle.

pub mod backoff;
mod lists;
mod login;
mod states;
mod sweep;
mod wanted;

use crate::catalog::lists::ServerLists;
use crate::config::model::EraChoice;
use crate::config::model::Server;
use crate::downstream::connect::Connection;
use crate::downstream::connect::Greeting;
use crate::downstream::connect::Lifeline;
use crate::downstream::connect::Order;
use crate::downstream::error::StartError;
use crate::downstream::error::words;
use crate::downstream::follow::follow;
use crate::downstream::handle::Ready;
use crate::downstream::handle::ServerHandle;
use crate::downstream::handle::Shared;
use crate::downstream::handle::State;
use crate::downstream::handle::release;
use crate::downstream::link::Link;
use crate::downstream::link::Listener;
use crate::downstream::listen::keep_listening;
use crate::downstream::private_ears::PrivateEars;
use crate::downstream::surroundings::Surroundings;
use crate::downstream::task::backoff::Backoff;
use crate::downstream::task::lists::Verified;
use crate::downstream::task::lists::refuse;
use crate::downstream::task::states::answer_waiting;
use crate::downstream::task::sweep::SWEEP;
use crate::downstream::task::sweep::finish;
use crate::downstream::task::sweep::sweep;
use crate::downstream::task::wanted::wanted;
use crate::downstream::usage::User;
use crate::downstream::veil::Veil;
use crate::protocol::capability;
use crate::protocol::version::Era;
use crate::telemetry::event;
use crate::wire::guard::unharmed;
use crate::wire::pending::Lost;
use crate::wire::tasks::Tasks;
use crate::wire::unauthorized::Unauthorized;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::time::Instant;
use tokio::time::interval;
use tokio::time::sleep;
use tokio::time::timeout;

/// What a connection that is being made may take beyond the start timeout, to say why it failed.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// Makes a server for `user` and runs its task in `tasks`. `lists` is what a saved catalog knows of it.
#[must_use]
pub fn launch(
    user: User,
    server: Arc<Server>,
    lists: Option<Arc<ServerLists>>,
    around: &Surroundings,
    listener: Arc<dyn Listener>,
    tasks: &Tasks,
) -> ServerHandle {
    let handle = ServerHandle::idle(user, server, lists, around.clone(), listener);
    tasks.spawn(run(Arc::clone(handle.shared())));
    handle
}

/// The life of one connection, shared or not, until it is retired.
pub(super) async fn run(shared: Arc<Shared>) {
    let life = || {
        let (shared, around, backoff) = (Arc::clone(&shared), shared.around.clone(), Backoff::default());
        ServerTask { shared, around, backoff, unused: false, ears: None }.run()
    };
    while unharmed("the life of a server", life()).await.is_none() {
        shared.break_off();
    }
}

struct ServerTask {
    shared: Arc<Shared>,
    around: Surroundings,
    backoff: Backoff,
    /// It ended because nobody used it.
    unused: bool,
    /// Hears the server on a connection that is not shared.
    ears: Option<Arc<PrivateEars>>,
}

/// Why a connection is over.
enum Over {
    /// It ended by itself; how.
    Ended(Arc<str>),
    /// Nobody used it.
    Unused,
    /// It shows nothing before somebody has logged in: what a person has to do.
    Barred(Unauthorized),
    /// The server is retired, with this time to drain.
    Retired(Duration),
}

impl ServerTask {
    async fn run(mut self) {
        while wanted(&self.shared, self.unused).await {
            match self.start().await {
                Some(Ok(connection)) => self.live(connection).await,
                Some(Err(error)) => self.failed(&error),
                None => break,
            }
        }
        self.shared.leave();
        self.refuse_waiting("is being stopped; it left the file or the gateway ends");
        self.shared.privates.finished().await;
        self.shared.stopped.cancel();
    }

    fn entry(&self) -> Arc<Server> {
        self.shared.entry.borrow().clone()
    }

    /// One attempt, within the start timeout. `None` when the server was retired meanwhile.
    async fn start(&mut self) -> Option<Result<Connection, StartError>> {
        self.unused = false;
        self.shared.history.starting();
        let server = self.entry();
        self.shared.note_login(&server);
        let order = self.order(&server);
        let connector = Arc::clone(&self.around.connector);
        let starts = Arc::clone(&self.around.starts);
        let attempt = async {
            // Held until the attempt is over. The semaphore is never closed.
            let Ok(_one_of_few) = timeout(server.start_timeout, starts.acquire()).await else {
                return Err(StartError::Crowded { server: server.name.clone(), after: server.start_timeout });
            };
            match timeout(server.start_timeout.saturating_add(LAST_WORDS), connector.connect(order)).await {
                Ok(result) => result,
                Err(_) => Err(StartError::Silent {
                    server: server.name.clone(),
                    method: "initialize",
                    after: server.start_timeout,
                    last_words: Vec::new(),
                }),
            }
        };
        tokio::select! {
            result = attempt => Some(result),
            () = self.needless() => None,
        }
    }

    fn order(&mut self, server: &Arc<Server>) -> Order {
        let inner = Arc::clone(&self.shared.listener);
        let (listener, declared): (Arc<dyn Listener>, _) = match &self.shared.own {
            None => (inner, capability::DECLARED_TO_LEGACY.into()),
            Some(own) => {
                let ears = PrivateEars::new(inner, server.name.clone(), own.key.clone());
                let ears = Arc::clone(self.ears.insert(Arc::new(ears)));
                (ears, Arc::clone(&own.key.capabilities))
            }
        };
        let era = self.known_era(server);
        let (limits, breaker) = (self.around.limits, Arc::clone(&self.shared.breaker));
        let personal = self.shared.own.as_ref().and_then(|own| own.key.personal.clone());
        Order { era, listener, limits, server: Arc::clone(server), declared, personal, breaker }
    }

    /// Resolves when a start is no longer worth it: the server is retired, and no call waits or their drain is over.
    async fn needless(&self) {
        let mut retired = self.shared.retired.subscribe();
        let drain = retired.wait_for(Option::is_some).await.ok().and_then(|drain| *drain).unwrap_or_default();
        let waits = matches!(&*self.shared.lock(), State::Starting { waiting, .. } if !waiting.is_empty());
        if waits {
            sleep(drain).await;
        }
    }

    fn known_era(&self, server: &Server) -> Option<Era> {
        match server.era {
            EraChoice::Always(era) => Some(era),
            EraChoice::Auto if self.shared.in_doubt.load(Ordering::Relaxed) => None,
            EraChoice::Auto => self.shared.lists.borrow().as_ref().map(|lists| lists.era),
        }
    }

    fn failed(&mut self, error: &StartError) {
        self.shared.in_doubt.store(true, Ordering::Relaxed);
        let pause = self.backoff.after_failed_start();
        let reason: Arc<str> = Veil::of(&self.entry()).hide(error.to_string()).into();
        self.shared.history.failed(error.last_words());
        event::server_failed(&self.around.metrics, &self.shared.name, &reason, pause);
        let lost = error.lost(Arc::clone(&reason));
        let failed = State::Failed { lost: lost.clone(), reason, until: Instant::now() + pause };
        let before = self.shared.set(failed);
        self.shared.updates.refuse_awaited(&error.to_string());
        // Whoever waits for lists looks again.
        self.shared.lists.send_modify(|_| {});
        answer_waiting(before, &lost);
    }

    /// From the handshake to the end of the connection.
    async fn live(&mut self, connection: Connection) {
        let began = Instant::now();
        self.shared.in_doubt.store(false, Ordering::Relaxed);
        let Connection { link, greeting, mut lifeline } = connection;
        self.shared.history.ready(lifeline.stderr());
        let verified = match self.shared.verify(&link, &greeting).await {
            Ok(verified) => verified,
            Err(error) => return self.refuse_connection(&error, lifeline).await,
        };
        self.shared.tell_verified(verified.as_ref());
        self.become_ready(&link, lifeline.pid(), verified.as_ref());
        let over = {
            let watching = self.watch(&link, &mut *lifeline);
            let listing = self.shared.keep_lists(&link, &greeting, began, verified);
            let listening = self.listen(&link, &greeting);
            tokio::select! {
                biased;
                over = watching => over,
                () = listening => unreachable!("listening never ends"),
                why = listing => Over::Barred(why),
            }
        };
        match over {
            Over::Ended(how) => {
                self.shared.history.ended(&how);
                let how = format!("{how}{}", words(&lifeline.last_words()));
                if !link.counts_its_failures() {
                    self.shared.breaker.failed(link.pending().answered(), &how);
                }
                event::server_closed(&self.around.metrics, &self.shared.name, &how);
                lifeline.stop(self.entry().stop).await;
                self.ended(began, &how, link.pending().has_served());
            }
            Over::Unused => {
                // From here on calls start a new process; one that slipped in before is waited for.
                self.become_idle();
                self.shared.history.rests("nobody used it for `idleTimeout`");
                tokio::select! {
                    () = finish(&*link, &self.shared.breaker) => {}
                    _ = lifeline.ended() => {}
                }
                lifeline.stop(self.entry().stop).await;
                self.unused = true;
                event::server_stopped(&self.around.metrics, &self.shared.name, "idle", &"as asked");
            }
            Over::Barred(why) => {
                // From here on calls are told; those that waited for the start may still be under way.
                self.failed(&StartError::ShowsNothing(why));
                tokio::select! {
                    _ = timeout(self.entry().start_timeout, finish(&*link, &self.shared.breaker)) => {}
                    _ = lifeline.ended() => {}
                }
                lifeline.stop(self.entry().stop).await;
            }
            Over::Retired(drain) => self.drain(link, lifeline, drain).await,
        }
    }

    fn become_ready(&self, link: &Arc<dyn Link>, pid: Option<u32>, verified: Option<&Verified>) {
        self.shared.holds.clear();
        self.shared.breaker.connected();
        let ready = State::Ready(Ready { link: Arc::clone(link), pid, since: Instant::now() });
        let before = self.shared.set(ready);
        // In the order they came. A call that arrives meanwhile may overtake them, as any two calls may.
        if let State::Starting { waiting, .. } = before {
            for parked in waiting {
                match verified.and_then(|verified| verified.refusal(&parked)) {
                    Some(why) => refuse(parked, &self.shared.name, &why),
                    None => release(parked, &**link),
                }
            }
        }
        if let (Some(own), Some(ears)) = (&self.shared.own, &self.ears) {
            self.shared.listener.private_ready(&self.shared.name, &own.key, link);
            ears.open();
        }
    }

    /// It is not used: it shows nothing, or something else than what was approved where nobody sees its lists.
    async fn refuse_connection(&mut self, error: &StartError, lifeline: Box<dyn Lifeline>) {
        self.failed(error);
        lifeline.stop(self.entry().stop).await;
    }

    /// Unless a call wants it started again already.
    fn become_idle(&self) {
        let mut state = self.shared.lock();
        if !matches!(&*state, State::Starting { .. }) {
            *state = State::Idle;
        }
    }

    fn ended(&mut self, began: Instant, how: &str, served: bool) {
        // Before its lists were read nobody could use it: that is a start that failed.
        let unlisted = self.shared.own.is_none() && self.shared.lists.borrow().is_none();
        self.shared.in_doubt.store(unlisted, Ordering::Relaxed);
        let pause = match unlisted {
            true => self.backoff.after_failed_start(),
            false => self.backoff.after_end(began.elapsed(), served),
        };
        let mut state = self.shared.lock();
        if pause.is_zero() {
            if !matches!(&*state, State::Starting { .. }) {
                *state = State::Idle;
            }
            return;
        }
        let what = if unlisted { "ended before its lists were read" } else { "keeps ending" };
        let reason: Arc<str> = format!("server `{}` {what}: it {how}", self.shared.name).into();
        let lost = Lost::NotStarted(Arc::clone(&reason));
        let failed = State::Failed { lost: lost.clone(), reason, until: Instant::now() + pause };
        let before = std::mem::replace(&mut *state, failed);
        drop(state);
        // Whoever waits for lists looks again.
        self.shared.lists.send_modify(|_| {});
        answer_waiting(before, &lost);
    }

    /// Watches a live connection until it is over.
    async fn watch(&self, link: &Arc<dyn Link>, lifeline: &mut dyn Lifeline) -> Over {
        let mut tick = interval(SWEEP);
        let mut retired = self.shared.retired.subscribe();
        let (mut issued, mut busy) = (0, Instant::now());
        loop {
            tokio::select! {
                biased;
                how = lifeline.ended() => return Over::Ended(how),
                drain = retired.wait_for(Option::is_some) => {
                    return Over::Retired(drain.ok().and_then(|drain| *drain).unwrap_or_default());
                }
                _ = tick.tick() => sweep(&**link, &self.shared.breaker),
            }
            let pending = link.pending();
            if pending.issued() != issued || !pending.is_empty() || !self.shared.updates.is_empty() {
                (issued, busy) = (pending.issued(), Instant::now());
            }
            let unused =
                self.idle_timeout().is_some_and(|limit| pending.is_empty() && busy.elapsed() >= limit);
            if unused && !self.shared.holds.any() {
                return Over::Unused;
            }
        }
    }

    fn idle_timeout(&self) -> Option<Duration> {
        let entry = self.entry().idle_timeout;
        self.shared.own.as_ref().map_or(entry, |own| own.idle_timeout(entry))
    }

    /// Has a server tell of wanted resources, and a modern one of its lists: before they are read, lest a change in between
    /// be missed. Never ends.
    async fn listen(&self, link: &Arc<dyn Link>, greeting: &Greeting) {
        self.shared.updates.start_over();
        if link.era() == Era::Legacy {
            return follow(&**link, &self.shared.updates).await;
        }
        let opened_again = || self.shared.relist.notify_one();
        keep_listening(&**link, &greeting.capabilities, &self.shared.updates, opened_again).await;
    }

    /// Calls in flight have until `drain` to finish; then everything ends.
    async fn drain(&self, link: Arc<dyn Link>, mut lifeline: Box<dyn Lifeline>, drain: Duration) {
        let ready = Ready { link: Arc::clone(&link), pid: lifeline.pid(), since: Instant::now() };
        self.shared.set(State::Draining(Some(ready)));
        self.shared.history.rests("it left the file or was changed there, or the gateway ends");
        tokio::select! {
            _ = timeout(drain, finish(&*link, &self.shared.breaker)) => {}
            _ = lifeline.ended() => {}
        }
        lifeline.stop(self.entry().stop).await;
        self.shared.set(State::Draining(None));
        event::server_stopped(&self.around.metrics, &self.shared.name, "retired", &"as asked");
    }

    fn refuse_waiting(&self, why: &str) {
        let before = self.shared.set(State::Draining(None));
        answer_waiting(before, &Lost::NotSent(why.into()));
    }
}
