//! A modern client's call that a legacy server ended until pages were opened (error -32042).
//!
//! The client is asked to open them; when it comes back, the call is sent to the server as a new one. Nothing waits at the
//! server meanwhile, and no page is looked at here.

use crate::downstream::handle::ServerHandle;
use crate::gateway::answer::deliver;
use crate::gateway::exchange::Exchange;
use crate::gateway::parking::ComeBack;
use crate::gateway::parking::Parked;
use crate::gateway::parking::Parking;
use crate::gateway::parking::Purpose;
use crate::gateway::parking::Terms;
use crate::protocol::code;
use crate::protocol::input;
use crate::protocol::input::Wanted;
use crate::protocol::version::Era;
use crate::wire::members::Members;
use crate::wire::message::Outcome;
use crate::wire::pending::Answer;
use serde_json::value::RawValue;
use std::sync::Arc;

/// A request that is to be sent anew, unless the client does not open a page.
struct Anew {
    handle: ServerHandle,
    method: &'static str,
    error: Box<RawValue>,
}

/// Sends the client away with the pages of `error`. Gives the request back when there are none, or too much waits already.
pub(super) fn ask(
    parking: &Parking,
    purpose: Purpose,
    terms: Terms,
    handle: &ServerHandle,
    exchange: Exchange,
    error: &RawValue,
) -> Result<(), Exchange> {
    let pages = if wants_pages(error.get()) { input::pages_of(error.get()) } else { Vec::new() };
    if pages.is_empty() {
        return Err(exchange);
    }
    let anew = Anew { handle: handle.clone(), method: purpose.method, error: error.to_owned() };
    let Some(state) = parking.park(purpose, exchange.session().key(), terms, Arc::new(anew)) else {
        return Err(exchange);
    };
    let label = handle.server().label();
    let named = |(at, page)| {
        let page = input::question(Wanted::Url, Some(page), label, Era::Modern, "");
        (format!("page-{}", at + 1), page.into_owned())
    };
    let pages: Vec<(String, String)> = pages.into_iter().enumerate().map(named).collect();
    let questions = pages.iter().map(|(key, page)| (&**key, "elicitation/create", &**page));
    exchange.result(input::input_required(questions, Some(&state)).as_bytes());
    Ok(())
}

impl Parked for Anew {
    fn resume(self: Arc<Self>, exchange: Exchange, come_back: &ComeBack<'_>) -> Option<Exchange> {
        if !come_back.responses.is_some_and(|responses| responses.iter().any(|(_, one)| refuses(one))) {
            return Some(exchange);
        }
        deliver(exchange, &self.handle, self.method, Answer::Outcome(Outcome::Error(&self.error)));
        None
    }

    fn expire(&self) {}
}

/// True for an answer of a user who does not want to.
pub(in crate::gateway) fn refuses(response: &RawValue) -> bool {
    let members = Members::parse_with_duplicates(response.get()).ok();
    let action = members.and_then(|members| members.get("action").map(RawValue::get));
    matches!(action, Some("\"decline\"" | "\"cancel\""))
}

fn wants_pages(error: &str) -> bool {
    let code = Members::parse_with_duplicates(error).ok().and_then(|error| error.get("code"));
    code.and_then(|code| code.get().parse().ok()) == Some(code::URL_ELICITATION_REQUIRED)
}
