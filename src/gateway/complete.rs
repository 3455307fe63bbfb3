//! `completion/complete`: the reference names a prompt or a resource template.

use crate::catalog::route::Route;
use crate::gateway::exchange::Exchange;
use crate::gateway::incoming::Incoming;
use crate::gateway::relay;
use crate::gateway::relay::Passage;
use crate::gateway::reply::Failure;
use crate::gateway::snapshot::Snapshot;
use crate::gateway::tools::NotFound;
use crate::gateway::tools::quoted;
use crate::wire::members::Edit;
use crate::wire::members::Members;
use crate::wire::members::write_object;
use crate::wire::message::read_text;

/// Finds what the reference names, asks the policy, sends with the server's own name in the reference.
pub(super) fn complete(
    snapshot: &Snapshot,
    incoming: &Incoming<'_>,
    exchange: Exchange,
) -> Result<(), NotFound> {
    let found = match reference(snapshot, incoming) {
        Ok(found) => found,
        Err(failure) => return Err(NotFound { failure, exchange }),
    };
    let Some((route, text)) = found else {
        exchange.fail(&Failure::bad_params(incoming.method, "`ref` names neither a prompt nor a resource"));
        return Ok(());
    };
    let permit = snapshot.policy.permit(exchange.session().caller(), &route);
    let handle = permit.as_ref().and_then(|permit| snapshot.server(&permit.route().server));
    let (Some(permit), Some(handle)) = (permit, handle) else {
        return Err(NotFound { failure: Failure::unknown_prompt(&route.own_name), exchange });
    };
    let passage = Passage { method: "completion/complete", replace: Some(("ref", &text)), target: None };
    relay::send(handle, &permit, incoming, &passage, exchange);
    Ok(())
}

/// Where the reference leads, and the reference as the server understands it.
fn reference(snapshot: &Snapshot, incoming: &Incoming<'_>) -> Result<Option<(Route, String)>, Failure> {
    let bad = |why: &str| Failure::bad_params(incoming.method, why);
    let raw = incoming.params.get("ref").ok_or_else(|| bad("`ref` is missing"))?;
    let members = Members::parse(raw.get()).map_err(|why| bad(&format!("`ref`: {why}")))?;
    let text = |member: &str| members.get(member).and_then(|raw| read_text(raw).ok());
    if let Some(name) = text("name") {
        let route = snapshot.catalog.resolve_prompt(&name).ok_or_else(|| Failure::unknown_prompt(&name))?;
        let own_name = quoted(&route.own_name);
        let mut out = Vec::new();
        let edit = |key: &str| if key == "name" { Edit::Replace(own_name.as_bytes()) } else { Edit::Keep };
        write_object(&mut out, &members, edit, &[]);
        return Ok(Some((route.clone(), String::from_utf8(out).unwrap_or_default())));
    }
    let Some(uri) = text("uri") else { return Ok(None) };
    let server = match snapshot.catalog.owner_of_template(&uri) {
        Some(server) => server.clone(),
        None => snapshot.catalog.owner_of_uri(&uri).map_err(|why| bad(&why.to_string()))?.clone(),
    };
    Ok(Some((Route { server, own_name: uri.into_owned() }, raw.get().to_owned())))
}
