//! `resources/read`: URIs are not rewritten, so what is found is the owner.

use crate::catalog::route::Route;
use crate::catalog::uri_owner::UriError;
use crate::gateway::exchange::Exchange;
use crate::gateway::incoming::Incoming;
use crate::gateway::relay;
use crate::gateway::relay::Passage;
use crate::gateway::reply::Failure;
use crate::gateway::snapshot::Snapshot;
use crate::gateway::tools::NotFound;
use crate::protocol::code;
use crate::protocol::version::Era;
use serde_json::json;

/// Finds the owner, asks the policy, sends.
pub(super) fn read(snapshot: &Snapshot, incoming: &Incoming<'_>, exchange: Exchange) -> Result<(), NotFound> {
    let uri = match incoming.text("uri") {
        Ok(uri) => uri,
        Err(failure) => {
            exchange.fail(&failure);
            return Ok(());
        }
    };
    let server = match snapshot.catalog.owner_of_uri(&uri) {
        Ok(server) => server.clone(),
        Err(why) => return Err(NotFound { failure: not_found(&uri, &why, exchange.era()), exchange }),
    };
    let route = Route { server, own_name: uri.into_owned() };
    let permit = snapshot.policy.permit(exchange.session().caller(), &route);
    let handle = permit.as_ref().and_then(|permit| snapshot.server(&permit.route().server));
    let (Some(permit), Some(handle)) = (permit, handle) else {
        let failure = not_found(&route.own_name, &UriError::NotFound, exchange.era());
        return Err(NotFound { failure, exchange });
    };
    let passage = Passage { method: "resources/read", replace: None, target: Some(&route.own_name) };
    relay::send(handle, &permit, incoming, &passage, exchange);
    Ok(())
}

/// Legacy has a code of its own for this; the modern era does not (`changelog` of 2026-07-28).
fn not_found(uri: &str, why: &UriError, era: Era) -> Failure {
    let code = match era {
        Era::Legacy => code::RESOURCE_NOT_FOUND,
        Era::Modern => code::INVALID_PARAMS,
    };
    Failure::new(code, format!("resource: {why}")).with(json!({"uri": uri}))
}
