//! One request, from its POST to its answer, and everything heard on the way.
//!
//! It owns no task: who runs these futures, and who ends them, is `link.rs`.

use crate::downstream::breaker::Breaker;
use crate::downstream::http::endpoint::Endpoint;
use crate::downstream::http::era;
use crate::downstream::http::failure::Failure;
use crate::downstream::http::mark;
use crate::downstream::http::mark::Marks;
use crate::downstream::http::parcel::Asked;
use crate::downstream::http::parcel::Parcel;
use crate::downstream::http::reply;
use crate::downstream::http::reply::Broken;
use crate::downstream::http::reply::Refusal;
use crate::downstream::http::reply::Reply;
use crate::downstream::http::response::Response;
use crate::downstream::http::resume::Resumption;
use crate::downstream::http::session::Renewed;
use crate::downstream::http::session::Session;
use crate::downstream::http::session::Stamp;
use crate::downstream::http::stale;
use crate::downstream::http::stale::Stale;
use crate::downstream::http::trouble::Trouble;
use crate::downstream::link::Link;
use crate::downstream::link::Listener;
use crate::downstream::link::Source;
use crate::protocol::version::Era;
use crate::wire::members::Members;
use crate::wire::message::Message;
use crate::wire::message::Outcome;
use crate::wire::meta;
use crate::wire::pending::Answer;
use crate::wire::pending::Lost;
use crate::wire::pending::Pending;
use bytes::Bytes;
use serde_json::value::RawValue;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// So many failures of the network, one after the other, and the connection is taken for dead.
const FAILURES: u32 = 3;
const TOOLS_CHANGED: &str = "notifications/tools/list_changed";
/// How long a stream is still read after its answer, so that its connection can be used again.
const AFTERMATH: Duration = Duration::from_secs(1);

/// All that is shared by the requests to one server.
pub struct Talk {
    /// Where it is.
    pub endpoint: Endpoint,
    /// The era spoken with it.
    pub era: Era,
    /// Its session, when it is a legacy one.
    pub session: Option<Session>,
    /// Its calls in flight.
    pub pending: Pending,
    /// Who hears what it says unasked.
    pub listener: Arc<dyn Listener>,
    /// What the server is told that its client can do, when its session is opened again.
    pub declared: Arc<str>,
    /// Longest time for opening a session again.
    pub patience: Duration,
    /// How it ended, once it has.
    pub ended: watch::Sender<Option<Arc<str>>>,
    /// Hears of calls that failed on the way.
    pub breaker: Arc<Breaker>,
    /// Failures of the network since the last answer.
    pub failures: AtomicU32,
}

/// What a message was.
pub enum Heard {
    /// The answer that was waited for.
    Answer,
    /// Something else; the answer may still come.
    Other,
    /// Nothing that can be read; the answer may still come. What is wrong, going on after the name of the server.
    Odd(String),
    /// The answer to something that was not asked here.
    Foreign(String),
}

impl Talk {
    /// Makes one call; its waiter gets exactly one answer unless somebody else took it meanwhile.
    pub async fn call(&self, link: &Arc<dyn Link>, asked: Asked, parcel: Box<Parcel>) {
        let (lost, failed) = match self.exchange(link, asked, parcel).await {
            Ok(()) => return,
            Err(Trouble::Lost(lost)) => (lost, None),
            Err(Trouble::Failing(lost)) => {
                self.breaker
                    .failed(self.pending.answered(), "broke off its answer or refused with an HTTP 5xx");
                (lost, None)
            }
            Err(Trouble::Network(failure)) => {
                let why = failure.why.as_str();
                let lost = match failure.sent {
                    true => Lost::Closed(format!("broke the connection before it answered: {why}").into()),
                    false => Lost::NotSent(format!("it cannot be reached: {why}").into()),
                };
                self.breaker.failed(self.pending.answered(), "could not be reached");
                (lost, Some(failure))
            }
        };
        self.give_up(asked.id, lost);
        if let Some(failure) = failed {
            self.failed(&failure);
        }
    }

