//! Which connection of a server a caller uses: the one that all share, or one of their own.
//!
//! The rule per server is `sharing` in its entry. How connections live and end is `downstream/private.rs`.

use crate::auth::outbound::personal::Missing;
use crate::auth::outbound::personal::Personal;
use crate::config::model::Sharing;
use crate::downstream::handle::ServerHandle;
use crate::downstream::private::Key;
use crate::downstream::private::Who;
use crate::gateway::core::Core;
use crate::gateway::exchange::Exchange;
use crate::gateway::reply::Failure;
use crate::gateway::session::Session;
use crate::protocol::capability;
use crate::protocol::input::Wanted;
use crate::protocol::version::Era;
use crate::telemetry::event;
use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

/// The connection for one request, to which it is bound from here on. `capabilities` is what its client declared and can
/// be relayed, as JSON text.
///
/// # Errors
/// The failure to answer when the caller must have its own and cannot.
pub(super) fn connection<'a>(
    shared: &'a ServerHandle,
    capabilities: &str,
    exchange: &Exchange,
) -> Result<Cow<'a, ServerHandle>, Failure> {
    let session = exchange.session();
    let personal = personal(shared, session)?;
    // A task is where it was begun.
    let task = exchange.tracked().and_then(|tracked| tracked.on());
    if personal.is_none() && task.map_or_else(|| shared.is_for_all(), |on| on.is_none()) {
        session.bind(exchange.id(), shared);
        return Ok(Cow::Borrowed(shared));
    }
    let key = match task.flatten() {
        Some(key) => key.clone(),
        None => key(shared, capabilities, exchange, personal)?,
    };
    let handle = shared.private(key).map_err(|why| Failure::no_connection(&why))?;
    session.bind(exchange.id(), &handle);
    if session.is_closed() {
        shared.release(session.key(), Duration::ZERO);
    }
    Ok(Cow::Owned(handle))
}

/// What of the caller goes to this server. Part of every call: nothing is copied where that is nothing.
fn personal(shared: &ServerHandle, session: &Session) -> Result<Option<Arc<Personal>>, Failure> {
    if !shared.server().is_personal() {
        return Ok(None);
    }
    let found = Personal::of(shared.server(), session.caller(), session.passed.headers());
    found.map_err(|Missing| Failure::no_credential(shared.server(), session.caller()))
}

fn key(
    shared: &ServerHandle,
    capabilities: &str,
    exchange: &Exchange,
    personal: Option<Arc<Personal>>,
) -> Result<Key, Failure> {
    let session = exchange.session();
    let capabilities = capability::of_one_client(capabilities, exchange.era());
    let who = match (shared.server().sharing, session.caller()) {
        (Sharing::PerCall, _) => Who::Call(session.key(), exchange.id().into()),
        _ if !session.is_lone() => Who::Session(session.key()),
        (Sharing::PerSession, caller) if caller.is_anonymous() => {
            return Err(Failure::no_session(&shared.server().name));
        }
        (_, caller) => Who::Caller(caller.clone()),
    };
    Ok(Key { who, capabilities: capabilities.into(), personal })
}

/// A server asked something over the connection that all share: from now on each session may get its own.
pub(super) fn note_asking(core: &Core, shared: &ServerHandle, method: &str) {
    if Wanted::of(method, None).is_none() || !shared.note_asking() {
        return;
    }
    event::server_asks(&shared.server().name, method);
    if let Some(lists) = shared.lists() {
        core.note_lists(&shared.server().name, &lists);
    }
}

/// The client's folders changed: the servers that can ask only it for them are told.
pub(super) fn roots_changed(core: &Core, session: &Session, params: Option<&str>) {
    for shared in core.current().servers.values() {
        for handle in shared.private_of(session.key()) {
            let knows = handle.key().is_some_and(|key| Wanted::Roots.is_declared(&key.capabilities));
            if let Some(link) = handle.ready_link().filter(|link| knows && link.era() == Era::Legacy) {
                link.notify("notifications/roots/list_changed", params.unwrap_or("{}"));
            }
        }
    }
}
