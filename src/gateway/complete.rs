//! `completion/complete`: the reference names a prompt or a resource template.

use crate::catalog::route::Route;
use crate::config::model::access::ObjectKind;
use crate::gateway::exchange::Exchange;
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
use crate::wire::members::Edit;
use crate::wire::members::Members;
use crate::wire::members::write_object;
use crate::wire::message::read_text;

/// Finds what the reference names; it is sent with the server's own name in it.
pub(super) fn complete(snapshot: &Snapshot, incoming: &Incoming<'_>, exchange: Exchange) -> Relayed {
    let members = match reference(incoming) {
        Ok(members) => members,
        Err(failure) => return refuse(failure, exchange),
    };
    let text = |member: &str| members.get(member).and_then(|raw| read_text(raw).ok());
    let (kind, route, sent, failure) = match (text("name"), text("uri")) {
        (Some(name), _) => {
            let failure = Failure::unknown_prompt(&name);
            let Some(route) = snapshot.catalog.resolve_prompt(&name) else {
                return unknown(failure, exchange);
            };
            (ObjectKind::Prompt, route.clone(), renamed(&members, route), failure)
        }
        (None, Some(uri)) => {
            let owner = permission::owner_of_template(snapshot, exchange.session().caller(), &uri);
            let failure = |why: &str| Failure::bad_params(incoming.method, format!("`ref`: {why}"));
            match owner {
                Ok(server) => {
                    let route = Route { server: server.clone(), own_name: uri.to_string() };
                    let failure = failure("no server has this resource");
                    (ObjectKind::Resource, route, members.raw().to_owned(), failure)
                }
                Err(why) => return unknown(failure(&why.to_string()), exchange),
            }
        }
        (None, None) => {
            let failure = Failure::bad_params(incoming.method, "`ref` names neither a prompt nor a resource");
            return refuse(failure, exchange);
        }
    };
    let name = text("name").or_else(|| text("uri")).unwrap_or_default();
    let (permit, exchange) = permission::ask(snapshot, exchange, kind, &route, &name, |_| failure.clone())?;
    let passage = Passage {
        method: "completion/complete",
        replace: Some(("ref", &sent)),
        target: None,
        param_headers: &[],
        kind,
        tool: None,
    };
    relay::send(snapshot, &permit, incoming, &passage, exchange, |_| failure)
}

/// The members of the reference; a name in it twice would be two different prompts to two readers.
fn reference<'a>(incoming: &Incoming<'a>) -> Result<Members<'a>, Failure> {
    let bad = |why: &str| Failure::bad_params(incoming.method, why);
    let raw = incoming.params.get("ref").ok_or_else(|| bad("`ref` is missing"))?;
    Members::parse(raw.get()).map_err(|why| bad(&format!("`ref`: {why}")))
}

/// The reference with the server's own name.
fn renamed(members: &Members<'_>, route: &Route) -> String {
    let own_name = quoted(&route.own_name);
    let mut out = Vec::new();
    let edit = |key: &str| if key == "name" { Edit::Replace(own_name.as_bytes()) } else { Edit::Keep };
    write_object(&mut out, members, edit, &[]);
    String::from_utf8(out).unwrap_or_default()
}
