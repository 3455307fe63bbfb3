//! What a caller is told who asks for something that is held back, because nobody approved it as it is now.
//!
//! Only callers are told who could use it otherwise: to all others it does not exist. What is held is decided in
//! `catalog/lock.rs`.

use crate::auth::caller::Caller;
use crate::catalog::lists::ListKind;
use crate::catalog::lock::HeldItem;
use crate::catalog::name_budget::looks_like;
use crate::catalog::route::Route;
use crate::config::model::access::ObjectKind;
use crate::gateway::audit::verdict::Decision;
use crate::gateway::exchange::Exchange;
use crate::gateway::relayed::Relayed;
use crate::gateway::relayed::refuse;
use crate::gateway::reply::Failure;
use crate::gateway::snapshot::Snapshot;
use crate::policy::object::Object;

/// Why something is not there, and where it would lead.
pub(super) struct Denial {
    failure: Failure,
    route: Route,
}

/// Why the tool or prompt `name` is not there.
pub(super) fn named(snapshot: &Snapshot, caller: &Caller, kind: ListKind, name: &str) -> Option<Denial> {
    if let Some(held) = snapshot.catalog.lock().named(kind, name) {
        return told(snapshot, caller, object_kind(kind), held);
    }
    let naming = &snapshot.config.settings.naming;
    let held = snapshot.servers.values().map(|handle| handle.server()).filter(|server| {
        server.pins.hold_all() && looks_like(&server.name, server.prefix.as_deref(), name, naming)
    });
    let denials = held.filter_map(|server| {
        let route = Route { server: server.name.clone(), own_name: name.to_owned() };
        let denial = snapshot.catalog.lock().denial_of_all(&server.name)?;
        told(snapshot, caller, object_kind(kind), &HeldItem { route, denial })
    });
    denials.into_iter().next()
}

/// Why the resource `uri` is not there.
pub(super) fn resource(snapshot: &Snapshot, caller: &Caller, uri: &str) -> Option<Denial> {
    snapshot.catalog.lock().by_uri(uri).and_then(|held| told(snapshot, caller, ObjectKind::Resource, held))
}

/// Answers a request for it.
pub(super) fn refuse_held(denial: Denial, mut exchange: Exchange) -> Relayed {
    if let Some(entry) = exchange.entry_mut() {
        entry.leads_to(&denial.route);
        entry.decided(Decision::Held);
    }
    refuse(denial.failure, exchange)
}

fn object_kind(kind: ListKind) -> ObjectKind {
    if kind == ListKind::Prompts { ObjectKind::Prompt } else { ObjectKind::Tool }
}

fn told(snapshot: &Snapshot, caller: &Caller, kind: ObjectKind, held: &HeldItem) -> Option<Denial> {
    let object = Object { kind, server: held.route.server.as_str(), name: &held.route.own_name };
    let is_shown = snapshot.policy.shows(caller, &object);
    let failure = || Failure::held(&held.route.server, &held.denial);
    is_shown.then(|| Denial { failure: failure(), route: held.route.clone() })
}