    /// Ends the call `id` without an answer of the server.
    pub fn give_up(&self, id: u64, lost: Lost) {
        if let Some(waiter) = self.pending.take(id) {
            waiter.answer(Answer::Lost(lost));
        }
    }

    /// Sends what wants no answer.
    pub async fn tell(&self, parcel: Box<Parcel>) {
        let marks = match &self.session {
            Some(session) => mark::legacy(&session.stamp()),
            None => mark::modern(&parcel.method, parcel.target.as_deref(), &parcel.params),
        };
        let server = &self.endpoint.server;
        match self.post(marks, &parcel.body).await {
            Ok(response) if response.status.is_success() => {}
            Ok(response) => {
                let status = response.status.as_u16();
                tracing::debug!(%server, method = parcel.method, status, "a notification was refused");
            }
            Err(failure) => {
                tracing::debug!(%server, method = parcel.method, why = failure.why, "a notification was not sent");
                self.failed(&failure);
            }
        }
    }

    /// Opens a new session in place of `seen`, once for everybody, and says that every list may have changed.
    ///
    /// # Errors
    /// When that fails the connection has ended.
    pub async fn renew(&self, link: &Arc<dyn Link>, session: &Session, seen: u64) -> Result<Stamp, Trouble> {
        let open = || async {
            let met =
                tokio::time::timeout(self.patience, era::initialize(&self.endpoint, &self.declared)).await;
            let met = met.map_err(|_| "it gave no answer to `initialize`".to_owned())?;
            met.map_err(|error| error.to_string())?.stamp.ok_or_else(|| "it opened no session".to_owned())
        };
        match session.renew(seen, open).await {
            Ok(Renewed::Here) => {
                tracing::debug!(server = %self.endpoint.server, "the session was lost and opened again");
                for list in ["tools", "prompts", "resources"] {
                    let method = format!("notifications/{list}/list_changed");
                    self.listener.notification(self.source(link, None), &method, None);
                }
            }
            Ok(Renewed::Elsewhere) => {}
            Err(why) => {
                let why = Arc::from(format!("lost its session, which cannot be opened again: {why}"));
                self.end(&why);
                return Err(Trouble::Lost(Lost::Closed(why)));
            }
        }
        Ok(session.stamp())
    }

