//! The gateway: what every request of a client leads to.
//!
//! A table from method to family; the families stand in files of their own and are a few lines each. Nothing here
//! waits: an answer arrives in the sink of its request. Transports are `front.rs`, the file is `reload.rs`.

pub mod answer;
pub mod ask;
pub mod audit;
pub mod awaited;
pub mod batch;
mod checks;
pub mod complete;
pub mod core;
pub mod exchange;
mod greeting;
mod held;
pub mod incoming;
pub mod isolation;
mod later;
mod leaving;
pub mod lists;
pub mod load;
pub mod logging;
mod login;
pub mod memory;
pub mod notify;
mod own;
mod pages;
pub mod parking;
mod permission;
mod pool;
pub mod prompts;
pub mod rates;
pub mod relay;
pub mod relayed;
pub mod reply;
pub mod resources;
pub mod session;
mod severity;
pub mod sight;
pub mod snapshot;
pub mod standing;
pub mod status;
pub mod subscribe;
pub mod tasks;
pub mod tools;
pub mod updates;
pub mod written;

pub use crate::gateway::pool::Parts;

use crate::auth::caller::Caller;
use crate::catalog::lists::ListKind;
use crate::config::model::Config;
use crate::downstream::handle::ServerHandle;
use crate::gateway::core::Core;
use crate::gateway::exchange::Exchange;
use crate::gateway::incoming::Incoming;
use crate::gateway::login::Back;
use crate::gateway::memory::Memory;
use crate::gateway::pool::Pool;
use crate::gateway::reply::Failure;
use crate::gateway::session::Session;
use crate::gateway::snapshot::Snapshot;
use crate::gateway::status::GatewayStatus;
use crate::protocol::version::Era;
use crate::telemetry::event;
use crate::telemetry::metric::Metrics;
use crate::wire::batch::Gathering;
use crate::wire::guard::for_ever;
use crate::wire::message::Malformed;
use crate::wire::message::Message;
use crate::wire::sink::Sink;
use http::HeaderMap;
use serde_json::value::RawValue;
use std::sync::Arc;
use std::sync::Weak;
use std::time::Duration;

/// Many servers as one. Clones share everything.
#[derive(Clone)]
pub struct Gateway {
    core: Arc<Core>,
}

