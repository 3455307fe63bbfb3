//! One call on its way: from the client's request to a server, and from the server's answer back.
//!
//! The same for every method that is relayed; what is resolved and replaced stands in `tools.rs`, `prompts.rs`, ….

use crate::catalog::route::Route;
use crate::downstream::handle::ServerHandle;
use crate::downstream::request::Request;
use crate::gateway::exchange::Exchange;
use crate::gateway::incoming::Incoming;
use crate::gateway::notify::log_level_of;
use crate::gateway::reply::Failure;
use crate::gateway::snapshot::Snapshot;
use crate::gateway::tasks::tracked::Tracked;
use crate::protocol::bridge;
use crate::protocol::capability;
use crate::protocol::code;
use crate::protocol::param_header::ParamHeader;
use crate::protocol::version::Era;
use crate::wire::members::Members;
use crate::wire::members::write_string;
use crate::wire::message::Outcome;
use crate::wire::pending::Answer;
use crate::wire::pending::Lost;
use crate::wire::pending::Owner;
use crate::wire::pending::Question;
use crate::wire::pending::Waiter;
use std::borrow::Cow;

/// What became of a request: sent on, or given back with the failure to answer.
pub(super) type Relayed = Result<(), Box<NotRelayed>>;

/// A request that was not sent on.
pub(super) struct NotRelayed {
    pub(super) failure: Failure,
    pub(super) exchange: Exchange,
    /// True when lists that are still missing could name what was asked for.
    pub(super) may_come: bool,
}

/// Gives a request back that is wrong in itself.
pub(super) fn refuse(failure: Failure, exchange: Exchange) -> Relayed {
    Err(Box::new(NotRelayed { failure, exchange, may_come: false }))
}

/// Gives a request back whose target is not known.
pub(super) fn unknown(failure: Failure, exchange: Exchange) -> Relayed {
    Err(Box::new(NotRelayed { failure, exchange, may_come: true }))
}

/// How a request is sent on.
pub(super) struct Passage<'a> {
    /// The method, a name that lives as long as the program.
    pub(super) method: &'static str,
    /// A member of the params whose value becomes this JSON text.
    pub(super) replace: Option<(&'a str, &'a str)>,
    /// True when the route's own name is what `Mcp-Name` says on modern HTTP.
    pub(super) has_target: bool,
    /// The arguments that modern HTTP repeats in headers.
    pub(super) param_headers: &'a [ParamHeader],
}

/// Asks the policy and sends the request to its server, from where the exchange is answered. `failure` is what a caller
/// sees who may not use the route: the same as for one that does not exist.
pub(super) fn send(
    snapshot: &Snapshot,
    route: &Route,
    incoming: &Incoming<'_>,
    passage: &Passage<'_>,
    exchange: Exchange,
    failure: impl FnOnce() -> Failure,
) -> Relayed {
    send_tracked(snapshot, route, incoming, passage, exchange, failure, None)
}

/// As [`send`], for a request that may begin a task or is about one.
pub(super) fn send_tracked(
    snapshot: &Snapshot,
    route: &Route,
    incoming: &Incoming<'_>,
    passage: &Passage<'_>,
    mut exchange: Exchange,
    failure: impl FnOnce() -> Failure,
    tracked: Option<Box<Tracked>>,
) -> Relayed {
    let permit = snapshot.policy.permit(exchange.session().caller(), route);
    let (Some(permit), Some(handle)) = (permit, snapshot.server(&route.server)) else {
        return unknown(failure(), exchange);
    };
    exchange.session().bind(exchange.id(), handle);
    let log_level = incoming.modern.as_ref().and_then(|modern| modern.log_level.as_deref());
    exchange.listens(incoming.progress_token(), log_level);
    let declared = incoming.modern.as_ref().and_then(|modern| modern.capabilities);
    let capabilities = declared.map_or(Cow::Borrowed("{}"), |declared| match declared {
        "{}" => Cow::Borrowed("{}"),
        other => Cow::Owned(capability::relayable(other)),
    });
    let patience = tracked.as_ref().map(|tracked| tracked.patience(handle));
    let task: Option<Box<str>> = tracked.as_ref().and_then(|tracked| tracked.target().map(Into::into));
    let request = Request {
        method: passage.method,
        params: &incoming.params,
        meta: incoming.meta.as_ref(),
        replace: passage.replace,
        target: passage.has_target.then_some(task.as_deref().unwrap_or(&route.own_name)),
        param_headers: passage.param_headers,
        wants_progress: exchange.wants_progress(),
        capabilities: &capabilities,
        log_level,
    };
    let relay = Box::new(Relay { exchange, handle: handle.clone(), method: passage.method, tracked });
    match patience {
        None => handle.call(&permit, &request, relay),
        Some(patience) => handle.call_within(&permit, &request, relay, patience),
    }
    Ok(())
}