    /// Takes in one message of the server. `asked` is the call whose response it came in.
    pub fn hear(&self, link: &Arc<dyn Link>, asked: Option<Asked>, text: &mut Vec<u8>) -> Heard {
        let call = asked.filter(|asked| asked.owner != 0).map(|asked| asked.id);
        match reply::read(text, self.endpoint.limits.depth) {
            Ok(Message::Response { id, outcome }) => self.hear_answer(asked, id, outcome),
            Ok(Message::Notification { method, params }) => {
                match (&*method, params) {
                    ("notifications/progress", Some(params)) => self.hear_progress(params),
                    _ => self.listener.notification(self.source(link, call), &method, params),
                }
                Heard::Other
            }
            Ok(Message::Request { id, method, params }) => {
                match (&*method, self.era) {
                    ("ping", _) => link.respond(id, r#""result":{}"#),
                    (_, Era::Legacy) => {
                        let source = self.source(link, call);
                        self.listener.request(source, Arc::clone(link), id, &method, params);
                    }
                    (_, Era::Modern) => {
                        let server = &self.endpoint.server;
                        tracing::debug!(%server, %method, "a request that a modern server must not send");
                    }
                }
                Heard::Other
            }
            Err(malformed) => Heard::Odd(malformed.text),
        }
    }

    /// Counts a failure of the network; the third in a row ends the connection.
    pub fn failed(&self, failure: &Failure) {
        if self.failures.fetch_add(1, Ordering::Relaxed) + 1 >= FAILURES {
            self.end(&Arc::from(format!("cannot be reached: {}", failure.why)));
        }
    }

    /// Something was answered, so the server is there.
    pub fn reached(&self) {
        self.failures.store(0, Ordering::Relaxed);
    }

    /// Ends the connection: who waits is told, and so is its owner.
    pub fn end(&self, why: &Arc<str>) {
        for waiter in self.pending.close(why) {
            waiter.answer(Answer::Lost(Lost::Closed(Arc::clone(why))));
        }
        self.ended.send_if_modified(|ended| {
            let first = ended.is_none();
            ended.get_or_insert_with(|| Arc::clone(why));
            first
        });
    }

    async fn exchange(&self, link: &Arc<dyn Link>, asked: Asked, parcel: Box<Parcel>) -> Result<(), Trouble> {
        let reply = match self.send(link, asked, &parcel).await? {
            // What is rare has a place of its own, so that a call takes little.
            Reply::Refused(refusal) => Box::pin(self.doubted(link, asked, &parcel, refusal)).await?,
            reply => reply,
        };
        // From here on the server has the request, and nothing of it waits.
        drop(parcel);
        let mut messages = match reply {
            Reply::Messages(messages) => messages,
            Reply::Refused(refusal) => return self.refused(asked, refusal),
            Reply::Strange(why) => return Err(Trouble::unreadable(why)),
            Reply::Nothing(status) => {
                return Err(Trouble::unreadable(format!(
                    "answered HTTP {} without an answer",
                    status.as_u16()
                )));
            }
        };
        let (mut until, mut odd, mut resumption) = (None, None, Resumption::default());
        loop {
            let next = match until {
                None => messages.next().await,
                Some(until) => tokio::time::timeout_at(until, messages.next()).await.unwrap_or(Ok(None)),
            };
            let mut text = match next {
                Ok(Some(text)) => text,
                _ if until.is_some() => return Ok(()),
                Err(Broken::TooLong(why)) => return Err(Trouble::unreadable(why)),
                end => match Box::pin(resumption.go_on(self, &messages))
                    .await
                    .map_err(|why| Trouble::closed(&why))?
                {
                    Some(more) => {
                        messages = more;
                        continue;
                    }
                    None => return Err(Trouble::broken_off(end.err(), odd)),
                },
            };
            match self.hear(link, Some(asked), &mut text) {
                Heard::Answer if !messages.are_events() => return Ok(()),
                Heard::Answer => until = Some(Instant::now() + AFTERMATH),
                Heard::Other => {}
                Heard::Foreign(why) => return Err(Trouble::unreadable(why)),
                Heard::Odd(why) => {
                    match reply::stray_error(&mut text, asked.id, self.endpoint.limits.depth) {
                        Some(error) if until.is_none() => return self.answer_error(asked, error),
                        _ => odd = Some(why),
                    }
                }
            }
        }
    }

    /// Sends a request. One that met a lost session was not looked at, and is sent once more in a new one.
    async fn send(&self, link: &Arc<dyn Link>, asked: Asked, parcel: &Parcel) -> Result<Reply, Trouble> {
        let Some(session) = &self.session else {
            let marks = mark::modern(&parcel.method, parcel.target.as_deref(), &parcel.params);
            return self.post_call(marks, parcel).await;
        };
        let stamp = session.stamp();
        match self.post_call(mark::legacy(&stamp), parcel).await? {
            Reply::Refused(refusal) if stamp.id.is_some() => {
                Box::pin(self.send_in_new_session(link, asked, parcel, session, stamp, refusal)).await
            }
            reply => Ok(reply),
        }
    }

    async fn send_in_new_session(
        &self,
        link: &Arc<dyn Link>,
        asked: Asked,
        parcel: &Parcel,
        session: &Session,
        stamp: Stamp,
        mut refusal: Refusal,
    ) -> Result<Reply, Trouble> {
        if !refusal.ends_session(asked.id, self.endpoint.limits.depth) {
            return Ok(Reply::Refused(refusal));
        }
        let stamp = self.renew(link, session, stamp.generation).await?;
        self.post_call(mark::legacy(&stamp), parcel).await
    }

    /// Looks whether a refusal comes from something outdated here. A call that was refused for the headers of a changed
    /// tool is sent once more; a server that speaks the other era now ends the connection, for the next call to find out.
    async fn doubted(
        &self,
        link: &Arc<dyn Link>,
        asked: Asked,
        parcel: &Parcel,
        mut refusal: Refusal,
    ) -> Result<Reply, Trouble> {
        let limits = self.endpoint.limits;
        match stale::doubt(self.era, &parcel.method, asked.id, &mut refusal, limits.depth) {
            Some(Stale::Schema) => {
                self.listener.notification(self.source(link, None), TOOLS_CHANGED, None);
                let Some(params) = stale::restated(&self.endpoint, parcel).await else {
                    return Ok(Reply::Refused(refusal));
                };
                let marks = mark::modern(&parcel.method, parcel.target.as_deref(), &params);
                self.post_call(marks, parcel).await
            }
            Some(Stale::Era) if self.era == Era::Legacy || !era::is_still_modern(&self.endpoint).await => {
                let why = "speaks another revision of the protocol now; it did not take the call, call again";
                self.give_up(asked.id, Lost::NotSent(format!("it {why}").into()));
                self.end(&Arc::from("speaks another revision of the protocol now"));
                Ok(Reply::Refused(refusal))
            }
            _ => Ok(Reply::Refused(refusal)),
        }
    }

    async fn post_call(&self, marks: Marks, parcel: &Parcel) -> Result<Reply, Trouble> {
        let response = self.post(marks, &parcel.body).await.map_err(Trouble::Network)?;
        Ok(Reply::of(response, self.endpoint.limits.message_bytes).await)
    }

    async fn post(&self, marks: Marks, body: &Bytes) -> Result<Response, Failure> {
        let response = self.endpoint.post(marks, body).await?;
        self.reached();
        Ok(response)
    }

    fn refused(&self, asked: Asked, mut refusal: Refusal) -> Result<(), Trouble> {
        if let Some(lack) = self.endpoint.lack(&refusal) {
            return Err(Trouble::Lost(lack.lost()));
        }
        let decisive =
            refusal.status.is_client_error() && !refusal.may_pass() && !refusal.wants_credentials();
        let (text, failing) = (refusal.text(), refusal.status.is_server_error());
        match refusal.error(asked.id, self.endpoint.limits.depth).filter(|_| decisive) {
            Some(error) => self.answer_error(asked, error),
            None if failing => Err(Trouble::Failing(Lost::Unreadable(text.into()))),
            None => Err(Trouble::unreadable(text)),
        }
    }

    fn answer_error(&self, asked: Asked, error: &str) -> Result<(), Trouble> {
        let raw: &RawValue =
            serde_json::from_str(error).map_err(|_| Trouble::closed("gave an error that is no JSON"))?;
        if let Some(waiter) = self.pending.take_answered(asked.id) {
            waiter.answer(Answer::Outcome(Outcome::Error(raw)));
        }
        Ok(())
    }

    fn hear_answer(&self, asked: Option<Asked>, id: &RawValue, outcome: Outcome<'_>) -> Heard {
        let seen = id.get().parse::<u64>().ok();
        if let Some(asked) = asked
            && seen != Some(asked.id)
        {
            let (seen, asked) = (reply::shown(id.get()), asked.id);
            return Heard::Foreign(format!("answered to the id {seen} instead of {asked}"));
        }
        if let Some(waiter) = seen.and_then(|id| self.pending.take_answered(id)) {
            waiter.answer(Answer::Outcome(outcome));
        }
        Heard::Answer
    }

    fn hear_progress(&self, params: &RawValue) {
        let token = Members::parse(params.get()).ok().and_then(|members| members.get(meta::PROGRESS_TOKEN));
        if let Some(id) = token.and_then(|token| token.get().parse().ok()) {
            self.pending.progress(id, params.get());
        }
    }

    fn source<'a>(&'a self, link: &'a Arc<dyn Link>, call: Option<u64>) -> Source<'a> {
        Source { server: &self.endpoint.server, link: &**link, call, whose: None }
    }
}
