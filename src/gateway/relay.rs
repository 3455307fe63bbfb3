//! One call on its way: from the client's request to a server, and from the server's answer back.
//!
//! The same for every method that is relayed; what is resolved and replaced stands in `tools.rs`, `prompts.rs`, ….

use crate::downstream::handle::ServerHandle;
use crate::downstream::request::Request;
use crate::gateway::exchange::Exchange;
use crate::gateway::incoming::Incoming;
use crate::gateway::notify::log_level_of;
use crate::gateway::reply::Failure;
use crate::policy::permit::Permit;
use crate::protocol::bridge;
use crate::protocol::capability;
use crate::protocol::code;
use crate::protocol::version::Era;
use crate::wire::message::Outcome;
use crate::wire::pending::Answer;
use crate::wire::pending::Lost;
use crate::wire::pending::Owner;
use crate::wire::pending::Question;
use crate::wire::pending::Waiter;
use std::borrow::Cow;

/// What of a request is sent on.
pub(super) struct Passage<'a> {
    /// The method, a name that lives as long as the program.
    pub(super) method: &'static str,
    /// A member of the params whose value becomes this JSON text.
    pub(super) replace: Option<(&'a str, &'a str)>,
    /// The server's own name of what is asked for.
    pub(super) target: Option<&'a str>,
}

/// Sends a request on to `handle`. From here on the exchange is answered by whatever happens there.
pub(super) fn send(
    handle: &ServerHandle,
    permit: &Permit<'_>,
    incoming: &Incoming<'_>,
    passage: &Passage<'_>,
    mut exchange: Exchange,
) {
    exchange.session().bind(exchange.id(), handle);
    let log_level = incoming.modern.as_ref().and_then(|modern| modern.log_level.as_deref());
    exchange.listens(incoming.progress_token(), log_level);
    let declared = incoming.modern.as_ref().and_then(|modern| modern.capabilities);
    let capabilities = declared.map_or(Cow::Borrowed("{}"), |declared| match declared {
        "{}" => Cow::Borrowed("{}"),
        other => Cow::Owned(capability::relayable(other)),
    });
    let request = Request {
        method: passage.method,
        params: &incoming.params,
        meta: incoming.meta.as_ref(),
        replace: passage.replace,
        target: passage.target,
        wants_progress: exchange.wants_progress(),
        capabilities: &capabilities,
        log_level,
    };
    let relay = Relay { exchange, handle: handle.clone(), method: passage.method };
    handle.call(permit, &request, Box::new(relay));
}

/// Waits for a server's answer on behalf of a client.
struct Relay {
    exchange: Exchange,
    handle: ServerHandle,
    method: &'static str,
}

impl Relay {
    fn result(self, raw: &str) {
        let (from, to) = (self.handle.era(), self.exchange.era());
        match bridge::result(raw, self.method, from, to) {
            Ok(result) => self.exchange.result(result.as_bytes()),
            Err(why) => {
                let text = format!("server `{}` {why}", self.handle.server().name);
                self.exchange.fail(&Failure::new(code::INTERNAL_ERROR, text));
            }
        }
    }
}

impl Waiter for Relay {
    fn answer(self: Box<Self>, answer: Answer<'_>) {
        match answer {
            Answer::Outcome(Outcome::Result(raw)) => self.result(raw.get()),
            Answer::Outcome(Outcome::Error(raw)) => {
                let error = bridge::error(raw.get(), self.method, self.handle.era(), self.exchange.era());
                self.exchange.error(&error);
            }
            // The protocol expects no answer to a cancelled request, in either era.
            Answer::Lost(Lost::Cancelled) => self.exchange.forget(),
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
