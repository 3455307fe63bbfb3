//! `logging/setLevel`: each client gets the level it asked for; servers are asked for the lowest anybody wants.

use crate::downstream::handle::ServerHandle;
use crate::downstream::own_call::once;
use crate::downstream::request::Request;
use crate::gateway::core::Core;
use crate::gateway::exchange::Exchange;
use crate::gateway::incoming::Incoming;
use crate::gateway::reply::Failure;
use crate::gateway::session::LEVELS;
use crate::protocol::version::Era;
use crate::wire::members::Members;
use std::time::Duration;

/// How long a server may take to accept a level. Nobody waits for it.
const PATIENCE: Duration = Duration::from_secs(10);

/// Notes the level and passes the lowest on to running servers.
pub(super) fn set_level(core: &Core, incoming: &Incoming<'_>, exchange: Exchange) {
    let level = match incoming.text("level") {
        Ok(level) => level,
        Err(failure) => return exchange.fail(&failure),
    };
    if !exchange.session().set_log_level(&level) {
        let why = format!("`level` must be one of {}", LEVELS.join(", "));
        return exchange.fail(&Failure::bad_params(incoming.method, why));
    }
    for handle in core.current().servers.values() {
        tell(core, handle);
    }
    exchange.result(b"{}");
}

/// Tells one running server the lowest level that anybody wants.
pub(super) fn tell(core: &Core, handle: &ServerHandle) {
    let lowest = core.sessions().iter().filter_map(|session| session.log_level()).min();
    let (Some(lowest), Some(link)) = (lowest, handle.ready_link()) else { return };
    let logs = handle.lists().is_some_and(|lists| {
        Members::parse(lists.capabilities.get()).is_ok_and(|all| all.get("logging").is_some())
    });
    if link.era() != Era::Legacy || !logs {
        return;
    }
    let params = format!(r#"{{"level":"{}"}}"#, LEVELS[lowest]);
    let Ok(members) = Members::parse(&params) else { return };
    let (waiter, _nobody_waits) = once();
    let _ = link.call(&Request::own("logging/setLevel", &members, "{}"), waiter, PATIENCE);
}
