//! `tools/call`: the request, top to bottom.

use crate::auth::caller::Caller;
use crate::catalog::lists::ListKind;
use crate::catalog::route::Route;
use crate::config::model::access::ObjectKind;
use crate::gateway::core::Core;
use crate::gateway::exchange::Exchange;
use crate::gateway::held;
use crate::gateway::incoming::Incoming;
use crate::gateway::own;
use crate::gateway::permission;
use crate::gateway::relay;
use crate::gateway::relay::Passage;
use crate::gateway::relay::quoted;
use crate::gateway::relayed::Relayed;
use crate::gateway::relayed::refuse;
use crate::gateway::relayed::unknown;
use crate::gateway::reply::Failure;
use crate::gateway::snapshot::Snapshot;
use crate::gateway::tasks;

/// Resolves the name; the policy and the sending are `relay.rs`.
pub(super) fn call(core: &Core, snapshot: &Snapshot, incoming: &Incoming<'_>, exchange: Exchange) -> Relayed {
    let name = match incoming.text("name") {
        Ok(name) => name,
        Err(failure) => return refuse(failure, exchange),
    };
    let failure = |exchange: &Exchange| unknown_tool(snapshot, exchange.session().caller(), &name);
    let Some(tool) = permission::tool_named(snapshot, exchange.session().caller(), &name) else {
        return match held::named(snapshot, exchange.session().caller(), ListKind::Tools, &name) {
            Some(held) => held::refuse_held(held, exchange),
            None => unknown(failure(&exchange), exchange),
        };
    };
    let (route, exposed) = (&tool.route, tool.name.as_str());
    let (permit, mut exchange) =
        permission::ask(snapshot, exchange, ObjectKind::Tool, route, &name, failure)?;
    if !snapshot.policy.is_open() && own::is_own(route) {
        return own::call(core, snapshot, route, incoming, exchange, failure);
    }
    if snapshot.catalog.is_hidden(exposed, exchange.era()) {
        return refuse(Failure::only_as_task(&name), exchange);
    }
    let own_name = quoted(&route.own_name);
    let passage = Passage {
        method: "tools/call",
        replace: Some(("name", &own_name)),
        target: Some(&route.own_name),
        param_headers: snapshot.catalog.param_headers(exposed),
        kind: ObjectKind::Tool,
        tool: Some(exposed),
    };
    if let Err(failure) = tasks::begin(snapshot, incoming, &mut exchange, route) {
        return refuse(failure, exchange);
    }
    relay::send(snapshot, &permit, incoming, &passage, exchange, failure)
}

/// The answer for a name that leads nowhere for this caller; it names only tools that the caller sees.
fn unknown_tool(snapshot: &Snapshot, caller: &Caller, name: &str) -> Failure {
    let sees = |route: &Route| permission::shows_tool(snapshot, caller, route);
    let rivals = snapshot.catalog.rivals(name).filter(|tool| sees(&tool.route));
    match rivals.map(|tool| tool.name.as_str()).collect::<Vec<_>>().as_slice() {
        [] => Failure::unknown_tool(name, snapshot.catalog.suggest_tool(name, &sees)),
        [only] => Failure::unknown_tool(name, Some(only)),
        rivals => Failure::ambiguous_tool(name, rivals),
    }
}
