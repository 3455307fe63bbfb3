//! One client: what it told us about itself, what it has in flight, and the way to it.
//!
//! A stdio client and a legacy HTTP session live long; a modern HTTP request gets a session of its own.

pub mod passed;
pub mod presence;
pub mod reply;

use crate::auth::caller::Caller;
use crate::catalog::lists::ListKind;
use crate::downstream::handle::ServerHandle;
use crate::gateway::load::Load;
use crate::gateway::pages::Pages;
use crate::gateway::reply::Failure;
use crate::gateway::session::passed::Passed;
use crate::gateway::session::presence::Presence;
use crate::gateway::session::reply::OVER;
use crate::gateway::session::reply::Reply;
use crate::gateway::session::reply::TakesReply;
use crate::gateway::session::reply::question_id;
use crate::gateway::session::reply::take_because_of;
use crate::gateway::severity::LEVELS;
use crate::gateway::severity::LeastLevel;
use crate::gateway::severity::severity;
use crate::gateway::snapshot::Generations;
use crate::gateway::written::write_notification;
use crate::name::ServerName;
use crate::protocol::input::Wanted;
use crate::protocol::legacy::ClientInfo;
use crate::wire::mailbox::Kind;
use crate::wire::pending::Owner;
use crate::wire::pending::Question;
use crate::wire::sink::Sink;
use std::collections::HashMap;
use std::collections::HashSet;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::OnceLock;
use std::sync::PoisonError;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::time::Instant;

/// Keys of sessions are never used twice in one process.
static NEXT_KEY: AtomicU64 = AtomicU64::new(1);

/// The call that a question is because of when it is none's in particular.
pub(super) const NO_CALL: &str = "";

/// One client.
#[derive(Debug)]
pub struct Session {
    key: Owner,
    caller: Caller,
    in_flight_limit: usize,
    /// What its requests count towards besides.
    load: Arc<Load>,
    /// Of a client that stays.
    presence: Option<Box<Presence>>,
    /// What it declared in `initialize` and can be relayed, as JSON text.
    relayable: OnceLock<Box<str>>,
    /// What is passed on of the headers of its client.
    pub passed: Passed,
    /// Every call of a legacy client looks at it.
    log_level: LeastLevel,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    initialized: bool,
    version: Option<&'static str>,
    client: Option<ClientInfo>,
    in_flight: HashMap<Box<str>, Option<ServerHandle>>,
    /// Requests that wait for lists and that the client cancelled meanwhile.
    given_up: HashSet<Box<str>>,
    push: Option<Sink>,
    /// Questions of servers that the client has not answered yet, by the id we gave them (JSON text).
    asked: HashMap<Box<str>, Reply>,
    next_question: u64,
    /// Pages to open that are not known to be done.
    pages: Pages,
    seen: Generations,
    closed: bool,
}

impl Session {
    /// A session of `caller` with at most `in_flight_limit` requests at once, which count towards `load`.
    #[must_use]
    pub fn new(caller: Caller, in_flight_limit: usize, load: Arc<Load>) -> Self {
        Self { presence: Some(Box::default()), ..Self::lone(caller, in_flight_limit, load) }
    }

    /// A session for one request of `caller`.
    #[must_use]
    pub fn lone(caller: Caller, in_flight_limit: usize, load: Arc<Load>) -> Self {
        let key = NEXT_KEY.fetch_add(1, Ordering::Relaxed);
        let (relayable, passed, log_level, state) = Default::default();
        Self { key, caller, in_flight_limit, load, presence: None, relayable, passed, log_level, state }
    }

    /// True for a session that is made for one request.
    #[must_use]
    pub fn is_lone(&self) -> bool {
        self.presence.is_none()
    }

    /// How its client came; `None` for a session that is made for one request.
    #[must_use]
    pub fn presence(&self) -> Option<&Presence> {
        self.presence.as_deref()
    }

    /// Its number, unique in this process.
    #[must_use]
    pub fn key(&self) -> Owner {
        self.key
    }

    /// Who is behind it.
    #[must_use]
    pub fn caller(&self) -> &Caller {
        &self.caller
    }

    /// Notes what the client said in `initialize`, and what can be relayed of what it declared, as JSON text.
    pub fn introduce(&self, version: &'static str, client: Option<ClientInfo>, relayable: String) {
        let _ = self.relayable.set(relayable.into());
        let mut state = self.lock();
        state.version = Some(version);
        state.client = client;
    }

