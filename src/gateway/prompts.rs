//! `prompts/get`, the same way as a tool call.

use crate::catalog::lists::ListKind;
use crate::config::model::access::ObjectKind;
use crate::gateway::exchange::Exchange;
use crate::gateway::held;
use crate::gateway::incoming::Incoming;
use crate::gateway::permission;
use crate::gateway::relay;
use crate::gateway::relay::Passage;
use crate::gateway::relay::quoted;
use crate::gateway::relayed::Relayed;
use crate::gateway::relayed::refuse;
use crate::gateway::relayed::unknown;
use crate::gateway::reply::Failure;
use crate::gateway::snapshot::Snapshot;

/// Resolves the name.
pub(super) fn get(snapshot: &Snapshot, incoming: &Incoming<'_>, exchange: Exchange) -> Relayed {
    let name = match incoming.text("name") {
        Ok(name) => name,
        Err(failure) => return refuse(failure, exchange),
    };
    let failure = |_: &Exchange| Failure::unknown_prompt(&name);
    let Some(route) = snapshot.catalog.resolve_prompt(&name) else {
        return match held::named(snapshot, exchange.session().caller(), ListKind::Prompts, &name) {
            Some(held) => held::refuse_held(held, exchange),
            None => unknown(failure(&exchange), exchange),
        };
    };
    let (permit, exchange) = permission::ask(snapshot, exchange, ObjectKind::Prompt, route, &name, failure)?;
    let own_name = quoted(&route.own_name);
    let passage = Passage {
        method: "prompts/get",
        replace: Some(("name", &own_name)),
        target: Some(&route.own_name),
        param_headers: &[],
        kind: ObjectKind::Prompt,
        tool: None,
    };
    relay::send(snapshot, &permit, incoming, &passage, exchange, failure)
}
