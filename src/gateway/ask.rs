//! Requests of legacy servers to the client that caused them, and to nobody else.
//!
//! Modern servers ask inside their results, which modern clients get as they are. Where the eras differ, `ask/held.rs` and
//! `ask/round.rs` stand between. What a question says is not read here.

pub mod anew;
pub mod held;
pub mod pushed;
pub mod round;

use crate::downstream::link::Link;
use crate::downstream::link::Source;
use crate::downstream::private::Key;
use crate::gateway::core::Core;
use crate::gateway::session::Session;
use crate::gateway::tasks;
use crate::protocol::code;
use crate::protocol::input::Wanted;
use crate::wire::message::Outcome;
use crate::wire::pending::Question;
use serde_json::json;
use serde_json::value::RawValue;
use std::sync::Arc;

/// Passes the question on, or refuses it at once.
pub(super) fn pass_on(
    core: &Core,
    source: Source<'_>,
    link: &Arc<dyn Link>,
    id: &RawValue,
    method: &str,
    params: Option<&str>,
) {
    // One client's folders would change what a shared server allows to all of them.
    if method == "roots/list" && source.whose.is_none() {
        return link.respond(id, r#""result":{"roots":[]}"#);
    }
    let Some(wanted) = Wanted::of(method, params) else {
        let why = format!("the gateway does not answer `{method}`");
        return refuse(&**link, id, code::METHOD_NOT_FOUND, &why);
    };
    let (answered_id, answering) = (id.to_owned(), Arc::clone(link));
    let reply = Arc::new(move |answer: &str| answering.respond(&answered_id, answer));
    let question = Question { id: id.get(), method, params, reply };
    match ask(core, &source, wanted, &question) {
        Some(true) => {}
        Some(false) => {
            refuse(&**link, id, code::INVALID_PARAMS, &format!("the client cannot answer `{method}`"));
        }
        None => {
            let why = "calls of several clients are in flight, so it is not clear who is asked";
            refuse(&**link, id, code::INVALID_REQUEST, why);
        }
    }
}

/// Whether the question was passed on; `None` when it is not clear to whom.
fn ask(core: &Core, source: &Source<'_>, wanted: Wanted, question: &Question<'_>) -> Option<bool> {
    let pending = source.link.pending();
    let owner = source.whose.and_then(Key::session);
    let push = || {
        let session = owner.and_then(|owner| core.session(owner))?;
        let current = core.current();
        // By now the caller may see nothing of this server any more.
        let shown = current.policy.may_show(session.caller(), source.server.as_str());
        let server = current.server(source.server).filter(|_| shown)?;
        let server = Arc::clone(server.server());
        Some(pushed::ask(&session, &server, question))
    };
    // No call may hold the question about folders up, and it is none's in particular.
    if wanted == Wanted::Roots && push() == Some(true) {
        return Some(true);
    }
    if let Some(call) = source.call {
        return Some(pending.ask_call(call, question));
    }
    match owner {
        Some(owner) => Some(pending.ask(owner, question) || push() == Some(true)),
        // All its calls are of one caller, so it is enough to tell those apart that can be asking.
        None if source.whose.is_some() => {
            pending.sole_active_owner().map(|owner| pending.ask(owner, question))
        }
        None => pending.sole_owner().map(|owner| pending.ask(owner, question)),
    }
}

fn refuse(link: &dyn Link, id: &RawValue, code: i32, why: &str) {
    let error = json!({"code": code, "message": why});
    link.respond(id, &format!(r#""error":{error}"#));
}

/// The client answers a question of a server, which went to it as `id` (JSON text).
pub(super) fn answered(core: &Core, session: &Session, id: &str, outcome: Outcome<'_>) {
    let Some(reply) = session.take_reply(id) else { return };
    reply(&tasks::heard::inward(core, session, outcome));
}
