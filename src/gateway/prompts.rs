//! `prompts/get`, the same way as a tool call.

use crate::gateway::exchange::Exchange;
use crate::gateway::incoming::Incoming;
use crate::gateway::relay;
use crate::gateway::relay::Passage;
use crate::gateway::reply::Failure;
use crate::gateway::snapshot::Snapshot;
use crate::gateway::tools::NotFound;
use crate::gateway::tools::quoted;

/// Resolves, asks the policy, sends.
pub(super) fn get(snapshot: &Snapshot, incoming: &Incoming<'_>, exchange: Exchange) -> Result<(), NotFound> {
    let name = match incoming.text("name") {
        Ok(name) => name,
        Err(failure) => {
            exchange.fail(&failure);
            return Ok(());
        }
    };
    let route = snapshot.catalog.resolve_prompt(&name);
    let permit = route.and_then(|route| snapshot.policy.permit(exchange.session().caller(), route));
    let handle = permit.as_ref().and_then(|permit| snapshot.server(&permit.route().server));
    let (Some(permit), Some(handle)) = (permit, handle) else {
        return Err(NotFound { failure: Failure::unknown_prompt(&name), exchange });
    };
    let own_name = &permit.route().own_name;
    let text = quoted(own_name);
    let passage = Passage { method: "prompts/get", replace: Some(("name", &text)), target: Some(own_name) };
    relay::send(handle, &permit, incoming, &passage, exchange);
    Ok(())
}
