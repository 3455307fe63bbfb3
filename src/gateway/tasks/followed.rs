//! Tasks that modern clients listen to (`subscriptions/listen` with `taskIds`): who hears of which.
//!
//! Source: `ext-tasks` of 2026-07-28. A server tells of what it was asked for once, and every client that listens is told
//! in its own words. That requests stay open is the business of `gateway/subscribe.rs`.

use crate::config::model::access::ObjectKind;
use crate::downstream::handle::ServerHandle;
use crate::downstream::link::Source;
use crate::downstream::updates;
use crate::gateway::core::Core;
use crate::gateway::exchange::Exchange;
use crate::gateway::incoming::Incoming;
use crate::gateway::reply::Failure;
use crate::gateway::snapshot::Snapshot;
use crate::gateway::tasks::ids;
use crate::gateway::tasks::ids::Place;
use crate::gateway::tasks::table::Task;
use crate::gateway::tasks::tracked;
use crate::protocol::extension;
use crate::protocol::version::Era;
use crate::wire::members::Members;
use std::time::Duration;
use tokio::time::timeout;

/// How long a server has to say that it will tell.
const PATIENCE: Duration = Duration::from_secs(5);

/// The tasks that `filter` (the member `notifications`) names, as far as this caller has them; at most `limit`.
///
/// # Errors
/// The failure to answer when the client did not declare tasks, or names none properly.
pub(in crate::gateway) fn wanted(
    snapshot: &Snapshot,
    incoming: &Incoming<'_>,
    exchange: &Exchange,
    filter: &Members<'_>,
    limit: usize,
) -> Result<Vec<Task>, Failure> {
    let Some(raw) = filter.get("taskIds") else { return Ok(Vec::new()) };
    if !tracked::declares(incoming) {
        return Err(Failure::missing_extension(extension::TASKS));
    }
    let named: Vec<String> = serde_json::from_str(raw.get()).map_err(|_| {
        Failure::bad_params(incoming.method, "`notifications` has `taskIds` that is no list of texts")
    })?;
    let caller = exchange.session().caller();
    let found = named.iter().take(limit).filter_map(|id| snapshot.tasks.find(id, caller, Era::Modern));
    // There is one stream per server, on the connection that all share.
    let found = found.filter(|task| task.on.is_none());
    let permitted = |task: &Task| snapshot.policy.permit(caller, ObjectKind::Tool, &task.route).is_ok();
    Ok(found.filter(permitted).collect())
}

/// Has `handle` tell of `task`, which is its own. `true` once it says that it will.
pub(in crate::gateway) async fn follow(handle: &ServerHandle, task: &Task) -> bool {
    let key = updates::of_task(&task.own_id);
    handle.want_updates(&key);
    matches!(timeout(PATIENCE, handle.updates().word(&key)).await, Ok(Ok(())))
}

/// Nobody listens to these tasks any more.
pub(in crate::gateway) fn leave(core: &Core, tasks: &[Task]) {
    let snapshot = core.current();
    for task in tasks {
        if let Some(handle) = snapshot.server(&task.route.server) {
            handle.unwant_updates(&updates::of_task(&task.own_id));
        }
    }
}

/// `notifications/tasks`: to the clients that listen to this task, under the ids they know.
pub(in crate::gateway) fn told(core: &Core, source: &Source<'_>, method: &str, params: Option<&str>) {
    if source.whose.is_some() {
        return;
    }
    let Some((raw, own_id)) = params.and_then(|raw| Some((raw, ids::of(raw)?))) else { return };
    let snapshot = core.current();
    let mut heard = false;
    let permitted =
        |task: &Task| snapshot.policy.permit(&task.holder.caller, ObjectKind::Tool, &task.route).is_ok();
    core.subscribers.tell_task(source.server, &own_id, method, permitted, |task| {
        let shown = ids::replace(raw, Place::Top, |own| (*own == *task.own_id).then(|| task.id.clone()));
        if let Some(handle) = snapshot.server(source.server).filter(|_| !std::mem::replace(&mut heard, true))
        {
            tracked::note(&snapshot.tasks, task, handle, &shown, raw);
        }
        shown.into_owned()
    });
}
