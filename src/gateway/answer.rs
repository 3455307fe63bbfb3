//! What a server answered, on its last step to the client: translated between the eras, or turned into an error.
//!
//! It does not know who waited; `relay.rs` and `ask/held.rs` do.

use crate::downstream::handle::ServerHandle;
use crate::downstream::own_call::message_of;
use crate::gateway::audit::verdict::Decision;
use crate::gateway::audit::verdict::Ending;
use crate::gateway::checks;
use crate::gateway::exchange::Exchange;
use crate::gateway::login;
use crate::gateway::reply::Failure;
use crate::protocol::bridge;
use crate::protocol::code;
use crate::protocol::input;
use crate::protocol::input::Wanted;
use crate::wire::members::Members;
use crate::wire::message::Outcome;
use crate::wire::pending::Answer;
use crate::wire::pending::Lost;
use std::sync::Mutex;
use std::sync::PoisonError;

/// Answers `exchange`.
pub(super) fn deliver(exchange: Exchange, handle: &ServerHandle, method: &'static str, answer: Answer<'_>) {
    match answer {
        Answer::Outcome(Outcome::Result(raw)) if raw.get().starts_with('{') => {
            result(exchange, handle, method, raw.get());
        }
        Answer::Outcome(Outcome::Result(_)) => {
            lost(exchange, handle, method, &Lost::Unreadable("its `result` is not an object".into()));
        }
        Answer::Outcome(Outcome::Error(raw)) if !is_error(raw.get()) => {
            let why = "its `error` is not an object with `code` and `message`";
            lost(exchange, handle, method, &Lost::Unreadable(why.into()));
        }
        Answer::Outcome(Outcome::Error(raw)) => {
            note_pages(&exchange, handle, raw.get());
            let error = bridge::error(raw.get(), method, handle.era(), exchange.era());
            exchange.error(&error);
        }
        // The protocol expects no answer to a request that the client cancelled, in either era.
        Answer::Lost(Lost::Cancelled) if !exchange.session().is_closed() => exchange.forget(),
        Answer::Lost(Lost::Unauthorized(lacks)) => match login::offer(exchange, handle, method, &lacks) {
            Ok(()) => {}
            Err(exchange) => lost(exchange, handle, method, &Lost::Unauthorized(lacks)),
        },
        Answer::Lost(why) => lost(exchange, handle, method, &why),
    }
}

fn result(exchange: Exchange, handle: &ServerHandle, method: &'static str, raw: &str) {
    match bridge::result(raw, method, handle.era(), exchange.era()) {
        Ok(result) => show(exchange, handle, &result),
        Err(why) => {
            let text = format!("server `{}` {why}", handle.server().name);
            exchange.fail(&Failure::new(code::INTERNAL_ERROR, text));
        }
    }
}

/// The last step of a result: ids of tasks become those that the client knows.
pub(super) fn show(exchange: Exchange, handle: &ServerHandle, result: &str) {
    if let Some(failure) = checks::result(handle.server(), result.len()) {
        return exchange.fail(&failure);
    }
    match exchange.tracked().map(|tracked| tracked.shown(result, handle)) {
        None => exchange.result(result.as_bytes()),
        Some(Some(shown)) => exchange.result(shown.as_bytes()),
        Some(None) => exchange.fail(&Failure::new(code::INTERNAL_ERROR, "no id can be made for the task")),
    }
}

fn lost(mut exchange: Exchange, handle: &ServerHandle, method: &'static str, why: &Lost) {
    if let Some(entry) = exchange.entry_mut() {
        match why {
            Lost::Silent(_) | Lost::Endless(_) => entry.ends(Ending::Timeout),
            Lost::Cancelled => entry.ends(Ending::Cancelled),
            // Found only after the start of the server.
            Lost::Held(_) => entry.decided(Decision::Held),
            _ => {}
        }
    }
    exchange.fail(&Failure::lost(&handle.server().name, method, why));
}

/// What a modern client did not declare and its server asked for; the last counts.
#[derive(Debug, Default)]
pub(super) struct Lacks(Mutex<Option<Wanted>>);

impl Lacks {
    /// Notes that the server asked for something the client cannot answer.
    pub(super) fn note(&self, wanted: Option<Wanted>) {
        if wanted.is_some() {
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = wanted;
        }
    }

    /// The failure for a call that ended with an error because of that.
    pub(super) fn failure(self, handle: &ServerHandle, answer: &Answer<'_>) -> Option<Failure> {
        let Answer::Outcome(Outcome::Error(error)) = answer else { return None };
        let wanted = self.0.into_inner().unwrap_or_else(PoisonError::into_inner)?;
        Some(Failure::missing_capability(&handle.server().name, wanted, &message_of(error.get())))
    }
}

/// A legacy client that is told to open pages first hears when that is done.
fn note_pages(exchange: &Exchange, handle: &ServerHandle, error: &str) {
    let wants_pages = error.contains("-32042");
    for page in if wants_pages { input::pages_of(error) } else { Vec::new() } {
        exchange.session().note_page(&handle.server().name, page);
    }
}

/// Clients refuse anything else, and some then wait for ever.
fn is_error(raw: &str) -> bool {
    let members = Members::parse_with_duplicates(raw).ok();
    let code = |all: &Members<'_>| all.get("code").is_some_and(|code| code.get().parse::<i64>().is_ok());
    let message = |all: &Members<'_>| all.get("message").is_some_and(|text| text.get().starts_with('"'));
    members.is_some_and(|all| code(&all) && message(&all))
}
