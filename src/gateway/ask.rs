//! Requests of legacy servers to the client that caused them, and to nobody else.
//!
//! Modern servers ask inside their results, which modern clients get as they are. Where the eras differ, `ask/held.rs` and
//! `ask/round.rs` stand between. What a question says is not read here.

mod anew;
pub mod held;
pub mod round;

use crate::downstream::link::Link;
use crate::downstream::link::Source;
use crate::protocol::code;
use crate::wire::pending::Question;
use serde_json::json;
use serde_json::value::RawValue;
use std::sync::Arc;

/// Passes the question on, or refuses it at once.
pub(super) fn pass_on(
    source: Source<'_>,
    link: &Arc<dyn Link>,
    id: &RawValue,
    method: &str,
    params: Option<&str>,
) {
    if method == "roots/list" {
        return link.respond(id, r#""result":{"roots":[]}"#);
    }
    if !matches!(method, "elicitation/create" | "sampling/createMessage") {
        return refuse(
            &**link,
            id,
            code::METHOD_NOT_FOUND,
            &format!("the gateway does not answer `{method}`"),
        );
    }
    let pending = link.pending();
    let (answered_id, answering) = (id.to_owned(), Arc::clone(link));
    let reply = Arc::new(move |answer: &str| answering.respond(&answered_id, answer));
    let question = Question { id: id.get(), method, params, reply };
    let taken = match (source.call, pending.sole_owner()) {
        (Some(call), _) => pending.ask_call(call, &question),
        (None, Some(owner)) => pending.ask(owner, &question),
        (None, None) => {
            let why = "calls of several clients are in flight, so it is not clear who is asked";
            return refuse(&**link, id, code::INVALID_REQUEST, why);
        }
    };
    if !taken {
        refuse(&**link, id, code::INVALID_PARAMS, &format!("the client cannot answer `{method}`"));
    }
}

fn refuse(link: &dyn Link, id: &RawValue, code: i32, why: &str) {
    let error = json!({"code": code, "message": why});
    link.respond(id, &format!(r#""error":{error}"#));
}