    /// The revision agreed on in `initialize`; `None` before it.
    #[must_use]
    pub fn version(&self) -> Option<&'static str> {
        self.lock().version
    }

    /// Name and version of the client, for people.
    #[must_use]
    pub fn client(&self) -> Option<ClientInfo> {
        self.lock().client.clone()
    }

    /// What a legacy client declared ∩ what can be relayed, as JSON text; `{}` before `initialize`.
    #[must_use]
    pub fn relayable(&self) -> &str {
        self.relayable.get().map_or("{}", |relayable| relayable)
    }

    /// True when a legacy client declared in `initialize` that it can answer this.
    #[must_use]
    pub fn can_answer(&self, wanted: Wanted) -> bool {
        wanted.is_declared(self.relayable())
    }

    /// The client has sent `notifications/initialized`: it may be told things now.
    pub fn mark_initialized(&self) {
        self.lock().initialized = true;
    }

    /// True once it has.
    #[must_use]
    pub fn is_initialized(&self) -> bool {
        self.lock().initialized
    }

    /// Sets the least severity wanted. `false` for a level that does not exist.
    pub fn set_log_level(&self, level: &str) -> bool {
        self.log_level.set(level)
    }

    /// The least severity wanted, as a number; `None` before `logging/setLevel`.
    pub(super) fn log_level(&self) -> Option<usize> {
        self.log_level.get()
    }

    /// The same by name.
    pub(super) fn log_level_name(&self) -> Option<&'static str> {
        self.log_level().map(|place| LEVELS[place])
    }

    /// True when a log message of `level` is wanted. Without `logging/setLevel` everything is (2025-11-25).
    #[must_use]
    pub fn wants_log(&self, level: &str) -> bool {
        severity(level) >= self.log_level().unwrap_or(0)
    }

    /// Sets where messages go that belong to no request. The one before is no longer used.
    pub fn attach(&self, sink: Sink) {
        self.lock().push = Some(sink);
    }

    /// Sends a message that belongs to no request. `false` when there is no way to the client.
    pub fn push(&self, write: impl FnOnce(&mut Vec<u8>)) -> bool {
        let sink = self.lock().push.clone();
        sink.is_some_and(|sink| sink.send(Kind::Notice, write).is_ok())
    }

    /// Sends a notification that belongs to no request, once the client is initialized.
    pub fn notify(&self, method: &str, params: Option<&str>) -> bool {
        let state = self.lock();
        let (ready, sink) = (state.initialized, state.push.clone());
        drop(state);
        let Some(sink) = sink.filter(|_| ready) else { return false };
        if method == "notifications/message" && sink.is_behind() {
            self.skipped_log();
            return true;
        }
        sink.send(Kind::Notice, |out| write_notification(out, method, params)).is_ok()
    }

    /// A log message was not sent, because the client is slow to read.
    pub(super) fn skipped_log(&self) {
        self.load.skipped_notice();
    }

    /// Its client does not read: it is cut off with so many bytes waiting.
    pub fn cut_off(&self, waiting_bytes: usize) {
        self.load.cut_off(self.presence().map_or("http", Presence::transport), waiting_bytes);
    }

    /// Which lists the client has been told of up to here; `false` for those it knows already.
    pub(super) fn note_lists(&self, now: Generations) -> [bool; 3] {
        let mut state = self.lock();
        let before = std::mem::replace(&mut state.seen, now);
        before.differs(now)
    }

    /// As [`Session::note_lists`], for one list alone.
    pub(super) fn note_list(&self, kind: ListKind, mut now: Generations) {
        *self.lock().seen.of_mut(kind) = *now.of_mut(kind);
    }

    /// Registers a question for the client, because of its request `call`. Its id as JSON text; `None` when the client
    /// cannot be asked this.
    pub(super) fn expect_reply(
        &self,
        call: &str,
        wanted: Wanted,
        question: &Question<'_>,
    ) -> Option<Box<str>> {
        if !self.can_answer(wanted) {
            return None;
        }
        let mut state = self.lock();
        if state.closed || state.asked.len() >= self.in_flight_limit {
            return None;
        }
        state.next_question += 1;
        let id = question_id(self.presence().map_or(0, Presence::before), state.next_question);
        let (call, asked_as) = (call.into(), question.id.into());
        let reply = Reply { call, asked_as, since: Instant::now(), take: Arc::clone(&question.reply) };
        state.asked.insert(id.clone(), reply);
        Some(id)
    }

    /// The way to answer the question `id`; once.
    pub(super) fn take_reply(&self, id: &str) -> Option<TakesReply> {
        self.lock().asked.remove(id).map(|reply| reply.take)
    }

    /// True once it has ended.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.lock().closed
    }

    /// Registers a request. The front sends the failure if it is refused.
    pub(super) fn admit(&self, id: &str) -> Result<(), Failure> {
        let mut state = self.lock();
        if state.closed {
            return Err(Failure::shutting_down());
        }
        if state.in_flight.len() >= self.in_flight_limit {
            return Err(Failure::too_many(self.in_flight_limit));
        }
        if state.in_flight.contains_key(id) {
            return Err(Failure::duplicate_id(id));
        }
        self.load.enter()?;
        state.in_flight.insert(id.into(), None);
        Ok(())
    }

    /// Notes which server a request went to, for its cancellation.
    pub(super) fn bind(&self, id: &str, handle: &ServerHandle) {
        if let Some(bound) = self.lock().in_flight.get_mut(id) {
            *bound = Some(handle.clone());
        }
    }

    /// The client no longer wants the answer to a request. Which server it went to; one that went to none yet will not.
    pub(super) fn give_up(&self, id: &str) -> Option<ServerHandle> {
        let mut state = self.lock();
        let bound = state.in_flight.get(id)?.clone();
        if bound.is_none() {
            state.given_up.insert(id.into());
        }
        bound
    }

    /// True when nobody wants the answer to the request `id` any more.
    pub(super) fn has_given_up(&self, id: &str) -> bool {
        self.lock().given_up.contains(id)
    }

    /// Forgets the question that a server asked as `id` because of the request `call`; our id of it.
    pub(super) fn retract(&self, call: &str, id: &str) -> Option<Box<str>> {
        let mut state = self.lock();
        let fits = |reply: &Reply| *reply.call == *call && *reply.asked_as == *id && !id.is_empty();
        let found =
            state.asked.iter().find(|(_, reply)| fits(reply)).map(|(question, _)| question.clone())?;
        state.asked.remove(&found);
        Some(found)
    }

    /// Notes that the client was told by `server` to open a page, so that it hears when that is done. `page` is the params
    /// of the question, as JSON text.
    pub(super) fn note_page(&self, server: &ServerName, page: &str) {
        self.lock().pages.note(server, page);
    }

    /// True when the client was told by `server` to open the page of this elicitation (JSON text); once.
    pub(super) fn take_page(&self, server: &ServerName, elicitation: &str) -> bool {
        self.lock().pages.take(server, elicitation)
    }

    /// True while the client has not answered a question because of its request `call`, for at most `longest`.
    pub(super) fn is_asked(&self, call: &str, longest: Duration) -> bool {
        self.lock().asked.values().any(|reply| *reply.call == *call && reply.since.elapsed() < longest)
    }

    /// The client gave its request `call` up while it was asked because of it. Who waits for the answers is told; the
    /// questions themselves are over with the request.
    pub(super) fn withdraw(&self, call: &str) {
        let mut state = self.lock();
        if !state.in_flight.contains_key(call) {
            return;
        }
        state.given_up.insert(call.into());
        let open = state.asked.values().filter(|reply| *reply.call == *call);
        let open: Vec<TakesReply> = open.map(|reply| Arc::clone(&reply.take)).collect();
        drop(state);
        open.iter().for_each(|take| take(OVER));
    }

    /// The request is over. The ids of questions that came because of it and were not answered.
    pub(super) fn settle(&self, id: &str) -> Vec<Box<str>> {
        let mut state = self.lock();
        if state.in_flight.remove(id).is_some() {
            self.load.leave();
        }
        if !state.given_up.is_empty() {
            state.given_up.remove(id);
        }
        if state.asked.is_empty() {
            return Vec::new();
        }
        let over = take_because_of(&mut state.asked, id);
        drop(state);
        over.iter().for_each(|(_, reply)| (reply.take)(OVER));
        over.into_iter().map(|(question, _)| question).collect()
    }

    /// Ids of requests that are not answered, and of questions that the client has not answered, as JSON text.
    #[must_use]
    pub fn unsettled(&self) -> [Vec<String>; 2] {
        let state = self.lock();
        let requests = state.in_flight.keys().map(ToString::to_string).collect();
        [requests, state.asked.keys().map(ToString::to_string).collect()]
    }

    /// Requests in flight.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.lock().in_flight.len()
    }

    /// Accepts no more requests; ids in flight with their servers, to be cancelled.
    pub(super) fn close(&self) -> Vec<(Box<str>, ServerHandle)> {
        let mut state = self.lock();
        state.closed = true;
        state.push = None;
        let unanswered = std::mem::take(&mut state.asked);
        drop(state);
        unanswered
            .into_values()
            .for_each(|reply| (reply.take)(r#""error":{"code":-32603,"message":"the client left"}"#));
        let state = self.lock();
        state.in_flight.iter().filter_map(|(id, bound)| Some((id.clone(), bound.clone()?))).collect()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
