//! One accepted request of a client, which gets exactly one answer.
//!
//! Whoever holds it owes the answer; dropping it unanswered answers with an internal error, so that no path can forget.

use crate::gateway::audit::Entry;
use crate::gateway::reply::Failure;
use crate::gateway::session::NO_CALL;
use crate::gateway::session::Session;
use crate::gateway::severity::severity;
use crate::gateway::tasks::tracked::Tracked;
use crate::gateway::written::write_notification;
use crate::gateway::written::write_request;
use crate::policy::Present;
use crate::protocol::input::Wanted;
use crate::protocol::version::Era;
use crate::secret::hex::hex;
use crate::telemetry::event;
use crate::wire::mailbox::Kind;
use crate::wire::members::Edit;
use crate::wire::members::Members;
use crate::wire::members::write_object;
use crate::wire::message::read_text;
use crate::wire::pending::Question;
use crate::wire::sink::Sink;
use std::sync::Arc;
use std::time::Duration;

/// A request and the way back to who asked.
#[derive(Debug)]
pub struct Exchange {
    session: Arc<Session>,
    id: Box<str>,
    era: Era,
    sink: Sink,
    progress_token: Option<Box<str>>,
    log_level: Option<Box<str>>,
    /// Should its server want a login, a page for that may be offered, under these rules.
    login: Option<Arc<Present>>,
    /// For a request that may begin a task or is about one.
    tracked: Option<Box<Tracked>>,
    /// What is written down of it when it ends.
    entry: Option<Box<Entry>>,
    settled: bool,
}

impl Exchange {
    /// Registers the request `id` (JSON text) with its session.
    ///
    /// # Errors
    /// The failure to send when it is refused.
    pub fn open(session: &Arc<Session>, id: &str, era: Era, sink: &Sink) -> Result<Self, Failure> {
        session.admit(id)?;
        Ok(Self {
            session: Arc::clone(session),
            id: id.into(),
            era,
            sink: sink.clone(),
            progress_token: None,
            log_level: None,
            login: None,
            tracked: None,
            entry: None,
            settled: false,
        })
    }

    /// With the client's progress token (JSON text) and wanted log level.
    pub fn listens(&mut self, progress_token: Option<&str>, log_level: Option<&str>) {
        self.progress_token = progress_token.map(Into::into);
        self.log_level = log_level.map(Into::into);
    }

    /// A login may be offered because of it, to whom the rules of the moment allow it.
    pub(super) fn may_log_in(&mut self, rules: &Arc<Present>) {
        self.login = Some(Arc::clone(rules));
    }

    /// The rules under which that is so; `None` when it is not.
    pub(super) fn login_terms(&self) -> Option<&Present> {
        self.login.as_deref()
    }

    /// Has it written down when it ends.
    pub(super) fn write_down(&mut self, entry: Box<Entry>) {
        self.entry = Some(entry);
    }

    /// What is written down of it.
    pub(super) fn entry(&self) -> Option<&Entry> {
        self.entry.as_deref()
    }

    /// The same, to be filled in.
    pub(super) fn entry_mut(&mut self) -> Option<&mut Entry> {
        self.entry.as_deref_mut()
    }

    /// Looks for a task in its answer.
    pub(super) fn track(&mut self, tracked: Box<Tracked>) {
        self.tracked = Some(tracked);
    }

    /// What it has to do with tasks.
    pub(super) fn tracked(&self) -> Option<&Tracked> {
        self.tracked.as_deref()
    }

    /// True when the client gave a progress token.
    #[must_use]
    pub fn wants_progress(&self) -> bool {
        self.progress_token.is_some()
    }

    /// Passes a question of the server on to the client, on the way of this request. `false` when the client did not
    /// declare that it can answer.
    #[must_use]
    pub fn ask(&self, question: &Question<'_>) -> bool {
        let wanted = Wanted::of(question.method, question.params);
        // A legacy server asks for folders once, for its connection: the question outlives the call on whose way it is
        // sent. A modern one asks in the result of a call, which has no id of its own.
        let outlives = wanted == Some(Wanted::Roots) && !question.id.is_empty();
        let call = if outlives { NO_CALL } else { &*self.id };
        let Some(id) = wanted.and_then(|wanted| self.session.expect_reply(call, wanted, question)) else {
            return false;
        };
        let sent = self.sink.send(Kind::Notice, |out| write_request(out, &id, question));
        if sent.is_err() {
            self.session.take_reply(&id);
        }
        sent.is_ok()
    }

    /// Whose request it is.
    #[must_use]
    pub fn session(&self) -> &Arc<Session> {
        &self.session
    }

    /// Its id, as JSON text.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The era it was asked in.
    #[must_use]
    pub fn era(&self) -> Era {
        self.era
    }

