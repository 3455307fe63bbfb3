//! The lists, answered from the merged catalog.

use crate::auth::caller::Caller;
use crate::catalog::lists::ListKind;
use crate::catalog::name_budget::looks_like;
use crate::downstream::handle::ServerHandle;
use crate::gateway::exchange::Exchange;
use crate::gateway::incoming::Incoming;
use crate::gateway::reply::Failure;
use crate::gateway::snapshot::Snapshot;
use crate::name::ServerName;
use crate::wire::message::read_text;
use crate::wire::pending::Lost;
use serde_json::json;
use std::time::Duration;
use tokio::time::Instant;
use tokio::time::timeout_at;

/// So many servers are named in an error.
const SAID: usize = 3;

/// Answers one page.
pub(super) fn answer(snapshot: &Snapshot, kind: ListKind, incoming: &Incoming<'_>, exchange: Exchange) {
    let cursor =
        match incoming.params.get("cursor").filter(|raw| raw.get() != "null").map(read_text).transpose() {
            Ok(cursor) => cursor,
            Err(_) => {
                return exchange.fail(&Failure::bad_params(incoming.method, "`cursor` is not a string"));
            }
        };
    let page_size = snapshot.config.settings.limits.page_size;
    let (catalog, era, cursor) = (&snapshot.catalog, incoming.era(), cursor.as_deref());
    let page = snapshot.sight(exchange.session().caller(), |sight| match sight {
        None => catalog.list_result(kind, era, cursor, page_size),
        Some(sight) => sight.list_result(catalog, kind, era, cursor, page_size),
    });
    match page {
        Ok(page) => {
            exchange.result(&page);
        }
        Err(why) => exchange.fail(&Failure::bad_params(incoming.method, why)),
    }
}

/// True when lists are still missing that may come soon; the servers are started for that. Who lists does not wait for
/// a server that could not be started before: it may hang each time, and `list_changed` tells when it comes after all.
pub(super) fn is_worth_waiting(snapshot: &Snapshot, listing: bool) -> bool {
    let patience = snapshot.config.settings.list_timeout;
    let missing = snapshot.catalog.missing().iter().filter_map(|name| snapshot.server(name));
    let coming = |handle: &ServerHandle| handle.want().is_some_and(|since| since.elapsed() < patience);
    missing.filter(|handle| coming(handle) && !(listing && handle.is_in_doubt())).count() > 0
}

/// The failure of a request whose target is not known: that of the one server whose it would be, or `failure` with the
/// servers that could not be asked.
pub(super) fn explain(
    snapshot: &Snapshot,
    caller: &Caller,
    incoming: &Incoming<'_>,
    failure: Failure,
) -> Failure {
    match unlisted(snapshot, caller, incoming) {
        Some((handle, lost)) => Failure::lost(&handle.server().name, "tools/list", &lost),
        None => say_what_is_missing(snapshot, &missing(snapshot, caller), failure),
    }
}

/// The servers without lists of which the caller may see something.
fn missing<'s>(snapshot: &'s Snapshot, caller: &Caller) -> Vec<&'s ServerName> {
    let missing = snapshot.catalog.missing().iter();
    missing.filter(|server| snapshot.policy.may_show(caller, server.as_str())).collect()
}

/// Whose the unknown name of a request may be: that of a server without lists, and why it could not be started.
pub(super) fn unlisted<'s>(
    snapshot: &'s Snapshot,
    caller: &Caller,
    incoming: &Incoming<'_>,
) -> Option<(&'s ServerHandle, Lost)> {
    let (name, naming) = (incoming.text("name").ok()?, &snapshot.config.settings.naming);
    missing(snapshot, caller).into_iter().filter_map(|missing| snapshot.server(missing)).find_map(|handle| {
        let server = handle.server();
        let its = looks_like(&server.name, server.prefix.as_deref(), &name, naming);
        its.then(|| Some((handle, handle.failure()?)))?
    })
}

/// Waits for the lists that are on their way, and starts nothing. What comes first must not take a name before the
/// file's order could settle it.
pub(super) async fn wait_for_coming(snapshot: &Snapshot) {
    let patience = snapshot.config.settings.list_timeout;
    let coming =
        snapshot.servers.values().filter_map(|handle| Some((handle, handle.coming_since()? + patience)));
    let waits = coming.map(|(handle, deadline)| async move {
        let _ = timeout_at(deadline, handle.lists_or_failure()).await;
    });
    futures_util::future::join_all(waits).await;
}

/// Starts the servers whose lists are missing, side by side, and waits until they are there or the time is over.
pub(super) async fn wait(snapshot: &Snapshot, listing: bool) {
    let patience: Duration = snapshot.config.settings.list_timeout;
    let mut waits = Vec::new();
    for name in snapshot.catalog.missing() {
        let Some(handle) = snapshot.server(name) else { continue };
        // The time counts from its start, not from this request: a server that hangs costs its wait once.
        let deadline = handle.want().unwrap_or_else(Instant::now) + patience;
        if listing && handle.is_in_doubt() {
            continue;
        }
        waits.push(async move {
            let _ = timeout_at(deadline, handle.lists_or_failure()).await;
        });
    }
    futures_util::future::join_all(waits).await;
}

/// Adds to the failure of a request whose target is not known which servers could not be asked for it, and why.
fn say_what_is_missing(snapshot: &Snapshot, missing: &[&ServerName], mut failure: Failure) -> Failure {
    let reasons = missing.iter().take(SAID).filter_map(|name| snapshot.server(name)).map(|handle| {
        let status = handle.status();
        let lists = || format!("server `{}` has no lists: it is {}", handle.server().name, status.state);
        // Only the reason of a failure names its server.
        status.reason.clone().filter(|_| status.state == "failed").unwrap_or_else(lists)
    });
    let reasons = reasons.collect::<Vec<_>>().join("; ");
    if reasons.is_empty() {
        return failure;
    }
    let more = missing.len().saturating_sub(SAID);
    let more = if more > 0 { format!("; and {more} more") } else { String::new() };
    failure.message = format!("{}; not all servers could be asked: {reasons}{more}", failure.message);
    let mut says = failure.data.take().unwrap_or_else(|| json!({}));
    says["missing"] = missing.iter().map(|name| name.as_str()).collect();
    let wants_login = |name: &&ServerName| {
        snapshot.server(name).is_some_and(|handle| matches!(handle.failure(), Some(Lost::Unauthorized(_))))
    };
    if missing.iter().all(wants_login) {
        says["authorization"] = json!("needed");
    }
    failure.with(says)
}
