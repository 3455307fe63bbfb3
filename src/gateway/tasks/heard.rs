//! What legacy servers say about tasks unasked, and what clients answer about them: the ids in it are put into the words
//! of whoever reads it.
//!
//! Who is asked a question is not decided here.

use crate::config::model::access::ObjectKind;
use crate::downstream::link::Source;
use crate::gateway::core::Core;
use crate::gateway::session::Session;
use crate::gateway::tasks::ids;
use crate::gateway::tasks::ids::Place;
use crate::gateway::tasks::tracked;
use crate::protocol::version::Era;
use crate::wire::message::Outcome;
use memchr::memmem;
use std::borrow::Cow;

/// `notifications/tasks/status`: to the session that began the task, and to nobody else.
pub(in crate::gateway) fn status(core: &Core, source: &Source<'_>, method: &str, params: Option<&str>) {
    let Some(raw) = params else { return };
    let snapshot = core.current();
    let own_id = ids::of(raw);
    let task = own_id.and_then(|own_id| snapshot.tasks.of_server(source.server, &own_id, source.whose));
    let Some(task) = task.filter(|task| task.era == Era::Legacy) else { return };
    let shown = ids::replace(raw, Place::Top, |own| (*own == *task.own_id).then(|| task.id.clone()));
    let shared = snapshot.server(source.server);
    let own = source.whose.and_then(|key| shared?.open(key));
    if let Some(handle) = own.as_ref().or(shared) {
        tracked::note(&snapshot.tasks, &task, handle, &shown, raw);
    }
    let session = core.sessions().into_iter().find(|session| session.key() == task.holder.session);
    let permitted = snapshot.policy.permit(&task.holder.caller, ObjectKind::Tool, &task.route).is_ok();
    if let Some(session) = session.filter(|_| permitted) {
        session.notify(method, Some(&shown));
    }
}

/// Params of a server with the id of the task that they are related to as clients know it.
pub(in crate::gateway) fn outward<'a>(core: &Core, source: &Source<'_>, params: &'a str) -> Cow<'a, str> {
    if memmem::find(params.as_bytes(), ids::RELATED.as_bytes()).is_none() {
        return Cow::Borrowed(params);
    }
    let tasks = &core.current().tasks;
    let known = |own: &str| tasks.of_server(source.server, own, source.whose).map(|task| task.id);
    ids::replace(params, Place::Related, known)
}

/// A client's answer, as the member that the server gets, with the server's id of the task that it is related to.
pub(in crate::gateway) fn inward(core: &Core, session: &Session, outcome: Outcome<'_>) -> String {
    let (member, raw) = match outcome {
        Outcome::Result(raw) => ("result", raw.get()),
        Outcome::Error(raw) => ("error", raw.get()),
    };
    let related = memmem::find(raw.as_bytes(), ids::RELATED.as_bytes()).is_some();
    let known =
        |id: &str| core.current().tasks.find(id, session.caller(), Era::Legacy).map(|task| task.own_id);
    let raw = if related { ids::replace(raw, Place::Related, known) } else { Cow::Borrowed(raw) };
    format!("\"{member}\":{raw}")
}
