//! The one place where a request asks the policy, and what it is answered when it may not.
//!
//! What a caller may not see is answered like what does not exist, to the byte. Rules are `policy`.

use crate::auth::caller::Caller;
use crate::catalog::merge::Exposed;
use crate::catalog::route::Route;
use crate::catalog::uri_owner::UriError;
use crate::config::model::access::ObjectKind;
use crate::gateway::exchange::Exchange;
use crate::gateway::incoming::Incoming;
use crate::gateway::relayed::NotRelayed;
use crate::gateway::reply::Failure;
use crate::gateway::snapshot::Snapshot;
use crate::name::ServerName;
use crate::policy::Denied;
use crate::policy::object::Object;
use crate::policy::permit::Permit;

/// Where there are rules, refuses a request in which another reader could find another name than the one they are about.
///
/// # Errors
/// The failure to answer.
pub(super) fn check(snapshot: &Snapshot, incoming: &Incoming<'_>) -> Result<(), Failure> {
    if snapshot.policy.is_open() { Ok(()) } else { incoming.check_keys() }
}

/// Asks for the caller of this exchange. `name` is what the client calls it, `failure` the answer to a name that does not
/// exist.
///
/// # Errors
/// The exchange, with the failure to answer.
pub(super) fn ask<'r>(
    snapshot: &Snapshot,
    mut exchange: Exchange,
    kind: ObjectKind,
    route: &'r Route,
    name: &str,
    failure: impl FnOnce(&Exchange) -> Failure,
) -> Result<(Permit<'r>, Exchange), Box<NotRelayed>> {
    if let Some(entry) = exchange.entry_mut() {
        entry.leads_to(route);
    }
    match snapshot.policy.permit(exchange.session().caller(), kind, route) {
        Ok(permit) => Ok((permit, exchange)),
        Err(Denied::Hidden) => Err(NotRelayed::unknown(failure(&exchange), exchange)),
        Err(Denied::ListOnly) => Err(NotRelayed::refused(Failure::list_only(kind, name), exchange)),
    }
}

/// The tool that a client calls `name`, as if those did not exist that the caller may not see: what several have may be
/// the name of one then.
pub(super) fn tool_named<'s>(snapshot: &'s Snapshot, caller: &Caller, name: &str) -> Option<&'s Exposed> {
    let sees = |tool: &&Exposed| shows_tool(snapshot, caller, &tool.route);
    let rivals = || {
        let mut seen = snapshot.catalog.rivals(name).filter(sees);
        seen.next().filter(|_| seen.next().is_none())
    };
    let only = if snapshot.policy.is_open() { None } else { rivals() };
    only.or_else(|| snapshot.catalog.tool(name))
}

/// The server that reads `uri`, as if those did not exist of which the caller can see no resource. Whether it may see this one
/// is asked then: which server is chosen does not tell that it may not.
///
/// # Errors
/// [`UriError`], which names only servers that the caller may see.
pub(super) fn owner_of_uri<'s>(
    snapshot: &'s Snapshot,
    caller: &Caller,
    uri: &str,
) -> Result<&'s ServerName, UriError> {
    if snapshot.policy.is_open() {
        return snapshot.catalog.owner_of_uri(uri);
    }
    snapshot.catalog.owner_of_uri_among(uri, &|server| has_any(snapshot, caller, server))
}

/// The server that has the template, word for word, if the caller can see resources of it; else [`owner_of_uri`].
///
/// # Errors
/// As [`owner_of_uri`].
pub(super) fn owner_of_template<'s>(
    snapshot: &'s Snapshot,
    caller: &Caller,
    template: &str,
) -> Result<&'s ServerName, UriError> {
    let owner = snapshot.catalog.owner_of_template(template);
    let owner = owner.filter(|server| has_any(snapshot, caller, server));
    owner.map_or_else(|| owner_of_uri(snapshot, caller, template), Ok)
}

/// Whether the caller sees this tool in lists.
pub(super) fn shows_tool(snapshot: &Snapshot, caller: &Caller, route: &Route) -> bool {
    let object =
        Object { kind: ObjectKind::Tool, server: route.server.as_str(), name: route.own_name.as_str() };
    snapshot.policy.shows(caller, &object)
}

fn has_any(snapshot: &Snapshot, caller: &Caller, server: &ServerName) -> bool {
    snapshot.policy.may_show_resources(caller, server.as_str())
}