/// A text as JSON.
pub(super) fn quoted(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len() + 2);
    write_string(&mut out, text);
    String::from_utf8(out).unwrap_or_default()
}

/// Waits for a server's answer on behalf of a client.
struct Relay {
    exchange: Exchange,
    handle: ServerHandle,
    method: &'static str,
    tracked: Option<Box<Tracked>>,
}

impl Relay {
    fn unreadable(self, why: &str) {
        let lost = Lost::Unreadable(why.into());
        self.exchange.fail(&Failure::lost(&self.handle.server().name, self.method, &lost));
    }

    fn show(self, result: &str) {
        let shown = match &self.tracked {
            None => Some(Cow::Borrowed(result)),
            Some(tracked) => tracked.shown(result, &self.handle),
        };
        match shown {
            Some(shown) => self.exchange.result(shown.as_bytes()),
            None => self.exchange.fail(&Failure::new(code::INTERNAL_ERROR, "no id can be made for the task")),
        }
    }

    fn result(self, raw: &str) {
        let (from, to) = (self.handle.era(), self.exchange.era());
        match bridge::result(raw, self.method, from, to) {
            Ok(result) => self.show(&result),
            Err(why) => {
                let text = format!("server `{}` {why}", self.handle.server().name);
                self.exchange.fail(&Failure::new(code::INTERNAL_ERROR, text));
            }
        }
    }
}

/// Clients refuse anything else, and some then wait for ever.
fn is_error(raw: &str) -> bool {
    let members = Members::parse_with_duplicates(raw).ok();
    let code = |all: &Members<'_>| all.get("code").is_some_and(|code| code.get().parse::<i64>().is_ok());
    let message = |all: &Members<'_>| all.get("message").is_some_and(|text| text.get().starts_with('"'));
    members.is_some_and(|all| code(&all) && message(&all))
}

impl Waiter for Relay {
    fn answer(self: Box<Self>, answer: Answer<'_>) {
        match answer {
            Answer::Outcome(Outcome::Result(raw)) if raw.get().starts_with('{') => self.result(raw.get()),
            Answer::Outcome(Outcome::Result(_)) => self.unreadable("its `result` is not an object"),
            Answer::Outcome(Outcome::Error(raw)) if !is_error(raw.get()) => {
                self.unreadable("its `error` is not an object with `code` and `message`");
            }
            Answer::Outcome(Outcome::Error(raw)) => {
                let error = bridge::error(raw.get(), self.method, self.handle.era(), self.exchange.era());
                self.exchange.error(&error);
            }
            // The protocol expects no answer to a request that the client cancelled, in either era.
            Answer::Lost(Lost::Cancelled) if !self.exchange.session().is_closed() => self.exchange.forget(),
            Answer::Lost(lost) => {
                let failure = Failure::lost(&self.handle.server().name, self.method, &lost);
                self.exchange.fail(&failure);
            }
        }
    }

    fn progress(&self, params: &str) {
        self.exchange.progress(params);
    }

    fn notice(&self, method: &str, params: Option<&str>) {
        let level = params.and_then(log_level_of);
        if level.is_none_or(|level| self.exchange.wants_log(&level)) {
            self.exchange.notify(method, params);
        }
    }

    fn ask(&self, question: &Question<'_>) -> bool {
        self.exchange.era() == Era::Legacy && self.exchange.ask(question)
    }

    fn owner(&self) -> Owner {
        self.exchange.session().key()
    }

    fn is(&self, id: &str) -> bool {
        self.exchange.id() == id
    }
}
