//! A question of a server that belongs to one session, sent while it belongs to no call.
//!
//! Only legacy clients can be asked so, on the line or on the stream that they opened for it.

use crate::config::model::Server;
use crate::gateway::session::NO_CALL;
use crate::gateway::session::Session;
use crate::gateway::written::write_request;
use crate::protocol::input;
use crate::protocol::input::Wanted;
use crate::protocol::version::Era;
use crate::wire::pending::Question;
use std::sync::Arc;

/// Asks the client of `session` in the name of `server`. `false` when there is no way to it, or it cannot answer this.
pub(in crate::gateway) fn ask(session: &Session, server: &Server, question: &Question<'_>) -> bool {
    let wanted = Wanted::of(question.method, question.params).filter(|_| session.is_initialized());
    let Some(wanted) = wanted else { return false };
    let Some(id) = session.expect_reply(NO_CALL, wanted, question) else { return false };
    let params = input::question(wanted, question.params, server.label(), Era::Legacy, "");
    let (reply, asked_as) = (Arc::clone(&question.reply), question.id);
    let edited = Question { id: asked_as, method: question.method, params: Some(&params), reply };
    let sent = session.push(|out| write_request(out, &id, &edited));
    match (sent, wanted) {
        (false, _) => drop(session.take_reply(&id)),
        (true, Wanted::Url) => session.note_page(&server.name, &params),
        (true, _) => {}
    }
    sent
}
