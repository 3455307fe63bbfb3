//! `resources/read`: URIs are not rewritten, so what is found is the owner.

use crate::catalog::route::Route;
use crate::catalog::uri_owner::UriError;
use crate::config::model::access::ObjectKind;
use crate::gateway::exchange::Exchange;
use crate::gateway::held;
use crate::gateway::incoming::Incoming;
use crate::gateway::permission;
use crate::gateway::relay;
use crate::gateway::relay::Passage;
use crate::gateway::relayed::Relayed;
use crate::gateway::relayed::refuse;
use crate::gateway::relayed::unknown;
use crate::gateway::reply::Failure;
use crate::gateway::snapshot::Snapshot;
use crate::protocol::code;
use crate::protocol::version::Era;
use serde_json::json;

/// Finds the owner of the URI.
pub(super) fn read(snapshot: &Snapshot, incoming: &Incoming<'_>, exchange: Exchange) -> Relayed {
    let uri = match incoming.text("uri") {
        Ok(uri) => uri,
        Err(failure) => return refuse(failure, exchange),
    };
    let era = exchange.era();
    let owner = permission::owner_of_uri(snapshot, exchange.session().caller(), &uri);
    let server = match owner {
        Ok(server) => server.clone(),
        Err(why) => {
            return match held::resource(snapshot, exchange.session().caller(), &uri) {
                Some(held) => held::refuse_held(held, exchange),
                None => unknown(not_found(&uri, &why, era), exchange),
            };
        }
    };
    let route = Route { server, own_name: uri.to_string() };
    let failure = |_: &Exchange| not_found(&uri, &UriError::NotFound, era);
    let (permit, exchange) =
        permission::ask(snapshot, exchange, ObjectKind::Resource, &route, &uri, failure)?;
    let passage = Passage {
        method: "resources/read",
        replace: None,
        target: Some(&uri),
        param_headers: &[],
        kind: ObjectKind::Resource,
        tool: None,
    };
    relay::send(snapshot, &permit, incoming, &passage, exchange, failure)
}

/// Legacy has a code of its own for this; the modern era does not (`changelog` of 2026-07-28).
pub(super) fn not_found(uri: &str, why: &UriError, era: Era) -> Failure {
    let code = match era {
        Era::Legacy => code::RESOURCE_NOT_FOUND,
        Era::Modern => code::INVALID_PARAMS,
    };
    Failure::new(code, format!("resource: {why}")).with(json!({"uri": uri}))
}
