//! `tasks/list` of 2025-11-25: the tasks that the client began here, of all servers, oldest first.
//!
//! Servers are not asked for their lists, which could hold the tasks of others. Those of its tasks that are not known to
//! be over are looked at first, on servers that are running; nothing is started.

use crate::config::model::access::ObjectKind;
use crate::downstream::own_call;
use crate::downstream::request::Request;
use crate::gateway::core::Core;
use crate::gateway::exchange::Exchange;
use crate::gateway::incoming::Incoming;
use crate::gateway::relay::quoted;
use crate::gateway::reply::Failure;
use crate::gateway::tasks::ids;
use crate::gateway::tasks::ids::Place;
use crate::gateway::tasks::table::Task;
use crate::gateway::tasks::tracked;
use crate::protocol::version::Era;
use crate::wire::members::Members;
use crate::wire::message::read_text;
use std::sync::Arc;
use std::time::Duration;

/// How long a server has to say how a task is; what it said last is shown otherwise.
const PATIENCE: Duration = Duration::from_secs(5);
/// So many tasks are on a page: each may cost a question.
const PAGE: usize = 100;

/// Answers one page, in a task of its own.
pub(in crate::gateway) fn answer(core: &Arc<Core>, incoming: &Incoming<'_>, exchange: Exchange) {
    let cursor = incoming.params.get("cursor").filter(|raw| raw.get() != "null");
    let Ok(cursor) = cursor.map(read_text).transpose() else {
        return exchange.fail(&Failure::bad_params(incoming.method, "`cursor` is not a string"));
    };
    let holder = tracked::holder(exchange.session().caller(), exchange.session().key());
    let current = core.current();
    let mut tasks = current.tasks.of_holder(&holder, Era::Legacy);
    tasks.retain(|task| current.policy.permit(&holder.caller, ObjectKind::Tool, &task.route).is_ok());
    if let Some(cursor) = cursor {
        let Some(at) = tasks.iter().position(|task| *task.id == *cursor) else {
            return exchange.fail(&Failure::bad_params(incoming.method, "this `cursor` leads nowhere"));
        };
        tasks.drain(..=at);
    }
    let more = tasks.len() > PAGE;
    tasks.truncate(PAGE);
    let core_of_task = Arc::clone(core);
    core.tasks.spawn(async move {
        let looks = tasks.iter().map(|task| look(&core_of_task, task));
        let shown = futures_util::future::join_all(looks).await;
        let next = if more { tasks.last() } else { None };
        let next = next.map(|last| format!(",\"nextCursor\":{}", quoted(&last.id))).unwrap_or_default();
        let shown: Vec<String> = shown.into_iter().flatten().collect();
        exchange.result(format!("{{\"tasks\":[{}]{next}}}", shown.join(",")).as_bytes());
    });
}

/// The task as it is now, as far as that can be told.
async fn look(core: &Core, task: &Task) -> Option<String> {
    let seen = task.seen.as_deref()?;
    let snapshot = core.current();
    let handle = snapshot.server(&task.route.server)?;
    let own = task.on.as_ref().map(|key| handle.open(key));
    let handle = match &own {
        Some(open) => open.as_ref()?,
        None => handle,
    };
    let link = handle.ready_link().filter(|link| link.era() == Era::Legacy && !is_over(seen));
    let Some(link) = link else { return Some(seen.to_owned()) };
    let params = format!("{{\"{}\":{}}}", ids::TASK_ID, quoted(&task.own_id));
    let members = Members::parse(&params).ok()?;
    let request = Request::own("tasks/get", &members, "{}");
    match own_call::ask(&*link, &request, PATIENCE).await {
        Ok(raw) => {
            let raw = raw.get();
            let shown = ids::replace(raw, Place::Top, |own| (*own == *task.own_id).then(|| task.id.clone()));
            tracked::note(&snapshot.tasks, task, handle, &shown, raw);
            tracked::bare(&shown).or_else(|| Some(seen.to_owned()))
        }
        Err(own_call::NoResult::Error(_)) => None,
        Err(_) => Some(seen.to_owned()),
    }
}

fn is_over(task: &str) -> bool {
    let members = Members::parse_with_duplicates(task).ok();
    let status = members.and_then(|members| members.get("status")?.get().into());
    status.is_some_and(|status| matches!(status, r#""completed""# | r#""failed""# | r#""cancelled""#))
}
