//! `tools/call`: the request, top to bottom.

use crate::gateway::exchange::Exchange;
use crate::gateway::incoming::Incoming;
use crate::gateway::relay;
use crate::gateway::relay::Passage;
use crate::gateway::reply::Failure;
use crate::gateway::snapshot::Snapshot;
use crate::wire::members::write_string;

/// What became of a look-up that failed.
pub(super) struct NotFound {
    pub(super) failure: Failure,
    pub(super) exchange: Exchange,
}

/// Resolves, asks the policy, sends. A name that is not there is given back: a server may not have been asked yet.
pub(super) fn call(snapshot: &Snapshot, incoming: &Incoming<'_>, exchange: Exchange) -> Result<(), NotFound> {
    let name = match incoming.text("name") {
        Ok(name) => name,
        Err(failure) => {
            exchange.fail(&failure);
            return Ok(());
        }
    };
    let route = snapshot.catalog.resolve_tool(&name);
    let permit = route.and_then(|route| snapshot.policy.permit(exchange.session().caller(), route));
    let handle = permit.as_ref().and_then(|permit| snapshot.server(&permit.route().server));
    let (Some(permit), Some(handle)) = (permit, handle) else {
        let failure = Failure::unknown_tool(&name, snapshot.catalog.suggest_tool(&name));
        return Err(NotFound { failure, exchange });
    };
    let own_name = &permit.route().own_name;
    let text = quoted(own_name);
    let passage = Passage { method: "tools/call", replace: Some(("name", &text)), target: Some(own_name) };
    relay::send(handle, &permit, incoming, &passage, exchange);
    Ok(())
}

/// A text as JSON.
pub(super) fn quoted(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len() + 2);
    write_string(&mut out, text);
    String::from_utf8(out).unwrap_or_default()
}
