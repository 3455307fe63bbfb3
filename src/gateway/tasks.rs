//! Tasks: calls that a server goes on with after it has answered. Their ids are the gateway's (`tasks/table.rs`).
//!
//! Within one era requests about a task go to its server and come back. There is no way between the eras: the two kinds
//! have nothing in common but the name (`ext-tasks` of 2026-07-28, `basic/utilities/tasks` of 2025-11-25), so a client
//! is never shown a task of the other one.

pub mod followed;
pub mod heard;
pub mod ids;
pub mod list;
pub mod table;
pub mod tracked;

use crate::catalog::route::Route;
use crate::config::model::access::ObjectKind;
use crate::gateway::exchange::Exchange;
use crate::gateway::incoming::Incoming;
use crate::gateway::relay;
use crate::gateway::relay::Passage;
use crate::gateway::relay::quoted;
use crate::gateway::relayed::Relayed;
use crate::gateway::relayed::refuse;
use crate::gateway::reply::Failure;
use crate::gateway::snapshot::Snapshot;
use crate::gateway::tasks::ids::Place;
use crate::gateway::tasks::tracked::Tracked;
use crate::gateway::tasks::tracked::declares;
use crate::gateway::tasks::tracked::holder;
use crate::protocol::code;
use crate::protocol::extension;
use crate::protocol::version::Era;
use serde_json::json;

/// Has the answer of a call looked at that may become a task. All others pass as ever.
///
/// # Errors
/// The failure to answer when the client wants one of a server that has none.
pub(super) fn begin(
    snapshot: &Snapshot,
    incoming: &Incoming<'_>,
    exchange: &mut Exchange,
    route: &Route,
) -> Result<(), Failure> {
    let era = exchange.era();
    match era {
        Era::Modern if !declares(incoming) => return Ok(()),
        Era::Legacy if incoming.params.get("task").is_none() => return Ok(()),
        Era::Modern => {}
        Era::Legacy => check_augmented(snapshot, incoming, route)?,
    }
    let holder = holder(exchange.session().caller(), exchange.session().key());
    exchange.track(Box::new(Tracked::begins(&snapshot.tasks, holder, era, route)));
    Ok(())
}

/// Requests about tasks, by method and era.
pub(super) fn dispatch(snapshot: &Snapshot, incoming: &Incoming<'_>, exchange: Exchange) -> Relayed {
    let method = match (incoming.method, exchange.era()) {
        ("tasks/get", _) => "tasks/get",
        ("tasks/cancel", _) => "tasks/cancel",
        ("tasks/update", Era::Modern) => "tasks/update",
        ("tasks/result", Era::Legacy) => "tasks/result",
        _ => return refuse(Failure::unknown_method(incoming.method), exchange),
    };
    if exchange.era() == Era::Modern && !declares(incoming) {
        return refuse(Failure::missing_extension(extension::TASKS), exchange);
    }
    about(snapshot, method, incoming, exchange)
}

/// A request about one task.
fn about(
    snapshot: &Snapshot,
    method: &'static str,
    incoming: &Incoming<'_>,
    mut exchange: Exchange,
) -> Relayed {
    let id = match incoming.text(ids::TASK_ID) {
        Ok(id) => id,
        Err(failure) => return refuse(failure, exchange),
    };
    let Some(task) = snapshot.tasks.find(&id, exchange.session().caller(), exchange.era()) else {
        return refuse(unknown(&id), exchange);
    };
    let route = task.route.clone();
    // The task of a tool that may no longer be called is gone for this caller.
    let permit = match snapshot.policy.permit(exchange.session().caller(), ObjectKind::Tool, &route) {
        Ok(permit) => permit,
        Err(_) => return refuse(unknown(&id), exchange),
    };
    if snapshot.server(&task.route.server).is_none() {
        let why = format!("{}: server `{}`, which ran it, left the file", SAID, task.route.server);
        return refuse(Failure::new(code::INVALID_PARAMS, why), exchange);
    }
    let (own_id, target) = (quoted(&task.own_id), task.own_id.clone());
    let passage = Passage {
        method,
        replace: Some((ids::TASK_ID, &own_id)),
        target: Some(&target),
        param_headers: &[],
        kind: ObjectKind::Tool,
        tool: None,
    };
    let place = if method == "tasks/result" { Place::Related } else { Place::Top };
    exchange.track(Box::new(Tracked::known(&snapshot.tasks, task, place)));
    relay::send(snapshot, &permit, incoming, &passage, exchange, |_| unknown(&id))
}

const SAID: &str = "the task is gone";

fn unknown(id: &str) -> Failure {
    let shown: String = id.chars().take(100).filter(|c| !c.is_control()).collect();
    let text =
        format!("unknown task `{shown}`: it is over and forgotten, or it never was one of this caller");
    Failure::new(code::INVALID_PARAMS, text)
}

/// Whether a legacy call may ask to become a task: only a legacy server that says so can do that.
fn check_augmented(snapshot: &Snapshot, incoming: &Incoming<'_>, route: &Route) -> Result<(), Failure> {
    let lists = snapshot.server(&route.server).and_then(|handle| handle.lists());
    if lists.is_some_and(|lists| lists.runs_tasks()) {
        return Ok(());
    }
    let name = incoming.text("name")?;
    let text = format!(
        "tool `{name}` cannot run as a task: server `{}` does not offer tasks of this revision; call it without `task`",
        route.server
    );
    Err(Failure::new(code::METHOD_NOT_FOUND, text).with(json!({"server": route.server.as_str()})))
}