    /// Answers with a result (JSON text).
    pub fn result(self, raw: &[u8]) {
        self.settle(Kind::Result, br#","result":"#, raw);
    }

    /// Answers with an error of a server (JSON text).
    pub fn error(self, raw: &str) {
        let code = Members::parse(raw).ok();
        let code = code.and_then(|error| error.get("code").and_then(|code| code.get().parse().ok()));
        self.settle(Kind::Error(code.unwrap_or_default()), br#","error":"#, raw.as_bytes());
    }

    /// Answers with an error of our own.
    pub fn fail(self, failure: &Failure) {
        self.settle(Kind::Error(failure.code), br#","error":"#, failure.to_json().as_bytes());
    }

    /// Ends it without an answer: the client cancelled it and expects none.
    pub fn forget(mut self) {
        self.settled = true;
        self.withdraw();
        if let Some(entry) = self.entry.take() {
            entry.forgotten();
        }
        self.sink.forget();
    }

    /// Passes progress on, under the client's own token. `params` holds the token of the hop before.
    pub fn progress(&self, params: &str) {
        let Some(token) = &self.progress_token else { return };
        let Ok(members) = Members::parse(params) else { return };
        let _ = self.sink.send(Kind::Notice, |out| {
            out.extend_from_slice(br#"{"jsonrpc":"2.0","method":"notifications/progress","params":"#);
            let edit = |key: &str| match key {
                "progressToken" => Edit::Replace(token.as_bytes()),
                _ => Edit::Keep,
            };
            write_object(out, &members, edit, &[]);
            out.push(b'}');
        });
    }

    /// Sends a notification on the way of this request.
    pub fn notify(&self, method: &str, params: Option<&str>) {
        let _ = self.sink.send(Kind::Notice, |out| write_notification(out, method, params));
    }

    /// Sends a log message, or another notification, if the client wants it. A client that is slow to read goes without log
    /// messages; its answers wait for it.
    pub fn log(&self, method: &str, params: Option<&str>) {
        let Some(level) = params.and_then(log_level_of) else { return self.notify(method, params) };
        if !self.wants_log(&level) {
            return;
        }
        match self.sink.is_behind() {
            true => self.session.skipped_log(),
            false => self.notify(method, params),
        }
    }

    /// The server no longer wants the answer to its question `id` (JSON text): the client is told.
    pub fn retract(&self, id: &str) {
        if let Some(question) = self.session.retract(&self.id, id) {
            let params = format!(r#"{{"requestId":{question},"reason":"the server no longer asks"}}"#);
            self.notify("notifications/cancelled", Some(&params));
        }
    }

    /// True while the client has not answered a question that came because of this request, for at most `longest`.
    #[must_use]
    pub fn is_asked(&self, longest: Duration) -> bool {
        self.session.is_asked(&self.id, longest)
    }

    /// Whether a log message of `level` may go this way: a modern client asks for it with the request.
    #[must_use]
    pub fn wants_log(&self, level: &str) -> bool {
        match self.era {
            Era::Legacy => self.session.wants_log(level),
            Era::Modern => {
                self.log_level.as_deref().is_some_and(|wanted| severity(level) >= severity(wanted))
            }
        }
    }

    fn settle(mut self, kind: Kind, member: &[u8], raw: &[u8]) {
        self.settled = true;
        self.withdraw();
        if let Some(entry) = self.entry.take() {
            entry.answered(kind, raw);
        }
        let _ = self.sink.send(kind, |out| write_answer(out, &self.id, member, raw));
    }
}

impl Exchange {
    /// It is over for the session. Questions that are still open need no answer any more.
    fn withdraw(&self) {
        for question in self.session.settle(&self.id) {
            let params =
                format!(r#"{{"requestId":{question},"reason":"the call that this belongs to is over"}}"#);
            self.notify("notifications/cancelled", Some(&params));
        }
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        if !self.settled {
            self.withdraw();
            let incident = incident();
            event::dropped(&incident, &self.id);
            let failure = Failure::dropped(&incident);
            let json = failure.to_json();
            let kind = Kind::Error(failure.code);
            if let Some(entry) = self.entry.take() {
                entry.answered(kind, b"");
            }
            let _ = self.sink.send(kind, |out| write_answer(out, &self.id, br#","error":"#, json.as_bytes()));
        }
    }
}

/// A short name for something that went wrong, which the log and the client both get.
fn incident() -> String {
    let mut bytes = [0u8; 4];
    // Without randomness it is a poorer name, and still one.
    let _ = getrandom::fill(&mut bytes);
    hex(&bytes)
}

/// Answers the request `id` (JSON text), which no exchange has, with an error.
pub(super) fn send_failure(id: &str, failure: &Failure, sink: &Sink) {
    let json = failure.to_json();
    let _ = sink.send(Kind::Error(failure.code), |out| {
        write_answer(out, id, br#","error":"#, json.as_bytes());
    });
}

/// Writes an answer: `member` is `,"result":` or `,"error":`.
pub fn write_answer(out: &mut Vec<u8>, id: &str, member: &[u8], raw: &[u8]) {
    out.reserve(raw.len() + id.len() + 40);
    out.extend_from_slice(br#"{"jsonrpc":"2.0","id":"#);
    out.extend_from_slice(id.as_bytes());
    out.extend_from_slice(member);
    out.extend_from_slice(raw);
    out.push(b'}');
}

/// The severity that a log message names.
fn log_level_of(params: &str) -> Option<String> {
    let members = Members::parse(params).ok()?;
    read_text(members.get("level")?).ok().map(std::borrow::Cow::into_owned)
}