impl Gateway {
    /// A gateway without servers. Give it a configuration with `reload::apply`.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let (pool, memory) = Pool::new(parts);
        Self::over(Arc::new(pool), memory, None)
    }

    /// One more gateway beside this one, without servers, called `label`: what resolves equally in both is started once.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    #[must_use]
    pub fn beside(&self, label: String) -> Self {
        Self::over(Arc::clone(&self.core.pool), self.core.memory.as_ref().map(Memory::beside), Some(label))
    }

    fn over(pool: Arc<Pool>, memory: Option<Memory>, label: Option<String>) -> Self {
        let core = Arc::new_cyclic(|core| Core::new(core, pool, memory, label));
        let (catalog, changes) = (Arc::clone(&core), Arc::clone(&core));
        let parking = Arc::clone(&core.current().parking);
        core.tasks.spawn(for_ever("saving catalogs", move || Arc::clone(&catalog).keep_catalog()));
        core.tasks.spawn(for_ever("telling changes", move || Arc::clone(&changes).tell_changes()));
        core.tasks.spawn(for_ever("ending what waited too long", move || Arc::clone(&parking).keep()));
        Self { core }
    }

    /// What it owns, for `reload.rs`.
    #[must_use]
    pub fn core(&self) -> &Arc<Core> {
        &self.core
    }

    /// The current snapshot.
    #[must_use]
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.core.current()
    }

    /// The configuration in use.
    #[must_use]
    pub fn config(&self) -> Arc<Config> {
        Arc::clone(&self.core.current().config)
    }

    /// Counters.
    #[must_use]
    pub fn metrics(&self) -> &Arc<Metrics> {
        &self.core.around.metrics
    }

    /// The state of everything, for people and programs.
    #[must_use]
    pub fn status(&self) -> GatewayStatus {
        status::of(&self.core)
    }

    /// True while anybody waits for an answer, here or at a gateway beside it. Open subscriptions do not.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        status::is_busy(&self.core)
    }

    /// Why requests are better sent elsewhere; `None` while they are taken.
    #[must_use]
    pub fn unready(&self) -> Option<&'static str> {
        self.core.standing.unready()
    }

    /// Waits until the lists of all servers are known, or their time is over.
    pub async fn settle(&self) {
        let snapshot = self.core.current();
        if lists::is_worth_waiting(&snapshot, true) {
            lists::wait(&snapshot, true).await;
            self.core.rebuild();
        }
    }

    /// Stops every server that no gateway beside it uses: calls in flight have `drain` to finish. Nothing is left afterwards.
    pub async fn shut_down(&self, drain: Duration) {
        self.core.standing.end();
        self.core.subscribers.end(None);
        let snapshot = self.core.current();
        snapshot.parking.end(None);
        let mut ending = self.core.standing.leaving();
        ending.extend(snapshot.servers.values().filter(|one| self.core.retire(one, drain)).cloned());
        futures_util::future::join_all(ending.iter().map(ServerHandle::stopped)).await;
        self.core.save();
        self.core.tidy();
        if self.core.label.is_some() {
            // They would keep it alive.
            self.core.tasks.abort_all();
        }
    }

    /// A session that is told about changed lists: a stdio client, a legacy HTTP session, a program.
    #[must_use]
    pub fn open_session(&self, caller: Caller) -> Arc<Session> {
        event::session_opened(self.metrics());
        self.core.register(caller)
    }

    /// A session for one modern HTTP request.
    #[must_use]
    pub fn lone_session(&self, caller: Caller) -> Arc<Session> {
        self.core.lone(caller)
    }

    /// Keeps of `headers`, which came with the request that made `session`, what a server may be passed.
    pub fn note_headers(&self, session: &Session, headers: &HeaderMap) {
        session.passed.keep(&self.core.current().config.passed, headers);
    }

    /// How many answers a session waits for. Open subscriptions are none, which never end by themselves.
    #[must_use]
    pub fn awaited_by(&self, session: &Session) -> usize {
        session.in_flight().saturating_sub(self.core.subscribers.count_of(session))
    }

    /// Ends the open subscriptions of a session, which would otherwise never be over.
    pub fn end_subscriptions(&self, session: &Session) {
        self.core.end_subscriptions(session);
    }

    /// Ends a session: its calls are cancelled, its questions answered for it.
    pub fn close_session(&self, session: &Arc<Session>, why: &str) {
        self.core.close_session(session, why);
    }

    /// Takes one message of a client. Every request gets exactly one answer in `sink`, now or later.
    pub fn accept(&self, session: &Arc<Session>, message: &Message<'_>, sink: &Sink) {
        match message {
            Message::Request { id, method, params } => {
                self.request(session, id.get(), method, *params, sink);
            }
            Message::Notification { method, params } => {
                self.notification(session, method, params.map(RawValue::get))
            }
            Message::Response { id, outcome } => ask::answered(&self.core, session, id.get(), *outcome),
        }
    }

    /// Takes a batch of a client, which one revision has. `None` when no array of answers arrives in `sink`, else what gathers
    /// them, which is gone when it has.
    ///
    /// # Errors
    /// [`Malformed`] for what is no batch, and for every batch of a client of another revision.
    pub fn accept_batch(
        &self,
        session: &Arc<Session>,
        bytes: &[u8],
        depth: usize,
        sink: &Sink,
    ) -> Result<Option<Weak<Gathering>>, Malformed> {
        batch::each(session, bytes, depth, sink, |message, sink| match message {
            Ok(message) => self.accept(session, &message, sink),
            Err(malformed) => self.refuse(&malformed, sink),
        })
    }

    /// Answers a message that could not be read.
    pub fn refuse(&self, malformed: &Malformed, sink: &Sink) {
        let failure = Failure::malformed(malformed);
        exchange::send_failure(malformed.id.as_deref().unwrap_or("null"), &failure, sink);
    }

    /// Ends one call because its client is gone or no longer wants it.
    pub fn cancel(&self, session: &Arc<Session>, id: &str, reason: &str) {
        self.core.cancel(session, id, reason);
    }

    fn request(
        &self,
        session: &Arc<Session>,
        id: &str,
        method: &str,
        params: Option<&RawValue>,
        sink: &Sink,
    ) {
        if self.core.standing.is_ending() {
            return exchange::send_failure(id, &Failure::shutting_down(), sink);
        }
        let incoming = match Incoming::read(method, params) {
            Ok(incoming) => incoming,
            Err(failure) => return exchange::send_failure(id, &failure, sink),
        };
        let exchange = match Exchange::open(session, id, incoming.era(), sink) {
            Ok(exchange) => exchange,
            Err(failure) => {
                self.core.limited(session.caller(), &incoming, &failure);
                return exchange::send_failure(id, &failure, sink);
            }
        };
        if let Err(failure) = incoming.check_modern() {
            return exchange.fail(&failure);
        }
        if let Some(presence) = session.presence() {
            presence.asks(incoming.modern.is_some().then_some(|| incoming.client()));
        }
        self.core.around.metrics.calls.up();
        match login::back(&incoming) {
            Some(back) => self.after_login(method, back, exchange),
            None => self.dispatch(&incoming, exchange, false),
        }
    }

    /// From method to family. `waited` says that missing lists were waited for already.
    fn dispatch(&self, incoming: &Incoming<'_>, exchange: Exchange, waited: bool) {
        let snapshot = self.core.current();
        if let Err(failure) = permission::check(&snapshot, incoming) {
            return exchange.fail(&failure);
        }
        let Some(exchange) = audit::begin(&snapshot, incoming, exchange) else { return };
        let relayed = match (incoming.method, incoming.era()) {
            ("tools/call", _) => tools::call(&self.core, &snapshot, incoming, exchange),
            ("prompts/get", _) => prompts::get(&snapshot, incoming, exchange),
            ("resources/read", _) => resources::read(&snapshot, incoming, exchange),
            ("completion/complete", _) => complete::complete(&snapshot, incoming, exchange),
            ("tasks/list", Era::Legacy) => return tasks::list::answer(&self.core, incoming, exchange),
            (method, _) if method.starts_with("tasks/") => tasks::dispatch(&snapshot, incoming, exchange),
            ("resources/subscribe", Era::Legacy) => {
                updates::subscribe(&self.core, &snapshot, incoming, exchange)
            }
            ("resources/unsubscribe", Era::Legacy) => {
                updates::unsubscribe(&self.core, &snapshot, incoming, exchange)
            }
            ("initialize", Era::Legacy) => {
                return greeting::initialize(&self.core, &snapshot, incoming, exchange);
            }
            ("server/discover", Era::Modern) => return greeting::discover(&snapshot, exchange),
            ("subscriptions/listen", Era::Modern) => {
                return subscribe::open(&self.core, &snapshot, incoming, exchange);
            }
            ("ping", Era::Legacy) => return exchange.result(b"{}"),
            ("logging/setLevel", Era::Legacy) => return logging::set_level(&self.core, incoming, exchange),
            (method, _) => match ListKind::ALL.into_iter().find(|kind| kind.method() == method) {
                Some(kind) => return self.list(&snapshot, kind, incoming, exchange, waited),
                None => return exchange.fail(&Failure::unknown_method(method)),
            },
        };
        match relayed {
            Err(lost) if lost.may_come && !waited && lists::is_worth_waiting(&snapshot, false) => {
                self.wait_and_retry(incoming, lost.exchange, None);
            }
            Err(lost) => login::refuse(&snapshot, self.metrics(), incoming, *lost),
            Ok(()) => {}
        }
    }

    fn list(
        &self,
        snapshot: &Snapshot,
        kind: ListKind,
        incoming: &Incoming<'_>,
        exchange: Exchange,
        waited: bool,
    ) {
        if !waited && lists::is_worth_waiting(snapshot, true) {
            return self.wait_and_retry(incoming, exchange, Some(kind));
        }
        lists::answer(snapshot, kind, incoming, exchange);
    }

    /// Lists are missing that this request needs: they are read first. `listed` is what it lists.
    fn wait_and_retry(&self, incoming: &Incoming<'_>, exchange: Exchange, listed: Option<ListKind>) {
        let (gateway, snapshot) = (self.clone(), self.core.current());
        let (core, params) = (Arc::clone(&self.core), incoming.params.raw().to_owned());
        let wait = async move {
            lists::wait(&snapshot, listed.is_some()).await;
            core.rebuild();
        };
        let request = (incoming.method, params);
        later::take_up(&self.core.tasks, request, exchange, wait, move |incoming, exchange| {
            if let Some(kind) = listed {
                // What was waited for is in this answer: nobody needs to be told of it once more.
                let now = gateway.core.current().generations_of(exchange.session().caller());
                exchange.session().note_list(kind, now);
            }
            gateway.dispatch(incoming, exchange, true);
        });
    }

    /// A client that was sent to log in makes its request again.
    fn after_login(&self, method: &str, back: Back, exchange: Exchange) {
        let page = self.core.connector().offered_login(&back.id, exchange.session().caller());
        if let Some(failure) = back.refusal(page.as_ref()) {
            return exchange.fail(&failure);
        }
        let (session, id) = (Arc::clone(exchange.session()), exchange.id().into());
        let (gateway, wait) = (self.clone(), login::wait(Arc::clone(&self.core), session, id, page));
        later::take_up(&self.core.tasks, (method, back.params), exchange, wait, move |incoming, exchange| {
            gateway.dispatch(incoming, exchange, false);
        });
    }

    fn notification(&self, session: &Arc<Session>, method: &str, params: Option<&str>) {
        match method {
            "notifications/initialized" => session.mark_initialized(),
            "notifications/roots/list_changed" => isolation::roots_changed(&self.core, session, params),
            "notifications/cancelled" => {
                if let Some((id, reason)) = params.and_then(incoming::cancelled) {
                    self.cancel(session, id, &reason);
                }
            }
            // Unknown notifications are ignored, as the protocol asks.
            _ => {}
        }
    }
}
