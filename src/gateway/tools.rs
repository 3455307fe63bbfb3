//! `tools/call`: the request, top to bottom.

use crate::catalog::lists::ListKind;
use crate::gateway::exchange::Exchange;
use crate::gateway::held;
use crate::gateway::incoming::Incoming;
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
pub(super) fn call(snapshot: &Snapshot, incoming: &Incoming<'_>, mut exchange: Exchange) -> Relayed {
    let name = match incoming.text("name") {
        Ok(name) => name,
        Err(failure) => return refuse(failure, exchange),
    };
    let failure = || match snapshot.catalog.rivals(&name).collect::<Vec<_>>() {
        none if none.is_empty() => Failure::unknown_tool(&name, snapshot.catalog.suggest_tool(&name)),
        rivals => Failure::ambiguous_tool(&name, &rivals),
    };
    let Some(route) = snapshot.catalog.resolve_tool(&name) else {
        return match held::named(snapshot, exchange.session().caller(), ListKind::Tools, &name) {
            Some(held) => held::refuse_held(held, exchange),
            None => unknown(failure(), exchange),
        };
    };
    if snapshot.catalog.is_hidden(&name, exchange.era()) {
        return refuse(Failure::only_as_task(&name), exchange);
    }
    let own_name = quoted(&route.own_name);
    let passage = Passage {
        method: "tools/call",
        replace: Some(("name", &own_name)),
        target: Some(&route.own_name),
        param_headers: snapshot.catalog.param_headers(&name),
        tool: Some(&name),
    };
    if let Err(failure) = tasks::begin(snapshot, incoming, &mut exchange, route) {
        return refuse(failure, exchange);
    }
    relay::send(snapshot, route, incoming, &passage, exchange, failure)
}
